r"""Huang, Xu, Zheng, Wornell: An Information Theoretic Interpretation to Deep Neural Networks, ISIT 2019.

The joint law P of labels and inputs as the matrix B = (P - p q^T) / sqrt(p q^T), p the law of the labels Y, q that of
the inputs X: where labels depend on inputs a little only, cross-entropy is half the squared Frobenius distance of B
from a matrix of rank k, and the best features are its singular vectors. The abstract is the work's; the formulas are
from memory, and decided here.

A model q(y | x) ~ p_y e^{v(y).s(x) + b(y)} and the posterior p_y e^{g(x, y)} are compared along p_y e^{e v} and
p_y e^{e g}: what follows are their second derivatives at e = 0.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.works import shipped
from softmax_trick.proofs.training_theory import JOINT, mutual_information
from softmax_trick.symbolic.enclosure import enclose

SOURCE = "Huang, Xu, Zheng, Wornell, ISIT 2019 (arXiv:1905.06600); the formulas are from memory, decided here"

LAW = "S: Y,X positive; P = S/sum(S); p = sum(P, X); q = sum(P, Y); B = (P - outer(p, q))/sqrt(outer(p, q))"
LOCAL = "pi: K positive; g: K; v: K; r: real; P = softmax(log(pi) + r*g); Q = softmax(log(pi) + r*v)"
FIT = "B: Y,X; F: Y,J; G: X,J"


def singular_values(p: Proof) -> None:
    """M = B + sqrt(p) sqrt(q)^T: 2 <a, M b> is at most |a|^2 + |b|^2."""
    p.concludes()
    p.cites("so <a, M b> <= 1 for unit vectors a and b: no singular value of M exceeds 1")
    p.rests_on(
        "UF.margins", "B sqrt(q) = 0 and B^T sqrt(p) = 0: M has the singular values of B, and 1 with these vectors"
    )


def deterministic(p: Proof) -> None:
    """M M^T = I: all singular values of M are 1, one of them the trivial one."""
    p.concludes()
    p.rests_on("UF.singular-values", "M has the singular values of B, and 1")


def second_order(p: Proof) -> None:
    """Taylor's formula at r = 0, where P = Q = pi."""
    p.shows("softmax(log(pi) + 0*g) == pi/sum(pi)", words="at r = 0 both are pi, so that KL = 0")
    p.concludes()
    p.cites(
        "the first derivative is 0 at r = 0, where P = Q; the second is formula 2 and formula 3 there, for P = Q = pi"
    )
    p.shows(
        "sum(z*square(h - dot(z, h))) == dot(z, v*v) - dot(z, v)**2 - dot(z, g*v) + dot(z, g)*dot(z, v)"
        " + dot(z*g, h) - dot(z, g)*dot(z, h)",
        words="which is the variance of g - v under pi",
        let="z: K distribution; h = g - v",
    )
    p.cites("KL is smooth in r: KL = r^2/2 Var(g - v) + O(r^3)")


def centred(p: Proof) -> None:
    """The mixed term is the mean of R over the inputs, which is 0."""
    p.concludes()
    p.cites("sqrt(p q) R is B - Psi Xi^T to first order in r: both are centred in the inputs and in the labels")


def least_squares(p: Proof) -> None:
    """The normal equations."""
    p.concludes()


def truncated(p: Proof) -> None:
    """From the mean divergence to the singular values."""
    p.concludes()
    p.rests_on("UF.second-order", "the divergence at x is half the variance of g - v under p, up to O(r^3)")
    p.rests_on("UF.frobenius", "their mean over x is |B - Psi Xi^T|^2 plus a term that the bias makes 0")
    p.cites(
        "Eckart, Young 1936: over matrices of rank k the distance is least at the truncated SVD, sum_{i>k} sigma_i^2"
    )


def not_beyond(findings: Findings) -> None:
    """Three of four labels agree with the input: without features the excess is I(X; Y), and sigma_1 = 1/2."""
    table = sp.Matrix(2, 2, lambda y, x: sp.Rational(JOINT[x][y]))
    b = table * 2 - sp.ones(2, 2) / 2  # both laws are (1/2, 1/2): (P - 1/4) / (1/2)
    findings.shows("the eigenvalues of B B^T: 0, 1/4", sorted((b * b.T).eigenvals()) == [0, sp.Rational(1, 4)])
    excess, tail = enclose(mutual_information(JOINT), {}), Fraction(1, 8)
    above = enclose(mutual_information(JOINT) - sp.Rational(tail), {})
    findings.shows(f"I(X; Y) - sigma_1^2 / 2 = {above.str(12)} > 0", bool(above > 0))
    findings.refuted(
        "the excess is not half the tail", P="3/8, 1/8; 1/8, 3/8", k=0, excess=excess.str(12), half_tail=tail
    )


def weak_dependence(findings: Findings) -> None:
    """P = (1 + r M) / 4, M = (1, -1; -1, 1): sigma_1 = r, and the excess without features is I(X; Y)."""
    for r, most in (("1/20", "1/1000"), ("1/5", "1/100"), ("4/5", "1/5")):
        size = Fraction(r)
        joint = tuple(tuple((1 + size if x == y else 1 - size) / 4 for y in (0, 1)) for x in (0, 1))
        above = mutual_information(joint) / sp.Rational(size**2 / 2) - 1
        ball, below = enclose(above, {}), enclose(sp.Rational(most) - above, {})
        findings.holds(f"r = {r}: 0 < I / (r^2/2) - 1 < {most}", bool(ball > 0) and bool(below > 0), excess=ball.str(8))
    findings.exists(ratios="between 1 and 1.001, 1.01 and 1.2 for r = 1/20, 1/5 and 4/5")


CLAIMS = (
    Claim(
        id="UF.margins",
        title="B leaves out what labels and inputs have of their own",
        formulas=("B @ sqrt(q) == 0*p", "B.T @ sqrt(p) == 0*q"),
        let=LAW,
        source="ours",
    ),
    Claim(
        id="UF.chi-square",
        title="|B|^2 is the chi-square of the joint law against independence",
        formulas=("sum(square(B)) == sum(square(P)/outer(p, q)) - 1",),
        let=LAW,
        source="ours",
    ),
    Claim(
        id="UF.singular-values",
        title="the singular values of B are at most 1",
        statement=r"With $M = P / \sqrt{p q^\top}$, that is $\formula{1}$, $\formula{2}$, which is $\ge 0$: no "
        "singular value of $B$ exceeds 1",
        formulas=(
            "P/sqrt(outer(p, q)) == B + outer(sqrt(p), sqrt(q))",
            "dot(a, a) + dot(b, b) - 2*dot(a, (P/sqrt(outer(p, q))) @ b) == "
            "sum(P*square(rows(a/sqrt(p)) - cols(b/sqrt(q))))",
        ),
        let=f"{LAW}; a: Y; b: X",
        source="the formula is ours",
        proof=singular_values,
    ),
    Claim(
        id="UF.deterministic",
        title="where the input tells the label they are 1, but for one: not the local regime",
        statement=r"If each input $x$ has one label $c_x$, $\formula{1}$: with $M = P / \sqrt{p q^\top}$, $M M^\top = "
        "I$, and all $K - 1$ singular values of $B$ that are not trivial are 1",
        formulas=("P @ diag(1/q) @ P.T == diag(p)",),
        let="q: X positive; c: X label Y; P = [y:Y, x:X] q[x]*delta(y, c[x]); p = sum(P, X)",
        source="ours: so it is for digits",
        hypotheses=("every label has an input, $p > 0$",),
        proof=deterministic,
    ),
    Claim(
        id="UF.second-order",
        title="the divergence of two laws near pi is half the variance of their difference",
        statement=r"For $P \sim \pi e^{r g}$, $Q \sim \pi e^{r v}$, $\formula{1}$ and $\formula{2}$: $KL(P, Q) = "
        r"\frac{r^2}{2} \text{Var}_\pi(g - v) + O(r^3)$ for $\pi$ that sum to 1",
        formulas=(
            "grad(kl(P, Q), r) == dot(Q, v) - dot(P, v) + r*(dot(P*g, g - v) - dot(P, g)*dot(P, g - v))",
            "grad(dot(Q, v) - dot(P, v), r) == dot(Q, v*v) - dot(Q, v)**2 - dot(P, g*v) + dot(P, g)*dot(P, v)",
            "grad(r*(dot(P*g, g - v) - dot(P, g)*dot(P, g - v)), r) == dot(P*g, g - v) - dot(P, g)*dot(P, g - v)"
            " + r*grad(dot(P*g, g - v) - dot(P, g)*dot(P, g - v), r)",
        ),
        let=LOCAL,
        source="the formula is ours: one input, r the size of the dependence",
        proof=second_order,
        classes=(2,),
    ),
    Claim(
        id="UF.frobenius",
        title="averaged over the inputs that is |B - Psi Xi^T|^2, and a term that the bias can make 0",
        statement=r"With $R$ the centred part of $g - v$ and $d$ what the bias leaves, $\formula{1}$: the first term "
        r"is $|B - \Psi \Xi^\top|^2$ to this order",
        formulas=("sum(outer(p, q)*square(R - rows(d))) == sum(outer(p, q)*square(R)) + sum(p*square(d))",),
        let="p: Y distribution; q: X distribution; T: Y,X; R = T - rows(T @ q); d: Y",
        source="the formula is ours",
        proof=centred,
    ),
    Claim(
        id="UF.given-features",
        title="given the features Xi the best Psi solves Psi Xi^T Xi = B Xi",
        statement=r"$\formula{1}$, and where it is 0 the residual is $\formula{2}$ with its last term 0",
        formulas=(
            "grad(sum(square(B - F @ G.T))/2, F) == -(B - F @ G.T) @ G",
            "sum(square(B - F @ G.T)) == sum(square(B)) - sum((B @ G)*F) - sum(((B - F @ G.T) @ G)*F)",
        ),
        let=FIT,
        source="the formula is ours: F for Psi, G for Xi; least squares",
        proof=least_squares,
    ),
    Claim(
        id="UF.truncated-svd",
        title="to second order the best k features are singular vectors: CE = H(Y|X) + half the tail",
        statement=r"The excess of cross-entropy is $\formula{1}$, and its least value over models of rank $k$ is "
        r"$\frac{1}{2} \sum_{i > k} \sigma_i^2 + O(r^3)$, at the truncated SVD of $B$",
        formulas=("sum(q*ce(T, M)) - sum(q*entropy(T)) == sum(q*kl(T, M))",),
        let="q: X distribution; L: X,K; T = softmax(L); Z: X,K; M = softmax(Z)",
        source="abstract: features coincide with the solution of the universal feature selection problem in a local "
        "regime",
        proof=truncated,
    ),
    Claim(
        id="UF.everywhere",
        title="it is half the tail for every joint law",
        statement=r"For every joint law and every $k$ the least excess is $\frac{1}{2} \sum_{i > k} \sigma_i^2$",
        source="ours: without the words 'in a local analysis regime'",
        checks=(Check("Arb", not_beyond, "one joint law, k = 0", "enclosed"),),
        repaired_by="UF.truncated-svd",
    ),
    Claim(
        id="UF.weak-dependence",
        title="how near it is: within 0.1, 1 and 20 % for three dependences of two labels and two inputs",
        statement=r"For $P = \frac{1}{4}(1 \pm r)$, where $\sigma_1 = r$, the excess without features over "
        r"$\frac{r^2}{2}$ lies between 1 and 1.001, 1.01, 1.2 for $r = \frac{1}{20}, \frac{1}{5}, \frac{4}{5}$",
        source="ours",
        checks=(Check("Arb", weak_dependence, "three joint laws", "enclosed"),),
    ),
)

PAPER = shipped(__file__, SOURCE, CLAIMS)
