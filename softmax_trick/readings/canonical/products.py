"""Products: powers of one factor gathered, deltas and steps that decide each other, roots to powers in (0, 1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from math import floor

import flint

from softmax_trick.readings.canonical.names import Names
from softmax_trick.readings.canonical.terms import (
    ONE,
    ZERO_ONE,
    Exponent,
    Factor,
    Monomial,
    Place,
    Polynomial,
    TooLarge,
    Undefined,
    exponent_of,
    ordered,
    place_order,
    places_in,
)

MOST_TERMS = 20_000  # of a product; beyond it the expression is too large to be written out


class Products(Names, ABC):
    """Products of polynomials. What the layers above know of powers, signs and places is needed here, too."""

    @abstractmethod
    def raised(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        """base ** exponent."""

    @abstractmethod
    def _sign(self, value: Polynomial) -> str:
        """ "+" if it is positive, "0" if it is at least 0, "" if nothing is known."""

    @abstractmethod
    def moved_factor(self, factor: Factor, mapping: Mapping[Place, Place]) -> Polynomial:
        """A factor with places replaced by others, in canonical form again."""

    def multiply(self, left: Polynomial, right: Polynomial) -> Polynomial:
        if len(left) * len(right) > MOST_TERMS:
            raise TooLarge(f"a product of {len(left)} by {len(right)} terms")
        total: Polynomial = {}
        for m, a in left.items():
            for n, b in right.items():
                product = self._product(m, n)
                if isinstance(product, tuple):
                    value = total.get(product, 0) + a * b
                    if value == 0:
                        del total[product]
                    else:
                        total[product] = value
                else:
                    total = self.add(total, self.scaled(product, a * b))
        return total

    def _product(self, left: Monomial, right: Monomial) -> Monomial | Polynomial:
        if not left:
            return right
        if not right:
            return left
        exponents = dict(left)
        for factor, exponent in right:
            exponents[factor] = exponents[factor] + exponent if factor in exponents else exponent
        return self.normal(exponents)

    def _made(self, exponents: dict[Factor, Exponent]) -> Polynomial:
        """A product of powers as a polynomial."""
        normal = self.normal(exponents)
        return {normal: flint.fmpq(1)} if isinstance(normal, tuple) else normal

    def normal(self, exponents: dict[Factor, Exponent]) -> Monomial | Polynomial:
        """A product of powers as a monomial; as a polynomial where roots, deltas or steps leave more."""
        deltas = False
        special = False
        steps: list[Factor] = []
        for factor, exponent in exponents.items():
            kind = factor.kind
            if kind in ZERO_ONE:
                if kind == "step" and exponent != 0:
                    steps.append(factor)
                if exponent != 1:
                    special = True
                deltas = deltas or kind == "delta"
            elif (kind == "root" and not 0 < exponent < 1) or (kind == "prime" and not 0 <= exponent < 1):
                special = special or exponent != 0
        if deltas:
            identified = self._identified(exponents)
            if identified is not None:
                return identified
        if special:
            return self._reduced(exponents)
        if len(steps) > 1:
            merged = self._merged(steps, exponents)
            if merged is not None:
                return merged
        kept = [(factor, exponent_of(exponent)) for factor, exponent in exponents.items() if exponent != 0]
        return ordered(kept)

    def _reduced(self, exponents: dict[Factor, Exponent]) -> Polynomial:
        """Powers of 0/1 factors, and roots and primes with an exponent outside (0, 1), written as what they are."""
        result = ONE
        rest: dict[Factor, Exponent] = {}
        for factor, exponent in exponents.items():
            if factor.kind in ZERO_ONE and exponent != 0:
                if exponent < 0:
                    raise Undefined("a division by something that is 0 or 1")
                rest[factor] = 1
            elif factor.kind == "root":
                whole = floor(exponent)
                rest[factor] = exponent - whole
                if whole:
                    result = self.multiply(result, self.raised(dict(factor.data), Fraction(whole)))
            elif factor.kind == "prime":
                whole = floor(exponent)
                rest[factor] = exponent - whole
                result = self.scaled(result, flint.fmpq(factor.data) ** whole)
            else:
                rest[factor] = exponent
        return self.multiply(result, self._made(rest))

    def _merged(self, steps: list[Factor], exponents: dict[Factor, Exponent]) -> Polynomial | None:
        """A product in which two steps decide each other: u > 1 and u > 2 is u > 2. None if no two do."""
        for n, left in enumerate(steps):
            for right in steps[n + 1 :]:
                p, q = dict(left.data), dict(right.data)
                if not p or not q:
                    continue
                minus_q = self.scaled(q, flint.fmpq(-1))
                difference, both = self.add(p, minus_q), self.add(p, q)
                if self._sign(difference):  # q > 0 makes p > 0
                    product = self.single(right)
                elif self._sign(self.scaled(difference, flint.fmpq(-1))):
                    product = self.single(left)
                elif self._sign(self.scaled(both, flint.fmpq(-1))):  # not both
                    product = {}
                elif self._sign(both):  # one at least
                    product = self.add(
                        self.add(self.single(left), self.single(right)), self.scaled(ONE, flint.fmpq(-1))
                    )
                else:
                    continue
                rest = self._made({f: e for f, e in exponents.items() if f not in (left, right)})
                return self.multiply(rest, product)
        return None

    def _identified(self, exponents: dict[Factor, Exponent]) -> Polynomial | None:
        """The product with the places that its deltas make equal written alike; None if they are so already."""
        parent: dict[Place, Place] = {}

        def root(place: Place) -> Place:
            while place in parent:
                place = parent[place]
            return place

        deltas = [factor for factor in exponents if factor.kind == "delta" and exponents[factor] != 0]
        if any(exponents[factor] < 0 for factor in deltas):
            raise Undefined("a division by a delta")
        for factor in deltas:
            left, right = (root(place) for place in factor.data)
            if left != right:
                if place_order(right) < place_order(left):
                    left, right = right, left
                if left in places_in(right) or right in places_in(left):  # k = c[k]: left as it stands
                    continue
                parent[right] = left
        mapping = {place: root(place) for place in parent}
        if any(a[0] == b[0] == "given" and a != b for a, b in mapping.items()):
            return {}
        normal = [self._factor("delta", tuple(sorted(pair, key=place_order))) for pair in mapping.items()]
        kept = [factor for factor in exponents if factor.kind == "delta" and not self._identifies(factor, mapping)]
        rest = {factor: exponent for factor, exponent in exponents.items() if factor.kind != "delta"}
        touched = any(not factor.places.isdisjoint(mapping) for factor in rest)
        together = dict.fromkeys([*normal, *kept], 1)
        if dict.fromkeys(deltas, 1) == together and not touched and all(exponents[factor] == 1 for factor in deltas):
            return None
        if not touched:
            return self._made({**together, **rest})
        value = ONE
        for factor, exponent in rest.items():
            if exponent != 0:
                value = self.multiply(value, self.raised(self.moved_factor(factor, mapping), Fraction(exponent)))
        return self.multiply(self._made(together), value)

    def _identifies(self, factor: Factor, mapping: Mapping[Place, Place]) -> bool:
        left, right = (mapping.get(place, place) for place in factor.data)
        return left == right
