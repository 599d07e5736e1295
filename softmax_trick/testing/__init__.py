"""Tests for other people's losses and normalizers, and the Hypothesis strategies that they draw from.

    from softmax_trick.testing import check_loss

    check_loss(my_cross_entropy, reduction="mean", features=["ignore_index"])

Nothing heavy is imported until it is used, so that the pytest plugin (`softmax_trick.testing.plugin`) costs nothing in
projects that do not ask for it. User's page: docs/testing.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from softmax_trick.system.extras import demand

if TYPE_CHECKING:
    from softmax_trick.testing.losses import check_loss
    from softmax_trick.testing.normalizers import check_normalizer
    from softmax_trick.testing.running import Checked, CheckFailed
    from softmax_trick.testing.strategies import dilations, scores, targets
    from softmax_trick.testing.ulps import Accuracy, accuracy

_HOME = {
    "Accuracy": "softmax_trick.testing.ulps",
    "CheckFailed": "softmax_trick.testing.running",
    "Checked": "softmax_trick.testing.running",
    "accuracy": "softmax_trick.testing.ulps",
    "check_loss": "softmax_trick.testing.losses",
    "check_normalizer": "softmax_trick.testing.normalizers",
    "dilations": "softmax_trick.testing.strategies",
    "scores": "softmax_trick.testing.strategies",
    "targets": "softmax_trick.testing.strategies",
}

__all__ = [
    "Accuracy",
    "CheckFailed",
    "Checked",
    "accuracy",
    "check_loss",
    "check_normalizer",
    "dilations",
    "scores",
    "targets",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'softmax_trick.testing' has no attribute {name!r}")
    demand(f"softmax_trick.testing.{name}", "torch", "hypothesis")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
