"""Random affine transformations: against torch's own grids, within the ranges that they announce, and reproducible."""

import math

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from softmax_trick.training import batches
from softmax_trick.training.augmentation import random_affine, transform
from softmax_trick.training.batches import Examples, seed_generators

IDENTITY = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=torch.float64)
NONE = torch.zeros((), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 5, 9)])
def test_the_grid_is_that_of_torch(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    images = torch.rand(7, *shape, dtype=torch.float64)
    maps = random_affine(7, images)
    expected = grid_sample(images, affine_grid(maps, list(images.shape), align_corners=False), align_corners=False)
    torch.testing.assert_close(transform(images, maps), expected, rtol=1e-12, atol=1e-12)


def test_the_identity_leaves_images_alone() -> None:
    images = torch.rand(3, 1, 28, 28, dtype=torch.float64)
    torch.testing.assert_close(transform(images, IDENTITY.expand(3, 2, 3)), images, rtol=1e-12, atol=1e-12)


def test_a_map_says_where_pixels_are_taken_from() -> None:
    images = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    images[0, 0, 10, 20] = 1
    right_of = IDENTITY.clone()
    right_of[0, 2] = 2 * 3 / 28  # three pixels further right in the original
    moved = transform(images, right_of[None])
    assert moved[0, 0, 10, 17].item() == pytest.approx(1)
    assert moved.sum().item() == pytest.approx(1)
    beyond = IDENTITY + torch.tensor([[0, 0, 2], [0, 0, 0]])
    assert not transform(torch.ones_like(images), beyond[None]).any(), "black beyond the edges"


def test_the_maps_stay_in_their_ranges_and_reach_them() -> None:
    """M = R(angle) [[1, shear], [0, 1]] diag(wide, high): taken apart again by a QR decomposition, by hand."""
    torch.manual_seed(0)
    maps = random_affine(20_000, NONE)
    (a, b, c), (d, e, f) = maps.unbind(1)[0].unbind(-1), maps.unbind(1)[1].unbind(-1)
    wide, angle = torch.hypot(a, d), torch.atan2(d, a)
    high = (a * e - b * d) / wide
    shear = (a * b + d * e) / (wide * high)
    limits = {"angle": math.radians(10), "shear": 0.1, "wide": 0.1, "high": 0.1, "c": 0.2, "f": 0.2}
    found = {"angle": angle, "shear": shear, "wide": wide - 1, "high": high - 1, "c": c, "f": f}
    for name, values in found.items():
        assert values.abs().max() <= limits[name] * (1 + 1e-12), name
        assert values.max() > 0.99 * limits[name], name
        assert values.min() < -0.99 * limits[name], name
    independent = torch.corrcoef(torch.stack(list(found.values())))
    # Of 20,000 independent pairs: five standard deviations.
    assert (independent - torch.eye(6, dtype=torch.float64)).abs().max() < 5 / math.sqrt(20_000)


def test_each_image_has_a_map_of_its_own_and_a_new_one_every_epoch() -> None:
    images = torch.randint(0, 256, (1, 1, 28, 28), dtype=torch.uint8).expand(8, 1, 28, 28)
    examples = Examples(images, torch.arange(8))

    def epoch(seed: int, number: int) -> torch.Tensor:
        seed_generators(seed, number)
        return torch.cat([batch for batch, _ in examples.batches(4, augment=True)])

    assert len({image.numpy().tobytes() for image in epoch(0, 1)}) == 8
    assert torch.equal(epoch(0, 1), epoch(0, 1))
    assert not torch.equal(epoch(0, 1), epoch(0, 2))
    assert epoch(0, 1).min() >= 0
    assert epoch(0, 1).max() <= 1


def test_what_is_drawn_does_not_depend_on_how_many_images_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = Examples(torch.randint(0, 256, (50, 1, 28, 28), dtype=torch.uint8), torch.arange(50))

    def epoch(block: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        monkeypatch.setattr(batches, "BLOCK", block)
        torch.manual_seed(0)
        return list(examples.batches(8, augment=True))

    together = epoch(4096)
    assert [len(labels) for _, labels in together] == [8] * 6 + [2]
    for block in (1, 8, 20):
        torch.testing.assert_close(epoch(block), together)


def test_without_augmentation_the_images_are_as_they_were() -> None:
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    for batch, labels in Examples(images, torch.arange(8)).batches(4):
        assert torch.equal(batch, images[labels] / 255)
