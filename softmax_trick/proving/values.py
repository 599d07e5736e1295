"""What an operation's output is read as: real numbers, or class indices, over atomic axes.

A tensor has dimensions; each is an axis, or several merged ones (slowest first), or none where its size is 1. The
expression of the language behind it has all these axes in order, or none where every entry is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, TypeVar

from softmax_trick.language.expression import (
    Apply,
    Call,
    Chosen,
    Comprehension,
    Delta,
    Entry,
    Expression,
    Index,
    IndexTerm,
    Number,
    Numbered,
    Size,
    Spread,
    as_expression,
)
from softmax_trick.proving.inputs import Dims

ZERO: Expression = Number(Fraction(0))
ONE: Expression = Number(Fraction(1))


class Unreadable(Exception):
    """An operation that has no reading; the message says why."""


def refuse(why: str) -> NoReturn:
    """Say that there is no reading.

    Raises:
        Unreadable: always.
    """
    raise Unreadable(why)


def flat(dims: Dims) -> tuple[str, ...]:
    """All axes of some dimensions, in order."""
    return tuple(axis for dim in dims for axis in dim)


def apply(function: str, *arguments: Expression) -> Expression:
    """A function of entries, of expressions with the same axes or none; products and sums with 0 and 1 are short."""
    values = [one.value if isinstance(one, Number) else None for one in arguments]
    match function, values:
        case ("multiply", [0, _] | [_, 0]):
            return ZERO
        case ("multiply", [1, _]) | ("add", [0, _]):
            return arguments[1]
        case ("multiply" | "divide", [_, 1]) | ("add" | "subtract", [_, 0]):
            return arguments[0]
        case ("add", [Fraction() as a, Fraction() as b]):
            return Number(a + b)
        case ("subtract", [Fraction() as a, Fraction() as b]):
            return Number(a - b)
        case ("multiply", [Fraction() as a, Fraction() as b]):
            return Number(a * b)
        case ("divide", [Fraction() as a, Fraction() as b]) if b:
            return Number(a / b)
        case ("exp", [0]):
            return ONE
        case ("step", [Fraction() as a]):
            return ONE if a > 0 else ZERO
    axes = next((one.axes for one in arguments if one.axes), ())
    return Apply(function, arguments, axes)


def negated(condition: Expression) -> Expression:
    """1 - c."""
    return apply("subtract", ONE, condition)


def both(condition: Expression, other: Expression) -> Expression:
    """Where two conditions hold: c c is c, and c (1 - c) is 0."""
    if condition == other:
        return condition
    if condition == negated(other) or other == negated(condition):
        return ZERO
    return apply("multiply", condition, other)


@dataclass(frozen=True)
class Real:
    """Real numbers; booleans are 0 and 1.

    Attributes:
        expression: the entries where they are finite.
        dims: the axes of each dimension.
        infinite: where they are not: a 0/1 expression with the same axes, and "-inf", "inf" or "nan".
    """

    expression: Expression
    dims: Dims
    infinite: tuple[tuple[Expression, str], ...] = ()

    @property
    def finite(self) -> Expression:
        """The expression of a value that is finite everywhere."""
        if self.infinite:
            refuse("of values that are infinite where a mask is set")
        return self.expression

    def each(self, change: Callable[[Expression], Expression], dims: Dims) -> Real:
        """The same change of axes for all expressions."""
        return Real(change(self.expression), dims, tuple((change(where), what) for where, what in self.infinite))


@dataclass(frozen=True)
class Indices:
    """Positions along an axis, from 0: labels, counters, and constants, by case.

    Attributes:
        cases: 0/1 expressions that sum to 1, and the position there: an index term over `Index("i0")`, `Index("i1")`,
            ... for the axes in order, or a number.
        dims: the axes of each dimension.
    """

    cases: tuple[tuple[Expression, IndexTerm | int], ...]
    dims: Dims

    def each(
        self, change: Callable[[Expression], Expression], term: Callable[[IndexTerm], IndexTerm], dims: Dims
    ) -> Indices:
        """The same change of axes for conditions and terms."""
        return Indices(
            tuple((change(where), one if isinstance(one, int) else term(one)) for where, one in self.cases), dims
        )


Value = Real | Indices
One = TypeVar("One", bound=Value)


def own_indices(axes: Sequence[str]) -> tuple[Index, ...]:
    """The indices of the axes of a value, by position."""
    return tuple(Index(f"i{place}", axis) for place, axis in enumerate(axes))


def substituted(term: IndexTerm, terms: Sequence[IndexTerm]) -> IndexTerm:
    """An index term over i0, i1, ... with others in their places."""
    match term:
        case Index(name):
            return terms[int(name[1:])]
        case Chosen(label, inner):
            return Chosen(label, tuple(substituted(one, terms) for one in inner))
    return term


def entry(expression: Expression, terms: Sequence[IndexTerm]) -> Expression:
    """One entry, a scalar; of a uniform expression that itself."""
    return Entry(expression, tuple(terms)) if expression.axes else expression


def moved(value: One, dims: Dims, terms: Sequence[IndexTerm]) -> One:
    """The tensor over new dimensions whose entry at i0, i1, ... is the entry of the old one at these terms."""
    axes = flat(dims)
    indices = own_indices(axes)

    def change(expression: Expression) -> Expression:
        if not expression.axes:
            return expression
        if tuple(terms) == indices:
            return expression
        places = [int(term.name[1:]) for term in terms if isinstance(term, Index)]
        if len(places) == len(terms) and places == sorted(set(places)):  # only new axes: repeated along them
            for place in range(len(axes)):
                if place not in places:
                    expression = Spread(expression, axes[place], place)
            return expression
        return Comprehension(indices, Entry(expression, tuple(terms)))

    if isinstance(value, Indices):
        return value.each(change, lambda term: substituted(term, terms), dims)  # type: ignore[return-value]
    return value.each(change, dims)  # type: ignore[return-value]


def spread(value: One, dims: Dims) -> One:
    """A value repeated along the dimensions that it lacks or has with size 1, as torch broadcasts."""
    own = ((),) * (len(dims) - len(value.dims)) + value.dims
    if own == dims:
        return value if value.dims == dims else moved(value, dims, own_indices(flat(dims)))
    terms: list[IndexTerm] = []
    place = 0
    for mine, wanted in zip(own, dims, strict=True):
        if mine == wanted:
            terms += [Index(f"i{place + n}", axis) for n, axis in enumerate(wanted)]
        elif mine:
            refuse(f"it needs {'*'.join(mine)} and {'*'.join(wanted) or '1'} to be one size")
        place += len(wanted)
    return moved(value, dims, terms)


def common(*values: Value) -> Dims:
    """The dimensions that values have after broadcasting."""
    rank = max(len(value.dims) for value in values)
    found: list[tuple[str, ...]] = [()] * rank
    for value in values:
        for place, dim in enumerate(value.dims, rank - len(value.dims)):
            if dim and found[place] and found[place] != dim:
                refuse(f"it needs {'*'.join(found[place])} and {'*'.join(dim)} to be one size")
            found[place] = dim or found[place]
    return tuple(found)


def broadcast(*values: Real) -> tuple[list[Expression], Dims]:
    """The expressions of finite values, with common axes."""
    dims = common(*values)
    return [spread(value, dims).finite for value in values], dims


def summed(expression: Expression, axes: Sequence[str], places: Sequence[int]) -> Expression:
    """The sum over some of the axes; a uniform expression is multiplied by their sizes."""
    if not places:
        return expression
    if not expression.axes:
        for place in places:
            expression = apply("multiply", expression, size_number(axes[place]))
        return expression
    kept = tuple(axis for place, axis in enumerate(expression.axes) if place not in places)
    return Call("sum", (expression,), tuple(sorted(places)), kept)


def size_number(axis: str) -> Expression:
    """The size of an axis, as a number."""
    return Size(axis)


def places_of(dims: Dims, which: Sequence[int]) -> list[int]:
    """The places of the axes of some dimensions among all axes."""
    starts = [sum(len(dim) for dim in dims[:n]) for n in range(len(dims))]
    return [starts[n] + k for n in sorted(set(which)) for k in range(len(dims[n]))]


def is_equal(term: IndexTerm | int, other: IndexTerm | int) -> Expression:
    """1 where two positions are the same, else 0: inside a body, over its indices."""
    if isinstance(term, int) and isinstance(other, int):
        return ONE if term == other else ZERO
    if isinstance(other, int):
        term, other = other, term
    if isinstance(term, int):
        axis = other.axis  # type: ignore[union-attr]
        if term < 0 or (axis.isdigit() and term >= int(axis)):
            return ZERO
        term = Numbered(term + 1, axis)
    assert_term(other)
    return Delta(term, other)  # type: ignore[arg-type]


def assert_term(term: IndexTerm | int) -> None:
    """A position inside an axis.

    Raises:
        Unreadable: it is a number.
    """
    if isinstance(term, int):
        refuse("a number where a position is needed")


def tabulated(dims: Dims, body: Callable[[tuple[Index, ...]], Expression]) -> Expression:
    """The tensor whose entries are a body of its indices."""
    axes = flat(dims)
    indices = own_indices(axes)
    inside = body(indices)
    if not axes or isinstance(inside, Number):
        return inside
    return Comprehension(indices, inside)


def number(value: int | float | Fraction) -> Expression:
    """A number as an expression."""
    return as_expression(value if isinstance(value, int | Fraction) else Fraction(value))
