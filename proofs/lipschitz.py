r"""Beyond the paper: exact Lipschitz constants of the normalizers in the Euclidean norm, every K.

Section 3 asks of a normalizer that it be Lipschitz near zero; all of the paper's are, on all of R^K, and these are the
smallest constants. For a differentiable F the constant is the supremum of the norm of its Jacobian (the mean value
inequality, and the definition of the derivative).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import piecewise
from softmax_trick.proofs.implicit_losses import EACH_SCORE, HARD, NONEXPANSIVE, PROJECTION, PROJECTIONS
from softmax_trick.symbolic import softmax

SOURCE = "beyond the paper: section 3 asks that a normalizer be Lipschitz, and names no constant"
MEAN_VALUE = "the smallest Lipschitz constant of a differentiable F is the supremum of ||dF/dx||"
TWO = ("K >= 2",)
RAW = r"$x, x' \in \mathbb{R}^K$"


# --- SoftMax ----------------------------------------------------------------------------------------------------------


def softmax_constant(p: Proof) -> None:
    """From above by Gershgorin; from below along x = (s, s, 0, ..., 0) with the eigenvector (1, -1, 0, ..., 0)."""
    bound = NORMALIZERS["softmax"].lipschitz
    p.rests_on("T1.4a", "J = D_y - y y^T, which is symmetric")
    p.rests_on("X.convex.softmax", "and positive semidefinite: ||J|| is its largest eigenvalue")
    p.shows("y - y**2 + y*(sum(y) - y) == 2*y*(1 - y)", words="the sums of the rows of |J|")
    p.cites("Gershgorin: no eigenvalue exceeds the largest of these row sums")
    p.shows(f"{bound} - 2*u*(1 - u) == 2*(u - 1/2)**2", words="and a square is >= 0", let="u: real")
    p.cites(MEAN_VALUE)
    let = "v = [k:K] (delta(k, 1) - delta(k, 2)); s: real; z = softmax([k:K] s*(delta(k, 1) + delta(k, 2)))"
    p.shows("(diag(y) - outer(y, y)) @ v == [k:K] (delta(k, 1)*y[1] - delta(k, 2)*y[2] - (y[1] - y[2])*y[k])", let=let)
    p.shows("z[1] == z[2]", words="at x = (s, s, 0, ..., 0), so that z_1 is an eigenvalue", let=let)
    p.shows(f"z[1] == {bound} - (K - 2)/(2*(2*exp(s) + (K - 2)))", let=let)
    p.cites("that is 1/2 for K = 2, and for K > 2 it tends to 1/2 as s -> oo")


def softmax_constant_reached(p: Proof) -> None:
    """Popoviciu's bound on a variance, and when it is reached."""
    p.rests_on("X.convex.softmax", "<v, J v> is the variance of v under y = SoftMax(x), with mean a = <y, v>")
    p.positive("every y_k > 0", softmax(p.vector("x"))[1])
    p.shows("(M - a)*(a - m) - sum(y*(v - a)**2) == sum(y*(M - v)*(v - m))", let="a = dot(y, v)")
    p.cites("for M = max v, m = min v that is >= 0, and 0 only if every v_k is M or m")
    p.shows("(M - m)**2/4 - (M - a)*(a - m) == (a - (M + m)/2)**2", words="and a square is >= 0", let="a: real")
    p.shows("(M**2 + m**2)/2 - (M - m)**2/4 == (M + m)**2/4", words="and a square is >= 0")
    p.cites("M and m stand at two places, or v is constant and its variance 0: in any case it is <= ||v||^2/2")
    p.cites("if it is ||v||^2/2 and v != 0, then M = -m, every v_k = M or -M, 2 M^2 = ||v||^2 = K M^2: K = 2")
    p.rests_on("X.lipschitz.softmax", "for K = 2 it is reached: at x = (s, s) the norm is 1/2")


def softmax_at_the_origin(p: Proof) -> None:
    """At x = 0 the Jacobian is 1/K times the projection that takes the mean away."""
    p.rests_on("T1.4a", "J = D_y - y y^T")
    p.concludes()
    p.cites("for K >= 2 there is a v != 0 with mean 0, for which ||J(0) v|| = ||v|| / K; taking the mean away shortens")


# --- elementwise normalizers ------------------------------------------------------------------------------------------


def elementwise_constant(name: str, root: str) -> Callable[[Proof], None]:
    """The proof that L is the largest slope: L less the slope is a square, and the slope at x = 0 is L."""

    def proof(p: Proof) -> None:
        bound = NORMALIZERS[name].lipschitz
        slope = NORMALIZERS[name].jacobian.removeprefix("diag(").removesuffix(")")
        p.rests_on(f"X.convex.{name}", "the Jacobian is diagonal, with positive entries: the largest is its norm")
        p.shows(f"{bound} - ({slope}) == ({root})**2", words="and a square is >= 0", let="y: real")
        p.shows(f"{slope} == {bound}", words="at x = 0", let=f"y = {name}(0)")
        p.cites(MEAN_VALUE)

    return proof


def hard_constant(name: str) -> Callable[[Findings], None]:
    """The check of the constant of a piecewise linear normalizer, kinks included."""

    def check(findings: Findings) -> None:
        import z3

        piecewise.acts_on_each_score(findings, name)
        bound, (f, _) = sp.Rational(NORMALIZERS[name].lipschitz), piecewise.of_one_score(name)
        r, s = z3.Reals("r s")
        move = piecewise.at(f, s) - piecewise.at(f, r)
        most = z3.RealVal(str(bound)) * z3.Abs(s - r)
        findings.valid(f"|f(s) - f(r)| <= {bound} |s - r| for all r, s", z3.And(move <= most, -move <= most))
        zero, half = (f.xreplace({piecewise.SCORE: score}) for score in (sp.S.Zero, sp.S.Half))
        findings.same(f"f(1/2) - f(0) = {bound} (1/2 - 0): no smaller constant", half - zero, bound / 2)
        findings.cites("||F(x) - F(x')||^2 is the sum of (f(x_i) - f(x'_i))^2, for any K")

    return check


def sparsemax_constant(p: Proof) -> None:
    """A projection onto a convex set never moves two points apart, and leaves the set as it is."""
    p.cites(PROJECTION)
    p.shows(NONEXPANSIVE, words="for y' = sparsemax(x')")
    p.cites("which is >= 0: with Cauchy and Schwarz, ||y' - y|| <= ||x' - x||")
    p.shows("sum[k:K] delta(k, 1) == 1", words="the first unit vector lies in the simplex, as the second does")
    p.shows("sum[k:K] (delta(k, 1) - delta(k, 2))**2 == 2", words="they differ, and sparsemax leaves them as they are")


def _constant(name: str, title: str, function: str, **evidence: Any) -> Claim:
    bound = sp.Rational(NORMALIZERS[name].lipschitz)
    return Claim(
        id=f"X.lipschitz.{name.replace('_', '-')}",
        title=f"the Lipschitz constant of {title} is {bound}",
        statement=rf"$\|F(x) - F(x')\|_2 \le {sp.latex(bound)} \|x - x'\|_2$ for $F = \text{{{function}}}$, and no "
        "smaller constant will do",
        source=SOURCE,
        hypotheses=(RAW,),
        **evidence,
    )


CLAIMS = (
    _constant("softmax", "SoftMax, K >= 2,", "SoftMax", let="y: K distribution", where=TWO, proof=softmax_constant),
    Claim(
        id="X.lipschitz.softmax-reached",
        title="the norm 1/2 of SoftMax's Jacobian is reached only for K = 2",
        statement=r"$\left\|\frac{\partial \text{SoftMax}(x)}{\partial x}\right\|_2 = \frac{1}{2}$ for some $x$ "
        r"$\iff K = 2$; for $K \ge 3$ it is below $\frac{1}{2}$ at every $x$",
        source=SOURCE,
        let="y: K distribution; v: K; M: real; m: real",
        where=TWO,
        proof=softmax_constant_reached,
    ),
    Claim(
        id="X.lipschitz.softmax-origin",
        title="at x = 0 the norm of SoftMax's Jacobian is 1/K, K >= 2",
        statement=r"$\left\|\frac{\partial \text{SoftMax}(x)}{\partial x}\right\|_2 = \frac{1}{K}$ at $x = 0$, where "
        r"$\formula{1}$",
        source=SOURCE,
        formulas=("(diag(y) - outer(y, y)) @ v == (v - mean(v))/K",),
        let="v: K; y = ones(K)/K",
        where=TWO,
        proof=softmax_at_the_origin,
    ),
    _constant("sigmoid", "Sigmoid", "Sigmoid", proof=elementwise_constant("sigmoid", "y - 1/2")),
    _constant("tanh", "Tanh", "Tanh", proof=elementwise_constant("tanh", "y")),
    *(
        _constant(name, function, function, checks=(Check("z3", hard_constant(name), EACH_SCORE),))
        for name, function in HARD.items()
    ),
    Claim(
        id="X.lipschitz.sparsemax",
        title="the Lipschitz constant of sparsemax, K >= 2, is 1",
        statement=r"$\|\text{sparsemax}(x) - \text{sparsemax}(x')\|_2 \le \|x - x'\|_2$, and no "
        "smaller constant will do",
        source="beyond the paper: sparsemax as in Martins, Astudillo, ICML 2016",
        hypotheses=(RAW,),
        let=PROJECTIONS,
        where=TWO,
        proof=sparsemax_constant,
    ),
)
