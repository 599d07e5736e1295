"""Of which mistake a wrong answer looks like."""

from __future__ import annotations

import torch
from torch import Tensor

NEAR = 1e-5  # relative: of what looks like a mistake nothing is claimed


def hint(found: Tensor, right: Tensor, what: str, n: int, k: int) -> str:
    """What was found as one of the usual misuses of the right answer, in words; "" if it is none of them.

    Args:
        found: the answer.
        right: the right one.
        what: "value", "gradient" or another.
        n: the number of rows.
        k: the number of classes.
    """
    found = found.detach().cpu().double()
    if found.shape != right.shape:
        return _by_shape(found, right, n, k)
    if not (found.isfinite().all() and right.isfinite().all()) or not right.numel() or not right.any():
        return ""
    for factor, words in _factors(n, k):
        if factor != 1 and _near(found, right * factor):
            return words
    if not found.any():
        return "it is 0 everywhere"
    return ""


def offset(found: Tensor, right: Tensor) -> str:
    """In words, that values differ by a constant, if they do and the gradient is right; "" otherwise."""
    by = (found.detach().cpu().double() - right).reshape(-1)
    if not by.numel() or not by.isfinite().all():
        return ""
    return (
        f"the gradient is right: the value is off by {float(by[0]):.6g}, which does not depend on the scores, "
        "as Kullback-Leibler divergence and cross-entropy differ by the entropy of the targets"
    )


def _factors(n: int, k: int) -> list[tuple[float, str]]:
    return [
        (-1, "it is the right one with the sign turned"),
        (
            1 / n if n else 1,
            f"it is the right one divided by the {n} rows: the mean for the sum? reduction= says which",
        ),
        (n, f"it is the right one times the {n} rows: the sum for the mean? reduction= says which"),
        (1 / k, f"it is the right one divided by the {k} classes: the mean over classes for the sum?"),
        (k, f"it is the right one times the {k} classes: the sum over classes for the mean?"),
        (1 / (n * k) if n else 1, "it is the right one divided by n K: the mean of all entries for the sum?"),
        (2, "it is twice the right one"),
        (0.5, "it is half of the right one"),
        (1.4426950408889634, "it is the right one in bits: a logarithm to the base 2?"),
    ]


def _by_shape(found: Tensor, right: Tensor, n: int, k: int) -> str:
    if tuple(found.shape) == (n, k) and right.dim() < 2:
        if n and k > 1 and _near(found.sum(-1), torch.ones(n, dtype=torch.float64)):
            return "its rows sum to 1: is it a normalizer? check_normalizer is for those"
        return "one value for each class: is .sum(-1) missing?"
    if tuple(found.shape) == (n,) and right.dim() == 0:
        return "one value for each row: that is reduction='none'"
    if found.dim() == 0 and right.dim() == 1:
        return "one value: that is reduction='sum' or 'mean'"
    return ""


def _near(found: Tensor, wanted: Tensor) -> bool:
    return bool(((found - wanted).abs() <= NEAR * wanted.abs().amax().clamp_min(1e-30)).all())
