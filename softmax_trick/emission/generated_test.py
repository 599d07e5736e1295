"""The test of an emitted module: exact values, batches, second derivatives, large scores; a text for pytest.

The exact values are enclosed by Arb from the formula and its raw derivative, not from the form that was proved, and
written into the test, so that it runs without this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import cycle
from math import isfinite
from random import Random
from typing import Any

from softmax_trick.deciding.points import least_sizes, random_point
from softmax_trick.derivation.derivation import Derivation
from softmax_trick.emission.array_code import Unemittable
from softmax_trick.emission.module import Emission, prepared
from softmax_trick.language.expression import DerivativeKind, Expression, size_of
from softmax_trick.language.text import to_text
from softmax_trick.readings.enclosure import enclose
from softmax_trick.readings.pointwise import Point, Undefined

SIZES = (3, 2, 4, 5, 3, 2)  # of the first axis, the second, ...
LARGE = 5000  # times entries between -3 and 3: scores of 1e4
TRIES = 20  # points drawn where a formula has no value at one


def points(emission: Emission) -> Iterator[dict[str, Any]]:
    """Inputs, a cotangent, and the exact value and gradient there, rounded to double precision.

    Two points of the usual sizes, one of the least, one with large entries; where the formula has no value, or none
    that a double holds, a point is left out. Each is a dictionary from the names in the code to nested lists; labels
    are from 0, the gradient is that of the value times the cotangent.
    """
    kind: DerivativeKind = "gradient" if emission.direction is None else "vjp"
    value, gradient = emission.derivation.value, emission.derivation.forms[kind].of
    least = least_sizes(value, gradient) | dict(emission.sizes)
    names = list(least)
    usual = {
        name: emission.sizes.get(name, max(least[name], size)) for name, size in zip(names, cycle(SIZES), strict=False)
    }
    for number, (sizes, scale) in enumerate(((usual, 1), (usual, 1), (least, 1), (usual, LARGE))):
        for attempt in range(TRIES):
            try:
                yield _at(emission, value, gradient, _drawn(emission, sizes, scale, Random(10 * number + attempt)))
            except (Undefined, OverflowError):
                continue
            break


def _drawn(emission: Emission, sizes: Mapping[str, int], scale: int, chance: Random) -> Point:
    """A point of doubles; the variable is large if asked for."""
    variables = [*emission.inputs, *([] if emission.direction is None else [emission.direction])]
    drawn = random_point(variables, sizes, {}, chance)
    values: dict[str, Any] = {}
    for one in variables:
        factor = scale if one is emission.by and one.kind != "unit" else 1
        digits = 17 if one.kind == "distribution" else 6
        entry = drawn.values[one.name]
        values[one.name] = entry if one.kind == "label" else _doubles(entry, factor, digits)
    return Point(sizes, values)


def _doubles(entry: Any, factor: int, digits: int) -> Any:
    if isinstance(entry, list):
        return [_doubles(one, factor, digits) for one in entry]
    return Fraction(float(f"{float(entry * factor):.{digits}g}"))


def _at(emission: Emission, value: Expression, gradient: Expression, point: Point) -> dict[str, Any]:
    """A point as it stands in the test.

    Raises:
        Undefined: no value.
        OverflowError: no double.
    """
    found: dict[str, Any] = {}
    for variable in (*emission.inputs, *([] if emission.direction is None else [emission.direction])):
        entry = point.values[variable.name]
        found[emission.names[variable.name]] = _from_zero(entry) if variable.kind == "label" else _floats(entry)
    result, slope = _exact(value, point), _exact(gradient, point)
    if emission.direction is None:
        cotangent = round(1 + sum(map(abs, _flat(list(point.values.values())))) % 1, 4)
        return found | {"cotangent": cotangent, "value": result, "gradient": _times(cotangent, slope)}
    return found | {"cotangent": found.pop(emission.cotangent), "value": result, "gradient": slope}


def _flat(entry: Any) -> list[float]:
    return [one for inner in entry for one in _flat(inner)] if isinstance(entry, list) else [float(entry)]


def _times(factor: float, entry: Any) -> Any:
    return [_times(factor, one) for one in entry] if isinstance(entry, list) else factor * entry


def _from_zero(entry: Any) -> Any:
    return [_from_zero(one) for one in entry] if isinstance(entry, list) else entry - 1


def _floats(entry: Any) -> Any:
    return [_floats(one) for one in entry] if isinstance(entry, list) else float(entry)


def _exact(expression: Expression, point: Point, at: tuple[int, ...] = ()) -> Any:
    if len(at) < len(expression.axes):
        size = point.size(size_of(expression.axes[len(at)]))
        return [_exact(expression, point, (*at, k)) for k in range(1, size + 1)]
    ball = enclose(expression, point, at)
    found = float(ball.mid())
    if not isfinite(found):
        raise OverflowError("no double holds it")
    if not float(ball.rad()) <= 1e-15 * (1 + abs(found)):
        raise Undefined("it is not enclosed closely enough")
    return 0.0 if ball.contains(0) else found


# --- the text ---------------------------------------------------------------------------------------------------------


def emit_test(derivation: Derivation, framework: str, module: str, sizes: Mapping[str, int] | None = None) -> str:
    """The text of the test of a module that `emit` wrote.

    Args:
        derivation: what the module was written from.
        framework: "torch", "jax" or "numpy".
        module: the name under which the test imports it.
        sizes: sizes that are given.

    Raises:
        Unemittable: there is no such module; or no point was found at which the formula has a value.
    """
    emission = prepared(derivation, sizes)
    found = list(points(emission))
    if not found:
        raise Unemittable(f"no points were found at which {to_text(derivation.value)} has a value: no test")
    if len(found) < 2 or _lengths(list(found[0].values())) != _lengths(list(found[1].values())):
        found.insert(1, found[0])  # the first two are a batch
    names = [emission.names[one.name] for one in emission.inputs]
    text = {"torch": TORCH, "jax": JAX, "numpy": NUMPY}[framework]
    return (
        text.strip().format(
            formula=to_text(derivation.value),
            by=derivation.by.name,
            module=module,
            labels=", ".join(f'"{emission.names[one.name]}"' for one in emission.labels),
            names=", ".join(f'"{name}"' for name in names),
            points="\n".join(_written(point) for point in found),
            cotangent="" if emission.direction is None else ", cotangent",
            times="gradient" if emission.direction is not None else _beside("cotangent", len(emission.by.axes)),
        )
        + "\n"
    )


def _beside(cotangent: str, rank: int) -> str:
    index = f"[{', '.join(['...'] + ['None'] * rank)}]" if rank else ""
    return f"{cotangent}{index} * gradient"


def _lengths(entry: Any) -> Any:
    return [_lengths(one) for one in entry] if isinstance(entry, list) else None


def _written(point: Mapping[str, Any]) -> str:
    lines = "\n".join(f'        "{name}": {entry!r},' for name, entry in point.items())
    return f"    {{\n{lines}\n    }},"


TORCH = '''
"""{formula} and its gradient by {by}: exact values, batches, differences; written by softmax-trick derive --test."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from {module} import value

# Exact values, enclosed by interval arithmetic and rounded; the gradient is that of the value times the cotangent.
POINTS = [
{points}
]


def at(points):
    """The inputs, the value, the gradient and the cotangent at points, stacked along a leading dimension."""

    def stacked(name):
        entries = [point[name] for point in points]
        return torch.tensor(entries, dtype=None if name in [{labels}] else torch.float64)

    inputs = [stacked(name) for name in [{names}]]
    return inputs, stacked("value"), stacked("gradient"), stacked("cotangent")


def check(inputs, exact_value, exact_gradient, cotangent):
    x = inputs[0].clone().requires_grad_()
    found = value(x, *inputs[1:])
    torch.testing.assert_close(found.detach(), exact_value, rtol=1e-9, atol=1e-9)
    (gradient,) = torch.autograd.grad(found, x, cotangent)
    torch.testing.assert_close(gradient, exact_gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("point", POINTS)
def test_exact_values(point):
    inputs, *exact = at([point])
    check([u[0] for u in inputs], *[u[0] for u in exact])


def test_batches():
    inputs, exact_value, exact_gradient, cotangent = at(POINTS[:2])
    repeated = [u.expand(3, *u.shape) for u in (*inputs, exact_value, exact_gradient, cotangent)]
    check(inputs, exact_value, exact_gradient, cotangent)
    check(repeated[:-3], *repeated[-3:])
    if len(inputs) > 1:  # the first one is broadcast: its gradient is the sum over the others
        check([inputs[0], *repeated[1:-3]], repeated[-3], 3 * exact_gradient, repeated[-1])


def test_first_and_second_derivatives_against_differences():
    (x, *others), *_ = at(POINTS[:2])
    x.requires_grad_()
    assert gradcheck(lambda x: value(x, *others), x, fast_mode=True)
    assert gradgradcheck(lambda x: value(x, *others), x, fast_mode=True)
'''

JAX = '''
"""{formula} and its gradient by {by}: exact values, batches, differences; written by softmax-trick derive --test."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from {module} import value

jax.config.update("jax_enable_x64", True)

# Exact values, enclosed by interval arithmetic and rounded; the gradient is that of the value times the cotangent.
POINTS = [
{points}
]


def at(points):
    """The inputs, the value, the gradient and the cotangent at points, stacked along a leading dimension."""
    inputs = [jnp.array([point[name] for point in points]) for name in [{names}]]
    exact = [jnp.array([point[name] for point in points], float) for name in ["value", "gradient", "cotangent"]]
    return inputs, *exact


def check(inputs, exact_value, exact_gradient, cotangent):
    found, pullback = jax.vjp(lambda x: value(x, *inputs[1:]), inputs[0])
    np.testing.assert_allclose(found, exact_value, rtol=1e-9, atol=1e-9)
    (gradient,) = pullback(cotangent)
    np.testing.assert_allclose(gradient, exact_gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("point", POINTS)
def test_exact_values(point):
    inputs, *exact = at([point])
    check([u[0] for u in inputs], *[u[0] for u in exact])


def test_batches():
    inputs, exact_value, exact_gradient, cotangent = at(POINTS[:2])
    repeated = [jnp.broadcast_to(u, (3, *u.shape)) for u in (*inputs, exact_value, exact_gradient, cotangent)]
    check(inputs, exact_value, exact_gradient, cotangent)
    check(repeated[:-3], *repeated[-3:])
    if len(inputs) > 1:  # the first one is broadcast: its gradient is the sum over the others
        check([inputs[0], *repeated[1:-3]], repeated[-3], 3 * exact_gradient, repeated[-1])


def test_first_and_second_derivatives_against_differences():
    (x, *others), *_ = at(POINTS[:2])
    check_grads(lambda x: value(x, *others), (x,), order=2, modes=["rev"])
'''

NUMPY = '''
"""{formula} and its gradient by {by}: exact values, batches; written by softmax-trick derive --test."""

import numpy as np
import pytest

from {module} import value, value_and_gradient

# Exact values, enclosed by interval arithmetic and rounded; the gradient is that of the value times the cotangent.
POINTS = [
{points}
]


def at(points):
    """The inputs, the value, the gradient and the cotangent at points, stacked along a leading dimension."""
    inputs = [np.array([point[name] for point in points]) for name in [{names}]]
    exact = [np.array([point[name] for point in points], float) for name in ["value", "gradient", "cotangent"]]
    return inputs, *exact


def check(inputs, exact_value, exact_gradient, cotangent):
    found, gradient = value_and_gradient(*inputs{cotangent})
    np.testing.assert_allclose(value(*inputs), exact_value, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found, exact_value, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose({times}, exact_gradient, rtol=1e-9, atol=1e-9)
    assert np.shape(gradient) == np.shape(exact_gradient)


@pytest.mark.parametrize("point", POINTS)
def test_exact_values(point):
    inputs, *exact = at([point])
    check([u[0] for u in inputs], *[u[0] for u in exact])


def test_batches():
    inputs, exact_value, exact_gradient, cotangent = at(POINTS[:2])
    repeated = [np.broadcast_to(u, (3, *u.shape)) for u in (*inputs, exact_value, exact_gradient, cotangent)]
    check(inputs, exact_value, exact_gradient, cotangent)
    check(repeated[:-3], *repeated[-3:])
    if len(inputs) > 1:
        check([inputs[0], *repeated[1:-3]], *repeated[-3:])
'''
