"""How aten's operations on entries at given positions are read: gathering them, and writing there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from softmax_trick.language.expression import Expression, Index, IndexTerm, Numbered
from softmax_trick.proving.inputs import Dims
from softmax_trick.proving.pointwise import as_indices, choose, real
from softmax_trick.proving.reader import Reader, reads
from softmax_trick.proving.shapes import starts, where_is, with_dims
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
    negated,
    refuse,
    spread,
    substituted,
    summed,
    tabulated,
)


def matches(r: Reader, labels: Indices, dims: Dims, place: int) -> Expression:
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
                    terms.append(inside(substituted(term, indices) if not isinstance(term, int) else term, axes[0]))
                elif dims[n]:
                    terms += indices[begin[n] : begin[n] + len(axes)]
                else:
                    terms += [Numbered(1, axis) for axis in axes]
            yield entry(condition, indices), terms

    return chosen_entries(u, dims, cases)


def inside(term: IndexTerm | int, axis: str) -> IndexTerm:
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
                    found.append(inside(terms[n], axes[0]))
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
    return Indices(((ONE, substituted(inner, [inside(term, u.dims[0][0])])),), dims)


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


@reads("index_add.default")
def _index_add(r: Reader, u: Value, dim: Any, index: Any, source: Any, alpha: Any = 1) -> Value:
    if alpha != 1:
        refuse("a multiple that is added")
    return _index_put(r, u, [None] * where_is(dim, u.dims) + [index], source, True)


@reads("embedding_dense_backward.default")
def _embedding_backward(r: Reader, g: Value, index: Any, rows: Any, padding: Any, by_frequency: Any) -> Value:
    if by_frequency:
        refuse("rows weighted by their frequency")
    zeros = r.uniform(0, r.dims(r.shape))
    found = real(r, _index_put(r, zeros, [index], g, True))
    if padding < 0 or not found.dims[0]:
        return found
    kept = tabulated(found.dims, lambda indices: negated(is_equal(indices[0], int(padding))))
    return Real(apply("multiply", kept, found.finite), found.dims)


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
