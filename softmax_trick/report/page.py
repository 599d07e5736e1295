"""The frame of every HTML page: one file that needs nothing else, follows no link by itself, and runs nothing.

A page is well-formed XML too.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

import softmax_trick

SOURCE = (
    "W. Skarbek, “Cross Entropy in Deep Learning of Classifiers Is Unnecessary—ISBE Error Is All You Need”, "
    '<cite>Entropy</cite> 2024, 26, 65 (<a href="https://doi.org/10.3390/e26010065">doi:10.3390/e26010065</a>)'
)
"""The paper of this project, cited."""


def page(title: str, kind: str, top: str, main: Iterable[str], foot: str, rules: str = "", first: str = "") -> str:
    """A whole page.

    Args:
        title: of the page, as plain text.
        kind: what kind of page it is, above the title, as plain text.
        top: what follows the title, as HTML.
        main: what it is there for, as HTML.
        foot: what stands below, beside the version, as plain text.
        rules: CSS after that of all pages.
        first: before everything else, as HTML.
    """
    css = files("softmax_trick.report").joinpath("page.css").read_text(encoding="utf-8")
    content = "\n".join(main)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"/>
<meta name="color-scheme" content="light dark"/>
<link rel="icon" href="data:,"/>
<title>{escape(title)}</title>
<style>
{css}{rules}</style>
</head>
<body>
{first}<header>
<p class="kind">{escape(kind)}</p>
<h1>{escape(title)}</h1>
{top}
</header>
<main>
{content}
</main>
<footer><p>softmax-trick {softmax_trick.__version__}; {escape(foot)}.</p></footer>
</body>
</html>
"""


def section(key: str, title: str, content: Iterable[str], note: str = "") -> str:
    """A part of a page, with an id; the title as HTML."""
    return f'<section class="part" id="{key}"><h2>{title}</h2>{note}\n' + "\n".join(content) + "</section>"
