"""The catalogue of mutants: false neighbours of what is true, each of which the ledger must refute.

Most are made from the claims' own proofs (`ledger.mutants`). Those written by hand here are the errors that no
change of a side makes: a quantifier too many, a hypothesis forgotten, the wrong axis, a mean for a sum, a transpose or
a factor lost inside a formula. Each is one function: it states what is true, or its neighbour if it is asked to be
wrong.

A step that says that something is positive has no mutants: the signs are decided by rules, which refute nothing and so
give no witness. Inequalities are here where z3 decides them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Protocol

import sympy as sp

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.mutants import CLASSES, Kind, Mutant, beside, made_from
from softmax_trick.ledger.proof import Proof
from softmax_trick.proofs.theorem_a1 import dilated_error, family, softmax_type, trick
from softmax_trick.symbolic import (
    Matrix,
    Vector,
    chain,
    cross_entropy,
    diag,
    gradient,
    jacobian,
    outer,
    soft_cross_entropy,
    softmax,
)

if TYPE_CHECKING:
    import z3

WRITTEN: list[Mutant] = []


def catalogue(claims: Iterable[Claim] | None = None) -> list[Mutant]:
    """All mutants: those made from these claims (the paper's, if not given), and those written by hand."""
    if claims is None:
        from softmax_trick.proofs import CLAIMS

        claims = CLAIMS.values()
    mutants = {mutant.false.statement: mutant for mutant in [*made_from(claims), *WRITTEN]}  # one of each
    return list(mutants.values())


class Proved(Protocol):
    """A function that states what is true, or, asked to be wrong, what is not, to a proof."""

    def __call__(self, p: Proof, wrong: bool) -> None: ...


class Checked(Protocol):
    """The same, to a check."""

    def __call__(self, f: Findings, wrong: bool) -> None: ...


def equation(
    kind: Kind, name: str, true: str, false: str, classes: Iterable[int] = CLASSES
) -> Callable[[Proved], Proved]:
    """Register a function that states an equation: the true one, or, if it is asked to be wrong, the false one."""

    def register(states: Proved) -> Proved:
        wrong, right = (false, partial(states, wrong=True)), (true, partial(states, wrong=False))
        WRITTEN.append(beside(kind, name.partition(".")[0], name, wrong, right, tuple(classes)))
        return states

    return register


def facts(
    kind: Kind, name: str, true: str, false: str, engine: str = "z3", scope: str = "all real numbers"
) -> Callable[[Checked], Checked]:
    """Register a function that states facts, of all real numbers or of the entries of a table."""

    def register(states: Checked) -> Checked:
        wrong, right = (Check(engine, partial(states, wrong=wrong), scope) for wrong in (True, False))
        WRITTEN.append(beside(kind, name.partition(".")[0], name, (false, wrong), (true, right)))
        return states

    return register


# --- quantifiers ------------------------------------------------------------------------------------------------------


@equation(
    "quantifier", "SoftMax.two-classes", "y_i = 1 / sum_k exp(x_k - x_i)", "y_i = Sigmoid(2 x_i - sum x), for every K"
)
def softmax_of_two_classes(p: Proof, wrong: bool) -> None:
    """Sigmoid(x_i - x_j) is SoftMax of two classes only."""
    x = p.vector("x")
    if wrong:
        right = x.map(lambda x_i: 1 / (1 + sp.exp(x.sum() - 2 * x_i)))
    else:
        right = x.map(lambda x_i: 1 / x.map(lambda x_k: sp.exp(x_k - x_i)).sum())
    p.statement("SoftMax by differences of scores", softmax(x), right)


@equation("quantifier", "SoftMax.any-dilation", "SoftMax has (A3) for d = 1", "SoftMax has (A3) for every d")
def trick_for_every_dilation(p: Proof, wrong: bool) -> None:
    """(P3) says that some d exists."""
    x, t = p.vector("x"), p.vector("t")
    d = p.vector("d") if wrong else p.classes.constant(1)
    y = softmax(x)
    p.statement("(dF/dx)^T (-t / y) = d * (y - t)", trick(jacobian(y, x), t, y), dilated_error(t, y, d), (t,))


@equation("quantifier", "CE.any-target", "CE(e_1, y) = -log y_1", "CE(t, y) = -log y_1 for every t")
def cross_entropy_of_a_class(p: Proof, wrong: bool) -> None:
    """Cross-entropy is one logarithm for one-hot targets."""
    y = p.vector("y", positive=True)
    t = p.vector("t") if wrong else p.classes.unit(1)
    p.statement("CE(t, y) = -log y_1", cross_entropy(t, y), -sp.log(y[1]))


@equation("quantifier", "SoftMax.any-scores", "equal scores give y_i = 1/K", "every x gives y_i = 1/K")
def uniform_scores(p: Proof, wrong: bool) -> None:
    """y is uniform at some x, not at every one."""
    x = p.vector("x") if wrong else p.classes.constant(sp.Symbol("s", real=True))
    p.statement("y_i = 1/K", softmax(x), p.classes.constant(1 / p.classes.size))


@equation(
    "quantifier",
    "SoftMax.any-shift",
    "SoftMax(x - s 1) = SoftMax(x) for every s",
    "SoftMax(x - c) = SoftMax(x) for every c",
)
def shifted_scores(p: Proof, wrong: bool) -> None:
    """SoftMax forgets a common shift, not every relocation."""
    x = p.vector("x")
    c = p.vector("c") if wrong else p.classes.constant(sp.Symbol("s", real=True))
    p.statement("SoftMax(x - c) = SoftMax(x)", softmax(x - c), softmax(x))


@equation("quantifier", "SoftMax.any-slack", "sum SoftMax(x) = 1 without slack", "sum SoftMax(x) = 1 for every slack C")
def unity_with_slack(p: Proof, wrong: bool) -> None:
    """Unity holds for C = 0."""
    slack = sp.Symbol("C", positive=True) if wrong else sp.S.Zero
    p.statement("sum y = 1", softmax(p.vector("x"), slack).sum(), 1)


@equation("quantifier", "Tanh.any-scale", "tanh x = 2 Sigmoid(2 x) - 1", "tanh x = 2 Sigmoid(s x) - 1 for every s")
def tanh_is_a_sigmoid(p: Proof, wrong: bool) -> None:
    """Tanh is the Sigmoid at one scale."""
    x = p.vector("x")
    scale = sp.Symbol("s", real=True) if wrong else sp.Integer(2)
    p.statement("tanh x = 2 Sigmoid(s x) - 1", x.map(sp.tanh), x.map(lambda x_i: 2 * _sigmoid(scale * x_i) - 1))


@equation("quantifier", "SoftCE.stationary", "grad SoftCE = 0 at t = y", "grad SoftCE = 0 for every t")
def stationary_point(p: Proof, wrong: bool) -> None:
    """The error vanishes where the prediction is right."""
    x, t = p.vector("x"), p.vector("t")
    y = softmax(x)
    p.statement("(D_y - y y^T)(-t / y) = 0", trick(jacobian(y, x), t if wrong else y, y), p.classes.constant(0))


# --- hypotheses -------------------------------------------------------------------------------------------------------


@equation("hypothesis", "Norm.positivity", "y > 0 gives sum |y| = sum y", "sum |y| = sum y for every y")
def norm_without_positivity(p: Proof, wrong: bool) -> None:
    """Unity is a norm of 1 only for positive entries."""
    y = p.vector("y", positive=None if wrong else True)
    p.statement("sum |y_k| = sum y_k", y.map(sp.Abs).sum(), y.sum())


@equation("hypothesis", "P2.unity", "(P2) and sum y = 1: the sum has gradient 0", "(P2): the sum has gradient 0")
def conservation_without_unity(p: Proof, wrong: bool) -> None:
    """(P2) keeps unity; it does not keep every sum."""
    x, y, d = p.vector("x"), p.vector("y"), p.vector("d")
    constant = chain(y.sum(), x, y, softmax_type(y, d))
    p.statement("d(sum y)/dx_j = 0", constant, p.classes.constant(0), () if wrong else (y,))


@equation(
    "hypothesis",
    "P2.equal-dilations",
    "one dilation s for all: dF/dx is symmetric",
    "dF/dx is symmetric for all dilations",
)
def potential_without_equal_dilations(p: Proof, wrong: bool) -> None:
    """y - t is a gradient only if the dilations are equal."""
    x = p.vector("x")
    d = p.vector("d") if wrong else p.classes.constant(sp.Symbol("s", real=True))
    j = jacobian(softmax(d * x), x)
    p.statement("dF_i/dx_j = dF_j/dx_i", j, j.T)


@equation(
    "hypothesis",
    "Family.slack",
    "the family with C = 0, a = exp(-c) is SoftMax",
    "the family with a = exp(-c) is SoftMax",
)
def family_with_slack(p: Proof, wrong: bool) -> None:
    """The classification has one constant more than (P1)."""
    x, c, d = p.vector("x"), p.vector("c"), p.vector("d")
    slack = sp.Symbol("C", positive=True) if wrong else sp.S.Zero
    member, _ = family(x, c.map(lambda c_i: sp.exp(-c_i)), d, slack)
    p.statement("y = SoftMax(d * x - c)", member, softmax(d * x - c))


@equation("hypothesis", "Blur.sum", "targets (1 - m) t + m/K sum to 1 if t does", "targets (1 - m) t + m/K sum to 1")
def blurred_targets(p: Proof, wrong: bool) -> None:
    """Smoothing keeps unity and does not make it."""
    t, m = p.vector("t"), sp.Symbol("m", real=True)
    blurred = t * (1 - m) + p.classes.constant(m / p.classes.size)
    p.statement("sum ((1 - m) t + m/K) = 1", blurred.sum(), 1, () if wrong else (t,))


@equation("factor", "Blur.eps", "one_hot (1 - K e) + e sums to 1", "one_hot (1 - e) + e sums to 1")
def blurred_one_hot(p: Proof, wrong: bool) -> None:
    """The listing's smoothing takes K eps away, and gives eps to each class."""
    eps = sp.Symbol("e", real=True)
    taken = eps if wrong else p.classes.size * eps
    p.statement("sum t = 1", (p.classes.unit(1) * (1 - taken) + p.classes.constant(eps)).sum(), 1)


@equation(
    "hypothesis",
    "SoftCE.one-hot",
    "sum t = 1: SoftCE = log sum exp x - t x",
    "SoftCE = log sum exp x - t x for every t",
)
def fenchel_young(p: Proof, wrong: bool) -> None:
    """Log-sum-exp is weighted by sum t."""
    x, t = p.vector("x"), p.vector("t")
    loss = sp.log(x.map(sp.exp).sum()) - t.dot(x)
    p.statement("SoftCE(t, x) = log sum exp x - t x", soft_cross_entropy(t, x), loss, () if wrong else (t,))


@equation("hypothesis", "Sigmoid.normalised", "SoftMax sums to 1", "Sigmoid, entry by entry, sums to 1")
def unnormalised_sigmoid(p: Proof, wrong: bool) -> None:
    """The Sigmoid of each entry does not know of the others."""
    x = p.vector("x")
    p.statement("sum F(x) = 1", (x.map(_sigmoid) if wrong else softmax(x)).sum(), 1)


# --- axes -------------------------------------------------------------------------------------------------------------


def _batch_softmax(scores: Matrix, over_batch: bool = False) -> Matrix:
    """SoftMax over the classes of each example (a row), or, by mistake, over the examples for each class (a column)."""
    powers = Matrix(scores.classes, lambda b, k: sp.exp(scores[b, k]))
    sums = _row_sums(powers.T if over_batch else powers)
    return Matrix(scores.classes, lambda b, k: powers[b, k] / sums[k if over_batch else b])


def _row_sums(m: Matrix) -> Vector:
    return m @ m.classes.constant(1)


@equation(
    "axis",
    "Batch.unity",
    "SoftMax over classes: each example sums to 1",
    "SoftMax over the batch: each example sums to 1",
)
def unity_of_each_example(p: Proof, wrong: bool) -> None:
    """As many examples as classes, so that no shape tells the axes apart."""
    soft_scores = _batch_softmax(p.classes.matrix("X"), over_batch=wrong)
    p.statement("sum_k Y_bk = 1", _row_sums(soft_scores), p.classes.constant(1))


@equation(
    "axis",
    "Batch.trick",
    "the gradient of the loss is Y - T, Y over classes",
    "the gradient of the loss is Y - T, Y over the batch",
)
def trick_for_a_batch(p: Proof, wrong: bool) -> None:
    """The loss has SoftMax over the classes; the error sent back must have it too. All targets are class 1."""
    scores = p.classes.matrix("X")
    error = _batch_softmax(scores, over_batch=wrong) - _all_of_class_1(p)
    p.statement("d(sum of losses)/dX = Y - T", _gradient_of_losses(p, scores), error)


@equation(
    "axis",
    "Batch.loss",
    "the loss of each example is -log Y_b1, Y over classes",
    "the loss of each example is -log Y_b1, Y over the batch",
)
def loss_over_an_axis(p: Proof, wrong: bool) -> None:
    """log-sum-exp along the classes."""
    scores = p.classes.matrix("X")
    log_sum_exp = Vector(p.classes, lambda b: sp.log(p.classes.sum(lambda k: sp.exp(scores[b, k]))) - scores[b, 1])
    soft_scores = _batch_softmax(scores, over_batch=wrong)
    p.statement("loss_b = -log Y_b1", log_sum_exp, Vector(p.classes, lambda b: -sp.log(soft_scores[b, 1])))


@equation("axis", "P2.left-null", "1^T dF/dx = 0 where sum y = 1", "dF/dx 1 = 0 where sum y = 1")
def null_vector(p: Proof, wrong: bool) -> None:
    """With dilations, the columns of the Jacobian sum to zero and its rows do not."""
    y, d = p.vector("y"), p.vector("d")
    j = softmax_type(y, d)
    p.statement("sums along one axis vanish", _row_sums(j if wrong else j.T), p.classes.constant(0), (y,))


@equation("axis", "P2.dilated-columns", "(D_y - y y^T) D_d scales columns", "D_d (D_y - y y^T), which scales rows")
def dilated_rows(p: Proof, wrong: bool) -> None:
    """dy_i/dx_j has the factor d_j."""
    x, d = p.vector("x"), p.vector("d")
    y = softmax(d * x)
    undilated = diag(y) - outer(y, y)
    p.statement("the Jacobian of SoftMax(d * x)", jacobian(y, x), diag(d) @ undilated if wrong else undilated @ diag(d))


# --- reductions -------------------------------------------------------------------------------------------------------


def _all_of_class_1(p: Proof) -> Matrix:
    return Matrix(p.classes, lambda b, k: sp.KroneckerDelta(k, 1))


def _gradient_of_losses(p: Proof, scores: Matrix) -> Matrix:
    """The gradient of the sum over the batch of -log Y_b1."""
    soft_scores = _batch_softmax(scores)
    total = p.classes.sum(lambda b: -sp.log(soft_scores[b, 1]))
    return Matrix(p.classes, lambda b, k: p.classes.derivative(total, scores[b, k]))


@equation("reduction", "Batch.mean", "the mean loss has the gradient (Y - T)/n", "the mean loss has the gradient Y - T")
def gradient_of_mean_loss(p: Proof, wrong: bool) -> None:
    """1/n_b forgotten: n is the number of examples, here that of classes."""
    scores = p.classes.matrix("X")
    share = sp.S.One / p.classes.size
    mean = Matrix(p.classes, lambda b, k: share * _gradient_of_losses(p, scores)[b, k])
    error = _batch_softmax(scores) - _all_of_class_1(p)
    p.statement("grad of mean", mean, error if wrong else Matrix(p.classes, lambda b, k: share * error[b, k]))


@equation("reduction", "MSE.mean", "mean of squares: grad = (2/K)(y - t)", "mean of squares: grad = 2 (y - t)")
def gradient_of_mean_square(p: Proof, wrong: bool) -> None:
    """1/K forgotten."""
    y, t = p.vector("y"), p.vector("t")
    error = (y - t) * 2
    mean = ((y - t) * (y - t)).sum() / p.classes.size
    p.statement("grad of mean", gradient(mean, y), error if wrong else error / p.classes.size)


@equation("reduction", "SoftMax.mean", "sum SoftMax(x) = 1", "mean SoftMax(x) = 1")
def mean_of_soft_scores(p: Proof, wrong: bool) -> None:
    """The sum is 1, not the mean."""
    total = softmax(p.vector("x")).sum()
    p.statement("reduced, y is 1", total / p.classes.size if wrong else total, 1)


@equation("reduction", "CE.uniform", "CE(1/K, y) = -mean log y", "CE(1/K, y) = -sum log y")
def uniform_target(p: Proof, wrong: bool) -> None:
    """A uniform target makes the sum a mean."""
    y = p.vector("y", positive=True)
    share = p.classes.constant(1 / p.classes.size)
    logarithms = y.map(sp.log).sum()
    p.statement("CE(1/K, y)", cross_entropy(share, y), -logarithms if wrong else -logarithms / p.classes.size)


@equation("reduction", "LogSumExp.order", "sum log exp x = sum x", "log sum exp x = sum x")
def logarithm_of_a_sum(p: Proof, wrong: bool) -> None:
    """The logarithm does not pass through a sum."""
    x = p.vector("x")
    powers = x.map(sp.exp)
    p.statement("reduced to sum x", sp.log(powers.sum()) if wrong else powers.map(sp.log).sum(), x.sum())


@equation(
    "reduction",
    "SoftCE.summed-error",
    "sum_i (y_i - t_i) = 0 where sum t = 1",
    "sum_i (y_i - t_i)^2 = 0 where sum t = 1",
)
def summed_error(p: Proof, wrong: bool) -> None:
    """The errors cancel in the sum, their squares do not."""
    t = p.vector("t")
    error = softmax(p.vector("x")) - t
    p.statement("reduced, the error is 0", (error * error if wrong else error).sum(), 0, (t,))


# --- signs ------------------------------------------------------------------------------------------------------------


@equation("sign", "CE.as-printed", "grad_y CE = -t / y", "grad_y CE = t / y, as the paper prints it")
def gradient_as_printed(p: Proof, wrong: bool) -> None:
    """The paper's own error."""
    t, y = p.vector("t"), p.vector("y", positive=True)
    p.statement("grad_y CE", gradient(cross_entropy(t, y), y), t / y if wrong else -t / y)


@equation("sign", "P1.relocation", "a = exp(-c) is the relocation -c", "a = exp(c) is the relocation -c")
def relocation(p: Proof, wrong: bool) -> None:
    """The family's constants and the relocations have opposite signs."""
    x, c, d = p.vector("x"), p.vector("c"), p.vector("d")
    member, _ = family(x, c.map(lambda c_i: sp.exp(c_i if wrong else -c_i)), d, sp.S.Zero)
    p.statement("y = SoftMax(d * x - c)", member, softmax(d * x - c))


@equation("sign", "P2.defect", "u = 1 - sum y: du/dx = -u d * y", "u = 1 - sum y: du/dx = u d * y")
def defect(p: Proof, wrong: bool) -> None:
    """The defect shrinks where y grows."""
    x, y, d = p.vector("x"), p.vector("y"), p.vector("d")
    u = 1 - y.sum()
    by_x = chain(u, x, y, softmax_type(y, d))
    p.statement("du/dx", by_x, (d if wrong else -d) * y * u)


@equation("sign", "Sigmoid.derivative", "Sigmoid' = s (1 - s)", "Sigmoid' = s (1 + s)")
def derivative_of_sigmoid(p: Proof, wrong: bool) -> None:
    """A sign inside the formula."""
    x = p.vector("x")
    s = x.map(_sigmoid)
    one = p.classes.constant(1)
    p.statement("d s_i/dx_i", gradient(s.sum(), x), s * (one + s if wrong else one - s))


@equation("sign", "Sigmoid.reflected", "Sigmoid(-x) = 1 - Sigmoid(x)", "Sigmoid(-x) = -Sigmoid(x)")
def reflected_sigmoid(p: Proof, wrong: bool) -> None:
    """Tanh is odd, the Sigmoid is not."""
    x = p.vector("x")
    s = x.map(_sigmoid)
    p.statement("Sigmoid(-x)", (-x).map(_sigmoid), -s if wrong else p.classes.constant(1) - s)


@equation("sign", "P2.rank-one", "dF/dx = D_y - y y^T", "dF/dx = D_y + y y^T")
def rank_one_term(p: Proof, wrong: bool) -> None:
    """The sign of one term of the Jacobian."""
    x = p.vector("x")
    y = softmax(x)
    p.statement("dF/dx", jacobian(y, x), diag(y) + outer(y, y) if wrong else diag(y) - outer(y, y))


# --- factors ----------------------------------------------------------------------------------------------------------


@equation("factor", "Tanh.half", "tanh x = 2 Sigmoid(2 x) - 1", "tanh x = 2 Sigmoid(x) - 1")
def tanh_without_its_factor(p: Proof, wrong: bool) -> None:
    """2 Sigmoid(x) - 1 is tanh(x / 2)."""
    x = p.vector("x")
    factor = 1 if wrong else 2
    p.statement("tanh x", x.map(sp.tanh), x.map(lambda x_i: 2 * _sigmoid(factor * x_i) - 1))


@equation(
    "factor", "Temperature.loss", "grad (1/s) log sum exp(s x) = SoftMax(s x)", "grad log sum exp(s x) = SoftMax(s x)"
)
def temperature(p: Proof, wrong: bool) -> None:
    """The temperature stands before the loss, too."""
    x, s = p.vector("x"), sp.Symbol("s", positive=True)
    loss = sp.log((x * s).map(sp.exp).sum())
    p.statement("grad of the loss", gradient(loss if wrong else loss / s, x), softmax(x * s))


@equation("factor", "Softplus.derivative", "softplus' = Sigmoid(x)", "softplus' = Sigmoid(2 x)")
def derivative_of_softplus(p: Proof, wrong: bool) -> None:
    """What the Sigmoid's ISBE minimises."""
    x = p.vector("x")
    loss = x.map(lambda x_i: sp.log(1 + sp.exp(x_i))).sum()
    p.statement("grad of the loss", gradient(loss, x), (x * (2 if wrong else 1)).map(_sigmoid))


@equation("factor", "P3.dilation", "(P3): d * (y - t)", "(P3): y - t, the dilation forgotten")
def forgotten_dilation(p: Proof, wrong: bool) -> None:
    """The dilated trick has d before the error."""
    x, t, d = p.vector("x"), p.vector("t"), p.vector("d")
    y = softmax(d * x)
    p.statement("(dF/dx)^T (-t / y)", trick(jacobian(y, x), t, y), y - t if wrong else dilated_error(t, y, d), (t,))


@equation("factor", "P2.forgotten-y", "dy_i/dx_j = y_i (delta_ij - y_j) d_j", "dy_i/dx_j = (delta_ij - y_j) d_j")
def forgotten_soft_score(p: Proof, wrong: bool) -> None:
    """The factor that the paper's (3) -> (2) drops after swapping indices."""
    x, d = p.vector("x"), p.vector("d")
    y = softmax(d * x)
    entry = Matrix(p.classes, lambda i, j: (1 if wrong else y[i]) * (sp.KroneckerDelta(i, j) - y[j]) * d[j])
    p.statement("dF/dx", jacobian(y, x), entry)


@equation(
    "factor", "SoftCE.sum-of-targets", "grad SoftCE = (sum t) y - t for every t", "grad SoftCE = K y - t for every t"
)
def weight_of_soft_scores(p: Proof, wrong: bool) -> None:
    """The factor of y is the sum of the targets."""
    x, t = p.vector("x"), p.vector("t")
    weight = p.classes.size if wrong else t.sum()
    p.statement("grad SoftCE", gradient(soft_cross_entropy(t, x), x), softmax(x) * weight - t)


# --- indices ----------------------------------------------------------------------------------------------------------


@equation("index", "P2.delta-minus", "dy_i/dx_j = y_i (delta_ij - y_j)", "dy_i/dx_j = y_i (delta_ij - y_i)")
def index_of_the_derivative(p: Proof, wrong: bool) -> None:
    """i for j inside the formula."""
    x = p.vector("x")
    y = softmax(x)
    entry = Matrix(p.classes, lambda i, j: y[i] * (sp.KroneckerDelta(i, j) - y[i if wrong else j]))
    p.statement("dF/dx", jacobian(y, x), entry)


@equation("index", "P2.dilation-of", "dy_i/dx_j = y_i (delta_ij - y_j) d_j", "dy_i/dx_j = y_i (delta_ij - y_j) d_i")
def index_of_the_dilation(p: Proof, wrong: bool) -> None:
    """d_i for d_j: the same on the diagonal."""
    x, d = p.vector("x"), p.vector("d")
    y = softmax(d * x)
    entry = Matrix(p.classes, lambda i, j: y[i] * (sp.KroneckerDelta(i, j) - y[j]) * d[i if wrong else j])
    p.statement("dF/dx", jacobian(y, x), entry)


@equation(
    "index", "P2.curl", "dF_i/dx_j - dF_j/dx_i = (d_i - d_j) y_i y_j", "dF_i/dx_j - dF_j/dx_i = (d_j - d_i) y_i y_j"
)
def curl(p: Proof, wrong: bool) -> None:
    """Two indices swapped."""
    x, d = p.vector("x"), p.vector("d")
    y = softmax(d * x)
    j_of_f = jacobian(y, x)
    entry = Matrix(p.classes, lambda i, j: (d[j] - d[i] if wrong else d[i] - d[j]) * y[i] * y[j])
    p.statement("dF/dx - (dF/dx)^T", j_of_f - j_of_f.T, entry)


@equation(
    "index",
    "P3.vertex",
    "(dF/dx)^T (-e_j / y) = -(row j of dF/dx) / y_j",
    "(dF/dx)^T (-e_j / y) = -(row j of dF/dx) / y_i",
)
def index_at_a_vertex(p: Proof, wrong: bool) -> None:
    """What (A3) says at a one-hot target."""
    y, j_of_f = p.vector("y"), p.classes.matrix("J")
    at_vertex = Matrix(p.classes, lambda j, i: trick(j_of_f, p.classes.unit(j), y)[i])
    entry = Matrix(p.classes, lambda j, i: -j_of_f[j, i] / y[i if wrong else j])
    p.statement("(A3) at e_j", at_vertex, entry)


# --- transposes -------------------------------------------------------------------------------------------------------


@equation("transpose", "Chain.transpose", "grad L(F(x)) = J^T grad L", "grad L(F(x)) = J grad L")
def chain_rule(p: Proof, wrong: bool) -> None:
    """Backpropagation multiplies by the transposed Jacobian; dilated SoftMax shows the difference."""
    x, t, d = p.vector("x"), p.vector("t"), p.vector("d")
    y = softmax(d * x)
    j_of_f = jacobian(y, x)
    loss = gradient(cross_entropy(t, y), x)
    p.statement("grad_x CE(t, F(x))", loss, (j_of_f if wrong else j_of_f.T) @ (-t / y))


@equation("transpose", "Product.transpose", "(A B)^T = B^T A^T", "(A B)^T = A^T B^T")
def transposed_product(p: Proof, wrong: bool) -> None:
    """The order turns round."""
    a, b = p.classes.matrix("A"), p.classes.matrix("B")
    p.statement("(A B)^T", (a @ b).T, a.T @ b.T if wrong else b.T @ a.T)


@equation("transpose", "P2.outer", "dF/dx = diag[d * y] - y (d * y)^T", "dF/dx = diag[d * y] - (d * y) y^T")
def outer_product(p: Proof, wrong: bool) -> None:
    """The dilations belong to the columns."""
    x, d = p.vector("x"), p.vector("d")
    y = softmax(d * x)
    p.statement("dF/dx", jacobian(y, x), diag(d * y) - (outer(d * y, y) if wrong else outer(y, d * y)))


@equation("transpose", "Linear.gradient", "grad_h u^T W h = W^T u", "grad_h u^T W h = W u")
def linear_layer(p: Proof, wrong: bool) -> None:
    """How a linear layer sends an error back."""
    w, u, h = p.classes.matrix("W"), p.vector("u"), p.vector("h")
    p.statement("grad_h", gradient(u.dot(w @ h), h), (w if wrong else w.T) @ u)


# --- exponents --------------------------------------------------------------------------------------------------------


@equation("exponent", "Tanh.derivative", "tanh' = 1 - tanh^2", "tanh' = 1 - tanh")
def derivative_of_tanh(p: Proof, wrong: bool) -> None:
    """An exponent lost."""
    x = p.vector("x")
    y = x.map(sp.tanh)
    p.statement("tanh'", gradient(y.sum(), x), p.classes.constant(1) - (y if wrong else y * y))


@equation("exponent", "Norm.gradient", "grad |x| = x / |x|", "grad |x| = x / |x|^2")
def gradient_of_norm(p: Proof, wrong: bool) -> None:
    """The implicit loss of the normalizer x / |x|, for positive x."""
    x = p.vector("x", positive=True)
    norm = sp.sqrt(x.dot(x))
    p.statement("grad |x|", gradient(norm, x), x / (norm**2 if wrong else norm))


@equation("exponent", "LogCosh.derivative", "grad sum log cosh x = tanh x", "grad sum log cosh x = tanh^2 x")
def derivative_of_log_cosh(p: Proof, wrong: bool) -> None:
    """What Tanh's ISBE minimises."""
    x = p.vector("x")
    loss = x.map(lambda x_i: sp.log(sp.cosh(x_i))).sum()
    p.statement("grad of the loss", gradient(loss, x), x.map(lambda x_i: sp.tanh(x_i) ** (2 if wrong else 1)))


@equation("exponent", "CE.derivative", "d^2(-log y)/dy^2 = 1 / y^2", "d^2(-log y)/dy^2 = 1 / y")
def second_derivative_of_logarithm(p: Proof, wrong: bool) -> None:
    """The Hessian of cross-entropy is diagonal, with y squared."""
    y, t = p.vector("y", positive=True), p.vector("t")
    hessian = jacobian(gradient(cross_entropy(t, y), y), y)
    p.statement("the Hessian of CE", hessian, diag(t / (y if wrong else y * y)))


# --- piecewise linear functions and inequalities, by z3 ---------------------------------------------------------------


@facts(
    "factor", "HardSigmoid.slope", "HardSigmoid(x) = HardTanh(x/2)/2 + 1/2 <=> slope 1/4", "slope 1/6, as in PyTorch"
)
def slope_of_hard_sigmoid(f: Findings, wrong: bool) -> None:
    """The paper's HardSigmoid is not PyTorch's."""
    import z3

    x = z3.Real("x")
    slope = z3.Q(1, 6 if wrong else 4)
    f.valid("clamp(slope x + 1/2, 0, 1)", _hard_tanh(x / 2) / 2 + z3.Q(1, 2) == _clamp(slope * x + z3.Q(1, 2), 0))


@facts("hypothesis", "HardTanh.inside", "|x| <= 1: HardTanh(x) = x", "HardTanh(x) = x")
def hard_tanh_inside(f: Findings, wrong: bool) -> None:
    """The identity on an interval only."""
    import z3

    x = z3.Real("x")
    inside = z3.And(x >= -1, x <= 1)
    f.valid("HardTanh(x) = x", z3.Implies(z3.BoolVal(True) if wrong else inside, _hard_tanh(x) == x))


@facts("sign", "HardTanh.odd", "HardTanh(-x) = -HardTanh(x)", "HardTanh(-x) = HardTanh(x)")
def hard_tanh_is_odd(f: Findings, wrong: bool) -> None:
    """Odd, not even."""
    import z3

    x = z3.Real("x")
    f.valid("HardTanh(-x)", _hard_tanh(-x) == (_hard_tanh(x) if wrong else -_hard_tanh(x)))


@facts(
    "factor", "HardTanh.lipschitz", "HardTanh has the Lipschitz constant 1", "HardTanh has the Lipschitz constant 1/2"
)
def lipschitz_of_hard_tanh(f: Findings, wrong: bool) -> None:
    """For x >= y."""
    import z3

    x, y = z3.Reals("x y")
    constant = z3.Q(1, 2) if wrong else z3.Q(1, 1)
    f.valid("f(x) - f(y) <= L (x - y)", z3.Implies(x >= y, _hard_tanh(x) - _hard_tanh(y) <= constant * (x - y)))


@facts("exponent", "Bernoulli.variance", "y (1 - y) <= 1/4", "y (1 - y)^2 <= 1/8")
def bound_of_variance(f: Findings, wrong: bool) -> None:
    """The Lipschitz constant of the Sigmoid; with an exponent too many the maximum is 4/27."""
    import z3

    y = z3.Real("y")
    value, bound = (y * (1 - y) * (1 - y), z3.Q(1, 8)) if wrong else (y * (1 - y), z3.Q(1, 4))
    f.valid("bounded on [0, 1]", z3.Implies(z3.And(y >= 0, y <= 1), value <= bound))


@facts(
    "quantifier",
    "HardTanh.strict",
    "some x < z have HardTanh(x) = HardTanh(z)",
    "no x < z have HardTanh(x) = HardTanh(z)",
)
def hard_tanh_is_not_injective(f: Findings, wrong: bool) -> None:
    """Some for all."""
    import z3

    x, z = z3.Reals("x z")
    equal = z3.And(x < z, _hard_tanh(x) == _hard_tanh(z))
    f.valid("flat beyond 1", z3.Not(equal) if wrong else z3.Exists([x, z], equal))


# --- tables -----------------------------------------------------------------------------------------------------------


def _table_2_is_a_difference(f: Findings, less: Callable[[str, str, str], int]) -> None:
    """Every cell of Table 2 is this difference of cells of Table 1, to one unit in the last place, for rounding."""
    from softmax_trick.proofs import tables

    for cell in tables.comparisons():
        printed, computed = tables.TABLE_2[cell], less(*cell)
        f.holds(f"{cell} within a unit", abs(printed - computed) <= 1, cell=cell, printed=printed, computed=computed)


@facts("sign", "Table2.sign", "Table 2 is ISBE - CE", "Table 2 is CE - ISBE", "integers", "the 30 cells of Table 2")
def sign_of_table_2(f: Findings, wrong: bool) -> None:
    """The other order."""
    from softmax_trick.proofs.tables import TABLE_1

    sign = -1 if wrong else 1
    _table_2_is_a_difference(f, lambda net, ce, isbe: sign * (TABLE_1[net, isbe] - TABLE_1[net, ce]))


@facts("index", "Table2.column", "less its own column", "less the column Mean", "integers", "the 30 cells of Table 2")
def column_of_table_2(f: Findings, wrong: bool) -> None:
    """Another column."""
    from softmax_trick.proofs.tables import TABLE_1

    _table_2_is_a_difference(f, lambda net, ce, isbe: TABLE_1[net, isbe] - TABLE_1[net, "mean" if wrong else ce])


@facts("axis", "Table2.row", "within a network", "ISBE from N1r", "integers", "the 30 cells of Table 2")
def row_of_table_2(f: Findings, wrong: bool) -> None:
    """Another row: N1 and N1r differ by little."""
    from softmax_trick.proofs.tables import TABLE_1

    _table_2_is_a_difference(f, lambda net, ce, isbe: TABLE_1["N1r" if wrong else net, isbe] - TABLE_1[net, ce])


@facts("factor", "Table1.cell", "Table 1 as printed", "Table 1 with 60.61 as 60.16", "integers", "30 cells")
def changed_cell(f: Findings, wrong: bool) -> None:
    """Two digits swapped in one cell."""
    from softmax_trick.proofs.tables import TABLE_1

    table = TABLE_1 | ({("N0", "mean"): 6016} if wrong else {})
    _table_2_is_a_difference(f, lambda net, ce, isbe: table[net, isbe] - table[net, ce])


def _sigmoid(x: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-x))


def _clamp(x: z3.ArithRef, low: int) -> z3.ArithRef:
    import z3

    return z3.If(x < low, z3.RealVal(low), z3.If(x > 1, z3.RealVal(1), x))


def _hard_tanh(x: z3.ArithRef) -> z3.ArithRef:
    return _clamp(x, -1)
