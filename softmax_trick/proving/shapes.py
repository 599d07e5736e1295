"""How aten's operations on shapes are read: views, slices, stacks, diagonals, and writing where these are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
import torch

from softmax_trick.language.expression import Expression, Index, IndexTerm, Numbered
from softmax_trick.proving.inputs import Dims
from softmax_trick.proving.pointwise import as_indices, real
from softmax_trick.proving.reader import Reader, is_zero_or_one, reads
from softmax_trick.proving.values import (
    ZERO,
    Indices,
    Real,
    Value,
    apply,
    entry,
    flat,
    is_equal,
    moved,
    own_indices,
    refuse,
    spread,
    substituted,
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


@reads("diagonal.default", "diagonal_copy.default")
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


@reads("diagonal_backward.default")
def _diagonal_backward(r: Reader, g: Value, shape: Any, offset: Any, dim1: Any, dim2: Any) -> Value:
    if len(shape) != 2 or (dim1, dim2) != (0, 1) or r.axes_of(shape[0]) != r.axes_of(shape[1]):
        refuse("a diagonal of several matrices, or of one that is not square")
    return _diag_embed(r, g, offset)


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


@reads("roll.default")
def _roll(r: Reader, u: Value, shifts: Sequence[Any], dims: Sequence[Any] = ()) -> Value:
    if not dims:
        refuse("a tensor turned as one row")
    for shift, dim in zip(shifts, dims, strict=True):
        place = where_is(dim, u.dims)
        size = r.given(u.dims[place][0]) if u.dims[place] else 1
        u = stacked(r, [at_position(r, u, place, (n - int(shift)) % size) for n in range(size)], place)
    return u


@reads("constant_pad_nd.default")
def _pad(r: Reader, u: Value, amounts: Sequence[Any], value: Any = 0) -> Value:
    for last, (before, after) in enumerate(zip(amounts[::2], amounts[1::2], strict=True), 1):
        if before == 0 and after == 0:
            continue
        dim = len(u.dims) - last
        size = r.given(u.dims[dim][0]) if u.dims[dim] else 1
        rest = u.dims[:dim] + u.dims[dim + 1 :]
        parts = [
            at_position(r, u, dim, n) if 0 <= n < size else r.uniform(value, rest)
            for n in range(-int(before), size + int(after))
        ]
        u = stacked(r, parts, dim)
    return u
