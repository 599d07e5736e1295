"""What a training step sends back, by name: ISBE, cross-entropy, and what is known beside them.

    softmax, sigmoid, tanh, hardtanh, hardsigmoid    ISBE in the direct form (section 3, second loop)
    hardsigmoid_torch                                the same with PyTorch's hardsigmoid, as listed in Appendix B
    implicit-softmax, ...                            the same error as the gradient of its implicit loss, by autograd
    ce-mean, ce-none, ce-sum                         CrossEntropyLoss with that reduction (section 4.1)
    balanced-softmax, vs-loss                        a relocation, and a dilation too, from the class counts
    label-only                                       a constant-length error that knows the label and nothing else
    package.module:function                          ISBE in the direct form with a normalizer of one's own

The eight options of section 4.1 are the first five and the three of cross-entropy. torch is imported when a loss is
used, so that the names are known without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from softmax_trick.normalizers import NORMALIZERS, SOFTMAX, Normalizer
from softmax_trick.system.files import printable
from softmax_trick.training import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

    from softmax_trick.isbe import Reduction


@dataclass(frozen=True)
class Loss:
    """What a training step does with the scores (n, K) and the labels (n,).

    Attributes:
        start: where the backward pass starts and what is sent back from there: for the pair (tensor, gradient) that it
            returns, the step calls `tensor.backward(gradient)`. For ISBE the pair is (scores, F(scores) - t).
        values: the loss that is thereby minimised, one value an example, shape (n,). ISBE does not compute it in
            training: it is the implicit loss P(x) - <x, t> of `softmax_trick.isbe.ISBELoss`. Of a normalizer of one's
            own no implicit loss is known; there it is what the paper plots, ||F(x) - t||^2 (section 4.1.3).
        error: the ISBE error F(x) - t of the scores and labels, (n, K), where that is what is sent back; else None.
        cross_entropy: the values are cross-entropies in nats of soft scores that sum to 1.
        mean: the gradient is 1/n of that of the summed values.
        soft_scores: F, by which examples are classified; None where the largest score has the largest F(x), and for the
            losses from class counts, whose relocation is for training only (Ren et al.): there by the scores.
    """

    start: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
    values: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor] | None = None
    cross_entropy: bool = False
    mean: bool = False
    soft_scores: Callable[[Tensor], Tensor] | None = None

    def classes(self, scores: Tensor) -> Tensor:
        """The class of the largest F(x) for scores (n, K), shape (n,); of several, the one with the largest score."""
        if self.soft_scores is None:
            return scores.argmax(-1)
        y = self.soft_scores(scores)
        return scores.where(y == y.amax(-1, keepdim=True), -math.inf).argmax(-1)


@cache
def _direct(normalizer: Normalizer, blurring: float = 0.0) -> Loss:
    """ISBE in the direct form: no loss, the error goes straight back (section 3, second loop)."""

    error = _isbe_error(normalizer, blurring)
    return Loss(
        start=lambda scores, labels: (scores, error(scores, labels)),
        values=_implicit_values(normalizer, blurring),
        error=error,
        cross_entropy=normalizer is SOFTMAX and not blurring,
        soft_scores=normalizer.torch,
    )


@cache
def _implicit(normalizer: Normalizer, blurring: float = 0.0) -> Loss:
    """ISBE as a loss: autograd finds the same error as the gradient of the sum (Appendix B.2 is after this)."""

    def start(scores: Tensor, labels: Tensor) -> tuple[Tensor, None]:
        from softmax_trick.isbe import ISBELoss

        return ISBELoss(normalizer, "sum", blurring)(scores, labels), None

    return replace(_direct(normalizer, blurring), start=start)


def _isbe_error(normalizer: Normalizer, blurring: float) -> Callable[[Tensor, Tensor], Tensor]:
    def error(scores: Tensor, labels: Tensor) -> Tensor:
        from softmax_trick.isbe import isbe_error

        return isbe_error(scores, labels, normalizer, blurring)

    return error


def _implicit_values(normalizer: Normalizer, blurring: float) -> Callable[[Tensor, Tensor], Tensor]:
    def values(scores: Tensor, labels: Tensor) -> Tensor:
        from softmax_trick.isbe import ISBELoss

        value: Tensor = ISBELoss(normalizer, "none", blurring)(scores, labels)
        return value

    return values


def _cross_entropy(reduction: Reduction, blurring: float = 0.0) -> Loss:
    """Cross-entropy after SoftMax (section 3, first loop); "none" sends a one back to every example's loss.

    A blurring mu of the targets is torch's label smoothing by mu K / (K - 1) (claim X.blurring).
    """

    def smoothing(scores: Tensor) -> float:
        k = scores.shape[-1]
        return blurring * k / (k - 1) if blurring else 0.0

    def start(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        import torch
        from torch.nn.functional import cross_entropy

        loss = cross_entropy(scores, labels, reduction=reduction, label_smoothing=smoothing(scores))
        return loss, torch.ones_like(loss) if reduction == "none" else None

    def values(scores: Tensor, labels: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(scores, labels, reduction="none", label_smoothing=smoothing(scores))

    return Loss(start, values, cross_entropy=not blurring, mean=reduction == "mean")


def _cross_entropies(scores: Tensor, labels: Tensor) -> Tensor:
    from torch.nn.functional import cross_entropy

    return cross_entropy(scores, labels, reduction="none")


def label_only(a: float | None = None, b: float = 1.0) -> Loss:
    """The error e = a 1 - b t, by default 1/K - t: it does not look at the scores.

    After L. Li, M. Doroslovački, M. H. Loew, IEEE Access 8 (2020): errors that depend on the labels alone and have a
    fixed length. Their formulas are not known to this project, only the abstract is; this one is our choice, the ISBE
    error of SoftMax at scores of 0. What is minimised is <e, x>, which has no minimum (claim X.label-only).
    """

    def error(scores: Tensor, labels: Tensor) -> Tensor:
        from torch.nn.functional import one_hot

        k = scores.shape[-1]
        return (1 / k if a is None else a) - b * one_hot(labels, k).to(scores.dtype)

    return Loss(
        start=lambda scores, labels: (scores, error(scores, labels)),
        values=lambda scores, labels: (error(scores, labels) * scores).sum(-1),
    )


def relocated(dilation: Tensor, relocation: Tensor) -> Loss:
    """ISBE with SoftMax(d * x - c), d and c of shape (K,): the error d * (y - t) of the dilated trick, property (P3).

    y - t alone would be the gradient of no loss where the dilations differ. The values are cross-entropies of y. Where
    c is infinite y is 0, and so is the error of a class that is not the label.
    """

    def start(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        from softmax_trick.isbe import isbe_error

        return scores, dilation * isbe_error(dilation * scores.detach() - relocation, labels, "softmax")

    def values(scores: Tensor, labels: Tensor) -> Tensor:
        return _cross_entropies(dilation * scores - relocation, labels)

    return Loss(start, values, cross_entropy=True)


def balanced_softmax(counts: Tensor) -> Loss:
    """c = -log n for class counts n: y_i = n_i exp(x_i) / sum_k n_k exp(x_k) (Ren et al., NeurIPS 2020)."""
    import torch

    return relocated(torch.ones_like(counts), -counts.log())


VS_GAMMA, VS_TAU = 0.15, 1.25
"""The exponents that Kini et al. publish for the long-tailed CIFAR-10."""


def vs_loss(counts: Tensor) -> Loss:
    """d = (n / max n)^gamma and c = -tau log(n / sum n) (Kini et al., NeurIPS 2021), without weights of the labels."""
    return relocated((counts / counts.max()) ** VS_GAMMA, -VS_TAU * (counts / counts.sum()).log())


def _own(name: str) -> Loss:
    """ISBE in the direct form with F = package.module:function, (n, K) to (n, K), and targets in [0, 1]."""
    from softmax_trick.certification.black_box import BlackBoxError, load_function

    try:
        normalizer = load_function(name)
    except BlackBoxError as reason:
        raise TrainingError(f"--loss {name}: {reason}") from reason

    def soft_scores(scores: Tensor) -> Tensor:
        try:
            y: Tensor = normalizer(scores.detach())
        except Exception as reason:  # it may be anything
            fault = f"{type(reason).__name__}: {printable(str(reason).partition(chr(10))[0])}"
            raise TrainingError(
                f"--loss {name}: it fails on scores of shape {tuple(scores.shape)}: {fault}"
            ) from reason
        if getattr(y, "shape", None) != scores.shape:
            found = f"shape {tuple(y.shape)}" if hasattr(y, "shape") else type(y).__name__
            raise TrainingError(f"--loss {name}: it makes {found} of scores of shape {tuple(scores.shape)}")
        return y

    def error(scores: Tensor, labels: Tensor) -> Tensor:
        from torch.nn.functional import one_hot

        return (soft_scores(scores) - one_hot(labels, scores.shape[-1])).to(scores.dtype)

    return Loss(
        start=lambda scores, labels: (scores, error(scores, labels)),
        values=lambda scores, labels: error(scores, labels).square().sum(-1),
        error=error,
        soft_scores=soft_scores,
    )


REDUCTIONS: dict[str, Reduction] = {"ce-mean": "mean", "ce-none": "none", "ce-sum": "sum"}
LOSSES: dict[str, Loss] = {
    **{name: _direct(entry) for name, entry in NORMALIZERS.items()},
    **{name: _cross_entropy(reduction) for name, reduction in REDUCTIONS.items()},
    **{f"implicit-{name}": _implicit(entry) for name, entry in NORMALIZERS.items()},
    "label-only": label_only(),
}
FROM_COUNTS: dict[str, Callable[[Tensor], Loss]] = {"balanced-softmax": balanced_softmax, "vs-loss": vs_loss}
NAMES = (*LOSSES, *FROM_COUNTS)


def get_loss(name: str, counts: Tensor, blurring: float = 0.0) -> Loss:
    """The loss of that name, for training images with these class counts.

    Args:
        name: one of `NAMES`, or package.module:function; importing a module runs its code.
        counts: floating-point tensor of shape (K,), how many training images each class has, on the device.
        blurring: mu in [0, (K - 1) / K), of the targets; for ISBE with a normalizer of the table, and cross-entropy.

    Raises:
        TrainingError: there is no loss of that name, no such function, the counts are wanted and one of them is 0, or
            the loss has no blurring or not this one.
    """
    most = 1 - 1 / len(counts)
    if not 0 <= blurring < most:
        raise TrainingError(f"a blurring of {blurring:g} leaves the class no longer the largest target: below {most:g}")
    if (entry := NORMALIZERS.get(name.removeprefix("implicit-"))) is not None:  # as the table is now
        return _implicit(entry, blurring) if name.startswith("implicit-") else _direct(entry, blurring)
    if name in REDUCTIONS and blurring:
        return _cross_entropy(REDUCTIONS[name], blurring)
    if blurring and (name in NAMES or ":" in name):
        with_it = ", ".join([*NORMALIZERS, *REDUCTIONS])
        raise TrainingError(f"{name} has no blurring: leave it out, or choose one of {with_it}")
    if name in LOSSES:
        return LOSSES[name]
    if name in FROM_COUNTS:
        if not counts.all():
            raise TrainingError(f"class {int(counts.argmin())} has no training image, and {name} needs one of each")
        return FROM_COUNTS[name](counts)
    if ":" in name:
        return _own(name)
    raise TrainingError(f"no loss is called {name!r}: choose one of {', '.join(NAMES)}, or package.module:function")
