"""`softmax-trick mutants`: false neighbours of the claims are refuted, errors planted in the core noticed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, width_of
from softmax_trick.system.extras import is_installed, remedy
from softmax_trick.system.progress import progress_of
from softmax_trick.system.terminal import complain, say


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    mutants = commands.add_parser(
        "mutants",
        help="see that false neighbours of the claims are refuted",
        description="Make false neighbours of the claims that are proved (a sign, a factor, an index, a transpose, a "
        "missing hypothesis, ...). Each must be refuted with a witness, be proved only under a condition that it "
        "does not say, or be proved to be as true as its claim, by the engines that decide the claims; and they must "
        "prove the claim itself.",
        epilog="Exit status: 0 if all were; 1 if a neighbour survived or a claim was not proved.",
    )
    mutants.add_argument(
        "--core", action="store_true", help="plant errors in the symbolic core instead; each must be noticed"
    )
    ledger = mutants.add_argument(
        "--ledger", metavar="LEDGER", help="the claims of another paper, as verify takes them"
    )
    ledger.complete = FILES
    mutants.set_defaults(run=run, if_interrupted="")


def _planted() -> int:
    from softmax_trick.ledger.planted import PLANTED
    from softmax_trick.proofs.mutants import noticed

    unnoticed = 0
    for error in PLANTED:
        by = noticed(error)
        unnoticed += by is None
        say(f"{error.name}: {f'noticed by {by}' if by else 'NOT NOTICED'}")
    say(f"{len(PLANTED)} errors planted in the core: {len(PLANTED) - unnoticed} noticed, {unnoticed} not")
    return DIFFERENT if unnoticed else OK


def run(options: argparse.Namespace) -> int:
    """Plant the errors; returns the exit status."""
    if options.core and options.ledger:
        raise WrongUsage("--core plants errors in the symbolic core, and --ledger in claims: give one of the two")
    if options.core:
        return _planted()
    from rich.console import Console

    from softmax_trick.commands.verify import paper_at
    from softmax_trick.ledger.mutants import deciding, failures, made_from
    from softmax_trick.proofs.mutants import catalogue
    from softmax_trick.report.console import show
    from softmax_trick.report.mutants import mutants_table

    console, errors = Console(width=width_of(sys.stdout)), Console(stderr=True, width=width_of(sys.stderr))
    if not is_installed("torch"):
        complain(f"softmax-trick: torch is not installed: no samples are taken: {remedy('torch')}")
    with errors.status("making the mutants"):
        mutants = list(made_from(paper_at(options.ledger).claims.values())) if options.ledger else catalogue()
    outcomes = []
    with deciding(mutants) as decided, progress_of("mutants", len(mutants), "mutants") as advance:
        for outcome in decided:
            outcomes.append(outcome)
            advance(f"of {outcome.mutant.of}")
    show(console, mutants_table(outcomes))
    failed = failures(outcomes)
    for line in failed:
        complain(f"softmax-trick: {line}")
    return DIFFERENT if failed else OK
