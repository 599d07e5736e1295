"""The listings of the paper: each check shown the error that it is there for."""

from __future__ import annotations

import ast

import pytest
import torch

from softmax_trick.isbe import ISBELoss
from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import PAPER, appendix_b, listing_runs
from softmax_trick.proofs.listing_runs import READING, REPAIR, assembled, example, listing
from softmax_trick.proofs.printed import LISTINGS

CLAIMS = {claim.id: claim for claim in appendix_b.CODE_CLAIMS + appendix_b.CLAIMS}
LEDGER = Ledger(CLAIMS)


def verdict(name):
    """The verdict of a claim, run afresh."""
    return Ledger(CLAIMS).result(name).verdict


def witness(name, ledger=LEDGER):
    """The witness of a claim that has one."""
    found = ledger.result(name).witness
    assert found
    return found


def test_a_broken_torch_refutes_no_listing(monkeypatch):
    """Planted: a listing's exception taken for a refutation although autograd itself fails, as it does where a folder
    named triton hides the package."""

    def apply(*_):
        raise AttributeError("module 'triton' has no attribute 'language'")

    monkeypatch.setattr("torch.autograd.Function.apply", apply)
    result = Ledger(CLAIMS).result("B.options.none")
    assert result.verdict is not Verdict.REFUTED
    assert any("has no attribute 'language'" in item.reason for item in result.evidence)


# What a reader is shown, and can check by hand: x = (0, 0), class 0.
WITNESSES = {
    "S3.code.swap": {"left": "[[-1/4, 1/4], [1/4, -1/4]]", "right": "[[-1/2, 1/2], [1/2, -1/2]]"},
    "B.options.parses": {"line": "10", "printed": "elif # ..."},
    "B.options.chain": {"soft_option": "SoftMax", "right": "[[-3/4, 1/4, 1/4, 1/4]]"},
    "B.options.none": {"reduction": "none"},
    "B.copy": {"line": "8", "printed": "labels, num_classes=K)*(1-K*eps)+eps)"},
    "B.skeleton": {"line": "3"},
    "B.forward.parses": {"line": "6"},
    "B.forward.runs": {"soft": "SoftMax"},
    "B.hardsigmoid": {"x": "3/2", "left": "3/4", "right": "7/8"},
    "B.gradcheck": {"left": "[[-1/2, 1/2]]", "right": "[[-1/4, 1/4]]"},
    "B.chain-rule": {"left": "[[-1/2, 1/2]]", "right": "[[-1, 1]]"},
    "B.outputs": {"output": "soft_scores[0, 0]", "left": "[[-1/2, 1/2]]", "right": "[[1/4, -1/4]]"},
    "B.second": {"left": "[[-1/2, 1/2]]", "right": "[[1/4, -1/4]]"},
    "B.cycle": {"after the last reference is gone": "still there", "after gc.collect()": "freed"},
}


@pytest.mark.parametrize("name", WITNESSES)
def test_the_witness_is_the_one_derived_by_hand(name):
    found = witness(name)
    assert {key: found[key] for key in WITNESSES[name]} == WITNESSES[name]


def test_class_indices_are_broadcast_to_a_wrong_error_without_an_exception():
    found = witness("S3.code.labels")
    assert found["for n_b = K = 2, scores 0, labels [0, 1] it sends"] == "[[1/2, -1/2], [1/2, -1/2]]"
    assert found["instead of"] == "[[-1/2, 1/2], [1/2, -1/2]]"


# --- the edits --------------------------------------------------------------------------------------------------------


def test_every_edit_answers_a_claim_that_fails_and_is_needed():
    for edit in READING + REPAIR:
        assert PAPER.recorded[edit.claim] == "refuted"
    assert sum(edit.listing != "LOOP_OPTIONS" for edit in READING + REPAIR) == 8  # as the title of B.mended says


@pytest.mark.parametrize("left_out", range(len(REPAIR)))
def test_without_one_of_its_edits_the_mended_class_is_not_proved(monkeypatch, left_out):
    rest = tuple(edit for number, edit in enumerate(REPAIR) if number != left_out)
    monkeypatch.setattr(appendix_b, "REPAIR", rest)
    assert verdict("B.mended") is not Verdict.PROVED


def test_the_repaired_class_still_has_no_value_for_its_gradient():
    """What the statement of B.mended leaves open."""
    one = example(READING + REPAIR)
    assert one.gradient(one.mse).tolist() == [[-0.5, 0.5]]  # that of the mean square is (-1/4, 1/4): B.gradcheck


def test_an_edit_that_no_longer_fits_is_an_error(monkeypatch):
    monkeypatch.setitem(LISTINGS, "FORWARD", LISTINGS["FORWARD"].replace("SoftMax(raw", "softmax(raw"))
    with pytest.raises(ValueError, match="FORWARD has no"):
        listing("FORWARD", READING)
    assert verdict("B.forward") is Verdict.UNDECIDED


def test_the_assembled_class_has_the_three_methods():
    [definition] = ast.parse(assembled(READING)).body
    assert isinstance(definition, ast.ClassDef)
    assert [method.name for method in definition.body if isinstance(method, ast.FunctionDef)] == [
        "forward",
        "setup_context",
        "backward",
    ]


# --- a mended listing: what was refuted holds -------------------------------------------------------------------------

MENDED = {
    "B.options.parses": "LOOP_OPTIONS",
    "B.skeleton": "SKELETON",
    "B.forward.parses": "FORWARD",
    "B.copy": "FORWARD",
}


@pytest.mark.parametrize("name", MENDED)
def test_on_a_mended_listing_the_claim_holds(monkeypatch, name):
    monkeypatch.setitem(LISTINGS, MENDED[name], listing(MENDED[name], READING))
    assert verdict(name) is Verdict.PROVED


def test_copying_fails_by_the_missing_function_once_it_parses(monkeypatch):
    monkeypatch.setitem(LISTINGS, "FORWARD", listing("FORWARD", READING[2:3]))
    assert "SoftMax" in witness("B.copy", Ledger(CLAIMS))["raised"]


REPAIRED = ["B.chain-rule", "B.second", "B.flag", "B.cycle"]


@pytest.mark.parametrize("name", REPAIRED)
def test_on_the_repaired_class_the_claim_holds(monkeypatch, name):
    original = listing_runs.example
    monkeypatch.setattr(appendix_b, "example", lambda edits=(): original(READING + REPAIR))
    assert verdict(name) is Verdict.PROVED


def test_isbe_loss_is_the_gradient_of_its_value_which_the_listing_is_not():
    """What the corrections of B.gradcheck and B.second name: gradcheck and gradgradcheck pass."""
    scores = torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64, requires_grad=True)
    loss, labels = ISBELoss("softmax"), torch.tensor([1])
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), scores)
    assert torch.autograd.gradgradcheck(lambda x: loss(x, labels), scores)
    options = {"soft": "SoftMax", "num_classes": 3, "eps": 0.0}
    function = listing_runs.isbe_class()
    assert not torch.autograd.gradcheck(lambda x: function.apply(x, labels, options)[0], scores, raise_exception=False)


def test_under_the_gradient_scaler_the_listing_steps_by_a_fraction_of_the_gradient():
    assert appendix_b._step_under_scaler(READING, 1.0) == "[[1/2, -1/2]]"
    assert appendix_b._step_under_scaler(READING, 4.0) == "[[1/8, -1/8]]"
    assert appendix_b._step_under_scaler(READING + REPAIR, 4.0) == "[[1/2, -1/2]]"


# --- a planted error: what was proved fails ---------------------------------------------------------------------------

# Claim, listing, the text as printed, and an error in its place.
PLANTED = [
    ("S3.code.ce", "LOOP_CROSS_ENTROPY", "    optimizer.step()\n", ""),
    ("S3.code.ce", "LOOP_CROSS_ENTROPY", "tgen:", "tgen"),
    ("S3.code.isbe", "LOOP_ISBE", "SoftMax(outputs) - labels", "labels - SoftMax(outputs)"),
    ("S3.code.isbe", "LOOP_ISBE", "SoftMax(outputs) - labels", "SoftMax(outputs) * labels"),
    ("S3.code.swapr", "LOOP_ISBE", "- labels", "- labels - labels"),
    ("B.simplest", "LOOP_SIMPLEST", "SoftMax(outputs)", "outputs"),
    ("B.simplest", "LOOP_SIMPLEST", "SoftMax(outputs)", "(SoftMax(outputs)"),
    ("B.options", "LOOP_OPTIONS", "tanh(outputs) - (2.*labels-1.)", "tanh(outputs) - (2.*labels-1.5)"),
    ("B.options", "LOOP_OPTIONS", 'elif soft_option=="hardtanh"', 'elif soft_option=="hardTanh"'),
    ("B.compact", "LOOP_COMPACT", "soft_function(outputs) - labels", "soft_function(outputs) - 2*labels"),
    ("B.forward", "FORWARD", "functional.hardtanh", "functional.tanh"),
    ("B.forward", "FORWARD", "soft_errors**2", "soft_errors**4"),
    ("B.forward", "FORWARD", "return mse_soft, soft_errors, soft_scores", "return mse_soft, soft_scores, soft_errors"),
    ("B.targets", "FORWARD", "(1-K*eps)+eps", "(1-eps)+eps"),
    ("B.blur", "FORWARD", "(1-K*eps)+eps", "(1-K*eps)+2*eps"),
    ("B.smoothing", "FORWARD", "(1-K*eps)+eps", "(1-K*eps)+2*eps"),
    ("B.defaults", "FORWARD", "num_classes=10, eps=1e-8", "num_classes=10, eps=1e-2"),
    ("B.others.parse", "ISBE_FUNC", "lambda raw_scores, labels:\\", "lambda raw_scores, labels\\"),
    ("B.switch", "BACKWARD", "ctx.soft_errors,", "2 * ctx.soft_errors,"),
    ("B.switch", "BACKWARD", "None, None", "None"),
    ("B.switch", "SETUP_CONTEXT", "ctx.soft_errors = soft_errors", "ctx.soft_errors = soft_scores"),
    ("B.apply", "FORWARD", "    soft_scores.requires_grad = False\n", ""),
    ("B.wrapped", "BACKWARD", "ctx.soft_errors,", "-ctx.soft_errors,"),
    ("B.wrapped", "SETUP_CONTEXT", "ctx.soft_errors = soft_errors", "ctx.soft_errors = soft_scores"),
    ("B.isbe-func", "ISBE_FUNC", "[0]", "[1]"),
    ("B.isbe-func", "ISBE_FUNC_WITH_OPTIONS", "apply(raw_scores, labels, options)", "apply(raw_scores, labels, {})"),
    ("B.isbe-backward-r", "ISBE_BACKWARD", "soft_error.backward()", "soft_error.backward(2)"),
    ("B.ce-func", "CROSS_ENTROPY", "ex.loss_options['label_smoothing']", "0.0"),
    ("B.ce-backward", "CROSS_ENTROPY", "torch.ones(ex.batch_size)", "2 * torch.ones(ex.batch_size)"),
    ("B.ce-backward", "CROSS_ENTROPY", "tones_[:loss.size(0)]", "tones_"),
    ("B.mended", "FORWARD", "soft_scores - target_scores", "target_scores - soft_scores"),
]


@pytest.mark.parametrize(("name", "printed", "text", "error"), PLANTED)
def test_a_planted_error_is_caught(monkeypatch, name, printed, text, error):
    source = LISTINGS[printed]
    assert text in source
    monkeypatch.setitem(LISTINGS, printed, source.replace(text, error))
    assert verdict(name) is not Verdict.PROVED


def test_a_loop_that_asks_for_its_gradients_too_late_is_caught(monkeypatch):
    """zero_grad after backward: the parameters would not move."""
    lines = LISTINGS["LOOP_ISBE"].splitlines(keepends=True)
    lines[3], lines[4] = lines[4], lines[3]
    monkeypatch.setitem(LISTINGS, "LOOP_ISBE", "".join(lines))
    assert verdict("S3.code.isbe") is not Verdict.PROVED


# --- a counterexample that is none ------------------------------------------------------------------------------------


def test_a_class_of_two_methods_that_does_not_work_shows_nothing(monkeypatch):
    """Planted: what the class of two keeps on ctx is lost, as its forward never gets there."""
    monkeypatch.setitem(
        LISTINGS, "FORWARD", LISTINGS["FORWARD"].replace("    return mse_soft,", "    return (mse_soft),")
    )
    assert verdict("B.three-methods") is Verdict.UNDECIDED


# Claim, a text of the listings, and what would make the claim true in its place.
MADE_TRUE = [
    ("B.options.chain", '        if soft_option=="tanh"', '        elif soft_option=="tanh"'),
    ("B.options.none", "loss.backward()", "loss.sum().backward()"),
    ("B.gradcheck", "ctx.soft_errors,", "ctx.soft_errors / 2,"),  # at this point of the two classes it happens to be
]


@pytest.mark.parametrize(("name", "text", "other"), MADE_TRUE)
def test_where_there_is_no_counterexample_none_is_found(monkeypatch, name, text, other):
    for printed in LISTINGS:
        monkeypatch.setitem(LISTINGS, printed, LISTINGS[printed].replace(text, other))
    assert verdict(name) is Verdict.PROVED
