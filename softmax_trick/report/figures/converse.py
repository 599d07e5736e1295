"""Figures of Appendix A: what has the Jacobian of SoftMax, and each counterexample to Theorem A1 as printed.

The curves are those of the family of claim A1c.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp
from matplotlib.axes import Axes

from softmax_trick.proofs.theorem_a1 import FAMILY, TRICK
from softmax_trick.report.figures.curves import Array, function_of, valued, vector_of
from softmax_trick.report.figures.softmax import DIFFERENCE, SCORE_AXIS, S
from softmax_trick.report.figures.style import Drawing, panels, styled
from softmax_trick.report.palette import (
    BLACK,
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GREEN,
    GREY,
    LONG,
    ORANGE,
    PURPLE,
    SOLID,
    VERMILION,
)
from softmax_trick.symbolic import Vector, softmax

FIRST_SOFT, SECOND_SOFT = "soft score $y_1$ (pure number)", "soft score $y_2$ (pure number)"


def family(x: Vector, a: Vector, d: Vector, slack: sp.Expr) -> Vector:
    """The member of the family of claim A1c with these constants."""
    return valued("y", f"x: K; a: K; d: K; C: real; {FAMILY}", x=x, a=a, d=d, C=slack)


@styled()
def needed_dilation() -> Drawing:
    """Which dilation d_1 equation (A3) needs for SoftMax, K = 2, by target: a constant only where sum t = 1.

    It is component 1 of J^T (-t / y), divided by y_1 - t_1.
    """
    left, right = TRICK.split(" == ")
    let = "x: K; t: K; y = softmax(x); J = jacobian(y, x); d = ones(K)"
    x = vector_of(*(DIFFERENCE[k] for k in (1, 2)))
    drawing, [axes] = panels(1, width=5.2)
    s = np.linspace(-4, 4, 201)
    half = sp.Rational(1, 2)
    for t, text, line, colour in (
        ((1, 0), "(1, 0)", SOLID, BLUE),
        ((1, 1), "(1, 1)", DASHED, VERMILION),
        ((0, half), "(0, 1/2)", DASH_DOTTED, GREEN),
        ((0, 0), "(0, 0)", DOTTED, PURPLE),
    ):
        quotient = valued(f"({left})/({right})", let, x=x, t=vector_of(*t))[1]
        axes.plot(s, function_of([S], quotient)(s), color=colour, linestyle=line, label=f"$t =$ {text}")
    axes.set(xlabel=SCORE_AXIS, ylabel="$d_1$ that (A3) needs (pure number)", xlim=(-4, 4), ylim=(-3, 1.6))
    axes.legend(loc="lower left")
    return drawing


@styled()
def coordinate_line() -> Drawing:
    """The solutions of y' = y (1 - y), the diagonal of (A2) for d = 1 along one coordinate line.

    The paper's general form has those strictly between 0 and 1. Those above 1 and below 0 run into a pole; y = 0 and
    y = 1 do not, and y = 0 is the counterexample of claim A1.2-1.general-form.
    """
    x = np.linspace(-5, 5, 401)
    drawing, [axes] = panels(1, width=5.2)
    axes.axhspan(0, 1, color="#EEEEEE")
    score, slack = sp.Symbol("x", real=True), sp.Symbol("C", real=True)
    member = function_of([score, slack], family(vector_of(score), vector_of(1), vector_of(1), slack)[1])
    for value, label in ((1, "$0 < y < 1$: the paper's form; Sigmoid and others"), (0.1, ""), (10, "")):
        axes.plot(x, member(x, np.full_like(x, value)), color=BLUE, linestyle=SOLID, label=label or None)
    constant_one = member(x, np.zeros_like(x))
    axes.plot(x, constant_one, color=GREEN, linestyle=DASH_DOTTED, label="$y = 1$")
    nothing = function_of([score], family(vector_of(score), vector_of(0), vector_of(1), sp.S.One)[1])
    axes.plot(x, nothing(x), color=VERMILION, linestyle=DASHED, label="$y = 0$")
    beyond = member(x, np.full_like(x, -1.0))
    axes.plot(
        x, np.where(abs(beyond) < 4, beyond, np.nan), color=PURPLE, linestyle=DOTTED, label="$y > 1$, $y < 0$: a pole"
    )
    axes.set(
        xlabel="score $x_i$ (pure number)", ylabel="soft score $y_i$ (pure number)", ylim=(-2.2, 3.2), xlim=(-5, 5)
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    drawing.set_figwidth(6.8)
    return drawing


@styled()
def images_of_the_family() -> Drawing:
    """Where functions with (A2) map the plane, K = 2; Theorem A1 as printed allows the blue segment alone.

    SoftMax: the segment y_1 + y_2 = 1 between the axes. With slack: the open triangle below it. With d = (1, 0) and
    negative slack: a segment that leaves the unit square. Without the first class: a point. F = 0, and a constant.
    """
    x1, x2 = sp.symbols("x1 x2", real=True)
    x, ones = vector_of(x1, x2), vector_of(1, 1)
    drawing, [axes] = panels(1, width=4.2, height=4.0)
    drawing.set_figwidth(7.2)
    s = np.linspace(-9, 9, 181)

    def curve(member: Vector, first: Array, second: Array, **look: object) -> None:
        points = [function_of([x1, x2], member[i])(first, second) for i in (1, 2)]
        axes.plot(*points, **look)  # type: ignore[arg-type]

    slack = family(x, ones, ones, sp.S.One)
    thin = {"color": ORANGE, "linewidth": 0.9, "linestyle": SOLID}
    for number, fixed in enumerate(np.linspace(-3, 3, 7)):
        name = "with slack $C = 1$: no unity" if number == 0 else None
        curve(slack, np.full_like(s, fixed), s, label=name, **thin)
        curve(slack, s, np.full_like(s, fixed), **thin)
    curve(family(x, ones, ones, sp.S.Zero), s, 0 * s, color=BLUE, linewidth=3, label="SoftMax")
    # With a = (1, 3), d = (1, 0) and C = -2, w = 1 + exp(x_1) > 0, although C < 0 (claim X.family.positive).
    outside = family(x, vector_of(1, 3), vector_of(1, 0), sp.Integer(-2))
    curve(outside, s, 0 * s, color=GREEN, linestyle=DASHED, label="$d = (1, 0)$, slack $C = -2$: no unity")
    points = (
        ((0, 1), "s", PURPLE, "SoftMax over class 2 alone: $y_1$ not positive"),
        ((2, -1), "D", VERMILION, "the constant $(2, -1)$, $d = 0$: $y_2$ not positive"),
        ((0, 0), "o", BLACK, "$F = 0$: neither"),
    )
    for point, marker, colour, name in points:
        axes.plot(*point, marker, color=colour, label=name, markersize=7, zorder=4)
    axes.axline((0, 1), slope=-1, color=GREY, linewidth=0.8, linestyle=":", label="$y_1 + y_2 = 1$")
    axes.set(xlabel=FIRST_SOFT, ylabel=SECOND_SOFT, xlim=(-0.5, 2.3), ylim=(-1.3, 3.1), aspect="equal")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return drawing


CORNERS = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, np.sqrt(3)]])  # of the triangle that shows the simplex for K = 3


def in_the_plane(y: Sequence[Array]) -> tuple[Array, Array]:
    """Points with y_1 + y_2 + y_3 = 1 in the plane in which the simplex is an equilateral triangle."""
    points = np.stack(np.broadcast_arrays(*y), axis=-1) @ CORNERS
    return points[..., 0], points[..., 1]


@styled()
def plane_of_unity() -> Drawing:
    """K = 3, the plane y_1 + y_2 + y_3 = 1: SoftMax inside the triangle, two functions with (A2) outside.

    SoftMax over the classes 2 and 3 is the open edge opposite to corner 1; the constant (2, -1/2, -1/2), with d = 0,
    lies beyond corner 1. These are the counterexamples of claim A1r.positivity.
    """
    scores = sp.symbols("x1 x2 x3", real=True)
    x = vector_of(*scores)
    drawing, [axes] = panels(1, width=4.2, height=3.6)
    drawing.set_figwidth(7.0)
    axes.fill(CORNERS[:, 0], CORNERS[:, 1], facecolor="#F2F2F2", edgecolor=GREY, linewidth=0.8)
    s = np.linspace(-8, 8, 161)

    def image(member: Vector, *at: Array) -> tuple[Array, Array]:
        return in_the_plane([function_of(scores, member[i])(*at) for i in (1, 2, 3)])

    for number, fixed in enumerate(np.linspace(-3, 3, 7)):
        name = "SoftMax: the open triangle" if number == 0 else None
        held = np.full_like(s, fixed)
        axes.plot(*image(softmax(x), s, held, 0 * s), color=BLUE, linewidth=0.9, linestyle=SOLID, label=name)
        axes.plot(*image(softmax(x), held, s, 0 * s), color=BLUE, linewidth=0.9, linestyle=SOLID)
    subset = family(x, vector_of(0, 1, 1), vector_of(1, 1, 1), sp.S.Zero)
    axes.plot(
        *image(subset, 0 * s, s, 0 * s), color=VERMILION, linewidth=3, linestyle=LONG, label="SoftMax over classes 2, 3"
    )
    constant = np.array([2, -0.5, -0.5])
    axes.plot(
        *in_the_plane(list(constant)),
        "D",
        color=GREEN,
        linestyle="none",
        label=r"the constant $(2, -\frac{1}{2}, -\frac{1}{2})$",
    )
    for corner, place in zip(CORNERS, ("$e_1$", "$e_2$", "$e_3$"), strict=True):
        axes.annotate(place, corner, textcoords="offset points", xytext=(0, -12 if corner[1] == 0 else 6), ha="center")
    axes.set(
        xlabel="$y_2 - y_1$ (pure number)", ylabel=r"$\sqrt{3}\,y_3$ (pure number)", aspect="equal", ylim=(-1.2, 2.1)
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return drawing


@styled()
def dependence_on_scores() -> Drawing:
    """Level lines of y_1 = SoftMax(d * x)_1, K = 2, for d = (1, 1) and d = (1, 0).

    Upright lines say that y_1 does not depend on x_2: the counterexample of claim A1.excluded.reason.
    """
    x1, x2 = sp.symbols("x1 x2", real=True)
    grid = np.meshgrid(np.linspace(-3, 3, 61), np.linspace(-3, 3, 61))
    drawing, both = panels(2, height=3.0, width=3.2)
    for axes, d in zip(both, ((1, 1), (1, 0)), strict=True):
        y = softmax(vector_of(*d) * vector_of(x1, x2))
        _levels(axes, *grid, function_of([x1, x2], y[1])(*grid), np.linspace(0.1, 0.9, 9))
        axes.set(title=f"$y_1$ for $d = {d}$")
    return drawing


def _levels(axes: Axes, x1: Array, x2: Array, values: Array, levels: Array) -> None:
    """Labelled level lines over two scores."""
    lines = axes.contour(x1, x2, values, levels=levels, colors=BLUE, linewidths=1)
    axes.clabel(lines, fontsize=7, fmt="%.2g")
    axes.set(xlabel="score $x_1$ (pure number)", ylabel="score $x_2$ (pure number)", aspect="equal")
