"""How aten's normalisations and losses are read: layer_norm, gelu, and losses with kernels of their own."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from softmax_trick.language.expression import Expression
from softmax_trick.proving.pointwise import add, divide, entries, multiply, real, subtract
from softmax_trick.proving.reader import Reader, reads
from softmax_trick.proving.reductions import count, mean, total
from softmax_trick.proving.values import ONE, ZERO, Real, apply, number, refuse


def _inner(u: Real, shape: Sequence[Any]) -> list[int]:
    """The last dimensions, over which is normalised."""
    return list(range(len(u.dims) - len(shape), len(u.dims)))


def _mean_and_scale(r: Reader, u: Real, which: list[int], eps: Any) -> tuple[Real, Real]:
    """The mean along dimensions and 1/sqrt(variance + eps)."""
    centre = mean(r, u, list(which), True)
    deviation = subtract(r, u, centre)
    variance = mean(r, multiply(r, deviation, deviation), list(which), True)
    scale = apply("power", apply("add", variance.finite, r.scalar(eps)), number(Fraction(-1, 2)))
    return centre, Real(scale, variance.dims)


@reads("native_layer_norm.default")
def _layer_norm(r: Reader, u: Any, shape: Any, weight: Any, bias: Any, eps: Any) -> tuple[Real, Real, Real]:
    centre, scale = _mean_and_scale(r, u, _inner(u, shape), eps)
    found = multiply(r, subtract(r, u, centre), scale)
    if weight is not None:
        found = multiply(r, found, weight)
    return found if bias is None else add(r, found, bias), centre, scale


@reads("native_layer_norm_backward.default")
def _layer_norm_backward(
    r: Reader, g: Any, u: Any, shape: Any, centre: Any, scale: Any, weight: Any, bias: Any, wanted: Any
) -> list[Real]:
    which = _inner(u, shape)
    outer = [n for n in range(len(u.dims)) if n not in which]
    normal = multiply(r, subtract(r, u, centre), scale)
    inside = g if weight is None else multiply(r, g, weight)
    correction = add(
        r,
        mean(r, inside, list(which), True),
        multiply(r, normal, mean(r, multiply(r, inside, normal), list(which), True)),
    )
    by_input = multiply(r, scale, subtract(r, inside, correction))
    return [by_input, _reduced(multiply(r, g, normal), outer), _reduced(real(r, g), outer)]


def _reduced(value: Real, outer: list[int]) -> Real:
    return total(value, outer, False) if outer else value


# --- losses ---


def reduced(r: Reader, value: Real, reduction: Any) -> Real:
    """A loss as it is, its mean or its sum."""
    which = list(range(len(value.dims)))
    match int(reduction):
        case 0:
            return value
        case 1:
            return mean(r, value, list(which) or None, False)
    return total(value, which, False)


def scaled(r: Reader, slope: Real, g: Any, reduction: Any) -> Real:
    """A gradient times grad_output; divided by the number of entries where the loss is their mean."""
    found = multiply(r, slope, g)
    if int(reduction) == 1:
        found = Real(apply("divide", found.finite, count(slope, range(len(slope.dims)))), found.dims)
    return found


@reads("mse_loss.default")
def _mse(r: Reader, u: Any, v: Any, reduction: Any = 1) -> Real:
    difference = subtract(r, u, v)
    return reduced(r, multiply(r, difference, difference), reduction)


@reads("mse_loss_backward.default")
def _mse_backward(r: Reader, g: Any, u: Any, v: Any, reduction: Any) -> Real:
    return scaled(r, multiply(r, subtract(r, u, v), 2), g, reduction)


def _bent(r: Reader, d: Expression, width: Expression) -> tuple[Expression, Expression, Expression]:
    """Of a difference: whether it is inside, its absolute value, its sign."""
    above = r.positive(d, ZERO)
    sign = apply("subtract", apply("multiply", number(2), above), ONE)
    absolute = apply("where", above, d, apply("multiply", number(-1), d))
    return r.positive(width, absolute), absolute, sign


@reads("huber_loss.default", "smooth_l1_loss.default")
def _huber(r: Reader, u: Any, v: Any, reduction: Any = 1, width: Any = 1.0) -> Real:
    edge = r.scalar(width)
    smooth = r.operation.name == "aten.smooth_l1_loss.default"

    def loss(a: Expression, b: Expression) -> Expression:
        d = apply("subtract", a, b)
        inside, absolute, _ = _bent(r, d, edge)
        half = apply("multiply", number(Fraction(1, 2)), apply("multiply", d, d))
        line = apply("subtract", absolute, apply("multiply", number(Fraction(1, 2)), edge))
        if smooth:
            return apply("where", inside, apply("divide", half, edge), line)
        return apply("where", inside, half, apply("multiply", edge, line))

    return reduced(r, entries(r, loss, u, v), reduction)


@reads("huber_loss_backward.default", "smooth_l1_loss_backward.default")
def _huber_backward(r: Reader, g: Any, u: Any, v: Any, reduction: Any, width: Any) -> Real:
    edge = r.scalar(width)
    smooth = r.operation.name == "aten.smooth_l1_loss_backward.default"

    def slope(a: Expression, b: Expression) -> Expression:
        d = apply("subtract", a, b)
        inside, _, sign = _bent(r, d, edge)
        if smooth:
            return apply("where", inside, apply("divide", d, edge), sign)
        return apply("where", inside, d, apply("multiply", edge, sign))

    return scaled(r, entries(r, slope, u, v), g, reduction)


@reads("binary_cross_entropy.default")
def _bce(r: Reader, p: Any, t: Any, weight: Any = None, reduction: Any = 1) -> Real:
    r.condition("the probability lies between 0 and 1, and is not so near that torch cuts its logarithm at -100")

    def loss(a: Expression, b: Expression) -> Expression:
        other = apply("subtract", ONE, a)
        one = apply("multiply", b, apply("log", a))
        rest = apply("multiply", apply("subtract", ONE, b), apply("log", other))
        return apply("multiply", number(-1), apply("add", one, rest))

    found = entries(r, loss, p, t)
    return reduced(r, found if weight is None else multiply(r, found, weight), reduction)


@reads("binary_cross_entropy_backward.default")
def _bce_backward(r: Reader, g: Any, p: Any, t: Any, weight: Any = None, reduction: Any = 1) -> Real:
    def slope(a: Expression, b: Expression) -> Expression:
        return divide(r, apply("subtract", a, b), apply("multiply", a, apply("subtract", ONE, a)))

    found = entries(r, slope, p, t)
    return scaled(r, found if weight is None else multiply(r, found, weight), g, reduction)


@reads("binary_cross_entropy_with_logits.default")
def _bce_logits(r: Reader, x: Any, t: Any, weight: Any = None, pos_weight: Any = None, reduction: Any = 1) -> Real:
    def loss(a: Expression, b: Expression, *factor: Expression) -> Expression:
        positive = apply("softplus", apply("multiply", number(-1), a))
        one = apply("multiply", b, positive)
        if factor:
            one = apply("multiply", factor[0], one)
        rest = apply("multiply", apply("subtract", ONE, b), apply("softplus", a))
        return apply("add", one, rest)

    found = entries(r, loss, x, t, *([] if pos_weight is None else [pos_weight]))
    return reduced(r, found if weight is None else multiply(r, found, weight), reduction)


@reads("soft_margin_loss.default")
def _soft_margin(r: Reader, x: Any, y: Any, reduction: Any = 1) -> Real:
    def loss(a: Expression, b: Expression) -> Expression:
        return apply("softplus", apply("multiply", number(-1), apply("multiply", a, b)))

    return reduced(r, entries(r, loss, x, y), reduction)


@reads("soft_margin_loss_backward.default")
def _soft_margin_backward(r: Reader, g: Any, x: Any, y: Any, reduction: Any) -> Real:
    def slope(a: Expression, b: Expression) -> Expression:
        inner = apply("sigmoid", apply("multiply", number(-1), apply("multiply", a, b)))
        return apply("multiply", apply("multiply", number(-1), b), inner)

    return scaled(r, entries(r, slope, x, y), g, reduction)


@reads("silu_backward.default")
def _silu_backward(r: Reader, g: Any, x: Any) -> Real:
    def slope(a: Expression, b: Expression) -> Expression:
        s = apply("sigmoid", b)
        inner = apply("add", ONE, apply("multiply", b, apply("subtract", ONE, s)))
        return apply("multiply", a, apply("multiply", s, inner))

    return entries(r, slope, g, x)


@reads("hardtanh_backward.default")
def _hardtanh_backward(r: Reader, g: Any, x: Any, low: Any, high: Any) -> Real:
    def slope(a: Expression, b: Expression) -> Expression:
        inside = apply("multiply", r.positive(b, r.scalar(low)), r.positive(r.scalar(high), b))
        return apply("where", inside, a, ZERO)

    return entries(r, slope, g, x)


@reads("leaky_relu_backward.default")
def _leaky_relu_backward(r: Reader, g: Any, x: Any, slope: Any, is_result: Any) -> Real:
    return entries(r, lambda a, b: apply("where", r.positive(b, ZERO), a, apply("multiply", r.scalar(slope), a)), g, x)


@reads("elu.default")
def _elu(r: Reader, x: Any, alpha: Any = 1, scale: Any = 1, inner: Any = 1) -> Real:
    def function(a: Expression) -> Expression:
        power = apply("subtract", apply("exp", apply("multiply", r.scalar(inner), a)), ONE)
        below = apply("multiply", r.scalar(alpha), power)
        return apply("multiply", r.scalar(scale), apply("where", r.positive(a, ZERO), a, below))

    return entries(r, function, x)


@reads("elu_backward.default")
def _elu_backward(r: Reader, g: Any, alpha: Any, scale: Any, inner: Any, is_result: Any, x: Any) -> Real:
    if is_result:
        refuse("an elu whose backward pass works from its result")

    def function(a: Expression, b: Expression) -> Expression:
        power = apply("exp", apply("multiply", r.scalar(inner), b))
        below = apply("multiply", apply("multiply", r.scalar(alpha), r.scalar(inner)), power)
        slope = apply("multiply", r.scalar(scale), apply("where", r.positive(b, ZERO), ONE, below))
        return apply("multiply", a, slope)

    return entries(r, function, g, x)


@reads("gelu.default")
def _gelu(r: Reader, x: Any, approximate: Any = "none") -> Real:
    return entries(r, lambda a: _gelu_parts(a)[0] if approximate == "tanh" else apply("gelu", a), x)


@reads("gelu_backward.default")
def _gelu_backward(r: Reader, g: Any, x: Any, approximate: Any = "none") -> Real:
    def slope(u: Expression) -> Expression:
        if approximate == "tanh":
            return _gelu_parts(u)[1]
        return apply("add", apply("normal_cdf", u), apply("multiply", u, apply("normal_pdf", u)))

    return entries(r, lambda a, b: apply("multiply", a, slope(b)), g, x)


def _gelu_parts(x: Expression) -> tuple[Expression, Expression]:
    """x (1 + tanh u)/2 with u = c (x + 0.044715 x^3), and its slope; c = sqrt(2/pi)."""
    c = apply("multiply", number(2), apply("normal_pdf", ZERO))
    cubic, half = number(Fraction("0.044715")), number(Fraction(1, 2))
    square = apply("multiply", x, x)
    u = apply("multiply", c, apply("add", x, apply("multiply", cubic, apply("multiply", square, x))))
    t = apply("tanh", u)
    value = apply("multiply", apply("multiply", half, x), apply("add", ONE, t))
    inner = apply("multiply", c, apply("add", ONE, apply("multiply", apply("multiply", number(3), cubic), square)))
    outer = apply("multiply", apply("multiply", half, x), apply("subtract", ONE, apply("multiply", t, t)))
    slope = apply("add", apply("multiply", half, apply("add", ONE, t)), apply("multiply", outer, inner))
    return value, slope
