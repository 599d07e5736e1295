"""The piecewise normalizers of section 4.1 as functions of one score, for z3.

HardTanh and the two HardSigmoids act on each score alone, and their potentials are sums over the scores. So what z3
decides of one score, by a formula over the reals, holds for every K.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from softmax_trick.ledger.findings import Findings
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.symbolic import EVERY_K, GivenK, contract, index

if TYPE_CHECKING:
    import z3

HARD = tuple(name for name, entry in NORMALIZERS.items() if entry.kinks)
SCORE = GivenK(1).vector("x")[1]


def of_one_score(name: str) -> tuple[sp.Expr, sp.Expr]:
    """f and p of one score, as the table of normalizers has them for K = 1."""
    entry, x = NORMALIZERS[name], GivenK(1).vector("x")
    return entry.symbolic(x)[1], entry.symbolic_potential(x)


def acts_on_each_score(findings: Findings, name: str) -> None:
    """Steps: for symbolic K, F(x)_i = f(x_i) and P(x) = sum_i p(x_i)."""
    entry, x = NORMALIZERS[name], EVERY_K.vector("x")
    f, p = of_one_score(name)
    i = index("i")
    findings.same(f"{name}: F(x)_i = f(x_i) for every K and i", entry.symbolic(x)[i], f.xreplace({SCORE: x[i]}))
    total = x.map(lambda score: p.xreplace({SCORE: score})).sum()
    potential = entry.symbolic_potential(x)
    findings.same(f"{name}: P(x) = sum_i p(x_i) for every K", contract(potential), contract(total))


def at(function: sp.Expr, score: z3.ArithRef) -> z3.ArithRef:
    """A piecewise polynomial of one score, at a score of z3's."""
    import z3

    def translate(node: sp.Basic) -> z3.ExprRef:
        match node:
            case sp.Rational():
                return z3.RealVal(f"{node.p}/{node.q}")
            case sp.Symbol() if node == SCORE:
                return score
            case sp.Add():
                return z3.Sum(*map(translate, node.args))
            case sp.Mul():
                return z3.Product(*map(translate, node.args))
            case sp.Pow() if node.exp.is_Integer and node.exp > 0:
                return z3.Product(*[translate(node.base)] * int(node.exp))
            case sp.Le():
                return translate(node.lhs) <= translate(node.rhs)
            case sp.Lt():
                return translate(node.lhs) < translate(node.rhs)
            case sp.Piecewise():
                *pieces, (last, otherwise) = node.args
                if otherwise != sp.true:
                    raise ValueError(f"{node} has no value elsewhere")
                value = translate(last)
                for piece, condition in reversed(pieces):
                    value = z3.If(translate(condition), translate(piece), value)
                return value
        raise TypeError(f"{node} is no part of a piecewise polynomial of {SCORE}")

    return translate(function)
