"""Can these conditions hold at the same time? No, yes at an exact point, or unknown: put to the SMT solver z3.

z3 decides over the real numbers. Exponentials of different monomials become positive variables of their own, logarithms
and constants such as e variables of which some facts are known, roots the numbers that they are. So "never" is a proof;
a point is one only once it has been looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import lcm
from operator import eq, ge, gt, le, lt, ne

import sympy as sp
import z3

from softmax_trick.symbolic.enclosure import NotEnclosable, enclose

TIMEOUT = 2000  # milliseconds a query
RELATIONS = {sp.Eq: eq, sp.Ne: ne, sp.Lt: lt, sp.Le: le, sp.Gt: gt, sp.Ge: ge}
HYPERBOLIC = (sp.sinh, sp.cosh, sp.tanh)
TRANSCENDENTAL = (sp.exp, sp.log)


class Reals:
    """Conditions as terms of z3, with the facts that are known of the generators in them.

    Args:
        conditions: relations between expressions, and and, or, not of them. They are asked about where every part of
            them has a value.
    """

    def __init__(self, conditions: Sequence[sp.Basic]) -> None:
        self.conditions = [_in_exponentials(condition) for condition in conditions]
        self._facts: dict[str, z3.BoolRef] = {}
        self._guards: list[z3.BoolRef] = []
        self._generators: dict[sp.Expr, z3.ArithRef] = {}
        self._monomials: dict[sp.Expr, sp.Expr] = {}  # of the generators that are exponentials
        self._roots: dict[sp.Expr, int] = {}  # the common denominator of the coefficients of a monomial
        for exponential in {node for c in self.conditions for node in c.atoms(sp.exp)}:
            for monomial, coefficient in monomials(exponential.args[0]):
                self._roots[monomial] = lcm(self._roots.get(monomial, 1), int(coefficient.q))
        self._terms = [self._condition(condition) for condition in self.conditions]
        self._link()

    def never(self, timeout: int = TIMEOUT) -> bool:
        """Whether it is proved that the conditions cannot hold at the same time."""
        return bool(self._solver(timeout).check() == z3.unsat)

    def model(self) -> tuple[bool | None, dict[sp.Symbol, sp.Expr] | None]:
        """Whether they can hold together, as far as z3 knows, and values of the symbols, to be looked at.

        "Yes" is a proof if `is_algebraic`.
        """
        solver = self._solver(TIMEOUT)
        answer = solver.check()
        if answer != z3.sat:
            return (False if answer == z3.unsat else None), None
        return True, self._point(solver.model())

    @property
    def is_algebraic(self) -> bool:
        """Whether all generators are symbols and roots, so that what z3 finds is there."""
        return all(node.is_Symbol or _is_root(node) for node in self._generators)

    def _solver(self, timeout: int) -> z3.Solver:
        solver = z3.Solver()
        solver.set("timeout", timeout)
        solver.add(*self._facts.values(), *self._terms)
        return solver

    # --- from z3 ------------------------------------------------------------------------------------------------------

    def _point(self, model: z3.ModelRef) -> dict[sp.Symbol, sp.Expr] | None:
        point: dict[sp.Symbol, sp.Expr] = {}
        for node, variable in self._generators.items():
            if node.is_Symbol:
                value = _number(model.eval(variable, model_completion=True))
                if value is None:
                    return None
                point[node] = value
        for node, monomial in self._monomials.items():
            value = _number(model.eval(self._generators[node], model_completion=True))
            open_ = sorted(monomial.free_symbols - point.keys(), key=str)
            if value is None or not open_:
                continue
            symbol, *others = open_
            point |= {other: -sp.S.One if other.is_negative else sp.S.One for other in others}
            slope = sp.cancel(monomial.xreplace(point) / symbol)
            if slope.free_symbols or slope == 0:
                return None
            point[symbol] = sp.expand_log(sp.log(value)) * self._roots[monomial] / slope
        return point

    # --- to z3 --------------------------------------------------------------------------------------------------------

    def _know(self, fact: z3.BoolRef) -> None:
        """Add a fact, where the piece is taken in which it is met."""
        fact = z3.Implies(z3.And(self._guards), fact) if self._guards else fact
        self._facts[fact.sexpr()] = fact

    @contextmanager
    def _under(self, guards: Sequence[z3.BoolRef]) -> Iterator[None]:
        self._guards += guards
        yield
        del self._guards[len(self._guards) - len(guards) :]

    def _term(self, node: sp.Expr) -> z3.ArithRef:
        if node.is_Rational:
            return z3.RealVal(f"{node.p}/{node.q}")
        match node:
            case sp.Add():
                return z3.Sum(*map(self._term, node.args))
            case sp.Mul():
                return z3.Product(*map(self._term, node.args))
            case sp.exp():
                powers = [self._exponential(*part) for part in monomials(node.args[0])]
                return z3.Product(*powers) if powers else z3.RealVal(1)
            case sp.Pow() if node.exp.is_Rational:
                return self._power(node.base, node.exp)
            case sp.log():
                return self._logarithm(node)
            case sp.Abs():
                value = self._term(node.args[0])
                return z3.If(value >= 0, value, -value)
            case sp.sign() | sp.Heaviside():
                value = self._term(node.args[0])
                low, middle, high = (-1, 0, 1) if isinstance(node, sp.sign) else (0, node.args[1], 1)
                middle = self._term(sp.sympify(middle, strict=True))
                return z3.If(value > 0, z3.RealVal(high), z3.If(value < 0, z3.RealVal(low), middle))
            case sp.Max() | sp.Min():
                best, *others = map(self._term, node.args)
                for other in others:
                    best = z3.If(other >= best if isinstance(node, sp.Max) else other <= best, other, best)
                return best
            case sp.Piecewise():
                return self._piecewise(node)
        return self._generator(node)

    def _piecewise(self, node: sp.Piecewise) -> z3.ArithRef:
        taken: list[tuple[z3.BoolRef, z3.ArithRef]] = []
        before: list[z3.BoolRef] = []
        for value, condition in node.args:
            with self._under(before):
                holds = self._condition(condition)
                with self._under([holds]):
                    taken.append((holds, self._term(value)))
            before.append(z3.Not(holds))
        self._know(z3.Or([holds for holds, _ in taken]))
        result = taken[-1][1]
        for holds, term in reversed(taken[:-1]):
            result = z3.If(holds, term, result)
        return result

    def _condition(self, node: sp.Basic) -> z3.BoolRef:
        if node in (sp.true, sp.false):
            return z3.BoolVal(node == sp.true)
        match node:
            case sp.And():
                return z3.And([self._condition(part) for part in node.args])
            case sp.Or():
                return z3.Or([self._condition(part) for part in node.args])
            case sp.Not():
                return z3.Not(self._condition(node.args[0]))
            case sp.ITE():
                return z3.If(*map(self._condition, node.args))
        return RELATIONS[node.func](self._term(node.lhs), self._term(node.rhs))

    def _exponential(self, monomial: sp.Expr, coefficient: sp.Rational) -> z3.ArithRef:
        root = self._roots[monomial]
        generator = sp.exp(monomial / root, evaluate=False)
        self._generator(generator)
        if monomial.free_symbols:
            self._monomials[generator] = monomial
        return self._power(generator, sp.Integer(coefficient * root))

    def _power(self, base: sp.Expr, exponent: sp.Rational) -> z3.ArithRef:
        factor = self._generators[base] if base in self._generators else self._term(base)
        if exponent.q > 1:
            radicand, root = factor, sp.Pow(base, sp.Rational(1, exponent.q), evaluate=False)
            factor = self._generators.get(root)
            if factor is None:
                factor = self._generators[root] = self._variable()
            self._know(z3.And(factor >= 0, z3.Product(*[factor] * int(exponent.q)) == radicand))
            base = root
        if exponent < 0:
            inverse = sp.Pow(base, -1, evaluate=False)
            value, factor = factor, self._generators.get(inverse)
            if factor is None:
                factor = self._generators[inverse] = self._variable()
            self._know(factor * value == 1)
        return z3.Product(*[factor] * abs(int(exponent.p))) if exponent else z3.RealVal(1)

    def _logarithm(self, node: sp.log) -> z3.ArithRef:
        argument, value = self._term(node.args[0]), self._generator(node)
        self._know(z3.And(argument > 0, (argument > 1) == (value > 0), (argument < 1) == (value < 0)))
        self._know(value <= argument - 1)
        return value

    def _variable(self) -> z3.ArithRef:
        return z3.Real(f"g{len(self._generators)}")

    def _generator(self, node: sp.Expr) -> z3.ArithRef:
        """The variable that stands for a symbol, an exponential, or what z3 does not know."""
        if node not in self._generators:
            variable = self._generators[node] = self._variable()
            if not node.free_symbols:
                self._enclose(node, variable)
            if node.is_positive or isinstance(node, sp.exp):
                self._facts[f"{variable} sign"] = variable > 0
            elif node.is_negative:
                self._facts[f"{variable} sign"] = variable < 0
            elif node.is_nonnegative:
                self._facts[f"{variable} sign"] = variable >= 0
            elif node.is_nonpositive:
                self._facts[f"{variable} sign"] = variable <= 0
            if node.is_Symbol and node.is_nonzero:
                self._facts[f"{variable} zero"] = variable != 0
        return self._generators[node]

    def _enclose(self, node: sp.Expr, variable: z3.ArithRef) -> None:
        """The bounds of a constant."""
        try:
            ball = enclose(node, {}, 64)
        except NotEnclosable:
            return
        low, high = ball.lower().fmpq(), ball.upper().fmpq()
        bounds = z3.And(variable >= z3.RealVal(str(low)), variable <= z3.RealVal(str(high)))
        self._facts[f"{variable} bounds"] = bounds

    def _link(self) -> None:
        """What exponents that are met outside of exponentials say of the exponentials: e^m >= 1 + m, and the sign."""
        outside = {node for node in self._generators if node.is_Symbol}
        for generator, monomial in list(self._monomials.items()):
            if not monomial.free_symbols <= outside:
                continue
            exponent, value = self._term(monomial) / self._roots[monomial], self._generators[generator]
            facts = [(exponent > 0) == (value > 1), (exponent < 0) == (value < 1), value >= 1 + exponent]
            inverse = self._generators.get(sp.Pow(generator, -1, evaluate=False))
            if inverse is not None:
                facts.append(inverse >= 1 - exponent)
            self._facts[f"{generator} link"] = z3.And(facts)


def _in_exponentials(node: sp.Basic) -> sp.Basic:
    """Hyperbolic functions and powers with positive bases as exponentials."""
    if not node.args:
        return node
    node = node.func(*map(_in_exponentials, node.args)) if isinstance(node, sp.Basic) else node
    if isinstance(node, HYPERBOLIC):
        return node.rewrite(sp.exp)
    if isinstance(node, sp.Pow) and not isinstance(node, sp.exp) and not node.exp.is_Rational and node.base.is_positive:
        return sp.exp(node.exp * sp.log(node.base), evaluate=False)
    return node


def monomials(exponent: sp.Expr) -> list[tuple[sp.Expr, sp.Rational]]:
    """An exponent as a sum of monomials with rational coefficients."""
    return [(monomial, sp.Rational(c)) for monomial, c in sp.expand(exponent).as_coefficients_dict().items()]


def is_algebraic(node: sp.Basic) -> bool:
    """Whether there is no exponential and no logarithm in it."""
    return not node.has(*TRANSCENDENTAL, *HYPERBOLIC) and all(power.exp.is_Rational for power in node.atoms(sp.Pow))


def _is_root(node: sp.Expr) -> bool:
    return bool(node.is_Pow and node.exp.is_Rational and (is_algebraic(node.base)))


def _number(value: z3.ExprRef) -> sp.Expr | None:
    if z3.is_rational_value(value):
        return sp.Rational(value.numerator_as_long(), value.denominator_as_long())
    if not z3.is_algebraic_value(value):
        return None
    x = sp.Symbol("x")
    roots = sp.Poly([int(str(c)) for c in reversed(_coefficients(value))], x).real_roots(multiple=True)
    near = sp.Rational(str(value.approx(30).as_fraction()))
    return min(dict.fromkeys(roots), key=lambda root: abs(root.evalf(30) - near)) if roots else None


def _coefficients(value: z3.AlgebraicNumRef) -> list[object]:
    return list(value.poly())


def symbols_of(conditions: Sequence[sp.Basic]) -> set[sp.Symbol]:
    """The symbols in some conditions."""
    return set().union(*(condition.free_symbols for condition in conditions))


def assign(node: sp.Basic, point: Mapping[sp.Symbol, sp.Expr]) -> sp.Basic:
    """An expression or condition at a point."""
    return node.xreplace(dict(point))
