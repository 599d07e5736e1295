"""What the studies of the neighbouring works measured, as their results files keep it.

A study sets methods, its arms, beside each other under circumstances that they share, its groups. A trial is one group
with one seed: every arm on the same data from the same draw. A results file is JSON in the shape of
`trials.schema.json`, and can be read again by any later version that knows that shape.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import softmax_trick
from softmax_trick.measurements.results import DIGITS, MOST_SHOWN, ResultsError
from softmax_trick.system.files import parse_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA = 1
"""The number of the shape of these files."""

Values = Mapping[str, Mapping[str, float]]
Curves = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class Picture:
    """Grey levels 0..255 of shape (height, width), row by row."""

    height: int
    width: int
    levels: bytes

    @classmethod
    def of(cls, array: NDArray[np.floating[Any]]) -> Picture:
        """A matrix, its least entry black and its largest white."""
        import numpy as np

        low, high = float(array.min()), float(array.max())
        scaled = (array - low) / (high - low or 1.0)
        height, width = array.shape
        return cls(height, width, np.round(255 * scaled).astype(np.uint8).tobytes())

    @property
    def array(self) -> NDArray[np.uint8]:
        """The matrix of its levels."""
        import numpy as np

        return np.frombuffer(self.levels, np.uint8).reshape(self.height, self.width)


@dataclass(frozen=True)
class Trial:
    """What one trial measured.

    Attributes:
        study: its name.
        group: what the arms have in common, in words.
        seed: of everything random.
        protocol: what was trained on what, and how: whatever can decide a verdict.
        values: for each arm its quantities. One that has no value, such as the accuracy of what diverged, is left out.
        curves: for each arm its quantities after each step, epoch or task.
        pictures: what is shown in the report.
    """

    study: str
    group: str
    seed: int
    protocol: Mapping[str, bool | float | str]
    values: Values
    curves: Curves = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)


def write_trials(trials: Sequence[Trial]) -> str:
    """The text of a results file, one trial a line.

    Raises:
        ValueError: a value is infinite or not a number.
    """
    head = f'{{"schema": {SCHEMA}, "version": {json.dumps(softmax_trick.__version__)}, "trials": ['
    return head + ",".join("\n" + json.dumps(_entry(trial), allow_nan=False) for trial in trials) + "\n]}\n"


def holds_trials(path: Path) -> bool:
    """Whether the file holds trials of a study, and not training runs; False where it cannot be read."""
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "trials" in content


def load_trials(*paths: Path) -> tuple[Trial, ...]:
    """Read results files; a trial that several of them hold counts once.

    Raises:
        ResultsError: one cannot be read, does not fit the schema, or is of another schema.
    """
    found: dict[tuple[str, str, int], Trial] = {}
    for path in paths:
        here: dict[tuple[str, str, int], Trial] = {}
        for trial in _trials(path):
            if here.setdefault((trial.study, trial.group, trial.seed), trial) != trial:
                what = f"{trial.study}, {trial.group}, seed {trial.seed}"
                raise ResultsError(f"the results file {path} contradicts itself: it has two trials of {what}")
        found |= {key: trial for key, trial in here.items() if key not in found}
    return tuple(found.values())


def _trials(path: Path) -> list[Trial]:
    try:
        content = parse_json(path.read_bytes())
    except OSError as error:
        raise ResultsError(f"cannot read the results file {path}: {error.strerror}") from error
    except ValueError as error:
        raise ResultsError(f"the results file {path} is not JSON: {error}") from error
    if isinstance(content, dict) and content.get("schema", SCHEMA) != SCHEMA:
        raise ResultsError(
            f"the results file {path} has schema {str(content['schema'])[:MOST_SHOWN]}, this version reads {SCHEMA}: "
            "run softmax-trick sweep into its folder again"
        )
    if misfit := next(iter(_validator().iter_errors(content)), None):
        place = "".join(f"[{part!r}]" for part in misfit.absolute_path) or "its top"
        raise ResultsError(
            f"the results file {path} does not fit its schema: at {place}: {misfit.message[:MOST_SHOWN]}"
        )
    try:
        return [_trial(entry) for entry in content["trials"]]
    except ValueError as error:
        raise ResultsError(f"the results file {path} does not fit its schema: {error}") from error


def _trial(entry: Mapping[str, Any]) -> Trial:
    for name in _names(entry):
        if not name.isprintable():
            raise ValueError(f"{name!r} has characters that cannot be printed")
    pictures = {name: _picture(name, one) for name, one in entry.get("pictures", {}).items()}
    return Trial(**{**entry, "pictures": pictures})


def _names(entry: Any) -> list[str]:
    """All texts in an entry, keys too: they are shown on terminals and pages."""
    if isinstance(entry, str):
        return [entry]
    if isinstance(entry, dict):
        return [name for pair in entry.items() for one in pair for name in _names(one)]
    return []


def _picture(name: str, entry: Mapping[str, Any]) -> Picture:
    try:
        levels = base64.b64decode(entry["levels"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"the picture {name!r} is not in base64") from error
    if len(levels) != entry["height"] * entry["width"]:
        raise ValueError(f"the picture {name!r} has {len(levels)} pixels, not {entry['height']} x {entry['width']}")
    return Picture(entry["height"], entry["width"], levels)


def _entry(trial: Trial) -> dict[str, Any]:
    entry = {name: _rounded(value) for name, value in asdict(trial).items() if value}
    return {"study": trial.study, "group": trial.group, "seed": trial.seed, "protocol": {}, "values": {}, **entry}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    return list(map(_rounded, value)) if isinstance(value, list | tuple) else value


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(files("softmax_trick.measurements").joinpath("trials.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)
