"""A second opinion on zero and on signs: the same reduced expressions, decided by the SMT solver z3.

It shares the contraction of sums and deltas with `decide`, and nothing after it: exponentials and logarithms are
brought to common generators by other means, and z3 decides over the real numbers where `decide` computes normal forms
with FLINT. A contradiction between the two is an error in one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import lcm
from operator import eq, ge, gt, le, lt, ne

import sympy as sp
import z3

from softmax_trick.symbolic.contraction import contract
from softmax_trick.symbolic.decision import Decision, given_values, opaque, reductions
from softmax_trick.symbolic.indexed import SumOver
from softmax_trick.symbolic.sign import Sign

TIMEOUT = 3000  # milliseconds a query
RELATIONS = {sp.Eq: eq, sp.Ne: ne, sp.Lt: lt, sp.Le: le, sp.Gt: gt, sp.Ge: ge}


def decide_by_z3(expression: sp.Expr, given: Mapping[sp.Expr, sp.Expr] | None = None, fewest: int = 1) -> Decision:
    """Whether an expression is zero wherever it is defined, for every K and every index, by z3.

    Args:
        expression: as for `decide`.
        given: as for `decide`.
        fewest: as for `decide`.

    Returns:
        "zero" if z3 refutes that it is not; "nonzero", without a witness, if z3 finds values of symbols and
        exponentials that make it so; "undecided" if z3 gives up, or if the values that it finds are also of logarithms,
        of several sums, and other things, whose relations to each other z3 does not know.
    """
    expression, values = sp.sympify(expression, strict=True), given_values(given or {})
    queries = []
    for case, reduced in reductions(expression, values, fewest):
        reduced = sp.expand_log(reduced)
        term = _Term(opaque(reduced))
        answer = term.can_be(lambda value: value != 0)
        # Two different sums may be equal or related, which z3 does not know either.
        if answer == z3.unknown or (answer == z3.sat and not (term.is_algebraic and len(reduced.atoms(SumOver)) <= 1)):
            return Decision("undecided", reason="z3 gives up")
        if answer == z3.sat:
            return Decision("nonzero", reason=f"z3 finds values in the case {case or 'general'}")
        queries.append(f"case {case or 'general'}: z3: 'not zero' is unsatisfiable")
    return Decision("zero", tuple(queries))


def sign_by_z3(expression: sp.Expr, where: Sequence[sp.Basic] = ()) -> Sign | None:
    """The sign of an expression for all values that its symbols' assumptions and the conditions allow; None if unknown.

    The conditions are relations between expressions, and and, or and not of them. Where they contradict each other, an
    expression has every sign.
    """
    term = _Term(opaque(contract(sp.sympify(expression, strict=True))), where)
    if term.can_be(lambda value: value <= 0) == z3.unsat:
        return "positive"
    return "nonnegative" if term.can_be(lambda value: value < 0) == z3.unsat else None


class _Term:
    """An expression without sums as a term of z3, and the facts that are known of the generators in it.

    Conditions, if there are any, are among the facts. The generators are the symbols, one exp(m / n) for each monomial
    m in an exponent, the logarithms, the inverses of the denominators, and whatever else z3 does not know.
    """

    def __init__(self, expression: sp.Expr, where: Sequence[sp.Basic] = ()) -> None:
        expression, *conditions = (_in_exponentials(node) for node in (expression, *where))
        self._conditional = bool(where)
        self._facts: list[z3.BoolRef] = []
        self._generators: dict[sp.Expr, z3.ArithRef] = {}
        self._roots: dict[sp.Expr, int] = {}  # n for each m
        for exponential in sp.Tuple(expression, *conditions).atoms(sp.exp):
            for monomial, coefficient in _monomials(exponential.args[0]):
                self._roots[monomial] = lcm(self._roots.get(monomial, 1), int(coefficient.q))
        self._value = self._translate(expression)
        self._facts += [self._condition(condition) for condition in conditions]

    @property
    def is_algebraic(self) -> bool:
        """Whether all generators are symbols, exponentials, and inverses of what is made of them."""
        return all(
            node.is_Symbol or isinstance(node, sp.exp) or (node.is_Pow and node.exp == -1) for node in self._generators
        )

    def can_be(self, question: Callable[[z3.ArithRef], z3.BoolRef]) -> z3.CheckSatResult:
        """Whether the term has the property for some values of its generators."""
        solver = z3.Solver()
        solver.set("timeout", TIMEOUT)
        solver.add(*self._facts, question(self._value))
        return solver.check()

    def _translate(self, node: sp.Expr) -> z3.ArithRef:
        if node.is_Rational:
            return z3.RealVal(f"{node.p}/{node.q}")
        if node.is_Add:
            return z3.Sum(*map(self._translate, node.args))
        if node.is_Mul:
            return z3.Product(*map(self._translate, node.args))
        if node.is_Pow and node.exp.is_Integer:
            return self._power(node.base, int(node.exp))
        if isinstance(node, sp.exp):
            powers = [self._exponential(*part) for part in _monomials(node.args[0])]
            return z3.Product(*powers) if powers else z3.RealVal(1)
        if isinstance(node, sp.log) and node not in self._generators:
            argument, value = self._translate(node.args[0]), self._generator(node)
            self._facts += [argument > 0, (argument > 1) == (value > 0), (argument < 1) == (value < 0)]
        return self._generator(node)

    def _condition(self, node: sp.Basic) -> z3.BoolRef:
        if isinstance(node, sp.logic.boolalg.BooleanAtom):
            return z3.BoolVal(node == sp.true)
        if isinstance(node, sp.And | sp.Or | sp.Not):
            parts = [self._condition(part) for part in node.args]
            return z3.Not(parts[0]) if isinstance(node, sp.Not) else (z3.And, z3.Or)[isinstance(node, sp.Or)](parts)
        return RELATIONS[node.func](self._translate(node.lhs), self._translate(node.rhs))

    def _exponential(self, monomial: sp.Expr, coefficient: sp.Rational) -> z3.ArithRef:
        root = self._roots[monomial]
        generator = sp.exp(monomial / root, evaluate=False)
        if generator not in self._generators:
            exponent, value = self._translate(monomial), self._generator(generator)
            if self._conditional:  # what they say of an exponent is to be known of the exponential
                self._facts += [(exponent > 0) == (value > 1), (exponent < 0) == (value < 1)]
        return self._power(generator, int(coefficient * root))

    def _power(self, base: sp.Expr, exponent: int) -> z3.ArithRef:
        factor = self._generators.get(base)
        if factor is None:
            factor = self._translate(base)
        if exponent < 0:
            inverse = sp.Pow(base, -1, evaluate=False)
            if inverse not in self._generators:
                self._facts.append(self._generator(inverse) * factor == 1)
            factor = self._generators[inverse]
        return z3.Product(*[factor] * abs(exponent)) if exponent else z3.RealVal(1)

    def _generator(self, node: sp.Expr) -> z3.ArithRef:
        if node not in self._generators:
            variable = self._generators[node] = z3.Real(f"g{len(self._generators)}")
            if node.is_positive or isinstance(node, sp.exp):
                self._facts.append(variable > 0)
            elif node.is_nonnegative:
                self._facts.append(variable >= 0)
            elif node.is_nonpositive:
                self._facts.append(variable < 0 if node.is_negative else variable <= 0)
        return self._generators[node]


def _in_exponentials(node: sp.Basic) -> sp.Basic:
    """Hyperbolic functions as exponentials; a product in place of the exponential of a sum."""
    if not isinstance(node, sp.Expr):
        return node.func(*map(_in_exponentials, node.args)) if node.args else node
    return sp.expand_power_exp(sp.expand_log(node.rewrite([sp.sinh, sp.cosh, sp.tanh], sp.exp)))


def _monomials(exponent: sp.Expr) -> list[tuple[sp.Expr, sp.Rational]]:
    """An exponent as a sum of monomials with rational coefficients."""
    return [(monomial, sp.Rational(c)) for monomial, c in sp.expand(exponent).as_coefficients_dict().items()]
