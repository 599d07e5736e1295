"""Section 4 (paper): what is said of the learning curves and of CIFAR-10.

What the curves look like is a statement about experiments: our own runs are held against it. Two options are compared
run by run, by their seeds, and by the rule of `softmax_trick.measurements.statistics`: the paper's statement passes if
the 95 % interval of the mean difference lies on its side of zero (where it says "the same": within the margin), fails
if it lies on the other, and is open if it does neither.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.ledger.steps import Open
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import Results, Run, beside
from softmax_trick.proofs.operations import fewer_by_function
from softmax_trick.proofs.printed import number
from softmax_trick.proofs.section_4_curves import CLUSTERS, NORMALIZED, NOT_SHOWN
from softmax_trick.proofs.tables import CROSS_ENTROPY, LOSSES

CROSS_ENTROPIES = tuple(LOSSES[option] for option in CROSS_ENTROPY)
EVERY = CROSS_ENTROPIES + NORMALIZED
OF_CIFAR = ("ce-mean", *NORMALIZED)
OF_FIGURE_1 = ("ce-mean", "softmax", "sigmoid")
HARD = ("hardtanh", "hardsigmoid")
NOT_TANH = tuple(loss for loss in OF_CIFAR if loss != "tanh")
NOT_HARD = tuple(loss for loss in OF_CIFAR if loss not in HARD)
# The implicit loss of SoftMax is cross-entropy itself: it would be compared with itself.
THROUGH_AUTOGRAD = tuple(f"implicit-{option}" for option in NORMALIZED if option != "softmax")

N0, N1, CIFAR = ("n0", "mnist"), ("n1", "mnist"), ("vgg16", "cifar10")  # network, data set
ABOVE_ZERO, BELOW_ZERO = (0.0, math.inf), (-math.inf, 0.0)
# Percent: two levels that differ by less are one to the eye, in a chart of curves that begin ten times as high.
SAME_LEVEL = (-10.0, 10.0)

Runs = Mapping[str, Run]  # the runs of one seed, by their loss
Quantity = Callable[[Run], float]


# --- runs compared ----------------------------------------------------------------------------------------------------


def has_curves(run: Run) -> bool:
    """Whether the run kept its curves."""
    return bool(run.train_loss and run.test_loss and run.test_accuracy)


def any_run(run: Run) -> bool:
    """Every run has an accuracy."""
    return True


@dataclass(frozen=True)
class Over:
    """A quantity of the runs of one seed, and the losses that it is computed from."""

    losses: tuple[str, ...]
    of: Callable[[Runs], float]


@dataclass(frozen=True)
class Compared:
    """A quantity that the paper says is positive (or in another range), taken from the runs of each seed.

    Attributes:
        name: what it is.
        setting: network and data set.
        quantity: computed from the runs of each seed that has been run with all of its losses.
        unit: such as "%".
        allowed: the range in which it has to be.
        usable: which runs the quantity can be computed from.
        of: takes the runs of one network, loss and data set from the results.
    """

    name: str
    setting: tuple[str, str]
    quantity: Over
    unit: str = ""
    allowed: tuple[float, float] = ABOVE_ZERO
    usable: Callable[[Run], bool] = has_curves
    of: Callable[[Results, str, str, str], list[Run]] = Results.of

    def figures(self, results: Results, tests: int) -> tuple[Figure, ...]:
        """One figure, of a statement that consists of so many; none if no seed was run with all these losses."""
        network, dataset = self.setting
        seeds: dict[int, dict[str, Run]] = {}
        for loss in self.quantity.losses:
            for run in filter(self.usable, self.of(results, network, loss, dataset)):
                seeds.setdefault(run.seed, {})[loss] = run
        values = [self.quantity.of(runs) for runs in seeds.values() if runs.keys() == set(self.quantity.losses)]
        return (beside(self.name, values, self.allowed, unit=self.unit, tests=tests),) if values else ()


def measured(*parts: Compared) -> dict[str, Any]:
    """The measure of a claim that consists of these figures, and how many they are."""

    def measure(results: Results) -> tuple[Figure, ...]:
        return tuple(figure for part in parts for figure in part.figures(results, len(parts)))

    return {"measure": measure, "figures": len(parts)}


# --- quantities -------------------------------------------------------------------------------------------------------


def of(loss: str, quantity: Quantity) -> Over:
    """A quantity of the run with this loss."""
    return Over((loss,), lambda runs: quantity(runs[loss]))


def among(choose: Callable[[list[float]], float], losses: Iterable[str], quantity: Quantity) -> Over:
    """The largest, the least or the mean of a quantity over the runs with these losses."""
    named = tuple(losses)
    return Over(named, lambda runs: choose([quantity(runs[loss]) for loss in named]))


def less(left: Over, right: Over) -> Over:
    """One less the other."""
    return Over(tuple(dict.fromkeys(left.losses + right.losses)), lambda runs: left.of(runs) - right.of(runs))


def above(left: Over, right: Over) -> Over:
    """By how many percent one is above the other."""
    return replace(less(left, right), of=lambda runs: 100 * (left.of(runs) / right.of(runs) - 1))


def final(curve: Sequence[float]) -> list[float]:
    """The last quarter of a curve."""
    return list(curve[-max(1, len(curve) // 4) :])


def train_level(run: Run) -> float:
    """The mean training loss over the last quarter of the epochs."""
    return statistics.fmean(final(run.train_loss))


def tested_level(run: Run) -> float:
    """The mean test loss over the last quarter of the epochs."""
    return statistics.fmean(final(run.test_loss))


def accuracy(run: Run) -> float:
    """The test accuracy after the last epoch."""
    return run.accuracy


def share(run: Run) -> float:
    """The share tau of backpropagation."""
    return run.tau or 0.0


def spread(run: Run) -> float:
    """The standard deviation of the test accuracy over the last quarter of the epochs."""
    return statistics.pstdev(final(run.test_accuracy))


def left(run: Run) -> float:
    """What is left of the training loss of the first epoch."""
    return train_level(run) / run.train_loss[0]


def rise(run: Run) -> float:
    """By which share the test loss rises from epoch 30 to the last quarter."""
    return tested_level(run) / run.test_loss[29] - 1


def held_out_gap(run: Run) -> float:
    """After epoch 30: the mean training loss less the mean loss on held-out images."""
    held_out = run.validation_loss or run.test_loss
    return statistics.fmean(run.train_loss[30:]) - statistics.fmean(held_out[30:])


def variance(losses: Iterable[str], runs: Runs) -> float:
    """The variance of the test accuracies of the last quarter of the epochs, over these losses together."""
    return statistics.pvariance([value for loss in losses for value in final(runs[loss].test_accuracy)])


def separation(groups: Iterable[Iterable[str]], level: Quantity) -> Over:
    """The smallest distance between options of different groups less the largest within a group."""
    of_group = {option: number for number, group in enumerate(groups) for option in group}
    pairs = [(a, b) for a in of_group for b in of_group if a < b]

    def quantity(runs: Runs) -> float:
        apart = {(a, b): abs(level(runs[a]) - level(runs[b])) for a, b in pairs}
        between = [gap for (a, b), gap in apart.items() if of_group[a] != of_group[b]]
        return min(between) - max(gap for (a, b), gap in apart.items() if of_group[a] == of_group[b])

    return Over(tuple(of_group), quantity)


def long_enough(run: Run) -> bool:
    """Whether a run kept the losses of more than 30 epochs."""
    return len(run.train_loss) > 30


def sixty_epochs(run: Run) -> bool:
    """Whether a run kept the test losses of 60 epochs, so that its last quarter comes after epoch 30."""
    return len(run.test_loss) >= 60


def without_augmentation(results: Results, network: str, loss: str, dataset: str) -> list[Run]:
    """The runs that were trained on the images as they are."""
    return [run for run in results.of(network, loss, dataset) if run.settings.get("augment") is False]


def at_the_papers_rate(run: Run) -> bool:
    """Whether a run had the initial learning rate of section 4.2; one that does not say its rate had."""
    rate = float(number("rate_for_cifar"))
    return bool(run.settings.get("lr", rate) == rate)


# --- the statements ---------------------------------------------------------------------------------------------------


def calmer(setting: tuple[str, str]) -> Compared:
    """How much more the accuracy of cross-entropy fluctuates at the end than that of ISBE."""
    mean = statistics.fmean
    gap = less(among(mean, CROSS_ENTROPIES, spread), among(mean, NORMALIZED, spread))
    return Compared(f"spread of cross-entropy less that of ISBE, {setting[0]}", setting, gap, "%")


def groups(setting: tuple[str, str], level: Quantity, *options: Iterable[str]) -> dict[str, Any]:
    """Whether the final losses form these groups."""
    name = "distance between groups less the largest inside one"
    return measured(Compared(name, setting, separation(options, level)))


def near_93(results: Results) -> tuple[Figure, ...]:
    """The best accuracy of each seed on CIFAR-10."""
    near = float(number("best_of_vgg"))
    best: dict[int, float] = {}
    for run in (run for loss in LOSSES.values() for run in results.of(CIFAR[0], loss, CIFAR[1])):
        best[run.seed] = max(best.get(run.seed, 0.0), run.accuracy)
    return (beside("best accuracy of a seed", list(best.values()), (near - 1, near + 1), near),) if best else ()


def of_the_literature(findings: Findings) -> None:
    """What others have published is looked up, not computed."""
    raise Open("a statement about published results, which no computation of ours decides")


LITERATURE_ON_CIFAR = (
    "Published before the paper: 99.4 % (Kolesnikov et al., Big Transfer (BiT), ECCV 2020, abstract). What others "
    "publish is cited here, not decided."
)

BY = {
    "S4.1.2.variance": measured(calmer(N1)),
    "S4.1.3.validation": measured(
        *(
            Compared(f"training loss less held-out loss, {loss}", N1, of(loss, held_out_gap), usable=long_enough)
            for loss in OF_FIGURE_1
        )
    ),
    "S4.1.3.progressive": by(measure=lambda results: ()),
    "S4.1.3.augmentation": measured(
        *(
            Compared(
                f"training loss less held-out loss, {loss}, without augmentation",
                N1,
                of(loss, held_out_gap),
                allowed=BELOW_ZERO,
                usable=long_enough,
                of=without_augmentation,
            )
            for loss in OF_FIGURE_1
        )
    ),
    "S4.1.3.final-range": measured(
        Compared(
            "lowest accuracy, N1",
            N1,
            among(min, EVERY, lambda run: min(final(run.test_accuracy))),
            "%",
            (float(number("least_at_the_end")), 100.0),
        ),
        Compared(
            "highest accuracy, N1",
            N1,
            among(max, EVERY, lambda run: max(final(run.test_accuracy))),
            "%",
            (0.0, float(number("most_at_the_end"))),
        ),
    ),
    "S4.1.3.similar": groups(
        N1, train_level, *(sorted(cluster) for cluster in CLUSTERS.values() if not cluster <= NOT_SHOWN)
    ),
    "S4.1.3.limit": measured(
        Compared(
            "final loss of ISBE to [-1, 1] above that of ISBE to [0, 1]",
            N1,
            above(
                among(statistics.fmean, CLUSTERS["ISBE to [-1, 1]"], train_level),
                among(statistics.fmean, CLUSTERS["ISBE to [0, 1]"], train_level),
            ),
            "%",
            SAME_LEVEL,
        ),
        Compared("the least final loss of ISBE", N1, among(min, NORMALIZED, train_level)),
    ),
    "S4.1.3.ce-limit": measured(
        Compared(
            "final loss of ce-none above that of ce-mean",
            N1,
            above(of("ce-none", train_level), of("ce-mean", train_level)),
            "%",
            SAME_LEVEL,
        ),
        Compared(
            "final loss of ce-none and ce-mean less the largest of ISBE",
            N1,
            less(among(statistics.fmean, ("ce-none", "ce-mean"), train_level), among(max, NORMALIZED, train_level)),
        ),
    ),
    "S4.1.3.cluster-variance": measured(
        Compared(
            "variance over all options less the largest in a cluster",
            N1,
            Over(
                EVERY,
                lambda runs: variance(EVERY, runs) - max(variance(cluster, runs) for cluster in CLUSTERS.values()),
            ),
        )
    ),
    "S4.1.3.stable": measured(calmer(N0), calmer(N1)),
    "S4.2.near-93": by(measure=near_93),
    "S4.2.fit": measured(
        *(
            Compared(
                f"training success rate of {loss}",
                CIFAR,
                of(loss, lambda run: run.train_accuracy[-1]),
                "%",
                (99.0, 100.0),
                lambda run: bool(run.train_accuracy),
            )
            for loss in OF_CIFAR
        )
    ),
    "S4.2.near-95": by(Check("literature", of_the_literature, "nothing"), remark=LITERATURE_ON_CIFAR),
    "S4.2.humans": by(Check("literature", of_the_literature, "nothing")),
    "S4.2.fewer-operations": by(Check("torch", fewer_by_function, "four examples, K = 10")),
    "S4.2.learning-rate": measured(
        *(
            Compared(
                f"accuracy of {loss} above 10 %",
                CIFAR,
                of(loss, lambda run: run.accuracy - 10),
                "%",
                usable=at_the_papers_rate,
            )
            for loss in OF_CIFAR
        )
    ),
    "S4.2.convergence": measured(
        Compared(
            "share of the first training loss left by ce-mean, less the largest left by ISBE",
            CIFAR,
            less(of("ce-mean", left), among(max, NORMALIZED, left)),
        )
    ),
    "S4.2.test-loss": measured(
        Compared("rise of ce-mean", CIFAR, of("ce-mean", rise), usable=sixty_epochs),
        Compared(
            "rise of ce-mean less the largest of ISBE",
            CIFAR,
            less(of("ce-mean", rise), among(max, NORMALIZED, rise)),
            usable=sixty_epochs,
        ),
    ),
    "S4.2.training-groups": groups(CIFAR, train_level, ("hardtanh",), ("tanh", "hardsigmoid"), ("sigmoid", "softmax")),
    "S4.2.testing-groups": groups(CIFAR, tested_level, ("tanh", "hardtanh"), ("softmax", "sigmoid", "hardsigmoid")),
    "S4.2.hard": measured(
        Compared(
            "worst accuracy of the others less the best of the hard functions",
            CIFAR,
            less(among(min, NOT_HARD, accuracy), among(max, HARD, accuracy)),
            "%",
            usable=any_run,
        )
    ),
    "S4.2.tanh": measured(
        Compared(
            "accuracy of tanh less the best of the others",
            CIFAR,
            less(of("tanh", accuracy), among(max, NOT_TANH, accuracy)),
            "%",
            usable=any_run,
        )
    ),
    "S4.2.autograd": measured(
        Compared(
            "mean tau of ISBE, four options, less that of ce-mean",
            CIFAR,
            less(among(statistics.fmean, THROUGH_AUTOGRAD, share), of("ce-mean", share)),
            "%",
            usable=any_run,
            of=Results.timed,
        )
    ),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
