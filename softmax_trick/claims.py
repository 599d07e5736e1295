"""What a ledger is made of: claims, the evidence for or against them, and the verdict computed from it.

A claim is a statement as printed, with its source. Evidence stands on a rung:

    sampled    floating-point tests found no counterexample (or found one)
    enclosed   rigorous interval arithmetic
    exact      exact algebra, for the K listed, or an exact counterexample
    general    exact algebra for symbolic K: every K
    kernel     checked by a proof assistant's kernel
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from softmax_trick.proof import Proof

Rung = Literal["sampled", "enclosed", "exact", "general", "kernel"]
RUNGS: tuple[Rung, ...] = ("sampled", "enclosed", "exact", "general", "kernel")

Outcome = Literal["holds", "fails", "open", "crashed"]


class Verdict(StrEnum):
    """What the evidence says of a claim."""

    PROVED = "proved"
    REFUTED = "refuted"
    MEASURED = "measured"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Step:
    """One step of a proof.

    Attributes:
        text: what it says.
        kind: "checked" if the library decided it exactly on the spot, "cited" if it rests on a theorem of analysis or
            on plain logic that the text names, "used" if it is another claim, which has its own verdict.
        detail: how a checked step was reduced.
    """

    text: str
    kind: Literal["checked", "cited", "used"]
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What one engine found out about one claim.

    Attributes:
        engine: who checked.
        rung: how strong that is.
        scope: for which K, or for how many samples.
        outcome: "holds", "fails" (with a witness, unless it was only sampled), "open" or "crashed" (with a reason).
        seconds: wall time.
        steps: what was checked, in order.
        witness: where and how the claim fails; or, for a claim that something exists, what exists.
        reason: why it is open, or what crashed.
    """

    engine: str
    rung: Rung
    scope: str
    outcome: Outcome
    seconds: float
    steps: tuple[Step, ...] = ()
    witness: dict[str, str] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Claim:
    """A statement with its source, and the functions that produce evidence for or against it.

    Attributes:
        id: T1.* for Theorem 1, A1.* for Theorem A1; a trailing r marks a repair.
        title: one line of plain text.
        statement: LaTeX, as printed (or as repaired).
        source: section, theorem and equation of the paper; or that it is ours.
        hypotheses: what the statement presupposes.
        proof: the steps of its proof, run for symbolic K and again for each given K. A claim that is false as printed
            has one too if it is an equation: its last step then fails, at a witness.
        counterexample: steps that end in a counterexample, for a printed claim that is an implication.
        repaired_by: the claim that says what is true instead.
        classes: the K for which the proof is repeated by explicit algebra.
    """

    id: str
    title: str
    statement: str
    source: str
    hypotheses: tuple[str, ...] = ()
    proof: Callable[[Proof], None] | None = None
    counterexample: Callable[[Proof], None] | None = None
    repaired_by: str | None = None
    classes: Sequence[int] = range(1, 7)


@dataclass(frozen=True)
class Judgement:
    """The verdict that follows from evidence, the rung on which it stands, and the reason if it is undecided."""

    verdict: Verdict
    rung: Rung | None
    reason: str = ""


def judge(evidence: Sequence[Evidence]) -> Judgement:
    """Compute a verdict from evidence, and from nothing else.

    - Engines that contradict each other, or a crash, leave the claim undecided: a disagreement is an error, not a vote.
    - Refuted: an exact or enclosed counterexample.
    - Proved: it holds on the rung "general" or "kernel", and nothing is open.
    """
    crashed = [item for item in evidence if item.outcome == "crashed"]
    if crashed:
        return Judgement(Verdict.UNDECIDED, None, f"crashed: {crashed[0].engine}: {crashed[0].reason}")
    holds = [item for item in evidence if item.outcome == "holds"]
    fails = [item for item in evidence if item.outcome == "fails"]
    if holds and fails:
        reason = f"the engines disagree: it holds by {holds[0].engine} and fails by {fails[0].engine}"
        return Judgement(Verdict.UNDECIDED, None, reason)
    shown = [item for item in fails if RUNGS.index(item.rung) >= RUNGS.index("enclosed") and item.witness]
    if shown:
        return Judgement(Verdict.REFUTED, _highest(shown))
    open_ = [item for item in evidence if item.outcome == "open"]
    if open_:
        return Judgement(Verdict.UNDECIDED, None, f"{open_[0].engine}: {open_[0].reason}")
    if any(RUNGS.index(item.rung) >= RUNGS.index("general") for item in holds):
        return Judgement(Verdict.PROVED, _highest(holds))
    return Judgement(Verdict.UNDECIDED, None, "the evidence stands on too low a rung to decide it for every K")


def _highest(evidence: Sequence[Evidence]) -> Rung:
    return max((item.rung for item in evidence), key=RUNGS.index)
