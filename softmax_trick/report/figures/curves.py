"""Expressions of the library as functions of numpy arrays, to draw them; vectors with given entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from softmax_trick.symbolic import GivenK, Vector

Array = NDArray[np.float64]


def vector_of(*entries: sp.Expr | int) -> Vector:
    """The vector with these entries, over as many classes."""
    values = sp.Tuple(*entries)
    return Vector(GivenK(len(entries)), lambda i: values[int(i) - 1])


def function_of(arguments: Sequence[sp.Symbol], expression: sp.Expr) -> Callable[..., Array]:
    """An expression in these symbols as a function of float64 arrays of one shape, a constant one included.

    What has no value, such as a division by zero, is not a number.
    """
    compiled = sp.lambdify(arguments, expression, "numpy")

    def evaluated(*values: Any) -> Array:
        with np.errstate(all="ignore"):
            found = compiled(*(np.asarray(value, dtype=float) for value in values))
        return np.where(np.isfinite(found), found, np.nan) + np.zeros(np.broadcast(*values).shape)

    return evaluated
