"""Evidence kept between runs: one file a claim, valid for as long as the digest that it was made from.

Each file is written at once when its claim is done, and replaced whole, so that an interruption loses nothing. It is
signed with a key of the user's own: what somebody else has written, or edited, is not believed but found again.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from softmax_trick.claims import Claim, Evidence, Figure, Step
from softmax_trick.digests import Digest, digest
from softmax_trick.files import parse_json, write_whole

FORMAT = 2


@dataclass(frozen=True)
class Entry:
    """Evidence of an earlier run, and what has changed since: statement, checker or libraries. Then it is stale.

    Attributes:
        evidence: what was found.
        changed: the parts of its digest that are others now.
        gathered: when it was found, in UTC, by ISO 8601.
    """

    evidence: tuple[Evidence, ...]
    changed: tuple[str, ...]
    gathered: str


class Cache:
    """A folder of evidence.

    Args:
        folder: made when something is kept; `default_folder` if not given.
        key: the file of the key, made with the folder; `default_key` if not given.
    """

    def __init__(self, folder: Path | None = None, key: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.key = key or default_key()
        self.trouble: str | None = None  # why nothing could be kept, if nothing could

    def find(self, claim: Claim) -> Entry | None:
        """What was last found for a claim of that ID, and what has changed since."""
        try:
            content = parse_json(self._path(claim.id).read_bytes())
            signature = content.pop("signature")
            if not hmac.compare_digest(signature, _signature(_read_key(self.key), claim.id, content)):
                return None
            if content["format"] != FORMAT:
                return None
            changed = Digest(**content["digest"]).changes(digest(claim))
            return Entry(tuple(map(_evidence, content["evidence"])), tuple(changed), content["gathered"])
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return None  # nothing, or nothing that can be used: it is found again

    def save(self, claim: Claim, evidence: tuple[Evidence, ...]) -> None:
        """Keep the evidence for a claim; a crash is not kept, and what cannot be written is left (see `trouble`)."""
        if any(item.outcome == "crashed" for item in evidence):
            return
        content = {
            "format": FORMAT,
            "digest": asdict(digest(claim)),
            "gathered": datetime.now(UTC).isoformat(timespec="seconds"),
            "evidence": [asdict(item) for item in evidence],
        }
        content = json.loads(json.dumps(content))  # as it will be read: with lists for tuples
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            signature = _signature(_own_key(self.key), claim.id, content)
            write_whole(self._path(claim.id), json.dumps(content | {"signature": signature}))
        except OSError as error:
            self.trouble = f"{self.folder}: {error.strerror}"

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def default_folder() -> Path:
    """The folder that SOFTMAX_TRICK_CACHE names, or that of the user's caches by the custom of the operating system."""
    from platformdirs import user_cache_path

    if named := os.environ.get("SOFTMAX_TRICK_CACHE"):
        return Path(named)
    return user_cache_path("softmax-trick") / "evidence"


def default_key() -> Path:
    """The user's key, beside no evidence: who can write there has not thereby the key."""
    from platformdirs import user_data_path

    return user_data_path("softmax-trick") / "evidence.key"


def _read_key(path: Path) -> bytes:
    """The key.

    Raises:
        OSError: there is none, or others can read or have written it: then it signs nothing.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
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
    """HMAC-SHA256 of what is kept for the claim of that ID."""
    text = json.dumps([name, content], sort_keys=True)
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _evidence(entry: Mapping[str, Any]) -> Evidence:
    steps = tuple(Step(step["text"], step["kind"], tuple(step["detail"])) for step in entry["steps"])
    figures = tuple(Figure(**figure) for figure in entry["figures"])
    tuples = {name: tuple(entry[name]) for name in ("uses", "conditions", "unstated")}
    return Evidence(**{**entry, "steps": steps, "figures": figures, **tuples})
