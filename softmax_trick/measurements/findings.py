"""What trials say of a statement, group by group, looking at three, five and eight seeds.

The rule is that of `softmax_trick.measurements.statistics`: one variance for all arms of a group; differences by seed;
"holds" if the interval lies inside the range allowed, "fails" if it lies outside. The first look that decides is the
last, and the verdict says which it was. Each look spends a third of the 5 % (Bonferroni), however the looks depend on
each other. Seeds beyond the last look are in the means, and decide nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from softmax_trick.measurements.statistics import Estimate, pooled
from softmax_trick.measurements.trials import Trial

LOOKS = (3, 5, 8)
"""The numbers of seeds at which a statement is looked at."""

Outcome = Literal["holds", "fails", "open", "not run"]


@dataclass(frozen=True)
class Statement:
    """A statement about arms: the quantity of one, or what it has more than another, lies in a range.

    Attributes:
        title: what it says.
        theorem: what it is a test of: a theorem, a formula, or a sentence of the work.
        quantity: of which.
        arm: whose.
        low: the least that the statement allows.
        high: the most.
        reference: the arm whose quantity is subtracted, seed by seed; None if the arm's own is meant.
        groups: those that it is about; None for all that have these arms.
    """

    title: str
    theorem: str
    quantity: str
    arm: str
    low: float = -math.inf
    high: float = math.inf
    reference: str | None = None
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Finding:
    """What the trials of a group say of a statement.

    Attributes:
        statement: the statement.
        group: the group.
        outcome: "open" where the interval decides nothing; "not run" where there are fewer than three seeds.
        seeds: how many had been looked at when it was decided, or at the last look.
        estimate: of these seeds.
    """

    statement: Statement
    group: str
    outcome: Outcome
    seeds: int
    estimate: Estimate


class Arms:
    """The values of a quantity in one group: for each arm one a seed.

    Args:
        trials: of one group.
        quantity: its name.
        seeds: those that count; None for all.
    """

    def __init__(self, trials: Iterable[Trial], quantity: str, seeds: Iterable[int] | None = None) -> None:
        wanted = None if seeds is None else set(seeds)
        self.samples: dict[str, dict[int, float]] = {}
        for trial in trials:
            for arm, values in trial.values.items():
                if quantity in values and (wanted is None or trial.seed in wanted):
                    self.samples.setdefault(arm, {})[trial.seed] = values[quantity]

    def mean(self, arm: str) -> Estimate:
        """The mean over the seeds, by the scatter of all arms."""
        values = list(self.samples[arm].values())
        return pooled(list(self.samples.values())).estimate(statistics.fmean(values), 1 / len(values))

    def difference(self, reference: str, arm: str) -> Estimate | None:
        """What the arm has more than the reference, by the seeds that both have; None if there is none."""
        theirs, ours = self.samples.get(reference, {}), self.samples.get(arm, {})
        values = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
        if not values:
            return None
        by_seed = pooled(list(self.samples.values()), by_seed=True)
        return by_seed.estimate(statistics.fmean(values), 2 / len(values))


def by_group(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """The trials of each group, in the order in which the groups come."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.group, []).append(trial)
    return found


def findings(statements: Iterable[Statement], trials: Sequence[Trial]) -> list[Finding]:
    """Every statement for every group that it is about; it fails only where the interval of all its groups does."""
    groups = by_group(trials)
    found = []
    for statement in statements:
        about = [name for name, of in groups.items() if _is_about(statement, name, of)]
        found += [_finding(statement, name, groups[name], len(about)) for name in about]
    return found


def undecided(statements: Iterable[Statement], trials: Sequence[Trial]) -> bool:
    """Whether more seeds might decide something."""
    return any(finding.outcome in ("open", "not run") for finding in findings(statements, trials))


def _is_about(statement: Statement, group: str, trials: Sequence[Trial]) -> bool:
    if statement.groups is not None:
        return group in statement.groups
    arms = {arm for trial in trials for arm, values in trial.values.items() if statement.quantity in values}
    return {statement.arm, statement.reference or statement.arm} <= arms


def _finding(statement: Statement, group: str, trials: Sequence[Trial], tests: int) -> Finding:
    seeds = sorted(trial.seed for trial in trials)
    finding = Finding(statement, group, "not run", 0, Estimate(math.nan))
    for look in LOOKS:
        if len(seeds) < look:
            break
        found = _estimate(statement, Arms(trials, statement.quantity, seeds[:look]), look)
        if found is None:  # an arm lacks the quantity for one of the seeds: what diverged has no accuracy
            return Finding(statement, group, "open", look, Estimate(math.nan))
        inside = found.lies_in(statement.low, statement.high, tests, len(LOOKS))
        outcome: Outcome = "open" if inside is None else "holds" if inside else "fails"
        finding = Finding(statement, group, outcome, look, found)
        if inside is not None:
            break
    return finding


def _estimate(statement: Statement, arms: Arms, seeds: int) -> Estimate | None:
    needed = [statement.arm, *([statement.reference] if statement.reference else [])]
    if any(len(arms.samples.get(arm, {})) < seeds for arm in needed):
        return None
    if statement.reference:
        return arms.difference(statement.reference, statement.arm)
    return arms.mean(statement.arm)
