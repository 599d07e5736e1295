"""What proofs and checks have in common: steps that are established one by one, and the two ways in which they end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from softmax_trick.ledger.claims import Evidence, Step
from softmax_trick.system.extras import why_not_imported


class Open(Exception):
    """A step could not be decided, or is wrong: nothing is shown."""


class Refuted(Exception):
    """The claim itself is false: here is where."""

    def __init__(self, text: str, witness: dict[str, str]) -> None:
        super().__init__(text)
        self.witness = witness


@dataclass(kw_only=True)
class Steps:
    """The steps of one run of a proof or of a check.

    Attributes:
        steps: what has been established so far.
        uses: the claims that they rest on.
        witness: what exists, in a claim that something exists.
        conditions: where the steps are valid, and whether the claim's hypotheses say so.
    """

    steps: list[Step] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    witness: dict[str, str] | None = None
    conditions: dict[str, bool] = field(default_factory=dict)

    def cites(self, text: str) -> None:
        """A step that the library does not check: a theorem of analysis or a piece of logic, named by the text."""
        self.steps.append(Step(text, "cited"))

    def rests_on(self, claim: str, text: str) -> None:
        """A step that is another claim: unless that is proved, the verdict is conditional."""
        self.uses.append(claim)
        self.steps.append(Step(text, "used", (claim,)))

    def exists(self, **witness: Any) -> None:
        """What the steps have shown to exist."""
        self.witness = as_text(witness)

    def refuted(self, text: str, **witness: Any) -> None:
        """The steps so far amount to a counterexample.

        Raises:
            Refuted: always.
        """
        raise Refuted(text, as_text(witness))

    def established(self, text: str, *detail: str) -> None:
        """A step that was just decided exactly; the detail says how."""
        self.steps.append(Step(text, "checked", detail))


def broken_off(evidence: Evidence, error: Exception) -> Evidence:
    """The evidence of an engine that an error has stopped: not run if torch is not installed, else crashed."""
    if reason := why_not_imported("torch", error):
        return replace(evidence, outcome="not run", reason=f"torch {reason}")
    return replace(evidence, outcome="crashed", reason=f"{type(error).__name__}: {error}")


def as_text(witness: dict[str, Any]) -> dict[str, str]:
    """A witness as plain text."""
    return {name: str(value) for name, value in witness.items()}
