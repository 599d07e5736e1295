"""Formulas as LaTeX: the paper's notation, and a second reader that gets the same values out of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from expressions import expressions
from hypothesis import HealthCheck, assume, given, settings

from softmax_trick.language import latex
from softmax_trick.language.grammar import parse
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.latex import to_latex
from softmax_trick.report.mathml import formula

N = 3  # every size: a matrix is told from a vector, and a row from a column, by its shape

THE_PAPERS_NOTATION = [
    ("grad(softce(t, x), x)", "t: K", r"\nabla_{x} \text{SoftCE}(y^\circ, x)"),
    ("y - t", "y: K; t: K", r"y - y^\circ"),
    ("y - y°", "y: K; y°: K; t: K", r"y - y^\circ"),
    ("jacobian(y, x)", "y = softmax(x)", r"\frac{\partial y}{\partial x}"),
    ("(diag(y) - outer(y, y)) @ diag(d)", "y = softmax(d*x)", r"(D_{y} - y y^\top) D_{d}"),
    ("vjp(y, x, -t/y)", "y = softmax(x); t: K", r"\left(\frac{\partial y}{\partial x}\right)^\top (-y^\circ \div y)"),
    ("d*(y - t)", "y: K; d: K; t: K", r"d \odot (y - y^\circ)"),
    ("(1/tau)*(W@h)", "W: K,D; h: D", r"\frac{1}{\tau} (W h)"),
    ("(W@h)*v", "W: K,D; h: D; v: K", r"W h \odot v"),
    ("W@(h*g)", "W: K,D; h: D; g: D", r"W (h \odot g)"),
    ("-sum(t*log(y))", "t: K; y: K", r"-\sum_{k} y^\circ_{k} \log(y_{k})"),
    ("sum[i:K] sum[j:K] A[i,j]*x[i]*x[j]", "A: K,K'; x: K", r"\sum_{k} \sum_{l} A_{k l} x_{k} x_{l}"),
    ("mean(logsumexp(X) - pick(X, c))", "X: N,K", r"\frac{1}{N} \sum_{n} (\text{LogSumExp}(X)_{n} - X_{n, c_{n}})"),
    ("hvp(f, x, v)", "f = logsumexp(x); v: K", r"(\nabla^2_{x} f) v"),
    ("softmax(x, slack=C)", "C: positive", r"\text{SoftMax}(x; C)"),
    ("where(x > 0, x, -x)", "x: K", r"\text{where}(\mathbb{1}[0 < x], x, -x)"),
    ("dot(u, v)/norm(u)", "u: K; v: K", r"\frac{\left\langle u, v \right\rangle}{\left\|u\right\|_2}"),
    ("rows(v, K) - cols(v, K)", "v: K", r"v \mathbf{1}^\top - \mathbf{1} v^\top"),
    ("x1**2 * alpha_2", "", r"x_{1}^{2} \alpha_{2}"),
]


@pytest.mark.parametrize(("text", "let", "expected"), THE_PAPERS_NOTATION, ids=[row[0] for row in THE_PAPERS_NOTATION])
def test_the_papers_notation(text, let, expected):
    written = to_latex(parse(text, let))
    assert written == expected
    assert "unconverted" not in formula(written)  # the HTML ledger can show it


def test_a_notebook_shows_the_formula():
    assert parse("softmax(x)")._repr_latex_() == r"$\text{SoftMax}(x)$"


# --- a reader of its own ----------------------------------------------------------------------------------------------

ENDS = (*"+-<,)]};", r"\right|", r"\right\|", r"\rangle", r"\odot", r"\div", "end")
ELEMENTWISE = {
    r"\exp": np.exp,
    r"\log": np.log,
    r"\tanh": np.tanh,
    "Sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    "softplus": lambda u: np.log(1 + np.exp(u)),
    "ReLU": lambda u: np.maximum(u, 0),
    "where": np.where,
    r"\max": np.maximum,
}
Env = Mapping[str, Any]
Meaning = Callable[[Env], Any]


def softmax(x, slack=0.0):
    powers = np.exp(x)
    return powers / (slack + powers.sum(axis=along(x), keepdims=True))


def along(x):
    """The last axis of a matrix; a vector is a column."""
    return 0 if x.shape[1] == 1 else 1


def logsumexp(x):
    found = np.log(np.exp(x).sum(axis=along(x), keepdims=True))
    return found[0, 0] if found.size == 1 else found


WHOLE = {
    "SoftMax": softmax,
    "LogSoftMax": lambda x: np.log(softmax(x)),
    "LogSumExp": logsumexp,
    "diag": lambda x: np.diag(x[:, 0]),
    "tr": np.trace,
    "CE": lambda t, y: -(t * np.log(y)).sum(),
    "SoftCE": lambda t, x: -(t * np.log(softmax(x))).sum(),
}


class Reader:
    """Reads the LaTeX of formulas without derivatives, as a mathematician does, and evaluates it with numpy."""

    def __init__(self, text: str) -> None:
        text = re.sub(r"\\(left|right)([()\[\]]|\\[lr]angle)", r" \2 ", text)
        self.tokens = [*re.findall(r"\\(?:left|right)\\?\||\\[A-Za-z]+|[0-9]+|\S", text), "end"]
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at]

    def take(self, expected: str = "") -> str:
        token = self.peek()
        assert not expected or token == expected, (expected, self.tokens[self.at :])
        self.at += 1
        return token

    def sum(self) -> Meaning:
        found = self.signed()
        while self.peek() in ("+", "-"):
            sign, left = self.take(), found
            right = self.product()
            found = combined(np.add if sign == "+" else np.subtract, left, right)
        return found

    def signed(self) -> Meaning:
        if self.peek() == "-":
            self.take()
            inner = self.product()
            return lambda env: -inner(env)
        return self.product()

    def product(self) -> Meaning:
        found = self.beside()
        while self.peek() in (r"\odot", r"\div"):
            sign, left = self.take(), found
            right = self.beside()
            found = combined(np.multiply if sign == r"\odot" else np.divide, left, right)
        return found

    def beside(self) -> Meaning:
        found = self.raised()
        while self.peek() not in ENDS:
            if self.peek() == r"\cdot":
                self.take()
            found = multiplied(found, self.raised())
        return found

    def raised(self) -> Meaning:
        found, carries = self.atom(), set()
        while self.peek() in ("^", "_"):
            assert self.peek() not in carries, "a double sub- or superscript"
            carries.add(self.peek())
            if self.take() == "_":
                found = entry(found, self.indices())
            elif self.peek() == r"\top":
                self.take()
                found = transposed(found)
            else:
                self.take("{")
                entrywise = self.peek() == r"\odot"
                if entrywise:
                    self.take()
                found = power(found, self.sum(), entrywise)
                self.take("}")
        return found

    def group(self) -> Meaning:
        self.take("{")
        found = self.sum()
        self.take("}")
        return found

    def indices(self) -> list[Meaning]:
        self.take("{")
        found = []
        while self.peek() != "}":
            if self.peek() == ",":
                self.take()
                continue
            name = self.take()
            inner: list[Meaning] = []
            if self.peek() == "_":
                self.take()
                inner = self.indices()
            found.append(index(name, inner))
        self.take()
        return found

    def letters(self) -> list[str]:
        self.take("{")
        found = []
        while self.peek() != "}":
            token = self.take()
            if token != ",":
                found.append(token)
        self.take()
        return found

    def word(self) -> str:
        self.take("{")
        parts = []
        while self.peek() != "}":
            parts.append(self.take())
        self.take()
        return "".join(parts)

    def arguments(self) -> list[Meaning]:
        self.take("(")
        found = [self.sum()]
        while self.peek() in (",", ";"):
            self.take()
            found.append(self.sum())
        self.take(")")
        return found

    def atom(self) -> Meaning:
        token = self.take()
        match token:
            case "(":
                inner = self.sum()
                self.take(")")
                return inner
            case "{":
                inner = self.sum()
                self.take("}")
                return inner
            case "[":
                inner = self.sum()
                self.take("]")
                self.take("_")
                return tensor(self.letters(), inner)
            case r"\left|":
                inner = self.sum()
                self.take(r"\right|")
                return lambda env: np.abs(inner(env))
            case r"\left\|":
                inner = self.sum()
                self.take(r"\right\|")
                self.take("_")
                self.take("2")
                return lambda env: np.sqrt((inner(env) ** 2).sum())
            case r"\langle":
                left = self.sum()
                self.take(",")
                right = self.sum()
                self.take(r"\rangle")
                return lambda env: (same(left(env), right(env))[0] * right(env)).sum()
            case r"\frac":
                above, below = self.group(), self.group()
                return lambda env: above(env) / scalar(below(env))
            case r"\sqrt":
                inner = self.group()
                return lambda env: np.sqrt(inner(env))
            case r"\mathbf":
                self.word()
                return lambda env: np.ones((N, 1))
            case r"\mathbb":
                self.word()
                self.take("[")
                left = self.sum()
                self.take("<")
                right = self.sum()
                self.take("]")
                return lambda env: 1.0 * (left(env) < right(env))
            case r"\delta":
                self.take("_")
                first, second = self.indices()
                return lambda env: float(first(env) == second(env))
            case r"\sum":
                self.take("_")
                return summed(self.letters(), self.beside())
            case "e" if self.peek() == "^":
                self.take()
                inner = self.group()
                return lambda env: np.exp(scalar(inner(env)))
            case "e" if self.peek() != "_":
                return lambda env: np.e
            case "e":
                self.take("_")
                label = self.word()
                return lambda env: (
                    np.eye(N)[np.atleast_1d(env[label])].T if np.ndim(env[label]) == 0 else np.eye(N)[env[label]]
                )
            case "D" if self.peek() == "_":
                self.take()
                inner = self.group()
                return lambda env: np.diag(inner(env)[:, 0])
            case "I":
                return lambda env: np.eye(N)
            case r"\text":
                return self.named(self.word())
            case "y" if self.peek() == "^" and self.tokens[self.at + 1] == r"\circ":
                self.at += 2
                return lambda env: env["t"]
        if token in ELEMENTWISE:
            return applied(ELEMENTWISE[token], self.arguments())
        if token.isdigit():
            return lambda env: float(token)
        assert re.fullmatch(r"\\?[A-Za-z]+", token), token
        return lambda env: env[token.removeprefix("\\")]

    def named(self, name: str) -> Meaning:
        return applied((ELEMENTWISE | WHOLE)[name], self.arguments())


def applied(function, arguments):
    return lambda env: function(*(argument(env) for argument in arguments))


def scalar(value):
    assert np.ndim(value) == 0, np.shape(value)
    return value


def same(left, right):
    assert np.shape(left) == np.shape(right), (np.shape(left), np.shape(right))
    return left, right


def combined(function, left, right):
    def meaning(env):
        first, second = left(env), right(env)
        assert np.ndim(first) == 0 or np.ndim(second) == 0 or np.shape(first) == np.shape(second)
        return function(first, second)

    return meaning


def multiplied(left, right):
    def meaning(env):
        first, second = left(env), right(env)
        if np.ndim(first) == 0 or np.ndim(second) == 0:
            return first * second
        found = first @ second
        return found[0, 0] if found.shape == (1, 1) else found

    return meaning


def power(base, exponent, entrywise):
    def meaning(env):
        value = base(env)
        assert entrywise or np.ndim(value) == 0
        return value ** exponent(env)

    return meaning


def transposed(argument):
    return lambda env: argument(env).T


def index(name, inner):
    if name.isdigit():
        return lambda env: int(name) - 1
    return lambda env: env[name][tuple(one(env) for one in inner)] if inner else env[name]


def entry(argument, indices):
    def meaning(env):
        value, where = argument(env), [one(env) for one in indices]
        return value[where[0], 0] if value.shape[1] == 1 and len(where) == 1 else value[tuple(where)]

    return meaning


def summed(letters, body):
    def meaning(env):
        return sum(body({**env, **dict(zip(letters, at, strict=True))}) for at in np.ndindex((N,) * len(letters)))

    return meaning


def tensor(letters, body):
    def meaning(env):
        found = np.empty((N,) * len(letters))
        for at in np.ndindex(found.shape):
            found[at] = scalar(body({**env, **dict(zip(letters, at, strict=True))}))
        return found[:, None] if found.ndim == 1 else found

    return meaning


class Floats:
    """An algebra of the walk: floating-point numbers at one point."""

    own: Mapping[str, Any] = {}
    context = ()

    def __init__(self, env: Env) -> None:
        self.env = env

    number = staticmethod(float)
    add, multiply, exp, log = map(staticmethod, (np.add, np.multiply, np.exp, np.log))

    def size(self, name):
        return float(N)

    def variable(self, variable, at):
        value = self.env[variable.name]
        return value[(*at, 0)] if len(at) == 1 else value[at] if at else value

    def chosen(self, label, at):
        return int(self.env[label.name][at]) if at else int(self.env[label.name])

    def index(self, term):
        return term.value - 1

    def delta(self, left, right):
        return float(left == right)

    def sum(self, axis, term):
        return sum(term(k) for k in range(N))

    def largest(self, axis, term):
        return max(term(k) for k in range(N))

    def power(self, base, exponent):
        return float(base) ** float(exponent)

    def step(self, value):
        return float(value > 0)


def environment():
    generator = np.random.default_rng(7)
    env: dict[str, Any] = {name: generator.uniform(0.3, 0.9) for name in ("a", "tau", "s")}
    env |= {name: generator.uniform(0.2, 1.1, (N, 1)) for name in "xdtqh"}
    env |= {name: generator.uniform(0.2, 1.1, (N, N)) for name in "WAXP"}
    return env | {"K": float(N), "D": float(N), "N": float(N), "c": np.int64(1), "b": np.array([2, 0, 1])}


ENV = environment()


def check(expression):
    """The value of the LaTeX, read by the reader above, is that of the expression."""
    text = to_latex(expression)
    reader = Reader(text)
    with np.errstate(all="ignore"):
        reading: Reading[float] = Reading(Floats(ENV))  # type: ignore[arg-type]
        rank = len(expression.axes)
        expected = np.array([reading.entry(expression, at) for at in np.ndindex((N,) * rank)]).reshape((N,) * rank)
        if not np.isfinite(expected).all() or np.abs(expected).max() > 1e6:
            return False
        meaning = reader.sum()
        reader.take("end")
        found = meaning(ENV)
    expected = expected[:, None] if rank == 1 else expected
    if np.ndim(found) == 0 and rank:  # a constant beside a vector is spread
        found = np.full(expected.shape, found)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6, err_msg=text)
    return True


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(expressions(depth=3, derivatives=False, piecewise=True))
def test_a_second_reader_gets_the_same_value(expression):
    assume(check(expression))


@pytest.mark.parametrize(
    ("text", "let"),
    [
        ("a*(b + c)", ""),
        ("(a + b)/c - (a - (b - c))", ""),
        ("-(a - b)*c", ""),
        ("(-a)**2", ""),
        ("(a**2)**3", ""),
        ("(W@h)*x", "x: K; W: K,D; h: D"),
        ("W@(h*h)", "W: K,D; h: D"),
        ("sum[k:K] (x[k] + a)", "x: K"),
    ],
)
@pytest.mark.parametrize("planted", ["_parenthesised", "_raisable"])
def test_a_missing_parenthesis_would_be_seen(monkeypatch, text, let, planted):
    expression = parse(text, let)
    env = {**ENV, "b": 0.37, "c": 0.81}
    monkeypatch.setitem(globals(), "ENV", env)
    check(expression)
    right = to_latex(expression)
    monkeypatch.setattr(latex, "_parenthesised", lambda text: text)
    if planted == "_raisable":
        monkeypatch.setattr(latex, "_raisable", lambda written: written[0])
    if to_latex(expression) != right:
        with pytest.raises((AssertionError, KeyError, ValueError)):
            check(expression)
