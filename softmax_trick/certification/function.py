"""What is certified: components F_1..F_K in scores x_1..x_K, and what all properties ask about expressions in them.

Every question is one about conditions: can they hold at the same time? "Is u positive" asks whether u <= 0 can hold,
"is u zero" whether u != 0 can. Conditions in one variable are decided by cutting the line (`line`), those in several by
z3 (`reals`), by normal forms and signs (`softmax_trick.symbolic`), and by points at which they are looked at exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import flint
import sympy as sp

from softmax_trick.certification import line
from softmax_trick.certification.certificate import Property
from softmax_trick.certification.pieces import (
    Conditions,
    TooManyRegions,
    boundaries,
    in_pieces,
    on_boundaries,
    pieces_of,
    relations,
)
from softmax_trick.certification.reals import Reals, is_algebraic, symbols_of
from softmax_trick.certification.unknown import Unknown
from softmax_trick.certification.written import written
from softmax_trick.ledger.claims import Rung
from softmax_trick.symbolic import decide, sign
from softmax_trick.symbolic.enclosure import NotEnclosable, enclose

POINTS = 60
FEW_POINTS = 12
VARIABLE = sp.Dummy("u", real=True)  # one for all, so that equal functions of different scores are looked at once

Point = Mapping[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Answer:
    """Whether something holds everywhere: yes; no, with a point if one can be written down; or unknown, with why."""

    holds: bool | None
    point: Point | None = None
    reason: str = ""

    def because(self, reason: str) -> Answer:
        """The answer with a reason of its own."""
        return Answer(self.holds, self.point, reason)


YES = Answer(True)


@dataclass(frozen=True)
class Profile:
    """A component that depends on one linear form of the scores: F_i = f(sum_j c_j x_j).

    Attributes:
        variable: u.
        function: f(u).
        coefficients: c_j, by score; the first is 1.
    """

    variable: sp.Symbol
    function: sp.Expr
    coefficients: dict[sp.Symbol, sp.Rational]

    def point(self, u: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
        """Scores at which the form has a value."""
        first, *others = self.coefficients
        return {first: u, **dict.fromkeys(others, sp.S.Zero)}


def is_surely(expression: sp.Expr, strictly: bool) -> bool:
    """Whether an expression without pieces is seen to be positive, or not negative, by its form."""
    if expression.has(sp.Piecewise, sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside):
        return False
    if expression.is_positive:
        return True
    found = "nonnegative" if expression == 0 else sign(expression)
    return found == "positive" or (found == "nonnegative" and not strictly)


class Function:
    """A normalizer F: R^K -> R^K.

    Args:
        components: F_1..F_K.
        scores: x_1..x_K, real symbols; every other symbol is a parameter.
        given: what is assumed of the parameters besides their assumptions.
    """

    def __init__(self, components: Sequence[sp.Expr], scores: Sequence[sp.Symbol], given: Conditions = ()) -> None:
        self.scores = tuple(scores)
        self.written = tuple(components)
        self.components = tuple(in_pieces(_tidy(component)) for component in components)
        self.k = len(self.components)
        self.given = given

    @cached_property
    def parameters(self) -> list[sp.Symbol]:
        """Every symbol that is no score."""
        found = symbols_of(self.written) | symbols_of(self.given)
        return sorted(found - set(self.scores), key=str)

    @cached_property
    def symbols(self) -> list[sp.Symbol]:
        """Scores and parameters."""
        return [*self.scores, *self.parameters]

    @cached_property
    def classes(self) -> range:
        """The places of the components, from 0."""
        return range(self.k)

    def derivative(self, component: int, score: int) -> sp.Expr:
        """J_ij = dF_i/dx_j, where F is differentiable."""
        if (component, score) not in self._derivatives:
            self._derivatives[component, score] = self.components[component].diff(self.scores[score])
        return self._derivatives[component, score]

    @cached_property
    def _derivatives(self) -> dict[tuple[int, int], sp.Expr]:
        return {}

    # --- can it happen ------------------------------------------------------------------------------------------------

    def never(self, *conditions: sp.Basic) -> Answer:
        """Whether conditions cannot hold at the same time; if they can, a point at which they do."""
        asked = tuple(condition for condition in dict.fromkeys(conditions) if condition != sp.true)
        if sp.false in asked:
            return YES
        if asked not in self._asked:
            self._asked[asked] = self._decide(asked)
        return self._asked[asked]

    @cached_property
    def _asked(self) -> dict[Conditions, Answer]:
        return {}

    def _decide(self, asked: Conditions) -> Answer:
        asked = (*asked, *self.given)
        answer = self._on_a_line(asked)
        if answer is not None:
            return answer
        for few, many in ((0, FEW_POINTS), (FEW_POINTS, POINTS)):
            if point := self._seen(asked, few, many):
                return Answer(False, point)
            if not few:
                answer = self._by_z3(asked)
                if answer.holds is not None:
                    return answer
        return answer or Answer(None, reason="it is not decided")

    def _on_a_line(self, asked: Conditions) -> Answer | None:
        """By cutting the line, if there is one variable."""
        symbols = symbols_of(asked)
        if len(symbols) != 1:
            return None
        (x,) = symbols
        try:
            for cell, truths in line.resolved([*asked, *_assumed(x)], x):
                if all(truths):
                    return Answer(False, self.completed({x: cell.sample}))
        except Unknown:
            return None
        return YES

    def _by_z3(self, asked: Conditions) -> Answer:
        if all(map(is_algebraic, asked)):
            return self._asked_of_z3(asked)
        # With exponentials, piece by piece: they are told apart by their exponents, which must have no pieces.
        try:
            cases = list(pieces_of(sp.Tuple(*map(in_pieces, asked))))
        except TooManyRegions as error:
            return Answer(None, reason=str(error))
        answers = [self._asked_of_z3((*where, *case)) for where, case in cases if sp.false not in case.args]
        return next((one for wanted in (False, None) for one in answers if one.holds is wanted), YES)

    def _asked_of_z3(self, asked: Conditions) -> Answer:
        reals = Reals([condition for condition in asked if condition != sp.true])
        possible, point = reals.model()
        if possible is False:
            return YES
        whole = None if point is None else self.completed(point)
        if whole is not None and self.holds_at(asked, whole):
            return Answer(False, whole)
        if possible and reals.is_algebraic:
            return Answer(False, whole)
        return Answer(None, reason="z3 does not decide it")

    def seen(self, *conditions: sp.Basic) -> Point | None:
        """A point at which all conditions are seen to hold, if one was found."""
        return self.never(*conditions).point

    def _seen(self, asked: Conditions, start: int, stop: int) -> Point | None:
        """One of the points at which all conditions are seen to hold."""
        return next((p for p in itertools.islice(self._near(asked), start, stop) if self.holds_at(asked, p)), None)

    def holds_at(self, conditions: Sequence[sp.Basic], point: Point) -> bool:
        """Whether conditions hold at an exact point, surely."""
        try:
            return all(line.truth_at(condition, point) for condition in conditions)
        except (Unknown, line.NowhereDefined):
            return False

    # --- is it zero, which sign has it --------------------------------------------------------------------------------

    def zero(self, expression: sp.Expr, where: Conditions = (), wide: bool = False) -> Answer:
        """Whether an expression is zero wherever it is defined and the conditions hold; `wide` is that of pieces_of."""
        whole = self._at_once(expression, where, wide, sp.Ne)
        if whole is not None:
            return whole
        try:
            pieces = list(pieces_of(expression, where, wide))
        except TooManyRegions as error:
            return Answer(None, reason=str(error))
        answer = YES
        for conditions, piece in pieces:
            restricted = on_boundaries(piece, conditions)
            if restricted == 0:
                continue
            decision = decide(restricted)
            if decision.status == "zero":
                continue
            if not (conditions or self.given) and decision.witness:
                return Answer(False, self.completed(decision.witness.point))
            found = self.never(*conditions, sp.Ne(piece, 0))
            if found.holds is False:
                return found
            if found.holds is None:
                answer = found
        return answer

    def nonnegative(self, expression: sp.Expr, where: Conditions = (), wide: bool = False) -> Answer:
        """Whether an expression is nowhere negative, where the conditions hold."""
        return self._of_sign(expression, where, wide, sp.Lt, strictly=False)

    def positive(self, expression: sp.Expr, where: Conditions = (), wide: bool = False) -> Answer:
        """Whether an expression is positive everywhere, where the conditions hold."""
        return self._of_sign(expression, where, wide, sp.Le, strictly=True)

    def _of_sign(self, expression: sp.Expr, where: Conditions, wide: bool, contrary: Any, strictly: bool) -> Answer:
        whole = self._at_once(expression, where, wide, contrary)
        if whole is not None:
            return whole
        try:
            pieces = list(pieces_of(expression, where, wide))
        except TooManyRegions as error:
            return Answer(None, reason=str(error))
        answer = YES
        for conditions, piece in pieces:
            if is_surely(piece, strictly):
                continue
            found = self.never(*conditions, contrary(piece, 0))
            if found.holds is False:
                return found
            if found.holds is None:
                # Another piece may have a point.
                answer = Answer(None, reason=f"the sign of {written(piece)} is not decided")
        return answer

    def _at_once(self, expression: sp.Expr, where: Conditions, wide: bool, contrary: Any) -> Answer | None:
        """The answer for all pieces of an algebraic expression together, if there is one."""
        if not (expression.has(sp.Piecewise) and all(map(is_algebraic, (expression, *where)))):
            return None
        off = [sp.Ne(relation.lhs, relation.rhs) for relation in relations(expression)] if wide else []
        if any(condition.has(sp.Piecewise) or condition == sp.false for condition in off):
            return None
        found = self.never(*where, *off, contrary(expression, 0))
        return found if found.holds is not None else None

    def nonzero(self, expression: sp.Expr) -> Answer:
        """Whether an expression is nowhere zero."""
        if expression.is_negative or any(is_surely(side, strictly=True) for side in (expression, -expression)):
            return YES
        return self.never(sp.Eq(expression, 0))

    # --- points -------------------------------------------------------------------------------------------------------

    def points(self) -> Iterator[dict[sp.Symbol, sp.Expr]]:
        """Rational points: the origin, ties, unit vectors, then random ones of growing size; the same in every run."""
        chosen = {symbol: _as_assumed(symbol, sp.Integer(1 + place)) for place, symbol in enumerate(self.parameters)}
        some = [[0] * self.k, [1] * self.k, list(range(1, self.k + 1)), list(range(self.k, 0, -1)), [-1] * self.k]
        some += [[size * (place == one) for place in self.classes] for one in self.classes for size in (1, -1, 3, -3)]
        for scores in some[: 5 + 4 * min(self.k, 8)]:
            yield chosen | dict(zip(self.scores, map(sp.Integer, scores), strict=True))
        random = Random(0)
        for size in range(2, POINTS):
            numbers = {symbol: sp.Rational(random.randint(1, size), random.randint(1, 3)) for symbol in self.symbols}
            yield {s: _as_assumed(s, n * random.choice((-1, 1))) for s, n in numbers.items()}

    def point_where(self, found: Callable[[flint.arb], bool], expression: sp.Expr) -> Point | None:
        """A point at which a rigorous enclosure of the expression has the property."""
        for point in self.points():
            try:
                if found(enclose(line.value_at(expression, point), {}, 256)) and self.holds_at(self.given, point):
                    return point
            except (NotEnclosable, Unknown, line.NowhereDefined):
                continue
        return None

    def _near(self, conditions: Conditions) -> Iterator[Point]:
        """The points, moved onto the boundary that the conditions confine them to."""
        fixed = list(boundaries(conditions))
        for point in self.points():
            for variable, value in fixed:
                point = {**point, variable: value.xreplace(point)}
            if all(self.holds_at(_assumed(variable), point) for variable, _ in fixed):
                yield point

    def completed(self, point: Point) -> Point:
        """A point with a value for every score and parameter; those that do not matter are 1, or -1."""
        return {symbol: point.get(symbol, _as_assumed(symbol, sp.S.One)) for symbol in self.symbols}

    @cached_property
    def extents(self) -> dict[tuple[sp.Expr, bool], Any]:
        """Infima and suprema of functions of one variable."""
        return {}

    @cached_property
    def joined(self) -> dict[tuple[sp.Expr, bool], Answer]:
        """What is known of how the pieces of an expression join: their values, or with them their slopes."""
        return {}

    # --- functions of one linear form ---------------------------------------------------------------------------------

    def profile(self, expression: sp.Expr) -> Profile | None:
        """The expression as a function of one linear form of the scores, if it is one."""
        if expression not in self._profiles:
            self._profiles[expression] = self._find_profile(expression)
        return self._profiles[expression]

    @cached_property
    def _profiles(self) -> dict[sp.Expr, Profile | None]:
        return {}

    def _find_profile(self, expression: sp.Expr) -> Profile | None:
        symbols = expression.free_symbols
        used = [score for score in self.scores if score in symbols]
        if not used or len(used) > 4 or len(symbols) > len(used):
            return None
        u = VARIABLE
        if len(used) == 1:
            return Profile(u, expression.xreplace({used[0]: u}), {used[0]: sp.S.One})
        for point in itertools.islice(self.points(), 4, 20):
            try:
                slopes = [line.value_at(expression.diff(score), point) for score in used]
                if line.sign_of(slopes[0]) == 0:
                    continue
                ratios = [line.simple_ratio(slope, slopes[0]) for slope in slopes]
            except (Unknown, line.NowhereDefined):
                continue
            coefficients = {score: ratio for score, ratio in zip(used, ratios, strict=True) if ratio is not None}
            if len(coefficients) < len(used):
                return None
            others = [c * score for score, c in coefficients.items() if score != used[0]]
            function = _expanded(expression.xreplace({used[0]: u - sp.Add(*others)}))
            return Profile(u, function, coefficients) if function.free_symbols <= {u} else None
        return None


def _expanded(node: sp.Basic) -> sp.Basic:
    """The expression with sums multiplied out from the inside, so that what cancels is gone."""
    if not node.args:
        return node
    arguments = [_expanded(argument) for argument in node.args]
    node = node.func(*arguments)
    return sp.expand_mul(node) if isinstance(node, sp.Add | sp.Mul) else node


def _tidy(node: sp.Basic) -> sp.Basic:
    """Even powers drawn out of roots: sqrt(x^4 + x^6) as x^2 sqrt(1 + x^2), and sqrt(x^2) as |x|."""
    if not any(_is_root(power) for power in node.atoms(sp.Pow)):
        return node
    node = node.func(*map(_tidy, node.args)) if not isinstance(node, sp.exp) else sp.exp(_tidy(node.args[0]))
    if not (_is_root(node) and node.base.is_polynomial() and node.base.free_symbols):
        return node
    constant, factors = sp.factor_list(node.base)
    if constant < 0 or all(power == 1 for _, power in factors):
        return node
    parts = [sp.Pow(constant, node.exp)]
    rest: sp.Expr = sp.S.One
    for factor, power in factors:
        even = power - power % 2
        parts.append(sp.Abs(factor) ** (even * node.exp))
        rest *= factor ** (power % 2)
    return sp.Mul(*parts, sp.Pow(rest, node.exp))


def _is_root(node: sp.Basic) -> bool:
    return bool(isinstance(node, sp.Pow) and node.exp.is_Rational and not node.exp.is_Integer)


def _assumed(symbol: sp.Symbol) -> Conditions:
    """What is assumed of a symbol, as conditions."""
    found: list[sp.Basic] = []
    plain = sp.Dummy(real=True)
    if symbol.is_positive or symbol.is_nonnegative:
        found.append(sp.Gt(plain, 0) if symbol.is_positive else sp.Ge(plain, 0))
    elif symbol.is_negative or symbol.is_nonpositive:
        found.append(sp.Lt(plain, 0) if symbol.is_negative else sp.Le(plain, 0))
    elif symbol.is_nonzero:
        found.append(sp.Ne(plain, 0))
    with sp.evaluate(False):
        return tuple(condition.func(symbol, condition.rhs) for condition in found)


def _as_assumed(symbol: sp.Symbol, number: sp.Rational) -> sp.Rational:
    """The number, or its opposite, as the symbol's sign wants it."""
    if symbol.is_nonnegative:
        return abs(number)
    return -abs(number) if symbol.is_nonpositive else number


def as_text(point: Point | None) -> dict[str, str] | None:
    """A witness as text."""
    return None if point is None else {str(symbol): written(value) for symbol, value in point.items()}


def property_of(answer: Answer, **extras: Any) -> Property:
    """An answer as a property on the rung "exact"."""
    rung: Rung | None = None if answer.holds is None else "exact"
    return Property(answer.holds, rung, as_text(answer.point), answer.reason, extras)
