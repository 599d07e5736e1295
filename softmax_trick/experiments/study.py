"""What a study is: methods of neighbouring works set beside each other, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from softmax_trick.measurements.findings import LOOKS, Statement
from softmax_trick.measurements.trials import Curves, Picture, Values

Protocol = Mapping[str, bool | float | str]


@dataclass(frozen=True)
class Measured:
    """What a trial measured; see `softmax_trick.measurements.trials.Trial`."""

    values: Values
    curves: Curves = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """The curves that a study draws: a quantity against another, or against the number of its values."""

    quantity: str
    label: str
    against: str
    logarithmic: bool = False
    by: str | None = None


@dataclass(frozen=True, eq=False)
class Study:
    """Arms beside each other in groups, and what is said of them.

    Attributes:
        name: what it is called on the command line.
        title: what it shows.
        work: the work that it is about, cited.
        groups: what each trial is made of.
        protocol: of a group: whatever can decide a verdict.
        measure: one trial, for its protocol, seed, and the folder of the data (None for the usual places).
        quantities: their names, each with its unit and how it is read; those of the tables, in their order.
        statements: what is held against the trials.
        curve: what is drawn; None for the means of the first quantity.
        data: what is loaded, by name.
        seeds: how many by default.
        note: what else is to be known.
    """

    name: str
    title: str
    work: str
    groups: Sequence[str]
    protocol: Callable[[str], Protocol]
    measure: Callable[[Protocol, int, Path | None], Measured]
    quantities: Mapping[str, str]
    statements: tuple[Statement, ...]
    curve: Curve | None = None
    data: tuple[str, ...] = ()
    seeds: int = LOOKS[0]
    note: str = ""
