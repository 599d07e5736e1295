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
    BY_SLACK,
    BY_SOFTMAX,
    DIFFERENTIABLE,
    DILATED,
    GENERALISED,
    JACOBIAN,
    NAMES,
    P1,
    P2,
    P3,
    P3_SIMPLEX,
    SLACK,
    SOLVED,
    TRICK,
    p2_implies_p1_counterexample,
    p2_implies_p3_counterexample,
)

# --- the starting point, and the theorem as a whole -------------------------------------------------------------------


def starting_point(p: Proof) -> None:
    """The chain rule, at any x."""
    p.cites("the chain rule: the gradient depends on the values of F at x and on its Jacobian J there, as for b + J x")
    p.concludes()


def slack_has_the_trick(p: Proof) -> None:
    """SoftMax with slack has (P2), and (P3) for every distribution t; it is no generalised SoftMax."""
    p.rests_on("A1r.unity", "SoftMax with slack has (P2), (P3) where sum t = 1, positive entries, and not (P1)")
    p.shows("y == ones(K)/3", "sum(y) == 2/3", words="for K = 2 and x = (0, 0)", let=f"x = 0*ones(K); y = {SLACK}")
    p.refuted(
        "SoftMax with slack has the trick and is no generalised SoftMax",
        F="exp(x_i) / (1 + sum_k exp(x_k))",
        K=2,
        x="(0, 0)",
        y="(1/3, 1/3)",
        sum="2/3",
    )


PRINTED_IMPLICATIONS = {(2, 3), (3, 2), (1, 2), (2, 1)}


def order_of_implications(findings: Findings) -> None:
    """The four implications, in any order, lead from each property to each other one."""
    reached = set(PRINTED_IMPLICATIONS)
    while more := {(a, d) for a, b in reached for c, d in reached if b == c} - reached:
        reached |= more
    missing = {(a, b) for a in (1, 2, 3) for b in (1, 2, 3)} - reached
    findings.holds("(2) -> (3), (3) -> (2), (1) -> (2), (2) -> (1) chain up to all nine", not missing, missing=missing)


# --- (2) -> (1) -------------------------------------------------------------------------------------------------------


def general_form_counterexample(p: Proof) -> None:
    """y_i = 0 solves the differential equation of the diagonal, and is not of the form that is said to be general."""
    p.shows(JACOBIAN, words="y = 0 has (P2)", let="x: K; d: K; y = 0*x; J = jacobian(y, x)")
    p.shows("exp(d*x)/(exp(d*x) + exp(-C)) > 0", let="x: K; d: K; C: K")
    p.refuted("y = 0 is a solution that the general form does not contain", F="0", K=2, y="(0, 0)")


def log_z_equal(p: Proof) -> None:
    """The K equalities, and what integrating them gives."""
    p.concludes(1)
    p.cites("zero gradient on R^K: log z_j = log z_1 + c_j with constants c_j")
    p.concludes(2)


# --- the remark on Sigmoid, Tanh, HardSigmoid, HardTanh ---------------------------------------------------------------


def excluded(p: Proof) -> None:
    """Each acts on each score alone; its sum is not 1."""
    p.rests_on("X.elementwise-no-softmax", "none of the four is a generalised SoftMax, for any K")


def depends_on_all_counterexample(p: Proof) -> None:
    """With d = (1, 0), y_1 does not depend on x_2."""
    p.shows("jacobian(softmax(d*x), x)[1,2] == 0", let="x: K; d = [k:K] delta(k, 1)")
    p.refuted("y_1 does not depend on x_2", F="SoftMax(d * x)", K=2, d="(1, 0)")


def elementwise_has_no_trick(p: Proof) -> None:
    """At the scores (s, ..., s): a function f of each score alone, with v = f(s) and u = f'(s) not 0."""
    alone = "v: real; u: real; y = v*ones(K); J = u*eye(K); d: K; t = [k:K] delta(k, {})"
    nonzero = ("v != 0",)
    p.shows("(J.T @ (-t/y) - d*(y - t))[1] == -d[1]*v", words="(A3) at t = e_2", let=alone.format(2), where=nonzero)
    p.cites("so that d_1 = 0")
    p.shows(
        "(J.T @ (-t/y) - d*(y - t))[1] == -u/v - d[1]*(v - 1)",
        words="(A3) at t = e_1",
        let=alone.format(1),
        where=nonzero,
    )
    p.cites("which is not 0 for d_1 = 0: no d satisfies (A3) at the vertices e_1 and e_2")
    x = p.vector("x")
    for name, score in (("sigmoid", sp.S.Zero), ("tanh", sp.log(2))):
        f = NORMALIZERS[name].symbolic(x)[1]
        here = {x[1]: score}
        p.positive(f"{name} at s = {score}: f(s) > 0", sp.cancel(f.xreplace(here)))
        p.positive(f"{name} at s = {score}: f'(s) > 0", sp.cancel(p.classes.derivative(f, x[1]).xreplace(here)))
    p.cites("HardTanh at s = 1/2 has f(s) = 1/2 and f'(s) = 1, HardSigmoid at s = 0 has 1/2 and 1/4")


def hard_ones_are_there(findings: Findings) -> None:
    """The values and slopes that the proof takes of HardTanh and HardSigmoid."""
    import z3

    h = z3.Real("h")
    for name, score, value, slope in (("hardtanh", "1/2", "1/2", "1"), ("hardsigmoid", "0", "1/2", "1/4")):
        acts_on_each_score(findings, name)
        f, _ = of_one_score(name)
        line = z3.Q(*_ratio(value)) + z3.Q(*_ratio(slope)) * h
        near = z3.And(h > z3.Q(-1, 4), h < z3.Q(1, 4))
        findings.valid(
            f"{name} is {value} + {slope} h at {score} + h, |h| < 1/4",
            z3.Implies(near, at(f, z3.Q(*_ratio(score)) + h) == line),
        )


def _ratio(text: str) -> tuple[int, int]:
    number = sp.Rational(text)
    return int(number.p), int(number.q)


def varying_dilation(p: Proof) -> None:
    """SoftMax(x^3), component by component, has (A3) with a d that is not one vector."""
    cubed = "x: K; t: K distribution; y = softmax(x**3); J = jacobian(y, x); d = 3*x**2"
    p.shows(TRICK, words="where sum t = 1", let=cubed)
    p.shows("grad(log(y[1]/y[2]), x)[1] == 3*x[1]**2", words="0 at x_1 = 0 and 3 at x_1 = 1", let=cubed)
    p.shows(
        "grad(log(y[1]/y[2]), x)[1] == d[1]",
        words="at every x, for a generalised SoftMax",
        let=f"x: K; c: K; d: K; y = {GENERALISED}",
    )
    p.refuted(
        "SoftMax(x^3) has the property with a dilation that depends on x, and is no SoftMax(d * x - c)",
        F="SoftMax(x_1^3, ..., x_K^3)",
        K=2,
        d="(3 x_1^2, ..., 3 x_K^2)",
    )


def dilation_reorders(p: Proof) -> None:
    """The scores are 2 and 1, the dilated ones 2 and 3."""
    p.concludes()
    p.shows("exp(1) > 1", words="though x_1 > x_2")
    p.exists(F="SoftMax(d * x)", d="(1, 3)", x="(2, 1)", y="(1/(1+e), e/(1+e))")


ONLY_GENERALISED_SOFTMAX = f"{P3_SIMPLEX} implies {P1}"  # of every F
ENTRIES = f"x: K; c: K; d: K; y = {GENERALISED}; i: index K; j: index K"
VALUES = "y: K; d: K; i: index K; j: index K"
# Along y = F(x), l = log z has the derivative S by x.
LOG_Z = (
    f"x: K; y: K positive; d: K; J = {DILATED}; l = d*x - log(y); S = jacobian(l, x) + jacobian(l, y) @ J; "
    "i: index K; j: index K"
)
OF_LOG_Z = (
    r"$z_i = \frac{e^{d_i x_i}}{y_i}, \ l = \log_e z, "
    r"\ S_{ji} = \frac{\partial [\log_e z_j]}{\partial x_i}$ along $y = F(x)$",
)

CLAIMS = (
    Claim(
        id="A1.start",
        title="the gradient of CE after any F, by the Jacobian J of F",
        statement=r"$\nabla_x CE(y^\circ, F(x)) = J^\top (-y^\circ \div y)$ for any $F$: at each $x$, "
        r"as for its tangent, $\formula{1}$",
        formulas=("grad(ce(t, y), x) == J.T @ (-t/y)",),
        let="x: K; t: K; b: K; J: K,K'; y = b + J @ x",
        where=("y > 0",),
        source="Appendix A, before Theorem A1",
        hypotheses=(DIFFERENTIABLE,),
        proof=starting_point,
    ),
    Claim(
        id="A1.characterizes",
        title="Theorem A1 fully characterizes the functions with the dilated trick",
        formulas=(ONLY_GENERALISED_SOFTMAX,),
        putting=BY_SLACK,
        let=NAMES,
        source="Appendix A, before Theorem A1; section 1, third contribution",
        quote="The following theorem fully characterizes functions that have the *dilated SoftMax trick* property",
        counterexample=slack_has_the_trick,
        repaired_by="A1c",
    ),
    Claim(
        id="A1",
        title="Theorem A1, as printed: (1), (2) and (3) are equivalent",
        formulas=(f"{P1} iff {P2} iff {P3}",),
        let=NAMES,
        putting=BY_SLACK,
        source="Appendix A, Theorem A1",
        quote="For a differentiable function",
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1r",
    ),
    Claim(
        id="A1.1-3",
        title="(P1) -> (P3), as printed: SoftMax has the trick for every t",
        formulas=(f"{P1} implies {P3}",),
        let=NAMES,
        putting=f"{BY_SOFTMAX}; c = 0",
        source="Appendix A, Theorem A1, (1) -> (3) by way of (2)",
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
        formulas=(f"diag(d*y) - outer(y, d*y) == {DILATED}",),
        let="y: K; d: K",
        source="Appendix A, equation (A2); last lines of (3) -> (2) and (1) -> (2)",
    ),
    Claim(
        id="EA3",
        formulas=("diag(d) @ (y - t) == d*(y - t)",),
        let="y: K; t: K; d: K",
        source="Appendix A, equation (A3)",
    ),
    Claim(
        id="A1.2-3.transpose",
        title="(2) -> (3): the transposed Jacobian has D_d in front",
        formulas=(f"({DILATED}).T @ (-t/y) == diag(d) @ (diag(y) - outer(y, y)) @ (-t/y)",),
        let="y: K; d: K; t: K",
        where=("y != 0",),
        source="Appendix A, (2) -> (3), first line",
    ),
    Claim(
        id="A1.2-3.brace",
        title="(2) -> (3): 1^T t = 1, over the brace, for t in [0,1]^K",
        formulas=("sum(t) == 1",),
        let="t: K unit",
        source="Appendix A, (2) -> (3), over the brace",
        repaired_by="A1.2-3r",
    ),
    Claim(
        id="A1.3-2.vertex",
        title="(3) -> (2): one component of (A3) at t = e_j",
        formulas=("sum[k:K] (J[k,i]*(-delta(k, j)/y[k])) == J[j,i]*(-1/y[j])",),
        let="y: K; J: K,K'; i: index K; j: index K",
        where=("y != 0",),
        source="Appendix A, (3) -> (2), first line",
        hypotheses=(DIFFERENTIABLE,),
    ),
    Claim(
        id="A1.3-2.solved",
        title="(3) -> (2): (A3) at t = e_j, solved for the derivative",
        formulas=("d[i]*(y[i] - delta(i, j)) == J[j,i]*(-1/y[j])",),
        let=f"{VALUES}; {SOLVED}",
        where=("y != 0",),
        source="Appendix A, (3) -> (2), second line",
    ),
    Claim(
        id="A1.3-2.swap",
        title="(3) -> (2): i and j swapped, as printed",
        formulas=("J[i,j] == (delta(j, i) - y[i])*d[j]",),
        let=f"{VALUES}; {SOLVED}",
        source="Appendix A, (3) -> (2), after the swap of i and j",
        repaired_by="A1.3-2.swap-r",
    ),
    Claim(
        id="A1.3-2.swap-r",
        title="(3) -> (2): i and j swapped",
        formulas=("J[i,j] == (delta(j, i) - y[j])*y[i]*d[j]",),
        let=f"{VALUES}; {SOLVED}",
        source="repair of Appendix A, (3) -> (2), after the swap of i and j",
    ),
    Claim(
        id="A1.3-2.broadcast",
        title="(3) -> (2): d broadcast over the columns is D_d on the right",
        formulas=(f"(diag(y) - outer(y, y))*cols(d) == {DILATED}",),
        let="y: K; d: K",
        source="Appendix A, (3) -> (2), last line",
    ),
    Claim(
        id="A1.1-2.off-diagonal",
        title="(1) -> (2): the derivatives off the diagonal",
        formulas=("jacobian(y, x)[j,i] == -(d[i]*y[i])*y[j]",),
        let=ENTRIES,
        where=("i != j",),
        source="Appendix A, (1) -> (2), first case",
    ),
    Claim(
        id="A1.1-2.diagonal",
        title="(1) -> (2): the derivatives on the diagonal",
        formulas=("jacobian(y, x)[i,i] == d[i]*(y[i] - y[i]**2)", "d[i]*(y[i] - y[i]**2) == (1 - y[i])*(d[i]*y[i])"),
        let=ENTRIES,
        source="Appendix A, (1) -> (2), second case",
    ),
    Claim(
        id="A1.1-2.general",
        title="(1) -> (2): all derivatives in one formula",
        formulas=("jacobian(y, x)[j,i] == (delta(i, j) - y[j])*(d[i]*y[i])",),
        let=ENTRIES,
        source="Appendix A, (1) -> (2), general formula",
    ),
    Claim(
        id="A1.2-1.fractions",
        title="(2) -> (1): the partial fractions of the separated equation",
        formulas=("1/((1 - y)*y) == 1/y + 1/(1 - y)",),
        let="y: K",
        where=("y != 0", "1 - y != 0"),
        source="Appendix A, (2) -> (1), first line",
    ),
    Claim(
        id="A1.2-1.logistic",
        title="(2) -> (1): the logistic solution",
        formulas=("log(y/(1 - y)) == d*x + C", "log(z) == d*x - log(y)"),
        let="x: K; d: K; C: K; z = exp(d*x) + exp(-C); y = exp(d*x)/z",
        where=("1 - y > 0", "y/(1 - y) > 0"),
        source="Appendix A, (2) -> (1), second to fourth line",
    ),
    Claim(
        id="A1.2-1.general-form",
        title="(2) -> (1): every solution is logistic, as printed",
        statement=r"every $F$ with $\formula{J[i,i] == ((1 - y[i])*y[i])*d[i]}$ has "
        r"$\formula{y[i] == exp(d[i]*x[i])/(exp(d[i]*x[i]) + exp(-C[i]))}$, where $C_i$ does not depend on $x_i$",
        let="x: K; y: K; d: K; C: K; J: K,K'; i: index K",
        source="Appendix A, (2) -> (1), first lines",
        quote="from which we can determine the general form of the function",
        hypotheses=(DIFFERENTIABLE,),
        counterexample=general_form_counterexample,
        correction="That holds where $0 < y_i < 1$; $y_i = 0$ and $y_i = 1$ are solutions too, and so are those with "
        "$y_i > 1$ or $y_i < 0$. The classification A1c has all of them.",
    ),
    Claim(
        id="A1.2-1.off-diagonal",
        title="(2) -> (1): the derivatives of log z_j by x_i, i ≠ j",
        formulas=("S[j,i] == -1/y[j]*J[j,i]", "-1/y[j]*J[j,i] == y[i]*d[i]"),
        let=LOG_Z,
        where=("i != j",),
        source="Appendix A, (2) -> (1), first case",
        hypotheses=OF_LOG_Z,
    ),
    Claim(
        id="A1.2-1.diagonal",
        title="(2) -> (1): the derivatives of log z_i by x_i",
        formulas=("S[i,i] == d[i] - (1 - y[i])*y[i]*d[i]/y[i]", "d[i] - (1 - y[i])*y[i]*d[i]/y[i] == y[i]*d[i]"),
        let=LOG_Z,
        source="Appendix A, (2) -> (1), second case",
        hypotheses=OF_LOG_Z,
    ),
    Claim(
        id="A1.2-1.integral",
        title="(2) -> (1): all log z_j differ from log z_1 by constants",
        statement=r"$\formula{1}$, hence $z_j = z_1 e^{c_j}$, and $\formula{2}$",
        formulas=("S[j,i] == S[1,i]", "exp(d*x)/Z == exp(d*x - c)/z"),
        let=f"{LOG_Z}; c: K; z: positive; Z = z*exp(c)",
        source="Appendix A, (2) -> (1), after the two cases",
        hypotheses=(*OF_LOG_Z, "in the last formula $Z$ is the vector $z$, and $z$ is $z_1$"),
        proof=log_z_equal,
    ),
    Claim(
        id="A1.2-1.unity",
        title="(2) -> (1): unity, which is not among the hypotheses",
        formulas=(f"{P2} implies for all x, y = F(x): sum(y) == 1",),
        let=NAMES,
        putting=BY_SLACK,
        source="Appendix A, (2) -> (1), last step",
        quote="From the *unity* condition, we can now determine the value of",
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1.2-1r",
    ),
    Claim(
        id="A1.2-1.normalised",
        title="(2) -> (1): with unity, z_1 is the sum",
        formulas=("sum(y) == 1", f"y == {GENERALISED}"),
        let="x: K; d: K; c: K; z = sum(exp(d*x - c)); y = exp(d*x - c)/z",
        source="Appendix A, (2) -> (1), last line",
        hypotheses=("$z$ is $z_1$",),
    ),
    Claim(
        id="A1.excluded",
        title="Sigmoid, Tanh, HardSigmoid, HardTanh are no generalised SoftMax",
        statement=r"none of $\text{Sigmoid}, \text{Tanh}, \text{HardSigmoid}, \text{HardTanh}$, in the vector version, "
        rf"is $\formula{{y == {GENERALISED}}}$",
        let=NAMES,
        source="Appendix A, after the proof of Theorem A1",
        quote="none of them can be considered as the special form of the generalized",
        proof=excluded,
    ),
    Claim(
        id="A1.excluded.reason",
        title="in a generalised SoftMax each y_i depends on all arguments",
        statement=rf"for $\formula{{y == {GENERALISED}}}$, each $y_i$ depends on each $x_j$",
        let=NAMES,
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
        rf"version, has $\formula{{{P3_SIMPLEX}}}$",
        where=("K >= 2",),
        let=NAMES,
        source="Appendix A, after the proof of Theorem A1",
        quote="from the group of functions for which we can apply the",
        proof=elementwise_has_no_trick,
        checks=(Check("z3", hard_ones_are_there, "the two hard functions at one score"),),
        remark="For K = 1, of which no classifier speaks, the Sigmoid is SoftMax with slack and has the trick for t = "
        "1.",
    ),
    Claim(
        id="A1.d",
        title="(A3), with whatever d, leaves SoftMax(d ⊙ x - c) alone, as printed",
        statement=rf"every differentiable $F$ that satisfies $\formula{{{TRICK}}}$ for every distribution $y^\circ$, "
        r"with a $d$ of which (A3) does not say whether it depends on $x$, is "
        rf"$\formula{{y == {GENERALISED}}}$",
        let=NAMES,
        source="Appendix A, Theorem A1, property 3, where d is not introduced",
        quote="possesses the dilated SoftMax trick property, if for every target vector",
        counterexample=varying_dilation,
        correction=r"Property 3 must say, as properties 1 and 2 do: there exists a dilation vector $d \in "
        r"\mathbb{R}^K$ such that, for every target vector and every $x$, ... The ledger reads it so everywhere else.",
    ),
    Claim(
        id="A1.reorders",
        title="a dilated SoftMax need not keep the largest score the largest",
        statement=r"$x_1 > x_2$ and $\text{SoftMax}(d \odot x)_1 < \text{SoftMax}(d \odot x)_2$ for some $d > 0$: "
        r"$\formula{1} > 1$",
        formulas=("y[2]/y[1] == exp(1)",),
        let="d = [k:K] 1 + 2*delta(k, 2); x = [k:K] 2*delta(k, 1) + delta(k, 2); y = softmax(d*x)",
        where=("K >= 2",),
        source="beyond the paper: the functions of Theorem A1 under condition 2 of section 3",
        proof=dilation_reorders,
    ),
)
