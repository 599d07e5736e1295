"""Certify a normalizer from its formula: what the paper did for SoftMax by hand, for any F in one call.

    >>> import sympy as sp
    >>> from softmax_trick import certify
    >>> x1, x2 = sp.symbols("x1 x2", real=True)
    >>> found = certify([1 / (1 + sp.exp(x2 - x1)), 1 / (1 + sp.exp(x1 - x2))], [x1, x2])
    >>> found.trick.holds, found.implicit_loss.extras["expression"]

The work is done in a process of its own, so that a time limit ends it whatever it is doing: the properties decided by
then are kept, the others are undecided.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from softmax_trick.certificate import Certificate, Property

if TYPE_CHECKING:
    import sympy as sp

TIME_LIMIT = 60.0  # seconds
MOST_NODES = 50_000  # of the components together
LARGEST_POWER = 64
DEEPEST = 200


def certify(
    F: Sequence[sp.Expr], x: Sequence[sp.Symbol], assumptions: object = True, time_limit: float = TIME_LIMIT
) -> Certificate:
    """Decide the properties of a normalizer, given by a formula.

    Args:
        F: the components F_1..F_K, SymPy expressions in the scores and in parameters, built from rational numbers,
            + - * / **, exp, log, sqrt, tanh, sinh, cosh, Abs, Max, Min, sign, Heaviside and Piecewise.
        x: the scores x_1..x_K, distinct symbols. Symbols without assumptions are taken as real.
        assumptions: what is known of the parameters: a conjunction of SymPy's Q.positive(a), Q.nonnegative(a),
            Q.real(a). Parameters of which nothing is said keep the assumptions of their symbols, and are real.
        time_limit: in seconds; what is not decided by then is undecided.

    Returns:
        the certificate; a property that was not decided has holds = None and a reason.

    Raises:
        TypeError: a component is not a SymPy expression, or a score is not a symbol.
        ValueError: there are not as many scores as components, a score occurs twice, or an expression is too large.
    """
    components, scores = _checked(F, x, assumptions)
    return _within(time_limit, components, scores)


def _checked(
    F: Sequence[sp.Expr], x: Sequence[sp.Symbol], assumptions: object
) -> tuple[list[sp.Expr], list[sp.Symbol]]:
    import sympy as sp

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
    if len(set(x)) != len(x):
        raise ValueError(f"a score occurs twice: {', '.join(map(str, x))}")
    _check_size(components)
    symbols = set(x).union(*(component.free_symbols for component in components))
    real = {symbol: _assumed(symbol, assumptions) for symbol in symbols}
    return [component.xreplace(real) for component in components], [real[score] for score in x]


def _assumed(symbol: sp.Symbol, assumptions: object) -> sp.Symbol:
    """The symbol as a real one, with what is assumed of it."""
    import sympy as sp

    positive = symbol.is_positive or (True if sp.ask(sp.Q.positive(symbol), assumptions) else None)
    nonnegative = symbol.is_nonnegative or (True if sp.ask(sp.Q.nonnegative(symbol), assumptions) else None)
    return sp.Symbol(symbol.name, real=True, positive=positive, nonnegative=nonnegative)


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


def _decided(components: Sequence[sp.Expr], scores: Sequence[sp.Symbol]) -> Iterator[tuple[str, Property]]:
    """The properties one after the other, the quick and important ones first."""
    import sympy as sp

    from softmax_trick.certification import loss, ranges, smoothness, softmax_type
    from softmax_trick.certification.subject import YES, Subject, property_of

    subject = Subject(components, scores)
    smooth = smoothness.differentiable(subject)
    yield "differentiable", smooth
    p2, form = softmax_type.softmax_type(subject)
    if smooth.holds is False:
        p2, form = Property(False, "exact", smooth.witness, "F is not differentiable", dict(softmax_type.NOTHING)), None
    yield "softmax_type", p2
    has_unity = form is not None and form.slack == 0  # then 1 - sum y, divided by y_1 exp(-d_1 x_1), is 0
    unity = property_of(YES if has_unity else subject.zero(sp.Add(*subject.components) - 1))
    yield "unity", unity
    positive = ranges.positive(subject, form)
    yield "positive", positive
    yield "generalised_softmax", softmax_type.generalised_softmax(unity, positive, p2)
    yield "trick", softmax_type.trick(subject, p2, form)
    symmetric = loss.symmetric_jacobian(subject, form)
    yield "symmetric_jacobian", symmetric
    yield "order_preserving", ranges.order_preserving(subject, form, smooth)
    yield "lipschitz", ranges.lipschitz(subject, form, smooth)
    yield "convex", loss.convex(subject, symmetric, form, smooth)
    yield "bounded", ranges.bounded(subject, form)
    yield "implicit_loss", loss.implicit_loss(subject, symmetric, smooth, form)


def _within(time_limit: float, components: Sequence[sp.Expr], scores: Sequence[sp.Symbol]) -> Certificate:
    """Decide in a process of its own, for as long as the limit allows."""
    from dataclasses import fields

    ours, theirs = multiprocessing.Pipe(duplex=False)
    worker = multiprocessing.Process(target=_work, args=(theirs, components, scores), daemon=True)
    worker.start()
    theirs.close()
    deadline, found, trouble = time.monotonic() + time_limit, {}, "the time limit was reached"
    try:
        while ours.poll(max(0.0, deadline - time.monotonic())):
            try:
                name, decided = ours.recv()
            except EOFError:  # all is said; or the process died, and then something is missing
                trouble = "the process that decides it died"
                break
            if name is None:
                trouble = decided
                break
            found[name] = decided
    finally:
        worker.kill()
        worker.join()
    missing = Property(None, reason=trouble)
    names = [entry.name for entry in fields(Certificate) if entry.name != "k"]
    return Certificate(k=len(components), **{name: found.get(name, missing) for name in names})


def _work(connection: Connection, components: Sequence[sp.Expr], scores: Sequence[sp.Symbol]) -> None:
    try:
        for name, decided in _decided(components, scores):
            connection.send((name, decided))
    except Exception as error:
        connection.send((None, f"crashed: {type(error).__name__}: {error}"))
    connection.close()
