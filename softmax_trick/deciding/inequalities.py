"""Inequalities that are known by name, for the parts of a formula: of Gibbs, Cauchy and Schwarz, Jensen, and so on.

right - left >= 0 is shown as a sum: known inequalities, each times a number >= 0 and perhaps times or by a size, and
terms whose sign is seen. The numbers are found by linear programming; the sum is computed again, over the rationals.
A known inequality is used only where it asks for nothing that the formula does not ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import combinations_with_replacement, islice, product

import flint

from softmax_trick.deciding.combination import vanishing_sum
from softmax_trick.deciding.decision import entries_of, where_defined
from softmax_trick.deciding.ranges import range_of
from softmax_trick.language.expression import (
    Apply,
    Call,
    Definition,
    Diag,
    Entry,
    Expression,
    Identity,
    LanguageError,
    Number,
    OneHot,
    Outer,
    Pick,
    Size,
    Spread,
    Variable,
    ones,
    size_of,
)
from softmax_trick.language.functions import (
    absolute,
    at_positions,
    exp,
    log,
    named,
    relu,
    sigmoid,
    softplus,
    sqrt,
    total,
)
from softmax_trick.language.interpreter import Reading
from softmax_trick.readings.canonical import Canonical, Polynomial, TooLarge, Undefined

MOST_INSTANCES = 600  # known inequalities that are tried for one formula
MATRICES = (Diag, Identity, Outer)  # whose rows no inequality is about


@dataclass(frozen=True)
class Known:
    """An inequality u >= 0.

    Attributes:
        name: what it is called.
        over: of what, a letter each: u and v real, a nonnegative, b positive, p a distribution along its last axis;
            e, l and s what exp, log and softplus are taken of.
        difference: what is not negative, of those.
        strict: whether it is positive.
    """

    name: str
    over: str
    difference: Callable[..., Expression]
    strict: bool = False


def _sum(u: Expression) -> Expression:
    return at_positions("sum", (u,), (len(u.axes) - 1,))


def _largest(u: Expression) -> Expression:
    return at_positions("max", (u,), (len(u.axes) - 1,))


def _width(u: Expression) -> Expression:
    """The largest entry less the smallest."""
    return _largest(u) + _largest(-u)


def _beside(reduced: Expression, u: Expression) -> Expression:
    """What lost the last axis of u, repeated along it."""
    return Spread(reduced, u.axes[-1], len(u.axes) - 1)


def _count(u: Expression) -> Expression:
    return Size(size_of(u.axes[-1]))


_lse, _norm, _divergence = (partial(named, name) for name in ("logsumexp", "norm", "kl"))

ALONG = (  # of vectors, or of the rows of what has more axes
    Known("Gibbs' inequality", "pp", lambda p, q: _divergence(p, q)),
    Known("Gibbs' variational principle", "pu", lambda p, u: _lse(u) - _sum(p * u) + _sum(p * log(p))),
    Known("Jensen's inequality for the logarithm", "pb", lambda p, b: log(_sum(p * b)) - _sum(p * log(b))),
    Known("Jensen's inequality for the exponential", "pu", lambda p, u: _sum(p * exp(u)) - exp(_sum(p * u))),
    Known("Jensen's inequality for the square", "pu", lambda p, u: _sum(p * u * u) - _sum(p * u) ** 2),
    Known("Popoviciu's inequality", "pu", lambda p, u: _width(u) ** 2 / 4 - _sum(p * u * u) + _sum(p * u) ** 2),
    Known("Nagy's inequality", "u", lambda u: _sum(u * u) - _sum(u) ** 2 / _count(u) - _width(u) ** 2 / 2),
    Known("the inequality of Cauchy and Schwarz", "uu", lambda u, v: _sum(u * u) * _sum(v * v) - _sum(u * v) ** 2),
    Known("Cauchy and Schwarz", "uu", lambda u, v: _norm(u) * _norm(v) - _sum(u * v)),
    Known("Cauchy and Schwarz", "uu", lambda u, v: _norm(u) * _norm(v) + _sum(u * v)),
    Known("Minkowski's inequality", "uu", lambda u, v: _norm(u) + _norm(v) - _norm(u + v)),
    Known("a sum of squares", "uu", lambda u, v: _sum((u - v) * (u - v))),
    Known("a sum of squares", "uu", lambda u, v: _sum((u + v) * (u + v))),
    Known("a product of sums has all products", "aa", lambda a, b: _sum(a) * _sum(b) - _sum(a * b)),
    Known("the largest entry is at least each", "u", lambda u: _beside(_largest(u), u) - u),
    Known("the largest entry is at least the mean", "au", lambda a, u: _largest(u) * _sum(a) - _sum(a * u)),
    Known("a sum is at least its largest term", "a", lambda a: _sum(a) - _largest(a)),
    Known("the largest of a sum", "uu", lambda u, v: _largest(u) + _largest(v) - _largest(u + v)),
    Known("logsumexp is at least the largest entry", "u", lambda u: _lse(u) - _largest(u)),
    Known("logsumexp is at least each entry", "u", lambda u: _beside(_lse(u), u) - u),
    Known("K times the largest power", "u", lambda u: _largest(u) + log(_count(u)) - _lse(u)),
    Known("logsumexp of a sum", "uv", lambda u, v: _lse(u) + _largest(v) - _lse(u + v)),
    Known("logsumexp is convex", "uu", lambda u, v: (_lse(u) + _lse(v)) / 2 - _lse((u + v) / 2)),
    Known("the norm is at most the sum of sizes", "u", lambda u: _sum(absolute(u)) - _norm(u)),
    Known("the sum of sizes", "u", lambda u: sqrt(_count(u)) * _norm(u) - _sum(absolute(u))),
    Known("the norm is at least each entry", "u", lambda u: _beside(_norm(u), u) - absolute(u)),
)
ENTRYWISE = (
    Known("a square", "uu", lambda u, v: (u - v) ** 2),
    Known("a square", "uu", lambda u, v: (u + v) ** 2),
    Known("the tangent of exp at 0", "u", lambda u: exp(u) - 1 - u),
    Known("the tangent of log at 1", "b", lambda b: b - 1 - log(b)),
    Known("the tangent of log at 1", "b", lambda b: log(b) - 1 + 1 / b),
    Known("the tangent of exp", "ee", lambda u, v: exp(v) - exp(u) * (1 + v - u)),
    Known("the tangent of log", "ll", lambda u, v: log(u) + (v - u) / u - log(v)),
    Known("the tangent of softplus", "ss", lambda u, v: softplus(v) - softplus(u) - sigmoid(u) * (v - u)),
    Known("softplus(u) > u", "u", lambda u: softplus(u) - u, strict=True),
    Known("softplus(u) > relu(u)", "u", lambda u: softplus(u) - relu(u), strict=True),
    Known("relu(u) >= u", "u", lambda u: relu(u) - u),
    Known("|u| >= u", "u", lambda u: absolute(u) - u),
    Known("|u| >= -u", "u", lambda u: absolute(u) + u),
    Known("|a - b| <= a + b", "aa", lambda a, b: a + b - absolute(a - b)),
    Known("the triangle inequality", "uu", lambda u, v: absolute(u) + absolute(v) - absolute(u + v)),
)


@dataclass(frozen=True)
class _Term:
    """A known inequality for some parts of the formula, perhaps times or by a size.

    Attributes:
        text: what is said.
        value: what is not negative, at the formula's entry.
        strict: whether it is positive.
    """

    text: str
    value: Polynomial
    strict: bool


def by_known_inequalities(difference: Expression, strict: bool, sizes: Mapping[str, int]) -> str | None:
    """Why a difference is not negative, or positive, at every entry; None if it is not seen."""
    algebra = Canonical(sizes)
    reading = Reading(algebra)
    known_here = list(islice(instances(difference), MOST_INSTANCES))
    factors = _factors(algebra, difference)
    used: dict[str, None] = {}
    for at in entries_of(difference, sizes):
        terms = []
        for known, one in known_here:
            with suppress(Undefined, TooLarge, RecursionError):
                value = reading.entry(one, at if one.axes else ())
                text = f"{known.name}, {one!r} {'>' if known.strict else '>='} 0"
                terms += [_Term(text + by, algebra.multiply(value, factor), known.strict) for by, factor in factors]
        goal = reading.entry(difference, at)
        found = _combination(algebra, goal, terms, strict)
        if found is None and (cleared := algebra.over_positive(goal)) != goal:
            found = _combination(algebra, cleared, terms, strict)
        if found is None:
            return None
        used.update(dict.fromkeys(found))
    return "; ".join(used)


def _factors(algebra: Canonical, difference: Expression) -> list[tuple[str, Polynomial]]:
    """By what an inequality may be multiplied, beside numbers: sizes, one by a size, and s and 1 - s from 0 to 1."""
    found = [("", algebra.number(Fraction(1)))]
    for one in difference.variables:
        if one.kind == "unit" and not one.axes:
            weight = algebra.variable(one, ())
            rest = algebra.add(found[0][1], algebra.multiply(algebra.number(Fraction(-1)), weight))
            found += [(f", times {one.name}", weight), (f", times 1 - {one.name}", rest)]
    for name in sorted({size_of(axis) for node in difference.nodes() for axis in node.axes} - set(algebra.sizes)):
        size = algebra.size(name)
        found += [(f", times {name}", size), (f", by {name}", algebra.power(size, algebra.number(Fraction(-1))))]
    return found


# --- which inequalities may help --------------------------------------------------------------------------------------


def instances(difference: Expression) -> Iterator[tuple[Known, Expression]]:
    """Known inequalities for the parts of a formula, and what is not negative; they ask for no more than it does."""
    asked = set(where_defined(difference))
    parts = [part for part in dict.fromkeys(difference.nodes()) if not isinstance(part, Number | Size | Definition)]
    along = [part for part in parts if part.axes and not any(isinstance(one, MATRICES) for one in part.nodes())]
    along += [-part.arguments[0] for part in parts if isinstance(part, Call) and part.function == "min"]
    constant = [ones(*axes) for axes in dict.fromkeys(part.axes for part in along)]
    of_vectors = {
        "u": list(dict.fromkeys(along + constant)),
        "v": along,
        "a": [part for part in along + constant if range_of(part).nonnegative],
        "b": [part for part in along if range_of(part).positive],
        "p": [part for part in along if _is_distribution(part)] + [one / _count(one) for one in constant],
    }
    of_entries = {
        "u": parts,
        "a": [part for part in parts if range_of(part).nonnegative],
        "b": [part for part in parts if range_of(part).positive],
        "e": list(_arguments(parts, ("exp",), 0)),
        "l": list(_arguments(parts, ("log",), 1)),
        "s": list(_arguments(parts, ("softplus", "sigmoid"), 0)),
    }
    seen = set()
    for known, kinds in [*((known, of_vectors) for known in ALONG), *((known, of_entries) for known in ENTRYWISE)]:
        for arguments in _choices([kinds[kind] for kind in known.over], known.over in ("uu", "aa")):
            if len({part.axes for part in arguments}) > 1:
                continue
            with suppress(LanguageError):
                for one in _beside_formula(known.difference(*arguments), difference):
                    if one not in seen and asked.issuperset(where_defined(one)):
                        seen.add(one)
                        yield known, one


def _arguments(parts: list[Expression], functions: tuple[str, ...], at: int) -> Iterator[Expression]:
    """What functions are taken of, scalars beside vectors, too, and a number at which the value is known."""
    found = dict.fromkeys(part.arguments[0] for part in parts if isinstance(part, Apply) and part.function in functions)
    numbers = [Number(Fraction(at)), *(one for one in found if not one.axes)]
    yield from found
    yield from dict.fromkeys(ones(*one.axes) * number if one.axes else number for one in found for number in numbers)


def _choices(kinds: list[list[Expression]], symmetric: bool) -> Iterator[tuple[Expression, ...]]:
    return combinations_with_replacement(kinds[0], 2) if symmetric else product(*kinds)


def _is_distribution(part: Expression) -> bool:
    """Whether the entries along the last axis are nonnegative and have the sum 1."""
    last = len(part.axes) - 1
    match part:
        case Variable():
            return part.kind == "distribution" and part.along == part.axes[last]
        case Call("softmax", (_,), positions):
            return positions == (last,)
        case OneHot():
            return True
    return False


def _beside_formula(value: Expression, difference: Expression) -> Iterator[Expression]:
    """What an inequality says of the formula's own entries: for each of them, for those it names, and for their sum."""
    if value.axes == difference.axes or not value.axes:
        yield value
        return
    for node in dict.fromkeys(difference.nodes()):
        match node:
            case Pick(argument, label) if argument.axes == value.axes:
                yield from _beside_formula(Pick(value, label), difference)
            case Entry(argument, indices) if argument.axes == value.axes:
                yield Entry(value, indices)
    if not difference.axes:
        yield total(value)


# --- a sum of them ----------------------------------------------------------------------------------------------------


def _combination(algebra: Canonical, goal: Polynomial, terms: list[_Term], strict: bool) -> list[str] | None:
    """The inequalities of which the goal is a sum with numbers >= 0, but for monomials that have the sign."""
    opposite = algebra.multiply(algebra.number(Fraction(-1)), goal)
    of_one_sign = []
    for monomial in dict.fromkeys(monomial for value in (goal, *(term.value for term in terms)) for monomial in value):
        sign = algebra.sign({monomial: flint.fmpq(1)})
        if sign:
            of_one_sign.append(_Term("", {monomial: flint.fmpq(1)}, sign == "+"))
    known = [term for term in (*terms, *of_one_sign) if term.value]
    signs = [">=" if strict else ">", *(">" if term.strict else ">=" for term in known)]
    found = vanishing_sum([opposite, *(term.value for term in known)], signs) or {}
    if not found.get(0):
        return None
    used = [(value / found[0], known[n - 1]) for n, value in found.items() if n]
    used = [(number, term) for number, term in used if term.text]
    return [term.text for _, term in used] if _holds(algebra, goal, used, strict) else None


def _holds(algebra: Canonical, goal: Polynomial, used: list[tuple[flint.fmpq, _Term]], strict: bool) -> bool:
    """Whether the goal is that sum and monomials that have the sign, computed over the rationals."""
    rest = goal
    for number, term in used:
        rest = algebra.add(rest, algebra.multiply({(): -number}, term.value))
    signs = [algebra.sign({monomial: coefficient}) for monomial, coefficient in rest.items()]
    positive = "+" in signs or any(term.strict for _, term in used)
    return all(number > 0 for number, _ in used) and all(signs) and (positive or not strict)
