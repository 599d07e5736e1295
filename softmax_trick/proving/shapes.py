"""How aten's operations on shapes and positions are read: views, indexing, writing at indices, constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
import torch

from softmax_trick.language.expression import Expression, Index, IndexTerm, Numbered
from softmax_trick.proving.inputs import Dims
from softmax_trick.proving.pointwise import as_indices, choose, real
from softmax_trick.proving.reader import READINGS, Reader, is_zero_or_one, reads
from softmax_trick.proving.values import (
    ONE,
    ZERO,
    Indices,
    Real,
    Value,
    apply,
    common,
    entry,
    flat,
    is_equal,
    moved,
    own_indices,
    refuse,
    spread,
    substituted,
    summed,
    tabulated,
)

EVERYTHING = 2**62  # what stands for "to the end" in a slice


def with_dims(value: Value, dims: Dims) -> Value:
    """The same axes, otherwise merged."""
    if isinstance(value, Indices):
        return Indices(value.cases, dims)
    return Real(value.expression, dims, value.infinite)


def starts(dims: Dims) -> list[int]:
    """The place of the first axis of each dimension."""
    return [sum(len(dim) for dim in dims[:n]) for n in range(len(dims))]


def where_is(dim: int, dims: Dims) -> int:
    """A dimension counted from 0, of one that may be counted from the end."""
    return int(dim) % len(dims) if dims else 0


@reads(
    "alias.default", "clone.default", "detach.default", "lift_fresh_copy.default",
)  # fmt: skip
def _same(r: Reader, u: Value, *_: Any, **__: Any) -> Value:
    return u


@reads("_to_copy.default")
def _cast(r: Reader, u: Value, **_: Any) -> Value:
    meta = r.operation.outputs
    whole = not meta.dtype.is_floating_point and meta.dtype != torch.bool  # type: ignore[union-attr]
    if whole and isinstance(u, Real) and not (r.is_boolean(u) or is_zero_or_one(u.expression)):
        refuse("real numbers cut to whole ones")
    if isinstance(u, Indices) and meta.dtype.is_floating_point:  # type: ignore[union-attr]
        return real(r, u)
    if meta.dtype == torch.bool:  # type: ignore[union-attr]
        from softmax_trick.proving.pointwise import _truth

        return _truth(r, u)
    return u


@reads("view.default", "_unsafe_view.default")
def _view(r: Reader, u: Value, *_: Any) -> Value:
    return with_dims(u, r.regrouped(u.dims, r.shape))


@reads("unsqueeze.default")
def _unsqueeze(r: Reader, u: Value, dim: Any) -> Value:
    place = int(dim) % (len(u.dims) + 1)
    return with_dims(u, (*u.dims[:place], (), *u.dims[place:]))


@reads("squeeze.default", "squeeze.dim", "squeeze.dims")
def _squeeze(r: Reader, u: Value, dim: Any = None) -> Value:
    dims = range(len(u.dims)) if dim is None else [dim] if not isinstance(dim, list) else dim
    places = {where_is(one, u.dims) for one in dims}
    return with_dims(u, tuple(axes for n, axes in enumerate(u.dims) if axes or n not in places))


@reads("expand.default")
def _expand(r: Reader, u: Value, *_: Any, **__: Any) -> Value:
    shape = r.shape
    own = ((),) * (len(shape) - len(u.dims)) + u.dims
    dims = tuple(mine or r.axes_of(size) for mine, size in zip(own, shape, strict=True))
    return spread(u, dims)


@reads("permute.default")
def permute(r: Reader, u: Value, order: Sequence[Any]) -> Value:
    """The dimensions in another order."""
    places = [where_is(one, u.dims) for one in order]
    dims = tuple(u.dims[place] for place in places)
    new = dict(zip(places, starts(dims), strict=True))
    terms = [Index(f"i{new[d] + n}", axis) for d, dim in enumerate(u.dims) for n, axis in enumerate(dim)]
    return moved(u, dims, terms)


@reads("t.default")
def _t(r: Reader, u: Value) -> Value:
    return permute(r, u, range(len(u.dims))[::-1])


@reads("transpose.int")
def _transpose(r: Reader, u: Value, a: Any, b: Any) -> Value:
    order = list(range(len(u.dims)))
    a, b = where_is(a, u.dims), where_is(b, u.dims)
    order[a], order[b] = order[b], order[a]
    return permute(r, u, order)


def at_position(r: Reader, u: Value, dim: int, position: int) -> Value:
    """The entries at a given position along a dimension, which is dropped."""
    axes = u.dims[dim]
    if not axes:
        return with_dims(u, u.dims[:dim] + u.dims[dim + 1 :])
    sizes = [r.given(axis) if position < 0 or len(axes) > 1 else 0 for axis in axes]
    if position < 0:
        total = 1
        for size in sizes:
            total *= size
        position += total
    digits = []
    for size in sizes[:0:-1]:
        digits.append(position % size)
        position //= size
    digits.append(position)
    dims = u.dims[:dim] + u.dims[dim + 1 :]
    begin = starts(u.dims)[dim]
    terms: list[IndexTerm] = list(own_indices(flat(dims)))
    terms[begin:begin] = [Numbered(digit + 1, axis) for digit, axis in zip(digits[::-1], axes, strict=True)]
    return moved(u, dims, terms)


@reads("select.int")
def _select(r: Reader, u: Value, dim: Any, position: Any) -> Value:
    dim = where_is(dim, u.dims)
    position = sympy.sympify(position)
    if not position.is_Integer:
        return refuse(f"the entry {r.in_words(position)}, which is no given number")
    return at_position(r, u, dim, int(position))


@reads("slice.Tensor")
def _slice(r: Reader, u: Value, dim: Any = 0, start: Any = 0, end: Any = EVERYTHING, step: Any = 1) -> Value:
    dim = where_is(dim, u.dims)
    size = r.shape[dim]
    whole = sympy.Integer(1)
    for axis in u.dims[dim]:
        whole *= r.size(axis)
    start = sympy.sympify(0 if start is None else start)
    if sympy.expand(size - whole) == 0 and step == 1 and start == 0:
        return u
    axes = u.dims[dim]
    if axes and step == 1:
        block = whole / r.size(axes[0])
        count = size / block
        first = start / block
        if len(axes) > 1 and count == 1 and first.is_Integer and first >= 0:  # one block of many
            chosen = at_axis(u, dim, [Numbered(int(first) + 1, axes[0])])
            return chosen
    if isinstance(u, Real) and not u.expression.axes and not u.infinite:  # the same everywhere
        return Real(u.expression, (*u.dims[:dim], r.axes_of(size), *u.dims[dim + 1 :]))
    if len(axes) != 1 or not start.is_Integer or not sympy.sympify(size).is_Integer:
        refuse("a part of an axis: declare its size as a number, or as a product such as 4*m")
    begin = int(start) % r.given(axes[0]) if start < 0 else int(start)
    parts = [at_position(r, u, dim, begin + n * int(step)) for n in range(int(size))]
    return stacked(r, parts, dim)


def at_axis(u: Value, dim: int, first: Sequence[IndexTerm]) -> Value:
    """The entries at given positions along the first axes of a dimension, which keeps the others."""
    dims = (*u.dims[:dim], u.dims[dim][len(first) :], *u.dims[dim + 1 :])
    begin = starts(u.dims)[dim]
    terms: list[IndexTerm] = list(own_indices(flat(dims)))
    terms[begin:begin] = list(first)
    return moved(u, dims, terms)


def stacked(r: Reader, parts: Sequence[Value], dim: int) -> Value:
    """Tensors of equal dimensions beside each other along a new dimension."""
    if len(parts) == 1:
        return with_dims(parts[0], (*parts[0].dims[:dim], (), *parts[0].dims[dim:]))
    axis = r.axes_of(len(parts))[0]
    inner = parts[0].dims
    if any(part.dims != inner for part in parts[1:]):
        refuse("tensors of different sizes put together")
    dims = (*inner[:dim], (axis,), *inner[dim:])
    place = starts(dims)[dim]
    if any(isinstance(part, Indices) for part in parts):
        return _stacked_indices([as_indices(r, part) for part in parts], dims, place)

    def body(indices: tuple[Index, ...]) -> Expression:
        rest = indices[:place] + indices[place + 1 :]
        total: Expression = ZERO
        for n, part in enumerate(parts):
            here = apply("multiply", is_equal(indices[place], n), entry(real(r, part).finite, rest))
            total = apply("add", total, here)
        return total

    return Real(tabulated(dims, body), dims)


def _stacked_indices(parts: Sequence[Indices], dims: Dims, place: int) -> Indices:
    """Class indices beside each other along the axis at a place."""
    own = own_indices(flat(dims))
    rest = own[:place] + own[place + 1 :]
    cases: list[tuple[Expression, IndexTerm | int]] = []
    for n, part in enumerate(parts):
        for where, term in part.cases:

            def here(indices: tuple[Index, ...], n: int = n, where: Expression = where) -> Expression:
                others = indices[:place] + indices[place + 1 :]
                return apply("multiply", is_equal(indices[place], n), entry(where, others))

            cases.append((tabulated(dims, here), term if isinstance(term, int) else substituted(term, rest)))
    return Indices(tuple(cases), dims)


@reads("stack.default")
def _stack(r: Reader, parts: Sequence[Value], dim: Any = 0) -> Value:
    return stacked(r, parts, int(dim) % (len(parts[0].dims) + 1))


def _is_given(r: Reader, axes: Sequence[str]) -> bool:
    return all(axis.isdigit() or axis in r.declared.given for axis in axes)


@reads("cat.default")
def _cat(r: Reader, parts: Sequence[Value], dim: Any = 0) -> Value:
    dim = where_is(dim, parts[0].dims)
    if len(parts) == 1:
        return parts[0]
    if all(not part.dims[dim] for part in parts):
        joined = stacked(r, [with_dims(part, part.dims[:dim] + part.dims[dim + 1 :]) for part in parts], dim)
        return joined
    if all(part.dims[dim] == parts[0].dims[dim] for part in parts) and not _is_given(r, parts[0].dims[dim]):
        joined = stacked(r, parts, dim)  # blocks of one size: a new axis in front of it
        merged = (*joined.dims[:dim], joined.dims[dim] + joined.dims[dim + 1], *joined.dims[dim + 2 :])
        return with_dims(joined, merged)
    single: list[Value] = []
    for part in parts:
        if len(part.dims[dim]) > 1:
            refuse("tensors of different sizes put together")
        size = r.given(part.dims[dim][0]) if part.dims[dim] else 1
        single += [at_position(r, part, dim, n) for n in range(size)]
    return stacked(r, single, dim)


@reads("split.Tensor", "split_with_sizes.default", "unbind.int")
def _split(r: Reader, u: Value, size: Any = None, dim: Any = 0) -> list[Value]:
    if r.operation.name == "aten.unbind.int":
        size, dim = None, 0 if size is None else size
    dim = where_is(dim, u.dims)
    axes = u.dims[dim]
    if size is None:
        return [at_position(r, u, dim, n) for n in range(r.given(axes[0]) if axes else 1)]
    outputs = r.operation.outputs
    sizes = [meta.shape[dim] for meta in outputs]  # type: ignore[union-attr]
    whole = sympy.Integer(1)
    for axis in axes[1:]:
        whole *= r.size(axis)
    if len(axes) > 1 and all(one == whole for one in sizes):
        return [at_axis(u, dim, [Numbered(n + 1, axes[0])]) for n in range(len(sizes))]
    if len(axes) != 1:
        refuse("parts of an axis: declare its size as a product such as 4*m")
    r.given(axes[0])
    found, begin = [], 0
    for one in sizes:
        found.append(stacked(r, [at_position(r, u, dim, begin + n) for n in range(int(one))], dim))
        begin += int(one)
    return found


@reads("repeat.default")
def _repeat(r: Reader, u: Value, times: Sequence[Any]) -> Value:
    own = with_dims(u, ((),) * (len(times) - len(u.dims)) + u.dims)
    dims = tuple((*r.axes_of(n), *dim) for n, dim in zip(times, own.dims, strict=True))
    begin = starts(dims)
    terms = [
        Index(f"i{begin[d] + len(dims[d]) - len(dim) + n}", axis)
        for d, dim in enumerate(own.dims)
        for n, axis in enumerate(dim)
    ]
    return moved(own, dims, terms)


@reads("diagonal.default")
def _diagonal(r: Reader, u: Value, offset: Any = 0, dim1: Any = 0, dim2: Any = 1) -> Value:
    a, b = where_is(dim1, u.dims), where_is(dim2, u.dims)
    if offset != 0 or u.dims[a] != u.dims[b] or len(u.dims[a]) != 1:
        refuse("a diagonal beside the main one, or of a matrix that is not square")
    kept = tuple(dim for n, dim in enumerate(u.dims) if n not in (a, b))
    dims = (*kept, u.dims[a])
    last = Index(f"i{len(flat(kept))}", u.dims[a][0])
    terms: list[IndexTerm] = []
    place = 0
    for n, dim in enumerate(u.dims):
        if n in (a, b):
            terms.append(last)
            continue
        terms += [Index(f"i{place + k}", axis) for k, axis in enumerate(dim)]
        place += len(dim)
    return moved(u, dims, terms)


@reads("diag_embed.default")
def _diag_embed(r: Reader, u: Value, offset: Any = 0, dim1: Any = -2, dim2: Any = -1) -> Value:
    if offset != 0 or (dim1, dim2) not in ((-2, -1), (0, 1)) or len(u.dims[-1]) != 1:
        refuse("a diagonal beside the main one")
    dims = (*u.dims, u.dims[-1])
    inside = real(r, u).finite

    def body(indices: tuple[Index, ...]) -> Expression:
        return apply("multiply", is_equal(indices[-2], indices[-1]), entry(inside, indices[:-1]))

    return Real(tabulated(dims, body), dims)


@reads("select_backward.default")
def _select_backward(r: Reader, g: Value, shape: Any, dim: Any, position: Any) -> Value:
    dims = _with_axis(r, g.dims, int(dim) % len(shape), shape)
    place = int(dim) % len(shape)
    if not dims[place]:
        return with_dims(g, dims)
    position = int(position)
    if position < 0:
        position += r.given(dims[place][0])
    return _placed(r, g, dims, place, lambda index: is_equal(index, position))


def _with_axis(r: Reader, dims: Dims, place: int, shape: Sequence[Any]) -> Dims:
    return (*dims[:place], r.axes_of(shape[place]), *dims[place:])


def _placed(r: Reader, g: Value, dims: Dims, place: int, where: Any) -> Value:
    """Values where a condition on the position along one new axis holds, 0 elsewhere."""
    begin = starts(dims)[place]
    inside = real(r, g).finite

    def body(indices: tuple[Index, ...]) -> Expression:
        rest = indices[:begin] + indices[begin + 1 :]
        return apply("multiply", where(indices[begin]), entry(inside, rest))

    return Real(tabulated(dims, body), dims)


@reads("slice_backward.default")
def _slice_backward(r: Reader, g: Value, shape: Any, dim: Any, start: Any, end: Any, step: Any) -> Value:
    dim = int(dim) % len(shape)
    if sympy.sympify(r.trace.operations[r.operation.arguments[0].number].outputs.shape[dim]) == shape[dim]:
        return g
    axes = r.axes_of(shape[dim])
    dims = (*g.dims[:dim], axes, *g.dims[dim + 1 :])
    return _with_entries(r, Real(ZERO, dims), g, dim, start, step)


def _with_entries(r: Reader, u: Value, source: Value, dim: int, start: Any, step: Any) -> Value:
    """The tensor with every so many entries along a dimension replaced."""
    axes, start = u.dims[dim], sympy.sympify(0 if start is None else start)
    if len(axes) != 1 or not start.is_Integer:
        refuse("a write into a part of an axis: declare its size as a number, or as a product such as 4*m")
    begin = int(start) % r.given(axes[0]) if start < 0 else int(start)
    count = r.given(source.dims[dim][0]) if source.dims[dim] else 1
    for n in range(count):
        u = _written(r, u, at_position(r, source, dim, n), dim, begin + n * int(step))
    return u


@reads("copy.default")
def _copy(r: Reader, u: Value, source: Any, *_: Any) -> Value:
    return spread(source if isinstance(source, Indices) else real(r, source), u.dims)


@reads("select_scatter.default")
def _select_scatter(r: Reader, u: Value, source: Value, dim: Any, position: Any) -> Value:
    dim = where_is(dim, u.dims)
    if not u.dims[dim]:
        return with_dims(source, u.dims)
    position = int(position)
    if position < 0:
        position += r.given(u.dims[dim][0])
    return _written(r, u, source, dim, position)


@reads("slice_scatter.default")
def _slice_scatter(
    r: Reader, u: Value, source: Value, dim: Any = 0, start: Any = 0, end: Any = EVERYTHING, step: Any = 1
) -> Value:
    dim = where_is(dim, u.dims)
    if source.dims == u.dims:
        return source
    start = sympy.sympify(0 if start is None else start)
    axes = u.dims[dim]
    if step == 1 and source.dims[dim] == axes[1:]:
        block = sympy.Integer(1)
        for axis in axes[1:]:
            block *= r.size(axis)
        first = start / block
        if first.is_Integer and first >= 0:
            return _written(r, u, source, dim, int(first))
    return _with_entries(r, u, source, dim, start, step)


def _written(r: Reader, u: Value, source: Value, dim: int, position: int) -> Value:
    """The tensor with the entries at one position of the first axis of a dimension replaced."""
    begin = starts(u.dims)[dim]
    old, new = real(r, u).finite, real(r, source).finite

    def body(indices: tuple[Index, ...]) -> Expression:
        rest = indices[:begin] + indices[begin + 1 :]
        return apply("where", is_equal(indices[begin], position), entry(new, rest), entry(old, indices))

    return Real(tabulated(u.dims, body), u.dims)


@reads("flip.default")
def _flip(r: Reader, u: Value, dims: Sequence[Any]) -> Value:
    for dim in dims:
        place = where_is(dim, u.dims)
        size = r.given(u.dims[place][0]) if u.dims[place] else 1
        u = stacked(r, [at_position(r, u, place, size - 1 - n) for n in range(size)], place)
    return u


# --- constants --------------------------------------------------------------------------------------------------------


@reads("full.default", "new_full.default", "full_like.default")
def _full(r: Reader, *arguments: Any, **_: Any) -> Value:
    value = arguments[-1]
    dtype = r.operation.outputs.dtype  # type: ignore[union-attr]
    if isinstance(value, Real):
        return spread(value, r.dims(r.shape))
    if hasattr(value, "free_symbols"):
        return Real(r.scalar(value), r.dims(r.shape))
    return r.uniform(value, r.dims(r.shape), dtype)


def _enter_constant(name: str, value: int) -> None:
    @reads(f"{name}.default", f"{name}_like.default", f"new_{name}.default")
    def reading(r: Reader, *_: Any, **__: Any) -> Value:
        return r.uniform(value, r.dims(r.shape))


_enter_constant("zeros", 0)
_enter_constant("ones", 1)
_enter_constant("empty", 0)  # which is written before it is read; else the self-check notices
READINGS["aten.empty.memory_format"] = READINGS.pop("aten.empty.default")


@reads("fill.Scalar")
def _fill(r: Reader, u: Value, value: Any = 0) -> Value:
    return _full(r, value)


@reads("scalar_tensor.default")
def _scalar_tensor(r: Reader, value: Any, **_: Any) -> Value:
    return _full(r, value)


@reads("arange.default")
def _arange(r: Reader, *bounds: Any, **_: Any) -> Value:
    start, end = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
    if start != 0 or (len(bounds) > 2 and bounds[2] != 1):
        refuse("a counter that does not begin at 0, or has another step than 1")
    axes = r.axes_of(end)
    if len(axes) > 1:
        refuse("a counter over merged axes")
    if not axes:
        return Real(ZERO, ((),))
    return Indices(((ONE, Index("i0", axes[0])),), (axes,))


@reads("eye.default")
def _eye(r: Reader, *_: Any, **__: Any) -> Value:
    dims = r.dims(r.shape)
    if dims[0] != dims[1] or len(dims[0]) > 1:
        refuse("an identity that is not square")
    return Real(tabulated(dims, lambda i: is_equal(*i)) if dims[0] else ONE, dims)


@reads("tril.default", "triu.default")
def _triangle(r: Reader, u: Value, diagonal: Any = 0) -> Value:
    mask = r.mask(u.dims)  # a variable: what is proved holds for every mask
    return choose(r, mask, u, Real(ZERO, ()))


# --- at indices -------------------------------------------------------------------------------------------------------


def _matches(r: Reader, labels: Indices, dims: Dims, place: int) -> Expression:
    """1 where the position at a place is the label of the others."""

    def body(indices: tuple[Index, ...]) -> Expression:
        rest = indices[:place] + indices[place + 1 :]
        total: Expression = ZERO
        for condition, term in labels.cases:
            here = term if isinstance(term, int) else substituted(term, rest)
            total = apply("add", total, apply("multiply", entry(condition, rest), is_equal(indices[place], here)))
        return total

    return tabulated(dims, body)


def chosen_entries(value: Value, dims: Dims, cases: Any) -> Real:
    """The entries at positions that go by case: over new dimensions, (condition, terms) at their indices."""

    def read(expression: Expression) -> Expression:
        if not expression.axes:
            return expression

        def body(indices: tuple[Index, ...]) -> Expression:
            total: Expression = ZERO
            for condition, terms in cases(indices):
                total = apply("add", total, apply("multiply", condition, entry(expression, terms)))
            return total

        return tabulated(dims, body)

    if not isinstance(value, Real):
        return refuse("class indices at class indices")
    return value.each(read, dims)


@reads("gather.default")
def gather(r: Reader, u: Value, dim: Any, index: Any, *_: Any, **__: Any) -> Value:
    """out[i, j] = u[i, index[i, j]]."""
    labels = as_indices(r, index)
    if not u.dims:
        return u
    dim = where_is(dim, u.dims)
    if len(u.dims[dim]) != 1:
        if not u.dims[dim]:
            return spread(u, labels.dims)
        refuse("a choice along merged axes")
    dims = labels.dims
    begin = starts(dims)
    for n, (mine, other) in enumerate(zip(u.dims, dims, strict=True)):
        if n != dim and mine != other and other:
            refuse("a choice from fewer rows than there are")

    def cases(indices: tuple[Index, ...]) -> Any:
        for condition, term in labels.cases:
            terms: list[IndexTerm] = []
            for n, axes in enumerate(u.dims):
                if n == dim:
                    terms.append(_inside(substituted(term, indices) if not isinstance(term, int) else term, axes[0]))
                elif dims[n]:
                    terms += indices[begin[n] : begin[n] + len(axes)]
                else:
                    terms += [Numbered(1, axis) for axis in axes]
            yield entry(condition, indices), terms

    return chosen_entries(u, dims, cases)


def _inside(term: IndexTerm | int, axis: str) -> IndexTerm:
    """A position as an index term along an axis."""
    if isinstance(term, int):
        if term < 0:
            refuse(f"the class {term}, which is none")
        return Numbered(term + 1, axis)
    if term.axis != axis:
        refuse(f"a label into {term.axis} used along {axis}")
    return term


@reads("index_select.default")
def _index_select(r: Reader, u: Value, dim: Any, index: Any) -> Value:
    dim = where_is(dim, u.dims)
    return _entries_at(r, u, [None] * dim + [index])


@reads("embedding.default")
def _embedding(r: Reader, weight: Value, index: Any, *_: Any) -> Value:
    return _entries_at(r, weight, [index])


@reads("index.Tensor")
def _index(r: Reader, u: Value, index: Sequence[Any]) -> Value:
    if any(isinstance(one, Real) and _is_mask(r, n) for n, one in enumerate(index)):
        refuse("entries chosen by a mask, whose number depends on the data")
    return _entries_at(r, u, index)


def _entries_at(r: Reader, u: Value, index: Sequence[Any]) -> Value:
    """u[index, ...] with tensors of positions, broadcast against each other."""
    if isinstance(u, Indices):
        return _labels_at(r, u, index)
    labels, dims, spots = _positions(r, u, index)
    begin = starts(dims)

    def cases(indices: tuple[Index, ...]) -> Any:
        chosen = indices[begin[spots[0]] : begin[spots[0]] + len(flat(tuple(dims[n] for n in spots)))] if spots else ()
        kept = iter([n for n in range(len(dims)) if n not in spots])
        rest: list[Any] = []
        for n, axes in enumerate(u.dims):
            if n < len(index) and index[n] is not None:
                rest.append(None)
            else:
                place = next(kept)
                rest.append(indices[begin[place] : begin[place] + len(axes)])
        for condition, terms in _combined(labels, chosen):
            found: list[IndexTerm] = []
            for n, axes in enumerate(u.dims):
                if rest[n] is not None:
                    found += rest[n]
                elif axes:
                    found.append(_inside(terms[n], axes[0]))
            yield condition, found

    return chosen_entries(u, dims, cases)


def _labels_at(r: Reader, u: Indices, index: Sequence[Any]) -> Value:
    """Labels at positions along their own axes: targets[rows]."""
    labels, dims, _ = _positions(r, u, index)
    if len(u.dims) != 1 or len(labels) != 1 or len(u.cases) != 1:
        refuse("class indices at class indices")
    ((condition, term),) = labels[0].cases
    ((_, inner),) = u.cases
    if isinstance(inner, int) or condition is not ONE:
        refuse("class indices at class indices")
    return Indices(((ONE, substituted(inner, [_inside(term, u.dims[0][0])])),), dims)


def _positions(r: Reader, u: Value, index: Sequence[Any]) -> tuple[dict[int, Indices], Dims, list[int]]:
    """The positions for each indexed dimension, broadcast; the dimensions of the result; which of these are theirs."""
    labels = {n: as_indices(r, one) for n, one in enumerate(index) if one is not None}
    for n in labels:
        if len(u.dims[n]) > 1:
            refuse("a choice along merged axes")
    shared = common(*labels.values())
    labels = {n: spread(one, shared) for n, one in labels.items()}
    which = sorted(labels)
    together = which == list(range(which[0], which[-1] + 1))
    first = which[0] if together else 0
    rest = [dim for n, dim in enumerate(u.dims) if n not in labels]
    dims = (*rest[:first], *shared, *rest[first:])
    return labels, tuple(dims), list(range(first, first + len(shared)))


def _is_mask(r: Reader, place: int) -> bool:
    argument = r.operation.arguments[1][place]
    meta = r.trace.operations[argument.number].outputs
    return meta is not None and getattr(meta, "dtype", None) == torch.bool


def _combined(labels: dict[int, Indices], indices: Sequence[Index]) -> Any:
    """Every combination of cases of several labels: its condition, and the position for each dimension."""
    found: list[tuple[Expression, dict[int, Any]]] = [(ONE, {})]
    for n, one in labels.items():
        found = [
            (
                apply("multiply", condition, entry(where, indices)),
                {**terms, n: term if isinstance(term, int) else substituted(term, indices)},
            )
            for condition, terms in found
            for where, term in one.cases
        ]
    return found


@reads("index_put.default")
def _index_put(r: Reader, u: Value, index: Sequence[Any], value: Any, accumulate: Any = False) -> Value:
    if len(index) == 1 and isinstance(index[0], Real) and _is_mask(r, 0):
        if accumulate or flat(value.dims):
            refuse("values written where a mask is set, whose number depends on the data")
        mask = with_dims(index[0], index[0].dims + ((),) * (len(u.dims) - len(index[0].dims)))
        r.declare_boolean(mask)
        return choose(r, mask, value, u)
    labels, dims, spots = _positions(r, u, index)
    written = real(r, spread(real(r, value), dims)).finite
    old = real(r, u).finite
    own, begin = starts(u.dims), starts(dims)
    loops = flat(tuple(dims[n] for n in spots))
    kept = [n for n in range(len(dims)) if n not in spots]
    free = [n for n in range(len(u.dims)) if n not in labels]
    # An index tensor that counts along an axis says where, along it, an entry was written from.
    solved: dict[int, int] = {}
    for n, label in labels.items():
        if len(label.cases) == 1 and isinstance(label.cases[0][1], Index) and u.dims[n]:
            solved.setdefault(int(label.cases[0][1].name[1:]), n)
    unsolved = [place for place in range(len(loops)) if place not in solved]
    if unsolved and not accumulate:
        refuse("a write at positions that may coincide")

    def terms_at(indices: Sequence[Index], inner: Sequence[IndexTerm]) -> tuple[Expression, Expression]:
        """Whether the entry is written from there, and the value."""
        condition: Expression = ZERO
        for where, chosen in _combined(labels, ()) if not loops else _combined_at(labels, inner):
            both = where
            for n in labels:
                if u.dims[n]:
                    both = apply("multiply", both, is_equal(indices[own[n]], chosen[n]))
            condition = apply("add", condition, both)
        found: list[IndexTerm] = [None] * len(flat(dims))  # type: ignore[list-item]
        for k, place in enumerate(range(begin[spots[0]], begin[spots[0]] + len(loops)) if spots else ()):
            found[place] = inner[k]
        for n, m in zip(kept, free, strict=True):
            for k in range(len(u.dims[m])):
                found[begin[n] + k] = indices[own[m] + k]
        return condition, entry(written, found)

    if not accumulate or not unsolved:

        def body(indices: tuple[Index, ...]) -> Expression:
            inner = [indices[own[solved[place]]] for place in range(len(loops))]
            condition, new = terms_at(indices, inner)
            before = entry(old, indices)
            if accumulate:
                return apply("add", before, apply("multiply", condition, new))
            return apply("where", condition, new, before)

        return Real(tabulated(u.dims, body), u.dims)
    dims_all = (*u.dims, *((axis,) for axis in loops))
    count = len(flat(u.dims))

    def term(indices: tuple[Index, ...]) -> Expression:
        condition, new = terms_at(indices[:count], indices[count:])
        return apply("multiply", condition, new)

    total = summed(tabulated(dims_all, term), flat(dims_all), range(count, count + len(loops)))
    return Real(apply("add", old, total), u.dims)


def _combined_at(labels: dict[int, Indices], inner: Sequence[IndexTerm]) -> Any:
    return _combined(labels, inner)  # type: ignore[arg-type]


@reads("scatter.value", "scatter.src", "scatter_add.default", "scatter_reduce.two")
def _scatter(r: Reader, u: Value, dim: Any, index: Any, src: Any, reduce: Any = None, **_: Any) -> Value:
    if reduce is not None and (reduce not in ("add", "sum") or _.get("include_self") is False):
        refuse(f"a scatter that reduces by {reduce}")
    adds = r.operation.name == "aten.scatter_add.default" or reduce is not None
    dim = where_is(dim, u.dims)
    labels = as_indices(r, index)
    source = spread(real(r, src), labels.dims) if not real(r, src).dims else real(r, src)
    if source.dims != labels.dims:
        refuse("a scatter from a larger tensor")
    for n, (mine, other) in enumerate(zip(u.dims, labels.dims, strict=True)):
        if n != dim and mine != other:
            refuse("a scatter into fewer rows than there are")
    if not u.dims[dim]:
        return refuse("a scatter along a dimension of 1")
    if len(u.dims[dim]) > 1 or len(labels.dims[dim]) > 1:
        refuse("a scatter along merged axes")
    old, new = real(r, u).finite, source.finite
    begin = starts(u.dims)[dim]
    many = bool(labels.dims[dim])
    if many and not adds:
        refuse("a write at positions that may coincide")

    def at(indices: Sequence[IndexTerm], rest: Sequence[IndexTerm]) -> tuple[Expression, Expression]:
        condition: Expression = ZERO
        for where, term in labels.cases:
            here = term if isinstance(term, int) else substituted(term, rest)
            equal = is_equal(indices[begin], here)
            condition = apply("add", condition, apply("multiply", entry(where, rest), equal))
        return condition, entry(new, rest)

    if not many:

        def body(indices: tuple[Index, ...]) -> Expression:
            condition, value = at(indices, indices[:begin] + indices[begin + 1 :])
            if adds:
                return apply("add", entry(old, indices), apply("multiply", condition, value))
            return apply("where", condition, value, entry(old, indices))

        return Real(tabulated(u.dims, body), u.dims)
    dims = (*u.dims, labels.dims[dim])
    count = len(flat(u.dims))

    def term(indices: tuple[Index, ...]) -> Expression:
        rest = (*indices[:begin], indices[count], *indices[begin + 1 : count])
        condition, value = at(indices, rest)
        return apply("multiply", condition, value)

    total = summed(tabulated(dims, term), flat(dims), [count])
    return Real(apply("add", old, total), u.dims)
