"""What the commands share: exit statuses, wrong usage, and the files that they write."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TextIO

from softmax_trick.system.files import write_whole
from softmax_trick.system.terminal import OutputError, complain, emit

OK, DIFFERENT, WRONG_USAGE, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 130
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files"}  # how a shell completes the name of a file


class WrongUsage(Exception):
    """What the user asked for cannot be done; the message says why and what can."""


def check_outputs(files: Collection[str]) -> None:
    """Before the work: would it be possible to write these files?

    Raises:
        WrongUsage: it would not.
    """
    for file in files:
        check_writable(file)
    for file, times in Counter(files).items():
        if times > 1:
            place = "standard output" if file == "-" else file
            raise WrongUsage(f"only one output can go to {place}: name a file for the others")


def check_writable(file: str) -> None:
    """Before the work: would it be possible to write this file?

    Raises:
        WrongUsage: it would not.
    """
    if file == "-":
        return
    path = Path(file).absolute()
    try:
        target = path.resolve()
        if path.is_dir():
            raise WrongUsage(f"cannot write {file}: it is a folder")
        if not target.parent.is_dir():
            raise WrongUsage(f"cannot write {file}: its folder does not exist")
        replaced = target.is_file() or not target.exists()  # by a new file in its folder; a device is written into
        for needed in ([target.parent] if replaced else []) + ([path] if path.exists() else []):
            if not os.access(needed, os.W_OK):
                raise WrongUsage(f"cannot write {file}: permission denied")
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, links in a circle, a null character
        raise WrongUsage(f"cannot write {file}: {getattr(error, 'strerror', None) or error}") from error


def write(text: str, file: str) -> bool:
    """Write a text to a file, as a whole, or to standard output for -; False, and a message, if that fails."""
    try:
        emit(text) if file == "-" else write_whole(Path(file), text)
    except OutputError as error:
        if str(error):
            complain(f"softmax-trick: cannot write standard output: {error}")
        return False
    except OSError as error:
        complain(f"softmax-trick: cannot write {file}: {error.strerror}")
        return False
    return True


def width_of(stream: TextIO) -> int | None:
    """A terminal's own width; a file or a pipe gets lines of 120."""
    return None if stream.isatty() else 120
