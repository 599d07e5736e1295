"""The entries of a formula as SymPy expressions, within limits, and what they ask for as they are written.

SymPy evaluates while it builds, so that a short text can ask for a number that fills the memory: 10**10**10, but also
exp(10**9 * log(2)) and 2**x * 2**(10**9 - x), which both are 2**(10**9). So every value is looked at as soon as it is
there: whatever is constant in it is a real number of at most 10**500, and every power one of at most 64. What the next
step can make of that is still small enough to be looked at, and refused.

SymPy also simplifies: x/x becomes 1. What was asked for on the way (`Need`) is noted before it does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sympy as sp

from softmax_trick.certification.domain import Need, of_power
from softmax_trick.certification.normalizer import Normalizer
from softmax_trick.language.expression import Apply, Expression, LanguageError, Variable, size_of
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.names import described
from softmax_trick.language.scanner import MAX_NAME, MAX_POWER, MAX_RESULT, MAX_ROOT
from softmax_trick.readings.algebraic import ASSUMPTIONS, Algebraic
from softmax_trick.readings.pointwise import Point, Positions

MAX_LEVELS = 64  # of the expression that SymPy makes of a formula; it prints none of 150 within Python's limit
KINDS = ("real", "positive", "nonnegative")  # of parameters
MAX_ARGUMENT = 1_000  # the greatest constant in exp, sinh, cosh and tanh
PIECES = (sp.Piecewise, sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside)
LARGEST = 10**MAX_RESULT


class Components(NamedTuple):
    """Components as SymPy expressions, their scores, and what they need as written in order to have a value."""

    components: list[sp.Expr]
    scores: list[sp.Symbol]
    needs: list[Need]


def components_of(normalizer: Normalizer) -> Components:
    """The components F_1..F_K of a normalizer.

    Args:
        normalizer: its formulas; the sizes of all axes are given.

    Returns:
        SymPy expressions; the entry k of x is the symbol x1, x2, ..., those of other variables accordingly.

    Raises:
        LanguageError: a formula goes beyond a limit, or has what SymPy has no expression for.
    """
    formulas, entries = normalizer.formulas, _Entries(Point(normalizer.sizes))
    for one in (one for formula in formulas for one in formula.variables if one.kind not in KINDS):
        raise LanguageError(
            f"{one.name} is {described(one.axes, one.kind, one.along)}: here it is real, positive or nonnegative"
        )
    places: list[Positions] = [(n,) for n in range(1, (normalizer.k or 0) + 1)]
    try:
        scores = [entries.variable(normalizer.x, place) for place in places]
        if len(formulas) == 1 and formulas[0].axes:
            components = [entries.entry(formulas[0], place) for place in places]
        else:
            components = [entries.entry(one) for one in formulas]
    except RecursionError:
        raise LanguageError("nested too deeply for Python's stack here: simplify the formula") from None
    return Components(components, scores, list(entries.needs))


class _Walk(Reading[sp.Expr]):
    """The walk through a formula; what is refused is shown in the text that it was read from."""

    algebra: _Entries

    def _entry(self, node: Expression, at: tuple[Any, ...]) -> sp.Expr:
        try:
            value = super()._entry(node, at)
            self.algebra.examine(value)
        except LanguageError as error:
            if error.at is not None or node.place is None:
                raise
            raise node.place.error(str(error)) from None
        return value

    def _apply(self, node: Apply, at: tuple[Any, ...]) -> sp.Expr:
        if node.function != "where":
            return super()._apply(node, at)
        condition, value, otherwise = ((one, at if one.axes else ()) for one in node.arguments)
        return self.algebra.where(self.entry(*condition), lambda: self.entry(*value), lambda: self.entry(*otherwise))


class _Entries(Algebraic):
    """Entries that are looked at while SymPy builds them.

    A step at 0 is 1/2, as SymPy's Heaviside is; a comparison is what it says, also where both sides are equal.

    Attributes:
        needs: what was asked for, in order.
        context: the conditions under which a part is met.
    """

    def __init__(self, point: Point) -> None:
        super().__init__(point)
        self._reading = _Walk(self)
        self.needs: dict[Need, None] = {}
        self.context: tuple[sp.Basic, ...] = ()
        self._symbols: dict[str, tuple[Variable, Positions]] = {}
        self._levels: dict[sp.Basic, int] = {}  # of what has been examined
        self.own = {
            "subtract": lambda u, v: u - v,
            "negative": lambda u: -u,
            "divide": lambda u, v: u * self.power(v, sp.S.NegativeOne),
            "sigmoid": lambda u: self.power(1 + self.exp(-u), sp.S.NegativeOne),
            "softplus": lambda u: self.log(1 + self.exp(u)),
            "less": _less,
            "abs": _absolute,
            "sign": sp.sign,
            "relu": lambda u: _extremum(sp.Max, [u, sp.S.Zero]),
            "maximum": lambda u, v: _extremum(sp.Max, [u, v]),
            "minimum": lambda u, v: _extremum(sp.Min, [u, v]),
            **{name: functools.partial(self._grown, name) for name in ("sinh", "cosh", "tanh")},
        }

    # --- what is built ---

    def variable(self, variable: Variable, positions: Positions) -> sp.Symbol:
        name = variable.name + "_".join(map(str, positions))
        if self._symbols.setdefault(name, (variable, positions)) != (variable, positions):
            raise LanguageError(f"{name} would be an entry and a name of its own: give one of them another name")
        return sp.Symbol(name, **ASSUMPTIONS[variable.kind])

    def power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if exponent.is_Rational and (abs(exponent) > MAX_POWER or exponent.q > MAX_ROOT):
            raise LanguageError(f"an exponent beyond {MAX_POWER}, or with a denominator beyond {MAX_ROOT}")
        if base == 0 and exponent.is_negative:
            raise LanguageError("division by zero")
        if not exponent.is_Rational and any(map(_is_power_of_number, sp.preorder_traversal(base))):
            # (2**x)**(10**9/x) would be 2**(10**9) at once.
            raise LanguageError("a number to an expression, to an expression again: write one power")
        if not base.is_number:
            self.needs |= dict.fromkeys(of_power(base, exponent, self.context))
        return base**exponent

    def exp(self, value: sp.Expr) -> sp.Expr:
        return self._grown("exp", value)

    def _grown(self, name: str, argument: sp.Expr) -> sp.Expr:
        """A function that grows exponentially, but of no large constant, nor a large multiple of a logarithm."""
        if argument.is_number and not _at_most(argument, MAX_ARGUMENT):
            raise LanguageError(f"{name} of a constant beyond {MAX_ARGUMENT}")
        for term in sp.Add.make_args(argument):
            if term.has(sp.log) and _coefficient(term) > MAX_ARGUMENT:
                raise LanguageError(f"{name} of a logarithm times a number beyond {MAX_ARGUMENT}")
        return getattr(sp, name)(argument)

    def log(self, value: sp.Expr) -> sp.Expr:
        if value == 0:
            raise LanguageError("log of 0")
        if not (value.is_number or value.is_positive):
            self.needs[Need(value, "positive", self.context)] = None
        return sp.log(value)

    def normal_cdf(self, value: sp.Expr) -> sp.Expr:
        raise LanguageError("the normal distribution is not read here")

    normal_pdf = normal_cdf

    def step(self, value: sp.Expr) -> sp.Expr:
        return sp.Heaviside(value)

    def largest(self, axis: str, term: Callable[[int], sp.Expr]) -> sp.Expr:
        return _extremum(sp.Max, [term(k) for k in range(1, self._point.size(size_of(axis)) + 1)])

    def derivative(self, function: Callable[[], sp.Expr], by: Variable, positions: Positions) -> sp.Expr:
        value = function()
        if value.has(*PIECES) or any(
            not (power.exp.is_Integer or power.base.is_positive) for power in value.atoms(sp.Pow)
        ):
            # SymPy has a derivative also where pieces meet, and none where a root of 0 is smooth.
            raise LanguageError("the derivative of what has pieces or roots: write it out")
        return sp.diff(value, self.variable(by, positions))

    def where(self, condition: sp.Expr, value: Callable[[], sp.Expr], otherwise: Callable[[], sp.Expr]) -> sp.Expr:
        """The value where the condition holds; what each part asks for counts only where it is taken."""
        holds = _relation(condition)
        if holds in (sp.true, sp.false):
            return (value if holds == sp.true else otherwise)()
        first, last = self._under(holds, value), self._under(sp.Not(holds), otherwise)
        rest = last.args if isinstance(last, sp.Piecewise) else ((last, sp.true),)
        # Evaluated, SymPy would join neighbours by Or.
        return sp.Piecewise((first, holds), *rest, evaluate=False)

    def _under(self, condition: sp.Basic, value: Callable[[], sp.Expr]) -> sp.Expr:
        outside = self.context
        self.context = (*outside, condition)
        try:
            return value()
        finally:
            self.context = outside

    # --- what is refused ---

    def examine(self, part: sp.Basic) -> int:
        """Look through what was built for numbers that are too large, or not real; its levels of operations.

        Raises:
            LanguageError: there is one, or there are too many levels.
        """
        if part not in self._levels:
            if part.is_number:
                _check_constant(part)
            elif part.is_Pow:
                _check_power(part)
            levels = max((1 + self.examine(argument) for argument in part.args), default=0)
            if levels > MAX_LEVELS:
                raise LanguageError(f"nested too deeply: SymPy's expression for it has more than {MAX_LEVELS} levels")
            self._levels[part] = levels
        return self._levels[part]


def _check_power(power: sp.Pow) -> None:
    base, exponent = power.base, power.exp
    if exponent.is_Rational:
        if abs(exponent) > MAX_POWER:
            raise LanguageError(f"the powers combine to {str(power)[:MAX_NAME]}: at most {MAX_POWER}")
    elif base.is_number:
        if not base.is_positive:
            raise LanguageError("a power of 0 or of a negative number has no real value for all exponents")
        if _is_power_of_number(power) and sp.log(base.p * base.q, 10).evalf() * _coefficient(exponent) > MAX_RESULT:
            raise LanguageError(f"a power that can grow beyond 10**{MAX_RESULT}")


def _check_constant(constant: sp.Expr) -> None:
    if constant.has(sp.I, sp.zoo, sp.oo, -sp.oo, sp.nan) or constant.is_real is False:
        raise LanguageError("a part that is no finite real number")
    if any(abs(number.p) > LARGEST or number.q > LARGEST for number in constant.atoms(sp.Rational)):
        raise LanguageError(f"a number of more than {MAX_RESULT} digits")
    if not _at_most(constant, LARGEST):
        raise LanguageError(f"a constant beyond 10**{MAX_RESULT}")


def _less(left: sp.Expr, right: sp.Expr) -> sp.Expr:
    """1 where left < right, else 0."""
    if left.has(sp.Piecewise) or right.has(sp.Piecewise):
        # SymPy would multiply out the cases of both.
        raise LanguageError("a where or a comparison inside a comparison: put it around instead")
    holds = sp.StrictGreaterThan(right, left) if left.is_number else sp.StrictLessThan(left, right)
    if holds in (sp.true, sp.false):
        return sp.Integer(holds == sp.true)
    return sp.Piecewise((sp.S.One, holds), (sp.S.Zero, sp.true), evaluate=False)


def _relation(condition: sp.Expr) -> sp.Basic:
    """The comparison that a condition is, or the opposite of."""
    for value, contrary in ((condition, False), (1 - condition, True)):
        if value in (0, 1):
            return sp.true if (value == 1) != contrary else sp.false
        if isinstance(value, sp.Piecewise) and [one for one, _ in value.args] == [1, 0]:
            holds = value.args[0][1]
            return sp.Not(holds) if contrary else holds
    raise LanguageError("the condition of where is one comparison: nest where to combine several")


def _absolute(u: sp.Expr) -> sp.Expr:
    """|u|. Where the sign is open, SymPy would try hard to find it: half a minute for a hundred nested abs(... - 1)."""
    if u.is_extended_nonnegative:
        return u
    return -u if u.is_extended_nonpositive else sp.Abs(u, evaluate=u.is_number)


def _extremum(function: type[sp.Expr], arguments: Sequence[sp.Expr]) -> sp.Expr:
    """The greatest or least. SymPy would compare the arguments pair by pair: half a minute for 256 scores."""
    flat = [one for u in arguments for one in (u.args if isinstance(u, function) else (u,))]
    numbers = [one for one in flat if one.is_number]
    others = list(dict.fromkeys(one for one in flat if not one.is_number))
    known = [functools.reduce(function, numbers)] if numbers else []
    return function(*others, *known, evaluate=False) if others else known[0]


def _is_power_of_number(part: sp.Basic) -> bool:
    """Whether it is c**u with a rational number c and u not constant."""
    return bool(part.is_Pow and part.base.is_Rational and not part.exp.is_number)


def _coefficient(part: sp.Expr) -> sp.Rational:
    """The greatest absolute value of a rational number in it."""
    return max((abs(number) for number in part.atoms(sp.Rational)), default=sp.S.Zero)


def _at_most(constant: sp.Expr, limit: int) -> bool:
    """Whether |constant| <= limit, by its decimals; safe, since the constants in it are small already."""
    value = constant if constant.is_Rational else constant.evalf(15)
    return bool((value.is_Rational or value.is_Float) and abs(value) <= limit)
