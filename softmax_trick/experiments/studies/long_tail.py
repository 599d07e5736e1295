"""Long tails: what the loss, the sampler, or a relocation of ISBE's SoftMax does to the balanced accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_trick.experiments.study import Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from softmax_trick.training.losses import Loss

CE, AFTERWARDS, BALANCED = "cross-entropy", "cross-entropy, less log pi afterwards", "Balanced SoftMax"
ISBE, QUARTER, VS, META = "ISBE, relocated SoftMax", "shift of log n / 4", "VS-loss", "Balanced Meta-SoftMax"
PLACES = {
    f"{data}, {imbalance} : 1": (data, float(imbalance))
    for data, imbalance in product(("mnist", "fashion-mnist"), (10, 50, 100))
}
BALANCED_ACCURACY, RARE, FREQUENT = "balanced accuracy", "accuracy of the three rarest", "accuracy of the three largest"
MARGIN = 0.5  # points, for "the same"


def protocol(group: str) -> Protocol:
    """Of a group: the data and their imbalance."""
    data, imbalance = PLACES[group]
    return {
        "data": data,
        "imbalance": imbalance,
        "net": "784-128-10 with ReLU",
        "optimizer": "Adam",
        "rate": 1e-3,
        "epochs": 6,
        "batch size": 128,
        "inner rate": 0.1,
        "rate of the sampler": 0.01,
        "meta batch": 100,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """All methods from one initialisation; those without a sampler on the same batches."""
    import torch

    from softmax_trick.neighbours import fitting
    from softmax_trick.training.data import load
    from softmax_trick.training.losses import LOSSES, balanced_softmax, relocated, vs_loss

    data = load(str(protocol["data"]), data_dir)
    split = data.train.long_tailed(float(protocol["imbalance"]))
    features, labels = fitting.features_of(split)
    tested, truth = fitting.features_of(data.test)
    counts = torch.tensor(split.counts, dtype=torch.float32)
    arms: dict[str, Loss] = {
        CE: LOSSES["ce-sum"],
        BALANCED: _autograd(counts),
        ISBE: balanced_softmax(counts),
        QUARTER: relocated(torch.ones_like(counts), -counts.log() / 4),
        VS: vs_loss(counts),
    }
    values: dict[str, dict[str, float]] = {}
    for arm, loss in arms.items():
        net, optimizer = _network(protocol, seed, len(counts))
        fitting.fit(
            *(net, optimizer, loss, features, labels),
            *(int(protocol["epochs"]), int(protocol["batch size"]), seed),
        )
        scores = fitting.scores_of(net, tested)
        values[arm] = _measures(scores, truth)
        if arm == CE:
            values[AFTERWARDS] = _measures(scores - (counts / counts.sum()).log(), truth)
    net, rates = _meta(protocol, seed, features, labels, counts)
    values[META] = _measures(fitting.scores_of(net, tested), truth)
    values[META]["rate of the rarest over that of the largest"] = float(rates[-1] / rates[0])
    return Measured(values)


def _network(protocol: Protocol, seed: int, classes: int) -> tuple[nn.Sequential, Optimizer]:
    import torch

    from softmax_trick.neighbours.fitting import perceptron
    from softmax_trick.training.batches import seed_generators

    seed_generators(seed, 0)
    net = perceptron(784, classes)
    return net, torch.optim.Adam(net.parameters(), lr=float(protocol["rate"]))


def _autograd(counts: Tensor) -> Loss:
    """The cross-entropy of x + log n with autograd, as its authors have it; ISBE sends the same error directly."""
    from dataclasses import replace

    from torch.nn.functional import cross_entropy

    from softmax_trick.training.losses import balanced_softmax

    shift = counts.log()
    return replace(
        balanced_softmax(counts), start=lambda x, labels: (cross_entropy(x + shift, labels, reduction="sum"), None)
    )


def _meta(
    protocol: Protocol, seed: int, features: Tensor, labels: Tensor, counts: Tensor
) -> tuple[nn.Sequential, Tensor]:
    """Balanced SoftMax on batches drawn by a sampler, which takes a step of its own after each; and its rates."""
    import torch
    from torch import nn

    from softmax_trick.isbe import isbe_error
    from softmax_trick.neighbours import fitting, long_tail
    from softmax_trick.training.losses import balanced_softmax

    classes, batch_size = len(counts), int(protocol["batch size"])
    net, optimizer = _network(protocol, seed, classes)
    hidden, last = net[:-1], net[-1]
    if not isinstance(last, nn.Linear):
        raise TypeError("the last layer must be linear")
    omega = torch.zeros(classes, requires_grad=True)
    sampler = torch.optim.Adam([omega], lr=float(protocol["rate of the sampler"]))

    def batches(n: int, size: int) -> Iterator[Tensor]:
        for chosen in long_tail.drawn_by(omega.detach(), labels, size):
            candidates = torch.randint(n, (size,))
            meta = long_tail.class_balanced(labels, classes, int(protocol["meta batch"]) // classes)
            with torch.no_grad():
                h, m = (torch.cat([hidden(features[of]), torch.ones(len(of), 1)], 1) for of in (candidates, meta))
                weights = torch.cat([last.weight, last.bias[:, None]], 1)
                errors = isbe_error(h @ weights.T, labels[candidates], "softmax", relocation=-counts.log())
                omega.grad = long_tail.hypergradient(
                    omega, weights, (h, labels[candidates], errors), (m, labels[meta]), float(protocol["inner rate"])
                )
            sampler.step()
            yield chosen

    fitting.fit(
        *(net, optimizer, balanced_softmax(counts), features, labels),
        *(int(protocol["epochs"]), batch_size, seed),
        indices=batches,
    )
    return net, omega.detach().sigmoid()


def _measures(scores: Tensor, truth: Tensor) -> dict[str, float]:
    """Balanced accuracy, and that of the first and the last three classes, which are the largest and the rarest."""
    from softmax_trick.neighbours.fitting import accuracy, balanced_accuracy

    rare, frequent = truth >= scores.shape[-1] - 3, truth < 3
    return {
        BALANCED_ACCURACY: balanced_accuracy(scores, truth),
        RARE: accuracy(scores[rare], truth[rare]),
        FREQUENT: accuracy(scores[frequent], truth[frequent]),
    }


STUDY = Study(
    name="long-tail",
    title="long tails: cross-entropy, Balanced SoftMax, VS-loss, the meta sampler, relocated ISBE",
    work="J. Ren and others, Balanced Meta-Softmax, NeurIPS 2020; G. R. Kini and others, NeurIPS 2021",
    groups=tuple(PLACES),
    protocol=protocol,
    measure=measure,
    quantities={
        BALANCED_ACCURACY: "%, mean over the classes of the share recognised",
        RARE: "%, classes 7 to 9",
        FREQUENT: "%, classes 0 to 2",
        "rate of the rarest over that of the largest": "of the sampler, at the end",
    },
    statements=(
        Statement(
            "Balanced SoftMax is better than cross-entropy",
            "the posterior under the priors n is SoftMax(log posterior under uniform ones + log n)",
            *(BALANCED_ACCURACY, BALANCED, 0.0, math.inf, CE),
        ),
        Statement(
            f"ISBE with a relocated SoftMax is the same as Balanced SoftMax (within {MARGIN} points)",
            "its error is y_b - t, the gradient of that loss",
            *(BALANCED_ACCURACY, ISBE, -MARGIN, MARGIN, BALANCED),
        ),
        Statement(
            "training with log n is better than subtracting log pi afterwards",
            "both have one optimum where every score can be reached",
            *(BALANCED_ACCURACY, BALANCED, 0.0, math.inf, AFTERWARDS),
        ),
        Statement(
            "a shift of log n / 4 is better than one of log n",
            "the bound's minimum is at n^(-1/4), not at n^(-1)",
            *(BALANCED_ACCURACY, QUARTER, 0.0, math.inf, BALANCED),
        ),
        Statement(
            "a dilation helps: the VS-loss is better than Balanced SoftMax",
            "paper, section 5; exponents made for CIFAR-10",
            *(BALANCED_ACCURACY, VS, 0.0, math.inf, BALANCED),
        ),
        Statement(
            "the meta sampler is better than Balanced SoftMax alone",
            "Ren and others; with rates r the optimum is log u + log r, so that classes are balanced twice",
            *(BALANCED_ACCURACY, META, 0.0, math.inf, BALANCED),
        ),
    ),
    data=("mnist", "fashion-mnist"),
)
