"""Figures of training: how far runs of one method drift apart, and on how many images trained networks differ.

The runs are those of `softmax_trick.training.check` and of results files. Learning curves are drawn by
`softmax_trick.report.charts`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import torch

from softmax_trick.experiments.analysis import Group
from softmax_trick.experiments.definitions import EVERY
from softmax_trick.measurements.statistics import compare_models
from softmax_trick.report.figures.style import Drawing, panels, styled
from softmax_trick.report.palette import BLACK, BLUE, DASHED, DOTTED, GREY, ORANGE, SKY, SOLID, VERMILION
from softmax_trick.training.check import COMPARED, DTYPES, EPSILON

STEP = "step (updates)"
DRIFT = "relative difference (pure number)"
LOOKS: dict[tuple[str, str], dict[str, Any]] = {  # the two may coincide: the broad line is seen under the narrow one
    ("float32", "ce-sum"): {"color": ORANGE, "linestyle": SOLID, "linewidth": 4},
    ("float32", "ce-none"): {"color": VERMILION, "linestyle": DASHED, "linewidth": 1.4},
    ("float64", "ce-sum"): {"color": SKY, "linestyle": SOLID, "linewidth": 5},
    ("float64", "ce-none"): {"color": BLUE, "linestyle": DOTTED, "linewidth": 1.4},
}

Records = Sequence[Mapping[str, Any]]


# --- runs side by side ------------------------------------------------------------------------------------------------


@styled()
def drift(checks: Mapping[str, Records]) -> Drawing:
    """How far the parameters of ce-sum and ce-none are from those of ISBE SoftMax after each step, in both precisions.

    The thin horizontal lines are the unit roundoffs. A difference of 0 is not drawn.

    Args:
        checks: for the name of each network the records of `side_by_side`.
    """
    drawing, row = panels(len(checks), height=3.6)
    for axes, (network, records) in zip(row, checks.items(), strict=True):
        for (dtype, loss), look in LOOKS.items():
            found = [one for one in records if (one["dtype"], one["loss"]) == (dtype, loss)]
            differences = [one["parameters"] for one in found]
            axes.plot([one["step"] for one in found], differences, label=f"{loss}, {dtype}", **look)
        for unit_roundoff in map(unit_roundoff_of, DTYPES):
            axes.axhline(unit_roundoff, color=GREY, linestyle="-", linewidth=0.8)
        axes.set_yscale("log", nonpositive="mask")
        axes.set(title=network, xlabel=STEP, ylim=(1e-17, 1))
    row[0].set_ylabel(DRIFT)
    drawing.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawing


@styled()
def drift_of_the_mean(checks: Mapping[str, Records], batch_size: int) -> Drawing:
    """How far the parameters of ce-mean are from those of ISBE SoftMax after the last step, in float64, by its epsilon.

    The dotted line is the default epsilon of ISBE SoftMax divided by the batch size, the grey one the unit roundoff.

    Args:
        checks: for the name of each network the records of `side_by_side`.
        batch_size: of all the steps.
    """
    drawing, [axes] = panels(1, height=3.4, width=5.6)
    for (network, records), marker in zip(checks.items(), "osD^v", strict=False):
        differences = drift_by_epsilon(records)
        axes.plot(*zip(*differences.items(), strict=True), marker=marker, markersize=4, label=network)
    axes.axvline(EPSILON / batch_size, color=BLACK, linestyle=":", linewidth=1, label=rf"$10^{{-8}} / {batch_size}$")
    axes.axhline(unit_roundoff_of("float64"), color=GREY, linestyle="-", linewidth=0.8)
    axes.set(xlabel=r"$\epsilon$ of Adam for ce-mean (pure number)", ylabel=DRIFT, xscale="log", ylim=(1e-17, 2))
    axes.set_yscale("log", nonpositive="mask")
    axes.legend(loc="center left")
    return drawing


def drift_by_epsilon(records: Records) -> dict[float, float]:
    """For each epsilon of Adam, from the smallest on, the difference of ce-mean after the last step."""
    last = max(one["step"] for one in records)
    of_mean = [one for one in records if one["step"] == last and one["loss"] not in COMPARED]
    return dict(sorted((one["epsilon"], one["parameters"]) for one in of_mean))


def unit_roundoff_of(dtype: str) -> float:
    """2^-24 for float32, 2^-53 for float64."""
    return torch.finfo(DTYPES[dtype]).eps / 2


# --- images to which two networks give different classes --------------------------------------------------------------


def images_that_differ(group: Group, network: str, reference: str = "ce-sum") -> dict[str, tuple[int, ...]]:
    """How many test images get different classes from two runs; a number for each pair of runs of a kind.

    A kind is another loss of the paper and the reference, with the same seed; the last is the reference twice, with two
    seeds. Kinds without a pair are left out. Runs count that have kept their mistakes.
    """
    mistakes = {
        (run.loss, run.seed): dict(run.wrong) for run in group.runs if run.network == network and run.wrong is not None
    }
    seeds = [seed for loss, seed in mistakes if loss == reference]
    pairs = {
        f"{other}, same seed": [((reference, seed), (other, seed)) for seed in seeds]
        for other in EVERY
        if other in group.losses and other != reference
    }
    pairs[f"{reference}, another seed"] = [((reference, a), (reference, b)) for a, b in combinations(seeds, 2)]
    found = {
        kind: tuple(
            compare_models(mistakes[one], mistakes[other]).differ
            for one, other in of_kind
            if {one, other} <= mistakes.keys()
        )
        for kind, of_kind in pairs.items()
    }
    return {kind: counts for kind, counts in found.items() if counts}


@styled()
def disagreement(groups: Mapping[str, Mapping[str, Sequence[int]]]) -> Drawing:
    """A mark for each pair of runs: on how many test images they differ; a stroke at the median of each kind.

    Args:
        groups: for each title the counts of `images_that_differ`.
    """
    drawing, row = panels(len(groups), height=3.4, width=4.2)
    for axes, (title, kinds) in zip(row, groups.items(), strict=True):
        for place, (kind, counts) in enumerate(kinds.items()):
            same_seed = kind.endswith("same seed")
            colour, marker = (BLUE, "o") if same_seed else (VERMILION, "D")
            axes.plot(counts, [place] * len(counts), marker, color=colour, markersize=5, markerfacecolor="none")
            axes.plot([statistics.median(counts)], [place], "|", color=BLACK, markersize=14)
        axes.set_yticks(range(len(kinds)), list(kinds))
        axes.invert_yaxis()
        most = max(1, *(count for counts in kinds.values() for count in counts))
        axes.set(title=title, xlabel="test images that differ (images)", xlim=(-0.05 * most, 1.05 * most))
    return drawing
