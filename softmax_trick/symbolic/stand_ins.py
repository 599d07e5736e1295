"""Symbols in the place of sums, entries and deltas: what holds for any values of these holds for those."""

from __future__ import annotations

import sympy as sp

from softmax_trick.symbolic.indexed import SumOver

SIGNS = ("positive", "negative", "nonnegative", "nonpositive")


class StandIns:
    """One symbol for each sum, entry and delta met so far. It is known by the object, never by how that prints."""

    def __init__(self) -> None:
        self._symbols: dict[sp.Basic, sp.Dummy] = {}

    def put_into(self, expression: sp.Basic) -> sp.Basic:
        """The expression with a symbol for each outermost sum, entry and delta, real and positive where these are."""
        if isinstance(expression, SumOver | sp.Indexed | sp.KroneckerDelta):
            return self._symbol(expression)
        if not expression.args:
            return expression
        parts = tuple(map(self.put_into, expression.args))
        changed = any(new is not old for new, old in zip(parts, expression.args, strict=True))
        return expression.func(*parts) if changed else expression

    def taken_out_of(self, expression: sp.Basic) -> sp.Basic:
        """The expression with what the symbols stand for."""
        return expression.xreplace({symbol: node for node, symbol in self._symbols.items()})

    def _symbol(self, node: sp.Basic) -> sp.Dummy:
        if node not in self._symbols:
            signs = {name: True for name in SIGNS if getattr(node, f"is_{name}")}
            self._symbols[node] = sp.Dummy(f"<{node}>", real=True, **signs)
        return self._symbols[node]
