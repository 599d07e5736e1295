"""Whether a black box is differentiable: kinks and jumps, looked for by differences on both sides."""

from __future__ import annotations

import torch
from torch import Tensor

from softmax_trick.certification.black_box.calling import Look
from softmax_trick.certification.black_box.examples import shrunk
from softmax_trick.certification.black_box.search import Search
from softmax_trick.certification.certificate import Property

SMALLEST_KINK = 1e-6  # a smaller jump of a derivative, in units of s, is not looked for


def differentiable(search: Search) -> tuple[Property, Tensor | None]:
    """Whether F is differentiable; and scores at which it jumps or is infinitely steep."""
    candidates = Look(search.box, torch.cat([search.samples.x, _suspects(search)]))
    growth = _kinks(search, candidates)
    jumps, kinks = (growth > 1.2).nonzero(), (growth > 0).nonzero()
    if len(jumps):
        x = shrunk(candidates.x[int(jumps[0])], lambda x: _kinks(search, Look(search.box, x)) > 1.2)
        return search.refuted(x, "the difference quotients grow there as the step shrinks"), x
    if len(kinks):
        x = shrunk(candidates.x[int(kinks[0])], lambda x: _kinks(search, Look(search.box, x)) > 0)
        return search.refuted(x, "the one-sided differences disagree there"), None
    return search.unrefuted(f"one-sided differences agree at {int(candidates.finite.sum())} scores"), None


def _kinks(search: Search, look: Look) -> Tensor:
    """By how much the trouble grows from step to step in the end where it does not vanish: 1 at a kink; else 0.

    The trouble at step h is the largest disagreement of the two one-sided differences, or of their mean with that
    at the step before, which is twice as long. It falls by three quarters per step where F is smooth, and stays or
    grows at kinks and jumps. The last step that counts is the last one at which the trouble is more than 4 / h
    times what rounding may change F by; that is 13 times as much as rounding makes of an F that errs by a 64th of
    what it may. (Near where a second derivative jumps, one-sided differences differ by about the distance.)
    """
    growth = torch.zeros(len(look.x), dtype=torch.float64)
    here = look.at(look.finite.nonzero().squeeze(-1))
    rows = look.finite.nonzero().squeeze(-1)
    mean = before = None
    for halvings in range(14):
        h = search.box.step / 2**halvings
        right, left = here.quotients(h)
        trouble = (right - left).abs().amax((1, 2))
        if mean is not None:
            trouble = torch.maximum(trouble, ((right + left) / 2 - mean).abs().amax((1, 2)))
        keep = trouble > (4 * here.tolerance / h).clamp(min=SMALLEST_KINK * search.box.slope)
        if before is not None:
            falls = keep & (trouble <= 0.75 * before)
            growth[rows[falls]] = 0  # elsewhere, where nothing is seen any more, the step before has the last word
            keep &= ~falls
            if halvings >= 3:
                growth[rows[keep]] = (trouble / before)[keep]
        elif mean is None:
            keep = torch.ones_like(keep)
        if not bool(keep.any()):
            break
        before = trouble[keep] if mean is not None else None
        here, rows, mean = here.at(keep), rows[keep], ((right + left) / 2)[keep]
    return growth


def _suspects(search: Search) -> Tensor:
    """Where second differences along lines are largest, zoomed in on: kinks and jumps of which no sample knows."""
    inner = search.generic.x[: 48 // search.thinning]
    axis = torch.eye(search.box.k).double().repeat(48 // search.box.k + 1, 1)[: len(inner)]
    along = torch.cat([4 * axis, 8 * torch.ones_like(inner[:12])])
    low, high = torch.cat([inner, inner[:12]]) - along, torch.cat([inner, inner[:12]]) + along
    low, high = torch.cat([low, inner]), torch.cat([high, -inner.flip(0)])
    positions = torch.linspace(0, 1, 9, dtype=torch.float64)[:, None, None]
    for _ in range(18):
        points = low + positions * (high - low)
        y = search.box(points.reshape(-1, search.box.k)).reshape(points.shape)
        bend = (y[:-2] - 2 * y[1:-1] + y[2:]).abs().amax(-1).nan_to_num(0)
        place, line = bend.argmax(0), torch.arange(len(low))
        low, high = points[place, line], points[place + 2, line]
    return (low + high) / 2
