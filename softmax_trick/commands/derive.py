"""`softmax-trick derive`: the derivatives of a formula in its own terms, for every size, from the command line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.output import DIFFERENT, FILES, OK, UNDECIDED, WrongUsage, check_outputs, write
from softmax_trick.language.names import names_in_words
from softmax_trick.system.limited import Trouble, within
from softmax_trick.system.terminal import say

if TYPE_CHECKING:
    from softmax_trick.derivation.derivation import Derivation, Question
    from softmax_trick.language.grammar import Statement


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    derive = commands.add_parser(
        "derive",
        help="derive the gradient of a formula, for every size, and prove it",
        description="Derive the gradient of a formula (of a vector the Jacobian and its product with a vector, vjp), "
        "for every size, in the terms of the formula. What is printed was proved equal to the raw derivative. Names "
        "that are not declared are read as the formula forces it, else as scalars; how each was read comes first.",
        epilog="The language of the formulas is in docs/language.md, examples in docs/derive.md. Names that --let "
        "defines are used where they make the result shorter. Exit status: 0 if every derivative was found and "
        "proved; 3 if not; 2 for wrong usage.",
    )
    derive.add_argument("formula", metavar="FORMULA", help="a scalar, or a vector or matrix")
    derive.add_argument("--by", required=True, metavar="NAME", help="the variable")
    let = "what names are: 'x: K; c: label K; C: positive; y = softmax(d*x)'; may be repeated"
    derive.add_argument("--let", action="append", default=[], metavar="DECLARATIONS", help=let)
    derive.add_argument("--hessian", action="store_true", help="the Hessian of a scalar too")
    derive.add_argument("--latex", action="store_true", help="print LaTeX: the lines of an aligned block")
    derive.add_argument("--steps", action="store_true", help="show the reductions that prove it")
    emit = "write the value and the proved gradient as a module for this framework"
    derive.add_argument("--emit", choices=("torch", "jax", "numpy"), help=emit)
    module = derive.add_argument(
        "--out", metavar="FILE", help="where --emit writes the module (default: standard output)"
    )
    test = derive.add_argument("--test", metavar="FILE", help="write the test of the module in --out, for pytest")
    module.complete = test.complete = FILES
    limit = "after which it is undecided (default: 60)"
    derive.add_argument("--time-limit", type=float, default=60.0, metavar="SECONDS", help=limit)
    output = derive.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")
    output.complete = FILES
    derive.set_defaults(run=run, if_interrupted="")


def run(options: argparse.Namespace) -> int:
    """Read everything, then derive, then write."""
    if not options.time_limit > 0:
        raise WrongUsage(f"--time-limit {options.time_limit:g}: a positive number of seconds is needed")
    _check_outputs(options)
    question = _read(options)
    found = within(options.time_limit, _derived, question, options.hessian, not options.emit)
    proved = not isinstance(found, Trouble) and found.complete
    if options.emit and proved and not _emitted(options, question.statement, found):
        return DIFFERENT
    if options.json != "-" and not (options.emit and proved and options.out in (None, "-")):
        say(in_words(question, found, latex=options.latex, steps=options.steps))
    if options.json and not write(json.dumps(as_json(question, found), indent=2) + "\n", options.json):
        return DIFFERENT
    return OK if proved else UNDECIDED


def _check_outputs(options: argparse.Namespace) -> None:
    """Before the work: do the options for files go together, and can the files be written?

    Raises:
        WrongUsage: no.
    """
    if (options.out or options.test) and not options.emit:
        raise WrongUsage("--out and --test are for the module that --emit writes: add --emit torch, jax or numpy")
    if options.test:
        if not options.out or options.out == "-":
            raise WrongUsage("--test imports the module: say with --out in which file it is")
        if not Path(options.out).stem.isidentifier():
            raise WrongUsage(f"--test could not import {options.out}: its name is no name of a module")
        if Path(options.test).absolute() == Path(options.out).absolute():
            raise WrongUsage(f"--test and --out are the same file, {options.out}")
    module = options.out or ("-" if options.emit else None)
    check_outputs([file for file in (options.json, module, options.test) if file])


def _emitted(options: argparse.Namespace, statement: Statement, found: Derivation) -> bool:
    """Write the module and its test, once both are there; whether that succeeded.

    Raises:
        WrongUsage: the formula has no array form.
    """
    from softmax_trick.emission.array_code import Unemittable
    from softmax_trick.emission.generated_test import emit_test
    from softmax_trick.emission.module import emit

    try:
        texts = {options.out or "-": emit(found, options.emit, statement.sizes)}
        if options.test:
            texts[options.test] = emit_test(found, options.emit, Path(options.out).stem, statement.sizes)
    except Unemittable as error:
        raise WrongUsage(f"--emit {options.emit}: {error}") from error
    return all(write(text, file) for file, text in texts.items())


def _read(options: argparse.Namespace) -> Question:
    from softmax_trick.derivation.derivation import read_question
    from softmax_trick.language.expression import LanguageError

    try:
        return read_question(options.formula, options.by, "; ".join(options.let), options.hessian)
    except LanguageError as error:
        raise WrongUsage(str(error)) from error


def _derived(question: Question, second: bool, facts: bool) -> Derivation:
    from softmax_trick.derivation.derivation import derive

    statement, function = question.statement, question.function
    names, sizes = statement.definitions, statement.sizes
    return derive(function, question.by, names=names, second=second, facts=facts, sizes=sizes)


# --- what is shown ----------------------------------------------------------------------------------------------------


def in_words(question: Question, found: Derivation | Trouble, *, latex: bool = False, steps: bool = False) -> str:
    """How the names were read; then the derivatives, for which sizes they hold, and what follows."""
    readings = names_in_words(question.statement.readings)
    if isinstance(found, Trouble):
        return f"{readings}\nundecided: {found.reason}"
    lines = [f"% {readings}", found.latex] if latex else [readings, repr(found)]
    if steps:
        for kind, form in found.forms.items():
            lines += [f"  {kind}: {step}" for step in (form.decision.steps if form.decision else ())]
    return "\n".join(lines)


def as_json(question: Question, found: Derivation | Trouble) -> dict[str, Any]:
    """The result as JSON, of the form of derivation.schema.json."""
    from softmax_trick.language.latex import to_latex
    from softmax_trick.language.text import to_text

    head = {
        "formula": to_text(question.function),
        "by": question.by.name,
        "names": dict(question.statement.readings),
    }
    if isinstance(found, Trouble):
        return {**head, "verdict": "undecided", "reason": found.reason, "derivatives": [], "facts": [], "seconds": 0.0}
    derivatives = [
        {
            "kind": kind,
            "text": None if form.form is None else form.text,
            "latex": None if form.form is None else to_latex(form.form),
            "verdict": "undecided" if form.form is None else "proved",
            "scope": form.decision.scope if form.decision else "",
            "conditions": list(form.decision.conditions) if form.decision else [],
            "reason": form.reason,
            "steps": list(form.decision.steps) if form.decision else [],
        }
        for kind, form in found.forms.items()
    ]
    return {
        **head,
        "verdict": "proved" if found.complete else "undecided",
        "reason": "; ".join(f"{one['kind']}: {one['reason']}" for one in derivatives if one["verdict"] != "proved"),
        "derivatives": derivatives,
        "facts": [{"text": fact.text, "rung": fact.rung, "because": fact.because} for fact in found.facts],
        "seconds": found.seconds,
    }
