"""Formulas as text: a whitelist grammar, read without Python's help and built as SymPy expressions.

    >>> components, scores = parse_components(["exp(x1)/(1+exp(x1)+exp(x2))", "exp(x2)/(1+exp(x1)+exp(x2))"])

The grammar (docs/formulas.md describes it and its limits):

    sum       := product (("+" | "-") product)*
    product   := factor (("*" | "/") factor)*
    factor    := ("+" | "-") factor | atom ["**" factor]
    atom      := number | name | "(" sum ")" | function "(" sum ("," sum)* ")"
               | "Piecewise" "(" ("(" sum "," condition ")" ",")+ "(" sum "," "True" ")" ")"
    condition := sum ("<" | "<=" | ">" | ">=") sum

A text is first read into a tree of nodes, with no SymPy object in it: length, depth, number of nodes, digits and names
are checked there. The tree is then built from the leaves upwards, and before and after each step the numbers are kept
small. That takes more than a limit on exponents as written, since SymPy evaluates while it builds: exp(10**9 * log(2))
and 2**x * 2**(10**9 - x) both are 2**(10**9).
"""

from __future__ import annotations

import difflib
import functools
import keyword
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

MAX_COMPONENTS = 256
MAX_CHARACTERS = 10_000  # of one component; so of the following
MAX_NODES = 5_000
MAX_DEPTH = 100  # of parentheses, signs and exponents as written
MAX_HEIGHT = 64  # of the expression that SymPy makes of it; it prints none of 150 within Python's limit of recursion
MAX_DIGITS = 50  # of a number as written, zeros that its exponent adds included
MAX_NAME = 50  # characters
MAX_POWER = 64  # the greatest power of anything but a number; also of a number, if it is written
MAX_ROOT = 1_000  # the greatest denominator of an exponent
MAX_FACTORS = 10_000  # digits and names once x1**3 is written as x1*x1*x1
MAX_ARGUMENT = 1_000  # the greatest constant in exp, sinh, cosh, tanh, sigmoid and softplus
MAX_RESULT = 500  # the greatest power of ten that a constant, its numerator or its denominator may reach

# Functions of one argument, then of two or more.
UNARY = ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sigmoid", "softplus", "abs", "sign", "Heaviside")
EXTREMA = ("max", "min")
FUNCTIONS = (*UNARY, *EXTREMA, "Piecewise")
COMPARISONS = ("<", "<=", ">", ">=")
# What readers take for a constant, and would be an innocent parameter here.
CONSTANTS = {
    "e": "write exp(1)",
    "E": "write exp(1)",
    "pi": "write its digits",
    "I": "all numbers are real",
    "inf": "all numbers are finite",
    "oo": "all numbers are finite",
    "zoo": "all numbers are finite",
    "nan": "all numbers are finite",
}

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|<=|>=|[-+*/(),<>])"
)
_SCORE = re.compile(r"[xX]_?([0-9]+)")  # as written, and as one may think they are written
_HINTS = {
    "^": "write ** for powers",
    "=": "only < <= > >= compare",
    ".": "nothing here has attributes",
    "[": "scores are written x1",
}


class FormulaError(ValueError):
    """A formula is refused; the message says where, why and what was expected.

    Attributes:
        component: the number of the component at fault, from 1; None if it is none of them alone.
        column: the column at fault, from 1; None likewise.
    """

    def __init__(self, message: str, component: int | None = None, column: int | None = None, text: str = "") -> None:
        self.component = component
        self.column = column
        if component is None or column is None:
            super().__init__(message)
            return
        line, caret = _excerpt(text, column - 1)
        super().__init__(f"component {component}, column {column}: {message}\n  {line}\n  {caret}")


def parse_components(texts: Sequence[str], positive: Collection[str] = ()) -> tuple[list[sp.Expr], list[sp.Symbol]]:
    """The components F_1..F_K of a normalizer, written as formulas in the scores x1..xK.

    Nothing is evaluated as Python. Every name that is not a score is a real parameter; the same name is the same
    parameter in all components. The grammar and the limits are those of docs/formulas.md.

    Args:
        texts: one formula a component; K is their number.
        positive: the parameters that are positive, by name; each must be used.

    Returns:
        K SymPy expressions, and the scores x1..xK as K real symbols. Numbers are exact: 0.1 is 1/10.

    Raises:
        FormulaError: a formula is not of the grammar or goes beyond a limit, or `positive` names no parameter.
        TypeError: `texts` or `positive` is a single string, or an entry of either is not a string.
    """
    for argument, value in (("texts", texts), ("positive", positive)):
        if isinstance(value, str) or not all(isinstance(entry, str) for entry in value):
            raise TypeError(f"{argument}: expected a list of strings, as in {argument}=[...], not {value!r:.80}")
    k = len(texts)
    if not 1 <= k <= MAX_COMPONENTS:
        raise FormulaError(f"{k} components: give 1 to {MAX_COMPONENTS}, one for each class")
    trees = [_Reader(text, component, k).tree() for component, text in enumerate(texts, 1)]
    scores = {name: sp.Symbol(name, real=True) for name in (f"x{i}" for i in range(1, k + 1))}
    parameters = sorted({name for tree in trees for name in tree.names()} - set(scores))
    for name in positive:
        if name in scores:
            raise FormulaError(f"positive: {name} is a score, and scores are any real numbers; name parameters only")
        if name not in parameters:
            known = ", ".join(parameters) or "there are none"
            raise FormulaError(f"positive: no component uses a parameter {name!r:.80}; parameters: {known}")
    assumptions = {name: {"positive": True} if name in positive else {"real": True} for name in parameters}
    symbols = scores | {name: sp.Symbol(name, **assumption) for name, assumption in assumptions.items()}
    components = [
        _Builder(text, component, symbols).build(tree)[0]
        for component, (text, tree) in enumerate(zip(texts, trees, strict=True), 1)
    ]
    return components, list(scores.values())


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of a formula.

    Attributes:
        kind: "number", "name", a function, a comparison, "+", "*", "**"; "-" and "/" for the opposite and the
            reciprocal of one part.
        column: where it stands, from 0.
        parts: what it is made of. Sums and products have as many as are written in a row, Piecewise the values and
            conditions by turns, True left out.
        text: the name, or the number as written.
    """

    kind: str
    column: int
    parts: tuple[_Node, ...] = ()
    text: str = ""

    def names(self) -> set[str]:
        """The scores and parameters in it."""
        if self.kind == "name":
            return {self.text}
        return {name for part in self.parts for name in part.names()}


# --- from text to nodes -----------------------------------------------------------------------------------------------


class _Reader:
    """A recursive descent over the tokens of one component; the methods are named after the rules of the grammar.

    Tokens are taken one by one, so that the leftmost fault is the one reported.
    """

    def __init__(self, text: str, component: int, k: int) -> None:
        self._text, self._component, self._k = text, component, k
        self._nodes = 0
        self._in_condition = False
        self._kind = self._token = ""
        self._column = self._end = 0

    def tree(self) -> _Node:
        """The component."""
        if len(self._text) > MAX_CHARACTERS:
            raise self._error(f"{len(self._text)} characters: at most {MAX_CHARACTERS}", MAX_CHARACTERS)
        self._advance()
        if self._kind == "end":
            raise self._error("the component is empty: expected a formula")
        try:
            node = self._sum(0)
        except RecursionError:
            raise self._error("nested too deeply for Python's stack here: simplify the formula") from None
        if self._kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    def _sum(self, depth: int) -> _Node:
        column, terms = self._column, [self._product(depth)]
        while self._token in ("+", "-"):
            terms.append(self._operand("-", self._product, depth))
        return terms[0] if len(terms) == 1 else self._node("+", column, *terms)

    def _product(self, depth: int) -> _Node:
        column, factors = self._column, [self._factor(depth)]
        while self._token in ("*", "/"):
            factors.append(self._operand("/", self._factor, depth))
        return factors[0] if len(factors) == 1 else self._node("*", column, *factors)

    def _operand(self, inverse: str, rule: Callable[[int], _Node], depth: int) -> _Node:
        """A further part of a sum or product, with the operator before it."""
        operator, column = self._token, self._column
        self._advance()
        part = rule(depth)
        return self._node(inverse, column, part) if operator == inverse else part

    def _factor(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} deep")
        column = self._column
        if self._token in ("+", "-"):
            sign = self._token
            self._advance()
            factor = self._factor(depth + 1)
            return factor if sign == "+" else self._node("-", column, factor)
        atom = self._atom(depth)
        if self._token != "**":
            return atom
        column = self._column
        self._advance()
        return self._node("**", column, atom, self._factor(depth + 1))

    def _atom(self, depth: int) -> _Node:
        column, token = self._column, self._token
        if self._kind == "number":
            self._check_number(token)
            self._advance()
            return self._node("number", column, text=token)
        if self._kind == "name":
            self._advance()
            if self._token == "(":
                return self._call(token, column, depth + 1)
            self._check_name(token, column)
            return self._node("name", column, text=token)
        self._expect("(", "a number, a name, a function or '('")
        inside = self._sum(depth + 1)
        self._expect(")", "an operator or ')'")
        return inside

    def _call(self, function: str, column: int, depth: int) -> _Node:
        if function not in FUNCTIONS:
            by_lower_case = {name.lower(): name for name in FUNCTIONS}
            near = difflib.get_close_matches(function.lower()[:MAX_NAME], by_lower_case, n=2)
            hint = f"did you mean {' or '.join(by_lower_case[name] for name in near)}? " if near else ""
            raise self._error(f"unknown function {function:.50}: {hint}There are {', '.join(FUNCTIONS)}", column)
        self._advance()
        if function == "Piecewise":
            return self._piecewise(column, depth)
        arguments = [self._sum(depth)]
        if function in EXTREMA:
            self._expect(",", f"',': {function} takes two arguments or more")
            arguments.append(self._sum(depth))
            while self._token == ",":
                self._advance()
                arguments.append(self._sum(depth))
            self._expect(")", "an operator, ',' or ')'")
        else:
            self._expect(")", f"an operator or ')' ({function} takes one argument)")
        return self._node(function, column, *arguments)

    def _piecewise(self, column: int, depth: int) -> _Node:
        if self._in_condition:
            # SymPy would multiply out the cases of both.
            raise self._error("a Piecewise inside a condition: put it around instead", column)
        parts = []
        while True:
            self._expect("(", "'(': Piecewise takes pairs (value, condition)")
            parts.append(self._sum(depth))
            self._expect(",", "an operator or ',' and a condition")
            if self._token == "True":
                break
            parts.append(self._condition(depth))
            self._expect(")", "an operator or ')' (conditions are single comparisons; nest Piecewise to combine them)")
            self._expect(",", "',' and further pairs, the last of them (value, True)")
        self._advance()
        self._expect(")", "')' after True")
        self._expect(")", "')': the pair with True is the last")
        if len(parts) == 1:
            raise self._error("Piecewise without a condition: expected (value, condition) before True", column)
        return self._node("Piecewise", column, *parts)

    def _condition(self, depth: int) -> _Node:
        self._in_condition = True
        left = self._sum(depth)
        column, comparison = self._column, self._token
        if comparison not in COMPARISONS:
            raise self._unexpected("an operator or one of < <= > >=")
        self._advance()
        right = self._sum(depth)
        if self._token in COMPARISONS:
            raise self._error("comparisons are not chained: nest Piecewise instead")
        self._in_condition = False
        return self._node(comparison, column, left, right)

    def _check_number(self, token: str) -> None:
        mantissa, _, exponent = token.lower().partition("e")
        zeros = exponent.lstrip("+-").lstrip("0")
        digits = len(mantissa.replace(".", ""))
        # int() is not called on what may have thousands of digits.
        if len(zeros) > 3 or digits + int(zeros or 0) > MAX_DIGITS:
            raise self._error(f"a number of more than {MAX_DIGITS} digits")

    def _check_name(self, name: str, column: int) -> None:
        if len(name) > MAX_NAME:
            raise self._error(f"a name of more than {MAX_NAME} characters", column)
        if name in FUNCTIONS:
            raise self._error(f"{name} is a function: expected {name}(...)", column)
        if name in CONSTANTS:
            raise self._error(f"{name} is reserved: {CONSTANTS[name]}, or give a parameter another name", column)
        if keyword.iskeyword(name):
            where = "stands only as the last condition of Piecewise" if name == "True" else "is reserved"
            raise self._error(f"{name} {where}: give a parameter another name", column)
        if match := _SCORE.fullmatch(name):
            digits, last = match[1], self._k
            scores = "the only score is x1" if last == 1 else f"the scores are x1 to x{last}"
            if name != f"x{digits}" or digits.startswith("0"):
                raise self._error(f"there is no score {name}: {scores}", column)
            if len(digits) > len(str(last)) or int(digits) > last:
                count = "is only 1 component" if last == 1 else f"are only {last} components"
                raise self._error(f"{name}, but there {count}: {scores}", column)

    def _node(self, kind: str, column: int, *parts: _Node, text: str = "") -> _Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(f"more than {MAX_NODES} numbers, names and operations", column)
        return _Node(kind, column, parts, text)

    def _advance(self) -> None:
        """Take the next token."""
        space = _SPACE.match(self._text, self._end)
        self._column = space.end() if space else self._end
        if self._column == len(self._text):
            self._kind, self._token = "end", ""
            return
        match = _TOKEN.match(self._text, self._column)
        if not match:
            raise self._strange(self._text[self._column])
        self._kind, self._token, self._end = str(match.lastgroup), match[0], match.end()

    def _expect(self, token: str, expected: str) -> None:
        if self._token != token:
            raise self._unexpected(expected)
        self._advance()

    def _strange(self, character: str) -> FormulaError:
        shown = ascii(character)
        if not character.isascii():
            shown += f" ({unicodedata.name(character, 'unnamed')}): only ASCII is read"
        hint = _HINTS.get(character, "expected numbers, names (letter first), + - * / ** ( ) , < <= > >=")
        return self._error(f"unexpected {shown}: {hint}")

    def _unexpected(self, expected: str) -> FormulaError:
        shown = f"'{self._token[:MAX_NAME]}'" if self._token else "end"
        where = "; comparisons are conditions of Piecewise" if self._token in COMPARISONS else ""
        return self._error(f"unexpected {shown}: expected {expected}{where}")

    def _error(self, message: str, column: int | None = None) -> FormulaError:
        at = self._column if column is None else column
        return FormulaError(message, self._component, at + 1, self._text)


# --- from nodes to SymPy ----------------------------------------------------------------------------------------------


class _Builder:
    """Builds one component from its leaves upwards.

    After every step, whatever is constant in the result is a real number of at most 10**500, and every power one of at
    most 64: what the next step can make of that is still small enough to be looked at and refused.
    """

    def __init__(self, text: str, component: int, symbols: Mapping[str, sp.Symbol]) -> None:
        self._text, self._component, self._symbols = text, component, symbols
        self._accepted: set[sp.Expr] = set()  # constants that were found small
        self._heights: dict[sp.Basic, int] = {}

    def build(self, node: _Node) -> tuple[sp.Expr, int]:
        """The expression, and its length in digits and names once its integer powers are written as products."""
        if node.kind == "number":
            fraction = Fraction(node.text)
            return sp.Rational(fraction.numerator, fraction.denominator), len(str(fraction))
        if node.kind == "name":
            return self._symbols[node.text], 1
        try:
            return self._operation(node, [self.build(part) for part in node.parts])
        except RecursionError:
            raise self._error(node, "nested too deeply for Python's stack here: simplify the formula") from None

    def _operation(self, node: _Node, built: list[tuple[sp.Expr, int]]) -> tuple[sp.Expr, int]:
        parts = [expression for expression, _ in built]
        length = sum(length for _, length in built)
        if node.kind == "**" and parts[1].is_Rational:
            if abs(parts[1]) > MAX_POWER or parts[1].q > MAX_ROOT:
                raise self._error(node, f"an exponent beyond {MAX_POWER}, or with a denominator beyond {MAX_ROOT}")
            length = built[0][1] * max(1, int(sp.ceiling(abs(parts[1]))))
        if length > MAX_FACTORS:
            raise self._error(node, f"longer than {MAX_FACTORS} digits and names once powers are written as products")
        result = self._apply(node, parts)
        self._check(node, result)
        return result, length

    def _apply(self, node: _Node, parts: list[sp.Expr]) -> sp.Expr:
        match node.kind, parts:
            case "+", _:
                return sp.Add(*parts)
            case "*", _:
                return sp.Mul(*parts)
            case "-", [u]:
                return -u
            case "/", [u]:
                return self._power(node, u, sp.S.NegativeOne)
            case "**", [u, v]:
                return self._power(node, u, v)
            case "sqrt", [u]:
                return self._power(node, u, sp.S.Half)
            case "log", [u]:
                if u == 0:
                    raise self._error(node, "log of 0")
                return sp.log(u)
            case (("exp" | "sinh" | "cosh" | "tanh" | "sigmoid" | "softplus"), [u]):
                self._check_argument(node, u)
                return _EXPONENTIAL[node.kind](u)
            case "abs", [u]:
                return _absolute(u)
            case "sign", [u]:
                return sp.sign(u)
            case "Heaviside", [u]:
                return sp.Heaviside(u)
            case (("max" | "min"), _):
                return _extremum(sp.Max if node.kind == "max" else sp.Min, parts)
            case "Piecewise", _:
                # Evaluated, SymPy would join neighbours by Or and collapse what is nested.
                return sp.Piecewise(*zip(parts[::2], [*parts[1::2], sp.true], strict=True), evaluate=False)
        left, right = parts
        return _COMPARISON[node.kind](left, right)

    def _power(self, node: _Node, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if base == 0 and exponent.is_negative:
            raise self._error(node, "division by zero")
        if not exponent.is_Rational and any(map(_is_power_of_number, sp.preorder_traversal(base))):
            # (2**x)**(10**9/x) would be 2**(10**9) at once.
            raise self._error(node, "a number to an expression, to an expression again: write one power")
        return base**exponent

    def _check_argument(self, node: _Node, argument: sp.Expr) -> None:
        """Refuse what makes an exponential explode: a large constant, or a large multiple of a logarithm."""
        if argument.is_number and not _at_most(argument, MAX_ARGUMENT):
            raise self._error(node, f"{node.kind} of a constant beyond {MAX_ARGUMENT}")
        for term in sp.Add.make_args(argument):
            if term.has(sp.log) and _coefficient(term) > MAX_ARGUMENT:
                raise self._error(node, f"{node.kind} of a logarithm times a number beyond {MAX_ARGUMENT}")

    def _check(self, node: _Node, result: sp.Basic) -> None:
        """Look through what was built for numbers that are too large, or not real."""
        if self._height(result) > MAX_HEIGHT:
            raise self._error(node, f"nested too deeply: SymPy's expression for it has more than {MAX_HEIGHT} levels")
        parts = sp.preorder_traversal(result)
        for part in parts:
            if part.is_number:
                parts.skip()
                if part not in self._accepted:
                    self._check_constant(node, part)
                    self._accepted.add(part)
            elif part.is_Pow and part.exp.is_Rational:
                if abs(part.exp) > MAX_POWER:
                    raise self._error(node, f"the powers combine to {str(part)[:MAX_NAME]}: at most {MAX_POWER}")
            elif part.is_Pow and part.base.is_number:
                if not part.base.is_positive:
                    raise self._error(node, "a power of 0 or of a negative number has no real value for all exponents")
                if _is_power_of_number(part):
                    digits = sp.log(part.base.p * part.base.q, 10).evalf()
                    if digits * _coefficient(part.exp) > MAX_RESULT:
                        raise self._error(node, f"a power that can grow beyond 10**{MAX_RESULT}")

    def _height(self, part: sp.Basic) -> int:
        """Levels of operations; those of what was built before are remembered, so this goes a few levels down only."""
        if part not in self._heights:
            self._heights[part] = max((1 + self._height(argument) for argument in part.args), default=0)
        return self._heights[part]

    def _check_constant(self, node: _Node, constant: sp.Expr) -> None:
        if constant.has(sp.I, sp.zoo, sp.oo, -sp.oo, sp.nan) or constant.is_real is False:
            raise self._error(node, "a part that is no finite real number")
        limit = 10**MAX_RESULT
        if any(abs(number.p) > limit or number.q > limit for number in constant.atoms(sp.Rational)):
            raise self._error(node, f"a number of more than {MAX_RESULT} digits")
        if not _at_most(constant, limit):
            raise self._error(node, f"a constant beyond 10**{MAX_RESULT}")

    def _error(self, node: _Node, message: str) -> FormulaError:
        return FormulaError(message, self._component, node.column + 1, self._text)


_EXPONENTIAL = {
    "exp": sp.exp,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "sigmoid": lambda u: 1 / (1 + sp.exp(-u)),
    "softplus": lambda u: sp.log(1 + sp.exp(u)),
}
_COMPARISON = {"<": sp.StrictLessThan, "<=": sp.LessThan, ">": sp.StrictGreaterThan, ">=": sp.GreaterThan}


def _absolute(u: sp.Expr) -> sp.Expr:
    """|u|. Where the sign is open, SymPy would try hard to find it: half a minute for a hundred nested abs(... - 1)."""
    if u.is_extended_nonnegative:
        return u
    return -u if u.is_extended_nonpositive else sp.Abs(u, evaluate=u.is_number)


def _extremum(function: type[sp.Expr], arguments: Sequence[sp.Expr]) -> sp.Expr:
    """The greatest or least. SymPy would compare the arguments pair by pair: half a minute for 256 scores."""
    numbers = [argument for argument in arguments if argument.is_number]
    others = [argument for argument in arguments if not argument.is_number]
    known = [functools.reduce(function, numbers)] if numbers else []
    return function(*others, *known, evaluate=False) if others else known[0]


def _is_power_of_number(part: sp.Basic) -> bool:
    """Whether it is c**u with a rational number c and u not constant."""
    return bool(part.is_Pow and part.base.is_Rational and not part.exp.is_number)


def _coefficient(part: sp.Expr) -> sp.Rational:
    """The greatest absolute value of a rational number in it."""
    return max((abs(number) for number in part.atoms(sp.Rational)), default=sp.S.Zero)


def _at_most(constant: sp.Expr, limit: int) -> bool:
    """Whether |constant| <= limit, by its decimals; safe, since the constants in it are small already."""
    value = constant if constant.is_Rational else constant.evalf(15)
    return bool((value.is_Rational or value.is_Float) and abs(value) <= limit)


def _excerpt(text: str, column: int) -> tuple[str, str]:
    """The text around a column (from 0), one printable ASCII character for each, and a line with a caret under it."""
    start, stop = max(0, column - 40), column + 40
    before, after = "..." if start else "", "..." if stop < len(text) else ""
    window = "".join(
        " " if character.isspace() else character if character.isascii() and character.isprintable() else "?"
        for character in text[start:stop]
    )
    return before + window + after, " " * (len(before) + column - start) + "^"
