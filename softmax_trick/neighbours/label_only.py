"""Errors from labels alone, e = a 1 - b t (after Li, Doroslovački, Loew, IEEE Access 8, 2020; the formula is ours).

Of one linear layer they make something that is known without training, because they do not depend on its weights:

    W_n = W_0 - eta sum e u^T,                 whatever the batches;

the weights grow along the template M = -sum e u^T, which is bounded only where the sum vanishes, and the classes found
tend to those of the template. Where the scores are standardised (BatchNorm without affine part) the sum of <e, x> is
least where the correlation of score k with the indicator of class k is largest: least squares.

Features are (n, D), in float64; a feature that is constantly 1 serves as the bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def label_errors(labels: NDArray[np.int64], classes: int) -> Array:
    """e = 1/K - t for each example, shape (n, K): the error of cross-entropy at scores of 0."""
    return 1 / classes - np.eye(classes)[labels]


def template(features: Array, labels: NDArray[np.int64], classes: int) -> Array:
    """-sum e u^T, shape (K, D): the direction in which plain gradient descent moves a linear layer for ever."""
    return -label_errors(labels, classes).T @ features


def weights_after(start: Array, features: Array, labels: NDArray[np.int64], rate: float, passes: int) -> Array:
    """W_0 - eta passes sum e u^T: those of a linear layer (K, D) after so many passes of SGD on the summed errors."""
    return start + rate * passes * template(features, labels, len(start))


def least_squares(features: Array, labels: NDArray[np.int64], classes: int) -> tuple[Array, Array]:
    """The linear scores that correlate most with the indicators of their classes, standardised: weights and biases.

    w_k = Sigma^+ cov(u, 1[k]) / s_k, with s_k the standard deviation of its score; Sigma may be singular.

    Raises:
        ValueError: a class has no example, or no feature varies, so that nothing correlates with it.
    """
    counts = np.bincount(labels, minlength=classes)
    if not counts.all():
        raise ValueError(f"class {int(counts.argmin())} has no example: no score correlates with it")
    mean = features.mean(0)
    centred = features - mean
    indicators = np.eye(classes)[labels] - counts / len(labels)
    sigma, cross = centred.T @ centred / len(labels), centred.T @ indicators / len(labels)
    values, vectors = np.linalg.eigh(sigma)
    if not values[-1] > 0:
        raise ValueError("no feature varies: no linear score correlates with a class")
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    weights = (vectors[:, kept] / values[kept]) @ (vectors[:, kept].T @ cross)
    weights /= np.sqrt(np.einsum("dk,de,ek->k", weights, sigma, weights))
    return weights.T, -mean @ weights


def accuracy_of(weights: Array, features: Array, labels: NDArray[np.int64], biases: Array | float = 0.0) -> float:
    """Percent of the examples whose largest score W u + b is that of their label."""
    return 100 * float(((features @ weights.T + biases).argmax(-1) == labels).mean())
