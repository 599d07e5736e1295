"""ADMM-SoftMax (Fung and others 2019), and what it is measured by: L-BFGS, Newton-CG, plain SGD.

Multinomial logistic regression on features H (D, N), h_n its columns, targets T (K, N) one-hot, z = W h:

    f(W) = (1/N) sum_n [lse(z_n) - <t_n, z_n>] + alpha/2 |W|^2.

ADMM splits Z = W H with a scaled dual U and, per example, rho' = N rho:

    1. W: (rho H H^T + alpha I) W^T = rho H (Z + U)^T, by one eigendecomposition of H H^T for every rho;
    2. z_n: the minimum of lse(z) - <t, z> + rho'/2 |z - v|^2, v = W h_n - u_n, by Newton steps in O(K);
    3. U += Z - W H.

The z-step is an ISBE step: its gradient is y - t + rho' (z - v), and after it rho' U = T - SoftMax(Z), minus the ISBE
error. Every method counts its passes over the features: one is H from the left and from the right once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

Array = NDArray[np.float64]
STEPS, TOLERANCE = 20, 1e-10  # of Newton's method
SLOPE, HALVINGS = 1e-4, 30  # of Armijo's rule
ROUNDING = 1e-12  # by which a value may rise: near the minimum it is a difference of larger numbers
BALANCE, FACTOR = 10.0, 2.0  # residuals that differ by more than this ratio change rho by this factor


@dataclass(frozen=True)
class Problem:
    """Multinomial logistic regression with a ridge.

    Attributes:
        features: H, shape (D, N).
        labels: shape (N,), classes from 0.
        classes: K.
        alpha: the weight of the ridge, 0 or more.

    Raises:
        ValueError: the shapes do not fit, a value is not finite, a label is out of range, alpha is negative, or it is 0
            and a class has no example.
    """

    features: Array
    labels: NDArray[np.int64]
    classes: int
    alpha: float

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[1:]:
            raise ValueError(
                f"features of shape (D, N) and N labels are needed, not {self.features.shape} and {self.labels.shape}"
            )
        if not np.isfinite(self.features).all():
            raise ValueError("a feature is infinite or not a number")
        if len(self.labels) == 0 or self.labels.min() < 0 or self.labels.max() >= self.classes:
            raise ValueError(f"the labels must be classes from 0 to {self.classes - 1}, and there must be some")
        if not 0 <= self.alpha < np.inf:
            raise ValueError(f"alpha is {self.alpha:g}: it must be 0 or more")
        counts = np.bincount(self.labels, minlength=self.classes)
        if self.alpha == 0 and not counts.all():
            raise ValueError(
                f"class {int(counts.argmin())} has no example, and alpha is 0: its scores would fall for ever; leave "
                "it out, or take an alpha above 0"
            )

    @property
    def targets(self) -> Array:
        """T, one-hot, shape (K, N)."""
        return np.eye(self.classes)[:, self.labels]

    def value(self, w: Array, z: Array | None = None) -> float:
        """f(W); z = W H, where it is known."""
        z = w @ self.features if z is None else z
        fit = logsumexp(z, axis=0) - z[self.labels, np.arange(len(self.labels))]
        return float(fit.mean() + self.alpha / 2 * (w**2).sum())

    def value_and_gradient(self, w: Array) -> tuple[float, Array]:
        """f(W) and its gradient (1/N) (Y - T) H^T + alpha W: one pass."""
        z = w @ self.features
        error = softmax(z, axis=0)
        error[self.labels, np.arange(len(self.labels))] -= 1
        return self.value(w, z), error @ self.features.T / len(self.labels) + self.alpha * w

    def soft_scores(self, w: Array) -> Array:
        """Y = SoftMax(W H), shape (K, N)."""
        y: Array = softmax(w @ self.features, axis=0)
        return y

    def hessian_product(self, y: Array, direction: Array) -> Array:
        """The Hessian at weights with the soft scores Y, times a direction, shape (K, D): one pass."""
        moved = direction @ self.features
        curved = y * (moved - (y * moved).sum(0))
        return curved @ self.features.T / len(self.labels) + self.alpha * direction


@dataclass
class Path:
    """A way to the minimum.

    Attributes:
        weights: the last W.
        passes: over the features, after each step.
        values: f after each step.
        seconds: since the beginning, after each step; evaluations of f for this record alone are not counted.
    """

    weights: Array
    passes: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def until(self, value: float, of: list[float]) -> float | None:
        """The passes or the seconds after which f is at most this, for good or not; None if it never is."""
        return next((there for found, there in zip(self.values, of, strict=True) if found <= value), None)


class Gram:
    """The eigendecomposition of H H^T, made once: it serves every rho.

    Args:
        problem: the problem.

    Raises:
        ValueError: alpha is 0 and H H^T is singular: then W is not unique, and step 1 has no solution of its own.
    """

    def __init__(self, problem: Problem) -> None:
        self.values, self.vectors = np.linalg.eigh(problem.features @ problem.features.T)
        self.alpha = problem.alpha
        least = self.values[-1] * len(self.values) * np.finfo(np.float64).eps
        if problem.alpha == 0 and self.values[0] <= least:
            raise ValueError(
                "the design matrix is singular: features depend on each other, and alpha is 0, so that the weights are "
                "not unique; take an alpha above 0, or leave dependent features out"
            )

    def solve(self, rho: float, right: Array) -> Array:
        """W with (rho H H^T + alpha I) W^T = rho (right)^T, right of shape (K, D)."""
        return (right @ self.vectors) * (rho / (rho * self.values + self.alpha)) @ self.vectors.T


def z_step(start: Array, v: Array, targets: Array, rho: float) -> Array:
    """For each column the minimum of lse(z) - <t, z> + rho'/2 |z - v|^2, from a start; all of shape (K, N).

    Newton's step in O(K): the Hessian is E - y y^T with E = diag(y + rho'), and by Sherman and Morrison
    H^-1 g = E^-1 g + E^-1 y (y^T E^-1 g) / (rho' sum y_i / (y_i + rho')). Armijo's rule, example by example.

    Raises:
        ValueError: rho' is not positive: the minimum would not be unique.
    """
    if not 0 < rho < np.inf:
        raise ValueError(f"rho is {rho:g}: it must be positive, or the step has no unique minimum")
    z = start.copy()
    for _ in range(STEPS):
        y = softmax(z, axis=0)
        g = y - targets + rho * (z - v)
        moving = np.abs(g).max(0) > TOLERANCE
        if not moving.any():
            break
        e = 1 / (y + rho)
        step = e * g + e * y * ((y * e * g).sum(0) / (rho * (y * e).sum(0)))
        slope = SLOPE * (g * step).sum(0)
        size = moving.astype(np.float64)
        before = _z_value(z, v, targets, rho)
        for _ in range(HALVINGS):
            worse = _z_value(z - size * step, v, targets, rho) > before - size * slope + ROUNDING * np.maximum(
                1, np.abs(before)
            )
            if not worse.any():
                break
            size[worse] /= 2
        z = z - size * step
    return z


def _z_value(z: Array, v: Array, targets: Array, rho: float) -> Array:
    found: Array = logsumexp(z, axis=0) - (targets * z).sum(0) + rho / 2 * ((z - v) ** 2).sum(0)
    return found


def admm(problem: Problem, rho: float, iterations: int, adaptive: bool = False) -> Path:
    """ADMM from W = 0.

    Args:
        problem: the problem.
        rho: rho' = N rho, the penalty of one example.
        iterations: each is one pass.
        adaptive: whether rho is doubled or halved where the residuals |Z - W H| and rho |(Z - Z_before) H^T| differ by
            more than ten times, U being rescaled.

    Raises:
        ValueError: rho is not positive, or the design matrix is singular and alpha is 0.
    """
    if not 0 < rho < np.inf:
        raise ValueError(f"rho is {rho:g}: it must be positive")
    begun, h, n, targets = time.perf_counter(), problem.features, len(problem.labels), problem.targets
    gram = Gram(problem)
    z = u = np.zeros_like(targets)
    path, unseen = Path(np.zeros((problem.classes, len(h)))), 0.0
    for number in range(1, iterations + 1):
        path.weights = gram.solve(rho / n, (z + u) @ h.T)
        fitted, before = path.weights @ h, z
        z = z_step(z, fitted - u, targets, rho)
        u = u + z - fitted
        if adaptive:
            primal, dual = float(np.linalg.norm(z - fitted)), rho / n * float(np.linalg.norm((z - before) @ h.T))
            if max(primal, dual) > BALANCE * min(primal, dual):
                change = FACTOR if primal > dual else 1 / FACTOR
                rho, u = rho * change, u / change
        now = time.perf_counter()
        path.passes.append(number)
        path.seconds.append(now - begun - unseen)
        path.values.append(problem.value(path.weights, fitted))
        unseen += time.perf_counter() - now
    return path


def lbfgs(problem: Problem, iterations: int, tolerance: float = 0.0) -> Path:
    """L-BFGS from W = 0: each evaluation of value and gradient is one pass."""
    return _by_scipy(problem, "L-BFGS-B", {"maxiter": iterations, "ftol": 0.0, "gtol": tolerance, "maxfun": 10**6})


def newton_cg(problem: Problem, iterations: int) -> Path:
    """Newton's method with conjugate gradients from W = 0: a product with the Hessian is one pass, too."""
    return _by_scipy(problem, "Newton-CG", {"maxiter": iterations, "xtol": 1e-12})


def _by_scipy(problem: Problem, method: str, options: dict[str, float]) -> Path:
    from scipy.optimize import minimize

    shape = (problem.classes, len(problem.features))
    path, passes, begun = Path(np.zeros(shape)), [0.0], time.perf_counter()

    def value(flat: Array) -> tuple[float, Array]:
        passes[0] += 1
        found, gradient = problem.value_and_gradient(flat.reshape(shape))
        # The best so far: what a line search tries and leaves is no step of the method.
        path.passes.append(passes[0])
        path.values.append(min([found, *path.values[-1:]]))
        path.seconds.append(time.perf_counter() - begun)
        return found, gradient.ravel()

    last: list[tuple[Array, Array]] = []  # the weights of the last product, and their soft scores

    def product(flat: Array, direction: Array) -> Array:
        passes[0] += 1
        if not last or not np.array_equal(last[0][0], flat):
            last[:] = [(flat.copy(), problem.soft_scores(flat.reshape(shape)))]
        return problem.hessian_product(last[0][1], direction.reshape(shape)).ravel()

    second: dict[str, Callable[..., Array]] = {"hessp": product} if method == "Newton-CG" else {}
    found = minimize(value, np.zeros(shape).ravel(), jac=True, method=method, options=options, **second)
    path.weights = found.x.reshape(shape)
    return path


def sgd(problem: Problem, rate: float, batch_size: int, epochs: int, seed: int) -> Path:
    """Plain SGD from W = 0, the rate falling as 1 / sqrt(epoch): an epoch is one pass.

    Raises:
        ValueError: the rate or the batch size is not positive.
    """
    if not 0 < rate < np.inf or batch_size < 1:
        raise ValueError(f"the rate is {rate:g}, the batch size {batch_size}: both must be positive")
    random, (d, n) = np.random.RandomState(seed), problem.features.shape
    examples = np.ascontiguousarray(problem.features.T)
    path, begun, unseen = Path(np.zeros((problem.classes, d))), time.perf_counter(), 0.0
    w = path.weights
    for epoch in range(1, epochs + 1):
        for batch in np.array_split(random.permutation(n), -(-n // batch_size)):
            error = softmax(examples[batch] @ w.T, axis=1)
            error[np.arange(len(batch)), problem.labels[batch]] -= 1
            w = w - rate / np.sqrt(epoch) * (error.T @ examples[batch] / len(batch) + problem.alpha * w)
        now = time.perf_counter()
        path.passes.append(epoch)
        path.seconds.append(now - begun - unseen)
        path.values.append(problem.value(w))
        unseen += time.perf_counter() - now
    path.weights = w
    return path
