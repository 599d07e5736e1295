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
from softmax_trick.symbolic import decide
from softmax_trick.symbolic.enclosure import enclose

ADAM = "beyond the paper: Adam (Kingma, Ba, ICLR 2015) under the reductions of the loss"
INFORMATION = "beyond the paper: what cross-entropy bounds"


# --- Adam -------------------------------------------------------------------------------------------------------------


def adam_forgets_scale(p: Proof) -> None:
    """By induction over the steps, the parameters are the same, so the gradients are s times the others."""
    p.cites("before the first step both runs have the same parameters and m = v = 0")
    p.concludes()
    p.cites("so both runs take the same step, whatever the bias corrections c, and see s times the same gradient next")


def mean_joins_sum(p: Proof) -> None:
    """The gradient of the mean over a batch is 1/n of that of the sum."""
    p.concludes()
    p.cites("the same holds for sums of losses, and of gradients by the parameters: reduction 'mean' is 1/n of 'sum'")
    p.rests_on("X.adam.scale", "with batches of one size n, 1/n is one positive constant: Adam takes the same steps")


def adam_with_epsilon(p: Proof) -> None:
    """The first step from m = v = 0, on a positive gradient."""
    p.concludes()
    p.exists(g=1, epsilon=1, s=2, steps="1/2 and 2/3")


def moments(m: Fraction, v: Fraction, g: Fraction) -> tuple[Fraction, Fraction]:
    """The moving averages of one parameter's gradient and of its square, after the gradient g; beta1 = beta2 = 1/2."""
    return (m + g) / 2, (v + g**2) / 2


def adam_with_a_smaller_last_batch(findings: Findings) -> None:
    """Two steps with gradients 1 and 1, against the same two scaled by 1 and by 2: the ratio m^2/v differs."""

    def squared_step(scales: tuple[int, int]) -> Fraction:
        m = v = Fraction(0)
        for scale in scales:
            m, v = moments(m, v, Fraction(scale))
        correction = 1 - Fraction(1, 2) ** 2
        return (m / correction) ** 2 / (v / correction)

    same, changed = squared_step((1, 1)), squared_step((1, 2))
    findings.same("beta1 = beta2 = 1/2, gradients (1, 1): the second step is 1, squared", same, Fraction(1))
    findings.same("and the same for (2, 2)", squared_step((2, 2)), same)
    findings.holds("but not for (1, 2)", changed != same, squared_step=changed)
    findings.exists(gradients="(1, 1) and (1, 2)", beta1="1/2", beta2="1/2", squared_steps=f"{same} and {changed}")


# --- an error that depends on the label alone -------------------------------------------------------------------------


def label_only(p: Proof) -> None:
    """A linear loss, in the scores and in the weights of a linear layer."""
    p.concludes()
    p.shows("dot(e, -s*e) == -s*dot(e, e)", words="the loss at x = -s e", let="s: real")
    p.cites("for e != 0 that falls without bound as s -> oo: there is no minimum to converge to")
    p.cites("the gradients of a batch add up: every step of gradient descent adds the same -eta G, G = sum_n e_n u_n^T")
    p.cites("after steps of m eta in all the weights have moved by -m G, which is |m| ||G|| far")
    p.cites("so the weights leave every bound as the steps go on if G != 0, and never move if G = 0")


def label_only_at_rest(p: Proof) -> None:
    """The error 1 - K t, as often for each class and at one and the same input: the errors add up to 0."""
    p.concludes()
    more = sp.Symbol("N", positive=True)  # K - 1
    p.positive("K (K - 1) is not 0 for K >= 2", (more + 1) * more)
    p.cites("with one input u for all, G = sum_n e_n u^T = 0")
    p.exists(e="1 - K t", labels="each class once", inputs="one u for all", G="0")


# --- the mean square error that the paper plots -----------------------------------------------------------------------


def mean_square_error(p: Proof) -> None:
    """The chain rule puts F's Jacobian in front of the error; ISBE leaves it out."""
    p.concludes()
    for score, plotted, error in (("0", "-1/4", "-1/2"), ("-log(3)", "-9/32", "-3/4")):
        let = f"a = sigmoid({score})"
        p.shows(f"2*a*(1 - a)*(a - 1) == {plotted}", words=f"the gradient at x_1 = {score}, t_1 = 1, n = 1", let=let)
        p.shows(f"a - 1 == {error}", words="and ISBE's error: they are not proportional", let=let)
    p.exists(F="Sigmoid", x_1="0 and -log 3", t_1=1, n=1, gradients="-1/4 and -9/32", errors="-1/2 and -3/4")


# --- what cross-entropy bounds ----------------------------------------------------------------------------------------


def information_bound(p: Proof) -> None:
    """For one input with posterior t and soft scores q, CE(t, q) >= CE(t, t); then the mean over the inputs."""
    p.shows("sum[k:K] t[k]*ce([i:K] delta(i, k), q) == ce(t, q)", words="the mean over labels that are drawn from t")
    p.shows("ce(t, q) - ce(t, t) == -sum(t*log(q/t))")
    p.cites("log u <= u - 1, with equality only for u = 1")
    p.shows("sum(t*(q/t - 1)) == sum(q) - sum(t)", words="which is 0 where both sum to 1")
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


def information_example(findings: Findings) -> None:
    """The bound of one joint distribution, enclosed: strict for a classifier, equal for the posterior."""
    findings.same("the joint distribution sums to 1", sum(map(sum, JOINT)), Fraction(1))
    gap = mutual_information(JOINT) - bound(JOINT, CLASSIFIER)
    ball = enclose(gap, {})
    findings.holds("I - (H - E[CE]) > 0 for the classifier (2/3, 1/3), (1/3, 2/3)", bool(ball > 0), gap=ball.str(12))
    posterior = tuple(tuple(entry / sum(row) for entry in row) for row in JOINT)
    decision = decide(mutual_information(JOINT) - bound(JOINT, posterior))
    findings.same("and = 0 for the posterior (3/4, 1/4), (1/4, 3/4)", decision.status, "zero")
    findings.exists(gap=f"{gap} = {ball.str(12)}")


LABEL_ONLY = "beyond the paper: why parameters need not converge in Li, Doroslovački, Loew, IEEE Access 8, 2020"

CLAIMS = (
    Claim(
        id="X.adam.scale",
        title="Adam with epsilon = 0 does not see the scale of the loss",
        statement=r"If every gradient is multiplied by one $s > 0$, Adam with $\epsilon = 0$ and without weight decay "
        r"takes the same steps: $\formula{1}$ and $\formula{2}$ for its averages $m$ and $v$, so that $\formula{3}$",
        formulas=(
            "a*(s*m) + (1 - a)*(s*g) == s*(a*m + (1 - a)*g)",
            "b*(s**2*v) + (1 - b)*(s*g)**2 == s**2*(b*v + (1 - b)*g**2)",
            "s*m/c/sqrt(s**2*v/c') == m/c/sqrt(v/c')",
        ),
        let="m: real; g: real; v: positive; s: positive; a: real; b: real; c: positive; c': positive",
        source=ADAM,
        proof=adam_forgets_scale,
    ),
    Claim(
        id="X.adam.mean",
        title="Adam with epsilon = 0: reduction 'mean' trains as 'sum' does",
        statement=r"With batches of one size $n$, Adam with $\epsilon = 0$ takes the same steps for the mean of the "
        r"losses over a batch and for their sum, since $\formula{1}$",
        formulas=("grad(softce(t, x)/n, x) == grad(softce(t, x), x)/n",),
        let="x: K; t: K; n: positive",
        source=ADAM,
        hypotheses=(r"$v > 0$ where it divides",),
        proof=mean_joins_sum,
    ),
    Claim(
        id="X.adam.epsilon",
        title="Adam with epsilon > 0 does see the scale of the loss",
        statement=r"After the first step Adam's averages of $g > 0$ and of $g^2$, with their bias corrected, are "
        r"$\formula{1}$ and $g^2$: with $\epsilon > 0$ the step is $\formula{2}$, and larger for $s g$, $s > 1$: "
        r"$\formula{3}$",
        formulas=(
            "(1 - b)*g/(1 - b) == g",
            "g/(sqrt(g**2) + epsilon) == g/(g + epsilon)",
            "g/(g + epsilon) < s*g/(s*g + epsilon)",
        ),
        let="g: positive; b: real; epsilon: positive; u: positive; s = 1 + u",
        where=("1 - b != 0",),
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
        r"(but for a constant), $\formula{1}$, which is unbounded below. In a linear layer $\formula{2}$: every step "
        r"of gradient descent over the batch adds $-\eta G$, $G = \sum_n e_n u_n^\top$, to the weights: they leave "
        r"every bound exactly if $G \ne 0$",
        formulas=("grad(dot(e, x), x) == e", "grad(dot(e, W @ u), W) == outer(e, u)"),
        let="e: K; x: K; W: K,D; u: D",
        source=LABEL_ONLY,
        hypotheses=("the batch is the same in every step, or all of the data",),
        proof=label_only,
    ),
    Claim(
        id="X.label-only.at-rest",
        title="an error that depends on the label alone may leave the weights at rest",
        statement=r"for the error $e = \mathbf{1} - K t \ne 0$ there is a batch with $\sum_n e_n u_n^\top = 0$, so "
        r"that the weights of a linear layer do not move: $\formula{1}$ and $\formula{2}$",
        formulas=("sum[k:K] (1 - K*delta(i, k)) == 0", "sum[k:K] (1 - K*delta(j, k))**2 == K*(K - 1)"),
        let="i: index K; j: index K",
        where=("K >= 2",),
        source=LABEL_ONLY,
        proof=label_only_at_rest,
    ),
    Claim(
        id="X.mse",
        title="the ISBE error is not the gradient of the MSE that is plotted",
        statement=r"$\formula{1}$, for $F = \text{Sigmoid}$ not $y - y^\circ$, nor a multiple of it: $\formula{2}$",
        formulas=(
            "grad(dot(y - t, y - t)/n, x) == 2/n*(jacobian(y, x).T @ (y - t))",
            "grad(dot(y - t, y - t)/n, x) == 2/n*y*(1 - y)*(y - t)",
        ),
        let="x: K; t: K; n: positive; y = sigmoid(x)",
        source="beyond the paper: section 4.1.3 plots the MSE as the loss of ISBE",
        proof=mean_square_error,
    ),
    Claim(
        id="X.information",
        title="H(Y) - E[CE] bounds the mutual information I(X; Y) from below",
        statement=r"$I(X; Y) \ge H(Y) - E[CE(e_Y, q(X))]$ for labels $Y$, finitely many inputs and soft scores $q(x) > "
        r"0$ that sum to 1, with equality iff $q(x)$ is the posterior for every $x$ of positive probability",
        let="t: K positive; q: K positive",
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
