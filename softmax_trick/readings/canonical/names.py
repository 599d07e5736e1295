"""The names of bound indices, found by refinement of colours and then by trial, and changes of names."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from softmax_trick.readings.canonical.terms import Factor, Monomial, Place, Terms, ordered, place_order

MOST_TRIALS = 200  # ways of naming bound indices that no colour tells apart


class Names(Terms):
    """Sums over indices that are named canonically."""

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
            first = sorted(tied[0], key=place_order)
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
            inner = (self._levels(one) for monomial in factor.monomials for one, _ in monomial)
            self._level[factor] = max(inner, default=0)
        return self._level[factor]

    # --- under other names --------------------------------------------------------------------------------------------

    def _moved(self, place: Place, mapping: Mapping[Place, Place]) -> Place:
        if place in mapping:
            return mapping[place]
        if place[0] in ("label", "largest"):
            return (*place[:3], tuple(self._moved(inner, mapping) for inner in place[3]))
        return place

    def _renamed_monomial(self, monomial: Monomial, names: Mapping[Place, Place]) -> Monomial:
        """The monomial with indices under other names, no two of them under one: nothing needs to be reduced again."""
        return ordered((self._renamed(factor, names), exponent) for factor, exponent in monomial)

    def _renamed(self, factor: Factor, names: Mapping[Place, Place]) -> Factor:
        if factor.places.isdisjoint(names):
            return factor
        match factor.kind:
            case "entry":
                name, places = factor.data
                data: Any = (name, tuple(self._moved(place, names) for place in places))
            case "delta":
                data = tuple(sorted((self._moved(place, names) for place in factor.data), key=place_order))
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
