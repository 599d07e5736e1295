"""What the ledger holds of the paper is what the paper prints: every cell, listing, list, caption, number and quote.

The paper's text is not part of the repository: where it is not at hand these tests are skipped.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import pytest
from papers import RECORD

from softmax_trick.proofs import CLAIMS, tables
from softmax_trick.proofs.errata_entries import ENTRIES
from softmax_trick.proofs.printed import LISTINGS, LISTS, MISPRINTS, NUMBERS, Number

pytestmark = pytest.mark.skipif(not RECORD.exists(), reason="the paper's text is not at hand")

TEXT = RECORD.read_text(encoding="utf-8") if RECORD.exists() else ""


def plain(text: str) -> str:
    """The words: no emphasis, no code marks, no line breaks."""
    return " ".join(text.replace("*", "").replace("`", "").split())


WORDS = plain(TEXT)


# --- tables -----------------------------------------------------------------------------------------------------------


def rows(number: int) -> list[list[str]]:
    """The cells of a table below its caption, its heading first."""
    below = TEXT.partition(f"**Table {number}.**")[2].split("\n\n")[1]
    return [line.split("\t") for line in below.split("\n")]


def network(cell: str) -> str:
    """N1r of its formula."""
    return cell.replace(r"$\mathcal{N}_", "N").replace("^r", "r").rstrip("$")


def hundredths(cell: str) -> int:
    value = 100 * Fraction(cell.replace("−", "-").removesuffix("%"))
    assert value.denominator == 1
    return int(value)


def table(number: int) -> tables.Table:
    (_, *headings), *lines = rows(number)
    options = [name.lower() if name in ("Mean", "None", "Sum") else name for name in headings]
    return {
        (network(line[0]), option): hundredths(cell)
        for line in lines
        for option, cell in zip(options, line[1:], strict=True)
    }


def differences(number: int) -> tables.Differences:
    (_, _, *options), *lines = rows(number)
    return {
        (network(line[0]), line[1], option): hundredths(cell)
        for line in lines
        for option, cell in zip(options, line[2:], strict=True)
    }


def test_all_108_cells() -> None:
    assert table(1) == tables.TABLE_1
    assert differences(2) == tables.TABLE_2
    assert table(3) == tables.TABLE_3
    assert differences(4) == tables.TABLE_4
    assert len(tables.TABLE_1) + len(tables.TABLE_2) + len(tables.TABLE_3) + len(tables.TABLE_4) == 108


# --- listings ---------------------------------------------------------------------------------------------------------


def blocks() -> list[str]:
    """The listings as printed; the page break in the third is read with the indentation of the other loops."""
    found = re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    broken = found.index("optimizer.step()\n")
    found[broken - 1 : broken + 1] = [found[broken - 1] + "    " + found[broken]]
    return found


def test_every_listing() -> None:
    assert list(LISTINGS.values()) == blocks()


# --- lists, captions, notations ---------------------------------------------------------------------------------------


def test_the_recommendations() -> None:
    question = "Which activation functions should we reach for"
    below = TEXT.partition(question)[2].partition("The experiments conducted confirm")[0]
    items = re.findall(r"^\d\. (.*)", below, re.MULTILINE)
    assert len(items) == len(LISTS["recommendations"])
    for item, words in zip(items, LISTS["recommendations"], strict=True):
        assert item.startswith(words)


def listed(after: str) -> list[str]:
    """The items of the list that follows these words, without their ends and counts."""
    block = TEXT.partition(after)[2].split("\n\n")[1]
    return [re.sub(r" \(\d\)", "", item).rstrip(",.") for item in re.findall(r"^- (.*)", block, re.MULTILINE)]


def panels(figure: int) -> tuple[str, ...]:
    """What the caption of a figure calls its panels."""
    caption = TEXT.partition(f"**Figure {figure}.**")[2].split("\n")[0]
    return tuple(re.findall(r"\(\d\):? ([^;.]+)[;.]", re.sub(r"\$[^$]*\$", "", caption)))


def test_the_sets_of_curves_and_the_captions() -> None:
    sets = listed("Sets of curves, which we visualize separately")
    assert [name[0].lower() + name[1:] if name.startswith("All") else name for name in sets] == list(LISTS["sets"])
    assert panels(2) == panels(3) == LISTS["panels"]
    pairs = [
        tuple(re.sub(r"\s*from\s+\$\\mathcal\{N\}_\d\$", "", half).strip() for half in item.split(" versus "))
        for item in listed("Visualizing the effectiveness of classifiers")
    ]
    assert pairs == list(LISTS["sets_of_figure_4"])
    assert panels(4) == LISTS["panels_of_figure_4"]


def units(formula: str) -> list[str]:
    """C32, D20, F10, P: the letters of a formula with their numbers, without masks and strides."""
    found = []
    for piece in formula.split(r"\mathbb{")[1:]:
        letter = piece[0]
        numbers = re.findall(r"[_^]\{(\d+)\}", piece)
        found.append(letter + (numbers[-1] if numbers else ""))
    return found


def test_the_units_of_the_networks() -> None:
    formulas = [line for line in TEXT.split("\n") if r"\text{image}" in line or r"\text{rgb}" in line]
    vgg = TEXT[TEXT.index(r"& \text{rgb}") :].partition(r"\end{aligned}")[0].replace("P}_m", "P}")
    written = [units(formula.partition(r"\xrightarrow{\mathcal{I}")[2]) for formula in formulas[:2]] + [units(vgg)]
    ours = [[re.sub(r":.*", "", unit) for unit in notation.split()] for notation in LISTS["networks"].values()]
    assert written == ours


# --- words ------------------------------------------------------------------------------------------------------------


def misquoted(numbers: dict[str, Number]) -> list[str]:
    """Numbers whose words are not the paper's, or whose digits are not in them."""
    return [
        name
        for name, one in numbers.items()
        if plain(one.words) not in WORDS or not re.search(rf"(?<![\d.]){re.escape(one.digits)}(?![\d.]*\d)", one.words)
    ]


def test_every_number() -> None:
    assert NUMBERS
    assert misquoted(NUMBERS) == []


@pytest.mark.parametrize(
    "planted", [Number("99.6", NUMBERS["above"].words), Number("99.5", "higher than 99.5 per cent")]
)
def test_a_wrong_number_is_noticed(planted: Number) -> None:
    assert misquoted({"planted": planted}) == ["planted"]


def not_printed(words: list[str]) -> list[str]:
    return [one for one in words if plain(one) not in WORDS]


def test_every_quote_and_misprint() -> None:
    assert sum(bool(claim.quote) for claim in CLAIMS.values()) > 100
    assert not_printed([claim.quote for claim in CLAIMS.values()]) == []
    assert not_printed([words for one in MISPRINTS for words in (one.printed, one.elsewhere)]) == []
    assert not_printed([replace(MISPRINTS[0], printed="b in n_b").printed]) != []


def test_nothing_stands_under_printed_in_the_errata_that_is_not_printed() -> None:
    assert not_printed([words for entry in ENTRIES for words in entry.printed]) == []


def test_a_changed_cell_a_listing_and_a_panel_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a digit, an indentation, a word."""
    monkeypatch.setitem(tables.TABLE_4, ("N0", "none", "Tanh"), 4)
    with pytest.raises(AssertionError):
        test_all_108_cells()
    monkeypatch.setitem(LISTINGS, "BACKWARD", LISTINGS["BACKWARD"].replace("None, None", "None"))
    with pytest.raises(AssertionError):
        test_every_listing()
    monkeypatch.setitem(LISTS, "panels", LISTS["sets"])
    with pytest.raises(AssertionError):
        test_the_sets_of_curves_and_the_captions()
    monkeypatch.setitem(LISTS["networks"], "N1", LISTS["networks"]["N0"])
    with pytest.raises(AssertionError):
        test_the_units_of_the_networks()
