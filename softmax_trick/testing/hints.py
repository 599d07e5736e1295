"""Of which mistake a wrong answer looks like."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

NEAR = 1e-5  # relative: of what looks like a mistake nothing is claimed


def hints(found: Tensor, right: Tensor, what: str, n: int, k: int) -> tuple[str, ...] | None:
    """Of which usual misuses of the right answer what was found may be one, in words; None if that is not to be told.

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
        return None
    fits = [words for factor, words in _factors(n, k) if factor != 1 and _near(found, right * factor)]
    if not fits and not found.any():
        return ("it is 0 everywhere",)
    return tuple(f"it is the right one {one}" for one in fits)


def common(seen: Sequence[tuple[str, ...]]) -> str:
    """What the last of several wrong answers looks like, as far as all others look like it, too."""
    if not seen:
        return ""
    kinds = [{_without_sizes(one) for one in each} for each in seen]
    kept = [one for one in seen[-1] if _without_sizes(one) in set.intersection(*kinds)]
    return ", or ".join([*kept[:1], *(one.removeprefix("it is the right one ") for one in kept[1:])])


def _without_sizes(words: str) -> str:
    return re.sub("[0-9]+", "n", words)


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


def _by_shape(found: Tensor, right: Tensor, n: int, k: int) -> tuple[str, ...]:
    if tuple(found.shape) == (n, k) and right.dim() < 2:
        if n and k > 1 and _near(found.sum(-1), torch.ones(n, dtype=torch.float64)):
            return ("its rows sum to 1: is it a normalizer? check_normalizer is for those",)
        return ("one value for each class: is .sum(-1) missing?",)
    if tuple(found.shape) == (n,) and right.dim() == 0:
        return ("one value for each row: that is reduction='none'",)
    if found.dim() == 0 and right.dim() == 1:
        return ("one value: that is reduction='sum' or 'mean'",)
    return ()


def _near(found: Tensor, wanted: Tensor) -> bool:
    return bool(((found - wanted).abs() <= NEAR * wanted.abs().amax().clamp_min(1e-30)).all())
