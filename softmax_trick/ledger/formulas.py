"""The formulas of a claim: texts of the language, read once, shown by its printers and decided by its readings.

A formula is an equation, an inequality, psd(M) or conservative(F, x); docs/language.md has the grammar. Beside it stand
declarations of its names, `let`, and conditions, `where`, under which it is claimed:

    "K >= 2"         from how many classes on
    "y != 0"         no entry of y vanishes; also "y > 0", "y >= 0", "u - v > 0": any inequality, in every entry
    "sum(y) == 1"    y lies in the simplex's plane, and is differentiated as if it did not; the only equation allowed
    "i != j"         two indices, declared as such, are different; of equations only

To every engine they mean the same: a counterexample that does not fulfil them counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from softmax_trick.language.expression import (
    Definition,
    Delta,
    Derivative,
    Expression,
    Index,
    LanguageError,
    Number,
    Variable,
    entrywise,
    size_of,
)
from softmax_trick.language.grammar import Statement, read, read_equation
from softmax_trick.language.latex import declaration_to_latex, statement_to_latex
from softmax_trick.language.text import statement_to_text

if TYPE_CHECKING:
    from softmax_trick.readings.pointwise import Point

_FEWEST = re.compile(r"\s*K\s*>=\s*(\d+)\s*")
_DIFFERENT = re.compile(r"\s*(\w+)\s*!=\s*(\w+)\s*")


def fewest(where: Sequence[str]) -> int:
    """The least K of which conditions speak."""
    return max([1, *(int(found[1]) for one in where if (found := _FEWEST.fullmatch(one)))])


@dataclass(frozen=True)
class Formula:
    """A statement in the language, the declarations of its names, and the conditions under which it is claimed.

    Raises:
        LanguageError: where it is read, if it is no statement; the message shows the place.
    """

    text: str
    let: str = ""
    where: tuple[str, ...] = ()

    @cached_property
    def statement(self) -> Statement:
        """What it says."""
        return read_equation(self.text, let=self.let)

    @cached_property
    def conditions(self) -> tuple[Statement, ...]:
        """The conditions on values: all but those on K and on indices.

        Raises:
            LanguageError: one is no inequality, and no equation of the one kind that is understood.
        """
        return tuple(self._condition(one) for one in self.where if not self._is_on_indices(one))

    def _condition(self, text: str) -> Statement:
        found = read_equation(text, let=self.let)
        if found.relation not in ("==", "!=", "<", "<=", ">", ">="):
            raise LanguageError(f"the condition {text} is no inequality")
        if found.relation == "==" and not _is_of_the_simplex(found):
            raise LanguageError(
                f"the condition {text} is an equation, and of these only sum(v) == 1 of a vector v is understood: "
                "define the name that it determines instead, such as y = 2*z"
            )
        return found

    @cached_property
    def unequal(self) -> tuple[tuple[Index, Index], ...]:
        """The pairs of indices that are different."""
        free = {index.name: index for side in self.statement.expressions for index in side.free}
        pairs = [
            found.groups() for one in self.where if self._is_on_indices(one) and (found := _DIFFERENT.fullmatch(one))
        ]
        return tuple((free[i], free[j]) for i, j in pairs if i in free and j in free)

    def _is_on_indices(self, condition: str) -> bool:
        """Whether it is on K, or says that two indices differ."""
        if _FEWEST.fullmatch(condition):
            return True
        found = _DIFFERENT.fullmatch(condition)
        declared = (
            [bool(re.search(rf"(?<!\w){one}\s*:\s*index\b", self.let)) for one in found.groups()] if found else []
        )
        if any(declared) and not all(declared):
            raise LanguageError(f"the condition {condition} compares an index with what is none: declare both")
        return any(declared)

    @cached_property
    def decided(self) -> Statement:
        """What is decided of an equation, on both sides with all its indices and, where those differ, 1 - delta.

        Raises:
            LanguageError: indices are said to differ in what is no equation.
        """
        sides = self.statement.expressions
        for index in sorted({i for side in sides for i in side.free}, key=lambda i: i.name) if len(sides) == 2 else ():
            one = Delta(index, index)
            sides = tuple(side if index in side.free else entrywise("multiply", one, side) for side in sides)
        if self.unequal and self.statement.relation != "==":
            i, j = self.unequal[0]
            raise LanguageError(f"{i.name} != {j.name} is a condition of equations, and {self} is none")
        for i, j in self.unequal:
            apart = entrywise("subtract", Number(Fraction(1)), Delta(i, j))
            sides = tuple(entrywise("multiply", apart, side) for side in sides)
        return replace(self.statement, expressions=sides)

    @cached_property
    def is_over_classes(self) -> bool:
        """Whether it is an equation over the classes alone, the one axis of SymPy's core."""
        nodes = [node for side in self.statement.expressions for node in side.nodes()]
        return self.statement.relation == "==" and all(size_of(axis) == "K" for node in nodes for axis in node.axes)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables in it, by which it differentiates, and of its conditions."""
        sides = [side for one in (self.statement, *self.conditions) for side in one.expressions]
        used = [one for side in sides for one in _used(side)]
        return tuple(dict.fromkeys(one for one in used if isinstance(one, Variable)))

    @property
    def free(self) -> tuple[Index, ...]:
        """The indices that are free in it, in the order of their names."""
        return tuple(sorted({i for side in self.decided.expressions for i in side.free}, key=lambda i: i.name))

    @property
    def distributions(self) -> tuple[Variable, ...]:
        """The vectors that sum to 1."""
        declared = [one for side in self.statement.expressions for one in side.variables if one.kind == "distribution"]
        said = [one.expressions[0].variables[0] for one in self.conditions if one.relation == "=="]
        return tuple(dict.fromkeys([*declared, *said]))

    @property
    def latex(self) -> str:
        """It in the paper's notation, without dollar signs."""
        return statement_to_latex(self.statement)

    def __str__(self) -> str:
        return statement_to_text(self.statement)

    def declared(self) -> dict[str, str]:
        """By name, what each of its variables is, and each of its definitions, as LaTeX."""
        found: dict[str, str] = {}
        for side in self.statement.expressions:
            for node in _used(side):
                found.setdefault(node.name, declaration_to_latex(node))
        return found

    def excluded_at(self, point: Point) -> str:
        """The condition that a point does not fulfil; "" if it fulfils all, exactly.

        A variable of which the point says nothing, since it is not in the formula or cancels in it, is free: it is 1
        in every entry, and the first class if it is a label.
        """
        from softmax_trick.readings.algebraic import at_point
        from softmax_trick.readings.pointwise import Point

        least = fewest(self.where)
        if point.sizes.get("K", least) < least:
            return f"K >= {least}"
        for condition in self.conditions:
            variables = {one for side in condition.expressions for one in side.variables}
            values = {one.name: _of_ones(one, point.sizes) for one in variables} | dict(point.values)
            try:
                fulfilled = at_point(condition, Point(point.sizes, values, point.indices))
            except LanguageError:
                fulfilled = False
            if not fulfilled:
                return statement_to_text(condition)
        return ""


def _is_of_the_simplex(equation: Statement) -> bool:
    vectors = [one for one in equation.expressions[0].variables if len(one.axes) == 1]
    return statement_to_text(equation) in [f"sum({one.name}) == 1" for one in vectors]


def _of_ones(variable: Variable, sizes: Mapping[str, int]) -> Any:
    """1 in every entry of a variable; what adds up to 1 if it is a distribution."""
    value: Any = Fraction(1, sizes.get(size_of(variable.along), 1)) if variable.kind == "distribution" else 1
    for axis in reversed(variable.axes):
        value = [value] * sizes.get(size_of(axis), 1)
    return value


class SpokenOf(Formula):
    """A formula that prose speaks of without claiming it: a statement, or an expression."""

    @cached_property
    def statement(self) -> Statement:
        """What it says; the expression, if it says nothing."""
        try:
            return super().statement
        except LanguageError:
            return read(self.text, let=self.let)


def _used(side: Expression) -> list[Variable | Definition]:
    """The definitions and variables of an expression, variables first."""
    nodes = list(dict.fromkeys(side.nodes()))
    definitions = [node for node in nodes if isinstance(node, Definition)]
    inner = [node for one in definitions for node in _used(one.meaning)]
    by = [node.by for node in nodes if isinstance(node, Derivative)]
    variables = [*side.variables, *by, *(node for node in inner if isinstance(node, Variable))]
    return list(dict.fromkeys([*variables, *(one for one in inner if isinstance(one, Definition)), *definitions]))


def condition_to_latex(text: str, let: str) -> str:
    """A condition in the paper's notation, without dollar signs."""
    found = _DIFFERENT.fullmatch(text)
    if found and re.search(rf"\b{found[1]}: index", let):
        return rf"{found[1]} \ne {found[2]}"
    return statement_to_latex(read_equation(text, let=let))
