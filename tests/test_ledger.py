"""The claims of the paper, their verdicts, and the rules by which verdicts follow from evidence."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from fractions import Fraction

import pytest

from softmax_trick.ledger.claims import RUNGS, Check, Claim, Evidence, Verdict, judge
from softmax_trick.ledger.parallel import FEWEST
from softmax_trick.ledger.run import Ledger, UnknownClaim, differences
from softmax_trick.measurements.figure import Figure
from softmax_trick.proofs import CLAIMS, PAPER, verify

OF_THE_LITERATURE = {"S4.2.near-95", "S4.2.humans"}
NEEDED = {"A1r.positivity", "A1r.unity", "A1r.targets"}


@pytest.mark.parametrize("name", CLAIMS)
def test_claim(ledger, name):
    """The checks of the paper: each claim is run, and what it yields is what is recorded and can be shown."""
    result = ledger.result(name)
    assert differences([result], PAPER.recorded) == []
    assert not result.conditional_on
    outcomes = {item.outcome for item in result.evidence}
    engines = [item.engine for item in result.evidence]
    if result.verdict is Verdict.REFUTED:
        assert result.witness
        assert RUNGS.index(result.rung) >= RUNGS.index("enclosed")
        assert outcomes - {"gave up"} == {"fails"}
        assert result.claim.repaired_by or result.claim.correction
    elif result.verdict is Verdict.PROVED:
        assert outcomes - {"gave up"} == {"holds"}
        assert not any(item.unstated for item in result.evidence)
        steps = [step for item in result.evidence for step in item.steps]
        assert any(step.kind in ("checked", "used") for step in steps)
        if result.claim.formulas:
            assert {"canonical form", "torch reading"} <= set(engines)
        if result.claim.proof:
            assert {"index calculus", "explicit algebra"} <= set(engines)
    elif result.verdict is Verdict.UNDECIDED and name in OF_THE_LITERATURE:
        assert "published results" in result.judgement.reason
        assert result.claim.remark
    elif result.verdict is Verdict.UNDECIDED:
        assert result.claim.measure
        [evidence] = [item for item in result.evidence if item.engine == "experiment"]
        tested = any(figure.low is not None for figure in evidence.figures)
        passing = evidence.figures and all(figure.agrees for figure in evidence.figures)
        reason = "leaves it open" if tested else "too few seeds" if evidence.figures else "not run"
        assert ("figures have been measured" if passing else reason) in result.judgement.reason
    else:
        assert any(item.figures for item in result.evidence)


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if claim.repaired_by])
def test_a_repair_is_proved(ledger, name):
    assert ledger.result(CLAIMS[name].repaired_by).verdict is Verdict.PROVED


def test_most_proved_identities_have_two_engines_that_share_no_last_reduction(ledger):
    proved = [ledger.result(name) for name, claim in CLAIMS.items() if claim.proof]
    proved = [result for result in proved if result.verdict is Verdict.PROVED]
    with_z3 = [result for result in proved if any(item.engine == "z3" for item in result.evidence)]
    assert len(with_z3) >= 0.9 * len(proved)


def test_each_claim_says_what_it_is_and_where_it_stands():
    for name, claim in CLAIMS.items():
        assert name == claim.id
        assert re.fullmatch(r"[A-Z][A-Za-z0-9.-]*", name), name
        assert claim.heading
        assert len(claim.heading) <= 78, name
        assert "\n" not in claim.heading
        assert claim.says
        assert claim.source
        assert claim.says.count("$") % 2 == 0, name
        assert claim.formulas or claim.proof or claim.counterexample or claim.checks or claim.measure, name
        if claim.repaired_by:
            assert claim.repaired_by in CLAIMS, name
    titles = [claim.heading for claim in CLAIMS.values()]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_needed_hypothesis_comes_with_what_shows_it(ledger, name):
    assert ledger.result(name).witness


def test_dependencies_are_those_that_the_proofs_use(ledger):
    assert ledger.result("A1r").depends_on == ("A1.1-2", "A1r.trick", "A1.2-1r")
    assert ledger.result("A1r.trick").depends_on == ()  # it is decided as it stands
    assert ledger.result("A1.2-1r").depends_on == ("A1c",)


def test_proofs_check_their_steps_exactly_and_name_what_they_cite(ledger):
    steps = ledger.result("A1c").evidence[0].steps
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
    complete = outcome == "holds" and rung in ("general", "kernel")
    return Evidence("some engine", rung, "", outcome, 0.0, witness=witness, reason="a reason", complete=complete)


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
    claim = Claim(id="X.planted", title="planted", statement="planted", source="planted", **arguments)
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


def test_a_finite_fact_that_is_looked_at_completely_is_proved():
    def check(facts):
        facts.same("two and two are four", 2 + 2, 4)

    result = ledger_of(checks=(Check("counting", check, "all of it"),))
    assert (result.verdict, result.rung) == ("proved", "exact")


def test_a_finite_fact_that_is_not_so_is_refuted_with_what_was_found():
    def check(facts):
        facts.same("two and two are five", 2 + 2, 5, addends="2, 2")

    result = ledger_of(checks=(Check("counting", check, "all of it"),))
    assert (result.verdict, result.rung) == ("refuted", "exact")
    assert result.witness == {"addends": "2, 2", "left": "4", "right": "5"}


def test_a_formula_over_the_reals_is_refuted_by_a_model():
    def check(facts):
        import z3

        x = z3.Real("x")
        facts.valid("x^2 >= 0", x * x >= 0)
        facts.valid("x^2 >= x", x * x >= x)

    result = ledger_of(checks=(Check("z3", check, "all reals"),))
    assert result.verdict is Verdict.REFUTED
    assert result.evidence[0].steps[0].text == "x^2 >= 0"
    assert 0 < Fraction(result.witness["x"]) < 1


def test_floating_point_numbers_are_no_exact_facts():
    result = ledger_of(checks=(Check("counting", lambda facts: facts.same("equal", 0.1, 0.1), "all of it"),))
    assert result.verdict is Verdict.UNDECIDED
    assert "TypeError" in result.judgement.reason


def test_a_sampled_check_measures_and_proves_nothing():
    def check(facts):
        facts.figure(Figure("largest error", 1.5, "ulp", runs=1000))

    result = ledger_of(checks=(Check("torch", check, "1000 scores", "sampled"),))
    assert (result.verdict, result.rung) == ("measured", "sampled")


def resting(names, others):
    """A ledger in which each claim of `names` rests on the next; `others` maps the rest to their proofs."""

    def rests_on(name):
        return lambda proof: proof.rests_on(name, f"by {name}")

    proofs = {name: rests_on(following) for name, following in itertools.pairwise(names)} | others
    claims = {
        name: Claim(id=name, title=name, statement=name, source=name, proof=proof) for name, proof in proofs.items()
    }
    return Ledger(claims)


def test_a_claim_that_rests_on_an_unproved_one_is_conditional():
    def refuted(proof):
        proof.statement("zero is one", proof.vector("x")[1] * 0, 1)

    found = resting(["C", "B", "A"], {"A": refuted})
    for name, rests in (("B", "A"), ("C", "B")):
        result = found.result(name)
        assert result.verdict is Verdict.UNDECIDED
        assert result.conditional_on == result.depends_on == (rests,)
        assert f"conditional: it rests on {rests}" in result.judgement.reason


def test_a_claim_that_rests_on_a_proved_one_is_proved():
    found = resting(["C", "B", "A"], {"A": lambda proof: proof.statement("one is one", 1, 1)})
    assert found.result("C").verdict is Verdict.PROVED


def test_claims_that_rest_on_each_other_are_not_proved():
    found = resting(["A", "B", "C", "A"], {})
    assert found.result("A").verdict is Verdict.UNDECIDED
    assert found.result("A").conditional_on == ("B",)


def test_a_claim_that_rests_on_an_unknown_one_is_not_proved():
    assert resting(["A", "nowhere"], {}).result("A").conditional_on == ("nowhere",)


def test_differences_are_reported():
    [result] = verify("T1.1r")
    assert differences([result], {"T1.1r": "proved"}) == []
    assert "recorded as refuted" in differences([result], {"T1.1r": "refuted"})[0]
    assert "no verdict is recorded" in differences([result], {"T1.2r": "proved"})[0]


SEVERAL = """
import os, sys
from dataclasses import replace
from softmax_trick.ledger import parallel
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS

names = [name for name, claim in CLAIMS.items() if claim.formulas][: parallel.FEWEST]
if sys.argv[1] == "dies":
    first = os.getpid()
    gather = Ledger.gather
    Ledger.gather = lambda self, claim: gather(self, claim) if os.getpid() == first else os._exit(1)
several = Ledger(CLAIMS)
with several.gathering(names, processes=2):
    assert several._gatherers._futures
    found = [several.result(name) for name in names]
alone = Ledger(CLAIMS)
for one in found:
    expected = alone.result(one.claim.id)
    assert one.judgement == expected.judgement
    assert [replace(item, seconds=0) for item in one.evidence] == [replace(i, seconds=0) for i in expected.evidence]
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="one process does it all there")
@pytest.mark.parametrize("how", ["lives", "dies"])
def test_several_processes_find_what_one_does(how):
    """And what they were asked for is found here if they die. In a process without torch: else none is forked."""
    done = subprocess.run([sys.executable, "-c", SEVERAL, how], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_nothing_is_forked_beside_torchs_threads(monkeypatch):
    """Planted: such a process waits for a thread that it does not have."""
    monkeypatch.setitem(sys.modules, "torch", sys)
    ledger = Ledger(CLAIMS)
    with ledger.gathering(list(CLAIMS)[:FEWEST], processes=2):
        assert ledger._gatherers is not None
        assert not ledger._gatherers._futures
