"""Work in this process that is interrupted when its time is over."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.02  # seconds after which is looked again whether it may be interrupted
LEFT = 0.8  # the part of the time before another alarm that the work may take


class OutOfTime(BaseException):
    """The time is over; nothing on the way catches it."""


@contextmanager
def interrupted_after(
    seconds: float, is_delicate: Callable[[FrameType | None], bool] = lambda frame: False
) -> Iterator[None]:
    """Work that is interrupted after some seconds, and well before an alarm that is set already.

    It is kept by the alarm of the system (SIGALRM), and so in the main thread only; elsewhere nothing is interrupted.

    Args:
        seconds: how long it may take.
        is_delicate: whether it must not be interrupted at a place, but soon after.

    Raises:
        OutOfTime: the time is over; its text is the number of seconds.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    begin, left = time.perf_counter(), signal.getitimer(signal.ITIMER_REAL)[0]
    seconds = max(min(seconds, LEFT * left if left else threading.TIMEOUT_MAX), 0.01)

    def ring(_: int, frame: FrameType | None) -> None:
        if is_delicate(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        else:
            raise OutOfTime(f"{seconds:.3g}")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.perf_counter() - begin), 0.01))
