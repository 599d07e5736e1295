"""Losses with one deliberate fault each, and the sub-check of `check_loss` that must reject it.

Where an issue is named, a published kernel had that fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from softmax_trick.proofs.listing_runs import isbe_class
from softmax_trick.testing.losses import LOSS_CHECKS

Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Broken:
    """A loss with a fault.

    Attributes:
        loss: the loss.
        rejected_by: the sub-check that must reject it.
        arguments: those of check_loss.
        published: where this fault was found in a published kernel.
    """

    loss: Loss
    rejected_by: str
    arguments: dict[str, Any] = field(default_factory=dict)
    published: str = ""


NONE = {"reduction": "none"}
MEAN = {"reduction": "mean"}


# --- right pieces -----------------------------------------------------------------------------------------------------


def log_softmax(x: Tensor) -> Tensor:
    top = x.amax(-1, keepdim=True)
    return x - top - (x - top).exp().sum(-1, keepdim=True).log()


def rows(x: Tensor, t: Tensor) -> Tensor:
    """The cross-entropy of every row, by plain operations."""
    return -log_softmax(x).gather(-1, t.unsqueeze(-1)).squeeze(-1)


def error(x: Tensor, t: Tensor) -> Tensor:
    return x.softmax(-1) - F.one_hot(t, x.shape[-1]).to(x.dtype)


def times(grad_output: Tensor, e: Tensor) -> Tensor:
    return grad_output.unsqueeze(-1) * e if grad_output.dim() else grad_output * e


REDUCE: dict[str, Callable[[Tensor], Tensor]] = {"sum": Tensor.sum, "mean": Tensor.mean, "none": lambda r: r}


def fused(
    backward: Callable[[Any, Tensor], Tensor] = lambda ctx, grad_output: times(grad_output, error(*ctx.saved_tensors)),
    reduction: str = "sum",
    after_forward: Callable[[Any, Tensor, Tensor], None] = lambda ctx, x, t: None,
) -> Loss:
    """A loss with a backward of its own; as it stands, a right one for the reductions "sum" and "none"."""

    class Fused(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
            ctx.save_for_backward(x, t)
            value = REDUCE[reduction](rows(x, t))
            after_forward(ctx, x, t)
            return value

        @staticmethod
        def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
            return backward(ctx, grad_output), None

    def loss(x: Tensor, t: Tensor) -> Tensor:
        value: Tensor = Fused.apply(x, t)  # type: ignore[no-untyped-call]
        return value

    return loss


def keep_error(ctx: Any, x: Tensor, t: Tensor) -> None:
    ctx.error = error(x, t)


# --- backward ---------------------------------------------------------------------------------------------------------


def only_for_one(ctx: Any, grad_output: Tensor) -> Tensor:
    """A kernel that multiplies by what lies where grad_output does not, skipped where grad_output is 1."""
    e = error(*ctx.saved_tensors)
    return e if (grad_output == 1).all() else 0 * e


def skipped_for_one(ctx: Any, grad_output: Tensor) -> Tensor:
    e = error(*ctx.saved_tensors)
    return 0 * e if (grad_output == 1).all() else times(grad_output, e)


def scaled_in_place(ctx: Any, grad_output: Tensor) -> Tensor:
    scaled: Tensor = ctx.error.mul_(grad_output)
    return scaled


def freed(ctx: Any, grad_output: Tensor) -> Tensor:
    kept, ctx.error = ctx.error, None
    return times(grad_output, kept)


def read_by_stride_one(ctx: Any, grad_output: Tensor) -> Tensor:
    """grad_output read as if contiguous; a kernel would read beyond the storage of an expanded one."""
    return times(grad_output.as_strided(grad_output.shape, (1,)), error(*ctx.saved_tensors))


def over_the_scores(ctx: Any, grad_output: Tensor) -> Tensor:
    x, t = ctx.saved_tensors
    e = times(grad_output, error(x, t))
    x.data.copy_(e)
    return e


def over_grad_output(ctx: Any, grad_output: Tensor) -> Tensor:
    e = times(grad_output, error(*ctx.saved_tensors))
    grad_output.data.mul_(2)
    return e


def zero_where_saturated(ctx: Any, grad_output: Tensor) -> Tensor:
    x, t = ctx.saved_tensors
    gap = x.amax(-1, keepdim=True) - x.amin(-1, keepdim=True)
    return times(grad_output, torch.where(gap >= 12, 0, error(x, t)))


class DilatedWithoutTranspose(torch.autograd.Function):
    """The cross-entropy after SoftMax(d * x), with J (-t / y) for J^T (-t / y)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, d: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(x, d, t)
        return rows(d * x, t).sum()

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        x, d, t = ctx.saved_tensors
        y = (d * x).softmax(-1)
        jacobian = (y.diag_embed() - y.unsqueeze(-1) * y.unsqueeze(-2)) * d
        sent = -F.one_hot(t, x.shape[-1]) / y
        return grad_output * (jacobian @ sent.unsqueeze(-1)).squeeze(-1), None, None


def without_transpose(x: Tensor, t: Tensor) -> Tensor:
    d = torch.linspace(0.5, 2, x.shape[-1], dtype=x.dtype)
    value: Tensor = DilatedWithoutTranspose.apply(x / d, d, t)  # type: ignore[no-untyped-call]
    return value


# --- forward ----------------------------------------------------------------------------------------------------------


def over_the_scores_in_forward(ctx: Any, x: Tensor, t: Tensor) -> None:
    """The gradient written over the scores, and kept for backward."""
    ctx.error = error(x, t)
    x.data.copy_(ctx.error)


def read_by_rows(x: Tensor, t: Tensor) -> Tensor:
    """The storage of the scores read row by row, whatever their strides."""
    return rows(x.as_strided(x.shape, (x.shape[-1], 1)), t).sum()


def flattened(x: Tensor, t: Tensor) -> Tensor:
    return rows(x.view(-1).view(x.shape), t).sum()


def offset_targets(x: Tensor, t: Tensor) -> Tensor:
    """Positions in the flattened scores, written over the class indices."""
    n, k = x.shape
    t += torch.arange(n) * k
    return -log_softmax(x).reshape(-1)[t].sum()


def summed_in_the_dtype(x: Tensor, t: Tensor) -> Tensor:
    """Every partial sum over the classes rounded to the dtype of the scores; the shift taken before."""
    shifted = x - x.amax(-1, keepdim=True).detach()
    terms = list(shifted.exp().unbind(-1))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return (total.log() - shifted.gather(-1, t.unsqueeze(-1)).squeeze(-1)).sum()


def binary_for_one_class(x: Tensor, t: Tensor) -> Tensor:
    return F.softplus(-x).sum() if x.shape[-1] == 1 else rows(x, t).sum()


def row_by_row(x: Tensor, t: Tensor) -> Tensor:
    """No rows are nothing to stack."""
    return torch.stack([rows(x[i : i + 1], t[i : i + 1]).squeeze(0) for i in range(len(x))]).sum()


def through_float16(x: Tensor, t: Tensor) -> Tensor:
    narrow = x.half() if x.dtype == torch.float32 else x
    return rows(narrow, t).sum().to(x.dtype)


def in_blocks(block: int, pad: float | None = None) -> Loss:
    """log sum exp by blocks of classes; what is left over is dropped, or padded with this score."""

    def loss(x: Tensor, t: Tensor) -> Tensor:
        total = x.new_full((len(x),), -torch.inf)
        for start in range(0, max(x.shape[1], 1), block):
            part = x[:, start : start + block]
            if start and part.shape[1] < block:
                if pad is None:
                    continue
                part = F.pad(part, (0, block - part.shape[1]), value=pad)
            total = torch.logaddexp(total, part.logsumexp(-1))
        return (total - x.gather(1, t.unsqueeze(-1)).squeeze(-1)).sum()

    return loss


def in_blocks_of_rows(x: Tensor, t: Tensor) -> Tensor:
    whole = len(x) if len(x) < 1024 else len(x) // 1024 * 1024
    return rows(x[:whole], t[:whole]).sum()


def shared_maximum(x: Tensor, t: Tensor) -> Tensor:
    """The largest score of the whole batch is subtracted; other rows underflow."""
    highest = x.max() if x.numel() else 0
    return (x - highest).exp().sum(-1).log() + highest - x.gather(1, t.unsqueeze(-1)).squeeze(-1)


def flushed(ctx: Any, grad_output: Tensor) -> Tensor:
    """An error that is small is 0: small absolutely, and not relative to what it ought to be."""
    x, t = ctx.saved_tensors
    e = x.sigmoid() - t
    return grad_output * torch.where(e.abs() < (1e-15 if x.dtype == torch.float64 else 5e-6), 0, e)


class Binary(torch.autograd.Function):
    """The binary cross-entropy with an error that is flushed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(x, t)
        return F.binary_cross_entropy_with_logits(x, t, reduction="sum")

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        return flushed(ctx, grad_output), None


class SoftTargets(torch.autograd.Function):
    """-sum t log y for any t, whose backward pass takes sum t for 1, unless told otherwise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor, right: bool) -> Tensor:
        mass = t.sum(-1, keepdim=True)
        ctx.save_for_backward(x.softmax(-1), t, mass if right else torch.ones_like(mass))
        return (x.logsumexp(-1) * mass.squeeze(-1) - (t * x).sum(-1)).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        y, t, mass = ctx.saved_tensors
        return grad_output * (mass * y - t), None, None


def soft_targets(right: bool) -> Loss:
    def loss(x: Tensor, t: Tensor) -> Tensor:
        if not t.is_floating_point():
            t = F.one_hot(t, x.shape[-1]).to(x.dtype)
        value: Tensor = SoftTargets.apply(x, t, right)  # type: ignore[no-untyped-call]
        return value

    return loss


# --- options ----------------------------------------------------------------------------------------------------------


def with_options(
    x: Tensor,
    t: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    *,
    others: Callable[[int], int] = lambda k: k,
    count: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda kept, w, w_all: (w * kept).sum(),
    ignores: bool = True,
) -> Tensor:
    """The mean with weights, ignored rows and label smoothing; right as it stands.

    Where all rows are ignored the sum is divided by 1.
    """
    kept = (t != ignore_index).to(x.dtype)
    labels = t.where(t != ignore_index, 0)
    w = x.new_ones(x.shape[-1]) if weight is None else weight
    s, k = label_smoothing, x.shape[-1]
    one_hot = F.one_hot(labels, k).to(x.dtype)
    soft = (1 - s) * one_hot + (s / others(k) if s else 0.0) * (1 - one_hot if others(k) < k else 1)
    by_row = -(soft * w * log_softmax(x)).sum(-1)
    divisor = count(kept, w[labels], w)
    return (by_row * kept if ignores else by_row).sum() / divisor.clamp_min(1e-30)


def option(**fault: Any) -> Loss:
    def loss(x: Tensor, t: Tensor, **options: Any) -> Tensor:
        return with_options(x, t, **options, **fault)

    return loss


def gradient_divided_by_nothing(x: Tensor, t: Tensor, ignore_index: int = -100) -> Tensor:
    """Where all rows are ignored, 0 / 0 is sent back."""
    kept = (t != ignore_index).to(x.dtype)
    return (rows(x, t.where(t != ignore_index, 0)) * kept / kept.sum()).sum()


def hardened(x: Tensor, t: Tensor) -> Tensor:
    """Soft targets replaced by their largest class."""
    return rows(x, t.argmax(-1) if t.is_floating_point() else t).sum()


def weights_normalised_in_place(x: Tensor, t: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mean does not change, but whoever holds the weights has others from now on."""
    return with_options(x, t, weight.div_(weight.sum()) if weight is not None else None)


def weighted_only_alone(x: Tensor, t: Tensor, **options: Any) -> Tensor:
    """The weights of ignored rows counted in the denominator."""
    both = options.get("ignore_index") is not None and options.get("weight") is not None
    counted: dict[str, Any] = {"count": lambda kept, w, w_all: w.sum()} if both else {}
    return with_options(x, t, **options, **counted)


# --- Appendix B -------------------------------------------------------------------------------------------------------


@cache
def appendix_b() -> Any:
    """The paper's ISBE_func, with the least edits that let it run."""
    return isbe_class()


def isbe_func(x: Tensor, t: Tensor) -> Tensor:
    value: Tensor = appendix_b().apply(x, t, {"soft": "SoftMax", "num_classes": x.shape[-1], "eps": 0.0})[0]
    return value


BUT_VALUE = {"checks": [name for name in LOSS_CHECKS if name != "value"]}

BROKEN: dict[str, Broken] = {
    # backward
    "grad_output ignored": Broken(fused(lambda ctx, g: error(*ctx.saved_tensors)), "grad_output"),
    "grad_output read as a scalar under none": Broken(
        fused(lambda ctx, g: g[0] * error(*ctx.saved_tensors), "none"),
        "grad_output",
        NONE,
        "Liger-Kernel #678, #968",
    ),
    "grad_output summed under none": Broken(
        fused(lambda ctx, g: g.sum() / len(g) * error(*ctx.saved_tensors), "none"), "grad_output", NONE
    ),
    "sign of grad_output lost": Broken(fused(lambda ctx, g: g.abs() * error(*ctx.saved_tensors)), "grad_output"),
    "right only where grad_output is 1": Broken(fused(only_for_one), "grad_output", {}, "TransformerEngine #2139"),
    "backward skipped where grad_output is 1": Broken(
        fused(skipped_for_one, "none"), "gradient", NONE, "TransformerEngine #2139"
    ),
    "grad_output read as contiguous": Broken(
        fused(read_by_stride_one, "none"), "memory formats", NONE, "TransformerEngine #1879"
    ),
    "error kept from the forward pass": Broken(
        fused(lambda ctx, g: g * ctx.error, after_forward=keep_error), "second derivative"
    ),
    "kept error scaled in place": Broken(fused(scaled_in_place, after_forward=keep_error), "repeated backward"),
    "kept error freed": Broken(fused(freed, after_forward=keep_error), "repeated backward"),
    "gradient over the scores, in forward": Broken(
        fused(lambda ctx, g: g * ctx.error, after_forward=over_the_scores_in_forward),
        "inputs unmodified",
        {},
        "Liger-Kernel #272",
    ),
    "gradient over the scores, in backward": Broken(
        fused(over_the_scores), "inputs unmodified", {}, "Liger-Kernel #343"
    ),
    "grad_output overwritten": Broken(fused(over_grad_output), "inputs unmodified"),
    "zero backward where saturated": Broken(fused(zero_where_saturated), "saturation"),
    "transpose missing, dilated": Broken(without_transpose, "gradient"),
    "sign flipped": Broken(fused(lambda ctx, g: -g * error(*ctx.saved_tensors)), "gradient"),
    "factor 2": Broken(fused(lambda ctx, g: 2 * g * error(*ctx.saved_tensors)), "gradient"),
    "gradient off by 1e-13": Broken(fused(lambda ctx, g: g * (error(*ctx.saved_tensors) + 1e-13)), "gradient"),
    "targets forgotten": Broken(fused(lambda ctx, g: g * ctx.saved_tensors[0].softmax(-1)), "gradient"),
    "1 / n forgotten": Broken(fused(reduction="mean"), "gradient", MEAN),
    "detached": Broken(lambda x, t: rows(x.detach(), t).sum(), "gradient"),
    # forward
    "mean for sum": Broken(lambda x, t: rows(x, t).mean(), "value"),
    "sum for none": Broken(lambda x, t: rows(x, t).sum(), "value", NONE),
    "a number, not a tensor": Broken(lambda x, t: rows(x, t).sum().item(), "value"),  # type: ignore[arg-type, return-value]
    "float32 inside": Broken(lambda x, t: rows(x.float(), t).sum().to(x.dtype), "value"),
    "an epsilon in the logarithm": Broken(
        lambda x, t: -(x.softmax(-1) + 1e-12).log().gather(-1, t.unsqueeze(-1)).sum(), "value"
    ),
    "SoftMax over the rows": Broken(lambda x, t: -x.log_softmax(0).gather(-1, t.unsqueeze(-1)).sum(), "value"),
    "exp overflows, unshifted": Broken(
        lambda x, t: (x.exp().sum(-1).log() - x.gather(-1, t.unsqueeze(-1)).squeeze(-1)).sum(), "saturation"
    ),
    "-log SoftMax": Broken(lambda x, t: -x.softmax(-1).gather(-1, t.unsqueeze(-1)).log().sum(), "saturation"),
    "scores read row by row": Broken(read_by_rows, "memory formats"),
    "scores must be contiguous": Broken(flattened, "memory formats"),
    "targets overwritten": Broken(offset_targets, "inputs unmodified"),
    "summed in half precision": Broken(summed_in_the_dtype, "many classes"),
    "float32 through float16": Broken(through_float16, "saturation"),
    "float32 through float16, not saturated": Broken(through_float16, "dtypes", {"checks": ["value", "dtypes"]}),
    "one class taken for two": Broken(binary_for_one_class, "one class"),
    "an empty batch is an error": Broken(row_by_row, "batch sizes"),
    "a batch of one loses its dimension": Broken(lambda x, t: rows(x, t).squeeze(), "batch sizes", NONE),
    **{
        f"{'dropped' if pad is None else 'padded with 0'} after blocks of {block} classes": Broken(
            in_blocks(block, pad), "value" if block == 4 else "many classes"
        )
        for block in (4, 1024, 4096, 65536)
        for pad in (None, 0.0)
    },
    "rows after blocks of 1024 dropped": Broken(in_blocks_of_rows, "many rows"),
    "one maximum for all rows": Broken(shared_maximum, "saturation", NONE),
    "a small error of Sigmoid is 0": Broken(
        Binary.apply,
        "saturation",
        {"normalizer": "sigmoid", "targets": "soft"},  # type: ignore[arg-type]
    ),
    "sum t taken for 1 in the backward pass": Broken(soft_targets(right=False), "off the simplex", {"targets": "soft"}),
    "sum t taken for 1, beside labels": Broken(
        soft_targets(right=False), "off the simplex", {"features": ["soft_targets"]}
    ),
    # options
    "label smoothing over the K - 1 others": Broken(
        option(others=lambda k: k - 1), "label_smoothing", MEAN | {"features": ["label_smoothing"]}
    ),
    "ignored rows counted in the mean": Broken(
        option(count=lambda kept, w, w_all: w.sum()), "ignore_index", MEAN | {"features": ["ignore_index"]}
    ),
    "ignored rows not ignored": Broken(option(ignores=False), "ignore_index", MEAN | {"features": ["ignore_index"]}),
    "all rows ignored: 0 / 0 sent back": Broken(
        gradient_divided_by_nothing, "ignore_index", MEAN | {"features": ["ignore_index"]}, "ROCm/aiter #5165"
    ),
    "weights forgotten in the denominator": Broken(
        option(count=lambda kept, w, w_all: kept.sum()), "weights", MEAN | {"features": ["weights"]}
    ),
    "weights overwritten": Broken(weights_normalised_in_place, "weights", MEAN | {"features": ["weights"]}),
    "weights of ignored rows counted": Broken(
        weighted_only_alone, "features together", MEAN | {"features": ["weights", "ignore_index"]}
    ),
    "soft targets hardened": Broken(
        hardened, "soft_targets", {"features": ["soft_targets"], "checks": ["value", "soft_targets"]}
    ),
    "soft targets on the simplex hardened": Broken(hardened, "simplex_targets", {"features": ["simplex_targets"]}),
    "0 times -inf": Broken(
        lambda x, t: -(F.one_hot(t, x.shape[-1]) * x.log_softmax(-1)).sum(), "masks", {"features": ["masks"]}
    ),
    # other normalizers
    "Sigmoid averaged over the classes": Broken(
        lambda x, t: F.binary_cross_entropy_with_logits(x, t),
        "value",
        {"normalizer": "sigmoid", "targets": "soft", "reduction": "mean"},
    ),
    "Tanh with targets in [0, 1]": Broken(
        lambda x, t: (torch.logaddexp(x, -x) - 0.6931471805599453 - x * t).sum(),
        "value",
        {"normalizer": "tanh", "targets": "soft"},
    ),
    "PyTorch's HardSigmoid for the paper's": Broken(
        lambda x, t: (1.5 * F.huber_loss(x / 3, 0 * x, reduction="none") + x / 2 - x * t).sum(),
        "value",
        {"normalizer": "hardsigmoid", "targets": "soft"},
    ),
    # Appendix B of the paper
    "ISBE_func: its value is the mean square error": Broken(isbe_func, "value"),
    "ISBE_func: grad_output ignored": Broken(isbe_func, "grad_output", BUT_VALUE),
}
