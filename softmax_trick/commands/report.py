"""`softmax-trick report`: the runs of a sweep beside the paper's tables and figures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, check_outputs, width_of, write
from softmax_trick.system.files import printable
from softmax_trick.system.terminal import complain


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    report = commands.add_parser(
        "report",
        help="set the runs of a sweep beside the paper's tables and figures",
        description="The paper's tables and figures of training, from runs of one's own: the paper's figures beside "
        "ours, intervals over seeds, paired tests, and on how many test images two models differ.",
        epilog="A folder is that of a sweep, complete or not, or holds results files, of runs or of studies. Exit "
        "status: 0 if there is a report; 1 if something could not be written; 2 for wrong usage.",
    )
    sources = report.add_argument("sources", nargs="+", metavar="DIR", type=Path, help="folders, or results files")
    sources.complete = FILES
    page = report.add_argument("--html", metavar="FILE", help="write it as one page, with charts; - is standard output")
    plain = report.add_argument("--json", metavar="FILE", help="write all figures as JSON; - is standard output")
    page.complete = plain.complete = FILES
    report.set_defaults(run=run, if_interrupted="")


def run(options: argparse.Namespace) -> int:
    """Read everything, then do it; returns the exit status."""
    from rich.console import Console

    from softmax_trick.experiments.analysis import analyse
    from softmax_trick.experiments.sources import find
    from softmax_trick.measurements.results import ResultsError, load_results
    from softmax_trick.report.console import show
    from softmax_trick.report.experiments_page import experiments_page
    from softmax_trick.report.experiments_tables import in_full

    outputs = {name: vars(options)[name] for name in ("html", "json") if vars(options)[name]}
    check_outputs(outputs.values())
    if files := _of_studies(options.sources):
        return _report_studies(files, outputs, options.sources)
    try:
        found = find(options.sources)
        results = replace(load_results(*found.files), source=printable(", ".join(map(str, options.sources))))
        if not results.runs:
            raise ResultsError(f"nothing to report in {results.source}: no run is complete")
        analysis = analyse(results)
        rendered = {
            file: experiments_page(analysis) if kind == "html" else json.dumps(analysis.as_json(), indent=2) + "\n"
            for kind, file in outputs.items()
        }
    except ResultsError as error:
        raise WrongUsage(str(error)) from error
    if found.unfinished:
        complain(f"softmax-trick: not complete and left out: {found.unfinished} runs")
    written = [write(text, file) for file, text in rendered.items()]
    show(Console(width=width_of(sys.stdout), stderr="-" in outputs.values()), in_full(analysis))
    return OK if all(written) else DIFFERENT


def _of_studies(sources: Sequence[Path]) -> list[Path]:
    """The files of studies that are meant, where all that is meant are such files."""
    from softmax_trick.measurements.trials import holds_trials

    files = [file for place in sources for file in ([place] if place.is_file() else sorted(place.glob("*.json")))]
    of_studies = [file for file in files if holds_trials(file)]
    if of_studies and len(of_studies) < len(files):
        other = next(file for file in files if file not in of_studies)
        raise WrongUsage(
            f"{of_studies[0]} holds trials of a study and {other} does not: report them one after the other"
        )
    return of_studies


def _report_studies(files: Sequence[Path], outputs: dict[str, str], sources: Sequence[Path]) -> int:
    from rich.console import Console

    from softmax_trick.experiments.studies import STUDIES
    from softmax_trick.measurements.results import ResultsError
    from softmax_trick.measurements.trials import load_trials, write_trials
    from softmax_trick.report.console import show
    from softmax_trick.report.studies_page import study_page
    from softmax_trick.report.studies_tables import in_full
    from softmax_trick.system.extras import MissingExtra

    try:
        trials = load_trials(*files)
        if unknown := sorted({trial.study for trial in trials} - set(STUDIES)):
            raise WrongUsage(f"there is no study {unknown[0]!r}: this version has {', '.join(STUDIES)}")
        found = {study: [one for one in trials if one.study == name] for name, study in STUDIES.items()}
        found = {study: of for study, of in found.items() if of}
        source = printable(", ".join(map(str, sources)))
        rendered = {
            file: study_page(found, source) if kind == "html" else write_trials(trials)
            for kind, file in outputs.items()
        }
    except (ResultsError, MissingExtra) as error:
        raise WrongUsage(str(error)) from error
    written = [write(text, file) for file, text in rendered.items()]
    console = Console(width=width_of(sys.stdout), stderr="-" in outputs.values())
    for study, of in found.items():
        show(console, in_full(study, of))
    return OK if all(written) else DIFFERENT
