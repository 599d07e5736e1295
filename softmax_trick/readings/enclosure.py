"""Values of expressions at exact points, enclosed by balls of Arb (python-flint).

A ball contains the true value, always. What does not depend on the point (numbers, sizes, deltas) is kept as an exact
rational: a power with such an exponent, if an integer, is defined for every base.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import flint

from softmax_trick.language.expression import Expression
from softmax_trick.language.interpreter import Reading
from softmax_trick.readings.pointwise import Point, Pointwise, Positions, Unclear, Undefined

PRECISION = 128  # bits
PRECISIONS = (PRECISION, 512, 2048)

Ball = Any  # flint.arb, or flint.fmpq for a constant


class Balls:
    """The field of Arb's balls, see `softmax_trick.readings.pointwise.Field`."""

    def number(self, value: Fraction) -> Ball:
        return flint.fmpq(value.numerator, value.denominator)

    def given(self, value: Any) -> Ball:
        return flint.arb(flint.fmpq(value.numerator, value.denominator))

    def constant(self, value: Ball) -> Fraction | None:
        return Fraction(int(value.p), int(value.q)) if type(value) is flint.fmpq else None

    def add(self, left: Ball, right: Ball) -> Ball:
        return left + right

    def multiply(self, left: Ball, right: Ball) -> Ball:
        for factor in (left, right):
            if type(factor) is flint.fmpq and not factor:
                return factor
        return left * right

    def power(self, base: Ball, exponent: Ball) -> Ball:
        if type(exponent) is not flint.fmpq:
            return self.exp(exponent * self.log(base))
        if exponent.q == 1:
            return _whole_power(base, int(exponent.p))
        if exponent.q == 2:
            base = flint.arb(base)
            if base.is_zero() and exponent.p == 1:
                return base
            return _whole_power(_positive(base, "the base of a root").sqrt(), int(exponent.p))
        return self.exp(exponent * self.log(base))

    def exp(self, value: Ball) -> Ball:
        result = flint.arb(value).exp()
        if not result.is_finite():
            raise Unclear("an exponential is too large to be enclosed")
        return result

    def log(self, value: Ball) -> Ball:
        return _positive(flint.arb(value), "the argument of a logarithm").log()

    def normal_cdf(self, value: Ball) -> Ball:
        return (-flint.arb(value) / flint.arb(2).sqrt()).erfc() / 2

    def normal_pdf(self, value: Ball) -> Ball:
        return (-(flint.arb(value) ** 2) / 2).exp() / (2 * flint.arb.pi()).sqrt()

    def step(self, value: Ball) -> Ball:
        if value > 0:
            return flint.fmpq(1)
        if value < 0:
            return flint.fmpq(0)
        raise _unless_exact(value, "two pieces of a piecewise function meet")

    def vanishes(self, value: Ball) -> bool:
        return not value if type(value) is flint.fmpq else bool(value.is_zero())

    def largest(self, values: list[Ball]) -> Ball:
        result = values[0]
        for value in values[1:]:
            result = flint.arb(result).max(flint.arb(value))
        return result

    def place_of_largest(self, values: list[Ball]) -> int:
        for place, value in enumerate(values):
            if all(value > other for other in values[:place] + values[place + 1 :]):
                return place
        raise Unclear("the largest entry is not known to be the only one, and it is differentiated")


def _whole_power(base: Ball, exponent: int) -> Ball:
    # By hand: arb**int across zero gives NaN (python-flint#426).
    if exponent < 0:
        if not (base > 0 or base < 0):
            raise _unless_exact(base, "a division by zero")
        return 1 / _whole_power(base, -exponent)
    result = flint.fmpq(1)
    while exponent:
        if exponent & 1:
            result = result * base
        base, exponent = base * base, exponent >> 1
    return result


def _positive(value: flint.arb, what: str) -> flint.arb:
    if value > 0:
        return value
    if value <= 0:
        raise Undefined(f"{what} is not positive")
    raise Unclear(f"{what} is not known to be positive")


def _unless_exact(value: Ball, what: str) -> Undefined:
    """Undefined at an exact zero, unclear at a ball around it."""
    return Undefined(what) if Balls().vanishes(value) else Unclear(f"{what}, or nearly")


class Enclosure:
    """An expression's entries at a point.

    Args:
        point: sizes, exact values (int or Fraction) and indices.
        precision: working precision in bits.
    """

    def __init__(self, point: Point, precision: int = PRECISION) -> None:
        self._precision = precision
        self._reading: Reading[Ball] = Reading(Pointwise(Balls(), point))

    @property
    def computed(self) -> int:
        """How many entries were computed so far."""
        return self._reading.computed

    def entry(self, expression: Expression, positions: Positions = ()) -> flint.arb:
        """A ball that contains the entry.

        Raises:
            Undefined: it has no value at the point; as `Unclear`, where this precision does not tell.
        """
        with _precision(self._precision):
            try:
                ball = flint.arb(self._reading.entry(expression, positions))
            except RecursionError:
                raise Unclear("nested too deeply for Python's stack") from None
        if not ball.is_finite():
            raise Unclear("a value is too large to be enclosed")
        return ball


def enclose(expression: Expression, point: Point, positions: Positions = ()) -> flint.arb:
    """A ball that contains an entry of an expression at a point; the precision is raised where needed.

    Raises:
        Undefined: it has no value at the point; as `Unclear`, where no precision tells.
    """
    for precision in PRECISIONS:
        try:
            return Enclosure(point, precision).entry(expression, positions)
        except Unclear:
            if precision == PRECISIONS[-1]:
                raise
    raise AssertionError("unreachable")


@contextmanager
def _precision(bits: int) -> Iterator[None]:
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before
