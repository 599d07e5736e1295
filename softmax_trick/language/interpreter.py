"""One reading of an expression, many algebras: an entry of a node, given its indices.

`Reading(algebra).entry(node, positions)` evaluates one entry of an expression. What a value is, and an index, is the
algebra's: an exact canonical form at free indices (every size), a SymPy expression, a ball of Arb or a residue of a
finite field at given sizes. The algebras share this walk, which only follows the definitions, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from fractions import Fraction
from typing import Any, Generic, Protocol, TypeVar

from softmax_trick.language.expression import (
    Apply,
    Call,
    Chosen,
    Comprehension,
    Definition,
    Delta,
    Derivative,
    Diag,
    Diagonal,
    Entry,
    Expression,
    Identity,
    Index,
    IndexTerm,
    LanguageError,
    MatMul,
    Number,
    Numbered,
    OneHot,
    Outer,
    Pick,
    Size,
    Spread,
    Transpose,
    Variable,
)
from softmax_trick.language.functions import ENTRYWISE, NAMED, unfolded

Value = TypeVar("Value")
Position = Any  # an index of the algebra


class Algebra(Protocol[Value]):
    """What an algebra can do. Axes are given by name; `size_of` names their size.

    Attributes:
        own: entrywise functions that it evaluates in a form of its own; all others are unfolded.
        context: what values depend on besides expression and positions, such as the derivatives under way.
    """

    own: Mapping[str, Callable[..., Value]]

    @property
    def context(self) -> Hashable:
        """What values depend on, see above."""

    def number(self, value: Fraction) -> Value:
        """A rational number."""

    def size(self, name: str) -> Value:
        """The size of an axis, as a number."""

    def variable(self, variable: Variable, positions: tuple[Position, ...]) -> Value:
        """An entry of a variable."""

    def index(self, term: Index | Numbered) -> Position:
        """The position of an index that is free in the statement, or given as a number."""

    def chosen(self, label: Variable, positions: tuple[Position, ...]) -> Position:
        """The position that a label chooses."""

    def delta(self, left: Position, right: Position) -> Value:
        """1 where two positions are equal, else 0."""

    def sum(self, axis: str, term: Callable[[Position], Value]) -> Value:
        """The sum of term(k) for k over an axis."""

    def largest(self, axis: str, term: Callable[[Position], Value]) -> Value:
        """The largest term(k) for k over an axis."""

    def add(self, left: Value, right: Value) -> Value:
        """left + right."""

    def multiply(self, left: Value, right: Value) -> Value:
        """left * right."""

    def power(self, base: Value, exponent: Value) -> Value:
        """base ** exponent."""

    def exp(self, value: Value) -> Value:
        """The exponential."""

    def log(self, value: Value) -> Value:
        """The logarithm of a positive number."""

    def normal_cdf(self, value: Value) -> Value:
        """The standard normal distribution function."""

    def normal_pdf(self, value: Value) -> Value:
        """Its derivative, exp(-u**2/2) / sqrt(2 pi)."""

    def step(self, value: Value) -> Value:
        """1 where the value is positive, 0 where it is negative."""

    def derivative(self, function: Callable[[], Value], by: Variable, positions: tuple[Position, ...]) -> Value:
        """The derivative of function() by an entry of a variable."""


class Reading(Generic[Value]):
    """The walk through an expression with one algebra; entries are computed once.

    Args:
        algebra: what values and indices are.
    """

    def __init__(self, algebra: Algebra[Value]) -> None:
        self.algebra = algebra
        self._bound: tuple[tuple[Index, Position], ...] = ()  # the indices of comprehensions, and where they are
        # By identity: hashing a tree at every step would walk through it. The nodes are kept, so that none is reused.
        self._known: dict[Any, tuple[Expression, Value]] = {}

    @property
    def computed(self) -> int:
        """How many entries were computed so far, of this expression's and its parts': what the walk cost."""
        return len(self._known)

    def entry(self, node: Expression, positions: tuple[Position, ...] = ()) -> Value:
        """The entry of an expression at positions, one for each axis."""
        bound = tuple(pair for pair in self._bound if pair[0] in node.free) if self._bound else ()
        key = (id(node), positions, bound, self.algebra.context)
        if key not in self._known:
            self._known[key] = (node, self._entry(node, positions))
        return self._known[key][1]

    def _entry(self, node: Expression, at: tuple[Position, ...]) -> Value:
        a = self.algebra
        match node:
            case Number(value):
                return a.number(value)
            case Size(name):
                return a.size(name)
            case Variable():
                if node.kind == "label":
                    raise LanguageError(f"the label {node.name} is an index, no number")
                return a.variable(node, at)
            case Apply():
                return self._apply(node, at)
            case Call():
                return self._call(node, at)
            case MatMul(left, right):
                cut = len(left.axes) - 1
                return a.sum(
                    left.axes[-1],
                    lambda k: a.multiply(self.entry(left, (*at[:cut], k)), self.entry(right, (k, *at[cut:]))),
                )
            case Outer(left, right):
                cut = len(left.axes)
                return a.multiply(self.entry(left, at[:cut]), self.entry(right, at[cut:]))
            case Transpose(argument):
                return self.entry(argument, at[::-1])
            case Diag(argument):
                return a.multiply(a.delta(at[-2], at[-1]), self.entry(argument, at[:-1]))
            case Diagonal(argument):
                return self.entry(argument, (*at, at[-1]))
            case Identity():
                return a.delta(*at)
            case OneHot(label):
                return a.delta(at[-1], a.chosen(label, at[:-1]))
            case Pick(argument, label):
                return self.entry(argument, (*at, a.chosen(label, at)))
            case Spread(argument, _, place):
                return self.entry(argument, at[:place] + at[place + 1 :])
            case Delta(left_term, right_term):
                return a.delta(self._position(left_term), self._position(right_term))
            case Entry(argument, terms):
                return self.entry(argument, tuple(map(self._position, terms)))
            case Comprehension(indices, body):
                outside = self._bound
                shadowed = tuple(pair for pair in outside if pair[0] not in indices)
                self._bound = shadowed + tuple(zip(indices, at, strict=True))
                try:
                    return self.entry(body)
                finally:
                    self._bound = outside
            case Definition(_, meaning):
                return self.entry(meaning, at)
            case Derivative():
                return self._derivative(node, at)
        raise TypeError(f"no reading of {type(node).__name__}")

    def _position(self, term: IndexTerm) -> Position:
        if isinstance(term, Chosen):
            return self.algebra.chosen(term.label, tuple(map(self._position, term.indices)))
        for index, position in self._bound:
            if index == term:
                return position
        return self.algebra.index(term)

    def _apply(self, node: Apply, at: tuple[Position, ...]) -> Value:
        a, name = self.algebra, node.function
        if name in a.own or ENTRYWISE[name].meaning is None:
            values = [self.entry(one, at if one.axes else ()) for one in node.arguments]
            if name in a.own:
                return a.own[name](*values)
            return getattr(a, name)(*values)
        return self.entry(self._meaning(node), at)

    def _meaning(self, node: Expression) -> Expression:
        """What a function that is no primitive is short for."""
        meaning = unfolded(node)
        if meaning is None:
            raise TypeError(f"{node!r} is a primitive")
        return meaning

    def _call(self, node: Call, at: tuple[Position, ...]) -> Value:
        if NAMED[node.function].meaning is not None:
            return self.entry(self._meaning(node), at)
        argument = node.arguments[0]
        reduce = {"sum": self.algebra.sum, "max": self.algebra.largest}[node.function]

        def along(places: tuple[int, ...], where: tuple[Position, ...]) -> Value:
            # `where` grows from the left: the places are in increasing order.
            if not places:
                return self.entry(argument, where)
            place, *rest = places
            return reduce(argument.axes[place], lambda k: along(tuple(rest), (*where[:place], k, *where[place:])))

        return along(node.positions, at)

    def _derivative(self, node: Derivative, at: tuple[Position, ...]) -> Value:
        a, function, by = self.algebra, node.function, node.by
        rank = len(by.axes)
        match node.kind:
            case "gradient":
                return a.derivative(lambda: self.entry(function), by, at)
            case "jacobian":
                cut = len(at) - rank
                return a.derivative(lambda: self.entry(function, at[:cut]), by, at[cut:])
            case "hessian":
                return self._second(function, by, at[:rank], at[rank:])
            case "vjp":
                return self._over(
                    function.axes,
                    lambda i: a.multiply(
                        self.entry(self._direction(node), i), a.derivative(lambda: self.entry(function, i), by, at)
                    ),
                )
            case "jvp":
                return self._over(
                    by.axes,
                    lambda j: a.multiply(
                        a.derivative(lambda: self.entry(function, at), by, j), self.entry(self._direction(node), j)
                    ),
                )
            case "hvp":
                return self._over(
                    by.axes,
                    lambda j: a.multiply(self._second(function, by, at, j), self.entry(self._direction(node), j)),
                )

    def _direction(self, node: Derivative) -> Expression:
        if node.direction is None:
            raise LanguageError(f"{node.kind} without a direction")
        return node.direction

    def _second(self, function: Expression, by: Variable, i: tuple[Position, ...], j: tuple[Position, ...]) -> Value:
        a = self.algebra
        return a.derivative(lambda: a.derivative(lambda: self.entry(function), by, i), by, j)

    def _over(self, axes: tuple[str, ...], term: Callable[[tuple[Position, ...]], Value]) -> Value:
        """The sum of term(k, l, ...) over axes."""
        if not axes:
            return term(())
        return self.algebra.sum(axes[0], lambda k: self._over(axes[1:], lambda rest: term((k, *rest))))
