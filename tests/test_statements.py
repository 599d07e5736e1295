"""What a reader sees is what was decided: a slip in the formula of a claim, and in nothing else, changes the verdict.

The slips are those of the mutants, made in the text of a claim; the text is printed, read, proved and decided as ever.
A slip that leaves the formula equal is no error, and torch says so, too.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from statement_mutants import with_a_slip

from softmax_trick.language.expression import LanguageError
from softmax_trick.language.grammar import proposition
from softmax_trick.language.proposition import Implies, Proposition, Related, checked
from softmax_trick.language.text import declarations, together
from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.evaluation import by_canonical_form, sampled
from softmax_trick.ledger.gathering import _symbolic, concludes
from softmax_trick.ledger.slips import slips
from softmax_trick.proofs import CLAIMS, PAPER
from softmax_trick.symbolic import GivenK

VERDICTS = PAPER.recorded
TRUE = [name for name, claim in CLAIMS.items() if claim.formulas and VERDICTS[name] == "proved"]
FALSE = [name for name, claim in CLAIMS.items() if claim.formulas and VERDICTS[name] == "refuted" and claim.repaired_by]
SLIPS = 3  # for each formula


def with_formula(claim: Claim, number: int, said: Proposition) -> Claim:
    formulas = list(claim.formulas)
    formulas[number] = repr(said)
    return replace(claim, formulas=tuple(formulas), let=together(claim.let, declarations(said)))


def by_proof(claim: Claim) -> str:
    """What SymPy's proof says of it for the least K; an inequality is none of its business."""
    if not claim.is_over_classes:
        return "open"
    least = [GivenK(max(2, *claim.classes[:1]))]
    return _symbolic(claim, claim.proof or concludes, "explicit algebra", "exact", "", least).outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TRUE if not any(one.has_words for one in CLAIMS[name].stated)])
def test_a_slip_in_a_formula_changes_the_verdict(name):
    claim = CLAIMS[name]
    changed = 0
    for number, formula in enumerate(claim.stated):
        said = formula.statement.says
        found_slips = [false for _, false in slips(said)] if isinstance(said, Related) else []
        for place, slip in enumerate(Random(name).sample(found_slips, min(SLIPS, len(found_slips)))):
            wrong = with_formula(claim, number, slip)
            found = by_canonical_form(wrong).outcome
            if found == "holds":  # then it is as true as the claim: in floating point, too
                assert sampled(wrong).outcome == "holds", wrong.formulas[number]
                continue
            changed += 1
            assert found == "fails" or sampled(wrong).outcome == "fails", wrong.formulas[number]
            if place == 0 and formula.is_over_classes:
                assert by_proof(wrong) != "holds", wrong.formulas[number]
    assert changed >= len(claim.formulas), name


WITH_WORDS = [name for name in TRUE if any(formula.has_words for formula in CLAIMS[name].stated)]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_WORDS)
def test_a_slip_in_a_statement_with_words_changes_the_verdict(name):
    """In its formulas, its hypotheses, the order of its quantifiers: three of the text alone, drawn; each of them is
    not proved any more, or is decided to be as true as the claim.
    """
    claim = CLAIMS[name]
    whole = proposition(claim.formulas[0], claim.let)
    found = list({repr(one): one for one in with_a_slip(whole) if is_well_formed(one)}.values())
    Random(name).shuffle(found)
    decides = (lambda one: by_canonical_form(one).outcome) if by_canonical_form(claim).outcome == "holds" else by_steps
    assert decides(claim) == "holds"
    changed = 0
    for tried, slip in enumerate(found, 1):
        wrong = replace(claim, formulas=(repr(slip), *claim.formulas[1:]))
        if decides(wrong) != "holds":
            changed += 1
        else:
            assert "holds" in (by_canonical_form(wrong).outcome, sampled(wrong).outcome), slip
        if tried >= SLIPS and changed:
            break
    assert changed, name
    assert tried >= min(SLIPS, len(found))


def by_steps(claim: Claim) -> str:
    """What SymPy's proof of a claim says of it for K = 2."""
    return _symbolic(claim, claim.proof or concludes, "explicit algebra", "exact", "", [GivenK(2)]).outcome


def is_well_formed(said: Proposition) -> bool:
    try:
        return bool(checked(said).expressions)
    except LanguageError:
        return False


def test_a_slip_in_its_logic_is_found():
    """A hypothesis that is forgotten, an implication and quantifiers that are turned round."""
    claim = CLAIMS["A1.2-3r"]
    assert by_canonical_form(claim).outcome == "holds"
    premise, conclusion = proposition(claim.formulas[0], claim.let).parts
    for wrong in (conclusion, Implies(conclusion, premise), Implies(premise.parts[0], conclusion)):
        assert by_canonical_form(replace(claim, formulas=(repr(wrong),))).outcome != "holds"


def test_a_proof_that_finds_a_function_shows_the_hypotheses_of_it():
    """A1.2-1r cites that no other F has (P2): a slip in (P2), and that F has not what the claim supposes."""
    claim = CLAIMS["A1.2-1r"]
    wrong = claim.formulas[0].replace("J == (diag(y) - outer(y, y))", "J == (diag(y) + outer(y, y))")
    assert (by_steps(claim), by_steps(replace(claim, formulas=(wrong,)))) == ("holds", "open")


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_as_printed_is_proved_with_the_formula_of_its_repair(name):
    """The verdict is the formula's: nothing else in the claim says that it is false."""
    claim, repair = CLAIMS[name], CLAIMS[str(CLAIMS[name].repaired_by)]
    if len(repair.formulas) == len(claim.formulas) and not any(one.has_words for one in repair.stated):
        assert by_canonical_form(claim).outcome != "holds"
        assert by_canonical_form(replace(claim, formulas=repair.formulas, let=repair.let)).outcome == "holds"
