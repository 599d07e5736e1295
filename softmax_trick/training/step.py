"""One training step, timed: forward pass, backward pass, update of the parameters (paper, section 3 and formula 7)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from softmax_trick.training.losses import Loss


class Stopwatch:
    """Seconds spent in each phase of the steps, by the clock, or on a CUDA device by its events, without waiting."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: dict[str, float] = defaultdict(float)
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def time(self, phase: str) -> Iterator[None]:
        """Charge what is run inside to the phase."""
        if self._cuda:
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            yield
            end.record()
            self._events.append((phase, begin, end))
        else:
            start = time.perf_counter()
            yield
            self._seconds[phase] += time.perf_counter() - start

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each phase so far; waits until the device has come so far."""
        if self._events:
            torch.cuda.synchronize()
        for phase, begin, end in self._events:
            self._seconds[phase] += begin.elapsed_time(end) / 1000
        self._events.clear()
        return dict(self._seconds)


def training_step(
    net: nn.Module, optimizer: Optimizer, loss: Loss, images: Tensor, labels: Tensor, watch: Stopwatch
) -> Tensor:
    """From the images (n, channels, height, width) and labels (n,) to the update of the parameters.

    Both loops of section 3 in one: with ISBE `start` is the scores and `gradient` the error F(scores) - t; with
    cross-entropy they are the loss and 1. Returns the scores (n, K) from before the update.

    Raises:
        FloatingPointError: on a CPU, a score is infinite or not a number; nothing has been updated. Any other device
            would have to be waited for: there it shows at the end of the epoch, in `Tally.result`.
    """
    with watch.time("forward"):
        scores: Tensor = net(images)
        start, gradient = loss.start(scores, labels)
    if scores.device.type == "cpu" and not scores.isfinite().all():
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
