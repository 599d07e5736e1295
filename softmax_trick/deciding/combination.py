"""Sums of numbers that are known to be positive, at least 0, or 0, which are 0: found exactly, over the rationals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import flint

Column = dict[Any, flint.fmpq]  # a polynomial: the coefficients of its monomials
MOST_PIVOTS = 400


def vanishing_sum(columns: Sequence[Column], signs: Sequence[str]) -> dict[int, flint.fmpq] | None:
    """Factors with which some columns sum to zero, one of a positive column among them; None if there are none.

    Args:
        columns: the columns.
        signs: of each, ">", ">=" or "=="; the factors of the first two are at least 0.
    """
    takes_part: dict[int, flint.fmpq] = {}  # the row that says that something positive does
    rows: dict[Any, dict[int, flint.fmpq]] = {}
    for n in _taking_part(columns, signs):
        for row, value in columns[n].items():
            rows.setdefault(row, {})[2 * n] = value
        if signs[n] == ">":
            takes_part[2 * n] = flint.fmpq(1)
    for row in rows.values():  # what may be taken away, is a column of its own
        row.update({n + 1: -value for n, value in row.items() if signs[n // 2] == "=="})
    found = _feasible([takes_part, *rows.values()])
    if found is None:
        return None
    factors: dict[int, flint.fmpq] = {}
    for n, value in found.items():
        factors[n // 2] = factors.get(n // 2, flint.fmpq(0)) + (value if n % 2 == 0 else -value)
    return {n: value for n, value in factors.items() if value != 0}


def _taking_part(columns: Sequence[Column], signs: Sequence[str]) -> list[int]:
    """The columns without those that have a monomial which nothing can take away."""
    left = list(range(len(columns)))
    while True:
        ways: Counter[tuple[Any, bool]] = Counter()
        for n in left:
            for row, value in columns[n].items():
                ways[row, value > 0] += 1
                if signs[n] == "==":
                    ways[row, value < 0] += 1
        kept = [n for n in left if _is_matched(columns[n], signs[n] == "==", ways)]
        if kept == left:
            return left
        left = kept


def _is_matched(column: Column, may_be_negative: bool, ways: Counter[tuple[Any, bool]]) -> bool:
    """Whether every monomial of a column is one that others can take away, with one sign of its factor."""
    by_sign = (
        all(ways[row, (value > 0) is not positive] > may_be_negative for row, value in column.items())
        for positive in ((True, False) if may_be_negative else (True,))
    )
    return any(by_sign)


def _feasible(rows: list[dict[int, flint.fmpq]]) -> dict[int, flint.fmpq] | None:
    """x >= 0 with row x = 0 for every row but the first, and first x = 1: the simplex method, by Bland's rule."""
    right = [flint.fmpq(int(n == 0)) for n in range(len(rows))]
    basis: list[int] = [-1 - n for n in range(len(rows))]  # of each row, what it gives the value of; at first nothing
    for _ in range(MOST_PIVOTS):
        open_rows = [n for n, column in enumerate(basis) if column < 0]
        if not any(right[n] != 0 for n in open_rows):
            return {column: right[n] for n, column in enumerate(basis) if column >= 0 and right[n] != 0}
        gains: dict[int, flint.fmpq] = {}
        for n in open_rows:
            for column, value in rows[n].items():
                gains[column] = gains.get(column, flint.fmpq(0)) + value
        entering = min((column for column, gain in gains.items() if gain > 0), default=None)
        if entering is None:
            return None
        ratios = [(right[n] / row[entering], basis[n], n) for n, row in enumerate(rows) if row.get(entering, 0) > 0]
        _, _, place = min(ratios)
        _pivot(rows, right, place, entering)
        basis[place] = entering
    return None


def _pivot(rows: list[dict[int, flint.fmpq]], right: list[flint.fmpq], place: int, column: int) -> None:
    """Solve a row for a column, and put it into the others."""
    scale = rows[place][column]
    rows[place] = {n: value / scale for n, value in rows[place].items()}
    right[place] /= scale
    for n, row in enumerate(rows):
        factor = row.get(column)
        if n == place or factor is None:
            continue
        for other, value in rows[place].items():
            new = row.get(other, flint.fmpq(0)) - factor * value
            if new == 0:
                row.pop(other, None)
            else:
                row[other] = new
        right[n] -= factor * right[place]
