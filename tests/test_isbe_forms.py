"""ISBE's options, buffers, values and doors: the direct and the wrapped form, and planted errors, all caught.

`check_loss` knows the formulas of every option (`softmax_trick.testing.reference`) and shares none of them with
`softmax_trick.isbe`. Two facts carry its verdict over to the forms that it cannot call: the error of the direct form is
bitwise the gradient of the wrapped one, and so are the gradients for the other kinds of value.
"""

from __future__ import annotations

import copy
import itertools
import pickle
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from softmax_trick import NORMALIZERS, ISBELoss, isbe_error, isbe_gradient
from softmax_trick.isbe import REDUCTIONS, VALUES, isbe_linear, kernel, values
from softmax_trick.isbe import error as direct_form
from softmax_trick.isbe import loss as wrapped_form
from softmax_trick.isbe.targets import rule_for
from softmax_trick.normalizers import SIGMOID, SOFTMAX
from softmax_trick.testing import CheckFailed, check_loss, running
from softmax_trick.testing.reference import Problem

NAMES = sorted(NORMALIZERS)
U = 2.0**-53
N, K = 5, 7
LABELS = torch.tensor([0, 6, 3, 3, 1])
FEW = settings(deadline=None, derandomize=True, database=None, max_examples=15)
PLANTED = settings(FEW, phases=[Phase.generate], max_examples=60)


pytestmark = pytest.mark.usefixtures("one_thread")


def scores(n: int = N, k: int = K, size: float = 2.0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(n + k)
    return (size * torch.randn(n, k, generator=generator, dtype=torch.float64)).to(dtype)


def soft(n: int = N, k: int = K) -> Tensor:
    return scores(n, k).softmax(-1)


def close(found: Tensor | None, expected: Tensor | None, tolerance: float) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(x).sum(), x)[0]


OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "label smoothing": {"label_smoothing": 0.1},
    "blurring": {"blurring": 0.1},
    "weights": {"weight": torch.linspace(0, 2, K, dtype=torch.float64)},
    "ignore_index": {"ignore_index": 3},
    "all": {
        "label_smoothing": 0.3,
        "weight": torch.linspace(0, 2, K, dtype=torch.float64),
        "ignore_index": 3,
    },
}


def fits(name: str, options: dict[str, Any], targets: Tensor = LABELS) -> bool:
    if "weight" in options and name != "softmax":
        return False
    return not ("ignore_index" in options and targets.is_floating_point())


CASES = [
    (name, option, targets)
    for name, option, targets in itertools.product(NAMES, OPTIONS, (LABELS, soft()))
    if fits(name, OPTIONS[option], targets)
]


# --- options: right by `check_loss` -----------------------------------------------------------------------------------


def with_options(name: str, reduction: Any, **fixed: Any) -> Callable[..., Tensor]:
    return lambda x, t, **options: ISBELoss(name, reduction, **options, **fixed)(x, t)


@pytest.mark.parametrize(
    ("name", "reduction", "targets"),
    [
        ("softmax", "sum", "index"),
        ("softmax", "mean", "index"),
        ("softmax", "none", "soft"),
        ("tanh", "mean", "index"),
        ("hardsigmoid", "none", "soft"),
    ],
)
def test_every_option_passes_check_loss(name: str, reduction: Any, targets: Any) -> None:
    features: list[Any] = ["label_smoothing"]
    features += ["weights"] if name == "softmax" else []
    features += ["ignore_index"] if targets == "index" else []
    together = ["features together"] if len(features) > 1 else []
    checked = check_loss(
        with_options(name, reduction), name, reduction, targets, features, checks=[*features, *together, "batch sizes"]
    )
    assert checked.refused == ()


def test_masked_classes_pass_check_loss() -> None:
    check_loss(ISBELoss(), features=["masks"], checks=["masks"])
    check_loss(ISBELoss(), targets="soft", features=["masks"], checks=["masks"])


FAULTS: dict[str, tuple[Any, Any]] = {
    "weights forgotten": (lambda x, t, weight=None: ISBELoss()(x, t), "weights"),
    "weights not in the mean": (
        lambda x, t, weight=None: ISBELoss(weight=weight)(x, t) / max(len(x), 1),
        "weights",
    ),
    "smoothing read as blurring": (
        lambda x, t, label_smoothing=0.0: ISBELoss(reduction="mean", blurring=label_smoothing)(x, t),
        "label_smoothing",
    ),
    "an ignored row sent back": (
        lambda x, t, ignore_index=None: ISBELoss(reduction="mean")(x, t.clamp_min(0)),
        "ignore_index",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_options_are_rejected(fault: str) -> None:
    loss, feature = FAULTS[fault]
    with pytest.raises(CheckFailed) as caught:
        check_loss(loss, reduction="mean", features=[feature], checks=[feature])
    assert caught.value.check == feature


# --- the error that is kept for the backward pass ---------------------------------------------------------------------


@pytest.fixture
def many_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few scores there are, value and error are made of one SoftMax, in several blocks."""
    monkeypatch.setattr(wrapped_form, "FEW", 0)
    monkeypatch.setattr(direct_form, "BLOCK", 12)


@pytest.mark.usefixtures("many_scores")
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_kept_error_passes_check_loss(reduction: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_SETTINGS", settings(running._SETTINGS, max_examples=20))
    taken = []
    kept = values.cross_entropy_and_error

    def counted(*arguments: Any) -> Any:
        taken.append(arguments)
        return kept(*arguments)

    monkeypatch.setattr(wrapped_form, "cross_entropy_and_error", counted)
    checked = check_loss(with_options("softmax", reduction), reduction=reduction, features=["ignore_index", "masks"])
    assert checked.refused == ()
    assert len(taken) > 200


@pytest.mark.usefixtures("many_scores")
@pytest.mark.parametrize("size", [1.0, 80.0, 100.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_value_of_a_faint_label_is_right(size: float, dtype: torch.dtype) -> None:
    """Down to where y_t underflows: e^-87 in float32, e^-708 in float64; and beyond."""
    x = scores(40, 5, size, dtype).requires_grad_()
    labels = x.detach().argmin(-1)
    right = F.cross_entropy(x.double(), labels, reduction="none")
    found = ISBELoss(reduction="none")(x, labels)
    bound = 16 * torch.finfo(dtype).eps * (1 + x.detach().abs().amax())
    assert (found.double() - right).abs().max() <= bound


@pytest.mark.usefixtures("many_scores")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5,), (2, 3)])
def test_only_the_first_backward_pass_takes_it(reduction: Any, shape: tuple[int, ...]) -> None:
    x = scores(6, K)[: shape[0]] if len(shape) == 1 else scores(6, K).view(*shape, K)
    x.requires_grad_()
    labels = torch.arange(x.numel() // K).view(shape) % K
    value = ISBELoss(reduction=reduction, ignore_index=3)(x, labels)
    grad_output = torch.full_like(value, 0.7)
    first, second, third = (
        torch.autograd.grad(value, x, grad_output, retain_graph=True, create_graph=graph)[0]
        for graph in (False, False, True)
    )
    expected = torch.autograd.grad(
        F.cross_entropy(x.view(-1, K), labels.view(-1), ignore_index=3, reduction=reduction).view(value.shape),
        x,
        grad_output,
    )[0]
    for found in (first, second, third):
        close(found, expected, 4 * U)
    assert first.data_ptr() != second.data_ptr()
    assert third.requires_grad


@pytest.mark.usefixtures("many_scores")
def test_without_a_gradient_no_error_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapped_form, "cross_entropy_and_error", None)
    x = scores()
    with torch.no_grad():
        close(ISBELoss()(x.requires_grad_(), LABELS), F.cross_entropy(x, LABELS, reduction="sum"), 1e-14)
    close(ISBELoss()(x.detach(), LABELS), F.cross_entropy(x, LABELS, reduction="sum"), 1e-14)
    with pytest.raises(TypeError):  # planted
        ISBELoss()(x, LABELS)


def test_from_how_many_scores_on_the_error_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapped_form, "cross_entropy_and_error", None)
    labels = torch.tensor([0, 1])
    ISBELoss()(torch.zeros(2, wrapped_form.FEW // 2, requires_grad=True), labels)
    with pytest.raises(TypeError):
        ISBELoss()(torch.zeros(2, wrapped_form.FEW // 2 + 1, requires_grad=True), labels)


@pytest.mark.usefixtures("many_scores")
def test_a_wrong_label_is_named_here_too() -> None:
    with pytest.raises(ValueError, match=r"class index 7 in row \[2\] is outside 0\.\.6"):
        ISBELoss()(scores().requires_grad_(), torch.tensor([0, 6, 7, 3, 1]))


@pytest.mark.usefixtures("many_scores")
@pytest.mark.parametrize(
    ("target", "planted"),
    [
        ("softmax_trick.isbe.loss._gradient", lambda g, x, t, *_: x.softmax(-1)),
        ("softmax_trick.isbe.loss.row_scale", lambda g, *_: g),
        ("softmax_trick.isbe.values.indices", lambda labels, kept: labels.clamp_max(0).unsqueeze(-1)),
        ("torch.Tensor.log", lambda y: y - 1),
    ],
    ids=["a second gradient without targets", "no mean", "always class 0 where faint", "no logarithm"],
)
def test_planted_errors_of_a_kept_error_are_rejected(
    target: str, planted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, planted)
    monkeypatch.setattr(running, "_SETTINGS", settings(PLANTED, suppress_health_check=list(HealthCheck)))
    with pytest.raises(CheckFailed):
        check_loss(ISBELoss(reduction="mean"), reduction="mean")


# --- direct, wrapped, and in a buffer: the same to the last bit, where torch's own cross-entropy has no part in it ----


def agree(error: Callable[..., Tensor], name: str, targets: Tensor, options: dict[str, Any]) -> None:
    """The error is the gradient of the wrapped form, for every kind of value, fresh and in a buffer."""
    x = scores()
    found = error(x, targets, name, **options)
    assert torch.equal(found, error(x, targets, name, **options, out=torch.full((N, K), 7.0, dtype=torch.float64)))
    for value in VALUES:
        loss = ISBELoss(name, value=value, **options)
        backward = gradient(partial(loss, targets=targets), x)
        if value == "implicit" and (name, options) == ("softmax", {}) and not targets.is_floating_point():
            # Both are within a few roundings of the exact one: exp, a sum of K, and differences of numbers up to 1.
            assert (backward - found).abs().max() <= 4 * (K + 8) * torch.finfo(x.dtype).eps
        else:
            assert torch.equal(backward, found)


@pytest.mark.parametrize(("name", "option", "targets"), CASES)
def test_direct_and_wrapped_are_the_same(name: str, option: str, targets: Tensor) -> None:
    agree(isbe_error, name, targets, OPTIONS[option])


def test_a_direct_form_that_differs_is_rejected() -> None:
    for wrong in (
        lambda *a, **o: isbe_error(*a, **o) + 1e-16,
        lambda *a, out=None, **o: isbe_error(*a, **o) if out is None else out.copy_(isbe_error(*a, **o) / 2),
        lambda *a, ignore_index=None, **o: isbe_error(*a, **o),
    ):
        assert any(raises(agree, wrong, name, targets, OPTIONS[option]) for name, option, targets in CASES)


def raises(check: Callable[..., None], *arguments: Any) -> bool:
    try:
        check(*arguments)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(("name", "option", "targets"), CASES)
def test_the_definition_and_the_blocks_are_the_same(
    name: str, option: str, targets: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In blocks of two rows, and by the differentiable definition, up to rounding: 4 (K + 8) u at weights up to 2."""
    x, options = scores(), OPTIONS[option]
    found, value = isbe_error(x, targets, name, **options), ISBELoss(name, "none", **options)(x, targets)
    twice = x.clone().requires_grad_()
    (textbook,) = torch.autograd.grad(ISBELoss(name, **options)(twice, targets), twice, create_graph=True)
    close(textbook.detach(), found, 2 * 4 * (K + 8) * U)
    monkeypatch.setattr(direct_form, "BLOCK", 2 * K)
    monkeypatch.setattr("softmax_trick.isbe.values.BLOCK", 2 * K)
    assert len(list(direct_form.blocks(x))) == 3
    out = torch.full_like(x, 7.0)
    close(isbe_error(x, targets, name, **options, out=out), found, 2 * 4 * (K + 8) * U)
    close(ISBELoss(name, "none", **options)(x, targets), value, 2 * 8 * (K + 8) * U * (x.abs() + 1).sum().item())
    by_row = gradient(lambda at: torch.arange(N) * ISBELoss(name, "none", **options)(at, targets), x)
    close(by_row, torch.arange(N).unsqueeze(-1) * found, N * 2 * 4 * (K + 8) * U)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [3, 40])  # with many rows of few classes SoftMax is computed transposed
def test_a_normalizer_writes_what_it_returns_also_over_the_scores(name: str, k: int) -> None:
    for dtype in (torch.float64, torch.float32):
        entry, x = NORMALIZERS[name], scores(200, k, 3.0, dtype)
        x[0] = torch.linspace(-4, 4, k)
        # Row by row: one row is never taken for many.
        expected = torch.stack([entry.torch(row) for row in x])
        tolerance = 4 * (k + 8) * torch.finfo(dtype).eps
        close(entry.torch(x), expected, tolerance)
        close(entry.write(x, torch.empty_like(x)), expected, tolerance)
        close(entry.write(x, x), expected, tolerance)


# --- dilation and relocation ------------------------------------------------------------------------------------------

D = torch.tensor([0.5, 2.0, 1.0, 0.0, -1.0, 3.0, 0.1], dtype=torch.float64)
C = torch.linspace(-1, 1, K, dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("targets", [LABELS, soft()], ids=["labels", "soft"])
def test_the_gradient_has_the_dilation_and_the_error_has_not(name: str, targets: Tensor) -> None:
    """Theorem A1, (P3): J^T (-t / y) = d * (y - t); here the gradient of the implicit loss at d * x - c."""
    x = scores()
    right = gradient(lambda at: ISBELoss(name)(D * at - C, targets), x)
    close(isbe_gradient(x, targets, name, dilation=D, relocation=C), right, 3 * 4 * (K + 8) * U)
    error = isbe_error(x, targets, name, dilation=D, relocation=C)
    close(error, isbe_error(D * x - C, targets, name), 0)
    assert not torch.allclose(error, right)
    close(isbe_error(x, targets, name, dilation=2.0), isbe_error(2 * x, targets, name), 0)


def test_the_gradient_is_that_of_the_cross_entropy() -> None:
    right = gradient(lambda at: F.cross_entropy(D * at - C, LABELS, reduction="sum"), scores())
    buffer = torch.empty(N, K, dtype=torch.float64)
    found = isbe_gradient(scores(), LABELS, dilation=D, relocation=C, out=buffer)
    close(found, right, 3 * 4 * (K + 8) * U)
    assert found is buffer


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_no_value_is_no_number_and_still_has_the_gradient(reduction: Any) -> None:
    x = scores().requires_grad_()
    loss = ISBELoss(reduction=reduction, value="none")(x, LABELS)
    assert loss.isnan().all()
    assert loss.shape == ((N,) if reduction == "none" else ())
    loss.sum().backward()
    close(x.grad, isbe_error(x, LABELS) / (N if reduction == "mean" else 1), U)


@pytest.mark.parametrize("name", NAMES)
def test_the_squared_error_is_half_the_squared_norm(name: str) -> None:
    expected = isbe_error(scores(), LABELS, name).square().sum(-1) / 2
    close(ISBELoss(name, "none", value="mse")(scores(), LABELS), expected, 0)
    close(ISBELoss(name, "mean", value="mse")(scores(), LABELS), expected.mean(), 8 * N * U * K)


def test_without_rows_that_count_the_mean_is_no_number_and_its_gradient_zero() -> None:
    """As F.cross_entropy has it."""
    for loss in (ISBELoss(reduction="mean", ignore_index=3), nn.CrossEntropyLoss(ignore_index=3)):
        x = scores().requires_grad_()
        value = loss(x, torch.full((N,), 3))
        value.backward()
        assert value.isnan()
        assert x.grad is not None
        assert torch.equal(x.grad, torch.zeros(N, K))


# --- accuracy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1.0, 30.0, 1e3, 1e4])
@pytest.mark.parametrize("k", [10, 300])
def test_the_error_is_within_the_rounding_bound_of_float64(size: float, k: int) -> None:
    """Scores up to 1e4 in float32, in a buffer and fresh; softmax_trick/testing/reference.py derives the bound."""
    x = scores(20, k, size, torch.float32).clamp(-1e4, 1e4)
    labels = torch.arange(20) % k
    reference = Problem(SOFTMAX, "sum", x, labels)
    allowed = reference.gradient_allowed(torch.ones(()))
    for found in (isbe_error(x, labels), isbe_error(x, labels, out=torch.empty_like(x))):
        assert ((found.double() - reference.gradient(torch.ones(()))).abs() <= allowed).all()
    off = isbe_error(x.bfloat16(), labels).double()
    assert not ((off - reference.gradient(torch.ones(()))).abs() <= allowed).all()  # the bound is not idle


@pytest.mark.parametrize("size", [0.3, 1.0, 3.0, 10.0, 100.0])
@pytest.mark.parametrize("k", [2, 10, 1000])
def test_in_bfloat16_it_is_no_worse_than_torchs_own(size: float, k: int) -> None:
    """Largest error of an entry over 64 rows, against the formula in float64 on the same rounded scores."""
    x, labels = scores(64, k, size, torch.bfloat16), torch.arange(64) % k
    right = Problem(SOFTMAX, "sum", x, labels).gradient(torch.ones(()))
    torchs = gradient(lambda at: F.cross_entropy(at, labels, reduction="sum"), x)

    def off(found: Tensor) -> float:
        return float((found.double() - right).abs().max())

    found = isbe_error(x, labels)
    assert off(found) <= off(torchs)
    # Rounded once: also where the labelled class has nearly 1, and a rounded y has lost the digits of y - 1.
    once = right.abs() * torch.finfo(torch.bfloat16).eps / 2 + k * torch.finfo(torch.float32).eps * (1 + size)
    assert ((found.double() - right).abs() <= once).all()
    if size == 10 and k == 10:
        naive = x.softmax(-1).scatter_add(-1, labels.unsqueeze(-1), -torch.ones(64, 1, dtype=torch.bfloat16))
        assert not ((naive.double() - right).abs() <= once).all()


# --- buffers ----------------------------------------------------------------------------------------------------------


def test_one_buffer_serves_every_step() -> None:
    net = nn.Linear(4, K)
    error: Tensor | None = None
    for step in range(3):
        images, labels = scores(N, 4).float() + step, (LABELS + step) % K
        net.zero_grad()
        outputs = net(images)
        before = error
        error = isbe_error(outputs, labels, out=error)
        assert before is None or error is before
        outputs.backward(error)
        expected = torch.autograd.grad(F.cross_entropy(net(images), labels, reduction="sum"), net.weight)[0]
        close(net.weight.grad, expected, 64 * N * float(images.abs().max()) * 2.0**-24)


@pytest.mark.parametrize(
    ("buffer", "message"),
    [
        (torch.empty(N, K + 1, dtype=torch.float64), r"buffer must be as the scores.*\(5, 7\).*not.*\(5, 8\)"),
        (torch.empty(N, K), "not torch.float32"),
        (torch.empty(N, K, dtype=torch.float64, requires_grad=True), "part of a graph"),
        (torch.empty(N, K, dtype=torch.float64, requires_grad=True) * 1, "part of a graph"),
        (torch.empty(1, K, dtype=torch.float64).expand(N, K), "expanded"),
    ],
)
def test_unfit_buffers_are_refused(buffer: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        isbe_error(scores(), LABELS, out=buffer)


def test_a_buffer_that_is_still_needed_is_refused() -> None:
    x, t = scores(), soft()
    with pytest.raises(ValueError, match="shares its memory with the scores"):
        isbe_error(x, LABELS, out=x.view(N, K))
    with pytest.raises(ValueError, match="shares its memory with the targets"):
        isbe_error(x, t, out=t)
    # The scores are a view of a leaf: then its gradient is a view of the error that was sent back, by AccumulateGrad.
    leaf = scores().flatten().clone().requires_grad_()
    error = isbe_error(leaf.view(N, K), LABELS, out=torch.empty_like(x))
    leaf.view(N, K).backward(error)
    assert leaf.grad is not None
    assert leaf.grad.untyped_storage().data_ptr() == error.untyped_storage().data_ptr()
    with pytest.raises(ValueError, match="shares its memory with the gradient of the scores"):
        isbe_error(leaf.view(N, K), LABELS, out=error)


def test_a_buffer_that_a_graph_has_saved_is_noticed_by_autograd() -> None:
    x = scores().requires_grad_()
    error = isbe_error(x, LABELS)
    penalty = (x.tanh() * error).sum()  # keeps the error for its backward pass
    isbe_error(x, LABELS.flip(0), out=error)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        penalty.backward()


@pytest.mark.parametrize("name", NAMES)
def test_buffers_and_scores_of_other_layouts(name: str) -> None:
    x = scores(6, K).reshape(2, 3, K)
    labels = torch.arange(6).reshape(2, 3)
    expected = isbe_error(x.reshape(6, K), labels.reshape(-1), name).reshape(2, 3, K)
    for view in (x, x.transpose(0, 1).contiguous().transpose(0, 1), x.repeat_interleave(2, -1)[..., ::2]):
        buffer = torch.empty(3, K, 2, dtype=torch.float64).permute(2, 0, 1)
        tolerance = 4 * (K + 8) * U
        close(isbe_error(view, labels, name), expected, tolerance)
        assert isbe_error(view, labels, name, out=buffer) is buffer
        close(buffer, expected, tolerance)


# --- refused ----------------------------------------------------------------------------------------------------------

W = torch.ones(K, dtype=torch.float64)


@pytest.mark.parametrize(
    ("targets", "name", "options", "message"),
    [
        (LABELS, "softmax", {"label_smoothing": 1.5}, r"label_smoothing must be in \[0, 1\], not 1.5"),
        (LABELS, "softmax", {"label_smoothing": 0.1, "blurring": 0.1}, "same in other units: give one"),
        (LABELS, "sigmoid", {"weight": W}, "class weights are defined for softmax only, not for sigmoid"),
        (LABELS, "softmax", {"weight": W[:3]}, r"class weights must be floating-point of shape \(7,\).*\(3,\)"),
        (LABELS, "softmax", {"weight": W.long()}, "not torch.int64"),
        (LABELS, "softmax", {"weight": W.clone().requires_grad_()}, r"weights require a gradient.*weight\.detach\(\)"),
        (soft(), "softmax", {"ignore_index": 0}, "ignore_index needs class indices"),
        (LABELS - 1, "softmax", {"check_targets": True}, r"class index -1 in row \[0\] is outside 0..6"),
        (LABELS - 1, "softmax", {"ignore_index": 2}, r"class index -1 in row \[0\]"),
        (LABELS + 1, "softmax", {"weight": W}, r"class index 7 in row \[1\]"),
        (soft() - 0.5, "softmax", {"check_targets": True}, r"soft target -0\.\d+ in row \[0, \d\] is outside \[0, 1\]"),
        (soft() * torch.nan, "softmax", {"check_targets": True}, "soft target nan in row"),
    ],
)
def test_bad_options_are_refused(targets: Tensor, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        isbe_error(scores(), targets, name, **options)
    with pytest.raises(ValueError, match=message):
        ISBELoss(name, **options)(scores(), targets)


def test_a_wrong_index_is_named_where_only_the_backward_pass_looks() -> None:
    loss = ISBELoss(value="none")(scores().requires_grad_(), LABELS + 1)
    with pytest.raises(ValueError, match=r"class index 7 in row \[1\]"):
        loss.backward()


def test_an_ignored_row_is_not_the_one_that_is_named() -> None:
    with pytest.raises(ValueError, match=r"class index 9 in row \[1\]"):
        isbe_error(scores(), torch.tensor([-100, 9, 0, 0, 0]), ignore_index=-100)


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a dilation must be a number or have shape \(7,\).*\(5, 1\)"):
        isbe_error(scores(), LABELS, dilation=torch.ones(N, 1))
    with pytest.raises(ValueError, match="unknown value 'loss': choose one of implicit, mse, none"):
        ISBELoss(value="loss")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="targets require a gradient"):
        ISBELoss(value="none")(scores(), soft().requires_grad_())


def test_values_are_looked_at_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensor.nonzero and Tensor.item wait for a device."""

    def waits(*_: Any) -> None:
        raise AssertionError("waited for the device")

    for name in ("item", "nonzero", "tolist", "__bool__"):
        monkeypatch.setattr(Tensor, name, waits)
    x = scores().requires_grad_()
    isbe_error(x, LABELS, label_smoothing=0.1, ignore_index=3)
    ISBELoss("tanh", "mean", ignore_index=3)(x, LABELS).backward()
    with pytest.raises(AssertionError, match="waited"):
        isbe_error(x, LABELS, check_targets=True)


# --- the usual training loop ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", VALUES)
def test_accumulated_micro_batches_add_up(value: Any) -> None:
    whole, parts = nn.Linear(4, K).double(), nn.Linear(4, K).double()
    parts.load_state_dict(whole.state_dict())
    images, loss = scores(N, 4), ISBELoss(value=value)
    loss(whole(images), LABELS).backward()
    for rows in (slice(0, 2), slice(2, N)):
        loss(parts(images[rows]), LABELS[rows]).backward()
    close(parts.weight.grad, whole.weight.grad, 64 * N * float(images.abs().max()) * U)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("value", VALUES)
def test_under_autocast_and_the_gradient_scaler(dtype: torch.dtype, value: Any) -> None:
    """The scores arrive in half precision; the scaled value is kept in float32 and does not overflow."""

    def weight_after(loss: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        net = nn.Linear(4, K)
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)
        with torch.autocast("cpu", dtype):
            outputs = net(scores(N, 4).float())
            assert outputs.dtype == dtype
            found = loss(outputs, LABELS)
        assert found.dtype == torch.float32
        scaler.scale(found).backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == 2.0**14  # no gradient overflowed
        return net.weight.detach(), found

    found, _ = weight_after(ISBELoss(reduction="mean", value=value))
    expected, _ = weight_after(nn.CrossEntropyLoss())
    # Each gradient at the scores is rounded once by either side, and then multiplied in half precision.
    close(found, expected, 8 * torch.finfo(dtype).eps)


def test_the_options_travel_with_the_module() -> None:
    loss = ISBELoss(weight=W.float(), ignore_index=3, value="mse", label_smoothing=0.1).to(torch.float64)
    assert loss.weight is not None
    assert loss.weight.dtype == torch.float64
    assert loss.state_dict() == {}
    assert "value='mse', ignore_index=3, label_smoothing=0.1" in repr(loss)


# --- torch.compile and torch.func -------------------------------------------------------------------------------------


def compiled_agrees(backend: str, options: dict[str, Any], dtype: torch.dtype = torch.float64) -> None:
    torch.compiler.reset()
    loss, x = ISBELoss("softmax", "mean", **options), scores(dtype=dtype)
    compiled = torch.compile(loss, backend=backend, fullgraph=True)
    found = gradient(lambda at: compiled(at, LABELS), x)
    close(found, gradient(lambda at: loss(at, LABELS), x), 4 * (K + 8) * torch.finfo(dtype).eps)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("option", ["none", "all"])
@pytest.mark.parametrize("value", ["none", "implicit"])
def test_it_compiles_in_one_graph(option: str, value: str) -> None:
    compiled_agrees("aot_eager", OPTIONS[option] | {"value": value})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile wants a C++ compiler on a CPU")
def test_it_compiles_to_kernels() -> None:
    """In float32: in float64 inductor's constants are still rounded to float32."""
    compiled_agrees("inductor", {"label_smoothing": 0.1}, torch.float32)


@pytest.mark.filterwarnings("ignore")
def test_the_direct_form_compiles() -> None:
    torch.compiler.reset()
    compiled = torch.compile(isbe_error, backend="aot_eager")
    close(compiled(scores(), LABELS, "tanh"), isbe_error(scores(), LABELS, "tanh"), 4 * (K + 8) * U)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("value", VALUES)
def test_torch_func_with_every_option(option: str, value: Any) -> None:
    options = OPTIONS[option]
    loss = ISBELoss(value=value, **options)
    expected = isbe_error(scores(), LABELS, **options)
    close(torch.func.grad(loss)(scores(), LABELS), expected, 2 * 4 * (K + 8) * U)
    close(torch.func.vmap(torch.func.grad(loss))(scores(), LABELS), expected, 2 * 4 * (K + 8) * U)
    over_labels = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(scores()[0], LABELS)
    close(over_labels[0], expected[0], 2 * 4 * (K + 8) * U)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, in forward mode
        hessian = torch.func.hessian(lambda x: loss(x, LABELS))(scores())
    by_hand = torch.autograd.functional.jacobian(
        lambda x: torch.autograd.grad(ISBELoss(**options)(x, LABELS), x, create_graph=True)[0],
        scores().requires_grad_(),
    )
    close(hessian, by_hand, 4 * 4 * (K + 8) * U)


@FEW
@given(st.integers(1, 6), st.integers(1, 20), st.sampled_from(NAMES), st.floats(-3, 3, allow_subnormal=False))
def test_any_shape_and_grad_output(n: int, k: int, name: str, factor: float) -> None:
    x, labels = scores(n, k), torch.arange(n) % k
    found = gradient(lambda at: factor * ISBELoss(name)(at, labels), x)
    close(found, factor * isbe_error(x, labels, name), 3 * 4 * U)


# --- a normalizer is known by its object, not by its name -------------------------------------------------------------

CALLED_SOFTMAX = replace(SIGMOID, name="softmax")


@pytest.mark.parametrize("k", [3, 2**18], ids=["few scores", "many scores"])
def test_a_sigmoid_called_softmax_is_a_sigmoid(k: int) -> None:
    """Where torch's cross-entropy is taken for SoftMax, and where value and error are made of one SoftMax."""
    x = torch.linspace(-2, 2, 2 * k, dtype=torch.float64).reshape(2, k).requires_grad_()
    labels = torch.tensor([0, 1])
    t = F.one_hot(labels, k).double()
    loss = ISBELoss(CALLED_SOFTMAX)(x, labels)
    (found,) = torch.autograd.grad(loss, x)
    assert torch.equal(found, x.detach().sigmoid() - t)
    assert torch.equal(isbe_error(x, labels, CALLED_SOFTMAX), found)
    assert loss.item() == pytest.approx(F.binary_cross_entropy_with_logits(x, t, reduction="sum").item(), rel=1e-12)


def test_isbe_linear_and_the_kernel_go_by_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    h, weight, labels = torch.randn(4, 3), torch.randn(5, 3, requires_grad=True), torch.tensor([0, 4, 2, 2])
    (found,) = torch.autograd.grad(isbe_linear(h, weight, labels, normalizer=CALLED_SOFTMAX), weight)
    (right,) = torch.autograd.grad(isbe_linear(h, weight, labels, normalizer="sigmoid"), weight)
    assert torch.equal(found, right)
    monkeypatch.setattr(kernel, "_obstacle", lambda device: "")
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    taken = {name: kernel.takes(rule_for(name), h, labels, None) for name in (SOFTMAX, CALLED_SOFTMAX, "sigmoid")}
    assert taken == {SOFTMAX: True, CALLED_SOFTMAX: False, "sigmoid": False}


def test_class_weights_are_refused_for_one_that_is_called_softmax() -> None:
    with pytest.raises(ValueError, match=r"for softmax only, not for softmax \(not the one of the table\)"):
        isbe_error(torch.zeros(1, 2), torch.tensor([0]), CALLED_SOFTMAX, weight=torch.ones(2))


def test_a_name_means_what_the_table_says_now(monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = torch.tensor([[1.0, -1.0]]), torch.tensor([0])
    before = isbe_error(x, labels, "softmax")
    monkeypatch.setitem(NORMALIZERS, "softmax", CALLED_SOFTMAX)
    assert torch.equal(isbe_error(x, labels, "softmax"), x.sigmoid() - torch.tensor([[1.0, 0.0]]))
    assert torch.equal(isbe_error(x, labels, SOFTMAX), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_copied_or_pickled_entry_is_that_entry(name: str) -> None:
    loss = ISBELoss(name, weight=torch.ones(3) if name == "softmax" else None)
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert twin.rule.normalizer is NORMALIZERS[name]
        assert twin(torch.zeros(1, 3), torch.tensor([1])) == loss(torch.zeros(1, 3), torch.tensor([1]))
    own = copy.deepcopy(CALLED_SOFTMAX)
    assert own is not CALLED_SOFTMAX
    assert own.torch is SIGMOID.torch


def test_a_normalizer_that_hands_back_the_scores_does_not_lose_them() -> None:
    linear = replace(SIGMOID, torch=lambda x: x, torch_potential=lambda x: x.square().sum(-1) / 2)
    x, labels = torch.tensor([[1.0, 2.0]]), torch.tensor([0])
    assert isbe_error(x, labels, linear).tolist() == [[0.0, 2.0]]
    assert x.tolist() == [[1.0, 2.0]]
