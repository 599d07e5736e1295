r"""Expressions as LaTeX, in the paper's notation.

Products and quotients of vectors are entrywise, \odot and \div; scalars stand beside their factor or in a \frac.
Matrix products are written side by side, D_v is a diagonal matrix, u v^\top an outer product, 1 the vector of ones.
What has no form without indices is written by its entries: \sum_{k} y^\circ_{k} \log(y_{k}). Targets, vectors named
t or y°, are y^\circ.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from softmax_trick.language import expression as ex
from softmax_trick.language.functions import NAMED
from softmax_trick.language.proposition import (
    And,
    Bound,
    ForAll,
    Function,
    Iff,
    Image,
    Implies,
    Not,
    Proposition,
    Quantified,
    Related,
    functions_in,
)
from softmax_trick.language.text import bare

if TYPE_CHECKING:
    from softmax_trick.language.grammar import Statement

# How tightly what was written last binds. BIG ends in an open body, as \sum_{k} x_{k} does.
SUM, SIGNED, BIG, ENTRYWISE, BESIDE, RAISED, ATOM = range(7)

Written = tuple[str, int]

_GREEK = re.compile(
    "(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi"
    "|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega)"
)
_FUNCTIONS = {
    "exp": r"\exp",
    "log": r"\log",
    "tanh": r"\tanh",
    "sinh": r"\sinh",
    "cosh": r"\cosh",
    "maximum": r"\max",
    "minimum": r"\min",
    "relu": r"\text{ReLU}",
    "sigmoid": r"\text{Sigmoid}",
    "silu": r"\text{SiLU}",
    "softmax": r"\text{SoftMax}",
    "log_softmax": r"\text{LogSoftMax}",
    "logsumexp": r"\text{LogSumExp}",
    "ce": r"\text{CE}",
    "softce": r"\text{SoftCE}",
    "kl": r"\text{KL}",
    "entropy": r"\text{H}",
    "trace": r"\text{tr}",
}
_REDUCTIONS = {"sum": r"\sum", "max": r"\max", "min": r"\min", "mean": r"\sum"}
_TALL = (r"\frac", r"\sum", r"\sqrt", r"\begin", r"\left")


def to_latex(expression: ex.Expression) -> str:
    """The expression as LaTeX, without dollar signs; definitions print as their names."""
    return _Writer(expression).write(expression, None)[0]


_RELATIONS = {"==": "=", "!=": r"\ne", "<=": r"\le", ">=": r"\ge"}


def statement_to_latex(statement: Statement) -> str:
    """A statement as LaTeX, without dollar signs: a relation, M \\succeq 0 for psd(M), or "F is a gradient by x"."""
    if statement.says is not None and not statement.relation:
        return proposition_to_latex(statement.says)
    return _related_to_latex(statement.relation, statement.expressions)


def _related_to_latex(relation: str, expressions: tuple[ex.Expression, ...]) -> str:
    match relation, expressions:
        case "==", (ex.Delta(left, right), ex.Number(value)):  # of indices
            return f"{_term(left)} {_RELATIONS['==' if value else '!=']} {_term(right)}"
    sides = [to_latex(bare(side)) for side in expressions]
    match relation:
        case "psd":
            return rf"{sides[0]} \succeq 0"
        case "conservative":
            return rf"{sides[0]} \text{{ is the gradient by }} {sides[1]} \text{{ of a function}}"
    return f" {_RELATIONS.get(relation, relation)} ".join(sides)


# How tightly a statement binds. ENDLESS is a quantifier, whose body ends with the statement.
ENDLESS, IFF, IMPLIES, AND, SAID = range(5)


def proposition_to_latex(proposition: Proposition) -> str:
    r"""A proposition as LaTeX, without dollar signs: \exists d \in \mathbb{R}^K \ \forall x \in \mathbb{R}^K: ..."""
    return _said(proposition)[0]


def _said(node: Proposition) -> Written:
    """The LaTeX, and how tightly it binds."""
    match node:
        case Related(relation, sides):
            return _related_to_latex(relation, sides), SAID
        case And(parts):
            return r" \ \wedge \ ".join(_said_at(part, SAID) for part in parts), AND
        case Not(what):
            return rf"\neg {_bracketed(_said(what)[0])}", SAID
        case Implies(premise, conclusion):
            return rf"{_said_at(premise, AND)} \implies {_said_at(conclusion, IMPLIES)}", IMPLIES
        case Iff(parts):
            return r" \iff ".join(_said_at(part, IMPLIES) for part in parts), IFF
        case Quantified():
            return _quantified(node), ENDLESS
    raise TypeError(f"no LaTeX for {type(node).__name__}")


def _said_at(node: Proposition, level: int) -> str:
    text, own = _said(node)
    return text if own >= level else _bracketed(text)


def _bracketed(text: str) -> str:
    return rf"\left[{text}\right]"


def _quantified(node: Proposition) -> str:
    r"""Quantifiers side by side, \exists c, d \in \mathbb{R}^K \ \forall x \in \mathbb{R}^K:, and the body."""
    heads = []
    while isinstance(node, Quantified):
        sign = r"\forall" if isinstance(node, ForAll) else r"\exists"
        heads.append(sign + " " + r", \ ".join(_bound(node.binds)))
        node = node.body
    return r" \ ".join(heads) + ": " + _said(node)[0]


def _bound(binds: Sequence[Bound]) -> list[str]:
    """What a quantifier binds, with domains; names of one domain side by side."""
    domains: dict[str, list[str]] = {}
    alone = []
    images = {image.variable for image in binds if isinstance(image, Image)}
    for one in binds:
        match one:
            case Image(value, Function(name), at, slope):
                point = to_latex(at)
                meaning = rf"\frac{{\partial {_name(name)}({point})}}{{\partial {point}}}"
                alone.append(f"{to_latex(value)} = {meaning if slope else f'{_name(name)}({point})'}")
            case ex.Variable() if one not in images:
                name, _, domain = declaration_to_latex(one).partition(r" \in ")
                domains.setdefault(domain, []).append(name)
            case ex.Index(name, axis):
                domains.setdefault(rf"\{{1, \dots, {_name(ex.size_of(axis))}\}}", []).append(_name(name))
            case _:
                alone.append(_name(one.name))
    return [*(rf"{', '.join(names)} \in {domain}" for domain, names in domains.items()), *alone]


def declaration_to_latex(declared: ex.Variable | ex.Definition) -> str:
    r"""What a variable is, or what a name is short for: x \in \mathbb{R}^K; y = \text{SoftMax}(x)."""
    name = to_latex(declared)
    if isinstance(declared, ex.Definition):
        return f"{name} = {to_latex(declared.meaning)}"
    sizes = [_name(ex.size_of(axis)) for axis in declared.axes]
    shape = r" \times ".join(sizes)
    power = f"^{{{shape}}}" if len(shape) > 1 else f"^{shape}" if shape else ""
    along = _name(ex.size_of(declared.along)) if declared.along else ""
    match declared.kind:
        case "label":
            return rf"{name} \in \{{1, \dots, {along}\}}{power}"
        case "distribution" if len(sizes) == 1:
            return rf"{name} \in [0, 1]{power}, \ \sum_k {_braced(name, '_')}_{{k}} = 1"
        case "distribution":
            return rf"{name} \in [0, 1]{power} \text{{ with sums 1 over }} {along}"
        case kind:
            domains = {
                "real": r"\mathbb{R}",
                "positive": r"(0, \infty)",
                "nonnegative": r"[0, \infty)",
                "unit": "[0, 1]",
            }
            return rf"{name} \in {domains[kind]}{power}"


def function_to_latex(name: str, proposition: Proposition) -> str:
    r"""What an unknown function of a statement is: F: \mathbb{R}^K \to \mathbb{R}^K \text{ differentiable}."""
    image = functions_in(proposition)[name]
    own, values = image.at, image.variable
    if image.slope:
        values = replace(values, axes=values.axes[: len(values.axes) - len(own.axes)])
    sets = [declaration_to_latex(one).partition(r" \in ")[2] for one in (own, values)]
    return rf"{_name(name)}: {sets[0]} \to {sets[1]} \text{{ differentiable}}"


class _Writer:
    """Writes an expression as a whole (at is None), or an entry of it at the indices `at`."""

    def __init__(self, expression: ex.Expression) -> None:
        self._used = set(_letters(expression))
        self._target = "y°" not in self._used
        self._bound: dict[ex.Index, str] = {}

    def write(self, node: ex.Expression, at: tuple[str, ...] | None) -> Written:
        """The LaTeX, and how tightly it binds."""
        if not node.axes:
            at = None
        match node:
            case ex.Number(value):
                return _number(value)
            case ex.Size(name):
                return _name(name), ATOM
            case ex.Variable() | ex.Definition():
                return self._subscripted((self._variable(node), ATOM), at)
            case ex.Apply():
                return self._apply(node, at)
            case ex.Call():
                return self._call(node, at)
            case ex.MatMul(left, right):
                return self._matmul(left, right, at)
            case ex.Outer(left, right):
                return self._outer(left, right, at)
            case ex.Transpose(argument):
                if at is not None:
                    return self.write(argument, at[::-1])
                return f"{self._base(argument)}^\\top", RAISED
            case ex.Diag(argument):
                return self._diag(argument, at)
            case ex.Identity():
                return ("I", ATOM) if at is None else (f"\\delta_{{{_joined(at)}}}", ATOM)
            case ex.OneHot(label):
                if at is None:
                    return f"e_{{{self._variable(label)}}}", ATOM
                return f"\\delta_{{{_joined((at[-1], _chosen(self._variable(label), at[:-1])))}}}", ATOM
            case ex.Diagonal() | ex.Pick() if at is None and node.axes:
                return self._by_entries(node)
            case ex.Diagonal(argument):
                return self.write(argument, (*(at or ()), (at or ("",))[-1]))
            case ex.Pick(argument, label):
                return self.write(argument, (*(at or ()), _chosen(self._variable(label), at or ())))
            case ex.Spread():
                return self._spread(node, at)
            case ex.Delta(left_term, right_term):
                return f"\\delta_{{{_joined((self._term(left_term), self._term(right_term)))}}}", ATOM
            case ex.Entry(argument, terms):
                return self.write(argument, tuple(map(self._term, terms)))
            case ex.Comprehension():
                return self._comprehension(node, at)
            case ex.Derivative(kind, _, _, None) if kind in ("gradient", "jacobian") and at is not None:
                return self._partial(node, at)
            case ex.Derivative():
                return self._subscripted(self._derivative(node), at)
        raise TypeError(f"no LaTeX for {type(node).__name__}")

    def _at_least(self, written: Written, level: int) -> str:
        return written[0] if written[1] >= level else _parenthesised(written[0])

    def _base(self, node: ex.Expression) -> str:
        """What carries a superscript: a name, or something in parentheses."""
        return _raisable(self.write(node, None))

    def _subscripted(self, whole: Written, at: tuple[str, ...] | None) -> Written:
        """An entry of what was written as a whole."""
        if at is None:
            return whole
        text, level = whole
        if level < ATOM and not (level == RAISED and re.match(r"\\text\{\w+\}\(", text) and text.endswith(")")):
            text = _parenthesised(text)
        subscripted = f"{_braced(text, '_') if level == ATOM else text}_{{{_joined(at)}}}"
        return subscripted, ATOM

    def _by_entries(self, node: ex.Expression) -> Written:
        """What has no form without indices: its entries in brackets."""
        letters = self._fresh(node.axes)
        inner = self.write(node, letters)[0]
        self._used -= set(letters)
        return f"\\left[{inner}\\right]_{{{_joined(letters)}}}", ATOM

    def _fresh(self, axes: Sequence[str]) -> tuple[str, ...]:
        """An index for each axis, used by nothing else here."""
        found = []
        for axis in axes:
            own = ex.size_of(axis).lower()
            wanted = [*(own if len(own) == 1 else ""), *"klijmnpqr", *(f"k_{{{n}}}" for n in range(1, 999))]
            letter = next(one for one in wanted if one not in self._used)
            self._used.add(letter)
            found.append(letter)
        return tuple(found)

    # --- names and indices ---

    def _variable(self, node: ex.Variable | ex.Definition) -> str:
        if node.name == "t" and self._target and node.axes and getattr(node, "kind", "") != "label":
            return r"y^\circ"
        return _name(node.name)

    def _term(self, term: ex.IndexTerm) -> str:
        match term:
            case ex.Index():
                return self._bound.get(term, _name(term.name))
            case ex.Numbered(value, _):
                return str(value)
            case ex.Chosen(label, indices):
                return _chosen(self._variable(label), tuple(map(self._term, indices)))

    def _comprehension(self, node: ex.Comprehension, at: tuple[str, ...] | None) -> Written:
        if at is None:
            inner = self._in_body(node, tuple(_name(index.name) for index in node.indices))
            return f"\\left[{inner[0]}\\right]_{{{_joined([_name(index.name) for index in node.indices])}}}", ATOM
        return self._in_body(node, at)

    def _in_body(self, node: ex.Comprehension, at: tuple[str, ...]) -> Written:
        outside = self._bound
        self._bound = {**outside, **dict(zip(node.indices, at, strict=True))}
        try:
            return self.write(node.body, None)
        finally:
            self._bound = outside

    # --- entry by entry ---

    def _apply(self, node: ex.Apply, at: tuple[str, ...] | None) -> Written:
        function, arguments = node.function, node.arguments
        if function in ("multiply", "divide") and (positive := _opposite(arguments[0])) is not None:
            inner = self._apply(ex.Apply(function, (positive, arguments[1]), node.axes), at)
            return f"-{self._at_least(inner, BIG)}", SIGNED
        parts = [self.write(argument, at) for argument in arguments]
        vectors = [bool(argument.axes) and at is None for argument in arguments]
        texts = [text for text, _ in parts]
        raised = r"\odot " if any(vectors) else ""
        match function:
            case "add":
                return f"{texts[0]} + {self._at_least(parts[1], BIG)}", SUM
            case "subtract":
                return f"{texts[0]} - {self._at_least(parts[1], BIG)}", SUM
            case "negative":
                return f"-{self._at_least(parts[0], BIG)}", SIGNED
            case "multiply":
                return self._product(parts[0], parts[1], all(vectors))
            case "divide" if vectors[1]:
                return f"{self._at_least(parts[0], ENTRYWISE)} \\div {self._at_least(parts[1], BESIDE)}", ENTRYWISE
            case "divide":
                return f"\\frac{{{texts[0]}}}{{{texts[1]}}}", RAISED
            case "power":
                return f"{_raisable(parts[0])}^{{{raised}{texts[1]}}}", RAISED
            case "square":
                return f"{_raisable(parts[0])}^{{{raised}2}}", RAISED
            case "exp" if not any(vectors):
                return ("e", ATOM) if texts[0] == "1" else (f"e^{{{texts[0]}}}", RAISED)
            case "sqrt":
                return f"\\sqrt{{{texts[0]}}}", RAISED
            case "abs":
                return f"\\left|{texts[0]}\\right|", ATOM
            case "less":
                return f"\\mathbb{{1}}[{texts[0]} < {texts[1]}]", RAISED
        return _function(function) + _parenthesised(", ".join(texts)), RAISED

    def _product(self, left: Written, right: Written, entrywise: bool) -> Written:
        if entrywise:
            return f"{self._at_least(left, ENTRYWISE)} \\odot {self._at_least(right, BESIDE)}", ENTRYWISE
        return self._beside(left, right)

    def _beside(self, left: Written, right: Written) -> Written:
        before = self._at_least(left, BESIDE)
        after = right[0] if right[1] == BIG else self._at_least(right, RAISED)
        between = r" \cdot " if after[0].isdigit() else " "
        return before + between + after, BIG if right[1] == BIG else BESIDE

    # --- whole vectors and matrices ---

    def _call(self, node: ex.Call, at: tuple[str, ...] | None) -> Written:
        function, rule, first = node.function, NAMED[node.function], node.arguments[0]
        if function in _REDUCTIONS:
            if node.axes and at is None:
                return self._by_entries(node)
            return self._reduction(node, at or ())
        ranks = [len(argument.axes) for argument in node.arguments]
        usual = (len(first.axes) - 1,) if rule.along == "last" else tuple(range(len(first.axes)))
        if function == "dot" and (ranks != [1, 1] or node.positions != usual):
            inner = ex.Call("sum", (ex.Apply("multiply", node.arguments, first.axes),), node.positions, node.axes)
            return self._call(inner, at)
        parts = [self.write(argument, None) for argument in node.arguments]
        texts = [text for text, _ in parts]
        if function == "dot":
            return f"\\left\\langle {texts[0]}, {texts[1]} \\right\\rangle", ATOM
        if function == "norm" and node.positions == usual and len(first.axes) == 1:
            return f"\\left\\|{texts[0]}\\right\\|_2", RAISED
        name = _function(function)
        if function == "softmax" and len(texts) > 1:
            texts = [f"{texts[0]}; {texts[1]}"]
        if node.positions != usual:
            name = f"{name}_{{{', '.join(_name(first.axes[place]) for place in node.positions)}}}"
        return self._subscripted((name + _parenthesised(", ".join(texts)), RAISED), at)

    def _reduction(self, node: ex.Call, at: tuple[str, ...]) -> Written:
        first = node.arguments[0]
        letters = self._fresh([first.axes[place] for place in node.positions])
        rest, own = iter(at), iter(letters)
        where = tuple(next(own) if place in node.positions else next(rest) for place in range(len(first.axes)))
        inner = self.write(first, where)
        self._used -= set(letters)
        body = inner[0] if inner[1] == BIG else self._at_least(inner, BESIDE)
        big = f"{_REDUCTIONS[node.function]}_{{{_joined(letters)}}} {body}"
        if node.function != "mean":
            return big, BIG
        sizes = " ".join(_name(ex.size_of(first.axes[place])) for place in node.positions)
        return f"\\frac{{1}}{{{sizes}}} {big}", BIG

    def _matmul(self, left: ex.Expression, right: ex.Expression, at: tuple[str, ...] | None) -> Written:
        ranks = len(left.axes), len(right.axes)
        if max(ranks) > 2:
            if at is None and ranks != (1, 1):
                return self._by_entries(ex.MatMul(left, right))
            cut = len(left.axes) - 1
            (letter,) = self._fresh([left.axes[-1]])
            parts = self.write(left, (*(at or ())[:cut], letter)), self.write(right, (letter, *(at or ())[cut:]))
            self._used.remove(letter)
            return f"\\sum_{{{letter}}} {self._beside(*parts)[0]}", BIG
        if ranks[0] == 1:  # u^T v, and A^T u for u^T A
            first, second = (left, right) if ranks[1] == 1 else (right, left)
            turned = (f"{self._base(first)}^\\top", RAISED)
            if isinstance(first, ex.Transpose):
                turned = self.write(first.argument, None)
            return self._subscripted(self._beside(turned, self.write(second, None)), at)
        return self._subscripted(self._beside(self.write(left, None), self.write(right, None)), at)

    def _outer(self, left: ex.Expression, right: ex.Expression, at: tuple[str, ...] | None) -> Written:
        if at is not None:
            cut = len(left.axes)
            return self._beside(self.write(left, at[:cut]), self.write(right, at[cut:]))
        parts = self.write(left, None), self.write(right, None)
        if len(left.axes) == len(right.axes) == 1:
            return self._beside(parts[0], (f"{_raisable(parts[1])}^\\top", RAISED))
        if not left.axes or not right.axes:
            return self._beside(*parts)
        return f"{self._at_least(parts[0], RAISED)} \\otimes {self._at_least(parts[1], RAISED)}", ENTRYWISE

    def _diag(self, argument: ex.Expression, at: tuple[str, ...] | None) -> Written:
        if at is not None:
            return self._beside((f"\\delta_{{{_joined(at[-2:])}}}", ATOM), self.write(argument, at[:-1]))
        if isinstance(argument, ex.Variable | ex.Definition):
            return f"D_{{{self._variable(argument)}}}", ATOM
        return f"\\text{{diag}}{_parenthesised(self.write(argument, None)[0])}", RAISED

    def _spread(self, node: ex.Spread, at: tuple[str, ...] | None) -> Written:
        argument, place = node.argument, node.position
        if at is not None:
            return self.write(argument, at[:place] + at[place + 1 :])
        inner = self.write(argument, None)
        if not argument.axes:
            return (r"\mathbf{1}", ATOM) if argument == ex.Number(Fraction(1)) else self._beside(inner, _ONES)
        if len(argument.axes) > 1:
            return self._by_entries(node)
        if place:
            return self._beside(inner, (r"\mathbf{1}^\top", RAISED))
        return self._beside(_ONES, (f"{_raisable(inner)}^\\top", RAISED))

    def _partial(self, node: ex.Derivative, at: tuple[str, ...]) -> Written:
        """A partial derivative: an entry of a gradient or of a Jacobian."""
        cut = len(at) - len(node.by.axes)
        function = self.write(node.function, at[:cut] if cut else None)
        by = self._subscripted((self._variable(node.by), ATOM), at[cut:] or None)[0]
        if function[1] >= RAISED and not any(sign in function[0] for sign in _TALL):
            return f"\\frac{{\\partial {function[0]}}}{{\\partial {by}}}", RAISED
        return f"\\frac{{\\partial}}{{\\partial {by}}} \\left[{function[0]}\\right]", BESIDE

    def _derivative(self, node: ex.Derivative) -> Written:
        by = self._variable(node.by)
        function = self.write(node.function, None)
        short = isinstance(node.function, ex.Variable | ex.Definition) or (
            isinstance(node.function, ex.Call)
            and function[1] >= RAISED
            and not any(sign in function[0] for sign in _TALL)
        )
        bracketed = f"\\left[{function[0]}\\right]"
        if node.kind in ("gradient", "hessian", "hvp"):
            nabla = f"\\nabla{'' if node.kind == 'gradient' else '^2'}_{{{by}}} {function[0] if short else bracketed}"
            written = (nabla, BIG)
        elif short:
            written = (f"\\frac{{\\partial {function[0]}}}{{\\partial {by}}}", RAISED)
        else:
            written = (f"\\frac{{\\partial}}{{\\partial {by}}} {bracketed}", BESIDE)
        if node.direction is None:
            return written
        if node.kind == "vjp":
            written = (f"{_parenthesised(written[0])}^\\top", RAISED)
        return self._beside(written, self.write(node.direction, None))


_ONES: Written = (r"\mathbf{1}", ATOM)


def _opposite(node: ex.Expression) -> ex.Expression | None:
    """What a term with a sign is the opposite of."""
    match node:
        case ex.Apply("negative", (u,)):
            return u
        case ex.Number(value) if value < 0:
            return ex.Number(-value)
    return None


def _number(value: Fraction) -> Written:
    if value < 0:
        return f"-{_number(-value)[0]}", SIGNED
    if value.denominator == 1:
        return str(value), ATOM
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}", RAISED


def _name(name: str) -> str:
    """A name: Greek if it is the name of a letter, digits at its end as an index, long ones upright."""
    stem, degree, primes = _split(name)
    letters, digits = (match[1], match[2]) if (match := re.fullmatch(r"([A-Za-z]+?)_?([0-9]+)", stem)) else (stem, "")
    if _GREEK.fullmatch(letters):
        letters = f"\\{letters}"
    elif len(letters) > 1:
        letters = f"\\text{{{_escaped(letters)}}}"
    return letters + (f"_{{{digits}}}" if digits else "") + (r"^\circ" if degree else "") + primes


def _split(name: str) -> tuple[str, str, str]:
    stem = name.rstrip("'")
    primes = name[len(stem) :]
    return stem.rstrip("°"), "°" * stem.endswith("°"), primes


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")


def _function(name: str) -> str:
    return _FUNCTIONS.get(name, f"\\text{{{_escaped(name)}}}")


def _term(term: ex.IndexTerm) -> str:
    """An index, or a label."""
    match term:
        case ex.Index(name, _):
            return _name(name)
        case ex.Numbered(value, _):
            return str(value)
        case ex.Chosen(label, indices):
            return _chosen(_name(label.name), [_term(one) for one in indices])


def _chosen(label: str, indices: Sequence[str]) -> str:
    return f"{_braced(label, '_')}_{{{_joined(indices)}}}" if indices else label


def _joined(indices: Sequence[str]) -> str:
    """Indices side by side, with commas where they are long."""
    return (" " if all(len(index) == 1 for index in indices) else ", ").join(indices)


def _braced(text: str, sign: str) -> str:
    """A text that may carry a further sub- or superscript."""
    return f"{{{text}}}" if sign in text else text


def _raisable(written: Written) -> str:
    """What carries a superscript."""
    text = written[0] if written[1] == ATOM else _parenthesised(written[0])
    return f"{{{text}}}" if written[1] == ATOM and ("^" in text or "'" in text) else text


def _parenthesised(text: str) -> str:
    tall = any(sign in text for sign in _TALL)
    return f"\\left({text}\\right)" if tall else f"({text})"


def _letters(expression: ex.Expression) -> set[str]:
    """The names that occur, definitions, sizes and indices among them."""
    found: set[str] = set()
    for node in expression.nodes():
        match node:
            case ex.Definition() | ex.Variable() | ex.Size():
                found.add(node.name)
            case ex.Comprehension():
                found |= {index.name for index in node.indices}
        for term in ex.index_terms(node):
            found |= _of_term(term)
    return found | {"e"}


def _of_term(term: ex.IndexTerm) -> set[str]:
    match term:
        case ex.Index():
            return {term.name}
        case ex.Chosen(label, indices):
            return {label.name}.union(*map(_of_term, indices))
    return set()
