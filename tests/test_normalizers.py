"""The table of normalizers: the SymPy form, the torch form and the potential of each entry against one another."""

from __future__ import annotations

import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softmax_trick.language.grammar import parse
from softmax_trick.normalizers import NORMALIZERS, Normalizer, get_normalizer
from softmax_trick.readings.tensors import Tensors
from softmax_trick.symbolic import EVERY_K, GivenK, decide, gradient, index
from softmax_trick.testing.reference import growth, soft_size, unit_roundoff

SMOOTH = [name for name, entry in NORMALIZERS.items() if not entry.kinks]
HARD = [name for name, entry in NORMALIZERS.items() if entry.kinks]
i = index("i")


def test_the_table_holds_the_normalizers_of_the_paper():
    assert list(NORMALIZERS) == ["softmax", "sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardsigmoid_torch"]
    assert {name for name, entry in NORMALIZERS.items() if entry.target_range == (-1, 1)} == {"tanh", "hardtanh"}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("over", [EVERY_K, *(GivenK(k) for k in range(1, 5))], ids=str)
def test_the_gradient_of_the_potential_is_the_normalizer(name, over):
    """grad P = F, decided exactly for every K (MATHEMATICS: ISBE minimises P(x) - <x, t>)."""
    x = over.vector("x")
    entry = NORMALIZERS[name]
    position = i if over is EVERY_K else 1
    difference = gradient(entry.symbolic_potential(x), x)[position] - entry.symbolic(x)[position]
    assert decide(difference).status == "zero"


@pytest.mark.parametrize("name", HARD)
def test_the_gradient_of_a_piecewise_potential_is_the_normalizer_on_each_piece(name):
    x = GivenK(1).vector("x")
    soft = sp.piecewise_fold(NORMALIZERS[name].symbolic(x)[1])
    potential = sp.piecewise_fold(NORMALIZERS[name].symbolic_potential(x))
    assert [condition for _, condition in soft.args] == [condition for _, condition in potential.args]
    for (value, _), (area, _) in zip(soft.args, potential.args, strict=True):
        assert decide(area.diff(x[1]) - value).status == "zero"


@pytest.mark.parametrize("name", NORMALIZERS)
def test_the_kinks_are_where_the_derivative_jumps(name):
    """And there alone: between the pieces of F for one score."""
    entry, x = NORMALIZERS[name], GivenK(1).vector("x")
    soft = sp.piecewise_fold(entry.symbolic(x)[1])
    borders = sorted(condition.gts for _, condition in soft.args[:-1]) if soft.has(sp.Piecewise) else []
    slopes = [value.diff(x[1]) for value, _ in soft.args] if borders else []
    jumps = [at for at, left, right in zip(borders, slopes, slopes[1:], strict=False) if (left - right).subs(x[1], at)]
    assert tuple(jumps) == entry.kinks


STATED = [name for name, entry in NORMALIZERS.items() if entry.jacobian]


@pytest.mark.parametrize("name", STATED)
def test_the_jacobian_is_that_of_both_forms(name):
    """The one that is stated, in the language, against SymPy's derivative, exactly, and that of torch by autograd."""
    entry, (a, b) = NORMALIZERS[name], (sp.Rational(1, 3), sp.Rational(-5, 4))
    x = GivenK(2).vector("x")
    names = "x: K; y: K"
    for point in ((a, b), (4 * a, 3 * b), (9 * a, b)):
        soft = [entry.symbolic(x)[n].subs({x[1]: point[0], x[2]: point[1]}) for n in (1, 2)]
        scores = torch.tensor([float(value) for value in point], dtype=torch.float64)
        values = {"x": scores, "y": torch.tensor([float(value) for value in soft], dtype=torch.float64)}
        stated = Tensors(values, {"K": 2}).value(parse(entry.jacobian, names))
        exact = [
            [float(entry.symbolic(x)[i].diff(x[j]).subs({x[1]: point[0], x[2]: point[1]})) for j in (1, 2)]
            for i in (1, 2)
        ]
        assert torch.allclose(stated, torch.tensor(exact, dtype=torch.float64), rtol=1e-13)
        assert torch.allclose(stated, torch.autograd.functional.jacobian(entry.torch, scores), rtol=1e-13)


@pytest.mark.parametrize("name", STATED)
def test_no_jacobian_is_larger_than_the_lipschitz_constant(name):
    """Its norm, at scores near 0, where it is reached or nearly so; the ledger has the proofs."""
    entry = NORMALIZERS[name]
    assert entry.lipschitz is not None
    scores = (torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5) / 5
    norms = [torch.linalg.matrix_norm(torch.autograd.functional.jacobian(entry.torch, x), 2) for x in scores]
    assert 0.99 < float(max(norms)) / entry.lipschitz <= 1 + 1e-12


@settings(max_examples=40, deadline=None, derandomize=True)
@given(name=st.sampled_from(list(NORMALIZERS)), raw=st.lists(st.integers(-12, 12), min_size=1, max_size=4))
def test_the_sympy_and_the_torch_form_agree(name, raw):
    """Quarters from -3 to 3, the kinks among them; SymPy's value is exact, torch's float64."""
    entry, over = NORMALIZERS[name], GivenK(len(raw))
    x = over.vector("x")
    point = {x[n]: sp.Rational(value, 4) for n, value in enumerate(raw, start=1)}
    scores = torch.tensor([value / 4 for value in raw], dtype=torch.float64)
    exact = [float(entry.symbolic(x)[n].subs(point)) for n in range(1, len(raw) + 1)]
    u, right = unit_roundoff(torch.float64), torch.tensor(exact, dtype=torch.float64)
    allowed = growth(entry, scores) * u  # derived from what the entry says of its accuracy
    assert ((entry.torch(scores) - right).abs() <= allowed * soft_size(entry, right)).all()
    potential = float(entry.symbolic_potential(x).subs(point))
    terms = float((scores.abs() + 1).sum())
    assert abs(float(entry.torch_potential(scores)) - potential) <= float(allowed) * terms


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("softmax", lambda x: torch.nn.functional.softmax(x, -1)),
        ("hardtanh", lambda x: x.clamp(-1, 1)),
        ("hardsigmoid", lambda x: ((x + 2) / 4).clamp(0, 1)),  # paper, section 4.1
        ("hardsigmoid_torch", torch.nn.functional.hardsigmoid),
    ],
)
def test_against_torch(name, reference):
    scores = torch.linspace(-4, 4, 33, dtype=torch.float64)
    assert torch.allclose(NORMALIZERS[name].torch(scores), reference(scores), rtol=1e-15)


def test_the_two_hard_sigmoids_differ():
    one = torch.ones((), dtype=torch.float64)
    assert NORMALIZERS["hardsigmoid"].torch(one) == 0.75
    assert NORMALIZERS["hardsigmoid_torch"].torch(one) == pytest.approx(4 / 6)


@pytest.mark.parametrize("name", NORMALIZERS)
def test_targets_are_mapped_onto_the_range_of_the_normalizer(name):
    entry = NORMALIZERS[name]
    assert (entry.map_target(0), entry.map_target(1)) == entry.target_range
    extremes = entry.torch(torch.tensor([-50.0, 50.0], dtype=torch.float64))
    assert extremes.tolist() == pytest.approx(list(entry.target_range), abs=1e-15)


@pytest.mark.parametrize("name", NORMALIZERS)
def test_a_normalizer_returns_a_new_tensor(name):
    scores = torch.zeros(3)
    assert NORMALIZERS[name].torch(scores).data_ptr() != scores.data_ptr()


def test_unknown_normalizers_are_refused_and_entries_accepted():
    entry = NORMALIZERS["tanh"]
    assert get_normalizer(entry) is entry
    for wrong in ("soft-max", None, ["tanh"]):
        with pytest.raises(ValueError, match="choose one of softmax, sigmoid"):
            get_normalizer(wrong)  # type: ignore[arg-type]


def test_a_wrong_potential_is_noticed():
    """Planted: log(2 cosh x) for tanh is right up to a constant; log(cosh 2x) is not."""
    x = EVERY_K.vector("x")

    def wrong(v):
        return v.map(lambda s: sp.log(sp.exp(2 * s) + sp.exp(-2 * s))).sum()

    assert decide(gradient(wrong(x), x)[i] - NORMALIZERS["tanh"].symbolic(x)[i]).status == "nonzero"
    assert isinstance(NORMALIZERS["tanh"], Normalizer)
