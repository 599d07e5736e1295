"""Random formulas: the readings of the language agree with each other, and the canonical form with the formula.

A sample runs in CI. `python tests/test_language_fuzz.py readings 20000 --seed 1` tries so many (and prints the smallest
formula of each kind of failure); `canonical` instead of `readings` tries the canonical form against the formula itself.

Run once: `canonical 20000` with the seeds 1, 2 and 7, 73,800 balls each, no form outside its ball. (A planted error,
sums numbered without regard to those inside them, is found in the first 1,500: sum[n:K] logsumexp([m:K] S[m, n]).)
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import flint
import pytest
from canonical_values import Recording, Values
from random_formulas import Generator

from softmax_trick.deciding.points import least_sizes, random_point
from softmax_trick.language.expression import Definition, Expression, size_of
from softmax_trick.language.interpreter import Reading
from softmax_trick.readings.canonical import TooLarge
from softmax_trick.readings.canonical import Undefined as DefinedNowhere
from softmax_trick.readings.enclosure import Balls, Enclosure
from softmax_trick.readings.pointwise import Point, Unclear, Undefined
from softmax_trick.readings.residues import LEVELS, Chain, Model, sample
from softmax_trick.readings.written import written
from softmax_trick.system.interrupted import OutOfTime, interrupted_after

SIZES = ({"K": 1, "D": 1, "N": 1}, {"K": 2, "D": 3, "N": 2}, {"K": 3, "D": 2, "N": 1}, {"K": 2, "D": 1, "N": 3})
HALF = Fraction(1, 2)
ROUNDING = 1e-7  # of float64 against a ball, relative to the largest number on the way (see `torch_agrees`)


def sizes_for(expression: Expression, number: int) -> dict[str, int]:
    """Sizes of every axis of a formula."""
    known = SIZES[number % len(SIZES)]
    return {name: max(least, known.get(name, 2)) for name, least in least_sizes(expression).items()}


def places(expression: Expression, sizes: dict[str, int]) -> list[tuple[int, ...]]:
    """The positions of the entries of a formula, some of them if there are many."""
    found = list(product(*(range(1, sizes[size_of(axis)] + 1) for axis in expression.axes)))
    return found if len(found) <= 9 else found[:: len(found) // 8]


def balls(expression: Expression, point: Point) -> dict[tuple[int, ...], flint.arb]:
    """The enclosures of the entries that have a value."""
    enclosure, found = Enclosure(point), {}
    for at in places(expression, dict(point.sizes)):
        try:
            found[at] = enclosure.entry(expression, at)
        except Undefined:
            continue
    return found


def torch_agrees(expression: Expression, sizes: dict[str, int], chance: Random) -> str | None:
    """None, or how torch's float64 differs from Arb's ball."""
    import torch

    from softmax_trick.readings.tensors import Tensors

    point = random_point(expression.variables, sizes, {}, chance)
    values = {}
    for one in expression.variables:
        entries = _map(float if one.kind != "label" else lambda label: label - 1, point.values[one.name])
        values[one.name] = torch.tensor(entries, dtype=torch.int64 if one.kind == "label" else torch.float64)
    tensor = Tensors(values, sizes).value(expression).detach()
    wanted = tuple(sizes[size_of(axis)] for axis in expression.axes)
    if tuple(tensor.shape) != wanted:
        return f"torch's shape is {tuple(tensor.shape)}, not {wanted}"
    # The same formula at values moved by half a unit in the last place tells how much rounding matters here.
    moved = Tensors({n: v * (1 + 1e-12) if v.is_floating_point() else v for n, v in values.items()}, sizes)
    sensitivity = (moved.value(expression).detach() - tensor).abs()
    for at, ball in balls(expression, point).items():
        place = tuple(k - 1 for k in at)
        found = float(tensor[place])
        STATISTICS["torch"] += 1
        scale = 1 + abs(float(ball.mid())) + 1e6 * float(sensitivity[place])
        if not abs(found - float(ball.mid())) <= ROUNDING * scale:
            return f"torch has {found} at {at}, Arb {ball.str(15)}, at {point}"
    return None


def _map(function: Callable[[Any], Any], nested: Any) -> Any:
    return [_map(function, one) for one in nested] if isinstance(nested, list) else function(nested)


def sympy_agrees(expression: Expression, sizes: dict[str, int], chance: Random) -> str | None:
    """None, or how SymPy's derivation, evaluated in Arb, differs from the ball of the formula itself."""
    from softmax_trick.readings.algebraic import Algebraic

    point = random_point(expression.variables, sizes, {}, chance)
    algebraic = Algebraic(point)
    for at, ball in balls(expression, point).items():
        derived = algebraic.entry(expression, at)
        try:
            value = flint.arb(_of_sympy(derived, Balls(), _symbols(expression, sizes, point, Balls())))
        except Undefined:
            continue  # SymPy's form may need more, never give another value
        STATISTICS["SymPy"] += 1
        if not ball.overlaps(value):
            return f"SymPy has {value.str(15)} at {at}, Arb {ball.str(15)}, at {point}: {derived}"
    return None


def field_agrees(expression: Expression, sizes: dict[str, int], chance: Random) -> str | None:
    """None, or how the finite field's value of a formula differs from that of SymPy's derivation, exactly.

    SymPy uses that a sum of positive numbers is positive, which the field does not know: only a difference at most
    levels of most points is one.
    """
    from softmax_trick.readings.algebraic import Algebraic

    alike = different = 0
    text = ""
    for _ in range(3):
        model, chain = drawn(expression, sizes, {}, chance)
        symbols = _symbols(expression, sizes, model.point, chain)
        algebraic = Algebraic(model.point)
        for at in places(expression, sizes):
            try:
                here = model.entry(expression, at)
                there = residues(_of_sympy(algebraic.entry(expression, at), chain, symbols))
            except Undefined:
                continue
            for level in LEVELS:
                if here[level] is not None and there[level] is not None:
                    alike += here[level] == there[level]
                    different += here[level] != there[level]
                    if here[level] != there[level]:
                        text = f"at {at}, level {level}: {here[level]} from the formula, {there[level]} from SymPy"
    STATISTICS["residues"] += alike
    return text if different > 2 * alike else None


def drawn(
    expression: Expression, sizes: dict[str, int], indices: dict[str, int], chance: Random
) -> tuple[Model, Chain]:
    """A random point of the finite field, and the field with the same bases of exponentials."""
    model = sample(expression.variables, sizes, indices, chance)
    return model, Chain(model.bases)


def residues(value: Any) -> tuple[int | None, ...]:
    """A scalar of the field as residues, constants too."""
    return Chain((1,) * len(LEVELS)).add(value, (0,) * len(LEVELS))


def _symbols(expression: Expression, sizes: dict[str, int], point: Point, field: Any) -> dict[Any, Any]:
    from softmax_trick.readings.algebraic import symbol

    return {
        symbol(one, at): field.given(point.value(one, at))
        for one in expression.variables
        if one.kind != "label"
        for at in product(*(range(1, sizes[size_of(axis)] + 1) for axis in one.axes))
    }


def _of_sympy(node: Any, field: Any, values: dict[Any, Any]) -> Any:
    """A SymPy expression in a field."""
    import sympy as sp

    from softmax_trick.readings.algebraic import Step

    def value(node: Any) -> Any:
        return _of_sympy(node, field, values)

    if node.is_Rational:
        return field.number(Fraction(int(node.p), int(node.q)))
    if node is sp.E:
        return field.exp(field.number(Fraction(1)))
    if node.is_Symbol:
        return values[node]
    if node is sp.nan or node.is_infinite:
        raise Undefined("SymPy has no value")
    match node:
        case sp.exp():
            return field.exp(value(node.args[0]))
        case sp.log():
            return field.log(value(node.args[0]))
        case sp.Abs():
            return field.power(field.power(value(node.args[0]), field.number(Fraction(2))), field.number(HALF))
        case sp.sign():
            inner = field.step(value(node.args[0]))
            return field.add(field.multiply(field.number(Fraction(2)), inner), field.number(Fraction(-1)))
        case sp.Heaviside() | Step():
            return field.step(value(node.args[0]))
        case sp.Max():
            return field.largest([value(argument) for argument in node.args])
        case sp.Pow():
            return field.power(value(node.base), value(node.exp))
        case sp.Add() | sp.Mul():
            combine = field.add if isinstance(node, sp.Add) else field.multiply
            result = value(node.args[0])
            for argument in node.args[1:]:
                result = combine(result, value(argument))
            return result
    raise Undefined(f"no value of {node.func.__name__}")


def canonical_agrees(expression: Expression, sizes: dict[str, int], chance: Random) -> str | None:
    """None, or how the canonical form of a formula differs from the formula itself, in Arb or in the finite field.

    Entries are at free indices, sizes symbols (or, now and then, given); the second run knows the facts of the first.
    """
    names = [f"i{n}" for n in range(len(expression.axes))]
    free = tuple(("free", size_of(axis), name) for axis, name in zip(expression.axes, names, strict=True))
    given = sizes if chance.random() < 0.2 else {}
    at_free: tuple[Any, ...] = () if given else free
    facts: frozenset[Any] = frozenset()
    runs: list[tuple[Recording, Any]] = []
    for _ in range(2):
        algebra = Recording(given, facts)
        try:
            with interrupted_after(3):
                reading = Reading(algebra)
                if given:
                    forms = {at: reading.entry(expression, _given(expression, at)) for at in places(expression, sizes)}
                else:
                    forms = dict.fromkeys(places(expression, sizes), reading.entry(expression, at_free))
                cleared = {at: algebra.numerator(form) for at, form in list(forms.items())[:1]}
        except (TooLarge, OutOfTime, RecursionError):
            STATISTICS["too large"] += 1
            return None
        except DefinedNowhere as error:
            if min(sizes.values(), default=2) == 1:
                return None  # such as relu(delta(i, j)): 0 only where indices differ, which they cannot at size 1
            return _defined_all_the_same(expression, sizes, chance, str(error))
        runs.append((algebra, forms))
        del cleared
        if algebra.facts <= facts:
            break
        facts |= algebra.facts
    for number, (algebra, forms) in enumerate(runs):
        for _ in range(2):
            point = random_point(expression.variables, sizes, {}, chance)
            for at, ball in balls(expression, point).items():
                there = Point(sizes, point.values, dict(zip(names, at, strict=True)))
                try:
                    value = flint.arb(Values(Balls(), there, algebra).polynomial(forms[at]))
                except Unclear:
                    continue
                except Undefined:
                    # u step(u) at u = 0, or a case that deltas exclude here: f(1) + delta f(0) - delta f(1) is not
                    # written as cases.
                    STATISTICS["form without a value"] += 1
                    continue
                STATISTICS["balls"] += 1
                if not ball.overlaps(value):
                    form = written(forms[at])
                    return f"run {number}: {ball.str(12)}, but the form is {value.str(12)} at {at}, {there}: {form}"
    return None


def _given(expression: Expression, at: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(("given", size_of(axis), k) for axis, k in zip(expression.axes, at, strict=True))


def _defined_all_the_same(expression: Expression, sizes: dict[str, int], chance: Random, text: str) -> str | None:
    point = random_point(expression.variables, sizes, {}, chance)
    found = balls(expression, point)
    STATISTICS["defined nowhere"] += 1
    if len(found) < len(places(expression, sizes)):
        return None  # such as onehot(c)**-1, which has a value at one entry only
    return f"said to be defined nowhere ({text}), but at {point} it is {found}"


def spelled_out(expression: Expression) -> Expression:
    """The formula without names for its parts."""
    if isinstance(expression, Definition):
        return spelled_out(expression.meaning)
    return expression.rebuilt(spelled_out)


STATISTICS: Counter[str] = Counter()
READINGS = {"torch": torch_agrees, "SymPy": sympy_agrees, "finite field": field_agrees, "canonical": canonical_agrees}


def failures(readings: list[str], cases: int, seed: int) -> Iterator[tuple[str, Expression, dict[str, int], str]]:
    """The formulas of a run in which a reading fails."""
    for case in range(cases):
        chance = Random(f"{seed} {case}")
        generator = Generator(chance, piecewise=case % 3 == 0)
        expression = generator.expression(generator.axes(), depth=2 + case % 3)
        sizes = sizes_for(expression, case)
        for name in readings:
            if name == "SymPy" and sum(1 for _ in expression.nodes()) > 60:
                continue
            found = READINGS[name](expression, sizes, chance)
            if found is not None:
                yield name, expression, sizes, found


@pytest.mark.parametrize(
    ("reading", "cases"), [("torch", 150), ("SymPy", 40), ("finite field", 60), ("canonical", 300)]
)
def test_readings_agree(reading: str, cases: int) -> None:
    assert list(failures([reading], cases, seed=0)) == []


def main() -> None:
    """Tries many formulas; for the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["readings", *READINGS])
    parser.add_argument("cases", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names = [*READINGS][:3] if arguments.what == "readings" else [arguments.what]
    start, counts = time.time(), Counter[str]()
    smallest: dict[str, tuple[int, str]] = {}
    for name, expression, sizes, text in failures(names, arguments.cases, arguments.seed):
        counts[name] += 1
        size = sum(1 for _ in expression.nodes())
        if name not in smallest or size < smallest[name][0]:
            smallest[name] = (size, f"{spelled_out(expression)!r} at {sizes}: {text}")
            print(name, smallest[name][1], flush=True)
    print(dict(STATISTICS))
    print(f"{arguments.cases} formulas, {dict(counts) or 'no'} failures, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
