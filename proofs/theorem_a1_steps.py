r"""Appendix A (paper), step by step: equations (A2) and (A3), each line of the four proofs, the remarks around them.

Theorem A1 itself, its repair and the classification are in `theorem_a1`.
"""

from __future__ import annotations

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs.piecewise import acts_on_each_score, at, of_one_score
from softmax_trick.proofs.theorem_a1 import (
    DIFFERENTIABLE,
    NOWHERE_ZERO,
    P1,
    P2,
    P3,
    P3_SIMPLEX,
    dilated_error,
    p2_implies_p1_counterexample,
    p2_implies_p3_counterexample,
    softmax_type,
    trick,
)
from softmax_trick.symbolic import (
    GivenK,
    Matrix,
    Vector,
    chain,
    cross_entropy,
    diag,
    jacobian,
    outer,
    softmax,
)

delta = sp.KroneckerDelta


# --- the starting point, and the theorem as a whole -------------------------------------------------------------------


def starting_point(p: Proof) -> None:
    """The chain rule for any differentiable F, of which only the Jacobian J is named."""
    x, y, t, j_of_f = p.vector("x"), p.vector("y", positive=True), p.vector("t"), p.classes.matrix("J")
    chained = chain(cross_entropy(t, y), x, y, j_of_f)
    p.statement("dCE(t, F(x))/dx = (dF/dx)^T (-t / y)", chained, trick(j_of_f, t, y))


def slack_has_the_trick(p: Proof) -> None:
    """SoftMax with slack has (P2), and (P3) for every distribution t; it is no generalised SoftMax."""
    p.rests_on("A1r.unity", "SoftMax with slack has (P2), (P3) where sum t = 1, positive entries, and not (P1)")
    at_origin = softmax(p.classes.constant(0), slack=1)
    p.equal("for K = 2 and x = (0, 0), y = (1/3, 1/3)", at_origin, p.classes.constant(sp.Rational(1, 3)))
    p.refuted(
        "SoftMax with slack has the trick and is no generalised SoftMax",
        F="exp(x_i) / (1 + sum_k exp(x_k))",
        K=p.classes.size,
        x="(0, 0)",
        y=f"({at_origin[1]}, {at_origin[2]})",
        sum=at_origin.sum(),
    )


def dilation_by_columns(p: Proof) -> None:
    """(A2): diag[d * y] - y (d * y)^T against (D_y - y y^T) D_d."""
    y, d = p.vector("y"), p.vector("d")
    p.statement("diag[d * y] - y (d * y)^T = (D_y - y y^T) D_d", diag(d * y) - outer(y, d * y), softmax_type(y, d))


def dilated_difference(p: Proof) -> None:
    """(A3), its right side in both notations."""
    y, d, t = p.vector("y"), p.vector("d"), p.vector("t")
    p.statement("D_d (y - t) = d * (y - t)", diag(d) @ (y - t), dilated_error(t, y, d))


PRINTED_IMPLICATIONS = {(2, 3), (3, 2), (1, 2), (2, 1)}


def order_of_implications(facts: Findings) -> None:
    """The four implications, in any order, lead from each property to each other one."""
    reached = set(PRINTED_IMPLICATIONS)
    while more := {(a, d) for a, b in reached for c, d in reached if b == c} - reached:
        reached |= more
    missing = {(a, b) for a in (1, 2, 3) for b in (1, 2, 3)} - reached
    facts.holds("(2) -> (3), (3) -> (2), (1) -> (2), (2) -> (1) chain up to all nine", not missing, missing=missing)


# --- (2) -> (3) -------------------------------------------------------------------------------------------------------


def p2_p3_transpose(p: Proof) -> None:
    """The transpose of (A2) puts D_d in front, because D_y - y y^T is symmetric."""
    y, d, t = p.vector("y"), p.vector("d"), p.vector("t")
    p.presupposes(y)
    p.statement(
        "((D_y - y y^T) D_d)^T (-t / y) = D_d (D_y - y y^T) (-t / y)",
        trick(softmax_type(y, d), t, y),
        diag(d) @ ((diag(y) - outer(y, y)) @ (-t / y)),
    )


def p2_p3_brace(p: Proof) -> None:
    """1^T t = 1, written over the brace, for t that is only said to be in [0,1]^K: here t_k = 1 / (1 + q_k)."""
    t = p.vector("q", positive=True).map(lambda entry: 1 / (1 + entry))
    p.statement("1^T t = 1", t.sum(), 1)


# --- (3) -> (2) -------------------------------------------------------------------------------------------------------


def p3_p2_vertex(p: Proof) -> None:
    """(A3) at t = e_j: its left side, summed out."""
    y, j_of_f = p.vector("y"), p.classes.matrix("J")
    p.presupposes(y)
    at_vertex = Matrix(p.classes, lambda j, i: trick(j_of_f, p.classes.unit(j), y)[i])
    p.statement(
        "component i of (dF/dx)^T (-e_j / y) is (dy_j/dx_i) (-1 / y_j)",
        at_vertex,
        Matrix(p.classes, lambda j, i: -j_of_f[j, i] / y[j]),
    )


def p3_p2_solved(p: Proof) -> None:
    """d_i (y_i - delta_ij) = -(dy_j/dx_i) / y_j, solved for the derivative."""
    y, d = p.vector("y"), p.vector("d")
    solved = Matrix(p.classes, lambda j, i: d[i] * (delta(i, j) - y[i]) * y[j])
    p.statement(
        "dy_j/dx_i = d_i (delta_ij - y_i) y_j solves it",
        Matrix(p.classes, lambda j, i: -solved[j, i] / y[j]),
        Matrix(p.classes, lambda j, i: d[i] * (y[i] - delta(i, j))),
    )


def swapped(y: Vector, d: Vector) -> Matrix:
    """dy_i/dx_j from dy_j/dx_i = d_i (delta_ij - y_i) y_j, with i and j swapped."""
    return Matrix(y.classes, lambda i, j: d[j] * (delta(j, i) - y[j]) * y[i])


def swapped_as_printed(y: Vector, d: Vector) -> Matrix:
    """What the print has after the swap: (delta_ji - y_i) d_j."""
    return Matrix(y.classes, lambda i, j: (delta(j, i) - y[i]) * d[j])


def p3_p2_swap(p: Proof) -> None:
    """The swap of i and j, against the print."""
    y, d = p.vector("y"), p.vector("d")
    p.statement("dy_i/dx_j = (delta_ji - y_i) d_j", swapped(y, d), swapped_as_printed(y, d))


def p3_p2_swap_repaired(p: Proof) -> None:
    """The swap of i and j leads to (A2)."""
    y, d = p.vector("y"), p.vector("d")
    p.statement("dy_i/dx_j = (delta_ji - y_j) y_i d_j is (A2)", swapped(y, d), softmax_type(y, d))


def p3_p2_broadcast(p: Proof) -> None:
    """(diag[y] - y y^T) * d, with d multiplied into the columns, as NumPy and torch broadcast a vector."""
    y, d = p.vector("y"), p.vector("d")
    core = diag(y) - outer(y, y)
    p.statement(
        "(diag[y] - y y^T) * d = (D_y - y y^T) D_d",
        Matrix(p.classes, lambda i, j: core[i, j] * d[j]),
        softmax_type(y, d),
    )


# --- (1) -> (2) -------------------------------------------------------------------------------------------------------


def _generalised_softmax(p: Proof) -> tuple[Vector, Vector, Matrix]:
    x, c, d = p.vector("x"), p.vector("c"), p.vector("d")
    y = softmax(d * x - c)
    return y, d, jacobian(y, x)


def p1_p2_off_diagonal(p: Proof) -> None:
    """The first case of the quotient rule; the factor 1 - delta_ij leaves out i = j."""
    y, d, j_of_f = _generalised_softmax(p)
    p.statement(
        "dy_j/dx_i = -(d_i y_i) y_j for i != j",
        Matrix(p.classes, lambda j, i: (1 - delta(i, j)) * j_of_f[j, i]),
        Matrix(p.classes, lambda j, i: -(1 - delta(i, j)) * d[i] * y[i] * y[j]),
    )


def p1_p2_diagonal(p: Proof) -> None:
    """The second case of the quotient rule."""
    y, d, j_of_f = _generalised_softmax(p)
    p.statement("dy_i/dx_i = d_i (y_i - y_i^2)", Vector(p.classes, lambda i: j_of_f[i, i]), d * (y - y * y))


def p1_p2_general(p: Proof) -> None:
    """Both cases in one formula."""
    y, d, j_of_f = _generalised_softmax(p)
    formula = Matrix(p.classes, lambda j, i: (delta(i, j) - y[j]) * d[i] * y[i])
    p.statement("dy_j/dx_i = (delta_ij - y_j)(d_i y_i)", j_of_f, formula)


# --- (2) -> (1) -------------------------------------------------------------------------------------------------------


def partial_fractions(p: Proof) -> None:
    """The integrand of the separated equation."""
    y = p.vector("y")
    one = p.classes.constant(1)
    p.presupposes(y, y - one)
    p.statement("1 / ((1 - y) y) = 1 / y + 1 / (1 - y)", one / ((one - y) * y), one / y + one / (one - y))


def logistic_solution(p: Proof) -> None:
    """y_i = e^(d_i x_i) / (e^(d_i x_i) + e^(-C)), put back into log(y / (1 - y)) = d_i x_i + C."""
    x, d, c = p.vector("x"), p.vector("d"), p.vector("C")
    z = (d * x).map(sp.exp) + (-c).map(sp.exp)
    y = (d * x).map(sp.exp) / z
    p.positive("z_i = e^(d_i x_i) + e^(-C) > 0", z[1])
    p.equal("y_i = e^(d_i x_i) / z_i gives log z_i = d_i x_i - log y_i", z.map(sp.log), d * x - y.map(sp.log))
    p.statement("log(y_i / (1 - y_i)) = d_i x_i + C", y.map(lambda entry: sp.log(entry / (1 - entry))), d * x + c)


def general_form_counterexample(p: Proof) -> None:
    """y_i = 0 solves the differential equation of the diagonal, and is not of the form that is said to be general."""
    x, d = p.vector("x"), p.vector("d")
    zero = p.classes.constant(0)
    p.equal("y = 0 has dy_i/dx_i = (1 - y_i) y_i d_i", Vector(p.classes, lambda i: jacobian(zero, x)[i, i]), zero * d)
    p.equal("and all of (P2)", jacobian(zero, x), softmax_type(zero, d))
    form = sp.exp(d[1] * x[1]) / (sp.exp(d[1] * x[1]) + sp.exp(-sp.Symbol("C", real=True)))
    p.positive("e^(d_i x_i) / (e^(d_i x_i) + e^(-C)) > 0", form)
    p.refuted("y = 0 is a solution that the general form does not contain", F="0", K=p.classes.size, y="(0, 0)")


def _log_z(p: Proof) -> tuple[Vector, Vector, Matrix]:
    """y, d, and the derivative of log z_j = d_j x_j - log y_j by x_i in row j, column i, for any y with (P2)."""
    x, y, d = p.vector("x"), p.vector("y", positive=True), p.vector("d")
    slopes = Matrix(p.classes, lambda j, i: chain(d[j] * x[j] - sp.log(y[j]), x, y, softmax_type(y, d))[i])
    return y, d, slopes


def log_z_off_diagonal(p: Proof) -> None:
    """The first case."""
    y, d, slopes = _log_z(p)
    p.statement(
        "d(log z_j)/dx_i = y_i d_i for i != j",
        Matrix(p.classes, lambda j, i: (1 - delta(i, j)) * slopes[j, i]),
        Matrix(p.classes, lambda j, i: (1 - delta(i, j)) * y[i] * d[i]),
    )


def log_z_diagonal(p: Proof) -> None:
    """The second case, with the same result."""
    y, d, slopes = _log_z(p)
    p.statement("d(log z_i)/dx_i = y_i d_i", Vector(p.classes, lambda i: slopes[i, i]), y * d)


def log_z_equal(p: Proof) -> None:
    """The K equalities, and what integrating them gives."""
    _, _, slopes = _log_z(p)
    p.statement("d(log z_j)/dx_i = d(log z_1)/dx_i", slopes, Matrix(p.classes, lambda j, i: slopes[sp.Integer(1), i]))
    p.cites("zero gradient on R^K: log z_j = log z_1 + c_j with constants c_j")
    x, d, c, z1 = p.vector("x"), p.vector("d"), p.vector("c"), sp.Symbol("z_1", positive=True)
    p.equal(
        "z_j = z_1 e^(c_j) gives y_j = e^(d_j x_j - c_j) / z_1",
        (d * x).map(sp.exp) / (c.map(sp.exp) * z1),
        (d * x - c).map(sp.exp) / z1,
    )


def unity_of_p2(p: Proof) -> None:
    """'From the unity condition': asked of SoftMax with slack, which has (P2) by A1r.unity."""
    p.rests_on("A1r.unity", "SoftMax with slack has (P2)")
    p.statement("sum_k y_k = 1", softmax(p.vector("x"), slack=1).sum(), 1)


def normalised(p: Proof) -> None:
    """With unity, z_1 is the sum."""
    x, d, c = p.vector("x"), p.vector("d"), p.vector("c")
    z1 = (d * x - c).map(sp.exp).sum()
    p.equal("z_1 = sum_k e^(d_k x_k - c_k) makes sum_k e^(d_k x_k - c_k) / z_1 = 1", z1 / z1, 1)
    p.statement("y_j = e^(d_j x_j - c_j) / z_1 is SoftMax(d * x - c)", (d * x - c).map(sp.exp) / z1, softmax(d * x - c))


# --- the remark on Sigmoid, Tanh, HardSigmoid, HardTanh ---------------------------------------------------------------


def excluded(p: Proof) -> None:
    """Each acts on each score alone; its sum is not 1."""
    p.rests_on("X.elementwise-no-softmax", "none of the four is a generalised SoftMax, for any K")


def depends_on_all_counterexample(p: Proof) -> None:
    """With d = (1, 0), y_1 does not depend on x_2."""
    x, d = p.vector("x"), p.classes.unit(1)
    y = softmax(d * x)
    p.equal("F(x) = SoftMax(d * x) with d = (1, 0) has dy_1/dx_2 = 0", jacobian(y, x)[1, 2], 0)
    p.refuted("y_1 does not depend on x_2", F="SoftMax(d * x)", K=p.classes.size, d="(1, 0)")


def elementwise_has_no_trick(p: Proof) -> None:
    """At the scores (s, ..., s): a function f of each score alone, with f(s) and f'(s) not 0."""
    value, slope = sp.symbols("f(s) f'(s)", nonzero=True, real=True)
    y, d = p.classes.constant(value), p.vector("d")
    alone = diag(p.classes.constant(slope))
    gap = {k: trick(alone, p.classes.unit(k), y)[1] - dilated_error(p.classes.unit(k), y, d)[1] for k in (1, 2)}
    p.equal("y_i = f(x_i): component 1 of (A3) at t = e_2 leaves -d_1 f(s) = 0", gap[2], -d[1] * value)
    p.cites("so that d_1 = 0")
    p.equal("component 1 at t = e_1 leaves then -f'(s) / f(s) = 0", gap[1].xreplace({d[1]: sp.S.Zero}), -slope / value)
    p.cites("which is not so: no d satisfies (A3) at the vertices e_1 and e_2")
    x = p.vector("x")
    for name, score in (("sigmoid", sp.S.Zero), ("tanh", sp.log(2))):
        f = NORMALIZERS[name].symbolic(x)[1]
        here = {x[1]: score}
        p.positive(f"{name} at s = {score}: f(s) > 0", sp.cancel(f.xreplace(here)))
        p.positive(f"{name} at s = {score}: f'(s) > 0", sp.cancel(p.classes.derivative(f, x[1]).xreplace(here)))
    p.cites("HardTanh at s = 1/2 has f(s) = 1/2 and f'(s) = 1, HardSigmoid at s = 0 has 1/2 and 1/4")


def hard_ones_are_there(facts: Findings) -> None:
    """The values and slopes that the proof takes of HardTanh and HardSigmoid."""
    import z3

    h = z3.Real("h")
    for name, score, value, slope in (("hardtanh", "1/2", "1/2", "1"), ("hardsigmoid", "0", "1/2", "1/4")):
        acts_on_each_score(facts, name)
        f, _ = of_one_score(name)
        line = z3.Q(*_ratio(value)) + z3.Q(*_ratio(slope)) * h
        near = z3.And(h > z3.Q(-1, 4), h < z3.Q(1, 4))
        facts.valid(
            f"{name} is {value} + {slope} h at {score} + h, |h| < 1/4",
            z3.Implies(near, at(f, z3.Q(*_ratio(score)) + h) == line),
        )


def _ratio(text: str) -> tuple[int, int]:
    number = sp.Rational(text)
    return int(number.p), int(number.q)


def varying_dilation(p: Proof) -> None:
    """SoftMax(x^3), component by component: (A3) with d = 3 x^2, which is not one vector."""
    x, t = p.vector("x"), p.vector("t")
    y = softmax(x * x * x)
    d = x * x * 3
    p.equal(
        "F(x) = SoftMax(x^3) has (A3) with d = 3 x^2, where sum t = 1",
        trick(jacobian(y, x), t, y),
        dilated_error(t, y, d),
        (t,),
    )
    log_ratio = x[1] ** 3 - x[2] ** 3
    p.equal("log(y_1 / y_2) = x_1^3 - x_2^3", sp.log(y[1] / y[2]) - log_ratio, 0)
    slopes = [p.classes.derivative(log_ratio, x[1]).xreplace({x[1]: sp.Integer(score)}) for score in (0, 1)]
    p.equal("whose slope by x_1 is 0 at x_1 = 0", slopes[0], 0)
    p.equal("and 3 at x_1 = 1; that of SoftMax(d * x - c) is d_1 everywhere", slopes[1], 3)
    p.refuted(
        "SoftMax(x^3) has the property with a dilation that depends on x, and is no SoftMax(d * x - c)",
        F="SoftMax(x_1^3, ..., x_K^3)",
        K=p.classes.size,
        d="(3 x_1^2, ..., 3 x_K^2)",
    )


def dilation_reorders(p: Proof) -> None:
    """d = (1, 3) at x = (2, 1): the scores are 2 and 1, the dilated ones 2 and 3."""
    two = GivenK(2)
    d, x = two.unit(1) + two.unit(2) * 3, two.unit(1) * 2 + two.unit(2)
    y = softmax(d * x)
    p.equal("SoftMax(d * x) with d = (1, 3) at x = (2, 1) has y_2 / y_1 = e", y[2] / y[1], sp.E)
    p.positive("e > 1, though x_1 > x_2", sp.E - 1)
    p.exists(F="SoftMax(d * x)", d="(1, 3)", x="(2, 1)", y="(1/(1+e), e/(1+e))")


ONLY_GENERALISED_SOFTMAX = (
    r"every $F$ with the dilated trick for all distributions $y^\circ$ is $\text{SoftMax}(d \odot x - c)$"
)
A1_AS_PRINTED = rf"${P1} \iff {P2} \iff {P3}$"

CLAIMS = (
    Claim(
        id="A1.start",
        title="∂CE(t, F(x))/∂x = (∂F/∂x)^T (-t ÷ y) for any F",
        statement=r"$\frac{\partial[CE(y^\circ, F(x))]}{\partial x} = "
        r"\left( \frac{\partial F(x)}{\partial x} \right)^\top (-y^\circ \div y)$",
        source="Appendix A, before Theorem A1",
        hypotheses=(DIFFERENTIABLE, r"$y > 0$"),
        proof=starting_point,
    ),
    Claim(
        id="A1.characterizes",
        title="Theorem A1 fully characterizes the functions with the dilated trick",
        statement=ONLY_GENERALISED_SOFTMAX,
        source="Appendix A, before Theorem A1; section 1, third contribution",
        quote="The following theorem fully characterizes functions that have the *dilated SoftMax trick* property",
        counterexample=slack_has_the_trick,
        repaired_by="A1c",
    ),
    Claim(
        id="A1",
        title="Theorem A1, as printed: (1), (2) and (3) are equivalent",
        statement=A1_AS_PRINTED,
        source="Appendix A, Theorem A1",
        quote="For a differentiable function",
        hypotheses=(DIFFERENTIABLE,),
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1r",
    ),
    Claim(
        id="A1.1-3",
        title="(P1) -> (P3), as printed: SoftMax has the trick for every t",
        statement=rf"${P1} \implies {P3}$",
        source="Appendix A, Theorem A1, (1) -> (3) by way of (2)",
        hypotheses=(DIFFERENTIABLE,),
        counterexample=p2_implies_p3_counterexample,
        repaired_by="A1r",
    ),
    Claim(
        id="A1.order",
        title="the four implications proved make (1), (2) and (3) equivalent",
        statement=r"$(2) \to (3)$, $(3) \to (2)$, $(1) \to (2)$, $(2) \to (1)$ connect each property with each",
        source="Appendix A, proof of Theorem A1, first line",
        quote="We prove the implications in the following order",
        checks=(Check("transitive closure", order_of_implications, "nine pairs of properties"),),
    ),
    Claim(
        id="EA2",
        title="diag[d ⊙ y] - y (d ⊙ y)^T = (D_y - y y^T) D_d",
        statement=r"$\text{diag}[d \odot y] - y(d \odot y)^\top = (D_y - yy^\top)D_d$",
        source="Appendix A, equation (A2); last lines of (3) -> (2) and (1) -> (2)",
        proof=dilation_by_columns,
    ),
    Claim(
        id="EA3",
        title="D_d (y - t) = d ⊙ (y - t)",
        statement=r"$D_d(y - y^\circ) = d \odot (y - y^\circ)$",
        source="Appendix A, equation (A3)",
        proof=dilated_difference,
    ),
    Claim(
        id="A1.2-3.transpose",
        title="(2) -> (3): (∂F/∂x)^T (-t ÷ y) = D_d (D_y - y y^T)(-t ÷ y)",
        statement=r"$\left((D_y - yy^\top)D_d\right)^\top(-y^\circ \div y) = D_d(D_y - yy^\top)(-y^\circ \div y)$",
        source="Appendix A, (2) -> (3), first line",
        hypotheses=(NOWHERE_ZERO,),
        proof=p2_p3_transpose,
    ),
    Claim(
        id="A1.2-3.brace",
        title="(2) -> (3): 1^T t = 1, over the brace, for t in [0,1]^K",
        statement=r"$\mathbf{1}_K^\top y^\circ = 1$ for every $y^\circ \in [0,1]^K$",
        source="Appendix A, (2) -> (3), over the brace",
        proof=p2_p3_brace,
        repaired_by="A1.2-3r",
    ),
    Claim(
        id="A1.3-2.vertex",
        title="(3) -> (2): component i at t = e_j is (∂y_j/∂x_i)(-1 / y_j)",
        statement=r"$\sum_k \frac{\partial y_k}{\partial x_i} \cdot \left(\frac{-\delta_{kj}}{y_k}\right) = "
        r"\frac{\partial y_j}{\partial x_i} \cdot \left(\frac{-1}{y_j}\right)$",
        source="Appendix A, (3) -> (2), first line",
        hypotheses=(NOWHERE_ZERO,),
        proof=p3_p2_vertex,
    ),
    Claim(
        id="A1.3-2.solved",
        title="(3) -> (2): ∂y_j/∂x_i = d_i (δ_ij - y_i) y_j",
        statement=r"$d_i(y_i - \delta_{ij}) = \frac{\partial y_j}{\partial x_i} \cdot \frac{-1}{y_j}$ gives "
        r"$\frac{\partial y_j}{\partial x_i} = d_i \cdot (\delta_{ij} - y_i) y_j$",
        source="Appendix A, (3) -> (2), second line",
        hypotheses=(NOWHERE_ZERO,),
        proof=p3_p2_solved,
    ),
    Claim(
        id="A1.3-2.swap",
        title="(3) -> (2): ∂y_i/∂x_j = (δ_ji - y_i) d_j, as printed",
        statement=r"$\frac{\partial y_j}{\partial x_i} = d_i \cdot (\delta_{ij} - y_i) y_j$ with $i$, $j$ swapped is "
        r"$\frac{\partial y_i}{\partial x_j} = (\delta_{ji} - y_i) \cdot d_j$",
        source="Appendix A, (3) -> (2), after the swap of i and j",
        proof=p3_p2_swap,
        repaired_by="A1.3-2.swap-r",
    ),
    Claim(
        id="A1.3-2.swap-r",
        title="(3) -> (2): ∂y_i/∂x_j = (δ_ji - y_j) y_i d_j",
        statement=r"$\frac{\partial y_i}{\partial x_j} = (\delta_{ji} - y_j) y_i \cdot d_j$",
        source="repair of Appendix A, (3) -> (2), after the swap of i and j",
        proof=p3_p2_swap_repaired,
    ),
    Claim(
        id="A1.3-2.broadcast",
        title="(3) -> (2): (diag[y] - y y^T) ⊙ d = (D_y - y y^T) D_d",
        statement=r"$(\text{diag}[y] - yy^\top) \odot d = (D_y - yy^\top)D_d$, where $\odot d$ multiplies column $j$ "
        r"by $d_j$",
        source="Appendix A, (3) -> (2), last line",
        proof=p3_p2_broadcast,
    ),
    Claim(
        id="A1.1-2.off-diagonal",
        title="(1) -> (2): ∂y_j/∂x_i = -(d_i y_i) y_j for i ≠ j",
        statement=r"$\frac{\partial y_j}{\partial x_i} = -(d_i y_i) \cdot y_j$ when $i \neq j$",
        source="Appendix A, (1) -> (2), first case",
        proof=p1_p2_off_diagonal,
    ),
    Claim(
        id="A1.1-2.diagonal",
        title="(1) -> (2): ∂y_i/∂x_i = d_i (y_i - y_i²)",
        statement=r"$\frac{\partial y_i}{\partial x_i} = d_i(y_i - y_i^2) = (1 - y_i) \cdot (d_i y_i)$",
        source="Appendix A, (1) -> (2), second case",
        proof=p1_p2_diagonal,
    ),
    Claim(
        id="A1.1-2.general",
        title="(1) -> (2): ∂y_j/∂x_i = (δ_ij - y_j)(d_i y_i)",
        statement=r"$\frac{\partial y_j}{\partial x_i} = (\delta_{ij} - y_j)(d_i y_i)$",
        source="Appendix A, (1) -> (2), general formula",
        proof=p1_p2_general,
    ),
    Claim(
        id="A1.2-1.fractions",
        title="(2) -> (1): 1 / ((1 - y) y) = 1/y + 1/(1 - y)",
        statement=r"$\frac{1}{(1-y_i) \cdot y_i} = \frac{1}{y_i} + \frac{1}{1-y_i}$",
        source="Appendix A, (2) -> (1), first line",
        hypotheses=(r"$y_i \notin \{0, 1\}$",),
        proof=partial_fractions,
    ),
    Claim(
        id="A1.2-1.logistic",
        title="(2) -> (1): y_i = e^(d_i x_i) / z_i solves log(y/(1-y)) = d_i x_i + C",
        statement=r"$y_i = \frac{e^{d_i x_i}}{e^{d_i x_i} + e^{-C}}$ has $\log_e \frac{y_i}{1-y_i} = d_i x_i + C$ and "
        r"$\log_e z_i = d_i x_i - \log_e y_i$",
        source="Appendix A, (2) -> (1), second to fourth line",
        proof=logistic_solution,
    ),
    Claim(
        id="A1.2-1.general-form",
        title="(2) -> (1): every solution is e^(d_i x_i) / (e^(d_i x_i) + e^(-C))",
        statement=r"every $F$ with $\frac{\partial y_i}{\partial x_i} = ((1 - y_i) \cdot y_i) \cdot d_i$ has "
        r"$y_i = \frac{e^{d_i x_i}}{e^{d_i x_i} + e^{-C(k \neq i)}}$",
        source="Appendix A, (2) -> (1), first lines",
        quote="from which we can determine the general form of the function",
        hypotheses=(DIFFERENTIABLE,),
        counterexample=general_form_counterexample,
        correction="That holds where $0 < y_i < 1$; $y_i = 0$ and $y_i = 1$ are solutions too, and so are those with "
        "$y_i > 1$ or $y_i < 0$. The classification A1c has all of them.",
    ),
    Claim(
        id="A1.2-1.off-diagonal",
        title="(2) -> (1): ∂log z_j/∂x_i = y_i d_i for i ≠ j",
        statement=r"$\frac{\partial [\log_e z_j]}{\partial x_i} = -\frac{1}{y_j} \frac{\partial y_j}{\partial x_i} = "
        r"y_i d_i$ when $i \neq j$",
        source="Appendix A, (2) -> (1), first case",
        hypotheses=(r"$y > 0$",),
        proof=log_z_off_diagonal,
    ),
    Claim(
        id="A1.2-1.diagonal",
        title="(2) -> (1): ∂log z_i/∂x_i = y_i d_i",
        statement=r"$\frac{\partial [\log_e z_i]}{\partial x_i} = d_i - \frac{(1-y_i)y_i d_i}{y_i} = y_i d_i$",
        source="Appendix A, (2) -> (1), second case",
        hypotheses=(r"$y > 0$",),
        proof=log_z_diagonal,
    ),
    Claim(
        id="A1.2-1.integral",
        title="(2) -> (1): z_j = z_1 e^(c_j), so y_j = e^(d_j x_j - c_j) / z_1",
        statement=r"$\frac{\partial [\log_e z_j]}{\partial x_i} = \frac{\partial [\log_e z_1]}{\partial x_i}$, hence "
        r"$z_j = z_1 \cdot e^{c_j}$ and $y_j = \frac{e^{d_j x_j - c_j}}{z_1}$",
        source="Appendix A, (2) -> (1), after the two cases",
        hypotheses=(r"$y > 0$",),
        proof=log_z_equal,
    ),
    Claim(
        id="A1.2-1.unity",
        title="(2) -> (1): sum y = 1, which is not among the hypotheses",
        statement=rf"${P2} \implies \sum_k y_k = 1$",
        source="Appendix A, (2) -> (1), last step",
        quote="From the *unity* condition, we can now determine the value of",
        hypotheses=(DIFFERENTIABLE,),
        proof=unity_of_p2,
        repaired_by="A1.2-1r",
    ),
    Claim(
        id="A1.2-1.normalised",
        title="(2) -> (1): with unity, z_1 = sum_k e^(d_k x_k - c_k)",
        statement=r"$1 = \sum_k \frac{e^{d_k x_k - c_k}}{z_1}$ gives "
        r"$y_j = \frac{e^{d_j x_j - c_j}}{\sum_k e^{d_k x_k - c_k}}$",
        source="Appendix A, (2) -> (1), last line",
        hypotheses=(r"$\sum_k y_k = 1$",),
        proof=normalised,
    ),
    Claim(
        id="A1.excluded",
        title="Sigmoid, Tanh, HardSigmoid, HardTanh are no generalised SoftMax",
        statement=r"none of $\text{Sigmoid}, \text{Tanh}, \text{HardSigmoid}, \text{HardTanh}$, in the vector version, "
        r"is $\text{SoftMax}(d \odot x - c)$",
        source="Appendix A, after the proof of Theorem A1",
        quote="none of them can be considered as the special form of the generalized",
        proof=excluded,
    ),
    Claim(
        id="A1.excluded.reason",
        title="in a generalised SoftMax each y_i depends on all arguments",
        statement=r"for $y = \text{SoftMax}(d \odot x - c)$, each $y_i$ depends on each $x_j$",
        source="Appendix A, after the proof of Theorem A1",
        quote="depends on all arguments",
        counterexample=depends_on_all_counterexample,
        correction=r"$y_i$ depends on $x_j$ exactly where $d_j \ne 0$ and $K \ge 2$. The formal reason is another: "
        r"each generalised SoftMax sums to 1, and none of the four does.",
    ),
    Claim(
        id="A1.excluded.trick",
        title="the trick does not apply to Sigmoid, Tanh, HardSigmoid, HardTanh, K >= 2",
        statement=rf"none of $\text{{Sigmoid}}, \text{{Tanh}}, \text{{HardSigmoid}}, \text{{HardTanh}}$, in the vector "
        rf"version, has ${P3_SIMPLEX}$",
        source="Appendix A, after the proof of Theorem A1",
        quote="from the group of functions for which we can apply the",
        hypotheses=(r"$K \ge 2$",),
        proof=elementwise_has_no_trick,
        checks=(Check("z3", hard_ones_are_there, "the two hard functions at one score"),),
        remark="For K = 1, of which no classifier speaks, the Sigmoid is SoftMax with slack and has the trick for t = "
        "1.",
        classes=range(2, 7),
    ),
    Claim(
        id="A1.d",
        title="(A3), with whatever d, leaves SoftMax(d ⊙ x - c) alone, as printed",
        statement=r"every differentiable $F$ that satisfies (A3) for every distribution $y^\circ$, with a $d$ of "
        r"which (A3) does not say whether it depends on $x$, is $\text{SoftMax}(d \odot x - c)$",
        source="Appendix A, Theorem A1, property 3, where d is not introduced",
        quote="possesses the dilated SoftMax trick property, if for every target vector",
        counterexample=varying_dilation,
        correction=r"Property 3 must say, as properties 1 and 2 do: there exists a dilation vector $d \in "
        r"\mathbb{R}^K$ such that, for every target vector and every $x$, ... The ledger reads it so everywhere else.",
    ),
    Claim(
        id="A1.reorders",
        title="a dilated SoftMax need not keep the largest score the largest",
        statement=r"for $K = 2$, $\exists d > 0, x: x_1 > x_2$ and $\text{SoftMax}(d \odot x)_1 < \text{SoftMax}(d "
        r"\odot x)_2$",
        source="beyond the paper: the functions of Theorem A1 under condition 2 of section 3",
        proof=dilation_reorders,
    ),
)
