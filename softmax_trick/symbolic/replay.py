r"""Every "zero" again, by other means: the expression as it was written, at random points of finite fields.

Nothing of the reduction is used here: sums are added up for K = 1, 2, 3 and 7, and exponentials, logarithms and powers
are computed. The fields are F_p for a Cunningham chain of primes, p_{j+1} = 2 p_j + 1. A number has a residue in each
of them, independent of the others. As 4 has the order p_j in F_{p_{j+1}},

    exp: F_{p_j} -> the squares of F_{p_{j+1}},  a -> 4^a

is an isomorphism between the additive and a multiplicative group, and log is its inverse: exp(a + b) = exp(a) exp(b),
log(a b) = log a + log b and exp(log u) = u hold, and "positive" means to be a square. The log of what is no square is
log|u|, as -1 is none; where one was met, a difference counts only if it is found elsewhere too. Functions that are
unknown to the reduction are random tables.

An identity of functions that rests on these laws holds at every point. A false one of degree d is missed at one point
with a probability of at most d / q, where q = (p - 1) / 2 is the number of squares (Schwartz 1980, Zippel 1979): with
16 points and degree 100 at most 10^-54. What is true for other reasons (x^2 >= 0) has no meaning here, and is not used.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import sympy as sp

from softmax_trick.symbolic.indexed import BoundIndex, K, SumOver, index_positions, label_bases

CHAIN = (126839, 253679, 507359, 1014719, 2029439)
LEVELS = (2, 3, 1)  # of the value: each exponential around a part takes it one level down, each logarithm one up
SIZES = (1, 2, 3, 7)
POINTS = 16
ATTEMPTS = 12  # batches of points, where logarithms of what is no square were met

Residues = npt.NDArray[np.int64]
HYPERBOLIC: dict[type[sp.Basic], tuple[tuple[int, int], tuple[int, int]]] = {
    sp.sinh: ((1, -1), (0, 2)),
    sp.cosh: ((1, 1), (0, 2)),
    sp.tanh: ((1, -1), (1, 1)),
    sp.coth: ((1, 1), (1, -1)),
    sp.sech: ((0, 2), (1, 1)),
    sp.csch: ((0, 2), (1, -1)),
}


class Disagreement(RuntimeError):
    """The reduction says zero, and the replay finds a value: one of the two is in error."""


class NotReplayable(ValueError):
    """The expression has something that has no meaning in a finite field."""


class TooDeep(NotReplayable):
    """Exponentials or logarithms are nested deeper than there are fields."""


def confirm(
    expression: sp.Expr, what: str = "a zero", given: Mapping[sp.Expr, sp.Expr] | None = None, fewest: int = 1
) -> str:
    """Replay an expression that is said to be zero.

    Args:
        expression: the expression, as it was before any reduction.
        what: what it is, for the message.
        given: values of sums of vectors, as for `decide`.
        fewest: the least K that is meant.

    Returns:
        at which K it was replayed, or why it could not be.

    Raises:
        Disagreement: it is not zero at some point.
    """
    if expression == 0:
        return "nothing is left to replay"
    symbolic = expression.has(SumOver, sp.Indexed, sp.KroneckerDelta, K)
    confirmed, reasons, level = [], [], LEVELS[0]
    for size in [size for size in SIZES if size >= fewest] if symbolic else (1,):
        for level in LEVELS:
            try:
                if _agrees(expression, size, level, what, given or {}):
                    confirmed.append(size)
            except TooDeep as reason:
                reasons.append(str(reason))
                continue
            except NotReplayable as reason:
                reasons.append(str(reason))
            break
    if not confirmed:
        return f"not replayed: {reasons[0] if reasons else 'undefined at every point tried'}"
    at = f" for K = {', '.join(map(str, confirmed))}" if symbolic else ""
    return f"replayed at {POINTS} random points modulo {CHAIN[level]}{at}"


def _agrees(expression: sp.Expr, size: int, level: int, what: str, given: Mapping[sp.Expr, sp.Expr]) -> bool:
    """Whether the expression is zero at random points; True needs a point at which that means something."""
    for attempt in range(ATTEMPTS):
        points = _Points(expression, size, attempt, given)
        value = np.broadcast_to(points.value(expression, level), (POINTS,))
        zero, defined, strict = value == 0, ~points.undefined, ~points.loose
        if (wrong := ~zero & defined & strict).any():
            where = f"K = {size}, " if expression.has(SumOver, sp.Indexed, K) else ""
            number = int(np.flatnonzero(wrong)[0])
            raise Disagreement(
                f"{what} was found, and the replay has {value[number]} modulo {CHAIN[level]} "
                f"({where}point {number} of batch {attempt}): {expression}"
            )
        if (zero & defined & strict).any() or (zero[defined].all() and defined.any()):
            return True
    return False


class _Points:
    """Random points: a residue of every symbol and entry at every level, and the values of expressions there.

    An array's last axis is that of the points; before it, from the right, is one axis for each sum around.

    Attributes:
        undefined: at which points a denominator, or the argument of a logarithm, was 0.
        loose: at which points a logarithm or a root of what is no square was met.
    """

    def __init__(self, expression: sp.Expr, size: int, seed: int, given: Mapping[sp.Expr, sp.Expr]) -> None:
        self.size = size
        self.undefined, self.loose = np.zeros(POINTS, bool), np.zeros(POINTS, bool)
        self._random = np.random.default_rng(seed)
        self._given = {total.args[0].base: value for total, value in given.items()}
        self._labels = label_bases(expression)
        self._known: dict[tuple[sp.Basic, int, int], Residues] = {}
        self._entries: dict[tuple[sp.Basic, int], Residues] = {}
        self._tables: dict[tuple[object, int], Residues] = {}
        self._integers: dict[sp.Basic, Residues] = {}
        self._bound: list[Residues] = []
        self._name_classes(expression)

    def _name_classes(self, expression: sp.Expr) -> None:
        """Classes for the free indices: all combinations, as far as the points go."""
        found = {position for position in index_positions(expression) if isinstance(position, sp.Symbol)}
        free = sorted((one for one in found if not isinstance(one, BoundIndex)), key=sp.default_sort_key)
        combinations = list(itertools.islice(itertools.product(range(1, self.size + 1), repeat=len(free)), 4096))
        if len(combinations) > POINTS:
            self._random.shuffle(combinations)
        for place, symbol in enumerate(free):
            values = [combinations[n % len(combinations)][place] for n in range(POINTS)]
            self._integers[symbol] = np.array(values, dtype=np.int64)

    def value(self, node: sp.Basic, level: int) -> Residues:
        """The residues of an expression at this level, at every point and for all values of the bound indices."""
        if not 0 <= level < len(CHAIN):
            raise TooDeep("exponentials or logarithms are nested too deep")
        question = node, level, len(self._bound)
        if question not in self._known:
            self._known[question] = self._value(node, level)
        return self._known[question]

    def _value(self, node: sp.Basic, level: int) -> Residues:
        p = CHAIN[level]
        match node:
            case sp.Rational():
                return np.array([int(node.p) * pow(int(node.q), -1, p) % p], dtype=np.int64)
            case BoundIndex() | sp.Symbol():
                return self._symbol(node, level)
            case sp.Add():
                total = self.value(node.args[0], level)
                for term in node.args[1:]:
                    total = total + self.value(term, level)
                return total % p
            case sp.Mul():
                product = self.value(node.args[0], level)
                for factor in node.args[1:]:
                    product = product * self.value(factor, level) % p
                return product
            case sp.exp():
                return _powers_of_4(level)[self._at_exponent(node.args[0], level)]
            case sp.Pow():
                return self._power(node, level)
            case sp.log():
                return self._logarithm(self.value(node.args[0], level + 1), level + 1)
            case sp.Indexed():
                return self._entry(node, level)
            case sp.KroneckerDelta():
                left, right = (self._class(position) for position in node.args)
                return (left == right).astype(np.int64)
            case SumOver():
                return self._sum(node, level)
            case sp.Abs():
                argument = self.value(node.args[0], level)
                return np.where(_is_square(level)[argument], argument, -argument % p)
            case sp.Number() if not node.is_finite:
                raise NotReplayable("it has a part without a finite value")
            case sp.Float():
                raise NotReplayable("it has a floating-point number")
        if node is sp.S.Exp1:
            return _powers_of_4(level)[np.array([1])]
        if node is sp.S.ImaginaryUnit:
            raise NotReplayable("it has an imaginary number")
        if type(node) in HYPERBOLIC:
            e = _powers_of_4(level)[self._at_exponent(node.args[0], level)]
            return self._hyperbolic(type(node), e, level)
        return self._unknown(node, level)

    def _at_exponent(self, exponent: sp.Basic, level: int) -> Residues:
        if level == 0:
            raise TooDeep("exponentials are nested too deep")
        return self.value(exponent, level - 1)

    def _hyperbolic(self, function: type[sp.Basic], e: Residues, level: int) -> Residues:
        p = CHAIN[level]
        inverse = self._inverse(e, level)
        parts = []
        for plus, minus in HYPERBOLIC[function]:
            parts.append((plus * e + minus * inverse) % p if plus else np.full_like(e, minus))
        return parts[0] * self._inverse(parts[1], level) % p

    def _symbol(self, symbol: sp.Symbol, level: int) -> Residues:
        if isinstance(symbol, BoundIndex):
            return self._class(symbol) % CHAIN[level]
        if symbol == K:
            return np.array([self.size], dtype=np.int64)
        if symbol.is_integer and symbol not in self._integers:
            values = self._random.integers(1, 40, POINTS) * (2 if symbol.is_even else 1) + bool(symbol.is_odd)
            sign = -1 if symbol.is_nonpositive else 1 if symbol.is_nonnegative else self._random.choice((-1, 1), POINTS)
            self._integers[symbol] = values * sign
        if symbol in self._integers:
            return self._integers[symbol] % CHAIN[level]
        key = symbol, level
        if key not in self._entries:
            self._entries[key] = self._draw(symbol, level, (POINTS,))
        return self._entries[key]

    def _draw(self, like: sp.Expr, level: int, shape: tuple[int, ...]) -> Residues:
        """Random residues of the sign that a symbol or an entry is said to have."""
        p = CHAIN[level]
        if like.is_real is False or like.is_zero:
            raise NotReplayable(f"{like} is no real variable")
        values = self._random.integers(1, p, shape)
        if like.is_nonnegative:
            return values * values % p
        return -values * values % p if like.is_nonpositive else values

    def _entry(self, node: sp.Indexed, level: int) -> Residues:
        places = [self._class(position) for position in node.indices]
        if any((place > self.size).any() for place in places):
            raise NotReplayable(f"{node} is not there for K = {self.size}")
        if node.base in self._labels:
            return self._class(node) % CHAIN[level]
        key = node.base, level
        if key not in self._entries:
            self._entries[key] = self._vector(node, level)
        return self._entries[key][(*(place - 1 for place in places), np.arange(POINTS))]

    def _vector(self, node: sp.Indexed, level: int) -> Residues:
        """All entries of a vector or matrix; of a vector whose sum is given, entries with that sum."""
        entries = self._draw(node.base, level, (self.size,) * len(node.indices) + (POINTS,))
        if node.base not in self._given:
            return entries
        p, total = CHAIN[level], np.broadcast_to(self.value(self._given[node.base], level), (POINTS,))
        if not node.base.is_nonnegative:
            entries[-1] = (total - entries[:-1].sum(axis=0)) % p
            return entries
        while not (fits := _is_square(level)[(sums := entries.sum(axis=0) % p)]).all():
            entries[:, ~fits] = self._draw(node.base, level, (self.size, int((~fits).sum())))
        return entries * (total * _inverses(level)[sums] % p) % p

    def _class(self, position: sp.Basic) -> Residues:
        """The class that stands in the place of an index: 1..K."""
        match position:
            case BoundIndex():
                return self._bound[-1 - position.level]
            case sp.Integer():
                return np.array([int(position)], dtype=np.int64)
            case sp.Symbol() if position in self._integers:
                return self._integers[position]
            case sp.Indexed():
                key = position.base, -1
                if key not in self._entries:
                    shape = (self.size,) * len(position.indices) + (POINTS,)
                    self._entries[key] = self._random.integers(1, self.size + 1, shape)
                places = [self._class(one) - 1 for one in position.indices]
                return self._entries[key][(*places, np.arange(POINTS))]
        raise NotReplayable(f"the index {position} is none of a class")

    def _sum(self, node: SumOver, level: int) -> Residues:
        """The terms for the classes 1..K, on an axis of their own, added up."""
        self._bound.append(np.arange(1, self.size + 1).reshape(-1, *[1] * (len(self._bound) + 1)))
        body = self.value(node.args[0], level)
        self._bound.pop()
        if body.ndim == len(self._bound) + 2:  # it has the new axis; of length 1 if it does not depend on the index
            return body.sum(axis=0) * (self.size // len(body)) % CHAIN[level]
        return body * self.size % CHAIN[level]

    def _power(self, node: sp.Pow, level: int) -> Residues:
        p, base = CHAIN[level], self.value(node.base, level)
        if node.exp.is_Integer:
            base = base if node.exp > 0 else self._inverse(base, level)
            power, result = abs(int(node.exp)), np.ones_like(base)
            while power:
                result = result * base % p if power & 1 else result
                base, power = base * base % p, power >> 1
            return result
        zero_is_zero = bool(node.exp.is_positive)
        exponent = self._at_exponent(node.exp, level)
        logarithm = self._logarithm(base, level, zero_is_zero)
        value = _powers_of_4(level)[exponent * logarithm % CHAIN[level - 1]]
        return np.where(base == 0, 0, value)

    def _logarithm(self, argument: Residues, level: int, zero_allowed: bool = False) -> Residues:
        """log|u|, one level below that of u."""
        if not zero_allowed:
            self.undefined |= self._somewhere(argument == 0)
        self.loose |= self._somewhere(~_is_square(level)[argument])
        return _logarithms(level)[argument]

    def _inverse(self, value: Residues, level: int) -> Residues:
        self.undefined |= self._somewhere(value == 0)
        return _inverses(level)[value]

    def _somewhere(self, where: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """At which points a condition holds for some value of the bound indices."""
        return np.broadcast_to(where.any(axis=tuple(range(where.ndim - 1))), (POINTS,))

    def _unknown(self, node: sp.Basic, level: int) -> Residues:
        """A function that is known to nobody: a random table for it."""
        p, mixed = CHAIN[level], np.zeros(1, dtype=np.int64)
        for place, argument in enumerate(node.args):
            mixed = (mixed + self.value(argument, level) * pow(7, place + 1, p)) % p
        key = node.func if node.args else node, level
        if key not in self._tables:
            self._tables[key] = self._random.integers(0, p, p)
        return self._tables[key][mixed]


@lru_cache
def _powers_of_4(level: int) -> Residues:
    """exp: 4^a modulo p for a = 0, ..., (p - 3) / 2: all squares, as their number is a prime."""
    p = CHAIN[level]
    powers = np.ones(1, dtype=np.int64)
    while len(powers) < (p - 1) // 2:
        powers = np.concatenate([powers, powers * pow(4, len(powers), p) % p])
    return powers[: (p - 1) // 2]


@lru_cache
def _is_square(level: int) -> npt.NDArray[np.bool_]:
    squares = np.zeros(CHAIN[level], bool)
    squares[_powers_of_4(level)] = True
    return squares


@lru_cache
def _logarithms(level: int) -> Residues:
    p, powers = CHAIN[level], _powers_of_4(level)
    logarithms = np.zeros(p, dtype=np.int64)
    logarithms[powers] = logarithms[-powers % p] = np.arange(len(powers))
    return logarithms


@lru_cache
def _inverses(level: int) -> Residues:
    p, powers = CHAIN[level], _powers_of_4(level)
    inverses = np.zeros(p, dtype=np.int64)
    inverses[powers] = np.roll(powers[::-1], 1)
    inverses[-powers % p] = -inverses[powers] % p
    return inverses
