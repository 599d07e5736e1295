"""Powers, roots, exponentials, logarithms and steps; of 0/1 factors, by cases."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import floor

import flint

from softmax_trick.readings.canonical.fractions import Fractions
from softmax_trick.readings.canonical.terms import (
    ONE,
    ZERO_ONE,
    Factor,
    Key,
    Place,
    Polynomial,
    TooLarge,
    Undefined,
    as_fraction,
    as_rational,
    exponent_of,
    places_in,
)

MOST_DIGITS = 10_000  # of a power of a number
HALF = Fraction(1, 2)


class Powers(Fractions):
    """Functions of polynomials."""

    @abstractmethod
    def moved(self, value: Polynomial, places: Mapping[Place, Place]) -> Polynomial:
        """The value with places replaced by others, all at once, in canonical form again."""

    def power(self, base: Polynomial, exponent: Polynomial) -> Polynomial:
        if not exponent or set(exponent) == {()}:
            return self.raised(base, as_fraction(exponent.get((), flint.fmpq(0))))
        whole = floor(as_fraction(exponent.get((), flint.fmpq(0))))
        rest = self.add(exponent, self.number(Fraction(-whole)))
        return self.multiply(self.raised(base, Fraction(whole)), self.exp(self.multiply(rest, self.log(base))))

    def exp(self, value: Polynomial) -> Polynomial:
        return self._by_cases(self.tidied(value), self._exp)

    def log(self, value: Polynomial) -> Polynomial:
        return self._by_cases(self.tidied(value), self._log_of)

    def step(self, value: Polynomial) -> Polynomial:
        return self._by_cases(self.tidied(value), self._step)

    def normal_cdf(self, value: Polynomial) -> Polynomial:
        return self._by_cases(self.tidied(value), self._normal_cdf)

    def normal_pdf(self, value: Polynomial) -> Polynomial:
        """(2 pi)^(-1/2) exp(-u^2/2); pi is a factor by itself, which is at least 1 as a size is."""
        square = self.scaled(self.multiply(value, value), flint.fmpq(-1, 2))
        constant = self.multiply(self._number_power(Fraction(2), -HALF), self.single(self._factor("size", "π"), -HALF))
        return self.multiply(constant, self.exp(square))

    def _by_cases(self, value: Polynomial, function: Callable[[Polynomial], Polynomial]) -> Polynomial:
        """f(u) where u has factors that are 0 or 1: delta f(u at 1) + (1 - delta) f(u at 0)."""
        atom = min(
            (factor for monomial in value for factor, _ in monomial if factor.kind in ZERO_ONE),
            key=lambda factor: factor.serial,
            default=None,
        )
        if atom is None:
            return function(value)
        at_one: Polynomial = {}
        at_zero: Polynomial = {}
        for monomial, coefficient in value.items():
            rest = tuple(pair for pair in monomial if pair[0] is not atom)
            if rest == monomial:
                at_zero = self.add(at_zero, {monomial: coefficient})
            at_one = self.add(at_one, {rest: coefficient})
        if atom.kind == "delta":
            left, right = atom.data
            if left not in places_in(right) and right not in places_in(left):
                at_one = self.moved(at_one, {right: left})
        one = self.single(atom)
        self._cases += 1
        try:
            yes, no = (self._by_cases(self.tidied(part), function) for part in (at_one, at_zero))
        finally:
            self._cases -= 1
        return self.add(self.multiply(one, yes), self.add(no, self.scaled(self.multiply(one, no), flint.fmpq(-1))))

    # --- powers and roots ---------------------------------------------------------------------------------------------

    def raised(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        if exponent == 0:
            return ONE
        if exponent == 1:
            return base
        if not base:
            if exponent < 0:
                raise Undefined("a denominator is zero everywhere")
            return {}
        if exponent.denominator == 1 and exponent > 0:
            if len(base) == 1:
                return self._power_of_monomial(base, exponent)
            if exponent > 64:
                raise TooLarge(f"a sum to the power {exponent}")
            half = self.raised(base, Fraction(int(exponent) // 2))
            square = self.multiply(half, half)
            return self.multiply(square, base) if exponent % 2 else square
        return self._by_cases(self.tidied(base), lambda value: self._root_or_inverse(value, exponent))

    def _power_of_monomial(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        """A whole power of one term."""
        ((monomial, coefficient),) = base.items()
        powers = self._made({factor: e * exponent for factor, e in monomial})
        return self.scaled(powers, _number_to(coefficient, int(exponent)))

    def _root_or_inverse(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        if not base:
            if exponent < 0:
                raise Undefined("a denominator is zero everywhere")
            return {}
        content, factors = self.factored(base)
        if exponent.denominator == 1:
            result: Polynomial = {(): _number_to(as_rational(content), int(exponent))}
            for factor, n in factors:
                result = self.multiply(result, self._factor_power(factor, n * exponent))
            return result
        # Of a root only what is positive may be drawn out; the rest stays together, whatever its sign.
        if content < 0 and all(self._sign_of(factor) for factor, _ in factors):
            raise Undefined("a root of something negative")
        result = self._number_power(abs(content), exponent)
        rest: Polynomial = {(): flint.fmpq(-1 if content < 0 else 1)}
        for factor, n in factors:
            if self._sign_of(factor):
                result = self.multiply(result, self._factor_power(factor, n * exponent))
            elif Fraction(n) % 2 == 0 and (n * exponent).denominator == 1:  # sqrt(u**2) = |u|
                result = self.multiply(result, self._factor_power(factor, n * exponent))
                if (n * exponent) % 2:
                    result = self.multiply(result, self._signum(factor))
            else:
                rest = self.multiply(rest, self.raised(self.of(factor), Fraction(n)))
        if set(rest) == {()}:
            return result
        return self.multiply(result, self._root(rest, exponent))

    def _factor_power(self, factor: Factor | Key, exponent: Fraction) -> Polynomial:
        """A power of a factor, or of an irreducible polynomial, that is positive if the exponent is broken."""
        if isinstance(factor, Factor):
            if factor.kind == "inverse":
                return self._factor_power(factor.data, exponent)
            if factor.kind == "root" and exponent.denominator != 1:
                return self._root(dict(factor.data), exponent)
            return self._made({factor: exponent_of(exponent)})
        if exponent.denominator != 1:
            return self._root(dict(factor), exponent)
        if exponent > 0:
            return self.raised(dict(factor), exponent)
        return self.single(self._factor("inverse", factor), int(exponent))

    def _root(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        """base ** exponent for a broken exponent: the whole part of it as a power, the rest as a root."""
        whole = floor(exponent)
        root = self.single(self._factor("root", frozenset(base.items())), exponent - whole)
        return self.multiply(self.raised(base, Fraction(whole)), root)

    def _number_power(self, value: Fraction, exponent: Fraction) -> Polynomial:
        result = ONE
        for prime, n in _primes(value):
            whole = floor(n * exponent)
            rest = exponent_of(n * exponent - whole)
            result = self.scaled(result, _number_to(flint.fmpq(prime), whole))
            if rest:
                result = self.multiply(result, self.single(self._factor("prime", prime), rest))
        return result

    # --- exponentials, logarithms, steps ------------------------------------------------------------------------------

    def _exp(self, value: Polynomial) -> Polynomial:
        result = ONE
        for monomial, coefficient in value.items():
            c = as_fraction(coefficient)
            if len(monomial) == 1 and monomial[0][0].kind == "log" and monomial[0][1] == 1:
                part = self._exp_of_log(dict(monomial[0][0].data), c)
            else:
                part = self.single(self._factor("exp", monomial), exponent_of(c))
            result = self.multiply(result, part)
        return result

    def _exp_of_log(self, value: Polynomial, exponent: Fraction) -> Polynomial:
        """exp(c log|p|) = |p|**c."""
        if (exponent.denominator == 1 and exponent % 2 == 0) or self._sign(value) == "+":
            return self.raised(value, exponent)
        return self.raised(self.multiply(value, value), exponent / 2)

    def _log_of(self, value: Polynomial) -> Polynomial:
        """log u = sum_i n_i log|p_i| for u = prod_i p_i**n_i, wherever u > 0."""
        if not value:
            raise Undefined("a logarithm of zero")
        content, factors = self.factored(value)
        if content < 0 and all(self._sign_of(factor) for factor, _ in factors):
            raise Undefined("a logarithm of something negative")
        unknown = [(factor, n) for factor, n in factors if not self._sign_of(factor)]
        if content > 0 and len(unknown) == 1 and unknown[0][1] % 2 == 1 and not self._cases:
            fact = self._fact(unknown[0][0])  # u > 0 says that this one is
            if fact is not None:
                self.facts.add(fact)
        result = self._sum_of(
            self.scaled(self.single(self._log_factor({(): flint.fmpq(prime)})), flint.fmpq(n))
            for prime, n in _primes(abs(content))
        )
        for factor, n in factors:
            result = self.add(result, self.scaled(self._log_of_factor(factor), as_rational(Fraction(n))))
        return result

    def _log_of_factor(self, factor: Factor | Key) -> Polynomial:
        if isinstance(factor, Factor):
            match factor.kind:
                case "exp":
                    return {factor.data: flint.fmpq(1)}
                case "prime":
                    return self.single(self._log_factor({(): flint.fmpq(factor.data)}))
                case "root" | "inverse":
                    return self.log(dict(factor.data))
        return self.single(self._log_factor(self.of(factor)))

    def _log_factor(self, value: Polynomial) -> Factor:
        return self._factor("log", frozenset(value.items()))

    def _normal_cdf(self, value: Polynomial) -> Polynomial:
        """N(0) = 1/2, and N(-u) = 1 - N(u)."""
        if not value:
            return self.number(HALF)
        if self.scale(value) > 0:
            return self.single(self._factor("normal", frozenset(value.items())))
        turned = self._factor("normal", frozenset(self.scaled(value, flint.fmpq(-1)).items()))
        return self.add(self.number(Fraction(1)), self.scaled(self.single(turned), flint.fmpq(-1)))

    def _step(self, value: Polynomial) -> Polynomial:
        if not value:  # where the pieces meet: whatever it is there, continuous functions have it times 0
            return self.single(self._factor("step", frozenset()))
        content, factors = self.factored(value)
        sign = self.number(Fraction(1 if content > 0 else -1))
        for factor, n in factors:
            if not self._sign_of(factor) and Fraction(n) % 2 != 0:
                sign = self.multiply(sign, self._signum(factor))
        return self.scaled(self.add(self.number(Fraction(1)), sign), flint.fmpq(1, 2))

    def _signum(self, factor: Factor | Key) -> Polynomial:
        """1 where a factor is positive, -1 where it is negative."""
        value = self.of(factor)
        sign = flint.fmpq(1)
        if value.get((), 0) != 0:  # x - 1 and 2 - 2 x are one step, the first one's
            scale = self.scale({monomial: coefficient for monomial, coefficient in value.items() if monomial})
            sign, value = flint.fmpq(1 if scale > 0 else -1), self.scaled(value, 1 / scale)
        step = self._factor("step", frozenset(value.items()))
        return {((step, 1),): 2 * sign, (): -sign}


def _number_to(base: flint.fmpq, exponent: int) -> flint.fmpq:
    """base ** exponent, unless it fills the memory, as exp(10**9 log 2) would."""
    if abs(exponent) * (max(abs(base.p), base.q).bit_length() - 1) > MOST_DIGITS * 10 // 3:
        raise TooLarge(f"a number of more than {MOST_DIGITS} digits")
    return base**exponent


def _primes(value: Fraction) -> Iterator[tuple[int, int]]:
    """The primes of a positive rational number and their exponents."""
    for prime, n in flint.fmpz(value.numerator).factor():
        yield int(prime), int(n)
    for prime, n in flint.fmpz(value.denominator).factor():
        yield int(prime), -int(n)
