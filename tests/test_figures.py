"""The figures: what they draw is right, they look the same every time, and they can be read without colours."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_rgb
from PIL import Image

from softmax_trick.experiments.analysis import Group, analyse
from softmax_trick.measurements.results import Results, Run
from softmax_trick.report.figures import converse, implicit_losses, softmax, style, training
from softmax_trick.report.figures.curves import function_of, vector_of
from softmax_trick.report.figures.fields import curl_inside, field_of, work_along
from softmax_trick.report.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from softmax_trick.symbolic import GivenK
from softmax_trick.symbolic import softmax as symbolic_softmax
from softmax_trick.training import check
from softmax_trick.training.check import COMPARED, epsilons

ELEMENTWISE = ["sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardsigmoid_torch"]
HARD = ["hardtanh", "hardsigmoid", "hardsigmoid_torch"]
X = GivenK(2).vector("x")
T = vector_of(sp.Rational(7, 10), sp.Rational(3, 10))
D = vector_of(2, sp.Rational(1, 2))
SQUARE = [(-1.0, -2.0), (2.0, -2.0), (2.0, 1.0), (-1.0, 1.0)]
EPSILON = np.finfo(float).eps


def made_up_check(steps: int = 4) -> list[dict[str, Any]]:
    """Records as those of `side_by_side`: differences that say of which run and step they are."""
    runs = [(dtype, loss, check.EPSILON) for dtype in ("float64", "float32") for loss in COMPARED]
    runs += [("float64", "ce-mean", epsilon) for epsilon in epsilons(50)]
    size = {"float64": 1e-15, "float32": 1e-6}
    return [
        {"dtype": dtype, "step": step, "loss": loss, "epsilon": epsilon}
        | {"parameters": step * size[dtype] + (epsilon / 2 if loss == "ce-mean" else epsilon)}
        for step in range(1, steps + 1)
        for dtype, loss, epsilon in runs
    ]


def made_up_group() -> Group:
    """Three losses of the paper and another, seeds 0 to 2; only ce-none with seed 2 has not kept its predictions."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 100)
    runs = []
    for loss in ("ce-none", "ce-sum", "softmax", "label-only"):
        for seed in range(3):
            predicted = np.where(rng.random(100) < 0.2, rng.integers(0, 10, 100), labels)
            images = np.flatnonzero(predicted != labels)
            wrong = tuple((int(image), int(predicted[image])) for image in images)
            kept = None if (loss, seed) == ("ce-none", 2) else wrong
            runs.append(Run("n0", loss, "mnist-5k", seed, 1, 100 - len(wrong), 100, wrong=kept))
    [group] = analyse(Results("made up", tuple(runs))).groups
    return group


FIGURES: dict[str, Callable[[], style.Drawing]] = {
    "gradients_by_score": softmax.gradients_by_score,
    "printed_range": softmax.printed_range,
    "needed_dilation": converse.needed_dilation,
    "coordinate_line": converse.coordinate_line,
    "images_of_the_family": converse.images_of_the_family,
    "plane_of_unity": converse.plane_of_unity,
    "dependence_on_scores": converse.dependence_on_scores,
    "errors_and_losses": lambda: implicit_losses.errors_and_losses(ELEMENTWISE),
    "clipped_least_squares": lambda: implicit_losses.clipped_least_squares(HARD),
    "round_trips": lambda: implicit_losses.round_trips(
        {"$d = (2, 1/2)$": symbolic_softmax(D * X) - T, "$d = (1, 1)$": symbolic_softmax(X) - T}, X, SQUARE
    ),
    "drift": lambda: training.drift({"linear": made_up_check(), "n0": made_up_check()}),
    "drift_of_the_mean": lambda: training.drift_of_the_mean({"linear": made_up_check(), "n0": made_up_check()}, 50),
    "disagreement": lambda: training.disagreement({"n0": training.images_that_differ(made_up_group(), "n0")}),
    "landscape": lambda: implicit_losses.landscape(sp.log(X.map(sp.exp).sum()) - X.dot(T), X, "SoftMax"),
}


@cache
def drawn(name: str) -> style.Drawing:
    return FIGURES[name]()


def line(axes: Axes, label: str) -> np.ndarray:
    """The points of the line of this label, or else of the one whose label begins so; one a row."""
    labels = [str(one.get_label()) for one in axes.lines]
    [found] = [one for one, its in zip(axes.lines, labels, strict=True) if its == label] or [
        one for one, its in zip(axes.lines, labels, strict=True) if its.startswith(label)
    ]
    return np.column_stack([np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)])


# --- how they look ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_svg_every_time(name: str) -> None:
    first = drawn(name).svg()
    assert first == FIGURES[name]().svg()
    assert first.startswith("<?xml")
    assert "<dc:date>" not in first
    assert len(first) < 100_000


def test_a_notebook_is_given_svg_and_png() -> None:
    """Planted: JupyterLab left without a PNG, which is what it shows of a notebook that one has not executed."""
    drawing = drawn("printed_range")
    assert drawing._repr_svg_() == drawing.svg()
    assert Image.open(io.BytesIO(drawing._repr_png_())).format == "PNG"


def test_a_drawing_is_laid_out_once() -> None:
    drawing = softmax.printed_range()
    assert drawing.svg() == drawing.svg()


@pytest.mark.parametrize("name", FIGURES)
def test_axes_are_named_with_units(name: str) -> None:
    for axes in drawn(name).axes:
        labels = [axes.get_xlabel()]
        if axes.get_yticklabels() and not axes.get_yticklabels()[0].get_text().endswith("seed"):  # words need no unit
            labels.append(axes.get_ylabel() or drawn(name).axes[0].get_ylabel())
        for label in labels:
            assert label.endswith(("(pure number)", "(nats)", "(updates)", "(images)")), label


@pytest.mark.parametrize("name", FIGURES)
def test_colours_are_of_the_palette_and_not_needed(name: str) -> None:
    colours = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY]
    for axes in drawn(name).axes:
        for one in axes.lines:
            assert any(same_color(one.get_color(), colour) for colour in colours), one.get_color()
        named = [one for one in axes.lines if not str(one.get_label()).startswith("_")]
        assert len({looks(one) for one in named}) == len(named)


def looks(one: Any) -> tuple[object, ...]:
    """What is left of a line in black and white."""
    _, dashes = one._dash_pattern
    return one.get_linestyle(), tuple(dashes or ()), one.get_marker(), one.get_linewidth()


def test_lines_that_look_alike_without_colours_are_noticed() -> None:
    """Planted: two lines that differ by their colours alone."""
    _, [axes] = style.panels(1)
    first, second = axes.plot([0, 1], [[0, 1], [1, 0]], linestyle="-")
    first.set_color(BLUE)
    second.set_color(VERMILION)
    assert looks(first) == looks(second)


def test_the_palette_is_told_apart_by_those_who_do_not_see_red_or_green() -> None:
    """Luminance by Rec. 709 and the blue-yellow difference, which red-green blindness leaves: all pairs differ."""
    cycle = [BLUE, VERMILION, GREEN, PURPLE, ORANGE]
    seen = [(0.2126 * r + 0.7152 * g + 0.0722 * b, b - (r + g) / 2) for r, g, b in map(to_rgb, cycle)]
    for n, one in enumerate(seen):
        for other in seen[:n]:
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 0.1


# --- what they draw ---------------------------------------------------------------------------------------------------


def test_gradients_agree_with_autograd() -> None:
    [axes] = drawn("gradients_by_score").axes
    points = line(axes, "by $x_1$")
    x = torch.zeros(len(points), 2, dtype=torch.float64)
    x[:, 0] = torch.from_numpy(points[:, 0])
    x.requires_grad_()
    loss = torch.nn.functional.cross_entropy(x, torch.zeros(len(points), dtype=torch.long), reduction="sum")
    [right] = torch.autograd.grad(loss, x)
    # Both are a SoftMax of two classes, less 1: by the bound of docs/testing.md, 4 (K + 8) u, twice.
    assert abs(points[:, 1] - right[:, 0].numpy()).max() <= 2 * 4 * (2 + 8) * EPSILON / 2


def test_the_printed_range_is_left_by_the_loss_alone() -> None:
    loss, slope = drawn("printed_range").axes
    [_, marked] = line(loss, r"$x = (0, \log 8)$")[0]
    assert marked == pytest.approx(np.log(9), rel=4 * EPSILON)
    values = [np.asarray(axes.lines[0].get_ydata()) for axes in (loss, slope)]
    assert values[0].max() > 1
    assert abs(values[1]).max() < 1


def test_the_dilation_that_is_needed() -> None:
    """By hand: (y sum t - t_1) / (y - t_1), y being the logistic function of s."""
    [axes] = drawn("needed_dilation").axes
    rounding = 64 * EPSILON / (1 - 1 / (1 + np.exp(-4)))  # y - 1 is no smaller than that
    for label, value in (("$t =$ (1, 0)", 1), ("$t =$ (0, 1/2)", 0.5), ("$t =$ (0, 0)", 0)):
        assert abs(line(axes, label)[:, 1] - value).max() <= rounding
    points = line(axes, "$t =$ (1, 1)")
    # (2y - 1) / (y - 1) = 1 - exp(s)
    assert np.allclose(points[:, 1], 1 - np.exp(points[:, 0]), rtol=rounding, atol=rounding)


def test_the_images_are_where_the_theory_has_them() -> None:
    [axes] = drawn("images_of_the_family").axes
    rounding = 8 * EPSILON
    assert abs(line(axes, "SoftMax").sum(1) - 1).max() <= rounding
    assert (line(axes, "with slack").sum(1) < 1).all()
    beyond = line(axes, "$d = (1, 0)$")
    assert beyond.sum(1).max() > 2
    assert abs(beyond[:, 1] - 3 * (1 - beyond[:, 0])).max() <= 3 * rounding


def test_both_counterexamples_to_positivity_lie_in_the_plane_and_not_in_the_triangle() -> None:
    [axes] = drawn("plane_of_unity").axes
    [[x, y]] = line(axes, "the constant")
    y3 = y / np.sqrt(3)
    y1, y2 = (1 - y3 - x) / 2, (1 - y3 + x) / 2
    assert np.allclose([y1, y2, y3], [2, -0.5, -0.5])
    edge = line(axes, "SoftMax over classes")
    assert np.allclose(edge[:, 0] + edge[:, 1] / np.sqrt(3), 1)  # y_1 = 0


def test_a_loss_lies_between_the_slopes_that_are_drawn_beside_it() -> None:
    """A convex function rises between a and b by no less than f(a) (b - a) and no more than f(b) (b - a)."""
    errors, losses = drawn("errors_and_losses").axes
    for error, loss in zip(errors.lines, losses.lines, strict=True):
        x, f, p = np.asarray(error.get_xdata()), np.asarray(error.get_ydata()), np.asarray(loss.get_ydata())
        rise, step = np.diff(p), np.diff(x)
        rounding = 64 * EPSILON * abs(p).max()
        assert (f[:-1] * step - rounding <= rise).all()
        assert (rise <= f[1:] * step + rounding).all()


def test_least_squares_are_met_in_the_middle_and_nowhere_exceeded() -> None:
    rounding = 8 * implicit_losses.FAR * EPSILON  # the loss is taken less its value there
    for axes, best in zip(drawn("clipped_least_squares").axes, (1, 2, 3), strict=True):
        for target in (1, 0):
            loss = dict(line(axes, f"implicit loss, $t = {target}$"))
            squares = line(axes, f"least squares, $t = {target}$")
            for x, value in squares:
                assert loss[x] <= value + rounding
                assert abs(x) > best or loss[x] == pytest.approx(value, abs=rounding)


# --- training ---------------------------------------------------------------------------------------------------------


def test_the_drift_of_each_run_is_on_its_own_line() -> None:
    for axes in drawn("drift").axes:
        for dtype, size in (("float64", 1e-15), ("float32", 1e-6)):
            for loss in COMPARED:
                points = line(axes, f"{loss}, {dtype}")
                assert points.tolist() == [[step, step * size + check.EPSILON] for step in range(1, 5)]


def test_a_difference_of_zero_is_not_drawn_and_breaks_nothing() -> None:
    records = [record | {"parameters": 0.0} for record in made_up_check()]
    assert training.drift({"n0": records}).svg()
    assert training.drift_of_the_mean({"n0": records}, 50).svg()


def test_the_drift_of_the_mean_is_that_after_the_last_step() -> None:
    """Planted, in effect: the first step, and the runs that are compared with the bound."""
    found = training.drift_by_epsilon(made_up_check())
    assert found == {epsilon: 4e-15 + epsilon / 2 for epsilon in epsilons(50)}
    assert list(found) == sorted(epsilons(50))
    [axes] = drawn("drift_of_the_mean").axes
    assert line(axes, "n0").tolist() == [[epsilon, 4e-15 + epsilon / 2] for epsilon in sorted(epsilons(50))]
    assert line(axes, "$10^{-8}")[0, 0] == check.EPSILON / 50


def test_unit_roundoffs() -> None:
    assert training.unit_roundoff_of("float32") == 2**-24
    assert training.unit_roundoff_of("float64") == 2**-53


def test_images_that_differ_are_counted_by_pairs_of_a_kind() -> None:
    """By comparing all mistakes image by image; a run that has not kept its own has no pair."""
    group = made_up_group()
    predicted = {}
    for run in group.runs:
        if run.wrong is not None:
            predicted[run.loss, run.seed] = [dict(run.wrong).get(image, "right") for image in range(100)]

    def differ(one: tuple[str, int], other: tuple[str, int]) -> int:
        return sum(a != b for a, b in zip(predicted[one], predicted[other], strict=True))

    assert training.images_that_differ(group, "n0") == {
        "ce-none, same seed": tuple(differ(("ce-none", seed), ("ce-sum", seed)) for seed in range(2)),
        "softmax, same seed": tuple(differ(("softmax", seed), ("ce-sum", seed)) for seed in range(3)),
        "ce-sum, another seed": tuple(differ(("ce-sum", a), ("ce-sum", b)) for a, b in ((0, 1), (0, 2), (1, 2))),
    }
    [axes] = drawn("disagreement").axes
    marks = [np.asarray(one.get_xdata(), float).tolist() for one in axes.lines]
    assert marks[0] == list(training.images_that_differ(group, "n0")["ce-none, same seed"])
    assert marks[1] == [np.median(marks[0])]


def test_kinds_without_a_pair_are_left_out() -> None:
    assert training.images_that_differ(made_up_group(), "n1") == {}
    assert list(training.images_that_differ(made_up_group(), "n0", "ce-mean")) == []


# --- fields -----------------------------------------------------------------------------------------------------------


def test_a_gradient_does_no_work_and_another_field_does() -> None:
    """Planted, in effect: the factor d is forgotten."""
    y = symbolic_softmax(D * X)
    right, wrong = (work_along(field_of(one, X), SQUARE) for one in (D * (y - T), y - T))
    assert abs(right.circulation) <= right.error
    assert abs(wrong.circulation) > 1e6 * wrong.error
    assert wrong.distance[-1] == pytest.approx(12)


def test_the_work_is_the_curl_inside() -> None:
    """Green's theorem; and the other way round the sign changes."""
    error = symbolic_softmax(D * X) - T
    there = work_along(field_of(error, X), SQUARE)
    back = work_along(field_of(error, X), SQUARE[::-1])
    inside, doubt = curl_inside(error, X, SQUARE[0], SQUARE[2])
    assert abs(there.circulation - inside) <= there.error + doubt
    assert abs(there.circulation + back.circulation) <= there.error + back.error


def test_functions_of_arrays() -> None:
    x = sp.Symbol("x", real=True)
    at = np.array([[0.0, 1.0], [2.0, 4.0]])
    assert (function_of([x], sp.Integer(3))(at) == 3 * np.ones((2, 2))).all()
    assert np.isnan(function_of([x], 1 / x)(at)).tolist() == [[True, False], [False, False]]
    assert function_of([x], 1 / x)(at)[1, 1] == 0.25


# --- without matplotlib -----------------------------------------------------------------------------------------------


def test_without_matplotlib_the_extra_is_named() -> None:
    code = "import sys; sys.modules['matplotlib'] = None; import softmax_trick.report.figures"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip().endswith(
        "softmax_trick.report.figures needs matplotlib, which is not installed: pip install 'softmax-trick[notebooks]'"
    )
