"""Exponential polynomials sum_i p_i(x) exp(q_i(x)) in one variable, with rational coefficients: where are their zeros?

Far out the term with the greatest exponent outweighs the others, by bounds that hold from some point on; on the rest of
the line they are enclosed by Arb, interval by interval. The one zero that can be written down is 0.
"""

from __future__ import annotations

import flint
import sympy as sp

from softmax_trick.certification.unknown import Unknown

FARTHEST = 2**12
FINEST = 2.0**-24
MOST_INTERVALS = 20_000
LARGEST_ORDER = 8

Terms = list[tuple[sp.Poly, sp.Poly]]  # exponent q and coefficient p


def terms_of(expression: sp.Expr, x: sp.Symbol) -> Terms:
    """The terms p exp(q), the q being different.

    Raises:
        Unknown: it is no such sum.
    """
    found: dict[sp.Expr, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(sp.powsimp(sp.expand(expression), force=False))):
        exponent: sp.Expr = sp.S.Zero
        coefficient: sp.Expr = sp.S.One
        for factor in sp.Mul.make_args(term):
            base, power = factor.as_base_exp()
            if isinstance(factor, sp.exp):
                exponent += factor.args[0]
            elif isinstance(base, sp.exp):
                exponent += base.args[0] * power
            else:
                coefficient *= factor
        exponent = sp.expand(exponent)
        found[exponent] = found.get(exponent, sp.S.Zero) + coefficient
    try:
        return [(sp.Poly(q, x, domain="QQ"), sp.Poly(p, x, domain="QQ")) for q, p in found.items() if sp.expand(p) != 0]
    except (sp.PolynomialError, sp.CoercionFailed) as error:
        raise Unknown(f"{expression} is no sum of polynomials times exponentials of polynomials") from error


def real_zeros(expression: sp.Expr, x: sp.Symbol) -> list[sp.Expr]:
    """The real zeros: none, or 0 alone.

    Raises:
        Unknown: there may be others, which cannot be written down.
    """
    terms = terms_of(expression, x)
    reach = max(_reach(terms, side) for side in (1, -1))
    derivatives = [terms]
    order = 0
    while order < LARGEST_ORDER and _at_zero(derivatives[order]) == 0:
        derivatives.append(_derivative(derivatives[order]))
        order += 1
    waiting, looked_at = [(-float(reach), 0.0), (0.0, float(reach))], 0
    while waiting:
        low, high = waiting.pop()
        looked_at += 1
        if 0 not in _enclosed(terms, low, high):
            continue
        # Around a zero of order m at 0, the m-th derivative keeps its sign: there is no other zero.
        if order and low <= 0 <= high and 0 not in _enclosed(derivatives[order], low, high):
            continue
        if high - low < FINEST or looked_at > MOST_INTERVALS:
            raise Unknown(f"{expression} seems to have a zero near {low:.6g}, which cannot be written down")
        middle = (low + high) / 2
        waiting += [(low, middle), (middle, high)]
    return [sp.S.Zero] if order else []


def _at_zero(terms: Terms) -> sp.Rational:
    """The value at 0, if all exponents are 0 there."""
    if any(q.eval(0) != 0 for q, _ in terms):
        return sp.S.One  # then it is not looked at as a zero
    return sum((p.eval(0) for _, p in terms), sp.S.Zero)


def _derivative(terms: Terms) -> Terms:
    return [(q, p.diff() + p * q.diff()) for q, p in terms]


def _enclosed(terms: Terms, low: float, high: float) -> flint.arb:
    """A ball that contains the sum over an interval."""
    x = flint.arb(low).union(flint.arb(high))
    total = flint.arb(0)
    for q, p in terms:
        total += _horner(p, x) * _horner(q, x).exp()
    return total


def _horner(poly: sp.Poly, x: flint.arb) -> flint.arb:
    value = flint.arb(0)
    for coefficient in poly.all_coeffs():
        value = value * x + flint.arb(flint.fmpq(int(coefficient.p), int(coefficient.q)))
    return value


def _reach(terms: Terms, side: int) -> int:
    """R such that the sum is not 0 for side x >= R."""
    greatest = _greatest(terms, side)
    turned = [(_turned(q, side), _turned(p, side)) for q, p in terms]
    others = [one for one in turned if one != greatest]
    reach = 1
    while reach <= FARTHEST:
        if all(_beyond_roots(poly, reach) for poly in _monotone(greatest, others)):
            at = flint.arb(reach)
            rest = flint.arb(0)
            for q, p in others:
                rest += abs(_horner(p, at)) * (_horner(q, at) - _horner(greatest[0], at)).exp()
            if rest < abs(_horner(greatest[1], at)):
                return reach
        reach *= 2
    raise Unknown("no term outweighs the others soon enough")


def _turned(poly: sp.Poly, side: int) -> sp.Poly:
    (x,) = poly.gens
    return poly if side > 0 else sp.Poly(poly.as_expr().subs(x, -x), x, domain="QQ")


def _monotone(greatest: tuple[sp.Poly, sp.Poly], others: Terms) -> list[sp.Poly]:
    """What must not change sign any more, so that |p_n| does not fall and each |p_i| exp(q_i - q_n) does not rise."""
    needed = [greatest[1], greatest[1].diff()]
    for q, p in others:
        needed.append(p.diff() + p * (q - greatest[0]).diff())
    return [poly for poly in needed if not poly.is_zero]


def _beyond_roots(poly: sp.Poly, reach: int) -> bool:
    """Whether all roots are smaller, by Cauchy's bound."""
    leading, *rest = poly.all_coeffs()
    return bool(reach > 1 + max((abs(one / leading) for one in rest), default=0))


def limit_at_infinity(numerator: sp.Expr, denominator: sp.Expr, x: sp.Symbol, side: int) -> sp.Expr:
    """The limit of a quotient of two such sums for x to side * infinity: that of its greatest terms.

    Raises:
        Unknown: they are no such sums.
    """
    (q, p), (r, s) = (_greatest(terms_of(part, x), side) for part in (numerator, denominator))
    growth = q - r
    if growth.degree() > 0:
        to_infinity = growth.LC() > 0
    elif p.degree() != s.degree():
        to_infinity = p.degree() > s.degree()
    else:
        return p.LC() / s.LC() * sp.exp(growth.as_expr())
    if not to_infinity:
        return sp.S.Zero
    return sp.oo if (p.LC() > 0) == (s.LC() > 0) else -sp.oo


def _greatest(terms: Terms, side: int) -> tuple[sp.Poly, sp.Poly]:
    """The exponent and the coefficient, in side * x, of the term that outweighs the others far out."""
    if not terms:
        raise Unknown("it is 0 everywhere")
    turned = [(_turned(q, side), _turned(p, side)) for q, p in terms]
    greatest = turned[0]
    for one in turned[1:]:
        difference = one[0] - greatest[0]
        if difference.degree() < 1:
            raise Unknown("two exponents differ by a constant")
        if difference.LC() > 0:
            greatest = one
    return greatest
