"""What notebook 02_converse.ipynb begins with."""

from __future__ import annotations

from softmax_trick.report.notebooks import needed

with needed():
    from softmax_trick.language.grammar import parse
    from softmax_trick.proofs.theorem_a1 import (
        DILATED,
        FAMILY,
        GENERALISED,
        JACOBIAN,
        SLACK,
        TRICK,
        UNITY,
        WITH_JACOBIAN,
    )
    from softmax_trick.report.figures import converse as figures
    from softmax_trick.report.notebook import in_brief, in_full
    from softmax_trick.report.notebooks.shown import decided, proved, refuted

__all__ = [
    "DILATED",
    "FAMILY",
    "GENERALISED",
    "JACOBIAN",
    "SLACK",
    "TRICK",
    "UNITY",
    "WITH_JACOBIAN",
    "decided",
    "figures",
    "in_brief",
    "in_full",
    "parse",
    "proved",
    "refuted",
]
