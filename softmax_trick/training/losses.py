"""The eight options of section 4.1: ISBE with five normalizers, CrossEntropyLoss with three reductions.

torch is imported when a loss is used, so that their names are known without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from softmax_trick.isbe import Reduction


@dataclass(frozen=True)
class Loss:
    """What a training step does with the scores (n, 10) and the labels (n,).

    Attributes:
        start: where the backward pass starts and what is sent back from there: for the pair (tensor, gradient) that it
            returns, the step calls `tensor.backward(gradient)`. For ISBE the pair is (scores, F(scores) - t).
        values: the loss that is thereby minimised, one value an example, shape (n,). ISBE does not compute it in
            training: it is the implicit loss P(x) - <x, t> of `softmax_trick.isbe.ISBELoss`.
    """

    start: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
    values: Callable[[Tensor, Tensor], Tensor]


def _isbe(normalizer: str) -> Loss:
    """ISBE in the direct form: no loss, the error goes straight back (section 3, second loop)."""

    def start(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        from softmax_trick.isbe import isbe_error

        return scores, isbe_error(scores, labels, normalizer)

    def values(scores: Tensor, labels: Tensor) -> Tensor:
        from softmax_trick.isbe import ISBELoss

        value: Tensor = ISBELoss(normalizer, reduction="none")(scores, labels)
        return value

    return Loss(start, values)


def _cross_entropy(reduction: Reduction) -> Loss:
    """Cross-entropy after SoftMax (section 3, first loop); "none" sends a one back to every example's loss."""

    def start(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        import torch
        from torch.nn.functional import cross_entropy

        loss = cross_entropy(scores, labels, reduction=reduction)
        return loss, torch.ones_like(loss) if reduction == "none" else None

    def values(scores: Tensor, labels: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(scores, labels, reduction="none")

    return Loss(start, values)


LOSSES: dict[str, Loss] = {
    "softmax": _isbe("softmax"),
    "sigmoid": _isbe("sigmoid"),
    "tanh": _isbe("tanh"),
    "hardtanh": _isbe("hardtanh"),
    "hardsigmoid": _isbe("hardsigmoid"),
    "ce-mean": _cross_entropy("mean"),
    "ce-none": _cross_entropy("none"),
    "ce-sum": _cross_entropy("sum"),
}
