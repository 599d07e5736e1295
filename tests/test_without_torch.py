"""Without torch, everything works that needs none; what needs it says so, and what would install it.

One process in which torch cannot be imported runs all the commands; the tests look at what it has said and kept.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_house import imports, the_package

from softmax_trick.cli import main
from softmax_trick.ledger.cache import Cache
from softmax_trick.ledger.claims import Evidence, judge
from softmax_trick.ledger.paper import Paper
from softmax_trick.ledger.run import Ledger, Result, differences, left_out
from softmax_trick.proofs import CLAIMS, PAPER
from softmax_trick.system.extras import MissingExtra, missing_extra, wanted, why_not_imported

REMEDY = "pip install 'softmax-trick[torch]'"
BLOCKED = """
import contextlib, importlib.abc, io, json, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "hypothesis"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from softmax_trick.cli import main

said = []
for command in json.loads(sys.argv[1]):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = main(command)
        except SystemExit as end:
            status = end.code
    said.append([status, out.getvalue(), errors.getvalue()])
print(json.dumps([said, sorted(name for name in sys.modules if name.partition(".")[0] == "torch")]))
"""
WORK = (
    ("decide", "grad(logsumexp(x) - x[c], x)", "softmax(x) - onehot(c)"),
    ("derive", "logsumexp(x)", "--by", "x", "--emit", "torch"),
    ("certify", "softmax(x)"),
    ("sweep", "--list"),
)
CLAIMED = ("T1.4a", "Tab2", "S1.separated", "S1.softmax")
NEEDING = (
    ("certify", "--torch", "torch:sigmoid", "--k", "3"),
    ("prove", "torch:sigmoid", "--inputs", "x: K"),
    ("sweep", "table3"),
    ("train", "--epochs", "1"),
)
NEEDING_MORE = (("accuracy", "torch:sigmoid", "--like", "focal"), ("build-native",))

Said = dict[tuple[str, ...], tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("without-torch")


@pytest.fixture(scope="module")
def verified(folder: Path) -> tuple[str, ...]:
    return ("verify", *CLAIMED, "--json", str(folder / "claims.json"), "--html", str(folder / "claims.html"))


@pytest.fixture(scope="module")
def said(folder: Path, verified: tuple[str, ...]) -> Said:
    commands = (*WORK, *NEEDING, *NEEDING_MORE, verified)
    places = {"SOFTMAX_TRICK_CACHE": str(folder / "evidence"), "XDG_DATA_HOME": str(folder / "data")}
    command = [sys.executable, "-c", BLOCKED, json.dumps(commands)]
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    outputs, loaded = json.loads(done.stdout)
    assert loaded == []
    return {one: tuple(output) for one, output in zip(commands, outputs, strict=True)}


@pytest.mark.parametrize("command", WORK, ids=" ".join)
def test_what_needs_no_torch_works(command: tuple[str, ...], said: Said) -> None:
    status, out, errors = said[command]
    assert (status, errors) == (0, "")
    assert out


@pytest.mark.parametrize("command", NEEDING + NEEDING_MORE, ids=" ".join)
def test_what_needs_torch_says_so_in_one_line(command: tuple[str, ...], said: Said) -> None:
    status, out, errors = said[command]
    assert status in (1, 2)
    assert out == ""
    assert errors.count("\n") == 1
    found = re.search(r"softmax-trick (\S+)( --torch)? needs (torch.*), which (is|are) not installed: (.*)\n", errors)
    assert found
    assert found[1] == command[0]
    wanted_too = {"accuracy": "torch,testing", "build-native": "torch,testing"}.get(command[0], "torch")
    assert found[5].replace("native,", "") == f"pip install 'softmax-trick[{wanted_too}]'"  # ninja may be here


def test_claims_are_decided_and_what_was_not_run_is_said(folder: Path, said: Said, verified: tuple[str, ...]) -> None:
    status, _, errors = said[verified]
    assert status == 0
    assert errors.splitlines()[-1] == (
        "softmax-trick: not run: 4 checks by torch, which alone decide 1 claim: torch is not installed: " + REMEDY
    )
    written = json.loads((folder / "claims.json").read_text())
    assert written["versions"]["torch"] == "none"
    verdicts = {claim["id"]: claim["verdict"] for claim in written["claims"]}
    assert verdicts == {name: PAPER.recorded[name] for name in CLAIMED} | {"S1.separated": "undecided"}
    evidence = {claim["id"]: {one["engine"]: one for one in claim["evidence"]} for claim in written["claims"]}
    for claim, engine in (("T1.4a", "torch autograd"), ("T1.4a", "torch reading"), ("S1.separated", "torch")):
        assert (evidence[claim][engine]["outcome"], evidence[claim][engine]["reason"]) == (
            "not run",
            "torch is not installed",
        )
    assert "not run: torch is not installed" in (folder / "claims.html").read_text()


def test_evidence_gathered_without_torch_is_not_complete_once_it_is_there(
    folder: Path, said: Said, verified: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: evidence without torch's, under a digest that says that torch is there."""
    assert said[verified][0] == 0
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    claim, cache = CLAIMS["S1.softmax"], Cache(folder / "evidence")
    kept = cache.find(claim)
    assert kept is not None
    assert "libraries" in kept.changed
    found = Ledger(CLAIMS, cache=cache).result(claim.id)
    assert not found.cached
    assert {item.outcome for item in found.evidence} == {"holds"}
    cache.save(claim, kept.evidence)  # as where torch is there and cannot be imported
    entry = cache.find(claim)
    assert entry is not None
    assert entry.evidence == found.evidence


def evidence(outcome: Any, rung: Any = "exact", engine: str = "one", **more: Any) -> Evidence:
    return Evidence(engine, rung, "all", outcome, 0.0, **more)


def test_what_was_not_run_counts_for_nothing():
    missing = evidence("not run", engine="torch", reason="torch is not installed")
    proof, open_ = evidence("holds", complete=True), evidence("open", reason="too hard")
    assert judge([proof, missing]) == judge([proof])
    assert judge([open_, missing]) == judge([open_])
    alone = judge([missing])
    assert (alone.verdict, alone.reason) == ("undecided", "torch: not run: torch is not installed")
    assert alone.not_run
    assert not judge([open_, missing]).not_run


def test_only_what_was_not_run_is_no_difference_from_the_record():
    claim, recorded = CLAIMS["S1.separated"], {"S1.separated": "proved"}
    missing = evidence("not run", engine="torch", reason="torch is not installed")
    for found, different in (((missing,), False), ((missing, evidence("open", reason="too hard")), True)):
        result = Result(claim, judge(found), found, (), ())
        assert bool(differences([result], recorded)) is different
        assert left_out([result]).startswith("not run: 1 check by torch")


def test_a_verdict_that_was_not_reached_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planted: of two claims only the one that was run is recorded anew."""
    missing = evidence("not run", engine="torch", reason="torch is not installed")
    found = {"T1.4a": evidence("holds", complete=True), "S1.separated": missing}
    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(tmp_path))  # what is planted is kept for no other test
    monkeypatch.setattr(Ledger, "gather", lambda self, claim: (found[claim.id],))
    kept: list[dict[str, Any]] = []
    monkeypatch.setattr(Paper, "keep", lambda self, verdicts: kept.append(dict(verdicts)))
    assert main(["verify", *found, "--record", "--fresh"]) == 0
    assert kept == [{"T1.4a": "proved"}]
    assert "not run: 1 check by torch" in capsys.readouterr().err


# --- why a package is not there ---------------------------------------------------------------------------------------


def poisoned(package: Path, line: str) -> None:
    package.mkdir()
    (package / "__init__.py").write_text(line + "\n")


def test_a_package_that_is_there_and_broken_is_not_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    poisoned(tmp_path / "broken_one", 'raise OSError("libfoo.so: no such file")')
    with pytest.raises(OSError, match="libfoo") as broken:
        __import__("broken_one")
    assert why_not_imported("broken_one", broken.value) == "cannot be imported (OSError: libfoo.so: no such file)"
    with pytest.raises(ImportError) as missing:
        __import__("nowhere_to_be_found")
    assert why_not_imported("nowhere_to_be_found", missing.value) == "is not installed"
    assert why_not_imported("json", missing.value) == why_not_imported("broken_one", missing.value) == ""


def test_an_import_that_fails_for_another_reason_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        wanted("softmax_trick.nowhere", "this")
    assert missing_extra(ImportError("cannot import name 'no_such' from 'torch'"), "this") is None
    assert "'softmax-trick[torch]'" in str(missing_extra(ModuleNotFoundError("", name="torch"), "this"))
    assert isinstance(missing_extra(MissingExtra("as it says"), "this"), MissingExtra)


# --- what is imported with what ---------------------------------------------------------------------------------------

NEED_TORCH = (
    "readings.tensors",
    "proving.",
    "isbe.",
    "testing.",
    "certification.black_box.",
    "training.",
    "experiments.sweep",
    "neighbours.",
    "report.figures",
    "report.notebooks.",
    "system.eager",
)


def loading_torch(modules: dict[str, str]) -> set[str]:
    """The modules that import torch when they are imported, or import one that does."""
    needed = {name: set(_with_packages(imports(name, modules, late=False))) for name in modules}
    found: set[str] = set()
    while more := {name for name, others in needed.items() if others & (found | {"torch"})} - found:
        found |= more
    return found


def _with_packages(names: Iterator[str]) -> Iterator[str]:
    """Importing a module imports the packages that it is in."""
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def out_of_place(modules: dict[str, str]) -> set[str]:
    allowed = tuple(f"softmax_trick.{name}" for name in NEED_TORCH)
    return {name for name in loading_torch(modules) if not name.startswith(allowed)}


def test_only_what_is_made_of_torch_imports_it():
    assert out_of_place(the_package()) == set()


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("language.text", "import torch", "softmax_trick.deciding.decision"),
        ("proofs.section_1", "from torch import nn", "softmax_trick.proofs"),
        ("ledger.claims", "from softmax_trick.readings.tensors import Tensors", "softmax_trick.ledger.run"),
        ("commands.output", "class A:\n    import torch.nn", "softmax_trick.cli"),
    ],
)
def test_an_import_of_torch_is_found_wherever_it_is_planted(module: str, line: str, found: str) -> None:
    modules = dict(the_package())
    modules[f"softmax_trick.{module}"] += f"\n{line}\n"
    assert found in out_of_place(modules)


def test_one_inside_a_function_is_none():
    modules = dict(the_package())
    modules["softmax_trick.language.text"] += "\ndef f():\n    import torch\n"
    assert out_of_place(modules) == set()
