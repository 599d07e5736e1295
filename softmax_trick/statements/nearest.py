"""The nearest right formula: a wrong one with one of the usual slips undone, itself proved.

The slips: a sign, a factor (2, a size, a temperature, the mass of the targets, a forgotten inner derivative), a
transposition, i and j swapped, a missing delta or one-hot term, y (1 - y) for the whole Jacobian, mean for sum. Each is
undone at every place of the formula; what then agrees at a few points is put to `decide`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from random import Random

import flint

from softmax_trick.deciding.decision import decide, fitted_sides
from softmax_trick.deciding.points import least_sizes, random_point
from softmax_trick.language import expression as ex
from softmax_trick.language.functions import at_positions, named, total
from softmax_trick.language.text import to_text
from softmax_trick.readings.enclosure import Enclosure
from softmax_trick.readings.pointwise import Undefined

# Of processor time, so that a busy machine finds the same; more than one slip may need more, and is then not found.
SECONDS = 2.0
MOST_FOUND = 6  # candidates that agree at points; the shortest that is proved is taken
SIZES = ((2, 3, 4, 5), (3, 2, 5, 4))  # at which candidates are tried before they are decided


@dataclass(frozen=True)
class Nearest:
    """A right formula near a wrong one.

    Attributes:
        formula: what the wrong side should read.
        slip: what was undone, in words.
    """

    formula: ex.Expression
    slip: str


def nearest(left: ex.Expression, right: ex.Expression, sizes: Mapping[str, int] | None = None) -> Nearest | None:
    """What a wrong side of an equation should read, one of the usual slips undone; None if that is not found.

    The side that has a derivative in it is taken as meant, and the other one as wrong; of two without, the left one is.

    Args:
        left: one side.
        right: the other side.
        sizes: sizes that are given.
    """
    deadline = time.process_time() + SECONDS
    given = dict(sizes or {})
    left, right = fitted_sides(left, right)
    truth, wrong = (right, left) if _differentiates(right) and not _differentiates(left) else (left, right)
    trial = _Trial(truth, wrong, given)
    factors = list(usual_factors(truth, wrong))
    found: list[Nearest] = []
    seen = {to_text(wrong)}
    for candidate in _candidates(wrong, truth, factors):
        if time.process_time() > deadline:
            break
        if trial.agrees(candidate.formula) and (text := to_text(candidate.formula)) not in seen:
            seen.add(text)
            found.append(candidate)
            if len(found) == MOST_FOUND:
                break
    found.sort(key=lambda one: len(to_text(one.formula)))
    for candidate in found:
        if decide(truth, candidate.formula, given).verdict == "proved":
            return candidate
    return None


def _differentiates(side: ex.Expression) -> bool:
    return any(isinstance(node, ex.Derivative) for node in side.nodes())


class _Trial:
    """A few points, and the values that a right formula has there."""

    def __init__(self, truth: ex.Expression, wrong: ex.Expression, given: Mapping[str, int]) -> None:
        variables = {one.name: one for side in (truth, wrong) for one in side.variables}.values()
        free = sorted(truth.free | wrong.free, key=lambda index: index.name)
        least = {**least_sizes(truth), **least_sizes(wrong)}
        self._shape = [ex.size_of(axis) for axis in truth.axes or wrong.axes]
        self._values: list[tuple[Enclosure, tuple[int, ...], flint.arb]] = []
        for number, pattern in enumerate(SIZES):
            sizes = {name: max(size, n) for (name, size), n in zip(sorted(least.items()), pattern * 2, strict=False)}
            sizes |= given
            indices = {index.name: 1 + n % sizes[ex.size_of(index.axis)] for n, index in enumerate(free)}
            enclosure = Enclosure(random_point(variables, sizes, indices, Random(number)))
            axes = truth.axes or wrong.axes
            for position in list(product(*(range(1, sizes[ex.size_of(axis)] + 1) for axis in axes)))[:9]:
                try:
                    value = enclosure.entry(truth, position if truth.axes else ())
                except Undefined:
                    continue
                self._values.append((enclosure, position, value))

    def agrees(self, candidate: ex.Expression) -> bool:
        """Whether a formula has the right axes, and the right values at all the points, and at one at least."""
        if candidate.axes and [ex.size_of(axis) for axis in candidate.axes] != self._shape:
            return False
        try:
            return bool(self._values) and all(
                enclosure.entry(candidate, position if candidate.axes else ()).overlaps(value)
                for enclosure, position, value in self._values
            )
        except Undefined:
            return False


# --- slips ------------------------------------------------------------------------------------------------------------


def usual_factors(truth: ex.Expression, wrong: ex.Expression) -> Iterator[tuple[str, ex.Expression]]:
    """What is forgotten as a factor, or put there once too often."""
    yield "a factor 2", ex.Number(Fraction(2))
    variables = {one.name: one for side in (truth, wrong) for one in side.variables}.values()
    for name in sorted({ex.size_of(axis) for one in variables for axis in one.axes}):
        yield f"a factor {name}", ex.Size(name)
    for one in variables:
        if not one.axes and one.kind != "label":
            yield f"a factor {one.name}", one
            yield f"a factor {one.name}**2", ex.entrywise("power", one, 2)
    targets = [one for one in variables if one.axes and one.kind not in ("label", "distribution")]
    for one in targets:
        yield f"the mass of {one.name}", total(one)
    for node in dict.fromkeys(truth.nodes()):
        if isinstance(node, ex.Apply) and node.function == "tanh":
            yield f"the derivative of {to_text(node)}", 1 - ex.entrywise("power", node, 2)
        if isinstance(node, ex.Apply) and node.function == "sigmoid":
            yield f"the derivative of {to_text(node)}", node * (1 - node)
        if isinstance(node, ex.Apply) and node.function == "exp":
            yield f"the derivative of {to_text(node)}", node


def _candidates(
    wrong: ex.Expression, truth: ex.Expression, factors: list[tuple[str, ex.Expression]]
) -> Iterator[Nearest]:
    """The formula with one slip undone, then with a sign or a factor of the whole besides, if it is a derivative's."""
    yield from slips(wrong, truth, factors)
    if not _differentiates(truth):
        return
    for slip, other in [("a sign", -wrong), *_scaled(wrong, factors)]:
        for one in slips(other, truth, factors):
            yield Nearest(one.formula, f"{slip}, and {one.slip}")


def slips(wrong: ex.Expression, truth: ex.Expression, factors: list[tuple[str, ex.Expression]]) -> Iterator[Nearest]:
    """The formulas that differ from one by a usual slip: to undo it there, or to make it.

    Args:
        wrong: the formula.
        truth: the other side, whose labels may be what is missing.
        factors: what may be forgotten as a factor, see `usual_factors`.
    """
    known = truth.free | wrong.free
    for one in _slips(wrong, truth, factors):
        if one.formula.free <= known and one.formula.axes == wrong.axes:  # no index is bound outside, no axis is new
            yield one


def _slips(wrong: ex.Expression, truth: ex.Expression, factors: list[tuple[str, ex.Expression]]) -> Iterator[Nearest]:
    free = sorted(wrong.free, key=lambda index: index.name)
    for one, other in (
        (a, b) for n, a in enumerate(free) for b in free[n + 1 :] if ex.size_of(a.axis) == ex.size_of(b.axis)
    ):
        yield Nearest(_exchanged(wrong, one, other), f"{one.name} and {other.name} swapped")
    entries = [node for node in dict.fromkeys(wrong.nodes()) if isinstance(node, ex.Entry) and len(node.indices) == 1]
    for one, other in (
        (a, b) for n, a in enumerate(free) for b in free[n + 1 :] if ex.size_of(a.axis) == ex.size_of(b.axis)
    ):
        for entry in entries:
            yield Nearest(wrong + ex.Delta(one, other) * entry, "a missing delta term")
    for node, put in places(wrong):
        for slip, formula in _undone(node, factors):
            built = tried(put, formula)
            if built is not None:
                yield Nearest(built, slip)
    for label in (one for one in truth.variables if one.kind == "label"):
        if (*label.axes, label.into) == wrong.axes:
            yield Nearest(wrong - ex.onehot(label), f"a missing term onehot({label.name})")
            yield Nearest(wrong + ex.onehot(label), f"a missing term onehot({label.name})")


def places(node: ex.Expression) -> Iterator[tuple[ex.Expression, Callable[[ex.Expression], ex.Expression]]]:
    """Every part of a formula, and how the formula is built with something else in its place.

    Definitions stay as they are, and so do functions that are differentiated.
    """
    if isinstance(node, ex.Variable) and node.kind == "label":
        return
    yield node, lambda new: new
    if isinstance(node, ex.Definition | ex.Derivative):
        return
    for child in dict.fromkeys(node.children):
        for part, put in places(child):
            yield part, lambda new, child=child, put=put: _with(node, child, put(new))  # type: ignore[misc]


def _with(node: ex.Expression, old: ex.Expression, new: ex.Expression) -> ex.Expression:
    """A node with a child exchanged, built anew so that axes are checked."""
    children = [new if child is old else child for child in node.children]
    match node:
        case ex.Apply(function, _):
            return ex.entrywise(function, *children)
        case ex.Call(function, arguments, positions):
            if children[0].axes == arguments[0].axes:
                return at_positions(function, tuple(children), positions)
            return named(function, *children, axes=tuple(arguments[0].axes[place] for place in positions))
        case ex.MatMul():
            return ex.matmul(*children)
        case _:
            return node.rebuilt(lambda child: new if child is old else child)


def tried(put: Callable[[ex.Expression], ex.Expression], formula: ex.Expression) -> ex.Expression | None:
    """A formula put in its place; None if it does not fit there."""
    try:
        return put(formula)
    except ex.LanguageError:
        return None


def _undone(node: ex.Expression, factors: list[tuple[str, ex.Expression]]) -> Iterator[tuple[str, ex.Expression]]:
    """A part of a formula with a slip undone."""
    match node:
        case ex.Apply("subtract", (left, right)):
            yield "a sign", left + right
            yield "a sign", right - left
        case ex.Apply("add", (left, right)):
            yield "a sign", left - right
        case ex.Apply("negative", (argument,)):
            yield "a sign", argument
        case ex.Apply("power", (base, ex.Number(n))):
            for other in (n - 1, n + 1):
                yield "an exponent", base if other == 1 else ex.entrywise("power", base, other)
        case ex.Call("mean", arguments, positions):
            yield "mean for sum", at_positions("sum", arguments, positions)
        case ex.Call("sum", arguments, positions):
            yield "sum for mean", at_positions("mean", arguments, positions)
        case ex.Diag(ex.Apply("multiply", (left, ex.Apply("subtract", (ex.Number(n), right))))) if (
            n == 1 and left == right
        ):
            yield "y (1 - y) for the whole Jacobian", ex.diag(left) - ex.outer(left, left)
        case ex.Diag(argument):
            yield "a missing outer product", node - ex.outer(argument, argument)
        case ex.Outer(left, right):
            if left == right:
                yield "a missing delta term", ex.diag(left) - node
                yield "a missing delta term", node - ex.diag(left)
            yield "a transposition", ex.outer(right, left)
        case ex.MatMul(left, right):
            with suppress(ex.LanguageError):
                yield "the order of a product", ex.matmul(right, left)
        case ex.Entry(argument, (one, other)) if one.axis == other.axis:
            yield "i and j swapped", ex.Entry(argument, (other, one))
    if not isinstance(node, ex.Number):
        if len(node.axes) == 2:
            yield "a transposition", node.T
        if not isinstance(node, ex.Apply) or node.function not in ("add", "subtract", "negative"):
            yield "a sign", -node
        yield from _scaled(node, factors)


def _scaled(node: ex.Expression, factors: list[tuple[str, ex.Expression]]) -> Iterator[tuple[str, ex.Expression]]:
    for slip, factor in factors:
        with suppress(ex.LanguageError):
            yield slip, factor * node if isinstance(factor, ex.Number) else node * factor
            yield slip, node / factor


def _exchanged(node: ex.Expression, one: ex.Index, other: ex.Index) -> ex.Expression:
    """A formula with two free indices exchanged."""
    swap = {one: other, other: one}
    changed = node.rebuilt(lambda child: _exchanged(child, one, other))
    if not ex.index_terms(node):
        return changed
    if isinstance(changed, ex.Entry):
        return ex.Entry(
            changed.argument,
            tuple(swap.get(term, term) if isinstance(term, ex.Index) else term for term in changed.indices),
        )
    if isinstance(changed, ex.Delta):
        left, right = (swap.get(t, t) if isinstance(t, ex.Index) else t for t in (changed.left, changed.right))
        return ex.Delta(left, right)
    return changed
