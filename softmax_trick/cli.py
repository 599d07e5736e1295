"""The command line: `softmax-trick verify`, `certify`, `decide`, `derive`, `prove`, `mutants`, `sweep` and others.

Each command stands in a module of its own in `softmax_trick.commands`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import softmax_trick
from softmax_trick.commands import (
    accuracy,
    build_native,
    certify,
    decide,
    derive,
    mutants,
    prove,
    report,
    sweep,
    verify,
)
from softmax_trick.commands.output import INTERRUPTED, WRONG_USAGE, WrongUsage
from softmax_trick.system.extras import missing_extra
from softmax_trick.system.terminal import Parser, complain, emit, guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: every verdict was reached and equals the recorded one; 1: one is undecided, crashed or differs, a mutant
    survived, a run failed, or something could not be written; 2: wrong usage; 130: interrupted.
    """

    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["train"]:
        from softmax_trick.commands import train  # it reads its own options

        return train.main(given[1:])

    def command() -> int:
        options = _parser().parse_args(_with_formulas(given))
        try:
            status: int = options.run(options)
        except WrongUsage as error:
            complain(f"softmax-trick: {error}")
            return WRONG_USAGE
        except ImportError as error:
            missing = missing_extra(error, f"softmax-trick {given[0]}")
            if missing is None:
                raise
            complain(f"softmax-trick: {missing}")
            return WRONG_USAGE
        except KeyboardInterrupt:
            complain(f"softmax-trick: interrupted{options.if_interrupted}")
            return INTERRUPTED
        return status

    return guarded(command, "softmax-trick")


def _with_formulas(arguments: Sequence[str]) -> list[str]:
    """The arguments, with a space before formulas that begin with a minus sign: argparse takes them for options."""
    if not arguments or arguments[0] not in ("accuracy", "certify", "decide", "derive", "prove"):
        return list(arguments)
    return [f" {one}" if one[:1] == "-" and one[1:2] not in ("", "-") and one != "-h" else one for one in arguments]


class _PrintCompletion(argparse.Action):
    """Print a script that completes commands, options, files and the IDs of the claims."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: object, values: Any, option: object = None) -> None:
        import shtab

        from softmax_trick.proofs import CLAIMS

        ids = " ".join(CLAIMS)
        functions = {
            "bash": f'{verify.CLAIM_IDS}() {{ compgen -W "{ids}" -- "$1"; }}',
            "zsh": f"{verify.CLAIM_IDS}() {{ compadd {ids} }}",
        }
        emit(shtab.complete(parser, values, preamble=functions[values]) + "\n")
        parser.exit()


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
    for command in (verify, certify, decide, derive, prove, accuracy, mutants, sweep, report, build_native):
        command.add(commands)
    commands.add_parser("train", help="train a network of the paper, as python -m softmax_trick.train does")
    return parser


if __name__ == "__main__":
    sys.exit(main())
