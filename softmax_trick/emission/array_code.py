"""Expressions as array code: one walk, one table for each framework, locals for what is used twice.

An expression with axes is an array with these dimensions last; the leading dimensions are a batch's. A scalar beside a
vector gets its missing dimensions, `tau[..., None]`. What is spread keeps a dimension of size 1 until it has to have
its size: such dimensions are called thin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from softmax_trick.emission.frameworks import Framework
from softmax_trick.emission.stable_forms import stable
from softmax_trick.language import expression as ex
from softmax_trick.language.functions import unfolded

# How tightly what was written last binds, in Python.
COMPARED, SUM, MATMUL, PRODUCT, SIGNED, POWER, ATOM = range(7)
_LEVELS = {"": COMPARED, "sum": SUM, "product": PRODUCT, "atom": ATOM}
_INFIX = {"add": ("+", SUM), "subtract": ("-", SUM), "multiply": ("*", PRODUCT), "divide": ("/", PRODUCT)}
_OF_NUMBERS = {"exp", "log", "sqrt", "tanh", "sinh", "cosh", "log1p", "expm1"}  # that math has, too
_LOCALS = {"softmax": "y", "log_softmax": "log_y", "logsumexp": "lse", "sigmoid": "s", "sum": "total", "mean": "m"}
_LETTERS = "ijklmnopqrstuvwxyz"


class Unemittable(ex.LanguageError):
    """A formula that cannot be written as array code; the text says why and what could."""


@dataclass(frozen=True)
class Code:
    """A piece of code, the value of an expression.

    Attributes:
        text: the code.
        level: how tightly it binds.
        plain: whether it is a Python number, whatever the axes of the expression.
        thin: the axes, as positions, along which it has size 1 and stands for equal entries.
    """

    text: str
    level: int = ATOM
    plain: bool = False
    thin: frozenset[int] = frozenset()

    def at(self, level: int) -> str:
        """The text of an operand that must bind at least so tightly."""
        return self.text if self.level >= level else f"({self.text})"

    def __format__(self, level: str) -> str:
        return self.at(_LEVELS[level])


class Body:
    """The statements of a function, written as expressions are asked for.

    Args:
        framework: the framework.
        roots: what will be asked for: what occurs twice in them gets a name.
        inputs: the arguments of the function, as variables, in order; shapes are read off them.
        by: the input whose dtype new arrays have.
        names: the names of the inputs in the code; other names are made so that they differ from these.
        sizes: sizes that are given.
    """

    def __init__(
        self,
        framework: Framework,
        roots: Iterable[ex.Expression],
        inputs: tuple[ex.Variable, ...],
        by: ex.Variable,
        names: Mapping[str, str],
        sizes: Mapping[str, int],
    ) -> None:
        self.lines: list[str] = []
        self.used: set[ex.Variable] = set()
        self._framework, self._inputs, self._by, self._names = framework, inputs, by, names
        self._given = dict(sizes)
        self._known: dict[ex.Expression, Code] = {}
        self._sizes: set[str] = set()
        roots = tuple(roots)
        self._times = _times(roots)
        self._taken = {*names.values(), *(n.name for one in roots for n in one.nodes() if isinstance(n, ex.Definition))}
        self._taken |= {ex.size_of(axis) for one in inputs for axis in (*one.axes, one.into)}

    def code(self, node: ex.Expression) -> Code:
        """The value of an expression; what was named before is taken by its name."""
        if node not in self._known:
            code = self._code(node)
            if isinstance(node, ex.Definition):
                code = self._local(self._names.get(node.name, node.name), code)
                self._known[node.meaning] = code
            elif self._times[node] > 1 and _worth_a_name(node) and not code.plain:
                code = self._local(self._fresh(node), code)
            self._known[node] = code
        return self._known[node]

    def full(self, node: ex.Expression) -> Code:
        """The same, with every dimension in its size."""
        code = self.code(node)
        if code.plain and node.axes:
            sizes = ", ".join(map(self.size, node.axes)) + ("," if len(node.axes) == 1 else "")
            return Code(f"{self._framework.module}.full(({sizes}), {code.text}, {self._like()})")
        if code.thin:
            return Code(f"spread({code.text}, {', '.join(map(self.size, node.axes))})")
        return code

    def size(self, axis: str) -> str:
        """The size of an axis, under its name.

        Raises:
            Unemittable: no input has it.
        """
        name = ex.size_of(axis)
        if name in self._given:
            return str(self._given[name])
        if name not in self._sizes:
            for one in sorted(self._inputs, key=lambda one: one not in self.used):
                sizes = [ex.size_of(other) for other in one.axes]
                if name in sizes:
                    place = sizes.index(name) - len(sizes)
                    self.lines.append(f"{name} = {self.input(one)}.shape[{place}]")
                    self._sizes.add(name)
                    break
            else:
                raise Unemittable(f"no variable has the axis {name}, so that the code could not know its size")
        return name

    def input(self, variable: ex.Variable) -> str:
        """An input's name in the code."""
        self.used.add(variable)
        return self._names[variable.name]

    def _local(self, name: str, code: Code) -> Code:
        if code.text != name:
            self.lines.append(f"{name} = {code.text}")
        return Code(name, plain=code.plain, thin=code.thin)

    def _fresh(self, node: ex.Expression) -> str:
        stem = _LOCALS.get(getattr(node, "function", ""), "u")
        name = next(name for name in (stem, *(f"{stem}{n}" for n in range(2, 999))) if name not in self._taken)
        self._taken.add(name)
        return name

    def _like(self) -> str:
        return self._framework.like.format(x=self.input(self._by))

    # --- the walk -----------------------------------------------------------------------------------------------------

    def _code(self, node: ex.Expression) -> Code:
        module = self._framework.module
        match node:
            case ex.Number(value):
                return _number(value)
            case ex.Size(name):
                return Code(self.size(name), plain=True)
            case ex.Variable():
                return Code(self.input(node))
            case ex.Definition(_, meaning):
                return self.code(meaning)
            case ex.Apply():
                return self._apply(node)
            case ex.Call():
                return self._call(node)
            case ex.MatMul(left, right):
                return self._product(left, right)
            case ex.Outer(left, right):
                a, b = self.code(left), self.code(right)
                if not left.axes or not right.axes or a.plain or b.plain:
                    a, b = self.full(left), self.full(right)
                cut, rank = len(left.axes), len(node.axes)
                a = a if a.plain else _dimensions(a, [*range(cut), *[None] * (rank - cut)])
                b = b if b.plain else _dimensions(b, [*[None] * cut, *range(rank - cut)])
                return Code(f"{a.at(PRODUCT)} * {b.at(SIGNED)}", PRODUCT)
            case ex.Transpose(argument):
                inner = self.code(argument)
                rank = len(node.axes)
                thin = frozenset(rank - 1 - place for place in inner.thin)
                if inner.plain:
                    return inner
                if rank == 2:
                    return Code(f"{inner.at(ATOM)}.mT", thin=thin)
                letters = _LETTERS[:rank]
                return Code(f'{module}.einsum("...{letters}->...{letters[::-1]}", {inner.text})', thin=thin)
            case ex.Diag(argument):
                rank = len(argument.axes)
                inner = _dimensions(self.full(argument), [*range(rank), None])
                return Code(f"{inner.at(PRODUCT)} * {self._identity(node.axes[-1])}", PRODUCT)
            case ex.Diagonal(argument):
                return Code(self._framework.others["diagonal"].format(self.full(argument)))
            case ex.Identity(axis):
                return Code(self._identity(axis))
            case ex.OneHot(label):
                size = self.size(label.into)
                return Code(self._framework.others["onehot"].format(self.input(label), size, x=self.input(self._by)))
            case ex.Pick(argument, label):
                return Code(f"pick({self.full(argument).text}, {self.input(label)})")
            case ex.Spread(argument, _, place):
                inner, rank = self.code(argument), len(node.axes)
                thin = frozenset({place, *(one + (one >= place) for one in inner.thin)})
                if inner.plain:
                    return Code(inner.text, inner.level, plain=True, thin=thin)
                return Code(_dimensions(inner, [*range(place), None, *range(place, rank - 1)]).text, thin=thin)
            case ex.Entry(argument, terms):
                return self._entry(self.full(argument), terms)
        raise Unemittable(f"{node!r} has no array form: write it with sums, @, outer, rows and cols")

    def _identity(self, axis: str) -> str:
        return f"{self._framework.module}.eye({self.size(axis)}, {self._like()})"

    def _operand(self, node: ex.Expression, rank: int) -> Code:
        """A scalar beside a tensor gets its dimensions."""
        code = self.code(node)
        return code if code.plain or node.axes or not rank else _dimensions(code, [None] * rank)

    def _apply(self, node: ex.Apply) -> Code:
        arguments, rank = node.arguments, len(node.axes)
        operands = [self._operand(one, rank) for one in arguments]
        plain = all(one.plain for one in operands)
        thin = frozenset(range(rank)).intersection(
            *(code.thin for one, code in zip(arguments, operands, strict=True) if one.axes and not code.plain)
        )
        text, level = self._applied(node, operands, plain)
        return Code(text, level, plain, thin)

    def _applied(self, node: ex.Apply, operands: list[Code], plain: bool) -> tuple[str, int]:
        table, name = self._framework.functions, node.function
        match name, operands:
            case "negative", (u,):
                return f"-{u.at(SIGNED)}", SIGNED
            case (("add" | "subtract" | "multiply" | "divide"), (u, v)):
                sign, level = _INFIX[name]
                right = v.at(level + 1)
                return f"{u.at(level)} {sign} {f'({right})' if right.startswith('-') else right}", level
            case "power", (u, v):
                match node.arguments[1]:
                    case ex.Number(value) if value == Fraction(1, 2):
                        return self._function("sqrt", [u], plain)
                    case ex.Number(value) if value == -1:
                        return f"1 / {u.at(SIGNED)}", PRODUCT
                return f"{u.at(ATOM)}**{v.at(SIGNED)}", POWER
            case (("less" | "step"), _) if not plain:
                return self._framework.cast.format(self._condition(node, operands), x=self.input(self._by)), ATOM
            case "where", (_, u, v) if not (u.plain and v.plain):
                condition = node.arguments[0]
                if isinstance(condition, ex.Apply) and condition.function in ("less", "step"):
                    rank = len(node.axes)
                    inner = [self._operand(one, rank) for one in condition.arguments]
                    if not all(one.plain for one in inner):
                        return self._function(name, [Code(self._condition(condition, inner)), u, v], plain)
            case (("maximum" | "minimum"), (u, v)) if u.plain and not plain:
                return self._function(name, [v, u], plain)
            case _ if name in table and name != "where":
                if not plain or name in _OF_NUMBERS:
                    return self._function(name, operands, plain)
        meaning = unfolded(node)
        if meaning is None:
            raise Unemittable(f"{node!r}: {name} where no argument has an axis; write its value")
        code = self._operand(stable(meaning), 0)
        return code.text, code.level

    def _condition(self, node: ex.Apply, operands: list[Code]) -> str:
        left, right = operands if node.function == "less" else (operands[0], Code("0"))
        return f"{left:sum} < {right:sum}" if node.function == "less" else f"{left:sum} > {right:sum}"

    def _function(self, name: str, operands: list[Code], plain: bool) -> tuple[str, int]:
        text = f"math.{name}({operands[0]})" if plain else self._framework.functions[name].format(*operands)
        return text, SIGNED if text.startswith("-") else ATOM

    def _call(self, node: ex.Call) -> Code:
        name, first = node.function, node.arguments[0]
        rank = len(first.axes)
        axes = tuple(place - rank for place in node.positions)
        arguments = [self._operand(one, rank) for one in node.arguments]
        if name != "dot" or any(one.thin or one.plain for one in arguments):
            arguments[0] = self.full(first)
        module, table = self._framework.module, self._framework.named
        if name == "softmax" and len(arguments) > 1:
            if node.arguments[1].axes:
                raise Unemittable(f"{node!r}: a slack with axes; write exp(x)/(C + sum(exp(x)))")
            return Code(f"softmax_with_slack({', '.join(one.text for one in arguments)}, {_axis(axes)})")
        if name == "norm" and len(axes) > 2:
            return Code(f"{module}.sqrt(({arguments[0]:atom} ** 2).sum({_axis(axes)}))")
        if name not in table:
            meaning = unfolded(node)
            if meaning is None:
                raise Unemittable(f"{node!r}: {self._framework.name} has no {name}")
            return self.code(stable(meaning))
        if self._framework.name == "torch" and name in ("softmax", "log_softmax") and len(axes) > 1:
            return Code(f"{name}_over({arguments[0]}, {_axis(axes)})")
        return Code(table[name].format(*arguments, axis=_axis(axes)))

    def _product(self, left: ex.Expression, right: ex.Expression) -> Code:
        a, b = self.full(left), self.full(right)
        ranks = len(left.axes), len(right.axes)
        if ranks == (2, 2):
            return Code(f"{a.at(SIGNED)} @ {b.at(SIGNED)}", MATMUL)
        if ranks == (1, 1):
            return Code(f"({a:product} * {b:product}).sum(-1)")
        letters = _LETTERS[: sum(ranks) - 1]
        own, other = letters[: ranks[0]], letters[ranks[0] - 1 :]
        module = self._framework.module
        return Code(f'{module}.einsum("...{own},...{other}->...{own[:-1]}{other[1:]}", {a}, {b})')

    def _entry(self, code: Code, terms: tuple[ex.IndexTerm, ...]) -> Code:
        for rank, term in zip(range(len(terms) - 1, -1, -1), reversed(terms), strict=True):
            match term:
                case ex.Numbered(value, _):
                    code = Code(f"{code.at(ATOM)}[..., {value - 1}]")
                case ex.Chosen(label, inner) if all(isinstance(one, ex.Numbered) for one in inner):
                    chosen = self._entry(Code(self.input(label)), inner)
                    code = Code(f"pick({code}, {_dimensions(chosen, [None] * rank)})")
                case _:
                    raise Unemittable("an index that runs has no array form: write sums, @, outer, rows and cols")
        return code


def _dimensions(code: Code, places: list[int | None]) -> Code:
    """Code with new dimensions of size 1 where there is None; the others stay in order."""
    if None not in places:
        return code
    if places[0] is None and all(place is None for place in places):
        index = ", ".join(["..."] + ["None"] * len(places))
    elif None in places[: _last(places) + 1]:
        index = ", ".join(["...", *("None" if place is None else ":" for place in places)])
    else:
        index = ", ".join(["..."] + ["None"] * (len(places) - 1 - _last(places)))
    return Code(f"{code.at(ATOM)}[{index}]")


def _last(places: list[int | None]) -> int:
    """Where the last dimension stands that is not new."""
    return max(at for at, place in enumerate(places) if place is not None)


def _axis(axes: tuple[int, ...]) -> str:
    return str(axes[0]) if len(axes) == 1 else str(axes)


def _number(value: Fraction) -> Code:
    if value.denominator == 1:
        text = str(value.numerator) if abs(value.numerator) < 2**53 else repr(float(value))
    elif Fraction(str(float(value))) == value:
        text = str(float(value))
    else:
        return Code(f"{value.numerator} / {value.denominator}", PRODUCT, plain=True)
    return Code(text, SIGNED if text.startswith("-") else ATOM, plain=True)


def _times(roots: tuple[ex.Expression, ...]) -> Counter[ex.Expression]:
    """How often each expression stands in another one or is asked for."""
    found: Counter[ex.Expression] = Counter()

    def look(node: ex.Expression) -> None:
        found[node] += 1
        if found[node] == 1:
            for child in node.children:
                look(child)

    for root in roots:
        look(root)
    return found


def _worth_a_name(node: ex.Expression) -> bool:
    match node:
        case ex.Number() | ex.Size() | ex.Variable() | ex.Identity() | ex.Spread() | ex.Definition():
            return False
        case ex.Transpose(argument) | ex.Apply("negative", (argument,)):
            return not isinstance(argument, ex.Variable | ex.Definition)
    return True
