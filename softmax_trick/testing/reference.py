r"""Right answers in float64, without autograd, and how far rounding may lead away from them.

The loss of a row with scores x and targets t is the implicit loss

    mass * P(x) - <x, a>,   gradient  mass * F(x) - a,   Hessian  mass * J(x),

where grad P = F (`softmax_trick.normalizers`), a are the targets in the range of the normalizer, and mass = 1; class
weights w (SoftMax only) make a = w * t and mass = sum a; an ignored row has a = 0 and mass = 0. Label smoothing s is
t -> (1 - s) t + s / K. For SoftMax and targets on the simplex this is the cross-entropy after SoftMax, for Sigmoid the
binary cross-entropy with logits summed over the classes: softplus(x) - t x, for t in [0, 1].

"sum" adds the rows; "mean" divides the sum by the number n of rows: of those not ignored, and for class indices with
weights by the sum of the weights of their labels, as torch does; "none" gives one value a row.

Tolerances. u is the unit roundoff of the dtype under test. Two routes to one answer are compared, each with fewer than
K + 8 roundings on the way to an entry (a sum over the classes, shift, exp, log, quotient, product, difference), and exp
may be off by several ulp: 4 (K + 8) u times the size of what was rounded.

    value     what is rounded are the terms of P(x) and <x, a>: sum_i (mass + |a_i|) (|x_i| + 1) bounds them. A sum over
              n rows rounds n times more.
    gradient  for SoftMax y_i = exp(x_i - log sum exp x) inherits the rounding of the exponent, 2 max |x| u, as a
              *relative* error, so that (K + 8 + 2 max |x|) takes the place of (K + 8) and y_i + |a_i| is the size; the
              entry of the largest score may be off by mass, as a route that subtracts max x sends back what rounding
              leaves of sum y - 1 = 0. An absolute tolerance would let pass a backward that is 0 where saturated.
              The other normalizers are bounded by 1 and computed by shifts such as (hardtanh + 1) / 2: size 1 + |a_i|.
    second    J v with |v| <= max |v|; a route through -log y divides by y: times 1 / min y >= 1 for SoftMax.

Half types have no such bound worth having: (K + 8) u is 1 for K = 250 in bfloat16. There an answer may be off by
HALF_FACTOR times what torch's own operations are off in the same dtype on the same example, or, should torch be lucky
there, times what one rounding may do: u max(1, |value|) to the value of a row, and u (1 + 2 max |x| + log K) to an
entry of the gradient, relative to its size, since torch keeps log y rounded and |log y| <= 2 max |x| + log K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from softmax_trick.normalizers import NORMALIZERS

HALF_FACTOR = 4
HALF_TYPES = (torch.bfloat16, torch.float16)

# Where F is not differentiable: |x| = kink.
KINKS = {"hardtanh": 1.0, "hardsigmoid": 2.0, "hardsigmoid_torch": 3.0}
_SLOPES = {"hardtanh": 1.0, "hardsigmoid": 1 / 4, "hardsigmoid_torch": 1 / 6}


def unit_roundoff(dtype: torch.dtype) -> float:
    """u: half the distance from 1 to the next number."""
    return torch.finfo(dtype).eps / 2


def jacobian(normalizer: str, x: Tensor) -> Tensor:
    """J_ij = dF_i / dx_j of every row, shape (n, K, K), for scores (n, K); off the kinks."""
    y = NORMALIZERS[normalizer].torch(x)
    match normalizer:
        case "softmax":
            return y.diag_embed() - y.unsqueeze(-1) * y.unsqueeze(-2)
        case "sigmoid":
            return (y * (1 - y)).diag_embed()
        case "tanh":
            return (1 - y * y).diag_embed()
        case _:
            return (_SLOPES[normalizer] * (x.abs() < KINKS[normalizer]).to(x.dtype)).diag_embed()


def at_maximum(x: Tensor) -> Tensor:
    """1 where a score is the largest of its row, 0 elsewhere."""
    return (x == x.amax(-1, keepdim=True)).to(x.dtype)


def growth(x: Tensor) -> Tensor:
    """K + 8 + 2 max |x| of every row, shape (n, 1); scores of -inf are not rounded."""
    finite = torch.where(x.isinf(), 0, x)
    return x.shape[-1] + 8 + 2 * finite.abs().amax(-1, keepdim=True)


def exponent(x: Tensor) -> Tensor:
    """1 + 2 max |x| + log K of every row, shape (n, 1)."""
    return growth(x) - x.shape[-1] - 7 + math.log(x.shape[-1])


@dataclass(frozen=True)
class Problem:
    """Scores and targets for a loss, and what the loss ought to answer.

    Attributes:
        normalizer: a name in `softmax_trick.normalizers.NORMALIZERS`.
        reduction: "sum", "mean" or "none".
        scores: shape (n, K), in the dtype under test; answers are computed from its values, exactly as they are.
        targets: class indices (n,), or soft targets (n, K) in the dtype of the scores.
        weight: one weight for each class, shape (K,), or None.
        label_smoothing: s in [0, 1].
        ignore_index: the class index of rows that do not count, or None.
    """

    normalizer: str
    reduction: str
    scores: Tensor
    targets: Tensor
    weight: Tensor | None = None
    label_smoothing: float | None = None
    ignore_index: int | None = None

    def to(self, dtype: torch.dtype) -> Problem:
        """The same problem with scores and soft targets rounded to another dtype."""
        soft = self.targets.to(dtype) if self.targets.is_floating_point() else self.targets
        return replace(self, scores=self.scores.to(dtype), targets=soft)

    def options(self) -> dict[str, Any]:
        """The optional ones among the inputs, by the names of torch's losses."""
        every = {"weight": self.weight, "label_smoothing": self.label_smoothing, "ignore_index": self.ignore_index}
        return {name: value for name, value in every.items() if value is not None}

    def example(self) -> dict[str, Any]:
        """The inputs by name."""
        return {"scores": self.scores, "targets": self.targets, **self.options()}

    # --- the loss ---

    @property
    def n(self) -> int:
        """The number of rows."""
        return self.scores.shape[0]

    @property
    def k(self) -> int:
        """The number of classes."""
        return self.scores.shape[1]

    @cached_property
    def x(self) -> Tensor:
        """The scores in float64."""
        return self.scores.double()

    @cached_property
    def kept(self) -> Tensor:
        """Whether a row counts, shape (n,)."""
        if self.ignore_index is None:
            return torch.ones_like(self.x[:, 0], dtype=torch.bool)
        return self.targets != self.ignore_index

    @cached_property
    def one_hot(self) -> Tensor:
        """The targets as rows over the classes, in [0, 1]; anything where a row is ignored."""
        if self.targets.is_floating_point():
            return self.targets.double()
        return F.one_hot(self.targets.where(self.kept, 0), self.k).double()

    @cached_property
    def a(self) -> Tensor:
        """The targets a: smoothed, moved into the range of the normalizer, weighted; 0 where ignored."""
        s = self.label_smoothing or 0.0
        soft: Tensor = NORMALIZERS[self.normalizer].map_target((1 - s) * self.one_hot + s / self.k)
        weighted = soft if self.weight is None else soft * self.weight
        return torch.where(self.kept.unsqueeze(-1), weighted, 0)

    @cached_property
    def mass(self) -> Tensor:
        """The factor of P(x) in every row, shape (n,)."""
        return self.kept.double() if self.weight is None else self.a.sum(-1)

    @cached_property
    def denominator(self) -> float:
        """What the sum of the rows is divided by; 0 where no row counts."""
        if self.reduction != "mean":
            return 1.0
        if self.weight is None or self.targets.is_floating_point():
            return float(self.kept.sum())
        return float((self.one_hot @ self.weight)[self.kept].sum())

    @cached_property
    def y(self) -> Tensor:
        """F(x)."""
        return NORMALIZERS[self.normalizer].torch(self.x)

    @cached_property
    def rows(self) -> Tensor:
        """The loss of every row."""
        potential = self.mass * NORMALIZERS[self.normalizer].torch_potential(self.x)
        # A masked class has the score -inf and the target 0: it contributes nothing.
        return potential - torch.where(self.a == 0, 0, self.a * self.x).sum(-1)

    def value(self) -> Tensor:
        """The reduced loss; NaN for the mean of no rows."""
        return self.rows if self.reduction == "none" else self.rows.sum() / self.denominator

    def gradient(self, grad_output: Tensor) -> Tensor:
        """The gradient in the scores for this grad_output, (n,) for "none" and a scalar otherwise."""
        return (self.mass.unsqueeze(-1) * self.y - self.a) * self._scale(grad_output)

    def second(self, grad_output: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of <gradient(grad_output), v> in the scores and in grad_output."""
        product = (jacobian(self.normalizer, self.x) @ v.unsqueeze(-1)).squeeze(-1)
        ones = torch.ones_like(grad_output)
        by_row = (self.gradient(ones) * v).sum(-1)
        return (
            self.mass.unsqueeze(-1) * product * self._scale(grad_output),
            by_row if self.reduction == "none" else by_row.sum(),
        )

    def _scale(self, grad_output: Tensor) -> Tensor:
        if self.reduction == "none":
            return grad_output.double().unsqueeze(-1)
        # Without rows that count there is nothing to divide, and the gradient is 0.
        return grad_output.double() / (self.denominator or 1.0)

    # --- tolerances ---

    @cached_property
    def tiny(self) -> float:
        """The smallest normal number: what underflows may become 0."""
        return torch.finfo(self.scores.dtype).tiny

    @cached_property
    def _value_size(self) -> Tensor:
        """sum_i (mass + |a_i|) (|x_i| + 1) of every row."""
        finite = torch.where(self.x.isinf(), 0, self.x)
        return ((self.mass.abs().unsqueeze(-1) + self.a.abs()) * (finite.abs() + 1)).sum(-1)

    @cached_property
    def gradient_size(self) -> Tensor:
        """What is rounded in an entry of the gradient, for a grad_output of 1, without the reduction."""
        mass = self.mass.abs().unsqueeze(-1)
        if self.normalizer != "softmax":
            return mass + self.a.abs()
        return mass * (self.y + at_maximum(self.x)) + self.a.abs()

    def value_allowed(self) -> Tensor:
        """How far the value may be off."""
        u = unit_roundoff(self.scores.dtype)
        if self.reduction == "none":
            return 4 * (self.k + 8) * u * self._value_size + self.tiny
        return 4 * (self.n + self.k + 8) * u * self._value_size.sum() / (self.denominator or 1.0) + self.tiny

    def gradient_allowed(self, grad_output: Tensor) -> Tensor:
        """How far the gradient may be off."""
        u = unit_roundoff(self.scores.dtype)
        scale = self._scale(grad_output).abs()
        return 4 * growth(self.x) * u * self.gradient_size * scale + self.tiny * (1 + scale)

    def second_allowed(self, grad_output: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """How far the two parts of `second` may be off."""
        u = unit_roundoff(self.scores.dtype)
        divided = self.y.amin(-1, keepdim=True).reciprocal() if self.normalizer == "softmax" else self.x.new_ones(())
        largest = v.abs().amax(-1, keepdim=True)
        size = 8 * growth(self.x) * u * divided * (1 + self.mass.abs().unsqueeze(-1)) * largest
        by_row = self.k * (size * self._scale(torch.ones_like(grad_output)).abs()).squeeze(-1)
        return (
            size * self._scale(grad_output).abs() + self.tiny,
            (by_row if self.reduction == "none" else by_row.sum()) + self.tiny,
        )

    # --- half types ---

    def torchs_own(self, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        """Value and gradient by torch's own operations in the dtype of the scores, as float64."""
        x = self.scores.detach().clone().requires_grad_()
        if self.normalizer == "softmax":
            value = F.cross_entropy(x, self.targets, reduction=self.reduction)
        else:
            rows = self._rows_by_torch(x)
            value = {"none": rows, "sum": rows.sum(), "mean": rows.mean()}[self.reduction]
        (found,) = torch.autograd.grad(value, x, grad_output.to(x.dtype))
        return value.detach().double(), found.double()

    def _rows_by_torch(self, x: Tensor) -> Tensor:
        if self.normalizer == "sigmoid":
            return F.binary_cross_entropy_with_logits(x, self.a.to(x.dtype), reduction="none").sum(-1)
        return NORMALIZERS[self.normalizer].torch_potential(x) - (x * self.a.to(x.dtype)).sum(-1)

    def half_allowed(self, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        """How far value and gradient may be off in a half type."""
        u = unit_roundoff(self.scores.dtype)
        value, found = self.torchs_own(grad_output)
        by_row = u * self.rows.abs().clamp_min(1)
        rounded = by_row if self.reduction == "none" else by_row.sum() / self.denominator
        size = self.gradient_size * self._scale(grad_output).abs()
        relative = ((found - self.gradient(grad_output)).abs() / size.clamp_min(self.tiny)).amax()
        return (
            HALF_FACTOR * torch.maximum((value - self.value()).abs().amax(), rounded),
            HALF_FACTOR * (torch.maximum(relative, u * exponent(self.x)) * size + self.tiny),
        )
