"""Where the files of a data set come from: the user's folders or cache, or a mirror; and what is done with faults.

A file found but faulty is set aside by renaming and reported, never overwritten.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softmax_trick.system.extras import require
from softmax_trick.training import TrainingError


class Unavailable(TrainingError):
    """The data set is not here and cannot be fetched."""


@dataclass(frozen=True)
class Origin:
    """The original files of a data set.

    Attributes:
        name: what the data set is called, and its folder below $SOFTMAX_TRICK_DATA, the user's cache, or --data-dir.
        digests: the SHA-256 ("sha256:...") or MD5 ("md5:...") of each file, as published.
        mirrors: addresses below which the files are.
    """

    name: str
    digests: Mapping[str, str]
    mirrors: tuple[str, ...]

    def places(self, folder: Path | None) -> Iterator[Path]:
        """Where the files may lie, the best place first; without a folder given, the cache last."""
        if folder:
            yield folder
            yield folder / self.name
            return
        if shared := os.environ.get("SOFTMAX_TRICK_DATA"):
            yield Path(shared) / self.name
        yield Path(self._pooch().os_cache("softmax-trick")) / self.name

    def find(self, file: str, folder: Path | None) -> Path | None:
        """The file, from the first place that has it."""
        return next((place / file for place in self.places(folder) if (place / file).is_file()), None)

    def file(self, file: str, folder: Path | None) -> Path:
        """The file, from the first place that has it, else downloaded.

        Raises:
            Unavailable: it is not here and cannot be downloaded.
            MissingExtra: the package that downloads is not installed.
        """
        return self.find(file, folder) or self._download(file, folder or list(self.places(None))[-1])

    def altered(self, path: Path) -> bool:
        """Whether the file is not the original."""
        kind, _, digest = self.digests[path.name].partition(":")
        with path.open("rb") as file:
            return hashlib.file_digest(file, kind).hexdigest() != digest

    def _download(self, file: str, folder: Path) -> Path:
        """The file, fetched from the first mirror that has it into the folder."""
        pooch = self._pooch()
        failures = []
        for mirror in self.mirrors:
            # Three seconds to connect: without a network this is to fail soon. The digest is checked before the file
            # appears.
            downloader = pooch.HTTPDownloader(timeout=(3, 30))
            try:
                return Path(pooch.retrieve(mirror + file, self.digests[file], file, folder, downloader=downloader))
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                failures.append(f"{mirror} ({reason})")
        raise Unavailable(
            f"{file} is not in {folder} and cannot be downloaded there from {' or '.join(failures)}: "
            f"use --data mnist-5k, which needs no network, or name the folder of {self.name} with --data-dir"
        )

    def _pooch(self) -> Any:
        return require("pooch", "data", f"downloading {self.name}")


def set_aside(path: Path) -> str:
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
