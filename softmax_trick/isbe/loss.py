"""The wrapped form: ISBE as a loss module, whose gradient is grad_output * (F(x) - t).

The forward pass computes a value, if one is asked for, and keeps nothing but its inputs; the backward pass computes the
error. So the error is not paid for where no gradient is wanted, no score matrix is kept besides the scores, and a
second derivative goes through F. (An error kept from the forward pass is a constant to autograd, and second derivatives
would silently be wrong.)

Where the loss is the cross-entropy of labels, one SoftMax gives both value and error: of many scores on a CPU the error
is kept after all, for the first backward pass, and becomes the gradient; every further one computes its own. Of few
scores the loss is torch's own: a Function in Python would take twice as long. Where the native operator is built, value
and error are made in one visit of each row, for every normalizer (`softmax_trick.isbe.native`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from softmax_trick.isbe import native
from softmax_trick.isbe.error import BLOCK, textbook_error, write_error
from softmax_trick.isbe.targets import HALF_TYPES, Rule, check_inputs, explained, is_labelled_matrix, rule_for
from softmax_trick.isbe.values import (
    REDUCTIONS,
    VALUES,
    Reduction,
    Value,
    cross_entropy_and_error,
    denominator,
    no_value,
    reduce,
    row_scale,
    value_rows,
)
from softmax_trick.normalizers import Normalizer
from softmax_trick.system.eager import is_eager

NO_CLASS = -(2**63)
"""A label that torch is told to ignore, so that it ignores none."""

FEW = 2**18
"""Scores up to which, on a CPU, torch's cross-entropy takes less time than a Function in Python."""


class ISBELoss(nn.Module):
    """ISBE as a loss module: its value is the implicit loss P(x) - <x, t>, its gradient grad_output * (F(x) - t).

    For SoftMax and targets that sum to one the value is the cross-entropy after SoftMax; for Sigmoid it is the binary
    cross-entropy with logits, summed over the classes; for Tanh sum log cosh x - <x, 2t - 1>; for the hard forms
    clipped least squares. The potentials P stand in `softmax_trick.normalizers`.

    Args:
        normalizer: a name in `softmax_trick.normalizers.NORMALIZERS`, an entry of that table, or a `Normalizer` of your
            own.
        reduction: "sum" (the default: the gradient is then the ISBE error itself), "mean" over the rows that count, for
            labels with class weights divided by the sum of their weights, as in F.cross_entropy; or "none" for one
            value a row. The mean of no rows is NaN, as torch's, and its gradient 0.
        blurring: mu in [0, 1], as in `isbe_error`.
        value: what the forward pass computes; the gradient is the same for all three. "implicit", the loss that is
            minimised; "mse", half the squared error ||F(x) - t||^2 / 2, for monitoring; "none", nothing: then the
            value is NaN, which nobody takes for a loss.
        weight: as in `isbe_error`; a buffer of the module, which moves with it.
        ignore_index: as in `isbe_error`.
        label_smoothing: as in `isbe_error`.
        check_targets: as in `isbe_error`.

    Calling it with scores (..., K) and targets as in `isbe_error` gives a scalar, or a tensor of shape (...) for
    reduction "none", of the dtype of the scores (float32 under torch.autocast). Second derivatives are right, F being
    differentiated by torch. Gradients with respect to the targets are refused. A dilation needs no option here:
    `loss(d * scores - c, targets)` has the gradient d * (F(d * x - c) - t).

    Raises:
        ValueError, TypeError: as `isbe_error`; also for an unknown reduction or value, and for targets that require a
            gradient.
    """

    weight: Tensor | None

    def __init__(
        self,
        normalizer: str | Normalizer = "softmax",
        reduction: Reduction = "sum",
        blurring: float = 0.0,
        *,
        value: Value = "implicit",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        check_targets: bool = False,
    ) -> None:
        super().__init__()
        check_choices(reduction, value)
        self.rule = rule_for(normalizer, blurring, label_smoothing, ignore_index, check_targets)
        self.reduction = reduction
        self.value = value
        self.register_buffer("weight", weight, persistent=False)
        self._is_torchs = value == "implicit" and weight is None and self.rule.is_plain_cross_entropy

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The reduced value for the scores (..., K) and the targets."""
        rule = self.rule
        try:
            if rule.is_sharp and not rule.check_targets and is_eager():
                found = native.loss(rule, scores, targets, self.weight, self.value, self.reduction, _textbook_gradient)
                if found is not None:
                    return found
            if self._is_torchs and _is_small(scores, targets):
                return cross_entropy(scores, targets, reduction=self.reduction, ignore_index=NO_CLASS)
            check_inputs(scores, targets, rule, self.weight)
            if targets.requires_grad:
                raise ValueError("the targets require a gradient, which ISBE does not define: pass targets.detach()")
            return apply_loss(scores, targets, self.weight, rule, self.value, self.reduction)
        except (RuntimeError, IndexError) as error:
            raise explained(error, targets, rule, scores.shape[-1]) from None

    def extra_repr(self) -> str:
        """What `print(module)` shows."""
        rule = self.rule
        shown = f"normalizer={rule.normalizer.name!r}, reduction={self.reduction!r}, blurring={rule.blurring}"
        for name, value, usual in (
            ("value", self.value, "implicit"),
            ("ignore_index", rule.ignore_index, None),
            ("label_smoothing", rule.label_smoothing, 0),
        ):
            shown += f", {name}={value!r}" if value != usual else ""
        return shown


def check_choices(reduction: Reduction, value: Value) -> None:
    """Refuse an unknown reduction or value."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"unknown reduction {reduction!r}: choose one of {', '.join(REDUCTIONS)}")
    if value not in VALUES:
        raise ValueError(f"unknown value {value!r}: choose one of {', '.join(VALUES)}")


def apply_loss(
    scores: Tensor, targets: Tensor, weight: Tensor | None, rule: Rule, value: Value, reduction: Reduction
) -> Tensor:
    """The reduced value, part of a graph. Wrong class indices raise what torch raises."""
    if torch.compiler.is_compiling():
        apply = _Loss.apply
    elif is_eager():
        found = native.loss(rule, scores, targets, weight, value, reduction, _textbook_gradient)
        if found is not None:
            return found
        if weight is None and value == "implicit" and _keeps_error(scores, targets, rule):
            rows: Tensor = _apply_cross_entropy(scores, targets, rule, reduction)  # type: ignore[no-untyped-call]
            return rows
        apply = _apply_eagerly
    else:
        apply = _LossWithForwardMode.apply
    applied: Tensor = apply(scores, targets, weight, rule, value, reduction)  # type: ignore[no-untyped-call]
    return applied


def _is_small(scores: Tensor, targets: Tensor) -> bool:
    """Whether these are labels, and so few scores that a Function in Python costs more than it saves."""
    return is_labelled_matrix(scores, targets) and 0 < scores.numel() <= (FEW if scores.is_cpu else BLOCK)


def _keeps_error(scores: Tensor, targets: Tensor, rule: Rule) -> bool:
    """Whether this is the cross-entropy of so many scores that value and error are made of one SoftMax.

    Not in half precision, where a kept error would be rounded twice.
    """
    return (
        rule.is_cross_entropy
        and not targets.is_floating_point()
        and scores.is_cpu
        and scores.numel() > FEW
        and scores.dtype in (torch.float32, torch.float64)
        and torch.is_grad_enabled()
        and scores.requires_grad
    )


def in_dtype_of(scores: Tensor, value: Tensor) -> Tensor:
    """The value in the dtype of the scores; in float32 under autocast, so that a scaled loss does not overflow."""
    if scores.dtype not in HALF_TYPES:
        return value
    return value.to(torch.float32 if torch.is_autocast_enabled(scores.device.type) else scores.dtype)


class _Loss(torch.autograd.Function):
    """(x, t) -> the reduced value, with backward grad_output * (F(x) - t)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        scores: Tensor, targets: Tensor, weight: Tensor | None, rule: Rule, value: Value, reduction: Reduction
    ) -> Tensor:
        if value == "none":
            return in_dtype_of(scores, no_value(scores, scores.shape[:-1], reduction))
        count = denominator(rule, reduction, targets, weight, scores.shape[-1])
        rows = value_rows(rule, value, scores, targets, weight)
        return in_dtype_of(scores, reduce(rows, reduction, count))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        scores, targets, weight, ctx.rule, _, ctx.reduction = inputs
        ctx.save_for_backward(scores, targets, weight)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        scores, targets, weight = ctx.saved_tensors
        gradient = _gradient(grad_output, scores, targets, weight, ctx.rule, ctx.reduction)
        return gradient, None, None, None, None, None


def _gradient(
    grad_output: Tensor, scores: Tensor, targets: Tensor, weight: Tensor | None, rule: Rule, reduction: Reduction
) -> Tensor:
    """grad_output * (F(x) - t), by differentiable operations where a graph of it is made."""
    if not is_eager(scores, grad_output):
        return _textbook_gradient(grad_output, scores, targets, weight, rule, reduction)
    scale = row_scale(grad_output, reduction, denominator(rule, reduction, targets, weight, scores.shape[-1]))
    try:
        return write_error(rule, scores, targets, weight, scale=scale)
    except (RuntimeError, IndexError) as error:  # the first look at the targets, if no value was asked for
        raise explained(error, targets, rule, scores.shape[-1]) from None


def _textbook_gradient(
    grad_output: Tensor, scores: Tensor, targets: Tensor, weight: Tensor | None, rule: Rule, reduction: Reduction
) -> Tensor:
    """The same, always by differentiable operations."""
    scale = row_scale(grad_output, reduction, denominator(rule, reduction, targets, weight, scores.shape[-1]))
    return (scale * textbook_error(rule, scores, targets, weight)).to(scores.dtype)


# torch's own `apply` looks up the signature of `forward` each time, for the sake of torch.func: with ten classes that
# takes longer than everything else.
_apply_eagerly = super(torch.autograd.Function, _Loss).apply


class _LossWithForwardMode(_Loss):
    """The same with a derivative in forward mode, which torch.compile does not trace."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Loss.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*inputs[:3])

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        scores, targets, weight = ctx.saved_tensors
        count = denominator(ctx.rule, ctx.reduction, targets, weight, scores.shape[-1])
        error = textbook_error(ctx.rule, scores, targets, weight)
        return in_dtype_of(scores, reduce((error * tangent).sum(-1), ctx.reduction, count))


class _CrossEntropy(torch.autograd.Function):
    """(x, labels) -> the cross-entropy after SoftMax; its error is kept for the first backward pass."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor, rule: Rule, reduction: Reduction) -> Tensor:
        ctx.rule, ctx.reduction = rule, reduction
        ctx.save_for_backward(scores, labels)
        count = denominator(rule, reduction, labels, None, scores.shape[-1])
        scale = row_scale(scores.new_ones(()), reduction, count) if reduction == "mean" else None
        rows, ctx.kept = cross_entropy_and_error(rule, scores, labels, scale)
        return reduce(rows, reduction, count)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        scores, labels = ctx.saved_tensors
        gradient, ctx.kept = ctx.kept, None
        if gradient is None or not is_eager(scores, grad_output):
            gradient = _gradient(grad_output, scores, labels, None, ctx.rule, ctx.reduction)
        elif ctx.reduction == "none":
            gradient.mul_(grad_output.unsqueeze(-1))
        elif grad_output != 1:
            gradient.mul_(grad_output)
        return gradient, None, None, None


_apply_cross_entropy = super(torch.autograd.Function, _CrossEntropy).apply
