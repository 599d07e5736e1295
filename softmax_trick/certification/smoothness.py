"""Is F defined and differentiable on all of R^K?

Smooth functions are, where no denominator vanishes and no logarithm or root has an argument that is not positive. A
piecewise function is, if in addition neighbouring pieces have equal values and gradients on their common boundary.
"""

from __future__ import annotations

import sympy as sp

from softmax_trick.certificate import Property
from softmax_trick.certification.subject import Answer, Subject, pieces_of, property_of, solved


def differentiable(subject: Subject) -> Property:
    """Whether F is defined and differentiable everywhere; the witness is a point where it is not."""
    for component in subject.components:
        for answer in (_defined(subject, component), _joined(subject, component, with_slopes=True)):
            if not answer.holds:
                return property_of(answer)
    return property_of(Answer(True))


def continuous(subject: Subject, and_defined: bool = False) -> bool:
    """Whether the pieces of F are known to join without jumps, where F is defined; and whether it is so everywhere."""
    joined = all(_joined(subject, component, with_slopes=False).holds for component in subject.components)
    return joined and not (and_defined and not all(_defined(subject, f).holds for f in subject.components))


def real_everywhere(subject: Subject, expression: sp.Expr) -> bool:
    """Whether an expression has a real value everywhere; roots may be taken of 0."""
    return bool(_defined(subject, expression, smoothly=False).holds)


def _defined(subject: Subject, component: sp.Expr, smoothly: bool = True) -> Answer:
    """Whether every denominator is nowhere zero, and what stands in a logarithm or under a root is positive."""
    for _, piece in pieces_of(component):
        powers = [node for node in piece.atoms(sp.Pow) if not node.exp.is_Integer]
        roots = [node.base for node in powers if not smoothly and node.exp.is_positive]
        for base in roots:
            if not (answer := subject.nonnegative(base)).holds:
                return _because(answer, f"{base} must not be negative")
        needed = [node.base for node in powers if node.base not in roots]
        needed += [node.args[0] for node in piece.atoms(sp.log)]
        for base in needed:
            if not (answer := subject.positive(base)).holds:
                return _because(answer, f"{base} has to be positive")
        for node in piece.atoms(sp.Pow):
            if node.exp.is_Integer and node.exp < 0 and not _nowhere_zero(subject, node.base):
                point = subject.point_where_zero(node.base)
                return Answer(False if point else None, point, f"{node.base} must not be zero")
    return Answer(True)


def _nowhere_zero(subject: Subject, base: sp.Expr) -> bool:
    if not base.free_symbols:
        return base != 0
    return any(subject.positive(one).holds for one in (base, -base))


def _joined(subject: Subject, component: sp.Expr, with_slopes: bool) -> Answer:
    """Whether the pieces of each Piecewise have equal values, and gradients, on their boundaries."""
    for atom in component.atoms(sp.Piecewise):
        for (left, condition), (right, _) in zip(atom.args, atom.args[1:], strict=False):
            for boundary in _boundaries(condition):
                place = solved(boundary)
                if place is None:
                    return Answer(None, reason=f"the boundary {boundary} = 0 is not linear in any score")
                variable, value, _ = place
                difference = component.xreplace({atom: left}) - component.xreplace({atom: right})
                slopes = [difference.diff(score) for score in subject.scores] if with_slopes else []
                for part in (difference, *slopes):
                    answer = subject.zero(part.xreplace({variable: value}))
                    if answer.holds is False and answer.point is not None:
                        point = dict(answer.point)
                        point[variable] = value.xreplace(point)
                        return Answer(False, point, f"the pieces of {atom} do not join smoothly")
                    if answer.holds is None:
                        return answer
    return Answer(True)


def _boundaries(condition: sp.Basic) -> list[sp.Expr]:
    parts = condition.args if isinstance(condition, sp.And | sp.Or) else (condition,)
    return [part.lhs - part.rhs for part in parts if isinstance(part, sp.core.relational.Relational)]


def _because(answer: Answer, reason: str) -> Answer:
    return Answer(answer.holds, answer.point, reason)
