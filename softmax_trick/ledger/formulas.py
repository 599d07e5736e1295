"""The formulas of a claim: texts of the language, read once, shown by its printers and decided by its readings.

A formula is an equation, an inequality, psd(M) or conservative(F, x); docs/language.md has the grammar. Beside it stand
declarations of its names, `let`, and conditions, `where`, under which it is claimed:

    "K >= 2"         from how many classes on
    "y != 0"         no entry of y vanishes; also "y > 0" and "y >= 0"
    "sum(y) == 1"    y lies in the simplex's plane, and is differentiated as if it did not
    "i != j"         two indices are different
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

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
    from softmax_trick.deciding.points import Witness

_FEWEST = re.compile(r"K >= (\d+)")
_DIFFERENT = re.compile(r"(\w+) != (\w+)")


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
        """The conditions on values: all but those on K and on indices."""
        return tuple(read_equation(one, let=self.let) for one in self.where if not self._is_on_indices(one))

    @cached_property
    def unequal(self) -> tuple[tuple[Index, Index], ...]:
        """The pairs of indices that are different."""
        free = {index.name: index for side in self.statement.expressions for index in side.free}
        pairs = [found.groups() for one in self.where if (found := _DIFFERENT.fullmatch(one))]
        return tuple((free[i], free[j]) for i, j in pairs if i in free and j in free)

    def _is_on_indices(self, condition: str) -> bool:
        found = _DIFFERENT.fullmatch(condition)
        return bool(_FEWEST.fullmatch(condition) or (found and re.search(rf"\b{found[1]}: index", self.let)))

    @cached_property
    def decided(self) -> Statement:
        """What is decided of an equation, on both sides with all its indices and, where those differ, 1 - delta."""
        sides = self.statement.expressions
        for index in sorted({i for side in sides for i in side.free}, key=lambda i: i.name) if len(sides) == 2 else ():
            one = Delta(index, index)
            sides = tuple(side if index in side.free else entrywise("multiply", one, side) for side in sides)
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

    def excluded_at(self, witness: Witness) -> str:
        """The condition that a point does not fulfil; "" if it fulfils all, exactly."""
        from softmax_trick.readings.algebraic import at_point
        from softmax_trick.readings.pointwise import Point

        least = fewest(self.where)
        if witness.sizes.get("K", least) < least:
            return f"K >= {least}"
        for condition in self.conditions:
            if not at_point(condition, Point(witness.sizes, witness.values, witness.indices)):
                return statement_to_text(condition)
        return ""


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
