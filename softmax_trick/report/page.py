"""The frame of every HTML page: one file that needs nothing else and follows no link by itself.

A page is well-formed XML too. It can be read without a script; the one that it may have is written into it, and its
policy lets no other run.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from importlib.resources import files
from urllib.parse import quote

import softmax_trick

SOURCE = (
    "W. Skarbek, “Cross Entropy in Deep Learning of Classifiers Is Unnecessary—ISBE Error Is All You Need”, "
    '<cite>Entropy</cite> 2024, 26, 65 (<a href="https://doi.org/10.3390/e26010065">doi:10.3390/e26010065</a>)'
)
"""The paper of this project, cited."""

NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may hold, and no UTF-8."""

OURS = "§"
"""What the ids begin with that are the page's own: those without it are claims'."""


def page(title: str, kind: str, top: str, aside: str, main: Iterable[str], foot: str, script: str = "") -> str:
    """A whole page.

    Args:
        title: of the page, as plain text.
        kind: what kind of page it is, above the title, as plain text.
        top: what follows the title, as HTML.
        aside: what stays in sight beside all else, or above it where there is no room beside it, as HTML.
        main: what the page is there for, as HTML.
        foot: what stands below, beside the version, as plain text.
        script: the name of a file of this package: the script that the page may run.
    """
    code = f"//<![CDATA[\n{_text(script)}//]]>" if script else ""
    allowed = f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'" if script else "'none'"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"
    content = "\n".join(main)
    whole = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="{policy}"/>
<meta name="color-scheme" content="light dark"/>
<link rel="icon" href="data:,"/>
<title>{escape(title)}</title>
<style>
{_text("page.css")}</style>
</head>
<body>
<a class="skip" href="#{OURS}main">Skip to the content</a>
<aside aria-label="On this page">{aside}</aside>
<div class="content">
<header>
<p class="kind">{escape(kind)}</p>
<h1>{escape(title)}</h1>
{top}
</header>
<main id="{OURS}main" tabindex="-1">
{content}
</main>
<footer><p>softmax-trick {softmax_trick.__version__}; {escape(foot)}.</p></footer>
</div>
{f"<script>{code}</script>" if script else ""}</body>
</html>
"""
    return NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", whole)


def _text(name: str) -> str:
    return files("softmax_trick.report").joinpath(name).read_text(encoding="utf-8")


def section(key: str, title: str, content: Iterable[str], kind: str = "part") -> str:
    """A part of a page, with an id of the page's own; the title as HTML."""
    return f'<section class="{kind}" id="{OURS}{key}"><h2>{title}</h2>\n' + "\n".join(content) + "</section>"


def target(name: str) -> str:
    """The link within the page to the place of that id, as an attribute's value."""
    return f"#{quote(name)}"


def table(columns: Iterable[str], rows: str, kind: str) -> str:
    """A table in a box that scrolls, of rows as HTML."""
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    content = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{content}</table></div>'
