"""The operations of a trace, read one after the other as expressions of the language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log, pi
from typing import Any, Literal

import sympy
import torch

from softmax_trick.language.expression import (
    Apply,
    Call,
    Chosen,
    Comprehension,
    Delta,
    Entry,
    Expression,
    Index,
    Number,
    Spread,
    Variable,
)
from softmax_trick.proving.inputs import Declared, Dims
from softmax_trick.proving.tracing import Line, Meta, Operation, Ref, Trace
from softmax_trick.proving.values import (
    ONE,
    ZERO,
    Indices,
    Real,
    Unreadable,
    Value,
    apply,
    flat,
    number,
    own_indices,
    refuse,
    size_number,
)

READINGS: dict[str, Callable[..., Any]] = {}
"""How each operation of aten is read: from the reader and the operation's arguments to a value, or several."""

MOST_PIECES = 8  # of a piecewise value that is compared
SAME_ENTRIES = (
    "expand",
    "view",
    "_unsafe_view",
    "unsqueeze",
    "squeeze",
    "detach",
    "alias",
    "clone",
    "_to_copy",
    "reshape",
)


def reads(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a reading for operations of aten."""

    def enter(reading: Callable[..., Any]) -> Callable[..., Any]:
        READINGS.update({f"aten.{name}": reading for name in names})
        return reading

    return enter


class NoReading(Exception):
    """An operation that has no reading.

    Attributes:
        operation: the operation.
    """

    def __init__(self, operation: Operation, why: str) -> None:
        super().__init__(why)
        self.operation = operation


@dataclass(frozen=True)
class Opaque:
    """A variable that stands for what an operation chooses: the place of a largest entry, or where a mask is set.

    A statement that is proved with it is proved for any choice.

    Attributes:
        variable: the variable.
        operation: the number of the operation.
        kind: "largest", "smallest" (places of the operand's entries), "mask" or "held" (the operation's own value).
        dims: of a place, the dimensions of the operand; else those of the value.
        place: of a place, which axis of the operand it is a place along.
        reduced: of a place, the axes of the operand that are reduced, by place.
    """

    variable: Variable
    operation: int
    kind: Literal["largest", "smallest", "mask", "held"]
    dims: Dims
    place: int = 0
    reduced: tuple[int, ...] = ()


class Reader:
    """Reads a trace.

    Args:
        trace: the trace.
        declared: what the function takes.
        output: the dimensions of the function's value, which grad_output has, too; None before they are known.
        held: operations whose value is taken as a variable, whatever it is.
        unbounded: whether norms and the like are read as larger than the small bounds that they are clamped at.

    Attributes:
        values: the value of each operation, so far.
        opaque: the variables for what operations choose.
        extremes: those for the places of largest and smallest entries, by operation.
        rounded: what is rounded already, by how and which operand.
        triangles: the masks of triangles, by which and of what dimensions.
        conditions: where the operations have the meaning that they are read with.
        has_small_bounds: whether there are any such bounds.
        assumed: operations that are read as what they are on a part of the domain, and not held against torch.
    """

    def __init__(
        self,
        trace: Trace,
        declared: Declared,
        extra: Sequence[Value],
        held: frozenset[int] = frozenset(),
        unbounded: bool = False,
    ) -> None:
        self.trace, self.declared, self._held, self.unbounded = trace, declared, held, unbounded
        self.has_small_bounds = False
        self.values: list[Any] = []
        self.assumed: set[int] = set()
        self.opaque: list[Opaque] = []
        self.conditions: dict[str, None] = {}
        self.operation: Operation = None  # type: ignore[assignment]
        self._extra = list(extra)
        self._order = list(declared.given) + list(declared.axes)
        self._axis_of_size = {size: axis for axis, size in reversed(declared.given.items()) if size > 1}
        self._symbols = {axis: symbol for symbol, axis in trace.symbols.items()}
        self._booleans: dict[int, Any] = {}
        self.extremes: dict[int, list[Opaque]] = {}
        self._extremes: dict[Any, list[Opaque]] = {}
        self.rounded: dict[Any, Real] = {}
        self.triangles: dict[Any, Real] = {}
        self._positive: dict[int, tuple[Expression, bool]] = {}
        self._piecewise: dict[int, tuple[Expression, bool]] = {}
        self._differentiated = {one.name for one in declared.inputs if one.is_differentiated}

    def read(self) -> list[Any]:
        """The value of every operation.

        Raises:
            NoReading: an operation has none.
        """
        inputs = iter([*map(self._input, self.declared.inputs), *self._extra])
        needed = _needed(self.trace)
        for place, operation in enumerate(self.trace.operations):
            self.operation = operation
            try:
                if operation.name == "input":
                    value = next(inputs)
                elif place not in needed:
                    value = None
                elif operation.name == "getitem":
                    several, which = operation.arguments
                    value = self.values[several.number][int(which)]
                elif operation.name == "constant":
                    value = self.constant(operation.value)
                elif operation.outputs is None:
                    value = None  # a size, or a number made of sizes: it stands in the operations that use it
                else:
                    value = self._read(operation)
                if place in self._held and isinstance(value, Real):
                    value = self.hold(value.dims)
            except Unreadable as error:
                raise NoReading(operation, str(error)) from error
            except NotImplementedError as error:
                raise NoReading(operation, f"it has no reading {error}") from error
            if isinstance(operation.outputs, Meta) and operation.outputs.dtype == torch.bool:
                self.declare_boolean(value)
            self.values.append(value)
        return self.values

    def declare_boolean(self, value: Any) -> None:
        """Note that a value is 0 or 1 everywhere."""
        self._booleans[id(value)] = value  # kept, so that its identity is not another's

    def is_boolean(self, value: Any) -> bool:
        """Whether a value is known to be 0 or 1 everywhere."""
        return id(value) in self._booleans

    def _read(self, operation: Operation) -> Any:
        reading = READINGS.get(operation.name)
        if reading is None:
            refuse("it has no reading")
        arguments = [self._argument(one) for one in operation.arguments]
        options = {
            key: self._argument(one)
            for key, one in operation.options.items()
            if key not in ("dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking", "implicit")
        }
        try:
            return reading(self, *arguments, **options)
        except (TypeError, IndexError) as error:
            raise Unreadable(f"with these arguments it has no reading ({error})") from error

    def _argument(self, argument: Any) -> Any:
        match argument:
            case Ref(place):
                return self.values[place]
            case tuple():
                return [self._argument(one) for one in argument]
        return argument

    def hold(self, dims: Dims) -> Real:
        """A variable for what the operation returns, which is taken as constant."""
        variable = Variable(f"held_{len(self.values)}", flat(dims))
        self.opaque.append(Opaque(variable, len(self.values), "held", dims))
        return Real(variable, dims)

    # --- inputs and constants ---

    def _input(self, one: Any) -> Value:
        dims = one.dims
        match one.kind:
            case "label":
                place: Any = Chosen(one.variable, own_indices(flat(dims)))
                if one.ignored is None:
                    return Indices(((ONE, place),), dims)
                kept = apply("step", Variable(f"{one.name}_kept", flat(dims)))
                return Indices(((kept, place), (apply("subtract", ONE, kept), one.ignored)), dims)
            case "mask":
                return Real(apply("step", one.variable), dims)
        return Real(one.variable, dims)

    def constant(self, tensor: torch.Tensor) -> Value:
        """A tensor that stands in the code."""
        if tensor.is_complex() or tensor.numel() > 256:
            refuse("a constant tensor with many entries")
        dims = self.dims([sympy.Integer(size) for size in tensor.shape])
        values = tensor.detach().reshape(-1).tolist()
        if tensor.numel() == 1 or len(set(values)) == 1:
            return self.uniform(values[0], dims, tensor.dtype)
        axes, indices = flat(dims), own_indices(flat(dims))
        from softmax_trick.proving.values import is_equal, tabulated

        def body(_: tuple[Index, ...]) -> Expression:
            total: Expression = ZERO
            for flat_place, value in enumerate(values):
                term = exact(value, tensor.dtype)
                rest = flat_place
                for index, axis in reversed(list(zip(indices, axes, strict=True))):
                    size = self.given(axis)
                    term = apply("multiply", is_equal(index, rest % size), term)
                    rest //= size
                total = apply("add", total, term)
            return total

        return Real(tabulated(dims, body), dims)

    def uniform(self, value: Any, dims: Dims, dtype: torch.dtype = torch.float64) -> Value:
        """A number in every entry."""
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            what = "nan" if value != value else "inf" if value > 0 else "-inf"
            return Real(ZERO, dims, ((ONE, what),))
        return Real(self.scalar(value, dtype), dims)

    def given(self, axis: str) -> int:
        """The size of an axis that is given.

        Raises:
            Unreadable: it is not.
        """
        if axis.isdigit():
            return int(axis)
        if axis not in self.declared.given:
            refuse(f"it needs the size {axis} to be a given number: declare '{axis} = 4'")
        return self.declared.given[axis]

    # --- sizes ---

    def size(self, axis: str) -> sympy.Expr:
        """The size of an axis, as the trace has it."""
        if axis.isdigit():
            return sympy.Integer(axis)
        if axis in self._symbols:
            return self._symbols[axis]
        return sympy.Integer(self.declared.given[axis])

    def axes_of(self, size: Any) -> tuple[str, ...]:
        """The axes whose sizes multiply to a size."""
        size = sympy.sympify(size)
        if size.is_Integer:
            if size == 1:
                return ()
            return (self._axis_of_size.get(int(size), str(int(size))),)
        found: list[str] = []
        for factor in sympy.Mul.make_args(size):
            base, exponent = factor.as_base_exp()
            if base.is_Integer and exponent == 1:
                found += self.axes_of(base)
            elif base in self.trace.symbols and exponent.is_Integer and exponent > 0:
                found += [self.trace.symbols[base]] * int(exponent)
            else:
                refuse(f"the size {self.in_words(size)} is no product of the declared ones")
        return tuple(sorted(found, key=lambda axis: self._order.index(axis) if axis in self._order else -1))

    def dims(self, shape: Sequence[Any]) -> Dims:
        """The dimensions of a shape."""
        return tuple(self.axes_of(size) for size in shape)

    def in_words(self, size: Any) -> str:
        """A size in the declared names."""
        return str(sympy.sympify(size).subs({s: sympy.Symbol(axis) for s, axis in self.trace.symbols.items()}))

    @property
    def shape(self) -> tuple[sympy.Expr, ...]:
        """The shape of what the operation returns first."""
        outputs = self.operation.outputs
        first = outputs if isinstance(outputs, Meta) else outputs[0]  # type: ignore[index]
        if first is None:
            refuse("it returns no tensor")
        return first.shape

    def regrouped(self, dims: Dims, shape: Sequence[Any]) -> Dims:
        """The same axes in the same order, as the dimensions of another shape."""
        axes = list(flat(dims))
        found = []
        for wanted in shape:
            taken: list[str] = []
            size: sympy.Expr = sympy.Integer(1)
            while size != wanted:
                if not axes:
                    refuse(self._divides(dims))
                taken.append(axes.pop(0))
                size = size * self.size(taken[-1])
            found.append(tuple(taken))
        if axes:
            refuse("it divides axes")
        return tuple(found)

    @staticmethod
    def _divides(dims: Dims) -> str:
        shape = " x ".join("*".join(dim) or "1" for dim in dims)
        return f"it divides {shape} otherwise than into its axes: declare the one that is divided as a product, as 4*m"

    def scalar(self, value: Any, dtype: torch.dtype = torch.float64) -> Expression:
        """A number of the trace, or made of sizes."""
        if isinstance(value, Real):
            return value.finite
        if isinstance(value, bool):
            return number(int(value))
        if isinstance(value, int | float):
            return exact(value, dtype)
        return self._formula(sympy.sympify(value))

    def _formula(self, value: sympy.Expr) -> Expression:
        if value.is_Integer:
            return number(int(value))
        if value.is_Rational:
            return number(Fraction(int(value.p), int(value.q)))
        if value.is_Float:
            return exact(float(value))
        if value in self.trace.symbols:
            return size_number(self.trace.symbols[value])
        name = type(value).__name__
        if value.is_Add or value.is_Mul:
            parts = [self._formula(one) for one in value.args]
            total = parts[0]
            for part in parts[1:]:
                total = apply("add" if value.is_Add else "multiply", total, part)
            return total
        if value.is_Pow or name in ("FloatPow", "PowByNatural"):
            return apply("power", self._formula(value.args[0]), self._formula(value.args[1]))
        if name in ("ToFloat", "Identity"):
            return self._formula(value.args[0])
        if name in ("FloatTrueDiv", "IntTrueDiv"):
            return apply("divide", self._formula(value.args[0]), self._formula(value.args[1]))
        if name == "log" or name.endswith("_log"):
            return apply("log", self._formula(value.args[0]))
        if name == "OpaqueUnaryFn_sqrt":
            return apply("sqrt", self._formula(value.args[0]))
        refuse(f"the number {self.in_words(value)} is no formula in the sizes")

    # --- comparisons ---

    def positive(self, left: Expression, right: Expression, or_equal: bool = False) -> Expression:
        """1 where left > right, else 0; `or_equal`: where left >= right.

        The two are compared piece by piece, since pieces may coincide on a region: relu(x) > 0 is x > 0.
        """
        total: Expression = ZERO
        for first, a in self._pieces(left):
            for second, b in self._pieces(right):
                total = apply(
                    "add", total, apply("multiply", apply("multiply", first, second), self._above(a, b, or_equal))
                )
        return total

    def _above(self, a: Expression, b: Expression, or_equal: bool) -> Expression:
        if a is b or (isinstance(a, Number) and isinstance(b, Number) and a.value == b.value):
            return ONE if or_equal else ZERO
        if not (isinstance(a, Number) and isinstance(b, Number)):
            self.condition("the two sides of the comparison differ")
        return apply("step", apply("subtract", a, b))

    def equal(self, left: Expression, right: Expression) -> Expression:
        """1 where two real numbers are equal: on a region, or of data that is not differentiated."""
        if isinstance(left, Number) and isinstance(right, Number):
            return ONE if left.value == right.value else ZERO
        if left is right:
            return ONE
        total: Expression = ZERO
        for first, a in self._pieces(left):
            for second, b in self._pieces(right):
                same = a is b or (isinstance(a, Number) and isinstance(b, Number) and a.value == b.value)
                if same:
                    total = apply("add", total, apply("multiply", first, second))
                elif not (isinstance(a, Number) and isinstance(b, Number)):
                    self.condition("the two sides of the comparison differ")
        return total

    def depends(self, *expressions: Expression) -> bool:
        """Whether one of them has an input by which is differentiated."""
        return any(one.name in self._differentiated for expression in expressions for one in expression.variables)

    def _pieces(self, expression: Expression) -> list[tuple[Expression, Expression]]:
        """Conditions that exclude each other, and what the expression is under each."""
        found = self._split(expression, 0)
        return found if len(found) <= MOST_PIECES else [(ONE, expression)]

    def _split(self, expression: Expression, depth: int) -> list[tuple[Expression, Expression]]:
        whole = [(ONE, expression)]
        if depth > 12 or not self.is_piecewise(expression):
            return whole
        match expression:
            case Apply("where", (condition, u, v)):
                found = [(apply("multiply", condition, c), leaf) for c, leaf in self._split(u, depth + 1)]
                rest = apply("subtract", ONE, condition)
                found += [(apply("multiply", rest, c), leaf) for c, leaf in self._split(v, depth + 1)]
            case Apply("subtract", (Number(), u)) if is_zero_or_one(u):
                found = [(c, apply("subtract", expression.arguments[0], leaf)) for c, leaf in self._split(u, depth + 1)]
            case _ if is_zero_or_one(expression) and not isinstance(expression, Number):
                return [(expression, ONE), (apply("subtract", ONE, expression), ZERO)]
            case Apply(function, arguments):
                cases: list[tuple[Expression, tuple[Expression, ...]]] = [(ONE, ())]
                for one in arguments:
                    pieces = self._split(one, depth + 1)
                    cases = [(apply("multiply", c, d), (*a, leaf)) for c, a in cases for d, leaf in pieces]
                    if len(cases) > MOST_PIECES:
                        return whole
                found = [(c, apply(function, *leaves)) for c, leaves in cases]
            case Spread(argument, axis, place):
                found = [
                    (_along(c, axis, place), _along(leaf, axis, place)) for c, leaf in self._split(argument, depth + 1)
                ]
            case Comprehension(indices, Entry(argument, terms)):

                def at(one: Expression) -> Expression:
                    return Comprehension(indices, Entry(one, terms)) if one.axes else one

                found = [(at(c), at(leaf)) for c, leaf in self._split(argument, depth + 1)]
            case _:
                return whole
        return found if len(found) <= MOST_PIECES else whole

    def is_piecewise(self, expression: Expression) -> bool:
        """Whether a condition on real numbers occurs in it."""
        known = self._piecewise.get(id(expression))
        if known is None:
            own = isinstance(expression, Delta)
            own = own or (
                isinstance(expression, Apply) and expression.function in ("step", "where", "abs", "sign", "maximum")
            )
            own = own or (isinstance(expression, Call) and expression.function == "max")
            known = (expression, own or any(self.is_piecewise(child) for child in expression.children))
            self._piecewise[id(expression)] = known
        return known[1]

    # --- what is chosen, and under which conditions ---

    def condition(self, text: str) -> None:
        """Note where the operation has the meaning that it is read with."""
        line: Line | None = self.operation.line
        where = f" at {line.short}" if line else f" ({self.operation.name})"
        self.conditions[f"{text}{where}"] = None

    def mask(self, dims: Dims) -> Real:
        """A variable for booleans that the operation decides."""
        variable = Variable(f"mask_{len(self.values)}", flat(dims))
        self.opaque.append(Opaque(variable, len(self.values), "mask", dims))
        return Real(apply("step", variable), dims)

    def extreme(self, value: Real, reduced: Sequence[int], kind: Literal["largest", "smallest"]) -> list[Chosen]:
        """The places of the largest entry along some axes, one for each, at the indices of the others."""
        axes = flat(value.dims)
        rest = tuple(axis for place, axis in enumerate(axes) if place not in reduced)
        key = (self.source(self.operation.arguments[0]), kind, axes, tuple(reduced))
        if key not in self._extremes:  # else of the same entries once more
            labels = [Variable(f"{kind}_{len(self.values)}_{p}", rest, "label", axes[p]) for p in reduced]
            self._extremes[key] = [
                Opaque(label, len(self.values), kind, value.dims, place, tuple(reduced))
                for label, place in zip(labels, reduced, strict=True)
            ]
            self.opaque += self._extremes[key]
        self.extremes[len(self.values)] = self._extremes[key]
        return [Chosen(one.variable, own_indices(rest)) for one in self._extremes[key]]

    def source(self, argument: Any) -> int | None:
        """The operation behind an operand, where nothing but shapes was changed."""
        while isinstance(argument, Ref):
            operation = self.trace.operations[argument.number]
            short = operation.name.removeprefix("aten.").split(".")[0]
            if short not in SAME_ENTRIES and not (short == "slice" and self._is_whole(argument.number)):
                return argument.number
            argument = operation.arguments[0]
        return None

    def _is_whole(self, place: int) -> bool:
        """Whether a slice leaves nothing out, as that of x[:, None] does: it is then read as what it is taken from."""
        return self.values[place] is self.values[self.trace.operations[place].arguments[0].number]

    def is_positive(self, expression: Expression) -> bool:
        """Whether an expression is seen to be positive everywhere."""
        known = self._positive.get(id(expression))
        if known is None:
            known = (expression, self._is_positive(expression))
            self._positive[id(expression)] = known
        return known[1]

    def _is_positive(self, expression: Expression) -> bool:
        every = self.is_positive
        match expression:
            case Number(value):
                return value > 0
            case Variable():
                return expression.kind == "positive"
            case Apply("exp" | "sigmoid" | "softplus"):
                return True
            case Apply("add", (u, v)):
                return (every(u) and self.is_nonnegative(v)) or (every(v) and self.is_nonnegative(u))
            case Apply("multiply" | "divide", arguments):
                return all(map(every, arguments))
            case Apply("power" | "sqrt", (u, *_)):
                return every(u)
            case Call("sum" | "softmax", arguments):
                return expression.function == "softmax" or every(arguments[0])
            case Spread(argument) | Comprehension(_, argument) | Entry(argument):
                return every(argument)
            case Apply("where", (_, u, v)):
                return every(u) and every(v)
        return type(expression).__name__ == "Size"

    def is_nonnegative(self, expression: Expression) -> bool:
        """Whether an expression is seen to be at least 0 everywhere."""
        if self.is_positive(expression):
            return True
        every = self.is_nonnegative
        match expression:
            case Number(value):
                return value >= 0
            case Variable():
                return expression.kind in ("nonnegative", "unit", "distribution")
            case Apply("step"):
                return True
            case Apply("power", (u, Number(value))):
                return value % 2 == 0 or every(u)
            case Apply("multiply", (u, v)) if u is v:
                return True
            case Apply("add" | "multiply" | "divide", arguments):
                return all(map(every, arguments))
            case Call("sum", arguments):
                return every(arguments[0])
            case Spread(argument) | Comprehension(_, argument) | Entry(argument):
                return every(argument)
        return False


def is_zero_or_one(expression: Expression) -> bool:
    """Whether an expression is seen to be 0 or 1 everywhere."""
    match expression:
        case Number(value):
            return value in (0, 1)
        case Delta() | Apply("step"):
            return True
        case Apply("multiply" | "where", arguments):
            return all(map(is_zero_or_one, arguments))
        case Apply("subtract", (Number(value), u)):
            return value == 1 and is_zero_or_one(u)
        case Comprehension(_, u) | Spread(u) | Entry(u):
            return is_zero_or_one(u)
    return False


def _needed(trace: Trace) -> set[int]:
    """The operations on which the results depend."""
    needed: set[int] = set()
    waiting = [one.number for one in trace.results]

    def look(argument: Any) -> None:
        match argument:
            case Ref(number):
                waiting.append(number)
            case tuple() | list():
                for one in argument:
                    look(one)

    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            look(trace.operations[number].arguments)
            look(tuple(trace.operations[number].options.values()))
    return needed


def _along(expression: Expression, axis: str, place: int) -> Expression:
    return Spread(expression, axis, place) if expression.axes else expression


def exact(value: Any, dtype: torch.dtype = torch.float64) -> Expression:
    """The number that a floating-point constant is meant to be: the simplest fraction that is rounded to it.

    0.1 is 1/10, 1/0.07 is 100/7, 0.1 in float32 is 1/10. A number with no simple fraction is what its decimals say.
    """
    if isinstance(value, bool | int):
        return number(int(value))
    value = float(value)
    if value != value or value in (float("inf"), float("-inf")):
        refuse("a constant that is no finite number")
    unit = 2.0**-23 if dtype in (torch.float32,) else 2.0**-51
    found = Fraction(value).limit_denominator(10_000)
    if abs(found - Fraction(value)) <= abs(Fraction(value)) * Fraction(unit):
        return number(found)
    square = Fraction(value * value).limit_denominator(1000)
    if square and abs(square - Fraction(value) ** 2) <= Fraction(value) ** 2 * Fraction(unit) * 4:
        root = apply("power", number(square), number(Fraction(1, 2)))
        return root if value > 0 else apply("multiply", number(-1), root)
    for exponent in (
        1,
        -1,
        2,
        -2,
    ):  # pi, as a power of normal_pdf(0) = 1/sqrt(2 pi): of multiples, and of roots of them
        ratio = value * (2 * pi) ** (exponent / 2)
        square = Fraction(ratio * ratio).limit_denominator(100)
        if square and abs(float(square) - ratio * ratio) <= ratio * ratio * unit * 4:
            root = apply("power", number(square), number(Fraction(1, 2)))
            factor = apply("power", apply("normal_pdf", number(0)), number(exponent))
            return apply("multiply", apply("multiply", number(1 if value > 0 else -1), root), factor)
    for base in (2, 10):
        ratio = Fraction(value / log(base)).limit_denominator(100)
        if ratio and abs(float(ratio) * log(base) - value) <= abs(value) * unit * 2:
            return apply("multiply", number(ratio), apply("log", number(base)))
        ratio = Fraction(value * log(base)).limit_denominator(100)
        if ratio and abs(float(ratio) / log(base) - value) <= abs(value) * unit * 2:
            return apply("divide", number(ratio), apply("log", number(base)))
    return number(Fraction(repr(value)))
