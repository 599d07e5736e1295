"""The readings held against torch: at sampled entries of every operation, and of what the user's own code returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product
from random import Random
from typing import Any

import flint
import torch
from torch import Tensor

from softmax_trick.language.expression import Chosen, Expression, Index, IndexTerm, Numbered
from softmax_trick.proving.case import Case
from softmax_trick.proving.contract import CLOSE, breach
from softmax_trick.proving.inputs import extent
from softmax_trick.proving.points import Ambiguous, chosen, sample
from softmax_trick.proving.reader import Reader
from softmax_trick.proving.recording import Recording
from softmax_trick.proving.tracing import Meta, Ref, Trace
from softmax_trick.proving.values import Indices, Real, Value, flat
from softmax_trick.readings.enclosure import Enclosure
from softmax_trick.readings.pointwise import Point, Undefined

CHECKED_ENTRIES = 3  # of each operation, held against the enclosure of its reading
MOST_ENTRIES = 200  # of a comparison
CHECK_SIZES = (3, 4, 2, 5)


def self_check(case: Case) -> str:
    """Every reading against torch, at sampled entries; "" if all agree, else what does not."""
    recording, sizes = case.recording, _check_sizes(case)
    found = "at no point that was tried were the largest entries distinct"
    runs = []
    for seed in range(1, 8):
        inputs = sample(case.declared, sizes, seed, simple=False)
        tensors, values = recording.extended(inputs, seed)
        wrong = _unwritten(recording, tensors, sizes) or (breach(recording, tensors) if recording.order == 1 else "")
        if wrong:
            return wrong
        outputs = recording.run_operations(tensors, sizes)
        value, *gradients = (outputs[ref.number] for ref in recording.trace.results)
        if value.isfinite().all():
            case.doubtful |= {place for place, one in enumerate(gradients, 1) if not one.isfinite().all()}
        runs.append((inputs, tensors, values, outputs))
    for inputs, tensors, values, outputs in runs:
        try:
            more = values | chosen(case.reader.opaque, recording.trace, outputs, {**case.given, **sizes})
        except Ambiguous:
            continue
        point = inputs.point(more, case.given)
        try:
            wrong = disagreement(case.reader, recording.trace, outputs, point)
            if wrong:
                return f"a reading disagrees with torch, please report it: {wrong}"
            _must_do_again(recording, tensors, outputs)
            return ""
        except Ambiguous as error:
            found = str(error) or found
    return found


def _check_sizes(case: Case) -> dict[str, int]:
    free = dict(zip(case.declared.axes, [*CHECK_SIZES, *CHECK_SIZES], strict=False))
    small = {**case.declared.given, **{axis: max(size, case.least.get(axis, 1)) for axis, size in free.items()}}
    if case.recording.trace.tracing == "family" or not case.holds_at(small):
        return case.declared.traced_sizes()
    return small


def _unwritten(recording: Recording, tensors: Sequence[Tensor], sizes: Mapping[str, int]) -> str:
    """Whether a result hangs on memory that was reserved and never written."""
    if not any("empty" in one.name for one in recording.trace.operations):
        return ""
    left, right = (recording.run_operations(tensors, sizes, unwritten) for unwritten in (float("nan"), 0.0))
    for ref in recording.trace.results:
        if not torch.equal(left[ref.number].isnan(), right[ref.number].isnan()):
            return "the code returns memory that it reserved (torch.empty) and never wrote"
    return ""


def _must_do_again(recording: Recording, tensors: Sequence[Tensor], outputs: Sequence[Any]) -> None:
    """The user's own code has to return what was recorded of it.

    Raises:
        Ambiguous: it returns something else; where pieces meet, it may.
    """
    close = CLOSE * unit(recording.trace)
    for ref, tensor in zip(recording.trace.results, recording.run_code(tensors) or [], strict=False):
        one = outputs[ref.number]
        if one.shape != tensor.shape or not torch.allclose(one, tensor.detach(), close, close, equal_nan=True):
            raise Ambiguous("the code does not do again what it did when it was recorded")


def unit(found: Trace) -> float:
    """How much coarser than float64 the coarsest numbers in a trace are, roughly."""
    outputs = (one.outputs if isinstance(one.outputs, tuple) else (one.outputs,) for one in found.operations)
    types = {meta.dtype for several in outputs for meta in several if isinstance(meta, Meta)}
    return 1e6 if types & {torch.float16, torch.bfloat16} else 1e3 if torch.float32 in types else 1.0


def middle(ball: Any) -> float:
    """The middle of a ball of Arb, or a fraction as a number."""
    return float(flint.arb(ball).mid())


def disagreement(reader: Reader, found: Trace, outputs: Sequence[Any], point: Point) -> str:
    """Which operation gives at a point something else than it is read as; "" if none does.

    Raises:
        Ambiguous: a result is infinite where its reading is not.
    """
    enclosure, chance, close = Enclosure(point), Random(7), CLOSE * unit(found)
    assumed = set(reader.assumed)
    for number, (value, output) in enumerate(zip(reader.values, outputs, strict=True)):
        operation = found.operations[number]
        if number in assumed or (
            operation.name == "aten._to_copy.default" and operation.arguments[0].number in assumed
        ):
            assumed.add(number)
            continue
        several = value if isinstance(value, tuple | list) else (value,)
        results = output if isinstance(output, tuple | list) else (output,)
        for one, tensor in zip(several, results, strict=False):
            if not isinstance(one, Real | Indices) or not isinstance(tensor, Tensor):
                continue
            wrong = _differs(one, tensor, enclosure, point, chance, Ref(number) in found.results, close)
            if wrong:
                where = f" at {operation.line.short}" if operation.line else ""
                return f"{operation.name}{where}: {wrong}"
    return ""


def _differs(
    value: Value, tensor: Tensor, enclosure: Enclosure, point: Point, chance: Random, is_result: bool, close: float
) -> str:
    shape = [extent(dim, point.sizes) for dim in value.dims]
    if list(tensor.shape) != shape:
        return f"it has the shape {tuple(tensor.shape)}, read as {tuple(shape)}"
    axes = [extent([axis], point.sizes) for axis in flat(value.dims)]
    entries = tensor.detach().double().reshape(axes)
    places = [tuple(chance.randint(1, size) for size in axes) for _ in range(CHECKED_ENTRIES)]
    if tensor.dtype == torch.bool:  # where a comparison is another one at few entries, these are looked at, too
        places = list(islice(product(*(range(1, size + 1) for size in axes)), MOST_ENTRIES))
    for position in dict.fromkeys(places):
        actual = float(entries[tuple(one - 1 for one in position)])
        is_finite = actual == actual and actual not in (float("inf"), float("-inf"))
        if not is_finite and not is_result:
            continue
        try:
            read = _entry(value, position, enclosure, point)
        except Undefined:
            continue
        if not is_finite:
            if read is not None:
                raise Ambiguous(f"the result's entry {position} is {actual}, read as {read}")
            continue
        if read is None:
            return f"entry {position} is {actual}, read as infinite"
        if abs(read - actual) > close * (1 + abs(actual)):
            return f"entry {position} is {actual}, read as {read}"
    return ""


def _entry(value: Value, position: tuple[int, ...], enclosure: Enclosure, point: Point) -> float | None:
    def at(expression: Expression) -> float:
        return middle(enclosure.entry(expression, position if expression.axes else ()))

    if isinstance(value, Real):
        if any(at(where) == 1 for where, _ in value.infinite):
            return None
        return at(value.expression)
    for where, term in value.cases:
        if at(where) == 1:
            return float(term if isinstance(term, int) else _place(term, position, point) - 1)
    return None


def _place(term: IndexTerm, position: tuple[int, ...], point: Point) -> int:
    match term:
        case Index(name):
            return position[int(name[1:])]
        case Numbered(number):
            return number
        case Chosen(label, inner):
            return int(point.value(label, tuple(_place(one, position, point) for one in inner)))
    raise TypeError(f"no place of {term!r}")
