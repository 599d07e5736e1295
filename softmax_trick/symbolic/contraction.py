r"""Sums over the classes in canonical form, whatever the order in which they were written.

Each sum is brought to a sum of terms c * S_1 * ... * S_n. Here c is free of bound indices, and each S is the sum over
one or more indices of one product whose factors hang together by those indices.

- A delta in a bound index is contracted: sum_k f(delta_ki, k) = f(1, i) + sum_k f(0, k) - f(0, i), for any f, where i
  is a class: a free or bound index, a label, or the number of a class that there is.
- The summand is reduced to lowest terms (`normal_form`) and split into the terms of its numerator; factors without the
  index are drawn out, a sum of ones is K.
- Sums inside a product are merged with the sum around it: sum_k x_k sum_l A_kl y_l is a sum over k and l. So their
  order is lost, and with it that of Fubini's theorem: sums are finite.
- An inner sum that meets its own inverse is divided by it first: sum_k g_k (sum_l E_kl) / (sum_l E_kl) = sum_k g_k.
- Indices are numbered by what the factors say of them, not by the order of the sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import sympy as sp

from softmax_trick.symbolic.indexed import BoundIndex, K, SumOver, replaced
from softmax_trick.symbolic.normal_form import normal_form
from softmax_trick.symbolic.stand_ins import StandIns


def contract(expression: sp.Expr, known: int = 1) -> sp.Expr:
    """The expression with every sum in canonical form, for every K that is not less than `known`.

    Raises:
        Undefined: a summand has a value nowhere.
    """
    if not expression.has(SumOver):
        return expression
    if isinstance(expression, SumOver):
        return _contracted(expression, known)
    return expression.func(*(contract(argument, known) for argument in expression.args))


@lru_cache(maxsize=4096)
def _contracted(total: SumOver, known: int) -> sp.Expr:
    bound = _new_index()
    return _sum(contract(total.at(bound), known), bound, known)


def _new_index() -> sp.Dummy:
    return sp.Dummy("k", integer=True, positive=True)


def _sum(body: sp.Expr, bound: sp.Symbol, known: int) -> sp.Expr:
    """The sum of a contracted body over the index."""
    for delta in _deltas(body, bound):
        other = _other(delta, bound, known)
        if other is not None:
            equal = contract(replaced(body.xreplace({delta: sp.S.One}), bound, other), known)
            unequal = body.xreplace({delta: sp.S.Zero})
            return equal + _sum(unequal, bound, known) - contract(replaced(unequal, bound, other), known)
    return sp.Add(*(_sum_of_product(factors, [bound], known) for factors in _terms(body, bound)))


def _deltas(body: sp.Basic, bound: sp.Symbol) -> list[sp.KroneckerDelta]:
    found = (d for d in body.atoms(sp.KroneckerDelta) if d.has(bound) and not d.has(BoundIndex))
    return sorted(found, key=sp.default_sort_key)


def _other(delta: sp.KroneckerDelta, bound: sp.Symbol, known: int) -> sp.Basic | None:
    """The class at which alone a delta is 1, as a function of the index; None if there may be no such class."""
    if bound not in delta.args:
        return None
    other = delta.args[0] if delta.args[1] == bound else delta.args[1]
    exists = other <= known if other.is_Integer else other.is_Symbol or isinstance(other, sp.Indexed)
    return other if exists and not other.has(bound) else None


def _terms(body: sp.Expr, bound: sp.Symbol) -> Iterator[list[sp.Expr]]:
    """The terms of a body in lowest terms, each a list of factors.

    A delta that could not be contracted, of a label, is 0 or 1: f(delta) = (1 - delta) f(0) + delta f(1).
    """
    for delta in _deltas(body, bound):
        one, zero = (body.xreplace({delta: value}) for value in (sp.S.One, sp.S.Zero))
        body = delta * one + (1 - delta) * zero
    stand_ins = StandIns()
    form = normal_form(stand_ins.put_into(body))
    for factors in form.terms():
        yield [stand_ins.taken_out_of(factor) for factor in factors]


def _sum_of_product(factors: Iterable[sp.Expr], bounds: Sequence[sp.Symbol], known: int) -> sp.Expr:
    """The sum of a product over these indices, those of the sums inside it, and no others."""
    factors, bounds = _merged(factors, bounds)
    for delta in (factor for factor in factors if isinstance(factor, sp.KroneckerDelta)):
        for bound in bounds:
            other = _other(delta, bound, known)
            if other is not None:
                rest = replaced(sp.Mul(*(factor for factor in factors if factor != delta)), bound, other)
                return _sum_again(rest, [one for one in bounds if one != bound], known)
    for base in (f.base for f in factors if f.is_Pow and isinstance(f.base, SumOver) and f.exp.is_negative):
        for bound in bounds:
            if base.has(bound):
                continue
            own = [factor for factor in factors if factor.has(bound)]
            inner = _sum_of_product(own, [bound], known)
            if base in map(_base, sp.Mul.make_args(inner)):
                rest = sp.Mul(inner, *(factor for factor in factors if not factor.has(bound)))
                return _sum_again(rest, [one for one in bounds if one != bound], known)
    total = sp.Mul(*(factor for factor in factors if not factor.has(*bounds)))
    for together in _components(factors, bounds):
        own = [factor for factor in factors if factor.has(*together)]
        total *= _named(own, together) if own else K
    return total


def _sum_again(product: sp.Expr, bounds: Sequence[sp.Symbol], known: int) -> sp.Expr:
    total = contract(product, known)
    for bound in bounds:
        total = _sum(total, bound, known)
    return total


def _base(factor: sp.Expr) -> sp.Expr:
    return factor.base if factor.is_Pow and factor.exp.is_positive else factor


def _merged(factors: Iterable[sp.Expr], bounds: Sequence[sp.Symbol]) -> tuple[list[sp.Expr], list[sp.Symbol]]:
    """The factors, with those of the inner sums that depend on the indices, and all their indices."""
    waiting, found, bounds = list(factors), [], list(bounds)
    while waiting:
        factor = waiting.pop()
        base, power = factor.as_base_exp()
        if factor.is_Mul:
            waiting += factor.args
        elif isinstance(factor, sp.exp) and factor.args[0].is_Add:
            waiting += map(sp.exp, factor.args[0].args)
        elif isinstance(base, SumOver) and power.is_Integer and power > 0 and factor.has(*bounds):
            for _ in range(int(power)):
                bounds.append(_new_index())
                waiting.append(base.at(bounds[-1]))
        elif not (isinstance(base, sp.KroneckerDelta) and base in found):  # a delta is its own square
            found.append(base if isinstance(base, sp.KroneckerDelta) else factor)
    return [_by_its_labels(factor, found) for factor in found], bounds


def _by_its_labels(factor: sp.Expr, factors: Sequence[sp.Expr]) -> sp.Expr:
    """The factor where the deltas among the factors are 1: a label is then the index that it is equal to."""
    if isinstance(factor, sp.KroneckerDelta):
        return factor
    for delta in (other for other in factors if isinstance(other, sp.KroneckerDelta)):
        label, index = delta.args if isinstance(delta.args[0], sp.Indexed) else delta.args[::-1]
        if isinstance(label, sp.Indexed) and index.is_Symbol and not label.has(index):
            factor = replaced(factor, label, index)
    return factor


def _components(factors: Sequence[sp.Expr], bounds: Sequence[sp.Symbol]) -> list[list[sp.Symbol]]:
    """The indices, grouped by the factors in which they occur together."""
    groups = [[bound] for bound in bounds]
    for factor in factors:
        joined = [group for group in groups if factor.has(*group)]
        if len(joined) > 1:
            groups = [group for group in groups if group not in joined] + [
                [bound for group in joined for bound in group]
            ]
    return groups


# --- names that do not depend on the order of the sums ----------------------------------------------------------------


def _named(factors: Sequence[sp.Expr], bounds: Sequence[sp.Symbol]) -> sp.Expr:
    """The sum of a product over indices in an order that only depends on what the factors say of them."""
    candidates = [_nested(factors, order) for order in _orders(factors, dict.fromkeys(bounds, 0))]
    return min(candidates, key=str)


def _nested(factors: Sequence[sp.Expr], bounds: Sequence[sp.Symbol]) -> sp.Expr:
    total = sp.Mul(*factors)
    for bound in reversed(bounds):
        total = SumOver(total, bound)
    return total


def _orders(factors: Sequence[sp.Expr], colours: Mapping[sp.Symbol, int]) -> Iterator[list[sp.Symbol]]:
    """By refinement of colours: indices that the factors tell apart get different ones; of equals, each is tried."""
    colours = _refined(factors, colours)
    by_colour = sorted(colours, key=lambda bound: colours[bound])
    alike = next((bound for bound in by_colour if list(colours.values()).count(colours[bound]) > 1), None)
    if alike is None:
        yield by_colour
        return
    for bound in (one for one in by_colour if colours[one] == colours[alike]):
        yield from _orders(factors, {one: 2 * colour - (one == bound) for one, colour in colours.items()})


def _refined(factors: Sequence[sp.Expr], colours: Mapping[sp.Symbol, int]) -> dict[sp.Symbol, int]:
    while True:
        said = {bound: (colours[bound], *_said_of(bound, factors, colours)) for bound in colours}
        places = {what: place for place, what in enumerate(sorted(set(said.values())))}
        refined = {bound: places[said[bound]] for bound in colours}
        if len(places) == len(set(colours.values())):
            return refined
        colours = refined


def _said_of(bound: sp.Symbol, factors: Sequence[sp.Expr], colours: Mapping[sp.Symbol, int]) -> list[str]:
    """The factors with the index marked, and the others known by their colours only."""
    marks = {one: sp.Symbol(f"<{colour}>", integer=True, positive=True) for one, colour in colours.items()}
    marks[bound] = sp.Symbol("<>", integer=True, positive=True)
    return sorted(str(factor.xreplace(marks)) for factor in factors if factor.has(bound))
