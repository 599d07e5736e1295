"""What a study is: methods of neighbouring works set beside each other, and what is said of them."""

from __future__ import annotations

import math
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
        fixed: numbers of the protocol that are said there, and cannot be changed.
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
    fixed: tuple[str, ...] = ()

    def change(self, text: str) -> tuple[str, bool | float]:
        """A number of the protocol that all groups share, and its new value, of a text NAME=VALUE.

        Raises:
            ValueError: there is no such number, or the value is none that it could have.
        """
        name, _, value = (part.strip() for part in text.rpartition("="))
        protocols = [self.protocol(group) for group in self.groups]
        known = {
            one: old
            for one, old in protocols[0].items()
            if not isinstance(old, str) and one not in self.fixed and all(of.get(one) == old for of in protocols)
        }
        if name not in known:
            raise ValueError(f"{self.name} has no {name!r} that could be set; it has {', '.join(known) or 'nothing'}")
        old = known[name]
        if isinstance(old, bool):
            if value not in ("true", "false"):
                raise ValueError(f"{name} is true or false, not {value!r}")
            return name, value == "true"
        try:
            new = int(value) if isinstance(old, int) else float(value)
        except ValueError:
            raise ValueError(f"{name} is a {'whole ' * isinstance(old, int)}number, not {value!r}") from None
        if not math.isfinite(new) or (isinstance(old, int) and new < 1):
            raise ValueError(f"{name} = {value}: it must be {'1 or more' if isinstance(old, int) else 'finite'}")
        return name, new
