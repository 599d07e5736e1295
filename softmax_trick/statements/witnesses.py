"""What might be put in for something that is said to exist: solutions of the equations in which it stands, numbers
between its bounds, small numbers. Whether one of them does is for the proof to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, islice, product

from softmax_trick.language.expression import Apply, Expression, Number, Variable, as_expression
from softmax_trick.language.proposition import (
    Exists,
    ForAll,
    Iff,
    Implies,
    Not,
    Proposition,
    Quantified,
    Related,
    name_of,
    names_in,
)
from softmax_trick.language.text import bare, to_text

SMALL = (*map(Fraction, (0, 1, -1, 2, -2)), Fraction(1, 2))
MOST_FOR_ONE = 20
MOST = 40


def choices(said: Proposition, known: frozenset[str]) -> Iterator[dict[str, str]]:
    """What to put in for all that a statement says to exist, but for names that are known, by name, as texts."""
    asked = {one.name: (one, body) for one, body in _asked_for(said, True) if one.name not in known}
    if asked:
        several = [[(name, text) for text in _texts(*one)] for name, one in asked.items()]
        yield from map(dict, islice(product(*several), MOST))


def _asked_for(node: Proposition, positive: bool) -> Iterator[tuple[Variable, Proposition]]:
    """The variables that a proof of a statement has to name, each with what is said of it."""
    if isinstance(node, Quantified) and isinstance(node, Exists if positive else ForAll):
        yield from ((one, node.body) for one in node.binds if isinstance(one, Variable) and one.kind != "label")
    for place, part in enumerate(node.parts):
        turned = isinstance(node, Not) or (isinstance(node, Implies) and place == 0)
        yield from _asked_for(part, positive != turned)
        if isinstance(node, Iff):
            yield from _asked_for(part, not positive)


def _texts(one: Variable, body: Proposition) -> list[str]:
    bound = {name_of(other) for node in body.nodes() if isinstance(node, Quantified) for other in node.binds}
    found = dict.fromkeys(to_text(value) for value in _values(one, body) if not names_in(value) & bound)
    return list(found)[:MOST_FOR_ONE]


def _values(one: Variable, body: Proposition) -> Iterator[Expression]:
    """Values for a name: where the sides of a relation are equal, between two such, beside one, small numbers."""
    equal: dict[Expression, None] = {}
    bounds: dict[Expression, None] = {}
    for node in body.nodes():
        match node:
            case Related("==" | "!=" | "<" | "<=" | ">" | ">=", (left, right)):
                found = [value for u, v in ((left, right), (right, left)) for value in _isolated(one, bare(u), bare(v))]
                (equal if node.relation == "==" else bounds).update(dict.fromkeys(found))
    yield from equal
    yield from ((u + v) / 2 for u, v in combinations(bounds, 2))
    yield from (u + step for u in bounds for step in (0, 1, -1))
    yield from (Apply("abs", (u,), u.axes) + 1 for u in bounds)
    yield from map(Number, SMALL)


def _isolated(name: Variable, side: Expression, other: Expression) -> Iterator[Expression]:
    """What a name is, of which one side is made and the other is not."""
    if name.name in names_in(other) or name.name not in names_in(side):
        return
    if side == name:
        yield other
    match side:
        case Apply("add", (u, v)):
            yield from (*_isolated(name, u, _less(other, v)), *_isolated(name, v, _less(other, u)))
        case Apply("subtract", (u, v)):
            yield from (*_isolated(name, u, _plus(other, v)), *_isolated(name, v, _less(u, other)))
        case Apply("negative", (u,)):
            yield from _isolated(name, u, _less(as_expression(0), other))
        case Apply("multiply", (u, v)) if u == v:
            yield from _isolated(name, u, Apply("sqrt", (other,), other.axes))
        case Apply("multiply", (u, v)):
            yield from (*_isolated(name, u, _over(other, v)), *_isolated(name, v, _over(other, u)))
        case Apply("divide", (u, v)):
            yield from (*_isolated(name, u, other * v), *_isolated(name, v, _over(u, other)))
        case Apply("square", (u,)) | Apply("power", (u, Number(2))):
            yield from _isolated(name, u, Apply("sqrt", (other,), other.axes))
        case Apply("exp" | "log" as function, (u,)):
            yield from _isolated(name, u, Apply("log" if function == "exp" else "exp", (other,), other.axes))
        case Apply("sqrt", (u,)):
            yield from _isolated(name, u, other * other)


def _plus(u: Expression, v: Expression) -> Expression:
    return u if v == as_expression(0) else v if u == as_expression(0) else u + v


def _less(u: Expression, v: Expression) -> Expression:
    return u if v == as_expression(0) else -v if u == as_expression(0) else u - v


def _over(u: Expression, v: Expression) -> Expression:
    return u if v == as_expression(1) else u / v
