"""Formulas as text, second half: from trees of syntax to expressions.

    >>> parse("grad(-sum(t*log(softmax(x))), x)")
    grad(-sum(t*log(softmax(x))), x)
    >>> statement = read_equation("jacobian(softmax(d*x), x)", "(diag(y) - outer(y, y)) @ diag(d)", "y = softmax(d*x)")
    >>> statement.readings["x"]                  # how a name was read
    'vector over K'

The grammar is at the head of `softmax_trick.language.syntax`, what everything means in docs/language.md. Text never
reaches Python's eval or SymPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from softmax_trick.language import expression as ex
from softmax_trick.language.expression import (
    UNKNOWN,
    AxesError,
    Chosen,
    Definition,
    Expression,
    Index,
    IndexTerm,
    LanguageError,
    Number,
    Numbered,
    Size,
    Spread,
    Variable,
    as_expression,
    entrywise,
    shape,
    size_of,
)
from softmax_trick.language.functions import ENTRYWISE, NAMED, named
from softmax_trick.language.inference import Inference, index_node, is_over_indices
from softmax_trick.language.names import Names, axis_names, described
from softmax_trick.language.proposition import (
    PREDICATES,
    And,
    Bound,
    Exists,
    ForAll,
    Function,
    Iff,
    Image,
    Implies,
    Not,
    Proposition,
    Related,
    checked,
)
from softmax_trick.language.scanner import CONSTANTS, Source
from softmax_trick.language.syntax import (
    DERIVATIVES,
    DIRECTIONAL,
    MAX_SIZE,
    Binder,
    Declaration,
    Measure,
    Node,
    Parser,
    Phrase,
)

DEFAULT = "declared beforehand"  # the source of declarations that the reader did not write


@dataclass(frozen=True)
class Statement:
    """Formulas that were read together.

    Attributes:
        expressions: the formulas, in the order of their texts.
        relation: what stands between two of them, such as "==", or the predicate "psd" or "conservative"; else "".
        says: the whole as a proposition; None where only formulas were read.
        sizes: the sizes that are given; all others are any from 1.
        readings: how each name was read, in the order in which they appear: {"x": "vector over K"}.
        definitions: the names that were defined, those first that others use.
        declared: the names that were declared.
    """

    expressions: tuple[Expression, ...]
    relation: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    readings: Mapping[str, str] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    declared: frozenset[str] = frozenset()
    says: Proposition | None = None


def proposition(text: str, let: str = "") -> Proposition:
    """The proposition that a text stands for.

    Args:
        text: a statement, "K >= 2 implies exists d: for all x: softmax(x) == softmax(d*x)".
        let: declarations of its names, those that it binds included, see `parse`.

    Raises:
        LanguageError, AxesError: see `read_equation`.
    """
    says = read_equation(text, let=let).says
    if says is None:
        raise LanguageError(f"{text} is no statement")
    return says


def parse(text: str, let: str = "") -> Expression:
    """The expression that a text stands for.

    Args:
        text: the formula.
        let: declarations of its names, as in "x: K; c: label K; y = softmax(x)".

    Raises:
        LanguageError: the text is no formula, or has no meaning; the message shows the place.
        AxesError: axes that do not fit; the message names both.
    """
    return read(text, let=let).expressions[0]


def read(*texts: str, let: str = "", default: str = "", what: str = "formula") -> Statement:
    """Several formulas in the same names.

    Args:
        texts: the formulas.
        let: declarations of their names, see `parse`.
        default: declarations of names that `let` does not declare.
        what: what errors call one of several formulas.

    Raises:
        LanguageError, AxesError: see `parse`.
    """
    names = [""] if len(texts) == 1 else [f"{what} {number}" for number in range(1, len(texts) + 1)]
    sources = [Source(name, text) for name, text in zip(names, texts, strict=True)]
    return _read([Parser(source).expression() for source in sources], None, let, default)


def read_equation(left: str, right: str | None = None, let: str = "") -> Statement:
    """A statement: a relation between two sides with the same axes, a predicate, or what words make of such.

    Args:
        left: the left side; without a right one the whole, "left == right", "left <= right", "psd(M)",
            "conservative(F, x)", "x > 0 and sum(x) == 1 implies x <= 1", "exists d: for all x: ...".
        right: the right side. A constant is spread over the axes of the other side.
        let: declarations, see `parse`.

    Raises:
        LanguageError: see `parse`; an index that is free on one side only, and not declared; a name that is free in one
            place and bound in another.
        AxesError: see `parse`; the sides have different axes.
    """
    if right is None:
        phrase = Parser(Source("", left)).statement()
    else:
        sides = [Parser(Source(name, text)).expression() for name, text in (("left side", left), ("right side", right))]
        phrase = Phrase("==", sides[0], tuple(sides))
    return _read([side for one in phrase.phrases() for side in one.sides], phrase, let)


def _read(trees: Sequence[Node], phrase: Phrase | None, let: str, default: str = "") -> Statement:
    declarations: dict[str, Declaration] = {}
    for one in Parser(Source("--let", let)).declarations():
        if one.node.text in declarations:
            raise one.node.error(f"{one.node.text} is declared twice")
        declarations[one.node.text] = one
    own = frozenset(declarations)
    for one in Parser(Source(DEFAULT, default)).declarations():
        declarations.setdefault(one.node.text, one)
    try:
        return _Builder(trees, phrase, declarations, own).statement()
    except RecursionError:
        raise LanguageError("nested too deeply for Python's stack here: simplify the formula") from None


class _Builder:
    """Builds the expressions of a statement, from the leaves upwards."""

    def __init__(
        self, trees: Sequence[Node], phrase: Phrase | None, declarations: dict[str, Declaration], own: frozenset[str]
    ) -> None:
        self._trees, self._phrase = trees, phrase
        self._declared = own  # by the user
        self._sizes = _given_sizes(trees, declarations)
        self._names = names = Names(trees, declarations)
        measure = Measure(names.definitions)
        for tree in names.trees:
            measure.check(tree)
        for node in (node for tree in names.trees for node in tree.nodes()):
            name = node.text
            if node.kind == "name" and name in CONSTANTS and name not in declarations and not names.is_axis(name):
                hint = "the identity is eye" if name == "I" else CONSTANTS[name]
                raise node.error(f"{name} is reserved: {hint}, or declare it, as in --let '{name}: real'")
        related = [one for one in (phrase.phrases() if phrase else ()) if one.sides]
        self._of_indices = {id(one) for one in related if self._is_of_indices(one)}
        if phrase is not None:
            related = [one for one in related if id(one) not in self._of_indices]
            self._trees = [side for one in related for side in one.sides]
        pairs = [one.sides for one in related if len(one.sides) == 2]
        self._inference = Inference(names, self._trees, pairs)
        self._definitions: dict[str, Definition] = {}
        nodes = [node for tree in names.trees for node in tree.nodes()]
        self._written = {node.text for node in nodes} | {name for node in nodes for name, _ in node.bound}
        self._variables = {name: self._variable(name) for name in (*names.shapes, *names.labels)}
        self._functions = {one.function for part in (phrase.phrases() if phrase else ()) for one in part.binders}
        self._defining = ""

    def statement(self) -> Statement:
        """The expressions, and how the names were read."""
        for name in self._names.definitions:
            self._definition(name)
        says = None if self._phrase is None else checked(self._said(self._phrase))
        built = tuple(self._build(tree, {}) for tree in self._trees) if says is None else says.expressions
        relation = says.relation if isinstance(says, Related) else ""
        definitions = tuple(self._definitions.values())
        return Statement(built, relation, self._sizes, self._readings(), definitions, self._declared, says)

    # --- statements ---

    def _said(self, phrase: Phrase) -> Proposition:
        try:
            return self._proposition(phrase)
        except LanguageError as error:
            if error.at is not None:
                raise
            raise phrase.node.error(str(error), type(error)) from None

    def _proposition(self, phrase: Phrase) -> Proposition:
        parts = tuple(self._said(part) for part in phrase.parts)
        match phrase.kind:
            case "and":
                return And(parts)
            case "not":
                return Not(*parts)
            case "implies":
                return Implies(*parts)
            case "iff":
                return Iff(parts)
            case "for all" | "exists":
                quantifier = ForAll if phrase.kind == "for all" else Exists
                return quantifier(tuple(map(self._bound, phrase.binders)), *parts)
            case relation if relation in PREDICATES:
                return Related(relation, tuple(self._build(side, {}) for side in phrase.sides))
        if id(phrase) in self._of_indices:
            equal = self._delta(Node("call", phrase.node.source, phrase.node.column, "delta", phrase.sides), {})
            return Related("==", (equal, as_expression(int(phrase.kind == "=="))))
        is_order = phrase.kind not in ("==", "!=")
        sides = self._two_sides([self._build(side, {}) for side in phrase.sides], phrase.sides, is_order)
        return Related(phrase.kind, tuple(sides))

    def _is_of_indices(self, phrase: Phrase) -> bool:
        """Whether it compares two indices, i != j, and not two formulas."""
        known = (self._names.indices, self._names.labels)
        return phrase.kind in ("==", "!=") and all(
            side.kind == "name" and any(side.text in names for names in known) for side in phrase.sides
        )

    def _bound(self, binder: Binder) -> Bound:
        name, names = binder.node.text, self._names
        if name in names.definitions:
            raise binder.node.error(f"{name} is short for a formula: a quantifier binds a name that is free in it")
        if binder.function:
            at = self._bound(Binder(binder.at)) if binder.at else None
            value = self._bound(Binder(binder.node))
            if binder.function in (*names.shapes, *names.labels, *names.indices) or names.is_axis(binder.function):
                raise binder.node.error(f"{binder.function} is something else here: a function needs another name")
            if not (isinstance(at, Variable) and isinstance(value, Variable)):
                raise binder.node.error(f"{binder.function} takes a variable, and {name} is one: no sizes, no indices")
            return Image(value, Function(binder.function), at, binder.slope)
        if name in self._variables:
            return self._variables[name]
        if name in names.indices:
            return self._index(name)
        if names.is_axis(name):
            if name in self._sizes:
                raise binder.node.error(f"{name} is given, and cannot be bound")
            return Size(size_of(name))
        if name in self._functions:
            return Function(name)
        raise binder.node.error(f"{name} is bound, and nothing says what it is: declare it, as in --let '{name}: K'")

    def _readings(self) -> dict[str, str]:
        names = self._names
        found: dict[str, str] = {}
        used = self._used()
        for name in [*used, *(one for one in names.declarations if one in self._declared)]:
            if name in found:
                continue
            if name in names.definitions:
                one = self._definitions[name]
                found[name] = f"{described(one.axes, 'real', '')}, defined"
            elif name in self._variables:
                variable = self._variables[name]
                found[name] = described(variable.axes, variable.kind, variable.along)
            elif name in names.indices:
                found[name] = f"index over {self._index(name).axis}"
            elif name in self._sizes:
                found[name] = f"size, {self._sizes[name]}"
                continue
            if name in found and name not in used:
                found[name] += ", not used"
        return found

    def _used(self) -> list[str]:
        """The names in the texts, and in the definitions that they use, in order."""
        found: dict[str, None] = {}

        def walk(tree: Node) -> None:
            for node in tree.nodes():
                if node.text not in found:
                    found[node.text] = None
                    if node.text in self._names.definitions:
                        walk(self._names.definitions[node.text])

        for tree in self._trees:
            walk(tree)
        return list(found)

    # --- names ---

    def _variable(self, name: str) -> Variable:
        names, declared = self._names, self._names.declarations.get(name)
        if declared is not None and declared.kind:
            kind = "real" if declared.kind == "scalar" else declared.kind
            try:
                return ex.variable(name, declared.axes, kind, declared.along)  # type: ignore[arg-type]
            except LanguageError as error:
                raise declared.node.error(str(error)) from None
        if name in names.labels:
            own, into = names.labels[name]
            return ex.variable(name, _found(own.root().axes), "label", into.root().name)
        axes = _found(names.shapes[name].root().axes)
        # The rows and columns of a square matrix are told apart by primes.
        return ex.variable(name, tuple(axis + "'" * axes[:place].count(axis) for place, axis in enumerate(axes)))

    def _index(self, name: str) -> Index:
        declared = self._names.declarations.get(name)
        return Index(name, declared.along if declared else self._names.indices[name].root().name)

    def _definition(self, name: str) -> Expression:
        if name not in self._definitions:
            outer, self._defining = self._defining, name
            self._definitions[name] = Definition(name, self._build(self._names.definitions[name], {}))
            self._defining = outer
        return self._definitions[name]

    def _term(self, node: Node, bound: Mapping[str, Index], axis: str) -> IndexTerm:
        """An index; a number is one into this axis."""
        name, names = node.text, self._names
        if node.kind == "numbered":
            size = self._sizes.get(size_of(axis), int(node.value))
            if node.value > size:
                raise node.error(f"there is no entry {node.value}: {size_of(axis)} is {size}")
            return Numbered(int(node.value), axis)
        if name in bound:
            return bound[name]
        if name in names.indices:
            if self._defining:
                raise node.error(f"the index {name} is free in the definition of {self._defining}: define the vector")
            return self._index(name)
        label = self._variables[name]
        if len(node.parts) != len(label.axes):
            has = f"has the axes {', '.join(label.axes)}" if label.axes else "has no axes"
            raise node.error(f"the label {name} {has}, and {len(node.parts)} indices stand here", AxesError)
        return Chosen(label, tuple(self._term(p, bound, a) for p, a in zip(node.parts, label.axes, strict=True)))

    # --- expressions ---

    def _build(self, node: Node, bound: Mapping[str, Index]) -> Expression:
        try:
            built = self._built(node, bound)
            if node.source.name != DEFAULT:
                vars(built).setdefault("place", node)
            return built
        except LanguageError as error:
            if error.at is not None:
                raise
            raise node.error(f"{error}{self._guesses(node)}", type(error)) from None

    def _guesses(self, node: Node) -> str:
        """How the undeclared names in a part were read."""
        names = [part.text for part in node.nodes() if part.kind == "name"]
        guessed = {n: self._variables[n] for n in names if n in self._variables and n not in self._names.declarations}
        words = ", ".join(f"{n} as {_article(described(v.axes, v.kind, v.along))}" for n, v in guessed.items())
        return f" (not declared, and read: {words})" if words else ""

    def _built(self, node: Node, bound: Mapping[str, Index]) -> Expression:
        match node.kind:
            case "number":
                return Number(node.value)
            case "name":
                return self._name(node)
            case "eye":
                return ex.identity(self._axis_of(node))
            case "transpose":
                argument = self._build(node.parts[0], bound)
                if len(argument.axes) < 2:
                    raise AxesError(f".T of {shape(argument.axes)}: it takes a matrix; write outer(u, v) or dot(u, v)")
                return argument.T
            case "entry":
                return self._entry(node, bound)
            case "tensor":
                indices, body = self._tensor(node, bound)
                more = self._fresh(body.axes)
                return ex.comprehension(indices + more, ex.entry_of(body, *more) if more else body)
            case "operation":
                return self._operation(node, bound)
            case _:
                return self._call(node, bound)

    def _tensor(self, node: Node, bound: Mapping[str, Index]) -> tuple[tuple[Index, ...], Expression]:
        """The indices in front of entry notation, and its body."""
        indices = tuple(Index(name, axis) for name, axis in node.bound)
        return indices, self._build(node.parts[0], {**bound, **{index.name: index for index in indices}})

    def _fresh(self, axes: Sequence[str]) -> tuple[Index, ...]:
        """An index for each axis, with a name that stands nowhere."""
        names = (name for n in range(999) for letter in "ijklmn" if (name := f"{letter}{n or ''}") not in self._written)
        return tuple(Index(name, axis) for name, axis in zip(names, axes, strict=False))

    def _name(self, node: Node) -> Expression:
        name = node.text
        if name in self._names.definitions:
            return self._definition(name)
        if name in self._names.labels:
            raise LanguageError(f"the label {name} is an index, no number: write onehot({name}), or u[{name}]")
        if name in self._variables:
            return self._variables[name]
        return Size(size_of(name))

    def _axis_of(self, node: Node) -> str:
        """The axis that was found for an identity."""
        axes = self._inference.shape_of(node)
        return axes[0] if axes else UNKNOWN

    def _entry(self, node: Node, bound: Mapping[str, Index]) -> Expression:
        argument = self._build(node.parts[0], bound)
        terms = node.parts[1:]
        if len(terms) == 1 and not terms[0].parts and self._inference.is_label(terms[0], dict.fromkeys(bound, "")):
            return ex.pick(argument, self._variables[terms[0].text])
        if len(terms) != len(argument.axes):
            raise AxesError(f"{len(terms)} ind{'ex' if len(terms) == 1 else 'ices'} for {shape(argument.axes)}")
        built = [self._term(term, bound, axis) for term, axis in zip(terms, argument.axes, strict=True)]
        return ex.entry_of(argument, *built)

    def _operation(self, node: Node, bound: Mapping[str, Index]) -> Expression:
        if node.text == "==":
            return self._delta(node, bound)
        left, *rest = (self._build(part, bound) for part in node.parts)
        if node.text == "@":
            return ex.matmul(left, rest[0])
        return _OPERATIONS[node.text](left, *rest)

    def _delta(self, node: Node, bound: Mapping[str, Index]) -> Expression:
        nodes = [index_node(part) for part in node.parts]
        known = [self._term(one, bound, "").axis for one in nodes if one.kind != "numbered"]
        if not known:
            raise LanguageError("the delta of two numbers: which axis do they run over? Write 1 or 0")
        left, right = (self._term(one, bound, known[0]) for one in nodes)
        return ex.delta(left, right)

    def _call(self, node: Node, bound: Mapping[str, Index]) -> Expression:
        name = node.text
        if name == "delta":
            return self._delta(node, bound)
        if name in DERIVATIVES or name in DIRECTIONAL:
            function, by, *direction = (self._build(part, bound) for part in node.parts)
            return getattr(ex, DERIVATIVES.get(name, name))(function, by, *direction)
        if name in NAMED:
            return self._named(node, bound)
        if name in ENTRYWISE:
            return entrywise(name, *(self._build(part, bound) for part in node.parts))
        match name:
            case "onehot" if node.parts[0].text in bound:
                place, (own,) = bound[node.parts[0].text], self._fresh([bound[node.parts[0].text].axis])
                return ex.comprehension((own,), ex.delta(own, place))
            case "onehot":
                return ex.onehot(self._variables[node.parts[0].text])
            case "pick":
                return ex.pick(self._build(node.parts[0], bound), self._variables[node.parts[1].text])
            case "eye":
                return ex.identity(self._axis(node.parts[0]))
            case "ones":
                return ex.ones(*map(self._axis, node.parts))
            case "rows" | "cols":
                vector = self._build(node.parts[0], bound)
                return getattr(ex, name)(vector, self._over(node, vector))
            case "spread":
                return self._spread(node, self._build(node.parts[0], bound))
        return getattr(ex, name)(*(self._build(part, bound) for part in node.parts))

    def _axis(self, node: Node) -> str:
        name = node.text
        if node.kind != "name" or name in self._variables or name in self._names.indices:
            raise node.error("the name of an axis is expected here, such as K")
        return name

    def _over(self, node: Node, vector: Expression) -> str:
        """The axis over which rows or cols spreads a vector: named, or found, or left to the surroundings."""
        if len(node.parts) > 1:
            return self._axis(node.parts[1])
        axes = self._inference.shape_of(node)
        if axes is None or len(axes) != len(vector.axes) + 1:
            return UNKNOWN
        kept, over = (axes[1:], axes[0]) if node.text == "cols" else (axes[:-1], axes[-1])
        return over if tuple(map(size_of, kept)) == tuple(map(size_of, vector.axes)) else UNKNOWN

    def _spread(self, node: Node, argument: Expression) -> Expression:
        place = Fraction(len(argument.axes) + 1)
        if len(node.parts) > 2:
            place = node.parts[2].value if node.parts[2].kind == "number" else Fraction(0)
        if place.denominator != 1 or not 1 <= place <= len(argument.axes) + 1:
            raise node.error(f"the place of the new axis is a number from 1 to {len(argument.axes) + 1}")
        return Spread(argument, self._axis(node.parts[1]), int(place) - 1)

    def _named(self, node: Node, bound: Mapping[str, Index]) -> Expression:
        if is_over_indices(node):
            indices, body = self._tensor(node.parts[0], bound)
            more = self._fresh(body.axes)
            reduced = named(node.text, ex.comprehension(indices, ex.entry_of(body, *more) if more else body))
            return ex.comprehension(more, reduced) if more else reduced
        arguments, axes = self._inference.split(node)
        if node.text in ("max", "min") and len(arguments) > 1:
            if axes:
                raise axes[0].error(f"{axes[0].text} is an axis, and {node.text} has two arguments before it")
            first, *rest = (self._build(part, bound) for part in arguments)
            for other in rest:
                first = entrywise("maximum" if node.text == "max" else "minimum", first, other)
            return first
        for axis in axes:
            self._axis(axis)
            if not self._names.is_axis(axis.text):  # of softmax, whose second argument does not make an axis
                raise axis.error(f"{axis.text} is no axis here; with slack it is softmax(x, slack={axis.text})")
        most = 1 if node.text == "softmax" else NAMED[node.text].arity[1]
        if len(arguments) > most:
            raise arguments[most].error(f"{node.text} takes the name of an axis here")
        built = [self._build(part, bound) for part in arguments]
        if node.slack is not None:
            built.append(self._build(node.slack, bound))
        return named(node.text, *built, axes=tuple(axis.text for axis in axes))

    # --- two sides ---

    def _two_sides(self, sides: list[Expression], trees: Sequence[Node], is_order: bool) -> list[Expression]:
        """Sides with the same axes; a constant is spread, and indices that nobody declares are free on both.

        Any scalar is spread in an order, x <= max(x); a vector that equals a scalar is more often a slip.
        """
        left, right = sides
        if ex.fitted(right, left.axes) is None and ex.fitted(left, right.axes) is None:
            if _is_constant(left) or (is_order and not left.axes):
                left = _spread_over(left, right.axes)
            elif _is_constant(right) or (is_order and not right.axes):
                right = _spread_over(right, left.axes)
            else:
                message = f"the left side is {shape(left.axes)}, the right side {shape(right.axes)}"
                raise trees[1].error(message + self._guesses_of_all(), AxesError)
        left = _first(ex.fitted(left, right.axes), left)
        right = _first(ex.fitted(right, left.axes), right)
        free = [_free(tree, frozenset()) & set(self._names.indices) for tree in trees]
        for own, other, tree, against in zip(free, free[::-1], trees, (right, left), strict=True):
            alone = sorted(own - other - self._declared)
            if alone and not _is_constant(against):
                place = next(node for node in tree.nodes() if node.kind in ("index", "name") and node.text == alone[0])
                raise place.error(f"the index {alone[0]} is free on this side only: it must stand on both")
        return [left, right]

    def _guesses_of_all(self) -> str:
        return next((words for words in map(self._guesses, self._trees) if words), "")


def _given_sizes(trees: Sequence[Node], declarations: dict[str, Declaration]) -> dict[str, int]:
    """The sizes among the declarations, K = 3; they are taken out of them, and their axes declared."""
    axes, sizes = axis_names(trees, declarations), {}
    for name, one in list(declarations.items()):
        if name in axes and one.meaning is not None:
            value = one.meaning.value if one.meaning.kind == "number" else Fraction(0)
            if value.denominator != 1 or not 1 <= value <= MAX_SIZE:
                raise one.meaning.error(f"{name} is an axis: its size is a whole number from 1 to {MAX_SIZE}")
            sizes[name] = int(value)
            declarations[name] = Declaration(one.node, kind="size")
    return sizes


def _first(found: Expression | None, otherwise: Expression) -> Expression:
    return otherwise if found is None else found


def _found(axes: Sequence[object] | None) -> tuple[str, ...]:
    return tuple(axis.root().name for axis in axes or ())  # type: ignore[attr-defined]


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _is_constant(expression: Expression) -> bool:
    """Whether it is a scalar made of numbers and sizes alone."""
    return not expression.axes and all(isinstance(one, Number | Size | ex.Apply) for one in expression.nodes())


def _spread_over(scalar: Expression, axes: tuple[str, ...]) -> Expression:
    for place, axis in enumerate(axes):
        scalar = Spread(scalar, axis, place)
    return scalar


def _free(node: Node, bound: frozenset[str]) -> set[str]:
    """The names of indices that no bracket in front binds."""
    bound |= {name for name, _ in node.bound}
    found = {node.text} - bound if node.kind in ("index", "name") else set()
    return found.union(*(_free(part, bound) for part in node.parts), _free(node.slack, bound) if node.slack else ())


_OPERATIONS: dict[str, Callable[..., Expression]] = {
    "+": lambda u, v: u + v,
    "-": lambda u, v: u - v,
    "*": lambda u, v: u * v,
    "/": lambda u, v: u / v,
    "**": lambda u, v: u**v,
    "negative": lambda u: -u,
    "<": lambda u, v: entrywise("less", u, v),
    ">": lambda u, v: entrywise("less", v, u),
    "<=": lambda u, v: 1 - entrywise("less", v, u),
    ">=": lambda u, v: 1 - entrywise("less", u, v),
}
