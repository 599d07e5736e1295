r"""What a formula is: an immutable expression over named axes.

An expression has axes, `("K",)` for a vector over K classes, `("N", "K")` for a matrix with a row for each of N
examples, `()` for a scalar. An axis is a name; axes whose names differ in primes only, N and N', have one size. Sizes
are symbols, at least 1: what is said of an expression is said for every size. Axes are positional, and an axis may
occur twice (a square matrix). Entrywise operations ask for equal axes; only a scalar is spread by itself, a vector by
`rows` and `cols`.

    >>> x, t = variable("x", "K"), variable("t", "K", "nonnegative")
    >>> from softmax_trick.language.functions import log, softmax, total
    >>> gradient(-total(t * log(softmax(x))), x)        # an expression again, with the axes of x
    grad(-sum(t*log(softmax(x))), x)

Values are compared by structure: `==` says whether two expressions are written alike, `softmax_trick.decide`
whether they are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

UNKNOWN = "?"  # the axis of a spread vector, an identity or a constant that is still to be fitted to its surroundings

Kind = Literal["real", "positive", "nonnegative", "unit", "distribution", "label"]
KINDS: tuple[Kind, ...] = ("real", "positive", "nonnegative", "unit", "distribution", "label")
DerivativeKind = Literal["gradient", "jacobian", "hessian", "vjp", "jvp", "hvp"]


class LanguageError(ValueError):
    """A formula that has no meaning; the text says why and what would have one.

    Attributes:
        at: where in its text, once the parser knows.
    """

    at: int | None = None


class AxesError(LanguageError):
    """Axes that do not fit; both are named."""


def size_of(axis: str) -> str:
    """The name of an axis' size: the axis without its primes."""
    return axis.rstrip("'")


def shape(axes: tuple[str, ...]) -> str:
    """Axes in words: "a scalar", "a vector over K", "N x K"."""
    match axes:
        case ():
            return "a scalar"
        case (axis,):
            return f"a vector over {axis}"
        case _:
            return " x ".join(axes)


@dataclass(frozen=True)
class Index:
    """An index that runs over an axis, from 1 to its size: free in a statement, bound in a comprehension."""

    name: str
    axis: str


@dataclass(frozen=True)
class Chosen:
    """The index that a label chooses: c, or c[n] for a label of each n."""

    label: Variable
    indices: tuple[IndexTerm, ...] = ()

    @property
    def axis(self) -> str:
        """The axis that it points into."""
        return self.label.into


@dataclass(frozen=True)
class Numbered:
    """A given index, from 1; it asks for a size that large."""

    value: int
    axis: str


IndexTerm = Index | Chosen | Numbered


class Expression:
    """A formula; see the head of this module. Every subclass is a frozen dataclass.

    Attributes:
        axes: the names of its axes, in order.
        place: the part of a text that it was read from, whose `error` shows it; None of what was not read.
    """

    place: Any = None

    __iter__ = None  # an expression is no sequence: list(x), x in y and sympy.log(x) fail at once
    __array_ufunc__ = None  # numpy's numbers leave the arithmetic to us

    axes: tuple[str, ...]

    # --- arithmetic, as Python users write it ---

    def __add__(self, other: Operand) -> Expression:
        return entrywise("add", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return entrywise("add", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return entrywise("subtract", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return entrywise("subtract", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return entrywise("multiply", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return entrywise("multiply", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return entrywise("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return entrywise("divide", other, self)

    def __pow__(self, other: Operand) -> Expression:
        return entrywise("power", self, other)

    def __rpow__(self, other: Operand) -> Expression:
        return entrywise("power", other, self)

    def __neg__(self) -> Expression:
        return entrywise("negative", self)

    def __matmul__(self, other: Expression) -> Expression:
        return matmul(self, other)

    def __lt__(self, other: Operand) -> Expression:
        return entrywise("less", self, other)

    def __gt__(self, other: Operand) -> Expression:
        return entrywise("less", other, self)

    def __bool__(self) -> bool:
        raise TypeError("a formula is neither true nor false: decide(left, right) says whether two are equal")

    @property
    def T(self) -> Expression:
        """The transpose: the axes in reverse order."""
        return Transpose(self) if len(self.axes) > 1 else self

    def __getitem__(self, terms: Any) -> Expression:
        """An entry, u[i, j]; or the labelled entry of each row, u[c]."""
        terms = terms if isinstance(terms, tuple) else (terms,)
        if len(terms) == 1 and isinstance(terms[0], Variable):
            return pick(self, terms[0])
        return entry_of(self, *terms)

    # --- structure ---

    @cached_property
    def children(self) -> tuple[Expression, ...]:
        """The expressions that this one is made of, in order."""
        found: list[Expression] = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Expression):
                found.append(value)
            elif isinstance(value, tuple):
                found += [item for item in value if isinstance(item, Expression)]
        return tuple(found)

    def rebuilt(self, change: Callable[[Expression], Expression]) -> Expression:
        """The same node with every child changed."""
        changed: dict[str, Any] = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Expression):
                changed[field.name] = change(value)
            elif isinstance(value, tuple) and any(isinstance(item, Expression) for item in value):
                changed[field.name] = tuple(change(item) if isinstance(item, Expression) else item for item in value)
        return replace(self, **changed) if changed else self  # type: ignore[type-var]

    def nodes(self) -> Iterator[Expression]:
        """This expression and everything that it is made of, outside first."""
        yield self
        for child in self.children:
            yield from child.nodes()

    def parts(self) -> Iterator[Expression]:
        """This expression and everything that it is made of, each object once, however often it occurs."""
        seen: set[int] = set()
        waiting: list[Expression] = [self]
        while waiting:
            node = waiting.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                waiting += node.children

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that occur, labels included, by name."""
        found: set[Variable] = set()
        for node in self.parts():
            if isinstance(node, Variable):
                found.add(node)
            found |= {label for term in index_terms(node) for label in _labels(term)}
        return tuple(sorted(found, key=lambda one: one.name))

    @cached_property
    def free(self) -> frozenset[Index]:
        """The indices that occur and are bound nowhere in it."""
        found = {index for term in index_terms(self) for index in _indices(term)}
        return frozenset(found.union(*(child.free for child in self.children)))

    def __repr__(self) -> str:
        from softmax_trick.language.text import to_text

        return to_text(self)

    def _repr_latex_(self) -> str:
        from softmax_trick.language.latex import to_latex

        return f"${to_latex(self)}$"


Operand = Expression | int | Fraction


def index_terms(node: Expression) -> tuple[IndexTerm, ...]:
    """The index terms that stand in a node itself."""
    match node:
        case Entry():
            return node.indices
        case Delta():
            return (node.left, node.right)
        case _:
            return ()


def _labels(term: IndexTerm) -> Iterator[Variable]:
    if isinstance(term, Chosen):
        yield term.label
        for inner in term.indices:
            yield from _labels(inner)


def _indices(term: IndexTerm) -> Iterator[Index]:
    if isinstance(term, Index):
        yield term
    elif isinstance(term, Chosen):
        for inner in term.indices:
            yield from _indices(inner)


# --- the nodes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Number(Expression):
    """A rational number."""

    value: Fraction
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Size(Expression):
    """The size of an axis, as a number."""

    name: str
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Variable(Expression):
    """A variable with axes and a domain.

    Attributes:
        name: its name.
        axes: its axes.
        kind: the domain of its entries; "unit" is [0, 1]; "distribution" asks besides that the entries along the axis
            `along` sum to 1; "label" is an index into the axis `along`, one for each place of `axes`.
        along: see above; else "".
    """

    name: str
    axes: tuple[str, ...] = ()
    kind: Kind = "real"
    along: str = ""

    @property
    def into(self) -> str:
        """The axis that a label points into."""
        return self.along


@dataclass(frozen=True, repr=False)
class Apply(Expression):
    """A function entry by entry: arithmetic, exp, tanh, ... of arguments with these axes, or scalars.

    `softmax_trick.language.functions.ENTRYWISE` lists the functions.
    """

    function: str
    arguments: tuple[Expression, ...]
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Call(Expression):
    """A named function of whole vectors, along one axis of its first argument: softmax, logsumexp, sum, mean, max, ...

    `softmax_trick.language.functions.NAMED` lists the functions and what each is short for.

    Attributes:
        function: its name.
        arguments: the arguments.
        positions: the axes of the first argument along which it works, as positions.
        axes: the axes of the value.
    """

    function: str
    arguments: tuple[Expression, ...]
    positions: tuple[int, ...] = ()
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class MatMul(Expression):
    """left @ right: the last axis of left and the first of right are summed over."""

    left: Expression
    right: Expression

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.left.axes[:-1] + self.right.axes[1:]


@dataclass(frozen=True, repr=False)
class Outer(Expression):
    """The outer product, [.., ..] = left[..] right[..]: axes of left, then of right."""

    left: Expression
    right: Expression

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.left.axes + self.right.axes


@dataclass(frozen=True, repr=False)
class Transpose(Expression):
    """The axes in reverse order."""

    argument: Expression

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.argument.axes[::-1]


@dataclass(frozen=True, repr=False)
class Diag(Expression):
    """D_v, the diagonal matrix of a vector: [.., i, j] = delta_ij v[.., i]."""

    argument: Expression

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.argument.axes, self.argument.axes[-1])


@dataclass(frozen=True, repr=False)
class Diagonal(Expression):
    """The diagonal of a square matrix: [.., i] = A[.., i, i]."""

    argument: Expression

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.argument.axes[:-1]


@dataclass(frozen=True, repr=False)
class Identity(Expression):
    """The identity matrix over an axis."""

    axis: str

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.axis, self.axis)


@dataclass(frozen=True, repr=False)
class OneHot(Expression):
    """e_c: 1 at the labelled place, 0 elsewhere; [.., k] = delta(k, c[..])."""

    label: Variable

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.label.axes, self.label.into)


@dataclass(frozen=True, repr=False)
class Pick(Expression):
    """The labelled entry of each row: [n] = u[n, c[n]]; the picked axis is the last one of u."""

    argument: Expression
    label: Variable

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.argument.axes[:-1]


@dataclass(frozen=True, repr=False)
class Spread(Expression):
    """An expression repeated along a new axis at a position: rows(v)[i, j] = v[i], cols(v)[i, j] = v[j]; ones."""

    argument: Expression
    axis: str
    position: int

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        inner = self.argument.axes
        return (*inner[: self.position], self.axis, *inner[self.position :])


@dataclass(frozen=True, repr=False)
class Delta(Expression):
    """The Kronecker delta of two indices, 1 if they are equal, else 0."""

    left: IndexTerm
    right: IndexTerm
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Entry(Expression):
    """u[i, j, ...]: one entry, a scalar."""

    argument: Expression
    indices: tuple[IndexTerm, ...]
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Comprehension(Expression):
    """[i:K, j:D] body: the tensor whose entry at i, j is the body, a scalar in which i and j are bound."""

    indices: tuple[Index, ...]
    body: Expression

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(index.axis for index in self.indices)

    @cached_property
    def free(self) -> frozenset[Index]:
        """The indices that occur and are bound nowhere in it."""
        return self.body.free - set(self.indices)


@dataclass(frozen=True, repr=False)
class Derivative(Expression):
    """A derivative by the entries of a variable, as an expression.

    gradient(f, x), f a scalar: axes of x. jacobian(F, x): axes of F, then of x. hessian(f, x): axes of x twice.
    vjp(F, x, g) = J^T g: axes of x. jvp(F, x, v) = J v: axes of F. hvp(f, x, v) = H v: axes of x.
    """

    kind: DerivativeKind
    function: Expression
    by: Variable
    direction: Expression | None = None

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        match self.kind:
            case "jacobian":
                return self.function.axes + self.by.axes
            case "hessian":
                return self.by.axes + self.by.axes
            case "jvp":
                return self.function.axes
            case _:
                return self.by.axes


@dataclass(frozen=True, repr=False)
class Definition(Expression):
    """A name for an expression, y = softmax(d*x): printed as its name, and nothing but its meaning otherwise."""

    name: str
    meaning: Expression

    @cached_property
    def axes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.meaning.axes


# --- building them ----------------------------------------------------------------------------------------------------


def as_expression(value: Operand) -> Expression:
    """A number as an expression; an expression as it is.

    Raises:
        TypeError: a float, whose exact value is hardly ever what is meant, or anything else.
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        hint = "; write an exact number, Fraction(1, 10) or 1/10 in a text" if isinstance(value, float) else ""
        raise TypeError(f"{value!r} is no formula and no exact number{hint}")
    return Number(Fraction(value))


def variable(name: str, axes: str | tuple[str, ...] = (), kind: Kind = "real", along: str = "") -> Variable:
    """A variable: `variable("x", "K")`, `variable("W", "K,D")`, `variable("c", "N", "label", "K")`.

    Args:
        name: its name.
        axes: its axes, as a tuple or separated by commas; none for a scalar.
        kind: the domain of its entries.
        along: the axis that a label points into; the axis along which a distribution sums to 1 (default: the last).

    Raises:
        LanguageError: an unknown kind; a label without an axis; a distribution without axes.
    """
    if isinstance(axes, str):
        axes = tuple(part.strip() for part in axes.split(",") if part.strip())
    if kind not in KINDS:
        raise LanguageError(f"{kind!r} is no kind of variable; there are {', '.join(KINDS)}")
    if kind == "distribution":
        along = along or (axes[-1] if axes else "")
        if along not in axes:
            raise LanguageError(f"{name} cannot be a distribution over {along or 'nothing'}: it is {shape(axes)}")
    elif kind == "label" and not along:
        raise LanguageError(f"the label {name} needs the axis that it points into")
    elif kind != "label" and along:
        raise LanguageError(f"only a label or a distribution is along an axis, not the {kind} {name}")
    return Variable(name, axes, kind, along)


def fitted(expression: Expression, axes: tuple[str, ...]) -> Expression | None:
    """The expression with its unknown axes chosen so that it has these axes; None if it cannot."""
    if _fit(expression.axes, axes) and UNKNOWN not in expression.axes:
        return expression
    if len(expression.axes) != len(axes):
        return None
    match expression:
        case Spread(argument, axis, position) if axis == UNKNOWN:
            # A vector over N fits only the axis N: where the other axis differs, its place follows from the name.
            for place in (position, *range(len(axes))):
                inner = fitted(argument, axes[:place] + axes[place + 1 :])
                if inner is not None:
                    return Spread(inner, axes[place], place)
            return None
        case Spread(argument, axis, position):
            inner = fitted(argument, axes[:position] + axes[position + 1 :])
            return None if inner is None else Spread(inner, axis, position)
        case Identity() if expression.axis == UNKNOWN:
            return Identity(axes[0]) if size_of(axes[0]) == size_of(axes[1]) else None
        case Apply(function, arguments):
            changed = [argument if not argument.axes else fitted(argument, axes) for argument in arguments]
            if any(argument is None for argument in changed):
                return None
            return Apply(function, tuple(argument for argument in changed if argument is not None), axes)
        case Transpose(argument):
            inner = fitted(argument, axes[::-1])
            return None if inner is None else Transpose(inner)
        case _:
            return None


def _first_fit(expression: Expression, *choices: tuple[str, ...]) -> Expression:
    """The expression with the first of these axes that it can have; as it is if it can have none."""
    found = (fitted(expression, axes) for axes in choices)
    return next((one for one in found if one is not None), expression)


def _fit(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Whether axes have the same sizes, place by place."""
    return len(left) == len(right) and all(size_of(a) == size_of(b) for a, b in zip(left, right, strict=True))


def aligned(*operands: Operand, what: str = "an entrywise operation") -> tuple[tuple[Expression, ...], tuple[str, ...]]:
    """Operands that are scalars or have the same axes, and those axes.

    Raises:
        AxesError: they do not fit.
    """
    expressions = tuple(as_expression(operand) for operand in operands)
    for one in expressions:
        if isinstance(one, Variable) and one.kind == "label":
            raise LanguageError(
                f"the label {one.name} is an index, no number: write onehot({one.name}), or u[{one.name}]"
            )
    axes = next((one.axes for one in expressions if one.axes and UNKNOWN not in one.axes), None)
    if axes is None:
        axes = next((one.axes for one in expressions if one.axes), ())
        return expressions, axes
    found = []
    for one in expressions:
        chosen = one if not one.axes else fitted(one, axes)
        if chosen is None:
            raise AxesError(f"{what} of {shape(axes)} and {shape(one.axes)}: the axes do not fit")
        found.append(chosen)
    return tuple(found), axes


SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "less": "<"}


def entrywise(function: str, *operands: Operand) -> Expression:
    """A function of the entries, see `Apply`.

    Raises:
        AxesError: operands with axes that do not fit.
        LanguageError: a label as a number.
    """
    expressions, axes = aligned(*operands, what=SYMBOLS.get(function, function))
    return Apply(function, expressions, axes)


def matmul(left: Expression, right: Expression) -> Expression:
    """left @ right: matrix product, matrix times vector, vector times vector.

    Raises:
        AxesError: an operand is a scalar, or the neighbouring axes differ.
    """
    left, right = as_expression(left), as_expression(right)
    if not left.axes or not right.axes:
        raise AxesError(f"@ of {shape(left.axes)} and {shape(right.axes)}: neither may be a scalar; * scales")
    if left.axes[-1] == UNKNOWN:
        left = _first_fit(left, (*left.axes[:-1], right.axes[0]), right.axes[:1] * len(left.axes))
    if right.axes[0] == UNKNOWN:
        right = _first_fit(right, (left.axes[-1], *right.axes[1:]), left.axes[-1:] * len(right.axes))
    if size_of(left.axes[-1]) != size_of(right.axes[0]):
        raise AxesError(f"@ of {shape(left.axes)} and {shape(right.axes)}: {left.axes[-1]} and {right.axes[0]} differ")
    return MatMul(left, right)


def outer(left: Expression, right: Expression) -> Expression:
    """The outer product of two vectors, or of any two expressions with axes: axes of left, then of right.

    Raises:
        AxesError: a scalar.
    """
    if not left.axes or not right.axes:
        raise AxesError("outer of a scalar: it takes vectors; ones(K) has K entries of 1")
    return Outer(left, right)


def diag(vector: Expression) -> Expression:
    """The diagonal matrix of a vector.

    Raises:
        AxesError: a scalar.
    """
    if not vector.axes:
        raise AxesError("diag of a scalar: it takes a vector")
    return Diag(vector)


def diagonal(matrix: Expression) -> Expression:
    """The diagonal of a square matrix.

    Raises:
        AxesError: no square matrix.
    """
    if len(matrix.axes) < 2 or size_of(matrix.axes[-1]) != size_of(matrix.axes[-2]):
        raise AxesError(f"diagonal of {shape(matrix.axes)}: it takes a square matrix")
    return Diagonal(matrix)


def identity(axis: str = UNKNOWN) -> Expression:
    """The identity matrix over an axis; without one, over the axis that its surroundings ask for."""
    return Identity(axis)


def ones(*axes: str) -> Expression:
    """The constant 1 with these axes."""
    result: Expression = Number(Fraction(1))
    for axis in axes:
        result = Spread(result, axis, len(result.axes))
    return result


def onehot(label: Expression) -> Expression:
    """e_c for a label c.

    Raises:
        LanguageError: no label.
    """
    return OneHot(_label(label, "onehot"))


def pick(argument: Expression, label: Expression) -> Expression:
    """The labelled entry of each row, u[c].

    Raises:
        LanguageError: no label.
        AxesError: the label points into another axis, or the batch axes differ.
    """
    label = _label(label, "pick")
    if not _fit((*label.axes, label.into), argument.axes):
        raise AxesError(
            f"the label {label.name} chooses from {shape((*label.axes, label.into))}, not {shape(argument.axes)}"
        )
    return Pick(argument, label)


def _label(label: Expression, what: str) -> Variable:
    if not (isinstance(label, Variable) and label.kind == "label"):
        raise LanguageError(f"{what} takes a label, not {shape(label.axes)}: declare it, as in 'c: label K'")
    return label


def rows(vector: Expression, over: str = UNKNOWN) -> Expression:
    """The matrix with v_i throughout row i. Without `over`, the other axis is what the surroundings ask for."""
    return Spread(_spreadable(vector, "rows"), over, len(vector.axes))


def cols(vector: Expression, over: str = UNKNOWN) -> Expression:
    """The matrix with v_j throughout column j. Without `over`, the other axis is what the surroundings ask for."""
    return Spread(_spreadable(vector, "cols"), over, 0)


def _spreadable(vector: Expression, what: str) -> Expression:
    if not vector.axes:
        raise AxesError(f"{what} of a scalar: it takes a vector (a scalar is spread by itself)")
    return vector


def entry_of(argument: Expression, *indices: IndexTerm | Variable | int) -> Expression:
    """u[i, j]: one entry. A number is an index from 1, a label the index that it chooses.

    Raises:
        LanguageError: a variable that is no label as an index; an index below 1.
        AxesError: another number of indices than axes, or an index over another size.
    """
    if len(indices) != len(argument.axes):
        raise AxesError(f"{len(indices)} indices for {shape(argument.axes)}")
    terms = tuple(_term(term, axis) for term, axis in zip(indices, argument.axes, strict=True))
    match terms:
        case (Chosen(label, ()),):  # one form of x[c]
            return pick(argument, label)
    return Entry(argument, terms)


def _term(term: IndexTerm | Variable | int, axis: str) -> IndexTerm:
    """An index into an axis."""
    if isinstance(term, int):
        term = Numbered(term, axis)
    elif isinstance(term, Variable):
        label = _label(term, "an index")
        if label.axes:
            raise AxesError(f"the label {label.name} has the axes {', '.join(label.axes)}: {label.name}[n] is an index")
        term = Chosen(label)
    if isinstance(term, Numbered) and term.value < 1:
        raise LanguageError(f"the index {term.value}: indices are from 1")
    if size_of(term.axis) != size_of(axis):
        raise AxesError(f"an index over {term.axis} where {axis} is asked for")
    return term


def delta(left: IndexTerm, right: IndexTerm) -> Expression:
    """The Kronecker delta.

    Raises:
        AxesError: indices over different sizes.
    """
    if size_of(left.axis) != size_of(right.axis):
        raise AxesError(f"the delta of an index over {left.axis} and one over {right.axis}")
    return Delta(left, right)


def comprehension(indices: tuple[Index, ...], body: Expression) -> Expression:
    """[i:K, j:D] body.

    Raises:
        AxesError: the body is no scalar.
        LanguageError: an index occurs twice.
    """
    if body.axes:
        raise AxesError(f"entry notation takes a scalar body, not {shape(body.axes)}")
    if len({index.name for index in indices}) < len(indices):
        raise LanguageError("an index occurs twice in front of a body")
    return Comprehension(indices, body)


def _derivative(kind: DerivativeKind, function: Expression, by: Expression, direction: Expression | None) -> Expression:
    function = as_expression(function)
    if not isinstance(by, Variable):
        raise LanguageError(f"a derivative is by a variable, not by {by!r}")
    if by.kind == "label":
        raise LanguageError(f"a derivative by the label {by.name}: it is an index")
    if by.kind == "distribution":
        raise LanguageError(f"the entries of the distribution {by.name} cannot vary one by one: declare it nonnegative")
    if kind in ("gradient", "hessian", "hvp") and function.axes:
        raise AxesError(f"the {kind} of {shape(function.axes)}: it takes a scalar; jacobian takes a vector")
    wanted = {"vjp": function.axes, "jvp": by.axes, "hvp": by.axes}.get(kind)
    if direction is not None and wanted is not None:
        given = as_expression(direction)
        direction = fitted(given, wanted)
        if direction is None:
            raise AxesError(f"{kind} asks for a direction that is {shape(wanted)}, not {shape(given.axes)}")
    return Derivative(kind, function, by, direction)


def gradient(function: Expression, by: Expression) -> Expression:
    """The gradient of a scalar by a variable: [i] = d f / d x_i.

    Raises:
        AxesError: the function is no scalar.
        LanguageError: a derivative by something that is no variable, a label or a distribution.
    """
    return _derivative("gradient", function, by, None)


def jacobian(function: Expression, by: Expression) -> Expression:
    """The Jacobian: [i, j] = d F_i / d x_j. Raises as `gradient` does."""
    return _derivative("jacobian", function, by, None)


def hessian(function: Expression, by: Expression) -> Expression:
    """The Hessian of a scalar: [i, j] = d^2 f / d x_i d x_j. Raises as `gradient` does."""
    return _derivative("hessian", function, by, None)


def vjp(function: Expression, by: Expression, direction: Expression) -> Expression:
    """J^T g: [j] = sum_i g_i d F_i / d x_j. Raises as `gradient` does."""
    return _derivative("vjp", function, by, direction)


def jvp(function: Expression, by: Expression, direction: Expression) -> Expression:
    """J v: [i] = sum_j d F_i / d x_j v_j. Raises as `gradient` does."""
    return _derivative("jvp", function, by, direction)


def hvp(function: Expression, by: Expression, direction: Expression) -> Expression:
    """H v: [i] = sum_j d^2 f / d x_i d x_j v_j. Raises as `gradient` does."""
    return _derivative("hvp", function, by, direction)
