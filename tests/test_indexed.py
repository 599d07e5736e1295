"""Index calculus for symbolic K: sums, deltas, and indices that never clash."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from softmax_trick.symbolic import (
    EVERY_K,
    GivenK,
    K,
    SumOver,
    contract,
    contraction,
    decide,
    diag,
    index,
    indexed,
    instantiate,
    jacobian,
    outer,
    sign,
    softmax,
)

i, j, k, l = (index(name) for name in "ijkl")
x, d, t = (EVERY_K.vector(name) for name in ("x", "d", "t"))
delta = sp.KroneckerDelta


def total(body, bound=k):
    return contract(SumOver(body, bound))


# --- bound indices ----------------------------------------------------------------------------------------------------


def test_sums_that_differ_in_the_name_of_their_index_are_equal():
    assert SumOver(x[k], k) == SumOver(x[l], l) == SumOver(x[i], i)
    assert SumOver(x[k], k) - SumOver(x[l], l) == 0


def test_a_bound_index_is_no_symbol_of_the_users():
    [bound] = SumOver(x[k], k).atoms(indexed.BoundIndex)
    assert bound != sp.Symbol(bound.name, integer=True, positive=True)
    assert k not in SumOver(x[k], k).free_symbols
    assert i in SumOver(x[k] * x[i], k).free_symbols


def test_differentiating_a_sum_by_an_entry_of_the_same_name_is_right():
    """sympy#21891: with SymPy's Sum the free and the bound i would be taken for one another."""
    assert contract(SumOver(x[i] ** 2, i).diff(x[i])) == 2 * x[i]
    assert contract(SumOver(x[i] ** 2, i).diff(x[j])) == 2 * x[j]
    assert contract(SumOver(x[i] * d[i], i).diff(d[j])) == x[j]


def test_differentiating_by_a_bound_index_is_refused():
    square = SumOver(x[k] ** 2, k)
    [entry] = square.atoms(sp.Indexed)
    with pytest.raises(ValueError, match="bound index"):
        square.diff(entry)


def test_substitution_reaches_into_sums_and_captures_nothing():
    """sympy#20127: Sum ignores it."""
    shifted = SumOver(x[k] * x[i], k).xreplace({i: j})
    assert shifted == SumOver(x[k] * x[j], k)
    inner = SumOver(x[k], k)
    nested = SumOver(t[k] * sp.Symbol("s"), k).xreplace({sp.Symbol("s"): inner})
    assert contract(nested) == contract(inner) * total(t[k])


def test_text_is_not_parsed():
    """sympify would evaluate it as Python."""
    for make in (lambda: SumOver("k", k), lambda: EVERY_K.constant("k"), lambda: x["i"]):
        with pytest.raises(sp.SympifyError):
            make()


def test_nested_sums_keep_their_indices_apart():
    double = SumOver(SumOver(x[k] * t[l] * delta(k, l), k), l)
    assert contract(double) == total(x[k] * t[k])
    square = SumOver(SumOver(x[k] * x[l], k), l)
    assert contract(square) == total(x[k]) ** 2


# --- contraction ------------------------------------------------------------------------------------------------------


def test_deltas_are_contracted_without_a_piecewise():
    expression = total(delta(i, k) * x[k] * sp.exp(x[k]))
    assert expression == x[i] * sp.exp(x[i])
    assert not total(delta(i, k) * delta(j, k)).has(sp.Piecewise)
    assert total(delta(i, k) * delta(j, k)) == delta(i, j)


def test_deltas_inside_functions_are_contracted():
    assert decide(total(sp.log(2 + delta(i, k))) - sp.log(3) - (K - 1) * sp.log(2)).status == "zero"


def test_constants_are_drawn_out():
    assert total(sp.Integer(1)) == K
    assert total(5 * x[i] * t[k]) == 5 * x[i] * total(t[k])
    assert total(sp.exp(x[k] - x[i])) == sp.exp(-x[i]) * total(sp.exp(x[k]))


scalars = st.sampled_from([x[i], x[k], t[k], d[j], sp.exp(x[k]), sp.exp(d[k] * x[k]), sp.Integer(2), delta(i, k)])
more = st.sampled_from([delta(k, j), delta(i, j), x[j], 1 / (1 + sp.exp(x[k])), sp.Integer(-1), K])


@st.composite
def summands(draw):
    terms = draw(st.lists(st.lists(st.one_of(scalars, more), min_size=1, max_size=4), min_size=1, max_size=3))
    return sp.Add(*(sp.Mul(*factors) for factors in terms))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(body=summands(), other=summands(), classes=st.integers(1, 3), data=st.data())
def test_contraction_agrees_with_sums_written_out(body, other, classes, data):
    """The independent route: `instantiate` writes SumOver out and knows nothing of contraction."""
    nested = SumOver(body + SumOver(other * t[l], l), k)
    at = {index: data.draw(st.integers(1, classes)) for index in (i, j)}
    difference = instantiate(nested, classes, at) - instantiate(contract(nested), classes, at)
    assert decide(difference).status == "zero"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(body=summands(), classes=st.integers(1, 3), data=st.data())
def test_derivatives_agree_with_sums_written_out(body, classes, data):
    at = {index: data.draw(st.integers(1, classes)) for index in (i, j)}
    function = SumOver(body, k)
    general = instantiate(contract(function.diff(x[i])), classes, at)
    explicit = instantiate(function, classes, at | {}).diff(sp.Symbol(f"x{at[i]}", real=True))
    assert decide(general - explicit).status == "zero"


def test_a_wrong_contraction_is_noticed(monkeypatch):
    """Planted: deltas dropped instead of contracted. The two routes must then differ."""

    def without_deltas(body, bound, known):
        return right(body.replace(sp.KroneckerDelta, lambda *_: sp.S.One), bound, known)

    right = contraction._sum
    monkeypatch.setattr(contraction, "_sum", without_deltas)
    monkeypatch.setattr(contraction, "_contracted", contraction._contracted.__wrapped__)
    wrong = contract(SumOver(delta(i, k) * x[k], k))
    assert decide(instantiate(wrong, 2, {i: 1}) - sp.Symbol("x1", real=True)).status == "nonzero"


def test_instantiate_refuses_free_indices_and_classes_that_do_not_exist():
    with pytest.raises(ValueError, match="free index"):
        instantiate(x[i], 3)
    with pytest.raises(ValueError, match=r"1\.\.3"):
        instantiate(x[i], 3, {i: 4})


def test_sums_print_readably():
    assert str(SumOver(x[k] * x[i], k)) == "sum_k(x[i]*x[k])"
    assert str(SumOver(x[l] * x[k], l)) == "sum_l(x[k]*x[l])"  # k is taken by a free index
    assert sp.latex(SumOver(sp.exp(x[k]), k) ** 2) == r"\left(\sum_{k=1}^{K} e^{{x}_{k}}\right)^{2}"


# --- decisions for every K --------------------------------------------------------------------------------------------


def test_decisions_for_every_k():
    y = softmax(d * x)
    identity = jacobian(y, x) - (diag(y) - outer(y, y)) @ diag(d)
    assert decide(identity[i, j]).status == "zero"
    transposed = jacobian(y, x).T - (diag(y) - outer(y, y)) @ diag(d)
    decision = decide(transposed[i, j])
    assert decision.status == "nonzero"
    assert decision.witness
    assert decision.witness.classes == 2
    assert decision.witness.indices
    assert decision.witness.indices[i] != decision.witness.indices[j]


def test_only_sums_of_vectors_of_symbols_are_given():
    for total_ in (x.map(sp.exp).sum(), 2 * t.sum(), x[i]):
        with pytest.raises(ValueError, match="only the sum of a vector"):
            decide(x[i], {total_: 1})


def test_what_is_undecided_for_given_k_is_undecided_for_every_k():
    s = sp.Symbol("s", real=True)
    decision = decide((sp.sin(s) ** 2 + sp.cos(s) ** 2 - 1) * x[i])
    assert decision.status == "undecided"
    assert decision.reason


def test_the_sign_of_a_sum_is_that_of_its_terms():
    assert SumOver(sp.exp(x[k]), k).is_positive
    assert SumOver(x[k], k).is_positive is None
    assert SumOver(x[k] ** 2, k).is_nonnegative
    assert sign(1 / SumOver(sp.exp(x[k]), k)) == "positive"
    assert sign(1 / SumOver(x[k], k)) is None


def test_a_difference_that_needs_three_classes_is_found():
    """Zero for K <= 2, not for K = 3."""
    witness = decide((K - 1) * (K - 2) * x[i]).witness
    assert witness
    assert witness.classes == 3


def test_given_sums_are_used_and_witnesses_obey_them():
    assert decide(x[i] * t.sum() - x[i], {t.sum(): 1}).status == "zero"
    witness = decide(x[i] * t.sum() - 2 * x[i], {t.sum(): 1}).witness
    assert witness
    assert sum(value for name, value in witness.point.items() if name.name.startswith("t")) == 1


# --- vectors: symbolic K against given K ------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", range(1, 5))
def test_jacobians_for_symbolic_and_for_given_k_are_equal(classes):
    def slack_softmax(over):
        scores, dilation, relocation = (over.vector(name) for name in ("x", "d", "c"))
        return jacobian(softmax(dilation * scores - relocation, slack=3), scores)

    general, explicit = slack_softmax(EVERY_K), slack_softmax(GivenK(classes))
    for row in range(1, classes + 1):
        for column in range(1, classes + 1):
            entry = instantiate(general[i, j], classes, {i: row, j: column})
            assert decide(entry - explicit[row, column]).status == "zero"
