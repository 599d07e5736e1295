"""check_loss: whether a loss is what it ought to be, value and gradients, on drawn examples.

Each sub-check is a function of the loss under test and of a `draw`; `LOSS_CHECKS` names them in the order in which they
are run. The right answers, and how far rounding may lead away from them: `softmax_trick.testing.reference`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import Tensor

from softmax_trick.isbe import REDUCTIONS, Reduction
from softmax_trick.normalizers import SOFTMAX, Normalizer, get_normalizer
from softmax_trick.testing.answers import compare
from softmax_trick.testing.by_reference import ReferenceLoss, ReferenceProblem
from softmax_trick.testing.formulas import Formula, Parameters, formula
from softmax_trick.testing.frameworks import FRAMEWORKS, Framework
from softmax_trick.testing.hints import offset
from softmax_trick.testing.like import FormulaLoss, FormulaProblem
from softmax_trick.testing.reference import HALF_TYPES, Problem
from softmax_trick.testing.running import Checked, Draw, Mismatch, run_checks
from softmax_trick.testing.strategies import ScoreKind, TargetKind, scores, shapes, targets

LossFunction = Callable[..., Tensor]
TargetForm = Literal["index", "soft", "simplex"]
Feature = Literal["ignore_index", "weights", "label_smoothing", "soft_targets", "simplex_targets", "masks"]
FEATURES: tuple[Feature, ...] = get_args(Feature)
# Features that the loss receives by keyword, named as in torch's own losses.
KEYWORDS = {"ignore_index": "ignore_index", "weights": "weight", "label_smoothing": "label_smoothing"}


def check_loss(
    loss_fn: Callable[..., Any],
    normalizer: str | Normalizer = "softmax",
    reduction: Reduction = "sum",
    targets: TargetForm | None = None,
    features: Iterable[Feature] = (),
    *,
    like: str | Sequence[str] | None = None,
    reference: LossFunction | None = None,
    let: str = "",
    parameters: Parameters | None = None,
    by: str = "x",
    half: Literal["eager", "strict"] = "eager",
    axis: int = -1,
    framework: Framework = "torch",
    checks: Iterable[str] | None = None,
) -> Checked:
    """Check a loss against its formula, value and gradients, on drawn examples.

    The formula is that of a normalizer F, P(x) - <x, t> with grad P = F, and the gradient F(x) - t; or it is given by
    `like`. For "softmax" that is the cross-entropy after SoftMax, for "sigmoid" the binary cross-entropy with logits,
    summed over the classes; the others are those of `softmax_trick.isbe.ISBELoss`, constants included. The examples are
    drawn by Hypothesis, the same ones every time; the first sub-check that fails is named, with its smallest example.

    With `like`, right is an enclosure by Arb at the exact inputs, and what rounding explains is derived for the
    formula, entry by entry: `softmax_trick.testing.rounding`.

    Args:
        loss_fn: called as loss_fn(scores, targets), with scores of shape (n, K) on torch's default device. Options are
            given only where a feature names them, by keyword as to torch's losses: `ignore_index=`, `weight=` (shape
            (K,), the dtype of the scores), `label_smoothing=`. Inputs of a formula beside x and its targets are given
            by keyword under their names; a formula without targets is called with the scores alone.
        normalizer: a name in `softmax_trick.normalizers.NORMALIZERS`, or a `Normalizer` of your own.
        reduction: what loss_fn returns: the "sum" over the rows, their "mean" (over the n rows, also where torch would
            divide by n K; with ignored rows and weights as F.cross_entropy), or a value for each row, "none".
        targets: "index", class indices of shape (n,), int64, the default; or "soft", rows of shape (n, K) in the dtype
            of the scores, anywhere in [0, 1]; or "simplex", where the loss asks for rows that sum to 1. Where they do
            not, a loss after SoftMax may be the implicit loss P(x) - <x, t> or the cross-entropy -sum t log y, which is
            then another: the value settles it, and the gradient has to be that of the same one. With `like`, the
            formula says what the targets are.
        features: what else is promised: "ignore_index", "weights" (softmax only), "label_smoothing", "soft_targets" or
            "simplex_targets" (beside class indices), "masks" (softmax only: scores of -inf for some classes, never for
            the target). With `like`: "ignore_index" and "masks".
        like: the formula of a row, "logsumexp(x) - x[c] + z*logsumexp(x)**2" (docs/language.md), of several forms that
            are equal a list, or the name of one in `softmax_trick.testing.formulas.READY`. With x declared as a matrix
            it is that of the whole batch.
        reference: another function, in torch, called as loss_fn, which the loss ought to be; with the same reduction.
            What rounding explains is then sampled, not derived: `softmax_trick.testing.by_reference`.
        let: with `like`, declarations of its names.
        parameters: with `like`, the values of names that are constants of the loss, {"z": 1e-4}.
        by: with `like`, the name of the scores.
        half: with `like`, how half types are used: "strict", float32 inside and one rounding of the result; or "eager",
            every intermediate rounded, where some faults cannot be seen.
        axis: where the classes are: -1, scores (n, K); 1, scores (n, K, d) and labels (n, d); 0, scores (K, n).
        framework: "torch", or what loss_fn is a function of: see `softmax_trick.testing.frameworks`.
        checks: the names of the sub-checks to run, among `LOSS_CHECKS` and the features; all by default. To be used
            where a sub-check makes no sense, such as gradients of a loss that has none.

    Returns:
        the names of what was checked, and what loss_fn refuses: second derivatives and half types may be refused by an
        exception, and so many classes that its memory does not suffice; wrong they may not be.

    Raises:
        CheckFailed: a sub-check failed; it is an AssertionError.
        ValueError: an argument is unknown, or a feature does not go with the other arguments; the formula is none.
    """
    __tracebackhide__ = True
    if isinstance(features, str):
        features = (features,)  # type: ignore[assignment]
    function = along(adapted(loss_fn, framework), axis)
    if like is None:
        for name, given in (("let", let), ("parameters", parameters), ("by", by != "x"), ("half", half != "eager")):
            if given:
                raise ValueError(f"{name}= belongs to like=, a formula: give one, or leave it")
        loss: Examined = (
            LossUnderTest(function, usable(get_normalizer(normalizer)), reduction, targets or "index", tuple(features))
            if reference is None
            else _by_reference(function, reference, normalizer, reduction, targets or "index", tuple(features))
        )
    else:
        if reference is not None:
            raise ValueError("give like= or reference=, not both: each says what the loss ought to be")
        loss = _like(
            function, normalizer, reduction, targets, tuple(features), half, formula(like, let, parameters, by)
        )
    every = _sub_checks(loss, framework)
    passed = run_checks(loss, every, checks)
    notes = _on_half_types(loss) if isinstance(loss, FormulaLoss) else ()
    return Checked(passed, tuple(sorted(loss.refused)), tuple(sorted(loss.unjudged)), notes)


def _like(
    function: LossFunction,
    normalizer: str | Normalizer,
    reduction: Reduction,
    targets: TargetForm | None,
    features: tuple[Feature, ...],
    half: str,
    wanted: Formula,
) -> FormulaLoss:
    """A loss that ought to be a formula."""
    if normalizer != "softmax":
        raise ValueError("give a normalizer or like=, not both: each says what the loss ought to be")
    if targets is not None:
        raise ValueError("targets= is for normalizers: with like=, the formula says what its targets are")
    _known("reduction", reduction, REDUCTIONS)
    _known("half", half, ("eager", "strict"))
    for feature in features:
        if feature not in ("ignore_index", "masks"):
            raise ValueError(f"feature {feature!r} does not go with like=: write it into the formula")
    if "ignore_index" in features and (wanted.target is None or wanted.target.kind != "label" or wanted.by_batch):
        raise ValueError("feature 'ignore_index' needs a formula of a row with a label")
    return FormulaLoss(function, wanted, reduction, features, half == "strict")


def _by_reference(
    function: LossFunction,
    reference: LossFunction,
    normalizer: str | Normalizer,
    reduction: Reduction,
    targets: TargetForm,
    features: tuple[Feature, ...],
) -> ReferenceLoss:
    """A loss that ought to be another function."""
    if normalizer != "softmax":
        raise ValueError("give a normalizer or reference=, not both: each says what the loss ought to be")
    if not callable(reference):
        raise ValueError(f"reference= is a {type(reference).__name__}, not a function; a formula goes to like=")
    if features:
        raise ValueError(f"feature {features[0]!r} does not go with reference=: let both functions have it")
    _known("reduction", reduction, REDUCTIONS)
    _known("targets", targets, _FORMS)
    return ReferenceLoss(function, reference, reduction, targets)


def _sub_checks(loss: Examined, framework: str) -> dict[str, Callable[[Any, Draw], None]]:
    """The sub-checks that make sense for a loss, by name."""
    every: dict[str, Callable[[Any, Draw], None]] = dict(LOSS_CHECKS)
    for name in FRAMEWORKS[framework].without:
        del every[name]
    if isinstance(loss, FormulaLoss) and loss.formula.by_batch:
        for name in ("one class", *(("many classes", "many rows") if loss.square else ())):
            every.pop(name, None)
    if (
        isinstance(loss, LossUnderTest)
        and loss.normalizer is SOFTMAX
        and (loss.targets == "soft" or "soft_targets" in loss.features)
    ):
        every["off the simplex"] = check_off_the_simplex
    every |= {name: check for name, check in FEATURE_CHECKS.items() if name in loss.features}
    if len(loss.keywords) > 1:
        every["features together"] = check_features_together
    return every


def _on_half_types(loss: FormulaLoss) -> tuple[str, ...]:
    """What was assumed of half types."""
    if loss.strict or not loss.eager:
        return ()
    return (
        f"{' and '.join(sorted(loss.eager))}: beyond what one rounding of a float32 result explains, so that every "
        "intermediate was taken to be rounded; smaller faults cannot be seen",
    )


def adapted(function: Callable[..., Any], framework: str) -> LossFunction:
    """A loss of another framework as one of torch."""
    _known("framework", framework, tuple(FRAMEWORKS))
    if not callable(function):
        raise ValueError(f"loss_fn is a {type(function).__name__}, not a function")
    return FRAMEWORKS[framework].adapt(function)


def along(function: LossFunction, axis: int) -> LossFunction:
    """A loss with the classes along another axis, as one of scores (n, K)."""
    _known("axis", axis, (-1, 0, 1))
    if axis == -1:
        return function

    def by_rows(x: Tensor, *rest: Tensor, **options: Any) -> Tensor:
        n = x.shape[0]
        d = next(d for d in (3, 2, 1) if n % d == 0) if axis == 1 else 1
        lead = (n // d, d) if axis == 1 else (n,)

        def placed(tensor: Tensor) -> Tensor:
            if tensor.dim() < 2:
                return tensor.reshape(lead)
            moved = tensor.reshape(*lead, tensor.shape[1]).movedim(-1, axis)
            return moved.contiguous() if tensor.is_contiguous() else moved

        value = function(placed(x), *map(placed, rest), **options)
        right_shape = isinstance(value, Tensor) and value.shape == lead
        return value.reshape(n) if right_shape and len(lead) > 1 else value

    return by_rows


def _known(what: str, value: object, known: Sequence[object]) -> None:
    if value not in known:
        raise ValueError(f"unknown {what} {value!r}: choose one of {', '.join(map(str, known))}")


@dataclass(frozen=True)
class LossUnderTest:
    """A loss under test, and what is promised of it; the fields are those of `check_loss`.

    Attributes:
        refused: what it was seen to refuse so far.
    """

    function: LossFunction
    normalizer: Normalizer
    reduction: str
    targets: str
    features: tuple[str, ...]
    refused: set[str] = field(default_factory=set)
    unjudged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _known("reduction", self.reduction, REDUCTIONS)
        _known("targets", self.targets, _FORMS)
        for feature in self.features:
            if feature not in FEATURES:
                raise ValueError(f"unknown feature {feature!r}: choose among {', '.join(FEATURES)}")
            if feature in ("weights", "masks") and self.normalizer is not SOFTMAX:
                raise ValueError(
                    f"feature {feature!r} is defined for softmax only, not for {self.normalizer.title}: leave it"
                )
        if "ignore_index" in self.features and self.targets != "index":
            raise ValueError("feature 'ignore_index' needs targets='index': soft targets have no index to ignore")

    @property
    def keywords(self) -> tuple[str, ...]:
        """The features that are given by keyword."""
        return tuple(feature for feature in self.features if feature in KEYWORDS)

    def soft_kinds(self) -> tuple[TargetKind, ...]:
        """The soft targets for which the loss is defined, and is the same loss by either formula."""
        on_simplex: tuple[TargetKind, ...] = ("one-hot", "blurred", "simplex")
        anywhere = self.normalizer is not SOFTMAX and not {"simplex", "simplex_targets"} & {
            self.targets,
            *self.features,
        }
        return (*on_simplex, "off-simplex") if anywhere else on_simplex

    def problem(
        self,
        draw: Draw,
        kinds: tuple[ScoreKind, ...] = ("generic", "tied"),
        rows: tuple[int, int] = (2, 4),
        classes: tuple[int, int] = (2, 8),
    ) -> Problem:
        """Scores and targets in float64, without options."""
        shape = draw(shapes(rows, classes))
        forms: tuple[TargetKind, ...] = ("index",) if self.targets == "index" else self.soft_kinds()
        return Problem(self.normalizer, self.reduction, draw(scores(shape, kinds)), draw(targets(shape, forms)))

    def posed(self, x: Tensor, labels: Tensor) -> Problem:
        """These scores with these labels, or with one-hot targets."""
        soft = labels if self.targets == "index" else torch.nn.functional.one_hot(labels, x.shape[1]).double()
        return Problem(self.normalizer, self.reduction, x, soft)


_FORMS: tuple[TargetForm, ...] = get_args(TargetForm)
Examined = LossUnderTest | FormulaLoss | ReferenceLoss
Posed = Problem | FormulaProblem | ReferenceProblem


def usable(normalizer: Normalizer) -> Normalizer:
    """The normalizer, if answers can be computed from it.

    Raises:
        ValueError: its F or P raises on scores of shape (n, K), or gives another shape than (n, K) or (n,).
    """
    for k in (1, 5):
        x = torch.zeros(3, k, dtype=torch.float64, device="cpu")
        for name, function, shape in (("F", normalizer.torch, x.shape), ("P", normalizer.torch_potential, x.shape[:1])):
            try:
                found = function(x)
            except Exception as error:
                raise ValueError(
                    f"{name} of the normalizer {normalizer.title} raises {described(error)} on scores of shape (3, {k})"
                ) from error
            if not isinstance(found, Tensor) or found.shape != shape:
                got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
                raise ValueError(f"{name} of the normalizer {normalizer.title} gives {got}, not {tuple(shape)}")
    return normalizer


# --- running the loss -------------------------------------------------------------------------------------------------


class Raised(Mismatch):
    """The loss raised an exception, which is the cause of this one."""


def here(tensor: Tensor) -> Tensor:
    """A copy on torch's default device, where the loss is run."""
    return tensor.detach().clone().to(torch.get_default_device())


def forward(loss: Examined, problem: Posed, x: Tensor | None = None, t: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The scores, as a leaf that requires a gradient, and the value of the loss; x and t, if given, in their place."""
    x = here(problem.scores).requires_grad_() if x is None else x
    t = here(problem.targets) if t is None and problem.targets is not None else t
    given = problem.options()
    options = {name: here(one).to(x.dtype) if isinstance(one, Tensor) else one for name, one in given.items()}
    try:
        value = loss.function(*(x,) if t is None else (x, t), **options)
    except Exception as error:
        inputs = ", ".join(
            ["the scores", *(["the targets"] if t is not None else []), *(f"{name}=" for name in options)]
        )
        called = f" (it was called with {inputs})" if isinstance(error, TypeError) and "argument" in str(error) else ""
        raise Raised(f"the loss raises {described(error)}{called}", problem.example(), right=problem.value()) from error
    for name, one in given.items():
        if isinstance(one, Tensor) and not torch.equal(options[name], here(one).to(x.dtype)):
            raise Mismatch(f"{name} was written into", problem.example(), options[name], one)
    if not isinstance(value, Tensor):
        raise Mismatch(
            f"the loss is a {type(value).__name__}, not a tensor (what numpy computes needs a torch.autograd.Function)",
            *(problem.example(), value, problem.value()),
        )
    return x, value


def backward(problem: Posed, value: Tensor, x: Tensor, grad_output: Tensor, **options: bool) -> Tensor:
    """The gradient in the scores, for this grad_output."""
    example = problem.example() | {"grad_output": grad_output}
    try:
        (found,) = torch.autograd.grad(value, x, grad_output.to(value), allow_unused=True, **options)
    except Exception as error:
        right = problem.gradient(grad_output.detach().cpu())
        raise Mismatch(f"the backward pass raises {described(error)}", example, right=right) from error
    if found is None:
        raise Mismatch("no gradient reaches the scores", example, right=problem.gradient(grad_output.detach().cpu()))
    return found


def described(error: Exception) -> str:
    """An exception in a line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def compare_value(problem: Posed, value: Tensor) -> None:
    """Hold a value against the right one; the mean of no rows may be NaN, as torch's is, or 0."""
    if problem.denominator == 0 and value.shape == ():
        if not (value.isnan() or value == 0):
            raise Mismatch("the mean of no rows is wrong", problem.example(), value, "nan or 0")
        return
    compare("the value", value, problem.answer_value(), problem.example())


def compare_gradient(problem: Posed, found: Tensor, grad_output: Tensor, what: str = "the gradient") -> None:
    """Hold a gradient against the right one."""
    compare(what, found, problem.answer_gradient(grad_output), problem.example() | {"grad_output": grad_output})


def draw_grad_output(problem: Posed, draw: Draw) -> Tensor:
    """A grad_output of the shape of the value: ones, zeros, and others; 65536 is a usual loss scale."""
    entries = st.sampled_from([1.0, 0.0, 2.5, -0.5, 65536.0]) | st.integers(-3000, 3000).map(lambda n: n / 1024)
    if not problem.shape:
        return problem.x.new_tensor(draw(entries))
    return problem.x.new_tensor(draw(st.lists(entries, min_size=problem.shape[0], max_size=problem.shape[0])))


def ones(problem: Posed) -> Tensor:
    """The grad_output that `loss.backward()` would send, or `loss.sum().backward()`."""
    return problem.x.new_ones(problem.shape)


def verify(loss: Examined, problem: Posed, grad_output: Tensor) -> None:
    """Value and gradient."""
    x, value = forward(loss, problem)
    compare_value(problem, value)
    compare_gradient(problem, backward(problem, value, x, grad_output), grad_output)


# --- the sub-checks ---------------------------------------------------------------------------------------------------


def check_value(loss: Examined, draw: Draw) -> None:
    """The value, on scores without extremes; the same where no gradient is wanted."""
    problem = loss.problem(draw)
    x, value = forward(loss, problem)
    try:
        compare_value(problem, value)
    except Mismatch as mismatch:
        raise _off_by_a_constant(loss, problem, x, value, mismatch) from None
    with torch.no_grad():
        compare_value(problem, forward(loss, problem)[1])


def _off_by_a_constant(loss: Examined, problem: Posed, x: Tensor, value: Tensor, mismatch: Mismatch) -> Mismatch:
    """What is wrong with a value; and that it is off by a constant, if so with other scores, and the gradient right."""
    try:
        right = problem.answer_value().right
        if value.shape == right.shape and right.numel():
            compare_gradient(problem, backward(problem, value, x, ones(problem)), ones(problem))
            moved = problem.at(problem.scores / 2 + torch.arange(problem.k).to(problem.scores) / 8)
            elsewhere = forward(loss, moved)[1].detach().cpu().double() - moved.answer_value().right
            if torch.allclose(value.detach().cpu().double() - right, elsewhere, 1e-6, 0):
                mismatch.what += f"; {offset(value, right)}"
                mismatch.hints = None
    except Mismatch:
        pass
    return mismatch


def check_gradient(loss: Examined, draw: Draw) -> None:
    """The gradient is F(x) - t, reduced, for a grad_output of ones."""
    problem = loss.problem(draw)
    x, value = forward(loss, problem)
    compare_gradient(problem, backward(problem, value, x, ones(problem)), ones(problem))


def check_inputs_unmodified(loss: Examined, draw: Draw) -> None:
    """Neither pass writes into scores, targets or grad_output; nor does a call that wants no gradient."""
    problem = loss.problem(draw)
    grad_output = draw_grad_output(problem, draw)
    leaf, sent = here(problem.scores).requires_grad_(), here(grad_output)
    t = None if problem.targets is None else here(problem.targets)
    x = leaf * 1  # as a network's output: into a leaf, autograd would forbid to write
    inputs = {"scores": x, "grad_output": sent} | ({} if t is None else {"targets": t})
    before = {name: (tensor.detach().clone(), tensor._version) for name, tensor in inputs.items()}

    def unmodified(after: str) -> None:
        for name, (values, version) in before.items():
            tensor = inputs[name]
            if not torch.equal(tensor, values) or tensor._version != version:
                example = problem.example() | {"grad_output": grad_output}
                raise Mismatch(f"{name} was written into by {after}", example, tensor, values)

    with torch.no_grad():
        forward(loss, problem, x, t)
    unmodified("a call under torch.no_grad()")
    value = forward(loss, problem, x, t)[1]
    unmodified("the forward pass")
    backward(problem, value, leaf, sent)
    unmodified("the backward pass")


def check_grad_output(loss: Examined, draw: Draw) -> None:
    """The gradient is proportional to grad_output, row by row for "none"."""
    problem = loss.problem(draw)
    grad_output = draw_grad_output(problem, draw)
    x, value = forward(loss, problem)
    compare_gradient(problem, backward(problem, value, x, here(grad_output)), grad_output)


def check_repeated_backward(loss: Examined, draw: Draw) -> None:
    """A retained graph answers again, and for another grad_output, and leaves the earlier answers alone."""
    problem = loss.problem(draw)
    x, value = forward(loss, problem)
    answers = []
    for name in ("first", "second", "third"):
        grad_output = draw_grad_output(problem, draw)
        found = backward(problem, value, x, here(grad_output), retain_graph=True)
        compare_gradient(problem, found, grad_output, f"the {name} gradient from one graph")
        answers.append((found, grad_output))
    for found, grad_output in answers:
        compare_gradient(problem, found, grad_output, "a gradient, after further backward passes,")


def check_second_derivative(loss: Examined, draw: Draw) -> None:
    """The derivatives of <gradient, v> in scores and grad_output are right, or refused by an exception.

    A gradient that is a constant of the graph is neither: it makes a gradient penalty silently 0.
    """
    problem = loss.problem(draw, kinds=("generic",))
    problem.assume_smooth()
    grad_output = draw_grad_output(problem, draw).clamp(-3, 3)
    entries = st.sampled_from([1.0, 0.0, -1.0, 0.5])
    v = problem.x.new_tensor(draw(st.lists(entries, min_size=problem.x.numel(), max_size=problem.x.numel())))
    v = v.reshape(problem.x.shape)
    x, value = forward(loss, problem)
    sent = here(grad_output).requires_grad_()
    answers = problem.answer_second(grad_output, v)
    example = problem.example() | {"grad_output": grad_output, "v": v}
    try:
        (first,) = torch.autograd.grad(value, x, sent.to(value), create_graph=True)
        if not first.requires_grad:
            raise Mismatch(
                "the gradient has no graph, so that second derivatives are silently 0", example, 0, answers[0].right
            )
        # Not by autograd.grad: it takes no path that a refusal stands on, and answers None.
        first.backward(here(v).to(first))
    except RuntimeError:
        loss.refused.add("second derivative")
        return
    for what, leaf, answer in zip(("scores", "grad_output"), (x, sent), answers, strict=True):
        got = torch.zeros_like(answer.right) if leaf.grad is None else leaf.grad
        compare(f"the derivative of <gradient, v> in the {what}", got, answer, example)


def check_memory_formats(loss: Examined, draw: Draw) -> None:
    """Scores, targets and grad_output need not be contiguous; expanded ones have strides of 0."""
    problem = loss.problem(draw)
    layout = draw(st.sampled_from(list(LAYOUTS)))
    if layout == "expanded":
        problem = replace(problem, scores=problem.scores[:1].expand_as(problem.scores))
    grad_output = draw_grad_output(problem, draw)
    x = LAYOUTS[layout](here(problem.scores)).requires_grad_()
    t = None if problem.targets is None else here(problem.targets)
    if t is not None:
        t = t.repeat_interleave(2)[::2] if t.dim() == 1 else _transposed(t)
    sent = here(grad_output)
    if problem.shape:
        if draw(st.booleans()):  # as sum() sends back
            sent = sent[:1].expand_as(sent)
            grad_output = grad_output[:1].expand_as(grad_output)
        else:
            sent = sent.repeat_interleave(2)[::2]
    try:
        value = forward(loss, problem, x, t)[1]
        compare_value(problem, value)
        compare_gradient(problem, backward(problem, value, x, sent), grad_output)
    except Mismatch as mismatch:
        mismatch.example = {**mismatch.example, "memory format": f"{layout}, strides {x.stride()}"}
        raise


def _transposed(x: Tensor) -> Tensor:
    return x.t().contiguous().t()


def _every_other_column(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=1)[:, ::2]


def _every_other_row(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=0)[::2]


def _offset(x: Tensor) -> Tensor:
    return torch.cat([x[:1] + 7, x])[1:]


# The same values in another layout; `expanded` is for equal rows.
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": _transposed,
    "every other column": _every_other_column,
    "every other row": _every_other_row,
    "offset in its storage": _offset,
    "expanded": lambda x: x[:1].clone().expand_as(x),
}


def check_saturation(loss: Examined, draw: Draw) -> None:
    """Value and gradient where scores are saturated, huge or subnormal, in float64 and float32."""
    problem = loss.problem(draw, kinds=("saturated", "subnormal", "huge"))
    for dtype in (torch.float64, torch.float32):
        verify(loss, problem.to(dtype), ones(problem))


def check_batch_sizes(loss: Examined, draw: Draw) -> None:
    """No rows at all, and a single one."""
    problem = loss.problem(draw, rows=(0, 1))
    verify(loss, problem, ones(problem))


def check_one_class(loss: Examined, draw: Draw) -> None:
    """K = 1."""
    problem = loss.problem(draw, rows=(1, 3), classes=(1, 1))
    verify(loss, problem, ones(problem))


def check_dtypes(loss: Examined, draw: Draw) -> None:
    """Value and gradient in float32, bfloat16 and float16; a half type may be refused by an exception."""
    problem = loss.problem(draw)
    for dtype in (torch.float32, *HALF_TYPES):
        verify_in(loss, problem.to(dtype))


def check_many_classes(loss: Examined, draw: Draw) -> None:
    """K beyond 1024, 4096 and 65,536, and prime: what is left over by blocks of any size counts.

    In row 0 the last three classes have as much of P(x) as all others; in row 1 the scores are alike, and where a sum
    of that many terms is kept in a half type, it stops growing.
    """
    k = draw(st.sampled_from(MANY))
    x, labels = many_scores(k), torch.tensor([k - 1, 1], device="cpu")
    problem = loss.posed(x, labels)
    for dtype in (torch.float64, torch.float32, *HALF_TYPES):
        try:
            verify_in(loss, problem.to(dtype))
        except Mismatch as mismatch:
            if lacks_memory(mismatch.__cause__):
                loss.refused.add(f"K = {k}")
                return
            shown = {"scores": f"softmax_trick.testing.losses.many_scores({k}).to({dtype})", "labels": labels}
            mismatch.example = shown
            raise


def lacks_memory(error: BaseException | None) -> bool:
    """Whether a function under test asked for more memory than there is, as a matrix of K x K may."""
    said = isinstance(error, RuntimeError) and "memory" in str(error)
    return said or isinstance(error, (MemoryError, torch.OutOfMemoryError))


MANY = (1031, 4099, 65539)


def many_scores(k: int) -> Tensor:
    """Scores of shape (2, k), quarters from -1 to 1, which are exact in every format; see `check_many_classes`."""
    places = torch.arange(k, dtype=torch.float64, device="cpu")
    quarters = (7 * places % 9 - 4) / 4
    tail = torch.where(places < k - 3, 0.0, round(math.log(k / 3)))
    return torch.stack([quarters + tail, quarters])


def check_many_rows(loss: Examined, draw: Draw) -> None:
    """n beyond 1024 and 4096, and prime, K = 3: what is left over by blocks of rows counts."""
    n = draw(st.sampled_from(MANY[:2]))
    x = many_scores(n)[1].reshape(n, 1) * torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64, device="cpu")
    labels = torch.arange(n, device="cpu") % 3
    problem = loss.posed(x, labels)
    try:
        verify(loss, problem, ones(problem))
    except Mismatch as mismatch:
        mismatch.example = {"scores": f"of shape ({n}, 3), quarters from -1 to 1", "labels": "0, 1, 2, 0, 1, 2, ..."}
        raise


def verify_in(loss: Examined, problem: Posed) -> None:
    """Value and gradient in the dtype of the scores."""
    if problem.scores.dtype not in HALF_TYPES:
        return verify(loss, problem, ones(problem))
    try:
        x, value = forward(loss, problem)
    except Raised as error:
        if isinstance(error.__cause__, (RuntimeError, TypeError, ValueError)):
            loss.refused.add(str(problem.scores.dtype).removeprefix("torch."))
            return None
        raise
    grad_output = ones(problem)
    try:
        value_answer, gradient_answer = problem.half_answers(grad_output)
    except (RuntimeError, TypeError, ValueError):  # of a normalizer of the user's own: there is nothing to go by
        loss.refused.add(str(problem.scores.dtype).removeprefix("torch."))
        return None
    compare("the value", value, value_answer, problem.example())
    found = backward(problem, value, x, grad_output)
    compare("the gradient", found, gradient_answer, problem.example())
    if isinstance(loss, FormulaLoss) and isinstance(problem, FormulaProblem):
        loss.look_at_half(problem, value, found, grad_output)
    return None


# --- features ---------------------------------------------------------------------------------------------------------


def with_option(feature: str, problem: Any, draw: Draw) -> Any:
    """The problem with the option that belongs to a feature, drawn."""
    if feature == "label_smoothing":
        return replace(problem, label_smoothing=draw(st.sampled_from([0.1, 0.5, 1.0])))
    if feature == "weights":
        entries = st.sampled_from([1.0, 0.25, 0.5, 2.0, 4.0, 0.0])
        drawn = draw(st.lists(entries, min_size=problem.k, max_size=problem.k))
        return replace(problem, weight=problem.x.new_tensor(drawn))
    # A class that exists may be ignored too, as a padding token is.
    ignored = draw(st.sampled_from([-100, -1, 0, problem.k - 1]))
    shape = (problem.n, problem.k)
    return replace(problem, targets=draw(targets(shape, ("ignored",), ignored)), ignore_index=ignored)


def check_option(feature: str) -> Callable[[LossUnderTest, Draw], None]:
    """The sub-check of a feature that is given by keyword."""

    def check(loss: LossUnderTest, draw: Draw) -> None:
        problem = with_option(feature, loss.problem(draw), draw)
        if feature == "weights":
            assume(problem.denominator > 0)
        verify(loss, problem, draw_grad_output(problem, draw))

    check.__doc__ = f"Value and gradient with {KEYWORDS[feature]}."
    return check


def check_off_the_simplex(loss: LossUnderTest, draw: Draw) -> None:
    """For targets in [0, 1] that do not sum to 1, value and gradient are those of one loss.

    Of P(x) - <x, t>, with gradient y - t; or of the cross-entropy -sum t log y, with gradient (sum t) y - t.
    """
    problem = loss.problem(draw)
    soft = replace(problem, targets=draw(targets((problem.n, problem.k), ("off-simplex",))))
    grad_output = draw_grad_output(soft, draw)
    x, value = forward(loss, soft)
    fits = []
    for one in (replace(soft, cross_entropy=True), soft):
        try:
            compare_value(one, value)
            fits.append(one)
        except Mismatch:
            pass
    if not fits:
        rows = {"P(x) - <x, t>": soft.value(), "-sum t log y": replace(soft, cross_entropy=True).value()}
        raise Mismatch("the value is neither P(x) - <x, t> nor -sum t log y", soft.example(), value, rows)
    found = backward(fits[0], value, x, grad_output, retain_graph=True)
    for place, one in enumerate(fits):
        try:
            return compare_gradient(one, found, grad_output, "the gradient, its value being right,")
        except Mismatch:
            if place == len(fits) - 1:
                raise
    return None


def check_soft_targets(loss: LossUnderTest, draw: Draw) -> None:
    """Value and gradient for soft targets."""
    problem = loss.problem(draw)
    soft = replace(problem, targets=draw(targets((problem.n, problem.k), loss.soft_kinds())))
    verify(loss, soft, draw_grad_output(soft, draw))


def check_masks(loss: LossUnderTest | FormulaLoss, draw: Draw) -> None:
    """A class of score -inf has probability 0: it changes nothing, and gets a gradient of 0."""
    problem = loss.problem(draw, kinds=("masked",))
    open_target = replace(problem, scores=problem.scores.where(problem.one_hot == 0, 1.0))
    verify(loss, open_target, draw_grad_output(problem, draw))


def check_features_together(loss: LossUnderTest | FormulaLoss, draw: Draw) -> None:
    """All options at once."""
    problem = loss.problem(draw)
    for feature in loss.keywords:
        problem = with_option(feature, problem, draw)
    assume(problem.denominator > 0 and problem.kept.any())
    verify(loss, problem, draw_grad_output(problem, draw))


LOSS_CHECKS: Mapping[str, Callable[[Any, Draw], None]] = {
    "value": check_value,
    "gradient": check_gradient,
    "inputs unmodified": check_inputs_unmodified,
    "grad_output": check_grad_output,
    "repeated backward": check_repeated_backward,
    "second derivative": check_second_derivative,
    "memory formats": check_memory_formats,
    "saturation": check_saturation,
    "batch sizes": check_batch_sizes,
    "one class": check_one_class,
    "dtypes": check_dtypes,
    "many classes": check_many_classes,
    "many rows": check_many_rows,
}
FEATURE_CHECKS: Mapping[str, Callable[[Any, Draw], None]] = {
    **{feature: check_option(feature) for feature in KEYWORDS},
    "soft_targets": check_soft_targets,
    "simplex_targets": check_soft_targets,
    "masks": check_masks,
}
