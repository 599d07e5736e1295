"""A loss that ought to be a formula: examples of it, right answers by Arb, and bounds on rounding, entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from torch import Tensor

from softmax_trick.language.expression import Variable, size_of
from softmax_trick.testing import balls, graph, rounding
from softmax_trick.testing.answers import Answer, ScoredExample, compare
from softmax_trick.testing.formulas import Formula
from softmax_trick.testing.graph import Floats, Node
from softmax_trick.testing.hints import hints
from softmax_trick.testing.lowering import Lowering
from softmax_trick.testing.rounding import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Precision, Rounding
from softmax_trick.testing.running import Draw, Mismatch
from softmax_trick.testing.strategies import ScoreKind, TargetKind, scores, shapes, targets

PRECISIONS: Mapping[torch.dtype, Precision] = {
    torch.float64: FLOAT64,
    torch.float32: FLOAT32,
    torch.bfloat16: BFLOAT16,
    torch.float16: FLOAT16,
}
NARROW = 2.0**-8  # of what is allowed; a wider ball is computed with more bits
MOST = 64  # entries of a gradient that are judged by their own bound; those beyond by a running error, which is larger
LONG = 2**14  # scores from which on they are fewer


@dataclass(frozen=True)
class Unfolded:
    """A formula at an example: its nodes."""

    x: Node
    grad_output: Node
    value: Node
    gradient: Node


class Computed:
    """The nodes of an answer, one for each form of the formula, and what is known of them at the exact inputs."""

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.outputs = outputs
        self.roundings = [Rounding([output]) for output in outputs]
        self._balls: dict[int, tuple[Floats, Floats, Floats]] = {}
        self.answers: dict[Any, Answer] = {}  # by dtype, and whether strict

    def right(self, allowed: Floats) -> tuple[Floats, Floats, Floats]:
        """The answer as two doubles and a radius, with as many bits as make it narrow beside what is allowed."""
        for bits in balls.PRECISIONS:
            if bits not in self._balls:
                self._balls[bits] = balls.midpoints(balls.enclose([self.outputs[0]], bits)[0])
            radius = self._balls[bits][2]
            if bool((radius <= NARROW * allowed).all()):
                break
        return self._balls[bits]


@dataclass(frozen=True)
class FormulaProblem(ScoredExample):
    """Scores, targets and other inputs for a loss, and what the loss ought to answer.

    Attributes:
        formula: the loss.
        reduction: "sum", "mean" or "none"; of a formula of a whole batch that is one number, it means nothing.
        targets: class indices (n,), or targets (n, K) in the dtype of the scores; None if the loss has none.
        others: the other inputs by name, in the dtype of the scores; labels have none.
        ignore_index: the class index of rows that do not count, or None.
        strict: whether in half types everything but inputs and results is promised to be in float32.
        unjudged: what was met of which rounding explains anything.
        known: what was computed, shared by problems of the same numbers in other dtypes.
    """

    formula: Formula
    reduction: str
    scores: Tensor
    targets: Tensor | None
    others: Mapping[str, Tensor] = field(default_factory=dict)
    ignore_index: int | None = None
    strict: bool = False
    unjudged: set[str] = field(default_factory=set, compare=False)
    known: dict[Any, Computed] = field(default_factory=dict, compare=False)

    def at(self, scores: Tensor) -> FormulaProblem:
        """The same problem with other scores."""
        return replace(self, scores=scores, known={})

    def to(self, dtype: torch.dtype) -> FormulaProblem:
        """The same problem with floating-point inputs rounded to another dtype."""

        exact = True

        def cast(tensor: Tensor) -> Tensor:
            nonlocal exact
            if not tensor.is_floating_point():
                return tensor
            exact = exact and torch.equal(tensor.to(dtype).to(tensor.dtype), tensor)
            return tensor.to(dtype)

        targets = None if self.targets is None else cast(self.targets)
        others = {name: cast(one) for name, one in self.others.items()}
        scores = cast(self.scores)
        return replace(self, scores=scores, targets=targets, others=others, known=self.known if exact else {})

    def options(self) -> dict[str, Any]:
        """The inputs that are given by keyword; scalars as numbers."""
        scalars = {name: one.item() if one.dim() == 0 else one for name, one in self.others.items()}
        return scalars | ({} if self.ignore_index is None else {"ignore_index": self.ignore_index})

    def example(self) -> dict[str, Any]:
        """The inputs by name, and the formula."""
        targets = {} if self.targets is None else {"targets": self.targets}
        return {"formula": self.formula.text, "scores": self.scores, **targets, **self.options()}

    @property
    def values(self) -> int:
        """How many values there are before the reduction."""
        return 1 if self.formula.by_batch and not self.formula.forms[0].axes else self.n

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return (self.values,) if self.reduction == "none" and self.values_by_row else ()

    @property
    def values_by_row(self) -> bool:
        """Whether the loss has a value for each row, to be reduced."""
        return not self.formula.by_batch or bool(self.formula.forms[0].axes)

    @cached_property
    def kept(self) -> Tensor:
        """Whether a row counts, shape (n,)."""
        if self.ignore_index is None or self.targets is None:
            return torch.ones(self.n, dtype=torch.bool)
        return self.targets != self.ignore_index

    @property
    def denominator(self) -> float:
        """What the sum of the rows is divided by; 0 where no row counts."""
        return float(self.kept.sum()) if self.reduction == "mean" and self.values_by_row else 1.0

    @property
    def one_hot(self) -> Tensor:
        """The targets as rows over the classes."""
        if self.targets is None:
            return torch.zeros_like(self.x)
        if self.targets.is_floating_point():
            return self.targets
        return torch.nn.functional.one_hot(self.targets.where(self.kept, 0), self.k).double()

    def assume_smooth(self) -> None:
        """Nothing: where pieces meet, the bound is as wide as the step."""

    # --- graphs ---

    def _unfolded(self, form: int, grad_output: Tensor) -> Unfolded:
        formula, n = self.formula, self.n
        rows, k = formula.axes
        sizes = {**formula.sizes, k: self.k, **({rows: n} if rows else {})}
        x = graph.leaf(self.x.numpy())
        leaves, labels = {formula.scores.name: x}, {}
        by_row = {formula.scores.name}
        if formula.target is not None and self.targets is not None:
            name = formula.target.name
            by_row.add(name)
            if formula.target.kind == "label":
                labels[name] = self.targets.where(self.kept, 0).numpy()
            else:
                leaves[name] = graph.leaf(self.targets.double().numpy())
        for name, one in self.others.items():
            leaves[name] = graph.leaf(one.double().numpy())
        lowering = Lowering(sizes, leaves, labels, 1 if formula.by_batch else n, frozenset(by_row))
        if formula.by_batch:
            values = lowering.entries(formula.forms[form])
        else:
            values = lowering.rows(formula.forms[form])
        if not self.kept.all():
            values = graph.take(values, torch.where(self.kept, torch.arange(n), -1).numpy())
        value = values if self.shape else graph.total(values) if values.size != 1 else values
        if self.reduction == "mean" and self.values_by_row and self.denominator != 1:
            value = value / graph.constant(int(self.denominator or 1))
        sent = graph.leaf(grad_output.double().numpy())
        return Unfolded(x, sent, value, graph.pullback(value, x, sent))

    def _computed(self, key: Any, outputs: Callable[[], Sequence[Node]]) -> Computed:
        if key not in self.known:
            self.known[key] = Computed(outputs())
        return self.known[key]

    def _answer(self, computed: Computed, shape: tuple[int, ...], what: str) -> Answer:
        """The answer that the first node is, with what rounding explains on the way to any of them."""
        kind = (self.scores.dtype, self.strict)
        if kind not in computed.answers:
            computed.answers[kind] = self._answered(computed, shape, what)
        return computed.answers[kind]

    def _answered(self, computed: Computed, shape: tuple[int, ...], what: str) -> Answer:
        precision = replace(PRECISIONS[self.scores.dtype], complement=what == "second derivative")
        allowed = self._allowed(computed, precision)
        right, rest, radius = computed.right(allowed)
        if np.isnan(right).any():
            raise UnsatisfiedAssumption(f"{self.formula.text} has no value here")
        if not np.isfinite(allowed).all():
            self.unjudged.add(f"{what} in {str(self.scores.dtype).removeprefix('torch.')}")

        def why(entry: int) -> str:
            return explained(computed, precision, entry)

        def looks_like(found: Tensor) -> tuple[str, ...] | None:
            return hints(found, tensor(right, shape), what, self.n, self.k)

        return Answer(tensor(right, shape), tensor(allowed + radius, shape), tensor(rest, shape), why, looks_like)

    def _allowed(self, computed: Computed, precision: Precision) -> Floats:
        entries, strict = self._judged(computed.outputs[0].size), precision.half and self.strict
        inside = (
            replace(FLOAT32, half=True) if strict else precision
        )  # with sums by blocks: their length does not count
        bounds = []
        for one, output in zip(computed.roundings, computed.outputs, strict=True):
            bound = one.bound(output, inside, entries)
            bounds.append(rounding.strict(bound, one.value(output), precision) if strict else bound)
        return np.maximum.reduce(bounds)

    def _judged(self, size: int) -> graph.Places:
        """The entries of an output that are judged by their own bound."""
        most = MOST if self.scores.numel() <= LONG else 4
        if size <= most:
            return np.arange(size)
        spread = np.arange(size)[:: -(-size // most)]
        return np.unique(np.concatenate([spread, self._telling()[:most]])) if size == self.scores.numel() else spread

    def _telling(self) -> graph.Places:
        """Places in the scores that are judged by their own bound in long rows too: the label's, and the last."""
        n, k = self.scores.shape
        found = [np.arange(n) * k + k - 1]
        if self.targets is not None and not self.targets.is_floating_point():
            found.append(np.arange(n) * k + self.targets.where(self.kept, 0).numpy())
        places: graph.Places = np.stack(found, axis=-1).reshape(-1)
        return places

    # --- answers ---

    def value(self) -> Tensor:
        """The reduced loss in float64."""
        return self.answer_value().right

    def gradient(self, grad_output: Tensor) -> Tensor:
        """The gradient in the scores for this grad_output, in float64."""
        return self.answer_gradient(grad_output).right

    def answer_value(self) -> Answer:
        """The reduced loss."""
        computed = self._computed("value", lambda: [one.value for one in self._forms(torch.ones(self.shape))])
        return self._answer(computed, self.shape, "value")

    def answer_gradient(self, grad_output: Tensor) -> Answer:
        """The gradient in the scores for this grad_output."""
        key = tuple(grad_output.reshape(-1).tolist())
        computed = self._computed(key, lambda: [one.gradient for one in self._forms(grad_output)])
        return self._answer(computed, tuple(self.scores.shape), "gradient")

    def answer_second(self, grad_output: Tensor, v: Tensor) -> tuple[Answer, Answer]:
        """The gradient of <gradient(grad_output), v> in the scores and in grad_output."""
        by_scores, by_sent = [], []
        for one in self._forms(grad_output):
            direction = graph.leaf(v.double().numpy())
            by_scores.append(graph.pullback(one.gradient, one.x, direction))
            by_sent.append(graph.pullback(one.gradient, one.grad_output, direction))
        return (
            self._answer(Computed(by_scores), tuple(self.scores.shape), "second derivative"),
            self._answer(Computed(by_sent), tuple(grad_output.shape), "second derivative"),
        )

    def _forms(self, grad_output: Tensor) -> list[Unfolded]:
        return [self._unfolded(form, grad_output) for form in range(len(self.formula.forms))]


@dataclass(frozen=True)
class FormulaLoss:
    """A loss under test that ought to be a formula.

    Attributes:
        function: the loss.
        formula: what it ought to be.
        reduction: what it returns.
        features: what else is promised.
        strict: whether half types are promised to be computed in float32.
        refused: what it was seen to refuse so far.
        unjudged: what was met of which rounding explains anything.
        eager: the half types in which more was met than one rounding of a float32 result explains.
    """

    function: Any
    formula: Formula
    reduction: str
    features: tuple[str, ...] = ()
    strict: bool = False
    refused: set[str] = field(default_factory=set)
    unjudged: set[str] = field(default_factory=set)
    eager: set[str] = field(default_factory=set)

    def look_at_half(self, problem: FormulaProblem, value: Tensor, gradient: Tensor, grad_output: Tensor) -> None:
        """Whether one rounding of a float32 result would explain an answer in a half type."""
        name = str(problem.scores.dtype).removeprefix("torch.")
        if self.strict or name in self.eager:
            return
        kernel = replace(problem, strict=True, unjudged=set())
        try:
            compare("the value", value, kernel.answer_value(), {})
            compare("the gradient", gradient, kernel.answer_gradient(grad_output), {})
        except Mismatch:
            self.eager.add(name)

    @property
    def keywords(self) -> tuple[str, ...]:
        """The features that are given by keyword."""
        return tuple(feature for feature in self.features if feature == "ignore_index")

    @property
    def square(self) -> bool:
        """Whether there are as many classes as rows."""
        rows, classes = self.formula.axes
        return rows == classes

    def problem(
        self,
        draw: Draw,
        kinds: tuple[ScoreKind, ...] = ("generic", "tied"),
        rows: tuple[int, int] = (2, 4),
        classes: tuple[int, int] = (2, 8),
    ) -> FormulaProblem:
        """Scores, targets and other inputs in float64."""
        names, sizes = self.formula.axes, self.formula.sizes
        if self.formula.by_batch:
            rows = (max(rows[0], 1), max(rows[1], 1))  # sizes are at least 1
            classes = rows if self.square else classes
        n, k = draw(shapes(*(_given(sizes, name, ends) for name, ends in zip(names, (rows, classes), strict=True))))
        k = n if self.square else k
        found = draw(targets((n, k), target_kinds(self.formula.target))) if self._from_simplex() else None
        if self.formula.target is not None and found is None:
            found = draw(scores((n, k), ("generic", "tied")))
        others = {one.name: self._drawn(draw, one, n, k) for one in self.formula.others}
        return self._posed(draw(scores((n, k), kinds)), found, others)

    def posed(self, x: Tensor, labels: Tensor) -> FormulaProblem:
        """These scores with these labels, or with one-hot targets; other inputs of a few values, in turn."""
        n, k = x.shape
        found: Tensor | None = labels
        if self.formula.target is None:
            found = None
        elif self.formula.target.kind != "label":
            found = torch.nn.functional.one_hot(labels, k).double()
        others = {one.name: self._in_turn(one, n, k) for one in self.formula.others}
        return self._posed(x, found, others)

    def _posed(self, x: Tensor, found: Tensor | None, others: Mapping[str, Tensor]) -> FormulaProblem:
        return FormulaProblem(
            self.formula, self.reduction, x, found, others, strict=self.strict, unjudged=self.unjudged
        )

    def _from_simplex(self) -> bool:
        return self.formula.target is not None and self.formula.target.kind != "real"

    def _shape(self, one: Variable, n: int, k: int) -> tuple[int, ...]:
        rows, classes = self.formula.axes
        sizes = {**self.formula.sizes, classes: k, **({rows: n} if rows else {})}
        return tuple(sizes[size_of(axis)] for axis in one.axes)

    def _drawn(self, draw: Draw, one: Variable, n: int, k: int) -> Tensor:
        shape = self._shape(one, n, k)
        count = int(np.prod(shape))
        values = draw(st.lists(st.sampled_from(ENTRIES[one.kind]), min_size=count, max_size=count))
        found = torch.tensor(values, dtype=torch.float64, device="cpu").reshape(shape)
        return found / found.sum(one.axes.index(one.along), keepdim=True) if one.kind == "distribution" else found

    def _in_turn(self, one: Variable, n: int, k: int) -> Tensor:
        shape, entries = self._shape(one, n, k), ENTRIES[one.kind]
        values = torch.tensor(entries, dtype=torch.float64, device="cpu")
        found = values[torch.arange(int(np.prod(shape))) % len(entries)].reshape(shape)
        return found / found.sum(one.axes.index(one.along), keepdim=True) if one.kind == "distribution" else found


# Entries of inputs beside scores and targets; exact in every format.
ENTRIES: Mapping[str, tuple[float, ...]] = {
    "real": (1.0, 0.0, -1.0, 0.5, 2.0, -3.0),
    "positive": (1.0, 0.5, 2.0, 3.0),
    "nonnegative": (1.0, 0.5, 2.0, 0.0, 3.0),
    "unit": (0.5, 0.25, 1.0, 0.0),
    "distribution": (1.0, 2.0, 0.5, 3.0),
}


def target_kinds(target: Variable | None) -> tuple[TargetKind, ...]:
    """The kinds of targets that a variable stands for."""
    match target.kind if target is not None else "label":
        case "label":
            return ("index",)
        case "distribution":
            return ("one-hot", "blurred", "simplex")
        case "positive":
            return ("off-simplex",)
        case _:
            return ("one-hot", "blurred", "simplex", "off-simplex")


def _given(sizes: Mapping[str, int], name: str, ends: tuple[int, int]) -> tuple[int, int]:
    return (sizes[name], sizes[name]) if name in sizes else ends


def tensor(values: Floats, shape: tuple[int, ...]) -> Tensor:
    """Numbers in order as a tensor of a shape."""
    return torch.from_numpy(np.ascontiguousarray(values)).reshape(shape)


def explained(computed: Computed, precision: Precision, entry: int) -> str:
    """Of which operations the allowed rounding of an entry is made: "31 u x - logsumexp(x), 18.5 u ..."."""
    from softmax_trick.language.text import to_text

    parts = max(
        (one.parts(output, precision, entry) for one, output in zip(computed.roundings, computed.outputs, strict=True)),
        key=lambda parts: sum(part for _, part in parts),
    )

    def name(node: Node) -> str:
        return to_text(node.origin) if node.origin is not None else _WORDS.get(node.operation, node.operation)

    words = [f"{part / precision.u:.3g} u {name(node)}" for node, part in parts if np.isfinite(part)]
    return f"of that {', '.join(words)}" if words else ""


_WORDS = {"collect": "a sum", "lse": "logsumexp", "multiply": "a product", "add": "a sum", "divide": "a quotient"}
