"""Branches on the values of tensors: how they went in a run, and the same way taken again while code is recorded.

A branch says nothing about the gradient where the other way is a `raise` or `assert` and no more, as in a check of
inputs, or where its condition is the same for all inputs of the declared kinds. All other code that branches on values
is refused: that another way ends in some error, at the inputs and sizes that were tried, says nothing about others.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FrameType
from typing import Any, Self

import torch
from torch import Tensor

from softmax_trick.proving.tracing import Line, user_line

_JUMPS = {*dis.hasjrel, *dis.hasjabs}


class Branches:
    """While it is active, a tensor that is read as a truth value is noted; or is what it was in an earlier run.

    Args:
        outcomes: how the branches go; None where the tensors themselves say so.

    Attributes:
        taken: how they went.
        conditions: the tensors.
        lines: where they stand.
        frames: the functions that take them, and where in these.
    """

    def __init__(self, outcomes: Sequence[bool] = ()) -> None:
        self._outcomes = outcomes
        self.taken: list[bool] = []
        self.conditions: list[Tensor] = []
        self.lines: list[Line | None] = []
        self.frames: list[tuple[FrameType, int]] = []

    def __enter__(self) -> Self:
        def goes(tensor: Any) -> bool:
            return self._goes(tensor, sys._getframe(1))

        torch.Tensor.__bool__ = goes  # type: ignore[assignment, method-assign]
        return self

    def __exit__(self, *_: Any) -> None:
        del torch.Tensor.__bool__

    def _goes(self, tensor: Tensor, frame: FrameType) -> bool:
        place = len(self.taken)
        known = place < len(self._outcomes)
        outcome = self._outcomes[place] if known else torch._C.TensorBase.__bool__(tensor)
        self.taken.append(outcome)
        self.conditions.append(tensor)
        self.lines.append(user_line(frame))
        self.frames.append((frame, frame.f_lasti))
        return outcome


def other_ways(run: Callable[[], Any], taken: Sequence[bool]) -> list[int]:
    """Of the branches that a run takes, those whose other way is more than a `raise` or `assert`."""
    return [place for place in range(len(taken)) if not _is_a_check(run, taken, place)]


def _is_a_check(run: Callable[[], Any], taken: Sequence[bool], place: int) -> bool:
    """Whether the other way is an error that the function itself raises, whatever the values and sizes are."""
    try:
        with Branches([*taken[:place], not taken[place]]) as branches:
            run()
    except Exception as error:
        raised = error.__traceback__
        while raised is not None and raised.tb_next is not None:
            raised = raised.tb_next
        frame, asked = branches.frames[place]
        return raised is not None and raised.tb_frame is frame and _leads_to(frame.f_code, asked, raised.tb_lasti)
    return False


def _leads_to(code: CodeType, asked: int, raised: int) -> bool:
    """Whether the truth value asked for at one place of code decides by itself whether an error is raised at another.

    It is what the next jump depends on; from there, or from where that jumps to, no other stands before the `raise`.
    """
    after = [one for one in dis.get_instructions(code) if one.offset >= asked]
    for one in after:
        if one.opcode in _JUMPS:
            ways = (one.offset + 1, one.argval)
            return "IF" in one.opname and any(_is_straight(after, start, raised) for start in ways)
        if one.offset > asked and one.opname not in ("UNARY_NOT", "TO_BOOL", "COPY", "NOP", "EXTENDED_ARG", "CACHE"):
            return False
    return False


def _is_straight(instructions: Iterable[dis.Instruction], start: int, raised: int) -> bool:
    path = [one for one in instructions if start <= one.offset <= raised]
    return (
        bool(path)
        and path[-1].opname == "RAISE_VARARGS"
        and not any(one.opcode in _JUMPS or one.opname.startswith(("RETURN", "RAISE", "YIELD")) for one in path[:-1])
    )
