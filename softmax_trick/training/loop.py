"""A run, epoch for epoch: Adam with an exponentially decaying learning rate, as in the paper (section 4.2).

The paper gives the initial learning rate for MNIST, 0.01. It gives neither the decay nor the batch size: `LR_DECAY` and
the default batch size are this project's choice. Images enter as grey levels in [0, 1], without augmentation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.lr_scheduler import ExponentialLR

from softmax_trick.training import TrainingError
from softmax_trick.training.batches import Examples, seed_generators
from softmax_trick.training.data import DataSet
from softmax_trick.training.folder import RunFolder
from softmax_trick.training.losses import LOSSES, Loss
from softmax_trick.training.networks import build
from softmax_trick.training.step import Stopwatch, backward_share, training_step

LR_DECAY = 0.9
"""The factor of the learning rate per epoch."""

EVALUATION_BATCH = 2_000


@dataclass(frozen=True)
class Settings:
    """What determines a run, up to rounding; config.json holds it.

    Attributes:
        net: a key of `softmax_trick.training.networks.NETWORKS`.
        loss: a key of `softmax_trick.training.losses.LOSSES`.
        data: a key of `softmax_trick.training.data.SOURCES`.
        epochs: passes through the training images.
        batch_size: images a step.
        lr: the learning rate of the first epoch.
        seed: of the initial parameters, the order of the images and the dropout masks; not of the splits.
        device: cpu, cuda or cuda:N.
        lr_decay: the learning rate of an epoch is this times that of the epoch before.
    """

    net: str
    loss: str
    data: str
    epochs: int
    batch_size: int
    lr: float
    seed: int
    device: str
    lr_decay: float = LR_DECAY


class Tally:
    """Mean loss and accuracy over the examples seen."""

    def __init__(self, loss: Loss) -> None:
        self._values = loss.values
        self._loss, self._correct, self._examples = 0.0, 0, 0

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Count the scores (n, 10) of n more examples."""
        with torch.no_grad():
            self._loss += self._values(scores, labels).double().sum().item()
            self._correct += int((scores.argmax(-1) == labels).sum())
            self._examples += len(labels)

    def result(self) -> dict[str, float]:
        """`loss`, the mean per example of what is minimised, and `accuracy` in percent (formula 8)."""
        return {"loss": self._loss / self._examples, "accuracy": 100 * self._correct / self._examples}


def environment() -> str:
    """What, besides the settings, decides the last bits of the result on a CPU."""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"


def evaluate(net: nn.Module, loss: Loss, examples: Examples) -> dict[str, float]:
    """Loss and accuracy on all the examples, without dropout; FloatingPointError as in `training_step`."""
    net.eval()
    tally = Tally(loss)
    with torch.no_grad():
        for images, labels in zip(
            examples.images.split(EVALUATION_BATCH), examples.labels.split(EVALUATION_BATCH), strict=True
        ):
            scores = net(images)
            if not scores.isfinite().all():
                raise FloatingPointError("the scores are not finite")
            tally.add(scores, labels)
    return tally.result()


def train(settings: Settings, data: DataSet, folder: RunFolder) -> list[dict[str, Any]]:
    """Train from the folder's last checkpoint, or from the start, to the last epoch; the metrics of all epochs.

    Each record has the keys `epoch` (from 1), `lr`, `train`, `validation` and `test` (each with the mean `loss` per
    example and the `accuracy` in percent), `seconds` (in `forward`: network and normalisation or loss; `backward`;
    `step`: the optimizer), `tau` in percent, formula (7), and the `environment`. The figures of `train` are taken in
    passing, with dropout and while the parameters move; the others after the epoch, without dropout.

    Raises:
        TrainingError: the scores cease to be finite, or the folder cannot be read or written. The last checkpoint is
            kept in either case.
    """
    device = torch.device(settings.device)
    loss = LOSSES[settings.loss]
    examples, validation, test = (Examples.of(split, device) for split in (data.train, data.validation, data.test))
    seed_generators(settings.seed, 0)
    net = build(settings.net).to(device)
    optimizer = Adam(net.parameters(), lr=settings.lr)
    schedule = ExponentialLR(optimizer, gamma=settings.lr_decay)
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}

    metrics = folder.restore(parts)
    if len(metrics) == settings.epochs:
        return metrics
    if any(record["environment"] != environment() for record in metrics):
        print(
            f"note: epochs of this run were made with {metrics[-1]['environment']} and the rest will be with "
            f"{environment()}: the result will not be bitwise that of an uninterrupted run",
            file=sys.stderr,
        )

    steps = -(-len(examples.labels) // settings.batch_size)
    with progress_bar(f"{settings.net} {settings.loss}", steps * settings.epochs, steps * len(metrics)) as advance:
        for epoch in range(len(metrics) + 1, settings.epochs + 1):
            seed_generators(settings.seed, epoch)
            lr = schedule.get_last_lr()[0]
            tally, watch, step = Tally(loss), Stopwatch(device), 0
            net.train()
            try:
                for step, (images, labels) in enumerate(examples.batches(settings.batch_size), start=1):
                    scores = training_step(net, optimizer, loss, images, labels, watch)
                    tally.add(scores, labels)
                    advance(f"epoch {epoch} of {settings.epochs}, step {step}")
                results = {"validation": evaluate(net, loss, validation), "test": evaluate(net, loss, test)}
            except FloatingPointError as error:
                kept = f"the checkpoint after epoch {epoch - 1} is kept" if metrics else "there is no checkpoint yet"
                raise TrainingError(
                    f"epoch {epoch}, step {step}: {error}; {kept}: try a smaller --lr in another --out"
                ) from error
            metrics.append(
                {"epoch": epoch, "lr": lr, "train": tally.result(), **results}
                | {"seconds": dict(watch.seconds), "tau": backward_share(watch.seconds), "environment": environment()}
            )
            schedule.step()
            folder.save(parts, metrics)
    return metrics


@contextmanager
def progress_bar(title: str, steps: int, done: int = 0) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr; call what it gives once a step, with what is going on."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=steps, completed=done)
        yield lambda doing: progress.update(task, advance=1, description=f"{title}, {doing}")
