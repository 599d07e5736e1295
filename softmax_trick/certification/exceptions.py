"""Parameters for which F is another function than for almost all: those at which a denominator or a component vanishes.

b^2 e^x1/(b^2 e^x1 + e^x2) has the SoftMax trick for b != 0; at b = 0 its first component is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp

from softmax_trick.certification.domain import Need
from softmax_trick.certification.function import Function
from softmax_trick.certification.pieces import Conditions
from softmax_trick.certification.written import written
from softmax_trick.symbolic import normal_form
from softmax_trick.symbolic.fractions import PolynomialRing, Undefined

MOST = 8


def excluded(F: Function, needs: Sequence[Need]) -> Conditions:
    """Conditions on parameters alone, which F needs in order to be defined, or not to have a component that is 0."""
    parameters = set(F.parameters)
    found: list[sp.Basic] = []
    for need in needs:
        if need.guards or need.kind == "covered":
            continue
        if need.kind != "nonzero":
            if need.expression.free_symbols and need.expression.free_symbols <= parameters:
                found.append((sp.Gt if need.kind == "positive" else sp.Ge)(need.expression, 0))
            continue
        found += [sp.Ne(factor, 0) for factor in _factors(need.expression, parameters)]
    for component in F.components:
        found += [sp.Ne(factor, 0) for factor in _factors(component, parameters)]
    return tuple(one for one in dict.fromkeys(found) if one not in (sp.true, sp.false))[:MOST]


def _factors(expression: sp.Expr, parameters: set[sp.Symbol]) -> Iterator[sp.Expr]:
    """The factors of the numerator in which there are parameters alone."""
    if not expression.free_symbols & parameters or expression.has(sp.Piecewise):
        return
    try:
        form = normal_form(expression)
    except Undefined:
        return
    ring = PolynomialRing(form.symbols)
    for factor, _ in form.fraction.numerator.factor()[1]:
        found = ring.expression(factor)
        while atoms := found.free_symbols & form.atoms.keys():
            found = found.xreplace({atom: form.atoms[atom].doit() for atom in atoms})
        if found.free_symbols and found.free_symbols <= parameters:
            yield found


def in_words(condition: sp.Basic) -> str:
    """A condition as text."""
    signs = {sp.Ne: "!=", sp.Gt: ">", sp.Ge: ">="}
    return f"{written(condition.lhs)} {signs[condition.func]} {written(condition.rhs)}"
