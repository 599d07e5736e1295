"""One run of a sweep, as a worker does it: train to the end in a folder of its own, then put down what came out.

A run's folder is that of the trainer (`softmax_trick.training.folder`), and `result.json` in it is a results file with
this run alone; it is written last, and who finds it finds the run complete. Whatever happens before, the next attempt
goes on from the last checkpoint.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from softmax_trick.experiments.sources import DAMAGED, RESULT
from softmax_trick.measurements.results import ResultsError, Run, load_results, write_results
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.system.extras import MissingExtra
from softmax_trick.training import TrainingError
from softmax_trick.training.process import prepare_process
from softmax_trick.training.settings import LR_DECAY

if TYPE_CHECKING:
    from softmax_trick.experiments.trial import TrialRun
    from softmax_trick.training.data import DataSet
    from softmax_trick.training.folder import RunFolder
    from softmax_trick.training.settings import Settings

FIELDS = {"net": "network", "loss": "loss", "data": "dataset", "seed": "seed", "epochs": "epochs"}
"""The settings that a run of the results has as fields of their own, and what they are called there."""

_ONE_AT_A_TIME = threading.Lock()  # torch's random generator is one for all threads of a worker


@dataclass(frozen=True)
class Outcome:
    """How a run ended: it is complete now, it was before, or it failed, and why."""

    run: str
    status: Literal["done", "complete before", "failed"]
    reason: str = ""


def folder_name(settings: Settings) -> str:
    """NET-LOSS-DATA[-augmented][-imbalanceR][-decayD][-blurringMU]-Eepochs-seedS: experiments can share a folder."""
    loss = settings.loss.replace(":", ".")
    extras = ["augmented"] if settings.augment else []
    extras += [f"imbalance{settings.imbalance:g}"] if settings.imbalance != 1 else []
    extras += [f"decay{settings.lr_decay:g}"] if settings.lr_decay != LR_DECAY else []
    extras += [f"blurring{settings.blurring:g}"] if settings.blurring else []
    return "-".join([settings.net, loss, settings.data, *extras, f"{settings.epochs}epochs", f"seed{settings.seed}"])


def finished(settings: Settings, out: Path) -> bool:
    """Whether the folder of the run holds its result, readable by this version, for these settings."""
    try:
        [run] = load_results(out / folder_name(settings) / RESULT, validate=False).runs
    except (ResultsError, ValueError):
        return False
    return is_of(run, settings)


def is_of(run: Run, settings: Settings) -> bool:
    """Whether a results file's run was made with these settings."""
    from softmax_trick.training.settings import Settings

    try:
        return Settings(**run.settings, **{old: getattr(run, new) for old, new in FIELDS.items()}) == settings
    except TypeError:
        return False


def put_down(run: Run, settings: Settings, out: Path) -> None:
    """The folder of a run that was made elsewhere, as far as a sweep and a report look at it.

    Raises:
        TrainingError: it cannot be written.
    """
    from softmax_trick.training.folder import CONFIG, RunFolder

    folder = RunFolder(out / folder_name(settings))
    config = {"settings": asdict(settings), "workers": run.workers}
    folder.write(CONFIG, json.dumps(config, indent=2).encode() + b"\n")
    folder.write(RESULT, write_results([run]).encode())


def run_one(settings: Settings, out: Path, data_dir: Path | None, workers: int, threads: int) -> Outcome:
    """Bring one run to its end, from wherever it stands; a failure is an outcome, too.

    A folder that is damaged is set aside under another name, and the run is repeated.

    Args:
        settings: of the run.
        out: where its folder lies, or is to lie.
        data_dir: where the data lie; None for the usual places.
        workers: how many runs can go on at the same time; kept with the result.
        threads: of torch.
    """
    name = folder_name(settings)
    if finished(settings, out):
        return Outcome(name, "complete before")
    prepare_process()
    with _ONE_AT_A_TIME:
        return _attempt(settings, out / name, data_dir, workers, threads)


def run_trial(trial: TrialRun, out: Path, data_dir: Path | None, workers: int, threads: int) -> Outcome:
    """Make one trial of a study; a failure is an outcome, too. The arguments are those of `run_one`."""
    if trial.finished(out):
        return Outcome(trial.folder_name, "complete before")
    prepare_process()
    with _ONE_AT_A_TIME:
        import torch

        from softmax_trick.training.loop import make_reproducible

        torch.set_num_threads(threads)
        make_reproducible()
        try:
            trial.make(out, data_dir)
        except (TrainingError, MissingExtra, OSError, ValueError) as error:
            return Outcome(trial.folder_name, "failed", str(error))
    return Outcome(trial.folder_name, "done")


def _attempt(settings: Settings, path: Path, data_dir: Path | None, workers: int, threads: int) -> Outcome:
    import torch

    from softmax_trick.training.folder import RunFolder
    from softmax_trick.training.loop import environment, make_reproducible, train

    torch.set_num_threads(threads)
    make_reproducible()
    folder = RunFolder(path)
    try:
        data = _load(settings.data, data_dir)
        details = {"data_reason": data.reason, "environment": environment()}
        if folder.path.exists():
            with folder.alone():
                _set_aside_if_damaged(folder, settings)
        with folder.alone():
            folder.claim(asdict(settings), details, resume=True)
            _keep_most_workers(folder, workers)
            metrics = train(settings, data, folder, progress=False)
            folder.write(RESULT, write_results([_run(settings, data, folder, metrics)]).encode())
    except (TrainingError, MissingExtra, OSError) as error:
        return Outcome(path.name, "failed", str(error))
    return Outcome(path.name, "done")


@cache
def _load(name: str, data_dir: Path | None) -> DataSet:
    """The data set, read once by each worker."""
    from softmax_trick.training.data import load

    return load(name, data_dir)


def _set_aside_if_damaged(folder: RunFolder, settings: Settings) -> None:
    """Rename a folder that cannot be resumed, to a name that is free; the run then begins anew."""
    try:
        sound = folder.config is not None or not any(folder.path.iterdir())
        if sound and folder.complete(settings) is None:
            folder.restore({})
        if sound and folder.has_predictions:
            folder.predictions  # noqa: B018, it raises if they are damaged
    except TrainingError:
        sound = False
    if sound:
        return
    aside = f"{folder.path.name}{DAMAGED}"
    copies = len(list(folder.path.parent.glob(f"{aside}*")))
    folder.path.rename(folder.path.with_name(f"{aside}{copies + 1}"))


def _keep_most_workers(folder: RunFolder, workers: int) -> None:
    """config.json says with how many workers a run was made, at most: what it says of time depends on that."""
    config = folder.config or {}
    if config.get("workers", 0) < workers:
        folder.write("config.json", json.dumps(config | {"workers": workers}, indent=2).encode() + b"\n")


def _run(settings: Settings, data: DataSet, folder: RunFolder, metrics: Sequence[dict[str, Any]]) -> Run:
    """What is kept of a run that is complete."""
    from softmax_trick.training.folder import PREDICTIONS

    predicted = folder.predictions
    if predicted.shape != data.test.labels.shape or not ((predicted >= 0) & (predicted < data.test.classes)).all():
        raise TrainingError(f"{folder.path / PREDICTIONS} is not of these test images: remove it, and run again")
    wrong = (predicted != data.test.labels).nonzero()[0]
    others = asdict(settings)
    if not settings.blurring:  # as in results from before there was one: runs without it can be compared
        del others["blurring"]
    named = {new: others.pop(old) for old, new in FIELDS.items()}
    return Run(
        **named,
        **_curves(metrics, settings.loss),
        correct=len(predicted) - len(wrong),
        test_images=len(predicted),
        tau=_tau(metrics),
        workers=(folder.config or {})["workers"],
        settings=others,
        wrong=tuple((int(image), int(predicted[image])) for image in wrong),
    )


def _tau(metrics: Sequence[dict[str, Any]]) -> float | None:
    """The share of backpropagation over all epochs, percent, where the phases were timed."""
    seconds = [record["seconds"] for record in metrics]
    if not all(seconds):
        return None
    backward, forward = (sum(epoch[phase] for epoch in seconds) for phase in ("backward", "forward"))
    return float(100 * backward / (backward + forward))


def _curves(metrics: Sequence[dict[str, Any]], loss: str) -> dict[str, Any]:
    """The curves as the paper draws them: of ISBE the squared error, of cross-entropy the loss itself."""
    drawn = "squared_error" if loss.removeprefix("implicit-") in NORMALIZERS else "loss"
    curves = {}
    for split in ("train", "validation", "test"):
        for kind, key in (("loss", drawn), ("accuracy", "accuracy")):
            curves[f"{split}_{kind}"] = tuple(record[split][key] for record in metrics if key in record[split])
    return curves
