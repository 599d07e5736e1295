"""Losses as formulas: what is read from the text, and ready ones by name.

A formula is that of one row, with the scores x over K; or of a whole batch, with a matrix x. A label, or t, are the
targets; names that have a value are constants of it, all others are inputs, which the loss gets by keyword.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from softmax_trick.emission.stable_forms import stable
from softmax_trick.language.expression import Expression, Number, Variable, size_of
from softmax_trick.language.grammar import read
from softmax_trick.language.names import described

Parameters = Mapping[str, float | int | Fraction]


@dataclass(frozen=True)
class Ready:
    """A loss that has a name.

    Attributes:
        title: what it is.
        forms: its formula, in the forms in which it is commonly written; the first is shown. That they are equal is
            proved in the tests.
        let: the declarations of its names.
        parameters: its parameters, and what they are unless given.
        source: where it is from.
    """

    title: str
    forms: tuple[str, ...]
    let: str
    parameters: Parameters = field(default_factory=dict)
    source: str = ""


LABEL, SOFT = "x: K; c: label K", "x: K; t: K nonnegative"
READY: Mapping[str, Ready] = {
    "cross_entropy": Ready("cross-entropy", ("logsumexp(x) - x[c]", "-log(softmax(x))[c]"), LABEL),
    "soft_cross_entropy": Ready(
        "cross-entropy of soft targets", ("-sum(t*log_softmax(x))", "sum(t)*logsumexp(x) - sum(t*x)"), SOFT
    ),
    "temperature": Ready(
        "cross-entropy at a temperature",
        ("logsumexp(x/tau) - x[c]/tau",),
        f"{LABEL}; tau: positive",
        {"tau": 2},
        "Guo et al. 2017",
    ),
    "logit_scale": Ready(
        "cross-entropy of scaled scores", ("logsumexp(s*x) - s*x[c]",), f"{LABEL}; s: positive", {"s": 30}
    ),
    "label_smoothing": Ready(
        "cross-entropy with label smoothing",
        ("-(1 - s)*log_softmax(x)[c] - s*mean(log_softmax(x))", "logsumexp(x) - (1 - s)*x[c] - s*mean(x)"),
        f"{LABEL}; s: unit",
        {"s": Fraction(1, 10)},
        "Szegedy et al. 2016",
    ),
    "z_loss": Ready(
        "cross-entropy with z-loss",
        ("logsumexp(x) - x[c] + z*logsumexp(x)**2",),
        f"{LABEL}; z: nonnegative",
        {"z": Fraction(1, 10000)},
        "Chowdhery et al. 2022 (PaLM)",
    ),
    "soft_cap": Ready(
        "cross-entropy of soft-capped scores",
        ("logsumexp(cap*tanh(x/cap)) - cap*tanh(x[c]/cap)",),
        f"{LABEL}; cap: positive",
        {"cap": 30},
        "Gemma 2, 2024",
    ),
    "focal": Ready(
        "focal loss",
        ("-(1 - p)**gamma*log(p)",),
        f"{LABEL}; gamma: nonnegative; p = softmax(x)[c]",
        {"gamma": 2},
        "Lin et al. 2017",
    ),
    "poly": Ready(
        "Poly-1 loss",
        ("epsilon*(1 - p) - log(p)",),
        f"{LABEL}; epsilon: real; p = softmax(x)[c]",
        {"epsilon": 1},
        "Leng et al. 2022",
    ),
    "bce": Ready(
        "binary cross-entropy with logits, summed over the classes",
        (
            "sum(softplus(x) - t*x)",
            "sum(max(x, 0) - t*x + log1p(exp(-abs(x))))",
            "sum((1 - t)*x + softplus(-x))",  # torch's own, where 40 - 38 cancels at x = -40
            "-sum(t*log_sigmoid(x) + (1 - t)*log_sigmoid(-x))",
        ),
        "x: K; t: K unit",
    ),
    "bce_weighted": Ready(
        "binary cross-entropy with weights and pos_weight, summed over the classes",
        (
            "sum(weight*((1 - t)*x + (1 + (pos_weight - 1)*t)*softplus(-x)))",
            "sum(weight*((1 + (pos_weight - 1)*t)*softplus(x) - pos_weight*t*x))",
            "-sum(weight*(pos_weight*t*log_sigmoid(x) + (1 - t)*log_sigmoid(-x)))",
        ),
        "x: K; t: K unit; weight: K positive; pos_weight: K positive",
        source="torch.nn.BCEWithLogitsLoss",
    ),
    "kl": Ready(
        "Kullback-Leibler divergence of log-probabilities x, summed over the classes: the mean over rows is torch's "
        "'batchmean', its 'mean' is K times less",
        ("sum(t*(log(t) - x))", "sum(t*log(t) - t*x)"),
        "x: K; t: K distribution",
        source="torch.nn.KLDivLoss",
    ),
    "kl_mean": Ready(
        "Kullback-Leibler divergence of log-probabilities x, divided by K: torch's 'mean'",
        ("sum(t*(log(t) - x))/K", "sum(t*log(t) - t*x)/K"),
        "x: K; t: K distribution",
        source="torch.nn.KLDivLoss",
    ),
    "distillation": Ready(
        "Kullback-Leibler divergence of targets from SoftMax at a temperature, times its square",
        ("tau**2*sum(t*(log(t) - log_softmax(x/tau)))",),
        "x: K; t: K distribution; tau: positive",
        {"tau": 2},
        "Hinton et al. 2015",
    ),
    "balanced_softmax": Ready(
        "cross-entropy of SoftMax with class counts",
        ("logsumexp(x + log(counts)) - (x + log(counts))[c]",),
        f"{LABEL}; counts: K positive",
        source="Ren et al. 2020",
    ),
    "multi_margin": Ready(
        "multi-class hinge loss",
        ("sum[k:K] max(0, margin + x[k] - x[c])*(1 - (k == c))/K",),
        f"{LABEL}; margin: positive",
        {"margin": 1},
        "torch.nn.MultiMarginLoss",
    ),
    "infonce": Ready(
        "InfoNCE: the cross-entropy of each row, its own column being right, averaged",
        ("mean(logsumexp(x/tau) - diagonal(x)/tau)", "-mean(diagonal(log_softmax(x/tau)))"),
        "x: N,N'; tau: positive",
        {"tau": Fraction(1, 10)},
        "van den Oord et al. 2018",
    ),
    "infonce_both": Ready(
        "InfoNCE over both axes, averaged",
        ("mean((logsumexp(x/tau, N') + logsumexp(x/tau, N))/2 - diagonal(x)/tau)",),
        "x: N,N'; tau: positive",
        {"tau": Fraction(1, 10)},
        "Radford et al. 2021 (CLIP)",
    ),
    "huber": Ready(
        "Huber loss, summed",
        ("sum(where(abs(x - t) < d, (x - t)**2/2, d*(abs(x - t) - d/2)))",),
        "x: K; t: K; d: positive",
        {"d": 1},
        "Huber 1964",
    ),
    "layer_norm": Ready(
        "layer normalisation of each row, times weights t",
        (
            "sum(t*(x - mean(x))/sqrt(mean((x - mean(x))**2) + eps))",
            "sum(t*(x - mean(x)))/sqrt(mean(x**2) - mean(x)**2 + eps)",
        ),
        "x: K; t: K; eps: positive",
        {"eps": Fraction(1, 100000)},
        "Ba et al. 2016",
    ),
    "rms_norm": Ready(
        "root mean square normalisation of each row, times weights t",
        ("sum(t*x/sqrt(mean(x**2) + eps))",),
        "x: K; t: K; eps: positive",
        {"eps": Fraction(1, 1000000)},
        "Zhang and Sennrich 2019",
    ),
    "brier": Ready("Brier score", ("sum((softmax(x) - onehot(c))**2)",), LABEL, source="Brier 1950"),
}


@dataclass(frozen=True)
class Formula:
    """A loss as a formula.

    Attributes:
        text: as it was given.
        forms: the formula in forms that floating point can evaluate; right is what the first says, and rounding
            explains what it explains in any.
        scores: the variable x; a vector, or a matrix for a loss of a whole batch.
        target: the label or the targets; None if it has none.
        others: its other inputs.
        sizes: the sizes that are given.
    """

    text: str
    forms: tuple[Expression, ...]
    scores: Variable
    target: Variable | None
    others: tuple[Variable, ...]
    sizes: Mapping[str, int]

    @property
    def names(self) -> dict[str, str]:
        """How each name was read that is no constant: {"x": "vector over K"}."""
        given = (self.scores, *(() if self.target is None else (self.target,)), *self.others)
        return {one.name: described(one.axes, one.kind, one.along) for one in given}

    @property
    def by_batch(self) -> bool:
        """Whether it is a formula of the whole batch."""
        return len(self.scores.axes) == 2

    @property
    def axes(self) -> tuple[str, str]:
        """The names of the sizes of rows and classes; "" for rows of which the formula knows nothing."""
        names = tuple(map(size_of, self.scores.axes))
        return ("", names[0]) if len(names) == 1 else (names[0], names[1])


def formula(like: str | Sequence[str], let: str = "", parameters: Parameters | None = None, by: str = "x") -> Formula:
    """A loss from its text, from several texts that are equal, or by its name in `READY`.

    Args:
        like: the formula, see docs/language.md.
        let: declarations of its names.
        parameters: the values of names that are constants of the loss.
        by: the name of the scores.

    Raises:
        ValueError: it is no formula of a loss; the message says why. A `LanguageError` is one.
    """
    given = dict(parameters or {})
    ready = READY.get(like) if isinstance(like, str) else None
    if ready is not None:
        if let:
            raise ValueError(f"{like} has its declarations: {ready.let}; write its formula out to change them")
        like, let, given = ready.forms, ready.let, {**ready.parameters, **given}
    texts = (like,) if isinstance(like, str) else tuple(like)
    if not texts or (texts[0].isidentifier() and texts[0] != by):
        given_name = repr(texts[0]) if texts else "nothing"
        raise ValueError(
            f"{given_name} is no loss that has a name: write its formula, or choose among {', '.join(READY)}"
        )
    statement = read(*texts, let=let if by in _declared(let) else f"{by}: K; {let}")
    numbers = {name: _number(name, value) for name, value in given.items()}
    variables = {one.name: one for form in statement.expressions for one in form.variables}
    for name in numbers:
        if name not in variables:
            known = ", ".join(sorted(set(variables) - {by})) or "none"
            raise ValueError(f"parameter {name!r} is not in the formula; its names are {known}")
        if variables[name].axes:
            raise ValueError(
                f"parameter {name!r} is {_shape(variables[name])}: only scalars have a value, others are drawn"
            )
    forms = tuple(stable(_with(form, numbers)) for form in statement.expressions)
    _equal(forms, texts)
    left = {name: one for name, one in variables.items() if name not in numbers}
    return _checked(texts[0], forms, left, by, statement.sizes)


def _equal(forms: Sequence[Expression], texts: Sequence[str]) -> None:
    """Several forms of a formula are one loss.

    Raises:
        ValueError: they are not proved equal.
    """
    from softmax_trick.deciding.decision import decide

    for form, text in zip(forms[1:], texts[1:], strict=True):
        decision = decide(forms[0], form)
        if decision.verdict != "proved":
            raise ValueError(f"{texts[0]} and {text} are not proved equal: {decision}")


def _declared(let: str) -> set[str]:
    return {part.partition(":")[0].partition("=")[0].strip() for part in let.split(";")}


def _shape(one: Variable) -> str:
    return f"over {', '.join(one.axes)}" if one.axes else "a scalar"


def _number(name: str, value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise ValueError(f"parameter {name!r} is {value!r}: a number is needed")
    try:
        return Fraction(repr(value) if isinstance(value, float) else value)  # 0.1 is 1/10: rounded by every format
    except (ValueError, OverflowError):
        raise ValueError(f"parameter {name!r} is {value!r}: a finite number is needed") from None


def _with(expression: Expression, numbers: Mapping[str, Fraction]) -> Expression:
    """The expression with numbers for names."""
    if isinstance(expression, Variable) and expression.name in numbers:
        return Number(numbers[expression.name])
    return expression.rebuilt(lambda inner: _with(inner, numbers))


def _checked(
    text: str, forms: tuple[Expression, ...], variables: Mapping[str, Variable], by: str, sizes: Mapping[str, int]
) -> Formula:
    """What each name is, and whether that makes a loss."""
    value = forms[0]
    if by not in variables:
        names = ", ".join(sorted(variables)) or "none"
        raise ValueError(f"the formula {text} has no {by}, the scores; its names are {names}: by= says which they are")
    scores = variables[by]
    if scores.kind != "real":
        raise ValueError(f"the scores {by} are declared {scores.kind}: scores are real")
    if len(scores.axes) not in (1, 2):
        raise ValueError(
            f"the scores {by} are {_shape(scores)}: a vector, of a row, or a matrix, of a batch, is needed"
        )
    own = {size_of(axis) for axis in scores.axes}
    if len(value.axes) > 0 and not (len(scores.axes) == 2 and value.axes == scores.axes[:1]):
        hint = ""
        if value.axes == scores.axes and len(scores.axes) == 1:
            hint = "; is it a normalizer? check_normalizer is for those; or is sum(...) missing?"
        raise ValueError(f"a loss is one number for each row, and {text} is over {', '.join(value.axes)}{hint}")
    if value.free:
        raise ValueError(f"the index {min(value.free, key=str).name} is free in {text}: a loss has none")
    labels = [one for one in variables.values() if one.kind == "label"]
    if len(labels) > 1:
        raise ValueError(f"{' and '.join(one.name for one in labels)} are labels: a loss has one")
    target = labels[0] if labels else variables.get("t") if by != "t" else None
    if target is not None and not labels and target.axes != scores.axes:
        target = None
    others = tuple(one for name, one in sorted(variables.items()) if name != by and one is not target)
    for one in (*others, *([target] if target is not None else [])):
        for axis in (*one.axes, *([one.into] if one.kind == "label" else [])):
            if size_of(axis) not in own and size_of(axis) not in sizes:
                raise ValueError(
                    f"{one.name} is over {axis}, and the scores are over {', '.join(scores.axes)}: give the size of "
                    f"{axis}, as in let='{size_of(axis)} = 3'"
                )
    return Formula(text, forms, scores, target, others, sizes)
