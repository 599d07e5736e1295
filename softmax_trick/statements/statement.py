"""A statement that was read from text, decided; a wrong equation with what it should read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from softmax_trick.deciding import decision
from softmax_trick.deciding.decision import Decision
from softmax_trick.deciding.relations import decide_conservative, decide_order, decide_psd
from softmax_trick.language.expression import (
    Definition,
    Derivative,
    Expression,
    LanguageError,
    Variable,
    as_expression,
)
from softmax_trick.language.grammar import Statement, read_equation
from softmax_trick.language.proposition import OPPOSITE, Proposition, Related
from softmax_trick.statements.counterexamples import elsewhere
from softmax_trick.statements.nearest import SECONDS, Nearest, nearest
from softmax_trick.statements.obligations import Obligation
from softmax_trick.statements.proposition import consequence, decide_proposition
from softmax_trick.statements.putting import Putting


def decide(
    left: Expression | Proposition | str, right: Expression | str | int | None = None, let: str = "", putting: str = ""
) -> Decision:
    """Whether two formulas are equal, at every point at which both are defined, for every size; or a statement holds.

    Args:
        left: a formula, as an expression or as text; or, alone, a statement, as a proposition or in one text: "a == b",
            "a <= b", "psd(M)", "conservative(F, x)", "K >= 2 implies ...", "exists d: for all x: ...".
        right: the other formula, of the same kind; a number is one of any kind.
        let: declarations of the names in texts, "x: K; c: label K; y = softmax(x)".
        putting: what is put in for what a statement says to exist, or for an unknown function: "d = ones(K)",
            "F(x) = softmax(x)".

    Returns:
        the decision; a wrong equation has the nearest right formula, if one is found.

    Raises:
        LanguageError: a text is no formula; an expression and a text.
        AxesError: the axes do not fit.
    """
    if isinstance(left, Proposition):
        if right is not None or let:
            raise LanguageError("a proposition stands alone, and its names are declared already")
        return decide_statement(Statement(left.expressions, says=left), putting=Putting.of(putting))
    if isinstance(left, str):
        if not (right is None or isinstance(right, str | int)):
            raise LanguageError("give two texts, or two expressions: the names of a text are its own")
        statement = read_equation(left, None if right is None else str(right), let)
        return replace(decide_statement(statement, putting=Putting.of(putting, let)), names=statement.readings)
    if right is None or isinstance(right, str) or let or putting:
        raise LanguageError("an expression is compared with an expression, and its names are declared already")
    return decide_statement(Statement((left, as_expression(right)), "=="))


def decide_statement(statement: Statement, repair: bool = True, putting: Putting | None = None) -> Decision:
    """Whether a statement holds, for every size: an equation, an inequality, psd(M), conservative(F, x), or with words.

    Of an equation that is refuted, the decision has the nearest right formula, if it is asked for and found.

    Raises:
        LanguageError: it is no statement, or says nothing that can be decided.
        AxesError: axes that do not fit.
    """
    begin = time.perf_counter()
    sizes, relation = statement.sizes, statement.relation
    asked = putting is not None and bool(putting.names or putting.functions)
    if statement.says is not None and (asked or relation in ("", "!=")):
        return decide_proposition(statement.says, putting, sizes)
    match statement.expressions:
        case (left, right) if relation == "==":
            found = decision.decide(left, right, sizes)
            if found.verdict == "refuted" and repair:
                near = nearest(left, right, sizes) or _derived(left, right, sizes)
                if near is not None:
                    found = replace(found, nearest=near.formula, slip=near.slip)
        case (left, right) if relation in ("<=", "<"):
            found = decide_order(left, right, "<" if relation == "<" else "<=", sizes)
        case (left, right) if relation in (">=", ">"):
            found = decide_order(right, left, "<" if relation == ">" else "<=", sizes)
            if found.witness is not None:
                turned = replace(found.witness, left=found.witness.right, right=found.witness.left)
                found = replace(found, witness=turned)
        case (matrix,) if relation == "psd":
            found = decide_psd(matrix, sizes)
        case (field, by) if relation == "conservative":
            if not isinstance(by, Variable):
                raise LanguageError(f"conservative takes a field and the variable that it is by, not {by!r}")
            found = decide_conservative(field, by, sizes)
        case _:
            raise LanguageError(
                "a statement is two formulas with ==, !=, <= or < between them, psd(M), conservative(F, x), or what "
                "and, not, implies, iff, for all, exists make of such"
            )
    if found.verdict == "undecided" and relation in OPPOSITE:
        says = Related(relation, statement.expressions)
        found = consequence(found, says, (), sizes)
        if found.verdict == "undecided" and relation in ("<", ">"):  # the sides may be equal somewhere
            tie = elsewhere(Obligation(says), says, sizes)
            found = found if tie is None else replace(tie, scope=found.scope, conditions=found.conditions)
    return replace(found, relation=relation, seconds=time.perf_counter() - begin)


def _derived(left: Expression, right: Expression, sizes: Mapping[str, int]) -> Nearest | None:
    """The derivative in the user's terms, where no slip leads from the wrong side to it."""
    from softmax_trick.derivation.forms import form_of

    raw = next((side for side in (left, right) if isinstance(side, Derivative)), None)
    if raw is None:
        return None
    own = (node for side in (left, right) for node in side.nodes() if isinstance(node, Definition))
    form = form_of(raw, tuple(dict.fromkeys(own)), sizes, time.perf_counter() + SECONDS).form
    return None if form is None else Nearest(form, "what the derivative is")
