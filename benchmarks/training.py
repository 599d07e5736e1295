"""What an epoch of the trainer costs beside the network itself, and beside a plain loop over a DataLoader.

    python benchmarks/training.py [--repeats N] [--net NAME]...

On random bytes of the shape of MNIST's images, on a CPU, ISBE SoftMax. First a step on one resident batch:

    trainer      as the trainer has it: tensors channels last, Adam fused
    contiguous   tensors as torch makes them
    plain Adam   channels last, Adam as torch chooses it, which is not fused
    plain malloc the trainer's, in a process whose memory glibc and torch manage as they do unasked

Then an epoch:

    network      the trainer's network and optimizer on one resident batch, as often as an epoch has steps, and the
                 forward passes of an evaluation: what no trainer can do without
    trainer      `softmax_trick.training.loop.train`: batches drawn anew, the check for finite scores, times,
                 evaluations, metrics, checkpoint
    augmented    the same with a random affine map of each image
    plain loop   DataLoader over a TensorDataset of floats, the same layers contiguous, Adam as torch chooses it,
                 F.cross_entropy, an evaluation by a DataLoader, and malloc as it is

Last an epoch of the size of MNIST's, in a process of its own: the share that is spent outside the network, neither in a
forward pass, those of the evaluations too, nor in a backward pass, nor in the optimizer; and the peak of resident
memory, torch and all.

Evidence: the ways take turns within each repeat, in random order, after some that warm up; medians, the ratio to the
first in the same repeat, and the distribution-free 95 % interval of its median. It holds for the machine printed, not
beyond.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from unittest.mock import patch

# Before torch is imported; the rest of `prepare_process` can wait, and one of the processes does without.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from _memory import peak
from _turns import Way, interval, take_turns
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam
from torch.utils.data import DataLoader, TensorDataset

from softmax_trick.commands.output import width_of
from softmax_trick.training.batches import Examples
from softmax_trick.training.data import DataSet
from softmax_trick.training.folder import RunFolder
from softmax_trick.training.loop import train
from softmax_trick.training.losses import LOSSES
from softmax_trick.training.measures import EVALUATION_BATCH
from softmax_trick.training.networks import build
from softmax_trick.training.process import prepare_process
from softmax_trick.training.settings import Settings
from softmax_trick.training.split import Split
from softmax_trick.training.step import Stopwatch, training_step

BATCHES = {"n0": 256, "n1": 128}
SIZES = {"n0": 20_480, "n1": 5_120}  # training images; a fifth as many to validate, and to test
LOSS = LOSSES["softmax"]


def images(count: int) -> Split:
    """Random bytes of the shape of MNIST's images."""
    random = np.random.RandomState(count)
    return Split(
        random.randint(0, 256, (count, 28, 28)).astype(np.uint8), random.randint(0, 10, count).astype(np.uint8)
    )


def unprepared() -> ProcessPoolExecutor:
    """One more process, in which memory is managed as it is where `prepare_process` has not been called."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _forget)


def _forget() -> None:
    os.environ.pop("THP_MEM_ALLOC_ENABLE", None)  # inherited; torch reads it at its first tensor


# --- a step -----------------------------------------------------------------------------------------------------------

STEPS: dict[str, tuple[torch.memory_format, bool | None]] = {
    "trainer": (torch.channels_last, True),
    "contiguous": (torch.contiguous_format, True),
    "plain Adam": (torch.channels_last, None),
}


def step(name: str, layout: torch.memory_format, fused: bool | None) -> Way:
    """A step on one resident batch."""
    net = build(name).to(memory_format=layout).train()  # type: ignore[call-overload]
    optimizer = Adam(net.parameters(), lr=0.001, fused=fused)
    batch, labels = next(iter(Examples.of(images(BATCHES[name]), torch.device("cpu")).batches(BATCHES[name])))
    batch = batch.contiguous(memory_format=layout)
    return lambda: training_step(net, optimizer, LOSS, batch, labels, Stopwatch(batch.device))


def steps(name: str, repeats: int) -> dict[str, list[float]]:
    """The seconds of each step, in each repeat."""
    ways = {way: step(name, *options) for way, options in STEPS.items()}
    with unprepared() as process:
        ways["plain malloc"] = lambda: process.submit(trainers_step, name).result()
        return take_turns(ways, repeats, f"{name}, a step")


@cache
def _kept(name: str) -> Way:
    return step(name, *STEPS["trainer"])


def trainers_step(name: str) -> None:
    """A step of the trainer's, in this process, where network and batch are kept for the next."""
    _kept(name)()


# --- an epoch ---------------------------------------------------------------------------------------------------------


def network(name: str, data: DataSet) -> None:
    """Steps on one resident batch, and the forward passes of the evaluations."""
    one_step = step(name, *STEPS["trainer"])
    for _ in range(-(-len(data.train.labels) // BATCHES[name])):
        one_step()
    net = build(name).eval()
    with torch.no_grad():
        held = [batch for batch, _ in Examples.of(data.test, torch.device("cpu")).in_order(EVALUATION_BATCH)]
        for _ in range(2):  # the validation images, the test images
            for batch in held:
                net(batch)


def trainer(name: str, data: DataSet, augment: bool = False) -> None:
    """One epoch, as `python -m softmax_trick.train` does it."""
    with TemporaryDirectory() as folder:
        train(settings(name, augment), data, RunFolder(Path(folder)), progress=False)


def settings(name: str, augment: bool) -> Settings:
    """Those of one epoch."""
    return Settings(name, "softmax", "random", 1, BATCHES[name], lr=0.001, seed=0, device="cpu", augment=augment)


def plain_loop(name: str, data: DataSet) -> None:
    """What a user would write first."""
    net = build(name).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    optimizer = Adam(net.parameters(), lr=0.001)

    def loader(split: Split, shuffle: bool) -> DataLoader[tuple[Tensor, ...]]:
        floats = torch.from_numpy(split.images).unsqueeze(1).float() / 255
        examples = TensorDataset(floats, torch.from_numpy(split.labels).long())
        return DataLoader(examples, BATCHES[name], shuffle=shuffle)

    net.train()
    for batch, labels in loader(data.train, True):
        optimizer.zero_grad()
        cross_entropy(net(batch), labels).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for split in (data.validation, data.test):
            for batch, _ in loader(split, False):
                net(batch)


EPOCHS: dict[str, Callable[[str, DataSet], None]] = {
    "network": network,
    "trainer": trainer,
    "augmented": partial(trainer, augment=True),
}


@cache
def data_of(name: str) -> DataSet:
    """Made once by each process."""
    size = SIZES[name]
    return DataSet("random", "made up", images(size), images(size // 5), images(size // 5))


def plain_epoch(name: str) -> None:
    """An epoch of the plain loop."""
    plain_loop(name, data_of(name))


def epochs(name: str, repeats: int) -> dict[str, list[float]]:
    """The seconds of each way through an epoch, in each repeat."""
    ways: dict[str, Way] = {way: partial(run, name, data_of(name)) for way, run in EPOCHS.items()}
    with unprepared() as process:
        ways["plain loop"] = lambda: process.submit(plain_epoch, name).result()
        return take_turns(ways, repeats, f"{name}, an epoch", warm_up=1)


def outside(name: str, augment: bool) -> tuple[float, float]:
    """Of an epoch of the size of MNIST's, what neither the network nor the optimizer takes, percent; and peak MiB."""
    prepare_process()
    data = DataSet("random", "made up", images(54_000), images(6_000), images(10_000))
    trainer(name, DataSet("random", "made up", *[images(2 * BATCHES[name])] * 3), augment)  # warms up
    inside: list[float] = []

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = perf_counter()
            result = function(*arguments, **named)
            inside.append(perf_counter() - start)
            return result

        return call

    with (
        TemporaryDirectory() as folder,
        patch.object(nn.Sequential, "forward", timed(nn.Sequential.forward)),
        patch.object(Adam, "zero_grad", timed(Adam.zero_grad)),
    ):
        start = perf_counter()
        [epoch] = train(settings(name, augment), data, RunFolder(Path(folder)), progress=False)
        whole = perf_counter() - start
    return 100 * (1 - (sum(inside) + epoch["seconds"]["backward"] + epoch["seconds"]["step"]) / whole), peak()


def compared(
    title: str, names: Iterable[str], measure: Callable[[str], dict[str, list[float]]], size: Mapping[str, int]
) -> Table:
    """A table of the ways: each beside the first, in the same repeat."""
    table = Table("network", "way", "median ms", "images / s", "ratio", "95 % interval", title=title)
    for name in names:
        taken = measure(name)
        base = next(iter(taken.values()))
        for way, times in taken.items():
            ratios = [time / other for time, other in zip(times, base, strict=True)]
            low, high = interval(ratios)
            shown = ("", "") if times is base else (f"{median(ratios):.2f}", f"{low:.2f} to {high:.2f}")
            table.add_row(name, way, f"{1000 * median(times):.1f}", f"{size[name] / median(times):,.0f}", *shown)
        table.add_section()
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="epochs; steps 20 N (default: 7)")
    parser.add_argument("--net", action="append", choices=SIZES, help="this network only (default: both)")
    options = parser.parse_args()
    prepare_process()
    names = options.net or list(SIZES)
    console = Console(width=width_of(sys.stdout))
    console.print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, float32, load {os.getloadavg()[0]:.1f}"
    )
    console.print(compared("a step", names, lambda name: steps(name, 20 * options.repeats), BATCHES))
    console.print(compared("an epoch", names, lambda name: epochs(name, options.repeats), SIZES))
    whole = Table("network", "batches of", "way", "% outside", "peak MiB", title="an epoch of the size of MNIST's")
    for name, way in itertools.product(names, ("trainer", "augmented")):
        with unprepared() as own:
            share, memory = own.submit(outside, name, way == "augmented").result()
        whole.add_row(name, str(BATCHES[name]), way, f"{share:.1f}", f"{memory:,.0f}")
    console.print(whole)


if __name__ == "__main__":
    main()
