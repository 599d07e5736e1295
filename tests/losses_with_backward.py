"""Losses with a backward pass of their own: right ones, and the same with the slips that people make."""

from __future__ import annotations

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
]
