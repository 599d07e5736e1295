"""The differences between the two versions of the paper: each quote stands in its version, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from papers import ARXIV, RECORD

from softmax_trick.proofs import CLAIMS
from softmax_trick.proofs.versions import DIFFERENCES, Difference

needs_papers = pytest.mark.skipif(not (ARXIV.exists() and RECORD.exists()), reason="the text of the paper is not here")


def collapsed(text: str) -> str:
    return " ".join(text.split())


def misquoted(differences: tuple[Difference, ...]) -> list[str]:
    """Quotes that are not in their version, or are in the other one too."""
    arxiv, record = (collapsed(path.read_text(encoding="utf-8")) for path in (ARXIV, RECORD))
    found = []
    for one in differences:
        for quote, own, other in ((one.arxiv, arxiv, record), (one.record, record, arxiv)):
            if quote and (collapsed(quote) not in own or collapsed(quote) in other):
                found.append(quote)
    return found


@needs_papers
def test_quotes_are_verbatim_and_differ():
    assert misquoted(DIFFERENCES) == []


@needs_papers
@pytest.mark.parametrize(
    "planted",
    [
        replace(DIFFERENCES[0], arxiv="up to five percent of time is saved"),
        replace(DIFFERENCES[0], record="Moreover, savings were observed"),
        replace(DIFFERENCES[0], arxiv="A deep model is a kind of mental shortcut"),  # in both
    ],
)
def test_a_misquotation_is_caught(planted):
    assert misquoted((planted,)) != []


def test_every_difference_has_a_quote_a_place_and_a_remark():
    for one in DIFFERENCES:
        assert one.arxiv or one.record, one.where
        assert one.where.startswith(("Abstract", "Section ", "Appendix ", "References")), one.where
        assert one.remark.endswith("."), one.where
    assert len({one.where for one in DIFFERENCES}) == len(DIFFERENCES)


def test_the_claims_that_they_concern_are_in_the_ledger():
    assert {name for one in DIFFERENCES for name in one.claims} <= set(CLAIMS)
