"""The catalogue of mutants: false neighbours of what is true, each of which the ledger must refute.

They are made by operators on the claims' own statements (`ledger.mutants`). Written by hand are those of Tables 1 and 2
alone, which are numbers: no operator on a formula takes another cell of a table, or another digit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from softmax_trick.ledger import planted
from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.mutants import Mutant, made_from
from softmax_trick.ledger.planted import Planted
from softmax_trick.ledger.slips import Kind

WRITTEN: list[Mutant] = []


def catalogue() -> list[Mutant]:
    """All mutants: those made from the paper's claims, and those written by hand."""
    from softmax_trick.proofs import CLAIMS

    return [*made_from(CLAIMS.values()), *WRITTEN]


# Claims that between them use all of the symbolic core: an error planted there is noticed by one of them, or of theirs.
OF_THE_CORE = (
    "T1.4a",
    "A1.1-2",
    "A1.2-3r",
    "A1r.targets",
    "X.blurring",
    "A1.2-1.fractions",
    "T1.elementary.log-sum-exp",
)


def noticed(error: Planted) -> str | None:
    """What notices an error planted in the symbolic core: statements, claims of the paper, or their mutants."""
    from softmax_trick.proofs import CLAIMS

    return planted.noticed(error, [CLAIMS[name] for name in OF_THE_CORE])


class Checked(Protocol):
    """A function that states what is true, or, asked to be wrong, what is not, to a check."""

    def __call__(self, f: Findings, wrong: bool) -> None: ...


def findings(kind: Kind, name: str, true: str, false: str, engine: str, scope: str) -> Callable[[Checked], Checked]:
    """Register a function that states facts of the entries of a table."""

    def register(states: Checked) -> Checked:
        of = name.partition(".")[0]

        def claim(id: str, says: str, wrong: bool) -> Claim:
            check = Check(engine, partial(states, wrong=wrong), scope)
            return Claim(id, says, says, f"made from {of}", checks=(check,))

        right = claim(f"{name}.true", true, wrong=False)
        WRITTEN.append(Mutant(kind, of, claim(name, false, wrong=True), right))
        return states

    return register


# --- tables -----------------------------------------------------------------------------------------------------------


def _table_2_is_a_difference(f: Findings, less: Callable[[str, str, str], int]) -> None:
    """Every cell of Table 2 is this difference of cells of Table 1, to one unit in the last place, for rounding."""
    from softmax_trick.proofs import tables

    for cell in tables.comparisons():
        printed, computed = tables.TABLE_2[cell], less(*cell)
        f.holds(f"{cell} within a unit", abs(printed - computed) <= 1, cell=cell, printed=printed, computed=computed)


@findings("sign", "Table2.sign", "Table 2 is ISBE - CE", "Table 2 is CE - ISBE", "integers", "the 30 cells of Table 2")
def sign_of_table_2(f: Findings, wrong: bool) -> None:
    """The other order."""
    from softmax_trick.proofs.tables import TABLE_1

    sign = -1 if wrong else 1
    _table_2_is_a_difference(f, lambda net, ce, isbe: sign * (TABLE_1[net, isbe] - TABLE_1[net, ce]))


@findings(
    "index", "Table2.column", "less its own column", "less the column Mean", "integers", "the 30 cells of Table 2"
)
def column_of_table_2(f: Findings, wrong: bool) -> None:
    """Another column."""
    from softmax_trick.proofs.tables import TABLE_1

    _table_2_is_a_difference(f, lambda net, ce, isbe: TABLE_1[net, isbe] - TABLE_1[net, "mean" if wrong else ce])


@findings("axis", "Table2.row", "within a network", "ISBE from N1r", "integers", "the 30 cells of Table 2")
def row_of_table_2(f: Findings, wrong: bool) -> None:
    """Another row: N1 and N1r differ by little."""
    from softmax_trick.proofs.tables import TABLE_1

    _table_2_is_a_difference(f, lambda net, ce, isbe: TABLE_1["N1r" if wrong else net, isbe] - TABLE_1[net, ce])


@findings("factor", "Table1.cell", "Table 1 as printed", "Table 1 with 60.61 as 60.16", "integers", "30 cells")
def changed_cell(f: Findings, wrong: bool) -> None:
    """Two digits swapped in one cell."""
    from softmax_trick.proofs.tables import TABLE_1

    table = TABLE_1 | ({("N0", "mean"): 6016} if wrong else {})
    _table_2_is_a_difference(f, lambda net, ce, isbe: table[net, isbe] - table[net, ce])
