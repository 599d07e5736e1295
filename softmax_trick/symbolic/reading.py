"""Expressions of the language as vectors and matrices over K classes: the derivation in SymPy, for symbolic or given K.

A reading of its own: what is differentiated, summed and reduced here is SymPy's; only the walk through an expression is
shared with the other readings. It knows one axis, the classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy as sp

from softmax_trick.language.expression import (
    Comprehension,
    Entry,
    Expression,
    Index,
    LanguageError,
    Numbered,
    Variable,
    size_of,
)
from softmax_trick.language.interpreter import Reading
from softmax_trick.symbolic.vectors import Classes, GivenK, Matrix, Position, Vector, index

Side = Any  # a scalar (SymPy's classes are untyped), a Vector or a Matrix
AXIS = "K"


@lru_cache(maxsize=256)
def side(expression: Expression, classes: Classes, free: tuple[Index, ...] = ()) -> Side:
    """An expression as a scalar, a vector or a matrix over the classes; free indices come first.

    Raises:
        LanguageError: it has other axes than the classes, more than two, or a function that SymPy's core does not have.
    """
    if free:
        own = tuple(Index(f"{number}", axis) for number, axis in enumerate(expression.axes))  # no text has such names
        expression = Comprehension(free + own, Entry(expression, own) if own else expression)
    for axis in expression.axes:
        _of_classes(axis)
    reading: Reading[sp.Expr] = Reading(_OverClasses(classes))
    match len(expression.axes):
        case 0:
            return reading.entry(expression)
        case 1:
            return Vector(classes, lambda i: reading.entry(expression, (i,)))
        case 2:
            return Matrix(classes, lambda i, j: reading.entry(expression, (i, j)))
    raise LanguageError(f"{expression!r} has more than two axes")


def told_apart(variables: Iterable[Variable], positions: Collection[str]) -> None:
    """See that no two entries have one name in SymPy, where entry 1 of x is x1, and x1 a scalar besides.

    Args:
        variables: all that a formula has.
        positions: the names that the places of entries have; a label is called like a place, too.

    Raises:
        LanguageError: two could be confused; the message says which, and the remedy.
    """
    names = {one.name: one for one in variables}
    for name, variable in names.items():
        if variable.kind == "label" and name in positions:
            raise LanguageError(f"SymPy's core calls places {name}, too: give the label {name} another name")
        vector = re.sub(r"\d+(_\d+)?$", "", name)
        if vector != name and vector in names and names[vector].axes:
            raise LanguageError(f"SymPy's core calls an entry of {vector} {name}, too: give {name} another name")


def _of_classes(axis: str) -> None:
    if size_of(axis) != AXIS:
        raise LanguageError(f"the axis {axis} is not that of the classes, {AXIS}")


class _OverClasses:
    """The algebra: entries are SymPy's expressions, positions its indices."""

    own: Mapping[str, Callable[..., sp.Expr]] = {"abs": sp.Abs, "tanh": sp.tanh, "cosh": sp.cosh, "sinh": sp.sinh}
    context = ()

    def __init__(self, classes: Classes) -> None:
        self._classes = classes

    def number(self, value: Fraction) -> sp.Expr:
        return sp.Rational(value.numerator, value.denominator)

    def size(self, name: str) -> sp.Expr:
        _of_classes(name)
        return self._classes.size

    def variable(self, variable: Variable, positions: tuple[Position, ...]) -> sp.Expr:
        for axis in variable.axes:
            _of_classes(axis)
        match len(positions):
            case 0:
                domain = "nonnegative" if variable.kind == "unit" else variable.kind
                return sp.Symbol(variable.name, **dict.fromkeys(("real", domain), True))
            case 1:  # that a distribution sums to 1 is for the decision to use
                return self._classes.vector(variable.name, variable.kind == "positive" or None)[positions[0]]
            case 2:
                return self._classes.matrix(variable.name)[positions]
        raise LanguageError(f"{variable.name} has more than two axes")

    def index(self, term: Index | Numbered) -> Position:
        _of_classes(term.axis)
        return sp.Integer(term.value) if isinstance(term, Numbered) else index(term.name)

    def chosen(self, label: Variable, positions: tuple[Position, ...]) -> Position:
        if isinstance(self._classes, GivenK):
            raise LanguageError(f"the label {label.name} has no value")
        _of_classes(label.into)
        if not positions:
            return index(label.name)
        return sp.IndexedBase(label.name, integer=True, positive=True)[positions]

    def delta(self, left: Position, right: Position) -> sp.Expr:
        return sp.KroneckerDelta(left, right)

    def sum(self, axis: str, term: Callable[[Position], sp.Expr]) -> sp.Expr:
        _of_classes(axis)
        return self._classes.sum(term)

    def largest(self, axis: str, term: Callable[[Position], sp.Expr]) -> sp.Expr:
        raise LanguageError("the largest entry is not read by SymPy's core")

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
        raise LanguageError("the normal distribution is not read by SymPy's core")

    normal_pdf = normal_cdf

    def step(self, value: sp.Expr) -> sp.Expr:
        raise LanguageError("pieces are not read by SymPy's core")

    def derivative(self, function: Callable[[], sp.Expr], by: Variable, positions: tuple[Position, ...]) -> sp.Expr:
        symbol = self.variable(by, positions)
        if positions:
            return self._classes.derivative(function(), symbol)
        return function().diff(symbol)
