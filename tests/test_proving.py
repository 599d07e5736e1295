"""The gradients of torch code: right and wrong backward passes, each judged right."""

from __future__ import annotations

import signal
import sys
from typing import Any

import losses_with_backward as losses
import pytest
import torch
import torch.nn.functional as F

from softmax_trick import prove_gradient
from softmax_trick.proving import DeclarationError, Proof, TargetError

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "inputs", "verdict"), losses.JUDGED, ids=[f"{one[0].__name__}-{one[2]}" for one in losses.JUDGED]
)
def test_each_is_judged_right(loss, inputs, verdict):
    proof = prove_gradient(loss, inputs, second=False)
    assert proof.verdict == verdict, str(proof)
    if verdict == "refuted":
        assert any(finding.counterexample is not None for finding in proof.findings)


def findings(proof: Proof) -> dict[str, str]:
    return {finding.what: finding.verdict for finding in (*proof.findings, *proof.second)}


def test_a_counterexample_is_one():
    (finding,) = prove_gradient(losses.DoubledOneHot, losses.LABELLED, second=False).findings
    witness = finding.counterexample
    assert witness is not None
    assert witness.sizes == {"n": 2, "K": 2}
    x = torch.tensor(witness.inputs["x"], dtype=torch.float64, requires_grad=True)
    t, g = torch.tensor(witness.inputs["t"]), torch.tensor(witness.inputs["grad_output"], dtype=torch.float64)
    (found,) = torch.autograd.grad(losses.DoubledOneHot.apply(x, t), x, g)
    (right,) = torch.autograd.grad(F.cross_entropy(x, t), x, g)
    assert float(found[witness.entry]) == pytest.approx(float(witness.found))
    assert float(right[witness.entry]) == pytest.approx(float(witness.right))


def test_second_derivatives():
    right = prove_gradient(losses.ByRows, "x: n,K; t: label n of K")
    assert findings(right)["second derivative by x"] == "proved"
    silent = prove_gradient(losses.CrossEntropy, losses.LABELLED)
    assert silent.verdict == "proved"
    assert findings(silent)["second derivative by x"] == "refuted"
    assert "silently 0" in str(silent)


class HeldConstant(torch.autograd.Function):
    """exp; the backward pass loses that it depends on grad_output."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.detach() * ctx.saved_tensors[0].exp()


def test_second_derivatives_by_grad_output():
    found = findings(prove_gradient(HeldConstant.apply, "x: n"))
    assert found["second derivative by x"] == "proved"
    assert found["second derivative by grad_output"] == "refuted"


def test_the_second_derivative_of_softplus_is_that_of_its_formula_above_the_threshold_too():
    proof = prove_gradient(lambda x: F.softplus(x, beta=2), "x: n")
    assert set(findings(proof).values()) == {"proved"}
    step = prove_gradient(lambda x: torch.where(x < 20, F.softplus(x), 0 * x), "x: n", like="softplus(x)", second=False)
    assert findings(step)["value"] == "undecided"  # a comparison of the user's own is no threshold


def test_second_derivatives_are_given_up():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        proof = prove_gradient(F.cross_entropy, "x: n,K; t: label n of K", second_limit=0)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < 600
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not rang
    assert proof.verdict == "proved"
    (second,) = proof.second
    assert "it took longer than 0.01 s; second_limit=" in str(second)


def test_a_size_that_the_code_turns_into_a_number_is_said():
    def loss(x):
        return sum(x[:, k].exp().sum() * (k + 1) for k in range(x.shape[1]))

    proof = prove_gradient(loss, "x: n,K", second=False)
    assert proof.verdict == "proved"
    assert proof.scope == "for every n >= 1 and for K = 3"
    assert "turns the size K into a number at test_proving.py" in str(proof)


def test_a_branch_on_a_size_is_a_condition():
    def loss(x):
        return (x if x.shape[0] < 100 else 2 * x.detach()).square().sum()

    proof = prove_gradient(loss, "x: n", second=False)
    assert proof.verdict == "proved"
    assert any("n < 100" in condition and "test_proving.py" in condition for condition in proof.conditions)


def test_what_is_detached_is_named():
    text = str(prove_gradient(losses.detached_weight, losses.LABELLED, second=False))
    assert "held constant" in text
    assert "losses_with_backward.py" in text


@pytest.mark.parametrize(
    ("loss", "inputs", "why"),
    [
        (losses.SavedIsChanged, "x: n", "a second backward pass through the same graph gives something else"),
        (losses.shared_grad_output, "x: n", "the backward pass changes grad_output"),
        (losses.AloneDoubled, "x: n; w: n", "where x alone needs a gradient"),
        (losses.StridedDoubled, "x: n", "for inputs that are not contiguous"),
        (losses.FirstColumn, "x: n,K", "memory that it reserved"),
        (losses.SmallerSize, "x: n,K; y: n,K", "follow from no size"),
        (losses.guarded_root, "x: n", "= nan"),
    ],
)
def test_what_gradients_must_not_hang_on(loss, inputs, why):
    proof = prove_gradient(loss, inputs, second=False)
    assert proof.verdict != "proved"
    assert why in str(proof)


def test_sizes_at_which_the_code_takes_another_path():
    proof = prove_gradient(losses.OneEntryHalved, "x: n,K; y: n,K", second=False)
    assert "gradient by x: wrong, at n = 1, K = 1" in str(proof)


def test_a_module_that_is_proved_stays_as_it_is():
    module = torch.nn.Linear(2, 3)
    prove_gradient(module, "x: 2", second=False)
    assert module.weight.dtype == torch.float32


LIKE = "mean(logsumexp(x, K) - pick(x, t))"


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [
        (LIKE, "proved"),
        ("sum(logsumexp(x, K) - pick(x, t))", "refuted"),
    ],
)
def test_like_a_formula(formula, verdict):
    proof = prove_gradient(F.cross_entropy, "x: n,K; t: label n of K", like=formula, second=False)
    assert proof.verdict == verdict, str(proof)


def test_masks_and_ignored_labels():
    def masked(x, t, mask):
        return F.cross_entropy(x.masked_fill(mask, float("-inf")), t)

    proof = prove_gradient(masked, "x: n,K; t: label n of K; mask: mask n,K", second=False)
    assert proof.verdict == "proved", str(proof)
    proof = prove_gradient(F.cross_entropy, "x: n,K; t: label n of K or -100", second=False)
    assert proof.verdict == "proved", str(proof)


def test_modules_have_their_parameters_differentiated():
    proof = prove_gradient(torch.nn.LayerNorm(6), "x: n,D; D = 6", second=False)
    assert findings(proof) == {
        "gradient by x": "proved",
        "gradient by weight": "proved",
        "gradient by bias": "proved",
    }, str(proof)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x: n,K wide",
        "x: n,0",
        "t: label n of K",
        "x: n; x: n",
        "x: n distribution over K",
        "x: n; n = 0",
        "x:: n",
    ],
)
def test_declarations_that_mean_nothing(text):
    with pytest.raises(DeclarationError):
        prove_gradient(F.cross_entropy, text)


def adds_in_place(x):
    x += 1
    return x.sum()


def test_what_a_function_must_not_do():
    with pytest.raises(TargetError, match="changes its input x"):
        prove_gradient(lambda x: x.detach().add_(1).sum() + x.sum(), "x: n")
    with pytest.raises(TargetError, match="returns float"):
        prove_gradient(lambda x: float(x.sum()), "x: n")
    with pytest.raises(TargetError, match="does not take the declared inputs"):
        prove_gradient(lambda x, y: x.sum(), "x: n")
    with pytest.raises(TargetError, match="fails at inputs as declared"):
        prove_gradient(adds_in_place, "x: n")
    with pytest.raises(TargetError, match="no function"):
        prove_gradient(3, "x: n")
    with pytest.raises(TargetError, match="SystemExit: goodbye"):
        prove_gradient(lambda x: sys.exit("goodbye"), "x: n")


calls: list[int] = []


def forgetful(x):
    """Something else each time."""
    calls.append(1)
    return len(calls) * x.sum()


def test_code_that_does_something_else_each_time_is_not_proved():
    assert prove_gradient(forgetful, "x: n", second=False).verdict == "undecided"


def branches(x):
    if x.sum() > 0:
        return x.sum()
    return -x.sum()


def checks_its_inputs(x, t):
    if not (t > 0).all():
        raise ValueError("the weights have to be positive")
    if (t < 0).any():
        return x.sum().detach()
    return (x * t).sum()


def some_ignored(x, t):
    if (t != -100).all():
        return F.nll_loss(x, t)
    return 2 * F.nll_loss(x, t)


def test_branches_that_check_inputs_or_always_go_one_way():
    def positive_weights(x, t):
        if not (t > 0).all():
            raise ValueError("the weights have to be positive")
        return (x * t).sum()

    assert prove_gradient(positive_weights, "x: n; t: n constant positive", second=False).verdict == "proved"
    assert prove_gradient(some_ignored, "x: n,K; t: label n of K", second=False).verdict == "proved"
    assert prove_gradient(some_ignored, "x: n,K; t: label n of K or -100", second=False).verdict == "undecided"
    assert prove_gradient(checks_its_inputs, "x: n; t: n constant positive", second=False).verdict == "undecided"


def checked(x, t):
    _are_targets(t)
    return (x * t).sum()


def _are_targets(t):
    if not (torch.all(t > -100) and not torch.any(t > 100)):
        raise ValueError(f"targets from {t.min()} to {t.max()}")
    if bool((t == 7).all()):
        raise ValueError("all are 7")


def fails_at_these_sizes(x, t):
    if t[0] < 0:
        if x.shape[0] != 3:
            raise ValueError("other sizes are not supported")
        return 2 * x.detach().sum() + 3 * x.sum()
    return (x * t).sum()


def fails_at_these_values(x, t):
    if t[0] < 0:
        if x[0] < 100:
            raise ValueError("too small")
        return x.detach().sum() + x.sum()
    return (x * t).sum()


def fails_by_accident(x, t):
    if t[0] < 0:
        return (x.detach() + x).view(3, -1)[:, 4].sum()
    return (x * t).sum()


def fails_in_what_it_calls(x, t):
    if t[0] < 0:
        return only_three(x)
    return (x * t).sum()


def only_three(x):
    if x.shape[0] != 3:
        raise ValueError("other sizes are not supported")
    return x.detach().sum() + x.sum()


def fails_where_what_it_calls_fails(x, t):
    if t[0] < 0:
        try:
            return only_three(x)
        except ValueError:
            raise
    return (x * t).sum()


def fails_unless_all(x, t):
    if all([t[0] > 0, x[0] < 100]):
        return (x * t).sum()
    if x.shape[0] != 3:
        raise ValueError("other sizes are not supported")
    return x.detach().sum() + x.sum()


def catches_its_own(x, t):
    try:
        if t[0] < 0:
            raise ValueError("negative")
    except ValueError:
        return x.detach().sum() + x.sum()
    return (x * t).sum()


def test_a_check_is_a_branch_whose_other_way_is_an_error_and_no_more():
    proof = prove_gradient(checked, "x: K; t: K constant", second=False)
    assert proof.verdict == "proved"
    assert "no error is raised by a check (test_proving.py:" in str(proof)
    found: dict[str, Any] = {}
    # not as pytest rewrites it:
    exec("def asserted(x):\n    assert (x > -9).all(), f'{x.min()}'\n    return x.sum()", found)
    assert prove_gradient(found["asserted"], "x: K", second=False).verdict == "proved"


@pytest.mark.parametrize(
    "function",
    [
        fails_at_these_sizes,
        fails_at_these_values,
        fails_by_accident,
        fails_in_what_it_calls,
        fails_where_what_it_calls_fails,
        fails_unless_all,
        catches_its_own,
    ],
)
def test_a_branch_that_ends_in_an_error_here_is_no_check(function):
    proof = prove_gradient(function, "x: K; t: K constant", second=False)
    assert proof.verdict == "undecided"
    assert "branches on the values" in str(proof)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (branches, "branches on the values"),
        (lambda x: x.sum().item() * x.sum(), "branches on the values"),
        (lambda x: F.dropout(x).sum(), "not read"),
        (lambda x: x.sort().values.cumsum(0).sum(), "not read"),
        (lambda x: x[x > 0].sum(), "their number depends on the data"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(function, why):
    proof = prove_gradient(function, "x: n", second=False)
    assert proof.verdict == "undecided"
    assert why in str(proof)
    assert "test_proving.py" in str(proof)
    assert "check_loss" in str(proof)


def test_the_fixture(pytester):
    pytester.makepyfile(
        """
        def test_right(prove_gradient):
            prove_gradient(lambda x: x.square().sum(), "x: n")

        def test_wrong(prove_gradient):
            prove_gradient(lambda x: (x.detach() * x).sum(), "x: n")
        """
    )
    result = pytester.runpytest("-p", "no:xdist")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*gradient by x: wrong*"])


def test_what_is_proved_on_a_part_of_the_domain_is_undecided():
    """Below the bound the code divides by a constant, and its backward pass by the norm."""

    class Normalized(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            norm = x.square().sum(1, keepdim=True).sqrt()
            ctx.save_for_backward(x, norm)
            return x / norm.clamp_min(1e-6)

        @staticmethod
        def backward(ctx, g):
            x, norm = ctx.saved_tensors
            return (g - x * (g * x).sum(1, keepdim=True) / norm.square()) / norm

    proof = prove_gradient(Normalized.apply, "x: n,D", second=False)
    assert proof.verdict == "undecided"
    assert "proved only where what is clamped exceeds 1e-06 at" in str(proof)


def test_where_pieces_meet_is_said():
    proof = prove_gradient(lambda x, t: torch.where(t > 0.5, x, 2 * x), "x: n; t: n constant", second=False)
    assert "where all of the below holds\nwhere the two sides of the comparison differ" in str(proof)

    class Largest(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            largest = x.amax(1)
            ctx.save_for_backward(x, largest)
            return largest

        @staticmethod
        def backward(ctx, g):
            x, largest = ctx.saved_tensors
            return g[:, None] * (x == largest[:, None]).to(x.dtype)

    proof = prove_gradient(Largest.apply, "x: n,K", second=False)
    assert "where the extreme entry is the only one of its size" in str(proof)


class LargestOfColumns(torch.autograd.Function):
    """The largest entries of a square; the forward pass compares rows with columns, the backward pass does not."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x == x.amax(1)) * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x == x.amax(1, keepdim=True))


class Floor(torch.autograd.Function):
    """x floor(x); the backward pass is wrong below the next number, or at jumps only."""

    rounded: Any = staticmethod(torch.ceil)

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.floor()

    @classmethod
    def backward(cls, ctx, g):
        return g * cls.rounded(ctx.saved_tensors[0])


class CeilLessOne(Floor):
    rounded = staticmethod(lambda x: x.ceil() - 1)


def test_largest_entries_beside_others_are_not_read():
    proof = prove_gradient(LargestOfColumns.apply, "x: n,n", second=False)
    assert proof.verdict == "undecided"
    assert "do not stand beside" in str(proof)


def test_what_is_rounded_is_constant_but_for_jumps():
    proof = prove_gradient(lambda x: (x - x.round()) ** 2, "x: n", second=False)
    assert proof.verdict == "proved"
    assert "where no number is rounded at a jump" in str(proof)
    assert prove_gradient(Floor.apply, "x: n", second=False).verdict == "refuted"
    assert prove_gradient(CeilLessOne.apply, "x: n", second=False).verdict == "undecided"  # wrong at jumps only


@pytest.mark.slow
def test_a_triangle_is_no_mask_of_the_entries_that_are_not_zero():
    assert prove_gradient(lambda x: (torch.tril(x) @ x.T).sum(), "x: n,n", second=False).verdict == "proved"


def test_a_code_that_keeps_a_state_is_said_to():
    calls = []

    def counts(x):
        calls.append(x)
        return (x * x).sum() * len(calls)

    assert "it keeps a state" in str(prove_gradient(counts, "x: n", second=False))


def test_a_fill_with_a_large_negative_number_ends():
    proof = prove_gradient(
        lambda x, m: x.masked_fill(m, -1e9).logsumexp(-1), "x: n,K; m: mask n,K; K = 2", second=False
    )
    assert proof.verdict == "proved"


def test_a_size_that_is_divided_by_at_one_is_no_crash():
    assert "K >= 2" in str(prove_gradient(lambda x: x.var(-1), "x: n,K", second=False))
