"""The methods of the neighbouring works, each against its closed form, a rival, or finite differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from softmax_trick.isbe import isbe_error
from softmax_trick.neighbours import (
    admm,
    features,
    fitting,
    incremental,
    information,
    label_only,
    localisation,
    long_tail,
    normalizers,
)
from softmax_trick.training.losses import LOSSES, balanced_softmax, relocated
from softmax_trick.training.split import Split

pytestmark = pytest.mark.usefixtures("one_thread")
RANDOM = np.random.RandomState(7)


def blobs(n: int, d: int = 6, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(3)
    labels = np.arange(n) % classes
    return random.standard_normal((n, d)) + 0.7 * random.standard_normal((classes, d))[labels], labels


# --- normalizers ------------------------------------------------------------------------------------------------------


def test_sparsemax_is_the_projection_onto_the_simplex():
    """<x - y, v - y> <= 0 for every vertex v. Planted: a tau of one entry too many."""
    x = 3 * torch.from_numpy(RANDOM.standard_normal((200, 5)))
    y = normalizers.sparsemax(x)
    assert torch.allclose(y.sum(-1), torch.ones(200).double())
    assert (y >= 0).all()
    to_vertices = (x - y) - ((x - y) * y).sum(-1, keepdim=True)
    assert (to_vertices <= 1e-12).all()
    assert ((y == 0).any(-1) & (y > 0).any(-1)).sum() > 100


@pytest.mark.parametrize("slack", [0.0, 0.5, 3.0])
def test_softmax_with_slack_is_the_gradient_of_its_potential(slack):
    x = torch.from_numpy(RANDOM.standard_normal((20, 5))).requires_grad_()
    (slack + x.exp().sum(-1)).log().sum().backward()
    assert x.grad is not None
    assert torch.allclose(normalizers.softmax_with_slack(x.detach(), slack), x.grad)
    assert torch.isfinite(normalizers.softmax_with_slack(torch.tensor([[1e4, 0.0]]))).all()


def test_a_negative_slack_is_named():
    with pytest.raises(ValueError, match="the slack is -1: it must be 0 or more"):
        normalizers.softmax_with_slack(torch.zeros(1, 2), -1)


# --- errors from labels alone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [5, 24])
def test_the_weights_of_a_linear_layer_are_known_whatever_the_batches(batch_size):
    """Planted: the template of one-hot targets without their mean, which another sum of errors has."""
    u, t = blobs(24)
    net = nn.Linear(6, 4, bias=False).double()
    start = net.weight.detach().numpy().copy()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    fitting.fit(net, optimizer, LOSSES["label-only"], torch.from_numpy(u), torch.from_numpy(t), 3, batch_size, seed=0)
    assert np.allclose(net.weight.detach().numpy(), label_only.weights_after(start, u, t, 0.01, 3))
    planted = start + 0.03 * np.eye(4)[t].T @ u
    assert not np.allclose(net.weight.detach().numpy(), planted)


def test_the_limit_has_the_templates_accuracy():
    u, t = blobs(400)
    far = label_only.weights_after(RANDOM.standard_normal((4, 6)), u, t, 1.0, 10**6)
    expected = label_only.accuracy_of(label_only.template(u, t, 4), u, t)
    assert label_only.accuracy_of(far, u, t) == expected
    assert expected > 60


def test_standardised_scores_tend_to_least_squares():
    u, t = blobs(400)
    net = nn.Sequential(nn.Linear(6, 4, bias=False), nn.BatchNorm1d(4, affine=False)).double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.004)
    fitting.fit(net, optimizer, LOSSES["label-only"], torch.from_numpy(u), torch.from_numpy(t), 150, 400, seed=0)
    net.train()  # the batch is everything
    with torch.no_grad():
        scores = net(torch.from_numpy(u)).numpy()
    weights, biases = label_only.least_squares(u, t, 4)
    assert np.allclose(scores, u @ weights.T + biases, atol=0.02)


def test_least_squares_of_features_that_depend_on_each_other_and_of_an_empty_class():
    u, t = blobs(100)
    doubled = np.hstack([u, u[:, :1]])
    one, other = label_only.least_squares(u, t, 4), label_only.least_squares(doubled, t, 4)
    assert np.allclose(u @ one[0].T + one[1], doubled @ other[0].T + other[1])
    with pytest.raises(ValueError, match="class 4 has no example"):
        label_only.least_squares(u, t, 5)
    with pytest.raises(ValueError, match="no feature varies"):
        label_only.least_squares(np.ones_like(u), t, 4)


# --- information ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("imbalance", [1.0, 100.0])
def test_the_bound_and_its_gap(imbalance):
    """I - (H(Y) - CE) = E KL for any scores. Planted: log K in place of H(Y), which is right for balanced classes."""
    law = information.gaussian_law(5, imbalance)
    scores = RANDOM.standard_normal((len(law.points), 5))
    bound = law.label_entropy - law.cross_entropy(scores)
    assert law.information - bound == pytest.approx(law.gap(scores), abs=1e-12)
    assert bound < law.information
    planted = math.log(5) - law.cross_entropy(scores)
    assert (planted == pytest.approx(bound)) == (imbalance == 1)


def test_at_the_posterior_both_estimates_are_the_information():
    law = information.gaussian_law(4, 10.0)
    posterior = np.log(law.table / law.table.sum(1, keepdims=True))
    assert law.label_entropy - law.cross_entropy(posterior) == pytest.approx(law.information, abs=1e-12)
    # SoftMax(x + log pi) is the posterior where PC-SoftMax has its optimum.
    assert law.pointwise_estimate(posterior - np.log(law.priors)) == pytest.approx(law.information, abs=1e-12)


def test_examples_are_drawn_by_the_law():
    law = information.gaussian_law(3, 4.0)
    _, labels = law.draw(20_000, seed=1)
    assert np.allclose(np.bincount(labels) / 20_000, law.priors, atol=0.012)


def test_what_is_no_law_is_named():
    points = np.zeros((2, 2))
    with pytest.raises(ValueError, match="class 1 has probability 0: leave it out"):
        information.JointLaw(points, np.array([[0.5, 0], [0.5, 0]]))
    with pytest.raises(ValueError, match="is no law"):
        information.JointLaw(points, np.array([[0.5, 0.1], [0.5, 0.1]]))


# --- localisation -----------------------------------------------------------------------------------------------------


def test_a_map_sums_to_its_score_and_a_difference_to_the_difference_of_informations():
    torch.manual_seed(0)
    net = localisation.Pooled(10)
    images = torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        scores, maps = net(images), net.maps(images)
    assert torch.allclose(maps.sum((-2, -1)), scores - net.last.bias, atol=1e-5)
    order = scores.argsort(-1, descending=True)
    biases = net.last.bias[order[:, 0]] - net.last.bias[order[:, -1]]
    difference = scores.gather(1, order[:, :1]) - scores.gather(1, order[:, -1:])
    shown = localisation.shown(maps, scores, localisation.LEAST_LIKELY)
    assert torch.allclose(shown.sum((-2, -1)), difference[:, 0] - biases, atol=1e-5)


def test_differences_do_not_change_with_a_vector_added_to_all_rows_and_cam_does():
    torch.manual_seed(0)
    net, images = localisation.Pooled(10), torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        scores = net(images)
        before = net.maps(images)
        net.last.weight += torch.rand(64)
        after = net.maps(images)
    for kind in localisation.MAPS:
        one, other = (localisation.shown(maps, scores, kind) for maps in (before, after))
        assert torch.allclose(one, other, atol=1e-5) == (kind != localisation.CAM)


def test_boxes():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 5:10, 7:20] = 200
    canvas = localisation.on_canvases(Split(image, np.array([3], np.uint8)), seed=4)
    [box] = canvas.boxes
    assert (box[2] - box[0], box[3] - box[1]) == (5, 13)
    assert canvas.images[0, 0, box[0] : box[2], box[1] : box[3]].min() > 0.7
    assert float(canvas.images.sum()) == pytest.approx(5 * 13 * 200 / 255, rel=1e-5)
    large = canvas.images[0, 0].numpy().copy()
    large[0, 0] = 1.0  # a part that is smaller does not count
    found = localisation.box_of(large, 0.5)
    assert found == box
    assert localisation.overlap(box, box) == 1
    assert localisation.overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert localisation.overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def test_images_without_ink_and_thresholds_out_of_range_are_named():
    with pytest.raises(ValueError, match="image 0 has no ink"):
        localisation.on_canvases(Split(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)), seed=0)
    with pytest.raises(ValueError, match="theta is 1: it must be at least 0 and less than 1"):
        localisation.box_of(np.ones((64, 64), np.float32), 1.0)


# --- long tails -------------------------------------------------------------------------------------------------------


def meta_loss(omega, weights, batch, meta, rate):
    h, t, errors = batch
    moved = long_tail.stepped(weights, h, errors, long_tail.class_weights(omega, t), rate)
    return cross_entropy(meta[0] @ moved.T, meta[1])


def test_the_hypergradient_is_that_of_autograd_and_of_finite_differences():
    """Planted: without the derivative of the sum of the rates, by which they are divided."""
    torch.manual_seed(2)
    k, d = 4, 5
    counts = torch.tensor([20.0, 8, 3, 1]).double()
    h, t = torch.randn(30, d).double(), torch.randint(k, (30,))
    weights = torch.randn(k, d).double()
    errors = isbe_error(h @ weights.T, t, "softmax", relocation=-counts.log())
    meta = torch.randn(12, d).double(), torch.arange(12) % k
    omega = torch.randn(k).double().requires_grad_()
    found = long_tail.hypergradient(omega.detach(), weights, (h, t, errors), meta, 0.7)
    [by_autograd] = torch.autograd.grad(meta_loss(omega, weights, (h, t, errors), meta, 0.7), omega)
    assert torch.allclose(found, by_autograd, atol=1e-13)
    for place in range(k):
        moved = [omega.detach().clone() for _ in range(2)]
        moved[0][place] += 1e-5
        moved[1][place] -= 1e-5
        up, down = (float(meta_loss(one, weights, (h, t, errors), meta, 0.7)) for one in moved)
        assert (up - down) / 2e-5 == pytest.approx(float(found[place]), rel=1e-6, abs=1e-9)
    rates = omega.detach().sigmoid()
    g = long_tail.meta_gradient(
        long_tail.stepped(weights, h, errors, long_tail.class_weights(omega.detach(), t), 0.7), *meta
    )
    planted = torch.zeros(k).double().index_add(0, t, -0.7 * ((errors @ g) * h).sum(-1))
    assert not torch.allclose(rates * (1 - rates) / rates[t].sum() * planted, by_autograd, atol=1e-6)


def test_relocated_isbe_sends_the_gradient_of_balanced_softmax():
    counts = torch.tensor([50.0, 10, 1])
    x = torch.randn(8, 3, requires_grad=True)
    t = torch.arange(8) % 3
    cross_entropy(x + counts.log(), t, reduction="sum").backward()
    assert x.grad is not None
    assert torch.allclose(error_of(balanced_softmax(counts), x, t), x.grad, atol=1e-6)
    assert torch.allclose(isbe_error(x, t, "softmax", relocation=-counts.log()), x.grad, atol=1e-6)


def test_the_sampler_draws_by_its_rates():
    torch.manual_seed(0)
    labels = torch.tensor([0] * 90 + [1] * 10)
    omega = torch.tensor([-2.0, 2.0])
    drawn = torch.cat(list(long_tail.drawn_by(omega, labels, 2_000))[:1])
    r = omega.sigmoid()
    expected = float(10 * r[1] / (90 * r[0] + 10 * r[1]))
    assert float((labels[drawn] == 1).double().mean()) == pytest.approx(expected, abs=0.04)
    balanced = labels[long_tail.class_balanced(labels, 2, 1_000)]
    assert float((balanced == 1).double().mean()) == pytest.approx(0.5, abs=0.05)


def test_a_class_without_examples_and_an_inner_rate_of_0_are_named():
    with pytest.raises(ValueError, match="class 1 has no example: none can be drawn of it"):
        long_tail.class_balanced(torch.tensor([0, 2]), 3, 1)
    with pytest.raises(ValueError, match="class 1 has no example: its share of them is not defined"):
        fitting.balanced_accuracy(torch.zeros(2, 3), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="the inner rate is 0: it must be positive"):
        long_tail.hypergradient(
            torch.zeros(2), torch.zeros(2, 2), (torch.zeros(1, 2),) * 3, (torch.zeros(1, 2),) * 2, 0
        )


def test_balanced_accuracy_is_the_mean_of_the_classes_shares():
    scores = torch.eye(2)[torch.tensor([0, 0, 0, 0])]
    assert fitting.balanced_accuracy(scores, torch.tensor([0, 0, 0, 1])) == 50
    assert fitting.accuracy(scores, torch.tensor([0, 0, 0, 1])) == 75


# --- ADMM-SoftMax -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def problem():
    u, t = blobs(80)
    return admm.Problem(np.vstack([u.T, np.ones(80)]), t, 4, alpha=0.03)


def test_all_ways_end_at_one_minimum_that_of_scikit_learn(problem):
    linear_model = pytest.importorskip("sklearn.linear_model")
    n = len(problem.labels)
    theirs = linear_model.LogisticRegression(C=1 / (problem.alpha * n), fit_intercept=False, tol=1e-12, max_iter=10_000)
    theirs.fit(problem.features.T, problem.labels)
    paths = [
        admm.admm(problem, 0.1, 100),
        admm.admm(problem, 0.3, 300, adaptive=True),
        admm.lbfgs(problem, 1_000, 1e-10),
        admm.newton_cg(problem, 50),
    ]
    for path in paths:
        assert np.allclose(path.weights, theirs.coef_, atol=2e-5)
    slow = admm.sgd(problem, 0.5, 16, 60, seed=0)
    assert 0 <= problem.value(slow.weights) - problem.value(theirs.coef_) < 1e-3


def test_the_gradient_and_the_hessian_of_the_objective(problem):
    w, v = RANDOM.standard_normal((2, 4, 7))
    value, gradient = problem.value_and_gradient(w)
    step = 1e-5
    assert value == pytest.approx(problem.value(w))
    difference = (problem.value(w + step * v) - problem.value(w - step * v)) / (2 * step)
    assert difference == pytest.approx((gradient * v).sum(), rel=1e-6)
    up, down = (problem.value_and_gradient(w + sign * step * v)[1] for sign in (1, -1))
    assert np.allclose((up - down) / (2 * step), problem.hessian_product(problem.soft_scores(w), v), atol=1e-7)


def test_the_z_step_has_its_optimum_and_the_dual_is_minus_the_isbe_error(problem):
    """rho' (v - z) = y - t, the columns of z sum to those of v. Planted: a rho' that is another."""
    rho, targets = 0.02, problem.targets
    v = 5 * RANDOM.standard_normal(targets.shape)
    z = admm.z_step(np.zeros_like(v), v, targets, rho)
    error = isbe_error(torch.from_numpy(z.T), torch.from_numpy(problem.labels), "softmax").numpy().T
    assert np.allclose(rho * (v - z), error, atol=1e-9)
    assert np.allclose(z.sum(0), v.sum(0))
    assert not np.allclose(2 * rho * (v - z), error, atol=1e-3)


def test_the_kkt_conditions_at_the_end(problem):
    """alpha W = (1/N) (T - Y) H^T."""
    w = admm.admm(problem, 0.1, 100).weights
    _, gradient = problem.value_and_gradient(w)
    assert np.abs(gradient).max() < 1e-7


def test_passes_and_values_are_of_one_length_and_passes_grow(problem):
    for path in (admm.admm(problem, 0.05, 5), admm.lbfgs(problem, 5), admm.newton_cg(problem, 3)):
        assert len(path.passes) == len(path.values) == len(path.seconds)
        assert path.passes == sorted(set(path.passes))
        reached = path.until(path.values[-1], path.passes)
        assert reached is not None
        assert reached <= path.passes[-1]
        assert path.until(-1.0, path.passes) is None


@pytest.mark.parametrize("rho", [0.0, -1.0, math.nan, math.inf])
def test_a_rho_that_is_not_positive_is_named(problem, rho):
    with pytest.raises(ValueError, match=r"rho is .*: it must be positive"):
        admm.admm(problem, rho, 3)
    with pytest.raises(ValueError, match=r"rho is .*: it must be positive"):
        admm.z_step(np.zeros((2, 1)), np.zeros((2, 1)), np.zeros((2, 1)), rho)


def test_a_singular_design_matrix_is_named_and_with_a_ridge_it_is_none(problem):
    doubled = np.vstack([problem.features, problem.features[:1]])
    with pytest.raises(ValueError, match=r"the design matrix is singular: .* take an alpha above 0"):
        admm.admm(admm.Problem(doubled, problem.labels, 4, 0.0), 0.05, 3)
    path = admm.admm(admm.Problem(doubled, problem.labels, 4, 0.01), 0.05, 50)
    assert np.isfinite(path.weights).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": -1.0}, "alpha is -1: it must be 0 or more"),
        ({"classes": 3}, "classes from 0 to 2"),
        ({"labels": np.zeros(2, int)}, r"features of shape \(D, N\)"),
        ({"features": np.full((7, 80), np.nan)}, "infinite or not a number"),
        ({"classes": 5, "alpha": 0.0}, "class 4 has no example, and alpha is 0: its scores would fall for ever"),
    ],
)
def test_a_problem_that_is_none_is_named(problem, change, message):
    parts = {"features": problem.features, "labels": problem.labels, "classes": 4, "alpha": 0.1}
    with pytest.raises(ValueError, match=message):
        admm.Problem(**{**parts, **change})


# --- tasks one after another ------------------------------------------------------------------------------------------

LABELS = torch.arange(60) % 6


def error_of(loss, scores, labels):
    _, error = loss.start(scores, labels)
    assert error is not None
    return error


DIVIDED = ((0, 1), (2, 3), (4, 5))


def test_tasks_count_their_memory():
    first, second, third = incremental.tasks(LABELS, DIVIDED, memory=8)
    assert first.counts.tolist() == [10, 10, 0, 0, 0, 0]
    assert second.counts.tolist() == [4, 4, 10, 10, 0, 0]
    assert third.counts.tolist() == [2, 2, 2, 2, 10, 10]
    assert third.seen == (0, 1, 2, 3, 4, 5)
    assert LABELS[second.examples].bincount(minlength=6).tolist() == second.counts.tolist()


def test_a_class_without_examples_gets_no_error_and_is_the_limit_of_small_counts():
    [_, task, _] = incremental.tasks(LABELS, DIVIDED, memory=8)
    x, t = torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 0])
    for loss in (incremental.balanced(task), incremental.masked(task)):
        error = error_of(loss, x, t)
        assert (error[:, 4:] == 0).all()
        assert torch.allclose(error.sum(-1), torch.zeros(5), atol=1e-6)
        assert loss.values(x, t).isfinite().all()
    few = balanced_softmax(task.counts.clamp(min=1e-6))
    assert torch.allclose(error_of(few, x, t), error_of(incremental.balanced(task), x, t), atol=1e-5)
    seen = isbe_error(x[:, :4], t, "softmax")
    assert torch.allclose(error_of(incremental.masked(task), x, t)[:, :4], seen, atol=1e-6)
    assert (error_of(relocated(torch.ones(6), torch.zeros(6)), x, t)[:, 4:] != 0).all()


@pytest.mark.parametrize(
    ("divided", "memory", "message"),
    [
        (DIVIDED, 100, "a memory of 100 for 2 classes keeps 50 examples of each, and class 0 has 10: take at most 20"),
        (((0, 1), (2, 9)), 4, "class 9 has no example: leave it out of the tasks"),
        (((0, 1), (1, 2)), 4, "have a class in common"),
        (((0, 1), ()), 4, "there must be some, each with a class"),
        ((), 4, "there must be some, each with a class"),
        (DIVIDED, -1, "a memory of -1 examples: it must be 0 or more"),
    ],
)
def test_tasks_that_cannot_be_made_are_named(divided, memory, message):
    with pytest.raises(ValueError, match=message):
        incremental.tasks(LABELS, divided, memory)


def test_steps_are_timed_in_turn(monkeypatch):
    """Each of them once a batch, both first in turn; planted: scores that are not finite end the timing of both."""
    made: list[tuple[str, float]] = []

    def step(net, optimizer, loss, inputs, labels, watch):
        if len(made) == 2 * fitting.WARM_UP + 6:
            raise FloatingPointError
        made.append((net.name, float(inputs.sum())))
        watch._seconds["forward"] += {"a": 1.0, "b": 3.0}[net.name] + len(made) % 2 / 8

    monkeypatch.setattr(fitting, "training_step", step)
    arms: dict[str, Any] = {name: (nn.Linear(2, 2), None, None) for name in "ab"}
    for name, (net, _, _) in arms.items():
        net.name = name
    inputs, labels = torch.rand(30, 2), torch.zeros(30).long()
    found = fitting.seconds_in_turn(arms, inputs, labels, 4, 3)
    assert [name for name, _ in made[:4]] == ["a", "b", "b", "a"]
    assert all(one[1] == other[1] for one, other in zip(made[::2], made[1::2], strict=True))
    assert 1 <= found["a"] <= 1.125 < 3 <= found["b"] <= 3.125
    assert fitting.seconds_in_turn(arms, inputs, labels, 4, 3) == {}


def test_more_images_of_a_class_than_there_are_is_named():
    split = Split(np.zeros((3, 28, 28), np.uint8), np.array([0, 0, 1], np.uint8))
    with pytest.raises(ValueError, match="class 1 has 1 images, and 2 are asked for"):
        fitting.first_of_each(split, 2)


# --- universal features -----------------------------------------------------------------------------------------------


def test_the_dependence_matrix():
    law = features.weak_law(7, 4, 0.3, seed=1)
    b = features.dependence_matrix(law)
    assert law.sum() == pytest.approx(1)
    assert np.allclose(b @ np.sqrt(law.sum(1)), 0)
    assert np.allclose(b.T @ np.sqrt(law.sum(0)), 0)
    assert np.linalg.svd(b)[1][0] <= 1
    deterministic = np.eye(3) / 3
    assert np.linalg.svd(features.dependence_matrix(deterministic))[1][0] == pytest.approx(1)


def test_rank_k_training_tends_to_the_truncated_svd_as_the_law_tends_to_independence():
    """Planted: the singular vectors of the law itself, without its independent part."""
    angles, ratios = [], []
    for strength in (0.2, 0.02):
        law = features.weak_law(8, 5, strength, seed=1)
        b = features.dependence_matrix(law)
        _, singular, right = np.linalg.svd(b)
        trained = features.train_rank_k(law, 2, seed=0)
        _, xi = trained.weighted(law)
        angles.append(features.principal_angles(xi, right[:2].T)[0])
        ratios.append(trained.excess(law) / ((singular[2:] ** 2).sum() / 2))
    assert angles[1] < 0.2 * angles[0] < 0.2
    assert abs(ratios[1] - 1) < 0.01
    planted = np.linalg.svd(law.T)[2][:2].T
    assert features.principal_angles(xi, planted)[0] > 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: features.weak_law(4, 3, 1.0, 0), "the strength is 1: it must lie between 0 and 1"),
        (lambda: features.train_rank_k(np.full((4, 3), 1 / 12), 3, 0), "rank 3 for a law of 4 x 3: .* from 1 to 2"),
        (lambda: features.dependence_matrix(np.array([[0.5, 0.5], [0, 0]])), "value 1 of x has probability 0"),
    ],
)
def test_laws_that_are_none_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- fitting ----------------------------------------------------------------------------------------------------------


def test_what_diverges_is_said_and_has_no_accuracy():
    net = nn.Linear(2, 2, bias=False)
    nn.init.constant_(net.weight, 1e38)
    x, t = torch.full((4, 2), 1e3), torch.tensor([0, 1, 0, 1])
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    assert fitting.fit(net, optimizer, LOSSES["ce-sum"], x, t, 1, 2, seed=0).diverged
    assert math.isnan(fitting.accuracy(torch.full((1, 2), math.inf), torch.tensor([0])))
