r"""Formulas in a finite field that has exp and log: an exact check of identities that shares nothing with a proof.

The primes p_{j+1} = 2 p_j + 1 are a Cunningham chain of the first kind: the squares of F_{p_{j+1}} are a group of the
prime order p_j, so that

    exp: F_{p_j} -> squares of F_{p_{j+1}},  a -> g^a,  g = 4^s,

is an isomorphism of the additive group to the multiplicative one, for every s != 0. Its inverse is log (baby-step
giant-step), and "positive" means: a square that is not 0. A value is one residue at each level of the chain; exp takes
level j to level j + 1, log back. exp(a + b) = exp(a) exp(b), log(a b) = log a + log b for positive a and b,
exp(log u) = u, u^v = exp(v log u) and the positive root hold as over the reals. So an identity that follows from these
laws and those of a field holds at every point of the model, and a false one hardly ever: a rational function of degree
n that is not 0 vanishes at a random point of F_p with probability at most n/p (Schwartz and Zippel), and the base g is
random as well, so that exp(1) is no rational number here either.

The normal distribution function is one of no laws here but N(-u) = 1 - N(u) and N' = n: N is drawn at random, and so is
the constant c of its density n(u) = c exp(-u**2 / 2).

What the model lacks is an order. -1 is no square, but a sum of squares need not be one: where the argument of a log or
a root comes out as no square, there is no value at that level (None), and another point must be tried. step and max are
refused. And an identity that needs the sign of a sum, sqrt((p + q)**2) = p + q for positive p and q, is false at half
of the points: where the model contradicts, the reals have the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from itertools import product
from math import isqrt
from random import Random
from typing import Any

from softmax_trick.language.expression import Expression, Variable, size_of
from softmax_trick.language.interpreter import Reading
from softmax_trick.readings.pointwise import Point, Pointwise, Positions, Undefined

FIRST_PRIME = 1122659
PRIMES = tuple((FIRST_PRIME + 1) * 2**level - 1 for level in range(7))
LEVELS = range(len(PRIMES))

Residues = tuple[int | None, ...]  # at each level; None where there is no value
Value = Any  # Residues, or Fraction for a constant


class Refused(Undefined):
    """The expression contains what the finite field has no model of."""


def is_positive(residue: int, level: int) -> bool:
    """Whether a residue is a square and not 0."""
    return pow(residue, (PRIMES[level] - 1) // 2, PRIMES[level]) == 1


def logarithm(square: int, level: int) -> int:
    """The a with 4^a = square at a level >= 1, by Shanks' baby steps and giant steps.

    Raises:
        ValueError: no square.
    """
    prime = PRIMES[level]
    small, stride = _baby_steps(level)
    giant = pow(4, -stride, prime)
    for steps in range(0, prime, stride):
        if square in small:
            return (small[square] + steps) % PRIMES[level - 1]
        square = square * giant % prime
    raise ValueError("no square")


@cache
def _baby_steps(level: int) -> tuple[dict[int, int], int]:
    prime, power, stride = PRIMES[level], 1, isqrt(PRIMES[level - 1]) + 1
    small: dict[int, int] = {}
    for exponent in range(stride):
        small[power] = exponent
        power = 4 * power % prime
    return small, stride


@cache
def _of_fraction(value: Fraction) -> Residues:
    return tuple(value.numerator * pow(value.denominator, -1, prime) % prime for prime in PRIMES)


def _residues(value: Value) -> Residues:
    return _of_fraction(value) if type(value) is Fraction else value


class Chain:
    """The field of residues along the chain, see `softmax_trick.readings.pointwise.Field`.

    Args:
        bases: the s of each level, g = 4^s.
    """

    def __init__(self, bases: tuple[int, ...]) -> None:
        self._bases = bases
        self._logarithms: dict[tuple[int, int], int] = {}

    def number(self, value: Fraction) -> Value:
        return value

    def given(self, value: Any) -> Value:
        return value

    def constant(self, value: Value) -> Fraction | None:
        return value if type(value) is Fraction else None

    def add(self, left: Value, right: Value) -> Value:
        if type(left) is type(right) is Fraction:
            return left + right
        return tuple(
            None if a is None or b is None else (a + b) % prime
            for a, b, prime in zip(_residues(left), _residues(right), PRIMES, strict=True)
        )

    def multiply(self, left: Value, right: Value) -> Value:
        if type(left) is type(right) is Fraction:
            return left * right
        for factor in (left, right):
            if type(factor) is Fraction and not factor:
                return factor
        return tuple(
            None if a is None or b is None else a * b % prime
            for a, b, prime in zip(_residues(left), _residues(right), PRIMES, strict=True)
        )

    def power(self, base: Value, exponent: Value) -> Value:
        if type(exponent) is not Fraction:
            return self._general_power(_residues(base), exponent)
        if exponent.denominator == 1:
            return self._whole_power(base, int(exponent))
        return tuple(self._root(a, exponent, level) for level, a in enumerate(_residues(base)))

    def _whole_power(self, base: Value, exponent: int) -> Value:
        if type(base) is Fraction:
            if not base and exponent < 0:
                raise Undefined("a division by zero")
            return base**exponent
        return tuple(
            None if a is None or (a == 0 and exponent < 0) else pow(a, exponent, prime)
            for a, prime in zip(base, PRIMES, strict=True)
        )

    def _root(self, a: int | None, exponent: Fraction, level: int) -> int | None:
        if a == 0 and exponent == Fraction(1, 2):
            return 0
        if a is None or not is_positive(a, level):
            return None
        order = (PRIMES[level] - 1) // 2
        return pow(a, exponent.numerator * pow(exponent.denominator, -1, order), PRIMES[level])

    def _general_power(self, base: Residues, exponent: Residues) -> Residues:
        found: list[int | None] = [None]
        for level in LEVELS[1:]:
            a, v = base[level], exponent[level - 1]
            defined = a is not None and v is not None and is_positive(a, level)
            found.append(pow(a, v, PRIMES[level]) if defined else None)  # type: ignore[arg-type]
        return tuple(found)

    def exp(self, value: Value) -> Value:
        if type(value) is Fraction and not value:
            return Fraction(1)
        powers = (
            None if a is None else pow(4, a * s, prime)
            for a, s, prime in zip(_residues(value)[:-1], self._bases[1:], PRIMES[1:], strict=True)
        )
        return (None, *powers)

    def log(self, value: Value) -> Value:
        if type(value) is Fraction and value == 1:
            return Fraction(0)
        return (*(self._log(a, level) for level, a in enumerate(_residues(value)) if level), None)

    def _log(self, a: int | None, level: int) -> int | None:
        if a is None or not is_positive(a, level):
            return None
        if (a, level) not in self._logarithms:
            order = PRIMES[level - 1]
            self._logarithms[a, level] = logarithm(a, level) * pow(self._bases[level], -1, order) % order
        return self._logarithms[a, level]

    def normal_cdf(self, value: Value) -> Value:
        return tuple(None if a is None else self._drawn(a, level) for level, a in enumerate(_residues(value)))

    def _drawn(self, a: int, level: int) -> int:
        """A random residue for each one, N(a) + N(-a) = 1."""
        prime = PRIMES[level]
        half = pow(2, -1, prime)
        offset = Random(f"{min(a, prime - a)} {level} {self._bases[level]}").randrange(prime) if a else 0
        return (half + offset if a <= prime // 2 else half - offset) % prime

    def normal_pdf(self, value: Value) -> Value:
        constant = tuple(pow(4, s + 1, prime) for s, prime in zip(self._bases, PRIMES, strict=True))
        square = self.multiply(self.multiply(value, value), Fraction(-1, 2))
        return self.multiply(constant, self.exp(square))

    def step(self, value: Value) -> Value:
        if type(value) is Fraction and value:
            return Fraction(value > 0)
        raise Refused("a finite field has no order: it has no model of piecewise functions")

    def vanishes(self, value: Value) -> bool:
        return type(value) is Fraction and not value

    def largest(self, values: list[Value]) -> Value:
        if all(type(value) is Fraction for value in values):
            return max(values)
        raise Refused("a finite field has no order: it has no model of the largest entry")

    def place_of_largest(self, values: list[Value]) -> int:
        raise Refused("a finite field has no order: it has no model of the largest entry")


class Model:
    """An expression's entries at a point of the finite field.

    Args:
        point: sizes, residues of every variable (see `sample`) and indices.
        bases: the bases of the exponentials.
    """

    def __init__(self, point: Point, bases: tuple[int, ...]) -> None:
        self.point, self.bases = point, bases
        self._reading: Reading[Value] = Reading(Pointwise(Chain(bases), point))

    @property
    def computed(self) -> int:
        """How many entries were computed so far."""
        return self._reading.computed

    def entry(self, expression: Expression, positions: Positions = ()) -> Residues:
        """The entry's residue at each level; None at levels where it has none.

        Raises:
            Refused: the model has no order, and the expression asks for one.
            Undefined: a division by the number 0; nested too deeply.
        """
        try:
            return _residues(self._reading.entry(expression, positions))
        except RecursionError:
            raise Undefined("nested too deeply for Python's stack") from None


def sample(
    variables: Iterable[Variable], sizes: Mapping[str, int], indices: Mapping[str, int], chance: Random
) -> Model:
    """A random point: at each level, "positive" ones squares, units squares whose complements to 1 are squares."""
    values: dict[str, Any] = {}
    for variable in variables:
        places = list(product(*(range(1, sizes[size_of(axis)] + 1) for axis in variable.axes)))
        if variable.kind == "label":
            entries: dict[Positions, Any] = {at: chance.randint(1, sizes[size_of(variable.into)]) for at in places}
        elif variable.kind == "distribution":
            entries = _distribution(variable, places, chance)
        else:
            entries = {at: tuple(_random(variable.kind, level, chance) for level in LEVELS) for at in places}
        values[variable.name] = _nested(entries, [sizes[size_of(axis)] for axis in variable.axes])
    bases = tuple(chance.randrange(1, (prime - 1) // 2) for prime in PRIMES)
    return Model(Point(sizes, values, indices), bases)


def _random(kind: str, level: int, chance: Random) -> int:
    prime = PRIMES[level]
    while True:
        a = chance.randrange(2, prime)
        if kind == "real":
            return a
        square = a * a % prime
        if kind != "unit" or is_positive(1 - square, level):
            return square


def _distribution(variable: Variable, places: list[Positions], chance: Random) -> dict[Positions, Residues]:
    along = variable.axes.index(variable.along)
    rows: dict[Positions, list[Positions]] = {}
    for at in places:
        rows.setdefault(at[:along] + at[along + 1 :], []).append(at)
    found: dict[Positions, list[int]] = {at: [] for at in places}
    for row in rows.values():
        for level in LEVELS:
            mass = 0
            while not is_positive(mass, level):
                weights = [_random("positive", level, chance) for _ in row]
                mass = sum(weights)
            for at, weight in zip(row, weights, strict=True):
                found[at].append(weight * pow(mass, -1, PRIMES[level]) % PRIMES[level])
    return {at: tuple(residues) for at, residues in found.items()}


def _nested(entries: dict[Positions, Any], sizes: list[int], at: Positions = ()) -> Any:
    if len(at) == len(sizes):
        return entries[at]
    return [_nested(entries, sizes, (*at, k)) for k in range(1, sizes[len(at)] + 1)]
