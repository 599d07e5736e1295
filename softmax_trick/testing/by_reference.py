"""A loss that ought to be another function: a reference in torch, of which no formula is known.

Right is what the reference gives in float64, its derivatives by autograd. How far rounding may lead is sampled: the
reference is run again with the scores, and every result of every operation, of the backward pass too, changed at random
by a part of 2^-30. Where an entry then changes by more than a hundredth of the largest, it is not judged. Else allowed
is 4 (K + 16) u times the largest change and the size of the answer; and 4 u of the size of grad_output, as what cancels
inside one operation cannot be seen. That is an estimate with factors that were chosen, and it lets an error pass where
a gradient is small because it is saturated; a formula, `like=`, has a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from hypothesis.errors import UnsatisfiedAssumption
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from softmax_trick.testing.answers import Answer, ScoredExample
from softmax_trick.testing.hints import hints
from softmax_trick.testing.running import Draw
from softmax_trick.testing.strategies import ScoreKind, TargetKind, scores, shapes, targets

RUNS = 6
PART = 2.0**-30
STEP = 1e-7  # how far from a kink a gradient is judged

Reference = Callable[..., Tensor]


class _Rounded(TorchDispatchMode):
    """Every floating-point result of every operation, changed at random by a small part of itself."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if any(one.alias_info is not None for one in func._schema.returns):
            return found  # views, and what is written in place: changed where it was computed
        if isinstance(found, Tensor):
            return self._changed(found)
        return type(found)(map(self._changed, found)) if isinstance(found, tuple | list) else found

    def _changed(self, one: Any) -> Any:
        if not (isinstance(one, Tensor) and one.is_floating_point() and one.device.type == "cpu"):
            return one
        part = torch.rand(one.shape, generator=self._generator, dtype=torch.float64) * 2 - 1
        return torch.where(one.isfinite(), one * (1 + PART * part).to(one.dtype), one)


@dataclass(frozen=True)
class ReferenceProblem(ScoredExample):
    """Scores and targets for a loss, and what the reference answers.

    Attributes:
        reference: the function.
        name: how it is called in messages.
        targets: class indices (n,), or rows (n, K) in the dtype of the scores.
    """

    reference: Reference
    name: str
    reduction: str
    scores: Tensor
    targets: Tensor

    def to(self, dtype: torch.dtype) -> ReferenceProblem:
        """The same problem with floating-point inputs rounded to another dtype."""
        soft = self.targets.to(dtype) if self.targets.is_floating_point() else self.targets
        return replace(self, scores=self.scores.to(dtype), targets=soft)

    def options(self) -> dict[str, Any]:
        """The inputs by keyword: none."""
        return {}

    def example(self) -> dict[str, Any]:
        """The inputs by name, and the reference."""
        return {"reference": self.name, "scores": self.scores, "targets": self.targets}

    @property
    def denominator(self) -> float:
        """What the sum of the rows is divided by."""
        return float(self.n) if self.reduction == "mean" else 1.0

    def assume_smooth(self) -> None:
        """Discard the example if the gradient jumps near the scores."""
        if self._jumps(self.gradient(torch.ones(self.shape)), torch.ones(self.shape)).any():
            raise UnsatisfiedAssumption(f"{self.name} has a kink here")

    def _jumps(self, right: Tensor, grad_output: Tensor) -> Tensor:
        """Which entries of the gradient jump near the scores."""
        signs = torch.cos(1.6 * torch.arange(self.x.numel(), dtype=torch.float64)).reshape(self.x.shape)
        steps = signs * torch.where(self.x.isfinite(), self.x, 0).abs().mul(
            torch.finfo(self.scores.dtype).eps
        ).clamp_min(STEP)
        beside = [self._gradient(one, grad_output)[0].detach() for one in (self.x + steps, self.x - steps)]
        size = right.abs().amax() if right.numel() else 1.0
        return torch.stack([(one - right).abs() > 1e-3 * size + 1e-9 for one in beside]).any(0)

    def value(self) -> Tensor:
        """The value of the reference in float64."""
        return self._run(self.x)[1].detach()

    def gradient(self, grad_output: Tensor) -> Tensor:
        """The gradient of the reference in float64."""
        return self._gradient(self.x, grad_output)[0].detach()

    def answer_value(self) -> Answer:
        """The reduced loss."""
        right = self.value()
        return self._answer(right, "value", [self._run(x)[1].detach() for x in self._rounded()])

    def answer_gradient(self, grad_output: Tensor) -> Answer:
        """The gradient in the scores for this grad_output."""
        found = [self._gradient(x, grad_output)[0].detach() for x in self._rounded()]
        answer = self._answer(self.gradient(grad_output), "gradient", found, grad_output)
        jumps = self._jumps(answer.right, grad_output)
        return replace(answer, allowed=torch.where(jumps, torch.inf, answer.allowed))

    def answer_second(self, grad_output: Tensor, v: Tensor) -> tuple[Answer, Answer]:
        """The gradient of <gradient(grad_output), v> in the scores and in grad_output."""

        def second(at: Tensor) -> tuple[Tensor, Tensor]:
            sent = grad_output.double().clone().requires_grad_()
            first, x = self._gradient(at, sent)
            if not first.requires_grad:
                return torch.zeros_like(x), torch.zeros_like(sent)
            found = torch.autograd.grad(first, (x, sent), v.double(), allow_unused=True, materialize_grads=True)
            return found[0].detach(), found[1].detach()

        right = second(self.x)
        changed = [second(x) for x in self._rounded()]
        first, last = (
            self._answer(one, "second derivative", [parts[place] for parts in changed], grad_output)
            for place, one in enumerate(right)
        )
        return first, last

    # --- running the reference ---

    @cached_property
    def _soft(self) -> Tensor:
        return self.targets.double() if self.targets.is_floating_point() else self.targets

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        leaf = x.detach().clone().requires_grad_()
        with torch.enable_grad():
            value = self.reference(leaf, self._soft.clone())
        if not isinstance(value, Tensor):
            raise ValueError(f"the reference {self.name} gives a {type(value).__name__}, not a tensor")
        if value.shape != self.shape:
            raise ValueError(
                f"the reference {self.name} gives shape {tuple(value.shape)}, and reduction={self.reduction!r} is "
                f"{self.shape}: let reduction= be that of the reference"
            )
        return leaf, value

    def _gradient(self, x: Tensor, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        leaf, value = self._run(x)
        if not value.requires_grad:
            raise ValueError(f"the reference {self.name} has no gradient: choose sub-checks without, by checks=")
        sent = grad_output.double()
        (found,) = torch.autograd.grad(value, leaf, sent, create_graph=True, allow_unused=True, materialize_grads=True)
        return found, leaf

    def _rounded(self) -> Iterator[Tensor]:
        """The scores, changed; while they are used, every result is."""
        for seed in range(RUNS):
            generator = torch.Generator("cpu").manual_seed(seed)
            part = torch.rand(self.x.shape, generator=generator, dtype=torch.float64) * 2 - 1
            with _Rounded(seed):
                yield torch.where(self.x.isfinite(), self.x * (1 + PART * part), self.x)

    def _answer(self, right: Tensor, what: str, changed: list[Tensor], sent: Tensor | None = None) -> Answer:
        info = torch.finfo(self.scores.dtype)
        spread = torch.stack([(one - right).abs() for one in changed]).amax(0) / PART
        largest = right.abs().amax() if right.numel() else right.sum()
        spread = torch.where(spread * PART <= largest / 100, spread, torch.inf)  # NaN is not judged either
        size = 1.0 if sent is None or not sent.numel() else float(sent.abs().amax())
        allowed = info.eps / 2 * (4 * (self.k + 16) * (spread + right.abs()) + 4 * size) + 16 * info.smallest_normal
        return Answer(right, allowed, hints=lambda found: hints(found, right, what, self.n, self.k))


@dataclass(frozen=True)
class ReferenceLoss:
    """A loss under test that ought to be a reference.

    Attributes:
        function: the loss.
        reference: the reference.
        reduction: what both return.
        targets: "index", "soft" or "simplex".
        refused: what it was seen to refuse so far.
        unjudged: nothing.
    """

    function: Any
    reference: Reference
    reduction: str
    targets: str
    refused: set[str] = field(default_factory=set)
    unjudged: set[str] = field(default_factory=set)
    features: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How the reference is called in messages."""
        module = getattr(self.reference, "__module__", None) or ""
        name = getattr(self.reference, "__qualname__", None) or type(self.reference).__name__
        return f"{module}.{name}".removeprefix(".")

    def problem(
        self,
        draw: Draw,
        kinds: tuple[ScoreKind, ...] = ("generic", "tied"),
        rows: tuple[int, int] = (2, 4),
        classes: tuple[int, int] = (2, 8),
    ) -> ReferenceProblem:
        """Scores and targets in float64."""
        shape = draw(shapes(rows, classes))
        soft: tuple[TargetKind, ...] = ("one-hot", "blurred", "simplex")
        soft = (*soft, "off-simplex") if self.targets == "soft" else soft
        x = draw(scores(shape, kinds))
        return self._posed(x, draw(targets(shape, ("index",) if self.targets == "index" else soft)))

    def posed(self, x: Tensor, labels: Tensor) -> ReferenceProblem:
        """These scores with these labels, or with one-hot targets."""
        soft = labels if self.targets == "index" else torch.nn.functional.one_hot(labels, x.shape[1]).double()
        return self._posed(x, soft)

    def _posed(self, x: Tensor, found: Tensor) -> ReferenceProblem:
        return ReferenceProblem(self.reference, self.name, self.reduction, x, found)
