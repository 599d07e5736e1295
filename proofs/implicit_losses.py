r"""Beyond the paper: what ISBE minimises. Which errors F(x) - t are gradients, of which loss, and whether it is convex.

The error x -> F(x) - t is the gradient of P(x) - <x, t> if grad P = F. Most normalizers have such a potential P, and
ISBE with them minimises a loss, though it never computes it (a Fenchel-Young loss: Blondel, Martins, Niculae, JMLR 21,
2020). Two have none, and ISBE with them minimises nothing: the second derivatives of P would not commute.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import piecewise

SOURCE = "beyond the paper: what ISBE minimises"
CONVEXITY = "beyond the paper: convexity of what ISBE minimises"
SYMMETRY = "a gradient field that is differentiable has a symmetric Jacobian (Schwarz)"
RAW = r"$x \in \mathbb{R}^K$"

EACH_SCORE = "all real scores; the K scores are alike"
HARD = {"hardtanh": "HardTanh", "hardsigmoid": "the paper's HardSigmoid", "hardsigmoid_torch": "PyTorch's HardSigmoid"}

PROJECTIONS = "x: K; y: K; x': K; y': K"  # y and y' are the projections of x and x' onto a convex set
PROJECTION = "y = sparsemax(x), the nearest point of the simplex, has <x - y, v - y> <= 0 for every v of the simplex"


# --- smooth normalizers -----------------------------------------------------------------------------------------------


def temperature_gradient(p: Proof) -> None:
    """One dilation for all classes: the cross-entropy at a temperature, divided by the dilation."""
    p.shows(
        "logsumexp(beta*x - c)*sum(t)/beta - dot(x, t) == (softce(t, beta*x - c) - dot(c, t))/beta",
        words="but for a constant the cross-entropy, where t sums to 1",
    )
    p.concludes()


def tanh_gradient(p: Proof) -> None:
    """Tanh is a dilated Sigmoid, and its loss the binary cross-entropy at 2x."""
    p.shows("grad(sum(softplus(2*x)) - dot(2*x, t), x) == tanh(x) - (2*t - 1)", words="the loss of Sigmoid at 2x")
    p.concludes()


# --- piecewise normalizers --------------------------------------------------------------------------------------------


def hard_gradient(name: str) -> Callable[[Findings], None]:
    """The check that the potential of this piecewise normalizer has it as its gradient, at the kinks too."""

    def check(findings: Findings) -> None:
        import z3

        piecewise.acts_on_each_score(findings, name)
        f, potential = piecewise.of_one_score(name)
        s, h = z3.Reals("s h")
        remainder = piecewise.at(potential, s + h) - piecewise.at(potential, s) - piecewise.at(f, s) * h
        findings.valid(
            "|p(s + h) - p(s) - f(s) h| <= h^2 for all s, h", z3.And(remainder <= h * h, -remainder <= h * h)
        )
        findings.cites("divided by h, that is p'(s) = f(s) at every s, by the definition of the derivative")
        findings.cites("f is continuous, so that the gradient of P(x) - <x, t> = sum_i (p(x_i) - x_i t_i) is F(x) - t")

    return check


def _hard(name: str, potential: str) -> Claim:
    return Claim(
        id=f"X.gradient.{name.replace('_', '-')}",
        title=f"ISBE with {HARD[name]} minimises a clipped least squares",
        statement=rf"$F(x) - y^\circ = \nabla_x \left[{potential} - \langle x, y^\circ \rangle\right]$ everywhere, "
        rf"for F {HARD[name]}, any targets $y^\circ$ and $H(s) = s^2/2$ for $|s| \le 1$, $|s| - 1/2$ beyond (Huber)",
        source=SOURCE,
        hypotheses=(RAW,),
        checks=(Check("z3", hard_gradient(name), EACH_SCORE),),
    )


# --- x / ||x||, sparsemax ---------------------------------------------------------------------------------------------


def normalize_gradient(p: Proof) -> None:
    """The potential is the norm itself; at 0 it has a corner, and next to 0 the error jumps."""
    p.concludes()
    near = "s: positive; e = [k:K] delta(k, 1)"
    p.shows("norm(s*e)/s == 1", words="the slope from the right of 0", let=near)
    p.shows("norm(-s*e)/(-s) == -1", words="and from the left: no derivative at 0", let=near)
    p.shows("s*e/norm(s*e) - (-s*e)/norm(-s*e) == 2*e", words="a jump between s e and -s e", let=near)
    p.shows("norm(2*e) == norm(2*s*e)/s", words="which is 1/s times the distance of the two points", let=near)
    p.cites("1/s is unbounded as s -> 0: F has no Lipschitz constant on any neighbourhood of 0 less 0")


def normalize_p_has_no_loss(p: Proof) -> None:
    """The Jacobian of x / ||x||_p is not symmetric where two positive entries differ, unless p = 2."""
    p.concludes()
    p.shows("1*2**(p - 1) - 2*1**(p - 1) == 2**p/2 - 2", words="the numerator for x_i = 2, x_j = 1")
    p.cites("2^(p-1) = 2 only for p = 2, since 2^u is strictly increasing")
    p.cites(SYMMETRY)


def sparsemax_gradient(p: Proof) -> None:
    """Sparsemax is the projection onto the simplex; only the variational inequality of projections is used."""
    let = "P = dot(x, x)/2 - dot(x - y, x - y)/2; P' = dot(x', x')/2 - dot(x' - y', x' - y')/2; h = x' - x"
    p.cites(PROJECTION)
    p.shows("P == dot(x, y) - dot(y, y)/2", let=let)
    p.shows(
        "P' - P - dot(y, h) == -dot(x' - y', y - y') + dot(y' - y, y' - y)/2",
        words="the remainder, for y' = sparsemax(x')",
        let=let,
    )
    p.cites("both terms are >= 0, the first by the inequality at x' with v = y")
    p.shows(
        "dot(h, y' - y) - (P' - P - dot(y, h)) == -dot(x - y, y' - y) + dot(y' - y, y' - y)/2",
        words="<h, y' - y> less the remainder",
        let=let,
    )
    p.cites("both terms are >= 0, the first by the inequality at x with v = y': 0 <= remainder <= <h, y' - y>")
    p.shows(NONEXPANSIVE)
    p.cites("which is >= 0: with Cauchy and Schwarz, ||y' - y|| <= ||h|| and 0 <= remainder <= ||h||^2")
    p.cites("divided by ||h||, that is grad P = sparsemax; remainder >= 0 says that P is convex")


NONEXPANSIVE = "dot(x' - x, y' - y) - dot(y' - y, y' - y) == -dot(x' - y', y - y') - dot(x - y, y' - y)"


def unequal_dilations_have_no_loss(p: Proof) -> None:
    """Two unequal dilations make the Jacobian of SoftMax(d * x - c) asymmetric; d * (y - t) is a gradient all the same.

    The potential of the latter is log sum_k exp(d_k x_k - c_k).
    """
    p.concludes()
    p.cites(SYMMETRY)
    p.rests_on("X.gradient.temperature", "if every d_i is the same delta != 0, y - t is a gradient")
    p.shows("grad(dot(x, softmax(-c) - t), x) == softmax(-c) - t", words="and if it is 0, of a linear function")


# --- convexity --------------------------------------------------------------------------------------------------------


def softmax_convexity(p: Proof) -> None:
    """The quadratic form of the Jacobian is a variance."""
    p.concludes()
    p.cites("it is 0 only if every v_k = <y, v>: v is a multiple of (1, ..., 1)")
    p.shows("jacobian(y, x) @ ones(K) == 0*ones(K)", words="along which F is constant")


def slack_convexity(p: Proof) -> None:
    """The dropped class of the slack takes part in the variance with score 0: strictly convex."""
    p.shows("jacobian(y, x) == diag(y) - outer(y, y)")
    p.concludes()
    p.cites("so it is 0 only if <y, v> = 0 and every v_k = <y, v>: only for v = 0")


def diagonal_convexity(p: Proof) -> None:
    """A diagonal Jacobian with positive entries."""
    p.concludes()
    p.cites("a diagonal matrix with positive entries is positive definite")


def hard_convexity(findings: Findings) -> None:
    """A differentiable function is convex if and only if it lies above its tangents; strictly if it does strictly."""
    import z3

    for name in HARD:
        piecewise.acts_on_each_score(findings, name)
        f, potential = piecewise.of_one_score(name)
        s, h = z3.Reals("s h")
        above = piecewise.at(potential, s + h) >= piecewise.at(potential, s) + piecewise.at(f, s) * h
        findings.valid(f"{name}: p(s + h) >= p(s) + f(s) h for all s, h", above)
        far = sp.Integer(4)
        flat = [f.xreplace({piecewise.SCORE: score}) for score in (far, far + 1)]
        findings.same(f"{name}: but f(4) = f(5): not strictly convex", flat[0], flat[1])
        findings.rests_on(f"X.gradient.{name.replace('_', '-')}", "p' = f")
    findings.cites("a sum of convex functions of one score each is convex")


CLAIMS = (
    Claim(
        id="X.gradient.softmax",
        title="ISBE with SoftMax minimises cross-entropy",
        formulas=(
            "softmax(x) - t == grad(logsumexp(x) - dot(x, t), x)",
            "softce(t, x) == sum(t)*logsumexp(x) - dot(x, t)",
        ),
        let="x: K; t: K",
        source=SOURCE,
    ),
    Claim(
        id="X.gradient.temperature",
        title="SoftMax(beta x - c) - t is a gradient: CE at a temperature",
        formulas=("softmax(beta*x - c) - t == grad(logsumexp(beta*x - c)/beta - dot(x, t), x)",),
        let="x: K; t: K; c: K; beta: real",
        where=("beta != 0",),
        source=SOURCE,
        proof=temperature_gradient,
    ),
    Claim(
        id="X.gradient.slack",
        title="SoftMax with slack C, less t, is a gradient",
        formulas=("softmax(x, slack=C) - t == grad(log(C + sum(exp(x))) - dot(x, t), x)",),
        let="x: K; t: K; C: nonnegative",
        source=SOURCE,
    ),
    Claim(
        id="X.gradient.sigmoid",
        title="ISBE with Sigmoid minimises binary cross-entropy with logits",
        formulas=(
            "sigmoid(x) - t == grad(sum(softplus(x)) - dot(x, t), x)",
            "y - t == grad(-sum(t*log(y) + (1 - t)*log(1 - y)), x)",
        ),
        let="x: K; t: K; y = sigmoid(x)",
        source=SOURCE,
    ),
    Claim(
        id="X.gradient.tanh",
        title="ISBE with Tanh minimises binary cross-entropy at 2x",
        formulas=(
            "tanh(x) - (2*t - 1) == grad(sum(log(cosh(x))) - dot(x, 2*t - 1), x)",
            "tanh(x) - (2*t - 1) == 2*(sigmoid(2*x) - t)",
        ),
        let="x: K; t: K",
        source=SOURCE,
        proof=tanh_gradient,
    ),
    _hard("hardtanh", r"\sum_i H(x_i)"),
    _hard("hardsigmoid", r"\sum_i \left(H(x_i / 2) + x_i / 2\right)"),
    _hard("hardsigmoid_torch", r"\sum_i \left(\frac{3}{2} H(x_i / 3) + x_i / 2\right)"),
    Claim(
        id="X.gradient.normalize",
        title="x/||x|| - t is a gradient but at 0, and not Lipschitz there",
        statement=r"$\formula{1}$ for $x \ne 0$; $\|x\|$ is not differentiable at 0, and $x / \|x\|$ not Lipschitz "
        "next to it",
        formulas=("x/norm(x) - t == grad(norm(x) - dot(x, t), x)",),
        let="x: K; t: K",
        where=("norm(x) != 0", "K >= 2"),
        source=SOURCE,
        hypotheses=("for $K = 1$ these are sign and absolute value",),
        proof=normalize_gradient,
    ),
    Claim(
        id="X.gradient.normalize-p",
        title="x/||x||_p - t is no gradient for p != 2, K >= 2",
        statement=r"$\frac{x}{\|x\|_p} - y^\circ$ is the gradient of no function on $\mathbb{R}^K \setminus \{0\}$, "
        r"for $1 \le p < \infty$, $p \ne 2$: $\formula{1}$",
        formulas=("J[i,j] - J[j,i] == (x[j]*x[i]**(p - 1) - x[i]*x[j]**(p - 1))/(n*sum(x**p))",),
        let="x: K positive; p: positive; n = sum(x**p)**(1/p); J = jacobian(x/n, x); i: index K; j: index K",
        where=("K >= 2",),
        source=SOURCE,
        proof=normalize_p_has_no_loss,
    ),
    Claim(
        id="X.gradient.sparsemax",
        title="sparsemax(x) - t is the gradient of a convex loss",
        statement=r"$\text{sparsemax}(x) - y^\circ = \nabla_x \left[\frac{1}{2} \|x\|^2 - \frac{1}{2} \|x - "
        r"\text{sparsemax}(x)\|^2 - \langle x, y^\circ \rangle\right]$, and what stands in brackets is convex",
        let=PROJECTIONS,
        source=SOURCE + "; sparsemax as in Martins, Astudillo, ICML 2016",
        hypotheses=(RAW,),
        proof=sparsemax_gradient,
    ),
    Claim(
        id="X.gradient.unequal-dilation",
        title="SoftMax(d * x - c) - t is a gradient only if all d_i are equal",
        statement=r"$y - y^\circ$ is a gradient $\iff d_1 = \dots = d_K$, since $\formula{1}$ and $\formula{2}$; "
        r"$\formula{3}$ always is",
        formulas=(
            "jacobian(y, x)[i,j] - jacobian(y, x)[j,i] == (d[i] - d[j])*y[i]*y[j]",
            "y > 0",
            "d*(y - t) == grad(logsumexp(d*x - c) - dot(d*x, t), x)",
        ),
        let="x: K; t: K; d: K; c: K; y = softmax(d*x - c); i: index K; j: index K",
        where=("K >= 2",),
        source=SOURCE,
        proof=unequal_dilations_have_no_loss,
    ),
    Claim(
        id="X.convex.softmax",
        title="the loss of ISBE with SoftMax is convex: a variance",
        statement=r"$\formula{1}$ and $\formula{2}$, $= 0$ only for multiples of $(1, \dots, 1)$",
        formulas=("dot(v, jacobian(y, x) @ v) == sum(y*(v - dot(y, v))**2)", "sum(y*(v - dot(y, v))**2) >= 0"),
        let="x: K; v: K; y = softmax(x)",
        source=CONVEXITY,
        proof=softmax_convexity,
    ),
    Claim(
        id="X.convex.slack",
        title="with slack the loss of ISBE with SoftMax is strictly convex",
        statement=r"$\formula{1}$, which is $> 0$ for $v \ne 0$, since $\formula{2}$ and $\formula{3}$",
        formulas=(
            "dot(v, jacobian(y, x) @ v) == sum(y*(v - dot(y, v))**2) + (1 - sum(y))*dot(y, v)**2",
            "y > 0",
            "sum(y) < 1",
        ),
        let="x: K; v: K; C: positive; y = softmax(x, slack=C)",
        source=CONVEXITY,
        proof=slack_convexity,
    ),
    Claim(
        id="X.convex.sigmoid",
        title="the loss of ISBE with Sigmoid is strictly convex",
        statement=r"$\formula{1}$ is positive definite, since $\formula{2}$",
        formulas=(f"jacobian(y, x) == {NORMALIZERS['sigmoid'].jacobian}", "y*(1 - y) > 0"),
        let="x: K; y = sigmoid(x)",
        source=CONVEXITY,
        proof=diagonal_convexity,
    ),
    Claim(
        id="X.convex.tanh",
        title="the loss of ISBE with Tanh is strictly convex",
        statement=r"$\formula{1}$ is positive definite, since $\formula{2}$",
        formulas=(f"jacobian(y, x) == {NORMALIZERS['tanh'].jacobian}", "1 - y**2 > 0"),
        let="x: K; y = tanh(x)",
        source=CONVEXITY,
        proof=diagonal_convexity,
    ),
    Claim(
        id="X.convex.hard",
        title="the losses of HardTanh and both HardSigmoids are convex",
        statement=r"$P(x) - \langle x, y^\circ \rangle$ with $\nabla P = F$ is convex, and not strictly, for F "
        "HardTanh, the paper's HardSigmoid and PyTorch's",
        source=CONVEXITY,
        hypotheses=(RAW,),
        checks=(Check("z3", hard_convexity, EACH_SCORE),),
    ),
)
