"""False neighbours of true claims, to test what decides claims: each must be refuted, its true rewording proved.

A mutant is a claim that is false by construction, beside a rewording of the same original that is true. The ledger
decides both, as it does any claim. A mutant that is not refuted, with a witness, has survived: the ledger would have
let that error pass. A rewording that is not proved was wrongly killed: the ledger only says no.

Most mutants are made from the equations left = right of the proofs of true claims. With a change T of a side,

    the mutant is       left = T(right)
    the rewording is    T(left) = T(right)

T is one of `OPERATORS`. Where T leaves the right side as it is, there is no mutant: it would be true. That is so of

    sign, factor, reduction    a right side that is zero
    sign, factor, exponent     of a vector: a right side that does not depend on it, or not on its sign, scale, size
    index                      entries that do not depend on the last index
    transpose, axis            a symmetric matrix; or one with equal sums over rows and over columns
    exponent                   entries that are all 0 or 1
    quantifier                 a right side that does not depend on the vector
    hypothesis                 an equation that holds without it

and is decided on the right side (for a hypothesis, on both) in floating point, at one fixed point, for one K: by
nothing that the ledger uses, so that a blind ledger cannot shorten the list.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any, Literal, get_args

import sympy as sp

from softmax_trick.language.expression import LanguageError
from softmax_trick.language.text import bare, statement_to_text
from softmax_trick.ledger.claims import Check, Claim, Rung, Verdict
from softmax_trick.ledger.gathering import concludes
from softmax_trick.ledger.proof import Comparable, Proof
from softmax_trick.ledger.run import Ledger, Result
from softmax_trick.ledger.steps import Open, Refuted
from softmax_trick.symbolic import EVERY_K, Classes, GivenK, Matrix, Vector, Witness, index

Kind = Literal["sign", "factor", "index", "transpose", "exponent", "quantifier", "hypothesis", "axis", "reduction"]
KINDS: tuple[Kind, ...] = get_args(Kind)

CLASSES = (2, 3)  # given K for which mutants and rewordings are decided by explicit algebra
EQUATIONS = 3  # how many equations of one proof are changed, the claim's own statement first
MOST = 500  # mutants made from claims: as claims grow in number, fewer kinds are taken from each


@dataclass(frozen=True)
class Equation:
    """left = right in every entry, where the distributions sum to one: a step of a proof."""

    text: str
    left: Comparable
    right: Comparable
    distributions: tuple[Vector, ...] = ()


@dataclass(frozen=True)
class Mutant:
    """A false claim and a true one, both made from the same original.

    Attributes:
        kind: what was changed.
        of: the ID of the original.
        false: must be refuted, with a witness.
        true: must be proved.
        proof: that of the original, if both were made from it.
    """

    kind: Kind
    of: str
    false: Claim
    true: Claim
    proof: Callable[[Proof], None] | None = None


# --- running them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What the ledger says of a mutant and of its rewording.

    Attributes:
        mutant: the two claims.
        false: the result for the false one.
        true: the result for the true one.
        seconds: wall time of both.
        is_open: whether the true one is undecided as its original is to SymPy's core for symbolic K: only the canonical
            form, which knows nothing of a rewording, proves such a claim.
    """

    mutant: Mutant
    false: Result
    true: Result
    seconds: float
    is_open: bool = False

    @property
    def killed(self) -> bool:
        """Whether the false claim was refuted, and with a witness."""
        return self.false.verdict is Verdict.REFUTED and bool(self.false.witness)

    @property
    def rung(self) -> Rung | None:
        """Where the false claim was caught: "general" in symbolic K, else the rung of its refutation; None if nowhere.

        (A counterexample is exact, whoever finds it: the rung of the verdict does not say that it was found for
        symbolic K.)
        """
        if not self.killed:
            return None
        caught = {item.engine for item in self.false.evidence if item.outcome == "fails" and item.witness}
        return "general" if "index calculus" in caught else self.false.rung

    @property
    def wrongly_killed(self) -> bool:
        """Whether the true claim was not proved: refuted, or left undecided."""
        return self.true.verdict is not Verdict.PROVED and not self.is_open


def run(mutants: Iterable[Mutant]) -> Iterator[Outcome]:
    """Decide each mutant and its rewording, one after the other."""
    for mutant in mutants:
        start = time.perf_counter()
        ledger = Ledger({claim.id: claim for claim in (mutant.false, mutant.true)})
        false, true = ledger.result(mutant.false.id), ledger.result(mutant.true.id)
        seconds = time.perf_counter() - start
        outcome = Outcome(mutant, false, true, seconds)
        is_left = outcome.killed and true.verdict is Verdict.UNDECIDED
        yield replace(outcome, is_open=_is_open(mutant.proof)) if is_left and mutant.proof else outcome


def _is_open(proof: Callable[[Proof], None]) -> bool:
    try:
        proof(Proof(EVERY_K))
    except Refuted:
        return False
    except Open:
        return True
    return False


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each mutant that survived and each rewording that was wrongly killed: none if all is well."""
    lines = [f"survived: {_says(outcome.false)}" for outcome in outcomes if not outcome.killed]
    return lines + [f"wrongly killed: {_says(outcome.true)}" for outcome in outcomes if outcome.wrongly_killed]


def _says(result: Result) -> str:
    reason = result.judgement.reason or ", ".join(f"{name} = {value}" for name, value in (result.witness or {}).items())
    return f"{result.claim.id} ({result.claim.says}) is {result.verdict}" + (f": {reason}" if reason else "")


# --- the equations of a proof -----------------------------------------------------------------------------------------


@dataclass
class _Recorder(Proof):
    """A proof that decides nothing and keeps its equations.

    Attributes:
        equations: in the order of the proof.
        statements: those that state the claim itself.
    """

    equations: list[Equation] = field(default_factory=list)
    statements: list[Equation] = field(default_factory=list)

    def equal(self, text: str, left: Comparable, right: Comparable, distributions: Sequence[Vector] = ()) -> None:
        self.equations.append(Equation(text, left, right, tuple(distributions)))

    def statement(
        self,
        text: str,
        left: Comparable,
        right: Comparable,
        distributions: Sequence[Vector] = (),
        counts: Callable[[Witness], bool] = bool,
    ) -> None:
        self.equal(text, left, right, distributions)
        self.statements.append(self.equations[-1])

    def _sign(self, text: str, wanted: tuple[str, ...], *expressions: sp.Expr) -> None:
        pass  # signs have no witnesses: a step about a sign is not changed


@cache
def _recorded(proof: Callable[[Proof], None], classes: Classes) -> _Recorder:
    recorder = _Recorder(classes)
    proof(recorder)
    return recorder


def equations(proof: Callable[[Proof], None], classes: Classes) -> tuple[Equation, ...]:
    """The equations of a proof, in its order; nothing is decided."""
    return tuple(_recorded(proof, classes).equations)


def _changed(proof: Callable[[Proof], None], given: Sequence[int]) -> list[int]:
    """Which equations of a proof are changed: its statements and, up to `EQUATIONS`, the last of the others.

    Equations between vectors and matrices come before those between scalars, which say less. One that is there for
    some K only is not changed.
    """
    recorder = _recorded(proof, EVERY_K)

    def rank(number: int) -> tuple[bool, bool, int]:
        equation = recorder.equations[number]
        return equation in recorder.statements, not _is_scalar(equation.left), number

    texts = [[equation.text for equation in equations(proof, GivenK(k))] for k in given]
    everywhere = [n for n, e in enumerate(recorder.equations) if all(e.text in text[n : n + 1] for text in texts)]
    return sorted(everywhere, key=rank, reverse=True)[:EQUATIONS]


# --- sides of equations, and their entries ----------------------------------------------------------------------------


def _is_scalar(side: Comparable) -> bool:
    return not isinstance(side, Vector | Matrix)


def _each(side: Comparable, function: Callable[[sp.Expr], sp.Expr]) -> Comparable:
    """The function of every entry of a side."""
    if isinstance(side, Vector):
        return side.map(function)
    if isinstance(side, Matrix):
        return Matrix(side.classes, lambda i, j: function(side[i, j]))
    return function(sp.sympify(side, strict=True))


def entries(side: Comparable) -> Iterator[sp.Expr]:
    """The entries of a side: all of them for a given K, the one at free indices for symbolic K."""
    if _is_scalar(side):
        yield sp.sympify(side, strict=True)
        return
    given = isinstance(side.classes, GivenK)
    rows = range(1, side.classes.classes + 1) if given else (index("i"),)
    columns = range(1, side.classes.classes + 1) if given else (index("j"),)
    for position in itertools.product(rows, columns) if isinstance(side, Matrix) else rows:
        yield side[position]


def _name(entry: sp.Expr) -> str:
    """Of which vector or matrix this is an entry, t of t[i], of t2, or of t1_2; "" if it is a scalar."""
    if isinstance(entry, sp.Indexed):
        return str(entry.base.label)
    found = re.fullmatch(r"(\D+?)\d+(_\d+)?", str(entry))
    return found[1] if found else ""


def _named(expression: sp.Expr, name: str) -> set[sp.Expr]:
    """The entries of the vector of this name in an expression."""
    return {atom for atom in expression.atoms(sp.Indexed, sp.Symbol) if _name(atom) == name}


def _replaced(side: Comparable, name: str, function: Callable[[sp.Expr], sp.Expr]) -> Comparable:
    """A side with f(v_i) for each entry v_i of the vector of this name."""
    return _each(side, lambda entry: entry.xreplace({atom: function(atom) for atom in _named(entry, name)}))


def _another(entry: sp.Expr) -> sp.Expr:
    """The same entry of another vector: x'_i for x_i."""
    assumptions = {"real": True, "positive": entry.is_positive}
    if isinstance(entry, sp.Indexed):
        return sp.IndexedBase(f"{entry.base.label}'", **assumptions)[entry.indices]
    name = _name(entry)
    return sp.Symbol(f"{name}'{entry.name.removeprefix(name)}", **assumptions)


# --- the operators ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    """A change T of a side, and what it makes of an equation.

    Attributes:
        kind: which kind of error it is.
        says: the change in words; v is the vector that is changed.
        change: T(side, v), where v is the name of a vector, or "" where the change is to the side as a whole.
        sides: to which sides it applies: "scalar", "vector", "matrix".
        plain: what left of the mutant is to T(left): the sum where T is the mean. Nearly always the side itself.
        of: what it changes: the "side" as a whole; a "real" vector, which may be negative; a "free" one, which is not
            said to sum to one; or "any" vector.
    """

    kind: Kind
    says: str
    change: Callable[[Comparable, str], Comparable]
    sides: tuple[str, ...] = ("scalar", "vector", "matrix")
    plain: Callable[[Comparable], Comparable] = lambda side: side
    of: Literal["side", "real", "free", "any"] = "side"

    def targets(self, equation: Equation) -> Iterator[str]:
        """The vectors that it may change on the right side; "" for the side as a whole."""
        if _shape(equation.right) not in self.sides:
            return
        if self.of == "side":
            yield ""
            return
        distributions = {_name(v[1]) for v in equation.distributions}
        found = {atom for entry in entries(equation.right) for atom in entry.atoms(sp.Indexed, sp.Symbol)}
        for name in sorted({_name(atom) for atom in found} - {""}):
            positive = any(atom.is_positive for atom in found if _name(atom) == name)
            if self.of == "any" or (name not in distributions and not (self.of == "real" and positive)):
                yield name

    def applies(self, equation: Equation, target: str) -> bool:
        """Whether it changes the right side, on the simplex if there are distributions."""
        plain, changed = self.plain(equation.right), self.change(equation.right, target)
        return differ(plain, changed, self._distributions(equation, target))

    def false(self, equation: Equation, target: str) -> Equation:
        """plain(left) = T(right)."""
        left, right = self.plain(equation.left), self.change(equation.right, target)
        return Equation(self.false_text(equation, target), left, right, self._distributions(equation, target))

    def true(self, equation: Equation, target: str) -> Equation:
        """T(left) = T(right)."""
        left, right = self.change(equation.left, target), self.change(equation.right, target)
        return Equation(self.true_text(equation, target), left, right, self._distributions(equation, target))

    def false_text(self, equation: Equation, target: str) -> str:
        """The mutant in words."""
        return f"{equation.text}; but {self.says.replace('{v}', target)}, on the right"

    def true_text(self, equation: Equation, target: str) -> str:
        """The rewording in words."""
        return f"{equation.text}; {self.says.replace('{v}', target)}, on both sides"

    def _distributions(self, equation: Equation, target: str) -> tuple[Vector, ...]:
        """Where another vector stands for a distribution, it is one too."""
        others = tuple(v.map(_another) for v in equation.distributions if _name(v[1]) == target)
        return equation.distributions + (others if self.of == "any" else ())


class DroppedHypothesis(Operator):
    """left = right without the hypothesis sum v = 1; and, true, with v / sum v for v, which is any distribution."""

    def targets(self, equation: Equation) -> Iterator[str]:
        """The distributions."""
        yield from (_name(v[1]) for v in equation.distributions)

    def applies(self, equation: Equation, target: str) -> bool:
        """Whether the hypothesis is needed: the sides differ where sum v is not 1."""
        return differ(equation.left, equation.right, self._others(equation, target))

    def false(self, equation: Equation, target: str) -> Equation:
        """The same equation, asked of every v."""
        text, others = self.false_text(equation, target), self._others(equation, target)
        return replace(equation, text=text, distributions=others)

    def true(self, equation: Equation, target: str) -> Equation:
        """The equation for v / sum v."""
        [total] = (v.sum() for v in equation.distributions if _name(v[1]) == target)
        left, right = (_replaced(side, target, lambda e: e / total) for side in (equation.left, equation.right))
        return Equation(self.true_text(equation, target), left, right, self._others(equation, target))

    def false_text(self, equation: Equation, target: str) -> str:
        return f"{equation.text}; but without sum {target} = 1"

    def _others(self, equation: Equation, target: str) -> tuple[Vector, ...]:
        return tuple(v for v in equation.distributions if _name(v[1]) != target)


def _summed_by_rows(side: Matrix) -> Vector:
    return side @ side.classes.constant(1)


def _weighted_sum(side: Vector | Matrix) -> Comparable:
    """sum_j u_j side_j, with any weights u: a plain sum is zero too often (y - t sums to 0)."""
    weights = side.classes.vector("weight")
    return side.dot(weights) if isinstance(side, Vector) else side @ weights


def _weighted_mean(side: Vector | Matrix) -> Comparable:
    return _each(_weighted_sum(side), lambda entry: entry / side.classes.size)


def _first(side: Vector | Matrix) -> Comparable:
    """Class 1 in the place of the index: v_1 for v_i, m_i1 for m_ij."""
    if isinstance(side, Vector):
        return Vector(side.classes, lambda i: side[1])
    return Matrix(side.classes, lambda i, j: side[i, 1])


OPERATORS: tuple[Operator, ...] = (
    Operator("sign", "the other sign", lambda side, _: _each(side, lambda e: -e)),
    Operator("sign", "-{v} for {v}", lambda side, v: _replaced(side, v, lambda e: -e), of="real"),
    Operator("factor", "twice as much", lambda side, _: _each(side, lambda e: 2 * e)),
    Operator("factor", "2 {v} for {v}", lambda side, v: _replaced(side, v, lambda e: 2 * e), of="free"),
    Operator("index", "class 1 for the last index", lambda side, _: _first(side), ("vector", "matrix")),
    Operator("transpose", "transposed", lambda side, _: side.T, ("matrix",)),
    Operator("exponent", "squared", lambda side, _: _each(side, lambda e: e**2)),
    Operator("exponent", "{v}^2 for {v}", lambda side, v: _replaced(side, v, lambda e: e**2), of="free"),
    # "For all x: f(x) = g(x)" becomes "for all x and x': f(x) = g(x')"; renamed on both sides it is what it was.
    Operator("quantifier", "any {v}' for {v}", lambda side, v: _replaced(side, v, _another), of="any"),
    DroppedHypothesis("hypothesis", "{v} / sum {v} for {v}", lambda side, _: side),
    Operator(
        "axis",
        "summed over columns not rows",
        lambda side, _: _summed_by_rows(side.T),
        ("matrix",),
        plain=_summed_by_rows,
    ),
    Operator(
        "reduction",
        "the weighted mean not the sum",
        lambda side, _: _weighted_mean(side),
        ("vector", "matrix"),
        plain=_weighted_sum,
    ),
)


def _shape(side: Comparable) -> str:
    return {Vector: "vector", Matrix: "matrix"}.get(type(side), "scalar")


# --- plain evaluation -------------------------------------------------------------------------------------------------


def value_at(expression: sp.Expr, point: Mapping[sp.Symbol, Any]) -> complex:
    """The value of an expression at a point, in floating point; not a number if it has none there."""
    value = sp.sympify(expression, strict=True).xreplace(dict(point)).evalf(20)
    return complex(value) if value.is_number and value.is_finite else complex("nan")


def a_point(symbols: Iterable[sp.Symbol], distributions: Sequence[Vector] = ()) -> dict[sp.Symbol, sp.Rational]:
    """A positive rational for each symbol, always the same one; the distributions, for given K, sum to one."""
    members = [list(entries(v)) for v in distributions]
    point = {}
    for symbol in {*symbols, *itertools.chain(*members)}:
        random = Random(str(symbol))
        point[symbol] = sp.Rational(random.randint(1, 30), random.randint(10, 20))
    for member in members:
        total = sum(point[symbol] for symbol in member)
        point |= {symbol: point[symbol] / total for symbol in member}
    return point


def differ(left: Comparable, right: Comparable, distributions: Sequence[Vector] = ()) -> bool:
    """Whether two sides, for given K, differ in some entry at that point."""
    for first, second in zip(entries(left), entries(right), strict=True):
        point = a_point(first.free_symbols | second.free_symbols, distributions)
        one, other = value_at(first, point), value_at(second, point)
        if abs(one - other) > 1e-9 * (1 + abs(one)):  # a value that is not a number differs from nothing
            return True
    return False


# --- mutants of claims ------------------------------------------------------------------------------------------------


def made_from(claims: Iterable[Claim]) -> Iterator[Mutant]:
    """Mutants of those claims that have a proof and name nothing that is true instead; at most `MOST`."""
    true = [claim for claim in claims if _has_steps(claim) and not claim.repaired_by and not claim.correction]
    for claim in true:
        yield from itertools.islice(mutants_of(claim), max(1, MOST // len(true)))


def mutants_of(claim: Claim) -> Iterator[Mutant]:
    """At most one mutant of each kind of a true claim, from the equations of its proof.

    Which one is taken, and in which order the kinds come, depends on the claim's ID alone: other claims come and go
    without changing it.
    """
    if not _has_steps(claim):
        return
    proof = _of(claim)
    try:
        for equation in (*equations(proof, EVERY_K), *equations(proof, GivenK(2))):
            next(entries(equation.left)), next(entries(equation.right))
    except (Open, LanguageError):  # SymPy does not read it: labels, two axes, pieces
        yield from _with_slips(claim)
        return
    given = tuple(k for k in claim.classes if k in CLASSES) or tuple(claim.classes)[:2]
    random = Random(claim.id)
    for kind in random.sample(KINDS, len(KINDS)):
        for number in _changed(proof, given):
            if chosen := _choose(proof, number, kind, GivenK(max(given)), random):
                yield _mutant(claim, proof, number, *chosen, given)
                break


# The slips of `statements.nearest` by kind: what their names begin with, or have in them.
SLIPS: tuple[tuple[str, Kind], ...] = (
    ("a sign", "sign"),
    ("a factor", "factor"),
    ("the mass", "factor"),
    ("a transposition", "transpose"),
    ("an exponent", "exponent"),
    ("mean for sum", "reduction"),
    ("sum for mean", "reduction"),
    (" swapped", "index"),
)


def _with_slips(claim: Claim) -> Iterator[Mutant]:
    """At most one mutant of each kind of a claim's first formula, made in its text; the rewording is the formula.

    What is left of a slip that changes nothing is decided in floating point, by the torch reading.
    """
    from softmax_trick.ledger.evaluation import sampled
    from softmax_trick.statements.nearest import slips, usual_factors

    statement = claim.stated[0].statement
    if claim.stated[0].has_words:  # of an unknown function: with a slip it is false of some, and says so of none
        return
    left, right = map(bare, statement.expressions)
    found = list(slips(right, left, list(usual_factors(left, right))))
    Random(claim.id).shuffle(found)
    bare_claim = replace(claim, proof=None, counterexample=None, sample=None, statement="")
    plain = replace(bare_claim, formulas=claim.formulas[:1], classes=CLASSES)
    for kind in KINDS:
        for one in found:
            if not any(words in one.slip and is_ == kind for words, is_ in SLIPS):
                continue
            text = statement_to_text(replace(statement, expressions=(left, one.formula)))
            name = f"{claim.id}.{kind}"
            false = replace(plain, id=name, title="", formulas=(text,), repaired_by=f"{name}.r")
            if sampled(false).outcome == "fails":
                yield Mutant(kind, claim.id, false, replace(plain, id=f"{name}.r", title="", repaired_by=None))
                break


def _has_steps(claim: Claim) -> bool:
    return bool(claim.proof or (claim.formulas and claim.is_over_classes and not claim.counterexample))


@cache
def _of(claim: Claim) -> Callable[[Proof], None]:
    """The proof of a claim, which knows the claim's formulas."""
    steps = claim.proof or concludes

    def proof(p: Proof) -> None:
        p.claim = claim
        steps(p)

    return proof


def _choose(
    proof: Callable[[Proof], None], number: int, kind: Kind, classes: GivenK, random: Random
) -> tuple[Operator, str] | None:
    """An operator of this kind that applies to this equation, and the vector that it changes; None if none does."""
    equation, given = equations(proof, EVERY_K)[number], equations(proof, classes)[number]
    operators = [operator for operator in OPERATORS if operator.kind == kind]
    found = [(operator, target) for operator in operators for target in operator.targets(equation)]
    random.shuffle(found)
    return next(((operator, target) for operator, target in found if operator.applies(given, target)), None)


def _mutant(
    claim: Claim,
    proof: Callable[[Proof], None],
    number: int,
    operator: Operator,
    target: str,
    given: Sequence[int],
) -> Mutant:
    def stating(make: Callable[[Equation, str], Equation]) -> Callable[[Proof], None]:
        def statement(p: Proof) -> None:
            equation = make(equations(proof, p.classes)[number], target)
            p.statement(equation.text, equation.left, equation.right, equation.distributions)

        return statement

    original = equations(proof, EVERY_K)[number]
    false = operator.false_text(original, target), stating(operator.false)
    true = operator.true_text(original, target), stating(operator.true)
    return replace(beside(operator.kind, claim.id, f"{claim.id}.{operator.kind}", false, true, given), proof=proof)


# What a claim says, and how it is decided.
Stated = tuple[str, Callable[[Proof], None] | Check]


def beside(kind: Kind, of: str, name: str, false: Stated, true: Stated, classes: Sequence[int] = CLASSES) -> Mutant:
    """A false claim beside a true one."""

    def claim(id: str, stated: Stated) -> Claim:
        text, how = stated
        proof, checks = (None, (how,)) if isinstance(how, Check) else (how, ())
        source = f"made from {of}"
        return Claim(id, text, text, source, proof=proof, checks=checks, classes=classes)

    return Mutant(kind, of, replace(claim(name, false), repaired_by=f"{name}.r"), claim(f"{name}.r", true))


def of_formulas(kind: Kind, name: str, true: str, false: str, let: str, false_let: str = "") -> Mutant:
    """A mutant written as two formulas of the language, with the declarations of the false one where they differ."""
    source = f"beside {name}.r"
    right = Claim(f"{name}.r", formulas=(true,), let=let, source=f"beside {name}", classes=CLASSES)
    wrong = replace(right, id=name, formulas=(false,), let=false_let or let, source=source, repaired_by=right.id)
    if true == false:  # they differ in their declarations, and are told apart by them
        right, wrong = (replace(one, title=f"{one.formulas[0]}, {one.let}") for one in (right, wrong))
    return Mutant(kind, name.partition(".")[0], wrong, right)
