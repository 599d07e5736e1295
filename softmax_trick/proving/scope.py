"""The sizes for which findings are said: from the least that their expressions ask for, and from 1 if that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sympy

from softmax_trick.proving.case import Case
from softmax_trick.proving.findings import first_findings, objection
from softmax_trick.proving.inputs import Declared
from softmax_trick.proving.points import leaves
from softmax_trick.proving.reader import NoReading
from softmax_trick.proving.recording import NoGradient, Recording
from softmax_trick.proving.target import TargetError, run
from softmax_trick.proving.tracing import Meta, Operation, Ref, SizeFixed, Trace, TracingError, operations_of, sympy_of


def scope(case: Case) -> str:
    """For which sizes it is said, in words."""
    parts = []
    for axis in case.declared.axes:
        low = case.least.get(axis, 1)
        if low == 1 and not _holds_at_one(case, axis):
            low = 2
        parts.append(f"{axis} >= {low}")
    fixed = [f"{axis} = {size}" for axis, size in case.declared.given.items() if not axis.isdigit()]
    every = f"for every {', '.join(parts)}" if parts else ""
    both = " and " if parts and fixed else ""
    text = f"{every}{both}{'for ' if fixed else ''}{', '.join(fixed)}" or "for all values"
    if case.recording.trace.tracing == "family":
        text += " at which the same operations are recorded"
    return text


def _holds_at_one(case: Case, axis: str) -> bool:
    """Whether all holds where a size is 1, too."""
    recording = case.recording
    if recording.order == 2 or recording.trace.tracing == "family":
        sizes = {**case.declared.traced_sizes(), axis: 1}
        try:
            module = recording.at_sizes(sizes)
        except Exception:
            return False
        if _same_operations(recording.trace, list(operations_of(module, sympy_of)), sizes):
            return True
    return recording.order == 1 and _decided_at_one(case, axis)


def _decided_at_one(case: Case, axis: str) -> bool:
    """Whether all is proved where a size is 1, too: there torch takes other paths."""
    declared = case.declared
    if any(one.kind == "distribution" and one.into == axis for one in declared.inputs):
        return False
    inputs = tuple(
        replace(one, dims=tuple(tuple(a for a in dim if a != axis) for dim in one.dims)) for one in declared.inputs
    )
    axes = tuple(a for a in declared.axes if a != axis)
    declared = Declared(inputs, declared.numbers, {**declared.given, axis: 1}, axes)
    target = replace(case.recording.target, declared=declared)
    try:
        recording = Recording(target, run(target, leaves(declared, declared.traced_sizes())), order=1)
        at_one = Case(recording)
        if objection(at_one) or recording.missing != case.recording.missing:
            return False
        return all(one.verdict == "proved" for one in first_findings(at_one, None))
    except (TargetError, TracingError, SizeFixed, NoGradient, NoReading):
        return False


def _same_operations(found: Trace, other: Sequence[Operation], sizes: Mapping[str, int]) -> bool:
    """Whether a trace, at given sizes, is another one operation by operation."""
    values = {symbol: sizes[axis] for symbol, axis in found.symbols.items()}
    return list(_plain_operations(found.operations, values)) == list(_plain_operations(other, {}))


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
                found = argument.subs(values)
                return float(found) if found.is_number else str(found)
            case bool() | str() | None:
                return argument
            case int() | float():
                return float(argument)
        return str(argument)

    for n in kept:
        one = operations[n]
        yield one.name, at(one.arguments), at(one.options), at(one.outputs)
