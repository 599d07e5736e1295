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
from softmax_trick.symbolic import (
    Matrix,
    Vector,
    diag,
    gradient,
    jacobian,
    outer,
    soft_cross_entropy,
    softmax,
)

SOURCE = "beyond the paper: what ISBE minimises"
CONVEXITY = "beyond the paper: convexity of what ISBE minimises"
SYMMETRY = "a gradient field that is differentiable has a symmetric Jacobian (Schwarz)"
RAW = r"$x \in \mathbb{R}^K$"
HARD_NAMES = {
    "hardtanh": ("hardtanh", "HardTanh"),
    "hardsigmoid": ("hardsigmoid", "the paper's HardSigmoid"),
    "hardsigmoid_torch": ("hardsigmoid-torch", "PyTorch's HardSigmoid"),
}
HARD_POTENTIALS = {
    "hardtanh": r"\sum_i H(x_i)",
    "hardsigmoid": r"\sum_i \left(H(x_i / 2) + x_i / 2\right)",
    "hardsigmoid_torch": r"\sum_i \left(\frac{3}{2} H(x_i / 3) + x_i / 2\right)",
}


def implicit_loss(name: str, x: Vector, t: Vector) -> sp.Expr:
    """P(x) - <x, t>, with the targets t in [0, 1] mapped into the range of the normalizer."""
    entry = NORMALIZERS[name]
    return entry.symbolic_potential(x) - x.dot(t.map(entry.map_target))


def error(name: str, x: Vector, t: Vector) -> Vector:
    """The ISBE error F(x) - t, with the targets so mapped."""
    entry = NORMALIZERS[name]
    return entry.symbolic(x) - t.map(entry.map_target)


# --- smooth normalizers -----------------------------------------------------------------------------------------------


def softmax_gradient(p: Proof) -> None:
    """The potential of SoftMax is log-sum-exp, and the loss is cross-entropy."""
    x, t = p.vector("x"), p.vector("t")
    loss = implicit_loss("softmax", x, t)
    p.equal("where sum t = 1 it is SoftCE(t, x)", loss, soft_cross_entropy(t, x), (t,))
    p.statement("grad (log sum exp x - <x, t>) = SoftMax(x) - t, for any t", gradient(loss, x), error("softmax", x, t))


def temperature_potential(x: Vector, c: Vector, delta: sp.Expr) -> sp.Expr:
    """(1/delta) log sum_k exp(delta x_k - c_k)."""
    return sp.log((x * delta - c).map(sp.exp).sum()) / delta


def temperature_gradient(p: Proof) -> None:
    """One dilation for all classes: the cross-entropy at a temperature, divided by the dilation."""
    x, t, c = p.vector("x"), p.vector("t"), p.vector("c")
    delta = sp.Symbol("delta", real=True, nonzero=True)
    loss = temperature_potential(x, c, delta) - x.dot(t)
    p.equal(
        "where sum t = 1 it is SoftCE(t, delta x - c) / delta, but for the constant <c, t> / delta",
        loss,
        (soft_cross_entropy(t, x * delta - c) - c.dot(t)) / delta,
        (t,),
    )
    p.statement(
        "grad ((1/delta) log sum_k exp(delta x_k - c_k) - <x, t>) = SoftMax(delta x - c) - t",
        gradient(loss, x),
        softmax(x * delta - c) - t,
    )


def slack_potential(x: Vector, slack: sp.Expr) -> sp.Expr:
    """log(C + sum_k exp x_k)."""
    return sp.log(slack + x.map(sp.exp).sum())


def slack_gradient(p: Proof) -> None:
    """SoftMax with slack: log(C + sum exp) instead of log(sum exp)."""
    x, t, slack = p.vector("x"), p.vector("t"), sp.Symbol("C", nonnegative=True)
    p.statement(
        "grad (log(C + sum_k exp x_k) - <x, t>) = exp(x_i) / (C + sum_k exp x_k) - t",
        gradient(slack_potential(x, slack) - x.dot(t), x),
        softmax(x, slack) - t,
    )


def sigmoid_gradient(p: Proof) -> None:
    """Binary cross-entropy with logits, summed over the classes."""
    x, t = p.vector("x"), p.vector("t")
    y = NORMALIZERS["sigmoid"].symbolic(x)
    cross_entropies = -t * y.map(sp.log) - (p.classes.constant(1) - t) * y.map(lambda entry: sp.log(1 - entry))
    p.equal(
        "grad (- sum_i [t_i log y_i + (1 - t_i) log(1 - y_i)]) = y - t, y = Sigmoid(x)",
        gradient(cross_entropies.sum(), x),
        y - t,
    )
    p.statement(
        "grad (sum_i log(1 + exp x_i) - <x, t>) = Sigmoid(x) - t, for any t",
        gradient(implicit_loss("sigmoid", x, t), x),
        error("sigmoid", x, t),
    )


def tanh_gradient(p: Proof) -> None:
    """Tanh is a dilated Sigmoid, and its loss the binary cross-entropy at 2x."""
    x, t = p.vector("x"), p.vector("t")
    p.equal("Tanh(x) - (2t - 1) = 2 (Sigmoid(2x) - t)", error("tanh", x, t), error("sigmoid", x * 2, t) * 2)
    p.equal(
        "which is the gradient of binary cross-entropy with logits at 2x",
        gradient(implicit_loss("sigmoid", x * 2, t), x),
        error("tanh", x, t),
    )
    p.statement(
        "grad (sum_i log cosh x_i - <x, 2t - 1>) = Tanh(x) - (2t - 1)",
        gradient(implicit_loss("tanh", x, t), x),
        error("tanh", x, t),
    )


# --- piecewise normalizers --------------------------------------------------------------------------------------------


def hard_gradient(name: str) -> Callable[[Findings], None]:
    """The check that the potential of this piecewise normalizer has it as its gradient, at the kinks too."""

    def check(facts: Findings) -> None:
        import z3

        piecewise.acts_on_each_score(facts, name)
        f, potential = piecewise.of_one_score(name)
        s, h = z3.Reals("s h")
        remainder = piecewise.at(potential, s + h) - piecewise.at(potential, s) - piecewise.at(f, s) * h
        facts.valid("|p(s + h) - p(s) - f(s) h| <= h^2 for all s, h", z3.And(remainder <= h * h, -remainder <= h * h))
        facts.cites("divided by h, that is p'(s) = f(s) at every s, by the definition of the derivative")
        facts.cites("f is continuous, so that the gradient of P(x) - <x, t> = sum_i (p(x_i) - x_i t_i) is F(x) - t")

    return check


# --- x / ||x||, sparsemax ---------------------------------------------------------------------------------------------


def norm(x: Vector, order: sp.Expr | int) -> sp.Expr:
    """||x||_p for a vector of positive entries, or for p = 2."""
    return x.map(lambda entry: entry**order).sum() ** (sp.S.One / order)


def normalize_gradient(p: Proof) -> None:
    """The potential is the norm itself; at 0 it has a corner, and next to 0 the error jumps."""
    x, t = p.vector("x"), p.vector("t")
    length = norm(x, 2)
    p.statement("grad (||x|| - <x, t>) = x / ||x|| - t where x != 0", gradient(length - x.dot(t), x), x / length - t)
    s = sp.Symbol("s", positive=True)
    e = p.classes.unit(1)
    p.equal("from the right (||s e_1|| - ||0||) / s = 1", norm(e * s, 2) / s, 1)
    p.equal("from the left (||-s e_1|| - ||0||) / (-s) = -1: no derivative at 0", norm(e * -s, 2) / -s, -1)
    p.equal("F(s e_1) - F(-s e_1) = 2 e_1", e * s / norm(e * s, 2) - e * -s / norm(e * -s, 2), 2 * e)
    p.equal("which is 1/s times the distance 2s of the two points", norm(2 * e, 2), norm(e * (2 * s), 2) / s)
    p.cites("1/s is unbounded as s -> 0: F has no Lipschitz constant on any neighbourhood of 0 less 0")


def normalize_p_has_no_loss(p: Proof) -> None:
    """The Jacobian of x / ||x||_p is not symmetric where two positive entries differ, unless p = 2."""
    x, order = p.vector("x", positive=True), sp.Symbol("p", positive=True)
    j = jacobian(x / norm(x, order), x)
    powers = x.map(lambda entry: entry**order)
    first = Matrix(p.classes, lambda i, k: x[k] * x[i] ** (order - 1) - x[i] * x[k] ** (order - 1))
    p.equal(
        "dF_i/dx_j - dF_j/dx_i = (x_j x_i^(p-1) - x_i x_j^(p-1)) / (||x||_p sum_k x_k^p) where x > 0",
        j - j.T,
        Matrix(p.classes, lambda i, k: first[i, k] / norm(x, order) / powers.sum()),
    )
    at_two_and_one = first[1, 2].xreplace({x[1]: sp.S(2), x[2]: sp.S.One})
    p.equal("for x_1 = 2, x_2 = 1, (i, j) = (1, 2) the numerator is 2^(p-1) - 2", at_two_and_one, 2**order / 2 - 2)
    p.cites("2^(p-1) = 2 only for p = 2, since 2^u is strictly increasing")
    p.cites(SYMMETRY)


def projection_potential(x: Vector, y: Vector) -> sp.Expr:
    """||x||^2 / 2 - ||x - y||^2 / 2, for the projection y of x."""
    return x.dot(x) / 2 - (x - y).dot(x - y) / 2


def sparsemax_gradient(p: Proof) -> None:
    """Sparsemax is the projection onto the simplex; only the variational inequality of projections is used."""
    x, y, other, z = p.vector("x"), p.vector("y"), p.vector("x'"), p.vector("y'")
    h, move = other - x, z - y
    half = sp.Rational(1, 2)
    p.cites("y = sparsemax(x), the nearest point of the simplex, has <x - y, v - y> <= 0 for every v of the simplex")
    p.equal("P(x) = <x, y> - ||y||^2 / 2", projection_potential(x, y), x.dot(y) - y.dot(y) / 2)
    remainder = projection_potential(other, z) - projection_potential(x, y) - y.dot(h)
    p.equal(
        "P(x + h) - P(x) - <y, h> = -<x' - y', y - y'> + ||y' - y||^2 / 2, with x' = x + h and y' = sparsemax(x')",
        remainder,
        -(other - z).dot(y - z) + half * move.dot(move),
    )
    p.cites("both terms are >= 0, the first by the inequality at x' with v = y")
    p.equal(
        "<h, y' - y> less that is -<x - y, y' - y> + ||y' - y||^2 / 2",
        h.dot(move) - remainder,
        -(x - y).dot(z - y) + half * move.dot(move),
    )
    p.cites("both terms are >= 0, the first by the inequality at x with v = y': 0 <= remainder <= <h, y' - y>")
    p.equal(
        "<h, y' - y> - ||y' - y||^2 = -<x' - y', y - y'> - <x - y, y' - y>",
        h.dot(move) - move.dot(move),
        -(other - z).dot(y - z) - (x - y).dot(z - y),
    )
    p.cites("which is >= 0: with Cauchy and Schwarz, ||y' - y|| <= ||h|| and 0 <= remainder <= ||h||^2")
    p.cites("divided by ||h||, that is grad P = sparsemax; remainder >= 0 says that P is convex")


def unequal_dilations_have_no_loss(p: Proof) -> None:
    """Two unequal dilations make the Jacobian of SoftMax(d * x - c) asymmetric; d * (y - t) is a gradient all the same.

    The potential of the latter is log sum_k exp(d_k x_k - c_k).
    """
    x, t, c, d = p.vector("x"), p.vector("t"), p.vector("c"), p.vector("d")
    y = softmax(d * x - c)
    j = jacobian(y, x)
    p.equal(
        "y = SoftMax(d * x - c) has dF_i/dx_j - dF_j/dx_i = (d_i - d_j) y_i y_j",
        j - j.T,
        Matrix(p.classes, lambda i, k: (d[i] - d[k]) * y[i] * y[k]),
    )
    p.positive("y_i y_j > 0: not symmetric where d_i != d_j", (softmax(x)[1]) * softmax(x)[2])
    p.cites(SYMMETRY)
    loss = sp.log((d * x - c).map(sp.exp).sum()) - x.dot(d * t)
    p.equal("d * (y - t) = grad (log sum_k exp(d_k x_k - c_k) - <d * x, t>)", gradient(loss, x), d * (y - t))
    p.rests_on("X.gradient.temperature", "if every d_i is the same delta != 0, y - t is a gradient")
    constant = softmax(-c)
    p.equal(
        "and if it is 0, of the linear function <x, SoftMax(-c) - t>", gradient(x.dot(constant - t), x), constant - t
    )


# --- convexity --------------------------------------------------------------------------------------------------------


def softmax_convexity(p: Proof) -> None:
    """The quadratic form of the Jacobian is a variance."""
    y, v = p.vector("y"), p.vector("v")
    mean = y.dot(v)
    p.rests_on("T1.4a", "the Jacobian of SoftMax is D_y - y y^T")
    p.statement(
        "<v, (D_y - y y^T) v> = sum_k y_k (v_k - <y, v>)^2 where sum y = 1",
        v.dot((diag(y) - outer(y, y)) @ v),
        (y * (v - mean) * (v - mean)).sum(),
        (y,),
    )
    weight, deviation = sp.Symbol("y_k", positive=True), sp.Symbol("u", real=True)
    p.nonnegative("every term is y_k u^2 >= 0: the variance of v under y", weight * deviation**2)
    p.cites("it is 0 only if every v_k = <y, v>: v is a multiple of (1, ..., 1)")
    p.equal("along which F is constant: (D_y - y y^T) (1, ..., 1) = 0", _ones_through(y), p.classes.constant(0), (y,))


def _ones_through(y: Vector) -> Vector:
    return (diag(y) - outer(y, y)) @ y.classes.constant(1)


def slack_convexity(p: Proof) -> None:
    """The dropped class of the slack takes part in the variance with score 0: strictly convex."""
    x, v = p.vector("x"), p.vector("v")
    slack = sp.Symbol("C", positive=True)
    y = softmax(x, slack)
    mean = y.dot(v)
    p.equal("the Jacobian of SoftMax with slack is D_y - y y^T", jacobian(y, x), diag(y) - outer(y, y))
    p.statement(
        "<v, (D_y - y y^T) v> = sum_k y_k (v_k - <y, v>)^2 + (1 - sum y) <y, v>^2",
        v.dot((diag(y) - outer(y, y)) @ v),
        (y * (v - mean) * (v - mean)).sum() + (1 - y.sum()) * mean**2,
    )
    p.positive("1 - sum y > 0 for C > 0", 1 - y.sum())
    p.positive("y_k > 0", y[1])
    p.cites("so it is 0 only if <y, v> = 0 and every v_k = <y, v>: only for v = 0")


def elementwise_convexity(name: str, slope: Callable[[sp.Expr], sp.Expr], text: str) -> Callable[[Proof], None]:
    """The proof that F has a diagonal Jacobian with these positive entries, as functions of y_i."""

    def proof(p: Proof) -> None:
        x = p.vector("x")
        y = NORMALIZERS[name].symbolic(x)
        p.statement(f"dF/dx = diag[{text}]", jacobian(y, x), diag(y.map(slope)))
        p.positive(f"{text} > 0", slope(y[1]))
        p.cites("a diagonal matrix with positive entries is positive definite")

    return proof


def hard_convexity(facts: Findings) -> None:
    """A differentiable function is convex if and only if it lies above its tangents; strictly if it does strictly."""
    import z3

    for name in piecewise.HARD:
        piecewise.acts_on_each_score(facts, name)
        f, potential = piecewise.of_one_score(name)
        s, h = z3.Reals("s h")
        above = piecewise.at(potential, s + h) >= piecewise.at(potential, s) + piecewise.at(f, s) * h
        facts.valid(f"{name}: p(s + h) >= p(s) + f(s) h for all s, h", above)
        far = sp.Integer(4)
        flat = [f.xreplace({piecewise.SCORE: score}) for score in (far, far + 1)]
        facts.same(f"{name}: but f(4) = f(5): not strictly convex", flat[0], flat[1])
    facts.rests_on("X.gradient.hardtanh", "p' = f for HardTanh")
    facts.rests_on("X.gradient.hardsigmoid", "p' = f for the paper's HardSigmoid")
    facts.rests_on("X.gradient.hardsigmoid-torch", "p' = f for PyTorch's HardSigmoid")
    facts.cites("a sum of convex functions of one score each is convex")


HARD_GRADIENTS = tuple(
    Claim(
        id=f"X.gradient.{HARD_NAMES[name][0]}",
        title=f"ISBE with {HARD_NAMES[name][1]} minimises a clipped least squares",
        statement=rf"$F(x) - \tilde{{y}} = \nabla_x \left[{HARD_POTENTIALS[name]} - \langle x, \tilde{{y}} "
        rf"\rangle\right]$ everywhere, for F {HARD_NAMES[name][1]}, any targets $\tilde{{y}}$ and "
        r"$H(s) = s^2/2$ for $|s| \le 1$, $|s| - 1/2$ beyond (Huber)",
        source=SOURCE,
        hypotheses=(RAW,),
        checks=(Check("z3", hard_gradient(name), "all real scores; the K scores are alike"),),
    )
    for name in piecewise.HARD
)

CLAIMS = (
    Claim(
        id="X.gradient.softmax",
        title="ISBE with SoftMax minimises log sum exp x - <x, t>",
        statement=r"$\text{SoftMax}(x) - y^\circ = \nabla_x \left[\log \sum_k e^{x_k} - \langle x, y^\circ "
        r"\rangle\right]$ for any $y^\circ$; where $\sum_k y^\circ_k = 1$ that is SoftCE",
        source=SOURCE,
        hypotheses=(RAW,),
        proof=softmax_gradient,
    ),
    Claim(
        id="X.gradient.temperature",
        title="SoftMax(delta x - c) - t is a gradient: CE at a temperature",
        statement=r"$\text{SoftMax}(\delta x - c) - y^\circ = \nabla_x \left[\frac{1}{\delta} \log \sum_k "
        r"e^{\delta x_k - c_k} - \langle x, y^\circ \rangle\right]$",
        source=SOURCE,
        hypotheses=(RAW, r"$c \in \mathbb{R}^K, \ \delta \in \mathbb{R}, \ \delta \ne 0$"),
        proof=temperature_gradient,
    ),
    Claim(
        id="X.gradient.slack",
        title="SoftMax with slack C, less t, is a gradient",
        statement=r"$\frac{e^{x_i}}{C + \sum_k e^{x_k}} - y^\circ_i = \frac{\partial}{\partial x_i} "
        r"\left[\log \left(C + \sum_k e^{x_k}\right) - \langle x, y^\circ \rangle\right]$",
        source=SOURCE,
        hypotheses=(RAW, r"$C \ge 0$"),
        proof=slack_gradient,
    ),
    Claim(
        id="X.gradient.sigmoid",
        title="ISBE with Sigmoid minimises binary cross-entropy with logits",
        statement=r"$\text{Sigmoid}(x) - y^\circ = \nabla_x \left[\sum_i \log(1 + e^{x_i}) - \langle x, y^\circ "
        r"\rangle\right] = \nabla_x \left[-\sum_i y^\circ_i \log y_i + (1 - y^\circ_i) \log(1 - y_i)\right]$",
        source=SOURCE,
        hypotheses=(RAW,),
        proof=sigmoid_gradient,
    ),
    Claim(
        id="X.gradient.tanh",
        title="ISBE with Tanh minimises binary cross-entropy at 2x",
        statement=r"$\text{Tanh}(x) - (2y^\circ - 1) = \nabla_x \left[\sum_i \log \cosh x_i - \langle x, 2y^\circ - 1 "
        r"\rangle\right] = 2\,(\text{Sigmoid}(2x) - y^\circ)$",
        source=SOURCE,
        hypotheses=(RAW,),
        proof=tanh_gradient,
    ),
    *HARD_GRADIENTS,
    Claim(
        id="X.gradient.normalize",
        title="x/||x|| - t is a gradient but at 0, and not Lipschitz there",
        statement=r"$\frac{x}{\|x\|_2} - y^\circ = \nabla_x \left[\|x\|_2 - \langle x, y^\circ \rangle\right]$ for "
        r"$x \ne 0$; $\|x\|_2$ is not differentiable at 0, and $x / \|x\|_2$ not Lipschitz next to it",
        source=SOURCE,
        hypotheses=(r"$K \ge 2$ (for $K = 1$ these are sign and absolute value)",),
        proof=normalize_gradient,
        classes=range(2, 7),
    ),
    Claim(
        id="X.gradient.normalize-p",
        title="x/||x||_p - t is no gradient for p != 2, K >= 2",
        statement=r"$\frac{x}{\|x\|_p} - y^\circ$ is the gradient of no function on $\mathbb{R}^K \setminus \{0\}$, "
        r"for $1 \le p < \infty$, $p \ne 2$",
        source=SOURCE,
        hypotheses=(r"$K \ge 2$",),
        proof=normalize_p_has_no_loss,
        classes=range(2, 7),
    ),
    Claim(
        id="X.gradient.sparsemax",
        title="sparsemax(x) - t is the gradient of a convex loss",
        statement=r"$\text{sparsemax}(x) - y^\circ = \nabla_x \left[\frac{1}{2} \|x\|^2 - \frac{1}{2} \|x - "
        r"\text{sparsemax}(x)\|^2 - \langle x, y^\circ \rangle\right]$, and what stands in brackets is convex",
        source=SOURCE + "; sparsemax as in Martins, Astudillo, ICML 2016",
        hypotheses=(RAW,),
        proof=sparsemax_gradient,
    ),
    Claim(
        id="X.gradient.unequal-dilation",
        title="SoftMax(d * x - c) - t is a gradient only if all d_i are equal",
        statement=r"$\text{SoftMax}(d \odot x - c) - y^\circ$ is a gradient $\iff d_1 = \dots = d_K$; "
        r"$d \odot (\text{SoftMax}(d \odot x - c) - y^\circ)$ always is",
        source=SOURCE,
        hypotheses=(RAW, r"$K \ge 2$"),
        proof=unequal_dilations_have_no_loss,
        classes=range(2, 7),
    ),
    Claim(
        id="X.convex.softmax",
        title="the loss of ISBE with SoftMax is convex: a variance",
        statement=r"$\langle v, \frac{\partial \text{SoftMax}(x)}{\partial x} v \rangle = \sum_k y_k (v_k - "
        r"\langle y, v \rangle)^2 \ge 0$, and $= 0$ only for multiples of $(1, \dots, 1)$",
        source=CONVEXITY,
        hypotheses=(RAW,),
        proof=softmax_convexity,
    ),
    Claim(
        id="X.convex.slack",
        title="with slack the loss of ISBE with SoftMax is strictly convex",
        statement=r"$\langle v, J v \rangle = \sum_k y_k (v_k - \langle y, v \rangle)^2 + \left(1 - \sum_k y_k\right) "
        r"\langle y, v \rangle^2 > 0$ for $v \ne 0$ and SoftMax with slack $C > 0$",
        source=CONVEXITY,
        hypotheses=(RAW,),
        proof=slack_convexity,
    ),
    Claim(
        id="X.convex.sigmoid",
        title="the loss of ISBE with Sigmoid is strictly convex",
        statement=r"$\frac{\partial \text{Sigmoid}(x)}{\partial x} = \text{diag}[y \odot (1 - y)]$ "
        "is positive definite",
        source=CONVEXITY,
        hypotheses=(RAW,),
        proof=elementwise_convexity("sigmoid", lambda y: y * (1 - y), "y (1 - y)"),
    ),
    Claim(
        id="X.convex.tanh",
        title="the loss of ISBE with Tanh is strictly convex",
        statement=r"$\frac{\partial \text{Tanh}(x)}{\partial x} = \text{diag}[1 - y \odot y]$ is positive definite",
        source=CONVEXITY,
        hypotheses=(RAW,),
        proof=elementwise_convexity("tanh", lambda y: 1 - y**2, "1 - y^2"),
    ),
    Claim(
        id="X.convex.hard",
        title="the losses of HardTanh and both HardSigmoids are convex",
        statement=r"$P(x) - \langle x, \tilde{y} \rangle$ with $\nabla P = F$ is convex, and not strictly, for F "
        "HardTanh, the paper's HardSigmoid and PyTorch's",
        source=CONVEXITY,
        hypotheses=(RAW,),
        checks=(Check("z3", hard_convexity, "all real scores; the K scores are alike"),),
    ),
)
