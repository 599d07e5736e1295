"""Products and sums of tensors with indices, as expressions: entrywise, @, outer, diag, sum.

Factors at the same indices are multiplied entrywise, an index that two factors share and that is summed over becomes a
matrix product, one that a single factor has a sum; what is left at different indices an outer product, or spread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

from softmax_trick.language import expression as ex
from softmax_trick.language import functions as f
from softmax_trick.language.text import to_text
from softmax_trick.readings.canonical import Place

ONE = ex.Number(Fraction(1))

Places = tuple[Place, ...]


class Unwritable(ValueError):
    """There is no such form for this value."""


@dataclass(frozen=True)
class Tensor:
    """An expression and the index that each of its axes stands for.

    Attributes:
        expression: the expression, without its sign.
        places: one for each of its axes.
        negative: whether it is to be subtracted.
        terms: what it is the sum of, if it is a sum.
        liked: how many characters longer it may be than another form, as the form that one would rather read.
    """

    expression: ex.Expression
    places: Places = ()
    negative: bool = False
    terms: tuple[Tensor, ...] = ()
    liked: int = 0

    @property
    def opposite(self) -> Tensor:
        """Its negative."""
        return replace(self, negative=not self.negative)

    @property
    def length(self) -> int:
        """The characters of its text, spaces not counted, and some for every matrix product and spread vector."""
        known = self.__dict__
        if "length" not in known:
            work = sum(
                3 * isinstance(node, ex.MatMul) + 4 * isinstance(node, ex.Spread) for node in self.expression.nodes()
            )
            known["length"] = text_length(self.expression) + self.negative + work
        return known["length"]


def text_of(expression: ex.Expression) -> str:
    """An expression's text without spaces, written once."""
    known = expression.__dict__  # where the node's cached properties are too
    if "packed" not in known:
        known["packed"] = to_text(expression).replace(" ", "")
    return known["packed"]


def text_length(expression: ex.Expression) -> int:
    """The characters of an expression's text, spaces not counted."""
    return len(text_of(expression))


Items = list[tuple[Tensor, Fraction]]  # factors with exponents


class Frame:
    """The indices of a result: their order, and the axes that they stand for.

    Args:
        order: the free indices, in the order of the axes of the result.
        axes: the names of those axes.
    """

    def __init__(self, order: Places, axes: tuple[str, ...]) -> None:
        self.order = order
        self._axes = dict(zip(order, axes, strict=True))

    def axis(self, place: Place) -> str:
        """The axis that an index runs over."""
        return self._axes.get(place, str(place[1]))

    def rank(self, place: Place) -> tuple[int, int]:
        """Where an index stands among others: those of the result first, then those that are summed over."""
        if place in self.order:
            return 0, self.order.index(place)
        return 1, place[2] if isinstance(place[2], int) else 0

    def joined(self, tensors: Iterable[Tensor]) -> Places:
        """The indices of tensors, in order."""
        return tuple(sorted({place for one in tensors for place in one.places}, key=self.rank))

    def signed(self, tensor: Tensor) -> ex.Expression:
        """The expression of a tensor, with its sign."""
        if not tensor.negative:
            return tensor.expression
        if tensor.terms:  # -(a - b) is b - a
            turned = self.add([one.opposite for one in tensor.terms])
            return -turned.expression if turned.negative else turned.expression
        return _negative(tensor.expression)

    def aligned(self, tensor: Tensor, places: Places) -> ex.Expression:
        """The tensor with its axes in this order, repeated along those that it lacks."""
        expression = self.ordered(tensor, tuple(place for place in places if place in tensor.places))
        for n, place in enumerate(places):
            if place not in tensor.places:
                expression = ex.Spread(expression, self.axis(place), n)
        return expression

    def ordered(self, tensor: Tensor, places: Places) -> ex.Expression:
        """The tensor with its axes in this order.

        Raises:
            Unwritable: the order is neither its own nor the reverse.
        """
        if tensor.places == places:
            return tensor.expression
        if tensor.places[::-1] == places:
            return _transposed(tensor.expression)
        raise Unwritable("axes in another order")

    def add(self, tensors: Iterable[Tensor]) -> Tensor:
        """The sum of tensors, the positive terms first, the shortest first."""
        terms: list[Tensor] = []
        for one in tensors:
            inner = one.terms or (replace(one, negative=False),)
            terms += [term.opposite for term in inner] if one.negative else inner
        if len(terms) == 1:
            return terms[0]
        terms.sort(key=lambda one: (one.negative, one.length, text_of(one.expression)))
        places = self.joined(terms)
        if len(places) == 2:  # as most of the terms stand
            turned = [one.places for one in terms].count(places[::-1])
            if turned > [one.places for one in terms].count(places):
                places = places[::-1]
        whole = any(len(one.places) == len(places) for one in terms)
        expressions = [one.expression if not one.places and whole else self.aligned(one, places) for one in terms]
        if all(one.negative for one in terms):
            opposite = self.add([one.opposite for one in terms])
            return opposite.opposite
        result = expressions[0]
        for one, expression in zip(terms[1:], expressions[1:], strict=True):
            result = result - expression if one.negative else result + expression
        return Tensor(result, places, terms=tuple(terms))

    def product(self, items: Items, coefficient: Fraction = Fraction(1), bounds: set[Place] | None = None) -> Tensor:
        """The product of powers of tensors, summed over indices.

        Raises:
            Unwritable: it is no chain of entrywise, matrix and outer products.
        """
        if coefficient == 0:
            return Tensor(ex.Number(Fraction(0)))
        if len(items) == 1 and not bounds and items[0][1] == 1 and abs(coefficient) == 1:
            return items[0][0].opposite if coefficient < 0 else items[0][0]
        if sum(1 for one, e in items if one.negative and e % 2) % 2 == (coefficient > 0):  # -(a - b) is b - a
            for n, (one, exponent) in sorted(enumerate(items), key=lambda item: -item[1][1]):
                if abs(exponent) == 1 and any(term.negative for term in one.terms):
                    turned = self.add([term.opposite for term in one.terms])
                    items = [*items[:n], (replace(turned, negative=one.negative), exponent), *items[n + 1 :]]
                    coefficient = -coefficient
                    break
        contraction = Contraction(self, coefficient)
        for tensor, exponent in items:
            contraction.put(tensor, exponent)
        return self._contracted(contraction, set(bounds or ()))

    def _contracted(self, contraction: Contraction, bounds: set[Place]) -> Tensor:
        return contraction.over(bounds)

    def mapped(self, function: str, *arguments: Tensor) -> Tensor:
        """A function entry by entry of tensors at different places."""
        places = self.joined(arguments)
        expressions = [
            self.aligned(replace(one, expression=self.signed(one), negative=False, terms=()), places)
            if one.places
            else self.signed(one)
            for one in arguments
        ]
        return Tensor(ex.entrywise(function, *expressions), places)


class _Group:
    """Factors at the same indices: expressions with their exponents."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.powers: dict[ex.Expression, Fraction] = {}

    def put(self, expression: ex.Expression, exponent: Fraction) -> None:
        self.powers[expression] = self.powers.get(expression, Fraction(0)) + exponent

    def above(self) -> list[ex.Expression]:
        return [_power(one, e) for one, e in self.powers.items() if e > 0]

    def below(self) -> list[ex.Expression]:
        return [_power(one, -e) for one, e in self.powers.items() if e < 0]

    def expression(self) -> ex.Expression:
        return _quotient(self.above(), self.below())


class Contraction:
    """A product under way: its factors by their indices."""

    def __init__(self, frame: Frame, coefficient: Fraction) -> None:
        self._frame, self._coefficient = frame, coefficient
        self._groups: dict[frozenset[Place], _Group] = {frozenset(): _Group(())}

    def put(self, tensor: Tensor, exponent: Fraction) -> None:
        """Multiply by a power of a tensor."""
        if tensor.negative:
            if exponent.denominator != 1:
                raise Unwritable("a root of something subtracted")
            self._coefficient *= -1 if exponent % 2 else 1
        if isinstance(tensor.expression, ex.Number) and exponent.denominator == 1:
            self._coefficient *= tensor.expression.value ** int(exponent)
            return
        key = frozenset(tensor.places)
        if key not in self._groups:
            self._groups[key] = _Group(tensor.places)
        group = self._groups[key]
        if tensor.expression == ONE:
            return
        for expression, e in _factors_of(self._frame.ordered(tensor, group.places)):
            group.put(expression, e * exponent)

    def scalar(self) -> Tensor:
        """The product of scalars."""
        return self._assembled(_Group(()))

    def over(self, bounds: set[Place]) -> Tensor:
        """The product summed over indices; those that fewest factors share first."""
        while bounds:
            k = min(bounds, key=lambda place: (len(self._with(place)), self._cost(place), self._frame.rank(place)))
            self._contract(k)
            bounds = bounds - {k}
        return self._joined()

    def _with(self, place: Place) -> list[_Group]:
        return [group for key, group in self._groups.items() if place in key]

    def _cost(self, place: Place) -> int:
        return len({other for group in self._with(place) for other in group.places})

    def _take(self, group: _Group) -> ex.Expression:
        del self._groups[frozenset(group.places)]
        return group.expression()

    def _contract(self, k: Place) -> None:
        groups = sorted(self._with(k), key=lambda group: len(group.places))
        if len(groups) == 1:
            self._sum(groups[0], k)
        elif len(groups) == 2:
            self._matmul(groups[0], groups[1], k)
        elif len(groups) == 3 and groups[0].places == (k,) and all(len(group.places) == 2 for group in groups[1:]):
            vector, left = self._take(groups[0]), groups[1]
            matrix = self._take(left)
            diagonal = ex.Diag(vector)
            scaled = ex.MatMul(diagonal, matrix) if left.places[0] == k else ex.MatMul(matrix, diagonal)
            self.put(Tensor(scaled, left.places), Fraction(1))
            self._contract(k)
        else:
            raise Unwritable("a sum over an index that many factors share")

    def _sum(self, group: _Group, k: Place) -> None:
        above, below = group.above(), group.below()
        self._take(group)
        n = group.places.index(k)
        rest = group.places[:n] + group.places[n + 1 :]
        if not rest and len(above) == 2 and not below:
            call = ex.Call("dot", tuple(sorted(above, key=_simple_first)), (0,), ())
        elif not above and not below:
            raise Unwritable("a sum of ones")
        else:
            inside = _quotient(above, below)
            if isinstance(inside, ex.Call) and inside.function == "sum" and not rest and len(inside.axes) == 1:
                # sum over an axis of a sum over another: one over both, where it is all of them
                argument = inside.arguments[0]
                call = ex.Call("sum", (argument,), tuple(range(len(argument.axes))), ())
            else:
                call = ex.Call("sum", (inside,), (n,), tuple(a for m, a in enumerate(inside.axes) if m != n))
        self.put(Tensor(call, rest), Fraction(1))

    def _matmul(self, one: _Group, other: _Group, k: Place) -> None:
        if len(set(one.places) & set(other.places)) > 1:
            raise Unwritable("two factors that share several indices")
        choices = []
        for left, right in ((one, other), (other, one)):
            first, last = self._ends(left, k, False), self._ends(right, k, True)
            if first is None or last is None:
                continue
            places = tuple(p for p in first if p != k) + tuple(p for p in last if p != k)
            turned = (first != left.places) + (last != right.places)
            disorder = list(places) != sorted(places, key=self._frame.rank)
            choices.append((turned + disorder, turned, left, right, first, last, places))
        if not choices:
            raise Unwritable("a sum over a middle index")
        _, _, left, right, first, last, places = min(choices, key=lambda choice: choice[:2])
        a, b = self._take(left), self._take(right)
        if len(first) == 1 and len(last) == 2 and last == right.places and isinstance(b, ex.Variable | ex.Definition):
            a, b, first, last, left, right = b, a, last[::-1], first, right, left  # W.T @ v rather than v @ W
        if first != left.places:
            a = _transposed(a)
        if last != right.places:
            b = _transposed(b)
        self.put(Tensor(ex.MatMul(a, b), places), Fraction(1))

    def _ends(self, group: _Group, k: Place, first: bool) -> Places | None:
        """The places of a group, turned if need be, so that k is first or last."""
        for places in (group.places, group.places[::-1]):
            if (places[0] if first else places[-1]) == k:
                return places
        return None

    # --- what is left when all sums are done ---

    def _joined(self) -> Tensor:
        frame = self._frame
        groups = [group for key, group in self._groups.items() if key]
        if not groups:
            return self._assembled(_Group(()))
        places = tuple(sorted({place for group in groups for place in group.places}, key=frame.rank))
        covered = {place for group in groups if group.powers for place in group.places}
        groups = [group for group in groups if group.powers or not covered.issuperset(group.places)]
        for group in groups:
            if not group.powers:
                group.put(frame.aligned(Tensor(ONE), group.places), Fraction(1))
        whole = next((group for group in groups if set(group.places) == set(places)), None)
        if len(groups) == 1:
            return self._assembled(groups[0])
        if whole is None:
            return self._assembled(self._outer(groups, places))
        if list(whole.powers) == [ex.Identity(frame.axis(whole.places[0]))] and len(groups) == 2 and len(places) == 2:
            vector = next(group for group in groups if group is not whole)
            result = _Group(whole.places)
            result.put(ex.Diag(vector.expression()), Fraction(1))
            return self._assembled(result)
        result = _Group(places)
        for expression, exponent in whole.powers.items():
            result.put(frame.ordered(Tensor(expression, whole.places), places), exponent)
        for group in groups:
            if group is not whole:
                for expressions, sign in ((group.above(), 1), (group.below(), -1)):
                    if expressions:
                        spread = frame.aligned(Tensor(_quotient(expressions, []), group.places), places)
                        result.put(spread, Fraction(sign))
        return self._assembled(result)

    def _outer(self, groups: list[_Group], places: Places) -> _Group:
        ordered = sorted(groups, key=lambda group: min(map(self._frame.rank, group.places)))
        parts: list[ex.Expression] = []
        found: Places = ()
        for group in ordered:
            own = tuple(sorted(group.places, key=self._frame.rank))
            parts.append(self._frame.ordered(Tensor(group.expression(), group.places), own))
            found += own
        if found != places:
            raise Unwritable("indices that are mixed")
        result = _Group(places)
        result.put(reduce(ex.Outer, parts), Fraction(1))
        return result

    def _assembled(self, group: _Group) -> Tensor:
        """One group with the scalars and the number in front."""
        scalars = self._groups[frozenset()]
        negative = self._coefficient < 0
        size = abs(self._coefficient)
        above = [*scalars.above(), *(group.above() if group is not scalars else [])]
        below = {**scalars.powers, **(group.powers if group.places else {})}
        denominators = {one: -e for one, e in below.items() if e < 0}
        above = [_mean(one, denominators) for one in above]
        lower = [_power(one, e) for one, e in denominators.items() if e > 0]
        if size.numerator != 1:
            above = [ex.Number(Fraction(size.numerator)), *above]
        if size.denominator != 1:
            lower = [ex.Number(Fraction(size.denominator)), *lower]
        if group.places and not any(one.axes for one in above):
            ones: ex.Expression = ONE
            for place in group.places if not any(one.axes for one in lower) else ():
                ones = ex.Spread(ones, self._frame.axis(place), len(ones.axes))
            above = [*above, ones] if ones.axes else above
        return Tensor(_quotient(above, lower), group.places, negative)


def _mean(expression: ex.Expression, denominators: dict[ex.Expression, Fraction]) -> ex.Expression:
    """sum(u)/K as mean(u); the K is taken out of the denominators."""
    if not (isinstance(expression, ex.Call) and expression.function in ("sum", "dot")):
        return expression
    first = expression.arguments[0]
    sizes: dict[ex.Expression, int] = {}
    for place in expression.positions:
        size: ex.Expression = ex.Size(ex.size_of(first.axes[place]))
        sizes[size] = sizes.get(size, 0) + 1
    if any(denominators.get(size, 0) < n for size, n in sizes.items()):
        return expression
    for size, n in sizes.items():
        denominators[size] -= n
    inside = first if expression.function == "sum" else first * expression.arguments[1]
    return ex.Call("mean", (inside,), expression.positions, expression.axes)


def _factors_of(expression: ex.Expression) -> Iterator[tuple[ex.Expression, Fraction]]:
    """A product as its factors, so that they are put together with those beside it."""
    match expression:
        case ex.Apply("multiply", (u, v)) if u.axes == v.axes == expression.axes:
            yield from _factors_of(u)
            yield from _factors_of(v)
        case ex.Apply("power", (u, ex.Number(value))) if value.denominator == 1:
            yield u, value
        case _:
            yield expression, Fraction(1)


def _quotient(above: list[ex.Expression], below: list[ex.Expression]) -> ex.Expression:
    above, below = sorted(above, key=_simple_first), sorted(below, key=_simple_first)
    match above, below:
        case [], [ex.Number(value)]:
            return ex.Number(1 / value)
    numerator = reduce(lambda a, b: a * b, above) if above else ONE
    return numerator / reduce(lambda a, b: a * b, below) if below else numerator


def _simple_first(expression: ex.Expression) -> tuple[bool, int, str]:
    return (not isinstance(expression, ex.Number), text_length(expression), text_of(expression))


def _power(expression: ex.Expression, exponent: Fraction) -> ex.Expression:
    if exponent == 1:
        return expression
    return f.sqrt(expression) if exponent == Fraction(1, 2) else expression**exponent


def _transposed(expression: ex.Expression) -> ex.Expression:
    match expression:
        case ex.Transpose(argument):
            return argument
        case ex.MatMul(left, right) if len(left.axes) == len(right.axes) == 2:
            product = ex.MatMul(_transposed(right), _transposed(left))
            return min((product, ex.Transpose(expression)), key=text_length)
        case ex.Outer(left, right) if len(left.axes) == len(right.axes) == 1:
            return ex.Outer(right, left)
        case ex.Diag() | ex.Identity():
            return expression
        case ex.Spread(argument, axis, position) if len(argument.axes) == 1:
            return ex.Spread(argument, axis, 1 - position)
        case ex.Apply(function, arguments):
            turned = tuple(_transposed(one) if one.axes else one for one in arguments)
            return min((ex.Transpose(expression), ex.Apply(function, turned, expression.axes[::-1])), key=text_length)
    return ex.Transpose(expression)


def _negative(u: ex.Expression) -> ex.Expression:
    """-u, with the sign at the first factor of a product."""
    match u:
        case ex.Apply("multiply" | "divide" as function, (v, w)):
            return ex.Apply(function, (_negative(v), w), u.axes)
        case ex.Number(value):
            return ex.Number(-value)
    return -u


def opposite(u: ex.Expression) -> ex.Expression:
    """-u, simplified at the top."""
    match u:
        case ex.Apply("negative", (v,)):
            return v
        case ex.Apply("subtract", (v, w)):
            return w - v
    return _negative(u)
