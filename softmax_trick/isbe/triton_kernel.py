"""The kernel of `softmax_trick.isbe.kernel`; importing this module imports Triton."""

import triton
import triton.language as tl


@triton.jit
def softmax_error(
    scores,
    labels,
    out,
    scale,
    k,
    score_stride,
    out_stride,
    scale_stride,
    on,
    off,
    ignored,
    scaled: tl.constexpr,
    ignores: tl.constexpr,
    width: tl.constexpr,
):
    """One row: scale * (exp(x - max x) / sum exp(x - max x) - t), `width` scores at a time."""
    row = tl.program_id(0).to(tl.int64)
    x, error = scores + row * score_stride, out + row * out_stride
    places = tl.arange(0, width)

    # Of the scores that it has seen, each place keeps the largest, and the sum of exp(score - largest).
    largest = tl.full((width,), float("-inf"), tl.float32)
    total = tl.zeros((width,), tl.float32)
    for start in range(0, k, width):
        column = start + places
        score = tl.load(x + column, mask=column < k, other=float("-inf")).to(tl.float32)
        larger = tl.maximum(largest, score)
        grown = total * tl.exp(largest - larger) + tl.exp(score - larger)
        # Nothing but -inf so far: the sum is 0, and not exp(-inf + inf), NaN.
        total = tl.where((larger == float("-inf")) & (score == score), 0.0, grown)
        largest = larger
    highest = tl.max(largest, axis=0)
    total = tl.sum(tl.where(total == 0.0, 0.0, total * tl.exp(largest - highest)), axis=0)

    label = tl.load(labels + row).to(tl.int64)
    wrong = (label < 0) | (label >= k)
    if ignores:
        wrong = wrong & (label != ignored)
    factor = 1.0
    if scaled:
        factor = tl.load(scale + row * scale_stride).to(tl.float32)
    for start in range(0, k, width):
        column = start + places
        score = tl.load(x + column, mask=column < k, other=float("-inf")).to(tl.float32)
        e = factor * (tl.exp(score - highest) / total - tl.where(column == label, on, off))
        if ignores:
            e = tl.where(label == ignored, 0.0, e)
        e = tl.where(wrong, float("nan"), e)
        tl.store(error + column, e.to(error.dtype.element_ty), mask=column < k)
