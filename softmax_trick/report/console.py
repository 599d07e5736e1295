"""The ledger on the console: a table of claims, and one claim with the steps of its proof."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from softmax_trick.claims import Claim, Evidence, Step, Verdict
from softmax_trick.ledger import Result

COLOURS = {
    Verdict.PROVED: "green",
    Verdict.REFUTED: "red",
    Verdict.MEASURED: "blue",
    Verdict.UNDECIDED: "yellow",
}
MARKS = {"checked": "✓", "cited": "·", "used": "→"}


def ledger_table(results: Sequence[Result]) -> RenderableType:
    """A row a claim: ID, statement, verdict, rung, seconds; then the count of each verdict."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("claim", "statement", "verdict", "rung"):
        table.add_column(heading, no_wrap=heading != "statement")
    table.add_column("seconds", justify="right")
    for result in results:
        table.add_row(
            result.claim.id,
            Text(result.claim.title),
            _verdict(result),
            result.rung or "-",
            f"{result.seconds:.2f}",
        )
    counts = [f"{sum(r.verdict is v for r in results)} {v}" for v in Verdict if any(r.verdict is v for r in results)]
    return Group(table, Text(""), Text(", ".join(counts)))


def _verdict(result: Result) -> Text:
    text = Text(str(result.verdict), style=COLOURS[result.verdict])
    if result.verdict is Verdict.REFUTED and result.claim.repaired_by:
        text.append(f", see {result.claim.repaired_by}", style="default")
    return text


def claim_in_full(result: Result) -> RenderableType:
    """One claim: statement, source, verdict and witness, then each engine's evidence with the steps of the proof."""
    claim = result.claim
    lines: list[RenderableType] = [
        Text.assemble((claim.id, "bold"), "  ", claim.title),
        Text(f"source      {claim.source}"),
        Text(f"statement   {claim.statement}"),
        *(Text(f"hypothesis  {hypothesis}") for hypothesis in claim.hypotheses),
        Text.assemble("verdict     ", _verdict(result), f" ({result.rung})" if result.rung else ""),
    ]
    if result.judgement.reason:
        lines.append(Text(f"reason      {result.judgement.reason}"))
    if result.witness:
        lines.append(Text("witness     " + ", ".join(f"{name} = {value}" for name, value in result.witness.items())))
    for item in result.evidence:
        lines += [Text(""), *_evidence(item)]
    lines += [Text(""), Text("✓ decided exactly   · cited, not checked by machine   → a claim of its own", style="dim")]
    return Group(*lines)


def _evidence(item: Evidence) -> list[RenderableType]:
    head = Text.assemble((item.engine, "bold"), f"  {item.rung}, {item.scope}: {item.outcome}, {item.seconds:.2f} s")
    lines: list[RenderableType] = [head]
    if item.rung != "exact" or item.outcome != "holds":  # an exact run repeats the steps of the general one
        lines += [_step(step) for step in item.steps]
    if item.reason:
        lines.append(Padding(Text(f"✗ {item.reason}", style="red"), (0, 0, 0, 2), expand=False))
    return lines


def _step(step: Step) -> RenderableType:
    return Padding(Text(f"{MARKS[step.kind]} {step.text}"), (0, 0, 0, 2), expand=False)


def list_of_claims(claims: Sequence[Claim]) -> RenderableType:
    """A row a claim, without verdicts: ID, statement, source."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("claim", no_wrap=True)
    table.add_column("statement")
    table.add_column("source")
    for claim in claims:
        table.add_row(claim.id, Text(claim.title), Text(claim.source))
    return table


def show(console: Console, content: RenderableType) -> None:
    """Print without the colouring that rich gives to numbers and quotes."""
    console.print(content, highlight=False)
