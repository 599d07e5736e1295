"""The list of errata: complete, in the paper's order, deterministic, and Markdown that says what was meant."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from softmax_trick.claims import Claim, Evidence, Step, Verdict, judge
from softmax_trick.ledger import Ledger, Result
from softmax_trick.proofs import CLAIMS
from softmax_trick.proofs.versions import DIFFERENCES
from softmax_trick.report.errata import errata

TRUE = Evidence("algebra", "general", "every K", "holds", 0.5, complete=True)
FALSE = Evidence("arithmetic", "exact", "all", "fails", 0.1, witness={"x": "1"}, reason="not so: x = 2")


def result(claim: Claim, *evidence: Evidence) -> Result:
    return Result(claim, judge(evidence), evidence, (), ())


def hand_made() -> list[Result]:
    return [
        result(Claim("S5.late", "late", "$x = 2$ if `a_b`", "section 5", correction="It is $1$."), FALSE),
        result(Claim("S1.early", "the_title", r"$\{x\} = 2$", "section 1", repaired_by="S1.early-r"), FALSE),
        result(Claim("S1.early-r", "repaired", "$x = 1$", "repair of section 1", hypotheses=("$K > 1$",)), TRUE),
        result(Claim("S1.true", "true", "$1 = 1$", "section 1"), TRUE),
        result(Claim("X.ours", "ours", "$1 = 2$", "beyond the paper"), FALSE),
        result(Claim("S4.wait", "waits", "as it says", "section 4", measure=lambda results: ())),
    ]


def entry(text: str, name: str) -> str:
    """The entry of a claim, its lines joined."""
    [found] = re.findall(rf"^### {re.escape(name)}: (.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return " ".join(found.split())


def entries(text: str) -> list[str]:
    return re.findall(r"^### (\S+):", text, re.MULTILINE)


def test_what_is_false_in_the_paper_is_listed_in_its_order():
    text = errata(hand_made())
    assert entries(text) == ["S1.early", "S5.late"]
    assert text.index("## Section 1") < text.index("### S1.early") < text.index("## Section 5")
    assert "Of the 4 statements that were checked, 1 were proved, 2 are false as printed" in text
    assert "softmax-trick verify S1.early\n" in text


def test_an_entry():
    text = errata(hand_made())
    assert entry(text, "S1.early") == (
        r"the_title *Section 1.* **Printed.** ```math \{x\} = 2 ``` **Why it is false.** This is not so: “x = 2”. "
        "Found: `x = 1`. **Correction** (S1.early-r, proved)**.** ```math x = 1 ``` where $`K > 1`$."
    )
    assert entry(text, "S5.late") == (
        "late *Section 5.* **Printed.** $`x = 2`$ if `a_b` **Why it is false.** This is not so: “x = 2”. "
        "Found: `x = 1`. **Correction.** It is $`1`$."
    )


def why(**changes: Any) -> str:
    claim = Claim("S1.a", "a", "a", "section 1", quote="*SoftMax* of 2.*labels and <body of> `f_(x)`")
    return entry(errata([result(claim, replace(FALSE, **changes))]), "S1.a")


def test_a_quote_keeps_the_papers_marks_and_no_others():
    assert r"> *SoftMax* of 2.\*labels and \<body of> `f_(x)`" in why()


def test_a_counterexample_is_told_by_its_steps():
    steps = (Step("a holds_ at 0", "checked"), Step("so does b", "cited"))
    told = why(steps=steps, reason="both hold")
    assert r"- a holds\_ at 0 - so does b Hence both hold. Found: `x = 1`." in told


def test_an_equation_is_told_by_its_difference():
    told = why(witness={"K": "2", "left - right": "-8/9 = [-0.888 +/- 1e-3]"}, reason="a = b")
    assert told.endswith("At `K = 2` the two sides differ: left − right = `-8/9`.")


def test_a_long_witness_becomes_a_list():
    assert "Found: - cells: `" + "z" * 200 + "` - n: `1`" in why(witness={"cells": "z" * 200, "n": "1"})


def test_an_engine_without_a_witness_tells_nothing():
    claim = Claim("S1.a", "a", "a", "section 1")
    sampled = Evidence("torch", "sampled", "", "fails", 0.0, reason="a difference")
    assert "Found: `x = 1`." in entry(errata([result(claim, sampled, FALSE)]), "S1.a")


def test_the_same_verdicts_give_the_same_text():
    slower = [replace(one, evidence=tuple(replace(item, seconds=9.0) for item in one.evidence)) for one in hand_made()]
    assert errata(slower) == errata(hand_made())


@pytest.fixture(scope="module")
def real(ledger: Ledger) -> list[Result]:
    return [ledger.result(name) for name in ("T1.1", "T1.1r", "T1.4a", "T1.4d", "T1.4dr", "A1.2-1", "A1.2-1r", "A1c")]


def test_the_theorems(real):
    text = errata(real)
    assert entries(text) == ["T1.1", "T1.4d", "A1.2-1"]
    assert "the two sides differ: left − right = `-" in entry(text, "T1.1")
    assert "SoftCE = log 9 - log 9 > 1 Hence log 9 is in the set and not in (-1, 1)." in entry(text, "T1.4d")
    for name in entries(text):
        assert "**Correction** (" in entry(text, name)
        assert ", proved)**.**" in entry(text, name)


def test_every_claim_of_the_paper_would_make_an_entry():
    """Were every claim refuted, the list would still be Markdown: formulas closed, fences closed, nothing left over."""
    made = [result(claim, FALSE) for claim in CLAIMS.values()]
    text = errata(made)
    listed = {one.claim.id for one in made if one.verdict is Verdict.REFUTED} & set(entries(text))
    beyond = {name for name, claim in CLAIMS.items() if name.startswith("X.") or claim.source.startswith("beyond")}
    assert listed.isdisjoint(beyond)
    assert len(listed) > len(CLAIMS) / 2
    assert text.count("```") % 2 == 0
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    prose = re.sub(r"\$`[^`\n]+`\$", "", prose)
    prose = re.sub(r"``[^\n]+?``|`[^`\n]+`", "", prose)
    left = [line for line in prose.splitlines() if re.search(r"(?<!\\)[$`]", line)]
    assert left == []


def test_the_versions_close_the_list():
    text = errata(hand_made())
    closing = text[text.index("## Differences between arXiv version 1") :]
    assert closing.count("- version 1: ") == closing.count("- version of record: ") == len(DIFFERENCES)
    assert "concerns T1.1, T1.2, T1.3, T1.4d" in closing
    assert "concerns T1.1 (refuted)" in errata([result(CLAIMS["T1.1"], FALSE)])


def test_the_errata_in_the_repository_are_those_of_the_ledger(ledger: Ledger) -> None:
    """ERRATA.md is what `make errata` writes now."""
    written = (Path(__file__).parents[1] / "ERRATA.md").read_text(encoding="utf-8")
    assert written == errata([ledger.result(name) for name in CLAIMS])
