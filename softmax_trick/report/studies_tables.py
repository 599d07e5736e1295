"""What the trials of a study say, as tables of the console and of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from softmax_trick.experiments.studies import STUDIES
from softmax_trick.experiments.study import Study
from softmax_trick.measurements.findings import LOOKS, Arms, Finding, by_group, findings
from softmax_trick.measurements.statistics import Estimate
from softmax_trick.measurements.trials import Trial
from softmax_trick.report.experiments_tables import Plain, rendered

MOST_COLUMNS = 4  # of arms, beside each other on a terminal
IN_WORDS = {"holds": "reproduced", "fails": "contradicted", "open": "open", "not run": "not run"}


def statements_of(study: Study, trials: Sequence[Trial]) -> Plain:
    """Every statement, group by group: what came out, at which look, and the interval."""
    rows = tuple(_row(finding) for finding in findings(study.statements, trials))
    looks = ", ".join(map(str, LOOKS[:-1])) + f" and {LOOKS[-1]}"
    note = (
        f"Looks at {looks} seeds; the first that decides is the last, and 'seeds' says which it was. Each spends a "
        f"{_ordinal(len(LOOKS))} of the 5 %. The interval is the plain 95 % one at that look; reproduced: the interval "
        "of that look lies inside the range allowed; contradicted: outside, for all groups of the statement together."
    )
    headings = ("statement", "it tests", "group", "outcome", "seeds", "ours", "allowed")
    return Plain("What was said, and what came out", headings, rows, note, 4)


def values_of(study: Study, trials: Sequence[Trial]) -> list[Plain]:
    """A table for each quantity: its mean in every arm and group, with its interval."""
    groups = by_group(trials)
    tables = []
    for quantity, unit in study.quantities.items():
        by_name = {name: Arms(of, quantity) for name, of in groups.items()}
        arms = list(dict.fromkeys(arm for one in by_name.values() for arm in one.samples))
        if not arms:
            continue
        title, note, there = (
            f"{quantity}, {unit}",
            _seeds(groups),
            {n: one for n, one in by_name.items() if one.samples},
        )
        if len(arms) > MOST_COLUMNS:
            long = tuple((n, arm, in_words(one.mean(arm))) for n, one in there.items() for arm in one.samples)
            tables.append(Plain(title, ("group", "arm", "mean"), long, note, 2))
            continue
        rows = tuple(
            (n, *(in_words(one.mean(arm)) if arm in one.samples else "" for arm in arms)) for n, one in there.items()
        )
        tables.append(Plain(title, ("group", *arms), rows, note, 1))
    return tables


def protocols_of(trials: Sequence[Trial]) -> Plain:
    """What was trained on what, and how; what all groups share once."""
    protocols = {name: of[0].protocol for name, of in by_group(trials).items()}
    first = next(iter(protocols.values()))
    shared = [name for name in first if all(one.get(name) == first[name] for one in protocols.values())]
    own = list(dict.fromkeys(name for one in protocols.values() for name in one if name not in shared))
    rows = [("all", ", ".join(f"{name}: {_plain(first[name])}" for name in shared))]
    if own:
        rows += [
            (group, ", ".join(f"{name}: {_plain(one[name])}" for name in own if name in one))
            for group, one in protocols.items()
        ]
    return Plain("How it was made", ("group", "protocol"), tuple(rows), "", 2)


def in_full(study: Study, trials: Sequence[Trial]) -> RenderableType:
    """All tables of a study."""
    head = Text(f"{study.name}, {study.title} ({study.work})", style="bold italic")
    tables = [statements_of(study, trials), *values_of(study, trials), protocols_of(trials)]
    return Lines(head, Text(""), *(part for table in tables for part in (rendered(table), Text(""))))


def list_of_studies(seeds: int | None) -> RenderableType:
    """The studies that can be made."""
    rows = tuple(
        (
            one.name,
            one.title,
            ", ".join(one.data) or "none",
            str(seeds or one.seeds),
            str(len(one.groups) * (seeds or one.seeds)),
        )
        for one in STUDIES.values()
    )
    return rendered(Plain("", ("study", "what it shows", "data", "seeds", "trials"), rows, "", 5))


def in_words(found: Estimate) -> str:
    """The mean, and half the length of its interval where it has one."""
    if math.isnan(found.mean):
        return "-"
    shown = found.interval()
    if shown.high is None:
        return f"{found.mean:.4g}"
    half = shown.high - found.mean
    digits = min(6, max(0, 1 - math.floor(math.log10(half)))) if half > 0 else 3
    return f"{found.mean:.{digits}f} ± {half:.{digits}f}"


def _row(finding: Finding) -> tuple[str, ...]:
    statement = finding.statement
    allowed = f"{_end(statement.low)} to {_end(statement.high)}"
    return (
        *(statement.title, statement.theorem, finding.group, IN_WORDS[finding.outcome]),
        *(str(finding.seeds), in_words(finding.estimate), allowed),
    )


def _end(value: float) -> str:
    return "∞" if value == math.inf else "-∞" if value == -math.inf else f"{value:g}"


def _plain(value: bool | float | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:g}"


def _ordinal(number: int) -> str:
    return {2: "half", 3: "third", 4: "fourth"}.get(number, f"{number}th")


def _seeds(groups: Mapping[str, Sequence[Trial]]) -> str:
    counts = sorted({len(of) for of in groups.values()})
    several = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Means over {several} seeds ± half the 95 % interval; the arms of a group share one variance."
