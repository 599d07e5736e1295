"""The SoftMax Jacobian and the SoftMax trick against autograd, in plain torch, on random, tied and saturated scores.

F(x) = SoftMax(d * x - c), with a slack s >= 0 in the sum: y_i = e^{z_i} / (s + sum_k e^{z_k}) for z = d * x - c.
Torch's own softmax and the symbolic side have no part in it: autograd differentiates exp, sum and quotient.

    (P2)  dy_i / dx_j = y_i (delta_ij - y_j) d_j, hence J^T v = d * y * (v - <y, v>)
    (P3)  J^T (-t / y) = d * (y - t) for t on the simplex, and d * ((sum t) y - t) for every t

Tolerance: u = 2^-53. Both routes add K products and round each term fewer than 8 times, so that the i-th entry of J^T v
is off by at most 4 (K + 8) u |d_i| y_i (|v_i| + <y, |v|>), relative to y_i itself; and by K times the smallest normal
number, where numbers become subnormal. So an entry e^-200 is tested as sharply as one near 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import hypothesis.extra.numpy as hnp
import pytest
import torch
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

SETTINGS = settings(deadline=None, derandomize=True, database=None, max_examples=150)
PLANTED = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False)
U = 2.0**-53
TINY = torch.finfo(torch.float64).tiny

Jacobian = Callable[[Tensor, Tensor], Tensor]  # (y, d) -> dy/dx
Pullback = Callable[[Tensor, Tensor, Tensor], Tensor]  # (y, d, v) -> J^T v


# --- the formulas under test ------------------------------------------------------------------------------------------


def jacobian(y: Tensor, d: Tensor) -> Tensor:
    """y_i (delta_ij - y_j) d_j."""
    return y.unsqueeze(1) * (torch.eye(len(y)).double() - y) * d


def pullback(y: Tensor, d: Tensor, v: Tensor) -> Tensor:
    """d * y * (v - <y, v>): no division, so it stands where y underflows."""
    return d * y * (v - y @ v)


def trick(y: Tensor, d: Tensor, t: Tensor) -> Tensor:
    """d * (y - t), for t on the simplex."""
    return d * (y - t)


# --- problems ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """Scores x, dilation d, relocation c and slack of F, a random cotangent v and a target t on the simplex."""

    x: Tensor
    d: Tensor
    c: Tensor
    slack: float
    v: Tensor
    t: Tensor

    def normalize(self, x: Tensor) -> Tensor:
        """F(x) by exp, sum and quotient; the shift, a constant, keeps exp from overflowing."""
        z = self.d * x - self.c
        shift = z.max().detach().clamp(min=0 if self.slack else -torch.inf)
        e = (z - shift).exp()
        rest = self.slack * (-shift).exp() if self.slack else 0
        return e / (rest + e.sum())

    @property
    def y(self) -> Tensor:
        return self.normalize(self.x)

    def pull_back(self, v: Tensor) -> Tensor:
        """J^T v by autograd."""
        pulled: Tensor = torch.func.vjp(self.normalize, self.x)[1](v)[0]
        return pulled

    def close(self, found: Tensor, expected: Tensor, v: Tensor) -> None:
        y, k = self.y, len(self.x)
        size = self.d.abs() * (y * v.abs() + y * (y @ v.abs()))
        assert ((found - expected).abs() <= 4 * (k + 8) * U * size + k * TINY * (1 + v.abs().max())).all()


GENERIC = st.floats(-4, 4, allow_subnormal=False)
TIED = st.sampled_from([-1.0, 0.0, 1.0])
SATURATED = st.sampled_from([-1e4, -300.0, -30.0, 0.0, 30.0])


@st.composite
def problems(
    draw: st.DrawFn, min_k: int = 1, entries: tuple[st.SearchStrategy[float], ...] = (GENERIC, TIED, SATURATED)
) -> Problem:
    k = draw(st.integers(min_k, 12))

    def vector(elements: st.SearchStrategy[float], unique: bool = False) -> Tensor:
        return torch.from_numpy(draw(hnp.arrays(float, k, elements=elements, fill=st.nothing(), unique=unique)))

    weight = vector(st.floats(0, 1, allow_subnormal=False)) + 1e-3
    return Problem(
        x=vector(draw(st.sampled_from(entries))),
        d=vector(st.floats(-3, 3, allow_subnormal=False), unique=True),
        c=vector(GENERIC),
        slack=draw(st.sampled_from([0.0, 1.0, 0.3])),
        v=vector(st.floats(-2, 2, allow_subnormal=False)),
        t=weight / weight.sum(),
    )


# --- the checks -------------------------------------------------------------------------------------------------------


def check_jacobian(formula: Jacobian, p: Problem) -> None:
    """Row i of J is J^T e_i, every row to the precision of its own entries."""
    found, expected = formula(p.y, p.d), torch.func.jacrev(p.normalize)(p.x)
    for i, basis in enumerate(torch.eye(len(p.x)).double()):
        p.close(found[i], expected[i], basis)


def check_pullback(formula: Pullback, p: Problem) -> None:
    p.close(formula(p.y, p.d, p.v), p.pull_back(p.v), p.v)


def check_trick(formula: Pullback, p: Problem) -> None:
    """J^T (-t / y), where no y_i underflows."""
    assume(p.y.min() > 1e-290)
    v = -p.t / p.y
    p.close(p.pull_back(v), formula(p.y, p.d, p.t), v)


def holds(check: Callable[[Callable[..., Tensor], Problem], None], formula: Callable[..., Tensor]) -> None:
    def run(p: Problem) -> None:
        check(formula, p)

    SETTINGS(given(problems())(run))()


def rejected(check: Callable[[Callable[..., Tensor], Problem], None], broken: Callable[..., Tensor]) -> None:
    def run(p: Problem) -> None:
        check(broken, p)

    with pytest.raises(AssertionError):
        PLANTED(given(problems(min_k=2, entries=(GENERIC,)))(run))()


# --- the formulas hold ------------------------------------------------------------------------------------------------


def test_the_jacobian_is_y_i_delta_ij_minus_y_j_d_j() -> None:
    holds(check_jacobian, jacobian)


def test_its_transpose_takes_v_to_d_y_v_minus_the_mean_of_v() -> None:
    holds(check_pullback, pullback)


def test_the_dilated_softmax_trick_on_the_simplex() -> None:
    holds(check_trick, trick)


@SETTINGS
@given(problems(), st.floats(0, 3, allow_subnormal=False))
def test_off_the_simplex_the_trick_misses_by_d_sum_t_minus_1_y(p: Problem, total: float) -> None:
    assume(p.y.min() > 1e-290)
    t = total * p.t
    v = -t / p.y
    pulled = p.pull_back(v)
    p.close(pulled, p.d * (t.sum() * p.y - t), v)
    p.close(pulled - trick(p.y, p.d, t), p.d * (t.sum() - 1) * p.y, v.abs() + 1)


@SETTINGS
@given(problems(), st.floats(-100, 100))
def test_without_slack_a_common_relocation_changes_nothing(p: Problem, shift: float) -> None:
    """SoftMax(d * x - c) knows c up to a multiple of (1, ..., 1); exp amplifies the rounding of d * x - c."""
    p = replace(p, slack=0.0)
    moved = replace(p, c=p.c + shift)
    size = (p.d * p.x).abs().max() + p.c.abs().max() + 2 * abs(shift)
    assert ((moved.y - p.y).abs() <= 4 * (len(p.x) + 8 + size) * U * p.y + TINY).all()


def test_one_class() -> None:
    """For K = 1 SoftMax is constant; with slack 1 it is the Sigmoid."""
    one = torch.tensor([1.0]).double()
    plain = Problem(0.7 * one, 2 * one, 0 * one, 0.0, one, one)
    slack = Problem(0.7 * one, 2 * one, 0 * one, 1.0, one, one)
    assert torch.func.jacrev(plain.normalize)(plain.x).item() == 0
    y = torch.sigmoid(2 * plain.x)
    slack.close(torch.func.jacrev(slack.normalize)(slack.x)[0], 2 * y * (1 - y), one)


# --- planted errors are caught ----------------------------------------------------------------------------------------


BROKEN_JACOBIANS: dict[str, Jacobian] = {
    "sign flipped": lambda y, d: -jacobian(y, d),
    "sign of the second term": lambda y, d: y.unsqueeze(1) * (torch.eye(len(y)).double() + y) * d,
    "dilation missing": lambda y, d: jacobian(y, torch.ones_like(d)),
    "dilation of the row": lambda y, d: y.unsqueeze(1) * (torch.eye(len(y)).double() - y) * d.unsqueeze(1),
    "transposed": lambda y, d: jacobian(y, d).T,
    "delta missing": lambda y, d: -y.unsqueeze(1) * y * d,
    "delta one column off": lambda y, d: y.unsqueeze(1) * (torch.eye(len(y)).double().roll(1, 1) - y) * d,
    "elementwise only": lambda y, d: torch.diag(y * (1 - y) * d),
    "off by 1e-13": lambda y, d: jacobian(y, d) * (1 + 1e-13),
}
BROKEN_PULLBACKS: dict[str, Pullback] = {
    "sign flipped": lambda y, d, v: -pullback(y, d, v),
    "dilation missing": lambda y, d, v: y * (v - y @ v),
    "J in place of its transpose": lambda y, d, v: y * (d * v - y @ (d * v)),
    "mean unweighted": lambda y, d, v: d * y * (v - v.mean()),
    "second term missing": lambda y, d, v: d * y * v,
    "zero": lambda y, d, v: 0 * v,
}
BROKEN_TRICKS: dict[str, Pullback] = {
    "sign flipped": lambda y, d, t: d * (t - y),
    "dilation missing": lambda y, d, t: y - t,
    "dilation of the target missing": lambda y, d, t: d * y - t,
    "target missing": lambda y, d, t: d * y,
}


@pytest.mark.parametrize("fault", BROKEN_JACOBIANS)
def test_broken_jacobians_are_rejected(fault: str) -> None:
    rejected(check_jacobian, BROKEN_JACOBIANS[fault])


@pytest.mark.parametrize("fault", BROKEN_PULLBACKS)
def test_broken_pullbacks_are_rejected(fault: str) -> None:
    rejected(check_pullback, BROKEN_PULLBACKS[fault])


@pytest.mark.parametrize("fault", BROKEN_TRICKS)
def test_broken_tricks_are_rejected(fault: str) -> None:
    rejected(check_trick, BROKEN_TRICKS[fault])


# --- why the cotangents are random and the dilations unequal ----------------------------------------------------------


def test_a_cotangent_of_ones_would_not_catch_a_flipped_sign() -> None:
    """Without slack sum y = 1, so J^T 1 = 0: on `.sum()` every multiple of J^T agrees, and no check sees the sign."""
    p = Problem(
        x=torch.tensor([0.3, -1.2, 0.5]).double(),
        d=torch.tensor([1.0, 2.0, -0.5]).double(),
        c=torch.zeros(3).double(),
        slack=0.0,
        v=torch.ones(3).double(),
        t=torch.ones(3).double() / 3,
    )
    for broken in ("sign flipped", "zero"):
        check_pullback(BROKEN_PULLBACKS[broken], p)
        rejected(check_pullback, BROKEN_PULLBACKS[broken])


def test_equal_dilations_would_not_catch_a_transpose() -> None:
    """With d = (1, ..., 1) J is symmetric."""
    p = Problem(
        x=torch.tensor([0.3, -1.2, 0.5]).double(),
        d=torch.ones(3).double(),
        c=torch.zeros(3).double(),
        slack=0.0,
        v=torch.tensor([0.3, 0.7, -2.0]).double(),
        t=torch.ones(3).double() / 3,
    )
    check_jacobian(BROKEN_JACOBIANS["transposed"], p)
    check_pullback(BROKEN_PULLBACKS["J in place of its transpose"], p)
    rejected(check_jacobian, BROKEN_JACOBIANS["transposed"])
    rejected(check_pullback, BROKEN_PULLBACKS["J in place of its transpose"])
