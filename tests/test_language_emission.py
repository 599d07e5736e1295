"""`derive --emit`: what is written is run by its own test and against Arb; planted errors; what is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
import torch

from softmax_trick.cli import main
from softmax_trick.derivation.derivation import Derivation, derive
from softmax_trick.emission import array_code, frameworks
from softmax_trick.emission.array_code import Unemittable
from softmax_trick.emission.generated_test import emit_test, points
from softmax_trick.emission.module import emit, prepared
from softmax_trick.emission.stable_forms import stable
from softmax_trick.language.expression import Derivative, Variable, hessian
from softmax_trick.language.grammar import parse, read
from softmax_trick.readings.enclosure import enclose
from softmax_trick.readings.pointwise import Point
from softmax_trick.testing import check_loss

ROOT = Path(__file__).parents[1]


def rows(name):
    lines = (ROOT / "tests" / "data" / name).read_text().splitlines()
    return [line.split("\t") for line in lines if line and line[0] != "#"]


FORMULAS = {name: (formula, by, let) for name, formula, by, let, *_ in rows("derive.tsv")}
# What the statements that are decided differentiate.
FROM_STATEMENTS = ["balanced", "weights.label", "focal3", "slack", "brier", "kl.reverse", "mixup"]
MORE = {
    "attention": ("softmax(Q@Y.T/sqrt(D), M)@V", "Q", "Q: N,D; Y: M,D; V: M,E; P = softmax(Q@Y.T/sqrt(D), M)"),
    "normal": ("sum(gelu(x)) + sum(t*erf(x))", "x", "x: K; t: K"),
    "swiglu": ("silu(W@x)*(V@x)", "x", "W: H,D; V: H,D; x: D"),
    "dpo": ("-log(sigmoid(beta*(a - b)))", "a", "a: real; b: real; beta: positive"),
    "huber": ("sum(where(abs(r) < d, r**2/2, d*(abs(r) - d/2)))", "r", "r: K; d: positive"),
    "entries": ("-sum[k:K] t[k]*log(softmax(x)[k])", "x", "x: K; t: K"),
    "linear": ("a*sum(x)", "x", "x: K"),
    "tanh": ("sum[i:K, j:K] A[i,j]*tanh(x[i]*x[j])", "x", "x: K; A: K,K"),
    "contrastive": (
        "-log(exp(dot(q, k)/tau)/(exp(dot(q, k)/tau) + sum(exp(Z@q/tau))))",
        "q",
        "q: D; k: D; Z: N,D; tau: positive",
    ),
    "few points": ("log_softmax(expm1(h) - sqrt(h))", "h", "h: K"),
    "names": ("F*sum(value*torch**2)", "torch", "value: K; torch: K"),
    "spread": ("[i:N, j:K] x[i]*v[j]", "x", "x: N; v: K"),
    "max": ("log(sum(exp(x - max(x)))) + max(x) - x[c]", "x", "x: K; c: label K"),
}


def statement(name):
    left, let = next((row[1], row[3]) for row in rows("statements.tsv") if row[0] == name)
    inner = parse(left, let)
    assert isinstance(inner, Derivative)
    return inner.function, inner.by, read(left, let=let).definitions


@cache
def derived(name: str) -> Derivation:
    if name in FROM_STATEMENTS:
        function, by, definitions = statement(name)
    else:
        formula, by_name, let = {**FORMULAS, **MORE}[name]
        found = read(formula, by_name, let=let)
        (function, by), definitions = found.expressions, found.definitions
    return derive(function, cast(Variable, by), names=definitions, facts=False)


def loaded(text: str, name: str) -> Any:
    module = ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
    return module


def run_its_test(name: str, framework: str, change: Callable[[str], str] = str) -> None:
    """The module, checked by the test that is emitted with it."""
    torch.manual_seed(0)
    module = f"emitted_{framework}"
    sys.modules[module] = loaded(change(emit(derived(name), framework)), module)
    try:
        test = loaded(emit_test(derived(name), framework, module), "test")
        for point in test.POINTS:
            test.test_exact_values(point)
        test.test_batches()
        if framework != "numpy":
            test.test_first_and_second_derivatives_against_differences()
    finally:
        del sys.modules[module]


EVERY = [*FORMULAS, *FROM_STATEMENTS, *MORE]


@pytest.mark.parametrize("framework", ["torch", "numpy"])
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_what_is_emitted_passes_its_test(name, framework):
    run_its_test(name, framework)


@pytest.mark.parametrize("name", EVERY)
def test_jax(name):
    text = emit(derived(name), "jax")
    compile(text, name, "exec")
    if os.environ.get("SOFTMAX_TRICK_PEERS") or name == "ce.mass":  # all of them in the job for peers
        pytest.importorskip("jax")
        run_its_test(name, "jax")


@pytest.mark.parametrize("name", ["ce.mass", "zloss", "entropy", "head.hidden", "layernorm.vjp", "focal3", "dpo"])
def test_second_derivatives_against_arb(name):
    found = derived(name)
    emission = prepared(found)
    point = next(points(emission))
    inputs = [torch.tensor(point[name]) for name in emission.named(emission.inputs)]
    x, *others = (u.double() if u.is_floating_point() else u for u in inputs)
    hess = torch.autograd.functional.hessian(lambda x: loaded_value(name)(x, *others), x)
    exact = hessian(found.value, found.by)
    sizes = {
        axis: u.shape[place]
        for one, u in zip(emission.inputs, inputs, strict=True)
        for place, axis in enumerate(one.axes)
    }
    labels = {one.name for one in emission.labels}
    values = {
        one.name: _counted(u.tolist()) if one.name in labels else u.double().tolist()
        for one, u in zip(emission.inputs, [x, *others], strict=True)
    }
    at = Point(sizes, _exact(values, labels))
    for place in np.ndindex(*hess.shape):
        ball = enclose(exact, at, tuple(k + 1 for k in place))
        assert abs(float(hess[place]) - float(ball.mid())) < 1e-11


@cache
def loaded_value(name):
    return loaded(emit(derived(name), "torch"), name).value


def _counted(entry):
    return [_counted(one) for one in entry] if isinstance(entry, list) else entry + 1


def _exact(entry, labels=frozenset()):
    if isinstance(entry, dict):
        return {name: one if name in labels else _exact(one) for name, one in entry.items()}
    return [_exact(one) for one in entry] if isinstance(entry, list) else Fraction(entry)


@pytest.mark.slow
def test_the_emitted_loss_passes_check_loss():
    value = loaded_value("ce.label")
    assert not check_loss(lambda x, c: value(x, c).sum(), reduction="sum").refused


# --- planted errors ---------------------------------------------------------------------------------------------------


def planted(monkeypatch, table, entry, text, framework="torch"):
    right = frameworks.FRAMEWORKS[framework]
    wrong = replace(right, **{table: getattr(right, table) | {entry: text}})
    monkeypatch.setitem(frameworks.FRAMEWORKS, framework, wrong)


@pytest.mark.parametrize(
    ("name", "framework", "table", "entry", "text"),
    [
        ("dpo", "torch", "functions", "log_sigmoid", "-F.logsigmoid({0})"),
        ("ce.label", "torch", "named", "logsumexp", "torch.log(torch.exp({0}).sum({axis}))"),
        ("lse.hessian", "torch", "named", "softmax", "torch.softmax({0}.detach(), {axis})"),
        ("ce.label", "torch", "others", "onehot", "F.one_hot({0} * 0, {1}).to({x}.dtype)"),
        ("softcap", "numpy", "functions", "tanh", "np.sin({0})"),
        ("lse.hessian", "numpy", "named", "softmax", "np.exp({0})"),
        ("bce", "numpy", "functions", "softplus", "np.log(1 + np.exp({0}))"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_wrong_entry_of_a_table_is_found(monkeypatch, name, framework, table, entry, text):
    planted(monkeypatch, table, entry, text, framework)
    with pytest.raises((AssertionError, RuntimeError)):
        run_its_test(name, framework)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("ce.mass", "(x, -1) - t", "(x, -1) + t"),
        ("ce.mass", "g[..., None] * gradient", "gradient"),
        ("temperature", "x / tau[..., None]", "x / tau"),
        ("batch.mean", "-1", "-2"),
    ],
)
def test_a_wrong_piece_of_code_is_found(name, right, wrong):
    assert right in emit(derived(name), "torch")
    with pytest.raises((AssertionError, RuntimeError, IndexError)):
        run_its_test(name, "torch", lambda text: text.replace(right, wrong))


def test_a_wrong_sign_of_arithmetic_is_found(monkeypatch):
    monkeypatch.setitem(array_code._INFIX, "subtract", ("+", array_code.SUM))
    with pytest.raises(AssertionError):
        run_its_test("bce", "torch")


# --- the code ---------------------------------------------------------------------------------------------------------

LET = "x: K; t: K; n: K positive; c: label K; C: positive; s = sigmoid(x); p = softmax(x)[c]; W: K,K"
STABLE = {
    "log(p)": "log_softmax(x)[c]",
    "log(sum(n*exp(x)))": "logsumexp(log(n) + x)",
    "log(sum(t*exp(x)))": "log(sum(t*exp(x)))",  # t may be negative
    "n*exp(x)/dot(n, exp(x))": "softmax(log(n) + x)",
    "exp(x)/(C + sum(exp(x)))": "softmax(x, slack=C)",
    "log(1 - s)": "log_sigmoid(-x)",
    "log(1 + sum(exp(x)))": "softplus(logsumexp(x))",
    "log(exp(x) + 1)": "softplus(x)",
    "log(exp(x)[c]/sum(exp(x)))": "x[c] - logsumexp(x)",
    "exp(x) - 1": "expm1(x)",
    "log(1 + n)": "log1p(n)",
    "W@W.T@diag(t)@x": "W @ (W.T @ (t*x))",
    "sum(t*exp(x))/sum(exp(x))": "sum(t*exp(x - spread(logsumexp(x), K)))",
    "t/(1 + exp(x)**2)": "t*sigmoid(-(2*x))",
    "exp(x) @ W/sum(exp(x))": "softmax(x) @ W",
    "exp(x)**2/(1 + exp(x))**2": "exp(2*x - 2*softplus(x))",
    "log(mean(exp(x)))": "logsumexp(x) - log(K)",
    "ce(t, softmax(x))": "-sum(t*log_softmax(x))",
}


@pytest.mark.parametrize("text", STABLE)
def test_stable_forms(text):
    assert str(stable(parse(text, LET))) == STABLE[text]


def test_it_saves_no_more_than_the_gradient_needs():
    assert "ctx.save_for_backward(t)" in emit(derive_("sum(t*x) + sum(u*u)", "x", "x: K; t: K; u: K"), "torch")
    assert "ctx.save_for_backward(x, c)" in emit(derived("ce.label"), "torch")


def derive_(formula, by, let):
    found = read(formula, by, let=let)
    function, variable = found.expressions
    return derive(function, cast(Variable, variable), names=found.definitions, facts=False, sizes=found.sizes)


def test_float32_stays_float32():
    for name in ("ce.mass", "smoothing", "huber", "batch.mean"):
        emission = prepared(derived(name))
        point = next(points(emission))
        labels = {one.name for one in emission.labels}
        inputs = [np.array(point[one.name], int if one.name in labels else np.float32) for one in emission.inputs]
        value, gradient = loaded(emit(derived(name), "numpy"), name).value_and_gradient(*inputs)
        assert value.dtype == gradient.dtype == np.float32
        x, *others = map(torch.from_numpy, inputs)
        found = loaded_value(name)(x.requires_grad_(), *others)
        assert found.dtype == torch.autograd.grad(found, x)[0].dtype == torch.float32


def test_what_was_not_derived_is_refused():
    x, t = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="only the gradient by x was derived: detach t"):
        loaded_value("ce.mass")(x, t)
    assert loaded_value("ce.mass")(x, t.detach()).requires_grad


def test_given_sizes_are_asked_for():
    found = derive_("sum(x*x)/K", "x", "x: K; K = 3")
    for framework, array in (("torch", torch.ones), ("numpy", np.ones)):
        value = loaded(emit(found, framework, {"K": 3}), framework).value
        assert float(value(array(3))) == 1
        with pytest.raises(ValueError, match="K is 3 in the formula"):
            value(array(2))


def test_labels_out_of_range_are_refused():
    value = loaded(emit(derived("ce.label"), "numpy"), "numpy").value
    for label in (-1, 3, 0.5):
        with pytest.raises(IndexError, match="labels are integers from 0 to 2"):
            value(np.zeros(3), label)


@pytest.mark.parametrize(
    ("formula", "let", "message"),
    [
        ("max(x)", "x: K", "no code without a proof"),
        ("sum[k:K] 0*x[k]", "x: K", "does not depend on x"),
        ("x[1]**2", "x: K", "has no array form"),
        ("sum(rows(x, D))", "x: K", "no variable has the axis D"),
    ],
)
def test_what_cannot_be_emitted(formula, let, message):
    found = derive_(formula, "x", let)
    with pytest.raises(Unemittable, match=message):
        emit(found, "torch")


# --- the command and the page -----------------------------------------------------------------------------------------

CE = ["derive", "logsumexp(x) - x[c]", "--by", "x"]


def test_the_command_prints_the_module(capsys):
    assert main([*CE, "--emit", "numpy"]) == 0
    assert loaded(capsys.readouterr().out, "numpy").value([0.0, 0.0], 1) == np.log(2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*CE, "--out", "f.py"], "add --emit"),
        ([*CE, "--emit", "torch", "--test", "test_f.py"], "say with --out"),
        ([*CE, "--emit", "torch", "--out", "a-b.py", "--test", "test_f.py"], "no name of a module"),
        ([*CE, "--emit", "torch", "--out", "f.py", "--test", "f.py"], "the same file"),
        ([*CE, "--emit", "torch", "--json", "-"], "only one output"),
        (["derive", "x[i]", "--by", "x", "--let", "i: index K", "--emit", "torch"], "the index i is free"),
    ],
)
def test_wrong_usage_writes_nothing(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_a_proof_nothing_is_written(capsys, tmp_path):
    assert main(["derive", "max(x)", "--by", "x", "--emit", "torch", "--out", str(tmp_path / "f.py")]) == 3
    assert "undecided" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
