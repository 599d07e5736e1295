"""The command line: `softmax-trick verify`, `certify`, `decide`, `derive`, `mutants`, `sweep` and `report`."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import softmax_trick
from softmax_trick.commands import decide, derive
from softmax_trick.commands.output import (
    DIFFERENT,
    FILES,
    INTERRUPTED,
    OK,
    WRONG_USAGE,
    WrongUsage,
    check_outputs,
    check_writable,
    width_of,
    write,
)
from softmax_trick.system.files import printable
from softmax_trick.system.terminal import Parser, complain, emit, guarded, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from softmax_trick.certification.certificate import Certificate
    from softmax_trick.experiments.definitions import Experiment
    from softmax_trick.ledger.kernel import Kernel
    from softmax_trick.ledger.run import Ledger, Result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: every verdict was reached and equals the recorded one; 1: one is undecided, crashed or differs, a mutant
    survived, a run failed, or something could not be written; 2: wrong usage; 130: interrupted.
    """

    def command() -> int:
        options = _parser().parse_args(_with_formulas(sys.argv[1:] if arguments is None else arguments))
        try:
            status: int = options.run(options)
        except WrongUsage as error:
            complain(f"softmax-trick: {error}")
            return WRONG_USAGE
        except KeyboardInterrupt:
            complain(f"softmax-trick: interrupted{options.if_interrupted}")
            return INTERRUPTED
        return status

    return guarded(command, "softmax-trick")


def _with_formulas(arguments: Sequence[str]) -> list[str]:
    """The arguments, with a space before formulas that begin with a minus sign: argparse takes them for options."""
    if not arguments or arguments[0] not in ("certify", "decide", "derive"):
        return list(arguments)
    return [f" {one}" if one[:1] == "-" and one[1:2] not in ("", "-") and one != "-h" else one for one in arguments]


class _PrintCompletion(argparse.Action):
    """Print a script that completes commands, options, files and the IDs of the claims."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: object, values: Any, option: object = None) -> None:
        import shtab

        from softmax_trick.proofs import CLAIMS

        ids = " ".join(CLAIMS)
        functions = {
            "bash": f'{CLAIM_IDS}() {{ compgen -W "{ids}" -- "$1"; }}',
            "zsh": f"{CLAIM_IDS}() {{ compadd {ids} }}",
        }
        emit(shtab.complete(parser, values, preamble=functions[values]) + "\n")
        parser.exit()


CLAIM_IDS = "_softmax_trick_claim_ids"  # a function of the completion script


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="softmax-trick",
        description="The ISBE paper (Entropy 2024, 26, 65) as a ledger of claims, decided exactly.",
    )
    parser.add_argument("--version", action="version", version=f"softmax-trick {softmax_trick.__version__}")
    shells = ("bash", "zsh")
    parser.add_argument(
        "--print-completion", action=_PrintCompletion, choices=shells, help="print a completion script for this shell"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_verify(commands)
    _add_certify(commands)
    decide.add(commands)
    derive.add(commands)
    _add_mutants(commands)
    _add_sweep(commands)
    _add_report(commands)
    return parser


# --- certify ----------------------------------------------------------------------------------------------------------


def _add_certify(commands: Any) -> None:
    certify = commands.add_parser(
        "certify",
        help="decide the properties of a normalizer of your own",
        description="Decide the properties of a normalizer F: its Jacobian, the SoftMax trick, the loss that its ISBE "
        "error minimises. From a formula (exactly), or from torch code (by samples: never proved).",
        epilog="The language of the formulas is in docs/language.md, what is certified of them in docs/formulas.md. "
        "The scores are x; in components also x1, x2, ..., as many as there are components. What is not declared is "
        "read as the formulas force it, else as a real parameter; how each name was read comes first. With "
        "--let 'K = 3' a formula is certified for that K alone. Exit status: 0 if there is a certificate, "
        "whatever it says; 1 if it could not be written, or if the backward of code is not its derivative; 2 for wrong "
        "usage.",
    )
    formula = "one formula of the scores x, a vector over K, for every K: 'softmax(d*x - c)'"
    certify.add_argument("formula", nargs="?", metavar="FORMULA", help=formula)
    let = "what names are: 'd: K; c: K; tau: positive'; may be repeated"
    certify.add_argument("--let", action="append", default=[], metavar="DECLARATIONS", help=let)
    certify.add_argument("--by", default="x", metavar="NAME", help="the name of the scores (default: x)")
    certify.add_argument("--component", action="append", default=[], metavar="FORMULA", help="F_1, F_2, ... in order")
    certify.add_argument(
        "--positive", action="append", default=[], metavar="NAME", help="short for --let 'NAME: positive'"
    )
    certify.add_argument("--torch", metavar="MODULE:FUNCTION", help="a torch function of scores of shape (n, K)")
    certify.add_argument("--k", type=int, metavar="K", help="the number of classes, for --torch")
    certify.add_argument("--time-limit", type=float, default=60.0, metavar="SECONDS", help="for formulas (default: 60)")
    output = certify.add_argument("--json", metavar="FILE", help="write the certificate as JSON; - is standard output")
    output.complete = FILES
    certify.set_defaults(run=_certify, if_interrupted="")


def _certify(options: argparse.Namespace) -> int:
    from rich.console import Console

    from softmax_trick.report.certificate import certificate_table
    from softmax_trick.report.console import show

    if [bool(options.formula), bool(options.component), bool(options.torch)].count(True) != 1:
        raise WrongUsage(
            "give a formula for every K, the components with --component, or a function with --torch: one of the three"
        )
    if options.json:
        check_writable(options.json)
    certificate = _of_code(options) if options.torch else _of_formulas(options)
    written = not options.json or write(json.dumps(certificate.as_json(), indent=2) + "\n", options.json)
    show(Console(width=width_of(sys.stdout), stderr=options.json == "-"), certificate_table(certificate))
    wrong_backward = certificate.backward is not None and certificate.backward.holds is False
    return OK if written and not wrong_backward else DIFFERENT


def _of_formulas(options: argparse.Namespace) -> Certificate:
    from softmax_trick.certification.certify import certify

    if options.k is not None:
        raise WrongUsage("--k belongs to --torch: of components K is their number, of a formula --let 'K = 3' gives it")
    if not options.time_limit > 0:
        raise WrongUsage(f"--time-limit {options.time_limit:g}: a positive number of seconds is needed")
    let = "; ".join([*options.let, *(f"{name}: positive" for name in options.positive)])
    try:
        return certify(options.formula or options.component, options.by, time_limit=options.time_limit, let=let)
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def _of_code(options: argparse.Namespace) -> Certificate:
    from softmax_trick.certification.black_box import BlackBoxError, certify_torch, load_function

    if options.positive or options.let:
        raise WrongUsage("--positive and --let belong to formulas: code has no parameters")
    if options.k is None or options.k < 1:
        raise WrongUsage("--torch needs --k, the number of classes, at least 1")
    sys.path.insert(0, "")  # as python -m does
    try:
        return certify_torch(load_function(options.torch), options.k)
    except BlackBoxError as error:
        raise WrongUsage(str(error)) from error


# --- mutants ----------------------------------------------------------------------------------------------------------


def _add_mutants(commands: Any) -> None:
    mutants = commands.add_parser(
        "mutants",
        help="see that false neighbours of the claims are refuted",
        description="Make false neighbours of the claims that are proved (a sign, a factor, an index, a transpose, a "
        "missing hypothesis, ...), and beside each a true rewording. Each neighbour must be refuted with a witness, "
        "each rewording proved, by the engines that decide the claims.",
        epilog="Exit status: 0 if all were; 1 if a neighbour survived or a rewording was not proved.",
    )
    mutants.add_argument(
        "--core", action="store_true", help="plant errors in the symbolic core instead; each must be noticed"
    )
    mutants.set_defaults(run=_mutants, if_interrupted="")


def _planted() -> int:
    from softmax_trick.ledger.planted import PLANTED, noticed

    unnoticed = 0
    for error in PLANTED:
        by = noticed(error)
        unnoticed += by is None
        say(f"{error.name}: {f'noticed by {by}' if by else 'NOT NOTICED'}")
    say(f"{len(PLANTED)} errors planted in the core: {len(PLANTED) - unnoticed} noticed, {unnoticed} not")
    return DIFFERENT if unnoticed else OK


def _mutants(options: argparse.Namespace) -> int:
    if options.core:
        return _planted()
    from rich.console import Console

    from softmax_trick.ledger.mutants import failures, run
    from softmax_trick.proofs.mutants import catalogue
    from softmax_trick.report.console import show
    from softmax_trick.report.mutants import mutants_table

    console, errors = Console(width=width_of(sys.stdout)), Console(stderr=True, width=width_of(sys.stderr))
    with errors.status("making the mutants"):
        mutants = catalogue()
    outcomes = []
    with _progress(errors) as progress:
        task = progress.add_task("", total=len(mutants))
        for outcome in run(mutants):
            outcomes.append(outcome)
            progress.update(task, advance=1, description=outcome.mutant.of)
    show(console, mutants_table(outcomes))
    failed = failures(outcomes)
    for line in failed:
        complain(f"softmax-trick: {line}")
    return DIFFERENT if failed else OK


# --- sweep ------------------------------------------------------------------------------------------------------------


def _add_sweep(commands: Any) -> None:
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
    sweep.add_argument("--seeds", type=_count, default=5, metavar="S", help="seeds 0 to S - 1 (default: 5)")
    jobs = "runs at a time (default: as many as there are cores; on a GPU, or for time shares, 1)"
    sweep.add_argument("--jobs", type=_count, metavar="J", help=jobs)
    only = "train this network only; repeat it for more (default: all of the experiment)"
    sweep.add_argument("--net", action="append", metavar="NAME", help=only)
    sweep.add_argument("--epochs", type=_count, metavar="N", help="train so many (default: as listed)")
    sweep.add_argument("--data", metavar="NAME", help="train on these data, such as mnist-5k (default: as listed)")
    data_dir = sweep.add_argument("--data-dir", type=Path, metavar="DIR", help="where the data lie")
    devices = ("auto", "cpu", "cuda")
    sweep.add_argument("--device", default="auto", choices=devices, help="auto (default): cuda if there, else cpu")
    scheduler = "a running dask scheduler, such as tcp://host:8786; its workers must see --out under the same path"
    sweep.add_argument("--scheduler", metavar="ADDRESS", help=scheduler)
    out = sweep.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs (default: runs/EXPERIMENT)")
    data_dir.complete = out.complete = FILES
    sweep.set_defaults(run=_sweep, if_interrupted="; complete epochs are kept: the same command goes on")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _sweep(options: argparse.Namespace) -> int:
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
    from rich.console import Console

    from softmax_trick.experiments.sweep import RESULTS, SweepError, collect, sweep
    from softmax_trick.measurements.results import ResultsError
    from softmax_trick.system.extras import MissingExtra
    from softmax_trick.training import TrainingError

    out = options.out or Path("runs") / experiment.name
    device = _device(options.device)
    jobs = options.jobs or (1 if experiment.alone or device == "cuda" else os.cpu_count() or 1)
    try:
        runs = experiment.settings(options.seeds, device, options.epochs, options.data, options.net)
    except ValueError as error:
        raise WrongUsage(f"--net: {error}") from error
    say(f"{experiment.name}, {experiment.title}: {len(runs)} runs of {runs[0].epochs} epochs, in {out}")
    try:
        with _progress(Console(stderr=True, width=width_of(sys.stderr))) as progress:
            task = progress.add_task("", total=len(runs) * runs[0].epochs)

            def show_progress(epochs: int, complete: int) -> None:
                progress.update(task, completed=epochs, description=f"{complete} runs complete; epochs")

            outcomes = sweep(runs, out, jobs, options.scheduler, options.data_dir, show_progress)
        for outcome in outcomes:
            if outcome.status == "failed":
                complain(f"softmax-trick: {outcome.run} failed: {outcome.reason}")
        count = Counter(outcome.status for outcome in outcomes)
        kept = collect(out)
        say(f"{count['done']} done, {count['complete before']} complete before, {count['failed']} failed")
    except (SweepError, TrainingError, MissingExtra) as error:
        raise WrongUsage(str(error)) from error
    except (ResultsError, OSError) as error:
        complain(f"softmax-trick: {error}")
        return DIFFERENT
    say(f"{out / RESULTS}: {len(kept)} runs; softmax-trick report {out} shows what they say")
    return DIFFERENT if count["failed"] else OK


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise WrongUsage("--device cuda: torch finds no GPU here: choose auto or cpu")
    return name


# --- report -----------------------------------------------------------------------------------------------------------


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report",
        help="set the runs of a sweep beside the paper's tables and figures",
        description="The paper's tables and figures of training, from runs of one's own: the paper's figures beside "
        "ours, intervals over seeds, paired tests, and on how many test images two models differ.",
        epilog="A folder is that of a sweep, complete or not, or holds results files. Exit status: 0 if there is a "
        "report; 1 if something could not be written; 2 for wrong usage.",
    )
    sources = report.add_argument("sources", nargs="+", metavar="DIR", type=Path, help="folders, or results files")
    sources.complete = FILES
    page = report.add_argument("--html", metavar="FILE", help="write it as one page, with charts; - is standard output")
    plain = report.add_argument("--json", metavar="FILE", help="write all figures as JSON; - is standard output")
    page.complete = plain.complete = FILES
    report.set_defaults(run=_report, if_interrupted="")


def _report(options: argparse.Namespace) -> int:
    from rich.console import Console

    from softmax_trick.experiments.analysis import analyse
    from softmax_trick.experiments.sources import find
    from softmax_trick.measurements.results import ResultsError, load_results
    from softmax_trick.report.console import show
    from softmax_trick.report.experiments_page import experiments_page
    from softmax_trick.report.experiments_tables import in_full
    from softmax_trick.system.extras import MissingExtra

    outputs = {name: vars(options)[name] for name in ("html", "json") if vars(options)[name]}
    check_outputs(outputs.values())
    try:
        found = find(options.sources)
        results = replace(load_results(*found.files), source=printable(", ".join(map(str, options.sources))))
        analysis = analyse(results)
        rendered = {
            file: experiments_page(analysis) if kind == "html" else json.dumps(analysis.as_json(), indent=2) + "\n"
            for kind, file in outputs.items()
        }
    except (ResultsError, MissingExtra) as error:
        raise WrongUsage(str(error)) from error
    if found.unfinished:
        complain(f"softmax-trick: not complete and left out: {found.unfinished} runs")
    written = [write(text, file) for file, text in rendered.items()]
    show(Console(width=width_of(sys.stdout), stderr="-" in outputs.values()), in_full(analysis))
    return OK if all(written) else DIFFERENT


# --- verify -----------------------------------------------------------------------------------------------------------


def _add_verify(commands: Any) -> None:
    verify = commands.add_parser(
        "verify",
        help="decide the claims of the paper",
        description="Decide claims of the paper: proved, refuted, measured or undecided, by evidence that is computed. "
        "With one ID, show the steps of its proof or its counterexample. Evidence is kept, and found again for as "
        "long as the statement, the checker's source and the libraries stay the same.",
        epilog="Exit status: 0 if every verdict was reached and is the recorded one; 1 if one is undecided, crashed or "
        "differs; 2 for wrong usage.",
    )
    ids = verify.add_argument("ids", nargs="*", metavar="ID", help="claims to decide, such as T1.4a (default: all)")
    verify.add_argument("--list", action="store_true", help="list claims and what is known of them; decide nothing")
    verify.add_argument("--fresh", action="store_true", help="ignore evidence of earlier runs")
    kernel = "let Coq's kernel check the theorems of proofs/coq too; needs coqc on the PATH"
    verify.add_argument("--kernel", action="store_true", help=kernel)
    results = verify.add_argument(
        "--results", metavar="FILE", type=Path, help="runs for the measured claims (default: those of this project)"
    )
    results.complete = FILES
    for name, what in KINDS.items():
        output = verify.add_argument(f"--{name}", metavar="FILE", help=f"write the claims {what}; - is standard output")
        output.complete = FILES
    ids.complete = dict.fromkeys(FILES, CLAIM_IDS)
    verify.set_defaults(run=_verify, if_interrupted="; the evidence found so far is kept: run it again to go on")


KINDS = {
    "json": "as JSON",
    "html": "as one page",
    "errata": "that are false, as two pages of Markdown",
    "supplement": "that are false, each with its counterexample, as Markdown",
}


def _verify(options: argparse.Namespace) -> int:
    from rich.console import Console

    from softmax_trick.ledger.cache import Cache
    from softmax_trick.ledger.run import Ledger, UnknownClaim, differences
    from softmax_trick.proofs import recorded_verdicts
    from softmax_trick.report.console import claim_in_full, ledger_table, list_of_claims, show

    console, errors = Console(width=width_of(sys.stdout)), Console(stderr=True, width=width_of(sys.stderr))
    outputs = {name: vars(options)[name] for name in KINDS if vars(options)[name]}
    check_outputs(outputs.values())
    cache = Cache()
    if options.kernel and options.list:
        raise WrongUsage("--list decides nothing, and --kernel asks Coq to decide: give one of the two")
    kernel = _kernel(options.fresh, errors) if options.kernel else None
    ledger = Ledger(
        cache=cache,
        results=_results(options.results),
        run=not options.list,
        fresh=options.fresh,
        kernel=kernel.add_to if kernel else None,
    )
    try:
        selected = ledger.select(options.ids)
    except UnknownClaim as error:
        raise WrongUsage(str(error)) from error
    if options.list:
        show(console, list_of_claims([ledger.result(name) for name in selected]))
        return OK

    results = _run(ledger, selected, errors)
    written = [write(_rendered(kind, results), file) for kind, file in outputs.items()]
    table_goes_to = errors if "-" in outputs.values() else console  # standard output is then that output alone
    show(table_goes_to, claim_in_full(results[0]) if len(options.ids) == 1 else ledger_table(results))
    status = OK if all(written) else DIFFERENT
    for line in differences(results, recorded_verdicts()):
        complain(f"softmax-trick: {line}")
        status = DIFFERENT
    if cache.trouble:
        complain(f"softmax-trick: the evidence could not be kept: {cache.trouble}")
    return status


def _kernel(fresh: bool, errors: Console) -> Kernel | None:
    """What Coq's kernel says; without Coq a line that says what to install, and nothing else is different."""
    from softmax_trick.ledger.kernel import HOW_TO_INSTALL, find_coqc, run

    coqc = find_coqc()
    if not coqc:
        complain(f"softmax-trick: --kernel: there is no coqc on the PATH: {HOW_TO_INSTALL}")
        return None
    with errors.status("Coq checks the theorems of proofs/coq"):
        return run(coqc, fresh=fresh)


def _results(file: Path | None) -> Any:
    from softmax_trick.measurements.results import ResultsError, committed_results, load_results

    try:
        return load_results(file) if file else committed_results()
    except ResultsError as error:
        raise WrongUsage(str(error)) from error


def _rendered(kind: str, results: Sequence[Result]) -> str:
    if kind == "html":
        from softmax_trick.report.ledger_page import ledger_page

        return ledger_page(results)
    if kind in ("errata", "supplement"):
        from softmax_trick.report.errata import errata, supplement

        return errata(results) if kind == "errata" else supplement(results)
    from softmax_trick.ledger.run import as_json

    return json.dumps(as_json(results), indent=2) + "\n"


def _progress(console: Console) -> Progress:
    """A progress bar that leaves nothing behind: what is being done, and how much of it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True)


def _run(ledger: Ledger, selected: Sequence[str], errors: Console) -> list[Result]:
    """Run the claims in order, with a progress bar on standard error."""
    with _progress(errors) as progress:
        task = progress.add_task("", total=len(selected))
        results = []
        for name in selected:
            progress.update(task, description=name)
            results.append(ledger.result(name))
            progress.advance(task)
        return results


if __name__ == "__main__":
    sys.exit(main())
