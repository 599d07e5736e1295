"""Many claims on the console: a summary, a table of any width, or a line a claim where nobody looks at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.paper import MainFinding
from softmax_trick.ledger.run import Result
from softmax_trick.report.console import COLOURS, counts
from softmax_trick.report.parts import by_part, not_run
from softmax_trick.system.files import printable

NARROW = 64  # characters; below it a statement stands under what is said of it, not beside
GAP = "  "

HINT = (
    "softmax-trick verify ID shows one claim with its proof or counterexample; --all lists all of them, "
    '--refuted, --section A or a pattern such as "A1.*" some'
)


def summary(results: Sequence[Result], findings: Sequence[MainFinding], console: Console) -> Text:
    """The titles of what is refuted, the main findings in words, and how many claims have each verdict."""
    refuted = [result for result in results if result.verdict is Verdict.REFUTED]
    blocks = []
    if refuted:
        table = _table((), [_Row(result, (), _heading(result)) for result in refuted], console)
        blocks.append(Text.assemble(("Refuted", "bold"), "\n", table))
    if found := confirmed(findings, results):
        items = Text("\n").join(_item(number, one, console) for number, one in enumerate(found, start=1))
        blocks.append(Text.assemble(("What is false in the paper", "bold"), "\n", items))
    blocks.append(Text("\n").join([*_totals(results), *_wrapped(Text(HINT), console.width)]))
    return Text("\n\n").join(blocks)


def confirmed(findings: Sequence[MainFinding], results: Sequence[Result]) -> list[MainFinding]:
    """The findings whose claims are all refuted by these results."""
    refuted = {result.claim.id for result in results if result.verdict is Verdict.REFUTED}
    return [one for one in findings if refuted.issuperset(one.claims)]


def table_of_claims(results: Sequence[Result], console: Console) -> Text:
    """By the parts of the paper: ID, verdict, rung, statement, and why it is undecided; then the counts."""
    rows = [_Row(result, (_word(result), Text(result.rung or "-")), _with_reason(result)) for result in results]
    table = [_table(("verdict", "rung"), rows, console)] if rows else []
    return Text("\n\n").join([*table, Text("\n").join(_totals(results))])


def list_of_claims(results: Sequence[Result], console: Console) -> Text:
    """By the parts of the paper: ID, the verdict of earlier runs, if there was one, statement and source."""
    rows = [
        _Row(
            result,
            (_word(result) if known(result) else Text("-"),),
            _heading(result).append(f" ({_line(result.claim.source)}{_stale(result)})", style="dim"),
        )
        for result in results
    ]
    return _table(("known",), rows, console) if rows else Text("\n").join(_totals(results))


def line_of(result: Result) -> str:
    """ID, verdict, rung, statement, and why it is undecided, with tabs between them."""
    reason = [_line(result.judgement.reason)] if result.judgement.reason else []
    return "\t".join([result.claim.id, str(result.verdict), result.rung or "-", _line(result.claim.heading), *reason])


def line_of_list(result: Result) -> str:
    """ID, the verdict of earlier runs and what has changed since, statement, source, and of a work its title."""
    verdict = f"{result.verdict}{_stale(result)}" if known(result) else "-"
    work = [_line(result.claim.part)] if result.claim.part else []
    return "\t".join([result.claim.id, verdict, _line(result.claim.heading), _line(result.claim.source), *work])


def known(result: Result) -> bool:
    """Whether an earlier run found evidence."""
    return bool(result.evidence) and result.cached


def totals(results: Sequence[Result]) -> list[str]:
    """How many claims there are of each verdict; how many the kernel has checked, and how many were known."""
    lines = [f"{len(results)} claims: {counts(results)}" if results else "no such claim"]
    if waiting := sum(map(not_run, results)):
        lines.append(f"{waiting} of them speak of experiments that were not run, or not often enough")
    if engines := {item.engine for result in results for item in result.evidence if item.rung == "kernel"}:
        number = sum(result.rung == "kernel" for result in results)
        lines.append(f"{number} of them checked by the kernel of Coq too ({', '.join(sorted(engines))})")
    if cached := sum(result.cached for result in results):
        lines.append(f"{cached} by evidence of earlier runs, whose digests are the same (--fresh ignores it)")
    return lines


def _totals(results: Sequence[Result]) -> list[Text]:
    return [Text(line) for line in totals(results)]


# --- a table ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """A claim, a few words on it, and its statement."""

    result: Result
    cells: tuple[Text, ...]
    text: Text


def _table(headings: Sequence[str], rows: Sequence[_Row], console: Console) -> Text:
    """The rows by the parts of the paper, in lines that fit the console.

    An ID that is longer than a quarter of a line stands above its row, so that it costs the statements nothing.
    """
    by_id = {row.result.claim.id: row for row in rows}
    widths = [max(len(heading), *(row.cells[n].cell_len for row in rows)) for n, heading in enumerate(headings)]
    column = max((len(name) for name in by_id if len(name) <= console.width // 4), default=0)
    lines: list[Text] = []
    if headings and console.width >= NARROW:
        head = Text("statement")
        column = max(column, len("claim"))
        lines += _beside("claim", [Text(one) for one in headings], head, widths, column, console)
        lines[0].stylize("bold")
    for group in by_part([row.result for row in rows]):
        lines += _wrapped(Text(group.title, style="bold italic"), console.width)
        for result in group.results:
            row = by_id[result.claim.id]
            if console.width < NARROW:
                lines += _below(row, console)
            else:
                lines += _beside(result.claim.id, row.cells, row.text, widths, column, console)
    return Text("\n").join(lines)


def _beside(
    name: str, cells: Sequence[Text], text: Text, widths: Sequence[int], column: int, console: Console
) -> Iterator[Text]:
    """ID, cells and statement in columns; the statement goes on in its own."""
    start = column + sum(len(GAP) + width for width in widths) + len(GAP)
    first = Text(name)
    if len(name) > column:
        yield first
        first = Text()
    first.pad_right(column - first.cell_len)
    for cell, width in zip(cells, widths, strict=True):
        first.append(GAP).append_text(cell).pad_right(width - cell.cell_len)
    for number, line in enumerate(_wrapped(text, console.width - start)):
        yield (first.append(GAP) if number == 0 else Text(" " * start)).append_text(line)


def _below(row: _Row, console: Console) -> Iterator[Text]:
    """ID and cells in a line, the statement under it."""
    said = Text(" ").join(cell for cell in row.cells if cell.plain != "-")
    yield from _wrapped(Text.assemble(row.result.claim.id, GAP, said), console.width)
    for line in _wrapped(row.text, console.width - len(GAP)):
        yield Text(GAP).append_text(line)


def _item(number: int, finding: MainFinding, console: Console) -> Text:
    text = Text(f"{finding.sentence} [{', '.join(finding.claims)}]")
    lines = _wrapped(text, console.width - 3)
    return Text("\n").join(Text(f"{number}. " if n == 0 else "   ").append_text(line) for n, line in enumerate(lines))


def _wrapped(text: Text, width: int) -> list[Text]:
    """The text in lines of at most so many characters, of 8 at least."""
    lines = list(text.wrap(Console(), max(8, width)))
    for line in lines:
        line.rstrip()
    return lines


def _word(result: Result) -> Text:
    return Text(str(result.verdict), style=COLOURS[result.verdict])


def _heading(result: Result) -> Text:
    return Text(_line(result.claim.heading))


def _with_reason(result: Result) -> Text:
    reason = result.judgement.reason.removeprefix("experiment: ")
    return _heading(result).append(f" ({_line(reason)})" if reason else "", style="dim")


def _stale(result: Result) -> str:
    return f", stale: {' and '.join(result.stale)} changed" if result.stale else ""


def _line(text: str) -> str:
    """The text in one line, with nothing in it that a terminal would obey."""
    return printable(" ".join(text.split()))
