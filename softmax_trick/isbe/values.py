"""What the wrapped form reports: the implicit loss P(x) - <x, t> of every row, or half the squared error."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from softmax_trick.isbe import native
from softmax_trick.isbe.error import BLOCK, blocks, textbook_error, widened, write_error
from softmax_trick.isbe.targets import Rule, indices, target_rows
from softmax_trick.system.eager import is_eager

Value = Literal["implicit", "mse", "none"]
VALUES: tuple[Value, ...] = ("implicit", "mse", "none")
Reduction = Literal["sum", "mean", "none"]
REDUCTIONS: tuple[Reduction, ...] = ("sum", "mean", "none")


def value_rows(
    rule: Rule, kind: Literal["implicit", "mse"], scores: Tensor, targets: Tensor, weight: Tensor | None
) -> Tensor:
    """The value of every row: shape (...), for half precision in float32."""
    row_value = _implicit if kind == "implicit" else _half_squared_error
    if not is_eager(scores) or (scores.dim() == 2 and scores.numel() <= BLOCK):
        return row_value(rule, scores, targets, weight)
    x = scores.reshape(-1, scores.shape[-1])
    rows = targets.reshape(x.shape if targets.is_floating_point() else (-1,))
    values = [row_value(rule, x[block], rows[block], weight) for block in blocks(x)]
    return torch.cat(values).reshape(scores.shape[:-1]) if values else row_value(rule, scores, targets, weight)


def values_and_error(
    rule: Rule, kind: Value, scores: Tensor, targets: Tensor, weight: Tensor | None, scale: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The value of every row, none for "none"; and, written over the scores (n, K), scale * (mass * F(x) - a)."""
    found = native.write(rule, scores, targets, weight, scores, scale, kind) if scores.is_cpu else None
    if found is not None:
        return found[1], found[0]
    values = scores.new_empty(0) if kind == "none" else value_rows(rule, kind, scores, targets, weight)
    return values, write_error(rule, scores, targets, weight, scores, scale)


def _implicit(rule: Rule, scores: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
    """mass * P(x) - <x, a>. The two terms nearly cancel: half precision would leave a digit or two."""
    x = widened(scores)
    potential = rule.normalizer.torch_potential(x)
    on, off = rule.on_off(x.shape[-1])
    if targets.is_floating_point():
        a, _ = target_rows(rule, targets, weight, x)
        # A masked class has the score -inf and the target 0: it contributes nothing.
        inner = torch.where(a == 0, 0, a * x).sum(-1)
        return (potential if weight is None else a.sum(-1) * potential) - inner
    kept = rule.kept(targets)
    index = indices(targets, kept)
    inner = (on - off) * x.gather(-1, index).squeeze(-1)
    if weight is not None:
        w = weight.to(x.dtype)
        labelled = w.expand(x.shape).gather(-1, index).squeeze(-1)  # w[index] is not for vmap in torch 2.9
        inner, potential = labelled * inner, ((on - off) * labelled + off * w.sum()) * potential
        x = w * x
    if off:
        inner = inner + off * x.sum(-1)
    value = potential - inner
    return value if kept is None else torch.where(kept, value, 0)


def cross_entropy_and_error(rule: Rule, scores: Tensor, labels: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
    """Of one SoftMax y both -log y_t, shape (...), and scale * (y - t), shape (..., K), t being the labels' one-hot."""
    k = scores.shape[-1]
    labelled = scores.new_empty(scores.numel() // k, 1)
    error = write_error(rule, scores, labels, None, scale=scale, labelled=labelled)
    labelled = labelled.squeeze(-1)
    value = -labelled.log()
    # Close to underflow, or below, y_t has lost its digits.
    faint = labelled < torch.finfo(scores.dtype).tiny / torch.finfo(scores.dtype).eps
    if faint.any():
        value[faint] = _implicit(rule, scores.reshape(-1, k)[faint], labels.reshape(-1)[faint], None)
    value, kept = value.view(labels.shape), rule.kept(labels)
    return value if kept is None else torch.where(kept, value, 0), error


def _half_squared_error(rule: Rule, scores: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
    x = widened(scores)
    if is_eager(x):
        error = write_error(rule, x, targets, weight)
    else:
        error = textbook_error(rule, x, targets, weight)
    return error.square().sum(-1) / 2


def no_value(scores: Tensor, rows: torch.Size, reduction: Reduction) -> Tensor:
    """What is returned for "none": NaN, in the shape of a value."""
    return scores.new_full(rows if reduction == "none" else (), torch.nan)


# --- reductions -------------------------------------------------------------------------------------------------------


def reduce(rows: Tensor, reduction: Reduction, denominator: Tensor | int) -> Tensor:
    """The rows themselves, their sum, or their mean: NaN if none counts, as F.cross_entropy."""
    match reduction:
        case "none":
            return rows
        case "sum":
            return rows.sum()
        case "mean":
            return rows.sum() / denominator


def row_scale(grad_output: Tensor, reduction: Reduction, denominator: Tensor | int) -> Tensor:
    """The factor of each row's error in the gradient: a scalar, or shape (..., 1). Finite where no row counts."""
    match reduction:
        case "none":
            return grad_output.unsqueeze(-1)
        case "sum":
            return grad_output
        case "mean":
            if isinstance(denominator, Tensor):
                return torch.where(denominator > 0, grad_output / denominator, 0)
            return grad_output / max(denominator, 1)


def denominator(rule: Rule, reduction: Reduction, targets: Tensor, weight: Tensor | None, k: int) -> Tensor | int:
    """What the mean divides by: the rows that count, for labels with class weights the sum of their weights."""
    if reduction != "mean":
        return 1
    if targets.is_floating_point():
        return targets.numel() // k
    kept = rule.kept(targets)
    if weight is None:
        return targets.numel() if kept is None else kept.sum()
    labelled = weight[indices(targets, kept).squeeze(-1)]
    return labelled.sum() if kept is None else torch.where(kept, labelled, 0).sum()
