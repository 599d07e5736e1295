"""A relation that follows from others: if it did not hold, a sum of positive numbers would be 0.

The numbers are the hypotheses, what is known of every formula that occurs (between which numbers it lies, that exp(u)
is at least 1 + u, that an increasing function keeps an order), the opposite of what has to be shown, and products of
two of them. Which sum that is, is found by linear programming over the monomials of their canonical forms, exactly;
that it is 0 is an equality of the language, decided and replayed as any other. Formulas in pieces are looked at case by
case.

All is said at the point of the conclusion, and for one entry of it, at free indices: a hypothesis about vectors is used
at those, at every index that is spoken of, at the index of a largest entry, and summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import combinations, islice
from operator import add, mul

from softmax_trick.deciding.entries import (
    Extreme,
    Terms,
    entry,
    extreme_of,
    instance_at,
    is_arithmetic,
    is_of_indices,
    open_parts,
    opened,
    scalars,
)
from softmax_trick.deciding.facts import Columns, Fact, facts_of, unique, where_it_is_defined
from softmax_trick.deciding.inequalities import MOST_INSTANCES, instances
from softmax_trick.deciding.ranges import constant_of, range_of
from softmax_trick.language.expression import (
    Apply,
    Call,
    Comprehension,
    Derivative,
    Entry,
    Expression,
    Index,
    LanguageError,
    Number,
    Size,
    Variable,
    size_of,
)
from softmax_trick.language.functions import total
from softmax_trick.language.proposition import OPPOSITE, Related
from softmax_trick.language.substitution import substituted
from softmax_trick.readings.canonical import TooLarge, Undefined

MOST_ENTRIES = 24  # with which a largest entry is compared
INCREASING = ("exp", "log", "sqrt", "tanh", "sigmoid", "softplus", "log_sigmoid", "log1p", "expm1", "sinh")  # strictly
STEEPEST = {
    "tanh": Fraction(1),
    "sigmoid": Fraction(1, 4),
    "softplus": Fraction(1),
    "log_sigmoid": Fraction(1),
}  # at one point at most
AT = {"exp": 0, "log": 1, "sqrt": 1, "tanh": 0, "sigmoid": 0, "log1p": 0, "expm1": 0, "sinh": 0}  # a value is known
PIECES = ("abs", "relu", "maximum", "minimum", "clip")
MOST_CASES = 32
ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))


def follows(goal: Related, hypotheses: Sequence[Related] = (), sizes: Mapping[str, int] | None = None) -> list[str]:
    """Why a relation holds wherever it is defined and hypotheses hold, in words; empty if that is not seen.

    Args:
        goal: the relation: ==, !=, <, <=, > or >=.
        hypotheses: the hypotheses; psd and conservative say nothing here.
        sizes: sizes that are given.
    """
    if goal.relation not in OPPOSITE:
        return []
    try:
        return _Search(goal, hypotheses, dict(sizes or {})).proof()
    except (LanguageError, Undefined, TooLarge, RecursionError):
        return []


class _Search:
    """Looks for a proof that a relation follows."""

    def __init__(self, goal: Related, hypotheses: Sequence[Related], sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        goal, *said = (
            replace(one, sides=tuple(map(opened, one.sides)))
            for one in (goal, *hypotheses)
            if one.relation in OPPOSITE and not is_of_indices(one)
        )
        self._terms = Terms((goal, *said))
        defined = [two for one in (goal, *said) for two in where_it_is_defined(one)]
        self._goal = instance_at(goal, self._terms.of_goal(goal))
        self._terms.extremes(side for one in (self._goal, *said) for side in one.sides)
        self._hypotheses = [*said, *(one for one in dict.fromkeys(defined) if one not in said)]

    def proof(self) -> list[str]:
        """The steps; none if there is no proof."""
        instances = [one for said in self._hypotheses for one in self._terms.instances(said)]
        found: list[str] = []
        for relation in ("<", ">") if self._goal.relation == "==" else (OPPOSITE[self._goal.relation],):
            steps = self._by_cases([replace(self._goal, relation=relation), *instances], MOST_CASES)
            if not steps:
                return []
            found += steps
        return found

    def _by_cases(self, said: list[Related], most: int) -> list[str]:
        """Why relations of scalars contradict each other: at once, or on both sides of where a formula is in pieces."""
        for one in said:
            match one:
                case Related("==", (Variable(name, ()) as side, value) | (value, Variable(name, ()) as side)):
                    if side not in value.variables and len(said) > 1:
                        rest = [two for two in said if two is not one]
                        return self._by_cases([_with(two, {name: value}) for two in rest], most)
        piece = next(_pieces(said), None)
        if piece is None:
            return self._contradiction(said)
        at_once = Columns(self._sizes).vanishing([*facts_of(said), *_of_pieces(_nodes_of(said))], 1)
        if at_once:
            return [at_once]
        if most < 2:
            return []
        (u, v), first, second = _sides_of(piece)
        found: list[str] = []
        for relation, value in (("<=", first), (">=", second)):
            case = Related(relation, (u, v))
            steps = self._by_cases([case, *(_replaced(one, piece, value) for one in said)], most // 2)
            if not steps:
                return []
            found += [f"where {case}:", *steps]
        return found

    def _contradiction(self, said: list[Related]) -> list[str]:
        columns, steps = Columns(self._sizes), []
        facts = unique([*facts_of(said), *self._summed(self._vectors()), *self._known(said)])
        at_once = columns.vanishing(facts, 1)
        if at_once:
            return [at_once]
        for asked, shown in (*self._signs(said), *self._vector_pairs(), *self._pairs(said)):
            for claim, then in zip(asked, shown, strict=True):
                opposite = Fact(-claim.value, ">=" if claim.sign == ">" else ">", said=True)
                found = columns.vanishing([opposite, *facts], 1)
                if found:
                    steps.append(f"{claim}: else {found}")
                    vectors, scalar = ([one for one in then if bool(one.value.axes) is has] for has in (True, False))
                    facts = unique([*self._summed(vectors), *scalar, *facts])
                    if claim.sign == ">":
                        break
        facts = unique([*facts, *(_times_denominators(fact, facts) for fact in facts if fact.said)])
        found = columns.vanishing(facts, 1) or columns.vanishing(facts, 2)
        if not found and self._goal.relation not in ("==", "!="):
            found = columns.vanishing(facts, 2, self._by_name(said))
        return [*steps, found] if found else []

    # --- facts ---

    def _by_name(self, said: Sequence[Related]) -> list[Fact]:
        """Inequalities that are known by name, for what occurs."""
        whole = reduce(add, (left - right for left, right in (one.sides for one in said)))
        known = islice(instances(whole), MOST_INSTANCES)
        return [Fact(value, ">" if one.strict else ">=") for one, value in known if not value.axes]

    def _vectors(self) -> list[Fact]:
        """What hypotheses say of vectors."""
        return [fact for one in self._hypotheses for fact in facts_of([one]) if len(fact.value.axes) == 1]

    def _summed(self, facts: Sequence[Fact]) -> Iterator[Fact]:
        """What facts about vectors say of sums, and what is known of the vectors that occur."""
        vectors = self._open_vectors()
        nonnegative = [fact for fact in facts if fact.sign != "=="]
        nonnegative += [Fact(one, ">" if range_of(one).positive else ">=") for one in vectors if _is_from_zero(one)]
        nonnegative += [Fact(one * one, ">=") for one in self._weights() if one.kind == "real"]
        yield from self._weighed(facts)
        yield from self._weighed(self._known_of_vectors())
        for fact in nonnegative:
            (axis,) = fact.value.axes
            strict = fact.sign == ">" and self._terms.least.get(size_of(axis), 1) >= 2
            for term in self._terms.of(axis):
                yield Fact(total(fact.value) - entry(fact.value, (term,)), ">" if strict else ">=")
        for one in vectors:
            if isinstance(one, Variable) and one.kind == "distribution":
                yield Fact(total(one) - 1, "==", said=True)
            if isinstance(one, Call) and one.function == "softmax" and len(one.arguments) == 1:
                yield Fact(total(one) - 1, "==")
                yield Fact(1 / total(Apply("exp", one.arguments, one.axes)), ">")

    def _weighed(self, facts: Iterable[Fact]) -> Iterator[Fact]:
        """The sums of facts about vectors, and those with weights that are not negative."""
        for fact in facts:
            yield replace(fact, value=total(fact.value))
            for weight in self._weights():
                if weight.axes == fact.value.axes and (fact.sign == "==" or range_of(weight).nonnegative):
                    strict = fact.sign == "==" or weight.kind in ("positive", "distribution")
                    yield replace(fact, value=total(weight * fact.value), sign=fact.sign if strict else ">=")

    def _known_of_vectors(self) -> Iterator[Fact]:
        """What is known of the largest and smallest entries of vectors, and of the rows of what has more axes."""
        for node in self._open_nodes():
            match node:
                case Apply("abs", (u,)) if len(node.axes) == 1:
                    yield from (Fact(node - u, ">="), Fact(node + u, ">="))
                case Call("max" | "min" as function, (u,), _, ()) if len(u.axes) == 1:
                    yield Fact(node - u if function == "max" else u - node, ">=")
                case Call("max" | "min", (_,), _, (axis,)):
                    own = Index(f"{axis}_", axis)
                    row = Extreme(node, node, (own,))
                    for other in islice(self._terms.entries(row), MOST_ENTRIES):
                        yield Fact(row.sign * (node - Comprehension((own,), other)), ">=")

    def _weights(self) -> list[Variable]:
        return [one for one in self._open_vectors() if isinstance(one, Variable)]

    def _open_vectors(self) -> list[Expression]:
        return [one for one in self._open_nodes() if len(one.axes) == 1]

    def _open_nodes(self) -> list[Expression]:
        sides = [side for one in (self._goal, *self._hypotheses) for side in one.sides]
        return list(dict.fromkeys(node for side in sides for node in open_parts(side)))

    def _known(self, said: Sequence[Related]) -> Iterator[Fact]:
        """What is known of the formulas that occur, whatever their values."""
        nodes = self._nodes(said)
        for extreme in self._extremes(said):
            yield Fact(extreme.node - self._terms.attained(extreme), "==", said=True)
            sizes = [Size(size) for size in map(size_of, extreme.along) if size not in self._sizes]
            nodes += [size for size in sizes if size not in nodes]
        for extreme, entry_of_it in self._compared(said):
            yield Fact(extreme.sign * (extreme.node - entry_of_it), ">=", said=True)
        atoms = [node for node in nodes if not isinstance(node, Number) and not is_arithmetic(node)]
        for node in (*atoms, *(node for node in nodes if isinstance(node, Apply) and node.function == "power")):
            between = range_of(node)
            low = Fraction(self._terms.least.get(node.name, 1)) if isinstance(node, Size) else between.low
            if low is not None:
                yield Fact(node - low if low else node, ">" if between.low_open else ">=")
                if low > 0:
                    yield Fact(node, ">")
                if between.positive and isinstance(node, Variable | Entry | Size):
                    yield Fact(1 / node, ">")
            if between.high is not None:
                yield Fact(between.high - node, ">" if between.high_open else ">=")
        for node in atoms:
            match node:
                case Apply("exp", (u,)):
                    yield Fact(node - 1 - u, ">=")
                case Apply("log", (u,)):
                    yield from (Fact(u - 1 - node, ">="), Fact(node - 1 + 1 / u, ">="))
                case Call("mean", (u,)):
                    yield from (Fact(1 / Size(size_of(u.axes[n])), ">") for n in node.positions)
        yield Fact(ONE, ">")
        yield from _of_pieces(nodes)
        for node in nodes:
            match node:
                case Apply("divide", (_, v)) if constant_of(v) is None:
                    yield from (Fact(v**2, ">"), Fact(1 / v**2, ">"))  # where it is divided by
        simple = [node for node in _nodes_of(said) if isinstance(node, Variable | Entry) and node in atoms]
        for one, other in combinations(simple, 2):
            yield from (Fact((one - other) ** 2, ">="), Fact((one + other) ** 2, ">="))
        for one in simple:
            yield from (Fact(one * one, ">="), Fact((one - 1) ** 2, ">="))
        yield from (Fact(node, "") for node in atoms)

    def _extremes(self, said: Sequence[Related]) -> list[Extreme]:
        return self._terms.extremes(side for one in said for side in one.sides)

    def _compared(self, said: Sequence[Related]) -> list[tuple[Extreme, Expression]]:
        """Largest and smallest entries, each with an entry that it is compared with."""
        waiting = self._extremes(said)
        found: list[tuple[Extreme, Expression]] = []
        while waiting and len(found) < MOST_ENTRIES:
            one = waiting.pop()
            for other in self._terms.entries(one):
                found.append((one, other))
                waiting += filter(None, [extreme_of(other)])
        return list(dict.fromkeys(found))

    def _nodes(self, said: Sequence[Related]) -> list[Expression]:
        """The scalars that occur, in the entries that are compared with a largest one, too."""
        entries = [*map(self._terms.attained, self._extremes(said)), *(other for _, other in self._compared(said))]
        return list(dict.fromkeys([*_nodes_of(said), *(node for one in entries for node in scalars(one))]))

    # --- what is shown first: claims, of which the first that is seen is used, and what follows from each ---

    def _signs(self, said: Sequence[Related]) -> Iterator[Lemma]:
        """The sign of what is divided by, and whether a tangent touches."""
        for node in _nodes_of(said):
            match node:
                case Apply("divide", (_, v)) if not (range_of(v).positive or constant_of(v) is not None):
                    yield [Fact(v, ">"), Fact(-v, ">")], [[Fact(1 / v, ">", said=True)], [Fact(-1 / v, ">", said=True)]]
                case Apply("exp", (u,)):
                    yield [Fact(u, ">"), Fact(-u, ">")], [[Fact(node - 1 - u, ">")]] * 2
                case Apply("log", (u,)):
                    yield [Fact(u - 1, ">"), Fact(1 - u, ">")], [[Fact(u - 1 - node, ">")]] * 2

    def _pairs(self, said: Sequence[Related]) -> Iterator[Lemma]:
        """The order of two values of an increasing function."""
        arguments: dict[str, dict[Expression, None]] = {}
        for node in self._nodes(said):
            match node:
                case Apply(function, (u,)) if function in INCREASING:
                    arguments.setdefault(function, {})[u] = None
                case Entry(Call("softmax", (u,)), (at,)):
                    arguments.setdefault("exp", {})[entry(u, (at,))] = None
                case Call("logsumexp", (u,)) if len(u.axes) == 1:
                    arguments.setdefault("log", {})[total(Apply("exp", (u,), u.axes))] = None
        for function, several in arguments.items():
            values = [*several, *([Number(Fraction(AT[function]))] if function in AT else [])]
            yield from (_ordered(function, u, v, u, v) for u, v in combinations(values, 2))

    def _vector_pairs(self) -> Iterator[Lemma]:
        """The order of two vectors of values of an increasing function, entry by entry."""
        found: list[tuple[str, Expression]] = []
        for node in self._open_nodes():
            match node:
                case Apply(function, (u,)) if function in INCREASING and len(node.axes) == 1:
                    found.append((function, u))
                case Call("logsumexp", (u,)) if len(u.axes) == 1:
                    found.append(("exp", u))
        for (function, u), (other, v) in combinations(dict.fromkeys(found), 2):
            if function == other and u.axes == v.axes:
                at = (self._terms.any_index(u.axes[0]),)
                yield _ordered(function, entry(u, at), entry(v, at), u, v)


Lemma = tuple[list[Fact], list[list[Fact]]]


def _ordered(function: str, u: Expression, v: Expression, first: Expression, second: Expression) -> Lemma:
    """That v > u, and so on; and what an increasing function makes of it, with a bounded slope perhaps."""
    f, g = (Apply(function, (one,), one.axes) for one in (first, second))
    asked = [Fact(v - u, ">"), Fact(u - v, ">"), Fact(v - u, ">="), Fact(u - v, ">=")]
    rises = [(g - f, second - first), (f - g, first - second)] * 2
    steepest = STEEPEST.get(function)
    return asked, [
        [Fact(rise, fact.sign, said=True), *([Fact(steepest * run - rise, fact.sign, said=True)] if steepest else [])]
        for (rise, run), fact in zip(rises, asked, strict=True)
    ]


def _times_denominators(fact: Fact, known: Sequence[Fact]) -> Fact:
    """A fact times what it divides by, as far as that is known to be positive; it need not be, where the fact is 0."""
    divided = [node.arguments[1] for node in open_parts(fact.value) if isinstance(node, Apply) and _divides(node)]
    positive = {one.value for one in known if one.sign == ">"}
    factors = [v for v in dict.fromkeys(divided) if fact.sign == "==" or range_of(v).positive or v in positive]
    return replace(fact, value=reduce(mul, factors, fact.value))


def _divides(node: Apply) -> bool:
    return node.function == "divide" and not node.arguments[1].axes and constant_of(node.arguments[1]) is None


def _nodes_of(said: Sequence[Related]) -> list[Expression]:
    return list(dict.fromkeys(node for one in said for side in one.sides for node in scalars(side)))


def _is_from_zero(node: Expression) -> bool:
    return not isinstance(node, Number) and not is_arithmetic(node) and range_of(node).nonnegative


# --- formulas in pieces -----------------------------------------------------------------------------------------------


def _pieces(said: Sequence[Related]) -> Iterator[Apply]:
    """The formulas in pieces that occur."""
    return (node for node in _nodes_of(said) if is_in_pieces(node))  # type: ignore[misc]


def is_in_pieces(node: Expression) -> bool:
    """Whether it is a scalar that is one of two formulas, by which of two numbers is the larger one."""
    return isinstance(node, Apply) and node.function in PIECES and not node.axes


def _of_pieces(nodes: Iterable[Expression]) -> Iterator[Fact]:
    """What is known of formulas in pieces, whichever piece it is."""
    for node in nodes:
        if isinstance(node, Apply) and node.function in PIECES:
            _, *values = _sides_of(node)
            is_below = node.function in ("minimum", "clip")
            yield from (Fact(one - node if is_below else node - one, ">=") for one in values)


def _sides_of(piece: Apply) -> tuple[tuple[Expression, Expression], Expression, Expression]:
    """Where a formula in two pieces changes, u and v, and its values where u <= v and where u >= v."""
    if piece.function == "clip":
        u, *ends = piece.arguments
        piece = Apply("minimum", (Apply("maximum", (u, ends[0])), ends[1]))
    u, v = (*piece.arguments, ZERO)[:2]
    values = {"abs": (-u, u), "relu": (ZERO, u), "maximum": (v, u), "minimum": (u, v)}
    return (u, v), *values[piece.function]


def _replaced(said: Related, piece: Expression, value: Expression) -> Related:
    def changed(node: Expression) -> Expression:
        if node == piece:
            return value
        return node if isinstance(node, Derivative | Comprehension) else node.rebuilt(changed)

    return replace(said, sides=tuple(changed(side) for side in said.sides))


def _with(said: Related, put: Mapping[str, Expression]) -> Related:
    return replace(said, sides=tuple(substituted(side, put) for side in said.sides))
