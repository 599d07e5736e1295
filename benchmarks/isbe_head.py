"""What ISBE costs at the head of a network, beside torch's losses: from the scores to the gradient that leaves them.

Scores to gradient. For class indices, float32, SoftMax; a ratio to F.cross_entropy, and the bar it is held against:

    cross-entropy      F.cross_entropy(scores, labels, reduction="sum"), forward and backward
    direct, buffer     scores.backward(isbe_error(scores, labels, out=buffer))      the buffer is reused
    direct, fresh      scores.backward(isbe_error(scores, labels))
    wrapped, none      ISBELoss(value="none")(scores, labels).backward()
    wrapped, implicit  ISBELoss()(scores, labels).backward()                        value and gradient
    wrapped, mse       ISBELoss(value="mse")(scores, labels).backward()

The scores are a view of a tensor, as they are the output of a layer in a network, and what is timed ends where that
tensor receives its gradient: neither side is charged for the copy into the `.grad` of a leaf, which a network does not
make. The floor is the time to read and write the scores once, 2 N numbers, at the copy bandwidth measured in the same
run.

Other normalizers, direct in a buffer and wrapped, beside binary_cross_entropy_with_logits for one-hot targets (softmax
of pairs, the usual loss for independent labels) and huber_loss.

The last layer with the head: `isbe_linear` beside F.linear with F.cross_entropy, and beside torch's
linear_cross_entropy with its chunks; peak memory is that of a process of its own, above what it had before.

The GPU, bfloat16: the direct form beside F.cross_entropy, that compiled, and Liger-Kernel if it is installed; a bar of
1.3 times the floor. Without a GPU the table stays empty.

Evidence: all ways take turns in random order within every repeat, after a warm-up, so that whatever else the machine
does falls on all alike. A ratio is the ratio of the medians, given with the quartiles of the ratios of single repeats.
It holds for the machine printed, not beyond. A bar that is missed is shown as missed.

    python benchmarks/isbe_head.py [--repeats N] [--threads N] [--only head normalizers linear gpu]
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from statistics import median, quantiles
from time import perf_counter

# Before torch is imported: threads that wait by spinning take the cores from whatever else runs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
import torch.nn.functional as F
from _memory import peak
from _turns import Way, take_turns
from rich.console import Console
from rich.table import Table
from torch import Tensor

from softmax_trick.commands.output import width_of
from softmax_trick.isbe import VALUES, ISBELoss, Value, isbe_error, isbe_linear
from softmax_trick.isbe.kernel import path

# (rows, classes): share of the repeats, calls at a time
HEADS = {(64, 10): (1.0, 20), (256, 10): (1.0, 20), (1024, 1000): (0.5, 1), (2048, 32000): (0.04, 1)}
BARS = {
    (64, 10): {"direct, fresh": 0.75, "wrapped, none": 1.0},
    (1024, 1000): {"direct, fresh": 0.50, "wrapped, none": 0.75},
    (2048, 32000): {"direct, buffer": 0.15, "direct, fresh": 0.45, "wrapped, none": 0.60},
}
ELEMENTWISE = ("sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardsigmoid_torch")
ROWS, HIDDEN, CLASSES = 1024, 256, 32000
LINEAR_BARS = {"time": 0.85, "memory": 0.25}
GPU_SIZE = 16384, 131072
GPU_BAR = 1.3  # times the floor


def copy_bandwidth(device: str = "cpu", numbers: int = 2**25) -> float:
    """Bytes read and written in a second, copying 128 MB or as many float32 numbers as given."""
    source, target = torch.ones(numbers, device=device), torch.ones(numbers, device=device)
    times = []
    for _ in range(10):
        start = perf_counter()
        target.copy_(source)
        wait_for(source)
        times.append(perf_counter() - start)
    return 2 * source.nbytes / median(times)


def wait_for(tensor: Tensor) -> None:
    """Until its device has done all that it was told."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def add_rows(
    table: Table, size: str, taken: Mapping[str, list[float]], base: str, bars: Mapping[str, float], floor: float = 0.0
) -> None:
    """A row for each way; the ratios are to `base`."""
    below = median(taken[base])
    for name, times in taken.items():
        ratio = median(times) / below
        low, _, high = quantiles([time / other for time, other in zip(times, taken[base], strict=True)], n=4)
        bar = bars.get(name)
        verdict = "" if bar is None else f"{bar:.2f} {'met' if ratio <= bar else 'missed'}"
        over = f"{median(times) / floor:.1f}" if floor else ""
        table.add_row(size, name, f"{1000 * median(times):.3f}", f"{ratio:.2f}", f"{low:.2f}-{high:.2f}", verdict, over)
    table.add_section()


def new_table(title: str) -> Table:
    """An empty table of ways."""
    return Table("size", "way", "median ms", "ratio", "quartiles", "bar", "times the floor", title=title)


def problem(
    rows: int, classes: int, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Callable[..., object], Tensor, Tensor]:
    """The backward pass into what the scores are a view of; the scores; labels."""
    before = torch.randn(rows, classes, device=device, dtype=dtype, requires_grad=True)

    def back(start: Tensor, error: Tensor | None = None) -> object:
        found = torch.autograd.grad(start, before, error)
        wait_for(before)
        return found

    return back, before.view_as(before), torch.randint(classes, (rows,), device=device)


def head_ways(rows: int, classes: int) -> dict[str, Way]:
    """SoftMax and F.cross_entropy."""
    back, scores, labels = problem(rows, classes)
    buffer = torch.empty(rows, classes)

    def wrapped(value: Value) -> Way:
        loss = ISBELoss(value=value)
        return lambda: back(loss(scores, labels))

    return {
        "cross-entropy": lambda: back(F.cross_entropy(scores, labels, reduction="sum")),
        "direct, buffer": lambda: back(scores, isbe_error(scores, labels, out=buffer)),
        "direct, fresh": lambda: back(scores, isbe_error(scores, labels)),
        **{f"wrapped, {value}": wrapped(value) for value in VALUES[::-1]},
    }


def normalizer_ways(rows: int, classes: int) -> dict[str, Way]:
    """The other normalizers, which work element by element, and torch's losses."""
    back, scores, labels = problem(rows, classes)
    buffer, one_hot = torch.empty(rows, classes), F.one_hot(labels, classes).float()

    def direct(name: str) -> Way:
        return lambda: back(scores, isbe_error(scores, labels, name, out=buffer))

    def wrapped(name: str, value: Value) -> Way:
        loss = ISBELoss(name, value=value)
        return lambda: back(loss(scores, labels))

    ways: dict[str, Way] = {
        "binary cross-entropy": lambda: back(F.binary_cross_entropy_with_logits(scores, one_hot, reduction="sum")),
        "huber": lambda: back(F.huber_loss(scores, one_hot, reduction="sum")),
    }
    for name in ELEMENTWISE:
        ways[f"{name}, direct, buffer"] = direct(name)
        ways[f"{name}, wrapped, none"] = wrapped(name, "none")
        ways[f"{name}, wrapped, implicit"] = wrapped(name, "implicit")
    return ways


def head(repeats: int) -> Table:
    """SoftMax."""
    bandwidth = copy_bandwidth()
    table = new_table(f"SoftMax, beside F.cross_entropy; floor at {bandwidth / 1e9:.1f} GB/s read and written")
    for (rows, classes), (share, calls) in HEADS.items():
        size = f"{rows} x {classes}"
        taken = take_turns(head_ways(rows, classes), max(5, round(share * repeats)), size, calls)
        floor = 2 * rows * classes * torch.float32.itemsize / bandwidth
        add_rows(table, size, taken, "cross-entropy", BARS.get((rows, classes), {}), floor)
    return table


def normalizers(repeats: int) -> Table:
    """The others."""
    table = new_table("other normalizers, beside torch's losses")
    for (rows, classes), calls in (((64, 10), 20), ((1024, 1000), 1)):
        size = f"{rows} x {classes}"
        taken = take_turns(normalizer_ways(rows, classes), max(5, repeats // 4), size, calls)
        add_rows(table, size, taken, "binary cross-entropy", {})
    return table


# --- the last layer ---------------------------------------------------------------------------------------------------


def linear_ways() -> dict[str, Way]:
    """The last layer with the head, forward and backward."""
    hidden = torch.randn(ROWS, HIDDEN, requires_grad=True)
    weight = (torch.randn(CLASSES, HIDDEN) / HIDDEN**0.5).requires_grad_()
    labels = torch.randint(CLASSES, (ROWS,))
    chunks = torch.nn.LinearCrossEntropyOptions()

    def back(loss: Tensor) -> object:
        return torch.autograd.grad(loss, (hidden, weight))

    return {
        "linear, cross-entropy": lambda: back(F.cross_entropy(F.linear(hidden, weight), labels, reduction="sum")),
        "isbe_linear, none": lambda: back(isbe_linear(hidden, weight, labels, value="none")),
        "isbe_linear, implicit": lambda: back(isbe_linear(hidden, weight, labels)),
        "linear_cross_entropy": lambda: back(
            F.linear_cross_entropy(hidden, weight, labels, reduction="sum", options=chunks)
        ),
    }


def peak_mebibytes(way: str) -> float:
    """The peak of resident memory of one call in a process of its own, above that before it."""
    command = [sys.executable, __file__, "--peak", way, "--threads", str(torch.get_num_threads())]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(way: str) -> None:
    """For `peak_mebibytes`; a first multiplication makes the libraries allocate what they keep."""
    call = linear_ways()[way]
    torch.mm(torch.randn(ROWS, HIDDEN), torch.randn(HIDDEN, HIDDEN))
    before = peak()
    call()
    print(peak() - before)


def linear(repeats: int) -> Table:
    """Time and peak memory of the last layer with the head."""
    ways = linear_ways()
    size = f"{ROWS} x {HIDDEN} -> {CLASSES}"
    taken = take_turns(ways, max(5, round(0.02 * repeats)), size)
    table = Table("size", "way", "median ms", "ratio", "quartiles", "bar", "peak MiB", "ratio", "bar")
    table.title = "the last layer with the head"
    base = "linear, cross-entropy"
    peaks = {way: peak_mebibytes(way) for way in ways}
    for way, times in taken.items():
        ratio, memory = median(times) / median(taken[base]), peaks[way] / peaks[base]
        low, _, high = quantiles([time / other for time, other in zip(times, taken[base], strict=True)], n=4)
        bars = [
            f"{LINEAR_BARS[name]:.2f} {'met' if found <= LINEAR_BARS[name] else 'missed'}"
            if way.startswith("isbe")
            else ""
            for name, found in (("time", ratio), ("memory", memory))
        ]
        table.add_row(
            *(size, way, f"{1000 * median(times):.0f}", f"{ratio:.2f}", f"{low:.2f}-{high:.2f}", bars[0]),
            *(f"{peaks[way]:.0f}", f"{memory:.2f}", bars[1]),
        )
    return table


# --- on a GPU ---------------------------------------------------------------------------------------------------------


def gpu_ways() -> dict[str, Way]:
    """SoftMax, cross-entropy, and what is known to be fast."""
    back, scores, labels = problem(*GPU_SIZE, device="cuda", dtype=torch.bfloat16)
    buffer, none, compiled = torch.empty_like(scores), ISBELoss(value="none"), torch.compile(F.cross_entropy)
    ways: dict[str, Way] = {
        "cross-entropy": lambda: back(F.cross_entropy(scores, labels, reduction="sum")),
        "cross-entropy, compiled": lambda: back(compiled(scores, labels, reduction="sum")),
        "direct, buffer": lambda: back(scores, isbe_error(scores, labels, out=buffer)),
        "wrapped, none": lambda: back(none(scores, labels)),
    }
    if find_spec("liger_kernel"):
        liger = import_module("liger_kernel.transformers").LigerCrossEntropyLoss(reduction="sum")
        ways["Liger-Kernel"] = lambda: back(liger(scores, labels))
    return ways


def gpu(repeats: int) -> Table:
    """SoftMax on a GPU; without one an empty table that says so."""
    rows, classes = GPU_SIZE
    table = new_table(f"on a GPU, {rows} x {classes}, bfloat16: not measured, none is at hand")
    if torch.cuda.is_available():
        bandwidth = copy_bandwidth("cuda", 2**29)
        table.title = (
            f"{torch.cuda.get_device_name()}, bfloat16; floor at {bandwidth / 1e9:.0f} GB/s; SoftMax by {path('cuda')}"
        )
        floor = 2 * rows * classes * torch.bfloat16.itemsize / bandwidth
        taken = take_turns(gpu_ways(), max(5, repeats // 10), "GPU")
        bar = GPU_BAR * floor / median(taken["cross-entropy"])
        add_rows(table, f"{rows} x {classes}", taken, "cross-entropy", {"direct, buffer": bar}, floor)
    return table


SECTIONS: dict[str, Callable[[int], Table]] = {"head": head, "normalizers": normalizers, "linear": linear, "gpu": gpu}


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300, metavar="N", help="at the smallest size (default: 300)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="torch's threads (default: 2)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="some of the tables")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    random.seed(0)
    if options.peak:
        return print_peak(options.peak)
    console = Console(width=width_of(sys.stdout))
    cpu = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    console.print(
        f"{cpu}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f} at the start, "
        f"OMP_WAIT_POLICY {os.environ['OMP_WAIT_POLICY']}, torch {torch.__version__}, float32"
    )
    for name in options.only:
        console.print(SECTIONS[name](options.repeats))
    console.print(f"load at the end {os.getloadavg()[0]:.1f}")


def _cpuinfo() -> list[str]:
    try:
        with open("/proc/cpuinfo") as lines:
            return lines.readlines()
    except OSError:
        return []


if __name__ == "__main__":
    main()
