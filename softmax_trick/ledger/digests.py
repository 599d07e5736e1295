"""What evidence was made from: digests of the statement, of the checker's source, and the versions of the libraries.

Evidence is stale when one of the three has changed since: it then says nothing about the claim as it stands now.
"""

from __future__ import annotations

import ast
import hashlib
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from softmax_trick.ledger.claims import Claim
from softmax_trick.system.extras import is_installed

LIBRARIES = ("mpmath", "numpy", "python-flint", "scipy", "sympy", "torch", "z3-solver")
ENGINES = ("softmax_trick.ledger.gathering",)  # what every claim is run by

imports_by_source: dict[str, tuple[str, ...]] = {}
"""The modules of ours that a source imports, by the SHA-256 of its text: to find them it has to be parsed."""


@dataclass(frozen=True)
class Digest:
    """Digests, as hexadecimal text, of a claim's statement, of the source that checks it, and of what it runs on."""

    statement: str
    checker: str
    libraries: str

    def changes(self, now: Digest) -> list[str]:
        """The names of the parts in which this digest differs from that of now."""
        return [field.name for field in fields(self) if getattr(self, field.name) != getattr(now, field.name)]


def digest(claim: Claim, results: str = "") -> Digest:
    """The digest of a claim as it stands now; what is measured is checked by results, too, which have one of theirs."""
    checker = _hash(*_sources(claim), results) if claim.measure else _hash(*_sources(claim))
    return Digest(_hash(*_statement(claim)), checker, _hash(*libraries().items()))


def digest_of_module(name: str) -> Digest:
    """The digest of what a module makes when it is imported: of its source, and of all that it can reach by imports.

    Raises:
        ModuleNotFoundError: there is no such module of ours. (Imports are followed in ours only.)
    """
    if not name.startswith("softmax_trick.") or not _text(name):
        raise ModuleNotFoundError(f"there is no source of {name}")
    return Digest("", _hash(*_digests_of(frozenset({name}))), _hash(*libraries().items()))


@lru_cache
def libraries() -> dict[str, str]:
    """The versions of Python and of the libraries that decide, how Python runs, and on what kind of machine."""
    versions = {"python": platform.python_version()}
    optimized = f", optimized {sys.flags.optimize}" if sys.flags.optimize else ""
    versions["platform"] = f"{platform.python_implementation()} {sys.platform} {platform.machine()}{optimized}"
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    if not is_installed("torch"):  # what is not run without it is gathered once it is there
        versions["torch"] = "none"
    return versions


def _statement(claim: Claim) -> tuple[Any, ...]:
    said = claim.statement, *claim.formulas, claim.let, *claim.where, claim.putting
    return claim.id, *said, claim.quote, claim.hypotheses, tuple(claim.classes)


def _sources(claim: Claim) -> tuple[str, ...]:
    """A digest of every module of ours that the claim's functions and the engines can reach by imports."""
    return _digests_of(frozenset(function.__module__ for function in claim.functions))


@cache
def _digests_of(roots: frozenset[str]) -> tuple[str, ...]:
    names = set().union(*(_reachable(name) for name in {*roots, *ENGINES}))
    others = {name.split(".")[0] for name in roots} - {"softmax_trick"}  # a package of somebody's: all that it loaded
    names |= {name for name in list(sys.modules) if name.split(".")[0] in others}
    return tuple(_hash_of_source(name, _text(name)) for name in sorted(names))


@cache
def _hash_of_source(name: str, text: str) -> str:
    return _hash(name, text)


@cache
def _reachable(name: str) -> frozenset[str]:
    reached, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in reached and _text(one):
            reached.add(one)
            waiting += _imports(one)
    return frozenset(reached)


@cache
def _imports(name: str) -> tuple[str, ...]:
    """The modules of ours that a module imports, at its top or inside a function; `from a import b` may name a.b."""
    source = _text(name)
    key = hashlib.sha256(source.encode()).hexdigest()
    if key not in imports_by_source:
        imports_by_source[key] = _imports_in(source)
    return imports_by_source[key]


def _imports_in(source: str) -> tuple[str, ...]:
    found = []
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    # The package of the claims imports all of them: what one rests on is in its own imports.
    ours = {module for module in found if module.split(".")[0] == "softmax_trick" and module != "softmax_trick.proofs"}
    return tuple(sorted(ours))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements, those inside others too; expressions, the most of a module, have no imports in them."""
    for node in body:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, name, ()))


@cache
def _text(name: str) -> str:
    """The source of a module, with the data that lie beside a package's; nothing if there is no such module.

    (The name may be one in a module.) Nothing is imported for it.
    """
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded:
        return _with_data(Path(loaded))
    package, _, rest = name.partition(".")
    parts = rest.split(".")
    if parts[0] == "proofs":  # in the repository they stand beside the package, not inside it
        package, parts = "softmax_trick.proofs", parts[1:]
    if not rest or not (folder := _folder(package)):
        return ""
    place = Path(folder, *parts)
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return _with_data(file)
    return ""


@cache
def _folder(package: str) -> str:
    """Where a package lies, which need not have been imported."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return next(iter(places), "") if places else ""


def _with_data(source: Path) -> str:
    """The source, and as comments the data from which it makes constants."""
    text = source.read_text(encoding="utf-8")
    data = sorted(source.parent.glob("*.toml")) if source.name == "__init__.py" else []
    lines = [line for file in data for line in file.read_text(encoding="utf-8").splitlines()]
    return text + "".join(f"# {line}\n" for line in lines)


def _hash(*parts: Any) -> str:
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()[:16]
