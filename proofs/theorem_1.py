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

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof

GRADIENT_OF_CE = "grad(ce(t, y), y) == -t/y"  # equation (3)
TRICK = "grad(softce(t, x), x) == y - t"  # equation (4)

# Where the values of a range are attained: e is the first vertex.
VALUE_OF_CE = "p: positive; e = [k:K] delta(k, 1); z = e/(1 + p) + (ones(K) - e)*p/(1 + p)/(K - 1)"
VALUE_OF_GRADIENT = (
    "p: positive; e = [k:K] delta(k, 1); x = -log(p)*e - log(K - 1)*(ones(K) - e); y = softmax(x); "
    "away = (ones(K) - e)/(K - 1)"
)
BEYOND_ONE = "t = [k:K] delta(k, 1); x = log(8)*(ones(K) - t)"


# --- 1 and 2: the gradient of cross-entropy ---------------------------------------------------------------------------


def property_1_repaired(p: Proof) -> None:
    """Term by term; the sum over k leaves the one with k = i."""
    p.shows("grad(-t[k]*log(y[k]), y)[i] == -delta(i, k)*t[k]/y[k]", let="k: index K")
    p.concludes()


def property_2(p: Proof) -> None:
    """The chain rule through log, compared with the printed formula."""
    p.shows("grad(sum(log(y)), y) == 1/y")
    p.concludes()


def property_2_repaired(p: Proof) -> None:
    """All the partial derivatives of T1.1r, as one vector."""
    p.rests_on("T1.1r", "dCE/dy_i = -t_i / y_i for each i")
    p.concludes()


# --- 3: the range of cross-entropy ------------------------------------------------------------------------------------


def property_3(p: Proof) -> None:
    """For K >= 2, y_k in (0,1) is 1 / (1 + p) with p > 0; CE is a mean of positive numbers; -log y_1 is any."""
    p.shows("log(1 + p) > 0", words="which is -log y_k", let="p: positive")
    p.shows("s*log(1 + p) >= 0", words="every term of CE", let="p: positive; s: nonnegative")
    p.cites("sum t = 1 and t >= 0 leave some t_k > 0, whose term is positive: CE > 0")
    p.shows("sum(z) == 1", let=VALUE_OF_CE)
    p.shows("1/(1 + p) < 1", "p/(1 + p)/n > 0", words="the entries of z, n = K - 1", let="p: positive; n: positive")
    p.shows("p/(1 + p) < 1", words="and the others are no larger than that", let="p: positive")
    p.shows("ce(e, z) == log(1 + p)", let=VALUE_OF_CE)
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
    p.shows("softce(t, x) == log(9)", let=BEYOND_ONE)
    p.shows("log(9) > 1")
    p.refuted("log 9 is in the set and not in (-1, 1)", K=2, t="(1, 0)", x="(0, log 8)", SoftCE="log(9)")


def property_4d_repaired(p: Proof) -> None:
    """For K >= 2 each component of the gradient has the range (-1, 1): SoftCE has a bounded gradient, as CE has not."""
    p.shows("y_i - t_i < 1", let="p: positive; y_i = 1/(1 + p); t_i: nonnegative")
    p.shows("y_i - t_i > -1", let="p: positive; y_i = 1/(1 + p); r: nonnegative; t_i = 1 - r")
    p.shows("y[1] == 1/(1 + p)", let=VALUE_OF_GRADIENT)
    p.shows("sum(away) == 1", let=VALUE_OF_GRADIENT)
    p.shows("(y - away)[1] == 1/(1 + p)", words="all of (0, 1)", let=VALUE_OF_GRADIENT)
    p.shows("(y - e)[1] == -p/(1 + p)", words="all of (-1, 0)", let=VALUE_OF_GRADIENT)
    p.shows("(y - y)[1] == 0", words="for t = y", let=VALUE_OF_GRADIENT)
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
        formulas=(GRADIENT_OF_CE,),
        let="t: K; y: K positive",
        source="repair of Theorem 1, property 2; section 2, equation (3)",
        proof=property_2_repaired,
    ),
    Claim(
        id="T1.3",
        title="the range of CE is (0, ∞), K >= 2",
        statement=r"$\left\{\formula{ce(t, y)} : y^\circ \in [0, 1]^K, y \in (0, 1)^K\right\} = (0, \infty)$",
        source="section 2, Theorem 1, property 3",
        let="t: K distribution; y: K positive",
        where=("sum(y) == 1", "K >= 2"),
        proof=property_3,
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
        title="the SoftMax trick",
        formulas=(TRICK,),
        let="x: K; t: K distribution; y = softmax(x)",
        source="section 2, Theorem 1, property 4(c); equations (4) and (5)",
        proof=property_4c,
    ),
    Claim(
        id="T1.4d",
        title="the range of SoftCE is (-1, 1), as printed",
        statement=r"$\{\formula{softce(t, x)} : y^\circ \in [0, 1]^K, x \in \mathbb{R}^K\} = (-1, +1)$",
        source="section 2, Theorem 1, property 4(d)",
        let="t: K unit; x: K",
        counterexample=property_4d_counterexample,
        repaired_by="T1.4dr",
    ),
    Claim(
        id="T1.4dr",
        title="each component of the gradient of SoftCE ranges over (-1, 1), K >= 2",
        statement=r"$\left\{\formula{grad(softce(t, x), x)[i]}\right\} = (-1, +1)$, the set of all values",
        let="x: K; t: K distribution; i: index K",
        source="repair of Theorem 1, property 4(d)",
        where=("K >= 2",),
        proof=property_4d_repaired,
    ),
)
