"""What follows from properties that were decided for one that was not, for want of time or of a proof of its own."""

from __future__ import annotations

from collections.abc import Mapping

from softmax_trick.certification.certificate import Property
from softmax_trick.ledger.claims import RUNGS

# A property, whether it then holds, what it follows from, and why.
RULES: tuple[tuple[str, bool, Mapping[str, bool], str], ...] = (
    ("bounded", True, {"unity": True, "positive": True}, "positive entries that sum to 1"),
    ("softmax_type", False, {"differentiable": False}, "F is not differentiable"),
    ("trick", False, {"softmax_type": False}, "it asks for the softmax type"),
    ("generalised_softmax", False, {"softmax_type": False}, "it asks for the softmax type"),
    ("generalised_softmax", False, {"unity": False}, "it asks for unity"),
    ("generalised_softmax", False, {"positive": False}, "it asks for positive entries"),
    ("symmetric_jacobian", True, {"convex": True}, "there is an implicit loss"),
    ("implicit_loss", True, {"differentiable": True, "symmetric_jacobian": True}, "its Jacobian is symmetric"),
    ("implicit_loss", False, {"symmetric_jacobian": False}, "its Jacobian is not symmetric"),
)


def with_implied(found: Mapping[str, Property], k: int | None) -> dict[str, Property]:
    """The properties, each that is undecided and follows from others as these have it, on the weakest of their rungs.

    Args:
        found: the properties by name.
        k: the number of components; None for every K.
    """
    known = dict(found)
    for name, holds, premises, reason in RULES:
        if known[name].holds is None and all(known[one].holds is value for one, value in premises.items()):
            first = known[next(iter(premises))]
            rungs = [rung for one in premises if (rung := known[one].rung)]
            extras = dict.fromkeys(known[name].extras)
            if name == "bounded":
                extras |= {"range": None, "bound": [["0", "1"]] * (k or 1)}
            known[name] = Property(holds, min(rungs, key=RUNGS.index), None if holds else first.witness, reason, extras)
    return known
