"""The symbolic core: vectors over K classes, K symbolic; Jacobians; and an exact decision whether something is zero."""

from softmax_trick.symbolic.contraction import contract
from softmax_trick.symbolic.decision import Decision, Witness, decide
from softmax_trick.symbolic.indexed import K, SumOver, instantiate
from softmax_trick.symbolic.normal_form import NormalForm, normal_form
from softmax_trick.symbolic.sign import sign
from softmax_trick.symbolic.vectors import (
    EVERY_K,
    Classes,
    GivenK,
    Matrix,
    Vector,
    cross_entropy,
    diag,
    gradient,
    index,
    jacobian,
    outer,
    soft_cross_entropy,
    softmax,
)

__all__ = [
    "EVERY_K",
    "Classes",
    "Decision",
    "GivenK",
    "K",
    "Matrix",
    "NormalForm",
    "SumOver",
    "Vector",
    "Witness",
    "contract",
    "cross_entropy",
    "decide",
    "diag",
    "gradient",
    "index",
    "instantiate",
    "jacobian",
    "normal_form",
    "outer",
    "sign",
    "soft_cross_entropy",
    "softmax",
]
