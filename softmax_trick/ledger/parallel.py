"""Evidence gathered by several processes, a claim each, while the first of them is waited for.

The processes are forked: they have the claims as they are here, proofs and all. Where Python cannot fork safely, on
other systems than Linux, one process does it all.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from typing import TYPE_CHECKING

from softmax_trick.ledger.claims import Evidence

if TYPE_CHECKING:
    from softmax_trick.ledger.run import Ledger

FEWEST = 12  # claims for which it pays to start processes

_plain: Ledger  # of the process that forks: its claims, and nothing of its cache


class Gatherers:
    """Processes that gather the evidence for claims; each claim is asked for once.

    Args:
        ledger: whose claims they are.
        names: those to gather, in the order in which they will be asked for.
        processes: how many; by default as many as there are processors to use.
    """

    def __init__(self, ledger: Ledger, names: Sequence[str], processes: int | None = None) -> None:
        global _plain
        number = processes or len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
        self._futures: dict[str, Future[tuple[Evidence, ...]]] = {}
        self._pool: ProcessPoolExecutor | None = None
        if number < 2 or len(names) < FEWEST or not _can_fork():
            return
        _plain = type(ledger)(ledger.claims)
        _import_engines(names)
        self._pool = ProcessPoolExecutor(number, multiprocessing.get_context("fork"), _begin)
        self._futures = {name: self._pool.submit(_gathered, name) for name in names}

    def evidence(self, name: str) -> tuple[Evidence, ...] | None:
        """What was gathered for a claim; None if that was not asked for, or went wrong: it is then gathered here."""
        future = self._futures.pop(name, None)
        if future is None:
            return None
        try:
            return future.result()
        except (BrokenProcessPool, OSError):  # such as a process that the system has killed for its memory
            self._futures.clear()
            return None

    def close(self) -> None:
        """End the processes, whatever they do."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in list((self._pool._processes or {}).values()):
                process.terminate()


def _import_engines(names: Sequence[str]) -> None:
    """What the processes run is imported before they are forked: once, and not by each."""
    homes = {function.__module__ for name in names for function in _plain.claims[name].functions}
    for module in sorted({"softmax_trick.ledger.gathering", *homes}):
        import_module(module)


def _can_fork() -> bool:
    """Whether nothing is under way that a forked process would wait for in vain: no thread, none of torch's."""
    return threading.active_count() == 1 and "torch" not in sys.modules


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is interrupted, and ends the others
    os.environ["OMP_NUM_THREADS"] = "1"  # one processor each


def _gathered(name: str) -> tuple[Evidence, ...]:
    return _plain.gather(_plain.claims[name])
