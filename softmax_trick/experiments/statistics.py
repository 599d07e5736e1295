"""Intervals over runs that differ by their seeds, and tests of two models on the same seeds and the same test images.

An interval is Student's, for the mean of independent normal values: accuracies over seeds are close to that, and five
seeds are too few to do without an assumption. McNemar's test assumes nothing of the kind: given two trained models, it
asks whether the images on which just one of them is right fall to both alike.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

CONFIDENCE = 0.95
ROUNDING = 1e-9
"""Relative to the largest; differences of percents are off by 1e-14, which is 1e-12 of a hundredth."""


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; of a single value there is none, nor of equal ones."""

    mean: float
    low: float | None
    high: float | None


def scatter(values: Sequence[float]) -> bool:
    """Whether there are two values at least and they differ by more than rounding: else Student's s is 0 or nearly so.

    Accuracies are counts of images, so that two seeds may well have the same, or the same difference; an interval of
    length 0 would say that the third seed has it, too.
    """
    return len(values) > 1 and max(values) - min(values) > ROUNDING * max(map(abs, values))


def interval(values: Sequence[float]) -> Interval:
    """The mean of n independent normal values, and its 95 % confidence interval: mean +- t s / sqrt(n)."""
    mean = statistics.fmean(values)
    if not scatter(values):
        return Interval(mean, None, None)
    half = _quantile(len(values)) * statistics.stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def prediction_interval(values: Sequence[float], tests: int = 1) -> tuple[float, float]:
    """Where one further value is to be expected, with 95 % confidence: mean +- t s sqrt(1 + 1 / n).

    The values have to scatter. If it is one of several tests, it is wider: that all hold is then to be expected with
    95 % (Bonferroni).
    """
    mean = statistics.fmean(values)
    half = _quantile(len(values), tests) * statistics.stdev(values) * math.sqrt(1 + 1 / len(values))
    return mean - half, mean + half


@cache
def _quantile(values: int, tests: int = 1) -> float:
    from scipy.stats import t

    return float(t.isf((1 - CONFIDENCE) / 2 / tests, values - 1))


def paired_p(differences: Sequence[float]) -> float | None:
    """Student's two-sided p for a mean difference of zero; None if they do not scatter."""
    if not scatter(differences):
        return None
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences, 0).pvalue)


def mcnemar(first_only: int, second_only: int) -> float:
    """McNemar's exact two-sided p, from the numbers of images on which just the one or the other model is right.

    If both models are alike, each such image falls to either with probability 1/2: a binomial test.
    """
    from scipy.stats import binomtest

    both = first_only + second_only
    return float(binomtest(first_only, both, 0.5).pvalue) if both else 1.0


def holm(probabilities: Sequence[float]) -> list[float]:
    """The p of each of m tests, adjusted by Holm: below the level a with probability a at most if nothing is there.

    The smallest is multiplied by m, the next by m - 1, and so on; none is less than one before it, none more than 1.
    """
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    adjusted, largest = [0.0] * len(order), 0.0
    for rank, test in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * probabilities[test]))
        adjusted[test] = largest
    return adjusted


@dataclass(frozen=True)
class Agreement:
    """Two models on the same test images.

    Attributes:
        first_only: images on which the first alone is right.
        second_only: images on which the second alone is right.
        differ: images to which they give different classes, be one of them right or none.
        p: McNemar's exact two-sided p.
    """

    first_only: int
    second_only: int
    differ: int
    p: float


def compare_models(first: Mapping[int, int], second: Mapping[int, int]) -> Agreement:
    """Compare two models by their mistakes: for each image classified wrongly, the class predicted."""
    first_only, second_only = len(second.keys() - first.keys()), len(first.keys() - second.keys())
    wrong_otherwise = sum(first[image] != second[image] for image in first.keys() & second.keys())
    differ = first_only + second_only + wrong_otherwise
    return Agreement(first_only, second_only, differ, mcnemar(first_only, second_only))
