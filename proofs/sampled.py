"""The claims again, in floating point: torch autograd on random scores, targets, dilations and relocations.

An independent route: nothing here shares code with the symbolic proofs, only the statements are the same. Each function
draws one example with K classes and returns the two sides that its claim says are equal, in float64. The sides agree if
they differ by less than TOLERANCE times the larger of 1 and their size: the examples are tame (scores within a few
units), so that rounding stays below 1e-12, and a wrong sign, factor or index is off by far more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from softmax_trick.ledger.claims import Evidence
from softmax_trick.ledger.steps import broken_off
from softmax_trick.proofs import sampled_beyond
from softmax_trick.proofs.drawn import Sides, distribution, normal
from softmax_trick.system.lazy import Late

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    torch = Late("torch")

TOLERANCE = 1e-9
CLASSES = range(1, 13)
EXAMPLES = 3  # for each K


def disagreement(claim: str, seed: int = 0) -> str | None:
    """Test one claim on EXAMPLES examples for each K; say where the sides differ first, or None if they never do."""
    test, fewest = SAMPLED[claim]
    generator = torch.Generator().manual_seed(seed)
    for classes in CLASSES:
        for _ in range(EXAMPLES if classes >= fewest else 0):
            left, right = test(generator, classes)
            size = max(1.0, float(left.abs().max()), float(right.abs().max()))
            gap = float((left - right).abs().max())
            if not gap <= TOLERANCE * size:
                return f"for K = {classes} the sides differ by {gap:.3g}"
    return None


def sample(claim: str) -> Callable[[], Evidence] | None:
    """The test of a claim, if there is one: the evidence that it finds."""
    return (lambda: _evidence(claim)) if claim in SAMPLED else None


def _evidence(claim: str) -> Evidence:
    start = time.perf_counter()
    scope = f"{EXAMPLES} random examples for each K <= {max(CLASSES)}, float64"
    found = Evidence("torch autograd", "sampled", scope, "holds", 0.0)
    try:
        if reason := disagreement(claim):
            found = replace(found, outcome="fails", reason=reason)
    except Exception as error:
        found = broken_off(found, error)
    return replace(found, seconds=time.perf_counter() - start)


# --- the formulas -----------------------------------------------------------------------------------------------------


def _cross_entropy(t: Tensor, y: Tensor) -> Tensor:
    return -(t * y.log()).sum()


def _generalised_softmax(g: Generator, classes: int, slack: bool = False) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """A random SoftMax(d * x - c), perhaps with slack, and its dilation d."""
    d, c = normal(g, classes), normal(g, classes)
    if not slack:
        return lambda x: torch.softmax(d * x - c, -1), d
    # Slack is one more class, whose score is fixed and whose soft score is dropped.
    fixed = normal(g, 1)
    return lambda x: torch.softmax(torch.cat([d * x - c, fixed]), -1)[:-1], d


def _softmax_type(y: Tensor, d: Tensor) -> Tensor:
    return (y.diag() - y.outer(y)) * d


# --- Theorem 1 --------------------------------------------------------------------------------------------------------


def _range_of_ce(g: Generator, classes: int) -> Sides:
    """CE > 0 for random distributions, and CE = s is reached for a random s > 0."""
    t, y = distribution(g, classes), distribution(g, classes)
    wanted = normal(g, 1).abs() + 0.1
    first = (-wanted).exp()
    others = torch.full((classes - 1,), 1.0, dtype=torch.float64) * (1 - first) / (classes - 1)
    vertex = torch.eye(classes, dtype=torch.float64)[0]
    reached = _cross_entropy(vertex, torch.cat([first, others]))
    return torch.stack([(_cross_entropy(t, y) > 0).double(), reached]), torch.cat([torch.ones(1).double(), wanted])


def _jacobian_of_softmax(g: Generator, classes: int) -> Sides:
    x = 3 * normal(g, classes)
    y = x.softmax(-1)
    return torch.func.jacrev(lambda s: s.softmax(-1))(x), y.diag() - y.outer(y)


def _gradient_of_softce(g: Generator, classes: int) -> Sides:
    x, t = 3 * normal(g, classes), distribution(g, classes)
    softce = torch.func.grad(lambda s: torch.nn.functional.cross_entropy(s, t))(x)
    return softce, x.softmax(-1) - t


def _softce_below_one(g: Generator, classes: int) -> Sides:
    """As printed, SoftCE < 1: confident wrong scores are tried."""
    x, t = 5 * normal(g, classes), distribution(g, classes)
    inside = torch.nn.functional.cross_entropy(x, t).abs() < 1
    return inside.double(), torch.ones(()).double()


def _range_of_gradient(g: Generator, classes: int) -> Sides:
    """Inside (-1, 1) for random scores and targets, and a random value in it is reached by component 1."""
    x, t = 5 * normal(g, classes), distribution(g, classes)
    inside = (torch.func.grad(lambda s: torch.nn.functional.cross_entropy(s, t))(x).abs() < 1).double()
    wanted = 2 * torch.rand(1, generator=g, dtype=torch.float64) - 1
    eye = torch.eye(classes, dtype=torch.float64)
    target = eye[1] if wanted > 0 else eye[0]
    odds = torch.logit(wanted if wanted > 0 else 1 + wanted)
    scores = torch.cat([odds + torch.tensor(classes - 1.0).double().log(), torch.zeros(classes - 1).double()])
    reached = torch.func.grad(lambda s: torch.nn.functional.cross_entropy(s, target))(scores)[:1]
    return torch.cat([inside, reached]), torch.cat([torch.ones(classes).double(), wanted])


# --- Theorem A1 -------------------------------------------------------------------------------------------------------


def _p1_to_p2(g: Generator, classes: int) -> Sides:
    f, d = _generalised_softmax(g, classes)
    x = normal(g, classes)
    return torch.func.jacrev(f)(x), _softmax_type(f(x), d)


def _p2_to_p3(g: Generator, classes: int, simplex: bool) -> Sides:
    f, d = _generalised_softmax(g, classes, slack=True)
    x = normal(g, classes)
    t = distribution(g, classes) if simplex else torch.rand(classes, generator=g, dtype=torch.float64)
    y = f(x)
    return torch.func.jacrev(f)(x).T @ (-t / y), d * (y - t)


def _p2_gives_unity(g: Generator, classes: int) -> Sides:
    """(P2) -> (P1) would make every F with (P2) sum to one, SoftMax with slack included."""
    f, d = _generalised_softmax(g, classes, slack=True)
    x = normal(g, classes)
    if not torch.allclose(torch.func.jacrev(f)(x), _softmax_type(f(x), d)):
        raise ArithmeticError("this F has not (P2)")
    return f(x).sum(), torch.ones(()).double()


def _classification(g: Generator, classes: int) -> Sides:
    """A member of the family with entries a_i of both signs and zero, and w nowhere 0 at the scores drawn."""
    a, d = normal(g, classes), normal(g, classes)
    a[torch.rand(classes, generator=g) < 0.2] = 0
    x = normal(g, classes)
    slack = 1 + 2 * (a * (d * x).exp()).sum().abs()

    def f(s: Tensor) -> Tensor:
        powers = a * (d * s).exp()
        return powers / (slack + powers.sum())

    return torch.func.jacrev(f)(x), _softmax_type(f(x), d)


def _repaired_theorem(g: Generator, classes: int) -> Sides:
    """(P1) -> (P2) and (P1) -> (P3) on the simplex at once; unity is kept from one point to another."""
    f, d = _generalised_softmax(g, classes)
    x, t = normal(g, classes), distribution(g, classes)
    y, j = f(x), torch.func.jacrev(f)(x)
    left = torch.cat([j.flatten(), j.T @ (-t / y), f(x + normal(g, classes)).sum().view(1)])
    return left, torch.cat([_softmax_type(y, d).flatten(), d * (y - t), torch.ones(1).double()])


def _trick_without_positivity(g: Generator, classes: int) -> Sides:
    """A member of the family with entries of both signs, whose sum is not 1: (P2), and (P3) where sum t = 1."""
    a, d, x, t = normal(g, classes), normal(g, classes), normal(g, classes), distribution(g, classes)
    slack = 1 + 2 * (a * (d * x).exp()).sum().abs()

    def f(s: Tensor) -> Tensor:
        powers = a * (d * s).exp()
        return powers / (slack + powers.sum())

    y, j = f(x), torch.func.jacrev(f)(x)
    return torch.cat([j.flatten(), j.T @ (-t / y)]), torch.cat([_softmax_type(y, d).flatten(), d * (y - t)])


def _no_dilation_fits(g: Generator, classes: int) -> Sides:
    """At x = 0 no d solves (A3) for t = (1, ..., 1) and t = e_1: the least-squares residual is not zero."""
    x = torch.zeros(classes, dtype=torch.float64)
    y, j = x.softmax(-1), torch.func.jacrev(lambda s: s.softmax(-1))(x)
    targets = (torch.ones(classes).double(), torch.eye(classes, dtype=torch.float64)[0])
    rows = torch.cat([(y - t).diag() for t in targets])
    sides = torch.cat([j.T @ (-t / y) for t in targets])
    d = torch.linalg.lstsq(rows, sides).solution
    return ((rows @ d - sides).norm() > 1e-3).double(), torch.ones(()).double()


# Claim -> (test, fewest classes for which it is stated).
SAMPLED: dict[str, tuple[Callable[[Generator, int], Sides], int]] = {
    "T1.3": (_range_of_ce, 2),
    "T1.4a": (_jacobian_of_softmax, 1),
    "T1.4c": (_gradient_of_softce, 1),
    "T1.4d": (_softce_below_one, 1),
    "T1.4dr": (_range_of_gradient, 2),
    "A1.1-2": (_p1_to_p2, 1),
    "A1.2-3": (lambda g, k: _p2_to_p3(g, k, simplex=False), 1),
    "A1.2-3r": (lambda g, k: _p2_to_p3(g, k, simplex=True), 1),
    "A1.2-1": (_p2_gives_unity, 1),
    "A1c": (_classification, 1),
    "A1r": (_repaired_theorem, 1),
    "A1r.trick": (_trick_without_positivity, 1),
    "A1r.targets": (_no_dilation_fits, 2),
} | sampled_beyond.SAMPLED
