r"""The normal form of an expression in rational functions, exponentials and logarithms: a fraction of polynomials.

The reduction works from the inside out.

- exp(u): the exponents are brought to one denominator D, and each numerator is divided by D with remainder; the
  monomials of quotient and remainder / D carry rational coefficients, and one atom stands for each exp(m / L), where L
  is the common denominator of those coefficients. No combination of such m with rational coefficients is constant,
  so their exponentials are algebraically independent over the field of the symbols (Ax, Ann. Math. 93, 1971; the
  structure theorems of Risch and Rosenlicht).
- log(u): u is factored over Q. The log of a rational constant is split into logs of primes, the log of an exponential
  atom is its exponent, and one atom stands for log|p| for each other irreducible p. (Where log u is real, u > 0, so
  log u = sum_i n_i log|p_i|.)
- u**v with a positive base and any exponent but a rational one is exp(v log u).
- sinh, cosh, tanh are rewritten in exponentials; every other function is an atom of its own.

What is left is a fraction of polynomials in the atoms, in lowest terms: the expression is zero wherever it is defined
if the numerator is the zero polynomial. Atoms that depend on each other in a way not recognised here (roots, unknown
functions, transcendental constants) do not weaken that: a zero numerator proves zero whatever the atoms stand for. Only
a numerator that is not zero then proves nothing, and `decide` looks for a point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import lcm

import sympy as sp

from softmax_trick.symbolic.fractions import Fraction, PolynomialRing, Undefined, common_multiple

RUNS = 4  # in practice one or two; beyond them an atom is left with a coefficient, which weakens only "not zero"
HYPERBOLIC = (sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch)


@dataclass(frozen=True)
class NormalForm:
    """A fraction of polynomials in symbols and atoms, and what each atom stands for."""

    fraction: Fraction
    symbols: tuple[sp.Symbol, ...]
    atoms: dict[sp.Symbol, sp.Expr]

    def is_zero(self) -> bool:
        """Whether the numerator is the zero polynomial: a proof that the expression is zero wherever it is defined."""
        return bool(self.fraction.numerator.is_zero())

    def expression(self) -> sp.Expr:
        """The fraction as an expression, the atoms replaced by what they stand for."""
        ring = PolynomialRing(self.symbols)
        value = ring.expression(self.fraction.numerator) / ring.expression(self.fraction.denominator)
        return value.xreplace(self._meanings())

    def terms(self) -> Iterator[list[sp.Expr]]:
        """The terms of the numerator over the denominator, each as its factors; atoms as what they stand for."""
        ring, meanings = PolynomialRing(self.symbols), self._meanings()

        def power(base: sp.Expr, exponent: int) -> sp.Expr:
            meaning = base.xreplace(meanings)
            return sp.exp(sp.expand(meaning.args[0] * exponent)) if isinstance(meaning, sp.exp) else meaning**exponent

        constant, below = self.fraction.denominator.factor()
        denominators = [power(ring.expression(base), -int(exponent)) for base, exponent in below]
        for monomial, coefficient in ring.terms(self.fraction.numerator):
            factors = [power(base, int(exponent)) for base, exponent in monomial.as_powers_dict().items()]
            yield [coefficient / sp.Rational(int(constant.p), int(constant.q)), *factors, *denominators]

    def factors(self) -> Iterator[tuple[sp.Expr, int]]:
        """The irreducible factors with their powers, negative ones in the denominator; the constant comes first."""
        ring, meanings = PolynomialRing(self.symbols), self._meanings()
        for polynomial, sign in ((self.fraction.numerator, 1), (self.fraction.denominator, -1)):
            constant, powers = polynomial.factor()
            yield sp.Rational(int(constant.p), int(constant.q)), sign
            for base, power in powers:
                yield ring.expression(base).xreplace(meanings), sign * int(power)

    def _meanings(self) -> dict[sp.Symbol, sp.Expr]:
        """What each atom stands for, in symbols alone: those further in come first."""
        known: dict[sp.Symbol, sp.Expr] = {}
        for atom, meaning in self.atoms.items():
            known[atom] = meaning.func(*(part.xreplace(known) for part in meaning.args)) if meaning.args else meaning
        return known

    def steps(self) -> list[str]:
        """The reduction in words: the atoms, then the fraction."""
        names = {atom: sp.Symbol(atom.name) for atom in self.atoms}
        atoms = [f"{atom.name} := {meaning.xreplace(names)}" for atom, meaning in self.atoms.items()]
        return [*atoms, f"numerator: {self.fraction.numerator}", f"denominator: {self.fraction.denominator}"]


def normal_form(expression: sp.Expr) -> NormalForm:
    """The normal form of an expression; see the head of this module.

    Raises:
        Undefined: a denominator, or the argument of a logarithm, is identically zero.
    """
    reduction, rational = _reduce(expression)
    ring = PolynomialRing(rational.free_symbols)
    return NormalForm(ring.fraction(rational), tuple(ring.symbols), reduction.meanings())


def _reduce(expression: sp.Expr) -> tuple[_Reduction, sp.Expr]:
    """Run the reduction until L, which only a run can tell, is the one that it was run with."""
    reduction = _Reduction(root=1)
    rational = reduction.rational_function(expression)
    for _ in range(RUNS):
        if reduction.coefficients == reduction.root:
            break
        reduction = _Reduction(lcm(reduction.root, reduction.coefficients))
        rational = reduction.rational_function(expression)
    return reduction, rational


class _Reduction:
    """One run: the atoms met so far, and the work from the inside out.

    Attributes:
        root: L, the atoms of exponentials being exp(m / L).
        coefficients: the common denominator of the coefficients that have turned up, a multiple of root.
    """

    def __init__(self, root: int) -> None:
        self.root = self.coefficients = root
        self._atoms: dict[sp.Expr, sp.Symbol] = {}
        self._logarithms: dict[sp.Symbol, sp.Expr] = {}  # the atoms log p with p > 0, and p

    def meanings(self) -> dict[sp.Symbol, sp.Expr]:
        """What each atom stands for."""
        return {atom: meaning for meaning, atom in self._atoms.items()}

    def rational_function(self, expression: sp.Expr) -> sp.Expr:
        """The expression as a rational function of symbols and atoms."""
        if expression.has(*HYPERBOLIC):
            expression = expression.replace(
                lambda node: isinstance(node, HYPERBOLIC), lambda node: node.rewrite(sp.exp)
            )
        # Terms of an exponent may belong to different depths: each is reduced at its own.
        expression = sp.expand_power_exp(expression)
        while transcendental := [node for node in sp.preorder_traversal(expression) if _is_transcendental(node)]:
            innermost = {node for node in transcendental if not any(map(_is_transcendental, _below(node)))}
            exponents, forms = {}, {}
            for node in sorted(innermost, key=sp.default_sort_key):
                match node:
                    case sp.log():
                        argument = node.args[0]  # log|u| is known for what it is
                        forms[node] = self._logarithm(argument.args[0] if isinstance(argument, sp.Abs) else argument)
                    case sp.exp():
                        exponents[node] = node.args[0]
                    case _:  # u**v = exp(v log u)
                        exponents[node] = node.exp * self._logarithm(node.base)
            expression = expression.xreplace(forms | self._exponentials(exponents))
        return self._rational(expression)

    def _exponentials(self, exponents: Mapping[sp.Expr, sp.Expr]) -> dict[sp.Expr, sp.Expr]:
        """exp(u) for each of these nodes and their exponents u, as a monomial in atoms exp(m / L)."""
        if not exponents:
            return {}
        rational = [self._rational(exponent) for exponent in exponents.values()]
        ring = PolynomialRing(set().union(*(exponent.free_symbols for exponent in rational)))
        fractions = [ring.fraction(exponent) for exponent in rational]
        denominator = common_multiple(fraction.denominator for fraction in fractions)
        divisor = ring.expression(denominator)
        forms = {}
        for node, fraction in zip(exponents, fractions, strict=True):
            quotient, remainder = divmod(fraction.numerator * (denominator / fraction.denominator), denominator)
            units = [*ring.terms(quotient), *((m / divisor, coefficient) for m, coefficient in ring.terms(remainder))]
            forms[node] = sp.Mul(*(self._power_of_unit(unit, coefficient) for unit, coefficient in units))
        return forms

    def _power_of_unit(self, unit: sp.Expr, coefficient: sp.Rational) -> sp.Expr:
        """exp(coefficient * unit) as a power of the atom exp(unit / L); exp(n log p) as p^n where p is positive."""
        if coefficient.is_Integer and unit in self._logarithms:
            return self._logarithms[unit] ** coefficient
        self.coefficients = lcm(self.coefficients, int(coefficient.q))
        power = coefficient * self.root
        if power.is_Integer:
            return self._atom("E", sp.exp(unit / self.root, evaluate=False)) ** power
        return self._atom("E", sp.exp(coefficient * unit, evaluate=False))

    def _logarithm(self, argument: sp.Expr) -> sp.Expr:
        """log(u) as a sum of atoms log|p| and of exponents."""
        argument = self._rational(argument)
        ring = PolynomialRing(argument.free_symbols)
        fraction = ring.fraction(argument)
        if fraction.numerator.is_zero():
            raise Undefined("the argument of a logarithm is identically zero")
        exponents = {atom: meaning.args[0] for meaning, atom in self._atoms.items() if isinstance(meaning, sp.exp)}
        total = sp.S.Zero
        for polynomial, sign in ((fraction.numerator, 1), (fraction.denominator, -1)):
            constant, factors = polynomial.factor()
            for factor, multiplicity in factors:
                leading = factor.leading_coefficient()
                constant *= leading**multiplicity
                irreducible = ring.expression(factor / leading)
                if irreducible not in exponents:
                    logarithm = self._atom("L", sp.log(sp.Abs(irreducible), evaluate=False))
                    exponents[irreducible] = logarithm
                    if irreducible.is_positive:
                        self._logarithms[logarithm] = irreducible
                total += sign * int(multiplicity) * exponents[irreducible]
            total += sign * self._log_of_constant(sp.Rational(int(constant.p), int(constant.q)))
        return total

    def _log_of_constant(self, constant: sp.Rational) -> sp.Expr:
        primes = {p: n for p, n in sp.factorrat(abs(constant)).items() if p != 1}
        logarithms = {p: self._atom("L", sp.log(p, evaluate=False)) for p in primes}
        self._logarithms |= {logarithm: sp.Integer(p) for p, logarithm in logarithms.items()}
        return sp.Add(*(n * logarithms[p] for p, n in primes.items()))

    def _rational(self, node: sp.Expr) -> sp.Expr:
        """The expression, with every part that is not a rational function replaced by an atom."""
        if node.is_Rational or node.is_Symbol:
            return node
        if node is sp.S.Exp1:
            return self._power_of_unit(sp.S.One, sp.S.One)
        if isinstance(node, sp.Add | sp.Mul):
            return node.func(*(self._rational(argument) for argument in node.args))
        if node.is_Pow and node.exp.is_Integer:
            base = self._rational(node.base)
            if base == 0 and node.exp < 0:
                raise Undefined("a denominator is identically zero")
            return base**node.exp
        if node.is_Pow and node.exp.is_Rational:
            return self._atom("R", node.base ** sp.Rational(1, node.exp.q)) ** node.exp.p
        if node in (sp.S.ComplexInfinity, sp.S.NaN, sp.S.Infinity, sp.S.NegativeInfinity):
            raise Undefined("a part of the expression has no finite value anywhere")
        return self._atom("R", node)

    def _atom(self, letter: str, meaning: sp.Expr) -> sp.Symbol:
        """The atom that stands for this expression, the same one each time."""
        if meaning not in self._atoms:
            number = 1 + sum(atom.name.startswith(letter) for atom in self._atoms.values())
            # A Dummy never clashes with a symbol of the user's.
            self._atoms[meaning] = sp.Dummy(f"{letter}{number}", real=meaning.is_real, positive=meaning.is_positive)
        return self._atoms[meaning]


def _is_transcendental(node: sp.Basic) -> bool:
    if isinstance(node, sp.Pow):
        return not node.exp.is_Rational and bool(node.base.is_positive)
    return isinstance(node, sp.exp | sp.log)


def _below(node: sp.Basic) -> Iterator[sp.Basic]:
    """The parts of a node, itself excepted."""
    parts = sp.preorder_traversal(node)
    next(parts)
    return parts
