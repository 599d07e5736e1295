r"""Beyond the paper: what the classification A1c and Theorem A1 say of other normalizers, methods and targets.

Many methods for unbalanced classes and for calibration are SoftMax(d * x - c) with a d and a c of their own, so that
Theorem A1 gives their error at once: d * (y - t). The elementwise normalizers of section 4.1 are not, and LDAM is not:
its shift depends on the label.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs import piecewise
from softmax_trick.proofs.theorem_a1 import P2, family, softmax_type
from softmax_trick.symbolic import Matrix, Vector, cross_entropy, gradient, jacobian, soft_cross_entropy, softmax

COROLLARY = "beyond the paper: a corollary of A1c"
METHODS = "beyond the paper: methods that are dilated or relocated SoftMax"
ANY_SUM = "beyond the paper: the SoftMax trick where the targets do not sum to one"
BLURRING = "beyond the paper: the blurring of section 3 beside label smoothing"
AT_LEAST_TWO = r"$K \ge 2$"
SMOOTH = ("sigmoid", "tanh")


# --- the trick for targets of any sum ---------------------------------------------------------------------------------


def trick_for_any_sum(p: Proof) -> None:
    """As T1.4b, without its hypothesis."""
    x, t = p.vector("x"), p.vector("t")
    p.statement(
        "grad_x SoftCE = (sum t) SoftMax(x) - t", gradient(soft_cross_entropy(t, x), x), softmax(x) * t.sum() - t
    )


def dilated_trick_for_any_sum(p: Proof) -> None:
    """The chain rule by hand: d log y_k / dx_i = (delta_ki - y_i) d_i."""
    x, t, c, d = p.vector("x"), p.vector("t"), p.vector("c"), p.vector("d")
    y = softmax(d * x - c)
    p.equal(
        "d(log y_k)/dx_i = (delta_ki - y_i) d_i",
        jacobian(y.map(sp.log), x),
        Matrix(p.classes, lambda k, i: (sp.KroneckerDelta(k, i) - y[i]) * d[i]),
    )
    p.statement(
        "grad_x CE(t, SoftMax(d * x - c)) = d * ((sum t) y - t)",
        gradient(cross_entropy(t, y), x),
        d * (y * t.sum() - t),
    )


# --- the family of A1c ------------------------------------------------------------------------------------------------


def family_unity(p: Proof) -> None:
    """1 - sum y = C / w."""
    x, a, d, slack = p.vector("x"), p.vector("a"), p.vector("d"), sp.Symbol("C", real=True)
    y, w = family(x, a, d, slack)
    p.presupposes(w)
    p.rests_on("A1c", "(P2) gives y_i = a_i exp(d_i x_i) / w with w = C + sum_k a_k exp(d_k x_k) nowhere 0")
    p.statement("1 - sum y = C / w", 1 - y.sum(), slack / w)
    p.cites("w is finite and not 0: the left side is 0 at one point, or at all, if and only if C = 0")


def family_uniqueness(p: Proof) -> None:
    """Quotients of soft scores tell d and the differences of c."""
    x, c, d, shift = p.vector("x"), p.vector("c"), p.vector("d"), sp.Symbol("r", real=True)
    y = softmax(d * x - c)
    p.equal("SoftMax(d * x - c - r (1, ..., 1)) = SoftMax(d * x - c)", softmax(d * x - c - shift), y)
    logarithms = Matrix(p.classes, lambda i, j: sp.log(y[i]) - sp.log(y[j]))
    p.equal(
        "log(y_i / y_j) = d_i x_i - c_i - (d_j x_j - c_j)",
        logarithms,
        Matrix(p.classes, lambda i, j: d[i] * x[i] - c[i] - d[j] * x[j] + c[j]),
    )
    p.cites("at x = 0: F tells every difference c_i - c_j, so that c is unique but for a multiple of (1, ..., 1)")
    slopes = Matrix(p.classes, lambda i, j: p.classes.derivative(logarithms[i, j], x[i]))
    p.equal(
        "its derivative by x_i is d_i for i != j",
        slopes,
        Matrix(p.classes, lambda i, j: d[i] * (1 - sp.KroneckerDelta(i, j))),
    )
    p.cites("for K >= 2 each i has a j != i: F tells d")


def family_positivity(p: Proof) -> None:
    """Where w = C + sum_k a_k exp(d_k x_k) > 0 on all of R^K, for a > 0."""
    x, a, d = p.vector("x"), p.vector("a", positive=True), p.vector("d")
    p.cites("a class with d_k = 0 adds a_k to C, whatever x_k is: let B = C + sum_(d_k = 0) a_k, and leave it out")
    p.cites("if no class is left, w = B for every x: w > 0 if and only if B > 0")
    enough = sp.Symbol("B", nonnegative=True)
    p.positive("if some are left, B >= 0 gives w = B + sum_k a_k exp(d_k x_k) > 0", family(x, a, d, enough)[1])
    s, slack = sp.symbols("s B", real=True)
    along = d.map(lambda entry: -s / entry)
    p.equal("at x_k = -s/d_k, w = B + exp(-s) sum_k a_k", family(along, a, d, slack)[1], slack + sp.exp(-s) * a.sum())
    total, lack = sp.symbols("A L", positive=True)
    p.equal("if B = -L < 0, that is 0 at s = log(A/L), A = sum_k a_k", -lack + sp.exp(-sp.log(total / lack)) * total, 0)


# --- the elementwise normalizers --------------------------------------------------------------------------------------


def elementwise_is_no_softmax(p: Proof) -> None:
    """The sum of a generalised SoftMax is 1 everywhere; theirs is not even constant, or is 0 at 0."""
    c, d, x = p.vector("c"), p.vector("d"), p.vector("x")
    p.equal("every generalised SoftMax sums to 1", softmax(d * x - c).sum(), 1)

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
    x, y, d = p.vector("x"), p.vector("y"), p.vector("d")
    form = softmax_type(y, d)
    p.equal("(P2) has dy_1/dx_2 = -y_1 y_2 d_2", form[1, 2], -y[1] * y[2] * d[2])
    p.equal("and dy_2/dx_2 = y_2 (1 - y_2) d_2, which is 0 for d_2 = 0", form[2, 2], y[2] * (1 - y[2]) * d[2])
    at_log_2 = {x[1]: sp.log(2), x[2]: sp.log(2)}
    for name in SMOOTH:
        f = NORMALIZERS[name].symbolic(x)
        p.equal(f"{name}: dy_1/dx_2 = 0", jacobian(f, x)[1, 2], 0)
        p.positive("with y_1 y_2 > 0 at x_1 = x_2 = log 2, so that d_2 = 0", (f[1] * f[2]).xreplace(at_log_2))
        p.positive("but dy_2/dx_2 > 0 there", jacobian(f, x)[2, 2].xreplace(at_log_2))


def hard_elementwise_has_no_p2(facts: Findings) -> None:
    """(P2) is a property of differentiable functions; at the upper kink these have no derivative."""
    import z3

    h = z3.Real("h")
    near = z3.And(h > 0, h < 1)
    for name, kink, slope in zip(piecewise.HARD, (1, 2, 3), ("1", "1/4", "1/6"), strict=True):
        piecewise.acts_on_each_score(facts, name)
        f, _ = piecewise.of_one_score(name)
        left, middle, right = (piecewise.at(f, score) for score in (kink - h, z3.RealVal(kink), kink + h))
        facts.valid(f"{name}: right of {kink} the slope is 0", z3.Implies(near, right - middle == 0))
        facts.valid(f"left of it {slope}", z3.Implies(near, middle - left == z3.RealVal(slope) * h))


# --- methods that are generalised SoftMax -----------------------------------------------------------------------------


def relocation(
    soft_scores: Callable[[Proof, Vector], Vector], parameters: Callable[[Proof], tuple[Vector, Vector]], text: str
) -> Callable[[Proof], None]:
    """The proof that a method's soft scores are SoftMax(d * x - c), with its d and c."""

    def proof(p: Proof) -> None:
        x = p.vector("x")
        d, c = parameters(p)
        p.statement(text, soft_scores(p, x), softmax(d * x - c))
        p.rests_on("X.trick.dilated-any-sum", "so the gradient of its cross-entropy is d * ((sum t) y - t)")

    return proof


def weighted(weights: Vector, scores: Vector) -> Vector:
    """n_i exp(x_i) / sum_k n_k exp(x_k)."""
    powers = weights * scores.map(sp.exp)
    return powers / powers.sum()


def _frequencies(p: Proof) -> Vector:
    return p.vector("n", positive=True)


def _priors(p: Proof) -> Vector:
    return p.vector("l").map(sp.exp)


TEMPERATURE, TAU = sp.Symbol("T", positive=True), sp.Symbol("tau", real=True)

balanced_softmax = relocation(
    lambda p, x: weighted(_frequencies(p), x),
    lambda p: (p.classes.constant(1), -_frequencies(p).map(sp.log)),
    "n_i exp(x_i) / sum_k n_k exp(x_k) = SoftMax(x + log n)",
)
logit_adjustment = relocation(
    lambda p, x: weighted(_priors(p).map(lambda prior: prior**TAU), x),
    lambda p: (p.classes.constant(1), _priors(p).map(sp.log) * -TAU),
    "pi_i^tau exp(x_i) / sum_k pi_k^tau exp(x_k) = SoftMax(x + tau log pi), with pi = exp(l)",
)
vs_loss = relocation(
    lambda p, x: weighted(p.vector("iota").map(sp.exp), p.vector("Delta") * x),
    lambda p: (p.vector("Delta"), -p.vector("iota")),
    "exp(Delta_i x_i + iota_i) / sum_k exp(Delta_k x_k + iota_k) = SoftMax(Delta * x + iota)",
)
temperature_scaling = relocation(
    lambda p, x: softmax(x / TEMPERATURE),
    lambda p: (p.classes.constant(1 / TEMPERATURE), p.classes.constant(0)),
    "SoftMax(x / T) has d = 1/T, c = 0",
)
vector_scaling = relocation(
    lambda p, x: weighted(p.vector("b").map(sp.exp), p.vector("w") * x),
    lambda p: (p.vector("w"), -p.vector("b")),
    "SoftMax(w * x + b) has d = w, c = -b",
)


def ldam(p: Proof) -> None:
    """At x = 0 its error for label 1 and label 2 needs two different soft scores for class 1."""
    x, margin = p.vector("x"), p.vector("Delta")
    first, second = p.classes.unit(1), p.classes.unit(2)
    for label in (first, second):
        p.equal(
            "the loss CE(e_j, SoftMax(x - Delta_j e_j)) has the gradient SoftMax(x - Delta_j e_j) - e_j",
            gradient(soft_cross_entropy(label, x - margin * label), x),
            softmax(x - margin * label) - label,
        )
    p.cites("if it were F(x) - e_j for one F, SoftMax(x - Delta_j e_j) would be the same for every j")
    u, v = sp.symbols("u v", positive=True)  # exp(Delta) = 1 + u > 1

    def for_label(label: Vector, size: sp.Expr) -> Vector:
        return softmax(label * -sp.log(1 + size))

    more = sp.Symbol("N", positive=True)  # K - 1
    own, other = 1 / (1 + (1 + u) * more), (1 + v) / (1 + (1 + v) * more)
    at_k = {more: p.classes.size - 1}
    p.equal(
        "x = 0, j = 1, exp(Delta_1) = 1 + u: y_1 = 1 / (1 + (1+u)(K-1))", for_label(first, u)[1], own.xreplace(at_k)
    )
    p.equal(
        "x = 0, j = 2, exp(Delta_2) = 1 + v: y_1 = (1+v) / (1 + (1+v)(K-1))",
        for_label(second, v)[1],
        other.xreplace(at_k),
    )
    p.positive("which is more, for all positive margins", other - own)
    p.exists(x="0", labels="1 and 2", Delta="any positive margins", K=">= 2")


# --- blurred targets --------------------------------------------------------------------------------------------------


def blurred(p: Proof, mu: sp.Expr) -> Vector:
    """(1 - mu) e_1 + mu / (K-1) (1 - e_1): section 3; any class may be numbered 1."""
    e = p.classes.unit(1)
    return e * (1 - mu) + (p.classes.constant(1) - e) * (mu / (p.classes.size - 1))


def blurring(p: Proof) -> None:
    """Three ways to write the same targets."""
    mu, eps, s = sp.symbols("mu epsilon s", real=True)
    size = p.classes.size
    p.equal("they sum to 1", blurred(p, mu).sum(), 1)
    e = p.classes.unit(1)
    for text, label in (("the label's own entry", 1), ("any other entry", 2)):
        p.equal(
            f"with mu = (K-1) epsilon they are e_j (1 - K epsilon) + epsilon: {text}",
            blurred(p, (size - 1) * eps)[label],
            (e * (1 - size * eps) + eps)[label],
        )
        p.equal(
            f"with mu = s (K-1)/K they are (1-s) e_j + s/K, label smoothing: {text}",
            blurred(p, s * (size - 1) / size)[label],
            (e * (1 - s) + s / size)[label],
        )


CLAIMS = (
    Claim(
        id="X.trick.any-sum",
        title="the gradient of SoftCE is (sum t) y - t, for targets of any sum",
        statement=r"$\nabla_x \text{SoftCE}(y^\circ, x) = \left(\sum_k y^\circ_k\right) y - y^\circ, \ "
        r"y = \text{SoftMax}(x), \ y^\circ \in \mathbb{R}^K$",
        source=ANY_SUM,
        proof=trick_for_any_sum,
    ),
    Claim(
        id="X.trick.dilated-any-sum",
        title="the dilated trick for targets of any sum: d * ((sum t) y - t)",
        statement=r"$\nabla_x CE(y^\circ, y) = d \odot \left(\left(\sum_k y^\circ_k\right) y - y^\circ\right), \ "
        r"y = \text{SoftMax}(d \odot x - c), \ y^\circ \in \mathbb{R}^K$",
        source=ANY_SUM,
        proof=dilated_trick_for_any_sum,
    ),
    Claim(
        id="X.family.unity",
        title="an F with (P2) sums to 1 at one point, or at all, iff C = 0",
        statement=r"$\sum_i y_i = 1$ at one $x$ $\iff C = 0 \iff \sum_i y_i = 1$ at every $x$, for $y_i = "
        r"\frac{a_i e^{d_i x_i}}{w(x)}, \ w(x) = C + \sum_k a_k e^{d_k x_k} \ne 0$",
        source=COROLLARY,
        proof=family_unity,
    ),
    Claim(
        id="X.family.unique",
        title="SoftMax(d * x - c) tells d, and c but for a constant, K >= 2",
        statement=r"$\text{SoftMax}(d \odot x - c) = \text{SoftMax}(d' \odot x - c')$ for all $x$ $\iff d = d', \ "
        r"c - c' = r\,(1, \dots, 1)$ for some $r$",
        source=COROLLARY,
        hypotheses=(AT_LEAST_TWO,),
        proof=family_uniqueness,
        classes=range(2, 7),
    ),
    Claim(
        id="X.family.positive",
        title="how much negative slack the family of A1c can take",
        statement=r"For $a > 0$, $w(x) = C + \sum_k a_k e^{d_k x_k} > 0$ on all of $\mathbb{R}^K \iff C + "
        r"\sum_{d_k = 0} a_k \ge 0$ if $d \ne 0$, and $\iff C + \sum_k a_k > 0$ if $d = 0$",
        source=COROLLARY,
        proof=family_positivity,
    ),
    Claim(
        id="X.elementwise-no-softmax",
        title="Sigmoid, Tanh and the hard forms are no generalised SoftMax",
        statement=r"For no $K$ and no $c, d \in \mathbb{R}^K$ is $\text{SoftMax}(d \odot x - c)$ the vector of "
        "Sigmoid, Tanh, HardTanh, the paper's or PyTorch's HardSigmoid of $x$",
        source=COROLLARY,
        proof=elementwise_is_no_softmax,
    ),
    Claim(
        id="X.elementwise-no-p2",
        title="Sigmoid, Tanh and the hard forms have no property (P2), K >= 2",
        statement=rf"$\neg {P2}$ for F the vector of Sigmoid or of Tanh; HardTanh and both HardSigmoids are not even "
        "differentiable",
        source=COROLLARY,
        hypotheses=(r"$K \ge 2$ (for $K = 1$ Sigmoid is SoftMax with slack)",),
        proof=smooth_elementwise_has_no_p2,
        checks=(Check("z3", hard_elementwise_has_no_p2, "the hard forms, at their upper kink"),),
        classes=range(2, 7),
    ),
    Claim(
        id="X.relocation.balanced-softmax",
        title="Balanced Softmax is SoftMax(x - c) with c = -log n",
        statement=r"$\frac{n_i e^{x_i}}{\sum_k n_k e^{x_k}} = \text{SoftMax}(x + \log n)$, with class "
        r"frequencies $n > 0$",
        source=METHODS + "; Ren et al., NeurIPS 2020",
        proof=balanced_softmax,
    ),
    Claim(
        id="X.relocation.logit-adjustment",
        title="logit adjustment is SoftMax(x - c) with c = -tau log pi",
        statement=r"$\frac{\pi_i^\tau e^{x_i}}{\sum_k \pi_k^\tau e^{x_k}} = \text{SoftMax}(x + \tau \log \pi)$, with "
        r"priors $\pi > 0$",
        source=METHODS + "; Menon et al., ICLR 2021",
        proof=logit_adjustment,
    ),
    Claim(
        id="X.relocation.vs-loss",
        title="the VS-loss has d = Delta and c = -iota",
        statement=r"$\frac{e^{\Delta_i x_i + \iota_i}}{\sum_k e^{\Delta_k x_k + \iota_k}} = \text{SoftMax}(\Delta "
        r"\odot x - c)$ with $c = -\iota$; a weight $\omega$ of the label is a target $\omega e_j$, of sum $\omega$",
        source=METHODS + "; Kini et al., NeurIPS 2021",
        proof=vs_loss,
    ),
    Claim(
        id="X.relocation.temperature-scaling",
        title="temperature scaling has d = 1/T and c = 0",
        statement=r"$\text{SoftMax}(x / T) = \text{SoftMax}(d \odot x - c)$ with $d = (1/T, \dots, 1/T)$, $c = 0$",
        source=METHODS + "; Guo et al., ICML 2017",
        proof=temperature_scaling,
    ),
    Claim(
        id="X.relocation.vector-scaling",
        title="vector scaling has d = w and c = -b",
        statement=r"$\text{SoftMax}(w \odot x + b) = \text{SoftMax}(d \odot x - c)$ with $d = w$, $c = -b$",
        source=METHODS + "; Guo et al., ICML 2017",
        proof=vector_scaling,
    ),
    Claim(
        id="X.relocation.ldam",
        title="LDAM is no relocation: its shift depends on the label",
        statement=r"There is no F with $\nabla_x CE(e_j, \text{SoftMax}(x - \Delta_j e_j)) = F(x) - e_j$ for every "
        r"label $j$, for margins $\Delta_1, \Delta_2 > 0$",
        source="beyond the paper: LDAM as in Cao et al., NeurIPS 2019",
        hypotheses=(AT_LEAST_TWO,),
        proof=ldam,
        classes=range(2, 7),
    ),
    Claim(
        id="X.blurring",
        title="blurring by mu is label smoothing by s, mu = s (K-1)/K",
        statement=r"$(1-\mu)\,e_j + \frac{\mu}{K-1}(1 - e_j)$ sums to 1; it is $(1 - K\epsilon)\,e_j + \epsilon$ for "
        r"$\mu = (K-1)\epsilon$, and $(1-s)\,e_j + \frac{s}{K}$ for $\mu = \frac{s(K-1)}{K}$",
        source=BLURRING,
        hypotheses=(AT_LEAST_TWO,),
        proof=blurring,
        classes=range(2, 7),
    ),
)
