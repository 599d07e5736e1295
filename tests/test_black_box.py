"""What sampling says of functions whose properties are known; planted errors of one part in a million, all found.

The expected properties are theorems: of generalised SoftMax and its neighbours by the classification of all functions
with (P2), of elementwise functions by their derivative, of sparsemax and entmax by their projections.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from softmax_trick.certification.black_box import BlackBoxError, certify_torch, load_function
from softmax_trick.certification.certificate import PROPERTIES, Certificate
from softmax_trick.normalizers import NORMALIZERS

Function = Callable[[Tensor], Tensor]
D = torch.tensor([1, 2, -0.5, 3, 0.25], dtype=torch.float64)
C = torch.tensor([0, 0.3, -1, 2, 0.1], dtype=torch.float64)
ONE_PART = 1e-6


pytestmark = pytest.mark.usefixtures("one_thread")


# --- known functions --------------------------------------------------------------------------------------------------


def softmax(x: Tensor) -> Tensor:
    return x.softmax(-1)


def with_slack(x: Tensor, slack: float) -> Tensor:
    """e^{x_i} / (slack + sum_k e^{x_k}), shifted."""
    top = x.amax(-1, keepdim=True).clamp(min=0)
    powers = (x - top).exp()
    return powers / (slack * (-top).exp() + powers.sum(-1, keepdim=True))


def subset(x: Tensor) -> Tensor:
    return torch.cat([x[..., :3].softmax(-1), 0 * x[..., 3:]], -1)


def sparsemax(x: Tensor) -> Tensor:
    """The projection of the scores onto the simplex."""
    ordered = x.sort(-1, descending=True).values
    place = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    excess = ordered.cumsum(-1) - 1
    size = (place * ordered > excess).sum(-1, keepdim=True)
    return (x - excess.gather(-1, size - 1) / size).clamp(min=0)


def entmax15(x: Tensor) -> Tensor:
    """(x_i / 2 - tau)_+^2, with tau such that they sum to 1, by the formula for sorted scores."""
    x = (x - x.amax(-1, keepdim=True)) / 2
    ordered = x.sort(-1, descending=True).values
    place = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    mean = ordered.cumsum(-1) / place
    spread = (ordered**2).cumsum(-1) - place * mean**2
    tau = mean - ((1 - spread).clamp(min=0) / place).sqrt()
    size = (tau <= ordered).sum(-1, keepdim=True)
    return (x - tau.gather(-1, size - 1)).clamp(min=0) ** 2


def norm(x: Tensor, p: int) -> Tensor:
    return x / (x.abs() ** p).sum(-1, keepdim=True) ** (1 / p)


# In the order of the certificate: defined, differentiable, unity, positive, symmetric_jacobian, softmax_type,
# generalised_softmax, trick, implicit_loss, convex, order_preserving, bounded, lipschitz. T and F; - is undecided.
KNOWN: dict[str, tuple[Function, int, str]] = {
    "softmax": (softmax, 5, "TTTTTTTTTTTTT"),
    "softmax, one class": (softmax, 1, "TTTTTTTTTTTTT"),
    "softmax, two classes": (softmax, 2, "TTTTTTTTTTTTT"),
    "softmax, unshifted": (lambda x: x.exp() / x.exp().sum(-1, keepdim=True), 5, "TTTTTTTTTTTTT"),
    "softmax, temperature": (lambda x: (3 * x).softmax(-1), 5, "TTTTTTTTTTTTT"),
    "softmax, steep": (lambda x: (1e4 * x).softmax(-1), 5, "TTTTTTTTTTTTT"),
    "softmax, of -x": (lambda x: (-x).softmax(-1), 5, "TTTTTTTTTFFTT"),
    "relocated": (lambda x: (x - C).softmax(-1), 5, "TTTTTTTTTTFTT"),
    "dilated and relocated": (lambda x: (D * x - C).softmax(-1), 5, "TTTTFTTTF-FTT"),
    "slack": (lambda x: with_slack(x, 2), 5, "TTFTTTFTTTTTT"),
    "subset": (subset, 5, "TTTFTTFFTTFTT"),
    "constant": (lambda x: torch.full_like(x, 0.3), 5, "TTFTTTFTTTTTT"),
    "uniform": (lambda x: torch.full_like(x, 0.2), 5, "TTTTTTTTTTTTT"),
    "zero": (torch.zeros_like, 5, "TTFFTTFFTTTTT"),
    "sigmoid": (torch.sigmoid, 5, "TTFTTFFFTTTTT"),
    "sigmoid, one class": (torch.sigmoid, 1, "TTFTTTFTTTTTT"),
    "sigmoid, by tanh": (lambda x: (1 + (x / 2).tanh()) / 2, 5, "TTFTTFFFTTTTT"),
    "tanh": (torch.tanh, 5, "TTFFTFFFTTTTT"),
    "tanh, one class": (torch.tanh, 1, "TTFFTFFFTTTTT"),
    "tanh, slow": (lambda x: (x / 1e4).tanh(), 5, "TTFFTFFFTTTTT"),
    "hardtanh": (F.hardtanh, 5, "TFFFTFFFTTTTT"),
    "hardsigmoid": (NORMALIZERS["hardsigmoid"].torch, 5, "TFFFTFFFTTTTT"),
    "clamp off the samples": (lambda x: x.clamp(-0.3, 0.7), 5, "TFFFTFFFTTTTT"),
    "sparsemax": (sparsemax, 5, "TFTFTFFFTTTTT"),
    "entmax 1.5": (entmax15, 5, "TTTFTFFFTTTTT"),
    "permuted softmax": (lambda x: x.softmax(-1).roll(1, -1), 5, "TTTTFFFFF-FTT"),
    "squares": (lambda x: x**2 / (x**2).sum(-1, keepdim=True), 5, "FFFFFFFFF-FFF"),
    "squares and one": (lambda x: (1 + x**2) / (1 + x**2).sum(-1, keepdim=True), 5, "TTTTFFFFF-FTT"),
    "dilation depending on x": (lambda x: (x * (1 + x**2)).softmax(-1), 5, "TTTTFFFFF-TTF"),
    "x / |x|, NaN at 0": (lambda x: norm(x, 2), 5, "FFFFFFFFF-FFF"),
    "normalize": (lambda x: F.normalize(x, dim=-1), 5, "TFFFTFFF--TTF"),
    "x / |x|_3": (lambda x: norm(x, 3), 5, "FFFFFFFFF-FFF"),
    "argmax": (lambda x: F.one_hot(x.argmax(-1), x.shape[-1]), 5, "TFTFTFFF--FTF"),
    "exp": (torch.exp, 5, "TTFTTFFFTTTFF"),
    "x": (lambda x: 1 * x, 5, "TTFFTFFFTTTFT"),
    "x |x|": (lambda x: x * x.abs(), 5, "TTFFTFFFTTTFF"),
    "sign x sqrt |x|": (lambda x: x.sign() * x.abs().sqrt(), 5, "TFFFTFFF--TFF"),
    "log(1 + x^2)": (lambda x: (1 + x**2).log(), 5, "TTFFTFFFTFFFT"),
    "log softmax": (lambda x: x.log_softmax(-1), 5, "TTFFFFFFF-TFT"),
}


def verdicts(found: Certificate) -> str:
    properties = found.properties()
    return "".join({True: "T", False: "F", None: "-"}[properties[name].holds] for name in PROPERTIES)


def at_witness(found: Certificate, name: str) -> Tensor:
    witness = found.properties()[name].witness
    assert witness is not None
    assert found.k is not None
    assert list(witness) == [f"x{n}" for n in range(1, found.k + 1)]
    x = torch.tensor([float(value) for value in witness.values()], dtype=torch.float64)
    assert [Decimal(value) for value in witness.values()] == [Decimal(value) for value in x.tolist()]  # no digit lost
    return x


@pytest.mark.parametrize("name", KNOWN)
def test_known_functions(name: str) -> None:
    function, k, expected = KNOWN[name]
    start = time.perf_counter()
    found = certify_torch(function, k)
    assert time.perf_counter() - start < 5
    assert verdicts(found) == expected
    for name, one in found.properties().items():
        assert one.rung == (None if one.holds is None else "sampled")
        assert one.reason
        if one.holds is False:
            at_witness(found, name)
        else:
            assert one.witness is None
    assert json.loads(json.dumps(found.as_json()))["k"] == k


@settings(deadline=None, derandomize=True, database=None, max_examples=40)
@given(
    # What a dilation of the size of float32's rounding does cannot be told from that.
    st.lists(
        st.tuples(st.floats(-4, 4).filter(lambda d: d == 0 or abs(d) > 1e-3), st.floats(-3, 3)), min_size=1, max_size=6
    ),
    st.sampled_from([0.0, 0.0, 1e-3, 1.0, 40.0]),
)
def test_no_softmax_is_refuted_and_its_numbers_are_right(entries: list[tuple[float, float]], slack: float) -> None:
    d, c = torch.tensor(entries, dtype=torch.float64).T
    found = certify_torch(lambda x: with_slack(d * x - c, slack), len(entries))
    assert verdicts(found)[:4] == ("TTTT" if slack == 0 else "TTFT")
    assert found.softmax_type.holds
    assert found.trick.holds
    assert found.generalised_softmax.holds is (slack == 0)
    extras = found.softmax_type.extras
    assert extras["support"] == [*range(1, len(entries) + 1)]
    if slack or len(entries) > 1:  # otherwise F is 1
        known(extras["dilation"], d.tolist(), digits=5)
        known([extras["slack"]], [slack * float(c[0].exp())], digits=5)  # c_1 = 0 makes it C e^c_1
    known(extras["relocation"], (c - c[0]).tolist(), digits=5)


def known(found: list[str], expected: list[float], digits: int) -> None:
    """Each number is right to one unit in its last place, and has that many decimals."""
    for text, value in zip(found, expected, strict=True):
        number = Decimal(text)
        place = Decimal(1).scaleb(int(number.as_tuple().exponent))
        assert abs(number - Decimal(value)) <= place
        assert text == "0" or place <= Decimal(1).scaleb(-digits)


def test_what_is_fitted() -> None:
    found = certify_torch(KNOWN["dilated and relocated"][0], 5)
    known(found.softmax_type.extras["dilation"], D.tolist(), digits=10)
    known(found.softmax_type.extras["relocation"], C.tolist(), digits=9)
    known(found.generalised_softmax.extras["dilation"], D.tolist(), digits=10)
    known(found.trick.extras["dilation"], D.tolist(), digits=10)
    known([found.softmax_type.extras["slack"]], [0], digits=9)
    assert found.implicit_loss.extras == found.symmetric_jacobian.extras | {"potential": None, "expression": None}

    partial = certify_torch(subset, 5).softmax_type.extras
    assert partial["support"] == [1, 2, 3]
    assert partial["dilation"][3:] == ["0", "0"]
    assert partial["relocation"][3:] == [None, None]


@pytest.mark.parametrize(
    ("name", "constant"),
    [("softmax", 0.5), ("softmax, temperature", 1.5), ("sigmoid", 0.25), ("tanh", 1), ("hardsigmoid", 0.25)],
)
def test_lipschitz_bounds(name: str, constant: float) -> None:
    bound = certify_torch(KNOWN[name][0], 5).lipschitz.extras
    known([bound["bound"]], [constant], digits=6)
    assert bound["exact"] is False


def test_ranges() -> None:
    assert {tuple(map(float, ends)) for ends in certify_torch(F.hardtanh, 2).bounded.extras["range"]} == {(-1, 1)}
    growing = certify_torch(torch.exp, 2).bounded
    assert [(float(low), high) for low, high in growing.extras["range"]] == [(0, None), (0, None)]
    assert "22026.5" in growing.reason


def test_witnesses_are_simple_and_contradict() -> None:
    found = certify_torch(KNOWN["dilation depending on x"][0], 5)
    assert sorted(at_witness(found, "softmax_type").tolist()) == [0, 0, 0, 0, 1]
    assert "d = (4, 1, 1, 1, 1), and d = (1, 1, 1, 1, 1)" in found.softmax_type.reason

    x = at_witness(certify_torch(sparsemax, 5), "positive")
    assert sparsemax(x).min() == 0
    x = at_witness(certify_torch(KNOWN["permuted softmax"][0], 5), "order_preserving")
    y = KNOWN["permuted softmax"][0](x)
    assert any(x[i] >= x[j] and y[i] < y[j] for i in range(5) for j in range(5))
    x = at_witness(certify_torch(KNOWN["clamp off the samples"][0], 5), "differentiable")
    assert set(x.tolist()) & {-0.3, 0.7}
    assert at_witness(certify_torch(lambda x: norm(x, 2), 5), "differentiable").tolist() == [0] * 5

    found = certify_torch(KNOWN["dilated and relocated"][0], 5)
    i, j = (entry - 1 for entry in found.symmetric_jacobian.extras["entry"])
    jacobian = torch.func.jacrev(KNOWN["dilated and relocated"][0])(at_witness(found, "symmetric_jacobian"))
    assert (jacobian[i, j] - jacobian[j, i]).abs() > 0.01


def test_the_same_twice() -> None:
    assert certify_torch(sparsemax, 4) == certify_torch(sparsemax, 4)


# --- planted errors ---------------------------------------------------------------------------------------------------

FIRST = torch.tensor([1, 0, 0, 0, 0], dtype=torch.float64)
TURN = torch.zeros(5, 5, dtype=torch.float64)
TURN[0, 1], TURN[1, 0] = 1, -1

PLANTED: dict[str, tuple[Function, set[str]]] = {
    "every component": (lambda x: softmax(x) * (1 + ONE_PART), {"unity", "generalised_softmax", "softmax_type"}),
    "a factor depending on x": (lambda x: softmax(x) * (1 + ONE_PART * x.tanh()), {"unity", "softmax_type", "trick"}),
    "slack": (lambda x: with_slack(x, ONE_PART), {"unity", "generalised_softmax"}),
    "one dilation": (lambda x: (x * (1 + ONE_PART * FIRST)).softmax(-1), {"symmetric_jacobian", "implicit_loss"}),
    "one relocation": (lambda x: (x + ONE_PART * FIRST).softmax(-1), {"order_preserving"}),
    "dilation depending on x": (lambda x: (x + ONE_PART * x**2).softmax(-1), {"softmax_type", "generalised_softmax"}),
    "a turn": (lambda x: softmax(x) + ONE_PART * x @ TURN.to(x), {"symmetric_jacobian", "implicit_loss"}),
    "a descent": (lambda x: softmax(x) - ONE_PART * x, {"convex"}),
    "a negative": (lambda x: softmax(x) * (1 + 5 * ONE_PART) - ONE_PART, {"positive", "generalised_softmax"}),
    "a kink": (lambda x: softmax(x) + ONE_PART * x.abs(), {"differentiable"}),
    "a jump": (lambda x: softmax(x) + ONE_PART * (x > 0.3), {"differentiable", "lipschitz"}),
    "a slope": (lambda x: x.tanh() + ONE_PART * x, {"bounded"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_one_part_in_a_million_is_found(name: str) -> None:
    function, broken = PLANTED[name]
    found = certify_torch(function, 5).properties()
    assert {name for name in broken if found[name].holds is False} == broken
    original = certify_torch(torch.tanh if name == "a slope" else softmax, 5).properties()
    assert all(original[name].holds for name in broken)


def test_the_errors_of_one_function_do_not_spread() -> None:
    assert verdicts(certify_torch(PLANTED["one dilation"][0], 5)) == "TTTTFTTTF-FTT"
    assert verdicts(certify_torch(PLANTED["slack"][0], 5)) == "TTFTTTFTTTTTT"
    dilation = certify_torch(PLANTED["one dilation"][0], 5).softmax_type.extras["dilation"]
    known(dilation, [1 + ONE_PART, 1, 1, 1, 1], digits=10)


# --- how the Jacobian is found ----------------------------------------------------------------------------------------


class SlightlyWrongBackward(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.softmax(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return y * (grad - (y * grad).sum(-1, keepdim=True)) * (1 + ONE_PART)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.exp() / x.exp().sum(-1, keepdim=True).detach(),
        SlightlyWrongBackward.apply,
        lambda x: SlightlyWrongBackward.apply(x) * 1,
    ],
)
def test_a_wrong_backward_is_not_believed(function: Function) -> None:
    found = certify_torch(function, 5)
    assert verdicts(found) == "TTTTTTTTTTTTT"
    assert "its backward is not its derivative" in found.softmax_type.reason
    known(found.softmax_type.extras["dilation"], [1] * 5, digits=6)


def test_differences_where_there_is_no_autograd() -> None:
    def by_numpy(x: Tensor, dilation: float = 1.0) -> Tensor:
        z = dilation * x.numpy()
        powers = np.exp(z - z.max(-1, keepdims=True))
        return torch.from_numpy(powers / powers.sum(-1, keepdims=True))

    found = certify_torch(by_numpy, 5)
    assert verdicts(found) == "TTTTTTTTTTTTT"
    assert "central differences in float64" in found.softmax_type.reason
    planted = certify_torch(lambda x: by_numpy(x + ONE_PART * x**2), 5)
    assert planted.softmax_type.holds is False
    # So steep that differences see a jump or nothing: no d, and no wrong one either.
    assert certify_torch(lambda x: by_numpy(x, 1e5), 5).softmax_type.holds is None


def test_float32() -> None:
    for function in (lambda x: x.float().softmax(-1), lambda x: x.float().softmax(-1).double()):
        found = certify_torch(function, 5)
        assert verdicts(found) == "TTTTTTTTTTTTT"
        assert "torch.float32" in found.unity.reason
        assert Decimal(found.softmax_type.extras["dilation"][0]) == 1
    broken = certify_torch(lambda x: x.float().softmax(-1) * 1.01, 5)
    assert broken.unity.holds is False
    assert broken.softmax_type.holds is False
    assert certify_torch(lambda x: F.hardtanh(x.float()), 5).differentiable.holds is False


def test_precision_that_a_result_in_float64_hides() -> None:
    """SoftMax in float32 on the way, divided by its sum in float64: no float32 number, and no better than one."""

    def divided(p: Tensor) -> Tensor:
        return p.double() / p.double().sum(-1, keepdim=True)

    for function in (
        lambda x: divided(x.float().softmax(-1)),
        lambda x: divided((3 * x).float().softmax(-1)),
        lambda x: divided(x.softmax(-1).float()),
        lambda x: (
            1 - divided(x.float().softmax(-1))[..., [1, 0]] if x.shape[-1] == 2 else divided(x.float().softmax(-1))
        ),
    ):
        for k in (2, 5):
            found = certify_torch(function, k)
            assert verdicts(found) == "TTTTTTTTTTTTT"
            assert "float32" in found.softmax_type.reason
    planted = certify_torch(lambda x: divided(x.float().softmax(-1)) * 1.001, 5)
    assert planted.unity.holds is False
    with pytest.raises(BlackBoxError, match=r"rounded to torch\.bfloat16"):
        certify_torch(lambda x: divided(x.bfloat16().softmax(-1)), 5)


def test_a_tail_that_is_cut_off_between_10_and_100_is_seen() -> None:
    def cut_off(x: Tensor) -> Tensor:
        y = x.softmax(-1)
        return torch.where(y < 1e-20, 0.0, y)

    assert certify_torch(cut_off, 3).positive.holds is False


def test_the_backward_is_a_property_of_its_own() -> None:
    assert certify_torch(softmax, 3).properties()["backward"].holds is True
    found = certify_torch(lambda x: x.exp() / x.exp().sum(-1, keepdim=True).detach(), 3)
    wrong = found.properties()["backward"]
    assert wrong.holds is False
    assert found.as_json()["backward"]["witness"] == wrong.witness
    by_numpy = certify_torch(lambda x: torch.from_numpy(x.numpy() * 2), 3)
    assert by_numpy.properties()["backward"].holds is None


# --- how it is called -------------------------------------------------------------------------------------------------


def one_row(x: Tensor) -> Tensor:
    assert x.dim() == 1
    return x.softmax(0)


def branching_row(x: Tensor) -> Tensor:
    if x.dim() != 1:
        raise ValueError("one row at a time")
    return x.softmax(0) if x[0] > x[1] else (x - x[1]).softmax(0)


def one_row_in_a_batch(x: Tensor) -> Tensor:
    return x.view(1, -1).softmax(1)


@pytest.mark.parametrize(
    "function", [one_row, branching_row, one_row_in_a_batch, lambda x: x.softmax(0), lambda x: F.softmax(x, dim=1)]
)
def test_rows_and_batches(function: Function) -> None:
    assert verdicts(certify_torch(function, 3)) == "TTTTTTTTTTTTT"


def test_rows_whose_batch_means_something_else_are_named() -> None:
    assert "rows (K,)" in certify_torch(lambda x: x.softmax(0), 3).unity.reason


def raising(x: Tensor) -> Tensor:
    raise KeyError("weights")


def writing(x: Tensor) -> Tensor:
    return x.sub_(x.amax(-1, keepdim=True)).softmax(-1)


class Counting:
    calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x.softmax(-1) * (1 + 1e-9 * self.calls)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raising, "raised KeyError"),
        (writing, "writes to the scores"),
        (lambda x: x.numpy(), "returned a ndarray, not a tensor"),
        (lambda x: x.sum(-1), r"returned shape \(\d+,\)"),
        (lambda x: x.softmax(-1)[..., :-1], "shape"),
        (lambda x: torch.complex(x, x), "a normalizer is real"),
        (lambda x: F.dropout(x.softmax(-1), 0.5), "random"),
        (lambda x: x.softmax(-1) + 1e-9 * torch.rand_like(x), "random"),
        (Counting(), "keeps a state"),
        (lambda x: x.bfloat16().softmax(-1), "too coarse"),
        (lambda x: F.softmax(x - x.mean(dim=0, keepdim=True) * torch.ones(5, 1).double()[:1], dim=1), "other rows"),
        (lambda x: x / 0 - x / 0, "nothing finite"),
    ],
)
def test_what_is_no_function_of_scores(function: Function, message: str) -> None:
    with pytest.raises(BlackBoxError, match=message):
        certify_torch(function, 5)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "5"])
def test_the_number_of_classes(k: Any) -> None:
    with pytest.raises(BlackBoxError, match="K >= 1"):
        certify_torch(softmax, k)


# --- loading ----------------------------------------------------------------------------------------------------------


def test_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_function("torch:sigmoid") is torch.sigmoid
    folder = tmp_path / "my_black_boxes"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "ours.py").write_text("def normalizer(x):\n    return x.softmax(-1)\n\n\nsize = 5\n")
    (folder / "failing.py").write_text("1 / 0\n")
    (folder / "needing.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert load_function("my_black_boxes.ours:normalizer")(torch.zeros(2)).tolist() == [0.5, 0.5]
    for name, message in {
        "my_black_boxes.ours:normaliser": "has no 'normaliser': did you mean normalizer",
        "my_black_boxes.ours:xyz": "has no 'xyz'$",
        "my_black_boxes.ours:size": "not callable: it is of type int",
        "my_black_boxes.failing:f": "raised ZeroDivisionError",
        "my_black_boxes.needing:f": "needs 'no_such_package'",
        "my_black_boxes.other:f": "no module 'my_black_boxes.other' .* is searched too",
        "my_other_boxes.ours:f": "no module 'my_other_boxes' .* is searched too",
        "my_black_boxes/ours.py:normalizer": "no file name",
        "my_black_boxes.ours": "package.module:function",
        ":f": "package.module:function",
        "torch:": "package.module:function",
        "torch:nn:relu": "package.module:function",
    }.items():
        with pytest.raises(BlackBoxError, match=message):
            load_function(name)


def test_a_current_folder_that_is_not_searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BlackBoxError, match="is not searched"):
        load_function("no_such_module_here:f")
