"""softmax-trick: the theorems of the ISBE paper decided exactly, and the training method that they justify.

    >>> from softmax_trick import certify, decide, isbe_error, verify
    >>> print(decide("grad(logsumexp(x) - x[c], x)", "softmax(x) - onehot(c)"))  # a gradient, for every size
    equal for every K >= 1
    >>> certify("exp(x)/(C + sum(exp(x)))", let="C: positive").trick.holds  # a normalizer of your own
    True
    >>> [claim] = verify("A1.2-1")  # a claim of the paper
    >>> str(claim.verdict)
    'refuted'
    >>> import torch
    >>> isbe_error(torch.zeros(1, 4), torch.tensor([0]))  # the error that ISBE sends back
    tensor([[-0.7500,  0.2500,  0.2500,  0.2500]])

Nothing heavy is imported until it is used: `import softmax_trick` loads neither SymPy nor torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmax_trick.system.lazy import names_from

if TYPE_CHECKING:
    from softmax_trick.certification.certificate import Certificate
    from softmax_trick.certification.certify import certify
    from softmax_trick.derivation.derivation import derive
    from softmax_trick.isbe import ISBELoss, isbe_error, isbe_gradient, isbe_linear
    from softmax_trick.normalizers import NORMALIZERS, Normalizer, get_normalizer
    from softmax_trick.proofs import verify
    from softmax_trick.proving.proof import prove_gradient
    from softmax_trick.statements.statement import decide

__version__ = "0.1.0"

_HOME = {
    "Certificate": "softmax_trick.certification.certificate",
    "ISBELoss": "softmax_trick.isbe",
    "isbe_error": "softmax_trick.isbe",
    "isbe_gradient": "softmax_trick.isbe",
    "isbe_linear": "softmax_trick.isbe",
    "NORMALIZERS": "softmax_trick.normalizers",
    "Normalizer": "softmax_trick.normalizers",
    "get_normalizer": "softmax_trick.normalizers",
    "certify": "softmax_trick.certification.certify",
    "decide": "softmax_trick.statements.statement",
    "derive": "softmax_trick.derivation.derivation",
    "prove_gradient": "softmax_trick.proving.proof",
    "verify": "softmax_trick.proofs",
}

__all__ = [
    "NORMALIZERS",
    "Certificate",
    "ISBELoss",
    "Normalizer",
    "certify",
    "decide",
    "derive",
    "get_normalizer",
    "isbe_error",
    "isbe_gradient",
    "isbe_linear",
    "prove_gradient",
    "verify",
]


__getattr__, __dir__ = names_from(__name__, _HOME)
