r"""The abstract and section 1 (paper): what is announced of SoftMax, cross-entropy and the experiments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.proofs.operations import fewer_by_loop
from softmax_trick.proofs.section_4_networks import N0, N1, VGG
from softmax_trick.proofs.tables import ALPHA, CROSS_ENTROPY, ISBE, TABLE_3
from softmax_trick.proofs.theorem_a1 import NAMES
from softmax_trick.proofs.theorem_a1_steps import ONLY_GENERALISED_SOFTMAX, slack_has_the_trick

if TYPE_CHECKING:
    from torch import Tensor

GAP = 104  # of two scores: the larger one's SoftMax is 1 in float32, the smaller one's is 0


def domain_of_ce(facts: Findings) -> None:
    """As printed, Y is any real matrix."""
    entries = (sp.Integer(1), sp.Rational(1, 2), sp.Integer(-1))
    unreal = [entry for entry in entries if not sp.log(entry).is_real]
    facts.holds("log_e Y_bj is a real number for real Y_bj", not unreal, Y_bj=", ".join(map(str, unreal)))


def _arrived(x: Tensor) -> Tensor:
    """The gradient in x."""
    if x.grad is None:
        raise RuntimeError("no gradient has arrived")
    return x.grad


def separated_fails(facts: Findings) -> None:
    """A score 104 below the largest: -log SoftMax is infinite in float32, and its gradient is no number."""
    import torch

    x = torch.tensor([0.0, float(GAP)], requires_grad=True)
    loss = -torch.softmax(x, 0).log()[0]
    loss.backward()
    facts.holds("float32: -log(SoftMax(0, 104))_1, separately, is infinite", bool(loss.isinf()), loss=loss.item())
    gradient = _arrived(x)
    wrong = bool((gradient.isnan() | gradient.isinf()).any())
    facts.holds("and its gradient is not finite", wrong, gradient=gradient.tolist())


def integrated_works(facts: Findings) -> None:
    """The same scores through the integrated function: the value is 104, the gradient y - t, exactly."""
    import torch

    x = torch.tensor([[0.0, float(GAP)]], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(x, torch.tensor([0]))
    loss.backward()
    facts.same("float32: the integrated loss at (0, 104), label 1, is 104", sp.Rational(loss.item()), sp.Integer(GAP))
    gradient = _arrived(x)
    facts.same("and its gradient is (-1, 1)", tuple(map(int, gradient[0].tolist())), (-1, 1))


def separated_cannot_know(facts: Findings) -> None:
    """What the scores alone tell: once SoftMax has rounded, two losses that differ by 96 come from the same soft "
    "scores."""
    import torch

    near, far = (torch.softmax(torch.tensor([0.0, gap]), 0) for gap in (float(GAP), 200.0))
    text, both = "float32: SoftMax(0, 104) and SoftMax(0, 200) are the same numbers", (near.tolist(), far.tolist())
    facts.holds(text, torch.equal(near, far), soft_scores=both)
    losses = [torch.nn.functional.cross_entropy(torch.tensor([[0.0, gap]]), torch.tensor([0])) for gap in (GAP, 200.0)]
    found = tuple(sp.Rational(loss.item()) for loss in losses)
    facts.same("and the integrated losses are 104 and 200", found, (sp.Integer(GAP), sp.Integer(200)))
    facts.cites(
        "a unit that is given the soft scores alone answers both alike, and is off by 48 at one of them at least"
    )


def maximizing(p: Proof) -> None:
    """One example of class 1, and two classifiers that give that class 1/2 and 1/4."""
    scores = "t = [k:K] delta(k, 1); good = ones(K)/2; bad = t/4 + (ones(K) - t)*3/4"
    p.shows("ce(t, good) == log(2)", "ce(t, bad) == log(4)", words="the negative log-likelihoods", let=scores)
    p.shows("log(4) > log(2)", words="the larger one where the likelihood, 1/4, is smaller")
    p.refuted("maximizing it picks the worse classifier", label=1, y="(1/2, 1/2) and (1/4, 3/4)", NLL="log 2 and log 4")


def not_lower(facts: Findings, options: Sequence[str] = ISBE) -> None:
    """Each of these ISBE options of Table 3 against each cross-entropy of the same network."""
    lower = {
        f"{net}: {isbe} {TABLE_3[net, isbe] / 100:.2f}, {ce} {TABLE_3[net, ce] / 100:.2f}": gap
        for net, isbe in TABLE_3
        for ce in CROSS_ENTROPY
        if isbe in options and (gap := TABLE_3[net, ce] - TABLE_3[net, isbe]) > 0
    }
    beyond = [cell for cell, gap in lower.items() if gap >= 100 * ALPHA.margin]
    facts.holds(
        f"no such option is {ALPHA.margin} points or more below a cross-entropy", not beyond, cells="; ".join(beyond)
    )
    largest = max(lower, key=lower.__getitem__, default="none")
    facts.established(f"{len(lower)} pairs have it lower by less; the largest gap: {largest}")


def a_perceptron(facts: Findings) -> None:
    """The networks for MNIST, in the printed notation: C is a convolution, F a linear unit, D a dropout."""
    networks = {"N0": N0, "N1": N1}
    without = [name for name, units in networks.items() if not any(unit[0] == "C" for unit in units.split())]
    facts.holds("one of the networks for MNIST has no convolution", bool(without), **networks)


def three_architectures(facts: Findings) -> None:
    """N0, N1 and VGG-16, each with convolutions; the relocated N1 is not counted as an architecture."""
    architectures = (N0, N1, VGG)
    convolutional = [units for units in architectures if any(unit[0] == "C" for unit in units.split())]
    facts.same("the printed architectures with convolutions are three", len(set(convolutional)), 3)


TORCH = "torch"
SINGLE_RUNS = (
    "Some options are a few images below. Each figure is a single run, so that the table shows what was observed and "
    "no more: a difference of 0.2 points would not be found by a test of two of them. What more runs say: "
    "S4.1.2.not-lower."
)

CLAIMS = (
    Claim(
        id="S0.only-generalised",
        title="abstract: the trick only applies to dilated, relocated SoftMax",
        statement=ONLY_GENERALISED_SOFTMAX,
        let=NAMES,
        source="abstract",
        counterexample=slack_has_the_trick,
        repaired_by="A1c",
    ),
    Claim(
        id="S0.not-degraded",
        title="abstract: results are not degraded with any of the five normalizers",
        statement=f"in Table 3, no option of ISBE is {ALPHA.margin} points or more below an option of cross-entropy "
        f"on the same network ({ALPHA.why})",
        source="abstract, read from Table 3",
        checks=(Check("rational arithmetic", not_lower, "all pairs of cells in the rows of Table 3"),),
        remark=SINGLE_RUNS,
    ),
    Claim(
        id="S0.perceptron",
        title="abstract: the networks for MNIST are perceptrons and convolutional ones",
        statement="one of the networks for MNIST is a perceptron, without convolutions",
        source="abstract",
        checks=(Check("the printed notation", a_perceptron, "the two networks for MNIST"),),
        correction="Both networks for MNIST are convolutional.",
    ),
    Claim(
        id="S1.architectures",
        title="second contribution: three convolutional architectures",
        statement=r"$\mathcal{N}_0$, $\mathcal{N}_1$ and VGG-16 are three architectures with convolutions",
        source="section 1, second contribution",
        checks=(Check("the printed notation", three_architectures, "the three formulas"),),
    ),
    Claim(
        id="S0.operations",
        title="abstract: ISBE saves operations, forward and backward",
        statement="Between the scores and the gradient at the scores, the loop of section 3 with ISBE executes fewer "
        "operators of torch than the loop with cross-entropy, for each of the five options, each reduction and both "
        "kinds of labels.",
        source="abstract; section 3, the two loops",
        checks=(Check(TORCH, fewer_by_loop, "every option and reduction, four examples"),),
        remark="The operators of the head; all others are the same. Class indices, which cross-entropy takes, have to "
        "be made vectors for ISBE, once for the data. Through ISBE_func of Appendix B it is otherwise: "
        "S4.2.fewer-operations.",
    ),
    Claim(
        id="S1.not-lower",
        title="the effectiveness with any of five normalizers is not lower",
        statement=f"in Table 3, no option of ISBE is {ALPHA.margin} points or more below an option of cross-entropy "
        f"on the same network ({ALPHA.why})",
        source="section 1, third part, read from Table 3",
        checks=(Check("rational arithmetic", not_lower, "all pairs of cells in the rows of Table 3"),),
        remark=SINGLE_RUNS,
    ),
    Claim(
        id="S1.savings",
        title="ISBE saves computational resources: operators of the head",
        statement="Between the scores and the gradient at the scores, ISBE in the loop of section 3 executes fewer "
        "operators of torch than cross-entropy.",
        source="section 1, third part",
        checks=(Check(TORCH, fewer_by_loop, "every option and reduction, four examples"),),
        remark="Of operators, not of time: of the share of time speaks S4.1.1.faster.",
    ),
    Claim(
        id="S1.softmax",
        title="SoftMax scores are positive and sum to one",
        formulas=("sum(softmax(x)) == 1", "softmax(x) > 0"),
        let="x: K",
        source="section 1, definition of SoftMax",
    ),
    Claim(
        id="E1.domain",
        title="CrossEntropy is defined for any real matrix Y, as printed",
        statement=r"$\formula{-sum[j:K] Y°[b, j]*log(Y[b, j])}$ is defined for every real $Y$",
        let="Y: N,K; Y°: N,K; b: index N",
        source="section 1, definition of CrossEntropy",
        checks=(Check("SymPy", domain_of_ce, "a negative entry"),),
        correction=r"$Y$ must have positive entries (where $Y^\circ$ is not zero), as the $Y$ of SoftMax has.",
    ),
    Claim(
        id="E1",
        title="the composition of CrossEntropy and SoftMax, written out",
        formulas=("ce(Y°, softmax(X))[b] == -sum[j:K] Y°[b, j]*log(exp(X[b, j])/sum[i:K] exp(X[b, i]))",),
        let="X: N,K; Y°: N,K; b: index N",
        source="section 1, after diagram (1)",
    ),
    Claim(
        id="S1.separated",
        title="SoftMax and CrossEntropy, separate, fail for small soft scores",
        statement=r"in float32, $-\log_e \text{SoftMax}(0, 104)_1$ is infinite and its gradient is not finite",
        source="section 1, after the definition of CrossEntropy",
        checks=(Check("torch", separated_fails, "two scores, 104 apart"),),
    ),
    Claim(
        id="S1.integrated",
        title="the integrated CrossEntropy of PyTorch has no such problem",
        statement=r"in float32, $\text{SoftCE}(e_1, (0, 104)) = 104$ and its gradient is $(-1, 1)$",
        source="section 1, after the definition of CrossEntropy",
        checks=(Check("torch", integrated_works, "two scores, 104 apart"),),
    ),
    Claim(
        id="S1.only-integration",
        title="only the integration of CrossEntropy with SoftMax can cure that",
        statement="in float32, no function of the soft scores alone has the losses of the scores $(0, 104)$ and $(0, "
        "200)$",
        source="section 1, after the definition of CrossEntropy",
        checks=(Check("torch", separated_cannot_know, "two pairs of scores"),),
        remark="It is the logarithm that has to be taken before SoftMax rounds: PyTorch's LogSoftmax followed by "
        "NLLLoss does as well. And it is the value that needs it: the gradient y - y°, which ISBE sends, does not.",
    ),
    Claim(
        id="S1.maximizing",
        title="maximizing the negative log-likelihood leads to cross-entropy",
        statement="the optimal weights of multi-class logistic regression maximize the negative logarithm of the "
        "likelihood",
        source="section 1, last paragraph",
        counterexample=maximizing,
        correction="Minimizing it does: the negative log-likelihood is the cross-entropy.",
    ),
    Claim(
        id="S1.characterization",
        title="the functions with the trick are fully characterized, third contribution",
        statement=ONLY_GENERALISED_SOFTMAX,
        let=NAMES,
        source="section 1, third contribution; its structure, item 5",
        counterexample=slack_has_the_trick,
        repaired_by="A1c",
    ),
)
