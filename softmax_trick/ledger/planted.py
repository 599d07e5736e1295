"""Errors planted in the symbolic core, each of which must be noticed.

Each replaces one function of the core by a wrong one. It is noticed by the replay, if a statement that is decided ends
in a disagreement; by a statement of known truth that is answered otherwise; by the mutants, if a false one survives or
a true one is not proved; or by verify, if a claim loses its verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from math import ceil
from typing import Any
from unittest.mock import patch

import flint
import sympy as sp
import z3

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.mutants import failures, made_from, run
from softmax_trick.ledger.run import Ledger
from softmax_trick.symbolic import (
    EVERY_K,
    GivenK,
    K,
    SumOver,
    conditions,
    contraction,
    decision,
    fractions,
    gradient,
    index,
    indexed,
    jacobian,
    second_opinion,
    softmax,
    stand_ins,
    vectors,
)
from softmax_trick.symbolic.normal_form import NormalForm as Form
from softmax_trick.symbolic.normal_form import _Reduction as Reduction
from softmax_trick.symbolic.replay import Disagreement

CLASSES = (1, 2, 3)  # for which the claims are decided by explicit algebra
MUTANTS = 6  # made from those claims


# --- statements of known truth ----------------------------------------------------------------------------------------


def statements() -> Iterator[tuple[sp.Expr, str]]:
    """Small statements, with what `decide` says of each."""
    i, j, n = index("i"), index("j"), index("n")
    x, y, c, t = (EVERY_K.vector(name) for name in "xyct")
    m = EVERY_K.matrix("M")
    a, b = sp.symbols("a b", real=True)
    p, q = sp.symbols("p q", positive=True)
    total, delta = EVERY_K.sum, sp.KroneckerDelta
    soft = softmax(x)
    dummies = sp.Dummy("s", real=True), sp.Dummy("s", real=True)
    labels = total(lambda k: delta(j, c[k]))
    yield from (
        (true, "zero")
        for true in (
            sp.exp(a + b) - sp.exp(a) * sp.exp(b),
            sp.exp(a / 2) ** 3 * sp.exp(a / 6) - sp.exp(sp.Rational(5, 3) * a),
            sp.log(p**2 * q / 6) - 2 * sp.log(p) - sp.log(q) + sp.log(2) + sp.log(3),
            (a**2 - b**2) / (a - b) - a - b,
            1 / (a * (a + 1)) - 1 / a + 1 / (a + 1),
            soft.sum() - 1,
            jacobian(soft, x)[i, j] - soft[i] * (delta(i, j) - soft[j]),
            total(lambda k: total(lambda l: x[k] * y[l] * m[k, l])) - x.dot(m @ y),
            total(lambda k: (2 * x[k] + 3) / (1 + x[k] ** 2))
            - total(lambda k: 3 / (1 + x[k] ** 2) + 2 * x[k] / (1 + x[k] ** 2)),
            total(lambda k: sp.log(2 + delta(i, k))) - sp.log(3) - (K - 1) * sp.log(2),
            labels**2 - total(lambda k: total(lambda l: delta(j, c[k]) * delta(j, c[l]))),
            total(lambda k: total(lambda l: sp.exp(m[k, l]) / total(lambda r: sp.exp(m[k, r])) * x[k])) - x.sum(),
            gradient(x.dot(m @ x), x)[i] - (m @ x + m.T @ x)[i],
            EVERY_K.unit(2).dot(x) - x[2],
            GivenK(3).vector("x").sum() ** 2
            - sum(GivenK(3).vector("x")[k] ** 2 for k in (1, 2, 3))
            - 2 * sum(GivenK(3).vector("x")[u] * GivenK(3).vector("x")[v] for u, v in ((1, 2), (1, 3), (2, 3))),
        )
    )
    yield from (
        (false, "nonzero")
        for false in (
            sp.exp(a / 2) - sp.exp(a),
            sp.exp(-a) - sp.exp(a),
            a - b,
            a + b,
            a * b - b,
            p - 1,
            sp.sqrt(p) ** 3 - sp.sqrt(p),
            sp.log(p / q) - sp.log(p) - sp.log(q),
            sp.log(2 * p) - sp.log(p),
            1 / a + 1 / b - 2 / (a + b),
            1 / (1 + a) - 1 - a,
            a / (1 + b**2) - a,
            delta(i, j) * x[i],
            1 - delta(i, j),
            sp.exp(dummies[0] * a) - sp.exp(dummies[1] * a),
            x[i] - sp.Symbol("x[i]", real=True),
            x[i] - y[i],
            x.sum() - y.sum(),
            total(lambda k: 2 * x[k] ** 2) - total(lambda k: x[k] ** 2),
            total(lambda k: y[k] / (1 + x[k] ** 2)) - y.sum(),
            x.sum() ** 2 - total(lambda k: x[k] ** 2),
            total(lambda k: total(lambda l: m[k, l])) - total(lambda k: m[k, k]),
            total(lambda k: x[k] * delta(k, i)) - y[i],
            total(lambda k: x[i] * y[k]) - y.sum(),
            total(lambda k: sp.Integer(1)) - 1,
            EVERY_K.unit(2).sum() - 1,
            labels * (labels - K),
            labels * x[j] - total(lambda k: x[c[k]]),
            total(lambda k: x[c[k]]) - K * x[j],
            gradient(x.sum() * EVERY_K.unit(2).sum(), x)[i] - 1,
            t.sum() - 1,
            sp.Abs(x[i]) - x[i],
            gradient(x.dot(x), x)[i] - x[i],
            (m @ x)[i] - (m.T @ x)[i],
            total(lambda k: x[k] * n) - n * x[i] * K,
        )
    )
    yield total(lambda k: sp.exp(0.1 * x[k])) - total(lambda k: sp.exp(0.10000000000000002 * x[k])), "undecided"
    yield total(lambda k: delta(k, i + 1)) - 1, "undecided"
    yield sp.log(-p) - sp.log(-p * q) + sp.log(q), "undecided"


def signs() -> Iterator[tuple[sp.Expr, str | None]]:
    """Expressions and their signs."""
    p, q = sp.symbols("p q", positive=True)
    a = sp.Symbol("a", real=True)
    entry = EVERY_K.vector("x")[1]
    yield from ((p / (p + q), "positive"), (p - q, None), (a, None), (-p, None), (entry, None))


def by_z3() -> Iterator[tuple[sp.Expr, str]]:
    """Small statements, with what z3 says of each."""
    x, (p, q) = EVERY_K.vector("x"), sp.symbols("p q", positive=True)
    yield from (
        (p**2 - p, "nonzero"),
        (p / q - q / p, "nonzero"),
        (p / q * q - p, "zero"),
        (softmax(x).sum() - 1, "zero"),
    )


# --- the errors -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planted:
    """An error in the core.

    Attributes:
        name: what is wrong, in words.
        where: the object and the name of what is replaced.
        wrong: makes the wrong function of the right one.
    """

    name: str
    where: tuple[Any, str]
    wrong: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The core with this error; nothing that was found before is remembered, nor afterwards what was found here."""
        owner, name = self.where
        with ExitStack() as stack:
            _forget()
            stack.callback(_forget)
            stack.enter_context(patch.object(owner, name, self.wrong(getattr(owner, name))))
            yield


def _forget() -> None:
    for remembered in (contraction._contracted, conditions._simplified, conditions._holds):
        remembered.cache_clear()


Fraction = fractions.Fraction
sign = import_module("softmax_trick.symbolic.sign")  # the package has the function of that name
ONE = sp.Dummy("s", real=True)
INDEX = sp.Dummy("k", integer=True, positive=True)


def _first_argument(changed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A method that is called with its first argument changed."""
    return lambda right: lambda self, one, *others: right(self, changed(one), *others)


def _one_argument(changed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that is called with its first argument changed."""
    return lambda right: lambda one, *others: right(changed(one), *others)


def _two_terms(right: Any) -> Any:
    def is_zero(self: Any) -> bool:
        coefficients = list(self.fraction.numerator.to_dict().values())
        return bool(right(self)) or (len(coefficients) == 2 and sum(coefficients) == 0)

    return is_zero


def _by_print(right: Any) -> Any:
    known: dict[str, sp.Symbol] = {}

    def symbol(self: Any, node: sp.Basic) -> sp.Symbol:
        return known.setdefault(str(node), right(self, node))

    return symbol


def _atom_by_print(right: Any) -> Any:
    def atom(self: Any, letter: str, meaning: sp.Expr) -> sp.Symbol:
        same = next((known for known in self._atoms if str(known) == str(meaning)), meaning)
        return right(self, letter, same)

    return atom


def _only_cases(text: str) -> Callable[[Any], Any]:
    """Cases in which free indices are equal, " = ", or different, " != ", and no others."""
    return lambda right: lambda e: ((case, one) for case, one in right(e) if not case or f"{text}" in f"{case} ")


def _bound_deltas_split(right: Any) -> Any:
    def cases(expression: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
        for delta in expression.atoms(sp.KroneckerDelta):
            for value in (sp.S.One, sp.S.Zero):
                yield from cases(expression.xreplace({delta: value}))
            return
        yield from right(expression)

    return cases


def _one_class_short(right: Any) -> Any:
    return lambda self, node: (
        sp.Add(*(self.out(node.at(sp.Integer(n))) for n in range(1, max(self.classes, 2))))
        if isinstance(node, SumOver)
        else right(self, node)
    )


PLANTED: tuple[Planted, ...] = (
    Planted("zero if the numerator has two terms whose coefficients sum to 0", (Form, "is_zero"), _two_terms),
    Planted("every numerator is zero", (Form, "is_zero"), lambda right: lambda self: True),
    Planted(
        "constant numerators are zero",
        (Form, "is_zero"),
        lambda right: lambda self: self.fraction.numerator.is_constant(),
    ),
    Planted(
        "exp(x/2) is taken as exp(x)",
        (Reduction, "_power_of_unit"),
        lambda right: lambda self, unit, n: right(self, unit, sp.Integer(ceil(n)) if n > 0 else n),
    ),
    Planted(
        "exp(-x) is taken as exp(x)",
        (Reduction, "_power_of_unit"),
        lambda right: lambda self, unit, n: right(self, unit, abs(n)),
    ),
    Planted("log of a constant is 0", (Reduction, "_log_of_constant"), lambda right: lambda self, c: sp.S.Zero),
    Planted(
        "log(u/v) is log(u) + log(v)",
        (Reduction, "_logarithm"),
        _first_argument(lambda u: sp.Mul(*sp.fraction(sp.together(u)))),
    ),
    Planted(
        "the power of a root is lost",
        (Reduction, "_rational"),
        lambda right: (
            lambda self, node: right(
                self, sp.sqrt(node.base) if node.is_Pow and node.exp == sp.Rational(3, 2) else node
            )
        ),
    ),
    Planted("atoms are known by their print", (Reduction, "_atom"), _atom_by_print),
    Planted(
        "terms inside sums lose their coefficients",
        (Form, "terms"),
        lambda right: lambda self: ([sp.S.One, *factors[1:]] for factors in right(self)),
    ),
    Planted(
        "terms inside sums lose their denominators",
        (Form, "terms"),
        lambda right: lambda self: ([f for f in factors if not (f.is_Pow and f.exp < 0)] for factors in right(self)),
    ),
    Planted(
        "fractions are added by numerators and denominators",
        (Fraction, "__add__"),
        lambda right: (
            lambda self, other: Fraction(
                self.numerator + other.numerator, self.denominator * other.denominator
            )._monic()
        ),
    ),
    Planted("negative powers are positive ones", (Fraction, "__pow__"), _first_argument(abs)),
    Planted(
        "fractions lose the sign of the leading coefficient",
        (Fraction, "_monic"),
        lambda right: (
            lambda self: right(Fraction(self.numerator * (1 if _leading(self.numerator) > 0 else -1), self.denominator))
        ),
    ),
    Planted(
        "denominators of products are dropped",
        (Fraction, "__mul__"),
        lambda right: lambda self, other: Fraction(self.numerator * other.numerator, self.denominator),
    ),
    Planted("a delta is 0 in a sum", (contraction, "_sum"), _one_argument(lambda body: body.replace(*_deltas(0)))),
    Planted("a delta is 1 in a sum", (contraction, "_sum"), _one_argument(lambda body: body.replace(*_deltas(1)))),
    Planted("a sum of ones is 1", (contraction, "K"), lambda right: sp.S.One),
    Planted("all indices of merged sums are one", (contraction, "_new_index"), lambda right: lambda: INDEX),
    Planted(
        "sums over two indices are taken on the diagonal",
        (contraction, "_nested"),
        lambda right: (
            lambda factors, bounds: right(
                [factor.xreplace(dict.fromkeys(bounds, bounds[0])) for factor in factors], bounds[:1]
            )
        ),
    ),
    Planted(
        "a label is any index",
        (contraction, "_by_its_labels"),
        lambda right: (
            lambda factor, factors: factor.replace(
                lambda node: isinstance(node, sp.Indexed) and isinstance(node.indices[0], sp.Indexed),
                lambda node: node.base[index("j")],
            )
        ),
    ),
    Planted("class 2 exists for K = 1", (contraction, "_other"), lambda right: lambda d, b, known: right(d, b, 9)),
    Planted(
        "and is not looked for", (decision, "named_class"), lambda right: lambda e: 1 if e.has(SumOver) else right(e)
    ),
    Planted("factors drawn out of a sum are lost", (contraction, "_components"), lambda right: lambda f, b: []),
    Planted("i and j are always different", (decision, "cases"), _only_cases(" != ")),
    Planted("i and j are always equal", (decision, "cases"), _only_cases(" = ")),
    Planted("deltas of bound indices are split as those of free ones", (decision, "cases"), _bound_deltas_split),
    Planted("stand-ins are known by their print", (stand_ins.StandIns, "_symbol"), _by_print),
    Planted(
        "all entries have one stand-in",
        (stand_ins.StandIns, "_symbol"),
        lambda right: lambda self, node: ONE if isinstance(node, sp.Indexed) else right(self, node),
    ),
    Planted(
        "all sums have one stand-in",
        (stand_ins.StandIns, "_symbol"),
        lambda right: lambda self, node: ONE if isinstance(node, SumOver) else right(self, node),
    ),
    Planted("sums are written out one class short", (indexed._Written, "out"), _one_class_short),
    Planted("entries written out lose their index", (decision, "instantiate"), lambda right: lambda *a: sp.S.Zero),
    Planted(
        "every sum of a vector is given as 1",
        (decision, "reductions"),
        lambda right: (
            lambda e, given, fewest=1: right(
                e, {total: sp.S.One for total in e.atoms(SumOver) if total.args[0].is_Indexed}, fewest
            )
        ),
    ),
    Planted("nothing is refused", (decision, "refusal"), lambda right: lambda e: ""),
    Planted("logarithms ask for nothing", (decision, "conditions"), lambda right: lambda *a: ()),
    Planted(
        "only the first case is looked at",
        (decision, "reductions"),
        lambda right: lambda *a: (one for number, one in enumerate(right(*a)) if number == 0),
    ),
    Planted(
        "the derivative of a sum has half its terms",
        (SumOver, "_eval_derivative"),
        lambda right: lambda self, variable: right(self, variable) / 2,
    ),
    Planted(
        "a matrix is transposed in products",
        (vectors.Matrix, "__matmul__"),
        lambda right: lambda self, other: right(self.T, other),
    ),
    Planted(
        "sums for given K end one class short",
        (GivenK, "sum"),
        lambda right: lambda self, term: sp.Add(*(term(sp.Integer(k)) for k in range(1, max(self.classes, 2)))),
    ),
    Planted(
        "for z3 nothing can be different from 0",
        (second_opinion._Term, "can_be"),
        lambda right: lambda self, question: z3.unsat,
    ),
    Planted(
        "for z3 powers are first powers",
        (second_opinion._Term, "_power"),
        lambda right: lambda self, base, n: right(self, base, 1 if n > 0 else -1),
    ),
    Planted("signs of coefficients do not count", (sign, "_sign_of_terms"), lambda right: lambda *a: "positive"),
    Planted(
        "stand-ins are positive",
        (stand_ins.StandIns, "_symbol"),
        lambda right: lambda self, node: sp.Symbol(right(self, node).name, positive=True),
    ),
)


def _leading(polynomial: flint.fmpq_mpoly) -> Any:
    return 1 if polynomial.is_zero() else polynomial.leading_coefficient()


def _deltas(value: int) -> tuple[Any, Any]:
    return sp.KroneckerDelta, lambda *_: sp.Integer(value)


# --- what notices them ------------------------------------------------------------------------------------------------


def noticed(error: Planted, claims: Iterable[Claim]) -> str | None:
    """What notices the error: "the replay", "a statement", "the mutants", "verify"; None if nothing does.

    Args:
        error: the error.
        claims: some that are proved.
    """
    few = [replace(claim, classes=[k for k in claim.classes if k in CLASSES], sample=None) for claim in claims]
    with error.planted():
        return _by_statements() or _by_mutants(few) or _by_verify(few)


def _by_statements() -> str | None:
    answered = None
    try:
        for expression, truth in statements():
            found = decision.decide(expression)
            if found.status != truth or (found.witness and not _is_right(found.witness, expression)):
                answered = answered or f"a statement ({expression} is {truth})"
        for expression, known in signs():
            if sign.sign(expression) not in (known, None):
                answered = answered or f"a statement ({expression} is {known or 'of no sign'})"
        for expression, truth in by_z3():
            if second_opinion.decide_by_z3(expression).status != truth:
                answered = answered or f"a statement (z3: {expression} is {truth})"
    except Disagreement:
        return "the replay"
    except Exception as error:
        return f"a crash ({type(error).__name__})"
    return answered


def _is_right(witness: decision.Witness, expression: sp.Expr) -> bool:
    """Whether a witness has the value that the expression has there, sums added up by nothing of the core."""
    if witness.classes is None:
        return True
    named = {symbol.name: value for symbol, value in witness.point.items()}

    def value(node: sp.Basic) -> sp.Basic:
        if isinstance(node, SumOver):
            return sp.Add(*(value(node.at(sp.Integer(n))) for n in range(1, int(witness.classes or 0) + 1)))
        if isinstance(node, sp.Indexed):
            return named.get(f"{node.base.label}{'_'.join(str(value(one)) for one in node.indices)}", sp.S.Zero)
        if node in (witness.indices or {}):
            return sp.Integer((witness.indices or {})[node])
        if node.is_Symbol:
            return sp.Integer(witness.classes or 0) if node == K else named.get(node.name, node)
        return node.func(*map(value, node.args)) if node.args else node

    return bool(abs(sp.N(value(expression) - witness.value)) < 1e-9)


def _by_mutants(claims: Sequence[Claim]) -> str | None:
    failed = failures(run(islice(made_from(claims), MUTANTS)))
    return f"the mutants ({failed[0]})" if failed else None


def _by_verify(claims: Sequence[Claim]) -> str | None:
    ledger = Ledger({claim.id: claim for claim in claims})
    for name in ledger.claims:
        if (verdict := ledger.result(name).verdict) != "proved":
            return f"verify ({name} is {verdict})"
    return None
