"""(P2), (P1) and (P3) of Theorem A1, for a formula.

By the classification of all functions with (P2) (claim A1c), F has a Jacobian of SoftMax type iff for the classes i of
its support, those with F_i not identically zero,

    F_i e^(-d_i x_i) / (F_1 e^(-d_1 x_1))   and   C = (1 - sum_k F_k) e^(d_1 x_1) / F_1

are constants, where 1 is the first class of the support. So K + 1 decisions about single expressions do, in place of
K^2 about the entries of the Jacobian; those are looked at only to show where a function that is not of SoftMax type
fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from softmax_trick.certification import line
from softmax_trick.certification.certificate import Property
from softmax_trick.certification.function import YES, Answer, Function, Point, as_text, property_of
from softmax_trick.certification.smoothness import real_everywhere
from softmax_trick.certification.unknown import Unknown
from softmax_trick.certification.written import written
from softmax_trick.symbolic import normal_form
from softmax_trick.symbolic.enclosure import NotEnclosable, enclose

ENTRIES_LOOKED_AT = 400


@dataclass(frozen=True)
class SoftmaxType:
    """F_i = a_i e^(d_i x_i) / (C + sum_k a_k e^(d_k x_k)) on the support, 0 elsewhere; a_i = 1 for the first.

    Attributes:
        support: the places, from 0, of the components that are not identically zero.
        dilation: d, for every class; 0 where it is not determined.
        weights: a_i for each class of the support.
        slack: C.
    """

    support: tuple[int, ...]
    dilation: tuple[sp.Expr, ...]
    weights: dict[int, sp.Expr]
    slack: sp.Expr

    @property
    def is_positive(self) -> bool:
        """Positive weights and no negative slack, and not one class alone without slack: 0 < F_i < 1 on the support."""
        several = len(self.support) > 1 or self.slack.is_positive
        weights = all(weight.is_positive for weight in self.weights.values())
        return bool(self.support and weights and self.slack.is_nonnegative and several)

    def relocation(self) -> list[str | None]:
        """c_i = -log a_i as text, on the support; None where a_i is not known to be positive, and elsewhere."""
        entries = (self.weights.get(place) for place in range(len(self.dilation)))
        return [written(sp.expand_log(-sp.log(a), force=False)) if a and a.is_positive else None for a in entries]

    def extras(self) -> dict[str, object]:
        """What the certificate says of it, as text."""
        return {
            "dilation": [written(one) for one in self.dilation],
            "relocation": self.relocation(),
            "slack": written(self.slack),
            "support": [place + 1 for place in self.support],
        }


NOTHING: dict[str, object] = {"dilation": None, "relocation": None, "slack": None, "support": None}


def softmax_type(F: Function) -> tuple[Property, SoftmaxType | None]:
    """(P2): whether J = (D_y - y y^T) D_d for some d, and of what form F then is."""
    support = []
    for place, component in enumerate(F.components):
        point = F.point_where(lambda value: 0 not in value, component)
        answer = Answer(False, point) if point else F.zero(component)
        if answer.holds is None:
            return property_of(answer, **NOTHING), None
        if not answer.holds:
            support.append(place)
    base = _base_point(F, support)
    if base is None:
        return property_of(Answer(None, reason="no point was found at which F can be evaluated"), **NOTHING), None
    dilation = tuple(_dilation(F, place, support, base) for place in F.classes)
    first = support[0] if support else None
    weights: dict[int, sp.Expr] = {}
    slack: sp.Expr = sp.S.One if first is None else sp.S.Zero
    for quantity, of in _constants(F, support, dilation):
        value = _at_base(quantity, F, base)
        answer = F.zero(quantity - value)
        if answer.holds is None:
            return property_of(answer, **NOTHING), None
        if not answer.holds:
            return _failure(F, dilation, base), None
        if of is None:
            slack = value
        else:
            weights[of] = value
    if not all(real_everywhere(F, entry) for entry in dilation):
        return property_of(Answer(None, reason="d is not known to exist for all parameters"), **NOTHING), None
    found = SoftmaxType(tuple(support), dilation, weights, slack)
    if vanishing(F, support).holds:
        return Property(True, "exact", reason="by the classification A1c", extras=found.extras()), found
    # (P2) holds for all parameters, as both of its sides are continuous in them; the form, where nothing vanishes.
    reason = "by the classification A1c; c, C and the support are those for parameters for which no component is 0"
    return Property(True, "exact", reason=reason, extras=found.extras()), None


def vanishing(F: Function, support: Sequence[int]) -> Answer:
    """Whether the components of the support vanish nowhere, for any parameters."""
    return next((one for one in map(F.nonzero, (F.components[i] for i in support)) if not one.holds), YES)


def generalised_softmax(unity: Property, positive: Property, p2: Property) -> Property:
    """(P1): F(x) = SoftMax(d * x - c), that is (P2) with positive components that sum to 1."""
    extras = {name: (p2.extras[name] if p2.holds else None) for name in ("dilation", "relocation")}
    for needed in (p2, unity, positive):
        if needed.holds is False:
            return Property(False, "exact", needed.witness, needed.reason, dict.fromkeys(extras))
    if not (p2.holds and unity.holds and positive.holds):
        undecided = next(needed for needed in (p2, unity, positive) if needed.holds is None)
        return Property(None, reason=undecided.reason, extras=dict.fromkeys(extras))
    return Property(True, "exact", reason="by A1r, from (P2), unity and positivity", extras=extras)


def trick(F: Function, p2: Property) -> Property:
    """(P3) for targets in the simplex: the same as (P2), where no component vanishes, for (P3) divides by them."""
    if not p2.holds:
        return Property(p2.holds, p2.rung, p2.witness, p2.reason, {"dilation": None})
    for place, component in enumerate(F.components, start=1):
        answer = Answer(False, next(F.points())) if component == 0 else F.nonzero(component)
        if not answer.holds:
            reason = (
                f"component {place} can be 0" if answer.point else f"whether component {place} can be 0 is not decided"
            )
            return property_of(answer.because(f"{reason}, and the trick divides by it"), dilation=None)
    return Property(True, "exact", reason="by A1.2-3r", extras={"dilation": p2.extras["dilation"]})


# --- how d, a and C are found -----------------------------------------------------------------------------------------


def _base_point(F: Function, support: list[int]) -> Point | None:
    """Values of the scores at which no component of the support vanishes."""
    for point in F.points():
        scores = {score: point[score] for score in F.scores}
        try:
            values = [enclose(line.value_at(F.components[place], point), {}) for place in support]
        except (NotEnclosable, Unknown, line.NowhereDefined):
            continue
        if all(0 not in value for value in values):
            return scores
    return None


def _dilation(F: Function, place: int, support: list[int], base: Point) -> sp.Expr:
    """d_j at the base point, from J_ij = y_i (delta_ij - y_j) d_j for some class i of the support."""
    if place not in support:
        return sp.S.Zero
    y_j = F.components[place]
    for other in sorted(support, key=lambda one: one == place):  # an entry beside the diagonal is simpler
        factor = F.components[other] * (int(other == place) - y_j)
        # Beside the diagonal it is -y_i y_j, and neither vanishes at the base point.
        if other != place or _simplified(factor.xreplace(dict(base))) != 0:
            return _at_base(F.derivative(other, place) / factor, F, base)
    return sp.S.Zero


def _constants(F: Function, support: list[int], dilation: tuple[sp.Expr, ...]) -> list[tuple[sp.Expr, int | None]]:
    """The expressions that are constant iff F is of SoftMax type: the weight of each class, and (None) the slack."""
    if not support:
        return []
    first = support[0]
    scale = sp.exp(dilation[first] * F.scores[first]) / F.components[first]
    quantities: list[tuple[sp.Expr, int | None]] = []
    for place in support:
        undilated = sp.exp(-dilation[place] * F.scores[place])
        quantities.append((F.components[place] * scale * undilated, place))
    return [*quantities, ((1 - sp.Add(*F.components)) * scale, None)]


def _failure(F: Function, dilation: tuple[sp.Expr, ...], base: Point) -> Property:
    """Where an entry of the Jacobian differs from what the dilation, forced at the base point, makes of it."""
    looked_at = 0
    for i in F.classes:
        for j in F.classes:
            looked_at += 1
            if looked_at > ENTRIES_LOOKED_AT:
                break
            y_i, y_j = F.components[i], F.components[j]
            difference = F.derivative(i, j) - y_i * (int(i == j) - y_j) * dilation[j]
            answer = F.zero(difference)
            if answer.holds is False and answer.point is not None:
                forced = ", ".join(map(str, dilation))
                where = ", ".join(f"{score} = {value}" for score, value in base.items())
                reason = f"entry ({i + 1}, {j + 1}) differs from (P2) with d = ({forced}), which is forced at {where}"
                return Property(False, "exact", as_text(answer.point), reason, dict(NOTHING))
    return Property(None, reason="not of SoftMax type, but no entry of the Jacobian shows where", extras=dict(NOTHING))


def _at_base(expression: sp.Expr, F: Function, base: Point) -> sp.Expr:
    """An expression at the base point, unless it has no scores in it anyway."""
    if not expression.free_symbols & set(F.scores):
        return expression
    return _simplified(expression.xreplace(dict(base)))


def _simplified(expression: sp.Expr) -> sp.Expr:
    """An expression in lowest terms."""
    return normal_form(expression).expression()
