"""Right answers with how far rounding may lead from them, and whether what was found is within that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from softmax_trick.testing.running import Mismatch


@dataclass(frozen=True)
class Answer:
    """What is right.

    Attributes:
        right: in float64.
        allowed: how far an entry may be off; infinite where nothing is said of it but that it is a number.
        rest: what float64 leaves of the right answer.
        why: in words, for an entry by its place in order, of what the allowed rounding is made.
        hints: in words, for what was found, of which mistakes it looks like; None if that is not to be told.
    """

    right: Tensor
    allowed: Tensor
    rest: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64, device="cpu"))
    why: Callable[[int], str] = lambda entry: ""
    hints: Callable[[Tensor], tuple[str, ...] | None] = lambda found: None


class ScoredExample(ABC):
    """An example for a loss, and what the loss ought to answer.

    Attributes:
        reduction: "sum", "mean" or "none".
        scores: shape (n, K), in the dtype under test; answers are computed from its values, exactly as they are.
    """

    reduction: str
    scores: Tensor

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

    def at(self, scores: Tensor) -> Self:
        """The same example with other scores."""
        return replace(self, scores=scores)  # type: ignore[type-var]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return (self.n,) if self.reduction == "none" else ()

    @abstractmethod
    def answer_value(self) -> Answer:
        """The reduced loss."""

    @abstractmethod
    def answer_gradient(self, grad_output: Tensor) -> Answer:
        """The gradient in the scores for this grad_output."""

    def half_answers(self, grad_output: Tensor) -> tuple[Answer, Answer]:
        """Value and gradient in a half type."""
        return self.answer_value(), self.answer_gradient(grad_output)


def compare(what: str, found: Tensor, answer: Answer, example: Mapping[str, Any]) -> None:
    """Hold a tensor against the right one, entry by entry; NaN is never right, but for an answer that has none either.

    Where the right answer is no finite number of the dtype, any that is not finite will do, or the largest.

    Raises:
        Mismatch: the shapes differ, or an entry differs by more than is allowed; the worst entry is named.
    """
    right, allowed = answer.right, answer.allowed.expand_as(answer.right)
    got = found.detach().to(device="cpu", dtype=torch.float64)
    if got.shape != right.shape:
        shapes = f"{what} has shape {tuple(got.shape)}, not {tuple(right.shape)}"
        raise Mismatch(shapes, example, found, right, answer.hints(got))
    off = ((got - right) - answer.rest).abs()
    info = torch.finfo(found.dtype if found.is_floating_point() else torch.float64)
    beyond = ~(right.abs() <= info.max)
    # NaN is within nothing, not even within infinity.
    wrong = torch.where(beyond, got.isfinite() & (got.abs() < info.max), ~(got.isfinite() & (off <= allowed)))
    if not wrong.any():
        return
    excess = torch.where(wrong, (off / allowed).nan_to_num(nan=torch.inf, posinf=torch.inf), -1)
    place = int(excess.argmax())
    entry = tuple(int(one) for one in torch.unravel_index(excess.argmax(), excess.shape))
    where = f" at entry {list(entry)}" if entry else ""
    if not got[entry].isfinite():
        by = f"{float(got[entry])} for {float(right[entry]):.6g}: an intermediate result overflows"
        by = by if not right[entry].isnan() else f"{float(got[entry])}"
    else:
        units = _ulps(float(off[entry]), float(right[entry]), info)
        by = f"off by {float(off[entry]):.3g}{units}, where rounding explains {float(allowed[entry]):.3g}"
    why = answer.why(place)
    by += f"; {why}" if why else ""
    raise Mismatch(f"{what} is wrong{where}: {by}", example, found, right, answer.hints(got))


def ulp(right: float, info: Any) -> float:
    """The unit in the last place of a number in a dtype."""
    smallest = info.smallest_normal
    exponent = torch.frexp(torch.tensor(max(abs(right), smallest), dtype=torch.float64)).exponent
    return float(2.0 ** (int(exponent) - 1) * info.eps)


def _ulps(off: float, right: float, info: Any) -> str:
    # By an ulp of 0, or next to it, nobody measures.
    if not 0 < abs(right) < info.max:
        return ""
    return f" = {off / ulp(right, info):.3g} ulp"
