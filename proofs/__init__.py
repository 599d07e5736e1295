"""The claims of the paper and their proofs, in the paper's order, one module a section, a theorem or a subject.

section_1         the abstract and the introduction
theorem_1         section 2: cross-entropy, SoftMax and the SoftMax trick; theorem_1_steps: its equations, its proofs
section_3         what ISBE is, and what the paper asks of a normalizer
tables            Tables 1 to 4, as printed, and what each says of another
section_4         the experiments, collected from section_4_measures, _networks, _activations, _results (sentences that
                  read the tables), _curves and _experiments (what only training can show)
section_5         the conclusions
theorem_a1        Appendix A: which functions have the dilated trick; its repair and the classification;
                  theorem_a1_steps: its equations, its proofs
misprints         slips of the pen
appendix_b        Appendix B, and the loops of section 3; listing_runs: running them
beyond            what is not in the paper, collected from implicit_losses, lipschitz, relocations, training_theory

MODULE.toml       what the claims of a module say, where that is prose: title, statement, source and the paper's words;
                  the module has what decides them
printed/          what the paper prints, as data: tables, listings, lists, errata, versions ...
operations        what torch executes, counted
piecewise         the hard normalizers as terms of z3
sampled           claims tested by torch autograd, through code that shares nothing with the proofs; sampled_beyond:
                  those beyond the paper; drawn: what is drawn for them
mutants           false neighbours of the claims, which must be refuted
versions          what differs between version 1 on arXiv and the version of record
recorded.json     the verdicts of past runs
coq/              the converse, Theorem 1 and their surroundings in Coq; ties.toml: which theorem decides which claim
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.kernel import Sources
from softmax_trick.ledger.paper import Paper
from softmax_trick.ledger.run import Ledger, Result
from softmax_trick.measurements.results import committed_results
from softmax_trick.proofs import (
    appendix_b,
    beyond,
    misprints,
    section_1,
    section_3,
    section_4,
    section_5,
    tables,
    theorem_1,
    theorem_1_steps,
    theorem_a1,
    theorem_a1_steps,
)
from softmax_trick.proofs.main_findings import MAIN_FINDINGS
from softmax_trick.proofs.sampled import sample

IN_ORDER = (
    section_1.CLAIMS,
    theorem_1.CLAIMS,
    theorem_1_steps.CLAIMS,
    section_3.CLAIMS,
    appendix_b.CODE_CLAIMS,
    tables.CLAIMS,
    section_4.CLAIMS,
    section_5.CLAIMS,
    theorem_a1.CLAIMS,
    theorem_a1_steps.CLAIMS,
    appendix_b.CLAIMS,
    misprints.CLAIMS,
    beyond.CLAIMS,
)

RECORD = Path(__file__).with_name("recorded.json")
CLAIMS: dict[str, Claim] = {claim.id: replace(claim, sample=sample(claim.id)) for part in IN_ORDER for claim in part}


PAPER = Paper(
    "Cross Entropy in Deep Learning of Classifiers Is Unnecessary—ISBE Error Is All You Need",
    "W. Skarbek, Entropy 2024, 26, 65",
    CLAIMS,
    json.loads(RECORD.read_text(encoding="utf-8")),
    RECORD,
    MAIN_FINDINGS,
)


def verify(*ids: str) -> list[Result]:
    """Decide the claims of these IDs or patterns, or all of them; what is measured, by the project's own results.

    Raises:
        UnknownClaim: there is no claim of such an ID or pattern.
    """
    ledger = Ledger(CLAIMS, results=committed_results())
    return [ledger.result(name) for name in ledger.select(ids)]


def in_coq() -> Sources:
    """The development in Coq, and which of its theorems decides which claim."""
    return Sources.read(Path(__file__).with_name("coq"), CLAIMS)
