"""Whether torch operations are just carried out, so that buffers may be written in place."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad


def is_eager(*tensors: Tensor) -> bool:
    """Nothing is traced by torch.compile or transformed by torch.func, and no graph of the tensors is made."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return False
    return not (tensors and torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
