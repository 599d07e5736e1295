"""Signs, exactly: positive or nonnegative for every value that the symbols' assumptions allow."""

from __future__ import annotations

from random import Random
from typing import Literal

import flint
import sympy as sp

from softmax_trick.symbolic.contraction import contract
from softmax_trick.symbolic.enclosure import NotEnclosable, enclose
from softmax_trick.symbolic.fractions import PolynomialRing, Undefined
from softmax_trick.symbolic.normal_form import normal_form
from softmax_trick.symbolic.replay import Disagreement
from softmax_trick.symbolic.stand_ins import StandIns

Sign = Literal["positive", "nonnegative"]
POINTS = 3


def sign(expression: sp.Expr) -> Sign | None:
    """The sign of an expression, or None where it is not decided.

    What is found is tried at random points, by Arb.

    Raises:
        Disagreement: a value has the other sign: the rules or Arb are in error.
    """
    expression = StandIns().put_into(contract(expression))
    found = _sign(expression)
    random = Random(0)
    for size in range(1, POINTS + 1) if found else ():
        point = {symbol: _value(symbol, random, size) for symbol in sorted(expression.free_symbols, key=str)}
        try:
            ball = enclose(expression, point)
        except NotEnclosable:
            continue
        if ball < 0 or (found == "positive" and ball <= 0):
            raise Disagreement(f"{expression} was found to be {found}, and is {ball.str(6)} at {point}")
    return found


def _value(symbol: sp.Symbol, random: Random, size: int) -> sp.Rational:
    """A number of the sign that a symbol is said to have."""
    value = sp.Rational(random.randint(1, 3 * size), 1 if symbol.is_integer else random.randint(1, 3))
    return value if symbol.is_nonnegative else -value if symbol.is_nonpositive else value * random.choice((-1, 1))


def _sign(expression: sp.Expr) -> Sign | None:
    """Constants are enclosed by Arb.

    A product has the sign of its factors; log u > 0 if u - 1 > 0; anything else if, in its normal form, all symbols are
    of known sign and no term is negative.
    """
    if not expression.free_symbols:
        try:
            return "positive" if enclose(expression, {}) > 0 else None
        except NotEnclosable:
            return None
    if isinstance(expression, sp.Mul) and not expression.is_Rational:
        signs = [_sign(factor) for factor in expression.args]
        if None not in signs:
            return "positive" if all(one == "positive" for one in signs) else "nonnegative"
    if isinstance(expression, sp.log):
        return _sign(expression.args[0] - 1)
    try:
        form = normal_form(expression)
    except Undefined:
        return None
    ring = PolynomialRing(form.symbols)
    numerator = _sign_of_terms(ring, form.fraction.numerator)
    denominator = _sign_of_terms(ring, form.fraction.denominator)
    return numerator if denominator == "positive" else None


def _sign_of_terms(ring: PolynomialRing, polynomial: flint.fmpq_mpoly) -> Sign | None:
    terms = [coefficient * monomial for monomial, coefficient in ring.terms(polynomial)]
    if not all(term.is_nonnegative for term in terms):
        return None
    return "positive" if any(term.is_positive for term in terms) else "nonnegative"
