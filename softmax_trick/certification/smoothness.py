"""Is F defined and differentiable on all of R^K?

Smooth functions are, where no denominator vanishes and no logarithm or root has an argument that is not positive. A
piecewise function is, if in addition the pieces have equal values and gradients wherever their regions meet.
"""

from __future__ import annotations

import itertools

import sympy as sp

from softmax_trick.certificate import Property
from softmax_trick.certification.subject import (
    Answer,
    Conditions,
    Subject,
    TooManyRegions,
    closure,
    impossible,
    interior,
    pieces_of,
    property_of,
)


def differentiable(subject: Subject) -> Property:
    """Whether F is defined and differentiable everywhere; the witness is a point where it is not."""
    for component in subject.components:
        for answer in (_defined(subject, component), _joined(subject, component, with_slopes=True)):
            if not answer.holds:
                return property_of(answer)
    return property_of(Answer(True))


def continuous(subject: Subject) -> Answer:
    """Whether the pieces of F join without jumps, where F is defined; a point of a jump, if not."""
    answers = [_joined(subject, component, with_slopes=False) for component in subject.components]
    return next((answer for wanted in (False, None) for answer in answers if answer.holds is wanted), Answer(True))


def continuous_everywhere(subject: Subject) -> bool:
    """Whether F is known to be defined and continuous everywhere."""
    return bool(continuous(subject).holds) and all(_defined(subject, f).holds for f in subject.components)


def real_everywhere(subject: Subject, expression: sp.Expr) -> bool:
    """Whether an expression has a real value everywhere; roots may be taken of 0."""
    return bool(_defined(subject, expression, smoothly=False).holds)


def _defined(subject: Subject, component: sp.Expr, smoothly: bool = True) -> Answer:
    """Whether each piece is defined on its region."""
    try:
        pieces = list(pieces_of(component))
    except TooManyRegions as error:
        return Answer(None, reason=str(error))
    answers = (_defined_on(subject, piece, conditions, smoothly) for conditions, piece in pieces)
    return next((answer for answer in answers if not answer.holds), Answer(True))


def _defined_on(subject: Subject, piece: sp.Expr, region: Conditions, smoothly: bool = True) -> Answer:
    """Whether every denominator is nowhere zero, and what stands in a logarithm or under a root is positive."""
    powers = [node for node in piece.atoms(sp.Pow) if not node.exp.is_Integer]
    roots = [node.base for node in powers if not smoothly and node.exp.is_positive]
    for base in roots:
        if not (answer := subject.nonnegative(base, region)).holds:
            return _because(answer, f"{base} must not be negative")
    needed = [node.base for node in powers if node.base not in roots]
    needed += [node.args[0] for node in piece.atoms(sp.log)]
    for base in needed:
        if not (answer := subject.positive(base, region)).holds:
            return _because(answer, f"{base} has to be positive")
    for node in piece.atoms(sp.Pow):
        if node.exp.is_Integer and node.exp < 0 and not _nowhere_zero(subject, node.base, region):
            point = subject.point_where_zero(node.base, region)
            return Answer(False if point else None, point, f"{node.base} must not be zero")
    return Answer(True)


def _nowhere_zero(subject: Subject, base: sp.Expr, region: Conditions) -> bool:
    if not base.free_symbols:
        return base != 0
    return any(subject.positive(one, region).holds for one in (base, -base))


def _joined(subject: Subject, component: sp.Expr, with_slopes: bool) -> Answer:
    """Whether the pieces have equal values, and gradients, wherever their regions meet.

    The gradient of a piece counts only where its region has inner points.
    """
    if not component.has(sp.Piecewise):
        return Answer(True)
    try:
        pieces = [(region, piece) for region, piece in pieces_of(component) if not impossible(region)]
    except TooManyRegions as error:
        return Answer(None, reason=str(error))
    wide = [not impossible(interior(region)) for region, _ in pieces]
    for (first, second), both_wide in zip(
        itertools.combinations(pieces, 2), itertools.starmap(min, itertools.combinations(wide, 2)), strict=True
    ):
        meeting = (*closure(first[0]), *closure(second[0]))
        if first[1] == second[1] or impossible(meeting):
            continue
        for piece in (first[1], second[1]):
            if not _defined_on(subject, piece, meeting).holds:
                return Answer(None, reason=f"{piece} is not known to be smooth where its region ends")
        difference = first[1] - second[1]
        slopes = [difference.diff(score) for score in subject.scores] if with_slopes and both_wide else []
        for part in (difference, *slopes):
            if not (answer := subject.zero(part, meeting)).holds:
                return _because(answer, f"the pieces {first[1]} and {second[1]} do not join smoothly")
    return Answer(True)


def _because(answer: Answer, reason: str) -> Answer:
    return Answer(answer.holds, answer.point, reason)
