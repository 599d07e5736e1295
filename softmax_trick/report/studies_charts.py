"""The figures of a study: curves with their bands, or means with their intervals; and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from softmax_trick.experiments.study import Curve, Study
from softmax_trick.measurements.findings import Arms, by_group
from softmax_trick.measurements.statistics import interval
from softmax_trick.measurements.trials import Trial
from softmax_trick.report.charts import SEEDS_OF_A_BAND, Chart
from softmax_trick.report.palette import (
    BLACK,
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GREEN,
    GREY,
    LONG,
    ORANGE,
    PURPLE,
    SKY,
    SOLID,
    VERMILION,
)
from softmax_trick.system.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = (
    *((BLACK, SOLID), (BLUE, DASHED), (VERMILION, LONG), (GREEN, DASH_DOTTED)),
    *((PURPLE, DOTTED), (ORANGE, DASHED), (SKY, SOLID), (GREY, DOTTED)),
)
COLUMNS = 3


def study_charts(study: Study, trials: Sequence[Trial]) -> list[Chart]:
    """Its figures.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    require("matplotlib", "plot", "a chart")
    found = [_panels(study, trials)]
    if pictures := [trial for trial in trials if trial.pictures]:
        found.append(_pictures(pictures[0]))
    return found


def _panels(study: Study, trials: Sequence[Trial]) -> Chart:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    groups = by_group(trials)
    columns = min(COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    with rc_context({"font.size": 9}):
        figure = Figure(figsize=(4.2 * columns, 3.4 * rows), layout="constrained")
        for place, (name, of) in enumerate(groups.items(), start=1):
            axes = figure.add_subplot(rows, columns, place)
            axes.set_title(name, fontsize=9)
            if study.curve:
                _curves(axes, study.curve, of)
            else:
                _means(axes, next(iter(study.quantities)), of)
    what = study.curve.label if study.curve else next(iter(study.quantities))
    return Chart(f"{study.title}: {what}.", figure)


def _curves(axes: Axes, curve: Curve, trials: Sequence[Trial]) -> None:
    """The mean over the seeds against the number of the value; against another quantity one line a seed."""
    arms = dict.fromkeys(arm for trial in trials for arm, of in trial.curves.items() if of.get(curve.quantity))
    for arm, (colour, dashes) in zip(arms, STYLES, strict=False):
        lines = [trial.curves[arm] for trial in trials if trial.curves.get(arm, {}).get(curve.quantity)]
        look = {"color": colour, "linestyle": dashes, "linewidth": 1.2}
        if curve.by:
            for number, line in enumerate(lines):
                label = arm if number == 0 else None
                axes.plot(line[curve.by], line[curve.quantity], label=label, **look)  # type: ignore[arg-type]
            continue
        by_place = [interval(values) for values in zip(*(line[curve.quantity] for line in lines), strict=False)]
        places, means = range(1, len(by_place) + 1), [one.mean for one in by_place]
        axes.plot(places, means, label=arm, marker=".", markersize=3, **look)  # type: ignore[arg-type]
        if len(lines) >= SEEDS_OF_A_BAND:
            lows = [one.mean if one.low is None else one.low for one in by_place]
            highs = [one.mean if one.high is None else one.high for one in by_place]
            axes.fill_between(places, lows, highs, color=colour, alpha=0.18, linewidth=0)
        axes.set_xticks(places)
    if curve.logarithmic:
        axes.set_yscale("log")
    axes.set_xlabel(curve.against)
    axes.set_ylabel(curve.label)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=6.5, frameon=False)


def _means(axes: Axes, quantity: str, trials: Sequence[Trial]) -> None:
    """A point for each arm, with its interval."""
    arms = Arms(trials, quantity)
    for place, arm in enumerate(arms.samples):
        shown = arms.mean(arm).interval()
        half = 0.0 if shown.high is None else shown.high - shown.mean
        axes.errorbar([shown.mean], [place], xerr=[half], fmt="o", color=BLUE, markersize=4, capsize=3, linewidth=1.2)
    axes.set_yticks(range(len(arms.samples)), list(arms.samples))
    axes.invert_yaxis()
    axes.margins(y=0.15)
    axes.set_xlabel(quantity)
    axes.grid(alpha=0.25, linewidth=0.5)


def _pictures(trial: Trial) -> Chart:
    """The pictures of one trial, those whose names begin alike in a row."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows: dict[str, list[str]] = {}
    for name in trial.pictures:
        rows.setdefault(name.partition(", ")[0] if ", " in name else "", []).append(name)
    columns = max(map(len, rows.values()))
    with rc_context({"font.size": 7}):
        figure = Figure(figsize=(2.1 * columns, 2.3 * len(rows)), layout="constrained")
        for row, names in enumerate(rows.values()):
            for column, name in enumerate(names):
                axes = figure.add_subplot(len(rows), columns, row * columns + column + 1)
                axes.imshow(trial.pictures[name].array, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
                axes.set_title(name, fontsize=7)
                axes.set_axis_off()
    return Chart(f"Pictures of {trial.group}, seed {trial.seed}.", figure)
