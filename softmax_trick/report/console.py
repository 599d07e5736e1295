"""The ledger on the console: one claim with the steps of its proof, and how many have each verdict."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from softmax_trick.ledger.claims import Evidence, Step, Verdict
from softmax_trick.ledger.run import Result
from softmax_trick.measurements.figure import Figure
from softmax_trick.report.parts import OUTCOME_MARKS, by_part

COLOURS = {
    Verdict.PROVED: "green",
    Verdict.REFUTED: "red",
    Verdict.MEASURED: "blue",
    Verdict.UNDECIDED: "yellow",
}
MARKS = {"checked": "✓", "cited": "·", "used": "→", "kernel": "◆"}
REASON_COLOURS = {"fails": "red", "crashed": "red"}
LEGEND = "✓ decided exactly   · cited, not checked by machine   → a claim of its own"
LEGEND_OF_KERNEL = "   ◆ checked by the kernel of Coq, or cited for what that has checked"


def counts(results: Sequence[Result]) -> str:
    """How many results there are of each verdict, in words."""
    numbers = {verdict: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    return ", ".join(f"{number} {verdict}" for verdict, number in numbers.items() if number)


def table_of_parts(results: Sequence[Result]) -> RenderableType:
    """A row a part of the paper: how many of its claims have each verdict; then all of them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("part", no_wrap=True)
    for verdict in Verdict:
        table.add_column(verdict, no_wrap=True, justify="right")
    rows = [(group.title, group.results) for group in by_part(results)] + [("all", tuple(results))]
    for title, group in rows:
        numbers = (sum(result.verdict is verdict for result in group) for verdict in Verdict)
        cells = (Text(str(n), style=COLOURS[v]) for v, n in zip(Verdict, numbers, strict=True))
        table.add_row(title, *cells, style="bold" if title == "all" else "")
    return Group(table, Text(""), Text(counts(results)))


def _verdict(result: Result) -> Text:
    text = Text(str(result.verdict), style=COLOURS[result.verdict])
    if result.verdict is Verdict.REFUTED and result.claim.repaired_by:
        text.append(f", see {result.claim.repaired_by}", style="default")
    if result.conditional_on:
        text.append(f", conditional on {', '.join(result.conditional_on)}", style="default")
    if result.stale:
        text.append(f", stale: {' and '.join(result.stale)} changed", style="bold")
    return text


def claim_in_full(result: Result) -> RenderableType:
    """One claim: statement, source, verdict and witness, then each engine's evidence with the steps of the proof."""
    claim = result.claim
    lines: list[RenderableType] = [
        Text.assemble((claim.id, "bold"), "  ", claim.heading),
        Text(f"source      {claim.source}"),
        *([Text(f"quote       “{claim.quote}”")] if claim.quote else []),
        Text(f"statement   {claim.says}"),
        *(Text(f"hypothesis  {hypothesis}") for hypothesis in claim.given),
        Text.assemble("verdict     ", _verdict(result), f" ({result.rung})" if result.rung else ""),
    ]
    if result.judgement.reason:
        lines.append(Text(f"reason      {result.judgement.reason}"))
    if result.witness:
        lines.append(Text("witness     " + ", ".join(f"{name} = {value}" for name, value in result.witness.items())))
    if claim.correction:
        lines.append(Text(f"correction  {claim.correction}"))
    if claim.remark:
        lines.append(Text(f"remark      {claim.remark}"))
    digests = result.digest
    lines.append(
        Text(f"digests     statement {digests.statement}, checker {digests.checker}, libraries {digests.libraries}")
    )
    if result.cached:
        lines.append(Text(f"evidence    of an earlier run, gathered at {result.gathered} (--fresh ignores it)"))
    for item in result.evidence:
        lines += [Text(""), *_evidence(item)]
    checked = any(step.kind == "kernel" for item in result.evidence for step in item.steps)
    lines += [Text(""), Text(LEGEND + LEGEND_OF_KERNEL * checked, style="dim")]
    return Group(*lines)


def _evidence(item: Evidence) -> list[RenderableType]:
    head = Text.assemble((item.engine, "bold"), f"  {item.rung}, {item.scope}: {item.ending}, {item.seconds:.2f} s")
    lines: list[RenderableType] = [head]
    if item.rung != "exact" or item.outcome != "holds":  # an exact run repeats the steps of the general one
        lines += [_step(step) for step in item.steps]
    if item.conditions:
        lines.append(Padding(Text(f"where {'; '.join(item.conditions)}"), (0, 0, 0, 2), expand=False))
    lines += [Padding(Text(_figure(figure)), (0, 0, 0, 2), expand=False) for figure in item.figures]
    if item.reason and item.outcome != "not run":
        colour = REASON_COLOURS.get(item.outcome, "yellow")
        reason = Text(f"{OUTCOME_MARKS[item.outcome]} {item.reason}", style=colour)
        lines.append(Padding(reason, (0, 0, 0, 2), expand=False))
    return lines


def _step(step: Step) -> RenderableType:
    return Padding(Text(f"{MARKS[step.kind]} {step.text}"), (0, 0, 0, 2), expand=False)


def _figure(figure: Figure) -> str:
    ours = f"{figure.name}: {figure.ours:.6g} {figure.unit}"
    if figure.low is not None and figure.high is not None:
        ours += f" (95 % interval {figure.low:.6g} to {figure.high:.6g}, {figure.runs} runs)"
    if figure.paper is not None:
        ours += f"; the paper: {figure.paper:.6g} {figure.unit}"
    return ours if figure.agrees is None else ours + (", which agrees" if figure.agrees else ", which does not agree")


def show(console: Console, content: RenderableType) -> None:
    """Print without the colouring that rich gives to numbers and quotes."""
    console.print(content, highlight=False)
