r"""Theorems on choice rules y_i = g_i(x_i) / (C + sum_k g_k(x_k)): which of them have a loss, and what slack costs.

Where g_i' = r_i g_i, what is true of a Jacobian at one point depends on the values g_i > 0 and r_i there alone. So it
is decided for vectors g and r, and J = (dy/dg) diag(r g)."""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof

RULE = "g: K positive; r: K; C: nonnegative; y = g/(C + sum(g)); J = jacobian(y, g) @ diag(r*g); i: index K; j: index K"
FAMILY = (
    "x: K; a: K; C: real; u: positive; w = C + sum(a*exp(x)); v = C*u + sum(a*exp(x)); y = a*exp(x)/w; z = a*exp(x)/v"
)
ENTMAX = "y: K positive; alpha: real; s = y**(2 - alpha); S = sum(s); J = diag(s) - outer(s, s)/S"
SCHWARZ = (
    "a gradient field that is differentiable has a symmetric Jacobian (Schwarz), on R^K also conversely (Poincaré)"
)
FENCHEL_YOUNG = "Blondel, Martins, Niculae, JMLR 21, 2020"


def one_temperature(p: Proof) -> None:
    """Symmetry of the Jacobian, then what it says of functions of one score each."""
    p.concludes(1)
    p.cites(SCHWARZ)
    p.cites(
        "y_i y_j > 0: symmetry for i != j is r_i(x_i) = r_j(x_j) at every x; either side is free, so both are constant"
    )
    p.cites("with one constant beta for all classes (K >= 2), (log g_i)' = beta is g_i = a_i exp(beta x_i), a_i > 0")
    p.concludes(2)
    p.shows(
        "grad(dot(y, x) - dot(t, x), x) == y - t",
        words="for beta = 0, y constant, a linear function",
        let="y: K; t: K; x: K",
    )


def taylor(p: Proof) -> None:
    """Two scores at which the logarithmic derivatives differ."""
    p.rests_on("TH.choice", "it has a loss only if all (log g_i)' are one constant")
    p.concludes()
    p.shows(
        "r[1] - r[2] == 1/5", words="at x_1 = 0, x_2 = 1", let="x = [k:K] delta(k, 2); r = (2 + 2*x)/(2 + 2*x + x**2)"
    )


def spherical(p: Proof) -> None:
    """The same for squares."""
    p.rests_on("TH.choice", "it has a loss only if all (log g_i)' are one constant")
    p.concludes()
    p.shows("r[1] - r[2] == 1", words="at x_1 = 1, x_2 = 2", let="x = [k:K] (1 + delta(k, 2)); r = 2/x")


def no_minimiser(p: Proof) -> None:
    """The slope along (1, ..., 1) is never 0."""
    p.rests_on("X.gradient.slack", "y - t is the gradient of log(C + sum_k exp(x_k)) - <x, t>")
    p.concludes()
    p.cites("<(1, ..., 1), grad> < 0 at every x: no x is a minimum, and the loss falls along (1, ..., 1) for ever")


def shifts(p: Proof) -> None:
    """What a shift does to the soft scores."""
    p.cites("F(x + s) = a e^(x + s) / (C + sum a e^(x + s)) is z for u = e^-s: both are divided by e^s")
    p.concludes()
    p.cites("for s != 0 and some a_i != 0 the right side is 0 only if C = 0, and then z = y")


def second_repair(p: Proof) -> None:
    """The classification, and shifts in the place of unity."""
    p.rests_on("A1c", "(P2) with d = 1 and y_i > 0 is y_i = a_i exp(x_i) / w, w = C + sum_k a_k exp(x_k)")
    p.rests_on("TH.shift", "invariance under shifts is C = 0")
    p.cites("a and w may change sign together: let w > 0, then a > 0, and c = -log a")
    p.concludes()


def entmax_jacobian(p: Proof) -> None:
    """Inside a support y_i^(alpha - 1) = (alpha - 1) x_i - tau: its differential has one solution with sum dy = 0."""
    p.concludes()
    p.cites(
        "so dy = J dx solves y^(alpha-2) dy = dx - theta, sum dy = 0, theta one number; s > 0 makes the solution unique"
    )
    p.cites(
        "a support is locally constant where no other class is at its edge: there J is the Jacobian (Peters et al., "
        "ACL 2019)"
    )


def entmax_trick(p: Proof) -> None:
    """The trick would make d constant; two soft scores show that it is not."""
    p.rests_on("TH.entmax.jacobian", "J is the Jacobian on the interior of a support")
    p.concludes()
    p.shows(
        "s[j]/y[j]*(s/S) == y[j]**(1 - alpha)*s/S", words="entry i != j of the trick: d_i = (y_i y_j)^(1-alpha) / S"
    )
    p.cites("for K >= 3 two other classes j, l with y_j != y_l ask for y_j^(1-alpha) = y_l^(1-alpha): alpha = 1")
    p.shows(
        "(u*(1 - u))**(1 - alpha)/(u**(2 - alpha) + (1 - u)**(2 - alpha)) == 2**(alpha - 1)",
        words="for K = 2 at y = (1/2, 1/2)",
        let="alpha: real; u = 1/2",
    )
    p.cites("and for alpha > 1 that tends to oo as u -> 0: d_1 is no constant")
    p.shows("y**(2 - 1) == y", words="for alpha = 1, s = y and S = 1: the trick of SoftMax, d = 1")


CLAIMS = (
    Claim(
        id="TH.choice",
        title="a choice rule has a loss only if it is SoftMax at one temperature, with slack",
        statement=r"For $y_i = g_i(x_i) / (C + \sum_k g_k(x_k))$ with differentiable $g_i > 0$ and $C \ge 0$, $y - "
        r"y^\circ$ is a gradient $\iff$ all $(\log g_i)'$ are one constant $\beta$: $\formula{1}$, for $J$ its "
        r"Jacobian and $r_i = (\log g_i)'$; and then $\formula{2}$",
        formulas=(
            "J[i,j] - J[j,i] == (r[i] - r[j])*y[i]*y[j]",
            "a*exp(beta*x)/w - t == grad(log(w)/beta - dot(t, x), x)",
        ),
        let=f"{RULE}; x: K; a: K positive; t: K; beta: real; w = C + sum(a*exp(beta*x))",
        where=("K >= 2", "beta != 0"),
        source="ours, group 1. Choice rules: Luce 1959; losses with a given gradient: " + FENCHEL_YOUNG,
        proof=one_temperature,
    ),
    Claim(
        id="TH.choice.taylor",
        title="so Taylor SoftMax has none",
        statement=r"$y - y^\circ$ is no gradient for $y_i \sim 1 + x_i + x_i^2/2$, which is positive: with $r = (\log "
        r"g)'$, $\formula{1}$, and $r_1 \ne r_2$ for some $x$",
        formulas=("jacobian(y, x)[i,j] - jacobian(y, x)[j,i] == (r[i] - r[j])*y[i]*y[j]",),
        let="x: K; g = 2 + 2*x + x**2; r = (2 + 2*x)/g; y = g/sum(g); i: index K; j: index K",
        where=("K >= 2", "g > 0", "sum(g) > 0"),
        source="ours, group 1; de Brébisson, Vincent, ICLR 2016",
        proof=taylor,
    ),
    Claim(
        id="TH.choice.spherical",
        title="nor has spherical SoftMax",
        statement=r"$y - y^\circ$ is no gradient for $y_i = x_i^2 / \|x\|^2$: with $r = (\log g)'$, $\formula{1}$, and "
        r"$r_1 \ne r_2$ for some $x$",
        formulas=("jacobian(y, x)[i,j] - jacobian(y, x)[j,i] == (r[i] - r[j])*y[i]*y[j]",),
        let="x: K positive; r = 2/x; y = x**2/sum(x**2); i: index K; j: index K",
        where=("K >= 2",),
        source="ours, group 1; de Brébisson, Vincent, ICLR 2016",
        proof=spherical,
    ),
    Claim(
        id="TH.slack",
        title="with slack no minimiser is finite, for any target on the simplex",
        statement=r"For $C > 0$, $\formula{1}$ and $\formula{2}$: the loss of SoftMax with slack has no minimum",
        formulas=("sum(y - t) == -C/(C + sum(exp(x)))", "sum(y - t) < 0"),
        let="x: K; t: K distribution; C: positive; y = softmax(x, slack=C)",
        source="ours, group 2. Slack: Miller, Attention is off by one, 2023; attention sinks: Xiao et al., ICLR 2024",
        proof=no_minimiser,
    ),
    Claim(
        id="TH.shift",
        title="among the functions with (P2), d = 1, those that shifts leave as they are have C = 0",
        statement=r"For $y = F(x)$ with some $a_i \ne 0$ and $z = F(x + s)$, $u = e^{-s}$, $z = y$ for all $x$ and "
        r"$s$ $\iff C = 0$: $\formula{1}$",
        formulas=("(z - y)*v == y*C*(1 - u)",),
        let=FAMILY,
        where=("w != 0", "v != 0"),
        source="ours, group 3",
        proof=shifts,
    ),
    Claim(
        id="TH.shift.repair",
        title="a second repair of Theorem A1: positivity and shift invariance in the place of unity",
        statement=r"For differentiable $F: \mathbb{R}^K \to (0, \infty)^K$: (P2) with $d = 1$ and $F(x + s "
        r"\mathbf{1}) = F(x)$ for all $x, s$ $\iff F(x) = \text{SoftMax}(x - c)$ for some $c$; since $\formula{1}$ "
        r"and $\formula{2}$",
        formulas=("a*exp(x)/sum(a*exp(x)) == softmax(x - c)", "softmax(x + s - c) == softmax(x - c)"),
        let="x: K; a: K positive; s: real; c = -log(a)",
        source="ours, group 3",
        proof=second_repair,
    ),
    Claim(
        id="TH.entmax.jacobian",
        title="the Jacobian of alpha-entmax inside a support",
        statement=r"For $s = y^{2 - \alpha}$ over the support, $J = D_s - s s^\top / \sum s$: $\formula{1}$ and "
        r"$\formula{2}$ for every $v$, which are the differentials of its definition",
        formulas=("y**(alpha - 2)*(J @ v) == v - dot(s, v)/S", "sum(J @ v) == 0"),
        let=f"{ENTMAX}; v: K",
        source="ours, group 5. alpha-entmax: Peters, Niculae, Martins, ACL 2019; K counts the classes of the support",
        proof=entmax_jacobian,
    ),
    Claim(
        id="TH.entmax.trick",
        title="its J^T (-e_j / y) in closed form: the trick, for alpha = 1 only",
        statement=r"$\formula{1}$ for every class $j$ of the support; for $\alpha \ge 1$ and $K \ge 2$ that is $d "
        r"\odot (y - e_j)$ for a constant $d$ $\iff \alpha = 1$",
        formulas=("J.T @ (-[k:K] delta(k, j)/y[k]) == s[j]/y[j]*(s/S - [k:K] delta(k, j))",),
        let=f"{ENTMAX}; j: index K",
        where=("K >= 2",),
        source="ours, group 5",
        proof=entmax_trick,
    ),
)
