"""The ledger as a page: well-formed, complete, without network, right in a real browser, with or without its script.

The browser opens pages in frames and looks at them from outside; each thing it looks for is planted once.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files
from itertools import pairwise
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from browser import Frame, browse, contrast, look, needs_browser

from softmax_trick.ledger.claims import Claim, Evidence, Step, Verdict, judge
from softmax_trick.ledger.paper import Paper
from softmax_trick.ledger.run import Ledger, Result
from softmax_trick.measurements.figure import Figure
from softmax_trick.proofs import CLAIMS
from softmax_trick.proofs.main_findings import MAIN_FINDINGS, WHAT_HOLDS
from softmax_trick.report import graph, mathml
from softmax_trick.report.ledger_page import ledger_page
from softmax_trick.report.page import target
from softmax_trick.report.parts import PARTS, by_part, not_run, part
from softmax_trick.report.worked_example import worked_example

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
    return {one.get("data-claim", ""): words(one) for one in tree(page).iter("article")}


SCRIPT = f"//\n{files('softmax_trick.report').joinpath('filters.js').read_text(encoding='utf-8')}//"


def broken_links(page: str) -> list[str]:
    """Links that lead nowhere in the page, and whatever would be fetched from elsewhere."""
    top = tree(page)
    ids = {one.get("id") for one in top.iter()}
    wrong = [one.text or "" for one in top.iter("script") if one.text != SCRIPT]
    for one in top.iter():
        wrong += [one.get(name, "") for name in ("src", "srcset", "action", "data", "xlink:href") if one.get(name)]
        target = one.get("href", "")
        if target.startswith("#"):
            wrong += [target] if unquote(target[1:]) not in ids else []
        elif target and (one.tag, target) not in {("a", "https://doi.org/10.3390/e26010065"), ("link", "data:,")}:
            wrong.append(target)
        wrong += [one.tag] if one.tag in ("iframe", "object", "embed", "img") else []
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
    assert "✗ refuted , exact" in false
    assert "Where it fails x <1>" in false
    assert "True instead ✓ proved: S1.true : A" in false
    assert "Used by ✓ proved: S1.true" in false
    assert "✓ proved , general" in true
    assert "✓ 0 < 1 & 1 > 0 · a theorem → by that ( ✗ refuted: S1.false )" in true
    assert "Repairs ✗ refuted: S1.false" in true
    assert "Rests on ✗ refuted: S1.false" in true
    assert "so it is with code" in true
    assert "True instead It is 1 ." in shown["S5.wrong"]
    assert "≈ measured" in shown["S4.run"]
    assert "rate 99.41 % 99.3 to 99.5 99.4 5 ✓ yes" in shown["S4.run"]
    assert "Undecided z3: a < b" in shown["X.open"]
    assert "not run" not in shown["S4.wait"]  # its section says so, once for all


def test_what_was_not_run_stands_apart_at_the_end():
    sections = [one.get("id") for one in tree(ledger_page(hand_made())).iter("section") if one.get("class") == "part"]
    assert sections == ["§part-1", "§part-4", "§part-5", "§part-X", "§part-waiting"]
    assert "§part-waiting" not in ledger_page(hand_made()[:4])


def test_every_claim_is_on_the_page(whole):
    page = ledger_page(whole)
    ids = [one.get("id") for one in tree(page).iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    assert [one.get("data-claim") for one in tree(page).iter("article")] == [
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


# --- findings, and the example worked out -----------------------------------------------------------------------------


def found_by(page: str) -> str:
    [section] = [one for one in tree(page).iter("section") if one.get("id") == "§findings"]
    return words(section)


def decided(name: str, verdict: Verdict) -> Result:
    outcome = {Verdict.PROVED: "holds", Verdict.REFUTED: "fails", Verdict.UNDECIDED: "open"}[verdict]
    witness = {"x": "1"} if outcome == "fails" else None
    return result(CLAIMS[name], Evidence("e", "exact", "s", outcome, 0.1, witness=witness, complete=True))  # type: ignore[arg-type]


def test_findings_are_said_while_their_claims_bear_them_out():
    """Planted: a sentence that is said whatever the evidence."""
    false = [decided(name, Verdict.REFUTED) for one in MAIN_FINDINGS for name in one.claims]
    true = [decided(name, Verdict.PROVED) for name in WHAT_HOLDS.claims]
    said = found_by(ledger_page([*false, *true]))
    assert all(f"{one.sentence} ✗ refuted: {one.claims[0]}" in said for one in MAIN_FINDINGS)
    assert f"{WHAT_HOLDS.sentence} ✓ proved: {WHAT_HOLDS.claims[0]}" in said
    assert f"{len(false)} statements that are refuted" in said
    spared = [decided("T1.1", Verdict.UNDECIDED) if one.claim.id == "T1.1" else one for one in false]
    lost = [one for one in MAIN_FINDINGS if "T1.1" in one.claims]
    assert [one for one in MAIN_FINDINGS if one.sentence not in found_by(ledger_page([*spared, *true]))] == lost
    assert WHAT_HOLDS.sentence not in found_by(ledger_page([*false, *true[1:]]))


def test_findings_of_another_ledger_are_its_refuted_claims():
    paper = Paper("A paper", "somebody", {})
    said = found_by(ledger_page(hand_made(), paper))
    assert "✗ refuted: S1.false <b>false</b> & so" in said
    assert "S1.false <b>false</b> & so Instead: ✓ proved: S1.true true" in said
    assert "S5.wrong wrong Instead: It is 1 ." in said
    assert "Nothing here is refuted." in found_by(ledger_page(hand_made()[1:2], paper))
    many = [decided(name, Verdict.REFUTED) for name in list(CLAIMS)[:13]]
    assert "3 more that are refuted" in found_by(ledger_page(many, paper))


def test_the_numbers_of_the_example_are_those_of_the_formula(real):
    """By finite differences of the formula that the counterexample names."""
    shown = {one.claim.id: one for one in real}
    example = worked_example(shown)
    [box] = [one for one in tree(ledger_page(real)).iter("section") if one.get("id") == "§example"]
    rows = {words(row[0]): [words(cell) for cell in row[1:]] for row in box.iter("tr")}

    def numbers(text: str) -> list[float]:
        return [float(Fraction(one)) for one in re.findall(r"-?\d+(?:/\d+)?", text.replace("−", "-"))]

    def f(x: list[float], slack: int) -> list[float]:
        whole = slack + sum(map(math.exp, x))
        return [math.exp(one) / whole for one in x]

    assert (shown["A1.2-1"].witness or {})["F"] == "exp(x_i) / (1 + sum_k exp(x_k))"
    for slack in (0, 1):
        y = f([0.0, 0.0], slack)
        ahead, behind = ([f([h, 0.0], slack), f([0.0, h], slack)] for h in (1e-5, -1e-5))
        jacobian = [(ahead[j][i] - behind[j][i]) / 2e-5 for i in range(2) for j in range(2)]
        assert numbers(rows["y = F (0, 0)"][slack]) == pytest.approx(y)
        assert numbers(rows["sum of y"][slack]) == pytest.approx([sum(y)])
        assert numbers(rows["Jacobian of F"][slack]) == pytest.approx(jacobian, abs=1e-8)
        assert numbers(rows["D y − y y ⊤"][slack]) == pytest.approx(jacobian, abs=1e-8)
        loss = [(math.log(behind[j][0]) - math.log(ahead[j][0])) / 2e-5 for j in range(2)]
        assert numbers(rows["gradient of cross-entropy for t = (1, 0)"][slack]) == pytest.approx(loss, abs=1e-8)
        assert numbers(rows["y − t"][slack]) == pytest.approx([y[0] - 1, y[1]])
    for name in ("A1.2-1", "A1.2-1r"):
        assert target(name) in example
    assert ledger_page([*real, decided("A1", Verdict.REFUTED)]).count('href="#§example"') == 1


def test_there_is_no_example_without_its_evidence(real):
    """Planted: an example that stands whatever is found."""
    shown = {one.claim.id: one for one in real}
    false = shown["A1.2-1"]
    other = tuple(replace(one, witness=one.witness and {**one.witness, "sum": "1"}) for one in false.evidence)
    for changed in (
        {"A1.2-1": decided("A1.2-1", Verdict.UNDECIDED)},
        {"A1.2-1r": decided("A1.2-1r", Verdict.UNDECIDED)},
        {"A1.2-1": replace(false, evidence=other)},
    ):
        assert worked_example(shown | changed) == ""
    assert worked_example({}) == ""
    without = ledger_page([false, decided("A1", Verdict.REFUTED), decided("A1.2-1r", Verdict.UNDECIDED)])
    assert "the classification of all functions with the trick, is false" in without
    assert "§example" not in without
    assert "§example" not in ledger_page(real, Paper("another", "paper", {}))


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
    assert skip.get("href") == "#§main"


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


def test_contrast_in_light_and_dark():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    page = ledger_page(hand_made())
    blocks = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in blocks)
    assert set(light) == set(dark)
    for colours in (light, dark):
        for name in ("ink", "soft", "link", *Verdict):
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
    [drawing] = map(ElementTree.fromstring, graph.drawings(results))
    nodes = list(drawing.iter("a"))
    assert [one.get("href") for one in nodes] == ["#A", "#C", "#B", "#E"]  # from left to right
    assert words(nodes[0][0]) == "A: title of A (undecided)"
    kinds = [one.get("class", "") for one in drawing.iter("path") if one.get("class")]
    assert sorted(kinds) == ["edge repair", "edge rests", "edge rests", "edge rests"]
    assert graph.drawings([linked("A"), linked("B")]) == []
    assert len(graph.drawings([*results, linked("F"), linked("G", "F")])) == 2


def boxes(drawing: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    found = []
    for box in drawing.iter("rect"):
        x, y, width, height = (float(box.get(name, "")) for name in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    return found


def test_boxes_of_the_graph_do_not_overlap(whole):
    circle = [linked("A", "C"), linked("B", "A", repaired_by="A"), linked("C", "B"), linked("D", "D")]
    tangle = [linked(f"N{n}", *(f"N{m}" for m in range(n) if (n * m) % 3 == 0), repaired_by="N2") for n in range(12)]
    for drawn in map(ElementTree.fromstring, (one for all_ in (circle, tangle, whole) for one in graph.drawings(all_))):
        places = boxes(drawn)
        assert places
        for number, one in enumerate(places):
            for other in places[:number]:
                apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
                assert apart, (one, other)
        start, top, width, height = map(float, drawn.get("viewBox", "").split())
        end, bottom = start + width, top + height
        assert all(x > start and y > top and right < end and low < bottom for x, y, right, low in places)


def test_arrows_lead_from_left_to_right(whole):
    ends = [
        [float(number) for number in re.findall(r"-?[\d.]+", path)]
        for path in re.findall(r'class="edge [^>]* d="([^"]+)"', "".join(graph.drawings(whole)))
    ]
    assert len(ends) > 10
    assert all(numbers[0] < numbers[-2] for numbers in ends)


# --- in a browser -----------------------------------------------------------------------------------------------------

LOOK = """async (page) => {
  const root = page.documentElement, window = page.defaultView, found = {};
  const names = (selector) => all(page, selector).filter(seen).map((one) => one.dataset.claim);
  const choose = (verdict) => page.querySelector(`[name=verdict][value="${verdict}"]`).click();
  const type = (selector, value) => {
    page.querySelector(selector).value = value;
    page.querySelector(selector).dispatchEvent(new Event("input", {bubbles: true}));
  };
  const numbers = (texts) => texts.map((one) => Number(one.match(/(\\d+)\\)?$/)[1]));
  const shown = () => ({
    "claims": names(".claim"), "index": names(".index li"), "nodes": names(".node:not(.faded)"),
    "parts": all(page, ".part").filter(seen).map((one) => one.id), "line": seen(page.querySelector(".nothing")),
    "verdicts": numbers(all(page, "label").map((one) => one.textContent)),
    "options": numbers(all(page, "option").map((one) => one.textContent)),
    "status": page.querySelector("[role=status]").textContent,
  });
  page.querySelector(".index").open = true;
  found.closed = cut(page);
  found.collapsed = all(page, ".claim .entry").filter(seen).length === 0;
  found.headings = all(page, ".claim h3").filter(seen).length;
  page.querySelector("[value=open]").click();
  all(page, "details").forEach((one) => { one.open = true; });
  await moment();
  found.open = cut(page);
  found.wide = root.scrollWidth;
  const boxes = all(page, "math").map((one) => one.getBoundingClientRect());
  found.formulas = boxes.length;
  found.hidden = boxes.filter((box) => box.width == 0 || box.height == 0).length;
  const long = all(page, ".claim .statement, .claim .scroll").filter((one) => one.scrollWidth > one.clientWidth);
  found.long = long.length;
  found.unreachable = long.filter((one) => one.tabIndex != 0).length;
  found.shadows = all(page, ".scroll, .statement, .facts dd").every((one) =>
    getComputedStyle(one).backgroundAttachment.split(", ").join() === "local,local,scroll,scroll");
  root.scrollTop = 1e6;
  const tools = page.querySelector(".tools").getBoundingClientRect();
  found.sticky = tools.top >= 0 && tools.bottom < 400;
  choose("refuted");
  found.refuted = shown();
  type("select", "A");
  found.both = shown();
  choose("measured");
  found.nothing = shown();
  choose("");
  type("select", "");
  type("[type=search]", "  NEPTUNE true ");
  found.word = shown();
  choose("refuted");
  page.querySelector("[value=close]").click();
  window.location.hash = "#T1.4a";
  await moment();
  const card = page.querySelector(".claim[data-claim='T1.4a']");
  const top = card.getBoundingClientRect().top, open = card.firstElementChild.open;
  found.followed = {open, "seen": top >= 0 && top < 300, "claims": names(".claim").length};
  found.below = page.querySelector("aside").getBoundingClientRect().bottom <= top || window.innerWidth > 1088;
  page.querySelector("[name=verdict]").focus();
  found.focus = getComputedStyle(page.querySelector("[name=verdict] + span")).outlineStyle;
  found.paper = getComputedStyle(page.body).backgroundColor;
  found.hacked = window.hacked === undefined;
  return found;
}"""

PLAIN = """async (page) => ({
  "tools": seen(page.querySelector(".tools")), "claims": all(page, ".claim").filter(seen).length, "cut": cut(page),
  "hacked": page.defaultView.hacked === undefined,
})"""


def wrong(found: dict[str, Any], results: list[Result]) -> list[str]:
    """What a browser finds amiss."""
    groups = by_part(results)
    drawn = {name for edge in graph.edges(results) for name in (edge.start, edge.end)}

    def expected(verdict: str = "", key: str = "", word: str = "") -> dict[str, Any]:
        def fits(one: Result, verdict: str, key: str) -> bool:
            in_words = word in one.claim.heading
            return verdict in ("", one.verdict) and key in ("", part(one.claim)) and in_words

        def number(verdict: str, key: str) -> int:
            return sum(fits(one, verdict, key) for one in results)

        claims = [one for one in in_order(results) if fits(one, verdict, key)]
        names = [one.claim.id for one in claims]
        sections = ["§part-waiting" if not_run(one) else f"§part-{part(one.claim)}" for one in claims]
        return {
            "claims": names,
            "index": names,
            "nodes": sorted(drawn & set(names)),
            "parts": list(dict.fromkeys(sections)),
            "line": not names,
            "verdicts": [number(value, key) for value in ("", *Verdict)],
            "options": [number(verdict, value) for value in ("", *(group.key for group in groups))],
            "status": f"{len(names)} of {len(results)} claims",
        }

    def differs(name: str, shown: dict[str, Any]) -> list[str]:
        got = found[name] | {"nodes": sorted(found[name]["nodes"])}
        return [key for key in shown if got[key] != shown[key]]

    checks = {
        "cut": not found["closed"],
        "cut when opened": not found["open"],
        "cards are open": found["collapsed"],
        "no titles": found["headings"] == len(results),
        "formulas invisible": found["hidden"] == 0 and found["formulas"] > 0,
        "no shadows": found["shadows"],
        "out of a keyboard's reach": found["unreachable"] == 0,
        "not in sight": found["sticky"],
        "a link to a hidden claim": found["followed"] == {"open": True, "seen": True, "claims": len(results)},
        "a claim under the filters": found["below"],
        "no visible focus": found["focus"] == "solid",
        "a foreign script": found["hacked"],
    }
    filtered = {
        "refuted": expected("refuted"),
        "both": expected("refuted", "A"),
        "nothing": expected("measured", "A"),
        "word": expected(word="Neptune"),
    }
    return [name for name, holds in checks.items() if not holds] + sorted(
        {f"filter: {key}" for name, shown in filtered.items() for key in differs(name, shown)}
    )


def in_order(results: list[Result]) -> list[Result]:
    """As the page has them."""
    running = [one for one in results if not not_run(one)]
    return [one for group in by_part(running) for one in group.results] + [one for one in results if not_run(one)]


def few(real: list[Result]) -> list[Result]:
    """Claims of all kinds, one of them with a title to search for, and none measured in Appendix A."""
    return [*real, *hand_made(), result(Claim("X.found", "it is true on Neptune", "$1 = 1$", "ours"))]


@needs_browser
def test_in_a_browser(tmp_path, whole):
    results = [*whole, result(Claim("X.found", "it is true on Neptune", "$1 = 1$", "ours"))]
    page = ledger_page(results)
    phone, desk, plain = (Frame(page, 390), Frame(page, 1400), Frame(page, 390, scripts=False))
    for found in look(tmp_path, LOOK, [phone, desk]):
        assert wrong(found, results) == [], found["followed"]
        assert found["formulas"] == page.count("<math")
    assert look(tmp_path, PLAIN, [plain]) == [{"tools": False, "claims": len(results), "cut": [], "hacked": True}]


PLANTED = (
    # of the style
    ("overflow-x: auto; overflow-y: hidden;", "", "cut when opened"),
    (".drawings .scroll { max-width: 100%; }", ".drawings .scroll { min-width: 60rem; }", "cut"),
    ("code { font: 0.85em var(--mono); overflow-wrap: anywhere; }", "h3 { min-width: 60rem; }", "cut"),
    ("math { font-family", "math { display: none; font-family", "formulas invisible"),
    ("0 / 3rem 100% local", "0 / 3rem 100% scroll", "no shadows"),
    ("aside { position: sticky;", "aside { position: static;", "not in sight"),
    ("index.open &&= beside", "", "a claim under the filters"),
    ("{ scroll-padding-top: 8rem; }", "{ scroll-padding-top: 0; }", "a claim under the filters"),
    ("input:focus-visible + span", ".none", "no visible focus"),
    ("[hidden] { display: none !important; }", "[hidden] { display: block !important; }", "filter: claims"),
    # of the script, whose digest is then another: the policy is left out
    (".index li", ".none", "filter: index"),
    ("claim.card.hidden = !", "claim.card.hidden = !!", "filter: claims"),
    ('all(".graph .node")', 'all(".none")', "filter: nodes"),
    ('emptied(".part"', 'emptied(".none"', "filter: parts"),
    ("one.nextElementSibling.querySelector", "document.querySelector", "filter: verdicts"),
    ("one.textContent = `${one.dataset.title}", "one.title = `${one.dataset.title}", "filter: options"),
    ("${shown.size} of", "${claims.length} of", "filter: status"),
    ("hidden = shown.size > 0", "hidden = true", "filter: line"),
    ("search.value.toLowerCase()", "search.value", "filter: claims"),
    ("if (claim.card.hidden) {", "if (false) {", "a link to a hidden claim"),
    ("claim.fold.open = true", "claim.fold.open = false", "a link to a hidden claim"),
    ("one.tabIndex = 0", "one.tabIndex = -1", "out of a keyboard's reach"),
    # of the page
    (
        '"><details>\n<summary><span class="verdict">',
        '"><details open="">\n<summary><span class="verdict">',
        "cards are open",
    ),
    ("<h3>", '<h3 hidden="">', "no titles"),
    ("</footer>", "</footer><script>hacked = 1</script>", "a foreign script"),
)


@needs_browser
def test_the_browser_notices(tmp_path, real):
    results = few(real)
    page = ledger_page(results)
    [policy] = re.findall("<meta http-equiv[^>]*>", page)
    frames = [Frame(page, 390)]
    for there, instead, _ in PLANTED:
        assert there in page
        frames.append(Frame(page.replace(policy, "").replace(there, instead), 390))
    first, *others = look(tmp_path, LOOK, frames)
    assert wrong(first, results) == [], (first["followed"], first["below"])
    assert first["long"] > 0
    found = [(there, wrong(one, results), caught) for (there, _, caught), one in zip(PLANTED, others, strict=True)]
    assert [one for one in found if one[2] not in one[1]] == []


@needs_browser
def test_dark_and_light(tmp_path, real):
    frames = [Frame(ledger_page(few(real)), 1280)]
    [dark] = look(tmp_path, LOOK, frames, "--blink-settings=preferredColorScheme=0")
    [light] = look(tmp_path, LOOK, frames, "--blink-settings=preferredColorScheme=1")
    assert (light["paper"], dark["paper"]) == ("rgb(253, 253, 251)", "rgb(23, 24, 26)")


@needs_browser
def test_the_page_by_itself_draws_something_and_says_nothing(tmp_path, real):
    picture = tmp_path / "page.png"
    done = browse(tmp_path, ledger_page(real), f"--screenshot={picture}", "--window-size=1280,2000")
    assert "CONSOLE" not in done.stderr
    assert picture.stat().st_size > 50_000  # a blank page of that size has a tenth of it


HOSTILE = (
    "<script>hacked = 1</script>",
    '"><img src="x" onerror="hacked = 1">',
    "'><svg onload='hacked = 1'>",
    "]]></script><script>hacked = 1</script>",
    "</title></style><script>hacked = 1</script>",
    "&lt;b&gt; &amp; &#0; <!-- --> $x <",
    "a\x00b\x1b[31m\ufffe",
    "a" * 400,
)


def hostile() -> tuple[list[Result], Paper]:
    """Texts that would break a page, wherever a ledger of somebody else's may have one."""
    claims = [
        Claim(name, text, text, text, text, remark=text, correction=text, part=text, hypotheses=(text,))
        for name, text in zip(("a b", "50%", "§main", 'x"y', "<i>", "claims", "a'b", "é&"), HOSTILE, strict=True)
    ]
    fails = Evidence("<e>", "exact", "<s>", "fails", 0.1, witness={"<x>": HOSTILE[1]}, reason=HOSTILE[0])
    results = [result(one, replace(fails, steps=(Step(one.title, "checked"),))) for one in claims]
    uses = Evidence("e", "general", "s", "holds", 0.1, uses=tuple(one.id for one in claims), complete=True)
    return [*results, result(Claim("last", HOSTILE[0], "x", part="<p>"), uses)], Paper(HOSTILE[4], HOSTILE[1], {})


def test_texts_of_others_stay_texts():
    results, paper = hostile()
    page = ledger_page(results, paper)
    assert not broken_links(page)
    assert "<script>hacked" not in page
    ids = [one.get("id") for one in tree(page).iter() if one.get("id")]
    assert len(ids) == len(set(ids)) + 1  # §main is the page's own, and a claim of that name is as good as asked for
    page.encode()


@needs_browser
def test_texts_of_others_stay_texts_in_a_browser(tmp_path):
    results, paper = hostile()
    [found] = look(tmp_path, PLAIN, [Frame(ledger_page(results, paper), 390)])
    assert found == {"tools": True, "claims": len(results), "cut": [], "hacked": True}


def test_the_reports_do_not_load_torch():
    code = "import sys, softmax_trick.report.ledger_page, softmax_trick.report.errata; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
