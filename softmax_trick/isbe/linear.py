"""The last linear layer and the error together, in chunks of rows: the scores of all rows never exist at once."""

from __future__ import annotations

from math import ceil
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import linear

from softmax_trick.isbe.error import textbook_error
from softmax_trick.isbe.loss import apply_loss, check_choices, in_dtype_of
from softmax_trick.isbe.targets import HALF_TYPES, Rule, check_fit, check_weight, explained, rule_for
from softmax_trick.isbe.values import (
    Reduction,
    Value,
    denominator,
    no_value,
    reduce,
    row_scale,
    value_rows,
    values_and_error,
)
from softmax_trick.normalizers import Normalizer
from softmax_trick.system.eager import is_eager

CHUNK = 2**24
"""Scores in a chunk, unless told otherwise: 64 MB in float32. With smaller ones the gradient of the weight, into which
each chunk is added, is read and written more often, and matrix products are slower; larger ones save nothing more."""


def isbe_linear(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    *,
    normalizer: str | Normalizer = "softmax",
    reduction: Reduction = "sum",
    blurring: float = 0.0,
    value: Value = "implicit",
    class_weight: Tensor | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    check_targets: bool = False,
    chunk: int | None = None,
) -> Tensor:
    """`ISBELoss(...)(F.linear(hidden, weight, bias), targets)`, but the score matrix never exists as a whole.

    With the scores x = W h + b and the error e = F(x) - t of each row the gradients are W^T e in h, sum e h^T in W and
    sum e in b. They are sums over the rows, so that chunks of rows change them by the order of summation only. Where a
    scalar is returned and its value is asked for, forward computes value and gradients in one pass and backward
    multiplies by grad_output; otherwise backward computes the gradients, and `value="none"` leaves it nothing else.
    Whichever it is, the scores are computed once, unless reduction "none" asks for its values too.

    Second derivatives are right, and torch.func and torch.compile work: there the scores do exist as a whole.

    Args:
        hidden: h, floating-point of shape (..., H).
        weight: W, of shape (K, H), as that of nn.Linear.
        targets: class indices of shape (...), or soft targets of shape (..., K), which are as large as the scores.
        bias: b, of shape (K,).
        class_weight: one for each class, the `weight` of ISBELoss.
        chunk: the most rows at a time, which are cut evenly; by default as many as have `CHUNK` scores.
        normalizer: as in `ISBELoss`.
        reduction: as in `ISBELoss`.
        blurring: as in `ISBELoss`.
        value: as in `ISBELoss`.
        ignore_index: as in `ISBELoss`.
        label_smoothing: as in `ISBELoss`.
        check_targets: as in `ISBELoss`.

    Returns:
        a scalar, or a tensor of shape (...) for reduction "none", as ISBELoss. Under torch.autocast the layer is
        computed in the half type, as F.linear is.

    Raises:
        ValueError, TypeError: as ISBELoss; also if hidden, weight and bias do not fit together.
    """
    check_choices(reduction, value)
    rule = rule_for(normalizer, blurring, label_smoothing, ignore_index, check_targets)
    _check(hidden, weight, bias, targets, class_weight, rule, chunk)
    if torch.is_autocast_enabled(hidden.device.type):
        half = torch.get_autocast_dtype(hidden.device.type)
        hidden, weight, bias = hidden.to(half), weight.to(half), None if bias is None else bias.to(half)
    try:
        if not is_eager():
            return apply_loss(linear(hidden, weight, bias), targets, class_weight, rule, value, reduction)
        k = len(weight)
        rows, labels = (
            hidden.reshape(-1, weight.shape[1]),
            targets.reshape((-1, k) if targets.is_floating_point() else -1),
        )
        found = _LinearLoss.apply(  # type: ignore[no-untyped-call]
            rows, weight, bias, labels, class_weight, rule, value, reduction, chunk or max(1, CHUNK // k)
        )
    except (RuntimeError, IndexError) as error:
        raise explained(error, targets, rule, len(weight)) from None
    return cast(Tensor, found.reshape(hidden.shape[:-1]) if reduction == "none" else found)


class _LinearLoss(torch.autograd.Function):
    """(h, W, b, t) -> the reduced value, for h of shape (n, H)."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        class_weight: Tensor | None,
        rule: Rule,
        value: Value,
        reduction: Reduction,
        chunk: int,
    ) -> Tensor:
        ctx.rule, ctx.reduction, ctx.chunk = rule, reduction, chunk
        ctx.wanted = ctx.needs_input_grad[:3]
        layer = hidden, weight, bias
        if value == "none":
            ctx.ready = False
            ctx.save_for_backward(*layer, targets, class_weight)
            return in_dtype_of(hidden, no_value(hidden, hidden.shape[:1], reduction))
        ctx.ready = reduction != "none"
        wanted = ctx.wanted if ctx.ready else (False, False, False)
        rows, gradients = _in_chunks(layer, targets, class_weight, rule, chunk, value, wanted)
        ctx.save_for_backward(*layer, targets, class_weight, *gradients)
        count = denominator(rule, reduction, targets, class_weight, len(weight))
        return in_dtype_of(hidden, reduce(rows, reduction, count))

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, targets, class_weight, *gradients = ctx.saved_tensors
        count = denominator(ctx.rule, ctx.reduction, targets, class_weight, len(weight))
        scale = row_scale(grad_output, ctx.reduction, count)
        layer = hidden, weight, bias
        if not is_eager(grad_output, *(part for part in layer if part is not None)):
            gradients = _textbook_gradients(layer, targets, class_weight, ctx.rule, scale)
        elif ctx.ready:
            gradients = [None if gradient is None else gradient * scale for gradient in gradients]
        else:
            try:
                _, gradients = _in_chunks(layer, targets, class_weight, ctx.rule, ctx.chunk, "none", ctx.wanted, scale)
            except (RuntimeError, IndexError) as error:  # the first look at the targets, if no value was asked for
                raise explained(error, targets, ctx.rule, len(weight)) from None
        needed = [gradient if wanted else None for gradient, wanted in zip(gradients, ctx.wanted, strict=True)]
        return *needed, None, None, None, None, None, None


Layer = tuple[Tensor, Tensor, Tensor | None]


def _in_chunks(
    layer: Layer,
    targets: Tensor,
    class_weight: Tensor | None,
    rule: Rule,
    chunk: int,
    value: Value,
    wanted: tuple[bool, bool, bool],
    scale: Tensor | None = None,
) -> tuple[Tensor, list[Tensor | None]]:
    """The values of the rows, unless value is "none"; and those gradients in h, W and b that are wanted."""
    hidden, weight, bias = layer
    n, k = len(hidden), len(weight)
    # Many chunks are added up: half precision would lose the later ones.
    wide = torch.float32 if hidden.dtype in HALF_TYPES else hidden.dtype
    gradients = [
        torch.empty_like(hidden) if wanted[0] else None,
        torch.zeros_like(weight, dtype=wide) if wanted[1] else None,
        torch.zeros_like(bias, dtype=wide) if bias is not None and wanted[2] else None,
    ]
    values = hidden.new_zeros(n, dtype=wide)
    chunk = ceil(n / ceil(n / chunk)) if n else 1
    buffer = hidden.new_empty(chunk, k)
    for start in range(0, n, chunk):
        rows = slice(start, start + chunk)
        h, t = hidden[rows], targets[rows]
        scores = buffer[: len(h)]
        torch.mm(h, weight.t(), out=scores)
        if bias is not None:
            scores.add_(bias)
        if any(wanted):
            factor = scale[rows] if scale is not None and scale.dim() else scale
            found, error = values_and_error(rule, value, scores, t, class_weight, factor)
            _add_gradients(error, h, weight, rows, gradients)
        elif value != "none":
            found = value_rows(rule, value, scores, t, class_weight)
        if value != "none":
            values[rows] = found
    return values, [None if gradient is None else gradient.to(hidden.dtype) for gradient in gradients]


def _add_gradients(error: Tensor, h: Tensor, weight: Tensor, rows: slice, gradients: list[Tensor | None]) -> None:
    """The part of a chunk in the gradients: e W in its rows of h, e^T h in W, sum e in b."""
    in_hidden, in_weight, in_bias = gradients
    if in_hidden is not None:
        torch.mm(error, weight, out=in_hidden[rows])
    if in_weight is not None and in_weight.dtype == h.dtype:
        in_weight.addmm_(error.t(), h)
    elif in_weight is not None:
        in_weight.add_(error.t() @ h)
    if in_bias is not None:
        in_bias.add_(error.sum(0, dtype=in_bias.dtype))


def _textbook_gradients(
    layer: Layer, targets: Tensor, class_weight: Tensor | None, rule: Rule, scale: Tensor
) -> list[Tensor | None]:
    """The gradients by differentiable operations, for a second derivative."""
    hidden, weight, bias = layer
    scores = linear(hidden, weight, bias)
    error = (scale * textbook_error(rule, scores, targets, class_weight)).to(scores.dtype)
    return [error @ weight, error.t() @ hidden, None if bias is None else error.sum(0)]


def _check(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    class_weight: Tensor | None,
    rule: Rule,
    chunk: int | None,
) -> None:
    if not hidden.is_floating_point():
        raise TypeError(f"hidden must be floating-point, not {hidden.dtype}")
    if weight.dim() != 2 or not len(weight) or not hidden.dim() or hidden.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"hidden of shape (..., H) and weight of shape (K, H), K >= 1, do not fit: {tuple(hidden.shape)} and "
            f"{tuple(weight.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"the bias must have shape ({len(weight)},), one for each class, not {tuple(bias.shape)}")
    if targets.requires_grad:
        raise ValueError("the targets require a gradient, which ISBE does not define: pass targets.detach()")
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk must be at least 1 row, not {chunk}")
    check_fit(torch.Size((*hidden.shape[:-1], len(weight))), targets, rule)
    if class_weight is not None:
        check_weight(class_weight, rule.normalizer, len(weight))
