"""What a ledger is made of: claims, the evidence for or against them, and the verdict computed from it.

A claim is a statement as printed, with its source. Theorems are decided by proofs, finite facts (a table, a listing,
the size of a network) by checks, statements about experiments by measurements. Evidence stands on a rung:

    sampled    floating-point tests found no counterexample (or found one)
    enclosed   rigorous interval arithmetic
    exact      exact algebra, for the K listed, or an exact counterexample
    general    exact algebra for symbolic K: every K
    kernel     checked by a proof assistant's kernel
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from softmax_trick.ledger.formulas import Formula, SpokenOf, condition_to_latex, fewest
from softmax_trick.measurements.figure import Figure
from softmax_trick.system.shown import Shown

if TYPE_CHECKING:
    from softmax_trick.ledger.findings import Findings
    from softmax_trick.ledger.proof import Proof
    from softmax_trick.measurements.results import Results

Rung = Literal["sampled", "enclosed", "exact", "general", "kernel"]
RUNGS: tuple[Rung, ...] = ("sampled", "enclosed", "exact", "general", "kernel")

_PLACE = re.compile(r"\\formula\{([^{}]+)\}")

Outcome = Literal["holds", "fails", "open", "gave up", "crashed", "not run"]


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
            on plain logic that the text names, "used" if it is another claim, which has its own verdict, "kernel" if
            the kernel of a proof assistant has checked it, or what a proof cites it for.
        detail: how a checked step was reduced; the theorem or the axioms of one that the kernel has checked.
    """

    text: str
    kind: Literal["checked", "cited", "used", "kernel"]
    detail: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Evidence(Shown):
    """What one engine found out about one claim.

    Attributes:
        engine: who checked.
        rung: how strong that is.
        scope: for which K, or for how many samples.
        outcome: "holds", "fails" (with a witness, unless it was only sampled), "open" or "crashed" (with a reason);
            "gave up" if it is an engine that only confirms what others find, and it could not; "not run" if a package
            that it needs is not installed: it then says nothing.
        seconds: wall time.
        steps: what was checked, in order.
        witness: where and how the claim fails; or, for a claim that something exists, what exists.
        reason: why it is open or not run, or what crashed.
        uses: the other claims that it rests on.
        figures: what was measured.
        complete: whether it covers all that the claim speaks of, every K or every cell: then "holds" is a proof.
        conditions: where the steps are valid: what they divide by is not 0, logarithms and roots are real.
        unstated: those of the conditions that the claim's hypotheses do not say.
    """

    engine: str
    rung: Rung
    scope: str
    outcome: Outcome
    seconds: float
    steps: tuple[Step, ...] = ()
    witness: dict[str, str] | None = None
    reason: str = ""
    uses: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    complete: bool = False
    conditions: tuple[str, ...] = ()
    unstated: tuple[str, ...] = ()

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason and self.outcome != "not run" else ""
        return f"{self.engine} ({self.rung}, {self.scope}): {self.ending}{reason}"

    @property
    def ending(self) -> str:
        """The outcome as it is shown: of what was not run, with the reason."""
        return f"not run: {self.reason}" if self.outcome == "not run" else self.outcome


@dataclass(frozen=True, repr=False)
class Check(Shown):
    """A way to decide a finite fact: all of it is looked at, and exactly, unless the rung is "sampled".

    Attributes:
        engine: who checks: "rational arithmetic", "Python's parser", "torch", "z3".
        run: the steps of the check.
        scope: what is looked at.
        rung: "exact"; "enclosed"; or "sampled" for floating-point runs, which leave figures and prove nothing.
    """

    engine: str
    run: Callable[[Findings], None]
    scope: str
    rung: Rung = "exact"

    def __str__(self) -> str:
        return f"{self.engine} ({self.rung}, {self.scope})"


@dataclass(frozen=True, repr=False)
class Claim(Shown):
    r"""A statement with its source, and the functions that produce evidence for or against it.

    What it says in the language of formulas stands in `formulas`: from these texts follow what a reader sees, what is
    decided and what is sampled. What the language cannot say is prose, text with LaTeX between dollar signs.

    Attributes:
        id: T1.* and A1.* for the theorems, E* for equations, S* for sections, Tab*, B.* for the listings of Appendix B,
            X.* for what is not in the paper; a trailing r marks a repair.
        title: one line of plain text; if it is empty, the formulas are the title.
        statement: prose, in which \formula{1} stands for the first formula, \formula{2} for the second, and
            \formula{y == softmax(x)} for one that is only spoken of, such as a hypothesis, \formula{softmax(x)} for
            an expression; if it is empty, the statement is that all formulas hold.
        source: section, theorem and equation of the paper; or that it is ours.
        quote: the paper's own words, where the claim reads a sentence of its prose.
        hypotheses: prose: what it presupposes besides `let` and `where`.
        proof: the steps of its proof, run for symbolic K and again for each given K. A claim that is false as printed
            has one too if it is an equation: its last step then fails, at a witness. Formulas without steps of their
            own are decided as they stand; where prose says more than they do, a proof has to show that.
        counterexample: steps that end in a counterexample, for a printed claim that is an implication.
        checks: ways to decide a finite fact.
        measure: for a statement about experiments, what our own results say of it.
        sample: a test in floating point that shares nothing with the rest: the evidence that it finds.
        figures: of how many figures such a statement consists; with fewer it is open.
        remark: what else is to be said: another reading of the same words, which does not decide.
        repaired_by: the claim that says what is true instead.
        correction: what is true instead, in a sentence, where that is no claim of its own.
        classes: the K for which the proof is repeated by explicit algebra; from the least K of `where` on, up to 6.
        formulas: what is claimed, in the language: each is decided, and the claim holds if all do.
        let: declarations of the names in them, "x: K; t: K distribution; y = softmax(x)".
        where: the conditions under which they are claimed: "K >= 2", "y != 0"; see `softmax_trick.ledger.formulas`.
        putting: of formulas that say that something exists, what does; or an unknown function for which one is false:
            "d = ones(K); F(x) = softmax(x)".
        part: the heading under which it is shown; that of its section of the paper if not given.
    """

    id: str
    title: str = ""
    statement: str = ""
    source: str = ""
    quote: str = ""
    hypotheses: tuple[str, ...] = ()
    proof: Callable[[Proof], None] | None = None
    counterexample: Callable[[Proof], None] | None = None
    checks: tuple[Check, ...] = ()
    measure: Callable[[Results], tuple[Figure, ...]] | None = None
    sample: Callable[[], Evidence] | None = None
    figures: int = 1
    remark: str = ""
    repaired_by: str | None = None
    correction: str = ""
    classes: Sequence[int] = ()
    formulas: tuple[str, ...] = ()
    let: str = ""
    where: tuple[str, ...] = ()
    putting: str = ""
    part: str = ""

    def __post_init__(self) -> None:
        if not self.classes:
            object.__setattr__(self, "classes", range(fewest(self.where), 7))

    def __str__(self) -> str:
        return f"{self.id}: {self.heading}"

    @cached_property
    def stated(self) -> tuple[Formula, ...]:
        """The formulas, read."""
        return tuple(Formula(text, self.let, self.where, self.putting) for text in self.formulas)

    @property
    def is_over_classes(self) -> bool:
        """Whether all its formulas are equations over the classes, which proofs decide."""
        return all(formula.is_over_classes for formula in self.stated)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """All that it can be decided by."""
        checks = (check.run for check in self.checks)
        return tuple(filter(None, (self.proof, self.counterexample, self.measure, self.sample, *checks)))

    @cached_property
    def heading(self) -> str:
        """The title as it is shown."""
        return self.title or " and ".join(map(str, self.stated))

    @cached_property
    def says(self) -> str:
        """The statement as it is shown: text with LaTeX between dollar signs."""
        whole = self.statement or " and ".join(rf"$\formula{{{number}}}$" for number in range(1, len(self.stated) + 1))
        return _PLACE.sub(lambda place: self._formula(place[1]).latex, whole)

    def _formula(self, place: str) -> Formula:
        return self.stated[int(place) - 1] if place.isdigit() else SpokenOf(place, self.let)

    @cached_property
    def given(self) -> tuple[str, ...]:
        """What the statement presupposes, as it is shown: domains, definitions, conditions, and what prose adds."""
        said: dict[str, str] = {}
        for formula in (*map(self._formula, _PLACE.findall(self.statement)), *self.stated):
            said |= formula.declared()
        said |= {one: condition_to_latex(one, self.let) for one in self.where}
        return (*(f"${latex}$" for latex in said.values()), *self.hypotheses)


@dataclass(frozen=True, repr=False)
class Judgement(Shown):
    """The verdict that follows from evidence.

    Attributes:
        verdict: proved, refuted, measured or undecided.
        rung: the rung on which it stands; None if undecided.
        reason: why it is undecided.
        not_run: whether it is undecided only because what would decide it was not run.
    """

    verdict: Verdict
    rung: Rung | None
    reason: str = ""
    not_run: bool = False

    def __str__(self) -> str:
        return f"{self.verdict}{f' ({self.rung})' if self.rung else ''}{f': {self.reason}' if self.reason else ''}"


def judge(evidence: Sequence[Evidence], unproved: Sequence[str] = ()) -> Judgement:
    """Compute a verdict from evidence, and from nothing else.

    - Engines that contradict each other, or a crash, leave the claim undecided: a disagreement is an error, not a vote.
    - Refuted: an exact or enclosed counterexample.
    - Proved: some evidence for it is complete, nothing is open, and what it rests on is proved.
    - Measured: there are figures, whichever way they point.
    - What was not run counts for nothing.

    Args:
        evidence: what the engines found.
        unproved: the claims that the evidence rests on and that are not proved; they make the verdict conditional.
    """
    crashed = [item for item in evidence if item.outcome == "crashed"]
    if crashed:
        return Judgement(Verdict.UNDECIDED, None, f"crashed: {crashed[0].engine}: {crashed[0].reason}")
    measured = [item for item in evidence if item.figures]
    holds = [item for item in evidence if item.outcome == "holds"]
    fails = [item for item in evidence if item.outcome == "fails"]
    if holds and fails and not measured:
        reason = f"the engines disagree: it holds by {holds[0].engine} and fails by {fails[0].engine}"
        return Judgement(Verdict.UNDECIDED, None, reason)
    shown = [item for item in fails if RUNGS.index(item.rung) >= RUNGS.index("enclosed") and item.witness]
    open_ = [item for item in evidence if item.outcome == "open"]
    complete = [item for item in holds if item.complete]
    if (shown or complete) and unproved and not open_:
        return Judgement(Verdict.UNDECIDED, None, f"conditional: it rests on {', '.join(unproved)}, not proved")
    if shown:
        return Judgement(Verdict.REFUTED, _highest(shown))
    if open_:
        return Judgement(Verdict.UNDECIDED, None, f"{open_[0].engine}: {open_[0].reason}")
    if complete:
        return Judgement(Verdict.PROVED, _highest(complete))
    if measured:
        return Judgement(Verdict.MEASURED, _highest(measured))
    if missing := [item for item in evidence if item.outcome == "not run"]:
        return Judgement(Verdict.UNDECIDED, None, f"{missing[0].engine}: not run: {missing[0].reason}", not_run=True)
    return Judgement(Verdict.UNDECIDED, None, "the evidence stands on too low a rung to decide it for every K")


def _highest(evidence: Sequence[Evidence]) -> Rung:
    return max((item.rung for item in evidence), key=RUNGS.index)
