"""Expressions in torch: whole tensors of any dtype, derivatives by autograd, stable forms of the named functions.

For sampled evidence. Nothing overflows at large scores where the named functions (softmax, logsumexp, softplus, ...)
avoid it; what is differentiated may be differentiated again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from softmax_trick.language import expression as ex
from softmax_trick.language.functions import unfolded

ENTRYWISE: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "negative": torch.neg,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tanh": torch.tanh,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "normal_cdf": torch.special.ndtr,
    "normal_pdf": lambda u: torch.exp(-u.square() / 2) / math.sqrt(2 * math.pi),
    "erf": torch.erf,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid,
    "silu": F.silu,
    "softplus": lambda u: torch.logaddexp(u, torch.zeros_like(u)),  # F.softplus is linear above 20
    "step": lambda u: (u > 0).to(u.dtype),
    "less": lambda u, v: (u < v).to(u.dtype),
    "relu": torch.relu,
    "abs": torch.abs,
    "sign": torch.sign,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "clip": lambda u, low, high: torch.minimum(torch.maximum(u, low), high),
}

Dims = tuple[int, ...]


def _softmax(dims: Dims, x: Tensor, slack: Tensor | None = None) -> Tensor:
    if slack is None:
        return torch.exp(_log_softmax(dims, x)) if len(dims) > 1 else torch.softmax(x, dims[0])
    largest = x.detach().amax(dims, keepdim=True).clamp_min(0)
    powers = torch.exp(x - largest)
    return powers / (slack * torch.exp(-largest) + powers.sum(dims, keepdim=True))


def _log_softmax(dims: Dims, x: Tensor) -> Tensor:
    return torch.log_softmax(x, dims[0]) if len(dims) == 1 else x - torch.logsumexp(x, dims, keepdim=True)


NAMED: dict[str, Callable[..., Tensor]] = {
    "sum": lambda dims, u: u.sum(dims),
    "mean": lambda dims, u: u.mean(dims),
    "max": lambda dims, u: u.amax(dims),
    "min": lambda dims, u: u.amin(dims),
    "norm": lambda dims, u: torch.linalg.vector_norm(u, dim=dims),
    "dot": lambda dims, u, v: (u * v).sum(dims),
    "logsumexp": lambda dims, u: torch.logsumexp(u, dims),
    "log_softmax": _log_softmax,
    "softmax": _softmax,
    "softce": lambda dims, t, x: -(t * _log_softmax(dims, x)).sum(dims),
}


class Tensors:
    """Expressions at tensors.

    Args:
        values: a tensor for every variable; those of labels are integers from 0, as torch has it.
        sizes: the size of every axis.
        indices: the place of every free index, from 1.
        dtype: the dtype of what is computed.
    """

    def __init__(
        self,
        values: Mapping[str, Tensor],
        sizes: Mapping[str, int],
        indices: Mapping[str, int] | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self._values = {
            name: value.to(dtype).detach().requires_grad_() if value.is_floating_point() else value
            for name, value in values.items()
        }
        self._sizes, self._free = dict(sizes), dict(indices or {})
        device = next((value.device for value in values.values()), None)
        self._like: dict[str, Any] = {"dtype": dtype, "device": device}
        self._bound: tuple[tuple[ex.Index, int], ...] = ()
        self._known: dict[Any, tuple[ex.Expression, Tensor]] = {}

    def value(self, node: ex.Expression) -> Tensor:
        """The tensor of an expression, in its autograd graph: it may be differentiated by `leaf(x)`."""
        key = (id(node), self._bound)
        if key not in self._known:
            self._known[key] = (node, self._value(node))
        return self._known[key][1]

    def leaf(self, variable: ex.Variable) -> Tensor:
        """The tensor of a variable, as the values depend on it."""
        if variable.name not in self._values:
            raise ex.LanguageError(f"no value is given for {variable.name}")
        return self._values[variable.name]

    def _value(self, node: ex.Expression) -> Tensor:
        match node:
            case ex.Number(value):
                return torch.tensor(float(value), **self._like)
            case ex.Size(name):
                return torch.tensor(float(self._sizes[name]), **self._like)
            case ex.Variable():
                return self.leaf(node)
            case ex.Apply():
                return self._apply(node)
            case ex.Call(name, arguments, positions):
                if name in NAMED:
                    return NAMED[name](positions, *map(self.value, arguments))
                return self.value(self._meaning(node))
            case ex.MatMul(left, right):
                return torch.tensordot(self.value(left), self.value(right), dims=1)
            case ex.Outer(left, right):
                return torch.tensordot(self.value(left), self.value(right), dims=0)
            case ex.Transpose(argument):
                return self.value(argument).permute(*range(len(argument.axes))[::-1])
            case ex.Diag(argument):
                return torch.diag_embed(self.value(argument))
            case ex.Diagonal(argument):
                return torch.diagonal(self.value(argument), dim1=-2, dim2=-1)
            case ex.Identity(axis):
                return torch.eye(self._sizes[ex.size_of(axis)], **self._like)
            case ex.OneHot(label):
                return F.one_hot(self.leaf(label), self._sizes[ex.size_of(label.into)]).to(self._like["dtype"])
            case ex.Pick(argument, label):
                return self.value(argument).gather(-1, self.leaf(label).unsqueeze(-1)).squeeze(-1)
            case ex.Spread(argument, axis, place):
                repeated = self.value(argument).unsqueeze(place)
                shape = [*repeated.shape[:place], self._sizes[ex.size_of(axis)], *repeated.shape[place + 1 :]]
                return repeated.expand(shape)
            case ex.Delta(left_term, right_term):
                return torch.tensor(float(self._position(left_term) == self._position(right_term)), **self._like)
            case ex.Entry(argument, terms):
                return self.value(argument)[tuple(self._position(term) - 1 for term in terms)]
            case ex.Comprehension():
                return self._comprehension(node)
            case ex.Definition(_, meaning):
                return self.value(meaning)
            case ex.Derivative():
                return self._derivative(node)
        raise TypeError(f"no tensor of {type(node).__name__}")

    def _meaning(self, node: ex.Expression) -> ex.Expression:
        meaning = unfolded(node)
        if meaning is None:
            raise TypeError(f"no tensor of {node!r}")
        return meaning

    def _apply(self, node: ex.Apply) -> Tensor:
        name, arguments = node.function, node.arguments
        if name == "power":
            return self._power(*arguments)
        if name == "log":
            match _inner(arguments[0]):
                case ex.Call("softmax", (x,), positions):
                    return _log_softmax(positions, self.value(x))
                case ex.Apply("sigmoid", (x,)):
                    return F.logsigmoid(self.value(x))
        if name in ENTRYWISE:
            return ENTRYWISE[name](*map(self.value, arguments))
        return self.value(self._meaning(node))

    def _power(self, base: ex.Expression, exponent: ex.Expression) -> Tensor:
        if isinstance(exponent, ex.Number):
            if exponent.value == Fraction(1, 2):
                return torch.sqrt(self.value(base))
            whole = exponent.value.denominator == 1
            return torch.pow(self.value(base), int(exponent.value) if whole else float(exponent.value))
        return torch.pow(self.value(base), self.value(exponent))

    def _comprehension(self, node: ex.Comprehension) -> Tensor:
        outside = self._bound
        shadowed = tuple(pair for pair in outside if pair[0] not in node.indices)
        sizes = [self._sizes[ex.size_of(axis)] for axis in node.axes]
        entries = []
        try:
            for at in product(*(range(1, size + 1) for size in sizes)):
                self._bound = shadowed + tuple(zip(node.indices, at, strict=True))
                entries.append(self.value(node.body))
        finally:
            self._bound = outside
        return torch.stack(entries).reshape(sizes)

    def _position(self, term: ex.IndexTerm) -> int:
        if isinstance(term, ex.Numbered):
            return term.value
        if isinstance(term, ex.Chosen):
            return int(self.leaf(term.label)[tuple(self._position(inner) - 1 for inner in term.indices)]) + 1
        for index, position in self._bound:
            if index == term:
                return position
        return self._free[term.name]

    def _derivative(self, node: ex.Derivative) -> Tensor:
        function, x = self.value(node.function), self.leaf(node.by)
        match node.kind:
            case "gradient":
                return _gradient(function, x)
            case "jacobian":
                return _jacobian(function, x)
            case "hessian":
                return _jacobian(_gradient(function, x), x)
            case "vjp":
                return _gradient(function, x, self._direction(node))
            case "jvp":
                jacobian, direction = _jacobian(function, x), self._direction(node)
                return torch.tensordot(jacobian, direction, dims=x.ndim) if x.ndim else jacobian * direction
            case "hvp":
                return _gradient(_gradient(function, x), x, self._direction(node))

    def _direction(self, node: ex.Derivative) -> Tensor:
        if node.direction is None:
            raise ex.LanguageError(f"{node.kind} without a direction")
        return self.value(node.direction)


def _inner(node: ex.Expression) -> ex.Expression:
    return _inner(node.meaning) if isinstance(node, ex.Definition) else node


def _gradient(function: Tensor, x: Tensor, weights: Tensor | None = None) -> Tensor:
    """The derivative of the sum of a tensor, or of a weighted one, by x; zeros where it does not depend on x."""
    if not function.requires_grad:
        return torch.zeros_like(x)
    if weights is not None:
        weights = weights.expand(function.shape)
    (gradient,) = torch.autograd.grad(
        function, x, weights, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return gradient


def _jacobian(function: Tensor, x: Tensor) -> Tensor:
    rows = [_gradient(entry, x) for entry in function.reshape(-1)]
    return torch.stack(rows).reshape((*function.shape, *x.shape))
