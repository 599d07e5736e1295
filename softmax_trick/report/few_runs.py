"""What is said beside intervals that come from two runs."""

from __future__ import annotations

from collections.abc import Iterable

from softmax_trick.measurements.figure import Figure

WARNING = (
    "Warning: an interval here comes from two runs. Two runs say little about how runs scatter; alone they have one "
    "degree of freedom, and their interval is 12.7 standard errors to either side. Run more seeds before relying on it."
)


def warning(figures: Iterable[Figure]) -> str:
    """The warning, if one of the figures has an interval from two runs; else nothing."""
    return WARNING if any(figure.low is not None and figure.runs == 2 for figure in figures) else ""
