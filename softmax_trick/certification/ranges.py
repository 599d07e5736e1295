"""Order, bounds and Lipschitz constants of F.

For a SoftMax type with positive weights they follow from its form; for functions of one linear form of the scores from
the line (`extent`); else a bound is a candidate that is proved, and the supremum one that is also a value or a limit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import sympy as sp

from softmax_trick.certification import line
from softmax_trick.certification.certificate import Property
from softmax_trick.certification.extent import Extent, extent
from softmax_trick.certification.function import YES, Answer, Function, as_text, property_of
from softmax_trick.certification.matrices import common_factor, spectral_norm
from softmax_trick.certification.pieces import TooManyRegions, pieces_of, relations
from softmax_trick.certification.reals import is_algebraic
from softmax_trick.certification.softmax_type import SoftmaxType
from softmax_trick.certification.unknown import Unknown
from softmax_trick.certification.written import written

HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)
LEVELS = tuple(map(sp.Integer, (0, 1, -1, 2, -2)))  # bounds that are tried, the tightest that holds is taken
NOTHING = {"bound": None, "exact": None}


def positive(F: Function, form: SoftmaxType | None) -> Property:
    """Whether every component is positive everywhere."""
    if form and form.is_positive and len(form.support) == F.k:
        return property_of(YES)
    answer = YES
    for component in F.components:
        found = F.positive(component)
        if found.holds is False:
            return property_of(found)
        answer = answer if found.holds else found
    return property_of(answer)


# --- order ------------------------------------------------------------------------------------------------------------


def order_preserving(F: Function, form: SoftmaxType | None, whole: Answer) -> Property:
    """x_i >= x_j implies F_i >= F_j; the witness has x_i >= x_j and F_i < F_j. `whole` is whether F is continuous."""
    if form and form.is_positive and len(form.support) == F.k and _is_symmetric(form):
        return Property(True, "exact", reason="equal dilations, not negative, and equal relocations")
    if answer := _reversed(F):
        return property_of(answer)
    for i, j in itertools.permutations(F.classes, 2):
        answer = _in_order(F, i, j, bool(whole.holds))
        if not answer.holds:
            return property_of(answer)
    return property_of(YES)


def _in_order(F: Function, i: int, j: int, is_continuous: bool) -> Answer:
    x_i, x_j = F.scores[i], F.scores[j]
    difference = F.components[i] - F.components[j]
    if is_algebraic(difference):
        answer = F.never(sp.Ge(x_i, x_j), sp.Lt(difference, 0))
        if answer.holds is not None:
            return answer if answer.holds else answer.because(f"x{i + 1} >= x{j + 1}, but F{i + 1} < F{j + 1}")
    tied = difference.xreplace({x_i: x_j})
    if is_continuous and F.zero(tied).holds:
        rises = F.derivative(i, i) - F.derivative(j, i)
        if F.nonnegative(rises, wide=True).holds:
            return YES  # equal at ties, and the difference grows with x_i
    more = sp.Dummy("p", nonnegative=True)
    if F.nonnegative(difference.xreplace({x_i: x_j + more})).holds:
        return YES
    return Answer(None, reason=f"whether x{i + 1} >= x{j + 1} keeps the order was not decided")


def _reversed(F: Function) -> Answer | None:
    """A point at which the order of two scores is not that of their components."""
    for point in F.points():
        for i, j in itertools.permutations(range(min(F.k, 8)), 2):
            if not point[F.scores[i]] >= point[F.scores[j]]:
                continue
            try:
                values = [line.value_at(F.components[place], point) for place in (i, j)]
                if line.sign_of(values[0] - values[1]) < 0 and F.holds_at(F.given, point):
                    return Answer(False, point, f"x{i + 1} >= x{j + 1}, but F{i + 1} < F{j + 1}")
            except (Unknown, line.NowhereDefined):
                continue
    return None


# --- bounds -----------------------------------------------------------------------------------------------------------


def bounded(F: Function, form: SoftmaxType | None) -> Property:
    """Whether every component is bounded, by what, and what its infimum and supremum are."""
    found = [_range_of(F, place, component, form) for place, component in enumerate(F.components)]
    ranges = [[_text(one.low, one.low_exact), _text(one.high, one.high_exact)] for one in found]
    bounds = [[_text(one.low), _text(one.high)] for one in found]
    extras = {"range": _known(ranges), "bound": _known(bounds)}
    for place, one in enumerate(found, start=1):
        if (one.low == -sp.oo and one.low_exact) or (one.high == sp.oo and one.high_exact):
            return Property(False, "exact", reason=f"component {place} grows without bound", extras=extras)
    if any(end is None for one in found for end in (one.low, one.high)):
        return Property(None, reason="no bound was found for some component", extras=extras)
    return Property(True, "exact", extras=extras)


def _known(ends: list[list[str | None]]) -> list[list[str | None]] | None:
    return ends if any(end is not None for pair in ends for end in pair) else None


def _text(end: sp.Expr | None, shown: bool = True) -> str | None:
    return written(end) if end is not None and shown else None


def _range_of(F: Function, place: int, component: sp.Expr, form: SoftmaxType | None) -> Extent:
    if form and place not in form.support:
        return Extent(sp.S.Zero, sp.S.Zero)
    if not component.free_symbols & set(F.scores):
        return Extent(component, component)
    if form and form.is_positive:
        return _of_form(form, place)
    return _extent_of(F, component)


def _of_form(form: SoftmaxType, place: int) -> Extent:
    """a_i e^(d_i x_i) / w takes all of (0, 1) if d_i is not 0; otherwise w has no limit but its constant part."""
    d = form.dilation[place]
    if d.is_nonzero:
        return Extent(sp.S.Zero, sp.S.One)
    fixed = [other for other in form.support if form.dilation[other] == 0]
    moving = [other for other in form.support if form.dilation[other].is_nonzero]
    if d == 0 and moving and len(fixed) + len(moving) == len(form.support):
        high = sp.cancel(form.weights[place] / (form.slack + sp.Add(*(form.weights[other] for other in fixed))))
        return Extent(sp.S.Zero, high)
    return Extent(sp.S.Zero, sp.S.One, low_exact=False, high_exact=False)


def _extent_of(F: Function, function: sp.Expr) -> Extent:
    """Infimum and supremum of a continuous or piecewise function, or bounds, as far as they are found."""
    if profile := F.profile(function):
        try:
            return extent(F, profile)
        except Unknown:
            pass
    values = _approached(F, function)
    tried = sorted({*LEVELS, *(value for value in values if value.is_Rational)})
    low = None if -sp.oo not in values else -sp.oo
    high = None if sp.oo not in values else sp.oo
    if low is None:
        low = next((one for one in reversed(tried) if F.nonnegative(function - one).holds), None)
    if high is None:
        high = next((one for one in tried if F.nonnegative(one - function).holds), None)
    return Extent(low, high, low in values, high in values)


def _approached(F: Function, function: sp.Expr) -> set[sp.Expr]:
    """Values of a function, and its limits along some rays."""
    if function.free_symbols - set(F.scores):
        return set()  # limits and values for some parameters are not those for others
    found: set[sp.Expr] = set()
    for point in itertools.islice(F.points(), 5):
        try:
            found.add(line.value_at(function, point))
        except (Unknown, line.NowhereDefined):
            continue
    used = [score for score in F.scores if function.has(score)][:4]
    origin = dict.fromkeys(F.scores, sp.S.Zero)
    s = sp.Dummy("s", real=True)
    rays = [origin | {score: s} for score in used] + [dict.fromkeys(F.scores, s)]
    rays += [origin | {a: s, b: -s} for a, b in itertools.combinations(used[:3], 2)]
    for ray in rays:
        try:
            found |= _limits(function.xreplace(ray), s)
        except Unknown:
            continue
    return found


def _limits(function: sp.Expr, x: sp.Symbol) -> set[sp.Expr]:
    """The limits of a function of one variable at both ends of the line."""
    found = set()
    cut = line.resolved([function], x)
    for (_, (piece,)), end in ((cut[0], -sp.oo), (cut[-1], sp.oo)):
        if not isinstance(piece, sp.Expr):
            raise Unknown("it is not defined far out")
        found.add(line.limit(piece, x, end))
    return found


# --- Lipschitz --------------------------------------------------------------------------------------------------------


def lipschitz(F: Function, form: SoftmaxType | None, whole: Answer) -> Property:
    """A Lipschitz constant in the 2-norm, and whether it is the smallest one; `whole` is whether F is continuous."""
    if form and form.is_positive:
        return _found(*_of_softmax_type(form), "the spectral norm of (D_y - y y^T) D_d")
    if form and not form.support:
        return _found(sp.S.Zero, True)
    if whole.holds is False:
        return Property(False, "exact", as_text(whole.point), f"F jumps: {whole.reason}", NOTHING)
    if not whole.holds:
        return Property(None, reason="F is not known to be continuous", extras=NOTHING)
    if found := _of_constant_pieces(F):
        return found
    if any(F.derivative(i, j) != 0 for i, j in itertools.permutations(F.classes, 2)):
        factor = common_factor(F)
        if factor and (norm := spectral_norm(factor[1])) is not None:
            return _largest(F, [factor[0]], norm)
        return _by_entries(F)
    return _largest(F, [F.derivative(place, place) for place in F.classes], sp.S.One)


def _found(bound: sp.Expr, exact: bool, reason: str = "") -> Property:
    return Property(True, "exact", reason=reason, extras={"bound": written(bound), "exact": exact})


def _largest(F: Function, slopes: Sequence[sp.Expr], scale: sp.Expr) -> Property:
    """The largest of some slopes, in size, times a constant."""
    sizes = [_size_of(F, slope) for slope in slopes]
    if any(size == sp.oo for size, _ in sizes):
        return Property(False, "exact", reason="a slope grows without bound", extras=NOTHING)
    known = [(size, exact) for size, exact in sizes if size is not None]
    if len(known) < len(sizes):
        return Property(None, reason="the largest slope of some component was not found", extras=NOTHING)
    numbers = [size for size, _ in known]
    largest = sp.Max(*numbers) if all(size.is_number for size in numbers) else sp.Max(*dict.fromkeys(numbers))
    exact = all(exact for _, exact in known) or any(exact and size == largest for size, exact in known)
    return _found(
        sp.nsimplify(largest * scale) if largest.is_Rational else sp.simplify(largest * scale),
        exact,
        "the largest slope",
    )


def _size_of(F: Function, slope: sp.Expr) -> tuple[sp.Expr | None, bool]:
    """The supremum of |slope| off the thin set where pieces meet, or a bound of it; None if there is none known."""
    if not slope.free_symbols & set(F.scores):
        return sp.Abs(slope), not slope.has(sp.Piecewise)
    if profile := F.profile(slope):
        try:
            return extent(F, profile, wide=True).size()
        except Unknown:
            pass
    values = _approached_inside(F, slope)
    if {sp.oo, -sp.oo} & values:
        return sp.oo, True
    sizes = sorted({sp.Abs(value) for value in values if value.is_Rational} | {sp.S.One, HALF, QUARTER})
    for size in sizes:
        if all(F.nonnegative(size - side * slope, wide=True).holds for side in (1, -1)):
            return size, size in {sp.Abs(value) for value in values}
    return None, False


def _approached_inside(F: Function, slope: sp.Expr) -> set[sp.Expr]:
    """Values and limits that count for the supremum of a slope: where no pieces meet."""
    if not slope.has(sp.Piecewise):
        return _approached(F, slope)
    if slope.free_symbols - set(F.scores):
        return set()
    s = sp.Dummy("s", real=True)
    found: set[sp.Expr] = set()
    for turn in (1, -1):
        ray = {score: sp.Rational(n, 7) + turn ** (n - 1) * n * s for n, score in enumerate(F.scores, start=1)}
        try:
            differences = [(one.lhs - one.rhs).xreplace(ray) for one in relations(slope)]
            if all(line.zeros(difference, s) is not None for difference in differences):  # no boundary along the ray
                found |= _limits(slope.xreplace(ray), s)
        except Unknown:
            continue
    return found


def _of_constant_pieces(F: Function) -> Property | None:
    """Of a continuous function that is linear on each piece: the largest spectral norm of a piece with inner points."""
    entries = [F.derivative(i, j) for i in F.classes for j in F.classes]
    if len(set(entries)) <= 2 and not any(entry.has(sp.Piecewise) for entry in entries) and F.k > 16:
        return None
    if all(entry == 0 for place, entry in enumerate(entries) if place % (F.k + 1)):
        return None  # each component has its own score: slope by slope
    if not all(_is_constant(F, entry) for entry in entries):
        return None
    if any(entry.free_symbols - set(F.scores) for entry in entries):
        return None
    norms = []
    try:
        for _, values in pieces_of(sp.Tuple(*F.components), wide=True):
            norms.append(spectral_norm(sp.Matrix(values).jacobian(F.scores)))
    except TooManyRegions:
        return None
    if not norms or None in norms:
        return None
    return _found(sp.Max(*norms), True, "the largest spectral norm of a linear piece")


def _is_constant(F: Function, entry: sp.Expr) -> bool:
    if not entry.has(sp.Piecewise):
        return entry.is_number
    return all(value.is_number for value in _values(entry))


def _values(entry: sp.Expr) -> Iterator[sp.Expr]:
    """What stands in the pieces of an expression."""
    if isinstance(entry, sp.Piecewise):
        for value, _ in entry.args:
            yield from _values(value)
    elif entry.has(sp.Piecewise):
        for argument in entry.args:
            yield from _values(argument)
    else:
        yield entry


def _by_entries(F: Function) -> Property:
    """The Frobenius norm of bounds of the entries."""
    sizes = []
    for i, j in itertools.product(F.classes, repeat=2):
        size, exact = _size_of(F, F.derivative(i, j)) if F.k <= 4 else (None, False)
        if size == sp.oo and exact:
            reason = f"entry ({i + 1}, {j + 1}) of the Jacobian grows without bound"
            return Property(False, "exact", reason=reason, extras=NOTHING)
        if size is None or size == sp.oo:
            reason = (
                "F is neither of SoftMax type nor acts on each score alone, and its Jacobian is not known to be bounded"
            )
            return Property(None, reason=reason, extras=NOTHING)
        sizes.append(size)
    return _found(sp.sqrt(sp.Add(*(size**2 for size in sizes))), False, "a bound of the Frobenius norm of the Jacobian")


def _of_softmax_type(form: SoftmaxType) -> tuple[sp.Expr, bool]:
    """1/2 max |d|, approached where two classes with that |d| share all weight; 1/4 |d| for one class with slack.

    Of two classes without slack J is y_1 y_2 ((d_1, -d_2), (-d_1, d_2)), and y_1 y_2 is 1/4 at most.
    """
    if len(form.support) == 2 and form.slack == 0:
        return sp.sqrt(2 * sp.Add(*(form.dilation[place] ** 2 for place in form.support))) / 4, True
    sizes = [sp.Abs(form.dilation[place]) for place in form.support]
    # Many unknown sizes take SymPy long to compare, to no avail.
    numbers, others = [size for size in sizes if size.is_number], [size for size in sizes if not size.is_number]
    known = [sp.Max(*numbers)] if numbers else []
    largest = sp.Max(*known, *dict.fromkeys(others), evaluate=len(others) < 2)
    if len(form.support) == 1:
        return (sp.S.Zero if form.slack == 0 else QUARTER * largest), True
    return HALF * largest, sizes.count(largest) >= 2 or largest == 0


def _is_symmetric(form: SoftmaxType) -> bool:
    """Whether all classes have one dilation, not negative, and one weight."""
    alike = len(set(form.dilation)) == 1 and len(set(form.weights.values())) == 1
    return alike and bool(form.dilation[0].is_nonnegative)
