"""The catalogue of mutants: it is what it says, the ledger kills what is in it, and a broken ledger is caught."""

from __future__ import annotations

import io

import pytest
import sympy as sp
from rich.console import Console

from softmax_trick.deciding.decision import Decision as Canonical
from softmax_trick.language.grammar import proposition
from softmax_trick.language.proposition import Related
from softmax_trick.ledger import evaluation
from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.mutants import failures, made_from, mutants_of, originals, run
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.slips import KINDS, slips
from softmax_trick.proofs import CLAIMS, theorem_1, theorem_a1
from softmax_trick.proofs.mutants import WRITTEN, catalogue
from softmax_trick.report.mutants import mutants_table, summary
from softmax_trick.symbolic import Decision, Witness, decision

CATALOGUE = catalogue()
# Every fortieth, to save time: `make mutants`, which is a part of CI, decides them all.
DECIDED = [*CATALOGUE[::40], *WRITTEN]
SOME = [mutant for mutant in CATALOGUE if mutant.of == "T1.4c" and mutant.kind in ("sign", "factor", "exponent")]


@pytest.fixture(scope="module")
def outcomes():
    return run(DECIDED)


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_there_are_many_of_each_kind_and_each_is_named_once():
    assert len(CATALOGUE) >= 550
    assert {mutant.kind for mutant in CATALOGUE} == set(KINDS)
    assert len({mutant.false.id for mutant in CATALOGUE}) == len(CATALOGUE)
    assert len(WRITTEN) == 4  # by no operator: they are of tables


def test_every_true_claim_with_a_formula_has_mutants_and_no_false_one():
    theorems = [*theorem_1.CLAIMS, *theorem_a1.CLAIMS]
    true = {one.id for one in theorems if any(not it.has_words for it in one.stated) and not one.repaired_by}
    assert {mutant.of for mutant in made_from(theorems)} == true
    assert not true & {"T1.1", "T1.2", "T1.4d", "A1.2-1", "A1.2-3"}


def test_nothing_is_decided_while_mutants_are_made_and_other_claims_change_none(monkeypatch):
    """Otherwise a ledger that is blind would shorten the list of what it has to see."""

    def never(*_, **__):
        raise AssertionError("an engine was asked")

    monkeypatch.setattr(Proof, "_decide", never)
    monkeypatch.setattr(evaluation, "_decision", never)
    monkeypatch.setattr(evaluation, "_disagreement", never)
    alone = [mutant.false for mutant in mutants_of(CLAIMS["A1c"])]
    assert alone == [mutant.false for mutant in CATALOGUE if mutant.of == "A1c"]


def slips_of(text, let):
    said = proposition(text, let)
    assert isinstance(said, Related)
    return slips(said)


def kinds_of(text, let):
    return {kind for kind, _ in slips_of(text, let)}


def test_each_kind_of_statement_has_its_slips():
    assert kinds_of("x*(1 - x) <= 1/4", "x: unit") == {"order"}
    assert kinds_of("psd(A)", "A: K,K'") == {"sign"}
    assert kinds_of("conservative(softmax(x), x)", "x: K") == {"factor"}
    assert kinds_of("y[i] == softmax(x)[i]", "x: K; y: K; i: index K") == {"sign", "factor", "exponent", "index"}
    assert kinds_of("A @ x == A @ x", "A: K,K'; x: K") == set(KINDS) - {"order", "hypothesis", "term", "axis"}
    assert {"axis", "term"} <= kinds_of("A == A - B", "A: K,K'; B: K,K'")
    assert kinds_of("softmax(X, K) == softmax(X, K)", "X: n,K") >= {"axis"}


def test_no_sign_is_turned_where_only_positive_numbers_have_a_meaning():
    said = [repr(slip) for _, slip in slips_of("log(x*y) == log(x) + log(y)", "x: positive; y: positive")]
    assert not any("log(-" in one or "-x" in one for one in said)
    assert "log(x*y) == log(x) - log(y)" in said


# --- the ledger kills them --------------------------------------------------------------------------------------------


def test_each_mutant_is_killed_and_each_original_proved(outcomes):
    assert failures(outcomes) == []
    assert sum(outcome.caught in ("exact", "general") for outcome in outcomes) >= 0.8 * len(outcomes)
    for outcome in outcomes:
        engines = {item.engine: item.outcome for item in outcome.false.evidence}
        if outcome.false.verdict is Verdict.REFUTED:
            assert outcome.false.witness
            assert "holds" not in engines.values()
        else:
            assert engines["torch reading"] == "holds"
        assert outcome.true.verdict is Verdict.PROVED


def mutant(kind, id="Q", **claim):
    return next(one for one in mutants_of(Claim(id, **claim)) if one.kind == kind)


def test_a_hypothesis_that_is_needed_is_missed_one_on_domains_is_said_and_one_that_is_not_needed_changes_nothing():
    needed = mutant("hypothesis", "Q1", formulas=("sum(t) == 1",), let="t: K distribution")
    domain = mutant("hypothesis", "Q2", formulas=("y/y == 1",), let="y: K", where=("y != 0",))
    idle = mutant("hypothesis", "Q3", formulas=("t - t == 0",), let="t: K distribution")
    first, second, third = run([needed, domain, idle])
    assert (first.caught, second.caught, third.caught) == ("general", "condition", "")
    assert (second.changes_nothing, third.changes_nothing) == (False, True)
    assert not any(one.survived for one in (first, second, third))


def test_a_counterexample_is_none_to_conditions_on_what_a_formula_does_not_name():
    """Planted: what is not in the formula is always 1, and 1 - b is 0: nothing was ever refuted there."""
    [outcome] = run([mutant("sign", formulas=("x + x == 2*x",), let="x: real; b: real", where=("1 - b != 0",))])
    assert outcome.caught == "general"


def test_each_cell_that_is_a_witness_is_off_by_more_than_rounding(outcomes):
    for outcome in (one for one in outcomes if one.mutant in WRITTEN):
        assert abs(int(outcome.false.witness["printed"]) - int(outcome.false.witness["computed"])) > 1


# --- a ledger that is broken is caught --------------------------------------------------------------------------------

ANYWHERE = Decision("nonzero", witness=Witness({}, sp.S.One, "1.0", 2))


def test_blind_engines_let_every_mutant_survive(monkeypatch):
    """SymPy's core and the canonical form say "zero" to everything: torch does not, so that nothing is as true."""
    monkeypatch.setattr(Proof, "_decide", lambda *_: Decision("zero"))
    monkeypatch.setattr(evaluation, "_decision", lambda *_: Canonical("proved", ""))
    monkeypatch.setattr(Findings, "holds", lambda *_, **__: None)
    found = run([*SOME, *WRITTEN])
    assert all(outcome.survived for outcome in found)
    lines = failures(found)
    assert len(lines) == len(found)
    assert "T1.4c.sign" in lines[0]
    assert "the engines disagree" in lines[0]


def test_one_blind_engine_is_a_disagreement(monkeypatch):
    """The index calculus says "zero" to everything; its own replay does not, nor do the others."""
    monkeypatch.setattr(decision, "_decide_for_every_k", lambda *_: Decision("zero"))
    found = run(SOME)
    assert all(outcome.survived for outcome in found)
    assert all("index calculus: Disagreement: a zero was found, and the replay" in line for line in failures(found))


def test_engines_that_always_refute_kill_the_originals_wrongly(monkeypatch):
    monkeypatch.setattr(Proof, "_decide", lambda *_: ANYWHERE)
    found = run(SOME)
    assert not any(outcome.survived for outcome in found)
    [line] = failures(found)
    assert line.startswith("wrongly killed: T1.4c.true (grad(softce(t, x), x) == y - t) is undecided: the engines")


def test_a_refutation_without_a_witness_and_a_crash_kill_nothing(monkeypatch):
    def crash(*_):
        raise ZeroDivisionError("by the mutant")

    monkeypatch.setattr(evaluation, "_decision", lambda *_: Canonical("undecided", "", reason="too hard"))
    for broken in (lambda *_: Decision("nonzero"), lambda *_: Decision("undecided", reason="too hard"), crash):
        monkeypatch.setattr(Proof, "_decide", broken)
        [outcome] = run(SOME[:1])
        assert outcome.survived
        assert len(failures([outcome])) == 2
    assert "ZeroDivisionError" in failures([outcome])[0]


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_table_and_the_summary_count_by_kind_and_by_end(outcomes):
    output = io.StringIO()
    Console(width=140, file=output).print(mutants_table(outcomes))
    lines = {line.split()[0]: line.split()[1:] for line in output.getvalue().splitlines() if line.split()}
    for kind in KINDS:
        ours = [outcome for outcome in outcomes if outcome.mutant.kind == kind]
        ends = [sum(one.caught == end for one in ours) for end in ("exact", "general", "condition")]
        as_true = sum(one.changes_nothing for one in ours)
        assert not ours or lines[kind][:6] == [str(n) for n in (len(ours), *ends, as_true, 0)]
    true = len(originals(outcomes))
    assert summary(outcomes).startswith(f"{len(outcomes)} mutants: ")
    assert summary(outcomes).endswith(f"0 survived; of their {true} originals {true} proved")
    assert summary([]).startswith("0 mutants")
