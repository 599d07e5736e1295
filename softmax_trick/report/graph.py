"""The dependencies of claims as inline SVGs: claims in layers from left to right, coloured by verdict.

A solid arrow leads from a claim to one that rests on it, a dashed one from a refuted claim to its repair. Each
connected part of the graph is a drawing of its own (layers by longest paths, order within layers by barycentres, as
Sugiyama, Tagawa and Toda do): the page packs them, whatever its width, and can leave some out.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.run import Result
from softmax_trick.report.page import OURS, target

MARKS = {Verdict.PROVED: "✓", Verdict.REFUTED: "✗", Verdict.MEASURED: "≈", Verdict.UNDECIDED: "?"}

CHARACTER, HEIGHT = 7.3, 26.0  # of the labels and of the boxes, in pixels
BETWEEN_LAYERS, BETWEEN_ROWS = 34.0, 11.0
STROKE = 2.0  # the room around a drawing, for the strokes of its boxes
SWEEPS = 8


@dataclass(frozen=True)
class Edge:
    """From a claim to one that rests on it, or to its repair."""

    start: str
    end: str
    kind: Literal["rests", "repair"]


@dataclass
class Layout:
    """Places for the nodes of one connected part: the left end and the middle of each box.

    A node may be a bend, (edge, layer): a point at which a long edge passes a layer.
    """

    width: float
    height: float
    places: dict[Node, tuple[float, float]]
    routes: dict[Edge, list[Node]] = field(default_factory=dict)


Node = str | tuple[Edge, int]


def edges(results: Sequence[Result]) -> list[Edge]:
    """The edges between claims that are among the results, in the order of the results."""
    shown = {result.claim.id for result in results}
    found = []
    for result in results:
        name, repair = result.claim.id, result.claim.repaired_by
        found += [Edge(used, name, "rests") for used in result.depends_on if used in shown and used != name]
        if repair in shown and repair != name and repair is not None:
            found.append(Edge(name, repair, "repair"))
    return list(dict.fromkeys(found))


def drawings(results: Sequence[Result]) -> list[str]:
    """An SVG for each connected part of the graph of all claims that have edges, the highest first."""
    links = edges(results)
    by_id = {result.claim.id: result for result in results}
    layouts = [_lay_out(part, [edge for edge in links if edge.start in part]) for part in _connected(by_id, links)]
    return [_drawn(layout, by_id) for layout in sorted(layouts, key=lambda layout: -layout.height)]


def arrowheads() -> str:
    """The ends of all arrows, to which the drawings refer; it takes no place."""
    return (
        f'<svg class="arrowheads" width="0" height="0"><defs>{_arrowhead("rests")}{_arrowhead("repair")}</defs></svg>'
    )


def _drawn(layout: Layout, by_id: Mapping[str, Result]) -> str:
    inside = [_edge(edge, layout) for edge in layout.routes]
    inside += [_node(by_id[node], layout.places[node]) for node in layout.places if isinstance(node, str)]
    width, height = layout.width + 2 * STROKE, layout.height + 2 * STROKE
    return (
        f'<svg role="group" aria-label="Which claims rest on which" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-STROKE} {-STROKE} {width:.0f} {height:.0f}">{"".join(inside)}</svg>'
    )


def _connected(names: Mapping[str, Result], links: Sequence[Edge]) -> list[list[str]]:
    """The connected parts that have edges, each in the order of the claims."""
    neighbours: dict[str, set[str]] = {name: set() for name in names}
    for edge in links:
        neighbours[edge.start].add(edge.end)
        neighbours[edge.end].add(edge.start)
    parts, seen = [], set()
    for name in names:
        if name in seen or not neighbours[name]:
            continue
        reached, waiting = {name}, [name]
        while waiting:
            new = neighbours[waiting.pop()] - reached
            reached |= new
            waiting += new
        seen |= reached
        parts.append([one for one in names if one in reached])
    return parts


# --- one connected part -----------------------------------------------------------------------------------------------


def _lay_out(names: Sequence[str], links: Sequence[Edge]) -> Layout:
    layer_of = _layers(names, links)
    layers: list[list[Node]] = [[] for _ in range(1 + max(layer_of.values()))]
    for name in names:
        layers[layer_of[name]].append(name)
    routes: dict[Edge, list[Node]] = {}
    for edge in links:
        first, last = layer_of[edge.start], layer_of[edge.end]
        step = 1 if first < last else -1  # backwards where the claims run in a circle
        bends: list[Node] = [(edge, number) for number in range(first + step, last, step)]
        for number, bend in zip(range(first + step, last, step), bends, strict=True):
            layers[number].append(bend)
        routes[edge] = [edge.start, *bends, edge.end]
    neighbours: dict[Node, list[Node]] = {node: [] for layer in layers for node in layer}
    for route in routes.values():
        for one, other in itertools.pairwise(route):
            neighbours[one].append(other)
            neighbours[other].append(one)
    _untangle(layers, neighbours)
    heights = _heights(layers, neighbours)
    places, left = {}, 0.0
    for layer in layers:
        for node in layer:
            places[node] = (left, heights[node])
        left += max(_width(node) for node in layer) + BETWEEN_LAYERS
    return Layout(left - BETWEEN_LAYERS, max(heights.values()) + HEIGHT / 2, places, routes)


def _layers(names: Sequence[str], links: Sequence[Edge]) -> dict[str, int]:
    """A layer for each claim, after those of its predecessors; an edge that would close a circle does not count."""
    after: dict[str, list[str]] = {name: [] for name in names}
    for edge in sorted(links, key=lambda edge: edge.kind == "repair"):  # stable: those that rest come first
        if not _reaches(after, edge.end, edge.start):
            after[edge.start].append(edge.end)
    layer = dict.fromkeys(names, 0)
    for _ in names:  # the longest path has fewer edges than there are claims
        for name in names:
            for end in after[name]:
                layer[end] = max(layer[end], layer[name] + 1)
    with_predecessors = {end for ends in after.values() for end in ends}
    for name in names:  # a claim that rests on none stands beside the first that rests on it
        if name not in with_predecessors and after[name]:
            layer[name] = min(layer[end] for end in after[name]) - 1
    return layer


def _reaches(after: Mapping[str, list[str]], start: str, goal: str) -> bool:
    reached, waiting = {start}, [start]
    while waiting:
        new = set(after[waiting.pop()]) - reached
        reached |= new
        waiting += new
    return goal in reached


def _untangle(layers: list[list[Node]], neighbours: Mapping[Node, list[Node]]) -> None:
    """Order each layer by the mean position of the neighbours in the layer before it, then in the one after it."""
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        order = range(1, len(layers)) if forward else range(len(layers) - 2, -1, -1)
        for number in order:
            position = {node: at for at, node in enumerate(layers[number - 1 if forward else number + 1])}
            own = {node: at for at, node in enumerate(layers[number])}

            def barycentre(node: Node, position: dict[Node, int] = position, own: dict[Node, int] = own) -> float:
                return statistics.fmean([position[one] for one in neighbours[node] if one in position] or [own[node]])

            layers[number].sort(key=barycentre)


def _heights(layers: Sequence[Sequence[Node]], neighbours: Mapping[Node, list[Node]]) -> dict[Node, float]:
    """The middle of each box: near the mean of its neighbours, and no two boxes of a layer closer than they may be."""
    heights = {node: number * (HEIGHT + BETWEEN_ROWS) for layer in layers for number, node in enumerate(layer)}
    for _ in range(SWEEPS):
        for layer in layers:
            wanted = [statistics.fmean(heights[one] for one in neighbours[node]) for node in layer]
            placed: list[float] = []
            for height in wanted:
                placed.append(max(height, placed[-1] + HEIGHT + BETWEEN_ROWS) if placed else height)
            shift = statistics.fmean(want - got for want, got in zip(wanted, placed, strict=True))
            heights |= {node: height + shift for node, height in zip(layer, placed, strict=True)}
    top = min(heights.values()) - HEIGHT / 2
    return {node: height - top for node, height in heights.items()}


def _width(node: Node) -> float:
    return CHARACTER * len(node) + 32 if isinstance(node, str) else 0.0


# --- as SVG -----------------------------------------------------------------------------------------------------------


def _arrowhead(kind: str) -> str:
    return (
        f'<marker id="{OURS}{kind}" class="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0.5 L8 4 L0 7.5 Z"/></marker>'
    )


def _edge(edge: Edge, layout: Layout) -> str:
    points = [layout.places[node] for node in layout.routes[edge]]
    (x, y), *bends, (end, height) = points
    forwards = end > x
    x += _width(edge.start) if forwards else 0.0
    end += 0.0 if forwards else _width(edge.end)
    path = f"M{x:.1f} {y:.1f}"
    for next_x, next_y in [*bends, (end, height)]:
        middle = (x + next_x) / 2
        path += f" C{middle:.1f} {y:.1f} {middle:.1f} {next_y:.1f} {next_x:.1f} {next_y:.1f}"
        x, y = next_x, next_y
    ends = f'data-start="{escape(edge.start)}" data-end="{escape(edge.end)}"'
    return f'<path class="edge {edge.kind}" {ends} d="{path}" marker-end="url(#{OURS}{edge.kind})"/>'


def _node(result: Result, place: tuple[float, float]) -> str:
    name, verdict = result.claim.id, result.verdict
    left, middle = place
    return (
        f'<a class="node {verdict}" data-claim="{escape(name)}" href="{target(name)}">'
        f"<title>{escape(f'{name}: {result.claim.heading} ({verdict})')}</title>"
        f'<rect x="{left:.1f}" y="{middle - HEIGHT / 2:.1f}" width="{_width(name):.1f}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{left + 10:.1f}" y="{middle + 4:.1f}"><tspan class="mark">{MARKS[verdict]}</tspan> '
        f"{escape(name)}</text></a>"
    )
