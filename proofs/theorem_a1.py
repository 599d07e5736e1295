r"""Theorem A1 (paper, Appendix A): which functions have the dilated SoftMax trick.

As printed, for a differentiable F: R^K -> R^K the following are equivalent.

    (P1)  y = F(x) = SoftMax(d * x - c) for some c, d in R^K                                                  (A1)
    (P2)  dF/dx = (D_y - y y^T) D_d for some d in R^K                                                         (A2)
    (P3)  (dF/dx)^T (-t / y) = d * (y - t) for every t in [0,1]^K (and some d in R^K)                         (A3)

Of the four implications that the paper proves, (1) -> (2) and (3) -> (2) hold, (2) -> (3) and (2) -> (1) do not:

- (2) -> (3) uses 1^T t = 1, which the statement does not ask of t. Literal (P3) forces d = 0.
- (2) -> (1) uses the unity of y, which the statement does not ask of F. SoftMax with slack has (P2) and not (P1).

What is true is the classification A1c of all F with (P2), the equivalence A1r.trick of (P2) and (P3) for targets that
sum to one, and the equivalence A1r of all three for every F that is a distribution with positive entries at one point.
(P3) divides by y, so it is read as including that no y_i vanishes anywhere.
"""

from __future__ import annotations

import sympy as sp

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof
from softmax_trick.symbolic import (
    EVERY_K,
    Classes,
    Matrix,
    Vector,
    chain,
    diag,
    gradient,
    jacobian,
    outer,
    softmax,
)

# In each, y = F(x).
P1 = r"\left[\exists c, d \in \mathbb{R}^K \ \forall x: y = \text{SoftMax}(d \odot x - c)\right]"
P2 = r"\left[\exists d \in \mathbb{R}^K \ \forall x: \frac{\partial F(x)}{\partial x} = (D_y - yy^\top)D_d\right]"
P3 = (
    r"\left[\exists d \in \mathbb{R}^K \ \forall y^\circ \in [0,1]^K \ \forall x: "
    r"\left(\frac{\partial F(x)}{\partial x}\right)^\top (-y^\circ \div y) = d \odot (y - y^\circ)\right]"
)
P3_SIMPLEX = P3.replace(r"[0,1]^K", r"[0,1]^K, \sum_k y^\circ_k = 1,")
P3_VERTICES = P3.replace(r"[0,1]^K", r"\{e_1, \dots, e_K\}")
DIFFERENTIABLE = r"$F: \mathbb{R}^K \to \mathbb{R}^K \text{ differentiable}$"
NOWHERE_ZERO = r"$y_i \ne 0 \text{ wherever } (A3) \text{ divides by it}$"
ONE_POINT = r"$\exists x_0: F(x_0) \in (0,1)^K, \ \sum_i F_i(x_0) = 1$"


def softmax_type(y: Vector, d: Vector) -> Matrix:
    """The Jacobian of (A2): (D_y - y y^T) D_d."""
    return (diag(y) - outer(y, y)) @ diag(d)


def trick(jacobian_of_f: Matrix, t: Vector, y: Vector) -> Vector:
    """The left side of (A3): (dF/dx)^T (-t / y)."""
    return jacobian_of_f.T @ (-t / y)


def dilated_error(t: Vector, y: Vector, d: Vector) -> Vector:
    """The right side of (A3): d * (y - t)."""
    return d * (y - t)


def family(x: Vector, a: Vector, d: Vector, slack: sp.Expr) -> tuple[Vector, sp.Expr]:
    """y_i = a_i exp(d_i x_i) / w with w = C + sum_k a_k exp(d_k x_k): the family of the classification; y and w."""
    powers = a * (d * x).map(sp.exp)
    w = slack + powers.sum()
    return powers / w, w


# --- the implications as printed --------------------------------------------------------------------------------------


def p1_implies_p2(p: Proof) -> None:
    """The quotient rule: dy_j/dx_i = (delta_ij - y_j) d_i y_i."""
    x, c, d = p.vector("x"), p.vector("c"), p.vector("d")
    y = softmax(d * x - c)
    entries = Matrix(p.classes, lambda j, i: (sp.KroneckerDelta(i, j) - y[j]) * d[i] * y[i])
    p.equal("dy_j/dx_i = (delta_ij - y_j) d_i y_i", jacobian(y, x), entries)
    p.equal("diag[d * y] - y (d * y)^T = (D_y - y y^T) D_d", diag(d * y) - outer(y, d * y), softmax_type(y, d))
    p.statement("dF/dx = (D_y - y y^T) D_d", jacobian(y, x), softmax_type(y, d))


def p2_implies_p3_counterexample(p: Proof) -> None:
    """SoftMax itself: at x = 0 and t = (1, 1) the trick forces d = 0, at t = (1, 0) it forbids it."""
    every = EVERY_K.vector("x")
    y = softmax(every)
    ones = EVERY_K.constant(1)
    p.equal("F = SoftMax has (P2) with d = 1, for every K", jacobian(y, every), softmax_type(y, ones))
    t = EVERY_K.vector("t")
    p.equal("its (dF/dx)^T (-t / y) is (sum t) y - t, for any t", trick(jacobian(y, every), t, y), y * t.sum() - t)
    x, d = p.vector("x"), p.vector("d")
    origin = {x[k]: sp.S.Zero for k in (1, 2)}
    equations = []
    for target in (p.classes.constant(1), p.classes.unit(1)):
        gap = trick(jacobian(softmax(x), x), target, softmax(x)) - dilated_error(target, softmax(x), d)
        equations += [gap[k].xreplace(origin) for k in (1, 2)]
    p.inconsistent("no d in R^2 satisfies (A3) at x = 0 for t = (1, 1) and t = (1, 0)", equations, [d[1], d[2]])
    p.refuted("F = SoftMax, K = 2, has (P2) and not (P3)", K=2, F="SoftMax", x="(0, 0)", t="(1, 1) and (1, 0)")


def p2_implies_p3_repaired(p: Proof) -> None:
    """The paper's proof, with the hypothesis that it uses: 1^T t = 1."""
    y, d, t = p.vector("y"), p.vector("d"), p.vector("t")
    p.presupposes(y)
    p.equal(
        "D_d (D_y - y y^T) (-t / y) = d * (y (sum t) - t)",
        trick(softmax_type(y, d), t, y),
        dilated_error(t, y * t.sum(), d),
    )
    p.statement(
        "and that is d * (y - t) where sum t = 1", trick(softmax_type(y, d), t, y), dilated_error(t, y, d), (t,)
    )


def p3_implies_p2(p: Proof) -> None:
    """The paper's proof: put t = e_j into (A3). Only the vertices are used, no unity and no sign of y.

    The print drops the factor y_i after swapping i and j; the formula before it and the conclusion have it.
    """
    y, d = p.vector("y"), p.vector("d")
    p.presupposes(y)
    j_of_f = p.classes.matrix("J")  # any Jacobian: J_ij = dy_i/dx_j
    at_vertex = Matrix(p.classes, lambda j, i: trick(j_of_f, p.classes.unit(j), y)[i])
    p.equal(
        "component i of (dF/dx)^T (-e_j / y) is -(dy_j/dx_i) / y_j",
        at_vertex,
        Matrix(p.classes, lambda j, i: -j_of_f[j, i] / y[j]),
    )
    # (A3) at t = e_j says that this is zero:
    gap = Matrix(p.classes, lambda j, i: at_vertex[j, i] - dilated_error(p.classes.unit(j), y, d)[i])
    p.statement(
        "dF/dx - (D_y - y y^T) D_d = -y_j times what (A3) at t = e_j sets to zero",
        j_of_f - softmax_type(y, d),
        Matrix(p.classes, lambda j, i: -y[j] * gap[j, i]),
    )


def p2_implies_p1_counterexample(p: Proof) -> None:
    """SoftMax with slack: the right Jacobian, positive entries, but a sum below one."""
    x = EVERY_K.vector("x")
    y = softmax(x, slack=1)
    p.equal(
        "y_i = exp(x_i) / (1 + sum_k exp(x_k)) has (P2) with d = 1, for every K",
        jacobian(y, x),
        softmax_type(y, EVERY_K.constant(1)),
    )
    _generalised_softmax_sums_to_one(p, EVERY_K)
    p.positive("but 1 - sum y > 0 at every x, for every K", 1 - y.sum())
    at_origin = softmax(p.classes.constant(0), slack=1)
    p.equal("for K = 2 and x = (0, 0), y = (1/3, 1/3)", at_origin, p.classes.constant(sp.Rational(1, 3)))
    p.refuted(
        "SoftMax with slack (for K = 1 the Sigmoid) has (P2) and is no generalised SoftMax",
        F="exp(x_i) / (1 + sum_k exp(x_k))",
        K=p.classes.size,
        x="(0, 0)",
        y=f"({at_origin[1]}, {at_origin[2]})",
        sum=at_origin.sum(),
    )


def p2_implies_p1_repaired(p: Proof) -> None:
    """Positivity and unity at one point x0 are enough, because (P2) carries them along every coordinate line."""
    x, a, d, c = p.vector("x"), p.vector("a"), p.vector("d"), p.vector("c")
    slack = sp.Symbol("C", real=True)
    # Why one point is enough, straight from (P2):
    y = p.vector("y")
    defect = 1 - y.sum()
    p.equal(
        "u = 1 - sum y obeys du/dx_j = -d_j y_j u under (P2), so u = 0 at one point is u = 0 everywhere",
        chain(defect, x, y, softmax_type(y, d)),
        -d * y * defect,
    )
    # And from the classification:
    p.rests_on("A1c", "(P2) gives y_i = a_i exp(d_i x_i) / w, w = C + sum_k a_k exp(d_k x_k) nowhere 0")
    member, w = family(x, a, d, slack)
    p.presupposes(w)
    p.equal("1 - sum y = C / w", 1 - member.sum(), slack / w)
    p.cites("sum y(x0) = 1 gives C = 0, hence sum y = 1 everywhere")
    p.cites("y_i(x0) > 0 gives a_i / w(x0) > 0; w is continuous and nowhere 0, so y_i > 0 everywhere")
    p.cites("y does not change if a and w change sign together: let every a_i > 0, and c_i = -log a_i")
    positive, _ = family(x, c.map(lambda entry: sp.exp(-entry)), d, sp.S.Zero)
    p.statement("a_i = exp(-c_i), C = 0 is SoftMax(d * x - c)", positive, softmax(d * x - c))


# --- the classification and the repaired theorem ----------------------------------------------------------------------


def classification(p: Proof) -> None:
    """Both directions. J is the Jacobian of (P2), y any function that has it."""
    x, y, d, a = p.vector("x"), p.vector("y"), p.vector("d"), p.vector("a")
    j_of_f = softmax_type(y, d)
    delta = sp.KroneckerDelta

    p.equal(
        "(P2) on a coordinate line: dy_i/dx_j = g y_i with g = (delta_ij - y_j) d_j continuous",
        j_of_f,
        Matrix(p.classes, lambda i, j: (delta(i, j) - y[j]) * d[j] * y[i]),
    )
    p.presupposes(y)  # the steps divide by y_i for i in I only
    p.cites("a linear homogeneous ODE: on each line y_i is identically 0 or nowhere 0, and so on R^K; I is the latter")
    w_i = Matrix(p.classes, lambda i, j: chain(sp.exp(d[i] * x[i]) / y[i], x, y, j_of_f)[j])
    p.equal(
        "for i in I, w_i = exp(d_i x_i) / y_i has dw_i/dx_j = w_i d_j y_j, i = j included",
        w_i,
        Matrix(p.classes, lambda i, j: sp.exp(d[i] * x[i]) / y[i] * d[j] * y[j]),
    )
    first = sp.exp(d[1] * x[1]) / y[1]
    quotient = Matrix(p.classes, lambda i, j: chain(sp.exp(d[i] * x[i]) / y[i] / first, x, y, j_of_f)[j])
    p.equal(
        "so the gradient of w_i / w_1 is 0 (number a class of I as 1)",
        quotient,
        Matrix(p.classes, lambda i, j: sp.S.Zero),
    )
    p.cites("zero gradient on R^K: w_i = w / a_i for one w and constants a_i != 0, y_i = a_i exp(d_i x_i) / w")
    p.cites("put a_i = 0 for i not in I, where y_i = 0 (if I is empty, w = 1): y_i = a_i exp(d_i x_i) / w for every i")
    # w is now a function with dw/dx_j = w d_j y_j = a_j d_j exp(d_j x_j), which is also the gradient of the sum.
    w = sp.Symbol("w", real=True)
    powers = a * (d * x).map(sp.exp)
    p.equal("w d_j y_j - d(sum_k a_k exp(d_k x_k))/dx_j = 0", d * (powers / w) * w, gradient(powers.sum(), x))
    p.cites("zero gradient on R^K: w = C + sum_k a_k exp(d_k x_k)")

    member, w = family(x, a, d, sp.Symbol("C", real=True))
    p.presupposes(w)
    p.statement(
        "conversely each such y, with any a and C, has (P2) where w is nowhere 0",
        jacobian(member, x),
        softmax_type(member, d),
    )


def jacobian_is_trick(p: Proof) -> None:
    """(P2) -> (P3 on the simplex) -> (P3 at its vertices) -> (P2): no positivity and no unity of y."""
    p.rests_on("A1.2-3r", "(P2) -> (P3) for targets that sum to one, where no y_i vanishes")
    p.equal(
        "the vertices e_j have sum 1: (P3) on the simplex contains (P3) at the vertices", p.classes.unit(1).sum(), 1
    )
    p3_implies_p2(p)


def repaired_theorem(p: Proof) -> None:
    """(P1) -> (P2) -> (P3 on the simplex) -> (P3 at its vertices) -> (P2) -> (P1)."""
    p.rests_on("A1.1-2", "(P1) -> (P2)")
    p.equal("(P1) has sum y = 1", softmax(p.vector("d") * p.vector("x") - p.vector("c")).sum(), 1)
    p.positive("(P1) has y > 0: no y_i vanishes, and (A3) may divide", softmax(p.vector("x"))[1])
    p.rests_on("A1r.trick", "(P2) <=> (P3) on the simplex <=> (P3) at its vertices, where no y_i vanishes")
    p.rests_on("A1.2-1r", "(P2) with F(x0) in the open simplex at one point x0 -> (P1)")


def _generalised_softmax_sums_to_one(p: Proof, classes: Classes) -> None:
    x, c, d = classes.vector("x"), classes.vector("c"), classes.vector("d")
    p.equal("every generalised SoftMax sums to 1", softmax(d * x - c).sum(), 1)


# --- no hypothesis can be dropped -------------------------------------------------------------------------------------


def positivity_is_needed(p: Proof) -> None:
    """A constant with a negative entry, and SoftMax over all classes but one: unity, (P2), and not (P1)."""
    x, t = p.vector("x"), p.vector("t")
    one, zero = p.classes.unit(1), p.classes.constant(0)
    others = p.classes.constant(1) - one
    y = 2 * one - others / (p.classes.size - 1)
    p.equal("y = (2, -1/(K-1), ..., -1/(K-1)) sums to 1", y.sum(), 1)
    p.equal("constant F = y has (P2) with d = 0", jacobian(y, x), softmax_type(y, zero))
    p.equal("and (P3), for every t", trick(jacobian(y, x), t, y), dilated_error(t, y, zero))
    more = sp.Symbol("N", positive=True)  # K - 1
    p.equal("but y_2 = -1/(K-1)", y[2], -1 / (p.classes.size - 1))
    p.positive("which is negative for K >= 2", 1 / more)
    p.positive("every entry of a generalised SoftMax is positive", softmax(x)[1])
    subset, _ = family(x, others, p.vector("d"), sp.S.Zero)
    p.equal("SoftMax over the classes 2..K, with y_1 = 0, sums to 1", subset.sum(), 1)
    p.equal("its y_1 is 0, which no entry of a generalised SoftMax is", subset[1], 0)
    p.equal("and it has (P2) with any d", jacobian(subset, x), softmax_type(subset, p.vector("d")))
    p.exists(F="constant (2, -1/(K-1), ..., -1/(K-1)); or SoftMax over the classes 2..K", K=">= 2")


def unity_is_needed(p: Proof) -> None:
    """SoftMax with slack: positive, (P2), (P3) on the simplex, and not (P1)."""
    x, d, t = p.vector("x"), p.vector("d"), p.vector("t")
    y = softmax(d * x, slack=1)
    p.positive("y_i = exp(d_i x_i) / (1 + sum_k exp(d_k x_k)) > 0", y[1])
    p.equal("it has (P2)", jacobian(y, x), softmax_type(y, d))
    p.equal("and (P3) where sum t = 1", trick(jacobian(y, x), t, y), dilated_error(t, y, d), (t,))
    p.positive("but 1 - sum y > 0 at every x", 1 - y.sum())
    _generalised_softmax_sums_to_one(p, p.classes)
    p.exists(F="exp(d_i x_i) / (1 + sum_k exp(d_k x_k))", K="every K")


def sum_of_targets_is_needed(p: Proof) -> None:
    """SoftMax: at x = 0 the target (1, ..., 1) forces d = 0, the target e_1 forbids it, for every K >= 2."""
    x, d = p.vector("x"), p.vector("d")
    y = softmax(x)
    j_of_f = jacobian(y, x)
    ones, first = p.classes.constant(1), p.classes.unit(1)
    p.equal("(P1) with d = 1, c = 0; (dF/dx)^T (-1 / y) = K y - 1", trick(j_of_f, ones, y), y * p.classes.size - ones)
    uniform = softmax(p.classes.constant(0))
    p.equal("at x = 0 that is 0", uniform * p.classes.size - ones, p.classes.constant(0))
    more = sp.Symbol("N", positive=True)  # K - 1
    p.equal("while d_i (y_i - 1) = -d_i (K-1)/K", dilated_error(ones, uniform, d), d * (1 / p.classes.size - 1))
    p.positive("so that d_i (K-1)/K = 0 forces d = 0 for K >= 2", more / (more + 1))
    p.equal("at t = e_1 the left side is y - e_1", trick(j_of_f, first, y), y - first)
    p.equal(
        "whose component 1 at x = 0 is -(K-1)/K, not 0 = d_1 (y_1 - 1)", (uniform - first)[1], 1 / p.classes.size - 1
    )
    p.exists(F="SoftMax", x="0", t="(1, ..., 1) and e_1", K=">= 2")


CLAIMS = (
    Claim(
        id="A1.1-2",
        title="(P1) -> (P2): generalised SoftMax has the dilated Jacobian",
        statement=rf"${P1} \implies {P2}$",
        source="Appendix A, Theorem A1, (1) -> (2); equations (A1) and (A2)",
        hypotheses=(DIFFERENTIABLE,),
        proof=p1_implies_p2,
    ),
    Claim(
        id="A1.2-3",
        title="(P2) -> (P3), as printed: the trick for every t in [0,1]^K",
        statement=rf"${P2} \implies {P3}$",
        source="Appendix A, Theorem A1, (2) -> (3); equations (A2) and (A3)",
        hypotheses=(DIFFERENTIABLE,),
        counterexample=p2_implies_p3_counterexample,
        repaired_by="A1.2-3r",
    ),
    Claim(
        id="A1.2-3r",
        title="(P2) -> (P3) for targets that sum to one",
        statement=rf"${P2} \implies {P3_SIMPLEX}$",
        source="repair of Theorem A1, (2) -> (3)",
        hypotheses=(DIFFERENTIABLE, NOWHERE_ZERO, r"$\sum_k y^\circ_k = 1$"),
        proof=p2_implies_p3_repaired,
    ),
    Claim(
        id="A1.3-2",
        title="(P3) -> (P2): the trick forces the Jacobian",
        statement=rf"${P3} \implies {P2}$",
        source="Appendix A, Theorem A1, (3) -> (2); equations (A3) and (A2)",
        hypotheses=(DIFFERENTIABLE, NOWHERE_ZERO),
        proof=p3_implies_p2,
    ),
    Claim(
        id="A1.2-1",
        title="(P2) -> (P1), as printed: nothing else has that Jacobian",
        statement=rf"${P2} \implies {P1}$",
        source="Appendix A, Theorem A1, (2) -> (1); equations (A2) and (A1)",
        hypotheses=(DIFFERENTIABLE,),
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1.2-1r",
    ),
    Claim(
        id="A1.2-1r",
        title="(P2) -> (P1) if F is a positive distribution at one point",
        statement=rf"${P2}$ and {ONE_POINT} imply ${P1}$",
        source="repair of Theorem A1, (2) -> (1)",
        hypotheses=(DIFFERENTIABLE, ONE_POINT),
        proof=p2_implies_p1_repaired,
    ),
    Claim(
        id="A1c",
        title="(P2) <=> y_i = a_i e^(d_i x_i) / (C + sum_k a_k e^(d_k x_k))",
        statement=rf"${P2} \iff "
        r"\left[\exists a, d \in \mathbb{R}^K, C \in \mathbb{R} \ \forall x: y_i = \frac{a_i e^{d_i x_i}}{w(x)}, "
        r"\ w(x) = C + \sum_k a_k e^{d_k x_k} \ne 0\right]$",
        source="beyond the paper: all functions with property (2) of Theorem A1",
        hypotheses=(DIFFERENTIABLE,),
        proof=classification,
    ),
    Claim(
        id="A1r.trick",
        title="(P2) <=> (P3) on the simplex <=> (P3) at its vertices",
        statement=rf"${P2} \iff {P3_SIMPLEX} \iff {P3_VERTICES}$",
        source="repair of section 3, on Theorem A1; of Theorem A1, (2) and (3)",
        hypotheses=(DIFFERENTIABLE, NOWHERE_ZERO),
        proof=jacobian_is_trick,
        remark="Neither positivity nor unity of F is needed: both are for (P1).",
    ),
    Claim(
        id="A1r",
        title="(P1) <=> (P2) <=> (P3) on the simplex <=> at its vertices",
        statement=rf"${P1} \iff {P2} \iff {P3_SIMPLEX} \iff {P3_VERTICES}$",
        source="repair of Appendix A, Theorem A1",
        hypotheses=(DIFFERENTIABLE, ONE_POINT, NOWHERE_ZERO),
        proof=repaired_theorem,
    ),
    Claim(
        id="A1r.positivity",
        title="A1r fails without positivity of F, K >= 2",
        statement=rf"$\exists F: {P2} \ \wedge \ {P3_SIMPLEX} \ \wedge \ \sum_i y_i = 1 \ \wedge \ \neg {P1}$",
        source="beyond the paper: a hypothesis of A1r that cannot be dropped",
        hypotheses=(r"$K \ge 2$",),
        proof=positivity_is_needed,
        classes=range(2, 7),
    ),
    Claim(
        id="A1r.unity",
        title="A1r fails without unity of F",
        statement=rf"$\exists F > 0: {P2} \ \wedge \ {P3_SIMPLEX} \ \wedge \ \neg {P1}$",
        source="beyond the paper: a hypothesis of A1r that cannot be dropped",
        proof=unity_is_needed,
    ),
    Claim(
        id="A1r.targets",
        title="A1r fails without targets that sum to one, K >= 2",
        statement=rf"$\exists F: {P1} \ \wedge \ \neg {P3}$",
        source="beyond the paper: a hypothesis of A1r that cannot be dropped",
        hypotheses=(r"$K \ge 2$",),
        proof=sum_of_targets_is_needed,
        classes=range(2, 7),
    ),
)
