"""What an epoch of the trainer costs beside the network itself, and beside a plain loop over a DataLoader.

    python benchmarks/training.py [--repeats N] [--net NAME]...

Ways through one epoch, ISBE SoftMax, on random bytes of the shape of MNIST's images, on a CPU:

    network      the trainer's network and optimizer on one resident batch, as often as an epoch has steps, and the
                 forward passes of an evaluation: what no trainer can do without
    contiguous   the same with tensors as torch makes them, and not channels last
    plain Adam   the same, channels last, with Adam as torch chooses it, and not fused
    trainer      `softmax_trick.training.loop.train`: batches drawn anew, the check for finite scores, times,
                 evaluations, metrics, checkpoint
    augmented    the same with a random affine map of each image
    plain loop   DataLoader over a TensorDataset of floats, the same layers contiguous, Adam as torch chooses it,
                 F.cross_entropy, and an evaluation by a DataLoader

A second table is of an epoch of the size of MNIST's, in a process of its own: the share that is spent outside the
network, neither in a forward pass, those of the evaluations too, nor in a backward pass, nor in the optimizer; and the
peak of resident memory, torch and all.

Evidence: the ways take turns within each repeat, after one that warms up; medians, and the ratio to the network in the
same repeat. It holds for the machine printed, not beyond.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from _memory import peak
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim import Adam
from torch.utils.data import DataLoader, TensorDataset

from softmax_trick.training.batches import Examples
from softmax_trick.training.data import DataSet
from softmax_trick.training.folder import RunFolder
from softmax_trick.training.loop import Settings, train
from softmax_trick.training.losses import LOSSES
from softmax_trick.training.measures import EVALUATION_BATCH
from softmax_trick.training.networks import build
from softmax_trick.training.split import Split

BATCHES = {"n0": 256, "n1": 128}
SIZES = {"n0": 20_480, "n1": 5_120}  # training images; a fifth as many are evaluated
LOSS = LOSSES["softmax"]


def images(count: int) -> Split:
    """Random bytes of the shape of MNIST's images."""
    random = np.random.RandomState(count)
    return Split(
        random.randint(0, 256, (count, 28, 28)).astype(np.uint8), random.randint(0, 10, count).astype(np.uint8)
    )


def network(
    name: str, data: DataSet, layout: torch.memory_format = torch.channels_last, fused: bool | None = True
) -> None:
    """Steps on one resident batch, and the forward passes of the evaluations."""
    net = build(name).to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = Adam(net.parameters(), lr=0.001, fused=fused)
    batch, labels = next(iter(Examples.of(data.train, torch.device("cpu")).batches(BATCHES[name])))
    net.train()
    for _ in range(-(-len(data.train.labels) // BATCHES[name])):
        optimizer.zero_grad()
        start, gradient = LOSS.start(net(batch), labels)
        start.backward(gradient)
        optimizer.step()
    net.eval()
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


WAYS: dict[str, Callable[[str, DataSet], None]] = {
    "network": network,
    "contiguous": partial(network, layout=torch.contiguous_format),
    "plain Adam": partial(network, fused=None),
    "trainer": trainer,
    "augmented": partial(trainer, augment=True),
    "plain loop": plain_loop,
}


def measure(name: str, repeats: int) -> dict[str, list[float]]:
    """The seconds of each way in each repeat."""
    size = SIZES[name]
    data = DataSet("random", "made up", images(size), images(size // 5), images(size // 5))
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for repeat in track(range(-1, repeats), description=name, console=Console(stderr=True), transient=True):
        for way, run in WAYS.items():
            torch.manual_seed(0)
            start = perf_counter()
            run(name, data)
            if repeat >= 0:
                taken[way].append(perf_counter() - start)
    return taken


def outside(name: str, augment: bool) -> tuple[float, float]:
    """Of an epoch of the size of MNIST's, what neither the network nor the optimizer takes, percent; and peak MiB."""
    data = DataSet("random", "made up", images(54_000), images(6_000), images(10_000))
    trainer(name, DataSet("random", "made up", *[images(2 * BATCHES[name])] * 3), augment)  # warms up
    begun: list[float] = []
    forward: list[float] = []

    def begin(module: nn.Module, _: object) -> None:
        if isinstance(module, nn.Sequential):
            begun.append(perf_counter())

    def end(module: nn.Module, *_: object) -> None:
        if isinstance(module, nn.Sequential):
            forward.append(perf_counter() - begun.pop())

    with TemporaryDirectory() as folder:
        hooks = register_module_forward_pre_hook(begin), register_module_forward_hook(end)
        start = perf_counter()
        [epoch] = train(settings(name, augment), data, RunFolder(Path(folder)), progress=False)
        whole = perf_counter() - start
        for hook in hooks:
            hook.remove()
    return 100 * (1 - (sum(forward) + epoch["seconds"]["backward"] + epoch["seconds"]["step"]) / whole), peak()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="(default: 7)")
    parser.add_argument("--net", action="append", choices=SIZES, help="this network only (default: both)")
    options = parser.parse_args()
    cpu = platform.processor() or platform.machine()
    table = Table("network", "way", "median s", "images / s", "ratio", "least", "most")
    table.title = f"{cpu}, {torch.get_num_threads()} threads, torch {torch.__version__}, float32"
    for name in options.net or SIZES:
        taken = measure(name, options.repeats)
        for way, times in taken.items():
            ratios = [time / base for time, base in zip(times, taken["network"], strict=True)]
            speed = f"{SIZES[name] / median(times):,.0f}"
            shown = (f"{value:.2f}" for value in (median(ratios), min(ratios), max(ratios)))
            table.add_row(name, way, f"{median(times):.2f}", speed, *shown)
        table.add_section()
    Console().print(table)
    whole = Table("network", "batches of", "way", "% outside", "peak MiB", title="an epoch of the size of MNIST's")
    for name, way in itertools.product(options.net or SIZES, ("trainer", "augmented")):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as own:
            share, memory = own.submit(outside, name, way == "augmented").result()
        whole.add_row(name, str(BATCHES[name]), way, f"{share:.1f}", f"{memory:,.0f}")
    Console().print(whole)


if __name__ == "__main__":
    main()
