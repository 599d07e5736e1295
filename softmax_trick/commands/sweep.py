"""`softmax-trick sweep`: an experiment of the paper run anew."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.arguments import count
from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, width_of
from softmax_trick.system.progress import progress_of
from softmax_trick.system.terminal import complain, say

if TYPE_CHECKING:
    from softmax_trick.experiments.definitions import Experiment


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    sweep = commands.add_parser(
        "sweep",
        help="run an experiment of the paper anew",
        description="Train all runs of an experiment, on processes of this machine or on a dask cluster. What is "
        "complete is skipped, what was interrupted goes on from its last epoch, so that the same command can be "
        "repeated until all is done. At the end DIR/results.json has what `softmax-trick report` and "
        "`softmax-trick verify --results` read.",
        epilog="A run's folder, below DIR, is that of `python -m softmax_trick.train`. Exit status: 0 if all runs are "
        "complete; 1 if one failed; 2 for wrong usage; 130 after Ctrl-C.",
    )
    sweep.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="its name, such as table3 (--list)")
    sweep.add_argument("--list", action="store_true", help="list the experiments; run nothing")
    sweep.add_argument("--seeds", type=count, default=5, metavar="S", help="seeds 0 to S - 1 (default: 5)")
    jobs = "runs at a time (default: as many as there are cores; on a GPU, or for time shares, 1)"
    sweep.add_argument("--jobs", type=count, metavar="J", help=jobs)
    only = "train this network only; repeat it for more (default: all of the experiment)"
    sweep.add_argument("--net", action="append", metavar="NAME", help=only)
    sweep.add_argument("--epochs", type=count, metavar="N", help="train so many (default: as listed)")
    sweep.add_argument("--data", metavar="NAME", help="train on these data, such as mnist-5k (default: as listed)")
    data_dir = sweep.add_argument("--data-dir", type=Path, metavar="DIR", help="where the data lie")
    devices = ("auto", "cpu", "cuda")
    sweep.add_argument("--device", default="auto", choices=devices, help="auto (default): cuda if there, else cpu")
    scheduler = "a running dask scheduler, such as tcp://host:8786; its workers must see --out under the same path"
    sweep.add_argument("--scheduler", metavar="ADDRESS", help=scheduler)
    out = sweep.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs (default: runs/EXPERIMENT)")
    data_dir.complete = out.complete = FILES
    sweep.set_defaults(run=run, if_interrupted="; complete epochs are kept: the same command goes on")


def run(options: argparse.Namespace) -> int:
    """Read everything, then do it; returns the exit status."""
    from rich.console import Console

    from softmax_trick.experiments.definitions import EXPERIMENTS
    from softmax_trick.report.console import show
    from softmax_trick.report.experiments_tables import list_of_experiments

    if options.list:
        show(Console(width=width_of(sys.stdout)), list_of_experiments(options.seeds))
        return OK
    name = options.experiment
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name or "", EXPERIMENTS, n=2, cutoff=0.5)
        hint = f": did you mean {' or '.join(near)}?" if near else ""
        what = f"there is no experiment {name!r}{hint}" if name else "name an experiment, such as table3"
        raise WrongUsage(f"{what} (softmax-trick sweep --list shows all)")
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
    try:
        runs = experiment.settings(options.seeds, device, options.epochs, options.data, options.net)
    except ValueError as error:
        raise WrongUsage(f"--net: {error}") from error
    say(f"{experiment.name}, {experiment.title}: {len(runs)} runs of {runs[0].epochs} epochs, in {out}")
    try:
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
    except (ResultsError, OSError) as error:
        complain(f"softmax-trick: {error}")
        return DIFFERENT
    say(f"{out / RESULTS}: {len(kept)} runs; softmax-trick report {out} shows what they say")
    return DIFFERENT if ended["failed"] else OK
