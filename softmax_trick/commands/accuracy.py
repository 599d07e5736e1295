"""`softmax-trick accuracy`: how many ulps a loss is off, by dtype and kind of scores, from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.arguments import count, seed
from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, check_outputs, write
from softmax_trick.system.extras import demand
from softmax_trick.system.terminal import say

if TYPE_CHECKING:
    from softmax_trick.testing.ulps import Accuracy


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    accuracy = commands.add_parser(
        "accuracy",
        help="measure how far rounding leads a loss from its formula",
        description="Measure by how many ulps the value and the gradient of a loss differ from its formula, enclosed "
        "by Arb at the exact inputs, by dtype and by kind of scores; and how much that is of what rounding explains. "
        "Above 1 it is a bug, or an intermediate result that overflows. The code is imported and run.",
        epilog="Formulas and the losses that have a name are in docs/testing.md. Exit status: 0 if all is within what "
        "rounding explains; 1 if not; 2 for wrong usage.",
    )
    accuracy.add_argument("function", metavar="MODULE:FUNCTION", help="the loss, of scores (n, K) and targets")
    like = "what it ought to be: a formula, or the name of a loss, such as focal"
    accuracy.add_argument("--like", required=True, metavar="FORMULA", help=like)
    accuracy.add_argument("--let", action="append", default=[], metavar="DECLARATIONS", help="what its names are")
    parameter = "the value of a name of the formula; may be repeated"
    accuracy.add_argument("--parameter", action="append", default=[], metavar="NAME=NUMBER", help=parameter)
    accuracy.add_argument("--framework", default="torch", choices=("torch", "numpy", "jax"), help="default: torch")
    half = "how half types are used: strict, float32 inside and one rounding; eager (default), every result rounded"
    accuracy.add_argument("--half", default="eager", choices=("eager", "strict"), help=half)
    accuracy.add_argument("--dtype", action="append", metavar="NAME", help="this dtype; may be repeated (default: all)")
    accuracy.add_argument("--cases", type=count, default=400, metavar="N", help="rows in each dtype (default: 400)")
    accuracy.add_argument("--seed", type=seed, default=0, metavar="S", help="of the chance by which rows are drawn")
    output = accuracy.add_argument("--json", metavar="FILE", help="write the table as JSON; - is standard output")
    plot = accuracy.add_argument("--plot", metavar="FILE", help="draw it into an SVG, PNG or PDF (needs matplotlib)")
    output.complete = plot.complete = FILES
    accuracy.set_defaults(run=run, if_interrupted="")


def run(options: argparse.Namespace) -> int:
    """Read everything, then measure, then write."""
    check_outputs([file for file in (options.json, options.plot) if file])
    if options.plot and options.plot.rpartition(".")[2].lower() not in ("svg", "png", "pdf"):
        raise WrongUsage(f"--plot {options.plot}: its name must end in .svg, .png or .pdf")
    demand("softmax-trick accuracy", "torch", "hypothesis")
    found = _measured(options)
    if options.json != "-":
        say(str(found))
    written = not options.json or write(json.dumps(found.as_json(), indent=2) + "\n", options.json)
    if options.plot:
        from softmax_trick.report.ulps import draw

        draw(found, options.plot)
    return OK if written and not any(found.rejected.values()) else DIFFERENT


def _measured(options: argparse.Namespace) -> Accuracy:
    from softmax_trick.certification.black_box import BlackBoxError, load_function
    from softmax_trick.testing import accuracy
    from softmax_trick.testing.ulps import DTYPES

    parameters = dict(map(_parameter, options.parameter))
    sys.path.insert(0, "")  # as python -m does
    try:
        return accuracy(
            load_function(options.function),
            options.like.strip(),
            let="; ".join(options.let),
            parameters=parameters,
            framework=options.framework,
            half=options.half,
            dtypes=options.dtype or DTYPES,
            cases=options.cases,
            seed=options.seed,
        )
    except (BlackBoxError, ValueError) as error:
        raise WrongUsage(str(error)) from error


def _parameter(text: str) -> tuple[str, float | int]:
    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        raise WrongUsage(f"--parameter {text!r}: NAME=NUMBER is needed, such as z=0.0001") from None
    return name.strip(), int(value) if value.is_integer() else value
