"""The evidence for one claim, gathered by every engine that has a say: proofs, the canonical form, checks, samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from softmax_trick.language.expression import LanguageError
from softmax_trick.ledger.claims import Check, Claim, Evidence, Rung
from softmax_trick.ledger.evaluation import by_canonical_form, sampled
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import EXACT, Algebra, Proof
from softmax_trick.ledger.steps import Open, Refuted, Steps, broken_off
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import LONG_ENOUGH, Results, outcome
from softmax_trick.symbolic import EVERY_K, Classes, GivenK
from softmax_trick.symbolic.reading import side


def gather(claim: Claim, results: Results | None = None) -> Iterator[Evidence]:
    """The evidence for a claim, by every engine that has a say; what is measured, from these results."""
    side.cache_clear()  # what one engine reads of a claim another one reads again, and nobody after that
    canonical = by_canonical_form(claim) if claim.formulas else None
    # A proof speaks of all but the inequalities and the other axes: of these the canonical form has to.
    complete = claim.is_over_classes or (canonical is not None and canonical.outcome == "holds")
    # Nor does a check of something else prove formulas that nobody decides.
    decided = not claim.formulas or bool(claim.proof) or (canonical is not None and canonical.outcome == "holds")
    if claim.proof:
        yield from _proofs(claim, claim.proof, complete)
    elif claim.formulas and claim.is_over_classes and not (claim.counterexample or claim.statement):
        for evidence in _proofs(claim, concludes, complete):
            yield replace(evidence, outcome="gave up") if evidence.outcome == "open" else evidence
    if claim.counterexample:
        two = [GivenK(2)]
        yield _symbolic(claim, claim.counterexample, "explicit algebra", "exact", "a counterexample", two)
    if canonical:
        yield canonical
    for check in claim.checks:
        evidence = _check(check)
        yield replace(evidence, complete=evidence.complete and decided)
    if claim.measure:
        yield _measured(claim.measure, claim.figures, results)
    else:
        if claim.sample:
            yield claim.sample()
        if claim.formulas:
            yield sampled(claim)


def _proofs(claim: Claim, proof: Callable[[Proof], None], complete: bool) -> Iterator[Evidence]:
    from softmax_trick.symbolic.second_opinion import decide_by_z3, sign_by_z3

    fewest = min(claim.classes)
    every_k = "every K" if fewest == 1 else f"every K >= {fewest}"
    first = _symbolic(claim, proof, "index calculus", "general", every_k, [EVERY_K], fewest=fewest)
    yield replace(first, complete=complete)
    listed = f"K = {fewest}..{max(claim.classes)}"
    yield _symbolic(claim, proof, "explicit algebra", "exact", listed, [GivenK(k) for k in claim.classes])
    z3 = Algebra(decide_by_z3, sign_by_z3)
    second = _symbolic(claim, proof, "z3", "general", every_k, [EVERY_K], z3, fewest)
    second = replace(second, complete=complete)
    if second.outcome == "open":  # it refutes nothing; that there is no second opinion is said
        second = replace(second, outcome="gave up")
    yield second


def concludes(proof: Proof) -> None:
    """The proof of a claim without steps of its own: what it says is decided as it stands.

    Raises:
        Open: none of its formulas is an equation over the classes: there is nothing to decide in SymPy.
    """
    if proof.claim and not any(formula.is_over_classes for formula in proof.claim.stated):
        raise Open("no formula of the claim is an equation over the classes")
    proof.concludes()


def _symbolic(
    claim: Claim,
    prove: Callable[[Proof], None],
    engine: str,
    rung: Rung,
    scope: str,
    classes: Sequence[Classes],
    algebra: Algebra = EXACT,
    fewest: int = 1,
) -> Evidence:
    """Run a proof or a counterexample for each of these classes; the first failure ends it."""
    start = time.perf_counter()
    evidence, witness = Evidence(engine, rung, scope, "holds", 0.0), None
    uses: list[str] = []
    conditions: dict[str, None] = {}
    unstated: dict[str, None] = {}
    for one in classes:
        proof = Proof(one, algebra, fewest, claim=claim)
        evidence = _attempt(prove, proof, evidence)
        missing = set(range(1, len(claim.formulas) + 1)) - proof.concluded
        if missing and evidence.outcome == "holds" and prove is not claim.counterexample:
            reason = f"the proof does not end in what the claim says: formula {min(missing)} is missing"
            evidence = replace(evidence, outcome="open", reason=reason)
        uses += evidence.uses
        conditions |= dict.fromkeys(evidence.conditions)
        unstated |= dict.fromkeys(evidence.unstated)
        witness = witness or evidence.witness
        if evidence.outcome != "holds":
            break
    seconds = time.perf_counter() - start
    return replace(
        evidence,
        seconds=seconds,
        uses=tuple(dict.fromkeys(uses)),
        witness=evidence.witness or witness,
        conditions=tuple(conditions),
        unstated=tuple(unstated),
    )


def _check(check: Check) -> Evidence:
    start = time.perf_counter()
    findings = Findings()
    evidence = _attempt(check.run, findings, Evidence(check.engine, check.rung, check.scope, "holds", 0.0))
    complete = evidence.outcome == "holds" and check.rung != "sampled"
    seconds = time.perf_counter() - start
    return replace(evidence, seconds=seconds, figures=tuple(findings.figures), complete=complete)


def _attempt(run: Callable[[Any], None], taken: Steps, evidence: Evidence) -> Evidence:
    """Run a proof or a check, and say in the evidence how it ended."""
    try:
        run(taken)
        ended = replace(evidence, witness=taken.witness)
    except Refuted as refutation:
        # Whoever found it, a counterexample is an exact one.
        ended = replace(evidence, outcome="fails", rung="exact", witness=refutation.witness, reason=str(refutation))
    except Open as gap:
        ended = replace(evidence, outcome="open", reason=str(gap))
    except LanguageError as error:  # entries are read when they are decided
        ended = replace(evidence, outcome="open", reason=f"a formula is not read by SymPy: {error}")
    except Exception as error:
        ended = broken_off(evidence, error)
    unstated = tuple(condition for condition, stated in taken.conditions.items() if not stated)
    return replace(
        ended,
        steps=tuple(taken.steps),
        uses=tuple(taken.uses),
        conditions=tuple(taken.conditions),
        unstated=unstated,
    )


def _measured(measure: Callable[[Results], tuple[Figure, ...]], needed: int, results: Results | None) -> Evidence:
    """What our own experiments say of a statement about experiments that consists of so many figures."""
    nothing = Evidence("experiment", "sampled", "our own runs", "open", 0.0, reason="not run")
    if results is None:
        return nothing
    start = time.perf_counter()
    try:
        figures = measure(results)
    except Exception as error:
        return replace(nothing, outcome="crashed", reason=f"{type(error).__name__}: {error}")
    if not figures:
        return replace(nothing, reason=f"not run, or for less than {LONG_ENOUGH} epochs")
    scope = f"{results.source}: {max(figure.runs for figure in figures)} runs a figure"
    found = replace(nothing, scope=scope, seconds=time.perf_counter() - start, figures=figures)
    if (said := outcome(figures, needed)) != "open":
        return replace(found, outcome=said, reason="")
    if all(figure.agrees for figure in figures):
        return replace(found, reason=f"{len(figures)} of {needed} figures have been measured, and pass")
    if all(figure.low is None for figure in figures):
        return replace(found, reason="too few seeds for a test")
    return replace(found, reason="the interval leaves it open")
