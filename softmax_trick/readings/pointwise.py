"""An expression at a point: sizes, indices and values are given, derivatives are nested dual numbers.

`Pointwise(field, point)` is an algebra of `softmax_trick.language.interpreter` over any field of scalars that has exp
and log: balls of Arb, residues. A value is a scalar or a `Dual`, a value together with its derivatives by the entries
of one variable. Derivatives may be nested: the values and slopes of a dual number are scalars or duals of a lower
level, and the level, how many derivatives are under way outside, tells their perturbations apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Generic, Protocol, TypeVar

from softmax_trick.language.expression import Index, LanguageError, Numbered, Variable, size_of

Scalar = TypeVar("Scalar")
Positions = tuple[int, ...]


class Undefined(ArithmeticError):
    """The expression has no value at the point."""


class Unclear(Undefined):
    """Whether the expression has a value at the point is not clear: at this precision, or in this model."""


@dataclass(frozen=True)
class Point:
    """Where an expression is evaluated.

    Attributes:
        sizes: the size of every axis, by its name without primes.
        values: the entries of every variable, by name, as nested lists in the order of its axes (a scalar: the entry
            itself); those of labels are positions, from 1.
        indices: the position, from 1, of every index that is free in the statement, by name.
    """

    sizes: Mapping[str, int]
    values: Mapping[str, Any] = field(default_factory=dict)
    indices: Mapping[str, int] = field(default_factory=dict)

    def size(self, name: str) -> int:
        """The size of an axis.

        Raises:
            LanguageError: it is not given.
        """
        if name not in self.sizes:
            raise LanguageError(f"no size is given for {name}")
        return self.sizes[name]

    def value(self, variable: Variable, positions: Positions) -> Any:
        """An entry of a variable.

        Raises:
            LanguageError: it is not given.
        """
        if variable.name not in self.values:
            raise LanguageError(f"no value is given for {variable.name}")
        entry = self.values[variable.name]
        for position in positions:
            entry = entry[position - 1]
        return entry

    def position(self, term: Index | Numbered) -> int:
        """The position of a free or numbered index.

        Raises:
            Undefined: the axis is too small for a numbered index.
            LanguageError: it is not given.
        """
        if isinstance(term, Numbered):
            if term.value > self.size(term.axis.rstrip("'")):
                raise Undefined(f"there is no entry {term.value} along {term.axis}")
            return term.value
        if term.name not in self.indices:
            raise LanguageError(f"no position is given for the index {term.name}")
        return self.indices[term.name]


def any_value(variable: Variable, sizes: Mapping[str, int], number: Fraction = Fraction(1)) -> Any:
    """A value in the domain of a variable: a positive number in every entry, or what adds up to 1; the first class."""
    value: Any = number
    match variable.kind:
        case "label":
            value = 1
        case "distribution":
            value = Fraction(1, sizes.get(size_of(variable.along), 1))
        case "unit":
            value = min(number, Fraction(1))
    for axis in reversed(variable.axes):
        value = [value] * sizes.get(size_of(axis), 1)
    return value


class Field(Protocol[Scalar]):
    """Scalars with exp and log. Every method raises `Undefined` where there is no value."""

    def number(self, value: Fraction) -> Scalar:
        """A rational number."""

    def given(self, value: Any) -> Scalar:
        """The value of a variable's entry; it never counts as a constant."""

    def constant(self, value: Scalar) -> Fraction | None:
        """The rational number that the scalar is known to be, whatever the point; None for all others."""

    def add(self, left: Scalar, right: Scalar) -> Scalar:
        """left + right."""

    def multiply(self, left: Scalar, right: Scalar) -> Scalar:
        """left * right."""

    def power(self, base: Scalar, exponent: Scalar) -> Scalar:
        """base ** exponent: of a positive base, unless the exponent is a constant integer, or 1/2."""

    def exp(self, value: Scalar) -> Scalar:
        """The exponential."""

    def log(self, value: Scalar) -> Scalar:
        """The logarithm of a positive scalar."""

    def normal_cdf(self, value: Scalar) -> Scalar:
        """The standard normal distribution function."""

    def normal_pdf(self, value: Scalar) -> Scalar:
        """Its derivative."""

    def step(self, value: Scalar) -> Scalar:
        """1 for a positive scalar, 0 for a negative one."""

    def vanishes(self, value: Scalar) -> bool:
        """Whether the scalar is 0, exactly."""

    def largest(self, values: list[Scalar]) -> Scalar:
        """The largest of some scalars."""

    def place_of_largest(self, values: list[Scalar]) -> int:
        """Where the largest is; `Undefined` if it is not the only one."""


@dataclass(frozen=True, slots=True)
class Dual(Generic[Scalar]):
    """A value with its derivatives by the entries of one variable; entries that are missing have derivative 0."""

    level: int
    value: Scalar | Dual[Scalar]
    slopes: dict[Positions, Scalar | Dual[Scalar]]


def _level(value: Any) -> int:
    return value.level if type(value) is Dual else -1


class Pointwise(Generic[Scalar]):
    """The algebra of values at a point.

    Args:
        scalars: the field of scalars.
        point: sizes, values and indices.
    """

    def __init__(self, scalars: Field[Scalar], point: Point) -> None:
        self._field, self._point = scalars, point
        self._given: dict[tuple[str, Positions], Scalar] = {}
        self._zero, self._one = scalars.number(Fraction(0)), scalars.number(Fraction(1))
        # Continuous where their pieces meet: u step(u) is 0 at u = 0, whatever the step is.
        self.own: Mapping[str, Callable[..., Any]] = {
            "relu": self._positive_part,
            "abs": lambda u: self.add(self._positive_part(u), self._positive_part(self._negative(u))),
            "maximum": lambda u, v: self.add(v, self._positive_part(self.add(u, self._negative(v)))),
            "minimum": lambda u, v: self.add(u, self._negative(self._positive_part(self.add(u, self._negative(v))))),
        }
        self.context: tuple[str, ...] = ()  # the variables by which derivatives are under way, from outside inwards

    def number(self, value: Fraction) -> Any:
        return self._field.number(value)

    def size(self, name: str) -> Any:
        return self._field.number(Fraction(self._point.size(name)))

    def variable(self, variable: Variable, positions: Positions) -> Any:
        key = (variable.name, positions)
        if key not in self._given:
            self._given[key] = self._field.given(self._point.value(variable, positions))
        value: Any = self._given[key]
        for level, by in enumerate(self.context):
            if by == variable.name:
                value = Dual(level, value, {positions: self._one})
        return value

    def index(self, term: Index | Numbered) -> int:
        return self._point.position(term)

    def chosen(self, label: Variable, positions: Positions) -> int:
        return self._point.value(label, positions)

    def delta(self, left: int, right: int) -> Any:
        return self._one if left == right else self._zero

    def sum(self, axis: str, term: Callable[[int], Any]) -> Any:
        total = term(1)
        for k in range(2, self._point.size(axis.rstrip("'")) + 1):
            total = self.add(total, term(k))
        return total

    def largest(self, axis: str, term: Callable[[int], Any]) -> Any:
        values = [term(k) for k in range(1, self._point.size(axis.rstrip("'")) + 1)]
        if not any(type(value) is Dual for value in values):
            return self._field.largest(values)
        return values[self._field.place_of_largest([self._plain(value) for value in values])]

    def add(self, left: Any, right: Any) -> Any:
        a, b = _level(left), _level(right)
        if a == b == -1:
            return self._field.add(left, right)
        if a > b:
            return Dual(a, self.add(left.value, right), left.slopes)
        if a < b:
            return Dual(b, self.add(left, right.value), right.slopes)
        return Dual(a, self.add(left.value, right.value), self._together(left.slopes, right.slopes))

    def multiply(self, left: Any, right: Any) -> Any:
        a, b = _level(left), _level(right)
        if a == b == -1:
            return self._field.multiply(left, right)
        if a < b:
            left, right, a, b = right, left, b, a
        if a > b:
            value = self.multiply(left.value, right)
            return Dual(a, value, self._scaled(left.slopes, right))
        value = self.multiply(left.value, right.value)
        return Dual(
            a,
            value,
            self._together(self._scaled(left.slopes, right.value), self._scaled(right.slopes, left.value)),
        )

    def power(self, base: Any, exponent: Any) -> Any:
        a, b = _level(base), _level(exponent)
        if a == b == -1:
            return self._field.power(base, exponent)
        if a > b:
            constant = self._field.constant(exponent) if b == -1 else None
            if constant == 0:
                return self._one
            if constant == 1:
                return base
            slope = self.multiply(exponent, self.power(base.value, self.add(exponent, self.number(Fraction(-1)))))
            return Dual(a, self.power(base.value, exponent), self._scaled(base.slopes, slope))
        plain = base.value if a == b else base
        value = self.power(plain, exponent.value)
        slopes = self._scaled(exponent.slopes, self.multiply(value, self.log(plain)))
        if a == b:
            inverse = self.power(plain, self.number(Fraction(-1)))
            along_base = self.multiply(value, self.multiply(exponent.value, inverse))
            slopes = self._together(slopes, self._scaled(base.slopes, along_base))
        return Dual(b, value, slopes)

    def exp(self, value: Any) -> Any:
        if type(value) is not Dual:
            return self._field.exp(value)
        result = self.exp(value.value)
        return Dual(value.level, result, self._scaled(value.slopes, result))

    def log(self, value: Any) -> Any:
        if type(value) is not Dual:
            return self._field.log(value)
        inverse = self.power(value.value, self.number(Fraction(-1)))
        return Dual(value.level, self.log(value.value), self._scaled(value.slopes, inverse))

    def normal_cdf(self, value: Any) -> Any:
        if type(value) is not Dual:
            return self._field.normal_cdf(value)
        slope = self.normal_pdf(value.value)
        return Dual(value.level, self.normal_cdf(value.value), self._scaled(value.slopes, slope))

    def normal_pdf(self, value: Any) -> Any:
        if type(value) is not Dual:
            return self._field.normal_pdf(value)
        result = self.normal_pdf(value.value)
        slope = self._negative(self.multiply(value.value, result))
        return Dual(value.level, result, self._scaled(value.slopes, slope))

    def step(self, value: Any) -> Any:
        return self._field.step(self._plain(value))

    def derivative(self, function: Callable[[], Any], by: Variable, positions: Positions) -> Any:
        outside = self.context
        self.context = (*outside, by.name)
        try:
            value = function()
        finally:
            self.context = outside
        if _level(value) < len(outside):
            return self._zero
        return value.slopes.get(positions, self._zero)

    def _negative(self, value: Any) -> Any:
        return self.multiply(self.number(Fraction(-1)), value)

    def _positive_part(self, value: Any) -> Any:
        return self._zero if self._vanishes(value) else self.multiply(value, self.step(value))

    def _vanishes(self, value: Any) -> bool:
        """Whether a value is 0, and its derivatives too."""
        if type(value) is not Dual:
            return self._field.vanishes(value)
        return self._vanishes(value.value) and all(map(self._vanishes, value.slopes.values()))

    def _plain(self, value: Any) -> Scalar:
        while type(value) is Dual:
            value = value.value
        return value

    def _scaled(self, slopes: dict[Positions, Any], factor: Any) -> dict[Positions, Any]:
        return {entry: self.multiply(slope, factor) for entry, slope in slopes.items()}

    def _together(self, left: dict[Positions, Any], right: dict[Positions, Any]) -> dict[Positions, Any]:
        merged = dict(left)
        for entry, slope in right.items():
            merged[entry] = self.add(merged[entry], slope) if entry in merged else slope
        return merged
