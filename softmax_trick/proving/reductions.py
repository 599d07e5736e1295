"""How aten's reductions, products of matrices and operations of whole vectors are read."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from softmax_trick.language.expression import Call, Expression, Index, Number, Spread
from softmax_trick.proving.indexing import chosen_entries, inside, matches
from softmax_trick.proving.inputs import Dims
from softmax_trick.proving.pointwise import add, as_indices, divide, multiply, real
from softmax_trick.proving.reader import Reader, reads
from softmax_trick.proving.shapes import at_position, stacked, starts, where_is, with_dims
from softmax_trick.proving.values import (
    ONE,
    Indices,
    Real,
    Value,
    apply,
    entry,
    flat,
    negated,
    number,
    own_indices,
    places_of,
    refuse,
    size_number,
    spread,
    summed,
    tabulated,
)


def chosen_dims(dims: Dims, which: Any) -> list[int]:
    """The dimensions along which is reduced: all, one, or several."""
    if which is None or which == []:
        return list(range(len(dims)))
    return sorted({where_is(one, dims) for one in (which if isinstance(which, list) else [which])})


def without(dims: Dims, which: Sequence[int], keep: bool) -> Dims:
    """The dimensions that are left."""
    if keep:
        return tuple(() if n in which else dim for n, dim in enumerate(dims))
    return tuple(dim for n, dim in enumerate(dims) if n not in which)


def total(value: Real, which: Sequence[int], keep: bool) -> Real:
    """The sum along dimensions."""
    places = places_of(value.dims, which)
    return Real(summed(value.finite, flat(value.dims), places), without(value.dims, which, keep))


def count(value: Value, which: Sequence[int]) -> Expression:
    """How many entries there are along dimensions."""
    found: Expression = ONE
    for place in which:
        for axis in value.dims[place]:
            found = apply("multiply", found, size_number(axis))
    return found


@reads("sum.default", "sum.dim_IntList")
def _sum(r: Reader, u: Any, dim: Any = None, keepdim: Any = False) -> Real:
    u = real(r, u)
    return total(u, chosen_dims(u.dims, dim), bool(keepdim))


@reads("all.default", "any.default")
def _all(r: Reader, u: Any) -> Real:
    u = real(r, u)
    if not (isinstance(u.finite, Number) and r.is_boolean(u)):
        refuse("whether all or any entries are true, which depends on the data")
    return Real(u.expression, ())


@reads("mean.default", "mean.dim")
def mean(r: Reader, u: Any, dim: Any = None, keepdim: Any = False) -> Real:
    """The mean along dimensions."""
    u = real(r, u)
    which = chosen_dims(u.dims, dim)
    summed_ = total(u, which, bool(keepdim))
    return Real(apply("divide", summed_.expression, count(u, which)), summed_.dims)


@reads("var.correction", "var_mean.correction")
def _var(r: Reader, u: Any, dim: Any = None, unbiased: Any = True, keepdim: Any = False, correction: Any = None) -> Any:
    correction = (1 if unbiased else 0) if correction is None else correction
    which = chosen_dims(u.dims, dim)
    centre = mean(r, u, list(which), True)
    deviation = apply("subtract", u.finite, spread(centre, u.dims).finite)
    squares = total(Real(apply("multiply", deviation, deviation), u.dims), which, bool(keepdim))
    found = Real(divide(r, squares.expression, apply("subtract", count(u, which), r.scalar(correction))), squares.dims)
    if r.operation.name.startswith("aten.var_mean"):
        return found, mean(r, u, list(which), bool(keepdim))
    return found


@reads("linalg_vector_norm.default", "norm.ScalarOpt_dim", "norm.Scalar")
def _norm(r: Reader, u: Any, order: Any = 2, dim: Any = None, keepdim: Any = False) -> Real:
    which = chosen_dims(u.dims, dim)
    order = float(order)
    if order == 2:
        squares = total(Real(apply("multiply", u.finite, u.finite), u.dims), which, bool(keepdim))
        r.condition("the norm is not 0")
        return Real(apply("power", squares.expression, number(Fraction(1, 2))), squares.dims)
    if order == 1:
        turned = apply("multiply", number(-1), u.finite)
        absolute = apply("where", r.positive(u.finite, number(0)), u.finite, turned)
        return total(Real(absolute, u.dims), which, bool(keepdim))
    if 1 < order < float("inf"):
        turned = apply("multiply", number(-1), u.finite)
        absolute = apply("where", r.positive(u.finite, number(0)), u.finite, turned)
        powers = total(Real(apply("power", absolute, r.scalar(order)), u.dims), which, bool(keepdim))
        r.condition("the norm is not 0")
        return Real(apply("power", powers.expression, r.scalar(1 / order)), powers.dims)
    return refuse(f"the {order:g}-norm")


@reads("cumsum.default")
def _cumsum(r: Reader, u: Any, dim: Any) -> Value:
    u = real(r, u)
    dim = where_is(dim, u.dims)
    so_far = [at_position(r, u, dim, 0)]
    for n in range(1, r.given(u.dims[dim][0]) if u.dims[dim] else 1):
        so_far.append(add(r, so_far[-1], at_position(r, u, dim, n)))
    return stacked(r, so_far, dim)


# --- the largest entry ---


def _extreme(r: Reader, u: Any, dim: Any, keepdim: Any, kind: Any) -> tuple[Real, Value]:
    u = real(r, u)
    which = chosen_dims(u.dims, dim)
    places = places_of(u.dims, which)
    dims = without(u.dims, which, bool(keepdim))
    chosen = r.extreme(u, places, kind)
    by_place = {int(one.label.name.rsplit("_", 1)[1]): one for one in chosen}
    kept = [place for place in range(len(flat(u.dims))) if place not in places]
    axes = flat(dims)
    indices = own_indices(axes)
    terms = [by_place[n] if n in by_place else indices[kept.index(n)] for n in range(len(flat(u.dims)))]
    inside = u.expression
    if u.infinite and any(what != "-inf" for _, what in u.infinite):
        refuse("the largest of values that are infinite where a mask is set")
    value = tabulated(dims, lambda _: entry(inside, terms)) if inside.axes else inside
    where: Value = Indices(((ONE, chosen[0]),), dims) if len(chosen) == 1 else Real(number(0), dims)
    return Real(value, dims), where


@reads("amax.default")
def _amax(r: Reader, u: Any, dim: Any = None, keepdim: Any = False) -> Real:
    return _extreme(r, u, dim, keepdim, "largest")[0]


@reads("amin.default")
def _amin(r: Reader, u: Any, dim: Any = None, keepdim: Any = False) -> Real:
    return _extreme(r, u, dim, keepdim, "smallest")[0]


@reads("max.dim")
def _max(r: Reader, u: Any, dim: Any, keepdim: Any = False) -> Any:
    return _extreme(r, u, dim, keepdim, "largest")


@reads("min.dim")
def _min(r: Reader, u: Any, dim: Any, keepdim: Any = False) -> Any:
    return _extreme(r, u, dim, keepdim, "smallest")


@reads("max.default")
def _max_all(r: Reader, u: Any) -> Real:
    return _extreme(r, u, None, False, "largest")[0]


@reads("min.default")
def _min_all(r: Reader, u: Any) -> Real:
    return _extreme(r, u, None, False, "smallest")[0]


@reads("argmax.default")
def _argmax(r: Reader, u: Any, dim: Any = None, keepdim: Any = False) -> Value:
    if dim is None and len(flat(u.dims)) != 1:
        refuse("the place of the largest entry of a matrix")
    return _extreme(r, u, dim, keepdim, "largest")[1]


@reads("argmin.default")
def _argmin(r: Reader, u: Any, dim: Any = None, keepdim: Any = False) -> Value:
    if dim is None and len(flat(u.dims)) != 1:
        refuse("the place of the smallest entry of a matrix")
    return _extreme(r, u, dim, keepdim, "smallest")[1]


# --- softmax and its family ---


def exponentials(u: Real) -> Expression:
    """exp u, 0 where u is -inf."""
    found: Expression = apply("exp", u.expression)
    for where, what in u.infinite:
        if what != "-inf":
            refuse("the exponential of values that are infinite where a mask is set")
        found = apply("multiply", negated(where), found)
    return found


def mass(r: Reader, u: Real, places: Sequence[int]) -> Expression:
    """The sum of exp u along some axes, of which some entry is not -inf."""
    if u.infinite and places:
        r.condition("not all entries that are put together are masked")
    return summed(exponentials(u), flat(u.dims), places)


def along(function: str, expression: Expression, places: Sequence[int], keeps: bool) -> Expression:
    """A named function of the language along some axes."""
    axes = tuple(axis for n, axis in enumerate(expression.axes) if keeps or n not in places)
    return Call(function, (expression,), tuple(places), axes)


def spread_again(expression: Expression, axes: Sequence[str], places: Sequence[int]) -> Expression:
    """What was reduced, repeated along the axes that it lost."""
    if not expression.axes and len(places) < len(axes):
        return expression
    for place in places:
        expression = Spread(expression, axes[place], place)
    return expression


@reads("_softmax.default", "_safe_softmax.default")
def _softmax(r: Reader, u: Any, dim: Any, *_: Any, **__: Any) -> Real:
    u = real(r, u)
    places = places_of(u.dims, [where_is(dim, u.dims)] if u.dims else [])
    if not places:
        return Real(ONE, u.dims)
    if u.infinite:
        sums = spread_again(mass(r, u, places), flat(u.dims), places)
        return Real(apply("divide", exponentials(u), sums), u.dims)
    if not u.expression.axes:
        return Real(divide(r, ONE, count(u, [where_is(dim, u.dims)])), u.dims)
    return Real(along("softmax", u.expression, places, True), u.dims)


@reads("_log_softmax.default")
def _log_softmax(r: Reader, u: Any, dim: Any, *_: Any) -> Real:
    u = real(r, u)
    places = places_of(u.dims, [where_is(dim, u.dims)] if u.dims else [])
    if not places:
        return Real(number(0), u.dims)
    if u.infinite or not u.expression.axes:
        sums = apply("log", mass(r, u, places))
        return Real(apply("subtract", u.expression, spread_again(sums, flat(u.dims), places)), u.dims, u.infinite)
    return Real(along("log_softmax", u.expression, places, True), u.dims)


@reads("logsumexp.default")
def _logsumexp(r: Reader, u: Any, dim: Any, keepdim: Any = False) -> Real:
    u = real(r, u)
    which = chosen_dims(u.dims, dim)
    places = places_of(u.dims, which)
    dims = without(u.dims, which, bool(keepdim))
    if not places and not u.infinite:
        return Real(u.expression, dims)
    return Real(apply("log", mass(r, u, places)), dims)


@reads("_softmax_backward_data.default")
def _softmax_backward(r: Reader, g: Any, y: Any, dim: Any, *_: Any) -> Real:
    product = multiply(r, g, y)
    inner = total(product, [where_is(dim, product.dims)] if product.dims else [], True)
    return add(r, product, multiply(r, y, inner), -1)


@reads("_log_softmax_backward_data.default")
def _log_softmax_backward(r: Reader, g: Any, y: Any, dim: Any, *_: Any) -> Real:
    g, y = real(r, g), real(r, y)
    inner = total(g, [where_is(dim, g.dims)] if g.dims else [], True)
    return add(r, g, multiply(r, Real(exponentials(y), y.dims), inner), -1)


# --- products of matrices ---


def product(left: Real, right: Real, left_at: str, right_at: str, result: str) -> Real:
    """A product in the notation of Einstein, letter by dimension."""
    axes: dict[str, tuple[str, ...]] = {}
    for letters, value in ((left_at, left), (right_at, right)):
        for letter, dim in zip(letters, value.dims, strict=True):
            if letter in axes and axes[letter] != dim:
                refuse(f"it needs {'*'.join(axes[letter]) or '1'} and {'*'.join(dim) or '1'} to be one size")
            axes[letter] = dim
    inner = [letter for letter in axes if letter not in result]
    dims = tuple(axes[letter] for letter in (*result, *inner))
    begin = dict(zip((*result, *inner), starts(dims), strict=True))

    def body(indices: tuple[Index, ...]) -> Expression:
        def at(value: Real, letters: str) -> Expression:
            terms = [index for one in letters for index in indices[begin[one] : begin[one] + len(axes[one])]]
            return entry(value.finite, terms)

        return apply("multiply", at(left, left_at), at(right, right_at))

    whole = tabulated(dims, body)
    places = places_of(dims, range(len(result), len(dims)))
    if not whole.axes and flat(dims):
        whole = apply("multiply", left.finite, right.finite) if not left.finite.axes else whole
    return Real(summed(whole, flat(dims), places), dims[: len(result)])


@reads("mm.default")
def _mm(r: Reader, a: Any, b: Any, *_: Any) -> Real:
    return product(a, b, "ik", "kj", "ij")


@reads("bmm.default")
def _bmm(r: Reader, a: Any, b: Any, *_: Any) -> Real:
    return product(a, b, "bik", "bkj", "bij")


@reads("mv.default")
def _mv(r: Reader, a: Any, b: Any) -> Real:
    return product(a, b, "ik", "k", "i")


@reads("dot.default", "vdot.default")
def _dot(r: Reader, a: Any, b: Any) -> Real:
    return product(a, b, "k", "k", "")


@reads("addmm.default")
def _addmm(r: Reader, c: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Real:
    return add(r, multiply(r, c, beta), multiply(r, _mm(r, a, b), alpha))


@reads("baddbmm.default")
def _baddbmm(r: Reader, c: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Real:
    return add(r, multiply(r, c, beta), multiply(r, _bmm(r, a, b), alpha))


@reads("addmv.default")
def _addmv(r: Reader, c: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Real:
    return add(r, multiply(r, c, beta), multiply(r, _mv(r, a, b), alpha))


# --- negative log likelihood ---


@reads("nll_loss_forward.default", "nll_loss2d_forward.default")
def _nll_loss(r: Reader, x: Any, target: Any, weight: Any, reduction: Any, ignored: Any) -> tuple[Real, Real]:
    chosen, weights = _nll_parts(r, x, target, weight, int(ignored))
    weighted = multiply(r, chosen, multiply(r, weights, -1))
    which = list(range(len(weights.dims)))
    mass = total(weights, which, False)
    if int(reduction) == 0:
        return weighted, Real(number(0), ())
    summed_ = total(weighted, which, False)
    if int(reduction) == 1:
        return Real(divide(r, summed_.expression, mass.expression), ()), mass
    return summed_, mass


def _nll_parts(r: Reader, x: Any, target: Any, weight: Any, ignored: int) -> tuple[Real, Real]:
    """The entries of the labels, and their weights: 0 where a label is ignored."""
    axis = 1 if len(x.dims) > 1 else 0
    labels = as_indices(r, target)
    place, into = starts(x.dims)[axis], x.dims[axis]
    if len(into) > 1:
        refuse("classes along merged axes")
    dims = without(x.dims, [axis], False)
    labels = spread(labels, dims)
    safe = tuple((where, 0 if isinstance(t, int) and t == ignored else t) for where, t in labels.cases)

    def cases(indices: tuple[Index, ...]) -> Any:
        from softmax_trick.proving.values import substituted

        for where, term in safe:
            if not into:  # of one class
                yield entry(where, indices), indices
                continue
            here = inside(term if isinstance(term, int) else substituted(term, indices), into[0])
            yield entry(where, indices), (*indices[:place], here, *indices[place:])

    def kept_body(indices: tuple[Index, ...]) -> Expression:
        from softmax_trick.proving.values import is_equal, substituted

        found: Expression = number(0)
        for where, term in labels.cases:
            here = term if isinstance(term, int) else substituted(term, indices)
            found = apply("add", found, apply("multiply", entry(where, indices), negated(is_equal(here, ignored))))
        return found

    kept = Real(tabulated(dims, kept_body), dims)
    chosen = chosen_entries(x, dims, cases)
    if chosen.infinite:
        r.condition("no label is masked")
        chosen = Real(chosen.expression, dims)
    if weight is None:
        return chosen, kept
    if not into:
        return chosen, multiply(r, kept, weight)
    weights = chosen_entries(weight, dims, lambda i: ((c, terms[place : place + 1]) for c, terms in cases(i)))
    return chosen, multiply(r, kept, weights)


@reads("nll_loss_backward.default", "nll_loss2d_backward.default")
def _nll_loss_backward(
    r: Reader, g: Any, x: Any, target: Any, weight: Any, reduction: Any, ignored: Any, mass: Any
) -> Real:
    _, weights = _nll_parts(r, Real(x.expression, x.dims), target, weight, int(ignored))
    axis = 1 if len(x.dims) > 1 else 0
    dims = without(x.dims, [axis], False)
    factor = multiply(r, weights, -1)
    if int(reduction) == 1:
        g = Real(divide(r, g.finite, total(weights, list(range(len(dims))), False).expression), ())
    scaled = multiply(r, factor, g)
    scaled = with_dims(scaled, (*dims[:axis], (), *dims[axis:]))
    labels = spread(as_indices(r, target), dims)
    if not x.dims[axis]:
        return real(r, scaled)
    return multiply(r, scaled, Real(matches(r, labels, x.dims, starts(x.dims)[axis]), x.dims))
