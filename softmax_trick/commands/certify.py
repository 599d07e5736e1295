"""`softmax-trick certify`: the properties of a normalizer, from a formula or from code."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, check_writable, width_of, write
from softmax_trick.system.extras import demand

if TYPE_CHECKING:
    from softmax_trick.certification.certificate import Certificate


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
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
    certify.set_defaults(run=run, if_interrupted="")


def run(options: argparse.Namespace) -> int:
    """Read everything, then do it; returns the exit status."""
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
    if options.positive or options.let:
        raise WrongUsage("--positive and --let belong to formulas: code has no parameters")
    if options.k is None or options.k < 1:
        raise WrongUsage("--torch needs --k, the number of classes, at least 1")
    demand("softmax-trick certify --torch", "torch")
    from softmax_trick.certification.black_box import BlackBoxError, certify_torch, load_function

    sys.path.insert(0, "")  # as python -m does
    try:
        return certify_torch(load_function(options.torch), options.k)
    except BlackBoxError as error:
        raise WrongUsage(str(error)) from error
