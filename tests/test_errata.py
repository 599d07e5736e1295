"""The errata and their supplement: complete, deterministic, and Markdown that says what was meant."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from softmax_trick.ledger.claims import Claim, Evidence, Step, Verdict, judge
from softmax_trick.ledger.paper import Paper
from softmax_trick.ledger.run import Ledger, Result
from softmax_trick.proofs import CLAIMS
from softmax_trick.proofs.errata_entries import ENTRIES, GROUPS
from softmax_trick.proofs.printed import MISPRINTS
from softmax_trick.proofs.versions import DIFFERENCES
from softmax_trick.proofs.works.together import WORKS
from softmax_trick.report.errata import _papers, errata, supplement, works_page

TRUE = Evidence("algebra", "general", "every K", "holds", 0.5, complete=True)
FALSE = Evidence("arithmetic", "exact", "all", "fails", 0.1, witness={"x": "1"}, reason="not so: x = 2")


def result(claim: Claim, *evidence: Evidence) -> Result:
    return Result(claim, judge(evidence), evidence, (), ())


def hand_made() -> list[Result]:
    return [
        result(Claim("S5.late", "late", "$x = 2$ if `a_b`", "section 5", correction="It is $1$."), FALSE),
        result(Claim("S1.early", "the_title", r"$\{x\} = 2$", "section 1", repaired_by="S1.early-r"), FALSE),
        result(Claim("S1.early-r", "repaired", "$x = 1$", "repair of section 1", hypotheses=("$K > 1$",)), TRUE),
        result(Claim("S1.true", "true", "$1 = 1$", "section 1"), TRUE),
        result(Claim("X.ours", "ours", "$1 = 2$", "beyond the paper"), FALSE),
        result(Claim("S4.wait", "waits", "as it says", "section 4", measure=lambda results: ())),
    ]


def entry(text: str, name: str) -> str:
    """The entry of a claim, its lines joined."""
    [found] = re.findall(rf"^### {re.escape(name)}: (.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return " ".join(found.split())


def entries(text: str) -> list[str]:
    return re.findall(r"^### (\S+):", text, re.MULTILINE)


def test_what_is_false_in_the_paper_is_listed_in_its_order():
    text = supplement(hand_made())
    assert entries(text) == ["S1.early", "S5.late"]
    assert text.index("## Section 1") < text.index("### S1.early") < text.index("## Section 5")
    assert "Of the 4 statements that were checked, 1 were proved, 2 are false as printed" in text
    assert "softmax-trick verify S1.early\n" in text


def test_an_entry():
    text = supplement(hand_made())
    assert entry(text, "S1.early") == (
        r"the_title *Section 1.* **Read as.** ```math \{x\} = 2 ``` **Why it is false.** This is not so: “x = 2”. "
        "Found: `x = 1`. **Correction** (S1.early-r, proved)**.** ```math x = 1 ``` where $`K > 1`$."
    )
    assert entry(text, "S5.late") == (
        "late *Section 5.* **Read as.** $`x = 2`$ if `a_b` **Why it is false.** This is not so: “x = 2”. "
        "Found: `x = 1`. **Correction.** It is $`1`$."
    )


def why(**changes: Any) -> str:
    claim = Claim("S1.a", "a", "a", "section 1", quote="*SoftMax* of 2.*labels and <body of> `f_(x)`")
    return entry(supplement([result(claim, replace(FALSE, **changes))]), "S1.a")


def test_a_quote_keeps_the_papers_marks_and_no_others():
    assert r"> *SoftMax* of 2.\*labels and \<body of> `f_(x)`" in why()


def test_a_counterexample_is_told_by_its_steps():
    steps = (Step("a holds_ at 0", "checked"), Step("so does b", "cited"))
    told = why(steps=steps, reason="both hold")
    assert r"- a holds\_ at 0 - so does b Hence both hold. Found: `x = 1`." in told


def test_an_equation_is_told_by_its_difference():
    told = why(witness={"K": "2", "left - right": "-8/9 = [-0.888 +/- 1e-3]"}, reason="a = b")
    assert told.endswith("At `K = 2` the two sides differ: left − right = `-8/9`.")


def test_a_long_witness_becomes_a_list():
    assert "Found: - cells: `" + "z" * 200 + "` - n: `1`" in why(witness={"cells": "z" * 200, "n": "1"})


def test_an_engine_without_a_witness_tells_nothing():
    claim = Claim("S1.a", "a", "a", "section 1")
    sampled = Evidence("torch", "sampled", "", "fails", 0.0, reason="a difference")
    assert "Found: `x = 1`." in entry(supplement([result(claim, sampled, FALSE)]), "S1.a")


def test_the_same_verdicts_give_the_same_text():
    slower = [replace(one, evidence=tuple(replace(item, seconds=9.0) for item in one.evidence)) for one in hand_made()]
    assert supplement(slower) == supplement(hand_made())


def test_the_page_of_the_works_has_every_claim_and_what_is_false_among_them():
    """A heading with a line that would end a cell of the table, marks in a title."""
    false = Claim("W.a", "a|b", "$a = 1$", "ours", repaired_by="W.b")
    found = [result(false, FALSE), result(Claim("W.b", "right", "$b = 1$", "ours"), TRUE)]
    text = works_page({"name": (Paper("A *work*", "Somebody, 2020", {}), found)})
    assert (
        "## A \\*work\\*\n\nSomebody, 2020\n\n2 claims: 1 proved, 1 refuted. `softmax-trick verify --ledger name`"
        in text
    )
    assert "| W.a | refuted | a&#124;b |\n| W.b | proved | right |" in text
    assert "This is not so: “x = 2”." in entry(text, "W.a")
    assert "**Correction** (W.b, proved)**.**" in entry(text, "W.a")


@pytest.mark.parametrize("name", WORKS)
def test_the_page_of_the_works_is_that_of_their_records(name):
    """Of every claim of every work its recorded verdict, and of each false one an entry."""
    page = (Path(__file__).parents[1] / "docs" / "works.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {WORKS[name].title}\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([A-Z][\w.-]+) \| (\w+) \|", section, re.MULTILINE))
    assert rows == dict(WORKS[name].recorded)
    assert entries(section) == [claim for claim, verdict in rows.items() if verdict == "refuted"]


@pytest.fixture(scope="module")
def real(ledger: Ledger) -> list[Result]:
    return [ledger.result(name) for name in ("T1.1", "T1.1r", "T1.4a", "T1.4d", "T1.4dr", "A1.2-1", "A1.2-1r", "A1c")]


def test_the_theorems(real):
    text = supplement(real)
    assert entries(text) == ["T1.1", "T1.4d", "A1.2-1"]
    assert "the two sides differ: left − right = `-" in entry(text, "T1.1")
    assert "- log(9) > 1 Hence log 9 is in the set and not in (-1, 1)." in entry(text, "T1.4d")
    for name in entries(text):
        assert "**Correction** (" in entry(text, name)
        assert ", proved)**.**" in entry(text, name)


def test_every_claim_of_the_paper_would_make_an_entry():
    """Were every claim refuted, the list would still be Markdown: formulas closed, fences closed, nothing left over."""
    made = [result(claim, FALSE) for claim in CLAIMS.values()]
    text = supplement(made)
    listed = {one.claim.id for one in made if one.verdict is Verdict.REFUTED} & set(entries(text))
    beyond = {name for name, claim in CLAIMS.items() if name.startswith("X.") or claim.source.startswith("beyond")}
    assert listed.isdisjoint(beyond)
    assert len(listed) > len(CLAIMS) / 2
    assert text.count("```") % 2 == 0
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    prose = re.sub(r"\$`[^`\n]+`\$", "", prose)
    prose = re.sub(r"``[^\n]+?``|`[^`\n]+`", "", prose)
    left = [line for line in prose.splitlines() if re.search(r"(?<!\\)[$`]", line)]
    assert left == []


def test_the_versions_close_the_list():
    text = supplement(hand_made())
    closing = text[text.index("## Differences between arXiv version 1") :]
    assert closing.count("- version 1: ") == closing.count("- version of record: ") == len(DIFFERENCES)
    assert "concerns T1.1, T1.2, T1.3, T1.4d" in closing
    assert "concerns T1.1 (refuted)" in supplement([result(CLAIMS["T1.1"], FALSE)])


# --- the errata: one entry a cause ------------------------------------------------------------------------------------


def refuted(*names: str) -> list[Result]:
    """Every claim, of which these are refuted and all others proved."""
    return [result(claim, FALSE if name in names else TRUE) for name, claim in CLAIMS.items()]


def causes(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("- ")]


def test_a_cause_is_listed_if_a_claim_of_it_is_refuted():
    text = errata(refuted("A1.1-3", "T1.2", "S4.1.gdy"))
    first, second, slip = causes(text)
    assert "Theorem A1, property 3" in first
    assert first.endswith("[A1.1-3]")
    assert "`" not in first.split("both of two targets:")[1]  # another claim's witness is not shown for it
    assert "Theorem 1, properties 1 and 2" in second
    assert slip == "- Section 4.1, HardSigmoid, three times: `gdy` *should read* `if`. [S4.1.gdy]"
    assert "They have the 3 causes below" in " ".join(text.split())
    assert causes(errata(refuted())) == []


def test_a_witness_is_in_the_papers_symbols():
    claim = CLAIMS["A1.2-3"]
    found = replace(FALSE, witness={"K": "2", "F": "SoftMax", "t": "(1, 1)", "x": "(0, 0)"})
    [line] = causes(errata([result(claim, found)]))
    assert line.endswith("both of two targets: `F = SoftMax`, `K = 2`, `x = (0, 0)`, `y° = (1, 1)`. [A1.2-3]")


@pytest.mark.parametrize(
    ("ours", "papers"),
    [
        ("sum t = 1, t_k >= 0, t1", "sum y° = 1, y°_k >= 0, y°1"),
        ("(-t / y), t*(y - t)", "(-y° / y), y°*(y - y°)"),
        ("it doesn't, at tanh(t) of t2t and t(1)", "it doesn't, at tanh(y°) of t2t and t(1)"),
    ],
)
def test_our_t_is_the_papers_target(ours, papers):
    assert _papers(ours) == papers


def test_a_false_statement_without_a_cause_is_an_error():
    """Planted: a claim that no entry names."""
    claim = Claim("S4.new", "new", "1 = 2", "section 4", correction="1 = 1")
    with pytest.raises(LookupError, match=r"S4\.new"):
        errata([result(claim, FALSE)])


def test_every_cause_is_of_claims_that_there_are_and_each_claim_has_one():
    named = [name for entry in ENTRIES for name in entry.claims] + [one.claim for one in MISPRINTS]
    assert len(named) == len(set(named))
    assert set(named) <= set(CLAIMS)
    assert {entry.group for entry in ENTRIES} == set(GROUPS)
    assert [entry.group for entry in ENTRIES] == sorted((entry.group for entry in ENTRIES), key=GROUPS.index)
    for entry in ENTRIES:
        assert bool(entry.shown) == entry.should_read.endswith(":"), entry.where  # a witness follows a colon


def test_the_errata_are_short(ledger: Ledger) -> None:
    """Two pages, some twenty words a cause and its quotes."""
    text = (Path(__file__).parents[1] / "docs/errata.md").read_text(encoding="utf-8")
    prose = re.sub(r"\$`[^`]*`\$|`[^`]*`", "x", text)
    assert len(prose.split()) < 1700
    for name, claim in CLAIMS.items():
        if ledger.result(name).verdict is Verdict.PROVED:
            assert not re.search(rf"[\[ ]{re.escape(claim.id)}[\],]", text.replace("(B.mended)", "")), name


@pytest.mark.parametrize(("file", "write"), [("docs/errata.md", errata), ("docs/errata-supplement.md", supplement)])
def test_the_errata_in_the_repository_are_those_of_the_ledger(ledger: Ledger, file: str, write: Any) -> None:
    """They are what `make record` writes now."""
    written = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
    assert written == write([ledger.result(name) for name in CLAIMS])
