"""The derivation at given sizes in SymPy: entries are symbols, derivatives are taken by SymPy's own diff.

A route of its own: it shares the walk through an expression with the others, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import sympy as sp

from softmax_trick.language.expression import Expression, Index, Kind, LanguageError, Numbered, Variable, size_of
from softmax_trick.language.grammar import Statement
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.proposition import Related
from softmax_trick.readings.pointwise import Point, Positions, Undefined

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

    def normal_cdf(self, value: sp.Expr) -> sp.Expr:
        return (1 + sp.erf(value / sp.sqrt(2))) / 2

    def normal_pdf(self, value: sp.Expr) -> sp.Expr:
        return sp.exp(-(value**2) / 2) / sp.sqrt(2 * sp.pi)

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


class _AtPoint(Algebraic):
    """The same with numbers for symbols; what is undefined there raises, before SymPy can cancel it: 1/(1/0), 0/0.

    Args:
        point: sizes and indices, and the values of what has some; other variables are symbols.
    """

    def __init__(self, point: Point) -> None:
        super().__init__(point)
        self._by: list[str] = []

    def variable(self, variable: Variable, positions: Positions) -> sp.Expr:
        if variable.name in self._by or variable.name not in self._point.values:
            return super().variable(variable, positions)
        return sp.Rational(*self._point.value(variable, positions).as_integer_ratio())

    def power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if (base.is_zero and not exponent.is_nonnegative) or (base.is_negative and not exponent.is_integer):
            raise Undefined(f"{base} to the power {exponent}")
        return super().power(base, exponent)

    def log(self, value: sp.Expr) -> sp.Expr:
        if value.is_number and not value.is_positive:
            raise Undefined(f"the logarithm of {value}")
        return super().log(value)

    @property
    def context(self) -> tuple[str, ...]:  # type: ignore[override]
        """The variables by which is differentiated: there their entries are symbols."""
        return tuple(self._by)

    def derivative(self, function: Callable[[], sp.Expr], by: Variable, positions: Positions) -> sp.Expr:
        if by.name in self._by or by.name not in self._point.values:
            return super().derivative(function, by, positions)
        function()  # where it is undefined, it has no derivative
        self._by.append(by.name)
        try:
            found = super().derivative(function, by, positions)
        finally:
            self._by.pop()
        given = _given([by], self._point)
        value = found.subs(given)
        kinks = [one.args[0].subs(given) for one in found.atoms(sp.Heaviside)]  # of the largest of some
        if 0 in kinks or value.has(Step) or (value.is_number and not value.is_finite):
            raise Undefined(f"the derivative by {by.name}")
        return value


def at_point(condition: Statement, point: Point) -> bool:
    """Whether a condition holds exactly at a point with rational values, in every entry; False if that is not seen.

    Args:
        condition: such as y != 0, y > 0 or sum(y) == 1.
        point: the values of its variables.
    """
    left, right = condition.expressions
    return _holds(condition.relation, left, right, point)


def holds_at(said: Related, point: Point) -> bool:
    """The same of a relation; False, too, if it is a predicate, or the point has no value for something in it."""
    if said.relation not in _COMPARE:
        return False
    left, right = said.sides
    try:
        return _holds(said.relation, left, right, point)
    except LanguageError:
        return False


_COMPARE = {"==": sp.Eq, "!=": sp.Ne, "<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge}


def _given(variables: Iterable[Variable], point: Point) -> dict[sp.Symbol, sp.Rational]:
    """What is put in for the symbols of variables."""
    return {
        symbol(one, at): sp.Rational(*point.value(one, at).as_integer_ratio())
        for one in dict.fromkeys(variables)
        if one.kind != "label"
        for at in _places(one.axes, point)
    }


def _places(axes: Sequence[str], point: Point) -> list[Positions]:
    return list(product(*(range(1, point.size(size_of(axis)) + 1) for axis in axes)))


def _holds(relation: str, left: Expression, right: Expression, point: Point) -> bool:
    algebra = _AtPoint(point)
    for at in _places(left.axes or right.axes, point):
        try:
            sides = [algebra.entry(one, at if one.axes else ()) for one in (left, right)]
        except Undefined:
            return False
        if not all(side.is_real and side.is_finite for side in sides) or _COMPARE[relation](*sides) != sp.true:
            return False
    return True


def value_at(expression: Expression, point: Point) -> Any:
    """The entries of an expression at a point, exactly, as nested lists; None if one is no rational number.

    Raises:
        LanguageError: the point has no value for something in it.
    """
    algebra = _AtPoint(point)

    def entries(at: Positions) -> Any:
        if len(at) < len(expression.axes):
            size = point.size(size_of(expression.axes[len(at)]))
            return [entries((*at, k)) for k in range(1, size + 1)]
        value = sp.sympify(algebra.entry(expression, at), strict=True)
        if not value.is_Rational:
            raise ArithmeticError
        return Fraction(int(value.p), int(value.q))

    try:
        return entries(())
    except ArithmeticError:
        return None


def affine_at(
    left: Expression, right: Expression, position: Positions, point: Point, unknown: Sequence[Variable]
) -> tuple[dict[str, Fraction], Fraction] | None:
    """left - right at an entry of a point as sum c u + constant, u the entries of some variables, exactly.

    Returns:
        the coefficients by the names of entries, and the constant; None if it is no such sum with rational numbers, or
        has no value there.
    """
    names = {one.name for one in unknown}
    known = {name: value for name, value in point.values.items() if name not in names}
    algebra = _AtPoint(Point(point.sizes, known, point.indices))
    try:
        sides = [algebra.entry(one, position if one.axes else ()) for one in (left, right)]
    except Undefined:
        return None
    difference = sp.expand(sides[0] - sides[1])
    symbols = sorted(difference.free_symbols, key=str)
    try:
        terms = sp.Poly(difference, *symbols).terms() if symbols else [((), difference)]
    except sp.PolynomialError:
        return None
    found: dict[str, Fraction] = {}
    constant = Fraction(0)
    for powers, coefficient in terms:
        if not coefficient.is_Rational or sum(powers) > 1:
            return None
        value = Fraction(int(coefficient.p), int(coefficient.q))
        if sum(powers):
            found[str(symbols[powers.index(1)])] = value
        else:
            constant = value
    return found, constant
