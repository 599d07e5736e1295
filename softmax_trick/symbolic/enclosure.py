"""Rigorous enclosures of SymPy expressions at exact points, by Arb (python-flint).

mpmath's iv.exp can miss the true value (mpmath#1181); Arb's balls do not.
"""

from __future__ import annotations

from collections.abc import Mapping

import flint
import sympy as sp


class NotEnclosable(ValueError):
    """The expression has no value at the point, or contains a function for which there is no enclosure."""


def enclose(expression: sp.Expr, point: Mapping[sp.Symbol, sp.Expr], precision: int = 128) -> flint.arb:
    """A ball that contains the value of the expression at the point.

    Args:
        expression: built from rationals, symbols, + - * / **, exp, log, tanh, sinh, cosh, Abs, Max, Min,
            and real roots of polynomials (CRootOf).
        point: the exact value of every symbol, itself such an expression without symbols.
        precision: working precision in bits.

    Returns:
        a flint.arb; it contains the true value, always.

    Raises:
        NotEnclosable: the value is undefined at the point (or cannot be separated from an undefined one at this
            precision), a symbol has no value, or a function is unknown.
    """
    before = flint.ctx.prec
    flint.ctx.prec = precision
    try:
        ball = _enclose(expression, {symbol: _enclose(value, {}) for symbol, value in point.items()})
    finally:
        flint.ctx.prec = before
    if not ball.is_finite():
        raise NotEnclosable(f"{expression} is undefined at {dict(point)}, or not separable from it")
    return ball


def _enclose(node: sp.Expr, values: Mapping[sp.Symbol, flint.arb]) -> flint.arb:
    if node.is_Rational:
        return flint.arb(flint.fmpq(int(node.p), int(node.q)))
    if node.is_Symbol:
        if node not in values:
            raise NotEnclosable(f"no value is given for {node}")
        return values[node]
    if node is sp.S.Exp1:
        return flint.arb(1).exp()
    if node is sp.S.Pi:
        return flint.arb.pi()
    if node.is_Pow:
        return _power(node, values)
    if isinstance(node, sp.CRootOf) and node.is_real:
        return _root(node)
    arguments = [_enclose(argument, values) for argument in node.args]
    match node:
        case sp.Add():
            return sum(arguments, flint.arb(0))
        case sp.Mul():
            product = flint.arb(1)
            for factor in arguments:
                product = product * factor
            return product
        case sp.exp():
            return arguments[0].exp()
        case sp.log():
            if not arguments[0] > 0:
                raise NotEnclosable(f"the argument of {node} is not known to be positive")
            return arguments[0].log()
        case sp.tanh():
            return arguments[0].tanh()
        case sp.sinh():
            return arguments[0].sinh()
        case sp.cosh():
            return arguments[0].cosh()
        case sp.Abs():
            return abs(arguments[0])
        case sp.Max():
            return _fold(flint.arb.max, arguments)
        case sp.Min():
            return _fold(flint.arb.min, arguments)
    raise NotEnclosable(f"there is no enclosure for {node.func.__name__} in {node}")


def _root(node: sp.CRootOf) -> flint.arb:
    """A real root of a polynomial, isolated by SymPy in exact arithmetic."""
    error = flint.fmpq(1, 2**flint.ctx.prec)
    near = node.eval_rational(sp.Rational(1, 2**flint.ctx.prec))
    return flint.arb(flint.fmpq(int(near.p), int(near.q)), flint.arb(error))


def _power(node: sp.Pow, values: Mapping[sp.Symbol, flint.arb]) -> flint.arb:
    base, exponent = _enclose(node.base, values), node.exp
    if exponent.is_Integer:
        # By hand: arb**int across zero gives NaN (python-flint#426).
        power = flint.arb(1)
        for _ in range(abs(int(exponent))):
            power = power * base
        return power if exponent >= 0 else 1 / power
    if not base > 0:
        raise NotEnclosable(f"the base of {node} is not known to be positive")
    return (base.log() * _enclose(exponent, values)).exp()


def _fold(function: object, arguments: list[flint.arb]) -> flint.arb:
    result = arguments[0]
    for argument in arguments[1:]:
        result = function(result, argument)  # type: ignore[operator]
    return result
