"""What the arguments of several commands are: names out of a list, counts, numbers with a sign."""

from __future__ import annotations

import argparse
import difflib
import math
from collections.abc import Callable, Iterable

MOST = 2**63 - 1


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """A name out of these."""

    def parse(text: str) -> str:
        if text in names:
            return text
        near = difflib.get_close_matches(text, names, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise argparse.ArgumentTypeError(f"there is no {text!r}: {hint}choose one of {', '.join(names)}")

    return parse


def count(text: str, least: int = 1) -> int:
    """A whole number from 1, or from another least one, that torch and the readers of our files can take."""
    if not text.isdecimal() or len(text) > len(str(MOST)) or not least <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {MOST}")
    return int(text)


def seed(text: str) -> int:
    """A whole number from 0."""
    return count(text, least=0)


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number


def decay_factor(text: str) -> float:
    """A number above 0, at most 1."""
    factor = positive(text)
    if factor > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is more than 1: the rate would grow")
    return factor


def share(text: str) -> float:
    """A number from 0, less than 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0, less than 1")
    return number
