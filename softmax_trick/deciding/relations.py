"""Statements beside equality: `<=` and `<`, positive semidefinite, "is the gradient of something".

Refuted by an exact point, proved by signs, by known inequalities, by diagonal dominance, or by the rules of convexity;
else undecided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from softmax_trick.deciding.consequences import follows, is_in_pieces
from softmax_trick.deciding.convexity import curvature
from softmax_trick.deciding.decision import Decision, Verdict, decide, entries_of, fitted_sides, scope_of, where_defined
from softmax_trick.deciding.inequalities import by_known_inequalities
from softmax_trick.deciding.points import Relation, compare
from softmax_trick.deciding.ranges import range_of
from softmax_trick.language.expression import (
    Apply,
    AxesError,
    Comprehension,
    Derivative,
    Diag,
    Entry,
    Expression,
    Identity,
    Index,
    MatMul,
    Number,
    Outer,
    Transpose,
    Variable,
    jacobian,
    shape,
    size_of,
    variable,
)
from softmax_trick.language.functions import total
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.proposition import Related
from softmax_trick.readings.canonical import Canonical, Place, Polynomial, TooLarge, Undefined
from softmax_trick.readings.written import written


def decide_order(
    left: Expression, right: Expression, relation: Relation = "<=", sizes: Mapping[str, int] | None = None
) -> Decision:
    """Whether left <= right (or <), entry by entry, at every point at which both are defined, for every size.

    Raises:
        AxesError: the axes do not fit.
    """
    begin = time.perf_counter()
    given = dict(sizes or {})
    left, right = fitted_sides(left, right)
    difference = right - left

    def proof() -> str | None:
        found = _sign_proof(difference, relation, given)
        if not found and any(map(is_in_pieces, difference.nodes())):  # case by case is faster than all known at once
            found = "; ".join(follows(Related(relation, (left, right)), (), given))
        return found or by_known_inequalities(difference, relation == "<", given)

    return _judged(left, right, relation, given, begin, proof)


def decide_psd(matrix: Expression, sizes: Mapping[str, int] | None = None) -> Decision:
    """Whether v^T M v >= 0 for every v, at every point at which the matrix M is defined, for every size.

    M has axes a, b, ..., a, b, ...: K x K, or K x D x K x D for the Hessian by a matrix.

    Raises:
        AxesError: no square matrix.
    """
    begin = time.perf_counter()
    given = dict(sizes or {})
    half = len(matrix.axes) // 2
    first, second = matrix.axes[:half], matrix.axes[half:]
    if not half or [size_of(axis) for axis in first] != [size_of(axis) for axis in second]:
        raise AxesError(f"psd of {shape(matrix.axes)}: it takes a square matrix")
    taken = {one.name for one in matrix.variables}
    v = variable(next(name for name in ("v", "w", "u", *(f"v{n}" for n in range(99))) if name not in taken), first)
    names = iter(_free_names(matrix, f"{v.name}_", 2 * half))
    rows, columns = ([Index(next(names), axis) for axis in axes] for axes in (first, second))
    form = Entry(v, tuple(rows)) * Entry(matrix, (*rows, *columns)) * Entry(v, tuple(columns))
    quadratic = total(Comprehension((*rows, *columns), form))
    zero = Number(Fraction(0))

    def proof() -> str | None:
        if isinstance(matrix, Derivative) and matrix.kind == "hessian" and _is_convex(matrix):
            return "the function is convex, by the rules of composition, so that its Hessian is positive semidefinite"
        if half == 1 and _is_gram(matrix):
            return "a sum of products B.T @ D @ B with D diagonal and not negative"
        simple = _sign_proof(quadratic, "<=", given) or (_dominance(matrix, given) if half == 1 else None)
        return simple or by_known_inequalities(quadratic, False, given)

    return _judged(zero, quadratic, "<=", given, begin, proof)


def decide_conservative(field: Expression, by: Variable, sizes: Mapping[str, int] | None = None) -> Decision:
    """Whether a field is the gradient of something: its Jacobian is symmetric (Poincare), where it is defined.

    On R^K, or any simply connected domain, that is the same; the conditions say where the field is defined.

    Raises:
        AxesError: the field has other axes than the variable.
    """
    if [size_of(axis) for axis in field.axes] != [size_of(axis) for axis in by.axes]:
        raise AxesError(f"a field of {shape(field.axes)} by {by.name}, {shape(by.axes)}: it takes the same axes")
    taken = {index.name for index in field.free}
    names = [name for name in ("i", "j", "k", "l", "m", "n", "p", "q") if name not in taken]
    rows = tuple(Index(name, axis) for name, axis in zip(names[::2], by.axes, strict=False))
    columns = tuple(Index(name, axis) for name, axis in zip(names[1::2], by.axes, strict=False))
    slopes = jacobian(field, by)
    return decide(Entry(slopes, rows + columns), Entry(slopes, columns + rows), sizes)


def _is_convex(hessian: Derivative) -> bool:
    return curvature(hessian.function, hessian.by) in ("constant", "affine", "convex")


def _is_gram(matrix: Expression) -> bool:
    """Whether a square matrix is made of B.T @ D @ B, D diagonal and not negative, by sums and nonnegative factors."""
    match matrix:
        case Identity():
            return True
        case Diag(entries):
            return range_of(entries).nonnegative
        case Outer(left, right):
            return left == right
        case Apply("add", (left, right)):
            return _is_gram(left) and _is_gram(right)
        case Apply("multiply" | "divide", (part, factor)) if not factor.axes:
            return range_of(factor).nonnegative and _is_gram(part)
        case Apply("multiply", (factor, part)) if not factor.axes:
            return range_of(factor).nonnegative and _is_gram(part)
        case MatMul():
            factors = _factors_of(matrix)
            while len(factors) > 1:
                first, *factors, last = factors
                if first != _transposed(last):
                    return False
            return all(map(_is_gram, factors))
    return False


def _factors_of(matrix: Expression) -> list[Expression]:
    match matrix:
        case MatMul(left, right):
            return [*_factors_of(left), *_factors_of(right)]
        case Transpose(MatMul(left, right)):
            return [*_factors_of(_transposed(right)), *_factors_of(_transposed(left))]
    return [matrix]


def _transposed(matrix: Expression) -> Expression:
    match matrix:
        case Diag() | Identity():
            return matrix
        case Transpose(argument):
            return argument
    return Transpose(matrix)


def _free_names(expression: Expression, prefix: str, count: int) -> list[str]:
    """Names for indices that are none of the expression's own."""
    taken = {index.name for index in expression.free}
    return [name for name in (f"{prefix}{n}" for n in range(count + len(taken))) if name not in taken][:count]


def _judged(
    left: Expression,
    right: Expression,
    relation: Relation,
    given: Mapping[str, int],
    begin: float,
    proof: Callable[[], str | None],
) -> Decision:
    """Refuted by a point, or proved by what the proof says, or undecided."""
    scope, conditions = scope_of(left, right, given), where_defined(left, right)

    def decided(verdict: Verdict, **found: Any) -> Decision:
        return Decision(verdict, scope, conditions, seconds=time.perf_counter() - begin, **found)

    comparison = compare(left, right, given, relation)
    if comparison.witness is not None:
        return decided("refuted", witness=comparison.witness)
    try:
        by = proof()
    except (Undefined, TooLarge, RecursionError) as error:
        return decided("undecided", reason=str(error))
    if by is None:
        return decided(
            "undecided", reason="no sign, no known inequality, no dominant diagonal and no rule of convexity shows it"
        )
    if not comparison.agreed:
        return decided("undecided", reason="no point was found at which both sides are defined")
    return decided("proved", steps=(by,))


def _sign_proof(difference: Expression, relation: Relation, given: Mapping[str, int]) -> str | None:
    """Why a difference is not negative, or positive for "<"; None if it is not seen."""
    strict = relation == "<"
    between = range_of(difference)
    if between.positive or (between.nonnegative and not strict):
        return "the range of the difference"
    algebra = Canonical(given)
    reading = Reading(algebra)
    for at in entries_of(difference, given):
        value = reading.entry(difference, at)
        if not value and not strict:
            continue
        sign = algebra.sign(value)
        if not sign or (strict and sign != "+"):
            return None
    return "every term of the difference has the sign"


def _dominance(matrix: Expression, given: Mapping[str, int]) -> str | None:
    """Gershgorin: a symmetric matrix with diagonal entries at least the sum of the others' sizes in their row."""
    (axis, _) = matrix.axes
    if size_of(axis) in given:
        return None
    algebra = Canonical(given)
    i, j = (("free", size_of(axis), name) for name in _free_names(matrix, "_", 2))
    entry = Reading(algebra).entry(matrix, (i, j))
    diagonal, others = _split(entry, i, j)
    if algebra.moved(others, {i: j, j: i}) != others:
        return None
    negative: Polynomial = {monomial: -c for monomial, c in others.items()}
    row = algebra.sum(axis, lambda k: algebra.moved(others, {j: k}))
    if not others or algebra.sign(negative):  # all others are at most 0: the row sums must not be negative
        margin = algebra.add(diagonal, row)
    elif algebra.sign(others):
        twice = algebra.moved(others, {j: i})
        margin = algebra.add(
            algebra.add(diagonal, {m: 2 * c for m, c in twice.items()}), {m: -c for m, c in row.items()}
        )
    else:
        return None
    if margin and not algebra.is_zero(margin) and not algebra.sign(margin):
        return None
    return f"diagonal dominance (Gershgorin): the margin of row i is {written(margin)}"


def _split(entry: Polynomial, i: Place, j: Place) -> tuple[Polynomial, Polynomial]:
    """What stands on the diagonal only, and the rest, of an entry at free indices i and j."""
    diagonal: Polynomial = {}
    others: Polynomial = {}
    for monomial, coefficient in entry.items():
        rest = tuple(pair for pair in monomial if not (pair[0].kind == "delta" and set(pair[0].data) == {i, j}))
        (others if rest == monomial else diagonal)[rest] = coefficient
    return diagonal, others
