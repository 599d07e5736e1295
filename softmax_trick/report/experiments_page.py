"""The report as one HTML page: tables and charts, no network, no script; it is well-formed XML too."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

import softmax_trick
from softmax_trick.experiments.analysis import Analysis, Group
from softmax_trick.report.charts import Chart, charts
from softmax_trick.report.experiments_tables import Plain, statements, tables
from softmax_trick.report.page import head

TITLE = "The experiments, run anew"
PAPER = "https://doi.org/10.3390/e26010065"
CSS = """.list { padding-left: 1.2rem; }
.figures td, .figures th { padding-right: 0.9rem; }
.figures .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.figures caption { color: var(--ink); font-weight: 600; padding-top: 1.5rem; }
.note { color: var(--soft); font-size: 0.85rem; max-width: 52rem; }
figure { margin: 2rem 0; }
figure img { width: 100%; height: auto; background: #fff; }
figcaption { color: var(--soft); font: 0.85rem var(--sans); }
"""


def experiments_page(analysis: Analysis) -> str:
    """The whole page.

    Raises:
        MissingExtra: matplotlib, which draws the charts, is not installed.
    """
    found = statements(analysis)
    sections = [_section(f"group-{number}", group) for number, group in enumerate(analysis.groups, start=1)]
    if found.rows:
        section = (
            f'<section class="part" id="statements"><h2>{found.title}</h2>{_table(found, captioned=False)}</section>'
        )
        sections.insert(0, section)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            head(TITLE, CSS),
            "<body>",
            _top(analysis),
            "<main>",
            *sections,
            "</main>",
            f"<footer><p>softmax-trick {softmax_trick.__version__}; runs from {escape(analysis.source)}.</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _top(analysis: Analysis) -> str:
    entries = "".join(
        f'<li><a href="#group-{number}">{escape(group.title)}</a>: {len(group.runs)} runs</li>'
        for number, group in enumerate(analysis.groups, start=1)
    )
    return f"""<header>
<p class="kind">A report of training runs</p>
<h1>{TITLE}</h1>
<p>The tables and figures of section 4 of W. Skarbek, “Cross Entropy in Deep Learning of Classifiers Is Unnecessary—ISBE
Error Is All You Need”, <cite>Entropy</cite> 2024, 26, 65 (<a href="{PAPER}">doi:10.3390/e26010065</a>), from runs of
our own: the paper's figures beside ours, with 95 % intervals over seeds. A table compares runs with the same data and
settings.</p>
<ul class="list">{entries}</ul>
</header>"""


def _section(key: str, group: Group) -> str:
    content = "\n".join([*(_table(table) for table in tables(group)), *map(_figure, charts(group))])
    return f'<section class="part" id="{key}"><h2>{escape(group.title)}</h2>\n{content}</section>'


def _table(table: Plain, captioned: bool = True) -> str:
    def cell(tag: str, place: int, text: str) -> str:
        number = "" if place < table.words else ' class="number"'
        return f"<{tag}{number}>{escape(text)}</{tag}>"

    def row(tag: str, texts: Sequence[str]) -> str:
        return "<tr>" + "".join(cell(tag, place, text) for place, text in enumerate(texts)) + "</tr>"

    caption = f"<caption>{escape(table.title)}</caption>" if captioned else ""
    rows = "\n".join(row("td", texts) for texts in table.rows)
    return (
        f'<div class="scroll"><table class="figures">{caption}<thead>{row("th", table.headings)}</thead>\n'
        f'<tbody>{rows}</tbody></table></div>\n<p class="note">{escape(table.note)}</p>'
    )


def _figure(chart: Chart) -> str:
    data = b64encode(chart.svg.encode()).decode()
    caption = escape(chart.caption)
    note = "Lines are means over the seeds, bands 95 % confidence intervals of the mean."
    return (
        f'<figure><img alt="{caption}" src="data:image/svg+xml;base64,{data}"/>'
        f"<figcaption>{caption} {note}</figcaption></figure>"
    )
