"""What the values of a black box say: defined, summing to 1, positive, order-preserving."""

from __future__ import annotations

import torch
from torch import Tensor

from softmax_trick.certification.black_box.calling import Look
from softmax_trick.certification.black_box.search import Search
from softmax_trick.certification.certificate import Property

NEAR = 4.0  # a result that is not finite counts as such for |x_i| up to this; farther out it may be an overflow
CANCELLED = 2.0**-56  # 1 minus what is nearly 1 leaves 2^-53 at least
UNDERFLOW = 1e-30  # below it a positive result is taken for a small exponential, of float32 or float64


def defined(search: Search) -> tuple[Property, Tensor | None]:
    """Whether the results are finite, for moderate scores; and scores at which they are not."""
    x = search.counterexample(lambda look: 2.0 * (~look.finite & (look.x.abs().amax(-1) <= NEAR)))
    if x is not None:
        return search.refuted(x, "the result is not finite there"), x
    return search.unrefuted(f"finite at all scores that were tried, up to {NEAR:g} in size"), None


def unity(search: Search) -> Property:
    """Whether the components sum to 1."""
    return search.holds_unless(lambda look: (look.y.sum(-1) - 1).abs() / (look.tolerance + search.box.allowance), _sum)


def positive(search: Search) -> Property:
    """Whether F > 0, where an exact zero may be an underflow, or 1 - 1 for what is nearly 1."""
    base = search.samples.y.masked_fill(~search.samples.finite[:, None], -torch.inf)
    start = search.samples.x[base.argmax(0)]  # for each component, scores at which it is largest

    def excess(look: Look) -> Tensor:
        negative = (-look.y / look.tolerance[:, None]).amax(-1)
        zero = _vanishing(search, look, start)
        return torch.where(look.finite & zero.any(-1), 2.0, negative)

    return search.holds_unless(excess, _smallest)


def _vanishing(search: Search, look: Look, start: Tensor) -> Tensor:
    """Which components (n, K) are zero for real, and not by rounding.

    Found is where they become zero. The last values before an underflow are tiny, however steep the function is.
    Those before a real zero, or before 1 - 1 of what is nearly 1, are not; at a distance of 1/16 a component is
    large again in the first case, and in the second not unless it grows by e^8 or so, that is at a rate above 100.
    A last value between what underflows and what 1 - 1 leaves is neither: it was cut off.
    """
    zero = (look.y <= 0) & look.finite[:, None]
    rows, place = zero.nonzero().unbind(-1)
    found = torch.zeros_like(zero)
    if not len(rows):
        return found
    outside, inside = start[place], look.x[rows]

    def component(x: Tensor) -> Tensor:
        return search.box(x).gather(-1, place[:, None]).squeeze(-1)

    everywhere = component(outside) <= 0
    for _ in range(40):
        middle = (outside + inside) / 2
        still = (component(middle) <= 0)[:, None]
        outside, inside = torch.where(still, outside, middle), torch.where(still, middle, inside)
    back = start[place] - inside
    length = back.norm(dim=-1, keepdim=True)
    near = Look(search.box, inside + back * (1 / 16 / length).clamp(max=1).nan_to_num(0))
    seen = near.y.gather(-1, place[:, None]).squeeze(-1) > near.tolerance
    last = component(outside)
    seen |= last < CANCELLED
    seen &= last > UNDERFLOW
    found[rows, place] = everywhere | seen
    return found


def order_preserving(search: Search) -> Property:
    """Whether x_i >= x_j implies F_i >= F_j."""
    return search.holds_unless(_disorder, _reversed_pair)


def _sum(look: Look) -> str:
    return f"the components sum to {float(look.y.sum()):.10g} there"


def _smallest(look: Look) -> str:
    i = int(look.y[0].argmin())
    return f"component {i + 1} is {float(look.y[0, i]):.6g} there"


def _orders(look: Look) -> Tensor:
    """F_j - F_i (n, i, j) where x_i >= x_j, and 0 elsewhere."""
    ordered = look.x.unsqueeze(2) >= look.x.unsqueeze(1)
    return torch.where(ordered, look.y.unsqueeze(1) - look.y.unsqueeze(2), 0.0)


def _disorder(look: Look) -> Tensor:
    return look.finite * _orders(look).amax((1, 2)) / (2 * look.tolerance)


def _reversed_pair(look: Look) -> str:
    i, j = divmod(int(_orders(look)[0].argmax()), look.x.shape[-1])
    y = look.y[0]
    return f"x{i + 1} >= x{j + 1}, but F{i + 1} = {float(y[i]):.6g} < F{j + 1} = {float(y[j]):.6g}"
