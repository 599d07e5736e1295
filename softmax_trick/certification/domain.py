"""Where is F defined? What every denominator, root, logarithm and Piecewise asks for, and whether it is there.

A formula is taken as it is written: x1/x1 has no value at 0. So the needs are collected before anything is cancelled;
those of a formula that came as text, while it is read (`components`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import sympy as sp

from softmax_trick.certification.written import written

Kind = Literal["nonzero", "nonnegative", "positive", "covered"]
WORDS = {"nonzero": "must not be zero", "nonnegative": "must not be negative", "positive": "has to be positive"}


@dataclass(frozen=True)
class Need:
    """What has to hold so that a part of a formula has a value.

    Attributes:
        expression: what must not be zero (a denominator), not be negative (under a root), or be positive (in a
            logarithm, or under a root in a denominator); for "covered", 0.
        kind: which of these; "covered" is that the guards must not all hold, for then no piece is taken.
        guards: the conditions under which the part counts.
    """

    expression: sp.Expr
    kind: Kind
    guards: tuple[sp.Basic, ...] = ()

    def violated(self) -> tuple[sp.Basic, ...]:
        """Conditions that hold together where there is no value for want of this."""
        relation = {"nonzero": sp.Eq, "nonnegative": sp.Lt, "positive": sp.Le}
        make = relation.get(self.kind)
        return (*self.guards, make(self.expression, 0)) if make else self.guards

    def replaced(self, symbols: Mapping[sp.Symbol, sp.Symbol]) -> Need:
        """The same, of other symbols."""
        guards = tuple(guard.xreplace(dict(symbols)) for guard in self.guards)
        return Need(self.expression.xreplace(dict(symbols)), self.kind, guards)

    def __str__(self) -> str:
        if self.kind == "covered":
            return "no condition of a Piecewise holds"
        return f"{written(self.expression)} {WORDS[self.kind]}"


def of_power(base: sp.Expr, exponent: sp.Expr, guards: tuple[sp.Basic, ...] = ()) -> Iterator[Need]:
    """What base**exponent asks for, besides what its parts do."""
    if exponent.is_Integer:
        kind: Kind | None = "nonzero" if exponent < 0 else None
    else:
        kind = "nonnegative" if exponent.is_positive else "positive"
    if kind == "nonzero":  # factor by factor: each is a simpler question
        yield from (
            Need(one, kind, guards) for one in sp.Mul.make_args(base) if not (one.is_positive or one.is_negative)
        )
    elif kind and not base.is_positive:
        yield Need(base, kind, guards)


def needs_of(node: sp.Basic, guards: tuple[sp.Basic, ...] = ()) -> Iterator[Need]:
    """What an expression or a condition asks for."""
    if isinstance(node, sp.Piecewise):
        before = guards
        for value, condition in node.args:
            yield from needs_of(condition, before)
            yield from needs_of(value, before if condition == sp.true else (*before, condition))
            before = (*before, sp.Not(condition))
        if sp.false not in before:
            yield Need(sp.S.Zero, "covered", before)
        return
    if isinstance(node, sp.ITE):
        test, then, otherwise = node.args
        yield from needs_of(test, guards)
        yield from needs_of(then, (*guards, test))
        yield from needs_of(otherwise, (*guards, sp.Not(test)))
        return
    for argument in node.args:
        yield from needs_of(argument, guards)
    if isinstance(node, sp.log) and not node.args[0].is_positive:
        yield Need(node.args[0], "positive", guards)
    elif isinstance(node, sp.Pow) and not isinstance(node, sp.exp):
        yield from of_power(node.base, node.exp, guards)


def all_needs(nodes: Iterable[sp.Basic]) -> list[Need]:
    """What several expressions ask for, each need once."""
    return list(dict.fromkeys(need for node in nodes for need in needs_of(node)))
