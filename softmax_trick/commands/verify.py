"""`softmax-trick verify`: the claims of a ledger, decided."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, check_outputs, progress_bar, width_of, write
from softmax_trick.system.terminal import complain, say

if TYPE_CHECKING:
    from rich.console import Console

    from softmax_trick.ledger.kernel import Kernel
    from softmax_trick.ledger.paper import Paper
    from softmax_trick.ledger.run import Ledger, Result

CLAIM_IDS = "_softmax_trick_claim_ids"  # a function of the completion script


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    verify = commands.add_parser(
        "verify",
        help="decide the claims of the paper",
        description="Decide claims of the paper, or of another ledger: proved, refuted, measured or undecided, by "
        "evidence that is computed. "
        "With one ID, show the steps of its proof or its counterexample. Evidence is kept, and found again for as "
        "long as the statement, the checker's source and the libraries stay the same.",
        epilog="Exit status: 0 if every verdict was reached and is the recorded one; 1 if one is undecided, crashed or "
        "differs; 2 for wrong usage.",
    )
    ids = verify.add_argument("ids", nargs="*", metavar="ID", help="claims to decide, such as T1.4a (default: all)")
    verify.add_argument("--list", action="store_true", help="list claims and what is known of them; decide nothing")
    verify.add_argument("--fresh", action="store_true", help="ignore evidence of earlier runs")
    ledger = verify.add_argument(
        "--ledger",
        metavar="PATH",
        type=Path,
        help="the claims of another paper: a TOML file of formulas, or a folder with a Python package, which is run",
    )
    ledger.complete = FILES
    verify.add_argument("--record", action="store_true", help="record the verdicts, for later runs to be compared with")
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
    verify.set_defaults(run=run, if_interrupted="; the evidence found so far is kept: run it again to go on")


KINDS = {
    "json": "as JSON",
    "html": "as one page",
    "errata": "that are false, as two pages of Markdown",
    "supplement": "that are false, each with its counterexample, as Markdown",
}


def run(options: argparse.Namespace) -> int:
    """Read everything, then do it; returns the exit status."""
    from rich.console import Console

    from softmax_trick.ledger.cache import Cache
    from softmax_trick.ledger.run import Ledger, UnknownClaim, differences, left_out
    from softmax_trick.report.console import claim_in_full, ledger_table, list_of_claims, show

    console, errors = Console(width=width_of(sys.stdout)), Console(stderr=True, width=width_of(sys.stderr))
    outputs = {name: vars(options)[name] for name in KINDS if vars(options)[name]}
    check_outputs(outputs.values())
    if options.ledger and (options.kernel or options.supplement):
        raise WrongUsage("--kernel and --supplement are of this project's paper: leave them out with --ledger")
    paper, cache = paper_of(options.ledger), Cache(_folder(options.ledger))
    if options.kernel and options.list:
        raise WrongUsage("--list decides nothing, and --kernel asks Coq to decide: give one of the two")
    kernel = _kernel(options.fresh, errors) if options.kernel else None
    ledger = Ledger(
        paper.claims,
        cache=cache,
        results=_results(options.results) if options.results or not options.ledger else None,
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
    written = [
        write(_rendered(kind, results, paper if options.ledger else None), file) for kind, file in outputs.items()
    ]
    table_goes_to = errors if "-" in outputs.values() else console  # standard output is then that output alone
    show(table_goes_to, claim_in_full(results[0]) if len(options.ids) == 1 else ledger_table(results))
    status = OK if all(written) else DIFFERENT
    if options.record:
        try:
            say(f"recorded in {paper.keep({one.claim.id: one.verdict for one in results})}")
        except (ValueError, OSError) as error:
            complain(f"softmax-trick: the verdicts could not be recorded: {error}")
            status = DIFFERENT
    for line in differences(
        results, {one.claim.id: one.verdict for one in results} if options.record else paper.recorded
    ):
        complain(f"softmax-trick: {line}")
        status = DIFFERENT
    if missing := left_out(results):
        complain(f"softmax-trick: {missing}")
    if cache.trouble:
        complain(f"softmax-trick: the evidence could not be kept: {cache.trouble}")
    return status


def paper_of(place: Path | None) -> Paper:
    """The ledger in a place; that of this project if none is named."""
    if place is None:
        from softmax_trick.proofs import PAPER

        return PAPER
    from softmax_trick.ledger.paper import LedgerError, load

    try:
        return load(place)
    except LedgerError as error:
        raise WrongUsage(f"--ledger: {error}") from error


def _folder(place: Path | None) -> Path | None:
    """Where the evidence for another ledger is kept: its IDs may be those of this project's claims."""
    from softmax_trick.ledger.cache import default_folder

    if place is None:
        return None
    return default_folder() / "ledgers" / hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:16]


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


def _rendered(kind: str, results: Sequence[Result], paper: Paper | None) -> str:
    """One of the outputs; without a paper of this project's."""
    if kind == "html":
        from softmax_trick.report.ledger_page import ledger_page

        return ledger_page(results, paper)
    if kind == "errata" and paper:
        from softmax_trick.report.errata import false_statements

        return false_statements(results, paper)
    if kind in ("errata", "supplement"):
        from softmax_trick.report.errata import errata, supplement

        return errata(results) if kind == "errata" else supplement(results)
    from softmax_trick.ledger.run import as_json

    return json.dumps(as_json(results), indent=2) + "\n"


def _run(ledger: Ledger, selected: Sequence[str], errors: Console) -> list[Result]:
    """Run the claims in order, with a progress bar on standard error."""
    with ledger.gathering(selected), progress_bar(errors) as progress:
        task = progress.add_task("", total=len(selected))
        results = []
        for name in selected:
            progress.update(task, description=name)
            results.append(ledger.result(name))
            progress.advance(task)
        return results
