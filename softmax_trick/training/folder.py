"""The folder of a run, written so that a kill at any moment leaves a run that can be resumed.

    config.json     the settings of the run, the reason for its data set, and the environment in which it began
    metrics.jsonl   one line an epoch, see `softmax_trick.training.loop.train`
    checkpoint.pt   parameters, optimizer, schedule and epoch, after the last complete epoch
    predictions.npy the predicted class of each test image by the final parameters, int16, shape (n,); written last

Each file is replaced as a whole: the new one is written beside it under another name, and synced to the disk before it
takes the old one's name. The metrics of an epoch are written before its checkpoint, which says what epochs count.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from softmax_trick.training import TrainingError

if TYPE_CHECKING:
    from softmax_trick.training.loop import Settings

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
            config: dict[str, Any] = json.loads((self.path / CONFIG).read_bytes())
            settings = config["settings"]
            if not (isinstance(settings["epochs"], int) and isinstance(settings["data"], str)):
                raise ValueError("settings of the wrong type")
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError) as error:
            raise TrainingError(f"{self.path / CONFIG} is damaged ({error}): choose another --out") from error
        return config

    def claim(self, settings: Mapping[str, Any], details: Mapping[str, Any], resume: bool) -> None:
        """Take the folder for a run: a fresh folder, or for `resume` also one with the same settings.

        The epochs may grow. The details of a run are those of its beginning.
        """
        config = self.config
        if config is None:
            if found := [name for name in (METRICS, CHECKPOINT) if (self.path / name).exists()]:
                raise TrainingError(f"{self.path} holds {found[0]} but no {CONFIG}: choose another --out")
            config = dict(details)
        elif differences := _differences(config["settings"], settings):
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
        """Load the last checkpoint, if there is one, into the parts; the metrics of its epochs. Later ones are cut off.

        A part is anything with `state_dict` and `load_state_dict`: the network, the optimizer, the schedule.
        """
        metrics: list[dict[str, Any]] = []
        if (self.path / CHECKPOINT).exists():
            try:
                # torch does not look at the checksums that it writes.
                with ZipFile(self.path / CHECKPOINT) as archive:
                    if damaged := archive.testzip():
                        raise ValueError(f"{damaged} in {CHECKPOINT} does not have its checksum")
                checkpoint = torch.load(self.path / CHECKPOINT, map_location="cpu", weights_only=True)
                lines = (self.path / METRICS).read_bytes().splitlines()
                metrics = [json.loads(line) for line in lines[: checkpoint["epoch"]]]
                if [record["epoch"] for record in metrics] != list(range(1, checkpoint["epoch"] + 1)):
                    raise ValueError(f"{METRICS} lacks epochs that {CHECKPOINT} has")
                for name, part in parts.items():
                    part.load_state_dict(checkpoint[name])
            except OSError:
                raise
            except Exception as error:  # what damaged bytes make the readers raise has no end
                reason = str(error).partition("\n")[0]
                raise TrainingError(f"the run in {self.path} is damaged ({reason}): choose another --out") from error
        if (self.path / METRICS).exists():
            self.write_lines(METRICS, metrics)
        return metrics

    def write(self, name: str, content: bytes) -> None:
        """Put the content into the file of that name, all of it or, on any failure, none."""
        if not self.writes:
            return
        # The process number keeps two runs in one folder from writing into each other's files.
        beside = self.path / f"{name}.{os.getpid()}.tmp"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path / name)
        except OSError as error:
            raise TrainingError(
                f"{self.path / name} cannot be written ({error.strerror}), what it held before is kept: "
                "make room or choose another --out, and run again with --resume"
            ) from error
        finally:
            beside.unlink(missing_ok=True)

    def write_lines(self, name: str, records: list[dict[str, Any]]) -> None:
        """`write` the records as JSON, one a line."""
        self.write(name, "".join(json.dumps(record) + "\n" for record in records).encode())

    def finished(self, settings: Settings) -> bool:
        """Whether the run with these settings is complete here: all its epochs, and the predictions."""
        config = self.config
        if config is None or config["settings"] != asdict(settings) or not (self.path / METRICS).is_file():
            return False
        return len((self.path / METRICS).read_bytes().splitlines()) == settings.epochs and self.has_predictions

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
        except (ValueError, EOFError) as error:
            reason = str(error).partition("\n")[0]
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
