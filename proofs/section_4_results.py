"""Section 4 (paper): how the paper reads its Tables 1 to 4."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import comb
from pathlib import Path

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.proofs.printed import number
from softmax_trick.proofs.section_4_measures import TEST_IMAGES
from softmax_trick.proofs.tables import (
    ALPHA,
    COMPARED,
    CROSS_ENTROPY,
    ISBE,
    NETWORKS,
    RULE,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TAU,
    comparisons,
    difference,
    differences,
    percent,
)

SIGNIFICANT = Fraction(1, 20)  # the level below which a difference is no matter of chance


# --- section 4.1: what the results are said to be ---------------------------------------------------------------------


def better_by(isbe: str, ce: str, net: str) -> int:
    """By how many images of 10,000 the first option is better than the second."""
    return TABLE_3[net, isbe] - TABLE_3[net, ce]


def _each(networks: Iterable[str], gain: Callable[[str], int]) -> str:
    return ", ".join(f"{net}: {percent(gain(net))}" for net in networks)


def none_is_identical(findings: Findings) -> None:
    """The columns None and SoftMax of Table 3."""
    gains = {net: better_by("SoftMax", "none", net) for net in NETWORKS}
    findings.holds(
        "SoftMax and cross-entropy without reduction have the same success rate",
        not any(gains.values()),
        **{"SoftMax less none": _each(NETWORKS, gains.__getitem__)},
    )


def mean_and_sum_are_better(findings: Findings) -> None:
    """The columns Mean and Sum of Table 3 against the column SoftMax."""
    worse = {
        f"{net}, {ce} less SoftMax": percent(-better_by("SoftMax", ce, net))
        for net in NETWORKS
        for ce in ("mean", "sum")
        if better_by("SoftMax", ce, net) >= 0
    }
    findings.holds("mean and sum have a higher success rate than SoftMax", not worse, **worse)


def hard_is_better(networks: tuple[str, ...]) -> Callable[[Findings], None]:
    """The columns Hsigmoid and Htanh of Table 3 against those of cross-entropy."""

    def check(findings: Findings) -> None:
        worse = {
            f"{net}, {hard} less {ce}": percent(better_by(hard, ce, net))
            for net in networks
            for hard in ("Hsigmoid", "Htanh")
            for ce in CROSS_ENTROPY
            if better_by(hard, ce, net) <= 0
        }
        findings.holds("both hard functions are better than cross-entropy, whatever its reduction", not worse, **worse)

    return check


def at_most_forty_errors(findings: Findings) -> None:
    """Every count of correct images above 99.6 %."""
    above = [correct for correct in range(TEST_IMAGES + 1) if Fraction(100 * correct, TEST_IMAGES) > number("good")]
    errors = [TEST_IMAGES - correct for correct in above]
    findings.holds(f"they have 0 to {max(errors)} errors", max(errors) <= number("errors"), errors=max(errors))


def at_most_a_dozen(findings: Findings) -> None:
    """What the paragraph before calls an improvement: hard functions over cross-entropy, mean and sum over SoftMax."""
    hard = {
        (net, o, ce): better_by(o, ce, net) for net in NETWORKS for o in ("Hsigmoid", "Htanh") for ce in CROSS_ENTROPY
    }
    soft = {(net, ce, "SoftMax"): -better_by("SoftMax", ce, net) for net in NETWORKS for ce in ("mean", "sum")}
    gains = hard | soft
    most = max(gains, key=gains.__getitem__)
    findings.holds(f"the largest is {gains[most]} images", gains[most] <= 12, where=", ".join(most), images=gains[most])


# --- section 4.1.1: time ----------------------------------------------------------------------------------------------


def no_pluses(findings: Findings) -> None:
    """The signs of Table 2 as printed, and of the differences of Table 1."""
    printed = [cell for cell, entry in TABLE_2.items() if entry >= 0]
    computed = [cell for cell in comparisons() if difference(TABLE_1, cell) >= 0]
    findings.holds("every printed entry is negative", not printed, cells=printed)
    findings.holds("every difference of Table 1 is negative", not computed, cells=computed)


def same_conclusion_with_relocation(findings: Findings) -> None:
    """The row of N1r in Table 1."""
    slower = {
        cell: percent(difference(TABLE_1, cell)) for cell in comparisons(("N1r",)) if difference(TABLE_1, cell) >= 0
    }
    findings.holds("every ISBE option of N1r has a smaller share than every cross-entropy", not slower, cells=slower)


def share_depends_on_the_architecture(findings: Findings) -> None:
    """N0 and N1 in every column of Table 1."""
    gaps = {option: TABLE_1["N1", option] - TABLE_1["N0", option] for option in CROSS_ENTROPY + ISBE}
    findings.holds("the share is another in every column", all(gaps.values()), gaps=gaps)
    findings.holds("in every column it is smaller for N1", max(gaps.values()) < 0, gaps=gaps)


def greatest_decrease(findings: Findings) -> None:
    """Table 2: what exceeds 3 %, and the two greatest decreases of each row."""
    over = {isbe for (_, _, isbe), entry in TABLE_2.items() if entry < -100 * number("over")}
    findings.same("decreases over 3 % occur for these", over, {"Sigmoid", "SoftMax"})
    for net in COMPARED:
        for ce in CROSS_ENTROPY:
            by_decrease = sorted(ISBE, key=lambda isbe: TABLE_2[net, ce, isbe])
            findings.same(
                f"the two greatest of {net}, {ce}", set(by_decrease[:2]), {"Sigmoid", "SoftMax"}, row=by_decrease
            )


def smallest_decrease(findings: Findings) -> None:
    """Table 2: the row of N0 and cross-entropy without reduction, of which the paper speaks."""
    row = {isbe: TABLE_2["N0", "none", isbe] for isbe in ISBE}
    two = sorted(ISBE, key=row.__getitem__)[-2:]
    shown = {isbe: percent(entry) for isbe, entry in row.items()}
    findings.holds("the two smallest decreases are those of Tanh and Htanh", set(two) == {"Tanh", "Htanh"}, **shown)


# --- section 4.1.2: accuracy ------------------------------------------------------------------------------------------


def more_pluses(findings: Findings) -> None:
    """Table 4 as printed, and as Table 3 makes it; read: twice as many pluses at least."""
    for name, entries in {
        "as printed": list(TABLE_4.values()),
        "as Table 3 makes it": [difference(TABLE_3, cell) for cell in comparisons()],
    }.items():
        pluses, minuses = sum(entry > 0 for entry in entries), sum(entry < 0 for entry in entries)
        findings.holds(
            f"Table 4 {name}: {pluses} pluses, {minuses} minuses", pluses >= 2 * minuses, pluses=pluses, minuses=minuses
        )


def all_but_softmax_are_better(findings: Findings) -> None:
    """Table 4 without its column SoftMax, as Table 3 makes it."""
    others = [cell for cell in comparisons() if cell[2] != "SoftMax"]
    worse = {", ".join(cell): percent(difference(TABLE_3, cell)) for cell in others if difference(TABLE_3, cell) <= 0}
    findings.holds("every other function is better than cross-entropy", not worse, **worse)


def softmax_is_worse_on_several(findings: Findings) -> None:
    """The column SoftMax, as printed and as Table 3 makes it."""
    column = [cell for cell in comparisons() if cell[2] == "SoftMax"]
    worse = [cell for cell in column if difference(TABLE_3, cell) < 0]
    findings.holds("there are cells in which SoftMax is worse", bool(worse), column=[TABLE_4[cell] for cell in column])
    images = {cell: -difference(TABLE_3, cell) for cell in worse}
    findings.holds(
        "by several images: " + ", ".join(f"{net}, {ce}: {n}" for (net, ce, _), n in images.items()),
        min(images.values()) >= 2,
        images=images,
    )
    findings.same("Table 4 prints them so", [TABLE_4[cell] for cell in worse], [-n for n in images.values()])


def small_differences(findings: Findings) -> None:
    """All of Table 4, as printed and as Table 3 makes it."""
    most = max(abs(entry) for entry in [*TABLE_4.values(), *(difference(TABLE_3, cell) for cell in comparisons())])
    findings.holds(
        f"no entry is larger than {percent(most)}: hundredths or tenths of a percent", most < 100, most=percent(most)
    )


def largest_of_softmax(findings: Findings) -> None:
    """The column SoftMax of Table 4, and where 0.15 % stands in it."""
    column = {f"{net}, {ce}": TABLE_4[net, ce, "SoftMax"] for net in COMPARED for ce in CROSS_ENTROPY}
    elsewhere = [", ".join(cell) for cell, entry in TABLE_4.items() if abs(entry) == number("largest_difference")]
    findings.holds(
        "the largest difference of SoftMax is 0.15 %",
        max(map(abs, column.values())) == number("largest_difference"),
        **{name: percent(entry) for name, entry in column.items()},
        **{"0.15% stands at": elsewhere},
    )


def fifteen_images(findings: Findings) -> None:
    """A share of 10,000 images."""
    findings.same("0.15 % of 10,000 images are 15", Fraction("0.15") * TEST_IMAGES / 100, Fraction(15))
    gains = [cell for cell, entry in TABLE_4.items() if entry == number("largest_difference")]
    for cell in gains:
        findings.same(f"{', '.join(cell)}: 15 more are correct", difference(TABLE_3, cell), 15)


def fisher(errors: int, others: int) -> Fraction:
    """Fisher's exact test, two-sided: how likely is a split of all errors over two models as uneven as this, or more?

    The weight of "a of the m errors are the first model's" is C(n, a) C(n, m - a); what is no likelier counts.
    """
    both, images = errors + others, TEST_IMAGES
    weights = [comb(images, first) * comb(images, both - first) for first in range(both + 1)]
    return Fraction(sum(weight for weight in weights if weight <= weights[errors]), comb(2 * images, both))


def within_error(networks: tuple[str, ...]) -> Callable[[Findings], None]:
    """Every cross-entropy against every ISBE option of these networks."""

    def check(findings: Findings) -> None:
        chances = {}
        for net, ce, isbe in comparisons(networks):
            chances[net, ce, isbe] = fisher(TEST_IMAGES - TABLE_3[net, ce], TEST_IMAGES - TABLE_3[net, isbe])
        least = min(chances, key=chances.__getitem__)
        text = f"Fisher's p is 0.05 or more in all {len(chances)} pairs; the least, {', '.join(least)}"
        findings.holds(text + f", is {float(chances[least]):.3f}", chances[least] >= SIGNIFICANT, pair=", ".join(least))

    return check


def relocation_is_unclear(findings: Findings) -> None:
    """N1r against N1 in every column of Table 3."""
    gains = {option: TABLE_3["N1r", option] - TABLE_3["N1", option] for option in CROSS_ENTROPY + ISBE}
    better, worse = ([o for o, gain in gains.items() if sign * gain > 0] for sign in (1, -1))
    findings.holds(f"better: {', '.join(better)}", bool(better), gains=gains)
    findings.holds(f"worse: {', '.join(worse)}", bool(worse), gains=gains)


def sigmoid_is_best(findings: Findings) -> None:
    """The maximum of Table 3; read: a few are five images at most."""
    first, second = sorted(TABLE_3, key=TABLE_3.__getitem__, reverse=True)[:2]
    findings.same("the best of Table 3", (*first, TABLE_3[first]), ("N1r", "Sigmoid", 100 * number("best")))
    lead = TABLE_3[first] - TABLE_3[second]
    findings.holds(f"it is {lead} images ahead of the next", 0 < lead <= 5, next=second, lead=lead)


ALL_OF_TABLE_3 = "all of Table 3"


BY = {
    "S4.1.none-identical": by(Check("rational arithmetic", none_is_identical, "three rows of Table 3")),
    "S4.1.mean-sum": by(Check("rational arithmetic", mean_and_sum_are_better, "three rows of Table 3")),
    "S4.1.hard": by(Check("rational arithmetic", hard_is_better(NETWORKS), "three rows of Table 3")),
    "S4.1.hard-r": by(Check("rational arithmetic", hard_is_better(COMPARED), "two rows of Table 3")),
    "S4.1.errors": by(Check("rational arithmetic", at_most_forty_errors, "all counts")),
    "S4.1.dozen": by(Check("rational arithmetic", at_most_a_dozen, ALL_OF_TABLE_3)),
    "S4.1.1.pluses": by(Check("rational arithmetic", no_pluses, "all 30 cells, as printed and from Table 1")),
    "S4.1.1.architecture": by(
        Check("rational arithmetic", share_depends_on_the_architecture, "eight columns of Table 1")
    ),
    "S4.1.1.faster": differences(TAU, -math.inf, 0.0),
    "S4.1.1.greatest": by(Check("rational arithmetic", greatest_decrease, "all 30 cells")),
    "S4.1.1.smallest": by(Check("rational arithmetic", smallest_decrease, "one row of Table 2")),
    "S4.1.1.relocated": by(Check("rational arithmetic", same_conclusion_with_relocation, "one row of Table 1")),
    "S4.1.2.pluses": by(Check("rational arithmetic", more_pluses, "all 30 cells")),
    "S4.1.2.soft": by(Check("rational arithmetic", all_but_softmax_are_better, "24 cells")),
    "S4.1.2.softmax-worse": by(Check("rational arithmetic", softmax_is_worse_on_several, "six cells")),
    "S4.1.2.levels": by(Check("rational arithmetic", small_differences, "all 30 cells")),
    "S4.1.2.largest": by(Check("rational arithmetic", largest_of_softmax, "six cells")),
    "S4.1.2.fifteen": by(Check("rational arithmetic", fifteen_images, "the cells of Table 4 that hold 0.15%")),
    "S4.1.2.margin": by(Check("rational arithmetic", within_error(COMPARED), "30 pairs of Table 3")),
    "S4.1.2.relocation": by(Check("rational arithmetic", relocation_is_unclear, "eight columns of Table 3")),
    "S4.1.2.best": by(Check("rational arithmetic", sigmoid_is_best, ALL_OF_TABLE_3)),
    "S4.1.2.same": by(Check("rational arithmetic", within_error(NETWORKS), "45 pairs of Table 3")),
    "S4.1.2.equivalent": {
        **differences(ALPHA, -ALPHA.margin, ALPHA.margin, once=True),
        "statement": r"$\alpha_{ISBE} = \alpha_{CE}$ for each of the five options and the three networks, up to "
        rf"{ALPHA.margin:.2f} percentage points ({ALPHA.why}): the mean difference of runs with the same seed. {RULE}",
    },
    "S4.1.2.not-lower": {
        **differences(ALPHA, -ALPHA.margin, math.inf, once=True),
        "statement": rf"$\alpha_{{ISBE}} > \alpha_{{CE}} - {ALPHA.margin:.2f}\%$ for each of the five options and the "
        f"three networks ({ALPHA.why}): the mean difference of runs with the same seed. {RULE}",
    },
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
