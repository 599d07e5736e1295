"""Figures of section 2: the gradient of cross-entropy, alone and after SoftMax, and the range that the paper prints."""

from __future__ import annotations

import numpy as np
import sympy as sp

from softmax_trick.proofs import CLAIMS
from softmax_trick.report.figures.curves import function_of
from softmax_trick.report.figures.style import Drawing, panels, styled
from softmax_trick.report.palette import BLACK, BLUE, GREY, SOLID, VERMILION
from softmax_trick.symbolic import GivenK, soft_cross_entropy, softmax
from softmax_trick.symbolic.reading import side

TWO = GivenK(2)
S = sp.Symbol("s", real=True)  # the difference of the two scores
DIFFERENCE = TWO.unit(1) * S  # the scores (s, 0)
FIRST = TWO.unit(1)  # the target (1, 0)
SCORE_AXIS = "score difference $x_1 - x_2$ (pure number)"


def first_entry(claim: str) -> sp.Expr:
    """Entry 1 of the right side of a claim's formula, for the target (1, 0) and the scores (s, 0)."""
    values = {"t": FIRST, "x": DIFFERENCE, "y": softmax(DIFFERENCE)}
    entry = side(CLAIMS[claim].stated[0].statement.expressions[1], TWO)[1]
    return entry.subs({symbol: values[symbol.name[0]][int(symbol.name[1:])] for symbol in entry.free_symbols})


@styled()
def gradients_by_score() -> Drawing:
    """The derivative of cross-entropy by y_1 and by x_1, for K = 2 and the target (1, 0).

    The first, -1/y_1, has no bound; the second, y_1 - 1, lies in (-1, 0).
    """
    s = np.linspace(-6, 6, 241)
    drawing, [axes] = panels(1, width=5.2)
    axes.plot(s, function_of([S], first_entry("T1.2r"))(s), color=VERMILION, ls="--", label="by $y_1$: $-1/y_1$")
    axes.plot(s, function_of([S], first_entry("T1.4c"))(s), color=BLUE, label="by $x_1$: $y_1 - 1$")
    axes.axhline(-1, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel=SCORE_AXIS, ylabel="derivative of cross-entropy (nats)", ylim=(-8, 0.5), xlim=(-6, 6))
    axes.legend(loc="lower right")
    return drawing


@styled()
def printed_range() -> Drawing:
    """SoftCE and its derivative by x_1 for K = 2 and the target (1, 0), beside the interval (-1, 1) of property 4(d).

    The loss leaves it, as at x = (0, log 8), the counterexample of claim T1.4d; the derivative stays inside.
    """
    s = np.linspace(-4, 4, 201)
    loss = function_of([S], soft_cross_entropy(FIRST, DIFFERENCE))
    slope = function_of([S], first_entry("T1.4c"))
    drawing, both = panels(2)
    for axes, function, name, unit in zip(
        both, (loss, slope), ("SoftCE", "derivative of SoftCE by $x_1$"), ("(nats)", "(nats)"), strict=True
    ):
        axes.axhspan(-1, 1, facecolor="#E8E8E8", hatch="///", edgecolor="#D0D0D0", linewidth=0, label="printed range")
        axes.plot(s, function(s), color=BLUE, linestyle=SOLID)
        axes.set(xlabel=SCORE_AXIS, ylabel=f"{name} {unit}", xlim=(-4, 4), ylim=(-1.6, 4.2))
    at = -np.log(8)
    both[0].plot([at], loss(np.array([at])), "o", color=BLACK, label=r"$x = (0, \log 8)$: $\log 9$")
    for axes in both:
        axes.legend(loc="upper right")
    return drawing
