"""What is measured of a network: its loss, its accuracy, how much it knows of the labels, and its predictions."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from softmax_trick.training.batches import Examples
from softmax_trick.training.losses import Loss
from softmax_trick.training.parallel import Part

EVALUATION_BATCH = 500
"""Images at a time: more of them take more memory, and are no sooner done."""


class Tally:
    """Scores of examples with their labels, kept as they come; nothing is computed before `result`.

    So a step pays for none of it: a dozen operations on a batch of ten classes take longer than on all of an epoch.

    Args:
        loss: what is minimised.
        entropy: H(Y) of the labels, in nats.
        part: sums are taken over all its processes.
    """

    def __init__(self, loss: Loss, entropy: float, part: Part | None = None) -> None:
        self._loss, self._entropy, self._part = loss, entropy, part or Part()
        self._scores: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Count the scores (n, K) of n more examples."""
        self._scores.append(scores.detach())
        self._labels.append(labels)

    def result(self) -> dict[str, float | None]:
        """`loss`, `accuracy`, `information` and `squared_error`.

        The mean per example of what is minimised; the accuracy in percent (formula 8), an example being classified by
        its largest F(x); H(Y) - CE in nats, for losses
        that are a cross-entropy and else None: with examples drawn like those to come it estimates a lower bound of the
        mutual information I(X; Y) (claim X.information); and the mean of ||F(x) - t||^2, which the paper draws as the
        loss of ISBE (section 4.1.3), None where no such error is sent back.

        Raises:
            FloatingPointError: a score was infinite or not a number, or the loss is.
        """
        scores, labels = torch.cat(self._scores), torch.cat(self._labels)
        values, error = self._loss.values(scores, labels), self._loss.error
        sums = [
            values.double().sum(),
            (self._loss.classes(scores) == labels).sum(),
            torch.tensor(len(labels)),
            self._finite_batches(scores),
            error(scores, labels).double().square().sum() if error else torch.tensor(0),
        ]
        together = torch.stack([one.to(scores.device, torch.float64) for one in sums])
        loss, correct, examples, finite, squared = self._part.sum(together).tolist()
        if finite < len(self._scores) * self._part.processes:
            since = int(finite) // self._part.processes + 1
            raise FloatingPointError(f"the scores are not finite, from batch {since} of {len(self._scores)} on")
        if not (math.isfinite(loss) and math.isfinite(squared)):
            raise FloatingPointError("the loss is not finite")
        information = self._entropy - loss / examples if self._loss.cross_entropy else None
        return {
            "loss": loss / examples,
            "accuracy": 100 * correct / examples,
            "information": information,
            "squared_error": squared / examples if error else None,
        }

    def _finite_batches(self, scores: Tensor) -> Tensor:
        """How many batches come before the first score that is not finite."""
        ends = torch.tensor([len(batch) for batch in self._scores]).cumsum(0).to(scores.device)
        finite_rows = scores.isfinite().all(-1).cumprod(0).sum()
        return (ends <= finite_rows).sum()

    def classes(self) -> NDArray[np.int16]:
        """The class with the largest F(x) (`Loss.classes`), for each example in its place; shape (n,)."""
        return self._loss.classes(torch.cat(self._scores)).cpu().numpy().astype(np.int16)


def evaluate(net: nn.Module, loss: Loss, examples: Examples, entropy: float) -> Tally:
    """All the examples in their order, without dropout."""
    net.eval()
    tally = Tally(loss, entropy)
    with torch.no_grad():
        for images, labels in examples.in_order(EVALUATION_BATCH):
            tally.add(net(images), labels)
    return tally
