"""The losses of one network, trained alike, by a quantity in percent: beside what the paper prints, and by pairs.

The ledger and the report take their figures from here, and so by one rule (`softmax_trick.measurements.statistics`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import Run
from softmax_trick.measurements.statistics import Estimate, Pool, pooled

SAME_STEPS = {"ce-sum": "ce-none"}
"""Losses that take the steps of another one (S4.1.only-none-r): where the results are the same, so is the run."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """The runs of one network under one protocol.

    Attributes:
        runs: the runs.
        quantity: of a run, in percent.
        name: of the quantity.
    """

    runs: Sequence[Run]
    quantity: Callable[[Run], float]
    name: str

    @cached_property
    def network(self) -> str:
        """That of the runs."""
        return self.runs[0].network if self.runs else ""

    def by_seed(self, loss: str) -> dict[int, float]:
        """The values of a loss, by the seeds of its runs."""
        return {run.seed: self.quantity(run) for run in self.runs if run.loss == loss}

    @cached_property
    def losses(self) -> tuple[str, ...]:
        """All losses."""
        return tuple(dict.fromkeys(run.loss for run in self.runs))

    def repeats(self, loss: str) -> bool:
        """Whether the runs of this loss are those of another one: they took the same steps to the same values."""
        other = self.by_seed(SAME_STEPS[loss]) if loss in SAME_STEPS else {}
        return bool(other) and other == self.by_seed(loss)

    @cached_property
    def distinct(self) -> tuple[str, ...]:
        """The losses, each run once."""
        return tuple(loss for loss in self.losses if not self.repeats(loss))

    @cached_property
    def _pool(self) -> Pool:
        return pooled([self.by_seed(loss) for loss in self.distinct])

    @cached_property
    def _pool_by_seed(self) -> Pool:
        return pooled([self.by_seed(loss) for loss in self.distinct], by_seed=True)

    def cell(self, loss: str, paper: float | None = None, margin: float = 0.0, tests: int = 1) -> Figure | None:
        """Our mean for a loss; it agrees with the paper's single run if they are equal up to the margin.

        The paper's run scatters as ours do: its distance to our mean of n has the variance 1 + 1/n.
        """
        values = list(self.by_seed(loss).values())
        if not values:
            return None
        mean, n = statistics.fmean(values), len(values)
        agrees = None
        if paper is not None:
            agrees = self._pool.estimate(paper - mean, 1 + 1 / n).lies_in(-margin, margin, tests)
        ours = self._pool.estimate(mean, 1 / n)
        return _figure(f"{self.name} of {self.network}, {loss}", ours, n, agrees, paper)

    def estimate(self, reference: str, loss: str) -> tuple[Estimate, int]:
        """What a loss has less what the reference has, by seed, and how many seeds there are."""
        theirs, ours = self.by_seed(reference), self.by_seed(loss)
        values = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
        if not values:
            return Estimate(math.nan), 0
        return self._pool_by_seed.estimate(statistics.fmean(values), 2 / len(values)), len(values)

    def difference(
        self,
        reference: str,
        loss: str,
        allowed: Range | None = None,
        paper: float | None = None,
        margin: float = 0.0,
        tests: int = 1,
    ) -> Figure | None:
        """What a loss has less what the reference has, by seed; None if they have no seed in common.

        Args:
            reference: what is subtracted.
            loss: the other.
            allowed: the range in which it has to be; or else the paper's difference has to equal it.
            paper: the paper's difference, of two single runs.
            margin: up to which the two are equal.
            tests: the number of figures of which the statement consists.
        """
        found, n = self.estimate(reference, loss)
        if not n:
            return None
        agrees = None
        if allowed:
            agrees = found.lies_in(*allowed, tests)
        elif paper is not None:
            agrees = self._pool_by_seed.estimate(paper - found.mean, 2 + 2 / n).lies_in(-margin, margin, tests)
        name = f"{self.name} of {loss} less {self.name} of {reference}, {self.network}"
        return _figure(name, found, n, agrees, paper)

    def level(self, printed: dict[str, float], margin: float, tests: int = 1) -> Figure | None:
        """By how much the paper's figures for these losses lie above ours, on average.

        The k printed figures scatter as k of our runs: a variance of 1/k in addition to that of our mean.
        """
        values = {loss: list(self.by_seed(loss).values()) for loss in printed}
        if not values or not all(values.values()):
            return None
        k = len(values)
        gap = statistics.fmean(printed[loss] - statistics.fmean(values[loss]) for loss in values)
        ours = sum(1 / len(one) for one in values.values()) / k**2
        found = self._pool.estimate(gap, 1 / k + ours)
        half = self._pool.estimate(gap, ours).interval()
        alone = "" if half.high is None else f" (± {half.high - gap:.2f} by the scatter of ours alone)"
        name = f"{self.name} of {self.network}: the paper's less ours, mean of {k} options{alone}"
        return _figure(name, found, min(map(len, values.values())), found.lies_in(-margin, margin, tests))

    def pairs(self, references: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
        """The pairs of a reference and another loss that have runs, each run once."""
        return [
            (reference, loss)
            for reference in references
            for loss in others
            if {reference, loss} <= set(self.distinct) and self.estimate(reference, loss)[1]
        ]


def _figure(name: str, found: Estimate, runs: int, agrees: bool | None, paper: float | None = None) -> Figure:
    shown = found.interval()
    return Figure(name, found.mean, "%", paper, shown.low, shown.high, runs, agrees)
