"""Signs: what is positive, or at least 0, wherever a statement is defined."""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction

import flint

from softmax_trick.readings.canonical.products import Products
from softmax_trick.readings.canonical.terms import ZERO_ONE, Factor, Key, Monomial, Polynomial, places_in


class Signs(Products):
    """The signs of factors, terms and polynomials."""

    def _sign_of(self, factor: Factor | Key) -> str:
        """ "+" if it is positive, "0" if it is at least 0, "" if nothing is known."""
        if not isinstance(factor, Factor):
            return self._sign(dict(factor))
        match factor.kind:
            case "exp" | "size" | "prime" | "normal":
                return "+"
            case "delta" | "step":
                return "0"
            case "entry":
                kind = self._variables[factor.data[0]].kind
                known = "+" if kind == "positive" else ("" if kind == "real" else "0")
            case "sum":
                known = self._sign({factor.data[1]: flint.fmpq(1)})
            case "root":
                known = self._sign(dict(factor.data)) or "0"
            case "inverse":
                return self._sign(dict(factor.data))
            case _:
                value = dict(factor.data)  # log K >= 0
                ((only, _), *more) = value.items()
                known = "0" if not more and len(only) == 1 and only[0][0].kind == "size" else ""
                if not more and not only:
                    known = "+"  # log of a prime
        if known != "+" and self.known_facts and self._fact(factor) in self.known_facts:
            return "+"
        return known

    def _sign(self, value: Polynomial) -> str:
        signs = [self._sign_of_term(monomial, coefficient) for monomial, coefficient in value.items()]
        if signs and all(signs):
            return "+" if "+" in signs else "0"
        if self.known_facts and self._fact(frozenset(value.items())) in self.known_facts:
            return "+"
        constant = value.get((), flint.fmpq(0))
        if constant < 0:  # K - 1
            rest = {monomial: coefficient for monomial, coefficient in value.items() if monomial}
            excess = constant + sum(c for monomial, c in rest.items() if _is_of_sizes(monomial))
            if excess >= 0 and all(self._sign_of_term(*term) for term in rest.items()):
                beside = [self._sign_of_term(*term) for term in rest.items() if not _is_of_sizes(term[0])]
                return "+" if excess > 0 or "+" in beside else "0"
        if constant > 0:  # 1 - u for u in [0, 1]
            loss = flint.fmpq(0)
            for monomial, coefficient in value.items():
                if monomial and not self._sign_of_term(monomial, coefficient):
                    if not all(self._at_most_one(factor) and e > 0 for factor, e in monomial):
                        return ""
                    loss -= coefficient
            return "0" if loss <= constant else ""
        return ""

    def _sign_of_term(self, monomial: Monomial, coefficient: flint.fmpq) -> str:
        if coefficient < 0:
            return ""
        result = "+"
        for factor, exponent in monomial:
            sign = self._sign_of(factor)
            if sign == "+":
                continue
            even = Fraction(exponent) % 2 == 0
            if even and exponent < 0:
                continue
            if not even and not sign:
                return ""
            if exponent > 0:
                result = "0"
        return result

    def _at_most_one(self, factor: Factor) -> bool:
        if factor.kind == "entry":
            return self._variables[factor.data[0]].kind in ("unit", "distribution")
        return factor.kind in ZERO_ONE

    def _fact(self, factor: Factor | Key) -> Hashable:
        """What a fact about a factor is known by, or None: the key tells apart no two indices that are summed over."""
        value = self.of(factor)
        fresh = {
            inner for place in self.places_of(value) for inner in places_in(place) if inner[0] in ("fresh", "bound")
        }
        return self._polynomial_key(value, dict.fromkeys(fresh, 0)) if len(fresh) <= 1 else None


def _is_of_sizes(monomial: Monomial) -> bool:
    """Whether it is a product of sizes, which is at least 1."""
    return all(factor.kind == "size" and exponent > 0 for factor, exponent in monomial)
