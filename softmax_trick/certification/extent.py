"""The infimum and the supremum of a function of one variable: the least and greatest of its limits and critical values.

Where a critical point cannot be written down, as for x/(1 + e^(-x)), the end is a decimal beyond it that is proved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mpmath
import sympy as sp

from softmax_trick.certification import line
from softmax_trick.certification.function import Function, Profile
from softmax_trick.certification.reals import HYPERBOLIC
from softmax_trick.certification.unknown import Unknown

DIGITS = 5  # of an end that is a decimal


@dataclass(frozen=True)
class Extent:
    """What a function keeps between.

    Attributes:
        low, high: bounds; -oo and oo; or None where nothing is known.
        low_exact, high_exact: whether they are the infimum and the supremum.
    """

    low: sp.Expr | None
    high: sp.Expr | None
    low_exact: bool = True
    high_exact: bool = True

    def size(self) -> tuple[sp.Expr | None, bool]:
        """A bound of the absolute value, and whether it is the supremum of that."""
        if self.low is None or self.high is None:
            return None, False
        if self.low == -sp.oo or self.high == sp.oo:
            return sp.oo, True
        ends = [(-self.low, self.low_exact), (self.high, self.high_exact)]
        return ends[0] if line.sign_of(-self.low - self.high) > 0 else ends[1]


def extent(F: Function, profile: Profile, wide: bool = False) -> Extent:
    """The infimum and the supremum of a function on the line.

    Args:
        wide: those of the pieces between the points of the cut alone, as for a slope, which may not exist there.

    Raises:
        Unknown: they are not found.
    """
    key = profile.function, wide
    if key not in F.extents:
        F.extents[key] = _find_extent(F, profile, wide)
    found: Extent = F.extents[key]
    return found


def _find_extent(F: Function, profile: Profile, wide: bool) -> Extent:
    x, function = profile.variable, profile.function
    cut = line.resolved([function], x)
    values: list[sp.Expr] = []
    pieces: list[tuple[line.Cell, sp.Expr]] = []
    open_: list[tuple[line.Cell, sp.Expr]] = []  # pieces whose critical points cannot be written down
    for cell, (piece,) in cut:
        if cell.is_point and wide:
            continue
        if not isinstance(piece, sp.Expr):
            raise Unknown("it is not defined everywhere")
        if cell.is_point:
            values.append(piece.xreplace({x: cell.sample}))
            continue
        pieces.append((cell, piece))
        values += _ends(piece, x, cell)
        try:
            values += _critical_values(piece, x, cell)
        except Unknown:
            open_.append((cell, piece))
    low, high = _least(values, -1), _least(values, 1)
    if not open_:
        # Once more, by other means, where the end is a number with which that is quick.
        for end, side in ((low, -1), (high, 1)):
            if end.is_Rational and not _holds(F, profile, pieces, end, side):
                raise Unknown(f"{end} is not confirmed as a bound")
        return Extent(low, high)
    return _with_decimals(F, profile, open_, low, high)


def _ends(piece: sp.Expr, x: sp.Symbol, cell: line.Cell) -> list[sp.Expr]:
    """The limits at both ends of an interval."""
    if not piece.has(x):
        return [piece]
    found = []
    for end, infinity, side in ((cell.low, -sp.oo, 1), (cell.high, sp.oo, -1)):
        if end is None:
            found.append(line.limit(piece, x, infinity))
        else:
            found.append(line.limit_at(piece, x, end, side))
    return found


def _critical_values(piece: sp.Expr, x: sp.Symbol, cell: line.Cell) -> list[sp.Expr]:
    places = line.zeros(sp.together(piece.diff(x)), x) or ()
    inside = (place for place in places if line.is_inside(place, cell))
    return [_simple(piece.xreplace({x: place}).rewrite(HYPERBOLIC, sp.exp)) for place in inside]


def _simple(number: sp.Expr) -> sp.Expr:
    """A constant in few symbols."""
    return sp.radsimp(sp.sqrtdenest(sp.simplify(number)))


def _least(values: list[sp.Expr], side: int) -> sp.Expr:
    """The greatest (side 1) or least (side -1) of some constants, of which some may be infinite."""
    best = values[0]
    for value in values[1:]:
        if value == best or best == side * sp.oo or value == -side * sp.oo:
            continue
        if value == side * sp.oo or best == -side * sp.oo or side * line.sign_of(value - best) > 0:
            best = value
    return best


def _with_decimals(
    F: Function, profile: Profile, pieces: list[tuple[line.Cell, sp.Expr]], low: sp.Expr, high: sp.Expr
) -> Extent:
    """Decimals just beyond what is seen between the ends of the pieces, as far as they are proved."""
    seen = [value for cell, piece in pieces for value in _samples(piece, profile.variable, cell)]
    ends: list[tuple[sp.Expr | None, bool]] = []
    for end, side in ((low, -1), (high, 1)):
        if end == side * sp.oo:
            ends.append((end, True))
            continue
        most = max((side * value for value in seen), default=side * sp.Float(end.evalf(30), 30))
        if side * end >= most and _holds(F, profile, pieces, end, side):
            ends.append((end, True))
            continue
        beyond = side * (sp.floor(max(most, side * end.evalf(30)) * 10**DIGITS) + 1) / sp.Integer(10**DIGITS)
        ends.append((beyond, False) if _holds(F, profile, pieces, beyond, side) else (None, False))
    return Extent(ends[0][0], ends[1][0], ends[0][1], ends[1][1])


def _holds(F: Function, profile: Profile, pieces: list[tuple[line.Cell, sp.Expr]], end: sp.Expr, side: int) -> bool:
    """Whether no piece goes beyond an end."""
    x = profile.variable
    for cell, piece in pieces:
        inside = [sp.Gt(x, cell.low)] if cell.low is not None else []
        inside += [sp.Lt(x, cell.high)] if cell.high is not None else []
        beyond = sp.Gt(piece, end) if side > 0 else sp.Lt(piece, end)
        if not F.never(*inside, beyond).holds:
            return False
    return True


def _samples(piece: sp.Expr, x: sp.Symbol, cell: line.Cell) -> list[sp.Float]:
    """Values between the ends, the greatest and the least found by halving steps: a guess of what is then proved."""
    code = sp.lambdify(x, piece, "mpmath")

    def value(place: float) -> float:
        try:
            return float(code(mpmath.mpf(place)))
        except (ArithmeticError, ValueError, TypeError):  # not a number there, or not a real one
            return math.nan

    low = -40.0 if cell.low is None else float(cell.low)
    high = 40.0 if cell.high is None else float(cell.high)
    places = [low + (high - low) * n / 400 for n in range(1, 400)]
    found = []
    with mpmath.workdps(40):
        for side in (1, -1):
            height = {place: side * value(place) for place in places}
            best = max((place for place in places if not math.isnan(height[place])), key=height.__getitem__)
            most, step = height[best], (high - low) / 400
            while step > 1e-12 * max(1.0, abs(best)):
                near = [(side * value(place), place) for place in (best - step, best + step) if low < place < high]
                better = max(near, default=(most, best))
                if better[0] > most:
                    most, best = better
                else:
                    step /= 2
            found.append(sp.Float(side * most, 20))
    return found
