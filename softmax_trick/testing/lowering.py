"""From an expression of the language to a graph of operations, at given sizes and labels.

Axes end here: an expression is a node and a table of places, which says for each entry, at its indices, where in the
node it is. Transposes, labelled entries, diagonals and spreading only change the table. In front of an expression's own
axes the table has one for the rows of the batch, and one for each index that is bound around it; of length 1 where the
expression does not depend on it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from softmax_trick.language import expression as ex
from softmax_trick.language import functions
from softmax_trick.language.functions import unfolded
from softmax_trick.testing import graph
from softmax_trick.testing.graph import Groups, Node, Places

DIRECT = frozenset(graph.OPERATIONS) - {"power", "log_probability", "is_largest"}

# Where what a function is short for overflows, and the function does not.
IN_STABLE_FORM: dict[str, Callable[..., ex.Expression]] = {
    "log_sigmoid": lambda u: -functions.softplus(-u),
    "silu": lambda u: u * functions.sigmoid(u),
}


@dataclass(frozen=True)
class Tensor:
    """A node, and where in it the entries are; -1: the entry is 0."""

    node: Node
    places: Places

    def flat(self) -> Node:
        """The entries in order, as a node."""
        return graph.take(self.node, self.places)


class Lowering:
    """Expressions as nodes, for a batch of rows.

    Args:
        sizes: the size of every axis.
        leaves: a node for every variable, its entries in order; those with rows have the rows first.
        labels: the positions, from 0, of every label; the rows first.
        rows: how many rows there are.
        by_row: the names of the variables and labels that have rows.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        leaves: Mapping[str, Node],
        labels: Mapping[str, Places],
        rows: int,
        by_row: frozenset[str],
    ) -> None:
        self._sizes, self._leaves, self._labels = sizes, leaves, labels
        self._rows, self._by_row = rows, by_row
        self._bound: tuple[tuple[ex.Index, int], ...] = ()
        self._leading = 1  # the rows, then the bound indices
        self._known: dict[Any, tuple[ex.Expression, Tensor]] = {}

    def rows(self, expression: ex.Expression) -> Node:
        """A scalar expression, one entry for each row."""
        found = self._tensor(expression)
        return graph.take(found.node, np.broadcast_to(found.places, (self._rows,)))

    def entries(self, expression: ex.Expression) -> Node:
        """An expression without rows, all its entries in order."""
        found = self._tensor(expression)
        return graph.take(found.node, np.broadcast_to(found.places, (1, *map(self._size, expression.axes))))

    def _size(self, axis: str) -> int:
        return self._sizes[ex.size_of(axis)]

    def _tensor(self, node: ex.Expression) -> Tensor:
        key = (id(node), self._leading, self._bound)
        if key not in self._known:
            found = self._lowered(node)
            if found.node.origin is None and found.node.operation != "leaf":
                found.node.origin = node
            self._known[key] = (node, found)
        return self._known[key][1]

    def _lowered(self, node: ex.Expression) -> Tensor:
        m = self._leading
        match node:
            case ex.Number(value):
                return self._constant(value, node)
            case ex.Size(name):
                return self._constant(Fraction(self._sizes[name]), node)
            case ex.Variable():
                return self._variable(node)
            case ex.Apply():
                return self._apply(node)
            case ex.Call():
                return self._call(node)
            case ex.MatMul(left, right):
                a, b = self._tensor(left).places, self._tensor(right).places
                own, other = len(left.axes) - 1, len(right.axes) - 1
                a = a.reshape(*a.shape[: m + own], *(1,) * other, a.shape[-1])
                b = np.moveaxis(b, m, -1)
                b = b.reshape(*b.shape[:m], *(1,) * own, *b.shape[m:])
                return self._sum(self._product(left, a, right, b), 1)
            case ex.Outer(left, right):
                a, b = self._tensor(left).places, self._tensor(right).places
                a = a.reshape(*a.shape, *(1,) * len(right.axes))
                b = b.reshape(*b.shape[:m], *(1,) * len(left.axes), *b.shape[m:])
                return self._product(left, a, right, b)
            case ex.Transpose(argument):
                inner = self._tensor(argument)
                order = (*range(m), *range(m, inner.places.ndim)[::-1])
                return Tensor(inner.node, inner.places.transpose(order))
            case ex.Diag(argument):
                inner = self._tensor(argument)
                on = np.eye(self._size(node.axes[-1]), dtype=bool)
                return Tensor(inner.node, np.where(on, inner.places[..., None], -1))
            case ex.Diagonal(argument):
                inner = self._tensor(argument)
                return Tensor(inner.node, np.diagonal(inner.places, axis1=-2, axis2=-1))
            case ex.Identity(axis):
                on = np.eye(self._size(axis), dtype=bool)
                return Tensor(graph.constant(1), np.where(on, 0, -1).reshape((1,) * m + on.shape))
            case ex.OneHot(label):
                chosen = self._label(label)
                on = chosen[..., None] == np.arange(self._size(label.into))
                return Tensor(graph.constant(1), np.where(on, 0, -1))
            case ex.Pick(argument, label):
                inner, chosen = self._tensor(argument), self._label(label)
                shape = np.broadcast_shapes(inner.places.shape[:-1], chosen.shape)
                table = np.broadcast_to(inner.places, (*shape, inner.places.shape[-1]))
                at = np.broadcast_to(chosen, shape)[..., None]
                return Tensor(inner.node, np.take_along_axis(table, at, -1)[..., 0])
            case ex.Spread(argument, axis, place):
                inner = self._tensor(argument)
                table = np.expand_dims(inner.places, m + place)
                spread = (*table.shape[: m + place], self._size(axis), *table.shape[m + place + 1 :])
                return Tensor(inner.node, np.broadcast_to(table, spread))
            case ex.Delta(left_term, right_term):
                equal = self._position(left_term) == self._position(right_term)
                return Tensor(graph.constant(1), np.where(equal, 0, -1))
            case ex.Entry(argument, terms):
                inner, positions = self._tensor(argument), [self._position(term) for term in terms]
                leading = [
                    np.arange(n).reshape((-1,) + (1,) * (m - 1 - d)) for d, n in enumerate(inner.places.shape[:m])
                ]
                return Tensor(inner.node, inner.places[tuple(np.broadcast_arrays(*leading, *positions))])
            case ex.Comprehension():
                return self._comprehension(node)
            case ex.Definition(_, meaning):
                return self._tensor(meaning)
            case ex.Derivative():
                return self._derivative(node)
        raise TypeError(f"no graph of {type(node).__name__}")

    def _constant(self, value: Fraction, node: ex.Expression) -> Tensor:
        constant = graph.constant(value)
        constant.origin = node
        return Tensor(constant, np.zeros((1,) * self._leading, dtype=np.int64))

    def _variable(self, node: ex.Variable) -> Tensor:
        if node.kind == "label":
            raise ex.LanguageError(f"the label {node.name} is an index, no number")
        if node.name not in self._leaves:
            raise ex.LanguageError(f"no value is given for {node.name}")
        return Tensor(self._leaves[node.name], self._own_places(node))

    def _own_places(self, node: ex.Variable) -> Places:
        shape = tuple(map(self._size, node.axes))
        rows = self._rows if node.name in self._by_row else 1
        return np.arange(rows * prod(shape)).reshape(rows, *(1,) * (self._leading - 1), *shape)

    # --- operations ---

    def _apply(self, node: ex.Apply) -> Tensor:
        name, arguments = node.function, node.arguments
        if name == "power":
            exponent = _number(arguments[1])
            if exponent is None:  # u**v of a positive u
                base, above = map(self._tensor, arguments)
                logarithm = self._entrywise("log", node.axes, (arguments[0],), (base,))
                product = self._entrywise("multiply", node.axes, (arguments[1], node), (above, logarithm))
                return self._entrywise("exp", node.axes, (node,), (product,))
            inner = self._tensor(arguments[0])
            return Tensor(graph.power(inner.flat(), exponent), _in_order(inner.places))
        if name in IN_STABLE_FORM:
            return self._tensor(IN_STABLE_FORM[name](*arguments))
        if name in DIRECT:
            return self._entrywise(name, node.axes, arguments, tuple(map(self._tensor, arguments)))
        return self._meaning(node)

    def _entrywise(
        self, name: str, axes: tuple[str, ...], arguments: tuple[ex.Expression, ...], tensors: tuple[Tensor, ...]
    ) -> Tensor:
        tables = []
        for argument, tensor in zip(arguments, tensors, strict=True):
            places = tensor.places
            if not argument.axes and places.ndim == self._leading:
                places = places.reshape(*places.shape, *(1,) * len(axes))
            tables.append(places)
        tables = list(np.broadcast_arrays(*tables))
        nodes = [
            one.node if one.node.size == 1 and (table == 0).all() else graph.take(one.node, table)
            for one, table in zip(tensors, tables, strict=True)
        ]
        found = graph.apply(name, *nodes)
        # Of constants alone there is one entry, wherever it is asked for.
        places = np.zeros(tables[0].shape, np.int64) if found.size == 1 else _in_order(tables[0])
        return Tensor(found, places)

    def _product(self, left: ex.Expression, a: Places, right: ex.Expression, b: Places) -> Tensor:
        """The product of two expressions whose tables were brought to fit."""
        a, b = np.broadcast_arrays(a, b)
        found = graph.apply("multiply", graph.take(self._tensor(left).node, a), graph.take(self._tensor(right).node, b))
        return Tensor(found, _in_order(a))

    def _groups(self, places: Places, last: int) -> tuple[Groups, tuple[int, ...]]:
        """Entries that differ in the last axes only belong together; and the shape that is left."""
        shape = places.shape[: places.ndim - last]
        count = prod(shape)
        members = prod(places.shape[places.ndim - last :])
        return Groups(np.repeat(np.arange(count), members), count), shape

    def _sum(self, tensor: Tensor, last: int) -> Tensor:
        groups, shape = self._groups(tensor.places, last)
        return Tensor(graph.collect(tensor.flat(), groups), np.arange(groups.count).reshape(shape))

    def _along(self, node: ex.Call, argument: Tensor) -> Tensor:
        """An argument with the axes last along which a call works."""
        m = self._leading
        places = [m + place for place in node.positions]
        return Tensor(argument.node, np.moveaxis(argument.places, places, range(-len(places), 0)))

    def _call(self, node: ex.Call) -> Tensor:
        match node.function, node.arguments:
            case ("sum", (argument,)):
                return self._sum(self._along(node, self._tensor(argument)), len(node.positions))
            case ("max" | "logsumexp", (argument,)):
                return self._reduced(node, graph.largest if node.function == "max" else graph.lse)
            case ("softmax" | "log_softmax", (argument,)):
                return self._softmax(node, self._tensor(argument))
        return self._meaning(node)

    def _reduced(self, node: ex.Call, reduce: Any) -> Tensor:
        moved = self._along(node, self._tensor(node.arguments[0]))
        groups, shape = self._groups(moved.places, len(node.positions))
        return Tensor(reduce(moved.flat(), groups), np.arange(groups.count).reshape(shape))

    def _softmax(self, node: ex.Call, argument: Tensor) -> Tensor:
        """x - lse or its exponential, where the stored lse is a node."""
        moved = self._along(node, argument)
        groups, _ = self._groups(moved.places, len(node.positions))
        x = moved.flat()
        lse = graph.lse(x, groups)
        lse.origin = node
        found = graph.apply("log_probability", x, graph.take(lse, groups.of))
        if node.function == "softmax":
            found = graph.apply("exp", found)
        m, last = self._leading, len(node.positions)
        table = np.moveaxis(_in_order(moved.places), range(-last, 0), [m + place for place in node.positions])
        return Tensor(found, table)

    def _meaning(self, node: ex.Expression) -> Tensor:
        meaning = unfolded(node)
        if meaning is None:
            why = ": what rounding explains of it is not known; reference= takes a function that computes it"
            raise ex.LanguageError(f"{node!r} cannot be a reference here" + why)
        return self._tensor(meaning)

    # --- indices ---

    def _label(self, label: ex.Variable) -> Places:
        """The positions that a label chooses, with leading axes."""
        values = self._labels[label.name].reshape(-1)
        return values[self._own_places(label)]

    def _position(self, term: ex.IndexTerm) -> Places:
        """Positions from 0, with the leading axes only."""
        m = self._leading
        if isinstance(term, ex.Numbered):
            return np.full((1,) * m, term.value - 1)
        if isinstance(term, ex.Chosen):
            label, at = self._label(term.label), [self._position(inner) for inner in term.indices]
            leading = [np.arange(n).reshape((-1,) + (1,) * (m - 1 - d)) for d, n in enumerate(label.shape[:m])]
            return label[tuple(np.broadcast_arrays(*leading, *at))]
        for index, place in self._bound:
            if index == term:
                return np.arange(self._size(index.axis)).reshape(*(1,) * place, -1, *(1,) * (m - 1 - place))
        raise ex.LanguageError(f"the index {term.name} is free: a loss has none")

    def _comprehension(self, node: ex.Comprehension) -> Tensor:
        outside, m = self._bound, self._leading
        own = tuple((index, m + number) for number, index in enumerate(node.indices))
        self._bound = tuple(pair for pair in outside if pair[0] not in node.indices) + own
        self._leading = m + len(own)
        try:
            body = self._tensor(node.body)
        finally:
            self._bound, self._leading = outside, m
        shape = (*body.places.shape[:m], *(self._size(index.axis) for index in node.indices))
        return Tensor(body.node, np.broadcast_to(body.places, shape))

    def _derivative(self, node: ex.Derivative) -> Tensor:
        if node.kind != "gradient":
            raise ex.LanguageError(f"a reference may have gradients, but no {node.kind}: {node!r}")
        function = self._tensor(node.function)
        by = self._leaves[node.by.name]
        if self._leading != 1 or (node.by.name not in self._by_row and self._rows > 1):
            raise ex.LanguageError(
                f"{node!r} inside a sum, or by a variable that all rows share, cannot be a reference"
            )
        places = np.broadcast_to(function.places, (self._rows,))
        found = graph.pullback(graph.take(function.node, places), by, graph.leaf(np.ones(self._rows)))
        return Tensor(found, self._own_places(node.by))


def _number(expression: ex.Expression) -> Fraction | None:
    """The number that an expression of numbers alone is."""
    match expression:
        case ex.Number(value):
            return value
        case ex.Definition(_, meaning):
            return _number(meaning)
        case ex.Apply(function, arguments) if function in _ARITHMETIC:
            numbers = [_number(argument) for argument in arguments]
            known = [number for number in numbers if number is not None]
            return _ARITHMETIC[function](*known) if len(known) == len(numbers) else None
    return None


_ARITHMETIC: dict[str, Any] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
}


def _in_order(places: Places) -> Places:
    return np.arange(places.size).reshape(places.shape)
