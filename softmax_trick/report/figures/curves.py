"""Expressions of the library as functions of numpy arrays, to draw them; vectors with given entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from softmax_trick.language.grammar import parse
from softmax_trick.symbolic import GivenK, Vector
from softmax_trick.symbolic.reading import side

Array = NDArray[np.float64]


def vector_of(*entries: sp.Expr | int) -> Vector:
    """The vector with these entries, over as many classes."""
    values = sp.Tuple(*entries)
    return Vector(GivenK(len(entries)), lambda i: values[int(i) - 1])


def valued(text: str, let: str, **values: Vector | sp.Expr | int) -> Vector:
    """A vector of the language at these values of its variables, over as many classes as the vectors among them."""
    classes = next(value.classes for value in values.values() if isinstance(value, Vector))
    expression = parse(text, let)
    known: dict[sp.Expr, sp.Expr] = {}
    for variable in expression.variables:
        symbol, value = side(variable, classes), values[variable.name]
        if isinstance(value, Vector):
            known |= {symbol[k]: value[k] for k in range(1, classes.size + 1)}
        else:
            known[symbol] = sp.sympify(value, strict=True)
    return side(expression, classes).map(lambda entry: entry.xreplace(known))


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
