"""Counterexamples to a relation that fulfil the conditions under which it is said to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from softmax_trick.deciding.decision import Decision
from softmax_trick.deciding.points import Witness, witness_where
from softmax_trick.language.expression import Expression, entry_of, size_of
from softmax_trick.language.proposition import TURNED, Related, variables_in
from softmax_trick.readings.pointwise import Point, any_value
from softmax_trick.statements.obligations import Obligation


def is_fulfilled(conditions: tuple[Related, ...], witness: Witness) -> bool:
    """Whether conditions hold at a witness, exactly."""
    if not conditions:
        return True
    from softmax_trick.readings.algebraic import holds_at  # SymPy, where it is needed only

    return all(holds_at(one, Point(witness.sizes, witness.values, witness.indices)) for one in conditions)


def whole(one: Obligation, found: Decision) -> Decision:
    """A counterexample with the values of the names that hypotheses determine, where those are exact numbers."""
    witness = found.witness
    if witness is None:
        return found
    if not one.determined:
        return found
    from softmax_trick.readings.algebraic import value_at

    values, sizes = dict(witness.values), dict(witness.sizes)
    for expression in one.determined.values():  # in which something may stand that cancelled: it is any
        for variable in variables_in(expression):
            for axis in (*variable.axes, *filter(None, [variable.along])):
                sizes.setdefault(size_of(axis), 1)
            values.setdefault(variable.name, any_value(variable, sizes))
    for name, expression in one.determined.items():
        value = value_at(expression, Point(sizes, values, witness.indices))
        if value is not None:
            values[name] = value
    return replace(found, witness=replace(witness, values=values, sizes=sizes))


def elsewhere(one: Obligation, says: Related, sizes: Mapping[str, int]) -> Decision | None:
    """A counterexample that fulfils the conditions, if there is one at the points that are tried."""
    from softmax_trick.readings.algebraic import holds_at

    if says.relation not in TURNED:
        return None
    turned = says.relation in (">=", ">")
    left, right = says.sides[::-1] if turned else says.sides

    def fulfils(point: Point, equal_at: tuple[int, ...] | None) -> bool:
        equal = [] if equal_at is None else [_equal(left, right, equal_at)]
        return all(holds_at(two, point) for two in (*one.conditions, *equal))

    others = [variable for condition in one.conditions for side in condition.sides for variable in variables_in(side)]
    found = witness_where(left, right, fulfils, others, sizes, TURNED[says.relation] if turned else says.relation)
    if found is None:
        return None
    found = replace(found, left=found.right, right=found.left) if turned else found
    return whole(one, Decision("refuted", "", witness=found, relation=says.relation))


def _equal(left: Expression, right: Expression, at: tuple[int, ...]) -> Related:
    return Related("==", tuple(entry_of(side, *at) if side.axes else side for side in (left, right)))
