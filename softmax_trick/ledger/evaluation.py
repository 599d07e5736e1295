"""The formulas of a claim, decided by the canonical form of the language, and in floating point by torch.

Both are readings of the same formulas from which SymPy's proof sets out; they share no algebra with it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from softmax_trick.language.expression import LanguageError, Variable, size_of
from softmax_trick.language.grammar import Statement
from softmax_trick.ledger.claims import Claim, Evidence, Outcome, Step
from softmax_trick.ledger.formulas import Formula, Part, fewest
from softmax_trick.ledger.steps import broken_off
from softmax_trick.readings.pointwise import Point

if TYPE_CHECKING:
    import torch

    from softmax_trick.deciding.decision import Decision
    from softmax_trick.deciding.points import Witness
    from softmax_trick.readings.tensors import Tensors

TOLERANCE = 1e-9  # relative, for entries within a few units: rounding stays below 1e-12, an error is far above
SIZES = range(1, 13)
EXAMPLES = 3  # for each size
TRIES = 100  # for an example that fulfils the conditions of a claim


# --- the canonical form -----------------------------------------------------------------------------------------------


def by_canonical_form(claim: Claim) -> Evidence:
    """What the canonical form says of all formulas of a claim, for every size.

    It is complete where the formulas are all that the claim says. Where a proof decides an equation, the canonical form
    only confirms it: it may give up. A counterexample counts if it fulfils every condition of the claim.
    """
    from softmax_trick.statements.conditions import said_by

    start = time.perf_counter()
    complete = not claim.statement
    evidence = Evidence("canonical form", "general", "every size", "holds", 0.0, complete=complete)
    steps: list[Step] = []
    conditions: dict[str, bool] = {}
    for formula in claim.stated:
        decision = _decision(formula)
        steps.append(Step(str(formula), "checked", decision.steps))
        conditions |= {one: said_by(one, formula.hypotheses) for one in decision.conditions}
        if decision.verdict == "refuted":
            witness = _as_text(decision.witness) if decision.witness else {}
            if formula.has_words:
                witness |= {"put in": "; ".join(decision.put)} if decision.put else {}
                witness |= {"why": decision.reason} if decision.reason else {}
            said = ": ".join(filter(None, [str(formula), decision.reason]))
            evidence = replace(evidence, outcome="fails", rung="exact", witness=witness, reason=said)
            steps.pop()
            break
        if decision.verdict != "proved":
            # Equations over the classes are SymPy's, too; nothing else decides the others.
            outcome: Outcome = "gave up" if formula.is_over_classes else "open"
            evidence = replace(evidence, outcome=outcome, reason=f"{formula}: {decision.reason}", complete=False)
            steps.pop()
            if outcome == "open":
                break
    return replace(
        evidence,
        scope="every size" if fewest(claim.where) == 1 else f"every size, K >= {fewest(claim.where)}",
        seconds=time.perf_counter() - start,
        steps=tuple(steps),
        conditions=tuple(conditions),
        unstated=tuple(one for one, said in conditions.items() if not said),
    )


def _decision(formula: Formula) -> Decision:
    """The decision on the domain that the formula's conditions leave: a counterexample outside of it says nothing."""
    from softmax_trick.statements.statement import decide_statement

    if formula.has_words:
        return _decision_on_words(formula)
    try:
        decision = decide_statement(formula.decided, repair=False)
        if decision.witness is None or not (excluded := formula.excluded_at(_point(decision.witness))):
            return decision
        given = {"K": max(2, fewest(formula.where))}
        at_size = decide_statement(replace(formula.decided, sizes=given), repair=False)
        if at_size.witness is not None and not formula.excluded_at(_point(at_size.witness)):
            return at_size
    except LanguageError as error:
        return _undecided(str(error))
    return _undecided(f"false, but no counterexample was found where {excluded}")


def _decision_on_words(formula: Formula) -> Decision:
    """The decision on a statement with words: its conditions are hypotheses."""
    from softmax_trick.statements.proposition import decide_proposition
    from softmax_trick.statements.putting import Putting

    try:
        return decide_proposition(formula.whole, Putting.of(formula.putting, formula.let), formula.statement.sizes)
    except LanguageError as error:
        return _undecided(str(error))


def _point(witness: Witness) -> Point:
    return Point(witness.sizes, witness.values, witness.indices)


def _undecided(reason: str) -> Decision:
    from softmax_trick.deciding.decision import Decision

    return Decision("undecided", "", reason=reason)


def _as_text(witness: Witness) -> dict[str, str]:
    """A witness as plain text: sizes, indices, the point, and the two sides."""
    point = {name: _entries(value) for name, value in witness.values.items()}
    entry = {"entry": ", ".join(map(str, witness.position))} if witness.position else {}
    numbers = {name: str(value) for name, value in (witness.sizes | witness.indices).items()}
    return {**numbers, **entry, **point, "left": witness.left, "right": witness.right}


def _entries(value: Any) -> str:
    return f"({', '.join(map(_entries, value))})" if isinstance(value, list) else str(value)


# --- torch ------------------------------------------------------------------------------------------------------------


def sampled(claim: Claim) -> Evidence:
    """The formulas in float64 at random points, gradients by autograd, through the torch reading of the language."""
    start = time.perf_counter()
    sizes = [size for size in SIZES if size >= fewest(claim.where)]
    scope = f"{EXAMPLES} random examples for each K <= {max(SIZES)}, float64"
    evidence = Evidence("torch reading", "sampled", scope, "holds", 0.0)
    try:
        for formula in claim.stated:
            if not formula.parts:
                raise LanguageError(f"logic alone leaves no formula of {formula}")
        for formula in (part for one in claim.stated for part in one.parts):
            if reason := _disagreement(formula, sizes):
                only_sufficient = isinstance(formula, Part) and formula.is_only_sufficient
                outcome: Outcome = "gave up" if only_sufficient else "fails"
                evidence = replace(evidence, outcome=outcome, reason=f"{formula}: {reason}")
                break
    except LanguageError as error:
        evidence = replace(evidence, outcome="gave up", reason=str(error))
    except Exception as error:
        evidence = broken_off(evidence, error)
    return replace(evidence, seconds=time.perf_counter() - start)


def _disagreement(formula: Formula, sizes: list[int]) -> str:
    """Where a formula fails first; "" if it never does."""
    chance = Random(0)
    for size in sizes:
        for _ in range(EXAMPLES):
            if reason := _fails_at(formula, size, chance):
                return f"for K = {size} {reason}"
    return ""


def _fails_at(formula: Formula, size: int, chance: Random) -> str:
    statement = formula.decided
    tensors = _an_example(formula, size, chance)
    if statement.relation == "psd":
        import torch

        matrix = tensors.value(statement.expressions[0]).detach()
        least = float(torch.linalg.eigvalsh((matrix + matrix.T) / 2).min())
        return "" if least >= -TOLERANCE * max(1.0, float(matrix.abs().max())) else f"an eigenvalue is {least:.3g}"
    if statement.relation == "conservative":
        import torch

        field, by = (tensors.value(one) for one in statement.expressions)
        rows = [torch.autograd.grad(entry, by, retain_graph=True, materialize_grads=True)[0] for entry in field]
        jacobian = torch.stack(rows)
        apart = float((jacobian - jacobian.T).abs().max())
        return "" if apart <= TOLERANCE else f"the Jacobian differs from its transpose by {apart:.3g}"
    left, right = (tensors.value(one).detach() for one in statement.expressions)
    scale = max(1.0, float(left.abs().max()), float(right.abs().max()))
    if statement.relation == "!=":
        least = float((left - right).abs().min())
        return "" if least > TOLERANCE * scale else "the two sides are equal"
    worst = float(_excess(statement.relation, left, right).max())
    return "" if worst <= TOLERANCE * scale else f"the sides differ by {worst:.3g}"


def _excess(relation: str, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """By how much a relation fails, entry by entry; not positive where it holds."""
    gap = left - right
    return {"==": gap.abs(), "<=": gap, "<": gap, ">=": -gap, ">": -gap}[relation]


def _an_example(formula: Formula, size: int, chance: Random) -> Tensors:
    """A random point on the domain that fulfils the conditions.

    Raises:
        LanguageError: none was found.
    """
    for _ in range(TRIES):
        tensors = _drawn_for(formula, size, chance)
        if all(_fulfils(tensors, condition) for condition in formula.conditions if condition.relation != "=="):
            return tensors
    raise LanguageError(f"of {TRIES} random points for K = {size} none fulfils {', '.join(formula.where)}")


def _fulfils(tensors: Tensors, condition: Statement) -> bool:
    left, right = (tensors.value(one).detach() for one in condition.expressions)
    match condition.relation:
        case "!=":
            return bool((left != right).all())
        case "<" | ">":
            return bool((_excess(condition.relation, left, right) < 0).all())
    return bool((_excess(condition.relation, left, right) <= 0).all())


def _drawn_for(formula: Formula, size: int, chance: Random) -> Tensors:
    """A random point for a formula and its conditions: what is said to be positive is, and what sums to 1 does."""
    from softmax_trick.readings.tensors import Tensors

    axes = {size_of(axis) for one in formula.variables for axis in (*one.axes, *filter(None, [one.along]))}
    sizes = {"K": size} | {name: size if name == "K" else chance.randint(1, 4) for name in axes}
    free = {
        *formula.free,
        *(i for condition in formula.conditions for side in condition.expressions for i in side.free),
    }
    indices = {
        index.name: chance.randint(1, sizes.setdefault(size_of(index.axis), size))
        for index in sorted(free, key=lambda one: one.name)
    }
    values = {one.name: _drawn(one, sizes, chance) for one in formula.variables}
    for condition in formula.conditions:
        left = condition.expressions[0]
        if isinstance(left, Variable) and condition.relation in (">", ">=") and left.kind == "real":
            values[left.name] = values[left.name].exp()
    for vector in formula.distributions:
        if vector.kind != "distribution":
            values[vector.name] = values[vector.name] / values[vector.name].sum()
    return Tensors(values, sizes, indices)


def _drawn(variable: Any, sizes: Mapping[str, int], chance: Random) -> torch.Tensor:
    """A random tensor on the domain of a variable: entries within a few units, labels from 0."""
    import torch

    shape = [sizes[size_of(axis)] for axis in variable.axes]
    generator = torch.Generator().manual_seed(chance.getrandbits(32))
    if variable.kind == "label":
        return torch.randint(sizes[size_of(variable.along)], shape, generator=generator)
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    match variable.kind:
        case "positive" | "nonnegative":
            return normal.exp()
        case "unit":
            return normal.sigmoid()
        case "distribution":
            return normal.softmax(variable.axes.index(variable.along))
    return normal
