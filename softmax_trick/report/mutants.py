"""The mutants on the console: how many of each kind were killed and by what, and which were not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from softmax_trick.ledger.claims import RUNGS
from softmax_trick.ledger.mutants import KINDS, Outcome


def mutants_table(outcomes: Sequence[Outcome]) -> RenderableType:
    """A row a kind: mutants, how many were killed on each rung, survived; rewordings wrongly killed; then the total."""
    rungs = [rung for rung in RUNGS if any(outcome.rung == rung for outcome in outcomes)]
    killed = [f"killed, {rung}" for rung in rungs]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("mutants", no_wrap=True)
    for heading in ("number", *killed, "survived", "wrongly killed", "seconds each"):
        table.add_column(heading, justify="right")
    kinds = [kind for kind in KINDS if any(outcome.mutant.kind == kind for outcome in outcomes)]
    rows = {str(kind): [outcome for outcome in outcomes if outcome.mutant.kind == kind] for kind in kinds}
    for name, row in (rows | {"all": list(outcomes)}).items():
        survived, wrongly = sum(not o.killed for o in row), sum(o.wrongly_killed for o in row)
        table.add_row(
            name,
            str(len(row)),
            *(str(sum(o.rung == rung for o in row)) for rung in rungs),
            Text(str(survived), style="red" if survived else ""),
            Text(str(wrongly), style="red" if wrongly else ""),
            f"{sum(o.seconds for o in row) / max(1, len(row)):.2f}",
            style="bold" if name == "all" else "",
        )
    return Group(table, Text(""), Text(summary(outcomes)))


def summary(outcomes: Sequence[Outcome]) -> str:
    """The counts in a line."""
    killed, wrongly = sum(o.killed for o in outcomes), sum(o.wrongly_killed for o in outcomes)
    is_open = sum(o.is_open for o in outcomes)
    said = f", {is_open} open as their claims are to SymPy for symbolic K" if is_open else ""
    return (
        f"{len(outcomes)} mutants: {killed} killed, {len(outcomes) - killed} survived; "
        f"of their true rewordings {len(outcomes) - wrongly - is_open} proved{said}, {wrongly} wrongly killed"
    )
