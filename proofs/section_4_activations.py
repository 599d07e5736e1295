"""Section 4.1 (paper): the activations as printed, and PyTorch's functions of the same names."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.measurements.figure import Figure

if TYPE_CHECKING:
    import z3
    from torch import Tensor

EVERY_HALF = "every float16"


def hardtanh(x: z3.ArithRef) -> z3.ArithRef:
    """HardTanh as printed."""
    import z3

    return z3.If(x <= -1, z3.RealVal(-1), z3.If(x < 1, x, z3.RealVal(1)))


def hardsigmoid(x: z3.ArithRef) -> z3.ArithRef:
    """HardSigmoid as printed, by cases."""
    import z3

    return z3.If(x <= -2, z3.RealVal(0), z3.If(x < 2, (x + 2) / 4, z3.RealVal(1)))


def two_forms_of_hardsigmoid(findings: Findings) -> None:
    """Both sides of the printed equation."""
    import z3

    x = z3.Real("x")
    findings.valid("the cases are (HardTanh(x/2) + 1) / 2", hardsigmoid(x) == (hardtanh(x / 2) + 1) / 2)


def _every_half() -> Tensor:
    """Every float16 that is a number, the infinities included."""
    import torch

    patterns = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.float16)
    return patterns[~patterns.isnan()]


def hardtanh_in_torch(findings: Findings) -> None:
    """All 63,490 of them."""
    from torch.nn.functional import hardtanh as torch_hardtanh

    scores = _every_half()
    printed = [-1.0 if x <= -1 else x if x < 1 else 1.0 for x in scores.tolist()]
    found = torch_hardtanh(scores).tolist()
    wrong = [(x, y) for x, y, formula in zip(scores.tolist(), found, printed, strict=True) if y != formula]
    findings.holds(f"hardtanh is the printed function at all {len(printed)} scores", not wrong, wrong=wrong[:3])


def hardsigmoid_in_torch(findings: Findings) -> None:
    """x = 2: the print has 1 there."""
    import torch

    found = Fraction(float(torch.nn.functional.hardsigmoid(torch.tensor(2.0, dtype=torch.float64))))
    printed = (min(max(Fraction(2) / 2, Fraction(-1)), Fraction(1)) + 1) / 2
    findings.holds(
        "torch's hardsigmoid(2) is the printed one", found == printed, x=2, printed=printed, torch=float(found)
    )


def hardsigmoid_in_torch_repaired(findings: Findings) -> None:
    """Of the float16 numbers, none is nearer to the exact value than what torch returns."""
    import numpy as np
    from torch.nn.functional import hardsigmoid as torch_hardsigmoid

    scores = _every_half()
    scores = scores[scores.isfinite()]
    found = torch_hardsigmoid(scores).numpy()
    below, above = (np.nextafter(found, np.float16(end)) for end in (-math.inf, math.inf))
    wrong = []
    for x, *candidates in zip(*(values.tolist() for values in (scores, found, below, above)), strict=True):
        exact = min(max((Fraction(x) + 3) / 6, Fraction(0)), Fraction(1))
        gaps = [abs(Fraction(candidate) - exact) for candidate in candidates]
        if min(gaps) < gaps[0]:
            wrong.append(x)
    text = f"hardsigmoid is relu6(x + 3) / 6, rounded to the nearest, at all {len(scores)} scores"
    findings.holds(text, not wrong, wrong=wrong[:3])


def soft_functions_in_torch(findings: Findings) -> None:
    """Against enclosures of the printed formulas; the error in units of the last place of the exact value."""
    import torch

    from softmax_trick.normalizers import NORMALIZERS
    from softmax_trick.symbolic import GivenK

    generator = torch.Generator().manual_seed(0)
    for dtype, bits in ((torch.float32, 24), (torch.float64, 53)):
        for name, classes, examples in (("tanh", 1, 500), ("sigmoid", 1, 500), ("softmax", 10, 50)):
            x = GivenK(classes).vector("x")
            formula = NORMALIZERS[name].symbolic(x)
            errors = []
            for scores in (5 * torch.randn(examples, classes, generator=generator, dtype=torch.float64)).to(dtype):
                found = _torch_function(name)(scores).tolist()
                point = {x[k]: sp.Rational(Fraction(s)) for k, s in enumerate(scores.tolist(), start=1)}
                errors += [_ulps(found[k - 1], formula[k], point, bits) for k in range(1, classes + 1)]
            kind = str(dtype).removeprefix("torch.")
            findings.figure(Figure(f"largest error of {name}, {kind}", max(errors), "ulp", runs=len(errors)))


def _torch_function(name: str) -> Callable[[Tensor], Tensor]:
    import torch

    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "softmax": lambda scores: torch.softmax(scores, -1),
    }
    return functions[name]


def _ulps(found: float, formula: sp.Expr, point: dict[sp.Symbol, sp.Expr], bits: int) -> float:
    from softmax_trick.symbolic.enclosure import enclose

    gap = enclose(formula - sp.Rational(Fraction(found)), point)
    _, exponent = math.frexp(float(enclose(formula, point).mid()))
    return abs(float(gap.mid())) / 2.0 ** (exponent - bits)


BY = {
    "S4.1.hardsigmoid": by(Check("z3", two_forms_of_hardsigmoid, "all real x")),
    "S4.1.hardtanh-torch": by(Check("torch", hardtanh_in_torch, EVERY_HALF)),
    "S4.1.hardsigmoid-torch": by(Check("torch", hardsigmoid_in_torch, "one score")),
    "S4.1.hardsigmoid-torch-r": by(Check("torch", hardsigmoid_in_torch_repaired, EVERY_HALF)),
    "S4.1.torch-soft": by(Check("torch against Arb", soft_functions_in_torch, "500 scores of spread 5", "sampled")),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
