"""Statements with words: what is read, how it is printed, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from softmax_trick.language.expression import Index, LanguageError, Size, onehot, variable
from softmax_trick.language.functions import softmax, total
from softmax_trick.language.grammar import proposition, read_equation
from softmax_trick.language.proposition import (
    And,
    Bound,
    Exists,
    ForAll,
    Function,
    Iff,
    Image,
    Implies,
    Not,
    Proposition,
    Related,
    checked,
    name_of,
)
from softmax_trick.language.text import declarations

X, Y, A = variable("x", "K"), variable("y", "K"), variable("a")
U, V, C = variable("u", "K"), variable("v", "K", "positive"), variable("c", (), "label", "K")
F, J = Function("F"), variable("J", ("K", "K'"))
I = Index("i", "K")

VECTORS = st.sampled_from([X, Y, U, V, X + U, softmax(X - V), onehot(C), X * Y - 1])
SCALARS = st.sampled_from([A, total(X * U), total(V) - 1, U[I], X[C], Size("K") + 0])
RELATIONS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
RELATED = st.one_of(
    st.builds(lambda r, u, v: Related(r, (u, v)), RELATIONS, VECTORS, VECTORS),
    st.builds(lambda r, u, v: Related(r, (u, v)), RELATIONS, SCALARS, SCALARS),
    st.builds(lambda u: Related("conservative", (u, X)), VECTORS),
)
IMAGES = [(Y, Image(U, F, Y)), (Y, Image(J, F, Y, True))]
BOUND = st.sampled_from([(U,), (V, C), (I,), (U, I), (C,), (Size("K"),), *IMAGES])


def made(inner: st.SearchStrategy[Proposition]) -> st.SearchStrategy[Proposition]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    quantified = st.builds(
        lambda kind, bound, body: kind(bound, body) if not _names(bound) & body.bound else body,
        st.sampled_from([ForAll, Exists]),
        BOUND,
        inner,
    )
    return st.one_of(several.map(And), several.map(Iff), inner.map(Not), st.builds(Implies, inner, inner), quantified)


def _names(bound: tuple[Bound, ...]) -> frozenset[str]:
    return frozenset(map(name_of, bound))


PROPOSITIONS = st.recursive(RELATED, made, max_leaves=8)


@given(PROPOSITIONS)
def test_what_is_printed_is_read_back(said):
    try:
        checked(said)
    except LanguageError:
        assume(False)
    again = proposition(repr(said), declarations(said))
    assert again == said
    assert hash(again) == hash(said)
    assert repr(again) == repr(said)
    latex = said._repr_latex_()
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left[") == latex.count(r"\right]")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("x == y and y == x implies x <= y iff y <= x", "((x == y and y == x) implies x <= y) iff (y <= x)"),
        ("x == y implies y == x implies x <= y", "x == y implies (y == x implies x <= y)"),
        ("not x == y and y == x", "(not (x == y)) and (y == x)"),
        ("for all u: u == x implies u == y", "for all u: (u == x implies u == y)"),
        ("(x + y) == y and ((x) == (y))", "x + y == y and x == y"),
    ],
)
def test_how_tightly_words_bind(text, meant):
    let = "x: K; y: K; u: K"
    assert proposition(text, let) == proposition(meant, let)


def test_values_are_immutable_and_compared_by_structure():
    said = Implies(Related("==", (X, Y)), Related("<=", (X, Y)))
    assert said == Implies(Related("==", (X, Y)), Related("<=", (X, Y)))
    assert len({said, Iff(said.parts), Not(said)}) == 3
    assert len({said, Implies(*said.parts)}) == 1
    with pytest.raises(AttributeError):
        said.premise = said  # type: ignore[misc]
    with pytest.raises(TypeError, match="no truth value"):
        bool(said)


def test_latex_is_the_papers():
    text = "(exists d: for all x, y = F(x), J = F'(x): J == (diag(y) - outer(y, y)) @ diag(d)) implies sum(z) == 1"
    assert proposition(text, "d: K; x: K; y: K; J: K,K'; z: K")._repr_latex_() == (
        r"$\left[\exists d \in \mathbb{R}^K \ \forall x \in \mathbb{R}^K, \ y = F(x), \ "
        r"J = \frac{\partial F(x)}{\partial x}: J = (D_{y} - y y^\top) D_{d}\right] \implies \sum_{k} z_{k} = 1$"
    )
    text = "i != j and K >= 2 implies not (x[i] == x[j])"
    latex = proposition(text, "x: K; i: index K; j: index K")._repr_latex_()
    assert latex == r"$i \ne j \ \wedge \ K \ge 2 \implies \neg \left[x_{i} = x_{j}\right]$"


def test_a_relation_alone_is_what_it_was():
    statement = read_equation("x <= y", let="x: K; y: K")
    assert statement.relation == "<="
    assert statement.says == Related("<=", (X, Y))
    assert read_equation("x == y and y == x").relation == ""


@pytest.mark.parametrize(
    ("text", "let", "message"),
    [
        ("x == 1 and for all x: x == 1", "", "x is bound in one place and free in another"),
        ("for all x: exists x: x == 1", "", "x is bound again inside"),
        ("for all x, x: x == 1", "", "x is bound twice"),
        ("exists z: x == y", "", "z is bound, and nothing says what it is"),
        ("exists y: y == x", "y = softmax(x)", "y is short for a formula"),
        ("exists K: x == x", "K = 3; x: K", "K is given"),
        ("for all x, y = F(z): y == x", "x: K; z: K", "a value of F at z, which is not bound beside it"),
        ("for all x, y = F''(x): y == x", "x: K", r"there are F\(x\) and F'\(x\)"),
        ("for all x, J = F'(x): J == eye(D)", "x: K; J: D,D'", "ends in its axes"),
        ("(for all x, y = F(x): y == x) and for all u, v = F(u): v == u", "x: K; u: D", "with other axes before"),
        ("for all c, y = F(c): y == 1", "c: label K", "no labels"),
        ("for x: x == 1", "", "'all'"),
        ("x == y or y == x", "", "statements by and, not, implies, iff"),
        ("x == y and", "", "unexpected end"),
        ("x == y == z", "", "unexpected '=='"),
        ("psd(A) + 1 == 2", "", "stand alone"),
        ("implies == 2", "", "unexpected|reserved"),
        ("exists == 2", "", "unexpected"),
        ("x == K implies softmax(x) == sum(x)", "x: K", "left side is a vector over K"),
        ("(" * 150 + "x == y" + ")" * 150, "", "nested more than 100 deep"),
        ("not " * 150 + "x == y", "", "nested more than 100 deep"),
        ("x == y implies " * 150 + "x == y", "", "nested more than 100 deep"),
        ("x == y and " * 3000 + "x == y", "", "more than|characters"),
    ],
)
def test_what_is_no_statement_is_refused_with_the_reason(text, let, message):
    with pytest.raises(LanguageError, match=message):
        proposition(text, let)
