"""Work in a process of its own, which is ended when a time limit is reached."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Trouble:
    """Why there is no result: the limit, a crash or a death."""

    reason: str


def within(time_limit: float, work: Callable[..., Any], *arguments: Any) -> Any:
    """work(*arguments), or the trouble that kept it from ending within so many seconds."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    worker = multiprocessing.Process(target=_send, args=(theirs, work, arguments), daemon=True)
    worker.start()
    theirs.close()
    try:
        if ours.poll(time_limit):
            return ours.recv()
        return Trouble(f"the time limit of {time_limit:g} s was reached")
    except EOFError:
        return Trouble("the process that works on it died (of memory, perhaps)")
    finally:
        worker.kill()
        worker.join()


def _send(connection: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        connection.send(work(*arguments))
    except Exception as error:
        connection.send(Trouble(f"crashed, please report it: {type(error).__name__}: {error}"))
    connection.close()
