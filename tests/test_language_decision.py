"""`decide` and its statements: every statement with a known truth, conditions, order, psd, conservative, diagnosis."""

import csv
from pathlib import Path

import pytest

import softmax_trick
from softmax_trick.deciding.decision import decide
from softmax_trick.deciding.points import Comparison
from softmax_trick.deciding.relations import decide_psd
from softmax_trick.deciding.replay import Disagreement, replay
from softmax_trick.language import variable
from softmax_trick.language.expression import (
    AxesError,
    Expression,
    Index,
    LanguageError,
    as_expression,
    diag,
    gradient,
    identity,
    outer,
)
from softmax_trick.language.functions import logsumexp, softmax, total
from softmax_trick.language.grammar import Statement, read_equation
from softmax_trick.language.text import to_text
from softmax_trick.readings import canonical
from softmax_trick.statements.statement import decide_statement

DATA = Path(__file__).parent / "data"


def sides(statement: Statement) -> tuple[Expression, Expression]:
    left, right = statement.expressions
    return left, right


def statements():
    for name in ("decide.tsv", "statements.tsv"):
        lines = (DATA / name).read_text(encoding="utf-8").splitlines()
        header = lines[0].removeprefix("# ").split("\t")
        for row in csv.reader(
            (line for line in lines[1:] if not line.startswith("#") and line), delimiter="\t", quoting=3
        ):
            yield dict(zip(header, row, strict=True))


STATEMENTS = list(statements())


def judged(text, let=""):
    return decide_statement(read_equation(text, None, let))


@pytest.mark.parametrize("part", range(8))
def test_every_statement_of_known_truth_is_decided_right(part):
    wrong = []
    for row in STATEMENTS[part::8]:
        statement = read_equation(row["left"], row["right"], row["let"])
        found = decide(*sides(statement), sizes=statement.sizes)
        if found.verdict != {"true": "proved", "false": "refuted"}[row["truth"]]:
            wrong.append((row["id"], found.verdict, found.reason))
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("grad(maximum(0, 1 - y*s), s) == -y*(y*s < 1)", ("1 - y*s != 0",)),
        ("sign(a) == a/abs(a)", ("a != 0",)),
        ("1/(a*exp(a)) == exp(-a)/a", ("a != 0",)),
        ("1/(-a)**3 == -1/(a*b/b)**3", ("a != 0", "b != 0")),
        ("1/(a - b)**2 == 1/(b - a)**2", ("a - b != 0", "b - a != 0")),
    ],
)
def test_a_condition_is_said_of_what_decides_it(text, conditions):
    assert judged(text, "a: real; b: real; y: real; s: real").conditions == conditions


@pytest.mark.parametrize(
    ("text", "let", "conditions"),
    [
        ("(a**2 - 1)/(a - 1) == a + 1", "", ("a - 1 != 0",)),
        ("log(a**2) == 2*log(a)", "", ("a**2 > 0", "a > 0")),
        ("log(p**2) == 2*log(p)", "p: positive", ()),
        ("sqrt(a*b)**2 == a*b", "", ("a*b >= 0",)),
        ("exp(log(a)) == a", "", ("a > 0",)),
        ("grad(sum(relu(x)), x) == (x > 0)", "x: K", ("x != 0",)),
        ("grad(norm(x), x) == x/norm(x)", "x: K", ("norm(x) != 0",)),
        ("x[2] == x[2]", "x: K", ()),
        ("log(1 - softmax(x)[c]) + x[c] == x[c] + log(1 - softmax(x)[c])", "c: label K", ("1 - softmax(x)[c] > 0",)),
        ("sqrt(mean((x - mean(x))**2) + e)**2 == mean((x - mean(x))**2) + e", "x: K; e: positive", ()),
        ("grad(max(x), x) == onehot(c)*0 + grad(max(x), x)", "x: K; c: label K", None),
    ],
)
def test_a_proof_says_where_both_sides_are_defined(text, let, conditions):
    found = judged(text, let)
    assert found.verdict == "proved"
    if conditions is not None:
        assert set(conditions) <= set(found.conditions)
        assert conditions or not found.conditions


def test_a_constant_exponent_is_one_however_it_is_written():
    """Planted: 4/2 taken for an exponent of a positive base, so that x**(4/2) was above 0 and no condition was said."""
    x, a, four = variable("x"), variable("a"), as_expression(4)
    for two in (four / 2, four - 2, as_expression(1) + 1):
        found = decide(a / x**two, a / x**two)
        assert found.verdict == "proved"
        assert any(condition.endswith("!= 0") for condition in found.conditions)
        assert not any(condition.endswith("> 0") for condition in found.conditions)


def test_a_numbered_entry_asks_for_its_size():
    assert judged("x[2] - x[2] == 0", "x: K").scope == "for every K >= 2"


def test_roots_are_not_drawn_out_of_what_may_be_negative():
    assert judged("sqrt(a**2) == abs(a)").verdict == "proved"
    assert judged("sqrt(a**2) == a").verdict == "refuted"
    assert judged("sqrt(a**2) == a", "a: nonnegative").verdict == "proved"
    assert judged("exp(log(a**2)/2) == a").verdict == "refuted"


def test_what_is_defined_nowhere_is_not_equal_to_itself():
    for text in ("log(-exp(a)) == log(-exp(a))", "1/(a - a) == 1/(a - a)", "sum(log(-exp(x))) == sum(log(-exp(x)))"):
        assert judged(text).verdict == "undecided"


def test_counts_of_labels_are_not_split_by_cases():
    statement = "sum(onehot(c), N)*(sum(onehot(c), N) - N) == 0"
    found = judged(statement, "c: N label K")
    assert found.verdict == "refuted"
    assert judged("sum(sum(onehot(c), N)) == N", "c: N label K").verdict == "proved"


def test_one_side_only():
    with pytest.raises(LanguageError, match="free on this side only"):
        judged("softmax(x)[i] == softmax(x)[j]*delta(j, k) + x[k]", "x: K")
    with pytest.raises(AxesError, match="vector over K"):
        judged("W@h == h", "W: K,D; h: D")


@pytest.mark.parametrize(
    ("text", "let", "verdict"),
    [
        ("softmax(x) <= 1", "", "proved"),
        ("softmax(x) < 1", "", "refuted"),  # at K = 1 and x = 0, where the ball of the left side is 1 exactly
        ("softmax(x, slack=C) < 1", "C: positive", "proved"),
        ("0 < sigmoid(a)", "", "proved"),
        ("sigmoid(a) > 1/2", "", "refuted"),
        ("a*b <= (a**2 + b**2)/2", "", "proved"),
        ("a*b < (a**2 + b**2)/2", "", "refuted"),
        ("logsumexp(x) >= x[c]", "c: label K", "proved"),
        ("sum(x)**4 <= K**3*sum(x**4)", "x: K", "undecided"),
        ("psd(hessian(logsumexp(x), x))", "", "proved"),
        ("psd(diag(softmax(x)) - outer(softmax(x), softmax(x)))", "", "proved"),
        ("psd(jacobian(exp(x)/(C + sum(exp(x))), x))", "C: positive", "proved"),
        ("psd(hessian(logsumexp(W@h) - (W@h)[c], h))", "W: K,D; h: D; c: label K", "proved"),
        ("psd(jacobian(softmax(d*x), x))", "d: K", "refuted"),
        ("psd(outer(softmax(x), softmax(x)) - diag(softmax(x)))", "", "refuted"),
        ("psd(hessian(-logsumexp(x), x))", "", "refuted"),
        ("psd(hessian(sum(log(x)), x))", "x: K positive", "refuted"),
        ("conservative(softmax(x) - t, x)", "t: K", "proved"),
        ("conservative(softmax(d*x) - t, x)", "d: K; t: K", "refuted"),
        ("conservative(x/norm(x), x)", "x: K", "proved"),
    ],
)
def test_statements_beside_equality(text, let, verdict):
    found = judged(text, let)
    assert found.verdict == verdict, found
    assert (found.witness is not None) == (verdict == "refuted")


def test_a_scalar_is_not_taken_for_a_vector_in_the_search_for_a_nearest_formula():
    assert decide_statement(read_equation("log(sum(exp(x))) == sum(x)", let="x: K")).verdict == "refuted"


@pytest.mark.parametrize(
    ("left", "right", "let", "nearest"),
    [
        ("grad(-sum(t*log(softmax(x))), x)", "softmax(x) - t", "t: K", "softmax(x)*sum(t) - t"),
        ("grad(logsumexp(x) - x[c], x)", "onehot(c) - softmax(x)", "c: label K", "softmax(x) - onehot(c)"),
        ("jacobian(softmax(d*x), x)", "diag(d) @ (diag(y) - outer(y, y))", "d: K; y = softmax(d*x)", None),
        ("jacobian(softmax(x), x)", "diag(softmax(x)*(1 - softmax(x)))", "", None),
        ("hessian(logsumexp(x), x)", "diag(softmax(x))", "", None),
        ("grad(logsumexp(x/tau), x)", "softmax(x/tau)", "tau: positive", "softmax(x/tau)/tau"),
        ("grad(mean(logsumexp(X, K)), X)", "softmax(X, K)", "X: N,K", "softmax(X)/N"),
        ("jacobian(softmax(x), x)[i,j]", "-softmax(x)[i]*softmax(x)[j]", "", None),
        ("jacobian(softmax(d*x), x)[i,j]", "softmax(d*x)[i]*(delta(i,j) - softmax(d*x)[j])*d[i]", "d: K", None),
        ("grad(logsumexp(W@h), W)", "outer(h, softmax(W@h))", "W: K,K'; h: K'", "outer(softmax(W @ h), h)"),
        ("grad(dot(softmax(x), v), x)", "softmax(x)*(v - mean(softmax(x)*v))", "v: K", None),
        # Of axes of one name, too, where "mean along K" would be ambiguous.
        ("grad(dot(x, A@x), x)", "2*A@x", "A: K,K", None),
        # No slip, but terms that were forgotten: the weight of focal loss is differentiated, too.
        ("grad(-(1 - p)**2*log(p), x)", "(softmax(x) - onehot(c))*(1 - p)**2", "c: label K; p = softmax(x)[c]", None),
    ],
)
def test_the_nearest_right_formula_is_right(left, right, let, nearest):
    statement = read_equation(left, right, let)
    found = decide_statement(statement)
    assert found.verdict == "refuted"
    assert found.nearest is not None
    assert decide(statement.expressions[0], found.nearest).verdict == "proved"
    assert nearest is None or to_text(found.nearest) == nearest


def test_an_index_of_the_statement_is_no_index_of_the_proof():
    """Planted: rows numbered by i, an index that the statement has, too: its x_i was taken for a row's own."""
    x = variable("x", "K")
    for name in ("i", "v_0", "_0"):
        i = Index(name, "K")
        shifted = diag(softmax(x)) - x[i] ** 2 * identity("K")
        assert decide_psd(shifted).verdict == "refuted"
        assert decide_psd(diag(softmax(x)) * x[i] ** 2).verdict == "proved"
        assert decide_psd((1 + x[i] ** 2) * (diag(softmax(x)) - outer(softmax(x), softmax(x)))).verdict == "proved"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("log_softmax(log_softmax(onehot(c))) == log_softmax(onehot(c))", "proved"),
        ("sqrt((1 - K - exp(1))**2) == K + exp(1) - 1", "proved"),
        ("abs(1 - K - N) == K + N - 1", "proved"),
        ("abs(2 - K - N) == K + N - 2", "proved"),
        ("abs(3 - K - N) == K + N - 3", "refuted"),
        ("sqrt((1 - K)**2) == 1 - K", "refuted"),
    ],
)
def test_a_size_is_at_least_one_in_whichever_order_it_is_written(text, verdict):
    """log_softmax twice of a one-hot vector was said to be defined nowhere: e + K - 1 was not seen to be positive."""
    assert judged(text, "c: label K; X: N,K").verdict == verdict


def test_nothing_is_made_up_where_no_slip_was_made():
    assert judged("x == y").nearest is None


def test_a_fault_in_the_reduction_is_noticed_by_the_replay(monkeypatch):
    # The planted fault: everything is reduced to zero. (A study's own captured an index, and made these two equal.)
    statement = read_equation("sum[n:K] log(sum[m:K] exp(A[m,n]))", "sum[n:K] A[n,n]", "A: K,K")
    assert decide(*sides(statement)).verdict == "refuted"
    with pytest.raises(Disagreement):
        replay(*sides(statement))
    monkeypatch.setattr(canonical.Canonical, "is_zero", lambda self, value: True)
    monkeypatch.setattr("softmax_trick.deciding.decision.compare", lambda *_, **__: Comparison(None, 1, 0))
    found = decide(*sides(statement))
    assert found.verdict == "undecided"
    assert "disagree" in found.reason


def test_from_python():
    assert str(softmax_trick.decide("softmax(x + a)", "softmax(x)", let="x: K")) == "equal for every K >= 1"
    x = variable("x", "K")
    assert softmax_trick.decide(gradient(logsumexp(x), x), softmax(x)).verdict == "proved"
    assert softmax_trick.decide(total(softmax(x)), 1).verdict == "proved"
    assert softmax_trick.decide("psd(diag(exp(x)))").relation == "psd"
    for wrong in (("x", x), (x, "x"), (x, None)):
        with pytest.raises(LanguageError):
            softmax_trick.decide(*wrong)
