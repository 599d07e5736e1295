"""Torch code whose gradient is proved: traced, read as expressions over axes, and decided for every size.

    >>> from torch.nn.functional import cross_entropy
    >>> from softmax_trick import prove_gradient
    >>> print(prove_gradient(cross_entropy, "input: n,K; target: label n of K"))
    input: n x K; target: label into K for each n
    gradient by input: proved over the reals, for every n >= 1, K >= 1
    second derivative by input: proved over the reals, for every n >= 1, K >= 1

Modules: `inputs` (declarations), `target` (the function), `tracing` (what torch executes), `reader` with `pointwise`,
`shapes` and `reductions` (what each operation means), `points` (where it is tried), `proof`, `result`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmax_trick.system.lazy import names_from

if TYPE_CHECKING:
    from softmax_trick.proving.inputs import DeclarationError
    from softmax_trick.proving.proof import prove_gradient
    from softmax_trick.proving.result import Proof
    from softmax_trick.proving.target import TargetError

_HOME = {
    "DeclarationError": "softmax_trick.proving.inputs",
    "Proof": "softmax_trick.proving.result",
    "TargetError": "softmax_trick.proving.target",
    "prove_gradient": "softmax_trick.proving.proof",
}

__all__ = ["DeclarationError", "Proof", "TargetError", "prove_gradient"]


__getattr__, __dir__ = names_from(__name__, _HOME)
