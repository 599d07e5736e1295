"""Expressions as text, which the grammar reads back: parse(to_text(e), declarations(e)) == e."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from softmax_trick.language import expression as ex
from softmax_trick.language.functions import NAMED
from softmax_trick.language.proposition import (
    PREDICATES,
    And,
    Bound,
    ForAll,
    Iff,
    Image,
    Implies,
    Not,
    Proposition,
    Quantified,
    Related,
)
from softmax_trick.language.syntax import REDUCTIONS

if TYPE_CHECKING:
    from softmax_trick.language.grammar import Statement

# How tightly what was written last binds. SUMMED ends in an open body: sum[k:K] x[k]*y[k].
OPEN, SUM, SUMMED, PRODUCT, MATMUL, SIGNED, POWER, ATOM = range(8)

_INFIX = {"add": (" + ", SUM), "subtract": (" - ", SUM), "multiply": ("*", PRODUCT), "divide": ("/", PRODUCT)}
_DECLARED = re.compile("[:=]")
_DERIVATIVE = {"gradient": "grad"}


def to_text(expression: ex.Expression) -> str:
    """The expression as text, as short as it may be; definitions print as their names."""
    return _Writer().write(expression)[0]


def statement_to_text(statement: Statement) -> str:
    """A statement as text, which `read_equation` reads back."""
    if statement.says is not None and not statement.relation:
        return proposition_to_text(statement.says)
    return _related_to_text(statement.relation, statement.expressions)


def _related_to_text(relation: str, expressions: tuple[ex.Expression, ...]) -> str:
    match relation, expressions:
        case "==", (ex.Delta(left, right), ex.Number(value)):  # of indices
            return f"{term_text(left)} {'==' if value else '!='} {term_text(right)}"
    sides = [to_text(bare(side)) for side in expressions]
    if relation in PREDICATES:
        return f"{relation}({', '.join(sides)})"
    return f" {relation} ".join(sides)


# How tightly a statement binds. ENDLESS is a quantifier, whose body ends with the text.
ENDLESS, IFF, IMPLIES, AND, SAID = range(5)


def proposition_to_text(proposition: Proposition) -> str:
    """A proposition as text, which `grammar.proposition` reads back with the declarations of its names."""
    return _said(proposition)[0]


def _said(node: Proposition) -> tuple[str, int]:
    """The text, and how tightly it binds."""
    match node:
        case Related(relation, sides):
            return _related_to_text(relation, sides), SAID
        case And(parts):
            return " and ".join(_said_at(part, SAID) for part in parts), AND
        case Not(what):
            return f"not {_said_at(what, SAID)}", SAID
        case Implies(premise, conclusion):
            return f"{_said_at(premise, AND)} implies {_said_at(conclusion, IMPLIES)}", IMPLIES
        case Iff(parts):
            return " iff ".join(_said_at(part, IMPLIES) for part in parts), IFF
        case Quantified(binds, body):
            word = "for all" if isinstance(node, ForAll) else "exists"
            return f"{word} {', '.join(map(_binder_text, binds))}: {_said(body)[0]}", ENDLESS
    raise TypeError(f"no text for {type(node).__name__}")


def _said_at(node: Proposition, level: int) -> str:
    text, own = _said(node)
    return text if own >= level else f"({text})"


def _binder_text(bound: Bound) -> str:
    if isinstance(bound, Image):
        prime = "'" if bound.slope else ""
        return f"{bound.variable.name} = {bound.function.name}{prime}({bound.at.name})"
    return bound.name


def bare(side: ex.Expression) -> ex.Expression:
    """A side of a statement; a number that was spread over the axes of the other side is that number."""
    return side.argument if isinstance(side, ex.Spread) and isinstance(side.argument, ex.Number) else side


def together(own: str, others: str) -> str:
    """Declarations, and those of others that declare other names."""
    names = {_DECLARED.split(one)[0].strip() for one in own.split(";")}
    kept = (one for one in others.split(";") if _DECLARED.split(one)[0].strip() not in names)
    return "; ".join(filter(str.strip, (own, *kept)))


def declarations(*said: ex.Expression | Proposition) -> str:
    """What --let must say for the texts of these to be read back: "x: K; c: label K; y = softmax(x)".

    Raises:
        LanguageError: two names that are spelt alike and mean different things.
    """
    found: dict[str, str] = {}
    for one in said:
        for name, meaning in _declared(one) if isinstance(one, ex.Expression) else _declared_in(one):
            if found.setdefault(name, meaning) != meaning:
                raise ex.LanguageError(f"{name} is declared in two ways: {found[name]}; {meaning}")
    return "; ".join(found.values())


def _declared_in(proposition: Proposition) -> Iterator[tuple[str, str]]:
    for node in proposition.nodes():
        for one in node.binds if isinstance(node, Quantified) else ():
            match one:
                case ex.Variable() | ex.Size():
                    yield from _declared(one)
                case Image():
                    yield from _declared(one.variable)
                case ex.Index():
                    yield from _declared_term(one, frozenset())
    for side in proposition.expressions:
        yield from _declared(side)


def _declared(expression: ex.Expression, bound: frozenset[ex.Index] = frozenset()) -> Iterator[tuple[str, str]]:
    match expression:
        case ex.Definition(name, meaning):
            yield from _declared(meaning, bound)
            yield name, f"{name} = {to_text(meaning)}"
            return
        case ex.Variable():
            yield expression.name, declaration(expression)
        case ex.Size(name):
            yield name, f"{name}: size"
        case ex.Comprehension(indices):
            bound |= frozenset(indices)
    for term in ex.index_terms(expression):
        yield from _declared_term(term, bound)
    for child in expression.children:
        yield from _declared(child, bound)


def _declared_term(term: ex.IndexTerm, bound: frozenset[ex.Index]) -> Iterator[tuple[str, str]]:
    match term:
        case ex.Index(name, axis) if term not in bound:
            yield name, f"{name}: index {axis}"
        case ex.Chosen(label, indices):
            yield label.name, declaration(label)
            for inner in indices:
                yield from _declared_term(inner, bound)


def declaration(variable: ex.Variable) -> str:
    """A variable as --let declares it."""
    kind = {"real": "" if variable.axes else "real", "label": f"label {variable.along}"}.get(
        variable.kind, variable.kind
    )
    if variable.kind == "distribution" and variable.axes[-1] != variable.along:
        kind = f"distribution over {variable.along}"
    return " ".join(part for part in (f"{variable.name}:", ",".join(variable.axes), kind) if part)


def term_text(term: ex.IndexTerm) -> str:
    """An index as text."""
    match term:
        case ex.Index(name, _):
            return name
        case ex.Numbered(value, _):
            return str(value)
        case ex.Chosen(label, indices):
            return label.name + (f"[{', '.join(map(term_text, indices))}]" if indices else "")


class _Writer:
    """Writes an expression, with parentheses where the grammar asks for them."""

    def write(self, node: ex.Expression) -> tuple[str, int]:
        """The text, and how tightly it binds."""
        match node:
            case ex.Number(value):
                return str(value), PRODUCT if value.denominator > 1 else SIGNED if value < 0 else ATOM
            case ex.Size(name) | ex.Variable(name) | ex.Definition(name):
                return name, ATOM
            case ex.Apply():
                return self._apply(node)
            case ex.Call():
                return self._call(node)
            case ex.MatMul(left, right):
                return f"{self.at(left, MATMUL)} @ {self.right(right, SIGNED)}", MATMUL
            case ex.Transpose(argument):
                return f"{self.at(argument, ATOM)}.T", ATOM
            case ex.Comprehension(indices, body):
                return f"[{_bound(indices)}] {self.at(body, OPEN)}", OPEN
            case ex.Entry(argument, terms):
                return f"{self.at(argument, ATOM)}[{', '.join(map(term_text, terms))}]", ATOM
            case ex.Pick(argument, label):
                return f"{self.at(argument, ATOM)}[{label.name}]", ATOM
            case ex.Delta(left_term, right_term):
                return f"delta({term_text(left_term)}, {term_text(right_term)})", ATOM
            case ex.Identity(axis):
                return "eye" if axis == ex.UNKNOWN else f"eye({axis})", ATOM
            case ex.Spread():
                return self._spread(node), ATOM
            case ex.Derivative(kind, function, by, direction):
                parts = [function, by] if direction is None else [function, by, direction]
                return self._function(_DERIVATIVE.get(kind, kind), *parts), ATOM
            case ex.Outer() | ex.Diag() | ex.Diagonal() | ex.OneHot():
                return self._function(type(node).__name__.lower(), *node.children), ATOM
        raise TypeError(f"no text for {type(node).__name__}")

    def at(self, node: ex.Expression, level: int) -> str:
        """The text of an operand that must bind at least so tightly."""
        text, own = self.write(node)
        return text if own >= level else f"({text})"

    def right(self, node: ex.Expression, level: int) -> str:
        """The same for an operand on the right, which does not begin with a sign."""
        text = self.at(node, level)
        return f"({text})" if text.startswith("-") else text

    def _apply(self, node: ex.Apply) -> tuple[str, int]:
        match node.function, node.arguments:
            case "negative", (u,):
                text, own = self.write(u)
                # -1 is a number: the opposite of 1 is -(1).
                if (own < SIGNED and own != SUMMED) or (isinstance(u, ex.Number) and u.value >= 0):
                    text = f"({text})"
                return f"-{text}", SUMMED if own == SUMMED else SIGNED
            case "power", (u, v):
                return f"{self.at(u, ATOM)}**{self.at(v, SIGNED)}", POWER
            case "less", (u, v):
                return f"({self.at(u, SUM)} < {self.at(v, SUM)})", ATOM
            case function, (u, v) if function in _INFIX:
                sign, level = _INFIX[function]
                left, right = self.at(u, level), self.right(v, level + 1)
                # 1/2 is a number: the quotient of 1 and 2 is 1/(2).
                if function == "divide" and all(isinstance(one, ex.Number) for one in (u, v)) and right.isdecimal():
                    right = f"({right})"
                return left + sign + right, level
            case function, arguments:
                return self._function(function, *arguments), ATOM

    def _function(self, name: str, *arguments: ex.Expression, more: tuple[str, ...] = ()) -> str:
        texts = [self.write(argument)[0] for argument in arguments]
        if name == "where" and isinstance(arguments[0], ex.Apply) and arguments[0].function == "less":
            texts[0] = texts[0][1:-1]
        return f"{name}({', '.join((*texts, *more))})"

    def _call(self, node: ex.Call) -> tuple[str, int]:
        rule, first = NAMED[node.function], node.arguments[0]
        axes = tuple(first.axes[place] for place in node.positions)
        usual = (len(first.axes) - 1,) if rule.along == "last" else tuple(range(len(first.axes)))
        named = () if node.positions == usual else axes
        if any(first.axes.count(axis) > 1 for axis in named):
            return self._by_entries(node)
        if isinstance(first, ex.Comprehension) and not named and node.function in REDUCTIONS:
            return f"{node.function}[{_bound(first.indices)}] {self.at(first.body, SUMMED)}", SUMMED
        arguments, more = node.arguments, named
        if node.function == "softmax" and len(arguments) > 1:
            arguments, more = arguments[:1], (*named, f"slack={self.write(node.arguments[1])[0]}")
        return self._function(node.function, *arguments, more=more), ATOM

    def _by_entries(self, node: ex.Call) -> tuple[str, int]:
        """A function along one of two axes of one name, which text cannot name: by entries."""
        first = node.arguments[0]
        taken = {variable.name for variable in node.variables}
        names = (name for name in (f"{letter}{n or ''}" for n in range(99) for letter in "ijklmn") if name not in taken)
        indices = tuple(ex.Index(next(names), axis) for axis in first.axes)
        inner = tuple(index for place, index in enumerate(indices) if place in node.positions)
        outer = tuple(index for place, index in enumerate(indices) if place not in node.positions)
        entry = ex.Entry(first, indices)
        over = f"{node.function}([{_bound(inner)}] {self.write(entry)[0]}"
        more = "".join(f", {self.write(other)[0]}" for other in node.arguments[1:])
        return f"[{_bound(outer)}] {over}{more})", OPEN

    def _spread(self, node: ex.Spread) -> str:
        axes: list[str] = []
        inner: ex.Expression = node
        while isinstance(inner, ex.Spread) and inner.position == len(inner.argument.axes):
            axes.insert(0, inner.axis)
            inner = inner.argument
        if inner == ex.Number(Fraction(1)) and ex.UNKNOWN not in axes:
            return f"ones({', '.join(axes)})"
        argument, axis, place = node.argument, node.axis, node.position
        over = "" if axis == ex.UNKNOWN else f", {axis}"
        if argument.axes and place in (0, len(argument.axes)):
            return f"{'rows' if place else 'cols'}({self.write(argument)[0]}{over})"
        return f"spread({self.write(argument)[0]}, {axis}{f', {place + 1}' if argument.axes else ''})"


def _bound(indices: tuple[ex.Index, ...]) -> str:
    return ", ".join(f"{index.name}:{index.axis}" for index in indices)
