"""check_normalizer: whether a function of scores is one of the normalizers, values and gradients, on drawn examples.

Tolerances as in `softmax_trick.testing.reference`: an entry of SoftMax or Sigmoid is known to 4 (K + 8 + 2 max |x|) u
of its own size, an entry of the others to as much of 1. The gradient y_i (v_i - <y, v>) of SoftMax is known to as much
of y_i (|v_i| + <y, |v|>), at the largest score of its row of <y, |v|> besides, at the largest of all rows of the sum of
these; so is that of Sigmoid; that of the others to as much of |v_i| and of the slopes of F.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import Tensor

from softmax_trick.normalizers import SOFTMAX, Normalizer, get_normalizer
from softmax_trick.testing.answers import Answer, compare
from softmax_trick.testing.losses import LAYOUTS, MANY, Raised, described, here, lacks_memory, many_scores, usable
from softmax_trick.testing.reference import (
    HALF_FACTOR,
    HALF_TYPES,
    at_maximum,
    at_shared_maximum,
    exponent,
    growth,
    pullback,
    slope,
    smooth_at,
    soft_size,
    sums_to_one,
    unit_roundoff,
)
from softmax_trick.testing.running import Checked, Draw, Mismatch, run_checks
from softmax_trick.testing.strategies import GAPS, ScoreKind, scores, shapes

NormalizerFunction = Callable[[Tensor], Tensor]


def check_normalizer(
    fn: NormalizerFunction, like: str | Normalizer = "softmax", *, checks: Iterable[str] | None = None
) -> Checked:
    """Check a normalizer y = F(x) against its formula, and its gradients against its Jacobian, with random cotangents.

    The examples are drawn by Hypothesis, the same ones every time; the first sub-check that fails is named, with its
    smallest example. A dilated SoftMax is checked at scores divided by the dilation: lambda x: fn(x / d).

    Args:
        fn: called with scores of shape (n, K) on torch's default device; returns a tensor of that shape.
        like: a name in `softmax_trick.normalizers.NORMALIZERS`, or a `Normalizer` of your own. For "softmax" it is
            checked besides that adding a constant to the scores changes nothing, and that a class of score -inf gets 0,
            and a gradient of 0.
        checks: the names of the sub-checks to run, among `NORMALIZER_CHECKS` and `SOFTMAX_CHECKS`; all by default.
            To be used where one makes no sense, such as gradients of a function that has none.

    Returns:
        the names of what was checked, and the half types that fn refuses by an exception.

    Raises:
        CheckFailed: a sub-check failed; it is an AssertionError.
        ValueError: there is no normalizer or no sub-check of that name, or one of your own cannot be computed.
    """
    __tracebackhide__ = True
    tested = NormalizerUnderTest(fn, usable(get_normalizer(like)))
    every = {**NORMALIZER_CHECKS, **(SOFTMAX_CHECKS if tested.like is SOFTMAX else {})}
    return Checked(run_checks(tested, every, checks), tuple(sorted(tested.refused)))


@dataclass(frozen=True)
class NormalizerUnderTest:
    """A normalizer under test, and the one that it ought to be.

    Attributes:
        refused: the half types that it was seen to refuse so far.
    """

    function: NormalizerFunction
    like: Normalizer
    refused: set[str] = field(default_factory=set)


# --- running the normalizer, and right answers ------------------------------------------------------------------------


def forward(tested: NormalizerUnderTest, x: Tensor) -> Tensor:
    """F(x), by the function under test."""
    example = {"scores": x}
    try:
        y = tested.function(x)
    except Exception as error:
        raise Raised(f"the normalizer raises {described(error)}", example, right=right_value(tested, x)) from error
    if not isinstance(y, Tensor):
        raise Mismatch(f"the normalizer gives a {type(y).__name__}, not a tensor", example, y, right_value(tested, x))
    if y.dim() == 0 and x.dim() == 2:
        raise Mismatch(
            "one number, not a tensor of the scores' shape: is it a loss? check_loss is for those",
            example,
            y,
            right_value(tested, x),
        )
    return y


def right_value(tested: NormalizerUnderTest, x: Tensor) -> Tensor:
    """F(x) in float64, for the scores as they are."""
    return tested.like.torch(x.detach().cpu().double())


def value_size(tested: NormalizerUnderTest, x: Tensor) -> Tensor:
    """What is rounded in an entry of F(x)."""
    return soft_size(tested.like, right_value(tested, x))


def verify_value(tested: NormalizerUnderTest, x: Tensor, y: Tensor) -> None:
    """Hold the values y at the scores x against the right ones."""
    u, exact = unit_roundoff(x.dtype), x.detach().cpu().double()
    allowed = 4 * growth(tested.like, exact) * u * value_size(tested, x) + torch.finfo(x.dtype).tiny
    compare("the value", y, Answer(right_value(tested, x), allowed), {"scores": x})


def verify_gradient(
    tested: NormalizerUnderTest, x: Tensor, y: Tensor, v: Tensor, relative: Tensor | None = None
) -> None:
    """Hold the gradient of <y, v> in the scores x against J^T v.

    Args:
        tested: the normalizer under test.
        x: the scores, a leaf.
        y: what it gave for them.
        v: the cotangent.
        relative: how far an entry may be off, relative to its size; by default as derived above.
    """
    exact, sent = x.detach().cpu().double(), v.to(x.dtype).double()
    right = pullback(tested.like, exact, sent)
    example = {"scores": x, "cotangent": sent}
    try:
        (found,) = torch.autograd.grad(y, x, here(sent).to(y), allow_unused=True)
    except Exception as error:
        raise Mismatch(f"the backward pass raises {described(error)}", example, right=right) from error
    if found is None:
        raise Mismatch("no gradient reaches the scores", example, right=right)
    if relative is None:
        relative = 4 * growth(tested.like, exact) * unit_roundoff(x.dtype)
    soft, steep, shared = right_value(tested, x), slope(tested.like), torch.zeros_like(exact)
    size = sent.abs().clamp_min(right.abs())
    if tested.like.relative:
        mean = (soft * sent.abs()).sum(-1, keepdim=True)
        residue = sums_to_one(soft) * mean
        size = soft * (sent.abs() + mean) + at_maximum(exact) * residue
        shared = at_shared_maximum(exact) * (relative * residue).sum()
    allowed = steep * (relative * size + shared) + torch.finfo(x.dtype).tiny
    compare("the gradient", found, Answer(right, allowed), example)


def draw_scores(
    draw: Draw,
    kinds: tuple[ScoreKind, ...] = ("generic", "tied"),
    rows: tuple[int, int] = (2, 4),
    classes: tuple[int, int] = (2, 8),
) -> Tensor:
    """Scores in float64."""
    return draw(scores(draw(shapes(rows, classes)), kinds))


def draw_cotangent(draw: Draw, x: Tensor) -> Tensor:
    """A cotangent: one of ones would hide errors, the rows of SoftMax's Jacobian summing to 0."""
    entries = st.sampled_from([0.0, 1.0, -1.0]) | st.floats(-3, 3, allow_subnormal=False)
    drawn = draw(st.lists(entries, min_size=x.numel(), max_size=x.numel()))
    return torch.tensor(drawn, dtype=torch.float64, device="cpu").reshape(x.shape)


def off_kinks(tested: NormalizerUnderTest, x: Tensor) -> None:
    """Discard the example if F is not differentiable there."""
    assume(smooth_at(tested.like, x.double()))


def verify(tested: NormalizerUnderTest, x: Tensor, v: Tensor) -> None:
    """Value and gradient."""
    leaf = here(x).requires_grad_()
    y = forward(tested, leaf)
    verify_value(tested, leaf, y)
    verify_gradient(tested, leaf, y, v)


# --- the sub-checks ---------------------------------------------------------------------------------------------------


def check_range(tested: NormalizerUnderTest, draw: Draw) -> None:
    """No entry is outside the range of the normalizer, and the rows of SoftMax sum to 1, up to rounding."""
    x = here(draw_scores(draw))
    y, right = forward(tested, x).detach().cpu().double(), right_value(tested, x)
    low, high = tested.like.target_range
    u, exact = unit_roundoff(x.dtype), x.cpu()
    slack = 4 * growth(tested.like, exact) * u
    within = (y >= low - slack * value_size(tested, x)) & (y <= high + slack)
    if not (within | (right < low) | (right > high)).all():  # the range of the targets need not be that of F
        raise Mismatch(f"a value is outside [{low}, {high}]", {"scores": x}, y, right)
    if tested.like is SOFTMAX:
        compare("the sum of a row", y.sum(-1), Answer(torch.ones_like(y[:, 0]), slack[:, 0]), {"scores": x})


def check_value(tested: NormalizerUnderTest, draw: Draw) -> None:
    """The value, on scores without extremes."""
    x = here(draw_scores(draw))
    verify_value(tested, x, forward(tested, x))


def check_jacobian(tested: NormalizerUnderTest, draw: Draw) -> None:
    """The gradient of <F(x), v> is J^T v."""
    x = draw_scores(draw)
    off_kinks(tested, x)
    verify(tested, x, draw_cotangent(draw, x))


def check_inputs_unmodified(tested: NormalizerUnderTest, draw: Draw) -> None:
    """Neither pass writes into scores or cotangent; nor does a call that wants no gradient."""
    x = draw_scores(draw)
    off_kinks(tested, x)
    v = draw_cotangent(draw, x)
    leaf, sent = here(x).requires_grad_(), here(v)
    given = leaf * 1  # as a network's output: into a leaf, autograd would forbid to write
    before = {"scores": (given, given.detach().clone(), given._version), "cotangent": (sent, sent.clone(), 0)}

    def unmodified(after: str) -> None:
        for name, (tensor, values, version) in before.items():
            if not torch.equal(tensor, values) or tensor._version != version:
                raise Mismatch(f"{name} was written into by {after}", {"scores": x, "cotangent": v}, tensor, values)

    with torch.no_grad():
        forward(tested, given)
    unmodified("a call under torch.no_grad()")
    y = forward(tested, given)
    unmodified("the forward pass")
    try:
        torch.autograd.grad(y, leaf, sent.to(y.dtype))
    except Exception as error:
        raise Mismatch(f"the backward pass raises {described(error)}", {"scores": x, "cotangent": v}) from error
    unmodified("the backward pass")


def check_memory_formats(tested: NormalizerUnderTest, draw: Draw) -> None:
    """Scores and cotangents need not be contiguous."""
    x = draw_scores(draw)
    layout = draw(st.sampled_from(list(LAYOUTS)))
    if layout == "expanded":
        x = x[:1].expand_as(x)
    off_kinks(tested, x)
    v = draw_cotangent(draw, x)
    leaf = LAYOUTS[layout](here(x)).requires_grad_()
    try:
        y = forward(tested, leaf)
        verify_value(tested, leaf, y)
        verify_gradient(tested, leaf, y, v.t().contiguous().t())
    except Mismatch as mismatch:
        mismatch.example = {**mismatch.example, "memory format": f"{layout}, strides {leaf.stride()}"}
        raise


def check_saturation(tested: NormalizerUnderTest, draw: Draw) -> None:
    """Value and gradient where scores are saturated, huge or subnormal, in float64 and float32."""
    # Every gap between two classes: the simplest example, so Hypothesis tries it before any other.
    if draw(st.sampled_from(["every gap", "drawn"])) == "every gap":
        x = torch.tensor([[gap, 0.0] for gap in GAPS], dtype=torch.float64, device="cpu")
        v = torch.tensor([[1.0, 0.0]], dtype=torch.float64, device="cpu").expand_as(x)
    else:
        x = draw_scores(draw, ("saturated", "subnormal", "huge"))
        v = draw_cotangent(draw, x)
    for dtype in (torch.float64, torch.float32):
        leaf = here(x.to(dtype)).requires_grad_()
        y = forward(tested, leaf)
        verify_value(tested, leaf, y)
        if smooth_at(tested.like, x):
            verify_gradient(tested, leaf, y, v)


def check_batch_sizes(tested: NormalizerUnderTest, draw: Draw) -> None:
    """No rows at all, a single one, and a single class."""
    x = draw_scores(draw, rows=(0, 1), classes=(1, 3))
    off_kinks(tested, x)
    verify(tested, x, draw_cotangent(draw, x))


def check_dtypes(tested: NormalizerUnderTest, draw: Draw) -> None:
    """Value and gradient in float32, bfloat16 and float16; a half type may be refused by an exception."""
    x = draw_scores(draw)
    v = draw_cotangent(draw, x)
    for dtype in (torch.float32, *HALF_TYPES):
        rounded = x.to(dtype)
        off_kinks(tested, rounded)
        verify_in(tested, rounded, v)


def check_many_classes(tested: NormalizerUnderTest, draw: Draw) -> None:
    """K beyond 1024, 4096 and 65,536, and prime, as for losses; in the half types too."""
    k = draw(st.sampled_from(MANY))
    for dtype in (torch.float64, torch.float32, *HALF_TYPES):
        try:
            verify_in(tested, many_scores(k).to(dtype), None)
        except Mismatch as mismatch:
            if lacks_memory(mismatch.__cause__):
                tested.refused.add(f"K = {k}")
                return
            mismatch.example = {"scores": f"softmax_trick.testing.losses.many_scores({k}).to({dtype})"}
            raise


def verify_in(tested: NormalizerUnderTest, x: Tensor, v: Tensor | None) -> None:
    """Value, and unless v is None gradient, in the dtype of the scores."""
    leaf = here(x).requires_grad_()
    try:
        y = forward(tested, leaf)
    except Raised as error:
        if x.dtype in HALF_TYPES and isinstance(error.__cause__, (RuntimeError, TypeError, ValueError)):
            tested.refused.add(str(x.dtype).removeprefix("torch."))
            return
        raise
    if x.dtype not in HALF_TYPES:
        verify_value(tested, leaf, y)
        if v is not None:
            verify_gradient(tested, leaf, y, v)
        return
    u, exact, size = unit_roundoff(x.dtype), x.double(), value_size(tested, x)
    try:
        own = tested.like.torch(x)
    except (RuntimeError, TypeError, ValueError):  # one of the user's own: there is nothing to go by
        tested.refused.add(str(x.dtype).removeprefix("torch."))
        return
    off = (own.double() - right_value(tested, x)).abs()
    relative = off / size.clamp_min(torch.finfo(x.dtype).tiny)
    relative = HALF_FACTOR * torch.maximum(relative.amax(), u * exponent(tested.like, exact))
    allowed = relative * size + torch.finfo(x.dtype).tiny
    compare("the value", y, Answer(right_value(tested, x), allowed), {"scores": x})
    if v is not None:
        verify_gradient(tested, leaf, y, v, relative)


def check_shift_invariance(tested: NormalizerUnderTest, draw: Draw) -> None:
    """SoftMax(x + c) = SoftMax(x). Scores and c are integers, so that x + c is exact."""
    x = draw_scores(draw, ("tied",)).round()
    c = draw(st.sampled_from([1.0, -1.0, 100.0, -100.0, 1000.0, -1000.0, 1e6, -1e6]))
    shifted = here(x + c)
    y = forward(tested, shifted)
    allowed = 4 * growth(tested.like, x + c) * unit_roundoff(x.dtype) * right_value(tested, x)
    compare("the value at shifted scores", y, Answer(right_value(tested, x), allowed), {"scores": x, "shift": c})


def check_masks(tested: NormalizerUnderTest, draw: Draw) -> None:
    """A class of score -inf gets 0, and a gradient of 0; the others are normalised among themselves."""
    x = draw_scores(draw, ("masked",))
    v = draw_cotangent(draw, x)
    verify(tested, x, v)
    y = forward(tested, here(x)).detach().cpu().double()
    if (y[x.isinf()] != 0).any():
        raise Mismatch("a masked class does not get 0", {"scores": x}, y, right_value(tested, x))


NORMALIZER_CHECKS: Mapping[str, Callable[[NormalizerUnderTest, Draw], None]] = {
    "range": check_range,
    "value": check_value,
    "Jacobian": check_jacobian,
    "inputs unmodified": check_inputs_unmodified,
    "memory formats": check_memory_formats,
    "saturation": check_saturation,
    "batch sizes": check_batch_sizes,
    "dtypes": check_dtypes,
    "many classes": check_many_classes,
}
SOFTMAX_CHECKS: Mapping[str, Callable[[NormalizerUnderTest, Draw], None]] = {
    "shift invariance": check_shift_invariance,
    "masks": check_masks,
}
