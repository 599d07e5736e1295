"""Each checker is shown the error that it is there for, and must catch it.

An error is planted in a formula of a proof, in a step, in a hypothesis or in the torch side; the engine that the error
concerns must then say "fails" or "open", and the claim must not come out as it did.
"""

from __future__ import annotations

import planting
import pytest
import sympy as sp
import torch

from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.run import Ledger
from softmax_trick.ledger.steps import Open, Refuted
from softmax_trick.proofs import CLAIMS, relocations, sampled, theorem_1, theorem_a1, theorem_a1_steps
from softmax_trick.symbolic import (
    EVERY_K,
    GivenK,
    contraction,
    softmax,
)

BOTH = [EVERY_K, GivenK(3)]


def run(proof, classes):
    with pytest.raises((Open, Refuted)) as caught:
        proof(Proof(classes))
    return str(caught.value)


# --- an error in a formula: caught for symbolic and for given K -------------------------------------------------------

FORMULAS = {
    "missing D_d": ("A1.1-2", " @ diag(d)", ""),
    "D_d on the left": ("A1.1-2", theorem_a1.DILATED, "diag(d) @ (diag(y) - outer(y, y))"),
    "missing transpose": ("A1.2-3r", "J.T @", "J @"),
    "error without d": ("A1.2-3r", "d*(y - t)", "y - t"),
    "sign of the trick": ("A1.2-3r", "-t/y", "t/y"),
    "sum of the targets": ("A1.2-3r", "sum(t) == 1 implies ", ""),
    "missing y_i, as the print has it": ("A1.3-2", "outer(y, y)", "outer(ones(K), y)"),
    "a_i forgotten in w": ("A1c", "sum(a*exp(d*x))", "sum(exp(d*x))"),
    "slack forgotten": ("A1.2-1r", "softmax(d*x - c)", "softmax(d*x - c, slack=1)"),
    "unity dropped": ("A1.2-1r", " and sum(y) == 1)", ")"),
    "positivity dropped": ("A1.2-1r", "y > 0 and ", ""),
    "a wrong error, where positivity lacks": ("A1r.positivity", "d*(y - t)", "d*(y + t) + 1"),
    "a wrong error, where unity lacks": ("A1r.unity", "d*(y - t)", "d*(y + t) + 1"),
    "d squared": ("A1.1-2.general", "d[i]", "d[i]**2"),
    "d on the rows": ("A1.3-2.broadcast", "cols(d)", "rows(d)"),
    "an index of the swap": ("A1.3-2.swap-r", "- y[j]", "- y[i]"),
    "slack forgotten in the family": ("X.family.unity", "C + ", ""),
    "a shift of c that is not free": ("X.family.unique", "softmax(d*x - c)", "softmax(d*x - c, slack=1)"),
    "SoftMax at twice the scores": ("X.trick.any-sum", "softmax(x)", "softmax(2*x)"),
    "the dilation of the trick": ("X.trick.dilated-any-sum", "softmax(d*x - c)", "softmax(2*d*x - c)"),
    "weights forgotten in the sum": ("X.relocation.balanced-softmax", "sum(n*exp(x))", "sum(exp(x))"),
    "the power of the priors": ("X.relocation.logit-adjustment", "sum(pi**tau*exp(x))", "sum(pi*exp(x))"),
    "the sign of the relocation": ("X.relocation.vs-loss", "-iota", "iota"),
    "the bias of the scaling": ("X.relocation.vector-scaling", "c = -b", "c = b"),
    "blurred over K instead of K - 1": ("X.blurring", "mu/(K - 1)*(1 - e)", "mu/K*(1 - e)"),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_wrong_formula_is_caught(name):
    """By the canonical form, by SymPy's core in symbolic and in explicit K; nobody says that it holds."""
    found = planting.result(*FORMULAS[name])
    assert found.verdict is not Verdict.PROVED
    outcomes = {item.engine: item.outcome for item in found.evidence}
    assert "holds" not in {outcomes[engine] for engine in ("index calculus", "explicit algebra", "canonical form")}


# --- an error in a step -----------------------------------------------------------------------------------------------

STEPS = [
    pytest.param(claim, number, id=f"{claim.id}-{number}")
    for claim in (*theorem_a1.CLAIMS, *theorem_a1_steps.CLAIMS, *relocations.CLAIMS)
    if (proof := claim.proof or claim.counterexample)
    for number in range(planting.steps(proof))
]


@pytest.mark.parametrize(("claim", "number"), STEPS)
def test_a_wrong_step_is_caught(monkeypatch, claim, number):
    planting.at_step(monkeypatch, number)
    with pytest.raises(Open):
        (claim.proof or claim.counterexample)(Proof(GivenK(2), fewest=2, claim=claim))


# --- a counterexample that is none ------------------------------------------------------------------------------------


def by_steps(name):
    """What the steps of a counterexample come to."""
    return next(one for one in Ledger(CLAIMS).result(name).evidence if one.engine == "explicit algebra")


def test_a_false_counterexample_to_2_1_is_caught(monkeypatch):
    """Planted: no slack. SoftMax is a generalised SoftMax, and refutes nothing (what the claim puts in still does)."""
    monkeypatch.setattr(theorem_a1, "SLACK", "softmax(x)")
    assert by_steps("A1.2-1").outcome == "open"


def test_a_false_counterexample_to_2_3_is_caught(monkeypatch):
    """Planted: both targets on the simplex, where (A3) holds with d = 1."""
    planting.in_steps(monkeypatch, "t = ones(K)", "t = [k:K] delta(k, 2)")
    assert by_steps("A1.2-3").outcome == "open"


def test_a_false_counterexample_to_the_range_of_softce_is_caught(monkeypatch):
    """Planted: a temperature of 10, at which SoftCE is below 1 at the point."""
    monkeypatch.setattr(theorem_1, "BEYOND_ONE", theorem_1.BEYOND_ONE.replace("log(8)", "log(8)/10"))
    assert Ledger(CLAIMS).result("T1.4d").verdict is Verdict.UNDECIDED


# --- ranges: a wrong preimage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "claim"), [("VALUE_OF_CE", "T1.3"), ("VALUE_OF_GRADIENT", "T1.4dr")])
def test_a_wrong_preimage_is_caught(monkeypatch, name, claim):
    """Planted: predictions and scores at which CE and the gradient do not take the values claimed."""
    monkeypatch.setattr(theorem_1, name, getattr(theorem_1, name).replace("(K - 1)", "K"))
    assert Ledger(CLAIMS).result(claim).verdict is Verdict.UNDECIDED


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


# --- the engines ------------------------------------------------------------------------------------------------------


def test_an_error_in_the_index_calculus_shows_as_a_disagreement(monkeypatch):
    """Planted: the sum of a term that is free of the index loses its factor K. Explicit algebra does not agree."""
    monkeypatch.setattr(contraction, "K", sp.S.One)
    monkeypatch.setattr(contraction, "_contracted", contraction._contracted.__wrapped__)
    result = Ledger(CLAIMS).result("A1r.targets")
    assert result.verdict is Verdict.UNDECIDED
    assert [item.outcome for item in result.evidence[:2]] == ["open", "holds"]


def test_an_error_in_explicit_algebra_shows_as_a_disagreement(monkeypatch):
    """Planted: explicit sums that stop one class short."""
    monkeypatch.setattr(
        GivenK, "sum", lambda self, term: sp.Add(*(term(sp.Integer(k)) for k in range(1, max(self.classes, 2))))
    )
    result = Ledger(CLAIMS).result("T1.4a")
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
