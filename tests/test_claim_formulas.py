"""Formulas in claims: in prose, in the steps of proofs, and where a counterexample counts."""

import pytest

from softmax_trick.language.expression import LanguageError
from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.evaluation import by_canonical_form, sampled
from softmax_trick.ledger.paper import LedgerError, Paper
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
        ("1/((1 - y)*y) == 1/y + 1/(1 - y)", ("y != 0",), ("1 - y != 0",)),
    ],
)
def test_a_condition_is_said_of_entries_and_of_factors(formula, where, unstated):
    one = claim(formula, let="y: K; i: index K", where=where)
    assert by_canonical_form(one).unstated == unstated


def _result(formula, let, *where, **more):
    return Ledger({"X": claim(formula, let=let, where=where, **more)}).result("X")


@pytest.mark.parametrize(
    ("formula", "let", "where"),
    [
        ("sum(y) == 1", "y: K", "sum(y) == 2"),
        ("y == 2*z", "y: K; z: K", "y == z"),
        ("a == 1", "a: real", "a == 1"),
        ("sum(y) == 1", "x: K; y = softmax(x, slack=1)", "sum(y) == 1"),
        ("x[i] == x[1]", "x: K; i: index K", "i != 1"),
        ("x[i] == x[j]", "x: K; i: index K", "i != j"),
        ("exp(x[i]) < 1 + exp(x[i]) + onehot(i)[j]", "x: K; i: index K; j: index K", "i != j"),
        ("x == x", "x: K", "psd(outer(x, x))"),
    ],
)
def test_a_condition_that_is_not_understood_is_refused(formula, let, where):
    """Planted: equations taken for "the sum is 1"; conditions on an index that are dropped; 0 < 0 at equal indices."""
    with pytest.raises(LedgerError):
        Paper.of("a title", "a source", [claim(formula, let=let, where=(where,))])


@pytest.mark.parametrize(
    ("formula", "let", "where"),
    [
        ("abs(u - v) == u - v", "u: real; v: real", "u - v > 0"),
        ("sum(y)/sum(y) == 1", "y: K", "sum(y) > 0"),
        ("log(exp(a)*b) == a + log(b)", "a: real; b: real", "b > 0"),
        ("log(a*b) - log(b) == log(a)", "a: real; b: real", "1*b > 0"),
    ],
)
def test_what_holds_under_its_condition_is_not_refuted(formula, let, where):
    assert _result(formula, let, where).verdict != "refuted"


@pytest.mark.parametrize(
    ("formula", "let", "where"),
    [
        ("a == abs(a)", "a: real", "a < 0"),
        ("x*w == x", "x: K; w: K", "w != 0"),
        ("sum(y) == 2", "y: K", "sum(y) == 1"),
        ("x[i] == x[j]", "x: K; i: index K; j: index K", "i != j"),
    ],
)
def test_what_fails_under_its_condition_is_not_proved(formula, let, where):
    result = _result(formula, let, where)
    assert result.verdict in ("refuted", "undecided")
    for one in result.evidence:
        assert one.outcome != "holds", one


@pytest.mark.parametrize(
    ("formula", "let"),
    [
        ("x1 == x[1]", "x: K; x1: real"),
        ("onehot(i) == ones(K)", "i: label K"),
        ("W1_2 == W[1, 2]", "W: K,K; W1_2: real"),
    ],
)
def test_names_that_sympy_would_confuse_prove_nothing(formula, let):
    result = _result(formula, let, "K >= 2")
    assert result.verdict != "proved"
    assert not [
        one
        for one in result.evidence
        if one.engine in ("index calculus", "explicit algebra", "z3") and one.outcome == "holds"
    ]


@BOTH
def test_what_a_step_supposes_is_not_supposed_in_the_next_one(classes):
    p = Proof(classes, claim=claim("y == y", let="y: K"))
    p.shows("1/y + 1 == (1 + y)/y", where=("y != 0",))
    assert set(p.conditions.values()) == {True}
    p.shows("2/y + 2 == 2*(1 + y)/y")
    assert set(p.conditions.values()) == {False}


def test_positive_is_said_of_logarithms_and_products():
    one = _result("log(y) - log(w) == log(y/w)", "y: K; w: K", "y > 0", "w > 0")
    assert one.verdict == "proved"
    assert {item.engine: item.unstated for item in one.evidence if item.unstated} == {}
    short = _result("log(y) - log(w) == log(y/w)", "y: K; w: K", "y > 0")
    assert any(item.unstated for item in short.evidence)


def test_torch_draws_where_the_conditions_hold():
    rare = sampled(claim("abs(u - v) == u - v", let="u: K; v: K", where=("u - v > 0", "K >= 2")))
    assert rare.outcome == "gave up"  # twelve differences are rarely positive at once
    for outcome, formula in (("holds", "abs(u - v) == u - v"), ("fails", "abs(u - v) == v - u")):
        assert sampled(claim(formula, let="u: real; v: real", where=("u - v > 0",))).outcome == outcome
    assert sampled(claim("y == abs(y)", let="y: K", where=("y > 0",))).outcome == "holds"


def test_a_check_of_something_else_proves_no_formula():
    """Planted: a complete check beside a formula that nobody can decide."""
    nothing = Check("nobody", lambda findings: None, "nothing")
    formula = "sum(exp(x)) <= K*exp(max(x))*cosh(sum(x**3))"
    alone = _result(formula, "x: K")
    assert alone.verdict == "undecided"
    assert _result(formula, "x: K", checks=(nothing,)).verdict == "undecided"


ONE_FUNCTION = {"let": "x: K; y: K", "putting": "F(x) = softmax(x)"}


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [
        ("for all x, y = F(x): sum(y) == 1", "undecided"),  # false, and true of SoftMax
        ("exists F: for all x, y = F(x): sum(y) == 1", "proved"),
        ("not exists F: for all x, y = F(x): sum(y) == 2", "undecided"),  # false, and true of SoftMax
        ("for all x, y = F(x): sum(y) == 2", "refuted"),
        ("exists F: for all x, y = F(x): sum(y) == 2", "undecided"),  # true, and false of SoftMax
    ],
)
def test_one_function_proves_nothing_of_every_one(formula, verdict):
    result = _result(formula, ONE_FUNCTION["let"], putting=ONE_FUNCTION["putting"])
    assert result.verdict == verdict, [(one.engine, one.outcome, one.reason) for one in result.evidence]


@pytest.mark.parametrize(
    ("formula", "let", "putting", "verdict"),
    [
        ("sum(t) == 1 implies grad(softce(t, x), x) == softmax(x) - t", "x: K; t: K", "", "proved"),
        ("sum(t) == 1 implies grad(softce(t, x), x) == softmax(x) + t", "x: K; t: K", "", "refuted"),
        ("x != 0 implies exists d: d*x == 1", "x: K; d: K", "d = 1/x", "proved"),
        ("exists d: d*x == 1", "x: K; d: K", "d = 1/x", "undecided"),  # false at x = 0
        ("x > 0 and x < 0 implies x == x + 1", "x: K", "", "undecided"),  # vacuous
        ("exists d: for all x: d == x", "x: K; d: K", "d = x", "refuted"),
        ("K >= 2 implies sum(softmax(x)) == 1", "x: K", "", "proved"),
        ("i != j implies jacobian(softmax(x), x)[i,j] < 0", "x: K; i: index K; j: index K", "", "undecided"),
    ],
)
def test_claims_with_words(formula, let, putting, verdict):
    result = _result(formula, let, putting=putting)
    assert result.verdict == verdict, [(one.engine, one.outcome, one.reason) for one in result.evidence]
