"""Evidence kept between runs: one file a claim, valid for as long as the digest that it was made from.

Each file is written at once when its claim is done, and replaced whole, so that an interruption loses nothing. It is
signed (`softmax_trick.system.signature`): what somebody else has written, or edited, is not believed but found again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from softmax_trick.ledger.claims import Claim, Evidence, Step
from softmax_trick.ledger.digests import Digest, digest
from softmax_trick.measurements.figure import Figure
from softmax_trick.system.extras import is_installed
from softmax_trick.system.files import parse_json, write_whole
from softmax_trick.system.signature import sign, verified

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
        key: the file of the key; that of the user if not given.
    """

    def __init__(self, folder: Path | None = None, key: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.key = key
        self.trouble: str | None = None  # why nothing could be kept, if nothing could

    def find(self, claim: Claim, results: str = "") -> Entry | None:
        """What was last found for a claim of that ID, and what has changed since; `results` as in `save`."""
        try:
            content = verified(claim.id, parse_json(self._path(claim.id).read_bytes()), self.key)
            if content["format"] != FORMAT:
                return None
            changed = Digest(**content["digest"]).changes(digest(claim, results))
            return Entry(tuple(map(_evidence, content["evidence"])), tuple(changed), content["gathered"])
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return None  # nothing, or nothing that can be used: it is found again

    def save(self, claim: Claim, evidence: tuple[Evidence, ...], results: str = "") -> None:
        """Keep the evidence for a claim; a crash is not kept, and what cannot be written is left (see `trouble`).

        What was not run for want of torch is kept under a digest that says so. Where torch is there and cannot be
        imported, the digest does not: the evidence is not kept.

        Args:
            claim: the claim.
            evidence: for and against it.
            results: the digest of the results by which a claim about experiments was measured.
        """
        if any(item.outcome == "crashed" for item in evidence):
            return
        if any(item.outcome == "not run" for item in evidence) and is_installed("torch"):
            return
        content = {
            "format": FORMAT,
            "digest": asdict(digest(claim, results)),
            "gathered": datetime.now(UTC).isoformat(timespec="seconds"),
            "evidence": [asdict(item) for item in evidence],
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(claim.id), json.dumps(sign(claim.id, content, self.key)))
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
