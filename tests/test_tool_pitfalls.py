"""What the tools get wrong, pinned: each test asserts behaviour that the project works around.

A failure here is no defect of the project: a tool has changed, and the workaround named in the docstring may go.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import flint
import pytest
import sympy as sp
import torch
import torch.nn.functional as F
from mpmath.ctx_iv import MPIntervalContext
from sympy.tensor.array.expressions import convert_indexed_to_array
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.function import once_differentiable

from softmax_trick.isbe import ISBELoss, isbe_error
from softmax_trick.symbolic import decide

CHANGED = "the tool changed: review the workaround"

# --- SymPy ------------------------------------------------------------------------------------------------------------

i, j = sp.symbols("i j", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
x = sp.IndexedBase("x")
SUM = sp.Sum(x[i], (i, 1, n))


def test_sympy_differentiates_by_a_bound_index() -> None:
    """sympy#21891: d/dx_i of sum_i x_i is said to be sum_i 1 = n. Our own SumOver renames its bound index first."""
    assert SUM.diff(x[i]) == sp.Sum(1, (i, 1, n)), CHANGED
    assert SUM.diff(x[i]).doit() == n, CHANGED


def test_sympy_simplify_is_a_heuristic() -> None:
    """log(e^x + e^y) = x + log(1 + e^(y-x)), the shift in every log-sum-exp. decide() reduces to a normal form."""
    a, b = sp.symbols("a b", real=True)
    difference = sp.log(sp.exp(a) + sp.exp(b)) - a - sp.log(1 + sp.exp(b - a))
    assert sp.simplify(difference) != 0, CHANGED
    assert decide(difference).status == "zero"


def test_sympy_guards_a_sum_over_a_delta_with_a_range() -> None:
    """The guard 1 <= j <= n, true of every index here, is carried along. Our own SumOver sums a delta at once."""
    guarded = sp.Sum(sp.KroneckerDelta(i, j) * x[i], (i, 1, n)).doit()
    assert guarded == sp.Piecewise((x[j], (j >= 1) & (j <= n)), (0, True)), CHANGED


def test_sympy_ignores_a_substitution_inside_a_sum() -> None:
    """sympy#20127: nothing is replaced and nothing said. We map over the entries of a vector instead of `.subs`."""
    assert SUM.subs(x[i], 0) == SUM, CHANGED
    assert sp.Sum(x[i], (i, 1, 3)).subs(x[1], 5).doit() == x[1] + x[2] + x[3], CHANGED


def test_sympy_sums_with_other_names_do_not_cancel() -> None:
    """sympy#15240, #15239: sum_i x_i - sum_j x_j stays. decide() reduces to a normal form, bound indices renamed."""
    difference = SUM - sp.Sum(x[j], (j, 1, n))
    assert difference != 0, CHANGED
    assert sp.simplify(difference) != 0, CHANGED
    assert difference.equals(0) is None, CHANGED


def test_sympy_matrix_derivatives_return_zero() -> None:
    """sympy#17229, #26561, #27406: zero where it cannot differentiate. We differentiate entries, not matrix symbols."""
    k = sp.Symbol("k", integer=True, positive=True)
    a, b = sp.MatrixSymbol("a", k, k), sp.MatrixSymbol("b", k, k)
    column = sp.MatrixSymbol("v", k, 1)
    summed = (sp.OneMatrix(k, 1).T * column.applyfunc(sp.exp))[0, 0]
    for wrong in (
        sp.log(summed).diff(column),
        sp.exp(a).diff(a),
        a[1, 1].diff(a),
        (sp.Trace(a) + 1).diff(a),
        (sp.Trace(a.T * a) + sp.Trace(b.T * b)).diff(a),
    ):
        assert str(wrong) == "0", CHANGED


def test_sympy_contracts_a_delta_too_far() -> None:
    """sympy#28950: sum_j delta_ij a_j b_j, a vector, becomes the scalar sum_j a_j b_j. We use no array expressions."""
    row, column = sp.Idx("i", n), sp.Idx("j", n)
    a, b = sp.IndexedBase("a"), sp.IndexedBase("b")
    array = convert_indexed_to_array(sp.Sum(sp.KroneckerDelta(row, column) * a[column] * b[column], (column, 0, n - 1)))
    assert str(array) == "ArrayContraction(ArrayTensorProduct(a, b), (0, 1))", CHANGED


@pytest.mark.parametrize("parse", [sp.sympify, sp.parse_expr])
def test_sympy_runs_the_text_that_it_parses(parse: Callable[[str], object], tmp_path: Path) -> None:
    """Text from outside never reaches sympify or parse_expr."""
    mark = tmp_path / "ran"
    parse(f"__import__('pathlib').Path({str(mark)!r}).touch()")
    assert mark.exists(), CHANGED


def test_sympy_differentiates_a_kink_to_whatever_branch_comes_first() -> None:
    """At the kinks 1 and -1 of one function: 0, 1 and 1/2, as it is written. We claim nothing at a kink."""
    s = sp.Symbol("s", real=True)
    ours = sp.Piecewise((-1, s <= -1), (s, s < 1), (1, True))
    other = sp.Piecewise((-1, s < -1), (s, s <= 1), (1, True))
    third = sp.Max(-1, sp.Min(s, 1))
    assert [f.diff(s).subs(s, 1) for f in (ours, other, third)] == [0, 1, sp.Rational(1, 2)], CHANGED


# --- autograd and gradcheck -------------------------------------------------------------------------------------------

Send = Callable[[Tensor, Tensor, Tensor], Tensor]
SCORES = torch.tensor([0.3, -1.2, 0.5], dtype=torch.float64)
DILATION = torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64)


def function(forward: Callable[[Tensor], Tensor], backward: Send) -> Callable[[Tensor], Tensor]:
    """The function with the given forward, and the backward (grad_output, x, forward(x)) -> gradient."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            y = forward(x)
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx: Any, grad_output: Tensor) -> Tensor:
            return backward(grad_output, *ctx.saved_tensors)

    return Custom.apply


def softmax(x: Tensor) -> Tensor:
    return x.softmax(-1)


def log_sum_exp(x: Tensor) -> Tensor:
    return x.logsumexp(-1)


def jacobian_times(v: Tensor, y: Tensor) -> Tensor:
    """(D_y - y y^T) v."""
    return y * (v - y @ v)


def passes(f: Callable[[Tensor], Tensor], scores: Tensor = SCORES) -> bool:
    return gradcheck(f, scores.clone().requires_grad_(), raise_exception=False)


def test_gradcheck_of_a_sum_hides_a_flipped_sign() -> None:
    """The cotangent of `.sum()` is all ones, and J^T 1 = 0. Our cotangents are random."""
    flipped = function(softmax, lambda g, x, y: -jacobian_times(g, y))
    assert passes(lambda x: flipped(x).sum()), CHANGED
    assert not passes(lambda x: (DILATION * flipped(x)).sum())


def test_gradcheck_of_a_symmetric_jacobian_hides_a_transpose() -> None:
    """J v sent back in place of J^T v passes for SoftMax itself. Our dilations are unequal."""
    plain = function(softmax, lambda g, x, y: jacobian_times(g, y))
    dilated = function(lambda x: softmax(DILATION * x), lambda g, x, y: jacobian_times(DILATION * g, y))
    assert passes(plain), CHANGED
    assert not passes(dilated)


def test_gradcheck_at_saturated_scores_passes_zero() -> None:
    """A gap of 12 leaves every entry of J below gradcheck's atol = 1e-5. Our tolerances are relative to y_i."""
    zero = function(softmax, lambda g, x, y: 0 * g)
    assert passes(zero, torch.tensor([12.0, 0.0], dtype=torch.float64)), CHANGED
    assert not passes(zero)


def test_gradcheck_notices_a_backward_that_ignores_grad_output() -> None:
    """That much it does: it multiplies by grad_output itself and compares."""
    assert not passes(function(log_sum_exp, lambda g, x, y: softmax(x)))
    assert passes(function(log_sum_exp, lambda g, x, y: g * softmax(x)))


def saved_error(mark: Callable[[Any], Any] = lambda backward: backward) -> Callable[[Tensor], Tensor]:
    """log sum exp with the error of the forward pass sent back; its backward may be marked."""

    class Saved(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.error = softmax(x)
            return log_sum_exp(x)

        @staticmethod
        @mark
        def backward(ctx: Any, grad_output: Tensor) -> Any:
            return grad_output * ctx.error

    return Saved.apply


def hessian_of_square(f: Callable[[Tensor], Tensor]) -> Tensor:
    found: Tensor = torch.autograd.functional.hessian(lambda x: f(x).square(), SCORES)
    return found


def test_gradcheck_passes_a_saved_error_whose_second_derivative_is_wrong() -> None:
    """The saved error is a constant to autograd. ISBELoss computes it anew when a second derivative is wanted."""
    y = softmax(SCORES)
    outer, jacobian = 2 * torch.outer(y, y), torch.diag(y) - torch.outer(y, y)
    torch.testing.assert_close(hessian_of_square(log_sum_exp), outer + 2 * log_sum_exp(SCORES) * jacobian)
    assert passes(saved_error()), CHANGED
    assert not gradgradcheck(saved_error(), SCORES.clone().requires_grad_(), raise_exception=False)
    torch.testing.assert_close(hessian_of_square(saved_error()), outer, msg=CHANGED)  # without a word, a term missing


def test_once_differentiable_does_not_reach_the_functional_hessian() -> None:
    """`once_differentiable` raises from .backward(), but functional.hessian reads zeros. ISBELoss has no need of it."""
    marked = saved_error(once_differentiable)
    x = SCORES.clone().requires_grad_()
    (first,) = torch.autograd.grad(marked(x).square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
    assert not hessian_of_square(marked).any(), CHANGED
    torch.testing.assert_close(
        hessian_of_square(lambda x: ISBELoss()(x, torch.tensor(0)) + x[0]), hessian_of_square(log_sum_exp)
    )


def test_autograd_at_a_kink_depends_on_the_function() -> None:
    """The clip to [-1, 1] three times, at its kinks: 0; 1, or from torch 2.14 on 0; 1/2. We claim nothing at a kink."""
    one = torch.ones(2)

    def derivative(f: Callable[[Tensor], Tensor]) -> list[float]:
        kinks = torch.tensor([-1.0, 1.0], requires_grad=True)
        return torch.autograd.grad(f(kinks).sum(), kinks)[0].tolist()

    assert derivative(F.hardtanh) == [0, 0], CHANGED
    assert derivative(lambda x: x.clamp(-1, 1)) in ([1, 1], [0, 0]), CHANGED
    assert derivative(lambda x: torch.maximum(torch.minimum(x, one), -one)) == [0.5, 0.5], CHANGED


def test_torch_hardsigmoid_has_a_float32_derivative() -> None:
    """In float64 its derivative is 1/6 rounded to float32, and gradcheck passes it. We use relu6(x + 3) / 6."""

    def slope(f: Callable[[Tensor], Tensor]) -> float:
        zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(f(zero), zero)[0].item()

    assert slope(F.hardsigmoid) == torch.tensor(1 / 6, dtype=torch.float32).item() != 1 / 6, CHANGED
    assert passes(F.hardsigmoid), CHANGED
    assert slope(lambda x: F.relu6(x + 3) / 6) == 1 / 6


def test_float32_softmax_underflows_where_the_cross_entropy_does_not() -> None:
    """-log softmax is inf from a gap of 104 on. Neither ISBE nor its value takes the logarithm of a soft score."""
    scores, label = torch.tensor([104.0, 0.0]), torch.tensor(1)
    assert softmax(scores)[1] == 0, CHANGED
    assert -softmax(scores).log()[1] == torch.inf
    assert softmax(torch.tensor([103.0, 0.0]))[1] > 0
    assert F.cross_entropy(scores, label) == ISBELoss()(scores, label) == 104


def test_an_injected_error_bypasses_the_gradient_scaler() -> None:
    """GradScaler scales losses and unscales gradients: an error sent back unscaled comes out 1024 times too small."""
    torch.manual_seed(0)
    images, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])

    def update(send_back: Callable[[torch.amp.GradScaler, Tensor], None]) -> Tensor:
        torch.manual_seed(1)
        net = nn.Linear(3, 3)
        nn.init.zeros_(net.weight)
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        scaler.scale(torch.ones(()))  # as another loss of the same step would
        send_back(scaler, net(images))
        scaler.step(optimizer)
        return net.weight.detach()

    usual = update(lambda scaler, scores: scaler.scale(F.cross_entropy(scores, labels, reduction="sum")).backward())
    unscaled = update(lambda scaler, scores: scores.backward(isbe_error(scores, labels)))
    scaled = update(lambda scaler, scores: scores.backward(scaler.scale(isbe_error(scores, labels))))
    wrapped = update(lambda scaler, scores: scaler.scale(ISBELoss()(scores, labels)).backward())
    torch.testing.assert_close(1024 * unscaled, usual, msg=CHANGED)
    torch.testing.assert_close(scaled, usual)
    torch.testing.assert_close(wrapped, usual)


# --- interval arithmetic ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numerator", "denominator", "precision"),
    [(3893924827815215, 1125899906842624, 53), (1381846513289487, 70368744177664, 113)],
)
def test_mpmath_interval_exp_misses_the_value_and_arb_does_not(
    numerator: int, denominator: int, precision: int
) -> None:
    """mpmath#1181: the upper end of iv.exp lies below e^x. Enclosures here are Arb's."""
    with localcontext(prec=80):
        true = (Decimal(numerator) / Decimal(denominator)).exp()
        interval = MPIntervalContext()
        interval.prec = precision
        _, mantissa, exponent, _ = interval.exp(interval.mpf(numerator) / denominator)._mpi_[1]
        assert Decimal(int(mantissa)) * Decimal(2) ** int(exponent) < true, CHANGED
    with flint.ctx.workprec(precision):
        enclosure = (flint.arb(numerator) / denominator).exp()
    with flint.ctx.workprec(300):
        assert enclosure.contains(flint.arb(flint.fmpq(numerator, denominator)).exp())


def test_arb_power_across_zero_is_nan() -> None:
    """python-flint#426: [-1, 1] ** 2 is NaN. We multiply."""
    ball = flint.arb(0, 1)
    assert (ball**2).is_nan(), CHANGED
    assert (ball * ball).is_finite()
    assert (ball * ball).contains(1)
