"""What the targets of ISBE are: how they are read, and what is refused.

A target t in [0, 1], one-hot for a class index, is smoothed, moved into the range of the normalizer, and weighted:

    blurring mu           t -> (1 - mu) t + mu / (K - 1) (1 - t)      paper, section 3
    label smoothing s     t -> (1 - s) t + s / K                      as torch's; mu = s (K - 1) / K
    range                 t -> 2t - 1 for tanh and hardtanh           paper, section 3
    class weights w       a = w * t, and mass = sum a is the factor of F(x); without weights a = t and mass = 1

so that the error of a row is mass * F(x) - a. A row whose label is `ignore_index` has a = 0 and mass = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from softmax_trick.normalizers import SOFTMAX, Normalizer, get_normalizer

HALF_TYPES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Rule:
    """A normalizer F, and how targets for it are read.

    Attributes:
        normalizer: F.
        blurring: mu in [0, 1].
        label_smoothing: s in [0, 1]; not together with a blurring.
        ignore_index: the label of rows that do not count, or None.
        check_targets: whether the values of the targets are looked at before they are used.
    """

    normalizer: Normalizer
    blurring: float = 0.0
    label_smoothing: float = 0.0
    ignore_index: int | None = None
    check_targets: bool = False

    def __post_init__(self) -> None:
        for name, value in (("blurring", self.blurring), ("label_smoothing", self.label_smoothing)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], not {value}")
        if self.blurring and self.label_smoothing:
            raise ValueError("blurring and label_smoothing are the same in other units: give one of them")

    def on_off(self, k: int) -> tuple[float, float]:
        """The target of the labelled class and that of each other one, smoothed and in the normalizer's range."""
        if self.is_sharp:
            return self._sharp
        off = self.blurring / (k - 1) if self.blurring else self.label_smoothing / k
        on = 1 - self.blurring if self.blurring else 1 - self.label_smoothing + off
        return self.normalizer.map_target(on), self.normalizer.map_target(off)

    @cached_property
    def is_sharp(self) -> bool:
        """Whether targets are not smoothed."""
        return not (self.blurring or self.label_smoothing)

    @cached_property
    def _sharp(self) -> tuple[float, float]:
        return self.normalizer.map_target(1.0), self.normalizer.map_target(0.0)

    @cached_property
    def is_cross_entropy(self) -> bool:
        """Whether the implicit loss of labels, of rows that count, is the cross-entropy after SoftMax, not smoothed."""
        return self.normalizer is SOFTMAX and self.is_sharp

    @cached_property
    def is_plain_cross_entropy(self) -> bool:
        """The same where every row counts, and nobody looks at the labels."""
        return self.is_cross_entropy and self.ignore_index is None and not self.check_targets

    def kept(self, labels: Tensor) -> Tensor | None:
        """Which rows count; None if all do."""
        return None if self.ignore_index is None else labels != self.ignore_index


def rule_for(
    normalizer: str | Normalizer,
    blurring: float = 0.0,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    check_targets: bool = False,
) -> Rule:
    """The rule with these options."""
    return _rule(get_normalizer(normalizer), blurring, label_smoothing, ignore_index, check_targets)


# Kept, since a step with few classes takes no longer than making one. By the entry: names can come to mean another.
_rule = lru_cache(Rule)


def indices(labels: Tensor, kept: Tensor | None) -> Tensor:
    """The class indices (...) as int64 (..., 1), 0 in rows that do not count."""
    if labels.dtype is not torch.int64:
        labels = labels.long()
    return labels.unsqueeze(-1) if kept is None else labels.where(kept, 0).unsqueeze(-1)


def target_rows(rule: Rule, targets: Tensor, weight: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor | float]:
    """The targets a (..., K), in the dtype of `like`, the scores; and mass, (..., 1), or 1 where every row's is 1."""
    on, off = rule.on_off(like.shape[-1])
    kept = None
    if targets.is_floating_point():
        a = off + (on - off) * targets.to(like.dtype)
    else:
        kept = rule.kept(targets)
        a = torch.full_like(like, off).scatter(-1, indices(targets, kept), on)
    mass: Tensor | float = 1.0
    if weight is not None:
        a = weight.to(like.dtype) * a
        mass = a.sum(-1, keepdim=True)
    if kept is not None:
        counts = kept.unsqueeze(-1)
        a, mass = a * counts, mass * counts
    return a, mass


def is_labelled_matrix(scores: Tensor, targets: Tensor) -> bool:
    """Whether these are scores (n, K) in float32 or float64, no kind of tensor of their own, and their int64 labels."""
    return (
        type(scores) is Tensor
        and type(targets) is Tensor
        and targets.dtype is torch.int64
        and scores.dtype in (torch.float32, torch.float64)
        and scores.dim() == 2
        and targets.dim() == 1
        and len(targets) == len(scores)
        and targets.device == scores.device
    )


# --- what is refused --------------------------------------------------------------------------------------------------


def check_inputs(scores: Tensor, targets: Tensor, rule: Rule, weight: Tensor | None = None) -> None:
    """Refuse what does not fit; the values of the targets are looked at only where the rule asks for it."""
    if not scores.is_floating_point():
        raise TypeError(f"scores must be floating-point, not {scores.dtype}")
    shape = scores.shape
    if not shape or not shape[-1]:
        raise ValueError(f"scores must have shape (..., K) with K >= 1 classes, not {tuple(shape)}")
    check_fit(shape, targets, rule)
    if weight is not None:
        check_weight(weight, rule.normalizer, shape[-1])


def check_fit(shape: torch.Size, targets: Tensor, rule: Rule) -> None:
    """Refuse targets that do not fit scores of this shape."""
    if targets.is_floating_point():
        if targets.shape != shape:
            raise ValueError(
                f"soft targets must have the shape of the scores {tuple(shape)}, not {tuple(targets.shape)}; "
                f"class indices must be integers (targets.long())"
            )
        if rule.ignore_index is not None:
            raise ValueError("ignore_index needs class indices: soft targets have no index to ignore")
    elif targets.dtype is torch.bool or targets.is_complex():
        raise TypeError(
            f"targets must be class indices (an integer dtype) or soft targets (float), not {targets.dtype}"
        )
    elif targets.shape != shape[:-1]:
        raise ValueError(
            f"class indices for scores of shape {tuple(shape)} must have shape {tuple(shape[:-1])}, "
            f"not {tuple(targets.shape)}; soft targets must be floating-point"
        )
    if rule.blurring and shape[-1] == 1:
        raise ValueError("blurring needs at least two classes: with one class there is no other to blur into")
    if rule.check_targets and (wrong := wrong_target(targets, rule, shape[-1])):
        raise ValueError(wrong)


def check_weight(weight: Tensor, normalizer: Normalizer, k: int) -> None:
    """Refuse class weights that do not fit."""
    if normalizer is not SOFTMAX:
        raise ValueError(f"class weights are defined for softmax only, not for {normalizer.title}")
    if not weight.is_floating_point() or weight.shape != (k,):
        raise ValueError(
            f"class weights must be floating-point of shape ({k},), not {weight.dtype} of shape {tuple(weight.shape)}"
        )
    if weight.requires_grad:
        raise ValueError("the class weights require a gradient, which ISBE does not define: pass weight.detach()")


def explained(error: Exception, targets: Tensor, rule: Rule, k: int) -> Exception:
    """What torch raised; or, where a class index out of range is the reason, a ValueError that names it.

    Nobody looks at the values before: that would stop an accelerator's pipeline, break a compiled graph, and cost more
    than the error itself for few classes.
    """
    if targets.is_floating_point() or targets.device.type != "cpu":
        return error
    try:
        wrong = wrong_target(targets, rule, k)
    except RuntimeError:  # inside vmap values cannot be looked at
        return error
    return ValueError(wrong) if wrong else error


def wrong_target(targets: Tensor, rule: Rule, k: int) -> str:
    """Which target is out of range, the first of them, and where; "" if none is. Waits for the device."""
    if targets.is_floating_point():
        return _first(targets, lambda t: ~((t >= 0) & (t <= 1)), "soft target", "[0, 1]")
    kept = rule.kept(targets)
    return _first(
        targets if kept is None else targets.where(kept, 0),
        lambda t: (t < 0) | (t >= k),
        "class index",
        f"0..{k - 1} (K = {k})",
    )


def _first(targets: Tensor, outside: Callable[[Tensor], Tensor], kind: str, bounds: str) -> str:
    rows = outside(targets).nonzero().tolist()
    if not rows:
        return ""
    where = rows[0]  # [] for a single label
    return f"{kind} {targets[tuple(where)].item():g} in row {where} is outside {bounds}"
