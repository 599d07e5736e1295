"""All that waits for a GPU, by one command: `make gpu`, that is `python benchmarks/gpu.py`.

    head     the error after SoftMax, direct and wrapped, beside F.cross_entropy, that compiled, and Liger-Kernel if it
             is installed, at 16384 x 131072 and at small sizes; the bar is 1.3 times the floor, the time to read and
             write the scores once at the copy bandwidth measured in the same run
    checks   `check_loss` with every option on that device: by the kernel, and as a loss
    epochs   seconds for an epoch of N1 on MNIST
    tables   Tables 1 and 3 of the paper for its three networks with 5 seeds, then VGG-16 on CIFAR-10 if its files are
             there: `softmax-trick sweep`, resumable, hours

What is measured is written at once, part by part, with the machine and the versions, into results/gpu.json, and the
table of docs/isbe.md is filled from it; the sweeps leave results/gpu-NAME.json. A part that is there already is not
measured again (`--fresh` does). At the end stands what is left, and why. The exit status is 1 while something is.

    python benchmarks/gpu.py [--only head checks epochs tables] [--fresh] [--device cpu]

With `--device cpu` it is a rehearsal: small sizes, nothing is kept. Evidence as in `benchmarks/isbe_head.py`.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from _turns import Way, take_turns
from isbe_head import copy_bandwidth, problem
from torch import Tensor
from torch.autograd.function import once_differentiable

from softmax_trick.isbe import ISBELoss, isbe_error, path
from softmax_trick.system.files import write_whole
from softmax_trick.testing.losses import Feature

HOME = Path(__file__).resolve().parent.parent
RESULTS, PAGE = HOME / "results" / "gpu.json", HOME / "docs" / "isbe.md"
BEGIN, END = "<!-- Made by make gpu -->\n", "<!-- end of what make gpu makes -->\n"

SIZES = ((16384, 131072, "bfloat16"), (2048, 32000, "float32"), (1024, 1000, "float32"), (64, 10, "float32"))
SMALL = ((64, 100, "bfloat16"), (64, 10, "float32"))
BAR = 1.3  # times the floor, direct in a buffer, at the first size
WAYS = ("direct, buffer", "direct, fresh", "wrapped, none", "wrapped, implicit")
FEATURES: tuple[Feature, ...] = ("ignore_index", "weights", "label_smoothing", "masks")
RIVALS = ("cross-entropy", "cross-entropy, compiled", "Liger-Kernel")
SWEEPS = (("table1", "mnist"), ("table3", "mnist"), ("figure6", "cifar10"), ("autograd", "cifar10"))

Part = dict[str, Any]


class Left(Exception):
    """A part that cannot be measured here; the message says why."""


# --- the head ---------------------------------------------------------------------------------------------------------


def head(device: str) -> Part:
    """Milliseconds of each way at each size, and the floor."""
    rehearsal = device == "cpu"
    bandwidth = copy_bandwidth(device, 2**20 if rehearsal else 2**29)
    found = {}
    for rows, classes, dtype in SMALL if rehearsal else SIZES:
        scores_of = getattr(torch, dtype)
        taken = take_turns(ways(rows, classes, device, scores_of), 5 if rehearsal else 30, f"{rows} x {classes}")
        found[f"{rows} x {classes}, {dtype}"] = {
            "floor": 2e3 * rows * classes * scores_of.itemsize / bandwidth,
            **{name: 1e3 * median(times) for name, times in taken.items()},
        }
    return {"path": path(device), "copied bytes a second": bandwidth, "milliseconds": found}


def ways(rows: int, classes: int, device: str, dtype: torch.dtype) -> dict[str, Way]:
    """ISBE, cross-entropy, and what is known to be fast."""
    back, scores, labels = problem(rows, classes, device=device, dtype=dtype)
    buffer, none, implicit = torch.empty_like(scores), ISBELoss(value="none"), ISBELoss()
    found: dict[str, Way] = {
        "cross-entropy": lambda: back(F.cross_entropy(scores, labels, reduction="sum")),
        "direct, buffer": lambda: back(scores, isbe_error(scores, labels, out=buffer)),
        "direct, fresh": lambda: back(scores, isbe_error(scores, labels)),
        "wrapped, none": lambda: back(none(scores, labels)),
        "wrapped, implicit": lambda: back(implicit(scores, labels)),
    }
    if device != "cpu":
        compiled = torch.compile(F.cross_entropy, dynamic=False)
        found["cross-entropy, compiled"] = lambda: back(compiled(scores, labels, reduction="sum"))
        if find_spec("liger_kernel"):
            liger = import_module("liger_kernel.transformers").LigerCrossEntropyLoss(reduction="sum")
            found["Liger-Kernel"] = lambda: back(liger(scores, labels))
    return found


# --- is it right there ------------------------------------------------------------------------------------------------


class ByError(torch.autograd.Function):
    """Cross-entropy whose gradient is the error of isbe_error: made by the kernel, where it works."""

    @staticmethod
    def forward(context: Any, scores: Tensor, targets: Tensor) -> Tensor:
        context.save_for_backward(isbe_error(scores, targets))
        return F.cross_entropy(scores, targets, reduction="sum")

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, None]:
        (error,) = context.saved_tensors
        return grad * error, None


def checks(device: str) -> Part:
    """What passed of check_loss, and what was refused there."""
    from softmax_trick.testing import check_loss

    def with_options(scores: Tensor, targets: Tensor, **options: Any) -> Tensor:
        return ISBELoss(reduction="mean", **options)(scores, targets)

    found: Part = {"path": path(device)}
    with torch.device(device):
        for name, checked in (
            ("isbe_error", check_loss(ByError.apply)),
            ("ISBELoss", check_loss(with_options, reduction="mean", features=FEATURES)),
        ):
            found[name] = {"passed": checked.passed, "refused": checked.refused}
    return found


# --- training ---------------------------------------------------------------------------------------------------------


def epochs(device: str) -> Part:
    """Seconds for an epoch of N1 on MNIST: of the second one, since the first one warms up."""
    network, data = ("n0", "mnist-5k") if device == "cpu" else ("n1", "mnist")
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        what = ["--net", network, "--data", data, "--epochs", "2", "--device", device, "--out", str(out)]
        command = [sys.executable, "-m", "softmax_trick.train", *what]
        if (ended := subprocess.run(command, check=False, capture_output=True, text=True)).returncode:
            raise Left(ended.stderr.strip())
        seconds = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["seconds"]
    return {"network": network, "data": data, "seconds": seconds}


def tables(device: str) -> Part:
    """The sweeps that are complete, each with its results beside the others; raises `Left` if one is not."""
    done, left = {}, []
    for name, data in SWEEPS if device != "cpu" else ():
        folder = HOME / "runs" / f"gpu-{name}"
        command = ["softmax-trick", "sweep", name, "--device", device, "--out", str(folder)]
        if subprocess.run([str(Path(sys.executable).with_name(command[0])), *command[1:]], check=False).returncode:
            left.append(f"{name} ({data}): `{' '.join(command)}` goes on with it")
        else:
            done[name] = f"gpu-{name}.json"
            write_whole(RESULTS.with_name(done[name]), (folder / "results.json").read_text())
    if left:
        raise Left("; ".join(left))
    return done


PARTS: dict[str, Callable[[str], Part]] = {"head": head, "checks": checks, "epochs": epochs, "tables": tables}


# --- what is kept -----------------------------------------------------------------------------------------------------


def page(text: str, results: Mapping[str, Any]) -> str:
    """The page with the table of the head, empty where nothing has been measured."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table(results) + END + after


def table(results: Mapping[str, Any]) -> str:
    """The head on a GPU, in milliseconds and in times the floor."""
    measured = results.get("head", {}).get("milliseconds", {})
    machine = results.get("machine", {})
    said = (
        f"{machine['gpu']}, torch {machine['torch']}: {results['head']['path']}." if measured else "Not measured yet."
    )
    sizes = [f"{rows} x {classes}, {dtype}" for rows, classes, dtype in SIZES]
    lines = [said, "", "| times the floor | " + " | ".join(sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for way in (*WAYS, *RIVALS):
        cells = [
            f"{times[way] / times['floor']:.2f}" if way in (times := measured.get(size, {})) else "" for size in sizes
        ]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    epoch = results.get("epochs", {})
    took = f"{sum(epoch['seconds'].values()):.2f} s" if epoch else "not measured yet"
    lines += ["", f"An epoch of N1 on MNIST, forward, backward and step: {took} (bar: 1 s)."]
    return "\n".join(lines) + "\n"


def machine(device: str) -> Part:
    """What it was measured on."""
    gpu = torch.cuda.get_device_name() if device == "cuda" else "none"
    return {"gpu": gpu, "torch": torch.__version__, "cuda": torch.version.cuda, "python": platform.python_version()}


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure what is asked for and is not there; 0 if nothing is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some of the parts")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a rehearsal, nothing is kept")
    options = parser.parse_args(None if arguments is None else list(arguments))
    kept = options.device == "cuda"
    if kept and not torch.cuda.is_available():
        print(f"left: {', '.join(options.only)}: there is no CUDA device (--device cpu rehearses)", file=sys.stderr)
        return 1
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if kept and RESULTS.exists() else {}
    if results and results["machine"] != machine(options.device):
        print(f"results/gpu.json is of another machine, {results['machine']}: --fresh begins anew", file=sys.stderr)
        if not options.fresh:
            return 1
        results = {}
    results["machine"] = machine(options.device)
    left = {}
    for name in options.only:
        if name in results and not options.fresh:
            print(f"{name}: there already")
            continue
        try:
            results[name] = PARTS[name](options.device)
        except Exception as error:  # the other parts are worth measuring all the same
            left[name] = f"{type(error).__name__}: {error}" if not isinstance(error, Left) else str(error)
            continue
        print(f"{name}: {json.dumps(results[name], indent=2)}")
        if kept:
            write_whole(RESULTS, json.dumps(results, indent=2) + "\n")
            write_whole(PAGE, page(PAGE.read_text(encoding="utf-8"), results))
    for name, reason in left.items():
        print(f"left: {name}: {reason}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
