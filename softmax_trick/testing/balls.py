"""A graph in balls of Arb: what is right, at the exact inputs, to any precision.

0 times anything is 0, as 0 log 0 is and what a score of -inf does. A step is [0, 1] where pieces meet or nearly do, so
that a derivative there has every one-sided answer within its ball. What has no value is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from softmax_trick.testing.graph import Floats, Groups, Node, reachable

Balls = NDArray[np.object_]  # of flint.arb

PRECISIONS = (128, 512, 4096)  # bits; the last is for scores of 1e300
NAN = flint.arb("nan")
EITHER = flint.arb(0.5, 0.5)  # a step where pieces meet


def _entrywise(function: Callable[..., flint.arb], arguments: int = 1) -> Callable[..., Balls]:
    ufunc = np.frompyfunc(function, arguments, 1)

    def apply(*balls: Balls) -> Balls:
        return np.asarray(ufunc(*balls), dtype=object)

    return apply


def _multiply(a: flint.arb, b: flint.arb) -> flint.arb:
    product = a * b
    if product.is_finite():
        return product
    return flint.arb(0) if a.is_zero() or b.is_zero() else product


def _log(a: flint.arb) -> flint.arb:
    if a > 0:
        return a.log()
    return flint.arb("-inf") if a.is_zero() else NAN


def _root(a: flint.arb, root: Callable[[flint.arb], flint.arb]) -> flint.arb:
    """An increasing function of a number from 0, at a ball that may reach below by what rounding made of it."""
    if a > 0:
        return root(a)
    if a.is_zero():
        return a
    top = a.upper()
    return EITHER * root(top) if a.is_finite() and a.contains(0) and top > 0 else NAN


def _sigmoid(a: flint.arb) -> flint.arb:
    if a > 0:
        return 1 / (1 + (-a).exp())
    power = a.exp()
    return power / (1 + power)


def _softplus(a: flint.arb) -> flint.arb:
    return a + (-a).exp().log1p() if a > 0 else a.exp().log1p()


def _step(a: flint.arb) -> flint.arb:
    if a > 0:
        return flint.arb(1)
    return flint.arb(0) if a < 0 else EITHER if a.is_finite() else NAN


def _relu(a: flint.arb) -> flint.arb:
    return a if a > 0 else flint.arb(0) if a <= 0 else a.max(flint.arb(0))


def _is_largest(argument: Balls, top: Balls, groups: Groups) -> Balls:
    """1 for the largest of a group; [0, 1] for each that may be, where there are several."""
    near = np.array([not a < b for a, b in zip(argument, top, strict=True)], dtype=np.float64)
    alone = groups.sum(near)[groups.of] == 1
    shares = [flint.arb(1) if only else EITHER for only in alone]
    return _array([share if one else flint.arb(0) for one, share in zip(near, shares, strict=True)])


def _power(exponent: Fraction) -> Callable[..., Balls]:
    def whole(base: flint.arb, times: int) -> flint.arb:
        result = flint.arb(1)  # by hand: arb**int across zero gives NaN (python-flint#426)
        for _ in range(abs(times)):
            result = result * base
        return result if times >= 0 else 1 / result

    def power(base: flint.arb) -> flint.arb:
        if exponent.denominator == 1:
            return whole(base, int(exponent))
        if exponent > 0:
            return _root(base, positive)
        return positive(base) if base > 0 else NAN

    def positive(base: flint.arb) -> flint.arb:
        return (base.log() * flint.arb(flint.fmpq(exponent.numerator, exponent.denominator))).exp()

    return _entrywise(power)


FUNCTIONS: Mapping[str, Callable[..., Balls]] = {
    "add": np.add,
    "subtract": np.subtract,
    "log_probability": np.subtract,
    "multiply": _entrywise(_multiply, 2),
    "divide": _entrywise(lambda a, b: a / b, 2),
    "negative": np.negative,
    "square": _entrywise(lambda a: a * a),
    "exp": _entrywise(lambda a: a.exp()),
    "log": _entrywise(_log),
    "sqrt": _entrywise(lambda a: _root(a, lambda b: b.sqrt())),
    "log1p": _entrywise(lambda a: a.log1p()),
    "expm1": _entrywise(lambda a: a.expm1()),
    "tanh": _entrywise(lambda a: a.tanh()),
    "sinh": _entrywise(lambda a: a.sinh()),
    "cosh": _entrywise(lambda a: a.cosh()),
    "sigmoid": _entrywise(_sigmoid),
    "softplus": _entrywise(_softplus),
    "step": _entrywise(_step),
    "relu": _entrywise(_relu),
    "abs": _entrywise(abs),
    "maximum": _entrywise(lambda a, b: a.max(b), 2),
    "minimum": _entrywise(lambda a, b: a.min(b), 2),
}


def enclose(outputs: Sequence[Node], precision: int) -> list[Balls]:
    """Balls that contain the entries of these nodes, computed with so many bits."""
    before = flint.ctx.prec
    flint.ctx.prec = precision
    try:
        known: dict[int, Balls] = {}
        for node in reachable(outputs):
            known[node.serial] = _value(node, [known[one.serial] for one in node.arguments])
        return [known[node.serial] for node in outputs]
    finally:
        flint.ctx.prec = before


def _value(node: Node, arguments: list[Balls]) -> Balls:
    match node.operation:
        case "leaf" if isinstance(node.data, Fraction):
            return _array([flint.arb(flint.fmpq(node.data.numerator, node.data.denominator))])
        case "leaf":
            return _array([flint.arb(value) for value in node.data.tolist()])
        case "take":
            return _taken(arguments[0], node.data)
        case "collect":
            return _sums(arguments[0], node.data)
        case "lse":
            return _lse(arguments[0], node.data)
        case "largest":
            return _largest(arguments[0], node.data)
        case "is_largest":
            return _is_largest(arguments[0], arguments[1], node.data)
        case "power":
            return _power(node.data)(*arguments)
    return np.asarray(FUNCTIONS[node.operation](*arguments), dtype=object)


def _array(balls: Sequence[flint.arb]) -> Balls:
    found = np.empty(len(balls), dtype=object)
    found[:] = balls
    return found


def _taken(argument: Balls, places: NDArray[np.int64]) -> Balls:
    if (places >= 0).all():
        return argument[places]
    found = np.full(len(places), flint.arb(0), dtype=object)
    found[places >= 0] = argument[places[places >= 0]]
    return found


def _sums(argument: Balls, groups: Groups) -> Balls:
    return groups.reduced(np.add, argument, flint.arb(0))


def _largest(argument: Balls, groups: Groups) -> Balls:
    return groups.reduced(np.frompyfunc(lambda a, b: a.max(b), 2, 1), argument, flint.arb("-inf"))


def _lse(argument: Balls, groups: Groups) -> Balls:
    # Shifted by the largest: an exponential of 1e300 has no ball at any precision that is worth having.
    top = _largest(argument, groups)
    finite = np.asarray(np.frompyfunc(lambda a: a.mid() if a.is_finite() else flint.arb(0), 1, 1)(top), dtype=object)
    shifted = argument - finite[groups.of]
    return np.asarray(finite + FUNCTIONS["log"](_sums(FUNCTIONS["exp"](shifted), groups)), dtype=object)


def midpoints(balls: Balls) -> tuple[Floats, Floats, Floats]:
    """The middles of balls as sums of two doubles, and radii that cover all that is left; NaN where there is none."""
    rows = [_two_doubles(ball) for ball in balls]
    high, low, radius = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return high, low, radius


def _two_doubles(ball: flint.arb) -> tuple[float, float, float]:
    if not ball.is_finite():
        text = str(ball)  # -inf and inf are values, a ball without bounds is none
        return (float("-inf") if text == "-inf" else float("inf") if text == "inf" else float("nan"), 0.0, 0.0)
    middle = ball.mid()
    high = float(middle)
    if high in (float("inf"), float("-inf")):
        return high, 0.0, 0.0
    rest = middle - flint.arb(high)
    return high, float(rest), float(ball.rad())
