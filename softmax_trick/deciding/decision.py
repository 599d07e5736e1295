"""Whether two formulas are equal, for every size: decided, or said to be undecided.

"Equal" means: equal at every point at which both sides are defined. Under which conditions that is, is part of a
decision. False statements end in an exact point at which Arb encloses the two sides in disjoint balls; true ones in a
canonical form of their difference that has no terms, which is then replayed at given sizes by code that shares nothing
with the reduction.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from softmax_trick.deciding.points import Witness, compare, least_sizes
from softmax_trick.deciding.ranges import constant_of, range_of
from softmax_trick.deciding.replay import Disagreement, replay
from softmax_trick.language.expression import (
    Apply,
    AxesError,
    Call,
    Derivative,
    Expression,
    LanguageError,
    Number,
    fitted,
    shape,
    size_of,
)
from softmax_trick.language.functions import total
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.names import names_in_words
from softmax_trick.language.text import to_text
from softmax_trick.readings.canonical import Canonical, Place, Polynomial, TooLarge, Undefined
from softmax_trick.readings.written import written
from softmax_trick.system.shown import Shown

NAMES = "ijklmnpqr"  # of the indices at which entries are compared
GLANCE = 3  # points that are looked at first: at most of them a false statement ends
MANY = 40  # points that are looked at where the reduction does not end in zero
RUNS = 4  # in practice two: the second knows what the first found to be positive

Verdict = Literal["proved", "refuted", "undecided"]


@dataclass(frozen=True, repr=False)
class Decision(Shown):
    """Whether two formulas are equal.

    Attributes:
        verdict: "proved", "refuted" or "undecided".
        scope: for which sizes: "for every K >= 1".
        conditions: where both sides are defined, as far as it is not everywhere: what must hold besides the
            declarations for the equality to say something.
        witness: a point at which the sides differ, if refuted.
        reason: what stood in the way, if undecided.
        nearest: of a wrong equation, what the wrong side should read; None if it was not looked for, or not found.
        slip: in words, what was wrong.
        put: in words, what was put in for what is said to exist, or for a name that a hypothesis determines.
        relation: what was decided: "==", "<=", "<", ">=", ">", "psd" or "conservative"; "" of a statement with words.
        steps: the reduction.
        seconds: wall time.
        names: of formulas as text, how each name was read: {"x": "vector over K"}.
    """

    verdict: Verdict
    scope: str
    conditions: tuple[str, ...] = ()
    witness: Witness | None = None
    reason: str = ""
    steps: tuple[str, ...] = ()
    seconds: float = 0.0
    nearest: Expression | None = None
    slip: str = ""
    put: tuple[str, ...] = ()
    relation: str = "=="
    names: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        from softmax_trick.deciding.words import in_words

        return in_words(self)

    def __repr__(self) -> str:
        return "\n".join([*([names_in_words(self.names)] if self.names else []), str(self)])


def decide(left: Expression, right: Expression, sizes: Mapping[str, int] | None = None) -> Decision:
    """Whether two formulas are equal, at every point at which both are defined, for every size.

    Args:
        left: one side.
        right: the other side, with axes of the same sizes.
        sizes: sizes that are given, by the name of the axis; all others are free, and at least 1.

    Raises:
        AxesError: the axes do not fit.
        LanguageError: an index is free on one side only.
    """
    given = dict(sizes or {})
    left, right = fitted_sides(left, right)
    _same_indices(left, right)
    return decide_where(left, right, given, where_defined(left, right))


def decide_where(
    left: Expression, right: Expression, given: Mapping[str, int], conditions: tuple[str, ...]
) -> Decision:
    """Whether two formulas with fitted axes are equal, where it is known under which conditions both are defined.

    Args:
        left: one side.
        right: the other side.
        given: sizes that are given.
        conditions: the conditions, which become part of the decision.
    """
    begin = time.perf_counter()
    scope = scope_of(left, right, given)

    def decided(verdict: Verdict, **found: object) -> Decision:
        return Decision(verdict, scope, conditions, seconds=time.perf_counter() - begin, **found)  # type: ignore[arg-type]

    comparison = compare(left, right, given, points=GLANCE)
    if comparison.witness is not None:
        return decided("refuted", witness=comparison.witness)
    try:
        proof = _proof(left, right, given)
    except Undefined as error:
        return decided("undecided", reason=f"a side is defined nowhere, or not at equal indices: {error}")
    except (TooLarge, RecursionError) as error:
        return decided("undecided", reason=f"too large to be written out: {error}")
    if not proof.holds:
        comparison = compare(left, right, given, points=MANY)
        if comparison.witness is not None:
            return decided("refuted", witness=comparison.witness)
        return decided("undecided", reason=f"not reduced to zero: {proof.rest}", steps=proof.steps)
    if not (comparison.agreed or compare(left, right, given).agreed):
        return decided("undecided", reason="no point was found at which both sides are defined", steps=proof.steps)
    try:
        again = replay(left, right, given)
    except Disagreement as error:  # an error in one of the two, never a verdict
        return decided("undecided", reason=f"the engines disagree, please report it: {error}", steps=proof.steps)
    return decided("proved", steps=(*proof.steps, str(again)))


def fitted_sides(left: Expression, right: Expression) -> tuple[Expression, Expression]:
    """The sides with their unknown axes fitted to each other; a scalar beside a vector is spread.

    Raises:
        AxesError: they do not fit.
    """
    if not left.axes or not right.axes:
        return left, right
    for one, other, is_left in ((left, right, True), (right, left, False)):
        chosen = fitted(one, other.axes)
        if chosen is not None:
            return (chosen, other) if is_left else (other, chosen)
    raise AxesError(f"the left side is {shape(left.axes)}, the right side is {shape(right.axes)}")


def _same_indices(left: Expression, right: Expression) -> None:
    for one, other, side in ((left, right, "left"), (right, left, "right")):
        alone = one.free - other.free
        if alone and other.free:
            names = ", ".join(sorted(index.name for index in alone))
            raise LanguageError(f"{names} is free on the {side} side only")


def scope_of(left: Expression, right: Expression, given: Mapping[str, int]) -> str:
    """The sizes for which it is said, in words."""
    return scope_of_all((left, right), given)


def scope_of_all(expressions: Sequence[Expression], given: Mapping[str, int]) -> str:
    """The sizes for which something is said of some expressions, in words."""
    least = least_sizes(*expressions)
    parts = [f"{name} >= {size}" for name, size in sorted(least.items()) if name not in given]
    fixed = [f"{name} = {size}" for name, size in sorted(given.items()) if name in least]
    if not parts and not fixed:
        return "for all values"
    every = f"for every {', '.join(parts)}" if parts else ""
    return f"{every}{' and ' if parts and fixed else ''}{'for ' if fixed else ''}{', '.join(fixed)}"


# --- the proof --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Proof:
    """What a reduction came to: whether it is zero, what is left over, and the steps."""

    holds: bool
    rest: str
    steps: tuple[str, ...]


def _proof(left: Expression, right: Expression, given: Mapping[str, int]) -> _Proof:
    facts: frozenset[Hashable] = frozenset()
    for _ in range(RUNS):
        algebra = Canonical(given, facts)
        reading = Reading(algebra)
        found = []
        for at in entries_of(left if left.axes else right, given):
            one, other = (reading.entry(side, at if side.axes else ()) for side in (left, right))
            found.append((at, one, other))
        left_over = []
        for at, one, other in found:
            difference = algebra.add(one, {monomial: -c for monomial, c in other.items()})
            if not algebra.is_zero(difference):
                left_over.append((at, difference))
        if not left_over or algebra.facts <= facts:
            break
        facts |= algebra.facts
    steps = [step for at, one, other in found for step in _steps(at, one, other)]
    if left_over:
        return _Proof(False, written(algebra.numerator(left_over[0][1])), tuple(steps))
    return _Proof(True, "", (*steps, "their difference has no terms"))


def _steps(at: tuple[Place, ...], left: Polynomial, right: Polynomial) -> Iterator[str]:
    entry = f"entry [{', '.join(str(place[2]) for place in at)}]: " if at else ""
    yield f"{entry}left  = {written(left)}"
    yield f"{entry}right = {written(right)}"


def entries_of(side: Expression, given: Mapping[str, int]) -> Iterator[tuple[Place, ...]]:
    """The entries that are compared: one at free indices; along axes of given size, all."""
    taken = {index.name for index in side.free} | {variable.name for variable in side.variables}
    names = iter([name for name in NAMES if name not in taken] + [f"i_{n}" for n in range(len(side.axes))])
    choices: list[list[Place]] = []
    for axis in side.axes:
        size = size_of(axis)
        if size in given:
            choices.append([("given", size, n) for n in range(1, given[size] + 1)])
        else:
            choices.append([("free", size, next(names))])

    def product(rest: list[list[Place]]) -> Iterator[tuple[Place, ...]]:
        if not rest:
            yield ()
            return
        for place in rest[0]:
            for tail in product(rest[1:]):
                yield (place, *tail)

    return product(choices)


# --- where both sides are defined -------------------------------------------------------------------------------------


def where_defined(*sides: Expression) -> tuple[str, ...]:
    """Where both sides are defined, as far as the declarations do not say so already."""
    return tuple(dict.fromkeys(text for side in sides for text in _asked(side, smooth=False)))


def _asked(node: Expression, smooth: bool) -> Iterator[str]:
    """What a node and everything in it ask for.

    Args:
        node: the node.
        smooth: whether it is differentiated: then it also must not be at a kink.
    """
    match node:
        case Derivative():
            yield from _asked(node.function, True)
            if node.direction is not None:
                yield from _asked(node.direction, smooth)
            return
        case Apply():
            yield from _asked_byentries_of(node, smooth)
        case Call(function, arguments):
            u = arguments[0]
            match function:
                case "max" | "min" if smooth:
                    yield f"the {'largest' if function == 'max' else 'smallest'} entry of {_short(u)} is attained once"
                case "norm" if smooth and not range_of(node).positive:
                    yield f"{_short(node)} != 0"
                case "softmax" if len(arguments) > 1 and not range_of(arguments[1]).nonnegative:
                    yield f"{_short(arguments[1])} + {_short(total(_exp(u)))} != 0"
                case "ce":
                    yield from _positive(arguments[1])
                case "kl":
                    yield from _positive(arguments[0])
                    yield from _positive(arguments[1])
                case "entropy":
                    yield from _positive(u)
    for child in node.children:
        yield from _asked(child, smooth)


def _asked_byentries_of(node: Apply, smooth: bool) -> Iterator[str]:
    u, *more = node.arguments
    match node.function:
        case "divide":
            yield from _nonzero(more[0])
        case "log":
            yield from _positive(u)
        case "log1p":
            if not range_of(1 + u).positive:
                yield f"{_short(u)} > -1"
        case "sqrt":
            yield from _positive(u) if smooth else _nonnegative(u)
        case "power":
            exponent = constant_of(more[0])
            if exponent is None:
                yield from _positive(u)
            elif exponent.denominator != 1:
                yield from _positive(u) if smooth or exponent < 0 else _nonnegative(u)
            elif exponent < 0:
                yield from _nonzero(u)
        case "step" | "sign":
            yield from _nonzero(u)
        case "less":
            yield from _nonzero(more[0] - u)
        case "relu" | "abs" if smooth:
            yield from _nonzero(u)
        case "maximum" | "minimum" if smooth:
            yield from _nonzero(u - more[0])
        case "clip" if smooth:
            yield from _nonzero(u - more[0])
            yield from _nonzero(u - more[1])


def _exp(u: Expression) -> Expression:
    return Apply("exp", (u,), u.axes)


def _positive(u: Expression) -> Iterator[str]:
    if not range_of(u).positive:
        yield f"{_short(u)} > 0"


def _nonnegative(u: Expression) -> Iterator[str]:
    if not range_of(u).nonnegative:
        yield f"{_short(u)} >= 0"


def _nonzero(u: Expression) -> Iterator[str]:
    """That u is not 0, said of what decides that: of a and b for a*b, of a for -a, |a|, a**2 and a - 0."""
    match u:
        case Apply("multiply", (a, b)):
            yield from _nonzero(a)
            yield from _nonzero(b)
            return
        case Apply("divide" | "negative" | "abs" | "square" | "sqrt", (a, *_)):
            yield from _nonzero(a)
            return
        case Apply("power", (a, Number(n))) if n > 0:
            yield from _nonzero(a)
            return
        case Apply("subtract", (Number(n), a) | (a, Number(n))) if n == 0:
            yield from _nonzero(a)
            return
    between = range_of(u)
    if not (between.positive or between.negative):
        yield f"{_short(u)} != 0"


def _short(u: Expression) -> str:
    return to_text(u)
