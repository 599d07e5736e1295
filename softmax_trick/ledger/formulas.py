"""The formulas of a claim: texts of the language, read once, shown by its printers and decided by its readings.

A formula is an equation, an inequality, psd(M) or conservative(F, x), or a statement with words, "H implies exists d:
..."; docs/language.md has the grammar. What is decided of a statement with words are its parts: the relations that are
left by logic alone, once something is put in for what exists, `putting`. Beside a formula stand declarations of its
names, `let`, and conditions, `where`, under which it is claimed:

    "K >= 2"         from how many classes on
    "y != 0"         no entry of y vanishes; also "y > 0", "y >= 0", "u - v > 0": any inequality, in every entry
    "sum(y) == 1"    y lies in the simplex's plane, and is differentiated as if it did not; the only equation allowed
    "i != j"         two indices, declared as such, are different; of equations only

To every engine they mean the same: a counterexample that does not fulfil them counts for nothing.
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
    Size,
    Variable,
    entrywise,
    size_of,
)
from softmax_trick.language.grammar import Statement, proposition, read, read_equation
from softmax_trick.language.latex import declaration_to_latex, function_to_latex, statement_to_latex
from softmax_trick.language.proposition import Implies, Proposition, Related, functions_in, variables_in
from softmax_trick.language.scanner import Source
from softmax_trick.language.syntax import Parser
from softmax_trick.language.text import declarations, statement_to_text

if TYPE_CHECKING:
    from softmax_trick.readings.pointwise import Point
    from softmax_trick.statements.obligations import Obligation
    from softmax_trick.statements.putting import Putting

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
    putting: str = ""
    is_found: bool = False  # by a proof: the functions that are put in are all that there are

    @cached_property
    def statement(self) -> Statement:
        """What it says."""
        return read_equation(self.text, let=self.let)

    @property
    def has_words(self) -> bool:
        """Whether it is a statement with words."""
        return self.statement.says is not None and not self.statement.relation

    @cached_property
    def whole(self) -> Proposition:
        """A statement with words, under its conditions."""
        text = f"({' and '.join(self.where)}) implies ({self.text})" if self.where else self.text
        return proposition(text, self.let)

    @cached_property
    def parts(self) -> tuple[Formula, ...]:
        """What is decided: itself; of a statement with words the relations that are left of it by logic alone.

        There are none where logic alone leads nowhere, where one function is put in for every one, and where what is
        put in is not defined throughout.
        """
        if not self.has_words:
            return (self,)
        from softmax_trick.statements.obligations import obligations
        from softmax_trick.statements.proposition import roles_of, where_not_defined
        from softmax_trick.statements.putting import Putting, with_functions

        try:
            putting = Putting.of(self.putting, self.let)
            if not self.is_found and any(roles_of(self.whole, name) != {"some"} for name in putting.functions):
                return ()
            found = obligations(with_functions(self.whole, putting), putting)
        except LanguageError:  # the decision says why
            return ()
        if any(map(where_not_defined, found)):
            return ()
        if putting.functions:
            found = [replace(one, weaker=one.weaker or "another function may do") for one in found]
        return tuple(Part.of(one) for one in found if one.says not in one.conditions)

    @cached_property
    def conditions(self) -> tuple[Statement, ...]:
        """The conditions on values: all but those on K and on indices.

        Raises:
            LanguageError: one is no inequality, and no equation of the one kind that is understood.
        """
        return tuple(self._condition(one) for one in self.where if not self._is_on_indices(one))

    @cached_property
    def hypotheses(self) -> tuple[Related, ...]:
        """All the conditions, as relations."""
        said = (proposition(one, self.let) for one in self.where)
        return tuple(one for one in said if isinstance(one, Related))

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

    @property
    def premise_with_functions(self) -> tuple[Proposition, Putting] | None:
        """What an implication supposes, with the functions put in, and what is put in for names; else None."""
        from softmax_trick.statements.putting import Putting, with_functions

        putting = Putting.of(self.putting, self.let)
        match with_functions(self.whole, putting):
            case Implies(premise, _) if putting.functions:
                names = {name: text for name, text in putting.names.items() if name in premise.bound}
                return premise, Putting(names, {}, self.let)
        return None

    @cached_property
    def is_over_classes(self) -> bool:
        """Whether it is an equation over the classes alone, the one axis of SymPy's core."""
        if self.has_words:
            return all(part.is_over_classes for part in self.parts)
        nodes = [node for side in self.statement.expressions for node in side.nodes()]
        return self.statement.relation == "==" and all(size_of(axis) == "K" for node in nodes for axis in node.axes)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The variables in it, by which it differentiates, and of its conditions."""
        sides = [side for one in (self.statement, *self.conditions) for side in one.expressions]
        used = [one for side in sides for one in _used(side)]
        return tuple(dict.fromkeys(one for one in used if isinstance(one, Variable)))

    @cached_property
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
        says = self.statement.says
        if says is not None:
            found |= {name: function_to_latex(name, says) for name in sorted(functions_in(says))}
        for side in self.statement.expressions:
            for node in _used(side):
                if says is None or node.name not in says.bound:
                    found.setdefault(node.name, declaration_to_latex(node))
        return found

    def excluded_at(self, point: Point) -> str:
        """The condition that a point does not fulfil; "" if it fulfils all, exactly.

        A variable of which the point says nothing is 1 in every entry, and the first class if it is a label; one that
        is not in the formula at all may be 2 or 1/2 as well.
        """
        least = fewest(self.where)
        if point.sizes.get("K", least) < least:
            return f"K >= {least}"
        excluded = self._unfulfilled(point, Fraction(1))
        always = excluded and all(self._unfulfilled(point, value) for value in (Fraction(2), Fraction(1, 2)))
        return excluded if always else ""

    def _unfulfilled(self, point: Point, free: Fraction) -> str:
        """The condition that a point does not fulfil, with this value for what is not in the formula; "" if none."""
        from softmax_trick.readings.algebraic import at_point
        from softmax_trick.readings.pointwise import Point, any_value

        own = {one for side in self.statement.expressions for one in variables_in(side)}
        for condition in self.conditions:
            variables = {one for side in condition.expressions for one in side.variables}
            values = {one.name: any_value(one, point.sizes, Fraction(1) if one in own else free) for one in variables}
            try:
                fulfilled = at_point(condition, Point(point.sizes, values | dict(point.values), point.indices))
            except LanguageError:
                fulfilled = False
            if not fulfilled:
                return statement_to_text(condition)
        return ""


@dataclass(frozen=True)
class Part(Formula):
    """A relation that is left of a statement with words, and the hypotheses that are left beside it.

    Attributes:
        obligation: both.
    """

    obligation: Obligation | None = None

    @classmethod
    def of(cls, obligation: Obligation) -> Part:
        """The part that an obligation is."""
        let = declarations(obligation.says, *obligation.conditions)
        return cls(repr(obligation.says), let, tuple(map(repr, obligation.conditions)), obligation=obligation)

    @cached_property
    def statement(self) -> Statement:
        """What it says."""
        return _as_statement(self._left.says)

    @property
    def _left(self) -> Obligation:
        if self.obligation is None:
            raise LanguageError(f"{self.text} is no part of a statement")
        return self.obligation

    @property
    def is_only_sufficient(self) -> bool:
        """Whether the statement may hold where this does not: something else may do for what exists, or a hypothesis
        that no engine can evaluate fails.
        """
        return bool(self._left.weaker) or len(self.conditions) < len(self._on_values)

    @property
    def _on_values(self) -> list[Related]:
        """The hypotheses that are left, but for those on sizes and on indices."""
        return [one for one in self._left.conditions if not (_is_of_size(one) or _is_of_indices(one))]

    @cached_property
    def conditions(self) -> tuple[Statement, ...]:
        """The inequalities among the hypotheses that are left, but for those on sizes."""
        return tuple(_as_statement(one) for one in self._on_values if one.relation in ("!=", "<", "<=", ">", ">="))

    @cached_property
    def unequal(self) -> tuple[tuple[Index, Index], ...]:
        """The pairs of indices that are different."""
        found = []
        for one in self._left.conditions:
            match one:
                case Related("==", (Delta(Index() as i, Index() as j), Number(value))) if not value:
                    found.append((i, j))
        return tuple(found)


def _as_statement(said: Related) -> Statement:
    return Statement(said.sides, said.relation, says=said)


def _is_of_size(said: Related) -> bool:
    return any(isinstance(side, Size) for side in said.sides)


def _is_of_indices(said: Related) -> bool:
    return isinstance(said.sides[0], Delta)


def _is_of_the_simplex(equation: Statement) -> bool:
    vectors = [one for one in equation.expressions[0].variables if len(one.axes) == 1]
    return statement_to_text(equation) in [f"sum({one.name}) == 1" for one in vectors]


class SpokenOf(Formula):
    """A formula that prose speaks of without claiming it: a statement, or an expression.

    What it binds is no name of the claim's definitions.
    """

    @cached_property
    def statement(self) -> Statement:
        """What it says; the expression, if it says nothing."""
        try:
            phrase = Parser(Source("", self.text)).statement()
        except LanguageError:
            return read(self.text, let=self.let)
        bound = {binder.node.text for part in phrase.phrases() for binder in part.binders}
        return read_equation(self.text, let="; ".join(one for one in self.let.split(";") if not _defines(one, bound)))


def _defines(declaration: str, names: set[str]) -> bool:
    name, sign, _ = declaration.partition("=")
    return bool(sign) and name.strip() in names


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
