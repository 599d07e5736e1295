"""The claims of the paper and their proofs, one module per theorem, in the paper's order.

theorem_1   Theorem 1: cross-entropy, SoftMax and the SoftMax trick
theorem_a1  Theorem A1: which functions have the dilated trick; its repair and the classification
sampled     the same claims tested by torch autograd, through code that shares nothing with the proofs
"""

from __future__ import annotations

import json
from importlib.resources import files

from softmax_trick.claims import Claim
from softmax_trick.proofs import theorem_1, theorem_a1

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in (*theorem_1.CLAIMS, *theorem_a1.CLAIMS)}


def recorded_verdicts() -> dict[str, str]:
    """The verdicts of past runs, by claim: a record that shows a change, never a source of verdicts."""
    verdicts: dict[str, str] = json.loads(files(__package__).joinpath("recorded.json").read_text(encoding="utf-8"))
    return verdicts
