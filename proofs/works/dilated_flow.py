r"""Theorems on unequal dilations d > 0: y - t is no gradient, and yet cross-entropy seldom rises where it is sent back.

z = d * (W h + b), y = SoftMax(z), e = y - t: ISBE sends e to W h + b, the gradient there is d * e. Along the gradient
flow with e in its place cross-entropy falls at the scores and in a last linear layer; in the layers before it can rise,
and exactly when is decided here. A step of finite size can overshoot in any case."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof

LAYER = (
    "H: N,D; W: K,D; b: K; d: K; T: N,K distribution; z = (H @ W.T + cols(b))*cols(d); e = softmax(z) - T; L = "
    "sum(softce(T, z))"
)
SIGNAL = "W: K,D; h: D; b: K; d: K; t: K distribution; z = d*(W @ h + b); e = softmax(z) - t; L = softce(t, z)"
NETWORK = (
    "U: N,M; V: H,M; a: H; W: K,H; b: K; d: K; T: N,K distribution; h = sigmoid(U @ V.T + cols(a)); "
    "z = (h @ W.T + cols(b))*cols(d); e = softmax(z) - T; L = sum(softce(T, z)); "
    "R = (e @ W)*h*(1 - h); Q = ((e*cols(d)) @ W)*h*(1 - h)"
)
PAIR = "m: positive; n: positive; p: positive; q: positive; c: real"


def scores(p: Proof) -> None:
    """The chain rule along x' = -(y - t)."""
    p.rests_on("X.gradient.unequal-dilation", "y - t is a gradient only if all d_i are equal")
    p.concludes()
    p.cites("for d > 0 that is < 0 but where y = t")


def last_layer(p: Proof) -> None:
    """W' = -e^T H, b' = -sum e: gradient descent with another rate for each class."""
    p.concludes()
    p.cites("the flow in W is W' = -(1/d) grad, in b likewise: for d > 0 each term of the sum is <= 0")


def network(p: Proof) -> None:
    """Each parameter's share, as a sum over pairs of examples."""
    p.concludes()
    p.cites(
        "the sum of the four is dL/dt along the flow that ISBE drives, with the sign changed: it rises iff that is < 0"
    )


def copositive(p: Proof) -> None:
    """e = y - e_c as a combination of the edges e_k - e_c of the simplex; then cones and scaling."""
    p.rests_on("TH.flow.signal", "dL/dt = -e^T D W W^T e along h' = -W^T e")
    p.concludes(1)
    p.cites("the terms with k = c or l = c are 0: it is u^T S u for u = (y_k), k != c, and symmetrised the same")
    p.cites("u runs through all u > 0 of sum < 1; copositive says u^T S u >= 0 for all u >= 0: then dL/dt <= 0")
    p.cites("if u^T S u < 0 for a u >= 0, then for one u > 0 near it (continuity), and for a multiple of it of sum < 1")
    p.concludes(2)
    p.cites("so with that bias b every y of the open simplex is reached at any h and W, also the one found")


def two_classes(p: Proof) -> None:
    """For K = 2 the matrix S has one entry."""
    p.rests_on("TH.flow.copositive", "a rise exists for the label c iff the 1 x 1 matrix of its other class is < 0")
    p.concludes()
    p.cites("which is the same for both labels, and then dL/dt > 0 at every y: not for some only")


def angle(p: Proof) -> None:
    """Arithmetic and geometric mean."""
    p.concludes()
    p.cites("p q > 0: it is < 0 only if c > 2 m n / (m^2 + n^2), and then it is for p / q = n / m")


def pairs_do_not_decide(findings: Findings) -> None:
    """w = (-1, 0, 1), d = (1, 1, 2), label 2: no pair is bad, and at y = (3/10, 1/2, 1/5) cross-entropy rises."""
    w, d, y = (-1, 0, 1), (1, 1, 2), (Fraction(3, 10), Fraction(1, 2), Fraction(1, 5))
    for k in (0, 2):
        pair = (d[k] * w[k] - d[1] * w[1]) * (w[k] - w[1])
        findings.shows(f"<d_{k + 1} w_{k + 1} - d_2 w_2, w_{k + 1} - w_2> = {pair} >= 0", pair >= 0)
    rise = _rise(w, d, (y[0], y[1] - 1, y[2]))
    findings.shows(f"dL/dt = -(sum d w e)(sum w e) = {rise} > 0", rise > 0)
    findings.refuted(
        "all pairs are >= 0 and cross-entropy rises", K=3, w=w, d=d, label=2, y="(3/10, 1/2, 1/5)", rise=rise
    )


def _rise(w: Sequence[int], d: Sequence[int], e: Sequence[Fraction]) -> Fraction:
    """-e^T D W W^T e for one hidden unit."""
    true = sum((f * v * u for f, v, u in zip(d, w, e, strict=True)), Fraction(0))
    sent = sum((v * u for v, u in zip(w, e, strict=True)), Fraction(0))
    return -true * sent


def condition_numbers(p: Proof) -> None:
    """The angle by which D turns a vector and that by which A = W W^T does, together less than a right one."""
    p.concludes()
    p.cites("formula 1: with tau = 2/(M + m), |tau D e - e| <= s |e|, s = (M - m)/(M + m), for d between m and M")
    p.cites(
        "formula 2, in the eigenvectors of A, is >= 0: (M + m) <e, A e> >= |A e|^2 + M m |e|^2 >= 2 sqrt(M m) |e| |A e|"
    )
    p.cites("so <e, A e> >= c |e| |A e| with c = 2 sqrt(k)/(k + 1), k = M/m of A (Kantorovich), and formula 3 is c^2")
    p.cites("tau <D e, A e> = <e, A e> + <tau D e - e, A e> >= (c - s) |e| |A e| > 0 where s^2 + (1 - c^2) < 1")


def smallest(p: Proof) -> None:
    """Errors of two classes sum to 0, and the sign of what reaches h is the wrong one."""
    p.concludes()
    p.shows("3*h - 2*h == h", words="z_1 - z_2 for biases 0", let="h: real")
    p.cites(
        "h' = e_1 = y_1 - 1 < 0 for label 1: y_1 = Sigmoid(h) falls for ever, and the loss softplus(-h) grows "
        "without bound"
    )
    p.cites(
        "h' = e_1 = y_1 > 0 for label 2: y_2 = Sigmoid(-h) falls for ever, and the loss softplus(h) grows without bound"
    )


def rises(findings: Findings) -> None:
    """The smallest example, at h = 0 and label 1: y = (1/2, 1/2)."""
    rise = _rise((1, 2), (3, 1), (Fraction(-1, 2), Fraction(1, 2)))
    findings.shows(f"dL/dt = -(sum d w e)(sum w e) = {rise} > 0", rise > 0)
    findings.refuted("it rises", K=2, w="(1, 2)", d="(3, 1)", label=1, h=0, rise=rise)


CLAIMS = (
    Claim(
        id="TH.flow.scores",
        title="at the scores cross-entropy never rises along y - t, for any d > 0",
        statement=r"$y - y^\circ$ is no gradient, and along $x' = -(y - y^\circ)$ $\frac{d}{dt} CE = -\sum_i d_i (y_i "
        r"- y^\circ_i)^2$: $\formula{1}$",
        formulas=("dot(grad(softce(t, d*x - c), x), -(y - t)) == -sum(d*(y - t)**2)",),
        let="x: K; t: K distribution; d: K; c: K; y = softmax(d*x - c)",
        where=("K >= 2",),
        source="ours, group 4",
        proof=scores,
    ),
    Claim(
        id="TH.flow.last-layer",
        title="nor in the last linear layer, whatever the batch",
        statement=r"$\formula{1}$ and $\formula{2}$: along $W' = -e^\top H$, $b' = -\sum_n e_n$, $\frac{d}{dt} CE = "
        r"-\sum_i d_i \left(|\sum_n e_{ni} h_n|^2 + (\sum_n e_{ni})^2\right)$",
        formulas=("grad(L, W) == rows(d)*(e.T @ H)", "grad(L, b) == d*sum(e, N)"),
        let=LAYER,
        source="ours, group 4",
        proof=last_layer,
    ),
    Claim(
        id="TH.flow.signal",
        title="through W: dL/dt = -e^T D W W^T e",
        formulas=("grad(L, h) == W.T @ (d*e)", "dot(grad(L, h), -(W.T @ e)) == -dot(d*e, W @ (W.T @ e))"),
        let=SIGNAL,
        source="ours, group 4",
    ),
    Claim(
        id="TH.flow.network",
        title="a net with one hidden layer, all parameters, any batch: a form in the errors",
        statement=r"With $h = \sigma(V u + a)$, $Q_n = \sigma'_n \odot W^\top D e_n$ and $R_n = \sigma'_n \odot "
        r"W^\top e_n$, $-\frac{d}{dt} CE = \sum_{n, m} (\langle h_n, h_m \rangle + 1) \langle D e_n, e_m \rangle + "
        r"(\langle u_n, u_m \rangle + 1) \langle Q_n, R_m \rangle$: the four shares are $\formula{1}$, "
        r"$\formula{2}$, $\formula{3}$ and $\formula{4}$",
        formulas=(
            "sum(grad(L, W)*(e.T @ h)) == sum((h @ h.T)*((e*cols(d)) @ e.T))",
            "dot(grad(L, b), sum(e, N)) == sum((e*cols(d)) @ e.T)",
            "sum(grad(L, V)*(R.T @ U)) == sum((U @ U.T)*(Q @ R.T))",
            "dot(grad(L, a), sum(R, N)) == sum(Q @ R.T)",
        ),
        let=NETWORK,
        source="ours, group 4, with sigma the Sigmoid",
        proof=network,
    ),
    Claim(
        id="TH.flow.never",
        title="cross-entropy never rises along the flow of ISBE, in hidden layers either",
        statement=r"$e^\top D W W^\top e \ge 0$ for all $W$, all $d > 0$ and all errors $e = y - e_c$",
        source="ours: what the scores and the last layer suggest",
        checks=(Check("rational arithmetic", rises, "two classes, one hidden unit"),),
        repaired_by="TH.flow.copositive",
    ),
    Claim(
        id="TH.flow.copositive",
        title="when it can: exactly if a matrix of the pairs of classes is not copositive",
        statement=r"With a bias, some $y$ has $\frac{d}{dt} CE > 0$ for the label $c$ along $h' = -W^\top e$ $\iff "
        r"S_c$, the symmetric part of $\left(\langle d_k w_k - d_c w_c, w_l - w_c \rangle\right)_{k, l \ne c}$, is "
        r"not copositive: $\formula{1}$, and $\formula{2}$",
        formulas=(
            "dot(d*e, W @ (W.T @ e)) == sum[k:K, l:K] y[k]*y[l]*(sum[j:D] (d[k]*W[k,j] - d[c]*W[c,j])*(W[l,j] - "
            "W[c,j]))",
            "softmax(d*(W @ h + log(p)/d - W @ h)) == p",
        ),
        let="W: K,D; d: K positive; c: label K; y: K distribution; e = y - onehot(c); h: D; x: K; p = softmax(x)",
        where=("K >= 2",),
        source="ours, group 4. Copositive matrices: Hiriart-Urruty, Seeger, SIAM Review 52, 2010",
        proof=copositive,
    ),
    Claim(
        id="TH.flow.two-classes",
        title="for K = 2 in closed form: <d_1 w_1 - d_2 w_2, w_1 - w_2> < 0",
        statement=r"For two classes, errors $(a, -a)$ and rows $v, w$ of $W$, dilations $m, n$: $-\frac{d}{dt} CE = "
        r"\formula{1}$; it rises, at every $y$ and for both labels, $\iff \langle m v - n w, v - w \rangle < 0$",
        formulas=("dot(m*a*v - n*a*w, a*v - a*w) == a**2*dot(m*v - n*w, v - w)",),
        let="v: D; w: D; m: positive; n: positive; a: real",
        source="ours, group 4",
        proof=two_classes,
    ),
    Claim(
        id="TH.flow.angle",
        title="a bad pair of classes needs rows of W at a small angle",
        statement=r"For rows of length $p, q$ with cosine $c$ and dilations $m^2, n^2$ the entry is $\formula{1}$: it "
        r"can be negative for some lengths $\iff c > \frac{2 m n}{m^2 + n^2}$",
        formulas=("m**2*p**2 + n**2*q**2 - (m**2 + n**2)*p*q*c == (m*p - n*q)**2 + p*q*(2*m*n - (m**2 + n**2)*c)",),
        let=PAIR,
        source="ours, group 4",
        proof=angle,
    ),
    Claim(
        id="TH.flow.pairs",
        title="without a bad pair it does not rise, for any number of classes",
        statement=r"If $\langle d_k w_k - d_c w_c, w_k - w_c \rangle \ge 0$ for every $k$, then $\frac{d}{dt} CE \le "
        "0$ for the label $c$",
        source="ours: the diagonal of S_c alone; enough for K = 2",
        checks=(Check("rational arithmetic", pairs_do_not_decide, "three classes, one hidden unit"),),
        repaired_by="TH.flow.copositive",
    ),
    Claim(
        id="TH.flow.condition-numbers",
        title="sufficient that it does not: two condition numbers",
        statement=r"If $\left(\frac{\kappa_D - 1}{\kappa_D + 1}\right)^2 + \left(\frac{\kappa_A - 1}{\kappa_A + "
        r"1}\right)^2 < 1$ for the condition numbers of $D$ and of $A = W W^\top$, then $e^\top D A e > 0$ for every "
        r"$e \ne 0$: $\formula{1}$, $\formula{2}$, $\formula{3}$",
        formulas=(
            "((M - m)/(M + m))**2 - (2*d/(M + m) - 1)**2 == 4*(M - d)*(d - m)/(M + m)**2",
            "sum(u**2*(M - a)*(a - m)) == (M + m)*sum(a*u**2) - sum(a**2*u**2) - M*m*sum(u**2)",
            "(2*sqrt(k)/(k + 1))**2 == 1 - ((k - 1)/(k + 1))**2",
        ),
        let="d: K positive; u: K; a: K positive; m: positive; M: positive; k: positive",
        source="ours, group 4. The angles are those of Gustafson's operator trigonometry (1968)",
        proof=condition_numbers,
    ),
    Claim(
        id="TH.flow.smallest",
        title="the smallest example: the signal to h is minus the gradient, and the loss grows without bound",
        statement=r"$K = 2$, one hidden unit, $w = (1, 2)$, $d = (3, 1)$, $e = (a, -a)$: $\formula{1}$; with $h$ "
        "alone trained, cross-entropy grows without bound for both labels",
        formulas=("w*e + w'*e' == -(d*w*e + d'*w'*e')",),
        let="a: real; w = 1; w' = 2; d = 3; d' = 1; e = a; e' = -a",
        source="ours, group 4",
        proof=smallest,
    ),
)
