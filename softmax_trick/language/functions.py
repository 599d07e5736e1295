"""The functions of the language: each by name, once, with what it is short for.

A function is a primitive, which every algebra of `softmax_trick.language.interpreter` evaluates itself, or it is short
for an expression in others. An algebra may evaluate a function by its name instead, where it has a better form (torch's
logsumexp, Arb's tanh); what the function means is written here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from softmax_trick.language import expression as ex

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Entrywise:
    """A function of entries.

    Attributes:
        arity: how many arguments it takes.
        meaning: the expression that it is short for; None for a primitive.
    """

    arity: int
    meaning: Callable[..., ex.Expression] | None = None


def _exp(u: ex.Operand) -> ex.Expression:
    return ex.entrywise("exp", u)


def _log(u: ex.Operand) -> ex.Expression:
    return ex.entrywise("log", u)


def _step(u: ex.Operand) -> ex.Expression:
    return ex.entrywise("step", u)


ENTRYWISE: dict[str, Entrywise] = {
    # primitives
    "add": Entrywise(2),
    "multiply": Entrywise(2),
    "power": Entrywise(2),  # u**v = exp(v log u), but for an integer v any u (for v < 0, not 0); for v = 1/2 u >= 0
    "exp": Entrywise(1),
    "log": Entrywise(1),  # of a positive number
    "normal_cdf": Entrywise(1),  # the integral of normal_pdf up to u
    "normal_pdf": Entrywise(1),  # exp(-u**2/2) / sqrt(2 pi)
    "step": Entrywise(1),  # 1 where u > 0, 0 where u < 0; the pieces of a piecewise function meet where u = 0
    # arithmetic
    "negative": Entrywise(1, lambda u: -1 * u),
    "subtract": Entrywise(2, lambda u, v: u + (-1) * v),
    "divide": Entrywise(2, lambda u, v: u * v**-1),
    "sqrt": Entrywise(1, lambda u: u**HALF),
    "square": Entrywise(1, lambda u: u**2),
    # piecewise
    "less": Entrywise(2, lambda u, v: _step(v - u)),
    "where": Entrywise(3, lambda condition, u, v: condition * u + (1 - condition) * v),
    "relu": Entrywise(1, lambda u: u * _step(u)),
    "abs": Entrywise(1, lambda u: u * (2 * _step(u) - 1)),
    "sign": Entrywise(1, lambda u: 2 * _step(u) - 1),
    "maximum": Entrywise(2, lambda u, v: v + (u - v) * _step(u - v)),
    "minimum": Entrywise(2, lambda u, v: u - (u - v) * _step(u - v)),
    "clip": Entrywise(3, lambda u, low, high: ex.entrywise("minimum", ex.entrywise("maximum", u, low), high)),
    # smooth
    "sigmoid": Entrywise(1, lambda u: 1 / (1 + _exp(-u))),
    "softplus": Entrywise(1, lambda u: _log(1 + _exp(u))),
    "log_sigmoid": Entrywise(1, lambda u: -1 * _log(1 + _exp(-u))),
    "tanh": Entrywise(1, lambda u: 1 - 2 / (_exp(2 * u) + 1)),
    "sinh": Entrywise(1, lambda u: (_exp(u) - _exp(-u)) / 2),
    "cosh": Entrywise(1, lambda u: (_exp(u) + _exp(-u)) / 2),
    "silu": Entrywise(1, lambda u: u / (1 + _exp(-u))),
    "erf": Entrywise(1, lambda u: 2 * ex.entrywise("normal_cdf", ex.as_expression(2) ** HALF * u) - 1),
    "gelu": Entrywise(1, lambda u: u * ex.entrywise("normal_cdf", u)),
    "log1p": Entrywise(1, lambda u: _log(1 + u)),
    "expm1": Entrywise(1, lambda u: _exp(u) - 1),
}


def _function(name: str) -> Callable[..., ex.Expression]:
    def build(*arguments: ex.Operand) -> ex.Expression:
        return ex.entrywise(name, *arguments)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"{name}, entry by entry; see `ENTRYWISE`."
    return build


exp, log, step = _function("exp"), _function("log"), _function("step")
sqrt, square, where = _function("sqrt"), _function("square"), _function("where")
relu, absolute, sign = _function("relu"), _function("abs"), _function("sign")
maximum, minimum, clip = _function("maximum"), _function("minimum"), _function("clip")
sigmoid, softplus, tanh, silu = _function("sigmoid"), _function("softplus"), _function("tanh"), _function("silu")
log_sigmoid, sinh, cosh = _function("log_sigmoid"), _function("sinh"), _function("cosh")
log1p, expm1 = _function("log1p"), _function("expm1")
normal_cdf, normal_pdf, erf = _function("normal_cdf"), _function("normal_pdf"), _function("erf")


# --- functions of whole vectors ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """A function of whole vectors along axes of its first argument.

    Attributes:
        arity: how many arguments it takes at least and at most.
        keeps: whether the value has the axes of the first argument; else those are left that it does not work along.
        along: "last", "all" or "each": the axes along which it works where none is named ("each" takes all of them and
            no names).
        meaning: the expression that a call is short for; None for a primitive.
    """

    arity: tuple[int, int]
    keeps: bool
    along: str
    meaning: Callable[[ex.Call], ex.Expression] | None


def _spread_like(reduced: ex.Expression, call: ex.Call) -> ex.Expression:
    """A value that lost the axes a call works along, repeated along them again."""
    for position in sorted(call.positions):
        reduced = ex.Spread(reduced, call.arguments[0].axes[position], position)
    return reduced


def _along(function: str, argument: ex.Expression, call: ex.Call) -> ex.Expression:
    """Another function along the same axes."""
    return at_positions(function, (argument,), call.positions)


def _count(call: ex.Call) -> ex.Expression:
    """How many entries a call works along."""
    count: ex.Expression = ex.Number(Fraction(1))
    for position in call.positions:
        count = count * ex.Size(ex.size_of(call.arguments[0].axes[position]))
    return count


def _softmax(call: ex.Call) -> ex.Expression:
    powers = exp(call.arguments[0])
    total_ = _along("sum", powers, call)
    if len(call.arguments) > 1:
        total_ = call.arguments[1] + total_
    return powers / _spread_like(total_, call)


NAMED: dict[str, Named] = {
    # primitives
    "sum": Named((1, 1), False, "all", None),
    "max": Named((1, 1), False, "all", None),
    # short for others
    "min": Named((1, 1), False, "all", lambda c: -_along("max", -c.arguments[0], c)),
    "mean": Named((1, 1), False, "all", lambda c: _along("sum", c.arguments[0], c) / _count(c)),
    "softmax": Named((1, 2), True, "last", _softmax),  # the second argument is the slack
    "logsumexp": Named((1, 1), False, "last", lambda c: log(_along("sum", exp(c.arguments[0]), c))),
    "log_softmax": Named(
        (1, 1), True, "last", lambda c: c.arguments[0] - _spread_like(_along("logsumexp", c.arguments[0], c), c)
    ),
    "norm": Named((1, 1), False, "last", lambda c: sqrt(_along("sum", c.arguments[0] ** 2, c))),
    "dot": Named((2, 2), False, "all", lambda c: _along("sum", c.arguments[0] * c.arguments[1], c)),
    "trace": Named((1, 1), False, "each", lambda c: total(ex.diagonal(c.arguments[0]))),
    "ce": Named((2, 2), False, "last", lambda c: -_along("sum", c.arguments[0] * log(c.arguments[1]), c)),
    "softce": Named(
        (2, 2),
        False,
        "last",
        lambda c: -_along("sum", c.arguments[0] * _along("log_softmax", c.arguments[1], c), c),
    ),
    "kl": Named(
        (2, 2),
        False,
        "last",
        lambda c: _along("sum", c.arguments[0] * (log(c.arguments[0]) - log(c.arguments[1])), c),
    ),
    "entropy": Named((1, 1), False, "last", lambda c: -_along("sum", c.arguments[0] * log(c.arguments[0]), c)),
}


def named(function: str, *arguments: ex.Operand, axes: tuple[str, ...] = ()) -> ex.Expression:
    """A function of whole vectors, along the named axes or along those that it takes by itself.

    Args:
        function: a name of `NAMED`.
        arguments: the arguments; the first decides the axes, the others have the same ones or are scalars.
        axes: the axes along which it works.

    Raises:
        AxesError: an axis that the argument lacks or has twice; arguments that do not fit.
        LanguageError: another number of arguments.
    """
    rule = NAMED[function]
    low, high = rule.arity
    if not low <= len(arguments) <= high:
        raise ex.LanguageError(f"{function} takes {low if low == high else f'{low} or {high}'} arguments and axes")
    expressions, _ = ex.aligned(*arguments, what=function)
    first = expressions[0]
    if not first.axes:
        raise ex.AxesError(f"{function} of a scalar: it takes a vector")
    if not axes:
        places: tuple[int, ...] = (len(first.axes) - 1,) if rule.along == "last" else tuple(range(len(first.axes)))
    else:
        if rule.along == "each":
            raise ex.LanguageError(f"{function} takes no axes")
        places = tuple(sorted(_place(axis, first, function) for axis in axes))
        if len(set(places)) < len(places):
            raise ex.AxesError(f"{function} along an axis twice: {', '.join(axes)}")
    if any(first.axes[place] == ex.UNKNOWN for place in places):
        raise ex.AxesError(f"{function} along an axis that nothing determines: name it, as in eye(K)")
    return at_positions(function, expressions, places)


def _place(axis: str, expression: ex.Expression, function: str) -> int:
    places = [place for place, one in enumerate(expression.axes) if one == axis]
    if not places:
        raise ex.AxesError(f"{function} along {axis} of {ex.shape(expression.axes)}: it has no axis {axis}")
    if len(places) > 1:
        raise ex.AxesError(
            f"{function} along {axis} of {ex.shape(expression.axes)}: which one? Declare one of them as {axis}'"
        )
    return places[0]


def at_positions(function: str, arguments: tuple[ex.Expression, ...], positions: tuple[int, ...]) -> ex.Call:
    """A function of whole vectors along the axes at some positions, which may have the same name as others.

    Raises:
        AxesError: the trace of what is not square.
    """
    axes = arguments[0].axes
    if function == "trace":
        ex.diagonal(arguments[0])  # raises where it is not square
    if not NAMED[function].keeps:
        axes = tuple(axis for place, axis in enumerate(axes) if place not in positions)
    return ex.Call(function, arguments, positions, axes)


def total(argument: ex.Expression, *axes: str) -> ex.Expression:
    """The sum over axes, over all of them where none is named."""
    return named("sum", argument, axes=axes)


def mean(argument: ex.Expression, *axes: str) -> ex.Expression:
    """The mean over axes, over all of them where none is named."""
    return named("mean", argument, axes=axes)


def largest(argument: ex.Expression, *axes: str) -> ex.Expression:
    """The largest entry along axes, along all of them where none is named."""
    return named("max", argument, axes=axes)


def softmax(argument: ex.Expression, *axes: str, slack: ex.Operand = 0) -> ex.Expression:
    """SoftMax(x)_i = exp(x_i) / (C + sum_k exp(x_k)) along an axis, by default the last (paper, section 1)."""
    arguments = (argument,) if ex.as_expression(slack) == ex.as_expression(0) else (argument, slack)
    return named("softmax", *arguments, axes=axes)


def log_softmax(argument: ex.Expression, *axes: str) -> ex.Expression:
    """x_i - log sum_k exp(x_k) along an axis, by default the last."""
    return named("log_softmax", argument, axes=axes)


def logsumexp(argument: ex.Expression, *axes: str) -> ex.Expression:
    """log sum_k exp(x_k) along an axis, by default the last."""
    return named("logsumexp", argument, axes=axes)


def norm(argument: ex.Expression, *axes: str) -> ex.Expression:
    """The 2-norm along an axis, by default the last."""
    return named("norm", argument, axes=axes)


def dot(left: ex.Expression, right: ex.Expression, *axes: str) -> ex.Expression:
    """sum_k u_k v_k along axes, along all of them where none is named."""
    return named("dot", left, right, axes=axes)


def trace(matrix: ex.Expression) -> ex.Expression:
    """The sum of the diagonal of a square matrix."""
    return named("trace", matrix)


def ce(target: ex.Expression, y: ex.Expression, *axes: str) -> ex.Expression:
    """CE(t, y) = -sum_k t_k log y_k along an axis, by default the last (paper, equation 2)."""
    return named("ce", target, y, axes=axes)


def softce(target: ex.Expression, x: ex.Expression, *axes: str) -> ex.Expression:
    """SoftCE(t, x) = CE(t, SoftMax(x)) along an axis, by default the last (paper, equation 4)."""
    return named("softce", target, x, axes=axes)


def unfolded(node: ex.Expression) -> ex.Expression | None:
    """What a named function is short for, the same object whenever it is asked; None for everything else."""
    known = node.__dict__  # where the node's cached properties are too
    if "unfolded" not in known:
        known["unfolded"] = _unfold(node)
    return known["unfolded"]


def _unfold(node: ex.Expression) -> ex.Expression | None:
    if isinstance(node, ex.Apply):
        rule = ENTRYWISE[node.function]
        return None if rule.meaning is None else rule.meaning(*node.arguments)
    if isinstance(node, ex.Call):
        meaning = NAMED[node.function].meaning
        return None if meaning is None else meaning(node)
    return None
