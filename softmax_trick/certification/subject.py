"""What is certified: components F_1..F_K in scores x_1..x_K, and what all properties ask about expressions in them.

Piecewise expressions (and abs, max, min, sign, Heaviside, which are rewritten as such) are taken piece by piece: on the
region of a piece the expression is smooth, and the region is parametrised by new nonnegative symbols where its
conditions are linear.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import sympy as sp

from softmax_trick.certificate import Property
from softmax_trick.claims import Rung
from softmax_trick.numeric import NotEnclosable, enclose
from softmax_trick.symbolic import decide, sign
from softmax_trick.symbolic.second_opinion import sign_by_z3, zero_by_z3

PIECES = (sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside)
MOST_REGIONS = 81
POINTS = 60

Point = Mapping[sp.Symbol, sp.Expr]
Conditions = tuple[sp.Basic, ...]  # all of them hold


@dataclass(frozen=True)
class Answer:
    """Whether an expression is zero (or positive) everywhere: yes; no, with a point; or unknown, with the reason."""

    holds: bool | None
    point: Point | None = None
    reason: str = ""


YES = Answer(True)


class Subject:
    """A normalizer F: R^K -> R^K.

    Args:
        components: F_1..F_K.
        scores: x_1..x_K, real symbols; every other symbol is a parameter.
    """

    def __init__(self, components: Sequence[sp.Expr], scores: Sequence[sp.Symbol]) -> None:
        self.scores = tuple(scores)
        self.components = tuple(_in_pieces(component) for component in components)
        self.k = len(self.components)

    @cached_property
    def symbols(self) -> list[sp.Symbol]:
        """Scores and parameters."""
        parameters = set().union(*(component.free_symbols for component in self.components)) - set(self.scores)
        return [*self.scores, *sorted(parameters, key=str)]

    @cached_property
    def classes(self) -> range:
        """The places of the components, from 0."""
        return range(self.k)

    def derivative(self, component: int, score: int) -> sp.Expr:
        """J_ij = dF_i/dx_j."""
        if (component, score) not in self._derivatives:
            self._derivatives[component, score] = self.components[component].diff(self.scores[score])
        return self._derivatives[component, score]

    @cached_property
    def _derivatives(self) -> dict[tuple[int, int], sp.Expr]:
        return {}

    # --- is it zero, which sign has it --------------------------------------------------------------------------------

    def zero(self, expression: sp.Expr, where: Conditions = ()) -> Answer:
        """Whether an expression is zero wherever it is defined and the conditions hold."""
        try:
            pieces = list(pieces_of(expression, where))
        except TooManyRegions as error:
            return Answer(None, reason=str(error))
        for conditions, piece in pieces:
            restricted = _on_boundaries(piece, conditions)
            if restricted == 0:
                continue
            decision = decide(restricted)
            if decision.status == "zero":
                continue
            if not conditions and decision.witness:
                return Answer(False, self.completed(decision.witness.point))
            point = self.point_where(lambda value: 0 not in value, piece, conditions)
            if point:
                return Answer(False, point)
            if zero_by_z3(piece, conditions):  # its region may be empty, or a boundary
                continue
            return Answer(None, reason=decision.reason or "no point of a piece shows that it is not zero there")
        return YES

    def nonnegative(self, expression: sp.Expr, where: Conditions = ()) -> Answer:
        """Whether an expression is nowhere negative, where the conditions hold."""
        return self._of_sign(expression, where, strictly=False)

    def positive(self, expression: sp.Expr, where: Conditions = ()) -> Answer:
        """Whether an expression is positive everywhere, where the conditions hold."""
        return self._of_sign(expression, where, strictly=True)

    def _of_sign(self, expression: sp.Expr, where: Conditions, strictly: bool) -> Answer:
        """The components share their denominators: each question is answered once."""
        question = expression, where, strictly
        if question not in self._signs:
            self._signs[question] = self._find_sign(*question)
        return self._signs[question]

    @cached_property
    def _signs(self) -> dict[tuple[sp.Expr, Conditions, bool], Answer]:
        return {}

    def _find_sign(self, expression: sp.Expr, where: Conditions, strictly: bool) -> Answer:
        wanted = ("positive",) if strictly else ("positive", "nonnegative")
        try:
            pieces = list(pieces_of(expression, where))
        except TooManyRegions as error:
            return Answer(None, reason=str(error))
        answer = YES
        for conditions, piece in pieces:
            parametrised = _parametrised(piece, conditions)
            if parametrised is not None and _sign(parametrised) in wanted:
                continue
            if conditions and sign_by_z3(piece, conditions) in wanted:
                continue
            point = self.point_where(lambda value: value < 0, piece, conditions)
            if strictly and not point:
                point = self.point_where_zero(piece, conditions)
            if point:
                return Answer(False, point)
            answer = Answer(None, reason=f"the sign of {piece} is not decided")  # another piece may have a point
        return answer

    # --- points -------------------------------------------------------------------------------------------------------

    def points(self) -> Iterator[dict[sp.Symbol, sp.Expr]]:
        """Rational points: the origin, ties, unit vectors, then random ones of growing size; the same in every run."""
        parameters = [symbol for symbol in self.symbols if symbol not in self.scores]
        chosen = {symbol: sp.Integer(1 + place) for place, symbol in enumerate(parameters)}
        some = [[0] * self.k, [1] * self.k, list(range(1, self.k + 1)), list(range(self.k, 0, -1)), [-1] * self.k]
        some += [[size * (place == one) for place in self.classes] for one in self.classes for size in (1, -1, 3, -3)]
        for scores in some[: 5 + 4 * min(self.k, 8)]:
            yield chosen | dict(zip(self.scores, map(sp.Integer, scores), strict=True))
        random = Random(0)
        for size in range(2, POINTS):
            numbers = {symbol: sp.Rational(random.randint(1, size), random.randint(1, 3)) for symbol in self.symbols}
            yield {s: n if s.is_nonnegative else n * random.choice((-1, 1)) for s, n in numbers.items()}

    def point_where(self, found: Any, expression: sp.Expr, conditions: Conditions = ()) -> Point | None:
        """A point under the conditions at which a rigorous enclosure of the expression has the property."""
        for point in self._points_under(conditions):
            try:
                if found(enclose(expression, point, 256)):
                    return point
            except NotEnclosable:
                continue
        return None

    def point_where_zero(self, expression: sp.Expr, conditions: Conditions = ()) -> Point | None:
        """A point under the conditions at which the expression is exactly zero."""
        for point in itertools.islice(self._points_under(conditions), 12):
            if decide(at(expression, point)).status == "zero":
                return point
        return None

    def _points_under(self, conditions: Conditions) -> Iterator[Point]:
        """Those at which all conditions hold, moved onto the boundary that the conditions confine them to."""
        boundaries = list(_boundaries(conditions))
        for point in self.points():
            for variable, value in boundaries:
                point = {**point, variable: value.xreplace(point)}
            if all(condition.xreplace(point) == sp.true for condition in conditions):
                yield point

    def completed(self, point: Point) -> Point:
        """A point with a value for every score and parameter; those that do not matter are 1."""
        return {symbol: point.get(symbol, sp.S.One) for symbol in self.symbols}


class TooManyRegions(ValueError):
    """An expression has more regions than are looked at."""


def pieces_of(expression: sp.Expr, where: Conditions = ()) -> Iterator[tuple[Conditions, sp.Expr]]:
    """The smooth pieces of an expression, each with the conditions under which it is taken, besides those given."""
    return iter(_pieces(sp.sympify(expression, strict=True), where, [0]))


def _pieces(expression: sp.Expr, conditions: Conditions, count: list[int]) -> list[Any]:
    # A condition in which there are pieces, as abs(x) > 1, is "if c then a else b": both ways are gone.
    if ites := expression.atoms(sp.ITE):
        ite = min(ites, key=lambda node: (len(node.atoms(sp.ITE)), sp.default_sort_key(node)))
        condition, then, otherwise = ite.args
        return [
            *_pieces(expression.xreplace({ite: then}), _merged(conditions, _conjuncts(condition)), count),
            *_pieces(expression.xreplace({ite: otherwise}), _merged(conditions, (sp.Not(condition),)), count),
        ]
    atoms = expression.atoms(sp.Piecewise)
    if not atoms:
        count[0] += 1
        if count[0] > MOST_REGIONS:
            raise TooManyRegions(f"there are more than {MOST_REGIONS} regions to look at")
        return [(conditions, expression)]
    atom = min(atoms, key=lambda node: (len(node.atoms(sp.Piecewise)), sp.default_sort_key(node)))
    found: list[Any] = []
    before: list[sp.Basic] = []
    for value, condition in atom.args:
        here = (*before, *([] if condition == sp.true else _conjuncts(condition)))
        found += _pieces(expression.xreplace({atom: value}), _merged(conditions, here), count)
        if condition != sp.true:
            before.append(sp.Not(condition))
    return found


def _conjuncts(condition: sp.Basic) -> Conditions:
    return condition.args if isinstance(condition, sp.And) else (condition,)


def _merged(conditions: Conditions, more: Sequence[sp.Basic]) -> Conditions:
    return tuple(dict.fromkeys([*conditions, *more]))


def impossible(conditions: Conditions) -> bool:
    """Whether it is known that the conditions contradict each other."""
    return zero_by_z3(sp.S.One, conditions)


def closure(conditions: Conditions) -> Conditions:
    """The conditions, < and > weakened to <= and >=: for linear ones that do not contradict each other, the closure."""
    return tuple(_replaced(condition, {sp.Gt: sp.Ge, sp.Lt: sp.Le}) for condition in conditions)


def interior(conditions: Conditions) -> Conditions:
    """The conditions, <= and >= sharpened to < and >, and equations to what never holds."""
    sharper = {sp.Ge: sp.Gt, sp.Le: sp.Lt, sp.Eq: lambda *sides: sp.false}
    return tuple(_replaced(condition, sharper) for condition in conditions)


def _replaced(condition: sp.Basic, relations: Mapping[Any, Any]) -> sp.Basic:
    """A condition with other relations in the place of its own; a "not" is first moved into the relations."""
    condition = sp.to_nnf(condition)
    if isinstance(condition, sp.And | sp.Or):
        return condition.func(*(_replaced(part, relations) for part in condition.args))
    if isinstance(condition, sp.Ne):  # it holds around each point where it holds, and next to every other
        return sp.true if sp.Gt in relations else condition
    make = relations.get(condition.func)
    return make(*condition.args) if make else condition


def _boundaries(conditions: Conditions) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
    """The variables that are given by others where a condition is an equation, or another one's opposite."""
    differences = [
        (relation, sp.expand(relation.gts - relation.lts))
        for relation in conditions
        if isinstance(relation, sp.GreaterThan | sp.LessThan)
    ]
    zeros = [relation.lhs - relation.rhs for relation in conditions if isinstance(relation, sp.Eq)]
    zeros += [a for (_, a), (_, b) in itertools.combinations(differences, 2) if _opposite(a, b)]
    known: dict[sp.Symbol, sp.Expr] = {}
    for zero in zeros:
        place = solved(zero.xreplace(known))
        if place is None:
            continue
        known = {variable: value.xreplace({place[0]: place[1]}) for variable, value in known.items()}
        known[place[0]] = place[1]
    yield from known.items()


def _opposite(a: sp.Expr, b: sp.Expr) -> bool:
    """Whether a = -q b for a positive rational q."""
    ratio = sp.cancel(-a / b) if b != 0 else sp.S.Zero
    return bool(ratio.is_Rational and ratio > 0)


def _on_boundaries(expression: sp.Expr, conditions: Conditions) -> sp.Expr:
    """The expression with those variables replaced."""
    return expression.xreplace(dict(_boundaries(conditions)))


def _in_pieces(expression: sp.Expr) -> sp.Expr:
    """abs, max, min, sign and Heaviside as Piecewise; of pieces, piece by piece, so that conditions stay simple."""
    if not expression.has(*PIECES):
        return expression
    node = expression.func(*(_in_pieces(argument) for argument in expression.args))
    if not isinstance(node, PIECES):
        return node
    inner = next((argument for argument in node.args if isinstance(argument, sp.Piecewise)), None)
    if inner is None:
        return node.rewrite(sp.Piecewise)
    return sp.Piecewise(*((_in_pieces(node.xreplace({inner: piece})), condition) for piece, condition in inner.args))


def _sign(expression: sp.Expr) -> str | None:
    """positive, nonnegative or None, by the library's own decision or by z3."""
    expression = sp.sympify(expression, strict=True)
    if expression.is_zero:
        return "nonnegative"
    return sign(expression) or sign_by_z3(expression) or sign_by_z3(sp.together(expression))


def _parametrised(expression: sp.Expr, conditions: Sequence[sp.Basic]) -> sp.Expr | None:
    """An expression on the region of these conditions, its closure at least, in new symbols that are not negative.

    Each condition must be linear in some variable; None if one is not.
    """
    waiting = [condition for condition in conditions if condition != sp.true]
    while waiting:
        bounds = [_bound(condition) for condition in waiting]
        if None in bounds:
            return None
        variable = bounds[0][0]  # type: ignore[index]  # none of them is None
        own = [bound for bound in bounds if bound and bound[0] == variable]
        lower, upper = ({value for v, value, side in own if side == wanted} for wanted in ("above", "below"))
        if any(len(ends) > 1 and not all(end.is_Rational for end in ends) for ends in (lower, upper)):
            return None
        free = sp.Dummy("p", nonnegative=True)
        if lower and upper:
            replacement = max(lower) + (min(upper) - max(lower)) * free / (1 + free)
        else:
            replacement = max(lower) + free if lower else min(upper) - free
        expression = expression.xreplace({variable: replacement})
        waiting = [c for c, bound in zip(waiting, bounds, strict=True) if bound and bound[0] != variable]
        waiting = [condition.xreplace({variable: replacement}) for condition in waiting]
    return expression


def _bound(condition: sp.Basic) -> tuple[sp.Symbol, sp.Expr, str] | None:
    """x >= value ("above") or x <= value ("below") for some variable x in which the condition is linear."""
    if not isinstance(condition, sp.StrictGreaterThan | sp.GreaterThan | sp.StrictLessThan | sp.LessThan):
        return None
    found = solved(condition.gts - condition.lts)
    return found and (found[0], found[1], "above" if found[2] > 0 else "below")


def solved(expression: sp.Expr) -> tuple[sp.Symbol, sp.Expr, sp.Rational] | None:
    """A variable in which the expression is linear with a rational slope, its value where that is 0, and the slope."""
    expanded = sp.expand(expression)
    for variable in sorted(expanded.free_symbols, key=str):
        slope = expanded.coeff(variable)
        rest = sp.expand(expanded - slope * variable)
        if slope.is_Rational and slope != 0 and not rest.has(variable):
            return variable, -rest / slope, slope
    return None


def at(expression: sp.Expr, point: Point) -> sp.Expr:
    """The expression at a point; pieces are chosen on the way."""
    return expression.xreplace(dict(point))


def as_text(point: Point | None) -> dict[str, str] | None:
    """A witness as text."""
    return None if point is None else {str(symbol): str(value) for symbol, value in point.items()}


def property_of(answer: Answer, **extras: Any) -> Property:
    """An answer as a property on the rung "exact"."""
    rung: Rung | None = None if answer.holds is None else "exact"
    return Property(answer.holds, rung, as_text(answer.point), answer.reason, extras)
