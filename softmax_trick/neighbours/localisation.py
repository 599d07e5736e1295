"""Where in an image a class is seen: class activation maps, infoCAM, boxes (after Qin, Kim, Gedeon 2019).

A network of convolutions A(p), global average pooling and a linear layer W, b has the maps

    M_k(p) = sum_ch W[k, ch] A_ch(p) / |grid|,    sum_p M_k(p) = x_k - b_k.

CAM shows M_c. infoCAM shows M_c - M_m: it sums to the difference of informations x_c - x_m, up to the biases, and does
not change where one vector is added to every row of W, as CAM does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from softmax_trick.training.split import Split

CANVAS = 64
INK = 25  # of 255: darker pixels of a digit do not belong to its box
LEAST_LIKELY, OTHERS, RUNNER_UP, CAM = "minus the least likely", "minus the mean of the others", "minus the next", "CAM"
MAPS = (CAM, LEAST_LIKELY, OTHERS, RUNNER_UP)

Box = tuple[int, int, int, int]  # top, left, bottom, right; the latter two excluded


@dataclass(frozen=True)
class Canvases:
    """Digits, each at a random place of a black canvas.

    Attributes:
        images: shape (n, 1, 64, 64), in [0, 1].
        labels: shape (n,).
        boxes: of the ink of each.
    """

    images: Tensor
    labels: Tensor
    boxes: tuple[Box, ...]


def on_canvases(split: Split, seed: int) -> Canvases:
    """Every image of 28 x 28 on a canvas of 64 x 64.

    Raises:
        ValueError: an image has no ink, and so no box.
    """
    random = np.random.RandomState(seed)
    n, (height, width) = len(split.images), split.images.shape[-2:]
    images = np.zeros((n, 1, CANVAS, CANVAS), np.float32)
    boxes = []
    for place, image in enumerate(split.images):
        top, left = random.randint(0, CANVAS - height + 1), random.randint(0, CANVAS - width + 1)
        images[place, 0, top : top + height, left : left + width] = image / np.float32(255)
        rows, columns = np.nonzero(image > INK)
        if not len(rows):
            raise ValueError(f"image {place} has no ink: it has no box")
        boxes.append((top + rows.min(), left + columns.min(), top + rows.max() + 1, left + columns.max() + 1))
    found = tuple(tuple(map(int, box)) for box in boxes)
    return Canvases(torch.from_numpy(images), torch.from_numpy(split.labels.copy()).long(), found)  # type: ignore[arg-type]


class Pooled(nn.Module):
    """Three convolutions, global average pooling, a linear layer; 64 x 64 pixels to a grid of 16 x 16."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()),
        )
        self.last = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """The scores, shape (n, K)."""
        scores: Tensor = self.last(self.convolutions(images).mean((-2, -1)))
        return scores

    def maps(self, images: Tensor) -> Tensor:
        """M_k(p) for all classes, shape (n, K, 16, 16)."""
        activations = self.convolutions(images)
        grid = activations.shape[-2] * activations.shape[-1]
        return torch.einsum("kc,nchw->nkhw", self.last.weight, activations) / grid


def shown(maps: Tensor, scores: Tensor, kind: str) -> Tensor:
    """One map an image, of the class with the largest score, shape (n, h, w).

    Args:
        maps: M, shape (n, K, h, w).
        scores: shape (n, K).
        kind: one of `MAPS`: M_c itself, or less that of the least likely class, of the next, or the mean of all others.

    Raises:
        ValueError: there is no such map.
    """
    order = scores.argsort(-1, descending=True)
    rows = torch.arange(len(maps))
    own = maps[rows, order[:, 0]]
    if kind == CAM:
        return own
    if kind == LEAST_LIKELY:
        return own - maps[rows, order[:, -1]]
    if kind == RUNNER_UP:
        return own - maps[rows, order[:, 1]]
    if kind == OTHERS:
        return own - (maps.sum(1) - own) / (maps.shape[1] - 1)
    raise ValueError(f"there is no map {kind!r}: choose one of {', '.join(MAPS)}")


def enlarged(maps: Tensor) -> NDArray[np.float32]:
    """The maps at the size of the canvas, bilinear, the least of each 0; shape (n, 64, 64)."""
    large = nn.functional.interpolate(maps[:, None], (CANVAS, CANVAS), mode="bilinear", align_corners=False)[:, 0]
    return (large - large.amin((-2, -1), keepdim=True)).numpy()


def box_of(large: NDArray[np.float32], theta: float) -> Box:
    """Around the largest connected part of what is above theta times the maximum.

    Raises:
        ValueError: theta is not in [0, 1).
    """
    from scipy.ndimage import find_objects, label

    if not 0 <= theta < 1:
        raise ValueError(f"theta is {theta:g}: it must be at least 0 and less than 1, or nothing is above it")
    parts, number = label(large > theta * large.max())
    if not number:
        return 0, 0, CANVAS, CANVAS  # a map that is constant shows nothing
    largest = int(np.bincount(parts.ravel())[1:].argmax())
    rows, columns = find_objects(parts)[largest]
    return rows.start, columns.start, rows.stop, columns.stop


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    both = max(height, 0) * max(width, 0)
    return both / (_area(one) + _area(other) - both)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
