"""Factors of a canonical form as tensors: entries, deltas and sums, at labels, numbers and repeated indices too."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import count

import flint

from softmax_trick.derivation.contraction import Contraction, Frame, Items, Places, Tensor, Unwritable
from softmax_trick.derivation.opaque import Opaque
from softmax_trick.language import expression as ex
from softmax_trick.language import functions as f
from softmax_trick.readings.canonical import Factor, Key, Monomial, Place, Polynomial

LETTERS = "ijklmnopqrsabcdefgh"


class FactorForms(Frame):
    """Writes factors; see `softmax_trick.derivation.tensor_form.TensorForm`, which writes sums of products of them.

    Args:
        algebra: the algebra.
        order: the free indices, in the order of the axes of the result.
        axes: the names of those axes.
        taken: names that no index may have.
        by_entries: whether everything is written entry by entry.
        free: indices that are free in what is written.
    """

    def __init__(
        self,
        algebra: Opaque,
        order: Places,
        axes: tuple[str, ...],
        taken: Iterable[str],
        by_entries: bool,
        free: Iterable[ex.Index],
    ) -> None:
        super().__init__(order, axes)
        self.algebra, self.by_entries = algebra, by_entries
        self._names: dict[Place, str] = {}
        self._sums: dict[Factor, Tensor] = {}
        self._free = {index.name: index for index in free}
        taken = {*taken, *self._free}
        letters = (f"{letter}{n or ''}" for n in count() for letter in LETTERS)
        self._letters = (letter for letter in letters if letter not in taken)
        if by_entries:
            for place in order:
                self.index(place)

    def plain(self, place: Place) -> bool:
        """Whether a place is an axis here: an index of the result, or one that is summed over."""
        return place in self.order or place[0] in ("fresh", "bound")

    def constant(self, place: Place) -> bool:
        """Whether a place is the same for all entries of the result."""
        return not self.plain(place) and (place[0] != "label" or all(map(self.constant, place[3])))

    def best(self, value: Polynomial) -> Tensor:
        """The shortest form of a value."""
        raise NotImplementedError

    def shortest_sum(self, value: Polynomial) -> Tensor:
        """The shortest form of a value that is no product."""
        raise NotImplementedError

    def condition(self, value: Polynomial) -> Tensor:
        """u > 0, for u = a - b as b < a."""
        above = {m: c for m, c in value.items() if c > 0}
        below = {m: -c for m, c in value.items() if c < 0}
        return self.mapped("less", self.best(below), self.best(above))

    def monomial(self, monomial: Monomial, coefficient: flint.fmpq) -> Tensor:
        """A product."""
        return self.product(self.items([(factor, Fraction(e)) for factor, e in monomial]), fraction(coefficient))

    def factors(self, value: Polynomial) -> tuple[Fraction, list[tuple[Factor | Key, Fraction]]]:
        """A value as a number times powers of irreducible factors."""
        content, factors = self.algebra.factored(value)
        return content, [(factor, Fraction(e)) for factor, e in factors]

    def items(self, factors: list[tuple[Factor | Key, Fraction]]) -> Items:
        """The factors of a product as tensors with exponents."""
        exponents = dict(factors)
        items: Items = []
        sums = [(one, e) for one, e in factors if not isinstance(one, Factor)]
        for n, (one, exponent) in enumerate(sums):  # (a - b) (a + b) = a**2 - b**2
            for other, same in sums[n + 1 :]:
                if exponent == same and one in exponents and other in exponents:
                    joined = self.algebra.multiply(dict(one), dict(other))
                    if len(joined) < len(one) + len(other):
                        del exponents[one], exponents[other]
                        items.append((self.shortest_sum(joined), exponent))
        for factor in list(exponents):
            if isinstance(factor, Factor) and self.algebra.is_part(factor):
                part = self.algebra.parts[factor.data[0]]
                if isinstance(part, ex.Apply) and part.function == "power" and factor in exponents:
                    items += self._power_items(factor, part, exponents)
        items += self._tanh_items(exponents)
        for factor, exponent in exponents.items():
            if exponent:
                items.append((self.factor(factor), exponent))
        return items

    def _tanh_items(self, exponents: dict[Factor | Key, Fraction]) -> Items:
        """sinh(u)**n / cosh(u)**n = tanh(u)**n; what is used is taken out of the exponents."""
        parts = {
            one: self.algebra.parts[one.data[0]]
            for one in exponents
            if isinstance(one, Factor) and self.algebra.is_part(one)
        }
        items: Items = []
        for one, sinh in parts.items():
            for other, cosh in parts.items():
                match sinh, cosh:
                    case ex.Apply("sinh", (u,)), ex.Apply("cosh", (v,)) if u == v and one.data[1] == other.data[1]:
                        if exponents[one] == -exponents[other]:
                            items.append((self.resolved(f.tanh(u), one.data[1]), exponents.pop(one)))
                            del exponents[other]
        return items

    def _power_items(self, factor: Factor, part: ex.Apply, exponents: dict[Factor | Key, Fraction]) -> Items:
        """(u**v)**m u**n = u**(m v + n); what is used is taken out of the exponents."""
        u, v = part.arguments
        places = factor.data[1]
        base = self.algebra.reading.entry(u, places if u.axes else ())
        content, factors = self.factors(base) if base else (Fraction(1), [])
        if len(factors) != 1 or factors[0][1] != 1 or abs(content) != 1:
            return []
        n = exponents.get(factors[0][0], Fraction(0))
        if not n or n.denominator != 1:
            return []
        del exponents[factors[0][0]]
        m = exponents.pop(factor)
        scaled = v if m == 1 else ex.Number(m) * v
        exponent: ex.Expression = scaled + ex.Number(n) if n > 0 else scaled - ex.Number(-n)
        if isinstance(v, ex.Number):
            exponent = ex.Number(m * v.value + n)
        items: Items = [(self.resolved(ex.Apply("power", (u, exponent), part.axes), places), Fraction(1))]
        return [*items, (number(Fraction(-1)), Fraction(1))] if content == -1 and n % 2 else items

    def factor(self, factor: Factor | Key) -> Tensor:
        """A factor to the power 1."""
        if not isinstance(factor, Factor):
            return self.best(dict(factor))
        match factor.kind:
            case "entry":
                name, places = factor.data
                node = self.algebra.shown[name] if name in self.algebra.parts else self.algebra.variables[name]
                return self.resolved(node, places)
            case "delta":
                return self.delta(*factor.data)
            case "size":
                return Tensor(ex.Size(factor.data))
            case "prime":
                return Tensor(ex.Number(Fraction(factor.data)))
            case "sum":
                if factor not in self._sums:
                    fresh, body = self.algebra.opened(factor)
                    ((monomial, coefficient),) = body.items()
                    items = self.items([(one, Fraction(e)) for one, e in monomial])
                    self._sums[factor] = self.product(items, fraction(coefficient), set(fresh))
                return self._sums[factor]
            case "exp":
                return self.mapped("exp", self.monomial(factor.data, flint.fmpq(1)))
            case "log":
                return self.mapped("log", self.best(dict(factor.data)))
            case "normal":
                return self.mapped("normal_cdf", self.best(dict(factor.data)))
            case "step":
                inside = dict(factor.data)
                return min(self.mapped("step", self.best(inside)), self.condition(inside), key=lambda one: one.length)
            case _:
                return self.best(dict(factor.data))

    def delta(self, left: Place, right: Place) -> Tensor:
        """A delta: a one-hot vector, an identity, or a number."""
        if self.by_entries:
            return Tensor(ex.Delta(self.term(left), self.term(right)))
        for one, other in ((left, right), (right, left)):
            if self.plain(one) and self.plain(other):
                return Tensor(ex.Identity(self.axis(left)), (left, right))
            if self.plain(one) and other[0] == "label" and one not in other[3] and all(map(self.plain, other[3])):
                return Tensor(ex.OneHot(self.label(other)), (*other[3], one))
            if self.plain(one) and self.constant(other):
                index = self.index(one)
                return Tensor(ex.Comprehension((index,), ex.Delta(index, self.term(other))), (one,))
        if self.constant(left) and self.constant(right):
            return Tensor(ex.Delta(self.term(left), self.term(right)))
        raise Unwritable("a delta of such places")

    def resolved(self, node: ex.Expression, places: Places) -> Tensor:
        """A node at places, of which some may be labels or numbers, or the same."""
        if not places:
            return Tensor(node)
        if self.by_entries:
            return Tensor(ex.entry_of(node, *map(self.term, places)))
        if all(self.plain(place) for place in places):
            if len(set(places)) == len(places):
                return Tensor(node, places)
            if places[-1] == places[-2] and len(set(places)) == len(places) - 1:
                return Tensor(ex.Diagonal(node), places[:-1])
            raise Unwritable("an index three times")
        last = places[-1]
        if last[0] == "label" and last[3] == places[:-1] and all(self.plain(place) for place in last[3]):
            return Tensor(ex.Pick(node, self.label(last)), places[:-1])
        if all(map(self.constant, places)):
            return Tensor(ex.entry_of(node, *map(self.term, places)))
        for n, place in enumerate(places):
            if not self.plain(place):  # W[c, d] = sum_k onehot(c)[k] W[k, d]
                k = self.algebra.new(place[1])
                rest = self.resolved(node, (*places[:n], k, *places[n + 1 :]))
                return self.product([(self.delta(k, place), Fraction(1)), (rest, Fraction(1))], Fraction(1), {k})
        raise Unwritable("an entry at such places")

    def label(self, place: Place) -> ex.Variable:
        """The label at a place."""
        variable = self.algebra.labels.get(place[2])
        if variable is None:
            raise Unwritable(f"the label {place[2]}")
        return variable

    def term(self, place: Place) -> ex.IndexTerm:
        """A place as an index."""
        match place[0]:
            case "label":
                return ex.Chosen(self.label(place), tuple(map(self.term, place[3])))
            case "given":
                return ex.Numbered(place[2], place[1])
            case "free" if place not in self.order:
                return self._free[place[2]]
            case "largest":
                raise Unwritable("the place of the largest entry")
        return self.index(place)

    def index(self, place: Place) -> ex.Index:
        """An index under a name of its own."""
        if place not in self._names:
            self._names[place] = next(self._letters)
        return ex.Index(self._names[place], self.axis(place))

    def _contracted(self, contraction: Contraction, bounds: set[Place]) -> Tensor:
        if not (self.by_entries and bounds):
            return super()._contracted(contraction, bounds)
        indices = tuple(sorted((self.index(place) for place in bounds), key=lambda index: index.name))
        body = ex.Comprehension(indices, self.signed(contraction.scalar()))
        return Tensor(ex.Call("sum", (body,), tuple(range(len(indices)))))


def number(value: Fraction) -> Tensor:
    """A number."""
    return Tensor(ex.Number(abs(value)), negative=value < 0)


def fraction(value: flint.fmpq) -> Fraction:
    """A number of FLINT."""
    return Fraction(int(value.p), int(value.q))
