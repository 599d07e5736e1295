"""The claims beyond the paper again, in floating point: torch autograd, torch's own losses and its Adam.

As in `sampled`: each function draws one example with K classes and returns the two sides that its claim says are equal,
in float64. Where a claim says that something differs, or is bounded, a side is 1 if it is so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from softmax_trick.proofs.drawn import Sides, distribution, normal, positive
from softmax_trick.system.lazy import Late

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
    from torch.nn import functional
else:
    torch, functional = Late("torch"), Late("torch.nn.functional")

Function = Callable[["Tensor"], "Tensor"]


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _unit(classes: int, position: int) -> Tensor:
    return torch.eye(classes, dtype=torch.float64)[position]


def _so(*conditions: Tensor | bool) -> Sides:
    """Sides that agree if every condition is true."""
    values = torch.tensor([bool(condition) for condition in conditions], dtype=torch.float64)
    return values, torch.ones_like(values)


def _both(*pairs: Sides) -> Sides:
    """Several pairs of sides as one."""
    left, right = zip(*pairs, strict=True)
    return torch.cat([side.flatten() for side in left]), torch.cat([side.flatten() for side in right])


# --- the functions, as torch has them ---------------------------------------------------------------------------------


def _sparsemax(x: Tensor) -> Tensor:
    """By sorting: the threshold that leaves a sum of one above it (Martins, Astudillo, ICML 2016, Algorithm 1)."""
    ordered = x.sort(descending=True).values
    count = torch.arange(1, len(x) + 1, dtype=x.dtype)
    above = ordered.cumsum(-1) - 1
    size = int((count * ordered > above).sum())
    return (x - above[size - 1] / size).clamp(min=0)


def _huber(x: Tensor) -> Tensor:
    return functional.huber_loss(x, torch.zeros_like(x), reduction="sum")


ELEMENTWISE: dict[str, Function] = {
    "sigmoid": lambda x: x.sigmoid(),
    "tanh": lambda x: x.tanh(),
    "hardtanh": lambda x: functional.hardtanh(x),
    "hardsigmoid": lambda x: ((x + 2) / 4).clamp(0, 1),
    "hardsigmoid_torch": lambda x: ((x + 3) / 6).clamp(0, 1),
}


# --- gradients --------------------------------------------------------------------------------------------------------


def _gradient(potential: Function, function: Function) -> Callable[[Generator, int], Sides]:
    """The test that grad (P(x) - <x, t>) = F(x) - t."""

    def test(g: Generator, classes: int) -> Sides:
        x, t = normal(g, classes, 3), normal(g, classes)
        return torch.func.grad(lambda score: potential(score) - score.dot(t))(x), function(x) - t

    return test


# --- convexity and Lipschitz constants --------------------------------------------------------------------------------


def _monotone(g: Generator, classes: int) -> Sides:
    """The gradient of a convex function is monotone."""
    x, other = normal(g, classes, 4), normal(g, classes, 4)
    hard = (ELEMENTWISE[name] for name in ("hardtanh", "hardsigmoid", "hardsigmoid_torch"))
    return _so(*((f(x) - f(other)).dot(x - other) >= 0 for f in hard))


def _expands_at_most(function: Function, constant: float, x: Tensor, other: Tensor) -> Sides:
    """Whether the function moves two points apart by no more than the constant times their distance."""
    return _so((function(x) - function(other)).norm() <= constant * (x - other).norm() * (1 + 1e-12))


def _lipschitz(name: str, constant: float) -> Callable[[Generator, int], Sides]:
    def test(g: Generator, classes: int) -> Sides:
        f = ELEMENTWISE[name]
        steepest = torch.func.jacrev(f)(torch.zeros(classes, dtype=torch.float64))
        reached = torch.linalg.matrix_norm(steepest, 2), torch.tensor(constant, dtype=torch.float64)
        return _both(_expands_at_most(f, constant, normal(g, classes), normal(g, classes)), reached)

    return test


def _lipschitz_softmax(g: Generator, classes: int) -> Sides:
    def f(x: Tensor) -> Tensor:
        return x.softmax(-1)

    limit = 40 * (_unit(classes, 0) + _unit(classes, 1))
    reached = torch.linalg.matrix_norm(torch.func.jacrev(f)(limit), 2), torch.tensor(0.5, dtype=torch.float64)
    return _both(_expands_at_most(f, 0.5, normal(g, classes), normal(g, classes)), reached)


def _norm_of_softmax(g: Generator, classes: int) -> Sides:
    norm = torch.linalg.matrix_norm(torch.func.jacrev(lambda x: x.softmax(-1))(normal(g, classes)), 2)
    return _so(norm < 0.5)


def _lipschitz_sparsemax(g: Generator, classes: int) -> Sides:
    y = distribution(g, classes)
    return _both(_expands_at_most(_sparsemax, 1.0, normal(g, classes), normal(g, classes)), (_sparsemax(y), y))


# --- the trick, the family, relocations -------------------------------------------------------------------------------


def _ldam(g: Generator, classes: int) -> Sides:
    """The soft scores that its error presupposes, for label 1 and for label 2."""
    x, margins = normal(g, classes), positive(g, classes)

    def presupposed(label: int) -> Tensor:
        shift, e = margins * _unit(classes, label), _unit(classes, label)
        return torch.func.grad(lambda score: functional.cross_entropy(score - shift, e))(x) + e

    return _so((presupposed(0) - presupposed(1)).norm() > 1e-4)


def _slack_taken(g: Generator, classes: int) -> Sides:
    """Class 1 has d = 0: C = -a_1 leaves w > 0, any less does not."""
    a, d, x = positive(g, classes), positive(g, classes), normal(g, classes)
    d[0] = 0
    far = torch.cat([x[:1], -60 / d[1:]])

    def w(score: Tensor, slack: Tensor) -> Tensor:
        return slack + (a * (d * score).exp()).sum()

    return _so(w(x, -a[0]) > 0, w(far, -a[0] - 1e-6) < 0)


def _sums_vary(g: Generator, classes: int) -> Sides:
    """At x = 0 and at x = (1, ..., 1) no two sums are both one."""
    at = (torch.zeros(classes, dtype=torch.float64), torch.ones(classes, dtype=torch.float64))
    return _so(*(max(abs(float(f(x).sum()) - 1) for x in at) > 1e-3 for f in ELEMENTWISE.values()))


def _no_p2(g: Generator, classes: int) -> Sides:
    """No d fits (P2): the residual of least squares, column by column."""
    x = positive(g, classes) / 2
    residuals = []
    for f in ELEMENTWISE.values():
        y, j = f(x), torch.func.jacrev(f)(x)
        form = y.diag() - y.outer(y)
        d = (form * j).sum(0) / (form * form).sum(0)
        residuals.append((form * d - j).norm() > 1e-3)
    return _so(*residuals)


# --- training ---------------------------------------------------------------------------------------------------------


def _trained(start: Tensor, gradients: Callable[[Tensor, int], Tensor], epsilon: float) -> Tensor:
    """Ten steps of torch's Adam from a start, with given gradients."""
    parameters = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([parameters], lr=0.1, eps=epsilon)
    for step in range(10):
        parameters.grad = gradients(parameters.detach(), step)
        optimizer.step()
    return parameters.detach()


def _adam(scale: Callable[[int], float], epsilon: float, same: bool) -> Callable[[Generator, int], Sides]:
    """The test that Adam on the ISBE error of SoftMax ends where it ends on its multiples, or that it does not."""

    def test(g: Generator, classes: int) -> Sides:
        start, t = normal(g, classes), distribution(g, classes)
        plain = _trained(start, lambda x, step: x.softmax(-1) - t, epsilon)
        scaled = _trained(start, lambda x, step: scale(step) * (x.softmax(-1) - t), epsilon)
        return (plain, scaled) if same else _so((plain - scaled).norm() > 1e-4)

    return test


def _information(g: Generator, classes: int) -> Sides:
    """The bound on a random joint distribution of three inputs and K labels."""
    joint = distribution(g, 3 * classes).view(3, classes)
    inputs, labels = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
    information = (joint * (joint / (inputs * labels)).log()).sum()
    entropy = -(labels * labels.log()).sum()

    def bound(soft: Tensor) -> Tensor:
        return entropy + (joint * soft.log()).sum()

    classifier = torch.stack([distribution(g, classes) for _ in range(3)])
    return _both(_so(bound(classifier) <= information + 1e-12), (bound(joint / inputs), information))


# Claim -> (test, fewest classes for which it is stated).
SAMPLED: dict[str, tuple[Callable[[Generator, int], Sides], int]] = {
    "X.gradient.hardtanh": (_gradient(_huber, ELEMENTWISE["hardtanh"]), 1),
    "X.gradient.hardsigmoid": (_gradient(lambda x: _huber(x / 2) + x.sum() / 2, ELEMENTWISE["hardsigmoid"]), 1),
    "X.gradient.hardsigmoid-torch": (
        _gradient(lambda x: 1.5 * _huber(x / 3) + x.sum() / 2, lambda x: functional.hardsigmoid(x)),
        1,
    ),
    "X.gradient.sparsemax": (_gradient(lambda x: (x.dot(x) - ((x - _sparsemax(x)) ** 2).sum()) / 2, _sparsemax), 1),
    "X.convex.hard": (_monotone, 1),
    "X.lipschitz.softmax": (_lipschitz_softmax, 2),
    "X.lipschitz.softmax-reached": (_norm_of_softmax, 3),
    "X.lipschitz.sigmoid": (_lipschitz("sigmoid", 1 / 4), 1),
    "X.lipschitz.tanh": (_lipschitz("tanh", 1), 1),
    "X.lipschitz.hardtanh": (_lipschitz("hardtanh", 1), 1),
    "X.lipschitz.hardsigmoid": (_lipschitz("hardsigmoid", 1 / 4), 1),
    "X.lipschitz.hardsigmoid-torch": (_lipschitz("hardsigmoid_torch", 1 / 6), 1),
    "X.lipschitz.sparsemax": (_lipschitz_sparsemax, 2),
    "X.family.positive": (_slack_taken, 2),
    "X.elementwise-no-softmax": (_sums_vary, 1),
    "X.elementwise-no-p2": (_no_p2, 2),
    "X.relocation.ldam": (_ldam, 2),
    "X.adam.scale": (_adam(lambda step: 1000.0, 0.0, same=True), 2),
    "X.adam.mean": (_adam(lambda step: 1 / 64, 0.0, same=True), 2),
    "X.adam.epsilon": (_adam(lambda step: 2.0, 1.0, same=False), 2),
    "X.adam.last-batch": (_adam(lambda step: 1 + step % 2, 0.0, same=False), 2),
    "X.information": (_information, 1),
}
