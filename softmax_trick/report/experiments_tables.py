"""What the runs say, as tables of the console and of the page: the paper's figures above ours, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from softmax_trick.experiments.analysis import OPTIONS, PAPERS_DATA, PRINTED
from softmax_trick.experiments.definitions import EXPERIMENTS
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import LONG_ENOUGH
from softmax_trick.measurements.statistics import CONFIDENCE
from softmax_trick.proofs.tables import ALPHA, TAU, Printed
from softmax_trick.report.few_runs import warning

if TYPE_CHECKING:
    from softmax_trick.experiments.analysis import Analysis, Cell, Difference, Disagreement, Group
    from softmax_trick.report.notebook import Shown

LEVEL = 1 - CONFIDENCE
FEW = 3  # figures of a statement that are written out
LEAST = 1e-99
"""A probability below it is not written out; far below, it is 0 in floating point."""


@dataclass(frozen=True)
class Plain:
    """A table of texts.

    Attributes:
        title: above it.
        headings: of its columns; those of `words` are aligned to the left.
        rows: as many texts each as there are headings.
        note: below it: what the figures are.
        words: how many columns, from the left, hold words and not numbers.
        warning: of figures on which not to rely.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: int = 2
    warning: str = ""


def tables(group: Group) -> list[Plain]:
    """The tables of a group; those without figures are left out."""
    candidates = [
        _cells("Success rates α on the test images, percent (as Table 3)", group, group.accuracies, ALPHA),
        _differences(
            "Success rate less that of cross-entropy, percent (as Table 4)", group, group.accuracy_differences, ALPHA
        ),
        _disagreements(group),
        _cells("Time shares τ of the backward pass, percent (as Table 1)", group, group.shares, TAU),
        _differences(
            "Time share less that of cross-entropy, percent (as Table 2)", group, group.share_differences, TAU
        ),
    ]
    return [table for table in candidates if table.rows]


def statements(analysis: Analysis) -> Plain:
    """The paper's statements about experiments; those for which there are no runs are left out."""
    rows = tuple(
        (one.claim, one.title, one.outcome, _all_in_words(one.figures))
        for one in analysis.statements
        if one.figures or one.outcome.startswith("crashed")
    )
    waiting = sum(not one.figures for one in analysis.statements)
    note = (
        "reproduced: every figure passes the test that the claim names; contradicted: one fails it; open: neither. "
        f"For {waiting} more there are no runs, or too short ones."
    )
    shown = [figure for one in analysis.statements if len(one.figures) <= FEW for figure in one.figures]
    headings = ("claim", "statement", "outcome", "ours")
    return Plain("The paper's statements about experiments", headings, rows, note, 4, warning(shown))


# --- the tables -------------------------------------------------------------------------------------------------------


def _cells(title: str, group: Group, cells: Sequence[Cell], printed: Printed) -> Plain:
    figures = {(cell.network, cell.loss): cell.figure for cell in cells}
    losses = [loss for loss in group.losses if any(cell.loss == loss for cell in cells)]
    rows = [
        row
        for network in group.networks
        for row in _rows((network,), [figures.get((network, loss)) for loss in losses])
    ]
    found = [cell.figure for cell in cells]
    note = _note(found, printed)
    if printed.name == ALPHA.name:
        note += "".join(f" {_level(figure)}" for figure in group.accuracy_levels)
    note += _about_the_paper(group, found, printed)
    return Plain(title, ("network", "", *losses), tuple(rows), note, warning=warning(found))


def _level(figure: Figure) -> str:
    """`alpha of n0: the paper's less ours, mean of 5 options (± ...): +0.07 ± 0.06.`"""
    half = "" if figure.high is None else f" ± {figure.high - figure.ours:.2f}"
    return f"{figure.name}: {figure.ours:+.2f}{half}."


def _differences(title: str, group: Group, differences: Sequence[Difference], printed: Printed) -> Plain:
    found = {(one.network, one.reference, one.loss): one for one in differences}
    losses = [loss for loss in group.losses if any(one.loss == loss for one in differences)]
    rows: list[tuple[str, ...]] = []
    for network, reference in dict.fromkeys((one.network, one.reference) for one in differences):
        of_row = [found.get((network, reference, loss)) for loss in losses]
        rows += _rows((network, reference), [one.figure if one else None for one in of_row], signed=True)
        if any(one and one.adjusted is not None for one in of_row):
            rows.append(("", "", "p, Holm", *(_p(one.adjusted if one else None) for one in of_row)))
    tests = sum(one.p is not None and not one.repeats for one in differences)
    shown = [one.figure for one in differences]
    note = _note(shown, printed)
    if tests:
        note += f" p: Student's test of the differences by seed, adjusted by Holm over {tests} tests."
    if any(one.repeats for one in differences):
        note += " The runs of ce-sum are those of ce-none, and count once."
    note += _about_the_paper(group, shown, printed)
    return Plain(title, ("network", "less", "", *losses), tuple(rows), note, 3, warning(shown))


def _rows(name: tuple[str, ...], figures: Sequence[Figure | None], signed: bool = False) -> Iterator[tuple[str, ...]]:
    """The paper's line, if it has figures, ours, and half the length of our intervals; ✓ or ✗ where both are there."""
    form = "{:+.2f}" if signed else "{:.2f}"

    names = chain([name], repeat(("",) * len(name)))  # on the first line only

    def line(label: str, text: Callable[[Figure], str]) -> tuple[str, ...]:
        return *next(names), label, *("" if figure is None else text(figure) for figure in figures)

    there = [figure for figure in figures if figure]
    if not there:
        return
    if any(figure.paper is not None for figure in there):
        yield line("paper", lambda figure: "" if figure.paper is None else form.format(figure.paper))
    yield line("ours", lambda figure: form.format(figure.ours) + {True: " ✓", False: " ✗", None: ""}[figure.agrees])
    if any(figure.high is not None for figure in there):
        yield line("±", lambda figure: "" if figure.high is None else f"{figure.high - figure.ours:.2f}")


def _note(figures: Sequence[Figure], printed: Printed) -> str:
    if not figures:
        return ""
    runs = sorted({figure.runs for figure in figures})
    seeds = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    note = f"ours: mean over {seeds} seed{'' if seeds == '1' else 's'}"
    if any(figure.high is not None for figure in figures):
        note += "; ±: half of its 95 % confidence interval (Student, one variance for the losses of a network)"
    if any(figure.paper is not None and figure.high is not None for figure in figures):
        inside, outside = (sum(figure.agrees is verdict for figure in figures) for verdict in (True, False))
        note += f"; the paper's figure, a single run, is equal to ours up to {printed.margin:.2f} ({printed.why}) ✓ in "
        note += (
            f"{inside}, is not ✗ in {outside}, and may be either in {len(figures) - inside - outside} of {len(figures)}"
        )
    return note + "."


def _about_the_paper(group: Group, figures: Sequence[Figure], printed: Printed) -> str:
    """Why the paper's figures are not there, all or some; and what they are not to be held against."""
    missing = [figure for figure in figures if figure.paper is None]
    run = group.runs[0]
    if not missing:
        return _too_short(run.epochs) if printed.name == ALPHA.name else ""
    row = "There is no row of the paper's" if len(missing) == len(figures) else "Figures of the paper's are missing"
    if run.dataset != PAPERS_DATA:
        return f" {row}: its tables are of {PAPERS_DATA}, and these runs of {run.dataset}."
    if not run.balanced:
        return f" {row}: it trained on all images of each class, and these runs have classes of unequal size."
    others = [name for name in (*group.networks, *group.losses) if name not in {**PRINTED, **OPTIONS}]
    return f" {row}: its tables have none for {' and '.join(others)}." if others else ""


def _too_short(epochs: int) -> str:
    if epochs >= LONG_ENOUGH:
        return ""
    ours = f"{epochs} epoch{'s' if epochs > 1 else ''}"
    return (
        f" The paper's networks were trained until their curves settle, from about epoch {LONG_ENOUGH} on, and ours "
        f"for {ours}: ✗ says that these runs are shorter, not that its figures are wrong."
    )


def _disagreements(group: Group) -> Plain:
    """A row for each pair of losses, all seeds together."""
    pairs: dict[tuple[str, str, str], list[Disagreement]] = {}
    for one in group.disagreements:
        pairs.setdefault((one.network, one.reference, one.loss), []).append(one)
    rows = [
        (
            *pair,
            _range([one.agreement.first_only for one in found]),
            _range([one.agreement.second_only for one in found]),
            _range([one.agreement.differ for one in found]),
            _p(min(one.agreement.p for one in found)),
            _p(min(one.adjusted for one in found)),
            f"{sum(one.adjusted < LEVEL for one in found)} of {len(found)}",
        )
        for pair, found in pairs.items()
    ]
    headings = ("network", "first", "second", "first only", "second only", "differ", "least p", "Holm", "p < 0.05")
    note = (
        f"On the same {group.runs[0].test_images:,} test images, runs with the same seed: the images on which only the "
        "first or only the second is right, and those that get different classes; the least and the most over the "
        f"seeds. p: McNemar's exact test, adjusted by Holm over {len(group.disagreements)} tests; the last column "
        "counts the seeds for which that is below 0.05."
    )
    return Plain("Do two models differ on the same images?", headings, tuple(rows), note, 3)


def _range(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least}" if least == most else f"{least} to {most}"


def _p(value: float | None) -> str:
    if value is None:
        return ""
    if value < LEAST:
        return f"< {LEAST:.0e}"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def _in_words(figure: Figure) -> str:
    text = f"{figure.name} {figure.ours:.4g}{' %' if figure.unit == '%' else ''}"
    if figure.low is not None and figure.high is not None:
        text += f" ({figure.low:.4g} to {figure.high:.4g})"
    return text


def _all_in_words(figures: Sequence[Figure]) -> str:
    if len(figures) <= FEW:
        return "; ".join(map(_in_words, figures))
    return f"{sum(figure.agrees is True for figure in figures)} of {len(figures)} figures pass the test"


def experiments(seeds: int) -> Plain:
    """The experiments that can be run."""
    rows = tuple(
        (one.name, one.title, one.data, f"{one.epochs}", f"{one.runs_a_seed * seeds}") for one in EXPERIMENTS.values()
    )
    return Plain("", ("experiment", "what it is for", "data", "epochs", "runs"), rows, f"runs: for {seeds} seeds", 3)


# --- in a notebook ----------------------------------------------------------------------------------------------------


def shown(table: Plain) -> Shown:
    """The table as Markdown; its title stands for it where that is not rendered."""
    from softmax_trick.report.notebook import Shown, escaped

    def row(texts: Sequence[str]) -> str:
        return "| " + " | ".join(map(escaped, texts)) + " |"

    aligned = "|" + "|".join(":--" if place < table.words else "--:" for place in range(len(table.headings))) + "|"
    lines = [
        f"**{escaped(table.title)}**",
        "",
        row(table.headings),
        aligned,
        *map(row, table.rows),
        "",
        escaped(" ".join(filter(None, (table.warning, table.note)))),
    ]
    return Shown("\n".join(lines), table.title)


# --- on the console ---------------------------------------------------------------------------------------------------


def in_full(analysis: Analysis) -> RenderableType:
    """All tables, group by group, then the paper's statements."""
    lines: list[RenderableType] = []
    for group in analysis.groups:
        lines += [Text(f"{group.title}: {_count(group)}", style="bold italic"), Text("")]
        for table in tables(group):
            lines += [rendered(table), Text("")]
    if (found := statements(analysis)).rows:
        lines += [rendered(found)]
    return Lines(*lines)


def list_of_experiments(seeds: int) -> RenderableType:
    """The experiments, each with its number of runs."""
    return rendered(experiments(seeds))


def _count(group: Group) -> str:
    return f"{len(group.runs)} run{'s' if len(group.runs) > 1 else ''}"


def rendered(table: Plain) -> RenderableType:
    """The table as the console shows it."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, heading in enumerate(table.headings):
        long = ":" in heading  # a function of one's own: its name is broken before any figure is
        drawn.add_column(
            heading,
            justify="left" if number < table.words else "right",
            no_wrap=table.words < 4 and not long,
            overflow="fold" if long else "ellipsis",
            min_width=max((len(row[number]) for row in table.rows), default=0) if long else None,
        )
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    title = [Text(table.title, style="bold")] if table.title else []
    warned = [Text(table.warning, style="yellow")] if table.warning else []
    return Lines(*title, drawn, *warned, Text(table.note, style="dim"))
