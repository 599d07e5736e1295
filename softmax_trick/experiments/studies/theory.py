"""Theory meets practice: what the theorems say of other errors, each trained over a grid of rates."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_trick.experiments.study import Curve, Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from softmax_trick.training.losses import Loss

SOFTMAX, WITH, WITHOUT = "SoftMax", "dilation, d (y - t) sent", "dilation, y - t sent"
SLACK, SPARSEMAX, LABELS, NORMALIZE, TEMPLATE = "slack", "sparsemax", "label-only", "normalize", "template"
GRID = (
    *(("linear", "SGD", rate) for rate in (0.01, 0.1, 1.0)),
    *(("linear", "Adam", rate) for rate in (1e-4, 1e-3, 1e-2)),
    *(("n0", "Adam", rate) for rate in (1e-3, 1e-2)),
)
PLACES = {f"{net}, {optimizer}, {rate:g}": (net, optimizer, rate) for net, optimizer, rate in GRID}
LINEAR, PLAIN = (tuple(name for name in PLACES if name.startswith(part)) for part in ("linear", "linear, SGD"))
ACCURACY, RISE, SHARE, NORM = "accuracy", "rise of the cross-entropy", "share left to the slack", "growth of the norm"
LATER = "share of the slack, less that after the first epoch"


def protocol(group: str) -> Protocol:
    """Of a group: network, optimizer and rate."""
    net, optimizer, rate = PLACES[group]
    return {
        "data": "mnist",
        "training images": 10_000 if net == "linear" else 4_000,
        "test images": 10_000 if net == "linear" else 2_000,
        "net": net,
        "optimizer": optimizer,
        "rate": rate,
        "epochs": 5 if net == "linear" else 2,
        "batch size": 256,
        "dilations": "0.5 to 2, in equal ratios",
        "slack": 1.0,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """Every error from one initialisation on the same batches."""
    import torch
    from torch.nn.functional import cross_entropy

    from softmax_trick.neighbours import fitting, label_only
    from softmax_trick.neighbours.normalizers import softmax_with_slack
    from softmax_trick.training.data import load

    data = load(str(protocol["data"]), data_dir)
    features, labels = fitting.features_of(data.train, int(protocol["training images"]))
    tested, truth = fitting.features_of(data.test, int(protocol["test images"]))
    dilation = 2 ** torch.linspace(-1, 1, 10)
    shape = (-1, *data.train.image) if protocol["net"] == "n0" else (-1, features.shape[1])
    inputs, outputs = features.view(shape), tested.view(shape)
    values: dict[str, dict[str, float]] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for arm, loss in _losses(dilation).items():
        net, optimizer = _network(protocol, seed, data.train.image)
        d = dilation if arm in (WITH, WITHOUT) else torch.ones(10)
        norm = fitting.largest_norm(net)
        before = float(cross_entropy(d * fitting.scores_of(net, inputs), labels))
        accuracies: list[float] = []
        shares: list[float] = []

        def look(
            epoch: int, net: nn.Module = net, d: Tensor = d, one: list[float] = accuracies, other: list[float] = shares
        ) -> None:
            scores = fitting.scores_of(net, outputs)
            one.append(fitting.accuracy(d * scores, truth))
            other.append(float((1 - softmax_with_slack(scores, float(protocol["slack"])).sum(-1)).mean()))

        how = fitting.fit(
            *(net, optimizer, loss, inputs, labels),
            *(int(protocol["epochs"]), int(protocol["batch size"]), seed, look),
        )
        values[arm] = {"diverged": float(how.diverged)}
        if not how.diverged and math.isfinite(accuracies[-1]):
            values[arm] |= {ACCURACY: accuracies[-1], NORM: fitting.largest_norm(net) / norm}
            if arm in (SOFTMAX, WITH, WITHOUT):
                values[arm][RISE] = float(cross_entropy(d * fitting.scores_of(net, inputs), labels)) - before
            if arm == SLACK:
                values[arm] |= {SHARE: shares[-1], LATER: shares[-1] - shares[0]}
        curves[arm] = {ACCURACY: [one for one in accuracies if math.isfinite(one)]}
    if protocol["net"] == "linear":
        u, v = features.double().numpy(), tested.double().numpy()
        weights = label_only.template(u, labels.numpy(), 10)
        values[TEMPLATE] = {ACCURACY: label_only.accuracy_of(weights, v, truth.numpy())}
    return Measured(values, curves)


def _losses(dilation: Tensor) -> dict[str, Loss]:
    """What each arm sends back."""
    import torch

    from softmax_trick.isbe import isbe_error
    from softmax_trick.training.losses import LOSSES, Loss, get_loss, relocated

    counts, with_d = torch.ones(10), relocated(dilation, torch.zeros(10))
    home = "softmax_trick.neighbours.normalizers"
    return {
        SOFTMAX: LOSSES["softmax"],
        WITH: with_d,
        WITHOUT: Loss(lambda x, t: (x, isbe_error(x.detach(), t, "softmax", dilation=dilation)), with_d.values),
        SLACK: get_loss(f"{home}:softmax_with_slack", counts),
        SPARSEMAX: get_loss(f"{home}:sparsemax", counts),
        LABELS: LOSSES["label-only"],
        NORMALIZE: get_loss(f"{home}:unit_length", counts),
    }


def _network(protocol: Protocol, seed: int, image: tuple[int, int, int]) -> tuple[nn.Module, Optimizer]:
    """The network, its last layer without a bias, and an optimizer on the mean of the errors that are sent back."""
    import torch
    from torch import nn

    from softmax_trick.training.batches import seed_generators
    from softmax_trick.training.networks import build

    seed_generators(seed, 0)
    net: nn.Module = build("n0", image) if protocol["net"] == "n0" else nn.Linear(784, 10, bias=False)
    rate = float(protocol["rate"])
    if protocol["optimizer"] == "Adam":
        return net, torch.optim.Adam(net.parameters(), lr=rate)
    return net, torch.optim.SGD(net.parameters(), lr=rate / int(protocol["batch size"]))


STUDY = Study(
    name="theory",
    title="theory meets practice: other errors, over a grid of rates",
    work="the theorems of this project's ledger",
    groups=tuple(PLACES),
    protocol=protocol,
    measure=measure,
    quantities={
        ACCURACY: "%, test images",
        RISE: "nats, of SoftMax(d x) on the training images, from before to after",
        LATER: "of SoftMax with slack: 1 less the sum of the soft scores, mean over the test images",
        NORM: "Frobenius norm of the last layer's weights, after over before",
        "diverged": "1 where a score was no longer finite",
    },
    statements=(
        Statement("with d (y - t) the cross-entropy falls", "it is the gradient", RISE, WITH, -math.inf, 0.0),
        Statement(
            "with y - t alone the cross-entropy falls, too",
            "y - t is no gradient for unequal d > 0, but dL/dt = -sum d_i (y_i - t_i)^2 at the scores",
            *(RISE, WITHOUT, -math.inf, 0.0),
        ),
        Statement(
            "sending d (y - t) is better than y - t",
            "only the former is a gradient",
            *(ACCURACY, WITH, 0.0, math.inf, WITHOUT),
        ),
        Statement(
            "the share of the slack goes on falling",
            "with slack no minimiser is finite: the scores rise together",
            *(LATER, SLACK, -math.inf, 0.0),
        ),
        Statement(
            "slack changes the accuracy by less than half a point",
            "the error of SoftMax with one more class",
            *(ACCURACY, SLACK, -0.5, 0.5, SOFTMAX),
        ),
        Statement(
            "sparsemax is not worse than SoftMax by more than half a point",
            "sparsemax(x) - t is the gradient of a convex loss",
            *(ACCURACY, SPARSEMAX, -0.5, math.inf, SOFTMAX),
        ),
        Statement(
            "label-only has the accuracy of the template (within 1.5 points)",
            "W_n = W_0 - eta sum e u^T, whatever the batches",
            *(ACCURACY, LABELS, -1.5, 1.5, TEMPLATE, PLAIN),
        ),
        Statement(
            "normalize is within five points of SoftMax",
            "paper, section 3: failed to converge; x / |x| - t is no gradient",
            *(ACCURACY, NORMALIZE, -5.0, math.inf, SOFTMAX),
        ),
    ),
    curve=Curve(ACCURACY, "test accuracy, %", "epoch"),
    data=("mnist",),
    seeds=5,
    fixed=("slack",),
)
