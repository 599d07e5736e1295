"""Whether a black box is bounded, and Lipschitz: how it grows far out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from softmax_trick.certification.black_box.calling import Look
from softmax_trick.certification.black_box.examples import known_decimal
from softmax_trick.certification.black_box.search import Search
from softmax_trick.certification.certificate import Property


def bounded(search: Search) -> Property:
    """Whether the extreme values still move by half as much from 100 to 1000 as they did from 10 to 100."""
    looks, k = search.along_rays(range(4)), search.box.k

    def highest(look: Look) -> Tensor:
        """Of the K components, and of their negatives."""
        return _signed(look).amax(0)

    seen = [highest(look) for look in looks]
    grows = _still_growing(seen, _largest(looks[-1].tolerance))
    if bool(grows.any()):  # or is it only slow to come to its limit?
        grows &= _still_growing([highest(look) for look in search.along_rays((6, 9, 12))], 0.0)
    ends = torch.stack([*seen, highest(search.samples)]).amax(0).masked_fill(grows, torch.inf).tolist()
    known = _largest(looks[0].tolerance)
    ranges = [
        [None if math.isinf(end) else known_decimal(end, known) for end in (-ends[k + i], ends[i])] for i in range(k)
    ]
    if not bool(grows.any()):
        return search.unrefuted("the range observed, for scores up to 1e3", range=ranges)
    column = int(grows.nonzero()[0])
    x = looks[-1].x[int(_signed(looks[-1])[:, column].argmax())]
    sign, sizes = ("" if column < k else "-"), ", ".join(f"{float(one[column]):.6g}" for one in seen)
    text = f"{sign}F{column % k + 1} grows: it is up to {sizes} for scores up to 1, 10, 100, 1000"
    return search.refuted(x, text, range=ranges)


def lipschitz(search: Search, jump: Tensor | None) -> Property:
    """The largest singular value of the Jacobian, and whether it still grows far out."""
    if jump is not None:
        return search.refuted(jump, "F jumps, is infinitely steep or not defined there", bound=None, exact=None)

    def steepness(look: Look) -> Tensor:
        """The largest singular value; infinite where F is too large for a float64."""
        usable = look.smooth & look.finite
        jacobian = torch.where(usable[:, None, None], look.jacobian, 0.0).nan_to_num(0, 0, 0)
        return torch.linalg.matrix_norm(jacobian, 2).masked_fill(look.y.isinf().any(-1), torch.inf)

    looks = search.along_rays(range(4))
    steepest = [steepness(look).amax(0, keepdim=True) for look in looks]
    if bool(_still_growing(steepest, search.box.k * _largest(looks[-1].jacobian_tolerance))):
        x = looks[-1].x[int(steepness(looks[-1]).argmax())]
        sizes = ", ".join(f"{float(one):.6g}" for one in steepest)
        text = f"the Jacobian's largest singular values are {sizes} for scores up to 1, 10, 100, 1000"
        return search.refuted(x, text, bound=None, exact=None)
    finite = search.samples.at(search.samples.finite.nonzero().squeeze(-1))
    found, error = steepness(finite), search.box.k * finite.jacobian_tolerance
    best = int((found - error).nan_to_num(-torch.inf).argmax())
    text = "the largest singular value found: no Lipschitz constant is below it"
    return search.unrefuted(text, bound=known_decimal(float(found[best]), float(error[best])), exact=False)


def _signed(look: Look) -> Tensor:
    """F and -F side by side; what is not a number is left out of any maximum."""
    return torch.cat([look.y, -look.y], -1).nan_to_num(-torch.inf, torch.inf, -torch.inf)


def _largest(values: Tensor) -> float:
    return float(values.nan_to_num(0, 0, 0).amax())


def _still_growing(values: Sequence[Tensor], tolerance: float) -> Tensor:
    """Which entries grow from the last but one to the last by half of what they grew before, or are infinite."""
    before, then, now = values[-3:]
    return now.isinf() & (now > 0) | (now - then > tolerance) & (now - then >= (then - before) / 2)
