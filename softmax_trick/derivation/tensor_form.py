"""Canonical forms written back as expressions: the shortest of several ways, at every level.

A polynomial at free indices is factored or expanded, split at a delta or at a step, or its sums are drawn together.
Nothing here is believed: what comes out is compared with what went in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import lcm

import flint

from softmax_trick.derivation.contraction import Items, Places, Tensor, Unwritable, opposite
from softmax_trick.derivation.factor_forms import FactorForms, fraction, number
from softmax_trick.derivation.opaque import CONDITIONS, Opaque
from softmax_trick.language import functions as f
from softmax_trick.language.expression import (
    Apply,
    AxesError,
    Call,
    Comprehension,
    Expression,
    Index,
    Number,
    OneHot,
)
from softmax_trick.readings.canonical import ZERO_ONE, Factor, Key, Monomial, Place, Polynomial, TooLarge, Undefined

MOST_TERMS = 24  # a polynomial with more terms is written out as it stands
MOST_SEEDS = 4  # terms from which it is tried to draw others into one sum
MOST_TRIED = 250  # values for which several ways are compared; all others are written out as they stand


class TensorForm(FactorForms):
    """Writes the values of one algebra.

    Args:
        algebra: the algebra.
        order: the free indices, in the order of the axes that the result has.
        axes: the names of those axes.
        taken: names that no index may have.
        by_entries: whether everything is written entry by entry, which always succeeds.
        functions: the functions of the formula: no relu or abs is made up where it has none.
        free: indices that are free in what is written.
    """

    def __init__(
        self,
        algebra: Opaque,
        order: Places,
        axes: tuple[str, ...],
        taken: Iterable[str] = (),
        by_entries: bool = False,
        functions: Iterable[str] = (),
        free: Iterable[Index] = (),
    ) -> None:
        super().__init__(algebra, order, axes, taken, by_entries, free)
        self._functions = frozenset(functions)
        self._reserved: dict[str, list[Place]] = {}
        self._tried = 0
        self._written: dict[Key, Tensor | None] = {}

    def expression(self, value: Polynomial) -> Expression:
        """The value as an expression with the axes asked for.

        Raises:
            Unwritable: it has no such form.
        """
        written = self.best(value)
        if self.by_entries:
            body = self.signed(written)
            indices = tuple(self.index(place) for place in self.order)
            return Comprehension(indices, body) if indices else body
        return self.signed(replace(written, expression=self.aligned(written, self.order), places=self.order))

    def best(self, value: Polynomial) -> Tensor:
        """The shortest form found."""
        key = frozenset(value.items())
        if key not in self._written:
            self._written[key] = None  # what is under way is no candidate for itself
            self._written[key] = min(self._candidates(value), key=lambda one: one.length - one.liked, default=None)
        found = self._written[key]
        if found is None:
            raise Unwritable("this value has no such form")
        return found

    def _candidates(self, value: Polynomial) -> Iterator[Tensor]:
        if not value:
            yield Tensor(Number(Fraction(0)))
            return
        ways: list[Callable[[Polynomial], Iterator[Tensor]]] = []
        self._tried += 1
        if 1 < len(value) <= MOST_TERMS and self._tried < MOST_TRIED:
            ways += [
                self._factored,
                self._common,
                self._complement,
                self._by_delta,
                self._by_step,
                self._gathered,
                self._collected,
                self._averaged,
            ]
        ways.append(self._expanded)
        for way in ways:
            try:
                yield from way(value)
            except (Unwritable, Undefined, TooLarge, AxesError):  # this way leads nowhere
                continue

    def _expanded(self, value: Polynomial) -> Iterator[Tensor]:
        yield self.add([self.monomial(monomial, coefficient) for monomial, coefficient in value.items()])

    def _factored(self, value: Polynomial) -> Iterator[Tensor]:
        content, factors = self.factors(value)
        if len(factors) == 1 and factors[0][1] == 1 and abs(content) == 1:
            return
        for n, (factor, exponent) in enumerate(factors):  # 61 + x rather than 61 (1 + x/61)
            if not isinstance(factor, Factor) and exponent.denominator == 1:
                by = lcm(*(int(c.q) for _, c in factor))
                factors[n] = (frozenset((m, c * by) for m, c in factor), exponent)
                content /= Fraction(by) ** int(exponent)
        whole = self.product(self.items(factors), content)
        yield replace(whole, liked=0 if whole.negative else 1)

    def _common(self, value: Polynomial) -> Iterator[Tensor]:
        """u a + u b = u (a + b), where u divides every term as it stands: all of it, or its scalars."""
        first, *others = (dict(monomial) for monomial in value)
        shared: dict[Factor, Fraction] = {}
        for factor, exponent in first.items():
            exponents = [Fraction(exponent), *(Fraction(one.get(factor, 0)) for one in others)]
            if all(e > 0 for e in exponents) or all(e < 0 for e in exponents):
                shared[factor] = min(exponents, key=abs)
        scalars = {factor: e for factor, e in shared.items() if not factor.places}
        for common in (shared, scalars) if 0 < len(scalars) < len(shared) else (shared,):
            if common:
                rest = {
                    tuple((f_, e - common.get(f_, 0)) for f_, e in monomial if e != common.get(f_, 0)): c
                    for monomial, c in value.items()
                }
                rest = {tuple((f_, int(e) if e == int(e) else e) for f_, e in m): c for m, c in rest.items()}
                yield self.product([*self.items(list(common.items())), (self.best(rest), Fraction(1))])

    def _complement(self, value: Polynomial) -> Iterator[Tensor]:
        """1 - sigmoid(u) = sigmoid(-u)."""
        for monomial, coefficient in value.items() if len(value) == 2 else ():
            match monomial:
                case ((factor, 1),) if self.algebra.is_part(factor) and value.get(()) == -coefficient:
                    part = self.algebra.parts[factor.data[0]]
                    if isinstance(part, Apply) and part.function == "sigmoid":
                        other = self.resolved(f.sigmoid(opposite(part.arguments[0])), factor.data[1])
                        yield self.product([(other, Fraction(1))], fraction(-coefficient))

    # --- deltas and steps ---

    def shortest_sum(self, value: Polynomial) -> Tensor:
        """A form that is not factored."""
        return min((*self._by_delta(value), *self._expanded(value)), key=lambda one: one.length)

    def _by_delta(self, value: Polynomial) -> Iterator[Tensor]:
        """delta(i, j) b + a, with what a and b have in common at equal indices in front."""
        algebra = self.algebra
        for delta in sorted({g for m in value for g, _ in m if g.kind == "delta"}, key=lambda one: one.serial):
            equal = {tuple(p for p in m if p[0] is not delta): c for m, c in value.items() if (delta, 1) in m}
            other = {m: c for m, c in value.items() if (delta, 1) not in m}
            if not other:
                continue
            yield self.add([self.product([*self.items([(delta, Fraction(1))]), *self._one(equal)]), self.best(other)])
            kept, gone = delta.data  # what is equal is written with `kept`
            of_other = self.factors(other)[1]
            of_equal = dict(self.factors(equal)[1])
            common: list[tuple[Factor | Key, Fraction]] = []
            rest_other, rest_equal = other, equal
            for factor, exponent in of_other:
                there, scale = self._moved(factor, {gone: kept})
                exponent_there = of_equal.get(there, Fraction(0)) if there is not None else Fraction(0)
                if there is None or exponent * exponent_there <= 0 or exponent.denominator != 1:
                    continue
                shared = min(exponent, exponent_there, key=abs)
                common.append((factor, shared))
                rest_other = self._over(rest_other, factor, shared)
                rest_equal = algebra.scaled(self._over(rest_equal, there, shared), scale ** -int(shared))
            if common:
                rest = algebra.add(rest_other, algebra.multiply(algebra.single(delta), rest_equal))
                yield self.product([*self.items(common), *self._one(rest)])

    def _one(self, value: Polynomial) -> Items:
        """The items of a value."""
        content, factors = self.factors(value)
        whole: Items = [(self.best(value), Fraction(1))]
        if len(factors) == 1 and factors[0][1] == 1 and abs(content) == 1:
            return whole
        items = self.items(factors)
        return [*items, (number(content), Fraction(1))] if content != 1 else items

    def _moved(self, factor: Factor | Key, mapping: dict[Place, Place]) -> tuple[Factor | Key | None, flint.fmpq]:
        """A factor at other places: as it stands in a list of factors, and the number in front of it."""
        algebra = self.algebra
        one = flint.fmpq(1)
        if isinstance(factor, Factor):
            if factor.kind in ZERO_ONE:
                return None, one
            match list(algebra.moved_factor(factor, mapping).items()):
                case [(((only, 1),), coefficient)] if coefficient == 1:
                    return only, one
            return None, one
        value = algebra.moved(dict(factor), mapping)
        if len(value) < 2:
            return None, one
        scale = algebra.scale(value)
        return frozenset(algebra.scaled(value, 1 / scale).items()), scale

    def _over(self, value: Polynomial, factor: Factor | Key, exponent: Fraction) -> Polynomial:
        """The value over a power of one of its factors."""
        algebra = self.algebra
        by = algebra.raised(algebra.of(factor), -exponent)
        return algebra.tidied(algebra.multiply(value, by))

    def _by_step(self, value: Polynomial) -> Iterator[Tensor]:
        """s u + (1 - s) v for a condition s is where(s, u, v); u step(u) is relu(u)."""
        algebra = self.algebra
        for step in sorted({g for m in value for g, _ in m if self._is_condition(g)}, key=lambda one: one.serial):
            off = {m: c for m, c in value.items() if (step, 1) not in m}
            if any(g is step for m in off for g, _ in m):
                continue
            on = algebra.add(
                off, {tuple(p for p in m if p[0] is not step): c for m, c in value.items() if (step, 1) in m}
            )
            if step.kind != "step":
                if off:
                    yield self._where(self.factor(step), on, off)
                continue
            inside = dict(step.data)
            outside = {m: -c for m, c in inside.items()}
            for here, there, holds in ((on, off, inside), (off, on, outside)):
                if not there:
                    yield self._where_only(here, holds)
            if algebra.add(on, off) == {} and set(on) == {()}:
                yield self.product([(self.mapped("sign", self.best(inside)), Fraction(1))], fraction(on[()]))
            if algebra.add(on, off) == {} and on == inside and "abs" in self._functions:
                yield self.mapped("abs", self.best(inside))
            if off:
                yield self._where(self.condition(inside), on, off)

    def _where(self, condition: Tensor, on: Polynomial, off: Polynomial) -> Tensor:
        """The form with `where`, which is liked if the formula has one."""
        found = self.mapped("where", condition, self.best(on), self.best(off))
        return replace(found, liked=4 if "where" in self._functions else 0)

    def _is_condition(self, factor: Factor) -> bool:
        if self.algebra.is_part(factor):
            part = self.algebra.parts[factor.data[0]]
            return isinstance(part, Apply) and part.function in CONDITIONS
        return factor.kind == "step"

    def _where_only(self, value: Polynomial, holds: Polynomial) -> Tensor:
        """A value where u > 0, and 0 where u < 0."""
        content, factors = self.factors(value)
        if "relu" in self._functions:
            for n, (factor, exponent) in enumerate(factors):
                for sign in (1, -1):
                    if exponent == 1 and self.algebra.of(factor) == {m: sign * c for m, c in holds.items()}:
                        rest = self.items(factors[:n] + factors[n + 1 :])
                        relu = self.mapped("relu", self.best(holds))
                        return self.product([*rest, (relu, Fraction(1))], content * sign)
        condition = min(self.mapped("step", self.best(holds)), self.condition(holds), key=lambda one: one.length)
        return self.product([(condition, Fraction(1)), *self.items(factors)], content)

    # --- sums ---

    def _gathered(self, value: Polynomial) -> Iterator[Tensor]:
        """sum_k a_k + sum_k b_k = sum_k (a_k + b_k), with what stands in front inside."""
        sums = [g for m in value for g, _ in m if g.kind == "sum"]
        for size in sorted({bound[1] for factor in sums for bound in factor.data[0]}):
            k = self._reserve(size, value)
            choices = [(m, c, list(self._drawn_in(m, k))) for m, c in value.items()]
            if sum(bool(ways) for _, _, ways in choices) < 2:
                continue
            seeds = range(len(choices)) if len(choices) <= MOST_SEEDS else range(1)
            tried: list[Polynomial] = []
            for seed, turn, alike in product(seeds, (1, -1), (0, 2, 3)):
                inside, outside = self._together(choices[seed:] + choices[:seed], turn, alike)
                if not inside or inside in tried:
                    continue
                tried.append(inside)
                content, factors = self.factors(inside)
                try:
                    together = self.product(self.items(factors), content, {k})
                    yield self.add([together, *([self.best(outside)] if outside else [])])
                except Unwritable:
                    continue

    def _together(
        self, choices: list[tuple[Monomial, flint.fmpq, list[Polynomial]]], turn: int, alike: int
    ) -> tuple[Polynomial, Polynomial]:
        """What is drawn into one sum, and what stays outside.

        Args:
            choices: each term with the ways to draw it in.
            turn: of ways that have as much in common with those drawn in before, the first (1) or the last (-1).
            alike: how many factors a term must have in common with the first one.
        """
        inside: Polynomial = {}
        outside: Polynomial = {}
        first: set[Factor] = set()
        for monomial, coefficient, ways in choices:
            known = {factor for m in inside for factor, _ in m}
            best = max(ways[::turn], key=lambda one: len(known & _factors_in(one)), default=None)
            if best is None or (first and len(first & _factors_in(best)) < alike):
                outside[monomial] = coefficient
                continue
            first = first or _factors_in(best)
            inside = self.algebra.add(inside, self.algebra.scaled(best, coefficient))
        return inside, outside

    def _reserve(self, size: str, value: Polynomial) -> Place:
        """An index that does not occur in a value, the same for the same value."""
        kept = self._reserved.setdefault(size, [])
        used = self.algebra.places_of(value)
        for place in kept:
            if place not in used:
                return place
        kept.append(self.algebra.new(size))
        return kept[-1]

    def _drawn_in(self, monomial: Monomial, k: Place) -> Iterator[Polynomial]:
        """The ways to write a monomial as a sum over k: all of it inside one of its sums."""
        algebra = self.algebra
        for factor, exponent in monomial:
            if factor.kind != "sum" or exponent != 1:
                continue
            rest = tuple(pair for pair in monomial if pair[0] is not factor)
            bounds = factor.data[0]
            for n in range(len(bounds)):
                if bounds[n][1] != k[1]:
                    continue
                fresh, body = algebra.opened(factor)
                others = set(fresh) - {fresh[n]}
                body = algebra.closed(algebra.moved(body, {fresh[n]: k}), others)
                yield algebra.multiply({rest: flint.fmpq(1)}, body)
        # W[c, d] = sum_k onehot(c)[k] W[k, d], with the one-hot vector as a part: a delta would be contracted again.
        labels = {place for g, _ in monomial if g.kind == "entry" for place in g.places if place[0] == "label"}
        for place in sorted((place for place in labels if place[1] == k[1]), key=str):
            if not all(self.plain(inner) for inner in place[3]):
                continue
            chosen = algebra.variable(algebra.named_part(OneHot(self.label(place))), (*place[3], k))
            yield algebra.multiply(chosen, algebra.moved_monomial(monomial, {place: k}))

    def _collected(self, value: Polynomial) -> Iterator[Tensor]:
        """u a + u b + c = u (a + b) + c."""
        counts: dict[Factor, int] = {}
        for monomial in value:
            for factor, _ in monomial:
                counts[factor] = counts.get(factor, 0) + 1
        shared = sorted(
            (one for one, n in counts.items() if 1 < n < len(value)), key=lambda one: (-counts[one], one.serial)
        )
        for factor in shared[: 8 if len(value) <= 6 else 3]:
            inside = {m: c for m, c in value.items() if any(one is factor for one, _ in m)}
            outside = {m: c for m, c in value.items() if m not in inside}
            yield self.add([self.best(inside), self.best(outside)])

    def _averaged(self, value: Polynomial) -> Iterator[Tensor]:
        """K u - sum(u) = K (u - mean(u)): sums over an axis whose size occurs, as its size times their means."""
        algebra = self.algebra
        sizes = {factor.data for m in value for factor, _ in m if factor.kind == "size"}
        means: dict[Factor, Polynomial] = {}
        single = {g for m in value for g, _ in m if g.kind == "sum" and len(g.data[0]) == 1}
        for factor in sorted(single, key=lambda one: one.serial):
            size = factor.data[0][0][1]
            if size in sizes:
                tensor = self.factor(factor)
                match tensor.expression:
                    case Call("dot", (u, v), positions):
                        mean = Call("mean", (u * v,), positions, tensor.expression.axes)
                    case Call("sum", (u,), positions):
                        mean = Call("mean", (u,), positions, tensor.expression.axes)
                    case _:
                        continue
                average = algebra.variable(algebra.named_part(mean), tensor.places)
                means[factor] = algebra.multiply(algebra.size(size), average)
        if not means:
            return
        total: Polynomial = {}
        for monomial, coefficient in value.items():
            term: Polynomial = {tuple(pair for pair in monomial if pair[0] not in means): coefficient}
            for factor, exponent in monomial:
                if factor in means:
                    term = algebra.multiply(term, algebra.raised(means[factor], Fraction(exponent)))
            total = algebra.add(total, term)
        yield self.best(total)


def _factors_in(value: Polynomial) -> set[Factor]:
    return {factor for monomial in value for factor, _ in monomial}
