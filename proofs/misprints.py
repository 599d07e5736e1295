"""Misprints: what the paper prints in one place against what it prints of the same thing in another; and a date.

What is printed where stands in `printed`, which a test holds against the paper's text.
"""

from __future__ import annotations

from collections.abc import Callable

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.proofs.listing_runs import suppose
from softmax_trick.proofs.printed import MISPRINTS, NUMBERS, Misprint, number


def as_elsewhere(one: Misprint) -> Callable[[Findings], None]:
    """The words are those that are meant, which the paper has in another place."""

    def check(findings: Findings) -> None:
        suppose(findings, "the words hold what is looked at", one.wrong in one.printed)
        suppose(findings, "and the paper has elsewhere what is meant", one.right in one.elsewhere)
        meant = one.printed.replace(one.wrong, one.right)
        witness = {"printed": one.wrong.strip(), "elsewhere": one.elsewhere}
        findings.holds("the words are what is meant", one.printed == meant, **witness)

    return check


def accessed_after_it_was_written(findings: Findings) -> None:
    """The year of the page stands in its address."""
    text = "the page was accessed in or after the year of its address"
    findings.holds(
        text,
        int(number("accessed")) >= int(number("page_from")),
        address=NUMBERS["page_from"].words,
        accessed=NUMBERS["accessed"].digits,
    )


def _shown(words: str) -> str:
    """As text; pieces of formulas that are none by themselves as code."""
    return f"`{words}`" if "\\" in words and "$" not in words else words


def _claim(one: Misprint) -> Claim:
    right, wrong = one.right.strip(" $"), one.wrong.strip(" $")
    return Claim(
        id=one.claim,
        title=one.title,
        statement=f"This is written as it is elsewhere in the paper: {_shown(one.elsewhere)}",
        source=one.where,
        quote=_shown(one.printed),
        checks=(Check("comparison of words", as_elsewhere(one), "two places of the paper"),),
        correction=f"`{right}` instead of `{wrong}`.",
    )


CLAIMS = (
    *map(_claim, MISPRINTS),
    Claim(
        id="R.accessed",
        title="reference 26 was accessed after it was written",
        statement="The page of reference 26, whose address has the year 2016, was accessed in that year or later.",
        source="References, 26",
        quote="accessed on 11 November 2013",
        checks=(Check("rational arithmetic", accessed_after_it_was_written, "two years"),),
        correction="The year is likely to be 2023: the paper was received in that month.",
    ),
)
