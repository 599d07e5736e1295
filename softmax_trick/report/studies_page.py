"""The report of studies as one HTML page: what was said, what came out, figures, and how it was made."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from softmax_trick.experiments.study import Study
from softmax_trick.measurements.trials import Trial
from softmax_trick.report.charts import Chart
from softmax_trick.report.experiments_page import table_html
from softmax_trick.report.page import OURS, page, section
from softmax_trick.report.studies_charts import study_charts
from softmax_trick.report.studies_tables import protocols_of, statements_of, values_of

TITLE = "Theory meets practice"


def study_page(studies: Mapping[Study, Sequence[Trial]], source: str) -> str:
    """The whole page.

    Raises:
        MissingExtra: matplotlib, which draws the figures, is not installed.
    """
    entries = "".join(
        f'<li><a href="#{OURS}{study.name}">{escape(study.title)}</a>, {len(trials)} trials</li>'
        for study, trials in studies.items()
    )
    top = """<p>Neighbouring works and the theorems of this project, each beside an experiment: intervals over seeds,
statements that can fail.</p>"""
    contents = f"""<details class="index" open=""><summary>Contents</summary>
<nav aria-label="Contents"><ul>{entries}</ul></nav></details>"""
    sections = [_section(study, trials) for study, trials in studies.items()]
    return page(TITLE, "A report of studies", top, contents, sections, f"trials from {source}")


def _section(study: Study, trials: Sequence[Trial]) -> str:
    tables = [statements_of(study, trials), *values_of(study, trials), protocols_of(trials)]
    bands = "Lines are means over the seeds, bands and bars 95 % confidence intervals of the mean."
    charts = [_figure(chart, bands) for chart in study_charts(study, trials)]
    note = f"<p>{escape(' '.join(filter(None, (f'{study.work}.', study.note))))}</p>"
    return section(
        study.name, escape(study.title), [note, table_html(tables[0]), *charts, *map(table_html, tables[1:])]
    )


def _figure(chart: Chart, note: str) -> str:
    data, caption = b64encode(chart.svg.encode()).decode(), escape(chart.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/svg+xml;base64,{data}"/>'
        f"<figcaption>{caption} {escape(note)}</figcaption></figure>"
    )
