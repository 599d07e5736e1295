"""The statements of `formulas.py` that tensorgrad can state, in its own terms: a derivative and what is claimed of it.

A process in an environment of its own (`make bench-rivals`), which `formulas.py` asks in turns with the others: it
names its statements in a line, then answers each question, a line "decide NAME SECONDS" or "derive NAME SECONDS". They
are written so that they help it: sigmoid as exp(x)/(1 + exp(x)), since it does not see that 1/(1 + exp(-x)) is that.
Labels are one-hot vectors. With 2*right in place of right none of them is simplified to zero, as it should be.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import tensorgrad.functions as F
from sympy import symbols
from tensorgrad import Delta, Ones, Sum, Tensor, Variable, Zero

N, M, K, D, E = symbols("N M K D E")
i, j = {"i": "i"}, {"i": "j"}  # the edge of a gradient; the second one of a Jacobian
Sides = tuple[Tensor, Tensor]


def vector(name: str, **edges: object) -> Variable:
    """A vector with the edge i, over K, unless said otherwise."""
    return Variable(name, **(edges or {"i": K}))


x, t, d, v, g, z, p = map(vector, "xtdvgzp")
o = F.one_hot(Variable("c"), K, dim="i")  # of the label c
a, s, tau, C, e, weight = (Variable(name) for name in ("a", "s", "tau", "C", "e", "weight"))
W, h, A = Variable("W", i=K, d=D), Variable("h", d=D), Variable("A", i=K, d=D)
X, O = Variable("X", n=N, i=K), F.one_hot(Variable("c", n=N), K, dim="i")
Q, Y, V, G = Variable("Q", n=N, d=D), Variable("Y", m=M, d=D), Variable("V", m=M, e=E), Variable("G", n=N, e=E)


def over(scalar: Tensor, edge: str = "i", size: object = K) -> Tensor:
    """A scalar, in every entry."""
    return scalar @ Ones(**{edge: size})


def logsumexp(u: Tensor) -> Tensor:
    return F.log(F.sum(F.exp(u), "i"))


def jacobian_of(y: Tensor) -> Tensor:
    """diag(y) - y y^T."""
    return F.diag(y, ["i", "j"]) - y @ y.rename(**j)


def softplus(u: Tensor) -> Tensor:
    return F.log(1 + F.exp(u))


def sigmoid(u: Tensor) -> Tensor:
    return F.exp(u) / (1 + F.exp(u))


def of_softmax() -> Sides:
    y = F.softmax(x, "i")
    return y.grad(x, j), jacobian_of(y)


def of_softmax_dilated() -> Sides:
    y = F.softmax(d * x, "i")
    return y.grad(x, j), jacobian_of(y) * d.rename(**j)


def of_softmax_with_slack() -> Sides:
    y = F.exp(x) / over(C + F.sum(F.exp(x), "i"))
    return y.grad(x, j), jacobian_of(y)


def of_cross_entropy() -> Sides:
    return F.cross_entropy(x, t, "i").grad(x, i), F.sum(t) @ F.softmax(x, "i") - t


def of_cross_entropy_twice() -> Sides:
    return F.cross_entropy(x, t, "i").grad(x, i).grad(x, j), F.sum(t) @ jacobian_of(F.softmax(x, "i"))


def of_label() -> Sides:
    return (logsumexp(x) - x @ o).grad(x, i), F.softmax(x, "i") - o


def of_logsumexp_twice() -> Sides:
    return logsumexp(x).grad(x, i).grad(x, j), jacobian_of(F.softmax(x, "i"))


def of_temperature() -> Sides:
    u = x / over(tau)
    return (logsumexp(u) - u @ o).grad(x, i), (F.softmax(u, "i") - o) / over(tau)


def of_distillation() -> Sides:
    u, q = x / over(tau), F.softmax(z / over(tau), "i")
    loss = F.pow(tau, 2) * F.sum(q * (F.log(q) - F.log(F.softmax(u, "i"))))
    return loss.grad(x, i), over(tau) * (F.softmax(u, "i") - q)


def of_smoothing() -> Sides:
    targets = over(1 - s) * o + over(s / Delta(K))
    right = F.softmax(x, "i") - over(1 - s) * o - over(s / Delta(K))
    return F.cross_entropy(x, targets, "i").grad(x, i), right


def of_z_loss() -> Sides:
    loss = logsumexp(x) - x @ o + weight * F.pow(logsumexp(x), 2)
    return loss.grad(x, i), over(1 + 2 * weight * logsumexp(x)) * F.softmax(x, "i") - o


def of_softcap() -> Sides:
    u = over(s) * F.tanh(x / over(s))
    right = (F.softmax(u, "i") - o) * (1 - F.pow(F.tanh(x / over(s)), 2))
    return (logsumexp(u) - u @ o).grad(x, i), right


def of_focal() -> Sides:
    y = F.softmax(x, "i") @ o
    factor = F.pow(1 - y, 2) - 2 * (1 - y) * y * F.log(y)
    return (-1 * F.pow(1 - y, 2) * F.log(y)).grad(x, i), (F.softmax(x, "i") - o) * over(factor)


def of_entropy() -> Sides:
    y = F.softmax(x, "i")
    return (-F.sum(y * F.log(y))).grad(x, i), -y * (F.log(y) - over(F.sum(y * F.log(y))))


def of_bce() -> Sides:
    return F.sum(softplus(x) - t * x).grad(x, i), sigmoid(x) - t


def of_bce_weighted() -> Sides:
    loss = F.sum(p * t * softplus(-x) + (1 - t) * softplus(x))
    return loss.grad(x, i), (1 + (p - 1) * t) * sigmoid(x) - p * t


def of_attention_row() -> Sides:
    y = F.softmax(x, "i")
    return (y @ v).grad(x, i), y * (v - over(y @ v))


def of_head_by_weight() -> Sides:
    u = W @ h
    return (logsumexp(u) - u @ o).grad(W, {"i": "i", "d": "d"}), (F.softmax(u, "i") - o) @ h


def of_head_by_hidden() -> Sides:
    u = W @ h
    return (logsumexp(u) - u @ o).grad(h, {"d": "d"}), W @ (F.softmax(u, "i") - o)


def of_batch() -> Sides:
    loss = F.mean(logsumexp(X) - F.sum(X * O, "i"), "n")
    return loss.grad(X, {"n": "n", "i": "i"}), (F.softmax(X, "i") - O) / (Delta(N) @ Ones(n=N, i=K))


def of_order() -> Sides:
    return x @ (A @ h), (A @ x) @ h


def of_rms_norm() -> Sides:
    root, square = F.sqrt(F.mean(x * x, "i") + e), Ones(i=K, j=K)
    right = Delta(K, "i", "j") / (root @ square) - x @ x.rename(**j) / (Delta(K) @ F.pow(root, 3) @ square)
    return (x / over(root)).grad(x, j), right


def of_layer_norm() -> Sides:
    centred = x - over(F.mean(x, "i"))
    root = over(F.sqrt(F.mean(F.pow(centred, 2), "i") + e))
    u = centred / root
    return F.sum(g * u).grad(x, i), (g - over(F.mean(g, "i")) - u * over(F.mean(g * u, "i"))) / root


def of_attention_by_queries() -> Sides:
    P, back = F.softmax(a * Q @ Y, "m"), G @ V
    right = a * (P * (back - F.sum(P * back, "m", keepdims=True))) @ Y
    return (P @ V @ G).grad(Q, {"n": "n", "d": "d"}), right


STATEMENTS: dict[str, Callable[[], Sides]] = {
    "ce.mass": of_cross_entropy,
    "ce.label": of_label,
    "softmax.jacobian": of_softmax,
    "softmax.dilated": of_softmax_dilated,
    "softmax.slack": of_softmax_with_slack,
    "lse.hessian": of_logsumexp_twice,
    "temperature": of_temperature,
    "distillation": of_distillation,
    "smoothing": of_smoothing,
    "zloss": of_z_loss,
    "softcap": of_softcap,
    "focal2": of_focal,
    "entropy": of_entropy,
    "bce": of_bce,
    "bce.pos-weight": of_bce_weighted,
    "attention.row": of_attention_row,
    "head.weight": of_head_by_weight,
    "head.hidden": of_head_by_hidden,
    "batch.mean": of_batch,
    "fubini": of_order,
    "rmsnorm": of_rms_norm,
    "layernorm.vjp": of_layer_norm,
    "ce.hessian": of_cross_entropy_twice,
    "attention.dQ": of_attention_by_queries,
}


def is_zero(tensor: Tensor) -> bool:
    """Whether nothing is left of it."""
    return isinstance(tensor, Zero) or (isinstance(tensor, Sum) and not tensor.terms)


def decided(name: str) -> bool:
    """Whether left - right is simplified to zero."""
    left, right = STATEMENTS[name]()
    return is_zero((left - right).full_simplify())


def derived(name: str) -> bool:
    """The left side simplified, whatever comes out."""
    STATEMENTS[name]()[0].full_simplify()
    return True


def too_long(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    """Answer questions "TASK NAME SECONDS" with "yes" or "-"; of no time limit if it is 0."""
    signal.signal(signal.SIGALRM, too_long)
    print(*STATEMENTS, flush=True)
    for line in sys.stdin:
        task, name, limit = line.split()
        signal.alarm(int(limit))
        try:
            found = {"decide": decided, "derive": derived}[task](name)
        except TimeoutError:
            found = False
        finally:
            signal.alarm(0)
        print("yes" if found else "-", flush=True)


if __name__ == "__main__":
    main()
