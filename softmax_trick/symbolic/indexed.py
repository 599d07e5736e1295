r"""Expressions over K classes for symbolic K: entries x_i, sums over the classes, Kronecker deltas.

SymPy's own Sum treats a bound index by its name: differentiating by it is silently wrong (sympy#21891), substitution
does not reach it (#20127), sums with differently named indices do not cancel (#15239), and `.doit()` guards every delta
by a Piecewise. `SumOver` has none of this: its bound index is nameless, numbered by nesting depth, so that equal sums
are equal objects and no index of the user's can be captured; deltas are contracted exactly.

Indices run over 1..K. An entry is SymPy's `Indexed`; scalars are ordinary symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

K = sp.Symbol("K", integer=True, positive=True)


class BoundIndex(sp.Symbol):
    """The summation index of a `SumOver`; unequal to every symbol that a user can make."""

    def __new__(cls, depth: int) -> BoundIndex:
        return sp.Symbol.__new__(cls, f"k{depth}", integer=True, positive=True)


class SumOver(sp.Expr):
    r"""sum_{k=1}^K body(k).

    `SumOver(body, k)` binds the symbol k. The bound index is renamed to a `BoundIndex` numbered by nesting depth, so
    that sums equal up to the name of their index are equal, and a symbol k outside is a different thing.
    """

    def __new__(cls, body: sp.Expr, index: sp.Symbol) -> SumOver:
        body = sp.sympify(body, strict=True)
        bound = BoundIndex(1 + max((inner.depth for inner in body.atoms(SumOver)), default=0))
        return sp.Expr.__new__(cls, body.xreplace({index: bound}), bound)

    @property
    def body(self) -> sp.Expr:
        """The summand, in terms of `index`."""
        return self.args[0]

    @property
    def index(self) -> BoundIndex:
        """The bound index."""
        return self.args[1]

    @property
    def depth(self) -> int:
        """How deep the sums in this one are nested: 1 for a plain sum."""
        return int(self.index.name[1:])

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """The symbols and entries of the summand that do not depend on the bound index."""
        return {symbol for symbol in self.body.free_symbols if not _depends_on(symbol, self.index)}

    def _eval_is_real(self) -> bool | None:
        return True if self.body.is_real else None

    def _eval_is_positive(self) -> bool | None:
        return True if self.body.is_positive else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.body.is_nonnegative else None

    def _eval_derivative(self, variable: sp.Basic) -> sp.Expr:
        if _depends_on(variable, self.index):
            raise ValueError(f"{variable} depends on the bound index of {self}: differentiate by a free index")
        return contract(SumOver(self.body.diff(variable), self.index))

    def _latex(self, printer: Any) -> str:
        name, body = self._readable()
        return rf"\left(\sum_{{{name}=1}}^{{K}} {printer.doprint(body)}\right)"

    def _sympystr(self, printer: Any) -> str:
        name, body = self._readable()
        return f"sum_{name}({printer.doprint(body)})"

    def _readable(self) -> tuple[str, sp.Expr]:
        """A name for the bound index that no free index has, and the summand in terms of it."""
        taken = {symbol.name for symbol in self.body.atoms(sp.Symbol)}
        name = next(name for name in ("k", "l", "m", "n", *(f"k_{n}" for n in range(1, 100))) if name not in taken)
        return name, self.body.xreplace({self.index: sp.Symbol(name, integer=True)})


def contract(expression: sp.Expr) -> sp.Expr:
    """The expression with every sum in normal form.

    Deltas in the bound index are removed: sum_k f(delta_ki, k) = f(1, i) + sum_k f(0, k) - f(0, i), for any f. Of the
    rest each term's factors that do not depend on the index are drawn out, logarithms of products and exponentials of
    sums are split, and a sum of ones is K.
    """
    if not expression.has(SumOver):
        return expression
    if isinstance(expression, SumOver):
        return _sum(contract(expression.body), expression.index)
    return expression.func(*(contract(argument) for argument in expression.args))


def _sum(body: sp.Expr, bound: sp.Symbol) -> sp.Expr:
    for delta in sorted(body.atoms(sp.KroneckerDelta), key=sp.default_sort_key):
        if bound in delta.args:
            other = delta.args[0] if delta.args[1] == bound else delta.args[1]
            equal = contract(body.xreplace({delta: sp.S.One}).xreplace({bound: other}))
            unequal = body.xreplace({delta: sp.S.Zero})
            return equal + _sum(unequal, bound) - contract(unequal.xreplace({bound: other}))
    numerator, denominator = sp.fraction(sp.together(body.expand()))
    terms = sp.Add.make_args(numerator.expand())
    return sp.Add(*(_sum_of_term(term / denominator, bound) for term in terms))


def _sum_of_term(term: sp.Expr, bound: sp.Symbol) -> sp.Expr:
    outside, inside = sp.factor_terms(term).expand(mul=False).as_independent(bound, as_Add=False)
    return outside * (K if inside == 1 else SumOver(inside, bound))


def instantiate(expression: sp.Expr, classes: int, indices: Mapping[sp.Symbol, int] | None = None) -> sp.Expr:
    """The expression for K = classes: sums written out, entries x_i as symbols x1, x2, ..., deltas evaluated.

    Raises:
        ValueError: a free index is given no value, or one outside 1..classes.
    """
    values = {index: sp.Integer(value) for index, value in (indices or {}).items()}
    if any(not 1 <= value <= classes for value in values.values()):
        raise ValueError(f"indices {dict(values)} are not all in 1..{classes}")
    return _write_out(expression.xreplace(values), classes)


def _write_out(node: sp.Expr, classes: int) -> sp.Expr:
    if isinstance(node, SumOver):
        return sp.Add(*(_write_out(node.body.xreplace({node.index: sp.Integer(n)}), classes) for n in _range(classes)))
    if isinstance(node, sp.Indexed):
        if not all(index.is_Integer for index in node.indices):
            raise ValueError(f"a free index of {node} has no value")
        return entry_symbol(node.base, *node.indices)
    if node == K:
        return sp.Integer(classes)
    if not node.args:
        return node
    return node.func(*(_write_out(argument, classes) for argument in node.args))


def _range(classes: int) -> range:
    return range(1, classes + 1)


def entry_symbol(base: sp.IndexedBase, *indices: int) -> sp.Symbol:
    """The symbol that stands for an entry of a vector or a matrix when K is given: x1, x2, ..., J1_1, J1_2, ..."""
    assumptions = {name: value for name, value in base.assumptions0.items() if name in ("real", "positive") and value}
    return sp.Symbol(f"{base.label}{'_'.join(map(str, indices))}", **assumptions)


def _depends_on(expression: sp.Basic, index: sp.Symbol) -> bool:
    return index in expression.atoms(sp.Symbol)
