"""Values in terms of the names that a user gave: y for exp(x)/(C + sum(exp(x))), u for (x - mean(x))/s.

A name whose meaning is one product is put in wherever the product divides: E_k T^-1 becomes y_k, also inside sums,
where the T^-1 may stand in front. A name whose meaning is linear in an entry that occurs in it once, u = (x - m)/s, is
solved for that entry, and x_k = s u_k + m put in everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product

import flint

from softmax_trick.derivation.opaque import Opaque
from softmax_trick.language.expression import Definition, size_of
from softmax_trick.readings.canonical import Exponent, Factor, Monomial, Place, Polynomial
from softmax_trick.readings.canonical.terms import place_order

MOST_TIMES = 12  # a name is put in, into one product
Places = tuple[Place, ...]


def by_names(algebra: Opaque, value: Polynomial, definitions: tuple[Definition, ...]) -> Polynomial:
    """A value with what definitions mean written by their names, where that can be done."""
    for definition in reversed(definitions):
        variable = algebra.part(definition)
        if variable is None or algebra.parts[variable.name] is not definition:
            continue  # a constant, or another name for a part, which stands there already
        at = tuple(("free", size_of(axis), f"_name{n}") for n, axis in enumerate(definition.axes))
        meaning = algebra.tidied(algebra.reading.entry(definition.meaning, at))
        name = algebra.variable(variable, at)
        if not meaning or not {place for one in meaning for factor, _ in one for place in factor.places} >= set(at):
            continue  # it means nothing, or the same along one of its axes
        solution = _solved(algebra, meaning, name, at) if len(meaning) > 1 else _sum_solved(algebra, meaning, name, at)
        if len(meaning) == 1 and solution is None:
            value = _Product(algebra, meaning, name, at).put_into(value)
            continue
        if solution is not None:
            factor, by = solution
            algebra.note_totals(variable, at, meaning)
            value = _replaced(algebra, value, _entries(algebra, factor, by, at))
            if factor.kind == "sum":
                value = _Contained(algebra, factor, by, at).put_into(value)
    return algebra.tidied(value)


class _Product:
    """A name for one product."""

    def __init__(self, algebra: Opaque, meaning: Polynomial, name: Polynomial, at: Places) -> None:
        self.algebra, self._name, self._at = algebra, name, at
        ((monomial, self._number),) = meaning.items()
        self._open = tuple(pair for pair in monomial if not pair[0].places.isdisjoint(at))
        self._closed = {factor: e for factor, e in monomial if factor.places.isdisjoint(at)}

    def put_into(self, value: Polynomial) -> Polynomial:
        """The value with the product replaced wherever it divides."""
        algebra = self.algebra
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            term = self._once(monomial)
            for _ in range(MOST_TIMES):
                if term is None or len(term) != 1:
                    break
                ((again, more),) = term.items()
                further = self._once(again)
                if further is None:
                    break
                term = algebra.scaled(further, more)
            total = algebra.add(total, algebra.scaled({monomial: flint.fmpq(1)} if term is None else term, coefficient))
        return total

    def _once(self, monomial: Monomial) -> Polynomial | None:
        """The product put in once; None if it does not divide."""
        algebra = self.algebra
        outside = dict(monomial)
        if not all(_divides(outside.get(factor, 0), e) for factor, e in self._closed.items()):
            return None
        rest = {factor: e - self._closed.get(factor, 0) for factor, e in outside.items()}
        if not self._open:
            return algebra.scaled(self._times(rest, self._name), 1 / self._number)
        for places in self._places(monomial):
            left = self._without(rest, places)
            if left is not None:
                return algebra.scaled(self._times(left, self._named(places)), 1 / self._number)
        for factor, exponent in monomial:
            if factor.kind == "sum" and exponent == 1 and factor not in self._closed:
                fresh, body = algebra.opened(factor)
                ((inside, coefficient),) = body.items()
                for places in self._places(inside):
                    left = self._without(dict(inside), places)
                    if left is not None:
                        inner = self._times(left, self._named(places))
                        closed = algebra.closed(algebra.scaled(inner, coefficient / self._number), set(fresh))
                        return self._times({one: e for one, e in rest.items() if one is not factor}, closed)
        return None

    def _times(self, exponents: dict[Factor, Exponent], value: Polynomial) -> Polynomial:
        product = self.algebra.normal(exponents)
        return self.algebra.multiply({product: flint.fmpq(1)} if isinstance(product, tuple) else product, value)

    def _named(self, places: Places) -> Polynomial:
        return self.algebra.moved(self._name, dict(zip(self._at, places, strict=True)))

    def _places(self, monomial: Monomial) -> Iterator[Places]:
        """The places at which the product may stand."""
        by_size: dict[str, list[Place]] = {place[1]: [] for place in self._at}
        for place in sorted({one for factor, _ in monomial for one in factor.places}, key=place_order):
            if place[1] in by_size:
                by_size[place[1]].append(place)
        yield from product(*(by_size[place[1]] for place in self._at))

    def _without(self, exponents: dict[Factor, Exponent], places: Places) -> dict[Factor, Exponent] | None:
        """A product without the open part at places; None if it does not divide."""
        moved = self.algebra.moved_monomial(self._open, dict(zip(self._at, places, strict=True)))
        if len(moved) != 1:
            return None
        left = dict(exponents)
        for factor, e in next(iter(moved)):
            if not _divides(left.get(factor, 0), e):
                return None
            left[factor] -= e
        return left


class _Contained:
    """A name for a sum, A[n, m] = sum_e G[n, e] V[m, e], put into longer sums that contain it."""

    def __init__(self, algebra: Opaque, pattern: Factor, by: Polynomial, at: Places) -> None:
        self._algebra, self._by, self._at = algebra, by, at
        self._bounds, body = pattern.data
        self._body = [factor for factor, e in body for _ in range(e if isinstance(e, int) else 0)]
        self._plain = all(factor.kind == "entry" and isinstance(e, int) and e > 0 for factor, e in body)

    def put_into(self, value: Polynomial) -> Polynomial:
        """The value with the name in its sums."""
        if not self._plain:
            return value
        algebra = self._algebra
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            term: Polynomial = {tuple(pair for pair in monomial if pair[0].kind != "sum"): coefficient}
            for factor, exponent in monomial:
                if factor.kind == "sum":
                    term = algebra.multiply(term, algebra.raised(self._changed(factor), Fraction(exponent)))
            total = algebra.add(total, term)
        return total

    def _changed(self, factor: Factor) -> Polynomial:
        algebra = self._algebra
        for _ in range(MOST_TIMES):
            fresh, body = algebra.opened(factor)
            ((monomial, coefficient),) = body.items()
            found = next(self._matches(self._body, dict(monomial), {}, set(fresh)), None)
            if found is None:
                break
            rest, places = found
            name = algebra.moved(self._by, {place: places[place] for place in self._at})
            gone = {places[bound] for bound in self._bounds}
            inner = algebra.multiply({tuple(sorted(rest.items(), key=lambda one: one[0].serial)): coefficient}, name)
            changed = algebra.closed(inner, set(fresh) - gone)
            match list(changed.items()):
                case [(((only, 1),), one)] if only.kind == "sum" and one == 1:
                    factor = only
                case _:
                    return changed
        return algebra.single(factor)

    def _matches(
        self, body: list[Factor], left: dict[Factor, Exponent], places: dict[Place, Place], fresh: set[Place]
    ) -> Iterator[tuple[dict[Factor, Exponent], dict[Place, Place]]]:
        """What is left of a product without the body, and where the places of the body are in it."""
        if not body:
            gone = [places[bound] for bound in self._bounds]
            alone = not any(place in factor.places for factor in left for place in gone)
            if alone and len(set(gone)) == len(gone) and fresh.issuperset(gone) and all(p in places for p in self._at):
                yield left, places
            return
        first, *rest = body
        for factor, exponent in left.items():
            if factor.kind != "entry" or factor.data[0] != first.data[0] or not _divides(exponent, 1):
                continue
            found = dict(places)
            pairs = list(zip(first.data[1], factor.data[1], strict=True))
            if all(found.setdefault(mine, other) == other for mine, other in pairs):
                fewer = {one: e - (one is factor) for one, e in left.items() if one is not factor or e > 1}
                yield from self._matches(rest, fewer, found, fresh)


def _divides(exponent: Exponent, by: Exponent) -> bool:
    return bool(exponent >= by > 0 or exponent <= by < 0)


def _solved(algebra: Opaque, meaning: Polynomial, name: Polynomial, at: Places) -> tuple[Factor, Polynomial] | None:
    """An entry at the places of a name, and what it is by the name: from name = entry * a + b."""
    entries = {g for m in meaning for g, _ in m if g.kind == "entry" and g.data[1] == at and not algebra.is_part(g)}
    for factor in sorted(entries, key=lambda one: one.serial):
        having = [(m, c) for m, c in meaning.items() if any(g is factor for g, _ in m)]
        if len(having) != 1 or dict(having[0][0])[factor] != 1:
            continue
        monomial, coefficient = having[0]
        slope = {tuple(pair for pair in monomial if pair[0] is not factor): coefficient}
        rest = {m: -c for m, c in meaning.items() if m != monomial}
        return factor, algebra.tidied(algebra.multiply(algebra.add(name, rest), algebra.raised(slope, Fraction(-1))))
    return None


def _sum_solved(algebra: Opaque, meaning: Polynomial, name: Polynomial, at: Places) -> tuple[Factor, Polynomial] | None:
    """A sum, and what it is by a name for a multiple of it: sum_k x_k = K m, for m = mean(x)."""
    ((monomial, coefficient),) = meaning.items()
    match [pair for pair in monomial if pair[0].kind != "size"]:
        case [(factor, 1)] if factor.kind == "sum":
            rest = {tuple(pair for pair in monomial if pair[0] is not factor): coefficient}
            return factor, algebra.multiply(name, algebra.raised(rest, Fraction(-1)))
    return None


def _entries(algebra: Opaque, pattern: Factor, by: Polynomial, at: Places) -> Callable[[Factor], Polynomial | None]:
    """What an entry of a variable is to be replaced by."""

    def change(factor: Factor) -> Polynomial | None:
        if factor.kind == pattern.kind == "entry" and factor.data[0] == pattern.data[0]:
            return algebra.moved(by, dict(zip(at, factor.data[1], strict=True)))
        if factor.kind == pattern.kind == "sum":
            for places in product(*([p for p in factor.places if p[1] == place[1]] for place in at)):
                mapping = dict(zip(at, places, strict=True))
                if algebra.moved_factor(pattern, mapping) == algebra.single(factor):
                    return algebra.moved(by, mapping)
        return None

    return change


def _replaced(algebra: Opaque, value: Polynomial, change: Callable[[Factor], Polynomial | None]) -> Polynomial:
    """A value with factors replaced, also inside its sums."""
    total: Polynomial = {}
    for monomial, coefficient in value.items():
        term: Polynomial = {(): coefficient}
        for factor, exponent in monomial:
            changed = change(factor)
            if changed is None and factor.kind == "sum":
                fresh, body = algebra.opened(factor)
                if {g.kind for m in body for g, _ in m} != {"entry"} or len(next(iter(body))) > 1:  # sum_k x_k stays
                    changed = algebra.closed(algebra.tidied(_replaced(algebra, body, change)), set(fresh))
            if changed is None and factor.kind == "inverse":
                changed = _replaced(algebra, dict(factor.data), change)
            if changed is None:
                changed = algebra.single(factor)
            term = algebra.multiply(term, algebra.raised(changed, Fraction(exponent)))
        total = algebra.add(total, term)
    return total
