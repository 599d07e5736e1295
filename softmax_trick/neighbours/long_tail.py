"""The meta sampler of Balanced Meta-SoftMax (Ren and others 2020): sampling rates learnt through one step.

Class k is drawn at a rate r_k = sigmoid(omega_k). On a batch of features h (n, D) of the last layer W (K, D) with the
errors e = y_b - t of the balanced loss:

    w_n = r_{y_n} / sum_m r_{y_m},   W' = W - eta sum w_n e_n h_n^T,   L(omega) = cross-entropy of W' on a meta batch.

The hypergradient is in closed form, with G the gradient of the meta loss at W':

    a_n = dL/dw_n = -eta h_n^T G^T e_n,
    dL/domega_k = r_k (1 - r_k) / sum r (sum_{n in k} a_n - n_k sum_m a_m w_m).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from softmax_trick.isbe import isbe_error


def class_weights(omega: Tensor, labels: Tensor) -> Tensor:
    """w_n = r_{y_n} / sum_m r_{y_m}, shape (n,)."""
    rates = omega.sigmoid()[labels]
    return rates / rates.sum()


def stepped(weights: Tensor, features: Tensor, errors: Tensor, shares: Tensor, rate: float) -> Tensor:
    """W' = W - eta sum w_n e_n h_n^T, shape (K, D)."""
    return weights - rate * (shares[:, None] * errors).T @ features


def meta_gradient(weights: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the mean cross-entropy of W h at W, shape (K, D): the ISBE error, sent through a linear layer."""
    error = isbe_error(features @ weights.T, labels, "softmax")
    return error.T @ features / len(labels)


def hypergradient(
    omega: Tensor,
    weights: Tensor,
    batch: tuple[Tensor, Tensor, Tensor],
    meta: tuple[Tensor, Tensor],
    rate: float,
) -> Tensor:
    """dL/domega, shape (K,).

    Args:
        omega: shape (K,).
        weights: W, shape (K, D).
        batch: features (n, D), labels (n,) and the errors of the balanced loss (n, K).
        meta: features (m, D) and labels (m,) of the meta batch.
        rate: eta, of the inner step.

    Raises:
        ValueError: the rate is not positive.
    """
    if not rate > 0:
        raise ValueError(f"the inner rate is {rate:g}: it must be positive")
    features, labels, errors = batch
    shares = class_weights(omega, labels)
    g = meta_gradient(stepped(weights, features, errors, shares, rate), *meta)
    a = -rate * ((errors @ g) * features).sum(-1)
    rates = omega.sigmoid()
    of_class = torch.zeros_like(omega).index_add(0, labels, a)
    counts = labels.bincount(minlength=len(omega)).to(omega.dtype)
    return rates * (1 - rates) / rates[labels].sum() * (of_class - counts * (a @ shares))


def drawn_by(omega: Tensor, labels: Tensor, batch_size: int) -> Iterator[Tensor]:
    """As many batches as an epoch has, of indices drawn with a probability ~ r_{y_n}; omega may change meanwhile."""
    for _ in range(-(-len(labels) // batch_size)):
        yield torch.multinomial(omega.sigmoid()[labels], batch_size, replacement=True)


def class_balanced(labels: Tensor, classes: int, per_class: int) -> Tensor:
    """Indices of so many examples of each class, drawn with replacement.

    Raises:
        ValueError: a class has no example.
    """
    counts = labels.bincount(minlength=classes)
    if not counts.all():
        raise ValueError(f"class {int(counts.argmin())} has no example: none can be drawn of it")
    chance = 1 / counts[labels].double()
    return torch.multinomial(chance, per_class * classes, replacement=True)
