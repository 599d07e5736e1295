"""The ledger: run the claims, gather their evidence, compute their verdicts.

>>> from softmax_trick import verify
>>> [result] = verify("A1.2-1")
>>> str(result.verdict), result.rung, result.witness["sum"]
('refuted', 'exact', '2/3')
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from html import escape
from typing import Any

import softmax_trick
from softmax_trick.ledger.cache import Cache, Entry
from softmax_trick.ledger.claims import Claim, Evidence, Judgement, Rung, Verdict, judge
from softmax_trick.ledger.digests import Digest, digest, libraries
from softmax_trick.ledger.parallel import Gatherers
from softmax_trick.measurements.results import Results
from softmax_trick.system.extras import remedy
from softmax_trick.system.shown import Shown


class UnknownClaim(ValueError):
    """There is no claim of that ID; the message suggests near ones."""


@dataclass(frozen=True, repr=False)
class Result(Shown):
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

    def __str__(self) -> str:
        """ID, verdict, statement, and where it fails."""
        return f"{self.claim.id} {self.judgement}; {self.claim.heading}{self._where}"

    def _repr_html_(self) -> str:
        """For notebooks, which set the formulas between dollar signs."""
        given = f"<br>where {escape('; '.join(self.claim.given))}" if self.claim.given else ""
        head = f"<b>{escape(self.claim.id)}</b> {escape(str(self.judgement))}; {escape(self.claim.heading)}"
        return f"<p>{head}<br>{escape(self.claim.says)}{given}{escape(self._where)}</p>"

    @property
    def _where(self) -> str:
        if not self.witness:
            return ""
        word = "fails at" if self.verdict is Verdict.REFUTED else "with"
        return f"; {word} {', '.join(f'{name} = {value}' for name, value in self.witness.items())}"

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
        claims: by ID.
        cache: where evidence of earlier runs is found and evidence of this run is kept; nowhere if not given.
        results: the experiments from which the measured claims take their figures, if there are any.
        run: whether claims are run. If not, the results are those of earlier runs, stale or not.
        fresh: whether evidence of earlier runs is ignored.
        kernel: adds what the kernel of a proof assistant says of a claim, given by its ID, to the other evidence.
    """

    def __init__(
        self,
        claims: Mapping[str, Claim],
        cache: Cache | None = None,
        results: Results | None = None,
        run: bool = True,
        fresh: bool = False,
        kernel: Callable[[str, tuple[Evidence, ...]], tuple[Evidence, ...]] | None = None,
    ) -> None:
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
        if claim.measure and (not self._runs or self._seen(claim) is None):
            return self.gather(claim) if self._runs else (), new
        found = self._known(claim)
        if found and not (found.changed and self._runs):
            return found.evidence, (True, found.changed, found.gathered)
        if not self._runs:
            return (), new
        evidence = (self._gatherers and self._gatherers.evidence(claim.id)) or self.gather(claim)
        if self._cache:
            self._cache.save(claim, evidence, self._seen(claim) or "")
        return evidence, new

    def _known(self, claim: Claim) -> Entry | None:
        """The evidence of an earlier run, if it is to be used."""
        if claim.id not in self._found:
            cache = None if self._fresh else self._cache
            self._found[claim.id] = cache.find(claim, self._seen(claim) or "") if cache else None
        return self._found[claim.id]

    def _seen(self, claim: Claim) -> str | None:
        """The digest of the results that it is measured by; None if they are no files, and may be others next time."""
        if not claim.measure:
            return ""
        return (self.results_of_experiments.digest or None) if self.results_of_experiments else "none"

    def _is_to_be_gathered(self, claim: Claim) -> bool:
        found = self._known(claim)
        return found is None or bool(found.changed)

    def gather(self, claim: Claim) -> tuple[Evidence, ...]:
        """The evidence for a claim, found now, by every engine that has a say."""
        from softmax_trick.ledger.gathering import gather  # SymPy: where no evidence is missing, it is not needed

        return tuple(gather(claim, self.results_of_experiments))

    def _is_proved(self, name: str) -> bool:
        """Whether a claim that another one rests on is proved; one that rests on itself is not."""
        if name in self._running or name not in self.claims:
            return False
        return self.result(name).verdict is Verdict.PROVED


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
