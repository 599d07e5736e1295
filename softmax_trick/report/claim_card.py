"""One claim on the page of a ledger: a card to be opened, with statement, verdict, counterexample, proof, evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from softmax_trick.ledger.claims import Evidence, Step, Verdict
from softmax_trick.ledger.run import Result
from softmax_trick.measurements.figure import Figure
from softmax_trick.report.few_runs import warning
from softmax_trick.report.graph import MARKS
from softmax_trick.report.mathml import quotation, statement, text
from softmax_trick.report.page import table, target
from softmax_trick.report.parts import OUTCOME_MARKS, not_run, part

STEP_MARKS = {
    "checked": ("✓", "decided exactly"),
    "cited": ("·", "cited"),
    "used": ("→", "used"),
    "kernel": ("◆", "checked by the kernel of Coq, or cited for what that has checked"),
}
AGREES = {True: "✓ yes", False: "✗ no", None: ""}


def marked(verdict: Verdict) -> str:
    """A verdict with its mark."""
    return f'<span class="mark" aria-hidden="true">{MARKS[verdict]}</span> <span class="word">{verdict}</span>'


def link(result: Result, words: str = "") -> str:
    """A link to a claim, in the colour of its verdict, with its mark; then words about it, as plain text."""
    name, verdict = result.claim.id, result.verdict
    said = f" {escape(words)}" if words else ""
    title = "" if words else f' title="{escape(result.claim.heading)}"'
    mark = f'<span class="mark">{MARKS[verdict]}<span class="unseen"> {verdict}: </span></span>'
    return (
        f'<a class="ref {verdict}" href="{target(name)}"{title}>{mark} <span class="id">{escape(name)}</span>{said}</a>'
    )


@dataclass(frozen=True)
class Cards:
    """The cards of all claims of a page, which say of each other what rests on what, and what repairs what."""

    shown: Mapping[str, Result]
    repairs: Mapping[str, tuple[str, ...]]
    used_by: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, results: Sequence[Result]) -> Cards:
        """The cards of these results."""
        shown = {result.claim.id: result for result in results}
        repairs: dict[str, tuple[str, ...]] = {}
        used_by: dict[str, tuple[str, ...]] = {}
        for name, result in shown.items():
            if result.claim.repaired_by:
                repairs[result.claim.repaired_by] = (*repairs.get(result.claim.repaired_by, ()), name)
            for used in result.depends_on:
                used_by[used] = (*used_by.get(used, ()), name)
        return cls(shown, repairs, used_by)

    def claim(self, result: Result) -> str:
        """One claim: what is printed, what was found out, what is true instead, and by what evidence."""
        claim, verdict = result.claim, result.verdict
        name = escape(claim.id)
        quote = f"<blockquote><p>{quotation(claim.quote)}</p></blockquote>" if claim.quote else ""
        data = f'data-claim="{name}" data-verdict="{verdict}" data-part="{part(claim)}"'
        return f"""<article class="claim {verdict}" {data}><details>
<summary><span class="verdict">{marked(verdict)}</span><span class="id">{name}</span>
<h3>{escape(claim.heading)}</h3></summary>
<div class="entry" id="{name}">
{quote}<p class="statement">{statement(claim.says)}</p>
{self._facts(result)}{_witness(result)}{self._arguments(result)}{_evidence(result)}</div></details></article>"""

    def _facts(self, result: Result) -> str:
        """Source, hypotheses, correction, remark and neighbours, as a list of terms."""
        claim = result.claim
        repaired = [claim.repaired_by] if claim.repaired_by else []
        terms = {
            "Verdict": marked(result.verdict) + (f", {result.rung}" if result.rung else ""),
            "Source": escape(claim.source),
            "Given": "; ".join(map(text, claim.given)),
            "Undecided": "" if not_run(result) else escape(result.judgement.reason),
            "Stale": _stale(result),
            "Gathered": f"by an earlier run, at {escape(result.gathered)}" if result.cached else "",
            "True instead": "".join(map(self._in_full, repaired)) or text(claim.correction),
            "Remark": text(claim.remark),
            "Repairs": self._links(self.repairs.get(claim.id, ())),
            "Rests on": self._links(result.depends_on),
            "Used by": self._links(self.used_by.get(claim.id, ())),
            "Link": f'<a class="permalink" href="{target(claim.id)}">#{escape(claim.id)}</a>',
        }
        rows = "".join(f"<div><dt>{term}</dt><dd>{content}</dd></div>" for term, content in terms.items() if content)
        return f'<dl class="facts">{rows}</dl>'

    def _in_full(self, name: str) -> str:
        if name not in self.shown:
            return self._link(name)
        return f"{self._link(name)}: {statement(self.shown[name].claim.says)}"

    def _links(self, names: Iterable[str]) -> str:
        return ", ".join(map(self._link, names))

    def _link(self, name: str) -> str:
        return link(self.shown[name]) if name in self.shown else escape(name)

    def _arguments(self, result: Result) -> str:
        """The steps of each engine; those that merely repeat another engine's are not shown again."""
        shown: list[tuple[tuple[str, str], ...]] = []
        blocks = []
        for item in result.evidence:
            steps = tuple((step.text, step.kind) for step in item.steps)
            if not steps or any(steps == earlier[: len(steps)] for earlier in shown):
                continue
            shown.append(steps)
            kind = {"fails": "Counterexample", "holds": "Proof"}.get(item.outcome, "Attempt")
            lines = "".join(map(self._step, item.steps)) + _last_step(item)
            title = f"{kind} by {escape(item.engine)}, {_count(len(steps), 'step')}"
            blocks.append(f'<details><summary>{title}</summary><ol class="steps">{lines}</ol></details>')
        return "".join(blocks)

    def _step(self, step: Step) -> str:
        mark, meaning = STEP_MARKS[step.kind]
        used = f" ({self._links(step.detail)})" if step.kind == "used" else ""
        said = f'<span class="mark" title="{meaning}">{mark}</span> {text(step.text)}'
        return f'<li class="{step.kind}">{said}{used}</li>'


def _stale(result: Result) -> str:
    if not result.stale:
        return ""
    return f"this is the verdict of an earlier run; since then the {' and the '.join(result.stale)} changed"


def _last_step(item: Evidence) -> str:
    """How a counterexample ends, or where an attempt stops."""
    if item.outcome == "holds" or not item.reason:
        return ""
    meaning = "this is the contradiction" if item.outcome == "fails" else "here it ends"
    mark = OUTCOME_MARKS[item.outcome]
    return f'<li class="last"><span class="mark" title="{meaning}">{mark}</span> {text(item.reason)}</li>'


def _witness(result: Result) -> str:
    if not result.witness:
        return ""
    caption = "Where it fails" if result.verdict is Verdict.REFUTED else "Witness"
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in result.witness.items()
    )
    return f'<div class="scroll"><table class="witness"><caption>{caption}</caption><tbody>{rows}</tbody></table></div>'


def _scope(item: Evidence) -> str:
    where = f"; where {'; '.join(item.conditions)}" if item.conditions else ""
    return escape(item.scope + where)


def _evidence(result: Result) -> str:
    if not result.evidence or not_run(result):
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(item.engine)}</th><td>{item.rung}</td><td>{_scope(item)}</td>'
        f'<td>{OUTCOME_MARKS[item.outcome]} {escape(item.ending)}</td><td class="seconds">{item.seconds:.2f}</td></tr>'
        for item in result.evidence
    )
    figures = [figure for item in result.evidence for figure in item.figures]
    digest = result.digest
    evidence = table(("Engine", "Rung", "Scope", "Outcome", "Seconds"), rows, "evidence")
    return f"""<details><summary>Evidence of {_count(len(result.evidence), "engine")}</summary>
{evidence}
{_figures(figures)}<p class="digest">Made from statement <code>{digest.statement}</code>, checker
<code>{digest.checker}</code>, libraries <code>{digest.libraries}</code></p></details>"""


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    columns = ("Figure", "Ours", "Interval", "Paper", "Runs", "Agrees")
    rows = "".join(
        f'<tr><th scope="row">{escape(figure.name)}</th><td>{_number(figure.ours)} {escape(figure.unit)}</td>'
        f"<td>{_interval(figure)}</td><td>{_number(figure.paper)}</td><td>{figure.runs}</td>"
        f"<td>{AGREES[figure.agrees]}</td></tr>"
        for figure in figures
    )
    said = warning(figures)
    return table(columns, rows, "evidence") + (f'<p class="warning">{said}</p>' if said else "")


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{_number(figure.low)} to {_number(figure.high)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
