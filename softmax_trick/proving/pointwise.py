"""How aten's operations on entries are read."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import torch

from softmax_trick.language.expression import Apply, Expression, Index, Number
from softmax_trick.proving.inputs import Dims
from softmax_trick.proving.points import ROUNDING
from softmax_trick.proving.reader import Opaque, Reader, is_zero_or_one, reads
from softmax_trick.proving.tracing import Ref
from softmax_trick.proving.values import (
    ONE,
    ZERO,
    Indices,
    Real,
    Value,
    apply,
    both,
    broadcast,
    common,
    is_equal,
    negated,
    number,
    refuse,
    spread,
    tabulated,
)

SMALL = Fraction(1, 1000)  # a bound that only keeps a division from failing
HALF = number(Fraction(1, 2))


def real(r: Reader, value: Any) -> Real:
    """An operand as real numbers."""
    if isinstance(value, Real):
        return value
    if isinstance(value, Indices):
        return as_number(r, value)
    if value is None:
        refuse("an operand is missing")
    found = r.uniform(value, ()) if not hasattr(value, "free_symbols") else Real(r.scalar(value), ())
    return found  # type: ignore[return-value]


def as_number(r: Reader, value: Indices) -> Real:
    """Class indices as numbers, from 0; along an axis of given size."""
    total: Expression = ZERO
    for condition, term in value.cases:
        if isinstance(term, int):
            part: Expression = number(term)
        else:
            size = r.given(term.axis)

            def body(_: tuple[Index, ...], term: Any = term, size: int = size) -> Expression:
                found: Expression = ZERO
                for n in range(1, size):
                    found = apply("add", found, apply("multiply", number(n), is_equal(term, n)))
                return found

            part = tabulated(value.dims, body)
        total = apply("add", total, apply("multiply", condition, part))
    return Real(total, value.dims)


def entries(r: Reader, function: Callable[..., Expression], *operands: Any) -> Real:
    """A function of the entries of finite operands."""
    expressions, dims = broadcast(*(real(r, one) for one in operands))
    return Real(function(*expressions), dims)


def power(base: Expression, exponent: Expression) -> Expression:
    """base ** exponent, with short forms for simple exponents."""
    if isinstance(exponent, Number):
        if exponent.value == 0:
            return ONE
        if exponent.value == 1:
            return base
    return apply("power", base, exponent)


# --- functions of one argument ---


def _log(r: Reader, u: Expression) -> Expression:
    if not r.is_positive(u):
        r.condition("the argument of the logarithm is positive")
    return apply("log", u)


def _root(r: Reader, u: Expression) -> Expression:
    if not r.is_positive(u):
        r.condition("the argument of the root is positive")
    return apply("power", u, HALF)


def divide(r: Reader, u: Expression, v: Expression) -> Expression:
    """u / v, where v is not 0."""
    if not r.is_positive(v) and not (isinstance(v, Number) and v.value):
        r.condition("the denominator is not 0")
    return apply("divide", u, v)


ONE_ARGUMENT: dict[str, Callable[[Reader, Expression], Expression]] = {
    "neg.default": lambda r, u: apply("multiply", number(-1), u),
    "exp.default": lambda r, u: apply("exp", u),
    "exp2.default": lambda r, u: apply("power", number(2), u),
    "expm1.default": lambda r, u: apply("subtract", apply("exp", u), ONE),
    "log.default": _log,
    "log1p.default": lambda r, u: _log(r, apply("add", ONE, u)),
    "log2.default": lambda r, u: apply("divide", _log(r, u), apply("log", number(2))),
    "log10.default": lambda r, u: apply("divide", _log(r, u), apply("log", number(10))),
    "sqrt.default": _root,
    "rsqrt.default": lambda r, u: divide(r, ONE, _root(r, u)),
    "reciprocal.default": lambda r, u: divide(r, ONE, u),
    "sigmoid.default": lambda r, u: apply("sigmoid", u),
    "special_entr.default": lambda r, u: apply("multiply", apply("multiply", number(-1), u), _log(r, u)),
    "tanh.default": lambda r, u: apply("tanh", u),
    "sinh.default": lambda r, u: apply("sinh", u),
    "cosh.default": lambda r, u: apply("cosh", u),
    "erf.default": lambda r, u: apply("erf", u),
    "erfc.default": lambda r, u: apply("subtract", ONE, apply("erf", u)),
    "silu.default": lambda r, u: apply("multiply", u, apply("sigmoid", u)),
    "mish.default": lambda r, u: apply("multiply", u, apply("tanh", apply("softplus", u))),
    "relu.default": lambda r, u: apply("where", r.positive(u, ZERO), u, ZERO),
    "abs.default": lambda r, u: apply("where", r.positive(u, ZERO), u, apply("multiply", number(-1), u)),
    "sign.default": lambda r, u: apply("subtract", r.positive(u, ZERO), r.positive(ZERO, u)),
    "sgn.default": lambda r, u: apply("subtract", r.positive(u, ZERO), r.positive(ZERO, u)),
    "bitwise_not.default": lambda r, u: negated(u),
}


def _enter_one(name: str, function: Callable[[Reader, Expression], Expression]) -> None:
    @reads(name)
    def reading(r: Reader, u: Any, *_: Any) -> Real:
        return entries(r, lambda one: function(r, one), u)


for _name, _function in ONE_ARGUMENT.items():
    if _name not in ("exp.default", "neg.default"):
        _enter_one(_name, _function)


@reads("neg.default")
def _neg(r: Reader, u: Any) -> Real:
    u = real(r, u)
    turned = {"inf": "-inf", "-inf": "inf", "nan": "nan"}
    infinite = tuple((where, turned[what]) for where, what in u.infinite)
    return Real(apply("multiply", number(-1), u.expression), u.dims, infinite)


@reads("exp.default")
def _exp(r: Reader, u: Any) -> Real:
    u = real(r, u)
    result: Expression = apply("exp", u.expression)
    kept = []
    for condition, what in u.infinite:
        if what == "-inf":
            result = apply("multiply", negated(condition), result)
        else:
            kept.append((condition, what))
    return Real(result, u.dims, tuple(kept))


@reads(*(name.removeprefix("aten.") for name in ROUNDING))
def _step_by_step(r: Reader, u: Any, **_: Any) -> Real:
    """Constant but for jumps, and so a constant of derivatives: whatever it is, if the same was not rounded before."""
    dims = real(r, u).dims
    key = (r.operation.name, r.source(r.operation.arguments[0]), dims, tuple(r.operation.options.items()))
    if key not in r.rounded:
        r.condition("no number is rounded at a jump")
        r.rounded[key] = r.hold(dims)
    return r.rounded[key]


# --- arithmetic ---


def _sum_infinite(left: Real, right: Real) -> tuple[tuple[Expression, str], ...]:
    if left.infinite and right.infinite:
        refuse("two operands are infinite where masks are set")
    return left.infinite or right.infinite


def add(r: Reader, u: Any, v: Any, alpha: Any = 1) -> Real:
    """u + alpha v; infinite where one of them is."""
    u, v = real(r, u), real(r, v)
    dims = common(u, v)
    u, v = spread(u, dims), spread(v, dims)
    infinite = _sum_infinite(u, v)
    if alpha != 1 and v.infinite:
        refuse("a multiple of values that are infinite where a mask is set")
    scaled = apply("multiply", r.scalar(alpha), v.expression)
    return Real(apply("add", u.expression, scaled), dims, infinite)


reads("add.Tensor", "add.Scalar")(add)


@reads("sub.Tensor", "sub.Scalar")
def subtract(r: Reader, u: Any, v: Any, alpha: Any = 1) -> Real:
    """u - alpha v."""
    v = real(r, v)
    if not v.infinite:
        scaled = apply("multiply", r.scalar(alpha), v.expression)
        u = real(r, u)
        dims = common(u, v)
        u = spread(u, dims)
        right = spread(Real(scaled, v.dims), dims)
        return Real(apply("subtract", u.expression, right.expression), dims, u.infinite)
    return add(r, u, _neg(r, v), alpha)


@reads("rsub.Scalar", "rsub.Tensor")
def _rsub(r: Reader, u: Any, v: Any, alpha: Any = 1) -> Real:
    return subtract(r, v, u, alpha)


@reads("mul.Tensor", "mul.Scalar")
def multiply(r: Reader, u: Any, v: Any) -> Real:
    """u v; infinite where one is and the other is a positive number."""
    u, v = real(r, u), real(r, v)
    for one, other in ((u, v), (v, u)):
        if one.infinite:
            if not (isinstance(other.expression, Number) and other.expression.value > 0 and not other.infinite):
                refuse("a product with values that are infinite where a mask is set")
            scaled = apply("multiply", one.expression, other.expression)
            return spread(Real(scaled, one.dims, one.infinite), common(one, other))
    return entries(r, lambda a, b: apply("multiply", a, b), u, v)


@reads("div.Tensor", "div.Scalar")
def _div(r: Reader, u: Any, v: Any) -> Real:
    u, v = real(r, u), real(r, v)
    if u.infinite and r.is_positive(v.finite):
        dims = common(u, v)
        u, v = spread(u, dims), spread(v, dims)
        return Real(apply("divide", u.expression, v.expression), dims, u.infinite)
    return entries(r, lambda a, b: divide(r, a, b), u, v)


@reads("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
def _pow(r: Reader, u: Any, v: Any) -> Real:
    def function(base: Expression, exponent: Expression) -> Expression:
        whole = isinstance(exponent, Number) and exponent.value.denominator == 1
        if not whole and not r.is_positive(base):
            r.condition("the base of the power is positive")
        if whole and isinstance(exponent, Number) and exponent.value < 0 and not r.is_positive(base):
            r.condition("the base of the power is not 0")
        return power(base, exponent)

    return entries(r, function, u, v)


@reads("addcmul.default")
def _addcmul(r: Reader, u: Any, v: Any, w: Any, value: Any = 1) -> Real:
    return add(r, u, multiply(r, v, w), value)


@reads("addcdiv.default")
def _addcdiv(r: Reader, u: Any, v: Any, w: Any, value: Any = 1) -> Real:
    return add(r, u, _div(r, v, w), value)


@reads("lerp.Scalar", "lerp.Tensor")
def _lerp(r: Reader, u: Any, v: Any, weight: Any) -> Real:
    return add(r, u, multiply(r, weight, subtract(r, v, u)))


@reads("logaddexp.default")
def _logaddexp(r: Reader, u: Any, v: Any) -> Real:
    return entries(r, lambda a, b: apply("log", apply("add", apply("exp", a), apply("exp", b))), u, v)


@reads("xlogy.Tensor", "xlogy.Scalar_Other", "xlogy.Scalar_Self")
def _xlogy(r: Reader, u: Any, v: Any) -> Real:
    return entries(r, lambda a, b: ZERO if a is ZERO else apply("multiply", a, _log(r, b)), u, v)


@reads("special_xlog1py.default")
def _xlog1py(r: Reader, u: Any, v: Any) -> Real:
    return entries(r, lambda a, b: apply("multiply", a, _log(r, apply("add", ONE, b))), u, v)


@reads("hypot.default")
def _hypot(r: Reader, u: Any, v: Any) -> Real:
    squares = add(r, multiply(r, u, u), multiply(r, v, v))
    return entries(r, lambda a: _root(r, a), squares)


@reads("logit.default")
def _logit(r: Reader, u: Any, eps: Any = None) -> Real:
    if eps is not None:
        refuse("bounds besides 0 and 1")
    return entries(r, lambda a: apply("subtract", _log(r, a), _log(r, apply("subtract", ONE, a))), u)


@reads("logit_backward.default")
def _logit_backward(r: Reader, g: Any, u: Any, eps: Any = None) -> Real:
    if eps is not None:
        refuse("bounds besides 0 and 1")
    return _div(r, g, multiply(r, u, subtract(r, 1, u)))


# --- conditions ---


def _compared(r: Reader, which: str, u: Any, v: Any) -> Real:
    if which == "lt" and _is_threshold_of_softplus(r):
        r.assumed.add(len(r.values))
        return Real(ONE, u.dims)
    for one, other, name in ((u, v, which), (v, u, TURNED[which])):
        if isinstance(one, Indices):
            found = _positions(r, name, one, other)
            if found is not None:
                return found
    u, v = real(r, u), real(r, v)
    dims = common(u, v)
    u, v = spread(u, dims), spread(v, dims)
    if v.infinite or u.infinite:
        return _compared_with_infinity(r, which, u, v, dims)
    a, b = u.expression, v.expression
    match which:
        case "gt":
            return Real(r.positive(a, b), dims)
        case "ge":
            return Real(r.positive(a, b, or_equal=True), dims)
        case "lt":
            return Real(r.positive(b, a), dims)
        case "le":
            return Real(r.positive(b, a, or_equal=True), dims)
    largest = _largest_entry(r)
    if largest is None:
        if {one.variable.name for one in r.opaque if one.kind in ("largest", "smallest")} & _names(a, b):
            refuse("a comparison with largest entries that do not stand beside what they are the largest of")
        if not (isinstance(a, Number) and isinstance(b, Number)) and a is not b and not r.depends(a, b):
            return r.mask(dims)  # of data: proved whether or not the two are equal
        same = r.equal(a, b)
    else:
        same = spread(Real(*largest), dims).expression
    return Real(same if which == "eq" else negated(same), dims)


def _names(*expressions: Expression) -> set[str]:
    return {one.name for expression in expressions for one in expression.variables}


def _is_threshold_of_softplus(r: Reader) -> bool:
    """Of beta x < threshold in autograd's second derivative of softplus: there softplus is read as log(1 + exp x)."""
    operation, operations = r.operation, r.trace.operations
    product, bound = operation.arguments
    if operation.line or not operation.backward or not isinstance(product, Ref):
        return False
    scaled = operations[product.number]
    if scaled.name != "aten.mul.Scalar":
        return False
    x, beta = scaled.arguments
    return any(
        one.name == "aten.softplus_backward.default"
        and r.source(one.arguments[1]) == r.source(x)
        and tuple(one.arguments[2:]) == (beta, bound)
        for one in operations[: len(r.values)]
    )


def _compared_with_infinity(r: Reader, which: str, u: Real, v: Real, dims: Any) -> Real:
    if which in ("eq", "ne") and v.infinite and v.infinite[0][0] is ONE and not r.depends():
        same: Expression = ZERO
        for condition, what in u.infinite:
            if what == v.infinite[0][1]:
                same = apply("add", same, condition)
        return Real(same if which == "eq" else negated(same), dims)
    return refuse("a comparison of values that are infinite where a mask is set")


def _is_beside(one: Opaque, dims: Dims) -> bool:
    """Whether largest entries stand beside the entries that they are the largest of, with 1 for what was reduced."""
    kept, reduced = [], set()
    for n, dim in enumerate(one.dims):
        place = sum(map(len, one.dims[:n]))
        if dim and place in one.reduced:
            reduced.add(n)
        kept.append(() if n in reduced else dim)
    wanted = ((),) * (len(kept) - len(dims)) + dims
    return tuple(kept) == wanted


def _largest_entry(r: Reader) -> tuple[Expression, Any] | None:
    """Of x == amax(x): 1 at the place of the largest entry."""
    arguments = r.operation.arguments
    for tensor, extreme in (arguments[:2], arguments[1::-1]):
        place = r.source(extreme)
        if place is None:
            continue
        operation = r.trace.operations[place]
        if operation.name == "getitem" and operation.arguments[1] == 0:  # of max along a dimension
            place = operation.arguments[0].number
            operation = r.trace.operations[place]
        if operation.name.removeprefix("aten.").split(".")[0] not in ("amax", "amin", "max", "min"):
            continue
        if r.source(operation.arguments[0]) != r.source(tensor):
            continue
        value = r.values[operation.arguments[0].number]
        mine = r.extremes.get(place)
        if not mine or not _is_beside(mine[0], r.values[extreme.number].dims):
            continue
        r.condition("the extreme entry is the only one of its size")

        def body(indices: tuple[Index, ...], mine: Any = mine) -> Expression:
            result: Expression = ONE
            rest = tuple(index for n, index in enumerate(indices) if n not in mine[0].reduced)
            from softmax_trick.language.expression import Chosen

            for one in mine:
                result = apply("multiply", result, is_equal(indices[one.place], Chosen(one.variable, rest)))
            return result

        return tabulated(value.dims, body), value.dims
    return None


TURNED = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}


def _positions(r: Reader, which: str, one: Indices, other: Any) -> Real | None:
    """A comparison of class indices with others, or with a number."""
    if isinstance(other, Real) and isinstance(other.expression, Number) and not other.infinite:
        other = int(other.expression.value)
    if hasattr(other, "free_symbols") and other.is_Integer:
        other = int(other)
    if isinstance(other, int | float):
        if other != int(other):
            return None
        other = Indices(((ONE, int(other)),), ())
    if not isinstance(other, Indices):
        return None
    dims = common(one, other)
    left, right = spread(one, dims), spread(other, dims)
    total: Expression = ZERO
    for first, a in left.cases:
        for second, b in right.cases:
            both = apply("multiply", first, second)
            found = _one_position(r, which, a, b, dims)
            if found is None:
                return r.mask(dims) if not isinstance(a, int) and not isinstance(b, int) else None
            total = apply("add", total, apply("multiply", both, found))
    return Real(total, dims)


def _one_position(r: Reader, which: str, a: Any, b: Any, dims: Any) -> Expression | None:
    if isinstance(a, int) and isinstance(b, int):
        found = {"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b, "eq": a == b, "ne": a != b}[which]
        return ONE if found else ZERO
    if which in ("eq", "ne"):
        same = tabulated(dims, lambda _: is_equal(a, b))
        return same if which == "eq" else negated(same)
    if isinstance(a, int):
        return _one_position(r, TURNED[which], b, a, dims)
    if not isinstance(b, int):
        return None
    # a position against a number: from 0 to the size of its axis less 1
    if which in ("lt", "le"):
        above = _one_position(r, "ge" if which == "lt" else "gt", a, b, dims)
        return None if above is None else negated(above)
    least = b if which == "ge" else b + 1
    if least <= 0:
        return ONE
    below: Expression = ZERO
    for n in range(least):
        below = apply("add", below, tabulated(dims, partial(_is_at, a, n)))
    return negated(below)


def _enter_comparison(which: str) -> None:
    @reads(f"{which}.Tensor", f"{which}.Scalar")
    def reading(r: Reader, u: Any, v: Any) -> Real:
        return _compared(r, which, u, v)


for _which in TURNED:
    _enter_comparison(_which)


def _is_at(term: Any, n: int, _: Any) -> Expression:
    return is_equal(term, n)


def _truth(r: Reader, u: Any) -> Real:
    """Whether entries are not 0."""
    value = real(r, u)
    if isinstance(u, Real) and (r.is_boolean(u) or is_zero_or_one(u.expression)):
        return u
    return _compared(r, "ne", value, 0)


@reads("logical_not.default")
def _logical_not(r: Reader, u: Any) -> Real:
    u = _truth(r, u)
    return Real(negated(u.finite), u.dims)


@reads("logical_and.default", "bitwise_and.Tensor")
def _and(r: Reader, u: Any, v: Any) -> Real:
    return entries(r, lambda a, b: apply("multiply", a, b), _boolean(r, u), _boolean(r, v))


@reads("logical_or.default", "bitwise_or.Tensor")
def _or(r: Reader, u: Any, v: Any) -> Real:
    return entries(r, lambda a, b: negated(apply("multiply", negated(a), negated(b))), _boolean(r, u), _boolean(r, v))


@reads("logical_xor.default", "bitwise_xor.Tensor")
def _xor(r: Reader, u: Any, v: Any) -> Real:
    def function(a: Expression, b: Expression) -> Expression:
        return apply("subtract", apply("add", a, b), apply("multiply", number(2), apply("multiply", a, b)))

    return entries(r, function, _boolean(r, u), _boolean(r, v))


def _boolean(r: Reader, u: Any) -> Real:
    if r.operation.outputs.dtype != torch.bool:  # type: ignore[union-attr]
        refuse("bits of whole numbers")
    return _truth(r, u)


def choose(r: Reader, condition: Any, u: Any, v: Any) -> Value:
    """u where the condition is true, v elsewhere; the other one's value, infinite or not, counts nothing there."""
    condition = _truth(r, condition)
    if _is_index(u, v):
        return _choose_indices(condition, u, v)
    u, v = real(r, u), real(r, v)
    dims = common(condition, u, v)
    c, a, b = (spread(one, dims) for one in (condition, u, v))
    truth = c.finite
    infinite = [(both(truth, where), what) for where, what in a.infinite]
    infinite += [(both(negated(truth), where), what) for where, what in b.infinite]
    kept = tuple((where, what) for where, what in infinite if not (isinstance(where, Number) and where.value == 0))
    if isinstance(truth, Number):
        chosen = a if truth.value else b
        return Real(chosen.expression, dims, kept)
    left, right = _defined(r, a.expression, truth), _defined(r, b.expression, negated(truth))
    return Real(apply("where", truth, left, right), dims, kept)


def _defined(r: Reader, expression: Expression, condition: Expression) -> Expression:
    """What is the same where a condition holds, and is defined elsewhere, too: torch evaluates both branches."""
    known: dict[int, Expression] = {}

    def defined(one: Expression) -> Expression:
        if id(one) not in known:
            known[id(one)] = changed(one) if one.axes == condition.axes or not condition.axes else one
        return known[id(one)]

    def changed(one: Expression) -> Expression:
        if not isinstance(one, Apply):
            return one
        inside = list(map(defined, one.arguments))
        base = 1 if one.function == "divide" else 0
        exponent = one.arguments[1] if one.function == "power" else ONE
        whole = isinstance(exponent, Number) and exponent.value.denominator == 1 and exponent.value >= 0
        may_fail = one.function in ("log", "sqrt", "divide") or (one.function == "power" and not whole)
        if may_fail and not isinstance(inside[base], Number) and not r.is_positive(inside[base]):
            inside[base] = apply("where", condition, inside[base], ONE)
        same = all(new is old for new, old in zip(inside, one.arguments, strict=True))
        return one if same else apply(one.function, *inside)

    return defined(expression)


def _is_index(u: Any, v: Any) -> bool:
    return isinstance(u, Indices) or isinstance(v, Indices)


def as_indices(r: Reader, value: Any) -> Indices:
    """An operand as positions: a label, a counter, or the same whole number everywhere."""
    if isinstance(value, Indices):
        return value
    if isinstance(value, Real) and isinstance(value.expression, Number) and value.expression.value.denominator == 1:
        return Indices(((ONE, int(value.expression.value)),), value.dims)
    if isinstance(value, int) or (hasattr(value, "is_Integer") and value.is_Integer):
        return Indices(((ONE, int(value)),), ())
    return refuse("positions that are computed from numbers")


def _choose_indices(condition: Real, u: Any, v: Any) -> Indices:
    u, v = as_indices(None, u), as_indices(None, v)  # type: ignore[arg-type]
    dims = common(condition, u, v)
    c, a, b = (spread(one, dims) for one in (condition, u, v))
    truth = c.finite
    cases = [(both(truth, where), term) for where, term in a.cases]  # type: ignore[union-attr]
    cases += [(both(negated(truth), where), term) for where, term in b.cases]  # type: ignore[union-attr]
    return Indices(tuple((where, term) for where, term in cases if where is not ZERO), dims)


@reads("where.self")
def _where(r: Reader, condition: Any, u: Any, v: Any) -> Value:
    return choose(r, condition, u, v)


@reads("masked_fill.Scalar", "masked_fill.Tensor")
def _masked_fill(r: Reader, u: Any, condition: Any, value: Any) -> Value:
    return choose(r, condition, value, u)


# --- pieces ---


def largest_of(r: Reader, u: Expression, v: Expression) -> Expression:
    """The larger of two numbers."""
    above = r.positive(u, v)
    if isinstance(above, Number):
        return u if above.value else v
    return apply("where", above, u, v)


def smallest_of(r: Reader, u: Expression, v: Expression) -> Expression:
    """The smaller of two numbers."""
    above = r.positive(u, v)
    if isinstance(above, Number):
        return v if above.value else u
    return apply("where", above, v, u)


def clamped(r: Reader, u: Expression, low: Expression | None, high: Expression | None) -> Expression:
    """min(max(u, low), high)."""
    if low is not None and high is None and isinstance(low, Number) and 0 < low.value <= SMALL and r.is_nonnegative(u):
        r.has_small_bounds = True
        if r.unbounded:
            r.condition(f"what is clamped exceeds {float(low.value):g}")
            return u
    if low is not None:
        u = largest_of(r, u, low)
    return u if high is None else smallest_of(r, u, high)


@reads("clamp.default", "clamp.Tensor", "hardtanh.default")
def _clamp(r: Reader, u: Any, low: Any = None, high: Any = None) -> Value:
    if r.operation.name == "aten.hardtanh.default":
        low, high = -1 if low is None else low, 1 if high is None else high
    if isinstance(u, Indices):
        return _clamped_indices(r, u, low)
    bounds = [None if one is None else real(r, one) for one in (low, high)]
    present = [one for one in bounds if one is not None]

    def function(value: Expression, *limits: Expression) -> Expression:
        rest = iter(limits)
        first, second = (None if one is None else next(rest) for one in bounds)
        return clamped(r, value, first, second)

    return entries(r, function, u, *present)


def _clamped_indices(r: Reader, u: Indices, low: Any) -> Indices:
    """Class indices that are at least 0 anyway; what is ignored becomes the bound."""
    least = as_indices(r, low).cases[0][1]
    if not isinstance(least, int) or least > 0:
        refuse("a bound of class indices above 0")
    return Indices(tuple((where, max(t, least) if isinstance(t, int) else t) for where, t in u.cases), u.dims)


@reads("clamp_min.default", "clamp_min.Tensor")
def _clamp_min(r: Reader, u: Any, low: Any) -> Value:
    return _clamp(r, u, low)


@reads("clamp_max.default", "clamp_max.Tensor")
def _clamp_max(r: Reader, u: Any, high: Any) -> Value:
    return _clamp(r, u, None, high)


@reads("maximum.default")
def _maximum(r: Reader, u: Any, v: Any) -> Real:
    return entries(r, lambda a, b: largest_of(r, a, b), u, v)


@reads("minimum.default")
def _minimum(r: Reader, u: Any, v: Any) -> Real:
    return entries(r, lambda a, b: smallest_of(r, a, b), u, v)


@reads("threshold.default")
def _threshold(r: Reader, u: Any, threshold: Any, value: Any) -> Real:
    return entries(r, lambda a, t, v: apply("where", r.positive(a, t), a, v), u, threshold, value)


@reads("threshold_backward.default")
def _threshold_backward(r: Reader, g: Any, u: Any, threshold: Any) -> Real:
    return entries(r, lambda a, b, t: apply("where", r.positive(b, t), a, ZERO), g, u, threshold)


@reads("leaky_relu.default")
def _leaky_relu(r: Reader, u: Any, slope: Any = 0.01) -> Real:
    return entries(r, lambda a, s: apply("where", r.positive(a, ZERO), a, apply("multiply", s, a)), u, slope)


@reads("softplus.default")
def _softplus(r: Reader, u: Any, beta: Any = 1, threshold: Any = 20) -> Real:
    scale = r.scalar(beta)
    return entries(r, lambda a: apply("divide", apply("softplus", apply("multiply", scale, a)), scale), u)


@reads("softplus_backward.default")
def _softplus_backward(r: Reader, g: Any, u: Any, beta: Any = 1, threshold: Any = 20) -> Real:
    scale = r.scalar(beta)
    return entries(r, lambda a, b: apply("multiply", a, apply("sigmoid", apply("multiply", scale, b))), g, u)


@reads("log_sigmoid_forward.default")
def _log_sigmoid(r: Reader, u: Any) -> tuple[Real, None]:
    return entries(r, lambda a: apply("log_sigmoid", a), u), None


@reads("log_sigmoid_backward.default")
def _log_sigmoid_backward(r: Reader, g: Any, u: Any, buffer: Any = None) -> Real:
    return entries(r, lambda a, b: apply("multiply", a, apply("sigmoid", apply("multiply", number(-1), b))), g, u)


@reads("sigmoid_backward.default")
def _sigmoid_backward(r: Reader, g: Any, y: Any) -> Real:
    return entries(r, lambda a, b: apply("multiply", a, apply("multiply", b, apply("subtract", ONE, b))), g, y)


@reads("tanh_backward.default")
def _tanh_backward(r: Reader, g: Any, y: Any) -> Real:
    return entries(r, lambda a, b: apply("multiply", a, apply("subtract", ONE, apply("multiply", b, b))), g, y)
