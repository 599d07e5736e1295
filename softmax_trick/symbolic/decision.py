"""Is an expression identically zero? Zero, with the reduction; not zero, with an exact point; or undecided.

"Zero" rests on the normal form alone, never on numbers; "not zero" on a rigorous enclosure that excludes 0 at an exact
point. `simplify(e) == 0` is a heuristic and is used nowhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import sympy as sp
from sympy.concrete.expr_with_limits import ExprWithLimits

from softmax_trick.symbolic.conditions import Condition, conditions
from softmax_trick.symbolic.contraction import contract
from softmax_trick.symbolic.enclosure import NotEnclosable, enclose
from softmax_trick.symbolic.fractions import Undefined
from softmax_trick.symbolic.indexed import (
    BoundIndex,
    K,
    SumOver,
    entry_symbol,
    index_positions,
    instantiate,
    replaced,
)
from softmax_trick.symbolic.normal_form import normal_form
from softmax_trick.symbolic.replay import confirm
from softmax_trick.symbolic.stand_ins import StandIns
from softmax_trick.system.shown import Shown

POINTS_TRIED = 48
PRECISIONS = (64, 256)
CLASSES_TRIED = (2, 1, 3)  # two classes make the most readable counterexamples
ASSIGNMENTS_TRIED = 64  # of indices and labels, for each K
MOST_NAMED = 4  # classes that an expression names by their number, as x_4 does
BINDING = (ExprWithLimits, sp.Limit, sp.Derivative, sp.Subs, sp.Lambda)

# K, the values of free indices, those of labels, the expression there, and a point.
Instance = tuple[int, dict[sp.Symbol, int], dict[sp.Symbol, int], sp.Expr, dict[sp.Symbol, sp.Expr]]


@dataclass(frozen=True, repr=False)
class Witness(Shown):
    """An exact point at which an expression is not zero.

    Attributes:
        point: the exact value of every symbol.
        value: the exact value of the expression there, unevaluated where it is transcendental.
        enclosure: a decimal ball that contains the value and excludes 0.
        classes: K, if the expression was one in symbolic K.
        indices: the values of the free indices, if it had any.
    """

    point: dict[sp.Symbol, sp.Expr]
    value: sp.Expr
    enclosure: str
    classes: int | None = None
    indices: dict[sp.Symbol, int] | None = None

    def __str__(self) -> str:
        at = {"K": self.classes} if self.classes else {}
        at |= {str(name): value for name, value in ((self.indices or {}) | self.point).items()}
        return f"{self.enclosure} at {', '.join(f'{name} = {value}' for name, value in at.items())}"


@dataclass(frozen=True, repr=False)
class Decision(Shown):
    """What was decided about an expression: "zero", "nonzero" (with a witness), or "undecided" (with the reason).

    Attributes:
        status: "zero" means zero wherever the expression has a value.
        reduction: how it was reduced.
        witness: where it is not zero.
        reason: why it is undecided.
        conditions: where a zero has a value: denominators that are not 0, arguments of logarithms that are positive,
            radicands that are not negative, as far as the assumptions on the symbols do not say so. Empty: everywhere.
        replay: at which K a zero was found again by `softmax_trick.symbolic.replay`, or why it was not.
    """

    status: Literal["zero", "nonzero", "undecided"]
    reduction: tuple[str, ...] = ()
    witness: Witness | None = None
    reason: str = ""
    conditions: tuple[Condition, ...] = ()
    replay: str = ""

    def __str__(self) -> str:
        where = f", where {' and '.join(map(str, self.conditions))}" if self.conditions else ""
        return f"{self.status}{where}" + "".join(f": {one}" for one in (self.witness, self.reason) if one)


NOTHING = Decision("zero", ("numerator: 0", "denominator: 1"), replay="nothing is left to replay")


def decide(expression: sp.Expr | int, given: Mapping[sp.Expr, sp.Expr] | None = None, fewest: int = 1) -> Decision:
    """Decide whether an expression is zero wherever it is defined; for symbolic K, for every K and every index.

    Symbols stand for real numbers, and the logarithm of what is not positive has no value: log x - log(-x), which has
    none anywhere, is undecided. So is what is not made of exact real numbers, and an index that may leave 1..K.

    Args:
        expression: rational functions, exponentials and logarithms of symbols and entries x_i, sums over the classes
            and Kronecker deltas. Other functions are allowed; they are taken as unknown quantities, so that "zero"
            stays a proof. An index is a symbol, the number of a class, or a label: the entry c_k of a vector of
            integers in 1..K. What names an entry of class n speaks of K >= n.
        given: values of sums over the classes, such as {sum_k t_k: 1}. A sum given the value 1 is that of a
            distribution: witnesses are looked for among the points that obey it.
        fewest: for symbolic K, the least K that is meant.

    Returns:
        a Decision; its status is "undecided" if neither a proof nor a point was found.

    Raises:
        TypeError: it is not a scalar SymPy expression or an int. Text is not parsed.
        ValueError: what is given is the value of something else than the sum of a vector of symbols.
        Disagreement: it was reduced to zero, and is not zero by the replay: one of the two is in error.
    """
    if isinstance(expression, int):
        expression = sp.Integer(expression)
    if not isinstance(expression, sp.Expr):
        kind = type(expression).__name__
        raise TypeError(f"only a SymPy expression can be decided, not a {kind}; of a vector or matrix, decide an entry")
    values = given_values(given or {})
    if expression == 0:
        return NOTHING
    if expression.has(sp.Derivative):
        expression = expression.doit()
    if reason := refusal(expression):
        return Decision("undecided", reason=reason)
    symbolic = is_symbolic(expression)
    decision = _decide_for_every_k(expression, values, fewest) if symbolic else _decide_explicit(expression)
    if decision.status != "zero":
        return decision
    where = conditions(expression, values, fewest)
    if not _is_somewhere(expression, where, values, fewest):
        reason = "no point was found at which all its logarithms and roots are real"
        return replace(decision, status="undecided", reason=reason, conditions=())
    replayed = confirm(expression, "a zero", values, fewest)
    return replace(decision, conditions=(*decision.conditions, *where), replay=replayed)


def is_symbolic(expression: sp.Expr) -> bool:
    """Whether an expression speaks of every K."""
    return bool(expression.has(SumOver, sp.Indexed, sp.KroneckerDelta, K))


def given_values(given: Mapping[sp.Expr, sp.Expr]) -> dict[sp.Expr, sp.Expr]:
    """The values of sums of vectors.

    Raises:
        ValueError: it is no sum of a vector of symbols, or one of positive numbers that is not positive.
    """
    values = {}
    for total, value in given.items():
        entry = total.args[0] if isinstance(total, SumOver) else None
        if not isinstance(entry, sp.Indexed) or entry.indices != (BoundIndex(0),):
            raise ValueError(f"only the sum of a vector of symbols over all classes can be given a value, not {total}")
        values[total] = sp.sympify(value, strict=True)
        if not values[total].is_Rational or (entry.is_positive and values[total] <= 0):
            raise ValueError(f"{total} cannot be given the value {value}")
    return values


def refusal(expression: sp.Expr) -> str:
    """Why an expression is not decided at all, if it is not; parts inside sums count."""
    for node in sp.preorder_traversal(expression):
        if isinstance(node, sp.Float) or node is sp.I:
            return "it contains a floating-point or an imaginary number: only exact reals are decided"
        if node is sp.zoo or (isinstance(node, sp.Number) and not node.is_finite):
            return "a part of the expression has no finite value anywhere"
        if isinstance(node, sp.Symbol | sp.Indexed) and node.is_real is False:
            return f"{node} is no real number: only exact reals are decided"
        if isinstance(node, BINDING):
            return "it contains a sum, product, integral, limit or derivative of SymPy's: write sums by EVERY_K.sum"
    for position in index_positions(expression):
        if position == K:
            return "K is the number of classes and no index: give the class a name, index('n')"
        if not (position.is_Symbol or isinstance(position, sp.Indexed) or (position.is_Integer and position > 0)):
            return f"the index {position} may leave 1..K: an index is a symbol, the number of a class or a label"
    if (largest := named_class(expression)) > MOST_NAMED:
        return f"it names class {largest}: classes are named up to {MOST_NAMED}"
    return ""


# --- no sums: an expression in plain symbols --------------------------------------------------------------------------


def _decide_explicit(expression: sp.Expr) -> Decision:
    decision = _by_normal_form(expression)
    if decision.status == "undecided" and not decision.reason:
        for values in _points(_symbols(expression)):
            if witness := witness_at(expression, values):
                return replace(decision, status="nonzero", witness=witness)
        return replace(decision, reason="the normal form is not zero, and no point shows a difference")
    return decision


def _by_normal_form(expression: sp.Expr) -> Decision:
    """Zero if the normal form is; undecided, with a reason, if there is none."""
    try:
        form = normal_form(expression)
    except Undefined as error:
        return Decision("undecided", reason=str(error))
    return Decision("zero" if form.is_zero() else "undecided", tuple(form.steps()))


def _symbols(expression: sp.Basic) -> list[sp.Symbol]:
    return sorted(expression.free_symbols, key=lambda symbol: str(symbol.name))


def _is_somewhere(
    expression: sp.Expr, where: Sequence[Condition], given: Mapping[sp.Expr, sp.Expr], fewest: int
) -> bool:
    """Whether there is a point at which the logarithms and roots are real."""
    if all(condition.relation == "!= 0" for condition in where):
        return True
    if not is_symbolic(expression):
        return any(_holds_at(where, values) for values in _points(_symbols(expression)))
    for classes in _classes_tried(expression, fewest):
        for indices, labels in itertools.islice(_assignments(expression, classes), ASSIGNMENTS_TRIED):
            try:
                explicit = [one.instances(classes, indices, labels) for one in where]
            except ValueError:  # it names a class that is not there
                continue
            needed = tuple(itertools.chain(*explicit))
            symbols = _symbols(sp.Tuple(*(one.expression for one in needed)))
            if any(_holds_at(needed, point) for point in _points_given(symbols, given, classes)):
                return True
    return False


def _holds_at(where: Sequence[Condition], values: Mapping[sp.Symbol, sp.Expr]) -> bool:
    try:
        balls = [(enclose(one.expression, values, PRECISIONS[-1]), one.relation) for one in where]
    except NotEnclosable:
        return False
    return all(ball > 0 if relation != "!= 0" else 0 not in ball for ball, relation in balls)


def witness_at(expression: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> Witness | None:
    """The witness that the expression is not zero at this exact point, if a rigorous enclosure shows it."""
    for precision in PRECISIONS:
        try:
            ball = enclose(expression, values, precision)
        except NotEnclosable:
            continue
        if 0 not in ball:
            return Witness(dict(values), expression.xreplace(dict(values)), ball.str(12))
    return None


def _points(symbols: list[sp.Symbol]) -> Iterator[dict[sp.Symbol, sp.Rational]]:
    """Points, rational or integer and of the sign that the symbols are said to have; the same ones in every run."""
    random = Random(0)
    yield {symbol: (-1 if symbol.is_nonpositive else 1) * sp.Integer(1 + n % 3) for n, symbol in enumerate(symbols)}
    for size in range(2, POINTS_TRIED + 1):
        yield {symbol: _rational(random, symbol, size) for symbol in symbols}


def _rational(random: Random, symbol: sp.Symbol, size: int) -> sp.Rational:
    value = sp.Rational(random.randint(1, size), 1 if symbol.is_integer else random.randint(1, 3))
    if symbol.is_nonnegative:
        return value
    return -value if symbol.is_nonpositive else value * random.choice((-1, 1))


# --- sums over the classes: every K -----------------------------------------------------------------------------------


def _decide_for_every_k(expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr], fewest: int) -> Decision:
    steps: list[str] = []
    found: list[Decision] = []
    try:
        for text, reduced in reductions(expression, given, fewest):
            found.append(_by_normal_form(opaque(reduced)))
            steps += [f"case {text or 'general'}:", *(found[-1].reduction or [found[-1].reason])]
    except Undefined as error:
        return Decision("undecided", tuple(steps), reason=str(error))
    # A case in which the expression has no value, as x_i = x_j in 1 / (x_i - x_j), says nothing; unless it is the only.
    if all(case.status == "zero" or not case.reduction for case in found) and any(case.reduction for case in found):
        needed = named_entry(expression)
        return Decision("zero", tuple(steps), conditions=(Condition(K - needed, ">= 0"),) if needed > fewest else ())
    if witness := _witness_for_some_k(expression, given, fewest):
        return Decision("nonzero", tuple(steps), witness)
    reason = next((case.reason for case in found if case.reason), "it is not reduced to zero in every case")
    return Decision("undecided", tuple(steps), reason=reason)


def reductions(expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr], fewest: int = 1) -> Iterator[tuple[str, sp.Expr]]:
    """What is zero if the expression is, case by case, and which case: together they are all these K and all indices.

    Where class n is named, as in delta(k, 2), the K below n are looked at one by one; if an entry of that class is
    named, as x_2, they are none that the expression speaks of.

    Raises:
        Undefined: a part of it has a value nowhere.
    """
    known = named_class(expression)
    for classes in range(max(fewest, named_entry(expression)), known):
        for indices, labels in _assignments(expression, classes):
            explicit = instantiate(expression, classes, indices, labels)
            values = ", ".join(f"{name} = {value}" for name, value in {K: classes, **indices, **labels}.items())
            yield values, explicit.xreplace(_without_last(given, classes))
    contracted = contract(contract(expression, known).xreplace(dict(given)), known)
    for case, specialised in cases(contracted):
        yield case, contract(contract(specialised, known).xreplace(dict(given)), known)


def named_class(expression: sp.Expr) -> int:
    """The largest number of a class that stands in the place of an index; 1 if there is none."""
    return max((int(position) for position in index_positions(expression) if position.is_Integer), default=1)


def named_entry(expression: sp.Expr) -> int:
    """The largest number of a class of which an entry is named; 1 if there is none."""
    return max((named_class(entry) for entry in expression.atoms(sp.Indexed)), default=1)


def cases(expression: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """The expression for every way in which free indices joined by a delta can be equal or different.

    A delta of a bound index is not split: it is 1 in some terms of its sum and 0 in others.
    """
    deltas = (delta for delta in expression.atoms(sp.KroneckerDelta) if not delta.has(BoundIndex))
    delta = min(deltas, key=sp.default_sort_key, default=None)
    if delta is None:
        yield "", expression
        return
    first, second = delta.args
    if not second.is_Symbol:
        first, second = second, first
    if second.is_Integer:
        first, second = second, first
    equal, different = (expression.xreplace({delta: value}) for value in (sp.S.One, sp.S.Zero))
    for case, specialised in cases(replaced(equal, second, first)):
        yield f"{first} = {second}" + (f", {case}" if case else ""), specialised
    for case, specialised in cases(different):
        yield f"{first} != {second}" + (f", {case}" if case else ""), specialised


def opaque(expression: sp.Expr) -> sp.Expr:
    """The expression with each sum and each entry replaced by a symbol: what holds for any values holds for these."""
    return StandIns().put_into(expression)


# --- points for some K ------------------------------------------------------------------------------------------------


def _witness_for_some_k(expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr], fewest: int) -> Witness | None:
    for classes, indices, labels, explicit, point in _instances(expression, given, fewest):
        if witness := witness_at(explicit, point):
            return replace(witness, point=witness.point | labels, classes=classes, indices=indices)
    return None


def _instances(expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr], fewest: int) -> Iterator[Instance]:
    """The expression for some K, some values of its indices and labels, and some points that obey what is given."""
    for classes in _classes_tried(expression, fewest):
        for indices, labels in itertools.islice(_assignments(expression, classes), ASSIGNMENTS_TRIED):
            try:
                explicit = instantiate(expression, classes, indices, labels)
            except ValueError:  # it names a class that is not there, or two things have one name
                continue
            for point in _points_given(_symbols(explicit), given, classes):
                yield classes, indices, labels, explicit, point


def _classes_tried(expression: sp.Expr, fewest: int) -> list[int]:
    named = named_class(expression)
    tried = dict.fromkeys((*CLASSES_TRIED, named, named + 1, fewest, fewest + 1))
    return [classes for classes in tried if classes >= fewest]


def _points_given(
    symbols: Sequence[sp.Symbol], given: Mapping[sp.Expr, sp.Expr], classes: int
) -> Iterator[dict[sp.Symbol, sp.Expr]]:
    """Points for these symbols, and for the entries of the sums that are given, with these sums."""
    for point in _points(sorted({*symbols, *_entries(given, classes)}, key=lambda symbol: str(symbol.name))):
        for total, value in given.items():
            point |= _on_simplex(total, value, point, classes)
        yield point


def _assignments(expression: sp.Expr, classes: int) -> Iterator[tuple[dict[sp.Symbol, int], dict[sp.Symbol, int]]]:
    """All values in 1..K of the free indices and of the labels."""
    indices = sorted(_free_indices(expression), key=sp.default_sort_key)
    labels = sorted(_labels(expression, classes), key=sp.default_sort_key)
    numbers = range(1, classes + 1)
    for values in itertools.product(numbers, repeat=len(labels)):
        for chosen in itertools.product(numbers, repeat=len(indices)):
            yield dict(zip(indices, chosen, strict=True)), dict(zip(labels, values, strict=True))


def _free_indices(expression: sp.Expr) -> set[sp.Symbol]:
    return {one for one in index_positions(expression) if one.is_Symbol and not isinstance(one, BoundIndex)}


def _labels(expression: sp.Expr, classes: int) -> set[sp.Symbol]:
    """The symbols of all labels for given K."""
    labels = {one.base: len(one.indices) for one in index_positions(expression) if isinstance(one, sp.Indexed)}
    numbers = range(1, classes + 1)
    return {entry_symbol(b, *at) for b, rank in labels.items() for at in itertools.product(numbers, repeat=rank)}


def _entries_of(total: sp.Expr, classes: int) -> list[sp.Symbol]:
    return [entry_symbol(total.args[0].base, n) for n in range(1, classes + 1)]


def _entries(given: Mapping[sp.Expr, sp.Expr], classes: int) -> set[sp.Symbol]:
    return {entry for total in given for entry in _entries_of(total, classes)}


def _without_last(given: Mapping[sp.Expr, sp.Expr], classes: int) -> dict[sp.Symbol, sp.Expr]:
    """The last entry of each vector whose sum is given, in terms of the others."""
    entries = {total: _entries_of(total, classes) for total in given}
    return {own[-1]: given[total] - sp.Add(*own[:-1]) for total, own in entries.items()}


def _on_simplex(
    total: sp.Expr, value: sp.Expr, point: Mapping[sp.Symbol, sp.Expr], classes: int
) -> dict[sp.Symbol, sp.Expr]:
    """The entries of a given sum of entries, scaled so that they have the given total."""
    entries = _entries_of(total, classes)
    numbers = [abs(point[entry]) for entry in entries]
    return {entry: value * number / sum(numbers) for entry, number in zip(entries, numbers, strict=True)}
