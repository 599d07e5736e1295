"""A panel of curves as HTML: an SVG in the colours of the page, light or dark, and its legend below, off the curves.

Panels are drawn one by one, and so stand beside or below each other as the window is wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from softmax_trick.report.charts import SEEDS_OF_A_BAND, Line, Panel, Trace, view
from softmax_trick.report.page import OURS
from softmax_trick.report.palette import Dashes, in_css

WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 352, 10, 204  # the axes
THICK, THIN = 1.6, 1.0
STEPS = (1, 2, 5, 10)


def figure(caption: str, panels: Sequence[Panel], key: str) -> str:
    """Panels with a caption, and how they are to be read.

    Args:
        caption: as plain text.
        panels: that have something to show.
        key: begins the ids of what is in it.
    """
    drawn = "".join(_panel(panel, f"{OURS}{key}-{number}") for number, panel in enumerate(panels, start=1))
    said = f"{escape(caption)} {how_to_read(panels)}"
    return f'<figure class="chart"><div class="panels">{drawn}</div><figcaption>{said}</figcaption></figure>'


def how_to_read(panels: Sequence[Panel]) -> str:
    """What lines and bands are, where there are any."""
    seeds = sorted({len(line.runs) for panel in panels for line in panel.lines if line.runs})
    few = [number for number in seeds if number < SEEDS_OF_A_BAND]
    if seeds == [1]:
        return "A line is a single run: there is no mean, and no interval."
    if few == seeds:
        number = "two seeds" if seeds == [2] else "one or two seeds"
        return f"Lines are means over {number}, too few for a band: the interval of two would cover the panel."
    bands = "Lines are means over the seeds, bands 95 % confidence intervals of the mean"
    return f"{bands}, of three seeds or more: lines without a band have fewer." if few else f"{bands}."


def _panel(panel: Panel, key: str) -> str:
    seen = view(panel)
    low, high = seen.limits or _limits(seen.traces)
    first, last = _epochs(seen.traces)

    def x(epoch: float) -> float:
        return LEFT + (RIGHT - LEFT) * (epoch - first) / (last - first)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    def points(epochs: Sequence[int], values: Sequence[float]) -> list[str]:
        return [f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in zip(epochs, values, strict=True)]

    drawn = []
    for trace in seen.traces:
        if trace.band:
            lows, highs = (points(trace.epochs, values) for values in trace.band)
            ring = " ".join([*highs, *reversed(lows)])
            drawn.append(f'<polygon class="band" points="{ring}" style="fill: {in_css(trace.line.colour)}"/>')
    for line in panel.lines:
        if line.reference is not None:
            ends = f'x1="{LEFT}" x2="{RIGHT}" y1="{y(line.reference):.1f}" y2="{y(line.reference):.1f}"'
            drawn.append(f"<line {ends} {_style(line, THIN)}/>")
    for trace in seen.traces:
        path = points(trace.epochs, trace.means)
        if len(path) == 1:
            [(at, height)] = [path[0].split(",")]
            drawn.append(f'<circle cx="{at}" cy="{height}" r="3" style="fill: {in_css(trace.line.colour)}"/>')
        else:
            drawn.append(f'<polyline points="{" ".join(path)}" {_style(trace.line, THICK)}/>')
    frame = f'x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"'
    return f"""<div class="panel"><p>{escape(panel.title)}</p><p class="axis">{escape(panel.axis)}</p>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_in_words(panel, seen.traces))}">
<clipPath id="{key}"><rect {frame}/></clipPath>
{_vertical(low, high, y)}{_horizontal(first, last, x, {epoch for one in seen.traces for epoch in one.epochs})}
<g clip-path="url(#{key})">{"".join(drawn)}</g></svg>
<ul class="legend">{"".join(_entries(panel, seen.traces))}</ul></div>"""


# --- axes -------------------------------------------------------------------------------------------------------------


def _limits(traces: Sequence[Trace]) -> tuple[float, float]:
    """Around all means and bands, with a little air."""
    values = [value for one in traces for values in (one.means, *(one.band or ())) for value in values]
    least, most = min(values), max(values)
    margin = 0.05 * (most - least) or 0.05 * abs(most) or 1.0
    return least - margin, most + margin


def _epochs(traces: Sequence[Trace]) -> tuple[float, float]:
    first, last = min(one.epochs[0] for one in traces), max(one.epochs[-1] for one in traces)
    return (first - 0.5, last + 0.5) if first == last else (float(first), float(last))


def ticks(low: float, high: float, most: int) -> tuple[list[float], int]:
    """Round numbers in a range, at most so many, and the digits behind the point that tell them apart."""
    least = (high - low) / most
    power = math.floor(math.log10(least))
    step = next(step * 10.0**power for step in STEPS if step * 10.0**power >= least * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [step * n for n in range(first, math.floor(high / step + 1e-9) + 1)], max(0, -math.floor(math.log10(step)))


def _vertical(low: float, high: float, y: Callable[[float], float]) -> str:
    places, digits = ticks(low, high, 6)
    return "".join(
        f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y(one):.1f}" y2="{y(one):.1f}"/>'
        f'<text class="vertical" x="{LEFT - 6}" y="{y(one) + 4:.1f}">{one:.{digits}f}</text>'
        for one in places
    )


def _horizontal(first: float, last: float, x: Callable[[float], float], epochs: set[int]) -> str:
    places = [one for one in ticks(first, last, 6)[0] if one in epochs] or sorted(epochs)[:1]
    labels = "".join(f'<text class="tick" x="{x(one):.1f}" y="{BOTTOM + 15}">{one:.0f}</text>' for one in places)
    return f'{labels}<text class="tick" x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 4}">epoch</text>'


# --- lines and their names --------------------------------------------------------------------------------------------


def _style(line: Line, width: float) -> str:
    return f'class="curve" style="stroke: {in_css(line.colour)}; stroke-width: {width}{_dashed(line.dashes, width)}"'


def _dashed(dashes: Dashes, width: float) -> str:
    """As matplotlib has them, in widths of the line."""
    if isinstance(dashes, str):
        return ""
    return f"; stroke-dasharray: {' '.join(f'{one * width:.3g}' for one in dashes[1])}"


def _entries(panel: Panel, traces: Sequence[Trace]) -> list[str]:
    names = [(one.line, one.label, THICK) for one in traces]
    names += [(line, line.label, THIN) for line in panel.lines if not line.runs]
    return [
        f'<li><svg width="30" height="10" aria-hidden="true"><line x1="0" x2="30" y1="5" y2="5" {_style(line, width)}/>'
        f"</svg> {escape(label)}</li>"
        for line, label, width in names
    ]


def _in_words(panel: Panel, traces: Sequence[Trace]) -> str:
    """For those who do not see it: what it shows, and where each line ends."""
    ends = ", ".join(f"{one.line.label} {one.means[-1]:.4g}" for one in traces)
    return f"{panel.title}: {panel.axis}, by epoch. After epoch {max(one.epochs[-1] for one in traces)}: {ends}."
