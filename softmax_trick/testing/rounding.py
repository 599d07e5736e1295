r"""How far rounding may lead a right implementation of a formula away from its value: a bound for each entry.

    B = sum over nodes of |d out / d node| (u r(node) + eta + s(node))

u is the unit roundoff of the dtype, eta its smallest subnormal number, r how many units a node may be off by itself:

    arithmetic      |v|;   exp, log, tanh, sqrt, power 2 |v|;   softplus 3 |v|;   sigmoid 5 |v|;   in half types |v|
    sum of g terms  g sum |terms|, in half types, which accumulate in float32, sum |terms|
    lse             |lse| + 2 (lse - max) + sum y (max - x) + 3 + g, where y is the softmax
    x - lse         3 |x - lse|: what a stored lse was rounded by, and the exponent
    a constant      |v|, unless the dtype has it

The numbers of units were measured against Arb, over 100,000 points for each function of torch, and rounded up. s is of
second order: e^2/2 |f''| at a node whose arguments are off by e, as a forward running error says, and the whole step
where e reaches a kink. Where such an expansion says nothing, as at an exponent that is off by more than 1/4, s is
infinite, and so is B: such an entry is not judged. One reverse pass gives B for an entry; for entries beyond the first
few of a long row the running error is taken, which is never less.

The half types differ: a kernel may compute in float32 and round once, or round every intermediate. `strict` is a bound
for the first, the same formula with the u of float32 and one rounding of the result; the other is for the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.special import expit

from softmax_trick.testing.graph import OPERATIONS, Floats, Groups, Node, Places, reachable

LARGEST_EXPONENT = 0.25  # an exponential whose exponent may be off by more is not judged
AT_ONCE = 2**22  # numbers of one array of derivatives that are kept at a time


@dataclass(frozen=True)
class Precision:
    """A floating-point format, and how it is used.

    Attributes:
        u: its unit roundoff.
        eta: its smallest subnormal number.
        largest: its largest number.
        bits: of its significand.
        half: whether sums accumulate in float32 and functions are right to one rounding.
        complement: whether a sigmoid may be 1 minus that of the opposite number, as second derivatives have it.
    """

    u: float
    eta: float
    largest: float
    bits: int
    half: bool = False
    complement: bool = False

    def holds(self, value: Fraction) -> bool:
        """Whether the format has this number."""
        odd = value.numerator & -value.numerator if value else 1
        power_of_two = value.denominator & (value.denominator - 1) == 0
        return power_of_two and (value.numerator // odd).bit_length() <= self.bits


FLOAT64 = Precision(2.0**-53, 2.0**-1074, 1.7976931348623157e308, 53)
FLOAT32 = Precision(2.0**-24, 2.0**-149, 3.4028234663852886e38, 24)
BFLOAT16 = Precision(2.0**-8, 2.0**-133, 3.3895313892515355e38, 8, half=True)
FLOAT16 = Precision(2.0**-11, 2.0**-24, 65504.0, 11, half=True)


class _OnFloats:
    """The functions of `graph.Functions` on arrays of float64."""

    @staticmethod
    def function(name: str, argument: Any) -> Any:
        return FUNCTIONS[name](argument)

    @staticmethod
    def power(base: Any, exponent: Fraction) -> Any:
        return np.power(base, float(exponent))


def times(left: Any, right: Any) -> Any:
    """A product in which 0 times anything is 0."""
    product = left * right
    if np.isnan(product).any():
        product = np.where((left == 0) | (right == 0), 0.0, product)
    return product


FUNCTIONS: Mapping[str, Any] = {
    "add": np.add,
    "subtract": np.subtract,
    "log_probability": np.subtract,
    "multiply": times,
    "divide": np.divide,
    "negative": np.negative,
    "square": np.square,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "sigmoid": expit,
    "softplus": lambda a: np.logaddexp(0, a),
    "step": lambda a: (a > 0).astype(np.float64),
    "relu": lambda a: np.maximum(a, 0),
    "abs": np.abs,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "is_largest": lambda a, top: (a == top).astype(np.float64),
}


class Rounding:
    """The nodes that some outputs are computed from, in float64, and bounds on what rounding does to the outputs."""

    def __init__(self, outputs: Sequence[Node]) -> None:
        self._nodes = reachable(outputs)
        self._values: dict[int, Floats] = {}
        with np.errstate(all="ignore"):
            for node in self._nodes:
                self._values[node.serial] = self._forward(node)

    def value(self, node: Node) -> Floats:
        """The value of a node in float64."""
        return self._values[node.serial]

    def bound(self, output: Node, precision: Precision, entries: Places) -> Floats:
        """How far each entry of an output may be off: B for some; the running error, which is larger, for all others.

        Infinite where nothing is said.
        """
        with np.errstate(all="ignore"):
            own, running = self._forward_errors(precision)
            allowed = running[output.serial].copy()
            step = max(1, AT_ONCE // max(1, *(node.size for node in self._nodes)))
            for start in range(0, len(entries), step):
                chosen = entries[start : start + step]
                allowed[chosen] = np.fmin(self._weighed(output, chosen, own)[0], allowed[chosen])
        return np.where(np.isnan(allowed), np.inf, allowed)

    def parts(self, output: Node, precision: Precision, entry: int) -> tuple[tuple[Node, float], ...]:
        """The nodes whose rounding contributes most to an entry, with what they contribute."""
        with np.errstate(all="ignore"):
            own, _ = self._forward_errors(precision)
            _, by_node = self._weighed(output, np.array([entry]), own)
        largest = sorted(by_node.items(), key=lambda pair: -pair[1])[:3]
        nodes = {node.serial: node for node in self._nodes}
        return tuple((nodes[serial], part) for serial, part in largest if part > 0)

    # --- values ---

    def _arguments(self, node: Node) -> tuple[Floats, ...]:
        return tuple(self._values[one.serial] for one in node.arguments)

    def _forward(self, node: Node) -> Floats:
        arguments = self._arguments(node)
        match node.operation:
            case "leaf":
                return np.array([float(node.data)]) if isinstance(node.data, Fraction) else node.data
            case "take":
                return _taken(arguments[0], node.data)
            case "collect":
                return node.data.sum(arguments[0])
            case "lse":
                return _lse(arguments[0], node.data)
            case "largest":
                return node.data.reduced(np.maximum, arguments[0], -np.inf)
            case "power":
                return np.power(arguments[0], float(node.data))
        return np.asarray(FUNCTIONS[node.operation](*arguments), dtype=np.float64)

    # --- errors, forward ---

    def _forward_errors(self, precision: Precision) -> tuple[dict[int, Floats], dict[int, Floats]]:
        """What each node adds, u r + eta + s, and the running errors."""
        own: dict[int, Floats] = {}
        running: dict[int, Floats] = {}
        for node in self._nodes:
            errors = [running[one.serial] for one in node.arguments]
            added = self._rounded(node, precision) + self._second_order(node, errors)
            own[node.serial] = added
            running[node.serial] = added + self._passed_on(node, errors)
        return own, running

    def _rounded(self, node: Node, precision: Precision) -> Floats:
        """u r + eta."""
        value, u = self._values[node.serial], precision.u
        match node.operation:
            case "leaf":
                inexact = isinstance(node.data, Fraction) and not precision.holds(node.data)
                return u * np.abs(value) if inexact else np.zeros(node.size)
            case "take" | "largest":
                return np.zeros(node.size)
            case "collect":
                sizes = node.data.sizes
                terms = np.where(sizes > 1, 1.0 if precision.half else sizes, 0.0)
                return u * times(terms, node.data.sum(np.abs(self._arguments(node)[0])))
            case "lse":
                return u * self._lse_roundings(node, precision)
            case _:
                roundings = OPERATIONS[node.operation].roundings
                if precision.half:
                    roundings = min(roundings, 1)
                if node.operation == "sigmoid" and precision.complement:
                    value = np.maximum(value, 1 - value)
                return np.where(
                    np.isfinite(value), roundings * u * np.abs(value) + bool(roundings) * precision.eta, 0.0
                )

    def _lse_roundings(self, node: Node, precision: Precision) -> Floats:
        x, value, groups = self._arguments(node)[0], self._values[node.serial], node.data
        top = groups.reduced(np.maximum, x, -np.inf)
        below = times(_softmax(x, value, groups), _taken(top, groups.of) - x)
        terms = 1.0 if precision.half else groups.sizes
        found = np.abs(value) + 2 * (value - top) + groups.sum(below) + 3 + terms
        return np.where(np.isfinite(value), found, 0.0)

    def _second_order(self, node: Node, errors: list[Floats]) -> Floats:
        """What first order leaves out where the arguments are off by so much; infinite where too much for a series."""
        value, arguments, zero = self._values[node.serial], self._arguments(node), np.zeros(node.size)
        if node.operation in ("leaf", "take", "collect", "largest") or not any(map(np.any, errors)):
            return np.where(_overflowed(value, arguments), np.inf, zero) if node.operation == "exp" else zero
        a, e = arguments[0], errors[0]
        match node.operation:
            case "lse":
                square = node.data.sum(times(_softmax(a, value, node.data), np.square(e)))
                return np.minimum(square, node.data.reduced(np.maximum, e))  # it changes by no more than the scores
            case "multiply":
                found = times(errors[0], errors[1])
            case "divide":
                b, f = arguments[1], errors[1]
                found = times(e, f) / np.square(b) + times(np.abs(value), np.square(f / b))
                found = np.where(2 * f > np.abs(b), np.inf, 2 * found)
            case "square":
                found = np.square(e)
            case "exp" | "expm1" | "sinh" | "cosh":
                size = np.abs(value) + (node.operation != "exp")
                # Where it underflows by far, it does so however far the exponent is off.
                found = np.where(e > LARGEST_EXPONENT, np.where(a + e < -1500, 0, np.inf), times(size, np.square(e)))
            case "log":
                found = np.where(2 * e > a, np.inf, np.square(e / a))
            case "log1p":
                found = np.where(2 * e > 1 + a, np.inf, np.square(e / (1 + a)))
            case "sqrt" | "power":
                exponent = 0.5 if node.operation == "sqrt" else float(node.data)
                found = _power_second_order(a, e, exponent)
            case "tanh" | "sigmoid" | "softplus":
                found = np.minimum(np.square(e), e)
            case "step":
                found = np.where((np.abs(a) <= e) & (e > 0), 1.0, 0.0)
            case "relu" | "abs":
                found = np.where(np.abs(a) <= e, 2 * e, 0.0)
            case "maximum" | "minimum":
                apart = np.abs(arguments[0] - arguments[1])
                found = np.where(apart <= errors[0] + errors[1], 2 * (errors[0] + errors[1]), 0.0)
            case "is_largest":
                near = arguments[1] - a <= e + errors[1]
                shared = node.data.sum(near.astype(np.float64))[node.data.of] > 1
                found = np.where(near & shared & (e + errors[1] > 0), 1.0, 0.0)
            case _:
                found = zero
        found = np.broadcast_to(found, (node.size,))
        return np.where(np.isnan(found), np.inf, found)

    def _passed_on(self, node: Node, errors: list[Floats]) -> Floats:
        """The errors of the arguments, as far as first order carries them."""
        match node.operation:
            case "leaf":
                return np.zeros(node.size)
            case "take":
                return _taken(errors[0], node.data)
            case "collect":
                return node.data.sum(errors[0])
            case "lse":
                y = _softmax(self._arguments(node)[0], self._values[node.serial], node.data)
                return node.data.sum(times(y, errors[0]))
            case "largest":
                return node.data.reduced(np.maximum, errors[0])
        found = np.zeros(node.size)
        for partial, error in zip(self._partials(node), errors, strict=True):
            if partial is not None:
                found = found + times(np.abs(partial), error)
        return found

    def _partials(self, node: Node) -> list[Floats | None]:
        value, arguments = self._values[node.serial], self._arguments(node)
        partials = OPERATIONS[node.operation].partials(_OnFloats, node.data, value, arguments)
        return [None if one is None else np.asarray(one, dtype=np.float64) for one in partials]

    # --- errors, backward ---

    def _weighed(self, output: Node, entries: Places, own: Mapping[int, Floats]) -> tuple[Floats, dict[int, float]]:
        """B of some entries; and the part of each node in that of the first."""
        seed = np.zeros((len(entries), output.size))
        seed[np.arange(len(entries)), entries] = 1
        derivatives = {output.serial: seed}
        found, by_node = np.zeros(len(entries)), {}
        for node in reversed(self._nodes):
            derivative = derivatives.pop(node.serial, None)
            if derivative is None:
                continue
            if own[node.serial].any():
                part = times(np.abs(derivative), own[node.serial]).sum(-1)
                found, by_node[node.serial] = found + part, float(part[0])
            for argument, sent in zip(node.arguments, self._sent_back(node, derivative), strict=True):
                if sent is None or (argument.operation == "leaf" and not isinstance(argument.data, Fraction)):
                    continue
                if argument.size == 1 != sent.shape[-1]:
                    sent = sent.sum(-1, keepdims=True)
                known = derivatives.get(argument.serial)
                derivatives[argument.serial] = sent if known is None else known + sent
        return found, by_node

    def _sent_back(self, node: Node, derivative: Floats) -> Sequence[Floats | None]:
        match node.operation:
            case "leaf":
                return ()
            case "take":
                return (Groups(node.data, node.arguments[0].size).sum(derivative),)
            case "collect":
                return (_taken(derivative, node.data.of),)
            case "lse":
                y = _softmax(self._arguments(node)[0], self._values[node.serial], node.data)
                return (times(_taken(derivative, node.data.of), y),)
            case "largest":
                x, top = self._arguments(node)[0], self._values[node.serial]
                return (times(_taken(derivative, node.data.of), (x == _taken(top, node.data.of)).astype(np.float64)),)
        return [None if partial is None else times(derivative, partial) for partial in self._partials(node)]


def strict(bound: Floats, value: Floats, precision: Precision) -> Floats:
    """The bound for a half type where everything is computed in float32, and the result rounded once.

    Args:
        bound: that for float32.
        value: the right values.
        precision: the half type.
    """
    return precision.u * np.abs(value) + precision.eta + (1 + precision.u) * bound


def _taken(values: Floats, places: Places) -> Floats:
    if (places >= 0).all():
        return values[..., places]
    padded = np.concatenate([values, np.zeros((*values.shape[:-1], 1))], axis=-1)
    return np.asarray(padded[..., places])


def _lse(x: Floats, groups: Groups) -> Floats:
    top = groups.reduced(np.maximum, x, -np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    return np.asarray(top + np.log(groups.sum(np.exp(x - _taken(top, groups.of)))))


def _softmax(x: Floats, value: Floats, groups: Groups) -> Floats:
    return np.asarray(np.exp(x - _taken(value, groups.of)))


def _overflowed(value: Floats, arguments: Sequence[Floats]) -> Any:
    return ~np.isfinite(value) & np.all([np.isfinite(one) for one in arguments], axis=0)


def _power_second_order(a: Floats, e: Floats, p: float) -> Floats:
    """How much a**p may change beyond first order; near 0, where it has no series, all of the change."""
    if p == int(p) and p >= 2:
        return np.asarray(p * (p - 1) / 2 * np.power(np.abs(a) + e, p - 2) * np.square(e))
    near = 2 * e > np.abs(a)
    series = abs(p * (p - 1)) * 2 ** abs(p) * times(np.power(np.abs(a), p - 2), np.square(e))
    whole = np.power(np.abs(a) + e, p) if p > 0 else np.full_like(a, np.inf)
    return np.where(near, np.where(e > 0, whole, 0.0), series)
