"""Certificates from formulas: known normalizers, disguises, near misses, limits, bad input, and planted errors."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from softmax_trick import certify
from softmax_trick.certification import extent, function, potential, softmax_type
from softmax_trick.certification.given_size import _decided
from softmax_trick.symbolic.enclosure import enclose

SCHEMA = json.loads(files("softmax_trick.certification").joinpath("certificate.schema.json").read_text())
VALIDATOR = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
X = sp.symbols("x1:7", real=True)
A = sp.Symbol("a", positive=True)
B = sp.Symbol("b", real=True)
exp = sp.exp
HALF = sp.Rational(1, 2)


def softmax(k, d=None, c=None, slack=0):
    powers = [exp((d or [1] * k)[i] * X[i] - (c or [0] * k)[i]) for i in range(k)]
    return [power / (slack + sum(powers)) for power in powers]


def sigmoid(u):
    return 1 / (1 + exp(-u))


def clip(u):
    return sp.Piecewise((-1, u <= -1), (u, u < 1), (1, True))


def certified(components, time_limit=60):
    found = certify(components, X[: len(components)], time_limit=time_limit)
    VALIDATOR.validate(found.as_json())
    json.dumps(found.as_json())
    return found


def holds(certificate):
    """The properties as a word: t for true, f for false, - for undecided, in the order of the class."""
    return "".join({True: "t", False: "f", None: "-"}[p.holds] for p in certificate.properties().values())


def shifted(k):
    """SoftMax as code computes it."""
    powers = [exp(u - sp.Max(*X[:k])) for u in X[:k]]
    return [power / sum(powers) for power in powers]


SPARSEMAX = [sp.Max(0, sp.Min(1, (u - v + 1) / 2)) for u, v in (X[:2], X[1::-1])]


#                                     defined
#                                     |differentiable
#                                     ||unity
#                                     |||positive
#                                     ||||symmetric Jacobian
#                                     |||||SoftMax type
#                                     ||||||generalised SoftMax
#                                     |||||||trick
#                                     ||||||||implicit loss
#                                     |||||||||convex
#                                     ||||||||||order preserving
#                                     |||||||||||bounded
#                                     ||||||||||||Lipschitz
KNOWN = {
    "softmax": (softmax(3),          "ttttttttttttt"),
    "temperature": (softmax(2, [3, 3]), "ttttttttttttt"),
    "relocated": (softmax(2, c=[0, 5]), "tttttttttt" "ftt"),
    "unequal dilation": (softmax(3, [1, 2, B], [0, 1, A]), "ttttftttf-ftt"),
    "slack": (softmax(2, slack=1),   "ttftttftttttt"),
    "slack a": (softmax(3, slack=A), "ttftttftttttt"),
    "Sigmoid of one class": ([sigmoid(X[0])], "ttftttftttttt"),
    "Sigmoid": ([sigmoid(X[0]), sigmoid(X[1])], "ttfttffftt" "ttt"),
    "Tanh": ([sp.tanh(X[0]), sp.tanh(X[1])], "ttfftffftt" "ttt"),
    "HardTanh": ([clip(X[0]), clip(X[1])], "tffftffftt" "ttt"),
    "HardSigmoid": ([(clip(u / 2) + 1) / 2 for u in X[:2]], "tffftffftt" "ttt"),
    "ReLU": ([sp.Max(u, 0) for u in X[:2]], "tffftffftttft"),
    "identity": ([X[0], X[1]],       "ttfftfffttt" "ft"),
    "constant": ([HALF / 2, HALF, HALF / 2], "ttttttttt" "tftt"),
    "zero": ([sp.S.Zero, sp.S.Zero], "ttffttffttttt"),
    "HardTanh by max and min": ([sp.Max(-1, sp.Min(1, u)) for u in X[:2]], "tffftffftt" "ttt"),
    "ELU": ([sp.Piecewise((u, u > 0), (exp(u) - 1, True)) for u in X[:2]], "ttfftffftt" "tft"),
    "SoftMax, shifted by the maximum": (shifted(3), "ttttttttttttt"),
    "SparseMax of two": (SPARSEMAX, "tftftffftt" "ttt"),
    "SoftMax of the classes 2, 3": ([sp.S.Zero, *(exp(u) / (exp(X[1]) + exp(X[2])) for u in X[1:3])], "tttfttffttftt"),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_normalizers(name):
    components, expected = KNOWN[name]
    found = certified(components)
    assert holds(found) == expected, {n: p.reason for n, p in found.properties().items()}
    check_witnesses(components, found)


def check_witnesses(components, found):
    """By plain evaluation, which shares nothing with the engines: a witness shows what it is said to show."""
    scores = X[: len(components)]

    def at(expression, witness):
        point = {s: sp.sympify(sp.Rational(witness[str(s)]), strict=True) for s in expression.free_symbols}
        return sp.N(expression.subs(point), 30)

    if found.unity.witness:
        assert abs(at(sum(components) - 1, found.unity.witness)) > 1e-9
    if found.positive.witness:
        assert min(at(component, found.positive.witness) for component in components) <= 0
    if found.symmetric_jacobian.witness:
        i, j = (place - 1 for place in found.symmetric_jacobian.extras["entry"])
        difference = components[i].diff(scores[j]) - components[j].diff(scores[i])
        assert abs(at(difference, found.symmetric_jacobian.witness)) > 1e-9
    if found.order_preserving.witness:
        values = [at(component, found.order_preserving.witness) for component in components]
        order = [sp.Rational(found.order_preserving.witness[str(score)]) for score in scores]
        pairs = [(i, j) for i in range(len(order)) for j in range(len(order)) if order[i] >= order[j]]
        assert any(values[i] < values[j] for i, j in pairs)


# --- what comes with the answers --------------------------------------------------------------------------------------


def test_dilation_relocation_and_slack_are_found():
    found = certified(softmax(3, [1, 2, B], [0, 1, A], slack=7)).softmax_type.extras
    assert found == {"dilation": ["1", "2", "b"], "relocation": ["0", "1", "a"], "slack": "7", "support": [1, 2, 3]}


def test_the_relocation_starts_at_zero():
    found = certified(softmax(2, c=[A, 3 * A])).softmax_type.extras
    assert found["relocation"] == ["0", "2*a"]


def test_the_first_class_of_the_support_has_relocation_zero():
    total = exp(X[1] - 3) + exp(X[2])
    found = certified([sp.S.Zero, exp(X[1] - 3) / total, exp(X[2]) / total]).softmax_type.extras
    assert found["support"] == [2, 3]
    assert found["relocation"] == [None, "0", "-3"]


def test_the_loss_is_that_of_the_table_in_the_settled_mathematics():
    assert certified(softmax(2)).implicit_loss.extras["potential"] == "log(exp(x1) + exp(x2))"
    assert certified(softmax(2, slack=A)).implicit_loss.extras["potential"] == "log(a + exp(x1) + exp(x2))"
    assert certified(softmax(2, [3, 3])).implicit_loss.extras["potential"] == "log(exp(3*x1) + exp(3*x2))/3"
    assert certified([sigmoid(X[0])]).implicit_loss.extras["expression"] == "-t1*x1 + log(exp(x1) + 1)"


def test_without_a_loss_the_entry_that_is_not_symmetric_is_named():
    loss_ = certified(softmax(3, [1, 1, 2])).implicit_loss
    assert loss_.holds is False
    assert loss_.extras["entry"] == [1, 3]
    assert loss_.extras["expression"] is None
    assert loss_.witness


@pytest.mark.parametrize(
    ("components", "bound", "exact"),
    [
        (softmax(3), "1/2", True),
        (softmax(2, [3, 3]), "3/2", True),
        (softmax(2, [1, 2]), "sqrt(10)/4", True),
        (softmax(3, [1, 1, 2]), "1", False),
        ([sigmoid(X[0]), sigmoid(X[1])], "1/4", True),
        ([sigmoid(X[0])], "1/4", True),
        ([sp.tanh(X[0]), sp.tanh(X[1])], "1", True),
        ([(clip(X[0] / 2) + 1) / 2], "1/4", True),
        ([(clip(X[0] / 3) + 1) / 2], "1/6", True),
        ([HALF, HALF], "0", True),
    ],
)
def test_lipschitz_constants_are_those_of_the_settled_mathematics(components, bound, exact):
    found = certified(components).lipschitz
    assert (found.extras["bound"], found.extras["exact"]) == (bound, exact)


def test_ranges():
    assert certified([sp.tanh(X[0]), sigmoid(X[1])]).bounded.extras["range"] == [["-1", "1"], ["0", "1"]]
    assert certified([X[0] ** 2]).bounded.holds is False


# --- disguises, and functions that are almost a SoftMax ---------------------------------------------------------------


def pair(u, v):
    """The shares of two positive quantities."""
    return [u / (u + v), v / (u + v)]


DISGUISES = {
    "a common factor": pair(exp(X[0] + X[1]), exp(2 * X[1])),
    "a logistic pair": [sigmoid(X[0] - X[1]), sigmoid(X[1] - X[0])],
    "tanh": [(1 + sp.tanh(X[0] - X[1])) / 2, (1 - sp.tanh(X[0] - X[1])) / 2],
    "cosh": [exp(X[0] - X[1]) / (2 * sp.cosh(X[0] - X[1])), exp(X[1] - X[0]) / (2 * sp.cosh(X[0] - X[1]))],
    "a class fixed at zero score": pair(exp(X[0]), 1),
    "a constant": [HALF, HALF],
    "powers": pair(2 ** X[0], 3 ** X[1]),
    "a permutation of two classes, which is the dilation -1": softmax(2)[::-1],
}
NEAR_MISSES = {
    "a permutation of three classes": [softmax(3)[place] for place in (1, 2, 0)],
    "squares": [u**2 / (X[0] ** 2 + X[1] ** 2 + 1) for u in X[:2]],
    "a dilation that depends on x": pair(exp(X[0] ** 2), exp(X[1])),
    "one part in a million": [softmax(2)[0] * (1 + sp.Rational(1, 10**6)), softmax(2)[1]],
    "a small quadratic term": pair(exp(X[0] + X[0] ** 2 / 10**6), exp(X[1])),
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguise_is_recognised(name):
    found = certified(DISGUISES[name])
    assert found.generalised_softmax.holds is True
    assert found.trick.holds is True


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_is_refuted_with_a_witness(name):
    found = certified(NEAR_MISSES[name])
    for property_ in (found.softmax_type, found.generalised_softmax, found.trick):
        assert property_.holds is False
        assert property_.witness


rationals = st.fractions(min_value=-3, max_value=3, max_denominator=4)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(rationals, rationals), min_size=1, max_size=4),
    st.sampled_from([0, 1, sp.Rational(1, 3)]),
    st.booleans(),
)
def test_random_generalised_softmax_with_slack(parameters, slack, multiplied):
    """Whatever d, c and C, and with numerator and denominator multiplied by a common factor, they are found again."""
    d = [sp.Rational(one.numerator, one.denominator) for one, _ in parameters]
    c = [sp.Rational(one.numerator, one.denominator) for _, one in parameters]
    factor = exp(X[0]) + 2 if multiplied else 1
    powers = [factor * exp(d[i] * X[i] - c[i]) for i in range(len(d))]
    components = [power / (factor * slack + sum(powers)) for power in powers]
    found = dict(_decided(components, X[: len(d)]))
    assert found["softmax_type"].holds is True
    assert found["trick"].holds is True
    assert found["generalised_softmax"].holds is (slack == 0)
    several = len(d) > 1 or slack != 0
    if several:
        assert found["softmax_type"].extras["dilation"] == [str(one) for one in d]
        assert found["softmax_type"].extras["relocation"] == [str(one - c[0]) for one in c]


# --- smoothness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (sp.Abs(X[0]), False),
        (sp.Abs(X[0]) * X[0], True),  # x |x| has the slope 2 |x|
        (sp.Piecewise((X[0] ** 2, X[0] < 0), (X[0] ** 3, True)), True),
        (sp.Piecewise((X[0], X[0] < 0), (X[0] ** 2, True)), False),
        (sp.sign(X[0]), False),
        (sp.Max(X[0], 0) ** 2, True),
        (1 / X[0], False),
        (1 / (1 + X[0] ** 2), True),
        (sp.log(X[0]), False),
        (sp.log(1 + exp(X[0])), True),
        (sp.sqrt(X[0] ** 2 + 1), True),
        (X[0] ** X[0], False),
        (2 ** X[0], True),
        (sp.sqrt(X[0] ** 2), False),
        (X[0] / A, True),
        # Pieces count where they are taken, and where their regions meet.
        (sp.Piecewise((sp.sqrt(X[0]), X[0] > 1), ((X[0] + 1) / 2, True)), True),
        (sp.Piecewise((sp.sqrt(X[0]), X[0] > 1), (X[0], True)), False),
        (sp.Max(X[0], 0) - sp.Max(-X[0], 0), True),
        (sp.Max(X[0], 0) + sp.Max(-X[0], 0), False),
        (sp.Max(X[0] - sp.Rational(22, 7), 0), False),  # no point that is tried lies on the boundary by itself
        (sp.Piecewise((X[0], X[0] > 2), (7, X[0] > 3), (X[0], True)), True),
        (sp.Piecewise((X[0] ** 2 * sp.log(X[0]), X[0] > 0), (0, True)), True),
        (sp.Piecewise((1, sp.Abs(X[0]) > 1), (X[0], True)), False),
    ],
)
def test_differentiable(component, expected):
    found = certified([component]).differentiable
    assert found.holds is expected
    assert bool(found.witness) == (expected is False)


def test_pieces_that_meet_only_in_part():
    """Neither neighbour in the list is a neighbour along all of a boundary; the jump is at x1 = 0 < x2."""
    component = sp.Piecewise((0, X[0] < 0), (0, X[1] < 0), (X[1] ** 2, True))
    found = certified([component, X[1]])
    assert found.differentiable.holds is False
    assert (found.differentiable.witness["x1"], found.differentiable.witness["x2"]) == ("0", "1")
    joined = certified([component.xreplace({X[0]: X[1]}), X[1]])
    assert joined.differentiable.holds is True


@pytest.mark.parametrize("component", [sp.Heaviside(X[0]), -sp.Heaviside(X[0]), sp.sign(X[0]), 1 / X[0]], ids=str)
def test_nothing_is_concluded_from_slopes_where_a_function_jumps(component):
    """Its slope is 0 wherever it has one; it is no gradient, not Lipschitz, and may go down."""
    found = certified([component, component.xreplace({X[0]: X[1]})])
    assert found.differentiable.holds is False
    for property_ in (found.implicit_loss, found.lipschitz, found.convex):
        assert property_.holds is not True
    if component != 1 / X[0]:
        for property_ in (found.implicit_loss, found.lipschitz):
            assert property_.holds is False
            assert property_.witness["x1"] == "0"
    assert found.order_preserving.holds is not True or component in (sp.Heaviside(X[0]), sp.sign(X[0]))
    if component == -sp.Heaviside(X[0]):
        assert found.order_preserving.holds is False


# --- limits and bad input ---------------------------------------------------------------------------------------------


def test_the_time_limit_ends_it_undecided(monkeypatch):
    """Planted: a decision that takes for ever."""

    def stuck(components, scores, needs):
        yield "unity", function.property_of(function.YES)
        while True:
            pass

    monkeypatch.setattr(importlib.import_module("softmax_trick.certification.given_size"), "_decided", stuck)
    found = certify(softmax(2), X[:2], time_limit=0.5)
    assert found.unity.holds is True
    assert found.trick.holds is None
    assert "time limit" in found.trick.reason


def test_the_worker_ends_with_its_parent(tmp_path):
    """Planted: a decision that takes for ever, and a parent that is killed."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import importlib, os, sympy as sp\n"
        "module = importlib.import_module('softmax_trick.certification.given_size')\n"
        "def stuck(*args):\n"
        "    print(os.getpid(), flush=True)\n"
        "    while True: pass\n"
        "    yield\n"
        "module._decided = stuck\n"
        "x = sp.Symbol('x1', real=True)\n"
        "module.certify_components([x], [x], 600)\n"
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def is_running(pid):
    """Whether there is such a process that is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_process_that_dies_is_not_taken_for_the_time_limit(monkeypatch):
    """Planted: the process is gone after the first property, as when the memory runs out."""

    def dies(components, scores, needs):
        yield "unity", function.property_of(function.YES)
        os._exit(1)

    monkeypatch.setattr(importlib.import_module("softmax_trick.certification.given_size"), "_decided", dies)
    found = certify(softmax(2), X[:2])
    assert found.unity.holds is True
    assert found.trick.reason == "the process that works on it died (of memory, perhaps)"


def test_a_crash_is_undecided_and_named(monkeypatch):
    monkeypatch.setattr(softmax_type, "softmax_type", lambda F: 1 / 0)
    found = certify(softmax(2), X[:2])
    assert found.differentiable.holds is True
    assert found.trick.holds is None
    assert "ZeroDivisionError" in found.trick.reason


@pytest.mark.parametrize(
    ("components", "scores", "error", "message"),
    [
        (softmax(2), X[:3], ValueError, "2 components, 3 scores"),
        ([], [], ValueError, "at least one"),
        (["exp(x1)"], X[:1], TypeError, "component 1 is a str"),
        ([X[0] * 0.5], X[:1], ValueError, "floating-point"),
        ([X[0], X[1]], [X[0], X[0]], ValueError, "occurs twice"),
        ([X[0]], ["x1"], TypeError, "not a symbol"),
        ([X[0] ** (10**9)], X[:1], ValueError, "power 1000000000"),
        ([sp.tan(X[0])], X[:1], ValueError, "tan is no part of a formula"),
        ([sp.Function("f")(X[0])], X[:1], ValueError, "f is no part of a formula"),
        ([sp.I * X[0]], X[:1], ValueError, "ImaginaryUnit"),
        ([sp.oo + 0 * X[0]], X[:1], ValueError, "Infinity|NaN"),
        ([sp.Add(*sp.symbols("p:60000"))], X[:1], ValueError, "too large"),
    ],
)  # fmt: skip
def test_bad_input(components, scores, error, message):
    with pytest.raises(error, match=message):
        certify(components, scores)


@pytest.mark.parametrize(
    ("components", "scores", "message"),
    [
        ([sp.log(sp.Symbol("x1", positive=True))], [sp.Symbol("x1", positive=True)], "more than real"),
        ([X[0] * sp.Symbol("x1")], X[:1], "two different symbols are called x1"),
        ([X[0] ** 2 * sp.Symbol("n", integer=True)], X[:1], "parameters are real"),
    ],
)
def test_symbols_that_are_not_what_they_seem(components, scores, message):
    with pytest.raises(ValueError, match=message):
        certify(components, scores)


def test_negative_parameters_stay_negative():
    b = sp.Symbol("b", negative=True)
    assert certify([-b + 0 * X[0]], X[:1]).positive.holds is True
    assert certify([b], X[:1]).positive.holds is False
    real = sp.Symbol("b", real=True)
    assert certify([exp(X[0]) - real], X[:1], sp.Q.negative(real)).positive.holds is True
    assert certify([X[0] / real], X[:1], sp.Q.nonzero(real)).defined.holds is True


def test_a_parameter_that_is_called_as_a_target_stays_one():
    t1 = sp.Symbol("t1", real=True)
    assert certify([t1 * X[0]], X[:1]).implicit_loss.extras["expression"] == "t1*x1**2/2 - target1*x1"


def test_what_holds_for_almost_all_parameters_says_for_which():
    powers = [B**2 * exp(X[0]), exp(X[1])]
    found = certified([power / sum(powers) for power in powers])
    for property_ in (found.positive, found.generalised_softmax, found.trick):
        assert (property_.holds, property_.where) == (False, ("b != 0",))
    assert found.trick.witness["b"] == found.positive.witness["b"] == "0"
    assert found.softmax_type.holds is True
    temperature = certified([u / sum(exp(v / B) for v in X[:2]) for u in (exp(X[0] / B), exp(X[1] / B))])
    assert temperature.defined.holds is False
    assert temperature.trick.where == ("b != 0",)
    assert temperature.trick.as_json()["where"] == ["b != 0"]


def test_a_pole_that_cannot_be_written_down():
    """e^x = 3x has two solutions, none of which is a number in closed form: no witness, but its neighbours."""
    found = certified([1 / (exp(X[0]) - 3 * X[0])]).defined
    assert (found.holds, found.witness) == (False, None)
    assert "changes its sign between" in found.reason


def test_a_formula_without_scores_is_said_so():
    x = sp.Symbol("x", real=True)
    (note,) = certify([exp(x) / (1 + exp(x))], X[:1]).notes
    assert note.startswith("no score occurs in the formula: x is taken as a parameter")
    assert certify([HALF], X[:1]).notes == ("no score occurs in the formula, so F is constant; the scores are x1",)
    assert certify(softmax(2), X[:2]).notes == ()


def test_bounds_that_are_no_ranges_are_called_so():
    found = certified([X[0] * sigmoid(X[0])])
    low, high = found.bounded.extras["range"][0]
    assert (low, high) == (None, "oo")
    assert sp.Rational(found.bounded.extras["bound"][0][0]) == sp.Rational(
        -27847, 100000
    )  # the infimum is -0.278464...
    assert found.lipschitz.extras == {"bound": "109984/100000", "exact": False} or found.lipschitz.holds


def test_assumptions_narrow_parameters():
    a = sp.Symbol("a", real=True)
    slack = [exp(X[0]) / (a + exp(X[0]))]
    assert certify(slack, X[:1]).differentiable.holds is not True
    assert certify(slack, X[:1], sp.Q.positive(a)).differentiable.holds is True


def test_symbols_without_assumptions_are_real():
    x = sp.symbols("x1 x2")
    found = certify([exp(x[0]) / (exp(x[0]) + exp(x[1])), exp(x[1]) / (exp(x[0]) + exp(x[1]))], x)
    assert found.generalised_softmax.holds is True


# --- planted errors ---------------------------------------------------------------------------------------------------


def decided(components):
    return dict(_decided(components, X[: len(components)]))


def test_a_wrong_potential_is_not_given(monkeypatch):
    monkeypatch.setattr(potential, "_candidates", lambda F, form: iter([2 * sp.log(exp(X[0]) + exp(X[1]))]))
    assert decided(softmax(2))["implicit_loss"].extras["potential"] is None


def test_a_wrong_dilation_is_no_softmax_type(monkeypatch):
    monkeypatch.setattr(softmax_type, "_dilation", lambda F, place, support, base: sp.Integer(2))
    assert decided(softmax(2))["softmax_type"].holds is not True


def test_a_slope_that_is_exceeded_is_no_bound(monkeypatch):
    monkeypatch.setattr(extent, "_critical_values", lambda piece, x, cell: [sp.Rational(1, 5)])
    assert decided([sigmoid(X[0]), sigmoid(X[1])])["lipschitz"].extras["bound"] != "1/5"


def test_enclosures_decide_between_neighbours():
    """The witness of a near miss is exact: a difference of 1e-6 is seen at the point, rigorously."""
    component = softmax(2)[0] * (1 + sp.Rational(1, 10**6)) - softmax(2)[0]
    assert enclose(component, {X[0]: sp.S.Zero, X[1]: sp.S.Zero}) > 0


# --- two routes -------------------------------------------------------------------------------------------------------

# Torch code has no parameters.
SMOOTH = [
    name
    for name, (components, expected) in KNOWN.items()
    if expected[1] == "t" and sum(components).free_symbols <= set(X)
]


@pytest.mark.parametrize("name", SMOOTH)
def test_exact_and_sampled_certificates_agree(name):
    """The same function as a formula and as torch code: wherever both are decided, they say the same."""
    import torch

    from softmax_trick.certification.black_box import certify_torch

    components, _ = KNOWN[name]
    k = len(components)
    code = sp.lambdify(X[:k], components, "torch")

    def function(scores):
        columns = scores.unbind(-1)
        return torch.stack([value + 0 * columns[0] for value in code(*columns)], -1)

    exact, sampled = certified(components), certify_torch(function, k)
    for property_, found in exact.properties().items():
        other = getattr(sampled, property_)
        if None not in (found.holds, other.holds):
            assert found.holds == other.holds, (property_, found, other)
