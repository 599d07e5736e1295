r"""Wu Fung, Tyrväinen, Ruthotto, Haber: ADMM-Softmax, an ADMM Approach for Multinomial Logistic Regression, ETNA 52,
2020.

Multinomial logistic regression, min (1/N) sum_n [lse(z_n) - <t_n, z_n>] + alpha/2 |L W^T|^2 with Z = H W^T, split into
a least-squares problem for W, one small convex problem for each z_n, and a dual update. Rows are examples: H (N, D), Z,
T, U (N, K), W (K, D), L (M, D). With the scaled dual U and rho' = N rho the z-step is, for v = W h - u,

    min_z  lse(z) - <t, z> + rho'/2 |z - v|^2

The abstract is the work's; the formulas are ours, since the full text was not at hand.
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.works import shipped

SOURCE = "Wu Fung, Tyrväinen, Ruthotto, Haber, ETNA 52, 2020 (arXiv:1901.09450); the formulas are ours"

STEP = "z: K; v: K; t: K; rho: positive; y = softmax(z); f = logsumexp(z) - dot(t, z) + rho/2*sum((z - v)**2)"
NEWTON = "z: K; g: K; rho: positive; y = softmax(z); E = y + rho; r = rho*sum(y/E)"
DATA = "T: N,K distribution; H: N,D; W: K,D; L: M,D; alpha: positive"
GRADIENT = "(softmax(H @ W.T) - T).T @ H/N + alpha*(W @ (L.T @ L))"


def unique(p: Proof) -> None:
    """Strongly convex: one minimiser, which exists, and Newton's step is defined everywhere."""
    p.concludes()
    p.cites("a function whose Hessian is at least rho I, rho > 0, has exactly one minimiser")


def negative_rho(p: Proof) -> None:
    """Along (1, ..., 1) cross-entropy is constant, and the penalty alone decides."""
    p.concludes()
    p.cites("for rho < 0 that tends to -oo as s -> oo: there is no minimiser")
    p.shows("softmax(z) > 0", words="for rho = 0 and a one-hot t, y_k - t_k = y_k > 0 at every k but the label")
    p.cites("so for K >= 2 the gradient is nowhere 0 then, and there is no minimiser either")


def dual(p: Proof) -> None:
    """The gradient of the z-step is rho' u+ - (t - y) for the new dual u+."""
    p.concludes()
    p.cites("the z-step makes the left side 0")


def optimality(p: Proof) -> None:
    """A point that the three steps leave is one at which the gradient of the whole problem is 0."""
    p.concludes()
    p.rests_on("AD.dual", "after the z-step N rho U = T - SoftMax(Z)")
    p.cites("the dual update leaves U only if Z = H W^T; the W-step leaves W only if its gradient, formula 2, is 0")
    p.cites("with both, alpha W L^T L = rho U^T H = (1/N) (T - SoftMax(H W^T))^T H: the gradient, formula 1, is 0")
    p.cites("the problem is convex, so that is its minimum; and a minimum, with Z = H W^T and that U, is left as it is")


def least_squares(p: Proof) -> None:
    """The quadratic form of the matrix of the W-step."""
    p.concludes()
    p.cites("a sum of squares with rho, alpha > 0 is 0 only if H v = 0 and L v = 0: the matrix is then singular at v")


def one_optimum(p: Proof) -> None:
    """Cross-entropy is convex in the scores, the penalty strictly convex in W if L is one to one."""
    p.rests_on("X.convex.softmax", "cross-entropy is convex in the scores, so in W")
    p.concludes()
    p.cites("the second is > 0 for V != 0 where L v = 0 only for v = 0: strictly convex, with bounded level sets")
    p.cites("so there is one minimum; solvers that reach it have the same weights and the same accuracy on any data")


CLAIMS = (
    Claim(
        id="AD.z.gradient",
        title="the gradient of the z-step",
        formulas=("grad(f, z) == y - t + rho*(z - v)",),
        let=STEP,
        source="the z-step",
    ),
    Claim(
        id="AD.z.hessian",
        title="its Hessian is at least rho I: one minimiser, for every rho > 0",
        statement=r"$\formula{1}$ and $\formula{2}$, so that the z-step has exactly one minimiser",
        formulas=("hessian(f, z) == diag(y) - outer(y, y) + rho*eye(K)", "psd(hessian(f, z) - rho*eye(K))"),
        let=STEP,
        source="abstract: smooth, convex problems",
        proof=unique,
    ),
    Claim(
        id="AD.z.rho",
        title="without rho > 0 it has none",
        statement=r"For $\rho < 0$, and for $\rho = 0$ with a one-hot target and $K \ge 2$, the z-step has no "
        r"minimiser: $\formula{1}$",
        formulas=(
            "logsumexp(z + s) - dot(t, z + s) + rho/2*sum((z + s - v)**2) == "
            "logsumexp(z) - dot(t, z) + rho/2*sum((z - v)**2) + rho*s*sum(z - v) + rho*K*s**2/2",
        ),
        let="z: K; v: K; t: K distribution; rho: real; s: real",
        source="ours",
        proof=negative_rho,
    ),
    Claim(
        id="AD.z.newton",
        title="Newton's step costs a few sums over the classes: no matrix is factorised",
        formulas=("(diag(y) - outer(y, y) + rho*eye(K)) @ (g/E + y/E*dot(y, g/E)/r) == g",),
        let=NEWTON,
        source="ours, by Sherman and Morrison: 1 - sum y^2/E = rho sum y/E, without cancellation, since y sums to 1",
        classes=(2, 3),
    ),
    Claim(
        id="AD.z.mean",
        title="the z-step does not move the sum of the scores",
        formulas=("sum(softmax(z) - t + rho*(z - v)) == rho*(sum(z) - sum(v))",),
        let="z: K; v: K; t: K distribution; rho: real",
        source="ours: the gradient is 0 there, so that for rho != 0 the two sums are equal",
    ),
    Claim(
        id="AD.dual",
        title="after the dual update rho' u is the target less the soft score: minus the ISBE error",
        statement=r"$\formula{1}$: where the z-step ends, $\rho' u^+ = t - \text{SoftMax}(z)$ for the new dual $u^+ = "
        "u + z - W h$",
        formulas=("softmax(z) - t + rho*(z - (a - u)) == rho*(u + z - a) - (t - softmax(z))",),
        let="z: K; a: K; u: K; t: K; rho: real",
        source="abstract: a trivial dual variable update; the formula is ours, a = W h",
        proof=dual,
    ),
    Claim(
        id="AD.optimality",
        title="what the three steps leave as it is, is the optimum, and conversely (KKT)",
        statement=r"The gradient of the problem by $W$ is $\formula{1}$, that of the W-step $\formula{2}$; the "
        "iteration rests exactly where the first is 0",
        formulas=(
            f"grad(sum(softce(T, H @ W.T))/N + alpha/2*sum(square(L @ W.T)), W) == {GRADIENT}",
            "grad(alpha/2*sum(square(L @ W.T)) + rho/2*sum(square(Z - H @ W.T + U)), W) == "
            "alpha*(W @ (L.T @ L)) - rho*((Z - H @ W.T + U).T @ H)",
        ),
        let=f"{DATA}; Z: N,K; U: N,K; rho: positive",
        source="ours",
        proof=optimality,
    ),
    Claim(
        id="AD.w.singular",
        title="the W-step has one solution exactly if H v = 0 and L v = 0 only for v = 0",
        statement=r"$\formula{1}$, $= 0$ only if $H v = 0$ and $L v = 0$: with $\alpha > 0$ a singular design does no "
        "harm where L is one to one",
        formulas=(
            "dot(v, (rho*(H.T @ H) + alpha*(L.T @ L)) @ v) == rho*sum(square(H @ v)) + alpha*sum(square(L @ v))",
        ),
        let="H: N,D; L: M,D; v: D; rho: positive; alpha: positive",
        source="ours",
        proof=least_squares,
    ),
    Claim(
        id="AD.w.factorisation",
        title="one factorisation of the W-step's matrix serves every rho",
        formulas=("(rho'*s + alpha)*(b/(rho*s + alpha)) == b",),
        let="s: K nonnegative; b: K; rho: positive; rho': positive; alpha: positive",
        source="ours: pre-computing a factorization, where rho is adapted; in the eigenvectors of H^T H, s its "
        "eigenvalues",
        repaired_by="AD.w.factorisation.r",
    ),
    Claim(
        id="AD.w.factorisation.r",
        title="a factorisation serves one rho; the eigenvectors of H^T H serve every rho where L = I",
        formulas=("(rho*s + alpha)*(b/(rho*s + alpha)) == b",),
        let="s: K nonnegative; b: K; rho: positive; alpha: positive",
        source="ours: rho V diag(s) V^T + alpha I has the eigenvalues rho s + alpha, whatever rho is",
    ),
    Claim(
        id="AD.one-optimum",
        title="there is one optimum for all solvers",
        statement=r"With $\alpha > 0$ and L one to one the problem has exactly one minimum, since $\formula{1}$ and "
        "cross-entropy is convex: solvers that reach it generalise alike",
        formulas=(
            "hvp(alpha/2*sum(square(L @ w)), w, v) == alpha*(L.T @ (L @ v))",
            "dot(v, L.T @ (L @ v)) == sum(square(L @ v))",
        ),
        let="w: D; v: D; L: M,D; alpha: positive",
        source="ours; abstract: improved generalization compared to other methods, which can hold of unfinished runs "
        "alone",
        proof=one_optimum,
    ),
)

PAPER = shipped(__file__, SOURCE, CLAIMS)
