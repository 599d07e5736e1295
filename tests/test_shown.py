"""How results look at Python's prompt and in a notebook: short, escaped, and without addresses of memory."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sympy as sp

import softmax_trick
from softmax_trick.deciding.decision import Decision
from softmax_trick.ledger.claims import Check, Claim, Evidence, Judgement, Verdict
from softmax_trick.ledger.run import Result
from softmax_trick.proofs import CLAIMS
from softmax_trick.proving.result import Counterexample, Finding, Proof
from softmax_trick.symbolic import EVERY_K, GivenK, decide, diag, index
from softmax_trick.testing.running import Checked

ADDRESS = re.compile(r"0x[0-9a-f]{6,}|<function|<bound")
X = EVERY_K.vector("x")

FAILS = Evidence("SymPy", "exact", "K = 2", "fails", 0.1, witness={"x": "<b>1</b>"}, reason="x < y & y > 0")
FALSE = Claim("E<1>", "a < b", r"$x < \frac{1}{2}$", "<i>here</i>", checks=(Check("z3", print, "all <K>"),))
WRONG = Counterexample({"K": 2}, {"x": [0, 1]}, (0,), "1", "2")


def dot(i):
    return X[i] - X[index("j")]


SHOWN = {
    "expression": lambda: softmax_trick.derive("logsumexp(x) - x[c]", "x", let="c: label K").value,
    "derivation": lambda: softmax_trick.derive("logsumexp(x) - x[c]", "x", let="c: label K"),
    "form": lambda: softmax_trick.derive("logsumexp(x) - x[c]", "x", let="c: label K").forms["gradient"],
    "proved": lambda: softmax_trick.decide("softmax(x)", "softmax(x + 1)"),
    "refuted": lambda: softmax_trick.decide("x < y", let="x: K"),
    "undecided": lambda: Decision("undecided", "", reason="a < b"),
    "certificate": lambda: softmax_trick.certify("softmax(d*x)", let="d: K"),
    "property": lambda: softmax_trick.certify(["x1", "a"]).unity,
    "claim": lambda: CLAIMS["A1.2-1"],
    "false claim": lambda: FALSE,
    "check": lambda: FALSE.checks[0],
    "evidence": lambda: FAILS,
    "judgement": lambda: Judgement(Verdict.REFUTED, "exact"),
    "result": lambda: Result(FALSE, Judgement(Verdict.REFUTED, "exact"), (FAILS,), (), ()),
    "proof": lambda: Proof("f<T>", {"x": "n x K"}, "for every K", (Finding("gradient by x", "refuted", "", WRONG),)),
    "finding": lambda: Finding("gradient by x", "undecided", "a < b"),
    "checked": lambda: Checked(("value", "gradient"), ("float16",), (), ("x < y",)),
    "normalizer": lambda: softmax_trick.get_normalizer("tanh"),
    "vector": lambda: X,
    "vector of three": lambda: GivenK(3).vector("x"),
    "matrix": lambda: diag(X),
    "zero": lambda: decide(X[index("i")] - X[index("i")]),
    "nonzero": lambda: decide(dot(index("i"))),
}


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_short_has_no_address_and_is_escaped(name):
    one: Any = SHOWN[name]()
    text = repr(one)
    assert not ADDRESS.search(text)
    assert "object at" not in text
    assert 0 < len(text) < 2000
    assert "Fraction(" not in text
    if hasattr(one, "_repr_html_"):
        html = one._repr_html_()
        assert not ADDRESS.search(html)
        tags = set(re.findall(r"</?(\w+)", html))
        assert tags <= {"pre", "p", "b", "br", "table", "thead", "tbody", "tr", "th", "td"}, tags
        assert html.count("<b>") == (name == "result")  # ours, and none of a claim
    else:
        assert one._repr_latex_().startswith("$")


def test_each_says_what_was_found():
    said = {name: repr(make()) for name, make in SHOWN.items()}
    assert said["proved"] == "x: vector over K\nequal for every K >= 1"
    assert "x: vector over K; y: vector over K\nfalse, at K = 2" in said["refuted"]
    assert said["certificate"].startswith("x: scores, vector over K; d: parameter, vector over K\ndefined ")
    assert "\ntrick                yes (general): dilation d; by A1.2-3r\n" in said["certificate"]
    assert said["property"].startswith("no (exact): at ")
    assert said["claim"] == "A1.2-1: (P2) -> (P1), as printed: nothing else has that Jacobian"
    assert said["result"] == "E<1> refuted (exact); a < b; fails at x = <b>1</b>"
    assert said["evidence"] == "SymPy (exact, K = 2): fails: x < y & y > 0"
    assert said["finding"] == "gradient by x: undecided: a < b"
    assert said["checked"] == "no fault found by 2 checks: value, gradient\nrefused: float16\nnote: x < y"
    assert said["zero"] == "zero"
    assert re.fullmatch(r"nonzero: .* at K = 2, i = \d, j = \d, x1 = .*", said["nonzero"])


def test_formulas_of_vectors_are_latex():
    assert X._repr_latex_() == r"$\left({x}_{i}\right)_{i = 1}^{K}$"
    assert "matrix" in GivenK(2).vector("x")._repr_latex_()
    assert r"\delta" in diag(X)._repr_latex_()
    assert GivenK(2).matrix("a")._repr_latex_().count("&") == 2


def test_how_names_were_read_is_said_of_symbols_too():
    x, a = sp.symbols("x a", real=True)
    found = softmax_trick.certify([sp.exp(a) / (1 + sp.exp(a))], [x])
    assert repr(found).startswith(
        "x: score; a: parameter\nnote: no score occurs in the formula: a is taken as a parameter"
    )
