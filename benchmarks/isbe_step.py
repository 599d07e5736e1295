"""A whole training step of the paper's N0 and N1: what ISBE saves of it, and where.

Three ways to the same gradient, on random images, float32, Adam, on this machine's CPU:

    cross-entropy     F.cross_entropy(scores, labels, reduction="sum").backward()
    direct            scores.backward(isbe_error(scores, labels))
    wrapped, none     ISBELoss(value="none")(scores, labels).backward()

The head is what lies between the scores and the gradient that leaves them, timed by itself in the same repeats. The
saving is cross-entropy's step less the other's, of the same repeat; its interval is the distribution-free 95 % interval
of the median. An interval that contains 0 shows no saving.

    python benchmarks/isbe_step.py [--repeats N] [--threads N] [--batch N]
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
import torch.nn.functional as F
from _turns import interval
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from softmax_trick.commands.output import width_of
from softmax_trick.isbe import ISBELoss, isbe_error
from softmax_trick.training.networks import build

Way = Callable[[Tensor, Tensor], None]
SILENT = ISBELoss(value="none")
WAYS: dict[str, Way] = {
    "cross-entropy": lambda scores, labels: F.cross_entropy(scores, labels, reduction="sum").backward(),
    "direct": lambda scores, labels: scores.backward(isbe_error(scores, labels)),
    "wrapped, none": lambda scores, labels: SILENT(scores, labels).backward(),
}


def measure(net_name: str, batch: int, repeats: int) -> dict[str, list[tuple[float, float]]]:
    """For each way the seconds of the step and of the head alone, in every repeat."""
    torch.manual_seed(0)
    net = build(net_name)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    images, labels = torch.rand(batch, 1, 28, 28), torch.randint(10, (batch,))
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    order = list(WAYS)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for repeat in progress.track(range(-3, repeats), description=net_name):  # the first three warm up
            random.shuffle(order)
            for way in order:
                start = perf_counter()
                optimizer.zero_grad()
                WAYS[way](net(images), labels)
                optimizer.step()
                step = perf_counter() - start
                scores = torch.randn(batch, 10, requires_grad=True)
                start = perf_counter()
                WAYS[way](scores, labels)
                if repeat >= 0:
                    taken[way].append((step, perf_counter() - start))
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, metavar="N", help="steps of each way (default: 200)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="torch's threads (default: 2)")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="images a step (default: 64)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    random.seed(0)
    table = Table("net", "way", "step ms", "head ms", "saved ms", "95 % interval", "of the step")
    table.title = (
        f"batch {options.batch}, {options.threads} threads, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}"
    )
    for net in ("n0", "n1"):
        taken = measure(net, options.batch, options.repeats)
        base = [step for step, _ in taken["cross-entropy"]]
        for way, times in taken.items():
            saved = [1000 * (other - step) for other, (step, _) in zip(base, times, strict=True)]
            low, high = interval(saved)
            medians = [1000 * median(column) for column in zip(*times, strict=True)]
            shown = (
                ("", "", "")
                if way == "cross-entropy"
                else (
                    f"{median(saved):.3f}",
                    f"{low:.3f} to {high:.3f}",
                    f"{100 * median(saved) / (1000 * median(base)):.1f} %",
                )
            )
            table.add_row(net, way, f"{medians[0]:.2f}", f"{medians[1]:.3f}", *shown)
        table.add_section()
    Console(width=width_of(sys.stdout)).print(table)


if __name__ == "__main__":
    main()
