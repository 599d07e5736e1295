"""Code with its first derivatives, or its second ones, as one function: recorded once, and run again at any point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from random import Random
from typing import Any

import torch
from torch import Tensor

from softmax_trick.proving.branches import Branches, other_ways
from softmax_trick.proving.inputs import Dims, extent
from softmax_trick.proving.points import Ambiguous, Recorded, Sample, blanks, nested, sample
from softmax_trick.proving.target import Target
from softmax_trick.proving.tracing import (
    Line,
    Recorder,
    SizeFixed,
    Trace,
    TracingError,
    line_of,
    operations_of,
    recorded,
    sympy_of,
    trace,
)
from softmax_trick.proving.values import flat

BRANCHES = "the code branches on the values of a tensor, or turns one into a Python number"


class NoGradient(Exception):
    """The value has no gradient at all."""


class Recording:
    """The code and its derivatives, recorded.

    Args:
        target: the code.
        value: what it returns.
        order: 1, or 2 for the derivatives of <gradient, v> besides.

    Attributes:
        by: the inputs that it is differentiated by, by place.
        output_dims: the dimensions of its value.
        extra: what is put in besides the inputs: grad_output, and for second derivatives a v for each gradient.
        missing: the inputs by which autograd gives no gradient.
        missing_again: the places in `by` of those by which it gives no second derivative.
        trace: the operations; the conditions of `branches` are the last results.
        branches: of the branches on values that may go two ways: how they went, and where they stand.
        checks: where the other branches on values stand, whose other way is an error.

    Raises:
        NoGradient: the value has none.
        TracingError: the code cannot be recorded.
        SizeFixed: it does something else at other sizes.
    """

    def __init__(self, target: Target, value: Tensor, order: int) -> None:
        self.target, self.declared, self.order = target, target.declared, order
        if not value.requires_grad:
            raise NoGradient(
                f"{target.name} returns a tensor without a gradient: its inputs are detached, or it works without "
                "autograd"
            )
        self.by = [n for n, one in enumerate(self.declared.inputs) if one.is_differentiated]
        sizes = self.declared.traced_sizes()
        self.output_dims: Dims = tuple(_axes_of(size, sizes) for size in value.shape)
        self.extra = [("grad_output", self.output_dims)]
        if order == 2:
            self.extra += [(f"v_{self.declared.inputs[n].name}", self.declared.inputs[n].dims) for n in self.by]
        self.missing: list[int] = []
        self.missing_again: list[int] = []
        self._modules: dict[Any, torch.fx.GraphModule] = {}
        self._recorder = Recorder()
        self.branches: list[tuple[bool, Line | None]] = []
        self.checks: list[Line | None] = []
        self._taken, self._open = list[bool](), list[int]()
        self.trace = self._traced()

    # --- the function -------------------------------------------------------------------------------------------------

    def _recordable(self, *tensors: Tensor) -> list[Tensor]:
        """The same as `_joint`, with branches on values as they went, whose conditions are returned, too."""
        if not self._taken:
            return self._joint(*tensors)
        with Branches(self._taken) as branches:
            found = self._joint(*tensors)
        self.branches = [(self._taken[place], branches.lines[place]) for place in self._open]
        self.checks = [line for place, line in enumerate(branches.lines) if place not in self._open]
        return [*found, *(branches.conditions[place] for place in self._open)]

    def _joint(self, *tensors: Tensor) -> list[Tensor]:
        """Inputs and `extra` to the value, its gradients, and the second derivatives."""
        count = len(self.declared.inputs)
        inputs, extra = tensors[:count], tensors[count:]
        value = self.target.call(*inputs)
        if isinstance(value, tuple | list):
            value = value[0]
        by = [inputs[n] for n in self.by]
        self._recorder.backward = True
        grads = torch.autograd.grad(value, by, extra[0], allow_unused=True, create_graph=self.order == 2)
        self.missing = [n for n, grad in zip(self.by, grads, strict=True) if grad is None]
        found = [value, *(grad for grad in grads if grad is not None)]
        if self.order == 2:
            inner = sum((g * v).sum() for g, v in zip(grads, extra[1:], strict=True) if g is not None)
            if not isinstance(inner, Tensor) or not inner.requires_grad:
                raise NoGradient("the gradient is a constant of autograd's graph: a second derivative is silently 0")
            again = torch.autograd.grad(inner, [*by, extra[0]], allow_unused=True)
            self.missing_again = [n for n, grad in enumerate(again) if grad is None]
            found += [grad for grad in again if grad is not None]
        return found

    def _tensors(self, sizes: Mapping[str, int]) -> list[Tensor]:
        """Inputs of the function to be recorded at."""
        tensors = blanks(self.declared, sizes)
        tensors += [torch.zeros([extent(dim, sizes) for dim in dims], dtype=torch.float64) for _, dims in self.extra]
        if self.order == 2:
            tensors[len(self.declared.inputs)].requires_grad_()
        return tensors

    def _traced(self) -> Trace:
        dims = [*(one.dims for one in self.declared.inputs), *(dims for _, dims in self.extra)]
        choices = [self.declared.traced_sizes(choice) for choice in (0, 1, 2)]
        try:
            return trace(self._recordable, self._recorder, self._tensors, dims, self.declared.axes, choices)
        except (TracingError, SizeFixed, NoGradient):
            raise
        except Exception as error:
            why = _why_not(error)
            if why != BRANCHES or self._taken or not self._takes_branches():
                raise TracingError(why, line_of(error)) from error
        return self._traced()

    def _takes_branches(self) -> bool:
        """Note which branches on values are taken at generic inputs; whether there are any."""

        def run() -> None:
            inputs = sample(self.declared, self.declared.traced_sizes(), 1, simple=False)
            *tensors, grad_output = self.extended(inputs, 1)[0][: len(inputs.tensors) + 1]
            by = [tensors[n].requires_grad_() for n in self.by]
            value = self.target.call(*tensors)
            if value.requires_grad:
                torch.autograd.grad(value, by, grad_output, allow_unused=True)

        with Branches() as branches:
            run()
        self._taken = branches.taken
        self._open = other_ways(run, self._taken)
        return bool(self._taken)

    def at_sizes(self, sizes: Mapping[str, int]) -> torch.fx.GraphModule:
        """The code as recorded at given sizes."""
        return recorded(self._recordable, self._tensors(sizes), "fake", self._recorder)[1]

    # --- at points ----------------------------------------------------------------------------------------------------

    def extended(self, inputs: Sample, seed: int, simple: bool = False) -> tuple[list[Tensor], dict[str, Any]]:
        """The inputs with `extra`, as tensors and as fractions."""
        chance = Random(seed)
        tensors, values = list(inputs.tensors), {}
        sizes = {**self.declared.given, **inputs.sizes}
        for name, dims in self.extra:
            axes = [extent([axis], sizes) for axis in flat(dims)]
            pool = [Fraction(n, 8) for n in (3, 5, 8, 9, 12, -7)]
            if simple:
                pool = [Fraction(n) for n in (1, 2, 3)] if axes else [Fraction(1 + seed % 2)]
            drawn = [chance.choice(pool) for _ in range(prod(axes))]
            shape = [extent(dim, sizes) for dim in dims]
            tensors.append(torch.tensor([float(one) for one in drawn], dtype=torch.float64).reshape(shape))
            values[name] = nested(drawn, axes)
        return tensors, values

    def run_operations(
        self, tensors: Sequence[Tensor], sizes: Mapping[str, int], unwritten: float = float("nan")
    ) -> list[Any]:
        """The output of each operation; where sizes were fixed, of the code as recorded at these.

        Raises:
            Ambiguous: other operations are recorded there.
        """
        module = self.trace.module
        if self.trace.tracing == "family" and sizes != self.declared.traced_sizes():
            key = tuple(sizes.items())
            if key not in self._modules:
                self._modules[key] = self.at_sizes(sizes)
            module = self._modules[key]
            if [one.name for one in operations_of(module, sympy_of)] != [one.name for one in self.trace.operations]:
                raise Ambiguous
        interpreter = Recorded(module, unwritten)
        with torch.no_grad():
            interpreter.run(*tensors)
        return interpreter.outputs

    def run_code(self, tensors: Sequence[Tensor]) -> list[Tensor] | None:
        """What the user's own code returns: value and gradients; None if it fails."""
        own = [tensor.clone() for tensor in tensors]
        for n in self.by:
            own[n].requires_grad_()
        if self.order == 2:
            own[len(self.declared.inputs)].requires_grad_()
        try:
            return self._joint(*own)
        except Exception:
            return None
        finally:
            self._recorder.backward = False


def _axes_of(size: int, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """The axes of a dimension: one of this size, several whose sizes multiply to it, or the number as its own axis."""
    if size == 1:
        return ()
    same = [axis for axis, one in sizes.items() if one == size]
    if same:
        return (same[0],)
    found: list[str] = []
    rest = size
    for axis, one in sizes.items():
        if one > 1 and rest % one == 0:
            found.append(axis)
            rest //= one
    return tuple(found) if rest == 1 else (str(size),)


def _why_not(error: BaseException) -> str:
    """In words, why a function cannot be traced."""
    text = str(error)
    kind = type(error).__name__
    if "DataDependent" in kind or "data-dependent" in text or "GuardOnData" in kind:
        return BRANCHES
    if "DynamicOutputShape" in kind:
        return "the code chooses entries by their values, so that their number depends on the data"
    if "UnsupportedOperator" in kind or "fake impl" in text:
        return f"an operator that torch cannot trace: {text.splitlines()[0][:160]}"
    first = text.strip().splitlines()[0][:200] if text.strip() else ""
    return f"torch cannot trace it: {kind}: {first}"
