"""A relation and the hypotheses that are left, as they are used one by one: put in, solved, or said by a domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from softmax_trick.deciding.decision import decide, where_defined
from softmax_trick.deciding.facts import where_it_is_defined
from softmax_trick.language.expression import (
    Call,
    Delta,
    Expression,
    Kind,
    LanguageError,
    Number,
    Size,
    Variable,
    entrywise,
    ones,
    size_of,
)
from softmax_trick.language.functions import total
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.proposition import TURNED, Related, names_in
from softmax_trick.language.substitution import substituted
from softmax_trick.language.text import bare, to_text
from softmax_trick.readings.canonical import Canonical, TooLarge, Undefined
from softmax_trick.statements.conditions import unspread


class Stuck(LanguageError):
    """No rule shows the proposition: the text says which part, and what would help."""


ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))


def spread(side: Expression, other: Expression) -> Expression:
    """A side of a relation with the axes of the other, where it has none itself."""
    return side if side.axes or not other.axes else ones(*other.axes) * side


def domain(bound: Variable, value: Expression) -> Iterator[Related]:
    """What says that a value lies in the domain of a name."""
    if isinstance(value, Variable) and (value.kind, value.along) == (bound.kind, bound.along):
        return
    match bound.kind:
        case "label":
            raise Stuck(f"{bound.name} is a label into {bound.into}: only such a label can be put in for it")
        case "positive":
            yield Related(">", (value, spread(ZERO, value)))
        case "nonnegative" | "unit" | "distribution":
            yield Related(">=", (value, spread(ZERO, value)))
    if bound.kind == "unit":
        yield Related("<=", (value, spread(ONE, value)))
    if bound.kind == "distribution":
        if len(bound.axes) > 1:
            raise Stuck(f"{bound.name} is a distribution of several axes: nothing can be put in for it")
        yield Related("==", (total(value), ONE))


class Used:
    """A relation and the hypotheses that are left, as they are used one by one.

    Args:
        goal: what has to be shown.
        hypotheses: what may be used.
        put: what was put in before, in words.
        values: what was put in for names that exist.
    """

    def __init__(self, goal: Related, hypotheses: list[Related], put: list[str], values: list[Expression]) -> None:
        self.goal, self.hypotheses, self.put, self.values = goal, hypotheses, put, values
        self.granted: list[Expression] = []
        self.determined: dict[str, Expression] = {}

    def use(self) -> None:
        """Use what can be used."""
        while self._smaller_domain() or self._definition() or self._solution():
            pass

    def _replace(self, put: Mapping[str, Expression], without: Related | None) -> None:
        """Put something in everywhere, and drop a hypothesis.

        Raises:
            Captured: it cannot be; then nothing has happened.
        """
        goal = self.goal.changed(lambda side: substituted(side, put))
        rest = [one.changed(lambda side: substituted(side, put)) for one in self.hypotheses if one is not without]
        values, granted = ([substituted(value, put) for value in some] for some in (self.values, self.granted))
        determined = {name: substituted(value, put) for name, value in self.determined.items()}
        gone = {name: one for name, one in put.items() if not (isinstance(one, Variable) and one.name == name)}
        self.values, self.granted, self.determined = values, granted, determined | gone
        self.goal, self.hypotheses = goal, rest  # type: ignore[assignment]

    def _smaller_domain(self) -> bool:
        for one in self.hypotheses:
            for relation, left, right in _both_ways(one):
                if isinstance(left, Variable) and (kind := _kind(relation, left, right)):
                    self._replace({left.name: replace(left, kind=kind)}, one)
                    return True
        for one in self.hypotheses:  # after the signs, so that what sums to 1 and is not negative is a distribution
            for relation, left, right in _both_ways(one):
                vector = _summed(left)
                if relation == "==" and bare(right) == ONE and vector is not None and self._sums_to_one(vector, one):
                    return True
        return False

    def _sums_to_one(self, vector: Variable, hypothesis: Related) -> bool:
        """Let a vector that sums to 1 be a distribution; one that may be negative, any vector put onto the plane."""
        try:
            if vector.kind == "real":
                any_one = replace(vector, name=f"{vector.name}'")
                if any_one.name in frozenset().union(*(one.free for one in (self.goal, *self.hypotheses))):
                    return False
                self._replace({vector.name: any_one + (1 - total(any_one)) / Size(size_of(vector.axes[0]))}, hypothesis)
                self.put.append(f"{vector.name} = {any_one.name} + (1 - sum({any_one.name}))/{size_of(vector.axes[0])}")
                return True
            new = replace(vector, kind="distribution", along=vector.axes[0])
            self._replace({vector.name: new}, hypothesis)
        except LanguageError:  # it is differentiated by it
            return False
        if vector.kind == "positive":
            self.hypotheses.append(Related(">", (new, spread(ZERO, new))))
        return True

    def _definition(self) -> bool:
        for one in self.hypotheses:
            for relation, left, right in _both_ways(one):
                if relation != "==" or not isinstance(left, Variable) or left.kind in ("label", "distribution"):
                    continue
                if left.name not in names_in(right) and self._put_for(left, right, one):
                    return True
        return False

    def _put_for(self, name: Variable, value: Expression, hypothesis: Related) -> bool:
        value = ones(*name.axes) * value if not value.axes and name.axes else value
        defined = list(where_it_is_defined(hypothesis))
        try:
            asked = list(domain(name, value))
            self._replace({name.name: value}, hypothesis)
        except LanguageError:
            return False
        self.hypotheses += [one for one in (*asked, *defined) if one not in self.hypotheses]
        self.put.append(f"{name.name} = {to_text(value)}")
        return True

    def _solution(self) -> bool:
        """Solve an equation that is linear in a name, entry by entry."""
        for one in self.hypotheses:
            if one.relation != "==" or isinstance(one.sides[0], Delta):
                continue
            left, right = (spread(side, other) for side, other in zip(one.sides, one.sides[::-1], strict=True))
            difference = left - right
            for name in difference.variables:
                if name.kind != "real" or list(map(size_of, name.axes)) != list(map(size_of, difference.axes)):
                    continue
                found = solved(difference, name)
                if found is None or name.name in names_in(found[0]):
                    continue
                value, factor = found
                if self._put_for(name, value, one):
                    self.granted.append(factor)
                    return True
        return False


def _both_ways(related: Related) -> Iterator[tuple[str, Expression, Expression]]:
    if related.relation in TURNED:
        left, right = related.sides
        yield related.relation, left, right
        yield TURNED[related.relation], right, left


def _kind(relation: str, name: Variable, right: Expression) -> Kind | None:
    """The domain that is left of a real variable by v > 0 or v >= 0; None if it is none of these."""
    kinds: dict[str, Kind] = {">": "positive", ">=": "nonnegative"}
    return kinds.get(relation) if name.kind == "real" and bare(unspread(right)) == ZERO else None


def _summed(side: Expression) -> Variable | None:
    """The vector of which an expression is the sum."""
    match side:
        case Call("sum", (Variable(axes=(_,), kind="real" | "positive" | "nonnegative" | "unit") as vector,)):
            return vector
    return None


def solved(difference: Expression, name: Variable) -> tuple[Expression, Expression] | None:
    """The value of a name where a difference that is linear in it, entry by entry, is 0; and the factor by which that
    is divided, which is nowhere 0. None if it is not such.
    """
    try:
        at_zero = substituted(difference, {name.name: ones(*name.axes) * ZERO})
        at_one = substituted(difference, {name.name: ones(*name.axes)})
        factor = at_one - at_zero
        if name.name in names_in(factor) or not _vanishes_nowhere(factor):
            return None
        if decide(difference, at_zero + entrywise("multiply", factor, name)).verdict != "proved":
            return None
        if not set(where_defined(at_zero)) <= set(where_defined(difference)):
            return None
    except LanguageError:
        return None
    return -(at_zero / factor), factor


def _vanishes_nowhere(value: Expression) -> bool:
    """Whether an expression is nowhere 0, where it is defined."""
    algebra = Canonical()
    reading = Reading(algebra)
    names = [f"{n}_" for n in range(len(value.axes))]
    try:
        entry = reading.entry(
            value, tuple(("free", size_of(axis), n) for axis, n in zip(value.axes, names, strict=True))
        )
    except (Undefined, TooLarge):
        return False
    if len(entry) != 1:
        return False
    ((monomial, _),) = entry.items()
    return all(factor.kind in ("exp", "size", "prime") or exponent < 0 for factor, exponent in monomial)
