r"""Li, Doroslovački, Loew: Approximating the Gradient of Cross-Entropy Loss Function, IEEE Access 8, 2020.

Cross-entropy's error y - t is replaced by one that knows the label alone. Neither the full text nor code was found: the
abstract's sentences are the work's, the formula e = a 1 - b t is ours, the most general that treats classes alike.

The abstract says: the approximations have a fixed length; the forward pass is skipped; a network can be trained without
a loss function; success does not imply that the parameters converge; the accuracy is comparable. Each is held to what
can be decided: a linear layer under plain gradient descent, a net with one hidden layer, a net whose scores are
normalised over the batch.
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.works import shipped

SOURCE = "Li, Doroslovački, Loew, IEEE Access 8, 2020 (full text not found; the formula e = a 1 - b t is ours)"

ERROR = "e = a - b*onehot(c)"
BATCH = "U: N,D; W: K,D; a: real; b: real; c: N label K; E = [n:N, k:K] a - b*delta(k, c[n]); G = E.T @ U"
HIDDEN = "e: K; u: D; W: K,H; V: H,D; V': H,D; h = sigmoid(V @ u)"


# --- a linear layer ---------------------------------------------------------------------------------------------------


def gradient(p: Proof) -> None:
    """A constant field, along which its function falls without bound."""
    p.concludes()
    p.cites("for e != 0 that is -oo in the limit s -> oo")


def drift(p: Proof) -> None:
    """The gradient over the data does not depend on the weights: every step adds the same, however it is split up."""
    p.concludes()
    p.cites("the sum over the data is that over the batches of an epoch, in any order: an epoch adds -eta G")


def bounded(p: Proof) -> None:
    """-eta n G is bounded in n if and only if G = 0; row k of G is a N mean(u) - b N_k mean_k(u)."""
    p.concludes()
    p.rests_on("LO.drift", "after n epochs W = W_0 - n eta G")
    p.cites("|n eta G| = n eta |G| is unbounded as n grows if G != 0, and 0 if G = 0")


def at_rest(p: Proof) -> None:
    """a = 1, b = K, each class once and one input for all: the errors sum to 0."""
    p.shows(
        "sum[i:K] (1 - K*delta(i, k)) == 0", let="k: index K", words="column k of the errors: G = sum_n e_n u^T = 0"
    )
    p.refuted("the weights never move", K=2, a=1, b=2, labels="1, 2", u="one u != 0 for both", G="0")


def limit(p: Proof) -> None:
    """The scores differ by n eta times a difference that is no function of n: its sign decides, where it is not 0."""
    p.rests_on("LO.drift", "after n epochs W = W_0 - n eta G")
    p.rests_on("LO.bounded", "row k of G is a sum u - b sum over class k of u: the first term is the same for every k")
    p.concludes()
    p.cites("(W u)_k - (W u)_j = (W_0 u)_k - (W_0 u)_j - n eta ((G u)_k - (G u)_j): the last term decides for large n")
    p.cites("where two classes tie in it for the first place, W_0 decides between them")


def nearest_mean(p: Proof) -> None:
    """With equal counts and means of one length the template is the nearest class mean."""
    p.rests_on("LO.limit", "the limit takes the class with the greatest N_k <mean_k, u>, for b > 0")
    p.concludes()
    p.cites("with |mean_k| = |mean_j| the greatest <mean_k, u> belongs to the nearest mean")


# Two classes on a line, at (1, s): (s, whether it is of class 2).
POINTS = ((3, False), (4, False), (5, True), (6, True))


def template_fails(findings: Findings) -> None:
    """A linear layer separates the classes; the template, the sum over one less that over the other, does not."""
    findings.shows("scores 0 and 2 s - 9 are right on all", all((2 * s > 9) == second for s, second in POINTS))
    one, two = ((2, sum(s for s, second in POINTS if second is label)) for label in (False, True))
    findings.shows(f"the sums of (1, s) over the classes: {one} and {two}", (one, two) == ((2, 7), (2, 11)))
    right = sum(((two[0] - one[0]) + (two[1] - one[1]) * s > 0) == second for s, second in POINTS)
    findings.shows("the template has score 4 s for class 2 over class 1, always above 0: 2 of 4 are right", right == 2)
    findings.refuted(
        "a linear layer is right on all of them, the label-only rule ends at chance",
        u="(1, 3), (1, 4), (1, 5), (1, 6)",
        labels="1, 1, 2, 2",
        right="2 of 4",
    )


# --- a hidden layer ---------------------------------------------------------------------------------------------------


def skipped_repaired(p: Proof) -> None:
    """The scores are not needed, the hidden activations are."""
    p.concludes()
    p.cites(
        "e does not depend on W h: the last product, the SoftMax and the loss are skipped, h and its slopes are not"
    )


def zero_weights(p: Proof) -> None:
    """One hidden unit, one input, no biases, all weights 0: both gradients are 0."""
    net = "e: K; w: K; v: real; u: real; f = dot(e, w*tanh(v*u))"
    p.shows("grad(f, w) == tanh(v*u)*e", "tanh(0*u)*e == 0*e", words="0 for v = 0", let=net)
    p.shows("grad(f, v) == dot(e, w)*u*(1 - tanh(v*u)**2)", "dot(e, 0*w)*u == 0", words="0 for w = 0", let=net)
    p.refuted("there the parameters stay, under plain gradient descent", H=1, D=1, w="(0, 0)", v=0)


def with_biases(p: Proof) -> None:
    """The bias of the scores sees the sum of the errors, whatever the weights are."""
    p.concludes()
    p.cites("row k is 0 if and only if a N = b N_k: for b != 0 all are only if every class has a N / b examples")
    p.cites("else the biases of the scores move at every step by the same, and the parameters have no fixed point")


# --- scores normalised over the batch ---------------------------------------------------------------------------------


def batch_norm(p: Proof) -> None:
    """The constant a meets a score of mean 0; what is left is the covariance of score and label over a deviation."""
    p.concludes()
    p.cites(
        "Cauchy and Schwarz: the covariance is at most the product of the two deviations, so the function is bounded"
    )


def least_squares(p: Proof) -> None:
    """The last term is 0 by the normal equations; then Cauchy and Schwarz for the two scores."""
    p.rests_on("LO.batchnorm", "the least value is at the greatest correlation of score and label")
    p.concludes()
    p.cites("where formula 1 is 0, so is the last term: <U w, t> = <U w, U v> <= |U w| |U v|, with equality for w = v")
    p.cites("so the correlation <U w, t> / (|U w| |t|) is at most |U v| / |t|, that of U v, if U v != 0")


CLAIMS = (
    Claim(
        id="LO.length",
        title="the error has one length, whatever the label",
        formulas=("dot(e, e) == (K - 1)*a**2 + (a - b)**2",),
        let=f"a: real; b: real; c: label K; {ERROR}",
        source="abstract: they have a fixed length",
    ),
    Claim(
        id="LO.sum",
        title="its entries sum to 0 exactly if b = K a, as those of y - t do",
        formulas=("sum(e) == K*a - b",),
        let=f"a: real; b: real; c: label K; {ERROR}",
        source="ours",
    ),
    Claim(
        id="LO.at-zero",
        title="for a = 1/K, b = 1 it is cross-entropy's error at x = 0",
        formulas=("softmax(0*x) - onehot(c) == 1/K - onehot(c)",),
        let="x: K; c: label K",
        source="ours: the first term of its expansion in the scores",
    ),
    Claim(
        id="LO.gradient",
        title="there is a loss function: it is linear, and unbounded below",
        statement=r"$\formula{1}$, which falls by $s\,|e|^2$ along $-s e$: $\formula{2}$",
        formulas=("e == grad(dot(e, x), x)", "dot(e, x - s*e) == dot(e, x) - s*dot(e, e)"),
        let="x: K; e: K; s: real",
        source="abstract: without explicitly defining a loss function; see X.label-only",
        proof=gradient,
    ),
    Claim(
        id="LO.drift",
        title="a linear layer drifts: each epoch adds one and the same matrix",
        statement=r"$\formula{1}$ for every $W$: plain gradient descent at rate $\eta$ has $W_n = W_0 - n \eta G$ "
        "after $n$ epochs, whatever the batches",
        formulas=("grad(sum(E*(U @ W.T)), W) == G",),
        let=BATCH,
        source="ours",
        proof=drift,
    ),
    Claim(
        id="LO.unbounded",
        title="its weights leave every bound, whatever the data: G is never 0",
        statement=r"$\formula{G != 0*W}$ for $b \ne 0$, all labels and all inputs that are not all 0",
        let=BATCH,
        where=("b != 0",),
        source="ours: what the unbounded loss suggests",
        counterexample=at_rest,
        repaired_by="LO.bounded",
    ),
    Claim(
        id="LO.bounded",
        title="they stay bounded exactly if a N mean(u) = b N_k mean_k(u) for every class",
        statement=r"The weights stay bounded $\iff G = 0$, where $\formula{1}$",
        formulas=("G[k,d] == a*sum[n:N] U[n,d] - b*sum[n:N] delta(k, c[n])*U[n,d]",),
        let=f"{BATCH}; k: index K; d: index D",
        source="abstract: success does not imply the convergence of parameters",
        proof=bounded,
    ),
    Claim(
        id="LO.limit",
        title="its predictions tend to a template that needs no training: the greatest b N_k <mean_k, u>",
        statement=r"For $n \to \infty$ the class taken at $v$ is the one with the greatest $b \sum_{n: c_n = k} "
        r"\langle u_n, v \rangle$, where no two tie: $\formula{1}$",
        formulas=("-(G @ v)[k] + (G @ v)[j] == b*sum[n:N] (delta(k, c[n]) - delta(j, c[n]))*(U @ v)[n]",),
        let=f"{BATCH}; v: D; k: index K; j: index K",
        source="ours",
        proof=limit,
    ),
    Claim(
        id="LO.comparable",
        title="on a linear layer it reaches an accuracy comparable to cross-entropy's",
        statement="For all data the limit of the label-only rule is right as often as some linear layer is",
        source="abstract: comparable classification accuracy",
        checks=(Check("rational arithmetic", template_fails, "four points of two classes"),),
        repaired_by="LO.nearest-mean",
        remark="docs/experiments.md has the template's accuracy beside cross-entropy's, for data sets of images.",
    ),
    Claim(
        id="LO.nearest-mean",
        title="with equal counts and class means of one length it is the nearest mean's",
        statement=r"For $b > 0$, equal $N_k$ and equal $|m_k|$ the limit takes the class of the nearest mean: "
        r"$\formula{1}$",
        formulas=("dot(v - p, v - p) - dot(v - q, v - q) == 2*(dot(q, v) - dot(p, v)) + dot(p, p) - dot(q, q)",),
        let="v: K; p: K; q: K",
        source="ours: a scope in which the accuracy is that of a known classifier",
        proof=nearest_mean,
    ),
    Claim(
        id="LO.skipped",
        title="the gradients need no forward pass",
        formulas=("grad(dot(e, W @ sigmoid(V @ u)), W) == grad(dot(e, W @ sigmoid(V' @ u)), W)",),
        let=HIDDEN,
        source="abstract: by skipping the forward pass; read as: of the whole net",
        repaired_by="LO.skipped.r",
    ),
    Claim(
        id="LO.skipped.r",
        title="a linear layer's need none; a deeper net's need the hidden activations, not the scores",
        statement=r"$\formula{1}$; with a hidden layer $\formula{2}$ and $\formula{3}$",
        formulas=(
            "grad(dot(e, M @ u), M) == outer(e, u)",
            "grad(dot(e, W @ h), W) == outer(e, h)",
            "grad(dot(e, W @ h), V) == outer((W.T @ e)*h*(1 - h), u)",
        ),
        let=f"{HIDDEN}; M: K,D",
        source="ours: what is skipped is the last product, SoftMax and the loss",
        proof=skipped_repaired,
    ),
    Claim(
        id="LO.no-fixed-point",
        title="the parameters have no fixed point: some gradient is not 0",
        statement=r"For $e \ne 0$ and $u \ne 0$, of $\formula{grad(dot(e, W @ tanh(V @ u)), W)}$ and "
        r"$\formula{grad(dot(e, W @ tanh(V @ u)), V)}$ one is not 0, for all weights",
        let="e: K; u: D; W: K,H; V: H,D",
        source="abstract: success does not imply the convergence of network parameters to fixed values; read strictly",
        counterexample=zero_weights,
        repaired_by="LO.no-fixed-point.r",
    ),
    Claim(
        id="LO.no-fixed-point.r",
        title="with a bias for each score there is none, unless a N = b N_k for every class",
        statement=r"$\formula{1}$ for all weights, so that the parameters move at every step unless $a N = b N_k$ for "
        "every $k$",
        formulas=("grad(sum(E*(Z + cols(v))), v)[k] == N*a - b*sum[n:N] delta(k, c[n])",),
        let="Z: N,K; v: K; a: real; b: real; c: N label K; E = [n:N, k:K] a - b*delta(k, c[n]); k: index K",
        source="ours",
        proof=with_biases,
    ),
    Claim(
        id="LO.batchnorm",
        title="on scores that are normalised over the batch it maximises their correlation with the label",
        statement=r"For the scores $s_n$ of one class and $t_n = 1$ where $n$ has that label, $\formula{1}$, with $r$ "
        "the deviation of $s$: with $b > 0$ the least value is at the greatest correlation of score and label, and "
        "it is bounded",
        formulas=("sum((a - b*t)*z) == -b*N*mean((t - mean(t))*(s - mean(s)))/r",),
        let="s: N; t: N; a: real; b: real; r: positive; z = (s - mean(s))/r",
        source="ours: why it trains with BatchNorm on the scores, and diverges without",
        proof=batch_norm,
    ),
    Claim(
        id="LO.batchnorm.linear",
        title="on a linear layer that is least squares",
        statement=r"For centred inputs $U$ and labels $t$ no score $U w$ correlates with $t$ more than that of least "
        r"squares, $U v$ with $\formula{1}$ and $= 0$: $\formula{2}$",
        formulas=(
            "grad(sum((t - U @ v)**2)/2, v) == -(U.T @ (t - U @ v))",
            "dot(U @ w, t) == dot(U @ w, U @ v) + dot(w, U.T @ (t - U @ v))",
        ),
        let="U: N,D; t: N; v: D; w: D",
        source="ours: a scope in which the accuracy is known in closed form, with BatchNorm on the scores",
        proof=least_squares,
    ),
)

PAPER = shipped(__file__, SOURCE, CLAIMS)
