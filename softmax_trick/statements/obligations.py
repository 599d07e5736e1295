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

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

from softmax_trick.deciding.decision import decide, where_defined
from softmax_trick.language.expression import (
    AxesError,
    Call,
    Comprehension,
    Delta,
    Entry,
    Expression,
    Index,
    Kind,
    LanguageError,
    Number,
    Size,
    Variable,
    entrywise,
    jacobian,
    ones,
    shape,
    size_of,
)
from softmax_trick.language.functions import total
from softmax_trick.language.grammar import parse, proposition
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.proposition import (
    And,
    Bound,
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
    checked,
    name_of,
    names_in,
    variables_in,
)
from softmax_trick.language.substitution import Captured, substituted
from softmax_trick.language.text import bare, declarations, to_text, together
from softmax_trick.readings.canonical import Canonical, TooLarge, Undefined
from softmax_trick.statements.conditions import unspread

OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))
_FUNCTION = re.compile(r"\s*(\w+)\s*\(\s*(\w[\w°']*)\s*\)\s*=\s*(.*)", re.DOTALL)
_NAME = re.compile(r"\s*(\w[\w°']*)\s*=\s*(.*)", re.DOTALL)


class Stuck(LanguageError):
    """No rule shows the proposition: the text says which part, and what would help."""


@dataclass(frozen=True)
class Putting:
    """What is put in for names that a statement says to exist, and for unknown functions.

    Attributes:
        names: by name, the texts.
        functions: by the name of a function, its argument and its text.
        let: declarations of the names in the texts; those of the statement's own names are known.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    let: str = ""

    @classmethod
    def of(cls, text: str, let: str = "") -> Putting:
        """Read "d = ones(K); F(x) = softmax(x)".

        Raises:
            LanguageError: a part is neither NAME = FORMULA nor NAME(NAME) = FORMULA, or a name comes twice.
        """
        names: dict[str, str] = {}
        functions: dict[str, tuple[str, str]] = {}
        for part in filter(str.strip, text.split(";")):
            function, name = _FUNCTION.fullmatch(part), _NAME.fullmatch(part)
            if function and function[1] not in functions:
                functions[function[1]] = (function[2], function[3])
            elif not function and name and name[1] not in names:
                names[name[1]] = name[2]
            elif found := function or name:
                raise LanguageError(f"{found[1]} is put in twice")
            else:
                raise LanguageError(f"{part.strip()!r}: what is put in reads d = ones(K), or F(x) = softmax(x)")
        return cls(names, functions, let)


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


@dataclass(frozen=True)
class _Context:
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


def obligations(said: Proposition, putting: Putting | None = None) -> list[Obligation]:
    """What has to be shown for a proposition to hold.

    Raises:
        Stuck: no rule leads on.
        LanguageError: what is put in cannot be read.
    """
    putting = putting or Putting()
    return list(_Obliged(checked(said), putting).of(said, _Context(names=said.free)))


# --- unknown functions that are put in --------------------------------------------------------------------------------


def with_functions(said: Proposition, putting: Putting) -> Proposition:
    """The proposition with the functions that are put in.

    Raises:
        LanguageError: a function cannot be read, or does not fit.
    """
    for name, (argument, text) in putting.functions.items():
        if not any(name_of(one) == name or _is_of(one, name) for one in _all_bound(said)):
            raise LanguageError(f"{name} is put in, and the statement speaks of no function {name}")

        def value(image: Image, argument: str = argument, text: str = text) -> Expression:
            own = replace(image.at, name=argument)
            given = parse(text, together(declarations(own), putting.let))
            return substituted(given, {argument: image.at})

        said = _with_function(said, name, value)
    return checked(said)


def _all_bound(said: Proposition) -> Iterator[Bound]:
    for node in said.nodes():
        if isinstance(node, Quantified):
            yield from node.binds


def _is_of(bound: Bound, function: str) -> bool:
    return isinstance(bound, Image) and bound.function.name == function


def _with_function(node: Proposition, name: str, value: Callable[[Image], Expression]) -> Proposition:
    """A proposition with a function put in; no name in its values but the point is bound in the proposition.

    Raises:
        LanguageError: one is bound there; the values have other axes.
    """
    if isinstance(node, Quantified):
        body = _with_function(node.body, name, value)
        images = [one for one in node.binds if isinstance(one, Image) and _is_of(one, name)]
        kept = tuple(one for one in node.binds if one not in images and name_of(one) != name)
        for image in images:
            new = _fitting(image, value(image))
            more = sorted((names_in(new) - {image.at.name}) & node.bound)
            if more:
                raise LanguageError(f"{more[0]} is bound in the statement, and stands in {name}: rename it")
            put = {image.variable.name: jacobian(new, image.at) if image.slope else new}
            body = body.changed(partial(substituted, put=put))
        return type(node)(kept, body) if kept else body
    return _with_parts(node, {part: _with_function(part, name, value) for part in node.parts})


def _fitting(image: Image, value: Expression) -> Expression:
    """A value of a function, with the axes that it must have."""
    axes = image.variable.axes
    wanted = axes[: len(axes) - len(image.at.axes)] if image.slope else axes
    if not value.axes and wanted:
        value = ones(*wanted) * value
    if list(map(size_of, value.axes)) != list(map(size_of, wanted)):
        raise AxesError(f"{image.function.name}({image.at.name}) is {shape(wanted)}, and {value!r} {shape(value.axes)}")
    return value


def _with_parts(node: Proposition, parts: Mapping[Proposition, Proposition]) -> Proposition:
    match node:
        case And(several):
            return And(tuple(parts[one] for one in several))
        case Iff(several):
            return Iff(tuple(parts[one] for one in several))
        case Not(what):
            return Not(parts[what])
        case Implies(premise, conclusion):
            return Implies(parts[premise], parts[conclusion])
    return node


# --- the rules --------------------------------------------------------------------------------------------------------


class _Obliged:
    """Applies the rules.

    Args:
        whole: the proposition.
        putting: what is put in.
    """

    def __init__(self, whole: Proposition, putting: Putting) -> None:
        self._putting = putting
        self._let = together(declarations(whole), putting.let)
        self._taken = set(whole.free | whole.bound)
        self._every: list[Index] = []
        self._origins: dict[str, str] = {}  # what names were called before they were made different

    def of(self, goal: Proposition, context: _Context) -> Iterator[Obligation]:
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
                yield from self.of(*self._functions(conclusion, self._supposed(premise, context)))
            case ForAll():
                yield from self._for_all(goal, context)
            case Exists():
                yield from self._exists(goal, context)
            case Not(what):
                yield from self.of(self._negated(what, context), context)
            case _:
                raise Stuck(f"no rule is known for {goal}")

    def _for_all(self, quantified: ForAll, context: _Context) -> Iterator[Obligation]:
        goal = self._renamed(quantified, context)
        images = dict(context.images)
        weaker = context.weaker
        for one in goal.binds:
            if isinstance(one, Image):
                images[one.function.name, one.at, one.slope] = one.variable
                weaker = weaker or f"{one.function.name} is not known: its values are taken to be any"
        names = context.names | {name_of(one) for one in goal.binds}
        yield from self.of(goal.body, replace(context, names=names, images=images, weaker=weaker))

    def _renamed(self, quantified: ForAll | Exists, context: _Context) -> ForAll | Exists:
        """The same with other names for what is bound, where the names mean something already."""
        put: dict[str, Expression | Index] = {}
        for one in map(_named, quantified.binds):
            if isinstance(one, Variable | Index) and one.name in context.names:
                put[one.name] = replace(one, name=self._another(one.name))
        if not put:
            return quantified
        binds = tuple(_bound_with(one, put) for one in quantified.binds)
        return type(quantified)(binds, self._put_in(quantified.body, put))

    def _another(self, name: str) -> str:
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name

    def _exists(self, goal: Exists, context: _Context) -> Iterator[Obligation]:
        weaker = context.weaker or f"something else may do for {', '.join(map(name_of, goal.binds))}"
        context = replace(context, weaker=weaker)
        known = context.names
        goal = self._apart(goal, known)  # type: ignore[assignment]
        for one in goal.binds:
            if not isinstance(one, Variable):
                raise Stuck(f"nothing can be put in for {name_of(one)}: only for variables, and for whole functions")
            value, context = self._witness(one, known, context)
            if value != one:
                name = self._origins.get(one.name, one.name)
                words = (f"{name} = {to_text(value)}",) if to_text(value) != name else ()
                pending = (*context.pending, (one.name, value))
                context = replace(context, pending=pending, put=(*context.put, *words))
                for asked in _domain(one, value):
                    yield from self.of(asked, context)
        yield from self.of(goal.body, replace(context, names=known | {name_of(one) for one in goal.binds}))

    def _witness(self, bound: Variable, known: frozenset[str], context: _Context) -> tuple[Expression, _Context]:
        """What is put in for a name: what was asked for, what a hypothesis calls so, or else any value at all."""
        name = self._origins.get(bound.name, bound.name)
        if name in self._putting.names:
            value = self._asked_for(name, bound)
            late = sorted(names_in(value) - known)
            if late:
                raise Stuck(f"{name} cannot be {to_text(value)}: {late[0]} is unknown where {name} is chosen")
            return value, context
        if name in known:
            return replace(bound, name=name), context
        return bound, replace(
            context, weaker=f"nothing is put in for {name}, and not all will do: --with '{name} = ...' says which"
        )

    def _asked_for(self, name: str, bound: Variable) -> Expression:
        value = parse(self._putting.names[name], self._let)
        return ones(*bound.axes) * value if not value.axes and bound.axes and bound.kind != "label" else value

    def _negated(self, what: Proposition, context: _Context) -> Proposition:
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
                return Related("!=", (total(_spread(left, right)), total(_spread(right, left))))
        raise Stuck(f"no rule is known for not ({what})")

    # --- hypotheses ---

    def _functions(self, goal: Proposition, context: _Context) -> tuple[Proposition, _Context]:
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
                        goal, *rest = (_with_function(self._apart(two, names), name, known) for two in (goal, *rest))
                    except LanguageError:
                        continue
                    put = (*context.put, f"{name}({at.name}) = {to_text(new)}")
                    return self._functions(goal, replace(context, hypotheses=tuple(rest), put=put))
        return goal, context

    def _apart(self, node: Proposition, names: frozenset[str]) -> Proposition:
        """A part with other names for what it binds, where it is one of these names."""
        if not isinstance(node, Quantified):
            return _with_parts(node, {part: self._apart(part, names) for part in node.parts})
        put: dict[str, Expression | Index] = {}
        for one in map(_named, node.binds):
            if isinstance(one, Variable | Index) and one.name in names:
                put[one.name] = replace(one, name=self._another(one.name))
                self._origins[name_of(put[one.name])] = one.name  # type: ignore[arg-type]
        binds = tuple(_bound_with(one, put) for one in node.binds)
        return type(node)(binds, self._apart(self._put_in(node.body, put), names))

    def _supposed(self, premise: Proposition, context: _Context) -> _Context:
        """The context in which a premise may be used."""
        match premise:
            case And(several):
                for one in several:
                    context = self._supposed(one, context)
                return context
            case Exists():
                premise = self._renamed(premise, context)
                names = context.names | {name_of(one) for one in premise.binds}
                return self._supposed(premise.body, replace(context, names=names))
            case Not(Not(inner)):
                return self._supposed(inner, context)
            case Not(Related(relation, sides) as what) if relation in OPPOSITE and not any(one.axes for one in sides):
                premise = _opposite(what)
            case Not(Implies() | ForAll() | Exists() as what):
                return self._supposed(self._negated(what, context), context)
        return replace(context, hypotheses=(*context.hypotheses, premise))

    def _instances(self, context: _Context) -> tuple[list[Related], list[Proposition], str]:
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

    def _instance(self, hypothesis: ForAll, context: _Context) -> tuple[Proposition, list[Proposition]] | None:
        """What a hypothesis for all v says of what is put in for v, or of the v of the conclusion; and what has to be
        shown of that. None if there is no such v.
        """
        put: dict[str, Expression | Index] = {}
        asked: list[Proposition] = []
        images = [one for one in hypothesis.binds if isinstance(one, Image)]
        for one in (*(one for one in hypothesis.binds if one not in images), *images):
            if isinstance(one, Image):
                known = context.images.get((one.function.name, put.get(one.at.name), one.slope))  # type: ignore[arg-type]
                fresh = replace(one.variable, name=self._another(one.variable.name)) if known is None else known
                put[one.variable.name] = fresh
            elif isinstance(one, Variable) and (value := self._instance_of(one, hypothesis, context)) is not None:
                put[one.name] = value
                asked += _domain(one, value)
            elif isinstance(one, Variable) and one.kind == "label" and not one.axes:
                put[one.name] = self._any_index(one.name, one.into)
            elif isinstance(one, Index):
                put[one.name] = self._any_index(one.name, one.axis)
            else:
                return None
        try:
            instance = self._put_in(hypothesis.body, put)
        except Captured:
            return None
        while isinstance(instance, Implies) and any(name_of(one) in self._putting.names for one in hypothesis.binds):
            asked.append(instance.premise)
            instance = instance.conclusion
        return instance, asked

    def _any_index(self, name: str, axis: str) -> Index:
        """An index of which a hypothesis holds, whatever it is."""
        self._every.append(Index(self._another(name), axis))
        return self._every[-1]

    def _instance_of(self, bound: Variable, hypothesis: ForAll, context: _Context) -> Expression | None:
        """What a variable of a hypothesis is taken to be; None if nothing is said."""
        functions = {one.function.name for one in hypothesis.binds if isinstance(one, Image) and one.at == bound}
        points = [at for function, at, _ in context.images if function in functions]
        points = [at for at in points if bound in (at, replace(at, name=bound.name))]  # of the same domain
        if points:
            return bound if bound in points else points[0]
        if bound.name in self._putting.names:
            value = self._asked_for(bound.name, bound)
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
        own = tuple(Index(self._another(f"{indices[0].name}"), axis) for axis in axes)
        sides = [Comprehension((*indices, *own), Entry(side, own) if side.axes else side) for side in said.sides]
        return Related(said.relation, tuple(sides))

    def _put_in(self, node: Proposition, put: Mapping[str, Expression | Index]) -> Proposition:
        """Something put in for names that are free in a part; what is bound there is renamed where it would clash."""
        match node:
            case Related():
                return node.changed(lambda side: substituted(side, put))
            case Quantified(binds, body):
                inside = {name: one for name, one in put.items() if name in node.free}
                values = frozenset().union(*(names_in(one) for one in inside.values() if isinstance(one, Expression)))
                values |= {one.name for one in inside.values() if isinstance(one, Index)}
                clash = {name_of(one) for one in binds} & values
                if clash:
                    new: dict[str, Expression | Index] = {}
                    for one in map(_named, binds):
                        if isinstance(one, Variable | Index) and one.name in clash:
                            new[one.name] = replace(one, name=self._another(one.name))
                    binds, body = tuple(_bound_with(one, new) for one in binds), self._put_in(body, new)
                return type(node)(binds, self._put_in(body, inside))
        return _with_parts(node, {part: self._put_in(part, put) for part in node.parts})

    # --- relations ---

    def _related(self, goal: Related, context: _Context) -> Iterator[Obligation]:
        own = where_defined(*goal.sides)
        hypotheses = context.hypotheses
        said: Proposition = goal
        for name, value in reversed(context.pending):
            said, *hypotheses = (self._put_in(one, {name: value}) for one in (said, *hypotheses))  # type: ignore[assignment]
        context = replace(context, hypotheses=tuple(hypotheses))
        relations, asked, unused = self._instances(context)
        simple = tuple(one for one in context.hypotheses if not isinstance(one, ForAll))
        for one in asked:
            yield from self.of(one, replace(context, hypotheses=simple, weaker=context.weaker or unused))
        state = _State(said, relations, list(context.put), self._finished(context.pending))  # type: ignore[arg-type]
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


def _opposite(said: Related) -> Related:
    """What says that a relation of scalars does not hold."""
    match said.relation, said.sides:
        case "==", (Delta() as of_indices, Number(value)):
            return Related("==", (of_indices, Number(1 - value)))
    return Related(OPPOSITE[said.relation], said.sides)


def _named(bound: Bound) -> Bound:
    """What the name of a binding stands for."""
    return bound.variable if isinstance(bound, Image) else bound


def _bound_with(one: Bound, put: Mapping[str, Expression | Index]) -> Bound:
    match one:
        case Image(value, _, at):
            return replace(one, variable=put.get(value.name, value), at=put.get(at.name, at))  # type: ignore[arg-type]
        case Function() | Size():
            return one
    return put.get(one.name, one)  # type: ignore[return-value]


def _spread(side: Expression, other: Expression) -> Expression:
    return side if side.axes or not other.axes else ones(*other.axes) * side


def _domain(bound: Variable, value: Expression) -> Iterator[Related]:
    """What says that a value lies in the domain of a name."""
    if isinstance(value, Variable) and (value.kind, value.along) == (bound.kind, bound.along):
        return
    match bound.kind:
        case "label":
            raise Stuck(f"{bound.name} is a label into {bound.into}: only such a label can be put in for it")
        case "positive":
            yield Related(">", (value, _spread(ZERO, value)))
        case "nonnegative" | "unit" | "distribution":
            yield Related(">=", (value, _spread(ZERO, value)))
    if bound.kind == "unit":
        yield Related("<=", (value, _spread(ONE, value)))
    if bound.kind == "distribution":
        if len(bound.axes) > 1:
            raise Stuck(f"{bound.name} is a distribution of several axes: nothing can be put in for it")
        yield Related("==", (total(value), ONE))


class _State:
    """A relation and the hypotheses that are left, as they are used one by one.

    Args:
        goal: what has to be shown.
        hypotheses: what may be used.
        put: what was put in before, in words.
        values: what was put in for names that exist.
    """

    def __init__(self, goal: Related, hypotheses: list[Related], put: list[str], values: list[Expression]) -> None:
        self.goal, self.hypotheses, self.put, self.values = goal, hypotheses, put, values
        self.granted: list[Expression] = []
        self.determined: dict[str, Expression] = {}

    def use(self) -> None:
        """Use what can be used."""
        while self._smaller_domain() or self._definition() or self._solution():
            pass

    def _replace(self, put: Mapping[str, Expression], without: Related | None) -> None:
        """Put something in everywhere, and drop a hypothesis.

        Raises:
            Captured: it cannot be; then nothing has happened.
        """
        goal = self.goal.changed(lambda side: substituted(side, put))
        rest = [one.changed(lambda side: substituted(side, put)) for one in self.hypotheses if one is not without]
        values, granted = ([substituted(value, put) for value in some] for some in (self.values, self.granted))
        determined = {name: substituted(value, put) for name, value in self.determined.items()}
        gone = {name: one for name, one in put.items() if not (isinstance(one, Variable) and one.name == name)}
        self.values, self.granted, self.determined = values, granted, determined | gone
        self.goal, self.hypotheses = goal, rest  # type: ignore[assignment]

    def _smaller_domain(self) -> bool:
        for one in self.hypotheses:
            for relation, left, right in _both_ways(one):
                if isinstance(left, Variable) and (kind := _kind(relation, left, right)):
                    self._replace({left.name: replace(left, kind=kind)}, one)
                    return True
                vector = _summed(left)
                if relation == "==" and bare(right) == ONE and vector is not None and self._sums_to_one(vector, one):
                    return True
        return False

    def _sums_to_one(self, vector: Variable, hypothesis: Related) -> bool:
        """Let a vector that sums to 1 be a distribution; one that may be negative, any vector put onto the plane."""
        try:
            if vector.kind == "real":
                any_one = replace(vector, name=f"{vector.name}'")
                if any_one.name in frozenset().union(*(one.free for one in (self.goal, *self.hypotheses))):
                    return False
                self._replace({vector.name: any_one + (1 - total(any_one)) / Size(size_of(vector.axes[0]))}, hypothesis)
                self.put.append(f"{vector.name} = {any_one.name} + (1 - sum({any_one.name}))/{size_of(vector.axes[0])}")
                return True
            new = replace(vector, kind="distribution", along=vector.axes[0])
            self._replace({vector.name: new}, hypothesis)
        except LanguageError:  # it is differentiated by it
            return False
        if vector.kind == "positive":
            self.hypotheses.append(Related(">", (new, _spread(ZERO, new))))
        return True

    def _definition(self) -> bool:
        for one in self.hypotheses:
            for relation, left, right in _both_ways(one):
                if relation != "==" or not isinstance(left, Variable) or left.kind in ("label", "distribution"):
                    continue
                if left.name not in names_in(right) and self._put_for(left, right, one):
                    return True
        return False

    def _put_for(self, name: Variable, value: Expression, hypothesis: Related) -> bool:
        value = ones(*name.axes) * value if not value.axes and name.axes else value
        defined = list(_where_defined(hypothesis))
        try:
            asked = list(_domain(name, value))
            self._replace({name.name: value}, hypothesis)
        except LanguageError:
            return False
        self.hypotheses += [one for one in (*asked, *defined) if one not in self.hypotheses]
        self.put.append(f"{name.name} = {to_text(value)}")
        return True

    def _solution(self) -> bool:
        """Solve an equation that is linear in a name, entry by entry."""
        for one in self.hypotheses:
            if one.relation != "==" or isinstance(one.sides[0], Delta):
                continue
            left, right = (_spread(side, other) for side, other in zip(one.sides, one.sides[::-1], strict=True))
            difference = left - right
            for name in difference.variables:
                if name.kind != "real" or list(map(size_of, name.axes)) != list(map(size_of, difference.axes)):
                    continue
                found = solved(difference, name)
                if found is None or name.name in names_in(found[0]):
                    continue
                value, factor = found
                if self._put_for(name, value, one):
                    self.granted.append(factor)
                    return True
        return False


def _where_defined(hypothesis: Related) -> Iterator[Related]:
    """Where a hypothesis is defined, as it is where it holds."""
    let = declarations(hypothesis)
    for text in where_defined(*hypothesis.sides):
        try:
            said = proposition(text, let)
        except LanguageError:  # in words
            continue
        if isinstance(said, Related):
            yield said


def _both_ways(related: Related) -> Iterator[tuple[str, Expression, Expression]]:
    if related.relation in TURNED:
        left, right = related.sides
        yield related.relation, left, right
        yield TURNED[related.relation], right, left


def _kind(relation: str, name: Variable, right: Expression) -> Kind | None:
    """The domain that is left of a real variable by v > 0 or v >= 0; None if it is none of these."""
    kinds: dict[str, Kind] = {">": "positive", ">=": "nonnegative"}
    return kinds.get(relation) if name.kind == "real" and bare(unspread(right)) == ZERO else None


def _summed(side: Expression) -> Variable | None:
    """The vector of which an expression is the sum."""
    match side:
        case Call("sum", (Variable(axes=(_,), kind="real" | "positive" | "nonnegative" | "unit") as vector,)):
            return vector
    return None


def solved(difference: Expression, name: Variable) -> tuple[Expression, Expression] | None:
    """The value of a name where a difference that is linear in it, entry by entry, is 0; and the factor by which that
    is divided, which is nowhere 0. None if it is not such.
    """
    try:
        at_zero = substituted(difference, {name.name: ones(*name.axes) * ZERO})
        at_one = substituted(difference, {name.name: ones(*name.axes)})
        factor = at_one - at_zero
        if name.name in names_in(factor) or not _vanishes_nowhere(factor):
            return None
        if decide(difference, at_zero + entrywise("multiply", factor, name)).verdict != "proved":
            return None
        if not set(where_defined(at_zero)) <= set(where_defined(difference)):
            return None
    except LanguageError:
        return None
    return -(at_zero / factor), factor


def _vanishes_nowhere(value: Expression) -> bool:
    """Whether an expression is nowhere 0, where it is defined."""
    algebra = Canonical()
    reading = Reading(algebra)
    names = [f"{n}_" for n in range(len(value.axes))]
    try:
        entry = reading.entry(
            value, tuple(("free", size_of(axis), n) for axis, n in zip(value.axes, names, strict=True))
        )
    except (Undefined, TooLarge):
        return False
    if len(entry) != 1:
        return False
    ((monomial, _),) = entry.items()
    return all(factor.kind in ("exp", "size", "prime") or exponent < 0 for factor, exponent in monomial)
