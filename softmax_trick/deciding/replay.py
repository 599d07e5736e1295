"""A statement that was proved, tried at given sizes by code that shares nothing with the proof.

At K = 1, 2, 3 and 7, with different sizes for different axes, both sides are evaluated entry by entry straight from
their definitions: in a finite field that has exp and log (`softmax_trick.readings.residues`), where equality is exact,
or, where that has no model of the statement, in Arb at random rational points to 150 digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, product
from math import log, prod
from random import Random
from typing import Any, Literal

from softmax_trick.deciding.points import least_sizes, random_point, with_free_axes
from softmax_trick.language.expression import Expression, size_of
from softmax_trick.language.interpreter import Reading
from softmax_trick.readings.enclosure import Enclosure
from softmax_trick.readings.pointwise import Point, Pointwise, Positions, Undefined
from softmax_trick.readings.residues import LEVELS, PRIMES, Refused, sample

PATTERNS = ((1,), (2, 3, 1), (3, 2, 4), (7, 2, 3))  # the sizes of the first axis, the second, ...
PRECISION = 512  # bits, for Arb
ACCURATE = 400  # bits of a ball, relative to 1, that count
MOST_COMPUTED = 12_000  # entries of expressions and their parts; a larger size than that is left out, but not thorough
MOST_ENTRIES = 12  # of a tensor; others are drawn by chance, but not thorough
HOPELESS = 3  # points without any value, before the finite field is given up
ATTEMPTS = 12  # points that are tried until each entry has a value


@dataclass(frozen=True)
class Check:
    """What was tried at some sizes.

    Attributes:
        sizes: the sizes.
        by: "finite field" or "Arb".
        points: how many points gave both sides a value.
        compared: how many residues, or balls, were compared, and agreed.
        chance: how likely at most a false statement agrees at the entry that was tried least (finite field): the
            product of n/p over levels and points, n the degree of the difference of both sides as a rational function
            in the variables, exponentials, logarithms and roots, which are taken to be independent: an estimate. None
            for Arb, and where the replay was not thorough.
    """

    sizes: dict[str, int]
    by: Literal["finite field", "Arb"]
    points: int
    compared: int
    chance: float | None


@dataclass(frozen=True)
class Replay:
    """The record of a replay.

    Attributes:
        checks: what was tried, at which sizes; nothing was compared where no point had a value on both sides.
        primes: the primes of the finite field.
        why_arb: why Arb was asked; "" if it was not.
    """

    checks: tuple[Check, ...]
    primes: tuple[int, ...]
    why_arb: str

    @property
    def compared(self) -> int:
        """How many residues and balls were compared."""
        return sum(check.compared for check in self.checks)

    def __str__(self) -> str:
        tried = [check for check in self.checks if check.compared]
        if not tried:
            return "not replayed: no point was found at which both sides have a value"
        ways = " and ".join(sorted({"a finite field" if c.by == "finite field" else c.by for c in tried}))
        nowhere = [_sizes(check.sizes) for check in self.checks if not check.compared]
        without = f" (no value was found at {'; '.join(nowhere)})" if nowhere else ""
        return (
            f"replayed in {ways} at {'; '.join(_sizes(check.sizes) for check in tried)}: "
            f"{self.compared} values agree{without}"
        )


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items()) or "random points"


class Disagreement(AssertionError):
    """The two sides of a statement differ at a point.

    Attributes:
        point: sizes, values and indices.
        position: the entry.
    """

    def __init__(self, text: str, point: Point, position: Positions) -> None:
        super().__init__(text)
        self.point, self.position = point, position


def replay(
    left: Expression, right: Expression, sizes: Mapping[str, int] | None = None, thorough: bool = False
) -> Replay:
    """Evaluates both sides of a proved equality at several sizes and random points.

    Args:
        left: the left side.
        right: the right side, with axes of the same sizes.
        sizes: the sizes that the statement gives; all others vary.
        thorough: more points, every entry, and no size left out because it is large.

    Raises:
        Disagreement: they differ; Arb confirms it.
    """
    statement = _Statement(left, right, dict(sizes or {}), thorough)
    checks: list[Check] = []
    why = ""
    for chosen in statement.choices_of_sizes():
        check: Check | None = None
        try:
            check = statement.in_the_field(chosen)
        except Refused as refusal:
            why = why or str(refusal)
        except _Contradiction:
            why = why or "the finite field contradicts where the reals need not: the sign of a sum may be at work"
        else:
            if check is None:
                why = why or "at no point that was tried did the finite field have a value"
        checks.append(check or statement.in_arb(chosen))
    return Replay(tuple(checks), PRIMES, why)


class _Contradiction(Exception):
    """Two residues differ."""


class _Statement:
    def __init__(self, left: Expression, right: Expression, given: dict[str, int], thorough: bool) -> None:
        self._sides, _ = with_free_axes(left, right)
        self._given, self._thorough = given, thorough
        self._variables = {one.name: one for side in self._sides for one in side.variables}.values()
        self._least = least_sizes(*self._sides)
        self._computed: list[tuple[int, int]] = []  # (sum of sizes, what one point cost)

    def choices_of_sizes(self) -> Iterator[dict[str, int]]:
        names = sorted(set(self._least) - set(self._given))
        seen = set()
        for pattern in PATTERNS:
            chosen = tuple(max(self._least[name], size) for name, size in zip(names, cycle(pattern), strict=False))
            if chosen in seen or not self._is_affordable(chosen):
                continue
            seen.add(chosen)
            yield {**self._given, **dict(zip(names, chosen, strict=True))}

    def _is_affordable(self, chosen: tuple[int, ...]) -> bool:
        """Whether what a point costs, which grows like a power of the sizes, stays in bounds."""
        if self._thorough or len(self._computed) < 2 or not chosen:
            return True
        (small, few), (large, many) = self._computed[-2:]
        if large <= small or many <= few:
            return True
        growth = log(many / few) / log(large / small)
        return many * (sum(chosen) / large) ** growth <= MOST_COMPUTED

    def _positions(self, sizes: Mapping[str, int], chance: Random) -> list[Positions]:
        axes = max((side.axes for side in self._sides), key=len)
        places = list(product(*(range(1, sizes[size_of(axis)] + 1) for axis in axes)))
        return places if self._thorough or len(places) <= MOST_ENTRIES else sorted(chance.sample(places, MOST_ENTRIES))

    def _enough(self, points: int, computed: int) -> bool:
        """Whether no more points are asked for, or paid for."""
        if self._thorough:
            return points >= 4 or computed > 50 * MOST_COMPUTED
        return points >= 1 or computed > MOST_COMPUTED

    def in_the_field(self, sizes: dict[str, int]) -> Check | None:
        """Residues; None where no point was found at which they exist."""
        chance = Random(_seed(sizes))
        positions = self._positions(sizes, chance)
        agreed: dict[Positions, list[int]] = {position: [] for position in positions}
        points = computed = 0
        for attempt in range(ATTEMPTS):
            if attempt == HOPELESS and not points and not self._thorough:
                break
            model = sample(self._variables, sizes, {}, chance)
            found = False
            for position in positions:
                try:
                    left, right = (model.entry(side, position[: len(side.axes)]) for side in self._sides)
                except Refused:
                    raise
                except Undefined:
                    continue
                for level in LEVELS:
                    if left[level] is None or right[level] is None:
                        continue
                    if left[level] != right[level]:
                        raise _Contradiction
                    agreed[position].append(level)
                    found = True
            points, computed = points + found, computed + model.computed
            if points == 1 and found:
                self._computed.append((sum(sizes.values()), model.computed))
            if self._enough(points if all(agreed.values()) else 0, computed):
                break
        if not points:
            return None
        position, levels = min((pair for pair in agreed.items() if pair[1]), key=lambda pair: len(pair[1]))
        compared = sum(map(len, agreed.values()))
        accident = self._chance(model.point, position, levels) if self._thorough else None
        return Check(sizes, "finite field", points, compared, accident)

    def _chance(self, point: Point, position: Positions, levels: list[int]) -> float:
        reading: Reading[Any] = Reading(Pointwise(_Degrees(), point))
        left, right = (_degree(reading.entry(side, position[: len(side.axes)])) for side in self._sides)
        degree = max(left[0] + right[1], left[1] + right[0], 1)
        # Positive variables are drawn as squares: twice the degree.
        return prod(min(1.0, 2 * degree / PRIMES[level]) for level in levels)

    def in_arb(self, sizes: dict[str, int]) -> Check:
        """Balls at random points."""
        chance = Random(_seed(sizes))
        positions = self._positions(sizes, chance)
        points = compared = computed = 0
        for _ in range(ATTEMPTS):
            point = random_point(self._variables, sizes, {}, chance)
            enclosure = Enclosure(point, PRECISION)
            found = False
            for position in positions:
                try:
                    left, right = (enclosure.entry(side, position[: len(side.axes)]) for side in self._sides)
                except Undefined:
                    continue
                if not left.overlaps(right):
                    raise Disagreement(f"at {point}, entry {position}: {left} and {right}", point, position)
                if left.rel_one_accuracy_bits() >= ACCURATE and right.rel_one_accuracy_bits() >= ACCURATE:
                    compared, found = compared + 1, True
            points, computed = points + found, computed + enclosure.computed
            if self._enough(points // 2, computed):
                break
        return Check(sizes, "Arb", points, compared, None)


def _seed(sizes: Mapping[str, int]) -> int:
    return sum(size * 8**place for place, size in enumerate(sizes.values()))


# --- degrees, for the chance that a false statement agrees ------------------------------------------------------------

Degree = tuple[int, int]  # of numerator and denominator


def _degree(value: Any) -> Degree:
    return (0, 0) if type(value) is Fraction else value


class _Degrees:
    """The "field" of degrees of rational functions; exponentials, logarithms and roots count as variables."""

    def number(self, value: Fraction) -> Any:
        return value

    def given(self, value: Any) -> Any:
        return (1, 0)

    def constant(self, value: Any) -> Fraction | None:
        return value if type(value) is Fraction else None

    def add(self, left: Any, right: Any) -> Any:
        if type(left) is type(right) is Fraction:
            return left + right
        if left == 0 or right == 0:
            return right if left == 0 else left
        (a, b), (c, d) = _degree(left), _degree(right)
        return (max(a + d, c + b), b + d)

    def multiply(self, left: Any, right: Any) -> Any:
        if type(left) is type(right) is Fraction:
            return left * right
        if left == 0 or right == 0:
            return Fraction(0)
        (a, b), (c, d) = _degree(left), _degree(right)
        return (a + c, b + d)

    def power(self, base: Any, exponent: Any) -> Any:
        if type(exponent) is not Fraction:
            return (1, 0)
        if exponent.denominator > 1:
            return (1, 0)
        (a, b), times = _degree(base), int(abs(exponent))
        return (a * times, b * times) if exponent >= 0 else (b * times, a * times)

    def exp(self, value: Any) -> Any:
        return (1, 0)

    def log(self, value: Any) -> Any:
        return (1, 0)

    def normal_cdf(self, value: Any) -> Any:
        return (1, 0)

    def normal_pdf(self, value: Any) -> Any:
        return (1, 0)

    def step(self, value: Any) -> Any:
        return Fraction(1)

    def vanishes(self, value: Any) -> bool:
        return False

    def largest(self, values: list[Any]) -> Any:
        return values[0]

    def place_of_largest(self, values: list[Any]) -> int:
        return 0
