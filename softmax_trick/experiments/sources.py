"""Where the runs of a report are: in the folders of sweeps, complete or not, or in results files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from softmax_trick.measurements.results import ResultsError

RESULT = "result.json"
"""In the folder of a run that is complete: a results file with this run alone."""


DAMAGED = ".damaged"
"""In the name of a folder that could not be resumed and was set aside."""


@dataclass(frozen=True)
class Sources:
    """Results files, and how many runs beside them are not complete."""

    files: tuple[Path, ...]
    unfinished: int


def find(places: Sequence[Path]) -> Sources:
    """The results files that are meant by these files and folders.

    In the folder of a sweep they are those of its runs, which are newer than its `results.json`; in any other folder
    all files whose name ends in .json.

    Raises:
        ResultsError: there is none in one of the places.
    """
    files: list[Path] = []
    unfinished = 0
    for place in places:
        runs = run_folders(place)
        complete = results_of(runs)
        unfinished += len(runs) - len(complete)
        here = [place] if place.is_file() else complete or sorted(place.glob("*.json"))
        if not here:
            reason = "it holds no runs and no results files"
            if runs:
                reason = f"none of its {len(runs)} runs has the {RESULT} that softmax-trick sweep writes at its end"
            raise ResultsError(f"nothing to report in {place}: {reason if place.exists() else 'it does not exist'}")
        files += here
    return Sources(tuple(files), unfinished)


def run_folders(place: Path) -> list[Path]:
    """The folders of the runs of a sweep; those that were set aside do not count."""
    configs = sorted(place.glob("*/config.json"))
    return [config.parent for config in configs if DAMAGED not in config.parent.name]


def results_of(runs: Sequence[Path]) -> list[Path]:
    """The results of those of the runs that are complete."""
    return [run / RESULT for run in runs if (run / RESULT).exists()]
