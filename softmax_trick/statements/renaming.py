"""Names in propositions: something put in for them, others for what a quantifier binds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from softmax_trick.language.expression import Expression, Index, Size, Variable
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
    name_of,
    names_in,
)
from softmax_trick.language.substitution import substituted


class Names:
    """Gives names that mean nothing yet.

    Args:
        taken: the names that mean something.

    Attributes:
        origins: what names were called before they were made different.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self.origins: dict[str, str] = {}

    def another(self, name: str) -> str:
        """A new name, with primes."""
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name

    def _others(self, binds: tuple[Bound, ...], names: frozenset[str]) -> dict[str, Expression | Index]:
        """Others for those of some names that a quantifier binds."""
        clash = [one for one in map(_named, binds) if isinstance(one, Variable | Index) and one.name in names]
        return {one.name: replace(one, name=self.another(one.name)) for one in clash}

    def renamed(self, quantified: ForAll | Exists, names: frozenset[str]) -> ForAll | Exists:
        """The same with other names for what it binds itself, where it is one of these names."""
        put = self._others(quantified.binds, names)
        if not put:
            return quantified
        binds = tuple(_bound_with(one, put) for one in quantified.binds)
        return type(quantified)(binds, self.put_in(quantified.body, put))

    def apart(self, node: Proposition, names: frozenset[str]) -> Proposition:
        """A part with other names for what it binds anywhere, where it is one of these names."""
        if not isinstance(node, Quantified):
            return with_parts(node, {part: self.apart(part, names) for part in node.parts})
        put = self._others(node.binds, names)
        self.origins |= {name_of(one): name for name, one in put.items()}  # type: ignore[arg-type]
        binds = tuple(_bound_with(one, put) for one in node.binds)
        return type(node)(binds, self.apart(self.put_in(node.body, put), names))

    def put_in(self, node: Proposition, put: Mapping[str, Expression | Index]) -> Proposition:
        """Something put in for names that are free in a part; what is bound there is renamed where it would clash."""
        match node:
            case Related():
                return node.changed(lambda side: substituted(side, put))
            case Quantified(binds, body):
                inside = {name: one for name, one in put.items() if name in node.free}
                values = frozenset().union(*(names_in(one) for one in inside.values() if isinstance(one, Expression)))
                values |= {one.name for one in inside.values() if isinstance(one, Index)}
                new = self._others(binds, values)
                if new:
                    binds, body = tuple(_bound_with(one, new) for one in binds), self.put_in(body, new)
                return type(node)(binds, self.put_in(body, inside))
        return with_parts(node, {part: self.put_in(part, put) for part in node.parts})


def with_parts(node: Proposition, parts: Mapping[Proposition, Proposition]) -> Proposition:
    """The proposition with others for the parts that it is made of; one without parts as it is."""
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
