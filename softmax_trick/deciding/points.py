"""Exact points for a statement: where two expressions agree, and the smallest readable point at which they differ.

Points are small rationals on the declared domains, for several sizes (different ones for different axes), every place
of every label tried in turn and every value of the free indices. They are always the same: the search is deterministic.
Two sides differ at a point only if Arb's balls for them are disjoint, so that a witness is a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice, product
from math import prod
from random import Random
from typing import Any, Literal

import flint

from softmax_trick.language.expression import (
    Comprehension,
    Entry,
    Expression,
    Index,
    Kind,
    Number,
    Numbered,
    Size,
    Variable,
    index_terms,
    size_of,
)
from softmax_trick.readings.enclosure import PRECISION, PRECISIONS, Enclosure
from softmax_trick.readings.pointwise import Point, Positions, Unclear, Undefined

Relation = Literal["==", "<=", "<", "!="]
Fulfils = Callable[[Point, Positions | None], bool]
Entries = dict[tuple[str, Positions], Any]  # the value of each entry of each variable

MOST_ENTRIES = 48  # so many entries of a tensor are compared at a point; of more, some that lie spread
FEW = 8  # points that are looked at; with more of them, as many at every scale
MOST_COMPUTED = 15_000  # entries of expressions and their parts at so many points; then all sizes once are enough
VISIBLE = Fraction(1, 20)  # a gap that a reader sees

# The sizes tried, of the first axis, the second, ...
PATTERNS: tuple[tuple[int, ...], ...] = ((2,), (3, 2, 4), (1,), (2, 3, 1), (1, 2, 3), (5, 3, 2))

# Entries of a variable, in the order in which a reader would like to see them; the first that will do is shown.
SIMPLEST: dict[str, tuple[Fraction, ...]] = {
    "real": (*map(Fraction, (0, 1, -1, 2, -2, 3)), Fraction(1, 2), Fraction(-1, 2)),
    "nonnegative": (*map(Fraction, (0, 1, 2, 3)), Fraction(1, 2)),
    "positive": (*map(Fraction, (1, 2, 3)), Fraction(1, 2)),
    "unit": (Fraction(0), Fraction(1), Fraction(1, 2), Fraction(1, 3)),
}
# Entries of a point that is like any other: neither 0 nor 1; of the first point in halves, then finer.
GENERIC: dict[str, tuple[Fraction, ...]] = {
    "real": tuple(Fraction(n, 2) for n in (-4, -3, -2, -1, 1, 2, 3, 4, 5)),
    "nonnegative": tuple(Fraction(n, 2) for n in (1, 2, 3, 4, 5)),
    "positive": tuple(Fraction(n, 2) for n in (1, 3, 4, 5, 6)),
    "unit": tuple(Fraction(n, 7) for n in (1, 2, 3, 4, 5)),
}
FINER: dict[str, tuple[Fraction, ...]] = {
    "real": tuple(Fraction(n, 8) for n in range(-24, 25) if n),
    "nonnegative": tuple(Fraction(n, 8) for n in range(1, 25)),
    "positive": tuple(Fraction(n, 8) for n in range(1, 25)),
    "unit": tuple(Fraction(n, 16) for n in range(1, 16)),
}
TRIES = 150  # points like any other where conditions have to be fulfilled
MOST_ASKED = 200  # points at which conditions are evaluated exactly
SIMPLE = range(-10, 0)  # points with entries of SIMPLEST: all the same one, or any
MORE_SIMPLE = range(-110, -10)  # and so many where conditions have to be fulfilled
LARGE = 10**6  # a number that no piece ends at
SCALES = (Fraction(1), Fraction(10), Fraction(1, 8))  # where a formula has no value, or one piece only, others may tell


@dataclass(frozen=True)
class Witness:
    """A point at which a statement is false.

    Attributes:
        sizes: the size of each axis.
        indices: the value of each free index, from 1.
        position: the entry at which the sides differ, from 1; () for scalars.
        values: the value of each variable, as nested lists of fractions; labels are positions from 1.
        left: the value of the left side there, in decimals.
        right: the value of the right side there.
    """

    sizes: dict[str, int]
    indices: dict[str, int]
    position: Positions
    values: dict[str, Any]
    left: str
    right: str


@dataclass(frozen=True)
class Comparison:
    """What a look at some points says about a statement.

    Attributes:
        witness: a point at which it is false, if one was found.
        agreed: at how many points both sides have a value, at one entry at least, and no entry contradicts.
        undefined: at how many points no entry has a value on both sides.
    """

    witness: Witness | None
    agreed: int
    undefined: int


def compare(
    left: Expression,
    right: Expression,
    sizes: Mapping[str, int] | None = None,
    relation: Relation = "==",
    points: int = FEW,
) -> Comparison:
    """Looks for a point at which a statement is false, and counts those at which it is not.

    Args:
        left: the left side.
        right: the right side, with axes of the same sizes.
        sizes: the sizes that are given; all others vary.
        relation: what is said of the two sides.
        points: at how many points at least.
    """
    statement = _Statement(left, right, dict(sizes or {}), relation)
    choices = list(statement.choices_of_sizes())
    everywhere = [(chosen, number) for number in range(max(2, -(-points // len(choices)))) for chosen in choices]
    everywhere = everywhere[:points] if points < FEW else everywhere
    agreed = undefined = 0
    if relation != "==":  # which fail at 0 first
        everywhere = [(chosen, number) for number in SIMPLE for chosen in choices] + everywhere
    most = MOST_COMPUTED * points // FEW
    for scale in statement.scales():
        if agreed and points < FEW:
            break
        for chosen, number in everywhere if not agreed or points > FEW else everywhere[:2]:
            if agreed > len(choices) and statement.computed > most:
                break
            entries = statement.generic(chosen, number, scale)
            place, defined = statement.look(chosen, entries)
            if place is not None:
                return Comparison(statement.witness(*statement.shrunk(chosen, entries, place)), agreed, undefined)
            agreed, undefined = agreed + defined, undefined + (not defined)
    return Comparison(None, agreed, undefined)


def witness_where(
    left: Expression,
    right: Expression,
    fulfils: Fulfils,
    others: Iterable[Variable] = (),
    sizes: Mapping[str, int] | None = None,
    relation: str = "==",
) -> Witness | None:
    """A point at which a statement is false and a condition is fulfilled; None if none was found.

    Args:
        left: the left side.
        right: the right side, with axes of the same sizes.
        fulfils: the condition, of a point with the free indices of both sides; and of the entry at which the sides
            have to be equal, exactly, or None if Arb saw that the statement is false there.
        others: variables besides those of the sides, on which the condition depends.
        sizes: the sizes that are given; all others vary.
        relation: what is said of the two sides: "==", "<=", "<" or "!=".
    """
    statement = _Statement(left, right, dict(sizes or {}), relation, others)  # type: ignore[arg-type]
    choices = list(statement.choices_of_sizes())
    left_over = MOST_ASKED

    def asked(point: Point, equal_at: Positions | None) -> bool:
        nonlocal left_over
        left_over -= 1
        return fulfils(point, equal_at)

    for number in (*SIMPLE, *range(TRIES // len(choices)), *MORE_SIMPLE):
        for chosen in choices:
            entries = statement.generic(chosen, number, SCALES[0])
            found = statement.false_where(chosen, entries, asked)
            if found is not None:
                return statement.witness(chosen, entries, found)
            if left_over <= 0:
                return None
    return None


@dataclass(frozen=True)
class _Place:
    """Where two sides were found to differ, and how."""

    position: Positions
    left: flint.arb
    right: flint.arb

    @property
    def is_visible(self) -> bool:
        gap, scale = abs(self.left - self.right), 1 + abs(self.left)
        return bool(gap > scale * flint.arb(flint.fmpq(VISIBLE.numerator, VISIBLE.denominator)))


class _Statement:
    """Two expressions, what occurs in them, and the sizes that are given."""

    def __init__(
        self,
        left: Expression,
        right: Expression,
        given: dict[str, int],
        relation: Relation,
        others: Iterable[Variable] = (),
    ) -> None:
        self._sides, self._free = with_free_axes(left, right)
        self._given, self._relation = given, relation
        variables = [one for side in self._sides for one in side.variables]
        self._variables = tuple({one.name: one for one in (*variables, *others)}.values())
        self._least = least_sizes(*self._sides, *self._variables)
        self.computed = 0

    def scales(self) -> tuple[Fraction, ...]:
        """Scales of the values: a formula in pieces is tried beyond every number that occurs in it."""
        numbers = [abs(node.value) for side in self._sides for node in side.parts() if isinstance(node, Number)]
        largest = max((number for number in numbers if number < LARGE), default=Fraction(0))
        return (SCALES[0], max(SCALES[1], 2 * largest), *SCALES[2:])

    def choices_of_sizes(self) -> Iterator[dict[str, int]]:
        """Sizes: small ones, equal and pairwise different, each from what its numbered indices ask for."""
        names = sorted(set(self._least) - set(self._given))
        seen = set()
        for pattern in PATTERNS:
            chosen = tuple(max(self._least[name], size) for name, size in zip(names, cycle(pattern)))
            if chosen not in seen:
                seen.add(chosen)
                yield {**self._given, **dict(zip(names, chosen, strict=True))}

    # --- points ---

    def generic(self, sizes: Mapping[str, int], number: int, scale: Fraction) -> Entries:
        """The point of a number at a scale; those of negative numbers are of the simplest values."""
        chance = Random(number)

        def draw(kind: Kind) -> Fraction:
            if number < 0:
                simplest = SIMPLEST[kind]
                return simplest[number] if number >= -len(simplest) else chance.choice(simplest)
            return chance.choice((FINER if number else GENERIC)[kind]) * (1 if kind == "unit" else scale)

        return _drawn(self._variables, sizes, draw, chance)

    def point(self, sizes: Mapping[str, int], entries: Entries) -> Point:
        return _point(self._variables, sizes, entries, {})

    # --- looking ---

    def look(self, sizes: Mapping[str, int], entries: Entries) -> tuple[_Place | None, bool]:
        """Where the statement is false at a point, if anywhere, and whether any entry has a value on both sides."""
        defined, found = False, None
        enclosures = [Enclosure(self.point(sizes, entries), precision) for precision in PRECISIONS]
        for position in self._positions(sizes):
            for enclosure in enclosures:
                try:
                    place = self._differs(enclosure, position)
                except Unclear:
                    continue  # the next precision may tell
                except Undefined:
                    break
                defined = True
                found = place if found is None or (place is not None and place.is_visible) else found
                break
            if found is not None and found.is_visible:
                break
        self.computed += sum(enclosure.computed for enclosure in enclosures)
        return found, defined

    def false_where(self, sizes: Mapping[str, int], entries: Entries, fulfils: Fulfils) -> _Place | None:
        """Where the statement is false at a point, free indices included, that fulfils a condition."""
        enclosure = Enclosure(self.point(sizes, entries))
        for position in self._positions(sizes):
            indices = {index.name: k for index, k in zip(self._free, position, strict=False)}
            try:
                place = self._differs(enclosure, position, may_touch=self._relation in ("<", "!="))
            except Undefined:
                continue
            if place is not None:
                equal_at = position[len(self._free) :] if place.left.overlaps(place.right) else None
                if fulfils(_point(self._variables, sizes, entries, indices), equal_at):
                    return place
        return None

    def _positions(self, sizes: Mapping[str, int]) -> Iterator[Positions]:
        axes = max((side.axes for side in self._sides), key=len)
        return _spread([range(1, sizes[size_of(axis)] + 1) for axis in axes], MOST_ENTRIES)

    def _differs(self, enclosure: Enclosure, position: Positions, may_touch: bool = False) -> _Place | None:
        left, right = (enclosure.entry(side, position[: len(side.axes)]) for side in self._sides)
        if may_touch and left.overlaps(right):
            return _Place(position, left, right)
        match self._relation:
            case "==":
                false = not left.overlaps(right)
            case "<=":
                false = left > right
            case "<":
                false = left >= right
            case "!=":
                false = False
        return _Place(position, left, right) if false else None

    # --- the smallest witness ---

    def shrunk(self, sizes: dict[str, int], entries: Entries, place: _Place) -> tuple[dict[str, int], Entries, _Place]:
        """A point of smaller sizes and simpler numbers at which it is false too, visibly if it was so here."""
        for smaller in self._smaller_sizes(sizes):
            for number in range(2):
                candidate = self.generic(smaller, number, SCALES[0])
                found, _ = self.look(smaller, candidate)
                if found is not None and (found.is_visible or not place.is_visible):
                    return (smaller, *self._simplified(smaller, candidate, found))
        return (sizes, *self._simplified(sizes, entries, place))

    def _smaller_sizes(self, sizes: dict[str, int]) -> list[dict[str, int]]:
        free = [name for name in sizes if name not in self._given]
        ranges = [range(self._least[name], min(sizes[name], self._least[name] + 2) + 1) for name in free]
        found = [{**sizes, **dict(zip(free, chosen, strict=True))} for chosen in product(*ranges)]
        found.sort(key=lambda chosen: (sum(chosen.values()), list(chosen.values())))
        return [chosen for chosen in found if sum(chosen.values()) < sum(sizes.values())][:12]

    def _simplified(self, sizes: dict[str, int], entries: Entries, place: _Place) -> tuple[Entries, _Place]:
        """Entry by entry the simplest number at which the two sides still differ at that place."""
        for variable in self._variables:
            for change in self._changes(variable, sizes):
                candidate = {**entries, **change}
                if candidate == entries or not _simpler(change, entries):
                    continue
                try:
                    found = self._differs(Enclosure(self.point(sizes, candidate)), place.position)
                except Undefined:
                    continue
                if found is not None and (found.is_visible or not place.is_visible):
                    entries, place = candidate, found
        return entries, place

    def _changes(self, variable: Variable, sizes: Mapping[str, int]) -> Iterator[Entries]:
        """Simpler entries for a variable, all at once and one by one."""
        places = list(_places(variable, sizes))
        if variable.kind == "label":
            yield from ({(variable.name, at): 1} for at in places)
        elif variable.kind == "distribution":
            for row in _rows(variable, sizes):
                for weights in ([1, *[0] * (len(row) - 1)], [*[0] * (len(row) - 1), 1], [1] * len(row)):
                    yield {
                        (variable.name, at): Fraction(weight, sum(weights))
                        for at, weight in zip(row, weights, strict=True)
                    }
        else:
            simplest = SIMPLEST[variable.kind]
            if len(places) > 1:
                yield {(variable.name, at): simplest[0] for at in places}
                yield {(variable.name, at): simplest[1] for at in places}
            for at in places:
                yield from ({(variable.name, at): value} for value in simplest)

    def witness(self, sizes: dict[str, int], entries: Entries, place: _Place) -> Witness:
        """The witness of a place."""
        left, right = _texts(place.left, place.right)
        indices = {index.name: k for index, k in zip(self._free, place.position, strict=False)}
        position = place.position[len(self._free) :]
        return Witness(sizes, indices, position, dict(self.point(sizes, entries).values), left, right)


def with_free_axes(left: Expression, right: Expression) -> tuple[tuple[Expression, Expression], tuple[Index, ...]]:
    """Both sides with the indices that are free in them as axes in front, and those indices."""
    free = tuple(sorted(left.free | right.free, key=lambda index: index.name))
    if not free:
        return (left, right), ()

    def over(side: Expression) -> Expression:
        own = tuple(Index(f"{n}", axis) for n, axis in enumerate(side.axes))  # no index of a text has such a name
        return Comprehension(free + own, Entry(side, own) if own else side)

    return (over(left), over(right)), free


def random_point(
    variables: Iterable[Variable], sizes: Mapping[str, int], indices: Mapping[str, int], chance: Random
) -> Point:
    """A point like any other: fractions of four digits on the domains of the variables."""
    variables = tuple(variables)

    def draw(kind: Kind) -> Fraction:
        match kind:
            case "unit":
                return Fraction(chance.randint(1, 996), 997)
            case "real":
                return Fraction(chance.randint(-2999, 2999), 997)
            case _:
                return Fraction(chance.randint(1, 2999), 997)

    return _point(variables, sizes, _drawn(variables, sizes, draw, chance), indices)


def _places(variable: Variable, sizes: Mapping[str, int]) -> Iterator[Positions]:
    return product(*(range(1, sizes[size_of(axis)] + 1) for axis in variable.axes))


def _drawn(
    variables: Iterable[Variable], sizes: Mapping[str, int], draw: Callable[[Kind], Fraction], chance: Random
) -> Entries:
    """An entry drawn for each place of each variable; those of a distribution are normalized, labels are any."""
    found = Entries()
    for variable in variables:
        if variable.kind == "label":
            size = sizes[size_of(variable.into)]
            found |= {(variable.name, at): chance.randint(1, size) for at in _places(variable, sizes)}
        elif variable.kind == "distribution":
            for row in _rows(variable, sizes):
                weights = [draw("positive") for _ in row]
                found |= {(variable.name, at): one / sum(weights) for at, one in zip(row, weights, strict=True)}
        else:
            found |= {(variable.name, at): draw(variable.kind) for at in _places(variable, sizes)}
    return found


def _rows(variable: Variable, sizes: Mapping[str, int]) -> Iterable[list[Positions]]:
    """The places of a distribution that sum to 1 together."""
    along = variable.axes.index(variable.along)
    rows: dict[Positions, list[Positions]] = {}
    for at in _places(variable, sizes):
        rows.setdefault(at[:along] + at[along + 1 :], []).append(at)
    return rows.values()


def _point(
    variables: Iterable[Variable], sizes: Mapping[str, int], entries: Entries, indices: Mapping[str, int]
) -> Point:
    return Point(sizes, {one.name: _nested(one, sizes, entries) for one in variables}, indices)


def _nested(variable: Variable, sizes: Mapping[str, int], entries: Entries, at: Positions = ()) -> Any:
    if len(at) == len(variable.axes):
        return entries[variable.name, at]
    size = sizes[size_of(variable.axes[len(at)])]
    return [_nested(variable, sizes, entries, (*at, k)) for k in range(1, size + 1)]


def _complexity(value: Fraction | int) -> tuple[int, bool, bool]:
    return (abs(value.numerator) + 3 * (value.denominator - 1), value < 0, value != 0)


def _simpler(change: Entries, entries: Entries) -> bool:
    """Whether a change makes the numbers simpler: 0 before 1 before -1 before 2, labels nearer to 1."""
    return sorted(map(_complexity, change.values()), reverse=True) < sorted(
        (_complexity(entries[key]) for key in change), reverse=True
    )


def _spread(ranges: list[range], most: int) -> Iterator[Positions]:
    """All combinations, or so many of them in equal steps."""
    count = prod(map(len, ranges))
    step = -(-count // most)
    if step % 2 == 0:
        step += 1  # an even step along a square matrix would miss one triangle
    return islice(product(*ranges), 0, None, max(step, 1))


def _texts(left: flint.arb, right: flint.arb) -> tuple[str, str]:
    """Two numbers in decimals, with as many digits as tell them apart."""
    texts = ("", "")
    for digits in (6, 12, 24, int(PRECISION * 0.3)):
        texts = (_decimal(left, digits), _decimal(right, digits))
        if texts[0] != texts[1]:
            break
    return texts


def _decimal(value: flint.arb, digits: int) -> str:
    text = value.str(digits, radius=False)
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def least_sizes(*expressions: Expression) -> dict[str, int]:
    """The sizes that occur in expressions, and the least that each may have: what a numbered index asks for, else 1."""
    least: dict[str, int] = {}

    def occurs(axis: str, size: int = 1) -> None:
        least[size_of(axis)] = max(least.get(size_of(axis), 1), size)

    def look(term: Any) -> None:
        occurs(term.axis, term.value if isinstance(term, Numbered) else 1)
        for inner in getattr(term, "indices", ()):
            look(inner)

    for expression in expressions:
        for variable in expression.variables:
            for axis in (*variable.axes, *([variable.into] if variable.kind == "label" else [])):
                occurs(axis)
        for node in expression.parts():
            for axis in (*node.axes, *([node.name] if isinstance(node, Size) else [])):
                occurs(axis)
            for term in index_terms(node):
                look(term)
    return least
