"""A formula at given sizes as a graph of operations on flat arrays; its derivatives are further nodes of the graph.

Three kinds of nodes: leaves; operations entry by entry (`OPERATIONS`), where an argument of size 1 is spread; and four
that move entries by their places, whatever the axes were:

    take      out[i] = a[places[i]], and 0 where the place is -1: transposes, labelled entries, spreading, diagonals
    collect   out[j] = sum of a[i] over the i of group j: sums; the adjoint of take, as take is of collect
    lse       out[j] = log sum exp a[i] over the i of group j
    largest   out[j] = the largest a[i] of group j

The same graph is evaluated in balls of Arb (`softmax_trick.testing.balls`) and in float64, where the rounding of each
node is weighed (`softmax_trick.testing.rounding`). Where pieces meet, a step is neither 0 nor 1: see there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Floats = NDArray[np.float64]
_serials = count()


class Groups:
    """Which entries of an array belong together.

    Attributes:
        of: the group of each entry, from 0; -1: of none.
        count: how many groups there are.
    """

    def __init__(self, of: Places, count: int) -> None:
        self.of, self.count = of, count

    @cached_property
    def order(self) -> Places:
        """The entries that belong to a group, group by group."""
        order = np.argsort(self.of, kind="stable")
        return order[np.searchsorted(self.of[order], 0) :]

    @cached_property
    def sizes(self) -> Places:
        """How many entries each group has."""
        return np.bincount(self.of[self.of >= 0], minlength=self.count)

    @cached_property
    def _starts(self) -> tuple[Places, Places]:
        """The groups that are not empty, and where in `order` each begins."""
        filled = np.flatnonzero(self.sizes)
        return filled, (np.cumsum(self.sizes) - self.sizes)[filled]

    def reduced(self, function: np.ufunc, values: NDArray[Any], empty: Any = 0.0) -> NDArray[Any]:
        """A ufunc such as np.add over each group of the last axis."""
        out = np.full((*values.shape[:-1], self.count), empty, dtype=values.dtype)
        filled, starts = self._starts
        if len(filled):
            out[..., filled] = function.reduceat(values[..., self.order], starts, axis=-1)
        return out

    def sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum over each group."""
        return self.reduced(np.add, values)


@dataclass(eq=False, slots=True)
class Node:
    """A node of the graph: a flat array.

    Attributes:
        operation: a name in `OPERATIONS`, or "leaf", "take", "collect", "lse", "largest".
        arguments: what it is computed from.
        size: how many entries it has.
        data: the places of take; the groups of collect, lse and largest; the exponent of power; the values of a leaf,
            as float64 or, of a constant, one exact fraction.
        origin: the formula that it stands for, to be shown.
        serial: nodes are numbered; those of arguments are smaller.
    """

    operation: str
    arguments: tuple[Node, ...]
    size: int
    data: Any = None
    origin: Any = None
    serial: int = field(default_factory=_serials.__next__)

    def __add__(self, other: Operand) -> Node:
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> Node:
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> Node:
        return apply("subtract", self, other)

    def __rsub__(self, other: Operand) -> Node:
        return apply("subtract", other, self)

    def __mul__(self, other: Operand) -> Node:
        return apply("multiply", self, other)

    def __rmul__(self, other: Operand) -> Node:
        return apply("multiply", other, self)

    def __truediv__(self, other: Operand) -> Node:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return apply("divide", other, self)

    def __neg__(self) -> Node:
        return apply("negative", self)


Operand = Node | int | Fraction


# --- building ---------------------------------------------------------------------------------------------------------


def leaf(values: Any) -> Node:
    """Exact numbers in float64."""
    values = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    return Node("leaf", (), values.size, values)


def constant(value: int | Fraction) -> Node:
    """One exact number; where it has no exact value in a dtype, it is rounded there."""
    return Node("leaf", (), 1, Fraction(value))


def apply(operation: str, *arguments: Operand, data: Any = None) -> Node:
    """An operation entry by entry."""
    nodes = tuple(one if isinstance(one, Node) else constant(one) for one in arguments)
    sizes = {one.size for one in nodes} - {1}
    return Node(operation, nodes, sizes.pop() if sizes else 1, data)


def take(argument: Node, places: Places) -> Node:
    """The entries at some places; 0 for the place -1."""
    places = places.reshape(-1)
    if places.size == argument.size and (places == np.arange(places.size)).all():
        return argument
    return Node("take", (argument,), places.size, places)


def collect(argument: Node, groups: Groups) -> Node:
    """The sum of each group."""
    return Node("collect", (argument,), groups.count, groups)


def total(argument: Node) -> Node:
    """The sum of all entries."""
    return collect(argument, Groups(np.zeros(argument.size, dtype=np.int64), 1))


def power(base: Node, exponent: Fraction) -> Node:
    """A power with a constant exponent."""
    if exponent == 2:
        return apply("square", base)
    return base if exponent == 1 else apply("power", base, data=exponent)


# --- operations entry by entry ----------------------------------------------------------------------------------------


class Functions:
    """The functions that partial derivatives need, on nodes; `rounding` has the same on arrays of float64."""

    @staticmethod
    def function(name: str, argument: Any) -> Any:
        """A function entry by entry."""
        return apply(name, argument)

    @staticmethod
    def power(base: Any, exponent: Fraction) -> Any:
        """A power with a constant exponent."""
        return power(base, exponent)


Partials = Callable[[Any, Any, Any, tuple[Any, ...]], Sequence[Any]]


@dataclass(frozen=True)
class Operation:
    """An operation entry by entry.

    Attributes:
        partials: (functions, data, value, arguments) -> the derivative by each argument; None where it is 0.
        roundings: how many units of roundoff of its value it may be off; measured, see `rounding`.
    """

    partials: Partials
    roundings: float


OPERATIONS: dict[str, Operation] = {
    "add": Operation(lambda f, _, v, a: (1, 1), 1),
    "subtract": Operation(lambda f, _, v, a: (1, -1), 1),
    # x - lse of one row: what rounding did to lse comes twice, from the exponent and from the stored value.
    "log_probability": Operation(lambda f, _, v, a: (1, -1), 3),
    "multiply": Operation(lambda f, _, v, a: (a[1], a[0]), 1),
    "divide": Operation(lambda f, _, v, a: (1 / a[1], -(v / a[1])), 1),
    "negative": Operation(lambda f, _, v, a: (-1,), 0),
    "square": Operation(lambda f, _, v, a: (2 * a[0],), 1),
    "power": Operation(lambda f, p, v, a: (_times(p, f.power(a[0], p - 1)),), 2),
    "exp": Operation(lambda f, _, v, a: (v,), 2),
    "log": Operation(lambda f, _, v, a: (1 / a[0],), 2),
    "sqrt": Operation(lambda f, _, v, a: (Fraction(1, 2) / v,), 2),
    "log1p": Operation(lambda f, _, v, a: (1 / (1 + a[0]),), 2),
    "expm1": Operation(lambda f, _, v, a: (f.function("exp", a[0]),), 2),
    "tanh": Operation(lambda f, _, v, a: (1 - f.power(v, Fraction(2)),), 2),
    "sinh": Operation(lambda f, _, v, a: (f.function("cosh", a[0]),), 2),
    "cosh": Operation(lambda f, _, v, a: (f.function("sinh", a[0]),), 2),
    "sigmoid": Operation(lambda f, _, v, a: (v * (1 - v),), 5),
    "softplus": Operation(lambda f, _, v, a: (f.function("sigmoid", a[0]),), 3),
    "step": Operation(lambda f, _, v, a: (None,), 0),
    "relu": Operation(lambda f, _, v, a: (f.function("step", a[0]),), 0),
    "abs": Operation(lambda f, _, v, a: (2 * f.function("step", a[0]) - 1,), 0),
    "maximum": Operation(lambda f, _, v, a: _shares(f, a[0], a[1]), 0),
    "minimum": Operation(lambda f, _, v, a: _shares(f, a[1], a[0]), 0),
    # 1 where the first argument is the second, the largest of its group.
    "is_largest": Operation(lambda f, _, v, a: (None, None), 0),
}


def _times(factor: Fraction, value: Any) -> Any:
    return value if factor == 1 else factor * value


def _shares(f: Any, left: Any, right: Any) -> tuple[Any, Any]:
    """The derivatives of the larger of two numbers."""
    left_is = f.function("step", left - right)
    return left_is, 1 - left_is


# --- derivatives ------------------------------------------------------------------------------------------------------


def reachable(outputs: Iterable[Node]) -> list[Node]:
    """All nodes that some nodes are computed from, themselves included, arguments first."""
    found: dict[int, Node] = {}
    waiting = list(outputs)
    while waiting:
        node = waiting.pop()
        if node.serial not in found:
            found[node.serial] = node
            waiting.extend(node.arguments)
    return [found[serial] for serial in sorted(found)]


def pullback(output: Node, by: Node, seed: Node) -> Node:
    """The derivative of <output, seed> by the entries of a leaf, as a node; reverse mode."""
    nodes = reachable([output])
    depends = {by.serial}
    for node in nodes:
        if any(one.serial in depends for one in node.arguments):
            depends.add(node.serial)
    adjoints: dict[int, Node] = {output.serial: seed}
    for node in reversed(nodes):
        if node is by or node.serial not in depends or node.serial not in adjoints:
            continue
        sent = _sent_back(node, adjoints[node.serial])
        for argument, one in zip(node.arguments, sent, strict=True):
            if one is None or argument.serial not in depends:
                continue
            adjoint = one()
            if argument.size == 1 != adjoint.size:
                adjoint = total(adjoint)
            known = adjoints.get(argument.serial)
            adjoints[argument.serial] = adjoint if known is None else known + adjoint
    return adjoints.get(by.serial, leaf(np.zeros(by.size)))


def _sent_back(node: Node, adjoint: Node) -> Sequence[Callable[[], Node] | None]:
    """What a node sends back to each argument, to be computed where it is needed."""
    match node.operation:
        case "take":
            groups = Groups(node.data, node.arguments[0].size)
            return (lambda: collect(adjoint, groups),)
        case "collect":
            return (lambda: take(adjoint, node.data.of),)
        case "lse":
            return (lambda: take(adjoint, node.data.of) * softmax(node.arguments[0], node.data),)
        case "largest":
            x, of = node.arguments[0], node.data.of
            return (lambda: take(adjoint, of) * apply("is_largest", x, take(node, of), data=node.data),)
    partials = OPERATIONS[node.operation].partials(Functions, node.data, node, node.arguments)
    return [None if one is None else lambda one=one: _product(adjoint, one) for one in partials]  # type: ignore[misc]


def _product(adjoint: Node, partial: Any) -> Node:
    if isinstance(partial, int) and partial in (1, -1):
        return adjoint if partial == 1 else -adjoint
    return adjoint * partial


def softmax(x: Node, groups: Groups) -> Node:
    """exp(x - log sum exp x) of each group; the logarithm is a node of its own, as backward passes have it."""
    return apply("exp", apply("log_probability", x, take(lse(x, groups), groups.of)))


def lse(x: Node, groups: Groups) -> Node:
    """log sum exp of each group."""
    return Node("lse", (x,), groups.count, groups)


def largest(x: Node, groups: Groups) -> Node:
    """The largest of each group."""
    return Node("largest", (x,), groups.count, groups)
