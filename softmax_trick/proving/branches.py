"""Branches on the values of tensors: how they went in a run, and the same way taken again while code is recorded.

A branch says nothing about the gradient where the other way only raises an error, as a check of inputs does, or where
its condition is the same for all inputs of the declared kinds. All other code that branches on values is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from softmax_trick.proving.tracing import Line, user_line


class Branches:
    """While it is active, a tensor that is read as a truth value is noted; or is what it was in an earlier run.

    Args:
        outcomes: how the branches go; None where the tensors themselves say so.

    Attributes:
        taken: how they went.
        conditions: the tensors.
        lines: where they stand.
    """

    def __init__(self, outcomes: Sequence[bool] = ()) -> None:
        self._outcomes = outcomes
        self.taken: list[bool] = []
        self.conditions: list[Tensor] = []
        self.lines: list[Line | None] = []

    def __enter__(self) -> Self:
        def goes(tensor: Any) -> bool:
            return self._goes(tensor)

        torch.Tensor.__bool__ = goes  # type: ignore[assignment, method-assign]
        return self

    def __exit__(self, *_: Any) -> None:
        del torch.Tensor.__bool__

    def _goes(self, tensor: Tensor) -> bool:
        place = len(self.taken)
        known = place < len(self._outcomes)
        outcome = self._outcomes[place] if known else torch._C.TensorBase.__bool__(tensor)
        self.taken.append(outcome)
        self.conditions.append(tensor)
        self.lines.append(user_line(sys._getframe(2)))
        return outcome


def other_ways(run: Callable[[], Any], taken: Sequence[bool]) -> list[int]:
    """Of the branches that a run takes, those whose other way does not end in an error."""
    found = []
    for place, outcome in enumerate(taken):
        try:
            with Branches([*taken[:place], not outcome]):
                run()
        except Exception:
            continue
        found.append(place)
    return found
