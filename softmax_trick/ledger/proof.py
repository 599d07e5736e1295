"""A proof as a sequence of steps, each checked on the spot: a wrong step stops the proof and is named.

A proof is a function that takes a `Proof`, makes its vectors from it and states its steps. The same function is run for
symbolic K (rung "general") and for each given K (rung "exact"), by engines that share no algebra but the last
reduction, and once more for symbolic K with that reduction left to z3.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from softmax_trick.language.expression import LanguageError, Number, Variable
from softmax_trick.language.grammar import proposition
from softmax_trick.language.proposition import And, Implies
from softmax_trick.language.text import bare, together
from softmax_trick.ledger.formulas import Formula, Part
from softmax_trick.ledger.steps import Open, Refuted, Steps
from softmax_trick.readings.pointwise import Point
from softmax_trick.statements.proposition import decide_proposition
from softmax_trick.symbolic import (
    EVERY_K,
    Classes,
    Decision,
    GivenK,
    Matrix,
    Vector,
    Witness,
    contract,
    decide,
    index,
    sign,
)
from softmax_trick.symbolic.conditions import Condition
from softmax_trick.symbolic.indexed import index_positions
from softmax_trick.symbolic.reading import side, told_apart
from softmax_trick.symbolic.sign import Sign

if TYPE_CHECKING:
    from softmax_trick.deciding.decision import Decision as Verdict
    from softmax_trick.language.grammar import Statement
    from softmax_trick.ledger.claims import Claim

Comparable = Any  # a scalar (sympy.Expr or int), a Vector or a Matrix

POSITIONS = ("i", "j")  # what SymPy calls the places of an entry of a vector or a matrix

# By relation, whether right - left is meant, and which signs it may have.
_SIGNS = {
    ">": (False, ("positive",)),
    ">=": (False, ("positive", "nonnegative")),
    "<": (True, ("positive",)),
    "<=": (True, ("positive", "nonnegative")),
}


class Undecided(Open):
    """A step is neither right nor wrong as far as this algebra can tell."""


@dataclass(frozen=True)
class Algebra:
    """What decides the steps of a proof: whether an expression is zero, and which sign it has."""

    zero: Callable[[sp.Expr, Mapping[sp.Expr, sp.Expr] | None, int], Decision]
    sign: Callable[[sp.Expr], Sign | None]


EXACT = Algebra(decide, sign)


@dataclass
class Proof(Steps):
    """The steps of one run of a proof.

    Attributes:
        classes: EVERY_K, or GivenK(n).
        algebra: the library's own, or a second opinion.
        fewest: for EVERY_K, the least K that the claim speaks of.
        presupposed: what the claim's hypotheses say is nowhere 0.
        presupposed_positive: what they say is positive everywhere.
        claim: whose proof it is, for what its formulas say.
        concluded: the numbers of the formulas in which it has ended.
    """

    classes: Classes = EVERY_K
    algebra: Algebra = EXACT
    fewest: int = 1
    presupposed: tuple[Vector | sp.Expr, ...] = ()
    presupposed_positive: tuple[Vector | sp.Expr, ...] = ()
    claim: Claim | None = None
    concluded: set[int] = field(default_factory=set)

    def shows(self, *formulas: str, words: str = "", let: str = "", where: Sequence[str] = ()) -> None:
        """Steps: equations and inequalities of the language, in the names that the claim declares, hold.

        Args:
            formulas: such as "jacobian(y, x) == diag(y) - outer(y, y)", "softmax(x) > 0".
            words: what else is to be said of them: why, in what sense.
            let: declarations of further names, and of names that mean something else here than in the claim.
            where: conditions besides those of the claim.

        Raises:
            Open: one is false (the message says where) or undecided.
        """
        claim = self._claim()
        of_the_claim = self.presupposed, self.presupposed_positive
        for text in formulas:
            formula = Formula(text, together(let, claim.let), (*claim.where, *where))
            said = ", ".join(filter(None, [str(formula), words, _own_names(formula, let, where)]))
            if formula.statement.relation in _SIGNS:
                self._ordered(said, formula)
            else:
                self.equal(said, *self._read(formula))
            self.presupposed, self.presupposed_positive = of_the_claim  # what a step supposes is its own

    def _ordered(self, text: str, formula: Formula) -> None:
        """A step: an inequality, entry by entry, by the sign of the difference."""
        turned, wanted = _SIGNS[formula.statement.relation]
        left, right, _ = self._read(formula)
        differences = (difference for _, difference in self._differences(left, right))
        self._sign(text, wanted, *(-one if turned else one for one in differences))

    def concludes(self, *numbers: int, putting: str = "") -> None:
        """The end of a proof: the claim's own equations, by number from 1; all of them if none is named.

        Its inequalities, and equations over other axes than the classes, are no business of SymPy's core: the canonical
        form decides them, or nothing does. Of a statement with words these are the relations that logic alone leaves.

        Args:
            numbers: see above.
            putting: of a statement with words, what the steps have shown an unknown function, or what exists, to be.

        Raises:
            Refuted: one is false, with the witness.
            Open: one is undecided.
        """
        stated = self._claim().stated
        for number in numbers or range(1, len(stated) + 1):
            formula = stated[number - 1]
            self.concluded.add(number)
            if putting:
                formula = replace(formula, putting=putting, is_found=True)
                self._fulfils(formula)
            if not formula.parts:
                raise Undecided(f"no rule of logic alone leads on: {formula}")
            for part in formula.parts:
                if not part.is_over_classes:
                    if putting:
                        self._ordered(str(part), part)
                    continue
                if isinstance(part, Part) and part.is_only_sufficient:
                    self.equal(str(part), *self._read(part))
                else:
                    self.statement(str(part), *self._read(part), partial(_in_domain, part))

    def supposes(self, *hypotheses: str) -> None:
        """Steps: what cited steps use is what the claim supposes: each is a hypothesis of its first implication.

        Raises:
            Open: the claim does not suppose one.
        """
        claim = self._claim()
        said = claim.stated[0].whole
        premise = said.premise if isinstance(said, Implies) else None
        among = premise.all if isinstance(premise, And) else (premise,)
        for text in hypotheses:
            if proposition(text, let=claim.let) not in among:
                raise Open(f"the claim does not suppose what its proof cites: {text}")
            self.established(f"by hypothesis, {text}")

    def _fulfils(self, formula: Formula) -> None:
        """A step: the function that the steps have found fulfils the hypotheses of a statement with words."""
        decision = _of_the_premise(formula)
        if decision is None:
            return
        if decision.verdict != "proved" or decision.conditions:
            raise Undecided(f"what is put in is not seen to fulfil the hypotheses of {formula}: {decision.reason}")
        self.established(f"the hypotheses, of {formula.putting}", *decision.steps)

    def _claim(self) -> Claim:
        if self.claim is None:
            raise TypeError("this proof belongs to no claim: it has no formulas")
        return self.claim

    def _read(self, formula: Formula) -> tuple[Comparable, Comparable, list[Vector]]:
        """The two sides of a relation as SymPy has them, and the vectors in it that sum to 1."""
        if formula.statement.relation not in ("==", *_SIGNS):
            raise Undecided(f"the step '{formula}' is no relation between two formulas")
        try:
            told_apart(formula.variables, POSITIONS)
            left, right = (side(one, self.classes, formula.free) for one in formula.decided.expressions)
            for condition in formula.conditions:
                self._presuppose(condition)
            return left, right, [side(one, self.classes) for one in formula.distributions]
        except LanguageError as error:
            raise Undecided(f"the step '{formula}' is not read by SymPy: {error}") from error

    def _presuppose(self, condition: Statement) -> None:
        """Take note of what a condition says is not 0, or positive."""
        left, right = condition.expressions
        if bare(right) != Number(Fraction(0)) or condition.relation not in ("!=", ">"):
            return
        value = side(left, self.classes)
        self.presupposes(value)
        if condition.relation == ">":
            self.presupposed_positive += (value,)

    def vector(self, name: str, positive: bool | None = None) -> Vector:
        """A vector of real symbols, positive ones if asked for."""
        return self.classes.vector(name, positive)

    def equal(self, text: str, left: Comparable, right: Comparable, distributions: Sequence[Vector] = ()) -> None:
        """A step: left = right, in every entry; the distributions are vectors whose entries sum to one.

        Raises:
            Open: it is false (the message says where) or undecided.
        """
        self._accept(text, self._decide(left, right, distributions))

    def statement(
        self,
        text: str,
        left: Comparable,
        right: Comparable,
        distributions: Sequence[Vector] = (),
        counts: Callable[[Witness], bool] = bool,
    ) -> None:
        """The statement of the claim itself, where it is an equation: if it is false, the claim is refuted.

        Args:
            text: what it says.
            left: its left side.
            right: its right side.
            distributions: vectors whose entries sum to one.
            counts: whether a counterexample lies in the domain; of each if not given.

        Raises:
            Refuted: it is false, with the witness.
            Open: it is undecided.
        """
        decision = self._decide(left, right, distributions)
        if decision.witness and not counts(decision.witness):
            raise Undecided(f"{text} is false, but no counterexample was found in the domain")
        if decision.status == "nonzero":
            raise Refuted(text, _readable(decision.witness))
        self._accept(text, decision)

    def positive(self, text: str, expression: sp.Expr) -> None:
        """A step: the expression is positive for every value that the assumptions on its symbols allow."""
        self._sign(text, ("positive",), expression)

    def nonnegative(self, text: str, expression: sp.Expr) -> None:
        """A step: the expression is not negative for any value that the assumptions on its symbols allow."""
        self._sign(text, ("positive", "nonnegative"), expression)

    def presupposes(self, *nowhere_zero: Vector | sp.Expr) -> None:
        """What the claim's hypotheses say is nowhere 0: the steps may divide by it."""
        self.presupposed += nowhere_zero

    def _accept(self, text: str, decision: Decision) -> None:
        if decision.status == "nonzero":
            raise Open(f"the step '{text}' is false at {_readable(decision.witness)}")
        if decision.status == "undecided":
            raise Undecided(f"the step '{text}' is undecided: {decision.reason}")
        for condition in decision.conditions:
            # Said of one step with a condition of its own is not said of the next one.
            said = self.conditions.get(str(condition), True)
            self.conditions[str(condition)] = said and self._is_presupposed(condition)
        where = [f"where {condition}" for condition in decision.conditions]
        self.established(text, *decision.reduction, *where, *filter(None, [decision.replay]))

    def _is_presupposed(self, condition: Condition) -> bool:
        """Whether the claim's hypotheses say so: of the expression, or of each of its factors."""
        factors = sp.Mul.make_args(condition.expression)
        if condition.relation == "!= 0":
            known = (*self.presupposed, *self.presupposed_positive)
            return all(one.is_nonzero or self._is_among(one, known) or self._is_among(-one, known) for one in factors)
        if condition.relation == "> 0":
            return all(one.is_positive or self._is_among(one, self.presupposed_positive) for one in factors)
        return False

    def _is_among(self, asked: sp.Expr, known: Sequence[Vector | sp.Expr]) -> bool:
        positions = set(index_positions(asked)) or range(1, getattr(self.classes, "classes", 0) + 1)
        entries = ([one[at] for at in positions] if isinstance(one, Vector) else [contract(one)] for one in known)
        return any(asked in some for some in entries)

    def _sign(self, text: str, wanted: tuple[str, ...], *expressions: sp.Expr) -> None:
        found = [self.algebra.sign(expression) for expression in expressions]
        for sign_found, expression in zip(found, expressions, strict=True):
            if sign_found not in wanted:
                error = Open if sign_found else Undecided
                said = sign_found or "undecided"
                raise error(f"the step '{text}' is not established: the sign of {expression} is {said}")
        self.established(text, *map("{} is {}".format, expressions, found))

    def _differences(self, left: Comparable, right: Comparable) -> Iterator[tuple[Position, sp.Expr]]:
        """What is to be decided, entry by entry."""
        try:
            yield from _entries(self.classes, left, right)
        except LanguageError as error:  # vectors are read where their entries are asked for
            raise Undecided(f"not read by SymPy: {error}") from error

    def _decide(self, left: Comparable, right: Comparable, distributions: Sequence[Vector]) -> Decision:
        """Decide left - right in every entry; the first that is not zero, if there is one."""
        reductions: list[str] = []
        conditions: dict[Condition, None] = {}
        replays: dict[str, None] = {}
        for position, difference in self._differences(left, right):
            if isinstance(self.classes, GivenK):
                decision = _decide_on_simplex(self.classes, position, difference, distributions)
            else:
                decision = self.algebra.zero(difference, {v.sum(): sp.S.One for v in distributions}, self.fewest)
            if decision.status != "zero":
                return decision
            reductions += decision.reduction
            conditions |= dict.fromkeys(decision.conditions)
            replays[decision.replay] = None
        return Decision(
            "zero", tuple(reductions), conditions=tuple(conditions), replay="; ".join(filter(None, replays))
        )


@cache
def _of_the_premise(formula: Formula) -> Verdict | None:
    """Whether a function that is put in fulfils what a statement supposes; None if it supposes nothing, or none is."""
    premise = formula.premise_with_functions
    return None if premise is None else decide_proposition(*premise)


def _in_domain(formula: Formula, witness: Witness) -> bool:
    """Whether a counterexample has each variable where it is declared, and fulfils the conditions.

    SymPy's symbols know reals and positive ones; a point at which this cannot be told is no counterexample.
    """
    try:
        point = _as_point(formula, witness)
    except TypeError:  # an entry is no rational number
        return not formula.conditions and all(one.kind in ("real", "positive") for one in formula.variables)
    for variable in formula.variables:
        if variable.kind in ("nonnegative", "unit", "distribution") and variable.name in point.values:
            highest = Fraction(1) if variable.kind != "nonnegative" else None
            entries = _leaves(point.values[variable.name])
            if any(entry < 0 or (highest is not None and entry > highest) for entry in entries):
                return False
    return not formula.excluded_at(point)


def _as_point(formula: Formula, witness: Witness) -> Point:
    """A point of SymPy's as one of the language; entries that cancelled are 1.

    Raises:
        TypeError: an entry is no rational number.
    """
    by_name = {str(symbol): _as_fraction(value) for symbol, value in witness.point.items()}
    by_index = {str(symbol): int(position) for symbol, position in (witness.indices or {}).items()}
    free = {one.name: by_index[name] for one, name in zip(formula.free, POSITIONS, strict=False) if name in by_index}
    size = witness.classes or 1
    values: dict[str, Any] = {}
    for variable in formula.variables:
        if variable.kind == "label":
            values[variable.name] = by_index.get(variable.name, 1)
        elif any(name in by_name for name in _names(variable, size)):
            values[variable.name] = _nested(variable, size, by_name)
    return Point({"K": size}, values, free)


def _as_fraction(value: sp.Expr) -> Fraction:
    if not value.is_Rational:
        raise TypeError(f"{value} is no rational number")
    return Fraction(int(value.p), int(value.q))


def _names(variable: Variable, size: int) -> list[str]:
    """The names of a variable's entries in SymPy: x; x1, x2, ...; x1_1, x1_2, ..."""
    places = itertools.product(range(1, size + 1), repeat=len(variable.axes))
    return [variable.name + "_".join(map(str, place)) for place in places]


def _nested(variable: Variable, size: int, by_name: Mapping[str, Fraction]) -> Any:
    entries: list[Any] = [by_name.get(name, Fraction(1)) for name in _names(variable, size)]
    for _ in variable.axes[1:]:
        entries = [entries[start : start + size] for start in range(0, len(entries), size)]
    return entries if variable.axes else entries[0]


def _leaves(value: Any) -> list[Fraction]:
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list) else [value]


def _own_names(formula: Formula, let: str, where: Sequence[str]) -> str:
    """What a step says of its own names, and its own conditions."""
    read = formula.statement.readings
    own = [one.strip() for one in let.split(";")]
    used = [one for one in own if not read.get(re.split(r"[:=\s]", one)[0], "not used").endswith("not used")]
    return f"for {'; '.join([*used, *where])}" if used or where else ""


Position = dict[sp.Symbol, int]


def _entries(classes: Classes, left: Comparable, right: Comparable) -> Iterator[tuple[Position, sp.Expr]]:
    """The differences to decide: one for a scalar; for vectors and matrices one at free indices, or one an entry."""
    if not isinstance(left, Vector | Matrix):
        yield {}, sp.sympify(left, strict=True) - right
        return
    names = tuple(map(index, POSITIONS[: 1 if isinstance(left, Vector) else 2]))
    if isinstance(classes, GivenK):
        values: Iterator[tuple[Any, ...]] = itertools.product(range(1, classes.classes + 1), repeat=len(names))
    else:
        values = iter([names])
    for position in values:
        at = position if len(position) > 1 else position[0]
        yield dict(zip(names, position, strict=True)), left[at] - right[at]


def _decide_on_simplex(
    classes: GivenK, position: Position, expression: sp.Expr, distributions: Sequence[Vector]
) -> Decision:
    """Decide an expression where some vectors sum to one: each entry v_k is written as v_k / sum v, then all are free.

    (For symbolic K the sum itself is replaced by one: a different route to the same restriction.)
    """
    scaled = {v[k]: v[k] / v.sum() for v in distributions for k in range(1, classes.classes + 1)}
    decision = decide(expression.xreplace(scaled), fewest=classes.classes)
    if decision.witness is None:
        sums = {v.sum() for v in distributions}  # 1, where the statement is meant
        where = tuple(one for one in decision.conditions if one.expression not in sums)
        return replace(decision, conditions=where)
    # A symbol that cancelled is free to be 1.
    free = {s: sp.S.One for entry in scaled.values() for s in entry.free_symbols} | decision.witness.point
    point = {s: scaled.get(s, s).xreplace(free) for s in sorted(expression.free_symbols | set(scaled), key=str)}
    value = expression.xreplace(point)
    witness = Witness(point, value, decision.witness.enclosure, classes.classes, position)
    return Decision(decision.status, decision.reduction, witness)


def _readable(witness: Witness | None) -> dict[str, str]:
    """A witness as plain text: K, indices, the point, and by how much the two sides differ."""
    if witness is None:
        return {}
    classes = {"K": str(witness.classes)} if witness.classes else {}
    indices = {str(name): str(value) for name, value in (witness.indices or {}).items()}
    point = {str(symbol): str(value) for symbol, value in witness.point.items()}
    return {**classes, **indices, **point, "left - right": f"{witness.value} = {witness.enclosure}"}
