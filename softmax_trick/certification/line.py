"""Functions of one variable, exactly: the line is cut at finitely many points, between which they are smooth.

The points are the zeros of everything whose sign matters: what a condition compares, what stands under abs, max, min,
a root or a logarithm, and denominators. Between them every sign is that at a sample, so that every Piecewise is the
piece taken there. Zeros are found where they can be written down: roots of polynomials, and logarithms of them; those
of polynomials in x and e^x, which mostly cannot, only where there are none or the only one is 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm

import flint
import sympy as sp

from softmax_trick.certification.exponential import limit_at_infinity, real_zeros
from softmax_trick.certification.reals import HYPERBOLIC, Reals
from softmax_trick.certification.unknown import Unknown
from softmax_trick.symbolic import decide, normal_form
from softmax_trick.symbolic.enclosure import NotEnclosable, enclose
from softmax_trick.symbolic.fractions import PolynomialRing, Undefined

MOST_CELLS = 60
LARGEST_DEGREE = 12
PRECISION = 400  # bits
SIMPLE, MOST = 1000, 10**6  # the greatest denominator of a ratio that is guessed, and the greatest ratio
FAR = tuple(sp.Integer(10) ** n for n in (1, 2, 4, 8))  # where a limit is looked at once more


class NowhereDefined(ValueError):
    """A part has no value on a cell."""


class _Cut(Exception):
    """Further points are needed."""

    def __init__(self, points: Sequence[sp.Expr]) -> None:
        self.points = points


@dataclass(frozen=True)
class Cell:
    """A point, or an open interval with an exact sample in it; ends that are None are infinite."""

    sample: sp.Expr
    low: sp.Expr | None = None
    high: sp.Expr | None = None
    is_point: bool = False


# --- exact numbers ----------------------------------------------------------------------------------------------------


def sign_of(number: sp.Expr) -> int:
    """The sign of a constant.

    Raises:
        Unknown: it is neither enclosed away from 0 nor reduced to 0.
        NowhereDefined: it is no real number.
    """
    if number.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise NowhereDefined(f"{number} is no real number")
    if number.is_Rational:
        return int(sp.sign(number))
    try:
        ball = enclose(number, {}, PRECISION)
    except NotEnclosable as error:
        raise Unknown(str(error)) from error
    if 0 not in ball:
        return 1 if ball > 0 else -1
    algebraic = number.rewrite(HYPERBOLIC, sp.exp)
    if decide(number).status == "zero" or Reals([sp.Ne(algebraic, 0)]).never():
        return 0
    raise Unknown(f"whether {number} is 0 is not decided")


def is_same(a: sp.Expr, b: sp.Expr) -> bool:
    """Whether two constants are equal."""
    return _compare(a, b) == 0


def simple_ratio(a: sp.Expr, b: sp.Expr) -> sp.Rational | None:
    """The simple rational number that a / b may be, a guess; None if it is none."""
    try:
        ball = enclose(a / b, {}, PRECISION)
    except NotEnclosable:
        return None
    if not abs(ball) < MOST:
        return None
    guess = Fraction(float(ball)).limit_denominator(SIMPLE)
    return sp.Rational(guess.numerator, guess.denominator) if flint.fmpq(*guess.as_integer_ratio()) in ball else None


def is_inside(point: sp.Expr, cell: Cell) -> bool:
    """Whether a point lies strictly inside an interval."""
    return (cell.low is None or _compare(cell.low, point) < 0) and (cell.high is None or _compare(point, cell.high) < 0)


def _compare(a: sp.Expr, b: sp.Expr) -> int:
    return 0 if a == b else sign_of(a - b)


def _sorted(points: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Increasing, each once."""
    found: list[sp.Expr] = []
    for point in points:
        place = 0
        while place < len(found) and (order := _compare(point, found[place])) >= 0:
            if order == 0:
                break
            place += 1
        else:
            found.insert(place, point)
    return found


def _between(low: sp.Expr | None, high: sp.Expr | None) -> sp.Rational:
    """A simple rational number strictly between two exact ones; None is infinite."""
    if low is None and high is None:
        return sp.S.Zero
    if low is None:
        return sp.Integer(int(sp.floor(high)) - 1)
    if high is None:
        return sp.Integer(int(sp.floor(low)) + 1) if low != sp.floor(low) else low + 1
    for denominator in (1, 2, 3, *(2**n for n in range(2, 200))):
        candidate = (sp.floor(low * denominator) + 1) / sp.Integer(denominator)
        if _compare(low, candidate) < 0 < _compare(high, candidate):
            return candidate
    raise Unknown(f"{low} and {high} are too close to each other")


def cells(points: Sequence[sp.Expr]) -> list[Cell]:
    """The points and the intervals that they cut the line into, from left to right."""
    ordered = _sorted(points)
    if len(ordered) > MOST_CELLS:
        raise Unknown(f"there are more than {MOST_CELLS} points to look at")
    ends = [None, *ordered, None]
    found = []
    for low, high in itertools.pairwise(ends):
        found.append(Cell(_between(low, high), low, high))
        if high is not None:
            found.append(Cell(high, is_point=True))
    return found


# --- zeros ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2000)
def zeros(expression: sp.Expr, x: sp.Symbol) -> tuple[sp.Expr, ...] | None:
    """All real zeros of an expression without pieces; None if it is 0 throughout.

    Raises:
        Unknown: they cannot all be written down.
    """
    if not expression.has(x):
        return None if sign_of(expression) == 0 else ()
    try:
        form = normal_form(expression)
    except Undefined as error:
        raise Unknown(str(error)) from error
    if form.is_zero():
        return None
    ring = PolynomialRing(form.symbols)
    found: list[sp.Expr] = []
    for factor, _ in form.fraction.numerator.factor()[1]:
        found += _zeros_of_factor(ring.expression(factor), x, form.atoms)
    return tuple(_sorted(found))


def _zeros_of_factor(factor: sp.Expr, x: sp.Symbol, atoms: dict[sp.Symbol, sp.Expr]) -> list[sp.Expr]:
    symbols = factor.free_symbols
    if symbols == {x}:
        return _roots(factor, x)
    if len(symbols) == 1:
        (atom,) = symbols
        meaning = _written_out(atoms[atom].doit(), atoms)
        if isinstance(meaning, sp.exp) and _slope(meaning.args[0], x):
            roots = [root for root in _roots(factor, atom) if sign_of(root) > 0]
            return [sp.expand_log(sp.log(root)) / _slope(meaning.args[0], x) for root in roots]
        if isinstance(meaning, sp.log) and factor == atom:  # log|p| = 0
            inner = meaning.args[0].args[0] if isinstance(meaning.args[0], sp.Abs) else meaning.args[0]
            return [zero for sign in (1, -1) for zero in zeros(inner + sign, x) or ()]
        if meaning.is_Pow and meaning.exp.is_Rational and factor == atom:
            return list(zeros(meaning.base, x) or ())
    full = _written_out(factor, atoms)
    if full.has(sp.exp) and not full.has(sp.log):
        return real_zeros(full, x)
    others = symbols - {x}
    if len(others) == 1:
        (atom,) = others
        meaning = _written_out(atoms[atom], atoms)
        if meaning.is_Pow and meaning.exp.is_Rational and _is_rational(meaning.base, x):
            top, bottom = sp.fraction(sp.together(meaning.base))
            eliminated = sp.resultant(factor, bottom * atom**meaning.exp.q - top, atom)
            return [zero for zero in zeros(eliminated, x) or () if _is_zero_at(full, x, zero)]
    raise Unknown(f"the zeros of {full} are not known")


def _is_rational(expression: sp.Expr, x: sp.Symbol) -> bool:
    return bool(expression.free_symbols <= {x} and expression.is_rational_function(x))


def _is_zero_at(expression: sp.Expr, x: sp.Symbol, point: sp.Expr) -> bool:
    """Whether a candidate is a zero; where the expression has no value it is none."""
    try:
        return sign_of(expression.xreplace({x: point})) == 0
    except NowhereDefined:
        return False


def _slope(exponent: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    slope = sp.cancel(exponent / x)
    return slope if slope.is_Rational and slope != 0 else None


def _roots(polynomial: sp.Expr, x: sp.Symbol) -> list[sp.Expr]:
    poly = sp.Poly(polynomial, x)
    if poly.degree() > LARGEST_DEGREE:
        raise Unknown(f"a polynomial of degree {poly.degree()}")
    return list(dict.fromkeys(poly.real_roots()))


# --- a function on the cells ------------------------------------------------------------------------------------------


class _Resolution:
    """Expressions and conditions on one cell, without pieces."""

    def __init__(self, x: sp.Symbol, cell: Cell, points: Sequence[sp.Expr]) -> None:
        self._x, self._cell, self._points = x, cell, points

    def expression(self, node: sp.Expr) -> sp.Expr:
        """What the expression is on the cell.

        Raises:
            NowhereDefined: it has no value there.
        """
        if not node.args:
            return node
        if isinstance(node, sp.Piecewise):
            for value, condition in node.args:
                if self.truth(condition):
                    return self.expression(value)
            raise NowhereDefined("no condition of the Piecewise holds")
        arguments = [self.expression(argument) for argument in node.args]
        if isinstance(node, sp.Abs | sp.sign | sp.Heaviside):
            sign = self.sign(arguments[0])
            if isinstance(node, sp.Heaviside):
                return sp.Rational(1 + sign, 2) if sign or len(node.args) < 2 else node.args[1]
            return sp.Integer(sign) if isinstance(node, sp.sign) else sign * arguments[0]
        if isinstance(node, sp.Max | sp.Min):
            best, side = arguments[0], 1 if isinstance(node, sp.Max) else -1
            for other in arguments[1:]:
                if side * self.sign(other - best) > 0:
                    best = other
            return best
        self._check(node, arguments)
        return node.func(*arguments)

    def _check(self, node: sp.Expr, arguments: list[sp.Expr]) -> None:
        if isinstance(node, sp.log) and self.sign(arguments[0]) <= 0:
            raise NowhereDefined(f"{node.args[0]} has to be positive")
        if isinstance(node, sp.Pow) and not isinstance(node, sp.exp):
            base, exponent = arguments
            if exponent.is_Integer and exponent > 0:
                return
            sign = self.sign(base)
            if exponent.is_Integer:
                defined = sign != 0
            else:
                defined = sign > 0 or (sign == 0 and self.sign(exponent) > 0)
            if not defined:
                raise NowhereDefined(f"{node} has no value where {node.base} is {'0' if sign == 0 else 'negative'}")

    def truth(self, condition: sp.Basic) -> bool:
        """Whether a condition holds on the cell."""
        if condition in (sp.true, sp.false):
            return bool(condition)
        if isinstance(condition, sp.And):
            parts = [self.truth(part) for part in condition.args]  # each has to have a value
            return all(parts)
        if isinstance(condition, sp.Or):
            parts = [self.truth(part) for part in condition.args]
            return any(parts)
        if isinstance(condition, sp.Not):
            return not self.truth(condition.args[0])
        if isinstance(condition, sp.ITE):
            test, then, otherwise = condition.args
            return self.truth(then if self.truth(test) else otherwise)
        sign = self.sign(self.expression(condition.lhs) - self.expression(condition.rhs))
        match condition:
            case sp.Eq():
                return sign == 0
            case sp.Ne():
                return sign != 0
            case sp.StrictGreaterThan():
                return sign > 0
            case sp.GreaterThan():
                return sign >= 0
            case sp.StrictLessThan():
                return sign < 0
            case sp.LessThan():
                return sign <= 0
        raise Unknown(f"{type(condition).__name__} is no condition that is known")

    def sign(self, expression: sp.Expr) -> int:
        """The sign of an expression without pieces on the cell."""
        if not expression.has(self._x):
            return sign_of(expression)
        there = zeros(expression, self._x)
        if there is None:
            return 0
        new = [zero for zero in there if all(_compare(zero, point) for point in self._points)]
        if new:
            raise _Cut(new)
        if self._cell.is_point and not all(_compare(zero, self._cell.sample) for zero in there):
            return 0
        return sign_of(expression.xreplace({self._x: self._cell.sample}))


def resolved(nodes: Sequence[sp.Basic], x: sp.Symbol) -> list[tuple[Cell, list[sp.Expr | bool | None]]]:
    """Expressions and conditions on each cell of the line: without pieces, true or false, None where undefined.

    Raises:
        Unknown: the line cannot be cut so that every sign is known.
    """
    points: list[sp.Expr] = []
    while True:
        try:
            found = []
            for cell in cells(points):
                resolution = _Resolution(x, cell, points)
                found.append((cell, [_on_cell(resolution, node) for node in nodes]))
            return found
        except _Cut as cut:
            points = _sorted([*points, *cut.points])


def _on_cell(resolution: _Resolution, node: sp.Basic) -> sp.Expr | bool | None:
    try:
        if isinstance(node, sp.Expr):
            return resolution.expression(node)
        return resolution.truth(node)
    except NowhereDefined:
        return None


def pole_free(expression: sp.Expr, x: sp.Symbol, point: sp.Expr) -> bool:
    """Whether all powers and logarithms in an expression without pieces are smooth at a point."""
    for node in sp.preorder_traversal(expression):
        if isinstance(node, sp.log):
            needed = node.args[0]
        elif isinstance(node, sp.Pow) and not isinstance(node, sp.exp) and not (node.exp.is_Integer and node.exp > 0):
            needed = node.base
        else:
            continue
        try:
            if sign_of(needed.xreplace({x: point})) == 0:
                return False
        except NowhereDefined:
            return False
    return True


# --- limits -----------------------------------------------------------------------------------------------------------


def limit_at(piece: sp.Expr, x: sp.Symbol, point: sp.Expr, side: int) -> sp.Expr:
    """The limit of a smooth piece at a point from one side; it can be infinite."""
    if pole_free(piece, x, point):
        return piece.xreplace({x: point})
    return limit(*_in_roots(piece, x, point, side)[:2], sp.S.Zero)


def limit_and_slope(piece: sp.Expr, x: sp.Symbol, point: sp.Expr, side: int) -> tuple[sp.Expr, sp.Expr]:
    """That limit, and the limit of the difference quotients; they can be infinite.

    Where the piece is smooth at the point they are its value and derivative. Elsewhere the piece is written in w with
    x = point +- w^n, in which its roots are smooth.
    """
    if pole_free(piece, x, point):
        return piece.xreplace({x: point}), piece.diff(x).xreplace({x: point})
    inner, w, n = _in_roots(piece, x, point, side)
    value = limit(inner, w, sp.S.Zero)
    if value in (sp.oo, -sp.oo):
        return value, side * value
    return value, side * limit(sp.powsimp(sp.expand((inner - value) / w**n)), w, sp.S.Zero)


def _in_roots(piece: sp.Expr, x: sp.Symbol, point: sp.Expr, side: int) -> tuple[sp.Expr, sp.Symbol, int]:
    """The piece in w > 0, with x = point +- w^n for the n that makes its roots smooth."""
    w = sp.Symbol("w", positive=True)
    n = lcm(*(int(node.exp.q) for node in piece.atoms(sp.Pow) if node.exp.is_Rational))
    return _factored(sp.expand_log(piece.xreplace({x: point + side * w**n})), w), w, n


def _factored(node: sp.Expr, w: sp.Symbol) -> sp.Expr:
    """The expression with the powers of w drawn out of all roots."""
    if not node.args or not node.has(w):
        return node
    arguments = [_factored(argument, w) for argument in node.args]
    if node.is_Pow and not isinstance(node, sp.exp):
        return sp.Pow(sp.factor(arguments[0]), arguments[1])
    if isinstance(node, sp.log):
        return sp.expand_log(sp.log(sp.factor(arguments[0])))
    return node.func(*arguments)


def limit(expression: sp.Expr, x: sp.Symbol, point: sp.Expr) -> sp.Expr:
    """The limit of an expression without pieces at an infinite point, or at a finite one from the right.

    That of a quotient of exponential polynomials is that of their greatest terms; others are found by SymPy, and looked
    at once more by enclosures.

    Raises:
        Unknown: SymPy does not find it, or what it finds is not what is seen.
    """
    if not expression.has(x):
        return expression
    if point.is_infinite:
        try:
            numerator, denominator = _fraction(expression)
            return limit_at_infinity(numerator, denominator, x, 1 if point == sp.oo else -1)
        except (Undefined, Unknown):
            pass
    try:
        found = sp.limit(expression, x, point, "+")
    except (NotImplementedError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unknown(f"the limit of {expression} was not found") from error
    if found.has(sp.Limit, sp.AccumBounds, sp.nan, sp.zoo, sp.I) or found.free_symbols & {x}:
        raise Unknown(f"the limit of {expression} was not found")
    if point.is_infinite:
        near = [far if point == sp.oo else -far for far in FAR]
    else:
        near = [point + 1 / far for far in FAR]
    balls = []
    for place in near:
        try:
            balls.append(enclose(expression, {x: place}, PRECISION))
        except NotEnclosable:
            continue
    if not _plausible(found, balls):
        raise Unknown(f"the limit of {expression} is not plainly {found}")
    return sp.simplify(found) if found.is_number and not found.is_infinite else found


def _fraction(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Numerator and denominator, in lowest terms."""
    form = normal_form(expression)
    ring = PolynomialRing(form.symbols)
    numerator, denominator = map(ring.expression, (form.fraction.numerator, form.fraction.denominator))
    return _written_out(numerator, form.atoms), _written_out(denominator, form.atoms)


def _written_out(expression: sp.Expr, atoms: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """An expression with what its atoms stand for."""
    while inner := expression.free_symbols & atoms.keys():
        expression = expression.xreplace({atom: atoms[atom].doit() for atom in inner})
    return expression


def _plausible(found: sp.Expr, balls: list[flint.arb]) -> bool:
    """Whether enclosed values move towards the limit."""
    if len(balls) < 2:
        return False
    first, last = balls[-2], balls[-1]
    if found in (sp.oo, -sp.oo):
        side = 1 if found == sp.oo else -1
        return bool(side * last > 1 and side * (last - first) > 0)
    try:
        target = enclose(found, {}, PRECISION)
    except NotEnclosable:
        return False
    return bool(abs(last - target) <= abs(first - target) or abs(last - target) < 1e-6)


# --- at a point -------------------------------------------------------------------------------------------------------


_NO_VARIABLE = sp.Dummy("none")
_HERE = Cell(sp.S.Zero, is_point=True)


def truth_at(condition: sp.Basic, point: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Whether a condition holds at an exact point.

    Raises:
        Unknown: it is not decided.
        NowhereDefined: it has no value there.
    """
    return _Resolution(_NO_VARIABLE, _HERE, ()).truth(_put_in(condition, point))


def value_at(expression: sp.Expr, point: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """The exact value of an expression at a point; raises as `truth_at` does."""
    return _Resolution(_NO_VARIABLE, _HERE, ()).expression(_put_in(expression, point))


def _put_in(node: sp.Basic, point: Mapping[sp.Symbol, sp.Expr]) -> sp.Basic:
    try:
        return node.xreplace(dict(point))
    except TypeError as error:  # SymPy compares no numbers that are not real
        raise NowhereDefined(str(error)) from error
