"""The algebra of the every-size reading: derivatives, and what is asked of values."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction

import flint

from softmax_trick.language.expression import Variable
from softmax_trick.readings.canonical.sums import Sums
from softmax_trick.readings.canonical.terms import Factor, Place, Polynomial, as_rational


class Canonical(Sums):
    """The algebra of the every-size reading; see the head of `canonical` and `interpreter.Algebra`.

    Args:
        sizes: sizes that are given; sums over those axes are written out.
        facts: factors and polynomials known to be positive wherever the statement is defined, from an earlier run.

    Attributes:
        size_conditions: sizes that must be at least so large, since the statement has an entry with that number.
        facts: what was found to be positive wherever the statement is defined.
    """

    context: Hashable = None

    def is_zero(self, value: Polynomial) -> bool:
        """Whether the value is reduced to zero: then it is zero wherever it is defined."""
        return not self.numerator(value)

    def numerator(self, value: Polynomial) -> Polynomial:
        """The value times what polynomials stand in its denominators."""
        return self._cleared(value)[0]

    def sign(self, value: Polynomial) -> str:
        """ "+" if a value is positive wherever it is defined, "0" if it is at least 0, "" if that is not seen."""
        sign = self._sign(value)
        if sign or not value:
            return sign
        numerator, denominator = self._cleared(value)
        if not numerator or not all(self._sign_of(factor) == "+" or n % 2 == 0 for factor, n in denominator.items()):
            return ""
        content, factors = self.factored(numerator)
        known = [self._sign_of(factor) or ("0" if Fraction(n) % 2 == 0 else "") for factor, n in factors]
        return "" if content < 0 or "" in known else ("0" if "0" in known else "+")

    def over_positive(self, value: Polynomial) -> Polynomial:
        """The value times what it is divided by, if that is positive wherever the value is defined; else the value."""
        numerator, denominator = self._cleared(value)
        for monomial in numerator:
            for factor, exponent in monomial:
                if exponent < 0:
                    denominator[factor] = max(denominator.get(factor, 0), -exponent)
        if not all(self._sign_of(factor) or n % 2 == 0 for factor, n in denominator.items()):
            return value
        for factor, n in denominator.items():
            if factor.kind != "inverse":
                numerator = self.multiply(numerator, {((factor, n),): flint.fmpq(1)})
        return numerator

    # --- derivatives --------------------------------------------------------------------------------------------------

    def derivative(self, function: Callable[[], Polynomial], by: Variable, positions: tuple[Place, ...]) -> Polynomial:
        return self._derivative(function(), by.name, positions)

    def _derivative(self, value: Polynomial, name: str, places: tuple[Place, ...]) -> Polynomial:
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            for n, (factor, exponent) in enumerate(monomial):
                inner = self._factor_derivative(factor, name, places)
                if not inner:
                    continue
                outer = self._made({**dict(monomial[:n]), **dict(monomial[n + 1 :])})
                if factor.kind == "inverse":
                    lower = self.single(factor, exponent - 1)
                elif factor.kind == "root":
                    lower = self._root(dict(factor.data), Fraction(exponent) - 1)
                else:
                    lower = self._made({factor: exponent - 1})
                part = self.multiply(self.multiply(outer, lower), inner)
                total = self.add(total, self.scaled(part, coefficient * as_rational(Fraction(exponent))))
        return total

    def _factor_derivative(self, factor: Factor, name: str, places: tuple[Place, ...]) -> Polynomial:
        """The derivative of a factor to the power 1; of the base, for a root or an inverse."""
        known = (factor, name, places)
        if known not in self._derived:
            self._derived[known] = self._derive(factor, name, places)
        return self._derived[known]

    def _derive(self, factor: Factor, name: str, places: tuple[Place, ...]) -> Polynomial:
        match factor.kind:
            case "entry":
                if factor.data[0] != name:
                    return {}
                result = self.number(Fraction(1))
                for mine, other in zip(factor.data[1], places, strict=True):
                    result = self.multiply(result, self.delta(mine, other))
                return result
            case "size" | "prime" | "delta" | "step":
                return {}
            case "exp":
                inner = self._derivative({factor.data: flint.fmpq(1)}, name, places)
                return self.multiply(self.single(factor), inner) if inner else {}
            case "normal":
                value = dict(factor.data)
                inner = self._derivative(value, name, places)
                return self.multiply(self.normal_pdf(value), inner) if inner else {}
            case "log":
                value = dict(factor.data)
                inner = self._derivative(value, name, places)
                return self.multiply(inner, self.raised(value, Fraction(-1))) if inner else {}
            case "inverse" | "root":
                return self._derivative(dict(factor.data), name, places)
            case "sum":
                if not self._mentions(factor, name):
                    return {}
                fresh, body = self.opened(factor)
                return self.closed(self.tidied(self._derivative(body, name, places)), set(fresh))
        raise TypeError(f"no derivative of a {factor.kind}")

    def _mentions(self, factor: Factor, name: str) -> bool:
        if factor.kind == "entry":
            return bool(factor.data[0] == name)
        return any(self._mentions(one, name) for monomial in factor.monomials for one, _ in monomial)
