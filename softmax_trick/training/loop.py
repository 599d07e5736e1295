"""A run, epoch for epoch: Adam with an exponentially decaying learning rate, as in the paper (sections 4.1 and 4.2).

The paper gives the initial learning rates, 0.01 for MNIST and 0.1 for CIFAR-10. It gives neither the decay nor the
batch size: `LR_DECAY` and the default batch size are this project's choice. Images enter as levels in [0, 1].
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import ExponentialLR

from softmax_trick.system.terminal import complain
from softmax_trick.training import TrainingError
from softmax_trick.training.batches import Examples, seed_generators
from softmax_trick.training.data import DataSet
from softmax_trick.training.folder import METRICS, RunFolder
from softmax_trick.training.losses import get_loss
from softmax_trick.training.measures import Tally, evaluate
from softmax_trick.training.networks import build
from softmax_trick.training.parallel import Part
from softmax_trick.training.progress import progress_bar
from softmax_trick.training.step import Stopwatch, backward_share, training_step

LR_DECAY = 0.9
"""The factor of the learning rate per epoch."""


@dataclass(frozen=True)
class Settings:
    """What determines a run, up to rounding; config.json holds it.

    Attributes:
        net: a key of `softmax_trick.training.networks.NETWORKS`.
        loss: one of `softmax_trick.training.losses.NAMES`, or package.module:function.
        data: a key of `softmax_trick.training.data.SOURCES`.
        epochs: passes through the training images.
        batch_size: images a step, of all processes together.
        lr: the learning rate of the first epoch.
        seed: of the initial parameters, the order of the images, the augmentation and the dropout masks; not of the
            splits.
        device: cpu, cuda or cuda:N.
        lr_decay: the learning rate of an epoch is this times that of the epoch before.
        imbalance: the training images are thinned out until the largest class has this times as many as the smallest
            one (`Split.long_tailed`); 1 for all of them.
        augment: whether each training image is transformed by a random affine map, a new one every epoch.
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
    imbalance: float = 1.0
    augment: bool = False


def make_reproducible() -> None:
    """Have torch compute the same bits every time, and float32 as float32; to be called before CUDA is used."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
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
        progress: whether a progress bar is shown on stderr.
        part: of several processes that make one run, what this one takes; all of it by default.

    Raises:
        TrainingError: the settings do not fit each other or the data, the scores cease to be finite, or the folder
            cannot be read or written. The last checkpoint is kept in each case.
    """
    part = part or Part()
    if (complete := folder.complete(settings)) is not None:
        return complete
    device = part.device(settings.device)
    split = data.train.long_tailed(settings.imbalance)
    if min(settings.batch_size, len(split.labels) % settings.batch_size or settings.batch_size) < part.processes:
        raise TrainingError(
            f"a batch has fewer than {part.processes} images, one a process: choose another --batch-size"
        )
    loss = get_loss(settings.loss, torch.tensor(split.counts, dtype=torch.float32, device=device))
    examples = Examples.of(split, device)
    held_out = {
        name: (Examples.of(of, device), of.entropy)
        for name, of in {"validation": data.validation, "test": data.test}.items()
    }
    seed_generators(settings.seed, 0)
    net = build_for(settings.net, data).to(device)
    optimizer = Adam(net.parameters(), lr=settings.lr, fused=True)
    schedule = ExponentialLR(optimizer, gamma=settings.lr_decay)
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}

    metrics = folder.restore(parts)
    if len(metrics) > settings.epochs:
        raise TrainingError(f"{folder.path} has {len(metrics)} epochs, not {settings.epochs}: choose another --out")
    if metrics:
        folder.write_lines(METRICS, metrics)  # without those of an epoch that was interrupted
    if len(metrics) == settings.epochs:
        if not folder.has_predictions:
            folder.save_predictions(evaluate(net, loss, *held_out["test"]).classes())
        return metrics
    folder.remove_predictions()
    if part.rank == 0 and any(record["environment"] != environment(part) for record in metrics):
        complain(
            f"note: epochs of this run were made with {metrics[-1]['environment']} and the rest will be with "
            f"{environment(part)}: the result will not be bitwise that of an uninterrupted run"
        )

    stepping, sending = part.net(net), part.loss(loss)
    steps = -(-len(examples.labels) // settings.batch_size)
    title = f"{settings.net} {settings.loss}"
    shown = progress and part.rank == 0
    with progress_bar(title, steps * settings.epochs, steps * len(metrics), shown) as advance:
        for epoch in range(len(metrics) + 1, settings.epochs + 1):
            seed_generators(settings.seed, epoch)
            lr = schedule.get_last_lr()[0]
            tally, watch, step = Tally(loss, split.entropy, part), Stopwatch(device), 0
            net.train()
            try:
                batches = examples.batches(settings.batch_size, settings.augment, part)
                for step, (images, labels) in enumerate(batches, start=1):
                    scores = training_step(stepping, optimizer, sending, images, labels, watch)
                    tally.add(scores, labels)
                    advance(f"epoch {epoch} of {settings.epochs}, step {step}")
                tallies = {"train": tally} | {name: evaluate(net, loss, *held) for name, held in held_out.items()}
                results = {name: one.result() for name, one in tallies.items()}
            except FloatingPointError as error:
                kept = f"the checkpoint after epoch {epoch - 1} is kept" if metrics else "there is no checkpoint yet"
                raise TrainingError(
                    f"epoch {epoch}, step {step}: {error}; {kept}: try a smaller --lr in another --out"
                ) from error
            seconds = watch.seconds
            metrics.append(
                {"epoch": epoch, "lr": lr, **results}
                | {"seconds": seconds, "tau": backward_share(seconds), "environment": environment(part)}
            )
            schedule.step()
            folder.save(parts, metrics)
    folder.save_predictions(tallies["test"].classes())
    return metrics


def build_for(name: str, data: DataSet) -> nn.Sequential:
    """The network for the images of the data set.

    Raises:
        TrainingError: it does not take such images.
    """
    try:
        return build(name, data.train.image)
    except ValueError as error:
        raise TrainingError(f"--data {data.name}: {error}") from error
