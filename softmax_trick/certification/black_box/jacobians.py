"""What the Jacobian of a black box says: symmetric, the gradient of a loss, a convex one."""

from __future__ import annotations

import torch
from torch import Tensor

from softmax_trick.certification.black_box.calling import Look
from softmax_trick.certification.black_box.search import Search
from softmax_trick.certification.certificate import Property


def symmetric_jacobian(search: Search) -> Property:
    """Whether dF_i/dx_j = dF_j/dx_i, where there are derivatives."""

    def excess(look: Look) -> Tensor:
        gap = (look.jacobian - look.jacobian.mT).abs().amax((1, 2))
        return look.smooth * gap / look.jacobian_tolerance

    x = search.counterexample(excess)
    if x is None:
        return search.unrefuted(search.where_smooth, entry=None)
    jacobian = search.look_at(x).jacobian[0]
    i, j = divmod(int((jacobian - jacobian.T).abs().triu().argmax()), search.box.k)
    text = f"dF{i + 1}/dx{j + 1} = {jacobian[i, j]:.6g} and dF{j + 1}/dx{i + 1} = {jacobian[j, i]:.6g} there"
    return search.refuted(x, text, entry=[i + 1, j + 1])


def implicit_loss(symmetric: Property, jump: Tensor | None) -> Property:
    """Whether F is a gradient, as it is if its Jacobian is symmetric and it does not jump."""
    extras = {"potential": None, "expression": None, "entry": symmetric.extras["entry"]}
    if symmetric.holds and jump is not None:
        return Property(None, reason="F jumps or is not defined somewhere: it is no gradient there", extras=extras)
    # A kink does no harm: F is the gradient of its line integrals if it is one almost everywhere and continuous.
    return Property(symmetric.holds, symmetric.rung, symmetric.witness, symmetric.reason, extras)


def convex(search: Search, implicit: Property) -> Property:
    """Whether the Jacobian has no eigenvalue below 0."""
    if not implicit.holds:
        return Property(None, reason="there is no implicit loss")

    def lowest(look: Look) -> Tensor:
        symmetric = (look.jacobian + look.jacobian.mT) / 2
        return torch.linalg.eigvalsh(symmetric.nan_to_num(0, 0, 0))[:, 0]

    def excess(look: Look) -> Tensor:
        return look.smooth * -lowest(look) / (search.box.k * look.jacobian_tolerance)

    def describe(look: Look) -> str:
        return f"the Jacobian has the eigenvalue {float(lowest(look)):.6g} there"

    return search.holds_unless(excess, describe, search.where_smooth)
