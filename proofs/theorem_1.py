r"""Theorem 1 (paper, section 2): elementary properties of cross-entropy, alone and after SoftMax.

Let t in [0,1]^K, sum_k t_k = 1, be the target distribution and y in (0,1)^K, sum_k y_k = 1, the predicted one. Then

1. dCE/dy_i = t_i / y_i                                            (false: the sign; equation (3) has it right)
2. grad_y CE = t / y                                               (false: the sign)
3. {CE(t, y) : t in [0,1]^K, y in (0,1)^K} = (0, oo)               (under these hypotheses, for K >= 2)
4. SoftCE(t, x) = CE(t, SoftMax(x)) has
   (a) Jacobian(SoftMax)(x) = diag[y] - y y^T
   (b) dSoftCE/dx_i = y_i - t_i
   (c) grad_x SoftCE = y - t
   (d) {SoftCE(t, x) : t in [0,1]^K, x in R^K} = (-1, +1)          (false: that is the range of the gradient)
"""

from __future__ import annotations

import sympy as sp

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof
from softmax_trick.symbolic import GivenK, Matrix, Vector, cross_entropy, diag, outer, soft_cross_entropy, softmax

TARGETS = r"$y^\circ \in [0,1]^K, \ \sum_k y^\circ_k = 1$"
SCORES = r"$y \in (0,1)^K, \ \sum_k y_k = 1$"
RAW = r"$x \in \mathbb{R}^K$"


def gradient_of_ce(t: Vector, y: Vector) -> Vector:
    """Equation (3): -t / y."""
    return -t / y


def jacobian_as_printed(y: Vector) -> Matrix:
    """Theorem 1, property 4(a): diag[y] - y y^T."""
    return diag(y) - outer(y, y)


def gradient_of_softce_as_printed(t: Vector, y: Vector) -> Vector:
    """Theorem 1, properties 4(b) and 4(c): y - t."""
    return y - t


# --- 1 and 2: the gradient of cross-entropy ---------------------------------------------------------------------------


def property_1_repaired(p: Proof) -> None:
    """-t_k log y_k is differentiated term by term, and the sum over k leaves -t_i / y_i."""
    p.shows("grad(-t[k]*log(y[k]), y)[i] == -delta(i, k)*t[k]/y[k]", let="k: index K")
    p.concludes()


def property_2(p: Proof) -> None:
    """The chain rule through log: grad_y CE = -(t * (1 / y)), compared with the printed formula."""
    p.shows("grad(sum(log(y)), y) == 1/y")
    p.concludes()


def property_2_repaired(p: Proof) -> None:
    """All the partial derivatives of T1.1r, as one vector."""
    p.rests_on("T1.1r", "dCE/dy_i = -t_i / y_i for each i")
    p.concludes()


# --- 3: the range of cross-entropy ------------------------------------------------------------------------------------


def property_3(p: Proof) -> None:
    """For K >= 2, y_k in (0,1) is 1 / (1 + p_k) with p_k > 0; CE is a mean of positive numbers; -log y_1 is any."""
    odds, weight = sp.Symbol("p", positive=True), sp.Symbol("t_k", nonnegative=True)
    p.positive("y_k = 1/(1+p), p > 0, gives -log y_k = log(1 + p) > 0", sp.log(1 + odds))
    p.nonnegative("every term of CE is t_k log(1 + p_k) >= 0", weight * sp.log(1 + odds))
    p.cites("sum t = 1 and t >= 0 leave some t_k > 0, whose term is positive: CE > 0")
    t = p.classes.unit(1)
    rest = odds / (1 + odds) / (p.classes.size - 1)
    y = Vector(p.classes, lambda k: t[k] / (1 + odds) + (1 - t[k]) * rest)
    p.equal("y = (1/(1+p), q, ..., q) with q = p / (1+p) / (K-1) sums to 1", y.sum(), 1)
    more = sp.Symbol("N", positive=True)  # K - 1
    p.positive("q > 0 for K >= 2", odds / (1 + odds) / more)
    p.positive("1/(1+p) < 1, and q <= p/(1+p) < 1", 1 - odds / (1 + odds))
    p.equal("CE(e_1, y) = log(1 + p)", cross_entropy(t, y), sp.log(1 + odds))
    p.cites("log(1 + p) takes every value in (0, oo) as p runs over (0, oo)")


# --- 4: SoftMax and SoftCE --------------------------------------------------------------------------------------------


def property_4a(p: Proof) -> None:
    """The quotient rule, as in the paper's second proof."""
    p.shows(
        "jacobian(y, x) == [j:K, i:K] (delta(i, j) - y[i])*y[j]", words="-y_i y_j off the diagonal, (1 - y_i) y_i on it"
    )
    p.concludes()


def property_4b(p: Proof) -> None:
    """The elementary proof: the derivative of log sum exp is SoftMax."""
    p.shows("grad(log(sum(exp(x))), x) == y")
    p.shows("softce(u, x) == sum(u)*log(sum(exp(x))) - dot(u, x)", let="u: K")
    p.shows("grad(softce(u, x), x) == y*sum(u) - u", words="for any u", let="u: K")
    p.concludes()


def property_4c(p: Proof) -> None:
    """The proof by matrix calculus, equation (5): the chain rule with the symmetric Jacobian of SoftMax."""
    p.shows("jacobian(y, x) == jacobian(y, x).T", words="the Jacobian of SoftMax is symmetric")
    p.shows("grad(softce(t, x), x) == jacobian(y, x).T @ (-t/y)", words="the chain rule with grad_y CE = -t/y")
    p.shows("(diag(y) - outer(y, y)) @ (-u/y) == y*sum(u) - u", words="for any u", let="u: K")
    p.concludes()


def property_4d_counterexample(p: Proof) -> None:
    """SoftCE is a cross-entropy: it is never negative, and not bounded by 1."""
    two = GivenK(2)
    t = two.unit(1)
    x = Vector(two, lambda i: sp.KroneckerDelta(i, 2) * sp.log(8))
    value = soft_cross_entropy(t, x)
    p.equal("t = (1, 0), x = (0, log 8) have SoftCE = log 9", value, sp.log(9))
    p.positive("log 9 > 1", sp.log(9) - 1)
    p.refuted("log 9 is in the set and not in (-1, 1)", K=2, t="(1, 0)", x="(0, log 8)", SoftCE=value)


def property_4d_repaired(p: Proof) -> None:
    """For K >= 2 each component of the gradient has the range (-1, 1): SoftCE has a bounded gradient, as CE has not."""
    odds = sp.Symbol("p", positive=True)
    target, rest = sp.symbols("t_i rest", nonnegative=True)  # rest = 1 - t_i
    y_i = 1 / (1 + odds)
    p.positive("y_i - t_i < 1, as y_i = 1/(1+p), p > 0 and t_i >= 0", 1 - y_i + target)
    p.positive("y_i - t_i > -1, as t_i = 1 - rest with rest >= 0", y_i + rest)
    one = p.classes.unit(1)
    others = p.classes.constant(1) - one
    x = Vector(p.classes, lambda k: -one[k] * sp.log(odds) - others[k] * sp.log(p.classes.size - 1))
    y = softmax(x)
    p.equal("x = (-log p, -log(K-1), ..., -log(K-1)) has SoftMax(x)_1 = 1/(1+p)", y[1], y_i)
    away = others / (p.classes.size - 1)
    p.equal("t = (0, 1/(K-1), ..., 1/(K-1)) is a distribution", away.sum(), 1)
    p.equal("its component 1 of y - t is 1/(1+p): all of (0, 1)", (y - away)[1], y_i)
    p.equal("for t = e_1 it is -p/(1+p): all of (-1, 0)", (y - one)[1], -odds / (1 + odds))
    p.equal("for t = y it is 0", (y - y)[1], 0)
    p.cites("1/(1+p) takes every value in (0, 1) as p runs over (0, oo); any class may be numbered 1")


CLAIMS = (
    Claim(
        id="T1.1",
        formulas=("grad(ce(t, y), y)[i] == t[i]/y[i]",),
        let="t: K distribution; y: K positive; i: index K",
        where=("sum(y) == 1", "K >= 2"),
        source="section 2, Theorem 1, property 1",
        repaired_by="T1.1r",
    ),
    Claim(
        id="T1.1r",
        formulas=("grad(ce(t, y), y)[i] == -t[i]/y[i]",),
        let="t: K; y: K positive; i: index K",
        source="repair of Theorem 1, property 1",
        proof=property_1_repaired,
    ),
    Claim(
        id="T1.2",
        formulas=("grad(ce(t, y), y) == t/y",),
        let="t: K distribution; y: K positive",
        where=("sum(y) == 1", "K >= 2"),
        source="section 2, Theorem 1, property 2",
        proof=property_2,
        repaired_by="T1.2r",
    ),
    Claim(
        id="T1.2r",
        formulas=("grad(ce(t, y), y) == -t/y",),
        let="t: K; y: K positive",
        source="repair of Theorem 1, property 2; section 2, equation (3)",
        proof=property_2_repaired,
    ),
    Claim(
        id="T1.3",
        title="the range of CE is (0, ∞), K >= 2",
        statement=r"$\left\{ CE(y^\circ, y) : y^\circ \in [0, 1]^K, y \in (0, 1)^K \right\} = (0, \infty)$",
        source="section 2, Theorem 1, property 3",
        hypotheses=(TARGETS, SCORES, r"$K \ge 2$"),
        proof=property_3,
        classes=range(2, 7),
        remark="Read with the hypotheses of the theorem. The set by itself does not ask for the sums: read so, "
        r"$y^\circ = 0$ belongs to it and has $CE = 0$. For $K = 1$ the hypotheses leave no $y$.",
    ),
    Claim(
        id="T1.4a",
        formulas=("jacobian(y, x) == diag(y) - outer(y, y)",),
        let="x: K; y = softmax(x)",
        source="section 2, Theorem 1, property 4(a)",
        proof=property_4a,
    ),
    Claim(
        id="T1.4b",
        formulas=("grad(softce(t, x), x)[i] == y[i] - t[i]",),
        let="x: K; t: K distribution; y = softmax(x); i: index K",
        source="section 2, Theorem 1, property 4(b)",
        proof=property_4b,
    ),
    Claim(
        id="T1.4c",
        title="grad(softce(t, x), x) == y - t (the SoftMax trick)",
        formulas=("grad(softce(t, x), x) == y - t",),
        let="x: K; t: K distribution; y = softmax(x)",
        source="section 2, Theorem 1, property 4(c); equations (4) and (5)",
        proof=property_4c,
    ),
    Claim(
        id="T1.4d",
        title="the range of SoftCE is (-1, 1), as printed",
        statement=r"$\{\text{SoftCE}(y^\circ, x) : y^\circ \in [0, 1]^K, x \in \mathbb{R}^K\} = (-1, +1)$",
        source="section 2, Theorem 1, property 4(d)",
        counterexample=property_4d_counterexample,
        repaired_by="T1.4dr",
    ),
    Claim(
        id="T1.4dr",
        title="each component of grad_x SoftCE ranges over (-1, 1), K >= 2",
        statement=r"$\left\{\frac{\partial\, \text{SoftCE}(y^\circ, x)}{\partial x_i} : y^\circ \in [0, 1]^K, "
        r"\sum_k y^\circ_k = 1, x \in \mathbb{R}^K\right\} = (-1, +1)$",
        source="repair of Theorem 1, property 4(d)",
        hypotheses=(r"$K \ge 2$",),
        proof=property_4d_repaired,
        classes=range(2, 7),
    ),
)
