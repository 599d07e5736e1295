"""Points of small numbers at which the user's own code returns something else than it should."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from math import isfinite, prod
from typing import Any

import flint
import torch

from softmax_trick.language.expression import Expression
from softmax_trick.proving.case import Case
from softmax_trick.proving.contract import CLOSE
from softmax_trick.proving.inputs import extent
from softmax_trick.proving.points import Ambiguous, chosen, demand_no_jump, sample
from softmax_trick.proving.result import Counterexample
from softmax_trick.proving.self_check import middle, unit
from softmax_trick.readings.enclosure import Enclosure
from softmax_trick.readings.pointwise import Undefined

GAP = 1e-5  # a counterexample differs by more than rounding explains
TRIES = 14  # points that are tried at each choice of sizes
SMALL = ((2,), (2, 3), (3, 2), (2, 3, 4, 2, 3))  # sizes of counterexamples, of the axes in order


def counterexample(case: Case, got: Expression, wanted: Expression, place: int) -> Counterexample | None:
    """A point at which a result of the code is as it is read, and not what is wanted.

    Args:
        case: the code.
        got: how the result is read.
        wanted: what it should be.
        place: which result it is: the value is at 0, then come the gradients.
    """
    for sizes, seed, scale in _points(case):
        try:
            found = _look(case, got, wanted, place, sizes, seed, scale)
        except (Ambiguous, Undefined, RuntimeError):
            continue
        if found is not None:
            return found
    return None


def _points(case: Case) -> Iterator[tuple[dict[str, int], int, int]]:
    """Sizes, each choice of them once, a seed and a scale."""
    patterns: list[dict[str, int]] = []
    for pattern in SMALL:
        sizes = {axis: pattern[n % len(pattern)] for n, axis in enumerate(case.declared.axes)}
        sizes = {**case.declared.given, **{axis: max(size, case.least.get(axis, 1)) for axis, size in sizes.items()}}
        if sizes not in patterns:
            patterns.append(sizes)
    for seed in range(TRIES):
        yield from ((sizes, seed, (1, 1, 1, 4)[seed % 4]) for sizes in patterns)


def _look(
    case: Case, got: Expression, wanted: Expression, place: int, at: dict[str, int], seed: int, scale: int
) -> Counterexample | None:
    recording = case.recording
    inputs = sample(case.declared, at, seed, seed < TRIES // 2, scale)
    tensors, values = recording.extended(inputs, seed, simple=True)
    sizes = {**case.given, **at}
    if case.reader.opaque:
        outputs = recording.run_operations(tensors, at)
        values |= chosen(case.reader.opaque, recording.trace, outputs, sizes)
        demand_no_jump(recording.trace, outputs)
    results = recording.run_code(tensors)
    if results is None or not bool(torch.isfinite(results[0]).all()):
        return None
    enclosure = Enclosure(inputs.point(values, case.given))
    shape = [extent([axis], sizes) for axis in wanted.axes or got.axes]
    if results[place].numel() != prod(shape):
        return None
    actual = results[place].detach().reshape(shape)
    for position in islice(product(*(range(1, size + 1) for size in shape)), 64):
        index = tuple(one - 1 for one in position)
        try:
            right = enclosure.entry(wanted, position if wanted.axes else ())
            entry, exact, grain = float(actual[index]), middle(right), unit(recording.trace)
            is_wrong = not isfinite(entry)
            if not is_wrong and abs(exact - entry) > GAP * grain * (1 + abs(exact)):
                read = enclosure.entry(got, position if got.axes else ())
                is_as_read = abs(middle(read) - entry) < CLOSE * grain * (1 + abs(exact) + abs(entry))
                is_wrong = is_as_read and not flint.arb(right).overlaps(flint.arb(read))
        except Undefined:
            continue
        if is_wrong:
            names = [one.name for one in case.declared.inputs] + [name for name, _ in recording.extra]
            shown = {name: _plain(tensor.tolist()) for name, tensor in zip(names, tensors, strict=True)}
            return Counterexample(dict(at), shown, index, f"{exact:.10g}", f"{entry:.10g}")
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value == int(value):
        return int(value)
    return value
