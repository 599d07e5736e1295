"""The ledger as a page: well-formed, complete, without network or script, and right in a real browser.

The browser opens the page itself in a frame and looks at it from outside; each thing it looks for is planted once.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from softmax_trick.ledger.claims import Claim, Evidence, Step, Verdict, judge
from softmax_trick.ledger.run import Ledger, Result
from softmax_trick.measurements.figure import Figure
from softmax_trick.proofs import CLAIMS
from softmax_trick.report import graph, mathml
from softmax_trick.report.ledger_page import ledger_page
from softmax_trick.report.parts import PARTS, by_part, part

# --- results ----------------------------------------------------------------------------------------------------------


def result(claim: Claim, *evidence: Evidence) -> Result:
    uses = tuple(dict.fromkeys(name for item in evidence for name in item.uses))
    return Result(claim, judge(evidence), evidence, uses, ())


def hand_made() -> list[Result]:
    """A result of each kind, with text that HTML would misread."""
    proved = Evidence("algebra", "general", "every K", "holds", 0.25, uses=("S1.false",), complete=True)
    steps = (Step("0 < 1 & 1 > 0", "checked"), Step("a theorem", "cited"), Step("by that", "used", ("S1.false",)))
    figures = (Figure("rate", 99.41, "%", 99.4, 99.3, 99.5, 5, True), Figure("alone", 1.5, "%"))
    return [
        result(
            Claim("S1.false", "<b>false</b> & so", "$x < y$ for `a_b`", "section 1", repaired_by="S1.true"),
            Evidence("arithmetic", "exact", "all", "fails", 0.1, witness={"x": "<1>"}, reason="1 < 1"),
        ),
        result(
            Claim("S1.true", "true", r"$A \implies B$", "section 1", "*so* it is with `code`", hypotheses=("$K$",)),
            replace(proved, steps=steps),
        ),
        result(
            Claim("S5.wrong", "wrong", "as it says", "section 5", correction="It is $1$."),
            Evidence("arithmetic", "exact", "all", "fails", 0.1, witness={"x": "1"}, reason="not so: x = 2"),
        ),
        result(
            Claim("S4.run", "measured", "as it says", "section 4", measure=lambda results: ()),
            Evidence("experiment", "sampled", "5 runs", "holds", 3.0, figures=figures),
        ),
        result(
            Claim("S4.wait", "waits", "as it says", "section 4", measure=lambda results: ()),
            Evidence("experiment", "sampled", "our own runs", "open", 0.0, reason="not run"),
        ),
        result(Claim("X.open", "open", "as it says", "ours"), Evidence("z3", "exact", "", "open", 1.0, reason="a < b")),
    ]


NAMES = ("T1.1", "T1.1r", "T1.2r", "T1.4a", "T1.4d", "T1.4dr", "A1.1-2", "A1.2-3r", "A1.2-1", "A1.2-1r", "A1c", "A1r")


@pytest.fixture(scope="module")
def real(ledger: Ledger) -> list[Result]:
    """Claims of both theorems, run."""
    return [ledger.result(name) for name in NAMES]


@pytest.fixture(scope="module")
def whole(real: list[Result]) -> list[Result]:
    """Every claim of the ledger: those of `real` with their evidence, the others as if nothing were known of them."""
    run = {one.claim.id: one for one in real}
    return [run.get(name) or result(claim) for name, claim in CLAIMS.items()]


# --- reading the page -------------------------------------------------------------------------------------------------


def tree(page: str) -> ElementTree.Element:
    """The page as XML: an error if it is not well-formed."""
    start, _, rest = page.partition("\n")
    assert start == "<!DOCTYPE html>"
    return ElementTree.fromstring(rest)


def words(element: ElementTree.Element) -> str:
    """Its text, with a space between elements."""
    return " ".join(" ".join(element.itertext()).split())


def articles(page: str) -> dict[str, str]:
    """The words of each claim."""
    return {one.get("id", ""): words(one) for one in tree(page).iter("article")}


def broken_links(page: str) -> list[str]:
    """Links that lead nowhere in the page, and whatever would be fetched from elsewhere."""
    top = tree(page)
    ids = {one.get("id") for one in top.iter()}
    wrong = []
    for one in top.iter():
        wrong += [one.get(name, "") for name in ("src", "srcset", "action", "data", "xlink:href") if one.get(name)]
        target = one.get("href", "")
        if target.startswith("#"):
            wrong += [target] if target[1:] not in ids else []
        elif target and (one.tag, target) not in {("a", "https://doi.org/10.3390/e26010065"), ("link", "data:,")}:
            wrong.append(target)
        wrong += [one.tag] if one.tag in ("script", "iframe", "object", "embed", "img") else []
        wrong += [f"{one.tag} {name}" for name in one.keys() if name.startswith("on")]  # noqa: SIM118
    css = "".join(one.text or "" for one in top.iter("style"))
    return wrong + re.findall(r"@import|url\([^)]*", css)


def unconverted(page: str) -> list[str]:
    """Formulas that are shown as their source, or hold a command that the converter passed on."""
    top = tree(page)
    shown = [one.text or "" for one in top.iter("code") if one.get("class") == "unconverted"]
    return shown + [words(one) for one in top.iter("math") if "\\" in words(one)]


def test_hand_made_results():
    page = ledger_page(hand_made())
    assert not broken_links(page)
    assert not unconverted(page)
    shown = articles(page)
    assert set(shown) == {one.claim.id for one in hand_made()}
    false, true = shown["S1.false"], shown["S1.true"]
    assert "<b>false</b> & so" in false
    assert "✗ refuted exact" in false
    assert "Where it fails x <1>" in false
    assert "True instead S1.true : A" in false
    assert "Used by S1.true" in false
    assert "✓ proved general" in true
    assert "✓ 0 < 1 & 1 > 0 · a theorem → by that ( S1.false )" in true
    assert "Repairs S1.false" in true
    assert "Rests on S1.false" in true
    assert "so it is with code" in true
    assert "True instead It is 1 ." in shown["S5.wrong"]
    assert "≈ measured" in shown["S4.run"]
    assert "rate 99.41 % 99.3 to 99.5 99.4 5 ✓ yes" in shown["S4.run"]
    assert "Undecided z3: a < b" in shown["X.open"]
    assert "not run" not in shown["S4.wait"]  # its section says so, once for all


def test_what_was_not_run_stands_apart_at_the_end():
    sections = [one.get("id") for one in tree(ledger_page(hand_made())).iter("section") if one.get("class") == "part"]
    assert sections == ["part-1", "part-4", "part-5", "part-X", "waiting"]
    assert "waiting" not in ledger_page(hand_made()[:4])


def test_every_claim_is_on_the_page(whole):
    page = ledger_page(whole)
    ids = [one.get("id") for one in tree(page).iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    assert [one.get("id") for one in tree(page).iter("article")] == [
        one.claim.id for group in by_part(whole) for one in group.results
    ]
    assert not broken_links(page)
    assert len(page) < 2_000_000
    shown = articles(page)
    for one in whole:
        assert f"{graph.MARKS[one.verdict]} {one.verdict}" in shown[one.claim.id]
        assert one.claim.heading in shown[one.claim.id]
        assert one.claim.source in shown[one.claim.id]


def test_all_formulas_are_converted(whole):
    assert unconverted(ledger_page(whole)) == []
    for one in whole:
        text = one.claim.says + "".join(one.claim.given) + one.claim.correction + one.claim.quote
        assert text.count("$") % 2 == 0, one.claim.id


@pytest.mark.parametrize("latex", [r"\unheard{x}", r"{", r"\left("])
def test_an_unconverted_formula_is_shown_and_caught(latex):
    claim = Claim("S1.formula", "title", f"it is ${latex}$", "section 1")
    page = ledger_page([result(claim)])
    assert unconverted(page) == [latex]
    assert latex in articles(page)["S1.formula"]


def test_formulas_break_before_connectives_outside_brackets_only():
    page = mathml.statement(r"$\left[a \implies b\right] \implies {c \iff d} \iff e$")
    assert page.count("<math") == 3
    assert [piece.count("⟹") + piece.count("⟺") for piece in page.split("</math>")] == [1, 2, 1, 0]


def test_marks_of_the_papers_text():
    assert mathml.quotation("*SoftMax* and `a*b` of 2.*labels*(1-K*eps)") == (
        "<em>SoftMax</em> and <code>a*b</code> of 2.*labels*(1-K*eps)"
    )
    assert mathml.text("2 * 3 * 4 costs $") == "2 * 3 * 4 costs $"


@pytest.mark.parametrize(
    "planted",
    [
        '<p><a href="#S9.none">x</a></p>',
        '<img src="x.png"/>',
        '<a href="https://example.org">x</a>',
        "<script>1</script>",
        '<p onclick="1">x</p>',
        "<style>@import 'x.css';</style>",
        "<style>p { background: url(x.png) }</style>",
    ],
)
def test_a_broken_link_is_caught(planted):
    assert broken_links(ledger_page(hand_made()).replace("</footer>", f"{planted}</footer>"))


def test_the_same_evidence_gives_the_same_page(whole):
    def slower(one: Result) -> Result:
        return replace(one, evidence=tuple(replace(item, seconds=item.seconds + 7) for item in one.evidence))

    def without_seconds(page: str) -> str:
        return re.sub(r'(<td class="seconds">)[0-9.]+', r"\1", page)

    page, again = ledger_page(whole), ledger_page([slower(one) for one in whole])
    assert page == ledger_page(whole)
    assert page != again
    assert without_seconds(page) == without_seconds(again)


def test_a_page_of_one_claim_has_no_dead_links(real):
    [one] = [one for one in real if one.claim.id == "A1r"]
    page = ledger_page([one])
    assert not broken_links(page)
    assert "A1.2-1r" in articles(page)["A1r"]


def test_a_stale_verdict_says_so(real):
    page = ledger_page([replace(real[0], stale=("statement", "checker"))])
    assert "since then the statement and the checker changed" in articles(page)[real[0].claim.id]


# --- for everybody ----------------------------------------------------------------------------------------------------


def test_language_landmarks_and_headings(whole):
    top = tree(ledger_page(whole))
    assert top.get("lang") == "en"
    assert [one.tag for one in top.iter() if one.tag in ("header", "main", "footer")] == ["header", "main", "footer"]
    levels = [int(one.tag[1]) for one in top.iter() if re.fullmatch("h[1-6]", one.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    skip = next(one for one in top.iter("a"))
    assert skip.get("class") == "skip"
    assert skip.get("href") == "#claims"


def test_tables_have_headers_and_lie_in_boxes_that_scroll(real):
    top = tree(ledger_page([*real, *hand_made()]))
    parents = {child: parent for parent in top.iter() for child in parent}
    tables = list(top.iter("table"))
    assert len(tables) > 20
    for table in tables:
        assert parents[table].get("class") == "scroll"
        for row in table.iter("tr"):
            assert row[0].tag == "th"
            assert row[0].get("scope") in ("row", "col")


def contrast(one: str, other: str) -> float:
    """By WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_in_light_and_dark():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    page = ledger_page(hand_made())
    blocks = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in blocks)
    assert set(light) == set(dark)
    for colours in (light, dark):
        for name in set(colours) - {"paper", "wash", "line"}:
            for ground in ("paper", "wash"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


# --- parts and graph --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "key"),
    [
        ("S3.monotonic", "", "3"),
        ("S4.1.2.largest", "", "4"),
        ("S0.abstract", "", "0"),
        ("T1.4a", "", "2"),
        ("E5.braces", "", "2"),
        ("E1", "", "1"),
        ("E7", "", "4"),
        ("EA2", "", "A"),
        ("Tab4r", "", "4"),
        ("A1r", "beyond the paper", "A"),
        ("B.copy", "Section 5", "B"),
        ("X.convex", "section 3", "X"),
        ("Q", "section 5, first paragraph", "5"),
        ("Q", "Appendix B.2", "B"),
        ("Q", "ours", "X"),
        ("S9.none", "", "X"),
    ],
)
def test_part(name, source, key):
    assert part(Claim(name, "", "", source)) == key


def test_no_claim_of_the_paper_is_taken_for_one_beyond_it():
    assert {name for name, claim in CLAIMS.items() if part(claim) == "X"} == {n for n in CLAIMS if n.startswith("X.")}
    assert set(PARTS) >= {part(claim) for claim in CLAIMS.values()}


def linked(name: str, *uses: str, repaired_by: str | None = None) -> Result:
    claim = Claim(name, f"title of {name}", "x", "section 1", repaired_by=repaired_by)
    return Result(claim, judge([]), (), uses, ())


def test_the_graph_has_the_edges_of_the_claims_and_only_claims_with_edges():
    results = [linked("A"), linked("B", "A", "Z"), linked("C", repaired_by="B"), linked("D"), linked("E", "A", "B")]
    edges = {(edge.start, edge.end, edge.kind) for edge in graph.edges(results)}
    assert edges == {("A", "B", "rests"), ("C", "B", "repair"), ("A", "E", "rests"), ("B", "E", "rests")}
    drawing = ElementTree.fromstring(graph.svg(results))
    nodes = list(drawing.iter("a"))
    assert [one.get("href") for one in nodes] == ["#A", "#C", "#B", "#E"]  # from left to right
    assert words(nodes[0][0]) == "A: title of A (undecided)"
    kinds = [one.get("class", "") for one in drawing.iter("path") if one.get("class")]
    assert sorted(kinds) == ["edge repair", "edge rests", "edge rests", "edge rests"]
    assert graph.svg([linked("A"), linked("B")]) == ""


def boxes(drawing: str) -> list[tuple[float, float, float, float]]:
    found = []
    for group in ElementTree.fromstring(drawing).iter("g"):
        left, top = map(float, re.findall(r"[\d.]+", group.get("transform", "")))
        for box in group.iter("rect"):
            x, y, width, height = (float(box.get(name, "")) for name in ("x", "y", "width", "height"))
            found.append((left + x, top + y, left + x + width, top + y + height))
    return found


def test_boxes_of_the_graph_do_not_overlap(whole):
    circle = [linked("A", "C"), linked("B", "A", repaired_by="A"), linked("C", "B"), linked("D", "D")]
    tangle = [linked(f"N{n}", *(f"N{m}" for m in range(n) if (n * m) % 3 == 0), repaired_by="N2") for n in range(12)]
    for results in (circle, tangle, whole):
        drawing = graph.svg(results)
        places = boxes(drawing)
        assert len(places) == drawing.count("<rect")
        for number, one in enumerate(places):
            for other in places[:number]:
                apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
                assert apart, (one, other)
        _, _, width, height = map(float, ElementTree.fromstring(drawing).get("viewBox", "").split())
        assert all(x >= 0 and y >= 0 and right <= width and bottom <= height for x, y, right, bottom in places)


def test_arrows_lead_from_left_to_right(whole):
    ends = [
        [float(number) for number in re.findall(r"-?[\d.]+", path)]
        for path in re.findall(r'class="edge \w+" d="([^"]+)"', graph.svg(whole))
    ]
    assert len(ends) > 10
    assert all(numbers[0] < numbers[-2] for numbers in ends)


# --- in a browser -----------------------------------------------------------------------------------------------------

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome")

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


def browse(folder: Path, page: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page with a profile of its own."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [str(BROWSER), *QUIET, f"--user-data-dir={folder / 'profile'}", *options, file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


LOOK = """
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const all = (selector) => [...page.querySelectorAll(selector)];
  const seen = (one) => one.getClientRects().length > 0;
  const ids = (selector) => all(selector).filter(seen).map((one) => one.id || one.textContent.trim().split(" ").pop());
  const choose = (...names) => names.forEach((name) => page.getElementById(name).click());
  const found = {"closed": root.scrollWidth};
  all("details").forEach((one) => { one.open = true; });
  found.open = root.scrollWidth;
  const boxes = all("math").map((one) => one.getBoundingClientRect());
  found.formulas = boxes.length;
  found.hidden = boxes.filter((box) => box.width == 0 || box.height == 0).length;
  choose("verdict-is-refuted");
  found.refuted = {"claims": ids("article"), "index": ids(".index li"), "sections": ids("section.part")};
  choose("part-is-A");
  found.both = ids("article");
  choose("verdict-is-measured");
  found.nothing = {"claims": ids("article"), "line": seen(page.querySelector(".nothing"))};
  choose("part-is-2");
  page.defaultView.location.hash = "#T1.4a";
  found.followed = ids("article");
  page.getElementById("verdict-is-proved").focus();
  const label = page.querySelector("#verdict-is-proved + span");
  found.focus = getComputedStyle(label).outlineStyle;
  found.paper = getComputedStyle(page.body).backgroundColor;
  choose("verdict-is-all", "part-is-all");
  found.all = ids("article").length;
  document.querySelector("pre").textContent = JSON.stringify(found);
});
"""


class Pre(HTMLParser):
    """The text of the page's only <pre>."""

    text, inside = "", False

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "pre"

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        self.text += data if self.inside else ""


def look(folder: Path, page: str, width: int, *options: str) -> dict[str, Any]:
    """What a browser shows of the page in a frame of this width; no word on its console."""
    frame = f'<iframe srcdoc="{escape(page)}" style="width: {width}px; height: 900px; border: 0"></iframe>'
    wrapper = f"<!DOCTYPE html><meta charset='utf-8'><script>{LOOK}</script>{frame}<pre></pre>"
    done = browse(folder, wrapper, "--dump-dom", *options)
    assert "CONSOLE" not in done.stderr, done.stderr
    parser = Pre()
    parser.feed(done.stdout)
    return json.loads(parser.text)


def wrong(found: dict[str, Any], results: list[Result], width: int) -> list[str]:
    """What a browser finds amiss."""

    def having(verdict: Verdict, key: str | None = None) -> list[str]:
        return [
            one.claim.id
            for group in by_part(results)
            for one in group.results
            if one.verdict is verdict and key in (None, group.key)
        ]

    refuted = having(Verdict.REFUTED)
    sections = [f"part-{group.key}" for group in by_part(results) if any(o.claim.id in refuted for o in group.results)]
    checks = {
        "too wide": found["closed"] <= width,
        "too wide when opened": found["open"] <= width,
        "formulas invisible": found["hidden"] == 0 and found["formulas"] > 0,
        "filter by verdict": found["refuted"] == {"claims": refuted, "index": refuted, "sections": sections},
        "filter by both": found["both"] == having(Verdict.REFUTED, "A"),
        "no word when nothing is left": found["nothing"] == {"claims": [], "line": True},
        "a link to a hidden claim": found["followed"] == ["T1.4a"],
        "no visible focus": found["focus"] == "solid",
        "not all are back": found["all"] == len(results),
    }
    return [name for name, holds in checks.items() if not holds]


@needs_browser
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(tmp_path, whole, width):
    page = ledger_page(whole)
    found = look(tmp_path, page, width)
    assert wrong(found, whole, width) == []
    assert found["formulas"] == page.count("<math")


@needs_browser
@pytest.mark.parametrize(
    ("rule", "instead", "caught"),
    [
        (".statement, .facts dd { overflow-x: auto;", ".none {", "too wide"),
        (".scroll { overflow-x: auto; }", "", "too wide"),
        ("math { font-family", "math { display: none; font-family", "formulas invisible"),
        ("body:has(#verdict-is-refuted:checked) .claim", ".none", "filter by verdict"),
        (".index li:not(", ".none:not(", "filter by verdict"),
        (":is(.part, .index div):not(", ".none:not(", "filter by verdict"),
        (".nothing { display: block; }", "", "no word when nothing is left"),
        (", :target)", ")", "a link to a hidden claim"),
        ("input:focus-visible + span", ".none", "no visible focus"),
    ],
)
def test_the_browser_notices(tmp_path, real, rule, instead, caught):
    results = [*real, *hand_made()]
    page = ledger_page(results)
    assert rule in page
    assert caught in wrong(look(tmp_path, page.replace(rule, instead), 360), results, 360)


@needs_browser
def test_dark_and_light(tmp_path, real):
    dark = look(tmp_path, ledger_page(real), 1280, "--blink-settings=preferredColorScheme=0")
    light = look(tmp_path, ledger_page(real), 1280, "--blink-settings=preferredColorScheme=1")
    assert (light["paper"], dark["paper"]) == ("rgb(253, 253, 251)", "rgb(23, 24, 26)")


@needs_browser
def test_the_page_by_itself_draws_something_and_says_nothing(tmp_path, real):
    picture = tmp_path / "page.png"
    done = browse(tmp_path, ledger_page(real), f"--screenshot={picture}", "--window-size=1280,2000")
    assert "CONSOLE" not in done.stderr
    assert picture.stat().st_size > 50_000  # a blank page of that size has a tenth of it


def test_the_reports_do_not_load_torch():
    code = "import sys, softmax_trick.report.ledger_page, softmax_trick.report.errata; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
