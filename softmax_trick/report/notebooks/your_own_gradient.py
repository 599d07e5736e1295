"""What notebook 06_your_own_gradient.ipynb begins with."""

from __future__ import annotations

from softmax_trick.report.notebooks import needed

with needed():
    from softmax_trick import decide, derive
    from softmax_trick.language.grammar import read
    from softmax_trick.readings.algebraic import Algebraic
    from softmax_trick.readings.pointwise import Point
    from softmax_trick.report.figures import fields
    from softmax_trick.report.figures import implicit_losses as figures
    from softmax_trick.report.figures.curves import vector_of
    from softmax_trick.report.notebooks.shown import proved

__all__ = [
    "Algebraic",
    "Point",
    "decide",
    "derive",
    "fields",
    "figures",
    "proved",
    "read",
    "vector_of",
]
