"""One measured figure, beside that of the paper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured figure beside the one that the paper prints.

    Attributes:
        name: what was measured.
        ours: what we measured; the mean over the runs.
        unit: such as "%" or "ulp".
        paper: the printed figure, if it is one.
        low: the lower end of our interval.
        high: its upper end.
        runs: how many runs or examples it is taken from.
        agrees: whether the paper's statement passes the test that the claim names; None if there is none, or if the
            interval leaves it open.
    """

    name: str
    ours: float
    unit: str
    paper: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 1
    agrees: bool | None = None
