r"""The abstract and section 1 (paper): what is announced of SoftMax, cross-entropy and the experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.ledger.proof import Proof
from softmax_trick.proofs.operations import fewer_by_loop
from softmax_trick.proofs.section_4_networks import N0, N1, VGG
from softmax_trick.proofs.tables import ALPHA, CROSS_ENTROPY, ISBE, TABLE_3
from softmax_trick.proofs.theorem_a1 import BY_SLACK, NAMES
from softmax_trick.proofs.theorem_a1_steps import ONLY_GENERALISED_SOFTMAX, slack_has_the_trick

if TYPE_CHECKING:
    from torch import Tensor

GAP = 104  # of two scores: the larger one's SoftMax is 1 in float32, the smaller one's is 0


def domain_of_ce(findings: Findings) -> None:
    """As printed, Y is any real matrix."""
    entries = (sp.Integer(1), sp.Rational(1, 2), sp.Integer(-1))
    unreal = [entry for entry in entries if not sp.log(entry).is_real]
    findings.holds("log_e Y_bj is a real number for real Y_bj", not unreal, Y_bj=", ".join(map(str, unreal)))


def _arrived(x: Tensor) -> Tensor:
    """The gradient in x."""
    if x.grad is None:
        raise RuntimeError("no gradient has arrived")
    return x.grad


def separated_fails(findings: Findings) -> None:
    """A score 104 below the largest: -log SoftMax is infinite in float32, and its gradient is no number."""
    import torch

    x = torch.tensor([0.0, float(GAP)], requires_grad=True)
    loss = -torch.softmax(x, 0).log()[0]
    loss.backward()
    findings.holds("float32: -log(SoftMax(0, 104))_1, separately, is infinite", bool(loss.isinf()), loss=loss.item())
    gradient = _arrived(x)
    wrong = bool((gradient.isnan() | gradient.isinf()).any())
    findings.holds("and its gradient is not finite", wrong, gradient=gradient.tolist())


def integrated_works(findings: Findings) -> None:
    """The same scores through the integrated function: the value is 104, the gradient y - t, exactly."""
    import torch

    x = torch.tensor([[0.0, float(GAP)]], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(x, torch.tensor([0]))
    loss.backward()
    findings.same(
        "float32: the integrated loss at (0, 104), label 1, is 104", sp.Rational(loss.item()), sp.Integer(GAP)
    )
    gradient = _arrived(x)
    findings.same("and its gradient is (-1, 1)", tuple(map(int, gradient[0].tolist())), (-1, 1))


def separated_cannot_know(findings: Findings) -> None:
    """What the scores alone tell: once SoftMax has rounded, two losses that differ by 96 come from the same soft "
    "scores."""
    import torch

    near, far = (torch.softmax(torch.tensor([0.0, gap]), 0) for gap in (float(GAP), 200.0))
    text, both = "float32: SoftMax(0, 104) and SoftMax(0, 200) are the same numbers", (near.tolist(), far.tolist())
    findings.holds(text, torch.equal(near, far), soft_scores=both)
    losses = [torch.nn.functional.cross_entropy(torch.tensor([[0.0, gap]]), torch.tensor([0])) for gap in (GAP, 200.0)]
    found = tuple(sp.Rational(loss.item()) for loss in losses)
    findings.same("and the integrated losses are 104 and 200", found, (sp.Integer(GAP), sp.Integer(200)))
    findings.cites(
        "a unit that is given the soft scores alone answers both alike, and is off by 48 at one of them at least"
    )


def maximizing(p: Proof) -> None:
    """One example of class 1, and two classifiers that give that class 1/2 and 1/4."""
    scores = "t = [k:K] delta(k, 1); good = ones(K)/2; bad = t/4 + (ones(K) - t)*3/4"
    p.shows("ce(t, good) == log(2)", "ce(t, bad) == log(4)", words="the negative log-likelihoods", let=scores)
    p.shows("log(4) > log(2)", words="the larger one where the likelihood, 1/4, is smaller")
    p.refuted("maximizing it picks the worse classifier", label=1, y="(1/2, 1/2) and (1/4, 3/4)", NLL="log 2 and log 4")


def not_lower(findings: Findings, options: Sequence[str] = ISBE) -> None:
    """Each of these ISBE options of Table 3 against each cross-entropy of the same network."""
    lower = {
        f"{net}: {isbe} {TABLE_3[net, isbe] / 100:.2f}, {ce} {TABLE_3[net, ce] / 100:.2f}": gap
        for net, isbe in TABLE_3
        for ce in CROSS_ENTROPY
        if isbe in options and (gap := TABLE_3[net, ce] - TABLE_3[net, isbe]) > 0
    }
    beyond = [cell for cell, gap in lower.items() if gap >= 100 * ALPHA.margin]
    findings.holds(
        f"no such option is {ALPHA.margin} points or more below a cross-entropy", not beyond, cells="; ".join(beyond)
    )
    largest = max(lower, key=lower.__getitem__, default="none")
    findings.established(f"{len(lower)} pairs have it lower by less; the largest gap: {largest}")


def a_perceptron(findings: Findings) -> None:
    """The networks for MNIST, in the printed notation: C is a convolution, F a linear unit, D a dropout."""
    networks = {"N0": N0, "N1": N1}
    without = [name for name, units in networks.items() if not any(unit[0] == "C" for unit in units.split())]
    findings.holds("one of the networks for MNIST has no convolution", bool(without), **networks)


def three_architectures(findings: Findings) -> None:
    """N0, N1 and VGG-16, each with convolutions; the relocated N1 is not counted as an architecture."""
    architectures = (N0, N1, VGG)
    convolutional = [units for units in architectures if any(unit[0] == "C" for unit in units.split())]
    findings.same("the printed architectures with convolutions are three", len(set(convolutional)), 3)


TORCH = "torch"
SINGLE_RUNS = (
    "Some options are a few images below. Each figure is a single run, so that the table shows what was observed and "
    "no more: a difference of 0.2 points would not be found by a test of two of them. What more runs say: "
    "S4.1.2.not-lower."
)

BY = {
    "S0.only-generalised": by(
        formulas=(ONLY_GENERALISED_SOFTMAX,), putting=BY_SLACK, let=NAMES, counterexample=slack_has_the_trick
    ),
    "S0.not-degraded": by(
        Check("rational arithmetic", not_lower, "all pairs of cells in the rows of Table 3"),
        statement=f"in Table 3, no option of ISBE is {ALPHA.margin} points or more below an option of cross-entropy "
        f"on the same network ({ALPHA.why})",
        remark=SINGLE_RUNS,
    ),
    "S0.perceptron": by(Check("the printed notation", a_perceptron, "the two networks for MNIST")),
    "S1.architectures": by(Check("the printed notation", three_architectures, "the three formulas")),
    "S0.operations": by(Check(TORCH, fewer_by_loop, "every option and reduction, four examples")),
    "S1.not-lower": by(
        Check("rational arithmetic", not_lower, "all pairs of cells in the rows of Table 3"),
        statement=f"in Table 3, no option of ISBE is {ALPHA.margin} points or more below an option of cross-entropy "
        f"on the same network ({ALPHA.why})",
        remark=SINGLE_RUNS,
    ),
    "S1.savings": by(Check(TORCH, fewer_by_loop, "every option and reduction, four examples")),
    "E1.domain": by(Check("SymPy", domain_of_ce, "a negative entry")),
    "S1.separated": by(Check("torch", separated_fails, "two scores, 104 apart")),
    "S1.integrated": by(Check("torch", integrated_works, "two scores, 104 apart")),
    "S1.only-integration": by(Check("torch", separated_cannot_know, "two pairs of scores")),
    "S1.maximizing": by(counterexample=maximizing),
    "S1.characterization": by(
        formulas=(ONLY_GENERALISED_SOFTMAX,), putting=BY_SLACK, let=NAMES, counterexample=slack_has_the_trick
    ),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
