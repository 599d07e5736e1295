"""Ways to the same end, timed in turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

from rich.console import Console
from rich.progress import Progress

Way = Callable[[], object]


def take_turns(
    ways: Mapping[str, Way], repeats: int, title: str, calls: int = 1, warm_up: int = 3
) -> dict[str, list[float]]:
    """The seconds of a call of each way, in every repeat; in random order, after a few repeats that warm up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for repeat in progress.track(range(-warm_up, repeats), description=title):
            random.shuffle(order)
            for name in order:
                start = perf_counter()
                for _ in range(calls):
                    ways[name]()
                if repeat >= 0:
                    taken[name].append((perf_counter() - start) / calls)
    return taken


def interval(values: Sequence[float]) -> tuple[float, float]:
    """A 95 % interval of the median: of n values the (n -+ 1.96 sqrt n) / 2-th, whatever their distribution.

    Of fewer than six values, the least and the largest, which have less than 95 %.
    """
    ordered, half = sorted(values), 0.98 * len(values) ** 0.5
    middle = len(values) / 2
    return ordered[max(0, int(middle - half))], ordered[min(len(values) - 1, int(middle + half))]
