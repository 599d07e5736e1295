"""The direct form: the error F(x) - t of every row, and the gradient d * (F(x) - t) for dilated scores.

It is written three times. `textbook_error` is the definition, made of torch's differentiable operations: for second
derivatives, torch.func and torch.compile. `write_error` is the same in place, in one buffer, a block of rows at a time:
for the training step. On a CPU the native operator does it in one visit of each row, where the user has built it
(`softmax_trick.isbe.native`). On CUDA, SoftMax and labels have a kernel (`softmax_trick.isbe.kernel`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from softmax_trick.isbe import native
from softmax_trick.isbe.kernel import fused_error, takes
from softmax_trick.isbe.targets import (
    HALF_TYPES,
    Rule,
    check_inputs,
    explained,
    indices,
    is_labelled_matrix,
    rule_for,
    target_rows,
)
from softmax_trick.normalizers import Normalizer
from softmax_trick.system.eager import is_eager

BLOCK = 2**20
"""Scores in a block: 4 MB in float32, so that every further pass over a block finds it in a cache."""


def isbe_error(
    scores: Tensor,
    targets: Tensor,
    normalizer: str | Normalizer = "softmax",
    blurring: float = 0.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    dilation: Tensor | float | None = None,
    relocation: Tensor | float | None = None,
    out: Tensor | None = None,
    check_targets: bool = False,
) -> Tensor:
    """The ISBE error y - t of every row, y = F(d * x - c), to be sent back by `scores.backward(error)`.

    With SoftMax it is the gradient of the *summed* cross-entropy (paper, equation 4). Class indices become one-hot
    targets; a blurring mu moves every target by t -> (1 - mu) t + mu / (K - 1) (1 - t) (section 3); targets are
    last mapped into the normalizer's range (2t - 1 for tanh and hardtanh).

    With a dilation d it is *not* the gradient of the cross-entropy, which is d * (y - t): `isbe_gradient`.

    Args:
        scores: floating-point tensor x of shape (..., K); it is read only and stays attached to its graph.
        targets: class indices of shape (...), or soft targets in [0, 1] of the shape of the scores.
        normalizer: a name in `softmax_trick.normalizers.NORMALIZERS`, an entry of that table, or a `Normalizer` of your
            own.
        blurring: mu in [0, 1].
        weight: one weight for each class, shape (K,), for softmax: the term of class i counts w_i times, as in
            F.cross_entropy, and the error is (sum w * t) y - w * t.
        ignore_index: rows with this label have the error 0. None (not -100, as in torch) ignores nothing.
        label_smoothing: s in [0, 1], t -> (1 - s) t + s / K as in torch: the blurring mu = s (K - 1) / K.
        dilation: d, a number or of shape (K,); 1 by default.
        relocation: c, a number or of shape (K,); 0 by default.
        out: a buffer of the shape, dtype and device of the scores, into which the error is written; a large one saves
            more time than the error takes. It may be the error of the step before, once that step's backward pass is
            over, unless something else keeps it: a graph does not, but `.grad` of a leaf of which the scores are a view
            is the buffer itself, and is refused here.
        check_targets: look at the values of the targets first, and name the first that is out of range. Without it a
            wrong class index is named on a CPU, where torch itself notices it; on CUDA the kernel for SoftMax makes its
            row NaN, and elsewhere the device stops by an assertion. Looking waits for the device.

    Returns:
        a tensor of the shape and dtype of the scores, of any strides, without a graph; `out` if it is given. In half
        precision it is computed in float32 and rounded once.

    Raises:
        TypeError: scores or targets are of a dtype that does not fit.
        ValueError: shapes do not fit, a class index is outside 0..K-1, an option is out of its range or goes not with
            the others, or the buffer cannot be written into.
    """
    rule = rule_for(normalizer, blurring, label_smoothing, ignore_index, check_targets)
    try:
        if rule.is_sharp and not check_targets and dilation is None and relocation is None and is_eager():
            found = native.error(rule, scores, targets, weight, out)
            if found is not None:
                return found
            if weight is None and rule.is_plain_cross_entropy and _is_usual(scores, targets, out):
                if out is not None:
                    _check_buffer(out, scores, targets)
                return _usual_error(scores.detach(), targets, out)
        check_inputs(scores, targets, rule, weight)
        if out is not None:
            _check_buffer(out, scores, targets)
        if targets.requires_grad:
            targets = targets.detach()
        if is_eager():
            x = scores.detach()
            if dilation is not None or relocation is not None:
                x = _dilated(x, dilation, relocation)
            error = write_error(rule, x, targets, weight, out)
            return error if error.dtype is scores.dtype else error.to(scores.dtype)
        with torch.no_grad():  # in forward mode a detached tensor would have lost its tangent
            error = textbook_error(rule, _dilated(scores, dilation, relocation), targets, weight).to(scores.dtype)
            return error if out is None else out.copy_(error)
    except (RuntimeError, IndexError) as raised:
        raise explained(raised, targets, rule, scores.shape[-1]) from None


def isbe_gradient(
    scores: Tensor,
    targets: Tensor,
    normalizer: str | Normalizer = "softmax",
    blurring: float = 0.0,
    *,
    dilation: Tensor | float,
    **options: Any,
) -> Tensor:
    """The gradient d * (y - t), y = F(d * x - c), of the implicit loss P(d * x - c) - <d * x - c, t> in the scores x.

    For SoftMax that loss is the cross-entropy after a dilated and relocated SoftMax (paper, Theorem A1, property P3).
    For unequal dilations the ISBE error y - t is the gradient of no function at all, this one is.

    Args:
        scores: as for `isbe_error`, like all that follow.
        targets: class indices or soft targets.
        normalizer: F.
        blurring: mu.
        dilation: d; there is no default.
        **options: the other options of `isbe_error`, by name.

    Returns:
        as `isbe_error`.

    Raises:
        ValueError, TypeError: as `isbe_error`.
    """
    error = isbe_error(scores, targets, normalizer, blurring, dilation=dilation, **options)
    d = _per_class("dilation", dilation, error)
    return error.mul_(d) if is_eager() else error * d


# --- the definition ---------------------------------------------------------------------------------------------------


def textbook_error(rule: Rule, scores: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
    """mass * F(x) - a, with the targets a as rows: F(x) - t without weights. Differentiable in the scores."""
    x = widened(scores)
    a, mass = target_rows(rule, targets, weight, x)
    return (mass * rule.normalizer.torch(x) - a).to(scores.dtype)


# --- what is usual, for few classes: every further look at the arguments takes as long as the arithmetic --------------


def _is_usual(scores: Tensor, targets: Tensor, out: Tensor | None) -> bool:
    """Whether these are a matrix of scores and its labels, a block on a CPU; the buffer in one piece."""
    fits = is_labelled_matrix(scores, targets) and scores.is_cpu and 0 < scores.numel() <= BLOCK
    return fits and (out is None or out.is_contiguous())


def _usual_error(scores: Tensor, labels: Tensor, out: Tensor | None) -> Tensor:
    """SoftMax less one at the label."""
    y = torch.softmax(scores, -1) if out is None else torch.softmax(scores, -1, out=out)
    return y.scatter_add_(-1, labels.unsqueeze(-1), _constant(-1.0, y.dtype, y.device))


# --- the same in place ------------------------------------------------------------------------------------------------


def write_error(
    rule: Rule,
    scores: Tensor,
    targets: Tensor,
    weight: Tensor | None,
    out: Tensor | None = None,
    scale: Tensor | None = None,
    labelled: Tensor | None = None,
) -> Tensor:
    """scale * (mass * F(x) - a), written into `out` or a new tensor like the scores, without a graph.

    scale: None for 1, a scalar, or a factor for each row, shape (..., 1).
    labelled: for class indices a buffer, (n, 1) for n rows, into which the soft score of the labelled class is written.
    """
    if labelled is None and scores.is_cpu:
        found = native.write(rule, scores, targets, weight, out, scale)
        if found is not None:
            return found[0]
    if scores.numel() <= BLOCK and scores.dim() == 2:
        return _block_error(rule, scores, targets, weight, out, scale, labelled)
    if out is None:
        out = torch.empty_like(scores, memory_format=torch.contiguous_format)
    x, error = scores.reshape(-1, scores.shape[-1]), out.reshape(-1, out.shape[-1])
    rows = targets.reshape(x.shape if targets.is_floating_point() else (-1,))
    factors = scale.reshape(-1, 1) if scale is not None and scale.dim() else None
    for block in blocks(x):
        factor = scale if factors is None else factors[block]
        picked = None if labelled is None else labelled[block]
        _block_error(rule, x[block], rows[block], weight, error[block], factor, picked)
    return out if error.data_ptr() == out.data_ptr() else out.copy_(error.view_as(out))


def _block_error(
    rule: Rule,
    scores: Tensor,
    targets: Tensor,
    weight: Tensor | None,
    out: Tensor | None,
    scale: Tensor | None,
    labelled: Tensor | None,
) -> Tensor:
    """For scores (n, K): normalise, subtract the target, scale."""
    if labelled is None and takes(rule, scores, targets, weight):
        return fused_error(rule, scores, targets, torch.empty_like(scores) if out is None else out, scale)
    x = widened(scores)
    y = rule.normalizer.write(x, torch.empty_like(x) if out is None or out.dtype is not x.dtype else out)
    if labelled is not None:
        torch.gather(y, -1, indices(targets, rule.kept(targets)), out=labelled)
    if targets.is_floating_point():
        _subtract_soft(rule, y, targets, weight)
    else:
        _subtract_labels(rule, y, targets, weight)
    if scale is not None:
        y.mul_(scale)
    if out is None:
        return y if x is scores else y.to(scores.dtype)
    return out if y is out else out.copy_(y)


def _subtract_soft(rule: Rule, y: Tensor, targets: Tensor, weight: Tensor | None) -> None:
    """y becomes mass * y - a, for soft targets."""
    if weight is not None:
        a, mass = target_rows(rule, targets, weight, y)
        y.mul_(mass).sub_(a)
        return
    on, off = rule.on_off(y.shape[-1])
    if off:  # one difference: of two the first would lose digits of small y
        y.sub_(torch.mul(targets.to(y.dtype), on - off).add_(off))
    else:
        y.sub_(targets.to(y.dtype), alpha=on - off)


def _subtract_labels(rule: Rule, y: Tensor, labels: Tensor, weight: Tensor | None) -> None:
    """y becomes mass * y - a, for class indices: without a one-hot matrix only labelled entries are touched."""
    on, off = rule.on_off(y.shape[-1])
    kept = rule.kept(labels)
    index = indices(labels, kept)
    if weight is None:
        if off:
            y.sub_(off)
        if type(y) is Tensor:
            y.scatter_add_(-1, index, _constant(off - on, y.dtype, y.device))
        else:  # a fake tensor, which goes with no other
            y.scatter_(-1, index, off - on, reduce="add")
    else:
        w = weight.to(y.dtype)
        labelled = (on - off) * w[index]
        y.mul_(labelled + off * w.sum())
        if off:
            y.sub_(off * w)
        y.scatter_add_(-1, index, -labelled)
    if kept is not None:
        y.masked_fill_(~kept.unsqueeze(-1), 0)


@lru_cache
def _constant(number: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A column of the number, as long as any: with few classes making it takes as long as adding it."""
    with torch.inference_mode(False):
        return torch.full((1, 1), number, dtype=dtype, device=device).expand(2**40, 1)


def widened(scores: Tensor) -> Tensor:
    """The scores, those in half precision in float32: there y - 1 has lost most digits where y is close to 1."""
    return scores.float() if scores.dtype in HALF_TYPES else scores


def blocks(x: Tensor) -> Iterator[slice]:
    """Blocks of the rows (n, K) that fit a cache; all rows at once on an accelerator, which schedules them itself."""
    n, k = x.shape
    step = max(1, BLOCK // k) if x.device.type == "cpu" else max(1, n)
    return (slice(start, start + step) for start in range(0, n, step))


# --- what is refused --------------------------------------------------------------------------------------------------


def _dilated(scores: Tensor, dilation: Tensor | float | None, relocation: Tensor | float | None) -> Tensor:
    """d * x - c; the scores themselves without either."""
    x = scores
    if dilation is not None:
        x = widened(x) * _per_class("dilation", dilation, x)
    if relocation is not None:
        x = widened(x) - _per_class("relocation", relocation, x)
    return x


def _per_class(name: str, value: Tensor | float, x: Tensor) -> Tensor | float:
    """A dilation or relocation: a number, or one for each class, in the dtype of the scores."""
    if not isinstance(value, Tensor):
        return value
    if value.dim() and value.shape != x.shape[-1:]:
        raise ValueError(
            f"a {name} must be a number or have shape ({x.shape[-1]},), one for each class, not {tuple(value.shape)}"
        )
    return value.detach().to(widened(x[..., :0]).dtype)


def _check_buffer(out: Tensor, scores: Tensor, targets: Tensor) -> None:
    if out.shape != scores.shape or out.dtype != scores.dtype or out.device != scores.device:
        raise ValueError(
            f"the buffer must be as the scores, {scores.dtype} of shape {tuple(scores.shape)} on {scores.device}, "
            f"not {out.dtype} of shape {tuple(out.shape)} on {out.device}"
        )
    if out.requires_grad:
        raise ValueError("the buffer is part of a graph: pass one that requires no gradient, such as the last error")
    if 0 in out.stride() and out.numel() > 1:
        raise ValueError("the buffer is expanded, its entries share memory: pass torch.empty_like(scores)")
    others = {"the scores": scores, "the targets": targets}
    leaf = scores if scores._base is None else scores._base
    if leaf.is_leaf and leaf.grad is not None:
        others["the gradient of the scores"] = leaf.grad
    memory = out.numel() and out.untyped_storage().data_ptr()
    for name, other in others.items():
        if memory and memory == other.untyped_storage().data_ptr():
            raise ValueError(f"the buffer shares its memory with {name}, still needed: pass torch.empty_like(scores)")
