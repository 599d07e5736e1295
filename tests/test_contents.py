"""What the claims of a paper say, kept between runs: the same as if they were imported, and never older than they."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import softmax_trick
from softmax_trick.ledger import contents, digests
from softmax_trick.ledger.cache import Cache
from softmax_trick.ledger.contents import paper_in
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS

FOUND_ONCE = (digests._text, digests._reachable, digests._imports, digests._digests_of)
SOURCE = """
from pathlib import Path

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.paper import Paper
from softmax_trick.small import values

def proof(p):
    p.shows("1/(1 + exp(-s)) == sigmoid(s)", let="s: real")
    p.concludes()

def check(facts):
    facts.same("they are two", values.TWO, 2)

PAPER = Paper.of("Small", "ours", [
    Claim("A", formulas=("sum(softmax(x)) == 1",), let="x: K", proof=proof),
    Claim("B", title="two", statement="$1 + 1 = 2$", checks=(Check("counting", check, "one"),)),
])
Path(__file__).with_name("imported").touch()
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A paper in a module of its own, as a new process finds it: `imported` says whether it had to be imported."""
    package = tmp_path / "small"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "paper.py").write_text(SOURCE)
    (package / "values.py").write_text("TWO = 2\n")
    (package / "data.toml").write_text("one = 1\n")
    monkeypatch.setattr(softmax_trick, "__path__", [*softmax_trick.__path__, str(tmp_path)])
    monkeypatch.setattr(digests, "_folder", lambda _: str(tmp_path))  # what is not imported yet

    def again():
        for name in [name for name in sys.modules if name.startswith("softmax_trick.small")]:
            monkeypatch.delitem(sys.modules, name)
        for one in FOUND_ONCE:
            one.cache_clear()
        (package / "imported").unlink(missing_ok=True)
        paper = paper_in("softmax_trick.small.paper", Cache(tmp_path / "evidence", tmp_path / "key"))
        return paper, (package / "imported").exists()

    yield package, again
    for one in FOUND_ONCE:
        one.cache_clear()


def test_what_was_kept_is_what_is_imported(small):
    _, again = small
    first, imported = again()
    assert imported
    second, imported = again()
    assert not imported
    for one, other in zip(first.claims.values(), second.claims.values(), strict=True):
        assert (one.id, one.heading, one.says, one.given) == (other.id, other.heading, other.says, other.given)
        assert [f.__module__ for f in one.functions] == [f.__module__ for f in other.functions]
        assert Ledger(second.claims).result(one.id).verdict == "proved"
    assert sys.modules["softmax_trick.small.paper"]  # to run them they are imported


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("paper.py", "== 1", "== 2"), ("paper.py", "1 + 1", "2 + 1"), ("values.py", "2", "3"), ("data.toml", "1", "2")],
)
def test_a_changed_source_is_imported(small, file, old, new):
    """Planted: another formula, another statement, another constant that a claim reads, other data beside it."""
    package, again = small
    again()
    (package / file).write_text((package / file).read_text().replace(old, new, 1))
    paper, imported = again()
    assert imported
    assert paper.claims["A"].formulas == ("sum(softmax(x)) == 2" if new == "== 2" else "sum(softmax(x)) == 1",)
    assert (Ledger(paper.claims).result("B").verdict == "proved") == (file != "values.py")


@pytest.mark.parametrize("change", [lambda kept: kept["claims"][0]["plain"].update(formulas=["1 == 1"]), dict.clear])
def test_what_somebody_edited_is_not_believed(small, tmp_path, change):
    _, again = small
    again()
    file = tmp_path / "evidence" / "contents" / "softmax_trick.small.paper.json"
    kept = json.loads(file.read_text())
    change(kept)
    file.write_text(json.dumps(kept))
    paper, imported = again()
    assert imported
    assert paper.claims["A"].formulas == ("sum(softmax(x)) == 1",)


def test_other_libraries_are_noticed(small, monkeypatch):
    _, again = small
    again()
    monkeypatch.setattr(digests, "libraries", lambda: {"sympy": "0.0"})
    assert again()[1]


def test_a_module_without_source_is_no_paper(tmp_path):
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        paper_in("softmax_trick.nowhere", Cache(tmp_path))


def test_all_that_a_claim_says_is_kept():
    """Every claim of the paper goes through JSON and comes back the same, functions aside."""
    for claim in CLAIMS.values():
        back = contents._claim("softmax_trick.proofs", json.loads(json.dumps(contents._entry(claim))))
        assert all(_plain(getattr(back, name)) == _plain(getattr(claim, name)) for name in contents.PLAIN)
        assert digests.digest(back) == digests.digest(claim)


def _plain(value):
    return tuple(value) if isinstance(value, range | tuple) else value


@pytest.mark.slow
def test_the_paper_is_read_with_neither_its_proofs_nor_sympy_nor_torch(tmp_path):
    """In a process of its own: what was kept by the first is what the second lists."""
    script = (
        "import sys; from softmax_trick.cli import main; main(['verify', '--list']); "
        "print([name for name in ('sympy', 'torch', 'softmax_trick.proofs') if name in sys.modules], file=sys.stderr)"
    )
    environment = {"SOFTMAX_TRICK_CACHE": str(tmp_path / "evidence"), "XDG_DATA_HOME": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
        for _ in range(2)
    )
    assert "sympy" in first.stderr
    assert second.stderr.strip() == "[]"
    assert second.stdout == first.stdout
    assert "T1.4a" in second.stdout
