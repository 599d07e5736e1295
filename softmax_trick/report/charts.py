"""The paper's figures of learning, drawn anew from our runs, as SVG.

A line is the mean over the seeds, the band around it the 95 % confidence interval of that mean. Fewer than three seeds
have no band: a single one has no interval, and that of two, thirteen standard errors long, would cover the panel.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from softmax_trick.experiments.analysis import Group
from softmax_trick.experiments.definitions import EVERY, ISBE
from softmax_trick.measurements.results import Run
from softmax_trick.measurements.statistics import interval
from softmax_trick.proofs.section_4_curves import NOT_SHOWN, PANELS, PANELS_OF_FIGURE_4
from softmax_trick.report.palette import (
    BLACK,
    BLUE,
    BROWN,
    DARK,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GREEN,
    LONG,
    OLIVE,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SOLID,
    VERMILION,
    Dashes,
)
from softmax_trick.system.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, WIDTH = 2, 4.15  # at most so many panels in a row, of so many inches: 800 pixels

STYLES: dict[str, tuple[str, Dashes]] = {
    "ce-mean": (BLACK, SOLID),
    "ce-none": (DARK, DASHED),
    "ce-sum": (PALE, DOTTED),
    "softmax": (BLUE, SOLID),
    "sigmoid": (ORANGE, DASHED),
    "tanh": (GREEN, DASH_DOTTED),
    "hardsigmoid": (PURPLE, DOTTED),
    "hardtanh": (VERMILION, LONG),
}
OTHERS = ((SKY, DASH_DOTTED), (OLIVE, DASH_DOTTED), (BROWN, DASH_DOTTED))  # of losses that are not in the paper
LOSS = "loss (CE, nats; ISBE, ‖Y − Y°‖²/n)"
TRAINING_ACCURACY, TEST_ACCURACY = "accuracy in training, %", "test accuracy α, %"
STAGES = ((40, 80), (80, 120))  # epochs, Figures 7 and 8
SEEDS_OF_A_BAND = 3
PATH = re.compile(r' d="[^"]*"')
DIGITS_LEFT_OUT = re.compile(r"(\.\d\d)\d+")
MODELS_OF_FIGURE_1 = ("ce-mean", "softmax", "sigmoid")


@dataclass(frozen=True)
class Chart:
    """A figure: what it shows, and its drawing."""

    caption: str
    figure: Figure

    @cached_property
    def svg(self) -> str:
        """The drawing as SVG, its words as text."""
        from matplotlib import rc_context

        text = io.BytesIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "softmax-trick"}):
            self.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        # A hundredth of a point is enough, and a third less to keep.
        return PATH.sub(lambda path: DIGITS_LEFT_OUT.sub(r"\1", path[0]), text.getvalue().decode())

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_png_(self) -> bytes:
        from softmax_trick.report.figures.style import small_png

        return small_png(self.figure, dpi=72)

    def __repr__(self) -> str:
        return self.caption


@dataclass(frozen=True)
class Line:
    """One line of a panel: its runs, one a seed, the curve of them that it shows, and how it is drawn and called.

    Without runs it is the horizontal line of its reference alone.
    """

    label: str
    runs: Sequence[Run]
    curve: str
    colour: str
    dashes: Dashes
    reference: float | None = None  # a horizontal line in the same colour

    @property
    def curves(self) -> list[tuple[float, ...]]:
        """A value after each epoch, for each run."""
        return [getattr(run, self.curve) for run in self.runs]


@dataclass(frozen=True)
class Panel:
    """One pair of axes: title, name of the vertical axis, lines; and the epochs shown, all if not given."""

    title: str
    axis: str
    lines: Sequence[Line]
    epochs: tuple[int, int] | None = None


def charts(group: Group) -> list[Chart]:
    """The figures for which a group has curves.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    require("matplotlib", "plot", "a chart")
    return [Chart(caption, _draw(panels, columns)) for caption, panels, columns in figures(group)]


# --- what the figures show --------------------------------------------------------------------------------------------


def figures(group: Group) -> list[tuple[str, list[Panel], int]]:
    """Captions, panels and the panels in a row, of the figures for which there are curves."""
    found = ((caption, [panel for panel in panels if panel.lines], columns) for caption, panels, columns in _all(group))
    return [one for one in found if one[1]]


def _all(group: Group) -> Iterator[tuple[str, list[Panel], int]]:
    for network in group.networks:
        if group.dataset == "cifar10":
            yield from _figures_of_cifar(group, network)
            continue
        yield f"As Figure 1, {network}: learning curves on training and validation data.", _figure_1(group, network), 3
        losses = [_set_of_panel(group, network, panel, "train_loss", LOSS, NOT_SHOWN) for panel in PANELS]
        yield f"As Figure 2, {network}: loss in training.", _distinct(losses), 3
        accuracies = [_set_of_panel(group, network, panel, "test_accuracy", TEST_ACCURACY) for panel in PANELS]
        yield f"As Figure 3, {network}: accuracy on the test data.", _distinct(accuracies), 3
    if {"n0", "n1"} <= set(group.networks):
        yield "As Figure 4: accuracy on the test data, N0 (dotted) and N1.", _figure_4(group), 3


def _figure_1(group: Group, network: str) -> list[Panel]:
    """For each model its losses, below them its accuracies, with the final accuracy on the test data."""
    models = [loss for loss in MODELS_OF_FIGURE_1 if group.of(network, loss)] or list(group.losses[:3])
    panels = []
    for axis, curves in (
        (LOSS, (("training", "train_loss"), ("validation", "validation_loss"))),
        ("accuracy, %", (("training", "train_accuracy"), ("validation", "validation_accuracy"))),
    ):
        for loss in models:
            runs = group.of(network, loss)
            lines = [
                Line(label, runs, curve, *STYLES[style])
                for (label, curve), style in zip(curves, ("softmax", "sigmoid"), strict=True)
            ]
            if axis != LOSS and runs:
                final = interval([run.accuracy for run in runs]).mean
                lines.append(Line("test, at the end", [], "test_accuracy", BLACK, DOTTED, final))
            panels.append(Panel(loss, axis, _with_curves(lines)))
    return panels


def _figure_4(group: Group) -> list[Panel]:
    panels = []
    for panel in PANELS_OF_FIGURE_4:
        lines = []
        for network, dashes in (("n0", DOTTED), ("n1", SOLID)):
            for loss in _named(panel):
                colour = STYLES[loss][0]
                lines.append(Line(f"{network} {loss}", group.of(network, loss), "test_accuracy", colour, dashes))
        panels.append(Panel(panel, TEST_ACCURACY, _with_curves(lines)))
    return panels


def _figures_of_cifar(group: Group, network: str) -> Iterator[tuple[str, list[Panel], int]]:
    every = [
        _panel(group, network, "training", LOSS, "train_loss"),
        _panel(group, network, "test", LOSS, "test_loss"),
        _panel(group, network, "training", TRAINING_ACCURACY, "train_accuracy"),
        _panel(group, network, "test", TEST_ACCURACY, "test_accuracy"),
    ]
    yield f"As Figure 6, {network}: loss and accuracy.", every, 2
    losses, accuracies = [], []
    for first, last in STAGES:
        for title, loss, accuracy in (
            ("training", "train_loss", "train_accuracy"),
            ("test", "test_loss", "test_accuracy"),
        ):
            name = f"{title}, epochs {first} to {last}"
            losses.append(_panel(group, network, name, LOSS, loss, ISBE, (first, last)))
            axis = TEST_ACCURACY if title == "test" else TRAINING_ACCURACY
            accuracies.append(_panel(group, network, name, axis, accuracy, EVERY, (first, last), best=True))
    yield f"As Figure 7, {network}: loss of the ISBE options.", losses, 2
    yield (
        f"As Figure 8, {network}: accuracy; a horizontal line is the best epoch of any seed of its option.",
        accuracies,
        2,
    )


def _set_of_panel(
    group: Group, network: str, panel: str, curve: str, axis: str, left_out: set[str] | None = None
) -> Panel:
    """One of the paper's sets of curves; the one of all options holds those that are not in the paper, too."""
    named = _named(panel)
    wanted = group.losses if named == EVERY else named
    return _panel(group, network, panel, axis, curve, [loss for loss in wanted if loss not in (left_out or ())])


def _panel(
    group: Group,
    network: str,
    title: str,
    axis: str,
    curve: str,
    losses: Sequence[str] = EVERY,
    epochs: tuple[int, int] | None = None,
    best: bool = False,
) -> Panel:
    new = [loss for loss in group.losses if loss not in STYLES]
    lines = []
    for loss in losses:
        style = STYLES.get(loss) or OTHERS[new.index(loss) % len(OTHERS)]
        runs = group.of(network, loss)
        most = max((value for run in runs for value in getattr(run, curve)), default=None) if best else None
        lines.append(Line(loss, runs, curve, *style, most))
    shown = [line for line in _with_curves(lines) if epochs is None or len(line.curves[0]) > epochs[0]]
    return Panel(title, axis, shown, epochs)


def _named(panel: str) -> tuple[str, ...]:
    """The losses that a caption of the paper names."""
    if panel.startswith("all options"):
        return EVERY
    return tuple(name.casefold().replace(" ", "-") for name in re.split(r", | versus ", panel))


def _with_curves(lines: Sequence[Line]) -> list[Line]:
    """Those that have something to draw; none, if that is only a horizontal line."""
    drawn = [line for line in lines if line.runs and all(line.curves)]
    return [line for line in lines if line in drawn or (not line.runs and line.reference)] if drawn else []


def _distinct(panels: Sequence[Panel]) -> list[Panel]:
    """Without panels that show, for want of runs, the same lines as one before, or a single one."""
    seen: list[list[str]] = []
    kept: list[Panel] = []
    for panel in panels:
        labels = [line.label for line in panel.lines]
        if labels not in seen and (len(labels) > 1 or not kept):
            seen.append(labels)
            kept.append(panel)
    return kept


# --- how they are drawn -----------------------------------------------------------------------------------------------


def _draw(panels: Sequence[Panel], columns: int) -> Figure:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    columns = min(columns, len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    with rc_context({"font.size": 9}):
        figure = Figure(figsize=(WIDTH * columns, 3.2 * rows), layout="constrained")
        for place, panel in enumerate(panels, start=1):
            _fill(figure.add_subplot(rows, columns, place), panel)
    return figure


def _fill(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator

    seen = view(panel)
    for trace in seen.traces:
        look = {"color": trace.line.colour, "linestyle": trace.line.dashes}
        axes.plot(trace.epochs, trace.means, label=trace.label, linewidth=1.3, **look)  # type: ignore[arg-type]
        if trace.band:
            axes.fill_between(trace.epochs, *trace.band, color=trace.line.colour, alpha=0.18, linewidth=0)
    for line in panel.lines:
        if line.reference is not None:
            label = None if line.runs else line.label
            axes.axhline(line.reference, color=line.colour, linestyle=line.dashes, linewidth=0.7, label=label)
    if seen.limits:
        axes.set_ylim(*seen.limits)
    axes.set_title(panel.title, fontsize=9)
    axes.set_xlabel("epoch")
    axes.set_ylabel(panel.axis)
    axes.ticklabel_format(useOffset=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)


# --- what of them is seen ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trace:
    """A line as it is seen: its name, and for each epoch the mean over the seeds, with the ends of its interval."""

    line: Line
    label: str
    epochs: range
    means: list[float]
    band: tuple[list[float], list[float]] | None


@dataclass(frozen=True)
class View:
    """The traces of a panel, and the limits of its vertical axis; None: all is to be seen."""

    traces: tuple[Trace, ...]
    limits: tuple[float, float] | None


def view(panel: Panel) -> View:
    """What a panel shows.

    What has not learnt would leave the others one line: it is named, and may be below the panel.
    """
    first, last = panel.epochs or (1, None)
    points = {line.label: _points(line, first, last) for line in panel.lines if line.runs}
    best = max((max(means) for _, means, _, _ in points.values()), default=0.0)
    traces, shown = [], [line.reference for line in panel.lines if line.reference is not None]
    for line in panel.lines:
        if not line.runs:
            continue
        epochs, means, lows, highs = points[line.label]
        learnt = panel.axis == LOSS or 2 * max(means) >= best
        label = line.label if learnt else f"{line.label} (ends at {means[-1]:.1f} %)"
        band = (lows, highs) if len(line.runs) >= SEEDS_OF_A_BAND else None
        traces.append(Trace(line, label, epochs, means, band))
        shown += means[len(means) // 4 :] if learnt else []
    if panel.axis == LOSS or not shown or max(shown) == min(shown):
        return View(tuple(traces), None)
    margin = 0.1 * (max(shown) - min(shown))
    return View(tuple(traces), (min(shown) - margin, min(100.0, max(shown) + margin)))


def _points(line: Line, first: int, last: int | None) -> tuple[range, list[float], list[float], list[float]]:
    """Epochs, and for each the mean over the seeds with its interval."""
    by_epoch = list(zip(*line.curves, strict=True))[first - 1 : last]
    intervals = [interval(values) for values in by_epoch]
    means = [one.mean for one in intervals]
    lows = [one.mean if one.low is None else one.low for one in intervals]
    highs = [one.mean if one.high is None else one.high for one in intervals]
    return range(first, first + len(means)), means, lows, highs
