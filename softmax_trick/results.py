"""Our own experiments, as a results file keeps them: what the measured claims of the ledger are held against.

A results file is JSON in the shape of softmax_trick/report/results.schema.json: the version that made it, and one entry
a training run. The paper gives one figure for each setting, from one run; a figure of the paper agrees with ours if it
lies in the 95 % prediction interval for one further run like ours (Student's t, the runs differing by their seeds).
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import softmax_trick
from softmax_trick.claims import Figure

CONFIDENCE = 0.95


class ResultsError(ValueError):
    """A results file that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        network: n0, n1, n1r or vgg16.
        loss: ce-mean, ce-none, ce-sum, softmax, sigmoid, tanh, hardtanh or hardsigmoid.
        dataset: mnist, fashion-mnist or cifar10.
        seed: of the random generators.
        epochs: how many were trained.
        correct: test images classified correctly by the final parameters.
        test_images: how many there are.
        tau: the share of backpropagation in the time of inference and backpropagation, percent (equation (7)).
        train_loss: the loss on the training data after each epoch.
        test_loss: the loss on the test data after each epoch.
        test_accuracy: the success rate after each epoch, percent (equation (8)).
    """

    network: str
    loss: str
    dataset: str
    seed: int
    epochs: int
    correct: int
    test_images: int
    tau: float | None = None
    train_loss: tuple[float, ...] = ()
    test_loss: tuple[float, ...] = ()
    test_accuracy: tuple[float, ...] = ()

    @property
    def accuracy(self) -> float:
        """The success rate of the final parameters, percent (equation (8))."""
        return 100 * self.correct / self.test_images


@dataclass(frozen=True)
class Results:
    """Training runs, and the name of the file that they come from."""

    source: str
    runs: tuple[Run, ...]

    def of(self, network: str, loss: str, dataset: str = "mnist") -> list[Run]:
        """The runs of one setting, one a seed."""
        return [run for run in self.runs if (run.network, run.loss, run.dataset) == (network, loss, dataset)]


def load_results(path: Path) -> Results:
    """Read a results file.

    Raises:
        ResultsError: it cannot be read, does not fit the schema, or was made by another version.
    """
    import jsonschema

    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsError(f"cannot read the results file {path}: {error.strerror}") from error
    except ValueError as error:
        raise ResultsError(f"the results file {path} is not JSON: {error}") from error
    schema = json.loads(files("softmax_trick.report").joinpath("results.schema.json").read_text(encoding="utf-8"))
    misfit = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(entries))
    if misfit:
        place = "".join(f"[{part!r}]" for part in misfit.absolute_path) or "its top"
        raise ResultsError(f"the results file {path} does not fit its schema: at {place}: {misfit.message}")
    if entries["version"] != softmax_trick.__version__:
        made, now = entries["version"], softmax_trick.__version__
        raise ResultsError(f"the results file {path} was made by softmax-trick {made}, this is {now}: run it again")
    runs = [Run(**{name: _frozen(value) for name, value in run.items()}) for run in entries["runs"]]
    return Results(path.name, tuple(runs))


def beside(name: str, paper: float | None, values: Sequence[float], unit: str = "%") -> Figure:
    """The mean of our values beside the paper's figure, with its confidence interval and the test of the paper's.

    With a single value there is neither interval nor test.
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Figure(name, mean, unit, paper, runs=len(values))
    from scipy.stats import t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    deviation = statistics.stdev(values)
    half = quantile * deviation / math.sqrt(len(values))
    agrees = None if paper is None else abs(paper - mean) <= quantile * deviation * math.sqrt(1 + 1 / len(values))
    return Figure(name, mean, unit, paper, mean - half, mean + half, len(values), agrees)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
