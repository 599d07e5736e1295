"""Hypotheses: what a premise supposes, and what one about all v says of the v of a conclusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from softmax_trick.language.expression import (
    Comprehension,
    Delta,
    Entry,
    Expression,
    Index,
    LanguageError,
    Number,
    Variable,
    ones,
)
from softmax_trick.language.functions import total
from softmax_trick.language.grammar import parse
from softmax_trick.language.proposition import (
    OPPOSITE,
    TURNED,
    And,
    Exists,
    ForAll,
    Function,
    Image,
    Implies,
    Not,
    Proposition,
    Related,
    name_of,
    names_in,
    variables_in,
)
from softmax_trick.language.substitution import Captured, substituted
from softmax_trick.language.text import to_text
from softmax_trick.statements.putting import Putting, with_function
from softmax_trick.statements.renaming import Names
from softmax_trick.statements.solving import Stuck, domain, spread


@dataclass(frozen=True)
class Context:
    """What is known where a part of a proposition has to be shown.

    Attributes:
        hypotheses: what may be used.
        names: the names that mean something here.
        images: what was said of unknown functions: by function and point, the names for value and Jacobian.
        put: what was put in so far, in words.
        pending: what is put in for names that exist, once a relation is reached; each may have those before it.
        weaker: why a counterexample is none to the whole.
    """

    hypotheses: tuple[Proposition, ...] = ()
    names: frozenset[str] = frozenset()
    images: Mapping[tuple[str, Variable, bool], Variable] = field(default_factory=dict)
    put: tuple[str, ...] = ()
    pending: tuple[tuple[str, Expression], ...] = ()
    weaker: str = ""


class Hypotheses:
    """Uses hypotheses.

    Args:
        putting: what is put in.
        let: declarations of the names in it.
        names: gives new names.
    """

    def __init__(self, putting: Putting, let: str, names: Names) -> None:
        self._putting, self._let, self._names = putting, let, names
        self._every: list[Index] = []

    def asked_for(self, name: str, bound: Variable) -> Expression:
        """What is put in for a name, with the axes of the name."""
        value = parse(self._putting.names[name], self._let)
        return ones(*bound.axes) * value if not value.axes and bound.axes and bound.kind != "label" else value

    def functions(self, goal: Proposition, context: Context) -> tuple[Proposition, Context]:
        """Put in the functions of which a hypothesis says, for all x, what F(x) is."""
        for one in context.hypotheses:
            match one:
                case ForAll((at, Image(value, Function(name), point)), Related("==", (left, right))) if at == point:
                    new = right if left == value else left if right == value else None
                    if new is None or value.name in names_in(new) or not names_in(new) - {at.name} <= context.names:
                        continue
                    rest = [two for two in context.hypotheses if two is not one]
                    names = names_in(new) - {at.name}

                    def known(image: Image, new: Expression = new, name: str = at.name) -> Expression:
                        return substituted(new, {name: image.at})

                    try:
                        goal, *rest = (
                            with_function(self._names.apart(two, names), name, known) for two in (goal, *rest)
                        )
                    except LanguageError:
                        continue
                    put = (*context.put, f"{name}({at.name}) = {to_text(new)}")
                    return self.functions(goal, replace(context, hypotheses=tuple(rest), put=put))
        return goal, context

    def supposed(self, premise: Proposition, context: Context) -> Context:
        """The context in which a premise may be used."""
        match premise:
            case And(several):
                for one in several:
                    context = self.supposed(one, context)
                return context
            case Exists():
                premise = self._names.renamed(premise, context.names)
                names = context.names | {name_of(one) for one in premise.binds}
                return self.supposed(premise.body, replace(context, names=names))
            case Not(Not(inner)):
                return self.supposed(inner, context)
            case Not(Related(relation, sides) as what) if relation in OPPOSITE and not any(one.axes for one in sides):
                premise = _opposite(what)
            case Not(Implies() | ForAll() | Exists() as what):
                return self.supposed(negated(what), context)
        return replace(context, hypotheses=(*context.hypotheses, premise))

    def instances(self, context: Context) -> tuple[list[Related], list[Proposition], str]:
        """The hypotheses as relations; what has to be shown for them; and which one is not used whole, so that no
        counterexample can be checked.
        """
        found: list[Related] = []
        asked: list[Proposition] = []
        unused = ""
        waiting = list(context.hypotheses)
        while waiting:
            one = waiting.pop(0)
            match one:
                case Related():
                    found.append(self._everywhere(one))
                case And(several):
                    waiting = [*several, *waiting]
                case ForAll():
                    unused = unused or f"the hypothesis {one} is used in one case only"
                    instances = self._instance(one, context)
                    if instances is not None:
                        asked += instances[1]
                        waiting = [instances[0], *waiting]
                case Implies(premise, conclusion) if premise in (*found, *waiting, *asked):
                    waiting = [conclusion, *waiting]
                case _:
                    unused = unused or f"the hypothesis {one} is not used"
        return found, asked, unused

    def _instance(self, hypothesis: ForAll, context: Context) -> tuple[Proposition, list[Proposition]] | None:
        """What a hypothesis for all v says of what is put in for v, or of the v of the conclusion; and what has to be
        shown of that. None if there is no such v.
        """
        put: dict[str, Expression | Index] = {}
        asked: list[Proposition] = []
        images = [one for one in hypothesis.binds if isinstance(one, Image)]
        for one in (*(one for one in hypothesis.binds if one not in images), *images):
            if isinstance(one, Image):
                known = context.images.get((one.function.name, put.get(one.at.name), one.slope))  # type: ignore[arg-type]
                fresh = replace(one.variable, name=self._names.another(one.variable.name)) if known is None else known
                put[one.variable.name] = fresh
            elif isinstance(one, Variable) and (value := self._instance_of(one, hypothesis, context)) is not None:
                put[one.name] = value
                asked += domain(one, value)
            elif isinstance(one, Variable) and one.kind == "label" and not one.axes:
                put[one.name] = self._any_index(one.name, one.into)
            elif isinstance(one, Index):
                put[one.name] = self._any_index(one.name, one.axis)
            else:
                return None
        try:
            instance = self._names.put_in(hypothesis.body, put)
        except Captured:
            return None
        while isinstance(instance, Implies) and any(name_of(one) in self._putting.names for one in hypothesis.binds):
            asked.append(instance.premise)
            instance = instance.conclusion
        return instance, asked

    def _any_index(self, name: str, axis: str) -> Index:
        """An index of which a hypothesis holds, whatever it is."""
        self._every.append(Index(self._names.another(name), axis))
        return self._every[-1]

    def _instance_of(self, bound: Variable, hypothesis: ForAll, context: Context) -> Expression | None:
        """What a variable of a hypothesis is taken to be; None if nothing is said."""
        functions = {one.function.name for one in hypothesis.binds if isinstance(one, Image) and one.at == bound}
        points = [at for function, at, _ in context.images if function in functions]
        points = [at for at in points if bound in (at, replace(at, name=bound.name))]  # of the same domain
        if points:
            return bound if bound in points else points[0]
        if bound.name in self._putting.names:
            value = self.asked_for(bound.name, bound)
            labels = [one for one in variables_in(value) if one.kind == "label" and one.name not in context.names]
            every: dict[str, Expression | Index] = {one.name: self._any_index(one.name, one.into) for one in labels}
            value = substituted(value, every)
            if names_in(value) - {index.name for index in self._every} <= context.names:
                return value
        return bound if bound.name in context.names else None

    def _everywhere(self, said: Related) -> Related:
        """What holds for each value of some indices, as one relation of tensors."""
        indices = tuple(index for index in self._every if index.name in said.free)
        if not indices or said.relation not in TURNED:
            return said
        axes = max((side.axes for side in said.sides), key=len)
        own = tuple(Index(self._names.another(f"{indices[0].name}"), axis) for axis in axes)
        sides = [Comprehension((*indices, *own), Entry(side, own) if side.axes else side) for side in said.sides]
        return Related(said.relation, tuple(sides))


def negated(what: Proposition) -> Proposition:
    """What says that a part does not hold."""
    match what:
        case Not(inner):
            return inner
        case Implies(premise, conclusion):
            return And((premise, Not(conclusion)))
        case And((first, second)):
            return Implies(first, Not(second))
        case And((first, *rest)):
            return Implies(first, Not(And(tuple(rest))))
        case ForAll(binds, body):
            return Exists(binds, Not(body))
        case Exists(binds, body):
            return ForAll(binds, Not(body))
        case Related(relation, sides) if relation in OPPOSITE and not any(side.axes for side in sides):
            return _opposite(what)
        case Related("==", (left, right)):
            return Related("!=", (total(spread(left, right)), total(spread(right, left))))
    raise Stuck(f"no rule is known for not ({what})")


def _opposite(said: Related) -> Related:
    """What says that a relation of scalars does not hold."""
    match said.relation, said.sides:
        case "==", (Delta() as of_indices, Number(value)):
            return Related("==", (of_indices, Number(1 - value)))
    return Related(OPPOSITE[said.relation], said.sides)
