"""Every command and every snippet of docs/ and of the docstrings does what it shows."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest
from snippets import Wrong, run_page, snippets

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if snippets(path.read_text(encoding="utf-8")))
# Tested elsewhere, with the packages of others that they need.
ELSEWHERE = {"peers.md": "tests/test_peers.py"}
QUICK = {"check_a_gradient.md", "derive.md", "language.md", "README.md"}  # formulas alone
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "softmax_trick").rglob("*.py")
    if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
)

# So that a page takes seconds: a fault of a loss shows on a few examples as on many.
FEWER_EXAMPLES = """
import pytest
from hypothesis import settings
from softmax_trick.testing import running


@pytest.fixture(autouse=True)
def fewer_examples(monkeypatch):
    monkeypatch.setattr(running, "_SETTINGS", settings(running._SETTINGS, max_examples=10))
"""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=str(path.relative_to(ROOT)), marks=[] if path.name in QUICK else pytest.mark.slow)
        for path in PAGES
        if path.name not in ELSEWHERE
    ],
)
def test_a_page_does_what_it_shows(path: Path, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(FEWER_EXAMPLES)
    assert run_page(path.read_text(encoding="utf-8"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_a_docstring_does_what_it_shows(name: str) -> None:
    name = name.removesuffix(".__init__")
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


# --- planted errors ---------------------------------------------------------------------------------------------------

DECIDE = 'softmax-trick decide "softmax(x)" "softmax(x + a)"'
RIGHT = f"```console\n$ {DECIDE}\nx: vector over K; a: scalar\nequal for every K >= 1\n```\n"


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (RIGHT.replace("K >= 1", "K >= 2"), "K >= 2"),
        (RIGHT.replace("equal for every K >= 1\n", ""), "printed"),
        (RIGHT.replace("x: vector", "[...]\nx: matrix"), "matrix"),
        (f"```sh\n{DECIDE}\n```\n\n```text\nequal\n```\n", "printed"),
        (RIGHT.replace("decide", "decided"), "ended with 2"),
        (RIGHT.replace("softmax(x)", "softmax(x"), "exit status is 2"),
        ("```console\n$ make no-such-target\n```\n", "no such target"),
        ("```console\n$ pip install 'softmax-trick[no-such-extra]'\n```\n", "no such extra"),
        ("```console\n$ softmax-trick sweep table3 --sides 5\n```\n", "unrecognized arguments"),
        ("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n", "printed"),
        ("```python\n1 + 1  # 3\n```\n", "1 [+] 1 is 2, and not 3"),
        ("```python\nundefined\n```\n", "not defined"),
        ("```python\n# a.py\nb = 1\n```\n\n```python\nfrom a import c\n```\n", "cannot import"),
    ],
)
def test_what_is_not_as_shown_is_found(page: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(Wrong, match=message):
        run_page(page, tmp_path)


@pytest.mark.slow
def test_a_test_that_fails_is_found(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="1 failed"):
        run_page("```python\ndef test_it():\n    assert 1 == 2\n```\n", tmp_path)


def test_what_is_as_shown_passes(tmp_path: Path) -> None:
    page = RIGHT + RIGHT.replace("x: vector over K; a: scalar", "[...]")
    page += (
        "```python\n# a.py\nb = 1\n```\n\n```python\nfrom a import b\nb + 1  # 2\nprint(b)\n```\n\n```text\n1\n```\n"
    )
    assert run_page(page, tmp_path) == 4
