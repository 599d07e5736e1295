"""What the names of a statement are: axes, labels, indices, variables, definitions; and how each was read, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from softmax_trick.language.cells import Axis, Shape
from softmax_trick.language.expression import shape, size_of
from softmax_trick.language.functions import NAMED
from softmax_trick.language.syntax import Declaration, Node


class Names:
    """What each name of a statement is.

    Attributes:
        axes: names that are axes.
        labels: names that are labels, with their own axes and the one that they point into.
        indices: free indices, with their axis.
        shapes: variables and definitions.
    """

    def __init__(self, texts: Sequence[Node], declarations: Mapping[str, Declaration]) -> None:
        self.declarations = declarations
        self.definitions = {n: d.meaning for n, d in declarations.items() if not d.kind and d.meaning is not None}
        self.trees = (*texts, *self.definitions.values())
        self.axes = axis_names(texts, declarations)
        for name, one in declarations.items():
            if self.is_axis(name) and (name in self.definitions or one.kind not in ("size", "")):
                raise one.node.error(f"{name} is an axis here: a variable needs another name")
        self.labels: dict[str, tuple[Shape, Axis]] = {}
        self.indices: dict[str, Axis] = {}
        self.shapes: dict[str, Shape] = {}
        for name, one in declarations.items():
            if one.kind == "label":
                self.labels[name] = Shape([Axis(axis) for axis in one.axes]), Axis(one.along)
            elif one.kind == "index":
                self.indices[name] = Axis(one.along)
            elif one.kind != "size":
                self.shapes[name] = Shape(None if not one.kind else [Axis(axis) for axis in one.axes])
        for label in (label for tree in self.trees for label in _labels(tree, frozenset())):
            if self.is_axis(label.text):
                raise label.error(f"{label.text} is an axis here, and no label")
            if label.text not in declarations:
                self.labels.setdefault(label.text, (Shape(), Axis()))

    def is_axis(self, name: str) -> bool:
        """Whether a name is an axis, with primes or without."""
        return size_of(name) in self.axes


def axis_names(trees: Sequence[Node], declarations: Mapping[str, Declaration]) -> frozenset[str]:
    """The names that are axes: declared, bound over, given as an argument; and K, unless it is something else."""
    own = [one for name, one in declarations.items() if size_of(name) == "K"]
    sizes = (one.kind == "size" or (one.meaning is not None and one.meaning.kind == "number") for one in own)
    found = {"K"} if all(sizes) else set()
    for name, one in declarations.items():
        found |= set(one.axes) | ({one.along} if one.along else set()) | ({name} if one.kind == "size" else set())
    meanings = [one.meaning for one in declarations.values() if one.meaning is not None]
    for node in (node for tree in (*trees, *meanings) for node in tree.nodes()):
        found |= {axis for _, axis in node.bound}
        if node.text != "softmax":  # whose second argument may be meant as its slack
            found |= {part.text for part in axis_arguments(node)}
    return frozenset(found | {size_of(axis) for axis in found})


def axis_arguments(node: Node) -> tuple[Node, ...]:
    """The arguments of a call that are names of axes wherever they are names (of max and min: if they are axes)."""
    if node.kind != "call":
        return ()
    places = {"eye": (0, 1), "ones": (0, 99), "rows": (1, 2), "cols": (1, 2), "spread": (1, 2)}
    if node.text in NAMED and node.text not in ("max", "min"):
        arguments = 1 if node.text == "softmax" else NAMED[node.text].arity[1]
        first, last = arguments, 99
    else:
        first, last = places.get(node.text, (0, 0))
    return tuple(part for part in node.parts[first:last] if part.kind == "name")


def _labels(node: Node, bound: frozenset[str]) -> Iterator[Node]:
    """The names in a tree that must be labels."""
    bound |= {name for name, _ in node.bound}
    is_argument = node.kind == "call" and node.text in ("onehot", "pick")
    label = node.parts[-1] if is_argument else node
    if label.text not in bound and (label.kind == "name" if is_argument else node.kind == "index" and node.parts):
        yield label
    for part in (*node.parts, *((node.slack,) if node.slack else ())):
        yield from _labels(part, bound)


def names_in_words(readings: Mapping[str, str]) -> str:
    """How each name was read, in a line."""
    return "; ".join(f"{name}: {reading}" for name, reading in readings.items())


def described(axes: tuple[str, ...], kind: str, along: str) -> str:
    """How a name was read, in words: "vector over K", "positive scalar", "label into K"."""
    if kind == "label":
        return f"label into {along}" + (f" for each {', '.join(axes)}" if axes else "")
    words = shape(axes).removeprefix("a ") if len(axes) < 2 else f"matrix {shape(axes)}"
    match kind:
        case "positive" | "nonnegative":
            return f"{kind} {words}"
        case "unit":
            return f"{words} in [0, 1]"
        case "distribution":
            rest = [axis for axis in axes if axis != along]
            return f"distribution over {along}" + (f" for each {', '.join(rest)}" if rest else "")
    return words
