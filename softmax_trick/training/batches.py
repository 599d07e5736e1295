"""The examples on the device, and in which order they come.

Everything random in an epoch, the order of the examples and the dropout masks, is a function of the seed and the number
of the epoch, so a run resumed from the checkpoint of an epoch goes on exactly as it would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from softmax_trick.training.data import Split


@dataclass(frozen=True)
class Examples:
    """A split on the device: images (n, 1, 28, 28) of floats in [0, 1], labels (n,) of int64."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, split: Split, device: torch.device, dtype: torch.dtype = torch.float32) -> Examples:
        """The split as tensors; a copy."""
        images = torch.from_numpy(split.images.copy()).to(device).unsqueeze(1).to(dtype) / 255
        return cls(images, torch.from_numpy(split.labels.astype(np.int64)).to(device))

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples once, in an order drawn from torch's CPU generator; the last batch may be smaller."""
        for batch in torch.randperm(len(self.labels)).to(self.labels.device).split(batch_size):
            yield self.images[batch], self.labels[batch]


def seed_generators(seed: int, epoch: int) -> None:
    """Set torch's generators, those of CUDA too, by the seed and the epoch; 0 is for the initial parameters."""
    torch.manual_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]))
