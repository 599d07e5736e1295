"""What ISBE costs at the head of a network, beside torch's losses: from the scores to the gradient that leaves them.

Scores to gradient. For class indices, SoftMax; a ratio to F.cross_entropy, and the bar it is held against:

    cross-entropy            F.cross_entropy(scores, labels, reduction="sum"), forward and backward
    cross-entropy, compiled  the same by torch.compile, where there is a C++ compiler
    direct, buffer           scores.backward(isbe_error(scores, labels, out=buffer))      the buffer is reused
    direct, fresh            scores.backward(isbe_error(scores, labels))
    wrapped, none            ISBELoss(value="none")(scores, labels).backward()
    wrapped, implicit        ISBELoss()(scores, labels).backward()                        value and gradient
    wrapped, mse             ISBELoss(value="mse")(scores, labels).backward()

The scores are a view of a tensor, as they are the output of a layer in a network, and what is timed ends where that
tensor receives its gradient: neither side is charged for the copy into the `.grad` of a leaf, which a network does not
make. The floor is the time to read and write the scores once, 2 N numbers, at the copy bandwidth measured in the same
run. The bars are those of the native operator (`softmax-trick build-native`); without it few of them are met.

Other normalizers, wrapped with their value, and direct in a buffer, beside binary_cross_entropy_with_logits for one-hot
targets (softmax of pairs, the usual loss for independent labels) and huber_loss.

The last layer with the head: `isbe_linear` beside its own three matrix products, F.linear with F.cross_entropy, and
torch's linear_cross_entropy with its chunks; peak memory is that of a process of its own, above what it had before.

What waits for a GPU is in `benchmarks/gpu.py`.

Evidence: all ways take turns in random order within every repeat, after a warm-up, so that whatever else the machine
does falls on all alike. A ratio is the ratio of the medians, or of the minima where the title says so (at 1024 x 1000
cross-entropy's own median is twice its minimum), given with the quartiles of the ratios of single repeats. Threads wait
as torch's do by default, by spinning, unless OMP_WAIT_POLICY says otherwise. It holds for the machine printed, not
beyond. A bar that is missed is shown as missed.

    python benchmarks/isbe_head.py [--repeats N] [--threads N] [--only head normalizers linear]
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

import torch
import torch.nn.functional as F
from _memory import peak
from _turns import Way, take_turns
from rich.console import Console
from rich.table import Table
from torch import Tensor

from softmax_trick.commands.output import width_of
from softmax_trick.isbe import VALUES, ISBELoss, Value, isbe_error, isbe_linear, path


@dataclass(frozen=True)
class Head:
    """Scores that are measured: share of the repeats, calls at a time, what a ratio is of, and the bars."""

    rows: int
    classes: int
    share: float
    calls: int
    bars: Mapping[str, float]
    dtype: torch.dtype = torch.float32
    typical: Callable[[list[float]], float] = median

    @property
    def size(self) -> str:
        """In words."""
        kind = "" if self.dtype is torch.float32 else ", bfloat16"
        return f"{self.rows} x {self.classes}{kind}{', minima' if self.typical is min else ''}"


def bars(buffer: float, fresh: float, none: float, implicit: float) -> dict[str, float]:
    """The bars of a head."""
    ways = ("direct, buffer", "direct, fresh", "wrapped, none", "wrapped, implicit")
    return dict(zip(ways, (buffer, fresh, none, implicit), strict=True))


HEADS = (
    Head(64, 10, 1.0, 20, bars(0.50, 0.50, 0.75, 0.90)),
    Head(1024, 1000, 0.5, 1, bars(0.30, 0.30, 0.33, 0.35), typical=min),
    Head(2048, 32000, 0.04, 1, bars(0.09, 0.15, 0.15, 0.15)),
    Head(256, 128256, 0.04, 1, bars(0.20, 0.25, 0.25, 0.25), torch.bfloat16),
)
FLOORS = 2  # direct in a buffer, at 2048 x 32000
ELEMENTWISE = ("sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardsigmoid_torch")
VALUED = 0.8  # of binary cross-entropy, every other normalizer with its value
ROWS, HIDDEN, CLASSES = 1024, 256, 32000
LINEAR_BAR = 1.15  # times its three matrix products


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
    table: Table,
    size: str,
    taken: Mapping[str, list[float]],
    base: str,
    bars: Mapping[str, float],
    floor: float = 0.0,
    typical: Callable[[list[float]], float] = median,
) -> None:
    """A row for each way; the ratios are to `base`."""
    below = typical(taken[base])
    for name, times in taken.items():
        ratio = typical(times) / below
        low, _, high = quantiles([time / other for time, other in zip(times, taken[base], strict=True)], n=4)
        bar = bars.get(name)
        verdict = "" if bar is None else f"{bar:.2f} {'met' if ratio <= bar else 'missed'}"
        over = f"{typical(times) / floor:.1f}" if floor else ""
        table.add_row(
            size, name, f"{1000 * typical(times):.3f}", f"{ratio:.2f}", f"{low:.2f}-{high:.2f}", verdict, over
        )
    table.add_section()


def new_table(title: str) -> Table:
    """An empty table of ways."""
    return Table("size", "way", "ms", "ratio", "quartiles", "bar", "times the floor", title=title)


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


def head_ways(head: Head) -> dict[str, Way]:
    """SoftMax and F.cross_entropy."""
    back, scores, labels = problem(head.rows, head.classes, dtype=head.dtype)
    buffer = torch.empty(head.rows, head.classes, dtype=head.dtype)

    def wrapped(value: Value) -> Way:
        loss = ISBELoss(value=value)
        return lambda: back(loss(scores, labels))

    ways: dict[str, Way] = {"cross-entropy": lambda: back(F.cross_entropy(scores, labels, reduction="sum"))}
    if shutil.which(os.environ.get("CXX", "c++").split()[0]):
        compiled = torch.compile(F.cross_entropy, dynamic=False)
        ways["cross-entropy, compiled"] = lambda: back(compiled(scores, labels, reduction="sum"))
    return ways | {
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
    for one in HEADS:
        taken = take_turns(head_ways(one), max(7, round(one.share * repeats)), one.size, one.calls)
        floor = 2 * one.rows * one.classes * one.dtype.itemsize / bandwidth
        held = dict(one.bars)
        if one.classes == 32000:  # the sharper of two bars
            held["direct, buffer"] = min(held["direct, buffer"], FLOORS * floor / one.typical(taken["cross-entropy"]))
        add_rows(table, one.size, taken, "cross-entropy", held, floor, one.typical)
    return table


def normalizers(repeats: int) -> Table:
    """The others."""
    table = new_table("other normalizers, beside torch's losses")
    held = {f"{name}, wrapped, implicit": VALUED for name in ELEMENTWISE}
    for rows, classes, calls, share in ((64, 10, 20, 0.25), (1024, 1000, 1, 0.25), (2048, 32000, 1, 0.02)):
        size = f"{rows} x {classes}"
        ways = normalizer_ways(rows, classes)
        if classes == 32000:
            ways = {name: way for name, way in ways.items() if name in held or name == "binary cross-entropy"}
        taken = take_turns(ways, max(5, round(share * repeats)), size, calls)
        add_rows(table, size, taken, "binary cross-entropy", held)
    return table


# --- the last layer ---------------------------------------------------------------------------------------------------


def linear_ways(dtype: torch.dtype) -> dict[str, Way]:
    """The last layer with the head, forward and backward."""
    hidden = torch.randn(ROWS, HIDDEN).to(dtype).requires_grad_()
    weight = (torch.randn(CLASSES, HIDDEN) / HIDDEN**0.5).to(dtype).requires_grad_()
    labels = torch.randint(CLASSES, (ROWS,))
    chunks = torch.nn.LinearCrossEntropyOptions()
    scores, in_hidden, in_weight = (
        torch.empty(ROWS, CLASSES, dtype=dtype),
        torch.empty_like(hidden),
        torch.empty_like(weight),
    )
    h, w = hidden.detach(), weight.detach()

    def back(loss: Tensor) -> object:
        return torch.autograd.grad(loss, (hidden, weight))

    def products() -> object:
        with torch.no_grad():
            torch.mm(h, w.t(), out=scores)
            torch.mm(scores, w, out=in_hidden)
            return torch.mm(scores.t(), h, out=in_weight)

    return {
        "three products": products,
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
    call = linear_ways(torch.float32)[way]
    torch.mm(torch.randn(ROWS, HIDDEN), torch.randn(HIDDEN, HIDDEN))
    before = peak()
    call()
    print(peak() - before)


def linear(repeats: int) -> Table:
    """Time of the last layer with the head, beside its products; and its peak memory in float32."""
    table = Table("size", "way", "ms", "ratio", "quartiles", "bar", "peak MiB", title="the last layer with the head")
    base = "three products"
    for dtype in (torch.float32, torch.bfloat16):
        ways = linear_ways(dtype)
        size = f"{ROWS} x {HIDDEN} -> {CLASSES}, {str(dtype).removeprefix('torch.')}"
        taken = take_turns(ways, max(5, round(0.02 * repeats)), size)
        for way, times in taken.items():
            ratio = median(times) / median(taken[base])
            low, _, high = quantiles([time / other for time, other in zip(times, taken[base], strict=True)], n=4)
            verdict = f"{LINEAR_BAR} {'met' if ratio <= LINEAR_BAR else 'missed'}" if way.startswith("isbe") else ""
            memory = f"{peak_mebibytes(way):.0f}" if dtype is torch.float32 and way != base else ""
            figures = f"{1000 * median(times):.0f}", f"{ratio:.2f}", f"{low:.2f}-{high:.2f}"
            table.add_row(size, way, *figures, verdict, memory)
        table.add_section()
    return table


SECTIONS: dict[str, Callable[[int], Table]] = {"head": head, "normalizers": normalizers, "linear": linear}


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
        f"OMP_WAIT_POLICY {os.environ.get('OMP_WAIT_POLICY', 'not set')}, torch {torch.__version__}"
    )
    console.print(path())
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
