"""The ISBE error and loss against torch's own losses, differentiated by autograd; and planted errors, all caught.

Every check takes the implementation as an argument, so that the same check is shown a right one and broken ones. The
references are torch's losses and plain operations; they share no formula with `softmax_trick.normalizers`.

Tolerances: u = 2^-53 is the unit roundoff. Soft scores and targets are at most 1 in size; each comes from a sum over K
classes and fewer than 8 more roundings (max, difference, quotient, target map, ...), exp errs by at most 2u, and two
routes are compared: 4 (K + 8) u. Saturation costs nothing: the rounding of x - max changes y = e^(x - max) by at most
|x - max| y u <= u / e.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import hypothesis.extra.numpy as hnp
import pytest
import torch
import torch.nn.functional as F
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from softmax_trick.isbe import REDUCTIONS, ISBELoss, isbe_error
from softmax_trick.normalizers import NORMALIZERS

ErrorFunction = Callable[[Tensor, Tensor, str, float], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]
LossFactory = Callable[[str, Any, float], Loss]  # (normalizer, reduction, blurring) -> loss, as ISBELoss

SETTINGS = settings(deadline=None, derandomize=True, database=None, max_examples=60)
FEW = settings(SETTINGS, max_examples=15)
PLANTED = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False)
U = 2.0**-53
NAMES = sorted(NORMALIZERS)


pytestmark = pytest.mark.usefixtures("one_thread")


# --- references: torch's own losses, one value a row, for targets t in [0, 1] -----------------------------------------


def soft_cross_entropy(x: Tensor, t: Tensor) -> Tensor:
    """log sum exp x - <x, t> by plain operations; unlike F.cross_entropy, for t of any sum."""
    top = x.amax(-1, keepdim=True).detach()
    return (x - top).exp().sum(-1).log() + top.squeeze(-1) - (x * t).sum(-1)


def binary_cross_entropy(x: Tensor, t: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(x, t, reduction="none").sum(-1)


def clipped_squares(x: Tensor, beta: float) -> Tensor:
    """x^2 / (2 beta) for |x| <= beta, |x| - beta / 2 beyond."""
    return F.smooth_l1_loss(x, torch.zeros_like(x), beta=beta, reduction="none")


LOG_2 = 0.6931471805599453
REFERENCE: dict[str, Loss] = {
    "softmax": soft_cross_entropy,
    "sigmoid": binary_cross_entropy,
    "tanh": lambda x, t: binary_cross_entropy(2 * x, t) - x.shape[-1] * LOG_2,
    "hardtanh": lambda x, t: (clipped_squares(x, 1) - x * (2 * t - 1)).sum(-1),
    "hardsigmoid": lambda x, t: (clipped_squares(x, 2) / 2 + x / 2 - x * t).sum(-1),
    "hardsigmoid_torch": lambda x, t: (clipped_squares(x, 3) / 2 + x / 2 - x * t).sum(-1),
}


# --- problems ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """Scores (rows, K), class indices or soft targets, a normalizer, a blurring, and a random weight for each row."""

    scores: Tensor
    targets: Tensor
    normalizer: str
    blurring: float
    weights: Tensor

    @property
    def k(self) -> int:
        return self.scores.shape[-1]

    @property
    def tolerance(self) -> float:
        """Of an entry of the error."""
        return 4 * (self.k + 8) * U

    @property
    def value_tolerance(self) -> float:
        """Of a value: each of the two routes sums, per entry of each row, two terms of size at most 2 (|x_i| + 1)."""
        return 8 * (len(self.scores) + self.k + 8) * U * float((self.scores.abs() + 1).sum())

    @property
    def soft_targets(self) -> Tensor:
        """The definition of blurring, word for word: (1 - mu) t + mu / (K - 1) (1 - t)."""
        t = self.targets if self.targets.is_floating_point() else F.one_hot(self.targets, self.k).to(self.scores.dtype)
        mu = self.blurring
        return (1 - mu) * t + mu / (self.k - 1) * (1 - t) if mu else t

    def reference(self, scores: Tensor) -> Tensor:
        """The implicit loss of every row, by torch's own means."""
        return REFERENCE[self.normalizer](scores, self.soft_targets)

    def reference_error(self) -> Tensor:
        return gradient(self.reference, self.scores)


def gradient(value_of: Callable[[Tensor], Tensor], scores: Tensor, cotangent: Tensor | None = None) -> Tensor:
    """The gradient of <value, cotangent> in the scores; of the sum of the values, without a cotangent."""
    x = scores.detach().clone().requires_grad_()
    value = value_of(x)
    (found,) = torch.autograd.grad(value, x, torch.ones_like(value) if cotangent is None else cotangent)
    return found


def at(loss: Loss, targets: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda scores: loss(scores, targets)


Entries = st.SearchStrategy[float]
GENERIC = st.floats(-5, 5, allow_subnormal=False)
TIED_AND_KINKS = st.sampled_from([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
SATURATED = st.sampled_from([-1e4, -200.0, -30.0, 0.0, 30.0, 200.0, 1e4])
OFF_KINKS = st.sampled_from([-4.5, -2.4, -1.3, -0.7, -0.2, 0.0, 0.3, 0.9, 1.6, 2.5, 4.0])


@st.composite
def problems(
    draw: st.DrawFn,
    names: list[str] = NAMES,
    entries: tuple[Entries, ...] = (GENERIC, TIED_AND_KINKS, SATURATED),
    min_k: int = 1,
    min_rows: int = 0,
) -> Problem:
    rows, k = draw(st.integers(min_rows, 4)), draw(st.integers(min_k, 12))
    scores = torch.from_numpy(draw(hnp.arrays(float, (rows, k), elements=draw(st.sampled_from(entries)))))
    if draw(st.booleans()):
        targets = torch.from_numpy(draw(hnp.arrays("int64", rows, elements=st.integers(0, k - 1))))
    else:
        targets = torch.from_numpy(draw(hnp.arrays(float, (rows, k), elements=st.floats(0, 1, allow_subnormal=False))))
    blurring = draw(st.sampled_from([0.0, 0.1, 1.0])) if k > 1 else 0.0
    weights = torch.from_numpy(draw(hnp.arrays(float, rows, elements=st.floats(-3, 3, allow_subnormal=False))))
    return Problem(scores, targets, draw(st.sampled_from(names)), blurring, weights)


SMOOTH_PROBLEMS = problems(["sigmoid", "softmax", "tanh"], min_rows=1) | problems(entries=(OFF_KINKS,), min_rows=1)


def close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


# --- the checks -------------------------------------------------------------------------------------------------------


def check_error(error: ErrorFunction, p: Problem) -> None:
    """F(x) - t is the gradient of the implicit loss."""
    close(error(p.scores, p.targets, p.normalizer, p.blurring), p.reference_error(), p.tolerance)


def check_cross_entropy(error: ErrorFunction, p: Problem) -> None:
    """With SoftMax, the gradient of F.cross_entropy: for "sum", for "none" with ones, and n times that for "mean"."""
    targets = on_simplex(p.targets)
    found = error(p.scores, targets, "softmax", 0.0)
    for reduction, factor in (("sum", 1), ("none", 1), ("mean", len(p.scores))):
        cross_entropy = partial(F.cross_entropy, target=targets, reduction=reduction)
        close(found, factor * gradient(cross_entropy, p.scores), 2 * p.tolerance)  # n (1/n) rounds twice more


def check_blurring(error: ErrorFunction, p: Problem) -> None:
    """PyTorch's label_smoothing=s is mu = s (K - 1) / K; one_hot (1 - K eps) + eps is mu = (K - 1) eps."""
    targets = on_simplex(p.targets)
    for smoothing in (0.1, 0.5, 1.0):
        cross_entropy = partial(F.cross_entropy, target=targets, label_smoothing=smoothing, reduction="sum")
        found = error(p.scores, targets, "softmax", smoothing * (p.k - 1) / p.k)
        close(found, gradient(cross_entropy, p.scores), p.tolerance)
    labels = targets.argmax(-1) if targets.is_floating_point() else targets
    for eps in (0.01, 1 / p.k):
        blurred = F.one_hot(labels, p.k).double() * (1 - p.k * eps) + eps
        found = error(p.scores, labels, "softmax", (p.k - 1) * eps)
        close(found, gradient(partial(F.cross_entropy, target=blurred, reduction="sum"), p.scores), p.tolerance)


def on_simplex(targets: Tensor) -> Tensor:
    """Class indices as they are; soft targets scaled to sum to 1."""
    return (targets + 0.01) / (targets + 0.01).sum(-1, keepdim=True) if targets.is_floating_point() else targets


def check_value(loss: LossFactory, p: Problem) -> None:
    """The value is the implicit loss, of each row, summed, and averaged."""
    rows = p.reference(p.scores)
    for reduction, expected in (("none", rows), ("sum", rows.sum()), ("mean", rows.mean())):
        found = loss(p.normalizer, reduction, p.blurring)(p.scores, p.targets)
        torch.testing.assert_close(found, expected, rtol=0, atol=p.value_tolerance, equal_nan=True)  # mean of no rows


def check_gradient(loss: LossFactory, p: Problem) -> None:
    """The gradient is grad_output times the error, for every reduction and grad_output."""
    error, n = p.reference_error(), max(len(p.scores), 1)
    cases = [("none", p.weights, p.weights.unsqueeze(-1) * error)]
    for c in (1.0, 2.5, 0.0, -0.3):
        cases += [
            (reduction, torch.tensor(c, dtype=torch.float64), c / m * error)
            for reduction, m in (("sum", 1), ("mean", n))
        ]
    for reduction, cotangent, expected in cases:
        value_of = at(loss(p.normalizer, reduction, p.blurring), p.targets)
        close(gradient(value_of, p.scores, cotangent), expected, 4 * p.tolerance)  # |grad_output| <= 3, one rounding


def check_repeated_backward(loss: LossFactory, p: Problem) -> None:
    """Two backward passes over a retained graph accumulate twice the gradient, exactly."""
    x = p.scores.clone().requires_grad_()
    value = loss(p.normalizer, "sum", p.blurring)(x, p.targets)
    value.backward(retain_graph=True)
    assert x.grad is not None
    once = x.grad.clone()
    value.backward()
    torch.testing.assert_close(x.grad, 2 * once, rtol=0, atol=0)


def check_second_derivative(loss: LossFactory, p: Problem) -> None:
    """The Hessian of a weighted sum of the values is that of the reference."""

    def weighted(value_of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return (p.weights * value_of(x)).sum()

    value_of = at(loss(p.normalizer, "none", p.blurring), p.targets)
    found = torch.autograd.functional.hessian(partial(weighted, value_of), p.scores)
    expected = torch.func.hessian(partial(weighted, p.reference))(p.scores)
    close(found, expected, 16 * p.tolerance)  # |weights| <= 3, and the binary cross-entropy at 2 x brings a factor of 4


def check_scores_untouched(loss: LossFactory, p: Problem) -> None:
    """Neither pass writes into the scores."""
    x = p.scores.clone().requires_grad_()
    before = x._version
    loss(p.normalizer, "sum", p.blurring)(x, p.targets).backward()
    assert x._version == before
    assert torch.equal(x, p.scores)


class Net(nn.Sequential):
    """Two layers with ReLU, in float64."""

    def __init__(self, classes: int) -> None:
        super().__init__(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, classes))
        self.double()

    def gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.parameters() if parameter.grad is not None]


def check_direct_form(error: ErrorFunction, p: Problem) -> None:
    """scores.backward(error) leaves in every parameter the gradient that the summed cross-entropy leaves there.

    An error of the cotangents grows at most as a cotangent of ones does in the same net with every weight and input
    replaced by its absolute value.
    """
    torch.manual_seed(p.k)
    inputs, targets = torch.randn(len(p.scores), 6).double(), on_simplex(p.targets)
    net = Net(p.k)
    direct, majorant = copy.deepcopy(net), copy.deepcopy(net)
    F.cross_entropy(net(inputs), targets, reduction="sum").backward()
    scores = direct(inputs)
    scores.backward(error(scores, targets, "softmax", 0.0))
    with torch.no_grad():
        for parameter in majorant.parameters():
            parameter.abs_()
    scores = majorant(inputs.abs())
    scores.backward(torch.ones_like(scores))
    for found, expected, bound in zip(direct.gradients(), net.gradients(), majorant.gradients(), strict=True):
        assert ((found - expected).abs() <= 4 * (p.k + 8 + len(inputs) + 8) * U * bound).all()
    assert len(net.gradients()) == len(direct.gradients()) == 4


# --- the implementations hold -----------------------------------------------------------------------------------------


@SETTINGS
@given(problems())
def test_the_error_is_the_gradient_of_the_implicit_loss(p: Problem) -> None:
    check_error(isbe_error, p)


@SETTINGS
@given(problems())
def test_with_softmax_it_is_the_gradient_of_the_cross_entropy(p: Problem) -> None:
    check_cross_entropy(isbe_error, p)


@FEW
@given(problems(min_k=2))
def test_blurring_is_label_smoothing_in_other_units(p: Problem) -> None:
    check_blurring(isbe_error, p)


@FEW
@given(problems())
def test_the_direct_form_trains_as_the_summed_cross_entropy(p: Problem) -> None:
    check_direct_form(isbe_error, p)


@SETTINGS
@given(problems())
def test_the_value_is_the_implicit_loss(p: Problem) -> None:
    check_value(ISBELoss, p)


@SETTINGS
@given(problems())
def test_the_gradient_is_grad_output_times_the_error(p: Problem) -> None:
    check_gradient(ISBELoss, p)


@FEW
@given(problems(min_rows=1))
def test_backward_may_be_repeated(p: Problem) -> None:
    check_repeated_backward(ISBELoss, p)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, in forward mode
@SETTINGS
@given(SMOOTH_PROBLEMS)
def test_second_derivatives(p: Problem) -> None:
    check_second_derivative(ISBELoss, p)


@FEW
@given(problems())
def test_the_scores_are_not_written_into(p: Problem) -> None:
    check_scores_untouched(ISBELoss, p)


@FEW
@given(problems(entries=(OFF_KINKS,), min_rows=1), st.sampled_from(REDUCTIONS))
def test_gradcheck_and_gradgradcheck_with_random_cotangents(p: Problem, reduction: Any) -> None:
    loss: Loss = ISBELoss(p.normalizer, reduction, p.blurring)
    weights = p.weights if reduction == "none" else p.weights.sum()

    def weighted(x: Tensor) -> Tensor:
        return weights * loss(x, p.targets)

    x = p.scores.clone().requires_grad_()
    assert torch.autograd.gradcheck(weighted, x)
    assert torch.autograd.gradgradcheck(weighted, x)


@pytest.mark.parametrize("name", NAMES)
def test_the_value_is_a_loss_that_torch_has(name: str) -> None:
    """MATHEMATICS in torch's own words, with labels: x is random, the tolerance that of 12 terms of size at most 8."""
    torch.manual_seed(0)
    x, labels = 2 * torch.randn(3, 4).double(), torch.tensor([0, 3, 1])
    t = F.one_hot(labels, 4).double()
    zero = torch.zeros_like(x)
    known = {
        "softmax": F.cross_entropy(x, labels, reduction="sum"),
        "sigmoid": F.binary_cross_entropy_with_logits(x, t, reduction="sum"),
        "tanh": F.soft_margin_loss(2 * x, 2 * t - 1, reduction="sum") - x.numel() * LOG_2,
        "hardtanh": F.huber_loss(x, zero, reduction="sum") - (x * (2 * t - 1)).sum(),
        "hardsigmoid": F.huber_loss(x / 2, zero, reduction="sum") + (x / 2 - x * t).sum(),
        "hardsigmoid_torch": 1.5 * F.huber_loss(x / 3, zero, reduction="sum") + (x / 2 - x * t).sum(),
    }
    close(ISBELoss(name)(x, labels), known[name], 12 * 8 * (12 + 8) * U)


def test_hardsigmoid_torch_is_torchs_bit_for_bit() -> None:
    for dtype in (torch.float64, torch.float32):
        x = torch.linspace(-5, 5, 1001, dtype=dtype)
        assert torch.equal(NORMALIZERS["hardsigmoid_torch"].torch(x), F.hardsigmoid(x))


# --- planted errors are caught ----------------------------------------------------------------------------------------


def planted(
    error: ErrorFunction = isbe_error,
    send_back: Callable[[Tensor, Tensor], Tensor] = lambda grad_output, error: grad_output.unsqueeze(-1) * error,
    overwrites: bool = False,
    mean: Callable[[Tensor], Tensor] = Tensor.mean,
) -> LossFactory:
    """A loss with its error saved in the forward pass; as it stands, wrong only in its second derivative."""

    def factory(normalizer: str, reduction: str, blurring: float) -> Loss:
        class Saved(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, scores: Tensor, targets: Tensor) -> Tensor:
                value = Problem(scores, targets, normalizer, blurring, scores).reference(scores)
                ctx.error = error(scores, targets, normalizer, blurring)
                if overwrites:
                    scores.copy_(ctx.error)
                return value

            @staticmethod
            def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
                return send_back(grad_output, ctx.error), None

        def loss(scores: Tensor, targets: Tensor) -> Tensor:
            rows: Tensor = Saved.apply(scores, targets)  # type: ignore[no-untyped-call]
            return rows if reduction == "none" else rows.sum() if reduction == "sum" else mean(rows)

        return loss

    return factory


def holds(check: Callable[[Any, Problem], None], implementation: Any, strategy: st.SearchStrategy[Problem]) -> None:
    def run(p: Problem) -> None:
        check(implementation, p)

    PLANTED(given(strategy)(run))()


def rejected(check: Callable[[Any, Problem], None], broken: Any, strategy: st.SearchStrategy[Problem]) -> None:
    with pytest.raises(AssertionError):
        holds(check, broken, strategy)


def without_target_map(x: Tensor, t: Tensor, name: str, mu: float) -> Tensor:
    return NORMALIZERS[name].torch(x) - Problem(x, t, name, mu, x).soft_targets


def softmax_for_sigmoid(x: Tensor, t: Tensor, name: str, mu: float) -> Tensor:
    return isbe_error(x, t, "softmax" if name == "sigmoid" else name, mu)


def blurred(to_others: Callable[[float, Tensor], Tensor]) -> ErrorFunction:
    """An error whose targets are (1 - mu) t + to_others(mu, t)."""

    def error(x: Tensor, t: Tensor, name: str, mu: float) -> Tensor:
        soft = t if t.is_floating_point() else F.one_hot(t, x.shape[-1]).double()
        mapped: Tensor = NORMALIZERS[name].map_target((1 - mu) * soft + to_others(mu, soft))
        return NORMALIZERS[name].torch(x) - mapped

    return error


BROKEN_BLURRINGS = {
    "mu / K in place of mu / (K - 1)": blurred(lambda mu, t: mu / t.shape[-1] * (1 - t)),
    "mu read as PyTorch's label smoothing": blurred(lambda mu, t: mu / t.shape[-1] * torch.ones_like(t)),
    "every other class given mu": blurred(lambda mu, t: mu * (1 - t)),
}


BROKEN_ERRORS: dict[str, ErrorFunction] = {
    "sign flipped": lambda x, t, name, mu: -isbe_error(x, t, name, mu),
    "factor 1/2 missing": lambda x, t, name, mu: 2 * isbe_error(x, t, name, mu),
    "averaged over the rows": lambda x, t, name, mu: isbe_error(x, t, name, mu) / max(len(x), 1),
    "averaged over the classes": lambda x, t, name, mu: isbe_error(x, t, name, mu) / x.shape[-1],
    "off by 1e-13": lambda x, t, name, mu: isbe_error(x, t, name, mu) + 1e-13,
    "float32 inside": lambda x, t, name, mu: isbe_error(x.float(), t, name, mu).double(),
    "targets forgotten": lambda x, t, name, mu: NORMALIZERS[name].torch(x),
}


@pytest.mark.parametrize("fault", BROKEN_ERRORS)
@pytest.mark.parametrize("check", [check_error, check_cross_entropy, check_direct_form])
def test_broken_errors_are_rejected(fault: str, check: Callable[[ErrorFunction, Problem], None]) -> None:
    entries = (GENERIC,) if check is check_direct_form else (GENERIC, TIED_AND_KINKS)
    rejected(check, BROKEN_ERRORS[fault], problems(entries=entries))


def test_a_forgotten_target_map_is_rejected() -> None:
    for name in ("tanh", "hardtanh"):
        rejected(check_error, without_target_map, problems([name]))
    check_error(without_target_map, Problem(torch.randn(2, 3).double(), torch.tensor([0, 2]), "softmax", 0.1, X))


def test_a_normalizer_taken_for_another_is_rejected() -> None:
    rejected(check_error, softmax_for_sigmoid, problems())


@pytest.mark.parametrize("fault", BROKEN_BLURRINGS)
def test_wrong_blurring_denominators_are_rejected(fault: str) -> None:
    for check in (check_error, check_blurring):
        rejected(check, BROKEN_BLURRINGS[fault], problems(min_k=2))


def test_the_right_blurring_denominator_is_not_rejected() -> None:
    for check in (check_error, check_blurring):
        holds(check, blurred(lambda mu, t: mu / (t.shape[-1] - 1) * (1 - t) if mu else 0 * t), problems(min_k=2))


BROKEN_BACKWARDS: dict[str, LossFactory] = {
    "grad_output ignored": planted(send_back=lambda grad_output, error: error),
    "grad_output read as a scalar": planted(
        send_back=lambda grad_output, error: grad_output.flatten()[:1].sum() * error
    ),
    "grad_output summed": planted(send_back=lambda grad_output, error: grad_output.sum() * error),
    "skipped where grad_output is 1": planted(
        send_back=lambda grad_output, error: torch.where(grad_output == 1, 0, grad_output).unsqueeze(-1) * error
    ),
    "sign of grad_output lost": planted(send_back=lambda grad_output, error: grad_output.abs().unsqueeze(-1) * error),
    "sign flipped": planted(send_back=lambda grad_output, error: -grad_output.unsqueeze(-1) * error),
    "mean is a sum": planted(mean=Tensor.sum),
}


@pytest.mark.parametrize("fault", BROKEN_BACKWARDS)
def test_broken_backwards_are_rejected(fault: str) -> None:
    rejected(check_gradient, BROKEN_BACKWARDS[fault], problems())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_saved_error_passes_every_first_order_check_but_not_the_second() -> None:
    for check in (check_value, check_gradient, check_repeated_backward, check_scores_untouched):
        holds(check, planted(), problems(min_rows=1))
    rejected(check_second_derivative, planted(), SMOOTH_PROBLEMS)


def test_a_write_over_the_scores_is_rejected() -> None:
    rejected(check_scores_untouched, planted(overwrites=True), problems())


def test_wrong_values_are_rejected() -> None:
    rejected(check_value, lambda name, reduction, mu: ISBELoss(name, reduction, 0.0), problems(min_k=2))
    rejected(check_value, planted(mean=Tensor.sum), problems())


# --- autograd's other doors -------------------------------------------------------------------------------------------

X = torch.tensor([[0.3, -1.2, 0.5, 2.4], [1.6, 0.2, -0.4, 0.1], [-2.5, 0.0, 0.7, 0.9]], dtype=torch.float64)
LABELS = torch.tensor([0, 3, 1])
SOFT = torch.tensor([[0.1, 0.9, 0.0, 0.3], [1.0, 0.0, 0.5, 0.5], [0.2, 0.2, 0.2, 0.2]], dtype=torch.float64)
BOTH = pytest.mark.parametrize("targets", [LABELS, SOFT], ids=["labels", "soft"])
EACH = pytest.mark.parametrize("name", NAMES)


def problem(name: str, targets: Tensor, scores: Tensor = X) -> Problem:
    return Problem(scores, targets, name, 0.1, torch.tensor([0.7, -1.5, 2.0], dtype=torch.float64))


@EACH
@BOTH
def test_torch_func_grad_and_per_sample_gradients(name: str, targets: Tensor) -> None:
    """vmap(grad(loss)) is the recipe for gradients sample by sample."""
    p = problem(name, targets)
    close(torch.func.grad(ISBELoss(name, "sum", 0.1))(X, targets), p.reference_error(), p.tolerance)
    close(torch.func.vmap(torch.func.grad(ISBELoss(name, "sum", 0.1)))(X, targets), p.reference_error(), p.tolerance)
    close(
        torch.func.vmap(partial(isbe_error, normalizer=name, blurring=0.1))(X, targets),
        p.reference_error(),
        p.tolerance,
    )


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, in forward mode
@EACH
@BOTH
def test_forward_mode(name: str, targets: Tensor) -> None:
    p = problem(name, targets)

    def total(x: Tensor) -> Tensor:
        return p.reference(x).sum()

    direction = torch.cos(torch.arange(12).double()).reshape(3, 4)
    expected = torch.func.jvp(torch.func.grad(total), (X,), (direction,))[1]
    error = partial(isbe_error, targets=targets, normalizer=name, blurring=0.1)
    close(torch.func.jvp(error, (X,), (direction,))[1], expected, 4 * p.tolerance)
    reductions: tuple[tuple[Any, float], ...] = (("sum", 1), ("mean", 1 / 3))
    for reduction, factor in reductions:
        slope = torch.func.jvp(at(ISBELoss(name, reduction, 0.1), targets), (X,), (direction,))[1]
        close(slope, factor * (p.reference_error() * direction).sum(), 12 * p.tolerance)
    hessian = torch.func.hessian(at(ISBELoss(name, "sum", 0.1), targets))(X)
    close(hessian, torch.func.hessian(total)(X), 4 * p.tolerance)


@pytest.mark.parametrize("name", ["softmax", "tanh"])
@BOTH
def test_it_compiles_without_a_graph_break(name: str, targets: Tensor) -> None:
    torch.compiler.reset()
    compiled = torch.compile(ISBELoss(name, "none", 0.1), backend="aot_eager", fullgraph=True)
    p = problem(name, targets)
    found = gradient(at(compiled, targets), X, p.weights)
    close(found, p.weights.unsqueeze(-1) * p.reference_error(), 4 * p.tolerance)


def test_targets_that_require_a_gradient_are_refused() -> None:
    with pytest.raises(ValueError, match=r"targets require a gradient.*targets\.detach\(\)"):
        ISBELoss()(X, SOFT.clone().requires_grad_())
    with pytest.raises(ValueError, match="targets require a gradient"):
        torch.func.grad(ISBELoss(), argnums=1)(X, SOFT)


def test_a_second_backward_needs_a_retained_graph() -> None:
    loss = ISBELoss()(X.clone().requires_grad_(), LABELS)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_scores_changed_between_the_passes_are_noticed() -> None:
    x = (2 * X.clone().requires_grad_()).clone()
    loss = ISBELoss(value="none")(x, LABELS)
    x.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_error_is_a_constant_and_leaves_the_graph_of_the_scores_alone() -> None:
    scores = X.clone().requires_grad_() * 1
    error = isbe_error(scores, LABELS)
    assert not error.requires_grad
    assert scores.requires_grad
    assert error.data_ptr() != scores.data_ptr()


# --- shapes and dtypes ------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("shape", [(4,), (0, 4), (1, 4), (2, 3, 4), (2, 0, 4), (5, 1), (2, 1, 3, 12)])
def test_every_leading_dimension_is_a_batch_dimension(name: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    x, labels = torch.randn(shape).double(), torch.randint(shape[-1], shape[:-1])
    soft = F.one_hot(labels, shape[-1]).double()
    flat = Problem(x.reshape(-1, shape[-1]), labels.reshape(-1), name, 0.0, x)
    for targets in (labels, soft, labels.int(), labels.to(torch.uint8)):
        error, rows = isbe_error(x, targets, name), ISBELoss(name, "none")(x, targets)
        assert rows.shape == shape[:-1]
        close(error, flat.reference_error().reshape(shape), flat.tolerance)
        close(rows, flat.reference(flat.scores).reshape(rows.shape), flat.value_tolerance)
        # Of few labels the loss is torch's own cross-entropy, rounded in its own way.
        close(gradient(at(ISBELoss(name), targets), x), error, flat.tolerance if name == "softmax" else 0)


@EACH
def test_scores_need_not_be_contiguous(name: str) -> None:
    for x in (X.T.contiguous().T, X.repeat(1, 2)[:, ::2], X[:, :1].expand(3, 4), X.flip(0)[::1]):
        for targets in (LABELS, SOFT, SOFT.T.contiguous().T):
            p = problem(name, targets, x)
            check_error(isbe_error, p)
            check_value(ISBELoss, p)
            check_gradient(ISBELoss, p)


@EACH
@BOTH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_dtype_of_the_scores_is_kept(name: str, targets: Tensor, dtype: torch.dtype) -> None:
    x = X.clone().to(dtype).requires_grad_()
    error, loss = isbe_error(x, targets, name, 0.1), ISBELoss(name, "mean", 0.1)(x, targets)
    loss.backward()
    assert x.grad is not None
    assert error.dtype == loss.dtype == x.grad.dtype == dtype
    p = problem(name, targets, x.detach().double())
    roundoff = torch.finfo(dtype).eps / 2
    close(error.double(), p.reference_error(), p.tolerance * roundoff / U)
    close(loss.double(), p.reference(p.scores).mean(), p.value_tolerance * roundoff / U / len(X))


# --- bad input --------------------------------------------------------------------------------------------------------

I3 = torch.tensor([0, 1, 2])


@pytest.mark.parametrize(
    ("scores", "targets", "blurring", "refusal", "message"),
    [
        (I3.expand(3, 3), I3, 0.0, TypeError, "scores must be floating-point, not torch.int64"),
        (X.to(torch.complex128), LABELS, 0.0, TypeError, "scores must be floating-point, not torch.complex128"),
        (torch.tensor(1.0), torch.tensor(0), 0.0, ValueError, r"scores must have shape \(..., K\) with K >= 1.*\(\)"),
        (torch.ones(3, 0), I3, 0.0, ValueError, r"K >= 1 classes, not \(3, 0\)"),
        (X, LABELS, -0.1, ValueError, r"blurring must be in \[0, 1\], not -0.1"),
        (X, LABELS, 1.1, ValueError, r"blurring must be in \[0, 1\], not 1.1"),
        (X, LABELS, float("nan"), ValueError, r"blurring must be in \[0, 1\], not nan"),
        (X[:, :1], torch.zeros(3).long(), 0.1, ValueError, "blurring needs at least two classes"),
        (X, SOFT[:, :3], 0.0, ValueError, r"shape of the scores \(3, 4\), not \(3, 3\).*targets.long\(\)"),
        (X, LABELS.float(), 0.0, ValueError, r"not \(3,\); class indices must be integers"),
        (X, LABELS > 0, 0.0, TypeError, r"class indices \(an integer dtype\) or soft targets.*torch.bool"),
        (X, SOFT.to(torch.complex64), 0.0, TypeError, "not torch.complex64"),
        (
            X,
            LABELS[:2],
            0.0,
            ValueError,
            r"class indices for scores of shape \(3, 4\) must have shape \(3,\), not \(2,\)",
        ),
        (X, SOFT.long(), 0.0, ValueError, r"not \(3, 4\); soft targets must be floating-point"),
        (X, torch.tensor([0, 4, 1]), 0.0, ValueError, r"class index 4 in row \[1\] is outside 0..3 \(K = 4\)"),
        (X, torch.tensor([0, 1, -1]), 0.0, ValueError, r"class index -1 in row \[2\] is outside 0..3"),
        (X, torch.tensor([-100, 1, 1]), 0.0, ValueError, r"class index -100 in row \[0\]"),
    ],
)
def test_bad_input_is_refused(
    scores: Tensor, targets: Tensor, blurring: float, refusal: type[Exception], message: str
) -> None:
    with pytest.raises(refusal, match=message):
        isbe_error(scores, targets, "softmax", blurring)
    with pytest.raises(refusal, match=message):
        ISBELoss("softmax", blurring=blurring)(scores, targets)


def test_a_wrong_index_is_refused_where_values_cannot_be_looked_at() -> None:
    with pytest.raises(RuntimeError, match="index 4 is out of bounds"):
        torch.func.vmap(isbe_error)(X, LABELS + 1)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown normalizer 'softmin': choose one of softmax, sigmoid, tanh"):
        isbe_error(X, LABELS, "softmin")
    with pytest.raises(ValueError, match="unknown normalizer None"):
        ISBELoss(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"unknown reduction 'average': choose one of sum, mean, none"):
        ISBELoss(reduction="average")  # type: ignore[arg-type]


def test_a_normalizer_may_be_given_itself_and_is_shown() -> None:
    doubled = replace(NORMALIZERS["softmax"], name="doubled", torch=lambda x: NORMALIZERS["softmax"].torch(2 * x))
    close(isbe_error(X, LABELS, doubled), isbe_error(2 * X, LABELS), 0)
    assert repr(ISBELoss("tanh", "none", 0.1)) == "ISBELoss(normalizer='tanh', reduction='none', blurring=0.1)"


def test_a_wrong_index_of_a_single_example_is_named() -> None:
    """Scores (K,) and one label: its row is (), which is no row at all to a careless test of truth."""
    for refuse in (isbe_error, ISBELoss()):
        with pytest.raises(ValueError, match=r"class index 4 in row \[\] is outside 0\.\.3"):
            refuse(torch.zeros(4), torch.tensor(4))


@pytest.mark.parametrize("name", ["tanh", "hardtanh"])
def test_a_small_score_keeps_its_digits(name: str) -> None:
    """Where the target of the range (-1, 1) is 0, the error is F(x) itself, whatever t = 1/2 is subtracted as."""
    x = torch.tensor([[1e-10, 0.1, -3e-5]])
    torch.testing.assert_close(
        isbe_error(x, torch.full_like(x, 0.5), name), x.tanh() if name == "tanh" else x, atol=0, rtol=1e-6
    )
