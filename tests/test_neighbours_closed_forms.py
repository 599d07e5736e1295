"""What the ledgers of neighbouring works say in closed form, against numbers: autograd, finite differences, sampling.

Each test holds a closed form and a slip of it against the same numbers: the slip is noticed.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

K, D, N = 4, 5, 24


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def normal(g: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=g, dtype=torch.float64)


def labels(g: torch.Generator, number: int = N, classes: int = K) -> Tensor:
    return torch.cat([torch.arange(classes), torch.randint(classes, (number - classes,), generator=g)])


def one_hot(c: Tensor, classes: int = K) -> Tensor:
    return functional.one_hot(c, classes).double()


def same(left: Tensor, right: Tensor, tolerance: float = 1e-9) -> bool:
    return bool((left - right).abs().max() <= tolerance * max(1.0, float(right.abs().max())))


# --- gradients from labels only ---------------------------------------------------------------------------------------


def trained_on_labels(weights: Tensor, u: Tensor, errors: Tensor, rate: float, epochs: int, batch: int) -> Tensor:
    """The weights of a linear layer after epochs of plain gradient descent, by autograd, in batches."""
    weights = weights.clone().requires_grad_()
    for _ in range(epochs):
        for at in range(0, len(u), batch):
            (u[at : at + batch] @ weights.T).backward(errors[at : at + batch])
            with torch.no_grad():
                weights -= rate * (weights.grad if weights.grad is not None else 0)
            weights.grad = None
    return weights.detach()


@pytest.mark.parametrize("batch", [1, 7, N])
def test_weights_after_n_epochs_of_the_label_only_rule(g, batch):
    u, c, start = normal(g, N, D) + 1, labels(g), normal(g, K, D)
    a, b, rate, epochs = 0.3, 1.1, 0.05, 4
    trained = trained_on_labels(start, u, a - b * one_hot(c), rate, epochs, batch)
    sums = one_hot(c).T @ u
    closed = a * u.sum(0) - b * sums
    assert same(trained, start - epochs * rate * closed)
    assert not same(trained, start - epochs * rate * (a * u.mean(0) - b * sums))  # the mean for the sum
    assert not same(trained, start - epochs * rate * closed / N)


def test_its_predictions_are_those_of_the_template(g):
    u, c, start = normal(g, N, D), labels(g), normal(g, K, D)
    trained = trained_on_labels(start, u, 1 / K - one_hot(c), 0.1, 3000, N)
    template = one_hot(c).T @ u
    assert ((u @ trained.T).argmax(1) == (u @ template.T).argmax(1)).all()
    means = template / one_hot(c).sum(0)[:, None]
    assert not ((u @ trained.T).argmax(1) == (u @ means.T).argmax(1)).all()  # the counts N_k forgotten


def test_the_weights_rest_where_the_sum_of_the_errors_is_zero(g):
    u, c, start = normal(g, 1, D).expand(K, D), torch.arange(K), normal(g, K, D)
    assert same(trained_on_labels(start, u, 1 - K * one_hot(c), 0.1, 50, K), start)
    assert not same(trained_on_labels(start, u, 1.1 - K * one_hot(c), 0.1, 50, K), start)


def test_normalised_scores_are_correlated_with_the_label(g):
    s, t = normal(g, N), one_hot(labels(g))[:, 0]
    a, b = 0.3, 1.1
    z = functional.batch_norm(s[:, None], None, None, training=True, eps=1e-14)[:, 0]
    covariance = ((t - t.mean()) * (s - s.mean())).mean()
    assert same(((a - b * t) * z).sum(), -b * N * covariance / s.std(correction=0))
    assert not same(((a - b * t) * z).sum(), -b * N * covariance / s.std())  # the other deviation


# --- log SoftMax as information, infoCAM ------------------------------------------------------------------------------


def law(g: torch.Generator, inputs: int, classes: int) -> Tensor:
    """A joint law of inputs (rows) and labels, far from balanced."""
    joint = (1.5 * normal(g, inputs, classes) + torch.arange(classes)).exp()
    return joint / joint.sum()


def log_corrected(scores: Tensor, priors: Tensor) -> Tensor:
    """log PC_c = x_c - log sum_k pi_k e^x_k."""
    return scores - (scores + priors.log()).logsumexp(1, keepdim=True)


def test_the_estimate_of_a_known_information(g):
    """20,000 draws from a law: the mean of log PC is I within four standard errors, that of log SoftMax + log K not."""
    joint = law(g, 12, K)
    inputs, priors = joint.sum(1, keepdim=True), joint.sum(0)
    information = float((joint * (joint / (inputs * priors)).log()).sum())
    posterior = joint / inputs
    drawn = torch.multinomial(joint.flatten(), 20_000, replacement=True, generator=g)
    x, y = drawn // K, drawn % K

    def off(estimates: Tensor) -> float:
        values = estimates[x, y]
        return float((values.mean() - information).abs() / (values.std() / len(values) ** 0.5))

    assert off(log_corrected((posterior / priors).log(), priors)) < 4
    assert off(posterior.log() + np.log(K)) > 20


def test_the_gap_of_the_bound_is_a_mean_divergence(g):
    joint = law(g, 12, K)
    inputs, priors = joint.sum(1, keepdim=True), joint.sum(0)
    posterior, soft = joint / inputs, normal(g, 12, K).softmax(1)
    information = (joint * (joint / (inputs * priors)).log()).sum()
    bound = -(priors * priors.log()).sum() + (joint * soft.log()).sum()
    gap = (inputs * posterior * (posterior / soft).log()).sum()
    assert same(information - bound, gap)
    assert not same(information - bound, (inputs * soft * (soft / posterior).log()).sum())  # the other way round


def test_infocam_maps_sum_to_the_difference_of_informations_but_for_the_biases(g):
    activations, weights, bias, priors = normal(g, 6, 5, 5), normal(g, K, 6), normal(g, K), normal(g, K).softmax(0)
    scores = functional.adaptive_avg_pool2d(activations[None], 1).flatten(1) @ weights.T + bias
    maps = torch.einsum("kc,chw->khw", weights, activations) / 25
    informations = log_corrected(scores, priors)[0]
    for c, m in ((0, 1), (2, 3)):
        summed = (maps[c] - maps[m]).sum()
        assert same(summed, informations[c] - informations[m] - (bias[c] - bias[m]))
        assert not same(summed, informations[c] - informations[m])


# --- Balanced (Meta-)SoftMax ------------------------------------------------------------------------------------------


def test_the_bounds_of_three_shifts():
    """Ten classes, imbalance 100, margins of mean 1: least for a quarter of log n, greatest for all of it."""
    n = 100 ** (-np.arange(10) / 9)

    def bound(power: float) -> float:
        margins = n**-power / (n**-power).mean()
        return float((n**-0.5 / margins).mean())

    assert [round(bound(power), 2) for power in (0.25, 1.0, 0.0)] == [3.61, 10.14, 4.09]
    assert all(bound(0.25) < bound(power) for power in (0.2, 0.3, 0.5))


class MetaStep:
    """The loss of a meta batch after one step of a linear classifier, whose examples have the weights r_c / sum r_c."""

    def __init__(self, g: torch.Generator) -> None:
        self.h, self.c, self.n = normal(g, N, D), labels(g), normal(g, K).exp()
        self.weights, self.rate = normal(g, K, D), 0.7
        self.meta_h, self.meta_c = normal(g, 9, D), labels(g, 9)
        self.errors = (self.h @ self.weights.T + self.n.log()).softmax(1) - one_hot(self.c)

    def stepped(self, omega: Tensor) -> Tensor:
        r = omega.sigmoid()[self.c]
        return self.weights - self.rate * ((r / r.sum())[:, None] * self.errors).T @ self.h

    def loss(self, omega: Tensor) -> Tensor:
        return functional.cross_entropy(self.meta_h @ self.stepped(omega).T, self.meta_c)

    def hypergradient(self, omega: Tensor, normalised: bool = True) -> Tensor:
        """In closed form; without the normalisation of the weights, a slip."""
        r = omega.sigmoid()
        total = r[self.c].sum()
        meta = (self.meta_h @ self.stepped(omega).T).softmax(1) - one_hot(self.meta_c)
        gradient = meta.T @ self.meta_h / len(self.meta_h)
        a = -self.rate * ((self.h @ gradient.T) * self.errors).sum(1)
        w = r[self.c] / total
        by_class = one_hot(self.c).T @ a - normalised * one_hot(self.c).sum(0) * (a @ w)
        return r * (1 - r) / total * by_class


def test_the_hypergradient_of_the_meta_sampler(g):
    step, omega = MetaStep(g), normal(g, K)
    closed = step.hypergradient(omega)
    by_autograd = torch.func.grad(step.loss)(omega)
    ends = [(step.loss(omega + 1e-5 * e), step.loss(omega - 1e-5 * e)) for e in torch.eye(K, dtype=torch.float64)]
    by_differences = torch.stack([(up - down) / 2e-5 for up, down in ends])
    assert same(closed, by_autograd)
    assert same(closed, by_differences, 1e-8)
    assert not same(step.hypergradient(omega, normalised=False), by_differences, 1e-8)


def test_class_balanced_sampling_over_balances():
    """Gradient descent on the expected balanced loss of one input, drawn at rates r = 1/n."""
    u, n = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), torch.tensor([100.0, 10.0, 1.0], dtype=torch.float64)

    def end(shift: Tensor, rates: Tensor) -> Tensor:
        x, drawn = torch.zeros(3, dtype=torch.float64), rates * n * u / (rates * n * u).sum()
        for _ in range(4000):
            x = x - ((x + shift).softmax(0) - drawn)
        return x.softmax(0)

    over = end(n.log(), 1 / n)
    assert same(over, (u / n) / (u / n).sum(), 1e-6)
    assert not same(over, u, 1e-6)
    assert same(end((n / n).log(), 1 / n), u, 1e-6)


# --- ADMM-SoftMax -----------------------------------------------------------------------------------------------------


def z_step(z: Tensor, v: Tensor, t: Tensor, rho: float, slip: bool = False) -> Tensor:
    """Newton's method with the O(K) solution of each step, example by example at once."""
    for _ in range(30):
        y = z.softmax(1)
        gradient, e = y - t + rho * (z - v), y + rho
        share = (y * gradient / e).sum(1, keepdim=True) / (rho * (y / e).sum(1, keepdim=True))
        z = z - gradient / e - (0 if slip else 1) * y / e * share
    return z


def test_the_z_step_solves_its_problem_and_leaves_the_sum(g):
    v, t, rho = normal(g, N, K), one_hot(labels(g)), 0.5
    z = z_step(v, v, t, rho)
    assert same(z.softmax(1) - t + rho * (z - v), torch.zeros(N, K))
    assert same(z.sum(1), v.sum(1))
    y, direction = z[0].softmax(0), normal(g, K)
    hessian = y.diag() - y.outer(y) + rho * torch.eye(K)
    e = y + rho
    fast = direction / e + y / e * (y @ (direction / e)) / (rho * (y / e).sum())
    assert same(fast, torch.linalg.solve(hessian, direction))
    assert not same(direction / e, torch.linalg.solve(hessian, direction))  # the rank-one term forgotten


def test_what_admm_leaves_as_it_is_is_the_optimum(g):
    h, t, rho, alpha = normal(g, N, D), one_hot(labels(g)), 0.05, 0.1
    weights, z, u = torch.zeros(K, D, dtype=torch.float64), torch.zeros(N, K, dtype=torch.float64), torch.zeros(N, K)
    matrix = rho * h.T @ h + alpha * torch.eye(D)
    for _ in range(400):
        weights = torch.linalg.solve(matrix, rho * h.T @ (z + u)).T
        v = h @ weights.T - u
        z = z_step(v, v, t, N * rho)
        u = u + z - h @ weights.T
        assert same(N * rho * u, t - z.softmax(1))  # the dual, after every step
    gradient = ((h @ weights.T).softmax(1) - t).T @ h / N + alpha * weights
    assert same(gradient, torch.zeros(K, D), 1e-8)
    assert not same(gradient + alpha * weights, torch.zeros(K, D), 1e-8)


# --- incremental learning ---------------------------------------------------------------------------------------------


def test_the_error_of_a_class_with_few_examples_is_linear_in_its_count(g):
    x = normal(g, K)

    def soft_score(count: float) -> float:
        n = torch.tensor([count, 40.0, 40.0, 400.0])
        return float((n * x.exp() / (n * x.exp()).sum())[0])

    assert soft_score(0) == 0
    slope = float(x[0].exp() / (torch.tensor([40.0, 40.0, 400.0]) * x[1:].exp()).sum())
    assert soft_score(1e-4) == pytest.approx(1e-4 * slope, rel=1e-4)
    assert soft_score(1) != pytest.approx(slope, rel=1e-4, abs=0)  # not for larger counts
    seen = torch.tensor([False, True, True, True])
    masked = x.masked_fill(~seen, -torch.inf).softmax(0)
    equal = torch.tensor([0.0, 40.0, 40.0, 40.0]) * x.exp()
    assert same(equal / equal.sum(), masked)


# --- universal features -----------------------------------------------------------------------------------------------


def local_law(g: torch.Generator, size: float) -> tuple[Tensor, Tensor, Tensor]:
    """P = p q (1 + size M) with M doubly centred, of 6 labels and 12 inputs; p and q."""
    p, q = normal(g, 6).softmax(0), normal(g, 12).softmax(0)
    m = normal(g, 6, 12)
    m = m - p @ m
    m = m - (m @ q)[:, None]
    return torch.outer(p, q) * (1 + size * m / m.abs().max()), p, q


@pytest.mark.parametrize(("size", "within"), [(0.05, 0.02), (0.4, 0.2)])
def test_the_excess_of_the_best_two_features_is_half_the_tail(g, size, within):
    joint, p, q = local_law(g, size)
    b = (joint - torch.outer(p, q)) / torch.outer(p, q).sqrt()
    assert same(b @ q.sqrt(), torch.zeros(6))
    u, s, v = torch.linalg.svd(b, full_matrices=False)
    assert s.max() < 1

    def excess(features: Tensor) -> float:
        """The mean divergence of the posterior from the model with these features: rank two, B in its place."""
        scores = p.log()[:, None] + features / torch.outer(p, q).sqrt()
        return float((joint * ((joint / q).log() - scores.log_softmax(0))).sum())

    tail = float(s[2:].square().sum()) / 2
    best = excess(u[:, :2] * s[:2] @ v[:2])
    assert best == pytest.approx(tail, rel=within)
    assert excess(u[:, 1:3] * s[1:3] @ v[1:3]) != pytest.approx(tail, rel=within)  # other features


# --- theorems ---------------------------------------------------------------------------------------------------------


def errors_on_a_line(c: int) -> np.ndarray:
    """y - e_c where the other two classes share 1/2: by scaling, the signs everywhere in the simplex are those here."""
    first = np.linspace(0.0005, 0.9995, 2000) / 2
    y = np.zeros((2000, 3))
    one, two = (k for k in range(3) if k != c)
    y[:, one], y[:, two], y[:, c] = first, 1 / 2 - first, 1 / 2
    return y - np.eye(3)[c]


def test_cross_entropy_can_rise_exactly_where_the_matrix_is_not_copositive():
    """150 random W and d for three classes: a symmetric 2 x 2 matrix is copositive iff a, d >= 0, b >= -sqrt(a d)."""
    random, wrong = np.random.default_rng(1), 0
    risen = 0
    for _ in range(150):
        w, d, c = random.normal(size=(3, 2)), np.exp(1.5 * random.normal(size=3)), int(random.integers(3))
        e = errors_on_a_line(c)
        rises = bool((-((e * d) @ w * (e @ w)).sum(1)).max() > 0)
        others = [k for k in range(3) if k != c]
        s = np.array([[(d[k] * w[k] - d[c] * w[c]) @ (w[m] - w[c]) for m in others] for k in others])
        s = (s + s.T) / 2
        diagonal = bool(s[0, 0] >= 0 and s[1, 1] >= 0)
        least = s[0, 1] + np.sqrt(max(s[0, 0], 0) * max(s[1, 1], 0))
        if min(abs(s[0, 0]), abs(s[1, 1]), abs(least)) < 0.02:  # too near
            continue
        assert rises == (not (diagonal and least >= 0))
        risen += rises
        wrong += rises != (not diagonal)
    assert risen > 10
    assert wrong > 0  # the pairs of classes alone do not tell


def test_the_smallest_example_grows_without_bound():
    w, d = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 1.0])
    for label in (0, 1):
        h, first = torch.tensor(0.0), np.log(2)
        for _ in range(200):
            error = (d * w * h).softmax(0) - one_hot(torch.tensor(label), 2).float()
            h = h - 0.5 * (w @ error)
        assert functional.cross_entropy(d * w * h, torch.tensor(label)) > 20 * first
        h = torch.tensor(0.0)
        for _ in range(200):  # the true gradient
            error = (d * w * h).softmax(0) - one_hot(torch.tensor(label), 2).float()
            h = h - 0.5 * (w @ (d * error))
        assert functional.cross_entropy(d * w * h, torch.tensor(label)) < 0.1


def entmax(x: np.ndarray, alpha: float) -> np.ndarray:
    """alpha-entmax for alpha > 1, by bisection for tau."""
    z = (alpha - 1) * x
    low, high = z.max() - 1, z.max()
    for _ in range(80):
        tau = (low + high) / 2
        if (np.maximum(z - tau, 0) ** (1 / (alpha - 1))).sum() > 1:
            low = tau
        else:
            high = tau
    return np.maximum(z - low, 0) ** (1 / (alpha - 1))


def test_the_jacobian_of_entmax_by_differences():
    x, alpha = np.array([0.2, 0.5, 0.1]), 1.5
    y = entmax(x, alpha)
    assert (y > 0).all()
    s = y ** (2 - alpha)
    jacobian = np.diag(s) - np.outer(s, s) / s.sum()
    step = 1e-6 * np.eye(3)
    by_differences = np.array([(entmax(x + e, alpha) - entmax(x - e, alpha)) / 2e-6 for e in step]).T
    assert np.allclose(jacobian, by_differences, atol=1e-7)
    assert not np.allclose(np.diag(y) - np.outer(y, y), by_differences, atol=1e-7)
    for j in range(3):
        closed = s[j] / y[j] * (s / s.sum() - np.eye(3)[j])
        assert np.allclose(by_differences.T @ (-np.eye(3)[j] / y), closed, atol=1e-6)


def test_boehnings_bound_and_its_step(g):
    for _ in range(50):
        y = (3 * normal(g, K)).softmax(0)
        bound = (torch.eye(K) - 1 / K) / 2
        assert torch.linalg.eigvalsh(bound - (y.diag() - y.outer(y))).min() > -1e-12
    half = torch.tensor([0.5, 0.5])
    assert same((torch.eye(2) - 1 / 2) / 2, half.diag() - half.outer(half))
    h, t, weights = normal(g, N, D), one_hot(labels(g)), normal(g, K, D)
    largest = float(torch.linalg.eigvalsh(h.T @ h).max())

    def loss(at: Tensor) -> float:
        return float(functional.cross_entropy(h @ at.T, t, reduction="sum"))

    gradient = ((h @ weights.T).softmax(1) - t).T @ h
    for share in (0.1, 1.0, 2.0, 3.9):
        rate = share / largest
        allowed = loss(weights) - rate * (1 - rate * largest / 4) * float(gradient.square().sum())
        assert loss(weights - rate * gradient) <= allowed + 1e-9
    rate = 0.01 / largest  # a bound that forgot the second term is too good to be true
    assert loss(weights - rate * gradient) > loss(weights) - rate * float(gradient.square().sum())
