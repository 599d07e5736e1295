"""How aten's operations that make constants are read: full, arange, eye, triangles."""

from __future__ import annotations

from typing import Any

from softmax_trick.language.expression import Index
from softmax_trick.proving.pointwise import choose
from softmax_trick.proving.reader import READINGS, Reader, reads
from softmax_trick.proving.values import (
    ONE,
    ZERO,
    Indices,
    Real,
    Value,
    is_equal,
    refuse,
    spread,
    tabulated,
)


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
    key = (r.operation.name, str(diagonal), u.dims)
    if key not in r.triangles:
        r.triangles[key] = r.mask(u.dims)  # a variable: what is proved holds for every mask
    return choose(r, r.triangles[key], u, Real(ZERO, ()))
