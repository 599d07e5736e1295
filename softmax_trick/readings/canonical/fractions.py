"""Fractions: common denominators, lowest terms, factors over Q, by FLINT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import flint

from softmax_trick.readings.canonical.products import MOST_TERMS
from softmax_trick.readings.canonical.signs import Signs
from softmax_trick.readings.canonical.terms import (
    Exponent,
    Factor,
    Key,
    Monomial,
    Polynomial,
    TooLarge,
    as_fraction,
    exponent_of,
    is_moving,
    ordered,
)

MOST_DEGREE = 1000  # of a polynomial that is divided or factored


class Fractions(Signs):
    """Polynomials with polynomials in their denominators."""

    def _inverses(self, value: Polynomial) -> dict[Factor, int]:
        """The polynomials in denominators, and their highest power."""
        powers: dict[Factor, int] = {}
        for monomial in value:
            for factor, exponent in monomial:
                if factor.kind == "inverse":
                    powers[factor] = max(powers.get(factor, 0), -exponent)
        return powers

    def _cleared(self, value: Polynomial) -> tuple[Polynomial, dict[Factor, int]]:
        """The value times a common denominator, without polynomials in denominators, and that denominator."""
        denominator: dict[Factor, int] = {}
        while powers := self._inverses(value):
            total: Polynomial = {}
            for monomial, coefficient in value.items():
                missing = dict(powers)
                rest = []
                for factor, exponent in monomial:
                    if factor.kind == "inverse":
                        missing[factor] += exponent
                    else:
                        rest.append((factor, exponent))
                term: Polynomial = {tuple(rest): coefficient}
                for factor, n in missing.items():
                    if n:
                        term = self.multiply(term, self.raised(dict(factor.data), Fraction(n)))
                total = self.add(total, term)
            for factor, n in powers.items():
                denominator[factor] = denominator.get(factor, 0) + n
            value = total
        return value, denominator

    def tidied(self, value: Polynomial) -> Polynomial:
        """The value in lowest terms, with polynomials in denominators divided out as far as they can be."""
        if not self._inverses(value):
            return value
        numerator, denominator = self._cleared(value)
        for factor in list(denominator):
            while denominator[factor] and numerator:
                quotient = self._divided(numerator, dict(factor.data))
                if quotient is None:
                    break
                numerator = quotient
                denominator[factor] -= 1
        if not numerator:
            return {}
        result = numerator
        for factor, n in denominator.items():
            if n:
                result = self._over(result, factor, n)
        return result

    def _over(self, numerator: Polynomial, factor: Factor, n: int) -> Polynomial:
        """numerator / p**n, with every term divided by the leading one of p as often as it can be."""
        divisor = dict(factor.data)
        leading = self._leading(factor)
        inverse = 1 / divisor[leading]
        rest = {monomial: c for monomial, c in divisor.items() if monomial != leading}
        result: Polynomial = {}
        current = numerator
        for power in range(n, 0, -1):
            quotient: Polynomial = {}
            remainder: Polynomial = {}
            for _ in range(MOST_TERMS):
                if not current:
                    break
                monomial, coefficient = next(iter(current.items()))
                by = self._monomial_quotient(monomial, leading)
                if by is None:
                    current = {m: c for m, c in current.items() if m != monomial}
                    remainder = self.add(remainder, {monomial: coefficient})
                else:
                    part = self.scaled({by: flint.fmpq(1)}, coefficient * inverse)
                    quotient = self.add(quotient, part)
                    current = {m: c for m, c in current.items() if m != monomial}
                    current = self.add(current, self.scaled(self.multiply(part, rest), flint.fmpq(-1)))
            result = self.add(result, self.multiply(remainder, self.single(factor, -power)))
            current = quotient
            if not current:
                break
        return self.add(result, current)

    def _leading(self, factor: Factor) -> Monomial:
        """The leading term of a polynomial, in an order by degree that no name of a bound index decides.

        Of a polynomial with an index that is summed over, what depends on that index decides, if it does so alone.
        """
        monomials = [monomial for monomial, _ in factor.data]
        inner = {one for monomial in monomials for one, _ in monomial}
        ranked = sorted(inner, key=lambda one: (self._factor_key(one, {}), one.serial))

        def rank(monomial: Monomial) -> tuple[Any, ...]:
            exponents = dict(monomial)
            return (sum(e for _, e in monomial), tuple(exponents.get(one, 0) for one in ranked))

        moving = {monomial: tuple(pair for pair in monomial if is_moving(pair[0])) for monomial in monomials}
        first = max(monomials, key=lambda monomial: (rank(moving[monomial]), rank(monomial)))
        if list(moving.values()).count(moving[first]) == 1:
            return first
        return max(monomials, key=rank)

    def _monomial_quotient(self, monomial: Monomial, by: Monomial) -> Monomial | None:
        """The quotient of monomials; what is positive and does not depend on an index that is summed over divides."""
        exponents = dict(monomial)
        moves = any(is_moving(factor) for factor, _ in by)
        for factor, exponent in by:
            left = exponents.get(factor, 0) - exponent
            if left < 0 and not (moves and not is_moving(factor) and self._sign_of(factor) == "+"):
                return None
            exponents[factor] = left
        kept = [(factor, exponent_of(exponent)) for factor, exponent in exponents.items() if exponent != 0]
        return ordered(kept)

    def _divided(self, numerator: Polynomial, divisor: Polynomial) -> Polynomial | None:
        """The quotient of polynomials, if it is one."""
        ring = _Ring((numerator, divisor))
        quotient, remainder = divmod(ring.polynomial(numerator), ring.polynomial(divisor))
        if not remainder.is_zero():
            return None
        return ring.value(quotient, ring.low(numerator), ring.low(divisor))

    def factored(self, value: Polynomial) -> tuple[Fraction, list[tuple[Factor | Key, Exponent]]]:
        """A polynomial as a rational number times powers of factors and of irreducible polynomials."""
        numerator, denominator = self._cleared(value) if self._inverses(value) else (value, {})
        result: list[tuple[Factor | Key, Exponent]] = [(factor.data, -n) for factor, n in denominator.items()]
        ring = _Ring((numerator,))
        low = ring.low(numerator)
        powers: dict[Factor, Exponent] = {factor: e for factor, e in low.items() if e != 0}
        if len(numerator) == 1:
            ((monomial, coefficient),) = numerator.items()
            content = as_fraction(coefficient)
            powers = dict(monomial)
        else:
            found, factors = ring.polynomial(numerator).factor()
            content = as_fraction(flint.fmpq(found))
            for polynomial, n in factors:
                part = ring.value(polynomial, {}, {})
                if len(part) == 1:
                    ((monomial, coefficient),) = part.items()
                    content *= as_fraction(coefficient) ** int(n)
                    for factor, e in monomial:
                        powers[factor] = powers.get(factor, 0) + e * int(n)
                    continue
                scale = self.scale(part)
                monic = self.scaled(part, 1 / scale)
                if not self._sign(monic) and self._sign(turned := self.scaled(monic, flint.fmpq(-1))):
                    scale, monic = -scale, turned
                content *= as_fraction(scale) ** int(n)
                result.append((frozenset(monic.items()), int(n)))
        merged: dict[Factor | Key, Exponent] = {}
        for one, n in [*powers.items(), *result]:
            merged[one] = merged.get(one, 0) + n
        return content, [(one, n) for one, n in merged.items() if n != 0]

    def scale(self, value: Polynomial) -> flint.fmpq:
        """The number by which a polynomial is divided so that its first term, in the order of keys, is 1 times it."""
        first = min(value, key=lambda monomial: (self._monomial_key(monomial, {}), [f.serial for f, _ in monomial]))
        return value[first]


class _Ring:
    """Polynomials of FLINT whose generators stand for the factors of some polynomials, or for roots of them."""

    def __init__(self, values: Iterable[Polynomial]) -> None:
        values = tuple(values)
        self._roots: dict[Factor, Fraction] = {}
        for value in values:
            for monomial in value:
                for factor, exponent in monomial:
                    root = lcm(self._roots.get(factor, Fraction(1)).numerator, Fraction(exponent).denominator)
                    self._roots[factor] = Fraction(root)
        for factor in self._roots:
            self._shorten(factor, values)
        self.factors = sorted(self._roots, key=lambda factor: factor.serial)
        self._context = flint.fmpq_mpoly_ctx.get([f"g{n}" for n in range(len(self.factors))], "lex")

    def _shorten(self, factor: Factor, values: Sequence[Polynomial]) -> None:
        """Let a generator be a power where all exponents are multiples of one, as those of e**(-10**9) are."""
        found = [[dict(monomial).get(factor, 0) for monomial in value] for value in values]
        steps = [int((e - min(exponents)) * self._roots[factor]) for exponents in found for e in exponents]
        if max(steps, default=0) > MOST_DEGREE:
            self._roots[factor] /= gcd(*steps)
            if max(steps) > MOST_DEGREE * gcd(*steps):
                raise TooLarge(f"a polynomial of degree {max(steps)}")

    def low(self, value: Polynomial) -> dict[Factor, Exponent]:
        """The lowest exponent of each factor: what is divided by before a value becomes a polynomial."""
        lowest: dict[Factor, Exponent] = {}
        for factor in self.factors:
            lowest[factor] = min((dict(monomial).get(factor, 0) for monomial in value), default=0)
        return lowest

    def polynomial(self, value: Polynomial) -> flint.fmpq_mpoly:
        """The value, divided by the lowest power of each factor, as a polynomial."""
        lowest = self.low(value)
        terms = {}
        for monomial, coefficient in value.items():
            exponents = dict(monomial)
            key = tuple(int((exponents.get(f, 0) - lowest[f]) * self._roots[f]) for f in self.factors)
            terms[key] = coefficient
        return self._context.from_dict(terms)

    def value(
        self, polynomial: flint.fmpq_mpoly, times: Mapping[Factor, Exponent], over: Mapping[Factor, Exponent]
    ) -> Polynomial:
        """A polynomial times a monomial, over another, as a value."""
        result: Polynomial = {}
        for exponents, coefficient in polynomial.to_dict().items():
            pairs = []
            for factor, n in zip(self.factors, exponents, strict=True):
                e = exponent_of(int(n) / self._roots[factor] + times.get(factor, 0) - over.get(factor, 0))
                if e:
                    pairs.append((factor, e))
            result[tuple(pairs)] = coefficient
        return result
