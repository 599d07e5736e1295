"""Each checker is shown the error that it is there for, and must catch it.

An error is planted in a formula of a proof, in a step, in a hypothesis or in the torch side; the engine that the error
concerns must then say "fails" or "open", and the claim must not come out as it did.
"""

from __future__ import annotations

import pytest
import sympy as sp
import torch

from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.run import Ledger
from softmax_trick.ledger.steps import Open, Refuted
from softmax_trick.proofs import sampled, theorem_1, theorem_a1
from softmax_trick.symbolic import (
    EVERY_K,
    GivenK,
    Matrix,
    contraction,
    diag,
    outer,
    softmax,
)

BOTH = [EVERY_K, GivenK(3)]


def run(proof, classes):
    with pytest.raises((Open, Refuted)) as caught:
        proof(Proof(classes))
    return str(caught.value)


# --- an error in a formula: caught for symbolic and for given K -------------------------------------------------------

FORMULAS = {
    "missing D_d": (theorem_a1, "softmax_type", lambda y, d: diag(y) - outer(y, y), theorem_a1.p1_implies_p2),
    "D_d on the left": (
        theorem_a1,
        "softmax_type",
        lambda y, d: diag(d) @ (diag(y) - outer(y, y)),
        theorem_a1.p1_implies_p2,
    ),
    "missing transpose": (theorem_a1, "trick", lambda j, t, y: j @ (-t / y), theorem_a1.p2_implies_p3_repaired),
    "error without d": (theorem_a1, "dilated_error", lambda t, y, d: y - t, theorem_a1.p2_implies_p3_repaired),
    "sign of the trick": (theorem_a1, "trick", lambda j, t, y: j.T @ (t / y), theorem_a1.p3_implies_p2),
    "missing y_i, as the print has it": (
        theorem_a1,
        "softmax_type",
        lambda y, d: Matrix(y.classes, lambda i, j: (sp.KroneckerDelta(i, j) - y[i]) * d[j]),
        theorem_a1.p3_implies_p2,
    ),
    "a_i forgotten in w": (
        theorem_a1,
        "family",
        lambda x, a, d, C: (a * (d * x).map(sp.exp) / (C + (d * x).map(sp.exp).sum()), C),
        theorem_a1.classification,
    ),
    "slack forgotten": (
        theorem_a1,
        "family",
        lambda x, a, d, C: (a * (d * x).map(sp.exp) / (a * (d * x).map(sp.exp)).sum(), C),
        theorem_a1.p2_implies_p1_repaired,
    ),
}


@pytest.mark.parametrize("classes", BOTH, ids=str)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_wrong_formula_is_caught(monkeypatch, name, classes):
    module, formula, wrong, proof = FORMULAS[name]
    monkeypatch.setattr(module, formula, wrong)
    assert run(proof, classes)


# --- a dropped hypothesis ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", BOTH, ids=str)
def test_a_dropped_hypothesis_is_caught(classes):
    """SoftCE has the gradient y - t only where sum t = 1; (A3) follows from (A2) only there."""

    def without_sum(p):
        y, d, t = p.vector("y"), p.vector("d"), p.vector("t")
        jacobian = theorem_a1.softmax_type(y, d)
        p.statement("(A3) for any t", theorem_a1.trick(jacobian, t, y), theorem_a1.dilated_error(t, y, d))

    with pytest.raises(Refuted) as caught:
        without_sum(Proof(classes))
    assert caught.value.witness


@pytest.mark.parametrize("classes", BOTH, ids=str)
def test_a_dropped_unity_is_caught(classes):
    """(P2) -> (P1) without unity: the family with slack is no SoftMax."""

    def without_unity(p):
        x, d, c = p.vector("x"), p.vector("d"), p.vector("c")
        a = c.map(lambda entry: sp.exp(-entry))
        member, _ = theorem_a1.family(x, a, d, sp.Symbol("C", positive=True))
        p.statement("the family is SoftMax(d * x - c)", member, softmax(d * x - c))

    with pytest.raises(Refuted):
        without_unity(Proof(classes))


# --- a counterexample that is none ------------------------------------------------------------------------------------


def test_a_false_counterexample_to_2_1_is_caught(monkeypatch):
    """Planted: no slack. SoftMax is a generalised SoftMax, and the claim must not be called refuted."""
    monkeypatch.setattr(theorem_a1, "softmax", lambda x, slack=0: softmax(x))
    result = Ledger().result("A1.2-1")
    assert result.verdict is Verdict.UNDECIDED


def test_a_false_counterexample_to_2_3_is_caught(monkeypatch):
    """Planted: both targets on the simplex, where (A3) holds with d = 1."""
    monkeypatch.setattr(GivenK, "constant", lambda self, value: self.unit(2))
    with pytest.raises(Open, match="no d in R"):
        theorem_a1.p2_implies_p3_counterexample(Proof(GivenK(2)))


def test_a_false_counterexample_to_the_range_of_softce_is_caught(monkeypatch):
    """Planted: a temperature of 10, at which SoftCE is below 1 at the point."""
    monkeypatch.setattr(theorem_1, "BEYOND_ONE", theorem_1.BEYOND_ONE.replace("log(8)", "log(8)/10"))
    assert Ledger().result("T1.4d").verdict is Verdict.UNDECIDED


# --- ranges: a wrong preimage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "claim"), [("VALUE_OF_CE", "T1.3"), ("VALUE_OF_GRADIENT", "T1.4dr")])
def test_a_wrong_preimage_is_caught(monkeypatch, name, claim):
    """Planted: predictions and scores at which CE and the gradient do not take the values claimed."""
    monkeypatch.setattr(theorem_1, name, getattr(theorem_1, name).replace("(K - 1)", "K"))
    assert Ledger().result(claim).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("classes", BOTH, ids=str)
def test_a_wrong_sign_is_caught(classes):
    """Steps on signs: of what may be negative, of what may be 0, of the logarithm of what may be below 1."""
    odds, weight = sp.Symbol("p", positive=True), sp.Symbol("t", nonnegative=True)
    proof = Proof(classes)
    proof.positive("a SoftMax", softmax(proof.vector("x"))[1])
    proof.nonnegative("a weighted logarithm", weight * sp.log(1 + odds))
    for wrong in (odds - 1, weight * odds, sp.log(odds), -softmax(proof.vector("x"))[1]):
        with pytest.raises(Open, match="not established"):
            proof.positive("not positive", wrong)
    with pytest.raises(Open, match="not established"):
        proof.nonnegative("not known to be nonnegative", weight - odds)
    assert len(proof.steps) == 2


# --- the existence claims ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["positivity_is_needed", "unity_is_needed", "sum_of_targets_is_needed"])
def test_a_wrong_error_is_caught_in_existence_claims(monkeypatch, name):
    monkeypatch.setattr(theorem_a1, "dilated_error", lambda t, y, d: d * (y + t) + 1)
    for classes in BOTH:
        assert run(getattr(theorem_a1, name), classes)


# --- the engines ------------------------------------------------------------------------------------------------------


def test_an_error_in_the_index_calculus_shows_as_a_disagreement(monkeypatch):
    """Planted: the sum of a term that is free of the index loses its factor K. Explicit algebra does not agree."""
    monkeypatch.setattr(contraction, "K", sp.S.One)
    monkeypatch.setattr(contraction, "_contracted", contraction._contracted.__wrapped__)
    result = Ledger().result("A1r.targets")
    assert result.verdict is Verdict.UNDECIDED
    assert [item.outcome for item in result.evidence[:2]] == ["open", "holds"]


def test_an_error_in_explicit_algebra_shows_as_a_disagreement(monkeypatch):
    """Planted: explicit sums that stop one class short."""
    monkeypatch.setattr(
        GivenK, "sum", lambda self, term: sp.Add(*(term(sp.Integer(k)) for k in range(1, max(self.classes, 2))))
    )
    result = Ledger().result("T1.4a")
    assert result.verdict is Verdict.UNDECIDED
    outcomes = {item.engine: item.outcome for item in result.evidence}
    assert outcomes.pop("explicit algebra") == "open"
    assert set(outcomes.values()) == {"holds"}


TORCH_ERRORS = {
    "_softmax_type without d": ("_softmax_type", lambda y, d: y.diag() - y.outer(y), "A1.1-2"),
    "_softmax_type with D_d on the left": ("_softmax_type", lambda y, d: ((y.diag() - y.outer(y)) * d).T, "A1.1-2"),
    "_softmax_type with a wrong sign": ("_softmax_type", lambda y, d: (y.diag() + y.outer(y)) * d, "A1c"),
    "CE without its sign": ("_cross_entropy", lambda t, y: (t * y.log()).sum(), "T1.3"),
    "CE with base 2": ("_cross_entropy", lambda t, y: -(t * y.log2()).sum(), "T1.3"),
    "targets that do not sum to one": (
        "distribution",
        lambda g, k: torch.rand(k, generator=g, dtype=torch.float64),
        "T1.4c",
    ),
    "targets that do not sum to one (A1)": (
        "distribution",
        lambda g, k: torch.rand(k, generator=g, dtype=torch.float64) + 0.1,
        "A1.2-3r",
    ),
}


@pytest.mark.parametrize("name", TORCH_ERRORS)
def test_an_error_on_the_torch_side_is_caught(monkeypatch, name):
    function, wrong, claim = TORCH_ERRORS[name]
    assert sampled.disagreement(claim) is None
    monkeypatch.setattr(sampled, function, wrong)
    assert sampled.disagreement(claim)


@pytest.mark.parametrize("claim", sampled.SAMPLED)
def test_every_sampled_test_notices_a_small_error(monkeypatch, claim):
    """Planted: one side of each test off by one part in a million."""
    test, fewest = sampled.SAMPLED[claim]

    def off(generator, classes):
        left, right = test(generator, classes)
        return left * (1 + 1e-6) + 1e-6, right

    monkeypatch.setitem(sampled.SAMPLED, claim, (off, fewest))
    assert sampled.disagreement(claim)
