"""The derivation at given sizes in SymPy: entries are symbols, derivatives are taken by SymPy's own diff.

A route of its own: it shares the walk through an expression with the others, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product

import sympy as sp

from softmax_trick.language.expression import Expression, Index, Kind, LanguageError, Numbered, Variable, size_of
from softmax_trick.language.grammar import Statement
from softmax_trick.language.interpreter import Reading
from softmax_trick.readings.pointwise import Point, Positions

ASSUMPTIONS: dict[Kind, dict[str, bool]] = {
    "real": {"real": True},
    "positive": {"positive": True},
    "nonnegative": {"nonnegative": True},
    "unit": {"nonnegative": True},
    "distribution": {"nonnegative": True},
}


class Algebraic:
    """An expression's entries as SymPy expressions.

    Args:
        point: sizes, the places that labels choose and the values of free indices; other variables are symbols.
    """

    own: Mapping[str, Callable[..., sp.Expr]] = {}
    context = ()

    def __init__(self, point: Point) -> None:
        self._point = point
        self._reading: Reading[sp.Expr] = Reading(self)

    def entry(self, expression: Expression, positions: Positions = ()) -> sp.Expr:
        """The entry of an expression at positions, from 1, as SymPy built and differentiated it; not simplified."""
        return self._reading.entry(expression, positions)

    def number(self, value: Fraction) -> sp.Expr:
        return sp.Rational(value.numerator, value.denominator)

    def size(self, name: str) -> sp.Expr:
        return sp.Integer(self._point.size(name))

    def variable(self, variable: Variable, positions: Positions) -> sp.Expr:
        """The symbol x_ij; the last entry of a distribution is 1 less the others."""
        if variable.kind == "distribution":
            along = variable.axes.index(variable.along)
            size = self._point.size(size_of(variable.along))
            if positions[along] == size:
                before = ((*positions[:along], k, *positions[along + 1 :]) for k in range(1, size))
                return sp.Integer(1) - sp.Add(*(symbol(variable, at) for at in before))
        return symbol(variable, positions)

    def index(self, term: Index | Numbered) -> int:
        return self._point.position(term)

    def chosen(self, label: Variable, positions: Positions) -> int:
        return self._point.value(label, positions)

    def delta(self, left: int, right: int) -> sp.Expr:
        return sp.Integer(left == right)

    def sum(self, axis: str, term: Callable[[int], sp.Expr]) -> sp.Expr:
        return sp.Add(*(term(k) for k in range(1, self._point.size(size_of(axis)) + 1)))

    def largest(self, axis: str, term: Callable[[int], sp.Expr]) -> sp.Expr:
        return sp.Max(*(term(k) for k in range(1, self._point.size(size_of(axis)) + 1)))

    def add(self, left: sp.Expr, right: sp.Expr) -> sp.Expr:
        return left + right

    def multiply(self, left: sp.Expr, right: sp.Expr) -> sp.Expr:
        return left * right

    def power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        return base**exponent

    def exp(self, value: sp.Expr) -> sp.Expr:
        return sp.exp(value)

    def log(self, value: sp.Expr) -> sp.Expr:
        return sp.log(value)

    def step(self, value: sp.Expr) -> sp.Expr:
        return Step(value)

    def derivative(self, function: Callable[[], sp.Expr], by: Variable, positions: Positions) -> sp.Expr:
        if by.kind == "distribution":
            raise LanguageError(f"the entries of the distribution {by.name} cannot vary one by one")
        return sp.diff(function(), symbol(by, positions))


class Step(sp.Function):
    """1 where its argument is positive, 0 where it is negative; its derivative is 0, not a delta as Heaviside's is."""

    @classmethod
    def eval(cls, value: sp.Expr) -> sp.Expr | None:
        if value.is_positive or value.is_negative:
            return sp.Integer(1 if value.is_positive else 0)
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


def symbol(variable: Variable, positions: Positions) -> sp.Symbol:
    """The symbol of an entry of a variable, with its domain as far as SymPy knows such."""
    name = "_".join((variable.name, *map(str, positions)))
    return sp.Symbol(name, **ASSUMPTIONS[variable.kind])


def at_point(condition: Statement, point: Point) -> bool:
    """Whether a condition holds exactly at a point with rational values, in every entry; False if that is not seen.

    Args:
        condition: such as y != 0, y > 0 or sum(y) == 1.
        point: the values of its variables.
    """
    left, right = condition.expressions
    sizes = point.sizes
    algebra = Algebraic(point)
    given = {
        symbol(one, at): sp.Rational(*point.value(one, at).as_integer_ratio())
        for one in dict.fromkeys((*left.variables, *right.variables))
        if one.kind != "label"
        for at in product(*(range(1, sizes[size_of(axis)] + 1) for axis in one.axes))
    }
    places = list(product(*(range(1, sizes[size_of(axis)] + 1) for axis in left.axes or right.axes)))
    sides = [[algebra.entry(one, at if one.axes else ()).subs(given) for one in (left, right)] for at in places]
    compare = {"==": sp.Eq, "!=": sp.Ne, "<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge}[condition.relation]
    return all(compare(one, other) == sp.true for one, other in sides)
