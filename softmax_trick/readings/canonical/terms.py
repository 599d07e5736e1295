"""Factors, monomials and polynomials, their sums, and an order that no name of an index decides."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import flint

from softmax_trick.language.expression import Variable

Place = tuple[Any, ...]
"""Where an entry is: ("free", size, name), ("fresh", size, n), ("bound", size, n), ("given", size, n),
("label", size, name, places) or ("largest", size, key of what is largest there, places)."""

Exponent = Any  # an int, or a Fraction that is none


class Undefined(ValueError):
    """The expression is defined nowhere: it divides by zero, or takes the logarithm of zero, at every point."""


class TooLarge(ValueError):
    """The canonical form has too many terms."""


class Factor:
    """One factor, interned: two factors are equal if they are the same object.

    Attributes:
        kind: see the head of `canonical`.
        data: what it is made of.
        serial: its number, in the order of making.
        places: the places in it, but for the bound ones of a sum.
    """

    __slots__ = ("data", "kind", "places", "serial")

    def __init__(self, kind: str, data: Any, serial: int) -> None:
        self.kind, self.data, self.serial = kind, data, serial
        self.places: frozenset[Place] = frozenset(self._places())

    @property
    def monomials(self) -> Iterable[Monomial]:
        """The monomials that it is a function of."""
        match self.kind:
            case "entry" | "delta" | "size" | "prime":
                return ()
            case "exp":
                return (self.data,)
            case "sum":
                return (self.data[1],)
            case _:
                return (monomial for monomial, _ in self.data)

    def _places(self) -> set[Place]:
        match self.kind:
            case "entry":
                return {inner for place in self.data[1] for inner in places_in(place)}
            case "delta":
                return {inner for place in self.data for inner in places_in(place)}
        found = {place for monomial in self.monomials for factor, _ in monomial for place in factor.places}
        bounds = self.data[0] if self.kind == "sum" else ()
        return {place for place in found if not any(bound in places_in(place) for bound in bounds)}


Monomial = tuple[tuple[Factor, Exponent], ...]
Polynomial = dict[Monomial, flint.fmpq]
Key = frozenset[tuple[Monomial, flint.fmpq]]

ZERO_ONE = ("delta", "step")
ONE: Polynomial = {(): flint.fmpq(1)}


def exponent_of(value: Fraction | int) -> Exponent:
    """A number as an exponent."""
    return int(value) if value == int(value) else value


def as_rational(value: Fraction | int) -> flint.fmpq:
    """A number as FLINT has it."""
    return flint.fmpq(value.numerator, value.denominator)


def as_fraction(value: flint.fmpq) -> Fraction:
    """A number of FLINT's as Python has it."""
    return Fraction(int(value.p), int(value.q))


def places_in(place: Place) -> Iterator[Place]:
    """A place and the places inside it."""
    yield place
    if place[0] in ("label", "largest"):
        for inner in place[3]:
            yield from places_in(inner)


def is_moving(factor: Factor) -> bool:
    """Whether a factor depends on an index that is being summed over."""
    return any(place[0] == "fresh" for place in factor.places)


def place_order(place: Place) -> tuple[Any, ...]:
    """An order of places: what depends on fewer fresh indices first; of these, given, label, free, bound, fresh."""
    fresh = sum(1 for inner in places_in(place) if inner[0] == "fresh")
    rank = ("given", "label", "largest", "free", "bound", "fresh").index(place[0])
    return (fresh, rank, place[1], str(place[2:]) if rank in (1, 2) else place[2])


def place_key(place: Place, colours: Mapping[Place, int]) -> tuple[Any, ...]:
    """What a place is, by the colours of the places in it; of fresh ones without, no more than that they are."""
    if place in colours:
        return ("*", place[1], colours[place])
    match place[0]:
        case "label" | "largest":
            return (*place[:3], tuple(place_key(inner, colours) for inner in place[3]))
        case "fresh":
            return ("fresh", place[1])
        case _:
            return place


def ordered(pairs: Iterable[tuple[Factor, Exponent]]) -> Monomial:
    """The product of powers of different factors."""
    return tuple(sorted(pairs, key=lambda pair: pair[0].serial))


class Terms:
    """Polynomials and their sums; see the head of `canonical`."""

    def __init__(self, sizes: Mapping[str, int] | None = None, facts: Iterable[Hashable] = ()) -> None:
        self.sizes = dict(sizes or {})
        self.size_conditions: dict[tuple[str, int], None] = {}
        self.known_facts = frozenset(facts)
        self.facts: set[Hashable] = set()
        self.own: Mapping[str, Callable[..., Polynomial]] = {}
        self._factors: dict[tuple[str, Any], Factor] = {}
        self._fresh = 0
        self._cases = 0  # how many 0/1 factors are assumed to be one of the two
        self._variables: dict[str, Variable] = {}
        self._substituted: dict[tuple[Factor, tuple[tuple[Place, Place], ...]], Polynomial] = {}
        self._keys: dict[tuple[Factor, tuple[tuple[Place, int], ...]], tuple[Any, ...]] = {}
        self._derived: dict[tuple[Factor, str, tuple[Place, ...]], Polynomial] = {}
        self._level: dict[Factor, int] = {}

    def number(self, value: Fraction) -> Polynomial:
        return {(): as_rational(value)} if value else {}

    def add(self, left: Polynomial, right: Polynomial) -> Polynomial:
        if len(left) < len(right):
            left, right = right, left
        total = dict(left)
        for monomial, coefficient in right.items():
            value = total.get(monomial, 0) + coefficient
            if value == 0:
                del total[monomial]
            else:
                total[monomial] = value
        return total

    def _factor(self, kind: str, data: Any) -> Factor:
        factor = self._factors.get((kind, data))
        if factor is None:
            factor = Factor(kind, data, len(self._factors))
            self._factors[kind, data] = factor
        return factor

    def places_of(self, value: Polynomial) -> set[Place]:
        return {place for monomial in value for factor, _ in monomial for place in factor.places}

    def single(self, factor: Factor, exponent: Exponent = 1) -> Polynomial:
        return {((factor, exponent),): flint.fmpq(1)}

    def scaled(self, value: Polynomial, by: flint.fmpq) -> Polynomial:
        return {monomial: coefficient * by for monomial, coefficient in value.items()} if by != 0 else {}

    def _sum_of(self, values: Iterable[Polynomial]) -> Polynomial:
        total: Polynomial = {}
        for value in values:
            total = self.add(total, value)
        return total

    def of(self, factor: Factor | Key) -> Polynomial:
        return self.single(factor) if isinstance(factor, Factor) else dict(factor)

    # --- an order that no name of an index decides --------------------------------------------------------------------

    def _factor_key(self, factor: Factor, colours: Mapping[Place, int]) -> tuple[Any, ...]:
        relevant = tuple(sorted((place, colour) for place, colour in colours.items() if place in factor.places))
        known = (factor, relevant)
        if known not in self._keys:
            self._keys[known] = self._made_key(factor, dict(relevant))
        return self._keys[known]

    def _made_key(self, factor: Factor, colours: Mapping[Place, int]) -> tuple[Any, ...]:
        match factor.kind:
            case "entry":
                return ("entry", factor.data[0], tuple(place_key(place, colours) for place in factor.data[1]))
            case "delta":
                return ("delta", tuple(sorted(place_key(place, colours) for place in factor.data)))
            case "size" | "prime":
                return (factor.kind, factor.data)
            case "exp":
                return ("exp", self._monomial_key(factor.data, colours))
            case "sum":
                bounds, body = factor.data
                return ("sum", tuple(bound[1:] for bound in bounds), self._monomial_key(body, colours))
            case _:
                return (factor.kind, self._polynomial_key(dict(factor.data), colours))

    def _monomial_key(self, monomial: Monomial, colours: Mapping[Place, int]) -> tuple[Any, ...]:
        return tuple(sorted((self._factor_key(factor, colours), Fraction(exponent)) for factor, exponent in monomial))

    def _polynomial_key(self, value: Polynomial, colours: Mapping[Place, int]) -> tuple[Any, ...]:
        return tuple(sorted((self._monomial_key(m, colours), as_fraction(c)) for m, c in value.items()))
