"""Torch code whose gradient is proved: traced, read as expressions over axes, and decided for every size.

    >>> from softmax_trick import prove_gradient
    >>> print(prove_gradient(my_loss, "scores: n,K; targets: label n of K"))

Modules: `inputs` (declarations), `target` (the function), `tracing` (what torch executes), `reader` with `pointwise`,
`shapes` and `reductions` (what each operation means), `points` (where it is tried), `proof`, `result`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softmax_trick.proving.inputs import DeclarationError
    from softmax_trick.proving.proof import prove_gradient
    from softmax_trick.proving.result import Proof
    from softmax_trick.proving.target import TargetError

_HOME = {"DeclarationError": "inputs", "Proof": "result", "TargetError": "target", "prove_gradient": "proof"}

__all__ = ["DeclarationError", "Proof", "TargetError", "prove_gradient"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'softmax_trick.proving' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"softmax_trick.proving.{_HOME[name]}"), name)
    globals()[name] = value
    return value
