"""The side-by-side check: ce-none, ce-sum and ISBE SoftMax from one initialisation, on the same batches and dropout.

The three send the same gradient back, that of the summed cross-entropy (equation 4), so they may differ by rounding
only. Adam does not show a wrong factor in the parameters, for it divides by the size of the gradient. The verdict is
therefore passed on the gradients of the first step, while the parameters are still the same: that which arrives at the
scores must agree within `rounding_bound`. What happens further down is the same linear map of it in all three runs. How
far the gradients and the parameters drift apart from step to step is reported, in float64 and in float32: what is
rounding is in float64 smaller by about the ratio 2^-29 of the unit roundoffs.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector
from torch.optim import Adam

from softmax_trick.training import TrainingError
from softmax_trick.training.batches import Examples, seed_generators
from softmax_trick.training.data import Split
from softmax_trick.training.loop import Settings, progress_bar
from softmax_trick.training.losses import LOSSES
from softmax_trick.training.networks import build
from softmax_trick.training.step import Stopwatch, training_step

REFERENCE, COMPARED = "softmax", ("ce-none", "ce-sum")
DTYPES = {"float64": torch.float64, "float32": torch.float32}


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
        scores: (n, K), the same in both computations.
        error: SoftMax(scores) - t, as computed by either.

    Returns:
        a float64 tensor of the same shape.
    """
    finfo = torch.finfo(scores.dtype)
    unit_roundoff = finfo.eps / 2
    k = scores.shape[-1]
    x = scores.double()
    spread = x.amax(-1, keepdim=True) - x.amin(-1, keepdim=True)
    relative = 5 * spread + 2 * k + 7 + 3 * math.log(k)
    return unit_roundoff * (relative * x.softmax(-1) + 2 * error.double().abs()) + finfo.tiny


@dataclass
class _Run:
    """One of the three runs: a network, its optimizer, and the scores of the last step."""

    loss: str
    net: nn.Module
    optimizer: Adam
    scores: Tensor

    @classmethod
    def begin(cls, loss: str, net: nn.Module, lr: float) -> _Run:
        net = copy.deepcopy(net).train()
        run = cls(loss, net, Adam(net.parameters(), lr=lr), torch.empty(0))
        # The gradient that arrives at the scores is what the verdict looks at; torch keeps it only when asked to.
        net.register_forward_hook(lambda _net, _images, scores: scores.retain_grad())
        return run

    def step(self, images: Tensor, labels: Tensor) -> None:
        self.scores = training_step(
            self.net, self.optimizer, LOSSES[self.loss], images, labels, Stopwatch(images.device)
        )

    @property
    def parameters(self) -> Tensor:
        return parameters_to_vector(self.net.parameters()).detach()

    @property
    def gradient(self) -> Tensor:
        return parameters_to_vector(p.grad for p in self.net.parameters() if p.grad is not None)


def side_by_side(settings: Settings, split: Split) -> list[dict[str, Any]]:
    """Train the three side by side, at a constant learning rate; a record for every dtype, step and compared loss.

    Its keys: `dtype`, `step` (from 1), `loss`; `gradient` and `parameters`, the relative differences |a - b| / |b| in
    the 2-norm of all parameters' gradients in the step and of the parameters after it, b being those of ISBE SoftMax;
    `of_bound`, at the first step only and else None: the largest ratio of a difference at the scores to
    `rounding_bound`; rounding alone keeps it within 1.

    Raises:
        TrainingError: the scores cease to be finite.
    """
    records = []
    device = torch.device(settings.device)
    seed_generators(settings.seed, 0)
    initial = build(settings.net).to(device)
    steps = settings.epochs * -(-len(split.labels) // settings.batch_size)
    with progress_bar("check", steps * len(DTYPES)) as advance:
        for name, dtype in DTYPES.items():
            net = copy.deepcopy(initial).to(dtype)
            reference, *others = (_Run.begin(loss, net, settings.lr) for loss in (REFERENCE, *COMPARED))
            batches = _batches(Examples.of(split, device, dtype), settings)
            for step, (images, labels) in enumerate(batches, start=1):
                try:
                    for run in (reference, *others):
                        # The same dropout masks for each.
                        seed_generators(settings.seed, step)
                        run.step(images, labels)
                except FloatingPointError as error:
                    raise TrainingError(f"{name}, step {step}: {error}: try a smaller --lr") from error
                records += [
                    {
                        "dtype": name,
                        "step": step,
                        "loss": run.loss,
                        "gradient": _relative(run.gradient, reference.gradient),
                        "parameters": _relative(run.parameters, reference.parameters),
                        "of_bound": _of_bound(run.scores, reference.scores) if step == 1 else None,
                    }
                    for run in others
                ]
                advance(name)
    return records


def _batches(examples: Examples, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of one epoch after another."""
    for epoch in range(1, settings.epochs + 1):
        seed_generators(settings.seed, epoch)
        yield from examples.batches(settings.batch_size)


def _of_bound(scores: Tensor, reference: Tensor) -> float:
    assert scores.grad is not None
    assert reference.grad is not None
    difference = (scores.grad.double() - reference.grad.double()).abs()
    return float((difference / rounding_bound(scores.detach(), reference.grad)).max())


def _relative(values: Tensor, reference: Tensor) -> float:
    difference = (values.double() - reference.double()).norm()
    return float(difference / reference.double().norm()) if difference else 0.0


def agrees(records: list[dict[str, Any]]) -> bool:
    """The verdict: at the first step the gradients at the scores differ by no more than rounding can make them."""
    return all(record["of_bound"] <= 1 for record in records if record["step"] == 1)


def report(records: list[dict[str, Any]]) -> str:
    """The gradients of the first step, the drift of the parameters, and the verdict, in a few lines."""
    last = max(record["step"] for record in records)
    steps = [step for step in (1, 10, last) if step <= last]
    lines = [
        "                        gradient at step 1          parameters, relative difference after step",
        "against softmax        u   of bound   relative" + "".join(f"{step:>11}" for step in steps),
    ]
    for dtype, loss in itertools.product(DTYPES, COMPARED):
        drift = {record["step"]: record for record in records if (record["dtype"], record["loss"]) == (dtype, loss)}
        unit_roundoff = torch.finfo(DTYPES[dtype]).eps / 2
        figures = [drift[1]["of_bound"], drift[1]["gradient"], *(drift[step]["parameters"] for step in steps)]
        lines.append(f"{loss:<8}{dtype}{unit_roundoff:>9.0e}" + "".join(f"{figure:>11.1e}" for figure in figures))
    if agrees(records):
        lines.append("agreement: the gradients that arrive at the scores differ by no more than rounding can make them")
    else:
        lines.append("NO agreement: the gradients that arrive at the scores differ by more than rounding can make them")
    return "\n".join(lines)
