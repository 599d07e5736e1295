"""The documentation site: it is built without a warning, its links lead somewhere, it asks no other machine."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def loaded(name: str) -> Any:
    spec = spec_from_file_location(f"website_{name}", ROOT / "website" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = loaded("check")


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_holds_together(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert list(check.faults(tmp_path)) == []
    pages = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.html")}
    for source in (*(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")):
        name = source.relative_to(ROOT).as_posix().removeprefix("docs/")
        assert name.replace("README", "index").rsplit(".", 1)[0] + ".html" in pages
    assert {"claims.html", "report.html", "contributing.html", "examples.html"} <= pages
    everything = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html"))
    assert 'class="mermaid"' not in everything  # for which the theme would fetch a script
    supplement = (ROOT / "docs" / "errata-supplement.md").read_text(encoding="utf-8")
    shown = (tmp_path / "errata-supplement.html").read_text(encoding="utf-8")
    assert shown.count('<div class="formula"><math') == supplement.count("```math") > 0
    assert "check_loss" in (tmp_path / "reference" / "testing.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ('<a href="none.html">', "page.html leads to none.html, which is not there"),
        ('<a href="other.html#none">', "page.html leads to other.html#none: there is no such place in other.html"),
        ('<a href="#none">', "page.html leads to #none: there is no such place in page.html"),
        ('<img src="none.svg">', "page.html leads to none.svg, which is not there"),
        ('<script src="https://a.org/b.js"></script>', "page.html needs https://a.org/b.js, from another machine"),
        ('<link rel="stylesheet" href="//a.org/b.css">', "page.html needs //a.org/b.css, from another machine"),
        (
            '<p style="background: url(https://a.org/b.png)">',
            "page.html needs https://a.org/b.png, from another machine",
        ),
        ("<style>@import 'https://a.org/b.css'</style>", "page.html needs https://a.org/b.css, from another machine"),
    ],
)
def test_what_is_wrong_with_a_page_is_found(tmp_path: Path, planted: str, fault: str) -> None:
    (tmp_path / "other.html").write_text("<h1 id='here'>")
    right = '<a href="other.html#here"><a href="https://a.org"><img src="data:image/png;base64,"><a href="#">'
    (tmp_path / "page.html").write_text(right)
    assert list(check.faults(tmp_path)) == []
    (tmp_path / "page.html").write_text(right + planted)
    assert list(check.faults(tmp_path)) == [fault]


def test_what_is_wrong_with_a_style_sheet_is_found(tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text("@font-face { src: url('https://a.org/b.woff2') }")
    assert list(check.faults(tmp_path)) == ["site.css needs https://a.org/b.woff2, from another machine"]


@pytest.mark.parametrize(
    ("path", "anchor", "source", "page", "moved"),
    [
        ("docs/house.md", "", "CONTRIBUTING.md", "contributing.md", "house.md"),
        ("../CONTRIBUTING.md", "#a-loss", "docs/ledger.md", "ledger.md", "contributing.md#a-loss"),
        ("../../notebooks/01.ipynb", "", "docs/tutorials/loss.md", "tutorials/loss.md", "../notebooks/01.md"),
        ("../examples/focal_loss.toml", "", "docs/ledger.md", "ledger.md", "examples.md#focal_losstoml"),
        ("../testing.md", "#strategies", "docs/tutorials/a.md", "tutorials/a.md", "../testing.md#strategies"),
        ("", "#limits", "docs/language.md", "language.md", "#limits"),
    ],
)
@pytest.mark.slow  # MkDocs is loaded
def test_links_of_the_repository_become_links_of_the_site(
    path: str, anchor: str, source: str, page: str, moved: str
) -> None:
    assert loaded("pages").moved(path, anchor, source, page) == moved


@pytest.mark.slow  # MkDocs is loaded
def test_code_is_left_as_it_is() -> None:
    page = "a [b](../c.md) `[d](../e.md)`\n\n```text\n[f](../g.md)\n```\n\n[h](../i.md)"
    changed = loaded("pages").outside_code(page, lambda text: text.replace("../", ""))
    assert changed == "a [b](c.md) `[d](../e.md)`\n\n```text\n[f](../g.md)\n```\n\n[h](i.md)"
