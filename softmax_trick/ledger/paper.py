"""A paper as a ledger: the claims of one source, with a title; anybody's, read from a file or a folder.

A file in TOML has formulas and prose; nothing in it is run:

    title = "Focal Loss for Dense Object Detection"
    source = "Lin, Goyal, Girshick, He, Dollár, ICCV 2017, arXiv:1708.02002"

    [[claim]]
    id = "B.focal"
    formulas = ["grad(focal, x) == y*(1 - p)**gamma*(gamma*p*log(p) + p - 1)"]
    let = "x: real; y: real; gamma: nonnegative; p = sigmoid(y*x); focal = -(1 - p)**gamma*log(p)"
    source = "appendix B"

A folder is a package of Python whose `__init__.py` has `PAPER = Paper.of(title, source, claims)`: it is run, as any
program that you start. Verdicts of past runs stand beside, in NAME.recorded.json or FOLDER/recorded.json.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tomllib
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from softmax_trick.language.expression import LanguageError
from softmax_trick.ledger.claims import Check, Claim, Verdict
from softmax_trick.system.files import parse_json, write_whole

TEXTS = ("id", "title", "statement", "let", "source", "quote", "remark", "repaired_by", "correction", "putting", "part")
LISTS = ("formulas", "where", "hypotheses")


class LedgerError(ValueError):
    """A file or a folder is no ledger: what is wrong, and where."""


@dataclass(frozen=True)
class MainFinding:
    """One sentence for a reader who has not seen the paper: what is false in it.

    Attributes:
        sentence: what is false, and why or what is true instead.
        claims: the claims on whose refutation it rests, that with the plainest counterexample first.
    """

    sentence: str
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Paper:
    """The claims of one source.

    Attributes:
        title: of the paper.
        source: its authors, and where it stands.
        claims: by ID, in the order in which they are shown.
        recorded: the verdicts of past runs, by ID: a record that shows a change, never a source of verdicts.
        record: the file of that record.
        findings: what is false in the paper, said while the claims that it rests on are refuted.
    """

    title: str
    source: str
    claims: Mapping[str, Claim]
    recorded: Mapping[str, str] = field(default_factory=dict)
    record: Path | None = None
    findings: tuple[MainFinding, ...] = ()

    @classmethod
    def of(cls, title: str, source: str, claims: Iterable[Claim]) -> Paper:
        """A paper with these claims.

        Raises:
            LedgerError: two claims have one ID; a claim is repaired by none that is there; a formula cannot be read.
        """
        found: dict[str, Claim] = {}
        for claim in claims:
            if claim.id in found:
                raise LedgerError(f"two claims are called {claim.id}")
            found[claim.id] = claim if claim.part else replace(claim, part=title)
        for claim in found.values():
            if claim.repaired_by and claim.repaired_by not in found:
                raise LedgerError(f"{claim.id} is repaired by {claim.repaired_by}, and there is no such claim")
            try:
                _ = claim.says, claim.given
                _ = [one.whole if one.has_words else (one.conditions, one.decided) for one in claim.stated]
            except LanguageError as error:
                raise LedgerError(f"{claim.id}: {error}") from error
            except IndexError:
                raise LedgerError(f"{claim.id}: its statement names a formula that it does not have") from None
        if not found:
            raise LedgerError("it has no claims")
        return cls(title, source, found)

    def keep(self, verdicts: Mapping[str, Verdict]) -> Path:
        """Record verdicts for the next run to be compared with.

        Raises:
            LedgerError: this ledger has no place for a record.
            OSError: the file cannot be written.
        """
        if self.record is None:
            raise LedgerError("there is no place for a record of this ledger")
        known = {**self.recorded, **{name: str(verdict) for name, verdict in verdicts.items()}}
        in_order = {name: known[name] for name in self.claims if name in known}
        write_whole(self.record, json.dumps(in_order, indent=2, ensure_ascii=False) + "\n")
        return self.record


def claims_of(file: Path, decided: Mapping[str, Mapping[str, Any]]) -> tuple[Claim, ...]:
    """The claims of a TOML file, in its order, whose words and formulas stand there, and what decides them in Python.

    Args:
        file: of tables [[claim]].
        decided: by ID, the other attributes of claims: what `by` returns. What has formulas may do without.

    Raises:
        LedgerError: the file is no such file; nothing would decide one of its claims; one of these IDs is not in it.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        claims = [_claim(number, one, decided) for number, one in enumerate(content["claim"], start=1)]
    except (OSError, ValueError, LookupError, LedgerError) as error:
        raise LedgerError(f"{file}: {error}") from error
    if unknown := set(decided) - {claim.id for claim in claims}:
        raise LedgerError(f"{file}: there is no claim {', '.join(sorted(unknown))}")
    return tuple(claims)


def by(*checks: Check, **more: Any) -> dict[str, Any]:
    """What decides a claim: its checks, and other attributes of `Claim`, such as its proof."""
    return {"checks": checks, **more}


def load(place: Path) -> Paper:
    """The ledger in a TOML file, or in a folder that is a package of Python.

    Raises:
        LedgerError: it is none; the message says what is wrong, where, and what is expected.
    """
    if place.is_dir():
        paper, record = _package(place), place / "recorded.json"
    else:
        paper, record = _toml(place), place.with_suffix(".recorded.json")
    try:
        recorded = parse_json(record.read_bytes()) if record.is_file() else {}
        if not isinstance(recorded, dict) or not set(recorded.values()) <= set(map(str, Verdict)):
            raise ValueError("it is no table of verdicts")
    except ValueError as error:
        raise LedgerError(f"{record}: {error}; remove it, and --record writes it anew") from error
    return replace(paper, recorded=recorded, record=record)


def _toml(file: Path) -> Paper:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise LedgerError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LedgerError(f"{file} is no TOML: {error}") from error
    claims = content.pop("claim", None)
    title, source = content.pop("title", None), content.pop("source", None)
    if not isinstance(title, str) or not isinstance(source, str) or not isinstance(claims, list) or content:
        more = f"; it has {', '.join(content)} besides" if content else ""
        raise LedgerError(f"{file}: a ledger has a title, a source and tables [[claim]]{more}")
    try:
        return Paper.of(title, source, [_claim(number, one) for number, one in enumerate(claims, start=1)])
    except LedgerError as error:
        raise LedgerError(f"{file}: {error}") from error


def _claim(number: int, table: Any, decided: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> Claim:
    name = table.get("id", f"claim {number}") if isinstance(table, dict) else f"claim {number}"
    if not isinstance(table, dict) or not isinstance(table.get("id"), str) or not table["id"].strip():
        raise LedgerError(f"{name}: a claim has an id, such as id = 'E1'")
    for key, value in table.items():
        if key in TEXTS:
            if not isinstance(value, str):
                raise LedgerError(f"{name}: {key} is a text")
        elif key not in LISTS:
            raise LedgerError(f"{name}: there is no {key}; a claim has {', '.join((*TEXTS, *LISTS))}")
        elif not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise LedgerError(f"{name}: {key} is a list of texts")
    if not table.get("formulas") and name not in decided:
        raise LedgerError(f"{name}: it has no formulas, and in TOML nothing else can be decided")
    said: dict[str, Any] = {key: tuple(value) if key in LISTS else value for key, value in table.items()}
    return Claim(**{**said, **decided.get(name, {})})


def _package(folder: Path) -> Paper:
    start = folder / "__init__.py"
    if not start.is_file():
        raise LedgerError(f"{folder}: a ledger is a TOML file, or a folder with an __init__.py that has PAPER")
    name = f"ledger_of_{folder.resolve().name}"
    spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=[str(folder.resolve())])
    if spec is None or spec.loader is None:
        raise LedgerError(f"{folder}: Python cannot load it")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename}, line {where.lineno}"
        raise LedgerError(f"{folder} cannot be loaded: {place}: {type(error).__name__}: {error}") from error
    paper = getattr(module, "PAPER", None)
    if not isinstance(paper, Paper):
        raise LedgerError(f"{start} has no PAPER = Paper.of(title, source, claims)")
    return paper
