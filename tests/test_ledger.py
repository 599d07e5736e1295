"""The claims of the paper, their verdicts, and the rules by which verdicts follow from evidence."""

from __future__ import annotations

import pytest

from softmax_trick.claims import Claim, Evidence, Verdict, judge
from softmax_trick.ledger import Ledger, UnknownClaim, differences, verify
from softmax_trick.proofs import CLAIMS, recorded_verdicts

LEDGER = Ledger()

# What the mathematics says, derived by hand; the ledger must come to the same by itself.
EXPECTED = {
    "T1.1": "refuted",
    "T1.2": "refuted",
    "T1.3": "refuted",
    "T1.4a": "proved",
    "T1.4b": "proved",
    "T1.4c": "proved",
    "T1.4d": "refuted",
    "A1.1-2": "proved",
    "A1.2-3": "refuted",
    "A1.3-2": "proved",
    "A1.2-1": "refuted",
}
OURS = {"T1.1r", "T1.2r", "T1.3r", "T1.4dr", "A1.2-3r", "A1.2-1r", "A1c", "A1r"}
NEEDED = {"A1r.positivity", "A1r.unity", "A1r.targets"}


def test_the_ledger_holds_the_claims_of_both_theorems():
    assert set(CLAIMS) == set(EXPECTED) | OURS | NEEDED


@pytest.mark.parametrize("name", CLAIMS)
def test_claim(name):
    """The theorem checks: each claim is run, and what it yields is what is expected and recorded."""
    result = LEDGER.result(name)
    assert result.verdict == EXPECTED.get(name, "proved"), result.judgement.reason
    assert differences([result], recorded_verdicts()) == []
    engines = {item.engine for item in result.evidence}
    if result.verdict is Verdict.REFUTED:
        assert result.witness
        assert result.rung == "exact"
        assert result.claim.repaired_by
        repair = LEDGER.result(result.claim.repaired_by)
        assert repair.verdict is Verdict.PROVED
        assert {item.outcome for item in result.evidence} == {"fails"}
    else:
        assert result.rung == "general"
        assert engines == {"index calculus", "explicit algebra", "torch autograd"}
        assert {item.outcome for item in result.evidence} == {"holds"}


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_needed_hypothesis_comes_with_what_shows_it(name):
    assert LEDGER.result(name).witness


def test_dependencies_are_those_that_the_proofs_use():
    assert LEDGER.result("A1r").depends_on == ("A1.1-2", "A1.2-3r", "A1.2-1r")
    assert LEDGER.result("A1.2-1r").depends_on == ("A1c",)


def test_proofs_check_their_steps_exactly_and_name_what_they_cite():
    steps = LEDGER.result("A1c").evidence[0].steps
    assert sum(step.kind == "checked" for step in steps) >= 4
    assert any(step.kind == "cited" and "ODE" in step.text for step in steps)
    assert all(step.detail for step in steps if step.kind == "checked")


def test_verify_returns_results_in_order_and_each_once():
    assert [result.claim.id for result in verify("T1.2r", "T1.1r", "T1.2r")] == ["T1.2r", "T1.1r"]


def test_an_unknown_claim_suggests_near_ones():
    with pytest.raises(UnknownClaim, match=r"A1\.2-3"):
        verify("A1.23")


# --- from evidence to verdict -----------------------------------------------------------------------------------------


def evidence(outcome, rung, witness=None):
    return Evidence("some engine", rung, "", outcome, 0.0, witness=witness, reason="a reason")


@pytest.mark.parametrize(
    ("found", "verdict", "rung"),
    [
        ([("holds", "general"), ("holds", "exact"), ("holds", "sampled")], "proved", "general"),
        ([("holds", "kernel")], "proved", "kernel"),
        ([("holds", "exact"), ("holds", "sampled")], "undecided", None),  # K = 1..6 is not every K
        ([("holds", "sampled")], "undecided", None),
        ([("fails", "exact"), ("fails", "sampled")], "refuted", "exact"),
        ([("fails", "sampled")], "undecided", None),  # no exact witness
        ([("holds", "general"), ("fails", "sampled")], "undecided", None),  # the engines disagree
        ([("fails", "exact"), ("holds", "sampled")], "undecided", None),
        ([("holds", "general"), ("open", "exact")], "undecided", None),
        ([("holds", "general"), ("crashed", "sampled")], "undecided", None),
        ([], "undecided", None),
    ],
)
def test_judge(found, verdict, rung):
    items = [evidence(outcome, at, {"x": "0"} if at == "exact" else None) for outcome, at in found]
    judgement = judge(items)
    assert (judgement.verdict, judgement.rung) == (verdict, rung)
    assert bool(judgement.reason) == (verdict == "undecided")


def ledger_of(**arguments):
    claim = Claim(id="T1.4a", title="planted", statement="planted", source="planted", **arguments)
    return Ledger({claim.id: claim}).result(claim.id)


def test_a_crash_leaves_the_claim_undecided_and_is_named():
    def crashes(proof):
        raise ZeroDivisionError("boom")

    result = ledger_of(proof=crashes)
    assert result.verdict is Verdict.UNDECIDED
    assert "ZeroDivisionError: boom" in result.judgement.reason


def test_a_wrong_step_leaves_the_claim_undecided_and_is_named():
    def wrong_step(proof):
        proof.equal("one is two", 1, 2)

    result = ledger_of(proof=wrong_step)
    assert result.verdict is Verdict.UNDECIDED
    assert "the step 'one is two' is false" in result.judgement.reason


def test_a_claim_that_rests_on_an_unproved_one_is_not_proved():
    def refuted(proof):
        proof.statement("zero is one", proof.vector("x")[1] * 0, 1)

    def rests(proof):
        proof.rests_on("A", "by A")

    claims = {
        name: Claim(id=name, title=name, statement=name, source=name, proof=proof)
        for name, proof in (("A", refuted), ("B", rests))
    }
    result = Ledger(claims).result("B")
    assert result.verdict is Verdict.UNDECIDED
    assert "it rests on A, which is refuted" in result.judgement.reason
    assert result.depends_on == ("A",)


def test_differences_are_reported():
    [result] = verify("T1.1r")
    assert differences([result], {"T1.1r": "proved"}) == []
    assert "recorded as refuted" in differences([result], {"T1.1r": "refuted"})[0]
    assert "no verdict is recorded" in differences([result], {})[0]
