r"""Ren, Yu, Sheng, Ma, Zhao, Yi, Li: Balanced Meta-Softmax for Long-Tailed Visual Recognition, NeurIPS 2020.

Classes come with counts n_k, far from equal, and are tested as if they were. Balanced SoftMax trains with
y_b = SoftMax(x + log n), a relocation of SoftMax by c = -log n, so that Theorem A1 gives its error; the meta sampler
learns, by a gradient through one step of the classifier, how often each class is drawn.

What is said to be in the work is said of its abstract and of its statements as cited by others; the full text was not
at hand, and the formulas are ours."""

from __future__ import annotations

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.works import shipped
from softmax_trick.symbolic.enclosure import enclose

SOURCE = "Ren, Yu, Sheng, Ma, Zhao, Yi, Li, NeurIPS 2020 (arXiv:2007.10740)"

BALANCED = "y = softmax(x + log(n))"


# --- the gradient -----------------------------------------------------------------------------------------------------


def unbiased_repaired(p: Proof) -> None:
    """At the logarithms of the uniform posterior both expected errors vanish; where one does, SoftMax tells x."""
    p.concludes()
    p.cites("SoftMax tells x up to a shift: where the balanced error is 0, x + log n = log(n u) + r, and x = log u + r")


# --- the bound --------------------------------------------------------------------------------------------------------


def bound_repaired(p: Proof) -> None:
    """Lagrange's identity: Cauchy and Schwarz for the vectors sqrt(gamma) and n^(-1/4) / sqrt(gamma)."""
    p.shows(
        "sum(g)*sum(q**2/g) - sum(q)**2 == sum[i:K, j:K] g[i]*g[j]*(q[i]/g[i] - q[j]/g[j])**2/2",
        words="and squares are >= 0",
        let="q: K positive",
    )
    p.shows("q**2 == 1/sqrt(n)", words="that is the bound, for", let="q = n**(-1/4)")
    p.cites("they are all 0 only where every q_i / g_i is the same: g is proportional to q = n^(-1/4)")
    p.concludes()


def shifts_compared(findings: Findings) -> None:
    """Ten classes, n_k = 100^(-k/9): (1/K) sum n_k^(-1/2) / gamma_k, gamma ~ n^(-s) of mean 1, for s = 1/4, 1, 0."""
    counts = [sp.Integer(100) ** sp.Rational(-k, 9) for k in range(10)]

    def bound(power: sp.Rational) -> sp.Expr:
        margins = [n**-power for n in counts]
        total = sp.Add(*margins) / 10
        return sp.Add(*(n ** -sp.Rational(1, 2) * total / m for n, m in zip(counts, margins, strict=True))) / 10

    quarter, whole, none = (enclose(bound(sp.Rational(power)), {}) for power in ("1/4", "1", "0"))
    findings.holds("a shift by (1/4) log n gives less than no shift", bool(quarter < none), quarter=quarter, none=none)
    findings.holds("and a shift by log n gives more than none", bool(none < whole), none=none, whole=whole)
    findings.exists(n="100^(-k/9), k = 0..9", quarter=quarter.str(6), none=none.str(6), whole=whole.str(6))


# --- the meta sampler -------------------------------------------------------------------------------------------------

STEP = (
    "H: N,D; E: N,K; W: K,D; w: N; eta: real; h: D; s: K; b: K; "
    "W' = W - eta*((rows(w)*E).T @ H); y = softmax(W' @ h + b)"
)
RATES = "omega: K; a: N; c: N label K; r = sigmoid(omega); s = sum[m:N] r[c[m]]; w = [n:N] r[c[n]]/s"

CLAIMS = (
    Claim(
        id="BS.posterior",
        title="the posterior under priors n is SoftMax(log posterior under uniform + log n)",
        formulas=("n*u/sum(n*u) == softmax(log(u) + log(n))",),
        let="u: K positive; n: K positive",
        source="the formula is ours: the posterior under class counts n is proportional to n times that without",
    ),
    Claim(
        id="BS.gradient",
        title="the gradient of the balanced loss is its own soft score less the target",
        formulas=("grad(-log(y[c]), x) == y - onehot(c)", "grad(softce(t, x + log(n)), x) == sum(t)*y - t"),
        let=f"x: K; t: K; n: K positive; c: label K; {BALANCED}",
        source="the formula is ours: a relocation of SoftMax by -log n, as X.relocation.balanced-softmax",
    ),
    Claim(
        id="BS.vs",
        title="the VS-loss, which dilates too, has the error d * (y - t)",
        formulas=("grad(softce(t, d*x + iota), x) == d*(softmax(d*x + iota) - t)",),
        let="x: K; d: K; iota: K; t: K distribution",
        source="ours, beside it: Kini et al., NeurIPS 2021",
    ),
    Claim(
        id="BS.unbiased",
        title="its expected gradient is that of cross-entropy under uniform classes",
        formulas=("softmax(x + log(n)) - n*u/sum(n*u) == softmax(x) - u/sum(u)",),
        let="x: K; u: K positive; n: K positive",
        source="abstract: SoftMax gives a biased gradient estimation, Balanced SoftMax is its unbiased extension",
        repaired_by="BS.unbiased.r",
    ),
    Claim(
        id="BS.unbiased.r",
        title="the two expected gradients share their zeros: x = log u but for a shift",
        statement=r"$\formula{1}$ and $\formula{2}$; where either is 0, $x = \log u + r$ for some $r$",
        formulas=(
            "softmax(log(u) + r + log(n)) - n*u/sum(n*u) == 0*u",
            "softmax(log(u) + r) - u/sum(u) == 0*u",
        ),
        let="u: K positive; n: K positive; r: real",
        source="ours: in what sense it is unbiased",
        proof=unbiased_repaired,
    ),
    Claim(
        id="BS.bound",
        title="margins as log n: no margins of the same sum have a smaller bound sum n^(-1/2) / gamma",
        formulas=("sum(1/n)*sum(sqrt(n)) <= sum(g)*sum(1/(sqrt(n)*g))",),
        let="n: K positive; g: K positive",
        source="abstract: our loss minimizes the bound; the bound is ours: margins gamma, as LDAM has it",
        repaired_by="BS.bound.r",
    ),
    Claim(
        id="BS.bound.r",
        title="the bound is least for gamma ~ n^(-1/4): a shift by a quarter of log n",
        statement=r"For $\gamma > 0$, $\formula{sum(g)*sum(1/(sqrt(n)*g)) >= sum(n**(-1/4))**2}$, with equality iff "
        r"$\gamma$ is proportional to $n^{-1/4}$: $\formula{1}$",
        formulas=("sum(n**(-1/4))*sum(1/(sqrt(n)*n**(-1/4))) == sum(n**(-1/4))**2",),
        let="n: K positive; g: K positive",
        source="ours, for every K and all counts",
        proof=bound_repaired,
    ),
    Claim(
        id="BS.bound.example",
        title="ten classes, imbalance 100: a quarter of log n lowers the bound, log n raises it",
        statement=r"For $n_k = 100^{-k/9}$, $k = 0, \dots, 9$, and margins of mean 1, the bound $\frac{1}{K} \sum_k "
        r"n_k^{-1/2} / \gamma_k$ is least of the three for $\gamma \sim n^{-1/4}$, and greatest for $\gamma \sim "
        r"n^{-1}$, above $\gamma = 1$",
        source="ours, with the profile of the work's experiments",
        checks=(Check("Arb", shifts_compared, "three margins for one profile", "enclosed"),),
    ),
    Claim(
        id="BS.sampling",
        title="with class-balanced sampling the balanced loss still ends at the uniform posterior",
        formulas=("softmax(log(u) + log(n)) == r*n*u/sum(r*n*u)",),
        let="u: K positive; n: K positive; r = 1/n",
        source="ours: two corrections used together, against which the work learns the rates instead",
        repaired_by="BS.sampling.r",
    ),
    Claim(
        id="BS.sampling.r",
        title="drawn at rates r, its optimum is log u + log r; log(n r) in the place of log n mends that",
        formulas=(
            "softmax(log(u) + log(r) + log(n)) == r*n*u/sum(r*n*u)",
            "softmax(log(u) + log(n*r)) == r*n*u/sum(r*n*u)",
        ),
        let="u: K positive; n: K positive; r: K positive",
        source="ours: the law of labels that are kept with probabilities in the ratio r is proportional to r n u",
    ),
    Claim(
        id="BS.meta.weights",
        title="the meta loss by the weights of the examples, through one step",
        formulas=("grad(softce(t, W' @ h + b), w) == -eta*((H @ h)*(E @ (y - t)))",),
        let=f"t: K distribution; {STEP}",
        source="the meta sampler, the formula is ours: W' = W - eta sum_n w_n e_n h_n^T, the loss of one meta example "
        "at W'",
        remark="Meta examples add up: G = sum (y - t) h^T gives -eta h_n^T G^T e_n for the example n.",
    ),
    Claim(
        id="BS.meta.rates",
        title="and by the logits omega of the sampling rates",
        formulas=("grad(dot(a, w), omega) == r*(1 - r)*(a @ onehot(c) - dot(a, w)*sum(onehot(c), N))/s",),
        let=RATES,
        source="the meta sampler, the formula is ours: w_n = r_{c_n} / sum_m r_{c_m}, r = sigmoid(omega), a = dL/dw",
    ),
)

PAPER = shipped(__file__, SOURCE, CLAIMS)
