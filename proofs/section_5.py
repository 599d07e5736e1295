r"""Section 5 (paper): the conclusions."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import sympy as sp

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.ledger.proof import Proof
from softmax_trick.measurements.comparison import Comparison
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import Results
from softmax_trick.proofs.printed import number
from softmax_trick.proofs.section_1 import SINGLE_RUNS, not_lower
from softmax_trick.proofs.tables import ALPHA, ISBE, TABLE_1, TABLE_2
from softmax_trick.proofs.theorem_1 import TRICK
from softmax_trick.proofs.theorem_a1 import (
    AT_EVERY_X,
    BY_SLACK,
    BY_SLACK_ALONE,
    NAMES,
    P1,
    P2,
    p2_implies_p1_counterexample,
)
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


def four_others_not_lower(findings: Findings) -> None:
    """All options of ISBE but SoftMax."""
    not_lower(findings, [option for option in ISBE if option != "SoftMax"])


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


def up_to_three(findings: Findings) -> None:
    """Table 2 has three cells beyond 3 percentage points."""
    beyond = [
        f"{net} {ce} {isbe}: {entry / 100:.2f} %"
        for (net, ce, isbe), entry in TABLE_2.items()
        if entry < -100 * number("saved_in_all")
    ]
    findings.holds("no decrease in Table 2 exceeds 3 %", not beyond, cells=", ".join(beyond))


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


BY = {
    "S5.only-softmax-prevents": by(
        formulas=(f"(for all t: {AT_EVERY_X} J.T @ (-t/y) == y - t) implies for all x, y = F(x): y == softmax(x)",),
        putting=BY_SLACK_ALONE,
        counterexample=slack_linearizes_too,
    ),
    "S5.same-jacobian": by(
        formulas=(
            f"(for all l: {AT_EVERY_X} J.T @ (-onehot(l)/y) == y - onehot(l)) implies "
            f"{AT_EVERY_X} J == diag(y) - outer(y, y)",
        ),
        let=NAMES,
    ),
    "S5.only-dilated": by(
        formulas=(f"{P2} implies {P1}",), let=NAMES, putting=BY_SLACK, counterexample=p2_implies_p1_counterexample
    ),
    "S5.only-trick": by(
        formulas=(ONLY_GENERALISED_SOFTMAX,), let=NAMES, putting=BY_SLACK, counterexample=slack_has_the_trick
    ),
    "S5.without-participation": by(counterexample=needs_the_activation),
    "S5.no-worse": by(
        Check("rational arithmetic", four_others_not_lower, "all pairs of cells in the rows of Table 3"),
        statement=f"in Table 3, none of Sigmoid, Tanh, HardSigmoid, HardTanh is {ALPHA.margin} points or more below "
        f"an option of cross-entropy on the same network ({ALPHA.why})",
        remark=SINGLE_RUNS,
    ),
    "S5.dilation": by(measure=dilation_helps, figures=2),
    "S5.simulates": by(formulas=(TRICK,), proof=Proof.concludes),
    "S5.up-to-three": by(Check("rational arithmetic", up_to_three, "all cells of Table 2")),
    "S5.share-is-time": by(counterexample=share_is_not_time),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
