"""Networks on features that lie in memory, trained by the trainer's own step and losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from softmax_trick.training.batches import seed_generators
from softmax_trick.training.losses import Loss
from softmax_trick.training.split import Split
from softmax_trick.training.step import Stopwatch, training_step

CPU = torch.device("cpu")
WARM_UP = 5  # steps that are not timed


def features_of(split: Split, first: int | None = None) -> tuple[Tensor, Tensor]:
    """The pixels in [0, 1], shape (n, channels * height * width), and the labels, shape (n,), of the first n images.

    Raises:
        TrainingError: there are fewer.
    """
    split = split if first is None else split.first(first)
    images = torch.from_numpy(split.images.reshape(len(split.images), -1).copy()).float().div_(255)
    return images, torch.from_numpy(split.labels.copy()).long()


def first_of_each(split: Split, per_class: int) -> Split:
    """The first so many images of each class, in their order.

    Raises:
        ValueError: a class has fewer.
    """
    import numpy as np

    short = [k for k, count in enumerate(split.counts) if count < per_class]
    if short:
        raise ValueError(f"class {short[0]} has {split.counts[short[0]]:,} images, and {per_class:,} are asked for")
    places = [np.flatnonzero(split.labels == k)[:per_class] for k in range(len(split.counts))]
    chosen = np.sort(np.concatenate(places))
    return Split(split.images[chosen], split.labels[chosen], split.classes)


def perceptron(inputs: int, classes: int, hidden: int = 128) -> nn.Sequential:
    """One hidden layer with ReLU; its weights are drawn from torch's global generator."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def batches(n: int, batch_size: int) -> Iterator[Tensor]:
    """All indices below n once, in an order of torch's global generator; the last batch may be smaller."""
    yield from torch.randperm(n).split(batch_size)


@dataclass(frozen=True)
class Fitted:
    """How a training went.

    Attributes:
        steps: how many were made.
        diverged: whether it ended at a step whose scores were not finite.
    """

    steps: int
    diverged: bool = False


def fit(
    net: nn.Module,
    optimizer: Optimizer,
    loss: Loss,
    features: Tensor,
    labels: Tensor,
    epochs: int,
    batch_size: int,
    seed: int,
    after_epoch: Callable[[int], None] = lambda epoch: None,
    indices: Callable[[int, int], Iterator[Tensor]] = batches,
) -> Fitted:
    """Train a network; every epoch begins with the generators set by the seed and its number.

    Args:
        net: it is trained as it stands.
        optimizer: of its parameters.
        loss: what is sent back.
        features: shape (n, ...), what the network takes.
        labels: shape (n,).
        epochs: passes through them.
        batch_size: examples a step.
        seed: of the order.
        after_epoch: called with the number of the epoch, from 1.
        indices: the batches of an epoch, for n and the batch size.
    """
    steps, watch = 0, Stopwatch(CPU)
    for epoch in range(1, epochs + 1):
        seed_generators(seed, epoch)
        net.train()
        for chosen in indices(len(labels), batch_size):
            try:
                training_step(net, optimizer, loss, features[chosen], labels[chosen], watch)
            except FloatingPointError:
                return Fitted(steps, diverged=True)
            steps += 1
        after_epoch(epoch)
    return Fitted(steps)


def seconds_in_turn(
    arms: Mapping[str, tuple[nn.Module, Optimizer, Loss]], features: Tensor, labels: Tensor, batch_size: int, steps: int
) -> dict[str, float]:
    """The median seconds of a step of each arm, which take turns on the same batches, the first of them in turn, too.

    So whatever else the machine does meets all alike. Where the scores of one cease to be finite all of them end.

    Args:
        arms: of each its network, which is trained, its optimizer and its loss.
        features: shape (n, ...), what the networks take.
        labels: shape (n,).
        batch_size: examples a step.
        steps: how many are timed of each, after `WARM_UP`.
    """
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for net, _, _ in arms.values():
        net.train()
    for step in range(WARM_UP + steps):
        chosen = torch.randint(len(labels), (batch_size,))
        first = step % len(arms)
        for name in [*list(arms)[first:], *list(arms)[:first]]:
            watch = Stopwatch(CPU)
            try:
                training_step(*arms[name], features[chosen], labels[chosen], watch)
            except FloatingPointError:
                return {name: median(found[WARM_UP:]) for name, found in taken.items() if found[WARM_UP:]}
            taken[name].append(sum(watch.seconds.values()))
    return {name: median(found[WARM_UP:]) for name, found in taken.items()}


def scores_of(net: nn.Module, features: Tensor, batch_size: int = 1000) -> Tensor:
    """The scores of all examples, without dropout, shape (n, K)."""
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part) for part in features.split(batch_size)])


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Percent of the examples whose largest score is that of their label; NaN where a score is not finite."""
    if not scores.isfinite().all():
        return math.nan
    return 100 * float((scores.argmax(-1) == labels).double().mean())


def balanced_accuracy(scores: Tensor, labels: Tensor) -> float:
    """The mean over the classes of the share of a class that is recognised, percent.

    Raises:
        ValueError: a class has no example.
    """
    classes = scores.shape[-1]
    counts = labels.bincount(minlength=classes)
    if not counts.all():
        raise ValueError(f"class {int(counts.argmin())} has no example: its share of them is not defined")
    right = labels[scores.argmax(-1) == labels].bincount(minlength=classes)
    return 100 * float((right.double() / counts).mean())


def largest_norm(net: nn.Module) -> float:
    """The Euclidean norm of the last layer's weights."""
    [*_, last] = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    return float(last.weight.detach().double().norm())
