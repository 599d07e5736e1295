"""Sums over indices, and places put for others: nothing is captured, as a sum is opened by fresh indices first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import flint

from softmax_trick.language.expression import Index, LanguageError, Numbered, Variable, size_of
from softmax_trick.readings.canonical.powers import Powers
from softmax_trick.readings.canonical.terms import (
    ONE,
    Exponent,
    Factor,
    Monomial,
    Place,
    Polynomial,
    ordered,
    place_order,
    places_in,
)


class Sums(Powers):
    """Sums of polynomials over indices, and entries at places."""

    def size(self, name: str) -> Polynomial:
        if name in self.sizes:
            return self.number(Fraction(self.sizes[name]))
        return self.single(self._factor("size", name))

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
        return self.single(self._factor("entry", (variable.name, positions)))

    def delta(self, left: Place, right: Place) -> Polynomial:
        if left == right:
            return ONE
        if left[0] == right[0] == "given":
            return {}
        left, right = sorted((left, right), key=place_order)
        size = self.sizes.get(left[1])
        if left[0] == "given" and size is not None and left[2] == size:  # the last one is what the others are not
            others = [self.delta(("given", left[1], m), right) for m in range(1, size)]
            return self.add(ONE, self.scaled(self._sum_of(others), flint.fmpq(-1)))
        return self.single(self._factor("delta", (left, right)))

    def _asks_for(self, size: str, least: int) -> None:
        if size in self.sizes:
            if self.sizes[size] < least:
                raise LanguageError(f"there is no entry {least}: {size} = {self.sizes[size]}")
        elif least > 1:
            self.size_conditions[size, least] = None

    # --- places put for others ----------------------------------------------------------------------------------------

    def moved(self, value: Polynomial, places: Mapping[Place, Place]) -> Polynomial:
        """The value with places replaced by others, all at once, in canonical form again."""
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            total = self.add(total, self.scaled(self.moved_monomial(monomial, places), coefficient))
        return total

    def moved_monomial(self, monomial: Monomial, mapping: Mapping[Place, Place]) -> Polynomial:
        kept: dict[Factor, Exponent] = {}
        moved: list[tuple[Polynomial, Exponent]] = []
        for factor, exponent in monomial:
            if factor.places.isdisjoint(mapping):
                kept[factor] = exponent
            else:
                moved.append((self.moved_factor(factor, mapping), exponent))
        if not moved:
            return {monomial: flint.fmpq(1)}
        result: Polynomial = {ordered(kept.items()): flint.fmpq(1)}
        for value, exponent in moved:
            result = self.multiply(result, self.raised(value, Fraction(exponent)))
        return result

    def moved_factor(self, factor: Factor, mapping: Mapping[Place, Place]) -> Polynomial:
        relevant = {place: target for place, target in mapping.items() if place in factor.places and place != target}
        if not relevant:
            return self.single(factor)
        known = (factor, tuple(sorted(relevant.items(), key=lambda pair: place_order(pair[0]))))
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
                return self.exp(self.moved({factor.data: flint.fmpq(1)}, mapping))
            case "log":
                return self.log(self.moved(dict(factor.data), mapping))
            case "step":
                return self.step(self.moved(dict(factor.data), mapping))
            case "normal":
                return self.normal_cdf(self.moved(dict(factor.data), mapping))
            case "inverse" | "root":
                return self.moved(dict(factor.data), mapping)
            case "sum":
                fresh, body = self.opened(factor)
                return self.closed(self.tidied(self.moved(body, mapping)), set(fresh))
        raise TypeError(f"no places in a {factor.kind}")

    # --- sums ---------------------------------------------------------------------------------------------------------

    def sum(self, axis: str, term: Callable[[Place], Polynomial]) -> Polynomial:
        size = size_of(axis)
        if size in self.sizes:
            return self._sum_of(term(("given", size, n)) for n in range(1, self.sizes[size] + 1))
        k = self.new(size)
        return self.closed(self.tidied(term(k)), {k})

    def largest(self, axis: str, term: Callable[[Place], Polynomial]) -> Polynomial:
        # The largest entry is the entry at the place where it is attained.
        size = size_of(axis)
        k = self.new(size)
        body = self.tidied(term(k))
        # What does not depend on k does not decide where that is, nor does a positive factor.
        inner = {monomial: c for monomial, c in body.items() if any(k in factor.places for factor, _ in monomial)}
        if not inner:
            return body
        common = set(next(iter(inner))).intersection(*inner)
        common = {(f, e) for f, e in common if k not in f.places and self._sign_of(f) == "+"}
        inner = {tuple(pair for pair in monomial if pair not in common): c for monomial, c in inner.items()}
        outside = tuple(
            sorted({place for place in self.places_of(inner) if k not in places_in(place)}, key=place_order)
        )
        # The key says what is largest in terms of the numbers of the places outside, so that it moves with them.
        key = self._polynomial_key(inner, {k: 0, **{place: n for n, place in enumerate(outside, 1)}})
        return self.moved(body, {k: ("largest", size, key, outside)})

    def new(self, size: str) -> Place:
        self._fresh += 1
        return ("fresh", size, self._fresh)

    def opened(self, factor: Factor) -> tuple[list[Place], Polynomial]:
        """The summand of a sum at fresh indices, and those."""
        bounds, body = factor.data
        mapping = {bound: self.new(bound[1]) for bound in bounds}
        return list(mapping.values()), {self._renamed_monomial(body, mapping): flint.fmpq(1)}

    def closed(self, value: Polynomial, bounds: set[Place]) -> Polynomial:
        """The sum of a polynomial over fresh indices."""
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            total = self.add(total, self.scaled(self._closed_monomial(monomial, bounds), coefficient))
        return total

    def _closed_monomial(self, monomial: Monomial, bounds: set[Place]) -> Polynomial:
        if not bounds:
            return {monomial: flint.fmpq(1)}
        # Deltas: sum_k delta(k, i) f(k) = f(i).
        for factor, _ in monomial:
            if factor.kind == "delta":
                for k, other in (factor.data, factor.data[::-1]):
                    if k in bounds and k not in places_in(other):
                        if other[0] == "given":
                            self._asks_for(other[1], other[2])
                        rest = tuple(pair for pair in monomial if pair[0] is not factor)
                        return self.closed(self.moved_monomial(rest, {k: other}), bounds - {k})
        # What does not depend on the indices stands outside.
        outside = tuple(pair for pair in monomial if pair[0].places.isdisjoint(bounds))
        inside = tuple(pair for pair in monomial if not pair[0].places.isdisjoint(bounds))
        if outside:
            return self.multiply({outside: flint.fmpq(1)}, self._closed_monomial(inside, bounds))
        idle = {k for k in bounds if not any(k in factor.places for factor, _ in inside)}
        if idle:
            sizes = ONE
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
                    fresh, body = self.opened(factor)
                    more |= set(fresh)
                    product = self.multiply(product, body)
                return self.closed(product, more)
        parts = self._components(inside, bounds)
        if len(parts) > 1:
            result = ONE
            for part, indices in parts:
                result = self.multiply(result, self._closed_monomial(part, indices))
            return result
        drawn = self._drawn_out(inside, bounds, kept)
        if drawn is not None:
            return drawn
        return self.single(self._named(inside, bounds))

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
        return [(ordered(pairs), indices) for pairs, indices in groups]

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
                if self._closed_monomial(part, indices) == self.single(factor):
                    left = tuple(pair for pair in monomial if pair not in part)
                    value = self.multiply({left: flint.fmpq(1)}, self.single(factor))
                    return self.closed(self.tidied(value), bounds - indices)
        return None

    def _sums_to_one(self, factor: Factor, k: Place) -> bool:
        if factor.kind != "entry":
            return False
        name, places = factor.data
        variable = self._variables[name]
        if variable.kind != "distribution":
            return False
        along = [n for n, axis in enumerate(variable.axes) if axis == variable.along]
        return (
            len(along) == 1 and places[along[0]] == k and [k in places_in(place) for place in places].count(True) == 1
        )
