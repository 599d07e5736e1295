"""Random formulas of every kind, typed: what the readings of the language are tried on.

`Generator(random).expression(axes, depth)` gives a formula with these axes. All operators occur: several axes, an axis
twice, labels, deltas, comprehensions, definitions, derivatives nested up to twice. Denominators, roots and arguments of
logarithms are mostly built positive, so that most formulas have a value at most points; not all have one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

from softmax_trick.language import expression as e
from softmax_trick.language import functions as f
from softmax_trick.language.expression import Expression, Index, IndexTerm

SIZES = ("K", "D", "N")
VARIABLES = (
    e.variable("a"),
    e.variable("s", (), "positive"),
    e.variable("q", (), "unit"),
    e.variable("x", "K"),
    e.variable("v", "K"),
    e.variable("p", "K", "positive"),
    e.variable("t", "K", "nonnegative"),
    e.variable("y", "K", "distribution"),
    e.variable("h", "D"),
    e.variable("g", "N"),
    e.variable("W", "K,D"),
    e.variable("S", "K,K"),
    e.variable("M", "D,D", "positive"),
    e.variable("X", "N,K"),
    e.variable("P", "N,K", "distribution"),
)
LABELS = (e.variable("c", (), "label", "K"), e.variable("b", "N", "label", "K"))
NUMBERS = (0, 1, 1, 2, 2, 3, -1, -2, Fraction(1, 2), Fraction(2, 3), Fraction(-1, 3))
EXPONENTS = (2, 3, -1, -2, Fraction(1, 2), Fraction(-1, 2), Fraction(3, 2), 0, 1)
SMOOTH = ("tanh", "sigmoid", "softplus", "log_sigmoid", "silu", "square", "negative", "sinh", "cosh", "expm1", "exp")
PIECEWISE = ("relu", "abs", "sign", "step")


class Generator:
    """Random formulas.

    Args:
        random: the source of chance.
        piecewise: whether relu, abs, where, largest, ... occur.
        derivatives: how deep derivatives are nested.
        most_axes: how many axes there are at most.
    """

    def __init__(self, random: Random, *, piecewise: bool = True, derivatives: int = 2, most_axes: int = 3) -> None:
        self._random, self._piecewise, self._most = random, piecewise, most_axes
        self._derivatives = derivatives
        self._scope: tuple[Index, ...] = ()
        self._names = 0

    def axes(self) -> tuple[str, ...]:
        """Axes: none, one or two, an axis twice among them."""
        return tuple(self._random.choice(SIZES) for _ in range(self._random.choice((0, 0, 1, 1, 1, 2))))

    def expression(self, axes: tuple[str, ...], depth: int = 4) -> Expression:
        """A formula with these axes."""
        if depth <= 0 or self._random.random() < 0.1:
            return self.leaf(axes)
        ways = [self._entrywise] * 5 + [self._reduction] * 2 + [self._derivative] * 2 + [self._scaled, self._defined]
        ways += [self._linear_algebra] * 3 if axes else [self._entry, self._labelled, self._trace]
        ways += [] if axes else [self._sum_over_an_index] * (9 if self._scope else 3)
        ways += [self._normalized, self._comprehension] if axes else [self._delta]
        for _ in range(20):
            found = self._random.choice(ways)(axes, depth - 1)
            if found is not None:
                assert found.axes == axes
                return found
        return self.leaf(axes)

    def positive(self, axes: tuple[str, ...], depth: int) -> Expression:
        """A formula that is positive, wherever it has a value."""
        choice = self._random.randrange(7)
        variables = [one for one in VARIABLES if one.axes == axes and one.kind == "positive"]
        if depth <= 0 or choice == 0:
            return self._random.choice(variables) if variables else 2 + f.square(self.leaf(axes))
        if choice == 1:
            return 1 + f.square(self.expression(axes, depth - 1))
        if choice == 2:
            return self.positive(axes, depth - 1) + self.positive(axes, depth - 1)
        if choice == 3:
            return self.positive(axes, depth - 1) * self.positive(axes, depth - 1)
        if choice == 4 and axes and axes.count(axes[-1]) == 1:
            return f.softmax(self.expression(axes, depth - 1))
        if choice == 5 and len(axes) < self._most:
            return self._sum_of_positives(axes, depth)
        return f.exp(self.expression(axes, depth - 1))

    def leaf(self, axes: tuple[str, ...]) -> Expression:
        """A variable, a number, a one-hot vector, ... with these axes."""
        fitting: list[Expression] = [one for one in VARIABLES if one.axes == axes]
        if self._scope and not axes and self._random.random() < 0.7:
            return self._entry_of_a_variable()
        fitting += [e.onehot(one) for one in LABELS if (*one.axes, one.into) == axes]
        fitting += [e.pick(one, label) for one in VARIABLES for label in LABELS if self._picks(one, label, axes)]
        if not axes:
            fitting += [e.as_expression(self._random.choice(NUMBERS)), e.Size(self._random.choice(SIZES))]
        if len(axes) == 2:
            fitting += [self.leaf(axes[::-1]).T] if self._random.random() < 0.3 else []
            fitting += [e.identity(axes[0])] if axes[0] == axes[1] else []
            fitting += [e.rows(self.leaf(axes[:1]), axes[1]), e.cols(self.leaf(axes[1:]), axes[0])]
        if not fitting:
            fitting = [e.Spread(self.leaf(axes[:-1]), axes[-1], len(axes) - 1)]
        return self._random.choice(fitting)

    @staticmethod
    def _picks(one: e.Variable, label: e.Variable, axes: tuple[str, ...]) -> bool:
        return label.axes == axes and one.axes == (*axes, label.into)

    def _sum_of_positives(self, axes: tuple[str, ...], depth: int) -> Expression:
        place = self._random.randrange(len(axes) + 1)
        axis = self._random.choice([one for one in SIZES if one not in axes] or [f"{axes[0]}_"])
        return f.total(self.positive((*axes[:place], axis, *axes[place:]), depth - 1), axis)

    def _scaled(self, axes: tuple[str, ...], depth: int) -> Expression:
        return self.expression(axes, depth) * self._random.choice(NUMBERS)

    def _entrywise(self, axes: tuple[str, ...], depth: int) -> Expression:
        choice = self._random.random()
        if choice < 0.25:
            return self._either(axes, depth) + self.expression(axes, depth)
        if choice < 0.35:
            return self.expression(axes, depth) - self._either(axes, depth)
        if choice < 0.6:
            return self._either(axes, depth) * self.expression(axes, depth)
        if choice < 0.7:
            return self.expression(axes, depth) / self.positive(self._random.choice((axes, ())), depth)
        if choice < 0.75:
            return f.log(self.positive(axes, depth))
        if choice < 0.8:
            return f.sqrt(self.positive(axes, depth))
        if choice < 0.84:
            return self.positive(axes, depth) ** self._random.choice(EXPONENTS)
        if choice < 0.86:
            return self.positive(axes, depth) ** self._either(axes, depth)
        if choice < 0.88:
            return self.expression(axes, depth) ** self._random.choice(EXPONENTS)
        if choice < 0.9:  # of unknown sign: no value at many points
            inner = self._random.choice((self.expression, lambda a, d: self.expression(a, d) ** 2))(axes, depth)
            return self._random.choice((f.log, f.sqrt, lambda u: u ** self._random.choice(EXPONENTS)))(inner)
        if self._piecewise and choice < 0.93:
            return self._pieces(axes, depth)
        return e.entrywise(self._random.choice(SMOOTH), self.expression(axes, depth))

    def _pieces(self, axes: tuple[str, ...], depth: int) -> Expression:
        choice = self._random.randrange(4)
        if choice == 0:
            return f.where(self.expression(axes, depth) < 0, self.expression(axes, depth), self._either(axes, depth))
        if choice == 1:
            return f.clip(self.expression(axes, depth), -1, self._random.choice((1, 2)))
        if choice == 2:
            name = self._random.choice(("maximum", "minimum"))
            return e.entrywise(name, self.expression(axes, depth), self._either(axes, depth))
        return e.entrywise(self._random.choice(PIECEWISE), self.expression(axes, depth))

    def _either(self, axes: tuple[str, ...], depth: int) -> Expression:
        """With these axes, or now and then a scalar."""
        return self.expression(axes if self._random.random() < 0.8 else (), depth)

    def _normalized(self, axes: tuple[str, ...], depth: int) -> Expression | None:
        places = [axis for axis in axes if axes.count(axis) == 1]
        if not places:
            return None
        axis = self._random.choice(places)
        if self._random.random() < 0.2:
            return f.softmax(self.expression(axes, depth), axis, slack=self.positive((), depth))
        return self._random.choice((f.softmax, f.log_softmax))(self.expression(axes, depth), axis)

    def _reduction(self, axes: tuple[str, ...], depth: int) -> Expression | None:
        if len(axes) >= self._most:
            return None
        place = self._random.randrange(len(axes) + 1)
        free = [axis for axis in SIZES if axis not in axes]
        if not free:
            return None
        axis = self._random.choice(free)
        inner = (*axes[:place], axis, *axes[place:])
        if not axes and self._random.random() < 0.3:
            other = self._random.choice(SIZES)  # a sum over two axes, the same one twice among them
            return self._random.choice((f.total, f.mean))(self.expression((axis, other), depth))
        ways: list[Callable[[], Expression]] = [
            lambda: f.total(self.expression(inner, depth), axis),
            lambda: f.total(self.expression(inner, depth), axis),
            lambda: f.mean(self.expression(inner, depth), axis),
            lambda: f.logsumexp(self.expression(inner, depth), axis),
            lambda: f.dot(self.expression(inner, depth), self.expression(inner, depth), axis),
            lambda: f.norm(self.expression(inner, depth), axis),
            lambda: f.softce(self.expression(inner, depth), self.expression(inner, depth), axis),
            lambda: f.named("kl", self.positive(inner, depth), self.positive(inner, depth), axes=(axis,)),
            lambda: f.named("entropy", self.positive(inner, depth), axes=(axis,)),
            lambda: f.ce(self.expression(inner, depth), self.positive(inner, depth), axis),
        ]
        if self._piecewise:
            ways.append(lambda: f.largest(self.expression(inner, depth), axis))
            ways.append(lambda: f.named("min", self.expression(inner, depth), axes=(axis,)))
        return self._random.choice(ways)()

    def _linear_algebra(self, axes: tuple[str, ...], depth: int) -> Expression | None:
        cut = self._random.randrange(len(axes) + 1)
        axis = self._random.choice(SIZES)
        match self._random.randrange(5):
            case 0 if len(axes) < self._most:
                return self.expression((*axes[:cut], axis), depth) @ self.expression((axis, *axes[cut:]), depth)
            case 1 if 0 < cut < len(axes):
                return e.outer(self.expression(axes[:cut], depth), self.expression(axes[cut:], depth))
            case 2 if len(axes) == 2:
                return self.expression(axes[::-1], depth).T
            case 3 if len(axes) >= 2 and axes[-1] == axes[-2]:
                return e.diag(self.expression(axes[:-1], depth))
            case 3 if len(axes) < self._most:
                return e.diagonal(self.expression((*axes, axes[-1]), depth))
            case 4:
                place = self._random.randrange(len(axes))
                return e.Spread(self.expression(axes[:place] + axes[place + 1 :], depth), axes[place], place)
        return None

    def _trace(self, axes: tuple[str, ...], depth: int) -> Expression:
        axis = self._random.choice(SIZES)
        return f.trace(self.expression((axis, axis), depth))

    def _labelled(self, axes: tuple[str, ...], depth: int) -> Expression | None:
        fitting = [label for label in LABELS if label.axes == axes]
        if not fitting:
            return None
        label = self._random.choice(fitting)
        return e.pick(self.expression((*axes, label.into), depth), label)

    def _term(self, axis: str, depth: int = 1) -> IndexTerm:
        """An index over an axis: a bound one, a labelled one, or the first."""
        terms: list[IndexTerm] = [*(index for index in self._scope if index.axis == axis)] * 3
        for label in LABELS:
            if label.into == axis and (not label.axes or depth > 0):
                terms.append(e.Chosen(label, tuple(self._term(one, depth - 1) for one in label.axes)))
        return self._random.choice(terms or [e.Numbered(1, axis)])

    def _entry(self, axes: tuple[str, ...], depth: int) -> Expression:
        inner = tuple(self._random.choice(SIZES) for _ in range(self._random.choice((1, 1, 2))))
        return e.entry_of(self.expression(inner, depth), *map(self._term, inner))

    def _entry_of_a_variable(self) -> Expression:
        """x[i], S[i, j], ... at indices in scope, as far as there are such; those of matrices mostly differ."""
        bound = [index.axis for index in self._scope]
        fitting = [one for one in VARIABLES if one.axes and set(one.axes) <= set(bound)]
        matrices = [one for one in fitting if len(one.axes) == 2 and all(bound.count(a) > 1 for a in one.axes)]
        one = self._random.choice(matrices or fitting or [one for one in VARIABLES if one.axes])
        if matrices and one.axes[0] == one.axes[1]:
            return e.entry_of(one, *self._random.sample([i for i in self._scope if i.axis == one.axes[0]], 2))
        return e.entry_of(one, *map(self._term, one.axes))

    def _sum_over_an_index(self, axes: tuple[str, ...], depth: int) -> Expression:
        """sum[i:K] of a body, or another reduction of it: how sums over one axis come to stand inside each other."""
        axis = self._random.choice(("K", "K", "D", "N"))
        if self._scope and self._random.random() < 0.6:
            axis = self._scope[-1].axis
        vector = self._comprehension((axis,), depth)
        ways = [f.total, f.total, f.mean, f.logsumexp, f.norm] + ([f.largest] if self._piecewise else [])
        return self._random.choice(ways)(vector)

    def _delta(self, axes: tuple[str, ...], depth: int) -> Expression:
        axis = self._random.choice([index.axis for index in self._scope] or ["K"])
        return e.delta(self._term(axis), self._term(axis))

    def _comprehension(self, axes: tuple[str, ...], depth: int) -> Expression:
        outside = self._scope
        # Now and then an inner index shadows an outer one.
        used = {index.name for index in outside} if self._random.random() < 0.8 else set()
        names = self._random.sample([name for name in "ijklmn" if name not in used], len(axes))
        indices = tuple(Index(name, axis) for name, axis in zip(names, axes, strict=True))
        self._scope = tuple(index for index in outside if index.name not in names) + indices
        try:
            return e.comprehension(indices, self.expression((), depth))
        finally:
            self._scope = outside

    def _defined(self, axes: tuple[str, ...], depth: int) -> Expression:
        outside, self._scope = self._scope, ()  # a definition has a meaning of its own: no index is free in it
        self._names += 1
        try:
            return e.Definition(f"u{self._names}", self.expression(axes, depth))
        finally:
            self._scope = outside

    def _derivative(self, axes: tuple[str, ...], depth: int) -> Expression | None:
        if self._derivatives == 0:
            return None
        self._derivatives -= 1
        try:
            return self._one_derivative(axes, depth)
        finally:
            self._derivatives += 1

    def _one_derivative(self, axes: tuple[str, ...], depth: int) -> Expression | None:
        chance, others = self._random, [one for one in VARIABLES if one.kind != "distribution"]
        same = [one for one in others if one.axes == axes]
        last = [one for one in others if one.axes and one.axes == axes[len(axes) - len(one.axes) :]]
        small = [one for one in others if len(one.axes) <= 1]
        match chance.randrange(6):
            case 0 if same:
                return e.gradient(self.expression((), depth), chance.choice(same))
            case 1 if last:
                by = chance.choice(last)
                return e.jacobian(self.expression(axes[: len(axes) - len(by.axes)], depth), by)
            case 2 if axes in (("K", "K"), ("D", "D"), ("N", "N")) and self._derivatives:
                by = chance.choice([one for one in others if one.axes == axes[:1]])
                return self._twice(lambda: e.hessian(self.expression((), depth), by))
            case 3 if same:
                inner = self.axes()
                direction = self.expression(inner, depth)
                return e.vjp(self.expression(inner, depth), chance.choice(same), direction)
            case 4:
                by = chance.choice(small)
                return e.jvp(self.expression(axes, depth), by, self.expression(by.axes, depth))
            case 5 if same and self._derivatives:
                by = chance.choice(same)
                direction = self.expression(by.axes, depth)
                return self._twice(lambda: e.hvp(self.expression((), depth), by, direction))
        return None

    def _twice(self, build: Callable[[], Expression]) -> Expression:
        self._derivatives -= 1
        try:
            return build()
        finally:
            self._derivatives += 1


def expressions(seed: int, count: int, depth: int = 4, **options: bool | int) -> list[Expression]:
    """So many random formulas, the same for the same seed."""
    generator = Generator(Random(seed), **options)  # type: ignore[arg-type]
    return [generator.expression(generator.axes(), depth) for _ in range(count)]
