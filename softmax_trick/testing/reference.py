r"""Right answers in float64, and how far rounding may lead away from them.

The loss of a row with scores x and targets t is the implicit loss

    mass * P(x) - <x, a>,   gradient  mass * F(x) - a,   Hessian  mass * J(x),

where grad P = F (`softmax_trick.normalizers`), a are the targets in the range of the normalizer, and mass = 1; class
weights w (SoftMax only) make a = w * t and mass = sum a; an ignored row has a = 0 and mass = 0. Label smoothing s is
t -> (1 - s) t + s / K. For SoftMax and targets on the simplex this is the cross-entropy after SoftMax, for Sigmoid the
binary cross-entropy with logits summed over the classes: softplus(x) - t x, for t in [0, 1]. Off the simplex the
cross-entropy -sum t log y is another loss than the implicit one, that with mass = sum t.

F and P are those of the normalizer's entry, in float64; J^T v is F's derivative by autograd.

Tolerances. u is the unit roundoff of the dtype under test. Two routes to one answer are compared, each with fewer than
K + 8 roundings on the way to an entry (a sum over the classes, shift, exp, log, quotient, product, difference), and exp
may be off by several ulp: 4 (K + 8) u times the size of what was rounded.

    value     what is rounded are the terms of P(x) and <x, a>: sum_i (mass + |a_i|) (|x_i| + 1) bounds them, with |y_i|
              for 1 where it is more. Where the y_i sum to 1, a change of x_i counts y_i times only, and a sum inside a
              logarithm is rounded relative to itself: mass (|P| + max |x| + 1) + sum_i |a_i x_i|. A sum over n rows
              rounds n times more.
    gradient  y_i inherits the rounding of the scores, 2 L max |x| u for an F of slope L, so that K + 8 + 2 L max |x|
              takes the place of K + 8. Where F is known to a relative accuracy (SoftMax, Sigmoid) the size is
              mass y_i + |a_i|: an absolute tolerance would let pass a backward that is 0 where saturated. Where the y_i
              of a row sum to 1, the entry of its largest score may be off by mass, as a route that subtracts max x
              sends back what rounding leaves of sum y - 1 = 0; that of the largest of all rows by all their masses, as
              one maximum may be shared. The others are computed by shifts such as (hardtanh + 1) / 2: size 1 + |a_i|.
    second    J v with |v| <= max |v|; a route through -log y divides by y: times 1 / min y >= 1 where y is relative.

Half types have no such bound worth having: (K + 8) u is 1 for K = 250 in bfloat16. There an answer may be off by
HALF_FACTOR times what torch's own operations are off in the same dtype on the same example, or, should torch be lucky
there, times what one rounding may do: u max(1, |value|) to the value of a row, and u (1 + 2 L max |x| + log K) to an
entry of the gradient, relative to its size, since torch keeps log y rounded and |log y| <= 2 max |x| + log K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import assume
from torch import Tensor

from softmax_trick.normalizers import SIGMOID, SOFTMAX, Normalizer
from softmax_trick.testing.answers import Answer, ScoredExample
from softmax_trick.testing.hints import hints

HALF_FACTOR = 4
HALF_TYPES = (torch.bfloat16, torch.float16)


def unit_roundoff(dtype: torch.dtype) -> float:
    """u: half the distance from 1 to the next number."""
    return torch.finfo(dtype).eps / 2


# --- a normalizer, its derivative, and its slopes ---------------------------------------------------------------------


def pullback(normalizer: Normalizer, x: Tensor, v: Tensor) -> Tensor:
    """J^T v of every row, J_ij = dF_i / dx_j, shape (n, K), for scores and v of shape (n, K).

    Raises:
        ValueError: autograd does not differentiate the normalizer's torch form.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        y = normalizer.torch(x)
        if not y.requires_grad:
            raise ValueError(
                f"the normalizer {normalizer.title} cannot be differentiated by autograd: choose sub-checks without "
                "its derivative by `checks`, or write its torch form in torch's operations"
            )
        (found,) = torch.autograd.grad(y, x, v)
    return found


STEP = 1e-6
"""How far from a kink an example must be."""


def smooth_at(normalizer: Normalizer, x: Tensor) -> bool:
    """Whether F has no kink within `STEP` of the scores, as far as J^T v shows: v, and the direction, are fixed.

    A slope that jumps by less than a thousandth of the largest in its row is taken for a curvature.
    """
    places = torch.arange(x.numel(), dtype=x.dtype).reshape(x.shape)
    v, direction = 1 + (places + 1).sin() / 2, (1.6 * places + 1).cos() + 2
    here, *beside = (pullback(normalizer, x + step * direction, v) for step in (0, STEP / 3, -STEP / 3))
    size = here.abs().amax(-1, keepdim=True) if x.numel() else here
    return all(bool(((here - there).abs() <= 1e-3 * size + 1e-9).all()) for there in beside)


@cache
def slope(normalizer: Normalizer) -> float:
    """L >= 1: when the scores change by a part e of themselves, a soft score changes by 2 L max |x| e of its size.

    The largest on a fixed sample; 1 for the normalizers of the paper.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    scores = torch.rand(64, 4, dtype=torch.float64, device="cpu", generator=generator) * 10 - 5
    change, y = 2.0**-26, normalizer.torch(scores)
    moved = [normalizer.torch(scores * (1 + change * scores.new_tensor(signs))) for signs in product((1, -1), repeat=4)]
    size = soft_size(normalizer, y) * 2 * scores.abs().amax(-1, keepdim=True)
    slopes = [(one - y).abs() / change / size for one in moved]
    return max(1.0, float(torch.stack(slopes).nan_to_num(posinf=1.0).amax()))


def soft_size(normalizer: Normalizer, y: Tensor) -> Tensor:
    """What is rounded in a soft score: itself where it is known to a relative accuracy, and else 1, if it is less."""
    return y.abs() if normalizer.relative else y.abs().clamp_min(1)


def sums_to_one(y: Tensor) -> Tensor:
    """1 for rows of soft scores that sum to 1, 0 for others, shape (n, 1)."""
    return ((y.sum(-1, keepdim=True) - 1).abs() < 1e-9).to(y.dtype)


def at_maximum(x: Tensor) -> Tensor:
    """1 where a score is the largest of its row, 0 elsewhere."""
    return (x == x.amax(-1, keepdim=True)).to(x.dtype)


def at_shared_maximum(x: Tensor) -> Tensor:
    """1 where a score is the largest of all rows, 0 elsewhere."""
    return (x == x.amax()).to(x.dtype) if x.numel() else x


def growth(normalizer: Normalizer, x: Tensor) -> Tensor:
    """K + 8 + 2 L max |x| of every row, shape (n, 1); scores of -inf are not rounded."""
    finite = torch.where(x.isinf(), 0, x)
    return x.shape[-1] + 8 + 2 * slope(normalizer) * finite.abs().amax(-1, keepdim=True)


def exponent(normalizer: Normalizer, x: Tensor) -> Tensor:
    """1 + 2 L max |x| + log K of every row, shape (n, 1)."""
    return growth(normalizer, x) - x.shape[-1] - 7 + math.log(x.shape[-1])


@dataclass(frozen=True)
class Problem(ScoredExample):
    """Scores and targets for a loss, and what the loss ought to answer.

    Attributes:
        normalizer: F and P.
        targets: class indices (n,), or soft targets (n, K) in the dtype of the scores.
        weight: one weight for each class, shape (K,), or None.
        label_smoothing: s in [0, 1].
        ignore_index: the class index of rows that do not count, or None.
        cross_entropy: whether the loss is -sum a log y, so that mass = sum a also without weights.
    """

    normalizer: Normalizer
    reduction: str
    scores: Tensor
    targets: Tensor
    weight: Tensor | None = None
    label_smoothing: float | None = None
    ignore_index: int | None = None
    cross_entropy: bool = False

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
        soft: Tensor = self.normalizer.map_target((1 - s) * self.one_hot + s / self.k)
        weighted = soft if self.weight is None else soft * self.weight
        return torch.where(self.kept.unsqueeze(-1), weighted, 0)

    @cached_property
    def mass(self) -> Tensor:
        """The factor of P(x) in every row, shape (n,)."""
        return self.kept.double() if self.weight is None and not self.cross_entropy else self.a.sum(-1)

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
        return self.normalizer.torch(self.x)

    @cached_property
    def potential(self) -> Tensor:
        """P(x) of every row."""
        return self.normalizer.torch_potential(self.x)

    @cached_property
    def rows(self) -> Tensor:
        """The loss of every row."""
        potential = self.mass * self.potential
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
        product = pullback(self.normalizer, self.x, v)
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
    def _in_one(self) -> Tensor:
        """1 for rows whose soft scores sum to 1."""
        return sums_to_one(self.y)

    @cached_property
    def _value_size(self) -> Tensor:
        """What is rounded in the value of every row."""
        size, mass = torch.where(self.x.isinf(), 0, self.x).abs(), self.mass.abs()
        a = self.a.abs()
        summed = mass * (self.potential.abs() + size.amax(-1) + 1) + (a * size).sum(-1)
        terms = mass.unsqueeze(-1) * self.y.abs().clamp_min(1) + a
        apart = (terms * (size + 1)).sum(-1)
        return torch.where(self._in_one.squeeze(-1) == 1, summed, apart.maximum(mass * self.potential.abs()))

    @cached_property
    def gradient_size(self) -> Tensor:
        """What is rounded in an entry of the gradient, for a grad_output of 1, without the reduction."""
        mass = self.mass.abs().unsqueeze(-1)
        return mass * (soft_size(self.normalizer, self.y) + self._in_one * at_maximum(self.x)) + self.a.abs()

    @cached_property
    def _relative(self) -> Tensor:
        """How far an entry of the gradient may be off, relative to its size, shape (n, 1)."""
        return 4 * growth(self.normalizer, self.x) * unit_roundoff(self.scores.dtype)

    def _shared(self, by_row: Tensor) -> Tensor:
        """What a maximum that all rows share may send back, of as much, (n, 1), in every row."""
        return at_shared_maximum(self.x) * (self._in_one * by_row).sum()

    def value_allowed(self) -> Tensor:
        """How far the value may be off."""
        u = unit_roundoff(self.scores.dtype)
        if self.reduction == "none":
            return 4 * (self.k + 8) * u * self._value_size + self.tiny
        return 4 * (self.n + self.k + 8) * u * self._value_size.sum() / (self.denominator or 1.0) + self.tiny

    def gradient_allowed(self, grad_output: Tensor) -> Tensor:
        """How far the gradient may be off."""
        scale = self._scale(grad_output).abs()
        shared = self._shared(self._relative * self.mass.abs().unsqueeze(-1) * scale)
        return self._relative * self.gradient_size * scale + shared + self.tiny * (1 + scale)

    def second_allowed(self, grad_output: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """How far the two parts of `second` may be off."""
        divided = self.y.abs().amin(-1, keepdim=True).reciprocal() if self.normalizer.relative else 1
        largest = slope(self.normalizer) * v.abs().amax(-1, keepdim=True)
        size = 2 * self._relative * divided * (1 + self.mass.abs().unsqueeze(-1)) * largest
        scale = self._scale(grad_output).abs()
        by_row = self.k * (size * self._scale(torch.ones_like(grad_output)).abs()).squeeze(-1)
        return (
            size * scale + self._shared(size * scale) + self.tiny,
            (by_row if self.reduction == "none" else by_row.sum()) + self.tiny,
        )

    # --- half types ---

    def torchs_own(self, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        """Value and gradient by torch's own operations in the dtype of the scores, as float64."""
        x = self.scores.detach().clone().requires_grad_()
        if self.normalizer is SOFTMAX:
            value = F.cross_entropy(x, self.targets, reduction=self.reduction)
        else:
            rows = self._rows_by_torch(x)
            value = {"none": rows, "sum": rows.sum(), "mean": rows.mean()}[self.reduction]
        (found,) = torch.autograd.grad(value, x, grad_output.to(x.dtype))
        return value.detach().double(), found.double()

    def _rows_by_torch(self, x: Tensor) -> Tensor:
        if self.normalizer is SIGMOID:
            return F.binary_cross_entropy_with_logits(x, self.a.to(x.dtype), reduction="none").sum(-1)
        return self.normalizer.torch_potential(x) - (x * self.a.to(x.dtype)).sum(-1)

    # --- right answers, with what is allowed ---

    def assume_smooth(self) -> None:
        """Discard the example if F has a kink there."""
        assume(smooth_at(self.normalizer, self.x))

    def _answer(self, right: Tensor, allowed: Tensor, what: str = "") -> Answer:
        return Answer(right, allowed, hints=lambda found: hints(found, right, what, self.n, self.k))

    def answer_value(self) -> Answer:
        """The reduced loss."""
        return self._answer(self.value(), self.value_allowed(), "value")

    def answer_gradient(self, grad_output: Tensor) -> Answer:
        """The gradient in the scores for this grad_output."""
        return self._answer(self.gradient(grad_output), self.gradient_allowed(grad_output), "gradient")

    def answer_second(self, grad_output: Tensor, v: Tensor) -> tuple[Answer, Answer]:
        """The gradient of <gradient(grad_output), v> in the scores and in grad_output."""
        right, allowed = self.second(grad_output, v), self.second_allowed(grad_output, v)
        return self._answer(right[0], allowed[0]), self._answer(right[1], allowed[1])

    def half_answers(self, grad_output: Tensor) -> tuple[Answer, Answer]:
        """Value and gradient in a half type."""
        value_allowed, gradient_allowed = self.half_allowed(grad_output)
        return self._answer(self.value(), value_allowed), self._answer(self.gradient(grad_output), gradient_allowed)

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
            HALF_FACTOR * (torch.maximum(relative, u * exponent(self.normalizer, self.x)) * size + self.tiny),
        )
