"""Of which mistake a wrong answer looks like."""

from __future__ import annotations

import math

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
    fits = [words for factor, words in _factors(n, k) if factor != 1 and _near(found, right * factor)]
    if fits:
        return f"it is the right one {', or '.join(fits)}"
    if not found.any():
        return "it is 0 everywhere"
    return ""


def offset(found: Tensor, right: Tensor) -> str:
    """In words, that a value is off where the gradient is right: by what does not depend on the scores."""
    by = (found.detach().cpu().double() - right).reshape(-1)
    if not by.numel() or not by.isfinite().all():
        return ""
    return (
        f"the gradient is right, so the value is off by a constant that does not depend on the scores, here "
        f"{float(by[0]):.6g}: as Kullback-Leibler divergence and cross-entropy differ by the entropy of the targets"
    )


def _factors(n: int, k: int) -> list[tuple[float, str]]:
    n = max(n, 1)
    return [
        (-1, "with the sign turned"),
        (1 / n, f"divided by the {n} rows: the mean for the sum? reduction= says which"),
        (n, f"times the {n} rows: the sum for the mean? reduction= says which"),
        (1 / k, f"divided by the {k} classes: a mean over classes, or K for a class?"),
        (k, f"times the {k} classes: a sum over classes for their mean?"),
        (1 / (n * k), "divided by n K: the mean of all entries? torch's kl_div has 'batchmean' for that of the rows"),
        (n * k, "times n K: the sum for the mean of all entries?"),
        (2, "doubled"),
        (0.5, "halved"),
        (1 / math.log(2), "in bits: a logarithm to the base 2?"),
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
