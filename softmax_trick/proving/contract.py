"""What a backward pass owes besides the right numbers, tried at a point: they hang on nothing that they must not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from softmax_trick.proving.recording import Recording

CLOSE = 1e-8  # how far two runs in float64 may be from each other, relative to 1 and the value


def breach(recording: Recording, tensors: Sequence[Tensor]) -> str:
    """In which way the gradients hang on what they must not hang on; "" if none is found.

    A run that fails, such as a second backward pass that autograd refuses, is no breach: it gives no wrong number.

    Args:
        recording: the code.
        tensors: inputs and grad_output.
    """
    names = [*(one.name for one in recording.declared.inputs), "grad_output"]
    own = [tensor.clone() for tensor in tensors]
    once = _run(recording, own, recording.by)
    for name, tensor, old in zip(names, own, tensors, strict=True):
        if not torch.equal(tensor.detach(), old):
            return f"the backward pass changes {name}, which other operations may share: work on a copy of it"
    if _differ(once, _run(recording, tensors, recording.by)):
        return "run again at the same inputs, the code gives something else: it keeps a state, or is random"
    if _differ(once, _run(recording, tensors, recording.by, twice=True)):
        return "a second backward pass through the same graph gives something else: the first changes what was saved"
    if _differ(once, _run(recording, [_strided(tensor) for tensor in tensors], recording.by)):
        return "for inputs that are not contiguous the code gives something else"
    for place, n in enumerate(recording.by):
        alone = _run(recording, tensors, [n])
        if once is not None and _differ([once[0], once[place + 1]], alone):
            return f"where {names[n]} alone needs a gradient, the code gives another one"
    return ""


def _run(
    recording: Recording, tensors: Sequence[Tensor], by: Sequence[int], twice: bool = False
) -> list[Tensor | None] | None:
    """The value and its gradients by some inputs; None if the code fails."""
    inputs = [one.detach().requires_grad_(n in by) for n, one in enumerate(tensors[:-1])]
    try:
        value = recording.target.call(*inputs)
        value = value[0] if isinstance(value, tuple | list) else value
        for again in range(1 + twice):
            retain = twice and not again
            found = torch.autograd.grad(
                value, [inputs[n] for n in by], tensors[-1], retain_graph=retain, allow_unused=True
            )
    except Exception:
        return None
    return [value.detach(), *(None if one is None else one.detach() for one in found)]


def _differ(left: Sequence[Tensor | None] | None, right: Sequence[Tensor | None] | None) -> bool:
    if left is None or right is None:
        return False
    for one, other in zip(left, right, strict=True):
        if one is None or other is None:
            continue
        if one.shape != other.shape or not torch.allclose(one, other, CLOSE, CLOSE, equal_nan=True):
            return True
    return False


def _strided(tensor: Tensor) -> Tensor:
    """The same entries, at every other place in memory."""
    room = torch.zeros((*tensor.shape, 2), dtype=tensor.dtype)
    room[..., 0] = tensor.detach()
    return room[..., 0]
