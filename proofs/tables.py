"""Tables 1 to 4 (paper, section 4.1), as printed, and what each says of another.

All entries are whole hundredths of a percent: 6061 is 60.61 %. Tables 2 and 4 hold differences of Tables 1 and 3: what
ISBE has less what cross-entropy has. A time share is rounded, so that a difference of two may be printed one unit off.
An accuracy on 10,000 images is a whole number of hundredths of a percent, so that Table 4 has nothing to round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from softmax_trick.claims import Check, Claim, Figure
from softmax_trick.facts import Facts
from softmax_trick.results import Results, beside

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
Comparison = dict[tuple[str, str, str], int]  # by network, cross-entropy and ISBE


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


def _comparison(text: str) -> Comparison:
    rows = [line.split() for line in text.split("\n") if line.strip()]
    return {
        (net, ce, isbe): _hundredths(entry)
        for net, ce, *entries in rows
        for isbe, entry in zip(ISBE, entries, strict=True)
    }


# The share tau of backpropagation in the time of inference and backpropagation, percent.
#         Mean  None  Sum   Hsigm Htanh Sigmo SoftM Tanh
TABLE_1 = _table("""
    N0    60.61 59.56 59.98 58.31 58.21 57.38 57.45 59.07
    N1    54.89 53.92 53.98 52.68 52.33 51.75 51.95 52.11
    N1r   54.45 53.92 54.00 52.78 52.30 51.67 51.73 52.11
""")

# tau_ISBE - tau_CE, percent.
#         CE   Hsigm Htanh Sigmo SoftM Tanh
TABLE_2 = _comparison("""
    N0    mean -2.30 -2.40 -3.23 -3.16 -1.54
    N0    none -1.25 -1.35 -2.18 -2.11 -0.50
    N0    sum  -1.67 -1.77 -2.60 -2.53 -0.92
    N1    mean -2.21 -2.56 -3.14 -2.94 -2.79
    N1    none -1.24 -1.59 -2.17 -1.97 -1.82
    N1    sum  -1.30 -1.65 -2.23 -2.03 -1.87
""")

# The success rate alpha on 10,000 test images, percent.
#         Mean  None  Sum   Hsigm Htanh Sigmo SoftM Tanh
TABLE_3 = _table("""
    N0    99.45 99.41 99.47 99.50 99.50 99.56 99.41 99.45
    N1    99.61 99.58 99.59 99.64 99.66 99.64 99.62 99.63
    N1r   99.55 99.64 99.64 99.61 99.66 99.69 99.63 99.57
""")

# alpha_ISBE - alpha_CE, percent.
#         CE   Hsig Htan Sigm SoftM Tanh
TABLE_4 = _comparison("""
    N0    mean 0.05 0.05 0.11 -0.04 0.00
    N0    none 0.09 0.09 0.15  0.00 0.00
    N0    sum  0.13 0.03 0.09 -0.06 -0.02
    N1    mean 0.03 0.05 0.03  0.01 0.02
    N1    none 0.06 0.08 0.06  0.04 0.05
    N1    sum  0.05 0.07 0.05  0.03 0.04
""")


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


def listed(cells: Iterable[tuple[str, ...]], printed: Comparison, table: Table) -> str:
    """Cells with what is printed in them, and what the other table makes of it."""
    return "; ".join(
        f"{net}, {ce}, {isbe}: printed {percent(printed[net, ce, isbe])}, "
        f"computed {percent(difference(table, (net, ce, isbe)))}"
        for net, ce, isbe in cells
    )


# --- Table 2 from Table 1 ---------------------------------------------------------------------------------------------


def table_2(facts: Facts) -> None:
    """Both tables are roundings; no cell is further off than roundings can make it, alone or with the others."""
    _within_a_unit(facts)
    _rounded_together(facts)


def _within_a_unit(facts: Facts) -> None:
    """Three roundings, each by half a unit at most, make a unit and a half, and a gap is a whole number of units."""
    gaps = {cell: TABLE_2[cell] - difference(TABLE_1, cell) for cell in comparisons()}
    facts.same("Table 2 has these 30 cells and no others", set(TABLE_2), set(gaps))
    wrong = [cell for cell in gaps if abs(gaps[cell]) > 1]
    facts.holds("no cell is off by more than one unit", not wrong, cells=listed(wrong, TABLE_2, TABLE_1))
    off = [cell for cell in gaps if gaps[cell]]
    facts.established(f"{len(gaps) - len(off)} cells are exact, {len(off)} off by one unit", *map(", ".join, off))


def _rounded_together(facts: Facts) -> None:
    """There are unrounded shares of which Table 1 is the rounding, and of whose differences Table 2 is."""
    import z3

    for net in COMPARED:
        shares = {option: z3.Real(option) for option in CROSS_ENTROPY + ISBE}
        solver = z3.Solver()
        solver.add(*(_rounds(share, TABLE_1[net, option]) for option, share in shares.items()))
        solver.add(*(_rounds(shares[i] - shares[ce], TABLE_2[net, ce, i]) for ce in CROSS_ENTROPY for i in ISBE))
        text = f"some unrounded shares of {net} round to its rows of both tables"
        facts.holds(text, solver.check() == z3.sat, network=net)


def _rounds(value: z3.ArithRef, printed: int) -> z3.BoolRef:
    """Rounding leaves these hundredths of a percent; a half may go either way."""
    import z3

    return z3.And(2 * value >= 2 * printed - 1, 2 * value <= 2 * printed + 1)


# --- Table 4 from Table 3 ---------------------------------------------------------------------------------------------


def table_4(facts: Facts) -> None:
    """No rounding: each cell is the difference, or it is wrong."""
    facts.same("Table 4 has these 30 cells and no others", set(TABLE_4), set(comparisons()))
    wrong = [cell for cell in comparisons() if TABLE_4[cell] != difference(TABLE_3, cell)]
    facts.holds("every cell is the difference", not wrong, cells=listed(wrong, TABLE_4, TABLE_3))


MISPRINTED = {("N0", "none", "Tanh"): 4, ("N0", "sum", "Hsigmoid"): 3}  # what stands there in the repair


def table_4_repaired(facts: Facts) -> None:
    """Table 4 with two cells replaced."""
    repaired = {**TABLE_4, **MISPRINTED}
    wrong = [cell for cell in comparisons() if repaired[cell] != difference(TABLE_3, cell)]
    facts.holds("every cell is the difference", not wrong, cells=listed(wrong, repaired, TABLE_3))


# --- our own figures beside the paper's -------------------------------------------------------------------------------


def measured_shares(results: Results) -> tuple[Figure, ...]:
    """Our time shares, cell by cell. They are those of our machine, one run at a time: the paper names none."""
    figures = []
    for (net, option), printed in TABLE_1.items():
        shares = [run.tau for run in results.timed(net.lower(), LOSSES[option]) if run.tau is not None]
        if shares:
            figures.append(beside(f"tau of {net}, {option}", printed / 100, shares, tests=len(TABLE_1)))
    return tuple(figures)


def measured_accuracies(results: Results) -> tuple[Figure, ...]:
    """Our accuracies, cell by cell."""
    figures = []
    for (net, option), printed in TABLE_3.items():
        accuracies = [run.accuracy for run in results.of(net.lower(), LOSSES[option])]
        if accuracies:
            figures.append(beside(f"alpha of {net}, {option}", printed / 100, accuracies, tests=len(TABLE_3)))
    return tuple(figures)


CLAIMS = (
    Claim(
        id="Tab1",
        title="Table 1: the time shares τ, beside ours",
        statement=r"The share $\tau$ of backpropagation, for three networks, three reductions of cross-entropy and "
        r"five normalizers, is as Table 1 prints it: each printed figure lies in the prediction interval of our runs "
        r"(95 % for all of them together).",
        source="section 4.1.1, Table 1",
        measure=measured_shares,
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
        r"normalizers, is as Table 3 prints it: each printed figure lies in the prediction interval of our runs "
        r"(95 % for all of them together).",
        source="section 4.1.2, Table 3",
        measure=measured_accuracies,
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
