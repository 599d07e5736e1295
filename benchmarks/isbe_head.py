"""What ISBE costs at the head of a network, beside F.cross_entropy: forward and backward, scores to gradient of scores.

It shows the median seconds of three ways to the same gradient, on this machine's CPU in float32 with class indices:

    cross_entropy   F.cross_entropy(scores, labels, reduction="sum").backward()
    direct          scores.backward(isbe_error(scores, labels))      no loss value is computed
    wrapped         ISBELoss()(scores, labels).backward()            value and gradient

Evidence: one thread, so that waiting for other threads is no part of it; the three take turns within every repeat,
after a warm-up, so that whatever else the machine does falls on all alike. A ratio is the median over the repeats of
the ratio to cross_entropy in the same repeat, given with its quartiles. It holds for the machine printed, not beyond.

    python benchmarks/isbe_head.py [--repeats N]
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

from softmax_trick import ISBELoss, isbe_error

SHAPES = {(64, 10): 1.0, (1024, 1000): 0.3, (2048, 32000): 0.04}  # (rows, classes): share of the repeats
WAYS: dict[str, Callable[[Tensor, Tensor], None]] = {
    "cross_entropy": lambda scores, labels: F.cross_entropy(scores, labels, reduction="sum").backward(),
    "direct": lambda scores, labels: scores.backward(isbe_error(scores, labels)),
    "wrapped": lambda scores, labels: ISBELoss()(scores, labels).backward(),
}


def seconds(send_back: Callable[[Tensor, Tensor], None], scores: Tensor, labels: Tensor) -> float:
    """One forward and backward pass, into an empty gradient."""
    scores.grad = None
    start = perf_counter()
    send_back(scores, labels)
    return perf_counter() - start


def measure(rows: int, classes: int, repeats: int) -> dict[str, list[float]]:
    """The seconds of every way in every repeat."""
    torch.manual_seed(0)
    scores, labels = torch.randn(rows, classes, requires_grad=True), torch.randint(classes, (rows,))
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for repeat in range(-3, repeats):  # the first three warm up
        for way, send_back in WAYS.items():
            time = seconds(send_back, scores, labels)
            if repeat >= 0:
                taken[way].append(time)
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300, metavar="N", help="at the smallest size (default: 300)")
    wanted: int = parser.parse_args().repeats
    torch.set_num_threads(1)
    cpu = platform.processor() or platform.machine()
    table = Table("rows x classes", "way", "median ms", "ratio", "quartiles", "repeats")
    table.title = f"{cpu}, {torch.get_num_threads()} thread, torch {torch.__version__}, float32"
    for (rows, classes), share in SHAPES.items():
        repeats = max(5, round(wanted * share))
        taken = measure(rows, classes, repeats)
        for way, times in taken.items():
            ratios = [time / base for time, base in zip(times, taken["cross_entropy"], strict=True)]
            low, middle, high = quantiles(ratios, n=4)
            milliseconds = f"{1000 * median(times):.3f}"
            table.add_row(
                f"{rows} x {classes}", way, milliseconds, f"{middle:.2f}", f"{low:.2f}-{high:.2f}", f"{repeats}"
            )
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
