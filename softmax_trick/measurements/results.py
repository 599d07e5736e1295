"""Our own experiments, as a results file keeps them: what the measured claims of the ledger are held against.

A results file is JSON in the shape of `results.schema.json`: the number of that shape, the version of softmax-trick
that wrote it (for information), and one entry a training run. By which rule a statement is held against the runs is
said in `softmax_trick.measurements.statistics`.

The files that are committed in results/ are installed as `softmax_trick.results_data`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import softmax_trick
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.statistics import estimate
from softmax_trick.system.files import parse_json, printable

SCHEMA = 1
"""The number of the shape of results files; it grows when a file of the old shape can no longer be read as the new."""

LONG_ENOUGH = 30
"""Epochs that a run must have to be set beside the paper's success rates and curves, which settle "from about epoch 30"
(section 4.1.3)."""

NORMALIZE = "torch.nn.functional:normalize"
"""The loss of runs of ISBE with x / |x|, which is not among the trainer's own normalizers."""

DIGITS = 6  # significant digits of a curve's values in a file

Protocol = tuple[Any, ...]


class ResultsError(ValueError):
    """A results file that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        network: n0, n1, n1r, vgg16 or linear.
        loss: a loss of the trainer: ce-mean, ce-none, ce-sum, softmax, sigmoid, tanh, hardtanh, hardsigmoid, ...
        dataset: mnist, mnist-5k, fashion-mnist, cifar10, or the name of another.
        seed: of the random generators.
        epochs: how many were trained.
        correct: test images classified correctly by the final parameters.
        test_images: how many there are.
        tau: the share of backpropagation in the time of inference and backpropagation, percent (equation (7)).
        workers: how many runs could go on at the same time; a share of time is measured well by one alone.
        settings: the others of the settings that determine the run, such as lr, augment, imbalance and device.
        wrong: each test image that is classified wrongly, as its index and the class predicted; None if not kept.
        train_loss: after each epoch the loss on the training data, taken in passing. As the paper draws it: for
            cross-entropy the mean per example, for ISBE the squared error (1 / n) |Y - T|^2 (section 4.1.3).
        validation_loss: the same on the validation data, after the epoch.
        test_loss: the same on the test data, after the epoch.
        train_accuracy: the success rate in passing, percent (equation (8)).
        validation_accuracy: the same on the validation data, after the epoch.
        test_accuracy: the same on the test data, after the epoch.
    """

    network: str
    loss: str
    dataset: str
    seed: int
    epochs: int
    correct: int
    test_images: int
    tau: float | None = None
    workers: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    wrong: tuple[tuple[int, int], ...] | None = None
    train_loss: tuple[float, ...] = ()
    validation_loss: tuple[float, ...] = ()
    test_loss: tuple[float, ...] = ()
    train_accuracy: tuple[float, ...] = ()
    validation_accuracy: tuple[float, ...] = ()
    test_accuracy: tuple[float, ...] = ()

    @property
    def accuracy(self) -> float:
        """The success rate of the final parameters, percent (equation (8))."""
        return 100 * self.correct / self.test_images

    @property
    def protocol(self) -> Protocol:
        """The epochs and all other settings but network, loss, data and seed: what compared runs have in common."""
        return self.epochs, *sorted(self.settings.items())

    @property
    def balanced(self) -> bool:
        """Whether the training data are all of the data set, as in the paper, and not a long-tailed part of it."""
        return bool(self.settings.get("imbalance", 1) == 1)

    @property
    def timed_alone(self) -> bool:
        """Whether its share of time was measured, and no other run of its sweep could go on beside it."""
        return self.tau is not None and self.workers == 1


@dataclass(frozen=True)
class Results:
    """Training runs, the names of the files that they come from, and a digest of what those hold, if there are any."""

    source: str
    runs: tuple[Run, ...]
    digest: str = ""

    def of(self, network: str, loss: str, dataset: str = "mnist", least: int = LONG_ENOUGH) -> list[Run]:
        """The runs of one setting, one a seed.

        Where the network was trained on the data set by several protocols, those of the protocol with the most epochs
        count (then: with the most runs), whatever the loss, so that losses are compared under one protocol. Runs on
        long-tailed data do not count, nor do runs with less than the `least` number of epochs: they say nothing of
        networks that have been trained.
        """
        trained = [run for run in self.runs if run.balanced and run.epochs >= least]
        return self._of_one_protocol(trained, network, loss, dataset)

    def timed(self, network: str, loss: str, dataset: str = "mnist") -> list[Run]:
        """As `of`, from the runs that had their machine to themselves, however short: a share of time is no success."""
        alone = [run for run in self.runs if run.balanced and run.timed_alone]
        return self._of_one_protocol(alone, network, loss, dataset)

    @staticmethod
    def _of_one_protocol(runs: Iterable[Run], network: str, loss: str, dataset: str) -> list[Run]:
        there = [run for run in runs if (run.network, run.dataset) == (network, dataset)]
        counts = Counter(run.protocol for run in there)
        longest = max(counts, key=lambda protocol: (protocol[0], counts[protocol]), default=None)
        return [run for run in there if run.loss == loss and run.protocol == longest]


# --- files ------------------------------------------------------------------------------------------------------------


def load_results(*paths: Path, validate: bool = True) -> Results:
    """Read results files; a run that several of them hold counts once.

    Args:
        paths: the files.
        validate: whether they are held against the schema, which takes a second or two.

    Raises:
        ResultsError: one cannot be read, does not fit the schema, or is of another schema.
    """
    runs: dict[tuple[Any, ...], Run] = {}
    digest = hashlib.sha256()
    for path in paths:
        content = _content(path)
        digest.update(f"{path.name} {len(content)} ".encode() + content)
        here: dict[tuple[Any, ...], Run] = {}
        for run in _runs(path, content, validate):
            key = run.network, run.loss, run.dataset, run.seed, run.protocol
            if here.setdefault(key, run) != run:
                what = f"{run.network} with {run.loss} on {run.dataset}, seed {run.seed}"
                raise ResultsError(f"the results file {path} contradicts itself: it has two runs of {what}")
        runs |= {key: run for key, run in here.items() if key not in runs}
    return Results(printable(", ".join(path.name for path in paths)), tuple(runs.values()), digest.hexdigest())


def write_results(runs: Sequence[Run]) -> str:
    """The text of a results file, one run a line."""
    head = f'{{"schema": {SCHEMA}, "version": {json.dumps(softmax_trick.__version__)}, "runs": ['
    lines = [json.dumps(_entry(run), allow_nan=False) for run in runs]
    return head + ",".join("\n" + line for line in lines) + "\n]}\n"


def committed_results() -> Results | None:
    """The results files in the repository's results/, which are installed with the package; None if there are none.

    The tests hold them against the schema, so that it need not be done each time.

    Raises:
        ResultsError: one cannot be read, or is of another schema.
    """
    try:
        folder = Path(str(files("softmax_trick.results_data")))
    except ModuleNotFoundError:  # an installation from before the package held results
        return None
    paths = sorted(path for path in folder.glob("*.json") if path.name != "gpu.json")  # that has times of the kernel
    return load_results(*paths, validate=False) if paths else None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultsError(f"cannot read the results file {path}: {error.strerror}") from error


def _runs(path: Path, read: bytes, validate: bool) -> list[Run]:
    try:
        content = parse_json(read)
    except ValueError as error:
        raise ResultsError(f"the results file {path} is not JSON: {error}") from error
    if isinstance(content, dict) and "version" in content and content.get("schema") != SCHEMA:
        schema = str(content.get("schema", "0, which had no number"))[:MOST_SHOWN]
        made = f"by softmax-trick {str(content['version'])[:MOST_SHOWN]} with schema {schema}"
        raise ResultsError(
            f"the results file {path} was made {made}, this version reads schema {SCHEMA}: run softmax-trick sweep "
            "into its folder again, which writes it anew and trains only what is missing"
        )
    try:
        if validate:
            _check(content, path)
        return list(map(_run, content["runs"]))
    except ResultsError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ResultsError(f"the results file {path} does not fit its schema: {error}") from error


MOST_SHOWN = 200  # characters of what stands in a file, in a message about it


def _check(content: Any, path: Path) -> None:
    import jsonschema

    misfit = jsonschema.exceptions.best_match(_validator().iter_errors(content))
    if misfit:
        place = "".join(f"[{part!r}]" for part in misfit.absolute_path) or "its top"
        message = misfit.message if len(misfit.message) <= MOST_SHOWN else f"{misfit.message[:MOST_SHOWN]}..."
        raise ResultsError(f"the results file {path} does not fit its schema: at {place}: {message}")
    for number, run in enumerate(content["runs"]):
        for field_, fault in (("wrong", _fault_of_wrong(run)), *_faults_of_curves(run)):
            if fault:
                place = f"['runs'][{number}]['{field_}']"
                raise ResultsError(f"the results file {path} contradicts itself: at {place}: {fault}")


def _fault_of_wrong(run: Mapping[str, Any]) -> str:
    """What is wrong with the images of an entry that are counted as correct or listed as wrong, if anything is."""
    if run["correct"] > run["test_images"]:
        return f"{run['correct']} of {run['test_images']} images are correct"
    if "wrong" not in run:
        return ""
    pairs, images = run["wrong"], run["test_images"]
    if not all(isinstance(pair, list) and len(pair) == 2 and {int} == set(map(type, pair)) for pair in pairs):
        return "it does not hold pairs of whole numbers, the index of an image and a class"
    if any(not (0 <= image < images and predicted >= 0) for image, predicted in pairs):
        return f"there are {images} test images, with indices from 0, and classes from 0"
    if len({image for image, _ in pairs}) != len(pairs) or len(pairs) != images - run["correct"]:
        return f"{images - run['correct']} of {images} images are not correct, and {len(pairs)} are listed, each once"
    return ""


CURVES = tuple(f"{split}_{kind}" for split in ("train", "validation", "test") for kind in ("loss", "accuracy"))


def _faults_of_curves(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What does not fit the epochs, or the images that are counted as correct: how long a run was decides claims."""
    for name in CURVES:
        if len(curve := run.get(name, ())) not in (0, run["epochs"]):
            yield name, f"it has {len(curve)} values, and the run {run['epochs']} epochs"
    right = 100 * run["correct"] / run["test_images"]
    if (curve := run.get("test_accuracy")) and not math.isclose(curve[-1], right, rel_tol=10 ** (1 - DIGITS)):
        yield "test_accuracy", f"it ends at {curve[-1]:g} %, and {right:g} % of the images are correct"


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(files("softmax_trick.measurements").joinpath("results.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _run(entry: Mapping[str, Any]) -> Run:
    return Run(**{name: _frozen(value) for name, value in entry.items()})


def _entry(run: Run) -> dict[str, Any]:
    """The run as JSON has it; what is empty is left out."""
    return {name: _rounded(value) for name, value in asdict(run).items() if value not in (None, ())}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return list(map(_rounded, value)) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    """Lists as tuples; text is refused that is no name but has an effect on a terminal, or on a page."""
    if isinstance(value, str) and not value.isprintable():
        raise ValueError(f"{value!r} has characters that cannot be printed")
    if isinstance(value, dict):
        return {_frozen(key): _frozen(one) for key, one in value.items()}
    if isinstance(value, list):
        return tuple(value) if set(map(type, value)) <= {int, float} else tuple(map(_frozen, value))
    return value


# --- figures ----------------------------------------------------------------------------------------------------------


def beside(
    name: str,
    values: Sequence[float],
    allowed: tuple[float, float] | None = None,
    paper: float | None = None,
    unit: str = "%",
    tests: int = 1,
) -> Figure:
    """The mean of our values with its confidence interval, and whether it is where the statement allows it to be.

    Args:
        name: what was measured.
        values: one a seed.
        allowed: the range in which the mean has to lie; there is no test without one.
        paper: the figure that the paper prints.
        unit: of all of them.
        tests: the number of figures of which the statement consists.
    """
    found = estimate(values)
    agrees = found.lies_in(*allowed, tests) if allowed else None
    shown = found.interval()
    return Figure(name, found.mean, unit, paper, shown.low, shown.high, len(values), agrees)


def outcome(figures: Sequence[Figure], needed: int = 1) -> Literal["holds", "fails", "open"]:
    """What figures say of a statement that consists of so many of them: it fails if one does, holds if all do.

    What has not been measured, or is left open by its interval, speaks neither for the statement nor against it.
    """
    agreeing = [figure.agrees for figure in figures]
    if False in agreeing:
        return "fails"
    return "holds" if len(figures) >= needed and all(agreeing) else "open"
