"""The exact decision: what is zero is proved by a normal form, what is not has a point, the rest is undecided."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from softmax_trick.symbolic import EVERY_K, decide, normal_form, sign
from softmax_trick.symbolic.enclosure import NotEnclosable, enclose
from softmax_trick.symbolic.fractions import Undefined

x, y, z = sp.symbols("x y z", real=True)
a, b = sp.symbols("a b", positive=True)
s = 1 + sp.exp(x) + sp.exp(y)

ZERO = [
    sp.exp(x) * sp.exp(-x) - 1,
    sp.exp(x + y) - sp.exp(x) * sp.exp(y),
    sp.exp(x / 2) ** 3 * sp.exp(x / 6) - sp.exp(sp.Rational(5, 3) * x),
    sp.exp(x * y) ** 2 - sp.exp(2 * x * y),
    sp.exp(x / (1 + x)) * sp.exp(1 / (1 + x)) - sp.E,
    sp.exp(1 / x / (x + 1)) - sp.exp(1 / x) * sp.exp(-1 / (x + 1)),
    sp.exp(sp.exp(x) + y) - sp.exp(sp.exp(x)) * sp.exp(y),
    (sp.exp(x) / s).diff(x) - sp.exp(x) / s * (1 - sp.exp(x) / s),
    sp.log(sp.exp(x) / s) - x + sp.log(s),
    sp.log(1 + sp.exp(x)) - x - sp.log(1 + sp.exp(-x)),
    sp.log(8) - 3 * sp.log(2),
    sp.log(a * b**2) - sp.log(a) - 2 * sp.log(b),
    sp.log(4 * x**2 - 4 * y**2) - 2 * sp.log(2) - sp.log(x - y) - sp.log(x + y),
    sp.tanh(x) - (sp.exp(x) - sp.exp(-x)) / (sp.exp(x) + sp.exp(-x)),
    sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1,
    sp.sqrt(a) * sp.sqrt(a) - a,
    a ** (x + y) - a**x * a**y,
    a ** (2 * x) - sp.exp(x * sp.log(a**2)),
    a ** ((x**2 - 1) / (x - 1)) - a * a**x,
    2 ** ((x**2 - 1) / (x - 1)) - 2 * 2**x,
    sp.log(x) + sp.log(y) - sp.log(x * y),  # where both logarithms are real
    (x**2 - y**2) / (x - y) - x - y,
    sp.sin(x) * (x + 1) - x * sp.sin(x) - sp.sin(x),  # an unknown function may stand for anything
]
NOT_ZERO = [
    sp.exp(x) - 1 - x,
    sp.exp(x) * sp.exp(y) - sp.exp(x * y),
    sp.tanh(x) - x,
    sp.log(1 + sp.exp(x)) - x,
    sp.log(a + b) - sp.log(a) - sp.log(b),
    (sp.exp(x) / s).diff(y) - sp.exp(x) * sp.exp(y) / s**2,
    sp.exp(-1000) * x,
    sp.exp(sp.pi * sp.sqrt(163)) - 262537412640768744,  # about -7.5e-13: numbers would have called it zero
    x * sp.Rational(1, 10**40),
]


@pytest.mark.parametrize("expression", ZERO, ids=str)
def test_zero_is_recognised_with_its_reduction(expression):
    decision = decide(expression)
    assert decision.status == "zero"
    assert decision.reduction
    assert decision.reduction[-2] == "numerator: 0"


@pytest.mark.parametrize("expression", NOT_ZERO, ids=str)
def test_what_is_not_zero_has_an_exact_point_at_which_it_differs(expression):
    decision = decide(expression)
    assert decision.status == "nonzero"
    assert decision.witness
    assert all(value.is_Rational for value in decision.witness.point.values())
    # Checked again by mpmath, which `decide` does not use.
    assert abs(sp.N(expression.subs(decision.witness.point), 60, maxn=2000)) > sp.Float("1e-500")


@pytest.mark.parametrize(
    "expression",
    [
        sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,  # zero, but sin and cos are unknown functions here
        sp.sqrt(2) * sp.sqrt(3) - sp.sqrt(6) + sp.gamma(x) - sp.gamma(x + 1) / x,
        1 / (sp.exp(x) - sp.exp(x + y) * sp.exp(-y)),  # nowhere defined
        sp.log(sp.exp(x) * sp.exp(y) - sp.exp(x + y)),
        sp.log(x) - sp.log(-x),  # real nowhere
        (-1) ** sp.Symbol("n", integer=True) - 1,  # not zero, and not to be taken for exp(n log 1)
        0.5 * x * y - x / 3,  # a float is not exact
        sp.sqrt(-1) * x - sp.I * x + sp.I * y - y * sp.I * sp.exp(x) * sp.exp(-x) + sp.I * z,
    ],
    ids=str,
)
def test_what_cannot_be_decided_is_undecided_and_says_why(expression):
    decision = decide(expression)
    assert decision.status == "undecided"
    assert decision.reason


@pytest.mark.parametrize("inexact", [0.5 * x * y - x / 3, sp.I * x - y])
def test_what_is_not_an_exact_real_is_refused(inexact):
    assert "floating-point or an imaginary number" in decide(inexact).reason


def test_the_root_of_a_square_is_not_taken_for_its_base():
    """exp(log(u^2) / 2) is |u|: the reduction knows log|u| and must not turn it into u."""
    square, half = x**2 - 2 * x * y + y**2, (z**2 + z) / (2 * z + 2) / z
    assert decide(sp.exp(sp.log(square) * half) - (x - y)).status != "zero"


def test_zero_is_never_answered_on_numerical_evidence():
    """A function that is smaller than any float at every point tried is not called zero."""
    hidden = sp.exp(-(10**6)) * sp.Function("g")(x)
    assert decide(hidden).status == "undecided"


def test_witnesses_respect_the_assumptions_on_symbols():
    c, n = sp.Symbol("c", negative=True), sp.Symbol("n", integer=True)
    witness = decide((sp.log(a) + b + c) * (n - 1) * (n - 2) * (n - 3)).witness
    assert witness
    assert witness.point[a] > 0
    assert witness.point[b] > 0
    assert witness.point[c] < 0
    assert witness.point[n].is_integer


@pytest.mark.parametrize(
    "wrong",
    ["x - x", sp.Matrix([x]), EVERY_K.vector("x"), sp.Eq(x, x), None, 1.5],
    ids=lambda value: type(value).__name__,
)
def test_only_expressions_are_decided_and_text_is_not_parsed(wrong):
    with pytest.raises(TypeError, match="only a SymPy expression"):
        decide(wrong)


def test_integers_are_expressions():
    assert decide(0).status == "zero"
    assert decide(2).status == "nonzero"


# --- property tests ---------------------------------------------------------------------------------------------------

leaves = st.sampled_from([x, y, sp.Integer(1), sp.Integer(2), sp.Rational(-1, 2)])


def _grow(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        pair.map(lambda p: p[0] + p[1]),
        pair.map(lambda p: p[0] * p[1]),
        inner.map(lambda e: sp.exp(e)),
        inner.map(lambda e: sp.log(1 + sp.exp(e))),
        pair.map(lambda p: p[0] / (1 + sp.exp(p[1]))),
    )


expressions = st.recursive(leaves, _grow, max_leaves=5)


def has_roots(expression):
    """SymPy turns exp(log(u)/2) into sqrt(u); roots are outside of what the normal form recognises."""
    return any(node.exp.is_Rational and not node.exp.is_Integer for node in expression.atoms(sp.Pow))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(e=expressions, f=expressions)
def test_algebraic_identities_of_random_expressions(e, f):
    for identity in (
        (e + f) ** 2 - e**2 - 2 * e * f - f**2,
        sp.exp(e + f) - sp.exp(e) * sp.exp(f),
        1 / (1 + sp.exp(-e)) - sp.exp(e) / (1 + sp.exp(e)),
        sp.log((1 + sp.exp(e)) * (2 + sp.exp(f))) - sp.log(1 + sp.exp(e)) - sp.log(2 + sp.exp(f)),
    ):
        if not has_roots(identity):
            assert decide(identity).status == "zero", identity


@settings(max_examples=60, deadline=None, derandomize=True)
@given(e=expressions, f=expressions, u=st.integers(-4, 4), v=st.integers(-4, 4))
def test_the_decision_agrees_with_rigorous_enclosures(e, f, u, v):
    """Where it says zero, no enclosure of the difference at any point excludes 0: an independent route, by Arb."""
    difference = e - f
    decision = decide(difference)
    try:
        ball = enclose(difference, {x: sp.Rational(u, 3), y: sp.Rational(v, 5)}, 200)
    except NotEnclosable:
        return
    if 0 not in ball:
        assert decision.status != "zero"
    if decision.witness:
        assert 0 not in enclose(difference, decision.witness.point, 400)


# --- the parts --------------------------------------------------------------------------------------------------------


def test_the_normal_form_names_its_atoms():
    steps = normal_form(sp.log(sp.exp(x) + 1) * a - x).steps()
    assert "E1 := exp(x)" in steps
    assert any(step.startswith("L1 := log(") for step in steps)


def test_symbols_of_the_same_name_and_different_assumptions_are_told_apart():
    assert decide(sp.Symbol("x", positive=True) - x).status == "nonzero"


def test_undefined_expressions_raise():
    with pytest.raises(Undefined, match="denominator"):
        normal_form(1 / (sp.exp(x + y) - sp.exp(x) * sp.exp(y) + (x - 1) ** 2 - x**2 + 2 * x - 1))
    with pytest.raises(Undefined, match="logarithm"):
        normal_form(sp.log((x - 1) ** 2 - x**2 + 2 * x - 1))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (sp.exp(x) / (1 + sp.exp(x)), "positive"),
        (1 - sp.exp(x) / (1 + sp.exp(x)), "positive"),
        (sp.log(1 + a), "positive"),
        (sp.log(a), None),
        (a - b, None),
        (a / (a - b), None),
        (-a, None),
        (sp.Symbol("n", nonnegative=True) * a, "nonnegative"),
        (sp.Symbol("n", nonnegative=True) + a, "positive"),
        (sp.log(9) - 1, "positive"),
        (sp.log(2) - 1, None),
        (sp.log(-sp.S.One / 2 + sp.Rational(1, 4) * sp.log(2)), None),  # no real value
        (sp.gamma(sp.Rational(1, 3)), None),  # no enclosure
        (x**2, "nonnegative"),
        (x**2 - x, None),
    ],
    ids=str,
)
def test_signs(expression, expected):
    assert sign(expression) == expected


def test_enclosures_contain_and_refuse():
    assert enclose(sp.exp(x) * x**3, {x: sp.Rational(-1, 3)}).overlaps(enclose(sp.exp(-sp.Rational(1, 3)) / -27, {}))
    assert 0 in enclose((x - 1) ** 2, {x: sp.Integer(1)})
    with pytest.raises(NotEnclosable, match="positive"):
        enclose(sp.log(x), {x: sp.Integer(-1)})
    with pytest.raises(NotEnclosable, match="no value"):
        enclose(x + y, {x: sp.Integer(1)})
    with pytest.raises(NotEnclosable, match="no enclosure"):
        enclose(sp.gamma(x), {x: sp.Integer(1)})
    with pytest.raises(NotEnclosable, match="undefined"):
        enclose(1 / x, {x: sp.Integer(0)})
