"""Sections 1, 2, 3, 5 and Appendix A: planted errors."""

from __future__ import annotations

import io
from dataclasses import replace

import planting
import pytest
import torch
from rich.console import Console

from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.run import Ledger, as_json
from softmax_trick.measurements.results import Results, Run
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import (
    CLAIMS,
    listing_runs,
    operations,
    piecewise,
    printed,
    section_1,
    section_3,
    section_5,
    tables,
    theorem_1,
    theorem_1_steps,
    theorem_a1,
    theorem_a1_steps,
)
from softmax_trick.report.console import claim_in_full
from softmax_trick.report.ledger_page import ledger_page

LONG_TAIL = {"imbalance": 100.0}

MODULES = (section_1, theorem_1, theorem_1_steps, section_3, section_5, theorem_a1, theorem_a1_steps)
THEORY = [claim.id for module in MODULES for claim in module.CLAIMS]


# --- planted errors ---------------------------------------------------------------------------------------------------


def verdict(name):
    return Ledger(CLAIMS).result(name).verdict


def test_a_true_print_would_not_be_refuted():
    """The factor y_i put back into the swapped formula: the claim that was refuted is then proved."""
    printed, right = (CLAIMS[name].formulas[0] for name in ("A1.3-2.swap", "A1.3-2.swap-r"))
    assert planting.result("A1.3-2.swap", printed, right).verdict is Verdict.PROVED


@pytest.mark.parametrize("name", ["E3", "E6", "T1.matrix.chain"])
def test_the_sign_of_the_gradient_matters(name):
    turned = replace(CLAIMS[name], formulas=tuple(text.replace("-t/y", "t/y") for text in CLAIMS[name].formulas))
    assert turned.formulas != CLAIMS[name].formulas
    assert Ledger(CLAIMS | {name: turned}).result(name).verdict is Verdict.REFUTED


def test_a_wrong_hard_normalizer_is_caught(monkeypatch):
    """Planted: HardTanh with its sign turned and twice its size."""
    right = piecewise.of_one_score
    monkeypatch.setattr(section_3, "of_one_score", lambda entry: tuple(-2 * part for part in right(entry)))
    assert verdict("S3.two-not-differentiable") is Verdict.REFUTED


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("S3.monotonic.hard", ">= clip", "> clip"),
        ("S3.monotonic.hard", "clip(x, -1, 1)", "clip(-x, -1, 1)"),
        ("S3.range.hard", "clip(x, -1, 1)", "2*clip(x, -1, 1)"),
        ("S3.largest", "x <= x[i]", "x >= x[i]"),
        ("S3.largest", "clip(x, -1, 1)", "clip(-x, -1, 1)"),
    ],
)
def test_another_claim_about_hard_normalizers_is_caught(name, right, wrong):
    assert planting.result(name, right, wrong).verdict is Verdict.REFUTED


def test_a_function_through_zero_would_meet_the_printed_lipschitz_condition(monkeypatch):
    """Tanh in the place of Sigmoid: its counterexample at 0 does not work."""
    monkeypatch.setitem(NORMALIZERS, "sigmoid", NORMALIZERS["tanh"])
    assert verdict("S3.lipschitz.sigmoid") is Verdict.UNDECIDED


def test_a_table_without_the_cell_would_make_the_sentence_true(monkeypatch):
    """Planted: a Table 3 in which every option of ISBE has 99.99 %."""
    better = {cell: 9999 if cell[1] in tables.ISBE else rate for cell, rate in tables.TABLE_3.items()}
    monkeypatch.setattr(section_3, "TABLE_3", better)
    assert verdict("S3.above-99.5") is Verdict.PROVED


@pytest.mark.parametrize("name", ["S0.not-degraded", "S1.not-lower", "S5.no-worse"])
def test_a_table_with_an_option_far_below_would_make_the_sentence_false(monkeypatch, name):
    """Planted: Tanh 15 images below cross-entropy with sum; with 14 the sentence stands."""
    for rate, expected in ((9947 - 15, Verdict.REFUTED), (9947 - 14, Verdict.PROVED)):
        monkeypatch.setattr(section_1, "TABLE_3", {**tables.TABLE_3, ("N0", "Tanh"): rate})
        assert verdict(name) is expected


@pytest.mark.parametrize("name", ["S0.operations", "S1.savings"])
def test_an_error_that_takes_more_operators_would_be_seen(monkeypatch, name):
    """Planted: a soft error that is computed four times over."""
    once = listing_runs.soft_functions()

    def often(function):
        return lambda scores: sum(function(scores) for _ in range(4)) / 4

    monkeypatch.setattr(
        "softmax_trick.proofs.operations.soft_functions", lambda: {soft: often(f) for soft, f in once.items()}
    )
    assert verdict(name) is Verdict.REFUTED


def test_a_lean_function_would_be_seen(monkeypatch):
    """Planted: ISBE_func as SoftMax less the label, in two operators."""
    monkeypatch.setattr(operations, "of_isbe_func", lambda labels: ("_softmax", "sub"))
    assert verdict("S4.2.fewer-operations") is Verdict.PROVED


def test_an_error_that_goes_through_a_backward_pass_is_seen(monkeypatch):
    """Planted: SoftMax through autograd, as a unit of its own."""
    monkeypatch.setattr(operations, "of_isbe", lambda soft, labels: ("_softmax", "sub", "_softmax_backward_data"))
    assert verdict("S3.omits") is Verdict.REFUTED


def test_a_remark_is_in_every_report():
    """Planted: a remark of one's own."""
    claim = replace(CLAIMS["S2.softmax-range"], remark="Two readings, and $x$ in both.")
    found = Ledger({claim.id: claim}).result(claim.id)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(claim_in_full(found))
    assert "remark      Two readings, and $x$ in both." in console.export_text()
    assert "Two readings, and " in ledger_page([found])
    assert as_json([found])["claims"][0]["remark"] == claim.remark


def test_operators_are_counted_and_views_are_not():
    x = torch.zeros(3, requires_grad=True)
    assert operations.operators(lambda: (x.detach() + 1).exp()) == ("add", "exp")


def test_a_hard_function_with_another_slope_is_seen(monkeypatch):
    right = piecewise.of_one_score
    monkeypatch.setattr(theorem_a1_steps, "of_one_score", lambda entry: tuple(2 * part for part in right(entry)))
    assert verdict("A1.excluded.trick") is not Verdict.PROVED


def test_a_wrong_power_is_no_counterexample(monkeypatch):
    """Planted: SoftMax(x^2) in the place of SoftMax(x^3): d = 3 x^2 is then wrong, and nothing is refuted."""
    planting.in_steps(monkeypatch, "x**3", "x**2")
    assert verdict("A1.d") is Verdict.UNDECIDED


def test_equal_dilations_do_not_reorder():
    assert planting.result("A1.reorders", "1 + 2*delta(k, 2)", "1").verdict is Verdict.REFUTED


def test_another_list_of_recommendations_is_seen(monkeypatch):
    monkeypatch.setitem(printed.LISTS, "recommendations", printed.LISTS["recommendations"][:3])
    assert verdict("S3.three-conditions") is Verdict.REFUTED


def test_a_function_that_is_right_alone_needs_no_integration(monkeypatch):
    """Planted: a SoftMax in double precision, which tells 104 from 200."""
    right = torch.softmax
    monkeypatch.setattr(torch, "softmax", lambda x, dim: right(x.double(), dim))
    assert verdict("S1.only-integration") is Verdict.REFUTED


def test_equal_errors_need_no_participation(monkeypatch):
    """Planted: scores at which SoftMax and Sigmoid agree."""
    monkeypatch.setattr(section_5, "SCORES", section_5.SCORES.replace("log(3)", "0"))
    assert verdict("S5.without-participation") is Verdict.UNDECIDED


def test_without_slack_only_softmax_linearizes(monkeypatch):
    """Planted: no slack in the steps, and none in the function that the statement is false of."""
    monkeypatch.setattr(section_5, "WITH_SLACK", section_5.WITH_SLACK.replace(", slack=1", ""))
    claim = replace(CLAIMS["S5.only-softmax-prevents"], putting="F(x) = softmax(x)")
    assert Ledger({claim.id: claim}).result(claim.id).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(("tail", "outcome"), [((2.0, 3.0), "holds"), ((2.0, 1.0), "fails"), ((0.0, 0.0), "open")])
def test_whether_a_dilation_helps_on_long_tails(tail, outcome):
    """Success rates above that of SoftMax, of balanced-softmax and of the VS-loss, and a run on all of the data."""
    rates = {"softmax": 90.0, "balanced-softmax": 90 + tail[0], "vs-loss": 90 + tail[1]}
    runs = [
        Run("n0", loss, "mnist", seed, 5, round(100 * rate) + noise, 10_000, settings=LONG_TAIL)
        for (loss, rate), row in zip(rates.items(), ((1, 4, 0, 3), (2, 2, 5, 1), (0, 3, 3, 5)), strict=True)
        for seed, noise in enumerate(row)
    ]
    runs.append(Run("n0", "vs-loss", "mnist", 0, 5, 10_000, 10_000))
    found = Ledger(CLAIMS, results=Results("made-up.json", tuple(runs))).result("S5.dilation")
    assert found.evidence[0].outcome == outcome
    assert len(found.evidence[0].figures) == 2


def test_a_perceptron_among_the_networks_would_be_seen(monkeypatch):
    monkeypatch.setattr(section_1, "N0", "F512 F10")
    assert verdict("S0.perceptron") is Verdict.PROVED


def test_a_missing_implication_is_seen(monkeypatch):
    """(1) -> (2), (2) -> (3) and (3) -> (2) do not lead back to (1)."""
    monkeypatch.setattr(theorem_a1_steps, "PRINTED_IMPLICATIONS", {(1, 2), (2, 3), (3, 2)})
    result = Ledger(CLAIMS).result("A1.order")
    assert result.verdict is Verdict.REFUTED
    assert "(2, 1)" in str(result.witness)


def test_the_claims_of_one_id_are_one():
    """No two modules claim the same ID."""
    assert len(THEORY) == len(set(THEORY))
    assert all(isinstance(CLAIMS[name], Claim) for name in THEORY)
