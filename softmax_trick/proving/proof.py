"""Whether the gradient that torch code computes is the gradient of what it computes, for every size."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from fractions import Fraction
from itertools import islice, product
from random import Random
from typing import Any, NoReturn

import flint
import sympy
import torch
from torch import Tensor

from softmax_trick.deciding.decision import Decision, decide_where, fitted_sides
from softmax_trick.deciding.points import least_sizes
from softmax_trick.language.expression import (
    Chosen,
    Expression,
    Index,
    IndexTerm,
    LanguageError,
    Numbered,
    Variable,
    gradient,
    vjp,
)
from softmax_trick.proving import normalisations, pointwise, reductions, shapes  # noqa: F401 - the readings enter themselves
from softmax_trick.proving.inputs import Declared, Dims, Input, read_inputs
from softmax_trick.proving.points import Ambiguous, Recorded, Sample, chosen, nested, sample
from softmax_trick.proving.reader import NoReading, Reader
from softmax_trick.proving.result import Counterexample, Finding, Proof
from softmax_trick.proving.target import Target, TargetError, bind, run
from softmax_trick.proving.tracing import (
    Line,
    Meta,
    Operation,
    Recorder,
    Ref,
    SizeFixed,
    Trace,
    TracingError,
    line_of,
    operations_of,
    recorded,
    sympy_of,
    trace,
)
from softmax_trick.proving.values import Indices, Real, Value, flat
from softmax_trick.readings.enclosure import Enclosure
from softmax_trick.readings.pointwise import Point, Undefined

DEPTH = 100_000  # of recursion: expressions are as deep as the code is long
CHECKED_ENTRIES = 3  # of each operation, in the self-check
CLOSE = 1e-8  # how far torch in float64 may be from the enclosure of a reading, relative to 1 and the value
GAP = 1e-5  # a counterexample differs by more than rounding explains
TRIES = 14  # points that are tried at each choice of sizes
SMALL = ((2,), (2, 3), (3, 2), (2, 3, 4, 2, 3))  # sizes of counterexamples, of the axes in order
CHECK_SIZES = (3, 4, 2, 5)

REMEDY = "softmax_trick.testing.check_loss samples what cannot be proved"


def prove_gradient(
    function: Any,
    inputs: str,
    *,
    like: str | None = None,
    second: bool = True,
    name: str = "",
    second_until: float = float("inf"),
) -> Proof:
    """Whether the backward pass of torch code is the gradient of its forward pass, for every size.

    The code is traced, forward and backward; each operation is read as an expression over axes; and it is decided
    whether the backward pass is grad_output times the gradient of the forward pass, over the reals.

    Args:
        function: a function from tensors to a tensor, an `autograd.Function`, or a module.
        inputs: what it takes: "scores: n,K; targets: label n of K; gamma = 2"; see `softmax_trick.proving.inputs`.
        like: a formula in the names of the inputs, which value and gradient are compared with besides.
        second: whether the second derivatives through the backward pass are looked at, too.
        name: what the function is called in messages.
        second_until: when second derivatives are given up (time.perf_counter); in the main thread only.

    Raises:
        DeclarationError: `inputs` has no meaning.
        TargetError: the function fails, returns no tensor, changes its inputs or takes others.
        LanguageError: `like` is no formula in the names of the inputs.
    """
    begin = time.perf_counter()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, DEPTH))
    try:
        return _Prover(bind(function, read_inputs(inputs), name), like, second, begin, second_until).proof()
    finally:
        sys.setrecursionlimit(limit)


class _Prover:
    def __init__(self, target: Target, like: str | None, second: bool, begin: float, until: float) -> None:
        self._target, self._like, self._second, self._begin, self._until = target, like, second, begin, until
        self._declared = target.declared
        self._notes: list[str] = []

    # --- the whole ---

    def proof(self) -> Proof:
        formula = None if self._like is None else _formula(self._like, self._declared)
        try:
            return self._proof(formula)
        except SizeFixed as error:
            return self._with_fixed_sizes(error, formula)

    def _with_fixed_sizes(self, error: SizeFixed, formula: Expression | None) -> Proof:
        """The code goes another way at other sizes: then what is said is for one size."""
        declared = self._declared
        fixed = {axis: 3 for axis in error.fixed if axis in declared.axes}
        for axis, size in fixed.items():
            line = error.fixed[axis]
            where = f" at {line}" if line else ""
            self._notes.append(
                f"the code turns the size {axis} into a number{where}: what is said is for {axis} = {size}"
            )
        given = {**declared.given, **fixed}
        axes = tuple(axis for axis in declared.axes if axis not in fixed)
        self._declared = Declared(declared.inputs, declared.numbers, given, axes)
        self._target = Target(self._target.name, self._target.call, self._declared, self._target.parameters)
        return self._proof(formula)

    def _proof(self, formula: Expression | None) -> Proof:
        value = run(self._target, self._leaves(self._declared.traced_sizes()))
        findings: list[Finding] = []
        second: list[Finding] = []
        conditions: dict[str, None] = {}
        scope = ""
        try:
            case = _Case(self._target, value, order=1)
        except _NoGradient as error:
            return self._result("", (Finding("gradient", "undecided", str(error)),), (), {})
        except TracingError as error:
            return self._result("", self._untraced(error), (), {})
        findings += case.findings(formula)
        if case.may_be_unbounded and "undecided" in [finding.verdict for finding in findings]:
            again = case.without_small_bounds()
            others = again.findings(formula)
            if all(finding.verdict == "proved" for finding in others):
                bounds = [one for one in again.conditions if one not in case.conditions]
                findings = [_only_where(finding, bounds) for finding in findings]
        scope = case.scope if any(finding.verdict == "proved" for finding in findings) else ""
        self._notes += case.notes
        conditions |= case.conditions
        if self._second and all(finding.verdict == "proved" for finding in findings):
            second = self._second_findings(value)
        return self._result(scope, tuple(findings), tuple(second), conditions)

    def _second_findings(self, value: Tensor) -> list[Finding]:
        try:
            with _within(self._until):
                case = _Case(self._target, value, order=2)
                found = case.second_findings()
                scope = case.scope if any(finding.verdict == "proved" for finding in found) else ""
                return [replace(finding, scope=scope) for finding in found]
        except _OutOfTime:
            return [Finding("second derivative", "undecided", "the time limit was reached")]
        except _NoGradient as error:
            return [Finding("second derivative", "undecided", str(error))]
        except TracingError as error:
            where = f" at {error.line}" if error.line else ""
            return [Finding("second derivative", "undecided", f"{error}{where}")]

    def _untraced(self, error: TracingError) -> tuple[Finding, ...]:
        where = f"\n  at {error.line}" if error.line else ""
        return (Finding("gradient", "undecided", f"{error}{where}\n  {REMEDY}"),)

    def _result(
        self, scope: str, findings: tuple[Finding, ...], second: tuple[Finding, ...], conditions: Mapping[str, None]
    ) -> Proof:
        readings = {one.name: str(one) for one in self._declared.inputs}
        readings |= {name: str(number) for name, number in self._declared.numbers.items()}
        seconds = time.perf_counter() - self._begin
        notes = tuple(dict.fromkeys(self._notes))
        return Proof(self._target.name, readings, scope, findings, second, tuple(conditions), notes, seconds=seconds)

    def _leaves(self, sizes: Mapping[str, int]) -> list[Tensor]:
        return leaves(self._declared, sizes)


def _only_where(finding: Finding, bounds: list[str]) -> Finding:
    """Of what is open on the whole domain, that it is proved on a part of it."""
    if finding.verdict == "proved":
        return finding
    return replace(finding, reason=f"proved only where {' and '.join(bounds)}; elsewhere: {finding.reason}")


class _OutOfTime(BaseException):
    """The time for second derivatives is over; nothing on the way catches it."""


@contextmanager
def _within(until: float) -> Iterator[None]:
    """Work that is interrupted at a time (time.perf_counter); only in the main thread of a process.

    Raises:
        _OutOfTime: the time has come.
    """
    if until == float("inf"):
        yield
        return

    def ring(*_: Any) -> NoReturn:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(until - time.perf_counter(), 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _NoGradient(Exception):
    """The value has no gradient at all."""


def leaves(declared: Declared, sizes: Mapping[str, int], seed: int = 1) -> list[Tensor]:
    """Generic inputs; those with entries of real numbers are differentiated."""
    tensors = sample(declared, sizes, seed, simple=False).tensors
    for one, tensor in zip(declared.inputs, tensors, strict=True):
        if one.is_differentiated:
            tensor.requires_grad_()
    return tensors


def _formula(text: str, declared: Declared) -> Expression:
    """The formula, its names declared as the inputs are."""
    from softmax_trick.language.grammar import read

    kinds = []
    for one in declared.inputs:
        axes = ",".join(one.axes)
        match one.kind:
            case "label":
                kinds.append(f"{one.name}: {axes + ' ' if axes else ''}label {one.into}")
            case "mask":
                continue
            case "distribution":
                kinds.append(f"{one.name}: {axes} distribution over {one.into}")
            case _:
                kinds.append(f"{one.name}: {axes} {'' if one.kind == 'real' else one.kind}".strip())
    for name, number in declared.numbers.items():
        kinds.append(f"{name} = {Fraction(str(number))}")
    kinds += [f"{axis} = {size}" for axis, size in declared.given.items() if not axis.isdigit()]
    names = {one.name for one in declared.inputs}
    statement = read(text, let="; ".join(kinds))
    found = statement.expressions[0]
    unknown = sorted({one.name for one in found.variables} - names)
    if unknown:
        raise LanguageError(f"{', '.join(unknown)} in --like is no input: the inputs are {', '.join(sorted(names))}")
    return found


# --- one order of derivatives -----------------------------------------------------------------------------------------


class _Case:
    """The traced code and its readings: of the first derivatives, or of the second."""

    def __init__(self, target: Target, value: Tensor, order: int) -> None:
        self._target, self._declared, self._order = target, target.declared, order
        self._by = [n for n, one in enumerate(self._declared.inputs) if one.is_differentiated]
        self._output_shape = value.shape
        self._missing: list[int] = []
        self._modules: dict[Any, torch.fx.GraphModule] = {}
        self._recorder = Recorder()
        self.notes: list[str] = []
        if not value.requires_grad:
            raise _NoGradient(
                f"{target.name} returns a tensor without a gradient: its inputs are detached, or it works without "
                "autograd"
            )
        self._output_dims = self._dims_of_output()
        self._trace = self._traced()
        self._failure: NoReading | None = None
        self._reader = self._read(frozenset())
        self._checked = "" if self._failure else self._self_check(self._reader)

    @property
    def may_be_unbounded(self) -> bool:
        """Whether something is clamped at a small bound."""
        return self._failure is None and self._reader.has_small_bounds

    def without_small_bounds(self) -> _Case:
        """The same, read where what is clamped at a small bound exceeds it."""
        other = copy(self)
        other._reader = other._read(frozenset(), unbounded=True)
        other._checked = "" if other._failure else other._self_check(other._reader)
        return other

    # --- tracing ---

    def _dims_of_output(self) -> Dims:
        """The axes of the value, found by its shape at two choices of sizes."""
        declared = self._declared
        sizes = declared.traced_sizes()
        by_size = {size: axis for axis, size in reversed(sizes.items())}
        dims: list[tuple[str, ...]] = []
        for size in self._output_shape:
            if size == 1:
                dims.append(())
            elif size in by_size:
                dims.append((by_size[size],))
            else:
                found = _factors(size, sizes)
                if found is None:
                    found = (str(size),)
                dims.append(found)
        return tuple(dims)

    def _extra(self) -> list[tuple[str, Dims]]:
        """Further inputs of the trace: grad_output, and for second derivatives a direction for each gradient."""
        found = [("grad_output", self._output_dims)]
        if self._order == 2:
            found += [(f"v_{self._declared.inputs[n].name}", self._declared.inputs[n].dims) for n in self._by]
        return found

    def _make(self, sizes: Mapping[str, int]) -> list[Tensor]:
        tensors = leaves(self._declared, sizes)
        literal = {axis: int(axis) for _, dims in self._extra() for axis in flat(dims) if axis.isdigit()}
        for _, dims in self._extra():
            shape = [_product(dim, {**literal, **sizes}) for dim in dims]
            tensors.append(torch.rand(shape, dtype=torch.float64) + 0.5)
        if self._order == 2:
            tensors[len(self._declared.inputs)].requires_grad_()
        return tensors

    def _joint(self, *tensors: Tensor) -> list[Tensor]:
        count = len(self._declared.inputs)
        inputs, extra = tensors[:count], tensors[count:]
        value = self._target.call(*inputs)
        if isinstance(value, tuple | list):
            value = value[0]
        by = [inputs[n] for n in self._by]
        self._recorder.backward = True
        grads = torch.autograd.grad(value, by, extra[0], allow_unused=True, create_graph=self._order == 2)
        self._missing = [n for n, grad in zip(self._by, grads, strict=True) if grad is None]
        found = [value, *(grad for grad in grads if grad is not None)]
        if self._order == 2:
            given = [(g, v) for g, v in zip(grads, extra[1:], strict=True) if g is not None]
            self._constant = [n for n, g in zip(self._by, grads, strict=True) if g is not None and not g.requires_grad]
            inner = sum((g * v).sum() for g, v in given)
            if not isinstance(inner, Tensor) or not inner.requires_grad:
                raise _NoGradient("the gradient is a constant of autograd's graph: a second derivative is silently 0")
            again = torch.autograd.grad(inner, [*by, extra[0]], allow_unused=True)
            self._missing_again = [n for n, grad in enumerate(again) if grad is None]
            found += [grad for grad in again if grad is not None]
        return found

    def _traced(self) -> Trace:
        declared = self._declared
        dims = [*(one.dims for one in declared.inputs), *(dims for _, dims in self._extra())]
        choices = [declared.traced_sizes(skip) for skip in (0, 1, 2)]
        try:
            return trace(self._joint, self._recorder, self._make, dims, declared.axes, choices)
        except (TracingError, SizeFixed, _NoGradient):
            raise
        except Exception as error:
            raise TracingError(_why_not(error), line_of(error)) from error

    # --- reading ---

    def _read(self, held: frozenset[int], unbounded: bool = False) -> Reader:
        extra = [Real(Variable(name, flat(dims)), dims) for name, dims in self._extra()]
        reader = Reader(self._trace, self._declared, extra, held, unbounded)
        try:
            reader.read()
        except NoReading as error:
            self._failure = error
        return reader

    @property
    def conditions(self) -> dict[str, None]:
        """Where the operations have the meaning that they are read with."""
        found = dict(self._reader.conditions)
        for condition, line in self._trace.conditions:
            text = _open_condition(condition)
            if text:
                found[text + (f" ({line.short})" if line else "")] = None
        return found

    @property
    def _given(self) -> dict[str, int]:
        """The sizes that are given, literal ones among them."""
        found = dict(self._declared.given)
        for value in self._reader.values:
            for one in value if isinstance(value, tuple | list) else (value,):
                if isinstance(one, Real | Indices):
                    found |= {axis: int(axis) for axis in flat(one.dims) if axis.isdigit()}
        return found

    def _value(self, place: int) -> Real:
        ref = self._trace.results[place]
        found = self._reader.values[ref.number]
        if not isinstance(found, Real):
            raise NoReading(self._trace.operations[ref.number], "it is no tensor of real numbers")
        if found.infinite:
            self._reader.operation = self._trace.operations[ref.number]
            self._reader.condition("no entry of the result is masked")
        return Real(found.expression, found.dims)

    # --- the self-check ---

    def _self_check(self, reader: Reader) -> str:
        """Every reading against torch, at sampled entries; "" if all agree, else what does not."""
        sizes, found = self._check_sizes(), "at no point that was tried were the largest entries distinct"
        for seed in range(1, 8):
            inputs = sample(self._declared, sizes, seed, simple=False)
            tensors, values = self._extended(inputs, seed)
            outputs = self._run(tensors, inputs.sizes)
            try:
                more = values | chosen(reader.opaque, self._trace, outputs, {**self._given, **sizes})
            except Ambiguous:
                continue
            point = inputs.point(more, self._given)
            try:
                wrong = _compared(reader, self._trace, outputs, Enclosure(point), point)
                if wrong:
                    return f"a reading disagrees with torch, please report it: {wrong}"
                self._must_do_again(tensors, outputs)
                return ""
            except Ambiguous as error:
                found = str(error) or found
        return found

    def _must_do_again(self, tensors: Sequence[Tensor], outputs: Sequence[Any]) -> None:
        """The user's own code has to return what was recorded of it.

        Raises:
            Ambiguous: it returns something else; where pieces meet, it may.
        """
        close = CLOSE * _unit(self._trace)
        for ref, tensor in zip(self._trace.results, self._run_code(tensors) or [], strict=False):
            one = outputs[ref.number]
            if one.shape != tensor.shape or not torch.allclose(one, tensor.detach(), close, close, equal_nan=True):
                raise Ambiguous("the code does not do again what it did when it was recorded")

    def _run_code(self, tensors: Sequence[Tensor]) -> list[Tensor] | None:
        """What the user's own code returns: value and gradients; None if it fails."""
        count = len(self._declared.inputs)
        own = [tensor.clone() for tensor in tensors]
        for n in self._by:
            own[n].requires_grad_()
        if self._order == 2:
            own[count].requires_grad_()
        try:
            return self._joint(*own)
        except Exception:
            return None
        finally:
            self._recorder.backward = False

    def _check_sizes(self) -> dict[str, int]:
        if self._trace.tracing == "family":
            return self._declared.traced_sizes()
        least = self._least()
        free = dict(zip(self._declared.axes, [*CHECK_SIZES, *CHECK_SIZES], strict=False))
        return {**self._declared.given, **{axis: max(size, least.get(axis, 1)) for axis, size in free.items()}}

    def _least(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for value in self._reader.values:
            for one in value if isinstance(value, tuple | list) else (value,):
                if isinstance(one, Real):
                    for axis, size in least_sizes(one.expression).items():
                        found[axis] = max(found.get(axis, 1), size)
        return found

    def _extended(self, inputs: Sample, seed: int, simple: bool = False) -> tuple[list[Tensor], dict[str, Any]]:
        """The inputs with grad_output and directions, as tensors and as fractions."""
        chance = Random(seed)
        tensors, values = list(inputs.tensors), {}
        sizes = {**self._given, **inputs.sizes}
        for name, dims in self._extra():
            axes = [sizes[axis] if axis in sizes else int(axis) for axis in flat(dims)]
            count = 1
            for size in axes:
                count *= size
            pool = [Fraction(1 + seed % 2)] if simple and not axes else [Fraction(n, 8) for n in (3, 5, 8, 9, 12, -7)]
            pool = [Fraction(n) for n in (1, 2, 3)] if simple and axes else pool
            drawn = [chance.choice(pool) for _ in range(count)]
            shape = [_product(dim, sizes) for dim in dims]
            tensors.append(torch.tensor([float(one) for one in drawn], dtype=torch.float64).reshape(shape))
            values[name] = nested(drawn, axes)
        return tensors, values

    def _run(self, tensors: Sequence[Tensor], sizes: Mapping[str, int]) -> list[Any]:
        """The output of each operation; where sizes were fixed, of the code as traced at these."""
        module = self._trace.module
        if self._trace.tracing == "family" and sizes != self._declared.traced_sizes():
            key = tuple(sizes.items())
            if key not in self._modules:
                self._modules[key] = recorded(self._joint, self._make(sizes), "fake", self._recorder)[1]
            module = self._modules[key]
            if [one.name for one in operations_of(module, sympy_of)] != [one.name for one in self._trace.operations]:
                raise Ambiguous
        interpreter = Recorded(module)
        with torch.no_grad():
            interpreter.run(*tensors)
        return interpreter.outputs

    # --- scope ---

    @property
    def scope(self) -> str:
        """For which sizes it is said."""
        if self._failure is not None:
            return ""
        least = self._least()
        parts = []
        for axis in self._declared.axes:
            low = least.get(axis, 1)
            if low == 1 and not self._holds_at_one(axis):
                low = 2
            parts.append(f"{axis} >= {low}")
        fixed = [f"{axis} = {size}" for axis, size in self._declared.given.items() if not axis.isdigit()]
        every = f"for every {', '.join(parts)}" if parts else ""
        both = " and " if parts and fixed else ""
        text = f"{every}{both}{'for ' if fixed else ''}{', '.join(fixed)}" or "for all values"
        if self._trace.tracing == "family":
            text += " at which the same operations are recorded"
        return text

    def _holds_at_one(self, axis: str) -> bool:
        """Whether all holds where a size is 1, too."""
        if self._order == 1 and self._trace.tracing == "symbolic":
            return self._decided_at_one(axis)
        sizes = {**self._declared.traced_sizes(), axis: 1}
        try:
            _, module = recorded(self._joint, self._make(sizes), "fake", self._recorder)
        except Exception:
            return False
        if _same_operations(self._trace, list(operations_of(module, sympy_of)), sizes):
            return True
        return self._order == 1 and self._decided_at_one(axis)

    def _decided_at_one(self, axis: str) -> bool:
        """Whether all is proved where a size is 1, too: there torch takes other paths."""
        if any(one.kind == "distribution" and one.into == axis for one in self._declared.inputs):
            return False
        inputs = tuple(
            replace(one, dims=tuple(tuple(a for a in dim if a != axis) for dim in one.dims))
            for one in self._declared.inputs
        )
        given = {**self._declared.given, axis: 1}
        declared = Declared(inputs, self._declared.numbers, given, tuple(a for a in self._declared.axes if a != axis))
        target = Target(self._target.name, self._target.call, declared, self._target.parameters)
        try:
            value = run(target, leaves(declared, declared.traced_sizes()))
            case = _Case(target, value, order=1)
            return case._missing == self._missing and all(one.verdict == "proved" for one in case.findings(None))
        except (TargetError, TracingError, SizeFixed, _NoGradient, NoReading):
            return False

    # --- deciding ---

    def findings(self, formula: Expression | None) -> list[Finding]:
        """The statements about first derivatives, and about the value if there is a formula."""
        if self._failure is not None:
            return self._unread(formula)
        if self._checked:
            return [Finding("gradient", "undecided", self._checked)]
        self._note_family()
        value = self._value(0)
        grad_output = Variable("grad_output", flat(self._output_dims))
        found = []
        if formula is not None:
            found.append(self._decided("value", value.expression, formula, None))
        place = 1
        for n in self._by:
            one = self._declared.inputs[n]
            wanted = _vjp(value.expression, one, grad_output)
            if n in self._missing:
                found.append(self._absent(one, value))
                continue
            got = self._value(place)
            found.append(self._decided(f"gradient by {one.name}", got.expression, wanted, n, place))
            if formula is not None:
                other = _vjp(formula, one, grad_output)
                found.append(self._decided(f"gradient by {one.name}, of the formula", got.expression, other, n, place))
            place += 1
        return found

    def _note_family(self) -> None:
        if self._trace.tracing == "family":
            for axis, line in self._trace.fixed.items():
                where = f" at {line}" if line else ""
                self.notes.append(
                    f"the code turns the size {axis} into a number{where}: traced at three sizes, each number is "
                    "solved for"
                )

    def _absent(self, one: Input, value: Real) -> Finding:
        what = f"gradient by {one.name}"
        if one.name not in {variable.name for variable in value.expression.variables}:
            return Finding(what, "proved", "the value does not depend on it")
        return Finding(
            what,
            "undecided",
            f"the code gives none, though the value depends on {one.name}; if it is held constant on purpose, declare "
            f"'{one.name}: {','.join('*'.join(d) or '1' for d in one.dims) or 'scalar'} constant'",
        )

    def _decided(self, what: str, got: Expression, wanted: Expression, by: int | None, place: int = 0) -> Finding:
        try:
            left, right = fitted_sides(got, wanted)
        except LanguageError as error:
            return Finding(what, "undecided", f"the shapes differ: {error}")
        try:
            decision = self._decision(left, right)
        except (RuntimeError, ValueError, ArithmeticError) as error:
            return Finding(what, "undecided", f"the reduction failed: {type(error).__name__}: {error}; {REMEDY}")
        if decision.verdict == "proved":
            return Finding(what, "proved")
        witness = self._counterexample(left, right, by, place)
        if witness is not None:
            return Finding(what, "refuted", self._detached(by, place), witness)
        reason = decision.reason or "the canonical forms differ, and no counterexample was confirmed in the code"
        return Finding(what, "undecided", f"{reason}; {REMEDY}")

    def _decision(self, left: Expression, right: Expression) -> Decision:
        """First for every size, which is short where given sizes are written out; then for those that are given."""
        if any(size > 1 for size in self._given.values()):
            decision = decide_where(left, right, {axis: 1 for axis, size in self._given.items() if size == 1}, ())
            if decision.verdict == "proved":
                return decision
        return decide_where(left, right, self._given, ())

    def _detached(self, by: int | None, place: int) -> str:
        """Whether the gradient is right if what is detached counts as a constant."""
        if by is None or self._order != 1:
            return ""
        held = frozenset(
            n
            for n, one in enumerate(self._trace.operations)
            if one.name == "aten.detach.default" and not one.backward and one.line and _says_detach(one.line)
        )
        if not held:
            return ""
        line = self._trace.operations[min(held)].line
        reader, outside = self._reader, self._failure
        try:
            self._reader = self._read(held)
            value, got = self._value(0), self._value(place)
            grad_output = Variable("grad_output", flat(self._output_dims))
            wanted = _vjp(value.expression, self._declared.inputs[by], grad_output)
            right = decide_where(*fitted_sides(got.expression, wanted), self._given, ()).verdict == "proved"
        except (NoReading, LanguageError):
            return ""
        finally:
            self._reader, self._failure = reader, outside
        return f"right only if what is detached at {line} is held constant" if right else ""

    def _unread(self, formula: Expression | None) -> list[Finding]:
        """Nothing is proved where an operation has no reading; but a counterexample may be found."""
        failure = self._failure
        operation = failure.operation  # type: ignore[union-attr]
        where = f"\n  at {operation.line}" if operation.line else ""
        name = operation.name.removeprefix("aten.").split(".")[0]
        return [
            Finding("gradient", "undecided", f"torch's {name} is not read: {failure}{where}\n  {REMEDY}"),
        ]

    # --- counterexamples ---

    def _counterexample(self, got: Expression, wanted: Expression, by: int | None, place: int) -> Counterexample | None:
        """A point of small numbers at which the user's code returns something else than it should."""
        best = None
        for sizes, seed, scale in self._points():
            simple = seed < TRIES // 2
            inputs = sample(self._declared, sizes, seed, simple, scale)
            tensors, values = self._extended(inputs, seed, simple=True)
            try:
                found = self._look(got, wanted, by, place, inputs, tensors, values)
            except (Ambiguous, Undefined, RuntimeError):
                continue
            if found is not None:
                best = found
                break
        return best

    def _points(self) -> Iterator[tuple[dict[str, int], int, int]]:
        least = self._least()
        patterns = []
        for pattern in SMALL:
            sizes = {
                axis: max(pattern[n % len(pattern)], least.get(axis, 1)) for n, axis in enumerate(self._declared.axes)
            }
            patterns.append({**self._declared.given, **sizes})
        seen = []
        for seed in range(TRIES):
            for sizes in patterns:
                scale = (1, 1, 1, 4)[seed % 4]
                if (sizes, seed) not in seen:
                    seen.append((sizes, seed))
                    yield sizes, seed, scale

    def _look(
        self,
        got: Expression,
        wanted: Expression,
        by: int | None,
        place: int,
        inputs: Sample,
        tensors: list[Tensor],
        values: dict[str, Any],
    ) -> Counterexample | None:
        more = dict(values)
        sizes = {**self._given, **inputs.sizes}
        if self._reader.opaque:
            more |= chosen(self._reader.opaque, self._trace, self._run(tensors, inputs.sizes), sizes)
        actual = self._actual(tensors, by, place)
        if actual is None or not bool(torch.isfinite(actual).all()):
            return None
        point = inputs.point(more, self._given)
        enclosure = Enclosure(point)
        axes = wanted.axes or got.axes
        shape = [sizes[axis] if axis in sizes else int(axis) for axis in axes]
        if actual.numel() != _product(tuple(map(str, shape)), {str(s): s for s in shape}):
            return None
        actual = actual.reshape(shape)
        for position in islice(product(*(range(1, size + 1) for size in shape)), 64):
            try:
                right = enclosure.entry(wanted, position if wanted.axes else ())
                read = enclosure.entry(got, position if got.axes else ())
            except Undefined:
                continue
            entry = float(actual[tuple(one - 1 for one in position)])
            exact, reading = _middle(right), _middle(read)
            scale, unit = 1 + abs(exact), _unit(self._trace)
            if abs(exact - entry) > GAP * unit * scale and abs(reading - entry) < CLOSE * unit * (scale + abs(entry)):
                if flint.arb(right).overlaps(flint.arb(read)):
                    continue
                shown = self._shown(inputs, tensors)
                return Counterexample(
                    dict(inputs.sizes), shown, tuple(one - 1 for one in position), f"{exact:.10g}", f"{entry:.10g}"
                )
        return None

    def _shown(self, inputs: Sample, tensors: Sequence[Tensor]) -> dict[str, Any]:
        names = [one.name for one in self._declared.inputs] + [name for name, _ in self._extra()]
        return {name: _plain(tensor.tolist()) for name, tensor in zip(names, tensors, strict=True)}

    def _actual(self, tensors: Sequence[Tensor], by: int | None, place: int) -> Tensor | None:
        """What the user's own code returns: its value, or a gradient."""
        found = self._run_code(tensors)
        return None if found is None else found[place].detach()

    # --- second derivatives ---

    def second_findings(self) -> list[Finding]:
        """The statements about second derivatives: of <gradient, v>, by each input."""
        if self._failure is not None:
            name = self._failure.operation.name.removeprefix("aten.").split(".")[0]
            line = self._failure.operation.line
            where = f" at {line}" if line else ""
            return [Finding("second derivative", "undecided", f"torch's {name} is not read: {self._failure}{where}")]
        if self._checked:
            return [Finding("second derivative", "undecided", self._checked)]
        given = [n for n in self._by if n not in self._missing]
        inner: Expression | None = None
        for place, n in enumerate(given, 1):
            one = self._declared.inputs[n]
            grad = self._value(place).expression
            v = Variable(f"v_{one.name}", flat(one.dims))
            from softmax_trick.language.functions import dot

            part = grad * v if not v.axes else dot(grad if grad.axes else _spread_all(grad, v.axes), v)
            inner = part if inner is None else inner + part
        found = []
        place = 1 + len(given)
        for k, name in enumerate([*(self._declared.inputs[n].name for n in self._by)]):
            n = self._by[k]
            one = self._declared.inputs[n]
            wanted = gradient(inner, one.variable)  # type: ignore[arg-type]
            what = f"second derivative by {name}"
            if k in self._missing_again:
                decision = decide_where(wanted, _spread_all(_zero(), wanted.axes), self._given, ())
                if decision.verdict == "proved":
                    found.append(Finding(what, "proved", "it is 0"))
                elif decision.verdict == "refuted":
                    reason = "autograd gives none, though the gradient depends on it: it is silently 0"
                    found.append(Finding(what, "refuted", reason))
                else:
                    found.append(Finding(what, "undecided", "autograd gives none"))
                continue
            got = self._value(place)
            found.append(self._decided(what, got.expression, wanted, n, place))
            place += 1
        return found


def _zero() -> Expression:
    from softmax_trick.proving.values import ZERO

    return ZERO


def _spread_all(expression: Expression, axes: Sequence[str]) -> Expression:
    from softmax_trick.language.expression import Spread

    for place, axis in enumerate(axes):
        expression = Spread(expression, axis, place)
    return expression


def _vjp(value: Expression, one: Input, grad_output: Variable) -> Expression:
    if not grad_output.axes:
        scaled = gradient(value, one.variable)
        return scaled * grad_output
    if not value.axes:
        value = _spread_all(value, grad_output.axes)
    return vjp(value, one.variable, grad_output)


def _says_detach(line: Line) -> bool:
    return any(word in line.text for word in ("detach", ".data", "no_grad"))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value == int(value):
        return int(value)
    return value


def _middle(ball: Any) -> float:
    return float(flint.arb(ball).mid())


def _product(dim: Sequence[str], sizes: Mapping[str, int]) -> int:
    total = 1
    for axis in dim:
        total *= sizes[axis] if axis in sizes else int(axis)
    return total


def _factors(size: int, sizes: Mapping[str, int]) -> tuple[str, ...] | None:
    """The axes whose sizes multiply to a size."""
    found: list[str] = []
    for axis, one in sizes.items():
        if one > 1 and size % one == 0:
            found.append(axis)
            size //= one
    return tuple(found) if size == 1 else None


def _why_not(error: BaseException) -> str:
    """In words, why a function cannot be traced."""
    text = str(error)
    kind = type(error).__name__
    if "DataDependent" in kind or "data-dependent" in text or "GuardOnData" in kind:
        return "the code branches on the values of a tensor, or turns one into a Python number"
    if "DynamicOutputShape" in kind:
        return "the code chooses entries by their values, so that their number depends on the data"
    if "UnsupportedOperator" in kind or "fake impl" in text:
        return f"an operator that torch cannot trace: {text.splitlines()[0][:160]}"
    first = text.strip().splitlines()[0][:200] if text.strip() else ""
    return f"torch cannot trace it: {kind}: {first}"


def _open_condition(condition: sympy.Basic) -> str:
    """A condition on sizes in words; "" if it holds for all sizes from 2."""
    shifted = condition
    for symbol in condition.free_symbols:
        shifted = shifted.subs(symbol, 2 + sympy.Symbol(f"{symbol}_", integer=True, nonnegative=True))
    return "" if sympy.simplify(shifted) == sympy.true else str(condition)


def _same_operations(found: Trace, other: Sequence[Operation], sizes: Mapping[str, int]) -> bool:
    """Whether a trace, at given sizes, is another one operation by operation."""
    values = {symbol: sizes[axis] for symbol, axis in found.symbols.items()}
    left, right = list(_plain_operations(found.operations, values)), list(_plain_operations(other, {}))
    return left == right


def _plain_operations(operations: Sequence[Operation], values: Mapping[Any, int]) -> Iterator[Any]:
    kept = [n for n, one in enumerate(operations) if one.outputs is not None or one.name == "input"]
    renumbered = {n: place for place, n in enumerate(kept)}

    def at(argument: Any) -> Any:
        match argument:
            case Ref(number):
                return ("ref", renumbered.get(number))
            case Meta(shape):
                return tuple(at(size) for size in shape)
            case tuple() | list():
                return tuple(map(at, argument))
            case dict():
                return tuple((key, at(one)) for key, one in argument.items())
            case sympy.Basic():
                found = argument.subs(values)
                return float(found) if found.is_number else str(found)
            case bool() | str() | None:
                return argument
            case int() | float():
                return float(argument)
        return str(argument)

    for n in kept:
        one = operations[n]
        yield one.name, at(one.arguments), at(one.options), at(one.outputs)


def _unit(found: Trace) -> float:
    """How much coarser than float64 the coarsest numbers in a trace are, roughly."""
    metas = [meta for one in found.operations for meta in _metas(one.outputs)]
    types = {meta.dtype for meta in metas if meta.dtype.is_floating_point}
    return 1e6 if types & {torch.float16, torch.bfloat16} else 1e3 if torch.float32 in types else 1.0


def _metas(outputs: Any) -> list[Meta]:
    return [one for one in (outputs if isinstance(outputs, tuple) else (outputs,)) if isinstance(one, Meta)]


# --- the self-check ---------------------------------------------------------------------------------------------------


def _compared(reader: Reader, found: Trace, outputs: Sequence[Any], enclosure: Enclosure, point: Point) -> str:
    chance, close = Random(7), CLOSE * _unit(found)
    for number, (value, output) in enumerate(zip(reader.values, outputs, strict=True)):
        several = value if isinstance(value, tuple | list) else (value,)
        results = output if isinstance(output, tuple | list) else (output,)
        for one, tensor in zip(several, results, strict=False):
            if not isinstance(one, Real | Indices) or not isinstance(tensor, Tensor):
                continue
            wrong = _differs(one, tensor, enclosure, point, chance, Ref(number) in found.results, close)
            if wrong:
                operation = found.operations[number]
                where = f" at {operation.line.short}" if operation.line else ""
                return f"{operation.name}{where}: {wrong}"
    return ""


def _differs(
    value: Value, tensor: Tensor, enclosure: Enclosure, point: Point, chance: Random, is_result: bool, close: float
) -> str:
    sizes = point.sizes
    shape = [_product(dim, sizes) for dim in value.dims]
    if list(tensor.shape) != shape:
        return f"it has the shape {tuple(tensor.shape)}, read as {tuple(shape)}"
    axes = [sizes[axis] if axis in sizes else int(axis) for axis in flat(value.dims)]
    entries = tensor.detach().double().reshape(axes)
    places = [tuple(chance.randint(1, size) for size in axes) for _ in range(CHECKED_ENTRIES)]
    for position in dict.fromkeys(places):
        actual = float(entries[tuple(one - 1 for one in position)])
        is_finite = actual == actual and actual not in (float("inf"), float("-inf"))
        if not is_finite and not is_result:
            continue
        try:
            read = _entry(value, position, enclosure, point)
        except Undefined:
            continue
        if not is_finite:
            if read is not None:
                raise Ambiguous(f"the result's entry {position} is {actual}, read as {read}")
            continue
        if read is None:
            return f"entry {position} is {actual}, read as infinite"
        if abs(read - actual) > close * (1 + abs(actual)):
            return f"entry {position} is {actual}, read as {read}"
    return ""


def _entry(value: Value, position: tuple[int, ...], enclosure: Enclosure, point: Point) -> float | None:
    def at(expression: Expression) -> float:
        return _middle(enclosure.entry(expression, position if expression.axes else ()))

    if isinstance(value, Real):
        if any(at(where) == 1 for where, _ in value.infinite):
            return None
        return at(value.expression)
    for where, term in value.cases:
        if at(where) == 1:
            return float(term if isinstance(term, int) else _place(term, position, point) - 1)
    return None


def _place(term: IndexTerm, position: tuple[int, ...], point: Point) -> int:
    match term:
        case Index(name):
            return position[int(name[1:])]
        case Numbered(number):
            return number
        case Chosen(label, inner):
            return int(point.value(label, tuple(_place(one, position, point) for one in inner)))
    raise TypeError(f"no place of {term!r}")
