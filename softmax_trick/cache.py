"""Evidence kept between runs: one file a claim, valid for as long as the digest that it was made from.

Each file is written at once when its claim is done, and replaced whole, so that an interruption loses nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from softmax_trick.claims import Claim, Evidence, Figure, Step
from softmax_trick.digests import Digest, digest

FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """Evidence of an earlier run, and what has changed since: statement, checker or libraries. Then it is stale."""

    evidence: tuple[Evidence, ...]
    changed: tuple[str, ...]


class Cache:
    """A folder of evidence.

    Args:
        folder: made when something is kept; `default_folder` if not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.trouble: str | None = None  # why nothing could be kept, if nothing could

    def find(self, claim: Claim) -> Entry | None:
        """What was last found for a claim of that ID, and what has changed since."""
        try:
            entry = json.loads(self._path(claim.id).read_text(encoding="utf-8"))
            if entry["format"] != FORMAT:
                return None
            changed = Digest(**entry["digest"]).changes(digest(claim))
            return Entry(tuple(map(_evidence, entry["evidence"])), tuple(changed))
        except (OSError, ValueError, TypeError, KeyError):
            return None  # nothing, or nothing that can be used: it is found again

    def save(self, claim: Claim, evidence: tuple[Evidence, ...]) -> None:
        """Keep the evidence for a claim; a crash is not kept, and what cannot be written is left (see `trouble`)."""
        if any(item.outcome == "crashed" for item in evidence):
            return
        content = {"format": FORMAT, "digest": asdict(digest(claim)), "evidence": [asdict(item) for item in evidence]}
        path = self._path(claim.id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.part")
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(path)
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


def _evidence(entry: Mapping[str, Any]) -> Evidence:
    steps = tuple(Step(step["text"], step["kind"], tuple(step["detail"])) for step in entry["steps"])
    figures = tuple(Figure(**figure) for figure in entry["figures"])
    tuples = {name: tuple(entry[name]) for name in ("uses", "conditions", "unstated")}
    return Evidence(**{**entry, "steps": steps, "figures": figures, **tuples})
