"""Runs killed and resumed, refused, and interrupted: nothing that was complete is lost."""

import io
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
from conftest import noise
from torch import Tensor

from softmax_trick.commands import train
from softmax_trick.training import TrainingError, loop
from softmax_trick.training.data import DataSet
from softmax_trick.training.folder import RunFolder
from softmax_trick.training.settings import Settings
from softmax_trick.training.step import training_step

Trainer = Callable[..., int]
COMPLETE = {"config.json", "metrics.jsonl", "checkpoint.pt", "predictions.npy"}


def state(folder: Path) -> dict[str, Any]:
    """Everything that must not depend on interruptions, each tensor as its bytes."""

    def plain(value: Any) -> Any:
        match value:
            case Tensor():
                return value.numpy().tobytes()
            case dict():
                return {key: plain(item) for key, item in value.items() if key not in ("seconds", "tau")}
            case list() | tuple():
                return [plain(item) for item in value]
        return value

    checkpoint = torch.load(folder / "checkpoint.pt", weights_only=True)
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    state: dict[str, Any] = plain({"checkpoint": checkpoint, "metrics": metrics})
    return state


def saved(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- killed and resumed -----------------------------------------------------------------------------------------------


def die_at(moment: str) -> None:
    """Have this process killed by SIGKILL in the middle of its nth step, or of the nth file that it writes."""
    event, number = moment.split()
    countdown = iter(range(int(number) - 1, -1, -1))

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def fsync(descriptor: int) -> None:
        if next(countdown, None) == 0:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            die()

    def replace(source: Path, target: Path) -> None:
        last = next(countdown, None) == 0
        if last and event == "before":
            die()
        os.rename(source, target)
        if last:
            die()

    def step(*arguments: Any) -> Tensor:
        scores = training_step(*arguments)
        if next(countdown, None) == 0:
            die()
        return scores

    patch = pytest.MonkeyPatch()
    if event == "step":
        patch.setattr(loop, "training_step", step)
    elif event == "fsync":
        patch.setattr(os, "fsync", fsync)
    elif event in ("before", "after"):
        patch.setattr(os, "replace", replace)


def trained_until(moment: str, *arguments: str) -> None:
    """Be the trainer on noise, in a process of its own, that is killed at this moment."""
    torch.set_num_threads(1)
    pytest.MonkeyPatch().setattr(train, "load", lambda name, folder: noise())
    die_at(moment)
    sys.exit(train.main([*arguments]))


# Processes are forked from one that has imported what takes seconds to import, and has no threads.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "pytest",
        "torch._inductor",
        "softmax_trick.ledger.run",
        "softmax_trick.commands.train",
        "softmax_trick.training.loop",
    ]
)


def start(folder: Path, moment: str, *arguments: str) -> ForkServerProcess:
    """The trainer on noise, killed at this moment: "fsync 3" is halfway through the third file that it writes."""
    given = ("--out", str(folder), "--epochs", "3", "--batch-size", "64", *arguments)
    run = PROCESSES.Process(target=trained_until, args=(moment, *given))
    run.start()
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the three epochs end with when nothing interrupts them."""
    folder = tmp_path_factory.mktemp("whole")
    run = start(folder, "never 0")
    run.join()
    assert run.exitcode == 0
    return state(folder)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_bits(whole: dict[str, Any], tmp_path: Path) -> None:
    parts = tmp_path / "parts"

    def killed(moment: str, *arguments: str) -> set[str]:
        run = start(parts, moment, *arguments)
        run.join()
        assert run.exitcode == -signal.SIGKILL
        return {path.name for path in parts.iterdir() if path.suffix != ".tmp"}

    # A run writes config, then metrics and checkpoint after each epoch of four steps. When resumed, it first writes
    # config, and the metrics if there are any.
    assert killed("step 2") == {"config.json"}
    assert killed("fsync 3", "--resume") == {"config.json", "metrics.jsonl"}
    assert list(parts.glob("checkpoint.pt.*.tmp")), "killed halfway through the first checkpoint"
    assert killed("after 4", "--resume") == {"config.json", "metrics.jsonl", "checkpoint.pt"}
    assert state(parts)["checkpoint"]["epoch"] == 1
    killed("before 4", "--resume")
    assert (state(parts)["checkpoint"]["epoch"], len(state(parts)["metrics"])) == (1, 2)
    killed("fsync 6", "--resume")
    assert (state(parts)["checkpoint"]["epoch"], len(state(parts)["metrics"])) == (2, 3)
    # From outside, at whatever moment it is; config is rewritten just before the training goes on.
    written = (parts / "config.json").stat().st_mtime_ns
    run = start(parts, "never 0", "--resume")
    while run.is_alive() and (parts / "config.json").stat().st_mtime_ns == written:
        time.sleep(0.01)
    run.kill()
    run.join()
    final = start(parts, "never 0", "--resume")
    final.join()
    assert final.exitcode == 0
    assert state(parts) == whole
    assert contents(parts).keys() == COMPLETE, "no half-written file is left"


@pytest.fixture
def begun(trainer: Trainer, tmp_path: Path) -> Path:
    """A folder with the first epoch."""
    assert trainer("--epochs", "1") == 0
    return tmp_path / "out"


@pytest.fixture
def in_one_go(trainer: Trainer, tmp_path: Path) -> dict[str, Any]:
    """What three epochs in this process end with."""
    assert trainer("--epochs", "3", "--out", str(tmp_path / "in one go")) == 0
    return state(tmp_path / "in one go")


def test_the_epochs_may_grow(trainer: Trainer, begun: Path, in_one_go: dict[str, Any]) -> None:
    assert trainer("--epochs", "3", "--resume") == 0
    assert state(begun) == in_one_go
    assert json.loads((begun / "config.json").read_text())["settings"]["epochs"] == 3


@pytest.mark.parametrize(
    ("target", "planted"),
    [
        ("softmax_trick.training.loop.seed_generators", lambda seed, epoch: torch.manual_seed(1)),
        ("torch.optim.Adam.load_state_dict", lambda self, state: None),
        ("torch.optim.lr_scheduler.ExponentialLR.load_state_dict", lambda self, state: None),
        ("torch.nn.Sequential.load_state_dict", lambda self, state: None),
    ],
)
def test_the_comparison_sees_what_a_resumed_run_has_lost(
    target: str,
    planted: Any,
    trainer: Trainer,
    begun: Path,
    in_one_go: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target, planted)
    assert trainer("--epochs", "3", "--resume") == 0
    assert state(begun) != in_one_go


def test_ctrl_c_keeps_the_last_checkpoint(
    trainer: Trainer,
    begun: Path,
    in_one_go: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (begun / "checkpoint.pt").read_bytes()

    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "training_step", interrupt)
        assert trainer("--epochs", "3", "--resume") == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("interrupted; complete epochs are kept: add --resume")
    assert (begun / "checkpoint.pt").read_bytes() == before
    assert trainer("--epochs", "3", "--resume") == 0
    assert state(begun) == in_one_go


def test_a_full_disk_keeps_the_last_checkpoint(
    trainer: Trainer, begun: Path, in_one_go: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(begun)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Files beyond a million bytes cannot be written; a checkpoint has fourteen.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        status = trainer("--epochs", "3", "--resume")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {begun / 'checkpoint.pt'} cannot be written (File too large), what it held before is kept: "
        "make room or choose another --out, and run again with --resume"
    )
    assert contents(begun).keys() == before.keys() - {"predictions.npy"}, "those are out of date"
    assert contents(begun)["checkpoint.pt"] == before["checkpoint.pt"]
    assert trainer("--epochs", "3", "--resume") == 0
    assert state(begun) == in_one_go


def test_resuming_with_other_threads_is_said_not_to_be_bitwise(
    trainer: Trainer, begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = begun / "metrics.jsonl"
    here = f"{torch.get_num_threads()} threads"
    metrics.write_text(metrics.read_text().replace(here, "99 threads"))
    assert trainer("--epochs", "1", "--resume") == 0
    assert "note" not in capsys.readouterr().err, "nothing is left to do"
    assert trainer("--epochs", "2", "--resume") == 0
    note = capsys.readouterr().err.splitlines()[0]
    assert note.startswith("note: epochs of this run were made with")
    assert "99 threads" in note
    assert here in note
    assert note.endswith("will not be bitwise that of an uninterrupted run")


# --- the folder -------------------------------------------------------------------------------------------------------


def test_resume_in_an_empty_folder_starts_afresh(trainer: Trainer, in_one_go: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert trainer("--epochs", "3", "--resume", "--out", str(tmp_path / "empty")) == 0
    assert state(tmp_path / "empty") == in_one_go


def test_a_complete_run_reports_again_and_changes_nothing(
    trainer: Trainer, begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trainer("--epochs", "3", "--resume") == 0
    before, said = contents(begun), capsys.readouterr().out.splitlines()[-1]
    assert trainer("--epochs", "3", "--resume") == 0
    notice, *result = capsys.readouterr().out.splitlines()
    assert notice == f"{begun} holds this run complete: nothing is left to do"
    assert result == [said], "the data are not even loaded"
    assert contents(begun) == before
    (begun / "predictions.npy").unlink()
    assert trainer("--epochs", "3", "--resume") == 0
    assert contents(begun) == before, "predictions that are missing are made from the checkpoint"


def test_a_run_is_finished_with_its_epochs_and_predictions(trainer: Trainer, begun: Path) -> None:
    folder = RunFolder(begun)
    settings = Settings(**json.loads((begun / "config.json").read_text())["settings"])
    assert folder.finished(settings)
    assert not folder.finished(replace(settings, epochs=2))
    assert not folder.finished(replace(settings, seed=1))
    assert folder.predictions.shape == (64,)
    assert trainer("--epochs", "2", "--resume") == 0
    assert not folder.finished(settings)
    assert folder.finished(replace(settings, epochs=2))
    (begun / "predictions.npy").unlink()
    assert not folder.finished(replace(settings, epochs=2))
    assert not RunFolder(begun / "absent").finished(settings)


@pytest.mark.parametrize(
    "content", [b"", b"NUMPY", np.zeros(3).tobytes(), saved(np.zeros(3)), saved(np.array([{}])), saved(np.int16(3))]
)
def test_damaged_predictions_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "predictions.npy").write_bytes(content)
    with pytest.raises(TrainingError, match=r"predictions.npy is damaged \(.*\): remove it, and run"):
        _ = RunFolder(tmp_path).predictions


def test_predictions_of_fewer_epochs_do_not_outlive_a_kill(
    trainer: Trainer, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the last checkpoint, before the predictions are written."""

    def killed(folder: RunFolder, classes: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save_predictions", killed)
        assert trainer("--epochs", "3", "--resume") == 130
    assert not (begun / "predictions.npy").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "1"], "already holds this run: add --resume to go on, or choose another --out"),
        (["--epochs", "1", "--resume", "--seed", "1"], "holds another run (seed: 0 there, 1 here): choose another"),
        (["--epochs", "2", "--loss", "tanh", "--lr", "0.1"], "(loss: softmax there, tanh here, lr: 0.01 there, 0.1 h"),
        (["--check"], "holds another run (loss: softmax there, check here)"),
    ],
)
def test_a_folder_with_another_run_is_refused(
    arguments: list[str],
    message: str,
    trainer: Trainer,
    begun: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = contents(begun)
    assert trainer(*arguments) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {begun} ")
    assert message in line
    assert contents(begun) == before


def test_the_epochs_may_not_shrink(trainer: Trainer, begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trainer("--epochs", "2", "--resume") == 0
    assert trainer("--epochs", "1", "--resume") == 1
    assert "(epochs: 2 there, 1 here)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b'{"settings": ', "config.json is damaged ("),
        ("config.json", b"[]", "config.json is damaged ("),
        ("checkpoint.pt", b"", "is damaged ("),
        ("checkpoint.pt", b"PK\x03\x04 no more", "is damaged ("),
        ("metrics.jsonl", b"", "is damaged (metrics.jsonl lacks epochs that checkpoint.pt has)"),
        ("metrics.jsonl", b'{"epoch": ', "is damaged ("),
    ],
)
def test_damage_is_named(
    name: str,
    content: bytes,
    message: str,
    trainer: Trainer,
    begun: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (begun / name).write_bytes(content)
    before = contents(begun)
    capsys.readouterr()
    assert trainer("--epochs", "1", "--resume") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(begun) in line
    assert message in line
    assert line.endswith(": choose another --out")
    assert contents(begun) == before


def test_a_flipped_bit_in_the_checkpoint_is_noticed(
    trainer: Trainer, begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((begun / "checkpoint.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (begun / "checkpoint.pt").write_bytes(content)
    assert trainer("--epochs", "2", "--resume") == 1
    assert "in checkpoint.pt does not have its checksum): choose another --out" in capsys.readouterr().err


def test_a_checkpoint_is_not_unpickled_freely(
    trainer: Trainer, begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Call:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(begun / "called"),)

    torch.save({"epoch": 1, "net": Call()}, begun / "checkpoint.pt")
    assert trainer("--epochs", "1", "--resume") == 1
    assert "is damaged (Weights only load failed" in capsys.readouterr().err
    assert not (begun / "called").exists()


def test_metrics_beyond_the_checkpoint_are_cut_off(trainer: Trainer, begun: Path, in_one_go: dict[str, Any]) -> None:
    before = (begun / "metrics.jsonl").read_bytes()
    (begun / "metrics.jsonl").write_bytes(before + before + b'{"epoch": 3, "lr"')
    assert trainer("--epochs", "1", "--resume") == 0
    assert (begun / "metrics.jsonl").read_bytes() == before
    assert trainer("--epochs", "3", "--resume") == 0
    assert state(begun) == in_one_go


def test_a_checkpoint_without_its_configuration_is_not_overwritten(
    trainer: Trainer, begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (begun / "config.json").unlink()
    before = contents(begun)
    assert trainer("--epochs", "1") == 1
    assert f"{begun} holds metrics.jsonl but no config.json: choose another --out" in capsys.readouterr().err
    assert contents(begun) == before


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_is_a_file(
    place: str, trainer: Trainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert trainer("--out", str(tmp_path / place)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / place) in line
    assert (tmp_path / "file").read_text() == "mine"


def test_a_resumed_run_keeps_to_the_data_that_auto_chose(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trainer("--epochs", "1") == 0
    asked = []

    def load(name: str, folder: Path | None) -> DataSet:
        asked.append(name)
        return noise()

    monkeypatch.setattr(train, "load", load)
    assert trainer("--epochs", "2", "--resume") == 0
    assert asked == ["mnist-5k"]
    assert capsys.readouterr().out.splitlines()[-3].endswith("test images), as when this run began")


# --- nothing is written before all has been read ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def logistic_regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its first epoch, made once."""
    folder = tmp_path_factory.mktemp("logistic") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "load", lambda name, folder: noise())
        assert train.main(["--net", "linear", "--batch-size", "64", "--epochs", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def small(logistic_regression: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(logistic_regression, tmp_path / "out"))


@pytest.fixture
def linear(trainer: Trainer) -> Trainer:
    """The trainer of logistic regression."""
    return lambda *arguments: trainer("--net", "linear", *arguments)


def test_a_finished_run_without_its_checkpoint_is_still_finished(
    linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert linear("--epochs", "2", "--resume") == 0
    said = capsys.readouterr().out.splitlines()[-1]
    (small / "checkpoint.pt").unlink()
    before = contents(small)
    assert linear("--epochs", "2", "--resume") == 0
    assert capsys.readouterr().out.splitlines() == [f"{small} holds this run complete: nothing is left to do", said]
    assert linear("--epochs", "3", "--resume") == 1
    assert "has the metrics of 2 epochs and no checkpoint.pt to go on from: put it back" in capsys.readouterr().err
    assert contents(small).keys() == before.keys()
    assert contents(small)["metrics.jsonl"] == before["metrics.jsonl"]


def test_of_one_epoch_the_predictions_say_that_it_was_finished(
    linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small / "checkpoint.pt").unlink()
    before = contents(small)
    assert linear("--epochs", "2", "--resume") == 1
    assert "no checkpoint.pt to go on from" in capsys.readouterr().err
    assert {**contents(small), "config.json": b""} == {**before, "config.json": b""}


@pytest.mark.parametrize("epoch", [0, -1, True, 1.0, "1", None, 2, 10**9, 10**30, [1]])
def test_a_checkpoint_of_no_epoch(epoch: Any, linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = torch.load(small / "checkpoint.pt", weights_only=True)
    torch.save(checkpoint | {"epoch": epoch}, small / "checkpoint.pt")
    before = contents(small)
    for epochs in ("1", "2"):
        assert linear("--epochs", epochs, "--resume") == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert f"error: the run in {small} is damaged (" in line
    assert {**contents(small), "config.json": b""} == {**before, "config.json": b""}


def edited(record: dict[str, Any], *path: str, to: Any = None) -> bytes:
    """The record with the entry at the path changed, or, if to is None, removed."""
    inner = record = json.loads(json.dumps(record))
    for key in path[:-1]:
        inner = inner[key]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return json.dumps(record).encode() + b"\n"


EDITS: list[tuple[tuple[str, ...], Any]] = [
    (("epoch",), None),
    (("epoch",), True),
    (("test",), []),
    (("test", "accuracy"), "99"),
    (("train", "loss"), {}),
    (("seconds",), 7),
    (("seconds", "forward"), 0),
    (("seconds", "backward"), True),
    (("environment",), None),
]


@pytest.mark.parametrize(("path", "to"), EDITS)
def test_edited_metrics_are_named(
    path: tuple[str, ...], to: Any, linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = json.loads((small / "metrics.jsonl").read_bytes())
    (small / "metrics.jsonl").write_bytes(edited(record, *path, to=to))
    before = contents(small)
    for epochs in ("1", "2"):
        assert linear("--epochs", epochs, "--resume") == 1
        assert f"the run in {small} is damaged (metrics.jsonl: line 1 is not" in capsys.readouterr().err
    assert {**contents(small), "config.json": b""} == {**before, "config.json": b""}


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "checkpoint.pt", "predictions.npy"])
@pytest.mark.parametrize("kind", ["deep", "NaN", "infinity", "enormous", "not text", "a folder", "a link to nowhere"])
def test_whatever_stands_there_is_one_error(
    name: str, kind: str, linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = {"deep": DEEP, "NaN": b"NaN", "infinity": b"1e999", "enormous": b"9" * 10_000, "not text": b"\xff\xfe\x00"}
    (small / name).unlink()
    match kind:
        case "a folder":
            (small / name).mkdir()
        case "a link to nowhere":
            (small / name).symlink_to(small / "nowhere")
        case _:
            (small / name).write_bytes(plain[kind])
    capsys.readouterr()
    status = linear("--epochs", "1", "--resume")
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note")]
    if name == "predictions.npy" or (name, kind) == ("checkpoint.pt", "a link to nowhere"):
        assert status == 0 or len(lines) == 1, "a finished run needs neither to say what came out"
    else:
        assert status == 1
        (line,) = lines
        assert line.startswith("error: ")
        assert str(small) in line


def test_an_escape_sequence_does_not_reach_the_terminal(
    linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((small / "config.json").read_bytes())
    config["settings"]["loss"] = "\x1b]0;owned\x07"
    (small / "config.json").write_text(json.dumps(config))
    record = (small / "metrics.jsonl").read_text()
    assert linear("--epochs", "2", "--resume") == 1
    config["settings"]["loss"] = "softmax"
    (small / "config.json").write_text(json.dumps(config))
    (small / "metrics.jsonl").write_text(record.replace(" threads", " \\u001b[31mthreads"))
    assert linear("--epochs", "2", "--resume") == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert r"\x1b]0;owned\x07 there" in said.err
    assert r"\x1b[31mthreads" in said.err


def test_a_compressed_checkpoint_is_not_unpacked(
    linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ZipFile(small / "checkpoint.pt", "w", ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint/data.pkl", bytes(2**20))
    assert linear("--epochs", "1", "--resume") == 1
    assert "is damaged (checkpoint.pt is compressed, which no checkpoint is)" in capsys.readouterr().err


def test_two_at_once_are_told_so(
    linear: Trainer, small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[int, dict[str, bytes]]] = []

    def step(*arguments: Any) -> Tensor:
        if not tried:  # a second one, amid the first one's epoch, with a file that it is just writing
            (small / "metrics.jsonl.0123.tmp").write_text("half")
            before = contents(small)
            tried.append((linear("--epochs", "3", "--resume"), before))
            assert contents(small) == before
        return training_step(*arguments)

    monkeypatch.setattr(loop, "training_step", step)
    assert linear("--epochs", "2", "--resume") == 0
    assert tried[0][0] == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert line == f"error: another process is at work in {small}: wait until it has ended, or choose another --out"
    assert linear("--epochs", "3", "--resume") == 0, "and then it goes on"


def test_a_link_in_the_place_of_a_temporary_name_is_not_followed(linear: Trainer, small: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for name in COMPLETE:
        (small / f"{name}.{os.getpid()}.tmp").symlink_to(tmp_path / "mine")
    assert linear("--epochs", "2", "--resume") == 0
    assert (tmp_path / "mine").read_text() == "mine"
    assert contents(small).keys() == COMPLETE
