"""Work in a process of its own, which is ended when a time limit is reached, or with the process that asked for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any


@dataclass(frozen=True)
class Trouble:
    """Why there is no result: the limit, a crash or a death."""

    reason: str


def within(time_limit: float, work: Callable[..., Any], *arguments: Any) -> Any:
    """work(*arguments), or the trouble that kept it from ending within so many seconds."""
    with closing(each_within(time_limit, _alone, work, *arguments)) as results:
        return next(results)


def each_within(time_limit: float, work: Callable[..., Iterable[Any]], *arguments: Any) -> Generator[Any, None, None]:
    """What work(*arguments) yields, as it comes; at last the trouble that kept it from its end, if any did."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    worker = multiprocessing.Process(target=_send, args=(theirs, time_limit, work, arguments), daemon=True)
    worker.start()
    theirs.close()
    deadline = time.monotonic() + time_limit
    try:
        while ours.poll(max(0.0, deadline - time.monotonic())):
            ended, result = ours.recv()
            if ended:
                return
            yield result
        yield Trouble(f"the time limit of {time_limit:g} s was reached")
    except EOFError:
        yield Trouble("the process that works on it died (of memory, perhaps)")
    finally:
        worker.kill()
        worker.join()


def _alone(work: Callable[..., Any], *arguments: Any) -> list[Any]:
    return [work(*arguments)]


def _send(
    connection: Connection, seconds: float, work: Callable[..., Iterable[Any]], arguments: tuple[Any, ...]
) -> None:
    _end_with_the_parent(seconds + 1)
    try:
        for result in work(*arguments):
            connection.send((False, result))
    except Exception as error:
        connection.send((False, Trouble(f"crashed, please report it: {type(error).__name__}: {error}")))
    connection.send((True, None))
    connection.close()


def _end_with_the_parent(seconds: float) -> None:
    """End this process when its parent ends, and after so many seconds in any case.

    A parent that is killed cannot end its workers. The thread sees that it is gone; the alarm is the system's, and ends
    a worker whose thread has no turn because a library computes.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
