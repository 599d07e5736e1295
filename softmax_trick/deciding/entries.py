"""Entries of formulas: at which indices vectors are looked at, and what stands in an entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import ceil, floor

from softmax_trick.language.expression import (
    Apply,
    Call,
    Chosen,
    Comprehension,
    Definition,
    Delta,
    Derivative,
    Entry,
    Expression,
    Index,
    IndexTerm,
    Number,
    Numbered,
    Pick,
    Size,
    Spread,
    Variable,
    entry_of,
    index_terms,
    size_of,
)
from softmax_trick.language.proposition import TURNED, Related


@dataclass(frozen=True)
class Extreme:
    """The largest or smallest entry of a vector, or of a part of a tensor.

    Attributes:
        node: the formula, a scalar.
        call: what it is an entry of; itself, if that is a scalar.
        place: at which indices.
    """

    node: Expression
    call: Call
    place: tuple[IndexTerm, ...] = ()

    @property
    def along(self) -> list[str]:
        """The axes along which it is the largest or smallest."""
        return [self.call.arguments[0].axes[position] for position in self.call.positions]

    @property
    def sign(self) -> int:
        """1 for the largest entry, -1 for the smallest."""
        return 1 if self.call.function == "max" else -1

    def entry(self, place: Sequence[IndexTerm]) -> Expression:
        """An entry among which it is the largest or smallest."""
        argument, own, along = self.call.arguments[0], iter(self.place), iter(place)
        positions = range(len(argument.axes))
        return entry(argument, tuple(next(along if n in self.call.positions else own) for n in positions))


def extreme_of(node: Expression) -> Extreme | None:
    """A scalar as the largest or smallest entry of something; None if it is not such."""
    match node:
        case Call("max" | "min", (_,), _, ()):
            return Extreme(node, node)
        case Entry(Call("max" | "min", (_,)) as call, place):
            return Extreme(node, call, place)
        case Pick(Call("max" | "min", (_,)) as call, label) if not node.axes:
            return Extreme(node, call, (Chosen(label),))
    return None


class Terms:
    """The indices at which vectors are looked at, by the size of the axis, and what is said of sizes.

    Attributes:
        least: the least value of a size, as hypotheses have it.
    """

    def __init__(self, said: Sequence[Related]) -> None:
        _, *hypotheses = said
        self._taken = {name for one in said for name in one.free}
        self._terms: dict[str, dict[IndexTerm, None]] = {}
        self._attained: dict[Extreme, tuple[Index, ...]] = {}
        self._any: dict[str, Index] = {}
        self.least = least_sizes_said(hypotheses)
        sides = [side for one in said for side in one.sides]
        nodes = [node for side in sides for node in side.parts()]
        free = {index for side in sides for index in side.free}
        for node in nodes:
            for term in index_terms(node):
                if isinstance(term, Numbered) or term in free:
                    self._add(term)
            if isinstance(node, Pick) and not node.label.axes:
                self._add(Chosen(node.label))
            if isinstance(node, Call) and len(node.arguments[0].axes) == 1:
                self.any_index(node.arguments[0].axes[0])

    def _add(self, term: IndexTerm) -> None:
        self._terms.setdefault(size_of(term.axis), {})[term] = None

    def _new(self, axis: str) -> Index:
        name = next(name for name in (*"ijklmnpq", *(f"i{n}" for n in range(99))) if name not in self._taken)
        self._taken.add(name)
        index = Index(name, axis)
        self._add(index)
        return index

    def of_goal(self, goal: Related) -> tuple[Index, ...]:
        """Indices for an entry of the goal."""
        axes = max((side.axes for side in goal.sides), key=len)
        return tuple(self._new(axis) for axis in axes)

    def any_index(self, axis: str) -> Index:
        """An index of which nothing is known."""
        if size_of(axis) not in self._any:
            self._any[size_of(axis)] = self._new(axis)
        return self._any[size_of(axis)]

    def attained(self, one: Extreme) -> Expression:
        """The entry that is the largest, or smallest: at free indices of which nothing else is known."""
        if one not in self._attained:
            self._attained[one] = tuple(map(self._new, one.along))
        return one.entry(self._attained[one])

    def entries(self, one: Extreme) -> Iterator[Expression]:
        """The other entries that the largest, or smallest, one is compared with."""
        own = self._attained.get(one)
        return (one.entry(place) for place in product(*map(self.of, one.along)) if place != own)

    def extremes(self, sides: Iterable[Expression]) -> list[Extreme]:
        """The largest and smallest entries that occur, and those that occur in these."""
        found: dict[Extreme, None] = {}
        waiting = list(sides)
        while waiting:
            for one in filter(None, map(extreme_of, scalars(waiting.pop()))):
                if one not in found:
                    found[one] = None
                    waiting.append(self.attained(one))
        return list(found)

    def of(self, axis: str) -> list[IndexTerm]:
        """Those into an axis."""
        return list(self._terms.get(size_of(axis), ()))

    def instances(self, said: Related) -> Iterator[Related]:
        """A relation at each of the indices; of matrices, at every pair."""
        axes = max((side.axes for side in said.sides), key=len)
        places: list[tuple[IndexTerm, ...]] = [()]
        for axis in axes:
            places = [(*place, term) for place in places for term in self.of(axis)]
        for place in places:
            yield instance_at(said, place)


def least_sizes_said(hypotheses: Sequence[Related]) -> dict[str, int]:
    """The least values of sizes, whole numbers, as K >= 2, K > 1, K == 2 or K != 1 say."""
    least: dict[str, int] = {}
    for one in hypotheses:
        for relation, size, value in bounds_of_sizes(one):
            known = {">": floor(value) + 1, ">=": ceil(value), "==": ceil(value)}.get(relation, 1)
            least[size] = max(least.get(size, 1), known)
    for one in hypotheses:
        for relation, size, value in bounds_of_sizes(one):
            if relation == "!=" and value == least.get(size, 1):
                least[size] = least.get(size, 1) + 1
    return least


def bounds_of_sizes(said: Related) -> Iterator[tuple[str, str, Fraction]]:
    """What a relation says of a size and a number: the relation, the size and the number."""
    match said:
        case Related(relation, (Size(name), Number(value))):
            yield relation, name, value
        case Related(relation, (Number(value), Size(name))):
            yield TURNED[relation], name, value


def is_of_indices(said: Related) -> bool:
    """Whether it says that indices are equal, or differ."""
    return any(isinstance(node, Delta) for side in said.sides for node in side.parts())


def instance_at(said: Related, place: tuple[IndexTerm, ...]) -> Related:
    """A relation of the entries at a place."""
    return replace(said, sides=tuple(entry(side, place) if side.axes else side for side in said.sides))


def entry(node: Expression, place: tuple[IndexTerm, ...]) -> Expression:
    """An entry, with the entries of what it is made of entry by entry."""
    if not node.axes:
        return node
    match node:
        case Apply(function, arguments):
            return Apply(function, tuple(entry(one, place) for one in arguments))
        case Definition(_, meaning):
            return entry(meaning, place)
        case Spread(argument, _, position):
            return entry(argument, (*place[:position], *place[position + 1 :]))
    return entry_of(node, *place)


def opened(node: Expression) -> Expression:
    """The same with entries of what is made entry by entry, clip(x, -1, 1)[i], as what is made of entries."""
    match node:
        case Entry(Apply() | Definition() | Spread() as argument, place):
            return entry(argument, place).rebuilt(opened)
        case Pick(Apply() | Definition() as argument, label) if not node.axes:
            return entry(argument, (Chosen(label),)).rebuilt(opened)
        case Derivative() | Comprehension():
            return node
    return node.rebuilt(opened)


def scalars(side: Expression) -> Iterator[Expression]:
    """The scalars in a scalar, but for those with bound indices and those that are differentiated."""
    return (node for node in open_parts(side) if not node.axes)


def open_parts(node: Expression) -> Iterator[Expression]:
    """A formula and what it is made of, but for what has bound indices or is differentiated, and labels."""
    if isinstance(node, Variable) and node.kind == "label":
        return
    yield node
    if not isinstance(node, Derivative | Comprehension):
        for child in node.children:
            yield from open_parts(child)


def is_arithmetic(node: Expression) -> bool:
    """Whether it is a sum, a product, a quotient or a power of others, or a name for something."""
    match node:
        case Apply(function):
            return function in ("add", "subtract", "negative", "multiply", "divide", "power", "square")
        case Definition():
            return True
    return False
