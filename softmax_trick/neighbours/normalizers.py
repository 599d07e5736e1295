"""Normalizers beside the paper's: SoftMax with slack, sparsemax, x / |x|; as functions of scores (..., K)."""

from __future__ import annotations

import torch
from torch import Tensor


def softmax_with_slack(x: Tensor, slack: float = 1.0) -> Tensor:
    """y_i = e^x_i / (C + sum_k e^x_k), C >= 0: SoftMax with one more class, whose score is log C and has no output.

    The error y - t is the gradient of log(C + sum e^x) - <x, t>.

    Raises:
        ValueError: the slack is negative.
    """
    if not slack >= 0:
        raise ValueError(f"the slack is {slack:g}: it must be 0 or more")
    if slack == 0:
        return x.softmax(-1)
    room = torch.full_like(x[..., :1], slack).log()
    return torch.cat([x, room], -1).softmax(-1)[..., :-1]


def sparsemax(x: Tensor) -> Tensor:
    """The nearest point of the simplex, y_i = max(x_i - tau, 0) (Martins, Astudillo 2016).

    tau is such that the sum is 1: with x sorted downwards, the largest k with 1 + k x_(k) > sum_{j <= k} x_(j) entries
    are positive, and tau = (sum_{j <= k} x_(j) - 1) / k.
    """
    ordered, sums = x.sort(-1, descending=True).values, x.sort(-1, descending=True).values.cumsum(-1)
    ranks = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
    support = (1 + ranks * ordered > sums).sum(-1, keepdim=True)
    tau = (sums.gather(-1, support - 1) - 1) / support
    return (x - tau).clamp(min=0)


def unit_length(x: Tensor) -> Tensor:
    """x / |x|, 0 at 0: F.normalize."""
    return torch.nn.functional.normalize(x, dim=-1)
