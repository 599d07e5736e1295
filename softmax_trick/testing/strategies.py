"""Hypothesis strategies: scores, targets and dilations, as float64 tensors on the CPU.

Each takes the shape that it is to have, so that they fit together:

    @given(shapes().flatmap(lambda shape: st.tuples(scores(shape), targets(shape))))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

import torch
from hypothesis import strategies as st
from torch import Tensor

Shape = tuple[int, int]
Kind = TypeVar("Kind", bound=str)
ScoreKind = Literal["generic", "tied", "saturated", "subnormal", "huge", "masked"]
TargetKind = Literal["index", "ignored", "one-hot", "blurred", "simplex", "off-simplex"]

_ENTRIES: dict[str, st.SearchStrategy[float]] = {
    "generic": st.floats(-5, 5, allow_subnormal=False),
    # Quarters are exact in every format, bfloat16 included; the kinks of the hard normalizers are among them.
    "tied": st.sampled_from([0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.25]),
    "subnormal": st.sampled_from([0.0, 5e-324, -5e-324, 1e-310, -1e-310, 2.2250738585072014e-308]),
    "huge": st.sampled_from([0.0, 1e8, -1e8, 1e30, -1e30]),
}
SCORE_KINDS: tuple[ScoreKind, ...] = ("generic", "tied", "saturated", "subnormal", "huge")
# 12 to 18: below the usual absolute tolerances. 24: where torch's softplus is linear. 104 and 800: exp(-gap) is 0 in
# float32 and in float64.
GAPS = (12.0, 15.0, 18.0, 24.0, 40.0, 104.0, 800.0, 1e4)
_FLOAT64 = torch.float64


def shapes(rows: tuple[int, int] = (0, 4), classes: tuple[int, int] = (1, 8)) -> st.SearchStrategy[Shape]:
    """Shapes (n, K) with n and K in these ranges, ends included."""
    return st.tuples(st.integers(*rows), st.integers(*classes))


@st.composite
def scores(draw: st.DrawFn, shape: Shape, kinds: Sequence[ScoreKind] = SCORE_KINDS) -> Tensor:
    """Scores of shape (n, K), float64, of one of these kinds.

    Kinds: "generic" in [-5, 5]; "tied", a few small numbers, the kinks of the hard normalizers among them;
    "saturated", gaps from 12 to 20,000; "subnormal"; "huge", up to 1e30; "masked", generic with -inf for some classes,
    never for all of a row (not among the default kinds).

    Raises:
        ValueError: a kind is unknown, or "masked" was asked for with no class.
    """
    n, k = shape
    kind = draw(st.sampled_from(_known(kinds, (*SCORE_KINDS, "masked"))))
    if kind == "saturated":  # one gap for all entries: of several, the largest alone would count
        gap = draw(st.sampled_from(GAPS))
        return _matrix(draw, shape, st.sampled_from([0.0, gap, -gap]))
    drawn = _matrix(draw, shape, _ENTRIES["generic" if kind == "masked" else kind])
    if kind != "masked":
        return drawn
    if not k:
        raise ValueError("masked scores need at least one class: ask for a shape (n, K) with K >= 1")
    masked = _matrix(draw, shape, st.sampled_from([0.0, 1.0])).bool()
    if n:  # one class of every row stays
        masked[range(n), draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))] = False
    return drawn.masked_fill(masked, -torch.inf)


@st.composite
def targets(
    draw: st.DrawFn, shape: Shape, kinds: Sequence[TargetKind] = ("index",), ignore_index: int = -100
) -> Tensor:
    """Targets for scores of shape (n, K), of one of these kinds.

    Kinds: "index", class indices of shape (n,), int64; "ignored", the same with `ignore_index` in some rows; and of
    shape (n, K), float64: "one-hot"; "blurred", (1 - mu) for the labelled class and mu / (K - 1) for each other;
    "simplex", non-negative rows that sum to 1 up to rounding, zeros among them; "off-simplex", anything in [0, 1].

    Raises:
        ValueError: a kind is unknown, or there is no class to label.
    """
    n, k = shape
    if not k:
        raise ValueError("targets need at least one class: ask for a shape (n, K) with K >= 1")
    every: tuple[TargetKind, ...] = ("index", "ignored", "one-hot", "blurred", "simplex", "off-simplex")
    kind = draw(st.sampled_from(_known(kinds, every)))
    if kind == "off-simplex":
        return _matrix(draw, shape, st.floats(0, 1, allow_subnormal=False))
    if kind == "simplex":
        parts = _matrix(draw, shape, st.integers(0, 4).map(float))
        parts[parts.sum(-1) == 0] = 1.0
        return parts / parts.sum(-1, keepdim=True)
    labels = torch.tensor(
        draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n)), dtype=torch.int64, device="cpu"
    )
    if kind == "index":
        return labels
    if kind == "ignored":  # all rows ignored is the simplest example, so Hypothesis tries it before any other
        return labels.masked_fill(_matrix(draw, (n, 1), st.sampled_from([1.0, 0.0])).bool().squeeze(-1), ignore_index)
    one_hot = torch.nn.functional.one_hot(labels, k).to(_FLOAT64)
    if kind == "one-hot" or k == 1:
        return one_hot
    mu = draw(st.sampled_from([0.1, 0.5, 1.0]))
    return (1 - mu) * one_hot + mu / (k - 1) * (1 - one_hot)


@st.composite
def dilations(draw: st.DrawFn, k: int) -> Tensor:
    """Dilations d of shape (k,), float64: of size 1/4 to 4, of either sign, not all equal where k >= 2.

    With equal entries the Jacobian (D_y - y y^T) D_d is symmetric, and a forgotten transpose cannot be seen.
    """
    sizes = [0.25, 0.5, 1.0, 2.0, 4.0]
    entries = st.sampled_from([*sizes, *(-size for size in sizes)])
    drawn = draw(st.lists(entries, min_size=k, max_size=k).filter(lambda d: k < 2 or len(set(d)) > 1))
    return torch.tensor(drawn, dtype=_FLOAT64, device="cpu")


def _matrix(draw: st.DrawFn, shape: Shape, entries: st.SearchStrategy[float]) -> Tensor:
    """A matrix of drawn entries."""
    n, k = shape
    drawn = draw(st.lists(entries, min_size=n * k, max_size=n * k))
    return torch.tensor(drawn, dtype=_FLOAT64, device="cpu").reshape(n, k)


def _known(kinds: Sequence[Kind], every: Sequence[str]) -> Sequence[Kind]:
    for kind in kinds:
        if kind not in every:
            raise ValueError(f"unknown kind {kind!r}: choose among {', '.join(every)}")
    return kinds
