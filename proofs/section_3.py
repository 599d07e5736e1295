r"""Section 3 (paper): what ISBE is, what the paper asks of a normalizer, the Lipschitz condition, and blurred labels.

The two loops at the end of the section stand with the other listings in `appendix_b`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import LONG_ENOUGH, NORMALIZE, Results, beside
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs.operations import nothing_backward
from softmax_trick.proofs.piecewise import acts_on_each_score, at, of_one_score
from softmax_trick.proofs.printed import LISTS, number
from softmax_trick.proofs.tables import ISBE, TABLE_3
from softmax_trick.proofs.theorem_1 import GRADIENT_OF_CE, TRICK
from softmax_trick.proofs.theorem_a1 import (
    AT_EVERY_X,
    BY_SLACK,
    BY_SLACK_ALONE,
    BY_SOFTMAX,
    NAMES,
    P2,
    P3,
    p2_implies_p1_counterexample,
    p2_implies_p3_counterexample,
)
from softmax_trick.proofs.theorem_a1_steps import ONLY_GENERALISED_SOFTMAX, slack_has_the_trick

HARDTANH, HARDSIGMOID = "clip(x, -1, 1)", "((clip(x/2, -1, 1) + 1)/2)"


# --- equation (6), and what is said of Theorem A1 ---------------------------------------------------------------------


def gradient_at_y(p: Proof) -> None:
    """The backward pass of diagram (6): Z-bar is the derivative of Z by itself, then through CE, then SoftMax."""
    p.rests_on("T1.2r", "the gradient of CE by Y")
    p.shows("jacobian(softmax(x), x).T @ (-t/softmax(x)) == softmax(x) - t", words="the backward pass of SoftMax")
    p.concludes()


# --- the four conditions ----------------------------------------------------------------------------------------------


def number_of_conditions(findings: Findings) -> None:
    """The list has four items. The first names a function to begin with; a condition on functions is each other one."""
    findings.same("the list has four items", len(LISTS["recommendations"]), 4)
    named = [item for item in LISTS["recommendations"] if item.startswith("The SoftMax activation function")]
    findings.same(
        "one of them is about SoftMax, and three are conditions", len(LISTS["recommendations"]) - len(named), 3
    )


def blurring_keeps_the_class(findings: Findings) -> None:
    """The entry of the class against that of any other one, n = K - 1 of them."""
    import z3

    mu, n = z3.Reals("mu n")
    label, rest = 1 - mu, mu / n
    given = z3.And(n >= 1, mu > 0, mu < 1)
    findings.valid(
        "1 - mu > mu / (K - 1) exactly if mu < (K - 1) / K", z3.Implies(given, (label > rest) == (mu * (n + 1) < n))
    )
    small = z3.Q(1, 10**6)
    findings.valid("mu = 10^-6 is below (K - 1) / K for every K >= 2", z3.Implies(n >= 1, small * (n + 1) < n))


def two_have_kinks(findings: Findings) -> None:
    """At the kink the slope is one number on the left and another on the right."""
    import z3

    h = z3.Real("h")
    for name in ("hardtanh", "hardsigmoid"):
        kink, slope = max(NORMALIZERS[name].kinks), sp.Rational(NORMALIZERS[name].lipschitz)
        f, _ = of_one_score(name)
        here = at(f, z3.RealVal(kink))
        left = here - at(f, kink - h) == z3.Q(slope.p, slope.q) * h
        right = at(f, kink + h) - here == 0
        small = z3.And(h > 0, h < 1)
        findings.valid(
            f"{name} has slope {slope} left of {kink} and 0 right of it", z3.Implies(small, z3.And(left, right))
        )
    findings.cites("SoftMax, Sigmoid and Tanh are quotients of exponentials with positive denominators: smooth")


def above_threshold(findings: Findings) -> None:
    """The success rates that Table 3 prints for the five functions, against 99.5 %."""
    rates = {(net, option): rate for (net, option), rate in TABLE_3.items() if option in ISBE}
    below = [
        f"{net} {option}: {rate / 100:.2f} %" for (net, option), rate in rates.items() if rate <= 100 * number("above")
    ]
    findings.holds("every success rate of an ISBE option in Table 3 is above 99.5 %", not below, cells=", ".join(below))


# --- `normalize` ------------------------------------------------------------------------------------------------------


P_NORM = "x: K; p: positive; n = sum(abs(x)**p)**(1/p)"


def normalize_meets_conditions(p: Proof) -> None:
    """The norm n is positive; a is the power of |x_i|, if that is not 0, and r the sum of the others."""
    p.shows("(x + more)/n > x/n", words="monotonic", let="x: real; more: positive; n: positive")
    p.shows("a/(a + r) <= 1", words="bounded: a power of |x_i / n|", let="a: positive; r: nonnegative")


def normalize_is_unstable(p: Proof) -> None:
    """Two opposite vectors, for any exponent of the norm; a_k is the power of |x_k|, and s > 0 the sum of these."""
    p.shows("sum(2**p*a) == 2**p*sum(a)", words="the power of their distance", let="a: K; p: positive")
    p.shows("2**p*s/(s**(1/p))**p == 2**p", words="of that of their images", let="s: positive; p: positive")
    p.shows("2/(2*n) == 1/n", let="n: positive")
    p.shows("1/n == 10**6", let="n = 10**(-6)")


def normalize_of_torch(findings: Findings) -> None:
    """torch divides by max(||x||, 1e-12): a power of two below that does not come out at distance one from zero."""
    import torch

    x = torch.tensor([2.0**-44], dtype=torch.float64)
    found = Fraction(torch.nn.functional.normalize(x, dim=0).item())
    formula = Fraction(2) ** -44 / Fraction(2) ** -44
    same = found == formula
    findings.holds("normalize(x) = x / ||x|| at x = (2^-44)", same, x="(2^-44)", torch=float(found), formula=formula)


# --- the Lipschitz condition ------------------------------------------------------------------------------------------


def lipschitz_at_zero(name: str) -> Callable[[Proof], None]:
    """The printed condition at x = 0 says F(0) = 0."""

    def counterexample(p: Proof) -> None:
        zero = p.classes.constant(0)
        value = NORMALIZERS[name].symbolic(zero)
        half = p.classes.constant(sp.Rational(1, 2))
        p.equal(f"{name}(0, 0) = (1/2, 1/2)", value, half)
        p.positive("so ||F(0)|| > 0 = c ||0||, for every c", value[1])
        p.refuted("the condition fails at x = 0", F=name, K=p.classes.size, x="(0, 0)", y="(1/2, 1/2)")

    return counterexample


def tanh_is_lipschitz(p: Proof) -> None:
    """tanh is 0 at 0, and its slope at most 1."""
    tanh = "x: K; y = tanh(x); i: index K; s: real"
    p.shows("tanh(0) == 0", "jacobian(y, x)[i, i] == 1 - y[i]**2", "1 - s**2 <= 1", let=tanh)
    p.cites("mean value theorem: |tanh(x_i)| <= |x_i| for each i, hence ||F(x)||_p <= ||x||_p")


def hardtanh_is_lipschitz(findings: Findings) -> None:
    """|HardTanh(x)| <= |x|."""
    import z3

    x = z3.Real("x")
    acts_on_each_score(findings, "hardtanh")
    value = at(of_one_score("hardtanh")[0], x)
    size = z3.If(x >= 0, x, -x)
    findings.valid("-|x| <= HardTanh(x) <= |x|", z3.And(value <= size, value >= -size))
    findings.cites("component by component: ||F(x)||_p <= ||x||_p")


def condition_misses_close_scores(findings: Findings) -> None:
    """F(x) = x below 1/2 and 0 from there on: c = 1 does, and yet two scores 1/1000 apart end 499/1000 apart."""
    import z3

    x = z3.Real("x")
    value = z3.If(x < z3.Q(1, 2), x, 0)
    size = z3.If(x >= 0, x, -x)
    findings.valid("F(x) = x for x < 1/2, 0 beyond, has |F(x)| <= |x|", z3.And(value <= size, value >= -size))

    def jump(score: Fraction) -> Fraction:
        return score if score < Fraction(1, 2) else Fraction(0)

    near, far = Fraction(499, 1000), Fraction(1, 2)
    stretch = abs(jump(near) - jump(far)) / (far - near)
    findings.holds(
        "its images of 499/1000 and 1/2 are no farther apart than these",
        stretch <= 1,
        F="x for x < 1/2, else 0",
        x="499/1000 and 1/2",
        distance=far - near,
        distance_of_images=abs(jump(near) - jump(far)),
    )


# --- blurred labels ---------------------------------------------------------------------------------------------------


def blurring_is_positive(p: Proof) -> None:
    """Its two values, where n is K - 1 >= 1."""
    p.shows("1 - mu > 0", "mu/n > 0", let="r: positive; mu = 1/(1 + r); n: positive")
    p.concludes()


def blurring_for_tanh(p: Proof) -> None:
    """Both values stay strictly within (-1, 1), which labels without blurring do not; m = K - 2 >= 0."""
    for value in ("1 - mu", "mu/(1 + m)"):
        values = f"r: positive; mu = 1/(1 + r); m: nonnegative; value = {value}"
        p.shows("2*value - 1 > -1", "2*value - 1 < 1", let=values)


MAJORITY = 11.35
"""Percent of MNIST's test images that show a 1, the most frequent digit: who answers 1 always is right so often."""

PAPERS_RATE = float(number("rate_for_mnist"))  # Adam's (section 4.2)


def learns_with_normalize(results: Results) -> tuple[Figure, ...]:
    """At the paper's rate. A run that has learnt has converged, however short; one that has not may have been too
    short.

    The paper's statement fails if the 95 % interval of the success rates lies above that of a constant answer, and
    passes if no run is above it and all were long enough.
    """
    figures = []
    for network in ("n0", "n1"):
        runs = [
            run for run in results.of(network, NORMALIZE, least=1) if run.settings.get("lr", PAPERS_RATE) == PAPERS_RATE
        ]
        if not runs:
            continue
        rates = [run.accuracy for run in runs]
        figure = beside(f"{network}: success rate with normalize", rates, (0.0, MAJORITY), tests=2)
        agrees = False if figure.agrees is False else None
        if len(runs) > 1 and all(run.accuracy <= MAJORITY and run.epochs >= LONG_ENOUGH for run in runs):
            agrees = True
        figures.append(replace(figure, agrees=agrees))
    return tuple(figures)


def learns_at_a_lower_rate(results: Results) -> tuple[Figure, ...]:
    """N0 at a hundredth of the paper's rate, however short the runs: above a constant answer."""
    runs = [run for run in results.runs if (run.network, run.loss, run.dataset) == ("n0", NORMALIZE, "mnist")]
    rates = [run.accuracy for run in runs if run.settings.get("lr") == PAPERS_RATE / 100]
    return (beside("n0: success rate with normalize at 1e-4", rates, (MAJORITY, 100.0)),) if rates else ()


LIPSCHITZ = r"$\exists c, \epsilon > 0: \|x\|_p \leq \epsilon \implies \|F(x)\|_p \leq c\|x\|_p$ for $F = \text{{{F}}}$"
LIPSCHITZ_SOURCE = "section 3, after the four conditions"

LIPSCHITZ_QUOTE = "Certainly, it is the Lipschitz condition occurring in a certain neighborhood of zero"

CLAIMS = (
    Claim(
        id="E6",
        title="diagram (6): the gradients at Z, Y and X",
        statement=r"$\bar{Z} = 1$, $\bar{Y} = \formula{1}$, $\bar{X} = \formula{2}$",
        formulas=(GRADIENT_OF_CE, "grad(softce(t, x), x) == softmax(x) - t"),
        let="x: K; t: K distribution; y: K positive",
        source="section 3, the meaning of the variables in (6)",
        proof=gradient_at_y,
    ),
    Claim(
        id="S3.omits",
        title="ISBE omits cross-entropy and all backward operations of the cost function",
        statement="In the loop of section 3 with ISBE torch executes the normalizing function and one difference "
        "between the scores and the gradient at the scores, and no backward operator; with cross-entropy it executes "
        "the backward of both units.",
        source="section 3, before the second diagram",
        quote="omitting the cross-entropy operation in the inference stage and practically omitting all backward "
        "operations for this cost function",
        checks=(Check("torch", nothing_backward, "every option, four examples"),),
    ),
    Claim(
        id="S3.same-gradient",
        title="for SoftMax, CE_all and ISBE send the same gradient to the network",
        statement=r"$\bar{X}_{CE_{all}} = \formula{1} \doteq \bar{X}_{ISBE}$",
        formulas=(TRICK,),
        let="x: K; t: K distribution; y = softmax(x)",
        source="section 3, before the second diagram; section 5, correct simulation",
        quote="the value of the gradient transmitted to the network is identical",
        proof=Proof.concludes,
    ),
    Claim(
        id="S3.sufficient-and-necessary",
        title="(A2) is sufficient and necessary for (A3), as printed",
        formulas=(f"{P2} iff {P3}",),
        let=NAMES,
        putting=BY_SOFTMAX,
        source="section 3, on Theorem A1",
        quote="is both a sufficient and necessary condition for its combination with the cross-entropy unit",
        counterexample=p2_implies_p3_counterexample,
        repaired_by="A1r.trick",
    ),
    Claim(
        id="S3.only-relocated",
        title="a SoftMax-type Jacobian makes F a SoftMax with relocation",
        formulas=(
            f"({AT_EVERY_X} J == diag(y) - outer(y, y)) implies exists c: for all x, y = F(x): y == softmax(x - c)",
        ),
        let=NAMES,
        putting=BY_SLACK_ALONE,
        source="section 3, on Theorem A1",
        quote="is a *SoftMax* function with optional relocation",
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1.2-1r",
    ),
    Claim(
        id="S3.no-other-activation",
        title="no other activation has the SoftMax trick",
        formulas=(ONLY_GENERALISED_SOFTMAX,),
        putting=BY_SLACK,
        let=NAMES,
        source="section 3, on Theorem A1",
        quote="it is not possible to seek further improvements by changing the activation",
        counterexample=slack_has_the_trick,
        repaired_by="A1c",
    ),
    Claim(
        id="S3.monotonic",
        title="condition 2: SoftMax, Sigmoid, Tanh keep the order of the scores",
        formulas=tuple(f"x[i] > x[j] implies {name}(x)[i] > {name}(x)[j]" for name in ("softmax", "sigmoid", "tanh")),
        let="x: K; i: index K; j: index K",
        source="section 3, condition 2, and the sentence on the five functions",
        quote="Activations should be monotonic",
    ),
    Claim(
        id="S3.monotonic.hard",
        title="condition 2: HardTanh, HardSigmoid never reverse the order of the scores",
        formulas=tuple(f"x[i] > x[j] implies {name}[i] >= {name}[j]" for name in (HARDTANH, HARDSIGMOID)),
        let="x: K; i: index K; j: index K",
        source="section 3, condition 2, and the sentence on the five functions",
    ),
    Claim(
        id="S3.largest",
        title="condition 2: the largest raw score remains a largest soft score",
        formulas=tuple(
            f"x <= x[i] implies {name} <= {name}[i]"
            for name in ("softmax(x)", "sigmoid(x)", "tanh(x)", HARDTANH, HARDSIGMOID)
        ),
        let="x: K; i: index K",
        source="section 3, condition 2, and the sentence on the five functions",
        quote="Activations should be monotonic so that the largest value of the raw score remains the largest "
        "score in the soft score sequence.",
        remark="Not always the only one: HardTanh makes 1 of both 2 and 3, so that the class can no longer be told by "
        "the soft scores. And a score that grows with its own raw score is not enough where the scores are dilated "
        "differently: A1.reorders.",
    ),
    Claim(
        id="S3.range",
        title="condition 3: SoftMax and Sigmoid lie in [0, 1], Tanh in [-1, 1]",
        formulas=(
            *("0 <= softmax(x)", "softmax(x) <= 1"),
            *("0 <= sigmoid(x)", "sigmoid(x) <= 1"),
            *("-1 <= tanh(x)", "tanh(x) <= 1"),
        ),
        let="x: K",
        source="section 3, condition 3",
        quote="Soft scores should be within a limited range",
    ),
    Claim(
        id="S3.range.hard",
        title="condition 3: HardTanh lies in [-1, 1], HardSigmoid in [0, 1]",
        formulas=(
            *(f"-1 <= {HARDTANH}", f"{HARDTANH} <= 1"),
            *(f"0 <= {HARDSIGMOID}", f"{HARDSIGMOID} <= 1"),
        ),
        let="x: K",
        source="section 3, condition 3, and the sentence on the five functions",
    ),
    Claim(
        id="S3.normalize.conditions",
        title="normalize keeps the order of the scores and is bounded",
        statement=r"$\formula{x[i] > x[j]} \implies \formula{x[i]/n > x[j]/n}$ and $\formula{abs(x[i]/n) <= 1}$",
        let=f"{P_NORM}; i: index K; j: index K",
        source="section 3, condition 4",
        quote="norm meets all the above conditions",
        hypotheses=(r"$x \neq 0$",),
        proof=normalize_meets_conditions,
    ),
    Claim(
        id="S3.normalize.unstable",
        title="normalize maps opposite points, however close, exactly 2 apart",
        statement=r"$\formula{sum(abs(x/n - (-x)/n)**p)**(1/p) == 2}$, which is $\formula{1/n}$ times their "
        r"distance: a million times for $\formula{n == 10**(-6)}$",
        let=P_NORM,
        source="section 3, condition 4",
        quote="thus changing their distance",
        hypotheses=(r"$x \neq 0$",),
        proof=normalize_is_unstable,
    ),
    Claim(
        id="S3.normalize.torch",
        title="PyTorch's normalize is x / ||x||_p",
        statement=r"`torch.nn.functional.normalize` is $\frac{x}{\|x\|_p}$ for every $x \neq 0$",
        source="section 3, condition 4",
        quote="This operation is known in Pytorch library as `normalize` function",
        checks=(Check("torch", normalize_of_torch, "a vector shorter than 1e-12"),),
        correction=r"It is $\frac{x}{\max(\|x\|_p, 10^{-12})}$: the two agree for $\|x\|_p \geq 10^{-12}$, and "
        "PyTorch's is 0 at 0.",
    ),
    Claim(
        id="S3.three-conditions",
        title="the conditions on functions listed above are three",
        statement="of the four items of the list three are conditions on an activation; the first names the first "
        "candidate",
        source="section 3, after the list of conditions",
        quote="meet the above three conditions",
        checks=(Check("counting", number_of_conditions, "the list"),),
        remark="The list is numbered from 1 to 4, and the text below calls the last one the fourth requirement.",
    ),
    Claim(
        id="S3.above-99.5",
        title="the five functions classify above 99.5 %",
        statement="in Table 3, every success rate of the five functions is higher than 99.5 %",
        source="section 3, after the list of conditions",
        quote="at a level of effectiveness higher than 99.5%",
        checks=(Check("rational arithmetic", above_threshold, "the ISBE columns of Table 3"),),
        correction=r"That holds for $\mathcal{N}_1$ and $\mathcal{N}_1^r$; on $\mathcal{N}_0$ only "
        "Sigmoid is above 99.5 %.",
    ),
    Claim(
        id="S3.normalize.diverges",
        title="with normalize the optimizer failed to converge, at a rate of 0.01",
        statement="trained by ISBE with `normalize` and Adam at the paper's learning rate of 0.01, neither N0 nor N1 "
        "is better on MNIST than a constant answer",
        source="section 3, after the list of conditions",
        quote="the optimizer failed to converge on the same MNIST (60K) collection",
        measure=learns_with_normalize,
        figures=2,
        remark="The paper names no other rate. At 1e-4 the optimizer does converge: S3.normalize.rate.",
    ),
    Claim(
        id="S3.normalize.rate",
        title="with normalize N0 does learn MNIST, at a rate of 1e-4",
        statement="trained by ISBE with `normalize` and Adam at a learning rate of 0.0001, N0 is better on MNIST than "
        "a constant answer, after one epoch",
        source="beyond the paper: section 3, after the list of conditions",
        measure=learns_at_a_lower_rate,
    ),
    Claim(
        id="S3.two-not-differentiable",
        title="of the five functions two are not differentiable everywhere",
        statement="HardTanh and HardSigmoid have kinks; SoftMax, Sigmoid and Tanh have none",
        source="section 3, before the Lipschitz condition",
        quote="of which two are not even fully differentiable",
        checks=(Check("z3", two_have_kinks, "both kinks on the right; the others by symmetry"),),
    ),
    *(
        Claim(
            id=f"S3.lipschitz.{title.lower()}",
            title=f"{title} meets the Lipschitz condition at zero, as printed",
            statement=LIPSCHITZ.format(F=title),
            source=LIPSCHITZ_SOURCE,
            counterexample=lipschitz_at_zero(title.lower()),
            repaired_by=f"X.lipschitz.{title.lower()}",
            quote=LIPSCHITZ_QUOTE,
        )
        for title in ("SoftMax", "Sigmoid", "HardSigmoid")
    ),
    Claim(
        id="S3.lipschitz.tanh",
        title="Tanh meets the Lipschitz condition at zero, as printed",
        statement=LIPSCHITZ.format(F="Tanh"),
        source=LIPSCHITZ_SOURCE,
        quote=LIPSCHITZ_QUOTE,
        proof=tanh_is_lipschitz,
    ),
    Claim(
        id="S3.lipschitz.hardtanh",
        title="HardTanh meets the Lipschitz condition at zero, as printed",
        statement=LIPSCHITZ.format(F="HardTanh"),
        source=LIPSCHITZ_SOURCE,
        quote=LIPSCHITZ_QUOTE,
        checks=(Check("z3", hardtanh_is_lipschitz, "all real scores"),),
    ),
    Claim(
        id="S3.lipschitz.close-scores",
        title="the printed Lipschitz condition keeps close scores close",
        statement=r"$\|F(x)\|_p \leq c\|x\|_p$ near zero implies that $F$ does not map close scores to distant ones",
        source=LIPSCHITZ_SOURCE,
        quote="the Lipschitz condition meets the expectations of the fourth requirement",
        checks=(Check("z3 and rational arithmetic", condition_misses_close_scores, "a counterexample"),),
        correction=r"What the fourth requirement asks for is $\|F(x) - F(x')\| \leq L\|x - x'\|$ for all $x, x'$. All "
        "five functions have it; see X.lipschitz for the exact constants.",
    ),
    Claim(
        id="S3.blurring",
        title="a blurred label is a positive distribution",
        statement=r"$\formula{1}$, where $0 < \mu < 1$ makes all the terms $\tilde{e}_i[j]$ positive",
        formulas=("sum[j:K] ((1 - mu)*delta(i, j) + mu/(K - 1)*(1 - delta(i, j))) == 1",),
        let="i: index K; mu: real",
        where=("K >= 2",),
        source="section 3, the first recommendation for teachers",
        quote="example blurring value",
        proof=blurring_is_positive,
    ),
    Claim(
        id="S3.blurring.class",
        title="blurring keeps the class the largest exactly if mu < (K - 1) / K",
        statement=r"$\tilde{e}_i[i] > \tilde{e}_i[j]$ for $j \ne i$ exactly if $\mu < \frac{K-1}{K}$, as $\mu = "
        "10^{-6}$ is for every $K$",
        source="section 3, the first recommendation for teachers, which does not bound mu",
        quote="example blurring value",
        hypotheses=(r"$K \ge 2$", r"$0 < \mu < 1$"),
        checks=(Check("z3", blurring_keeps_the_class, "all real mu, all K - 1 >= 1"),),
    ),
    Claim(
        id="S3.blurring.tanh",
        title="a blurred label, rescaled for Tanh, lies within (-1, 1)",
        statement=r"$2 \cdot \tilde{e}_i - 1 \in (-1, +1)^K$",
        source="section 3, the second recommendation for teachers",
        quote="we adjust the vector",
        where=("K >= 2",),
        hypotheses=(r"$0 < \mu < 1$",),
        proof=blurring_for_tanh,
    ),
)
