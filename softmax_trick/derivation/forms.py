"""The shortest form of an expression in the user's own terms, proved equal to it.

Several ways are tried: with the functions of the formula as they stand, with the names that the user gave put in, with
pieces or exponentials looked into. The shortest form that `decide` proves equal to the expression is the answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from softmax_trick.deciding.decision import Decision, decide
from softmax_trick.derivation.contraction import Unwritable, text_length
from softmax_trick.derivation.named_parts import by_names
from softmax_trick.derivation.opaque import PIECEWISE, SMOOTH, VECTOR, Opaque
from softmax_trick.derivation.recognition import recognised
from softmax_trick.derivation.tensor_form import TensorForm
from softmax_trick.language.expression import (
    Apply,
    AxesError,
    Call,
    Definition,
    Expression,
    LanguageError,
    size_of,
)
from softmax_trick.language.grammar import parse
from softmax_trick.language.text import declarations, to_text
from softmax_trick.readings.canonical import TooLarge, Undefined
from softmax_trick.system.shown import Shown

PARTS = frozenset((*SMOOTH, *PIECEWISE, *VECTOR, "power"))


@dataclass(frozen=True, repr=False)
class Form(Shown):
    """An expression in other words.

    Attributes:
        of: the expression.
        form: the same in the user's terms; None if no form was proved.
        decision: that the two are equal; why not, of the last form tried, if none was proved; None if there was none.
    """

    of: Expression
    form: Expression | None
    decision: Decision | None

    def __str__(self) -> str:
        return self.text or f"undecided: {self.reason}"

    @property
    def text(self) -> str:
        """The form as text, as short as the grammar reads it back."""
        return "" if self.form is None else shortest_text(self.form)

    @property
    def reason(self) -> str:
        """Why no form was proved; "" if one was."""
        if self.form is not None:
            return ""
        if self.decision is not None:
            return self.decision.reason or "the form that was found is not equal to it"
        largest = functions_in(self.of) & {"max", "min"}
        return "no form was found" + (": the place of the largest entry has no name" if largest else "")


def form_of(
    expression: Expression,
    names: tuple[Definition, ...] = (),
    sizes: Mapping[str, int] | None = None,
    until: float = float("inf"),
) -> Form:
    """The shortest form of an expression that was found and proved.

    Args:
        expression: the expression; a derivative, in general.
        names: definitions that the form may use.
        sizes: sizes that are given.
        until: when to stop (time.perf_counter).
    """
    decision = None
    for form in _candidates(expression, names, until):
        decision = decide(expression, form, sizes)
        if decision.verdict == "proved":
            return Form(expression, form, decision)
        if time.perf_counter() > until:
            break
    return Form(expression, None, decision)


def _candidates(expression: Expression, names: tuple[Definition, ...], until: float) -> list[Expression]:
    """Forms of an expression, the shortest first, each once."""
    found: dict[Expression, int] = {}
    for written, parts in _ways(expression, names):
        for by_entries in (False, True):
            if by_entries and found:
                break
            try:
                form = _form(written, parts, names, by_entries)
            except (Unwritable, TooLarge, Undefined, AxesError, RecursionError):
                continue
            for one in (form, recognised(form)):
                found.setdefault(one, text_length(one))
        if time.perf_counter() > until:
            break
    return sorted(found, key=lambda form: found[form])


def _ways(expression: Expression, names: tuple[Definition, ...]) -> Iterator[tuple[Expression, frozenset[str]]]:
    """The expression, as it stands or with functions recognised, and which functions stay as they are."""
    named = with_names(expression, names)
    used = functions_in(named)
    for form in dict.fromkeys((named, recognised(named))):
        for own in (frozenset(), frozenset({"definition"})) if names else (frozenset(),):
            yield form, PARTS | own
            if used & {*PIECEWISE, "maximum", "minimum", "clip", "where"}:
                yield form, (PARTS | own) - {*PIECEWISE}
            if used & {"exp", "log"}:
                yield form, (PARTS | own) - {"exp", "log"}


def functions_in(expression: Expression) -> frozenset[str]:
    """The names of the functions in an expression."""
    return frozenset(node.function for node in expression.nodes() if isinstance(node, Apply | Call))


def _form(expression: Expression, parts: frozenset[str], names: tuple[Definition, ...], by_entries: bool) -> Expression:
    algebra = Opaque(parts)
    for definition in names:
        algebra.part(definition)
    places = tuple(("free", size_of(axis), f"_{n}") for n, axis in enumerate(expression.axes))
    value = algebra.tidied(algebra.reading.entry(expression, places))
    if "definition" in parts:
        value = by_names(algebra, value, names)
    taken = [variable.name for variable in expression.variables] + [definition.name for definition in names]
    used = functions_in(expression)
    form = TensorForm(algebra, places, expression.axes, taken, by_entries, used, expression.free)
    return form.expression(value)


def with_names(expression: Expression, names: tuple[Definition, ...]) -> Expression:
    """The expression with whatever a definition means written by its name."""
    if isinstance(expression, Definition):
        return expression
    changed = expression.rebuilt(lambda child: with_names(child, names))
    for number, definition in enumerate(names):
        if changed in (definition.meaning, with_names(definition.meaning, names[:number])):
            return definition
    return changed


def shortest_text(expression: Expression) -> str:
    """The text without the axes of identities and spread vectors, where the rest says which they are."""
    text = to_text(expression)
    brief = re.sub(r"\beye\([A-Za-z]\w*'*\)", "eye", text)
    brief = _SPREAD.sub(r"\1)", brief)
    if brief == text:
        return text
    try:
        return brief if parse(brief, declarations(expression)) == expression else text
    except LanguageError:
        return text


_DEPTH_2 = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*"
_SPREAD = re.compile(rf"\b((?:rows|cols)\({_DEPTH_2}), [A-Za-z]\w*'*\)")
