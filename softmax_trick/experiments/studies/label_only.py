"""Errors from labels alone against cross-entropy, with and without standardised scores."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmax_trick.experiments.study import Curve, Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement

if TYPE_CHECKING:
    from torch import nn

    from softmax_trick.training.losses import Loss

CE, LABELS, CLOSED = "cross-entropy", "label-only", "closed form"
RATES = {("linear", "SGD"): 0.1, ("linear", "Adam"): 1e-3, ("n0", "SGD"): 0.01, ("n0", "Adam"): 1e-3}
PLACES = {
    f"{net}{norm}, {optimizer}": (net, bool(norm), optimizer, "mnist")
    for net, norm, optimizer in product(("linear", "n0"), ("", ", BatchNorm"), ("SGD", "Adam"))
} | {
    f"Fashion-MNIST, linear{norm}, SGD": ("linear", bool(norm), "SGD", "fashion-mnist") for norm in ("", ", BatchNorm")
}
ACCURACY, NORM, STEP = "accuracy", "growth of the norm", "milliseconds a step"
MARGIN = 1.5  # points, for "comparable": that of the paper for single runs, 0.15, is far too narrow for five epochs


def protocol(group: str) -> Protocol:
    """Of a group: network, BatchNorm on the scores, optimizer and rate."""
    net, normed, optimizer, data = PLACES[group]
    return {
        "data": data,
        "training images": 20_000 if net == "linear" else 10_000,
        "net": net,
        "BatchNorm on the scores": normed,
        "optimizer": optimizer,
        "rate": RATES[net, optimizer],
        "epochs": 5 if net == "linear" else 2,
        "batch size": 256,
        "a": 0.1,
        "b": 1.0,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """Both losses from one initialisation on the same batches; of a linear layer the closed form, too."""
    from softmax_trick.neighbours import fitting, label_only
    from softmax_trick.training.data import load

    data = load(str(protocol["data"]), data_dir)
    features, labels = fitting.features_of(data.train, int(protocol["training images"]))
    tested, truth = fitting.features_of(data.test)
    shape = (-1, *data.train.image) if protocol["net"] == "n0" else (-1, features.shape[1])
    values: dict[str, dict[str, float]] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for arm, loss in _losses(protocol).items():
        net, optimizer = _network(protocol, seed, data.train.image)
        before = fitting.largest_norm(net)
        found: list[float] = []

        def look(epoch: int, net: nn.Module = net, found: list[float] = found) -> None:
            found.append(fitting.accuracy(fitting.scores_of(net, tested.view(shape)), truth))

        how = fitting.fit(
            *(net, optimizer, loss, features.view(shape), labels),
            *(int(protocol["epochs"]), int(protocol["batch size"]), seed, look),
        )
        values[arm] = {"steps": how.steps, "diverged": float(how.diverged)}
        if not how.diverged and found and math.isfinite(found[-1]):
            values[arm] |= {ACCURACY: found[-1], NORM: fitting.largest_norm(net) / before}
        curves[arm] = {ACCURACY: [one for one in found if math.isfinite(one)]}
    if protocol["net"] == "linear":
        u, t, v = (tensor.numpy().astype(kind) for tensor, kind in ((features, float), (labels, int), (tested, float)))
        if protocol["BatchNorm on the scores"]:
            weights, biases = label_only.least_squares(u, t, 10)
            values[CLOSED] = {ACCURACY: label_only.accuracy_of(weights, v, truth.numpy(), biases)}
        else:
            values[CLOSED] = {ACCURACY: label_only.accuracy_of(label_only.template(u, t, 10), v, truth.numpy())}
    return Measured(values, curves)


def _losses(protocol: Protocol) -> dict[str, Loss]:
    from softmax_trick.training.losses import LOSSES, label_only

    return {CE: LOSSES["ce-sum"], LABELS: label_only(float(protocol["a"]), float(protocol["b"]))}


def _network(protocol: Protocol, seed: int, image: tuple[int, int, int]) -> tuple[nn.Module, Any]:
    """The network, without a bias in its last layer as the paper has it, and its optimizer on summed errors."""
    import torch
    from torch import nn

    from softmax_trick.training.batches import seed_generators
    from softmax_trick.training.networks import build

    seed_generators(seed, 0)
    layers: list[nn.Module] = [build("n0", image)] if protocol["net"] == "n0" else [nn.Linear(784, 10, bias=False)]
    if protocol["BatchNorm on the scores"]:
        layers.append(nn.BatchNorm1d(10, affine=False))
    net = nn.Sequential(*layers)
    if protocol["optimizer"] == "Adam":
        return net, torch.optim.Adam(net.parameters(), lr=float(protocol["rate"]))
    # The losses send back summed errors; this is the step of their mean.
    return net, torch.optim.SGD(net.parameters(), lr=float(protocol["rate"]) / int(protocol["batch size"]))


COMPARABLE = "accuracy comparable to cross-entropy's"
ABSTRACT = "Li and others, abstract; a 1 - b t is the gradient of a linear function, unbounded unless its sum vanishes"
STUDY = Study(
    name="label-only-gradients",
    title="gradients from labels alone against cross-entropy",
    work="L. Li, M. Doroslovački, M. H. Loew, IEEE Access 8 (2020)",
    groups=tuple(PLACES),
    protocol=protocol,
    measure=measure,
    quantities={
        ACCURACY: "%, test images",
        NORM: "Frobenius norm of the last layer's weights, after over before",
        "diverged": "1 where a score was no longer finite: then there is no accuracy",
    },
    statements=(
        Statement(
            f"{COMPARABLE} (within {MARGIN} points)", ABSTRACT, ACCURACY, LABELS, -MARGIN, math.inf, reference=CE
        ),
        Statement(
            f"on a linear layer the accuracy of the closed form (within {MARGIN} points)",
            "W_n = W_0 - eta sum e u^T: the template; with standardised scores, least squares",
            *(ACCURACY, LABELS, -MARGIN, MARGIN),
            reference=CLOSED,
            groups=tuple(
                group for group, (net, _, optimizer, _) in PLACES.items() if (net, optimizer) == ("linear", "SGD")
            ),
        ),
    ),
    curve=Curve(ACCURACY, "test accuracy, %", "epoch"),
    data=("mnist", "fashion-mnist"),
)


# --- what a step costs ------------------------------------------------------------------------------------------------

TIMED = {f"{net}{norm}": (net, bool(norm)) for net, norm in product(("linear", "n0"), ("", ", BatchNorm"))}


def timed_protocol(group: str) -> Protocol:
    """Of a group: network and BatchNorm on the scores."""
    net, normed = TIMED[group]
    return {
        "data": "mnist",
        "training images": 2_000,
        "net": net,
        "BatchNorm on the scores": normed,
        "optimizer": "Adam",
        "rate": 1e-3,
        "batch size": 256,
        "steps timed": 40,
        "a": 0.1,
        "b": 1.0,
    }


def measure_times(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """Steps with both losses, in turn on the same batches."""
    from softmax_trick.neighbours import fitting
    from softmax_trick.training.data import load

    data = load(str(protocol["data"]), data_dir)
    features, labels = fitting.features_of(data.train, int(protocol["training images"]))
    inputs = features.view(-1, *data.train.image) if protocol["net"] == "n0" else features
    arms = {arm: (*_network(protocol, seed, data.train.image), loss) for arm, loss in _losses(protocol).items()}
    seconds = fitting.seconds_in_turn(arms, inputs, labels, int(protocol["batch size"]), int(protocol["steps timed"]))
    return Measured({arm: {STEP: 1000 * found} for arm, found in seconds.items()})


TIMES = Study(
    name="label-only-times",
    title="what a training step costs with gradients from labels alone",
    work=STUDY.work,
    groups=tuple(TIMED),
    protocol=timed_protocol,
    measure=measure_times,
    quantities={STEP: "forward pass, backward pass and update, median; the losses take turns on the same batches"},
    statements=(
        Statement(
            "a step takes less time",
            "Li and others, abstract: the forward pass is skipped; hidden activations are needed",
            *(STEP, LABELS, -math.inf, 0.0),
            reference=CE,
        ),
    ),
    data=("mnist",),
)
