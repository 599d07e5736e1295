"""Tables 1 to 4 (paper, section 4.1), as printed, and what each says of another.

All entries are whole hundredths of a percent: 6061 is 60.61 %. Tables 2 and 4 hold differences of Tables 1 and 3: what
ISBE has less what cross-entropy has. A time share is rounded, so that a difference of two may be printed one unit off.
An accuracy on 10,000 images is a whole number of hundredths of a percent, so that Table 4 has nothing to round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.measurements.comparison import Comparison
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import Results, Run
from softmax_trick.proofs.printed import TABLES

if TYPE_CHECKING:
    import z3

CROSS_ENTROPY = ("mean", "none", "sum")
ISBE = ("Hsigmoid", "Htanh", "Sigmoid", "SoftMax", "Tanh")
NETWORKS = ("N0", "N1", "N1r")
COMPARED = ("N0", "N1")  # the networks of Tables 2 and 4

# What the training runs call them.
LOSSES = {
    "mean": "ce-mean",
    "none": "ce-none",
    "sum": "ce-sum",
    "Hsigmoid": "hardsigmoid",
    "Htanh": "hardtanh",
    "Sigmoid": "sigmoid",
    "SoftMax": "softmax",
    "Tanh": "tanh",
}

Table = dict[tuple[str, str], int]  # by network and option
Differences = dict[tuple[str, str, str], int]  # by network, cross-entropy and ISBE


def _hundredths(printed: str) -> int:
    """60.61 is 6061."""
    value = 100 * Fraction(printed)
    if value.denominator != 1:
        raise ValueError(f"{printed} has more than two decimals")
    return value.numerator


def _table(text: str) -> Table:
    rows = [line.split() for line in text.split("\n") if line.strip()]
    options = CROSS_ENTROPY + ISBE
    return {
        (net, option): _hundredths(entry)
        for net, *entries in rows
        for option, entry in zip(options, entries, strict=True)
    }


def _differences(text: str) -> Differences:
    rows = [line.split() for line in text.split("\n") if line.strip()]
    return {
        (net, ce, isbe): _hundredths(entry)
        for net, ce, *entries in rows
        for isbe, entry in zip(ISBE, entries, strict=True)
    }


TABLE_1 = _table(TABLES["table_1"])
TABLE_2 = _differences(TABLES["table_2"])
TABLE_3 = _table(TABLES["table_3"])
TABLE_4 = _differences(TABLES["table_4"])


def percent(hundredths: int) -> str:
    """-230 is -2.30%."""
    sign, size = "-" if hundredths < 0 else "+" if hundredths else "", abs(hundredths)
    return f"{sign}{size // 100}.{size % 100:02d}%"


def comparisons(networks: Iterable[str] = COMPARED) -> Iterator[tuple[str, str, str]]:
    """Network, cross-entropy, ISBE: the cells of Tables 2 and 4, for these networks."""
    return ((net, ce, isbe) for net in networks for ce in CROSS_ENTROPY for isbe in ISBE)


def difference(table: Table, cell: tuple[str, str, str]) -> int:
    """What ISBE has less what cross-entropy has."""
    net, ce, isbe = cell
    return table[net, isbe] - table[net, ce]


def listed(cells: Iterable[tuple[str, ...]], printed: Differences, table: Table) -> str:
    """Cells with what is printed in them, and what the other table makes of it."""
    return "; ".join(
        f"{net}, {ce}, {isbe}: printed {percent(printed[net, ce, isbe])}, "
        f"computed {percent(difference(table, (net, ce, isbe)))}"
        for net, ce, isbe in cells
    )


# --- Table 2 from Table 1 ---------------------------------------------------------------------------------------------


def table_2(findings: Findings) -> None:
    """Both tables are roundings; no cell is further off than roundings can make it, alone or with the others."""
    _within_a_unit(findings)
    _rounded_together(findings)


def _within_a_unit(findings: Findings) -> None:
    """Three roundings, each by half a unit at most, make a unit and a half, and a gap is a whole number of units."""
    gaps = {cell: TABLE_2[cell] - difference(TABLE_1, cell) for cell in comparisons()}
    findings.same("Table 2 has these 30 cells and no others", set(TABLE_2), set(gaps))
    wrong = [cell for cell in gaps if abs(gaps[cell]) > 1]
    findings.holds("no cell is off by more than one unit", not wrong, cells=listed(wrong, TABLE_2, TABLE_1))
    off = [cell for cell in gaps if gaps[cell]]
    findings.established(f"{len(gaps) - len(off)} cells are exact, {len(off)} off by one unit", *map(", ".join, off))


def _rounded_together(findings: Findings) -> None:
    """There are unrounded shares of which Table 1 is the rounding, and of whose differences Table 2 is."""
    import z3

    for net in COMPARED:
        shares = {option: z3.Real(option) for option in CROSS_ENTROPY + ISBE}
        solver = z3.Solver()
        solver.add(*(_rounds(share, TABLE_1[net, option]) for option, share in shares.items()))
        solver.add(*(_rounds(shares[i] - shares[ce], TABLE_2[net, ce, i]) for ce in CROSS_ENTROPY for i in ISBE))
        text = f"some unrounded shares of {net} round to its rows of both tables"
        findings.holds(text, solver.check() == z3.sat, network=net)


def _rounds(value: z3.ArithRef, printed: int) -> z3.BoolRef:
    """Rounding leaves these hundredths of a percent; a half may go either way."""
    import z3

    return z3.And(2 * value >= 2 * printed - 1, 2 * value <= 2 * printed + 1)


# --- Table 4 from Table 3 ---------------------------------------------------------------------------------------------


def table_4(findings: Findings) -> None:
    """No rounding: each cell is the difference, or it is wrong."""
    findings.same("Table 4 has these 30 cells and no others", set(TABLE_4), set(comparisons()))
    wrong = [cell for cell in comparisons() if TABLE_4[cell] != difference(TABLE_3, cell)]
    findings.holds("every cell is the difference", not wrong, cells=listed(wrong, TABLE_4, TABLE_3))


MISPRINTED = {("N0", "none", "Tanh"): 4, ("N0", "sum", "Hsigmoid"): 3}  # what stands there in the repair


def table_4_repaired(findings: Findings) -> None:
    """Table 4 with two cells replaced."""
    repaired = {**TABLE_4, **MISPRINTED}
    wrong = [cell for cell in comparisons() if repaired[cell] != difference(TABLE_3, cell)]
    findings.holds("every cell is the difference", not wrong, cells=listed(wrong, repaired, TABLE_3))


# --- our own figures beside the paper's -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Printed:
    """A quantity, with the two tables in which the paper prints it, and the margin up to which two values are equal.

    Attributes:
        name: the paper's letter.
        of: its value for a run, in percent.
        runs: takes the runs of one network and loss from the results: all of them, or those that ran one at a time.
        table: of the values.
        differences: of what ISBE has less what cross-entropy has.
        margin: in percentage points.
        why: that margin.
    """

    name: str
    of: Callable[[Run], float]
    runs: Callable[[Results, str, str], list[Run]]
    table: Table
    differences: Differences
    margin: float
    why: str

    def compared(self, results: Results, net: str) -> Comparison:
        """The runs of a network of the tables, by this quantity."""
        runs = [run for option in CROSS_ENTROPY + ISBE for run in self.runs(results, net.lower(), LOSSES[option])]
        return Comparison(runs, self.of, self.name)

    def level(self, compared: Comparison, tests: int = 1) -> Figure | None:
        """By how much the printed values of ISBE lie above ours, on average, for the network of these runs."""
        net = "N" + compared.network[1:] if compared.network else ""  # n1r is N1r in the tables
        printed = {LOSSES[option]: self.table[net, option] / 100 for option in ISBE if (net, option) in self.table}
        return compared.level(printed, self.margin, tests)


ALPHA = Printed(
    "alpha",
    lambda run: run.accuracy,
    Results.of,
    TABLE_3,
    TABLE_4,
    0.15,
    "the largest difference that Table 4 prints, 15 images of 10,000, and section 4.1.2 calls within statistical error",
)
TAU = Printed(
    "tau",
    lambda run: run.tau or 0.0,
    Results.timed,  # those of our machine: the paper names none
    TABLE_1,
    TABLE_2,
    0.50,
    "the smallest decrease that Table 2 prints: what differs by less is no saving to it",
)


def measured(printed: Printed, levels: bool = False) -> dict[str, Any]:
    """The measure of a claim: our means, cell by cell, beside a table; and the level of each network, if asked for."""
    needed = len(printed.table) + len(NETWORKS) * levels

    def measure(results: Results) -> tuple[Figure, ...]:
        figures: list[Figure | None] = []
        for net in NETWORKS:
            ours = printed.compared(results, net)
            for option in CROSS_ENTROPY + ISBE:
                figures.append(ours.cell(LOSSES[option], printed.table[net, option] / 100, printed.margin, needed))
            if levels:
                figures.append(printed.level(ours, needed))
        return tuple(figure for figure in figures if figure)

    return {"measure": measure, "figures": needed}


def differences(printed: Printed, least: float, most: float, once: bool = False) -> dict[str, Any]:
    """The measure of a claim: every ISBE option less every cross-entropy of its network, by seed, from least to most.

    Where equal runs count once, none and sum do: they take the same steps.
    """
    needed = len(NETWORKS) * (len(CROSS_ENTROPY) - once) * len(ISBE)

    def measure(results: Results) -> tuple[Figure, ...]:
        figures: list[Figure | None] = []
        for net, ce, isbe in comparisons(NETWORKS):
            ours = printed.compared(results, net)
            if not (once and ours.repeats(LOSSES[ce])):
                figures.append(ours.difference(LOSSES[ce], LOSSES[isbe], (least, most), tests=needed))
        return tuple(figure for figure in figures if figure)

    return {"measure": measure, "figures": needed}


RULE = (
    "(It holds if every 95 % interval lies within the margin, fails if one, widened for their number, lies outside; "
    "the losses of a network share one variance.)"
)

CLAIMS = (
    Claim(
        id="Tab1",
        title="Table 1: the time shares τ, beside ours",
        statement=r"The share $\tau$ of backpropagation, for three networks, three reductions of cross-entropy and "
        rf"five normalizers, is as Table 1 prints it, up to {TAU.margin:.2f} percentage points ({TAU.why}). {RULE}",
        source="section 4.1.1, Table 1",
        **measured(TAU),
        remark="Shares are those of a machine and its software; the paper names neither, and ours are of two CPU "
        "cores. What the paper concludes from the table is S4.1.1.faster.",
    ),
    Claim(
        id="Tab2",
        title="Table 2 holds the differences of Table 1, up to one unit of rounding",
        statement=r"$\Delta\tau = \tau_{ISBE} - \tau_{CE}$ in all 30 cells of Table 2, with $\tau$ from Table 1. Both "
        r"tables are rounded, so that a cell may be off by one unit of the last digit: there are unrounded shares of "
        r"which Table 1 is the rounding, and of whose differences Table 2 is.",
        source="section 4.1.1, Table 2",
        checks=(Check("rational arithmetic and z3", table_2, "all 30 cells"),),
    ),
    Claim(
        id="Tab3",
        title="Table 3: the success rates α on MNIST, beside ours",
        statement=r"The success rate $\alpha$, for three networks, three reductions of cross-entropy and five "
        rf"normalizers, is as Table 3 prints it, and so is for each network the mean of its five ISBE options, up to "
        rf"{ALPHA.margin:.2f} percentage points ({ALPHA.why}). {RULE}",
        source="section 4.1.2, Table 3",
        **measured(ALPHA, levels=True),
    ),
    Claim(
        id="Tab4",
        title="Table 4 holds the differences of Table 3",
        statement=r"$\alpha_{ISBE} - \alpha_{CE}$ in all 30 cells of Table 4, with $\alpha$ from Table 3. "
        r"An accuracy on 10,000 images is a whole number of hundredths of a percent: nothing is rounded.",
        source="section 4.1.2, Table 4",
        checks=(Check("rational arithmetic", table_4, "all 30 cells"),),
        repaired_by="Tab4r",
    ),
    Claim(
        id="Tab4r",
        title="Table 4 with two cells of N0 corrected: +0.04% and +0.03%",
        statement=r"$\alpha_{ISBE} - \alpha_{CE}$ in all 30 cells of Table 4, with $\alpha$ from Table 3, once Tanh "
        r"against none is $0.04\%$ and Hsigmoid against sum is $0.03\%$ for $\mathcal{N}_0$.",
        source="repair of section 4.1.2, Table 4",
        checks=(Check("rational arithmetic", table_4_repaired, "all 30 cells"),),
    ),
)
