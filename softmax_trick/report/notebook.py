"""Claims and certificates in a notebook: Markdown with formulas, without times and digests."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from rich.console import Console

from softmax_trick.certification.certificate import Certificate
from softmax_trick.ledger.claims import RUNGS, Evidence, Verdict
from softmax_trick.ledger.run import Result
from softmax_trick.report.certificate import certificate_table
from softmax_trick.report.console import MARKS
from softmax_trick.report.mathml import cut_at_connectives, split_at_formulas
from softmax_trick.report.parts import OUTCOME_MARKS

WIDTH = 120  # characters of a certificate, as of what the command writes to a file
SPACE_AT_END = re.compile(r"(\\ |\s)+$")  # before it many readers of Markdown take no $ for the end of a formula
SPECIAL = re.compile(r"[\\*_\[\]<>|#]")  # what would mean something to Markdown; `code` is left


@dataclass(frozen=True)
class Shown:
    """Markdown for a notebook to render, and the line of text that stands for it elsewhere."""

    markdown: str
    text: str

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return self.text


def in_full(*results: Result) -> Shown:
    """Each claim as printed, its verdict, and the steps of the evidence that decided it."""
    return Shown("\n\n".join(map(_claim, results)), _verdicts(results))


def in_brief(*results: Result) -> Shown:
    """A row a claim: ID, title, verdict, rung."""
    head = ["| claim | statement | verdict | rung |", "|:--|:--|:--|:--|"]
    rows = [
        f"| {one.claim.id} | {escaped(one.claim.heading)} | {_verdict(one)} | {one.rung or '-'} |" for one in results
    ]
    return Shown("\n".join(head + rows), _verdicts(results))


def certificate_as_text(certificate: Certificate, width: int = WIDTH) -> str:
    """The table that `softmax-trick certify` prints, in lines of at most so many characters."""
    console = Console(file=io.StringIO(), width=width, record=True, force_jupyter=False)
    console.print(certificate_table(certificate), highlight=False)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def _claim(result: Result) -> str:
    claim = result.claim
    decisive, *others = sorted(result.evidence, key=lambda item: _weight(item, result.verdict), reverse=True)
    lines = [
        f"**{claim.id}**: {escaped(claim.heading)}. *{_verdict(result)}* ({result.rung}; {escaped(claim.source)})",
        "",
        _formulas(claim.says) + "".join(f"; {_formulas(hypothesis)}" for hypothesis in claim.given),
        "",
        "```text",
        *_evidence(decisive),
        *(f"also {_head(item)}" for item in others),
        "```",
    ]
    if claim.correction:
        lines += ["", f"Correction: {_formulas(claim.correction)}"]
    if claim.remark:
        lines += ["", f"Remark: {_formulas(claim.remark)}"]
    return "\n".join(lines)


def _weight(evidence: Evidence, verdict: Verdict) -> tuple[bool, bool, int]:
    """How much a piece of evidence has to say for a verdict: the right outcome, complete, on a high rung."""
    fits = evidence.outcome == ("fails" if verdict is Verdict.REFUTED else "holds")
    return fits, evidence.complete or evidence.witness is not None, RUNGS.index(evidence.rung)


def _evidence(item: Evidence) -> list[str]:
    lines = [_head(item), *(f"  {MARKS[step.kind]} {step.text}" for step in item.steps)]
    if item.reason and item.outcome != "not run":
        lines.append(f"  {OUTCOME_MARKS[item.outcome]} {item.reason}")
    if item.witness:
        word = "at" if item.outcome == "fails" else "with"
        lines.append(f"  {word} " + ", ".join(_value(name, value) for name, value in item.witness.items()))
    return lines


def _value(name: str, value: str) -> str:
    if name == "left - right":
        return f"{name} = {value.split(' = ')[0]}"  # the exact value, without its decimals
    return f"{name} {value}" if value.startswith(">") else f"{name} = {value}"


def _head(item: Evidence) -> str:
    return f"{item.engine} ({item.rung}, {item.scope}): {item.ending}"


def _verdict(result: Result) -> str:
    repair = result.claim.repaired_by
    return f"refuted, see {repair}" if result.verdict is Verdict.REFUTED and repair else str(result.verdict)


def _verdicts(results: tuple[Result, ...]) -> str:
    return ", ".join(f"{result.claim.id} {result.verdict}" for result in results)


def _formulas(source: str) -> str:
    """Text with LaTeX between dollar signs; a long chain may break before a connective."""
    pieces = (
        " ".join(rf"$\displaystyle {SPACE_AT_END.sub('', part)}$" for part in cut_at_connectives(piece))
        if latex
        else escaped(piece)
        for piece, latex in split_at_formulas(source)
    )
    return "".join(pieces)


def escaped(text: str) -> str:
    """Text that Markdown takes as it is."""
    return SPECIAL.sub(r"\\\g<0>", text)
