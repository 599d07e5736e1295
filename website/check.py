"""Whether a built site holds together: `python website/check.py build/site`, after `make docs` has built it.

Every link leads to a page that is there, and to a place in it that is there; nothing that a page needs to be shown
(scripts, styles, fonts, pictures) comes from another machine.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ASKED = {"a": "href", "area": "href", "link": "href", "use": "href"}  # all others: src
FOLLOWED = {"a", "area"}  # by the reader, on a click: these may lead elsewhere
OF_A_STYLE = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class Page(HTMLParser):
    """What a page asks for, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.needs: list[str] = []
        self.places: set[str] = {"", "top"}
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        self._in_style = tag == "style"
        target = found.get(ASKED.get(tag, "src"))
        if target is not None:
            (self.links if tag in FOLLOWED else self.needs).append(target)
        self.needs += of_style(found.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.needs += of_style(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False


def of_style(text: str) -> list[str]:
    """What a style sheet asks for."""
    return [first or second for first, second in OF_A_STYLE.findall(text)]


def faults(site: Path) -> Iterator[str]:
    """What is wrong with a site, in words."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for target in page.needs:
            yield from fault(site, path, target, pages, needed=True)
        for target in page.links:
            yield from fault(site, path, target, pages, needed=False)
    for path in sorted(site.rglob("*.css")):
        for target in of_style(path.read_text(encoding="utf-8")):
            yield from fault(site, path, target, pages, needed=True)


def fault(site: Path, path: Path, target: str, pages: dict[Path, Page], needed: bool) -> Iterator[str]:
    """What is wrong with one link, or with one thing that a page needs."""
    where = path.relative_to(site)
    parts = urlsplit(target)
    if parts.scheme == "data":
        return
    if parts.scheme or parts.netloc:
        if needed:
            yield f"{where} needs {target}, from another machine"
        return
    file = site / unquote(parts.path[1:]) if parts.path.startswith("/") else path.parent / unquote(parts.path)
    file = (file if parts.path else path).resolve()
    file = file / "index.html" if file.is_dir() else file
    if not file.is_file():
        yield f"{where} leads to {target}, which is not there"
    elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].places:
        yield f"{where} leads to {target}: there is no such place in {file.name}"


def main(site: Path) -> int:
    """Say what is wrong; the exit status is 1 if something is."""
    found = list(faults(site.resolve()))
    print(*found, sep="\n" if found else "", end="\n" if found else "")
    print(f"{site}: {len(found)} faults in {len(list(site.rglob('*.html')))} pages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
