"""Expressions with something put in for variables, labels and indices; refused where that would change a meaning.

A derivative by x is taken with everything else constant. So an expression of x is not put into it for another variable,
nor an expression for x itself; and what has a free index i is not put where i is bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from softmax_trick.language import expression as ex
from softmax_trick.language.proposition import names_in

Put = Mapping[str, ex.Expression | ex.Index]  # by the name of a variable; an index for a label, or for an index


class Captured(ex.LanguageError):
    """Something cannot be put in where it stands: it would mean something else there."""


def substituted(expression: ex.Expression, put: Put) -> ex.Expression:
    """The expression with these put in for the variables, labels and free indices of these names.

    Raises:
        Captured: see the head of this module.
        AxesError: what is put in has other axes.
    """
    put = {name: one for name, one in put.items() if name in names_in(expression)} if put else {}
    if not put:
        return expression
    match expression:
        case ex.Variable(name):
            return _value(expression, put[name])
        case ex.Definition(name, meaning):
            changed = substituted(meaning, put)
            return ex.Definition(name, changed) if all(_is_itself(one, new) for one, new in put.items()) else changed
        case ex.Derivative():
            return _derivative(expression, put)
        case ex.Comprehension(indices, body):
            free = {index for one in put.values() for index in _free(one)}
            if free & set(indices):
                names = ", ".join(sorted(index.name for index in free & set(indices)))
                raise Captured(f"{names} is bound in {expression!r}, and free in what is put in there")
            return ex.Comprehension(indices, substituted(body, put))
        case ex.OneHot(label) if isinstance(index := put.get(label.name), ex.Index):
            own = ex.Index(_another_name(index.name), index.axis)
            return ex.comprehension((own,), ex.delta(own, index))
        case ex.Pick(argument, label) if isinstance(index := put.get(label.name), ex.Index):
            if label.axes:
                raise Captured(f"the label {label.name} of each {', '.join(label.axes)} is no one index")
            return ex.entry_of(substituted(argument, put), index)
        case ex.Entry(argument, indices):
            return ex.Entry(substituted(argument, put), tuple(_term(term, put) for term in indices))
        case ex.Delta(left, right):
            return ex.delta(_term(left, put), _term(right, put))
    return expression.rebuilt(lambda child: substituted(child, put))


def _value(variable: ex.Variable, new: ex.Expression | ex.Index) -> ex.Expression:
    if isinstance(new, ex.Index):
        raise Captured(f"{variable.name} is a label here, and {new.name} an index")
    if variable.kind == "label" and not (isinstance(new, ex.Variable) and new.kind == "label"):
        raise Captured(f"{variable.name} is a label: only a label can be put in for it")
    found = new if not new.axes else ex.fitted(new, variable.axes)
    if found is None or (not found.axes and variable.axes):
        raise Captured(f"{variable.name} is {ex.shape(variable.axes)}, and {new!r} {ex.shape(new.axes)}")
    return found


def _is_itself(name: str, new: ex.Expression | ex.Index) -> bool:
    """Whether it is the same variable, perhaps on a smaller domain."""
    return isinstance(new, ex.Variable) and new.name == name


def _derivative(node: ex.Derivative, put: Put) -> ex.Expression:
    by = node.by
    if by.name in put:
        new = put[by.name]
        if not isinstance(new, ex.Variable) or new.axes != by.axes:
            raise Captured(f"{by.name} is what {node!r} is a derivative by: nothing can be put in for it")
        if new.kind in ("distribution", "label"):
            raise Captured(f"the entries of the {new.kind} {new.name} cannot vary one by one, in {node!r}")
        by = new
    inside = names_in(node.function)
    for name, one in put.items():
        if name not in inside or name == node.by.name or isinstance(one, ex.Index) or _is_itself(name, one):
            continue
        if {node.by.name, by.name} & names_in(one):
            raise Captured(f"{name} is constant in {node!r}, and {one!r} is not: it has {node.by.name} in it")
    if by.name != node.by.name and by.name in inside - {node.by.name}:
        raise Captured(f"{by.name} is constant in {node!r}")
    function = substituted(node.function, put)
    return replace(
        node, function=function, by=by, direction=None if node.direction is None else substituted(node.direction, put)
    )


def _term(term: ex.IndexTerm, put: Put) -> ex.IndexTerm:
    match term:
        case ex.Index(name) if name in put:
            new = put[name]
            if not isinstance(new, ex.Index):
                raise Captured(f"{name} is an index: only an index can be put in for it")
            return new
        case ex.Chosen(label, indices):
            new = put.get(label.name, label)
            if isinstance(new, ex.Index):
                if indices:
                    raise Captured(f"the label {label.name} of each {', '.join(label.axes)} is no one index")
                return new
            if not (isinstance(new, ex.Variable) and new.kind == "label"):
                raise Captured(f"{label.name} is a label: only a label can be put in for it")
            return ex.Chosen(new, tuple(_term(one, put) for one in indices))
    return term


def _free(one: ex.Expression | ex.Index) -> frozenset[ex.Index]:
    return frozenset({one}) if isinstance(one, ex.Index) else one.free


def _another_name(name: str) -> str:
    return f"{name}'"
