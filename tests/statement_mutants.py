"""Statements made false on purpose: one change to one place of a formula, of the kinds that people slip in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from softmax_trick.language.grammar import Statement, read_equation
from softmax_trick.language.proposition import And, Exists, ForAll, Iff, Implies, Proposition, Quantified, Related
from softmax_trick.ledger.slips import slips

DATA = Path(__file__).parent / "data"


def statements(*names: str) -> Iterator[tuple[str, Statement, bool]]:
    """The statements of tests/data: name, what was read, and whether it is true."""
    for name in names:
        for line in (DATA / name).read_text().splitlines():
            if line and not line.startswith("#"):
                label, left, right, let, truth = line.split("\t")
                yield label, read_equation(left, right, let), truth == "true"


def with_a_slip(said: Proposition) -> Iterator[Proposition]:
    """Every statement with words that differs from this one by one slip: in a formula, or in its logic."""
    match said:
        case Related():
            yield from (false for _, false in slips(said))
        case Implies(premise, conclusion):
            yield conclusion
            yield Implies(conclusion, premise)
        case And((first, *rest)):
            yield from (first, *rest)
        case Exists(binds, ForAll(inner, body)):
            yield ForAll(binds, Exists(inner, body))
    for place, part in enumerate(said.parts):
        for changed in with_a_slip(part):
            yield _with_part(said, place, changed)


def _with_part(said: Proposition, place: int, part: Proposition) -> Proposition:
    parts = (*said.parts[:place], part, *said.parts[place + 1 :])
    match said:
        case And() | Iff():
            return type(said)(parts)
        case Quantified(binds, _):
            return type(said)(binds, part)
    return type(said)(*parts)
