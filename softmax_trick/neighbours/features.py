"""Universal features: the canonical dependence matrix, its singular vectors, and rank-k training (Huang and others).

For a law p(x, y) of shape (M, K), B = (p(x, y) - p(x) p(y)) / sqrt(p(x) p(y)), shape (K, M). The exponential family
q(y | x) ~ exp(<v(y), s(x)> + b(y)) with k features is trained by minimising the expected cross-entropy itself, so that
nothing is sampled. For a law near independence, E KL(p || q) = 1/2 |B - Psi Xi^T|^2 + o(eps^2) with
Xi = sqrt(p_x) (s - E s), Psi = sqrt(p_y) (v - E v): its minimum is the truncated SVD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Array = NDArray[np.float64]


def weak_law(inputs: int, classes: int, strength: float, seed: int) -> Array:
    """p(x, y) = p(x) p(y) (1 + eps M), shape (inputs, classes), with E M = 0 along both, |M| <= 1: I(X; Y) ~ eps^2.

    Raises:
        ValueError: the strength eps is not in (0, 1): a probability might be negative.
    """
    if not 0 < strength < 1:
        raise ValueError(f"the strength is {strength:g}: it must lie between 0 and 1, or a probability is negative")
    random = np.random.RandomState(seed)
    p_x, p_y = random.dirichlet(np.full(inputs, 5.0)), random.dirichlet(np.full(classes, 5.0))
    m = random.standard_normal((inputs, classes))
    m -= p_x @ m
    m -= (m @ p_y)[:, None]
    return np.outer(p_x, p_y) * (1 + strength * m / np.abs(m).max())


def dependence_matrix(law: Array) -> Array:
    """B(y, x) = (p(x, y) - p(x) p(y)) / sqrt(p(x) p(y)), shape (K, M); its singular values are at most 1.

    Raises:
        ValueError: a value of X or of Y has probability 0.
    """
    p_x, p_y = law.sum(1), law.sum(0)
    for name, shares in (("x", p_x), ("y", p_y)):
        if not shares.all():
            raise ValueError(f"the value {int(shares.argmin())} of {name} has probability 0: leave it out of the law")
    root = np.sqrt(np.outer(p_x, p_y))
    return ((law - np.outer(p_x, p_y)) / root).T


@dataclass(frozen=True)
class RankK:
    """A family q(y | x) ~ exp(<v(y), s(x)> + b(y)).

    Attributes:
        s: the features of x, shape (M, k).
        v: those of y, shape (K, k).
        b: shape (K,).
    """

    s: Array
    v: Array
    b: Array

    def excess(self, law: Array) -> float:
        """E KL(p(. | x) || q(. | x)) in nats."""
        posterior = law / law.sum(1, keepdims=True)
        there = law > 0
        return float((law[there] * (np.log(posterior[there]) - log_softmax(self._logits, axis=1)[there])).sum())

    @property
    def _logits(self) -> Array:
        return self.s @ self.v.T + self.b

    def weighted(self, law: Array) -> tuple[Array, Array]:
        """Psi (K, k) and Xi (M, k)."""
        p_x, p_y = law.sum(1), law.sum(0)
        xi = np.sqrt(p_x)[:, None] * (self.s - p_x @ self.s)
        psi = np.sqrt(p_y)[:, None] * (self.v - p_y @ self.v)
        return psi, xi


def train_rank_k(law: Array, k: int, seed: int) -> RankK:
    """Minimise the expected cross-entropy of the law by L-BFGS, from a random beginning.

    Raises:
        ValueError: k is not between 1 and min(M, K) - 1, the rank that B can have.
    """
    from scipy.optimize import minimize

    inputs, classes = law.shape
    if not 1 <= k < min(inputs, classes):
        raise ValueError(f"rank {k} for a law of {inputs} x {classes}: it must be from 1 to {min(law.shape) - 1}")
    p_x = law.sum(1, keepdims=True)

    def family(flat: Array) -> RankK:
        s, v, b = np.split(flat, [inputs * k, (inputs + classes) * k])
        return RankK(s.reshape(inputs, k), v.reshape(classes, k), b)

    def value(flat: Array) -> tuple[float, Array]:
        one = family(flat)
        log_q = log_softmax(one.s @ one.v.T + one.b, axis=1)
        error = p_x * np.exp(log_q) - law  # that of ISBE, weighted: y - t on average
        gradient = np.concatenate([(error @ one.v).ravel(), (error.T @ one.s).ravel(), error.sum(0)])
        return float(-(law * log_q).sum()), gradient

    start = 0.3 * np.random.RandomState(seed).standard_normal((inputs + classes) * k + classes)
    found = minimize(value, start, jac=True, method="L-BFGS-B", options={"maxiter": 20_000, "ftol": 0, "gtol": 1e-10})
    return family(found.x)


def principal_angles(first: Array, second: Array) -> Array:
    """The angles between the column spaces of two matrices, radians, the largest first."""
    from scipy.linalg import subspace_angles

    angles: Array = subspace_angles(first, second)
    return angles
