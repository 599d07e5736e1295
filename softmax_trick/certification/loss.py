"""The implicit loss: a potential P with grad P = F exists on R^K iff the Jacobian is symmetric (Poincare's lemma).

ISBE sends back F(x) - t, the gradient of P(x) - <x, t>. It is convex iff the Jacobian is positive semidefinite.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy as sp

from softmax_trick.certificate import Property
from softmax_trick.certification.smoothness import continuous, real_everywhere
from softmax_trick.certification.softmax_type import SoftmaxType
from softmax_trick.certification.subject import Answer, Point, Subject, as_text, property_of
from softmax_trick.numeric import NotEnclosable, enclose

NO_LOSS = {"potential": None, "expression": None, "entry": None}


def symmetric_jacobian(subject: Subject, form: SoftmaxType | None) -> Property:
    """dF_i/dx_j = dF_j/dx_i for all i < j; for a SoftMax type, y_i y_j (d_i - d_j) = 0."""
    for i, j in itertools.combinations(subject.classes, 2):
        if form and form.dilation[i] == form.dilation[j]:
            continue
        answer = subject.zero(subject.derivative(i, j) - subject.derivative(j, i))
        if not answer.holds:
            return property_of(answer, entry=[i + 1, j + 1])
    return property_of(Answer(True), entry=None)


def implicit_loss(subject: Subject, symmetric: Property, smooth: Property, form: SoftmaxType | None) -> Property:
    """Whether F(x) - t is a gradient, and of what."""
    extras = {**NO_LOSS, "entry": symmetric.extras.get("entry")}
    if symmetric.holds is not True:
        return Property(symmetric.holds, symmetric.rung, symmetric.witness, symmetric.reason, extras)
    whole = Answer(True) if smooth.holds else continuous(subject)
    if whole.holds is False:
        reason = f"F jumps, and no gradient does (Darboux's theorem): {whole.reason}"
        return Property(False, "exact", as_text(whole.point), reason, extras)
    if not whole.holds:
        return Property(None, reason="F is not known to be continuous", extras=extras)
    potential = _potential(subject, form)
    reason = "" if smooth.holds else "shown where F is differentiable; F is continuous where it is defined"
    if potential is None and not smooth.holds:
        return Property(None, reason="F is not differentiable everywhere, and no closed form was found", extras=extras)
    if potential is None:
        return Property(True, "exact", reason="Poincare's lemma; no closed form was found", extras=extras)
    targets = sp.Add(*(score * sp.Symbol(f"t{n}", real=True) for n, score in enumerate(subject.scores, start=1)))
    extras = {**extras, "potential": str(potential), "expression": str(potential - targets)}
    return Property(True, "exact", reason=reason, extras=extras)


def _potential(subject: Subject, form: SoftmaxType | None) -> sp.Expr | None:
    """A function whose gradient is F, checked by differentiation."""
    for candidate in _candidates(subject, form):
        if candidate.has(sp.Integral) or not candidate.free_symbols <= set(subject.symbols):
            continue
        if not real_everywhere(subject, candidate):
            continue
        differences = (candidate.diff(score) - f for score, f in zip(subject.scores, subject.components, strict=True))
        if all(subject.zero(difference).holds for difference in differences):
            return candidate
    return None


def _candidates(subject: Subject, form: SoftmaxType | None) -> Iterator[sp.Expr]:
    if form and form.support:
        d = form.dilation[form.support[0]]
        if d != 0:
            powers = (a * sp.exp(form.dilation[i] * subject.scores[i]) for i, a in form.weights.items())
            yield sp.log(form.slack + sp.Add(*powers)) / d
    # Score by score: what is left of F_i once the potential so far is taken away depends on x_i and later scores only.
    potential: sp.Expr = sp.S.Zero
    for score, component in zip(subject.scores, subject.components, strict=True):
        rest = sp.simplify(component - potential.diff(score))
        potential += sp.integrate(rest, score)
    yield potential


def convex(subject: Subject, symmetric: Property, form: SoftmaxType | None, smooth: Property) -> Property:
    """Whether the Jacobian is positive semidefinite everywhere, shown by its diagonal, which dominates its rows."""
    if symmetric.holds is not True:
        return Property(None, reason="there is no implicit loss")
    if not (smooth.holds or continuous(subject).holds):
        return Property(None, reason="F is not known to be continuous: its Jacobian does not tell")
    if form and form.support:
        equal = form.dilation[form.support[0]]
        shares = [*form.weights.values(), equal, form.slack]
        if all(sp.sympify(share).is_nonnegative for share in shares):
            return Property(True, "exact", reason="d y_i (1 - sum y) >= 0 dominates each row (Gershgorin)")
    if direction := _downward(subject):
        point, v = direction
        extras = {"direction": [str(entry) for entry in v]}
        return Property(False, "exact", as_text(point), "v^T J v < 0 for the direction v", extras)
    for i in subject.classes:
        rest: sp.Expr = sp.S.Zero
        for j in subject.classes:
            if j == i:
                continue
            off = subject.derivative(i, j)
            if subject.nonnegative(-off).holds:
                rest += off
            elif subject.nonnegative(off).holds:
                rest -= off
            else:
                return Property(None, reason=f"the sign of entry ({i + 1}, {j + 1}) of the Jacobian is not decided")
        if not subject.nonnegative(subject.derivative(i, i) + rest).holds:
            return Property(None, reason=f"row {i + 1} of the Jacobian is not dominated by its diagonal")
    return Property(True, "exact", reason="the diagonal dominates each row (Gershgorin)")


def _downward(subject: Subject) -> tuple[Point, list[int]] | None:
    """A point and a direction v with v^T J v < 0."""
    k = min(subject.k, 6)
    units = [[int(i == one) for i in subject.classes] for one in range(k)]
    directions = [*units, [1] * subject.k]
    directions += [
        [a + sign * b for a, b in zip(u, v, strict=True)]
        for u, v in itertools.combinations(units, 2)
        for sign in (1, -1)
    ]
    for v in directions:
        form = sp.Add(
            *(v[i] * v[j] * subject.derivative(i, j) for i in subject.classes for j in subject.classes if v[i] * v[j])
        )
        for point in itertools.islice(subject.points(), 30):
            try:
                if enclose(form, point) < 0:
                    return point, v
            except NotEnclosable:
                continue
    return None
