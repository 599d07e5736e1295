"""Losses of other frameworks as losses of torch, so that every sub-check of `check_loss` that makes sense is run.

check_loss(optax.softmax_cross_entropy_with_integer_labels, reduction="none", framework="jax")
check_loss(value_and_gradient, like="z_loss", framework="numpy")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Framework = Literal["torch", "numpy", "jax"]


@dataclass(frozen=True)
class Adapter:
    """How functions of a framework are checked.

    Attributes:
        adapt: makes one of torch.
        without: the sub-checks that make no sense.
    """

    adapt: Callable[[Callable[..., Any]], Callable[..., Tensor]]
    without: tuple[str, ...] = ()


def from_numpy(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """A loss of numpy arrays that returns its value and its gradient in the scores, as one of torch.

    Args:
        function: function(scores, targets, **options) -> (value, gradient), for a grad_output of ones: the gradient has
            the shape of the scores. It is given arrays of numpy, which share their memory with the tensors, and may
            return those of any library that speaks DLPack or is read by numpy, such as TensorFlow or MLX.

    Returns:
        a function of tensors; a second derivative is refused.
    """

    def loss(x: Tensor, *rest: Tensor, **options: Any) -> Tensor:
        arrays = {name: one.detach().numpy() if isinstance(one, Tensor) else one for name, one in options.items()}
        found = function(x.detach().numpy(), *(one.detach().numpy() for one in rest), **arrays)
        if not (isinstance(found, tuple) and len(found) == 2):
            raise TypeError(f"a loss of numpy arrays returns (value, gradient), not {type(found).__name__}")
        value, gradient = map(_copied, found)
        if gradient.shape != x.shape:
            raise ValueError(f"the gradient has shape {tuple(gradient.shape)}, the scores have {tuple(x.shape)}")
        return _WithGradient.apply(x, value, gradient)  # type: ignore[no-untyped-call]

    return loss


def _copied(array: Any) -> Tensor:
    """The entries of an array of numpy, or of any other library that speaks DLPack or is read by numpy."""
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
        return torch.from_numpy(np.array(array))
    return torch.utils.dlpack.from_dlpack(array).cpu().clone()


class _WithGradient(torch.autograd.Function):
    """A value with the gradient that was computed with it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        scale = grad_output.unsqueeze(-1) if grad_output.dim() else grad_output
        return scale * gradient, None, None


def from_jax(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """A function of JAX arrays as one of torch, by way of numpy; derivatives of every order are JAX's own.

    Float64 needs jax.config.update("jax_enable_x64", True), before JAX computes anything.

    Raises:
        MissingExtra: JAX is not installed.
        ValueError: JAX computes in float32 where it is given float64.
    """
    from softmax_trick.system.extras import require

    jax = require("jax", "jax", "framework='jax'")
    if not jax.config.jax_enable_x64:
        raise ValueError(
            "JAX is set to compute in float32 only: jax.config.update('jax_enable_x64', True) before the check"
        )

    def loss(*tensors: Tensor, **options: Any) -> Tensor:
        arrays = {name: _to_jax(one) if isinstance(one, Tensor) else one for name, one in options.items()}
        return _through_jax(lambda *inputs: function(*inputs, **arrays), *tensors)

    return loss


def _to_jax(tensor: Tensor) -> Any:
    import jax.numpy as jnp

    if tensor.dtype == torch.bfloat16:  # numpy has none; float32 holds its values exactly
        return jnp.asarray(tensor.detach().float().numpy()).astype(jnp.bfloat16)
    return jnp.asarray(tensor.detach().numpy())


def _to_torch(array: Any) -> Tensor:
    import jax.numpy as jnp

    if array.dtype == jnp.bfloat16:
        return torch.from_numpy(np.array(array.astype(jnp.float32))).bfloat16()
    return torch.from_numpy(np.array(array))


def _through_jax(function: Callable[..., Any], *inputs: Tensor) -> Tensor:
    import jax

    def pullback(i: int) -> Callable[..., Any]:
        def apply(*arrays: Any) -> Any:
            *xs, cotangent = arrays
            return jax.vjp(lambda x: function(*xs[:i], x, *xs[i + 1 :]), xs[i])[1](cotangent)[0]

        return apply

    class ThroughJax(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Tensor) -> Tensor:
            ctx.save_for_backward(*tensors)
            return _to_torch(function(*map(_to_jax, tensors)))

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
            tensors = ctx.saved_tensors
            return tuple(
                _through_jax(pullback(i), *tensors, *grad_outputs) if needed else None
                for i, needed in enumerate(ctx.needs_input_grad)
            )

    return ThroughJax.apply(*inputs)  # type: ignore[no-untyped-call]


FRAMEWORKS: dict[str, Adapter] = {
    "torch": Adapter(lambda function: function),
    # The gradient is one for a grad_output of ones, without a graph: what is left to us says nothing of the function.
    "numpy": Adapter(from_numpy, ("grad_output", "repeated backward", "second derivative")),
    "jax": Adapter(from_jax),
}
