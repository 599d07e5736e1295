"""A normalizer as text, in the language of formulas: one formula for every K, or one for each component."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from softmax_trick.language.expression import AxesError, Expression, LanguageError, Variable, shape, size_of, variable
from softmax_trick.language.grammar import Statement, read
from softmax_trick.language.names import described, names_in_words

MAX_COMPONENTS = 256


@dataclass(frozen=True)
class Normalizer:
    """F: R^K -> R^K as it was read.

    Attributes:
        formulas: one formula, a vector over the axis of the scores; or a scalar for each component.
        x: the scores.
        sizes: the sizes that are given; that of the scores is K.
        names: how each name was read: {"x": "scores, vector over K", "a": "parameter, positive scalar"}.
    """

    formulas: tuple[Expression, ...]
    x: Variable
    sizes: dict[str, int]
    names: dict[str, str]

    @property
    def k(self) -> int | None:
        """The number of classes; None for every K."""
        return self.sizes.get(size_of(self.x.axes[0]))


def read_normalizer(texts: str | Sequence[str], x: str = "x", let: str = "") -> Normalizer:
    """Read a normalizer; no part of its text is evaluated as Python.

    Args:
        texts: F(x) as one formula, or one for each component F_1..F_K, in which x1 is short for x[1].
        x: the name of the scores.
        let: declarations of other names, "d: K; tau: positive" (docs/language.md); what is not declared is read as the
            formulas force it, else as a real parameter.

    Raises:
        LanguageError: a formula has no meaning; the scores do not occur in a single one; a name looks like a score and
            is none. The message shows the place.
        AxesError: a component is no scalar, a single formula no vector over the axis of the scores.
    """
    one = isinstance(texts, str)
    written = (texts,) if isinstance(texts, str) else tuple(texts)
    count = len(written)
    if not 1 <= count <= MAX_COMPONENTS:
        raise LanguageError(f"{count} components: give 1 to {MAX_COMPONENTS}, one for each class")
    entries = [] if one else [f"{x}{n}" for n in range(1, count + 1)]
    default = [f"{x}: K", *(f"{name} = {x}[{n}]" for n, name in enumerate(entries, 1)), *([f"K = {count}"] * (not one))]
    statement = read(*written, let=let, default="; ".join(default), what="component")
    variables = {name.name: name for formula in statement.expressions for name in formula.variables}
    scores = variables.get(x, variable(x, "K"))
    sizes = dict(statement.sizes)
    _check_names(statement, variables, x, entries)
    if one:
        check(statement.expressions[0], scores)
    for number, formula in enumerate(statement.expressions if entries else (), 1):
        if formula.axes:
            hint = f"; an entry of the scores is {x}{number} or {x}[{number}]" if x in variables else ""
            raise _error(formula, f"component {number} is {shape(formula.axes)}, and not a scalar{hint}", AxesError)
    if entries and sizes.get(size_of(scores.axes[0])) != count:
        raise LanguageError(f"{count} components make the size of {scores.axes[0]} {count}, and --let says otherwise")
    names = _roles(statement, variables, x, entries)
    if entries and not any(re.search(rf"(?<!\w){re.escape(x)}(?![\w°'])", text) for text in written):
        names.pop(x, None)  # its entries alone occur
    return Normalizer(statement.expressions, scores, sizes, names)


def check(formula: Expression, x: Variable) -> None:
    """Refuse what takes no vector of real scores to one over the same axis, or is constant.

    Raises:
        AxesError: F(x) and x have not the same axis.
        LanguageError: the scores are not real, or do not occur.
    """
    if x not in formula.variables:
        read_so = names_in_words({one.name: described(one.axes, one.kind, one.along) for one in formula.variables})
        raise LanguageError(
            f"the scores {x.name} do not occur, so that F would be constant (read: {read_so or 'no name'}); scores of "
            "another name are given by --by NAME, in Python by x=NAME"
        )
    if len(x.axes) != 1 or [size_of(axis) for axis in formula.axes] != [size_of(axis) for axis in x.axes]:
        message = f"a normalizer takes a vector to one of the same axis, not {shape(x.axes)} to {shape(formula.axes)}"
        raise _error(formula, message, AxesError)
    if x.kind != "real":
        raise LanguageError(f"the scores of a normalizer are any real numbers, and {x.name} is {x.kind}")


def _check_names(statement: Statement, variables: dict[str, Variable], x: str, entries: Sequence[str]) -> None:
    """Refuse what one may think is a score, and would be a parameter."""
    if x in (one.name for one in statement.definitions):
        raise LanguageError(f"--let: {x} is the name of the scores, and cannot be short for a formula")
    for name in statement.declared:
        if name in entries:
            raise LanguageError(f"--let: {name} is a score, and scores are any real numbers; declare parameters only")
    for name, one in variables.items():
        if re.fullmatch(rf"{re.escape(x)}_?[0-9]+", name, re.IGNORECASE) and name not in statement.declared:
            there = (
                f"the scores are {' to '.join(dict.fromkeys((*entries[:1], *entries[-1:])))}, one for each component"
            )
            if not entries:
                there = f"the entries of {x} are {x}[1], {x}[2], ..."
            raise _error(one, f"there is no score {name}: {there} (or declare a parameter: --let '{name}: real')")


def _error(part: Expression, message: str, kind: type[LanguageError] = LanguageError) -> LanguageError:
    return kind(message) if part.place is None else part.place.error(message, kind)


def _roles(statement: Statement, variables: dict[str, Variable], x: str, entries: Sequence[str]) -> dict[str, str]:
    """How each name was read, with what it is to the normalizer; the scores first."""

    def role(name: str, reading: str) -> str:
        if name in entries:
            return "score"
        if name == x:
            return f"scores, {reading}"
        return f"parameter, {reading}" if name in variables else reading

    found = {name: role(name, reading) for name, reading in statement.readings.items()}
    order = {name: place for place, name in enumerate((x, *entries))}
    return dict(sorted(found.items(), key=lambda one: order.get(one[0], len(order))))
