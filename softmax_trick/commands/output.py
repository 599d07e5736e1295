"""What the commands share: exit statuses, wrong usage, and the files that they write."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TextIO

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
    if list(files).count("-") > 1:
        raise WrongUsage("only one output can go to standard output: name a file for the others")


def check_writable(file: str) -> None:
    """Before the work: would it be possible to write this file?

    Raises:
        WrongUsage: it would not.
    """
    path = Path(file).absolute()
    if file == "-":
        return
    if not path.parent.is_dir():
        raise WrongUsage(f"cannot write {file}: its folder does not exist")
    if path.is_dir():
        raise WrongUsage(f"cannot write {file}: it is a folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise WrongUsage(f"cannot write {file}: permission denied")


def write(text: str, file: str) -> bool:
    """Write a text to a file, or to standard output for -; False, and a message, if that fails."""
    try:
        sys.stdout.write(text) if file == "-" else Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        place = "standard output" if file == "-" else file
        print(f"softmax-trick: cannot write {place}: {error.strerror}", file=sys.stderr)
        return False
    return True


def width_of(stream: TextIO) -> int | None:
    """A terminal's own width; a file or a pipe gets lines of 120."""
    return None if stream.isatty() else 120
