"""Formulas as text, first half: from text to a tree of syntax, by a parser of its own that evaluates nothing.

    statement  := implied ("iff" implied)*
    implied    := joined ["implies" implied]
    joined     := said ("and" said)*
    said       := "not" said | ("for all" | "exists") binder ("," binder)* ":" statement | "(" statement ")"
                | expression ("==" | "!=" | "<" | "<=" | ">" | ">=") expression
                | "psd" "(" expression ")" | "conservative" "(" expression "," expression ")"
    binder     := NAME | NAME "=" NAME "(" NAME ")"
    expression := product (("+" | "-") product)*
    product    := matmul (("*" | "/") matmul)*
    matmul     := signed ("@" signed)*
    signed     := ("+" | "-") signed | postfix ["**" signed]
    postfix    := atom ("[" index ("," index)* "]" | ".T")*
    atom       := number | NAME | "(" argument ")" | NAME "(" argument ("," argument)* ["," "slack" "=" expression] ")"
                | "[" bound ("," bound)* "]" expression                a tensor by its entries
                | ("sum" | "mean" | "max" | "min") "[" bound ("," bound)* "]" product
    argument   := expression [("==" | "<" | "<=" | ">" | ">=") expression]
    bound      := NAME ":" AXIS
    index      := NAME | number | NAME "[" index ("," index)* "]"

    let        := [declaration (";" declaration)*]
    declaration := NAME ":" [AXIS ("," AXIS)*] [kind] | NAME "=" expression | AXIS "=" number
    kind       := "scalar" | "real" | "positive" | "nonnegative" | "unit" | "distribution" ["over" AXIS]
                | "label" AXIS | "index" AXIS | "size"

A number with a sign, or a fraction of two numbers, is one number: -1, 1/2, -1/2; (-1), 1/(2) are operations.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from softmax_trick.language.expression import LanguageError
from softmax_trick.language.functions import ENTRYWISE, NAMED
from softmax_trick.language.proposition import PREDICATES, RELATIONS
from softmax_trick.language.scanner import (
    MAX_DEPTH,
    MAX_FACTORS,
    MAX_NODES,
    MAX_POWER,
    MAX_RESULT,
    MAX_ROOT,
    Scanner,
    Source,
)

MAX_HEIGHT = 150  # levels of operations, definitions written out
MAX_SIZE = 1_000  # the greatest size that an axis can be given

OPERATORS = ("add", "subtract", "multiply", "divide", "power", "negative", "less")
DERIVATIVES = {"grad": "gradient", "gradient": "gradient", "jacobian": "jacobian", "hessian": "hessian"}
DIRECTIONAL = ("vjp", "jvp", "hvp")
STRUCTURE = ("onehot", "pick", "eye", "ones", "rows", "cols", "spread", "outer", "diag", "diagonal", "delta")
FUNCTIONS = (
    *(name for name in ENTRYWISE if name not in OPERATORS),
    *NAMED,
    *STRUCTURE,
    *DERIVATIVES,
    *DIRECTIONAL,
)
# How many arguments they take at least and at most; entrywise and named functions say so themselves.
ARITY = {
    **{"onehot": (1, 1), "pick": (2, 2), "eye": (1, 1), "ones": (1, 9), "rows": (1, 2), "cols": (1, 2)},
    **{"spread": (2, 3), "outer": (2, 2), "diag": (1, 1), "diagonal": (1, 1), "delta": (2, 2)},
    **dict.fromkeys(DERIVATIVES, (2, 2)),
    **dict.fromkeys(DIRECTIONAL, (3, 3)),
}
REDUCTIONS = tuple(name for name, rule in NAMED.items() if rule.arity == (1, 1) and rule.along == "all")
KINDS = ("scalar", "real", "positive", "nonnegative", "unit", "distribution", "label", "index", "size")

WORDS = ("and", "not", "implies", "iff", "for", "exists")  # of statements
COMPARISONS = ("==", "<", "<=", ">", ">=")
COMPARISON, SUM, PRODUCT, MATMUL = range(4)
LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "@": MATMUL} | dict.fromkeys(COMPARISONS, COMPARISON)

_Tree = TypeVar("_Tree")


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A part of a formula as it is written.

    Attributes:
        kind: "number", "name", "eye", "operation", "call", "entry", "transpose", "tensor" (entry notation), "index" (a
            name, or a label of an index, in the place of an index) or "numbered".
        source: the text that it stands in.
        column: where, from 0.
        text: the name, the operator or the function.
        parts: what it is made of: of an entry the argument, then the indices.
        bound: the indices that a tensor binds, as (name, axis).
        slack: the argument slack of a call.
        value: of a number.
        height: levels of operations.
    """

    kind: str
    source: Source
    column: int
    text: str = ""
    parts: tuple[Node, ...] = ()
    bound: tuple[tuple[str, str], ...] = ()
    slack: Node | None = None
    value: Fraction = Fraction(0)
    height: int = 0

    def error(self, message: str, kind: type[LanguageError] = LanguageError) -> LanguageError:
        """An error with this place."""
        return self.source.error(message, self.column, kind)

    def nodes(self) -> Iterator[Node]:
        """This part and all in it, from left to right."""
        yield self
        for part in (*self.parts, *((self.slack,) if self.slack else ())):
            yield from part.nodes()


@dataclass(frozen=True, slots=True)
class Declaration:
    """What --let says of a name: axes and a kind, or what it is short for.

    Attributes:
        node: the name, and where it stands.
        axes: its axes.
        kind: one of KINDS; "" for a definition.
        along: the axis after "label", "index" or "over"; else "".
        meaning: what a definition is short for, or the size of an axis.
    """

    node: Node
    axes: tuple[str, ...] = ()
    kind: str = ""
    along: str = ""
    meaning: Node | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Binder:
    """What a quantifier binds: a name, or one for F(x) or F'(x).

    Attributes:
        node: the name.
        function: of y = F(x) and J = F'(x) the name F; else "".
        slope: whether it is the Jacobian, F'(x).
        at: the name x; else None.
    """

    node: Node
    function: str = ""
    slope: bool = False
    at: Node | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """A part of a statement as it is written.

    Attributes:
        kind: a relation, "psd", "conservative", "and", "not", "implies", "iff", "for all" or "exists".
        node: where it stands.
        sides: the formulas of a relation or a predicate.
        parts: the statements that the others are made of.
        binders: what a quantifier binds.
    """

    kind: str
    node: Node
    sides: tuple[Node, ...] = ()
    parts: tuple[Phrase, ...] = ()
    binders: tuple[Binder, ...] = ()

    def phrases(self) -> Iterator[Phrase]:
        """This part and all in it, from left to right."""
        yield self
        for part in self.parts:
            yield from part.phrases()


class Parser(Scanner):
    """A recursive descent over the tokens of one text."""

    # --- whole texts ---

    def expression(self) -> Node:
        """The whole text as one expression."""
        return self._whole(lambda: self._expression(SUM, 0))

    def statement(self) -> Phrase:
        """The whole text as a statement."""
        return self._whole(lambda: self._iff(0))

    def declarations(self) -> list[Declaration]:
        """The whole text as declarations."""
        found: list[Declaration] = []
        if not self.text.strip():
            return found
        self.start(self.source.name)
        try:
            while self.kind != "end":
                if self.token == ";":
                    self.advance()
                    continue
                found.append(self._declaration())
                if self.kind != "end":
                    self.expect(";", "an operator, ';' or the end" if found[-1].meaning else "';' or the end")
        except RecursionError:
            raise self.too_deep() from None
        return found

    def _whole(self, rule: Callable[[], _Tree]) -> _Tree:
        self.start(self.source.name or "formula")
        try:
            tree = rule()
        except RecursionError:
            raise self.too_deep() from None
        if self.kind != "end":
            raise self.unexpected("an operator or the end")
        return tree

    # --- statements ---

    def _iff(self, depth: int) -> Phrase:
        node, parts = self._here(), [self._implied(depth)]
        while self.token == "iff":
            self.advance()
            parts.append(self._implied(depth))
        return parts[0] if len(parts) == 1 else Phrase("iff", node, parts=tuple(parts))

    def _implied(self, depth: int) -> Phrase:
        if depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        node, premise = self._here(), self._joined(depth)
        if self.token != "implies":
            return premise
        self.advance()
        return Phrase("implies", node, parts=(premise, self._implied(depth + 1)))

    def _joined(self, depth: int) -> Phrase:
        node, parts = self._here(), [self._said(depth)]
        while self.token == "and":
            self.advance()
            parts.append(self._said(depth))
        return parts[0] if len(parts) == 1 else Phrase("and", node, parts=tuple(parts))

    def _said(self, depth: int) -> Phrase:
        if depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        node, token = self._here(), self.token
        match token:
            case "not":
                self.advance()
                return Phrase("not", node, parts=(self._said(depth + 1),))
            case "for" | "exists":
                return self._quantified(node, depth)
            case "or":
                raise self.unexpected("a statement: of several cases write one statement each, or not (... and ...)")
            case "(":
                return self._in_parentheses(depth)
        if token in PREDICATES and self.text[self.column + len(token) :].lstrip().startswith("("):
            return self._predicate(node, depth)
        return self._relation(depth)

    def _in_parentheses(self, depth: int) -> Phrase:
        """A statement in parentheses, or a relation that begins with one: what gets further is meant."""
        begin = (self.kind, self.token, self.column, self._end, self._nodes)
        try:
            return self._relation(depth)
        except LanguageError as error:
            as_relation = error
        self.kind, self.token, self.column, self._end, self._nodes = begin
        self.advance()
        try:
            inside = self._iff(depth + 1)
            self.expect(")", "an operator, 'and', 'implies' or ')'")
        except LanguageError as error:
            raise max(error, as_relation, key=lambda one: one.at or 0) from None
        return inside

    def _quantified(self, node: Node, depth: int) -> Phrase:
        word = self.token
        self.advance()
        if word == "for":
            if self.token != "all":
                raise self.unexpected("'all', as in 'for all x: ...'")
            self.advance()
        binders = [self._binder()]
        while self.token == ",":
            self.advance()
            binders.append(self._binder())
        self.expect(":", "',' and another name, or ':' and the statement")
        kind = "for all" if word == "for" else "exists"
        return Phrase(kind, node, parts=(self._iff(depth + 1),), binders=tuple(binders))

    def _binder(self) -> Binder:
        node = self._node("name", self.column, self._plain_name("the name that is bound"))
        if self.token != "=":
            return Binder(node)
        self.advance()
        function = self._plain_name("an unknown function, as in y = F(x), or its Jacobian, as in J = F'(x)")
        if function.count("'") > 1:
            raise self.error(f"{function}: of an unknown function there are F(x) and F'(x)", node.column)
        self.expect("(", "'(' and the point")
        at = self._node("name", self.column, self._plain_name("the name of the point"))
        self.expect(")", "')'")
        return Binder(node, function.rstrip("'"), function.endswith("'"), at)

    def _predicate(self, node: Node, depth: int) -> Phrase:
        """psd(M) or conservative(F, x)."""
        function, column = self.token, self.column
        self.advance()
        self.advance()
        parts = [self._expression(SUM, depth)]
        while self.token == ",":
            self.advance()
            parts.append(self._expression(SUM, depth))
        self.expect(")", "an operator, ',' or ')'")
        if len(parts) != PREDICATES[function]:
            raise self.error(f"{function} takes {PREDICATES[function]} argument(s), not {len(parts)}", column)
        if self.token in (*LEVELS, "**", "[", ".T", "!="):
            raise self.unexpected("the end, 'and' or 'implies': psd and conservative are statements, and stand alone")
        return Phrase(function, node, tuple(parts))

    def _relation(self, depth: int) -> Phrase:
        """Two expressions with a relation between them."""
        node, left, relation = self._here(), self._expression(SUM, depth), self.token
        if relation not in RELATIONS:
            raise self.unexpected("an operator, or == and the other side")
        self.advance()
        return Phrase(relation, node, (left, self._expression(SUM, depth)))

    def _here(self) -> Node:
        return Node("statement", self.source, self.column)

    # --- expressions ---

    def _expression(self, lowest: int, depth: int) -> Node:
        """Operands and operators, those only that bind at least as tightly as the lowest."""
        plain = self.kind == "number" or self.token == "-"
        left = self._signed(depth)
        while (level := LEVELS.get(self.token, -1)) >= lowest:
            operator, column = self.token, self.column
            self.advance()
            number_follows = self.kind == "number"
            right = self._expression(level + 1, depth)
            if level == COMPARISON and self.token in COMPARISONS:
                raise self.error("comparisons are not chained")
            if operator == "/" and plain and number_follows and left.kind == right.kind == "number":
                if right.value == 0:
                    raise self.error("division by zero", column)
                left = self._node("number", left.column, value=left.value / right.value)
            else:
                left = self._node("operation", column, operator, (left, right))
            plain = False
        return left

    def _signed(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        column = self.column
        if self.token in ("+", "-"):
            sign = self.token
            self.advance()
            number_follows = self.kind == "number"
            signed = self._signed(depth + 1)
            if sign == "+":
                return signed
            if number_follows and signed.kind == "number":
                return self._node("number", column, value=-signed.value)
            return self._node("operation", column, "negative", (signed,))
        node = self._postfix(depth)
        if self.token != "**":
            return node
        column = self.column
        self.advance()
        return self._node("operation", column, "**", (node, self._signed(depth + 1)))

    def _postfix(self, depth: int) -> Node:
        node = self._atom(depth)
        while self.token in ("[", ".T"):
            column = self.column
            if self.token == ".T":
                self.advance()
                node = self._node("transpose", column, parts=(node,))
            else:
                node = self._node("entry", column, parts=(node, *self._indices(depth)))
        return node

    def _atom(self, depth: int) -> Node:
        column, token = self.column, self.token
        if self.kind == "number":
            value = self.number()
            self.advance()
            return self._node("number", column, value=value)
        if self.kind == "name":
            self.advance()
            if self.token == "(":
                return self._call(token, column, depth + 1)
            if self.token == "[" and token in REDUCTIONS:
                tensor = self._tensor(PRODUCT, depth + 1)
                return self._node("call", column, token, (tensor,))
            return self._name(token, column)
        if token == "[":
            return self._tensor(SUM, depth + 1)
        self.expect("(", "a number, a name, a function, '(' or '['")
        inside = self._expression(COMPARISON, depth + 1)
        self.expect(")", "an operator or ')'")
        return inside

    def _name(self, name: str, column: int) -> Node:
        self.check_length(name, column)
        if name in FUNCTIONS and name != "eye":
            raise self.error(f"{name} is a function: expected {name}(...)", column)
        if keyword.iskeyword(name) or name in WORDS:
            raise self.error(f"{name} is reserved: give the variable another name", column)
        return self._node("eye" if name == "eye" else "name", column, name)

    def _call(self, function: str, column: int, depth: int) -> Node:
        if function not in FUNCTIONS:
            raise self.unknown_function(function, FUNCTIONS, column)
        self.advance()
        parts: list[Node] = []
        slack = None
        while True:
            at, name = self.column, self.token
            argument = self._expression(COMPARISON, depth)
            if self.token != "=":
                parts.append(argument)
            elif function != "softmax" or name != "slack" or argument.kind != "name":
                raise self.error(f"{function} takes no argument by name (softmax takes slack=C)", at)
            else:
                self.advance()
                slack = self._expression(SUM, depth)
            if self.token != "," or slack:
                break
            self.advance()
        self.expect(")", "an operator, ',' or ')'")
        self._check_count(function, len(parts), column)
        return self._node("call", column, function, tuple(parts), slack=slack)

    def _check_count(self, function: str, count: int, column: int) -> None:
        if function in NAMED:
            low, high = NAMED[function].arity[0], MAX_NODES  # the axes follow
        elif function in ENTRYWISE:
            low, high = ENTRYWISE[function].arity, ENTRYWISE[function].arity
        else:
            low, high = ARITY[function]
        if not low <= count <= high:
            wanted = f"{low}" if low == high else f"{low} or more" if high > 3 else f"{low} or {high}"
            raise self.error(f"{function} takes {wanted} argument{'s' * (wanted != '1')}, not {count}", column)

    def _tensor(self, level: int, depth: int) -> Node:
        """[i:K, j:D] and a body."""
        column = self.column
        bound: list[tuple[str, str]] = []
        while self.token in ("[", ","):
            self.advance()
            name = self._plain_name("an index")
            self.expect(":", "':' and the axis that the index runs over, as in [i:K]")
            bound.append((name, self._plain_name("an axis")))
        self.expect("]", "',' or ']'")
        if len({name for name, _ in bound}) < len(bound):
            raise self.error("an index occurs twice in front of a body", column)
        body = self._expression(level, depth)
        return self._node("tensor", column, parts=(body,), bound=tuple(bound))

    def _indices(self, depth: int) -> list[Node]:
        found = []
        while self.token in ("[", ","):
            self.advance()
            found.append(self._index(depth + 1))
        self.expect("]", "',' or ']' (an index is a name, a number from 1, or a label of an index, c[n])")
        return found

    def _index(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        column, token = self.column, self.token
        if self.kind == "number":
            value = self.number()
            if value.denominator != 1 or value < 1:
                raise self.error(f"the index {token}: indices are names, or whole numbers from 1")
            self.advance()
            return self._node("numbered", column, value=value)
        name = self._plain_name("an index: a name, or a number from 1")
        return self._node("index", column, name, tuple(self._indices(depth)) if self.token == "[" else ())

    def _plain_name(self, what: str) -> str:
        if self.kind != "name":
            raise self.unexpected(what)
        name = self._name(self.token, self.column).text
        if name == "eye":
            raise self.error("eye is the identity: give the index or the axis another name")
        self.advance()
        return name

    def _node(
        self,
        kind: str,
        column: int,
        text: str = "",
        parts: tuple[Node, ...] = (),
        bound: tuple[tuple[str, str], ...] = (),
        slack: Node | None = None,
        value: Fraction = Fraction(0),
    ) -> Node:
        self.count_node(column)
        height = 1 + max((part.height for part in (*parts, *((slack,) if slack else ()))), default=0)
        if height > MAX_HEIGHT:
            hint = "; write a long sum as sum(x), or sum[k:K] x[k]" if text in ("+", "-") else ""
            raise self.error(f"nested too deeply: more than {MAX_HEIGHT} operations one inside another{hint}", column)
        return Node(kind, self.source, column, text, parts, bound, slack, value, height)

    # --- declarations ---

    def _declaration(self) -> Declaration:
        node = self._node("name", self.column, self._plain_name("a name"))
        if self.token == "=":
            self.advance()
            return Declaration(node, meaning=self._expression(SUM, 0))
        self.expect(":", "':' and its axes, or '=' and what it is short for")
        axes: list[str] = []
        if self.token not in KINDS:
            axes.append(self._plain_name(f"axes, such as K or N,K, or one of {', '.join(KINDS)}"))
            while self.token == ",":
                self.advance()
                axes.append(self._plain_name("an axis"))
        kind, along = "real", ""
        if self.kind == "name":
            if self.token not in KINDS:
                raise self.unexpected(f"';' or one of {', '.join(KINDS)}")
            kind = self.token
            self.advance()
        if kind in ("label", "index"):
            if self.token in ("into", "over"):
                self.advance()
            along = self._plain_name(f"the axis that the {kind} {'points into' if kind == 'label' else 'runs over'}")
        elif kind == "distribution" and self.token == "over":
            self.advance()
            along = self._plain_name("the axis over which it sums to 1")
        if axes and kind in ("scalar", "index", "size"):
            raise node.error(f"{node.text} is declared with axes and as {kind}: {kind} stands alone")
        return Declaration(node, tuple(axes), kind, along)


class Measure:
    """How large a formula is once its definitions are written out and its powers are products.

    Args:
        definitions: what names are short for.

    Raises:
        LanguageError: from `check`: a limit is passed; a definition that needs itself.
    """

    def __init__(self, definitions: dict[str, Node]) -> None:
        self._definitions = definitions
        self._known: dict[str, tuple[int, int, Fraction | None]] = {}
        self._under_way: list[str] = []

    def check(self, node: Node) -> tuple[int, int, Fraction | None]:
        """Levels of operations, length, and the value of a constant."""
        if node.kind == "name" and node.text in self._definitions:
            return self._definition(node)
        parts = [self.check(part) for part in (*node.parts, *((node.slack,) if node.slack else ()))]
        height = 1 + max((height for height, _, _ in parts), default=0)
        length = max(1, sum(length for _, length, _ in parts))
        values = [value for _, _, value in parts]
        value = node.value if node.kind == "number" else None
        if node.kind == "operation":
            value = self._value(node, values)
            if node.text == "**" and values[1] is not None:
                length = parts[0][1] * max(1, -(-abs(values[1]) // 1))
        if height > MAX_HEIGHT:
            raise node.error(f"nested too deeply: more than {MAX_HEIGHT} operations, definitions written out")
        if length > MAX_FACTORS:
            raise node.error(f"longer than {MAX_FACTORS} numbers and names once powers are written as products")
        return height, length, value

    def _definition(self, node: Node) -> tuple[int, int, Fraction | None]:
        name = node.text
        if name not in self._known:
            if name in self._under_way:
                raise node.error(f"{name} is defined by itself: {' -> '.join([*self._under_way, name])}")
            self._under_way.append(name)
            self._known[name] = self.check(self._definitions[name])
            self._under_way.pop()
        return self._known[name]

    def _value(self, node: Node, values: list[Fraction | None]) -> Fraction | None:
        match node.text, values:
            case "**", [base, Fraction() as exponent]:
                if abs(exponent) > MAX_POWER or exponent.denominator > MAX_ROOT:
                    raise node.error(f"an exponent beyond {MAX_POWER}, or with a denominator beyond {MAX_ROOT}")
                if base == 0 and exponent < 0:
                    raise node.error("division by zero")
                whole = base is not None and exponent.denominator == 1
                value = Fraction(base or 0) ** int(exponent) if whole else None
            case "/", [_, Fraction(numerator=0)]:
                raise node.error("division by zero")
            case "negative", [Fraction() as u]:
                value = -u
            case operator, [Fraction() as u, Fraction() as v] if operator in _ARITHMETIC:
                value = _ARITHMETIC[operator](u, v)
            case _:
                value = None
        if value is not None and max(abs(value.numerator), value.denominator) > 10**MAX_RESULT:
            raise node.error(f"a number of more than {MAX_RESULT} digits")
        return value


_ARITHMETIC: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda u, v: u + v,
    "-": lambda u, v: u - v,
    "*": lambda u, v: u * v,
    "/": lambda u, v: u / v,
}
