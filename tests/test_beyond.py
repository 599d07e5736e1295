"""The claims that are not in the paper: the errors that each check is there for."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
import sympy as sp
import torch
import z3

from softmax_trick.language.grammar import read_equation
from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.run import Ledger
from softmax_trick.ledger.steps import Open, Refuted
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import (
    beyond,
    implicit_losses,
    lipschitz,
    piecewise,
    relocations,
    sampled,
    sampled_beyond,
    theorem_1,
    theorem_a1,
    training_theory,
)
from softmax_trick.statements.statement import decide_statement
from softmax_trick.symbolic import EVERY_K, GivenK, softmax

CLAIMS = {claim.id: claim for module in (theorem_1, theorem_a1, beyond) for claim in module.CLAIMS}
OURS = [claim.id for claim in beyond.CLAIMS]
BOTH = [EVERY_K, GivenK(3)]


@pytest.mark.parametrize("name", ["X.relocation.ldam", "X.adam.last-batch", "X.mse"])
def test_claims_of_existence_show_what_exists(ledger, name):
    assert ledger.result(name).witness


def with_wrong(monkeypatch, name, **forms):
    monkeypatch.setitem(NORMALIZERS, name, dataclasses.replace(NORMALIZERS[name], **forms))


# What is changed in the formulas and declarations of a claim, once in each place, so that it is no longer true.
CHANGED = {
    "X.gradient.softmax": [("dot(x, t)", "2*dot(x, t)"), ("sum(t)*", "")],
    "X.gradient.temperature": [("/beta", ""), ("softmax(beta*x", "softmax(2*x")],
    "X.gradient.slack": [("slack=C", "slack=2*C"), ("log(C +", "log(")],
    "X.gradient.sigmoid": [("sum(softplus", "2*sum(softplus"), ("(1 - t)*", "")],
    "X.gradient.tanh": [("log(cosh", "2*log(cosh"), ("2*(sigmoid(2*x)", "(sigmoid(2*x)")],
    "X.gradient.normalize": [("norm(x) - dot", "norm(x)**2 - dot")],
    "X.gradient.normalize-p": [("**(1/p)", ""), ("x[i]**(p - 1)", "x[i]**p")],
    "X.gradient.unequal-dilation": [("d*x - c)", "2*x - c)"), ("(d[i] - d[j])", "(d[i] + d[j])")],
    "X.convex.softmax": [("softmax(x)", "softmax(2*x)"), ("y*(v", "v*(v")],
    "X.convex.slack": [("(1 - sum(y))", "sum(y)"), (", slack=C", "")],
    "X.convex.sigmoid": [("diag(y*(1 - y))", "diag(y*(2 - y))"), ("y*(1 - y) >", "y*(1 - 2*y) >")],
    "X.convex.tanh": [("1 - y**2 >", "1 - 2*y**2 >")],
    "X.lipschitz.softmax": [("y: K distribution", "y: K")],
    "X.lipschitz.softmax-reached": [("y: K distribution", "y: K")],
    "X.lipschitz.softmax-origin": [("ones(K)/K", "ones(K)")],
    "X.adam.scale": [("s**2*v/c'", "s*v/c'"), ("(s*g)**2", "s*g")],
    "X.adam.mean": [("softce(t, x)/n", "softce(t, x)")],
    "X.adam.epsilon": [("sqrt(g**2)", "g**2"), ("s = 1 + u", "s = 1/(1 + u)"), ("(1 - b)*g", "b*g")],
    "X.label-only": [("outer(e, u)", "2*outer(e, u)"), ("== e", "== 2*e")],
    "X.label-only.at-rest": [("K*delta(i", "2*K*delta(i"), ("K*(K - 1)", "K**2")],
    "X.mse": [("jacobian(y, x).T @ (y - t)", "y - t"), ("y*(1 - y)", "y")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new"), [(name, *pair) for name, pairs in CHANGED.items() for pair in pairs])
def test_a_changed_formula_is_not_proved(name, old, new):
    """By SymPy's core and the canonical form alike: whichever decides it."""
    claim = CLAIMS[name]
    texts = [*claim.formulas, claim.let]
    assert any(old in text for text in texts)
    *formulas, let = [text.replace(old, new, 1) for text in texts]
    changed = dataclasses.replace(claim, formulas=tuple(formulas), let=let)
    found = Ledger({**CLAIMS, name: changed}).result(name)
    assert found.verdict is not Verdict.PROVED


@pytest.mark.parametrize("name", ["X.gradient.sparsemax", "X.lipschitz.sparsemax"])
def test_a_wrong_inequality_of_projections_is_caught(monkeypatch, name):
    for module in (implicit_losses, lipschitz):
        monkeypatch.setattr(module, "NONEXPANSIVE", implicit_losses.NONEXPANSIVE.replace("y' - y)", "y' + y)", 1))
    assert Ledger(CLAIMS).result(name).verdict is not Verdict.PROVED


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "hardsigmoid", "hardtanh"])
def test_an_elementwise_softmax_would_be_noticed(monkeypatch, name):
    """Planted: SoftMax under the name of an elementwise normalizer."""
    with_wrong(monkeypatch, name, symbolic=softmax)
    for classes in BOTH:
        with pytest.raises(Open):
            relocations.elementwise_is_no_softmax(Proof(classes, claim=CLAIMS["X.elementwise-no-softmax"]))


# --- constants that are too small or too large ------------------------------------------------------------------------


def refutation(name):
    """The witness with which the claim's own check refutes it."""
    with pytest.raises(Refuted) as caught:
        CLAIMS[name].checks[0].run(Findings())
    assert caught.value.witness
    return caught.value.witness


@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(99, 100), Fraction(101, 100), Fraction(2)])
@pytest.mark.parametrize("name", NORMALIZERS)
def test_a_wrong_constant_is_caught(monkeypatch, name, factor):
    with_wrong(monkeypatch, name, lipschitz=NORMALIZERS[name].lipschitz * factor)
    claim = f"X.lipschitz.{name.replace('_', '-')}"
    if name in piecewise.HARD:
        assert refutation(claim)
    else:
        assert Ledger(CLAIMS).result(claim).verdict is Verdict.UNDECIDED


def test_a_constant_that_is_too_small_comes_with_two_scores(monkeypatch):
    with_wrong(monkeypatch, "hardsigmoid", lipschitz=Fraction(1, 8))
    witness = refutation("X.lipschitz.hardsigmoid")
    r, s = Fraction(witness["r"]), Fraction(witness["s"])
    f = NORMALIZERS["hardsigmoid"].symbolic
    at = [f(GivenK(1).constant(sp.Rational(score)))[1] for score in (r, s)]
    assert abs(at[1] - at[0]) > abs(s - r) / 8


# --- piecewise formulas -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", piecewise.HARD)
@pytest.mark.parametrize("raw", range(-14, 15))
def test_the_formula_for_z3_has_the_values_of_the_table(name, raw):
    score = sp.Rational(raw, 4)
    for function in piecewise.of_one_score(name):
        value = z3.simplify(piecewise.at(function, z3.RealVal(str(score))))
        assert sp.Rational(str(value.as_fraction())) == function.xreplace({piecewise.SCORE: score})


def test_what_is_no_piecewise_polynomial_is_refused():
    score = z3.Real("s")
    for wrong in (sp.exp(piecewise.SCORE), sp.Symbol("other"), 1 / piecewise.SCORE):
        with pytest.raises(TypeError, match="no part of a piecewise polynomial"):
            piecewise.at(wrong, score)
    with pytest.raises(ValueError, match="no value elsewhere"):
        piecewise.at(sp.Piecewise((1, piecewise.SCORE < 0)), score)


PIECEWISE_ERRORS = {
    "a potential without its half": lambda s: sp.Piecewise((-s, s <= -1), (s**2, s < 1), (s, True)),
    "a potential with a jump": lambda s: sp.Piecewise((-s - 1, s <= -1), (s**2 / 2, s < 1), (s, True)),
    "a square, never clipped": lambda s: s**2 / 2,
}


@pytest.mark.parametrize("error", PIECEWISE_ERRORS)
def test_a_wrong_piecewise_potential_is_refuted(monkeypatch, error):
    with_wrong(monkeypatch, "hardtanh", symbolic_potential=lambda x: x.map(PIECEWISE_ERRORS[error]).sum())
    assert {"s", "h"} <= set(refutation("X.gradient.hardtanh"))


def test_a_potential_that_mixes_the_scores_is_noticed(monkeypatch):
    right = NORMALIZERS["hardtanh"].symbolic_potential
    with_wrong(monkeypatch, "hardtanh", symbolic_potential=lambda x: right(x) + x.sum() ** 2)
    with pytest.raises(Refuted, match="sum_i"):
        CLAIMS["X.gradient.hardtanh"].checks[0].run(Findings())


def test_a_decreasing_piece_is_not_convex(monkeypatch):
    """Planted: the clip with its sign changed, and its potential with it."""
    right = NORMALIZERS["hardtanh"]
    with_wrong(
        monkeypatch,
        "hardtanh",
        symbolic=lambda x: -right.symbolic(x),
        symbolic_potential=lambda x: -right.symbolic_potential(x),
    )
    CLAIMS["X.gradient.hardtanh"].checks[0].run(Findings())
    assert refutation("X.convex.hard")


def test_a_differentiable_normalizer_would_be_noticed(monkeypatch):
    with_wrong(monkeypatch, "hardtanh", symbolic=lambda x: x.map(lambda s: s / 2))
    assert refutation("X.elementwise-no-p2")


# --- finite facts -----------------------------------------------------------------------------------------------------


def test_an_adam_that_forgets_everything_is_noticed(monkeypatch):
    """Planted: no memory, so that a change of scale does not show."""
    monkeypatch.setattr(training_theory, "moments", lambda m, v, g: (g * 3 / 4, g**2 * 3 / 4))
    assert refutation("X.adam.last-batch")


def test_a_bound_that_is_reached_is_not_called_strict(monkeypatch):
    """Planted: the posterior as the classifier."""
    monkeypatch.setattr(
        training_theory, "CLASSIFIER", tuple(tuple(2 * entry for entry in row) for row in training_theory.JOINT)
    )
    assert refutation("X.information.example")


def test_a_wrong_information_is_noticed(monkeypatch):
    right = training_theory.mutual_information
    monkeypatch.setattr(training_theory, "mutual_information", lambda joint: right(joint) / sp.log(2))
    assert refutation("X.information.example")


# --- statements that a careless reader could make ---------------------------------------------------------------------


def test_normalize_is_symmetric_for_p_2_only():
    """The criterion of X.gradient.normalize-p does not reject the Euclidean norm."""
    claim = CLAIMS["X.gradient.normalize-p"]
    for order, verdict in ((2, "proved"), (3, "refuted")):
        let = claim.let.replace("p: positive", f"p = {order}")
        assert decide_statement(read_equation("J == J.T", let=let)).verdict == verdict


def test_the_norm_of_the_jacobian_of_softmax_by_numbers():
    """Below 1/2 for K = 3, and near it where two scores lead: X.lipschitz.softmax-reached."""
    norms = []
    for lead in (0.0, 5.0, 20.0):
        scores = torch.tensor([lead, lead, 0.0], dtype=torch.float64)
        y = scores.softmax(-1)
        norms.append(float(torch.linalg.matrix_norm(y.diag() - y.outer(y), 2)))
    assert norms[0] == pytest.approx(1 / 3)
    assert norms[0] < norms[1] < norms[2] < 0.5
    assert norms[2] == pytest.approx(0.5, abs=1e-8)


# --- the sampled tests ------------------------------------------------------------------------------------------------


@pytest.fixture
def merged(monkeypatch):
    for claim, test in sampled_beyond.SAMPLED.items():
        monkeypatch.setitem(sampled.SAMPLED, claim, test)


def test_all_claims_but_the_example_are_sampled():
    """By the torch reading of their formulas, or by hand."""
    by_hand = {name for name in OURS if not CLAIMS[name].formulas and name != "X.information.example"}
    assert by_hand <= set(sampled_beyond.SAMPLED) <= set(OURS)


@pytest.mark.usefixtures("merged")
@pytest.mark.parametrize("claim", sampled_beyond.SAMPLED)
def test_sampled(monkeypatch, claim):
    """It agrees; and with one side off by one part in a million it does not."""
    assert sampled.disagreement(claim) is None
    test, fewest = sampled_beyond.SAMPLED[claim]

    def off(generator, classes):
        left, right = test(generator, classes)
        return left * (1 + 1e-6) + 1e-6, right

    monkeypatch.setitem(sampled.SAMPLED, claim, (off, fewest))
    assert sampled.disagreement(claim)


def test_an_error_on_the_torch_side_is_noticed(monkeypatch):
    """Planted: SoftMax as an elementwise function, Adam with epsilon."""
    generator = torch.Generator().manual_seed(0)

    def agree(test):
        left, right = test(generator, 4)
        return torch.allclose(left, right, rtol=1e-9, atol=1e-9)

    monkeypatch.setitem(sampled_beyond.ELEMENTWISE, "tanh", lambda x: x.softmax(-1))
    assert not agree(sampled_beyond._sums_vary)
    assert not agree(sampled_beyond._no_p2)
    assert not agree(sampled_beyond._adam(lambda step: 1000.0, 1e-3, same=True))
    assert not agree(sampled_beyond._adam(lambda step: 1000.0, 0.0, same=False))
