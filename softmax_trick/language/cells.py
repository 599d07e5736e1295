"""Axes that may still be unknown, as cells: what must be equal is joined, and what is known spreads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from softmax_trick.language.expression import size_of


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


class Cells:
    """Cells and what must hold between them."""

    def __init__(self) -> None:
        self._changed = False
        self._constraints: list[Callable[[], None]] = []
        self._axes: list[Axis] = []

    def _fresh(self) -> Axis:
        axis = Axis()
        self._axes.append(axis)
        return axis

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
            if len(left.axes) != len(right.axes) or not all(compatible(a, b) for a, b in pairs):
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

    # --- what must hold -----------------------------------------------------------------------------------------------

    def _equal(self, left: Shape, right: Shape) -> None:
        self._join(left, right)

    def _reverse(self, known: Shape, other: Shape) -> None:
        if (axes := known.root().axes) is not None:
            self._join(other, Shape(axes[::-1]))

    def _concatenated(self, result: Shape, left: Shape, right: Shape) -> Shape:
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
        return result

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

    def _doubled(self, vector: Shape, matrix: Shape) -> None:
        """The axes of the matrix are those of the vector, the last one twice."""

        def constraint() -> None:
            single, double = vector.root().axes, matrix.root().axes
            if single:
                self._join(matrix, Shape((*single, single[-1])))
            elif double is not None and len(double) > 1 and compatible(*double[-2:]):
                self._join_axes(*double[-2:])
                self._join(vector, Shape(double[:-1]))

        self._constraints.append(constraint)

    def _propagate(self) -> None:
        forward = True
        while True:
            self._changed = False
            for constraint in self._constraints if forward else reversed(self._constraints):
                constraint()
            if not self._changed:
                return
            forward = not forward


def compatible(left: Axis, right: Axis) -> bool:
    """Whether two axes may be of one size."""
    left, right = left.root(), right.root()
    return not left.name or not right.name or size_of(left.name) == size_of(right.name)
