"""Sections 1, 2, 3, 5 and Appendix A: what each claim must come to, derived by hand, and planted errors."""

from __future__ import annotations

import pytest
import sympy as sp

from softmax_trick.claims import Claim, Verdict
from softmax_trick.ledger import Ledger
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import (
    CLAIMS,
    piecewise,
    section_1,
    section_3,
    section_5,
    tables,
    theorem_1,
    theorem_1_steps,
    theorem_a1,
    theorem_a1_steps,
)
from softmax_trick.symbolic import Matrix, jacobian, softmax

# The false ones, with the reason; all others but the measured ones are true.
FALSE = {
    # Theorem 1 and Theorem A1: see the heads of the modules.
    "T1.1", "T1.2", "T1.3", "T1.4d", "A1.2-3", "A1.2-1",
    "S0.only-generalised", "S1.characterization", "S3.no-other-activation", "S5.only-trick",  # slack
    "A1.characterizes",  # slack
    "S3.only-relocated", "S5.only-dilated", "A1", "A1.2-1.unity",  # slack
    "S3.sufficient-and-necessary", "A1.1-3", "A1.2-3.brace",  # t = (1, 1)
    "S0.not-degraded", "S1.not-lower",  # N0: SoftMax 99.41 < mean 99.45
    "S5.no-worse",  # N0: Tanh 99.45 < sum 99.47
    "S0.perceptron",  # both networks for MNIST have convolutions
    "E1.domain",  # log(-1)
    "S1.maximizing",  # minimizing
    "S2.softmax-range",  # K = 1: SoftMax = 1
    "T1.matrix.convention",  # the transpose, seen where d is unequal
    "S3.largest",  # HardTanh(2) = HardTanh(3)
    "S3.normalize.torch",  # divides by max(||x||, 1e-12)
    "S3.three-conditions",  # four
    "S3.above-99.5",  # N0: 99.41
    "S3.lipschitz.softmax", "S3.lipschitz.sigmoid", "S3.lipschitz.hardsigmoid",  # F(0) is not 0
    "S3.lipschitz.close-scores",  # it compares with 0 only
    "S5.only-softmax-prevents",  # Sigmoid
    "S5.up-to-three",  # 3.23
    "S5.share-is-time",  # 7.6 %
    "A1.3-2.swap",  # the factor y_i
    "A1.2-1.general-form",  # y = 0
    "A1.excluded.reason",  # d = (1, 0)
    "A1.excluded.trick",  # K = 1
}  # fmt: skip
MEASURED = {"S3.normalize.diverges"}
NOT_RUN = {"S0.operations"}
VERDICTS = {"refuted": FALSE, "measured": MEASURED, "undecided": NOT_RUN}

MODULES = (section_1, theorem_1, theorem_1_steps, section_3, section_5, theorem_a1, theorem_a1_steps)
THEORY = [claim.id for module in MODULES for claim in module.CLAIMS]


@pytest.mark.parametrize("name", THEORY)
def test_claim(ledger, name):
    expected = next((verdict for verdict, names in VERDICTS.items() if name in names), "proved")
    result = ledger.result(name)
    assert result.verdict == expected, result.judgement.reason


def test_the_false_ones_are_all_there():
    assert set(THEORY) >= FALSE | MEASURED | NOT_RUN


# --- planted errors ---------------------------------------------------------------------------------------------------


def verdict(name):
    return Ledger().result(name).verdict


def test_a_true_print_would_not_be_refuted(monkeypatch):
    """The factor y_i put back into the swapped formula: the claim that was refuted is then proved."""
    monkeypatch.setattr(
        theorem_a1_steps,
        "swapped_as_printed",
        lambda y, d: Matrix(y.classes, lambda i, j: d[j] * (sp.KroneckerDelta(j, i) - y[j]) * y[i]),
    )
    assert verdict("A1.3-2.swap") is Verdict.PROVED


@pytest.mark.parametrize("name", ["A1.3-2.swap-r", "A1.1-2.general", "EA2"])
def test_a_wrong_print_would_be(monkeypatch, name):
    """D_d on the other side, forgotten, or squared."""
    monkeypatch.setattr(theorem_a1_steps, "softmax_type", lambda y, d: theorem_a1.softmax_type(y, d).T)
    monkeypatch.setattr(theorem_a1_steps, "_generalised_softmax", lambda p: planted_dilation(p))
    assert verdict(name) is Verdict.REFUTED


def planted_dilation(p):
    x, c, d = p.vector("x"), p.vector("c"), p.vector("d")
    y = softmax(d * x - c)
    return y, d * d, jacobian(y, x)


@pytest.mark.parametrize("name", ["E3", "E6", "T1.matrix.chain"])
def test_the_sign_of_the_gradient_matters(monkeypatch, name):
    for module in (theorem_1_steps, section_3):
        monkeypatch.setattr(module, "gradient_of_ce", lambda t, y: t / y)
    assert verdict(name) is not Verdict.PROVED


@pytest.mark.parametrize("name", ["S3.monotonic.hard", "S3.range.hard", "S3.two-not-differentiable"])
def test_a_wrong_hard_normalizer_is_caught(monkeypatch, name):
    """Planted: HardTanh with its sign turned and twice its size."""
    right = piecewise.of_one_score
    monkeypatch.setattr(section_3, "of_one_score", lambda entry: tuple(-2 * part for part in right(entry)))
    assert verdict(name) is Verdict.REFUTED


def test_a_function_through_zero_would_meet_the_printed_lipschitz_condition(monkeypatch):
    """Tanh in the place of Sigmoid: its counterexample at 0 does not work."""
    monkeypatch.setitem(NORMALIZERS, "sigmoid", NORMALIZERS["tanh"])
    assert verdict("S3.lipschitz.sigmoid") is Verdict.UNDECIDED


def test_a_table_without_the_cell_would_make_the_sentence_true(monkeypatch):
    """Planted: a Table 3 in which every option of ISBE has 99.99 %."""
    better = {cell: 9999 if cell[1] in tables.ISBE else rate for cell, rate in tables.TABLE_3.items()}
    for module in (section_1, section_3):
        monkeypatch.setattr(module, "TABLE_3", better)
    for name in ("S0.not-degraded", "S1.not-lower", "S5.no-worse", "S3.above-99.5"):
        assert verdict(name) is Verdict.PROVED


def test_a_table_with_a_plus_would_make_the_sentence_false(monkeypatch):
    monkeypatch.setattr(section_1, "TABLE_2", {**tables.TABLE_2, ("N1", "sum", "Tanh"): 187})
    result = Ledger().result("S1.savings")
    assert result.verdict is Verdict.REFUTED
    assert "Tanh" in str(result.witness)


def test_a_perceptron_among_the_networks_would_be_seen(monkeypatch):
    monkeypatch.setattr(section_1, "N0", "F512 F10")
    assert verdict("S0.perceptron") is Verdict.PROVED


def test_a_missing_implication_is_seen(monkeypatch):
    """(1) -> (2), (2) -> (3) and (3) -> (2) do not lead back to (1)."""
    monkeypatch.setattr(theorem_a1_steps, "PRINTED_IMPLICATIONS", {(1, 2), (2, 3), (3, 2)})
    result = Ledger().result("A1.order")
    assert result.verdict is Verdict.REFUTED
    assert "(2, 1)" in str(result.witness)


def test_the_claims_of_one_id_are_one():
    """No two modules claim the same ID."""
    assert len(THEORY) == len(set(THEORY))
    assert all(isinstance(CLAIMS[name], Claim) for name in THEORY)
