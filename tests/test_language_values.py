"""Formulas at points: Arb's balls, the finite field, SymPy and torch, witnesses, agreement and replay."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from random import Random

import flint
import pytest
from statement_mutants import statements

from softmax_trick.deciding.points import compare, random_point
from softmax_trick.deciding.replay import Disagreement, replay
from softmax_trick.language.expression import Expression, LanguageError, variable
from softmax_trick.language.grammar import parse, read_equation
from softmax_trick.readings.enclosure import Enclosure, enclose
from softmax_trick.readings.pointwise import Point, Unclear, Undefined
from softmax_trick.readings.residues import FIRST_PRIME, LEVELS, PRIMES, Chain, Refused, is_positive, logarithm, sample

F = Fraction
ALL = list(statements("decide.tsv", "statements.tsv"))


def refute(*statement, **options):
    return compare(*statement, **options).witness


def sides(left: str, right: str, let: str = "") -> tuple[Expression, Expression]:
    """Both sides of an equation."""
    one, other = read_equation(left, right, let).expressions
    return one, other


def at(expression: Expression, **values: object) -> flint.arb:
    """A scalar at a point; sizes follow from the values."""
    sizes = {}
    for one in expression.variables:
        nested = values[one.name]
        for axis in one.axes:
            sizes[axis.rstrip("'")] = len(nested)  # type: ignore[arg-type]
            nested = nested[0]  # type: ignore[index]
    return enclose(expression, Point(sizes, values))


# --- Arb --------------------------------------------------------------------------------------------------------------


def test_derivatives_do_not_mix_their_perturbations() -> None:
    # d/dx (x d/dy (x + y)) = 1; with one perturbation for both it would be 2 (Siskind and Pearlmutter, 2005).
    assert at(parse("grad(x*grad(x + y, y), x)"), x=F(3), y=F(5)) == 1
    assert at(parse("grad(x*grad(x*y*y, y), x)"), x=F(3), y=F(5)) == 60
    assert at(parse("grad(grad(x**3*y, x)*x, x)"), x=F(2), y=F(5)) == 180


def test_second_and_third_derivatives() -> None:
    point = Point({"K": 2}, {"x": [F(1), F(2)]})
    third = parse("jacobian(hessian(sum(x)**3*x[1], x), x)[2,2,1]", "x: K")
    assert enclose(third, point) == 24  # d/dx_1 of 6 (x_1 + x_2) x_1


@pytest.mark.parametrize(
    ("text", "values", "why"),
    [
        ("log(x)", {"x": F(-1)}, "logarithm"),
        ("log(x)", {"x": F(0)}, "logarithm"),
        ("1/x", {"x": F(0)}, "division"),
        ("sqrt(x)", {"x": F(-1)}, "root"),
        ("grad(sqrt(x), x)", {"x": F(0)}, "root"),
        ("x**(1/3)", {"x": F(-8)}, "logarithm"),
        ("x**y", {"x": F(-8), "y": F(2)}, "logarithm"),
        ("step(x)", {"x": F(0)}, "meet"),
        ("grad(relu(x), x)", {"x": F(0)}, "meet"),
    ],
)
def test_without_a_value(text: str, values: dict[str, Fraction], why: str) -> None:
    with pytest.raises(Undefined, match=why):
        at(parse(text, "; ".join(f"{name}: scalar" for name in values)), **values)


def test_with_a_value_all_the_same() -> None:
    assert at(parse("x**-3"), x=F(-2)) == flint.arb(flint.fmpq(-1, 8))
    assert at(parse("sqrt(x)"), x=F(0)) == 0
    assert at(parse("relu(x) + abs(x)"), x=F(0)) == 0
    assert at(parse("x**(K - 2)", "x: scalar; K: size") * variable("y", "K")[1], x=F(-2), y=[F(1)] * 5) == -8


def test_what_no_precision_tells_is_unclear_and_what_a_higher_one_tells_is_told() -> None:
    third = F(1, 3)
    with pytest.raises(Unclear):
        at(parse("log(x - y/3)", "x: scalar; y: scalar"), x=third, y=F(1))  # log 0, but 1/3 is no number of Arb
    tiny = parse("log(exp(x) - exp(x - y))", "x: scalar; y: scalar")
    assert abs(at(tiny, x=F(0), y=F(1, 10**50)) + 50 * flint.arb(10).log()) < 1e-9
    with pytest.raises(LanguageError, match="no value is given for x"):
        enclose(parse("x", "x: scalar"), Point({}))


def test_what_is_nested_too_deeply_is_unclear_and_no_crash() -> None:
    deep = parse("sigmoid(" * 90 + "x" + ")" * 90, "x: K")
    with pytest.raises(Unclear, match="deeply"):
        enclose(deep, Point({"K": 1}, {"x": [F(1)]}), (1,))
    assert compare(deep, deep, {"K": 1}).agreed == replay(deep, deep, {"K": 1}).compared == 0


# --- the finite field -------------------------------------------------------------------------------------------------


def test_the_primes_are_a_cunningham_chain() -> None:
    assert FIRST_PRIME == 1122659
    assert PRIMES[-1] == 71850239
    assert all(flint.fmpz(prime).is_prime() for prime in PRIMES)
    assert all(PRIMES[level + 1] == 2 * PRIMES[level] + 1 for level in LEVELS[:-1])


def test_exp_and_log_obey_their_laws() -> None:
    chance = Random(1)
    for level in LEVELS[1:]:
        power = chance.randrange(PRIMES[level - 1])
        assert logarithm(pow(4, power, PRIMES[level]), level) == power
    chain = Chain(tuple(chance.randrange(1, prime // 2) for prime in PRIMES))
    a, b = (tuple(chance.randrange(prime) for prime in PRIMES) for _ in range(2))
    whole = chain.exp(chain.add(a, b))
    assert whole == chain.multiply(chain.exp(a), chain.exp(b))
    assert None not in whole[1:]
    assert chain.log(chain.exp(a))[:-1] == a[:-1]
    assert chain.power(chain.exp(a), b)[2:] == chain.exp(chain.multiply(a, b))[2:]
    root = chain.power(chain.exp(a), F(1, 2))
    assert chain.multiply(root, root)[1:] == chain.exp(a)[1:]
    assert all(is_positive(one, level) for level, one in enumerate(root) if level)


def test_no_square_has_a_logarithm_or_a_root() -> None:
    chain = Chain((1,) * len(PRIMES))
    nothing = (None,) * len(PRIMES)
    minus_one = chain.add(F(-1), (0,) * len(PRIMES))
    assert chain.log(minus_one) == chain.power(minus_one, F(1, 2)) == nothing


@pytest.mark.parametrize("text", ["relu(x)", "max(u)", "abs(x)"])
def test_what_has_no_model_is_refused(text: str) -> None:
    formula = parse(text, "x: scalar; u: K")
    model = sample(formula.variables, {"K": 2}, {}, Random(0))
    with pytest.raises(Refused):
        model.entry(formula)


def test_a_sample_lies_on_the_domains() -> None:
    names = [variable("p", "K", "positive"), variable("q", (), "unit"), variable("t", "N,K", "distribution")]
    model = sample(names, {"K": 3, "N": 2}, {}, Random(0))
    positive, unit, distribution = (model.point.values[one.name] for one in names)
    for level, prime in enumerate(PRIMES):
        assert all(is_positive(entry[level], level) for entry in positive)
        assert is_positive(unit[level], level)
        assert is_positive(1 - unit[level], level)
        assert all(sum(entry[level] for entry in row) % prime == 1 for row in distribution)


# --- witnesses and agreement ------------------------------------------------------------------------------------------

EVERY = 8  # of the statements; `decide` meets all of them in tests of its own


def test_every_false_statement_has_a_witness_and_no_true_one() -> None:
    for label, statement, truth in ALL[::EVERY]:
        left, right = statement.expressions
        found = compare(left, right, statement.sizes)
        assert (found.witness is None) == truth, label
        assert found.agreed or not truth, label
        if found.witness is not None:
            point = Point(found.witness.sizes, found.witness.values, found.witness.indices)
            at_places = [
                Enclosure(point).entry(side, found.witness.position[: len(side.axes)]) for side in (left, right)
            ]
            assert not at_places[0].overlaps(at_places[1]), label


@pytest.mark.parametrize(
    ("left", "right", "let", "sizes", "values"),
    [
        ("x", "x + s", "x: K; s: scalar", {"K": 1}, {"x": [0], "s": 1}),
        ("log(p)", "p - 1", "p: positive", {}, {"p": 2}),
        ("grad(kl(q, softmax(x)), x)", "softmax(x) - q", "x: K; q: K positive", {"K": 1}, {"q": [2], "x": [0]}),
        ("sum(t)", "max(t)", "t: K distribution", {"K": 2}, {"t": [F(1, 2), F(1, 2)]}),
        ("x[3]", "x[1]", "x: K", {"K": 3}, {"x": [0, 0, 1]}),
    ],
)
def test_witnesses_are_small_and_readable(
    left: str, right: str, let: str, sizes: dict[str, int], values: dict[str, object]
) -> None:
    found = refute(*sides(left, right, let))
    assert found is not None
    assert (found.sizes, found.values) == (sizes, values)


def test_witnesses_of_entries_and_given_sizes() -> None:
    left, right = sides("jacobian(softmax(x), x)[i,j]", "softmax(x)[i]*delta(i,j)", "x: K")
    found = refute(left, right, {"K": 4})
    assert found is not None
    assert found.sizes == {"K": 4}
    assert set(found.indices) == {"i", "j"}
    assert not found.position
    assert float(found.left) != float(found.right)


def test_pieces_far_out_and_roots_of_what_is_negative_are_seen() -> None:
    assert refute(parse("clip(x, -300, 300)"), parse("x", "x: scalar")) is not None
    assert refute(parse("sqrt(x**2)", "x: scalar"), parse("x", "x: scalar")) is not None
    assert refute(parse("a*(1 - a)", "a: scalar"), parse("a/(1 - a)", "a: scalar")) is not None


def test_defined_nowhere() -> None:
    nowhere = parse("log(-x*x)", "x: scalar")
    assert compare(nowhere, nowhere).agreed == 0
    somewhere = parse("log(x - 12)", "x: scalar")  # at a larger scale only
    assert compare(somewhere, somewhere).agreed > 0
    assert compare(parse("x", "x: scalar"), parse("2*x", "x: scalar")).witness is not None


def test_relations() -> None:
    x = parse("x", "x: scalar")
    assert refute(parse("-x*x", "x: scalar"), parse("0"), relation="<=") is None
    assert refute(parse("-x*x", "x: scalar"), parse("0"), relation="<") is not None
    assert refute(x, parse("x*x", "x: scalar"), relation="<=") is not None


def test_looking_for_a_witness_imports_neither_sympy_nor_torch_nor_numpy() -> None:
    program = (
        "import sys; from softmax_trick.language.grammar import read_equation;"
        "from softmax_trick.deciding.points import compare; from softmax_trick.deciding.replay import replay;"
        "s = read_equation('softmax(x)', 'exp(x)/sum(exp(x))', 'x: K');"
        "compare(*s.expressions); replay(*s.expressions);"
        "print([name for name in ('sympy', 'torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- replay -----------------------------------------------------------------------------------------------------------


def test_true_statements_are_replayed_and_false_ones_are_not() -> None:
    for label, statement, truth in ALL[::11]:
        left, right = statement.expressions
        if truth:
            assert replay(left, right, statement.sizes).compared > 0, label
        else:
            with pytest.raises(Disagreement):
                replay(left, right, statement.sizes)


def test_the_record_of_a_replay() -> None:
    left, right = sides("jacobian(softmax(x), x)", "diag(y) - outer(y, y)", "x: K; y = softmax(x)")
    record = replay(left, right)
    assert [check.sizes for check in record.checks] == [{"K": 1}, {"K": 2}, {"K": 3}, {"K": 7}]
    assert {check.by for check in record.checks} == {"finite field"}
    assert not record.why_arb
    assert str(record).startswith("replayed in a finite field at K = 1; K = 2; K = 3; K = 7: ")
    thorough = replay(left, right, thorough=True)
    assert thorough.compared > record.compared
    assert all(check.chance is not None and check.chance < 1e-20 for check in thorough.checks)


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        ("relu(x) - relu(-x)", "x", "no order"),
        ("sqrt(sum(exp(x))**2)", "sum(exp(x))", "sign of a sum"),  # the field does not know that the sum is positive
    ],
)
def test_arb_where_the_field_has_no_model(left: str, right: str, why: str) -> None:
    record = replay(*sides(left, right, "x: K"))
    assert why in record.why_arb
    assert record.compared > 0
    assert "Arb" in str(record)


def test_a_number_is_not_equal_to_an_exponential() -> None:
    # In F_p with a fixed base, exp(1) would be a rational number: 4.
    with pytest.raises(Disagreement):
        replay(parse("exp(1)"), parse("4"))


def test_a_size_without_a_value_is_said() -> None:
    left, right = sides("x/(K - 1)", "2*x/(2*K - 2)", "x: K")
    assert "no value was found at K = 1" in str(replay(left, right))


# --- SymPy and torch --------------------------------------------------------------------------------------------------


def test_sympy_derives() -> None:
    import sympy as sp

    from softmax_trick.readings.algebraic import Algebraic, symbol

    loss = parse("grad(-sum(t*log(softmax(x))), x)", "x: K; t: K distribution")
    derived = Algebraic(Point({"K": 2})).entry(loss, (1,))
    x1, x2, t1 = (symbol(*one) for one in ((variable("x", "K"), (1,)), (variable("x", "K"), (2,)),
                                           (variable("t", "K", "distribution"), (1,))))  # fmt: skip
    assert sp.simplify(derived - (sp.exp(x1) / (sp.exp(x1) + sp.exp(x2)) - t1)) == 0


def test_torch_is_stable_and_differentiates_twice() -> None:
    import torch

    from softmax_trick.readings.tensors import Tensors

    large = {"x": torch.tensor([1e4, -1e4, 0.0])}
    for text in ("softmax(x)", "softmax(x, slack=2)", "log(softmax(x))", "softplus(x)", "log(sigmoid(x))",
                 "hessian(logsumexp(x), x)", "grad(softce(ones(K), x), x)", "tanh(x)"):  # fmt: skip
        found = Tensors(large, {"K": 3}).value(parse(text, "x: K"))
        assert torch.isfinite(found).all(), text
    third = parse("jacobian(hessian(logsumexp(x), x), x)", "x: K")
    small = {"x": torch.tensor([0.5, 1.0, -1.0])}
    found = Tensors(small, {"K": 3}, dtype=torch.float32).value(third).detach()
    assert found.dtype == torch.float32
    assert found.shape == (3, 3, 3)
    ball = enclose(third, Point({"K": 3}, {"x": [F(1, 2), F(1), F(-1)]}), (1, 1, 2))
    assert abs(float(found[0, 0, 1]) - float(ball.mid())) < 1e-6


def test_a_random_point_lies_on_the_domains() -> None:
    names = [variable("p", "K", "positive"), variable("q", (), "unit"), variable("t", "N,K", "distribution"),
             variable("c", "N", "label", "K")]  # fmt: skip
    point = random_point(names, {"K": 3, "N": 2}, {}, Random(4))
    assert min(point.values["p"]) > 0
    assert 0 <= point.values["q"] <= 1
    assert all(sum(row) == 1 for row in point.values["t"])
    assert all(1 <= c <= 3 for c in point.values["c"])
