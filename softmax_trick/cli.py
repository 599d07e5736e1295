"""The command line: `softmax-trick verify`, `certify` and `mutants`."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import softmax_trick

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from softmax_trick.certificate import Certificate
    from softmax_trick.ledger import Ledger, Result

OK, DIFFERENT, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


class _WrongUsage(Exception):
    """What the user asked for cannot be done; the message says why and what can."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: every verdict was reached and equals the recorded one; 1: one is undecided, crashed or differs, a mutant
    survived, or something could not be written; 2: wrong usage; 130: interrupted.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ∂ shows a question mark
    try:
        status: int = options.run(options)
    except _WrongUsage as error:
        print(f"softmax-trick: {error}", file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        print(f"softmax-trick: interrupted{options.if_interrupted}", file=sys.stderr)
        return INTERRUPTED
    return status


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
        print(shtab.complete(parser, values, preamble=functions[values]))
        parser.exit()


CLAIM_IDS = "_softmax_trick_claim_ids"  # a function of the completion script
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
    _add_mutants(commands)
    return parser


# --- certify ----------------------------------------------------------------------------------------------------------


def _add_certify(commands: Any) -> None:
    certify = commands.add_parser(
        "certify",
        help="decide the properties of a normalizer of your own",
        description="Decide the properties of a normalizer F: its Jacobian, the SoftMax trick, the loss that its ISBE "
        "error minimises. From a formula (exactly), or from torch code (by samples: never proved).",
        epilog="The grammar of the formulas is in docs/formulas.md: numbers, names, + - * / **, exp, log, sqrt, tanh, "
        "sinh, cosh, sigmoid, softplus, abs, max, min, sign, Heaviside, Piecewise. The scores are x1, x2, ..., as many "
        "as there are components; every other name is a real parameter. Exit status: 0 if there is a certificate, "
        "whatever it says; 1 if it could not be written; 2 for wrong usage.",
    )
    certify.add_argument("--component", action="append", default=[], metavar="FORMULA", help="F_1, F_2, ... in order")
    certify.add_argument("--positive", action="append", default=[], metavar="NAME", help="a parameter that is positive")
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

    if bool(options.component) == bool(options.torch):
        raise _WrongUsage("give the components with --component, or a function with --torch: one of the two")
    if options.json:
        _check_writable(options.json)
    certificate = _of_code(options) if options.torch else _of_formulas(options)
    show(Console(width=_width(sys.stdout), stderr=options.json == "-"), certificate_table(certificate))
    if options.json and not _write(json.dumps(certificate.as_json(), indent=2) + "\n", options.json):
        return DIFFERENT
    return OK


def _of_formulas(options: argparse.Namespace) -> Certificate:
    from softmax_trick.certify import certify
    from softmax_trick.formula import parse_components

    if options.k is not None:
        raise _WrongUsage("--k belongs to --torch: with --component, K is the number of components")
    if not options.time_limit > 0:
        raise _WrongUsage(f"--time-limit {options.time_limit:g}: a positive number of seconds is needed")
    try:
        components, scores = parse_components(options.component, positive=options.positive)
        return certify(components, scores, time_limit=options.time_limit)
    except ValueError as error:
        raise _WrongUsage(str(error)) from error


def _of_code(options: argparse.Namespace) -> Certificate:
    from softmax_trick.black_box import BlackBoxError, certify_torch, load_function

    if options.positive:
        raise _WrongUsage("--positive belongs to --component: code has no parameters")
    if options.k is None or options.k < 1:
        raise _WrongUsage("--torch needs --k, the number of classes, at least 1")
    sys.path.insert(0, "")  # as python -m does
    try:
        return certify_torch(load_function(options.torch), options.k)
    except BlackBoxError as error:
        raise _WrongUsage(str(error)) from error


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
    mutants.set_defaults(run=_mutants, if_interrupted="")


def _mutants(options: argparse.Namespace) -> int:
    from rich.console import Console

    from softmax_trick.mutants import failures, run
    from softmax_trick.proofs.mutants import catalogue
    from softmax_trick.report.console import show
    from softmax_trick.report.mutants import mutants_table

    console, errors = Console(width=_width(sys.stdout)), Console(stderr=True, width=_width(sys.stderr))
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
        print(f"softmax-trick: {line}", file=sys.stderr)
    return DIFFERENT if failed else OK


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
    results = verify.add_argument("--results", metavar="FILE", type=Path, help="our runs, for the measured claims")
    results.complete = FILES
    for name, what in (("json", "as JSON"), ("html", "as one page"), ("errata", "that are false, as Markdown")):
        output = verify.add_argument(f"--{name}", metavar="FILE", help=f"write the claims {what}; - is standard output")
        output.complete = FILES
    ids.complete = dict.fromkeys(FILES, CLAIM_IDS)
    verify.set_defaults(run=_verify, if_interrupted="; the evidence found so far is kept: run it again to go on")


def _verify(options: argparse.Namespace) -> int:
    from rich.console import Console

    from softmax_trick.cache import Cache
    from softmax_trick.ledger import Ledger, UnknownClaim, differences
    from softmax_trick.proofs import recorded_verdicts
    from softmax_trick.report.console import claim_in_full, ledger_table, list_of_claims, show

    console, errors = Console(width=_width(sys.stdout)), Console(stderr=True, width=_width(sys.stderr))
    outputs = {name: vars(options)[name] for name in ("json", "html", "errata") if vars(options)[name]}
    for file in outputs.values():
        _check_writable(file)
    if list(outputs.values()).count("-") > 1:
        raise _WrongUsage("only one output can go to standard output: name a file for the others")
    cache = Cache()
    ledger = Ledger(cache=cache, results=_results(options.results), run=not options.list, fresh=options.fresh)
    try:
        selected = ledger.select(options.ids)
    except UnknownClaim as error:
        raise _WrongUsage(str(error)) from error
    if options.list:
        show(console, list_of_claims([ledger.result(name) for name in selected]))
        return OK

    results = _run(ledger, selected, errors)
    table_goes_to = errors if "-" in outputs.values() else console  # standard output is then that output alone
    show(table_goes_to, claim_in_full(results[0]) if len(options.ids) == 1 else ledger_table(results))
    status = OK
    for line in differences(results, recorded_verdicts()):
        print(f"softmax-trick: {line}", file=sys.stderr)
        status = DIFFERENT
    if cache.trouble:
        print(f"softmax-trick: the evidence could not be kept: {cache.trouble}", file=sys.stderr)
    for kind, file in outputs.items():
        if not _write(_rendered(kind, results), file):
            status = DIFFERENT
    return status


def _results(file: Path | None) -> Any:
    from softmax_trick.results import ResultsError, load_results

    try:
        return load_results(file) if file else None
    except ResultsError as error:
        raise _WrongUsage(str(error)) from error


def _rendered(kind: str, results: Sequence[Result]) -> str:
    if kind == "html":
        from softmax_trick.report.html import html

        return html(results)
    if kind == "errata":
        from softmax_trick.report.errata import errata

        return errata(results)
    from softmax_trick.ledger import as_json

    return json.dumps(as_json(results), indent=2) + "\n"


def _check_writable(file: str) -> None:
    """Before the work: would it be possible to write this file?"""
    path = Path(file).absolute()
    if file == "-":
        return
    if not path.parent.is_dir():
        raise _WrongUsage(f"cannot write {file}: its folder does not exist")
    if path.is_dir():
        raise _WrongUsage(f"cannot write {file}: it is a folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _WrongUsage(f"cannot write {file}: permission denied")


def _write(text: str, file: str) -> bool:
    try:
        sys.stdout.write(text) if file == "-" else Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        place = "standard output" if file == "-" else file
        print(f"softmax-trick: cannot write {place}: {error.strerror}", file=sys.stderr)
        return False
    return True


def _progress(console: Console) -> Progress:
    """A progress bar that leaves nothing behind: what is being done, and how much of it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True)


def _width(stream: TextIO) -> int | None:
    """A terminal's own width; a file or a pipe gets lines of 120."""
    return None if stream.isatty() else 120


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
