"""Signs, exactly: positive or nonnegative for every value that the symbols' assumptions allow."""

from __future__ import annotations

from typing import Literal

import flint
import sympy as sp

from softmax_trick.numeric import NotEnclosable, enclose
from softmax_trick.symbolic.contraction import contract
from softmax_trick.symbolic.fractions import PolynomialRing, Undefined
from softmax_trick.symbolic.normal_form import normal_form
from softmax_trick.symbolic.stand_ins import StandIns

Sign = Literal["positive", "nonnegative"]


def sign(expression: sp.Expr) -> Sign | None:
    """The sign of an expression, or None where it is not decided.

    A product has the sign of its factors; log u > 0 if u - 1 > 0; anything else if, in its normal form, all symbols are
    of known sign and no term is negative. A constant is enclosed by Arb.
    """
    expression = StandIns().put_into(contract(expression))
    if not expression.free_symbols:
        try:
            return "positive" if enclose(expression, {}) > 0 else None
        except NotEnclosable:
            return None
    if isinstance(expression, sp.Mul) and not expression.is_Rational:
        signs = [sign(factor) for factor in expression.args]
        if None not in signs:
            return "positive" if all(one == "positive" for one in signs) else "nonnegative"
    if isinstance(expression, sp.log):
        return sign(expression.args[0] - 1)
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
