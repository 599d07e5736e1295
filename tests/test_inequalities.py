"""Known inequalities, put in for the parts of a formula: each holds, and none proves what is false."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import flint
import pytest

from softmax_trick.deciding import inequalities
from softmax_trick.deciding.inequalities import ALONG, ENTRYWISE, Known, _holds, _Term
from softmax_trick.deciding.points import compare
from softmax_trick.language.expression import Expression, Number, ones, variable
from softmax_trick.language.functions import log, softmax
from softmax_trick.readings.canonical import Canonical
from softmax_trick.statements.statement import decide

x, y, s = variable("x", "K"), variable("y", "K"), variable("s")
b, t, T = (
    variable("b", "K", "positive"),
    variable("t", "K", "distribution"),
    variable("T", ("N", "K"), "distribution", "K"),
)
X = variable("X", ("N", "K"))
Arguments = Mapping[str, Sequence[Expression]]
SCALARS: Arguments = {
    "u": [s, variable("r")],
    "a": [variable("h", (), "nonnegative")],
    "b": [variable("h", (), "positive")],
    "e": [s, variable("r")],
    "l": [variable("h", (), "positive"), variable("g", (), "positive")],
    "s": [s, variable("r")],
}
VECTORS: Arguments = {
    "u": [x, y, ones("K")],
    "v": [x, y],
    "a": [b, softmax(x)],
    "b": [b],
    "p": [t, softmax(x), ones("K") / 3],
}
ROWS: Arguments = {"u": [X], "v": [X], "a": [softmax(X)], "b": [softmax(X)], "p": [T, softmax(X)]}
ZERO = Number(Fraction(0))

with (Path(__file__).parent / "data" / "inequalities.tsv").open(encoding="utf-8") as file:
    STATEMENTS = [tuple(row) for row in csv.reader(file, delimiter="\t") if not row[0].startswith("#")]


def differences(known: Known) -> Iterator[tuple[Expression, dict[str, int]]]:
    of_vectors: list[tuple[Arguments, dict[str, int]]] = [(VECTORS, {"K": 3}), (ROWS, {})]
    for kinds, sizes in [(SCALARS, {})] if known in ENTRYWISE else of_vectors:
        for arguments in product(*(kinds[kind] for kind in known.over)):
            yield known.difference(*arguments), sizes


def is_false(difference: Expression, sizes: dict[str, int], strict: bool) -> bool:
    return compare(ZERO, difference, sizes, "<" if strict else "<=").witness is not None


@pytest.mark.parametrize("known", [*ALONG, *ENTRYWISE], ids=lambda known: known.name)
def test_a_known_inequality_holds_and_would_be_noticed_the_other_way_round(known):
    cases = list(differences(known))
    assert cases
    assert not any(is_false(difference, sizes, known.strict) for difference, sizes in cases)
    assert any(is_false(-difference, sizes, True) for difference, sizes in cases)


@pytest.mark.parametrize(
    ("statement", "let", "truth"),
    [pytest.param(*one, marks=[pytest.mark.slow] * (n % 3 > 0)) for n, one in enumerate(STATEMENTS)],
)
def test_inequalities_are_decided(statement, let, truth):
    assert decide(statement, let=let).verdict == {"true": "proved", "false": "refuted"}[truth]


def test_what_asks_for_more_than_the_formula_is_not_used():
    """The entries of a distribution may be 0: an inequality with log(t) is for formulas that ask for t > 0."""
    for formula, allowed in ((t * t, False), (t * log(t), True)):
        used = [str(one) for _, one in inequalities.instances(formula)]
        assert used
        assert any("log(t)" in one or "kl(t" in one for one in used) == allowed


def test_a_wrong_known_inequality_is_caught_by_points_or_proves_nothing_false(monkeypatch):
    """Planted: logsumexp is at most the largest entry. What is false has a point, which is looked for first."""
    wrong = Known("planted", "u", lambda u: inequalities._largest(u) - inequalities._lse(u))
    monkeypatch.setattr(inequalities, "ALONG", (wrong, *ALONG))
    assert decide("logsumexp(x) <= max(x)", let="x: K").verdict == "refuted"


def test_the_sum_is_computed_again():
    """Planted: numbers that are negative, or do not add up to the formula."""
    algebra = Canonical()
    one = algebra.number(Fraction(1))
    unknown = algebra.variable(s, ())
    goal = algebra.add(unknown, one)
    term = _Term("s >= 0", unknown, False)
    assert _holds(algebra, goal, [(flint.fmpq(1), term)], strict=True)
    assert not _holds(algebra, goal, [(flint.fmpq(2), term)], strict=False)
    assert not _holds(algebra, unknown, [(flint.fmpq(1), term)], strict=True)
    assert _holds(algebra, unknown, [(flint.fmpq(1), replace(term, strict=True))], strict=True)
    minus = replace(term, value=algebra.multiply(algebra.number(Fraction(-1)), unknown))
    assert not _holds(algebra, goal, [(flint.fmpq(-1), minus)], strict=False)
