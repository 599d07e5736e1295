"""The report as one HTML page: tables and charts, no network, no script; matplotlib is not needed."""

from __future__ import annotations

from html import escape

from softmax_trick.experiments.analysis import Analysis, Group
from softmax_trick.report.charts import figures
from softmax_trick.report.experiments_tables import Plain, statements, tables
from softmax_trick.report.line_chart import figure
from softmax_trick.report.page import OURS, SOURCE, page, section

TITLE = "The experiments, run anew"


def experiments_page(analysis: Analysis) -> str:
    """The whole page."""
    found = statements(analysis)
    sections = [_section(f"group-{number}", group) for number, group in enumerate(analysis.groups, start=1)]
    if found.rows:
        sections.insert(0, section("statements", escape(found.title), [table_html(found, titled=False)]))
    top = f"""<p>The tables and figures of section 4 of {SOURCE}, from runs of
our own: the paper's figures beside ours, with 95 % intervals over seeds where there are several. A table compares runs
with the same data and settings.</p>"""
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
    drawn = [
        figure(caption, panels, f"{key}-figure-{number}")
        for number, (caption, panels, _) in enumerate(figures(group), start=1)
    ]
    return section(key, escape(group.title), [*map(table_html, tables(group)), *drawn])


def table_html(table: Plain, titled: bool = True) -> str:
    """A table, with its title above it and its note below."""
    prose = table.words == len(table.headings)

    def cell(place: int, text: str) -> str:
        heading = f' data-heading="{escape(table.headings[place])}"' if prose else ""
        return f"<td{_kind(table, place)}{heading}>{escape(text)}</td>"

    title = f"<h3>{escape(table.title)}</h3>\n" if titled else ""
    head = "".join(
        f'<th scope="col"{_kind(table, place)}>{escape(heading)}</th>' for place, heading in enumerate(table.headings)
    )
    rows = "\n".join(
        f"<tr>{''.join(cell(place, text) for place, text in enumerate(texts))}</tr>" for texts in table.rows
    )
    warning = f'\n<p class="warning">{escape(table.warning)}</p>' if table.warning else ""
    kind = "figures prose" if prose else "figures"
    return f"""{title}<div class="scroll"><table class="{kind}" aria-label="{escape(table.title)}">
<thead><tr>{head}</tr></thead>
<tbody>{rows}</tbody></table></div>{warning}
<p class="note">{escape(table.note)}</p>"""


def _kind(table: Plain, place: int) -> str:
    return "" if place < table.words else ' class="number"'
