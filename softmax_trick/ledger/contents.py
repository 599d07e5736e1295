"""What the claims of a paper say, kept between runs: proofs are imported when one of them is run, and not before.

They need SymPy, and a run whose evidence is all kept runs none. What was kept is signed as evidence is, and holds for
as long as the source of the claims, of all that they import, and the libraries stay the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from softmax_trick.ledger.cache import Cache
from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.digests import digest_of_module, imports_by_source
from softmax_trick.ledger.paper import MainFinding, Paper
from softmax_trick.system.files import parse_json, write_whole
from softmax_trick.system.signature import sign, verified

FORMAT = 1
FUNCTIONS = ("proof", "counterexample", "measure", "sample")
READ = ("heading", "says", "given")  # what follows from its formulas, so that they need not be read for it again
PLAIN = tuple(field.name for field in fields(Claim) if field.name not in (*FUNCTIONS, "checks"))


def paper_in(module: str, cache: Cache) -> Paper:
    """The `PAPER` of a module of ours: as it was kept, if its sources and the libraries are the same; else imported."""
    if module in sys.modules:
        return _imported(module)
    kept = _kept(module, cache)
    now = asdict(digest_of_module(module))
    if kept and kept["digest"] == now:
        return _paper(module, kept)
    paper = _imported(module)
    _keep(module, paper, now, cache)
    return paper


def _imported(module: str) -> Paper:
    paper: Paper = import_module(module).PAPER
    return paper


# --- to the file and back ---------------------------------------------------------------------------------------------


def _kept(module: str, cache: Cache) -> dict[str, Any] | None:
    try:
        kept = verified(module, parse_json(_file(module, cache).read_bytes()), cache.key)
        if kept["format"] != FORMAT:
            return None
        imports_by_source.update({source: tuple(names) for source, names in kept["imports"].items()})
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None  # nothing, or nothing that can be used
    return kept


def _keep(module: str, paper: Paper, digest: Mapping[str, str], cache: Cache) -> None:
    content = {
        "format": FORMAT,
        "digest": digest,
        "imports": imports_by_source,
        "title": paper.title,
        "source": paper.source,
        "record": str(paper.record) if paper.record else None,
        "findings": list(map(asdict, paper.findings)),
        "claims": list(map(_entry, paper.claims.values())),
    }
    try:
        file = _file(module, cache)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(sign(module, content, cache.key)))
    except OSError as error:
        cache.trouble = f"{cache.folder}: {error.strerror}"


def _file(module: str, cache: Cache) -> Path:
    return cache.folder / "contents" / f"{module}.json"


def _entry(claim: Claim) -> dict[str, Any]:
    return {
        "plain": {name: _listed(getattr(claim, name)) for name in PLAIN},
        "read": {name: getattr(claim, name) for name in READ},
        "functions": {name: one.__module__ for name in FUNCTIONS if (one := getattr(claim, name))},
        "checks": [[one.engine, one.scope, one.rung, one.run.__module__] for one in claim.checks],
    }


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, range) else value


def _paper(module: str, kept: Mapping[str, Any]) -> Paper:
    claims = {one.id: one for one in (_claim(module, entry) for entry in kept["claims"])}
    findings = tuple(MainFinding(one["sentence"], tuple(one["claims"])) for one in kept["findings"])
    record = Path(kept["record"]) if kept["record"] else None
    recorded = parse_json(record.read_bytes()) if record else {}
    return Paper(kept["title"], kept["source"], claims, recorded, record, findings)


def _claim(module: str, entry: Mapping[str, Any]) -> Claim:
    plain = {name: _frozen(value) for name, value in entry["plain"].items()}

    def imported() -> Claim:
        return _imported(module).claims[plain["id"]]

    functions: dict[str, Any] = {
        name: _deferred(home, imported, attrgetter(name)) for name, home in entry["functions"].items()
    }
    checks = tuple(
        Check(engine, _deferred(home, imported, _run_of_check(number)), scope, rung)
        for number, (engine, scope, rung, home) in enumerate(entry["checks"])
    )
    claim = Claim(**plain, **functions, checks=checks)
    claim.__dict__.update({name: _frozen(value) for name, value in entry["read"].items()})
    return claim


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _run_of_check(number: int) -> Callable[[Claim], Any]:
    return lambda claim: claim.checks[number].run


def _deferred(home: str, imported: Callable[[], Claim], one: Callable[[Claim], Any]) -> Callable[..., Any]:
    """A function of a claim, from the module of that name; the claim is imported when the function is called."""

    def function(*arguments: Any) -> Any:
        return one(imported())(*arguments)

    function.__module__ = home
    return function
