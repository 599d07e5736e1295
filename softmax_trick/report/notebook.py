"""Claims and certificates in a notebook: Markdown with formulas, without times and digests."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from rich.console import Console

from softmax_trick.certification.certificate import Certificate
from softmax_trick.language.expression import LanguageError
from softmax_trick.language.text import together
from softmax_trick.ledger.claims import RUNGS, Claim, Evidence, Verdict
from softmax_trick.ledger.formulas import Formula
from softmax_trick.ledger.run import Result
from softmax_trick.report.certificate import certificate_table
from softmax_trick.report.console import MARKS
from softmax_trick.report.mathml import cut_at_connectives, split_at_formulas

WIDTH = 120  # characters of a certificate, as of what the command writes to a file
SPACE_AT_END = re.compile(r"(\\ |\s)+$")  # before it many readers of Markdown take no $ for the end of a formula
DECLARATION = re.compile(r"\w+\s*(:|=(?!=))")
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


def certificate_as_text(certificate: Certificate) -> str:
    """The table that `softmax-trick certify` prints, in lines that fit a notebook."""
    console = Console(file=io.StringIO(), width=WIDTH, record=True, force_jupyter=False)
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
        *_evidence(decisive, claim),
    ]
    if others:
        lines += ["", f"Also: {'; '.join(map(_head, others))}."]
    if claim.correction:
        lines += ["", f"Correction: {_formulas(claim.correction)}"]
    if claim.remark:
        lines += ["", f"Remark: {_formulas(claim.remark)}"]
    return "\n".join(lines)


def _weight(evidence: Evidence, verdict: Verdict) -> tuple[bool, bool, int]:
    """How much a piece of evidence has to say for a verdict: the right outcome, complete, on a high rung."""
    fits = evidence.outcome == ("fails" if verdict is Verdict.REFUTED else "holds")
    return fits, evidence.complete or evidence.witness is not None, RUNGS.index(evidence.rung)


def _evidence(item: Evidence, claim: Claim) -> list[str]:
    lines = [f"- {MARKS[step.kind]} {_step(step.text, claim)}" for step in item.steps]
    if item.reason:
        lines.append(f"- ✗ {_step(item.reason, claim)}")
    if item.witness:
        word = "at" if item.outcome == "fails" else "with"
        lines.append(f"- {word} " + ", ".join(f"`{_value(name, value)}`" for name, value in item.witness.items()))
    return [f"{_head(item)}", "", *lines]


def _step(text: str, claim: Claim) -> str:
    """A step that begins with a formula, as formula and words; others as they are."""
    head, _, own = text.rpartition(", for ")
    if not DECLARATION.match(own):
        head, own = text, ""
    let = together("; ".join(one for one in own.split("; ") if DECLARATION.match(one)), claim.let)
    for end in (*(found.start() for found in re.finditer(", ", head)), len(head)):
        formula = Formula(head[:end], let)
        try:
            if formula.statement.relation:
                latex = SPACE_AT_END.sub("", formula.latex)
                return rf"$\displaystyle {latex}$" + escaped(head[end:]) + (f", for `{own}`" if own else "")
        except LanguageError:
            continue  # the words begin further on, or it is a sentence
    return escaped(text)


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
