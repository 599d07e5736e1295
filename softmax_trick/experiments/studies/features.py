"""Rank-k training against the truncated singular value decomposition, on laws nearer and farther from independence."""

from __future__ import annotations

from pathlib import Path

from softmax_trick.experiments.study import Measured, Protocol, Study
from softmax_trick.measurements.findings import LOOKS, Statement
from softmax_trick.measurements.trials import Picture

TRAINED, ANGLE, RATIO, DISTANCE = "trained", "largest principal angle", "KL over half the tail", "distance to the SVD"
STRENGTHS = {f"eps = {eps}": eps for eps in (0.05, 0.2, 0.8)}


def protocol(group: str) -> Protocol:
    """Of a group: how far the law is from independence."""
    return {"eps": STRENGTHS[group], "values of x": 12, "values of y": 6, "k": 2, "optimizer": "L-BFGS on the law"}


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """A law of its own for each seed."""
    import numpy as np

    from softmax_trick.neighbours.features import dependence_matrix, principal_angles, train_rank_k, weak_law

    k = int(protocol["k"])
    law = weak_law(int(protocol["values of x"]), int(protocol["values of y"]), float(protocol["eps"]), seed)
    b = dependence_matrix(law)
    left, singular, right = np.linalg.svd(b)
    trained = train_rank_k(law, k, seed)
    psi, xi = trained.weighted(law)
    truncated = (left[:, :k] * singular[:k]) @ right[:k]
    values = {
        ANGLE: float(max(principal_angles(xi, right[:k].T)[0], principal_angles(psi, left[:, :k])[0])),
        RATIO: trained.excess(law) / (float((singular[k:] ** 2).sum()) / 2),
        DISTANCE: float(np.linalg.norm(psi @ xi.T - truncated) / np.linalg.norm(truncated)),
    }
    pictures = {} if seed else {"B": b, "truncated SVD": truncated, "trained Psi Xi^T": psi @ xi.T}
    return Measured({TRAINED: values}, pictures={name: Picture.of(one) for name, one in pictures.items()})


LOCAL = "E KL = 1/2 |B - Psi Xi^T|^2 + o(eps^2), whose minimum is the truncated SVD"
NEAR = ("eps = 0.05",)
STUDY = Study(
    name="features",
    title="universal features: rank-2 training against the singular value decomposition",
    work="S.-L. Huang, X. Xu, L. Zheng, G. W. Wornell (2019)",
    groups=tuple(STRENGTHS),
    protocol=protocol,
    measure=measure,
    quantities={
        ANGLE: "radians, between the features trained and the singular vectors, of x and of y",
        RATIO: "1 in the local regime",
        DISTANCE: "relative, Frobenius",
    },
    statements=(
        Statement(
            "the features are the singular vectors (angle below 0.2)", LOCAL, ANGLE, TRAINED, high=0.2, groups=NEAR
        ),
        Statement("KL is half the tail of the squares, within 2 %", LOCAL, RATIO, TRAINED, 0.98, 1.02, groups=NEAR),
        Statement(
            "the same far from independence: within 2 %",
            "a local statement only",
            *(RATIO, TRAINED, 0.98, 1.02),
            groups=("eps = 0.2", "eps = 0.8"),
        ),
    ),
    seeds=LOOKS[-1],
)
