"""Expressions in a form that floating point can evaluate: the same values, without overflow and needless cancellation.

log(softmax(x)) is log_softmax(x), exp(x)/(C + sum(exp(x))) a softmax with slack, log(sum(n*exp(x))) the logsumexp of
x + log(n), 1 - sigmoid(x) is sigmoid(-x); (A @ B) @ v is A @ (B @ v), and diag(v) @ u is v*u.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from softmax_trick.deciding.ranges import range_of
from softmax_trick.derivation.recognition import ONE, recognised
from softmax_trick.language import expression as ex
from softmax_trick.language import functions as f
from softmax_trick.language.functions import unfolded

WRITTEN_OUT = frozenset({"ce", "softce", "kl", "entropy", "trace"})  # no framework has them as they are meant here


def stable(expression: ex.Expression) -> ex.Expression:
    """The expression in a form that floating point can evaluate. Its names keep their meaning, in such a form."""
    if isinstance(expression, ex.Call) and expression.function in WRITTEN_OUT:
        meaning = unfolded(expression)
        if meaning is not None:
            return stable(meaning)
    inner = recognised(expression.rebuilt(stable))
    found = _stable(inner)
    return inner if found is None else found


def _stable(node: ex.Expression) -> ex.Expression | None:
    match node:
        case ex.Apply("log", (u,)):
            found, rest = logarithm(u), _rest(u)
            return found if found is not None or rest is None else f.log1p(rest)
        case ex.Apply("divide", (ex.Apply("negative", (u,)), v)):
            quotient = _stable(u / v)
            return None if quotient is None else -quotient
        case ex.Apply("divide", (ex.Apply("sinh", (u,)), v)):
            quotient = _quotient(f.cosh(u), v)
            return None if quotient is None else f.tanh(u) * quotient
        case ex.Apply("divide", (u, v)):
            return _quotient(u, v)
        case ex.Apply("subtract", (first, u)) if first == ONE:
            inner = meaning_of(u)
            return (
                f.sigmoid(-inner.arguments[0]) if isinstance(inner, ex.Apply) and inner.function == "sigmoid" else None
            )
        case ex.Apply("subtract", (ex.Apply("exp", (u,)), last)) if last == ONE:
            return f.expm1(u)
        case ex.MatMul(ex.Diag(v), u) if len(u.axes) == len(v.axes) == 1:
            return v * u
        case ex.MatMul(ex.MatMul(a, b), v) if len(v.axes) == 1:
            return _product(a, _product(b, v))
    return None


def _product(left: ex.Expression, right: ex.Expression) -> ex.Expression:
    product = ex.MatMul(left, right)
    found = _stable(product)
    return product if found is None else found


def _quotient(u: ex.Expression, v: ex.Expression) -> ex.Expression | None:
    """u/v without a quotient of exponentials: as a softmax, as exp(log(u) - log(v)), or term by term."""
    above, below = logarithm(u), logarithm(v)
    if above is not None and below is not None:
        inner = below.argument if isinstance(below, ex.Spread) else below
        match inner:
            case ex.Call("logsumexp", (x,), (place,)) if x == above and (
                below.position == place if isinstance(below, ex.Spread) else len(x.axes) == 1
            ):
                return ex.Call("softmax", (x,), (place,), x.axes)
        return f.exp(above - below)
    match u:
        case ex.Call("sum" | "dot", (w, *others), positions, axes) if below is not None:
            for place in positions:
                v = ex.Spread(v, w.axes[place], place)
            term = _quotient(w * others[0] if others else w, v)
            return None if term is None else ex.Call("sum", (term,), positions, axes)
        case ex.MatMul(a, w) if below is not None and not v.axes:
            left, right = _quotient(a, v), _quotient(w, v)
            return ex.MatMul(left, w) if left is not None else ex.MatMul(a, right) if right is not None else None
        case ex.Apply("add" | "subtract" as function, (a, b)) if below is not None:
            left, right = _stable(a / v), _stable(b / v)
            if left is None and right is None:
                return None
            return ex.entrywise(function, a / v if left is None else left, b / v if right is None else right)
    factors = [*_factors(u, 1), *_factors(v, -1)]
    exponents = [(log, power) for factor, power in factors if (log := logarithm(factor)) is not None]
    positive = [power * log if power != 1 else log for log, power in exponents if power > 0]
    negative = [-power * log if power != -1 else log for log, power in exponents if power < 0]
    if not negative:
        return None
    if not positive:
        below = None if (rest := _rest(v)) is None else logarithm(rest)
        return None if below is None else f.sigmoid(-below) if u == ONE else u * f.sigmoid(-below)
    exponent = positive[0]
    for more in positive[1:]:
        exponent = exponent + more
    for less in negative:
        exponent = exponent - less
    result = f.exp(exponent)
    for factor, power in factors:
        if logarithm(factor) is None:
            result = factor * result if power == 1 else result / factor if power == -1 else factor**power * result
    return result


def _factors(node: ex.Expression, power: Fraction | int) -> list[tuple[ex.Expression, Fraction | int]]:
    """The factors of a product to a power, and the power of each."""
    match node:
        case ex.Apply("multiply", (u, v)):
            return [*_factors(u, power), *_factors(v, power)]
        case ex.Apply("divide", (u, v)):
            return [*_factors(u, power), *_factors(v, -power)]
        case ex.Apply("power", (u, ex.Number(exponent))):
            return _factors(u, exponent * power)
        case ex.Apply("square", (u,)):
            return _factors(u, 2 * power)
    return [(node, power)]


def _log_sum(left: ex.Expression, right: ex.Expression) -> ex.Expression:
    """log(exp(left) + exp(right))."""
    return right + f.softplus(left - right)


def _rest(u: ex.Expression) -> ex.Expression | None:
    """v of 1 + v."""
    match u:
        case ex.Apply("add", (first, v)) if first == ONE:
            return v
        case ex.Apply("add", (v, last)) if last == ONE:
            return v
    return None


def meaning_of(node: ex.Expression) -> ex.Expression:
    """What a name stands for; anything else as it is."""
    return meaning_of(node.meaning) if isinstance(node, ex.Definition) else node


def logarithm(u: ex.Expression) -> ex.Expression | None:
    """log(u) without the exponentials in u: those of softmax, sigmoid, sums of exponentials; None if it has none."""
    match meaning_of(u):
        case ex.Call("softmax", (x,), positions, axes):
            return ex.Call("log_softmax", (x,), positions, axes)
        case ex.Call("softmax", (x, slack), positions):
            below = _log_sum(f.log(slack), ex.Call("logsumexp", (x,), positions, _left(x.axes, positions)))
            for place in positions:
                below = ex.Spread(below, x.axes[place], place)
            return x - below
        case ex.Call("sum", (v,), positions, axes):
            inner = logarithm(v)
            return None if inner is None else ex.Call("logsumexp", (inner,), positions, axes)
        case ex.Call("dot", (v, w), positions, axes):
            inner = logarithm(v * w)
            return None if inner is None else ex.Call("logsumexp", (inner,), positions, axes)
        case ex.Call("mean", (v,), positions, axes):
            summed = logarithm(ex.Call("sum", (v,), positions, axes))
            for place in positions:
                summed = None if summed is None else summed - f.log(ex.Size(ex.size_of(v.axes[place])))
            return summed
        case ex.Apply("sigmoid", (v,)):
            return f.log_sigmoid(v)
        case ex.Apply("exp", (v,)):
            return v
        case ex.Apply("power", (v, ex.Number() as exponent)) if (inner := logarithm(v)) is not None:
            return exponent * inner
        case ex.Apply("cosh", (v,)):
            return f.absolute(v) + f.log1p(f.exp(-2 * f.absolute(v))) - f.log(2)
        case ex.Apply("add" | "multiply" | "divide" as function, (v, w)):
            left, right = logarithm(v), logarithm(w)
            if (left is None and right is None) or not (range_of(v).positive and range_of(w).positive):
                return None
            left, right = f.log(v) if left is None else left, f.log(w) if right is None else right
            if function == "add":
                return f.softplus(right) if v == ONE else f.softplus(left) if w == ONE else _log_sum(left, right)
            return left + right if function == "multiply" else left - right
        case ex.Pick() | ex.Entry() | ex.Transpose() | ex.Spread() as node:
            inner = logarithm(node.children[0])
            return None if inner is None else replace(node, argument=inner)
    return None


def _left(axes: tuple[str, ...], positions: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(axis for place, axis in enumerate(axes) if place not in positions)
