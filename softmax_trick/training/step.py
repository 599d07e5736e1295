"""One training step, timed: forward pass, backward pass, update of the parameters (paper, section 3 and formula 7)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from softmax_trick.training.losses import Loss


class Stopwatch:
    """Wall-clock seconds spent in each phase of the steps; a CUDA device has finished when the watch stops."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    @contextmanager
    def time(self, phase: str) -> Iterator[None]:
        """Charge what is run inside to the phase."""
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.seconds[phase] += time.perf_counter() - start


def training_step(
    net: nn.Module, optimizer: Optimizer, loss: Loss, images: Tensor, labels: Tensor, watch: Stopwatch
) -> Tensor:
    """From the images (n, 1, 28, 28) and labels (n,) to the update of the parameters (section 3, both loops in one).

    With ISBE `start` is the scores and `gradient` the error F(scores) - t; with cross-entropy they are the loss and 1.
    Returns the scores (n, 10) from before the update.

    Raises:
        FloatingPointError: a score is infinite or not a number; nothing has been updated.
    """
    with watch.time("forward"):
        scores: Tensor = net(images)
        start, gradient = loss.start(scores, labels)
    if not scores.isfinite().all():
        raise FloatingPointError("the scores are not finite")
    optimizer.zero_grad()
    with watch.time("backward"):
        start.backward(gradient)
    with watch.time("step"):
        optimizer.step()
    return scores


def backward_share(seconds: dict[str, float]) -> float:
    """tau of formula (7), in percent: the share of the backward pass in forward and backward pass together."""
    return 100 * seconds["backward"] / (seconds["forward"] + seconds["backward"])
