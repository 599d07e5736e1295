"""Piecewise expressions: their smooth pieces, and the regions on which these are taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from softmax_trick.certification.reals import Reals

PIECES = (sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside)
MOST_REGIONS = 81
QUICK = 200  # milliseconds to see whether a region is empty

Conditions = tuple[sp.Basic, ...]  # all of them hold


class TooManyRegions(ValueError):
    """An expression has more regions than are looked at."""


def in_pieces(expression: sp.Basic) -> sp.Basic:
    """abs, max, min, sign and Heaviside as Piecewise; of pieces, piece by piece, so that conditions stay simple."""
    if not expression.has(*PIECES, sp.Piecewise):
        return expression
    arguments = [in_pieces(argument) for argument in expression.args]
    if isinstance(expression, PIECES):
        return _split(expression.func, arguments)
    node = expression.func(*arguments)
    return _plain(node) if isinstance(node, Relational) else node


def _split(function: Any, arguments: list[sp.Basic]) -> sp.Expr:
    """abs, max, min, sign or Heaviside of arguments in pieces, which come first."""
    inner = {atom for argument in arguments for atom in argument.atoms(sp.Piecewise)}
    if inner:
        one = min(inner, key=lambda node: (-len(node.atoms(sp.Piecewise)), sp.default_sort_key(node)))
        ways = (([argument.xreplace({one: value}) for argument in arguments], holds) for value, holds in one.args)
        return sp.Piecewise(*((_split(function, changed), holds) for changed, holds in ways))
    if function in (sp.Max, sp.Min):
        return _extremum(arguments, 1 if function is sp.Max else -1)
    return _two_or_three(function, *arguments)


def _extremum(arguments: Sequence[sp.Expr], side: int) -> sp.Expr:
    """The greatest of several (side 1), or the least (-1), each under the condition that it is."""
    ways = [(one, _is_greatest(one, arguments, side)) for one in dict.fromkeys(arguments)]
    possible = [(one, condition) for one, condition in ways if condition != sp.false]
    return sp.Piecewise(*possible[:-1], (possible[-1][0], True))


def _is_greatest(one: sp.Expr, of: Sequence[sp.Expr], side: int) -> sp.Basic:
    return sp.And(*(_plain(sp.Ge(side * one, side * other)) for other in of if other != one))


def _two_or_three(function: Any, u: sp.Expr, at_zero: sp.Expr = sp.S.Zero) -> sp.Expr:
    """|u|, or sign or Heaviside of u."""
    if function is sp.Abs:
        return sp.Piecewise((u, _plain(sp.Ge(u, 0))), (-u, True))
    low = -1 if function is sp.sign else 0
    return sp.Piecewise((1, _plain(sp.Gt(u, 0))), (low, _plain(sp.Lt(u, 0))), (at_zero, True))


def _plain(relation: sp.Basic) -> sp.Basic:
    """A relation whose sides have an identically vanishing difference holds everywhere, or nowhere."""
    if (
        isinstance(relation, Relational)
        and not relation.has(sp.Piecewise)
        and sp.expand(relation.lhs - relation.rhs) == 0
    ):
        return sp.true if isinstance(relation, sp.Ge | sp.Le | sp.Eq) else sp.false
    return relation


def pieces_of(expression: sp.Basic, where: Conditions = (), wide: bool = False) -> Iterator[tuple[Conditions, Any]]:
    """The smooth pieces of an expression, each with the conditions under which it is taken, besides those given.

    Args:
        expression: a SymPy expression, or a Tuple of several.
        where: what holds besides.
        wide: only the pieces whose region has inner points, with conditions that describe these.

    Raises:
        TooManyRegions: there are more than are looked at.
    """
    return iter(_pieces(sp.sympify(expression, strict=True), where, [0], wide))


def _pieces(expression: sp.Basic, conditions: Conditions, count: list[int], wide: bool) -> list[Any]:
    # A condition in which there are pieces, as abs(x) > 1, is "if c then a else b": both ways are gone.
    if ites := expression.atoms(sp.ITE):
        ite = min(ites, key=lambda node: (len(node.atoms(sp.ITE)), sp.default_sort_key(node)))
        condition, then, otherwise = ite.args
        both = [(then, condition), (otherwise, sp.Not(condition))]
        return _along(expression, ite, both, conditions, count, wide)
    atoms = expression.atoms(sp.Piecewise)
    if not atoms:
        count[0] += 1
        if count[0] > MOST_REGIONS:
            raise TooManyRegions(f"there are more than {MOST_REGIONS} regions to look at")
        return [(conditions, expression)]
    # The outermost whose conditions are plain: which pieces there are in it matters only where they are taken.
    plain = [atom for atom in atoms if not any(condition.has(sp.Piecewise) for _, condition in atom.args)]
    atom = min(plain, key=lambda node: (-len(node.atoms(sp.Piecewise)), sp.default_sort_key(node)))
    ways = []
    before: list[sp.Basic] = []
    for value, condition in atom.args:
        ways.append((value, sp.And(*before, condition, evaluate=False) if before else condition))
        before.append(sp.Not(condition))
    return _along(expression, atom, ways, conditions, count, wide)


def _along(
    expression: sp.Basic,
    node: sp.Basic,
    ways: list[tuple[sp.Basic, sp.Basic]],
    conditions: Conditions,
    count: list[int],
    wide: bool,
) -> list[Any]:
    """The pieces, with each value of one node under its condition; the conditions exclude each other."""
    found: list[Any] = []
    parts = [_parts(condition) for _, condition in ways]
    parts = [interior(one) for one in parts] if wide else parts
    settled = [place for place, one in enumerate(parts) if {*one} <= {*conditions, sp.true}]
    for place in settled[:1] or range(len(ways)):
        here = tuple(dict.fromkeys([*conditions, *(part for part in parts[place] if part != sp.true)]))
        if len(here) > len(conditions) and impossible(here):
            continue
        found += _pieces(expression.xreplace({node: ways[place][0]}), here, count, wide)
    return found


def _parts(condition: sp.Basic) -> Conditions:
    """What has to hold at the same time so that a condition does, "not" only in relations."""
    condition = sp.to_nnf(condition)
    condition = condition.xreplace({relation: _plain(relation) for relation in condition.atoms(Relational)})
    parts = condition.args if isinstance(condition, sp.And) else (condition,)
    return tuple(itertools.chain.from_iterable(map(_parts, parts))) if len(parts) > 1 else parts


def impossible(conditions: Conditions) -> bool:
    """Whether it is proved that the conditions contradict each other."""
    if sp.false in conditions:
        return True
    return bool(conditions) and Reals(conditions).never(QUICK)


def closure(conditions: Conditions) -> Conditions:
    """The conditions, < and > weakened to <= and >=: of what they describe this contains the closure."""
    return tuple(
        _replaced(condition, {sp.Gt: sp.Ge, sp.Lt: sp.Le, sp.Ne: lambda *sides: sp.true}) for condition in conditions
    )


def interior(conditions: Conditions) -> Conditions:
    """The conditions, <= and >= sharpened to < and >, and equations to what never holds.

    Where no difference that is compared vanishes identically, this leaves the inner points, but for a thin set.
    """
    sharper = {sp.Ge: sp.Gt, sp.Le: sp.Lt, sp.Eq: lambda *sides: sp.false}
    return tuple(_replaced(condition, sharper) for condition in conditions)


def _replaced(condition: sp.Basic, relations: Mapping[Any, Any]) -> sp.Basic:
    """A condition with other relations in the place of its own; a "not" is first moved into the relations."""
    condition = sp.to_nnf(condition)
    if isinstance(condition, sp.And | sp.Or):
        return condition.func(*(_replaced(part, relations) for part in condition.args))
    make = relations.get(condition.func)
    return make(*condition.args) if make else condition


def on_boundaries(expression: sp.Expr, conditions: Conditions) -> sp.Expr:
    """The expression with the variables replaced that the conditions confine to a boundary."""
    return expression.xreplace(dict(boundaries(conditions)))


def boundaries(conditions: Conditions) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
    """The variables that are given by others where a condition is an equation, or another one's opposite."""
    differences = [
        (relation, sp.expand(relation.gts - relation.lts))
        for relation in conditions
        if isinstance(relation, sp.GreaterThan | sp.LessThan)
    ]
    zeros = [relation.lhs - relation.rhs for relation in conditions if isinstance(relation, sp.Eq)]
    zeros += [a for (_, a), (_, b) in itertools.combinations(differences, 2) if _opposite(a, b)]
    known: dict[sp.Symbol, sp.Expr] = {}
    for zero in zeros:
        place = solved(zero.xreplace(known))
        if place is None:
            continue
        known = {variable: value.xreplace({place[0]: place[1]}) for variable, value in known.items()}
        known[place[0]] = place[1]
    yield from known.items()


def _opposite(a: sp.Expr, b: sp.Expr) -> bool:
    """Whether a = -q b for a positive rational q."""
    ratio = sp.cancel(-a / b) if b != 0 else sp.S.Zero
    return bool(ratio.is_Rational and ratio > 0)


def solved(expression: sp.Expr) -> tuple[sp.Symbol, sp.Expr] | None:
    """A variable in which the expression is linear with a rational slope, and its value where that is 0."""
    expanded = sp.expand(expression)
    for variable in sorted(expanded.free_symbols, key=str):
        slope = expanded.coeff(variable)
        rest = sp.expand(expanded - slope * variable)
        if slope.is_Rational and slope != 0 and not rest.has(variable):
            return variable, -rest / slope
    return None


def relations(condition: sp.Basic) -> Sequence[sp.Basic]:
    """The relations in a condition."""
    return sorted(condition.atoms(Relational), key=sp.default_sort_key)
