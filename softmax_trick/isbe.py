"""ISBE for torch: normalise the scores, send the error F(x) - t straight back (paper, section 3 and Appendix B).

Direct form, no loss at all:

    scores = net(images)
    scores.backward(isbe_error(scores, labels, "softmax"))

Wrapped form, for the usual training loop; its value is the implicit loss P(x) - <x, t>, whose gradient is that error:

    loss = ISBELoss("softmax", reduction="sum")(net(images), labels)
    loss.backward()

Shapes: scores (..., K), classes last; targets (...) of class indices or (..., K) of soft targets in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from softmax_trick.normalizers import Normalizer, get_normalizer

Reduction = Literal["sum", "mean", "none"]
REDUCTIONS: tuple[Reduction, ...] = ("sum", "mean", "none")


def isbe_error(
    scores: Tensor, targets: Tensor, normalizer: str | Normalizer = "softmax", blurring: float = 0.0
) -> Tensor:
    """The ISBE error F(x) - t of every row, to be sent back by `scores.backward(error)`.

    With SoftMax it is the gradient of the *summed* cross-entropy (paper, equation 4). Class indices become one-hot
    targets; a blurring mu moves every target by t -> (1 - mu) t + mu / (K - 1) (1 - t) (section 3); targets are
    last mapped into the normalizer's range (2t - 1 for tanh and hardtanh).

    Args:
        scores: floating-point tensor of shape (..., K); it is read only and stays attached to its graph.
        targets: class indices of shape (...), or soft targets in [0, 1] of the shape of the scores.
        normalizer: a name in `softmax_trick.normalizers.NORMALIZERS`, or an entry of that table.
        blurring: mu in [0, 1].

    Returns:
        a tensor of the shape and dtype of the scores, without a graph.

    Raises:
        TypeError: scores or targets are of a dtype that does not fit.
        ValueError: the shapes do not fit, a class index is outside 0..K-1, or blurring is outside [0, 1] or asked for
            with a single class.
    """
    chosen = get_normalizer(normalizer)
    _check(scores, targets, blurring)
    with torch.no_grad(), _naming_wrong_indices(targets, scores.shape[-1]):
        return _error(scores, targets, chosen, blurring)


class ISBELoss(nn.Module):
    """ISBE as a loss module: its value is the implicit loss P(x) - <x, t>, its gradient grad_output * (F(x) - t).

    For SoftMax and targets that sum to one the value is the cross-entropy after SoftMax; for Sigmoid it is the binary
    cross-entropy with logits, summed over the classes; for Tanh sum log cosh x - <x, 2t - 1>; for the hard forms
    clipped least squares. The potentials P stand in `softmax_trick.normalizers`.

    Args:
        normalizer: a name in `softmax_trick.normalizers.NORMALIZERS`, or an entry of that table.
        reduction: "sum" (the default: the gradient is then the ISBE error itself), "mean" over the rows, or "none" for
            one value a row.
        blurring: mu in [0, 1], as in `isbe_error`.

    Calling it with scores (..., K) and targets as in `isbe_error` gives a scalar, or a tensor of shape (...) for
    reduction "none". Second derivatives are right, F being differentiated by torch. Gradients with respect to the
    targets are refused.

    Raises:
        ValueError, TypeError: as `isbe_error`; also for an unknown reduction, and for targets that require a gradient.
    """

    def __init__(
        self, normalizer: str | Normalizer = "softmax", reduction: Reduction = "sum", blurring: float = 0.0
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"unknown reduction {reduction!r}: choose one of {', '.join(REDUCTIONS)}")
        self.normalizer = get_normalizer(normalizer)
        self.reduction = reduction
        self.blurring = blurring

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The reduced implicit loss of the scores (..., K) for the targets."""
        _check(scores, targets, self.blurring)
        if targets.requires_grad:
            raise ValueError("the targets require a gradient, which ISBE does not define: pass targets.detach()")
        with _naming_wrong_indices(targets, scores.shape[-1]):
            rows: Tensor = _ImplicitLoss.apply(  # type: ignore[no-untyped-call]
                scores, targets, self.normalizer, self.blurring
            )
        match self.reduction:
            case "sum":
                return rows.sum()
            case "mean":
                return rows.mean()
            case "none":
                return rows

    def extra_repr(self) -> str:
        """What `print(module)` shows."""
        return f"normalizer={self.normalizer.name!r}, reduction={self.reduction!r}, blurring={self.blurring}"


class _ImplicitLoss(torch.autograd.Function):
    """(x, t) -> one value P(x) - <x, t> a row, with backward grad_output * (F(x) - t).

    The error is computed in backward, from the scores: so it is not paid for where no gradient is wanted, and a second
    derivative goes through F. (An error saved by forward would be a constant, and second derivatives silently wrong.)
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(scores: Tensor, targets: Tensor, normalizer: Normalizer, blurring: float) -> Tensor:
        # The two terms nearly cancel: half precision would leave a digit or two.
        wide = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
        value = normalizer.torch_potential(wide) - _inner_product(wide, targets, normalizer, blurring)
        return value.to(scores.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        scores, targets, ctx.normalizer, ctx.blurring = inputs
        ctx.save_for_backward(scores, targets)

    @staticmethod
    def backward(ctx: Any, grad_value: Tensor) -> tuple[Tensor, None, None, None]:
        scores, targets = ctx.saved_tensors
        return grad_value.unsqueeze(-1) * _error(scores, targets, ctx.normalizer, ctx.blurring), None, None, None


def _on_off(normalizer: Normalizer, blurring: float, k: int) -> tuple[float, float]:
    """The target of the labelled class and that of each other one, blurred and mapped into the range."""
    off = blurring / (k - 1) if blurring else 0.0
    return normalizer.map_target(1 - blurring), normalizer.map_target(off)


def _soft(targets: Tensor, normalizer: Normalizer, blurring: float, scores: Tensor) -> Tensor:
    """Soft targets, blurred and mapped into the range."""
    on, off = _on_off(normalizer, blurring, scores.shape[-1])
    return off + (on - off) * targets.to(scores.dtype)


def _error(scores: Tensor, targets: Tensor, normalizer: Normalizer, blurring: float) -> Tensor:
    """F(x) - t; the targets are class indices if they have one dimension less than the scores."""
    soft_scores = normalizer.torch(scores)
    if targets.is_floating_point():
        return soft_scores - _soft(targets, normalizer, blurring, scores)
    on, off = _on_off(normalizer, blurring, scores.shape[-1])
    if off:
        soft_scores = soft_scores - off
    index = targets.long().unsqueeze(-1)
    return soft_scores.scatter_add(-1, index, torch.full_like(index, off - on, dtype=scores.dtype))


def _inner_product(scores: Tensor, targets: Tensor, normalizer: Normalizer, blurring: float) -> Tensor:
    """<x, t> of every row."""
    if targets.is_floating_point():
        return (scores * _soft(targets, normalizer, blurring, scores)).sum(-1)
    on, off = _on_off(normalizer, blurring, scores.shape[-1])
    labelled = (on - off) * scores.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1)
    return labelled + off * scores.sum(-1) if off else labelled


def _check(scores: Tensor, targets: Tensor, blurring: float) -> None:
    if not scores.is_floating_point():
        raise TypeError(f"scores must be floating-point, not {scores.dtype}")
    if scores.dim() == 0 or scores.shape[-1] == 0:
        raise ValueError(f"scores must have shape (..., K) with K >= 1 classes, not {tuple(scores.shape)}")
    if not 0 <= blurring <= 1:
        raise ValueError(f"blurring must be in [0, 1], not {blurring}")
    if blurring and scores.shape[-1] == 1:
        raise ValueError("blurring needs at least two classes: with one class there is no other to blur into")
    if targets.is_floating_point():
        if targets.shape != scores.shape:
            raise ValueError(
                f"soft targets must have the shape of the scores {tuple(scores.shape)}, not {tuple(targets.shape)}; "
                f"class indices must be integers (targets.long())"
            )
        return
    if targets.dtype == torch.bool or targets.is_complex():
        raise TypeError(
            f"targets must be class indices (an integer dtype) or soft targets (float), not {targets.dtype}"
        )
    if targets.shape != scores.shape[:-1]:
        raise ValueError(
            f"class indices for scores of shape {tuple(scores.shape)} must have shape {tuple(scores.shape[:-1])}, "
            f"not {tuple(targets.shape)}; soft targets must be floating-point"
        )


@contextmanager
def _naming_wrong_indices(targets: Tensor, k: int) -> Iterator[None]:
    """Say which class index is out of range, and where, if torch reports that one is.

    Nobody looks at the values before: that would stop an accelerator's pipeline, break a compiled graph, and cost more
    than the error itself for few classes.
    """
    try:
        yield
    except (RuntimeError, IndexError):
        if (row := _first_outside(targets, k)) is not None:  # () is the row of a single label
            wrong = int(targets[row])
            raise ValueError(f"class index {wrong} in row {list(row)} is outside 0..{k - 1} (K = {k})") from None
        raise


def _first_outside(targets: Tensor, k: int) -> tuple[int, ...] | None:
    """The row of the first class index outside 0..k-1; None if there is none, or where values cannot be looked at."""
    if targets.is_floating_point() or targets.device.type != "cpu":
        return None
    try:
        rows = ((targets < 0) | (targets >= k)).nonzero().tolist()
    except RuntimeError:  # inside vmap
        return None
    return tuple(rows[0]) if rows else None
