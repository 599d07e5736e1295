"""The examples on the device, and in which order they come.

Everything random in an epoch, the order of the examples, the augmentation and the dropout masks, is a function of the
seed and the number of the epoch, so a run resumed from the checkpoint of an epoch goes on exactly as it would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from softmax_trick.training.augmentation import random_affine, transform
from softmax_trick.training.parallel import Part
from softmax_trick.training.split import Split

BLOCK = 1024
"""Images that are made at a time, in whole batches: amid training every operation has the cores' threads to wake."""


@dataclass(frozen=True)
class Examples:
    """A split on the device, a byte a pixel: images (n, channels, height, width) of uint8, labels (n,) of int64."""

    images: Tensor
    labels: Tensor
    dtype: torch.dtype = torch.float32

    @classmethod
    def of(cls, split: Split, device: torch.device, dtype: torch.dtype = torch.float32) -> Examples:
        """The split as tensors; a copy."""
        images = torch.from_numpy(split.images.copy()).view(-1, *split.image).to(device)
        return cls(images, torch.from_numpy(split.labels.astype(np.int64)).to(device), dtype)

    def batches(
        self, batch_size: int, augment: bool = False, part: Part | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples once, in an order drawn from torch's CPU generator; the last batch may be smaller.

        The pixels become floats in [0, 1]. With `augment` each image is transformed by a random affine map. Of every
        batch only the rows of this process are given.
        """
        part = part or Part()
        n, device = len(self.labels), self.labels.device
        # Drawn on the CPU, so that it is the same on every device, and moved before the first step.
        order = torch.randperm(n).to(device)
        maps = random_affine(n, torch.empty((), dtype=self.dtype, device=device)) if augment else None
        for block in torch.arange(n, device=device).split(max(1, BLOCK // batch_size) * batch_size):
            batches = block.split(batch_size)
            own = [batch[part.share(len(batch))] for batch in batches]
            rows = torch.cat(own)
            images, labels = self._floats(self.images.index_select(0, order[rows])), self.labels[order[rows]]
            if maps is not None:
                images = transform(images, maps[rows])
            sizes = [len(batch) for batch in own]
            for batch, mine in zip(batches, zip(images.split(sizes), labels.split(sizes), strict=True), strict=True):
                part.take(len(batch))
                yield mine

    def in_order(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples once, as they are."""
        for images, labels in zip(self.images.split(batch_size), self.labels.split(batch_size), strict=True):
            yield self._floats(images), labels

    def _floats(self, images: Tensor) -> Tensor:
        return images.to(self.dtype, memory_format=torch.channels_last).div_(255)


def seed_generators(seed: int, epoch: int) -> None:
    """Set torch's generators, those of CUDA too, by the seed and the epoch; 0 is for the initial parameters."""
    torch.manual_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]))
