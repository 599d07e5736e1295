"""A proposition as what has to be shown: relations, each under the hypotheses that are left.

The rules are those of logic, and each is sound: if all obligations hold, so does the proposition.

    A and B              A, and B
    A iff B              A implies B, B implies A; of more than two, in a circle
    H implies C          C, where H may be used
    for all v: C         C, for v that nothing is said of
    exists v: C          C for the v that is put in: as asked for, or one of that name that a hypothesis speaks of
    not ...              pushed inwards; that two vectors are not equal follows where their sums are not

A hypothesis is used where it says

    v == u               of a name v that does not stand in u: u is put in for v
    u == w               if it is linear in a name v, entry by entry, with a factor that is not 0: it is solved for v
    v > 0, v >= 0        the domain of v is smaller
    sum(v) == 1          of v >= 0: v is a distribution
    for all v: H         H for the v of the conclusion; for a label of which the conclusion does not speak, each value
    exists v: H          H for some v that nothing else is said of

Every other hypothesis only excludes counterexamples. An unknown function F may be put in; else its values y = F(x) and
J = F'(x) are any vector and matrix, which is sound, as H(F) is then used at the point of the conclusion alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from softmax_trick.deciding.decision import where_defined
from softmax_trick.language.expression import Expression, Variable
from softmax_trick.language.proposition import (
    And,
    Exists,
    ForAll,
    Iff,
    Image,
    Implies,
    Not,
    Proposition,
    Related,
    checked,
    name_of,
    names_in,
)
from softmax_trick.language.substitution import substituted
from softmax_trick.language.text import declarations, to_text, together
from softmax_trick.statements.hypotheses import Context, Hypotheses, negated
from softmax_trick.statements.putting import Putting
from softmax_trick.statements.renaming import Names
from softmax_trick.statements.solving import Stuck, Used, domain


@dataclass(frozen=True)
class Obligation:
    """A relation that has to hold wherever some conditions do.

    Attributes:
        says: the relation.
        conditions: hypotheses that are left: a counterexample has to fulfil them.
        put: what was put in for names, in words.
        values: what was put in for names that are said to exist: it has to be defined.
        own: where the relation itself is defined, before anything was put in for what exists.
        granted: what is nowhere 0 where the hypotheses are defined.
        determined: by name, the values of names that hypotheses determine.
        weaker: why a counterexample to it would not refute the proposition; "" if it would.
    """

    says: Related
    conditions: tuple[Related, ...] = ()
    put: tuple[str, ...] = ()
    values: tuple[Expression, ...] = ()
    own: tuple[str, ...] = ()
    granted: tuple[Expression, ...] = ()
    determined: Mapping[str, Expression] = field(default_factory=dict)
    weaker: str = ""


def obligations(said: Proposition, putting: Putting | None = None) -> list[Obligation]:
    """What has to be shown for a proposition to hold.

    Raises:
        Stuck: no rule leads on.
        LanguageError: what is put in cannot be read.
    """
    putting = putting or Putting()
    return list(_Obliged(checked(said), putting).of(said, Context(names=said.free)))


class _Obliged:
    """Applies the rules.

    Args:
        whole: the proposition.
        putting: what is put in.
    """

    def __init__(self, whole: Proposition, putting: Putting) -> None:
        self._putting = putting
        self._names = Names(whole.free | whole.bound)
        self._hypotheses = Hypotheses(putting, together(declarations(whole), putting.let), self._names)

    def of(self, goal: Proposition, context: Context) -> Iterator[Obligation]:
        """The obligations of a part."""
        match goal:
            case Related():
                yield from self._related(goal, context)
            case And(several):
                for one in several:
                    yield from self.of(one, context)
            case Iff(several):
                for one, other in zip(several, (*several[1:], several[0]), strict=True):
                    yield from self.of(Implies(one, other), context)
            case Implies(premise, conclusion):
                yield from self.of(*self._hypotheses.functions(conclusion, self._hypotheses.supposed(premise, context)))
            case ForAll():
                yield from self._for_all(goal, context)
            case Exists():
                yield from self._exists(goal, context)
            case Not(Related(_, sides) as what) if any(side.axes for side in sides):
                weaker = context.weaker or "their sums may be equal, and the sides not"
                yield from self.of(negated(what), replace(context, weaker=weaker))
            case Not(what):
                yield from self.of(negated(what), context)
            case _:
                raise Stuck(f"no rule is known for {goal}")

    def _for_all(self, quantified: ForAll, context: Context) -> Iterator[Obligation]:
        goal = self._names.renamed(quantified, context.names)
        images = dict(context.images)
        weaker = context.weaker
        for one in goal.binds:
            if isinstance(one, Image):
                images[one.function.name, one.at, one.slope] = one.variable
                weaker = weaker or f"{one.function.name} is not known: its values are taken to be any"
        names = context.names | {name_of(one) for one in goal.binds}
        yield from self.of(goal.body, replace(context, names=names, images=images, weaker=weaker))

    def _exists(self, goal: Exists, context: Context) -> Iterator[Obligation]:
        weaker = context.weaker or f"something else may do for {', '.join(map(name_of, goal.binds))}"
        context = replace(context, weaker=weaker)
        known = context.names
        goal = self._names.apart(goal, known)  # type: ignore[assignment]
        for one in goal.binds:
            if not isinstance(one, Variable):
                raise Stuck(f"nothing can be put in for {name_of(one)}: only for variables, and for whole functions")
            value, context = self._witness(one, known, context)
            if value != one:
                name = self._names.origins.get(one.name, one.name)
                words = (f"{name} = {to_text(value)}",) if to_text(value) != name else ()
                pending = (*context.pending, (one.name, value))
                context = replace(context, pending=pending, put=(*context.put, *words))
                for asked in domain(one, value):
                    yield from self.of(asked, context)
        yield from self.of(goal.body, replace(context, names=known | {name_of(one) for one in goal.binds}))

    def _witness(self, bound: Variable, known: frozenset[str], context: Context) -> tuple[Expression, Context]:
        """What is put in for a name: what was asked for, what a hypothesis calls so, or else any value at all."""
        name = self._names.origins.get(bound.name, bound.name)
        if name in self._putting.names:
            value = self._hypotheses.asked_for(name, bound)
            late = sorted(names_in(value) - known)
            if late:
                raise Stuck(f"{name} cannot be {to_text(value)}: {late[0]} is unknown where {name} is chosen")
            return value, context
        if name in known:
            return replace(bound, name=name), context
        return bound, replace(
            context, weaker=f"nothing is put in for {name}, and not all will do: --with '{name} = ...' says which"
        )

    def _related(self, goal: Related, context: Context) -> Iterator[Obligation]:
        own = where_defined(*goal.sides)
        hypotheses = context.hypotheses
        said: Proposition = goal
        for name, value in reversed(context.pending):
            said, *hypotheses = (self._names.put_in(one, {name: value}) for one in (said, *hypotheses))  # type: ignore[assignment]
        context = replace(context, hypotheses=tuple(hypotheses))
        relations, asked, unused = self._hypotheses.instances(context)
        simple = tuple(one for one in context.hypotheses if not isinstance(one, ForAll))
        for one in asked:
            yield from self.of(one, replace(context, hypotheses=simple, weaker=context.weaker or unused))
        state = Used(said, relations, list(context.put), self._finished(context.pending))  # type: ignore[arg-type]
        state.use()
        yield Obligation(
            state.goal,
            tuple(state.hypotheses),
            tuple(state.put),
            tuple(state.values),
            own,
            tuple(state.granted),
            state.determined,
            context.weaker or unused,
        )

    def _finished(self, pending: tuple[tuple[str, Expression], ...]) -> list[Expression]:
        """What is put in, without the names of what was put in before."""
        found: dict[str, Expression] = {}
        for name, value in pending:
            found[name] = substituted(value, found)
        return list(found.values())
