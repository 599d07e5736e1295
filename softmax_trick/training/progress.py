"""A progress bar for the steps of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(title: str, steps: int, done: int = 0, shown: bool = True) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr; call what it gives once a step, with what is going on."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as progress:
        task = progress.add_task(title, total=steps, completed=done)
        yield lambda doing: progress.update(task, advance=1, description=f"{title}, {doing}")
