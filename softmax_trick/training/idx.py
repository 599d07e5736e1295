"""MNIST and Fashion-MNIST: four gzipped IDX files each, of the same names and sizes; and archives like EMNIST's.

The files of an archive NAME are NAME-train-images-idx3-ubyte.gz, NAME-train-labels-idx1-ubyte.gz and two more with test
in the place of train, as those of EMNIST are called (Cohen et al., 2017). Its labels begin with 0, or with 1 where no
label of the training images is 0 (EMNIST's letters), and end with the largest of these. EMNIST's images are
transposed; they are taken as they are.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from softmax_trick.training import TrainingError
from softmax_trick.training.files import Origin, set_aside
from softmax_trick.training.split import CLASSES, Split

MNIST = Origin(
    "mnist",
    {
        "train-images-idx3-ubyte.gz": "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
FASHION_MNIST = Origin(
    "fashion-mnist",
    {
        "train-images-idx3-ubyte.gz": "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    ("https://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
)
IMAGES_MAGIC, LABELS_MAGIC = 2051, 2049
LARGEST = 64 * 2**20
"""Bytes of an unpacked file; the largest original has 47 million."""
LARGEST_OWN = 2**30
"""Of an archive's: the largest of EMNIST has 548 million."""


def load_idx(origin: Origin, folder: Path | None) -> tuple[Split, Split]:
    """The 60,000 training and the 10,000 test images.

    Raises:
        TrainingError: a file is faulty, or cannot be had.
        MissingExtra: a file has to be downloaded, and the package for that is not installed.
    """
    train_images, train_labels, test_images, test_labels = (origin.file(name, folder) for name in origin.digests)
    return read_pair(train_images, train_labels, origin), read_pair(test_images, test_labels, origin)


def read_pair(images: Path, labels: Path, origin: Origin) -> Split:
    """The images and labels of two gzipped IDX files, the originals and no others.

    The SHA-256 of the files is looked at before they are unpacked. One that is not the original is read no further than
    its data may go, so that the message can name the fault, and is set aside.

    Raises:
        TrainingError: a file is truncated or corrupt, of another format or not the original, or the two do not fit.
    """
    altered = [path for path in (images, labels) if origin.altered(path)]
    fault = None
    try:
        split = _parse(images, labels)
    except ValueError as error:
        fault = str(error)
    if altered:
        fault = fault or f"{altered[0]}: its SHA-256 is not that of the original of {origin.name}"
        remedy = "run again to download it anew, or put the original there"
        raise TrainingError(f"{fault}; {' and '.join(set_aside(path) for path in altered)}: {remedy}")
    if fault:
        raise TrainingError(fault)
    return split


def files_of_archive(name: str) -> list[str]:
    """Training images and labels, test images and labels."""
    kinds = ("images-idx3", "labels-idx1")
    return [f"{name}-{part}-{kind}-ubyte.gz" for part in ("train", "test") for kind in kinds]


def load_archive(name: str, folder: Path) -> tuple[Split, Split]:
    """The training and the test images of an archive like EMNIST's.

    Raises:
        TrainingError: a file is missing or faulty, or its labels are none of the classes of the training images.
    """
    files = [folder / file for file in files_of_archive(name)]
    if missing := [file.name for file in files if not file.is_file()]:
        raise TrainingError(f"{folder} has files of {name}, but not {', '.join(missing)}: put them there, too")
    try:
        labels = _read_idx(files[1], LABELS_MAGIC, 1, LARGEST_OWN)
        if not len(labels):
            raise ValueError(f"{files[1]}: it has no labels")
        first, last = min(int(labels.min()), 1), int(labels.max())
        train, test = (
            _parse(images, of, first, last - first + 1, LARGEST_OWN) for images, of in (files[:2], files[2:])
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error
    return train, test


def _parse(images: Path, labels: Path, first: int = 0, classes: int = CLASSES, largest: int = LARGEST) -> Split:
    """The images, and the labels less the first of them."""
    pixels, found = _read_idx(images, IMAGES_MAGIC, 3, largest), _read_idx(labels, LABELS_MAGIC, 1, largest)
    try:
        if (found < first).any():
            wrong = int((found < first).argmax())
            raise ValueError(f"label {found[wrong]} at index {wrong}, and the training labels begin with {first}")
        return Split(pixels, found - np.uint8(first), classes)
    except ValueError as error:
        raise ValueError(f"{images} and {labels.name}: {error}") from error


def _read_idx(path: Path, magic: int, dimensions: int, largest: int) -> NDArray[np.uint8]:
    """IDX: the magic number and the size of each dimension as big-endian 32-bit integers, then the bytes."""
    try:
        with gzip.open(path) as file:
            content = file.read(largest + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: truncated or corrupt gzip file ({error})") from error
    if len(content) > largest:
        raise ValueError(f"{path}: it unpacks to more than {largest:,} bytes, which no file of this kind has")
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
