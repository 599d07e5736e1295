"""A run, epoch for epoch: Adam with an exponentially decaying learning rate, as in the paper (sections 4.1 and 4.2).

Images enter as levels in [0, 1].
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils import deterministic

from softmax_trick.system.progress import Advance, progress_of
from softmax_trick.system.terminal import complain
from softmax_trick.training import TrainingError
from softmax_trick.training.batches import Examples, seed_generators
from softmax_trick.training.data import DataSet
from softmax_trick.training.folder import METRICS, RunFolder
from softmax_trick.training.losses import Loss, get_loss
from softmax_trick.training.measures import Tally, evaluate
from softmax_trick.training.networks import build
from softmax_trick.training.parallel import Part
from softmax_trick.training.settings import Settings
from softmax_trick.training.step import Stopwatch, backward_share, training_step


def make_reproducible() -> None:
    """Have torch compute the same bits every time, and float32 as float32; to be called before CUDA is used."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # It also has torch fill new tensors, lest they be read before they are written to: time for nothing, nobody does.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.allow_tf32 = False


def environment(part: Part | None = None) -> str:
    """What, besides the settings, decides the last bits of the result on a CPU."""
    processes = f", {part.processes} processes" if part and part.processes > 1 else ""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads{processes}"


def train(
    settings: Settings, data: DataSet, folder: RunFolder, progress: bool = True, part: Part | None = None
) -> list[dict[str, Any]]:
    """Train from the folder's last checkpoint, or from the start, to the last epoch; the metrics of all epochs.

    Each record has the keys `epoch` (from 1), `lr`, `train`, `validation` and `test` (each with the mean `loss` per
    example, the `accuracy` in percent, by the class with the largest F(x), the `information` in nats and the
    `squared_error`, see `Tally.result`), `seconds` (in `forward`: network and normalisation or loss; `backward`;
    `step`: the optimizer), `tau` in percent, formula (7), and the `environment`. The figures of `train` are taken in
    passing, with dropout and while the parameters move; the others after the epoch, without dropout. At last the
    predicted classes of the test images are written.

    Args:
        settings: what determines the run.
        data: the data set that the settings name.
        folder: where the run is kept.
        progress: whether it is shown on stderr how far the run has come.
        part: of several processes that make one run, what this one takes; all of it by default.

    Raises:
        TrainingError: the settings do not fit each other or the data, the scores cease to be finite, or the folder
            cannot be read or written. The last checkpoint is kept in each case.
    """
    part = part or Part()
    if (complete := folder.complete(settings)) is not None:
        return complete
    run = _Run.begun(settings, data, part)
    metrics = folder.restore(run.parts)
    if len(metrics) > settings.epochs:
        raise TrainingError(f"{folder.path} has {len(metrics)} epochs, not {settings.epochs}: choose another --out")
    if metrics:
        folder.write_lines(METRICS, metrics)  # without those of an epoch that was interrupted
    if len(metrics) == settings.epochs:
        if not folder.has_predictions:
            folder.save_predictions(run.evaluated("test").classes())
        return metrics
    folder.remove_predictions()
    if part.rank == 0 and any(record["environment"] != environment(part) for record in metrics):
        complain(
            f"note: epochs of this run were made with {metrics[-1]['environment']} and the rest will be with "
            f"{environment(part)}: the result will not be bitwise that of an uninterrupted run"
        )
    title, shown = f"{settings.net} {settings.loss}", progress and part.rank == 0
    with progress_of(title, run.steps * settings.epochs, "steps", run.steps * len(metrics), shown) as advance:
        for epoch in range(len(metrics) + 1, settings.epochs + 1):
            record, tested = run.epoch(epoch, advance)
            metrics.append(record)
            folder.save(run.parts, metrics)
    folder.save_predictions(tested.classes())
    return metrics


@dataclass(frozen=True)
class _Run:
    """What a run moves, and what it moves it by.

    Attributes:
        settings: of the run.
        part: what this process takes of every batch.
        loss: where the backward pass starts.
        entropy: of the targets of the training images, in nats.
        examples: the training images on the device.
        held_out: the validation and the test images, each with the entropy of their targets.
        net: the network.
        optimizer: Adam.
        schedule: the decay of the learning rate.
    """

    settings: Settings
    part: Part
    loss: Loss
    entropy: float
    examples: Examples
    held_out: Mapping[str, tuple[Examples, float]]
    net: nn.Sequential
    optimizer: Adam
    schedule: ExponentialLR

    @classmethod
    def begun(cls, settings: Settings, data: DataSet, part: Part) -> _Run:
        """A run before its first epoch."""
        device = part.device(settings.device)
        split = data.train.long_tailed(settings.imbalance)
        smallest = min(settings.batch_size, len(split.labels) % settings.batch_size or settings.batch_size)
        if smallest < part.processes:
            raise TrainingError(
                f"a batch has fewer than {part.processes} images, one a process: choose another --batch-size"
            )
        counts = torch.tensor(split.counts, dtype=torch.float32, device=device)
        loss = get_loss(settings.loss, counts, settings.blurring)
        examples = Examples.of(split, device)
        held_out = {
            name: (Examples.of(of, device), of.entropy)
            for name, of in {"validation": data.validation, "test": data.test}.items()
        }
        seed_generators(settings.seed, 0)
        net = build_for(settings.net, data).to(device)
        optimizer = Adam(net.parameters(), lr=settings.lr, fused=True)
        schedule = ExponentialLR(optimizer, gamma=settings.lr_decay)
        return cls(settings, part, loss, split.entropy, examples, held_out, net, optimizer, schedule)

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"net": self.net, "optimizer": self.optimizer, "schedule": self.schedule}

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return -(-len(self.examples.labels) // self.settings.batch_size)

    @cached_property
    def _shared(self) -> tuple[nn.Module, Loss]:
        """The network to make steps with and the loss to send back, of several processes those that sum up."""
        return self.part.net(self.net), self.part.loss(self.loss)

    def evaluated(self, name: str) -> Tally:
        """What the network makes of the images that are held out under that name."""
        return evaluate(self.net, self.loss, *self.held_out[name])

    def epoch(self, number: int, advance: Advance) -> tuple[dict[str, Any], Tally]:
        """One epoch: its record, see `train`, and what the network then makes of the test images."""
        settings = self.settings
        stepping, sending = self._shared
        seed_generators(settings.seed, number)
        lr = self.schedule.get_last_lr()[0]
        tally, watch, step = Tally(self.loss, self.entropy, self.part), Stopwatch(self.part.device(settings.device)), 0
        self.net.train()
        try:
            batches = self.examples.batches(settings.batch_size, settings.augment, self.part)
            for step, (images, labels) in enumerate(batches, start=1):
                scores = training_step(stepping, self.optimizer, sending, images, labels, watch)
                tally.add(scores, labels)
                advance(f"epoch {number} of {settings.epochs}, step {step}")
            tallies = {"train": tally} | {name: self.evaluated(name) for name in self.held_out}
            results = {name: one.result() for name, one in tallies.items()}
        except FloatingPointError as error:
            kept = f"the checkpoint after epoch {number - 1} is kept" if number > 1 else "there is no checkpoint yet"
            raise TrainingError(
                f"epoch {number}, step {step}: {error}; {kept}: try a smaller --lr in another --out"
            ) from error
        self.schedule.step()
        seconds = watch.seconds
        times = {"seconds": seconds, "tau": backward_share(seconds), "environment": environment(self.part)}
        return {"epoch": number, "lr": lr, **results, **times}, tallies["test"]


def build_for(name: str, data: DataSet) -> nn.Sequential:
    """The network for the images of the data set.

    Raises:
        TrainingError: it does not take such images.
    """
    try:
        return build(name, data.train.image, data.train.classes)
    except ValueError as error:
        raise TrainingError(f"--data {data.name}: {error}") from error
