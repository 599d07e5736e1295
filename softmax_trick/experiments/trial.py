"""How one trial of a study is made and kept.

A trial is a group with a seed; it lies in a folder of its own, DIR/STUDY-GROUP-seedS, whose `result.json` is a results
file with this trial alone, written when it is complete. So a study that is interrupted loses the trials under way, a
minute or two each, and the same command goes on with the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softmax_trick.experiments.sources import RESULT
from softmax_trick.experiments.studies import STUDIES
from softmax_trick.experiments.study import Protocol, Study
from softmax_trick.measurements.results import ResultsError
from softmax_trick.measurements.trials import Trial, load_trials, write_trials
from softmax_trick.system.files import write_whole


@dataclass(frozen=True)
class TrialRun:
    """A trial to be made; with changes of the protocol of its group."""

    study: str
    group: str
    seed: int
    changes: tuple[tuple[str, bool | float], ...] = ()

    @property
    def folder_name(self) -> str:
        """STUDY-GROUP-seedS, the group without what file systems dislike."""
        return f"{self.study}-{re.sub(r'[^a-z0-9.]+', '-', self.group.lower()).strip('-')}-seed{self.seed}"

    @property
    def of(self) -> Study:
        """Its study."""
        return STUDIES[self.study]

    @property
    def protocol(self) -> Protocol:
        """That of its group, with the changes."""
        return {**self.of.protocol(self.group), **dict(self.changes)}

    def finished(self, out: Path) -> bool:
        """Whether its folder holds its result, readable by this version, by the protocol of this version."""
        try:
            [trial] = load_trials(out / self.folder_name / RESULT)
        except (ResultsError, ValueError):
            return False
        return self.is_of(trial)

    def is_of(self, trial: Trial) -> bool:
        """Whether a results file's trial is this one, by the protocol of this version."""
        same = (trial.study, trial.group, trial.seed) == (self.study, self.group, self.seed)
        return same and trial.protocol == as_kept(self.protocol)

    def make(self, out: Path, data_dir: Path | None) -> None:
        """Measure, and put down what came out.

        Raises:
            TrainingError: the data cannot be had or do not fit.
            OSError: the result cannot be written.
        """
        protocol = self.protocol
        measured = self.of.measure(protocol, self.seed, data_dir)
        values, curves, pictures = measured.values, measured.curves, measured.pictures
        self.put_down(Trial(self.study, self.group, self.seed, protocol, values, curves, pictures), out)

    def put_down(self, trial: Trial, out: Path) -> None:
        """The folder of the trial, with what came out.

        Raises:
            OSError: it cannot be written.
        """
        text = write_trials([trial])
        (out / self.folder_name).mkdir(parents=True, exist_ok=True)
        write_whole(out / self.folder_name / RESULT, text)


def trial_runs(study: Study, seeds: int, changes: Sequence[tuple[str, bool | float]] = ()) -> list[TrialRun]:
    """The trials, seed by seed, so that what is done first can be compared first."""
    return [TrialRun(study.name, group, seed, tuple(changes)) for seed in range(seeds) for group in study.groups]


def trials_in(out: Path, runs: Sequence[TrialRun]) -> list[Trial]:
    """Those that are complete in a study's folder.

    Raises:
        ResultsError: a result is damaged, or of another schema.
    """
    complete = [run for run in runs if run.finished(out)]
    return list(load_trials(*(out / run.folder_name / RESULT for run in complete)))


def as_kept(protocol: Protocol) -> dict[str, Any]:
    """The protocol as a file has it: numbers with six digits."""
    [entry] = json.loads(write_trials([Trial("", "", 0, protocol, {})]))["trials"]
    kept: dict[str, Any] = entry["protocol"]
    return kept
