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

import functools
import itertools
import keyword
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import sympy as sp

from softmax_trick.certification.domain import Need, of_power
from softmax_trick.language.scanner import (
    CONSTANTS,
    MAX_DEPTH,
    MAX_FACTORS,
    MAX_NAME,
    MAX_POWER,
    MAX_RESULT,
    MAX_ROOT,
    NUMBER,
    Scanner,
    excerpt,
)

MAX_COMPONENTS = 256
MAX_HEIGHT = 64  # of the expression that SymPy makes of it; it prints none of 150 within Python's limit of recursion
MAX_ARGUMENT = 1_000  # the greatest constant in exp, sinh, cosh, tanh, sigmoid and softplus

# Functions of one argument, then of two or more.
UNARY = ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sigmoid", "softplus", "abs", "sign", "Heaviside")
EXTREMA = ("max", "min")
FUNCTIONS = (*UNARY, *EXTREMA, "Piecewise")
COMPARISONS = ("<", "<=", ">", ">=")

_TOKEN = re.compile(NUMBER + r"|(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<operator>\*\*|<=|>=|[-+*/(),<>])")
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
        line, caret = excerpt(text, column - 1)
        super().__init__(f"component {component}, column {column}: {message}\n  {line}\n  {caret}")


def parse_components(texts: Sequence[str], positive: Collection[str] = ()) -> tuple[list[sp.Expr], list[sp.Symbol]]:
    """The components F_1..F_K of a normalizer, written as formulas in the scores x1..xK.

    Nothing is evaluated as Python. Every name that is not a score is a real parameter; the same name is the same
    parameter in all components. The grammar and the limits are those of docs/formulas.md. Where the formulas have a
    value as they are written is not to be seen from the expressions any more: `read_components` says that too.

    Args:
        texts: one formula a component; K is their number.
        positive: the parameters that are positive, by name; each must be used.

    Returns:
        K SymPy expressions, and the scores x1..xK as K real symbols. Numbers are exact: 0.1 is 1/10.

    Raises:
        FormulaError: a formula is not of the grammar or goes beyond a limit, or `positive` names no parameter.
        TypeError: `texts` or `positive` is a single string, or an entry of either is not a string.
    """
    components, scores, _ = read_components(texts, positive)
    return components, scores


class Formulas(NamedTuple):
    """Components as SymPy expressions, their scores, and what they need as written in order to have a value."""

    components: list[sp.Expr]
    scores: list[sp.Symbol]
    needs: list[Need]


def read_components(texts: Sequence[str], positive: Collection[str] = ()) -> Formulas:
    """The components as `parse_components` reads them, and what was written under them before SymPy simplified it.

    x1/x1 becomes 1; that x1 must not be zero is among the needs.
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
    needs: dict[Need, None] = {}
    components = [
        _Builder(text, component, symbols, needs).build(tree)[0]
        for component, (text, tree) in enumerate(zip(texts, trees, strict=True), 1)
    ]
    return Formulas(components, list(scores.values()), list(needs))


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


class _Reader(Scanner):
    """A recursive descent over the tokens of one component; the methods are named after the rules of the grammar."""

    tokens = _TOKEN
    hints = _HINTS
    expected = "expected numbers, names (letter first), + - * / ** ( ) , < <= > >="
    comparisons = "; comparisons are conditions of Piecewise"

    def __init__(self, text: str, component: int, k: int) -> None:
        super().__init__(text)
        self._component, self._k = component, k
        self._in_condition = False

    def tree(self) -> _Node:
        """The component."""
        self.start("component")
        try:
            node = self._sum(0)
        except RecursionError:
            raise self.too_deep() from None
        if self.kind != "end":
            raise self.unexpected("an operator or the end")
        return node

    def _sum(self, depth: int) -> _Node:
        column, terms = self.column, [self._product(depth)]
        while self.token in ("+", "-"):
            terms.append(self._operand("-", self._product, depth))
        return terms[0] if len(terms) == 1 else self._node("+", column, *terms)

    def _product(self, depth: int) -> _Node:
        column, factors = self.column, [self._factor(depth)]
        while self.token in ("*", "/"):
            factors.append(self._operand("/", self._factor, depth))
        return factors[0] if len(factors) == 1 else self._node("*", column, *factors)

    def _operand(self, inverse: str, rule: Callable[[int], _Node], depth: int) -> _Node:
        """A further part of a sum or product, with the operator before it."""
        operator, column = self.token, self.column
        self.advance()
        part = rule(depth)
        return self._node(inverse, column, part) if operator == inverse else part

    def _factor(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        column = self.column
        if self.token in ("+", "-"):
            sign = self.token
            self.advance()
            factor = self._factor(depth + 1)
            return factor if sign == "+" else self._node("-", column, factor)
        atom = self._atom(depth)
        if self.token != "**":
            return atom
        column = self.column
        self.advance()
        return self._node("**", column, atom, self._factor(depth + 1))

    def _atom(self, depth: int) -> _Node:
        column, token = self.column, self.token
        if self.kind == "number":
            self.number()
            self.advance()
            return self._node("number", column, text=token)
        if self.kind == "name":
            self.advance()
            if self.token == "(":
                return self._call(token, column, depth + 1)
            self._check_name(token, column)
            return self._node("name", column, text=token)
        self.expect("(", "a number, a name, a function or '('")
        inside = self._sum(depth + 1)
        self.expect(")", "an operator or ')'")
        return inside

    def _call(self, function: str, column: int, depth: int) -> _Node:
        if function not in FUNCTIONS:
            raise self.unknown_function(function, FUNCTIONS, column)
        self.advance()
        if function == "Piecewise":
            return self._piecewise(column, depth)
        arguments = [self._sum(depth)]
        if function in EXTREMA:
            self.expect(",", f"',': {function} takes two arguments or more")
            arguments.append(self._sum(depth))
            while self.token == ",":
                self.advance()
                arguments.append(self._sum(depth))
            self.expect(")", "an operator, ',' or ')'")
        else:
            self.expect(")", f"an operator or ')' ({function} takes one argument)")
        return self._node(function, column, *arguments)

    def _piecewise(self, column: int, depth: int) -> _Node:
        if self._in_condition:
            # SymPy would multiply out the cases of both.
            raise self.error("a Piecewise inside a condition: put it around instead", column)
        parts = []
        while True:
            self.expect("(", "'(': Piecewise takes pairs (value, condition)")
            parts.append(self._sum(depth))
            self.expect(",", "an operator or ',' and a condition")
            if self.token == "True":
                break
            parts.append(self._condition(depth))
            self.expect(")", "an operator or ')' (conditions are single comparisons; nest Piecewise to combine them)")
            self.expect(",", "',' and further pairs, the last of them (value, True)")
        self.advance()
        self.expect(")", "')' after True")
        self.expect(")", "')': the pair with True is the last")
        if len(parts) == 1:
            raise self.error("Piecewise without a condition: expected (value, condition) before True", column)
        return self._node("Piecewise", column, *parts)

    def _condition(self, depth: int) -> _Node:
        self._in_condition = True
        left = self._sum(depth)
        column, comparison = self.column, self.token
        if comparison not in COMPARISONS:
            raise self.unexpected("an operator or one of < <= > >=")
        self.advance()
        right = self._sum(depth)
        if self.token in COMPARISONS:
            raise self.error("comparisons are not chained: nest Piecewise instead")
        self._in_condition = False
        return self._node(comparison, column, left, right)

    def _check_name(self, name: str, column: int) -> None:
        self.check_length(name, column)
        if name in FUNCTIONS:
            raise self.error(f"{name} is a function: expected {name}(...)", column)
        if name in CONSTANTS:
            raise self.error(f"{name} is reserved: {CONSTANTS[name]}, or give a parameter another name", column)
        if keyword.iskeyword(name):
            where = "stands only as the last condition of Piecewise" if name == "True" else "is reserved"
            raise self.error(f"{name} {where}: give a parameter another name", column)
        if match := _SCORE.fullmatch(name):
            digits, last = match[1], self._k
            scores = "the only score is x1" if last == 1 else f"the scores are x1 to x{last}"
            if name != f"x{digits}" or digits.startswith("0"):
                raise self.error(f"there is no score {name}: {scores}", column)
            if len(digits) > len(str(last)) or int(digits) > last:
                count = "is only 1 component" if last == 1 else f"are only {last} components"
                raise self.error(f"{name}, but there {count}: {scores}", column)

    def _node(self, kind: str, column: int, *parts: _Node, text: str = "") -> _Node:
        self.count_node(column)
        return _Node(kind, column, parts, text)

    def error(self, message: str, column: int | None = None) -> FormulaError:
        at = self.column if column is None else column
        return FormulaError(message, self._component, at + 1, self.text)


# --- from nodes to SymPy ----------------------------------------------------------------------------------------------


class _Builder:
    """Builds one component from its leaves upwards.

    After every step, whatever is constant in the result is a real number of at most 10**500, and every power one of at
    most 64: what the next step can make of that is still small enough to be looked at and refused.
    """

    def __init__(self, text: str, component: int, symbols: Mapping[str, sp.Symbol], needs: dict[Need, None]) -> None:
        self._text, self._component, self._symbols, self._needs = text, component, symbols, needs
        self._guards: tuple[sp.Basic, ...] = ()  # the conditions of Piecewise under which a part is met
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
            built = self._pieces(node) if node.kind == "Piecewise" else [self.build(part) for part in node.parts]
            return self._operation(node, built)
        except RecursionError:
            raise self._error(node, "nested too deeply for Python's stack here: simplify the formula") from None

    def _pieces(self, node: _Node) -> list[tuple[sp.Expr, int]]:
        """The parts of a Piecewise: each value counts under its condition, and where those before it do not hold."""
        outside, built = self._guards, []
        for value, condition in itertools.zip_longest(node.parts[::2], node.parts[1::2]):
            before = self._guards
            holds = self.build(condition) if condition else None
            self._guards = (*before, holds[0]) if holds else before
            built.append(self.build(value))
            if holds:
                built.append(holds)
                self._guards = (*before, sp.Not(holds[0]))
        self._guards = outside
        return built

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
                if not u.is_number:
                    self._needs[Need(u, "positive", self._guards)] = None
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
        if not base.is_number:
            self._needs |= dict.fromkeys(of_power(base, exponent, self._guards))
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
