"""What was found about a gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from softmax_trick.system.shown import Shown

Verdict = Literal["proved", "refuted", "undecided"]

BELIEVED = (
    "torch's tracing (make_fx, functionalize) records what the code executes",
    "the reading of each operation; tested against torch, and compared with it in this run at sampled entries",
    "the reduction to a canonical form; replayed in a finite field or by Arb",
    "real numbers: rounding, overflow and dtypes are no part of it; traced in float64, contiguous, on a CPU",
)


@dataclass(frozen=True)
class Counterexample:
    """Inputs at which a tensor is not what it should be.

    Attributes:
        sizes: the size of each axis.
        inputs: the inputs, as nested lists of numbers; class indices from 0.
        entry: the entry at which they differ, from 0.
        right: what it should be, in decimals (enclosed by Arb).
        found: what the user's code returned there, in float64.
    """

    sizes: dict[str, int]
    inputs: dict[str, Any]
    entry: tuple[int, ...]
    right: str
    found: str


@dataclass(frozen=True, repr=False)
class Finding(Shown):
    """One statement.

    Attributes:
        what: what is stated: "gradient by scores", "value", "second derivative by scores".
        verdict: whether it holds.
        reason: why it is undecided, or what is remarkable.
        counterexample: where it fails, if refuted.
        scope: for which sizes, if not for those of the whole.
    """

    what: str
    verdict: Verdict
    reason: str = ""
    counterexample: Counterexample | None = None
    scope: str = ""

    def __str__(self) -> str:
        return "\n".join(_in_words(self, "", ""))


@dataclass(frozen=True, repr=False)
class Proof(Shown):
    """What was found about the gradient of a function.

    Attributes:
        function: the function.
        inputs: how the inputs were read.
        scope: for which sizes: "for every K >= 1, n >= 1".
        findings: the statements: the value where a formula was given, and the gradient by each input.
        second: the same of the second derivatives through the backward pass.
        conditions: where the operations have the meaning that they are read with.
        notes: remarks, such as where the code fixed a size.
        believed: what one must believe.
        seconds: wall time.
    """

    function: str
    inputs: dict[str, str]
    scope: str
    findings: tuple[Finding, ...]
    second: tuple[Finding, ...] = ()
    conditions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    believed: tuple[str, ...] = BELIEVED
    seconds: float = field(default=0.0, compare=False)

    @property
    def verdict(self) -> Verdict:
        """Refuted if one statement is, else undecided if one is; second derivatives count on their own."""
        return worst([finding.verdict for finding in self.findings])

    def __str__(self) -> str:
        lines = ["; ".join(f"{name}: {reading}" for name, reading in self.inputs.items())]
        for finding in (*self.findings, *self.second):
            lines += _in_words(finding, self.scope, ", where all of the below holds" if self.conditions else "")
        lines += [f"where {condition}" for condition in self.conditions]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The result as JSON, of the form of proof.schema.json."""

        def one(finding: Finding) -> dict[str, Any]:
            witness = finding.counterexample
            return {
                "what": finding.what,
                "verdict": finding.verdict,
                "scope": (finding.scope or self.scope) if finding.verdict == "proved" else "",
                "reason": finding.reason,
                "counterexample": None
                if witness is None
                else {
                    "sizes": witness.sizes,
                    "inputs": witness.inputs,
                    "entry": list(witness.entry),
                    "right": witness.right,
                    "found": witness.found,
                },
            }

        return {
            "function": self.function,
            "inputs": self.inputs,
            "verdict": self.verdict,
            "scope": self.scope,
            "findings": [one(finding) for finding in self.findings],
            "second": [one(finding) for finding in self.second],
            "conditions": list(self.conditions),
            "notes": list(self.notes),
            "believed": list(self.believed),
            "seconds": self.seconds,
        }


def worst(verdicts: list[Verdict]) -> Verdict:
    """Refuted before undecided before proved; of nothing, undecided."""
    order: tuple[Verdict, ...] = ("refuted", "undecided", "proved")
    return next((one for one in order if one in verdicts), "undecided")


def _in_words(finding: Finding, scope: str, where: str) -> list[str]:
    match finding.verdict:
        case "proved":
            extra = f" ({finding.reason})" if finding.reason else ""
            of = f", {finding.scope or scope}" if finding.scope or scope else ""
            return [f"{finding.what}: proved over the reals{of}{extra}{where}"]
        case "undecided":
            return [f"{finding.what}: undecided: {finding.reason}"]
    witness = finding.counterexample
    lines = [f"{finding.what}: wrong" + (f": {finding.reason}" if finding.reason else "")]
    if witness is not None:
        sizes = ", ".join(f"{axis} = {size}" for axis, size in witness.sizes.items())
        lines[0] += f", at {sizes}:" if sizes else ":"
        width = max(map(len, (*witness.inputs, "right")))
        lines += [f"  {name:<{width}} = {value}" for name, value in witness.inputs.items()]
        where = f"[{', '.join(map(str, witness.entry))}]" if witness.entry else ""
        lines += [f"  {'right' + where:<{width}} = {witness.right}", f"  {'found' + where:<{width}} = {witness.found}"]
    return lines
