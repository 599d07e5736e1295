"""Right implementations of the losses that have a name in `softmax_trick.testing.formulas.READY`, several of some."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[..., Tensor]


def rows(x: Tensor, t: Tensor) -> Tensor:
    return F.cross_entropy(x, t, reduction="none")


def picked(x: Tensor, t: Tensor) -> Tensor:
    return x.gather(-1, t[:, None])[:, 0]


def p_of(x: Tensor, t: Tensor) -> Tensor:
    return torch.exp(-rows(x, t))


def diagonal(x: Tensor) -> Tensor:
    return torch.arange(len(x))


RIGHT: dict[str, list[Loss]] = {
    "cross_entropy": [
        lambda x, t: rows(x, t).sum(),
        lambda x, t: (x.logsumexp(-1) - picked(x, t)).sum(),
        lambda x, t: -(F.one_hot(t, x.shape[-1]) * x.log_softmax(-1)).sum(),
    ],
    "soft_cross_entropy": [
        lambda x, t: F.cross_entropy(x, t, reduction="sum"),
        lambda x, t: -(t * x.log_softmax(-1)).sum(),
    ],
    "temperature": [lambda x, t: rows(x / 2, t).sum()],
    "logit_scale": [lambda x, t: rows(30 * x, t).sum()],
    "label_smoothing": [lambda x, t: F.cross_entropy(x, t, reduction="sum", label_smoothing=0.1)],
    "z_loss": [
        lambda x, t: (rows(x, t) + 1e-4 * x.logsumexp(-1) ** 2).sum(),
        lambda x, t: (x.logsumexp(-1) - picked(x, t) + 1e-4 * x.logsumexp(-1).square()).sum(),
    ],
    "soft_cap": [lambda x, t: rows(30 * torch.tanh(x / 30), t).sum()],
    "focal": [
        lambda x, t: ((1 - p_of(x, t)) ** 2 * rows(x, t)).sum(),
        lambda x, t: -((1 - picked(x.softmax(-1), t)) ** 2 * picked(x.log_softmax(-1), t)).sum(),
    ],
    "poly": [lambda x, t: (rows(x, t) + 1 - p_of(x, t)).sum()],
    "bce": [
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="sum"),
        lambda x, t: (torch.logaddexp(x, torch.zeros_like(x)) - t * x).sum(),
        lambda x, t: -(t * F.logsigmoid(x) + (1 - t) * F.logsigmoid(-x)).sum(),
    ],
    "bce_weighted": [
        lambda x, t, weight, pos_weight: F.binary_cross_entropy_with_logits(
            x, t, weight=weight, pos_weight=pos_weight, reduction="sum"
        )
    ],
    "kl": [lambda x, t: F.kl_div(x, t, reduction="sum")],
    "kl_mean": [lambda x, t: F.kl_div(x, t, reduction="sum") / x.shape[-1]],
    "distillation": [lambda x, t: 4 * F.kl_div(F.log_softmax(x / 2, -1), t, reduction="sum")],
    "balanced_softmax": [lambda x, t, counts: rows(x + counts.log(), t).sum()],
    "multi_margin": [lambda x, t: F.multi_margin_loss(x, t, reduction="sum") if len(x) else 0 * x.sum()],
    "infonce": [lambda x: F.cross_entropy(x / 0.1, diagonal(x))],
    "infonce_both": [lambda x: (F.cross_entropy(x / 0.1, diagonal(x)) + F.cross_entropy(x.t() / 0.1, diagonal(x))) / 2],
    "huber": [
        lambda x, t: F.huber_loss(x, t, reduction="sum"),
        lambda x, t: torch.where((x - t).abs() < 1, (x - t) ** 2 / 2, (x - t).abs() - 0.5).sum(),
    ],
    "brier": [lambda x, t: ((x.softmax(-1) - F.one_hot(t, x.shape[-1])) ** 2).sum()],
}

# Layers, whose squares overflow where the scores do not.
NORMS: dict[str, list[Loss]] = {
    "layer_norm": [
        lambda x, t: (F.layer_norm(x, x.shape[-1:]) * t).sum(),
        lambda x, t: ((x - x.mean(-1, True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt() * t).sum(),
    ],
    "rms_norm": [lambda x, t: (F.rms_norm(x, x.shape[-1:], eps=1e-6) * t).sum()],
}
