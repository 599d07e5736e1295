"""Certify a normalizer that is only there as code: what floating-point tests can find out about a black box.

    >>> from softmax_trick.certification.black_box import certify_torch, load_function
    >>> found = certify_torch(load_function("torch:sigmoid"), k=5)
    >>> found.softmax_type.holds, found.softmax_type.witness
    (False, {'x1': '0', 'x2': '0', 'x3': '0', 'x4': '0', 'x5': '0'})

The function is evaluated at some hundreds of scores: zero, one-hot, tied, integer, random, saturated and far ones. A
property that one of them contradicts fails, and the scores are shrunk to simple ones that still contradict it; one that
none contradicts holds as far as it was sampled. Neither is a proof: the rung is "sampled".

What counts as a contradiction: with u the unit roundoff of the results, s a typical slope of F, and x one of the
scores, rounding is allowed to change

    F(x)   by  T (max |F| + s max |x|),                                T = 64 * 4 (K + 8) u
    J(x)   by  T (max |J| + s max |F| + s^2 max |x|)

that is, to err as if the results and the scores were each off by T. A SoftMax obeys this with 4 (K + 8) u; a black box
gets 64 times as much. For K = 5 in float64 T is 4e-13, so that an error of one part in a million stands out.

J is found by autograd where that agrees with central differences. Otherwise it is D = D(h/2), where D(h) is the central
difference of fourth order at h = u^(1/5), and what J may be off by is larger by |D(h) - D(h/2)| and by 8 / h times what
F may be off by. At kinks and jumps J is not looked at.

The sizes of J and of what is made of it grow with K^2: this is meant for K up to about 64.

Modules: `calling` (the function as it is called), `examples` (scores), `search` (what contradicts a property);
`values`, `kinks`, `jacobians`, `form`, `growth` (the properties), `certify` (all of them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmax_trick.system.lazy import names_from

if TYPE_CHECKING:
    from softmax_trick.certification.black_box.calling import BlackBoxError, load_function
    from softmax_trick.certification.black_box.certify import certify_torch

_HOME = {
    "BlackBoxError": "softmax_trick.certification.black_box.calling",
    "certify_torch": "softmax_trick.certification.black_box.certify",
    "load_function": "softmax_trick.certification.black_box.calling",
}

__all__ = ["BlackBoxError", "certify_torch", "load_function"]


__getattr__, __dir__ = names_from(__name__, _HOME)
