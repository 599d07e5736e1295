"""Derivatives in the user's own terms, each proved equal to the raw derivative, for every size.

>>> derive("-sum(t*log(softmax(x)))", "x", "t: K nonnegative").gradient
sum(t)*softmax(x) - t
>>> from softmax_trick.language.expression import variable
>>> from softmax_trick.language.functions import log, softmax, total
>>> x, t = variable("x", "K"), variable("t", "K", "nonnegative")
>>> derive(-total(t * log(softmax(x))), x).gradient
sum(t)*softmax(x) - t
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from softmax_trick.deciding.decision import Decision
from softmax_trick.derivation.facts import Fact, facts_of
from softmax_trick.derivation.forms import Form, form_of
from softmax_trick.language import expression as ex
from softmax_trick.language.expression import gradient, hessian, jacobian, vjp
from softmax_trick.language.grammar import Statement, read
from softmax_trick.language.latex import to_latex
from softmax_trick.language.text import to_text


@dataclass(frozen=True, repr=False)
class Derivation:
    """What `derive` found.

    Attributes:
        value: the formula.
        by: the variable.
        forms: the derivatives: the gradient, and the Hessian if asked for; of a vector the Jacobian and its vjp.
        facts: what follows, each proved.
        seconds: wall time.
    """

    value: ex.Expression
    by: ex.Variable
    forms: Mapping[ex.DerivativeKind, Form]
    facts: tuple[Fact, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    def __getitem__(self, kind: ex.DerivativeKind) -> ex.Expression:
        """A derivative in the user's terms.

        Raises:
            LanguageError: it was not asked for, or no form of it was proved.
        """
        if kind not in self.forms:
            raise ex.LanguageError(f"no {kind} was asked for; there is {', '.join(self.forms)}")
        form = self.forms[kind].form
        if form is None:
            raise ex.LanguageError(f"no form of the {kind} was proved")
        return form

    @property
    def gradient(self) -> ex.Expression:
        """The gradient of a scalar."""
        return self["gradient"]

    @property
    def hessian(self) -> ex.Expression:
        """The Hessian of a scalar, if it was asked for."""
        return self["hessian"]

    @property
    def jacobian(self) -> ex.Expression:
        """The Jacobian of a vector."""
        return self["jacobian"]

    @property
    def vjp(self) -> ex.Expression:
        """The Jacobian of a vector, transposed, times g."""
        return self["vjp"]

    @property
    def complete(self) -> bool:
        """Whether every derivative was found and proved."""
        return all(form.form is not None for form in self.forms.values())

    def __repr__(self) -> str:
        rows = [("value", to_text(self.value))]
        rows += [(kind, form.text or f"undecided: {form.reason}") for kind, form in self.forms.items()]
        decisions = [form.decision for form in self.forms.values() if form.form is not None and form.decision]
        rows += [("proved", scope) for scope in dict.fromkeys(map(scope_in_words, decisions))]
        rows += [("fact", str(fact)) for fact in self.facts]
        return "\n".join(f"{name:<10}{text}" for name, text in rows)

    @property
    def latex(self) -> str:
        """The names that occur and each derivative as equations, the lines of an aligned block."""
        found = {form.of: form.form for form in self.forms.values() if form.form is not None}
        names = {n: n.meaning for e in (*found, *found.values()) for n in e.nodes() if isinstance(n, ex.Definition)}
        lines = [f"{to_latex(one)} &= {to_latex(other)}" for one, other in (names | found).items()]
        return " \\\\\n".join(lines)

    def _repr_latex_(self) -> str:
        return f"$$\\begin{{aligned}}\n{self.latex}\n\\end{{aligned}}$$"


def scope_in_words(decision: Decision) -> str:
    """For which sizes a decision holds, and where."""
    return decision.scope + (f", where {' and '.join(decision.conditions)}" if decision.conditions else "")


@dataclass(frozen=True)
class Question:
    """What is to be derived, as it was read.

    Attributes:
        function: the formula.
        by: the variable.
        statement: how the names were read, their definitions and the sizes that are given.
    """

    function: ex.Expression
    by: ex.Variable
    statement: Statement


def read_question(formula: str, by: str, let: str = "", second: bool = False) -> Question:
    """A formula and a variable from text.

    What nothing decides is a vector, if there is a derivative by it: x in softmax(d*x), but not in x**2.

    Args:
        formula: the formula.
        by: the name of the variable.
        let: declarations of names; those that it defines may stand in the results.
        second: whether the Hessian is asked for: then the formula must be a scalar.

    Raises:
        LanguageError: the text is no formula, or there is no derivative of it by this name; the message shows where.
        AxesError: axes that do not fit.
    """
    names = [one.name for one in read(formula, let=let).definitions]
    try:
        statement = read(f"grad({formula}, {by})", *names, let=let)
    except ex.AxesError:
        if second:
            raise
        statement = read(f"jacobian({formula}, {by})", *names, let=let)
    raw = statement.expressions[0]
    if not isinstance(raw, ex.Derivative):
        raise ex.LanguageError(f"{formula}: this is no formula")
    for index in raw.function.free:
        raise ex.LanguageError(
            f"the index {index.name} is free: write [{index.name}:{index.axis}] ..., or a sum over it"
        )
    if raw.by not in raw.function.variables:
        raise ex.LanguageError(f"{raw.by.name} does not occur in the formula, whose derivative by it is 0")
    return Question(raw.function, raw.by, statement)


def derive(
    function: ex.Expression | str,
    by: ex.Variable | str,
    let: str = "",
    *,
    names: tuple[ex.Definition, ...] = (),
    second: bool = False,
    facts: bool = True,
    sizes: Mapping[str, int] | None = None,
    time_limit: float = float("inf"),
) -> Derivation:
    """The derivatives of a formula, in the terms of the formula, each proved equal to the raw one for every size.

    Args:
        function: a scalar, for its gradient; or a vector, for its Jacobian and vjp; as an expression or as text.
        by: the variable, or its name.
        let: declarations of the names in texts, "x: K; c: label K; y = softmax(x)".
        names: definitions that the forms may use, besides those in the formula.
        second: whether the Hessian of a scalar is found too.
        facts: whether it is asked what follows.
        sizes: sizes that are given.
        time_limit: seconds after which nothing more is tried.

    Raises:
        LanguageError: a derivative by something that is no variable, by a label or by a distribution; a text that is
            no formula; an expression and a text.
        AxesError: the Hessian of a vector; axes that do not fit.
    """
    begin = time.perf_counter()
    if isinstance(function, str) and isinstance(by, str):
        question = read_question(function, by, let, second)
        function, by = question.function, question.by
        names, sizes = (*names, *question.statement.definitions), sizes or question.statement.sizes
    if isinstance(function, str) or isinstance(by, str):
        raise ex.LanguageError("give a formula and a variable as two texts, or as two expressions")
    until = begin + time_limit
    own = (node for node in function.nodes() if isinstance(node, ex.Definition))
    names = tuple(dict.fromkeys((*names, *reversed(list(own)))))
    wanted: dict[ex.DerivativeKind, ex.Expression]
    if function.axes:
        if second:
            raise ex.AxesError(f"the Hessian of {ex.shape(function.axes)}: it takes a scalar")
        wanted = {"jacobian": jacobian(function, by), "vjp": vjp(function, by, _direction(function, names))}
    else:
        wanted = {"gradient": gradient(function, by)}
        if second:
            wanted["hessian"] = hessian(function, by)
    forms = {kind: form_of(raw, names, sizes, until) for kind, raw in wanted.items()}
    known = next(iter(forms.values())).form is not None  # of what is not known to be defined anywhere, nothing is said
    found = tuple(facts_of(function, by, forms, names, until)) if facts and known else ()
    return Derivation(function, by, forms, found, time.perf_counter() - begin)


def _direction(function: ex.Expression, names: tuple[ex.Definition, ...]) -> ex.Variable:
    """A vector with the axes of a function, under a name that is free."""
    taken = {one.name for one in function.variables} | {one.name for one in names}
    name = next(name for name in ("g", "G", *(f"g{n}" for n in range(1, 99))) if name not in taken)
    return ex.variable(name, function.axes)
