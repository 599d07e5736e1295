"""A statement as a proposition of Coq, over the definitions of proofs/coq/vectors.v and softmax.v.

    >>> from softmax_trick.language.grammar import read_equation
    >>> print(proposition(read_equation("grad(ce(t, y), y) == -t/y", let="y: K positive")))
    forall K : nat, (1 <= K)%nat ->
    forall t : vectors.vector,
    forall y : vectors.vector,
    (forall n_1 : nat, (n_1 < K)%nat -> 0 < y n_1) ->
    forall i_1 : nat, (i_1 < K)%nat ->
    vectors.partial (fun y => (- (vectors.sum K (fun _1 => ((t _1) * (ln (y _1))))))) i_1 y ((- (t i_1)) * (/ (y i_1)))

An equation of formulas without derivatives is printed as one; an equation whose left side is a gradient or a Jacobian
by a vector, its transpose or an entry of it, and whose right side has no derivative, as `partial`: the derivative
exists, and that is its value. What cannot be said so is refused. In Coq a quotient by 0 and the logarithm of a number
that is not positive have some value: where a formula is defined, it means the same there. The walk is that of
`softmax_trick.language.interpreter`, which follows the definitions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from fractions import Fraction

from softmax_trick.language.expression import (
    Call,
    Derivative,
    Entry,
    Expression,
    Index,
    IndexTerm,
    LanguageError,
    Numbered,
    Transpose,
    Variable,
    size_of,
)
from softmax_trick.language.functions import ce, softmax
from softmax_trick.language.grammar import Statement
from softmax_trick.language.interpreter import Reading

KINDS = {0: "R", 1: "vectors.vector", 2: "vectors.matrix"}
NAME = re.compile(r"[A-Za-z]\w*")
TAKEN = {"forall", "exists", "fun", "let", "in", "if", "then", "else", "match", "with", "end", "fix", "as", "at"}
TAKEN |= {"return", "nat", "exp", "ln", "INR", "R"}


class _Reading(Reading[str]):
    """The walk; SoftCE is what equation (4) says."""

    def position(self, term: IndexTerm) -> str:
        return str(self._position(term))

    def _meaning(self, node: Expression) -> Expression:
        if isinstance(node, Call) and node.function == "softce":
            target, scores = node.arguments
            return ce(target, softmax(scores))
        return super()._meaning(node)


class _Terms:
    """The algebra whose values are terms of type R, in parentheses or a single word; an index is a word."""

    own: Mapping[str, Callable[..., str]] = {}
    context: Hashable = None

    def __init__(self) -> None:
        self._bound = 0

    def number(self, value: Fraction) -> str:
        if value.denominator == 1:
            return str(value) if value >= 0 else f"({value})"
        return f"({value.numerator} / {value.denominator})"

    def size(self, name: str) -> str:
        return f"(INR {name})"

    def variable(self, variable: Variable, positions: tuple[str, ...]) -> str:
        return f"({' '.join([variable.name, *positions])})" if positions else variable.name

    def index(self, term: Index | Numbered) -> str:
        if isinstance(term, Numbered):
            raise LanguageError("an entry that is given by its number is not printed as Coq")
        return term.name

    def chosen(self, label: Variable, positions: tuple[str, ...]) -> str:
        raise LanguageError(f"the label {label.name} is not printed as Coq")

    def delta(self, left: str, right: str) -> str:
        return f"(vectors.delta {left} {right})"

    def sum(self, axis: str, term: Callable[[str], str]) -> str:
        self._bound += 1
        name = f"_{self._bound}"  # no name of the language begins so
        return f"(vectors.sum {size_of(axis)} (fun {name} => {term(name)}))"

    def largest(self, axis: str, term: Callable[[str], str]) -> str:
        raise LanguageError("a maximum is not printed as Coq")

    def add(self, left: str, right: str) -> str:
        return f"({left} + {right})"

    def multiply(self, left: str, right: str) -> str:
        return f"(- {right})" if left == "(-1)" else f"({left} * {right})"

    def power(self, base: str, exponent: str) -> str:
        if exponent == "(-1)":
            return f"(/ {base})"
        if exponent.isdecimal():
            return f"({base} ^ {exponent})"
        raise LanguageError(f"the power {exponent} is not printed as Coq")

    def exp(self, value: str) -> str:
        return f"(exp {value})"

    def log(self, value: str) -> str:
        return f"(ln {value})"

    def normal_cdf(self, value: str) -> str:
        raise LanguageError("the normal distribution is not printed as Coq")

    normal_pdf = normal_cdf

    def step(self, value: str) -> str:
        raise LanguageError("a piecewise function is not printed as Coq")

    def derivative(self, function: Callable[[], str], by: Variable, positions: tuple[str, ...]) -> str:
        raise LanguageError("only the whole left side may be a derivative in Coq")


def proposition(statement: Statement) -> str:
    """The statement in Coq: for all sizes from 1, all variables of their kinds and all indices.

    Raises:
        LanguageError: it is no equation, or it has a part that is not printed as Coq.
    """
    if statement.relation != "==" or statement.sizes:
        raise LanguageError("only equations for every size are printed as Coq")
    left, right = statement.expressions
    variables = list(dict.fromkeys((*left.variables, *right.variables)))
    axes = list(dict.fromkeys(size_of(axis) for one in (left, right, *variables) for axis in _axes(one)))
    indices = {index.name: size_of(index.axis) for one in (left, right) for index in sorted(one.free, key=str)}
    positions = tuple(f"i_{number}" for number in range(1, len(left.axes) + 1))
    indices |= dict(zip(positions, map(size_of, left.axes), strict=True))
    _check([*axes, *(one.name for one in variables), *indices])
    return "\n".join(
        [
            *(f"forall {size} : nat, (1 <= {size})%nat ->" for size in axes),
            *(f"forall {one.name} : {_type(one)}," for one in variables),
            *(f"{condition} ->" for one in variables for condition in _conditions(one)),
            *(f"forall {name} : nat, ({name} < {size})%nat ->" for name, size in indices.items()),
            _equation(left, right, positions),
        ]
    )


def _equation(left: Expression, right: Expression, at: tuple[str, ...]) -> str:
    reading = _Reading(_Terms())
    value = reading.entry(right, at)
    if isinstance(left, Entry) and isinstance(left.argument, Derivative):
        at = tuple(map(reading.position, left.indices))
        left = left.argument
    if isinstance(left, Transpose) and isinstance(left.argument, Derivative):
        left, at = left.argument, at[::-1]
    if not isinstance(left, Derivative):
        return f"{reading.entry(left, at)} = {value}"
    if left.kind not in ("gradient", "jacobian") or len(left.by.axes) != 1:
        raise LanguageError("of derivatives only gradients and Jacobians by a vector are printed as Coq")
    *entry, place = at
    function = reading.entry(left.function, tuple(entry))
    x = left.by.name
    return f"vectors.partial (fun {x} => {function}) {place} {x} {value}"


def _axes(one: Expression) -> Iterable[str]:
    return (*one.axes, *(index.axis for index in one.free))


def _type(variable: Variable) -> str:
    if len(variable.axes) not in KINDS or variable.kind == "label":
        raise LanguageError(f"{variable.name} is no scalar, vector or matrix of numbers")
    return KINDS[len(variable.axes)]


def _conditions(variable: Variable) -> Iterable[str]:
    """What a variable's kind says of it."""
    if variable.kind == "real":
        return
    if variable.kind == "distribution":
        if len(variable.axes) != 1:
            raise LanguageError(f"{variable.name}: distributions are printed as Coq if they are vectors")
        yield f"softmax.simplex {size_of(variable.axes[0])} {variable.name}"
        return
    places = [f"n_{number}" for number in range(1, len(variable.axes) + 1)]
    axes = zip(places, map(size_of, variable.axes), strict=True)
    bounds = "".join(f"forall {place} : nat, ({place} < {size})%nat -> " for place, size in axes)
    entry = " ".join([variable.name, *places])
    said = {"positive": f"0 < {entry}", "nonnegative": f"0 <= {entry}", "unit": f"0 <= {entry} <= 1"}
    yield f"({bounds}{said[variable.kind]})"


def _check(names: list[str]) -> None:
    for name in names:
        if not NAME.fullmatch(name) or name in TAKEN or names.count(name) > 1:
            raise LanguageError(f"the name {name} cannot be printed as Coq")
