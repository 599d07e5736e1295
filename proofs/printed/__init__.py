"""What the paper prints, verbatim, as data: tables, listings, lists, numbers, misprints, errata, versions.

A test holds all of it against the paper's text, word for word; the claims read it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from typing import Any


def data(name: str) -> dict[str, Any]:
    """One of the files, `name`.toml, its arrays as tuples."""
    read: dict[str, Any] = _frozen(tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")))
    return read


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(entry) for key, entry in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Number:
    """A number of the paper's prose.

    Attributes:
        digits: as printed.
        words: among which they stand.
        unit: what they count: 1000 where the print has a K, a million for an M.
    """

    digits: str
    words: str
    unit: int = 1


@dataclass(frozen=True)
class Misprint:
    """A slip of the pen: what is printed in one place, against what is printed of the same thing in another.

    Attributes:
        claim: the ID of the claim that it would be right.
        title: in a line.
        where: section and equation.
        printed: the words, verbatim.
        wrong: of them, what is wrong.
        right: what is meant.
        elsewhere: words of the paper that have it right, verbatim.
    """

    claim: str
    title: str
    where: str
    printed: str
    wrong: str
    right: str
    elsewhere: str


NUMBERS = {name: Number(**entry) for name, entry in data("numbers").items()}
MISPRINTS = tuple(Misprint(**entry) for entry in data("misprints")["misprint"])
LISTINGS: dict[str, str] = data("listings")  # the only text that this project executes
TABLES: dict[str, str] = data("tables")
LISTS = data("lists")


def number(name: str) -> Fraction:
    """A number of the paper's prose, by its name in numbers.toml."""
    return Fraction(NUMBERS[name].digits) * NUMBERS[name].unit
