"""The ledger: run the claims, gather their evidence, compute their verdicts.

>>> from softmax_trick import verify
>>> [result] = verify("A1.2-1")
>>> str(result.verdict), result.rung, result.witness["sum"]
('refuted', 'exact', '2/3')
"""

from __future__ import annotations

import difflib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import softmax_trick
from softmax_trick.language.expression import LanguageError
from softmax_trick.ledger.cache import Cache, Entry
from softmax_trick.ledger.claims import Check, Claim, Evidence, Judgement, Rung, Verdict, judge
from softmax_trick.ledger.digests import Digest, digest, libraries
from softmax_trick.ledger.evaluation import by_canonical_form, sampled
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.parallel import Gatherers
from softmax_trick.ledger.proof import EXACT, Algebra, Proof
from softmax_trick.ledger.steps import Open, Refuted, Steps, broken_off
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import LONG_ENOUGH, Results, committed_results, outcome
from softmax_trick.symbolic import EVERY_K, Classes, GivenK
from softmax_trick.system.extras import remedy


class UnknownClaim(ValueError):
    """There is no claim of that ID; the message suggests near ones."""


@dataclass(frozen=True)
class Result:
    """A claim, the evidence that was found, and what follows from it.

    Attributes:
        claim: the claim.
        judgement: its verdict, the rung on which it stands, and the reason if it is undecided.
        evidence: what each engine found.
        depends_on: the claims that the evidence rests on.
        conditional_on: those of them that are not proved, so that this one is not either.
        cached: whether the evidence is that of an earlier run.
        stale: what has changed since that run: statement, checker, libraries; the verdict is then that of the past.
        gathered: when evidence of an earlier run was gathered, in UTC; else "".
    """

    claim: Claim
    judgement: Judgement
    evidence: tuple[Evidence, ...]
    depends_on: tuple[str, ...]
    conditional_on: tuple[str, ...]
    cached: bool = False
    stale: tuple[str, ...] = ()
    gathered: str = ""

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

    @property
    def seconds(self) -> float:
        """Wall time of gathering the evidence, when it was gathered."""
        return sum(item.seconds for item in self.evidence)

    @property
    def digest(self) -> Digest:
        """What the evidence was made from."""
        return digest(self.claim)


class Ledger:
    """Claims and the results reached so far; each claim is run once, and after those that it rests on.

    Args:
        claims: by ID; the paper's if not given.
        cache: where evidence of earlier runs is found and evidence of this run is kept; nowhere if not given.
        results: the experiments from which the measured claims take their figures, if there are any.
        run: whether claims are run. If not, the results are those of earlier runs, stale or not.
        fresh: whether evidence of earlier runs is ignored.
        kernel: adds what the kernel of a proof assistant says of a claim, given by its ID, to the other evidence.
    """

    def __init__(
        self,
        claims: Mapping[str, Claim] | None = None,
        cache: Cache | None = None,
        results: Results | None = None,
        run: bool = True,
        fresh: bool = False,
        kernel: Callable[[str, tuple[Evidence, ...]], tuple[Evidence, ...]] | None = None,
    ) -> None:
        if claims is None:
            from softmax_trick.proofs import CLAIMS

            claims = CLAIMS
        self.claims = claims
        self.results_of_experiments = results
        self._cache, self._runs, self._fresh, self._kernel = cache, run, fresh, kernel
        self._results: dict[str, Result] = {}
        self._running: list[str] = []
        self._found: dict[str, Entry | None] = {}
        self._gatherers: Gatherers | None = None

    @contextmanager
    def gathering(self, names: Sequence[str], processes: int | None = None) -> Iterator[None]:
        """While this lasts, several processes gather the evidence for these claims; the results are the same.

        Args:
            names: the claims that will be asked for, in that order.
            processes: how many; by default as many as there are processors.
        """
        asked = [name for name in names if not self.claims[name].measure and self._is_to_be_gathered(self.claims[name])]
        self._gatherers = Gatherers(self, asked if self._runs else (), processes)
        try:
            yield
        finally:
            self._gatherers.close()
            self._gatherers = None

    def select(self, wanted: Sequence[str]) -> list[str]:
        """The IDs of the claims that are wanted, each once: all of them if nothing is named.

        Args:
            wanted: IDs, in any letter case, or patterns of them, such as "A1.*".

        Raises:
            UnknownClaim: one of them is no claim of the ledger, or a pattern of none.
        """
        return list(dict.fromkeys(name for one in wanted for name in self._called(one))) or list(self.claims)

    def _called(self, wanted: str) -> list[str]:
        """The claims of that ID or pattern."""
        if wanted in self.claims:
            return [wanted]
        pattern = wanted.casefold()
        same = [name for name in self.claims if name.casefold() == pattern]
        if found := same or [name for name in self.claims if fnmatchcase(name.casefold(), pattern)]:
            return found
        folded = {name.casefold(): name for name in self.claims}
        plain = re.sub(r"[*?\[\]!]", "", pattern)
        longer = [name for name in self.claims if plain and name.casefold().startswith(plain)]
        near = [folded[name] for name in difflib.get_close_matches(plain, folded, n=3, cutoff=0.4)]
        hints = [f"did you mean {', '.join(near)}?"] if near else []
        if longer:
            hints.append(f"{wanted}* is {', '.join(longer[:3])}{' ...' if len(longer) > 3 else ''}")
        kind = "no claim is called like" if plain != pattern else "unknown claim"
        hint = f": {'; '.join(hints)}" if hints else ""
        raise UnknownClaim(f"{kind} {wanted!r}{hint} (softmax-trick verify --list shows all)")

    def result(self, name: str) -> Result:
        """The result for one claim, run now if it has not been."""
        if name not in self._results:
            self._running.append(name)
            self._results[name] = self._run(self.claims[name])
            self._running.pop()
        return self._results[name]

    def _run(self, claim: Claim) -> Result:
        evidence, found = self._evidence(claim)
        if self._kernel:
            evidence = self._kernel(claim.id, evidence)
        uses = tuple(dict.fromkeys(name for item in evidence for name in item.uses))
        unproved = tuple(name for name in uses if not self._is_proved(name))
        return Result(claim, judge(evidence, unproved), evidence, uses, unproved, *found)

    def _evidence(self, claim: Claim) -> tuple[tuple[Evidence, ...], tuple[bool, tuple[str, ...], str]]:
        """The evidence for a claim; whether it is an earlier run's, what has changed since, and when that was."""
        new: tuple[bool, tuple[str, ...], str] = (False, (), "")
        if claim.measure:  # its evidence is the results file, which is not part of the digest
            return self.gather(claim) if self._runs else (), new
        found = self._known(claim)
        if found and not (found.changed and self._runs):
            return found.evidence, (True, found.changed, found.gathered)
        if not self._runs:
            return (), new
        evidence = (self._gatherers and self._gatherers.evidence(claim.id)) or self.gather(claim)
        if self._cache:
            self._cache.save(claim, evidence)
        return evidence, new

    def _known(self, claim: Claim) -> Entry | None:
        """The evidence of an earlier run, if it is to be used."""
        if claim.id not in self._found:
            self._found[claim.id] = self._cache.find(claim) if self._cache and not self._fresh else None
        return self._found[claim.id]

    def _is_to_be_gathered(self, claim: Claim) -> bool:
        found = self._known(claim)
        return found is None or bool(found.changed)

    def gather(self, claim: Claim) -> tuple[Evidence, ...]:
        """The evidence for a claim, found now, by every engine that has a say."""
        return tuple(self._gather(claim))

    def _is_proved(self, name: str) -> bool:
        """Whether a claim that another one rests on is proved; one that rests on itself is not."""
        if name in self._running or name not in self.claims:
            return False
        return self.result(name).verdict is Verdict.PROVED

    def _gather(self, claim: Claim) -> Iterator[Evidence]:
        canonical = by_canonical_form(claim) if claim.formulas else None
        # A proof speaks of all but the inequalities and the other axes: of these the canonical form has to.
        complete = claim.is_over_classes or (canonical is not None and canonical.outcome == "holds")
        # Nor does a check of something else prove formulas that nobody decides.
        decided = not claim.formulas or bool(claim.proof) or (canonical is not None and canonical.outcome == "holds")
        if claim.proof:
            yield from self._proofs(claim, claim.proof, complete)
        elif claim.formulas and claim.is_over_classes and not (claim.counterexample or claim.statement):
            for evidence in self._proofs(claim, concludes, complete):
                yield replace(evidence, outcome="gave up") if evidence.outcome == "open" else evidence
        if canonical:
            yield canonical
        if claim.counterexample:
            two = [GivenK(2)]
            yield _symbolic(claim, claim.counterexample, "explicit algebra", "exact", "a counterexample", two)
        for check in claim.checks:
            evidence = _check(check)
            yield replace(evidence, complete=evidence.complete and decided)
        if claim.measure:
            yield _measured(claim.measure, claim.figures, self.results_of_experiments)
        else:
            yield from _sampled(claim)
            if claim.formulas:
                yield sampled(claim)

    def _proofs(self, claim: Claim, proof: Callable[[Proof], None], complete: bool) -> Iterator[Evidence]:
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
    argument: Callable[[Proof], None],
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
        evidence = _attempt(argument, proof, evidence)
        missing = set(range(1, len(claim.formulas) + 1)) - proof.concluded
        if missing and evidence.outcome == "holds" and argument is not claim.counterexample:
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
    facts = Findings()
    evidence = _attempt(check.run, facts, Evidence(check.engine, check.rung, check.scope, "holds", 0.0))
    complete = evidence.outcome == "holds" and check.rung != "sampled"
    seconds = time.perf_counter() - start
    return replace(evidence, seconds=seconds, figures=tuple(facts.figures), complete=complete)


def _attempt(run: Callable[[Any], None], argument: Steps, evidence: Evidence) -> Evidence:
    """Run a proof or a check, and say in the evidence how it ended."""
    try:
        run(argument)
        ended = replace(evidence, witness=argument.witness)
    except Refuted as refutation:
        # Whoever found it, a counterexample is an exact one.
        ended = replace(evidence, outcome="fails", rung="exact", witness=refutation.witness, reason=str(refutation))
    except Open as gap:
        ended = replace(evidence, outcome="open", reason=str(gap))
    except LanguageError as error:  # entries are read when they are decided
        ended = replace(evidence, outcome="open", reason=f"a formula is not read by SymPy: {error}")
    except Exception as error:
        ended = broken_off(evidence, error)
    unstated = tuple(condition for condition, stated in argument.conditions.items() if not stated)
    return replace(
        ended,
        steps=tuple(argument.steps),
        uses=tuple(argument.uses),
        conditions=tuple(argument.conditions),
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


def _sampled(claim: Claim) -> Iterator[Evidence]:
    """The claim in floating point, where there is a test of it."""
    paper = sys.modules.get("softmax_trick.proofs")
    if paper is None or paper.CLAIMS.get(claim.id) is not claim:  # of another ledger, or made from one of the paper's
        return
    from softmax_trick.proofs import sampled

    if claim.id not in sampled.SAMPLED:
        return
    start = time.perf_counter()
    scope = f"{sampled.EXAMPLES} random examples for each K <= {max(sampled.CLASSES)}, float64"
    evidence = Evidence("torch autograd", "sampled", scope, "holds", 0.0)
    try:
        if reason := sampled.disagreement(claim.id):
            evidence = replace(evidence, outcome="fails", reason=reason)
    except Exception as error:
        evidence = broken_off(evidence, error)
    yield replace(evidence, seconds=time.perf_counter() - start)


def verify(*ids: str) -> list[Result]:
    """Decide the claims of these IDs or patterns, or all of them; what is measured, by the project's own results.

    Raises:
        UnknownClaim: there is no claim of such an ID or pattern.
    """
    ledger = Ledger(results=committed_results())
    return [ledger.result(name) for name in ledger.select(ids)]


def differences(results: Sequence[Result], recorded: Mapping[str, str]) -> list[str]:
    """What is wrong with these results, one line each: undecided, not as recorded, or true on a part of the domain.

    Where nothing at all is recorded, no verdict differs from what is. What was not run is no difference: `left_out`.
    """
    lines = []
    for result in results:
        name, verdict = result.claim.id, result.verdict
        if result.judgement.not_run:
            continue
        if verdict is Verdict.UNDECIDED and recorded.get(name) != verdict:
            lines.append(f"{name} is undecided: {result.judgement.reason}")
        elif recorded and name not in recorded:
            lines.append(f"{name} is {verdict}, and no verdict is recorded: verify --record {name} records it")
        elif recorded and recorded[name] != verdict:
            lines.append(f"{name} is {verdict}, recorded as {recorded[name]}")
        if verdict is Verdict.PROVED and (unstated := {one: None for item in result.evidence for one in item.unstated}):
            lines.append(f"{name} is proved only where {'; '.join(unstated)}, which its hypotheses do not say")
    return lines


def left_out(results: Sequence[Result]) -> str:
    """What was not run for want of torch, and what installs it, in one line; "" if nothing was left out."""
    missing = [(result, item) for result in results for item in result.evidence if item.outcome == "not run"]
    if not missing:
        return ""
    undecided = sum(result.judgement.not_run for result in results)
    checks = f"{len(missing)} {'check' if len(missing) == 1 else 'checks'} by torch"
    claims = f", which alone decide {undecided} {'claim' if undecided == 1 else 'claims'}" if undecided else ""
    return f"not run: {checks}{claims}: {missing[0][1].reason}: {remedy('torch')}"


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """The results as plain data, in the shape of softmax_trick/ledger/ledger.schema.json."""
    summary = {verdict.value: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    versions = {"softmax-trick": softmax_trick.__version__, **libraries()}
    return {"summary": summary, "versions": versions, "claims": [_claim_as_json(result) for result in results]}


def _claim_as_json(result: Result) -> dict[str, Any]:
    claim = result.claim
    return {
        "id": claim.id,
        "title": claim.heading,
        "source": claim.source,
        "statement": claim.says,
        "verdict": result.verdict.value,
        "rung": result.rung,
        "reason": result.judgement.reason or None,
        "quote": claim.quote or None,
        "hypotheses": list(claim.given),
        "witness": result.witness,
        "repaired_by": claim.repaired_by,
        "correction": claim.correction or None,
        "remark": claim.remark or None,
        "depends_on": list(result.depends_on),
        "conditional_on": list(result.conditional_on),
        "digest": asdict(result.digest),
        "earlier_run": {"gathered": result.gathered, "changed": list(result.stale)} if result.cached else None,
        "evidence": [_evidence_as_json(item) for item in result.evidence],
    }


def _evidence_as_json(item: Evidence) -> dict[str, Any]:
    return {
        "engine": item.engine,
        "rung": item.rung,
        "scope": item.scope,
        "outcome": item.outcome,
        "seconds": round(item.seconds, 4),
        "conditions": list(item.conditions),
        "steps": [asdict(step) for step in item.steps],
        "figures": [asdict(figure) for figure in item.figures],
        "reason": item.reason or None,
    }
