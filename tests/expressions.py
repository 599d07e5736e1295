"""Hypothesis strategies: random expressions of the language, defined everywhere on the domains of their variables.

Every logarithm, root and denominator is of something positive, so that an expression has a value at every point: what
two readings of one expression say may then be compared. Axes are doubled (K and K'), indices bound and shadowed.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from hypothesis import strategies as st

from softmax_trick.language import expression as ex
from softmax_trick.language import functions as fn
from softmax_trick.language.expression import Expression, Index, variable

VARIABLES = (
    variable("a"),
    variable("tau", (), "positive"),
    variable("s", (), "unit"),
    variable("x", "K"),
    variable("d", "K"),
    variable("t", "K", "nonnegative"),
    variable("q", "K", "distribution"),
    variable("h", "D"),
    variable("W", "K,D"),
    variable("A", "K,K'"),
    variable("X", "N,K"),
    variable("P", "N,K", "distribution", "K"),
)
LABEL = variable("c", "", "label", "K")
LABELS = variable("b", "N", "label", "K")
AXES = ("K", "D", "N")
SHAPES: tuple[tuple[str, ...], ...] = ((), ("K",), ("D",), ("N",), ("K", "D"), ("N", "K"), ("K", "K"))

NUMBERS = st.sampled_from([Fraction(n) for n in (0, 1, 2, 3, -1, -2)] + [Fraction(1, 2), Fraction(-2, 3)])
SMOOTH = ("exp", "tanh", "sigmoid", "softplus", "square", "negative")
PIECEWISE = ("relu", "abs")


@st.composite
def expressions(
    draw: st.DrawFn,
    shape: tuple[str, ...] | None = None,
    depth: int = 3,
    derivatives: bool = True,
    piecewise: bool = False,
) -> Expression:
    """An expression.

    Args:
        draw: Hypothesis'.
        shape: its axes, up to primes; default: one of SHAPES.
        depth: at most so many levels (functions that are short for others count as one).
        derivatives: whether there may be derivatives.
        piecewise: whether there may be functions with kinks.
    """
    if shape is None:
        shape = draw(st.sampled_from(SHAPES))
    return _Maker(draw, derivatives, piecewise).any(tuple(map(ex.size_of, shape)), depth, ())


EXPONENTS: tuple[int | Fraction, ...] = (-1, Fraction(1, 2), -2)


class _Maker:
    def __init__(self, draw: st.DrawFn, derivatives: bool, piecewise: bool) -> None:
        self.draw, self.derivatives = draw, derivatives
        self.functions = SMOOTH + PIECEWISE if piecewise else SMOOTH

    def one_of(self, *options: Callable[[], Expression]) -> Expression:
        return self.draw(st.sampled_from(options))()

    def any(self, axes: tuple[str, ...], depth: int, bound: tuple[Index, ...]) -> Expression:
        """An expression with these axes, up to primes, in which these indices may occur."""
        if depth <= 0:
            return self.leaf(axes, bound)
        return self.one_of(
            lambda: self.leaf(axes, bound),
            lambda: self.entrywise(axes, depth - 1, bound),
            lambda: self.entrywise(axes, depth - 1, bound),
            lambda: self.structure(axes, depth - 1, bound),
            lambda: self.structure(axes, depth - 1, bound),
            lambda: self.derivative(axes, depth - 1, bound) if self.derivatives else self.leaf(axes, bound),
        )

    def leaf(self, axes: tuple[str, ...], bound: tuple[Index, ...]) -> Expression:
        found: list[Expression] = [one for one in VARIABLES if tuple(map(ex.size_of, one.axes)) == axes]
        found += [one.T for one in VARIABLES if len(axes) > 1 and tuple(map(ex.size_of, one.T.axes)) == axes]
        if not axes:
            found += [ex.Number(self.draw(NUMBERS)), ex.Size(self.draw(st.sampled_from(AXES)))]
            found += [variable("x", "K")[index] for index in bound if index.axis == "K"]
            found += [ex.delta(left, right) for left in bound for right in bound if left.axis == right.axis]
            found += [ex.delta(index, ex.Chosen(LABEL)) for index in bound if index.axis == "K"]
            found += [variable("x", "K")[LABEL], variable("x", "K")[1]]
            rows = [index for index in bound if index.axis == "N"]
            found += [variable("X", "N,K")[row, ex.Chosen(LABELS, (row,))] for row in rows]
        elif axes == ("K",):
            found += [ex.onehot(LABEL), ex.ones("K")]
        elif axes == ("N",):
            found += [ex.pick(variable("X", "N,K"), LABELS)]
        elif axes == ("N", "K"):
            found += [ex.onehot(LABELS)]
        elif len(set(axes)) == 1 and len(axes) == 2:
            found += [ex.identity(axes[0])]
        found = found or [ex.ones(*axes)]
        return self.draw(st.sampled_from(found))

    def positive(self, axes: tuple[str, ...], depth: int, bound: tuple[Index, ...]) -> Expression:
        inner = self.any(axes, depth - 1, bound)
        options = [lambda: fn.exp(inner), lambda: inner**2 + 1, lambda: fn.sigmoid(inner)]
        if axes:
            options.append(lambda: fn.softmax(inner))
        return self.one_of(*options)

    def entrywise(self, axes: tuple[str, ...], depth: int, bound: tuple[Index, ...]) -> Expression:
        def part() -> Expression:
            return self.any(axes, depth, bound)

        def either() -> Expression:
            return self.any(self.draw(st.sampled_from([axes, ()])), depth, bound)

        def piecewise() -> Expression:
            if "relu" not in self.functions:
                return part() - either()
            return self.one_of(
                lambda: fn.where(part() < either(), either(), either()),
                lambda: fn.maximum(part(), either()),
            )

        return self.one_of(
            lambda: part() + either(),
            lambda: either() - part(),
            lambda: either() * part(),
            lambda: part() / self.positive(axes, depth, bound),
            lambda: part() ** self.draw(st.sampled_from([2, 3])),
            lambda: self.positive(axes, depth, bound) ** self.draw(st.sampled_from(EXPONENTS)),
            lambda: fn.log(self.positive(axes, depth, bound)),
            lambda: ex.entrywise(self.draw(st.sampled_from(self.functions)), part()),
            lambda: fn.sqrt(self.positive(axes, depth, bound)),
            piecewise,
        )

    def structure(self, axes: tuple[str, ...], depth: int, bound: tuple[Index, ...]) -> Expression:
        def some(*shape: str) -> Expression:
            return self.any(shape, depth, bound)

        other = self.draw(st.sampled_from(AXES))
        options: list[Callable[[], Expression]] = []
        if len(axes) < 2:
            options += [lambda: self.summed(axes, other, depth, bound)]
            options += [lambda: self.comprehension(axes, depth, bound)] if axes else []
        if axes:
            options += [lambda: fn.softmax(some(*axes)), lambda: fn.log_softmax(some(*axes))]
            options += [lambda: fn.softmax(some(*axes), slack=self.positive((), depth, bound))]
        match axes:
            case ():
                options += [
                    lambda: fn.dot(some(other), some(other)),
                    lambda: some(other) @ some(other),
                    lambda: fn.trace(some(other, other)),
                    lambda: some("K")[LABEL],
                    lambda: fn.norm(self.positive((other,), depth, bound)),
                    lambda: fn.softce(some(other), some(other)),
                    lambda: fn.ce(some(other), self.positive((other,), depth, bound)),
                ]
                if bound:
                    options += [lambda: self.entry(depth, bound)]
            case (axis,):
                options += [
                    lambda: some(axis, other) @ some(other),
                    lambda: some(other) @ some(other, axis),
                    lambda: ex.diagonal(some(axis, axis)),
                ]
                if axis == "N":
                    options += [lambda: ex.pick(some("N", "K"), LABELS)]
            case (first, last):
                options += [
                    lambda: some(first, other) @ some(other, last),
                    lambda: some(last, first).T,
                    lambda: ex.outer(some(first), some(last)),
                    lambda: ex.rows(some(first), last),
                    lambda: ex.cols(some(last), first),
                    lambda: self.comprehension(axes, depth, bound),
                ]
                options += [lambda: ex.diag(some(first))] if first == last else []
        return self.one_of(*options)

    def summed(self, axes: tuple[str, ...], other: str, depth: int, bound: tuple[Index, ...]) -> Expression:
        if axes == (other,):
            other = "D" if other == "K" else "K"
        inner = self.any((*axes, other), depth, bound)
        function = self.draw(st.sampled_from(["sum", "mean", "logsumexp"]))
        return fn.named(function, inner, axes=(inner.axes[-1],))

    def comprehension(self, axes: tuple[str, ...], depth: int, bound: tuple[Index, ...]) -> Expression:
        names = self.draw(st.permutations(["i", "j", "k"]))
        own = tuple(Index(name, axis) for name, axis in zip(names, axes, strict=False))
        outer = tuple(index for index in bound if index.name not in {one.name for one in own})
        return ex.comprehension(own, self.any((), depth, outer + own))

    def entry(self, depth: int, bound: tuple[Index, ...]) -> Expression:
        index = self.draw(st.sampled_from(bound))
        if self.draw(st.booleans()):
            return self.any((index.axis,), depth, bound)[index]
        second = self.draw(st.sampled_from(bound))
        return self.any((index.axis, second.axis), depth, bound)[index, second]

    def derivative(self, axes: tuple[str, ...], depth: int, bound: tuple[Index, ...]) -> Expression:
        by = [one for one in VARIABLES if one.kind != "distribution"]
        fitting = [one for one in by if tuple(map(ex.size_of, one.axes)) == axes]

        def some(*shape: str) -> Expression:
            return self.any(shape, depth, bound)

        options: list[Callable[[], Expression]] = []
        if fitting:
            one = self.draw(st.sampled_from(fitting))
            options += [
                lambda: ex.gradient(some(), one),
                lambda: ex.vjp(some("K"), one, some("K")),
                lambda: ex.hvp(some(), one, self.fit(one.axes, depth, bound)),
            ]
        vector = self.draw(st.sampled_from([one for one in by if len(one.axes) == 1]))
        options += [lambda: ex.jvp(some(*axes), vector, some(*vector.axes))]
        if len(axes) == 2:
            last = [one for one in by if one.axes == axes[1:]]
            if last:
                options += [lambda: ex.jacobian(some(axes[0]), self.draw(st.sampled_from(last)))]
            if last and axes[0] == axes[1]:
                options += [lambda: ex.hessian(some(), self.draw(st.sampled_from(last)))]
        return self.one_of(*options)

    def fit(self, axes: tuple[str, ...], depth: int, bound: tuple[Index, ...]) -> Expression:
        """An expression with exactly these axes, primes included."""
        found = self.any(tuple(map(ex.size_of, axes)), depth, bound)
        return found if found.axes == axes else ex.ones(*axes)
