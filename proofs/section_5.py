r"""Section 5 (paper): the conclusions."""

from __future__ import annotations

import math
from collections import Counter

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.measurements.comparison import Comparison
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import Results
from softmax_trick.proofs.printed import number
from softmax_trick.proofs.section_1 import SINGLE_RUNS, not_lower
from softmax_trick.proofs.tables import ALPHA, ISBE, TABLE_1, TABLE_2
from softmax_trick.proofs.theorem_1 import TRICK
from softmax_trick.proofs.theorem_a1 import DIFFERENTIABLE, GENERALISED, JACOBIAN, NAMES, p2_implies_p1_counterexample
from softmax_trick.proofs.theorem_a1_steps import ONLY_GENERALISED_SOFTMAX, slack_has_the_trick

WITH_SLACK = "x: K; t: K distribution; y = softmax(x, slack=1)"
SCORES = "t = [k:K] delta(k, 1); u = ones(K) - t; x = log(3)*t"


def slack_linearizes_too(p: Proof) -> None:
    """SoftMax with slack: what CE sends back through it is the difference of scores and targets, as for SoftMax."""
    p.shows("grad(ce(t, y), x) == y - t", "y > 0", let=WITH_SLACK)
    p.shows("sum(y) < 1", words="the gradient stays within (-1, 1), and vanishes only with the error", let=WITH_SLACK)
    p.shows("softmax(0*ones(K), slack=1) == ones(K)/3", words="for K = 2: it is not SoftMax")
    p.refuted(
        "another activation turns the gradient of CE into y - t",
        F="exp(x_i) / (1 + sum_k exp(x_k))",
        K=p.classes.size,
        gradient="y - t",
    )


def needs_the_activation(p: Proof) -> None:
    """The same scores and targets, two normalizers, two errors."""
    p.shows("softmax(x) - t == (u - t)/4", "sigmoid(x) - t == (2*u - t)/4", let=SCORES)
    p.shows("softmax(0*t) == sigmoid(0*t)", words="where all scores are 0, the two agree", let=SCORES)
    p.refuted(
        "Y - Y° depends on the activation", x="(log 3, 0)", t="(1, 0)", SoftMax="(-1/4, 1/4)", Sigmoid="(-1/4, 1/2)"
    )


def only_that_jacobian(p: Proof) -> None:
    """The linear value y - t at each vertex t = e_j fixes the Jacobian: off from it, the trick is off by as much."""
    vertex = "([k:K] delta(k, j))"
    p.shows(
        f"J[j, i] - (diag(y) - outer(y, y))[j, i] == -y[j]*(J.T @ (-{vertex}/y) - (y - {vertex}))[i]",
        words="where the trick at t = e_j sets the right side to zero",
        let="i: index K; j: index K",
    )


def four_others_not_lower(facts: Findings) -> None:
    """All options of ISBE but SoftMax."""
    not_lower(facts, [option for option in ISBE if option != "SoftMax"])


def dilation_helps(results: Results) -> tuple[Figure, ...]:
    """Runs on the long-tailed training images, whatever their length, by one protocol."""
    tailed = [run for run in results.runs if not run.balanced and (run.network, run.dataset) == ("n0", "mnist")]
    protocols = Counter(run.protocol for run in tailed)
    if not protocols:
        return ()
    most = protocols.most_common(1)[0][0]
    ours = Comparison([run for run in tailed if run.protocol == most], lambda run: run.accuracy, "alpha")
    figures = (ours.difference(other, "vs-loss", (0.0, math.inf), tests=2) for other in ("softmax", "balanced-softmax"))
    return tuple(figure for figure in figures if figure)


def up_to_three(facts: Findings) -> None:
    """Table 2 has three cells beyond 3 percentage points."""
    beyond = [
        f"{net} {ce} {isbe}: {entry / 100:.2f} %"
        for (net, ce, isbe), entry in TABLE_2.items()
        if entry < -100 * number("saved_in_all")
    ]
    facts.holds("no decrease in Table 2 exceeds 3 %", not beyond, cells=", ".join(beyond))


def share_is_not_time(p: Proof) -> None:
    """If inference takes the time a in both cases, shares tau and tau' make the total a / (1 - tau), a / (1 - tau')."""
    p.shows("a + b == a/(1 - tau)", words="a total", let="tau: positive; a: positive; b = a*tau/(1 - tau)")
    before, after = (sp.Rational(TABLE_1["N0", option], 10_000) for option in ("mean", "Sigmoid"))
    ratio = (1 - before) / (1 - after)
    saved = 1 - ratio
    p.equal(
        "N0, mean and Sigmoid: 60.61 % and 57.38 % make the ratio of the totals 3939/4262",
        ratio,
        sp.Rational(3939, 4262),
    )
    p.positive("so that 323/4262, more than 3 %, of the time is saved", saved - sp.Rational(3, 100))
    p.refuted("3.23 points of share are 7.6 % of the time", tau="60.61 % and 57.38 %", saved=saved)


CLAIMS = (
    Claim(
        id="S5.only-softmax-prevents",
        title="only SoftMax linearizes the gradient of CE",
        statement=r"for no $F$ but $\text{SoftMax}$ is $\formula{J.T @ (-t/y) == y - t}$, the gradient of $CE$, which "
        "neither explodes nor is suppressed",
        let="y: K; t: K distribution; J: K,K",
        hypotheses=(DIFFERENTIABLE,),
        source="section 5, first paragraph",
        counterexample=slack_linearizes_too,
        repaired_by="A1c",
        remark=r"After the Sigmoid the gradient of $CE$ is $y^\circ \odot (y - 1)$: bounded, but suppressed where "
        r"$y^\circ_i = 0$.",
    ),
    Claim(
        id="S5.same-jacobian",
        title="the linear value y - t needs a Jacobian identical to SoftMax's",
        statement=r"$\formula{J.T @ (-t/y) == y - t}$ for all $y^\circ \in \{e_1, \dots, e_K\}$ gives "
        r"$\formula{J == diag(y) - outer(y, y)}$",
        source="section 5, first paragraph",
        let="y: K; t: K distribution; J: K,K",
        where=("y != 0",),
        hypotheses=(DIFFERENTIABLE,),
        proof=only_that_jacobian,
    ),
    Claim(
        id="S5.only-dilated",
        title="only dilated and relocated SoftMax has that Jacobian",
        statement=rf"every $F$ with $\formula{{{JACOBIAN}}}$ is $\formula{{{GENERALISED}}}$",
        let=NAMES,
        hypotheses=(DIFFERENTIABLE,),
        source="section 5, first paragraph",
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1.2-1r",
    ),
    Claim(
        id="S5.only-trick",
        title="only dilated and relocated SoftMax has the dilated trick",
        statement=ONLY_GENERALISED_SOFTMAX,
        let=NAMES,
        source="section 5, second paragraph",
        counterexample=slack_has_the_trick,
        repaired_by="A1c",
    ),
    Claim(
        id="S5.without-participation",
        title="Y - Y° can be calculated without the activation and the cost function",
        statement=r"$Y - Y^\circ$ is a function of $X$ and $Y^\circ$ in which neither the activation nor the cost "
        "function takes part",
        source="section 5, third paragraph",
        counterexample=needs_the_activation,
        correction="It can be calculated without the cost function. The activation takes part: it makes Y of X, as "
        "the next sentence of the paper says.",
    ),
    Claim(
        id="S5.no-worse",
        title="four other activations perform no worse",
        statement=f"in Table 3, none of Sigmoid, Tanh, HardSigmoid, HardTanh is {ALPHA.margin} points or more below "
        f"an option of cross-entropy on the same network ({ALPHA.why})",
        source="section 5, fourth paragraph, read from Table 3",
        checks=(Check("rational arithmetic", four_others_not_lower, "all pairs of cells in the rows of Table 3"),),
        remark=SINGLE_RUNS,
    ),
    Claim(
        id="S5.dilation",
        title="a dilation helps with unbalanced classes, in our runs",
        statement=r"On long-tailed MNIST the VS-loss, which is $\text{SoftMax}(d \odot x - c)$ with $d$ and $c$ from "
        "the class counts, has a higher success rate than ISBE with SoftMax, and than balanced-softmax, a relocation "
        "alone: the mean difference of runs with the same seed is above 0.",
        source="section 5, second paragraph",
        measure=dilation_helps,
        figures=2,
        remark="The exponents of the VS-loss were made for CIFAR-10, its relocation is 1.25 times that of "
        "balanced-softmax, and five epochs are few: a hint against this dilation, not against every one.",
    ),
    Claim(
        id="S5.simulates",
        title="ISBE with SoftMax simulates CrossEntropy after SoftMax",
        statement=r"$\bar{X}_{CE_{all}} = \formula{1} \doteq \bar{X}_{ISBE}$ for $F = \text{SoftMax}$",
        formulas=(TRICK,),
        let="x: K; t: K distribution; y = softmax(x)",
        source="section 5, fifth paragraph",
        proof=Proof.concludes,
    ),
    Claim(
        id="S5.up-to-three",
        title="ISBE saves up to 3 % in Table 2",
        statement=r"no decrease of $\tau$ in Table 2 is larger than 3 %",
        source="section 5, sixth paragraph",
        checks=(Check("rational arithmetic", up_to_three, "all cells of Table 2"),),
        correction="Up to 3.23 percentage points of the share of backpropagation.",
    ),
    Claim(
        id="S5.share-is-time",
        title="3 points of share are 3 % of the time",
        statement=r"$\Delta\tau = -3.23\,\%$ of Table 2 means at most 3 % less time, if inference takes the same time",
        source="section 5, sixth paragraph; section 4.2, last paragraph",
        counterexample=share_is_not_time,
        correction=r"With the same inference time a share $\tau$ means a total proportional to $\frac{1}{1 - \tau}$: "
        "the printed shares would save up to 7.6 % of the time of both stages.",
    ),
)
