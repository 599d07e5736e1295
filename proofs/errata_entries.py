r"""The errata for the author: one entry for each root cause, with what is printed, verbatim, and what it should read.

An entry stands for the claims that it names, and is printed if one of them at least is refuted by the evidence; a test
asks that every refuted claim of the paper belongs to one entry, and only one. Misprints are listed by themselves
(`printed`).
"""

from __future__ import annotations

from dataclasses import dataclass

from softmax_trick.proofs.printed import data

THEORY, NUMBERS, CODE, MISPRINTS = "Theory", "Numbers and figures", "Code", "Misprints"
GROUPS = (THEORY, NUMBERS, CODE, MISPRINTS)


@dataclass(frozen=True)
class Entry:
    """One thing to correct.

    Attributes:
        group: one of `GROUPS`.
        where: section, theorem, equation.
        printed: the words, verbatim; several if they say the same in several places.
        should_read: what is true instead; text with LaTeX between dollar signs.
        claims: the claims that are false by it, that with the plainest witness first.
        shown: the names of the witness's parts that are shown; none where the words say enough.
    """

    group: str
    where: str
    printed: tuple[str, ...]
    should_read: str
    claims: tuple[str, ...]
    shown: tuple[str, ...] = ()


ENTRIES = tuple(Entry(**entry) for entry in data("errata")["entry"])
