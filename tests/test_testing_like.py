"""check_loss against a formula: right losses pass, each kind of fault is rejected, by bounds that are derived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import flint
import numpy as np
import pytest
import random_formulas
import torch
import torch.nn.functional as F
from broken_losses import BROKEN, MEAN, NONE
from hypothesis import Phase, settings
from right_losses import NORMS, RIGHT, Loss, diagonal, p_of, picked, rows
from torch import Tensor

from softmax_trick.cli import main
from softmax_trick.deciding.points import random_point
from softmax_trick.language.expression import Expression, LanguageError, gradient, size_of
from softmax_trick.language.grammar import parse
from softmax_trick.readings.enclosure import enclose
from softmax_trick.readings.pointwise import Point, Undefined
from softmax_trick.testing import CheckFailed, accuracy, balls, check_loss, graph, losses, running
from softmax_trick.testing.answers import compare
from softmax_trick.testing.formulas import READY, formula
from softmax_trick.testing.like import PRECISIONS, FormulaLoss, FormulaProblem
from softmax_trick.testing.losses import LOSS_CHECKS, many_scores
from softmax_trick.testing.lowering import Lowering
from softmax_trick.testing.rounding import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Rounding
from softmax_trick.testing.running import Mismatch


@pytest.fixture(autouse=True)
def fewer_examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(running, "_SETTINGS", settings(running._SETTINGS, max_examples=4))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# --- right losses -----------------------------------------------------------------------------------------------------


CASES = [(name, number) for name, losses in RIGHT.items() for number in range(len(losses))]
QUICK = ["second derivative", "saturation", "batch sizes", "dtypes"]  # each compares values and gradients too


@pytest.mark.parametrize(("name", "number"), CASES)
def test_right_losses_pass(name: str, number: int) -> None:
    assert check_loss(RIGHT[name][number], like=name, checks=QUICK).passed == tuple(QUICK)


@pytest.mark.parametrize("name", NORMS)
def test_right_layers_pass(name: str) -> None:
    checks = ["value", "gradient", "batch sizes"]
    for layer in NORMS[name]:
        assert check_loss(layer, like=name, checks=checks).passed == tuple(checks)


def test_every_ready_loss_is_tried_and_its_forms_are_proved_equal() -> None:
    assert set(RIGHT) | set(NORMS) == set(READY)
    for name, ready in READY.items():
        assert len(formula(name).forms) == len(ready.forms)


def test_every_sub_check_passes_a_right_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "MANY", (1031, 4099))  # 65,539 takes seconds, and is tried where faults are
    checked = check_loss(RIGHT["z_loss"][0], like="z_loss")
    assert checked.passed == tuple(LOSS_CHECKS)
    assert checked.refused == ()
    assert "float16" in checked.notes[0]


# --- faults -----------------------------------------------------------------------------------------------------------

FAULTS = {
    broken.rejected_by: fault
    for fault, broken in reversed(BROKEN.items())
    if broken.rejected_by in LOSS_CHECKS and not {"normalizer", "targets", "features"} & set(broken.arguments)
}


@pytest.mark.parametrize("check", FAULTS)
def test_each_sub_check_rejects_the_fault_that_it_is_for(check: str) -> None:
    broken = BROKEN[FAULTS[check]]
    with pytest.raises(CheckFailed, match=f"^{check}: ") as caught:
        check_loss(broken.loss, like="logsumexp(x) - x[c]", **{**broken.arguments, "checks": check})
    assert caught.value.example.get("formula", "logsumexp(x) - x[c]") == "logsumexp(x) - x[c]"


def test_each_sub_check_has_a_fault() -> None:
    assert set(FAULTS) == set(LOSS_CHECKS)


WRONG: dict[str, tuple[str, Loss, str]] = {
    "gamma 2.001": ("focal", lambda x, t: ((1 - p_of(x, t)) ** 2.001 * rows(x, t)).sum(), "value"),
    "dw/dx of focal forgotten": (
        "focal",
        lambda x, t: ((1 - p_of(x, t)).detach() ** 2 * rows(x, t)).sum(),
        "gradient",
    ),
    "z-loss without its gradient": (
        "z_loss",
        lambda x, t: (rows(x, t) + 1e-4 * x.logsumexp(-1).detach() ** 2).sum(),
        "gradient",
    ),
    "capped at 30.001": ("soft_cap", lambda x, t: rows(30.001 * torch.tanh(x / 30.001), t).sum(), "value"),
    "hinge against the label too": (
        "multi_margin",
        lambda x, t: (1 + x - x.gather(1, t[:, None])).relu().mean(-1).sum(),
        "value",
    ),
    "one axis of two": ("infonce_both", lambda x: F.cross_entropy(x / 0.1, diagonal(x)), "value"),
    "counts forgotten": ("balanced_softmax", lambda x, t, counts: rows(x, t).sum(), "value"),
    "pos_weight on both terms": (
        "bce_weighted",
        lambda x, t, weight, pos_weight: F.binary_cross_entropy_with_logits(
            x, t, weight=weight * pos_weight, reduction="sum"
        ),
        "value",
    ),
    "softplus linear above 10": (
        "bce",
        lambda x, t: (torch.where(x > 10, x, F.softplus(x, threshold=100)) - t * x).sum(),
        "saturation",
    ),
    "Huber with a quadratic end": ("huber", lambda x, t: ((x - t) ** 2 / 2).sum(), "value"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_losses_are_rejected(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    like, loss, by = WRONG[fault]
    monkeypatch.setattr(running, "_SETTINGS", settings(running._SETTINGS, max_examples=40, phases=[Phase.generate]))
    with pytest.raises(CheckFailed) as caught:
        check_loss(loss, like=like, checks=["value", "gradient", "saturation"])
    assert caught.value.check == by


# --- the bounds -------------------------------------------------------------------------------------------------------


def drawn(name: str, dtype: torch.dtype, seed: int = 0) -> FormulaProblem:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 5, generator=generator, dtype=torch.float64) * 3
    return FormulaLoss(None, formula(name), "sum").posed(x, torch.tensor([0, 2, 4])).to(dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", ["z_loss", "bce", "focal", "infonce"])
def test_twice_the_bound_is_found_and_half_of_it_is_not(name: str, dtype: torch.dtype) -> None:
    problem = (
        drawn(name, dtype)
        if name != "infonce"
        else FormulaLoss(None, formula(name), "sum")
        .posed(torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), torch.arange(4))
        .to(dtype)
    )
    for answer in (problem.answer_value(), problem.answer_gradient(torch.tensor(1.0))):
        for entry in answer.allowed.reshape(-1).isfinite().nonzero().flatten().tolist():
            for factor, found in ((2.0, True), (0.5, False)):
                got = answer.right.clone().reshape(-1)
                got[entry] += (
                    answer.rest.expand_as(answer.right).reshape(-1)[entry] + factor * answer.allowed.reshape(-1)[entry]
                )
                try:
                    compare("it", got.reshape(answer.right.shape), answer, {})
                except Mismatch:
                    assert found
                else:
                    assert not found


def test_bounds_are_a_few_units() -> None:
    """So that what is planted by hand, off by ten units, is found."""
    for dtype, precision in PRECISIONS.items():
        answer = drawn("z_loss", dtype).answer_value()
        assert answer.allowed / answer.right.abs() < 12 * precision.u


def test_halves_are_told_apart() -> None:
    def kernel(x: Tensor, t: Tensor) -> Tensor:
        return rows(x.float(), t).sum().to(x.dtype)

    strict = check_loss(kernel, like="cross_entropy", half="strict", checks=["dtypes"])
    assert strict.notes == ()
    with pytest.raises(CheckFailed, match=r"dtypes: .*wrong"):
        check_loss(RIGHT["cross_entropy"][0], like="cross_entropy", half="strict", checks=["dtypes"])
    assert "bfloat16" in check_loss(RIGHT["cross_entropy"][0], like="cross_entropy", checks=["dtypes"]).notes[0]


def test_what_rounding_explains_is_not_judged_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_SETTINGS", settings(running._SETTINGS, max_examples=30, phases=[Phase.generate]))
    checked = check_loss(RIGHT["cross_entropy"][0], like="cross_entropy", checks=["saturation"])
    assert checked.unjudged == ("gradient in float32", "gradient in float64")
    with pytest.raises(CheckFailed, match="nan"):  # but NaN is never right
        check_loss(
            lambda x, t: rows(torch.where(x.abs().amax() > 1e25, x * torch.nan, x), t).sum(),
            like="cross_entropy",
            checks=["saturation"],
        )


def test_formats_know_their_numbers() -> None:
    assert all(one.holds(Fraction(3, 8)) and not one.holds(Fraction(1, 10)) for one in PRECISIONS.values())
    assert FLOAT16.holds(Fraction(2047))
    assert not FLOAT16.holds(Fraction(2049))
    assert [one.u for one in (FLOAT64, FLOAT32, BFLOAT16, FLOAT16)] == [torch.finfo(d).eps / 2 for d in PRECISIONS]
    assert [one.eta for one in PRECISIONS.values()] == [
        torch.finfo(d).smallest_normal * torch.finfo(d).eps for d in PRECISIONS
    ]
    assert [one.largest for one in PRECISIONS.values()] == [torch.finfo(d).max for d in PRECISIONS]


# --- graphs against the other reading in balls ------------------------------------------------------------------------


def compared(expression: Expression, sizes: dict[str, int], seed: int, by: str = "x") -> int:
    """How many entries of value and gradient were compared with `softmax_trick.readings.enclosure`."""
    point = random_point(expression.variables, sizes, {}, Random(seed))
    leaves: dict[str, graph.Node] = {}
    labels, values = {}, {}
    for one in expression.variables:
        given = point.values[one.name]
        if one.kind == "label":
            labels[one.name], values[one.name] = np.array(given).reshape(-1) - 1, given
        else:
            exact = np.array(given, dtype=object).astype(np.float64)
            leaves[one.name] = graph.leaf(exact)
            values[one.name] = np.vectorize(Fraction, otypes=[object])(exact).tolist()
    where = Point(sizes, values, {})
    lowered = Lowering(sizes, leaves, labels, 1, frozenset([*leaves, *labels])).rows(expression)
    x = next((one for one in expression.variables if one.name == by), None)
    outputs = [lowered] + ([graph.pullback(lowered, leaves[by], graph.leaf([1.0]))] if x is not None else [])
    found = balls.enclose(outputs, 256)
    Rounding(outputs)
    positions: list[tuple[Expression, tuple[int, ...], flint.arb]] = [(expression, (), found[0][0])]
    if x is not None:
        places = list(np.ndindex(*(sizes[size_of(axis)] for axis in x.axes)))
        positions += [
            (gradient(expression, x), tuple(i + 1 for i in at), ball) for at, ball in zip(places, found[1], strict=True)
        ]
    count = 0
    for wanted, at, ball in positions:
        try:
            other = enclose(wanted, where, at)
        except (Undefined, RecursionError):
            continue
        assert ball.overlaps(other) or not ball.is_finite(), (wanted, sizes, at, ball, other)
        count += bool(ball.is_finite())
    return count


def test_graphs_are_what_the_language_says() -> None:
    count = sum(
        compared(one, {"K": k, "D": 2, "N": 3}, seed)
        for seed, one in enumerate(random_formulas.expressions(7, 300, derivatives=0))
        if not one.axes
        for k in (1, 3)
    )
    assert count > 200


@pytest.mark.parametrize("name", READY)
def test_graphs_of_ready_losses(name: str) -> None:
    for form in formula(name, parameters={"gamma": Fraction(3, 2)} if name == "focal" else None).forms:
        assert all(compared(form, {"K": k, "N": k}, k) for k in (2, 3))


def test_gradients_may_stand_in_a_formula() -> None:
    text = "dot(grad(logsumexp(x), x) - t, grad(logsumexp(x), x) - t)"
    assert compared(parse(text, "x: K; t: K"), {"K": 3}, 1) == 4

    def loss(x: Tensor, t: Tensor) -> Tensor:
        return (x.softmax(-1) - t).square().sum()

    assert check_loss(loss, like=text, let="t: K nonnegative", checks=["value", "gradient"]).passed


def test_balls_are_narrowed_where_128_bits_leave_nothing() -> None:
    """-log(1 - p) where p is 1 but for the 1,154th binary place."""
    problem = FormulaLoss(None, formula("-log(1 - softmax(x)[c])"), "none").posed(
        torch.tensor([[800.0, 0.0]], dtype=torch.float64), torch.tensor([0])
    )
    one = problem._forms(torch.ones(1))[0].value
    assert not balls.enclose([one], 128)[0][0].is_finite()
    assert abs(balls.enclose([one], 4096)[0][0] - 800) < 1e-300


# --- arguments --------------------------------------------------------------------------------------------------------


def test_a_formula_of_ones_own_with_parameters_and_inputs() -> None:
    def loss(x: Tensor, t: Tensor, w: Tensor, scale: float) -> Tensor:
        return (w[t] * rows(scale * x, t) + 0.25 * x.square().sum(-1)).mean()

    found = check_loss(
        loss,
        like="w[c]*(logsumexp(scale*x) - scale*x[c]) + a*sum(x**2)",
        let="w: K positive; scale: positive",
        parameters={"a": 0.25},
        reduction="mean",
        checks=QUICK,
    )
    assert found.passed == tuple(QUICK)


def test_a_formula_of_a_batch_with_a_value_for_each_row() -> None:
    like, let = "logsumexp(x) - x[c] + mean(x)", "x: N,K; c: N label K"
    for reduction, reduced in (("none", lambda r: r), ("mean", Tensor.mean), ("sum", Tensor.sum)):
        check_loss(
            lambda x, t, reduced=reduced: reduced(rows(x, t) + x.mean()),
            like=like,
            let=let,
            reduction=reduction,  # type: ignore[arg-type]
            checks=["value", "gradient", "grad_output"],
        )


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("like", ["z_loss", None])
def test_classes_along_another_axis(axis: int, like: str | None) -> None:
    def loss(x: Tensor, t: Tensor) -> Tensor:
        moved = x.movedim(axis, -1).reshape(-1, x.shape[axis])
        found = rows(moved, t.reshape(-1))
        return (found + 1e-4 * moved.logsumexp(-1) ** 2 if like else found).reshape(t.shape)

    checks = ["value", "gradient", "inputs unmodified", "memory formats", "batch sizes"]
    assert check_loss(loss, reduction="none", like=like, axis=axis, checks=checks).passed == tuple(checks)
    with pytest.raises(CheckFailed):
        check_loss(lambda x, t: loss(x, t) + x.sum() / 10**6, reduction="none", like=like, axis=axis)


def test_masks_and_ignored_rows() -> None:
    loss = partial(F.cross_entropy, reduction="mean")
    features: Any = ["ignore_index", "masks"]
    assert check_loss(loss, like="cross_entropy", reduction="mean", features=features, checks=features).passed == (
        "ignore_index",
        "masks",
    )
    with pytest.raises(CheckFailed, match="ignore_index: "):
        check_loss(
            lambda x, t, ignore_index: rows(x, t.clamp_min(0)).mean(),
            like="cross_entropy",
            reduction="mean",
            features=["ignore_index"],
            checks="ignore_index",
        )


HINTS: list[tuple[str, Loss, dict[str, Any], str]] = [
    ("cross_entropy", lambda x, t: rows(x, t).mean(), {}, "the mean for the sum?"),
    ("cross_entropy", lambda x, t: rows(x, t).sum(), MEAN, "the sum for the mean?"),
    ("cross_entropy", lambda x, t: rows(x, t), {}, "that is reduction='none'"),
    ("cross_entropy", lambda x, t: rows(x, t).sum(), NONE, "that is reduction='sum' or 'mean'"),
    ("cross_entropy", lambda x, t: x.softmax(-1), {}, "is it a normalizer?"),
    ("cross_entropy", lambda x, t: -rows(x, t).sum(), {}, "the sign turned"),
    ("cross_entropy", lambda x, t: rows(x, t).sum() / 0.6931471805599453, {}, "in bits"),
    ("bce", lambda x, t: F.binary_cross_entropy_with_logits(x, t), MEAN, "divided by the . classes"),
    ("bce", lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"), NONE, "is .sum.-1. missing?"),
    ("kl", lambda x, t: F.kl_div(x, t, reduction="sum") / x.numel(), MEAN, "divided by the . classes"),
    (
        "soft_cross_entropy",
        lambda x, t: F.kl_div(x.log_softmax(-1), t, reduction="sum"),
        {},
        "a constant that does not depend on the scores",
    ),
]


@pytest.mark.parametrize(("like", "loss", "arguments", "hint"), HINTS)
def test_hints_at_the_likely_misuse(like: str, loss: Loss, arguments: dict[str, Any], hint: str) -> None:
    with pytest.raises(CheckFailed, match=hint) as caught:
        check_loss(loss, like=like, **arguments)
    assert caught.value.check == "value"
    assert caught.value.example["formula"] == READY[like].forms[0]


def test_a_hint_holds_at_other_examples_too() -> None:
    def halved_for_two_classes(x: Tensor, t: Tensor) -> Tensor:
        return rows(x, t).sum() * 2 / x.shape[1] ** 2

    with pytest.raises(CheckFailed) as caught:  # the smallest example has two rows of two classes
        check_loss(halved_for_two_classes, like="cross_entropy")
    assert "it is the right one" not in caught.value.what
    with pytest.raises(CheckFailed, match="divided by the 2 rows") as caught:
        check_loss(lambda x, t: rows(x, t).mean(), like="cross_entropy")
    assert "classes" not in caught.value.what
    assert "halved" not in caught.value.what


def test_a_value_is_off_by_a_constant_only_if_it_is_so_with_other_scores() -> None:
    def mean_with_the_gradient_of_the_sum(x: Any, t: Any) -> tuple[Any, Any]:
        y = np.exp(x - x.max(-1, keepdims=True))
        y /= y.sum(-1, keepdims=True)
        hot = np.eye(x.shape[-1], dtype=x.dtype)[t]
        return -(hot * np.log(y)).sum(-1).mean(), y - hot

    with pytest.raises(CheckFailed, match="divided by the 2 rows") as caught:
        check_loss(mean_with_the_gradient_of_the_sum, like="cross_entropy", framework="numpy")
    assert "constant" not in caught.value.what


@pytest.mark.parametrize("formula", ["sum(gelu(x))", "sum(erf(x))", "sum(normal_cdf(x))"])
def test_what_has_no_rounding_bound_is_no_formula_to_check_against(formula: str) -> None:
    with pytest.raises(LanguageError, match=r"normal_cdf.* cannot be a reference here: .*reference= takes a function"):
        check_loss(lambda x: x.sum(-1), like=formula)


def test_a_loss_in_place_of_a_normalizer() -> None:
    from softmax_trick.testing import check_normalizer

    with pytest.raises(CheckFailed, match="is it a loss"):
        check_normalizer(lambda x: x.logsumexp(-1).sum())


BAD: list[tuple[dict[str, Any], str]] = [
    ({"like": "logsumexp(y) - y[c]"}, "has no x, the scores; its names are c, y: by= says which"),
    ({"like": "softmax(x)"}, "is it a normalizer? check_normalizer"),
    ({"like": "focus"}, "'focus' is no loss that has a name: write its formula, or choose among cross_entropy"),
    ({"like": "logsumexp(x) - x[c"}, "unexpected end"),
    ({"like": "logsumexp(x) - x[c]", "parameters": {"z": 1}}, "parameter 'z' is not in the formula"),
    ({"like": "z*logsumexp(x)", "parameters": {"z": "1"}}, "'1': a number is needed"),
    ({"like": "z*logsumexp(x)", "parameters": {"z": float("nan")}}, "a finite number is needed"),
    ({"like": "sum(w*x)", "let": "w: K", "parameters": {"w": 1}}, "only scalars have a value"),
    ({"like": "logsumexp(x) - x[i]"}, "the index i is free"),
    ({"like": "logsumexp(W@x)", "let": "W: D,K"}, "give the size of D"),
    ({"like": ["logsumexp(x)", "logsumexp(x) + 1"]}, "not proved equal"),
    ({"like": "x[b] - x[c]"}, "are labels: a loss has one"),
    ({"like": "sum(x)", "let": "x: K positive"}, "scores are real"),
    ({"like": "z_loss", "let": "c: label K"}, "has its declarations"),
    ({"like": "z_loss", "normalizer": "sigmoid"}, "give a normalizer or like=, not both"),
    ({"like": "z_loss", "targets": "soft"}, "the formula says what its targets are"),
    ({"like": "z_loss", "features": ["weights"]}, "write it into the formula"),
    ({"like": "bce", "features": ["ignore_index"]}, "needs a formula of a row with a label"),
    ({"like": "z_loss", "half": "kernel"}, "unknown half 'kernel'"),
    ({"half": "strict"}, "half= belongs to like="),
    ({"let": "c: label K"}, "let= belongs to like="),
    ({"axis": 2}, "unknown axis 2: choose one of -1, 0, 1"),
    ({"framework": "numpi"}, "unknown framework 'numpi': choose one of torch, numpy, jax"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    import re

    with pytest.raises(ValueError, match=re.escape(message)):
        check_loss(RIGHT["cross_entropy"][0], **arguments)


def test_what_is_no_loss_of_torch() -> None:
    with pytest.raises(ValueError, match="loss_fn is a int, not a function"):
        check_loss(3, like="z_loss")  # type: ignore[arg-type]
    with pytest.raises(CheckFailed, match="not a tensor"):
        check_loss(lambda x, t: 1.0, like="z_loss")  # type: ignore[arg-type, return-value]
    with pytest.raises(CheckFailed, match=r"it was called with the scores, the targets, counts="):
        check_loss(lambda x, t: rows(x, t).sum(), like="balanced_softmax")


def test_a_formula_that_has_no_value_anywhere() -> None:
    def check(subject: None, draw: running.Draw) -> None:
        problem = FormulaLoss(None, formula("log(-1 - sum(x**2))"), "sum").posed(torch.zeros(1, 2), torch.tensor([0]))
        problem.answer_value()

    with pytest.raises(ValueError, match="value: what is right has no value at any of the examples"):
        running.run_checks(None, {"value": check}, None)


def test_many_scores_are_judged_entry_by_entry() -> None:
    """An entry in the middle of a long row, which has no bound of its own: by its running error."""
    k = 4099
    problem = FormulaLoss(None, formula("cross_entropy"), "sum").posed(many_scores(k), torch.tensor([k - 1, 1]))
    answer = problem.answer_gradient(torch.tensor(1.0))
    got = answer.right.clone()
    got[0, 2000] *= 1 + 1e-9
    with pytest.raises(Mismatch, match=r"entry \[0, 2000\]"):
        compare("it", got, answer, {})


# --- a reference ------------------------------------------------------------------------------------------------------


def test_a_reference_in_torch() -> None:
    first, second = RIGHT["focal"]
    checks = ["value", "gradient", "second derivative"]
    assert check_loss(first, reference=second, checks=checks).passed == tuple(checks)
    hinge = RIGHT["multi_margin"][0]
    assert check_loss(
        lambda x, t: ((1 + x - picked(x, t)[:, None]).relu() * (1 - F.one_hot(t, x.shape[-1]))).mean(-1).sum(),
        reference=hinge,
        checks=["value", "gradient"],
    ).passed


def test_what_differs_from_a_reference_is_rejected() -> None:
    right = RIGHT["focal"][0]
    with pytest.raises(CheckFailed, match=r"value: .*off by") as caught:
        check_loss(lambda x, t: right(x, t) * (1 + 1e-12), reference=right)
    assert "right_losses" in caught.value.example["reference"]
    with pytest.raises(CheckFailed, match=r"^gradient: "):
        check_loss(WRONG["dw/dx of focal forgotten"][1], reference=right)
    with pytest.raises(CheckFailed, match="the mean for the sum"):
        check_loss(lambda x, t: rows(x, t).mean(), reference=lambda x, t: rows(x, t).sum())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reference": rows}, r"gives shape \(2,\), and reduction='sum' is \(\)"),
        ({"reference": "z_loss"}, "a str, not a function; a formula goes to like="),
        ({"reference": rows, "like": "z_loss"}, "give like= or reference=, not both"),
        ({"reference": rows, "normalizer": "sigmoid"}, "give a normalizer or reference="),
        ({"reference": rows, "features": ["masks"]}, "let both functions have it"),
        ({"reference": lambda x, t: 1.0}, "gives a float, not a tensor"),
    ],
)
def test_wrong_references(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_loss(RIGHT["cross_entropy"][0], **arguments)


# --- other frameworks -------------------------------------------------------------------------------------------------


def of_numpy(x: Any, t: Any, factor: float = 1.0) -> tuple[Any, Any]:
    if x.dtype == np.float16:
        raise TypeError("float32 or float64, please")
    top = x.max(-1, keepdims=True) if x.size else x.sum(-1, keepdims=True)
    powers = np.exp(x - top)
    total = powers.sum(-1, keepdims=True)
    at = np.arange(len(x)), t
    gradient = powers / total
    gradient[at] -= 1
    return np.asarray((np.log(total) + top)[:, 0].sum() - x[at].sum(), dtype=x.dtype), factor * gradient


def test_numpy() -> None:
    left = set(LOSS_CHECKS) - {"grad_output", "repeated backward", "second derivative"}
    checked = check_loss(of_numpy, like="cross_entropy", framework="numpy", checks=sorted(left - {"many classes"}))
    assert set(checked.passed) == left - {"many classes"}
    with pytest.raises(ValueError, match="unknown sub-check 'grad_output'"):
        check_loss(of_numpy, like="cross_entropy", framework="numpy", checks="grad_output")
    assert checked.refused == ("bfloat16", "float16")
    assert check_loss(of_numpy, framework="numpy", checks="value").passed == ("value",)
    with pytest.raises(CheckFailed, match=r"^gradient: .*doubled"):
        check_loss(partial(of_numpy, factor=2.0), like="cross_entropy", framework="numpy")
    for wrong, message in (
        (lambda x, t: x.sum(), "returns .value, gradient."),
        (lambda x, t: (x.sum(), 1), "has shape"),
    ):
        with pytest.raises(CheckFailed, match=message):
            check_loss(wrong, like="cross_entropy", framework="numpy")


class OfAnotherLibrary:
    """An array of which nothing is known but DLPack."""

    def __init__(self, array: Any) -> None:
        self._array = torch.from_numpy(np.array(array))

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


def test_arrays_of_any_library_that_speaks_dlpack() -> None:
    def loss(x: Any, t: Any, factor: float = 1.0) -> Any:
        value, gradient = of_numpy(x, t, factor)
        return OfAnotherLibrary(value), OfAnotherLibrary(gradient)

    checks = ["value", "gradient", "batch sizes"]
    assert check_loss(loss, like="cross_entropy", framework="numpy", checks=checks).passed == tuple(checks)
    with pytest.raises(CheckFailed, match=r"^gradient: .*doubled"):
        check_loss(partial(loss, factor=2.0), like="cross_entropy", framework="numpy", checks=checks)


def test_jax() -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)

    def loss(x: Any, t: Any) -> Any:
        return (jax.nn.logsumexp(x, axis=-1) - jax.numpy.take_along_axis(x, t[:, None], -1)[:, 0]).sum()

    checks = ["value", "gradient", "grad_output", "second derivative", "dtypes"]
    assert check_loss(loss, like="cross_entropy", framework="jax", checks=checks).passed == tuple(checks)
    with pytest.raises(CheckFailed, match=r"^value: "):
        check_loss(lambda x, t: 2 * loss(x, t), like="cross_entropy", framework="jax")


# --- ulps -------------------------------------------------------------------------------------------------------------


def test_accuracy_tells_noise_from_a_bug() -> None:
    right = accuracy(RIGHT["focal"][0], "focal", cases=40)
    assert str(right).startswith("x: vector over K; c: label into K")
    assert not any(right.rejected.values())
    assert right.cases["float64"] == 40
    assert {(one["dtype"], one["scores"]) for one in right.rows()} >= {("bfloat16", "generic"), ("float64", "huge")}
    assert all(one["worst_share_of_allowed"] <= 1 for one in right.rows())
    wrong = accuracy(WRONG["gamma 2.001"][1], "focal", cases=40, kinds=["generic"], dtypes=["float64", "bfloat16"])
    assert wrong.rejected["float64"] == 40
    assert wrong.rejected["bfloat16"] == 0  # a thousandth is less than bfloat16's noise
    assert "float64: 40 cases, 40 outside" in str(wrong)


def test_accuracy_counts_what_overflows() -> None:
    found = accuracy(RIGHT["z_loss"][0], "z_loss", kinds=["saturated"], dtypes=["float16"], cases=60)
    assert found.as_json()["table"][0]["overflows"] > 0


@pytest.mark.parametrize("arguments", [{"kinds": ["usual"]}, {"dtypes": ["float8"]}])
def test_accuracy_of_unknown_things(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="choose among"):
        accuracy(RIGHT["focal"][0], "focal", **arguments)


def test_accuracy_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_to_measure.py").write_text(
        "import torch.nn.functional as F\n"
        "def hot(x, t):\n    return F.cross_entropy(x / 2, t)\n"
        "def wrong(x, t):\n    return 1.01 * hot(x, t)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    command = ["accuracy", "mine_to_measure:hot", "--like", "-x[c]/tau + logsumexp(x/tau)", "--parameter", "tau=2"]
    files = ["--json", "ulps.json", "--plot", "ulps.svg"]
    assert main([*command, "--cases", "20", *files]) == 0
    assert "float64: 20 cases, 0 outside" in capsys.readouterr().out
    assert json.loads((tmp_path / "ulps.json").read_text())["dtypes"]["float32"] == {"cases": 20, "outside": 0}
    assert (tmp_path / "ulps.svg").stat().st_size > 5000
    assert main([command[0], "mine_to_measure:wrong", *command[2:], "--cases", "20", "--dtype", "float64"]) == 1
    for wrong in (["--dtype", "float8"], ["--parameter", "tau"], ["--plot", "ulps.txt"], ["--like", "focus"]):
        assert main([*command, *wrong]) == 2


def test_the_page_lists_the_ready_losses() -> None:
    page = (Path(__file__).parents[1] / "docs" / "testing.md").read_text(encoding="utf-8")
    for name, ready in READY.items():
        values = ", ".join(f"{parameter} = {value}" for parameter, value in ready.parameters.items())
        assert f"| `{name}` | `{ready.forms[0]}` | {values} |" in page
