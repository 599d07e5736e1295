"""The catalogue of mutants: false neighbours of what is true, each of which the ledger must refute.

Most are made from the claims' own proofs (`ledger.mutants`). Those written by hand here are the errors that no
change of a side makes: a quantifier too many, a hypothesis forgotten, the wrong axis, a mean for a sum, a transpose or
a factor lost inside a formula. Each is a pair of formulas of the language, of which one is true; or, for tables, a
function that states what is true, or its neighbour if it is asked to be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.mutants import Kind, Mutant, beside, made_from, of_formulas

J = "J = (diag(y) - outer(y, y)) @ diag(d)"
Y = "y = softmax(d*x)"

# Kind, name, what is true, what is not, and the declarations; where these differ, those of what is not.
FORMULAS: tuple[tuple[Any, ...], ...] = (
    # a quantifier too many
    (
        "quantifier",
        "SoftMax.two-classes",
        "softmax(x)[i] == 1/sum[k:K] exp(x[k] - x[i])",
        "softmax(x)[i] == sigmoid(2*x[i] - sum(x))",
        "x: K; i: index K",
    ),
    (
        "quantifier",
        "SoftMax.any-dilation",
        "jacobian(softmax(x), x).T @ (-t/softmax(x)) == softmax(x) - t",
        "jacobian(softmax(x), x).T @ (-t/softmax(x)) == d*(softmax(x) - t)",
        "x: K; d: K; t: K distribution",
    ),
    (
        "quantifier",
        "CE.any-target",
        "ce(onehot(c), y) == -log(y[c])",
        "ce(t, y) == -log(y[c])",
        "t: K; y: K positive; c: label K",
    ),
    (
        "quantifier",
        "SoftMax.any-scores",
        "softmax([k:K] s)[i] == 1/K",
        "softmax(x)[i] == 1/K",
        "x: K; s: real; i: index K",
    ),
    (
        "quantifier",
        "SoftMax.any-shift",
        "softmax(x - s) == softmax(x)",
        "softmax(x - c) == softmax(x)",
        "x: K; c: K; s: real",
    ),
    ("quantifier", "SoftMax.any-slack", "sum(softmax(x)) == 1", "sum(softmax(x, slack=C)) == 1", "x: K; C: positive"),
    ("quantifier", "Tanh.any-scale", "tanh(x) == 2*sigmoid(2*x) - 1", "tanh(x) == 2*sigmoid(s*x) - 1", "x: K; s: real"),
    (
        "quantifier",
        "SoftCE.stationary",
        "(diag(y) - outer(y, y)) @ (-y/y) == 0",
        "(diag(y) - outer(y, y)) @ (-t/y) == 0",
        "x: K; t: K; y = softmax(x)",
    ),
    # a hypothesis forgotten
    ("hypothesis", "Norm.positivity", "sum(abs(y)) == sum(y)", "sum(abs(y)) == sum(y)", "y: K positive", "y: K"),
    (
        "hypothesis",
        "P2.unity",
        "sum[i:K] J[i, j] == 0",
        "sum[i:K] J[i, j] == 0",
        f"y: K distribution; d: K; {J}; j: index K",
        f"y: K; d: K; {J}; j: index K",
    ),
    (
        "hypothesis",
        "P2.equal-dilations",
        "jacobian(softmax(s*x), x) == jacobian(softmax(s*x), x).T",
        "jacobian(softmax(d*x), x) == jacobian(softmax(d*x), x).T",
        "x: K; s: real; d: K",
    ),
    (
        "hypothesis",
        "Family.slack",
        "exp(d*x - c)/sum(exp(d*x - c)) == softmax(d*x - c)",
        "exp(d*x - c)/(C + sum(exp(d*x - c))) == softmax(d*x - c)",
        "x: K; c: K; d: K; C: positive",
    ),
    (
        "hypothesis",
        "Blur.sum",
        "sum((1 - m)*t + m/K) == 1",
        "sum((1 - m)*t + m/K) == 1",
        "t: K distribution; m: real",
        "t: K; m: real",
    ),
    (
        "hypothesis",
        "SoftCE.one-hot",
        "softce(t, x) == logsumexp(x) - dot(t, x)",
        "softce(t, x) == logsumexp(x) - dot(t, x)",
        "x: K; t: K distribution",
        "x: K; t: K",
    ),
    ("hypothesis", "Sigmoid.normalised", "sum(softmax(x)) == 1", "sum(sigmoid(x)) == 1", "x: K"),
    ("hypothesis", "HardTanh.inside", "clip(tanh(x), -1, 1) == tanh(x)", "clip(x, -1, 1) == x", "x: K"),
    # the wrong axis
    ("axis", "Batch.unity", "sum(softmax(X, K), K) == 1", "sum(softmax(X, n), K) == 1", "X: n,K"),
    (
        "axis",
        "Batch.trick",
        "grad(-sum(T*log_softmax(X, K)), X) == softmax(X, K) - T",
        "grad(-sum(T*log_softmax(X, K)), X) == softmax(X, n) - T",
        "X: n,K; T: n,K distribution",
    ),
    (
        "axis",
        "Batch.loss",
        "logsumexp(X, K)[b] - X[b, j] == -log(softmax(X, K)[b, j])",
        "logsumexp(X, K)[b] - X[b, j] == -log(softmax(X, n)[b, j])",
        "X: n,K; b: index n; j: index K",
    ),
    ("axis", "P2.left-null", "ones(K) @ J == 0", "J @ ones(K) == 0", f"y: K distribution; d: K; {J}"),
    (
        "axis",
        "P2.dilated-columns",
        "jacobian(y, x) == (diag(y) - outer(y, y)) @ diag(d)",
        "jacobian(y, x) == diag(d) @ (diag(y) - outer(y, y))",
        f"x: K; d: K; {Y}",
    ),
    # one reduction for another
    (
        "reduction",
        "Batch.mean",
        "grad(-sum(T*log_softmax(X, K))/n, X) == (softmax(X, K) - T)/n",
        "grad(-sum(T*log_softmax(X, K))/n, X) == softmax(X, K) - T",
        "X: n,K; T: n,K distribution",
    ),
    (
        "reduction",
        "MSE.mean",
        "grad(mean((y - t)**2), y) == 2*(y - t)/K",
        "grad(mean((y - t)**2), y) == 2*(y - t)",
        "y: K; t: K",
    ),
    ("reduction", "SoftMax.mean", "sum(softmax(x)) == 1", "mean(softmax(x)) == 1", "x: K"),
    (
        "reduction",
        "CE.uniform",
        "ce(ones(K)/K, y) == -mean(log(y))",
        "ce(ones(K)/K, y) == -sum(log(y))",
        "y: K positive",
    ),
    ("reduction", "LogSumExp.order", "sum(log(exp(x))) == sum(x)", "log(sum(exp(x))) == sum(x)", "x: K"),
    (
        "reduction",
        "SoftCE.summed-error",
        "sum(softmax(x) - t) == 0",
        "sum((softmax(x) - t)**2) == 0",
        "x: K; t: K distribution",
    ),
    # a sign
    ("sign", "CE.as-printed", "grad(ce(t, y), y) == -t/y", "grad(ce(t, y), y) == t/y", "t: K; y: K positive"),
    (
        "sign",
        "P1.relocation",
        "a*exp(d*x)/sum(a*exp(d*x)) == softmax(d*x - c)",
        "a*exp(d*x)/sum(a*exp(d*x)) == softmax(d*x - c)",
        "x: K; d: K; c: K; a = exp(-c)",
        "x: K; d: K; c: K; a = exp(c)",
    ),
    (
        "sign",
        "P2.defect",
        "-(ones(K) @ J) == -d*y*(1 - sum(y))",
        "-(ones(K) @ J) == d*y*(1 - sum(y))",
        f"y: K; d: K; {J}",
    ),
    (
        "sign",
        "Sigmoid.derivative",
        "grad(sum(s), x) == s*(1 - s)",
        "grad(sum(s), x) == s*(1 + s)",
        "x: K; s = sigmoid(x)",
    ),
    ("sign", "Sigmoid.reflected", "sigmoid(-x) == 1 - sigmoid(x)", "sigmoid(-x) == -sigmoid(x)", "x: K"),
    (
        "sign",
        "P2.rank-one",
        "jacobian(y, x) == diag(y) - outer(y, y)",
        "jacobian(y, x) == diag(y) + outer(y, y)",
        "x: K; y = softmax(x)",
    ),
    ("sign", "HardTanh.odd", "clip(-x, -1, 1) == -clip(x, -1, 1)", "clip(-x, -1, 1) == clip(x, -1, 1)", "x: K"),
    # a factor
    (
        "factor",
        "Blur.eps",
        "sum((1 - K*e)*onehot(c) + e) == 1",
        "sum((1 - e)*onehot(c) + e) == 1",
        "c: label K; e: real",
    ),
    ("factor", "Tanh.half", "tanh(x) == 2*sigmoid(2*x) - 1", "tanh(x) == 2*sigmoid(x) - 1", "x: K"),
    (
        "factor",
        "Temperature.loss",
        "grad(logsumexp(s*x)/s, x) == softmax(s*x)",
        "grad(logsumexp(s*x), x) == softmax(s*x)",
        "x: K; s: positive",
    ),
    (
        "factor",
        "Softplus.derivative",
        "grad(sum(softplus(x)), x) == sigmoid(x)",
        "grad(sum(softplus(x)), x) == sigmoid(2*x)",
        "x: K",
    ),
    (
        "factor",
        "P3.dilation",
        "jacobian(y, x).T @ (-t/y) == d*(y - t)",
        "jacobian(y, x).T @ (-t/y) == y - t",
        f"x: K; d: K; t: K distribution; {Y}",
    ),
    (
        "factor",
        "P2.forgotten-y",
        "jacobian(y, x)[i, j] == y[i]*(delta(i, j) - y[j])*d[j]",
        "jacobian(y, x)[i, j] == (delta(i, j) - y[j])*d[j]",
        f"x: K; d: K; {Y}; i: index K; j: index K",
    ),
    (
        "factor",
        "SoftCE.sum-of-targets",
        "grad(softce(t, x), x) == sum(t)*softmax(x) - t",
        "grad(softce(t, x), x) == K*softmax(x) - t",
        "x: K; t: K",
    ),
    (
        "factor",
        "HardSigmoid.slope",
        "clip(x/2, -1, 1)/2 + 1/2 == clip(x/4 + 1/2, 0, 1)",
        "clip(x/2, -1, 1)/2 + 1/2 == clip(x/6 + 1/2, 0, 1)",
        "x: K",
    ),
    # an index
    (
        "index",
        "P2.delta-minus",
        "jacobian(y, x)[i, j] == y[i]*(delta(i, j) - y[j])",
        "jacobian(y, x)[i, j] == y[i]*(delta(i, j) - y[i])",
        "x: K; y = softmax(x); i: index K; j: index K",
    ),
    (
        "index",
        "P2.dilation-of",
        "jacobian(y, x)[i, j] == y[i]*(delta(i, j) - y[j])*d[j]",
        "jacobian(y, x)[i, j] == y[i]*(delta(i, j) - y[j])*d[i]",
        f"x: K; d: K; {Y}; i: index K; j: index K",
    ),
    (
        "index",
        "P2.curl",
        "jacobian(y, x)[i, j] - jacobian(y, x)[j, i] == (d[i] - d[j])*y[i]*y[j]",
        "jacobian(y, x)[i, j] - jacobian(y, x)[j, i] == (d[j] - d[i])*y[i]*y[j]",
        f"x: K; d: K; {Y}; i: index K; j: index K",
    ),
    (
        "index",
        "P3.vertex",
        "(J.T @ (-([k:K] delta(k, j))/y))[i] == -J[j, i]/y[j]",
        "(J.T @ (-([k:K] delta(k, j))/y))[i] == -J[j, i]/y[i]",
        "y: K; J: K,K'; i: index K'; j: index K",
    ),
    # a transpose
    (
        "transpose",
        "Chain.transpose",
        "grad(ce(t, y), x) == jacobian(y, x).T @ (-t/y)",
        "grad(ce(t, y), x) == jacobian(y, x) @ (-t/y)",
        f"x: K; d: K; t: K; {Y}",
    ),
    ("transpose", "Product.transpose", "(A @ B).T == B.T @ A.T", "(A @ B).T == A.T @ B.T", "A: K,K'; B: K,K'"),
    (
        "transpose",
        "P2.outer",
        "jacobian(y, x) == diag(d*y) - outer(y, d*y)",
        "jacobian(y, x) == diag(d*y) - outer(d*y, y)",
        f"x: K; d: K; {Y}",
    ),
    (
        "transpose",
        "Linear.gradient",
        "grad(dot(u, W @ h), h) == W.T @ u",
        "grad(dot(u, W @ h), h) == W @ u",
        "W: K,K'; u: K; h: K",
    ),
    (
        "transpose",
        "P3.transpose",
        "jacobian(y, x).T @ (-t/y) == d*(sum(t)*y - t)",
        "jacobian(y, x) @ (-t/y) == d*(sum(t)*y - t)",
        f"x: K; d: K; t: K; {Y}",
    ),
    (
        "transpose",
        "Linear.weights",
        "grad(dot(u, W @ h), W) == outer(u, h)",
        "grad(dot(u, W @ h), W) == outer(h, u)",
        "W: K,K'; u: K; h: K",
    ),
    # an exponent
    (
        "exponent",
        "Tanh.derivative",
        "grad(sum(tanh(x)), x) == 1 - tanh(x)**2",
        "grad(sum(tanh(x)), x) == 1 - tanh(x)",
        "x: K",
    ),
    ("exponent", "Norm.gradient", "grad(norm(x), x) == x/norm(x)", "grad(norm(x), x) == x/norm(x)**2", "x: K positive"),
    (
        "exponent",
        "LogCosh.derivative",
        "grad(sum(log(cosh(x))), x) == tanh(x)",
        "grad(sum(log(cosh(x))), x) == tanh(x)**2",
        "x: K",
    ),
    (
        "exponent",
        "CE.derivative",
        "hessian(ce(t, y), y) == diag(t/y**2)",
        "hessian(ce(t, y), y) == diag(t/y)",
        "t: K; y: K positive",
    ),
    ("exponent", "Bernoulli.variance", "y*(1 - y) <= 1/4", "y*(1 - y)**2 <= 1/8", "y: unit"),
)


WRITTEN: list[Mutant] = [of_formulas(*row) for row in FORMULAS]


def catalogue(claims: Iterable[Claim] | None = None) -> list[Mutant]:
    """All mutants: those made from these claims (the paper's, if not given), and those written by hand."""
    if claims is None:
        from softmax_trick.proofs import CLAIMS

        claims = CLAIMS.values()
    mutants = {mutant.false.says: mutant for mutant in [*made_from(claims), *WRITTEN]}  # one of each
    return list(mutants.values())


class Checked(Protocol):
    """A function that states what is true, or, asked to be wrong, what is not, to a check."""

    def __call__(self, f: Findings, wrong: bool) -> None: ...


def facts(kind: Kind, name: str, true: str, false: str, engine: str, scope: str) -> Callable[[Checked], Checked]:
    """Register a function that states facts of the entries of a table."""

    def register(states: Checked) -> Checked:
        wrong, right = (Check(engine, partial(states, wrong=wrong), scope) for wrong in (True, False))
        WRITTEN.append(beside(kind, name.partition(".")[0], name, (false, wrong), (true, right)))
        return states

    return register


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
