"""The mutants on the console: how many of each kind were killed and by what, and which were not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from softmax_trick.ledger.mutants import Outcome, is_proved, originals
from softmax_trick.ledger.slips import KINDS

ENDS = {
    "killed, exact": lambda outcome: outcome.caught == "exact",
    "killed, general": lambda outcome: outcome.caught == "general",
    "a condition missed": lambda outcome: outcome.caught == "condition",
    "as true": lambda outcome: outcome.changes_nothing,
    "survived": lambda outcome: outcome.survived,
}


def mutants_table(outcomes: Sequence[Outcome]) -> RenderableType:
    """A row a kind: mutants, and how many came to which end; then the total."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("mutants", no_wrap=True)
    for heading in ("number", *ENDS, "seconds each"):
        table.add_column(heading, justify="right")
    kinds = [kind for kind in KINDS if any(outcome.mutant.kind == kind for outcome in outcomes)]
    rows = {str(kind): [outcome for outcome in outcomes if outcome.mutant.kind == kind] for kind in kinds}
    for name, row in (rows | {"all": list(outcomes)}).items():
        counts = {end: sum(map(is_there, row)) for end, is_there in ENDS.items()}
        table.add_row(
            name,
            str(len(row)),
            *(Text(str(n), style="red" if n and end == "survived" else "") for end, n in counts.items()),
            f"{sum(outcome.false.seconds for outcome in row) / max(1, len(row)):.2f}",
            style="bold" if name == "all" else "",
        )
    return Group(table, Text(""), Text(summary(outcomes)))


def summary(outcomes: Sequence[Outcome]) -> str:
    """The counts in a line."""
    counts = {end: sum(map(is_there, outcomes)) for end, is_there in ENDS.items()}
    killed = counts["killed, exact"] + counts["killed, general"]
    true = originals(outcomes)
    return (
        f"{len(outcomes)} mutants: {killed} killed, {counts['a condition missed']} proved only under a condition that "
        f"they do not say, {counts['as true']} proved to be as true as their claims, {counts['survived']} survived; "
        f"of their {len(true)} originals {sum(map(is_proved, true))} proved"
    )
