r"""The every-size reading: entries at free indices, in an exact canonical form.

A value is a polynomial: a sum of rational multiples of monomials. A monomial is a product of factors with rational
exponents. The factors are

    entry   x[i, j]                              size    K, a symbol >= 1
    delta   1 where two places are equal, else 0 step    1 where a polynomial is positive, 0 where it is negative
    exp     exp of one monomial                  log     log|p| for p a factor or an irreducible polynomial
    inverse p of several terms, with a negative exponent
    root    p, with an exponent between 0 and 1  prime   2, 3, ... with such an exponent
    sum     the sum of one monomial over indices

What makes equal things equal: products of sums are sums over more indices, and fall apart into connected components
(Fubini, associativity, traces); bound indices are named canonically, by refinement of colours and then by trial; deltas
in a bound index are contracted, indices that a delta makes equal are written alike; a sum that meets its own inverse is
drawn out; exponentials are split at sums, logarithms factored over Q; roots keep an exponent in (0, 1), of bases that
are irreducible or of unknown sign. A function of 0/1 factors is split into its two values.

A value without terms is zero, wherever the expression is defined and for all sizes: each rewriting is an identity. The
converse fails where atoms depend on each other in a way not known here, so that what is not reduced to zero is not
thereby different from it.

Nothing is captured: a sum's own indices are numbered above those of the sums inside it, a sum is opened by fresh
indices before anything is done to it, and closed again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from fractions import Fraction
from math import floor, lcm
from typing import Any

import flint

from softmax_trick.language.expression import (
    Index,
    LanguageError,
    Numbered,
    Variable,
    size_of,
)

MOST_TERMS = 20_000  # of a product; beyond it the expression is too large to be written out
MOST_DIGITS = 10_000  # of a power of a number
MOST_TRIALS = 200  # ways of naming bound indices that no colour tells apart

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
        kind: see the head of this module.
        data: what it is made of.
        serial: its number, in the order of making.
        places: the places in it, but for the bound ones of a sum.
    """

    __slots__ = ("data", "kind", "places", "serial")

    def __init__(self, kind: str, data: Any, serial: int, places: frozenset[Place]) -> None:
        self.kind, self.data, self.serial, self.places = kind, data, serial, places


Monomial = tuple[tuple[Factor, Exponent], ...]
Polynomial = dict[Monomial, flint.fmpq]
Key = frozenset[tuple[Monomial, flint.fmpq]]

ZERO_ONE = ("delta", "step")


def _exponent(value: Fraction | int) -> Exponent:
    return int(value) if value == int(value) else value


def _rational(value: Fraction | int) -> flint.fmpq:
    return flint.fmpq(value.numerator, value.denominator)


def _fraction(value: flint.fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _number_to(base: flint.fmpq, exponent: int) -> flint.fmpq:
    """base ** exponent, unless it fills the memory, as exp(10**9 log 2) would."""
    if abs(exponent) * (max(abs(base.p), base.q).bit_length() - 1) > MOST_DIGITS * 10 // 3:
        raise TooLarge(f"a number of more than {MOST_DIGITS} digits")
    return base**exponent


def _inside(place: Place) -> Iterator[Place]:
    """A place and the places inside it."""
    yield place
    if place[0] in ("label", "largest"):
        for inner in place[3]:
            yield from _inside(inner)


class Canonical:
    """The algebra of the every-size reading; see the head of this module and `interpreter.Algebra`.

    Args:
        sizes: sizes that are given; sums over those axes are written out.
        facts: factors and polynomials known to be positive wherever the statement is defined, from an earlier run.

    Attributes:
        size_conditions: sizes that must be at least so large, since the statement has an entry with that number.
        facts: what was found to be positive wherever the statement is defined.
    """

    context: Hashable = None

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

    # --- the algebra --------------------------------------------------------------------------------------------------

    def number(self, value: Fraction) -> Polynomial:
        return {(): _rational(value)} if value else {}

    def size(self, name: str) -> Polynomial:
        if name in self.sizes:
            return self.number(Fraction(self.sizes[name]))
        return self._single(self._factor("size", name))

    def index(self, term: Index | Numbered) -> Place:
        size = size_of(term.axis)
        if isinstance(term, Numbered):
            self._asks_for(size, term.value)
            return ("given", size, term.value)
        return ("free", size, term.name)

    def chosen(self, label: Variable, positions: tuple[Place, ...]) -> Place:
        return ("label", size_of(label.into), label.name, positions)

    def variable(self, variable: Variable, positions: tuple[Place, ...]) -> Polynomial:
        self._variables[variable.name] = variable
        for n, place in enumerate(positions):
            size = self.sizes.get(place[1])
            if size is not None and place[0] != "given":  # x[c] over a given size: the sum of delta(m, c) x[m]
                cases = [("given", place[1], m) for m in range(1, size + 1)]
                entries = [self.variable(variable, (*positions[:n], case, *positions[n + 1 :])) for case in cases]
                return self._sum_of(
                    self.multiply(self.delta(case, place), entry) for case, entry in zip(cases, entries, strict=True)
                )
        return self._single(self._factor("entry", (variable.name, positions)))

    def delta(self, left: Place, right: Place) -> Polynomial:
        if left == right:
            return {(): flint.fmpq(1)}
        if left[0] == right[0] == "given":
            return {}
        left, right = sorted((left, right), key=_order)
        size = self.sizes.get(left[1])
        if left[0] == "given" and size is not None and left[2] == size:  # the last one is what the others are not
            others = [self.delta(("given", left[1], m), right) for m in range(1, size)]
            return self.add({(): flint.fmpq(1)}, self._scaled(self._sum_of(others), flint.fmpq(-1)))
        return self._single(self._factor("delta", (left, right)))

    def sum(self, axis: str, term: Callable[[Place], Polynomial]) -> Polynomial:
        size = size_of(axis)
        if size in self.sizes:
            return self._sum_of(term(("given", size, n)) for n in range(1, self.sizes[size] + 1))
        k = self._new(size)
        return self._closed(self._tidy(term(k)), {k})

    def largest(self, axis: str, term: Callable[[Place], Polynomial]) -> Polynomial:
        # The largest entry is the entry at the place where it is attained.
        size = size_of(axis)
        k = self._new(size)
        body = self._tidy(term(k))
        # What does not depend on k does not decide where that is, nor does a positive factor.
        inner = {monomial: c for monomial, c in body.items() if any(k in factor.places for factor, _ in monomial)}
        if not inner:
            return body
        common = set(next(iter(inner))).intersection(*inner)
        common = {(f, e) for f, e in common if k not in f.places and self._sign_of(f) == "+"}
        inner = {tuple(pair for pair in monomial if pair not in common): c for monomial, c in inner.items()}
        outside = tuple(sorted({place for place in self._places(inner) if k not in _inside(place)}, key=_order))
        # The key says what is largest in terms of the numbers of the places outside, so that it moves with them.
        key = self._polynomial_key(inner, {k: 0, **{place: n for n, place in enumerate(outside, 1)}})
        return self._substitute(body, {k: ("largest", size, key, outside)})

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
                    total = self.add(total, self._scaled(product, a * b))
        return total

    def power(self, base: Polynomial, exponent: Polynomial) -> Polynomial:
        if not exponent or set(exponent) == {()}:
            return self._power(base, _fraction(exponent.get((), flint.fmpq(0))))
        whole = floor(_fraction(exponent.get((), flint.fmpq(0))))
        rest = self.add(exponent, self.number(Fraction(-whole)))
        return self.multiply(self._power(base, Fraction(whole)), self.exp(self.multiply(rest, self._log(base))))

    def exp(self, value: Polynomial) -> Polynomial:
        value = self._tidy(value)
        return self._by_cases(value, self._exp)

    def log(self, value: Polynomial) -> Polynomial:
        return self._log(value)

    def step(self, value: Polynomial) -> Polynomial:
        return self._by_cases(self._tidy(value), self._step)

    def derivative(self, function: Callable[[], Polynomial], by: Variable, positions: tuple[Place, ...]) -> Polynomial:
        return self._derivative(function(), by.name, positions)

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
        content, factors = self._factored(numerator)
        known = [self._sign_of(factor) or ("0" if Fraction(n) % 2 == 0 else "") for factor, n in factors]
        return "" if content < 0 or "" in known else ("0" if "0" in known else "+")

    def moved(self, value: Polynomial, places: Mapping[Place, Place]) -> Polynomial:
        """The value with places replaced by others, all at once."""
        return self._substitute(value, places)

    # --- factors and monomials ----------------------------------------------------------------------------------------

    def _factor(self, kind: str, data: Any) -> Factor:
        factor = self._factors.get((kind, data))
        if factor is None:
            factor = Factor(kind, data, len(self._factors), frozenset(self._places_of(kind, data)))
            self._factors[kind, data] = factor
        return factor

    def _places_of(self, kind: str, data: Any) -> set[Place]:
        match kind:
            case "entry":
                return {inner for place in data[1] for inner in _inside(place)}
            case "delta":
                return {inner for place in data for inner in _inside(place)}
            case "size" | "prime":
                return set()
            case "exp":
                return {place for factor, _ in data for place in factor.places}
            case "sum":
                bounds, body = data
                inside = {place for factor, _ in body for place in factor.places}
                return {place for place in inside if not any(bound in _inside(place) for bound in bounds)}
            case _:
                return {place for monomial, _ in data for factor, _ in monomial for place in factor.places}

    def _places(self, value: Polynomial) -> set[Place]:
        return {place for monomial in value for factor, _ in monomial for place in factor.places}

    def _single(self, factor: Factor, exponent: Exponent = 1) -> Polynomial:
        return {((factor, exponent),): flint.fmpq(1)}

    def _scaled(self, value: Polynomial, by: flint.fmpq) -> Polynomial:
        return {monomial: coefficient * by for monomial, coefficient in value.items()} if by != 0 else {}

    def _sum_of(self, values: Iterable[Polynomial]) -> Polynomial:
        total: Polynomial = {}
        for value in values:
            total = self.add(total, value)
        return total

    def _product(self, left: Monomial, right: Monomial) -> Monomial | Polynomial:
        if not left:
            return right
        if not right:
            return left
        exponents = dict(left)
        for factor, exponent in right:
            exponents[factor] = exponents[factor] + exponent if factor in exponents else exponent
        return self._normal(exponents)

    def _normal(self, exponents: dict[Factor, Exponent]) -> Monomial | Polynomial:
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
        kept = [(factor, _exponent(exponent)) for factor, exponent in exponents.items() if exponent != 0]
        return tuple(sorted(kept, key=lambda pair: pair[0].serial))

    def _reduced(self, exponents: dict[Factor, Exponent]) -> Polynomial:
        """Powers of 0/1 factors, and roots and primes with an exponent outside (0, 1), written as what they are."""
        result: Polynomial = {(): flint.fmpq(1)}
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
                    result = self.multiply(result, self._power(dict(factor.data), Fraction(whole)))
            elif factor.kind == "prime":
                whole = floor(exponent)
                rest[factor] = exponent - whole
                result = self._scaled(result, flint.fmpq(factor.data) ** whole)
            else:
                rest[factor] = exponent
        normal = self._normal(rest)
        return self.multiply(result, {normal: flint.fmpq(1)} if isinstance(normal, tuple) else normal)

    def _merged(self, steps: list[Factor], exponents: dict[Factor, Exponent]) -> Polynomial | None:
        """A product in which two steps decide each other: u > 1 and u > 2 is u > 2. None if no two do."""
        for n, left in enumerate(steps):
            for right in steps[n + 1 :]:
                p, q = dict(left.data), dict(right.data)
                if not p or not q:
                    continue
                minus_q = self._scaled(q, flint.fmpq(-1))
                difference, both = self.add(p, minus_q), self.add(p, q)
                one: Polynomial = {(): flint.fmpq(1)}
                if self._sign(difference):  # q > 0 makes p > 0
                    product = self._single(right)
                elif self._sign(self._scaled(difference, flint.fmpq(-1))):
                    product = self._single(left)
                elif self._sign(self._scaled(both, flint.fmpq(-1))):  # not both
                    product = {}
                elif self._sign(both):  # one at least
                    product = self.add(
                        self.add(self._single(left), self._single(right)), self._scaled(one, flint.fmpq(-1))
                    )
                else:
                    continue
                rest = self._normal({f: e for f, e in exponents.items() if f not in (left, right)})
                return self.multiply({rest: flint.fmpq(1)} if isinstance(rest, tuple) else rest, product)
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
                if _order(right) < _order(left):
                    left, right = right, left
                if left in _inside(right) or right in _inside(left):  # k = c[k]: left as it stands
                    continue
                parent[right] = left
        mapping = {place: root(place) for place in parent}
        if any(a[0] == b[0] == "given" and a != b for a, b in mapping.items()):
            return {}
        normal = {
            self._factor("delta", tuple(sorted((place, target), key=_order))): 1 for place, target in mapping.items()
        }
        kept = {
            factor: exponent
            for factor, exponent in exponents.items()
            if factor.kind == "delta" and not self._identifies(factor, mapping)
        }
        rest = {factor: exponent for factor, exponent in exponents.items() if factor.kind != "delta"}
        touched = any(not factor.places.isdisjoint(mapping) for factor in rest)
        same = {f: 1 for f, e in exponents.items() if f.kind == "delta" and e != 0} == {
            **normal,
            **dict.fromkeys(kept, 1),
        }
        if same and not touched and all(exponents[factor] == 1 for factor in deltas):
            return None
        if not touched:
            result = self._normal({**normal, **dict.fromkeys(kept, 1), **rest})
            return {result: flint.fmpq(1)} if isinstance(result, tuple) else result
        value: Polynomial = {(): flint.fmpq(1)}
        for factor, exponent in rest.items():
            if exponent != 0:
                changed = self._substitute_factor(factor, mapping)
                value = self.multiply(value, self._power(changed, Fraction(exponent)))
        deltas_only = self._normal({**normal, **dict.fromkeys(kept, 1)})
        return self.multiply({deltas_only: flint.fmpq(1)} if isinstance(deltas_only, tuple) else deltas_only, value)

    def _identifies(self, factor: Factor, mapping: Mapping[Place, Place]) -> bool:
        left, right = (mapping.get(place, place) for place in factor.data)
        return left == right

    # --- places -------------------------------------------------------------------------------------------------------

    def _new(self, size: str) -> Place:
        self._fresh += 1
        return ("fresh", size, self._fresh)

    def _asks_for(self, size: str, least: int) -> None:
        if size in self.sizes:
            if self.sizes[size] < least:
                raise LanguageError(f"there is no entry {least}: {size} = {self.sizes[size]}")
        elif least > 1:
            self.size_conditions[size, least] = None

    def _moved(self, place: Place, mapping: Mapping[Place, Place]) -> Place:
        if place in mapping:
            return mapping[place]
        if place[0] in ("label", "largest"):
            return (*place[:3], tuple(self._moved(inner, mapping) for inner in place[3]))
        return place

    def _substitute(self, value: Polynomial, mapping: Mapping[Place, Place]) -> Polynomial:
        """The polynomial with places replaced by others, in canonical form again."""
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            total = self.add(total, self._scaled(self._substitute_monomial(monomial, mapping), coefficient))
        return total

    def _substitute_monomial(self, monomial: Monomial, mapping: Mapping[Place, Place]) -> Polynomial:
        kept: dict[Factor, Exponent] = {}
        moved: list[tuple[Polynomial, Exponent]] = []
        for factor, exponent in monomial:
            if factor.places.isdisjoint(mapping):
                kept[factor] = exponent
            else:
                moved.append((self._substitute_factor(factor, mapping), exponent))
        if not moved:
            return {monomial: flint.fmpq(1)}
        result: Polynomial = {tuple(sorted(kept.items(), key=lambda pair: pair[0].serial)): flint.fmpq(1)}
        for value, exponent in moved:
            result = self.multiply(result, self._power(value, Fraction(exponent)))
        return result

    def _substitute_factor(self, factor: Factor, mapping: Mapping[Place, Place]) -> Polynomial:
        relevant = {place: target for place, target in mapping.items() if place in factor.places and place != target}
        if not relevant:
            return self._single(factor)
        known = (factor, tuple(sorted(relevant.items(), key=lambda pair: _order(pair[0]))))
        if known not in self._substituted:
            self._substituted[known] = self._replaced(factor, relevant)
        return self._substituted[known]

    def _replaced(self, factor: Factor, mapping: Mapping[Place, Place]) -> Polynomial:
        match factor.kind:
            case "entry":
                name, places = factor.data
                return self.variable(self._variables[name], tuple(self._moved(place, mapping) for place in places))
            case "delta":
                left, right = factor.data
                return self.delta(self._moved(left, mapping), self._moved(right, mapping))
            case "exp":
                return self.exp(self._substitute({factor.data: flint.fmpq(1)}, mapping))
            case "log":
                return self._log(self._substitute(dict(factor.data), mapping))
            case "step":
                return self.step(self._substitute(dict(factor.data), mapping))
            case "inverse" | "root":
                return self._substitute(dict(factor.data), mapping)
            case "sum":
                fresh, body = self._opened(factor)
                return self._closed(self._tidy(self._substitute(body, mapping)), set(fresh))
        raise TypeError(f"no places in a {factor.kind}")

    # --- sums ---------------------------------------------------------------------------------------------------------

    def _opened(self, factor: Factor) -> tuple[list[Place], Polynomial]:
        """The summand of a sum at fresh indices, and those."""
        bounds, body = factor.data
        mapping = {bound: self._new(bound[1]) for bound in bounds}
        return list(mapping.values()), {self._renamed_monomial(body, mapping): flint.fmpq(1)}

    def _renamed_monomial(self, monomial: Monomial, names: Mapping[Place, Place]) -> Monomial:
        """The monomial with indices under other names, no two of them under one: nothing needs to be reduced again."""
        pairs = [(self._renamed(factor, names), exponent) for factor, exponent in monomial]
        return tuple(sorted(pairs, key=lambda pair: pair[0].serial))

    def _renamed(self, factor: Factor, names: Mapping[Place, Place]) -> Factor:
        if factor.places.isdisjoint(names):
            return factor
        match factor.kind:
            case "entry":
                name, places = factor.data
                data: Any = (name, tuple(self._moved(place, names) for place in places))
            case "delta":
                data = tuple(sorted((self._moved(place, names) for place in factor.data), key=_order))
            case "exp":
                data = self._renamed_monomial(factor.data, names)
            case "sum":
                data = (factor.data[0], self._renamed_monomial(factor.data[1], names))
            case _:
                data = frozenset((self._renamed_monomial(m, names), c) for m, c in factor.data)
        renamed = self._factor(factor.kind, data)
        if factor in self._level:
            self._level[renamed] = self._level[factor]
        return renamed

    def _closed(self, value: Polynomial, bounds: set[Place]) -> Polynomial:
        """The sum of a polynomial over fresh indices."""
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            total = self.add(total, self._scaled(self._closed_monomial(monomial, bounds), coefficient))
        return total

    def _closed_monomial(self, monomial: Monomial, bounds: set[Place]) -> Polynomial:
        if not bounds:
            return {monomial: flint.fmpq(1)}
        # Deltas: sum_k delta(k, i) f(k) = f(i).
        for factor, _ in monomial:
            if factor.kind == "delta":
                for k, other in (factor.data, factor.data[::-1]):
                    if k in bounds and k not in _inside(other):
                        if other[0] == "given":
                            self._asks_for(other[1], other[2])
                        rest = tuple(pair for pair in monomial if pair[0] is not factor)
                        return self._closed(self._substitute_monomial(rest, {k: other}), bounds - {k})
        # What does not depend on the indices stands outside.
        outside = tuple(pair for pair in monomial if pair[0].places.isdisjoint(bounds))
        inside = tuple(pair for pair in monomial if not pair[0].places.isdisjoint(bounds))
        if outside:
            return self.multiply({outside: flint.fmpq(1)}, self._closed_monomial(inside, bounds))
        idle = {k for k in bounds if not any(k in factor.places for factor, _ in inside)}
        if idle:
            sizes: Polynomial = {(): flint.fmpq(1)}
            for _, size, _ in idle:
                sizes = self.multiply(sizes, self.size(size))
            return self.multiply(sizes, self._closed_monomial(inside, bounds - idle)) if inside else sizes
        kept = self._in_denominators(inside)
        # Sums inside, to a whole power, are sums over more indices; but for those that a denominator has.
        for factor, exponent in inside:
            if factor.kind == "sum" and factor not in kept and isinstance(exponent, int) and exponent > 0:
                product: Polynomial = {tuple(pair for pair in inside if pair[0] is not factor): flint.fmpq(1)}
                more = set(bounds)
                for _ in range(exponent):
                    fresh, body = self._opened(factor)
                    more |= set(fresh)
                    product = self.multiply(product, body)
                return self._closed(product, more)
        parts = self._components(inside, bounds)
        if len(parts) > 1:
            result: Polynomial = {(): flint.fmpq(1)}
            for part, indices in parts:
                result = self.multiply(result, self._closed_monomial(part, indices))
            return result
        drawn = self._drawn_out(inside, bounds, kept)
        if drawn is not None:
            return drawn
        return self._single(self._named(inside, bounds))

    def _in_denominators(self, monomial: Monomial) -> set[Factor]:
        """The sums that stand in a denominator of a monomial."""
        found: set[Factor] = set()
        for factor, exponent in monomial:
            if factor.kind == "sum" and exponent < 0:
                found.add(factor)
            elif factor.kind == "inverse":
                found |= {inner for part, _ in factor.data for inner, _ in part if inner.kind == "sum"}
        return found

    def _components(self, monomial: Monomial, bounds: set[Place]) -> list[tuple[Monomial, set[Place]]]:
        """The factors in groups that share no index of these."""
        groups: list[tuple[list[tuple[Factor, Exponent]], set[Place]]] = []
        for pair in monomial:
            touched = {k for k in bounds if k in pair[0].places}
            joined = [group for group in groups if group[1] & touched]
            groups = [group for group in groups if not group[1] & touched]
            groups.append(
                ([*(one for group in joined for one in group[0]), pair], touched.union(*(g[1] for g in joined)))
            )
        return [(tuple(sorted(pairs, key=lambda pair: pair[0].serial)), indices) for pairs, indices in groups]

    def _drawn_out(self, monomial: Monomial, bounds: set[Place], kept: set[Factor]) -> Polynomial | None:
        """A sum over some of the indices that is known, or that a denominator has, taken out of the sum over all."""
        for k in bounds:  # sum_k t[.., k] = 1 for a distribution
            touching = [(factor, exponent) for factor, exponent in monomial if k in factor.places]
            if len(touching) == 1 and touching[0][1] == 1 and self._sums_to_one(touching[0][0], k):
                rest = tuple(pair for pair in monomial if pair[0] is not touching[0][0])
                return self._closed_monomial(rest, bounds - {k})
        for factor in kept:
            others = {k for k in bounds if k not in factor.places}
            if not others or others == bounds:
                continue
            touching_others = tuple(pair for pair in monomial if not pair[0].places.isdisjoint(others))
            for part, indices in self._components(touching_others, others):
                if any(one is factor for one, _ in part):
                    continue
                if self._closed_monomial(part, indices) == self._single(factor):
                    left = tuple(pair for pair in monomial if pair not in part)
                    value = self.multiply({left: flint.fmpq(1)}, self._single(factor))
                    return self._closed(self._tidy(value), bounds - indices)
        return None

    def _sums_to_one(self, factor: Factor, k: Place) -> bool:
        if factor.kind != "entry":
            return False
        name, places = factor.data
        variable = self._variables[name]
        if variable.kind != "distribution":
            return False
        along = [n for n, axis in enumerate(variable.axes) if axis == variable.along]
        return len(along) == 1 and places[along[0]] == k and [k in _inside(place) for place in places].count(True) == 1

    # --- naming bound indices -----------------------------------------------------------------------------------------

    def _named(self, monomial: Monomial, bounds: set[Place]) -> Factor:
        """The sum of a monomial over indices that all occur in it and hang together, its indices named canonically."""
        level = max((self._levels(factor) for factor, _ in monomial), default=0)
        trials = [0]

        def settle(colours: dict[Place, int]) -> tuple[tuple[Any, ...], list[Place]]:
            colours = self._refined(monomial, colours)
            classes: dict[int, list[Place]] = {}
            for place, colour in colours.items():
                classes.setdefault(colour, []).append(place)
            tied = [members for _, members in sorted(classes.items()) if len(members) > 1]
            trials[0] += 1
            if not tied:
                order = sorted(colours, key=lambda place: colours[place])
                return self._monomial_key(monomial, {place: n for n, place in enumerate(order)}), order
            first = sorted(tied[0], key=_order)
            candidates = first if trials[0] < MOST_TRIALS else first[:1]
            # The chosen one comes before its class, and everything after that moves up.
            best = None
            for chosen in candidates:
                moved = {p: 2 * c + (1 if p in first and p != chosen else 0) for p, c in colours.items()}
                found = settle(moved)
                if best is None or found[0] < best[0]:
                    best = found
            return best  # type: ignore[return-value]

        sizes = sorted({place[1] for place in bounds})
        order = settle({place: sizes.index(place[1]) for place in bounds})[1]
        names = {place: ("bound", place[1], level + 1 + n) for n, place in enumerate(order)}
        body = self._renamed_monomial(monomial, names)
        factor = self._factor("sum", (tuple(names[place] for place in order), body))
        self._level[factor] = level + len(order)
        return factor

    def _refined(self, monomial: Monomial, colours: dict[Place, int]) -> dict[Place, int]:
        """Colours made finer until they are stable: places that stand in other factors, or beside others, differ."""
        while True:
            keys = {}
            for place in colours:
                marked = {**colours, place: -1}
                beside = sorted(
                    (self._factor_key(factor, marked), Fraction(exponent))
                    for factor, exponent in monomial
                    if place in factor.places
                )
                keys[place] = (colours[place], tuple(beside))
            ranks = {key: n for n, key in enumerate(sorted(set(keys.values())))}
            finer = {place: ranks[key] for place, key in keys.items()}
            if len(set(finer.values())) == len(set(colours.values())):
                return finer
            colours = finer

    def _levels(self, factor: Factor) -> int:
        """The highest number of a bound index in a factor."""
        if factor not in self._level:
            match factor.kind:
                case "exp":
                    inner: Iterable[Factor] = (one for one, _ in factor.data)
                case "log" | "step" | "inverse" | "root":
                    inner = (one for monomial, _ in factor.data for one, _ in monomial)
                case _:
                    inner = ()
            self._level[factor] = max((self._levels(one) for one in inner), default=0)
        return self._level[factor]

    # --- an order that no name of an index decides ---

    def _factor_key(self, factor: Factor, colours: Mapping[Place, int]) -> tuple[Any, ...]:
        relevant = tuple(sorted((place, colour) for place, colour in colours.items() if place in factor.places))
        known = (factor, relevant)
        if known not in self._keys:
            self._keys[known] = self._made_key(factor, dict(relevant))
        return self._keys[known]

    def _made_key(self, factor: Factor, colours: Mapping[Place, int]) -> tuple[Any, ...]:
        match factor.kind:
            case "entry":
                return ("entry", factor.data[0], tuple(_place_key(place, colours) for place in factor.data[1]))
            case "delta":
                return ("delta", tuple(sorted(_place_key(place, colours) for place in factor.data)))
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
        return tuple(sorted((self._monomial_key(m, colours), _fraction(c)) for m, c in value.items()))

    # --- powers, exponentials, logarithms -----------------------------------------------------------------------------

    def _power(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        if exponent == 0:
            return {(): flint.fmpq(1)}
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
            half = self._power(base, Fraction(int(exponent) // 2))
            square = self.multiply(half, half)
            return self.multiply(square, base) if exponent % 2 else square
        return self._by_cases(self._tidy(base), lambda value: self._root_or_inverse(value, exponent))

    def _power_of_monomial(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        """A whole power of one term."""
        ((monomial, coefficient),) = base.items()
        power = self._normal({factor: e * exponent for factor, e in monomial})
        powers = {power: flint.fmpq(1)} if isinstance(power, tuple) else power
        return self._scaled(powers, _number_to(coefficient, int(exponent)))

    def _root_or_inverse(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        if not base:
            if exponent < 0:
                raise Undefined("a denominator is zero everywhere")
            return {}
        content, factors = self._factored(base)
        if exponent.denominator == 1:
            result: Polynomial = {(): _number_to(flint.fmpq(content.numerator, content.denominator), int(exponent))}
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
                rest = self.multiply(rest, self._power(self._of(factor), Fraction(n)))
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
            normal = self._normal({factor: _exponent(exponent)})
            return {normal: flint.fmpq(1)} if isinstance(normal, tuple) else normal
        if exponent.denominator != 1:
            return self._root(dict(factor), exponent)
        if exponent > 0:
            return self._power(dict(factor), exponent)
        return self._single(self._factor("inverse", factor), int(exponent))

    def _root(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        """base ** exponent for a broken exponent: the whole part of it as a power, the rest as a root."""
        whole = floor(exponent)
        root = self._single(self._factor("root", frozenset(base.items())), exponent - whole)
        return self.multiply(self._power(base, Fraction(whole)), root)

    def _number_power(self, value: Fraction, exponent: Fraction) -> Polynomial:
        result: Polynomial = {(): flint.fmpq(1)}
        for prime, n in _primes(value):
            whole = floor(n * exponent)
            rest = _exponent(n * exponent - whole)
            result = self._scaled(result, _number_to(flint.fmpq(prime), whole))
            if rest:
                result = self.multiply(result, self._single(self._factor("prime", prime), rest))
        return result

    def _of(self, factor: Factor | Key) -> Polynomial:
        return self._single(factor) if isinstance(factor, Factor) else dict(factor)

    def _exp(self, value: Polynomial) -> Polynomial:
        result: Polynomial = {(): flint.fmpq(1)}
        for monomial, coefficient in value.items():
            c = _fraction(coefficient)
            if len(monomial) == 1 and monomial[0][0].kind == "log" and monomial[0][1] == 1:
                part = self._exp_of_log(dict(monomial[0][0].data), c)
            else:
                part = self._single(self._factor("exp", monomial), _exponent(c))
            result = self.multiply(result, part)
        return result

    def _exp_of_log(self, value: Polynomial, exponent: Fraction) -> Polynomial:
        """exp(c log|p|) = |p|**c."""
        if (exponent.denominator == 1 and exponent % 2 == 0) or self._positive(value):
            return self._power(value, exponent)
        return self._power(self.multiply(value, value), exponent / 2)

    def _log(self, value: Polynomial) -> Polynomial:
        return self._by_cases(self._tidy(value), self._log_of)

    def _log_of(self, value: Polynomial) -> Polynomial:
        """log u = sum_i n_i log|p_i| for u = prod_i p_i**n_i, wherever u > 0."""
        if not value:
            raise Undefined("a logarithm of zero")
        content, factors = self._factored(value)
        if content < 0 and all(self._sign_of(factor) for factor, _ in factors):
            raise Undefined("a logarithm of something negative")
        unknown = [(factor, n) for factor, n in factors if not self._sign_of(factor)]
        if content > 0 and len(unknown) == 1 and unknown[0][1] % 2 == 1 and not self._cases:
            fact = self._fact(unknown[0][0])  # u > 0 says that this one is
            if fact is not None:
                self.facts.add(fact)
        result = self._sum_of(
            self._scaled(self._single(self._log_factor({(): flint.fmpq(prime)})), flint.fmpq(n))
            for prime, n in _primes(abs(content))
        )
        for factor, n in factors:
            result = self.add(result, self._scaled(self._log_of_factor(factor), _rational(Fraction(n))))
        return result

    def _log_of_factor(self, factor: Factor | Key) -> Polynomial:
        if isinstance(factor, Factor):
            match factor.kind:
                case "exp":
                    return {factor.data: flint.fmpq(1)}
                case "prime":
                    return self._single(self._log_factor({(): flint.fmpq(factor.data)}))
                case "root" | "inverse":
                    return self._log(dict(factor.data))
        return self._single(self._log_factor(self._of(factor)))

    def _log_factor(self, value: Polynomial) -> Factor:
        return self._factor("log", frozenset(value.items()))

    def _step(self, value: Polynomial) -> Polynomial:
        if not value:  # where the pieces meet: whatever it is there, continuous functions have it times 0
            return self._single(self._factor("step", frozenset()))
        content, factors = self._factored(value)
        sign = self.number(Fraction(1 if content > 0 else -1))
        for factor, n in factors:
            if not self._sign_of(factor) and Fraction(n) % 2 != 0:
                sign = self.multiply(sign, self._signum(factor))
        return self._scaled(self.add(self.number(Fraction(1)), sign), flint.fmpq(1, 2))

    def _signum(self, factor: Factor | Key) -> Polynomial:
        """1 where a factor is positive, -1 where it is negative."""
        value = self._of(factor)
        sign = flint.fmpq(1)
        if value.get((), 0) != 0:  # x - 1 and 2 - 2 x are one step, the first one's
            scale = self._scale({monomial: coefficient for monomial, coefficient in value.items() if monomial})
            sign, value = flint.fmpq(1 if scale > 0 else -1), self._scaled(value, 1 / scale)
        step = self._factor("step", frozenset(value.items()))
        return {((step, 1),): 2 * sign, (): -sign}

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
            if left not in _inside(right) and right not in _inside(left):
                at_one = self._substitute(at_one, {right: left})
        one = self._single(atom)
        self._cases += 1
        try:
            yes, no = (self._by_cases(self._tidy(part), function) for part in (at_one, at_zero))
        finally:
            self._cases -= 1
        return self.add(self.multiply(one, yes), self.add(no, self._scaled(self.multiply(one, no), flint.fmpq(-1))))

    # --- signs --------------------------------------------------------------------------------------------------------

    def _fact(self, factor: Factor | Key) -> Hashable:
        """What a fact about a factor is known by, or None: the key tells apart no two indices that are summed over."""
        value = self._of(factor)
        fresh = {inner for place in self._places(value) for inner in _inside(place) if inner[0] in ("fresh", "bound")}
        return self._polynomial_key(value, dict.fromkeys(fresh, 0)) if len(fresh) <= 1 else None

    def _sign_of(self, factor: Factor | Key) -> str:
        """ "+" if it is positive, "0" if it is at least 0, "" if nothing is known."""
        if not isinstance(factor, Factor):
            return self._sign(dict(factor))
        match factor.kind:
            case "exp" | "size" | "prime":
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
        if constant > 0:  # 1 - u for u in [0, 1]
            loss = flint.fmpq(0)
            for monomial, coefficient in value.items():
                if monomial and not self._sign_of_term(monomial, coefficient):
                    if not all(self._at_most_one(factor) and e > 0 for factor, e in monomial):
                        return ""
                    loss -= coefficient
            return "0" if loss <= constant else ""
        return ""

    def _at_most_one(self, factor: Factor) -> bool:
        if factor.kind == "entry":
            return self._variables[factor.data[0]].kind in ("unit", "distribution")
        return factor.kind in ZERO_ONE

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

    def _positive(self, value: Polynomial) -> bool:
        return self._sign(value) == "+"

    # --- fractions ----------------------------------------------------------------------------------------------------

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
                        term = self.multiply(term, self._power(dict(factor.data), Fraction(n)))
                total = self.add(total, term)
            for factor, n in powers.items():
                denominator[factor] = denominator.get(factor, 0) + n
            value = total
        return value, denominator

    def _tidy(self, value: Polynomial) -> Polynomial:
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
                    part = self._scaled({by: flint.fmpq(1)}, coefficient * inverse)
                    quotient = self.add(quotient, part)
                    current = {m: c for m, c in current.items() if m != monomial}
                    current = self.add(current, self._scaled(self.multiply(part, rest), flint.fmpq(-1)))
            result = self.add(result, self.multiply(remainder, self._single(factor, -power)))
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

        moving = {monomial: tuple(pair for pair in monomial if _moves(pair[0])) for monomial in monomials}
        first = max(monomials, key=lambda monomial: (rank(moving[monomial]), rank(monomial)))
        if list(moving.values()).count(moving[first]) == 1:
            return first
        return max(monomials, key=rank)

    def _monomial_quotient(self, monomial: Monomial, by: Monomial) -> Monomial | None:
        """The quotient of monomials; what is positive and does not depend on an index that is summed over divides."""
        exponents = dict(monomial)
        moves = any(_moves(factor) for factor, _ in by)
        for factor, exponent in by:
            left = exponents.get(factor, 0) - exponent
            if left < 0 and not (moves and not _moves(factor) and self._sign_of(factor) == "+"):
                return None
            exponents[factor] = left
        kept = [(factor, _exponent(exponent)) for factor, exponent in exponents.items() if exponent != 0]
        return tuple(sorted(kept, key=lambda pair: pair[0].serial))

    def _divided(self, numerator: Polynomial, divisor: Polynomial) -> Polynomial | None:
        """The quotient of polynomials, if it is one."""
        ring = _Ring((numerator, divisor))
        quotient, remainder = divmod(ring.polynomial(numerator), ring.polynomial(divisor))
        if not remainder.is_zero():
            return None
        return ring.value(quotient, ring.low(numerator), ring.low(divisor))

    def _factored(self, value: Polynomial) -> tuple[Fraction, list[tuple[Factor | Key, Exponent]]]:
        """A polynomial as a rational number times powers of factors and of irreducible polynomials."""
        numerator, denominator = self._cleared(value) if self._inverses(value) else (value, {})
        result: list[tuple[Factor | Key, Exponent]] = [(factor.data, -n) for factor, n in denominator.items()]
        ring = _Ring((numerator,))
        low = ring.low(numerator)
        powers: dict[Factor, Exponent] = {factor: e for factor, e in low.items() if e != 0}
        if len(numerator) == 1:
            ((monomial, coefficient),) = numerator.items()
            content = _fraction(coefficient)
            powers = dict(monomial)
        else:
            found, factors = ring.polynomial(numerator).factor()
            content = _fraction(flint.fmpq(found))
            for polynomial, n in factors:
                part = ring.value(polynomial, {}, {})
                if len(part) == 1:
                    ((monomial, coefficient),) = part.items()
                    content *= _fraction(coefficient) ** int(n)
                    for factor, e in monomial:
                        powers[factor] = powers.get(factor, 0) + e * int(n)
                    continue
                scale = self._scale(part)
                content *= _fraction(scale) ** int(n)
                result.append((frozenset(self._scaled(part, 1 / scale).items()), int(n)))
        merged: dict[Factor | Key, Exponent] = {}
        for one, n in [*powers.items(), *result]:
            merged[one] = merged.get(one, 0) + n
        return content, [(one, n) for one, n in merged.items() if n != 0]

    def _scale(self, value: Polynomial) -> flint.fmpq:
        """The number by which a polynomial is divided so that its first term, in the order of keys, is 1 times it."""
        first = min(value, key=lambda monomial: (self._monomial_key(monomial, {}), [f.serial for f, _ in monomial]))
        return value[first]

    # --- derivatives --------------------------------------------------------------------------------------------------

    def _derivative(self, value: Polynomial, name: str, places: tuple[Place, ...]) -> Polynomial:
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            for n, (factor, exponent) in enumerate(monomial):
                inner = self._factor_derivative(factor, name, places)
                if not inner:
                    continue
                rest = self._normal({**dict(monomial[:n]), **dict(monomial[n + 1 :])})
                outer = {rest: flint.fmpq(1)} if isinstance(rest, tuple) else rest
                if factor.kind == "inverse":
                    lower = self._single(factor, exponent - 1)
                elif factor.kind == "root":
                    lower = self._root(dict(factor.data), Fraction(exponent) - 1)
                else:
                    normal = self._normal({factor: exponent - 1})
                    lower = {normal: flint.fmpq(1)} if isinstance(normal, tuple) else normal
                part = self.multiply(self.multiply(outer, lower), inner)
                total = self.add(total, self._scaled(part, coefficient * _rational(Fraction(exponent))))
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
                return self.multiply(self._single(factor), inner) if inner else {}
            case "log":
                value = dict(factor.data)
                inner = self._derivative(value, name, places)
                return self.multiply(inner, self._power(value, Fraction(-1))) if inner else {}
            case "inverse" | "root":
                return self._derivative(dict(factor.data), name, places)
            case "sum":
                if not self._mentions(factor, name):
                    return {}
                fresh, body = self._opened(factor)
                return self._closed(self._tidy(self._derivative(body, name, places)), set(fresh))
        raise TypeError(f"no derivative of a {factor.kind}")

    def _mentions(self, factor: Factor, name: str) -> bool:
        match factor.kind:
            case "entry":
                return factor.data[0] == name
            case "size" | "prime" | "delta":
                return False
            case "exp":
                inner: Iterable[Factor] = (one for one, _ in factor.data)
            case "sum":
                inner = (one for one, _ in factor.data[1])
            case _:
                inner = (one for monomial, _ in factor.data for one, _ in monomial)
        return any(self._mentions(one, name) for one in inner)


class _Ring:
    """Polynomials of FLINT whose generators stand for the factors of some polynomials, or for roots of them."""

    def __init__(self, values: Iterable[Polynomial]) -> None:
        values = tuple(values)
        self._roots: dict[Factor, int] = {}
        for value in values:
            for monomial in value:
                for factor, exponent in monomial:
                    self._roots[factor] = lcm(self._roots.get(factor, 1), Fraction(exponent).denominator)
        self.factors = sorted(self._roots, key=lambda factor: factor.serial)
        self._context = flint.fmpq_mpoly_ctx.get([f"g{n}" for n in range(len(self.factors))], "lex")

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
                e = _exponent(Fraction(int(n), self._roots[factor]) + times.get(factor, 0) - over.get(factor, 0))
                if e:
                    pairs.append((factor, e))
            result[tuple(pairs)] = coefficient
        return result


def _moves(factor: Factor) -> bool:
    """Whether a factor depends on an index that is being summed over."""
    return any(place[0] == "fresh" for place in factor.places)


def _order(place: Place) -> tuple[Any, ...]:
    """An order of places: what depends on fewer fresh indices first; of these, given, label, free, bound, fresh."""
    fresh = sum(1 for inner in _inside(place) if inner[0] == "fresh")
    rank = ("given", "label", "largest", "free", "bound", "fresh").index(place[0])
    return (fresh, rank, place[1], str(place[2:]) if rank in (1, 2) else place[2])


def _place_key(place: Place, colours: Mapping[Place, int]) -> tuple[Any, ...]:
    if place in colours:
        return ("*", place[1], colours[place])
    match place[0]:
        case "label" | "largest":
            return (*place[:3], tuple(_place_key(inner, colours) for inner in place[3]))
        case "fresh":
            return ("fresh", place[1])
        case _:
            return place


def _primes(value: Fraction) -> Iterator[tuple[int, int]]:
    """The primes of a positive rational number and their exponents."""
    for prime, n in flint.fmpz(value.numerator).factor():
        yield int(prime), int(n)
    for prime, n in flint.fmpz(value.denominator).factor():
        yield int(prime), -int(n)
