"""The axes of names that nobody declared: those that the formulas force, by unification over all their trees together.

Axes are cells: what must be equal is joined, what is known spreads until nothing changes. Only then is something chosen
where nothing is forced, one choice at a time: a name that must have axes is a vector (or a matrix, if it has a capital
letter and stands beside @, .T, trace or diagonal), a name by which one differentiates is a vector, every other name a
scalar. Axes that nothing determines are K; those of matrices K, D, N, ... in order.

What does not fit is left as it is: building the expression raises the error, with both shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from softmax_trick.language.cells import Axis, Cells, Shape, compatible
from softmax_trick.language.expression import size_of
from softmax_trick.language.functions import NAMED
from softmax_trick.language.names import Names, axis_arguments
from softmax_trick.language.syntax import DERIVATIVES, DIRECTIONAL, REDUCTIONS, Node

FIRST_AXES = ("K", "D", "N", "M", "L", "P", "Q", "R")
INDEX_NAME = re.compile(r"[i-n][0-9]*'*")
SCORES = ("x", "z", "u", "v")  # whom one takes for the vector, where only one of several must be one

_ORDER = ("sides", "held", "spread", "traces", "names", "by", "operands", "labels")


class Inference(Cells):
    """The cells of the names and of every part of the trees, and what must hold between them.

    Args:
        names: the names; their cells are filled.
        texts: the trees of the statement.
        pairs: those of the texts that are two sides of a relation.
    """

    def __init__(self, names: Names, texts: Sequence[Node], pairs: Sequence[tuple[Node, ...]]) -> None:
        super().__init__()
        self.names = names
        self._choices: dict[str, list[Callable[[], bool]]] = {key: [] for key in _ORDER}
        self._scalars: list[Callable[[], bool]] = []  # for names that nothing else is said of
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
                body = self.visit(node.parts[0], {**bound, **dict(node.bound)})
                return self._concatenated(Shape(whole=True), Shape([Axis(axis) for _, axis in node.bound]), body)
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
                if compatible(first[-1], last[0]):
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

    def _delta(self, node: Node, bound: Mapping[str, str]) -> Shape:
        left, right = (self.index_axis(index_node(part), bound) for part in node.parts)
        if compatible(left, right):
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
                return self._concatenated(Shape(), own, Shape((into,)))
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
                return self._concatenated(Shape(), function, variable)
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
            return self._concatenated(Shape(), variable, variable)
        return variable

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
        if len(axes) == 2 and axes[0].root() is not axes[1].root() and compatible(*axes):
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
