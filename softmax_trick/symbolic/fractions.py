"""Rational functions over Q, between SymPy and FLINT: exact, in lowest terms, with one representative each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import flint
import sympy as sp


class Undefined(ValueError):
    """The expression divides by zero, or takes the logarithm of zero, everywhere."""


@dataclass(frozen=True)
class Fraction:
    """numerator / denominator: coprime polynomials, the denominator's leading coefficient being 1."""

    numerator: flint.fmpq_mpoly
    denominator: flint.fmpq_mpoly

    # Sums and products by Henrici's rules (Knuth, The Art of Computer Programming 2, section 4.5.1): the operands are
    # in lowest terms, so that only small greatest common divisors are left to take. With K classes the polynomials have
    # 2 K variables, and those divisors are what takes the time.

    def __add__(self, other: Fraction) -> Fraction:
        common = self.denominator.gcd(other.denominator)
        left, right = self.denominator / common, other.denominator / common
        numerator = self.numerator * right + other.numerator * left
        again = numerator.gcd(common)
        return Fraction(numerator / again, left * right * (common / again))._monic()

    def __mul__(self, other: Fraction) -> Fraction:
        first, second = self.numerator.gcd(other.denominator), other.numerator.gcd(self.denominator)
        numerator = (self.numerator / first) * (other.numerator / second)
        return Fraction(numerator, (self.denominator / second) * (other.denominator / first))._monic()

    def _monic(self) -> Fraction:
        """The one representative of a fraction in lowest terms."""
        if self.numerator.is_zero():
            return Fraction(self.numerator, self.denominator**0)
        leading = self.denominator.leading_coefficient()
        return Fraction(self.numerator / leading, self.denominator / leading)

    def __pow__(self, exponent: int) -> Fraction:
        if exponent < 0:
            if self.numerator.is_zero():
                raise Undefined("a denominator is identically zero")
            return Fraction(self.denominator ** (-exponent), self.numerator ** (-exponent))._monic()
        return Fraction(self.numerator**exponent, self.denominator**exponent)


class PolynomialRing:
    """Q[symbols] in lexicographic order, and its field of fractions."""

    def __init__(self, symbols: Iterable[sp.Symbol]) -> None:
        self.symbols = sorted(set(symbols), key=lambda symbol: (symbol.name, sp.default_sort_key(symbol)))
        # FLINT tells generators apart by their place: two symbols may have one name and different assumptions.
        self.context = flint.fmpq_mpoly_ctx.get([symbol.name for symbol in self.symbols], "lex")
        self._generators = dict(zip(self.symbols, self.context.gens(), strict=True))
        self._one = self.context.constant(1)

    def fraction(self, expression: sp.Expr) -> Fraction:
        """An expression built from rationals and the symbols by + * and integer powers.

        Raises:
            Undefined: a denominator is identically zero.
            TypeError: the expression contains anything else.
        """
        if expression.is_Rational:
            return Fraction(self.context.constant(flint.fmpq(int(expression.p), int(expression.q))), self._one)
        if expression.is_Symbol:
            return Fraction(self._generators[expression], self._one)
        if expression.is_Pow and expression.exp.is_Integer:
            return self.fraction(expression.base) ** int(expression.exp)
        if isinstance(expression, sp.Add | sp.Mul):
            terms = [self.fraction(argument) for argument in expression.args]
            result = terms[0]
            for term in terms[1:]:
                result = result + term if isinstance(expression, sp.Add) else result * term
            return result
        raise TypeError(f"{expression} is not a rational function")

    def terms(self, polynomial: flint.fmpq_mpoly) -> Iterator[tuple[sp.Expr, sp.Rational]]:
        """The monomials of a polynomial and their coefficients."""
        for exponents, coefficient in polynomial.to_dict().items():
            monomial = sp.Mul(*(s ** int(n) for s, n in zip(self.symbols, exponents, strict=True) if n))
            yield monomial, sp.Rational(int(coefficient.p), int(coefficient.q))

    def expression(self, polynomial: flint.fmpq_mpoly) -> sp.Expr:
        """A polynomial as a SymPy expression."""
        return sp.Add(*(coefficient * monomial for monomial, coefficient in self.terms(polynomial)))


def common_multiple(polynomials: Iterable[flint.fmpq_mpoly]) -> flint.fmpq_mpoly:
    """The least common multiple of at least one polynomial, its leading coefficient being 1."""
    first, *others = polynomials
    multiple = first
    for polynomial in others:
        multiple = multiple * (polynomial / multiple.gcd(polynomial))
    return multiple / multiple.leading_coefficient()
