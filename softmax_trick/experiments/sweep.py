"""All runs of an experiment, independent of each other, on dask.distributed: a cluster on this machine, or any other.

A task is one run (`softmax_trick.experiments.work`), or one trial of a study (`softmax_trick.experiments.trial`). It
can be repeated at any time: what is complete is skipped, what was interrupted goes on from its last checkpoint. So a
worker that dies loses its unfinished epoch, or trial, and nothing else: the scheduler gives its run to another.
Progress is read from the run folders, which is right whoever wrote there.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import softmax_trick
from softmax_trick.experiments.sources import RESULT, results_of, run_folders
from softmax_trick.experiments.trial import TrialRun
from softmax_trick.experiments.work import Outcome, finished, folder_name, is_of, put_down, run_one, run_trial
from softmax_trick.measurements.results import Run, load_results, write_results
from softmax_trick.measurements.trials import holds_trials, load_trials
from softmax_trick.system.extras import require
from softmax_trick.system.files import write_whole
from softmax_trick.training.data import load
from softmax_trick.training.folder import METRICS
from softmax_trick.training.process import prepare_process
from softmax_trick.training.settings import Settings

RESULTS = "results.json"
PATIENCE = 10  # seconds for a scheduler to answer, and for its first worker
INTERVAL = 1.0  # seconds between two looks at the folders
NOBODY = 60.0  # seconds for which there may be no worker at all: one that dies is replaced within a few

Progress = Callable[[int, int], None]
Task = Settings | TrialRun


class SweepError(Exception):
    """A fault that keeps a whole sweep from running: its message, one line, names the input and the remedy."""


def sweep(
    runs: Sequence[Task],
    out: Path,
    jobs: int,
    scheduler: str | None = None,
    data_dir: Path | None = None,
    progress: Progress = lambda epochs, runs: None,
) -> list[Outcome]:
    """Bring all runs to their end.

    Args:
        runs: their settings, or the trials.
        out: where their folders are, or are to be; on a file system that all workers see.
        jobs: workers of the cluster on this machine, each a process with one run at a time.
        scheduler: the address of a running scheduler; its workers then do the work, and `jobs` says nothing.
        data_dir: where the data lie; None for the usual places.
        progress: told now and then how many epochs and how many runs are complete.

    Returns:
        how each run ended, in the order given.

    Raises:
        SweepError: the scheduler does not answer, its workers cannot do the work, or all of them have died.
        TrainingError: the data cannot be had.
        MissingExtra: dask.distributed is not installed.
        OSError: the folder cannot be written.
    """
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    before = {one: Outcome(_name(one), "complete before") for one in runs if _finished(one, out)}
    missing = [one for one in runs if one not in before]
    if not missing:
        return list(before.values())
    require("distributed", "sweeps", "softmax-trick sweep")
    from distributed import CancelledError, wait

    if scheduler is None:
        for data in dict.fromkeys(name for one in missing for name in _data(one)):
            load(data, data_dir)  # what is wrong with the data is known at once, and downloaded but once
    with _client(scheduler, min(jobs, len(missing)), out) as client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        threads = max(1, (os.cpu_count() or 1) // workers) if scheduler is None else 1
        futures: dict[Task, Any] = {}
        seen = time.monotonic()
        while True:
            if any(future.status in ("cancelled", "lost") for future in futures.values()):
                place = scheduler or "on this machine"
                raise SweepError(f"the scheduler {place} was lost; complete epochs are kept: the same command goes on")
            if _has_workers(client):
                seen = time.monotonic()
            elif time.monotonic() - seen > NOBODY:
                place = f"of {scheduler}" if scheduler else "on this machine"
                raise SweepError(
                    f"all workers {place} have died (too little memory?), and for {NOBODY:g} s none has come back; "
                    "complete epochs are kept: the same command goes on, with fewer --jobs if memory is short"
                )
            pending = [future for future in futures.values() if future.status == "pending"]
            waiting = missing[len(futures) :]
            if not pending and not waiting:
                break
            # No more than can be begun: what it has too much of, dask begins in an order of its own.
            for one in waiting[: max(1, workers) - len(pending)]:
                key, work = f"{_name(one)}-{uuid.uuid4()}", run_one if isinstance(one, Settings) else run_trial
                futures[one] = client.submit(work, one, out, data_dir, workers, threads, key=key)
                pending.append(futures[one])
            progress(*_progress(runs, out))
            with suppress(TimeoutError, CancelledError), client.as_current():
                wait(pending, timeout=INTERVAL, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]
        progress(*_progress(runs, out))
        return [before.get(one) or _outcome(one, futures[one]) for one in runs]


def take(tasks: Sequence[Task], out: Path, file: Path) -> int:
    """Put down what a results file holds of these runs or trials, where there is no folder of theirs; how many.

    Raises:
        ResultsError: the file cannot be read, or is damaged.
        TrainingError, OSError: a folder cannot be written.
    """
    missing = [task for task in tasks if not (out / _name(task)).exists()]
    runs, trials = ((), load_trials(file)) if holds_trials(file) else (load_results(file).runs, ())
    taken = 0
    for task in missing:
        if isinstance(task, Settings):
            for run in (run for run in runs if is_of(run, task)):
                put_down(run, task, out)
                taken += 1
        else:
            for trial in filter(task.is_of, trials):
                task.put_down(trial, out)
                taken += 1
    return taken


def collect(out: Path) -> list[Run]:
    """Write the complete runs of a sweep's folder to its `results.json`; returns them.

    Raises:
        ResultsError: a result is damaged or of another schema.
        OSError: the file cannot be written.
    """
    runs = load_results(*results_of(run_folders(out))).runs
    write_whole(out / RESULTS, write_results(runs))
    return list(runs)


def _has_workers(client: Any) -> bool:
    """Whether the scheduler has a worker now; True where it does not say, for then it is the scheduler that fails."""
    try:
        return bool(client.scheduler_info(n_workers=-1)["workers"])
    except (OSError, TimeoutError, RuntimeError):
        return True


def _name(task: Task) -> str:
    return folder_name(task) if isinstance(task, Settings) else task.folder_name


def _finished(task: Task, out: Path) -> bool:
    return finished(task, out) if isinstance(task, Settings) else task.finished(out)


def _data(task: Task) -> tuple[str, ...]:
    return (task.data,) if isinstance(task, Settings) else task.of.data


def epochs_of(task: Task) -> int:
    """How many epochs a run has; a trial counts as one."""
    return task.epochs if isinstance(task, Settings) else 1


def _progress(runs: Sequence[Task], out: Path) -> tuple[int, int]:
    """How many epochs and how many runs are complete, by the folders."""
    complete = [one for one in runs if (out / _name(one) / RESULT).exists()]
    epochs = sum(map(epochs_of, complete))
    return epochs + sum(_epochs(out / _name(one)) for one in runs if one not in complete), len(complete)


def _epochs(folder: Path) -> int:
    try:
        return (folder / METRICS).read_bytes().count(b"\n")
    except OSError:
        return 0


def _outcome(task: Task, future: Any) -> Outcome:
    from distributed import KilledWorker

    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    error = future.exception()
    if isinstance(error, KilledWorker):
        reason = f"{error.allowed_failures + 1} workers died while they trained it (too little memory?): run again"
    else:
        reason = f"{type(error).__name__}: {error}"
    return Outcome(_name(task), "failed", reason)


# --- clusters ---------------------------------------------------------------------------------------------------------


@contextmanager
def _client(scheduler: str | None, jobs: int, out: Path) -> Iterator[Any]:
    """A client of a cluster on this machine, or of the scheduler at that address."""
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong there is said here, in one line
    if scheduler is None:
        prepare_process()  # the workers inherit its environment
        with (
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=jobs,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=":0",
                silence_logs="CRITICAL",
            ) as cluster,
            Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise SweepError(
            f"no scheduler answers at {scheduler} ({reason}): start one with `dask scheduler`, or leave --scheduler out"
        ) from error
    with client:
        _check_workers(client, scheduler, out)
        yield client


def _check_workers(client: Any, scheduler: str, out: Path) -> None:
    """There are workers, they have this version of softmax-trick, and they see the folder."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise SweepError(
            f"the scheduler {scheduler} has no workers: start some with `dask worker {scheduler} --nthreads 1`"
        ) from error
    mark = out / f".seen-by-workers-{uuid.uuid4()}"
    mark.touch()
    try:
        found = client.run(_look, mark)
    except Exception as error:  # whatever keeps a worker from importing this module
        raise SweepError(
            f"the workers of {scheduler} cannot run softmax-trick ({type(error).__name__}: {error}): install "
            f"softmax-trick {softmax_trick.__version__} there"
        ) from error
    finally:
        mark.unlink(missing_ok=True)
    for worker, (version, seen) in found.items():
        if version != softmax_trick.__version__:
            here = softmax_trick.__version__
            raise SweepError(f"the worker {worker} has softmax-trick {version}, this is {here}: install {here} there")
        if not seen:
            raise SweepError(f"the worker {worker} does not see {out}: choose an --out on a file system that all share")


def _look(mark: Path) -> tuple[str, bool]:
    """What a worker finds: its version of softmax-trick, and whether it sees this file."""
    return softmax_trick.__version__, mark.exists()
