r"""Section 2 (paper), step by step: equations (2) to (5), and each line of the two proofs of Theorem 1.

Theorem 1 itself is in `theorem_1`; here is how the paper argues for it.
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof
from softmax_trick.proofs.theorem_1 import GRADIENT_OF_CE, TRICK, property_4c

SCORES = "x: K; y = softmax(x); i: index K; j: index K"


def equation_2(p: Proof) -> None:
    """Section 1 says that CE measures a divergence: up to a term without y it is the Kullback-Leibler one."""
    p.concludes()
    p.cites("Gibbs' inequality: that is not negative, and zero only for y = t")


def near_zero(p: Proof) -> None:
    """The derivative times y_i is constant: this is why equation (3) has no value at a zero component."""
    p.concludes()
    p.cites("-t_i / y_i has no bound near y_i = 0 where t_i > 0: no value and no limit")


def range_of_softmax(p: Proof) -> None:
    """Each soft score is e / (e + r), where e is its exponential and r the sum of the other K - 1 >= 1 of them."""
    p.shows("y[i]*sum(exp(x)) == exp(x[i])")
    p.cites("for K >= 2 the sum is e + r with e = exp(x_i) > 0 and r > 0 that of the others")
    p.shows("e/(e + r) > 0", "e/(e + r) < 1", let="e: positive; r: positive")


def chain_rule(p: Proof) -> None:
    """As printed, the transpose is one too many; the symmetry makes up for it."""
    p.shows("A == A.T", words="the Jacobian of SoftMax is symmetric")
    p.rests_on("E3", "the derivative of CE by y")
    p.concludes()


def bounded_gradient(p: Proof) -> None:
    """CE alone grows beyond all bounds near the border; each component of SoftCE's gradient stays within (-1, 1)."""
    p.rests_on("S2.near-zero", "the gradient of CE by y has no bound")
    p.rests_on("T1.4dr", "each component of the gradient of SoftCE lies in (-1, 1)")


CLAIMS = (
    Claim(
        id="E2",
        title="CE measures the divergence of y from t",
        formulas=("ce(t, y) - ce(t, t) == sum(t*log(t/y))",),
        let="t: K positive; y: K positive",
        source="section 1, and section 2, equation (2)",
        quote="cross-entropy measures the divergence of this estimation from the target probability distribution",
        proof=equation_2,
    ),
    Claim(
        id="E3",
        title="the gradient of CE, as equation (3) has it",
        formulas=(GRADIENT_OF_CE,),
        let="t: K; y: K positive",
        source="section 2, equation (3)",
    ),
    Claim(
        id="S2.near-zero",
        title="the gradient of CE has no value at a zero component",
        statement=r"$\formula{1}$: where $y^\circ_i > 0$, the derivative has no bound near $y_i = 0$",
        formulas=("y[i]*grad(ce(t, y), y)[i] == -t[i]",),
        let="t: K; y: K positive; i: index K",
        source="section 2, before equation (3)",
        quote="is not defined at the zero components",
        proof=near_zero,
    ),
    Claim(
        id="S2.softmax-range",
        title="SoftMax maps to (0,1)^K, K >= 2",
        statement=r"$\formula{softmax(x)} \in (0,1)^K$",
        let=SCORES,
        source="section 2, before equation (4); section 3, the meaning of Y in (6)",
        where=("K >= 2",),
        proof=range_of_softmax,
        remark=r"A classifier has two classes at least; for $K = 1$ SoftMax is the constant 1.",
    ),
    Claim(
        id="E4",
        title="the SoftMax trick, equation (4)",
        formulas=(TRICK,),
        let="x: K; t: K distribution; y = softmax(x)",
        source="section 2, equation (4)",
        proof=property_4c,
    ),
    Claim(
        id="E5.product",
        title="equation (5): the product, expanded",
        formulas=("(diag(y) - outer(y, y)) @ (-t/y) == outer(y, y/y) @ t - diag(y/y) @ t",),
        let="t: K; y: K",
        where=("y != 0",),
        source="section 2, equation (5), first step; Appendix A, (2) -> (3), second line",
    ),
    Claim(
        id="E5.braces",
        title="equation (5): what stands under the braces",
        formulas=("diag(y/y) == eye(K)", "dot(y/y, t) == dot(ones(K), t)", "dot(ones(K), t) == 1"),
        let="t: K distribution; y: K positive",
        source="section 2, equation (5), under the braces",
    ),
    Claim(
        id="T1.elementary.log-sum-exp",
        title="elementary proof: the derivative of log-sum-exp",
        formulas=("grad(log(sum[k:K] exp(x[k])), x)[i] == y[i]",),
        let=SCORES,
        source="section 2, elementary proof of Theorem 1, first line",
        quote="the derivative of the natural logarithm of the sum of functions",
    ),
    Claim(
        id="T1.elementary.expansion",
        title="elementary proof: SoftCE, written out",
        formulas=("softce(t, x) == sum[j:K] t[j]*log(sum[k:K] exp(x[k])) - sum[j:K] t[j]*x[j]",),
        let="x: K; t: K",
        source="section 2, elementary proof of Theorem 1, second line",
    ),
    Claim(
        id="T1.elementary.derivative",
        title="elementary proof: the derivative of SoftCE",
        formulas=("grad(softce(t, x), x)[i] == y[i]*sum(t) - t[i]",),
        let=f"{SCORES}; t: K",
        source="section 2, elementary proof of Theorem 1, third line",
    ),
    Claim(
        id="T1.matrix.off-diagonal",
        title="matrix proof: the derivatives of SoftMax off the diagonal",
        formulas=("jacobian(y, x)[j, i] == -y[i]*y[j]",),
        let=SCORES,
        where=("i != j",),
        source="section 2, second proof of Theorem 1, first case",
    ),
    Claim(
        id="T1.matrix.diagonal",
        title="matrix proof: the derivatives of SoftMax on the diagonal",
        formulas=("jacobian(y, x)[i, i] == y[i] - y[i]**2", "y[i] - y[i]**2 == (1 - y[i])*y[i]"),
        let=SCORES,
        source="section 2, second proof of Theorem 1, second case",
    ),
    Claim(
        id="T1.matrix.general",
        title="matrix proof: both cases in one formula",
        formulas=("jacobian(y, x)[j, i] == (delta(i, j) - y[i])*y[j]",),
        let=SCORES,
        source="section 2, second proof of Theorem 1, general formula",
    ),
    Claim(
        id="T1.matrix.form",
        title="matrix proof: both cases as a matrix",
        formulas=("jacobian(y, x).T == diag(y) - outer(y, y)",),
        let="x: K; y = softmax(x)",
        source="section 2, second proof of Theorem 1, matrix form",
    ),
    Claim(
        id="T1.matrix.chain",
        title="matrix proof: the chain rule, with ∂y_j/∂x_i in row i, column j of A",
        formulas=("grad(softce(t, x), x) == A.T @ (-t/y)",),
        let="x: K; t: K; y = softmax(x); A = jacobian(y, x).T",
        source="section 2, second proof of Theorem 1, chain rule and symmetry",
        proof=chain_rule,
    ),
    Claim(
        id="T1.matrix.convention",
        title="∂y/∂x means one matrix in section 2 and in Appendix A",
        formulas=("jacobian(y, x).T == jacobian(y, x)",),
        let="x: K; d: K; y = softmax(d*x)",
        source="section 2, second proof of Theorem 1; Appendix A, (1) -> (2)",
        correction=r"Section 2 writes the transpose of what Appendix A writes: $\left(\frac{\partial y}{\partial x}"
        r"\right)_{ij} \doteq \frac{\partial y_i}{\partial x_j}$ is meant in both. It makes no difference where the "
        "Jacobian is symmetric, as that of SoftMax is.",
    ),
    Claim(
        id="T1.bounded",
        title="contrary to CE, SoftCE has a bounded gradient",
        statement=r"$\formula{grad(softce(t, x), x)}$ is bounded, $\formula{grad(ce(t, y), y)}$ is not",
        source="section 2, Theorem 1, property 4; section 5, first paragraph",
        quote="exhibits the bounded gradient",
        let="x: K; t: K distribution; y: K positive",
        where=("K >= 2",),
        proof=bounded_gradient,
    ),
)
