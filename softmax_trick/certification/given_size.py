"""A normalizer given by its components F_1..F_K, in SymPy: its properties, decided one after the other.

The work is done in a process of its own, so that a time limit ends it whatever it is doing: the properties decided by
then are kept, the others are undecided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softmax_trick.certification.certificate import PROPERTIES, Certificate, Property
from softmax_trick.certification.implied import with_implied
from softmax_trick.system.limited import Trouble, each_within

if TYPE_CHECKING:
    import sympy as sp

    from softmax_trick.certification.domain import Need
    from softmax_trick.certification.function import Function

MOST_NODES = 50_000  # of the components together
LARGEST_POWER = 64
DEEPEST = 200


def certify_components(
    F: Sequence[sp.Expr],
    x: Sequence[sp.Symbol],
    time_limit: float,
    assumptions: object = True,
    needs: Sequence[Need] = (),
) -> Certificate:
    """The certificate of components in SymPy; see `softmax_trick.certify`, which also says what is raised.

    Args:
        F: the components F_1..F_K.
        x: the scores x_1..x_K.
        time_limit: in seconds; what is not decided by then is undecided.
        assumptions: what is known of the parameters.
        needs: what the formula asks for as it was written, where SymPy has simplified it since.
    """
    components, scores, known = _checked(F, x, assumptions, needs)
    found: dict[str, Any] = {}
    missing = Property(None)
    for decided in each_within(time_limit, _decided, components, scores, known):
        if isinstance(decided, Trouble):
            missing = Property(None, reason=decided.reason)
        else:
            name, found[name] = decided
    properties: dict[str, Any] = with_implied({name: found.get(name, missing) for name in PROPERTIES}, len(components))
    return Certificate(k=len(components), notes=_notes(components, scores), **properties)


def _checked(
    F: Sequence[sp.Expr], x: Sequence[sp.Symbol], assumptions: object, needs: Sequence[Need]
) -> tuple[list[sp.Expr], list[sp.Symbol], list[Need]]:
    import sympy as sp

    from softmax_trick.certification.domain import all_needs

    if len(F) != len(x) or not len(x):
        raise ValueError(
            f"as many scores as components are needed, and at least one: {len(F)} components, {len(x)} scores"
        )
    components = [sp.Integer(f) if isinstance(f, int) else f for f in F]
    for place, component in enumerate(components, start=1):
        if not isinstance(component, sp.Expr):
            raise TypeError(f"component {place} is a {type(component).__name__}, not a SymPy expression")
        if component.has(sp.Float):
            raise ValueError(f"component {place} has a floating-point number: use exact ones, such as Rational(1, 2)")
    for score in x:
        if not isinstance(score, sp.Symbol):
            raise TypeError(f"{score} is a {type(score).__name__}, not a symbol")
        if score.is_zero is not None or score.is_nonnegative or score.is_nonpositive or score.is_rational is not None:
            raise ValueError(
                f"{score} is assumed to be more than real: the scores of a normalizer are any real numbers"
            )
    if len(set(x)) != len(x):
        raise ValueError(f"a score occurs twice: {', '.join(map(str, x))}")
    _check_size(components)
    symbols = set(x).union(*(component.free_symbols for component in components))
    real = {symbol: _assumed(symbol, assumptions) for symbol in symbols}
    if len({symbol.name for symbol in real.values()}) < len(real):
        names = [symbol.name for symbol in real]
        double = min(name for name in names if names.count(name) > 1)
        raise ValueError(f"two different symbols are called {double}: give one of them another name, or one assumption")
    taken = [component.xreplace(real) for component in components]
    written = [need.replaced(real) for need in needs]
    return taken, [real[score] for score in x], list(dict.fromkeys([*written, *all_needs(taken)]))


def _assumed(symbol: sp.Symbol, assumptions: object) -> sp.Symbol:
    """The symbol as a real one, with what is assumed of it."""
    import sympy as sp

    if symbol.is_integer or symbol.is_rational is not None or symbol.is_real is False:
        raise ValueError(
            f"{symbol} is assumed to be {'rational' if symbol.is_real else 'not real'}: parameters are real"
        )
    known = {}
    for sign in ("positive", "negative", "nonnegative", "nonpositive", "nonzero"):
        if getattr(symbol, f"is_{sign}") or sp.ask(getattr(sp.Q, sign)(symbol), assumptions):
            known[sign] = True
    return sp.Symbol(symbol.name, real=True, **known)


def _notes(components: Sequence[sp.Expr], scores: Sequence[sp.Symbol]) -> tuple[str, ...]:
    """What the reader has to know of how the formula was read."""
    symbols = set().union(*(component.free_symbols for component in components))
    if symbols & set(scores):
        return ()
    named = ", ".join(sorted(map(str, symbols)))
    taken = (
        f": {named} {'is taken as a parameter' if len(symbols) == 1 else 'are taken as parameters'}" if named else ""
    )
    return (f"no score occurs in the formula{taken}, so F is constant; the scores are {', '.join(map(str, scores))}",)


def _check_size(components: Sequence[sp.Expr]) -> None:

    parts = _parts()
    nodes = 0
    waiting: list[tuple[Any, int]] = [(component, 1) for component in components]
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if nodes > MOST_NODES or depth > DEEPEST:
            raise ValueError(f"the expressions are too large: more than {MOST_NODES} nodes, or {DEEPEST} levels")
        if not isinstance(node, parts):
            raise ValueError(f"{node.func.__name__} is no part of a formula that can be certified: {node}")
        if node.is_Pow and node.exp.is_Integer and abs(node.exp) > LARGEST_POWER and node.base.free_symbols:
            raise ValueError(f"the power {node.exp} is too large: at most {LARGEST_POWER}")
        waiting += [(argument, depth + 1) for argument in node.args]


def _parts() -> tuple[Any, ...]:
    """What formulas are made of; of anything else it is not known where it is defined and smooth."""
    import sympy as sp
    from sympy.core.relational import Relational
    from sympy.functions.elementary.piecewise import ExprCondPair
    from sympy.logic.boolalg import Boolean

    functions = (sp.exp, sp.log, sp.tanh, sp.sinh, sp.cosh, sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside, sp.Piecewise)
    numbers = (sp.Symbol, sp.Rational, sp.NumberSymbol, sp.Add, sp.Mul, sp.Pow)
    return (*numbers, *functions, ExprCondPair, Relational, Boolean)


Decided = Iterator[tuple[str, Property]]


def _decided(
    components: Sequence[sp.Expr], scores: Sequence[sp.Symbol], needs: Sequence[Need] | None = None
) -> Decided:
    """The properties one after the other; those that hold for almost all parameters say for which."""
    from softmax_trick.certification import exceptions
    from softmax_trick.certification.domain import all_needs
    from softmax_trick.certification.function import Function

    F = Function(components, scores)
    asked = all_needs(components) if needs is None else needs
    if not F.parameters:
        yield from _one_by_one(F, asked)
        return
    first = dict(_one_by_one(F, asked))
    if first["trick"].holds and first["defined"].holds:
        yield from first.items()
        return
    given = exceptions.excluded(F, asked)
    generic = dict(_one_by_one(Function(components, scores, given), asked)) if given else {}
    for name, found in first.items():
        if not found.holds and name in generic and generic[name].holds:
            found = replace(found, where=tuple(map(exceptions.in_words, given)), extras=generic[name].extras)
        yield name, found


def _one_by_one(F: Function, needs: Sequence[Need]) -> Decided:
    """The properties, the quick and important ones first; those that presuppose that F is defined wait for that."""
    import sympy as sp

    from softmax_trick.certification import potential, ranges, smoothness, softmax_type
    from softmax_trick.certification.function import YES, property_of

    known = smoothness.defined(F, needs)
    yield "defined", known
    if known.holds is False:
        for name in PROPERTIES:
            if name != "defined":
                yield name, _of_partial_function(name, known)
        return

    def sure(found: Property) -> Property:
        """What was shown where F is defined is not known to hold everywhere; a witness against it stands."""
        if known.holds or found.holds is None or (found.holds is False and found.witness):
            return found
        return Property(None, reason="F is not known to be defined everywhere", extras=dict.fromkeys(found.extras))

    smooth = smoothness.differentiable(F)
    yield "differentiable", sure(smooth)
    whole = YES if smooth.holds else smoothness.continuous(F)
    if smooth.holds is False:
        p2, form = Property(False, "exact", smooth.witness, "F is not differentiable", dict(softmax_type.NOTHING)), None
    else:
        p2, form = softmax_type.softmax_type(F)
    yield "softmax_type", sure(p2)
    has_unity = form is not None and form.slack == 0  # then 1 - sum y, divided by y_1 exp(-d_1 x_1), is 0
    unity = property_of(YES if has_unity else F.zero(sp.Add(*F.components) - 1))
    yield "unity", sure(unity)
    positive = ranges.positive(F, form)
    yield "positive", sure(positive)
    yield "generalised_softmax", sure(softmax_type.generalised_softmax(unity, positive, p2))
    yield "trick", sure(softmax_type.trick(F, p2))
    symmetric = potential.symmetric_jacobian(F, form)
    yield "symmetric_jacobian", sure(symmetric)
    yield "order_preserving", sure(ranges.order_preserving(F, form, whole))
    yield "lipschitz", sure(ranges.lipschitz(F, form, whole))
    yield "bounded", sure(ranges.bounded(F, form))
    implicit = sure(potential.implicit_loss(F, symmetric, whole))
    yield "implicit_loss", implicit
    yield "convex", sure(potential.convex(F, implicit, form))
    if implicit.holds:  # once more, as SymPy can take long to integrate
        yield "implicit_loss", potential.with_potential(F, implicit, form)


def _of_partial_function(name: str, known: Property) -> Property:
    """A property of functions on R^K, of one that is not defined everywhere."""
    from softmax_trick.certification.potential import NO_LOSS
    from softmax_trick.certification.ranges import NOTHING
    from softmax_trick.certification.softmax_type import NOTHING as NO_FORM

    if name == "convex":
        return Property(None, reason="there is no implicit loss")
    extras: dict[str, dict[str, Any]] = {
        "softmax_type": NO_FORM,
        "generalised_softmax": {"dilation": None, "relocation": None},
        "trick": {"dilation": None},
        "symmetric_jacobian": {"entry": None},
        "implicit_loss": NO_LOSS,
        "bounded": {"range": None, "bound": None},
        "lipschitz": NOTHING,
    }
    witness = known.witness if name == "differentiable" else None  # the others are about values, and there is none
    return Property(False, "exact", witness, "F is not defined everywhere", dict(extras.get(name, {})))
