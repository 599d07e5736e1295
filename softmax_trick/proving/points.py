"""Points at which a function is run and its readings are evaluated: the same numbers as tensors and as fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import torch
from torch import Tensor, fx

from softmax_trick.proving.inputs import Declared, Input, extent
from softmax_trick.proving.reader import Opaque
from softmax_trick.proving.values import flat
from softmax_trick.readings.pointwise import Point

SIMPLE: dict[str, tuple[Fraction, ...]] = {
    "real": tuple(map(Fraction, (0, 1, -1, 2, -2, 3, -3))),
    "positive": tuple(map(Fraction, (1, 2, 3, 4))),
    "nonnegative": tuple(map(Fraction, (0, 1, 2, 3))),
    "unit": (Fraction(1), Fraction(0), Fraction(1, 2), Fraction(1, 4)),
}
GENERIC: dict[str, tuple[Fraction, ...]] = {
    "real": tuple(Fraction(n, 16) for n in range(-47, 48) if n % 16),
    "positive": tuple(Fraction(n, 16) for n in range(3, 60) if n % 16),
    "nonnegative": tuple(Fraction(n, 16) for n in range(3, 60) if n % 16),
    "unit": tuple(Fraction(n, 64) for n in range(3, 62)),
}


@dataclass(frozen=True)
class Sample:
    """The inputs at a point.

    Attributes:
        sizes: the size of each axis.
        tensors: for each input, float64, class indices from 0, or booleans.
        values: for each variable of the readings, fractions as nested lists; places of labels from 1.
    """

    sizes: dict[str, int]
    tensors: list[Tensor]
    values: dict[str, Any]

    def point(self, more: Mapping[str, Any], literal: Mapping[str, int]) -> Point:
        """The point of the language, with further variables."""
        return Point({**literal, **self.sizes}, {**self.values, **more})


def sample(declared: Declared, sizes: Mapping[str, int], seed: int, simple: bool, scale: int = 1) -> Sample:
    """Inputs at given sizes: small integers, or fractions like any others, which floating point has exactly."""
    chance = Random(seed)
    tensors, values = [], {}
    for one in declared.inputs:
        shape = one.shape(dict(sizes))
        axes = [sizes[axis] for axis in one.axes]
        drawn = _drawn(one, axes, sizes, chance, simple, scale)
        match one.kind:
            case "label":
                labels = [one.ignored if label is None else label for label in drawn]
                tensors.append(torch.tensor(labels, dtype=torch.int64).reshape(shape))
                values[one.name] = nested([1 if label is None else label + 1 for label in drawn], axes)
                if one.ignored is not None:
                    kept = [Fraction(-1 if label is None else 1) for label in drawn]
                    values[f"{one.name}_kept"] = nested(kept, axes)
            case "mask":
                tensors.append(torch.tensor([value > 0 for value in drawn]).reshape(shape))
                values[one.name] = nested(drawn, axes)
            case _:
                tensors.append(torch.tensor([float(value) for value in drawn], dtype=torch.float64).reshape(shape))
                values[one.name] = nested(drawn, axes)
    return Sample(dict(sizes), tensors, values)


def blanks(declared: Declared, sizes: Mapping[str, int]) -> list[Tensor]:
    """Inputs to record code at, whose entries count nothing, however many there are."""
    dtypes = {"label": torch.int64, "mask": torch.bool}
    return [
        torch.zeros(
            one.shape(dict(sizes)), dtype=dtypes.get(one.kind, torch.float64), requires_grad=one.is_differentiated
        )
        for one in declared.inputs
    ]


def leaves(declared: Declared, sizes: Mapping[str, int], seed: int = 1) -> list[Tensor]:
    """Generic inputs; those with entries of real numbers are differentiated."""
    tensors = sample(declared, sizes, seed, simple=False).tensors
    for one, tensor in zip(declared.inputs, tensors, strict=True):
        if one.is_differentiated:
            tensor.requires_grad_()
    return tensors


def _drawn(
    one: Input, axes: Sequence[int], sizes: Mapping[str, int], chance: Random, simple: bool, scale: int
) -> list[Any]:
    places = list(product(*map(range, axes)))
    match one.kind:
        case "label":
            classes = sizes[one.into]
            ignore = one.ignored is not None
            return [None if ignore and chance.random() < 0.3 else chance.randrange(classes) for _ in places]
        case "mask":
            return [Fraction(chance.choice((1, 1, -1))) for _ in places]
        case "distribution":
            along = one.axes.index(one.into)
            found: dict[tuple[int, ...], Fraction] = {}
            for place in places:
                rest = (*place[:along], *place[along + 1 :])
                if place[along] == 0:
                    cuts = [chance.randint(1, 5) for _ in range(axes[along] - 1)]
                    while sum(cuts) >= 32:
                        cuts = [max(1, cut // 2) for cut in cuts]
                        if all(cut == 1 for cut in cuts):
                            break
                    weights = [*cuts, max(1, 32 - sum(cuts))]
                    whole = sum(weights)
                    for k, weight in enumerate(weights):
                        found[*rest[:along], k, *rest[along:]] = Fraction(weight, whole)
            return [found[place] for place in places]
    pool = (SIMPLE if simple else GENERIC)[one.kind]
    factor = scale if one.kind != "unit" else 1
    if simple and len(places) <= len(pool) and one.kind == "real":
        return [value * factor for value in chance.sample(pool, len(places))]
    return [chance.choice(pool) * factor for _ in places]


def nested(entries: Sequence[Any], axes: Sequence[int]) -> Any:
    """Entries in order as nested lists."""
    if not axes:
        return entries[0]
    block = len(entries) // axes[0] if axes[0] else 0
    return [nested(entries[n * block : (n + 1) * block], axes[1:]) for n in range(axes[0])]


def fractions_of(tensor: Tensor, axes: Sequence[int]) -> Any:
    """The exact numbers of a tensor, as nested lists."""
    return nested([Fraction(value) for value in tensor.detach().reshape(-1).tolist()], axes)


class Recorded(fx.Interpreter):
    """Runs a recorded graph and keeps the output of each operation.

    Args:
        module: the graph.
        unwritten: what stands in memory that is reserved.
    """

    def __init__(self, module: fx.GraphModule, unwritten: float = float("nan")) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.outputs: list[Any] = []
        self._unwritten = unwritten

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if "empty" in str(n.target) and isinstance(value, Tensor) and value.is_floating_point():
            value.fill_(self._unwritten)  # what is read before it is written shows
        if n.op != "output":
            self.outputs.append(value)
        return value


TRIANGLES = {"aten.tril.default": torch.tril, "aten.triu.default": torch.triu}
ROUNDING = (*(f"aten.{name}.default" for name in ("floor", "ceil", "trunc", "round")), "aten.round.decimals")
JUMP = 1e-9  # so near to a jump nothing is rounded


class Ambiguous(Exception):
    """At this point what an operation chooses is not decided: two entries are largest, or it is at a jump."""


def demand_no_jump(trace: Any, outputs: Sequence[Any]) -> None:
    """Nothing may be rounded where what comes out jumps.

    Raises:
        Ambiguous: something is.
    """
    for operation in trace.operations:
        if operation.name in ROUNDING:
            function = getattr(torch, operation.name.removeprefix("aten.").split(".")[0])
            options = {key: int(value) for key, value in operation.options.items()}
            source = outputs[operation.arguments[0].number].detach().double()
            if not torch.equal(*(function(source + shift, **options) for shift in (-JUMP, JUMP))):
                raise Ambiguous


def chosen(opaque: Sequence[Opaque], trace: Any, outputs: Sequence[Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """The values of the variables for what operations choose, from a run.

    Raises:
        Ambiguous: two entries are the largest.
    """
    found: dict[str, Any] = {}
    for one in opaque:
        axes = [sizes[axis] for axis in flat(one.dims)]
        if one.kind in ("mask", "held"):
            value = outputs[one.operation]
            value = value[0] if isinstance(value, tuple | list) else value
            value = value.expand([extent(dim, sizes) for dim in one.dims])
            if (operation := trace.operations[one.operation]).name in TRIANGLES:
                value = TRIANGLES[operation.name](torch.ones_like(value), *map(int, operation.arguments[1:]))
            if one.kind == "mask":
                value = torch.where(value != 0, 1.0, -1.0)
            found[one.variable.name] = fractions_of(value, axes)
            continue
        source = outputs[trace.operations[one.operation].arguments[0].number].detach().double().reshape(axes)
        source = source if one.kind == "largest" else -source
        kept = [place for place in range(len(axes)) if place not in one.reduced]
        turned = source.permute(*kept, *one.reduced).reshape([axes[place] for place in kept] + [-1])
        best = turned.topk(min(2, turned.shape[-1]), dim=-1)
        if best.values.shape[-1] > 1 and bool((best.values[..., 0] - best.values[..., 1] < 1e-9).any()):
            raise Ambiguous
        flat_place = best.indices[..., 0]
        for place in reversed(one.reduced):
            digit = flat_place % axes[place]
            if place == one.place:
                values = [int(value) + 1 for value in digit.reshape(-1).tolist()]
                found[one.variable.name] = nested(values, [axes[p] for p in kept])
            flat_place = torch.div(flat_place, axes[place], rounding_mode="floor")
    return found
