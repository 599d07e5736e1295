"""What torch executes, forward and backward, as a list of operations whose sizes are symbols.

`make_fx(tracing_mode="symbolic")` records the operations of aten around `torch.autograd.grad`; a second pass under
`functionalize` removes in-place writes and aliases. Where the code turns a size into a number (`len(t)`,
`F.one_hot(t, K)`), the symbol is lost: then the code is traced at three choices of sizes, the same operations are
demanded, and each number that differs is solved for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import sympy
import torch
from torch import Tensor, fx
from torch.func import functionalize
from torch.fx.experimental import proxy_tensor

Tracing = Literal["symbolic", "fake"]
_OWN = str(Path(__file__).parent)
_TORCH = str(Path(torch.__file__).parent)


DECOMPOSED = (
    "native_group_norm", "native_group_norm_backward", "native_batch_norm", "native_batch_norm_backward",
    "_native_batch_norm_legit", "_native_batch_norm_legit_functional", "mish_backward", "glu", "glu_backward",
    "hardswish", "hardswish_backward", "hardsigmoid", "hardsigmoid_backward", "celu", "selu", "softshrink",
    "hardshrink", "unfold", "multilabel_margin_loss_forward", "masked_scatter",
    "std", "std_mean", "cosine_embedding_loss", "linalg_vector_norm_backward", "trace", "frac", "count_nonzero",
)  # fmt: skip


class TracingError(Exception):
    """The code cannot be traced; the message says why.

    Attributes:
        line: the line of the user's code at which it could not.
    """

    def __init__(self, message: str, line: Line | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Line:
    """A line of source."""

    file: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.number}" + (f": {self.text}" if self.text else "")

    @property
    def short(self) -> str:
        """Without its text."""
        return f"{Path(self.file).name}:{self.number}"


@dataclass(frozen=True)
class Ref:
    """An operand: the output of an earlier operation."""

    number: int


@dataclass(frozen=True)
class Meta:
    """What is known of an output: its sizes, and what kind of numbers it has."""

    shape: tuple[sympy.Expr, ...]
    dtype: torch.dtype


@dataclass
class Operation:
    """One operation of aten.

    Attributes:
        name: "aten.add.Tensor"; "input", "constant" or "getitem" besides.
        arguments: operands, sizes as SymPy expressions, numbers, and lists of these.
        options: the same, by keyword.
        outputs: what is known of the output; several where it returns several; None for a number.
        line: the line of the user's code, if known.
        backward: whether it belongs to the backward pass.
        value: of a constant, its value.
    """

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    outputs: Meta | tuple[Meta | None, ...] | None
    line: Line | None
    backward: bool
    value: Any = None


@dataclass
class Trace:
    """What was recorded.

    Attributes:
        operations: in order.
        results: the operations that are returned: the value, then the gradients.
        symbols: the axis that each symbol is the size of.
        conditions: on sizes, by the names of the axes, under which the code takes the same path, with the line.
        fixed: axes whose size the code turned into a number, with the line, if known.
        module: the recorded code, which can be run.
        tracing: "symbolic", or "family" for the traces at several sizes.
    """

    operations: list[Operation]
    results: list[Ref]
    symbols: dict[sympy.Symbol, str]
    conditions: list[tuple[sympy.Basic, Line | None]]
    fixed: dict[str, Line | None]
    module: fx.GraphModule
    tracing: Literal["symbolic", "family"] = "symbolic"
    names: list[str] = field(default_factory=list)


def user_line(frame: FrameType | None) -> Line | None:
    """The innermost frame of the user's code, which ours calls; None for what autograd does by itself."""
    while frame is not None and not frame.f_code.co_filename.startswith(_OWN):
        line = user_line_of_frame(frame, frame.f_lineno)
        if line is not None:
            return line
        frame = frame.f_back
    return None


def is_in_torch(frame: FrameType | None) -> bool:
    """Whether a frame is torch's, or is called by torch."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_TORCH):
            return True
        frame = frame.f_back
    return False


def line_of(error: BaseException) -> Line | None:
    """The innermost line of code that is neither torch's nor ours, of a traceback; the one that has no syntax."""
    if isinstance(error, SyntaxError) and error.filename:
        return Line(error.filename, error.lineno or 0, (error.text or "").strip())
    found = None
    trace = error.__traceback__
    while trace is not None:
        found = user_line_of_frame(trace.tb_frame, trace.tb_lineno) or found
        trace = trace.tb_next
    return found


def user_line_of_frame(frame: FrameType, number: int) -> Line | None:
    """The line of one frame, unless it is torch's or ours."""
    import linecache

    file = frame.f_code.co_filename
    if file.startswith((_OWN, _TORCH, "<")) or "importlib" in file:
        return None
    return Line(file, number, linecache.getline(file, number).strip())


class Recorder:
    """Notes, for each node of the graph under construction, the user's line and whether the backward pass has begun."""

    def __init__(self) -> None:
        self.backward = False
        self.replayed: fx.Node | None = None  # in the second pass, the node of the first that is under way

    def attach(self) -> None:
        """Listen to the graph that is being recorded."""
        mode = proxy_tensor.get_proxy_mode()
        if mode is None:
            return
        graph = mode.tracer.graph
        create = graph.create_node

        def create_node(*args: Any, **options: Any) -> fx.Node:
            node = create(*args, **options)
            if self.replayed is not None:
                node.meta["user_line"] = self.replayed.meta.get("user_line")
                node.meta["is_backward"] = self.replayed.meta.get("is_backward", False)
            else:
                node.meta["user_line"] = user_line(sys._getframe(1))
                node.meta["is_backward"] = self.backward
            return node

        graph.create_node = create_node  # type: ignore[method-assign]


class _Replay(fx.Interpreter):
    def __init__(self, module: fx.GraphModule, recorder: Recorder) -> None:
        super().__init__(module)
        self._recorder = recorder

    def run_node(self, n: fx.Node) -> Any:
        self._recorder.replayed = n
        return super().run_node(n)


def recorded(
    joint: Callable[..., Any], tensors: Sequence[Tensor], mode: Tracing, recorder: Recorder
) -> tuple[fx.GraphModule, fx.GraphModule]:
    """The graph as recorded, and without in-place writes and aliases."""

    def first(*args: Tensor) -> Any:
        recorder.backward, recorder.replayed = False, None
        recorder.attach()
        return joint(*args)

    graph = proxy_tensor.make_fx(first, tracing_mode=mode)(*tensors)

    if not any(_needs_a_second_pass(node) for node in graph.graph.nodes):
        return graph, graph

    def again(*args: Tensor) -> Any:
        return _Replay(graph, recorder).run(*args)

    def second(*args: Tensor) -> Any:
        recorder.attach()
        return functionalize(again)(*args)

    plain = [tensor.detach() for tensor in tensors]
    with torch.no_grad():
        return graph, proxy_tensor.make_fx(second, _decompositions(), tracing_mode=mode)(*plain)


def _needs_a_second_pass(node: fx.Node) -> bool:
    """Whether an operation writes in place, or is one that torch itself writes in simpler ones."""
    schema = getattr(node.target, "_schema", None)
    return (schema is not None and schema.is_mutable) or node.target in _decompositions()


@cache
def _decompositions() -> dict[Any, Any]:
    """Operations that torch itself writes in simpler ones."""
    from torch._decomp import get_decompositions

    aten = torch.ops.aten
    return get_decompositions([getattr(aten, name) for name in DECOMPOSED if hasattr(aten, name)])


def trace(
    joint: Callable[..., Any],
    recorder: Recorder,
    make: Callable[[Mapping[str, int]], Sequence[Tensor]],
    dims: Sequence[tuple[tuple[str, ...], ...]],
    axes: Sequence[str],
    choices: Sequence[Mapping[str, int]],
) -> Trace:
    """Record a function, symbolically, or at several sizes where it fixes one.

    Args:
        joint: the function: inputs to value and gradients.
        recorder: told when the backward pass begins.
        make: tensors for it, at given sizes.
        dims: the axes of each dimension of each of these.
        axes: the axes whose sizes are free.
        choices: sizes; at the first is traced symbolically.
    """
    first, module = recorded(joint, make(choices[0]), "symbolic", recorder)
    given = {axis: size for axis, size in choices[0].items() if axis not in axes}
    found = _symbolic(first, module, dims, axes, given)
    if not found.fixed:
        return found
    return _family(joint, recorder, make, axes, choices, found)


# --- symbolic ---------------------------------------------------------------------------------------------------------


def _symbolic(
    first: fx.GraphModule,
    module: fx.GraphModule,
    dims: Sequence[tuple[tuple[str, ...], ...]],
    axes: Sequence[str],
    given: Mapping[str, int],
) -> Trace:
    fixed: dict[str, Line | None] = {}
    conditions: list[tuple[sympy.Basic, Line | None]] = []
    symbols: dict[sympy.Symbol, str] = {}
    for graph in (first, module):
        symbols = {}
        equations: dict[str, sympy.Expr] = {}
        merged: dict[sympy.Symbol, tuple[str, ...]] = {}
        for node, shape in zip((n for n in graph.graph.nodes if n.op == "placeholder"), dims, strict=True):
            for size, dim in zip(node.meta["val"].shape, shape, strict=True):
                expression = sympy_of(size)
                if len(dim) == 1:
                    equations.setdefault(dim[0], expression)
                    if isinstance(expression, sympy.Symbol):
                        symbols[expression] = dim[0]
                elif isinstance(expression, sympy.Symbol):
                    merged[expression] = dim
        for dim in merged.values():
            for axis in dim:
                if axis not in equations and axis in axes:
                    equations[axis] = sympy.Symbol(axis, positive=True, integer=True)
                    symbols[equations[axis]] = axis
        products: dict[sympy.Symbol, sympy.Expr] = {
            whole: sympy.Mul(*(equations.get(axis, sympy.Integer(given.get(axis, 0) or 1)) for axis in dim))
            for whole, dim in merged.items()
        }
        for symbol in [symbol for symbol, axis in symbols.items() if axis in given]:
            products[symbol] = sympy.Integer(given[symbols.pop(symbol)])
        for axis in axes:
            if not isinstance(equations.get(axis), sympy.Symbol):
                fixed.setdefault(axis, None)
        guards = getattr(graph.shape_env, "guards", ())
        for guard in guards:  # of a size that is given
            if isinstance(guard.expr, sympy.Eq) and guard.expr.lhs.is_Symbol and guard.expr.lhs not in symbols:
                products.setdefault(guard.expr.lhs, guard.expr.rhs)
        for guard in guards:
            line = _line_of_guard(guard)
            named = guard.expr.subs(products).subs({s: sympy.Symbol(axis) for s, axis in symbols.items()})
            names = {symbol.name for symbol in named.free_symbols}
            for axis in fixed:
                if axis in names or not names & set(axes):
                    fixed[axis] = fixed[axis] or line
            conditions.append((named, line))

    def number(size: Any) -> Any:
        found = sympy_of(size)
        return found.subs(products) if products and isinstance(found, sympy.Basic) else found

    return Trace(list(operations_of(module, number)), _results(module), symbols, conditions, fixed, module)


def _line_of_guard(guard: Any) -> Line | None:
    where = getattr(guard.sloc, "user_loc", None) or getattr(guard.sloc, "maybe_user_loc", None)
    frame = where or getattr(guard.sloc, "framework_loc", None)
    if frame is None or not hasattr(frame, "filename") or frame.filename.startswith((_TORCH, _OWN)):
        return None
    return Line(frame.filename, frame.lineno, (frame.line or "").strip())


def sympy_of(size: Any) -> Any:
    """A size or a number of the trace: symbols as SymPy expressions, all else as it is."""
    if isinstance(size, torch.SymInt | torch.SymFloat | torch.SymBool):
        return sympy.sympify(size.node.expr) if not isinstance(size.node.expr, int) else sympy.Integer(size.node.expr)
    return sympy.Integer(size) if isinstance(size, int) and not isinstance(size, bool) else size


def _results(module: fx.GraphModule) -> list[Ref]:
    numbers = {node: n for n, node in enumerate(n for n in module.graph.nodes if n.op != "output")}
    output = next(node for node in module.graph.nodes if node.op == "output")
    return [Ref(numbers[node]) for node in output.args[0]]


def operations_of(module: fx.GraphModule, number: Callable[[Any], Any]) -> Iterator[Operation]:
    """The operations of a graph."""
    numbers: dict[fx.Node, int] = {}

    def read(argument: Any) -> Any:
        match argument:
            case fx.Node():
                value = argument.meta.get("val")
                if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool | int | float):
                    return number(value)
                return Ref(numbers[argument])
            case list() | tuple():
                return tuple(map(read, argument))
        return number(argument)

    for node in module.graph.nodes:
        if node.op == "output":
            break
        value, constant = node.meta.get("val"), None
        name, arguments, options = str(node.target), (), {}
        if node.op == "placeholder":
            name = "input"
        elif node.op == "get_attr":
            name, constant = "constant", getattr(module, node.target)
            value = constant
        else:
            if node.target.__name__ == "getitem" and "aten" not in name:
                name = "getitem"
            elif "aten" not in name and "prims" not in name:
                name = node.target.__name__
            arguments, options = tuple(map(read, node.args)), {key: read(one) for key, one in node.kwargs.items()}
        numbers[node] = len(numbers)
        outputs: Any = None
        if isinstance(value, Tensor):
            outputs = _meta(value, number)
        elif isinstance(value, list | tuple):
            outputs = tuple(_meta(one, number) if isinstance(one, Tensor) else None for one in value)
        yield Operation(
            name, arguments, options, outputs, node.meta.get("user_line"), node.meta.get("is_backward", False), constant
        )


def _meta(value: Tensor, number: Callable[[Any], Any]) -> Meta:
    return Meta(tuple(number(size) for size in value.shape), value.dtype)


# --- at several sizes -------------------------------------------------------------------------------------------------


def _family(
    joint: Callable[..., Any],
    recorder: Recorder,
    make: Callable[[Mapping[str, int]], Sequence[Tensor]],
    axes: Sequence[str],
    choices: Sequence[Mapping[str, int]],
    lost: Trace,
) -> Trace:
    """One trace out of those at several sizes: every number as an expression in the sizes."""
    symbols = {sympy.Symbol(axis, positive=True, integer=True): axis for axis in axes}
    found: list[tuple[fx.GraphModule, list[Operation]]] = []
    for sizes in choices:
        _, module = recorded(joint, make(sizes), "fake", recorder)
        found.append((module, list(operations_of(module, sympy_of))))
        if [one.name for one in found[-1][1]] != [one.name for one in found[0][1]]:
            raise SizeFixed(lost.fixed)
    solve = _Solver(symbols, choices)
    merged = []
    for operations in zip(*(ops for _, ops in found), strict=True):
        one = operations[0]
        try:
            merged.append(
                Operation(
                    one.name,
                    solve([o.arguments for o in operations]),
                    solve([o.options for o in operations]),
                    solve([o.outputs for o in operations]),
                    one.line,
                    one.backward,
                    solve([o.value for o in operations]) if one.name == "constant" else None,
                )
            )
        except _Unsolved as error:
            raise TracingError(f"{one.name} has the numbers {error}, which follow from no size", one.line) from error
    module = found[0][0]
    return Trace(merged, _results(module), symbols, [], lost.fixed, module, "family")


class SizeFixed(Exception):
    """The traces at several sizes differ in their operations: the size is fixed for good."""

    def __init__(self, fixed: dict[str, Line | None]) -> None:
        super().__init__()
        self.fixed = fixed


class _Unsolved(Exception):
    """Numbers of several traces that no expression in the sizes gives."""


class _Solver:
    """Finds what a number is, in terms of the sizes, from its values at several choices of them."""

    def __init__(self, symbols: Mapping[sympy.Symbol, str], choices: Sequence[Mapping[str, int]]) -> None:
        self._choices = choices
        monomials: list[sympy.Expr] = list(symbols)
        monomials += [a * b for a, b in combinations_with_replacement(symbols, 2)]
        monomials += [a * b * c for a, b, c in combinations_with_replacement(symbols, 3)]
        self._candidates = [(one, self._values(one, symbols)) for one in monomials]
        shifted = [one + by for one in symbols for by in (-1, 1)]
        self._of_reals = [*self._candidates, *((one, self._values(one, symbols)) for one in shifted)]
        logs = [(sympy.log(one), self._values(sympy.log(one), symbols)) for one in symbols]
        roots = [(sympy.sqrt(one), self._values(sympy.sqrt(one), symbols)) for one in symbols]
        self._irrational = logs + roots

    def _values(self, one: sympy.Expr, symbols: Mapping[sympy.Symbol, str]) -> list[Any]:
        found = [one.subs({s: sizes[axis] for s, axis in symbols.items()}) for sizes in self._choices]
        return [Fraction(int(v.p), int(v.q)) if v.is_Rational else float(v) for v in found]

    def __call__(self, values: list[Any]) -> Any:
        one = values[0]
        if isinstance(one, Tensor):
            if all(torch.equal(one, other) for other in values[1:]):
                return one
            raise _Unsolved(", ".join(str(value.tolist())[:40] for value in values))
        if isinstance(one, tuple | list):
            return tuple(self(list(items)) for items in zip(*values, strict=True))
        if isinstance(one, dict):
            return {key: self([value[key] for value in values]) for key in one}
        if isinstance(one, Meta):
            return Meta(self([value.shape for value in values]), one.dtype)
        if all(value == one for value in values):
            return one
        if isinstance(one, sympy.Integer):
            return self._integer([Fraction(int(value)) for value in values])
        if isinstance(one, float):
            return self._real(values)
        raise _Unsolved(", ".join(map(str, values)))

    def _integer(self, values: list[Fraction]) -> sympy.Expr:
        for expression, at in self._candidates:
            shift, ratio = values[0] - at[0], values[0] / at[0]
            if abs(shift) <= 2 and all(v - a == shift for v, a in zip(values, at, strict=True)):
                return expression + int(shift)
            if all(v == ratio * a for v, a in zip(values, at, strict=True)):
                return expression * sympy.Rational(ratio.numerator, ratio.denominator)
        raise _Unsolved(", ".join(map(str, values)))

    def _real(self, values: list[float]) -> sympy.Expr:
        for expression, at in self._of_reals:
            for sign in (1, -1):
                ratios = [v / float(a) ** sign for v, a in zip(values, at, strict=True)]
                if max(ratios) - min(ratios) <= 1e-14 * abs(ratios[0]):
                    return sympy.Float(ratios[0], 17) * expression**sign
        for expression, at in self._irrational:
            for sign in (1, -1):
                ratios = [v / float(a) ** sign for v, a in zip(values, at, strict=True)]
                if max(ratios) - min(ratios) <= 1e-14 * abs(ratios[0]):
                    return sympy.Float(ratios[0], 17) * expression**sign
        raise _Unsolved(", ".join(map(str, values)))
