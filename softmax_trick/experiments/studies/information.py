"""Estimates of the information between points and classes, beside laws whose information is a finite sum."""

from __future__ import annotations

import math
from pathlib import Path

from softmax_trick.experiments.study import Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement

ENTROPY, CLASSES, PC = "H(Y) - CE", "log K - CE", "E log PC"
IMBALANCES = {"balanced": 1.0, "imbalance 10": 10.0, "imbalance 100": 100.0}
EXCESS, ESTIMATE, INFORMATION, GAP = "estimate less information", "estimate", "information", "E KL less the gap"
MARGIN = 0.05  # nats


def protocol(group: str) -> Protocol:
    """Of a group: the imbalance of the law."""
    return {
        "imbalance": IMBALANCES[group],
        "classes": 6.0,
        "examples": 20_000,
        "net": "2-64-6 with ReLU",
        "optimizer": "Adam",
        "rate": 0.01,
        "epochs": 20,
        "batch size": 256,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """Two networks on the same examples, by cross-entropy and by PC-SoftMax; expectations are sums over the law."""
    import numpy as np
    import torch

    from softmax_trick.neighbours import fitting
    from softmax_trick.neighbours.information import gaussian_law
    from softmax_trick.training.batches import seed_generators
    from softmax_trick.training.losses import LOSSES, balanced_softmax

    classes = int(protocol["classes"])
    law = gaussian_law(classes, float(protocol["imbalance"]))
    points, labels = law.draw(int(protocol["examples"]), seed)
    u, t = torch.from_numpy(points).float(), torch.from_numpy(labels)
    scores = {}
    # PC-SoftMax: -log PC_c is the Balanced SoftMax loss at the priors plus log pi_c, so their gradient is one.
    for name, loss in (("ce", LOSSES["ce-sum"]), ("pc", balanced_softmax(torch.from_numpy(law.priors).float()))):
        seed_generators(seed, 0)
        net = fitting.perceptron(2, classes, 64)
        optimizer = torch.optim.Adam(net.parameters(), lr=float(protocol["rate"]))
        fitting.fit(net, optimizer, loss, u, t, int(protocol["epochs"]), int(protocol["batch size"]), seed)
        scores[name] = fitting.scores_of(net, torch.from_numpy(law.points).float()).double().numpy()
    ce = law.cross_entropy(scores["ce"])
    estimates = {
        ENTROPY: law.label_entropy - ce,
        CLASSES: float(np.log(classes)) - ce,
        PC: law.pointwise_estimate(scores["pc"]),
    }
    known = law.information
    values = {arm: {ESTIMATE: found, EXCESS: found - known, INFORMATION: known} for arm, found in estimates.items()}
    values[ENTROPY][GAP] = law.gap(scores["ce"]) - (known - estimates[ENTROPY])
    return Measured(values)


STUDY = Study(
    name="information",
    title="information by log SoftMax, beside laws whose information is known",
    work="Z. Qin, D. Kim, T. Gedeon, Rethinking Softmax with Cross-Entropy (2019)",
    groups=tuple(IMBALANCES),
    protocol=protocol,
    measure=measure,
    quantities={
        EXCESS: "nats",
        ESTIMATE: "nats; the expectation over the law, of a network trained on examples",
        INFORMATION: "nats, a finite sum",
        GAP: "nats; E KL(p || q) less (information - estimate), an identity: 0 but for rounding",
    },
    statements=(
        Statement("H(Y) - CE is a lower bound", "I - (H(Y) - CE) = E KL(p || q) >= 0", EXCESS, ENTROPY, -math.inf, 0.0),
        Statement(
            f"H(Y) - CE is within {MARGIN} nats",
            "the gap is E KL, small for a good fit",
            EXCESS,
            ENTROPY,
            -MARGIN,
            MARGIN,
        ),
        Statement(
            "log K - CE is a lower bound",
            "true for balanced classes only: log K - H(Y) is added",
            *(EXCESS, CLASSES, -math.inf, 0.0),
        ),
        Statement(
            f"E log PC is within {MARGIN} nats",
            "at the posterior log PC is the pointwise information, for any priors",
            *(EXCESS, PC, -MARGIN, MARGIN),
        ),
    ),
)
