"""Is F defined, continuous and differentiable on all of R^K?

A component of one linear form of the scores is decided by its limits and slopes on both sides of every point at which
the line is cut. For others there is a criterion each way:

- Yes, where the components are continuous, and the partial derivatives of each piece are defined, roots of 0 included,
  wherever its region or the boundary of that is, and agree with those of the pieces that it meets. (Off a thin set F is
  then smooth, and its gradient extends continuously to all of R^K; by the fundamental theorem of calculus along lines
  that is the gradient everywhere.)
- No, at a point through which a line goes along which a component jumps, or has different slopes on the two sides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import sympy as sp

from softmax_trick.certification import line
from softmax_trick.certification.certificate import Property
from softmax_trick.certification.domain import Need, all_needs, needs_of
from softmax_trick.certification.function import YES, Answer, Function, Point, Profile, is_surely, property_of
from softmax_trick.certification.pieces import Conditions, TooManyRegions, closure, impossible, interior, pieces_of
from softmax_trick.certification.unknown import Unknown
from softmax_trick.certification.written import written

# --- defined ----------------------------------------------------------------------------------------------------------


def defined(F: Function, needs: Sequence[Need]) -> Property:
    """Whether every part of the formula, as it is written, has a value everywhere; the witness is where not."""
    answer = YES
    for need in needs:
        found = _met(F, need)
        if found.holds is False:
            return property_of(found.because(_why(need, found)))
        if found.holds is None:
            answer = found.because(f"{need}: whether it is so everywhere is not decided")
    return property_of(answer)


def _why(need: Need, found: Answer) -> str:
    return found.reason or str(need)


def _met(F: Function, need: Need) -> Answer:
    if need.kind != "covered":
        sides = (need.expression, -need.expression) if need.kind == "nonzero" else (need.expression,)
        if any(is_surely(side, strictly=need.kind != "nonnegative") for side in sides):
            return YES
    found = F.never(*need.violated())
    if found.holds is None and need.kind == "nonzero" and not need.guards:
        return _changes_sign(F, need.expression)
    return Answer(found.holds, found.point)


def _changes_sign(F: Function, expression: sp.Expr) -> Answer:
    """Whether a continuous expression has values of both signs, and so vanishes somewhere between."""
    low = F.point_where(lambda value: value < 0, expression)
    high = F.point_where(lambda value: value > 0, expression)
    if low and high and all(_met(F, need).holds for need in needs_of(expression)) and not _has_jumps(expression):
        ends = " and ".join(_at(point) for point in (low, high))
        return Answer(False, None, f"{written(expression)} changes its sign between {ends}, and is 0 on the way")
    return Answer(None)


def _has_jumps(expression: sp.Expr) -> bool:
    return bool(expression.has(sp.Piecewise, sp.sign, sp.Heaviside))


def _at(point: Point) -> str:
    return ", ".join(f"{symbol} = {written(value)}" for symbol, value in point.items())


def real_everywhere(F: Function, expression: sp.Expr, where: Conditions = ()) -> bool:
    """Whether an expression has a real value everywhere, where the conditions hold."""
    return all(_met(F, Need(need.expression, need.kind, (*where, *need.guards))).holds for need in needs_of(expression))


# --- continuous and differentiable ------------------------------------------------------------------------------------


def differentiable(F: Function) -> Property:
    """Whether F, defined everywhere, is differentiable everywhere; the witness is a point where it is not."""
    return property_of(_all(_joined(F, component, slopes=True) for component in F.components))


def continuous(F: Function) -> Answer:
    """Whether F, defined everywhere, is continuous everywhere; a point of a jump, if not."""
    steps = (sp.Piecewise, sp.sign, sp.Heaviside)  # all else is continuous wherever it is defined
    jumping = [f for f, written in zip(F.components, F.written, strict=True) if written.has(*steps)]
    return _all(_joined(F, component, slopes=False) for component in jumping)


def is_continuous(F: Function, function: sp.Expr) -> bool:
    """Whether it is known that an expression is defined and continuous everywhere."""
    return real_everywhere(F, function) and bool(_joined(F, function, slopes=False).holds)


def _all(answers: Iterator[Answer]) -> Answer:
    undecided = YES
    for answer in answers:
        if answer.holds is False:
            return answer
        if answer.holds is None:
            undecided = answer
    return undecided


def _joined(F: Function, component: sp.Expr, slopes: bool) -> Answer:
    if (component, slopes) not in F.joined:
        F.joined[component, slopes] = _find_joined(F, component, slopes)
    return F.joined[component, slopes]


def _find_joined(F: Function, component: sp.Expr, slopes: bool) -> Answer:
    if not component.has(sp.Piecewise) and not (slopes and _has_roots(component)):
        return YES
    if profile := F.profile(component):
        try:
            return _on_the_line(F, profile, slopes)
        except Unknown:
            pass
    answer = _by_pieces(F, component, slopes)
    if answer.holds:
        return YES
    for point in _suspects(F, component, answer):
        if trouble := _trouble_at(F, component, point, slopes):
            return Answer(False, point, trouble)
    return Answer(None, reason=answer.reason or "the pieces are not known to join")


def _has_roots(expression: sp.Expr) -> bool:
    return any(not power.exp.is_Integer for power in expression.atoms(sp.Pow) if not isinstance(power, sp.exp))


def _on_the_line(F: Function, profile: Profile, slopes: bool) -> Answer:
    """A function of one variable: at each point of the cut, limits and slopes from both sides."""
    cut = line.resolved([profile.function], profile.variable)
    for place, (cell, (value,)) in enumerate(cut):
        if cell.is_point:
            left, right = cut[place - 1][1][0], cut[place + 1][1][0]
            trouble = _trouble(value, left, right, profile.variable, cell.sample, slopes)
            if trouble:
                return Answer(False, F.completed(profile.point(cell.sample)), trouble)
    return YES


def _trouble(value: sp.Expr, left: sp.Expr, right: sp.Expr, x: sp.Symbol, point: sp.Expr, slopes: bool) -> str | None:
    """What keeps a function from being continuous, or differentiable, at a point; None if nothing does."""
    if None in (value, left, right):
        raise Unknown("it is not defined everywhere")
    if left == right and line.pole_free(left, x, point):
        here = left.xreplace({x: point})
        return None if line.is_same(here, value.xreplace({x: point})) else f"it jumps there to {value}"
    height = value.xreplace({x: point})
    (low, low_slope), (high, high_slope) = (
        line.limit_and_slope(piece, x, point, side) for piece, side in ((left, -1), (right, 1))
    )
    for limit in (low, high):
        if limit.is_infinite or not line.is_same(limit, height):
            return f"it jumps there: the limit is {limit}, and the value {height}"
    if not slopes:
        return None
    if low_slope.is_infinite or high_slope.is_infinite:
        return "it is infinitely steep there"
    return None if line.is_same(low_slope, high_slope) else f"its slopes are {low_slope} and {high_slope} there"


def jump_along(F: Function, component: sp.Expr, point: Point, direction: Sequence[int]) -> str | None:
    """How a component jumps at a point along a line; None if it does not, or it is not known."""
    return _along(F, component, point, direction, slopes=False)


def _along(F: Function, component: sp.Expr, point: Point, direction: Sequence[int], slopes: bool) -> str | None:
    s = sp.Dummy("s", real=True)
    steps = dict(zip(F.scores, direction, strict=True))
    moved = {symbol: value + steps.get(symbol, 0) * s for symbol, value in point.items()}
    try:
        cut = line.resolved([component.xreplace(moved)], s)
        for place, (cell, (value,)) in enumerate(cut):
            if cell.is_point and line.is_same(cell.sample, sp.S.Zero):
                return _trouble(value, cut[place - 1][1][0], cut[place + 1][1][0], s, sp.S.Zero, slopes)
    except Unknown:
        pass
    return None


def directions(F: Function) -> Iterator[list[int]]:
    """Along the axes, and along sums and differences of two."""
    units = [[int(place == one) for place in F.classes] for one in range(min(F.k, 6))]
    yield from units
    for u, v in itertools.combinations(units, 2):
        yield [a + b for a, b in zip(u, v, strict=True)]
        yield [a - b for a, b in zip(u, v, strict=True)]
        yield [a + 2 * b for a, b in zip(u, v, strict=True)]


def _trouble_at(F: Function, component: sp.Expr, point: Point, slopes: bool) -> str | None:
    return next(filter(None, (_along(F, component, point, v, slopes) for v in directions(F))), None)


def _suspects(F: Function, component: sp.Expr, answer: Answer) -> Iterator[Point]:
    """Points at which pieces may not join: what was found, and where something vanishes that a root is taken of."""
    if answer.point:
        yield answer.point
    for need in all_needs([component]):
        found = F.never(*need.guards, sp.Eq(need.expression, 0))
        if found.point:
            yield found.point


def _by_pieces(F: Function, component: sp.Expr, slopes: bool) -> Answer:
    """The criterion for yes; the point of an answer that is not yes is a suspect, no more."""
    try:
        pieces = list(pieces_of(component))
    except TooManyRegions as error:
        return Answer(None, reason=str(error))
    wide = [not impossible(interior(region)) for region, _ in pieces]
    for is_wide, (region, piece) in zip(wide, pieces, strict=True):
        around = closure(region)
        parts = [piece, *((piece.diff(score) for score in F.scores) if slopes and is_wide else ())]
        for part in parts:
            if not real_everywhere(F, part, around):
                return Answer(None, reason=f"{part} is not known to be defined wherever its region ends")
    for (first, first_wide), (second, second_wide) in itertools.combinations(zip(pieces, wide, strict=True), 2):
        meeting = (*closure(first[0]), *closure(second[0]))
        if first[1] == second[1] or impossible(meeting):
            continue
        difference = first[1] - second[1]
        both = slopes and first_wide and second_wide
        for part in (difference, *((difference.diff(score) for score in F.scores) if both else ())):
            found = F.zero(part, meeting)
            if not found.holds:
                return found.because(f"the pieces {first[1]} and {second[1]} are not known to join")
    return YES
