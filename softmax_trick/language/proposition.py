r"""What a statement says: relations between expressions, and what `and`, `not`, `implies`, `iff`, `for all`, `exists`
make of them. Propositions are immutable values.

    >>> from softmax_trick.language.grammar import proposition
    >>> proposition("exists d: for all x: softmax(d*x) == softmax(2*x)", "d: K; x: K")
    exists d: for all x: softmax(d*x) == softmax(2*x)

A quantifier binds variables, labels, free indices and sizes, each over its whole domain. It may bind the value of an
unknown differentiable function F with the point: "for all x, y = F(x), J = F'(x)" says that y is F(x), and J the
Jacobian of F, at that x. A name means one thing in a whole statement: it is bound once on every path to it, and not
free elsewhere. Values are compared by structure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property

from softmax_trick.language.expression import (
    AxesError,
    Definition,
    Derivative,
    Expression,
    Index,
    LanguageError,
    Size,
    Variable,
    fitted,
    shape,
    size_of,
)

OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
RELATIONS = tuple(OPPOSITE)
PREDICATES = {"psd": 1, "conservative": 2}  # statements about one formula, and how many arguments they take


@dataclass(frozen=True)
class Function:
    """An unknown differentiable function F, of one variable."""

    name: str


@dataclass(frozen=True)
class Image:
    """What an unknown function is at a point: y = F(x), or its Jacobian there, J = F'(x).

    Attributes:
        variable: the name for it.
        function: F.
        at: the point, a variable.
        slope: whether it is the Jacobian, with the axes of F(x), then those of x.
    """

    variable: Variable
    function: Function
    at: Variable
    slope: bool = False


Bound = Variable | Index | Size | Function | Image


def name_of(bound: Bound) -> str:
    """The name that a quantifier binds."""
    return bound.variable.name if isinstance(bound, Image) else bound.name


class Proposition:
    """What is true or false; see the head of this module. Every subclass is a frozen dataclass."""

    @cached_property
    def parts(self) -> tuple[Proposition, ...]:
        """The propositions that this one is made of, in order."""
        found: list[Proposition] = []
        for one in fields(self):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            found += [
                item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, Proposition)
            ]
        return tuple(found)

    def nodes(self) -> Iterator[Proposition]:
        """This proposition and everything that it is made of, outside first."""
        yield self
        for part in self.parts:
            yield from part.nodes()

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions that stand in it, from left to right."""
        return tuple(side for one in self.nodes() if isinstance(one, Related) for side in one.sides)

    @cached_property
    def free(self) -> frozenset[str]:
        """The names of variables, labels, indices and functions that nothing in it binds."""
        return frozenset().union(*(part.free for part in self.parts))

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that a quantifier in it binds."""
        return frozenset().union(*(part.bound for part in self.parts))

    def changed(self, change: Callable[[Expression], Expression]) -> Proposition:
        """The same proposition with every side changed."""
        values = {one.name: _changed(getattr(self, one.name), change) for one in fields(self)}  # type: ignore[arg-type]
        return replace(self, **values)  # type: ignore[type-var]

    def __bool__(self) -> bool:
        raise TypeError("a statement is decided by softmax_trick.decide: it is no truth value of Python's")

    def __repr__(self) -> str:
        from softmax_trick.language.text import proposition_to_text

        return proposition_to_text(self)

    def _repr_latex_(self) -> str:
        from softmax_trick.language.latex import proposition_to_latex

        return f"${proposition_to_latex(self)}$"


def _changed(value: object, change: Callable[[Expression], Expression]) -> object:
    match value:
        case Proposition():
            return value.changed(change)
        case Expression():
            return change(value)
        case tuple():
            return tuple(_changed(one, change) if isinstance(one, Proposition | Expression) else one for one in value)
    return value


@dataclass(frozen=True, repr=False)
class Related(Proposition):
    """Two expressions with a relation between them, in every entry; or psd(M), conservative(F, x).

    Raises:
        LanguageError: no such relation, or another number of sides.
        AxesError: sides with different axes.
    """

    relation: str
    sides: tuple[Expression, ...]

    def __post_init__(self) -> None:
        if self.relation not in (*RELATIONS, *PREDICATES):
            raise LanguageError(f"{self.relation!r} is no relation; there are {', '.join((*RELATIONS, *PREDICATES))}")
        wanted = PREDICATES.get(self.relation, 2)
        if len(self.sides) != wanted:
            raise LanguageError(f"{self.relation} stands with {wanted} formula(s), not {len(self.sides)}")
        if self.relation in RELATIONS:
            left, right = self.sides
            if left.axes and right.axes and fitted(left, right.axes) is None and fitted(right, left.axes) is None:
                raise AxesError(f"the left side is {shape(left.axes)}, the right side {shape(right.axes)}")

    @cached_property
    def free(self) -> frozenset[str]:
        """The names of variables, labels and indices that occur."""
        return frozenset().union(*map(names_in, self.sides))


def names_in(side: Expression) -> frozenset[str]:
    """The variables, labels and free indices of an expression, by name; those in its definitions, too."""
    return frozenset({one.name for one in variables_in(side)} | {index.name for index in side.free})


def variables_in(side: Expression) -> frozenset[Variable]:
    """The variables and labels of an expression: in definitions, and those by which it is differentiated, too."""
    nodes = list(side.parts())
    inner = (variables_in(node.meaning) for node in nodes if isinstance(node, Definition))
    by = (node.by for node in nodes if isinstance(node, Derivative))
    return frozenset((*side.variables, *by)).union(*inner)


@dataclass(frozen=True, repr=False)
class And(Proposition):
    """All of them hold."""

    all: tuple[Proposition, ...]

    def __post_init__(self) -> None:
        _several(self.all, "and")


@dataclass(frozen=True, repr=False)
class Not(Proposition):
    """It does not hold."""

    what: Proposition


@dataclass(frozen=True, repr=False)
class Implies(Proposition):
    """Where the premise holds, the conclusion does."""

    premise: Proposition
    conclusion: Proposition


@dataclass(frozen=True, repr=False)
class Iff(Proposition):
    """All of them hold, or none does."""

    all: tuple[Proposition, ...]

    def __post_init__(self) -> None:
        _several(self.all, "iff")


def _several(parts: tuple[Proposition, ...], word: str) -> None:
    if len(parts) < 2:
        raise LanguageError(f"{word} stands between two statements or more")


@dataclass(frozen=True, repr=False)
class Quantified(Proposition):
    """For all, or for some, values of what is bound.

    Raises:
        LanguageError: nothing is bound, a name twice, or again inside; an image at a point that is not bound with it.
    """

    binds: tuple[Bound, ...]
    body: Proposition

    def __post_init__(self) -> None:
        if not self.binds:
            raise LanguageError("a quantifier binds a name at least")
        names = [name_of(one) for one in self.binds]
        for name in names:
            if names.count(name) > 1:
                raise LanguageError(f"{name} is bound twice by one quantifier")
            if name in self.body.bound:
                raise LanguageError(f"{name} is bound again inside: give one of the two another name")
        for one in self.binds:
            if isinstance(one, Image):
                self._check(one)

    def _check(self, image: Image) -> None:
        if image.at not in self.binds:
            raise LanguageError(
                f"{image.variable.name} is a value of {image.function.name} at {image.at.name}, which is not bound "
                f"beside it: write 'for all {image.at.name}, {image.variable.name} = ...'"
            )
        if "label" in (image.variable.kind, image.at.kind):
            raise LanguageError(f"{image.function.name} is a function of numbers, and has numbers as values: no labels")
        axes = image.variable.axes
        rest = axes[len(axes) - len(image.at.axes) :] if image.slope else ()
        if image.slope and list(map(size_of, rest)) != list(map(size_of, image.at.axes)):
            raise AxesError(
                f"the Jacobian {image.variable.name} by {image.at.name}, {shape(image.at.axes)}, ends in its axes, and "
                f"is {shape(axes)}"
            )

    @cached_property
    def free(self) -> frozenset[str]:
        """The names that nothing in it binds; the functions whose values it binds among them."""
        functions = {one.function.name for one in self.binds if isinstance(one, Image)}
        return (self.body.free | functions) - {name_of(one) for one in self.binds}

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that it binds, and those bound in its body."""
        return self.body.bound | {name_of(one) for one in self.binds}


class ForAll(Quantified):
    """For all values of what is bound, in its domain."""


class Exists(Quantified):
    """For some values of what is bound, in its domain."""


def functions_in(proposition: Proposition) -> dict[str, Image]:
    """The unknown functions that are free, each with one of its values."""
    images = [
        one
        for node in proposition.nodes()
        for one in (node.binds if isinstance(node, Quantified) else ())
        if isinstance(one, Image) and one.function.name in proposition.free
    ]
    return {one.function.name: one for one in reversed(images)}


def checked(proposition: Proposition) -> Proposition:
    """The proposition, if every name has one meaning in it.

    Raises:
        LanguageError: a name that is free in one place and bound in another, or bound as two different things.
    """
    both = sorted(proposition.free & proposition.bound)
    if both:
        raise LanguageError(f"{both[0]} is bound in one place and free in another: give one of the two another name")
    meanings: dict[str, object] = {one.name: one for side in proposition.expressions for one in variables_in(side)}
    ranks: dict[str, tuple[int, tuple[str, ...]]] = {}
    for node in (one for one in proposition.nodes() if isinstance(one, Quantified)):
        for one in node.binds:
            meant = one.variable if isinstance(one, Image) else one
            if meanings.setdefault(name_of(one), meant) != meant:
                raise LanguageError(f"{name_of(one)} means two different things: give one of them another name")
            if isinstance(one, Image):
                _agree(one, ranks)
                _check_derivatives(one, node)
    return proposition


def _check_derivatives(image: Image, where: Quantified) -> None:
    """F(x) is not constant where it is differentiated by x, and its name is: the Jacobian has a name of its own."""
    for node in (node for side in where.body.expressions for node in side.parts()):
        if isinstance(node, Derivative) and node.by == image.at and image.variable.name in names_in(node.function):
            function, at = image.function.name, image.at.name
            raise LanguageError(
                f"{node!r} takes {function}({at}) to be constant: bind the Jacobian, J = {function}'({at})"
            )


def _agree(image: Image, known: dict[str, tuple[int, tuple[str, ...]]]) -> None:
    """One function has one number of arguments and of values."""
    axes = tuple(map(size_of, image.variable.axes))
    at = tuple(map(size_of, image.at.axes))
    values = axes[: len(axes) - len(at)] if image.slope else axes
    whole = (len(values), (*values, *at))
    if known.setdefault(image.function.name, whole) != whole:
        name = image.function.name
        raise AxesError(f"{name} is used from {shape(at)} to {shape(values)}, and with other axes before")
