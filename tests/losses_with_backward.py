"""Losses with a backward pass of their own: right ones, and the same with the slips that people make."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def one_hot(t: Tensor, y: Tensor) -> Tensor:
    """1 at the label of each row, in a way that leaves the number of classes a symbol; F.one_hot makes it a number."""
    return (t[:, None] == torch.arange(y.shape[1])).to(y.dtype)


class CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of class indices."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        largest = x.amax(1, keepdim=True)
        powers = (x - largest).exp()
        mass = powers.sum(1, keepdim=True)
        ctx.save_for_backward(powers / mass, t)
        return ((mass.log() + largest).squeeze(1) - x.gather(1, t.unsqueeze(1)).squeeze(1)).mean()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        error = y.clone()
        error[torch.arange(t.shape[0]), t] -= 1
        return g * error / t.shape[0], None


class DoubledOneHot(CrossEntropy):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        error = y.clone()
        error[torch.arange(t.shape[0]), t] -= 2
        return g * error / t.shape[0], None


class TurnedSign(CrossEntropy):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        return g * (one_hot(t, y) - y) / t.shape[0], None


class ForgottenGradOutput(CrossEntropy):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        return (y - one_hot(t, y)) / t.shape[0], None


class SumForMean(CrossEntropy):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        return g * (y - F.one_hot(t, y.shape[1])), None


class FixedSize(CrossEntropy):
    """Divides by 32, the size of its author's batches."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        error = y.clone()
        error[torch.arange(t.shape[0]), t] -= 1
        return g * error / 32, None


class ClassesForRows(CrossEntropy):
    """Divides by K where n is meant."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        error = y.clone()
        error[torch.arange(t.shape[0]), t] -= 1
        return g * error / y.shape[1], None


class VanishesAtFour(CrossEntropy):
    """Right at K = 4 only."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        error = y.clone()
        error[torch.arange(t.shape[0]), t] -= 1
        return g * error / t.shape[0] + g * (y.shape[1] - 4) * y, None


class SquaredProbability(CrossEntropy):
    """y (1 - y) for the whole Jacobian."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, t = ctx.saved_tensors
        return g * y * (1 - y) * (y - one_hot(t, y)) / t.shape[0], None


class ByRows(torch.autograd.Function):
    """Cross-entropy of each row, unreduced."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(x, t)
        return torch.logsumexp(x, 1) - x.gather(1, t[:, None])[:, 0]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        return g[:, None] * (torch.softmax(x, 1) - one_hot(t, x)), None


class ByRowsMeanGradOutput(ByRows):
    """Reads grad_output as a number."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        return g.mean() * (torch.softmax(x, 1) - one_hot(t, x)), None


class SoftmaxAlongRows(ByRows):
    """SoftMax along the wrong axis."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        return g[:, None] * (torch.softmax(x, 0) - one_hot(t, x)), None


class Focal(torch.autograd.Function):
    """Focal loss with gamma = 2: -(1 - p)^2 log p."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(x, t)
        log_p = torch.log_softmax(x, 1).gather(1, t[:, None])[:, 0]
        return (-((1 - log_p.exp()) ** 2) * log_p).sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        y = torch.softmax(x, 1)
        p = y.gather(1, t[:, None])
        slope = 2 * (1 - p) * p * p.log() - (1 - p) ** 2
        return g * slope * (one_hot(t, x) - y), None


class FocalForgottenWeight(Focal):
    """The weight taken as a constant."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        y = torch.softmax(x, 1)
        p = y.gather(1, t[:, None])
        return -g * (1 - p) ** 2 * (one_hot(t, x) - y), None


class SquaredError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(x, t)
        return ((x - t) ** 2).mean()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        slope = 2 * g * (x - t) / x.numel()
        return slope, -slope


class SquaredErrorNoTarget(SquaredError):
    """Gives no gradient by its target."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        return 2 * g * (x - t) / x.numel(), None


class SquaredErrorSameSign(SquaredError):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        slope = 2 * g * (x - t) / x.numel()
        return slope, slope


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w.T

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return g @ w, g.T @ x


class LinearTransposed(Linear):
    """Right where the matrix is symmetric."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return g @ w, x.T @ g


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.softmax(x, -1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).sum(-1, keepdim=True))


class SoftmaxDiagonal(Softmax):
    """The diagonal of the Jacobian only."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return g * y * (1 - y)


class SoftmaxSumOverRows(Softmax):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).sum(0, keepdim=True))


class Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return g * (x > 0)


class ReluStraightThrough(Relu):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g


class SoftCap(torch.autograd.Function):
    """30 tanh(x / 30)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.tanh(x / 30)
        ctx.save_for_backward(y)
        return 30 * y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return g * (1 - y * y)


class SoftCapInner(SoftCap):
    """Forgets that 30 cancels."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return g * (1 - y * y) / 30


class RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        scale = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)
        ctx.save_for_backward(x, w, scale)
        return x * scale * w

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w, scale = ctx.saved_tensors
        inner = g * w
        centre = (inner * x).mean(-1, keepdim=True)
        return scale * inner - scale**3 * x * centre, (g * x * scale).sum(0)


class RMSNormConstantScale(RMSNorm):
    """The scale taken as a constant."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w, scale = ctx.saved_tensors
        return scale * g * w, (g * x * scale).sum(0)


class Chunked(torch.autograd.Function):
    """Cross-entropy by blocks of rows, in place, as large-vocabulary kernels do it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        total = x.new_zeros(())
        grad = torch.empty_like(x)
        rows = x.shape[0] // 2
        for block in range(2):
            part = slice(block * rows, (block + 1) * rows)
            total = total + F.cross_entropy(x[part], t[part], reduction="sum")
            y = torch.softmax(x[part], 1)
            grad[part] = y - one_hot(t[part], x)
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (grad,) = ctx.saved_tensors
        return g * grad, None


class RowDistance(torch.autograd.Function):
    """The squared distance of each pair of rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return ((x - y) ** 2).sum(1)

    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return 2 * g[:, None] * (x - y)

    @classmethod
    def backward(cls, ctx: Any, g: Tensor) -> Any:
        slope = cls.slope(g, *ctx.saved_tensors)
        return slope, -slope


class OneColumnHalved(RowDistance):
    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return RowDistance.slope(g, x, y) / (2 if x.shape[1] == 1 else 1)


class OneEntryHalved(RowDistance):
    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return RowDistance.slope(g, x, y) / (2 if x.numel() == 1 else 1)


class LongRowHalved(RowDistance):
    """Wrong for one row of more than 9 columns."""

    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return RowDistance.slope(g, x, y) / (2 if x.shape[0] == 1 and x.shape[1] > 9 else 1)


class SquareTransposed(RowDistance):
    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        slope = RowDistance.slope(g, x, y)
        return slope.t() if x.shape[0] == x.shape[1] else slope


class EvenColumnsDoubled(RowDistance):
    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return RowDistance.slope(g, x, y) * (2 if x.shape[1] % 2 == 0 else 1)


class SmallerSize(RowDistance):
    """Divides by the smaller of the two sizes, as a number, for the number of rows."""

    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return RowDistance.slope(g, x, y) * len(x) / min(int(x.shape[0]), int(x.shape[1]))


class AtMostTwentyRows(RowDistance):
    @staticmethod
    def slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return RowDistance.slope(g, x, y) * len(x) / min(len(x), 20)


class SavedIsChanged(torch.autograd.Function):
    """The first backward pass writes into what the second one reads."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.y = x.exp()
        return ctx.y.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return ctx.y.mul_(g)


class GradOutputIsChanged(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g.mul_(2).mul_(ctx.saved_tensors[0])


class AloneDoubled(torch.autograd.Function):
    """Wrong by x where w needs no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return g * w * (1 if ctx.needs_input_grad[1] else 2), g * x


class StridedDoubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return 2 * g * x if x.is_contiguous() else 4 * g * x


class FirstColumn(torch.autograd.Function):
    """The other columns of the gradient are never written."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x[:, 0] ** 2).sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        found = torch.empty_like(x)
        found[:, 0] = 2 * g * x[:, 0]
        return found


class IgnoredRows(torch.autograd.Function):
    """The rows of ignored labels are never written."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(x, t)
        return F.nll_loss(x, t, reduction="sum")

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        hot = one_hot(torch.where(t != -100, t, 0), x)
        return torch.where((t != -100)[:, None], -g * hot, torch.empty_like(x)), None


class Gelu(torch.autograd.Function):
    """x N(x), N by the error function."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        density = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return g * (0.5 * (1 + torch.erf(x * 0.7071067811865476)) + x * density)


class GeluRootOfPi(Gelu):
    """Forgets the 2 in the root of 2 pi."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        density = torch.exp(-x * x / 2) / math.sqrt(math.pi)
        return g * (0.5 * (1 + torch.erf(x * 0.7071067811865476)) + x * density)


class GeluOfTanh(Gelu):
    """The slope of the approximation by tanh."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return torch.ops.aten.gelu_backward(g, ctx.saved_tensors[0], approximate="tanh")


class GuardedLog(torch.autograd.Function):
    """log x where x > 0, else x - 1, summed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x > 0, x.log(), x - 1).sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return g * torch.where(x > 0, 1 / x, torch.ones_like(x))


class GuardedLogFive(GuardedLog):
    """Wrong where the logarithm has no value."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return g * torch.where(x > 0, 1 / x, 5 * torch.ones_like(x))


class IgnoreIndex(torch.autograd.Function):
    """Mean cross-entropy of the rows whose label is not ignored."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        kept = t != -100
        label = torch.where(kept, t, 0)
        log_y = x.log_softmax(1)
        ctx.save_for_backward(log_y, label, kept)
        return (-log_y.gather(1, label[:, None])[:, 0] * kept).sum() / kept.sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        log_y, label, kept = ctx.saved_tensors
        return g * (log_y.exp() - one_hot(label, log_y)) * kept[:, None] / kept.sum(), None


class IgnoreIndexAllRows(IgnoreIndex):
    """Divides by the number of all rows: right where no label is ignored."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        log_y, label, kept = ctx.saved_tensors
        return g * (log_y.exp() - one_hot(label, log_y)) * kept[:, None] / kept.shape[0], None


class Smoothed(torch.autograd.Function):
    """Cross-entropy of each row with smoothed labels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        log_y = x.log_softmax(-1)
        ctx.save_for_backward(log_y, t)
        return -0.9 * log_y.gather(-1, t[:, None])[:, 0] - 0.1 * log_y.mean(-1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        log_y, t = ctx.saved_tensors
        target = torch.full_like(log_y, 0.1 / log_y.shape[-1])
        target.scatter_add_(-1, t[:, None], torch.full_like(target[:, :1], 0.9))
        return g[:, None] * (log_y.exp() - target), None


class Remainder(torch.autograd.Function):
    """Summed cross-entropy by blocks of two rows; the backward pass forgets a last block of one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(x, t)
        blocks = zip(x.split(2), t.split(2), strict=True)
        return torch.stack([F.cross_entropy(rows, labels, reduction="sum") for rows, labels in blocks]).sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, t = ctx.saved_tensors
        found = torch.zeros_like(x)
        for a in range(0, x.shape[0] - 1, 2):
            found[a : a + 2] = torch.softmax(x[a : a + 2], 1) - one_hot(t[a : a + 2], x)
        return g * found, None


# --- losses without a backward pass of their own ---


def detached_weight(x: Tensor, t: Tensor) -> Tensor:
    """Focal loss whose weight is detached: not the gradient of the value."""
    log_p = torch.log_softmax(x, 1).gather(1, t[:, None])[:, 0]
    return (-((1 - log_p.exp().detach()) ** 2) * log_p).mean()


def detached_shift(x: Tensor, t: Tensor) -> Tensor:
    """The largest score is detached, which does no harm: it cancels."""
    z = x - x.max(dim=1, keepdim=True).values.detach()
    return (z.exp().sum(1).log() - z.gather(1, t[:, None])[:, 0]).mean()


def smoothed(x: Tensor, t: Tensor) -> Tensor:
    return F.cross_entropy(x, t, label_smoothing=0.1)


def z_loss(x: Tensor, t: Tensor) -> Tensor:
    return (F.cross_entropy(x, t, reduction="none") + 1e-4 * torch.logsumexp(x, 1) ** 2).mean()


def no_grad_normalizer(x: Tensor, t: Tensor) -> Tensor:
    """The normalizer is computed without autograd: its gradient is missing."""
    with torch.no_grad():
        normalizer = torch.logsumexp(x, 1)
    return (normalizer - x.gather(1, t[:, None])[:, 0]).mean()


def hinge(x: Tensor, t: Tensor) -> Tensor:
    return F.multi_margin_loss(x, t)


def guarded_root(x: Tensor) -> Tensor:
    """Where x < 0, autograd's gradient of the root is no number, though it is not chosen."""
    return torch.where(x > 0, torch.sqrt(x), x)


def guarded_twice(x: Tensor) -> Tensor:
    return torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, 1)), x)


def shared_grad_output(x: Tensor) -> Tensor:
    """The sum gives both terms one grad_output, and the first writes into it."""
    return GradOutputIsChanged.apply(3 * x) + 3 * x


# What is said of each: inputs, and the verdict of the first derivatives.
LABELLED = "x: n,K; t: label n of K"
JUDGED: list[tuple[Any, str, str]] = [
    (CrossEntropy, LABELLED, "proved"),
    (DoubledOneHot, LABELLED, "refuted"),
    (TurnedSign, LABELLED, "refuted"),
    (ForgottenGradOutput, LABELLED, "refuted"),
    (SumForMean, LABELLED, "refuted"),
    (FixedSize, LABELLED, "refuted"),
    (ClassesForRows, LABELLED, "refuted"),
    (VanishesAtFour, LABELLED, "refuted"),
    (SquaredProbability, LABELLED, "refuted"),
    (ByRows, LABELLED, "proved"),
    (ByRowsMeanGradOutput, LABELLED, "refuted"),
    (SoftmaxAlongRows, LABELLED, "refuted"),
    (Focal, LABELLED, "proved"),
    (FocalForgottenWeight, LABELLED, "refuted"),
    (SquaredError, "x: n,D; t: n,D", "proved"),
    (SquaredErrorNoTarget, "x: n,D; t: n,D", "undecided"),
    (SquaredErrorNoTarget, "x: n,D; t: n,D constant", "proved"),
    (SquaredErrorSameSign, "x: n,D; t: n,D", "refuted"),
    (Linear, "x: n,D; w: E,D", "proved"),
    (LinearTransposed, "x: n,D; w: D,D", "refuted"),
    (Softmax, "x: n,K", "proved"),
    (SoftmaxDiagonal, "x: n,K", "refuted"),
    (SoftmaxSumOverRows, "x: n,K", "refuted"),
    (Relu, "x: n", "proved"),
    (ReluStraightThrough, "x: n", "refuted"),
    (SoftCap, "x: n", "proved"),
    (SoftCapInner, "x: n", "refuted"),
    (RMSNorm, "x: n,D; w: D", "proved"),
    (RMSNormConstantScale, "x: n,D; w: D", "refuted"),
    (Chunked, "x: 2*m,K; t: label 2*m of K", "proved"),
    (detached_weight, LABELLED, "refuted"),
    (detached_shift, LABELLED, "proved"),
    (smoothed, LABELLED, "proved"),
    (z_loss, LABELLED, "proved"),
    (no_grad_normalizer, LABELLED, "refuted"),
    (hinge, LABELLED, "proved"),
    (RowDistance, "x: n,K; y: n,K", "proved"),
    (OneColumnHalved, "x: n,K; y: n,K", "refuted"),
    (OneEntryHalved, "x: n,K; y: n,K", "refuted"),
    (LongRowHalved, "x: n,K; y: n,K", "refuted"),
    (SquareTransposed, "x: n,K; y: n,K", "refuted"),
    (EvenColumnsDoubled, "x: n,K; y: n,K", "refuted"),
    (SmallerSize, "x: n,K; y: n,K", "undecided"),
    (AtMostTwentyRows, "x: n,K; y: n,K", "undecided"),
    (SavedIsChanged, "x: n", "undecided"),
    (GradOutputIsChanged, "x: n", "undecided"),
    (shared_grad_output, "x: n", "undecided"),
    (AloneDoubled, "x: n; w: n", "undecided"),
    (StridedDoubled, "x: n", "undecided"),
    (FirstColumn, "x: n,K", "undecided"),
    (IgnoredRows, "x: n,K; t: label n of K or -100", "undecided"),
    (Gelu, "x: n", "proved"),
    (GeluRootOfPi, "x: n", "refuted"),
    (GeluOfTanh, "x: n", "refuted"),
    (GuardedLog, "x: n", "proved"),
    (GuardedLogFive, "x: n", "refuted"),
    (guarded_root, "x: n", "refuted"),
    (guarded_twice, "x: n", "proved"),
    (IgnoreIndex, "x: n,K; t: label n of K or -100", "proved"),
    (IgnoreIndexAllRows, "x: n,K; t: label n of K or -100", "refuted"),
    (Smoothed, LABELLED, "proved"),
    (Remainder, "x: n,K; t: label n of K; n = 4", "proved"),
    (Remainder, "x: n,K; t: label n of K; n = 5", "refuted"),
]
