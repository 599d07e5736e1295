"""The function that is to be proved: found by its name, bound to its inputs, called."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from softmax_trick.proving.inputs import DeclarationError, Declared, Input
from softmax_trick.proving.tracing import Line, line_of


class TargetError(Exception):
    """The function cannot be found, or does not do what one can be proved of; the message says why and what would do.

    Attributes:
        line: the line of the user's code that is concerned, if there is one.
    """

    def __init__(self, message: str, line: Line | None = None) -> None:
        super().__init__(message + (f"\n  at {line}" if line else ""))
        self.line = line


def load(name: str) -> Any:
    """The object that "package.module:attribute" names.

    Raises:
        TargetError: there is none, or its module fails when it is imported.
    """
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise TargetError(f"{name!r} names no function: write 'package.module:function'")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise TargetError(f"there is no module {error.name!r} on Python's path or in this folder") from error
        raise TargetError(f"{module_name} fails when it is imported: {error}", line_of(error)) from error
    except (Exception, SystemExit) as error:
        raise TargetError(
            f"{module_name} fails when it is imported: {type(error).__name__}: {error}", line_of(error)
        ) from error
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            near = [one for one in dir(found) if not one.startswith("_") and callable(getattr(found, one, None))]
            has = f"; it has {', '.join(near[:8])}" if near else ""
            raise TargetError(f"{module_name} has no {path!r}{has}")
        found = getattr(found, attribute)
    return found


@dataclass(frozen=True)
class Target:
    """A function of the declared inputs.

    Attributes:
        name: what it is called in messages.
        call: from tensors, in the order of the inputs, to the value.
        declared: the inputs; those of a module are followed by its parameters.
        parameters: the parameters of a module, by name of input.
    """

    name: str
    call: Callable[..., Any]
    declared: Declared
    parameters: Mapping[str, Tensor]


def bind(target: Any, declared: Declared, name: str = "") -> Target:
    """A function, an `autograd.Function` or a module, bound to declared inputs.

    Raises:
        TargetError: it is none of these, or takes other inputs.
    """
    name = name or getattr(target, "__name__", type(target).__name__)
    numbers = dict(declared.numbers)
    if isinstance(target, type) and issubclass(target, torch.autograd.Function):
        target = target.apply
        return Target(name, _positional(target, declared), declared, {})
    if isinstance(target, type) and issubclass(target, nn.Module):
        known = inspect.signature(target).parameters
        own = {key: numbers.pop(key) for key in list(numbers) if key in known}
        own |= {key: size for key, size in declared.given.items() if key in known}
        try:
            target = target(**own)
        except Exception as error:
            raise TargetError(
                f"{name} is a class that cannot be made without more arguments: {error}; name an instance of it, or "
                "declare numbers for it",
                line_of(error),
            ) from error
    if not callable(target):
        raise TargetError(f"{name} is {type(target).__name__}, no function")
    declared = Declared(declared.inputs, numbers, declared.given, declared.axes)
    parameters: dict[str, Tensor] = {}
    if isinstance(target, nn.Module):
        target = deepcopy(target).double()  # the user's own stays as it is
        names = {key.replace(".", "_"): key for key, _ in target.named_parameters()}
        parameters = {key: target.get_parameter(full).detach() for key, full in names.items()}
        module, count = target, len(declared.inputs)
        call = _function(module.forward, declared, name)
        if parameters:
            more = tuple(
                Input(key, tuple((_axis(size, declared),) if size > 1 else () for size in value.shape))
                for key, value in parameters.items()
            )
            literal = {axis: int(axis) for one in more for axis in one.axes if axis.isdigit()}
            declared = Declared(
                (*declared.inputs, *more), declared.numbers, {**declared.given, **literal}, declared.axes
            )

        def with_parameters(*tensors: Tensor) -> Any:
            own = dict(zip(names.values(), tensors[count:], strict=True))
            bound = call.bind(*tensors[:count])
            return torch.func.functional_call(module, own, bound.args, bound.kwargs)

        return Target(name, with_parameters, declared, parameters)
    bound_call = _function(target, declared, name)
    return Target(name, bound_call, declared, {})


def _axis(size: int, declared: Declared) -> str:
    return next((axis for axis, given in declared.given.items() if given == size), str(size))


def _positional(target: Callable[..., Any], declared: Declared) -> Callable[..., Any]:
    numbers = list(declared.numbers.values())
    return lambda *tensors: target(*tensors, *numbers)


class _function:
    """A Python function called by the names of the inputs, if it has them all, else by position."""

    def __init__(self, target: Callable[..., Any], declared: Declared, name: str) -> None:
        self._target, self._declared = target, declared
        names = [one.name for one in declared.inputs]
        try:
            self._signature: inspect.Signature | None = inspect.signature(target)
        except (TypeError, ValueError):
            self._signature = None
        known = list(self._signature.parameters) if self._signature else []
        self._by_name = bool(known) and all(one in known for one in names)
        if self._signature is None:
            return
        try:
            self.bind(*names)
        except TypeError as error:
            raise TargetError(
                f"{name}{self._signature} does not take the declared inputs {', '.join([*names, *declared.numbers])}: "
                f"{error}"
            ) from error

    def bind(self, *tensors: Any) -> Any:
        """The arguments of a call."""
        names = [one.name for one in self._declared.inputs]
        numbers = self._declared.numbers
        if self._signature is None:
            return inspect.BoundArguments(inspect.Signature(), {})
        if self._by_name:
            return self._signature.bind(**dict(zip(names, tensors, strict=True)), **numbers)
        return self._signature.bind(*tensors, **numbers)

    def __call__(self, *tensors: Any) -> Any:
        if self._signature is None:
            return self._target(*tensors, **self._declared.numbers)
        bound = self.bind(*tensors)
        return self._target(*bound.args, **bound.kwargs)


def run(target: Target, tensors: Sequence[Tensor]) -> Tensor:
    """The value at tensors.

    Raises:
        TargetError: it raises, returns no tensor, or changes its inputs.
    """
    before = [(tensor._version, tensor.detach().clone()) for tensor in tensors]
    try:
        value = target.call(*tensors)
    except (Exception, SystemExit) as error:
        shapes = ", ".join(
            f"{one.name} {tuple(tensor.shape)}" for one, tensor in zip(target.declared.inputs, tensors, strict=True)
        )
        raise TargetError(
            f"{target.name} fails at inputs as declared ({shapes}): {type(error).__name__}: {_first_line(error)}",
            line_of(error),
        ) from error
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Tensor):
        kind = "several values" if isinstance(value, tuple | list) else f"{type(value).__name__}"
        raise TargetError(f"{target.name} returns {kind}, no tensor: wrap it in a function that returns one tensor")
    if not value.is_floating_point():
        raise TargetError(f"{target.name} returns a tensor of {value.dtype}, which has no gradient")
    for one, tensor, (version, old) in zip(target.declared.inputs, tensors, before, strict=True):
        if tensor._version != version or not torch.equal(tensor.detach(), old):
            raise TargetError(f"{target.name} changes its input {one.name}: work on a copy, {one.name}.clone()")
    return value


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else "no message"


__all__ = ["DeclarationError", "Target", "TargetError", "bind", "load", "run"]
