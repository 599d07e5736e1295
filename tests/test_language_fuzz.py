"""Random formulas: the readings of the language agree with each other, and the canonical form with the formula.

A sample runs in CI. `python tests/test_language_fuzz.py readings 20000 --seed 1` tries so many (and prints the smallest
formula of each kind of failure); `canonical` instead of `readings` tries the canonical form against the formula itself.
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
from random_formulas import Generator

from softmax_trick.language.enclosure import Enclosure
from softmax_trick.language.expression import Expression, size_of
from softmax_trick.language.points import least_sizes, random_point
from softmax_trick.language.pointwise import Point, Undefined
from softmax_trick.language.residues import LEVELS, Chain, Model, Refused, sample

SIZES = ({"K": 1, "D": 1, "N": 1}, {"K": 2, "D": 3, "N": 2}, {"K": 3, "D": 2, "N": 1}, {"K": 2, "D": 1, "N": 3})
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

    from softmax_trick.language.tensors import Tensors

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
        scale = 1 + abs(float(ball.mid())) + 1e6 * float(sensitivity[place])
        if not abs(found - float(ball.mid())) <= ROUNDING * scale:
            return f"torch has {found} at {at}, Arb {ball.str(15)}, at {point}"
    return None


def _map(function: Callable[[Any], Any], nested: Any) -> Any:
    return [_map(function, one) for one in nested] if isinstance(nested, list) else function(nested)


def sympy_agrees(expression: Expression, sizes: dict[str, int], chance: Random) -> str | None:
    """None, or how SymPy's derivation, evaluated to 30 digits, differs from Arb's ball."""
    import sympy as sp

    from softmax_trick.language.algebraic import Algebraic, symbol

    point = random_point(expression.variables, sizes, {}, chance)
    algebraic = Algebraic(point)
    numbers = {}
    for one in expression.variables:
        if one.kind != "label":
            for at in product(*(range(1, sizes[size_of(axis)] + 1) for axis in one.axes)):
                value = point.value(one, at)
                numbers[symbol(one, at)] = sp.Rational(value.numerator, value.denominator)
    for at, ball in balls(expression, point).items():
        value = algebraic.entry(expression, at).subs(numbers).evalf(30)
        if not value.is_number or not value.is_real:
            return f"SymPy has {value} at {at}, Arb {ball.str(15)}, at {point}"
        near = ball + flint.arb(0, 1e-15) * (1 + abs(ball))
        if not near.overlaps(flint.arb(str(value))):
            return f"SymPy has {value} at {at}, Arb {ball.str(15)}, at {point}"
    return None


def field_agrees(expression: Expression, sizes: dict[str, int], chance: Random) -> str | None:
    """None, or how the finite field's value of a formula differs from that of SymPy's derivation, exactly.

    SymPy uses that a sum of positive numbers is positive, which the field does not know: only a difference at most
    levels of most points is one.
    """
    from softmax_trick.language.algebraic import Algebraic

    alike = different = 0
    text = ""
    for _ in range(3):
        model = sample(expression.variables, sizes, {}, chance)
        algebraic = Algebraic(model.point)
        for at in places(expression, sizes):
            try:
                here = model.entry(expression, at)
                there = _in_the_field(algebraic.entry(expression, at), expression, sizes, model)
            except Undefined:
                continue
            for level in LEVELS:
                if here[level] is not None and there[level] is not None:
                    alike += here[level] == there[level]
                    different += here[level] != there[level]
                    if here[level] != there[level]:
                        text = f"at {at}, level {level}: {here[level]} from the formula, {there[level]} from SymPy"
    return text if different > 2 * alike else None


def _in_the_field(expression: Any, formula: Expression, sizes: dict[str, int], model: Model) -> tuple[int | None, ...]:
    import sympy as sp

    from softmax_trick.language.algebraic import symbol

    chain: Chain = model._reading.algebra._field  # type: ignore[attr-defined]
    values = {
        symbol(one, at): model.point.value(one, at)
        for one in formula.variables
        if one.kind != "label"
        for at in product(*(range(1, sizes[size_of(axis)] + 1) for axis in one.axes))
    }
    half = Fraction(1, 2)

    def value(node: Any) -> Any:
        if node.is_Rational:
            return Fraction(int(node.p), int(node.q))
        if node is sp.E:
            return chain.exp(Fraction(1))
        if node.is_Symbol:
            return values[node]
        if isinstance(node, sp.exp):
            return chain.exp(value(node.args[0]))
        if isinstance(node, sp.log):
            return chain.log(value(node.args[0]))
        if isinstance(node, sp.Abs):
            return chain.power(chain.power(value(node.args[0]), Fraction(2)), half)
        if isinstance(node, sp.Pow):
            return chain.power(value(node.base), value(node.exp))
        if isinstance(node, sp.Add | sp.Mul):
            combine = chain.add if isinstance(node, sp.Add) else chain.multiply
            result = value(node.args[0])
            for argument in node.args[1:]:
                result = combine(result, value(argument))
            return result
        raise Refused(f"{node} in a finite field")

    result = value(expression)
    return chain.add(result, tuple(0 for _ in LEVELS)) if isinstance(result, Fraction) else result


READINGS = {"torch": torch_agrees, "SymPy": sympy_agrees, "finite field": field_agrees}


def failures(readings: list[str], cases: int, seed: int) -> Iterator[tuple[str, Expression, dict[str, int], str]]:
    """The formulas of a run in which a reading fails."""
    for case in range(cases):
        chance = Random(f"{seed} {case}")
        # SymPy is slow on large formulas, and piecewise ones have no value in the field.
        generator = Generator(chance, piecewise=case % 3 == 0)
        expression = generator.expression(generator.axes(), depth=2 + case % 3)
        sizes = sizes_for(expression, case)
        for name in readings:
            if name == "SymPy" and sum(1 for _ in expression.nodes()) > 60:
                continue
            found = READINGS[name](expression, sizes, chance)
            if found is not None:
                yield name, expression, sizes, found


@pytest.mark.parametrize(("reading", "cases"), [("torch", 150), ("SymPy", 40), ("finite field", 60)])
def test_readings_agree(reading: str, cases: int) -> None:
    assert list(failures([reading], cases, seed=0)) == []


def main() -> None:
    """Tries many formulas; for the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["readings", *READINGS])
    parser.add_argument("cases", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names = list(READINGS) if arguments.what == "readings" else [arguments.what]
    start, counts = time.time(), Counter[str]()
    smallest: dict[str, tuple[int, str]] = {}
    for name, expression, sizes, text in failures(names, arguments.cases, arguments.seed):
        counts[name] += 1
        size = sum(1 for _ in expression.nodes())
        if name not in smallest or size < smallest[name][0]:
            smallest[name] = (size, f"{expression!r} at {sizes}: {text}")
            print(name, smallest[name][1], flush=True)
    print(f"{arguments.cases} formulas, {dict(counts) or 'no'} failures, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
