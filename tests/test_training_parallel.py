"""One run on two processes ends as on one: with the same parameters up to rounding, dropout and augmentation included.

Run as a script, by torchrun, this module makes all the runs that the tests compare: see `run_all`.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import noise
from torch.nn.parallel import DistributedDataParallel

from softmax_trick.commands import train
from softmax_trick.training import TrainingError, loop, parallel
from softmax_trick.training.batches import Examples
from softmax_trick.training.folder import RunFolder
from softmax_trick.training.losses import LOSSES
from softmax_trick.training.networks import build
from softmax_trick.training.parallel import Part
from softmax_trick.training.settings import Settings

pytestmark = pytest.mark.slow  # processes of their own

BATCH = ("--batch-size", "100", "--device", "cpu", "--net", "n0")  # of 256 images: the last batch has 56
RUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "softmax": ("", ("--loss", "softmax", "--augment", "--epochs", "2")),
    "ce-mean": ("", ("--loss", "ce-mean", "--epochs", "2")),
    # Adam hides a factor; SGD does not.
    "sgd": ("sgd", ("--loss", "softmax", "--epochs", "1", "--lr", "1e-4")),
    "sgd-mean": ("sgd", ("--loss", "ce-mean", "--epochs", "1", "--lr", "1e-2")),
    "averaged": ("sgd", ("--loss", "softmax", "--epochs", "1", "--lr", "1e-4")),
    "own masks": ("sgd", ("--loss", "softmax", "--epochs", "1", "--lr", "1e-4")),
    "whole batches": ("sgd", ("--loss", "softmax", "--epochs", "1", "--lr", "1e-4")),
    "unweighted means": ("sgd", ("--loss", "ce-mean", "--epochs", "1", "--lr", "1e-2")),
}


RIGHT = ("softmax", "ce-mean", "sgd", "sgd-mean")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """All the runs on two processes of torchrun, and those that are right on one."""
    folders = {processes: tmp_path_factory.mktemp(f"on {processes}") for processes in (1, 2)}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, __file__, str(folders[1]), str(folders[2])],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = len(RUNS) + 1 + len(RIGHT)
    assert done.stdout.count("test accuracy") == said, "one of two processes speaks; one run is resumed"
    assert done.stdout.count("holds this run complete") == 1
    return folders


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def difference(one: Path, other: Path) -> float:
    """The relative difference of all parameters in the 2-norm."""
    nets = [torch.load(folder / "checkpoint.pt", weights_only=True)["net"] for folder in (one, other)]
    first, second = (torch.cat([value.double().flatten() for value in net.values()]) for net in nets)
    return float((first - second).norm() / second.norm())


# In float64 the drift of the check, 211 steps of N0 on MNIST, is 2e-14; with any of the planted errors it is 1e-4 and
# more. Between the two lies half the way, in digits.
TOLERANCE = 1e-9


@pytest.mark.parametrize("run", RIGHT)
def test_two_processes_end_as_one(run: str, folders: dict[int, Path]) -> None:
    one, two = folders[1] / run, folders[2] / run
    assert difference(two, one) < TOLERANCE
    for alone, together in zip(metrics(one), metrics(two), strict=True):
        assert together["environment"] == f"{alone['environment']}, 2 processes"
        for split in ("train", "validation", "test"):
            known = {name: value for name, value in alone[split].items() if value is not None}
            assert {name for name, value in together[split].items() if value is not None} == known.keys()
            assert {name: together[split][name] for name in known} == pytest.approx(known, rel=1e-6)
    assert (two / "predictions.npy").read_bytes() == (one / "predictions.npy").read_bytes()


@pytest.mark.parametrize("planted", ["averaged", "own masks", "whole batches", "unweighted means"])
def test_what_two_processes_may_get_wrong_is_seen(planted: str, folders: dict[int, Path]) -> None:
    right = "sgd-mean" if planted == "unweighted means" else "sgd"
    assert difference(folders[2] / planted, folders[1] / right) > 1000 * TOLERANCE


def test_parts_are_the_rows_of_a_batch() -> None:
    for processes in (1, 2, 3, 7):
        for size in (7, 8, 20):
            rows = [list(range(size))[Part(rank, processes).share(size)] for rank in range(processes)]
            assert list(itertools.chain(*rows)) == list(range(size))
            assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_batch_normalization_over_several_processes_is_refused_on_a_cpu() -> None:
    with pytest.raises(TrainingError, match="batch normalization over several processes needs CUDA"):
        Part(0, 2).net(build("vgg16"))


def test_a_batch_has_an_image_for_each_process(tmp_path: Path) -> None:
    settings = Settings("linear", "softmax", "mnist-5k", 1, 255, 0.01, 0, "cpu")
    with pytest.raises(TrainingError, match="a batch has fewer than 2 images, one a process: choose another --batch-s"):
        loop.train(settings, noise(), RunFolder(tmp_path), part=Part(0, 2))


def test_one_process_is_left_as_it_is() -> None:
    net = build("n0")
    assert Part().net(net) is net
    assert Part().loss(LOSSES["ce-mean"]) is LOSSES["ce-mean"]


def test_a_check_is_made_in_one_process(
    trainer: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parallel, "joined", lambda device: contextlib.nullcontext(Part(0, 2)))
    assert trainer("--check") == 1
    assert "error: --check is made in one process: run it without torchrun" in capsys.readouterr().err


def plant(error: str, patch: pytest.MonkeyPatch) -> None:
    """What two processes may get wrong."""
    if error == "averaged":
        patch.setattr(DistributedDataParallel, "register_comm_hook", lambda self, state, hook: None)
    if error == "own masks":
        patch.setattr(parallel, "_Dropout", lambda p, part: torch.nn.Dropout(p))
    if error == "whole batches":
        take = Part.take
        patch.setattr(Part, "take", lambda self, size: take(replace(self, rank=0, processes=1), size))
        patch.setattr(parallel._Dropout, "forward", lambda self, values: torch.nn.functional.dropout(values, self.p))
    if error == "unweighted means":
        patch.setattr(Part, "loss", lambda self, loss: loss)


def run(name: str, folder: Path, part: Part, *more: str) -> None:
    """One of the runs, in this process and those that it belongs with."""
    optimizer, options = RUNS[name]
    with pytest.MonkeyPatch.context() as patch:
        plant(name, patch)
        patch.setattr(parallel, "joined", lambda device: contextlib.nullcontext(part))  # joining takes seconds
        if optimizer == "sgd":
            patch.setattr(loop, "Adam", lambda parameters, lr, fused: torch.optim.SGD(parameters, lr=lr))
        assert train.main([*BATCH, "--out", str(folder / name), *options, *more]) == 0


def run_all(on_one: Path, on_two: Path) -> None:
    """Every run together with the other process, the first one resumed when complete; then those on one process."""
    torch.set_default_dtype(torch.float64)
    in_float64 = partial(Examples.of, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "load", lambda name, place: noise())
        patch.setattr(Examples, "of", in_float64)
        with parallel.joined("cpu") as part:
            for name in RUNS:
                run(name, on_two, part)
            run("softmax", on_two, part, "--resume")
        if part.rank == 0:
            for name in RIGHT:
                run(name, on_one, Part())


if __name__ == "__main__":
    run_all(Path(sys.argv[1]), Path(sys.argv[2]))
