"""Statements with words, decided: conjunctions, implications, quantifiers.

What is said is said for every value of what is free in it, on its domain, for every size from 1, and wherever all its
formulas are defined. A hypothesis that is undefined at a point does not hold there. No value of v fulfils an empty
condition: then an implication holds.

Proved: all obligations are. Refuted: an obligation is false at an exact point that fulfils every hypothesis; or the
premise of an implication is proved and its conclusion refuted; or that something exists leads to equations without a
solution, or to vectors with different sums. Everything else is undecided, and says what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice, product, takewhile
from math import ceil, floor

from softmax_trick.deciding.consequences import follows
from softmax_trick.deciding.decision import Decision, decide_where, scope_of_all, where_defined
from softmax_trick.deciding.entries import bounds_of_sizes, least_sizes_said
from softmax_trick.deciding.facts import where_it_is_defined
from softmax_trick.deciding.points import SIMPLEST, compare, least_sizes
from softmax_trick.deciding.relations import decide_conservative, decide_order, decide_psd
from softmax_trick.language.expression import Delta, Expression, LanguageError, Number, Variable, entrywise, size_of
from softmax_trick.language.proposition import (
    OPPOSITE,
    And,
    Exists,
    ForAll,
    Function,
    Iff,
    Image,
    Implies,
    Not,
    Proposition,
    Quantified,
    Related,
    name_of,
    variables_in,
)
from softmax_trick.language.substitution import substituted
from softmax_trick.language.text import to_text
from softmax_trick.statements.conditions import said_by
from softmax_trick.statements.counterexamples import elsewhere, is_fulfilled, whole
from softmax_trick.statements.equations import sizes_in_words, unsolvable
from softmax_trick.statements.obligations import Obligation, obligations
from softmax_trick.statements.putting import Putting, with_functions
from softmax_trick.statements.solving import Stuck
from softmax_trick.statements.witnesses import choices

SIZES_OF_COUNTEREXAMPLES = (2, 3)
MOST_SIZES = 5  # of which each is looked at, where hypotheses leave so few
NOTHING = Related("<", (Number(Fraction(1)), Number(Fraction(0))))
MOST_NUMBERS = 16  # that are put in for what is free, where something is said to exist


def decide_proposition(
    proposition: Proposition, putting: Putting | None = None, sizes: Mapping[str, int] | None = None
) -> Decision:
    """Whether a statement with words holds, for every size; see the head of this module.

    Args:
        proposition: the statement.
        putting: what is put in for what is said to exist, and for unknown functions.
        sizes: sizes that are given.

    Raises:
        LanguageError: what is put in cannot be read, or does not fit.
    """
    begin = time.perf_counter()
    putting, given = putting or Putting(), dict(sizes or {})
    _check_names(proposition, putting)
    whole = with_functions(proposition, putting)
    found = _Decided(putting, given).of(whole)
    for name in putting.functions:
        found = _for_one_function(found, name, proposition)
    scope = scope_of_all(proposition.expressions, given)
    return replace(found, scope=scope, relation="", seconds=time.perf_counter() - begin)


def _check_names(proposition: Proposition, putting: Putting) -> None:
    for name in putting.names:
        if name not in proposition.bound:
            raise LanguageError(f"{name} is put in, and no quantifier of the statement binds {name}")


def _for_one_function(found: Decision, name: str, proposition: Proposition) -> Decision:
    """What one function F shows: that some F exists, or that a statement about every F is false; nothing else."""
    roles = roles_of(proposition, name)
    if found.verdict == "proved" and roles != {"some"}:
        return _undecided(f"it holds for this {name}; of others nothing is said")
    if found.verdict == "refuted" and roles != {"every"}:
        return _undecided(f"this {name} does not do; another one may")
    return found


def roles_of(proposition: Proposition, name: str) -> set[str]:
    """What a statement says of an unknown function: that "some" does, or that "every" one does, or both."""
    return set(_roles(proposition, Function(name), True)) or {"every"}


def _roles(node: Proposition, function: Function, positive: bool) -> Iterator[str]:
    """What a statement says of a function that it binds: that "some" does, or that "every" one does."""
    if isinstance(node, Quantified) and function in node.binds:
        yield "some" if isinstance(node, Exists) == positive else "every"
    for place, part in enumerate(node.parts):
        turned = isinstance(node, Not) or (isinstance(node, Implies) and place == 0)
        yield from _roles(part, function, positive != turned)
        if isinstance(node, Iff):
            yield from _roles(part, function, not positive)


class _Decided:
    """Decides the parts of a proposition.

    Args:
        putting: what is put in for names.
        sizes: sizes that are given.
    """

    def __init__(self, putting: Putting, sizes: Mapping[str, int]) -> None:
        self._putting, self._sizes = putting, sizes
        self._known: dict[Proposition, Decision] = {}

    def of(self, said: Proposition) -> Decision:
        """The decision on a part, whatever the values of what is free in it."""
        if said not in self._known:
            found = self._by_obligations(said)
            if found.verdict == "undecided":
                found = self._refuted(said) or self._by_witnesses(said) or self._opposite(said) or found
            if found.verdict == "undecided" and any(isinstance(one, Exists) for one in said.nodes()):
                found = self._at_numbers(said) or found
            self._known[said] = found
        return self._known[said]

    # --- proofs ---

    def _by_obligations(self, said: Proposition) -> Decision:
        try:
            asked = obligations(said, self._putting)
        except Stuck as error:
            return _undecided(str(error))
        decisions = [decide_obligation(one, self._sizes) for one in asked]
        for one, found in zip(asked, decisions, strict=True):
            if found.verdict == "refuted" and not one.weaker:
                return replace(found, put=one.put)
        for one, found in zip(asked, decisions, strict=True):
            if found.verdict == "refuted":
                return _undecided(f"{_short(one.says)} does not hold everywhere; {one.weaker}")
            if found.verdict == "undecided":
                return _undecided(f"{_short(one.says)}: {found.reason}")
        return _together(asked, decisions)

    def _by_witnesses(self, said: Proposition) -> Decision | None:
        """A proof with something that is found for what is said to exist; what is said of unknown functions is not
        looked into.
        """
        if any(isinstance(one, Quantified) and _has_images(one) for one in said.nodes()):
            return None
        for names in choices(said, frozenset(self._putting.names)):
            try:
                asked = obligations(said, replace(self._putting, names={**self._putting.names, **names}))
            except LanguageError:  # no rule leads on; 1/0, or the root of a vector that is not spread
                continue
            found = (decide_obligation(one, self._sizes) for one in asked)
            decisions = list(takewhile(lambda one: one.verdict == "proved", found))
            if len(decisions) == len(asked):
                return _together(asked, decisions)
        return None

    def _opposite(self, said: Proposition) -> Decision | None:
        """That something does not hold, of which nothing is free and no size is open: it is refuted."""
        if isinstance(said, Not) and not said.free and not least_sizes(*said.expressions):
            found = self.of(said.what)
            if found.verdict == "refuted":
                return Decision("proved", "", steps=(found.reason,))
        return None

    # --- refutations ---

    def _refuted(self, said: Proposition) -> Decision | None:
        match said:
            case And(several):
                return next((found for one in several if (found := self.of(one)).verdict == "refuted"), None)
            case ForAll(_, body):
                return found if (found := self.of(body)).verdict == "refuted" and not _has_images(said) else None
            case Iff(several):
                pairs = [(one, other) for one in several for other in several if one is not other]
                tried = (self._refuted(Implies(one, other)) for one, other in pairs)
                return next((found for found in tried if found), None)
            case Implies(premise, conclusion):
                return self._premise_without_conclusion(premise, conclusion)
            case Exists():
                return self._nothing_fits(said)
            case Not(what):
                found = self.of(what)
                if found.verdict == "proved" and not found.conditions:
                    return Decision("refuted", "", reason=f"{_short(what)} holds everywhere", put=found.put)
        return None

    def _premise_without_conclusion(self, premise: Proposition, conclusion: Proposition) -> Decision | None:
        supposed = self.of(premise)
        if supposed.verdict != "proved" or supposed.conditions:
            return None
        found = self.of(conclusion)
        if found.verdict != "refuted":
            return None
        return replace(found, put=tuple(dict.fromkeys((*supposed.put, *found.put))))

    def _nothing_fits(self, said: Exists) -> Decision | None:
        """That nothing is as it is said to exist: by a proof of the opposite, or by equations without a solution."""
        if _has_images(said):
            return None
        none = self._by_obligations(Not(said))
        none = none if none.verdict == "proved" else self._by_witnesses(Not(said)) or none
        if none.verdict == "proved" and not none.conditions:
            names = ", ".join(map(name_of, said.binds))
            reason = f"no {names} fits, for every value: {_short(Not(said.body))}"
            return Decision("refuted", "", reason=reason, steps=none.steps, put=none.put)
        return self._by_equations(said)

    def _at_numbers(self, said: Proposition) -> Decision | None:
        """That it does not hold for some small numbers."""
        while isinstance(said, ForAll) and not _has_images(said):
            said = said.body
        scalars = sorted({one for side in said.expressions for one in variables_in(side)}, key=lambda one: one.name)
        scalars = [one for one in scalars if one.name in said.free and not one.axes and one.kind in SIMPLEST]
        for numbers in islice(product(*(SIMPLEST[one.kind][:4] for one in scalars)), MOST_NUMBERS if scalars else 0):
            put = {one.name: Number(number) for one, number in zip(scalars, numbers, strict=True)}
            found = self.of(said.changed(lambda side, put=put: substituted(side, put)))  # type: ignore[misc]
            if found.verdict == "refuted":
                where = ", ".join(f"{name} = {to_text(value)}" for name, value in put.items())
                return replace(found, witness=None, reason=f"at {where}: {found.reason or f'{_short(said)} is false'}")
        return None

    def _by_equations(self, said: Exists) -> Decision | None:
        """Equations at some points, linear in what is said to exist, that have no solution."""
        unknown = [one for one in said.binds if isinstance(one, Variable) and one.kind != "label"]
        if len(unknown) < len(said.binds):
            return None
        try:
            asked = obligations(ForAll(said.binds, said.body), Putting())
        except Stuck:
            return None
        equations = [one for one in asked if one.says.relation == "==" and not one.weaker]
        others = {one for asked_ in equations for one in _variables(asked_)} - set(unknown)
        if any(one.name in said.free for one in others) or any(
            side.free for one in equations for side in one.says.sides
        ):
            return None  # the points would have to agree on what is free
        for size in SIZES_OF_COUNTEREXAMPLES:
            axes = {size_of(axis) for one in (*others, *unknown) for axis in (*one.axes, *filter(None, [one.along]))}
            sizes = dict.fromkeys(axes | {"K"}, size) | dict(self._sizes)
            found = unsolvable(equations, unknown, others, sizes)
            if found:
                names = ", ".join(one.name for one in unknown)
                where = "; ".join(found)
                return Decision(
                    "refuted", "", reason=f"no {names} fits, at {sizes_in_words(sizes)}: it would have to be {where}"
                )
        return None


def _together(asked: Sequence[Obligation], decisions: Sequence[Decision]) -> Decision:
    """The proof that proofs of all obligations are."""
    return Decision(
        "proved",
        "",
        tuple(dict.fromkeys(condition for found in decisions for condition in found.conditions)),
        steps=tuple(step for found in decisions for step in found.steps),
        put=tuple(dict.fromkeys(words for one in asked for words in one.put)),
    )


def _undecided(reason: str) -> Decision:
    return Decision("undecided", "", reason=reason)


def _short(said: Proposition) -> str:
    text = repr(said)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _has_images(said: Quantified) -> bool:
    """Whether it speaks of values of a function that is not known."""
    return any(isinstance(one, Image | Function) for one in said.binds)


# --- one obligation ---------------------------------------------------------------------------------------------------


def decide_obligation(one: Obligation, sizes: Mapping[str, int]) -> Decision:
    """Whether a relation holds wherever its conditions do.

    What was put in for something that exists has to be defined: where it is not, the conditions or the relation itself
    have to exclude that, else it is undecided.
    """
    if one.says in one.conditions:
        return Decision("proved", "", steps=("it is one of the hypotheses",))
    bounded = _few_sizes(one, sizes)
    if bounded is not None:
        return _in_all_cases([decide_obligation(one, {**sizes, **given}) for given in bounded])
    says = _of_different_indices(one)
    try:
        found = _decided_relation(says, sizes)
    except LanguageError as error:
        return _undecided(str(error))
    if found.verdict != "proved" and not (found.witness and is_fulfilled(one.conditions, found.witness)):
        found = consequence(found, says, one.conditions, sizes)
    if found.verdict == "proved":
        open_ones = where_not_defined(one)
        if open_ones:
            return _undecided(
                f"what is put in is defined only where {' and '.join(open_ones)}: say so in the statement"
            )
        granted = where_defined(*(1 / factor for factor in one.granted))
        left = [text for text in found.conditions if text not in granted and not said_by(text, one.conditions)]
        never = _is_never_defined(says, left, one.conditions, sizes)
        return never or replace(found, conditions=tuple(left))
    if found.witness is None and says.relation != "!=":
        return found
    if found.witness is not None and is_fulfilled(one.conditions, found.witness):
        return whole(one, found)
    if one.weaker:  # then no counterexample says anything
        return _undecided(f"it does not hold without its hypotheses; {one.weaker}")
    other = elsewhere(one, says, sizes)
    if other is not None:
        return other
    if found.witness is None:
        return found if found.verdict == "undecided" or not one.conditions else _undecided(found.reason)
    conditions = " and ".join(map(repr, one.conditions))
    return _undecided(f"it is false somewhere, and no point was found at which it is where {conditions}")


def _few_sizes(one: Obligation, sizes: Mapping[str, int]) -> list[dict[str, int]] | None:
    """The values of a size of which hypotheses leave a few only: K <= 2, K == 3; None if there is no such size."""
    asked = least_sizes(*(side for said in (one.says, *one.conditions) for side in said.sides))
    said = least_sizes_said(one.conditions)
    for condition in one.conditions:
        for relation, name, value in bounds_of_sizes(condition):
            if name not in sizes and relation in ("<", "<=", "=="):
                least = max(asked.get(name, 1), said.get(name, 1))
                most = ceil(value) - 1 if relation == "<" else floor(value)
                if most - least < MOST_SIZES:
                    return [{name: size} for size in range(least, most + 1)]
    return None


def _in_all_cases(found: list[Decision]) -> Decision:
    for verdict in ("refuted", "undecided"):
        for one in found:
            if one.verdict == verdict:
                return one
    return _together((), found)


def consequence(found: Decision, says: Related, hypotheses: Sequence[Related], sizes: Mapping[str, int]) -> Decision:
    """A proof that a relation follows from hypotheses; else what was found before."""
    steps = follows(says, hypotheses, sizes)
    if steps and _is_somewhere_defined(says, found, sizes):
        return replace(found, verdict="proved", conditions=where_defined(*says.sides), steps=tuple(steps), witness=None)
    return found


def _is_never_defined(
    says: Related, asked: Sequence[str], hypotheses: Sequence[Related], sizes: Mapping[str, int]
) -> Decision | None:
    """Undecided, where hypotheses that some point fulfils leave none at which the relation is defined."""
    for needed in where_it_is_defined(says):
        if repr(needed) in asked and not any(side.axes for side in needed.sides):
            opposite = replace(needed, relation=OPPOSITE[needed.relation])
            if follows(opposite, hypotheses, sizes) and not follows(NOTHING, hypotheses, sizes):
                return _undecided(f"it is defined only where {needed}, which its hypotheses exclude")
    return None


def _is_somewhere_defined(says: Related, found: Decision, sizes: Mapping[str, int]) -> bool:
    """Whether a point is known at which both sides have a value: what is defined nowhere is not called true."""
    if found.witness is not None:
        return True
    look = compare(says.sides[0], says.sides[1], sizes)
    return look.witness is not None or look.agreed > 0


def where_not_defined(one: Obligation) -> list[str]:
    """What has to hold for what is put in to be defined, and is said nowhere."""
    open_ones = [text for text in where_defined(*one.values) if text not in one.own]
    return [text for text in open_ones if not said_by(text, one.conditions)]


def _decided_relation(says: Related, sizes: Mapping[str, int]) -> Decision:
    match says:
        case Related("==", (left, right)):
            return decide_where(left, right, dict(sizes), where_defined(left, right))
        case Related("<=" | "<" as relation, (left, right)):
            return decide_order(left, right, relation, sizes)
        case Related(">=" | ">" as relation, (left, right)):
            found = decide_order(right, left, "<=" if relation == ">=" else "<", sizes)
            if found.witness is None:
                return found
            return replace(found, witness=replace(found.witness, left=found.witness.right, right=found.witness.left))
        case Related("!=", (left, right)):
            return _apart(left, right, sizes)
        case Related("psd", (matrix,)):
            return decide_psd(matrix, sizes)
        case Related("conservative", (field, Variable() as by)):
            return decide_conservative(field, by, sizes)
    raise LanguageError(f"{says} cannot be decided")


def _apart(left: Expression, right: Expression, sizes: Mapping[str, int]) -> Decision:
    """Whether two formulas differ, in every entry, everywhere: one is the larger one throughout."""
    for one, other in ((left, right), (right, left)):
        found = decide_order(one, other, "<", sizes)
        if found.verdict == "proved":
            return replace(found, relation="!=")
    same = decide_where(left, right, dict(sizes), where_defined(left, right))
    if same.verdict == "proved":
        return Decision("refuted", "", reason="the two sides are equal", relation="!=")
    return _undecided("neither side is seen to be the larger one everywhere")


def _of_different_indices(one: Obligation) -> Related:
    """An equation under conditions on indices, i != j, as one with the factor 1 - delta on both sides."""
    says = one.says
    for condition in one.conditions:
        match condition:
            case Related("==", (Delta() as equal, Number(value))) if says.relation == "==":
                factor = equal if value else 1 - equal
                says = Related("==", tuple(entrywise("multiply", factor, side) for side in says.sides))
    return says


def _variables(one: Obligation) -> frozenset[Variable]:
    return frozenset().union(*(variables_in(side) for said in (one.says, *one.conditions) for side in said.sides))
