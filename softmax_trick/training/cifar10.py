"""CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html): its binary or its python archive, or six binary files.

Both archives hold five batches of 10,000 training images and one of 10,000 test images. In the binary version an image
is a byte of the label and 3,072 of the pixels: the red plane row by row, then green, then blue. In the python version a
batch is a pickled dictionary, written by Python 2, of the same numbers. An archive is used only if its MD5 is the one
published; even so the pickles are read by an unpickler that knows NumPy's arrays and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from softmax_trick.training import TrainingError
from softmax_trick.training.files import Origin, set_aside
from softmax_trick.training.split import Split

BINARY, PYTHON = "cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"
CIFAR10 = Origin(
    "cifar10",
    {BINARY: "md5:c32a1d4ab5d03f1284b67883e8d87530", PYTHON: "md5:c58f30108f718f92721af3b95e74349a"},
    ("https://www.cs.toronto.edu/~kriz/",),
)
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
BATCH = 10_000
LARGEST = 512 * 2**20
"""Bytes of an unpacked archive; the originals have 185 million."""
EACH = (5_000, 1_000)
"""How many images of each class there are, for training and for the test."""
BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def load_cifar10(folder: Path | None) -> tuple[Split, Split]:
    """The 50,000 training and the 10,000 test images.

    Taken from the first place that has one of the archives, or the six files of the binary one (there, or below
    cifar-10-batches-bin); else the binary archive is downloaded.

    Raises:
        TrainingError: what is there is not the original archive, is a part of CIFAR-10 only, or cannot be had.
        MissingExtra: the archive has to be downloaded, and the package for that is not installed.
    """
    for place in CIFAR10.places(folder):
        for name in (BINARY, PYTHON):
            if (place / name).is_file():
                return read_archive(place / name, CIFAR10)
        for files in (place, place / "cifar-10-batches-bin"):
            if any(files.glob("*.bin")):
                return read_files(files)
    return read_archive(CIFAR10.file(BINARY, folder), CIFAR10)


def read_archive(path: Path, origin: Origin) -> tuple[Split, Split]:
    """The training and test images of one of the two archives, the originals and no others.

    Raises:
        TrainingError: the archive is not the original; it is set aside.
    """
    if origin.altered(path):
        missing = [name for name in BATCHES if name not in _complete(path)]
        fault = f"it lacks {', '.join(missing)}" if missing else "its MD5 is not that of the original"
        raise TrainingError(
            f"{path}: {fault}; {set_aside(path)}: run again to download it anew, or put the original there"
        )
    parse: Callable[[bytes], Split] = parse_pickle if path.name == PYTHON else parse_binary
    try:
        batches = dict(_files(path))
        return _join([parse(batches[name]) for name in BATCHES])
    except (tarfile.TarError, EOFError, zlib.error, KeyError, ValueError) as error:
        raise TrainingError(f"{path}: {error}; put the original there, or choose another --data-dir") from error


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive that are whole, by name; links, folders and all that is too large are passed over."""
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            if member.offset_data > LARGEST:
                return
            if member.isreg() and member.size <= LARGEST and (content := archive.extractfile(member)):
                read = content.read()
                if len(read) == member.size:
                    yield Path(member.name).name.removesuffix(".bin"), read


def _complete(path: Path) -> set[str]:
    """The batches that a damaged archive has as a whole."""
    found: set[str] = set()
    with contextlib.suppress(tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError):
        for name, _ in _files(path):
            found.add(name)
    return found


def read_files(folder: Path) -> tuple[Split, Split]:
    """The training and test images of the six files of the binary version, out of their archive.

    Their digests are not published; their sizes, the labels, and how many images each class has are checked.

    Raises:
        TrainingError: files are missing or incomplete: the message lists what is missing; or they are not CIFAR-10's.
    """
    missing, found = [], []
    for path in sorted(folder.glob("*.bin")):
        images, rest = divmod(path.stat().st_size, RECORD)
        found.append(f"{path.name} ({images:,} images{f' and {rest} bytes' if rest else ''})")
    for name in BATCHES:
        path = folder / f"{name}.bin"
        size = path.stat().st_size if path.is_file() else 0
        if size != BATCH * RECORD:
            missing.append(f"{path.name}{f' from image {size // RECORD:,} on' if 0 < size < BATCH * RECORD else ''}")
    if missing:
        raise TrainingError(
            f"{folder} is a part of CIFAR-10 only: it holds {', '.join(found)}; of its six files of {BATCH:,} images "
            f"each these are missing: {', '.join(missing)}. Put {BINARY} or all six there, or choose another --data-dir"
        )
    parts = []
    for name in BATCHES:
        try:
            parts.append(parse_binary((folder / f"{name}.bin").read_bytes()))
        except ValueError as error:
            raise TrainingError(
                f"{folder / name}.bin: {error}; put the original there, or choose another --data-dir"
            ) from error
    train, test = _join(parts)
    for split, images in zip((train, test), EACH, strict=True):
        if (split.counts != images).any():
            k = int((split.counts != images).argmax())
            raise TrainingError(
                f"{folder}: class {k} has {split.counts[k]:,} images where CIFAR-10 has {images:,}: these are other "
                "files, or damaged; put the originals there, or choose another --data-dir"
            )
    return train, test


def _join(parts: list[Split]) -> tuple[Split, Split]:
    *training, test = parts
    images, labels = (np.concatenate([getattr(part, name) for part in training]) for name in ("images", "labels"))
    return Split(images, labels), test


def parse_binary(content: bytes) -> Split:
    """The images of one file of the binary version, whatever their number.

    Raises:
        ValueError: the file ends within an image, or a label is not one of 0..9.
    """
    if len(content) % RECORD:
        raise ValueError(f"{len(content):,} bytes are not a whole number of images of {RECORD:,} bytes each")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    return Split(records[:, 1:].reshape(-1, *SHAPE), records[:, 0].copy())


def parse_pickle(content: bytes) -> Split:
    """The images of one batch of the python version.

    Raises:
        ValueError: the pickle is damaged, wants anything but arrays, or holds something else.
    """
    try:
        batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = batch[b"data"], batch[b"labels"]
        return Split(np.ascontiguousarray(pixels).reshape(-1, *SHAPE), np.array(labels, np.uint8))
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"no batch of CIFAR-10: {error}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Knows what NumPy's arrays are pickled with, under the names of then and of now, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        ):
            return _reconstruct
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"the pickle wants {module}.{name}, which no array needs")

    def persistent_load(self, _identity: Any) -> NoReturn:
        raise pickle.UnpicklingError("the pickle refers to objects elsewhere")


def _reconstruct(kind: type, shape: tuple[int, ...], typecode: bytes) -> np.ndarray[Any, Any]:
    """An empty array, to be filled by the pickle; what NumPy's function of that name does, for plain arrays only."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("the pickle wants a kind of array that is not NumPy's")
    return np.ndarray(shape, np.dtype(typecode.decode()))
