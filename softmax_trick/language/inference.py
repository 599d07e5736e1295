"""The axes of names that nobody declared: those that the formulas force, by unification over all their trees together.

Axes are cells: what must be equal is joined, what is known spreads until nothing changes. Only then is something chosen
where nothing is forced, one choice at a time: a name that must have axes is a vector (or a matrix, if it has a capital
letter and stands beside @, .T, trace or diagonal), a name by which one differentiates is a vector, every other name a
scalar. Axes that nothing determines are K; those of matrices K, D, N, ... in order.

What does not fit is left as it is: building the expression raises the error, with both shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from softmax_trick.language.expression import shape, size_of
from softmax_trick.language.functions import NAMED
from softmax_trick.language.syntax import DERIVATIVES, DIRECTIONAL, REDUCTIONS, Declaration, Node

FIRST_AXES = ("K", "D", "N", "M", "L", "P", "Q", "R")
INDEX_NAME = re.compile(r"[i-n][0-9]*'*")
SCORES = ("x", "z", "u", "v")  # whom one takes for the vector, where only one of several must be one


class Axis:
    """An axis that may still be unknown."""

    def __init__(self, name: str = "", of_matrix: bool = False) -> None:
        self.name, self.of_matrix = name, of_matrix
        self.link: Axis | None = None

    def root(self) -> Axis:
        """The cell that stands for all that were joined with it."""
        return self if self.link is None else self.link.root()


class Shape:
    """Axes of which there is an unknown number at first; `whole` says that there is at least one."""

    def __init__(self, axes: Sequence[Axis] | None = None, whole: bool = False) -> None:
        self.axes = None if axes is None else tuple(axes)
        self.whole = whole or bool(axes)
        self.holds: list[str] = []  # axes that it must have, by name
        self.link: Shape | None = None

    def root(self) -> Shape:
        """The cell that stands for all that were joined with it."""
        return self if self.link is None else self.link.root()


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


class Inference:
    """The cells of the names and of every part of the trees, and what must hold between them.

    Args:
        names: the names; their cells are filled.
        texts: the trees of the statement.
        pairs: those of the texts that are two sides of a relation.
    """

    def __init__(self, names: Names, texts: Sequence[Node], pairs: Sequence[tuple[Node, ...]]) -> None:
        self.names = names
        self._changed = False
        self._constraints: list[Callable[[], None]] = []
        self._choices: dict[str, list[Callable[[], bool]]] = {key: [] for key in _ORDER}
        self._scalars: list[Callable[[], bool]] = []  # for names that nothing else is said of
        self._axes: list[Axis] = []
        self._squares: set[str] = set()  # names beside @, .T, trace, diagonal
        self._of: dict[int, Shape] = {}
        for name, meaning in names.definitions.items():
            self._join(names.shapes[name], self.visit(meaning, {}))
        for text in texts:
            self.visit(text, {})
        for pair in pairs:
            self._choices["sides"].append(partial(self._sides, pair))
        for name, (own, into) in names.labels.items():
            self._axes.append(into)
            if name not in names.declarations:
                self._choices["labels"].append(partial(self._set, own, ()))
        self._axes += [axis for _, axis in names.indices.items()]
        self._solve()

    # --- joining ---

    def _join_axes(self, left: Axis, right: Axis) -> None:
        left, right = left.root(), right.root()
        if left is right:
            return
        if not left.name:
            left, right = right, left
        right.link = left
        left.of_matrix |= right.of_matrix
        self._changed = True

    def _join(self, left: Shape, right: Shape) -> bool:
        """Make two shapes one; False, and nothing happens, if they cannot be."""
        left, right = left.root(), right.root()
        if left is right:
            return True
        if left.axes is None:
            left, right = right, left
        if left.axes is not None and right.axes is not None:
            pairs = list(zip(left.axes, right.axes, strict=False))
            if len(left.axes) != len(right.axes) or not all(_compatible(a, b) for a, b in pairs):
                return False
            for a, b in pairs:
                self._join_axes(a, b)
        elif left.axes == () and right.whole:
            return False
        else:
            self._changed = True
        right.link = left
        left.whole |= right.whole
        left.holds += [axis for axis in right.holds if axis not in left.holds]
        return True

    def _set(self, cell: Shape, axes: Sequence[Axis]) -> bool:
        """Say what a shape is; whether that was news."""
        before = self._changed
        self._changed = False
        self._axes += [axis for axis in axes if not axis.name]
        self._join(cell, Shape(axes))
        news, self._changed = self._changed, before or self._changed
        return news

    def _whole(self, cell: Shape) -> Shape:
        root = cell.root()
        if root.axes is None and not root.whole:
            root.whole = self._changed = True
        return cell

    # --- walking through a tree ---

    def visit(self, node: Node, bound: Mapping[str, str]) -> Shape:
        """The cell of a part; its constraints are noted."""
        cell = self._visit(node, bound)
        self._of[id(node)] = cell
        return cell

    def shape_of(self, node: Node) -> tuple[str, ...] | None:
        """The axes that were found for a part; None if they are open."""
        axes = self._of[id(node)].root().axes
        return None if axes is None else tuple(axis.root().name for axis in axes)

    def _visit(self, node: Node, bound: Mapping[str, str]) -> Shape:
        match node.kind:
            case "number":
                return Shape(())
            case "name":
                return self._name(node, bound)
            case "eye":
                return Shape((self._fresh(),) * 2)
            case "transpose":
                inner, result = self._whole(self.visit(node.parts[0], bound)), Shape(whole=True)
                self._mark(node.parts[0])
                self._both(lambda: self._reverse(inner, result), lambda: self._reverse(result, inner))
                return result
            case "entry":
                return self._entry(node, bound)
            case "tensor":
                body, result = self.visit(node.parts[0], {**bound, **dict(node.bound)}), Shape(whole=True)
                self._concatenated(result, Shape([Axis(axis) for _, axis in node.bound]), body)
                return result
            case "operation":
                return self._operation(node, bound)
            case _:
                return self._call(node, bound)

    def _name(self, node: Node, bound: Mapping[str, str]) -> Shape:
        name, names = node.text, self.names
        if name in bound or name in names.indices:
            raise node.error(f"{name} is an index: it stands in brackets, as in x[{name}], or in delta({name}, j)")
        if name in names.labels:
            return names.labels[name][0]
        if names.is_axis(name):
            return Shape(())
        if name not in names.shapes:
            names.shapes[name] = cell = Shape()
            self._choices["names"].append(lambda: self._vector(node, cell))
            self._scalars.append(lambda: not cell.root().whole and self._set(cell, ()))
        return names.shapes[name]

    def _vector(self, node: Node, cell: Shape) -> bool:
        """A name that must have axes, and nothing says how many."""
        cell = cell.root()
        if cell.axes is not None or not cell.whole:
            return False
        if len(cell.holds) > 1:
            raise node.error(
                f"{node.text} has the axes {' and '.join(cell.holds)}, and nothing says in which order: declare it, as "
                f"in {node.text}: {','.join(cell.holds)}"
            )
        if cell.holds:
            return self._set(cell, [Axis(cell.holds[0])])
        if node.text[0].isupper() and node.text in self._squares:
            return self._set(cell, [Axis(of_matrix=True), Axis(of_matrix=True)])
        return self._set(cell, [Axis()])

    def _mark(self, node: Node) -> None:
        while node.kind == "transpose":
            node = node.parts[0]
        if node.kind == "name":
            self._squares.add(node.text)

    def _both(self, *constraints: Callable[[], None]) -> None:
        self._constraints += constraints

    def _reverse(self, known: Shape, other: Shape) -> None:
        if (axes := known.root().axes) is not None:
            self._join(other, Shape(axes[::-1]))

    def _concatenated(self, result: Shape, left: Shape, right: Shape) -> None:
        """The axes of the result are those of left, then those of right."""

        def constraint() -> None:
            whole, first, last = result.root().axes, left.root().axes, right.root().axes
            if first is not None and last is not None:
                self._join(result, Shape(first + last))
            elif whole is not None and first is not None and len(first) <= len(whole):
                self._join(right, Shape(whole[len(first) :]))
                self._join(result, Shape(first + whole[len(first) :]))
            elif whole is not None and last is not None and len(last) <= len(whole):
                self._join(left, Shape(whole[: len(whole) - len(last)]))
                self._join(result, Shape(whole[: len(whole) - len(last)] + last))

        self._constraints.append(constraint)

    def _entrywise(self, result: Shape, parts: Sequence[Shape]) -> Shape:
        """Every part has the axes of the result, or is a scalar; one of them has those axes."""

        def constraint() -> None:
            roots = [part.root() for part in parts]
            for root in roots:
                if root.whole:
                    self._join(result, root)
            if all(root.axes == () for root in roots):
                self._join(result, Shape(()))
            open_ones = [root for root in roots if root.axes != ()]
            if result.root().axes == ():
                for root in open_ones:
                    self._join(root, Shape(()))
            elif result.root().whole and len({id(root) for root in open_ones}) == 1:
                self._join(result, open_ones[0])

        self._constraints.append(constraint)
        return result

    def _operation(self, node: Node, bound: Mapping[str, str]) -> Shape:
        if node.text == "==":
            return self._delta(node, bound)
        parts = [self.visit(part, bound) for part in node.parts]
        result = Shape()
        if node.text != "@":
            self._entrywise(result, parts)
            preferred = node.parts[:1] if node.text in ("/", "**") else ()
            self._choices["operands"].append(lambda: self._operand(node, result, parts, preferred))
            return result
        left, right = parts
        for part in node.parts:
            self._mark(part)
            self._whole(self._of[id(part)])

        def constraint() -> None:
            whole, first, last = result.root().axes, left.root().axes, right.root().axes
            if first and last:
                if _compatible(first[-1], last[0]):
                    self._join_axes(first[-1], last[0])
                self._join(result, Shape(first[:-1] + last[1:]))
            elif whole is not None and first and len(first) <= len(whole) + 1:
                self._join(right, Shape((first[-1], *whole[len(first) - 1 :])))
            elif whole is not None and last and len(last) <= len(whole) + 1:
                self._join(left, Shape((*whole[: len(whole) + 1 - len(last)], last[0])))

        self._constraints.append(constraint)
        return result

    def _operand(self, node: Node, result: Shape, parts: Sequence[Shape], preferred: Sequence[Node]) -> bool:
        """The result has axes, and nothing says which of the operands has them: choose."""
        if not result.root().whole or any(part.root().whole for part in parts):
            return False
        choices = [part for part in node.parts if self._of[id(part)].root().axes is None]
        if not choices:
            return False
        named = [part for name in SCORES for part in choices if any(_is(inner, name) for inner in part.nodes())]
        chosen = [part for part in preferred if part in choices] or named
        if not chosen:
            unknown = sorted({i.text for p in choices for i in p.nodes() if i.kind == "name" and self._open(i)})
            if not unknown:  # something does not fit, as in 2 @ x
                return False
            raise node.error(
                f"one of {' and '.join(unknown)} must be a vector, and nothing says which: declare it, as in "
                f"--let '{unknown[0]}: K'"
            )
        return self._join(result, self._of[id(chosen[0])])

    def _open(self, node: Node) -> bool:
        cell = self.names.shapes.get(node.text)
        return cell is not None and cell.root().axes is None

    def _entry(self, node: Node, bound: Mapping[str, str]) -> Shape:
        argument, result = self.visit(node.parts[0], bound), Shape(())
        terms = node.parts[1:]
        if len(terms) == 1 and self.is_label(terms[0], bound):
            own, into = self.names.labels[terms[0].text]
            result = own if not terms[0].parts else result
            if not terms[0].parts:
                self._pick(argument, own, into)
                return result
        axes = [self.index_axis(term, bound) for term in terms]
        if len(terms) > 1:
            for axis in axes:
                axis.root().of_matrix = True
            self._mark(node.parts[0])
        self._join(argument, Shape(axes))
        return result

    def _pick(self, argument: Shape, own: Shape, into: Axis) -> None:
        def constraint() -> None:
            axes, batch = argument.root().axes, own.root().axes
            if batch is not None:
                self._join(argument, Shape((*batch, into)))
            elif axes:
                self._join(own, Shape(axes[:-1]))
                self._join(argument, Shape((*axes[:-1], into)))

        self._whole(argument)
        self._constraints.append(constraint)

    def is_label(self, term: Node, bound: Mapping[str, str]) -> bool:
        """Whether a name in the place of an index is a label; an unknown one is found out here.

        Raises:
            LanguageError: it is neither a label nor an index.
        """
        if term.kind != "index" or term.text in bound:
            return False
        name, names = term.text, self.names
        if name in names.labels or name in names.indices:
            return name in names.labels
        if name in names.shapes and (name in names.declarations or self._used_as_number(name)):
            raise term.error(f"{name} is no index, but a variable: an index has a name of its own")
        if names.is_axis(name):
            raise term.error(f"{name} is an axis, no index: [i:{name}] binds an index that runs over it")
        if INDEX_NAME.fullmatch(name):
            names.indices[name] = Axis()
            return False
        names.labels[name] = Shape(), Axis()
        return True

    def _used_as_number(self, name: str) -> bool:
        return any(_is(node, name) for tree in self.names.trees for node in tree.nodes())

    def index_axis(self, term: Node, bound: Mapping[str, str]) -> Axis:
        """The axis over which an index runs."""
        if term.kind == "numbered":
            return self._fresh()
        if not self.is_label(term, bound):
            if term.parts:
                raise term.error(f"{term.text} is an index and no label: it has no indices itself")
            return Axis(bound[term.text]) if term.text in bound else self.names.indices[term.text]
        own, into = self.names.labels[term.text]
        self._join(own, Shape([self.index_axis(part, bound) for part in term.parts]))
        return into

    def _fresh(self) -> Axis:
        axis = Axis()
        self._axes.append(axis)
        return axis

    def _delta(self, node: Node, bound: Mapping[str, str]) -> Shape:
        left, right = (self.index_axis(index_node(part), bound) for part in node.parts)
        if _compatible(left, right):
            self._join_axes(left, right)
        return Shape(())

    def _call(self, node: Node, bound: Mapping[str, str]) -> Shape:
        name = node.text
        axes = axis_arguments(node)
        arguments = [part for part in node.parts if part not in axes]
        match name:
            case "delta":
                return self._delta(node, bound)
            case "onehot" | "pick":
                label = node.parts[-1]
                if name == "onehot" and label.kind == "name" and label.text in bound:
                    return Shape([Axis(bound[label.text])])
                if label.kind != "name" or label.text not in self.names.labels:
                    raise label.error(f"{name} takes the name of a label, as in --let 'c: label K'")
                own, into = self.names.labels[label.text]
                if name == "pick":
                    self._pick(self.visit(arguments[0], bound), own, into)
                    return own
                result = Shape()
                self._concatenated(result, own, Shape((into,)))
                return result
            case "eye" | "ones":
                cells = [Axis(part.text) for part in axes]
                return Shape(cells * 2 if name == "eye" else cells)
            case "rows" | "cols" | "spread":
                return self._spread(node, self.visit(arguments[0], bound), axes)
            case "outer" | "diag" | "diagonal":
                return self._matrix(name, [self.visit(part, bound) for part in node.parts], node)
        if name in DERIVATIVES or name in DIRECTIONAL:
            return self._derivative(node, bound)
        if name in NAMED:
            return self._named(node, bound)
        parts, result = [self.visit(part, bound) for part in node.parts], Shape()
        self._choices["operands"].append(lambda: self._operand(node, result, parts, ()))
        return self._entrywise(result, parts)

    def _spread(self, node: Node, argument: Shape, axes: Sequence[Node]) -> Shape:
        result = Shape(whole=True)
        if node.text == "spread":
            if axes and len(node.parts) == 2:
                self._concatenated(result, argument, Shape([Axis(axes[0].text)]))
            return result
        self._whole(argument)
        first = node.text == "cols"

        def choose() -> bool:
            inner, outer = argument.root().axes, result.root().axes
            if inner is None and outer is not None:
                return self._set(argument, outer[1:] if first else outer[:-1])
            if inner is not None and outer is None:
                new = Axis(axes[0].text) if axes else self._fresh()
                return self._set(result, (new, *inner) if first else (*inner, new))
            return False

        self._choices["spread"].append(choose)
        return result

    def _matrix(self, name: str, parts: Sequence[Shape], node: Node) -> Shape:
        result = Shape(whole=True)
        for part in parts:
            self._whole(part)
        if name == "outer":
            self._concatenated(result, *parts)
        elif name == "diag":
            self._doubled(parts[0], result)
        else:
            self._mark(node.parts[0])
            self._doubled(result, parts[0])
        return result

    def _doubled(self, vector: Shape, matrix: Shape) -> None:
        """The axes of the matrix are those of the vector, the last one twice."""

        def constraint() -> None:
            single, double = vector.root().axes, matrix.root().axes
            if single:
                self._join(matrix, Shape((*single, single[-1])))
            elif double is not None and len(double) > 1 and _compatible(*double[-2:]):
                self._join_axes(*double[-2:])
                self._join(vector, Shape(double[:-1]))

        self._constraints.append(constraint)

    def _derivative(self, node: Node, bound: Mapping[str, str]) -> Shape:
        function = self.visit(node.parts[0], bound)
        by = node.parts[1]
        if by.kind == "name" and self.names.is_axis(by.text):
            raise by.error(f"a derivative by {by.text}, which is an axis: it is by a variable")
        if by.kind != "name" or by.text in self.names.definitions:
            raise by.error("a derivative is by a variable: its name stands here, and is no definition's")
        variable = self.visit(by, bound)
        self._choices["by"].append(lambda: variable.root().axes is None and bool(self._whole(variable)))
        direction = self.visit(node.parts[2], bound) if len(node.parts) > 2 else Shape()
        match node.text:
            case "jacobian":
                result = Shape()
                self._concatenated(result, function, variable)
                return result
            case "vjp":
                self._both(lambda: self._equal(direction, function))
                return variable
            case "jvp":
                self._both(lambda: self._equal(direction, variable))
                return function
        self._set(function, ())
        if node.text == "hvp":
            self._both(lambda: self._equal(direction, variable))
        if node.text == "hessian":
            result = Shape()
            self._concatenated(result, variable, variable)
            return result
        return variable

    def _equal(self, left: Shape, right: Shape) -> None:
        self._join(left, right)

    def _named(self, node: Node, bound: Mapping[str, str]) -> Shape:
        rule = NAMED[node.text]
        arguments, axes = self.split(node)
        if node.text in ("max", "min") and len(arguments) > 1:  # of entries
            return self._entrywise(Shape(), [self.visit(part, bound) for part in arguments])
        cells = [self._whole(self.visit(part, bound)) for part in arguments]
        if node.slack is not None:
            self._set(self.visit(node.slack, bound), ())
        first = cells[0]
        for cell in cells[1:]:
            self._constraints.append(partial(self._equal, first, cell))
        named = [part.text for part in axes]
        root = first.root()
        root.holds += [axis for axis in named if axis not in root.holds]
        self._choices["held"] += [partial(self._held, first, name) for name in named]
        if rule.keeps:
            return first
        if is_over_indices(node):
            result = Shape()
            self._concatenated(first, Shape([Axis(axis) for _, axis in arguments[0].bound]), result)
            return result
        if node.text == "trace":
            self._mark(arguments[0])
            self._choices["traces"].append(lambda: self._trace(first))
        result = Shape()
        if rule.along == "last" or named:
            self._constraints.append(lambda: self._reduce(first, result, named))
        else:
            self._set(result, ())
        return result

    def _held(self, cell: Shape, name: str) -> bool:
        """An axis is named that none of those has that are known: it is the last that has no name."""
        axes = [axis.root() for axis in cell.root().axes or ()]
        unnamed = [axis for axis in axes if not axis.name]
        if not unnamed or any(axis.name == name for axis in axes):
            return False
        self._join_axes(unnamed[-1], Axis(name))
        return True

    def _trace(self, matrix: Shape) -> bool:
        axes = matrix.root().axes
        if axes is None:
            axis = Axis(of_matrix=True)
            return self._set(matrix, (axis, axis))
        if len(axes) == 2 and axes[0].root() is not axes[1].root() and _compatible(*axes):
            self._join_axes(*axes)
            return True
        return False

    def _reduce(self, argument: Shape, result: Shape, named: Sequence[str]) -> None:
        """The axes of the result are those of the argument without the named ones, or without the last."""
        whole, left = argument.root().axes, result.root().axes
        if whole:
            kept = [a for a in whole if a.root().name not in named] if named else whole[:-1]
            if all(axis.root().name for axis in whole) or not named:
                self._join(result, Shape(kept))
            elif len(whole) == len(named) == 1:
                self._join(argument, Shape([Axis(named[0])]))
        elif left is not None and not named:
            self._join(argument, Shape((*left, self._fresh())))
        elif left == () and len(named) == 1:
            self._join(argument, Shape([Axis(named[0])]))

    def split(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The arguments of a named function, and the axes after them."""
        axes = list(axis_arguments(node))
        if node.text in ("max", "min"):
            axes = [part for part in node.parts[1:] if part.kind == "name" and self.names.is_axis(part.text)]
        return [part for part in node.parts if part not in axes], axes

    # --- solving ---

    def _sides(self, texts: Sequence[Node]) -> bool:
        """The two sides of an equation have the same axes; a constant fits all."""
        left, right = (self._of[id(text)].root() for text in texts)
        if left is right or any(_is_constant(text, self.names) for text in texts):
            return False
        if left.axes is None or right.axes is None:
            return self._join(left, right)
        before, self._changed = self._changed, False
        self._join(left, right)
        news, self._changed = self._changed, before or self._changed
        return news

    def _solve(self) -> None:
        self._choose()
        for scalar in self._scalars:
            scalar()
        self._choose()
        self._name_axes()

    def _choose(self) -> None:
        """Spread what is known, then make one choice, and so on until there is none to make."""
        while True:
            self._propagate()
            if not any(choice() for kind in _ORDER for choice in self._choices[kind]):
                return

    def _propagate(self) -> None:
        forward = True
        while True:
            self._changed = False
            for constraint in self._constraints if forward else reversed(self._constraints):
                constraint()
            if not self._changed:
                return
            forward = not forward

    def _name_axes(self) -> None:
        """Axes that nothing determines: K, but for matrices others, each its own."""
        cells = [axis for shape_ in self.names.shapes.values() for axis in shape_.root().axes or ()]
        cells += [axis for own, _ in self.names.labels.values() for axis in own.root().axes or ()]
        cells += self._axes + list(self.names.indices.values())
        cells += [axis for cell in self._of.values() for axis in cell.root().axes or ()]
        for shape_ in self.names.shapes.values():
            if len(axes := shape_.root().axes or ()) > 1:
                for axis in axes:
                    axis.root().of_matrix = True
        used = set(map(size_of, (*self.names.shapes, *self.names.labels, *self.names.indices)))
        default = next(axis for axis in (*FIRST_AXES, "CLASSES") if axis not in used)
        for cell in cells:
            if not cell.root().name and not cell.root().of_matrix:
                cell.root().name = default
        used |= {size_of(cell.root().name) for cell in cells} | set(map(size_of, self.names.axes - {"K"}))
        free = iter([*(axis for axis in FIRST_AXES if axis not in used), *(f"{default}{n}" for n in range(2, 99))])
        for cell in cells:
            if not cell.root().name:
                cell.root().name = next(free)


_ORDER = ("sides", "held", "spread", "traces", "names", "by", "operands", "labels")


def is_over_indices(node: Node) -> bool:
    """Whether it is a sum, mean, ... over the indices of an entry notation, sum[k:K] x[k]."""
    return node.text in REDUCTIONS and len(node.parts) == 1 and node.parts[0].kind == "tensor"


def index_node(node: Node) -> Node:
    """An argument of delta, or a side of (i == j), read as an index.

    Raises:
        LanguageError: it is none.
    """
    if node.kind == "name":
        return Node("index", node.source, node.column, node.text)
    if node.kind == "number" and node.value >= 1 and node.value.denominator == 1:
        return Node("numbered", node.source, node.column, value=node.value)
    if node.kind == "entry" and node.parts[0].kind == "name":
        return Node("index", node.source, node.column, node.parts[0].text, node.parts[1:])
    raise node.error("the Kronecker delta compares indices: names, numbers from 1, or labels of an index, c[n]")


def _is(node: Node, name: str) -> bool:
    return node.kind == "name" and node.text == name


def _is_constant(node: Node, names: Names) -> bool:
    """Whether it is made of numbers and sizes alone, and so a scalar that fits all axes."""
    if node.kind == "name":
        return names.is_axis(node.text)
    return node.kind in ("number", "operation") and all(_is_constant(part, names) for part in node.parts)


def _compatible(left: Axis, right: Axis) -> bool:
    left, right = left.root(), right.root()
    return not left.name or not right.name or size_of(left.name) == size_of(right.name)


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
