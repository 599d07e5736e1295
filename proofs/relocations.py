r"""Beyond the paper: what the classification A1c and Theorem A1 say of other normalizers, methods and targets.

Many methods for unbalanced classes and for calibration are generalised SoftMax with a dilation and a relocation of
their own, so that Theorem A1 gives their error at once. The elementwise normalizers of section 4.1 are not, and LDAM is
not: its shift depends on the label.
"""

from __future__ import annotations

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import piecewise
from softmax_trick.proofs.theorem_a1 import FAMILY, GENERALISED, NAMES, P2, UNITY, WITH_JACOBIAN
from softmax_trick.symbolic import jacobian

COROLLARY = "beyond the paper: a corollary of A1c"
METHODS = "beyond the paper: methods that are dilated or relocated SoftMax"
ANY_SUM = "beyond the paper: the SoftMax trick where the targets do not sum to one"
SMOOTH = ("sigmoid", "tanh")


# --- the family of A1c ------------------------------------------------------------------------------------------------


def family_unity(p: Proof) -> None:
    """The defect of unity is the slack's share."""
    p.rests_on("A1c", "(P2) gives y_i = a_i exp(d_i x_i) / w with w = C + sum_k a_k exp(d_k x_k) nowhere 0")
    p.concludes()
    p.cites("w is finite and not 0: the left side is 0 at one point, or at all, if and only if C = 0")


def family_uniqueness(p: Proof) -> None:
    """Quotients of soft scores tell d and the differences of c."""
    p.cites("at x = 0, the logarithms of quotients tell every c_i - c_j: c is unique but for a multiple of (1, ..., 1)")
    p.cites("for K >= 2 each i has a j != i: their slopes tell d")
    p.concludes()


def family_positivity(p: Proof) -> None:
    """Where w is positive on all of R^K, for a > 0."""
    p.cites("a class with d_k = 0 adds a_k to C, whatever x_k is: let B = C + sum_(d_k = 0) a_k, and leave it out")
    p.cites("if no class is left, w = B for every x: w > 0 if and only if B > 0")
    p.shows("w > 0", words="if some are left, for B >= 0", let="C: nonnegative")
    p.shows("w == B + exp(-s)*sum(a)", words="along a line", let="B: real; C = B; s: real; x = -s/d", where=("d != 0",))
    p.shows("exp(-s)*A - L == 0", words="for B = -L < 0, A = sum_k a_k", let="A: positive; L: positive; s = log(A/L)")


# --- the elementwise normalizers --------------------------------------------------------------------------------------


def elementwise_is_no_softmax(p: Proof) -> None:
    """The sum of a generalised SoftMax is 1 everywhere; theirs is not even constant, or is 0 at 0."""
    p.shows(f"sum({GENERALISED}) == 1", words="every generalised SoftMax sums to 1")

    def total(name: str, score: sp.Expr | int) -> sp.Expr:
        return NORMALIZERS[name].symbolic(p.classes.constant(score)).sum()

    size = p.classes.size
    p.equal("Sigmoid: the sum is K/2 at x = 0", total("sigmoid", 0), size / 2)
    p.positive("and more at x = (log 2, ..., log 2)", total("sigmoid", sp.log(2)) - size / 2)
    for name in ("hardsigmoid", "hardsigmoid_torch"):
        p.equal(f"{name}: the sum is K/2 at x = 0", total(name, 0), size / 2)
        p.positive("and more at x = (1, ..., 1)", total(name, 1) - size / 2)
    for name in ("tanh", "hardtanh"):
        p.equal(f"{name}: the sum is 0 at x = 0", total(name, 0), 0)


def smooth_elementwise_has_no_p2(p: Proof) -> None:
    """A diagonal Jacobian forces d = 0 in (P2), and then the Jacobian is 0, which theirs is not."""
    p.shows("J[1,2] == -y[1]*y[2]*d[2]", words="(P2) off the diagonal", let=WITH_JACOBIAN)
    p.shows("J[2,2] == y[2]*(1 - y[2])*d[2]", words="on it: 0 for d_2 = 0", let=WITH_JACOBIAN)
    x = p.vector("x")
    at_log_2 = {x[1]: sp.log(2), x[2]: sp.log(2)}
    for name in SMOOTH:
        f = NORMALIZERS[name].symbolic(x)
        p.equal(f"{name}: dy_1/dx_2 = 0", jacobian(f, x)[1, 2], 0)
        p.positive("with y_1 y_2 > 0 at x_1 = x_2 = log 2, so that d_2 = 0", (f[1] * f[2]).xreplace(at_log_2))
        p.positive("but dy_2/dx_2 > 0 there", jacobian(f, x)[2, 2].xreplace(at_log_2))


def hard_elementwise_has_no_p2(findings: Findings) -> None:
    """(P2) is a property of differentiable functions; at the upper kink these have no derivative."""
    import z3

    h = z3.Real("h")
    near = z3.And(h > 0, h < 1)
    for name, slope in zip(piecewise.HARD, ("1", "1/4", "1/6"), strict=True):
        kink = max(NORMALIZERS[name].kinks)
        piecewise.acts_on_each_score(findings, name)
        f, _ = piecewise.of_one_score(name)
        left, middle, right = (piecewise.at(f, score) for score in (kink - h, z3.RealVal(kink), kink + h))
        findings.valid(f"{name}: right of {kink} the slope is 0", z3.Implies(near, right - middle == 0))
        findings.valid(f"left of it {slope}", z3.Implies(near, middle - left == z3.RealVal(slope) * h))


# --- LDAM, and blurred targets ----------------------------------------------------------------------------------------


def ldam(p: Proof) -> None:
    """At x = 0 its error for label 1 and label 2 needs two different soft scores for class 1."""
    for j in (1, 2):
        p.shows(
            "grad(softce(e, x - m*e), x) == softmax(x - m*e) - e",
            words=f"the gradient of LDAM for the label {j}",
            let=f"e = [k:K] delta(k, {j}); m: K",
        )
    p.cites("if it were F(x) - e_j for one F, SoftMax(x - Delta_j e_j) would be the same for every j")
    margins = "u: positive; v: positive; e = [k:K] delta(k, 1); f = [k:K] delta(k, 2)"  # exp(Delta) = 1 + u, 1 + v
    p.shows("softmax(-log(1 + u)*e)[1] == 1/(1 + (1 + u)*(K - 1))", words="x = 0, label 1", let=margins)
    p.shows("softmax(-log(1 + v)*f)[1] == (1 + v)/(1 + (1 + v)*(K - 1))", words="x = 0, label 2", let=margins)
    p.shows(
        "(1 + v)/(1 + (1 + v)*N) > 1/(1 + (1 + u)*N)",
        words="N = K - 1, for all positive margins",
        let="u: positive; v: positive; N: positive",
    )
    p.exists(x="0", labels="1 and 2", Delta="any positive margins", K=">= 2")


CLAIMS = (
    Claim(
        id="X.trick.any-sum",
        title="the SoftMax trick for targets of any sum",
        formulas=("grad(softce(t, x), x) == sum(t)*y - t",),
        let="x: K; t: K; y = softmax(x)",
        source=ANY_SUM,
    ),
    Claim(
        id="X.trick.dilated-any-sum",
        title="the dilated trick for targets of any sum",
        formulas=("grad(ce(t, y), x) == d*(sum(t)*y - t)",),
        let=f"x: K; t: K; c: K; d: K; y = {GENERALISED}",
        source=ANY_SUM,
    ),
    Claim(
        id="X.family.unity",
        title="an F with (P2) sums to 1 at one point, or at all, iff C = 0",
        statement=r"$\formula{sum(y) == 1}$ at one $x$ $\iff \formula{C == 0} \iff \formula{sum(y) == 1}$ at every "
        r"$x$, as $\formula{1}$",
        formulas=(UNITY,),
        let=f"x: K; a: K; d: K; C: real; {FAMILY}",
        where=("w != 0",),
        source=COROLLARY,
        proof=family_unity,
    ),
    Claim(
        id="X.family.unique",
        title="F = SoftMax(d * x - c) tells d, and c but for a constant",
        statement=r"two such functions are one if and only if they have one $d$, and $c$ that differ by some "
        r"$r\,(1, \dots, 1)$: $\formula{1}$, $\formula{2}$, $\formula{3}$",
        formulas=(
            "softmax(d*x - c - r) == y",
            "log(y[i]/y[j]) == d[i]*x[i] - c[i] - (d[j]*x[j] - c[j])",
            "grad(log(y[i]/y[j]), x)[i] == d[i]",
        ),
        let=f"x: K; c: K; d: K; r: real; y = {GENERALISED}; i: index K; j: index K",
        where=("K >= 2", "i != j"),
        source=COROLLARY,
        proof=family_uniqueness,
    ),
    Claim(
        id="X.family.positive",
        title="how much negative slack the family of A1c can take",
        statement=r"For $a > 0$ and $\formula{w == C + sum(a*exp(d*x))}$, $\formula{w > 0}$ on all of $\mathbb{R}^K "
        r"\iff C + \sum_{d_k = 0} a_k \ge 0$ if $d \ne 0$, and $\iff C + \sum_k a_k > 0$ if $d = 0$",
        let="x: K; a: K positive; d: K; C: real; w = C + sum(a*exp(d*x))",
        source=COROLLARY,
        proof=family_positivity,
    ),
    Claim(
        id="X.elementwise-no-softmax",
        title="Sigmoid, Tanh and the hard forms are no generalised SoftMax",
        statement=rf"For no $K$ and no $c, d \in \mathbb{{R}}^K$ is $\formula{{y == {GENERALISED}}}$ the vector of "
        "Sigmoid, Tanh, HardTanh, the paper's or PyTorch's HardSigmoid of $x$",
        let="x: K; c: K; d: K",
        source=COROLLARY,
        proof=elementwise_is_no_softmax,
    ),
    Claim(
        id="X.elementwise-no-p2",
        title="Sigmoid, Tanh and the hard forms have no property (P2), K >= 2",
        statement=rf"$\formula{{not {P2}}}$ for F the vector of Sigmoid or of Tanh; HardTanh and both HardSigmoids are "
        "not even "
        "differentiable",
        let=NAMES,
        source=COROLLARY,
        where=("K >= 2",),
        proof=smooth_elementwise_has_no_p2,
        checks=(Check("z3", hard_elementwise_has_no_p2, "the hard forms, at their upper kink"),),
        remark="For K = 1 the Sigmoid is SoftMax with slack.",
    ),
    Claim(
        id="X.relocation.balanced-softmax",
        title="Balanced Softmax is a relocation by the class frequencies n",
        formulas=(f"n*exp(x)/sum(n*exp(x)) == {GENERALISED}",),
        let="x: K; n: K positive; d = ones(K); c = -log(n)",
        source=METHODS + "; Ren et al., NeurIPS 2020",
    ),
    Claim(
        id="X.relocation.logit-adjustment",
        title="logit adjustment is a relocation by the priors pi",
        formulas=(f"pi**tau*exp(x)/sum(pi**tau*exp(x)) == {GENERALISED}",),
        let="x: K; l: K; pi = exp(l); tau: real; d = ones(K); c = -tau*log(pi)",
        source=METHODS + "; Menon et al., ICLR 2021",
    ),
    Claim(
        id="X.relocation.vs-loss",
        title="the VS-loss dilates by Delta and relocates by -iota",
        formulas=(f"exp(Delta*x + iota)/sum(exp(Delta*x + iota)) == {GENERALISED}",),
        let="x: K; Delta: K; iota: K; d = Delta; c = -iota",
        source=METHODS + "; Kini et al., NeurIPS 2021",
        remark=r"A weight $\omega$ of the label is a target $\omega e_j$, of sum $\omega$.",
    ),
    Claim(
        id="X.relocation.temperature-scaling",
        title="temperature scaling dilates by 1/T",
        formulas=("softmax(x/T) == softmax(d*x)",),
        let="x: K; T: positive; d = ones(K)/T",
        source=METHODS + "; Guo et al., ICML 2017",
    ),
    Claim(
        id="X.relocation.vector-scaling",
        title="vector scaling dilates by w and relocates by -b",
        formulas=(f"softmax(w*x + b) == {GENERALISED}",),
        let="x: K; w: K; b: K; d = w; c = -b",
        source=METHODS + "; Guo et al., ICML 2017",
    ),
    Claim(
        id="X.relocation.ldam",
        title="LDAM is no relocation: its shift depends on the label",
        statement=r"There is no F with $\nabla_x CE(e_j, \text{SoftMax}(x - \Delta_j e_j)) = F(x) - e_j$ for every "
        r"label $j$, for margins $\Delta_1, \Delta_2 > 0$",
        let="x: K",
        where=("K >= 2",),
        source="beyond the paper: LDAM as in Cao et al., NeurIPS 2019",
        proof=ldam,
    ),
    Claim(
        id="X.blurring",
        title="blurring by mu is label smoothing by s, mu = s (K-1)/K",
        formulas=("sum(t) == 1", "t == (1 - K*epsilon)*e + epsilon", "t == (1 - s)*e + s/K"),
        let="mu: real; e = [k:K] delta(k, 1); t = (1 - mu)*e + mu/(K - 1)*(1 - e); "
        "epsilon = mu/(K - 1); s = mu*K/(K - 1)",
        where=("K >= 2",),
        source="beyond the paper: the blurring of section 3 beside label smoothing",
        hypotheses=("any class may be numbered 1",),
    ),
)
