r"""Theorem A1 (paper, Appendix A): which functions have the dilated SoftMax trick.

As printed, the properties (P1), (P2) and (P3) of a differentiable F: R^K -> R^K are equivalent. Of the four
implications that the paper proves, (1) -> (2) and (3) -> (2) hold, (2) -> (3) and (2) -> (1) do not:

- (2) -> (3) uses 1^T t = 1, which the statement does not ask of t. Literal (P3) forces d = 0.
- (2) -> (1) uses the unity of y, which the statement does not ask of F. SoftMax with slack has (P2) and not (P1).

What is true is the classification A1c of all F with (P2), the equivalence A1r.trick of (P2) and (P3) for targets that
sum to one, and the equivalence A1r of all three for every F that is a distribution with positive entries at one point.
(P3) divides by y, so it is read as including that no y_i vanishes anywhere.

A hypothesis that says what the Jacobian J is, is a definition of J; what follows from it is decided with that J.
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof

# At one x, where y = F(x) and J is the Jacobian of F: (A1), (A2), (A3).
GENERALISED = "softmax(d*x - c)"
DILATED = "(diag(y) - outer(y, y)) @ diag(d)"
JACOBIAN = f"J == {DILATED}"
TRICK = "J.T @ (-t/y) == d*(y - t)"
NAMES = "x: K; y: K; t: K unit; c: K; d: K; J: K,K'; l: label K"

AT_EVERY_X = "for all x, y = F(x), J = F'(x):"
P1 = f"(exists c, d: for all x, y = F(x): y == {GENERALISED})"
P2 = f"(exists d: {AT_EVERY_X} {JACOBIAN})"
P3 = f"(exists d: for all t: {AT_EVERY_X} {TRICK})"
P3_SIMPLEX = f"(exists d: for all t: sum(t) == 1 implies {AT_EVERY_X} {TRICK})"
P3_VERTICES = f"(exists d: for all l: {AT_EVERY_X} J.T @ (-onehot(l)/y) == d*(y - onehot(l)))"
NOWHERE_ZERO = "(for all x, y = F(x): y != 0)"
ONE_POINT = "(exists x, y = F(x): y > 0 and sum(y) == 1)"
DIFFERENTIABLE = (
    r"$F: \mathbb{R}^K \to \mathbb{R}^K \text{ differentiable}, \ y = F(x), \ J = \frac{\partial F(x)}{\partial x}$"
)

# Any values y of F with (A2); the solution J of (A3) at the vertices; the family of the classification.
WITH_JACOBIAN = f"y: K; d: K; J = {DILATED}"
SOLVED = "J = [j:K, i:K] d[i]*(delta(i, j) - y[i])*y[j]"
FAMILY = "w = C + sum(a*exp(d*x)); y = a*exp(d*x)/w"
UNITY = "1 - sum(y) == C/w"
SLACK = "softmax(x, slack=1)"
BY_SLACK_ALONE = f"F(x) = {SLACK}"
BY_SLACK = f"{BY_SLACK_ALONE}; d = ones(K)"
BY_SOFTMAX = "F(x) = softmax(x); d = ones(K)"


# --- the implications as printed --------------------------------------------------------------------------------------


def p2_implies_p3_counterexample(p: Proof) -> None:
    """SoftMax itself: at x = 0 and t = (1, 1) the trick forces d = 0, at t = (1, 0) it forbids it."""
    softmax = "x: K; t: K; y = softmax(x); J = jacobian(y, x)"
    p.shows(JACOBIAN, words="F = SoftMax has (P2) with d = 1", let=f"{softmax}; d = ones(K)")
    p.shows("J.T @ (-t/y) == sum(t)*y - t", words="for any t", let=softmax)
    p.shows("softmax(0*x) == ones(K)/2", words="at x = 0", let=softmax)
    p.shows(
        "sum(t)*y - t == 0",
        "(d*(y - t))[1] == -d[1]/2",
        words="at x = 0, t = (1, 1): (A3) forces d_1 = 0",
        let="t = ones(K); y = ones(K)/2; d: K",
    )
    p.shows(
        "(sum(t)*y - t)[1] == -1/2",
        "(d*(y - t))[1] == -d[1]/2",
        words="at x = 0, t = (1, 0): (A3) asks for d_1 = 1",
        let="t = [k:K] delta(k, 1); y = ones(K)/2; d: K",
    )
    p.refuted("F = SoftMax, K = 2, has (P2) and not (P3)", K=2, F="SoftMax", x="(0, 0)", t="(1, 1) and (1, 0)")


def p2_implies_p3_repaired(p: Proof) -> None:
    """The paper's proof, with the hypothesis that it uses: 1^T t = 1."""
    p.shows("J.T @ (-u/y) == d*(sum(u)*y - u)", words="for any u", let=f"{WITH_JACOBIAN}; u: K", where=("y != 0",))
    p.concludes()


def p3_implies_p2(p: Proof) -> None:
    """The paper's proof: put t = e_j into (A3). Only the vertices are used, no unity and no sign of y.

    The print drops the factor y_i after swapping i and j; the formula before it and the conclusion have it.
    """
    p.shows(
        "[j:K, i:K] (A.T @ (-onehot(j)/y))[i] == [j:K, i:K] -A[j,i]/y[j]",
        words="for any A: (A3) at t = e_j tells row j of the Jacobian",
        let="y: K; A: K,K'",
        where=("y != 0",),
    )
    p.concludes()


def p2_implies_p1_counterexample(p: Proof) -> None:
    """SoftMax with slack: the right Jacobian, positive entries, but a sum below one."""
    slack = f"x: K; c: K; y = {SLACK}; J = jacobian(y, x)"
    p.shows(JACOBIAN, words="SoftMax with slack has (P2) with d = 1", let=f"{slack}; d = ones(K)")
    p.shows(f"sum({GENERALISED}) == 1", words="every generalised SoftMax sums to 1", let=f"{slack}; d: K")
    p.shows("sum(y) < 1", words="but this does not, at any x", let=slack)
    p.shows("y == ones(K)/3", "sum(y) == 2/3", words="for x = (0, 0)", let=f"y = {SLACK}; x = 0*ones(K)")
    p.refuted(
        "SoftMax with slack (for K = 1 the Sigmoid) has (P2) and is no generalised SoftMax",
        F="exp(x_i) / (1 + sum_k exp(x_k))",
        K=2,
        x="(0, 0)",
        y="(1/3, 1/3)",
        sum="2/3",
    )


def p2_implies_p1_repaired(p: Proof) -> None:
    """Positivity and unity at one point x0 are enough, because (P2) carries them along every coordinate line."""
    p.shows(
        "J.T @ grad(u, y) == -d*y*u",
        words="the gradient of u(F(x)) under (P2): u = 0 at one point is u = 0 everywhere",
        let=f"{WITH_JACOBIAN}; u = 1 - sum(y)",
    )
    p.supposes(ONE_POINT, P2)
    p.rests_on("A1c", "(P2) gives y_i = a_i exp(d_i x_i) / w, w = C + sum_k a_k exp(d_k x_k) nowhere 0")
    p.shows(UNITY, let=f"a: K; C: real; {FAMILY}", where=("w != 0",))
    p.cites("sum y(x0) = 1 gives C = 0, hence sum y = 1 everywhere")
    p.cites("y_i(x0) > 0 gives a_i / w(x0) > 0; w is continuous and nowhere 0, so y_i > 0 everywhere")
    p.cites("y does not change if a and w change sign together: let every a_i > 0, and c_i = -log a_i")
    p.concludes(putting="F(x) = exp(D*x - C)/sum(exp(D*x - C)); c = C; d = D")


# --- the classification and the repaired theorem ----------------------------------------------------------------------


def classification(p: Proof) -> None:
    """Both directions. In the steps before the last, y is any function with (P2)."""
    p.shows(
        "J == [i:K, j:K] (delta(i, j) - y[j])*d[j]*y[i]",
        words="(P2) on a coordinate line: dy_i/dx_j = g y_i with a continuous g",
        let=WITH_JACOBIAN,
    )
    p.cites("a linear homogeneous ODE: on each line y_i is identically 0 or nowhere 0, and so on R^K; I is the latter")
    ratio, nonzero = f"{WITH_JACOBIAN}; v = exp(d*x)/y; q = v/v[1]", ("y != 0",)  # in I, by which the steps divide
    p.shows(
        "jacobian(v, x) + jacobian(v, y) @ J == outer(v, d*y)",
        words="for i in I, w_i = exp(d_i x_i) / y_i has dw_i/dx_j = w_i d_j y_j, i = j included",
        let=ratio,
        where=nonzero,
    )
    p.shows(
        "jacobian(q, x) + jacobian(q, y) @ J == 0",
        words="so the gradient of w_i / w_1 is 0 (number a class of I as 1)",
        let=ratio,
        where=nonzero,
    )
    p.cites("zero gradient on R^K: w_i = w / a_i for one w and constants a_i != 0, y_i = a_i exp(d_i x_i) / w")
    p.cites("put a_i = 0 for i not in I, where y_i = 0 (if I is empty, w = 1): y_i = a_i exp(d_i x_i) / w for every i")
    p.shows(
        "w*d*y == grad(sum(a*exp(d*x)), x)",
        words="w, of which dw/dx_j = w d_j y_j, less that sum has the gradient 0",
        let="w: real; y = a*exp(d*x)/w",
    )
    p.cites("zero gradient on R^K: w = C + sum_k a_k exp(d_k x_k)")
    p.concludes()


def repaired_theorem(p: Proof) -> None:
    """(P1) -> (P2) -> (P3 on the simplex) -> (P3 at its vertices) -> (P2) -> (P1)."""
    p.rests_on("A1.1-2", "(P1) -> (P2)")
    p.shows(f"{GENERALISED} > 0", words="(P1) has no y_i that vanishes, and (A3) may divide", let="x: K; c: K; d: K")
    p.shows(f"sum({GENERALISED}) == 1", words="(P1) has unity", let="x: K; c: K; d: K")
    p.rests_on("A1r.trick", "(P2) <=> (P3) on the simplex <=> (P3) at its vertices, where no y_i vanishes")
    p.rests_on("A1.2-1r", "(P2) with F(x0) in the open simplex at one point x0 -> (P1)")


# --- no hypothesis can be dropped -------------------------------------------------------------------------------------


def positivity_is_needed(p: Proof) -> None:
    """A constant with a negative entry, and SoftMax over all classes but one: unity, (P2), and not (P1)."""
    p.shows("y[1] == 2", "y[2]*(K - 1) == -1", words="so that no entry is 0, and y_2 < 0")
    p.shows(f"{GENERALISED} > 0", words="which no entry of a generalised SoftMax is", let="c: K; d: K")
    some = f"a = [k:K] 1 - delta(k, 1); d: K; C = 0; {FAMILY}; J = jacobian(y, x)"
    p.shows("sum(y) == 1", "y[1] == 0", JACOBIAN, words="SoftMax over the classes 2..K, for any d, likewise", let=some)
    p.concludes()
    p.exists(F="constant (2, -1/(K-1), ..., -1/(K-1)); or SoftMax over the classes 2..K", K=">= 2")


def unity_is_needed(p: Proof) -> None:
    """SoftMax with slack has all but (P1), with the dilation that stands in it."""
    p.concludes()
    p.exists(F="exp(d_i x_i) / (1 + sum_k exp(d_k x_k))")


def sum_of_targets_is_needed(p: Proof) -> None:
    """SoftMax: at x = 0 the target (1, ..., 1) forces d = 0, the target e_1 forbids it, for every K >= 2."""
    p.shows("J.T @ (-ones(K)/y) == K*y - 1", words="the left side of (A3) at t = (1, ..., 1), for SoftMax")
    p.shows("K*z - 1 == 0", "d*(z - 1) == d*(1/K - 1)", words="at x = 0, so that d = 0 for K >= 2")
    p.shows("J.T @ (-e/y) == y - e", words="the left side of (A3) at t = e_1")
    p.shows("(z - e)[1] == 1/K - 1", words="at x = 0, not d_1 (1/K - 1) with d_1 = 0")
    p.exists(F="SoftMax", x="0", t="(1, ..., 1) and e_1", K=">= 2")


CLAIMS = (
    Claim(
        id="A1.1-2",
        title="(P1) -> (P2): generalised SoftMax has the dilated Jacobian",
        formulas=(f"jacobian(y, x) == {DILATED}",),
        let=f"x: K; c: K; d: K; y = {GENERALISED}",
        source="Appendix A, Theorem A1, (1) -> (2); equations (A1) and (A2)",
    ),
    Claim(
        id="A1.2-3",
        title="(P2) -> (P3), as printed: the trick for every t in [0,1]^K",
        formulas=(f"{P2} implies {P3}",),
        let=NAMES,
        putting=BY_SOFTMAX,
        source="Appendix A, Theorem A1, (2) -> (3); equations (A2) and (A3)",
        counterexample=p2_implies_p3_counterexample,
        repaired_by="A1.2-3r",
    ),
    Claim(
        id="A1.2-3r",
        title="(P2) -> (P3) for targets that sum to one",
        formulas=(f"{NOWHERE_ZERO} and {P2} implies {P3_SIMPLEX}",),
        let=NAMES,
        source="repair of Theorem A1, (2) -> (3)",
        proof=p2_implies_p3_repaired,
    ),
    Claim(
        id="A1.3-2",
        title="(P3) -> (P2): the trick forces the Jacobian",
        formulas=(f"{P3} implies {P2}",),
        let=NAMES,
        putting="t = onehot(l)",
        source="Appendix A, Theorem A1, (3) -> (2); equations (A3) and (A2)",
        proof=p3_implies_p2,
    ),
    Claim(
        id="A1.2-1",
        title="(P2) -> (P1), as printed: nothing else has that Jacobian",
        formulas=(f"{P2} implies {P1}",),
        let=NAMES,
        putting=BY_SLACK,
        source="Appendix A, Theorem A1, (2) -> (1); equations (A2) and (A1)",
        counterexample=p2_implies_p1_counterexample,
        repaired_by="A1.2-1r",
    ),
    Claim(
        id="A1.2-1r",
        title="(P2) -> (P1) if F is a positive distribution at one point",
        formulas=(f"{ONE_POINT} and {P2} implies {P1}",),
        let=f"{NAMES}; C: K; D: K",
        source="repair of Theorem A1, (2) -> (1)",
        proof=p2_implies_p1_repaired,
    ),
    Claim(
        id="A1c",
        title="all F with (P2): y_i is a_i e^(d_i x_i), over one w",
        statement=rf"$\formula{{{P2} iff exists a, d, C: for all x, y = F(x): w != 0 and y == a*exp(d*x)/w}}$",
        formulas=(f"jacobian(y, x) == {DILATED}",),
        let=f"x: K; a: K; d: K; C: real; {FAMILY}",
        where=("w != 0",),
        source="beyond the paper: all functions with property (2) of Theorem A1",
        hypotheses=(DIFFERENTIABLE,),
        proof=classification,
    ),
    Claim(
        id="A1r.trick",
        title="(P2) <=> (P3) on the simplex <=> (P3) at its vertices",
        formulas=(f"{NOWHERE_ZERO} implies ({P2} iff {P3_SIMPLEX} iff {P3_VERTICES})",),
        let=NAMES,
        putting="t = onehot(l)",
        source="repair of section 3, on Theorem A1; of Theorem A1, (2) and (3)",
        remark="Neither positivity nor unity of F is needed: both are for (P1).",
    ),
    Claim(
        id="A1r",
        title="(P1) <=> (P2) <=> (P3) on the simplex <=> at its vertices",
        statement=rf"$\formula{{{ONE_POINT} and {NOWHERE_ZERO} implies ({P1} iff {P2} iff {P3_SIMPLEX} iff "
        rf"{P3_VERTICES})}}$",
        let=NAMES,
        source="repair of Appendix A, Theorem A1",
        proof=repaired_theorem,
    ),
    Claim(
        id="A1r.positivity",
        title="A1r fails without positivity of F, K >= 2",
        statement=rf"$\formula{{exists F: {P2} and {P3_SIMPLEX} and (for all x, y = F(x): sum(y) == 1) and not {P1}}}$",
        formulas=(JACOBIAN, TRICK, "sum(y) == 1"),
        let="x: K; t: K unit; c: K; d = 0*x; y = [k:K] 2*delta(k, 1) - (1 - delta(k, 1))/(K - 1); J = jacobian(y, x)",
        where=("K >= 2", "y != 0"),
        source="beyond the paper: a hypothesis of A1r that cannot be dropped",
        proof=positivity_is_needed,
    ),
    Claim(
        id="A1r.unity",
        title="A1r fails without unity of F",
        formulas=(f"exists F: (for all x, y = F(x): y > 0) and {P2} and {P3_SIMPLEX} and not {P1}",),
        let=f"{NAMES}; D: K",
        putting="F(x) = softmax(D*x, slack=1); d = D",
        proof=unity_is_needed,
        source="beyond the paper: a hypothesis of A1r that cannot be dropped",
    ),
    Claim(
        id="A1r.targets",
        title="A1r fails without targets that sum to one, K >= 2",
        statement=rf"$\formula{{exists F: {P1} and not {P3}}}$",
        let="x: K; t: K unit; c: K; d: K; y = softmax(x); z = softmax(0*x); J = jacobian(y, x); e = [k:K] delta(k, 1)",
        where=("K >= 2",),
        source="beyond the paper: a hypothesis of A1r that cannot be dropped",
        proof=sum_of_targets_is_needed,
    ),
)
