"""The sizes for which findings are said: from the least that their expressions ask for, and from 1 if that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

import sympy

from softmax_trick.proving.case import Case, fails
from softmax_trick.proving.findings import first_findings, objection
from softmax_trick.proving.inputs import Declared
from softmax_trick.proving.points import leaves
from softmax_trick.proving.recording import NoGradient, Recording
from softmax_trick.proving.result import Finding
from softmax_trick.proving.target import Target, TargetError, run
from softmax_trick.proving.tracing import Meta, Operation, Ref, SizeFixed, TracingError

MOST = 128  # a size at which a condition on sizes is looked for to fail, at most


@dataclass
class Scope:
    """For which sizes findings are said.

    Attributes:
        text: in words.
        refuted: what is wrong at other sizes: where some are 1, or where the code branches on them.
    """

    text: str
    refuted: list[Finding]


def scope(case: Case, from_one: bool = True) -> Scope:
    """For which sizes it is said; from 2 where it is not to be tried at 1."""
    parts, at_one = [], _AtOne(case)
    for axis in case.declared.axes:
        low = case.least.get(axis, 1)
        if low == 1 and not (from_one and at_one.may_have(axis)):
            low = 2
        parts.append(f"{axis} >= {low}")
    fixed = [f"{axis} = {size}" for axis, size in case.declared.given.items() if not axis.isdigit()]
    every = f"for every {', '.join(parts)}" if parts else ""
    both = " and " if parts and fixed else ""
    text = f"{every}{both}{'for ' if fixed else ''}{', '.join(fixed)}" or "for all values"
    if case.recording.trace.tracing == "family":
        text += " at which the same operations are recorded"
    return Scope(text, at_one.refuted + _elsewhere(case))


def _elsewhere(case: Case) -> list[Finding]:
    """What is refuted at small sizes at which a condition on sizes fails: there the code takes another branch."""
    declared, found = case.declared, []
    if case.recording.order == 2:
        return []
    for sizes in dict.fromkeys(_failing(condition, declared) for condition, _ in case.on_sizes):
        first = {size: axis for axis, size in reversed(sizes)}  # axes of one size become one axis
        name = {axis: first[size] for axis, size in sizes}
        inputs = tuple(
            replace(
                one,
                dims=tuple(tuple(name.get(axis, axis) for axis in dim) for dim in one.dims),
                into=name.get(one.into, one.into),
            )
            for one in declared.inputs
        )
        given = {**declared.given, **{axis: size for size, axis in first.items()}}
        axes = tuple(axis for axis in declared.axes if axis not in name)
        target = replace(case.recording.target, declared=Declared(inputs, declared.numbers, given, axes))
        other = _read_at(target, 1)
        if other is not None and not objection(other):
            found += [one for one in first_findings(other, None) if one.verdict == "refuted"]
    return found


def _failing(condition: sympy.Basic, declared: Declared) -> tuple[tuple[str, int], ...]:
    """The smallest sizes from 2 at which a condition fails; none if there are none up to its numbers."""
    axes = [axis for axis in declared.axes if axis in {symbol.name for symbol in condition.free_symbols}]
    numbers = {int(one) + near for one in condition.atoms(sympy.Integer) for near in (-1, 0, 1)}
    sizes = sorted({2, 3, 4, 5} | {size for size in numbers if 2 <= size <= MOST})
    for choice in sorted(product(sizes, repeat=len(axes)), key=sum):
        at = dict(zip(axes, choice, strict=True))
        if fails(condition, at):
            return tuple(at.items())
    return ()


def _read_at(target: Target, order: int) -> Case | None:
    """The code recorded and read with other axes; None if that fails."""
    try:
        return Case(Recording(target, run(target, leaves(target.declared, target.declared.traced_sizes())), order))
    except (TargetError, TracingError, SizeFixed, NoGradient):
        return None


class _AtOne:
    """The axes whose sizes may be 1, each alone and together with the others: there torch takes other paths."""

    def __init__(self, case: Case) -> None:
        self._case, self._conditions = case, set(case.conditions)
        self.refuted: list[Finding] = []
        self._axes: list[str] = []
        self._recorded: dict[frozenset[str], Recording] = {frozenset(): case.recording}

    def may_have(self, axis: str) -> bool:
        """Whether all holds where the size of one more axis is 1, whichever of the earlier ones are 1, too."""
        if any(one.kind == "distribution" and one.into == axis for one in self._case.declared.inputs):
            return False
        for count in range(len(self._axes) + 1):
            for others in combinations(self._axes, count):
                if not self._holds(frozenset((*others, axis))):
                    return False
        self._axes.append(axis)
        return True

    def _holds(self, ones: frozenset[str]) -> bool:
        declared, proved = self._case.declared, self._case.recording
        inputs = tuple(
            replace(one, dims=tuple(tuple(a for a in dim if a not in ones) for dim in one.dims))
            for one in declared.inputs
        )
        given = declared.given | {axis: 1 for axis in declared.axes if axis in ones}
        axes = tuple(axis for axis in declared.axes if axis not in ones)
        declared = Declared(inputs, declared.numbers, given, axes)
        case = _read_at(replace(proved.target, declared=declared), proved.order)
        if case is None or case.recording.missing != proved.missing:
            return False
        same = any(_same_operations(self._recorded.get(ones - {one}), case.recording, ones) for one in ones)
        if proved.order == 2:
            if not same or case.failure:
                return False
        elif objection(case):
            return False
        elif not same:
            findings = first_findings(case, None)
            self.refuted += [one for one in findings if one.verdict == "refuted"]
            if any(one.verdict != "proved" for one in findings):
                return False
        self._recorded[ones] = case.recording
        if set(case.conditions) <= self._conditions:
            return True
        self.refuted += _elsewhere(case)
        return False


def _same_operations(known: Recording | None, other: Recording, ones: frozenset[str]) -> bool:
    """Whether code is recorded alike, operation by operation, with and without one size more that is 1."""
    if known is None or known.trace.tracing != other.trace.tracing:
        return False
    left, right = (
        _plain_operations(
            one.trace.operations,
            {symbol: 1 if axis in ones else sympy.Symbol(axis) for symbol, axis in one.trace.symbols.items()},
        )
        for one in (known, other)
    )
    return list(left) == list(right)


def _plain_operations(operations: Sequence[Operation], values: Mapping[Any, int]) -> Iterator[Any]:
    kept = [n for n, one in enumerate(operations) if one.outputs is not None or one.name == "input"]
    renumbered = {n: place for place, n in enumerate(kept)}

    def at(argument: Any) -> Any:
        match argument:
            case Ref(number):
                return ("ref", renumbered.get(number))
            case Meta(shape):
                return tuple(at(size) for size in shape)
            case tuple() | list():
                return tuple(map(at, argument))
            case dict():
                return tuple((key, at(one)) for key, one in argument.items())
            case sympy.Basic():
                try:
                    found = argument.subs(values)
                except ZeroDivisionError:  # 1 / (K - 1) at K = 1
                    return ("undefined", str(argument))
                return float(found) if found.is_number else str(found)
            case bool() | str() | None:
                return argument
            case int() | float():
                return float(argument)
        return str(argument)

    for n in kept:
        one = operations[n]
        yield one.name, at(one.arguments), at(one.options), at(one.outputs)
