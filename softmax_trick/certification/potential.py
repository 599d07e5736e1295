"""The implicit loss: a potential P with grad P = F exists on R^K iff the Jacobian is symmetric (Poincare's lemma).

That holds for a continuous F on all of R^K whose Jacobian is symmetric off the thin set where pieces meet; a partial
function has none, and neither has one that jumps. ISBE sends back F(x) - t, the gradient of P(x) - <x, t>. It is convex
iff the Jacobian is positive semidefinite, where there is one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy as sp

from softmax_trick.certification.certificate import Property
from softmax_trick.certification.function import YES, Answer, Function, Point, as_text, property_of
from softmax_trick.certification.matrices import common_factor
from softmax_trick.certification.pieces import TooManyRegions, pieces_of
from softmax_trick.certification.smoothness import directions, is_continuous, jump_along
from softmax_trick.certification.softmax_type import SoftmaxType
from softmax_trick.certification.written import written

NO_LOSS = {"potential": None, "expression": None, "entry": None}
LARGEST_FOR_MINORS = 3


def symmetric_jacobian(F: Function, form: SoftmaxType | None) -> Property:
    """dF_i/dx_j = dF_j/dx_i for all i < j; for a SoftMax type, y_i y_j (d_i - d_j) = 0."""
    undecided: Property | None = None
    for i, j in itertools.combinations(F.classes, 2):
        if form and form.dilation[i] == form.dilation[j]:
            continue
        answer = F.zero(F.derivative(i, j) - F.derivative(j, i), wide=True)
        if answer.holds is False:
            return property_of(answer, entry=[i + 1, j + 1])
        if answer.holds is None and undecided is None:
            undecided = property_of(answer, entry=[i + 1, j + 1])
    return undecided or property_of(YES, entry=None)


def implicit_loss(F: Function, symmetric: Property, whole: Answer) -> Property:
    """Whether F(x) - t is a gradient; `whole` is whether F is continuous."""
    extras = {**NO_LOSS, "entry": symmetric.extras.get("entry")}
    if symmetric.holds is not True:
        return Property(symmetric.holds, symmetric.rung, symmetric.witness, symmetric.reason, extras)
    if whole.holds is False:
        return _no_gradient(F, whole, extras)
    if not whole.holds:
        return Property(None, reason="F is not known to be continuous", extras=extras)
    reason = "by Poincare's lemma: F is continuous and its Jacobian symmetric; no closed form was found"
    return Property(True, "exact", reason=reason, extras=extras)


def with_potential(F: Function, loss: Property, form: SoftmaxType | None) -> Property:
    """The same, of a loss that there is, with its closed form if one is found."""
    potential = _potential(F, form)
    if potential is None:
        return loss
    targets = sp.Add(*(score * target for score, target in zip(F.scores, _targets(F), strict=True)))
    extras = {**loss.extras, "potential": written(potential), "expression": written(potential - targets)}
    return Property(True, "exact", extras=extras)


def _no_gradient(F: Function, jump: Answer, extras: dict[str, object]) -> Property:
    """F jumps: where <F, v> does along the line in the direction v, it is no derivative (Darboux's theorem)."""
    for v in directions(F):
        along = sp.Add(*(entry * f for entry, f in zip(v, F.components, strict=True)))
        if jump.point and (trouble := jump_along(F, along, jump.point, v)):
            reason = f"F jumps along v = {tuple(v)}, and no gradient does (Darboux's theorem): {trouble}"
            return Property(False, "exact", as_text(jump.point), reason, extras)
    return Property(None, reason=f"F jumps: {jump.reason}", extras=extras)


def _targets(F: Function) -> list[sp.Symbol]:
    """t_1..t_K, by names that no score and no parameter has."""
    taken = {symbol.name for symbol in F.symbols}
    for letter in ("t", "target", "target_"):
        names = [f"{letter}{place + 1}" for place in F.classes]
        if not taken & set(names):
            break
    while taken & set(names):
        names = [f"{name}_" for name in names]
    return [sp.Symbol(name, real=True) for name in names]


def _potential(F: Function, form: SoftmaxType | None) -> sp.Expr | None:
    """A function whose gradient is F: continuous, and with the right derivatives on every piece."""
    for candidate in _candidates(F, form):
        if candidate.has(sp.Integral, sp.I, sp.zoo, sp.nan) or not candidate.free_symbols <= set(F.symbols):
            continue
        if not _has_known_parts(candidate) or not is_continuous(F, candidate):
            continue
        differences = (candidate.diff(score) - f for score, f in zip(F.scores, F.components, strict=True))
        if all(F.zero(difference, wide=True).holds for difference in differences):
            return candidate
    return None


def _has_known_parts(expression: sp.Expr) -> bool:
    known = (sp.exp, sp.log, sp.tanh, sp.sinh, sp.cosh, sp.Piecewise)
    return all(isinstance(node, known) for node in expression.atoms(sp.Function))


def _candidates(F: Function, form: SoftmaxType | None) -> Iterator[sp.Expr]:
    if form and form.support:
        d = form.dilation[form.support[0]]
        if d != 0:
            powers = (a * sp.exp(form.dilation[i] * F.scores[i]) for i, a in form.weights.items())
            yield sp.log(form.slack + sp.Add(*powers)) / d
    if any(f.has(sp.Piecewise) and len(f.free_symbols & set(F.scores)) > 1 for f in F.components):
        return  # SymPy integrates no pieces of several variables, and takes long to find out
    # Score by score: what is left of F_i once the potential so far is taken away depends on x_i and later scores only.
    potential: sp.Expr = sp.S.Zero
    for score, component in zip(F.scores, F.components, strict=True):
        rest = sp.simplify(component - potential.diff(score))
        try:
            potential += sp.integrate(rest, score)
        except (NotImplementedError, ValueError, TypeError, AttributeError, RecursionError):
            return
    yield potential


# --- convexity --------------------------------------------------------------------------------------------------------


def convex(F: Function, loss: Property, form: SoftmaxType | None) -> Property:
    """Whether the Jacobian is positive semidefinite wherever there is one."""
    if loss.holds is not True:
        return Property(None, reason="there is no implicit loss" if loss.holds is False else loss.reason)
    if form and form.support:
        equal = form.dilation[form.support[0]]
        shares = [*form.weights.values(), equal, form.slack]
        if all(sp.sympify(share).is_nonnegative for share in shares):
            return Property(True, "exact", reason="d y_i (1 - sum y) >= 0 dominates each row (Gershgorin)")
    if direction := _downward(F):
        point, v = direction
        extras = {"direction": [str(entry) for entry in v]}
        return Property(False, "exact", as_text(point), "v^T J v < 0 for the direction v", extras)
    for criterion in (_by_factor, _by_diagonals, _by_minors):
        if reason := criterion(F):
            return Property(True, "exact", reason=reason)
    return Property(None, reason="the Jacobian is not known to be positive semidefinite everywhere")


def _by_factor(F: Function) -> str | None:
    factor = common_factor(F)
    if factor is None:
        return None
    scalar, matrix = factor
    for side in (1, -1):
        if F.nonnegative(side * scalar, wide=True).holds and (side * matrix).is_positive_semidefinite:
            return "J is a positive semidefinite matrix times a function that is not negative"
    return None


def _by_diagonals(F: Function) -> str | None:
    for i in F.classes:
        rest: sp.Expr = sp.S.Zero
        for j in F.classes:
            if j == i or (off := F.derivative(i, j)) == 0:
                continue
            if F.nonnegative(-off, wide=True).holds:
                rest += off
            elif F.nonnegative(off, wide=True).holds:
                rest -= off
            else:
                return None
        if not F.nonnegative(F.derivative(i, i) + rest, wide=True).holds:
            return None
    return "the diagonal dominates each row (Gershgorin)"


def _by_minors(F: Function) -> str | None:
    if F.k > LARGEST_FOR_MINORS:
        return None
    try:
        cells = list(pieces_of(sp.Tuple(*F.components), wide=True))
    except TooManyRegions:
        return None
    for region, values in cells:
        jacobian = sp.Matrix(values).jacobian(F.scores)
        for size in range(1, F.k + 1):
            for rows in itertools.combinations(F.classes, size):
                minor = jacobian.extract(list(rows), list(rows)).det(method="berkowitz")
                if not F.nonnegative(minor, region, wide=True).holds:
                    return None
    return "no principal minor of J is negative"


def _downward(F: Function) -> tuple[Point, list[int]] | None:
    """A point, with no boundary of a piece through it, and a direction v with v^T J v < 0."""
    k = min(F.k, 6)
    units = [[int(i == one) for i in F.classes] for one in range(k)]
    tried = [*units, [1] * F.k]
    tried += [
        [a + sign * b for a, b in zip(u, v, strict=True)]
        for u, v in itertools.combinations(units, 2)
        for sign in (1, -1)
    ]
    for v in tried:
        form = sp.Add(*(v[i] * v[j] * F.derivative(i, j) for i in F.classes for j in F.classes if v[i] * v[j]))
        found = _negative(F, form)
        if found:
            return found, v
    return None


def _negative(F: Function, form: sp.Expr) -> Point | None:
    """A point inside a piece at which a quadratic form is negative."""
    try:
        cells = list(pieces_of(form, wide=True))
    except TooManyRegions:
        return None
    for region, piece in cells:
        if piece.is_number and not piece < 0:
            continue
        if point := F.seen(*region, sp.Lt(piece, 0)):
            return point
    return None
