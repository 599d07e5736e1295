"""Slips: the operators that make a false relation of a true one, by one change at one place of it.

Each takes a relation of the language and gives relations: a sign turned, a factor or an exponent put or forgotten, a
term dropped, an index, two axes or a mean and a sum taken for each other, a vector that is any other, an order turned.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Literal, get_args

from softmax_trick.deciding.ranges import range_of
from softmax_trick.language import expression as ex
from softmax_trick.language.functions import at_positions
from softmax_trick.language.proposition import OPPOSITE, Related, names_in, variables_in
from softmax_trick.language.substitution import Captured, substituted
from softmax_trick.language.text import bare
from softmax_trick.statements.nearest import places, tried

Kind = Literal[
    "sign",
    "factor",
    "term",
    "exponent",
    "index",
    "transpose",
    "axis",
    "reduction",
    "quantifier",
    "order",
    "hypothesis",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


def slips(said: Related) -> Iterator[tuple[Kind, Related]]:
    """Every relation that differs from a true one by one slip, with its kind; a few of them are as true."""
    if said.relation == "==":
        left, right = map(bare, said.sides)
        yield from ((kind, Related("==", (left, wrong))) for kind, wrong in _in_side(right, said))
        yield from ((kind, Related("==", (wrong, right))) for kind, wrong in _in_side(left, said))
        yield from _of_sums(left, right)
    elif said.relation in OPPOSITE:
        yield "order", Related(OPPOSITE[said.relation], said.sides)
    elif said.relation == "psd":
        yield "sign", Related("psd", (-said.sides[0],))
    else:
        field, by = said.sides
        yield "factor", Related("conservative", (field * ex.variable("weight", field.axes), by))


def _of_sums(left: ex.Expression, right: ex.Expression) -> Iterator[tuple[Kind, Related]]:
    """Weighted sums of the two sides, of which one is over the other axis, or a mean."""
    if not left.axes or left.axes != right.axes:
        return
    weights, size = ex.variable("weight", left.axes[-1:]), ex.Size(ex.size_of(left.axes[-1]))
    yield "reduction", Related("==", (left @ weights, right @ weights / size))
    if len(left.axes) == 2 and len(set(_sizes(left))) == 1:
        yield "axis", Related("==", (left @ weights, weights @ right))


def _in_side(side: ex.Expression, said: Related) -> Iterator[tuple[Kind, ex.Expression]]:
    """A side with one slip."""
    yield "sign", -side
    free = sorted(said.sides[0].free | said.sides[1].free, key=lambda index: index.name)
    for node, put in places(side):
        for kind, changed in _in_node(node, free):
            built = tried(put, changed) if _sizes(changed) == _sizes(node) else None
            if built is not None and _sizes(built) == _sizes(side) and built.free <= set(free):
                yield kind, built
    of_both = variables_in(said.sides[0]) & variables_in(said.sides[1])
    for one in sorted(of_both, key=lambda one: one.name):
        if one.kind != "label":
            with suppress(Captured):
                yield "quantifier", substituted(side, {one.name: _another(one, names_in(side))})


def _sizes(expression: ex.Expression) -> list[str]:
    return [ex.size_of(axis) for axis in expression.axes]


def _another(one: ex.Variable, taken: frozenset[str]) -> ex.Variable:
    """Another variable of the same kind."""
    while one.name in taken:
        one = replace(one, name=f"{one.name}'")
    return one


def _in_node(node: ex.Expression, free: list[ex.Index]) -> Iterator[tuple[Kind, ex.Expression]]:
    """A part of a formula with a slip in it; what has other axes is none."""
    match node:
        case ex.Apply("add" | "subtract" as function, (left, right)):
            yield "sign", ex.entrywise("add" if function == "subtract" else "subtract", left, right)
            yield from (("term", left), ("term", right))
        case ex.Apply("multiply", (left, right)):
            yield from (("factor", left), ("factor", right))
        case ex.Apply("divide", (left, right)):
            yield from (("factor", left), ("exponent", left * right))
        case ex.Apply("power", (base, power)):
            yield from (("exponent", base), ("exponent", ex.entrywise("power", base, power + 1)))
        case ex.Apply("negative", (argument,)):
            yield "sign", argument
        case ex.Call("sum" | "mean" as function, arguments, positions):
            yield "reduction", at_positions("mean" if function == "sum" else "sum", arguments, positions)
        case ex.Transpose(argument):
            yield "transpose", argument
        case ex.Outer(left, right) if left != right:
            yield "transpose", ex.outer(right, left)
        case ex.Variable() | ex.Definition() | ex.Derivative() | ex.Comprehension() if len(node.axes) == 2:
            yield "transpose", node.T
        case ex.MatMul(left, right):
            with suppress(ex.LanguageError):
                yield "transpose", ex.matmul(right, left)
            yield "reduction", node / ex.Size(ex.size_of(right.axes[0]))
        case ex.Delta():
            yield from (("term", ex.as_expression(0)), ("term", ex.as_expression(1)))
        case ex.Spread(argument, axis, position) if len(argument.axes) == 1:
            yield "axis", ex.Spread(argument, axis, 1 - position)
        case ex.Entry(argument, terms):
            for place, term in enumerate(terms):
                others: tuple[ex.IndexTerm, ...] = (*free, ex.Numbered(1, term.axis))
                for other in others:
                    if other != term and ex.size_of(other.axis) == ex.size_of(term.axis):
                        yield "index", ex.Entry(argument, (*terms[:place], other, *terms[place + 1 :]))
    if isinstance(node, ex.Call) and len(node.arguments[0].axes) == 2 and len(node.positions) == 1:
        yield "axis", at_positions(node.function, node.arguments, (1 - node.positions[0],))
    if len(node.axes) == 1 and not isinstance(node, ex.Spread):
        yield "index", ex.Spread(ex.Entry(node, (ex.Numbered(1, node.axes[0]),)), node.axes[0], 0)
    if not range_of(node).positive:  # of which there may be the logarithm
        yield "sign", -node
    yield "factor", 2 * node
    if not isinstance(node, ex.Number):
        yield "exponent", node**2
