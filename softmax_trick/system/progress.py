"""How far long work has come, on standard error: a bar on a terminal, elsewhere a line a minute."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol

from softmax_trick.system.terminal import complain

INTERVAL = 60.0  # seconds between two lines


class Advance(Protocol):
    """What the work calls: with what is going on, and how much is complete; one piece more if that is not said."""

    def __call__(self, doing: str, complete: int | None = None) -> None: ...


@contextmanager
def progress_of(title: str, total: int, unit: str, done: int = 0, shown: bool = True) -> Iterator[Advance]:
    """Show how far the work in the block has come; the work calls what it is given.

    Args:
        title: of the work, with which a line begins.
        total: how many pieces there are.
        unit: what they are: claims, steps, epochs.
        done: how many were complete before.
        shown: whether anything is shown.
    """
    reached = _Reached(title, total, unit, done)
    with ((_bar if _is_for_bars() else _lines) if shown else nullcontext)(reached):
        yield reached.advance


class _Reached:
    """How far the work has come, and who is told of it."""

    def __init__(self, title: str, total: int, unit: str, done: int) -> None:
        self.title, self.total, self.unit, self.done, self.doing = title, total, unit, done, ""
        self.told: Callable[[], None] = lambda: None

    def advance(self, doing: str, complete: int | None = None) -> None:
        self.doing, self.done = doing, self.done + 1 if complete is None else complete
        self.told()


def _is_for_bars() -> bool:
    """Whether standard error is a terminal that can go back in a line."""
    from rich.console import Console

    return sys.stderr.isatty() and not Console(stderr=True).is_dumb_terminal


@contextmanager
def _bar(reached: _Reached) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(reached.title, total=reached.total, completed=reached.done)
        reached.told = lambda: bar.update(task, completed=reached.done, description=f"{reached.title}, {reached.doing}")
        yield


@contextmanager
def _lines(reached: _Reached) -> Iterator[None]:
    """From a thread, so that a piece that takes long is no silence."""
    start, over = time.monotonic(), threading.Event()

    def say() -> None:
        while not over.wait(INTERVAL):
            doing = f", {reached.doing}" if reached.doing else ""
            of = f"{reached.done:,} of {reached.total:,} {reached.unit}"
            complain(f"{reached.title}: {of}{doing}, after {(time.monotonic() - start) / 60:.0f} min")

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
