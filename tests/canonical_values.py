"""What a canonical form is at a point: the values of its atoms, straight from what each atom is said to be.

For the tests only: it lets the reduction be tried against the formula itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

from softmax_trick.readings.canonical import Canonical, Factor, Monomial, Place, Polynomial
from softmax_trick.readings.canonical.terms import places_in
from softmax_trick.readings.pointwise import Point, Undefined

ONE, ZERO = Fraction(1), Fraction(0)


class Recording(Canonical):
    """The canonical form, with what each largest entry is the largest of."""

    def __init__(self, sizes: Mapping[str, int] | None = None, facts: Any = ()) -> None:
        super().__init__(sizes, facts)
        self.maxima: dict[Any, tuple[Place, Polynomial, tuple[Place, ...]]] = {}

    def largest(self, axis: str, term: Callable[[Place], Polynomial]) -> Polynomial:
        seen: list[tuple[Place, Polynomial]] = []

        def recorded(k: Place) -> Polynomial:
            seen.append((k, term(k)))
            return seen[-1][1]

        result = super().largest(axis, recorded)
        k, body = seen[0]
        for place in self.places_of(result):
            for inner in places_in(place):
                if inner[0] == "largest" and inner[2] not in self.maxima:
                    self.maxima[inner[2]] = (k, body, inner[3])
        return result


class Values:
    """The values of canonical forms.

    Args:
        field: the field of scalars.
        point: sizes, values and the values of free indices.
        algebra: what made the forms.
    """

    def __init__(self, field: Any, point: Point, algebra: Recording) -> None:
        self._field, self._point, self._algebra = field, point, algebra

    def polynomial(self, value: Any, at: Mapping[Place, int] | None = None) -> Any:
        """The value of a polynomial where bound places have values.

        Factors that are 0 or 1 here come first: what they make zero, or what then cancels, need not have a value.
        """
        field, at, rest = self._field, at or {}, dict[Monomial, Fraction]()
        for monomial, coefficient in value.items() if isinstance(value, dict) else value:
            left: list[tuple[Factor, Any]] = []
            for factor, exponent in monomial:
                if factor.kind not in ("delta", "step"):
                    left.append((factor, exponent))
                elif field.constant(self._factor(factor, ONE, at)) == 0:
                    break
            else:
                c = Fraction(int(coefficient.p), int(coefficient.q))
                rest[tuple(left)] = rest.get(tuple(left), ZERO) + c
        total = field.number(ZERO)
        for remaining, c in rest.items():
            if c:
                total = field.add(total, field.multiply(field.number(c), self._monomial(remaining, at)))
        return total

    def _monomial(self, monomial: Monomial, at: Mapping[Place, int]) -> Any:
        field, result = self._field, self._field.number(ONE)
        for factor, exponent in sorted(monomial, key=lambda pair: pair[0].kind not in ("delta", "step")):
            value = self._factor(factor, Fraction(exponent), at)
            result = field.multiply(result, value)
            if factor.kind in ("delta", "step") and field.constant(value) == 0:
                return field.number(ZERO)
        return result

    def _factor(self, factor: Factor, exponent: Fraction, at: Mapping[Place, int]) -> Any:
        field, data = self._field, factor.data
        match factor.kind:
            case "entry":
                name, places = data
                entry = self._point.values[name]
                for place in places:
                    entry = entry[self._place(place, at) - 1]
                base = field.given(entry)
            case "delta":
                left, right = (self._place(place, at) for place in data)
                base = field.number(ONE if left == right else ZERO)
            case "size":
                base = field.number(Fraction(self._point.size(data)))
            case "prime":
                base = field.number(Fraction(data))
            case "step" if not data:  # where pieces meet: a defined value does not depend on what it is there
                base = field.number(Fraction(1))
            case "step":
                base = field.step(self.polynomial(data, at))
            case "exp":
                return field.exp(field.multiply(field.number(exponent), self._monomial(data, at)))
            case "log":
                base = self._log(self.polynomial(data, at))
            case "inverse" | "root":
                base = self.polynomial(data, at)
            case "sum":
                bounds, body = data
                base = field.number(ZERO)
                for chosen in product(*(range(1, self._point.size(bound[1]) + 1) for bound in bounds)):
                    inner = {**at, **dict(zip(bounds, chosen, strict=True))}
                    base = field.add(base, self._monomial(body, inner))
            case _:
                raise TypeError(factor.kind)
        return field.power(base, field.number(exponent))

    def _log(self, value: Any) -> Any:
        """log|u|: of the one of u and -u that is positive."""
        field = self._field
        opposite = field.multiply(field.number(Fraction(-1)), value)
        if isinstance(value, tuple):  # residues: level by level
            pairs = zip(field.log(value), field.log(opposite), strict=True)
            return tuple(a if a is not None else b for a, b in pairs)
        try:
            return field.log(value)
        except Undefined:
            return field.log(opposite)

    def _place(self, place: Place, at: Mapping[Place, int]) -> int:
        if place in at:
            return at[place]
        match place[0]:
            case "given":
                if place[2] > self._point.size(place[1]):
                    raise Undefined("no such entry")
                return place[2]
            case "free":
                return self._point.indices[place[2]]
            case "label":
                label = self._point.values[place[2]]
                for inner in place[3]:
                    label = label[self._place(inner, at) - 1]
                return label
            case "largest":
                k, body, outside = self._algebra.maxima[place[2]]
                there = {one: self._place(target, at) for one, target in zip(outside, place[3], strict=True)}
                sizes = range(1, self._point.size(place[1]) + 1)
                return 1 + self._field.place_of_largest([self.polynomial(body, {**there, k: n}) for n in sizes])
        raise TypeError(f"a place {place} without a value")
