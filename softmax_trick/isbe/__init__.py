"""ISBE for torch: normalise the scores, send the error F(x) - t straight back (paper, section 3 and Appendix B).

Direct form, no loss at all (`softmax_trick.isbe.error`):

    scores = net(images)
    scores.backward(isbe_error(scores, labels, "softmax"))

Wrapped form, for the usual training loop; its value is the implicit loss P(x) - <x, t>, whose gradient is that error
(`softmax_trick.isbe.loss`):

    loss = ISBELoss("softmax", reduction="sum")(net(images), labels)
    loss.backward()

For very many classes, the last linear layer and the error in chunks of rows (`softmax_trick.isbe.linear`):

    loss = isbe_linear(hidden, weight, labels)
    loss.backward()

Shapes: scores (..., K), classes last; targets (...) of class indices or (..., K) of soft targets in [0, 1].
On a CPU `softmax-trick build-native` makes them faster; `path()` says which way is taken. When to use which form, and
what each costs: docs/isbe.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmax_trick.system.lazy import names_from

if TYPE_CHECKING:
    from softmax_trick.isbe.error import isbe_error, isbe_gradient
    from softmax_trick.isbe.linear import isbe_linear
    from softmax_trick.isbe.loss import ISBELoss
    from softmax_trick.isbe.native import path
    from softmax_trick.isbe.values import REDUCTIONS, VALUES, Reduction, Value

_HOME = {
    "REDUCTIONS": "softmax_trick.isbe.values",
    "VALUES": "softmax_trick.isbe.values",
    "ISBELoss": "softmax_trick.isbe.loss",
    "Reduction": "softmax_trick.isbe.values",
    "Value": "softmax_trick.isbe.values",
    "isbe_error": "softmax_trick.isbe.error",
    "isbe_gradient": "softmax_trick.isbe.error",
    "isbe_linear": "softmax_trick.isbe.linear",
    "path": "softmax_trick.isbe.native",
}

__all__ = [
    "REDUCTIONS",
    "VALUES",
    "ISBELoss",
    "Reduction",
    "Value",
    "isbe_error",
    "isbe_gradient",
    "isbe_linear",
    "path",
]


__getattr__, __dir__ = names_from(__name__, _HOME)
