"""What torch executes between the scores and the gradient that leaves them: operators, counted one by one.

Tensors that torch only renames (`detach`) are not counted: nothing is computed there. What the count says of time is
nothing; it is the measure that the abstract names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from softmax_trick.ledger.findings import Findings
from softmax_trick.proofs.listing_runs import TWO_SIDED, executed, isbe_class, listing, one_hot, soft_functions

if TYPE_CHECKING:
    from torch import Tensor

REDUCTIONS = ("mean", "none", "sum")
CLASSES = 10


def operators(run: Callable[[], Any]) -> tuple[str, ...]:
    """The names of the operators that a call executes, in their order."""
    from torch.utils._python_dispatch import TorchDispatchMode

    names: list[str] = []

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            names.append(str(function.overloadpacket).removeprefix("aten."))
            return function(*args, **(kwargs or {}))

    with Counting():  # type: ignore[no-untyped-call]
        run()
    return tuple(name for name in names if name != "detach")


def of_cross_entropy(reduction: str, labels: Tensor) -> tuple[str, ...]:
    """The loss of four examples by the last listing of Appendix B, and its gradient at the scores."""
    import torch

    scores = torch.zeros(len(labels), CLASSES, requires_grad=True)

    def run() -> None:
        loss = torch.nn.functional.cross_entropy(scores, labels, reduction=reduction)
        torch.autograd.grad(loss, scores, torch.ones_like(loss) if reduction == "none" else None)

    return operators(run)


def of_isbe(soft: str, labels: Tensor) -> tuple[str, ...]:
    """The soft error of the loops, whose backward starts at the scores: nothing more is executed for it."""
    import torch

    scores, function = torch.zeros(len(labels), CLASSES), soft_functions()[soft]
    return operators(lambda: function(scores) - labels)


def of_isbe_func(labels: Tensor) -> tuple[str, ...]:
    """ISBE_func of Appendix B.2, mended, with its default options: its value, and what it sends back to the scores."""
    import torch

    scores, function = torch.zeros(len(labels), CLASSES, requires_grad=True), isbe_class()
    return operators(lambda: torch.autograd.grad(function.apply(scores, labels)[0], scores))


def _labels() -> Tensor:
    import torch

    return torch.tensor([0, 3, 9, 1])


def fewer_by_loop(findings: Findings) -> None:
    """The second loop of section 3, for each option, against the first, for each reduction and both kinds of labels."""
    indices = _labels()
    hot = one_hot(indices, CLASSES).float()
    entropies = {
        f"cross-entropy, {reduction}, {kind}": of_cross_entropy(reduction, labels)
        for reduction in REDUCTIONS
        for kind, labels in (("class indices", indices), ("vectors", hot))
    }
    least = min(entropies, key=lambda name: len(entropies[name]))
    for soft in soft_functions():
        labels = 2 * hot - 1 if soft in TWO_SIDED else hot
        own = of_isbe(soft, labels)
        findings.holds(
            f"ISBE, {soft}: {', '.join(own)}; {least}: {', '.join(entropies[least])}",
            0 < len(own) < len(entropies[least]),
            isbe=", ".join(own),
            cross_entropy=", ".join(entropies[least]),
        )


def nothing_backward(findings: Findings) -> None:
    """The second loop of section 3, for each option: the function and a difference, forward; cross-entropy goes "
    "back."""
    hot = one_hot(_labels(), CLASSES).float()
    for soft in soft_functions():
        own = of_isbe(soft, hot)
        findings.holds(
            f"ISBE, {soft}: {', '.join(own)}, and the error is at the scores",
            len(own) == 2 and own[1] == "sub",
            operators=", ".join(own),
        )
    back = [name for name in of_cross_entropy("mean", _labels()) if "backward" in name]
    findings.same("cross-entropy: the backward of both its units", tuple(back), BACKWARD_OF_CE)


BACKWARD_OF_CE = ("nll_loss_backward", "_log_softmax_backward_data")


def fewer_by_function(findings: Findings) -> None:
    """ISBE_func against cross_entropy_func of the same appendix, reduction mean, no smoothing, class indices."""
    from types import SimpleNamespace

    import torch

    labels = _labels()
    own = of_isbe_func(labels)
    ex = SimpleNamespace(batch_size=4, device="cpu", loss_options={"reduction": "mean", "label_smoothing": 0.0})
    names = executed(listing("CROSS_ENTROPY"), torch=torch, ex=ex, F=torch.nn.functional)
    scores = torch.zeros(len(labels), CLASSES, requires_grad=True)
    entropy = operators(lambda: torch.autograd.grad(names["cross_entropy_func"](scores, labels), scores))
    findings.holds(
        "ISBE_func executes fewer operators than cross_entropy_func",
        len(own) < len(entropy),
        **{"ISBE_func": f"{len(own)}: {', '.join(own)}", "cross_entropy_func": f"{len(entropy)}: {', '.join(entropy)}"},
    )
