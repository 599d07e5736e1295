"""The ledger as one HTML page that needs no network: what was found first, then every claim, to be searched and opened.

Formulas are MathML, the graph is inline SVG; the script searches and filters, and all can be read without it. Given the
same evidence the page is the same, but for the seconds that the evidence took.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from softmax_trick.ledger.claims import RUNGS, Verdict
from softmax_trick.ledger.digests import libraries
from softmax_trick.ledger.paper import MainFinding, Paper
from softmax_trick.ledger.run import Result
from softmax_trick.proofs.main_findings import MAIN_FINDINGS, WHAT_HOLDS
from softmax_trick.report.claim_card import Cards, link, marked
from softmax_trick.report.claims_table import confirmed
from softmax_trick.report.graph import arrowheads, drawings
from softmax_trick.report.mathml import text
from softmax_trick.report.page import OURS, SOURCE, page, section
from softmax_trick.report.parts import Group, by_part, not_run
from softmax_trick.report.rungs import COMMON, in_words
from softmax_trick.report.rungs import MEANINGS as RUNG_MEANINGS
from softmax_trick.report.rungs import counts as by_rung
from softmax_trick.report.worked_example import FALSE, worked_example

TITLE = "Cross Entropy in Deep Learning of Classifiers Is Unnecessary, claim by claim"

MEANINGS = {
    Verdict.PROVED: "shown by exact evidence that covers all that the statement speaks of, every K or every cell",
    Verdict.REFUTED: "false as printed: there is an exact counterexample, and what is true instead is named",
    Verdict.MEASURED: "a statement about experiments, beside our own figures; nothing is proved by them",
    Verdict.UNDECIDED: "nothing of the above, and the reason is given",
}


def ledger_page(results: Sequence[Result], paper: Paper | None = None) -> str:
    """The page for these results, in the paper's order; without a paper they are of the one of this project."""
    title = f"{paper.title}, claim by claim" if paper else TITLE
    source = f"“{escape(paper.title)}”, {escape(paper.source)}" if paper else SOURCE
    cards = Cards.of(results)
    groups = _groups(results)
    example = worked_example(cards.shown) if paper is None else ""
    main = [
        _findings(results, paper, FALSE if example else ""),
        example,
        _how_to_read(results),
        _graph(results),
        f'<div class="claims" id="{OURS}claims">',
        *(_part(one, cards) for one in groups),
        '<p class="nothing" hidden="">No claim is left: search for less, or choose all verdicts and parts.</p>',
        "</div>",
    ]
    versions = ", ".join(f"{name} {version}" for name, version in libraries().items())
    return page(
        title,
        "A ledger of claims",
        _top(results, source),
        _tools(results) + _index(groups),
        main,
        f"evidence made with {versions}",
        script="filters.js",
    )


WAITING = "waiting"
FEW = 10  # titles in a row before the rest is folded


def _groups(results: Sequence[Result]) -> list[Group]:
    """The parts of the paper, in its order; last what waits for runs."""
    running = [result for result in results if not not_run(result)]
    waiting = tuple(result for result in results if not_run(result))
    return by_part(running) + ([Group(WAITING, "Not run yet", waiting)] if waiting else [])


def _part(group: Group, cards: Cards) -> str:
    why = "<p>These speak of training runs. There are none of ours yet, hence no figures and no verdict.</p>"
    note = [why] if group.key == WAITING else []
    return section(f"part-{group.key}", escape(group.title), [*note, *map(cards.claim, group.results)])


# --- what was found ---------------------------------------------------------------------------------------------------


def _top(results: Sequence[Result], source: str) -> str:
    counts = Counter(result.verdict for result in results)
    verdicts = "".join(
        f'<div class="{verdict}"><dt>{marked(verdict)}</dt><dd>{counts[verdict]}</dd></div>' for verdict in Verdict
    )
    return f"""<p>The checkable statements of {source}, as printed, with what was found out about each. A
verdict follows from its evidence by a fixed rule; none was entered by hand. <code>softmax-trick verify ID</code>
decides a claim again.</p>
<dl class="counts">{verdicts}</dl>"""


def _findings(results: Sequence[Result], paper: Paper | None, worked_out: str) -> str:
    """What was found, in the words that the paper has for it; then what is refuted, by titles.

    Args:
        worked_out: the claim of which there is an example below; empty if there is none.
    """
    shown = {result.claim.id: result for result in results}
    proved = {name for name, result in shown.items() if result.verdict is Verdict.PROVED}
    said = confirmed(paper.findings if paper else MAIN_FINDINGS, results)
    if not paper and proved.issuperset(WHAT_HOLDS.claims):
        said.append(WHAT_HOLDS)
    sentences = "".join(_sentence(one, shown, worked_out) for one in said)
    refuted = [result for result in results if result.verdict is Verdict.REFUTED]
    titles = [f"<li>{link(one, one.claim.heading)}{_instead(one, shown)}</li>" for one in refuted]
    at_once = 0 if said else FEW
    content = [f"<ol>{sentences}</ol>"] if said else []
    if titles[:at_once]:
        content.append(f"<ul>{''.join(titles[:at_once])}</ul>")
    if more := titles[at_once:]:
        summary = f"{len(more)} {'more' if at_once else 'statements'} that {'are' if len(more) > 1 else 'is'} refuted"
        content.append(f"<details><summary>{summary}</summary><ul>{''.join(more)}</ul></details>")
    return section("findings", "What was found", content or ["<p>Nothing here is refuted.</p>"], "findings")


def _sentence(finding: MainFinding, shown: Mapping[str, Result], worked_out: str) -> str:
    links = [link(shown[name]) for name in finding.claims]
    if worked_out in finding.claims:
        links.append(f'<a href="#{OURS}example">in half a minute</a>')
    return f'<li>{escape(finding.sentence)} <span class="refs">{" ".join(links)}</span></li>'


def _instead(result: Result, shown: Mapping[str, Result]) -> str:
    repair = shown.get(result.claim.repaired_by or "")
    instead = link(repair, repair.claim.heading) if repair else text(result.claim.correction)
    return f" <span>Instead: {instead}</span>" if instead else ""


def _how_to_read(results: Sequence[Result]) -> str:
    numbers = by_rung(results)
    verdicts = "".join(f"<div><dt>{marked(verdict)}</dt><dd>{MEANINGS[verdict]}</dd></div>" for verdict in Verdict)
    rungs = "".join(
        f"<div><dt>{rung}</dt><dd>{RUNG_MEANINGS[rung].is_}. <b>To be believed:</b> {RUNG_MEANINGS[rung].believed}. "
        f"<b>Claims:</b> {in_words(numbers[rung])}.</dd></div>"
        for rung in RUNGS
    )
    return f"""<details class="key"><summary>What the verdicts mean, and what one must believe</summary>
<dl class="rungs">{verdicts}</dl>
<p>Evidence stands on a rung:</p>
<dl class="rungs">{rungs}</dl>
<p>{COMMON} <code>softmax-trick verify --kernel</code> asks the kernel of Coq, where Coq is installed.</p>
<p>In a proof, ✓ marks a step that was decided exactly on the spot, · a step that is cited and not checked by machine,
→ a step that is a claim of its own, with a verdict of its own, and ◆ a theorem that the kernel of Coq has checked, or a
step that is cited for what it has checked.</p></details>"""


def _graph(results: Sequence[Result]) -> str:
    drawn = drawings(results)
    if not drawn:
        return ""
    note = """<p>An arrow leads from a claim to one that rests on it; a dashed one from a refuted claim to what is true
instead. Claims that stand by themselves are left out; each card says in words what its claim rests on.</p>"""
    boxes = "".join(f'<div class="scroll">{one}</div>' for one in drawn)
    content = [note, arrowheads(), f'<div class="drawings">{boxes}</div>']
    return section("graph", "What rests on what", content, "graph")


# --- search, filters and index ----------------------------------------------------------------------------------------


def _tools(results: Sequence[Result]) -> str:
    """Search and filters; hidden where no script runs, for they would do nothing."""
    verdicts = Counter(result.verdict for result in results)
    labels = {"": "all", **{str(verdict): marked(verdict) for verdict in Verdict}}
    numbers = {"": len(results), **{str(verdict): verdicts[verdict] for verdict in Verdict}}
    radios = "".join(
        f'<label class="{value or "all"}"><input type="radio" name="verdict" value="{value}" autocomplete="off"'
        f"{'' if value else ' checked=' + chr(34) * 2}/><span>{label} <b>{numbers[value]}</b></span></label>"
        for value, label in labels.items()
    )
    titles = {"": ("all parts", len(results))}
    titles |= {one.key: (escape(one.title), len(one.results)) for one in by_part(results)}
    options = "".join(
        f'<option value="{key}" data-title="{title}">{title} ({number})</option>'
        for key, (title, number) in titles.items()
    )
    return f"""<div class="tools" role="search" hidden="">
<input type="search" aria-label="Search the claims" placeholder="search IDs, titles, statements" autocomplete="off"/>
<select aria-label="Part of the paper" autocomplete="off">{options}</select>
<fieldset><legend class="unseen">Verdict</legend>{radios}</fieldset>
<p><button type="button" value="open">open all</button> <button type="button" value="close">close all</button></p>
<p class="unseen" role="status">{len(results)} of {len(results)} claims</p>
</div>
"""


def _index(groups: Sequence[Group]) -> str:
    lists = "".join(
        f'<div class="group"><p><a href="#{OURS}part-{one.key}">{escape(one.title)}</a></p>'
        f"<ul>{''.join(map(_entry, one.results))}</ul></div>"
        for one in groups
    )
    return f"""<details class="index"><summary>Index of claims</summary>
<nav aria-label="Index of claims">{lists}</nav></details>"""


def _entry(result: Result) -> str:
    return f'<li data-claim="{escape(result.claim.id)}">{link(result, result.claim.heading)}</li>'
