r"""Section 2 (paper), step by step: equations (2) to (5), and each line of the two proofs of Theorem 1.

Theorem 1 itself is in `theorem_1`; here is how the paper argues for it.
"""

from __future__ import annotations

import sympy as sp

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof
from softmax_trick.proofs.theorem_1 import (
    RAW,
    SCORES,
    TARGETS,
    gradient_of_ce,
    jacobian_as_printed,
    property_4c,
)
from softmax_trick.symbolic import (
    Matrix,
    Vector,
    cross_entropy,
    diag,
    gradient,
    jacobian,
    outer,
    soft_cross_entropy,
    softmax,
)

delta = sp.KroneckerDelta


# --- equations (2) to (5) ---------------------------------------------------------------------------------------------


def equation_2(p: Proof) -> None:
    """Section 1 says that CE measures the divergence of y from t: up to CE(t, t) it is the Kullback-Leibler one."""
    t, y = p.vector("t", positive=True), p.vector("y", positive=True)
    divergence = (t * (t / y).map(sp.log)).sum()
    p.statement("CE(t, y) - CE(t, t) = sum_k t_k log(t_k / y_k)", cross_entropy(t, y) - cross_entropy(t, t), divergence)
    p.cites("Gibbs' inequality: that is not negative, and zero only for y = t")


def equation_3(p: Proof) -> None:
    """Equation (3) has the sign that properties 1 and 2 of Theorem 1 lack."""
    t, y = p.vector("t"), p.vector("y", positive=True)
    p.statement("grad_y CE = -t / y", gradient(cross_entropy(t, y), y), gradient_of_ce(t, y))


def near_zero(p: Proof) -> None:
    """At y_i = 1/M the derivative is -M t_i, for any M: this is why (3) has no value at a zero component."""
    t, y, m = p.vector("t"), p.vector("y", positive=True), sp.Symbol("M", positive=True)
    slope = gradient(cross_entropy(t, y), y)
    p.statement("at y_1 = 1/M, dCE/dy_1 = -M t_1", slope[1].xreplace({y[1]: 1 / m}), -m * t[1])
    p.cites("M t_1 has no bound where t_1 > 0: (3) has no value and no limit at y_1 = 0")


def range_of_softmax(p: Proof) -> None:
    """y_i = e / (e + r), where e = exp(x_i) and r is the sum of the other K - 1 >= 1 exponentials."""
    x = p.vector("x")
    e, r = sp.symbols("e r", positive=True)
    p.equal("y_1 sum_k exp(x_k) = exp(x_1)", softmax(x)[1] * x.map(sp.exp).sum(), sp.exp(x[1]))
    p.cites("for K >= 2 the sum is e + r with e = exp(x_1) > 0 and r > 0 that of the others")
    p.positive("e / (e + r) > 0", e / (e + r))
    p.positive("e / (e + r) < 1", 1 - e / (e + r))


def equation_5_first(p: Proof) -> None:
    """The first line of (5): the product with (-t / y), term by term."""
    t, y = p.vector("t"), p.vector("y")
    p.presupposes(y)
    ratio = y / y
    expanded = y * ratio.dot(t) - diag(ratio) @ t
    p.statement(
        "(diag[y] - y y^T)(-t / y) = y (y / y)^T t - diag[y / y] t", (diag(y) - outer(y, y)) @ (-t / y), expanded
    )


def equation_5_braces(p: Proof) -> None:
    """What stands under the braces of (5)."""
    t, y = p.vector("t"), p.vector("y", positive=True)
    p.equal("diag[y / y] = I", diag(y / y), Matrix(p.classes, lambda i, j: delta(i, j)))
    p.statement("(y / y)^T t = 1^T t = 1 for a distribution t", (y / y).dot(t), 1, (t,))


# --- the elementary proof ---------------------------------------------------------------------------------------------


def elementary_log_sum_exp(p: Proof) -> None:
    """The part that some authors call the SoftMax trick."""
    x = p.vector("x")
    p.statement("d log(sum_k exp x_k)/dx_i = y_i", gradient(sp.log(x.map(sp.exp).sum()), x), softmax(x))


def elementary_expansion(p: Proof) -> None:
    """SoftCE written out, as the elementary proof differentiates it; also the notation of equation (1)."""
    x, t = p.vector("x"), p.vector("t")
    written_out = t.sum() * sp.log(x.map(sp.exp).sum()) - t.dot(x)
    p.statement("SoftCE = sum_j t_j log(sum_k exp x_k) - sum_j t_j x_j", soft_cross_entropy(t, x), written_out)


def elementary_derivative(p: Proof) -> None:
    """The last line of the elementary proof before the sum of the targets is used."""
    x, t = p.vector("x"), p.vector("t")
    p.statement("dSoftCE/dx_i = y_i sum_j t_j - t_i", gradient(soft_cross_entropy(t, x), x), softmax(x) * t.sum() - t)


# --- the proof by matrix calculus -------------------------------------------------------------------------------------


def off_diagonal(p: Proof) -> None:
    """The first case of the quotient rule; the factor 1 - delta_ij leaves out i = j."""
    x = p.vector("x")
    y = softmax(x)
    j_of_f = jacobian(y, x)
    left = Matrix(p.classes, lambda j, i: (1 - delta(i, j)) * j_of_f[j, i])
    p.statement(
        "dy_j/dx_i = -y_i y_j for i != j", left, Matrix(p.classes, lambda j, i: -(1 - delta(i, j)) * y[i] * y[j])
    )


def diagonal(p: Proof) -> None:
    """The second case of the quotient rule."""
    x = p.vector("x")
    y = softmax(x)
    j_of_f = jacobian(y, x)
    p.equal("y_i - y_i^2 = (1 - y_i) y_i", y - y * y, (p.classes.constant(1) - y) * y)
    p.statement("dy_i/dx_i = (1 - y_i) y_i", Vector(p.classes, lambda i: j_of_f[i, i]), y - y * y)


def general_formula(p: Proof) -> None:
    """Both cases in one formula."""
    x = p.vector("x")
    y = softmax(x)
    formula = Matrix(p.classes, lambda j, i: (delta(i, j) - y[i]) * y[j])
    p.statement("dy_j/dx_i = (delta_ij - y_i) y_j", jacobian(y, x), formula)


def matrix_form(p: Proof) -> None:
    """The general formula as a matrix: entry (i, j) of the print is dy_j/dx_i."""
    x = p.vector("x")
    y = softmax(x)
    p.statement("(dy_j/dx_i)_ij = diag[y] - y y^T", jacobian(y, x).T, jacobian_as_printed(y))


def chain_rule(p: Proof) -> None:
    """With (dy/dx)_ij = dy_j/dx_i, as printed there, the transpose is one too many; the symmetry makes up for it."""
    x, t = p.vector("x"), p.vector("t")
    y = softmax(x)
    as_printed = jacobian(y, x).T  # entry (i, j) is dy_j/dx_i
    p.equal("the Jacobian of SoftMax is symmetric", as_printed, as_printed.T)
    chained = as_printed.T @ gradient_of_ce(t, y)
    p.statement("dSoftCE/dx = (dy/dx)^T dCE/dy", gradient(soft_cross_entropy(t, x), x), chained)


def one_convention(p: Proof) -> None:
    """Section 2 has (dy/dx)_ij = dy_j/dx_i, Appendix A has (dy/dx)_ji = dy_j/dx_i, for a dilated SoftMax."""
    x, d = p.vector("x"), p.vector("d")
    j_of_f = jacobian(softmax(d * x), x)
    p.statement("the matrix of dy_j/dx_i in row i, column j is the one with it in row j, column i", j_of_f.T, j_of_f)


def bounded_gradient(p: Proof) -> None:
    """CE alone: at y_1 = 1/M and t = e_1 the derivative is -M. SoftCE: every component stays within (-1, 1)."""
    p.rests_on("S2.near-zero", "the gradient of CE by y has no bound")
    p.rests_on("T1.4dr", "each component of grad_x SoftCE lies in (-1, 1)")


CLAIMS = (
    Claim(
        id="E2",
        title="CE measures the divergence of y from t, up to CE(t, t)",
        statement=r"$CE(y^\circ, y) - CE(y^\circ, y^\circ) = \sum_k y^\circ_k \log_e \frac{y^\circ_k}{y_k}$",
        source="section 1, and section 2, equation (2)",
        quote="cross-entropy measures the divergence of this estimation from the target probability distribution",
        hypotheses=(r"$y, y^\circ \in (0,\infty)^K$",),
        proof=equation_2,
    ),
    Claim(
        id="E3",
        title="grad_y CE = -t ÷ y, as equation (3) has it",
        statement=r"$\nabla_y CE(y^\circ, y) = -y^\circ \div y$",
        source="section 2, equation (3)",
        hypotheses=(r"$y \in (0,\infty)^K$",),
        proof=equation_3,
    ),
    Claim(
        id="S2.near-zero",
        title="grad_y CE has no value at a zero component",
        statement=r"$\frac{\partial CE(y^\circ, y)}{\partial y_1} = -M y^\circ_1$ at $y_1 = 1/M$, for every $M > 0$",
        source="section 2, before equation (3)",
        quote="is not defined at the zero components",
        hypotheses=(r"$y^\circ_1 > 0$",),
        proof=near_zero,
    ),
    Claim(
        id="S2.softmax-range",
        title="SoftMax maps to (0,1)^K, K >= 2",
        statement=r"$\text{SoftMax}(x) \in (0,1)^K$ for every $x \in \mathbb{R}^K$",
        source="section 2, before equation (4); section 3, the meaning of Y in (6)",
        hypotheses=(r"$K \ge 2$",),
        proof=range_of_softmax,
        classes=range(2, 7),
        remark=r"A classifier has two classes at least; for $K = 1$ SoftMax is the constant 1.",
    ),
    Claim(
        id="E4",
        title="the SoftMax trick, equation (4)",
        formulas=("grad(softce(t, x), x) == y - t",),
        let="x: K; t: K distribution; y = softmax(x)",
        source="section 2, equation (4)",
        proof=property_4c,
    ),
    Claim(
        id="E5.product",
        title="(diag[y] - y y^T)(-t ÷ y) = y (y ÷ y)^T t - diag[y ÷ y] t",
        statement=r"$(\text{diag}[y] - yy^\top)(-y^\circ \div y) = y (y \div y)^\top y^\circ"
        r" - \text{diag}[y \div y] y^\circ$",
        source="section 2, equation (5), first step; Appendix A, (2) -> (3), second line",
        hypotheses=(r"no $y_i$ vanishes",),
        proof=equation_5_first,
    ),
    Claim(
        id="E5.braces",
        title="diag[y ÷ y] = I, and (y ÷ y)^T t = 1 for a distribution t",
        statement=r"$\text{diag}[y \div y] = I_K$ and $(y \div y)^\top y^\circ = \mathbf{1}_K^\top y^\circ = 1$",
        source="section 2, equation (5), under the braces",
        hypotheses=(TARGETS, SCORES),
        proof=equation_5_braces,
    ),
    Claim(
        id="T1.elementary.log-sum-exp",
        title="elementary proof: ∂log(sum_k exp x_k)/∂x_i = y_i",
        statement=r"$\frac{\partial [\log_e(\sum_k e^{x_k})]}{\partial x_i} = y_i$",
        source="section 2, elementary proof of Theorem 1, first line",
        quote="the derivative of the natural logarithm of the sum of functions",
        hypotheses=(RAW,),
        proof=elementary_log_sum_exp,
    ),
    Claim(
        id="T1.elementary.expansion",
        title="elementary proof: SoftCE = sum_j t_j log(sum_k exp x_k) - sum_j t_j x_j",
        statement=r"$\text{SoftCE}(y^\circ, x) = \sum_j y_j^\circ \log_e(\sum_k e^{x_k}) - \sum_j y_j^\circ x_j$",
        source="section 2, elementary proof of Theorem 1, second line",
        hypotheses=(RAW,),
        proof=elementary_expansion,
    ),
    Claim(
        id="T1.elementary.derivative",
        title="elementary proof: ∂SoftCE/∂x_i = y_i sum_j t_j - t_i",
        statement=r"$\frac{\partial\, \text{SoftCE}(y^\circ, x)}{\partial x_i} = y_i \sum_j y_j^\circ - y_i^\circ$",
        source="section 2, elementary proof of Theorem 1, third line",
        hypotheses=(RAW,),
        proof=elementary_derivative,
    ),
    Claim(
        id="T1.matrix.off-diagonal",
        title="matrix proof: ∂y_j/∂x_i = -y_i y_j for i ≠ j",
        statement=r"$\frac{\partial y_j}{\partial x_i} = -y_i \cdot y_j$ when $i \neq j$",
        source="section 2, second proof of Theorem 1, first case",
        hypotheses=(RAW,),
        proof=off_diagonal,
    ),
    Claim(
        id="T1.matrix.diagonal",
        title="matrix proof: ∂y_i/∂x_i = y_i - y_i² = (1 - y_i) y_i",
        statement=r"$\frac{\partial y_i}{\partial x_i} = y_i - y_i^2 = (1 - y_i) \cdot y_i$",
        source="section 2, second proof of Theorem 1, second case",
        hypotheses=(RAW,),
        proof=diagonal,
    ),
    Claim(
        id="T1.matrix.general",
        title="matrix proof: ∂y_j/∂x_i = (δ_ij - y_i) y_j",
        statement=r"$\frac{\partial y_j}{\partial x_i} = (\delta_{ij} - y_i) y_j$",
        source="section 2, second proof of Theorem 1, general formula",
        hypotheses=(RAW,),
        proof=general_formula,
    ),
    Claim(
        id="T1.matrix.form",
        title="matrix proof: (∂y_j/∂x_i)_ij = diag[y] - y y^T",
        statement=r"$\left(\frac{\partial y_j}{\partial x_i}\right)_{ij} = \text{diag}[y] - yy^\top$",
        source="section 2, second proof of Theorem 1, matrix form",
        hypotheses=(RAW,),
        proof=matrix_form,
    ),
    Claim(
        id="T1.matrix.chain",
        title="matrix proof: ∂SoftCE/∂x = (∂y/∂x)^T ∂CE/∂y for SoftMax",
        statement=r"$\frac{\partial\, \text{SoftCE}(y^\circ, x)}{\partial x} = \left(\frac{\partial y}{\partial x}"
        r"\right)^\top \frac{\partial CE(y^\circ, y)}{\partial y}$, "
        r"where $\left(\frac{\partial y}{\partial x}\right)_{ij} \doteq \frac{\partial y_j}{\partial x_i}$",
        source="section 2, second proof of Theorem 1, chain rule and symmetry",
        hypotheses=(RAW,),
        proof=chain_rule,
    ),
    Claim(
        id="T1.matrix.convention",
        title="∂y/∂x means one matrix in section 2 and in Appendix A",
        statement=r"$\left(\frac{\partial y}{\partial x}\right)_{ij} \doteq \frac{\partial y_j}{\partial x_i}$ "
        r"(section 2) and $\left(\frac{\partial y}{\partial x}\right)_{ji} \doteq \frac{\partial y_j}{\partial x_i}$ "
        r"(Appendix A) agree, for $y = \text{SoftMax}(d \odot x)$",
        source="section 2, second proof of Theorem 1; Appendix A, (1) -> (2)",
        proof=one_convention,
        correction=r"Section 2 writes the transpose of what Appendix A writes: $\left(\frac{\partial y}{\partial x}"
        r"\right)_{ij} \doteq \frac{\partial y_i}{\partial x_j}$ is meant in both. It makes no difference where the "
        "Jacobian is symmetric, as that of SoftMax is.",
    ),
    Claim(
        id="T1.bounded",
        title="contrary to CE, SoftCE has a bounded gradient",
        statement=r"$\nabla_x \text{SoftCE}(y^\circ, x)$ is bounded, $\nabla_y CE(y^\circ, y)$ is not",
        source="section 2, Theorem 1, property 4; section 5, first paragraph",
        quote="exhibits the bounded gradient",
        hypotheses=(TARGETS, r"$K \ge 2$"),
        proof=bounded_gradient,
        classes=range(2, 7),
    ),
)
