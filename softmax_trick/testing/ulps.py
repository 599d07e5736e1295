"""How many ulps a loss is off, by dtype and by kind of scores, beside what rounding explains: noise, or a bug?

    from softmax_trick.testing import accuracy

    print(accuracy(my_focal_loss, like="focal"))

Each case is one row of scores with its targets, given to the loss by itself, so that its reduction does not matter: its
value and every entry of its gradient are compared with Arb's, at the exact inputs, and with the bound of
`softmax_trick.testing.rounding`. Of a formula of a whole batch, a case is a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from hypothesis.errors import UnsatisfiedAssumption
from torch import Tensor

from softmax_trick.language.names import names_in_words
from softmax_trick.system.shown import Shown
from softmax_trick.testing.formulas import Parameters, formula
from softmax_trick.testing.frameworks import FRAMEWORKS, Framework
from softmax_trick.testing.like import PRECISIONS, FormulaLoss, FormulaProblem, target_kinds
from softmax_trick.testing.strategies import GAPS

KINDS = ("generic", "tied", "saturated", "huge", "subnormal")
DTYPES = tuple(str(dtype).removeprefix("torch.") for dtype in PRECISIONS)
CLASSES = (2, 10, 10, 2, 101)  # in turn; then, once for each kind, LONG
LONG = 1009
AT_ONCE = 16  # rows of one example


@dataclass
class Cell:
    """What was found for one dtype, one kind of scores, and the value or the gradient.

    Attributes:
        ulps: how many units in the last place each entry is off.
        shares: how much of what rounding explains.
        unjudged: how many entries there were of which rounding explains anything.
        overflows: how many are no number where a number is right; they count as outside, and in no average.
    """

    ulps: list[Any] = field(default_factory=list)
    shares: list[Any] = field(default_factory=list)
    unjudged: int = 0
    overflows: int = 0

    @property
    def entries(self) -> int:
        """How many entries were judged."""
        return sum(map(len, self.shares))

    def typical(self) -> float:
        """The median of the ulps."""
        return float(np.median(np.concatenate(self.ulps))) if self.entries else 0.0

    def most(self) -> float:
        """The largest number of ulps."""
        return float(np.concatenate(self.ulps).max()) if self.entries else 0.0

    def share(self) -> float:
        """The largest share of what rounding explains; above 1 is outside."""
        return float(np.concatenate(self.shares).max()) if self.entries else 0.0

    def typical_share(self) -> float:
        """The median of the shares."""
        return float(np.median(np.concatenate(self.shares))) if self.entries else 0.0

    def outside(self) -> int:
        """How many entries are outside."""
        return self.overflows + (int((np.concatenate(self.shares) > 1).sum()) if self.entries else 0)


@dataclass(frozen=True, repr=False)
class Accuracy(Shown):
    """What `accuracy` found.

    Attributes:
        formula: the formula, as text.
        cells: for each (dtype, kind of scores, "value" or "gradient").
        cases: how many rows there were in each dtype.
        rejected: in how many of them an entry is outside.
        refused: dtypes that the loss refused.
        names: how each name of the formula was read.
    """

    formula: str
    cells: Mapping[tuple[str, str, str], Cell]
    cases: Mapping[str, int]
    rejected: Mapping[str, int]
    refused: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """The table, as JSON has it."""
        return [
            {
                "dtype": dtype,
                "scores": kind,
                "of": what,
                "entries": cell.entries,
                "typical_ulps": cell.typical(),
                "worst_ulps": cell.most(),
                "typical_share_of_allowed": cell.typical_share(),
                "worst_share_of_allowed": cell.share(),
                "outside": cell.outside(),
                "overflows": cell.overflows,
                "unjudged": cell.unjudged,
            }
            for (dtype, kind, what), cell in self.cells.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        counts = {dtype: {"cases": self.cases[dtype], "outside": self.rejected[dtype]} for dtype in self.cases}
        return {"formula": self.formula, "dtypes": counts, "refused": dict(self.refused), "table": self.rows()}

    def __str__(self) -> str:
        head = (
            "dtype",
            "scores",
            "",
            "entries",
            "typical ulp",
            "worst ulp",
            "of allowed",
            "outside",
            "overflow",
            "not judged",
        )
        lines = [head]
        for one in self.rows():
            numbers = [f"{one[name]:.3g}" for name in ("typical_ulps", "worst_ulps", "worst_share_of_allowed")]
            counts = [str(one[name]) for name in ("outside", "overflows", "unjudged")]
            lines.append((one["dtype"], one["scores"], one["of"], str(one["entries"]), *numbers, *counts))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [*([names_in_words(self.names)] if self.names else []), self.formula]
        text += [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        text += [f"{dtype}: refused, {why}" for dtype, why in self.refused.items()]
        for dtype, cases in self.cases.items():
            text.append(f"{dtype}: {cases} cases, {self.rejected[dtype]} outside")
        return "\n".join(text)


def accuracy(
    loss_fn: Callable[..., Any],
    like: str | Sequence[str],
    *,
    let: str = "",
    parameters: Parameters | None = None,
    by: str = "x",
    half: str = "eager",
    framework: Framework = "torch",
    dtypes: Iterable[str] = DTYPES,
    kinds: Iterable[str] = KINDS,
    cases: int = 400,
    seed: int = 0,
) -> Accuracy:
    """How many ulps a loss is off, by dtype and by kind of scores.

    Args:
        loss_fn: as for `check_loss`; it is given one row at a time.
        like: the formula, or the name of a loss; this and `let`, `parameters`, `by`, `half`, `framework` as there.
        let: declarations.
        parameters: the values of names.
        by: the name of the scores.
        half: how half types are used.
        framework: of what loss_fn is a function.
        dtypes: "float64", "float32", "bfloat16", "float16".
        kinds: "generic", normal with deviation 3; "tied", quarters; "saturated", gaps from 12 to 10,000; "huge", to
            1e30; "subnormal".
        cases: how many rows in each dtype, about.
        seed: of the chance by which examples are drawn.

    Raises:
        ValueError: the formula is none; a dtype or kind is unknown.
    """
    wanted = formula(like, let, parameters, by)
    loss = FormulaLoss(FRAMEWORKS[framework].adapt(loss_fn), wanted, "none", strict=half == "strict")
    chosen, dtypes = tuple(kinds), tuple(dtypes)
    for what, given, known in (("kind", chosen, KINDS), ("dtype", dtypes, DTYPES)):
        for one in given:
            if one not in known:
                raise ValueError(f"unknown {what} {one!r}: choose among {', '.join(known)}")
    cells: dict[tuple[str, str, str], Cell] = {}
    counted, rejected, refused = dict.fromkeys(dtypes, 0), dict.fromkeys(dtypes, 0), dict[str, str]()
    for kind, problem in _examples(loss, chosen, cases, seed):
        for name in dtypes:
            if name in refused:
                continue
            rounded = problem.to(getattr(torch, name))
            try:
                outside = _measured(loss, rounded, cells, name, kind)
            except UnsatisfiedAssumption:
                continue
            except (TypeError, RuntimeError, ValueError) as error:
                if rounded.scores.dtype not in (torch.bfloat16, torch.float16):
                    raise
                refused[name] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
                continue
            counted[name] += len(outside)
            rejected[name] += sum(outside)
    order = {name: place for place, name in enumerate((*dtypes, *chosen))}
    ordered = dict(
        sorted(cells.items(), key=lambda pair: (order[pair[0][0]], order[pair[0][1]], pair[0][2] != "value"))
    )
    return Accuracy(wanted.text, ordered, counted, rejected, refused, wanted.names)


def _measured(
    loss: FormulaLoss, problem: FormulaProblem, cells: dict[tuple[str, str, str], Cell], name: str, kind: str
) -> list[bool]:
    """Add what was found to the cells; for each row whether it is outside."""
    value_answer, gradient_answer = problem.answer_value(), problem.answer_gradient(torch.ones(problem.shape))
    values, gradients = _found(loss, problem)
    outside = torch.zeros(len(values.reshape(-1)), dtype=torch.bool)
    for what, found, answer in (("value", values, value_answer), ("gradient", gradients, gradient_answer)):
        cell = cells.setdefault((name, kind, what), Cell())
        info = torch.finfo(problem.scores.dtype)
        right, got = answer.right, found.double()
        off = ((got - right) - answer.rest).abs()
        beyond = ~(right.abs() < info.max)  # no number of the dtype: there is nothing to be off by
        overflows = ~got.isfinite() & ~beyond
        judged = answer.allowed.isfinite() & ~beyond & ~overflows
        cell.overflows += int(overflows.sum())
        share = torch.where(off == 0, 0.0, off / answer.allowed)[judged]
        cell.unjudged += int((~judged & ~overflows).sum())
        cell.shares.append(share.numpy())
        cell.ulps.append((off / _spacing(right, info))[judged].numpy())
        bad = overflows.clone()
        bad[judged] = share > 1
        outside |= bad.reshape(len(outside), -1).any(-1)
    return outside.tolist()


def _spacing(right: Tensor, info: Any) -> Tensor:
    exponent = torch.frexp(right.abs().clamp_min(info.smallest_normal)).exponent
    return torch.ldexp(torch.ones_like(right), exponent - 1) * info.eps


def _found(loss: FormulaLoss, problem: FormulaProblem) -> tuple[Tensor, Tensor]:
    """Values and gradients, row by row, or of a batch at once."""
    parts = [problem]
    if not problem.formula.by_batch:
        parts = [
            replace(
                problem,
                scores=problem.scores[row : row + 1],
                targets=None if problem.targets is None else problem.targets[row : row + 1],
            )
            for row in range(problem.n)
        ]
    values, gradients = [], []
    for one in parts:
        x = one.scores.clone().requires_grad_()
        given = {n: v.to(x.dtype) if isinstance(v, Tensor) else v for n, v in one.options().items()}
        value = loss.function(*(x,) if one.targets is None else (x, one.targets.clone()), **given)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        values.append(value.detach().cpu().reshape(problem.shape and (1,)))
        gradients.append(gradient.detach().cpu())
    return (torch.cat(values) if problem.shape else values[0]), torch.cat(gradients)


# --- examples ---------------------------------------------------------------------------------------------------------


def _examples(loss: FormulaLoss, kinds: Sequence[str], cases: int, seed: int) -> Iterator[tuple[str, FormulaProblem]]:
    """Examples of each kind, until there are about so many rows."""
    generator = torch.Generator("cpu").manual_seed(seed)
    by_kind = -(-cases // len(kinds))
    for kind in kinds:
        done, turn = 0, 0
        while done < by_kind:
            k = LONG if turn == len(CLASSES) and not loss.square else CLASSES[turn % len(CLASSES)]
            n = min(AT_ONCE, by_kind - done) if k <= max(CLASSES) // 2 else 1
            if loss.formula.by_batch:
                n = min(k, 7) if loss.square else 3
            turn += 1
            done += 1 if loss.formula.by_batch else n
            yield kind, _example(loss, kind, n, n if loss.square else k, generator)


def _example(loss: FormulaLoss, kind: str, n: int, k: int, generator: torch.Generator) -> FormulaProblem:
    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def chosen(of: Sequence[float], *shape: int) -> Tensor:
        return torch.tensor(of, dtype=torch.float64)[torch.randint(len(of), shape, generator=generator)]

    match kind:
        case "generic":
            x = 3 * torch.randn((n, k), generator=generator, dtype=torch.float64)
        case "tied":
            x = torch.round(4 * torch.randn((n, k), generator=generator, dtype=torch.float64)) / 4
        case "saturated":
            x = chosen(GAPS, n, 1) * chosen([0.0, 1.0, -1.0, 0.5], n, k)
        case "huge":
            x = chosen([0.0, 1e8, -1e8, 1e30, -1e30], n, k)
        case _:
            x = chosen([0.0, 1.0, -1.0], n, k) * 2.0 ** -(1000 * uniform(n, k))
    labels = torch.randint(k, (n,), generator=generator)
    problem = loss.posed(x, labels)
    if problem.targets is None or not problem.targets.is_floating_point():
        return problem
    target = loss.formula.target
    if target is not None and target.kind == "real":
        return replace(problem, targets=3 * torch.randn((n, k), generator=generator, dtype=torch.float64))
    soft = uniform(n, k)
    if "off-simplex" not in target_kinds(target) or uniform(1) < 0.5:
        soft = soft / soft.sum(-1, keepdim=True)
    keep = uniform(n, 1) < 0.3  # one-hot rows among them, where terms vanish
    return replace(problem, targets=torch.where(keep, problem.targets, soft))
