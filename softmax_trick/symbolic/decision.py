"""Is an expression identically zero? Zero, with the reduction; not zero, with an exact point; or undecided.

"Zero" rests on the normal form alone, never on numbers; "not zero" on a rigorous enclosure that excludes 0 at an exact
point. `simplify(e) == 0` is a heuristic and is used nowhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import sympy as sp

from softmax_trick.numeric import NotEnclosable, enclose
from softmax_trick.symbolic.fractions import Undefined
from softmax_trick.symbolic.indexed import K, SumOver, contract, entry_symbol, instantiate
from softmax_trick.symbolic.normal_form import normal_form

POINTS_TRIED = 48
PRECISIONS = (64, 256)
CLASSES_TRIED = (2, 1, 3)  # two classes make the most readable counterexamples


@dataclass(frozen=True)
class Witness:
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


@dataclass(frozen=True)
class Decision:
    """What was decided about an expression: "zero", "nonzero" (with a witness), or "undecided" (with the reason)."""

    status: Literal["zero", "nonzero", "undecided"]
    reduction: tuple[str, ...] = ()
    witness: Witness | None = None
    reason: str = ""


def decide(expression: sp.Expr | int, given: Mapping[sp.Expr, sp.Expr] | None = None) -> Decision:
    """Decide whether an expression is zero wherever it is defined; for symbolic K, for every K and every index.

    Symbols stand for real numbers, and the logarithm of what is not positive has no value: log x - log(-x), which has
    none anywhere, is undecided.

    Args:
        expression: rational functions, exponentials and logarithms of symbols and entries x_i, sums over the classes
            and Kronecker deltas. Other functions are allowed; they are taken as unknown quantities, so that "zero"
            stays a proof.
        given: values of sums over the classes, such as {sum_k t_k: 1}. A sum given the value 1 is that of a
            distribution: witnesses are looked for among the points that obey it.

    Returns:
        a Decision; its status is "undecided" if neither a proof nor a point was found.

    Raises:
        TypeError: it is not a scalar SymPy expression or an int. Text is not parsed.
        ValueError: what is given is the value of something else than the sum of a vector of symbols.
    """
    if isinstance(expression, int):
        expression = sp.Integer(expression)
    if not isinstance(expression, sp.Expr):
        kind = type(expression).__name__
        raise TypeError(f"only a SymPy expression can be decided, not a {kind}; of a vector or matrix, decide an entry")
    if expression.has(SumOver, sp.Indexed, sp.KroneckerDelta):
        return _decide_for_every_k(expression, given or {})
    return _decide_explicit(expression)


# --- no sums: an expression in plain symbols --------------------------------------------------------------------------


def _decide_explicit(expression: sp.Expr) -> Decision:
    if expression.has(sp.Float, sp.I):
        return Decision(
            "undecided", reason="it contains a floating-point or an imaginary number: only exact reals are decided"
        )
    try:
        form = normal_form(expression)
    except Undefined as error:
        return Decision("undecided", reason=str(error))
    steps = tuple(form.steps())
    symbols = sorted(expression.free_symbols, key=lambda symbol: str(symbol.name))
    if form.is_zero():
        if _is_surely_defined(expression) or any(_is_defined_at(expression, values) for values in _points(symbols)):
            return Decision("zero", reduction=steps)
        return Decision("undecided", reduction=steps, reason="no point was found at which all its logarithms are real")
    for values in _points(symbols):
        if witness := witness_at(expression, values):
            return Decision("nonzero", reduction=steps, witness=witness)
    return Decision("undecided", reduction=steps, reason="the normal form is not zero, and no point shows a difference")


def _is_surely_defined(expression: sp.Expr) -> bool:
    """Whether every logarithm is of something positive."""
    return all(node.args[0].is_positive for node in expression.atoms(sp.log))


def _is_defined_at(expression: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> bool:
    try:
        enclose(expression, values, PRECISIONS[-1])
    except NotEnclosable:
        return False
    return True


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


def _decide_for_every_k(expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr]) -> Decision:
    for total in given:
        if not (isinstance(total, SumOver) and isinstance(total.body, sp.Indexed)):
            raise ValueError(f"only the sum of a vector of symbols can be given a value, not {total}")
    values = {contract(total): sp.sympify(value, strict=True) for total, value in given.items()}
    steps: list[str] = []
    for case, specialised in cases(sp.expand_log(contract(expression))):
        reduced = contract(specialised).xreplace(values)
        decision = _decide_explicit(opaque(reduced))
        steps += [f"case {case or 'general'}:", *decision.reduction]
        if decision.status != "zero":
            witness = _witness_for_some_k(expression, values)
            if witness:
                return Decision("nonzero", tuple(steps), witness)
            return Decision("undecided", tuple(steps), reason=decision.reason or f"not reduced to zero in case {case}")
    return Decision("zero", tuple(steps))


def cases(expression: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """The expression for every way in which free indices joined by a delta can be equal or different."""
    deltas = sorted(expression.atoms(sp.KroneckerDelta), key=sp.default_sort_key)
    if not deltas:
        yield "", expression
        return
    delta = deltas[0]
    first, second = delta.args
    if not second.is_Symbol:
        first, second = second, first
    for case, specialised in cases(expression.xreplace({delta: sp.S.One}).xreplace({second: first})):
        yield f"{first} = {second}" + (f", {case}" if case else ""), specialised
    for case, specialised in cases(expression.xreplace({delta: sp.S.Zero})):
        yield f"{first} != {second}" + (f", {case}" if case else ""), specialised


def opaque(expression: sp.Expr) -> sp.Expr:
    """The expression with each sum and each entry replaced by a symbol: what holds for any values holds for these."""
    replaced = expression
    while sums := replaced.atoms(SumOver):
        outer = [total for total in sums if not any(total in other.atoms(SumOver) - {other} for other in sums)]
        replaced = replaced.xreplace({total: _stand_in(total) for total in outer})
    return replaced.xreplace({entry: _stand_in(entry) for entry in replaced.atoms(sp.Indexed)})


def _stand_in(node: sp.Expr) -> sp.Symbol:
    return sp.Symbol(f"<{node}>", real=True, positive=node.is_positive)


def _witness_for_some_k(expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr]) -> Witness | None:
    indices = sorted(_free_indices(expression), key=str)
    for classes in CLASSES_TRIED:
        for values in itertools.product(range(1, classes + 1), repeat=len(indices)):
            chosen = dict(zip(indices, values, strict=True))
            explicit = instantiate(expression, classes, chosen)
            symbols = sorted(explicit.free_symbols | _entries(given, classes), key=lambda symbol: str(symbol.name))
            for point in _points(symbols):
                for total, value in given.items():
                    point |= _on_simplex(total, value, point, classes)
                if witness := witness_at(explicit, point):
                    return replace(witness, classes=classes, indices=chosen)
    return None


def _free_indices(expression: sp.Expr) -> set[sp.Symbol]:
    entries = {argument for node in expression.atoms(sp.Indexed, sp.KroneckerDelta) for argument in node.args}
    return {index for index in entries if index.is_Symbol and index in expression.free_symbols and index != K}


def _entries(given: Mapping[sp.Expr, sp.Expr], classes: int) -> set[sp.Symbol]:
    return set().union(*(instantiate(total, classes).free_symbols for total in given))


def _on_simplex(
    total: sp.Expr, value: sp.Expr, point: Mapping[sp.Symbol, sp.Expr], classes: int
) -> dict[sp.Symbol, sp.Expr]:
    """The entries of a given sum of entries, scaled so that they have the given total."""
    entries = [entry_symbol(total.body.base, n) for n in range(1, classes + 1)]
    numbers = [abs(point[entry]) for entry in entries]
    return {entry: value * number / sum(numbers) for entry, number in zip(entries, numbers, strict=True)}
