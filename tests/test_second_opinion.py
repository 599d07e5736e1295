"""z3 as a second opinion: it agrees with the exact decision, and a difference between the two is an error."""

from __future__ import annotations

import pytest
import sympy as sp

from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.run import Ledger
from softmax_trick.symbolic import EVERY_K, decide, decision, gradient, index, jacobian, normal_form, sign, softmax
from softmax_trick.symbolic.second_opinion import decide_by_z3, sign_by_z3

a, b, c = sp.symbols("a b c", real=True)
p, q = sp.symbols("p q", positive=True)
X, D = EVERY_K.vector("x"), EVERY_K.vector("d")
Y = softmax(D * X)
i, j = index("i"), index("j")

ZERO = {
    "fraction": a / (a + b) + b / (a + b) - 1,
    "exponentials": sp.exp(a + b) - sp.exp(a) * sp.exp(b),
    "half exponents": sp.exp(a / 2) ** 2 - sp.exp(a),
    "negative exponents": sp.exp(-a) * sp.exp(2 * a) - sp.exp(a),
    "hyperbolic": sp.cosh(a) ** 2 - sp.sinh(a) ** 2 - 1,
    "logarithms": sp.log(p * q) - sp.log(p) - sp.log(q),
    "sums": X.sum() - X.sum(),
    "unity": softmax(X).sum() - 1,
    "Jacobian": jacobian(Y, X)[i, j] - Y[i] * (sp.KroneckerDelta(i, j) - Y[j]) * D[j],
    "gradient": (gradient(sp.log(X.map(sp.exp).sum()), X) - softmax(X))[i],
}
NOT_ZERO = {
    "sign": a / (a + b) - b / (a + b),
    "exponentials": sp.exp(a + b) - sp.exp(a) - sp.exp(b),
    "half exponents": sp.exp(a / 2) - sp.exp(a),
    "factor": 2 * softmax(X).sum() - 1,
    "dilation on the wrong side": jacobian(Y, X)[i, j] - Y[i] * (sp.KroneckerDelta(i, j) - Y[j]) * D[i],
}


@pytest.mark.parametrize("name", ZERO)
def test_zero(name):
    assert decide(ZERO[name]).status == "zero"
    decision = decide_by_z3(ZERO[name])
    assert decision.status == "zero"
    assert any("unsatisfiable" in step for step in decision.reduction)


@pytest.mark.parametrize("name", NOT_ZERO)
def test_not_zero(name):
    assert decide(NOT_ZERO[name]).status == "nonzero"
    assert decide_by_z3(NOT_ZERO[name]).status == "nonzero"


def test_a_given_sum_is_used():
    t = EVERY_K.vector("t")
    assert decide_by_z3(t.sum() - 1).status == "nonzero"
    assert decide_by_z3(t.sum() - 1, {t.sum(): sp.S.One}).status == "zero"


def test_values_of_several_sums_prove_nothing():
    """z3 does not know that the two sums are the same after a cancellation inside."""
    one = (X * D / D).map(lambda entry: (entry + 1) ** 2).sum()
    other = X.map(lambda entry: entry**2 + 2 * entry + 1).sum()
    assert decide_by_z3(one - other).status in ("zero", "undecided")
    assert decide_by_z3(X.sum() - D.sum()).status == "undecided"


def test_values_of_logarithms_prove_nothing():
    """z3 does not know that log 8 is 3 log 2; it must not say that they differ."""
    assert decide_by_z3(sp.log(a**2 + 1) - sp.log(b**2 + 1)).status == "undecided"
    assert decide_by_z3(sp.sqrt(p * q) - sp.sqrt(p) * sp.sqrt(q) + sp.sin(a)).status == "undecided"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (p / (p + q), "positive"),
        (1 - p / (p + q), "positive"),
        (sp.log(1 + p), "positive"),
        (a**2, "nonnegative"),
        (a**2 - 2 * a * b + b**2, "nonnegative"),
        (a, None),
        (p - q, None),
        (-p, None),
        (softmax(X)[1], "positive"),
        (1 - softmax(X, slack=1).sum(), "positive"),
    ],
)
def test_sign(expression, expected):
    assert sign_by_z3(expression) == expected
    assert sign(expression) in (expected, None)  # never a contradiction


@pytest.mark.parametrize(
    ("expression", "where", "expected"),
    [
        (a - b, (a > b,), "positive"),
        (a - b, (a >= b,), "nonnegative"),
        (a - b, (a >= b + 1, c > 0), "positive"),
        (a, (sp.Or(a > 1, a > 2), sp.Ne(a, 3)), "positive"),
        (a, (sp.Or(a > 1, a < -2),), None),
        (a, (sp.And(a > 1, b > 2),), "positive"),
        (a, (sp.Not(sp.And(a <= 0, b > 2)), b > 2), "positive"),
        (1 - sp.exp(a), (a < 0,), "positive"),
        (1 - sp.exp(a), (a > 0,), None),
        (sp.S.NegativeOne, (a > 1, a < 0), "positive"),  # nowhere, so anything holds there
    ],
)
def test_sign_under_conditions(expression, where, expected):
    assert sign_by_z3(expression, where) == expected


@pytest.mark.parametrize("name", ["T1.4a", "A1.1-2", "A1.3-2", "A1c", "A1r.unity"])
def test_z3_confirms_the_theorems(ledger, name):
    engines = {item.engine: item for item in ledger.result(name).evidence}
    assert engines["z3"].outcome == "holds"
    assert len(engines["z3"].steps) == len(engines["index calculus"].steps)


def test_an_error_in_the_normal_form_shows_as_a_disagreement(monkeypatch):
    """Planted: the library's own decision takes every numerator for zero. z3 does not, nor the replay, if there is one.

    Without the replay z3 alone notices; with it, the general engine ends in an error.
    """
    monkeypatch.setattr(normal_form.__globals__["NormalForm"], "is_zero", lambda self: True)

    def wrong(proof):
        x = proof.vector("x")
        proof.statement("x_i = 2 x_i", x, x * 2)

    claim = Claim(id="X.wrong", title="planted", statement="planted", source="planted", proof=wrong)
    assert "the replay has" in Ledger({claim.id: claim}).result(claim.id).judgement.reason
    monkeypatch.setattr(decision, "confirm", lambda *_: "")
    result = Ledger({claim.id: claim}).result(claim.id)
    assert result.verdict is Verdict.UNDECIDED
    assert "the engines disagree" in result.judgement.reason
    assert "z3" in result.judgement.reason
