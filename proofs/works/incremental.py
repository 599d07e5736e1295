r"""Jodelet, Liu, Murata: Balanced Softmax Cross-Entropy for Incremental Learning, ICANN 2021 (arXiv:2103.12532).

Classes arrive in tasks; of old ones a small memory is kept. y = n e^x / sum n e^x with n_k the examples of class k in
the task and the memory together. The abstract is the work's; what is below is ours: what becomes of a class that has no
examples, which SoftMax itself would push down at every step."""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.works import shipped

SOURCE = "Jodelet, Liu, Murata, ICANN 2021 (arXiv:2103.12532); the formulas are ours"

BALANCED = "w = sum(n*exp(x)); y = n*exp(x)/w"
UNSEEN = f"x: K; m: K positive; c: label K; n = m*(1 - onehot(c)); {BALANCED}"


CLAIMS = (
    Claim(
        id="IN.gradient",
        title="the error is y - t, for every label that has an example, whatever the other counts",
        formulas=("grad(log(w) - x[c] - log(n[c]), x) == y - onehot(c)",),
        let=f"x: K; n: K nonnegative; c: label K; {BALANCED}",
        where=("w > 0", "n[c] > 0"),
        source="the loss is -log(n_c e^x_c / sum n e^x)",
    ),
    Claim(
        id="IN.no-examples",
        title="a class without examples has soft score 0: it gets no error",
        formulas=("y[c] == 0",),
        let=UNSEEN,
        where=("K >= 2", "w != 0"),
        source="ours",
    ),
    Claim(
        id="IN.cross-entropy",
        title="plain cross-entropy leaves a class without examples alone, too",
        formulas=("softmax(x)[c] == 0",),
        let="x: K; c: label K",
        source="ours: the error y_c - 0 that SoftMax sends to such a class",
        repaired_by="IN.no-examples",
    ),
    Claim(
        id="IN.small-counts",
        title="its error tends to 0 in proportion to its count",
        formulas=("grad(y[c], n)[c] == exp(x[c])/w*(1 - y[c])", "a/(a + r) <= a/r"),
        let=f"x: K; n: K positive; c: label K; {BALANCED}; a: nonnegative; r: positive",
        source="ours: y_c = a/(a + r) for a = n_c e^x_c and the rest r of the sum, which does not depend on n_c",
    ),
    Claim(
        id="IN.limit",
        title="and what the others get tends to the error without that class",
        formulas=("y - z == y[c]*(onehot(c) - z)",),
        let=f"x: K; n: K positive; c: label K; {BALANCED}; s = (1 - onehot(c))*n*exp(x); v = sum(s); z = s/v",
        where=("K >= 2", "v != 0"),
        source="ours: z, the soft scores without class c, does not depend on n_c, and y_c tends to 0",
    ),
    Claim(
        id="IN.masked",
        title="with equal counts of the classes seen it is SoftMax over these",
        formulas=("y == s*exp(x)/v",),
        let=f"x: K; s: K nonnegative; r: positive; n = r*s; {BALANCED}; v = sum(s*exp(x))",
        where=("w != 0", "v != 0"),
        source="ours, s_k = 1 for a class seen, 0 for one not: masking without balancing",
    ),
    Claim(
        id="IN.shift",
        title="beside masking it moves the scores of two classes apart by the logarithm of their counts' ratio",
        formulas=("log(y[i]/y[j]) == x[i] - x[j] + log(n[i]/n[j])",),
        let=f"x: K; n: K positive; i: index K; j: index K; {BALANCED}",
        source="ours: new classes with many examples, old ones with a few in the memory",
    ),
    Claim(
        id="IN.posterior",
        title="where it is least, SoftMax(x) alone is the posterior as if all classes seen had equal counts",
        formulas=("softmax(log(n*u/sum(n*u)) - log(n)) == u/sum(u)",),
        let="u: K positive; n: K positive",
        source="ours, see BS.posterior: x = log y - log n but for a shift, where y is the posterior under n",
    ),
)

PAPER = shipped(__file__, SOURCE, CLAIMS)
