"""What a reader sees is what was decided: a slip in the formula of a claim, and in nothing else, changes the verdict.

The slips are those that `decide` knows how to undo, made in the text of a claim; the text is printed, read, proved and
decided as ever. A slip that leaves the formula equal is no error, and torch says so, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from softmax_trick.language.expression import Variable, entrywise
from softmax_trick.language.grammar import Statement
from softmax_trick.language.text import bare, statement_to_text
from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.evaluation import by_canonical_form, sampled
from softmax_trick.ledger.gathering import _symbolic, concludes
from softmax_trick.proofs import CLAIMS, PAPER
from softmax_trick.statements.nearest import slips, usual_factors
from softmax_trick.symbolic import GivenK

VERDICTS = PAPER.recorded
TRUE = [name for name, claim in CLAIMS.items() if claim.formulas and VERDICTS[name] == "proved"]
FALSE = [name for name, claim in CLAIMS.items() if claim.formulas and VERDICTS[name] == "refuted" and claim.repaired_by]
SLIPS = 3  # for each formula
TURNED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def with_slips(statement: Statement, seed: str) -> Iterator[Statement]:
    """Statements that differ from one by a slip, of different kinds as far as there are any."""
    match statement.expressions:
        case (left, right) if statement.relation == "==":
            left, right = bare(left), bare(right)
            found = list(slips(right, left, list(usual_factors(left, right))))
            if right == entrywise("multiply", right, 0) or not found:  # a right side that is a number
                found = [*found, *slips(left, right, list(usual_factors(right, left)))]
            Random(seed).shuffle(found)
            kinds = {one.slip: replace(statement, expressions=(left, one.formula)) for one in found}
            yield from kinds.values()
            yield from (replace(statement, expressions=(left, right + n)) for n in (1, -1, 2))
        case (left, right) if statement.relation in TURNED:
            yield replace(statement, relation=TURNED[statement.relation])
        case (matrix,):
            yield replace(statement, expressions=(-matrix,))
        case (field, by):
            weight = Variable("v'", field.axes, "real", "")
            yield replace(statement, expressions=(field * weight, by))


def with_formula(claim: Claim, number: int, statement: Statement) -> Claim:
    formulas = list(claim.formulas)
    formulas[number] = statement_to_text(statement)
    return replace(claim, formulas=tuple(formulas))


def by_proof(claim: Claim) -> str:
    """What SymPy's proof says of it for the least K; an inequality is none of its business."""
    if not claim.is_over_classes:
        return "open"
    least = [GivenK(max(2, *claim.classes[:1]))]
    return _symbolic(claim, claim.proof or concludes, "explicit algebra", "exact", "", least).outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUE)
def test_a_slip_in_a_formula_changes_the_verdict(name):
    claim = CLAIMS[name]
    changed = 0
    for number, formula in enumerate(claim.stated):
        for place, statement in enumerate(islice(with_slips(formula.statement, name), SLIPS)):
            wrong = with_formula(claim, number, statement)
            found = by_canonical_form(wrong).outcome
            if found == "holds":  # then it is as true as the claim: in floating point, too
                assert sampled(wrong).outcome == "holds", wrong.formulas[number]
                continue
            changed += 1
            assert found == "fails" or sampled(wrong).outcome == "fails", wrong.formulas[number]
            if place == 0 and formula.is_over_classes:
                assert by_proof(wrong) != "holds", wrong.formulas[number]
    assert changed >= len(claim.formulas), name


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_as_printed_is_proved_with_the_formula_of_its_repair(name):
    """The verdict is the formula's: nothing else in the claim says that it is false."""
    claim, repair = CLAIMS[name], CLAIMS[str(CLAIMS[name].repaired_by)]
    if len(repair.formulas) == len(claim.formulas):
        assert by_canonical_form(claim).outcome != "holds"
        assert by_canonical_form(replace(claim, formulas=repair.formulas, let=repair.let)).outcome == "holds"
