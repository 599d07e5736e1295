"""Recorded code, read: each result as an expression, under which conditions, and from which sizes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sympy

from softmax_trick.deciding.points import least_sizes
from softmax_trick.language.expression import Variable
from softmax_trick.proving import constants, indexing, normalisations, pointwise, reductions, shapes  # noqa: F401 - all enter their readings
from softmax_trick.proving.reader import NoReading, Reader
from softmax_trick.proving.recording import Recording
from softmax_trick.proving.tracing import Line
from softmax_trick.proving.values import Indices, Real, flat


class Case:
    """A reading of recorded code.

    Args:
        recording: the code.
        held: operations whose value is taken as a variable, whatever it is.
        unbounded: whether what is clamped at a small bound is read as exceeding it.

    Attributes:
        failure: the operation that has no reading, or None.
        given: the sizes that are given, literal ones among them.
        least: the least size of each axis of which the expressions speak.
        doubtful: the places of gradients that were seen to be no numbers where the value is one.
    """

    def __init__(self, recording: Recording, held: frozenset[int] = frozenset(), unbounded: bool = False) -> None:
        self.recording, self.declared = recording, recording.declared
        extra = [Real(Variable(name, flat(dims)), dims) for name, dims in recording.extra]
        self.reader = Reader(recording.trace, self.declared, extra, held, unbounded)
        self.failure: NoReading | None = None
        self.doubtful: set[int] = set()
        try:
            self.reader.read()
        except NoReading as error:
            self.failure = error
        self.given, self.least = dict(self.declared.given), dict[str, int]()
        for one in self._read():
            self.given |= {axis: int(axis) for axis in flat(one.dims) if axis.isdigit()}
            if isinstance(one, Real):
                for axis, size in least_sizes(one.expression).items():
                    self.least[axis] = max(self.least.get(axis, 1), size)

    def _read(self) -> Iterator[Any]:
        for value in self.reader.values:
            for one in value if isinstance(value, tuple | list) else (value,):
                if isinstance(one, Real | Indices):
                    yield one

    @property
    def conditions(self) -> dict[str, None]:
        """Where the operations have the meaning that they are read with."""
        found = dict(self.reader.conditions)
        for condition, line in self.on_sizes:
            found[_in_words(condition) + (f" ({line.short})" if line else "")] = None
        for line in self.recording.checks:
            found["no error is raised by a check" + (f" ({line.short})" if line else "")] = None
        return found

    @property
    def on_sizes(self) -> list[tuple[sympy.Basic, Line | None]]:
        """The conditions on sizes that do not hold for all from 2, with the line that branches on them."""
        return [one for one in self.recording.trace.conditions if not _always_holds(one[0])]

    def holds_at(self, sizes: Mapping[str, int]) -> bool:
        """Whether the conditions on sizes hold at some."""
        return all(fails(condition, sizes) is False for condition, _ in self.on_sizes)

    def result(self, place: int) -> Real:
        """What is returned at a place: the value at 0, then the gradients.

        Raises:
            NoReading: it is no tensor of real numbers.
        """
        operation = self.recording.trace.operations[number := self.recording.trace.results[place].number]
        found = self.reader.values[number]
        if not isinstance(found, Real):
            raise NoReading(operation, "it is no tensor of real numbers")
        if found.infinite:
            self.reader.operation = operation
            self.reader.condition("no entry of the result is masked")
        return Real(found.expression, found.dims)


def _always_holds(condition: sympy.Basic) -> bool:
    """Whether a condition holds for all sizes from 2."""
    sizes = {one: 2 + sympy.Symbol(f"{one}_", integer=True, nonnegative=True) for one in condition.free_symbols}
    return sympy.simplify(condition.subs(sizes)) == sympy.true


def fails(condition: sympy.Basic, sizes: Mapping[str, int]) -> bool | None:
    """Whether a condition on sizes fails at some; None if that is not seen."""
    value = condition.subs({one: sizes.get(one.name, one) for one in condition.free_symbols})
    return None if value not in (sympy.true, sympy.false) else value == sympy.false


def _in_words(condition: sympy.Basic) -> str:
    if isinstance(condition, sympy.Rel):
        return f"{condition.lhs} {condition.rel_op} {condition.rhs}"
    return str(condition)
