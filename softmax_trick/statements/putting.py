"""What is put in for names that a statement says to exist, and for unknown functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from softmax_trick.language.expression import AxesError, Expression, LanguageError, jacobian, ones, shape, size_of
from softmax_trick.language.grammar import parse
from softmax_trick.language.proposition import (
    Bound,
    Image,
    Proposition,
    Quantified,
    checked,
    name_of,
    names_in,
)
from softmax_trick.language.substitution import substituted
from softmax_trick.language.text import declarations, together
from softmax_trick.statements.renaming import with_parts

_FUNCTION = re.compile(r"\s*(\w+)\s*\(\s*(\w[\w°']*)\s*\)\s*=\s*(.*)", re.DOTALL)
_NAME = re.compile(r"\s*(\w[\w°']*)\s*=\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Putting:
    """What is put in for names that a statement says to exist, and for unknown functions.

    Attributes:
        names: by name, the texts.
        functions: by the name of a function, its argument and its text.
        let: declarations of the names in the texts; those of the statement's own names are known.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    let: str = ""

    @classmethod
    def of(cls, text: str, let: str = "") -> Putting:
        """Read "d = ones(K); F(x) = softmax(x)".

        Raises:
            LanguageError: a part is neither NAME = FORMULA nor NAME(NAME) = FORMULA, or a name comes twice.
        """
        names: dict[str, str] = {}
        functions: dict[str, tuple[str, str]] = {}
        for part in filter(str.strip, text.split(";")):
            function, name = _FUNCTION.fullmatch(part), _NAME.fullmatch(part)
            if function and function[1] not in functions:
                functions[function[1]] = (function[2], function[3])
            elif not function and name and name[1] not in names:
                names[name[1]] = name[2]
            elif found := function or name:
                raise LanguageError(f"{found[1]} is put in twice")
            else:
                raise LanguageError(f"{part.strip()!r}: what is put in reads d = ones(K), or F(x) = softmax(x)")
        return cls(names, functions, let)


def with_functions(said: Proposition, putting: Putting) -> Proposition:
    """The proposition with the functions that are put in.

    Raises:
        LanguageError: a function cannot be read, or does not fit.
    """
    for name, (argument, text) in putting.functions.items():
        bound = [one for node in said.nodes() if isinstance(node, Quantified) for one in node.binds]
        if not any(name_of(one) == name or _is_of(one, name) for one in bound):
            raise LanguageError(f"{name} is put in, and the statement speaks of no function {name}")

        def value(image: Image, argument: str = argument, text: str = text) -> Expression:
            own = replace(image.at, name=argument)
            given = parse(text, together(declarations(own), putting.let))
            return substituted(given, {argument: image.at})

        said = with_function(said, name, value)
    return checked(said)


def _is_of(bound: Bound, function: str) -> bool:
    return isinstance(bound, Image) and bound.function.name == function


def with_function(node: Proposition, name: str, value: Callable[[Image], Expression]) -> Proposition:
    """A proposition with a function put in; no name in its values but the point is bound in the proposition.

    Raises:
        LanguageError: one is bound there; the values have other axes.
    """
    if isinstance(node, Quantified):
        body = with_function(node.body, name, value)
        images = [one for one in node.binds if isinstance(one, Image) and _is_of(one, name)]
        kept = tuple(one for one in node.binds if one not in images and name_of(one) != name)
        for image in images:
            new = _fitting(image, value(image))
            more = sorted((names_in(new) - {image.at.name}) & node.bound)
            if more:
                raise LanguageError(f"{more[0]} is bound in the statement, and stands in {name}: rename it")
            put = {image.variable.name: jacobian(new, image.at) if image.slope else new}
            body = body.changed(partial(substituted, put=put))
        return type(node)(kept, body) if kept else body
    return with_parts(node, {part: with_function(part, name, value) for part in node.parts})


def _fitting(image: Image, value: Expression) -> Expression:
    """A value of a function, with the axes that it must have."""
    axes = image.variable.axes
    wanted = axes[: len(axes) - len(image.at.axes)] if image.slope else axes
    if not value.axes and wanted:
        value = ones(*wanted) * value
    if list(map(size_of, value.axes)) != list(map(size_of, wanted)):
        raise AxesError(f"{image.function.name}({image.at.name}) is {shape(wanted)}, and {value!r} {shape(value.axes)}")
    return value
