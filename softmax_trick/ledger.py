"""The ledger: run the claims, gather their evidence, compute their verdicts.

>>> from softmax_trick import verify
>>> [result] = verify("A1.2-1")
>>> result.verdict, result.rung, result.witness
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from softmax_trick.claims import Claim, Evidence, Judgement, Outcome, Rung, Verdict, judge
from softmax_trick.proof import Open, Proof, Refuted
from softmax_trick.symbolic import EVERY_K, Classes, GivenK


class UnknownClaim(ValueError):
    """There is no claim of that ID; the message suggests near ones."""


@dataclass(frozen=True)
class Result:
    """A claim, the evidence that was found, and what follows from it."""

    claim: Claim
    judgement: Judgement
    evidence: tuple[Evidence, ...]
    depends_on: tuple[str, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """proved, refuted, measured or undecided."""
        return self.judgement.verdict

    @property
    def rung(self) -> Rung | None:
        """The rung on which the verdict stands; None if undecided."""
        return self.judgement.rung

    @property
    def witness(self) -> dict[str, str] | None:
        """Where a refuted claim fails; what exists, for a proved claim of existence."""
        return next((item.witness for item in self.evidence if item.witness), None)


class Ledger:
    """Claims and the results reached so far; each claim is run once, and after those that it rests on.

    Args:
        claims: by ID; the paper's if not given.
    """

    def __init__(self, claims: Mapping[str, Claim] | None = None) -> None:
        if claims is None:
            from softmax_trick.proofs import CLAIMS

            claims = CLAIMS
        self.claims = claims
        self._results: dict[str, Result] = {}

    def select(self, ids: Sequence[str]) -> list[str]:
        """The IDs, or all of them if none is named.

        Raises:
            UnknownClaim: one of them is not in the ledger.
        """
        for name in ids:
            if name not in self.claims:
                near = difflib.get_close_matches(name, self.claims, n=3, cutoff=0.4)
                hint = f": did you mean {', '.join(near)}?" if near else ""
                raise UnknownClaim(f"unknown claim {name!r}{hint} (softmax-trick verify --list shows all)")
        return list(dict.fromkeys(ids)) or list(self.claims)

    def result(self, name: str) -> Result:
        """The result for one claim, run now if it has not been."""
        if name not in self._results:
            self._results[name] = self._run(self.claims[name])
        return self._results[name]

    def _run(self, claim: Claim) -> Result:
        start = time.perf_counter()
        uses: list[str] = []
        evidence = tuple(self._gather(claim, uses))
        return Result(claim, judge(evidence), evidence, tuple(dict.fromkeys(uses)), time.perf_counter() - start)

    def _gather(self, claim: Claim, uses: list[str]) -> Iterator[Evidence]:
        if claim.proof:
            fewest = min(claim.classes)
            every_k = "every K" if fewest == 1 else f"every K >= {fewest}"
            listed = f"K = {fewest}..{max(claim.classes)}"
            yield self._symbolic(claim.proof, "index calculus", "general", every_k, [EVERY_K], uses)
            given = [GivenK(k) for k in claim.classes]
            yield self._symbolic(claim.proof, "explicit algebra", "exact", listed, given, uses)
        if claim.counterexample:
            two = [GivenK(2)]
            yield self._symbolic(claim.counterexample, "explicit algebra", "exact", "a counterexample", two, uses)
        yield from _sampled(claim)

    def _symbolic(
        self,
        argument: Callable[[Proof], None],
        engine: str,
        rung: Rung,
        scope: str,
        classes: Sequence[Classes],
        uses: list[str],
    ) -> Evidence:
        """Run a proof or a counterexample for each of these classes; the first failure ends it."""
        start = time.perf_counter()
        outcome: Outcome = "holds"
        witness, reason, proof = None, "", Proof()
        for proof in (Proof(one, self._use) for one in classes):
            try:
                argument(proof)
                witness = witness or proof.witness
            except Refuted as refutation:
                # Whoever found it, a counterexample is an exact one.
                outcome, rung, witness, reason = "fails", "exact", refutation.witness, str(refutation)
            except Open as gap:
                outcome, reason = "open", str(gap)
            except Exception as error:
                outcome, reason = "crashed", f"{type(error).__name__}: {error}"
            uses += proof.uses
            if outcome != "holds":
                break
        seconds = time.perf_counter() - start
        return Evidence(engine, rung, scope, outcome, seconds, tuple(proof.steps), witness, reason)

    def _use(self, name: str) -> None:
        """Called by a proof that rests on another claim."""
        verdict = self.result(name).verdict
        if verdict is not Verdict.PROVED:
            raise Open(f"it rests on {name}, which is {verdict}")


def _sampled(claim: Claim) -> Iterator[Evidence]:
    """The claim in floating point, where there is a test of it."""
    from softmax_trick.proofs import sampled

    if claim.id not in sampled.SAMPLED:
        return
    start = time.perf_counter()
    outcome: Outcome
    try:
        reason = sampled.disagreement(claim.id) or ""
        outcome = "fails" if reason else "holds"
    except Exception as error:
        outcome, reason = "crashed", f"{type(error).__name__}: {error}"
    scope = f"{sampled.EXAMPLES} random examples for each K <= {max(sampled.CLASSES)}, float64"
    yield Evidence("torch autograd", "sampled", scope, outcome, time.perf_counter() - start, reason=reason)


def verify(*ids: str) -> list[Result]:
    """Decide the claims of these IDs, or all of them.

    Raises:
        UnknownClaim: there is no claim of such an ID.
    """
    ledger = Ledger()
    return [ledger.result(name) for name in ledger.select(ids)]


def differences(results: Sequence[Result], recorded: Mapping[str, str]) -> list[str]:
    """What is wrong with these results, one line each: undecided, or not as recorded by past runs."""
    lines = []
    for result in results:
        name, verdict = result.claim.id, result.verdict
        if verdict is Verdict.UNDECIDED:
            lines.append(f"{name} is undecided: {result.judgement.reason}")
        elif name not in recorded:
            lines.append(f'{name} is {verdict}, and no verdict is recorded: add "{name}": "{verdict}" to recorded.json')
        elif recorded[name] != verdict:
            lines.append(f"{name} is {verdict}, recorded as {recorded[name]}")
    return lines


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """The results as plain data, in the shape of softmax_trick/report/ledger.schema.json."""
    summary = {verdict.value: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    return {"summary": summary, "claims": [_claim_as_json(result) for result in results]}


def _claim_as_json(result: Result) -> dict[str, Any]:
    claim = result.claim
    return {
        "id": claim.id,
        "title": claim.title,
        "source": claim.source,
        "statement": claim.statement,
        "verdict": result.verdict.value,
        "rung": result.rung,
        "reason": result.judgement.reason or None,
        "hypotheses": list(claim.hypotheses),
        "witness": result.witness,
        "repaired_by": claim.repaired_by,
        "depends_on": list(result.depends_on),
        "evidence": [
            {"engine": item.engine, "rung": item.rung, "scope": item.scope, "outcome": item.outcome}
            | {"seconds": round(item.seconds, 4)}
            for item in result.evidence
        ],
    }
