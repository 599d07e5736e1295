"""What notebook 01_softmax_trick.ipynb begins with."""

from __future__ import annotations

from softmax_trick.report.notebooks import needed

with needed():
    import sympy as sp

    from softmax_trick.proofs import CLAIMS
    from softmax_trick.report.figures import softmax as figures
    from softmax_trick.report.notebook import in_brief, in_full
    from softmax_trick.report.notebooks.shown import decided, zero
    from softmax_trick.report.parts import part
    from softmax_trick.symbolic import (
        EVERY_K,
        cross_entropy,
        decide,
        diag,
        gradient,
        index,
        jacobian,
        outer,
        soft_cross_entropy,
        softmax,
    )

__all__ = [
    "CLAIMS",
    "EVERY_K",
    "cross_entropy",
    "decide",
    "decided",
    "diag",
    "figures",
    "gradient",
    "in_brief",
    "in_full",
    "index",
    "jacobian",
    "outer",
    "part",
    "soft_cross_entropy",
    "softmax",
    "sp",
    "zero",
]
