"""isbe_linear against ISBELoss after F.linear: the same whatever the chunk, up to the order of summation.

Tolerances: both sides multiply the same numbers in another order. A gradient in W or b is a sum over n rows of products
of an error, off by 4 (K + 8) u, and h; one in h is a sum over K classes. So 4 (K + 8 + n) u times the same sums of
absolute values, which are bounded by n max |h| and K max |W|.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from softmax_trick.isbe import REDUCTIONS, VALUES, ISBELoss, error, isbe_linear, linear, values
from softmax_trick.testing import check_loss

N, H, K = 7, 5, 9
U = 2.0**-53


pytestmark = pytest.mark.usefixtures("one_thread")


def layer(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((N, H), (K, H), (K,))
    hidden, weight, bias = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return tuple(part.to(dtype).requires_grad_() for part in (hidden, weight, bias))  # type: ignore[return-value]


LABELS = torch.tensor([0, 8, 3, 3, 1, 5, 2])
SOFT = torch.randn(N, K, generator=torch.Generator().manual_seed(1), dtype=torch.float64).softmax(-1)
TOLERANCE = 4 * (K + 8 + N) * U * 4 * max(N, K)  # |h|, |W| <= 4
Head = Callable[..., Tensor]


def unchunked(hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None = None, **options: Any) -> Tensor:
    """The definition."""
    options.pop("chunk", None)
    options["weight"] = options.pop("class_weight", None)
    return ISBELoss(options.pop("normalizer", "softmax"), **options)(F.linear(hidden, weight, bias), targets)


def check(head: Head, targets: Tensor, biased: bool, chunk: int | None, **options: Any) -> None:
    """Value and gradients, for a grad_output of -1.5, and for another one from the retained graph."""
    parts = layer()[: 2 + biased]
    answers = []
    for function in (head, unchunked):
        hidden, weight, *bias = (part.detach().clone().requires_grad_() for part in parts)
        inputs = (hidden, weight, *bias)
        found = function(hidden, weight, targets, *bias, chunk=chunk, **options)
        cotangents = -1.5 * torch.ones_like(found), torch.linspace(-1, 1, found.numel()).double().reshape(found.shape)
        gradients = [torch.autograd.grad(found, inputs, sent, retain_graph=True) for sent in cotangents]
        answers.append([found.detach(), *(gradient for each in gradients for gradient in each)])
    for found, expected in zip(*answers, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=2 * TOLERANCE, equal_nan=True)


WEIGHTS = torch.linspace(0, 2, K, dtype=torch.float64)


@pytest.mark.parametrize("chunk", [1, 2, 3, N, 100, None])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("value", VALUES)
def test_it_is_the_loss_after_the_layer_whatever_the_chunk(chunk: int | None, reduction: Any, value: Any) -> None:
    for targets in (LABELS, SOFT):
        check(isbe_linear, targets, True, chunk, reduction=reduction, value=value)
        check(isbe_linear, targets, False, chunk, reduction=reduction, value=value, normalizer="tanh")


@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": WEIGHTS},
        {"ignore_index": 3},
        {"label_smoothing": 0.1},
        {"blurring": 0.1, "normalizer": "hardsigmoid"},
        {"class_weight": WEIGHTS, "ignore_index": 3, "label_smoothing": 0.3},
    ],
)
def test_every_option(options: dict[str, Any]) -> None:
    for reduction in REDUCTIONS:
        check(isbe_linear, LABELS, True, 2, reduction=reduction, **options)


FAULTS: dict[str, Head] = {
    "the last chunk left out": lambda h, w, t, b=None, **o: isbe_linear(h[:-1], w, t[:-1], b, **o),
    "grad_output forgotten": lambda h, w, t, b=None, **o: isbe_linear(h, w, t, b, **o) + 2.5 * _gap(h, w, t, b, o),
    "the error averaged": lambda h, w, t, b=None, **o: isbe_linear(h, w, t, b, **o) / len(h),
    "a bias forgotten": lambda h, w, t, b=None, **o: isbe_linear(h, w, t, **o) + (0 if b is None else 0 * b.sum()),
    "float32 inside": lambda h, w, t, b=None, **o: isbe_linear(
        h.float(), w.float(), t, None if b is None else b.float(), **o
    ).double(),
}


def _gap(h: Tensor, w: Tensor, t: Tensor, b: Tensor | None, options: dict[str, Any]) -> Tensor:
    """0, with the gradient of the loss."""
    loss = isbe_linear(h, w, t, b, **options)
    return loss - loss.detach()


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_rejected(fault: str) -> None:
    with pytest.raises(AssertionError):
        check(FAULTS[fault], LABELS, True, 2)


@pytest.mark.slow
def test_it_passes_check_loss() -> None:
    """As a loss of its scores, with the unit matrix for a layer."""

    def loss(x: Tensor, t: Tensor, **options: Any) -> Tensor:
        options = {"class_weight" if name == "weight" else name: value for name, value in options.items()}
        return isbe_linear(x, torch.eye(x.shape[1], dtype=x.dtype), t, chunk=1, **options)

    features: list[Any] = ["weights", "label_smoothing", "ignore_index"]
    checks = ["value", "gradient", "inputs unmodified", "grad_output", "repeated backward", "second derivative"]
    checks += ["memory formats", "saturation", "batch sizes", "one class", "dtypes", *features, "features together"]
    assert check_loss(loss, features=features, checks=checks).refused == ()


def squared_gradients(head: Head, parts: tuple[Tensor, ...], **options: Any) -> Tensor:
    """A function of the gradients in h, W and b, for a gradient penalty."""
    hidden, weight, bias = parts
    found = head(hidden, weight, LABELS, bias, chunk=2, **options)
    sent = torch.linspace(-1, 1, found.numel()).double().reshape(found.shape)
    first = torch.autograd.grad(found, parts, sent + 0.3, create_graph=True)
    return torch.stack([(gradient.sin() ** 2).sum() for gradient in first]).sum()


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("value", ["none", "implicit"])
def test_second_derivatives_go_through_the_layer(reduction: Any, value: Any) -> None:
    parts = layer()
    options = {"reduction": reduction, "value": value}
    found = torch.autograd.grad(squared_gradients(isbe_linear, parts, **options), parts)
    expected = torch.autograd.grad(squared_gradients(unchunked, parts, **options), parts)
    for one, other in zip(found, expected, strict=True):
        assert other.any()
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def test_gradients_that_nobody_wants_are_not_computed() -> None:
    hidden, weight, bias = layer()
    loss = isbe_linear(hidden.detach(), weight, LABELS, bias.detach(), chunk=2)
    loss.backward()
    assert weight.grad is not None
    with torch.no_grad():
        assert not isbe_linear(hidden, weight, LABELS).requires_grad


def test_the_scores_never_exist_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    original = error.write_error

    def noting(rule: Any, scores: Tensor, *arguments: Any) -> Tensor:
        rows.append(len(scores))
        return original(rule, scores, *arguments)

    monkeypatch.setattr(values, "write_error", noting)
    for value in ("none", "implicit"):
        isbe_linear(*layer()[:2], LABELS, value=value, chunk=3).backward()
    assert rows == [3, 3, 1, 3, 3, 1]
    monkeypatch.setattr(linear, "CHUNK", 2 * K)
    rows.clear()
    isbe_linear(*layer()[:2], LABELS).backward()
    assert rows == [2, 2, 2, 1]


@pytest.mark.filterwarnings("ignore")
def test_torch_func_and_compile_take_the_whole_matrix() -> None:
    hidden, weight, bias = (part.detach() for part in layer())
    by_hidden = torch.func.grad(lambda h: isbe_linear(h, weight, LABELS, bias))(hidden)
    expected = torch.func.grad(lambda h: unchunked(h, weight, LABELS, bias))(hidden)
    torch.testing.assert_close(by_hidden, expected, rtol=0, atol=TOLERANCE)
    torch.compiler.reset()
    compiled = torch.compile(isbe_linear, backend="aot_eager")
    found = torch.autograd.grad(compiled(hidden.requires_grad_(), weight, LABELS, bias), hidden)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_more_batch_dimensions_and_no_rows() -> None:
    hidden, weight, bias = layer()
    found = isbe_linear(hidden[:6].reshape(2, 3, H), weight, LABELS[:6].reshape(2, 3), bias, reduction="none")
    assert found.shape == (2, 3)
    torch.testing.assert_close(found.reshape(6), unchunked(hidden[:6], weight, LABELS[:6], bias, reduction="none"))
    empty = isbe_linear(hidden[:0], weight, LABELS[:0], bias)
    empty.backward()
    assert empty == 0
    assert weight.grad is not None
    assert not weight.grad.any()


@pytest.mark.parametrize("value", VALUES)
def test_under_autocast_it_is_computed_in_the_half_type(value: Any) -> None:
    """The gradient of the weight is summed over the chunks in float32."""
    hidden, weight, bias = layer(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = isbe_linear(hidden, weight, LABELS, bias, value=value, chunk=2)
    assert loss.dtype == torch.float32
    loss.backward()
    expected = torch.autograd.grad(unchunked(hidden.double(), weight.double(), LABELS, bias.double()), weight)[0]
    # Each of N products, at most 4 in size, and the scores before them, are rounded to bfloat16 a few times.
    torch.testing.assert_close(weight.grad, expected.float(), rtol=0, atol=N * 4 * 4 * 2.0**-8)


def test_many_chunks_are_added_up_in_float32() -> None:
    """1024 chunks of one row, each of 2^-8 of the final sum or less: bfloat16 would stop growing at 2^8 of them."""
    hidden = torch.ones(1024, 1, dtype=torch.bfloat16)
    weight = torch.zeros(2, 1, dtype=torch.bfloat16).requires_grad_()
    isbe_linear(hidden, weight, torch.zeros(1024).long(), chunk=1).backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[-512.0], [512.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": torch.ones(K, H + 1)}, r"do not fit: \(7, 5\) and \(9, 6\)"),
        ({"weight": torch.ones(0, H)}, "K >= 1, do not fit"),
        ({"bias": torch.ones(K + 1)}, r"bias must have shape \(9,\).*not \(10,\)"),
        ({"chunk": 0}, "chunk must be at least 1 row, not 0"),
        ({"targets": LABELS + 1}, r"class index 9 in row \[1\] is outside 0..8"),
        ({"targets": LABELS[:3]}, r"class indices for scores of shape \(7, 9\) must have shape \(7,\)"),
        ({"targets": SOFT.clone().requires_grad_()}, "targets require a gradient"),
        ({"class_weight": torch.ones(3)}, r"class weights must be floating-point of shape \(9,\)"),
        ({"value": "loss"}, "unknown value"),
        ({"reduction": "average"}, "unknown reduction"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    hidden, weight, bias = layer()
    arguments = {"hidden": hidden, "weight": weight, "targets": LABELS, "bias": bias} | change
    with pytest.raises(ValueError, match=message):
        isbe_linear(**arguments)
    if "targets" in change:
        with pytest.raises(ValueError, match=message):
            isbe_linear(**arguments, value="none").backward()
    with pytest.raises(TypeError, match="hidden must be floating-point"):
        isbe_linear(hidden.long(), weight, LABELS)
