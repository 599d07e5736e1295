"""The paper's remark on autograd: what it costs to leave the error of ISBE to it, beside three other ways.

From the scores to their gradient, SoftMax, summed over the batch; the ways take turns:

    isbe             y - t sent back as it is, scores.backward(error): no loss, no graph of it
    function         an `autograd.Function` that really is one: forward makes the cross-entropy and y - t, which it
                     keeps, and backward returns what was kept
    composed         the loss as it is written, -sum log y_label, y = exp(x) / sum exp(x), of operations of torch, each
                     of which autograd goes back through
    cross-entropy    F.cross_entropy, in which torch has few operations

The gradients of all four are compared before anything is timed. Ratios are to `composed`, repeat by repeat, with the
distribution-free 95 % interval of their median; what the machine does meanwhile meets all alike. They hold for the
machine printed, not beyond.

    python benchmarks/autograd_head.py [--repeats N] [--threads T]
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

# Before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from _turns import interval, take_turns
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy

from softmax_trick.commands.output import width_of
from softmax_trick.isbe import isbe_error, path

SIZES = ((64, 10, 20), (256, 10, 20), (256, 1000, 2), (1024, 1000, 1))  # rows, classes, calls of a way in a turn
BASE = "composed"


class Head(torch.autograd.Function):
    """The cross-entropy of SoftMax, summed, whose gradient is made on the way forward."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor) -> Tensor:
        """-sum log y_label; y - t is kept."""
        logarithms, at = scores.log_softmax(-1), labels[:, None]
        ctx.save_for_backward(logarithms.exp().scatter_add_(1, at, torch.full_like(at, -1, dtype=scores.dtype)))
        return -logarithms.gather(1, at).sum()

    @staticmethod
    def backward(ctx: Any, *sent: Tensor) -> tuple[Tensor, None]:
        """What was kept, times what is sent."""
        [error] = ctx.saved_tensors
        return error * sent[0], None


def ways(rows: int, classes: int) -> dict[str, Callable[[], Tensor]]:
    """Each way to the gradient of the scores, which are a view of a tensor as a layer's output is."""
    before = torch.randn(rows, classes, requires_grad=True)
    scores, labels = before.view_as(before), torch.randint(classes, (rows,))

    def gradient(start: Tensor, sent: Tensor | None = None) -> Tensor:
        return torch.autograd.grad(start, before, sent)[0]

    def composed() -> Tensor:
        exponentials = scores.exp()
        y = exponentials / exponentials.sum(-1, keepdim=True)
        return -y.gather(-1, labels[:, None]).log().sum()

    return {
        "isbe": lambda: gradient(scores, isbe_error(scores, labels)),
        "function": lambda: gradient(Head.apply(scores, labels)),  # type: ignore[no-untyped-call]
        BASE: lambda: gradient(composed()),
        "cross-entropy": lambda: gradient(cross_entropy(scores, labels, reduction="sum")),
    }


def compare(found: Mapping[str, Callable[[], Tensor]]) -> None:
    """Hold the gradients against each other.

    Raises:
        SystemExit: they differ by more than rounding: then their times say nothing.
    """
    first, *others = (way() for way in found.values())
    if not (apart := max(float((one - first).abs().max()) for one in others)) < 1e-5:
        sys.exit(f"the gradients differ by {apart:g}: nothing is timed")


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=400, metavar="N", help="turns of each way (default: 400)")
    parser.add_argument("--threads", type=int, default=1, metavar="T", help="of torch (default: 1)")
    options = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    random.seed(0)
    console = Console(width=width_of(sys.stdout))
    console.print(f"{platform.machine()}, torch {torch.__version__}, threads: {options.threads}, load {_load()}")
    console.print(path())
    table = Table(
        "rows x classes", "way", "microseconds", f"over {BASE}", "95 %", title="from scores to their gradient"
    )
    for rows, classes, calls in SIZES:
        found = ways(rows, classes)
        compare(found)
        taken = take_turns(found, options.repeats, f"{rows} x {classes}", calls)
        for name, seconds in taken.items():
            ratios = [one / base for one, base in zip(seconds, taken[BASE], strict=True)]
            low, high = interval(ratios)
            figures = f"{1e6 * median(seconds):.1f}", f"{median(ratios):.2f}", f"{low:.2f} to {high:.2f}"
            table.add_row(f"{rows} x {classes}", name, *figures)
        table.add_section()
    console.print(table)
    console.print(f"load {_load()} at the end")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
