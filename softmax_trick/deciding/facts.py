"""Numbers that are positive, at least 0, or 0: what relations say, as such, and their products in canonical form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import combinations_with_replacement
from operator import add, mul

from softmax_trick.deciding.combination import vanishing_sum
from softmax_trick.deciding.decision import decide, where_defined
from softmax_trick.language.expression import Expression, LanguageError, Number, Variable
from softmax_trick.language.grammar import proposition
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.proposition import Related
from softmax_trick.language.text import declarations, to_text
from softmax_trick.readings.canonical import Canonical, Polynomial, TooLarge, Undefined

MOST_FACTS = 60
MOST_COLUMNS = 700
MOST_TERMS = 2000  # of all columns
MOST_DENOMINATORS = 3
ZERO = Number(Fraction(0))


@dataclass(frozen=True)
class Fact:
    """A number that is positive, at least 0, or 0.

    Attributes:
        value: the number, a scalar.
        sign: ">", ">=" or "=="; "" if nothing is known: it is a factor of what is 0.
        said: whether it is a hypothesis, or the opposite of the conclusion; else it is known of every value.
    """

    value: Expression
    sign: str
    said: bool = False

    def __str__(self) -> str:
        return f"{to_text(self.value)} {self.sign} 0"


def unique(facts: Sequence[Fact]) -> list[Fact]:
    """Each once; what is said before what is known."""
    return sorted(dict.fromkeys(facts), key=lambda fact: not fact.said)[:MOST_FACTS]


def facts_of(said: Sequence[Related]) -> Iterator[Fact]:
    """What relations say, as numbers that are positive, at least 0, or 0."""
    for one in said:
        left, right = one.sides
        match one.relation:
            case "<" | "<=":
                yield Fact(right - left, ">" if one.relation == "<" else ">=", said=True)
            case ">" | ">=":
                yield Fact(left - right, one.relation, said=True)
            case "==":
                yield Fact(left - right, "==", said=True)
            case "!=":
                yield Fact((left - right) ** 2, ">", said=True)


def where_it_is_defined(said: Related) -> Iterator[Related]:
    """Where a relation is defined, as far as the language can say it: so it is where it holds."""
    let = declarations(said)
    for text in where_defined(*said.sides):
        try:
            found = proposition(text, let)
        except LanguageError:  # in words
            continue
        if isinstance(found, Related):
            yield found


class Columns:
    """Facts and their products in canonical form."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._algebra = Canonical(sizes)
        self._reading: Reading[Polynomial] = Reading(self._algebra)
        self._forms: dict[Expression, Polynomial] = {}

    def vanishing(self, facts: Sequence[Fact], degree: int, alone: Sequence[Fact] = ()) -> str:
        """A sum of products of facts that is 0 and would be positive, in words; "" if there is none.

        Args:
            facts: the facts.
            degree: of how many the products are, at most.
            alone: facts that stand in no product.
        """
        products: list[tuple[Fact, ...]] = [(one,) for one in (*facts, *alone) if one.sign]
        if degree > 1:
            pairs = [
                pair
                for pair in combinations_with_replacement(facts, 2)
                if any(one.said or one.sign == ">" for one in pair)
            ]
            products += [pair for pair in pairs if "==" in {fact.sign for fact in pair} or all(f.sign for f in pair)]
        columns: list[Polynomial] = []
        used: list[tuple[Fact, ...]] = []
        for product in products[:MOST_COLUMNS]:
            try:
                column = self._form(product)
            except (Undefined, TooLarge):
                continue
            if sum(map(len, columns)) + len(column) > MOST_TERMS:
                break
            columns.append(column)
            used.append(product)
        signs = [_sign_of(product) for product in used]
        try:
            found = vanishing_sum(self._over_one_denominator(columns), signs)
        except TooLarge:
            found = None
        if found is None:
            return ""
        terms = [(Fraction(int(value.p), int(value.q)), used[n]) for n, value in found.items()]
        values = [(factor, reduce(mul, (fact.value for fact in product))) for factor, product in terms]
        whole = reduce(add, (value if factor == 1 else factor * value for factor, value in values))
        decision = decide(whole, ZERO, self._sizes)
        if decision.verdict != "proved":
            return ""
        facts_used = dict.fromkeys(str(fact) for _, product in terms for fact in product)
        return f"0 = {to_text(whole)} would be positive, by {', '.join(facts_used)}"

    def _form(self, product: tuple[Fact, ...]) -> Polynomial:
        found = self._algebra.number(Fraction(1))
        for fact in product:
            if fact.value not in self._forms:
                self._forms[fact.value] = self._reading.entry(fact.value, ())
            found = self._algebra.multiply(found, self._forms[fact.value])
        return found

    def _over_one_denominator(self, columns: Sequence[Polynomial]) -> Sequence[Polynomial]:
        """The columns times one denominator, which is that of their sum with a name for each."""
        inverses = {
            factor for column in columns for monomial in column for factor, _ in monomial if factor.kind == "inverse"
        }
        if not inverses:
            return columns
        if len(inverses) > MOST_DENOMINATORS:
            raise TooLarge(f"{len(inverses)} denominators")
        names = [self._algebra.variable(Variable(f"column {n}"), ()) for n in range(len(columns))]
        marks = {next(iter(name))[0][0]: n for n, name in enumerate(names)}
        whole: Polynomial = {}
        for name, column in zip(names, columns, strict=True):
            whole = self._algebra.add(whole, self._algebra.multiply(name, column))
        found: list[Polynomial] = [{} for _ in columns]
        for monomial, value in self._algebra.numerator(whole).items():
            (mark,) = (factor for factor, _ in monomial if factor in marks)
            found[marks[mark]][tuple(pair for pair in monomial if pair[0] is not mark)] = value
        return found


def _sign_of(product: tuple[Fact, ...]) -> str:
    signs = [fact.sign for fact in product]
    return "==" if "==" in signs else ">=" if ">=" in signs else ">"
