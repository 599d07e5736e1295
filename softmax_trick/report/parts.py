"""The parts of the paper, and the part to which a claim belongs: how the reports group claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.run import Result

BEYOND = "X"

OUTCOME_MARKS = {"holds": "✓", "fails": "✗", "open": "?", "gave up": "–", "crashed": "!", "not run": "–"}

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


def headings(claims: Iterable[Claim]) -> list[str]:
    """The headings of the parts to which the claims belong, each once."""
    return list(dict.fromkeys(claim.part or PARTS[part(claim)] for claim in claims))


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


def in_section(claim: Claim, section: str) -> bool:
    """Whether a claim belongs to a section: "A", "4", "section 4.1", "B.2", or words of a heading, in any letter case.

    A number with a point is looked for where the claim says what it is about, and 4.1 is 4.1.2, too.
    """
    wanted = re.sub(r"^(section|appendix)\s+", "", section.strip().casefold())
    key = part(claim)
    if wanted.upper() in PARTS and not claim.part:
        return key == wanted.upper()
    if re.fullmatch(r"(\d|[ab])(\.\d+)+", wanted):
        return bool(re.search(rf"(?<![\w.]){re.escape(wanted)}(?!\d)", claim.source.casefold()))
    heading = (claim.part or PARTS[key]).casefold()
    return bool(wanted) and bool(re.search(rf"\b{re.escape(wanted)}", heading))


def not_run(result: Result) -> bool:
    """Whether a result is that of a statement about experiments for which there are no runs yet."""
    missing = any(item.outcome == "open" and item.engine == "experiment" for item in result.evidence)
    return result.claim.measure is not None and result.verdict is Verdict.UNDECIDED and missing
