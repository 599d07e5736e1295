"""Laws of two variables with finitely many values, their information, and how a classifier's scores estimate it.

After Qin, Kim, Gedeon 2019: log PC_c = x_c - log sum_k pi_k e^x_k, PC-SoftMax, is the pointwise information at the
posterior, for any priors pi; E log(q_Y / pi_Y) <= I(X; Y) for every q, and the gap is E KL(p || q). All in nats.
A law is a matrix p(x, y) of shape (M, K).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointLaw:
    """A law of X, a point of the plane, and of Y, its class.

    Attributes:
        points: shape (M, 2), the values of X.
        table: shape (M, K), p(x, y).

    Raises:
        ValueError: a probability is negative, they do not sum to 1, or a class has none.
    """

    points: Array
    table: Array

    def __post_init__(self) -> None:
        if (self.table < 0).any() or not np.isclose(self.table.sum(), 1):
            raise ValueError("the table is no law: its entries must be 0 or more, and sum to 1")
        if not self.table.sum(0).all():
            raise ValueError(f"class {int(self.table.sum(0).argmin())} has probability 0: leave it out of the table")

    @property
    def priors(self) -> Array:
        """pi, shape (K,)."""
        sums: Array = self.table.sum(0)
        return sums

    @property
    def label_entropy(self) -> float:
        """H(Y)."""
        return float(-(self.priors * np.log(self.priors)).sum())

    @property
    def information(self) -> float:
        """I(X; Y) = sum p(x, y) log (p(x, y) / (p(x) p(y)))."""
        product = self.table.sum(1, keepdims=True) * self.priors
        there = self.table > 0
        return float((self.table[there] * np.log(self.table[there] / product[there])).sum())

    def cross_entropy(self, scores: Array) -> float:
        """-E log q_Y for q = SoftMax(scores of x), scores of shape (M, K)."""
        return float(-(self.table * _log_softmax(scores)).sum())

    def pointwise_estimate(self, scores: Array) -> float:
        """E log PC_Y, the scores being those of PC-SoftMax with the priors of this law."""
        shifted = _log_softmax(scores + np.log(self.priors))
        return float((self.table * (shifted - np.log(self.priors))).sum())

    def gap(self, scores: Array) -> float:
        """E KL(p(. | x) || q(. | x)) for q = SoftMax(scores): what the bound H(Y) - CE lacks."""
        share = self.table.sum(1, keepdims=True)
        there = self.table > 0
        posterior = (self.table / share)[there]
        return float((self.table[there] * (np.log(posterior) - _log_softmax(scores)[there])).sum())

    def draw(self, n: int, seed: int) -> tuple[Array, NDArray[np.int64]]:
        """n independent pairs: points (n, 2) and classes (n,)."""
        flat = np.random.RandomState(seed).choice(self.table.size, size=n, p=self.table.ravel() / self.table.sum())
        rows, classes = np.unravel_index(flat, self.table.shape)
        return self.points[rows], classes.astype(np.int64)


def gaussian_law(classes: int, imbalance: float) -> JointLaw:
    """Gaussian classes around a circle, on a grid of the plane: the class k has a probability ~ imbalance^(-k/(K-1)).

    Raises:
        ValueError: there are fewer than two classes, or the imbalance is below 1.
    """
    if classes < 2 or not imbalance >= 1:
        raise ValueError(f"{classes} classes with an imbalance of {imbalance:g}: at least 2, and 1 or more, are needed")
    axis = np.linspace(-2, 2, 16)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    angles = 2 * np.pi * np.arange(classes) / classes
    centres = np.stack([np.cos(angles), np.sin(angles)], -1)
    densities = np.exp(-((points[:, None] - centres) ** 2).sum(-1) / (2 * 0.6**2))
    priors = imbalance ** (-np.arange(classes) / (classes - 1))
    return JointLaw(points, densities / densities.sum(0) * (priors / priors.sum()))


def _log_softmax(scores: Array) -> Array:
    from scipy.special import log_softmax

    found: Array = log_softmax(scores, axis=-1)
    return found
