"""Functions that are written out, recognised: exp(u)/sum(exp(u)) is softmax(u), log(1 + exp(u)) is softplus(u)."""

from __future__ import annotations

from fractions import Fraction

from softmax_trick.language import functions as f
from softmax_trick.language.expression import Apply, Call, Expression, Number, Spread

ONE = Number(Fraction(1))


def recognised(expression: Expression) -> Expression:
    """The expression with functions that it writes out under their names."""
    inner = expression.rebuilt(recognised)
    found = _recognised(inner)
    return inner if found is None else found


def _recognised(node: Expression) -> Expression | None:
    match node:
        case Apply("divide", (Apply("exp", (u,)), below)):
            return _quotient(u, below)
        case Apply("divide", (above, Apply("add", (first, Apply("exp", (Apply("negative", (u,)),)))))) if (
            above == first == ONE
        ):
            return f.sigmoid(u)
        case Apply("log", (Call("sum", (Apply("exp", (u,)),), positions, axes),)):
            return Call("logsumexp", (u,), positions, axes)
        case Apply("log", (Apply("add", (first, Apply("exp", (u,)))),)) if first == ONE:
            return f.softplus(u)
        case Apply("log", (Apply("sigmoid", (u,)),)):
            return f.log_sigmoid(u)
        case Apply("sqrt", (Call("sum", (Apply("power" | "square", (u, *rest)),), positions, axes),)) if rest in (
            [],
            [Number(Fraction(2))],
        ):
            return Call("norm", (u,), positions, axes)
    return None


def _quotient(u: Expression, below: Expression) -> Expression | None:
    """exp(u) / below."""
    slack: Expression | None = None
    match below:
        case Apply("add", (first, Apply("exp", (v,)))) if first == ONE and u == v:
            return f.sigmoid(u)
        case Apply("add", (Apply("exp", (v,)), first)) if first == ONE and u == v:
            return f.sigmoid(u)
        case Apply("add", (slack, Call("sum") as below)):
            pass
        case Apply("add", (Call("sum") as below, slack)):
            pass
    axis = None
    if isinstance(below, Spread):
        axis, below = below.position, below.argument
    match below:
        case Call("sum", (Apply("exp", (v,)),), (place,)) if u == v and (axis == place or len(u.axes) == 1):
            return Call("softmax", (u,) if slack is None else (u, slack), (place,), u.axes)
    return None
