"""Mutants: false neighbours of true claims, to test what decides claims. Each must be refuted, and its original proved.

A mutant is an equation or an inequality that a claim states, with one slip in it (`ledger.slips`) or without one of its
hypotheses. It is decided as a claim without steps is, by every engine, and so is the original beside it: the ledger
does not only say no. A mutant that is not refuted, with a witness, has survived: the ledger would let that error pass.

Two other ends are no survival, and each is decided, not assumed. Where what is missing is that something is defined, a
logarithm's argument positive or a denominator not 0, the mutant is proved under a condition that its statement does not
say, and this is noticed. And a few slips change nothing, as when a symmetric matrix is transposed: the mutant is proved
without such a condition, and torch, which shares nothing with what proves it, finds no counterexample either.

Statements with words about an unknown function have no mutants: with a slip they are false of some function, and no
point says of which. That they are not proved any more is tested in tests/test_statements.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from random import Random

from softmax_trick.language.expression import LanguageError
from softmax_trick.language.proposition import Related, variables_in
from softmax_trick.language.text import declaration, declarations, together
from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.formulas import Formula, fewest
from softmax_trick.ledger.run import Ledger, Result
from softmax_trick.ledger.slips import KINDS, Kind, slips

CLASSES = (2, 3)  # given K for which mutants and rewordings are decided by explicit algebra


@dataclass(frozen=True)
class Mutant:
    """A false claim beside a true one.

    Attributes:
        kind: what was changed.
        of: the ID of the claim that it was made from.
        false: must be refuted, with a witness.
        true: what that claim says, to be decided as the false one is; must be proved.
    """

    kind: Kind
    of: str
    false: Claim
    true: Claim


# --- running them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What the ledger says of a mutant and of its original.

    Attributes:
        mutant: the two claims.
        false: the result for the false one.
        true: the result for the true one.
    """

    mutant: Mutant
    false: Result
    true: Result

    @property
    def caught(self) -> str:
        """How the mutant was caught: "general" if in symbolic K, else the rung of its refutation; "condition" if it is
        proved only where something is defined, which it does not say; "" if it was not.

        (A counterexample is exact, whoever finds it: the rung of the verdict does not say that it was found for
        symbolic K.)
        """
        if self.false.verdict is Verdict.REFUTED and self.false.witness:
            engines = {item.engine for item in self.false.evidence if item.outcome == "fails" and item.witness}
            return "general" if "index calculus" in engines else str(self.false.rung)
        return "condition" if self.false.verdict is Verdict.PROVED and _unstated(self.false) else ""

    @property
    def changes_nothing(self) -> bool:
        """Whether the mutant is as true as its original: proved, and torch finds no counterexample either."""
        sampled = {item.outcome for item in self.false.evidence if item.engine == "torch reading"}
        return is_proved(self.false) and bool(sampled) and sampled <= {"holds", "not run"}

    @property
    def survived(self) -> bool:
        """Whether the ledger lets the error pass."""
        return not (self.caught or self.changes_nothing)


def _unstated(result: Result) -> set[str]:
    return {condition for item in result.evidence for condition in item.unstated}


@contextmanager
def deciding(mutants: Sequence[Mutant]) -> Iterator[Iterator[Outcome]]:
    """The outcomes, in order, while several processes find them, see `Ledger.gathering`."""
    ledger = Ledger({claim.id: claim for mutant in mutants for claim in (mutant.false, mutant.true)})
    with ledger.gathering(list(ledger.claims)):
        yield (Outcome(one, ledger.result(one.false.id), ledger.result(one.true.id)) for one in mutants)


def run(mutants: Iterable[Mutant]) -> list[Outcome]:
    """All the outcomes."""
    with deciding(list(mutants)) as outcomes:
        return list(outcomes)


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each mutant that survived and each original that was wrongly killed: none if all is well."""
    lines = [f"survived: {_says(outcome.false)}" for outcome in outcomes if outcome.survived]
    return lines + [f"wrongly killed: {_says(result)}" for result in originals(outcomes) if not is_proved(result)]


def originals(outcomes: Sequence[Outcome]) -> list[Result]:
    """The results for the true claims, each once."""
    return list({outcome.true.claim.id: outcome.true for outcome in outcomes}.values())


def is_proved(result: Result) -> bool:
    """Whether a claim is proved, where it says."""
    return result.verdict is Verdict.PROVED and not _unstated(result)


def _says(result: Result) -> str:
    reason = result.judgement.reason or ", ".join(f"{name} = {value}" for name, value in (result.witness or {}).items())
    return f"{result.claim.id} ({result.claim.heading}) is {result.verdict}" + (f": {reason}" if reason else "")


# --- making them ------------------------------------------------------------------------------------------------------


def made_from(claims: Iterable[Claim]) -> Iterator[Mutant]:
    """Mutants of those claims that have formulas to be proved, and name nothing that is true instead."""
    for claim in claims:
        if not (claim.repaired_by or claim.correction or claim.counterexample or claim.measure):
            yield from mutants_of(claim)


def mutants_of(claim: Claim) -> Iterator[Mutant]:
    """At most one mutant of each kind of a true claim.

    Which one is taken depends on the claim alone: others come and go without changing it.
    """
    classes = tuple(k for k in claim.classes if k in CLASSES) or tuple(claim.classes)[:2]
    made = [one for formula in claim.stated for one in _made(formula)]
    plain = Claim(f"{claim.id}.true", formulas=claim.formulas, let=claim.let, where=claim.where, classes=classes)
    for kind in KINDS:
        found = [one for one in made if one[0] == kind]
        Random(f"{claim.id} {kind}").shuffle(found)
        for _, said, let, where in found:
            with suppress(LanguageError):
                let = together(let, declarations(said))
                false = replace(plain, id=f"{claim.id}.{kind}", formulas=(repr(said),), let=let, where=where)
                if false.stated[0].decided:
                    yield Mutant(kind, claim.id, replace(false, repaired_by=plain.id), plain)
                    break


def _made(formula: Formula) -> Iterator[tuple[Kind, Related, str, tuple[str, ...]]]:
    """By kind, each false statement that is made of a formula: a relation, declarations of its names, conditions."""
    said, let, where = formula.statement.says, formula.let, formula.where
    if not isinstance(said, Related):  # of an unknown function: no point refutes it
        return
    yield from ((kind, false, let, where) for kind, false in slips(said))
    for one in sorted({one for side in said.sides for one in variables_in(side)}, key=lambda one: one.name):
        if one.kind == "distribution":
            declared = declaration(replace(one, kind="nonnegative", along=""))
            yield "hypothesis", said, together(declared, let), where
    for condition in where:
        if fewest((condition,)) == 1:
            yield "hypothesis", said, let, tuple(one for one in where if one != condition)
