"""Sweeps: every run is done once, whatever happens meanwhile, and what came out of it is put down rightly."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import dask
import numpy as np
import psutil
import pytest
import torch
from conftest import noise
from distributed import KilledWorker, LocalCluster
from distributed.scheduler import WorkerState

import softmax_trick
from softmax_trick.cli import main
from softmax_trick.commands import train as command
from softmax_trick.experiments import definitions, work
from softmax_trick.experiments import sweep as module
from softmax_trick.experiments.sources import find
from softmax_trick.experiments.sweep import SweepError, collect, sweep
from softmax_trick.experiments.work import finished, folder_name, run_one
from softmax_trick.measurements.results import load_results, write_results
from softmax_trick.proofs import tables
from softmax_trick.training import TrainingError
from softmax_trick.training.data import SOURCES
from softmax_trick.training.folder import RunFolder
from softmax_trick.training.losses import NAMES
from softmax_trick.training.networks import NETWORKS
from softmax_trick.training.settings import Settings

SETTINGS = Settings("linear", "softmax", "mnist-5k", epochs=2, batch_size=64, lr=0.01, seed=0, device="cpu")


@pytest.fixture(autouse=True)
def on_noise(monkeypatch):
    """Runs of this process train on noise."""
    monkeypatch.setattr(work, "_load", lambda name, data_dir: noise())
    monkeypatch.setattr(module, "load", lambda name, data_dir: noise())


@pytest.fixture
def run(tmp_path):
    """One run in tmp_path; its outcome."""
    return lambda settings=SETTINGS, workers=1: run_one(settings, tmp_path, None, workers, torch.get_num_threads())


@pytest.fixture(scope="module")
def scheduler():
    """A scheduler with one worker, both in this process, so that the worker trains on noise too."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


def result_of(folder, settings=SETTINGS):
    [found] = load_results(folder / folder_name(settings) / "result.json").runs
    return found


def state(folder, settings=SETTINGS):
    """The files of a run."""
    return {file.name: file.read_bytes() for file in (folder / folder_name(settings)).iterdir()}


# --- one run ----------------------------------------------------------------------------------------------------------


def test_a_run_is_put_down(tmp_path, run):
    assert run() == work.Outcome("linear-softmax-mnist-5k-2epochs-seed0", "done")
    folder = RunFolder(tmp_path / folder_name(SETTINGS))
    metrics = [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]
    found = result_of(tmp_path)
    assert (found.network, found.loss, found.dataset, found.seed, found.epochs) == (
        "linear",
        "softmax",
        "mnist-5k",
        0,
        2,
    )
    # By the trainer's own count, which took the scores and not the file of predictions.
    assert found.accuracy == pytest.approx(metrics[-1]["test"]["accuracy"])
    assert found.test_accuracy == pytest.approx([record["test"]["accuracy"] for record in metrics], rel=1e-5)
    labels, predicted = noise().test.labels, folder.predictions
    assert dict(found.wrong) == {i: predicted[i] for i in range(64) if predicted[i] != labels[i]}
    backward, forward = (sum(record["seconds"][phase] for record in metrics) for phase in ("backward", "forward"))
    assert found.tau == pytest.approx(100 * backward / (backward + forward), rel=1e-5)
    assert {**found.settings, "net": "linear", "loss": "softmax", "data": "mnist-5k", "seed": 0, "epochs": 2} == {
        name: value for name, value in asdict(SETTINGS).items() if name != "blurring"
    }
    blurred = replace(SETTINGS, blurring=1e-6)
    run(blurred)
    assert result_of(tmp_path, blurred).settings["blurring"] == 1e-6
    assert finished(blurred, tmp_path)


def test_of_isbe_the_squared_error_is_drawn_and_of_cross_entropy_the_loss():
    record = {split: {"loss": 1.0, "squared_error": 2.0, "accuracy": 50.0} for split in ("train", "validation", "test")}
    for loss, drawn in (("softmax", 2), ("implicit-tanh", 2), ("ce-sum", 1), ("balanced-softmax", 1)):
        curves = work._curves([record] * 3, loss)
        assert curves["train_loss"] == curves["validation_loss"] == curves["test_loss"] == (drawn,) * 3
        assert curves["test_accuracy"] == (50,) * 3
    assert work._curves([{split: {"loss": 1.0} for split in record}], "tanh")["test_loss"] == ()


def test_a_complete_run_is_skipped_and_others_are_not(tmp_path, run, monkeypatch):
    run()
    before = state(tmp_path)
    monkeypatch.setattr("softmax_trick.training.loop.train", lambda *_: pytest.fail("it was trained again"))
    assert run().status == "complete before"
    assert state(tmp_path) == before
    for other in ({"seed": 1}, {"epochs": 3}, {"augment": True}, {"imbalance": 2.0}, {"lr": 0.1}):
        assert not finished(replace(SETTINGS, **other), tmp_path)


def test_the_process_of_a_run_is_set_up(run, monkeypatch):
    called = []
    monkeypatch.setattr(work, "prepare_process", lambda: called.append("prepared"))
    assert run().status == "done"
    assert called == ["prepared"]


def test_a_run_with_other_settings_in_its_folder_fails_and_keeps_it(tmp_path, run):
    run()
    before = state(tmp_path)
    outcome = run(replace(SETTINGS, lr=0.5))
    assert outcome.status == "failed"
    assert "lr: 0.01 there, 0.5 here" in outcome.reason
    assert state(tmp_path) == before


@pytest.mark.parametrize("damaged", ["result.json", "checkpoint.pt", "config.json", "predictions.npy", "metrics.jsonl"])
def test_a_broken_run_is_repeated(tmp_path, run, damaged):
    run()
    whole = result_of(tmp_path)
    path = tmp_path / folder_name(SETTINGS)
    (path / damaged).write_bytes((path / damaged).read_bytes()[:50])
    if damaged != "result.json":
        (path / "result.json").unlink()
    assert run().status == "done"
    assert replace(result_of(tmp_path), tau=None) == replace(whole, tau=None)
    aside = tmp_path / f"{path.name}.damaged1"
    # What is only a summary is written again; nothing is trained for it, and nothing set aside.
    assert aside.exists() == (damaged != "result.json")
    if aside.exists():
        assert len((aside / damaged).read_bytes()) == 50
        (aside / "result.json").write_bytes((path / "result.json").read_bytes())
    # A folder set aside counts neither as a run nor as one that is not complete.
    assert len(collect(tmp_path)) == 1
    assert (len(find([tmp_path]).files), find([tmp_path]).unfinished) == (1, 0)


def test_a_finished_run_needs_no_checkpoint(tmp_path, run, monkeypatch):
    run()
    whole, path = result_of(tmp_path), tmp_path / folder_name(SETTINGS)
    (path / "result.json").unlink()
    (path / "checkpoint.pt").unlink()
    before = state(tmp_path)
    assert run().status == "done"
    assert result_of(tmp_path) == whole
    assert state(tmp_path).keys() - before.keys() == {"result.json"}
    assert state(tmp_path)["metrics.jsonl"] == before["metrics.jsonl"]


def test_a_lost_checkpoint_sets_the_epochs_aside(tmp_path, run):
    run()
    path = tmp_path / folder_name(SETTINGS)
    for name in ("result.json", "checkpoint.pt", "predictions.npy"):
        (path / name).unlink()
    metrics = (path / "metrics.jsonl").read_bytes()
    assert run().status == "done"
    assert (tmp_path / f"{path.name}.damaged1" / "metrics.jsonl").read_bytes() == metrics


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path, run):
    run()
    path = tmp_path / folder_name(SETTINGS)
    (path / "result.json").unlink()
    (path / "config.json").write_text("damaged")
    before = state(tmp_path)
    with RunFolder(path).alone():
        outcome = run()
    assert (outcome.status, state(tmp_path)) == ("failed", before)
    assert outcome.reason.startswith(f"another process is at work in {path}: wait until it has ended")
    assert run().status == "done"


@pytest.mark.parametrize("classes", [[0] * 63, [0] * 65, [-1] * 64, [10] * 64])
def test_predictions_of_other_images_are_named(tmp_path, run, classes):
    run()
    path = tmp_path / folder_name(SETTINGS)
    (path / "result.json").unlink()
    RunFolder(path).save_predictions(np.array(classes, np.int16))
    outcome = run()
    assert outcome.status == "failed"
    assert outcome.reason == f"{path / 'predictions.npy'} is not of these test images: remove it, and run again"


@pytest.mark.parametrize("content", [1, [], {"runs": [1]}, {"runs": [{"network": []}]}, {"runs": 3}, {"runs": [{}]}])
def test_a_result_of_another_shape_is_made_again(tmp_path, run, content):
    run()
    result = tmp_path / folder_name(SETTINGS) / "result.json"
    whole = result.read_bytes()
    shape = content if not isinstance(content, dict) else {"schema": 1, "version": "0", **content}
    for text in (json.dumps(shape), "[" * 100_000):
        result.write_text(text)
        assert run().status == "done"
        assert result.read_bytes() == whole


def test_the_command_of_the_trainer_and_the_sweep_share_folders(tmp_path, run, monkeypatch):
    monkeypatch.setattr(command, "load", lambda name, folder: noise())
    options = ["--net", "linear", "--epochs", "2", "--batch-size", "64", "--data", "mnist-5k"]
    assert command.main([*options, "--device", "cpu", "--out", str(tmp_path / folder_name(SETTINGS))]) == 0
    trained = state(tmp_path)
    assert run().status == "done"
    assert {name: state(tmp_path)[name] for name in ("checkpoint.pt", "predictions.npy")}.items() <= trained.items()


def test_a_run_that_went_on_beside_others_says_so(tmp_path, run, monkeypatch):
    monkeypatch.setattr("softmax_trick.training.loop.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(workers=3)
    monkeypatch.undo()
    monkeypatch.setattr(work, "_load", lambda name, data_dir: noise())
    run(workers=1)
    assert result_of(tmp_path).workers == 3
    assert not result_of(tmp_path).timed_alone


def interrupted(*_, **__):
    raise KeyboardInterrupt


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_a_sweep_does_all_runs_and_one_that_fails_stops_no_other(tmp_path, scheduler):
    runs = [SETTINGS, replace(SETTINGS, loss="ce-mean"), replace(SETTINGS, seed=1, lr=1e38)]
    seen = []
    outcomes = sweep(runs, tmp_path, 1, scheduler, progress=lambda *both: seen.append(both))
    assert [outcome.status for outcome in outcomes] == ["done", "done", "failed"]
    assert "not finite" in outcomes[2].reason
    assert seen[-1] == (4, 2)
    assert not list(tmp_path.glob(".seen*"))
    assert [run.loss for run in collect(tmp_path)] == ["ce-mean", "softmax"]
    assert len(load_results(tmp_path / "results.json").runs) == 2

    again = sweep(runs, tmp_path, 1, scheduler)
    assert [outcome.status for outcome in again] == ["complete before", "complete before", "failed"]


BEGUN: list[Settings] = []


def noted(settings, *_):
    BEGUN.append(settings)
    time.sleep(1.0 if len(BEGUN) == 1 else 0.02)
    return work.Outcome(folder_name(settings), "done")


def test_runs_are_begun_in_their_order(tmp_path, monkeypatch):
    """Seed by seed, as the experiment has them, so that a sweep that is cut short leaves something to compare.

    Planted: all of them handed to dask at once, which deals them out and begins the last ones second.
    """
    monkeypatch.setattr("softmax_trick.experiments.sweep.run_one", noted)
    monkeypatch.setattr("softmax_trick.experiments.sweep.collect", lambda out: [])
    losses = ("ce-mean", "ce-none", "softmax", "sigmoid", "tanh", "hardtanh")
    runs = [replace(SETTINGS, loss=loss, seed=seed) for seed in (1, 0) for loss in losses]
    BEGUN.clear()
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=":0"
    ) as two:
        sweep(runs, tmp_path, 2, two.scheduler_address)
    assert len(BEGUN) == len(runs)
    assert all(abs(runs.index(one) - place) <= 1 for place, one in enumerate(BEGUN)), "two at a time"


def test_a_run_that_crashes_is_a_failure_with_a_reason(tmp_path, scheduler, monkeypatch):
    def crash(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("softmax_trick.training.loop.train", crash)
    [outcome] = sweep([SETTINGS], tmp_path, 1, scheduler)
    assert outcome == work.Outcome(folder_name(SETTINGS), "failed", "RuntimeError: out of memory")


def test_a_run_that_kills_its_workers_is_a_failure_with_a_reason():
    class Future:
        status = "error"

        def exception(self):
            return KilledWorker("run", cast(WorkerState, SimpleNamespace(address="tcp://x:1")), 3)

    outcome = module._outcome(SETTINGS, Future())
    assert outcome.status == "failed"
    assert "4 workers died while they trained it" in outcome.reason


def test_a_scheduler_lost_in_the_middle_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    monkeypatch.setattr(module, "_check_workers", lambda *_: None)  # there are none, so that the run has to wait
    with LocalCluster(n_workers=0, processes=False, protocol="tcp://", dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        with pytest.raises(SweepError, match=f"the scheduler {address} was lost; complete epochs are kept"):
            sweep([SETTINGS], tmp_path, 1, address, progress=lambda *_: cluster.close())


def test_workers_that_all_died_are_noticed(tmp_path, monkeypatch):
    """Planted: a sweep that waits for its run, which nobody is left to do."""
    monkeypatch.setattr(module, "NOBODY", 0.5)
    monkeypatch.setattr(module, "INTERVAL", 0.1)
    monkeypatch.setattr(module, "_check_workers", lambda *_: None)
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp://", dashboard_address=":0") as cluster,
        pytest.raises(
            SweepError, match=r"all workers of tcp.* have died .*the same command goes on, with fewer --jobs"
        ),
    ):
        sweep([SETTINGS], tmp_path, 1, cluster.scheduler_address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "ftp://x:1"])
def test_a_dead_or_wrong_scheduler_address_is_named_soon(tmp_path, monkeypatch, address):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    start = time.monotonic()
    with pytest.raises(SweepError, match=f"no scheduler answers at {re.escape(address)} "):
        sweep([SETTINGS], tmp_path, 1, address)
    assert time.monotonic() - start < 10


def test_a_scheduler_without_workers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp://", dashboard_address=":0") as cluster,
        pytest.raises(SweepError, match="has no workers: start some with `dask worker"),
    ):
        sweep([SETTINGS], tmp_path, 1, cluster.scheduler_address)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (("0.0.9", True), "has softmax-trick 0.0.9, this is"),
        ((softmax_trick.__version__, False), "does not see .*choose an --out on a file system that all share"),
        (None, "cannot run softmax-trick .*ModuleNotFoundError"),
    ],
)
def test_workers_that_cannot_do_it_are_refused(tmp_path, scheduler, monkeypatch, found, message):
    def look(mark):
        assert mark.exists()
        if found is None:
            raise ModuleNotFoundError("No module named 'softmax_trick'")
        return found

    monkeypatch.setattr(module, "_look", look)
    with pytest.raises(SweepError, match=message):
        sweep([SETTINGS], tmp_path, 1, scheduler)
    assert list(tmp_path.iterdir()) == []


def test_data_that_cannot_be_had_end_a_sweep_before_it_begins(tmp_path, monkeypatch):
    def nothing(*_):
        raise TrainingError("no data")

    monkeypatch.setattr(module, "load", nothing)
    monkeypatch.setattr(module, "_client", lambda *_: pytest.fail("a cluster was started"))
    with pytest.raises(TrainingError, match="no data"):
        sweep([SETTINGS], tmp_path, 2)


@pytest.mark.slow
def test_a_worker_killed_in_mid_run_loses_its_unfinished_epoch_and_nothing_else(tmp_path, run):
    """A process of its own, and kill -9 after a few epochs: the run goes on from its checkpoint."""
    settings = replace(SETTINGS, epochs=60)
    preload = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + (
        "from conftest import noise\n"
        "from softmax_trick.experiments import work\n"
        "work._load = lambda name, data_dir: noise()\n"
    )
    metrics = tmp_path / folder_name(settings) / "metrics.jsonl"
    killed: list[list[str]] = []

    def kill():
        while not (metrics.exists() and metrics.read_text().count("\n") >= 3):
            time.sleep(0.02)
        # The nanny of the worker is this process.
        for worker in psutil.Process().children():
            if any("spawn_main" in part for part in worker.cmdline()):
                os.kill(worker.pid, signal.SIGKILL)
        killed.append(metrics.read_text().splitlines())

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    with dask.config.set({"distributed.worker.preload": [preload]}):
        [outcome] = sweep([settings], tmp_path, 1)
    thread.join()
    assert outcome.status == "done"
    lines = metrics.read_text().splitlines()
    assert len(lines) == 60
    # The seconds in them are different each time: these epochs were not trained again.
    complete = len(killed[0]) - 1
    assert 2 <= complete < 59
    assert lines[:complete] == killed[0][:complete]

    interrupted_run = result_of(tmp_path, settings)
    (tmp_path / folder_name(settings)).rename(tmp_path / "interrupted")
    run(settings)
    assert replace(result_of(tmp_path, settings), tau=None) == replace(interrupted_run, tau=None)


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_experiments_can_be_run():
    for experiment in definitions.EXPERIMENTS.values():
        assert set(experiment.networks) <= set(NETWORKS), experiment.name
        assert {loss for loss in experiment.losses if ":" not in loss} <= set(NAMES), experiment.name
        assert experiment.data in SOURCES
        settings = experiment.settings(2)
        assert len({folder_name(one) for one in settings}) == len(settings) == 2 * experiment.runs_a_seed


def test_the_options_are_those_of_the_papers_tables():
    assert list(definitions.EVERY) == list(tables.LOSSES.values())
    table3 = definitions.EXPERIMENTS["table3"]
    assert {one.net.upper() for one in table3.settings(1)} == {"N0", "N1", "N1R"}
    assert table3.settings(1, networks=["n0"]) == [one for one in table3.settings(1) if one.net == "n0"]


def test_the_list_of_experiments(capsys):
    assert main(["sweep", "--list", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in definitions.EXPERIMENTS)
    assert re.search(r"table3 .* mnist +40 +48", out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figur3"], "no experiment 'figur3': did you mean figure3"),
        ([], "name an experiment, such as table3"),
        (["linear", "--data", "mnits"], "no data set is called 'mnits'"),
        (["linear", "--net", "n0"], "--net: linear has no network 'n0': choose among linear"),
    ],
)
def test_wrong_usage_is_named(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.undo()
    assert main(["sweep", *arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_the_command(tmp_path, capsys, scheduler):
    options = ["--epochs", "1", "--seeds", "1", "--data", "mnist-5k", "--device", "cpu", "--out", str(tmp_path)]
    assert main(["sweep", "linear", *options, "--scheduler", scheduler]) == 0
    out = capsys.readouterr().out
    assert "8 done, 0 complete before, 0 failed" in out
    assert f"{tmp_path / 'results.json'}: 8 runs" in out
    assert main(["report", str(tmp_path)]) == 0
    assert "mnist-5k, 1 epoch, " in capsys.readouterr().out


def test_runs_are_taken_from_a_results_file(tmp_path, capsys, monkeypatch):
    """Planted: a run of other settings, and one whose folder is there, are not; nothing that is taken is trained."""
    options = ["sweep", "linear", "--epochs", "1", "--seeds", "1", "--data", "mnist-5k", "--device", "cpu", "--out"]
    runs = definitions.EXPERIMENTS["linear"].settings(1, "cpu", 1, "mnist-5k")
    there = [replace(runs[0], lr=0.5), runs[1], runs[2]]
    for one in there:
        run_one(one, tmp_path / "a", None, 2, torch.get_num_threads())
    kept = tmp_path / "kept.json"
    kept.write_text(write_results(collect(tmp_path / "a")))
    (tmp_path / "b" / folder_name(runs[2])).mkdir(parents=True)
    monkeypatch.setattr(module, "sweep", interrupted)
    assert main([*options, str(tmp_path / "b"), "--from", str(kept)]) == 130
    assert "1 of 8 taken from" in capsys.readouterr().out
    assert [finished(run, tmp_path / "b") for run in runs[:3]] == [False, True, False]
    assert load_results(tmp_path / "b" / "results.json").runs == (result_of(tmp_path / "a", runs[1]),)


def test_a_failed_run_is_status_1_and_ctrl_c_130(tmp_path, capsys, monkeypatch):
    failed = work.Outcome("n0-tanh-seed0", "failed", "the disk is full")
    assert main(["sweep", "linear", "--out", "/dev/null/x"]) == 1
    assert "/dev/null/x cannot be written (Not a directory): choose another --out" in capsys.readouterr().err
    monkeypatch.setattr(module, "sweep", lambda *_: [failed])
    assert main(["sweep", "linear", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "n0-tanh-seed0 failed: the disk is full" in captured.err
    assert "0 done, 0 complete before, 1 failed" in captured.out
    monkeypatch.setattr(module, "sweep", interrupted)
    assert main(["sweep", "linear", "--out", str(tmp_path)]) == 130
    assert "complete epochs are kept: the same command goes on" in capsys.readouterr().err


def test_without_distributed_the_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    assert main(["sweep", "linear", "--out", str(tmp_path)]) == 2
    assert "softmax-trick[sweeps]" in capsys.readouterr().err
