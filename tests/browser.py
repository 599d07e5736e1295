"""What tests of pages have in common: a real browser opens them in frames and looks at them from outside; contrast."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
]


def needs_browser(test: Any) -> Any:
    """It takes seconds to start one."""
    return pytest.mark.slow(pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome")(test))


@dataclass(frozen=True)
class Frame:
    """A page in a frame of this width; its script runs, or not."""

    page: str
    width: int
    scripts: bool = True


def browse(folder: Path, page: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page with a profile of its own."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [str(BROWSER), *QUIET, f"--user-data-dir={folder / 'profile'}", *options, file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)


# What the functions that look have at hand: of a page, its elements, those that are seen, and what of it is cut off.
COMMON = """
const all = (page, selector) => [...page.querySelectorAll(selector)];
const seen = (one) => one.checkVisibility();
const moment = () => new Promise((resolve) => setTimeout(resolve, 60));
const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
const boxed = (one) => one && (scrolls(one) || boxed(one.parentElement));
const cut = (page) => all(page, "body *").filter((one) =>
    seen(one) && !one.closest(".unseen, .word, .skip, .arrowheads, select, script")).filter((one) => {
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const html = one instanceof page.defaultView.HTMLElement; // what is drawn has no width to scroll
  const right = html && one.clientWidth ? Math.max(box.right, box.left + one.scrollWidth) : box.right;
  const outside = (right > page.documentElement.clientWidth + 1 || box.left < -1) && !boxed(one);
  const hides = html && style.overflowX !== "visible" && !scrolls(one) && one.scrollWidth > one.clientWidth + 1;
  return box.width > 0 && (outside || hides);
}).map((one) => `${one.localName}.${one.getAttribute("class")}`);
"""


class _Pre(HTMLParser):
    """The text of the page's only <pre>."""

    text, inside = "", False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.inside = tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside else ""


def look(folder: Path, function: str, frames: Sequence[Frame], *options: str) -> list[dict[str, Any]]:
    """What a function of JavaScript, from a frame's document to findings, finds in each; no word on the console."""
    shown = "".join(
        f'<iframe srcdoc="{escape(one.page)}" style="width: {one.width}px; height: 900px; border: 0"'
        f"{'' if one.scripts else ' sandbox=allow-same-origin'}></iframe>"
        for one in frames
    )
    script = f"""{COMMON}
const look = {function};
addEventListener("load", async () => {{
  const found = [];
  for (const frame of document.querySelectorAll("iframe")) {{
    frame.scrollIntoView();
    found.push(await look(frame.contentDocument));
  }}
  document.querySelector("pre").textContent = JSON.stringify(found);
}});"""
    wrapper = f"<!DOCTYPE html><meta charset='utf-8'><script>{script}</script>{shown}<pre></pre>"
    done = browse(folder, wrapper, "--dump-dom", "--virtual-time-budget=60000", *options)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "is sandboxed" not in line]
    assert not said, said
    parser = _Pre()
    parser.feed(done.stdout)
    assert parser.text, "it found nothing"
    return list(json.loads(parser.text))


def contrast(one: str, other: str) -> float:
    """By WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
