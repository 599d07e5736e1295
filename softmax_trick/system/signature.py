"""What is kept between runs is signed with a key of the user's own: what others write, or edit, is not believed.

The key is a file that nobody but the user can read or write. Who has it is the user, or can act as the user anyway.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SIGNATURE = "signature"


def sign(name: str, content: Mapping[str, Any], key: Path | None = None) -> dict[str, Any]:
    """What is to be kept under that name, as JSON will give it back, and its signature.

    Raises:
        OSError: there is no key, none can be made, or it is not the user's alone.
    """
    plain = json.loads(json.dumps(content))  # with lists for tuples
    return {**plain, SIGNATURE: _signature(_own_key(key or default_key()), name, plain)}


def verified(name: str, entry: Any, key: Path | None = None) -> dict[str, Any]:
    """What was kept under that name, without its signature.

    Raises:
        ValueError: it is not what was signed for that name.
        OSError: there is no key, or it is not the user's alone.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get(SIGNATURE), str):
        raise ValueError("it is not signed")
    content = {part: value for part, value in entry.items() if part != SIGNATURE}
    right = _signature(_read_key(key or default_key()), name, content)
    if not hmac.compare_digest(entry[SIGNATURE].encode(), right.encode()):
        raise ValueError("its signature is not the user's")
    return content


def default_key() -> Path:
    """The user's key, beside no evidence: who can write there has not thereby the key."""
    from platformdirs import user_data_path

    return user_data_path("softmax-trick") / "evidence.key"


def _read_key(path: Path) -> bytes:
    """The key.

    Raises:
        OSError: there is none, or others can read or have written it: then it signs nothing.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or (os.name == "posix" and (found.st_mode & 0o077 or not _ours(found))):
            raise PermissionError(13, f"the key {path} is not the user's alone: remove it")
        key = file.read(1024)
    if len(key) < 32:
        raise OSError(22, f"the key {path} is damaged: remove it")
    return key


def _ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid()


def _own_key(path: Path) -> bytes:
    """The key, made if there is none: 32 random bytes, which nobody but the user can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
    return _read_key(path)


def _signature(key: bytes, name: str, content: Any) -> str:
    """HMAC-SHA256 of what is kept under that name."""
    text = json.dumps([name, content], sort_keys=True)
    return hmac.new(key, text.encode(), "sha256").hexdigest()
