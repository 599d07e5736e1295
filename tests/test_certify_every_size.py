"""Certificates of formulas, for every K: what holds is proved, what fails has a K and a point."""

import json
from pathlib import Path

import jsonschema
import pytest
import sympy as sp

from softmax_trick.certification import every_size
from softmax_trick.certification.certificate import PROPERTIES, Property
from softmax_trick.certification.every_size import certify_formula
from softmax_trick.certification.exponential import limit_at_infinity
from softmax_trick.certification.implied import with_implied
from softmax_trick.certification.unknown import Unknown
from softmax_trick.cli import main
from softmax_trick.derivation.forms import form_of
from softmax_trick.language.expression import AxesError, LanguageError
from softmax_trick.language.grammar import parse

SCHEMA = json.loads((Path(__file__).parents[1] / "softmax_trick/certification/certificate.schema.json").read_text())

IMPLIED = {  # what is decided where one of these is
    "generalised_softmax": ("unity", "positive", "softmax_type", "trick", "bounded", "lipschitz"),
    "trick": ("softmax_type",),
    "softmax_type": ("differentiable",),
    "convex": ("implicit_loss", "symmetric_jacobian"),
    "differentiable": ("defined",),
}

# The formula, its declarations, what holds (+), fails (-) or has no short answer (?), and extras; from the mathematics.
TRUTHS = [
    (
        "softmax(x)",
        "",
        "+defined +differentiable +unity +positive +symmetric_jacobian +softmax_type +generalised_softmax +trick "
        "+implicit_loss +convex +order_preserving +bounded +lipschitz",
        {"softmax_type": {"dilation": "1", "relocation": "0", "slack": "0"}, "lipschitz": {"bound": "1/2"}},
    ),
    (
        "softmax(d*x - c)",
        "d: K; c: K",
        "+defined +unity +positive -symmetric_jacobian +softmax_type +generalised_softmax +trick -implicit_loss "
        "-order_preserving",
        {"softmax_type": {"dilation": "d", "relocation": "c", "slack": "0"}},
    ),
    (
        "exp(x)/(C + sum(exp(x)))",
        "C: positive",
        "+defined -unity +positive +softmax_type -generalised_softmax +trick +implicit_loss +convex +order_preserving",
        {"softmax_type": {"slack": "C"}, "implicit_loss": {"potential": "log(C + sum(exp(x)))"}},
    ),
    ("exp(x)/(C + sum(exp(x)))", "", "-defined -trick -positive", {}),
    (
        "n*exp(x)/sum(n*exp(x))",
        "n: K positive",
        "+defined +unity +generalised_softmax +trick +implicit_loss -order_preserving",
        {"softmax_type": {"relocation": "-log(n)"}},
    ),
    ("softmax(x/tau)", "tau: positive", "+unity +trick +implicit_loss", {"lipschitz": {"bound": "1/(2*tau)"}}),
    (
        "sigmoid(x)",
        "",
        "-unity -softmax_type -trick +implicit_loss +convex +order_preserving",
        {"lipschitz": {"bound": "1/4"}},
    ),
    # entry by entry: what one entry has, all have
    (
        "exp(x)/(1 + exp(x))",
        "",
        "+positive +implicit_loss +convex +order_preserving +bounded +lipschitz",
        {"bounded": {"range": [["0", "1"]]}, "lipschitz": {"bound": "1/4"}},
    ),
    (
        "minimum(maximum(x, 0), 1)",
        "",
        "+defined -differentiable +symmetric_jacobian +convex +order_preserving +bounded +lipschitz",
        {"implicit_loss": {"potential": "sum(where(x <= 0, 0, where(x <= 1, x**2/2, x - 1/2)))"}},
    ),
    ("x/(1 + abs(x))", "", "+differentiable +implicit_loss +bounded", {"bounded": {"range": [["-1", "1"]]}}),
    ("sign(x)", "", "+defined -differentiable -implicit_loss +order_preserving +bounded -lipschitz", {}),
    # entry by entry, but not the same at every size: the constants at K = 1 are not those of all
    ("K*tanh(x)", "", "?bounded ?lipschitz +implicit_loss", {"lipschitz": {"bound": None}}),
    ("tanh(x)/K", "", "+bounded +lipschitz +order_preserving", {"bounded": {"range": None}}),
    ("-x/K", "", "+defined -order_preserving -bounded", {"lipschitz": {"bound": "1/K", "exact": True}}),
    # a slope that is nowhere negative says nothing across a jump
    ("where(x > 0, 0, 1)", "", "+defined +bounded -order_preserving -implicit_loss -lipschitz", {}),
    # two entries differ by their scores alone, whatever sums are
    ("exp(x)/max(exp(x))", "", "+order_preserving", {"bounded": {"bound": [["0", "1"]]}}),
    ("relu(x)/sum(relu(x))", "", "-defined -unity -trick", {}),
    ("x/norm(x)", "", "-defined", {}),
]
SLOW = (
    *("x/(1 + abs(x))", "minimum(maximum(x, 0), 1)"),
    *("-x/K", "exp(x)/max(exp(x))"),
)


@pytest.mark.parametrize(
    ("formula", "let", "truth", "extras"),
    [pytest.param(*one, marks=[pytest.mark.slow] * (one[0] in SLOW), id=f"{one[0]} {one[1]}") for one in TRUTHS],
)
def test_formulas_of_known_truth(formula, let, truth, extras):
    expression = parse(formula, f"x: K; {let}")
    found = certify_formula(expression, next(one for one in expression.variables if one.name == "x"), 60)
    for one in truth.split():
        assert getattr(found, one[1:]).holds is {"+": True, "-": False, "?": None}[one[0]], one
    for name, values in extras.items():
        assert {key: getattr(found, name).extras[key] for key in values} == values
    for one in found.properties().values():
        assert one.holds is not False or one.witness or one.reason
    for property_, others in IMPLIED.items():
        if getattr(found, property_).holds:
            assert all(getattr(found, other).holds for other in others), property_
    ends = [end for pair in found.bounded.extras.get("range") or [[None]] for end in pair]
    assert found.bounded.holds or not {None, "-oo", "oo"}.isdisjoint(ends)
    jsonschema.validate(found.as_json(), SCHEMA)


@pytest.mark.parametrize(
    ("premises", "name", "holds"),
    [
        ("+unity +positive", "bounded", True),
        ("+differentiable +symmetric_jacobian", "implicit_loss", True),
        ("+convex", "symmetric_jacobian", True),
        ("-symmetric_jacobian", "implicit_loss", False),
        ("-differentiable", "generalised_softmax", False),
        ("-softmax_type", "trick", False),
        ("-unity", "generalised_softmax", False),
        ("-positive", "generalised_softmax", False),
        ("+unity", "bounded", None),
        ("-convex", "implicit_loss", None),
    ],
)
def test_what_follows_is_not_undecided(premises, name, holds):
    found = {one: Property(None, reason="the time limit was reached") for one in PROPERTIES}
    found |= {one[1:]: Property(one[0] == "+", "exact") for one in premises.split()}
    known = with_implied(found, 2)
    assert (known[name].holds, known[name].rung) == (holds, None if holds is None else "exact")
    assert all(known[one[1:]] is found[one[1:]] for one in premises.split())
    assert with_implied(found | {name: Property(not holds, "general")}, 2)[name].holds is (not holds)


def test_a_function_that_is_zero_has_no_greatest_term():
    """SymPy left a 0 unseen: softmax(sum(x)*x) at K = 2 along (s, -s)."""
    x = sp.Symbol("x", real=True)
    with pytest.raises(Unknown):
        limit_at_infinity(sp.exp(x) - sp.exp(x, evaluate=False), x, x, 1)


def test_a_wrong_form_of_the_dilation_is_not_believed(monkeypatch):
    """Planted: forms that are twice what they should be."""
    from softmax_trick.certification import every_size

    monkeypatch.setattr(every_size, "form_of", lambda *given, **more: form_of(2 * given[0], *given[1:], **more))
    expression = parse("softmax(x)", "x: K")
    assert certify_formula(expression, expression.variables[0], 30).softmax_type.holds is not True


def test_a_proof_without_end_is_interrupted(monkeypatch):
    def endless(_):
        while True:
            pass

    monkeypatch.setattr(every_size, "decide_psd", endless)
    softmax = parse("softmax(x)", "x: K")
    found = certify_formula(softmax, softmax.variables[0], 2)
    assert found.convex.holds is None
    assert "time limit" in found.convex.reason


def test_what_is_no_normalizer_is_refused():
    for text, error in (("sum(x)", AxesError), ("a*softmax(y)", LanguageError)):
        expression = parse(text, "x: K; y: K")
        with pytest.raises(error):
            certify_formula(expression, parse("x", "x: K"), 10)  # type: ignore[arg-type]


def test_the_command(capsys):
    assert main(["certify", "softmax(d*x)", "--let", "d: K"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("x: scores, vector over K; d: parameter, vector over K\n")
    assert "for every K >= 1" in out
    for wrong in (
        ["softmax(x)", "--component", "x1"],
        ["sum(x)"],
        ["y"],
        ["softmax(x"],
    ):
        assert main(["certify", *wrong]) == 2
