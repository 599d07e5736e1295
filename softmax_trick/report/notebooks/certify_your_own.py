"""What notebook 04_certify_your_own.ipynb begins with."""

from __future__ import annotations

from softmax_trick.report.notebooks import needed

with needed():
    import pytest
    import torch
    from torch.autograd import gradcheck
    from torch.autograd.function import once_differentiable
    from torch.nn.functional import cross_entropy, one_hot

    from softmax_trick import certify
    from softmax_trick.certification.black_box import certify_torch
    from softmax_trick.certification.components import components_of
    from softmax_trick.certification.normalizer import read_normalizer
    from softmax_trick.language import LanguageError
    from softmax_trick.report.figures import fields
    from softmax_trick.report.figures import implicit_losses as figures
    from softmax_trick.report.figures.curves import vector_of
    from softmax_trick.report.notebook import certificate_as_text
    from softmax_trick.report.notebooks.shown import zero
    from softmax_trick.symbolic import gradient
    from softmax_trick.testing import CheckFailed, check_loss, check_normalizer

__all__ = [
    "CheckFailed",
    "LanguageError",
    "certificate_as_text",
    "certify",
    "certify_torch",
    "check_loss",
    "check_normalizer",
    "components_of",
    "cross_entropy",
    "fields",
    "figures",
    "gradcheck",
    "gradient",
    "once_differentiable",
    "one_hot",
    "pytest",
    "read_normalizer",
    "torch",
    "vector_of",
    "zero",
]
