"""The catalogue of mutants: what is in it is what it says, the ledger kills it, and a ledger that is broken is caught.

Which sides are equal is checked here by plain evaluation in SymPy, which shares nothing with the engines.
"""

from __future__ import annotations

import io
import re

import pytest
import sympy as sp
from rich.console import Console

from softmax_trick.ledger import mutants as machinery
from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.mutants import (
    KINDS,
    differ,
    entries,
    equations,
    failures,
    made_from,
    mutants_of,
    run,
    value_at,
)
from softmax_trick.ledger.proof import Proof
from softmax_trick.proofs import theorem_1, theorem_a1
from softmax_trick.proofs.mutants import WRITTEN, catalogue
from softmax_trick.report.mutants import mutants_table, summary
from softmax_trick.symbolic import EVERY_K, Decision, GivenK, Matrix, Vector, Witness, decision, diag, softmax

THEOREMS = [*theorem_1.CLAIMS, *theorem_a1.CLAIMS]
CATALOGUE = catalogue(THEOREMS)
SYMBOLIC = [mutant for mutant in CATALOGUE if mutant.false.proof]
MADE = [mutant for mutant in CATALOGUE if mutant not in WRITTEN]
# Every third of a kind, to save time: `make mutants`, which is a part of CI, decides them all, and of all claims.
DECIDED = [*WRITTEN, *(mutant for kind in KINDS for mutant in [one for one in MADE if one.kind == kind][::3])]
SOME = [mutant for mutant in CATALOGUE if mutant.of in ("T1.4c", "A1c", "Table1")]


def names(mutants):
    return [mutant.false.id for mutant in mutants]


@pytest.fixture(scope="module")
def outcomes():
    return {outcome.mutant.false.id: outcome for outcome in run(DECIDED)}


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_the_theorems_and_what_is_written_by_hand_are_enough():
    assert len(CATALOGUE) >= 120
    assert {mutant.kind for mutant in CATALOGUE} == set(KINDS)
    assert {mutant.kind for mutant in WRITTEN} == set(KINDS)
    for kind in KINDS:
        assert sum(mutant.kind == kind for mutant in CATALOGUE) >= 8, kind


def test_names_and_statements_are_distinct():
    claims = [claim for mutant in CATALOGUE for claim in (mutant.false, mutant.true)]
    assert len({claim.id for claim in claims}) == len(claims)
    assert len({mutant.false.says for mutant in CATALOGUE}) == len(CATALOGUE)


def test_every_true_claim_with_a_proof_or_a_formula_has_mutants_and_no_false_one():
    true = {claim.id for claim in THEOREMS if (claim.proof or claim.formulas) and not claim.repaired_by}
    true -= {"A1r.trick"}  # of which logic leaves the equations of A1.2-3r and A1.3-2 alone
    assert {mutant.of for mutant in made_from(THEOREMS)} == true
    assert not true & {"T1.1", "T1.2", "T1.4d", "A1.2-1", "A1.2-3"}


def mirrored(equation):
    """Both sides, scalars, where every symbol that may be negative is."""

    def mirror(side):
        return sp.sympify(side).xreplace({symbol: -symbol for symbol in side.free_symbols if not symbol.is_positive})

    return mirror(equation.left), mirror(equation.right)


@pytest.mark.parametrize("mutant", SYMBOLIC, ids=names(SYMBOLIC))
def test_a_mutant_is_false_and_its_rewording_true_by_plain_evaluation(mutant):
    false = equations(mutant.false.proof, GivenK(3))[-1]
    true = equations(mutant.true.proof, GivenK(3))[-1]
    assert differ(false.left, false.right, false.distributions) or differ(*mirrored(false))
    assert not differ(true.left, true.right, true.distributions)
    first, other = next(entries(true.left)), next(entries(true.right))
    point = machinery.a_point(first.free_symbols | other.free_symbols, true.distributions)
    assert value_at(first, point) == value_at(first, point)  # a number, not nan
    assert value_at(other, point) == value_at(other, point)


# --- the ledger kills them --------------------------------------------------------------------------------------------


def test_each_mutant_is_killed_and_no_rewording(outcomes):
    assert {outcome.mutant.kind for outcome in outcomes.values() if outcome.mutant in MADE} == set(KINDS)
    assert failures(list(outcomes.values())) == []
    for outcome in outcomes.values():
        assert outcome.killed
        assert outcome.false.verdict is Verdict.REFUTED
        assert outcome.true.verdict is Verdict.PROVED
        assert outcome.rung in ("exact", "general")


@pytest.mark.parametrize("name", names(mutant for mutant in DECIDED if mutant in SYMBOLIC))
def test_each_witness_is_one_by_plain_evaluation(outcomes, name):
    """The sides differ at the witness, by as much as it says, and it obeys the hypotheses."""
    outcome = outcomes[name]
    witnesses = [item.witness for item in outcome.false.evidence if item.outcome == "fails" and item.witness]
    assert len(witnesses) >= 1
    for witness in witnesses:
        classes = int(witness.get("K", "2"))  # where K cancelled, at any
        equation = equations(outcome.mutant.false.proof, GivenK(classes))[-1]
        left, right = (_entry(side, witness) for side in (equation.left, equation.right))
        # A symbol that cancelled is free to be 1.
        point = {
            symbol: sp.Rational(witness.get(str(symbol), "1")) for symbol in left.free_symbols | right.free_symbols
        }
        stated = float(re.sub(r".* = \[?(-?[\d.e+-]+).*", r"\1", witness["left - right"]))
        assert abs(stated) > 1e-9
        assert complex(value_at(left, point) - value_at(right, point)) == pytest.approx(stated, rel=1e-6)
        for distribution in equation.distributions:
            assert sum(sp.Rational(witness[str(entry)]) for entry in entries(distribution)) == 1


def _entry(side, witness):
    if isinstance(side, Matrix):
        return side[int(witness["i"]), int(witness["j"])]
    return side[int(witness["i"])] if isinstance(side, Vector) else sp.sympify(side)


@pytest.mark.parametrize("name", [mutant.false.id for mutant in WRITTEN if mutant.false.formulas])
def test_what_is_written_by_hand_is_false_or_true_in_floating_point_too(outcomes, name):
    """The torch reading shares nothing with what decides."""
    found = outcomes[name]
    for result, expected in ((found.false, "fails"), (found.true, "holds")):
        assert {item.engine: item.outcome for item in result.evidence}["torch reading"] == expected


@pytest.mark.parametrize("name", [name for name in names(WRITTEN) if name.startswith("Table")])
def test_each_cell_that_is_a_witness_is_off_by_more_than_rounding(outcomes, name):
    witness = outcomes[name].false.witness
    assert abs(int(witness["printed"]) - int(witness["computed"])) > 1


# --- where an operator does not apply ---------------------------------------------------------------------------------


def kinds_of(proof, classes=(2, 3)):
    return {mutant.kind for mutant in mutants_of(Claim("Q", "", "", "", proof=proof, classes=classes))}


def test_zero_has_no_other_sign_nor_factor():
    assert kinds_of(lambda p: p.statement("0 = 0", sp.S.Zero, sp.S.Zero)) == set()


def test_a_symmetric_matrix_is_not_transposed_nor_summed_over_the_other_axis():
    def symmetric(p):
        p.statement("D = D", diag(p.vector("x")), diag(p.vector("x")))

    def not_symmetric(p):
        p.statement("J = J", p.classes.matrix("J"), p.classes.matrix("J"))

    assert {"transpose", "axis"} & kinds_of(symmetric) == set()
    assert {"transpose", "axis"} <= kinds_of(not_symmetric)


def test_equal_entries_have_no_wrong_index_and_constants_no_quantifier():
    kinds = kinds_of(lambda p: p.statement("2 = 2", p.classes.constant(2), p.classes.constant(2)))
    assert kinds == {"sign", "factor", "exponent", "reduction"}


def test_one_has_no_wrong_exponent():
    assert "exponent" not in kinds_of(lambda p: p.statement("1 = 1", softmax(p.vector("x")).sum(), 1))


def test_a_hypothesis_that_is_not_needed_is_not_dropped():
    def needed(p):
        p.statement("sum t = 1", p.vector("t").sum(), 1, (p.vector("t"),))

    def not_needed(p):
        p.statement("t = t", p.vector("t"), p.vector("t"), (p.vector("t"),))

    assert "hypothesis" in kinds_of(needed)
    assert "hypothesis" not in kinds_of(not_needed)


def test_a_distribution_is_not_scaled_and_a_positive_vector_keeps_its_sign():
    def distribution(p):
        t = p.vector("t", positive=True)
        p.statement("log t = log t", t.map(sp.log), t.map(sp.log), (t,))

    [equation] = equations(distribution, EVERY_K)
    targets = {(operator.kind, operator.says): list(operator.targets(equation)) for operator in machinery.OPERATORS}
    assert targets["factor", "2 {v} for {v}"] == targets["sign", "-{v} for {v}"] == []
    assert targets["quantifier", "any {v}' for {v}"] == ["t"]


def test_an_equation_that_is_there_for_some_k_only_is_left_alone():
    def uneven(p):
        x = p.vector("x")
        for _ in range(p.classes.classes if isinstance(p.classes, GivenK) else 1):
            p.equal("x = x", x, x)
        p.statement(f"2 x = x + x for {p.classes}", x * 2, x + x)

    for mutant in mutants_of(Claim("Q", "", "", "", proof=uneven, classes=(2, 3))):
        assert mutant.false.heading.startswith("x = x")


def test_nothing_is_decided_while_the_catalogue_is_made(monkeypatch):
    """Otherwise a ledger that is blind would shorten the list of what it has to see."""

    def never(*_):
        raise AssertionError("an engine was asked")

    expected = names(made_from(THEOREMS))
    monkeypatch.setattr(Proof, "_decide", never)
    monkeypatch.setattr("softmax_trick.symbolic.decision.decide", never)
    machinery._recorded.cache_clear()
    assert names(made_from(THEOREMS)) == expected


def test_a_claim_has_the_same_mutants_whatever_other_claims_there_are(monkeypatch):
    alone = [mutant.false.says for mutant in made_from([claim for claim in THEOREMS if claim.id == "A1c"])]
    together = [mutant.false.says for mutant in made_from(THEOREMS) if mutant.of == "A1c"]
    assert alone == together
    monkeypatch.setattr(machinery, "MOST", 40)
    fewer = [mutant.false.says for mutant in made_from(THEOREMS) if mutant.of == "A1c"]
    assert fewer == alone[: len(fewer)]
    assert 0 < len(fewer) < len(alone)
    assert len(list(made_from(THEOREMS))) <= 40


# --- a ledger that is broken is caught --------------------------------------------------------------------------------

ANYWHERE = Decision("nonzero", witness=Witness({}, sp.S.One, "1.0", 2))


def test_blind_engines_let_every_mutant_survive(monkeypatch):
    monkeypatch.setattr(Proof, "_decide", lambda *_: Decision("zero"))
    monkeypatch.setattr(Findings, "holds", lambda *_, **__: None)
    found = list(run(SOME))
    assert not any(outcome.killed or outcome.wrongly_killed for outcome in found)
    assert all(outcome.rung is None for outcome in found)
    lines = failures(found)
    assert len(lines) == len(SOME)
    assert lines[0] == f"survived: {SOME[0].false.id} ({SOME[0].false.says}) is proved"


def test_one_blind_engine_is_a_disagreement(monkeypatch):
    """The index calculus says "zero" to everything; its own replay does not, nor do explicit algebra and z3."""
    monkeypatch.setattr(decision, "_decide_for_every_k", lambda *_: Decision("zero"))
    found = list(run(mutant for mutant in SOME if mutant.of == "T1.4c"))
    assert found
    assert not any(outcome.killed for outcome in found)
    assert all("index calculus: Disagreement: a zero was found, and the replay" in line for line in failures(found))


def test_engines_that_always_refute_kill_the_rewordings_wrongly(monkeypatch):
    monkeypatch.setattr(Proof, "_decide", lambda *_: ANYWHERE)
    found = list(run(mutant for mutant in SOME if mutant.false.proof))
    assert all(outcome.killed and outcome.wrongly_killed for outcome in found)
    lines = failures(found)
    assert len(lines) == len(found)
    assert all(line.startswith("wrongly killed: ") and "is refuted: K = 2" in line for line in lines)


def test_engines_that_decide_nothing_fail_both_ways(monkeypatch):
    monkeypatch.setattr(Proof, "_decide", lambda *_: Decision("undecided", reason="too hard"))
    found = list(run(mutant for mutant in SOME if mutant.false.proof))
    assert all(outcome.wrongly_killed and not outcome.killed for outcome in found)
    assert len(failures(found)) == 2 * len(found)
    assert "too hard" in failures(found)[0]


def test_a_refutation_without_a_witness_kills_nothing(monkeypatch):
    monkeypatch.setattr(Proof, "_decide", lambda *_: Decision("nonzero"))
    assert not any(outcome.killed for outcome in run(mutant for mutant in SOME if mutant.false.proof))


def test_an_algebra_that_forgets_to_transpose_lets_those_mutants_survive(monkeypatch):
    monkeypatch.setattr(Matrix, "T", property(lambda self: self))
    found = {outcome.mutant.false.id: outcome for outcome in run(SOME)}
    assert not found["A1c.transpose"].killed
    assert found["A1c.sign"].killed


def test_a_crash_is_no_kill(monkeypatch):
    def crash(*_):
        raise ZeroDivisionError("by the mutant")

    monkeypatch.setattr(Proof, "_decide", crash)
    [outcome] = run(SOME[:1])
    assert not outcome.killed
    assert outcome.wrongly_killed
    assert "ZeroDivisionError" in failures([outcome])[0]


# --- the report -------------------------------------------------------------------------------------------------------


def printed(found):
    output = io.StringIO()
    Console(width=120, file=output).print(mutants_table(found))
    return output.getvalue()


def test_the_table_counts_by_kind_and_by_rung(outcomes):
    found = list(outcomes.values())
    text = printed(found)
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()[:1] != []}
    for kind in KINDS:
        ours = [outcome for outcome in found if outcome.mutant.kind == kind]
        exact, general = (sum(outcome.rung == rung for outcome in ours) for rung in ("exact", "general"))
        assert lines[kind][:5] == [str(n) for n in (len(ours), exact, general, 0, 0)]
    assert lines["all"][0] == str(len(found))
    assert f"{len(found)} mutants: {len(found)} killed, 0 survived" in text


def test_the_summary_counts_survivors_and_wrong_kills(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Proof, "_decide", lambda *_: Decision("zero"))
        blind = list(run(SOME[:2]))
    with monkeypatch.context() as patch:
        patch.setattr(Proof, "_decide", lambda *_: ANYWHERE)
        strict = list(run(SOME[:2]))
    assert summary([*blind, *strict]) == (
        "4 mutants: 2 killed, 2 survived; of their true rewordings 2 proved, 2 wrongly killed"
    )
    assert printed([]).strip()
