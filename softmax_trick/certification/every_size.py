"""A normalizer given as one formula, `softmax(d*x - c)`, certified for every K.

What holds is proved for symbolic K on the language of formulas; what fails is refuted at K = 2, 3 or 1 by the exact
engine for given components; what neither decides is undecided. Dilation, relocation and slack are formulas.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Literal

from softmax_trick.certification.certificate import PROPERTIES, Certificate, Property
from softmax_trick.certification.given_size import certify_components
from softmax_trick.certification.implied import with_implied
from softmax_trick.certification.normalizer import Normalizer, check
from softmax_trick.deciding.decision import Decision, decide, where_defined
from softmax_trick.deciding.points import Witness
from softmax_trick.deciding.ranges import range_of
from softmax_trick.deciding.relations import decide_conservative, decide_order, decide_psd
from softmax_trick.derivation.forms import form_of
from softmax_trick.language import expression as ex
from softmax_trick.language.functions import cosh, exp, largest, log, logsumexp, relu, softplus, total, unfolded
from softmax_trick.language.interpreter import Reading
from softmax_trick.language.text import to_text
from softmax_trick.readings.canonical import Canonical, TooLarge, Undefined
from softmax_trick.system.interrupted import OutOfTime, interrupted_after

SMALL = (2, 3, 1)  # the K at which what fails is looked for
SHARE = 6  # of the time limit for each of them
ZERO, ONE = ex.as_expression(0), ex.as_expression(1)
NOTHING: dict[str, Any] = {"dilation": None, "relocation": None, "slack": None, "support": None}
# What holds at every K, where every component is one function of its own score, if it does at this K: the Jacobian is
# diagonal, the potential a sum over the entries, each bound that of an entry; the order is a matter of two scores.
OF_EACH = dict.fromkeys(("defined", "differentiable", "positive", "symmetric_jacobian", "implicit_loss"), 1)
OF_EACH |= {"convex": 1, "bounded": 1, "lipschitz": 1, "order_preserving": 2}


def certify_formula(formula: ex.Expression, x: ex.Variable, time_limit: float = 60.0) -> Certificate:
    """The properties of a normalizer F: R^K -> R^K given as one formula, for every K.

    Args:
        formula: F(x), a vector over the axis of x.
        x: the scores, a real vector.
        time_limit: in seconds; what is not decided by then is undecided.

    Returns:
        the certificate; its `k` is None, for every K.

    Raises:
        AxesError: F(x) and x have not the same axis.
        LanguageError: the scores are not real, or do not occur.
    """
    check(formula, x)
    return _Formula(formula, x, time.perf_counter() + time_limit).certificate()


class _Formula:
    """F, and what is known of it."""

    def __init__(self, formula: ex.Expression, x: ex.Variable, until: float) -> None:
        self.formula, self.x, self.until = formula, x, until
        self.jacobian = ex.jacobian(formula, x)
        self.unfolded = _unfolded(formula)
        self.relocation: ex.Expression | None = None
        self.slack: ex.Expression | None = None
        self.dilation: ex.Expression | None = None
        self._at: dict[int, Certificate | None] = {}

    def certificate(self) -> Certificate:
        found: dict[str, Property] = {}
        for name, prove in self._proofs():
            found[name] = self._decided(name, prove)
            if name == "defined" and found[name].holds is False:
                partial = Property(False, "exact", reason="F is not defined everywhere")
                return _certificate({one: found.get(one, partial) for one in PROPERTIES})
            if found[name].holds and not found["defined"].holds:
                found[name] = Property(None, reason="F is not known to be defined everywhere")
        if found["implicit_loss"].holds is False:
            found["convex"] = Property(None, reason="there is no implicit loss")
        return _certificate(found)

    def _decided(self, name: str, prove: Callable[[], Property]) -> Property:
        """The property proved for every K, or refuted at one; else undecided."""
        left = self.until - time.perf_counter()
        if left <= 0:
            return Property(None, reason="the time limit was reached")
        try:
            with interrupted_after(max(left / 2, 1.0)):  # so that one hard proof leaves time for the others
                found = prove()
        except OutOfTime as error:
            found = Property(None, reason=f"no proof was found in {error} s, its share of the time limit")
        except (Undefined, TooLarge, RecursionError) as error:
            found = Property(None, reason=str(error))
        if found.holds is None and name in OF_EACH:
            found = self._of_each(name) or found
        return found if found.holds is not None else self._refuted(name, found)

    def _proofs(self) -> Iterator[tuple[str, Callable[[], Property]]]:
        yield "defined", self._defined
        yield "differentiable", self._differentiable
        yield "unity", lambda: _property(decide(total(self.formula), ONE))
        yield "positive", self._positive
        yield "symmetric_jacobian", lambda: _property(decide_conservative(self.formula, self.x))
        yield "softmax_type", self._softmax_type
        yield "generalised_softmax", self._generalised
        yield "trick", self._trick
        yield "implicit_loss", self._implicit_loss
        yield "convex", lambda: _property(decide_psd(self.jacobian))
        yield "order_preserving", self._order_preserving
        yield "bounded", self._bounded
        yield "lipschitz", self._lipschitz

    # --- what is proved ---

    def _defined(self) -> Property:
        conditions = where_defined(self.formula)
        if conditions:
            return Property(None, reason=f"it is where {' and '.join(conditions)}")
        return Property(True, "general")

    def _differentiable(self) -> Property:
        conditions = where_defined(self.jacobian)
        if conditions:
            return Property(None, reason=f"it is where {' and '.join(conditions)}")
        return Property(True, "general", reason="composed of smooth functions")

    def _positive(self) -> Property:
        return _property(decide_order(ZERO, self.formula, "<"))

    def _softmax_type(self) -> Property:
        """(P2) with the d that the diagonal of J gives; then a_j / a_i and the slack from w_i = exp(d_i x_i) / y_i."""
        y, x = self.unfolded, self.x
        self.dilation = None
        if self._jacobian_is_diagonal():
            return Property(None, reason="J is diagonal", extras=dict(NOTHING))
        d = form_of(ex.diagonal(ex.jacobian(y, x)) / (y * (1 - y)), until=self.until).form
        if d is None or x in d.variables:
            return Property(None, reason="no dilation was found", extras=dict(NOTHING))
        y = self.formula
        found = decide(self.jacobian, ex.matmul(ex.diag(y) - ex.outer(y, y), ex.diag(d)))
        if found.verdict != "proved":
            return replace(_property(found), extras=dict(NOTHING))
        self.dilation = _scalar(d)
        relocation, slack = self._relocated(d)
        self.relocation, self.slack = relocation, slack
        extras: dict[str, Any] = {
            "dilation": to_text(self.dilation),
            "relocation": None if relocation is None else to_text(relocation),
            "slack": None if slack is None else to_text(slack),
            "support": None,
        }
        zero = not (range_of(d).positive or range_of(d).negative)
        note = "; relocation and slack where no dilation is 0" if zero and slack is not None else ""
        return Property(True, "general", reason=f"by the classification A1c{note}", extras=extras)

    def _relocated(self, d: ex.Expression) -> tuple[ex.Expression | None, ex.Expression | None]:
        """c, up to a constant, and the slack C: F(x) = exp(d*x - c) / (C + sum exp(d*x - c)); None if not found."""
        y, x = self.unfolded, self.x
        (axis,) = x.axes
        w = exp(d * x) / y
        ratios = ex.jacobian(w, x) / ex.cols(d * exp(d * x), axis)  # exp(c_i - c_j)
        c = form_of(log(ex.matmul(ratios, ex.ones(axis))), until=self.until).form
        if c is None or x in c.variables:
            return None, None
        c = _without_constant(c)
        powers = exp(d * x - c)
        slack = form_of(powers / y - total(powers), until=self.until).form
        if slack is None or x in slack.variables or _scalar(slack).axes:
            return None, None
        slack = _scalar(slack)
        found = decide(self.formula, powers / (slack + total(powers)))
        return (c, slack) if found.verdict == "proved" else (None, None)

    def _generalised(self) -> Property:
        unity, positive = decide(total(self.formula), ONE), self._positive()
        extras: dict[str, Any] = {"dilation": None, "relocation": None}
        if self.dilation is None or unity.verdict != "proved" or not positive.holds:
            return Property(None, reason="it asks for the softmax type, unity and positive entries", extras=extras)
        relocation = None if self.relocation is None else to_text(self.relocation)
        extras = {"dilation": to_text(self.dilation), "relocation": relocation}
        return Property(True, "general", reason="softmax type, unity and positive entries", extras=extras)

    def _trick(self) -> Property:
        if self.dilation is None or not self._positive().holds:
            return Property(
                None, reason="it asks for the softmax type, and that no entry is 0", extras={"dilation": None}
            )
        return Property(True, "general", reason="by A1.2-3r", extras={"dilation": to_text(self.dilation)})

    def _implicit_loss(self) -> Property:
        symmetric = _property(decide_conservative(self.formula, self.x))
        extras: dict[str, Any] = {"potential": None, "expression": None, "entry": None}
        if not symmetric.holds:
            symmetric = self._of_each("implicit_loss") or symmetric
        if not symmetric.holds:
            return replace(symmetric, extras=extras)
        taken = [one.name for one in self.formula.variables]
        targets = next(name for name in ("t", "targets", "the_targets") if name not in taken)
        if (potential := self._potential()) is not None:
            extras |= {"potential": potential, "expression": f"{potential} - dot({self.x.name}, {targets})"}
        return replace(symmetric, extras=extras)

    def _potential(self) -> str | None:
        """A function with F as its gradient, if one is found."""
        for potential in self._potentials():
            if decide(ex.gradient(potential, self.x), self.formula).verdict == "proved":
                short = form_of(potential, until=self.until).form
                return to_text(potential if short is None else short)
        alone = self._of_each("implicit_loss")
        if alone is None or alone.extras.get("potential") is None:  # for lack of time it may not be known
            return None
        x = self.x.name
        of_entries = re.sub(rf"\b{x}1\b", x, alone.extras["potential"])
        return "0" if of_entries == "0" else f"sum({of_entries})"

    def _potentials(self) -> Iterator[ex.Expression]:
        """Functions that may have F as their gradient."""
        x, y = self.x, self.formula
        scales = [self.dilation] if self.dilation is not None and not self.dilation.axes else []
        for node in y.nodes():
            if isinstance(node, ex.Call) and node.function == "softmax":
                u, *slack = node.arguments
                one = logsumexp(u) if not slack else log(slack[0] + total(exp(u)))
                yield from (one, *(one / scale for scale in scales))
            if isinstance(node, ex.Apply) and node.function == "divide":
                below = node.arguments[1]
                while isinstance(below, ex.Spread):
                    below = below.argument
                if not below.axes:
                    yield from (log(below), *(log(below) / scale for scale in scales))
        yield from (total(softplus(x)), total(log(cosh(x))), total(x**2) / 2, total(relu(x) ** 2) / 2, total(exp(x)))

    def _order_preserving(self) -> Property:
        same = self.dilation is not None and not self.dilation.axes and range_of(self.dilation).nonnegative
        if same and self.relocation == ZERO and self._positive().holds:
            return Property(True, "general", reason="equal dilations, not negative, and equal relocations")
        slope = self._slope(_with_scalars_held(self.unfolded, self.x))
        if slope is not None and range_of(slope).nonnegative:
            return Property(True, "general", reason="every component is one function of its score that does not fall")
        return Property(None, reason="neither one function for every component nor of softmax type")

    def _slope(self, formula: ex.Expression) -> ex.Expression | None:
        """The derivative of every entry by its score, if each is one function of it, without jumps."""
        if not _is_entrywise(formula, self.x) or where_defined(formula):
            return None
        return form_of(ex.diagonal(ex.jacobian(formula, self.x)), until=self.until).form

    def _bounded(self) -> Property:
        between = range_of(self.formula)
        alone = self._of_each("bounded")
        extras: dict[str, Any] = {"range": None if alone is None else alone.extras["range"]}
        if self._is_shrunk_softmax():
            because = "of softmax type, with positive entries and a slack that is not negative"
            return Property(True, "general", reason=because, extras={**extras, "bound": [["0", "1"]]})
        because = "ranges of its parts"
        low, high = (None if end is None else str(end) for end in (between.low, between.high))
        if low is None:
            low, because = self._end("<=", (ZERO, -ONE)), "inequalities, decided"
        if low is not None and high is None:
            high, because = self._end(">=", (ONE,)), "inequalities, decided"
        if low is None or high is None:
            return Property(None, reason="no bound was found", extras=extras)
        extras["bound"] = [[low, high]]
        return Property(True, "general", reason=because, extras=extras)

    def _end(self, relation: Literal["<=", ">="], ends: Sequence[ex.Expression]) -> str | None:
        """The first of some numbers beyond which no entry lies."""
        for end in ends:
            sides = (end, self.formula) if relation == "<=" else (self.formula, end)
            if time.perf_counter() < self.until and _property(decide_order(*sides)).holds:
                return to_text(end)
        return None

    def _lipschitz(self) -> Property:
        extras: dict[str, Any] = {"bound": None, "exact": None}
        slope = self._slope(self.formula)
        if slope is not None:
            return self._of_each("lipschitz") or self._by_slope(slope)
        if self.dilation is None or not self._is_shrunk_softmax():
            return Property(None, reason="no constant was found", extras=extras)
        size = self.dilation
        if not range_of(size).nonnegative:
            size = ex.Apply("abs", (size,), size.axes)
        half = form_of((largest(size) if size.axes else size) / 2, until=self.until).form
        if half is not None:
            extras["bound"] = to_text(half)
        return Property(True, "general", reason="the eigenvalues of D_y - y y^T lie in [0, 1/2]", extras=extras)

    def _by_slope(self, slope: ex.Expression) -> Property:
        """The bound of a function whose every component is one of its score, with this derivative, without jumps."""
        within, bound, is_constant = range_of(slope), None, self.x not in slope.variables
        if is_constant:
            size = slope if within.nonnegative else ex.Apply("abs", (slope,), slope.axes)
            short = form_of(size, until=self.until).form
            bound = to_text(_scalar(size if short is None else short))
        elif within.low is not None and within.high is not None:
            bound = str(max(-within.low, within.high))
        extras = {"bound": bound, "exact": is_constant or None}
        if bound is None:
            return Property(None, reason="no constant was found", extras=extras)
        return Property(True, "general", reason="every component is one function of its score", extras=extras)

    def _is_shrunk_softmax(self) -> bool:
        """Whether it is of softmax type with positive entries that sum to at most 1."""
        found = self.dilation is not None and self.slack is not None and range_of(self.slack).nonnegative
        return found and bool(self._positive().holds)

    def _of_each(self, name: str) -> Property | None:
        """The property if every component is one function of its own score, the same at every size, and has it."""
        alike = _is_entrywise(self.formula, self.x) and not any(
            isinstance(one, ex.Size) for one in self.formula.parts()
        )
        given = self._certified_at(OF_EACH[name]) if alike else None
        found: Property | None = getattr(given, name, None)
        if found is None or not found.holds:
            return None
        return replace(found, reason=f"every component is one function of its score, decided at K = {OF_EACH[name]}")

    def _jacobian_is_diagonal(self) -> bool:
        (axis,) = self.x.axes
        i, j = (("free", ex.size_of(axis), name) for name in ("_i", "_j"))
        entry = Reading(Canonical()).entry(self.jacobian, (i, j))
        return all(any(f.kind == "delta" and set(f.data) == {i, j} for f, _ in monomial) for monomial in entry)

    # --- what is refuted ---

    def _refuted(self, name: str, found: Property) -> Property:
        """The property refuted at a small K, if it is; what was found, if not."""
        for k in SMALL:
            given = self._certified_at(k)
            one = None if given is None else getattr(given, name)
            if one is not None and one.holds is False:
                because = f"at K = {k}" + (f": {one.reason}" if one.reason else "")
                extras = dict.fromkeys(found.extras)
                return Property(False, one.rung, one.witness, because, extras)
        return found

    def _certified_at(self, k: int) -> Certificate | None:
        """The certificate at a given K; None where a variable has a domain that no symbol has, or for lack of time."""
        if k not in self._at:
            left = self.until - time.perf_counter()
            if left < 1:
                return None
            self._at[k] = _components_certified(self.formula, self.x, k, min(left, max(left / SHARE, 2.0)))
        return self._at[k]


def _certificate(found: Mapping[str, Property]) -> Certificate:
    properties: dict[str, Any] = with_implied({name: found[name] for name in PROPERTIES}, None)
    return Certificate(k=None, **properties)


def _is_entrywise(formula: ex.Expression, x: ex.Variable) -> bool:
    """Whether every entry is one function of that of x, of scalars and of sizes."""
    entries = ex.Number | ex.Size | ex.Apply | ex.Spread | ex.Definition
    return all(
        isinstance(one, entries) or one == x or (isinstance(one, ex.Variable) and not one.axes)
        for one in formula.parts()
    )


def _with_scalars_held(formula: ex.Expression, x: ex.Variable) -> ex.Expression:
    """The formula with each of its scalars in x, such as sum(exp(x)), as a parameter: two entries differ by x alone."""
    held: dict[ex.Expression, ex.Expression] = {}
    taken = {one.name for one in formula.variables}

    def hold(node: ex.Expression) -> ex.Expression:
        if node.axes or x not in node.variables:
            return node.rebuilt(hold)
        if node not in held:
            within = range_of(node)
            domain: ex.Kind = "positive" if within.positive else "nonnegative" if within.nonnegative else "real"
            name = next(name for n in count(1) if (name := f"s{n}") not in taken)
            taken.add(name)
            held[node] = ex.Variable(name, (), domain)
        return held[node]

    return hold(formula)


def _unfolded(node: ex.Expression) -> ex.Expression:
    """The formula with its SoftMax written out, so that exponentials cancel."""
    if isinstance(node, ex.Definition):
        return _unfolded(node.meaning)
    node = node.rebuilt(_unfolded)
    written_out = isinstance(node, ex.Call) and node.function in ("softmax", "log_softmax", "logsumexp")
    meaning = unfolded(node) if written_out else None
    return node if meaning is None else _unfolded(meaning)


def _without_constant(c: ex.Expression) -> ex.Expression:
    """A relocation without what is the same for all classes."""
    if not _scalar(c).axes:
        return ZERO
    match c:
        case ex.Apply("add", (u, v)):
            for one, other in ((u, v), (v, u)):
                if not _scalar(one).axes:
                    return _without_constant(other)
        case ex.Apply("subtract", (u, v)):
            if not _scalar(u).axes:
                return -_without_constant(v)
            if not _scalar(v).axes:
                return _without_constant(u)
    return c


def _scalar(form: ex.Expression) -> ex.Expression:
    """What is the same in every entry, as a scalar."""
    while isinstance(form, ex.Spread):
        form = form.argument
    return form


def _property(decision: Decision) -> Property:
    match decision.verdict:
        case "proved":
            if decision.conditions:
                return Property(None, reason=f"it is so where {' and '.join(decision.conditions)}")
            return Property(True, "general")
        case "refuted":
            return Property(False, "exact", _point(decision.witness), _size(decision.witness))
    return Property(None, reason=decision.reason)


def _size(witness: Witness | None) -> str:
    return "" if witness is None else "at " + ", ".join(f"{name} = {size}" for name, size in witness.sizes.items())


def _point(witness: Witness | None) -> dict[str, str] | None:
    """The entries of a witness by name: x1, x2, ..."""
    if witness is None:
        return None
    point: dict[str, str] = {}

    def put(name: str, value: Any) -> None:
        if isinstance(value, list):
            for n, entry in enumerate(value, 1):
                put(f"{name}{n}", entry)
        else:
            point[name] = str(value)

    for name, value in (witness.values | witness.indices).items():
        put(name, value)
    return point


def _components_certified(formula: ex.Expression, x: ex.Variable, k: int, seconds: float) -> Certificate | None:
    """The certificate of the components at a given K, which is exact."""
    from softmax_trick.certification.components import components_of

    sizes = {ex.size_of(axis): k for one in formula.variables for axis in one.axes}
    try:
        given = components_of(Normalizer((formula,), x, sizes, {}))
        return certify_components(given.components, given.scores, seconds, needs=given.needs)
    except (ValueError, TypeError, ArithmeticError):
        return None
