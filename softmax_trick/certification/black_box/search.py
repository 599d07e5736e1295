"""The search for what contradicts a property of a black box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from softmax_trick.certification.black_box.calling import BlackBox, BlackBoxError, Excess, Look
from softmax_trick.certification.black_box.examples import shrunk, structured_scores
from softmax_trick.certification.certificate import Property


class Search:
    """Samples of a black box, and how a property is held against them."""

    def __init__(self, box: BlackBox) -> None:
        self.box = box
        self.thinning = 4 if box.form in ("row", "batch of one") else 1  # one call for each of the scores is slow
        structured, generic = (x[:: self.thinning] for x in structured_scores(box.k, box.random))
        self.samples = Look(box, torch.cat([structured, generic]))
        self.generic = Look(box, generic)
        self.count = int(self.samples.finite.sum())
        if not self.count:
            raise BlackBoxError("the function returned nothing finite for any of the scores tried")

    def counterexample(self, excess: Excess) -> Tensor | None:
        """Scores at which a property fails by more than its tolerance, shrunk; None if none of the samples does."""

        def fails(x: Tensor) -> Tensor:
            return excess(Look(self.box, x)).nan_to_num(0) > 1

        failing = (excess(self.samples).nan_to_num(0) > 1).nonzero()
        return shrunk(self.samples.x[int(failing[0])], fails) if len(failing) else None

    def holds_unless(self, excess: Excess, describe: Callable[[Look], str], text: str = "") -> Property:
        x = self.counterexample(excess)
        return self.unrefuted(text) if x is None else self.refuted(x, describe(self.look_at(x)))

    @cached_property
    def where_smooth(self) -> str:
        """On how much a statement about the Jacobian rests."""
        return f"no counterexample among {int(self.samples.smooth.sum())} scores at which there is a derivative"

    def look_at(self, x: Tensor) -> Look:
        return Look(self.box, x.unsqueeze(0))

    def unrefuted(self, text: str = "", /, **extras: object) -> Property:
        if not text:
            text = f"no counterexample among {self.count} scores"
            if missing := len(self.samples.x) - self.count:
                text += f", {missing} left out where the result is not finite"
        return Property(True, "sampled", reason=self.box.reason(text), extras=extras)

    def refuted(self, x: Tensor, text: str, /, **extras: object) -> Property:
        return Property(False, "sampled", self.box.witness(x), self.box.reason(text), extras)

    def along_rays(self, exponents: Sequence[int]) -> list[Look]:
        """F far out: along the axes, the diagonal, and random directions, at 10 to the exponents times them."""
        unit = torch.eye(self.box.k).double()
        mixed = torch.randint(-1, 2, (16, self.box.k), generator=torch.Generator().manual_seed(1)).double()
        directions = torch.cat([unit, -unit, torch.ones_like(unit[:1]), -torch.ones_like(unit[:1]), mixed])
        return [Look(self.box, directions * 10.0**exponent) for exponent in exponents]
