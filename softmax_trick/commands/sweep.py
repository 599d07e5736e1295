"""`softmax-trick sweep`: an experiment of the paper run anew."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.arguments import count, decay_factor, share
from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, width_of
from softmax_trick.system.progress import progress_of
from softmax_trick.system.terminal import complain, say
from softmax_trick.training.settings import LR_DECAY

if TYPE_CHECKING:
    from softmax_trick.experiments.definitions import Experiment
    from softmax_trick.experiments.study import Study
    from softmax_trick.experiments.sweep import Task
    from softmax_trick.experiments.trial import TrialRun
    from softmax_trick.measurements.trials import Trial

SEEDS = 5
REPORT = "report.html"


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    sweep = commands.add_parser(
        "sweep",
        help="run an experiment of the paper anew, or a study of a neighbouring work",
        description="Train all runs of an experiment, or make all trials of a study, on processes of this machine or "
        "on a dask cluster. What is complete is skipped, what was interrupted goes on from its last epoch, so that the "
        "same command can be repeated until all is done. At the end DIR/results.json has what `softmax-trick report` "
        "and `softmax-trick verify --results` read; of a study also DIR/report.html.",
        epilog="A run's folder, below DIR, is that of `python -m softmax_trick.train`. Exit status: 0 if all runs are "
        "complete; 1 if one failed; 2 for wrong usage; 130 after Ctrl-C.",
    )
    sweep.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="its name, such as table3 (--list)")
    sweep.add_argument("--list", action="store_true", help="list the experiments; run nothing")
    sweep.add_argument("--seeds", type=count, metavar="S", help="seeds 0 to S - 1 (default: 5; of a study, as listed)")
    looks = "of a study: 3 seeds, then 5, then 8, until no statement is open"
    sweep.add_argument("--looks", action="store_true", help=looks)
    changed = "of a study: another number of its protocol, such as 'batch size=64'; repeat it for more"
    sweep.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=changed)
    jobs = "runs at a time (default: as many as there are cores; on a GPU, or for time shares, 1)"
    sweep.add_argument("--jobs", type=count, metavar="J", help=jobs)
    only = "train this network only; repeat it for more (default: all of the experiment)"
    sweep.add_argument("--net", action="append", metavar="NAME", help=only)
    sweep.add_argument("--epochs", type=count, metavar="N", help="train so many (default: as listed)")
    decay = f"the learning rate of an epoch is D times that of the epoch before (default: {LR_DECAY})"
    sweep.add_argument("--lr-decay", type=decay_factor, metavar="D", help=decay)
    sweep.add_argument("--blurring", type=share, metavar="MU", help="of the targets (section 3; default: 0)")
    sweep.add_argument("--data", metavar="NAME", help="train on these data, such as mnist-5k (default: as listed)")
    data_dir = sweep.add_argument("--data-dir", type=Path, metavar="DIR", help="where the data lie")
    devices = ("auto", "cpu", "cuda")
    sweep.add_argument("--device", default="auto", choices=devices, help="auto (default): cuda if there, else cpu")
    scheduler = "a running dask scheduler, such as tcp://host:8786; its workers must see --out under the same path"
    sweep.add_argument("--scheduler", metavar="ADDRESS", help=scheduler)
    there = "take the runs that this results file holds from it, where DIR has no folder of theirs; repeat it for more"
    taken = sweep.add_argument("--from", action="append", default=[], type=Path, metavar="FILE", help=there)
    out = sweep.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs (default: runs/EXPERIMENT)")
    data_dir.complete = taken.complete = out.complete = FILES
    sweep.set_defaults(run=run, if_interrupted="; complete epochs are kept: the same command goes on")


def run(options: argparse.Namespace) -> int:
    """Read everything, then do it; returns the exit status."""
    from rich.console import Console

    from softmax_trick.experiments.definitions import EXPERIMENTS
    from softmax_trick.experiments.studies import STUDIES
    from softmax_trick.report.console import show
    from softmax_trick.report.experiments_tables import list_of_experiments
    from softmax_trick.report.studies_tables import list_of_studies

    if options.list:
        show(Console(width=width_of(sys.stdout)), list_of_experiments(options.seeds or SEEDS))
        show(Console(width=width_of(sys.stdout)), list_of_studies(options.seeds))
        return OK
    name = options.experiment
    if name in STUDIES:
        return _measure(STUDIES[name], options)
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name or "", [*EXPERIMENTS, *STUDIES], n=2, cutoff=0.5)
        hint = f": did you mean {' or '.join(near)}?" if near else ""
        what = f"there is no experiment {name!r}{hint}" if name else "name an experiment, such as table3"
        raise WrongUsage(f"{what} (softmax-trick sweep --list shows all)")
    if options.looks or options.set:
        option, instead = ("--looks", "takes --seeds") if options.looks else ("--set", "has options of its own")
        raise WrongUsage(f"{option} is for the studies; {name} {instead}")
    return _train(EXPERIMENTS[name], options)


def _train(experiment: Experiment, options: argparse.Namespace) -> int:
    from softmax_trick.experiments.sweep import RESULTS, SweepError, collect, sweep
    from softmax_trick.measurements.results import ResultsError
    from softmax_trick.system.extras import MissingExtra
    from softmax_trick.training import TrainingError
    from softmax_trick.training.process import available_device

    out = options.out or Path("runs") / experiment.name
    try:
        device = available_device(options.device)
    except TrainingError as error:
        raise WrongUsage(str(error)) from error
    jobs = options.jobs or (1 if experiment.alone or device == "cuda" else os.cpu_count() or 1)
    others = {name: vars(options)[name] for name in ("lr_decay", "blurring") if vars(options)[name] is not None}
    try:
        runs = experiment.settings(options.seeds or SEEDS, device, options.epochs, options.data, options.net, **others)
    except ValueError as error:
        raise WrongUsage(f"--net: {error}") from error
    say(f"{experiment.name}, {experiment.title}: {len(runs)} runs of {runs[0].epochs} epochs, in {out}")
    try:
        _take(runs, out, options)
        with progress_of(experiment.name, len(runs) * runs[0].epochs, "epochs") as advance:

            def show_progress(epochs: int, complete: int) -> None:
                advance(f"{complete} runs complete", epochs)

            outcomes = sweep(runs, out, jobs, options.scheduler, options.data_dir, show_progress)
        for outcome in outcomes:
            if outcome.status == "failed":
                complain(f"softmax-trick: {outcome.run} failed: {outcome.reason}")
        ended = Counter(outcome.status for outcome in outcomes)
        kept = collect(out)
        say(f"{ended['done']} done, {ended['complete before']} complete before, {ended['failed']} failed")
    except (SweepError, TrainingError, MissingExtra) as error:
        raise WrongUsage(str(error)) from error
    except OSError as error:
        complain(f"softmax-trick: {error.filename or out} cannot be written ({error.strerror}): choose another --out")
        return DIFFERENT
    except ResultsError as error:
        complain(f"softmax-trick: {error}")
        return DIFFERENT
    except KeyboardInterrupt:
        with suppress(ResultsError, OSError):
            collect(out)
        raise
    if kept:
        say(f"{out / RESULTS}: {len(kept)} runs; softmax-trick report {out} shows what they say")
    return DIFFERENT if ended["failed"] else OK


def _measure(study: Study, options: argparse.Namespace) -> int:
    """All trials of a study, its results file, its report, and what the report says of the statements."""
    from rich.console import Console

    from softmax_trick.experiments.sweep import RESULTS, SweepError
    from softmax_trick.experiments.trial import trial_runs, trials_in
    from softmax_trick.measurements.findings import LOOKS, undecided
    from softmax_trick.measurements.results import ResultsError
    from softmax_trick.measurements.trials import write_trials
    from softmax_trick.report.console import show
    from softmax_trick.report.studies_page import study_page
    from softmax_trick.report.studies_tables import in_full
    from softmax_trick.system.extras import MissingExtra
    from softmax_trick.system.files import write_whole
    from softmax_trick.training import TrainingError

    for option in ("net", "epochs", "data", "lr_decay", "blurring"):
        if vars(options)[option] is not None:
            raise WrongUsage(
                f"--{option.replace('_', '-')} is not for a study: {study.name} says itself what it trains; --set "
                "changes numbers of that"
            )
    if options.looks and options.seeds:
        raise WrongUsage("--looks chooses the number of seeds: leave --seeds out")
    try:
        changes = [study.change(text) for text in options.set]
    except ValueError as error:
        raise WrongUsage(f"--set: {error}") from error
    out, failed = options.out or Path("runs") / study.name, 0
    trials: list[Trial] = []
    runs: Sequence[TrialRun] = ()
    try:
        for seeds in LOOKS if options.looks else (options.seeds or study.seeds,):
            runs = trial_runs(study, seeds, changes)
            _take(runs, out, options)
            failed = _trials(study, runs, out, options)
            trials = trials_in(out, runs)
            if failed or not undecided(study.statements, trials):
                break
        if not trials:
            return DIFFERENT
        write_whole(out / RESULTS, write_trials(trials))
        write_whole(out / REPORT, study_page({study: trials}, str(out)))
    except (SweepError, TrainingError, MissingExtra) as error:
        raise WrongUsage(str(error)) from error
    except OSError as error:
        complain(f"softmax-trick: {error.filename or out} cannot be written ({error.strerror}): choose another --out")
        return DIFFERENT
    except ResultsError as error:
        complain(f"softmax-trick: {error}")
        return DIFFERENT
    except KeyboardInterrupt:
        with suppress(ResultsError, OSError):
            if trials := trials_in(out, runs):
                write_whole(out / RESULTS, write_trials(trials))
        raise
    show(Console(width=width_of(sys.stdout)), in_full(study, trials))
    say(f"{out / RESULTS}: {len(trials)} trials; {out / REPORT} has figures")
    return DIFFERENT if failed else OK


def _take(tasks: Sequence[Task], out: Path, options: argparse.Namespace) -> None:
    """What the results files given hold of the runs, before the others are made."""
    from softmax_trick.experiments.sweep import take
    from softmax_trick.measurements.results import ResultsError

    for file in vars(options)["from"]:
        try:
            say(f"{take(tasks, out, file)} of {len(tasks)} taken from {file}")
        except ResultsError as error:
            raise WrongUsage(f"--from: {error}") from error


def _trials(study: Study, runs: Sequence[TrialRun], out: Path, options: argparse.Namespace) -> int:
    """Make what is missing; how many failed."""
    from softmax_trick.experiments.sweep import sweep

    seeds = len(runs) // len(study.groups)
    say(f"{study.name}, {study.title}: {len(runs)} trials, {seeds} seeds, in {out}")
    with progress_of(study.name, len(runs), "trials") as advance:
        jobs = options.jobs or os.cpu_count() or 1
        outcomes = sweep(
            *(runs, out, jobs, options.scheduler, options.data_dir),
            lambda _, complete: advance(f"{complete} trials complete", complete),
        )
    for outcome in outcomes:
        if outcome.status == "failed":
            complain(f"softmax-trick: {outcome.run} failed: {outcome.reason}")
    ended = Counter(outcome.status for outcome in outcomes)
    say(f"{ended['done']} done, {ended['complete before']} complete before, {ended['failed']} failed")
    return ended["failed"]
