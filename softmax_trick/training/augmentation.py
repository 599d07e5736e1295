"""Random affine transformations of the pixels, a whole batch at a time, on the device that the images are on.

The paper's learning curves "were achieved only after applying a moderate input image augmentation procedure via random
affine transformations in the pixel domain" (section 4.1.3). It does not say how moderate; the ranges here are ours.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

ANGLE, SCALE, SHEAR, SHIFT = math.radians(10), 0.1, 0.1, 0.1
"""How far each goes in both directions: radians; relative, in x and y apart; and parts of the image's side."""


def random_affine(n: int, like: Tensor) -> Tensor:
    """n random affine maps, (n, 2, 3): where in the original, its sides being -1 and 1, each pixel is taken from.

    A rotation by an angle in ±10°, a shear of ±0.1, scales of 0.9 to 1.1 in x and y, and shifts of up to a tenth of the
    image's side in x and y, all independent and uniform, drawn by the generator of the device that `like`
    is on, in its dtype.
    """
    uniform = 2 * torch.rand(6, n, dtype=like.dtype, device=like.device) - 1
    angle, shear = ANGLE * uniform[0], SHEAR * uniform[1]
    wide, high = 1 + SCALE * uniform[2], 1 + SCALE * uniform[3]
    cos, sin = angle.cos(), angle.sin()
    # Rotation times shear times scale; a shift by the whole side is 2 in these coordinates.
    rows = (
        *(wide * cos, high * (shear * cos - sin), 2 * SHIFT * uniform[4]),
        *(wide * sin, high * (shear * sin + cos), 2 * SHIFT * uniform[5]),
    )
    return torch.stack(rows, dim=-1).view(n, 2, 3)


def transform(images: Tensor, maps: Tensor) -> Tensor:
    """The images (n, C, H, W), each by its own map of (n, 2, 3): bilinear, black beyond the edges of the original."""
    height, width = images.shape[2:]
    y, x = torch.meshgrid(_centres(height, images), _centres(width, images), indexing="ij")
    places = torch.stack((x, y, torch.ones_like(x))).flatten(1)  # (3, H W)
    # One product for all images; affine_grid has one for each, which takes 25 times as long.
    grid = (maps @ places).unflatten(-1, (height, width)).permute(0, 2, 3, 1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _centres(side: int, images: Tensor) -> Tensor:
    """The middle of each pixel along a side from -1 to 1."""
    return (2 * torch.arange(side, device=images.device, dtype=images.dtype) + 1) / side - 1
