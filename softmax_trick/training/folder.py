"""The folder of a run, written so that a kill at any moment leaves a run that can be resumed.

    config.json     the settings of the run, the reason for its data set, and the environment in which it began
    metrics.jsonl   one line an epoch, see `softmax_trick.training.loop.train`
    checkpoint.pt   parameters, optimizer, schedule and epoch, after the last complete epoch
    predictions.npy the predicted class of each test image by the final parameters, int16, shape (n,); written last

Each file is replaced as a whole: the new one is written beside it under another name, and synced to the disk before it
takes the old one's name. The metrics of an epoch are written before its checkpoint, which says what epochs count.
Nothing is written before all that is there has been read. One process at a time works in a folder.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from softmax_trick.system.files import parse_json, printable, write_whole
from softmax_trick.training import TrainingError
from softmax_trick.training.settings import Settings

CONFIG, METRICS, CHECKPOINT, PREDICTIONS = "config.json", "metrics.jsonl", "checkpoint.pt", "predictions.npy"


class RunFolder:
    """A folder for one run; see the module.

    Args:
        path: the folder; it is made when something is written.
        writes: whether anything is: of several processes that make one run, one does so.

    Raises:
        TrainingError: a file is damaged or cannot be written, or the folder holds another run; the message says which.
        OSError: a file cannot be read.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        self.path, self.writes = path, writes

    @property
    def config(self) -> dict[str, Any] | None:
        """What config.json holds; None where there is none."""
        try:
            config = parse_json((self.path / CONFIG).read_bytes())
            settings = config["settings"]
            if not (type(settings["epochs"]) is int and isinstance(settings["data"], str)):
                raise ValueError("settings of the wrong type")
            if type(config.get("workers", 0)) is not int:
                raise ValueError("workers of the wrong type")
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise TrainingError(f"{self.path / CONFIG} is damaged ({error}): choose another --out") from error
        return dict(config)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the folder, which is made if need be, for this process alone; the system ends that with the process.

        Where the file system or the operating system has no such locks, there is none.
        """
        if not self.writes:
            yield
            return
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            place = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise TrainingError(
                f"{self.path} is no folder to work in ({error.strerror}): choose another --out"
            ) from error
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(place)
            raise TrainingError(
                f"another process is at work in {self.path}: wait until it has ended, or choose another --out"
            ) from error
        except OSError:
            pass
        try:
            yield
        finally:
            os.close(place)

    def claim(self, settings: Mapping[str, Any], details: Mapping[str, Any], resume: bool) -> None:
        """Take the folder for a run: a fresh folder, or for `resume` also one with the same settings.

        The epochs may grow. The details of a run are those of its beginning.
        """
        config = self.config
        if config is None:
            if found := [name for name in (METRICS, CHECKPOINT) if (self.path / name).exists()]:
                raise TrainingError(f"{self.path} holds {found[0]} but no {CONFIG}: choose another --out")
            config = dict(details)
        elif differences := _differences({"blurring": 0.0, **config["settings"]}, settings):
            raise TrainingError(f"{self.path} holds another run ({', '.join(differences)}): choose another --out")
        elif not resume:
            raise TrainingError(f"{self.path} already holds this run: add --resume to go on, or choose another --out")
        self._remove_leftovers()
        self.write(CONFIG, json.dumps(config | {"settings": dict(settings)}, indent=2).encode() + b"\n")

    def save(self, parts: Mapping[str, Any], metrics: list[dict[str, Any]]) -> None:
        """Write the metrics of all epochs, then the state of the parts after the last of them."""
        self.write_lines(METRICS, metrics)
        content = io.BytesIO()
        torch.save({"epoch": len(metrics)} | {name: part.state_dict() for name, part in parts.items()}, content)
        self.write(CHECKPOINT, content.getvalue())

    def restore(self, parts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Load the last checkpoint, if there is one, into the parts; the metrics of its epochs. Nothing is written.

        Metrics of a further epoch are those of one that a kill has interrupted. Metrics of several epochs, or the
        predictions, without a checkpoint are those of a run whose checkpoint has been lost.

        A part is anything with `state_dict` and `load_state_dict`: the network, the optimizer, the schedule.
        """
        place = self.path / CHECKPOINT
        if not place.exists():
            epochs = self._lines()
            if len(epochs) > 1 or (epochs and self.has_predictions):
                raise TrainingError(
                    f"{self.path} has the metrics of {len(epochs)} epochs and no {CHECKPOINT} to go on from: put it "
                    "back, or choose another --out"
                )
            return []
        try:
            # torch does not look at the checksums that it writes, and writes nothing that unpacks to more.
            with ZipFile(place) as archive:
                if any(member.compress_type != ZIP_STORED for member in archive.infolist()):
                    raise ValueError(f"{CHECKPOINT} is compressed, which no checkpoint is")
                if damaged := archive.testzip():
                    raise ValueError(f"{damaged} in {CHECKPOINT} does not have its checksum")
            checkpoint = torch.load(place, map_location="cpu", weights_only=True)
            epoch = checkpoint["epoch"]
            if type(epoch) is not int or epoch < 1:
                raise ValueError(f"{CHECKPOINT} is of epoch {epoch!r}")
            if len(self._lines()) < epoch:
                raise ValueError(f"{METRICS} lacks epochs that {CHECKPOINT} has")
            metrics = self.metrics(epoch)
            for name, part in parts.items():
                part.load_state_dict(checkpoint[name])
        except (OSError, TrainingError):
            raise
        except Exception as error:  # what damaged bytes make the readers raise has no end
            reason = printable(str(error).partition("\n")[0])
            raise TrainingError(f"the run in {self.path} is damaged ({reason}): choose another --out") from error
        return metrics

    def metrics(self, epochs: int) -> list[dict[str, Any]]:
        """The records of so many epochs, from the first on."""
        try:
            records = [parse_json(line) for line in self._lines()[:epochs]]
            for number, record in enumerate(records, start=1):
                _check_record(record, number)
        except ValueError as error:
            raise TrainingError(
                f"the run in {self.path} is damaged ({METRICS}: {printable(str(error))}): choose another --out"
            ) from error
        return records

    def _lines(self) -> list[bytes]:
        try:
            return (self.path / METRICS).read_bytes().splitlines()
        except FileNotFoundError:
            return []

    def write(self, name: str, content: bytes) -> None:
        """Put the content into the file of that name, all of it or, on any failure, none."""
        if not self.writes:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_whole(self.path / name, content, synced=True)
        except OSError as error:
            raise TrainingError(
                f"{self.path / name} cannot be written ({error.strerror}), what it held before is kept: "
                "make room or choose another --out, and run again with --resume"
            ) from error

    def write_lines(self, name: str, records: list[dict[str, Any]]) -> None:
        """`write` the records as JSON, one a line."""
        self.write(name, "".join(json.dumps(record) + "\n" for record in records).encode())

    def finished(self, settings: Settings) -> bool:
        """Whether the run with these settings is complete here: all its epochs, and the predictions."""
        config = self.config
        if config is None or config["settings"] != asdict(settings):
            return False
        return len(self._lines()) == settings.epochs and self.has_predictions

    def complete(self, settings: Settings) -> list[dict[str, Any]] | None:
        """The metrics of the run with these settings, if it is complete here; its checkpoint may be gone."""
        if not self.finished(settings):
            return None
        metrics = self.restore({}) if (self.path / CHECKPOINT).exists() else self.metrics(settings.epochs)
        return metrics if len(metrics) == settings.epochs else None

    @property
    def has_predictions(self) -> bool:
        """Whether the predictions have been written; they are the last thing that a run writes."""
        return (self.path / PREDICTIONS).is_file()

    @property
    def predictions(self) -> NDArray[np.int16]:
        """The predicted class of each test image, shape (n,).

        Raises:
            TrainingError: the file is damaged.
        """
        try:
            classes: NDArray[np.int16] = np.load(self.path / PREDICTIONS, allow_pickle=False)
            if not (isinstance(classes, np.ndarray) and classes.dtype == np.int16 and classes.ndim == 1):
                raise ValueError("it holds something else")
        except (ValueError, EOFError, MemoryError, RecursionError) as error:
            reason = printable(str(error).partition("\n")[0])
            raise TrainingError(
                f"{self.path / PREDICTIONS} is damaged ({reason}): remove it, and run again with --resume"
            ) from error
        return classes

    def save_predictions(self, classes: NDArray[np.int16]) -> None:
        """Write the predicted class of each test image."""
        content = io.BytesIO()
        np.save(content, classes, allow_pickle=False)
        self.write(PREDICTIONS, content.getvalue())

    def remove_predictions(self) -> None:
        """Those of a run that is going on are out of date."""
        if self.writes:
            (self.path / PREDICTIONS).unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """A killed process leaves the file that it was writing."""
        for name in (CONFIG, METRICS, CHECKPOINT, PREDICTIONS):
            for leftover in self.path.glob(f"{name}.*.tmp"):
                leftover.unlink(missing_ok=True)


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The settings that differ, each as `key: value there, not value here`; the epochs may be more here."""
    return [
        f"{key}: {there.get(key)} there, {here.get(key)} here"
        for key in {**there, **here}
        if there.get(key) != here.get(key) and not (key == "epochs" and there[key] < here[key])
    ]


def _check_record(record: Any, number: int) -> None:
    """Refuse what is no record of that epoch, as `softmax_trick.training.loop.train` makes them."""
    wrong = f"line {number} is not the record of epoch {number}"
    if not isinstance(record, dict) or type(record.get("epoch")) is not int or record["epoch"] != number:
        raise ValueError(wrong)
    if not isinstance(record.get("environment"), str) or not isinstance(record.get("seconds"), dict):
        raise ValueError(f"{wrong}: it has no environment, or no seconds")
    for split in ("train", "validation", "test"):
        if not isinstance(record.get(split), dict) or not _is_number(record[split].get("accuracy")):
            raise ValueError(f"{wrong}: it has no accuracy for {split}")
        if not all(value is None or _is_number(value) for value in record[split].values()):
            raise ValueError(f"{wrong}: {split} has something else than numbers")
    for phase in ("forward", "backward"):
        if not _is_number(record["seconds"].get(phase)) or record["seconds"][phase] <= 0:
            raise ValueError(f"{wrong}: it has no time of {phase}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
