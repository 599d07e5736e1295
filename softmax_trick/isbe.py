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
    with torch.no_grad():
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
        rows: Tensor
        rows, _ = _ImplicitLoss.apply(scores, targets, self.normalizer, self.blurring)  # type: ignore[no-untyped-call]
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
    """(x, t) -> one value P(x) - <x, t> a row, with backward grad_output * (F(x) - t)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(scores: Tensor, targets: Tensor, normalizer: Normalizer, blurring: float) -> tuple[Tensor, Tensor]:
        value = normalizer.torch_potential(scores) - _inner_product(scores, targets, normalizer, blurring)
        return value, _error(scores, targets, normalizer, blurring)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        scores, targets, ctx.normalizer, ctx.blurring = inputs
        error = output[1]
        ctx.mark_non_differentiable(error)
        ctx.save_for_backward(scores, targets, error)

    @staticmethod
    def backward(ctx: Any, grad_value: Tensor, _grad_error: Tensor) -> tuple[Tensor, None, None, None]:
        scores, targets, error = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A derivative of this gradient is wanted: the saved error is a constant and would make it silently wrong,
            # so F(x) - t is computed again, attached to the scores.
            error = _error(scores, targets, ctx.normalizer, ctx.blurring)
        return grad_value.unsqueeze(-1) * error, None, None, None


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
    k = scores.shape[-1]
    if not 0 <= blurring <= 1:
        raise ValueError(f"blurring must be in [0, 1], not {blurring}")
    if blurring and k == 1:
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
    if _some_outside(targets, k):
        wrong = ((targets < 0) | (targets >= k)).nonzero()[0]
        raise ValueError(
            f"class index {int(targets[tuple(wrong)])} in row {wrong.tolist()} is outside 0..{k - 1} (K = {k})"
        )


def _some_outside(targets: Tensor, k: int) -> bool:
    """Whether a class index is outside 0..k-1, where that can be seen at no cost.

    A look at the values would stop an accelerator's pipeline, breaks a compiled graph and is refused inside vmap: there
    scatter's own assertion reports a wrong index.
    """
    if targets.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    try:
        return bool(((targets < 0) | (targets >= k)).any())
    except RuntimeError:  # inside vmap
        return False
