"""Files, written whole or not at all; and what comes from files of others, read and shown as no more than data."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

LARGEST = 2**64
"""Whole numbers beyond it are refused: arithmetic with them ends in errors, or not at all."""


def write_whole(path: Path, content: str | bytes, synced: bool = False) -> None:
    """Put the content in the place of the file: all of it or, on any failure, nothing, and nothing beside it.

    It is written under a name of its own in the same folder, and then takes the name of the file. What a link points to
    is replaced, not the link. A device or a pipe is written into.

    Args:
        path: of the file.
        content: text is encoded as UTF-8.
        synced: whether it is on the disk before it takes the name, so that it survives a loss of power.

    Raises:
        OSError: it cannot be written; the file is what it was.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and (not path.is_file() or path.is_relative_to("/dev") or path.is_relative_to("/proc")):
        path.write_bytes(data)
        return
    target = path.resolve()
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(path))
    # A name that nobody can foresee, and a file that was not there: a link of that name is not followed.
    beside = target.with_name(f"{target.name[:64]}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(descriptor, "wb") as file:
            if mode is not None:
                os.chmod(beside, mode & 0o7777)
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def parse_json(content: bytes) -> Any:
    """What the JSON says.

    Raises:
        ValueError: it is not JSON in UTF-8, is nested too deeply, or has a number that is enormous or not finite.
    """
    try:
        return json.loads(
            content.decode("utf-8"), parse_constant=_no_number, parse_float=_finite, parse_int=_not_enormous
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), -float("inf")):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _not_enormous(text: str) -> int:
    if len(text) > 25 or abs(int(text)) > LARGEST:
        raise ValueError(f"the number {text[:20]}... is too large")
    return int(text)


def printable(text: str) -> str:
    """The text with what is not printable written out, such as \\x1b: a terminal would obey it. Ends of lines stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
