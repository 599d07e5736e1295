"""What is decided of recorded code: that its value and its derivatives are what they should be."""

from __future__ import annotations

from collections.abc import Sequence

from softmax_trick.deciding.decision import Decision, decide_where, fitted_sides
from softmax_trick.language.expression import Expression, LanguageError, Spread, Variable, gradient, vjp
from softmax_trick.language.functions import dot
from softmax_trick.proving.case import Case
from softmax_trick.proving.counterexamples import counterexample
from softmax_trick.proving.inputs import Input
from softmax_trick.proving.reader import NoReading
from softmax_trick.proving.recording import BRANCHES
from softmax_trick.proving.result import Finding
from softmax_trick.proving.self_check import self_check
from softmax_trick.proving.values import ZERO, Real, flat, number

REMEDY = "softmax_trick.testing.check_loss samples what cannot be proved"


def objection(case: Case) -> str:
    """Why nothing can be said: an operation has no reading, or a reading is not what torch computes; else ""."""
    failure = case.failure
    branches = case.recording.branches
    if failure is None:
        results = [case.reader.values[ref.number] for ref in case.recording.trace.results[-len(branches) :]]
        for (outcome, line), condition in zip(branches, results if branches else (), strict=True):
            if not (isinstance(condition, Real) and condition.expression == number(int(outcome))):
                return BRANCHES + (f"\n  at {line}" if line else "") + f"\n  {REMEDY}"
        return self_check(case)
    name, line = failure.operation.name.removeprefix("aten.").split(".")[0], failure.operation.line
    said, where = f"torch's {name} is not read: {failure}", f" at {line}" if line else ""
    if case.recording.order == 2:
        return said + where
    return said + (f"\n {where}" if where else "") + f"\n  {REMEDY}"


def first_findings(case: Case, formula: Expression | None) -> list[Finding]:
    """The statements about first derivatives, and about the value if there is a formula."""
    value = case.result(0)
    found = [] if formula is None else [_decided(case, "value", value.expression, formula, None)]
    place = 1
    for n in case.recording.by:
        one = case.declared.inputs[n]
        if n in case.recording.missing:
            found.append(_absent(one, value))
            continue
        got, what = case.result(place).expression, f"gradient by {one.name}"
        found.append(_decided(case, what, got, _vjp(case, value.expression, one), one, place))
        if formula is not None:
            found.append(_decided(case, f"{what}, of the formula", got, _vjp(case, formula, one), one, place))
        place += 1
    return found


def second_findings(case: Case) -> list[Finding]:
    """The statements about second derivatives: of <gradient, v>, by each input, and by grad_output if it is not right.

    With a wrong one by grad_output, second derivatives are wrong of what the code is a part of.
    """
    recording, found = case.recording, []
    given = [case.declared.inputs[n] for n in recording.by if n not in recording.missing]
    parts = [_with_direction(case.result(place).expression, one) for place, one in enumerate(given, 1)]
    inner, place = sum(parts[1:], parts[0]), 1 + len(given)
    inputs: list[Input | None] = [*(case.declared.inputs[n] for n in recording.by), None]
    for k, one in enumerate(inputs):
        variable = one.variable if one else Variable("grad_output", flat(recording.output_dims))
        what, wanted = f"second derivative by {variable.name}", gradient(inner, variable)
        if k not in recording.missing_again:
            finding = _decided(case, what, case.result(place).expression, wanted, one, place)
            place += 1
        else:
            finding = _silent(case, what, wanted)
        if one or finding.verdict != "proved":
            found.append(finding)
    return found


def _silent(case: Case, what: str, wanted: Expression) -> Finding:
    """What autograd gives no second derivative for."""
    match _decision(case, wanted, _spread(ZERO, wanted.axes)).verdict:
        case "proved":
            return Finding(what, "proved", "it is 0")
        case "refuted":
            reason = "autograd gives none, though the gradient depends on it: it is silently 0"
            return Finding(what, "refuted", reason)
    return Finding(what, "undecided", "autograd gives none")


def _with_direction(gradient_by_one: Expression, one: Input) -> Expression:
    """<gradient, v>."""
    v = Variable(f"v_{one.name}", flat(one.dims))
    if not v.axes:
        return gradient_by_one * v
    return dot(gradient_by_one if gradient_by_one.axes else _spread(gradient_by_one, v.axes), v)


def _spread(expression: Expression, axes: Sequence[str]) -> Expression:
    for place, axis in enumerate(axes):
        expression = Spread(expression, axis, place)
    return expression


def _vjp(case: Case, value: Expression, one: Input) -> Expression:
    """What the gradient by an input should be: grad_output times the derivative of the value."""
    grad_output = Variable("grad_output", flat(case.recording.output_dims))
    if not grad_output.axes:
        return gradient(value, one.variable) * grad_output
    return vjp(value if value.axes else _spread(value, grad_output.axes), one.variable, grad_output)


def _absent(one: Input, value: Real) -> Finding:
    what = f"gradient by {one.name}"
    if one.name not in {variable.name for variable in value.expression.variables}:
        return Finding(what, "proved", "the value does not depend on it")
    return Finding(
        what,
        "undecided",
        f"the code gives none, though the value depends on {one.name}; if it is held constant on purpose, declare "
        f"'{one.name}: {','.join('*'.join(d) or '1' for d in one.dims) or 'scalar'} constant'",
    )


def _decided(case: Case, what: str, got: Expression, wanted: Expression, by: Input | None, place: int = 0) -> Finding:
    """Whether a result, the value or the derivative by an input, is what is wanted."""
    try:
        left, right = fitted_sides(got, wanted)
    except LanguageError as error:
        return Finding(what, "undecided", f"the shapes differ: {error}")
    try:
        decision = _decision(case, left, right)
    except (RuntimeError, ValueError, ArithmeticError) as error:
        return Finding(what, "undecided", f"the reduction failed: {type(error).__name__}: {error}; {REMEDY}")
    is_proved = decision.verdict == "proved"
    if is_proved and place not in case.doubtful:
        return Finding(what, "proved")
    witness = counterexample(case, left, right, place)
    if is_proved and witness is None:
        return Finding(what, "proved")
    if witness is not None:
        return Finding(what, "refuted", _detached(case, by, place), witness)
    reason = decision.reason or "the canonical forms differ, and no counterexample was confirmed in the code"
    return Finding(what, "undecided", f"{reason}; {REMEDY}")


def _decision(case: Case, left: Expression, right: Expression) -> Decision:
    """First for every size, which is short where given sizes are written out; then for those that are given."""
    if any(size > 1 for size in case.given.values()):
        decision = decide_where(left, right, {axis: 1 for axis, size in case.given.items() if size == 1}, ())
        if decision.verdict == "proved":
            return decision
    return decide_where(left, right, case.given, ())


DETACHED = ("aten.detach.default", "aten.alias.default")  # from torch 2.14 on the trace has the second


def _detached(case: Case, by: Input | None, place: int) -> str:
    """Whether the gradient is right if what is detached counts as a constant."""
    operations = case.recording.trace.operations
    held = frozenset(
        n
        for n, one in enumerate(operations)
        if one.name in DETACHED and not one.backward and one.line
        if any(word in one.line.text for word in ("detach", ".data", "no_grad"))
    )
    if by is None or case.recording.order != 1 or not held:
        return ""
    other = Case(case.recording, held)
    try:
        wanted = _vjp(other, other.result(0).expression, by)
        sides = fitted_sides(other.result(place).expression, wanted)
        right = decide_where(*sides, other.given, ()).verdict == "proved"
    except (NoReading, LanguageError):
        return ""
    return f"right only if what is detached at {operations[min(held)].line} is held constant" if right else ""
