"""`softmax-trick prove`: whether torch code computes the gradient of what it computes, from the command line."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.output import (
    DIFFERENT,
    FILES,
    OK,
    UNDECIDED,
    WrongUsage,
    check_writable,
    write,
)
from softmax_trick.system.extras import demand
from softmax_trick.system.limited import Trouble, within
from softmax_trick.system.terminal import say

if TYPE_CHECKING:
    from softmax_trick.proving.result import Proof

STATUS = {"proved": OK, "refuted": DIFFERENT, "undecided": UNDECIDED}


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    prove = commands.add_parser(
        "prove",
        help="prove the gradient of torch code, for every size",
        description="Decide whether the backward pass of torch code (a function, an autograd.Function or a module) is "
        "grad_output times the gradient of its forward pass, over the real numbers, for every size of its inputs. The "
        "code is imported, traced and run.",
        epilog="Inputs are declared in order, or by their names: 'scores: n,K; targets: label n of K; gamma = 2'; "
        "docs/proving.md has the rest. Exit status: 0 if all is proved; 1 if a gradient is wrong, with inputs at which "
        "it is; 3 if it is undecided; 2 for wrong usage. The second derivatives are reported, and change no status.",
    )
    prove.add_argument("function", metavar="MODULE:FUNCTION", help="what is proved, such as my_package.losses:focal")
    prove.add_argument("--inputs", required=True, metavar="DECLARATIONS", help="what it takes, see below")
    like = "a formula in the names of the inputs, which value and gradient are compared with, too"
    prove.add_argument("--like", metavar="FORMULA", help=like)
    prove.add_argument("--believed", action="store_true", help="say what one must believe")
    limit = "after which it is undecided (default: 60); a third of it for second derivatives"
    prove.add_argument("--time-limit", type=float, default=60.0, metavar="SECONDS", help=limit)
    output = prove.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")
    output.complete = FILES
    prove.set_defaults(run=run, if_interrupted="")


def run(options: argparse.Namespace) -> int:
    """Read everything, then prove, then write."""
    from softmax_trick.proving.inputs import DeclarationError, read_inputs

    if not options.time_limit > 0:
        raise WrongUsage(f"--time-limit {options.time_limit:g}: a positive number of seconds is needed")
    if options.json:
        check_writable(options.json)
    try:
        declared = read_inputs(options.inputs)
    except DeclarationError as error:
        raise WrongUsage(f"--inputs: {error}") from error
    demand("softmax-trick prove", "torch")
    found = within(options.time_limit, _proved, options.function, options.inputs, options.like, options.time_limit)
    if isinstance(found, WrongUsage):
        raise found
    if isinstance(found, Trouble):
        found = _undecided(options.function, {one.name: str(one) for one in declared.inputs}, found.reason)
    if options.json != "-":
        lines = [str(found)]
        if options.believed:
            lines += [f"believed: {one}" for one in found.believed]
        say("\n".join(lines))
    if options.json and not write(json.dumps(found.as_json(), indent=2) + "\n", options.json):
        return DIFFERENT
    return STATUS[found.verdict]


def _proved(function: str, inputs: str, like: str | None, seconds: float) -> Proof | WrongUsage:
    import torch

    from softmax_trick.language.expression import LanguageError
    from softmax_trick.proving.inputs import DeclarationError
    from softmax_trick.proving.proof import prove_gradient
    from softmax_trick.proving.target import TargetError, load

    torch.set_num_threads(1)
    try:
        name = function.partition(":")[2]
        return prove_gradient(load(function), inputs, like=like, name=name, second_limit=seconds / 3)
    except (DeclarationError, TargetError) as error:
        return WrongUsage(str(error))
    except LanguageError as error:
        return WrongUsage(f"--like: {error}")


def _undecided(function: str, inputs: dict[str, str], reason: str) -> Proof:
    from softmax_trick.proving.result import Finding, Proof

    remedy = "softmax_trick.testing.check_loss samples what cannot be proved"
    return Proof(function, inputs, "", (Finding("gradient", "undecided", f"{reason}; {remedy}"),))
