"""What the native operator has to pass before it is used: `check_loss`, with everything on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from softmax_trick.isbe import native
from softmax_trick.isbe.loss import ISBELoss
from softmax_trick.isbe.values import REDUCTIONS, Reduction
from softmax_trick.normalizers import NORMALIZERS, SOFTMAX


def check(library: str) -> None:
    """Check the operator in the file.

    Raises:
        CheckFailed: it is wrong.
        NotUsable: it cannot be loaded, or is not what computes the loss.
    """
    native.use(native.load(Path(library)))
    try:
        check_everything(_by_the_operator)
    finally:
        native.use()


def check_everything(loss_of: Callable[[str, Reduction], Callable[..., Tensor]]) -> None:
    """`check_loss` with every option for every normalizer; labels, soft targets and the reductions take turns.

    Raises:
        CheckFailed: one of them is wrong.
    """
    from softmax_trick.testing import check_loss

    names = list(NORMALIZERS)
    for turn, name in enumerate([*names, SOFTMAX.name]):
        reduction = REDUCTIONS[turn % len(REDUCTIONS)]
        features: list[Any] = ["label_smoothing"]
        features += ["weights", "masks"] if name == SOFTMAX.name else []
        if turn % 2:
            check_loss(loss_of(name, reduction), name, reduction, "soft", features)
        else:
            features += ["ignore_index", "soft_targets"]
            check_loss(loss_of(name, reduction), name, reduction, "index", features)


def _by_the_operator(name: str, reduction: Reduction) -> Callable[..., Tensor]:
    def loss(scores: Tensor, targets: Tensor, **options: Any) -> Tensor:
        found = ISBELoss(name, reduction, **options)(scores, targets)
        if scores.numel() and found.grad_fn is not None and found.grad_fn.name() != "ISBEBackward":
            raise native.NotUsable(f"{name} is not computed by the operator but by {found.grad_fn.name()}")
        return found

    return loss
