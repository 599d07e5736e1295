"""The side-by-side check: ce-none, ce-sum and ISBE SoftMax from one initialisation, on the same batches and dropout.

The three send the same gradient back, that of the summed cross-entropy (equation 4), so they may differ by rounding
only. Adam does not show a wrong factor in the parameters, for it divides by the size of the gradient. The verdict is
therefore passed, step for step, on the gradients that arrive at the scores: they must agree within `error_bound`, which
is what rounding can do there, and once the scores of two runs differ, what SoftMax can make of that. What happens
further down is the same map of it in all the runs.

How far the parameters drift apart is reported and not judged: no bound of it is known that says anything after some
steps, for ReLU's kinks and Adam's division by small numbers amplify what rounding has begun. That it is rounding shows
in float64, where it is smaller by about the ratio 2^-29 of the unit roundoffs.

ce-mean joins them as far as Adam's epsilon lets it. Its gradient is 1/n of that of ce-sum, for batches of n, so with
1/n of its epsilon it takes the same steps: m, sqrt(v) and epsilon are then all scaled alike (compare claim
X.adam.scale). The `epsilons` are tried in float64. A smaller last batch of an epoch has another n, and ends that (claim
X.adam.last-batch).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from softmax_trick.system.progress import Advance, progress_of
from softmax_trick.training import TrainingError
from softmax_trick.training.batches import Examples, seed_generators
from softmax_trick.training.data import DataSet
from softmax_trick.training.loop import build_for
from softmax_trick.training.losses import LOSSES
from softmax_trick.training.settings import Settings
from softmax_trick.training.step import Stopwatch, training_step

REFERENCE, COMPARED = "softmax", ("ce-none", "ce-sum")
DTYPES = {"float64": torch.float64, "float32": torch.float32}
EPSILON = 1e-8
"""Adam's epsilon, torch's default, in every run but those of ce-mean."""


def epsilons(batch_size: int) -> tuple[float, ...]:
    """Those that ce-mean is tried with: by decades around torch's default, and the default divided by n.

    None is 0: where a unit is silent its gradients are 0, and Adam would divide 0 by 0.
    """
    return tuple(dict.fromkeys((1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-16, EPSILON / batch_size)))


def rounding_bound(scores: Tensor, error: Tensor) -> Tensor:
    """How far two correct computations of SoftMax(x) - t may lie apart by rounding, entry by entry.

    With u the unit roundoff, r the range max x - min x of a row, and exp and log within one unit in the last place
    (2u), to first order in u:

    - e^(x_i - m) / s, m = max x: x_i - m is off by r u, exp by 2u, s by (r + 2 + K - 1) u, the division by u. Together
      (2r + K + 4) u relative to y_i (compare Blanchard, Higham, Higham 2021).
    - e^(x_i - m - log s), the form of cross-entropy: the exponent is off by r u for x_i - m, by (r + K + 1) u + 2 u
      log K for log s, by (r + log K) u for the subtraction; then 2u for exp. Together (3r + K + 3 + 3 log K) u.

    Each then subtracts t, which is exact for t_i = 0 and else off by u |y_i - 1|. A soft score below the smallest
    normal number may lose all its digits.

    Args:
        scores: (..., n, K); with the scores of several computations along the first of three dimensions, the bound is
            for any two of them, each against what is exact for its own scores.
        error: SoftMax(scores) - t, of the same shape.

    Returns:
        a float64 tensor of shape (n, K).
    """
    finfo = torch.finfo(scores.dtype)
    unit_roundoff = finfo.eps / 2
    k = scores.shape[-1]
    x, e = scores.double().view(-1, *scores.shape[-2:]), error.double().view(-1, *scores.shape[-2:])
    spread = (x.amax(-1, keepdim=True) - x.amin(-1, keepdim=True)).amax(0)
    relative = 5 * spread + 2 * k + 7 + 3 * math.log(k)
    return unit_roundoff * (relative * x.softmax(-1).amax(0) + 2 * e.abs().amax(0)) + finfo.tiny


def error_bound(scores: Tensor, error: Tensor) -> Tensor:
    """How far SoftMax(x) - t and SoftMax(x') - t may lie apart, entry by entry: by rounding, and as x and x' do.

    By the mean value theorem |y_i - y'_i| <= max sum_j |dy_i/dx_j| |x_j - x'_j| over the line from x to x', and
    sum_j |dy_i/dx_j| = 2 y_i (1 - y_i) <= 1/2 (equation 1): so half the largest difference of the scores.

    Args:
        scores: (2, n, K), x and x'.
        error: what has been computed of each, of the same shape.

    Returns:
        a float64 tensor of shape (n, K).
    """
    x, other = scores.double()
    return rounding_bound(scores, error) + (x - other).abs().amax(-1, keepdim=True) / 2


@dataclass
class _Run:
    """One of the runs: a network, its optimizer, and the scores of the last step."""

    loss: str
    epsilon: float
    net: nn.Module
    optimizer: Adam
    scores: Tensor

    @classmethod
    def begin(cls, loss: str, epsilon: float, net: nn.Module, lr: float) -> _Run:
        net = copy.deepcopy(net).train()
        run = cls(loss, epsilon, net, Adam(net.parameters(), lr=lr, eps=epsilon, fused=True), torch.empty(0))
        # The gradient that arrives at the scores is what the verdict looks at; torch keeps it only when asked to.
        net.register_forward_hook(lambda _net, _images, scores: scores.retain_grad())
        return run

    def step(self, images: Tensor, labels: Tensor) -> None:
        self.scores = training_step(
            self.net, self.optimizer, LOSSES[self.loss], images, labels, Stopwatch(images.device)
        )

    @property
    def parameters(self) -> Tensor:
        return _flat(self.net.parameters())

    @property
    def gradient(self) -> Tensor:
        return _flat(p.grad for p in self.net.parameters() if p.grad is not None)


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def side_by_side(settings: Settings, data: DataSet, progress: bool = True) -> list[dict[str, Any]]:
    """Train them side by side, at a constant learning rate; a record for every dtype, step and compared run.

    Progress is shown on stderr, unless told otherwise.

    Its keys: `dtype`, `step` (from 1), `loss`, `epsilon` (Adam's); `gradient` and `parameters`, the relative
    differences |a - b| / |b| in the 2-norm of all parameters' gradients in the step and of the parameters after it, b
    being those of ISBE SoftMax; `of_bound`, the largest ratio of a difference at the scores to `error_bound`, which
    theory keeps within 1; None for ce-mean, whose gradient is smaller by a factor.

    Raises:
        TrainingError: the scores cease to be finite, or the settings do not fit the data.
    """
    device = torch.device(settings.device)
    split = data.train.long_tailed(settings.imbalance)
    seed_generators(settings.seed, 0)
    initial = build_for(settings.net, data).to(device)
    steps = settings.epochs * -(-len(split.labels) // settings.batch_size)
    with progress_of("check", steps * len(DTYPES), "steps", shown=progress) as advance:
        return [
            record
            for name, dtype in DTYPES.items()
            for record in _in_one_dtype(
                name, copy.deepcopy(initial).to(dtype), Examples.of(split, device, dtype), settings, advance
            )
        ]


def _in_one_dtype(
    name: str, net: nn.Module, examples: Examples, settings: Settings, advance: Advance
) -> Iterator[dict[str, Any]]:
    """The records of all steps. Of the gradients only two are kept at a time: there may be ten networks."""
    reference = _Run.begin(REFERENCE, EPSILON, net, settings.lr)
    others = [_Run.begin(loss, EPSILON, net, settings.lr) for loss in COMPARED]
    if name == "float64":
        others += [_Run.begin("ce-mean", eps, net, settings.lr) for eps in epsilons(settings.batch_size)]
    for step, (images, labels) in enumerate(_batches(examples, settings), start=1):
        for run in (reference, *others):
            seed_generators(settings.seed, step)  # the same dropout masks for each
            try:
                run.step(images, labels)
            except FloatingPointError as error:
                raise TrainingError(f"{name}, step {step}: {error}: try a smaller --lr") from error
            if run is reference:
                gradient, parameters = run.gradient, run.parameters
                continue
            yield {
                "dtype": name,
                "step": step,
                "loss": run.loss,
                "epsilon": run.epsilon,
                "gradient": _relative(run.gradient, gradient),
                "parameters": _relative(run.parameters, parameters),
                "of_bound": _of_bound(run, reference, step) if run.loss in COMPARED else None,
            }
            run.optimizer.zero_grad()
        advance(name)


def _batches(examples: Examples, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of one epoch after another."""
    for epoch in range(1, settings.epochs + 1):
        seed_generators(settings.seed, epoch)
        yield from examples.batches(settings.batch_size, settings.augment)


def _of_bound(run: _Run, reference: _Run, step: int) -> float:
    """The largest part of the bound; at the first step the parameters are the same, and so must be the scores."""
    scores = torch.stack([run.scores.detach(), reference.scores.detach()])
    errors = torch.stack([_arriving(run), _arriving(reference)])
    bound = rounding_bound(scores, errors) if step == 1 else error_bound(scores, errors)
    return float(((errors[0].double() - errors[1].double()).abs() / bound).max())


def _arriving(run: _Run) -> Tensor:
    """The gradient that arrives at the scores."""
    if run.scores.grad is None:
        raise RuntimeError("no gradient has arrived at the scores")
    return run.scores.grad


def _relative(values: Tensor, reference: Tensor) -> float:
    difference = (values.double() - reference.double()).norm()
    return float(difference / reference.double().norm()) if difference else 0.0


def agrees(records: Sequence[dict[str, Any]]) -> bool:
    """The verdict: at every step the gradients at the scores differ by no more than they may."""
    return all(record["of_bound"] <= 1 for record in records if record["of_bound"] is not None)


def drift_in_words(records: Sequence[dict[str, Any]]) -> str:
    """The bound and the drift of each run against ISBE SoftMax, and the verdict, in a few lines."""
    last = max(record["step"] for record in records)
    # The last batch of an epoch may be a smaller one, and shows what that does to ce-mean.
    steps = sorted({step for step in (1, 10, 100, last - 1, last) if 1 <= step <= last})
    lines = [
        "                                part of the bound    parameters: relative difference to softmax after step",
        "run               u  epsilon      first    largest" + "".join(f"{step:>11}" for step in steps),
    ]
    runs = dict.fromkeys((record["dtype"], record["loss"], record["epsilon"]) for record in records)
    for dtype, loss, epsilon in runs:
        of_run = [r for r in records if (r["dtype"], r["loss"], r["epsilon"]) == (dtype, loss, epsilon)]
        bounds = [record["of_bound"] for record in of_run]
        judged = f"{bounds[0]:>11.1e}{max(bounds):>11.1e}" if loss in COMPARED else f"{'-':>11}{'-':>11}"
        drift = {record["step"]: record["parameters"] for record in of_run}
        unit_roundoff = torch.finfo(DTYPES[dtype]).eps / 2
        lines.append(
            f"{loss:<11}{unit_roundoff:>8.0e}{epsilon:>9.1e}{judged}"
            + "".join(f"{drift[step]:>11.1e}" for step in steps)
        )
    if agrees(records):
        lines.append("agreement: at every step the gradients at the scores differ by no more than rounding can explain")
    else:
        lines.append("NO agreement: gradients at the scores differ by more than rounding can explain")
    return "\n".join(lines)
