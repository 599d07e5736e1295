"""What notebook 03_implicit_losses.ipynb begins with."""

from __future__ import annotations

from softmax_trick.report.notebooks import needed

with needed():
    import sympy as sp

    from softmax_trick import NORMALIZERS
    from softmax_trick.report.figures import fields
    from softmax_trick.report.figures import implicit_losses as figures
    from softmax_trick.report.figures.curves import vector_of
    from softmax_trick.report.figures.implicit_losses import error, implicit_loss, norm
    from softmax_trick.report.notebook import in_brief, in_full
    from softmax_trick.report.notebooks.shown import decided, zero
    from softmax_trick.symbolic import EVERY_K, GivenK, gradient, index, jacobian, soft_cross_entropy, softmax

i, j = index("i"), index("j")
x, t = EVERY_K.vector("x"), EVERY_K.vector("t")

__all__ = [
    "EVERY_K",
    "NORMALIZERS",
    "GivenK",
    "decided",
    "error",
    "fields",
    "figures",
    "gradient",
    "i",
    "implicit_loss",
    "in_brief",
    "in_full",
    "j",
    "jacobian",
    "norm",
    "soft_cross_entropy",
    "softmax",
    "sp",
    "t",
    "vector_of",
    "x",
    "zero",
]
