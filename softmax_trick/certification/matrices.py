"""Jacobians of a simple form: a constant matrix times one function, and the spectral norms of constant matrices."""

from __future__ import annotations

import itertools

import sympy as sp

from softmax_trick.certification import line
from softmax_trick.certification.function import Function
from softmax_trick.certification.unknown import Unknown

LARGEST = 8  # classes


def common_factor(F: Function) -> tuple[sp.Expr, sp.Matrix] | None:
    """h and M with J = h(x) M for a rational matrix M, if J is of that form."""
    if F.k > LARGEST:
        return None
    places = list(itertools.product(F.classes, repeat=2))
    entries = {place: F.derivative(*place) for place in places}
    used = [place for place, entry in entries.items() if entry != 0]
    if not used:
        return sp.S.One, sp.zeros(F.k, F.k)
    for point in itertools.islice(F.points(), 4, 16):
        try:
            values = {place: line.value_at(entries[place], point) for place in used}
            if line.sign_of(values[used[0]]) == 0:
                continue
            guessed = {place: line.simple_ratio(value, values[used[0]]) for place, value in values.items()}
        except (Unknown, line.NowhereDefined):
            continue
        ratios = {place: ratio for place, ratio in guessed.items() if ratio is not None}
        if len(ratios) < len(used):
            return None
        scalar = entries[used[0]]
        if all(F.zero(entries[place] - ratios[place] * scalar, wide=True).holds for place in used):
            return scalar, sp.Matrix(F.k, F.k, [ratios.get(place, sp.S.Zero) for place in places])
        return None
    return None


def spectral_norm(matrix: sp.Matrix) -> sp.Expr | None:
    """The largest singular value of a matrix of constants, exactly; None where it has no simple form."""
    if matrix.is_diagonal():
        return sp.Max(*(sp.Abs(entry) for entry in matrix.diagonal()))
    squares = sp.factor_list(matrix.T.multiply(matrix).charpoly(sp.Symbol("z")).as_expr())[1]
    roots: list[sp.Expr] = []
    for factor, _ in squares:
        poly = sp.Poly(factor, sp.Symbol("z"))
        if poly.degree() > 2:
            return None
        roots += poly.real_roots()
    try:
        largest = roots[0]
        for root in roots[1:]:
            if line.sign_of(root - largest) > 0:
                largest = root
    except Unknown:
        return None
    return sp.sqrtdenest(sp.sqrt(largest))
