"""The error after SoftMax in one kernel, for labels and scores on CUDA: each score is read twice and written once.

Both readings of a row come close together, so that the second one finds much of it in a cache; the floor is to read
and to write the scores once. The kernel is in Triton, which PyTorch brings along on CUDA. Where that does not work, for
want of a C compiler, say, and for soft targets, class weights and other normalizers, the error is made of torch's
operations (`softmax_trick.isbe.error`); `path` says which it is.

Evidence: tests/test_isbe_kernel.py compares it with torch's operations in Triton's interpreter and compiles it for
NVIDIA's architectures 8.0 and 9.0. Nobody has run it on a GPU yet, so there are no times.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
from torch import Tensor

from softmax_trick.isbe.targets import Rule, rule_for
from softmax_trick.normalizers import SOFTMAX

NARROWEST, WIDEST = 32, 4096
"""Scores of a row that a program holds in its registers at a time, at least and at most; powers of two."""


def path(device: torch.device | str) -> str:
    """Which way the error after SoftMax goes on the device: "one kernel", or "torch's operations", and why."""
    device = torch.device(device)
    if device.type != "cuda":
        return "torch's operations: the kernel is for CUDA"
    reason = _obstacle(device)
    return f"torch's operations: {reason}" if reason else "one kernel"


def takes(rule: Rule, scores: Tensor, targets: Tensor, weight: Tensor | None) -> bool:
    """Whether the kernel computes this error, of scores (n, K)."""
    return (
        scores.is_cuda
        and rule.normalizer is SOFTMAX
        and weight is None
        and not targets.is_floating_point()
        and scores.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and scores.numel() > 0
        and not _obstacle(scores.device)
    )


@cache
def _obstacle(device: torch.device) -> str:
    """Why the kernel does not run there; "" if it does. It is tried once."""
    try:
        scores = torch.zeros(1, 2, device=device)
        fused_error(rule_for(SOFTMAX), scores, torch.zeros(1, dtype=torch.int64, device=device), scores.clone(), None)
        torch.cuda.synchronize(device)
    except Exception as error:  # whatever Triton, its compiler or the driver raise
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(f"ISBE on {device} is made of torch's operations, not of one kernel: {reason}", stacklevel=2)
        return reason
    return ""


def fused_error(rule: Rule, scores: Tensor, labels: Tensor, out: Tensor, scale: Tensor | None) -> Tensor:
    """scale * (F(x) - t), written into `out`, for scores and `out` of shape (n, K) and labels (n,).

    In float32, whatever the dtype of the scores, and rounded once. A row whose label is out of range becomes NaN: to
    name the label one would have to wait for the device (`check_targets` does).

    scale: None for 1, a scalar, or a factor for each row, shape (n, 1).
    """
    from softmax_trick.isbe.triton_kernel import softmax_error

    n, k = scores.shape
    x = scores if scores.stride(-1) == 1 else scores.contiguous()
    error = out if out.stride(-1) == 1 else torch.empty_like(out, memory_format=torch.contiguous_format)
    factor = x if scale is None else scale.reshape(-1).expand(n)
    ignored = rule.ignore_index
    width = max(NARROWEST, min(WIDEST, 1 << (k - 1).bit_length()))
    with torch.cuda.device_of(x):  # Triton launches on the current device, which may be another one
        softmax_error[(n,)](
            *(x, labels.contiguous(), error, factor),
            *(k, x.stride(0), error.stride(0), factor.stride(0)),
            *rule.on_off(k),
            0 if ignored is None else ignored,
            scaled=scale is not None,
            ignores=ignored is not None,
            width=width,
            num_warps=max(1, width // 256),
        )
    return error if error is out else out.copy_(error)
