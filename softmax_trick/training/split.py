"""Images with their labels; dividing them, and thinning them out to a long tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from softmax_trick.training import TrainingError

CLASSES = 10  # of the paper's data sets; a split may have others
IMAGE_SHAPES = ((28, 28), (3, 32, 32))

# The splits do not depend on --seed: runs that differ in the seed are to be compared on the same images.
SPLIT_SEED = 65


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: uint8 array of shape (n, 28, 28), grey levels 0..255, or (n, 3, 32, 32), red, green and blue.
        labels: uint8 array of shape (n,), classes 0..K-1.
        classes: K, from 2 to 256; a class may have no image.

    Raises:
        TypeError: either array is not uint8.
        ValueError: the shapes do not fit together, or a label is outside 0..K-1.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    classes: int = CLASSES

    def __post_init__(self) -> None:
        for name, array in (("images", self.images), ("labels", self.labels)):
            if array.dtype != np.uint8:
                raise TypeError(f"the {name} must be uint8, not {array.dtype}")
        if self.images.shape[1:] not in IMAGE_SHAPES:
            raise ValueError(f"the images must have shape (n, 28, 28) or (n, 3, 32, 32), not {self.images.shape}")
        if self.labels.ndim != 1:
            raise ValueError(f"the labels must have shape (n,), one class index an image, not {self.labels.shape}")
        if len(self.images) != len(self.labels):
            raise ValueError(f"there are {len(self.images):,} images but {len(self.labels):,} labels")
        if not 2 <= self.classes <= 256:
            raise ValueError(f"there must be 2 to 256 classes, not {self.classes}")
        if (self.labels >= self.classes).any():
            wrong = int((self.labels >= self.classes).argmax())
            raise ValueError(
                f"label {self.labels[wrong]} at index {wrong} is not one of the classes 0..{self.classes - 1}"
            )

    @property
    def image(self) -> tuple[int, int, int]:
        """The shape of an image: channels, height, width."""
        *channels, height, width = self.images.shape[1:]
        return channels[0] if channels else 1, height, width

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many images each class has, shape (K,)."""
        return np.bincount(self.labels, minlength=self.classes)

    @property
    def entropy(self) -> float:
        """H(Y), the entropy of the labels in nats."""
        shares = self.counts[self.counts > 0] / len(self.labels)
        return float(-(shares * np.log(shares)).sum())

    def divide(self, size: int) -> tuple[Split, Split]:
        """A random `size` of the examples, and the others; the same ones every time."""
        # RandomState's stream is frozen (NumPy's NEP 19), that of the newer generators is not.
        order = np.random.RandomState(SPLIT_SEED).permutation(len(self.labels))
        return self._take(order[:size]), self._take(order[size:])

    def first(self, size: int) -> Split:
        """The first of the examples.

        Raises:
            TrainingError: there are fewer.
        """
        self.demand(size)
        return self._take(np.arange(size))

    def demand(self, size: int) -> None:
        """See that there are so many examples.

        Raises:
            TrainingError: there are fewer.
        """
        if size > len(self.labels):
            raise TrainingError(f"there are {len(self.labels):,} images, and {size:,} are asked for")

    def long_tailed(self, imbalance: float) -> Split:
        """The long tail of that imbalance: class k keeps its first n_k = n_0 imbalance^(-k/(K-1)) images, in their
        order.

        n_0 is the count of the rarest class, so that each has enough, and n_(K-1) = n_0 / imbalance; rounded down, the
        profile of Cui et al. (CVPR 2019). An imbalance of 1 keeps all the images, balanced or not.

        Raises:
            TrainingError: a class would be left without an example, or the imbalance is below 1.
        """
        if not 1 <= imbalance < np.inf:
            raise TrainingError(
                f"an imbalance of {imbalance:g} is no ratio of the largest class to the smallest: 1 or more"
            )
        if imbalance == 1:
            return self
        largest = int(self.counts.min())
        # A thousandth of an image keeps a count that is whole from being rounded down to the one before.
        kept = [int(largest * imbalance ** (-k / (self.classes - 1)) + 1e-3) for k in range(self.classes)]
        if 0 in kept:
            raise TrainingError(
                f"an imbalance of {imbalance:g} leaves class {kept.index(0)} without an example: "
                f"at most {largest}, with {largest:,} images in the rarest class"
                if largest
                else f"class {int(self.counts.argmin())} has no example, so no long tail can be cut from these images"
            )
        places = [np.flatnonzero(self.labels == k)[: kept[k]] for k in range(self.classes)]
        return self._take(np.sort(np.concatenate(places)))

    def _take(self, places: NDArray[np.int64]) -> Split:
        return Split(self.images[places], self.labels[places], self.classes)
