r"""Theorems on what the losses of ISBE are good for: matching losses, properness, calibration, and the step that they
bear.

t is a one-hot label and p = E t its law, given the input. Tanh and HardTanh have the targets 2t - 1.
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import piecewise

GIBBS = "a divergence KL(p, y) is >= 0, and 0 only for y = p (Gibbs)"
BATCH = "T: N,K distribution; H: N,D; W: K,D; E = softmax(H @ W.T) - T; G = E.T @ H"


# --- matching losses --------------------------------------------------------------------------------------------------


def matching(p: Proof) -> None:
    """The line integral of F - F(x') from x' to x is a Bregman divergence, and that a Fenchel-Young loss."""
    p.cites("F = grad P: the integral of F(z) - t over any path from x' to x is P(x) - P(x') - <t, x - x'>")
    p.concludes()
    p.cites(
        "P convex, t = grad P(x'): P*(t) = <t, x'> - P(x') (Fenchel's equality), so that this is P*(t) + P(x) - <x, t>"
    )
    p.cites("conversely a Fenchel-Young loss has the gradient F(x) - t and is 0 at x = x': it is that integral")
    p.shows(
        "logsumexp(x) - logsumexp(x') - dot(softmax(x'), x - x') == kl(softmax(x'), softmax(x))",
        words="for SoftMax it is the divergence of the soft scores",
    )


# --- properness -------------------------------------------------------------------------------------------------------


def proper_softmax(p: Proof) -> None:
    """The excess is the divergence of the soft scores from the law."""
    p.concludes()
    p.cites(GIBBS)


def proper_sigmoid(p: Proof) -> None:
    """The excess is a sum of binary divergences."""
    p.rests_on("TH.excess.sigmoid", "the excess is sum_k KL((p_k, 1 - p_k), (y_k, 1 - y_k))")
    p.cites(GIBBS + ", for each class and the law (p_k, 1 - p_k)")


def proper_tanh(p: Proof) -> None:
    """It is the Sigmoid at 2x."""
    p.concludes()
    p.rests_on(
        "TH.proper.sigmoid", "the loss of Sigmoid is least exactly where Sigmoid(2x) = p, which is (Tanh(x) + 1)/2"
    )


def proper_hard(findings: Findings) -> None:
    """The excess is at least a multiple of the squared distance of the soft score from the mean target."""
    import z3

    for name in piecewise.HARD:
        low, high = NORMALIZERS[name].target_range
        piecewise.acts_on_each_score(findings, name)
        f, potential = piecewise.of_one_score(name)
        s, r, q = z3.Reals("s r q")
        fs, fr = piecewise.at(f, s), piecewise.at(f, r)
        excess = piecewise.at(potential, s) - s * q - (piecewise.at(potential, r) - r * q)
        gap = 2 * excess >= (fs - q) * (fs - q)
        findings.valid(f"{name}: if f(r) = q, 2 (p(s) - s q - (p(r) - r q)) >= (f(s) - q)^2", z3.Implies(fr == q, gap))
        inside = z3.And(q >= low, q <= high)
        score = {"hardtanh": q, "hardsigmoid": 4 * q - 2, "hardsigmoid_torch": 6 * q - 3}[name]
        findings.valid(
            f"every q in [{low}, {high}] is f(r) for a finite r, the ends too",
            z3.Implies(inside, piecewise.at(f, score) == q),
        )
        rest = fs == q
        findings.valid("and where f(s) = q the excess is 0", z3.Implies(z3.And(fr == q, rest), excess == 0))
    findings.cites(
        "the expected loss is the sum over the classes, with q_k the mean of the target k: least exactly where F(x) = q"
    )


def normalize_is_not(p: Proof) -> None:
    """At x = 0, where it is not defined, its loss is least for every law that is no vertex."""
    p.concludes()
    p.cites("the terms with i != j are >= 0, and > 0 for some if p is no vertex: |p| < 1, since sum p = 1")
    p.cites(
        "||x|| - <x, p> >= (1 - |p|) ||x|| > 0 for x != 0 (Cauchy, Schwarz): the least value is at x = 0 alone, for "
        "every p"
    )


# --- calibration ------------------------------------------------------------------------------------------------------


def calibrated(p: Proof) -> None:
    """Scores stand in the order of the soft scores, and these in that of the law."""
    p.concludes()
    for name in ("softmax", "sigmoid", "tanh"):
        p.rests_on(f"TH.proper.{name}", "at the minimum the soft scores are the law")
    p.rests_on("TH.proper.hard", "likewise, for the hard forms")
    p.rests_on("TH.calibrated.order", "the hard forms do not decrease: a greater soft score has a greater score")
    p.cites("so x_i > x_j where p_i > p_j, for each of them: the greatest score belongs to a most probable class")


def order(findings: Findings) -> None:
    """No hard form decreases."""
    import z3

    for name in piecewise.HARD:
        piecewise.acts_on_each_score(findings, name)
        f, _ = piecewise.of_one_score(name)
        s, r = z3.Reals("s r")
        findings.valid(f"{name}: f(r) < f(s) only if r < s", z3.Implies(piecewise.at(f, r) < piecewise.at(f, s), r < s))


def attained(p: Proof) -> None:
    """Soft scores of the soft forms lie strictly between the ends."""
    p.concludes()
    p.rests_on("TH.proper.hard", "the hard forms reach both ends at finite scores")


# --- Boehning's bound -------------------------------------------------------------------------------------------------


def boehning(p: Proof) -> None:
    """Both forms forget the mean of v; of what is left, SoftMax's is at most half the square."""
    p.rests_on(
        "X.lipschitz.softmax", "the largest eigenvalue of D_y - y y^T is at most 1/2: <u, (D_y - y y^T) u> <= |u|^2 / 2"
    )
    p.concludes()


def reached(p: Proof) -> None:
    """At y = (1/2, 1/2) the two sides are one matrix."""
    p.concludes()


def step(p: Proof) -> None:
    """Taylor's formula with the Hessian bounded along the step."""
    p.rests_on("TH.boehning", "the second derivative of cross-entropy along V at one example is at most |V u|^2 / 2")
    p.cites(
        "summed over the batch that is |H V^T|^2 / 2 <= lambda |V|^2 / 2, at every W: L(W - eta G) <= L - eta |G|^2 "
        "+ eta^2 lambda |G|^2 / 4"
    )
    p.concludes()
    p.cites("for 0 < eta < 4 / lambda that is < 0 where G != 0; the best of these bounds has eta = 2 / lambda")


CLAIMS = (
    Claim(
        id="TH.matching",
        title="a matching loss is a Fenchel-Young loss, and conversely",
        statement=r"For $F = \nabla P$, $P$ convex, and $t = F(x')$: $\int_{x'}^{x} \langle F(z) - t, dz \rangle = "
        r"P^*(t) + P(x) - \langle x, t \rangle$; with $p = P(x)$, $q = P(x')$: $\formula{1}$",
        formulas=("p - q - dot(t, x - x') == (dot(t, x') - q) + p - dot(t, x)",),
        let="x: K; x': K; t: K; p: real; q: real",
        source="ours, group 6. Matching losses: Auer, Herbster, Warmuth, NIPS 1995; Kivinen, Warmuth, Machine Learning "
        "45, 2001; Fenchel-Young: Blondel, Martins, Niculae, JMLR 21, 2020",
        proof=matching,
    ),
    Claim(
        id="TH.proper.softmax",
        title="ISBE with SoftMax is strictly proper: its expected loss is least exactly at y = p",
        statement=r"For a law $p > 0$ of the labels, the excess of the expected loss is $\formula{1}$",
        formulas=("softce(p, x) - entropy(p) == kl(p, softmax(x))",),
        let="x: K; l: K; p = softmax(l)",
        source="ours, group 7. Properness: Savage, JASA 66, 1971; Gneiting, Raftery, JASA 102, 2007",
        proof=proper_softmax,
    ),
    Claim(
        id="TH.excess.sigmoid",
        title="the excess of Sigmoid's expected loss is a sum of binary divergences",
        formulas=(
            "sum(softplus(x)) - dot(x, p) - (sum(softplus(l)) - dot(l, p)) == "
            "sum(p*log(p/y) + (1 - p)*log((1 - p)/(1 - y)))",
        ),
        let="x: K; l: K; p = sigmoid(l); y = sigmoid(x)",
        source="ours, group 7",
        classes=(1, 2),
    ),
    Claim(
        id="TH.proper.sigmoid",
        title="so is ISBE with Sigmoid, class by class",
        statement=r"For probabilities $0 < p < 1$ its expected loss is least exactly where $\text{Sigmoid}(x) = p$",
        source="ours, group 7",
        hypotheses=(r"$x \in \mathbb{R}^K$",),
        proof=proper_sigmoid,
    ),
    Claim(
        id="TH.proper.tanh",
        title="and with Tanh, whose (y + 1)/2 is the probability",
        statement="With the targets $2 t - 1$ the expected loss is that of Sigmoid at $2x$, but for a constant: "
        r"$\formula{1}$, and $\formula{2}$",
        formulas=(
            "sum(log(cosh(x))) - dot(x, 2*p - 1) == sum(softplus(2*x)) - dot(2*x, p) - K*log(2)",
            "(tanh(x) + 1)/2 == sigmoid(2*x)",
        ),
        let="x: K; p: K",
        source="ours, group 7",
        proof=proper_tanh,
    ),
    Claim(
        id="TH.proper.hard",
        title="and with HardTanh and both HardSigmoids, for certain labels too",
        statement=r"The excess of the expected loss is at least $\frac{1}{2} |F(x) - q|^2$, for $q$ the mean of the "
        "targets, and 0 exactly where $F(x) = q$, which finite scores reach",
        source="ours, group 7",
        hypotheses=(r"$x \in \mathbb{R}^K$",),
        checks=(Check("z3", proper_hard, "all real scores and mean targets; the K scores are alike"),),
    ),
    Claim(
        id="TH.proper.normalize",
        title="ISBE with x/||x|| is not: its loss is least at x = 0, whatever the law",
        statement=r"For every law $p$ that is no vertex, $\|x\| - \langle x, p \rangle$ is least at $x = 0$ alone: "
        r"$\formula{1}$",
        formulas=("sum(p)**2 - dot(p, p) == sum[i:K, j:K] (1 - delta(i, j))*p[i]*p[j]",),
        let="p: K",
        where=("K >= 2",),
        source="ours, group 7: why the paper's optimizer failed to converge with normalize",
        proof=normalize_is_not,
    ),
    Claim(
        id="TH.calibrated.order",
        title="HardTanh and both HardSigmoids keep the order of the scores",
        statement=r"$F(x)_i > F(x)_j$ only if $x_i > x_j$",
        source="ours, group 7",
        hypotheses=(r"$x \in \mathbb{R}^K$",),
        checks=(Check("z3", order, "all real scores; the K scores are alike"),),
    ),
    Claim(
        id="TH.calibrated",
        title="all five are calibrated for classification: the greatest score is a most probable class's",
        statement="Where the expected loss is least, $p_i > p_j$ implies $x_i > x_j$, for SoftMax, Sigmoid, Tanh, "
        r"HardSigmoid and HardTanh: $\formula{1}$, $\formula{2}$, $\formula{3}$",
        formulas=(
            "log(softmax(x)[i]/softmax(x)[j]) == x[i] - x[j]",
            "log(y[i]/(1 - y[i])) == x[i]",
            "log((1 + tanh(x))/(1 - tanh(x))) == 2*x",
        ),
        let="x: K; y = sigmoid(x); i: index K; j: index K",
        classes=(2, 3),
        source="ours, group 7. Calibration: Bartlett, Jordan, McAuliffe, JASA 101, 2006; Tewari, Bartlett, JMLR 8, "
        "2007",
        proof=calibrated,
    ),
    Claim(
        id="TH.calibrated.attained",
        title="for a label that is certain only the hard forms have a finite minimum",
        statement=r"SoftMax ($K \ge 2$), Sigmoid and Tanh have none, since $\formula{1}$, $\formula{2}$, "
        r"$\formula{3}$; HardTanh and the HardSigmoids do",
        formulas=("softmax(x) > 0", "sigmoid(x)*(1 - sigmoid(x)) > 0", "1 - tanh(x)**2 > 0"),
        let="x: K",
        where=("K >= 2",),
        source="ours, group 7",
        proof=attained,
    ),
    Claim(
        id="TH.boehning",
        title="D_y - y y^T is at most (I - 11^T/K)/2, for every K",
        statement=r"$D_y - y y^\top \preceq \frac{1}{2} \left(I - \frac{1}{K} \mathbf{1} \mathbf{1}^\top\right)$ for "
        r"$y = \text{SoftMax}(x)$, since for $u = v - \text{mean}(v)$, $\formula{1}$ and $\formula{2}$",
        formulas=(
            "dot(v, (diag(y) - outer(y, y)) @ v) == dot(u, (diag(y) - outer(y, y)) @ u)",
            "dot(v, (eye(K) - 1/K) @ v)/2 == dot(u, u)/2",
        ),
        let="y: K distribution; v: K; u = v - mean(v)",
        where=("K >= 2",),
        source="group 8: Böhning, Annals of the Institute of Statistical Mathematics 44, 1992",
        proof=boehning,
    ),
    Claim(
        id="TH.boehning.reached",
        title="for K = 2 it is an equality at y = (1/2, 1/2)",
        formulas=("a**2/2 + b**2/2 - (a/2 + b/2)**2 == (a**2 + b**2 - (a + b)**2/2)/2",),
        let="a: real; b: real",
        source="ours, group 8: no smaller factor than 1/2; v = (a, b)",
        proof=reached,
    ),
    Claim(
        id="TH.boehning.step",
        title="the step that it allows: cross-entropy of a linear layer falls for every 0 < eta < 4/lambda",
        statement=r"For $G$ the gradient of the summed cross-entropy and $\lambda$ the largest eigenvalue of $\sum_n "
        r"u_n u_n^\top$, $CE(W - \eta G) \le CE(W) - \eta \left(1 - \frac{\eta \lambda}{4}\right) |G|^2$: "
        r"$\formula{1}$, $\formula{2}$",
        formulas=(
            "grad(sum(softce(T, H @ W.T)), W) == G",
            "-eta*sum(square(G)) + eta**2*r/4*sum(square(G)) == -eta*(1 - eta*r/4)*sum(square(G))",
        ),
        let=f"{BATCH}; eta: positive; r: positive",
        source="ours, group 8, with ISBE's error SoftMax(x) - t, which has this gradient",
        proof=step,
    ),
    Claim(
        id="TH.boehning.mean",
        title="the gradient's rows sum to 0, as the bound's matrix asks: Böhning's step is 2 G (sum u u^T)^-1",
        formulas=("ones(K) @ G == 0*ones(D)",),
        let=BATCH,
        source="ours, group 8: (I - 11^T/K) G = G",
    ),
)
