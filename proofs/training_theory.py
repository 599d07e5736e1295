r"""Beyond the paper: what theory says of training with ISBE.

Adam and the reductions of the loss; an error that knows the label alone; the mean square error that the paper plots;
what cross-entropy bounds.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.symbolic import Matrix, Vector, cross_entropy, decide, gradient, jacobian, outer
from softmax_trick.symbolic.enclosure import enclose

ADAM = "beyond the paper: Adam (Kingma, Ba, ICLR 2015) under the reductions of the loss"
INFORMATION = "beyond the paper: what cross-entropy bounds"


# --- Adam -------------------------------------------------------------------------------------------------------------


def moments(m: sp.Expr, v: sp.Expr, g: sp.Expr, beta: tuple[sp.Expr, sp.Expr]) -> tuple[sp.Expr, sp.Expr]:
    """The moving averages of one parameter's gradient and of its square, after the gradient g."""
    return beta[0] * m + (1 - beta[0]) * g, beta[1] * v + (1 - beta[1]) * g**2


def update(m: sp.Expr, v: sp.Expr, correction: tuple[sp.Expr, sp.Expr], epsilon: sp.Expr) -> sp.Expr:
    """What Adam subtracts, divided by the learning rate: m_hat / (sqrt(v_hat) + epsilon)."""
    return (m / correction[0]) / (sp.sqrt(v / correction[1]) + epsilon)


def adam_forgets_scale(p: Proof) -> None:
    """By induction over the steps, the parameters are the same, so the gradients are s times the others."""
    m, g = sp.symbols("m g", real=True)
    v, s = sp.symbols("v s", positive=True)
    beta = (sp.Symbol("beta1", real=True), sp.Symbol("beta2", real=True))
    correction = (sp.Symbol("c1", positive=True), sp.Symbol("c2", positive=True))
    p.cites("before the first step both runs have the same parameters and m = v = 0")
    plain, scaled = moments(m, v, g, beta), moments(s * m, s**2 * v, s * g, beta)
    p.equal("if m is s times the other and g too, so is the next m", scaled[0], s * plain[0])
    p.equal("if v is s^2 times the other, so is the next v", scaled[1], s**2 * plain[1])
    none = sp.S.Zero
    p.equal(
        "m_hat / sqrt(v_hat) is the same for (s m, s^2 v) and (m, v), with any bias corrections c1, c2 > 0",
        update(s * m, s**2 * v, correction, none),
        update(m, v, correction, none),
    )
    p.cites("so both runs take the same step, and see s times the same gradient next")


def mean_joins_sum(p: Proof) -> None:
    """The gradient of the mean over a batch is 1/n of that of the sum."""
    x, t = p.vector("x"), p.vector("t")
    n = sp.Symbol("n", positive=True)
    entry = NORMALIZERS["softmax"]
    loss = entry.symbolic_potential(x) - x.dot(t)
    p.equal("grad (loss / n) = (1/n) grad loss", gradient(loss / n, x), gradient(loss, x) * (1 / n))
    p.positive("1/n > 0", 1 / n)
    p.cites("the same holds for sums of losses, and of gradients by the parameters: reduction 'mean' is 1/n of 'sum'")
    p.rests_on("X.adam.scale", "with batches of one size n, 1/n is one positive constant: Adam takes the same steps")


def adam_with_epsilon(p: Proof) -> None:
    """The first step from m = v = 0: m_hat = g, v_hat = g^2, with g > 0."""
    g, s, epsilon = sp.symbols("g s epsilon", positive=True)
    beta = (sp.Symbol("beta1", real=True), sp.Symbol("beta2", real=True))
    correction = (1 - beta[0], 1 - beta[1])

    def first(gradient_seen: sp.Expr) -> sp.Expr:
        m, v = moments(sp.S.Zero, sp.S.Zero, gradient_seen, beta)
        return update(sp.cancel(m / correction[0]), sp.cancel(v / correction[1]), (sp.S.One, sp.S.One), epsilon)

    p.equal("the first step is g / (g + epsilon)", first(g), g / (g + epsilon))
    p.equal(
        "for gradients s g it differs by g epsilon (s - 1) / ((s g + epsilon)(g + epsilon))",
        first(s * g) - first(g),
        g * epsilon * (s - 1) / ((s * g + epsilon) * (g + epsilon)),
    )
    more = sp.Symbol("u", positive=True)
    difference = (first(s * g) - first(g)).xreplace({s: 1 + more})
    p.positive("which is positive for s = 1 + u > 1", sp.cancel(difference))
    one = {g: sp.S.One, epsilon: sp.S.One}
    p.equal("g = epsilon = 1: the step is 1/2", first(g).xreplace(one), sp.S.Half)
    p.equal("and 2/3 for s = 2", first(2 * g).xreplace(one), sp.Rational(2, 3))
    p.exists(g=1, epsilon=1, s=2, steps="1/2 and 2/3")


def adam_with_a_smaller_last_batch(facts: Findings) -> None:
    """Two steps with gradients 1 and 1, against the same two scaled by 1 and by 2: the ratio m^2/v differs."""
    half = Fraction(1, 2)

    def squared_step(scales: tuple[int, int]) -> Fraction:
        m = v = Fraction(0)
        for scale in scales:
            m, v = moments(m, v, Fraction(scale), (half, half))
        correction = 1 - half**2
        return (m / correction) ** 2 / (v / correction)

    same, changed = squared_step((1, 1)), squared_step((1, 2))
    facts.same("beta1 = beta2 = 1/2, gradients (1, 1): the second step is 1, squared", same, Fraction(1))
    facts.same("and the same for (2, 2)", squared_step((2, 2)), same)
    facts.holds("but not for (1, 2)", changed != same, squared_step=changed)
    facts.exists(gradients="(1, 1) and (1, 2)", beta1="1/2", beta2="1/2", squared_steps=f"{same} and {changed}")


# --- an error that depends on the label alone -------------------------------------------------------------------------


def label_only(p: Proof) -> None:
    """A linear loss, in the scores and in the weights of a linear layer."""
    x, e, u = p.vector("x"), p.vector("e"), p.vector("u")
    s = sp.Symbol("s", real=True)
    p.equal("e = grad <e, x> for an error e that x does not enter", gradient(e.dot(x), x), e)
    p.equal("which at x = -s e is -s ||e||^2", e.dot(e * -s), -s * e.dot(e))
    p.cites("for e != 0 that falls without bound as s -> oo: there is no minimum to converge to")
    w = p.classes.matrix("W")
    by_weights = Matrix(p.classes, lambda i, j: p.classes.derivative(e.dot(w @ u), w[i, j]))
    p.equal("for scores x = W u the gradient by W is e u^T, whatever W is", by_weights, outer(e, u))
    p.cites("the gradients of a batch add up: every step of gradient descent adds the same -eta G, G = sum_n e_n u_n^T")
    g, step = p.classes.matrix("G"), sp.Symbol("m", real=True)
    moved = Matrix(p.classes, lambda i, j: w[i, j] - step * g[i, j])
    gap = Vector(p.classes, lambda i: Vector(p.classes, lambda j: (moved[i, j] - w[i, j]) ** 2).sum()).sum()
    size = Vector(p.classes, lambda i: Vector(p.classes, lambda j: g[i, j] ** 2).sum()).sum()
    p.equal("after steps of m eta in all, ||W - W_0||^2 = m^2 ||G||^2", gap, step**2 * size)
    p.cites("so the weights leave every bound as the steps go on if G != 0, and never move if G = 0")


def label_only_at_rest(p: Proof) -> None:
    """e = 1 - K t, as often for each class and at one and the same input: the errors add up to 0."""
    k = p.classes.size
    errors = Matrix(p.classes, lambda i, label: 1 - k * sp.KroneckerDelta(i, label))
    total = Vector(p.classes, lambda i: Vector(p.classes, lambda label: errors[i, label]).sum())
    first = Vector(p.classes, lambda i: errors[i, 1])
    p.equal("||1 - K e_1||^2 = K (K - 1)", first.dot(first), k * (k - 1))
    more = sp.Symbol("N", positive=True)  # K - 1
    p.positive("which is not 0 for K >= 2", (more + 1) * more)
    p.equal("sum_k (1 - K e_k) = 0, and so is G = sum_k (1 - K e_k) u^T", total, p.classes.constant(0))
    p.exists(e="1 - K t", labels="each class once", inputs="one u for all", G="0")


# --- the mean square error that the paper plots -----------------------------------------------------------------------


def mean_square_error(p: Proof) -> None:
    """The chain rule puts F's Jacobian in front of the error; ISBE leaves it out."""
    x, t = p.vector("x"), p.vector("t")
    n = sp.Symbol("n", positive=True)  # the batch size
    y = NORMALIZERS["sigmoid"].symbolic(x)
    gap = y - t
    plotted = gradient(gap.dot(gap) / n, x)
    p.equal("the gradient of ||y - t||^2 / n is (2/n) J^T (y - t)", plotted, (jacobian(y, x).T @ gap) * (2 / n))
    p.equal("for Sigmoid that is (2/n) y (1-y) (y - t)", plotted, y * (y * -1 + 1) * gap * (2 / n))
    at_origin = {x[1]: sp.S.Zero, t[1]: sp.S.One, n: sp.S.One}
    values = (plotted[1].xreplace(at_origin), gap[1].xreplace(at_origin))
    p.equal("x_1 = 0, t_1 = 1, n = 1: it is -1/4", values[0], -sp.Rational(1, 4))
    p.equal("and ISBE's error y - t is -1/2", values[1], -sp.S.Half)
    saturated = {x[1]: -sp.log(3), t[1]: sp.S.One, n: sp.S.One}
    values = (plotted[1].xreplace(saturated), gap[1].xreplace(saturated))
    p.equal("x_1 = -log 3, a worse score: it is -9/32", values[0], -sp.Rational(9, 32))
    p.equal("and ISBE's error is -3/4: not even proportional", values[1], -sp.Rational(3, 4))
    p.exists(F="Sigmoid", x_1="0 and -log 3", t_1=1, n=1, gradients="-1/4 and -9/32", errors="-1/2 and -3/4")


# --- what cross-entropy bounds ----------------------------------------------------------------------------------------


def information_bound(p: Proof) -> None:
    """For one input with posterior t and soft scores q, CE(t, q) >= CE(t, t); then the mean over the inputs."""
    t, q = p.vector("t", positive=True), p.vector("q", positive=True)
    of_labels = Vector(p.classes, lambda k: cross_entropy(p.classes.unit(k), q))
    p.equal("the mean of CE(e_Y, q) over labels Y drawn from t is CE(t, q)", t.dot(of_labels), cross_entropy(t, q))
    p.equal(
        "CE(t, q) - CE(t, t) = - sum_k t_k log(q_k / t_k)",
        cross_entropy(t, q) - cross_entropy(t, t),
        -t.dot((q / t).map(sp.log)),
    )
    p.cites("log u <= u - 1, with equality only for u = 1")
    p.equal("sum_k t_k (q_k / t_k - 1) = 0 where t and q sum to 1", t.dot(q / t - 1), 0, (t, q))
    p.cites("so CE(t, q) >= CE(t, t) = H(Y | X = x), with equality only for q = t")
    p.cites("classes with t_k = 0 drop out of both, and without them the last sum is <= 0: the same")
    p.cites("the mean over the inputs: E[CE] >= H(Y | X), and I(X; Y) = H(Y) - H(Y | X)")


# Eighths: three of four labels agree with the input.
JOINT = ((Fraction(3, 8), Fraction(1, 8)), (Fraction(1, 8), Fraction(3, 8)))
CLASSIFIER = ((Fraction(2, 3), Fraction(1, 3)), (Fraction(1, 3), Fraction(2, 3)))
Table = tuple[tuple[Fraction, ...], ...]


def mutual_information(joint: Table) -> sp.Expr:
    """I(X; Y) = sum p(x, y) log(p(x, y) / (p(x) p(y))), from its definition."""
    inputs, labels = [sum(row) for row in joint], [sum(column) for column in zip(*joint, strict=True)]
    return sp.Add(
        *(
            sp.Rational(joint[x][y]) * sp.log(sp.Rational(joint[x][y] / (inputs[x] * labels[y])))
            for x in range(len(inputs))
            for y in range(len(labels))
        )
    )


def bound(joint: Table, classifier: Table) -> sp.Expr:
    """H(Y) - E[CE] for soft scores classifier[x]."""
    entropy = -sp.Add(*(sp.Rational(sum(c)) * sp.log(sp.Rational(sum(c))) for c in zip(*joint, strict=True)))
    pairs = [pair for rows in zip(joint, classifier, strict=True) for pair in zip(*rows, strict=True)]
    return entropy + sp.Add(*(sp.Rational(weight) * sp.log(sp.Rational(score)) for weight, score in pairs))


def information_example(facts: Findings) -> None:
    """The bound of one joint distribution, enclosed: strict for a classifier, equal for the posterior."""
    facts.same("the joint distribution sums to 1", sum(map(sum, JOINT)), Fraction(1))
    gap = mutual_information(JOINT) - bound(JOINT, CLASSIFIER)
    ball = enclose(gap, {})
    facts.holds("I - (H - E[CE]) > 0 for the classifier (2/3, 1/3), (1/3, 2/3)", bool(ball > 0), gap=ball.str(12))
    posterior = tuple(tuple(entry / sum(row) for entry in row) for row in JOINT)
    decision = decide(mutual_information(JOINT) - bound(JOINT, posterior))
    facts.same("and = 0 for the posterior (3/4, 1/4), (1/4, 3/4)", decision.status, "zero")
    facts.exists(gap=f"{gap} = {ball.str(12)}")


CLAIMS = (
    Claim(
        id="X.adam.scale",
        title="Adam with epsilon = 0 does not see the scale of the loss",
        statement=r"If every gradient is multiplied by one $s > 0$, Adam with $\epsilon = 0$ and without weight decay "
        r"takes the same steps $\hat{m} / \sqrt{\hat{v}}$",
        source=ADAM,
        hypotheses=(r"$v > 0$ where it divides",),
        proof=adam_forgets_scale,
    ),
    Claim(
        id="X.adam.mean",
        title="Adam with epsilon = 0: reduction 'mean' trains as 'sum' does",
        statement=r"With batches of one size $n$, Adam with $\epsilon = 0$ takes the same steps for the mean of the "
        "losses over a batch and for their sum",
        source=ADAM,
        hypotheses=(r"$v > 0$ where it divides",),
        proof=mean_joins_sum,
    ),
    Claim(
        id="X.adam.epsilon",
        title="Adam with epsilon > 0 does see the scale of the loss",
        statement=r"With $\epsilon > 0$ the first step of Adam on a gradient $g > 0$ is $\frac{g}{g + \epsilon}$, and "
        r"larger for $s g$, $s > 1$",
        source=ADAM,
        proof=adam_with_epsilon,
    ),
    Claim(
        id="X.adam.last-batch",
        title="Adam with epsilon = 0 does see a scale that changes",
        statement=r"There are gradients $g_1, g_2$ and $s_1 \ne s_2 > 0$ for which Adam with $\epsilon = 0$ takes "
        r"other steps on $s_1 g_1, s_2 g_2$: under 'mean' a smaller last batch of an epoch has another factor $1/n$",
        source=ADAM,
        checks=(Check("rational arithmetic", adam_with_a_smaller_last_batch, "one pair of gradients"),),
    ),
    Claim(
        id="X.label-only",
        title="an error that depends on the label alone has no minimum in the scores",
        statement=r"An error $e \ne 0$ that does not depend on $x$ is the gradient of $\langle e, x \rangle$ alone "
        "(but for a constant), which is unbounded below. In a linear layer every step of gradient descent over the "
        r"batch adds $-\eta G$, $G = \sum_n e_n u_n^\top$, to the weights: they leave every bound exactly if $G \ne 0$",
        source="beyond the paper: why parameters need not converge in Li, Doroslovački, Loew, IEEE Access 8, 2020",
        hypotheses=("the batch is the same in every step, or all of the data",),
        proof=label_only,
    ),
    Claim(
        id="X.label-only.at-rest",
        title="an error that depends on the label alone may leave the weights at rest",
        statement=r"for the error $e = \mathbf{1} - K t \ne 0$ there is a batch with $\sum_n e_n u_n^\top = 0$: the "
        r"weights of a linear layer do not move",
        hypotheses=(r"$K \ge 2$",),
        classes=range(2, 7),
        source="beyond the paper: why parameters need not converge in Li, Doroslovački, Loew, IEEE Access 8, 2020",
        proof=label_only_at_rest,
    ),
    Claim(
        id="X.mse",
        title="the ISBE error is not the gradient of the MSE that is plotted",
        statement=r"$\nabla_x \frac{1}{n_b} \|y - y^\circ\|^2 = \frac{2}{n_b} J^\top (y - y^\circ)$, for $F = "
        r"\text{Sigmoid}$ not $y - y^\circ$, nor a multiple of it",
        source="beyond the paper: section 4.1.3 plots the MSE as the loss of ISBE",
        proof=mean_square_error,
    ),
    Claim(
        id="X.information",
        title="H(Y) - E[CE] bounds the mutual information I(X; Y) from below",
        statement=r"$I(X; Y) \ge H(Y) - E[CE(e_Y, q(X))]$ for labels $Y$, finitely many inputs and soft scores $q(x) > "
        r"0$ that sum to 1, with equality iff $q(x)$ is the posterior for every $x$ of positive probability",
        source=INFORMATION,
        proof=information_bound,
    ),
    Claim(
        id="X.information.example",
        title="the bound on I(X; Y) for one joint distribution, enclosed",
        statement=r"For $p(x, y) = \frac{3}{8}$ where $x = y \in \{1, 2\}$ and $\frac{1}{8}$ elsewhere, $I(X; Y) > "
        r"H(Y) - E[CE]$ for $q = (\frac{2}{3}, \frac{1}{3}), (\frac{1}{3}, \frac{2}{3})$, and $=$ for the posterior",
        source=INFORMATION,
        checks=(Check("Arb", information_example, "one joint distribution, two classifiers", "enclosed"),),
    ),
)
