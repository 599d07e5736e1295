"""The parts of the paper, and the part to which a claim belongs: how the reports group claims."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.run import Result

BEYOND = "X"

PARTS = {
    "0": "Title and abstract",
    "1": "Section 1. Introduction",
    "2": "Section 2. Discrete cross-entropy and the SoftMax trick property",
    "3": "Section 3. ISBE functionality",
    "4": "Section 4. Experiments",
    "5": "Section 5. Conclusions",
    "A": "Appendix A. Functions giving the SoftMax trick for cross-entropy",
    "B": "Appendix B. ISBE functionality in PyTorch",
    "R": "References",
    BEYOND: "Beyond the paper",
}

# The first pattern that matches a claim's ID, or else its source, says where it belongs. Equation (1) stands in
# section 1, (2) to (5) in section 2, (6) in section 3, (7) and (8) in section 4, (A1) to (A3) in Appendix A.
BY_ID = (
    (r"S(\d)\b", None),
    (r"T1\b", "2"),
    (r"E1\b", "1"),
    (r"E[2-5](?!\d)", "2"),
    (r"E6\b", "3"),
    (r"E[78]\b", "4"),
    (r"(Tab|Fig)", "4"),
    (r"(A1|EA)", "A"),
    (r"(B)\b", None),
    (r"(R)\b", None),
    (r"(X)\b", None),
)
BY_SOURCE = ((r"\b[Ss]ection (\d)", None), (r"\bAppendix ([AB])", None), (r"\b([Aa]bstract|[Tt]itle)", "0"))


def part(claim: Claim) -> str:
    """The key of the part that a claim belongs to: the heading that it names, or one in PARTS, by its ID or source."""
    if claim.part:
        return re.sub(r"\W+", "-", claim.part)
    for pattern, key in BY_ID:
        if found := re.match(pattern, claim.id):
            return _known(key or found[1])
    for pattern, key in BY_SOURCE:
        if found := re.search(pattern, claim.source):
            return _known(key or found[1])
    return BEYOND


def _known(key: str) -> str:
    return key if key in PARTS else BEYOND


@dataclass(frozen=True)
class Group:
    """The results for the claims of one part, in their order."""

    key: str
    title: str
    results: tuple[Result, ...]


def by_part(results: Sequence[Result]) -> list[Group]:
    """The results grouped by the parts of the paper, in the paper's order; parts without results are left out."""
    titles = PARTS | {part(one.claim): one.claim.part for one in results if one.claim.part}
    groups = (
        Group(key, title, tuple(one for one in results if part(one.claim) == key)) for key, title in titles.items()
    )
    return [group for group in groups if group.results]


def not_run(result: Result) -> bool:
    """Whether a result is that of a statement about experiments for which there are no runs yet."""
    missing = any(item.outcome == "open" and item.engine == "experiment" for item in result.evidence)
    return result.claim.measure is not None and result.verdict is Verdict.UNDECIDED and missing
