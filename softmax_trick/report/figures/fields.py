"""Fields of two scores: their work along closed polygons, 0 for a gradient, and the curl that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.integrate import dblquad, quad

from softmax_trick.report.figures.curves import Array, function_of
from softmax_trick.symbolic import Vector

Field = Callable[[Array], Array]
"""A map of R^2 to R^2, for float64 arrays of shape (..., 2)."""

EPSILON = np.finfo(float).eps
Corners = Sequence[tuple[float, float]]


def field_of(components: Vector, x: Vector) -> Field:
    """A 2-vector of expressions in the scores x_1 and x_2 as a field."""
    functions = [function_of([x[1], x[2]], components[i]) for i in (1, 2)]

    def field(at: Array) -> Array:
        return np.stack([function(at[..., 0], at[..., 1]) for function in functions], axis=-1)

    return field


@dataclass(frozen=True)
class Work:
    """The line integral of a field along a closed polygon, by QUADPACK.

    Attributes:
        distance: of the points at which it is known, along the polygon from its first corner; shape (n,).
        work: the integral up to there; shape (n,). Its last entry is that along the whole polygon.
        error: of the latter, at most: QUADPACK's estimates of the pieces, and the rounding of their sum.
    """

    distance: Array
    work: Array
    error: float

    @property
    def circulation(self) -> float:
        """The integral along the whole polygon: 0 for every gradient."""
        return float(self.work[-1])


def work_along(field: Field, corners: Corners, pieces: int = 24) -> Work:
    """Integrate a field along the polygon with these corners, back to the first, each side in so many pieces."""
    distance, work, error = [0.0], [0.0], 0.0
    points = [np.array(corner, dtype=float) for corner in corners]
    for start, end in zip(points, [*points[1:], points[0]], strict=True):
        length = float(np.linalg.norm(end - start))
        direction = (end - start) / length

        def along(s: float, start: Array = start, direction: Array = direction) -> float:
            return float(field(start + s * direction) @ direction)

        for low in np.arange(pieces) * length / pieces:
            value, doubt = quad(along, low, low + length / pieces)
            distance.append(distance[-1] + length / pieces)
            work.append(work[-1] + value)
            error += doubt
    steps = np.diff(work)
    return Work(np.array(distance), np.array(work), error + float(len(steps) * EPSILON * abs(steps).sum()))


def curl_inside(
    components: Vector, x: Vector, low: tuple[float, float], high: tuple[float, float]
) -> tuple[float, float]:
    """The integral of dF_2/dx_1 - dF_1/dx_2 over a rectangle, and QUADPACK's estimate of its error.

    By Green's theorem it is the work along the rectangle's border, counterclockwise.
    """
    curl = function_of([x[1], x[2]], sp.diff(components[2], x[1]) - sp.diff(components[1], x[2]))
    value, doubt = dblquad(lambda x2, x1: float(curl(x1, x2)), low[0], high[0], low[1], high[1])
    return float(value), float(doubt)
