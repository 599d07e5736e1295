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
from softmax_trick.symbolic import Vector, diag, jacobian, outer, softmax

SOURCE = "beyond the paper: section 3 asks that a normalizer be Lipschitz, and names no constant"
MEAN_VALUE = "the smallest Lipschitz constant of a differentiable F is the supremum of ||dF/dx||"
RAW = r"$x, x' \in \mathbb{R}^K$"

CONSTANTS = {
    "softmax": sp.Rational(1, 2),
    "sigmoid": sp.Rational(1, 4),
    "tanh": sp.Integer(1),
    "hardtanh": sp.Integer(1),
    "hardsigmoid": sp.Rational(1, 4),
    "hardsigmoid_torch": sp.Rational(1, 6),
}


# --- SoftMax ----------------------------------------------------------------------------------------------------------


def covariance_times(y: Vector, v: Vector) -> Vector:
    """(D_y - y y^T) v."""
    return (diag(y) - outer(y, y)) @ v


def softmax_constant(p: Proof) -> None:
    """From above by Gershgorin; from below along x = (s, s, 0, ..., 0) with the eigenvector (1, -1, 0, ..., 0)."""
    bound, y = CONSTANTS["softmax"], p.vector("y")
    p.rests_on("T1.4a", "J = D_y - y y^T, which is symmetric")
    p.rests_on("X.convex.softmax", "and positive semidefinite: ||J|| is its largest eigenvalue")
    p.equal(
        "row i of |J| sums to y_i - y_i^2 + sum_(j != i) y_i y_j = 2 y_i (1 - y_i)",
        y - y * y + y * (y * -1 + y.sum()),
        y.map(lambda entry: 2 * entry * (1 - entry)),
        (y,),
    )
    p.cites("Gershgorin: no eigenvalue exceeds the largest of these row sums")
    u = sp.Symbol("u", real=True)
    p.equal("1/2 - 2u (1 - u) = 2 (u - 1/2)^2, and a square is >= 0", bound - 2 * u * (1 - u), 2 * (u - sp.S.Half) ** 2)
    p.cites(MEAN_VALUE)
    first, second = p.classes.unit(1), p.classes.unit(2)
    p.equal(
        "J (e_1 - e_2) = y_1 e_1 - y_2 e_2 - (y_1 - y_2) y",
        covariance_times(y, first - second),
        first * y[1] - second * y[2] - y * (y[1] - y[2]),
    )
    s = sp.Symbol("s", real=True)
    along = softmax((first + second) * s)
    p.equal("at x = (s, s, 0, ..., 0) y_1 = y_2, so that it is an eigenvalue", along[1], along[2])
    others = p.classes.size - 2
    p.equal("it is y_1 = 1/2 - (K-2) / (2 (2 e^s + K-2))", along[1], bound - others / (2 * (2 * sp.exp(s) + others)))
    p.cites("that is 1/2 for K = 2, and for K > 2 it tends to 1/2 as s -> oo")


def softmax_constant_reached(p: Proof) -> None:
    """Popoviciu's bound on a variance, and when it is reached."""
    y, v = p.vector("y"), p.vector("v")
    high, low, a = sp.symbols("M m a", real=True)
    mean = y.dot(v)
    p.rests_on("X.convex.softmax", "<v, J v> is the variance of v under y = SoftMax(x), with mean a = <y, v>")
    p.positive("every y_k > 0", softmax(v)[1])
    p.equal(
        "(M - a)(a - m) - variance = sum_k y_k (M - v_k)(v_k - m)",
        (high - mean) * (mean - low) - (y * (v - mean) * (v - mean)).sum(),
        (y * (v * -1 + high) * (v - low)).sum(),
        (y,),
    )
    p.cites("for M = max v, m = min v that is >= 0, and 0 only if every v_k is M or m")
    p.equal(
        "(M - m)^2/4 - (M - a)(a - m) = (a - (M + m)/2)^2 >= 0",
        (high - low) ** 2 / 4 - (high - a) * (a - low),
        (a - (high + low) / 2) ** 2,
    )
    p.equal(
        "(M^2 + m^2)/2 - (M - m)^2/4 = (M + m)^2/4 >= 0",
        (high**2 + low**2) / 2 - (high - low) ** 2 / 4,
        (high + low) ** 2 / 4,
    )
    p.cites("M and m stand at two places, or v is constant and its variance 0: in any case it is <= ||v||^2/2")
    p.cites("if it is ||v||^2/2 and v != 0, then M = -m, every v_k = M or -M, 2 M^2 = ||v||^2 = K M^2: K = 2")
    p.rests_on("X.lipschitz.softmax", "for K = 2 it is reached: at x = (s, s) the norm is 1/2")


def softmax_at_the_origin(p: Proof) -> None:
    """At x = 0 the Jacobian is 1/K times the projection that takes the mean away."""
    v = p.vector("v")
    p.rests_on("T1.4a", "J = D_y - y y^T")
    p.statement(
        "J(0) v = (v - mean(v)) / K",
        covariance_times(softmax(p.classes.constant(0)), v),
        (v - v.sum() / p.classes.size) / p.classes.size,
    )
    p.cites("for K >= 2 there is a v != 0 with mean 0, for which ||J(0) v|| = ||v|| / K; taking the mean away shortens")


# --- elementwise normalizers ------------------------------------------------------------------------------------------


def elementwise_constant(
    name: str, slope: Callable[[sp.Expr], sp.Expr], root: Callable[[sp.Expr], sp.Expr]
) -> Callable[[Proof], None]:
    """The proof that L is the largest slope: L - slope(y) = root(y)^2, and the slope at x = 0 is L."""

    def proof(p: Proof) -> None:
        x, bound = p.vector("x"), CONSTANTS[name]
        y = NORMALIZERS[name].symbolic(x)
        p.equal("the Jacobian is diagonal", jacobian(y, x), diag(y.map(slope)))
        p.rests_on(f"X.convex.{name}", "with positive entries, of which the largest is the norm")
        u = sp.Symbol("u", real=True)
        p.equal(f"{bound} - {slope(u)} = ({root(u)})^2 >= 0", bound - slope(u), root(u) ** 2)
        at_origin = NORMALIZERS[name].symbolic(p.classes.constant(0))[1]
        p.statement(f"at x = 0 every entry is {bound}", slope(at_origin), bound)
        p.cites(MEAN_VALUE)

    return proof


def hard_constant(name: str) -> Callable[[Findings], None]:
    """The check of the constant of a piecewise linear normalizer, kinks included."""

    def check(facts: Findings) -> None:
        import z3

        piecewise.acts_on_each_score(facts, name)
        bound, (f, _) = CONSTANTS[name], piecewise.of_one_score(name)
        r, s = z3.Reals("r s")
        move = piecewise.at(f, s) - piecewise.at(f, r)
        most = z3.RealVal(str(bound)) * z3.Abs(s - r)
        facts.valid(f"|f(s) - f(r)| <= {bound} |s - r| for all r, s", z3.And(move <= most, -move <= most))
        zero, half = (f.xreplace({piecewise.SCORE: score}) for score in (sp.S.Zero, sp.S.Half))
        facts.same(f"f(1/2) - f(0) = {bound} (1/2 - 0): no smaller constant", half - zero, bound / 2)
        facts.cites("||F(x) - F(x')||^2 is the sum of (f(x_i) - f(x'_i))^2, for any K")

    return check


def sparsemax_constant(p: Proof) -> None:
    """A projection onto a convex set never moves two points apart, and leaves the set as it is."""
    x, y, other, z = p.vector("x"), p.vector("y"), p.vector("x'"), p.vector("y'")
    p.cites("y = sparsemax(x), the nearest point of the simplex, has <x - y, v - y> <= 0 for every v of the simplex")
    p.equal(
        "<x' - x, y' - y> - ||y' - y||^2 = -<x' - y', y - y'> - <x - y, y' - y>, with y' = sparsemax(x')",
        (other - x).dot(z - y) - (z - y).dot(z - y),
        -(other - z).dot(y - z) - (x - y).dot(z - y),
    )
    p.cites("which is >= 0: with Cauchy and Schwarz, ||y' - y|| <= ||x' - x||")
    e, f = p.classes.unit(1), p.classes.unit(2)
    p.equal("e_1 lies in the simplex, as e_2 does", e.sum(), 1)
    p.equal("they differ, ||e_1 - e_2||^2 = 2, and sparsemax leaves them where they are", (e - f).dot(e - f), 2)


def _constant(name: str, title: str, function: str, **evidence: Any) -> Claim:
    bound = CONSTANTS[name]
    return Claim(
        id=f"X.lipschitz.{name.replace('_', '-')}",
        title=f"the Lipschitz constant of {title} is {bound}",
        statement=rf"$\|F(x) - F(x')\|_2 \le {sp.latex(bound)} \|x - x'\|_2$ for $F = \text{{{function}}}$, and no "
        "smaller constant will do",
        source=SOURCE,
        **{"hypotheses": (RAW,), **evidence},
    )


def _hard_constant(name: str, function: str) -> Claim:
    check = Check("z3", hard_constant(name), "all real scores; the K scores are alike")
    return _constant(name, function, function, checks=(check,))


CLAIMS = (
    _constant(
        "softmax",
        "SoftMax, K >= 2,",
        "SoftMax",
        proof=softmax_constant,
        hypotheses=(RAW, r"$K \ge 2$"),
        classes=range(2, 7),
    ),
    Claim(
        id="X.lipschitz.softmax-reached",
        title="the norm 1/2 of SoftMax's Jacobian is reached only for K = 2",
        statement=r"$\left\|\frac{\partial \text{SoftMax}(x)}{\partial x}\right\|_2 = \frac{1}{2}$ for some $x$ "
        r"$\iff K = 2$; for $K \ge 3$ it is below $\frac{1}{2}$ at every $x$",
        source=SOURCE,
        hypotheses=(r"$K \ge 2$",),
        proof=softmax_constant_reached,
        classes=range(2, 7),
    ),
    Claim(
        id="X.lipschitz.softmax-origin",
        title="at x = 0 the norm of SoftMax's Jacobian is 1/K, K >= 2",
        statement=r"$\left\|\frac{\partial \text{SoftMax}(x)}{\partial x}\right\|_2 = \frac{1}{K}$ at $x = 0$",
        source=SOURCE,
        hypotheses=(r"$K \ge 2$",),
        proof=softmax_at_the_origin,
        classes=range(2, 7),
    ),
    _constant(
        "sigmoid",
        "Sigmoid",
        "Sigmoid",
        proof=elementwise_constant("sigmoid", lambda y: y * (1 - y), lambda y: y - sp.S.Half),
    ),
    _constant(
        "tanh",
        "Tanh",
        "Tanh",
        proof=elementwise_constant("tanh", lambda y: 1 - y**2, lambda y: y),
    ),
    _hard_constant("hardtanh", "HardTanh"),
    _hard_constant("hardsigmoid", "the paper's HardSigmoid"),
    _hard_constant("hardsigmoid_torch", "PyTorch's HardSigmoid"),
    Claim(
        id="X.lipschitz.sparsemax",
        title="the Lipschitz constant of sparsemax, K >= 2, is 1",
        statement=r"$\|\text{sparsemax}(x) - \text{sparsemax}(x')\|_2 \le \|x - x'\|_2$, and no "
        "smaller constant will do",
        source="beyond the paper: sparsemax as in Martins, Astudillo, ICML 2016",
        hypotheses=(RAW, r"$K \ge 2$"),
        proof=sparsemax_constant,
        classes=range(2, 7),
    ),
)
