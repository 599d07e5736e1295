r"""Qin, Kim, Gedeon: Rethinking Softmax with Cross-Entropy, arXiv:1911.10688 (2019): classifiers as estimators of
mutual information, and infoCAM, which shows where in an image the information lies.

PC_c = e^{x_c} / sum_k pi_k e^{x_k}, probability-corrected SoftMax, has the priors pi of the classes in it. Maps: the
last layer is W (classes, channels) on the mean over the grid of activations A (channels, places), and M = W A / P for P
places. The abstract's words are the work's, the formulas ours.
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.works import shipped

SOURCE = "Qin, Kim, Gedeon, 2019 (arXiv:1911.10688)"

CORRECTED = "PC = exp(x)/sum(pi*exp(x))"
LAW = "s: N positive; p = s/sum(s); L: N,K; T = softmax(L); X: N,K; q = softmax(X); m = p @ T"
GRID = "A: C,P; W: K,C; b: K; x = W @ mean(A, P) + b; M = (W @ A)/P"


def bound(p: Proof) -> None:
    """The gap is the mean over the inputs of the divergence of the soft scores from the posterior."""
    p.concludes()
    p.cites("a divergence is >= 0, and 0 only for q = T (Gibbs): I >= H(Y) - CE, with equality at the posterior")
    p.rests_on("X.information", "the bound itself, with log u <= u - 1")


CLAIMS = (
    Claim(
        id="IC.mean",
        title="the corrected soft scores have the mean 1 under the priors",
        formulas=("sum(pi*PC) == 1",),
        let=f"x: K; pi: K positive; {CORRECTED}",
        source="ours",
    ),
    Claim(
        id="IC.balanced",
        title="for balanced classes log PC is log SoftMax + log K",
        formulas=("log(exp(x)/mean(exp(x))) == log_softmax(x) + log(K)",),
        let="x: K",
        source="abstract: under the balanced data assumption",
    ),
    Claim(
        id="IC.pointwise",
        title="at the posterior log PC is the pointwise mutual information, for any priors",
        formulas=("log(PC) == log(p/pi)",),
        let=f"l: K; pi: K positive; s: real; p = softmax(l); x = log(p/pi) + s; {CORRECTED}",
        source="the formula is ours: scores x = log(p(y | x) / pi_y) but for a shift",
    ),
    Claim(
        id="IC.pointwise-balanced",
        title="for balanced classes that is log SoftMax + log K, at scores log p(y | x)",
        formulas=("log_softmax(log(p) + s) + log(K) == log(p/(1/K))",),
        let="l: K; s: real; p = softmax(l)",
        source="abstract, the formula is ours",
    ),
    Claim(
        id="IC.unbalanced",
        title="so it is whatever the priors of the classes are",
        formulas=("log_softmax(log(p) + s) + log(K) == log(p/pi)",),
        let="l: K; l': K; s: real; p = softmax(l); pi = softmax(l')",
        source="ours: the balanced form used on unbalanced data",
        repaired_by="IC.pointwise",
    ),
    Claim(
        id="IC.same-gradient",
        title="-log PC is Balanced SoftMax's loss but for a constant: they train alike",
        formulas=("-log(PC[c]) == -log(softmax(x + log(pi))[c]) + log(pi[c])",),
        let=f"x: K; pi: K positive; c: label K; {CORRECTED}",
        source="ours: see BS.gradient",
    ),
    Claim(
        id="IC.bound",
        title="I(X; Y) is at least H(Y) - CE, and the gap is the mean divergence from the posterior",
        statement=r"For inputs of probability $p$, posteriors $T$, soft scores $q$ and the law $m$ of the labels, "
        r"$\formula{1}$, which is $\ge 0$",
        formulas=("sum(rows(p)*T*log(T/cols(m))) - (entropy(m) - sum(p*ce(T, q))) == sum(p*kl(T, q))",),
        let=LAW,
        source="abstract: cross-entropy can estimate mutual information; see X.information",
        proof=bound,
    ),
    Claim(
        id="IC.log-k",
        title="I(X; Y) is at least log K - CE, for any priors: also where inputs say nothing",
        formulas=("0 >= log(K) - entropy(p)",),
        let="l: K; p = softmax(l)",
        source="ours: the balanced form of the bound, used on unbalanced data",
        remark="Labels that do not depend on the input have I = 0, and scores that are the priors have CE = H(Y).",
        repaired_by="IC.bound",
    ),
    Claim(
        id="IC.difference",
        title="a difference of scores is one of pointwise informations",
        formulas=("log(PC[i]) - log(PC[j]) == x[i] - x[j]",),
        let=f"x: K; pi: K positive; i: index K; j: index K; {CORRECTED}",
        source="abstract: based on differences in information",
    ),
    Claim(
        id="IC.map",
        title="the map of a class sums to its score less its bias",
        formulas=("sum(M, P) == x - b",),
        let=GRID,
        source="the formula is ours: the last layer on the mean over the grid",
    ),
    Claim(
        id="IC.map-difference",
        title="infoCAM, a difference of two maps, sums to the difference of the informations",
        formulas=("sum[p:P] (M[i,p] - M[j,p]) == log(PC[i]) - log(PC[j])",),
        let=f"{GRID}; pi: K positive; {CORRECTED}; i: index K; j: index K",
        source="ours: read with a last layer that has a bias",
        repaired_by="IC.map-difference.r",
    ),
    Claim(
        id="IC.map-difference.r",
        title="it does up to the difference of the biases",
        formulas=("sum[p:P] (M[i,p] - M[j,p]) == log(PC[i]) - log(PC[j]) - (b[i] - b[j])",),
        let=f"{GRID}; pi: K positive; {CORRECTED}; i: index K; j: index K",
        source="the formula is ours",
    ),
    Claim(
        id="IC.cam",
        title="the map of one class (CAM) follows from the soft scores: W + 1 a^T has the maps of W",
        formulas=("(W + cols(a)) @ A == W @ A",),
        let="A: C,P; W: K,C; a: C",
        source="ours: what a map of one class is taken to show",
        remark="The soft scores of W and of W + 1 a^T are the same for all activations: the first formula of IC.cam.r.",
        repaired_by="IC.cam.r",
    ),
    Claim(
        id="IC.cam.r",
        title="differences of two maps do, and so do maps less the mean over the classes",
        formulas=(
            "softmax((W + cols(a)) @ h) == softmax(W @ h)",
            "(V @ A)[i,p] - (V @ A)[j,p] == (W @ A)[i,p] - (W @ A)[j,p]",
            "V @ A - cols(mean(V @ A, K)) == W @ A - cols(mean(W @ A, K))",
        ),
        let="A: C,P; W: K,C; a: C; h: C; V = W + cols(a); i: index K; j: index K; p: index P",
        source="ours: W + 1 a^T has the soft scores of W",
    ),
)

PAPER = shipped(__file__, SOURCE, CLAIMS)
