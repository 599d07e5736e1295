"""Where an expression has a value: what its denominators, logarithms and roots ask for, assumptions aside."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import sympy as sp

from softmax_trick.symbolic.contraction import contract
from softmax_trick.symbolic.fractions import Undefined
from softmax_trick.symbolic.indexed import BoundIndex, K, SumOver, index_positions, instantiate
from softmax_trick.symbolic.normal_form import normal_form
from softmax_trick.symbolic.sign import sign
from softmax_trick.symbolic.stand_ins import StandIns

MORE = sp.Dummy("n", integer=True, nonnegative=True)  # K = fewest + n
Relation = Literal["!= 0", "> 0", ">= 0"]


@dataclass(frozen=True, repr=False)
class Condition:
    """expression != 0, > 0 or >= 0, for every value of these summation indices. Printed, it is these words."""

    expression: sp.Expr
    relation: Relation
    every: tuple[sp.Symbol, ...] = ()

    def __str__(self) -> str:
        indices = ", ".join(str(index) for index in self.every if self.expression.has(index))
        constant, rest = self.expression.as_coeff_Add()
        side = f"{rest} {self.relation[:-2]} {-constant}" if rest.is_Symbol else f"{self.expression} {self.relation}"
        return side + (f" for every {indices}" if indices else "")

    __repr__ = __str__

    def instances(
        self, classes: int, indices: Mapping[sp.Symbol, int], labels: Mapping[sp.Symbol, int]
    ) -> Iterator[Condition]:
        """The conditions for given K, as `instantiate` does it, one for each value of the summation indices."""
        for values in itertools.product(range(1, classes + 1), repeat=len(self.every)):
            at = dict(indices) | dict(zip(self.every, values, strict=True))
            yield Condition(instantiate(self.expression, classes, at, labels), self.relation)


def conditions(
    expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr] | None = None, fewest: int = 1
) -> tuple[Condition, ...]:
    """Under which conditions an expression has a real value, as far as they do not follow from the assumptions.

    Denominators are not 0, arguments of logarithms positive, radicands not negative. Of a product, each factor is a
    condition of its own; factors of known sign are left out.

    Args:
        expression: any that can be decided.
        given: values of sums, as for `decide`.
        fewest: the least K that is meant.
    """
    found: dict[Condition, None] = {}
    for asked, relation, every in dict.fromkeys(_asked(expression, ())):
        for part in _with_deltas_known(asked) if not _holds(asked, relation, fewest) else ():
            for factor, needed in _simplified(contract(part, fewest).xreplace(dict(given or {})), relation, fewest):
                # What never holds says nothing to a reader: then it is asked of the whole.
                whole = (asked, relation) if factor.is_number else (factor, needed)
                found[Condition(*whole, every)] = None
    positive = {one.expression for one in found if one.relation == "> 0"}
    return tuple(one for one in found if not _follows(one, positive))


def _follows(condition: Condition, positive: set[sp.Expr]) -> bool:
    """Whether a condition follows from others: a product of what is positive is, and what is positive is not 0."""
    factors = sp.Mul.make_args(condition.expression)
    return positive.issuperset(factors) and (len(factors) > 1 or condition.relation != "> 0")


def _asked(node: sp.Basic, every: tuple[sp.Symbol, ...]) -> Iterator[tuple[sp.Expr, Relation, tuple[sp.Symbol, ...]]]:
    if isinstance(node, SumOver):
        name, body = node.readable()
        yield from _asked(body, (*every, name))
        return
    if isinstance(node, sp.Pow) and (relation := _of_power(node)):
        yield node.base, relation, every
    elif isinstance(node, sp.log):
        yield node.args[0], "> 0", every
    for argument in node.args:
        yield from _asked(argument, every)


def _with_deltas_known(expression: sp.Expr) -> Iterator[sp.Expr]:
    """The expression where its deltas, those of bound indices apart, are 0 or 1."""
    deltas = (delta for delta in expression.atoms(sp.KroneckerDelta) if not delta.has(BoundIndex))
    delta = min(deltas, key=sp.default_sort_key, default=None)
    for value in (0, 1) if delta is not None else ():
        yield from _with_deltas_known(expression.xreplace({delta: sp.Integer(value)}))
    if delta is None:
        yield expression


def _of_power(node: sp.Pow) -> Relation | None:
    if node.exp.is_integer:
        return None if node.exp.is_nonnegative else "!= 0"
    return ">= 0" if node.exp.is_Rational and node.exp > 0 else "> 0"


@lru_cache(maxsize=4096)
def _simplified(expression: sp.Expr, relation: Relation, fewest: int) -> tuple[tuple[sp.Expr, Relation], ...]:
    """The condition, split into those of its factors, without what holds anyway."""
    if _holds(expression, relation, fewest):
        return ()
    stand_ins = StandIns()
    try:
        factors = list(normal_form(stand_ins.put_into(expression)).factors())
    except Undefined:
        return ((sp.S.Zero, relation),)
    rest, even = sp.S.One, []
    for base, power in factors:
        factor = stand_ins.taken_out_of(base)
        if relation == "!= 0" or power % 2 == 0:
            even.append(factor)
        elif not _holds(factor, "> 0", fewest):
            rest *= factor
    separate: Sequence[tuple[sp.Expr, Relation]] = ()
    if relation != ">= 0":
        separate = [(factor, "!= 0") for factor in even if not _holds(factor, "!= 0", fewest)]
    if relation == "!= 0" or _holds(rest, relation, fewest):
        return tuple(separate)
    return (*separate, (rest, relation))


@lru_cache(maxsize=4096)
def _holds(expression: sp.Expr, relation: Relation, fewest: int) -> bool:
    """Whether the assumptions on the symbols, and K >= fewest, say so."""
    expression = expression.xreplace({K: fewest + MORE})
    if relation == "!= 0":
        return bool(expression.is_nonzero) or any(_holds(one, "> 0", fewest) for one in (expression, -expression))
    if isinstance(expression, SumOver):
        return _holds_of_sum(expression, relation, fewest)
    if expression.is_positive or (relation == ">= 0" and expression.is_nonnegative):
        return True
    signs = map(sign, (expression, *_with_one_term_apart(expression, fewest)))
    return any(one == "positive" or (one and relation == ">= 0") for one in signs)


def _with_one_term_apart(expression: sp.Expr, fewest: int) -> Iterator[sp.Expr]:
    """The expression with f_i + r for sum_k f_k, for each index i in it: if no f_k is negative, r is not."""
    totals = [total for total in expression.atoms(SumOver) if total.args[0].is_nonnegative]
    if any(total.atoms(SumOver) != {total} for total in expression.atoms(SumOver)):
        return
    for index in sorted({one for one in index_positions(expression) if not one.has(BoundIndex)}, key=str):
        rest = {t: sp.Dummy("r", nonnegative=True, positive=(t.is_positive and fewest > 1) or None) for t in totals}
        yield sp.expand(expression.xreplace({total: total.at(index) + rest[total] for total in totals}))


def _holds_of_sum(total: SumOver, relation: Relation, fewest: int) -> bool:
    """No term is negative; and if the sum is to be positive, one is: where no delta with the index is 1, say."""
    name, body = total.readable()
    deltas = {delta for delta in body.atoms(sp.KroneckerDelta) if delta.has(name)}
    rest = body.xreplace(dict.fromkeys(deltas, sp.S.Zero))
    somewhere = len(deltas) < fewest and all(name in delta.args for delta in deltas) and _holds(rest, "> 0", fewest)
    terms = all(_holds(body, ">= 0", fewest) for body in _with_deltas_known(body))
    return terms and (relation == ">= 0" or somewhere)
