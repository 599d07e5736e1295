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
from dataclasses import replace

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.steps import Open
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import Results, Run, beside
from softmax_trick.proofs.operations import fewer_by_function
from softmax_trick.proofs.printed import number
from softmax_trick.proofs.section_4_curves import CLUSTERS, NORMALIZED, NOT_SHOWN
from softmax_trick.proofs.tables import CROSS_ENTROPY, LOSSES

CROSS_ENTROPIES = tuple(LOSSES[option] for option in CROSS_ENTROPY)


HARD = ("hardtanh", "hardsigmoid")
THROUGH_AUTOGRAD = tuple(f"implicit-{option}" for option in NORMALIZED if option != "softmax")
"""The implicit loss of SoftMax is cross-entropy itself: it would be compared with itself."""


ABOVE_ZERO = (0.0, math.inf)
SAME_LEVEL = 10.0
"""Percent: two levels that differ by less are one to the eye, in a chart of curves that begin ten times as high."""


# --- runs compared ----------------------------------------------------------------------------------------------------


Runs = Mapping[str, Run]  # the runs of one seed, by their loss


def has_curves(run: Run) -> bool:
    """Whether the run kept its curves."""
    return bool(run.train_loss and run.test_loss and run.test_accuracy)


def has_accuracy(run: Run) -> bool:
    """Every run has one."""
    return True


def len_above(epochs: int) -> Callable[[Run], bool]:
    """Whether a run kept the losses of more epochs."""
    return lambda run: len(run.train_loss) > epochs


def of_one(loss: str, quantity: Callable[[Run], float]) -> Callable[[Runs], float]:
    """A quantity of the run with this loss."""
    return lambda runs: quantity(runs[loss])


def compared(
    name: str,
    results: Results,
    setting: tuple[str, str],
    losses: Iterable[str],
    quantity: Callable[[Runs], float],
    unit: str = "",
    allowed: tuple[float, float] = ABOVE_ZERO,
    tests: int = 1,
    usable: Callable[[Run], bool] = has_curves,
    of: Callable[[Results, str, str, str], list[Run]] = Results.of,
) -> tuple[Figure, ...]:
    """A quantity that the paper says is positive (or in another range), taken from the runs of each seed.

    Args:
        name: what it is.
        results: our experiments.
        setting: network and data set.
        losses: which of them a seed must have been run with.
        quantity: computed from the runs of one seed.
        unit: such as "%".
        allowed: the range in which it has to be.
        tests: the number of figures of which the statement consists.
        usable: which runs the quantity can be computed from.
        of: takes the runs of one network, loss and data set from the results.

    Returns:
        one figure; none if no seed was run with all these losses.
    """
    network, dataset = setting
    seeds: dict[int, dict[str, Run]] = {}
    for loss in losses:
        for run in filter(usable, of(results, network, loss, dataset)):
            seeds.setdefault(run.seed, {})[loss] = run
    values = [quantity(runs) for runs in seeds.values() if runs.keys() == set(losses)]
    if not values:
        return ()
    return (beside(name, values, allowed, unit=unit, tests=tests),)


def final(curve: Sequence[float]) -> list[float]:
    """The last quarter of a curve."""
    return list(curve[-max(1, len(curve) // 4) :])


def final_mean(curve: Sequence[float]) -> float:
    """The mean over the last quarter of a curve."""
    return statistics.fmean(final(curve))


def spread(run: Run) -> float:
    """The standard deviation of the test accuracy over the last quarter of the epochs."""
    return statistics.pstdev(final(run.test_accuracy))


def mean_over(runs: Runs, losses: Iterable[str], of: Callable[[Run], float]) -> float:
    """The mean of a quantity over the runs with these losses."""
    return statistics.fmean(of(runs[loss]) for loss in losses)


def separation(values: Mapping[str, float], groups: Iterable[Iterable[str]]) -> float:
    """The smallest distance between options of different groups less the largest within a group."""
    of = {option: number for number, group in enumerate(groups) for option in group}
    pairs = [(a, b) for a in of for b in of if a < b]
    between = [abs(values[a] - values[b]) for a, b in pairs if of[a] != of[b]]
    within = [abs(values[a] - values[b]) for a, b in pairs if of[a] == of[b]]
    return min(between) - max(within)


def held_out_gap(run: Run) -> float:
    """After epoch 30: the mean training loss less the mean loss on held-out images."""
    held_out = run.validation_loss or run.test_loss
    return statistics.fmean(run.train_loss[30:]) - statistics.fmean(held_out[30:])


def _train_level(run: Run) -> float:
    return final_mean(run.train_loss)


def _test_level(run: Run) -> float:
    return final_mean(run.test_loss)


MNIST_N1 = ("n1", "mnist")


CIFAR = ("vgg16", "cifar10")


EVERY = CROSS_ENTROPIES + NORMALIZED


# --- MNIST ------------------------------------------------------------------------------------------------------------


def calmer(network: str, results: Results, tests: int = 1) -> tuple[Figure, ...]:
    """How much more the accuracy of cross-entropy fluctuates at the end than that of ISBE."""
    return compared(
        f"spread of cross-entropy less that of ISBE, {network}",
        results,
        (network, "mnist"),
        EVERY,
        lambda runs: mean_over(runs, CROSS_ENTROPIES, spread) - mean_over(runs, NORMALIZED, spread),
        "%",
        tests=tests,
    )


def calmer_n1(results: Results) -> tuple[Figure, ...]:
    """The final phase of learning, N1."""
    return calmer("n1", results)


def calmer_both(results: Results) -> tuple[Figure, ...]:
    """Figure 4: N0 and N1."""
    return calmer("n0", results, tests=2) + calmer("n1", results, tests=2)


def held_out_below_training(results: Results) -> tuple[Figure, ...]:
    """After epoch 30, by how much the loss on held-out images is below that on the training images."""
    figures: list[Figure] = []
    for loss in ("ce-mean", "softmax", "sigmoid"):
        name = f"training loss less held-out loss, {loss}"
        long_enough = len_above(30)
        figures += compared(name, results, MNIST_N1, (loss,), of_one(loss, held_out_gap), usable=long_enough, tests=3)
    return tuple(figures)


def alike_in_clusters(results: Results) -> tuple[Figure, ...]:
    """The final training losses of the three clusters that Figure 2 shows."""
    groups = [sorted(cluster) for cluster in CLUSTERS.values() if not cluster <= NOT_SHOWN]
    options = [option for group in groups for option in group]
    return compared(
        "distance between clusters less the largest inside one",
        results,
        MNIST_N1,
        options,
        lambda runs: separation({option: _train_level(run) for option, run in runs.items()}, groups),
    )


def one_limit_of_isbe(results: Results) -> tuple[Figure, ...]:
    """The two ISBE clusters: the same limit, and not zero."""
    low, high = CLUSTERS["ISBE to [0, 1]"], CLUSTERS["ISBE to [-1, 1]"]

    def gap(runs: Runs) -> float:
        return 100 * (mean_over(runs, high, _train_level) / mean_over(runs, low, _train_level) - 1)

    name = "final loss of ISBE to [-1, 1] above that of ISBE to [0, 1]"
    same = compared(name, results, MNIST_N1, NORMALIZED, gap, "%", (-SAME_LEVEL, SAME_LEVEL), tests=2)
    least = compared(
        "the least final loss of ISBE",
        results,
        MNIST_N1,
        NORMALIZED,
        lambda runs: min(map(_train_level, runs.values())),
        tests=2,
    )
    return same + least


def limit_of_cross_entropy(results: Results) -> tuple[Figure, ...]:
    """none and mean: the same limit, and above that of ISBE."""

    def gap(runs: Runs) -> float:
        return 100 * (_train_level(runs["ce-none"]) / _train_level(runs["ce-mean"]) - 1)

    name = "final loss of ce-none above that of ce-mean"
    same = compared(name, results, MNIST_N1, ("ce-none", "ce-mean"), gap, "%", (-SAME_LEVEL, SAME_LEVEL), tests=2)
    above = compared(
        "final loss of ce-none and ce-mean less the largest of ISBE",
        results,
        MNIST_N1,
        ("ce-none", "ce-mean", *NORMALIZED),
        lambda runs: (
            mean_over(runs, ("ce-none", "ce-mean"), _train_level)
            - max(_train_level(runs[option]) for option in NORMALIZED)
        ),
        tests=2,
    )
    return same + above


def closer_in_clusters(results: Results) -> tuple[Figure, ...]:
    """The final test accuracies: their variance over all options less the largest in a cluster."""

    def variance(runs: Runs, options: Iterable[str]) -> float:
        return statistics.pvariance([value for option in options for value in final(runs[option].test_accuracy)])

    return compared(
        "variance over all options less the largest in a cluster",
        results,
        MNIST_N1,
        EVERY,
        lambda runs: variance(runs, EVERY) - max(variance(runs, cluster) for cluster in CLUSTERS.values()),
    )


def in_the_range_of_figure_3(results: Results) -> tuple[Figure, ...]:
    """The lowest and the highest accuracy of the last quarter of the epochs, over all options."""

    def ends(choose: Callable[[Iterable[float]], float]) -> Callable[[Runs], float]:
        return lambda runs: choose(choose(final(runs[option].test_accuracy)) for option in EVERY)

    low, high = float(number("least_at_the_end")), float(number("most_at_the_end"))
    lowest = compared("lowest accuracy, N1", results, MNIST_N1, EVERY, ends(min), "%", (low, 100.0), 2)
    return lowest + compared("highest accuracy, N1", results, MNIST_N1, EVERY, ends(max), "%", (0.0, high), 2)


def close_to_the_progressive_loss(results: Results) -> tuple[()]:
    """Our runs keep the training loss in passing alone, which is the paper's progressive one."""
    return ()


def only_with_augmentation(results: Results) -> tuple[Figure, ...]:
    """After epoch 30, of runs without augmentation: training loss less held-out loss, which has to be below 0."""
    plain = replace(results, runs=tuple(run for run in results.runs if run.settings.get("augment") is False))
    figures: list[Figure] = []
    for loss in ("ce-mean", "softmax", "sigmoid"):
        name, gap = f"training loss less held-out loss, {loss}, without augmentation", of_one(loss, held_out_gap)
        figures += compared(name, plain, MNIST_N1, (loss,), gap, "", (-math.inf, 0.0), 3, len_above(30))
    return tuple(figures)


# --- CIFAR-10 ---------------------------------------------------------------------------------------------------------


def better_convergence(results: Results) -> tuple[Figure, ...]:
    """What is left of the training loss of the first epoch."""

    def left(run: Run) -> float:
        return _train_level(run) / run.train_loss[0]

    return compared(
        "share of the first training loss left by ce-mean, less the largest left by ISBE",
        results,
        CIFAR,
        ("ce-mean", *NORMALIZED),
        lambda runs: left(runs["ce-mean"]) - max(left(runs[option]) for option in NORMALIZED),
    )


def rise_of_the_test_loss(results: Results) -> tuple[Figure, ...]:
    """From epoch 30 to the last quarter: cross-entropy rises, and by more than any ISBE option (as shares)."""

    def rise(run: Run) -> float:
        return _test_level(run) / run.test_loss[29] - 1

    def long_enough(run: Run) -> bool:
        return len(run.test_loss) >= 60

    losses = ("ce-mean", *NORMALIZED)
    rises = of_one("ce-mean", rise)
    alone = compared("rise of ce-mean", results, CIFAR, ("ce-mean",), rises, usable=long_enough, tests=2)
    others = compared(
        "rise of ce-mean less the largest of ISBE",
        results,
        CIFAR,
        losses,
        lambda runs: rise(runs["ce-mean"]) - max(rise(runs[option]) for option in NORMALIZED),
        usable=long_enough,
        tests=2,
    )
    return alone + others


TRAINING_GROUPS = (("hardtanh",), ("tanh", "hardsigmoid"), ("sigmoid", "softmax"))


TESTING_GROUPS = (("tanh", "hardtanh"), ("softmax", "sigmoid", "hardsigmoid"))


def training_groups(results: Results) -> tuple[Figure, ...]:
    """The groups of final training losses."""
    return _groups(results, TRAINING_GROUPS, _train_level)


def testing_groups(results: Results) -> tuple[Figure, ...]:
    """The groups of final test losses."""
    return _groups(results, TESTING_GROUPS, _test_level)


def _groups(results: Results, groups: Sequence[Sequence[str]], level: Callable[[Run], float]) -> tuple[Figure, ...]:
    return compared(
        "distance between groups less the largest inside one",
        results,
        CIFAR,
        NORMALIZED,
        lambda runs: separation({option: level(run) for option, run in runs.items()}, groups),
    )


def hard_is_inferior(results: Results) -> tuple[Figure, ...]:
    """Accuracies on CIFAR-10: the worst of the others less the best of the hard functions."""
    losses = ("ce-mean", *NORMALIZED)
    return compared(
        "worst accuracy of the others less the best of the hard functions",
        results,
        CIFAR,
        losses,
        lambda runs: min(runs[o].accuracy for o in losses if o not in HARD) - max(runs[o].accuracy for o in HARD),
        "%",
        usable=has_accuracy,
    )


def tanh_is_best(results: Results) -> tuple[Figure, ...]:
    """Accuracies on CIFAR-10: Tanh less the best of the others."""
    losses = ("ce-mean", *NORMALIZED)
    return compared(
        "accuracy of tanh less the best of the others",
        results,
        CIFAR,
        losses,
        lambda runs: runs["tanh"].accuracy - max(runs[o].accuracy for o in losses if o != "tanh"),
        "%",
        usable=has_accuracy,
    )


def near_93(results: Results) -> tuple[Figure, ...]:
    """The best accuracy of each seed on CIFAR-10."""
    near = float(number("best_of_vgg"))
    best: dict[int, float] = {}
    for run in _cifar_runs(results):
        best[run.seed] = max(best.get(run.seed, 0.0), run.accuracy)
    return (beside("best accuracy of a seed", list(best.values()), (near - 1, near + 1), near),) if best else ()


def almost_perfect_fit(results: Results) -> tuple[Figure, ...]:
    """The success rate on the training images in the last epoch, of every option."""

    def rate(run: Run) -> float:
        return run.train_accuracy[-1]

    figures: list[Figure] = []
    for loss in ("ce-mean", *NORMALIZED):
        name = f"training success rate of {loss}"
        usable = _has_train_accuracy
        figures += compared(name, results, CIFAR, (loss,), of_one(loss, rate), "%", (99.0, 100.0), 6, usable)
    return tuple(figures)


def _has_train_accuracy(run: Run) -> bool:
    return bool(run.train_accuracy)


def of_the_literature(facts: Findings) -> None:
    """What others have published is looked up, not computed."""
    raise Open("a statement about published results, which no computation of ours decides")


def learns_at_this_rate(results: Results) -> tuple[Figure, ...]:
    """The accuracy of every option above that of guessing; a run that does not say its rate had this one."""

    rate = float(number("rate_for_cifar"))

    def at_this_rate(run: Run) -> bool:
        return bool(run.settings.get("lr", rate) == rate)

    figures: list[Figure] = []
    for loss in ("ce-mean", *NORMALIZED):
        above = of_one(loss, lambda run: run.accuracy - 10)
        name = f"accuracy of {loss} above 10 %"
        figures += compared(name, results, CIFAR, (loss,), above, "%", usable=at_this_rate, tests=6)
    return tuple(figures)


def slower_by_autograd(results: Results) -> tuple[Figure, ...]:
    """The share tau of ISBE as an autograd function less that of cross-entropy, on CIFAR-10, one run at a time."""
    share = {loss: of_one(loss, lambda run: run.tau or 0.0) for loss in ("ce-mean", *THROUGH_AUTOGRAD)}
    return compared(
        "mean tau of ISBE, four options, less that of ce-mean",
        results,
        CIFAR,
        share,
        lambda runs: statistics.fmean(share[loss](runs) for loss in THROUGH_AUTOGRAD) - share["ce-mean"](runs),
        "%",
        usable=has_accuracy,
        of=Results.timed,
    )


def _cifar_runs(results: Results) -> list[Run]:
    return [run for loss in LOSSES.values() for run in results.of(CIFAR[0], loss, CIFAR[1])]


LITERATURE_ON_CIFAR = (
    "Published before the paper: 99.4 % (Kolesnikov et al., Big Transfer (BiT), ECCV 2020, abstract). What others "
    "publish is cited here, not decided."
)

CLAIMS = (
    Claim(
        id="S4.1.2.variance",
        title="ISBE's accuracy fluctuates less at the end of learning",
        statement=r"Over the last quarter of the epochs the test accuracy of $\mathcal{N}_1$ has a smaller standard "
        r"deviation under ISBE (mean over five options) than under cross-entropy (mean over three).",
        source="section 4.1.2",
        quote="the variance in the final phase of learning is clearly lower",
        measure=calmer_n1,
    ),
    Claim(
        id="S4.1.3.validation",
        title="from epoch 30 on the validation loss is below the training loss",
        statement=r"After epoch 30 the loss of $\mathcal{N}_1$ on the validation images (on the test images, where a "
        r"run kept no other) is below that on the training images, for cross-entropy with mean, SoftMax and Sigmoid. "
        r"(Ours is the loss in passing, with dropout and augmentation; to the paper both training curves are close.)",
        source="section 4.1.3, Figure 1",
        quote="the validation curve from about epoch 30 is below the training curve",
        measure=held_out_below_training,
        figures=3,
    ),
    Claim(
        id="S4.1.3.progressive",
        title="the training loss after an epoch is close to the progressive one",
        statement=r"The loss of $\mathcal{N}_1$ on the training images, taken after each epoch, is close to the one "
        "taken in passing, after each batch.",
        source="section 4.1.3, Figure 1",
        quote="Let us note the correct course of the train loss curve with respect to the progressive loss curve—both "
        "curves are close.",
        measure=close_to_the_progressive_loss,
        remark="Our trainer keeps the loss in passing alone. With dropout the two differ: in passing 40 % of the "
        "elements are dropped, after the epoch none.",
    ),
    Claim(
        id="S4.1.3.augmentation",
        title="without augmentation the validation loss is above the training loss",
        statement=r"Trained without augmentation, $\mathcal{N}_1$ has after epoch 30 a loss on the validation images "
        "that is not below that on the training images, for cross-entropy with mean, SoftMax and Sigmoid.",
        source="section 4.1.3, Figure 1",
        quote="This effect was achieved only after applying a moderate input image augmentation procedure",
        measure=only_with_augmentation,
        figures=3,
    ),
    Claim(
        id="S4.1.3.final-range",
        title="close to the end all accuracies of N1 are within (99.4, 99.7)",
        statement=r"Over the last quarter of the epochs the test accuracies of $\mathcal{N}_1$ under all eight "
        r"options are in $(99.4\%, 99.7\%)$.",
        source="section 4.1.3, Figure 3",
        quote="Close to the final epochs, all curves tend to be chaotic within the range of (99.4, 99.7).",
        measure=in_the_range_of_figure_3,
        figures=2,
        remark="Of the curves only their ends are printed: S4.1.3.final-values.",
    ),
    Claim(
        id="S4.1.3.similar",
        title="within a cluster the loss curves are much alike",
        statement=r"The final training losses of $\mathcal{N}_1$ are closer within each cluster that Figure 2 shows "
        r"than between two of them (so read).",
        source="section 4.1.3, Figure 2",
        quote="Within a cluster, the loss curves behave very similarly.",
        measure=alike_in_clusters,
    ),
    Claim(
        id="S4.1.3.limit",
        title="the loss curves of ISBE tend to one value greater than zero",
        statement=r"The final training losses of $\mathcal{N}_1$, as $\mathcal{L}_{ISBE}$, are the same in both ISBE "
        r"clusters up to a tenth of the level (so read), and greater than zero.",
        source="section 4.1.3, Figure 2",
        quote="the loss curves in ISBE-based clusters tend to the same value greater than zero",
        measure=one_limit_of_isbe,
        figures=2,
    ),
    Claim(
        id="S4.1.3.ce-limit",
        title="the curves of cross-entropy tend to one limit, above that of ISBE",
        statement=r"The final training losses of $\mathcal{N}_1$ under none and mean are the same up to a tenth of the "
        r"level (so read), and greater than those of ISBE.",
        source="section 4.1.3, Figure 2",
        quote="it is clearly greater than ISBE one",
        measure=limit_of_cross_entropy,
        figures=2,
    ),
    Claim(
        id="S4.1.3.cluster-variance",
        title="accuracies vary less in a cluster than over all options",
        statement=r"The test accuracies of $\mathcal{N}_1$ over the last quarter of the epochs have a smaller variance "
        r"in each cluster than in the union of all.",
        source="section 4.1.3, Figure 3",
        quote="the variances in the clusters described above are smaller than in the union of clusters",
        measure=closer_in_clusters,
    ),
    Claim(
        id="S4.1.3.stable",
        title="ISBE's accuracy curves are slightly more stable, for N0 and N1",
        statement="Over the last quarter of the epochs the test accuracy has a smaller standard deviation under ISBE "
        "than under cross-entropy, for both networks.",
        source="section 4.1.3, Figure 4",
        quote="slightly more stable behavior for ISBN-based curves than for cross-entropy-based",
        measure=calmer_both,
        figures=2,
    ),
    Claim(
        id="S4.2.near-93",
        title="the best results of VGG-16 on CIFAR-10 are near 93 %",
        statement=r"The best success rate of VGG-16 on the 10 thousand test images of CIFAR-10 is near $93\%$: within "
        "a percentage point of it (so read).",
        source="section 4.2",
        quote="the best results on the independent testing dataset of 10 thousand images are near 93%",
        measure=near_93,
    ),
    Claim(
        id="S4.2.fit",
        title="VGG-16 fits the training images of CIFAR-10 almost perfectly",
        statement="In the last epoch the success rate of VGG-16 on the 50 thousand training images of CIFAR-10 is "
        r"above $99\%$ (so read), for every option.",
        source="section 4.2",
        quote="despite the almost perfect fit achieved by VGG-16 on the training set CIFAR-10 of 50 thousand images",
        measure=almost_perfect_fit,
        figures=6,
    ),
    Claim(
        id="S4.2.near-95",
        title="the best results known for CIFAR-10 are near 95 %",
        statement=r"No architecture attempted so far goes beyond CIFAR-10 accuracies near $95\%$.",
        source="section 4.2",
        quote="for all architectures attempted so far are near 95%",
        checks=(Check("literature", of_the_literature, "nothing"),),
        remark=LITERATURE_ON_CIFAR,
    ),
    Claim(
        id="S4.2.humans",
        title="the best results known are about one percent above human beings",
        statement=r"The record of human beings on CIFAR-10 is about $94\%$.",
        source="section 4.2",
        quote="about one percent more than the record achieved by human beings",
        checks=(Check("literature", of_the_literature, "nothing"),),
        remark="The paper cites nothing for it.",
    ),
    Claim(
        id="S4.2.fewer-operations",
        title="through ISBE_func there are fewer operations than by cross_entropy",
        statement="ISBE_func of Appendix B, with SoftMax and its other default options, executes fewer operators of "
        "torch than cross_entropy_func with the reduction mean, there and back.",
        source="section 4.2, last paragraph; Appendix B.2",
        quote="functionality with fewer operations takes slightly more time while the same functionality without "
        "explicit use of autograd mechanism gives always time savings up to 3%",
        checks=(Check("torch", fewer_by_function, "four examples, K = 10"),),
        correction="It executes more: the label is made a vector and blurred in each call, and the mean square error "
        "is computed, which the gradient does not need. That is where the time goes, not in the interface.",
    ),
    Claim(
        id="S4.2.learning-rate",
        title="at an initial learning rate of 0.1 every option learns CIFAR-10",
        statement=r"Adam with an initial learning rate of 0.1, decaying exponentially, trains VGG-16 on CIFAR-10 under "
        r"every option: its success rate is above the $10\%$ of guessing. (Runs with that rate count.)",
        source="section 4.2",
        quote="the initial learning rate is 0.1, not 0.01",
        measure=learns_at_this_rate,
        figures=6,
    ),
    Claim(
        id="S4.2.convergence",
        title="every ISBE option converges better than cross-entropy (Figure 6)",
        statement="Training VGG-16 on CIFAR-10, every ISBE option ends with a smaller share of its first training loss "
        "than cross-entropy (so read, as the losses have different scales).",
        source="section 4.2, Figure 6",
        quote="we can observe better convergence for all ISBE options than for the cross-entropy",
        measure=better_convergence,
    ),
    Claim(
        id="S4.2.test-loss",
        title="CE's test loss rises from epoch 30 on, that of ISBE stays",
        statement="From epoch 30 on the test loss of cross-entropy on CIFAR-10 rises, and relatively more than that of "
        "any ISBE option.",
        source="section 4.2, Figure 6",
        quote="the loss value for CE is slowly increasing, starting at about epoch 30",
        measure=rise_of_the_test_loss,
        figures=2,
    ),
    Claim(
        id="S4.2.training-groups",
        title="three groups of ISBE options in training (Figure 7)",
        statement="The final training losses on CIFAR-10 form the groups {hardtanh}, {tanh, hardsigmoid}, {sigmoid, "
        "SoftMax}: closer within a group than between two.",
        source="section 4.2, Figure 7",
        quote="In training, there are three groups of ISBE options",
        measure=training_groups,
    ),
    Claim(
        id="S4.2.testing-groups",
        title="two groups of ISBE options in testing (Figure 7)",
        statement="The final test losses on CIFAR-10 form the groups {tanh, hardtanh}, {SoftMax, sigmoid, "
        "hardsigmoid}: closer within a group than between the two.",
        source="section 4.2, Figure 7",
        quote="In testing there are two groups",
        measure=testing_groups,
    ),
    Claim(
        id="S4.2.hard",
        title="the hard functions are inferior on CIFAR-10 (Figure 8)",
        statement="HardTanh and HardSigmoid have lower success rates on CIFAR-10 than cross-entropy and the other "
        "functions.",
        source="section 4.2, Figure 8",
        quote="It is observed that hard versions are inferior to others.",
        measure=hard_is_inferior,
    ),
    Claim(
        id="S4.2.tanh",
        title="Tanh has a slight advantage on CIFAR-10 (Figure 8)",
        statement="On the test images of CIFAR-10 Tanh has the highest success rate of all options.",
        source="section 4.2, Figure 8",
        quote="a slight advantage is achieved by the hyperbolic tangent tanh",
        measure=tanh_is_best,
    ),
    Claim(
        id="S4.2.autograd",
        title="through autograd ISBE takes slightly more time than cross-entropy",
        statement=r"With ISBE as a torch.autograd.Function, the share $\tau$ on CIFAR-10 is larger than that of "
        r"cross-entropy, in the mean over Sigmoid, Tanh, HardSigmoid and HardTanh. (Read of the share, the paper's "
        r"measure of time. For SoftMax our autograd function is cross-entropy itself, so that nothing is compared.)",
        source="section 4.2",
        quote="functionality with fewer operations takes slightly more time",
        measure=slower_by_autograd,
    ),
)
