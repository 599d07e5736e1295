"""Whether the gradient that torch code computes is the gradient of what it computes, for every size."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from torch import Tensor

from softmax_trick.language.expression import Expression, LanguageError
from softmax_trick.language.grammar import read
from softmax_trick.proving.case import Case
from softmax_trick.proving.findings import REMEDY, first_findings, objection, second_findings
from softmax_trick.proving.inputs import Declared, read_inputs
from softmax_trick.proving.points import leaves
from softmax_trick.proving.recording import NoGradient, Recording
from softmax_trick.proving.result import Finding, Proof
from softmax_trick.proving.scope import Scope, scope
from softmax_trick.proving.target import Target, bind, run
from softmax_trick.proving.tracing import Line, SizeFixed, TracingError, is_in_torch
from softmax_trick.system.interrupted import OutOfTime, interrupted_after

DEPTH = 100_000  # of recursion: expressions are as deep as the code is long
SECOND_LIMIT = 20.0  # seconds


def prove_gradient(
    function: Any,
    inputs: str,
    *,
    like: str | None = None,
    second: bool = True,
    name: str = "",
    second_limit: float = SECOND_LIMIT,
) -> Proof:
    """Whether the backward pass of torch code is the gradient of its forward pass, for every size.

    The code is traced, forward and backward; each operation is read as an expression over axes; and it is decided
    whether the backward pass is grad_output times the gradient of the forward pass, over the reals.

    Args:
        function: a function from tensors to a tensor, an `autograd.Function`, or a module.
        inputs: what it takes: "scores: n,K; targets: label n of K; gamma = 2"; see `softmax_trick.proving.inputs`.
        like: a formula in the names of the inputs, which value and gradient are compared with besides.
        second: whether the second derivatives through the backward pass are looked at, too.
        name: what the function is called in messages.
        second_limit: seconds after which second derivatives are given up, and said to be undecided. It is kept by
            the alarm of the system (SIGALRM), and so in the main thread only.

    Raises:
        DeclarationError: `inputs` has no meaning.
        TargetError: the function fails, returns no tensor, changes its inputs or takes others.
        LanguageError: `like` is no formula in the names of the inputs.
    """
    begin = time.perf_counter()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, DEPTH))
    try:
        return _Prover(bind(function, read_inputs(inputs), name), second, begin, second_limit).proof(like)
    finally:
        sys.setrecursionlimit(limit)


class _Prover:
    def __init__(self, target: Target, second: bool, begin: float, limit: float) -> None:
        self._target, self._second, self._begin, self._limit = target, second, begin, limit
        self._notes: list[str] = []

    def proof(self, like: str | None) -> Proof:
        formula = None if like is None else _formula(like, self._target.declared)
        try:
            return self._proof(formula)
        except SizeFixed as error:
            self._fix_sizes(error)
            return self._proof(formula)

    def _fix_sizes(self, error: SizeFixed) -> None:
        """The code goes another way at other sizes: then what is said is for one size."""
        declared = self._target.declared
        fixed = {axis: 3 for axis in error.fixed if axis in declared.axes}
        for axis, size in fixed.items():
            self._notes.append(_turned_into_a_number(axis, error.fixed[axis]) + f"what is said is for {axis} = {size}")
        axes = tuple(axis for axis in declared.axes if axis not in fixed)
        declared = replace(declared, given={**declared.given, **fixed}, axes=axes)
        self._target = replace(self._target, declared=declared)

    def _proof(self, formula: Expression | None) -> Proof:
        value = run(self._target, leaves(self._target.declared, self._target.declared.traced_sizes()))
        try:
            case = Case(Recording(self._target, value, order=1))
        except NoGradient as error:
            return self._result([Finding("gradient", "undecided", str(error))])
        except TracingError as error:
            where = f"\n  at {error.line}" if error.line else ""
            return self._result([Finding("gradient", "undecided", f"{error}{where}\n  {REMEDY}")])
        why = objection(case)
        if why:
            return self._result([Finding("gradient", "undecided", why)], case)
        findings = first_findings(case, formula)
        if case.reader.has_small_bounds and "undecided" in [finding.verdict for finding in findings]:
            again = Case(case.recording, unbounded=True)
            if not objection(again) and all(one.verdict == "proved" for one in first_findings(again, formula)):
                bounds = [one for one in again.conditions if one not in case.conditions]
                findings = [_only_where(finding, bounds) for finding in findings]
        if case.recording.trace.tracing == "family":
            for axis, line in case.recording.trace.fixed.items():
                self._notes.append(
                    _turned_into_a_number(axis, line) + "traced at three sizes, each number is solved for"
                )
        said = _scope(case, findings)
        wrong = {one.what: one for one in reversed(said.refuted)}
        findings = [wrong.get(one.what, one) if one.verdict == "proved" else one for one in findings]
        second: list[Finding] = []
        if self._second and all(finding.verdict == "proved" for finding in findings):
            second = self._second_findings(value)
        return self._result(findings, case, second, said.text)

    def _second_findings(self, value: Tensor) -> list[Finding]:
        found: list[Finding] = []
        try:
            with interrupted_after(self._limit, is_in_torch):  # whose C++ expects no exception
                case = Case(Recording(self._target, value, order=2))
                why = objection(case)
                if not why:
                    found = second_findings(case)
                    where = _scope(case, found).text
                    return [replace(finding, scope=where) for finding in found]
        except OutOfTime as error:
            if found:  # all is decided but for sizes of 1
                return [replace(finding, scope=scope(case, from_one=False).text) for finding in found]
            why = f"it took longer than {error} s; second_limit=... (on the command line --time-limit) gives it more"
        except NoGradient as error:
            why = str(error)
        except TracingError as error:
            why = f"{error} at {error.line}" if error.line else str(error)
        return [Finding("second derivative", "undecided", why)]

    def _result(
        self, findings: list[Finding], case: Case | None = None, second: Sequence[Finding] = (), where: str = ""
    ) -> Proof:
        declared = self._target.declared
        readings = {one.name: str(one) for one in declared.inputs}
        readings |= {name: str(number) for name, number in declared.numbers.items()}
        is_proved = any(one.verdict == "proved" for one in findings)
        conditions = tuple(case.conditions) if case and is_proved else ()
        notes, seconds = tuple(dict.fromkeys(self._notes)), time.perf_counter() - self._begin
        name = self._target.name
        return Proof(name, readings, where, tuple(findings), tuple(second), conditions, notes, seconds=seconds)


def _scope(case: Case, findings: list[Finding]) -> Scope:
    """For which sizes findings are said; "" if none is proved."""
    return scope(case) if any(finding.verdict == "proved" for finding in findings) else Scope("", [])


def _turned_into_a_number(axis: str, line: Line | None) -> str:
    return f"the code turns the size {axis} into a number{f' at {line}' if line else ''}: "


def _only_where(finding: Finding, bounds: list[str]) -> Finding:
    """Of what is open on the whole domain, that it is proved on a part of it."""
    if finding.verdict == "proved":
        return finding
    return replace(finding, reason=f"proved only where {' and '.join(bounds)}; elsewhere: {finding.reason}")


def _formula(text: str, declared: Declared) -> Expression:
    """The formula, its names declared as the inputs are."""
    kinds = []
    for one in declared.inputs:
        axes = ",".join(one.axes)
        match one.kind:
            case "label":
                kinds.append(f"{one.name}: {axes + ' ' if axes else ''}label {one.into}")
            case "mask":
                continue
            case "distribution":
                kinds.append(f"{one.name}: {axes} distribution over {one.into}")
            case _:
                kinds.append(f"{one.name}: {axes} {'' if one.kind == 'real' else one.kind}".strip())
    for name, number in declared.numbers.items():
        kinds.append(f"{name} = {Fraction(str(number))}")
    kinds += [f"{axis} = {size}" for axis, size in declared.given.items() if not axis.isdigit()]
    names = {one.name for one in declared.inputs}
    statement = read(text, let="; ".join(kinds))
    found = statement.expressions[0]
    unknown = sorted({one.name for one in found.variables} - names)
    if unknown:
        raise LanguageError(f"{', '.join(unknown)} in --like is no input: the inputs are {', '.join(sorted(names))}")
    return found
