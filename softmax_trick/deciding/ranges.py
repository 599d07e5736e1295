"""Between which numbers the entries of an expression lie, for all values of its variables: enough to know signs.

Intervals are propagated through the tree, with the facts that hold for whole vectors (a SoftMax lies in (0, 1]). What
is said is true wherever the expression is defined; that an interval is the smallest one is not said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add, mul, neg, sub, truediv

from softmax_trick.language import expression as ex

End = Fraction | None  # None is infinite


@dataclass(frozen=True)
class Range:
    """An interval.

    Attributes:
        low: its lower end, None for -infinity.
        high: its upper end, None for infinity.
        low_open: whether the lower end itself is left out; so at infinity.
        high_open: the same of the upper end.
    """

    low: End = None
    high: End = None
    low_open: bool = True
    high_open: bool = True

    @property
    def positive(self) -> bool:
        """Whether all of it is above 0."""
        return self.low is not None and (self.low > 0 or (self.low == 0 and self.low_open))

    @property
    def nonnegative(self) -> bool:
        """Whether none of it is below 0."""
        return self.low is not None and self.low >= 0

    @property
    def negative(self) -> bool:
        """Whether all of it is below 0."""
        return (-self).positive

    def __neg__(self) -> Range:
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Range(low, high, self.high_open, self.low_open)

    def __add__(self, other: Range) -> Range:
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        return Range(low, high, self.low_open or other.low_open, self.high_open or other.high_open)

    def __mul__(self, other: Range) -> Range:
        if not self.nonnegative and (-self).nonnegative:
            return -(-self * other)
        if not other.nonnegative and (-other).nonnegative:
            return -(self * -other)
        if not (self.nonnegative and other.nonnegative):
            return self._hull(other)
        low, low_open = _times(self.low, self.low_open, other.low, other.low_open)
        high, high_open = _times(self.high, self.high_open, other.high, other.high_open)
        return Range(low, high, low_open, high_open)

    def _hull(self, other: Range) -> Range:
        """Of a product: closed hull of the products of the ends, where all four are finite."""
        ends = (self.low, self.high, other.low, other.high)
        if any(end is None for end in ends):
            return Range()
        products = [a * b for a in ends[:2] for b in ends[2:] if a is not None and b is not None]
        return Range(min(products), max(products), False, False)

    def inverse(self) -> Range:
        """1 / u, where u has one sign."""
        if self.negative:
            return -((-self).inverse())
        if not self.positive:
            return Range()
        low = Fraction(0) if self.high is None else 1 / self.high
        high = None if self.low == 0 or self.low is None else 1 / self.low
        return Range(low, high, self.high_open, self.low_open)

    def joined(self, other: Range) -> Range:
        """The smallest interval that contains both."""
        low, low_open = _lower(self, other)
        high, high_open = _lower(-self, -other)
        return Range(low, None if high is None else -high, low_open, high_open)


def _lower(left: Range, right: Range) -> tuple[End, bool]:
    """The lower one of two lower ends, and whether it is left out."""
    if left.low is None or right.low is None:
        return None, True
    if left.low == right.low:
        return left.low, left.low_open and right.low_open
    return (left.low, left.low_open) if left.low < right.low else (right.low, right.low_open)


def _times(a: End, a_open: bool, b: End, b_open: bool) -> tuple[End, bool]:
    """An end of a product of nonnegative intervals, and whether it is left out."""
    if a is None or b is None:
        return None, True
    return a * b, (a_open or b_open) and not (a * b == 0 and ((a == 0 and not a_open) or (b == 0 and not b_open)))


ANYTHING = Range()
POSITIVE = Range(Fraction(0))
NONNEGATIVE = Range(Fraction(0), low_open=False)
UNIT = Range(Fraction(0), Fraction(1), False, False)
INNER = Range(Fraction(0), Fraction(1))
SOFT = Range(Fraction(0), Fraction(1), True, False)  # a SoftMax of one class is 1
AT_LEAST_ONE = Range(Fraction(1), low_open=False)


ARITHMETIC: dict[str, Callable[..., Fraction]] = {
    "negative": neg,
    "add": add,
    "subtract": sub,
    "multiply": mul,
    "divide": truediv,
}


def _point(value: Fraction) -> Range:
    return Range(value, value, False, False)


def range_of(node: ex.Expression) -> Range:
    """Between which numbers the entries lie, wherever they are defined."""
    match node:
        case ex.Number(value):
            return _point(value)
        case ex.Size():
            return AT_LEAST_ONE
        case ex.Variable():
            return {"positive": POSITIVE, "nonnegative": NONNEGATIVE, "unit": UNIT, "distribution": UNIT}.get(
                node.kind, ANYTHING
            )
        case ex.OneHot() | ex.Identity() | ex.Delta():
            return UNIT
        case ex.Diag(argument):
            return range_of(argument).joined(_point(Fraction(0)))
        case ex.Transpose(argument) | ex.Diagonal(argument) | ex.Spread(argument, _, _):
            return range_of(argument)
        case ex.Pick(argument, _) | ex.Entry(argument, _):
            return range_of(argument)
        case ex.Comprehension(_, body):
            return range_of(body)
        case ex.Definition(_, meaning):
            return range_of(meaning)
        case ex.Outer(left, right):
            return range_of(left) * range_of(right)
        case ex.MatMul(left, right):
            return _total(range_of(left) * range_of(right))
        case ex.Apply():
            return _entrywise(node)
        case ex.Call():
            return _named(node)
        case _:
            return ANYTHING


def _total(term: Range) -> Range:
    """A sum of at least one term."""
    if term.positive:
        return POSITIVE
    if term.nonnegative:
        return NONNEGATIVE
    return -_total(-term) if term.high is not None and term.high <= 0 else ANYTHING


def _entrywise(node: ex.Apply) -> Range:
    u, *more = (range_of(argument) for argument in node.arguments)
    match node.function:
        case "add":
            return u + more[0]
        case "subtract":
            return u + -more[0]
        case "negative":
            return -u
        case "multiply":
            return _square(u) if node.arguments[0] == node.arguments[1] else u * more[0]
        case "divide":
            return u * more[0].inverse()
        case "square":
            return _square(u)
        case "power":
            return _power(u, node.arguments[1])
        case "sqrt":
            return POSITIVE if u.positive else NONNEGATIVE
        case "exp":
            if u.nonnegative:
                return AT_LEAST_ONE
            return SOFT if u.high is not None and u.high <= 0 else POSITIVE
        case "log":
            if u.low is not None and u.low >= 1:
                return NONNEGATIVE
            return -NONNEGATIVE if u.high is not None and u.high <= 1 else ANYTHING
        case "sigmoid":
            return INNER
        case "normal_cdf":
            return INNER
        case "softplus" | "normal_pdf":
            return POSITIVE
        case "log_sigmoid":
            return -POSITIVE
        case "tanh" | "erf":
            return Range(Fraction(-1), Fraction(1))
        case "cosh":
            return AT_LEAST_ONE
        case "expm1":
            return Range(Fraction(-1))
        case "relu" | "abs":
            return POSITIVE if u.positive else NONNEGATIVE
        case "step" | "less":
            return UNIT
        case "sign":
            return Range(Fraction(-1), Fraction(1), False, False)
        case "where":
            return more[0].joined(more[1])
        case "maximum":
            return _above(u, more[0])
        case "minimum":
            return -_above(-u, -more[0])
        case "clip":
            return -_above(-_above(u, more[0]), -more[1])
        case _:
            return ANYTHING


def _above(left: Range, right: Range) -> Range:
    """The larger of two numbers."""
    lows = [(one.low, one.low_open) for one in (left, right) if one.low is not None]
    low = max((end for end, _ in lows), default=None)
    low_open = low is None or any(is_open for end, is_open in lows if end == low)
    if left.high is None or right.high is None:
        return Range(low, None, low_open)
    high = max(left.high, right.high)
    return Range(low, high, low_open, all(one.high_open for one in (left, right) if one.high == high))


def _square(u: Range) -> Range:
    if u.nonnegative:
        return u * u
    if u.negative:
        return -u * -u
    if u.low is None or u.high is None:
        return NONNEGATIVE
    ends = sorted([(abs(u.low), u.low_open), (abs(u.high), u.high_open)])
    is_open = ends[1][1] and (ends[0][1] or ends[0][0] != ends[1][0])
    return Range(Fraction(0), ends[1][0] ** 2, False, is_open)


def constant_of(node: ex.Expression) -> Fraction | None:
    """The rational number that an expression without variables and sizes is; None for all others."""
    match node:
        case ex.Number(value):
            return value
        case ex.Definition(_, meaning):
            return constant_of(meaning)
        case ex.Apply(function, arguments) if function in ARITHMETIC:
            values = [constant_of(argument) for argument in arguments]
            known = [value for value in values if value is not None]
            if len(known) < len(values) or (function == "divide" and not known[1]):
                return None
            return ARITHMETIC[function](*known)
    return None


def _power(base: Range, exponent: ex.Expression) -> Range:
    value = constant_of(exponent)
    if value is None:
        return POSITIVE  # of a positive base, as that power asks for
    if value.denominator == 1 and value > 0 and value <= 64:
        if value % 2 == 0:
            return reduce(lambda a, b: a * b, [_square(base)] * (int(value) // 2))
        return reduce(lambda a, b: a * b, [base] * int(value)) if base.nonnegative else ANYTHING
    if base.positive or (value.denominator == 1 and value < 0 and value % 2 == 0):
        return POSITIVE
    return NONNEGATIVE if base.nonnegative or value.denominator != 1 else ANYTHING


def _named(node: ex.Call) -> Range:
    u, *more = (range_of(argument) for argument in node.arguments)
    match node.function:
        case "sum":
            return _total(u)
        case "trace":
            return _total(u)
        case "mean" | "max" | "min":
            return u
        case "softmax":
            slack = more[0] if more else _point(Fraction(0))
            return ANYTHING if not slack.nonnegative else (INNER if slack.positive else SOFT)
        case "log_softmax":
            return -NONNEGATIVE
        case "norm":
            return POSITIVE if u.positive or u.negative else NONNEGATIVE
        case "dot":
            return _total(_square(u) if node.arguments[0] == node.arguments[1] else u * more[0])
        case "ce" | "entropy":
            probability = more[0] if more else u
            return NONNEGATIVE if u.nonnegative and probability.high is not None and probability.high <= 1 else ANYTHING
        case "softce":
            return NONNEGATIVE if u.nonnegative else ANYTHING
        case _:
            return ANYTHING
