"""Convex and concave formulas, by the rules of composition: sums, nonnegative multiples, increasing convex functions.

The rules are those of disciplined convex programming (Grant, Boyd, Ye 2006); what they do not reach is "unknown", and
is not said to be no. They speak of the entries of an expression as functions of one variable, on convex domains.
"""

from __future__ import annotations

from typing import Literal

from softmax_trick.deciding.ranges import range_of
from softmax_trick.language import expression as ex

Curvature = Literal["constant", "affine", "convex", "concave", "unknown"]

OPPOSITE: dict[Curvature, Curvature] = {"convex": "concave", "concave": "convex"}
CONVEX_AND_INCREASING = ("exp", "softplus", "relu", "expm1")
CONCAVE_AND_INCREASING = ("log", "sqrt", "log_sigmoid", "log1p")


def curvature(node: ex.Expression, by: ex.Variable) -> Curvature:
    """How every entry of an expression depends on a variable, as far as the rules tell."""
    if by not in node.variables:
        return "constant"
    match node:
        case ex.Variable():
            return "affine"
        case ex.Definition(_, meaning):
            return curvature(meaning, by)
        case ex.Transpose(argument) | ex.Diagonal(argument) | ex.Diag(argument) | ex.Spread(argument, _, _):
            return curvature(argument, by)
        case ex.Pick(argument, _) | ex.Entry(argument, _):
            return curvature(argument, by)
        case ex.Comprehension(_, body):
            return curvature(body, by)
        case ex.MatMul(left, right) | ex.Outer(left, right):
            return _product(left, right, by)
        case ex.Apply():
            return _entrywise(node, by)
        case ex.Call():
            return _named(node, by)
        case _:
            return "unknown"


def _sum(left: Curvature, right: Curvature) -> Curvature:
    for one, other in ((left, right), (right, left)):
        if one == "constant":
            return other
        if one == "affine" and other != "unknown":
            return other
    return left if left == right else "unknown"


def _negated(one: Curvature) -> Curvature:
    return OPPOSITE.get(one, one)


def _scaled(node: ex.Expression, factor: ex.Expression, by: ex.Variable) -> Curvature:
    """A product with something that does not depend on the variable."""
    one, between = curvature(node, by), range_of(factor)
    if one == "affine" or between.nonnegative:
        return one
    return _negated(one) if (-between).nonnegative else "unknown"


def _product(left: ex.Expression, right: ex.Expression, by: ex.Variable) -> Curvature:
    if by not in left.variables:
        return _scaled(right, left, by)
    if by not in right.variables:
        return _scaled(left, right, by)
    return "unknown"


def _entrywise(node: ex.Apply, by: ex.Variable) -> Curvature:
    u, *more = node.arguments
    inner = curvature(u, by)
    match node.function:
        case "add":
            return _sum(inner, curvature(more[0], by))
        case "subtract":
            return _sum(inner, _negated(curvature(more[0], by)))
        case "negative":
            return _negated(inner)
        case "multiply" if u == more[0]:
            return _squared(u, inner)
        case "multiply":
            for one, other in ((u, more[0]), (more[0], u)):  # u log u
                if isinstance(other, ex.Apply) and other.function == "log" and other.arguments[0] == one:
                    return "convex" if curvature(one, by) == "affine" else "unknown"
            return _product(u, more[0], by)
        case "divide" if by not in more[0].variables:
            return _scaled(u, more[0], by)
        case "square":
            return _squared(u, inner)
        case "power" if isinstance(more[0], ex.Number):
            value = more[0].value
            if value == 2:
                return _squared(u, inner)
            if inner == "affine" and value.denominator == 1 and value > 0 and value % 2 == 0:
                return "convex"
            if inner == "affine" and value >= 1 and range_of(u).nonnegative:
                return "convex"
            return "concave" if inner == "affine" and 0 < value < 1 else "unknown"
        case "log" if isinstance(u, ex.Call) and u.function == "softmax" and curvature(u.arguments[0], by) == "affine":
            slack = u.arguments[1:]
            return "concave" if not slack or range_of(slack[0]).nonnegative else "unknown"
        case function if function in CONVEX_AND_INCREASING:
            return "convex" if inner in ("affine", "convex") else "unknown"
        case function if function in CONCAVE_AND_INCREASING:
            return "concave" if inner in ("affine", "concave") else "unknown"
        case "abs" | "cosh":
            return "convex" if inner == "affine" else "unknown"
        case "maximum":
            return "convex" if {inner, curvature(more[0], by)} <= {"constant", "affine", "convex"} else "unknown"
        case "minimum":
            return "concave" if {inner, curvature(more[0], by)} <= {"constant", "affine", "concave"} else "unknown"
        case _:
            return "unknown"


def _squared(u: ex.Expression, inner: Curvature) -> Curvature:
    if inner == "affine" or (inner == "convex" and range_of(u).nonnegative):
        return "convex"
    return "convex" if inner == "concave" and (-range_of(u)).nonnegative else "unknown"


def _named(node: ex.Call, by: ex.Variable) -> Curvature:
    u, *more = node.arguments
    inner = curvature(u, by)
    match node.function:
        case "sum" | "mean" | "trace":
            return inner
        case "max" | "logsumexp":
            return "convex" if inner in ("affine", "convex") else "unknown"
        case "min":
            return "concave" if inner in ("affine", "concave") else "unknown"
        case "log_softmax":
            return "concave" if inner == "affine" else "unknown"
        case "norm":
            return "convex" if inner == "affine" else "unknown"
        case "dot":
            return _squared(u, inner) if u == more[0] else _product(u, more[0], by)
        case "softce" if by not in u.variables and curvature(more[0], by) == "affine":
            return "convex" if range_of(u).nonnegative else "unknown"
        case "entropy":
            return "concave" if inner == "affine" else "unknown"
        case _:
            return "unknown"
