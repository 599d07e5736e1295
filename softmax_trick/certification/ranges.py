"""Order, bounds and Lipschitz constants of F.

For a SoftMax type with positive weights they follow from its form; for functions that act on each score alone from
their one-variable calculus; else from the signs of a few expressions.
"""

from __future__ import annotations

import itertools

import sympy as sp

from softmax_trick.certificate import Property
from softmax_trick.certification.smoothness import continuous, continuous_everywhere
from softmax_trick.certification.softmax_type import SoftmaxType
from softmax_trick.certification.subject import Answer, Subject, as_text, at, pieces_of, property_of
from softmax_trick.numeric import NotEnclosable, enclose

HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)
LEVELS = tuple(map(sp.Integer, (0, 1, -1, 2, -2)))  # bounds that are tried, the tightest that holds is taken


def positive(subject: Subject, form: SoftmaxType | None) -> Property:
    """Whether every component is positive everywhere."""
    if form and form.is_positive and len(form.support) == subject.k:
        return property_of(Answer(True))
    for component in subject.components:
        answer = subject.positive(component)
        if not answer.holds:
            return property_of(answer)
    return property_of(Answer(True))


# --- order ------------------------------------------------------------------------------------------------------------


def order_preserving(subject: Subject, form: SoftmaxType | None, smooth: Property) -> Property:
    """x_i >= x_j implies F_i >= F_j; the witness has x_i >= x_j and F_i < F_j."""
    if form and form.is_positive and len(form.support) == subject.k and _is_symmetric(form):
        return Property(True, "exact", reason="equal dilations, not negative, and equal relocations")
    if answer := _reversed(subject):
        return property_of(answer)
    more = sp.Dummy("p", nonnegative=True)
    by_slopes = smooth.holds or continuous_everywhere(subject)
    for i, j in itertools.permutations(subject.classes, 2):
        difference = subject.components[i] - subject.components[j]
        tied = difference.xreplace({subject.scores[i]: subject.scores[j]})
        rises = subject.derivative(i, i) - subject.derivative(j, i)
        if by_slopes and subject.zero(tied).holds and subject.nonnegative(rises).holds:
            continue  # equal at ties, and the difference grows with x_i
        if not subject.nonnegative(difference.xreplace({subject.scores[i]: subject.scores[j] + more})).holds:
            return Property(None, reason=f"whether x{i + 1} >= x{j + 1} keeps the order was not decided")
    return property_of(Answer(True))


def _reversed(subject: Subject) -> Answer | None:
    """A point at which the order of two scores is not that of their components."""
    for point in subject.points():
        for i, j in itertools.permutations(range(min(subject.k, 8)), 2):
            if not point[subject.scores[i]] >= point[subject.scores[j]]:
                continue
            try:
                if enclose(at(subject.components[i] - subject.components[j], point), {}) < 0:
                    return Answer(False, point, f"x{i + 1} >= x{j + 1}, but F{i + 1} < F{j + 1}")
            except NotEnclosable:
                continue
    return None


# --- bounds -----------------------------------------------------------------------------------------------------------


def bounded(subject: Subject, form: SoftmaxType | None) -> Property:
    """Whether every component is bounded, and by what."""
    ranges: list[list[str | None]] = []
    decided = True
    for place, component in enumerate(subject.components):
        low, high = _range_of(subject, place, component, form)
        if low in (sp.oo, -sp.oo) or high in (sp.oo, -sp.oo):
            return Property(
                False, "exact", reason=f"component {place + 1} grows without bound along a ray", extras={"range": None}
            )
        decided = decided and low is not None and high is not None
        ranges.append([None if end is None else str(end) for end in (low, high)])
    if not decided:
        return Property(None, reason="no bound was found for some component", extras={"range": ranges})
    return Property(True, "exact", extras={"range": ranges})


def _range_of(
    subject: Subject, place: int, component: sp.Expr, form: SoftmaxType | None
) -> tuple[sp.Expr | None, sp.Expr | None]:
    if form and place not in form.support:
        return sp.S.Zero, sp.S.Zero
    if not component.free_symbols & set(subject.scores):
        return component, component
    if form and form.is_positive:
        return sp.S.Zero, sp.S.One
    limits = _limits_along_rays(subject, component)
    if {sp.oo, -sp.oo} & set(limits):
        return -sp.oo, sp.oo
    limits = [limit for limit in limits if limit.is_Rational]
    lows = [level for level in sorted({*LEVELS, *limits}, reverse=True) if subject.nonnegative(component - level).holds]
    highs = [level for level in sorted({*LEVELS, *limits}) if subject.nonnegative(level - component).holds]
    return (lows[0] if lows else None), (highs[0] if highs else None)


def _limits_along_rays(subject: Subject, component: sp.Expr) -> list[sp.Expr]:
    """The limits of a component where one score goes to infinity, or minus infinity, and the others are 0."""
    limits, ray = [], sp.Symbol("s", positive=True)
    used = [score for score in subject.scores if component.has(score)][:4]
    for score, sign in itertools.product(used, (1, -1)):
        along = {other: sign * ray if other == score else sp.S.Zero for other in subject.scores}
        try:
            limits.append(sp.limit(component.xreplace(along), ray, sp.oo))
        except (NotImplementedError, ValueError, TypeError):
            continue
    return limits


# --- Lipschitz --------------------------------------------------------------------------------------------------------


def lipschitz(subject: Subject, form: SoftmaxType | None, smooth: Property) -> Property:
    """A Lipschitz constant in the 2-norm, and whether it is the smallest one."""
    nothing = {"bound": None, "exact": None}
    if form and form.is_positive:
        bound, exact = _of_softmax_type(form)
        return Property(True, "exact", reason="the spectral norm of (D_y - y y^T) D_d", extras=_bound(bound, exact))
    if form and not form.support:
        return Property(True, "exact", extras=_bound(sp.S.Zero, True))
    if not smooth.holds:
        if (jump := continuous(subject)).holds is False:
            return Property(False, "exact", as_text(jump.point), f"F jumps: {jump.reason}", nothing)
        if not continuous_everywhere(subject):
            return Property(None, reason="F is not known to be continuous", extras=nothing)
    if any(subject.derivative(i, j) != 0 for i, j in itertools.permutations(subject.classes, 2)):
        return Property(None, reason="F is neither of SoftMax type nor acts on each score alone", extras=nothing)
    slopes = [_steepest(subject, place) for place in subject.classes]
    if any(slope == sp.oo for slope in slopes):
        return Property(False, "exact", reason="a slope grows without bound", extras=nothing)
    if None in slopes:
        return Property(None, reason="the largest slope of some component was not found", extras=nothing)
    return Property(True, "exact", reason="the largest slope", extras=_bound(sp.Max(*slopes), True))


def _bound(bound: sp.Expr, exact: bool) -> dict[str, object]:
    return {"bound": str(bound), "exact": exact}


def _of_softmax_type(form: SoftmaxType) -> tuple[sp.Expr, bool]:
    """1/2 max |d|, approached where two classes with that |d| share all weight; 1/4 |d| for one class with slack."""
    sizes = [sp.Abs(form.dilation[place]) for place in form.support]
    # Many unknown sizes take SymPy long to compare, to no avail.
    numbers, others = [size for size in sizes if size.is_number], [size for size in sizes if not size.is_number]
    known = [sp.Max(*numbers)] if numbers else []
    largest = sp.Max(*known, *dict.fromkeys(others), evaluate=len(others) < 2)
    if len(form.support) == 1:
        return (sp.S.Zero if form.slack == 0 else QUARTER * largest), True
    return HALF * largest, sizes.count(largest) >= 2 or largest == 0


def _steepest(subject: Subject, place: int) -> sp.Expr | None:
    """The supremum of |F_i'| for a component of one score: a value or a limit of it, shown to be a bound."""
    score, slope = subject.scores[place], subject.derivative(place, place)
    if not slope.free_symbols & {score}:
        return sp.Abs(slope)
    candidates = {sp.Abs(value) for value in _values(subject, slope, score)}
    if sp.oo in candidates:
        return sp.oo
    for candidate in sorted((one for one in candidates if one.is_Rational), reverse=True):
        if all(subject.nonnegative(candidate - side * slope).holds for side in (1, -1)):
            return candidate
    return None


def _values(subject: Subject, slope: sp.Expr, score: sp.Symbol) -> list[sp.Expr]:
    """Values of the slope, and its limits: at 0, on pieces where it is constant, at both ends."""
    values = [slope.xreplace({score: sp.S.Zero})]
    for conditions, piece in pieces_of(slope):
        if not piece.free_symbols and subject.point_where(lambda value: True, piece, conditions):
            values.append(piece)
    for end in (sp.oo, -sp.oo):
        try:
            values.append(sp.limit(slope, score, end))
        except (NotImplementedError, ValueError, TypeError):
            continue
    return values


def _is_symmetric(form: SoftmaxType) -> bool:
    """Whether all classes have one dilation, not negative, and one weight."""
    alike = len(set(form.dilation)) == 1 and len(set(form.weights.values())) == 1
    return alike and bool(form.dilation[0].is_nonnegative)
