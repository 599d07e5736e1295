"""The ledger as one HTML page: no network, no script; formulas are MathML, filters are CSS, the graph is inline SVG.

Given the same evidence it is the same, but for the seconds that the evidence took.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from softmax_trick.ledger.claims import RUNGS, Evidence, Step, Verdict
from softmax_trick.ledger.digests import libraries
from softmax_trick.ledger.paper import Paper
from softmax_trick.ledger.run import Result
from softmax_trick.measurements.figure import Figure
from softmax_trick.report.graph import MARKS, svg
from softmax_trick.report.mathml import quotation, statement, text
from softmax_trick.report.page import SOURCE, page, section
from softmax_trick.report.parts import by_part, not_run, part
from softmax_trick.report.rungs import COMMON, in_words
from softmax_trick.report.rungs import MEANINGS as RUNG_MEANINGS
from softmax_trick.report.rungs import counts as by_rung

TITLE = "Cross Entropy in Deep Learning of Classifiers Is Unnecessary, claim by claim"

MEANINGS = {
    Verdict.PROVED: "shown by exact evidence that covers all that the statement speaks of, every K or every cell",
    Verdict.REFUTED: "false as printed: there is an exact counterexample, and what is true instead is named",
    Verdict.MEASURED: "a statement about experiments, beside our own figures; nothing is proved by them",
    Verdict.UNDECIDED: "nothing of the above, and the reason is given",
}
STEP_MARKS = {
    "checked": ("✓", "decided exactly"),
    "cited": ("·", "cited"),
    "used": ("→", "used"),
    "kernel": ("◆", "checked by the kernel of Coq, or cited for what that has checked"),
}
AGREES = {True: "✓ yes", False: "✗ no", None: ""}
OUTCOME_MARKS = {"holds": "✓", "fails": "✗", "open": "?", "gave up": "–", "crashed": "!", "not run": "–"}


def ledger_page(results: Sequence[Result], paper: Paper | None = None) -> str:
    """The page for these results, in the paper's order; without a paper they are of the one of this project."""
    title = f"{paper.title}, claim by claim" if paper else TITLE
    source = f"“{escape(paper.title)}”, {escape(paper.source)}" if paper else SOURCE
    claims = _Page.of(results)
    running = [result for result in results if not not_run(result)]
    waiting = [result for result in results if not_run(result)]
    sections = [
        section(f"part-{group.key}", escape(group.title), map(claims.claim, group.results))
        for group in by_part(running)
    ]
    if waiting:
        note = "<p>These speak of training runs. There are none of ours yet, hence no figures and no verdict.</p>"
        sections.append(section("waiting", "Not run yet", map(claims.claim, waiting), note))
    main = [
        _filters(results),
        _index(running, waiting),
        _graph(results),
        '<div id="claims" tabindex="-1">',
        *sections,
        '<p class="nothing">No claim of this part has that verdict.</p>',
        "</div>",
    ]
    versions = ", ".join(f"{name} {version}" for name, version in libraries().items())
    return page(
        title,
        "A ledger of claims",
        _top(results, source),
        main,
        f"evidence made with {versions}",
        rules=_rules_of_filters(results),
        first='<a class="skip" href="#claims">Skip to the claims</a>\n',
    )


# --- the top ----------------------------------------------------------------------------------------------------------


def _top(results: Sequence[Result], source: str) -> str:
    counts = Counter(result.verdict for result in results)
    verdicts = "".join(
        f'<div class="{verdict}"><dt><b>{counts[verdict]}</b> {_verdict_mark(verdict)}</dt><dd>{meaning}</dd></div>'
        for verdict, meaning in MEANINGS.items()
    )
    numbers = by_rung(results)
    rungs = "".join(
        f"<div><dt>{rung}</dt><dd>{RUNG_MEANINGS[rung].is_}. <b>To be believed:</b> {RUNG_MEANINGS[rung].believed}. "
        f"<b>Claims:</b> {in_words(numbers[rung])}.</dd></div>"
        for rung in RUNGS
    )
    return f"""<p>The checkable statements of {source}, as printed, with what was found out about each. A
verdict follows from its evidence by a fixed rule; none was entered by hand. <code>softmax-trick verify ID</code>
decides a claim again.</p>
<h2>What the verdicts mean</h2>
<dl class="counts">{verdicts}</dl>
<details><summary>What the rungs of evidence mean, what one must believe at each, and which claims stand on it</summary>
<dl class="rungs">{rungs}</dl>
<p>{COMMON} <code>softmax-trick verify --kernel</code> asks the kernel of Coq, where Coq is installed.</p>
<p>In a proof, ✓ marks a step that was decided exactly on the spot, · a step that is cited and not checked by machine,
→ a step that is a claim of its own, with a verdict of its own, and ◆ a theorem that the kernel of Coq has checked, or a
step that is cited for what it has checked.</p></details>"""


def _graph(results: Sequence[Result]) -> str:
    drawing = svg(results)
    if not drawing:
        return ""
    return f"""<section class="graph" aria-labelledby="graph"><h2 id="graph">What rests on what</h2>
<p>An arrow leads from a claim to one that rests on it; a dashed one from a refuted claim to what is true instead.
Claims that stand by themselves are left out.</p>
<div class="scroll">{drawing}</div></section>"""


# --- filters and index ------------------------------------------------------------------------------------------------


def _filters(results: Sequence[Result]) -> str:
    verdicts = Counter(str(result.verdict) for result in results)
    groups = by_part(results)
    by_verdict = {str(verdict): f"{_verdict_mark(verdict)} {verdicts[verdict]}" for verdict in Verdict}
    names = {group.key: f"{escape(group.title.split('.')[0])} {len(group.results)}" for group in groups}
    return (
        '<div class="filters">'
        + _radios("verdict", "Verdict", by_verdict, len(results))
        + _radios("part", "Part of the paper", names, len(results))
        + "</div>"
    )


def _radios(name: str, legend: str, labels: Mapping[str, str], everything: int) -> str:
    buttons = "".join(
        f'<label class="{key if name == "verdict" else "choice"}"><input type="radio" name="{name}" '
        f'id="{name}-is-{key}" autocomplete="off"{" checked=" + chr(34) * 2 if key == "all" else ""}/>'
        f"<span>{label}</span></label>"
        for key, label in {"all": f"all {everything}", **labels}.items()
    )
    return f"<fieldset><legend>{legend}</legend>{buttons}</fieldset>"


def _rules_of_filters(results: Sequence[Result]) -> str:
    """CSS that hides what a chosen radio button leaves out; a claim that was just followed to stays.

    A section whose claims are all hidden is hidden with its heading. Where two choices leave nothing, a line says so.
    """
    keys = {
        "verdict": [str(verdict) for verdict in Verdict],
        "part": [group.key for group in by_part(results)],
    }
    rules = []
    for name, values in keys.items():
        for value in values:
            chosen, kept = f"body:has(#{name}-is-{value}:checked)", f'[data-{name}="{value}"]'
            rules.append(f"{chosen} .claim:not({kept}, :target), {chosen} .index li:not({kept}) {{ display: none; }}")
    pairs = Counter((str(result.verdict), part(result.claim)) for result in results)
    for verdict in ["all", *keys["verdict"]]:
        for key in ["all", *keys["part"]]:
            chosen = f"body:has(#verdict-is-{verdict}:checked):has(#part-is-{key}:checked)"
            kept = (f'[data-verdict="{verdict}"]' if verdict != "all" else "") + (
                f'[data-part="{key}"]' if key != "all" else ""
            )
            if kept:
                rules.append(f"{chosen} :is(.part, .index div):not(:has({kept}, :target)) {{ display: none; }}")
            matching = any(pairs[v, k] for v, k in pairs if verdict in ("all", v) and key in ("all", k))
            if not matching:
                rules.append(f"{chosen} .nothing {{ display: block; }}")
    return "\n".join(rules) + "\n"


def _index(running: Sequence[Result], waiting: Sequence[Result]) -> str:
    rows = [(f"part-{group.key}", group.title, group.results) for group in by_part(running)]
    if waiting:
        rows.append(("waiting", "Not run yet", tuple(waiting)))
    lists = "".join(
        f'<div><h3><a href="#{key}">{title}</a></h3><ul>{"".join(map(_entry, results))}</ul></div>'
        for key, title, results in rows
    )
    return f'<nav class="index" aria-labelledby="index"><h2 id="index">All claims</h2>{lists}</nav>'


def _entry(result: Result) -> str:
    claim, verdict = result.claim, result.verdict
    return (
        f'<li data-verdict="{verdict}" data-part="{part(claim)}"><a class="{verdict}" href="#{escape(claim.id)}" '
        f'title="{escape(claim.heading)} ({verdict})"><span class="mark">{MARKS[verdict]}</span> {escape(claim.id)}</a>'
        "</li>"
    )


# --- a claim ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Page:
    """What an entry says of other entries: which there are, which it repairs, which rest on it."""

    shown: Mapping[str, Result]
    repairs: Mapping[str, tuple[str, ...]]
    used_by: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, results: Sequence[Result]) -> _Page:
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
        return f"""<article class="claim {verdict}" id="{name}" data-verdict="{verdict}" data-part="{part(claim)}">
<div class="gutter"><a class="id" href="#{name}" aria-label="Permanent link to {name}">{name}</a>
<p class="verdict">{_verdict_mark(verdict)}</p>{f'<p class="rung">{result.rung}</p>' if result.rung else ""}</div>
<div class="entry"><h3>{escape(claim.heading)}</h3>
{quote}<p class="statement">{statement(claim.says)}</p>
{self._facts(result)}{_witness(result)}{self._arguments(result)}{_evidence(result)}</div></article>"""

    def _facts(self, result: Result) -> str:
        """Source, hypotheses, correction, remark and neighbours, as a list of terms."""
        claim = result.claim
        repaired = [claim.repaired_by] if claim.repaired_by else []
        terms = {
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
        return f'<a class="ref" href="#{escape(name)}">{escape(name)}</a>' if name in self.shown else escape(name)

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
        link = f" ({self._links(step.detail)})" if step.kind == "used" else ""
        marked = f'<span class="mark" title="{meaning}">{mark}</span> {text(step.text)}'
        return f'<li class="{step.kind}">{marked}{link}</li>'


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
    return f"""<details><summary>Evidence of {_count(len(result.evidence), "engine")}</summary>
{_table(("Engine", "Rung", "Scope", "Outcome", "Seconds"), rows)}
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
    return _table(columns, rows)


def _table(columns: Iterable[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    thead = f"<thead><tr>{head}</tr></thead>"
    return f'<div class="scroll"><table class="evidence">{thead}<tbody>{rows}</tbody></table></div>'


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{_number(figure.low)} to {_number(figure.high)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _verdict_mark(verdict: Verdict) -> str:
    return f'<span class="mark" aria-hidden="true">{MARKS[verdict]}</span> {verdict}'


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
