"""What a package index shows: the README, its links and its picture absolute. All else stands in pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
# A target in Markdown, in a definition of a link, or in HTML, that is neither absolute nor a place on the same page.
RELATIVE = re.compile(r"""(\]\(|^\[[^\]]+\]:\s+|(?:src|href)=")(?![a-z]+:|#)([^)\s"]+)""", re.MULTILINE)
PICTURES = (".svg", ".png", ".jpg", ".gif")


def absolute(markdown: str, repository: str) -> str:
    """The text with every relative link as one into the repository; code is left as it is."""

    def link(found: re.Match[str]) -> str:
        before, path = found.groups()
        kind = "raw" if path.lower().endswith(PICTURES) else "blob"
        return f"{before}{repository}/{kind}/HEAD/{path}"

    parts = CODE.split(markdown)
    return "".join(part if number % 2 else RELATIVE.sub(link, part) for number, part in enumerate(parts))


def described() -> str:
    """The README as a package index shows it."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return absolute((HERE / "README.md").read_text(encoding="utf-8"), project["urls"]["Repository"])


if __name__ == "__main__":
    setup(long_description=described(), long_description_content_type="text/markdown")
