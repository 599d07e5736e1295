"""What the sampled tests draw: random vectors in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmax_trick.system.lazy import Late

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    torch = Late("torch")

Sides = tuple["Tensor", "Tensor"]  # the two sides that a claim says are equal


def normal(g: Generator, classes: int, scale: float = 1.0) -> Tensor:
    """Normal numbers of this standard deviation."""
    return scale * torch.randn(classes, generator=g, dtype=torch.float64)


def positive(g: Generator, classes: int) -> Tensor:
    """Numbers in [0.1, 1.1)."""
    return torch.rand(classes, generator=g, dtype=torch.float64) + 0.1


def distribution(g: Generator, classes: int) -> Tensor:
    """A distribution without small entries."""
    numbers = positive(g, classes)
    return numbers / numbers.sum()
