r"""Section 5 (paper): the conclusions."""

from __future__ import annotations

import sympy as sp

from softmax_trick.claims import Check, Claim
from softmax_trick.facts import Facts
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proof import Proof
from softmax_trick.proofs.section_1 import not_lower
from softmax_trick.proofs.section_3 import same_gradient
from softmax_trick.proofs.tables import ISBE, TABLE_1, TABLE_2
from softmax_trick.proofs.theorem_1 import RAW, TARGETS
from softmax_trick.proofs.theorem_a1 import (
    DIFFERENTIABLE,
    NOWHERE_ZERO,
    dilated_error,
    p2_implies_p1_counterexample,
    softmax_type,
    trick,
)
from softmax_trick.proofs.theorem_a1_steps import ONLY_GENERALISED_SOFTMAX, slack_has_the_trick
from softmax_trick.symbolic import Matrix, cross_entropy, gradient


def sigmoid_after_ce(p: Proof) -> None:
    """CE after the Sigmoid: its gradient is t * (y - 1), within (-1, 0] for every score and target."""
    x, t = p.vector("x"), p.vector("t", positive=True)
    y = NORMALIZERS["sigmoid"].symbolic(x)
    p.equal("d CE(t, Sigmoid(x))/dx = t * (y - 1)", gradient(cross_entropy(t, y), x), t * (y - p.classes.constant(1)))
    p.positive("1 - y_i > 0", 1 - y[1])
    p.positive("1 - y_i < 1", y[1])
    p.refuted(
        "the gradient of CE neither explodes nor vanishes before the error does",
        F="Sigmoid",
        K=p.classes.size,
        gradient="t_i (y_i - 1), within [-t_i, 0]",
    )


def only_that_jacobian(p: Proof) -> None:
    """The linear value y - t at each vertex t = e_j fixes the Jacobian, with d = 1."""
    y, j_of_f = p.vector("y"), p.classes.matrix("J")
    ones = p.classes.constant(1)
    gap = Matrix(
        p.classes,
        lambda j, i: (trick(j_of_f, p.classes.unit(j), y) - dilated_error(p.classes.unit(j), y, ones))[i],
    )
    p.statement(
        "dF/dx - (D_y - y y^T) = -y_j times what the trick at t = e_j sets to zero",
        j_of_f - softmax_type(y, ones),
        Matrix(p.classes, lambda j, i: -y[j] * gap[j, i]),
    )


def four_others_not_lower(facts: Facts) -> None:
    """All options of ISBE but SoftMax."""
    not_lower(facts, [option for option in ISBE if option != "SoftMax"])


def up_to_three(facts: Facts) -> None:
    """Table 2 has three cells beyond 3 percentage points."""
    beyond = [f"{net} {ce} {isbe}: {entry / 100:.2f} %" for (net, ce, isbe), entry in TABLE_2.items() if entry < -300]
    facts.holds("no decrease in Table 2 exceeds 3 %", not beyond, cells=", ".join(beyond))


def share_is_not_time(p: Proof) -> None:
    """If inference takes the time a in both cases, shares tau and tau' make the total a / (1 - tau), a / (1 - tau')."""
    tau, a = sp.symbols("tau a", positive=True)
    b = a * tau / (1 - tau)
    p.equal("a share tau = b / (a + b) means a total of a + b = a / (1 - tau)", a + b, a / (1 - tau))
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
        title="only SoftMax prevents the explosion of the gradient of CE",
        statement=r"$\nabla_x CE(y^\circ, F(x))$ is bounded for no normalizer but $\text{SoftMax}$",
        source="section 5, first paragraph",
        quote="only this activation, through perfect linearization, can prevent the explosion or suppression of the "
        "gradient originating from CE",
        counterexample=sigmoid_after_ce,
        correction=r"After the Sigmoid the gradient of $CE$ is $y^\circ \odot (y - 1)$, which is bounded too; with the "
        r"binary cross-entropy it is $y - y^\circ$.",
    ),
    Claim(
        id="S5.same-jacobian",
        title="the linear value y - t needs a Jacobian identical to SoftMax's",
        statement=r"$\left(\frac{\partial F}{\partial x}\right)^\top(-y^\circ \div y) = y - y^\circ$ for all $y^\circ "
        r"\in \{e_1, \dots, e_K\}$ gives $\frac{\partial F}{\partial x} = D_y - yy^\top$",
        source="section 5, first paragraph",
        quote="with a Jacobian identical to that of the SoftMax function",
        hypotheses=(DIFFERENTIABLE, NOWHERE_ZERO),
        proof=only_that_jacobian,
    ),
    Claim(
        id="S5.only-dilated",
        title="only dilated and relocated SoftMax has that Jacobian",
        statement=r"every $F$ with $\frac{\partial F}{\partial x} = (D_y - yy^\top)D_d$ is "
        r"$\text{SoftMax}(d \odot x - c)$",
        source="section 5, first paragraph",
        quote="such a Jacobian can only be derived for *the dilated and relocated* versions of the SoftMax function",
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1.2-1r",
    ),
    Claim(
        id="S5.only-trick",
        title="only dilated and relocated SoftMax has the dilated trick",
        statement=ONLY_GENERALISED_SOFTMAX,
        source="section 5, second paragraph",
        quote="are the only ones having the property of *dilated SoftMax trick*",
        counterexample=slack_has_the_trick,
        repaired_by="A1c",
    ),
    Claim(
        id="S5.no-worse",
        title="four other activations perform no worse",
        statement="in Table 3, none of Sigmoid, Tanh, HardSigmoid, HardTanh is below an option of cross-entropy on the "
        "same network",
        source="section 5, fourth paragraph",
        quote="perform no worse",
        checks=(Check("rational arithmetic", four_others_not_lower, "all pairs of cells in the rows of Table 3"),),
        correction="Some are a few images below; no difference in the table is significant.",
    ),
    Claim(
        id="S5.simulates",
        title="ISBE with SoftMax simulates CrossEntropy after SoftMax",
        statement=r"$\bar{X}_{CE_{all}} = \bar{X}_{ISBE}$ for $F = \text{SoftMax}$",
        source="section 5, fifth paragraph",
        quote="correctly simulates the behavior of the CrossEntropy unit preceded by the SoftMax normalization",
        hypotheses=(RAW, TARGETS),
        proof=same_gradient,
    ),
    Claim(
        id="S5.up-to-three",
        title="ISBE saves up to 3 % in Table 2",
        statement=r"no decrease of $\tau$ in Table 2 is larger than 3 %",
        source="section 5, sixth paragraph",
        quote="the ISBE functionality saves the time of forward and backward stages up to 3%",
        checks=(Check("rational arithmetic", up_to_three, "all cells of Table 2"),),
        correction="Up to 3.23 percentage points of the share of backpropagation.",
    ),
    Claim(
        id="S5.share-is-time",
        title="3 points of share are 3 % of the time",
        statement=r"$\Delta\tau = -3.23\,\%$ of Table 2 means at most 3 % less time, if inference takes the same time",
        source="section 5, sixth paragraph; section 4.2, last paragraph",
        quote="the ISBE functionality saves the time of forward and backward stages up to 3%",
        counterexample=share_is_not_time,
        correction=r"With the same inference time a share $\tau$ means a total proportional to $\frac{1}{1 - \tau}$: "
        "the printed shares would save up to 7.6 % of the time of both stages.",
    ),
)
