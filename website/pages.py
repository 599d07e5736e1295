"""What the documentation site has besides docs/: hooks of MkDocs, called by `make docs`.

Pages are made of CONTRIBUTING.md, of examples/, and of the notebooks as they are, without running them; of the ledger
and of the experiments' report, which the commands of the package write. Links between files of the repository become
links between pages. Formulas become MathML, which browsers show by themselves, so that no page asks another machine for
anything.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import re
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from softmax_trick.cli import _parser as parser
from softmax_trick.cli import main
from softmax_trick.commands.train import _parser as train_parser
from softmax_trick.report.mathml import formula
from softmax_trick.report.rungs import MEANINGS

ROOT = Path(__file__).parents[1]
REPORTS = {"claims.html": ["verify", "--html"], "report.html": ["report", "results", "--html"]}
BESIDE_DOCS = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}

# Code, in which nothing is a link or a formula: fenced blocks and spans.
CODE = re.compile(
    r"^(?P<fence>`{3,}).*?^(?P=fence)$|(?P<span>`+)(?!`).+?(?<!`)(?P=span)(?!`)", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]*)(?P<anchor>#[^)\s]*)?(?=\))")
FORMULA_OF_A_HOST = re.compile(r"\$`(.+?)`\$", re.DOTALL)
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
SUFFIXES = {".py": "python", ".toml": "toml", ".sh": "sh"}


# --- hooks ------------------------------------------------------------------------------------------------------------


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """All pages and figures that do not lie in docs/."""
    for source, name in BESIDE_DOCS.items():
        if (ROOT / source).is_file():
            files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "examples.md", content=examples()))
    files.append(
        File.generated(config, "site.css", content=(ROOT / "website" / "site.css").read_text(encoding="utf-8"))
    )
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, content in notebook(path).items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    for name, command in REPORTS.items():
        files.append(File.generated(config, name, content=written_by(command)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the site needs them; formulas as a code host writes them as Arithmatex reads them."""
    source = source_of(page.file.src_uri)

    def links(text: str) -> str:
        return LINK.sub(lambda found: moved(found["path"], found["anchor"] or "", source, page.file.src_uri), text)

    for mark, made in MADE.items():
        markdown = markdown.replace(mark, made()) if mark in markdown else markdown
    return outside_code(FORMULA_OF_A_HOST.sub(r"\\(\1\\)", markdown), links)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas as MathML."""

    def shown(found: re.Match[str]) -> str:
        made = formula(unescape(found["latex"]).strip(), full_size=found["open"] == "[")
        if not made.startswith("<math"):
            raise PluginError(f"{page.file.src_uri}: this formula cannot be shown: {unescape(found['latex'])}")
        return f'<div class="formula">{made}</div>' if found["open"] == "[" else made

    return FORMULA.sub(shown, html)


# --- links ------------------------------------------------------------------------------------------------------------


def source_of(page: str) -> str:
    """The file of the repository that a page of the site is made of."""
    if page.startswith("notebooks/"):
        return page.removesuffix(".md") + ".ipynb"
    others = {name: source for source, name in BESIDE_DOCS.items()}
    return others.get(page, f"docs/{page}")


def moved(path: str, anchor: str, source: str, page: str) -> str:
    """A link from one file of the repository to another, as a link between pages."""
    if not path:
        return anchor
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target.startswith("docs/"):
        target = target.removeprefix("docs/")
    elif target in BESIDE_DOCS:
        target = BESIDE_DOCS[target]
    elif target.endswith(".ipynb"):
        target = target.removesuffix(".ipynb") + ".md"
    elif target.startswith("examples/"):
        target, anchor = "examples.md", "#" + slug(posixpath.basename(target))
    return posixpath.relpath(target, posixpath.dirname(page) or ".") + anchor


def slug(title: str) -> str:
    """The anchor that MkDocs gives to a heading which is the name of a file."""
    return re.sub(r"[^\w\s-]", "", title).strip().lower()


def outside_code(markdown: str, change: Any) -> str:
    """The text with a change in all that is no code."""
    pieces, end = [], 0
    for found in CODE.finditer(markdown):
        pieces += [change(markdown[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*pieces, change(markdown[end:])])


# --- pages ------------------------------------------------------------------------------------------------------------


def written_by(command: list[str]) -> str:
    """The page that a command of the package writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        with redirect_stdout(StringIO()):
            status = main([*command, str(file)])
        if status not in (0, 1):  # 1: the paper has refuted claims
            raise PluginError(f"softmax-trick {' '.join(command)} ended with {status}")
        return file.read_text(encoding="utf-8")


def examples() -> str:
    """The files of examples/, whole."""
    pages = ["# Examples", "Each is a file of `examples/`, as it is; a test runs it."]
    for path in sorted((ROOT / "examples").iterdir()):
        if path.suffix in SUFFIXES:
            source = path.read_text(encoding="utf-8").strip()
            pages.append(f"## {path.name}\n\n````{SUFFIXES[path.suffix]}\n{source}\n````")
    return "\n\n".join(pages) + "\n"


def table_of_rungs() -> str:
    """The rungs, what each is, and what one must believe."""
    rows = [f"| **{rung}** | {one.is_} | {one.believed} |" for rung, one in MEANINGS.items()]
    return "\n".join(["| rung | is | one must believe |", "|---|---|---|", *rows])


def help_of_commands() -> str:
    """What every command says with --help."""
    before, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "100"
    try:
        [commands] = [one for one in parser()._actions if isinstance(one.choices, dict)]
        texts = {name: one.format_help() for name, one in commands.choices.items()}
        texts["train"] = train_parser().format_help()
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return "\n\n".join(f"## {name}\n\n{fenced(text.rstrip(), 'text')}" for name, text in texts.items())


# What takes the place of a comment in a page.
MADE = {
    "<!-- the table of rungs -->": table_of_rungs,
    "<!-- the help of every command -->": help_of_commands,
}


def notebook(path: Path) -> dict[str, str | bytes]:
    """A notebook as a page, and its figures, by their names."""
    found: dict[str, str | bytes] = {}
    lines: list[str] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines.append(source)
        elif not hidden(cell):
            lines.append(fenced(source, "python"))
        for output in cell.get("outputs", ()):
            lines += shown(output, path.stem, found)
    found[f"{path.stem}.md"] = "\n\n".join(lines) + "\n"
    return found


def hidden(cell: dict[str, Any]) -> bool:
    """Whether a cell is for the machine alone."""
    return "remove-input" in cell["metadata"].get("tags", ())


def shown(output: dict[str, Any], stem: str, figures: dict[str, str | bytes]) -> Iterator[str]:
    """An output of a cell as Markdown; a figure is added to those found so far."""
    data = {kind: "".join(value) for kind, value in output.get("data", {}).items()}
    if output["output_type"] == "stream":
        yield fenced("".join(output["text"]).rstrip("\n"), "text")
    elif "text/markdown" in data:
        yield data["text/markdown"]
    elif "text/latex" in data:
        yield data["text/latex"]
    elif "image/svg+xml" in data or "image/png" in data:
        kind = "svg" if "image/svg+xml" in data else "png"
        name = f"{stem}-{len(figures) + 1}.{kind}"
        figures[name] = data["image/svg+xml"] if kind == "svg" else base64.b64decode(data["image/png"])
        yield f"![{data.get('text/plain', 'a figure')}]({name})"
    else:
        yield fenced(data["text/plain"], "text")


def fenced(text: str, language: str) -> str:
    """A block of code."""
    return f"````{language}\n{text}\n````"
