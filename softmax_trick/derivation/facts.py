"""What follows from a derivative: sums, bounds, Lipschitz constants, convexity, invariance. All of it is proved."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from softmax_trick.deciding.convexity import curvature
from softmax_trick.deciding.decision import decide, where_defined
from softmax_trick.deciding.ranges import Range, range_of
from softmax_trick.deciding.relations import decide_psd
from softmax_trick.derivation.contraction import text_length
from softmax_trick.derivation.forms import Form, form_of
from softmax_trick.derivation.recognition import recognised
from softmax_trick.language import expression as ex
from softmax_trick.language import functions as f
from softmax_trick.language.text import to_text
from softmax_trick.readings.canonical import TooLarge, Undefined

PIECEWISE = ("step", "less", "where", "relu", "abs", "sign", "maximum", "minimum", "clip", "max", "min")
JUMPING = ("step", "less", "where", "sign")
ZERO, HALF, ONE = ex.Number(Fraction(0)), ex.Number(Fraction(1, 2)), ex.Number(Fraction(1))
LONGEST = 24  # characters of a sum that is worth a line
MOST_OF_SLOPE = 40  # characters of a gradient that is differentiated once more to see what follows


@dataclass(frozen=True)
class Fact:
    """Something that follows.

    Attributes:
        text: what.
        because: by what it was shown.
        rung: how strong that is; "general" is for every size and all values.
    """

    text: str
    because: str
    rung: str = "general"

    def __str__(self) -> str:
        return f"{self.text} ({self.rung}: {self.because})"


def facts_of(
    function: ex.Expression,
    by: ex.Variable,
    forms: Mapping[ex.DerivativeKind, Form],
    names: tuple[ex.Definition, ...],
    until: float,
) -> Iterator[Fact]:
    """What follows from the derivatives of a formula by a variable.

    Args:
        function: the formula.
        by: the variable.
        forms: its derivatives, in the user's terms.
        names: definitions.
        until: when to stop (time.perf_counter).
    """
    kinds: tuple[Iterator[Fact], ...]
    if function.axes:
        kinds = (_invariance(function, by), _jacobian(function, by, forms["jacobian"].form))
    else:
        slope = forms["gradient"].form
        kinds = (
            _sums(by, slope, names),
            _bounds(function, by, slope),
            _invariance(function, by),
            _curvature(function, by, slope, names),
        )
    for kind in kinds:
        try:
            for fact in kind:
                yield fact
                if time.perf_counter() > until:
                    return
        except (Undefined, TooLarge, RecursionError, ex.LanguageError):
            continue


def _proved(left: ex.Expression, right: ex.Expression) -> bool:
    return decide(left, right).verdict == "proved"


# --- sums -------------------------------------------------------------------------------------------------------------


def _sums(by: ex.Variable, slope: ex.Expression | None, names: tuple[ex.Definition, ...]) -> Iterator[Fact]:
    """The sum of the gradient along each of its axes."""
    for axis in by.axes if slope is not None else ():
        if slope is None or slope.axes.count(axis) > 1:
            continue
        found = form_of(f.total(slope, axis), names).form
        while isinstance(found, ex.Spread):
            found = found.argument
        if found is not None and by not in found.variables and text_length(found) <= LONGEST:
            over = f" over {axis}" if len(by.axes) > 1 else ""
            yield Fact(f"the gradient sums to {to_text(found)}{over}", "decided")


# --- bounds and Lipschitz constants -----------------------------------------------------------------------------------


def _bounds(function: ex.Expression, by: ex.Variable, slope: ex.Expression | None) -> Iterator[Fact]:
    if slope is None:
        return
    between = range_of(slope)
    if between.low is None or between.high is None:
        if between.nonnegative or (-between).nonnegative:
            sign = ">" if between.positive else ">=" if between.nonnegative else "<" if between.negative else "<="
            yield Fact(f"the gradient is {sign} 0", "ranges of its parts")
        return
    if between.low == between.high:
        return
    entries = "every entry of the gradient lies" if by.axes else "the derivative lies"
    yield Fact(f"{entries} in {interval(between)}", "ranges of its parts")
    if _uses(function, JUMPING) or where_defined(function):
        return
    largest = max(abs(between.low), abs(between.high))
    norm = " in the 1-norm" + (" of the entries" if len(by.axes) > 1 else "") if by.axes else ""
    yield Fact(f"Lipschitz with constant {largest}{norm}", "the bound of the gradient")


def interval(between: Range) -> str:
    """An interval in the usual brackets."""
    return f"{'(' if between.low_open else '['}{between.low}, {between.high}{')' if between.high_open else ']'}"


def _uses(expression: ex.Expression, functions: tuple[str, ...]) -> bool:
    return any(isinstance(node, ex.Apply | ex.Call) and node.function in functions for node in expression.nodes())


# --- invariance -------------------------------------------------------------------------------------------------------


def _invariance(function: ex.Expression, by: ex.Variable) -> Iterator[Fact]:
    """Whether the formula stays the same when its variable is shifted, or scaled."""
    if by.kind not in ("real", "positive", "nonnegative") or any(
        isinstance(n, ex.Derivative) for n in function.nodes()
    ):
        return
    taken = {one.name for one in function.variables}
    name = next(name for name in ("a", "b", *(f"a{n}" for n in range(99))) if name not in taken)
    if by.kind == "real":
        for axis in dict.fromkeys(by.axes):
            shift = _along(name, axis, by)
            if shift is not None and _proved(_replaced(function, by, by + shift), function):
                along = f" of each {_other(by, axis)}" if len(by.axes) > 1 else ""
                yield Fact(f"invariant under {by.name} + a: the same number added to all entries{along}", "decided")
    scale = ex.variable(name, (), "positive")
    if _proved(_replaced(function, by, scale * by), function):
        yield Fact(f"invariant under a*{by.name}, a > 0", "decided")


def _along(name: str, axis: str, by: ex.Variable) -> ex.Expression | None:
    """A shift that is constant along an axis and free along the others."""
    if by.axes.count(axis) > 1 or len(by.axes) > 2:
        return None
    others = tuple(one for one in by.axes if one != axis)
    shift = ex.variable(name, others)
    return shift if not others else ex.Spread(shift, axis, by.axes.index(axis))


def _other(by: ex.Variable, axis: str) -> str:
    return "row" if by.axes.index(axis) == 1 else "column"


def _replaced(expression: ex.Expression, by: ex.Variable, other: ex.Expression) -> ex.Expression:
    if expression == by:
        return other
    return expression.rebuilt(lambda child: _replaced(child, by, other))


# --- curvature --------------------------------------------------------------------------------------------------------


def _curvature(
    function: ex.Expression, by: ex.Variable, slope: ex.Expression | None, names: tuple[ex.Definition, ...]
) -> Iterator[Fact]:
    bent = curvature(function, by)
    if bent in ("convex", "concave", "affine"):
        yield Fact(f"{bent} in {by.name}", "the rules of composition")
    raw = ex.hessian(function, by)
    if slope is None or text_length(slope) > MOST_OF_SLOPE or len(by.axes) > 1:
        return
    if bent == "affine" or _uses(function, PIECEWISE) or where_defined(raw):
        return
    soft = [node for node in slope.nodes() if node.axes == by.axes and _is_softmax(node)]
    short = tuple(ex.Definition("y_", one) for one in soft[:1] if not isinstance(one, ex.Definition))
    form = form_of(raw, (*names, *short)).form
    if form is not None:
        if bent == "unknown":
            yield from _definite(form, by)
        yield from _smoothness(form, by)


def _definite(form: ex.Expression, by: ex.Variable) -> Iterator[Fact]:
    """Convex or concave, by the Hessian: on the whole domain, which is convex."""
    for word, matrix in (("convex", form), ("concave", -form)):
        if not by.axes:
            if range_of(matrix).nonnegative:
                yield Fact(f"{word} in {by.name}", "the sign of the second derivative")
                return
        elif decide_psd(matrix).verdict == "proved":
            yield Fact(f"{word} in {by.name}", "its Hessian is positive semidefinite, or the opposite of one that is")
            return


def _smoothness(form: ex.Expression, by: ex.Variable) -> Iterator[Fact]:
    """The Lipschitz constant of the gradient, from a Hessian s (diag(y) - y y^T) or diag(h)."""
    if not by.axes:
        largest = _largest(form)
        if largest is not None:
            yield Fact(f"the derivative is Lipschitz with constant {largest}", "the bound of the second derivative")
        return
    yield from _lemma(form, "the gradient is ")
    if isinstance(form, ex.Diag):
        largest = _largest(form.argument)
        if largest is not None:
            yield Fact(f"the gradient is Lipschitz with constant {largest} in the 2-norm", "the Hessian is diagonal")


def _scaled(form: ex.Expression) -> tuple[ex.Expression, ex.Expression]:
    """A matrix and the scalar in front of it."""
    match form:
        case ex.Apply("multiply", (u, v)) if not u.axes:
            matrix, scale = _scaled(v)
            return matrix, u if scale == ONE else u * scale
        case ex.Apply("divide", (u, v)) if not v.axes:
            matrix, scale = _scaled(u)
            return matrix, scale / v
    return form, ONE


def _is_softmax(y: ex.Expression) -> bool:
    """Nonnegative entries with a sum of at most 1."""
    inner = recognised(y.meaning) if isinstance(y, ex.Definition) else y
    return isinstance(inner, ex.Call) and inner.function == "softmax" and range_of(inner).nonnegative


def _largest(h: ex.Expression) -> Fraction | None:
    """A bound of the entries' absolute values, if there is one: s (1 - s) <= 1/4 for s in [0, 1]."""
    match h:
        case ex.Apply("multiply", (u, v)) if v in (1 - u, _complement(u)) and interval(range_of(u)) in (
            "(0, 1)",
            "[0, 1]",
        ):
            return Fraction(1, 4)
    between = range_of(h)
    if between.low is None or between.high is None:
        return None
    return max(abs(between.low), abs(between.high))


def _complement(u: ex.Expression) -> ex.Expression:
    return ex.entrywise("sigmoid", -u.arguments[0]) if isinstance(u, ex.Apply) and u.function == "sigmoid" else 1 - u


# --- of vectors -------------------------------------------------------------------------------------------------------


def _jacobian(function: ex.Expression, by: ex.Variable, form: ex.Expression | None) -> Iterator[Fact]:
    if form is None or len(form.axes) != 2:
        return
    rows, columns = form.axes
    square = ex.size_of(rows) == ex.size_of(columns)
    if square and _proved(form, ex.Transpose(form)):
        yield Fact("the Jacobian is symmetric: it is the gradient of something", "decided")
    for place, word in ((0, "columns"), (1, "rows")):
        sums = ex.Call("sum", (form,), (place,), (form.axes[1 - place],))
        if _proved(sums, ZERO):
            yield Fact(f"the {word} of the Jacobian sum to 0", "decided")
    if square:
        soft = [node for node in form.nodes() if node.axes == (rows,) and _is_softmax(node)]
        short = tuple(ex.Definition("y_", one) for one in soft[:1] if not isinstance(one, ex.Definition))
        named = form_of(form, short).form if short else form
        yield from () if named is None else _lemma(named, "")


def _lemma(form: ex.Expression, whose: str) -> Iterator[Fact]:
    """The Lipschitz constant from a Jacobian s (diag(y) - y y^T), s >= 0."""
    matrix, scale = _scaled(form)
    match matrix:
        case ex.Apply("subtract", (ex.Diag(y), ex.Outer(left, right))) if y == left == right and _is_softmax(y):
            constant = form_of(scale * HALF).form
            if constant is not None and range_of(scale).nonnegative:
                because = "the eigenvalues of diag(y) - y y^T lie in [0, 1/2]"
                yield Fact(f"{whose}Lipschitz with constant {to_text(constant)} in the 2-norm", because)
