"""The report as one HTML page: tables and charts, no network, no script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from softmax_trick.experiments.analysis import Analysis, Group
from softmax_trick.report.charts import Chart, charts
from softmax_trick.report.experiments_tables import Plain, statements, tables
from softmax_trick.report.page import OURS, SOURCE, page, section

TITLE = "The experiments, run anew"


def experiments_page(analysis: Analysis) -> str:
    """The whole page.

    Raises:
        MissingExtra: matplotlib, which draws the charts, is not installed.
    """
    found = statements(analysis)
    sections = [_section(f"group-{number}", group) for number, group in enumerate(analysis.groups, start=1)]
    if found.rows:
        sections.insert(0, section("statements", escape(found.title), [_table(found, captioned=False)]))
    top = f"""<p>The tables and figures of section 4 of {SOURCE}, from runs of
our own: the paper's figures beside ours, with 95 % intervals over seeds. A table compares runs with the same data and
settings.</p>"""
    entries = [f'<li><a href="#{OURS}statements">{escape(found.title)}</a></li>'] if found.rows else []
    entries += [
        f'<li><a href="#{OURS}group-{number}">{escape(group.title)}</a>, {_runs(group)}</li>'
        for number, group in enumerate(analysis.groups, start=1)
    ]
    contents = f"""<details class="index" open=""><summary>Contents</summary>
<nav aria-label="Contents"><ul>{"".join(entries)}</ul></nav></details>"""
    return page(TITLE, "A report of training runs", top, contents, sections, f"runs from {analysis.source}")


def _runs(group: Group) -> str:
    return f"{len(group.runs)} run{'s' if len(group.runs) > 1 else ''}"


def _section(key: str, group: Group) -> str:
    return section(key, escape(group.title), [*map(_table, tables(group)), *map(_figure, charts(group))])


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
