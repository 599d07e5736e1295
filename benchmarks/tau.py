"""tau of the paper's formula (7) and the time of a whole training step: eight losses, three networks.

    python benchmarks/tau.py [--repeats N] [--threads T] [--json FILE]        (make bench-tau)

tau is the share of the backward pass in forward and backward pass together, in percent. The paper prints decreases of
tau by "up to 3%" (Table 2) and no intervals. For each network it is shown here, for batches of random images on this
machine's CPU in float32:

    tau         the median, and a 95 % bootstrap interval of it
    decrease    tau of ce-mean minus that of the loss, in the same repeat; median and interval
    step        seconds of a whole step, forward, backward and update, over those of ce-mean in the same repeat
    head        what the loss itself does: operations that torch launches from the scores to their gradient, and bytes
                that these read and write

Evidence: the eight losses take turns within each repeat, in an order drawn anew, after a warm-up, each with a network
and an optimizer of its own; medians over the repeats. It holds for the machine printed, not beyond.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

# Before torch is imported; the rest of `prepare_process` can wait.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import bootstrap
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils._python_dispatch import TorchDispatchMode

from softmax_trick.commands.output import width_of
from softmax_trick.system.files import write_whole
from softmax_trick.training.losses import LOSSES, Loss
from softmax_trick.training.networks import build
from softmax_trick.training.process import prepare_process

EIGHT = ("ce-mean", "ce-none", "ce-sum", "softmax", "sigmoid", "tanh", "hardtanh", "hardsigmoid")
IMAGES = {"n0": (256, 1, 28, 28), "n1": (256, 1, 28, 28), "vgg16": (32, 3, 32, 32)}
SHARE = {"n0": 1.0, "n1": 0.25, "vgg16": 0.1}  # of the repeats; the larger networks take longer
WARM_UP = 3
PHASES = ("forward", "backward", "step")


@dataclass(frozen=True)
class Row:
    """What is shown of a loss with a network; intervals are (low, high) of 95 %."""

    network: str
    loss: str
    repeats: int
    milliseconds: dict[str, float]
    tau: float
    tau_interval: tuple[float, float]
    decrease: float
    decrease_interval: tuple[float, float]
    step_ratio: float
    step_ratio_interval: tuple[float, float]
    head_operations: int
    head_bytes: int


class Trainee:
    """A network with its optimizer and loss, all starting from the same parameters."""

    def __init__(self, network: str, loss: str) -> None:
        torch.manual_seed(0)
        self.net: nn.Module = build(network)
        self.optimizer = Adam(self.net.parameters(), lr=1e-4)
        self.loss: Loss = LOSSES[loss]

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, float, float]:
        """The seconds of forward pass, with normalisation or loss; of the backward pass; and of the update."""
        self.optimizer.zero_grad()
        times = [perf_counter()]
        scores = self.net(images)
        start, gradient = self.loss.start(scores, labels)
        times.append(perf_counter())
        start.backward(gradient)
        times.append(perf_counter())
        self.optimizer.step()
        times.append(perf_counter())
        forward, backward, update = (after - before for before, after in itertools.pairwise(times))
        return forward, backward, update


class Traffic(TorchDispatchMode):
    """Counts the operations on tensors, without those that only look at one, and the bytes of what goes in and out."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations, self.bytes = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let the operation run, and count it."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view and func.overloadpacket.__name__ not in ("detach", "empty_like", "empty"):
            self.operations += 1
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in _tensors((args, kwargs, result)))
        return result


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in torch.utils._pytree.tree_leaves(tree) if isinstance(leaf, Tensor))


def head_traffic(loss: str, rows: int) -> tuple[int, int]:
    """Operations and bytes of one loss, from scores (rows, 10) to their gradient."""
    scores, labels = torch.randn(rows, 10, requires_grad=True), torch.randint(10, (rows,))
    LOSSES[loss].start(scores, labels)  # what it keeps between steps is made now
    with Traffic() as traffic:
        start, gradient = LOSSES[loss].start(scores, labels)
        start.backward(gradient)
    return traffic.operations, traffic.bytes


def measure(network: str, repeats: int) -> dict[str, np.ndarray]:
    """The seconds of each loss, shape (repeats, 3): forward, backward, step."""
    trainees = {loss: Trainee(network, loss) for loss in EIGHT}
    torch.manual_seed(1)
    images, labels = torch.rand(IMAGES[network]), torch.randint(10, (IMAGES[network][0],))
    order, turns = random.Random(0), list(EIGHT)
    taken: dict[str, list[tuple[float, float, float]]] = {loss: [] for loss in EIGHT}
    for repeat in track(range(-WARM_UP, repeats), description=network, console=Console(stderr=True), transient=True):
        order.shuffle(turns)
        for loss in turns:
            times = trainees[loss].step(images, labels)
            if repeat >= 0:
                taken[loss].append(times)
    return {loss: np.array(times) for loss, times in taken.items()}


def median_of(values: np.ndarray) -> tuple[float, tuple[float, float]]:
    """The median and a 95 % bootstrap interval of it."""
    found = bootstrap((values,), np.median, method="percentile", n_resamples=2000, rng=np.random.default_rng(0))
    return float(np.median(values)), (float(found.confidence_interval.low), float(found.confidence_interval.high))


def rows_of(network: str, repeats: int) -> list[Row]:
    """Measure a network; a row for each loss."""
    taken = measure(network, repeats)
    tau = {loss: 100 * times[:, 1] / (times[:, 0] + times[:, 1]) for loss, times in taken.items()}
    rows = []
    for loss, times in taken.items():
        share, share_interval = median_of(tau[loss])
        less, less_interval = median_of(tau["ce-mean"] - tau[loss])
        ratio, ratio_interval = median_of(times.sum(1) / taken["ce-mean"].sum(1))
        operations, moved = head_traffic(loss, IMAGES[network][0])
        phases = dict(zip(PHASES, (1000 * np.median(times, axis=0)).tolist(), strict=True))
        rows.append(
            Row(
                network=network,
                loss=loss,
                repeats=repeats,
                milliseconds=phases,
                tau=share,
                tau_interval=share_interval,
                decrease=less,
                decrease_interval=less_interval,
                step_ratio=ratio,
                step_ratio_interval=ratio_interval,
                head_operations=operations,
                head_bytes=moved,
            )
        )
    return rows


def table_of(network: str, rows: list[Row]) -> Table:
    """The rows of one network, to be printed."""
    shape = " x ".join(map(str, IMAGES[network]))
    columns = ("loss", "forward ms", "backward ms", "tau %", "decrease", "step / ce-mean", "head: operations", "bytes")
    table = Table(*columns, title=f"{network}, images {shape}, {rows[0].repeats} repeats")

    def shown(value: float, interval: tuple[float, float], digits: int) -> str:
        return f"{value:.{digits}f} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"

    for row in rows:
        table.add_row(
            row.loss,
            f"{row.milliseconds['forward']:.2f}",
            f"{row.milliseconds['backward']:.2f}",
            shown(row.tau, row.tau_interval, 2),
            shown(row.decrease, row.decrease_interval, 2),
            shown(row.step_ratio, row.step_ratio_interval, 3),
            f"{row.head_operations}",
            f"{row.head_bytes:,}",
        )
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, metavar="N", help="for n0 (default: 200; fewer for others)")
    parser.add_argument("--threads", type=int, metavar="T", help="of torch (default: as torch chooses)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    prepare_process()
    if options.threads:
        torch.set_num_threads(options.threads)
    machine = {
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    console, every = Console(width=width_of(sys.stdout)), []
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    for network, share in SHARE.items():
        rows = rows_of(network, max(5, round(options.repeats * share)))
        console.print(table_of(network, rows))
        every += rows
    if options.json:
        write_whole(options.json, json.dumps({**machine, "rows": [asdict(row) for row in every]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
