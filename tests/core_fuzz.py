"""Random statements for `decide`, with their truth from plain evaluation.

A statement is a tree. It is written in SymPy twice, each time otherwise (sums in another order or merged, products
distributed, exponentials of sums as products, quotients as powers, a part substituted for a symbol), the second time
perhaps with a change. What it means is found by evaluating the trees themselves, with 60 digits and with dual numbers
for gradients, at every K <= 3 and all values of the indices and at random points. An answer is false if it is "zero"
and some value is not, or "nonzero" and all are.

    python tests/core_fuzz.py 20000 [seed]
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import sympy as sp
from mpmath import mp, mpf

from softmax_trick.symbolic import EVERY_K, GivenK, SumOver, decide, gradient, index

Tree = tuple[Any, ...]
FREE = {"i": index("i"), "j": index("j")}
VECTORS = {"x": None, "y": None, "p": True}  # p is positive
ZERO, NOT_ZERO = mpf("1e-50"), mpf("1e-40")  # what is taken for zero among numbers of 60 digits, and what is not
mp.dps = 60
NOTHING = mpf(0)
a, q = sp.Symbol("a", real=True), sp.Symbol("q", positive=True)


# --- trees ------------------------------------------------------------------------------------------------------------


def tree(random: Random, depth: int, bound: tuple[str, ...]) -> Tree:
    """A random tree; bound are the summation indices that it may use."""
    places = [*FREE, *bound, *bound, *bound]
    if depth == 0 or random.random() < 0.15:
        kind = random.choice(["entry"] * 6 + ["number", "scalar", "size", "delta", "delta", "label"])
        if kind == "entry":
            return "entry", random.choice([*VECTORS]), random.choice(places)
        if kind == "number":
            return "number", random.choice([1, 2, 3, -1])
        if kind == "scalar":
            return "scalar", random.choice(["a", "q"])
        if kind == "delta":
            return "delta", random.choice(places), random.choice([*places, "1", "2"])
        if kind == "label":
            return "label", random.choice(places), random.choice(places)
        return ("size",)
    kind = random.choice(
        ["sum"] * (4 if len(bound) < 2 else 0) + ["+", "+", "*", "*", "*", "exp", "log", "/", "root", "^2"]
    )
    if kind == "sum":
        name = f"b{len(bound)}"
        return "sum", name, tree(random, depth - 1, (*bound, name))
    if kind in "+*":
        return kind, tree(random, depth - 1, bound), tree(random, depth - 1, bound)
    if kind in ("exp", "^2"):
        return kind, tree(random, depth - 1, bound)
    if kind == "log":
        return "log", positive(random, depth - 1, bound)
    if kind == "root":
        return "root", positive(random, depth - 1, bound)
    return "/", tree(random, depth - 1, bound), positive(random, depth - 1, bound)


def positive(random: Random, depth: int, bound: tuple[str, ...]) -> Tree:
    """A tree whose value is positive."""
    places = [*FREE, *bound, *bound]
    kind = random.choice(["p", "q", "exp", "1+exp", "sum"] if depth > 0 else ["p", "q"])
    if kind == "p":
        return "entry", "p", random.choice(places)
    if kind == "q":
        return "scalar", "q"
    if kind == "exp":
        return "exp", tree(random, depth - 1, bound)
    if kind == "1+exp":
        return "+", ("number", 1), ("exp", tree(random, depth - 1, bound))
    name = f"s{len(bound)}{depth}"
    return "sum", name, positive(random, depth - 1, (*bound, name))


def changed(random: Random, node: Tree) -> Tree:
    """The tree with one leaf or one operation changed."""
    kind, *parts = node
    inner = [n for n, part in enumerate(parts) if isinstance(part, tuple)]
    if inner and random.random() < 0.8:
        n = random.choice(inner)
        parts[n] = changed(random, parts[n])
        return kind, *parts
    match node:
        case ("entry", vector, place):
            return random.choice([("entry", "y" if vector == "x" else "p", place), ("*", ("number", 2), node)])
        case ("number", n):
            return "number", n + 1
        case ("delta", i, j):
            return random.choice([("number", 1), ("number", 0), ("delta", i, "1"), ("*", node, node)])
        case ("label", i, j):
            return random.choice([("delta", i, j), ("number", 0), ("*", node, node)])
        case ("exp", part):
            return "exp", ("*", ("number", 2), part)
        case ("+" | "*", left, right):
            return random.choice([("+", left, right), ("*", left, right), ("+", right, left)])
    return "*", ("number", -1), node


# --- what a tree means ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dual:
    value: mpf
    slope: mpf = NOTHING

    def __add__(self, other):
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other):
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def of(self, value, slope):
        return Dual(value, slope * self.slope)


def real(value: mpf) -> mpf:
    """What a real logarithm or root is taken of."""
    if value <= 0:
        raise ValueError("no real value")
    return value


def meaning(node: Tree, at: dict[str, Any], by: tuple[str, int] | None = None) -> Dual:
    """The value of a tree; at: K, the vectors, scalars, labels and indices; by: (vector, class) of the derivative."""
    match node:
        case ("entry", vector, place):
            return Dual(at[vector][at[place] - 1], 1.0 if by == (vector, at[place]) else 0.0)
        case ("number", n):
            return Dual(mpf(n))
        case ("scalar", name):
            return Dual(at[name])
        case ("size",):
            return Dual(mpf(at["K"]))
        case ("delta", i, j):
            return Dual(1.0 if at[i] == (at[j] if j in at else int(j)) else 0.0)
        case ("label", i, j):
            return Dual(1.0 if at[i] == at["c"][at[j] - 1] else 0.0)
        case ("+", left, right):
            return meaning(left, at, by) + meaning(right, at, by)
        case ("*", left, right):
            return meaning(left, at, by) * meaning(right, at, by)
        case ("^2", part):
            value = meaning(part, at, by)
            return value * value
        case ("/", above, below):
            d = meaning(below, at, by)
            return meaning(above, at, by) * d.of(1 / d.value, -1 / d.value**2)
        case ("exp", part):
            d = meaning(part, at, by)
            return d.of(mp.exp(d.value), mp.exp(d.value))
        case ("log", part):
            d = meaning(part, at, by)
            return d.of(mp.log(real(d.value)), 1 / d.value)
        case ("root", part):
            d = meaning(part, at, by)
            return d.of(mp.sqrt(real(d.value)), 1 / (2 * mp.sqrt(d.value)))
        case ("sum", name, body):
            total = Dual(0.0)
            for k in range(1, at["K"] + 1):
                total = total + meaning(body, {**at, name: k}, by)
            return total
    raise AssertionError(node)


# --- how it is written in SymPy ---------------------------------------------------------------------------------------


class Writer:
    """Writes a tree in SymPy, choosing at random between ways that mean the same."""

    def __init__(self, random: Random, classes: Any) -> None:
        self.random, self.classes = random, classes
        self.vectors = {name: classes.vector(name, sign) for name, sign in VECTORS.items()}
        self.label = classes.vector("c")

    def write(self, node, at):
        coin, write = self.random.random(), self.write
        match node:
            case ("entry", vector, place):
                return self.vectors[vector][at[place]]
            case ("number", n):
                return sp.Integer(n)
            case ("scalar", name):
                return {"a": a, "q": q}[name]
            case ("size",):
                return self.classes.size
            case ("delta", i, j):
                return sp.KroneckerDelta(at[i], at[j] if j in at else int(j))
            case ("label", i, j):
                return sp.KroneckerDelta(at[i], self.label[at[j]])
            case ("+", left, right):
                return write(left, at) + write(right, at)
            case ("*", left, right):
                first, second = write(left, at), write(right, at)
                return sp.expand_mul(first * second) if coin < 0.4 else first * second
            case ("^2", part):
                one = write(part, at)
                return sp.expand(one**2) if coin < 0.3 else one * write(part, at)
            case ("/", above, below):
                if coin < 0.2:
                    return write(above, at) * sp.exp(-sp.log(write(below, at)))
                return write(above, at) / write(below, at)
            case ("exp", ("+", left, right)) if coin < 0.5:
                return sp.exp(write(left, at)) * sp.exp(write(right, at))
            case ("exp", part):
                return sp.exp(write(part, at))
            case ("log", part):
                return sp.log(write(part, at))
            case ("root", part):
                return sp.sqrt(write(part, at))
            case ("sum", name, ("+", left, right)) if coin < 0.4:
                return self.sum(name, left, at) + self.sum(name, right, at)
            case ("sum", name, ("sum", other, body)) if coin < 0.6:
                return self.sum(other, ("sum", name, body), at)
            case ("sum", name, body):
                return self.sum(name, body, at)
        raise AssertionError(node)

    def sum(self, name, body, at):
        if isinstance(self.classes, GivenK):
            return self.classes.sum(lambda k: self.write(body, {**at, name: k}))
        if self.random.random() < 0.3:  # a symbol of the user's, which may be one that is free elsewhere
            own = index(self.random.choice("kl"))
            if own not in at.values():
                return SumOver(self.write(body, {**at, name: own}), own)
        return EVERY_K.sum(lambda k: self.write(body, {**at, name: k}))

    def substituted(self, node, inner, at):
        """The tree with another one, free of bound indices, in the place of the symbol a."""
        expression, value = self.write(node, at), self.write(inner, at)
        return expression.subs(a, value) if self.random.random() < 0.5 else expression.xreplace({a: value})


def substituted(node: Tree, inner: Tree) -> Tree:
    if node == ("scalar", "a"):
        return inner
    return tuple(substituted(part, inner) if isinstance(part, tuple) else part for part in node)


# --- statements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    left: Tree
    right: Tree
    by: str | None
    given: int | None
    expression: sp.Expr
    places: dict[str, Any]

    def values(self, random: Random) -> Iterator[tuple[mpf, mpf]]:
        """left - right, with the size of the terms, wherever it is looked at; nothing where a number overflows."""
        for size in (1, 2, 3) if self.given is None else (self.given,):
            names = [name for name in FREE if self.given is None]
            for chosen in itertools.product(range(1, size + 1), repeat=len(names)):
                at = {"K": size, **{v: [mpf(random.uniform(-1, 1)) for _ in range(size)] for v in ("x", "y")}}
                at |= {"p": [mpf(random.uniform(0.3, 2)) for _ in range(size)], "a": mpf(random.uniform(-1, 1))}
                at |= {"c": [random.randint(1, size) for _ in range(size)], "q": mpf(random.uniform(0.3, 2))}
                at |= dict(zip(names, chosen, strict=True)) if self.given is None else self.places
                place: Any = at["j"]
                by = (self.by, place) if self.by else None
                try:
                    left, right = meaning(self.left, at, by), meaning(self.right, at, by)
                except (OverflowError, ZeroDivisionError, ValueError):
                    continue
                pair = (left.slope, right.slope) if self.by else (left.value, right.value)
                if all(map(mp.isfinite, pair)):
                    yield pair[0] - pair[1], 1 + abs(pair[0]) + abs(pair[1])


def statement(random: Random) -> Statement:
    given = random.choice([None, None, 2, 3])
    classes = EVERY_K if given is None else GivenK(given)
    while True:
        left = tree(random, random.choice([2, 3, 3, 4]), ())
        places = FREE if given is None else {name: random.randint(1, given) for name in FREE}
        writer = Writer(random, classes)
        right = changed(random, left) if random.random() < 0.3 else left
        if given is not None and ("label" in str(left) or "label" in str(right)):
            continue  # labels are of symbolic K
        by = random.choice([None, None, "x", "y"])
        if by is None and random.random() < 0.3:
            inner = tree(random, 2, ())
            if given is not None and "label" in str(inner):
                continue
            difference = writer.substituted(left, inner, places) - writer.substituted(right, inner, places)
            left, right = substituted(left, inner), substituted(right, inner)
        else:
            sides = [writer.write(side, places) for side in (left, right)]
            if by is not None:
                sides = [gradient(side, writer.vectors[by])[places["j"]] for side in sides]
            difference = sides[0] - sides[1]
        dull = difference == 0 and random.random() < 0.97
        if not dull and sp.count_ops(difference) < 150 and not difference.has(sp.nan, sp.zoo):
            return Statement(left, right, by, given, difference, places)


def verdict(one: Statement, random: Random) -> str:
    """How an answer compares with the truth: right, undecided, false, or unknown where nothing could be evaluated."""
    decision = decide(one.expression)
    found = [(abs(value), scale) for _ in range(3) for value, scale in one.values(random)]
    if decision.status == "undecided":
        return "undecided"
    if not found or any(ZERO * scale < value < NOT_ZERO * scale for value, scale in found):
        return "unknown"
    is_zero = all(value <= ZERO * scale for value, scale in found)
    if is_zero != (decision.status == "zero"):
        return "false"
    return f"right: {decision.status}" + (", trivially" if one.expression == 0 else "")


def run(count: int, seed: int = 0) -> tuple[Counter[str], list[Statement]]:
    """The verdicts on so many statements, and the statements that were answered falsely."""
    counts: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        random = Random(f"{seed} {number}")
        one = statement(random)
        said = verdict(one, random)
        counts[said] += 1
        if said == "false":
            wrong.append(one)
            print("FALSE", number, one, decide(one.expression), flush=True)
        if number % 1000 == 999:
            print(number + 1, dict(counts), flush=True)
    return counts, wrong


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
