"""Intervals over runs that differ by their seeds, the one rule by which a statement is held against them, and tests of
two models on the same test images.

An interval is Student's, for means of independent normal values: accuracies over seeds are close to that, and five
seeds are too few to do without an assumption. The losses of a network are taken to scatter alike, so that their
variances are pooled: seven losses with five seeds have 28 degrees of freedom instead of 4. A difference of two losses
is taken by seed, and what a seed does to all losses alike (the machine's clock, the first weights) is taken out of the
pool.

The rule: a statement allows a quantity a range; "equal" up to a margin m is -m to m, "not worse" is -m to infinity,
"less" is minus infinity to 0. It holds if the 95 % interval lies inside the range, fails if the interval lies outside
it, and is open otherwise. For "equal" that is two one-sided tests (TOST), each at 2.5 %. A statement of several figures
holds if each does: nothing is adjusted for that, as each has to pass alone. It fails if one does, and there the
interval is widened for the number of figures (Bonferroni). So a wide interval never speaks for a statement, and rarely
against it.

McNemar's test assumes nothing of the kind: given two trained models, it asks whether the images on which just one of
them is right fall to both alike.
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


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error, and the degrees of freedom of that; neither where nothing scatters."""

    mean: float
    error: float | None = None
    freedom: int = 0

    def interval(self, tests: int = 1) -> Interval:
        """The 95 % confidence interval, mean +- t error; as one of several tests, that of all of them together."""
        if self.error is None:
            return Interval(self.mean, None, None)
        half = _quantile(self.freedom, tests) * self.error
        return Interval(self.mean, self.mean - half, self.mean + half)

    def lies_in(self, low: float, high: float, tests: int = 1, looks: int = 1) -> bool | None:
        """Whether the quantity is in a range, by the rule above; None if the interval leaves it open.

        Args:
            low: the lower end of the range.
            high: its upper end.
            tests: the number of figures of which the statement consists.
            looks: how often the question may be asked of more and more runs, until one answers it; each time spends
                that part of the 5 %, so that all together are wrong no more often than one (Bonferroni).
        """
        inside, all_together = self.interval(looks), self.interval(tests * looks)
        if inside.low is None or inside.high is None or all_together.low is None or all_together.high is None:
            return None
        if low <= inside.low and inside.high <= high:
            return True
        return False if all_together.high < low or high < all_together.low else None

    def p(self) -> float | None:
        """Student's two-sided p for a mean of zero."""
        if self.error is None:
            return None
        from scipy.stats import t

        return float(2 * t.sf(abs(self.mean) / self.error, self.freedom))


def scatter(values: Sequence[float]) -> bool:
    """Whether there are two values at least and they differ by more than rounding: else Student's s is 0 or nearly so.

    Accuracies are counts of images, so that two seeds may well have the same, or the same difference; an interval of
    length 0 would say that the third seed has it, too.
    """
    return len(values) > 1 and max(values) - min(values) > ROUNDING * max(map(abs, values))


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of n independent normal values, by themselves: error s / sqrt(n), n - 1 degrees of freedom."""
    mean = statistics.fmean(values)
    if not scatter(values):
        return Estimate(mean)
    return Estimate(mean, statistics.stdev(values) / math.sqrt(len(values)), len(values) - 1)


def interval(values: Sequence[float]) -> Interval:
    """The mean of n independent normal values, and its 95 % confidence interval: mean +- t s / sqrt(n)."""
    return estimate(values).interval()


@dataclass(frozen=True)
class Pool:
    """One standard deviation for samples that scatter alike, and its degrees of freedom; None where there is none."""

    deviation: float | None
    freedom: int

    def estimate(self, mean: float, variances: float) -> Estimate:
        """A mean whose variance is so many times that of one value."""
        if self.deviation is None:
            return Estimate(mean)
        return Estimate(mean, self.deviation * math.sqrt(variances), self.freedom)


def pooled(samples: Sequence[Mapping[int, float]], by_seed: bool = False) -> Pool:
    """The scatter within samples, each a value a seed, around the mean of each sample.

    Args:
        samples: of n values each; those that do not scatter say nothing of the others, and do not count.
        by_seed: whether what a seed adds to all samples alike is taken out as well (least squares, two-way): what is
            left is the scatter of a difference by seed, divided by sqrt(2).
    """
    import numpy as np

    counted = [sample for sample in samples if scatter(list(sample.values()))]
    entries = [(place, seed, value) for place, sample in enumerate(counted) for seed, value in sample.items()]
    if not entries:
        return Pool(None, 0)
    seeds = sorted({seed for _, seed, _ in entries})
    design = np.zeros((len(entries), len(counted) + len(seeds) * by_seed))
    for row, (place, seed, _) in enumerate(entries):
        design[row, place] = 1
        if by_seed:
            design[row, len(counted) + seeds.index(seed)] = 1
    values = np.array([value for *_, value in entries])
    solution, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    freedom = len(entries) - int(rank)
    squares = float(((values - design @ solution) ** 2).sum())
    if freedom == 0 or math.sqrt(squares / freedom) <= ROUNDING * float(abs(values).max()):
        return Pool(None, 0)
    return Pool(math.sqrt(squares / freedom), freedom)


@cache
def _quantile(freedom: int, tests: int = 1) -> float:
    from scipy.special import stdtrit  # Student's t; scipy.stats has it too, and takes ten times as long to import

    return -float(stdtrit(freedom, (1 - CONFIDENCE) / 2 / tests))


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
