"""`softmax-trick decide`: whether two formulas are equal, for every size, from the command line."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.output import (
    DIFFERENT,
    FILES,
    OK,
    UNDECIDED,
    WrongUsage,
    check_writable,
    width_of,
    write,
)
from softmax_trick.deciding.words import counterexample, verdict_in_words, where
from softmax_trick.language.names import names_in_words
from softmax_trick.system import limited
from softmax_trick.system.terminal import say

if TYPE_CHECKING:
    from softmax_trick.deciding.decision import Decision
    from softmax_trick.language.grammar import Statement

STATUS = {"proved": OK, "refuted": DIFFERENT, "undecided": UNDECIDED}
COLUMNS = ("id", "left", "right", "let", "truth")


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    decide = commands.add_parser(
        "decide",
        help="decide whether two formulas are equal, for every size",
        description="Decide whether two formulas are equal at every point at which both are defined, for every size of "
        "their axes: vectors, matrices, labels, gradients and Jacobians among them; or a statement in one text, "
        "'a == b', 'a <= b', 'psd(M)', 'conservative(F, x)', or what and, not, implies, iff, for all and exists make "
        "of such. Names that are not declared are read as the formulas force it, else as scalars; how each was read is "
        "the first line.",
        epilog="The language of the formulas is in docs/language.md. A file has a pair a line, LEFT, RIGHT and perhaps "
        "LET, with tabs between them, or names its columns in a first line such as '# id left right let'. Exit status: "
        "0 if the two are equal; 1 if they are not, with a point at which they differ; 3 if it is undecided; 2 for "
        "wrong usage; of several pairs 1 if one is not equal, else 3 if one is undecided.",
    )
    decide.add_argument("left", nargs="?", metavar="LEFT", help="a formula; without RIGHT, a statement")
    decide.add_argument("right", nargs="?", metavar="RIGHT", help="the other formula")
    let = "what names are: 'x: K; c: label K; C: positive; y = softmax(d*x); K = 3'; may be repeated"
    decide.add_argument("--let", action="append", default=[], metavar="DECLARATIONS", help=let)
    putting = "what is put in for what a statement says to exist, or for an unknown function: 'd = ones(K)', 'F(x) = x'"
    decide.add_argument("--with", dest="putting", action="append", default=[], metavar="VALUES", help=putting)
    file = decide.add_argument("--file", type=Path, metavar="FILE", help="a table of pairs, instead of LEFT and RIGHT")
    decide.add_argument("--steps", action="store_true", help="show the reduction")
    limit = "for each pair; then it is undecided (default: 60)"
    decide.add_argument("--time-limit", type=float, default=60.0, metavar="SECONDS", help=limit)
    output = decide.add_argument("--json", metavar="FILE", help="write the decision as JSON; - is standard output")
    file.complete = output.complete = FILES
    decide.set_defaults(run=run, if_interrupted="")


def run(options: argparse.Namespace) -> int:
    """Read everything, then decide, then write."""
    if not options.time_limit > 0:
        raise WrongUsage(f"--time-limit {options.time_limit:g}: a positive number of seconds is needed")
    if bool(options.file) == (options.left is not None):
        raise WrongUsage("give LEFT and RIGHT, or a table of pairs with --file: one of the two")
    if options.file and options.putting:
        raise WrongUsage("--with goes with one statement, not with a table of pairs")
    if options.json:
        check_writable(options.json)
    pairs = _pairs_of(options.file, options.let) if options.file else [_pair(options)]
    putting = "; ".join(options.putting), "; ".join(options.let)
    decisions = []
    for pair in pairs:
        decision = within(options.time_limit, pair.statement, *putting)
        decisions.append(decision)
        if not options.file and options.json != "-":
            say(in_words(pair.statement, decision, options.steps))
    if options.file:
        _show_table(pairs, decisions, options)
    if options.json:
        found = [as_json(pair, decision) for pair, decision in zip(pairs, decisions, strict=True)]
        if not write(json.dumps(found if options.file else found[0], indent=2) + "\n", options.json):
            return DIFFERENT
    statuses = {STATUS[decision.verdict] for decision in decisions}
    return next(status for status in (DIFFERENT, UNDECIDED, OK) if status in statuses)


# --- what is decided --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two formulas, with what a table says of them.

    Attributes:
        statement: the formulas.
        id: their name; else "".
        truth: whether the table says that they are equal: "true", "false" or "".
    """

    statement: Statement
    id: str = ""
    truth: str = ""


def _pair(options: argparse.Namespace) -> Pair:
    return Pair(_equation(options.left, options.right, "; ".join(options.let)))


def _equation(left: str, right: str | None, let: str) -> Statement:
    from softmax_trick.language.expression import LanguageError
    from softmax_trick.language.grammar import read_equation

    try:
        statement = read_equation(left, right, let)
    except LanguageError as error:
        raise WrongUsage(str(error)) from error
    return statement


def _pairs_of(file: Path, let: Sequence[str]) -> list[Pair]:
    """The pairs of a table; all are read before one is decided."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"cannot read {file}: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}") from error
    columns: tuple[str, ...] = ()
    pairs: list[Pair] = []
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if line.startswith("#"):
            names = tuple(line[1:].split())
            columns = names if not pairs and {"left", "right"} <= set(names) else columns
            continue
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        wanted = columns or COLUMNS[1:4]
        if not 2 <= len(cells) <= len(wanted):
            raise WrongUsage(
                f"{where}: {len(cells)} columns; expected {', '.join(wanted)}, with tabs between them (a first line "
                "such as '# id left right let' names other columns)"
            )
        row = dict(zip(wanted, cells, strict=False))
        try:
            statement = _equation(row["left"], row["right"], "; ".join([*let, row.get("let", "")]))
        except (WrongUsage, KeyError) as error:
            raise WrongUsage(f"{where}: {error}") from error
        pairs.append(Pair(statement, row.get("id", ""), row.get("truth", "")))
    if not pairs:
        raise WrongUsage(f"{file}: there is no pair in it")
    return pairs


def within(time_limit: float, statement: Statement, putting: str = "", let: str = "") -> Decision:
    """Decide in a process of its own, which is ended when the limit is reached.

    Raises:
        WrongUsage: the two have no meaning beside each other, or what is put in has none.
    """
    from softmax_trick.deciding.decision import Decision
    from softmax_trick.language.expression import LanguageError

    found = limited.within(time_limit, _decided, statement, putting, let)
    match found:
        case Decision():
            return found
        case LanguageError():
            raise WrongUsage(str(found))
    reason = found.reason
    return Decision("undecided", "", reason=reason, seconds=time_limit if "limit" in reason else 0.0)


def _decided(statement: Statement, putting: str, let: str) -> Decision | ValueError:
    from softmax_trick.language.expression import LanguageError
    from softmax_trick.statements.putting import Putting
    from softmax_trick.statements.statement import decide_statement

    try:
        return decide_statement(statement, putting=Putting.of(putting, let))
    except LanguageError as error:
        return error


# --- what is shown ----------------------------------------------------------------------------------------------------


def in_words(statement: Statement, decision: Decision, steps: bool = False) -> str:
    """How the names were read; then the decision, with its conditions, its counterexample or its reason."""
    lines = [names_in_words(statement.readings)]
    if steps:
        lines += [f"  {step}" for step in decision.steps]
    return "\n".join(line for line in (*lines, str(decision)) if line)


def _show_table(pairs: Sequence[Pair], decisions: Sequence[Decision], options: argparse.Namespace) -> None:
    """A row a pair, on standard output, or on standard error where JSON goes to it."""
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from softmax_trick.language.text import statement_to_text, to_text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pair", "names", "left", "right", "verdict", "scope, counterexample or reason"):
        table.add_column(heading, no_wrap=heading == "verdict")
    table.add_column("seconds", justify="right")
    for number, (pair, decision) in enumerate(zip(pairs, decisions, strict=True), 1):
        statement = pair.statement
        left, *others = map(to_text, statement.expressions) if statement.relation else [statement_to_text(statement)]
        right = ", ".join(others)
        verdict = verdict_in_words(decision)
        if pair.truth and (pair.truth == "true") != (decision.verdict == "proved"):
            verdict += f" (the table says {pair.truth})"
        cells = [
            pair.id or str(number),
            names_in_words(pair.statement.readings),
            left,
            right,
            verdict,
            _briefly(decision),
            f"{decision.seconds:.2f}",
        ]
        table.add_row(*map(Text, cells))
    counts = Counter(verdict_in_words(one) for one in decisions)
    console = Console(width=width_of(sys.stdout), stderr=options.json == "-")
    console.print(table)
    console.print(Text(", ".join(f"{count} {word}" for word, count in counts.most_common())))


def _briefly(decision: Decision) -> str:
    match decision.verdict:
        case "proved":
            return decision.scope + where(decision.conditions)
        case "refuted":
            return "; ".join(line.strip() for line in counterexample(decision)[1:])
    return decision.reason


def as_json(pair: Pair, decision: Decision) -> dict[str, Any]:
    """The decision as JSON, of the form of decision.schema.json."""
    from softmax_trick.language.text import statement_to_text, to_text

    statement = pair.statement
    sides = map(to_text, statement.expressions) if statement.relation else [statement_to_text(statement)]
    left, *others = sides
    witness = decision.witness
    return {
        **({"id": pair.id} if pair.id else {}),
        "relation": pair.statement.relation,
        "left": left,
        "right": others[0] if others else None,
        "verdict": decision.verdict,
        "scope": decision.scope,
        "names": dict(pair.statement.readings),
        "conditions": list(decision.conditions),
        "witness": None
        if witness is None
        else {
            "sizes": witness.sizes,
            "indices": witness.indices,
            "position": list(witness.position),
            "values": _exact(witness.values),
            "left": witness.left,
            "right": witness.right,
        },
        "nearest": None if decision.nearest is None else to_text(decision.nearest),
        "slip": decision.slip or None,
        "put": list(decision.put),
        "reason": decision.reason,
        "steps": list(decision.steps),
        "seconds": decision.seconds,
    }


def _exact(value: Any) -> Any:
    """Whole numbers as they are, fractions as "1/2", in lists as nested as before."""
    match value:
        case Mapping():
            return {name: _exact(one) for name, one in value.items()}
        case list() | tuple():
            return [_exact(one) for one in value]
        case Fraction() if value.denominator > 1:
            return str(value)
    return int(value)
