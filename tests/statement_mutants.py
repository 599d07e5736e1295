"""Statements made false on purpose: one change to one place of a formula, of the kinds that people slip in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from softmax_trick.language import expression as ex
from softmax_trick.language.functions import exp, mean, total
from softmax_trick.language.grammar import Statement, read_equation
from softmax_trick.language.proposition import And, Exists, ForAll, Iff, Implies, Proposition, Quantified, Related
from softmax_trick.language.text import bare
from softmax_trick.statements.nearest import slips, usual_factors

DATA = Path(__file__).parent / "data"


def statements(*names: str) -> Iterator[tuple[str, Statement, bool]]:
    """The statements of tests/data: name, what was read, and whether it is true."""
    for name in names:
        for line in (DATA / name).read_text().splitlines():
            if line and not line.startswith("#"):
                label, left, right, let, truth = line.split("\t")
                yield label, read_equation(left, right, let), truth == "true"


def mutants(expression: ex.Expression) -> Iterator[ex.Expression]:
    """Every formula that differs from this one by one slip."""
    for changed in _slips(expression):
        if changed.axes == expression.axes:
            yield changed
    for place, child in enumerate(expression.children):
        if isinstance(expression, ex.Derivative) and place == 1:
            continue  # what it is a derivative by
        for changed in mutants(child):
            count = -1

            def change(one: ex.Expression, place: int = place, changed: ex.Expression = changed) -> ex.Expression:
                nonlocal count
                count += 1
                return changed if count == place else one

            if isinstance(expression, ex.Definition):
                yield changed  # another meaning, and so another name
            else:
                yield expression.rebuilt(change)


def _slips(node: ex.Expression) -> Iterator[ex.Expression]:
    match node:
        case ex.Number(value):
            yield ex.as_expression(value + 1)
            yield ex.as_expression(-value)
        case ex.Apply("add", (u, v)):
            yield u - v
            yield from (one for one in (u, v) if one.axes == node.axes)
        case ex.Apply("subtract", (u, v)):
            yield u + v
            yield from (one for one in (u, v) if one.axes == node.axes)
            if v.axes == u.axes:
                yield v - u
        case ex.Apply("multiply", (u, v)):
            yield from (one for one in (u, v) if one.axes == node.axes)
            if u.axes == v.axes and len(u.axes) == 2 and ex.size_of(u.axes[0]) == ex.size_of(u.axes[1]):
                yield u @ v
        case ex.Apply("divide", (u, v)):
            yield u * v
            yield u
        case ex.Apply("power", (u, v)):
            yield u
            yield u ** (v + 1)
        case ex.Apply("negative", (u,)):
            yield u
        case ex.Apply("less", (u, v)) if u.axes == v.axes:
            yield ex.entrywise("less", v, u)
        case ex.Apply("tanh" | "sigmoid" | "relu" | "softplus" as name, (u,)):
            yield ex.entrywise({"tanh": "sigmoid", "sigmoid": "tanh", "relu": "abs", "softplus": "relu"}[name], u)
            yield u
        case ex.Call("softmax", (u, *_)):
            yield exp(u)
            if len(u.axes) == 2 and u.axes[0] != u.axes[1] and ex.size_of(u.axes[0]) == ex.size_of(u.axes[1]):
                yield from (ex.Call("softmax", node.arguments, (1 - node.positions[0],), node.axes),)
        case ex.Call("sum", (u,)) if len(node.positions) == len(u.axes):
            yield mean(u)
        case ex.Call("mean", (u,)) if len(node.positions) == len(u.axes):
            yield total(u)
        case ex.Call("logsumexp", (u,)) if len(u.axes) == 1:
            yield total(u)
        case ex.Transpose(u):
            yield u
        case ex.MatMul(u, v):
            square = all(len(one.axes) == 2 and ex.size_of(one.axes[0]) == ex.size_of(one.axes[1]) for one in (u, v))
            if square:
                yield v @ u
        case ex.Delta():
            yield ex.as_expression(1)
            yield ex.as_expression(0)
        case ex.Entry(u, (i, j)) if i.axis == j.axis and i != j:
            yield ex.Entry(u, (j, i))
        case ex.Comprehension((i, j), body) if i.axis == j.axis:
            yield ex.Comprehension((j, i), body)
    if (
        len(node.axes) == 2
        and ex.size_of(node.axes[0]) == ex.size_of(node.axes[1])
        and not isinstance(node, ex.Transpose)
    ):
        yield node.T
    if isinstance(node, ex.Variable) and len(node.axes) == 1 and node.kind != "label":
        yield 2 * node
        yield node - node / node  # something else, and as large


def false_or_equal(statement: Statement) -> Iterator[tuple[ex.Expression, ex.Expression]]:
    """The statement with one slip on either side; most are false, some say the same."""
    left, right = statement.expressions
    for one in mutants(right):
        yield left, one
    for one in mutants(left):
        yield one, right


def with_a_slip(said: Proposition) -> Iterator[Proposition]:
    """Every statement with words that differs from this one by one slip: in a formula, or in its logic."""
    match said:
        case Related("==", (left, right)):
            left, right = bare(left), bare(right)
            found = [*slips(right, left, list(usual_factors(left, right)))]
            yield from (Related("==", (left, one.formula)) for one in found)
            yield Related("==", (left, right + 1))
        case Related(relation, sides) if relation in TURNED:
            yield Related(TURNED[relation], sides)
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


TURNED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _with_part(said: Proposition, place: int, part: Proposition) -> Proposition:
    parts = (*said.parts[:place], part, *said.parts[place + 1 :])
    match said:
        case And() | Iff():
            return type(said)(parts)
        case Quantified(binds, _):
            return type(said)(binds, part)
    return type(said)(*parts)
