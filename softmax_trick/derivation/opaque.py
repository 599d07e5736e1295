"""The every-size reading in the user's own terms: named parts of a formula are not looked into, only differentiated.

softmax(u), log(u), sqrt(u), tanh(u), ... and defined names are *parts*: factors of the canonical form, whose meaning is
not looked into. Each has a rule for its derivative (`_RULES`), again in parts: that of softmax along an axis is
y_i (du_i - sum_k y_k du_k). So what cancels cancels in the user's terms, y_i / y_i = 1 and sum_k y_k = 1, and what is
left can be written back with the names that the user gave. A rule is not believed: what comes out is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from fractions import Fraction

from softmax_trick.deciding.ranges import range_of
from softmax_trick.language import functions as f
from softmax_trick.language.expression import (
    Apply,
    Call,
    Definition,
    Expression,
    Kind,
    Number,
    Variable,
    size_of,
)
from softmax_trick.language.interpreter import Position, Reading
from softmax_trick.readings.canonical import Canonical, Factor, Monomial, Place, Polynomial
from softmax_trick.readings.canonical.terms import as_rational

SMOOTH = (
    "exp", "log", "sqrt", "tanh", "sigmoid", "softplus", "log_sigmoid", "silu", "sinh", "cosh", "log1p", "expm1",
    "normal_cdf", "normal_pdf",
)  # fmt: skip
PIECEWISE = ("relu", "abs", "sign", "step", "less")
CONDITIONS = ("step", "less")
MOST_MULTIPLIED = 4  # a sum to a higher power stays as it is
VECTOR = ("softmax", "log_softmax", "logsumexp", "norm")

ZERO = Number(Fraction(0))

Places = tuple[Place, ...]
Change = Callable[[Expression, Places], Polynomial]  # the derivative of an entry of a part's argument


class Opaque(Canonical):
    """Canonical forms with parts; see the head of this module.

    Args:
        names: the functions that stay as they are, "power" for powers that are no whole number, and "definition".

    Attributes:
        parts: the parts met so far, by the name of the variable that stands for each.
        shown: how a part is written: as the definition that names it, if there is one.
    """

    def __init__(self, names: frozenset[str], sizes: Mapping[str, int] | None = None) -> None:
        super().__init__(sizes)
        self._names = names
        self.parts: dict[str, Expression] = {}
        self.shown: dict[str, Expression] = {}
        self.variables: dict[str, Variable] = self._variables
        self.labels: dict[str, Variable] = {}
        self._known: dict[Expression, Variable | None] = {}
        self._names_given: dict[Expression, Variable] = {}
        self._by_value: dict[Hashable, Expression] = {}
        self._totals: dict[tuple[str, int], Fraction] = {}
        self.reading = _OpaqueReading(self)

    # --- parts ---

    def part(self, node: Expression) -> Variable | None:
        """The variable that stands for a part; None for what is looked into."""
        if node not in self._known:
            self._known[node] = self._part(node)
        return self._known[node]

    def _part(self, node: Expression) -> Variable | None:
        if isinstance(node, Definition):
            if node.free:
                return None
            known = self.part(node.meaning)
            if known is not None:  # another name for a part
                self.shown[known.name] = node
                return known
            if "definition" not in self._names or isinstance(node.meaning, Variable):
                return None
        elif not self._stays(node) or node.free:
            return None
        for found in (self._known.get(node), self._alike(node)):
            if found is not None:
                return found
        self._known[node] = self.named_part(node)
        return self._known[node]

    def named_part(self, node: Expression) -> Variable:
        """A variable that stands for an expression, the same whenever it is asked."""
        if node in self._names_given:
            return self._names_given[node]
        variable = Variable(f"@{len(self.parts)}", node.axes, *_kind(node))
        self.parts[variable.name] = self.shown[variable.name] = node
        self._variables[variable.name] = self._names_given[node] = variable
        return variable

    def _alike(self, node: Expression) -> Variable | None:
        """A part that is the same function of arguments with the same canonical form."""
        if isinstance(node, Definition):
            return None
        found = self._by_value.setdefault(self._value_key(node, *node.children), node)
        return None if found is node else self._known[found]

    def _value_key(self, node: Expression, *arguments: Expression) -> Hashable:
        values = []
        for argument in arguments:
            at = tuple(("free", size_of(axis), f"_{n}") for n, axis in enumerate(argument.axes))
            values.append(frozenset(self.reading.entry(argument, at).items()))
        return (type(node), node.function, getattr(node, "positions", ()), tuple(values))  # type: ignore[attr-defined]

    def opposite_sigmoid(self, node: Expression) -> Expression | None:
        """sigmoid(-u) where there is a part sigmoid(u), for 1 - sigmoid(u)."""
        if not (isinstance(node, Apply) and node.function == "sigmoid" and "sigmoid" in self._names):
            return None
        found = self._by_value.get(self._value_key(node, -node.arguments[0]))
        return found if found is not None and self._known.get(node) is None else None

    def _stays(self, node: Expression) -> bool:
        match node:
            case Apply("power", (base, exponent)):
                value = exponent.value if isinstance(exponent, Number) else Fraction(1, 2)
                high = abs(value) > MOST_MULTIPLIED and not isinstance(base, Variable)
                return "power" in self._names and (value.denominator != 1 or high)
            case Apply(function, _) | Call(function, _):
                return function in self._names
        return False

    def is_part(self, factor: Factor) -> bool:
        """Whether a factor is an entry of a part."""
        return factor.kind == "entry" and factor.data[0] in self.parts

    def chosen(self, label: Variable, positions: Places) -> Place:
        self.labels[label.name] = label
        return super().chosen(label, positions)

    # --- what is known of their sums ---

    def note_totals(self, variable: Variable, at: Places, meaning: Polynomial) -> None:
        """Finds out over which of its axes a part has a sum that is a number."""
        for n, place in enumerate(at):
            k = self.new(place[1])
            total = self.tidied(self.closed(self.tidied(self.moved(meaning, {place: k})), {k}))
            if not total or set(total) == {()}:
                self._totals[variable.name, n] = Fraction(str(total.get((), 0)))

    def _drawn_out(self, monomial: Monomial, bounds: set[Place], kept: set[Factor]) -> Polynomial | None:
        if self._totals:
            for k in bounds:
                match [(factor, exponent) for factor, exponent in monomial if k in factor.places]:
                    case [(factor, 1)] if factor.kind == "entry" and factor.data[1].count(k) == 1:
                        known = self._totals.get((factor.data[0], factor.data[1].index(k)))
                        if known is not None:
                            rest = tuple(pair for pair in monomial if pair[0] is not factor)
                            value = self._closed_monomial(rest, bounds - {k}) if rest else self.number(Fraction(1))
                            return self.scaled(value, as_rational(known))
        return super()._drawn_out(monomial, bounds, kept)

    # --- derivatives ---

    def _derive(self, factor: Factor, name: str, places: Places) -> Polynomial:
        if not self.is_part(factor):
            return super()._derive(factor, name, places)
        part, at = self.parts[factor.data[0]], factor.data[1]
        if not self._mentions(factor, name):
            return {}

        def change(node: Expression, where: Places) -> Polynomial:
            return self._derivative(self.reading.entry(node, where if node.axes else ()), name, places)

        if isinstance(part, Definition):
            return change(part.meaning, at)
        if isinstance(part, Call):
            return self._vector_rule(part, at, change)
        if isinstance(part, Apply):
            return self._entrywise_rule(part, at, change)
        raise TypeError(f"no rule for {part!r}")

    def _mentions(self, factor: Factor, name: str) -> bool:
        if self.is_part(factor):
            return any(variable.name == name for variable in self.parts[factor.data[0]].variables)
        return super()._mentions(factor, name)

    def _entrywise_rule(self, part: Apply, at: Places, change: Change) -> Polynomial:
        total: Polynomial = {}
        for argument, slope in zip(part.arguments, RULES[part.function](part, *part.arguments), strict=True):
            inner = change(argument, at)
            if inner:
                total = self.add(total, self.multiply(self.reading.entry(slope, at if slope.axes else ()), inner))
        return total

    def _vector_rule(self, part: Call, at: Places, change: Change) -> Polynomial:
        u = part.arguments[0]

        def mean(weight: Expression, where: Places) -> Polynomial:
            """sum_k weight_k du_k along the axes of the part, with the other indices as they are."""

            def over(positions: tuple[int, ...], chosen: Places) -> Polynomial:
                if not positions:
                    return self.multiply(self.reading.entry(weight, chosen), change(u, chosen))
                place, *rest = positions
                return self.sum(u.axes[place], lambda k: over(tuple(rest), (*chosen[:place], k, *chosen[place + 1 :])))

            return over(part.positions, where)

        axes = tuple(u.axes[place] for place in part.positions)
        minus = self.number(Fraction(-1))
        match part.function:
            case "softmax":
                inner = self.add(change(u, at), self.multiply(minus, mean(part, at)))
                if len(part.arguments) > 1:  # the slack C: -y_i dC / (C + sum_k exp(u_k))
                    slack = part.arguments[1]
                    kept = tuple(place for n, place in enumerate(at) if n not in part.positions)
                    fall = self.reading.entry(1 / (slack + f.total(f.exp(u), *axes)), kept)
                    loss = self.multiply(fall, change(slack, kept))
                    inner = self.add(inner, self.multiply(minus, loss))
                return self.multiply(self.reading.entry(part, at), inner)
            case "log_softmax":
                return self.add(change(u, at), self.multiply(minus, mean(_softmax_like(part), at)))
        # Those that lose axes: the places inside are completed by any index, which mean() replaces.
        where = at
        for place in part.positions:
            where = (*where[:place], ("free", "", ""), *where[place:])
        match part.function:
            case "logsumexp":
                return mean(_softmax_like(part), where)
            case "norm":
                return self.multiply(self.raised(self.reading.entry(part, at), Fraction(-1)), mean(u, where))
        raise TypeError(f"no rule for {part.function}")


class _OpaqueReading(Reading[Polynomial]):
    """The walk that stops at parts."""

    def __init__(self, algebra: Opaque) -> None:
        super().__init__(algebra)
        self._opaque = algebra

    def _entry(self, node: Expression, at: tuple[Position, ...]) -> Polynomial:
        opposite = self._opaque.opposite_sigmoid(node)
        if opposite is not None:
            one = self._opaque.number(Fraction(1))
            minus = self._opaque.number(Fraction(-1))
            return self._opaque.add(one, self._opaque.multiply(minus, self.entry(opposite, at)))
        variable = self._opaque.part(node)
        return super()._entry(node, at) if variable is None else self._opaque.variable(variable, at)


def _kind(node: Expression) -> tuple[Kind, str]:
    """The domain of a part, as a variable has one."""
    inner = node.meaning if isinstance(node, Definition) else node
    if isinstance(inner, Call) and inner.function == "softmax" and len(inner.arguments) == 1:
        return "distribution", inner.axes[inner.positions[0]]
    between = range_of(node)
    return ("positive" if between.positive else "nonnegative" if between.nonnegative else "real"), ""


def _softmax_like(part: Call) -> Expression:
    """The SoftMax along the axes of a part."""
    return Call("softmax", part.arguments[:1], part.positions, part.arguments[0].axes)


def _power_rule(part: Expression, u: Expression, v: Expression) -> tuple[Expression, ...]:
    return v * part / u, part * f.log(u)


# The derivative of each entrywise part by each of its arguments, in parts.
RULES: dict[str, Callable[..., tuple[Expression, ...]]] = {
    "exp": lambda part, u: (part,),
    "log": lambda part, u: (1 / u,),
    "sqrt": lambda part, u: (1 / (2 * part),),
    "power": _power_rule,
    "tanh": lambda part, u: (1 - part**2,),
    "sigmoid": lambda part, u: (part * (1 - part),),
    "softplus": lambda part, u: (f.sigmoid(u),),
    "log_sigmoid": lambda part, u: (1 - f.sigmoid(u),),
    "silu": lambda part, u: (f.sigmoid(u) + part * (1 - f.sigmoid(u)),),
    "sinh": lambda part, u: (f.cosh(u),),
    "cosh": lambda part, u: (f.sinh(u),),
    "normal_cdf": lambda part, u: (f.normal_pdf(u),),
    "normal_pdf": lambda part, u: (-u * part,),
    "log1p": lambda part, u: (1 / (1 + u),),
    "expm1": lambda part, u: (1 + part,),
    "relu": lambda part, u: (f.step(u),),
    "abs": lambda part, u: (f.sign(u),),
    "sign": lambda part, u: (ZERO,),
    "step": lambda part, u: (ZERO,),
    "less": lambda part, u, v: (ZERO, ZERO),
}
