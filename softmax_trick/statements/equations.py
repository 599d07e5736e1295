"""Linear equations for what is said to exist, at some points, that have no solution together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice, product
from typing import Any

from softmax_trick.language.expression import Variable, size_of
from softmax_trick.readings.pointwise import Point
from softmax_trick.statements.obligations import Obligation

MOST_POINTS = 200  # at which equations are written down


def unsolvable(
    equations: list[Obligation], unknown: list[Variable], others: set[Variable], sizes: Mapping[str, int]
) -> list[str]:
    """Points at which the equations for the unknown have no solution together, in words; empty if they have one."""
    from softmax_trick.readings.algebraic import affine_at, holds_at

    system = _System()
    used: list[str] = []
    for values in islice(_points(sorted(others, key=lambda one: one.name), sizes), MOST_POINTS):
        point = Point(sizes, values)
        for one in equations:
            if not all(holds_at(condition, point) for condition in one.conditions):
                continue
            left, right = one.says.sides
            for position in product(*(range(1, sizes[size_of(axis)] + 1) for axis in left.axes or right.axes)):
                row = affine_at(left, right, position, point, unknown)
                if row is None:
                    continue
                news = system.add(*row)
                if news == "contradiction":
                    return [*used, _words(values)]
                if news == "new":
                    used = list(dict.fromkeys([*used, _words(values)]))
    return []


class _System:
    """Linear equations over the rational numbers, in echelon form."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, dict[str, Any], Any]] = []

    def add(self, coefficients: dict[str, Any], constant: Any) -> str:
        """Add sum c x + constant = 0: "new", "known", or "contradiction" if there is no solution any more."""
        row = dict(coefficients)
        for pivot, known, value in self._rows:
            if factor := row.get(pivot, 0):
                row = {name: row.get(name, 0) - factor * known.get(name, 0) for name in row.keys() | known.keys()}
                constant = constant - factor * value
        row = {name: one for name, one in row.items() if one}
        if not row:
            return "contradiction" if constant else "known"
        pivot = min(row)
        scale = row[pivot]
        self._rows.append((pivot, {name: one / scale for name, one in row.items()}, constant / scale))
        return "new"


SIMPLE: dict[str, tuple[str, ...]] = {
    "real": ("zeros", "first", "ones"),
    "unit": ("first", "ones", "zeros", "last"),
    "nonnegative": ("first", "ones", "zeros"),
    "positive": ("ones", "rising"),
    "distribution": ("first", "last", "even"),
}


def _points(variables: list[Variable], sizes: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Simple values for some variables, all combinations."""
    if any(len(one.axes) > 1 or (one.kind == "label" and one.axes) for one in variables):
        return
    for chosen in product(*(list(_values(one, sizes)) for one in variables)):
        yield {one.name: value for one, value in zip(variables, chosen, strict=True)}


def _values(variable: Variable, sizes: Mapping[str, int]) -> Iterator[Any]:
    if variable.kind == "label":
        yield from range(1, sizes[size_of(variable.into)] + 1)
        return
    n = sizes[size_of(variable.axes[0])] if variable.axes else 1
    every = {
        "zeros": [Fraction(0)] * n,
        "ones": [Fraction(1)] * n,
        "first": [Fraction(int(k == 0)) for k in range(n)],
        "last": [Fraction(int(k == n - 1)) for k in range(n)],
        "rising": [Fraction(k + 1) for k in range(n)],
        "even": [Fraction(1, n)] * n,
    }
    for name in SIMPLE[variable.kind]:
        yield every[name] if variable.axes else every[name][0]


def _words(values: Mapping[str, Any]) -> str:
    def plain(value: Any) -> str:
        return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)

    return "one at " + ", ".join(f"{name} = {plain(value)}" for name, value in values.items())


def sizes_in_words(sizes: Mapping[str, int]) -> str:
    """K = 2, N = 3."""
    return ", ".join(f"{name} = {size}" for name, size in sorted(sizes.items()))
