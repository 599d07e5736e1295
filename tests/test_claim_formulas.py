"""Formulas in claims: in prose, in the steps of proofs, and where a counterexample counts."""

import pytest

from softmax_trick.language.expression import LanguageError
from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.evaluation import by_canonical_form
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.run import Ledger
from softmax_trick.ledger.steps import Open
from softmax_trick.symbolic import EVERY_K, GivenK

BOTH = pytest.mark.parametrize("classes", [EVERY_K, GivenK(3)], ids=str)


def claim(*formulas, **more):
    return Claim(id="X", source="here", formulas=formulas, **more)


def test_prose_prints_what_is_claimed_and_what_is_only_spoken_of():
    one = claim("sum(y) == 1", let="x: K; y = softmax(x)", statement=r"$\formula{y == softmax(x)}$ gives $\formula{1}$")
    assert one.says == r"$y = \text{SoftMax}(x)$ gives $\sum_{k} y_{k} = 1$"
    with pytest.raises(LanguageError):
        _ = claim(statement=r"$\formula{y == softmax(}$").says


@BOTH
def test_an_inequality_is_a_step_if_it_is_true(classes):
    p = Proof(classes, claim=claim("x == x", let="x: K; y = softmax(x, slack=1)"))
    p.shows("y > 0", "sum(y) < 1", "0 <= x**2", words="at every x")
    assert [step.text for step in p.steps] == [f"{one}, at every x" for one in ("y > 0", "sum(y) < 1", "0 <= x**2")]
    for wrong in ("y < 0", "sum(y) > 1", "x**2 > 0", "x >= 0"):
        with pytest.raises(Open, match="not established"):
            p.shows(wrong)


@BOTH
def test_a_step_may_mean_something_else_by_a_name_and_has_conditions_of_its_own(classes):
    p = Proof(classes, claim=claim("y == y", let="x: K; y = softmax(x)"))
    p.shows("sum(y) == 1")
    p.shows("1/y + 1 == (1 + y)/y", let="z: K; y: K", where=("y != 0",))
    assert [step.text for step in p.steps] == ["sum(y) == 1", "1/y + 1 == (1 + y)/y, for y: K; y != 0"]
    assert set(p.conditions.values()) == {True}
    with pytest.raises(Open):
        p.shows("sum(y) == 1", let="y: K")


def test_a_counterexample_outside_the_domain_counts_for_nothing():
    """SymPy does not know that the entries are at most 1; the canonical form does."""
    evidence = Ledger({"X": claim("sum(t) == 1", let="t: K unit")}).result("X").evidence
    found = {item.engine: item.witness or {} for item in evidence}
    assert not found["explicit algebra"]
    assert "(0)" in found["canonical form"].values()


def test_a_declared_index_may_be_free_on_one_side():
    let = "x: K; y = softmax(x); i: index K; j: index K"
    true, false = (
        claim(f"grad(y[j] + {extra}, x)[i] == -y[i]*y[j] + {extra}", let=let, where=("i != j",)) for extra in ("0", "1")
    )
    assert Ledger({"X": true}).result("X").verdict == "proved"
    assert Ledger({"X": false}).result("X").verdict == "refuted"
    one_sided = claim("(jacobian(log(y), x) + outer(ones(K), y))[j,i] == 0*y[i]", let=let, where=("i != j",))
    assert Ledger({"X": one_sided}).result("X").verdict == "proved"


def test_a_label_that_sympy_cannot_place_is_no_crash():
    one = claim("grad(logsumexp(x) - x[c], x) == softmax(x) - onehot(c)", let="x: K; c: label K")
    result = Ledger({"X": one}).result("X")
    assert (result.verdict, result.evidence[1].outcome) == ("proved", "gave up")


def test_what_prose_speaks_of_is_declared_as_what_it_claims():
    let = "t: K distribution; i: index K; y = softmax(t); M: real"  # nothing is said of M
    one = claim(statement=r"of $\formula{t[i]}$ and $\formula{y != 0}$", let=let, where=("K >= 2",))
    assert one.says == r"of $y^\circ_{i}$ and $y \ne 0$"
    assert one.given == (
        r"$y^\circ \in [0, 1]^K, \ \sum_k y^\circ_{k} = 1$",
        r"$y = \text{SoftMax}(y^\circ)$",
        r"$K \ge 2$",
    )


@pytest.mark.parametrize(("where", "unstated"), [("K >= 2", ()), ("K >= 1", ("K - 1 != 0",))])
def test_a_least_size_says_what_is_divided_by(where, unstated):
    one = claim("(K - 1)/(K - 1) == 1", where=(where,))
    [evidence] = [item for item in Ledger({"X": one}).result("X").evidence if item.engine == "canonical form"]
    assert evidence.conditions == ("K - 1 != 0",)
    assert evidence.unstated == unstated


def test_what_prose_adds_is_not_proved_by_the_formulas():
    """Planted: prose that is false beside a formula that is true, and no proof."""
    false = claim("sum(softmax(x)) == 1", let="x: K", statement=r"$\\formula{1}$, and every soft score is 1")
    assert Ledger({"X": false}).result("X").verdict == "undecided"
    assert Ledger({"X": claim("sum(softmax(x)) == 1", let="x: K")}).result("X").verdict == "proved"


@pytest.mark.parametrize(
    ("formula", "where", "unstated"),
    [
        ("y/y == ones(K)", ("y != 0",), ()),
        ("y/y == ones(K)", (), ("y != 0",)),
        ("(y/y)[i] == 1", ("y > 0",), ()),
        ("1/((1 - y)*y) == 1/y + 1/(1 - y)", ("y != 0", "1 - y != 0"), ()),
        ("1/((1 - y)*y) == 1/y + 1/(1 - y)", ("y != 0",), ("(1 - y)*y != 0", "1 - y != 0")),
    ],
)
def test_a_condition_is_said_of_entries_and_of_factors(formula, where, unstated):
    one = claim(formula, let="y: K; i: index K", where=where)
    assert by_canonical_form(one).unstated == unstated
