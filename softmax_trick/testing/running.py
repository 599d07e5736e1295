"""Running one sub-check after the other on drawn examples, and saying which failed, where, and what was right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure, Unsatisfiable
from torch import Tensor

from softmax_trick.system.shown import Shown
from softmax_trick.testing.hints import common

Example = TypeVar("Example")
Tested = TypeVar("Tested")

EXAMPLES = 60
"""How many examples a sub-check tries at most."""

OTHERS = 12
"""At how many more examples it is looked whether a hint holds."""

# Derandomized: the same code is tested on the same examples every time, and nothing is kept between runs.
_SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class Draw(Protocol):
    """Draws an example from a strategy."""

    def __call__(self, strategy: st.SearchStrategy[Example]) -> Example:
        """An example."""
        ...


class CheckFailed(AssertionError):
    """A sub-check failed.

    Attributes:
        check: the name of the sub-check.
        what: what is wrong, in words.
        example: the smallest example that Hypothesis found: the inputs by name, as text that can be pasted.
        found: what the function under test gave, as text; empty where it raised.
        right: what the right answer was, as text.
    """

    def __init__(self, check: str, what: str, example: Mapping[str, str], found: str, right: str) -> None:
        self.check, self.what, self.example, self.found, self.right = check, what, dict(example), found, right
        lines = {**self.example, "found": found, "right": right}
        width = max(map(len, lines))
        shown_lines = (f"  {name:<{width}}  {text}" for name, text in lines.items() if text)
        super().__init__("\n".join([f"{check}: {what}", *shown_lines]))


@dataclass(frozen=True, repr=False)
class Checked(Shown):
    """What was checked, when nothing failed.

    Attributes:
        passed: the names of the sub-checks that were run.
        refused: what the function under test refuses by an exception where a refusal is no fault: "second derivative",
            "bfloat16", "float16", "K = 65539" for want of memory.
        unjudged: what had entries of which rounding explains anything, so that only NaN and infinity were looked for.
        notes: what else was seen, such as how a half type is used.
    """

    passed: tuple[str, ...]
    refused: tuple[str, ...]
    unjudged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"no fault found by {len(self.passed)} checks: {', '.join(self.passed)}"]
        lines += [f"refused: {one}" for one in self.refused]
        lines += [f"not judged: {one}" for one in self.unjudged]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


class Mismatch(Exception):
    """What a sub-check raises: the answer to this example is wrong; and of which mistakes it looks like there."""

    def __init__(
        self,
        what: str,
        example: Mapping[str, Any],
        found: Any = "",
        right: Any = "",
        hints: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.example, self.found, self.right, self.hints = what, example, found, right, hints


def run_checks(
    tested: Tested, checks: Mapping[str, Callable[[Tested, Draw], None]], names: Iterable[str] | None
) -> tuple[str, ...]:
    """Run these sub-checks in their order, all if names is None, and return the names of those run.

    Raises:
        ValueError: there is no sub-check of that name.
        CheckFailed: the first that failed.
    """
    __tracebackhide__ = True
    chosen = tuple(checks) if names is None else _chosen(names, checks)
    # On tensors this small, threads that wait for one another take up to ten times as long as the work.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in chosen:
            if (failure := _failure(name, tested, checks[name])) is not None:
                raise failure
    finally:
        torch.set_num_threads(threads)
    return chosen


def _chosen(names: Iterable[str], checks: Mapping[str, Any]) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in checks:
            raise ValueError(f"unknown sub-check {name!r}: choose among {', '.join(checks)}")
    return tuple(name for name in checks if name in names)


def _failure(name: str, tested: Tested, check: Callable[[Tested, Draw], None]) -> CheckFailed | None:
    """What a sub-check finds on the smallest example; None if it finds nothing."""

    @_SETTINGS
    @given(st.data())
    def test(data: st.DataObject) -> None:
        check(tested, data.draw)

    flaky = ""
    try:
        test()
    except Mismatch as error:
        mismatch = error
    except FlakyFailure as group:
        # A function that is wrong on an example, but not each time: as with memory that was never written.
        found = [error for error in group.exceptions if isinstance(error, Mismatch)]
        if not found:
            raise
        mismatch, flaky = found[0], ", and not every time the example is tried"
    except Unsatisfiable:
        raise ValueError(f"{name}: what is right has no value at any of the examples that were drawn") from None
    else:
        return None
    example = {key: shown(value) for key, value in mismatch.example.items()}
    looks = common([*_elsewhere(tested, check), mismatch.hints]) if mismatch.hints else ""
    what = mismatch.what + (f"; {looks}" if looks else "") + flaky
    failure = CheckFailed(name, what, example, shown(mismatch.found), shown(mismatch.right))
    failure.__cause__ = mismatch.__cause__  # what the function under test raised, if it did
    return failure


def _elsewhere(tested: Tested, check: Callable[[Tested, Draw], None]) -> list[tuple[str, ...]]:
    """Of which mistakes wrong answers look like at other examples: at one alone they may look like any."""
    found: list[tuple[str, ...]] = []

    @settings(_SETTINGS, max_examples=OTHERS, phases=[Phase.generate])
    @given(st.data())
    def test(data: st.DataObject) -> None:
        try:
            check(tested, data.draw)
        except Mismatch as error:
            if error.hints is not None:
                found.append(error.hints)

    test()
    return found


def shown(value: Any) -> str:
    """A value as text; a tensor with all its digits, as it may be pasted, unless it is large."""
    if not isinstance(value, Tensor):
        return str(value)
    value = value.detach()
    if not value.numel():
        return f"torch.empty({tuple(value.shape)}, dtype={value.dtype})"
    if value.numel() > 64:
        return f"{value} of shape {tuple(value.shape)}"
    return f"tensor({value.tolist()}, dtype={value.dtype})"
