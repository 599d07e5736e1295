"""The command line: `softmax-trick verify`."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import softmax_trick

if TYPE_CHECKING:
    from rich.console import Console

    from softmax_trick.ledger import Ledger, Result

OK, DIFFERENT, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: every verdict was reached and equals the recorded one; 1: one is undecided, crashed or differs, or the results
    could not be written; 2: wrong usage; 130: interrupted.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ∂ shows a question mark
    try:
        return _verify(options.ids, options.json, options.list)
    except KeyboardInterrupt:
        print("softmax-trick: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="softmax-trick", description="The theorems of the ISBE paper (Entropy 2024, 26, 65), decided exactly."
    )
    parser.add_argument("--version", action="version", version=f"softmax-trick {softmax_trick.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify",
        help="decide the claims of the paper",
        description="Decide claims of the paper: proved, refuted or undecided, by evidence that is computed now. "
        "With one ID, show the steps of its proof or its counterexample.",
        epilog="Exit status: 0 if every verdict was reached and is the recorded one; 1 if one is undecided, crashed or "
        "differs; 2 for wrong usage.",
    )
    verify.add_argument("ids", nargs="*", metavar="ID", help="claims to decide, such as T1.4a or A1r (default: all)")
    verify.add_argument("--json", metavar="FILE", help="write the results as JSON; - is standard output")
    verify.add_argument("--list", action="store_true", help="list the claims without deciding them")
    return parser


def _verify(ids: Sequence[str], json_file: str | None, only_list: bool) -> int:
    from rich.console import Console

    from softmax_trick.ledger import Ledger, UnknownClaim, as_json, differences
    from softmax_trick.proofs import recorded_verdicts
    from softmax_trick.report.console import claim_in_full, ledger_table, list_of_claims, show

    console, errors = Console(width=_width(sys.stdout)), Console(stderr=True, width=_width(sys.stderr))
    ledger = Ledger()
    try:
        selected = ledger.select(ids)
    except UnknownClaim as error:
        print(f"softmax-trick: {error}", file=sys.stderr)
        return WRONG_USAGE
    if only_list:
        show(console, list_of_claims([ledger.claims[name] for name in selected]))
        return OK
    if json_file not in (None, "-") and not Path(json_file).absolute().parent.is_dir():
        print(f"softmax-trick: cannot write {json_file}: its folder does not exist", file=sys.stderr)
        return WRONG_USAGE

    results = _run(ledger, selected, errors)
    table_goes_to = errors if json_file == "-" else console  # standard output is then JSON alone
    show(table_goes_to, claim_in_full(results[0]) if len(ids) == 1 else ledger_table(results))
    status = OK
    for line in differences(results, recorded_verdicts()):
        print(f"softmax-trick: {line}", file=sys.stderr)
        status = DIFFERENT
    if json_file is not None:
        text = json.dumps(as_json(results), indent=2) + "\n"
        try:
            sys.stdout.write(text) if json_file == "-" else Path(json_file).write_text(text, encoding="utf-8")
        except OSError as error:
            place = "standard output" if json_file == "-" else json_file
            print(f"softmax-trick: cannot write {place}: {error.strerror}", file=sys.stderr)
            status = DIFFERENT
    return status


def _width(stream: TextIO) -> int | None:
    """A terminal's own width; a file or a pipe gets lines of 120."""
    return None if stream.isatty() else 120


def _run(ledger: Ledger, selected: Sequence[str], errors: Console) -> list[Result]:
    """Run the claims in order, with a progress bar on standard error."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("", total=len(selected))
        results = []
        for name in selected:
            progress.update(task, description=name)
            results.append(ledger.result(name))
            progress.advance(task)
        return results


if __name__ == "__main__":
    sys.exit(main())
