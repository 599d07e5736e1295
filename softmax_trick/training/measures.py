"""What is measured of a network: its loss, its accuracy, how much it knows of the labels, and its predictions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from softmax_trick.training.batches import Examples
from softmax_trick.training.losses import Loss
from softmax_trick.training.parallel import Part

EVALUATION_BATCH = 2_000


class Tally:
    """Means over the examples seen. The sums stay on the device, and nobody waits for them before `result`.

    Args:
        loss: what is minimised.
        entropy: H(Y) of the labels, in nats.
        device: where the scores are.
        part: sums are taken over all its processes.
    """

    def __init__(self, loss: Loss, entropy: float, device: torch.device, part: Part | None = None) -> None:
        self._loss, self._entropy, self._part = loss, entropy, part or Part()
        # Loss, correct ones, examples, batches until the first one with a score that is not finite, squared error.
        self._sums = torch.zeros(5, dtype=torch.float64, device=device)
        self._finite = torch.ones((), dtype=torch.bool, device=device)
        self._batches = 0

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Count the scores (n, 10) of n more examples."""
        with torch.no_grad():
            self._batches += 1
            self._finite &= scores.isfinite().all()
            self._sums[0] += self._loss.values(scores, labels).double().sum()
            self._sums[1] += (scores.argmax(-1) == labels).sum()
            self._sums[2] += len(labels)
            self._sums[3] += self._finite
            if self._loss.error:
                self._sums[4] += self._loss.error(scores, labels).square().sum()

    def result(self) -> dict[str, float | None]:
        """`loss`, `accuracy`, `information` and `squared_error`.

        The mean per example of what is minimised; the accuracy in percent (formula 8); H(Y) - CE in nats, for losses
        that are a cross-entropy and else None: with examples drawn like those to come it estimates a lower bound of the
        mutual information I(X; Y) (claim X.information); and the mean of ||F(x) - t||^2, which the paper draws as the
        loss of ISBE (section 4.1.3), None where no such error is sent back.

        Raises:
            FloatingPointError: a score was infinite or not a number.
        """
        loss, correct, examples, finite, squared = self._part.sum(self._sums.clone()).tolist()
        if finite < self._batches * self._part.processes:
            since = int(finite) // self._part.processes + 1
            raise FloatingPointError(f"the scores are not finite, from batch {since} of {self._batches} on")
        information = self._entropy - loss / examples if self._loss.cross_entropy else None
        return {
            "loss": loss / examples,
            "accuracy": 100 * correct / examples,
            "information": information,
            "squared_error": squared / examples if self._loss.error else None,
        }


def evaluate(net: nn.Module, loss: Loss, examples: Examples, entropy: float) -> dict[str, float | None]:
    """What `Tally` has of all the examples, without dropout; FloatingPointError as there."""
    net.eval()
    tally = Tally(loss, entropy, examples.labels.device)
    with torch.no_grad():
        for images, labels in examples.in_order(EVALUATION_BATCH):
            tally.add(net(images), labels)
    return tally.result()


def predict(net: nn.Module, examples: Examples) -> NDArray[np.int16]:
    """The class with the largest score, for each example in its place; shape (n,)."""
    net.eval()
    with torch.no_grad():
        classes = [net(images).argmax(-1) for images, _ in examples.in_order(EVALUATION_BATCH)]
    return torch.cat(classes).cpu().numpy().astype(np.int16)
