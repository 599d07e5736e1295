"""Figures of what ISBE minimises: errors and the losses of which they are gradients; and errors that are no gradient.

Losses and errors of one score are those of `ISBELoss` and `isbe_error`, in float64; those of two are expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sympy as sp
import torch
from matplotlib.axes import Axes

from softmax_trick.isbe import ISBELoss, isbe_error
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.report.figures.curves import Array, function_of
from softmax_trick.report.figures.fields import Corners, Field, field_of, work_along
from softmax_trick.report.figures.style import LOOK, Drawing, panels, styled
from softmax_trick.report.palette import BLACK, BLUE, DASH_DOTTED, DASHED, DOTTED, GREY, SOLID, VERMILION
from softmax_trick.symbolic import Vector, gradient

SCORE = "score $x$ (pure number)"
ERROR = r"ISBE error $f(x) - \tilde{t}$ (pure number)"
FAR = 50.0  # a score at which every loss here has reached its limit in float64, but for e^-50
TITLES = {
    "softmax": "SoftMax",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "hardtanh": "HardTanh",
    "hardsigmoid": "HardSigmoid (paper)",
    "hardsigmoid_torch": "HardSigmoid (PyTorch)",
}


def error(name: str, x: Vector, t: Vector) -> Vector:
    """F(x) - t, with the targets t in [0, 1] mapped into the range of the normalizer."""
    entry = NORMALIZERS[name]
    return entry.symbolic(x) - t.map(entry.map_target)


def implicit_loss(name: str, x: Vector, t: Vector) -> sp.Expr:
    """P(x) - <x, t>, with the targets so mapped."""
    entry = NORMALIZERS[name]
    return entry.symbolic_potential(x) - x.dot(t.map(entry.map_target))


def norm(x: Vector, order: int) -> sp.Expr:
    """||x||_p."""
    return x.map(lambda entry: entry**order).sum() ** (sp.S.One / order)


def error_of_one_score(name: str, score: Array, target: float) -> Array:
    """f(x) - t for one class, the target in [0, 1] mapped into the range of the normalizer."""
    x = torch.as_tensor(score, dtype=torch.float64).unsqueeze(-1)
    return np.asarray(isbe_error(x, torch.full_like(x, target), name).squeeze(-1))


def loss_of_one_score(name: str, score: Array, target: float) -> Array:
    """p(x) - x t for one class, in nats, as `ISBELoss` has it."""
    x = torch.as_tensor(score, dtype=torch.float64).unsqueeze(-1)
    return np.asarray(ISBELoss(name, reduction="none")(x, torch.full_like(x, target)))


@styled()
def errors_and_losses(names: Sequence[str]) -> Drawing:
    """For each elementwise normalizer, the error of one score with target 1, and the loss of which it is the slope.

    Each loss is drawn less its limit for large scores: ISBE determines it but for a constant.
    """
    score = np.linspace(-6, 6, 241)
    drawing, (left, right) = panels(2)
    for name in names:
        left.plot(score, error_of_one_score(name, score, 1.0))
        limit = loss_of_one_score(name, np.array([FAR]), 1.0)
        right.plot(score, loss_of_one_score(name, score, 1.0) - limit, label=TITLES[name])
    left.set(xlabel=SCORE, ylabel=ERROR, xlim=(-6, 6), ylim=(-2.1, 0.1))
    right.set(xlabel=SCORE, ylabel=r"$p(x) - x\,\tilde{t}$, less its limit (nats)", xlim=(-6, 6), ylim=(-0.3, 12.5))
    right.legend(loc="upper right")
    return drawing


@styled()
def clipped_least_squares(names: Sequence[str]) -> Drawing:
    """The implicit loss of each hard normalizer for targets 1 and 0, beside the least squares that it clips.

    Where f has the slope b > 0 the loss is (b/2) (x - x*)^2 up to a constant, x* being the score with f(x*) = t; beyond
    it goes on as a straight line: level on one side, for a target at the end of the range.
    """
    score = np.linspace(-6, 6, 241)
    drawing, row = panels(len(names), height=3.2, width=2.6)
    for axes, name in zip(row, names, strict=True):
        for target, colour, line, thin in ((1.0, BLUE, SOLID, DOTTED), (0.0, VERMILION, DASHED, DASH_DOTTED)):
            lowest = loss_of_one_score(name, np.array([FAR if target else -FAR]), target)
            loss = loss_of_one_score(name, score, target) - lowest
            axes.plot(score, loss, color=colour, linestyle=line, label=f"implicit loss, $t = {target:.0f}$")
            slope, best = _straight_part(name, target)
            squares = slope / 2 * (score - best) ** 2
            inside = abs(score) <= abs(best) + 1.5
            axes.plot(
                score[inside],
                squares[inside],
                color=colour,
                linestyle=thin,
                linewidth=1.1,
                label=f"least squares, $t = {target:.0f}$",
            )
        axes.set(title=TITLES[name], xlabel=SCORE, xlim=(-6, 6), ylim=(-0.2, 4.5))
    row[0].set(ylabel="loss, less its minimum (nats)")
    drawing.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawing


def _straight_part(name: str, target: float) -> tuple[float, float]:
    """The slope of f at 0, by autograd, and the score x* with f(x*) = t on the straight line through f(0)."""
    x = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    # The error at 0 is f(0) - t; its derivative comes from the second derivative of the loss.
    loss = ISBELoss(name)(x, torch.full((1, 1), target, dtype=torch.float64))
    [error] = torch.autograd.grad(loss, x, create_graph=True)
    [slope] = torch.autograd.grad(error.sum(), x)
    return slope.item(), -(error / slope).item()


# --- fields of two scores ---------------------------------------------------------------------------------------------


@styled()
def round_trips(errors: Mapping[str, Vector], x: Vector, corners: Corners) -> Drawing:
    """The first of these errors with a closed polygon in it; and the work of each along it, from the marked corner.

    The work of a gradient is the difference of its potential: all round it is 0.

    Args:
        errors: by the names in the legend; 2-vectors of expressions in the scores.
        x: the scores x_1 and x_2.
        corners: those of the polygon.
    """
    drawing, (left, right) = panels(2, height=3.4)
    name, first = next(iter(errors.items()))
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    margin = 0.12 * (high - low)
    _arrows(left, field_of(first, x), low - margin, high + margin)
    polygon = np.array([*corners, corners[0]])
    left.plot(polygon[:, 0], polygon[:, 1], color=BLACK, linestyle="-", linewidth=1.4)
    left.plot(*corners[0], "o", color=BLACK)
    left.set(title=f"the error {name}")
    right.axhline(0, color=GREY, linewidth=0.8, linestyle="-")
    for (label, error), look in zip(errors.items(), LOOK["axes.prop_cycle"], strict=False):
        done = work_along(field_of(error, x), corners)
        right.plot(done.distance, done.work, label=label, **look)
        right.plot(done.distance[-1], done.circulation, "o", color=look["color"])
    right.set(xlabel="distance along the polygon (pure number)", ylabel="work so far (nats)")
    right.legend(fontsize=8)
    return drawing


@styled()
def landscape(loss: sp.Expr, x: Vector, title: str) -> Drawing:
    """Level lines of a loss of two scores, and the way that ISBE goes: its gradient with the sign changed.

    The arrows stand upright on the level lines.
    """
    reach = 3.0
    side = np.linspace(-reach, reach, 61)
    x1, x2 = np.meshgrid(side, side)
    drawing, [axes] = panels(1, height=3.6, width=4.4)
    lines = axes.contour(
        x1, x2, function_of([x[1], x[2]], loss)(x1, x2), levels=10, colors=GREY, linewidths=0.9, linestyles="-"
    )
    axes.clabel(lines, fontsize=7, fmt="%.2g")
    corner = np.array([reach, reach])
    _arrows(axes, field_of(-gradient(loss, x), x), -0.8 * corner, 0.8 * corner)
    axes.set(title=f"{title}, level lines (nats)")
    return drawing


def _arrows(axes: Axes, field: Field, low: Array, high: Array) -> None:
    x1, x2 = np.meshgrid(*(np.linspace(a, b, 9) for a, b in zip(low, high, strict=True)))
    arrows = field(np.stack([x1, x2], axis=-1))
    axes.quiver(x1, x2, arrows[..., 0], arrows[..., 1], color=BLUE, angles="xy", width=0.006)
    axes.set(xlabel="score $x_1$ (pure number)", ylabel="score $x_2$ (pure number)", aspect="equal")
