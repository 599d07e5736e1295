"""What a function to be proved takes: `scores: n,K; targets: label n of K; gamma = 2`.

declarations := declaration (";" declaration)*
declaration  := NAME ":" [axes] [kind] ["constant"]            a tensor; no axes, or "scalar", for a scalar
              | NAME ":" "label" [axes] "of" AXIS ["or" NUMBER]  class indices from 0; or NUMBER, which is ignored
              | NAME ":" "mask" [axes]                          booleans
              | NAME "=" NUMBER                                 a number; or the size of an axis of that name
axes         := part ("," part)*;  part := AXIS | NUMBER | part "*" part
kind         := "real" | "positive" | "nonnegative" | "unit" | "distribution" ["over" AXIS]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt, prod
from typing import Literal

from softmax_trick.language.expression import Kind, Variable

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
KINDS: tuple[Kind, ...] = ("real", "positive", "nonnegative", "unit", "distribution")
PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)  # the sizes at which is traced: pairwise different
MANY, LONG = 30_000_000, 1009  # at large sizes: entries of a tensor with all axes, at most; size of an axis, at most
LARGEST = 64  # of a size that is given

Dims = tuple[tuple[str, ...], ...]
"""The axes of each dimension of a tensor: () for a dimension of 1, several where they are merged, slowest first."""


def extent(dim: Sequence[str], sizes: Mapping[str, int]) -> int:
    """The size of a dimension; an axis whose name is a number has that size."""
    return prod(sizes[axis] if axis in sizes else int(axis) for axis in dim)


class DeclarationError(ValueError):
    """A declaration that has no meaning, or that the function does not fit; the message says why and what would do."""


@dataclass(frozen=True)
class Input:
    """A tensor that the function takes.

    Attributes:
        name: its name.
        dims: its dimensions.
        kind: the domain of its entries; "label" for class indices, "mask" for booleans.
        into: of a label, the axis that it points into; of a distribution, the axis along which it sums to 1.
        ignored: of a label, the number that stands for "none of them"; None if there is none.
        constant: whether no derivative by it is asked for.
    """

    name: str
    dims: Dims
    kind: Kind | Literal["mask"] = "real"
    into: str = ""
    ignored: int | None = None
    constant: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """All its axes, in order."""
        return tuple(axis for dim in self.dims for axis in dim)

    @property
    def is_floating(self) -> bool:
        """Whether its entries are real numbers."""
        return self.kind not in ("label", "mask")

    @property
    def is_differentiated(self) -> bool:
        """Whether a derivative by it is asked for: the entries of a distribution cannot vary one by one."""
        return self.is_floating and self.kind != "distribution" and not self.constant

    @property
    def variable(self) -> Variable:
        """Its entries, as a variable of the language; of a mask the number that is positive where it is true."""
        if self.kind == "mask":
            return Variable(self.name, self.axes)
        return Variable(self.name, self.axes, self.kind, self.into)

    def shape(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """Its shape at given sizes."""
        return tuple(extent(dim, sizes) for dim in self.dims)

    def __str__(self) -> str:
        dims = " x ".join("*".join(dim) or "1" for dim in self.dims)
        match self.kind:
            case "label":
                each = f" for each {dims}" if dims else ""
                return f"label into {self.into}{each}" + ("" if self.ignored is None else f", or {self.ignored}")
            case "mask":
                return f"mask over {dims}" if dims else "mask"
        words = "scalar" if not dims else f"vector over {dims}" if len(self.dims) == 1 else dims
        kind = "" if self.kind == "real" else f"{self.kind} "
        return f"{kind}{words}" + (", constant" if self.constant else "")


@dataclass(frozen=True)
class Declared:
    """All that a function takes.

    Attributes:
        inputs: the tensors, in order.
        numbers: numbers, by name.
        given: the sizes that are given, by axis.
        axes: the axes whose sizes are free, in order of appearance.
    """

    inputs: tuple[Input, ...]
    numbers: dict[str, int | float]
    given: dict[str, int]
    axes: tuple[str, ...]

    def traced_sizes(self, choice: int = 0) -> dict[str, int]:
        """Pairwise different sizes at which the function is traced.

        Args:
            choice: 0 for small ones in increasing order; 1 for others in decreasing order, where min(n, K) is another
                one; 2 for large ones, beyond what code treats apart.
        """
        taken, count = set(self.given.values()), len(self.axes)
        primes = [p for p in PRIMES if p not in taken]
        if count + 2 > len(primes):
            raise DeclarationError(f"{count} axes: at most {len(primes) - 2} free sizes can be told apart")
        if choice == 1:
            primes = primes[2 : count + 2][::-1]
        elif choice == 2 and count:
            most = min(LONG, int(MANY ** (1 / count)))
            primes = [p for p in range(most, 1, -1) if all(p % q for q in range(2, isqrt(p) + 1))]
        return {**self.given, **dict(zip(self.axes, primes, strict=False))}


def read_inputs(text: str) -> Declared:
    """Declarations from text; see the head of this module.

    Raises:
        DeclarationError: the text has no meaning.
    """
    inputs: list[Input] = []
    numbers: dict[str, int | float] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, sign, rest = _split(part)
        if name in numbers or any(one.name == name for one in inputs):
            raise DeclarationError(f"{name} is declared twice")
        if sign == "=":
            numbers[name] = _number(name, rest)
        else:
            inputs.append(_input(name, rest.split(), part))
    if not inputs:
        raise DeclarationError("no tensor is declared: write 'scores: n,K; targets: label n of K'")
    used = tuple(dict.fromkeys(axis for one in inputs for axis in (*one.axes, *([one.into] if one.into else []))))
    given = {axis: int(axis) for axis in used if axis.isdigit()}
    for name in [name for name in numbers if name in used]:
        size = numbers.pop(name)
        if not isinstance(size, int) or not 2 <= size <= LARGEST:
            raise DeclarationError(f"{name} = {size}: a size is a whole number from 2 to {LARGEST}")
        given[name] = size
    if not any(one.is_differentiated for one in inputs):
        raise DeclarationError(
            "nothing to differentiate by: every input is a label, a mask, a distribution or constant"
        )
    return Declared(tuple(inputs), numbers, given, tuple(axis for axis in used if axis not in given))


def _split(part: str) -> tuple[str, str, str]:
    found = re.fullmatch(rf"({NAME.pattern})\s*([:=])\s*(.*)", part, re.DOTALL)
    if found is None:
        raise DeclarationError(
            f"{part!r} is no declaration: write 'name: axes', 'name: label axes of axis' or 'name = 2'"
        )
    return found[1], found[2], found[3]


def _number(name: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise DeclarationError(f"{name} = {text}: this is no number") from None


def _input(name: str, words: list[str], part: str) -> Input:
    constant = "constant" in words
    words = [word for word in " ".join(words).replace(", ", ",").replace(" ,", ",").split() if word != "constant"]
    match words:
        case ["label", *axes, "of", into, "or", ignored] if len(axes) <= 1 and re.fullmatch(r"-?\d+", ignored):
            return Input(name, _dims(axes, part), "label", _axis(into, part), int(ignored))
        case ["label", *axes, "of", into] if len(axes) <= 1:
            return Input(name, _dims(axes, part), "label", _axis(into, part))
        case ["mask", *axes] if len(axes) <= 1:
            return Input(name, _dims(axes, part), "mask")
    axes, kind, along = words[:1], "real", ""
    rest = words[1:]
    if words and words[0] in KINDS:
        axes, rest = [], words
    match rest:
        case ["distribution", *over]:
            dims = _dims(axes, part)
            along = over[1] if len(over) == 2 and over[0] == "over" else (dims[-1][-1] if dims and dims[-1] else "")
            if (over and (len(over) != 2 or over[0] != "over")) or along not in [axis for dim in dims for axis in dim]:
                raise DeclarationError(
                    f"{part!r}: a distribution is over one of its axes: 't: n,K distribution over K'"
                )
            return Input(name, dims, "distribution", along)
        case [one] if one in KINDS:
            kind = one
        case []:
            pass
        case _:
            raise DeclarationError(
                f"{part!r} is no declaration: after the axes stands one of {', '.join(KINDS)}; class indices are "
                "'targets: label n of K', booleans 'padding: mask n,K'"
            )
    return Input(name, _dims(axes, part), kind, "", None, constant)  # type: ignore[arg-type]


def _dims(axes: list[str], part: str) -> Dims:
    if not axes or axes == ["scalar"]:
        return ()
    dims = []
    for dim in axes[0].split(","):
        factors = [_axis(axis, part) for axis in dim.split("*")]
        dims.append(tuple(axis for axis in factors if axis != "1"))
    return tuple(dims)


def _axis(text: str, part: str) -> str:
    if NAME.fullmatch(text) or (text.isdigit() and 1 <= int(text) <= LARGEST):
        return text
    raise DeclarationError(f"{part!r}: {text!r} is no axis: a name, or a size up to {LARGEST}")
