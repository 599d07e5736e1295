"""The scores at which a black box is looked at, how they are shrunk, and how numbers are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import torch
from torch import Tensor


def structured_scores(k: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Structured scores, the simple ones first, and random ones; all exact in float32."""

    def drawn(values: Sequence[float], rows: int) -> Tensor:
        return torch.tensor(values).double()[torch.randint(len(values), (rows, k), generator=random)]

    unit, ones = torch.eye(k).double(), torch.ones(1, k).double()
    axes = [scale * unit for scale in (1, -1, 0.5, -0.5, 2, -2, 30, -30)]
    simple = [0 * ones, ones, -ones, *axes, drawn((-1, 0, 1), 64), drawn((-2, -1, -0.5, 0, 0.5, 1, 2), 64)]
    far = [
        drawn(range(-4, 5), 64),
        drawn((0, 10, 20, 40, 60, 80, 100), 64),
        drawn(range(-50, 51), 32),
        drawn((-30, 0), 16),
        drawn((-300, -30, 0, 30, 300), 32),
        drawn((-1e3, 0, 1e3), 16),
    ]
    scales = torch.tensor([0.25, 1.0, 4.0]).double().repeat(128)[:, None]
    generic = torch.randn(len(scales), k, dtype=torch.float64, generator=random) * scales
    return torch.cat([*simple, *far]), (generic * 1024).round() / 1024


def shrunk(x: Tensor, fails: Callable[[Tensor], Tensor]) -> Tensor:
    """The simplest scores that still fail, of those reached from x by simplifying one step after the other."""
    while True:
        cost = _cost(x.tolist())
        options = sorted((one for one in _simpler(x.tolist()) if _cost(one) < cost), key=_cost)
        if not options:
            return x
        for candidates in torch.tensor(options, dtype=torch.float64).split(8):
            if len(failing := fails(candidates).nonzero()):
                x = candidates[int(failing[0])]
                break
        else:
            return x


def _cost(x: Sequence[float]) -> tuple[float, ...]:
    digits = sum(len(f"{abs(value)!r}".removesuffix(".0")) for value in x)
    return (
        sum(map(bool, x)), digits, len(set(x)), math.fsum(map(abs, x)), sum(value < 0 for value in x),
        *(-value for value in x),
    )  # fmt: skip


def _simpler(x: list[float]) -> Iterable[list[float]]:
    ways: list[Callable[[float], float]] = [lambda v: 0.0, abs, lambda v: 1.0, lambda v: -1.0]
    ways += [lambda v: float(math.trunc(v / 2)), lambda v: float(math.trunc(v / 10))]
    ways += [lambda v, digits=digits: round(v, digits) + 0.0 for digits in range(4)]  # type: ignore[misc]
    for way in ways:
        yield [way(value) for value in x]
        for place, value in enumerate(x):
            yield [way(other) if n == place else other for n, other in enumerate(x)]
            if x.count(value) > 1:  # tied scores stay tied
                yield [way(other) if other == value else other for other in x]


def exact_decimal(value: float) -> str:
    """The exact decimal of a float, without an exponent."""
    return format(Decimal(value + 0.0), "f")


def known_decimal(value: float, error: float) -> str:
    """The digits of a value that are known, to one unit in the last place, and no more than twelve decimals."""
    place = math.ceil(math.log10(max(error, abs(value) * 2.0**-52, 1e-12)))
    rounded = Decimal(value).quantize(Decimal(1).scaleb(place))
    return format(rounded or abs(rounded), "f")  # no minus sign before zero
