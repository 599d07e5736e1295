r"""Expressions over K classes for symbolic K: entries x_i, sums over the classes, Kronecker deltas.

SymPy's own Sum treats a bound index by its name: differentiating by it is silently wrong (sympy#21891), substitution
does not reach it (#20127), sums with differently named indices do not cancel (#15239), and `.doit()` guards every delta
by a Piecewise. `SumOver` has none of this: its bound index has no name. It is counted from the inside (de Bruijn 1972):
0 is the index of the innermost sum around it, 1 that of the next. So equal sums are equal objects, and whatever SymPy
puts in the place of a symbol inside a sum - a symbol, an entry, another sum - cannot be bound by it.

Indices run over 1..K. An entry is SymPy's `Indexed`; scalars are ordinary symbols. An entry that stands where an index
does, as c_k in delta(j, c_k) or in x[c_k], is a label: an integer in 1..K.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp

K = sp.Symbol("K", integer=True, positive=True)


class BoundIndex(sp.Symbol):
    """The summation index of the sum that is `level` sums away, counted from the inside."""

    def __new__(cls, level: int) -> BoundIndex:
        return sp.Symbol.__new__(cls, f"k{level}", integer=True, positive=True)

    @property
    def level(self) -> int:
        """0 for the innermost sum."""
        return int(self.name[1:])


class SumOver(sp.Expr):
    r"""sum_{k=1}^K body(k).

    `SumOver(body, k)` binds the symbol k. Its one argument is the body with `BoundIndex(0)` in the place of k, so that
    sums equal up to the name of their index are equal, and a symbol k outside is a different thing. `SumOver(body)`
    takes such a body, as SymPy does when it rebuilds an expression from its arguments.

    Raises:
        TypeError: what is to be bound is no symbol, or is K.
    """

    def __new__(cls, body: sp.Expr, index: sp.Symbol | None = None) -> SumOver:
        body = sp.sympify(body, strict=True)
        if index is None:
            return sp.Expr.__new__(cls, body)
        if not isinstance(index, sp.Symbol) or isinstance(index, BoundIndex) or index == K:
            raise TypeError(f"a sum binds a symbol, not {index}")
        return sp.Expr.__new__(cls, _bound(body, index, 0))

    def at(self, index: sp.Basic) -> sp.Expr:
        """The summand at an index."""
        return _freed(self.args[0], index, 0)

    # A bound index is no variable: nothing is put in its place.

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Expr | None:
        self._refuse_one_of_many({old: new})
        return self if isinstance(old, BoundIndex) else None

    def _xreplace(self, rule: Mapping[sp.Basic, sp.Basic]) -> tuple[sp.Expr, bool]:
        rule = {old: new for old, new in rule.items() if not isinstance(old, BoundIndex)}
        self._refuse_one_of_many(rule)
        return super()._xreplace(rule)

    def _refuse_one_of_many(self, rule: Mapping[sp.Basic, sp.Basic]) -> None:
        """In sum_k x_k, x_1 occurs without being written: a rule for it would be obeyed outside of the sum only."""
        bases = {old.base for old in rule if isinstance(old, sp.Indexed) and not old.has(BoundIndex)}
        for entry in self.args[0].atoms(sp.Indexed) if bases else ():
            if entry.base in bases and entry.has(BoundIndex) and entry not in rule:
                raise ValueError(f"nothing can be put in the place of one entry of {entry.base.label}: {self} has all")

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """The symbols and entries of the summand that do not depend on a bound index."""
        return {symbol for symbol in self.args[0].free_symbols if not symbol.has(BoundIndex)}

    def _eval_is_real(self) -> bool | None:
        return True if self.args[0].is_real else None

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_positive else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.args[0].is_nonnegative else None

    def _eval_derivative(self, variable: sp.Basic) -> sp.Expr:
        if variable.has(BoundIndex):
            raise ValueError(f"{variable} depends on the bound index of {self}: differentiate by a free index")
        return SumOver(self.args[0].diff(variable))

    def _latex(self, printer: Any) -> str:
        name, body = self.readable()
        return rf"\left(\sum_{{{name}=1}}^{{K}} {printer.doprint(body)}\right)"

    def _sympystr(self, printer: Any) -> str:
        name, body = self.readable()
        return f"sum_{name}({printer.doprint(body)})"

    def readable(self) -> tuple[sp.Symbol, sp.Expr]:
        """A symbol for the bound index whose name no free index has, and the summand in terms of it."""
        taken = {symbol.name for symbol in self.args[0].atoms(sp.Symbol)}
        name = next(name for name in ("k", "l", "m", "n", *(f"k_{n}" for n in range(1, 100))) if name not in taken)
        symbol = sp.Symbol(name, integer=True, positive=True)
        return symbol, self.at(symbol)


def _bound(node: sp.Basic, index: sp.Symbol, level: int) -> sp.Basic:
    """The node under one more sum, which binds the index."""
    if node == index:
        return BoundIndex(level)
    if isinstance(node, BoundIndex):  # of a sum further out, which is now one further away
        return BoundIndex(node.level + 1) if node.level >= level else node
    return _rebuilt(node, lambda part: _bound(part, index, level + isinstance(node, SumOver)))


def _freed(node: sp.Basic, index: sp.Basic, level: int) -> sp.Basic:
    """The inverse of `_bound`."""
    if isinstance(node, BoundIndex):
        if node.level == level:
            return index
        return BoundIndex(node.level - 1) if node.level > level else node
    return _rebuilt(node, lambda part: _freed(part, index, level + isinstance(node, SumOver)))


def _rebuilt(node: sp.Basic, change: Any) -> sp.Basic:
    parts = tuple(map(change, node.args))
    return node.func(*parts) if any(new is not old for new, old in zip(parts, node.args, strict=True)) else node


def replaced(expression: sp.Basic, old: sp.Basic, new: sp.Basic) -> sp.Basic:
    """The expression with another index in the place of one, or with an index in the place of a label."""
    return new if expression == old else _rebuilt(expression, lambda part: replaced(part, old, new))


def index_positions(expression: sp.Basic) -> Iterator[sp.Basic]:
    """What stands in the places of indices: in entries x[...] and in deltas, inside sums too."""
    for node in expression.atoms(sp.Indexed, sp.KroneckerDelta):
        yield from node.indices if isinstance(node, sp.Indexed) else node.args


def label_bases(expression: sp.Basic) -> set[sp.IndexedBase]:
    """The vectors whose entries are labels: they stand where an index does."""
    return {position.base for position in index_positions(expression) if isinstance(position, sp.Indexed)}


def instantiate(
    expression: sp.Expr,
    classes: int,
    indices: Mapping[sp.Symbol, int] | None = None,
    labels: Mapping[sp.Symbol, int] | None = None,
) -> sp.Expr:
    """The expression for K = classes: sums written out, entries x_i as symbols x1, x2, ..., deltas evaluated.

    Args:
        expression: with sums, entries and deltas.
        classes: K.
        indices: a value in 1..K for each free index.
        labels: a value in 1..K for the symbol of each label, c1, c2, ...; by default they stay symbols.

    Raises:
        ValueError: an index is given no value, or one outside 1..classes; or an entry's symbol is there already.
    """
    values = {index: sp.Integer(value) for index, value in (indices or {}).items()}
    if any(not 1 <= value <= classes for value in values.values()):
        raise ValueError(f"indices {dict(values)} are not all in 1..{classes}")
    written = _Written(classes, {symbol: sp.Integer(value) for symbol, value in (labels or {}).items()})
    return written.out(expression.xreplace(values))


class _Written:
    """Sums written out for given K, and the symbols used for entries."""

    def __init__(self, classes: int, labels: Mapping[sp.Symbol, sp.Integer]) -> None:
        self.classes = classes
        self.labels = labels
        self.symbols: dict[sp.Symbol, tuple[sp.Basic, ...]] = {}  # which entry each stands for, or itself

    def out(self, node: sp.Basic) -> sp.Basic:
        if isinstance(node, SumOver):
            return sp.Add(*(self.out(node.at(sp.Integer(n))) for n in range(1, self.classes + 1)))
        if isinstance(node, sp.Indexed):
            return self._entry(node.base, [self.out(index) for index in node.indices])
        if node == K:
            return sp.Integer(self.classes)
        if isinstance(node, sp.Symbol):
            return self._unique(node, (node,))
        return node.func(*map(self.out, node.args)) if node.args else node

    def _entry(self, base: sp.IndexedBase, indices: list[sp.Basic]) -> sp.Basic:
        for index in indices:
            if not index.is_Integer:
                raise ValueError(f"a free index of {base[tuple(indices)]} has no value")
            if not 1 <= index <= self.classes:
                raise ValueError(f"there is no {base[tuple(indices)]} for K = {self.classes}: classes are 1..K")
        symbol = entry_symbol(base, *indices)
        return self.labels.get(symbol, self._unique(symbol, (base, *indices)))

    def _unique(self, symbol: sp.Symbol, meaning: tuple[sp.Basic, ...]) -> sp.Symbol:
        if self.symbols.setdefault(symbol, meaning) != meaning:
            raise ValueError(f"the symbol {symbol} would stand for two things: rename a vector or a symbol")
        return symbol


def entry_symbol(base: sp.IndexedBase, *indices: int) -> sp.Symbol:
    """The symbol that stands for an entry of a vector or a matrix when K is given: x1, x2, ..., J1_1, J1_2, ..."""
    wanted = ("real", "positive", "negative", "nonnegative", "nonpositive", "integer")
    assumptions = {name: True for name in wanted if base.assumptions0.get(name)}
    return sp.Symbol(f"{base.label}{'_'.join(map(str, indices))}", **assumptions)
