"""Every reading of an operation of torch, against torch itself on random inputs."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F

from softmax_trick.proving import proof
from softmax_trick.proving.inputs import read_inputs
from softmax_trick.proving.points import Ambiguous, Recorded, chosen, leaves, sample
from softmax_trick.proving.reader import READINGS, Reader
from softmax_trick.proving.self_check import disagreement
from softmax_trick.proving.tracing import Recorder, trace

pytestmark = pytest.mark.usefixtures("one_thread")
aten = torch.ops.aten

X = "x: n,K"
XY = "x: n,K; y: n,K"
XT = "x: n,K; t: label n of K"
POSITIVE = "x: n,K positive"
ONE = {  # of the entries of one tensor
    "abs": X, "neg": X, "exp": X, "exp2": X, "expm1": X, "log": POSITIVE, "log1p": POSITIVE, "log2": POSITIVE,
    "log10": POSITIVE, "sqrt": POSITIVE, "rsqrt": POSITIVE, "reciprocal": POSITIVE, "sigmoid": X, "tanh": X, "sinh": X,
    "cosh": X, "silu": X, "erf": X, "erfc": X, "gelu": X, "mish": X, "relu": X, "sign": X, "sgn": X,
    "softplus": X, "elu": X, "leaky_relu": X,
    "clone": X, "alias": X, "detach": X, "amax": X, "amin": X, "argmax": "x: K", "argmin": "x: K", "t": X,
    "hardtanh": X, "mean": X, "sum": X, "log_sigmoid_forward": X, "ones_like": X, "zeros_like": X, "squeeze": "x: n,1",
}  # fmt: skip
TWO = {  # of the entries of two
    "logaddexp": XY, "maximum": XY, "minimum": XY, "mse_loss": XY, "huber_loss": XY,
    "smooth_l1_loss": XY, "soft_margin_loss": XY, "sigmoid_backward": XY,
    "tanh_backward": XY, "silu_backward": XY, "gelu_backward": XY, "mm": "x: n,K; y: K,D", "mv": "x: n,K; y: K",
    "dot": "x: K; y: K", "vdot": "x: K; y: K", "bmm": "x: b,n,K; y: b,K,D",
    "binary_cross_entropy": "x: n,K unit; y: n,K unit",
}  # fmt: skip
# Which readings a piece of code is there for, the code, and its inputs.
MORE = [
    (
        "floor.default ceil.default trunc.default round.default round.decimals",
        lambda x: (x.floor(), x.ceil(), x.trunc(), x.round(), x.round(decimals=1), x - x.floor()),
        X,
    ),
    (
        "cumsum.default roll.default constant_pad_nd.default",
        lambda x: (x.cumsum(1), x.roll(-1, 1), x.roll((1, 2), (1, 1)), F.pad(x, (1, 2), value=3), F.pad(x, (-1, 1))),
        "x: n,4",
    ),
    (
        "special_entr.default special_xlog1py.default hypot.default logit.default logit_backward.default",
        lambda x, y: (
            torch.special.entr(x),
            torch.special.xlog1py(x, y),
            torch.hypot(x, y),
            torch.logit(x),
            aten.logit_backward(y, x),
        ),
        "x: n unit; y: n positive",
    ),
    (
        "embedding_dense_backward.default diagonal_backward.default",
        lambda x, t: (
            aten.embedding_dense_backward(x, t, 5, -1, False),
            aten.embedding_dense_backward(x, t, 5, 1, False),
            aten.diagonal_backward(x[0], (x.shape[1], x.shape[1]), 0, 0, 1),
        ),
        "x: n,K; t: label n of M; M = 5",
    ),
    ("diagonal_copy.default", lambda x: (torch.diagonal_copy(x), x.trace()), "x: n,n"),
    ("linalg_vector_norm.default", lambda x: (torch.linalg.vector_norm(x, 3, 1), x.norm(1.5)), X),
    ("add.Tensor sub.Tensor mul.Tensor div.Tensor", lambda x, y: (x + y, x - y, x * y, x / y, x.add(y, alpha=2)), XY),
    (
        "add.Scalar sub.Scalar mul.Scalar div.Scalar",
        lambda x: [getattr(aten, op).Scalar(x, 3) for op in ("add", "sub", "mul", "div")],
        X,
    ),
    ("rsub.Scalar rsub.Tensor", lambda x, y: (aten.rsub.Scalar(x, 2), aten.rsub.Tensor(x, y, alpha=2)), XY),
    (
        "pow.Tensor_Scalar pow.Scalar pow.Tensor_Tensor",
        lambda x, y: (x**3, x**-2, x**0.5, 2**x, x**y),
        "x: n positive; y: n",
    ),
    ("addcmul.default addcdiv.default", lambda x, y: (torch.addcmul(x, x, y, value=2), torch.addcdiv(x, x, y)), XY),
    ("lerp.Scalar lerp.Tensor", lambda x, y: (torch.lerp(x, y, 0.25), torch.lerp(x, y, y)), XY),
    (
        "xlogy.Tensor xlogy.Scalar_Other xlogy.Scalar_Self",
        lambda x, y: (torch.xlogy(x, y), torch.xlogy(x, 2), torch.xlogy(3, y)),
        "x: n; y: n positive",
    ),
    (
        "gt.Tensor ge.Tensor lt.Tensor le.Tensor eq.Tensor ne.Tensor",
        lambda x, y: [op(x, y) for op in (torch.gt, torch.ge, torch.lt, torch.le, torch.eq, torch.ne)],
        XY,
    ),
    (
        "gt.Scalar ge.Scalar lt.Scalar le.Scalar eq.Scalar ne.Scalar",
        lambda x: [op(x, 0.3) for op in (torch.gt, torch.ge, torch.lt, torch.le, torch.eq, torch.ne)],
        X,
    ),
    (
        "gt.Scalar ge.Scalar lt.Scalar le.Scalar eq.Scalar ne.Scalar",
        lambda x, t: [op(t, 1) for op in (torch.gt, torch.ge, torch.lt, torch.le, torch.eq, torch.ne)] + [x],
        XT,
    ),
    ("eq.Tensor ne.Tensor", lambda x, t: (t[:, None] == t[None], t[:, None] != torch.arange(x.shape[1])), XT),
    (
        "eq.Tensor ge.Scalar where.self",
        lambda x: (x == x.amax(1, keepdim=True), torch.where(x.relu() >= 0, x, 2 * x)),
        X,
    ),
    ("lt.Scalar where.self", lambda x: torch.where(x.abs() < 0.5, x.square(), x.abs()), X),
    (
        "logical_not.default logical_and.default logical_or.default logical_xor.default",
        lambda a, b, x: (
            torch.logical_not(a),
            torch.logical_and(a, b),
            torch.logical_or(a, b),
            torch.logical_xor(a, b),
            x,
        ),
        "a: mask n; b: mask n; x: n",
    ),
    (
        "bitwise_not.default bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor",
        lambda a, b, x: (~a, a & b, a | b, a ^ b, x),
        "a: mask n; b: mask n; x: n",
    ),
    (
        "where.self masked_fill.Scalar",
        lambda x, m: (torch.where(m, x, -x), torch.where(m, x, 0.0), x.masked_fill(m, 2.0)),
        "x: n,K; m: mask n,K",
    ),
    (
        "masked_fill.Scalar masked_fill.Tensor _softmax.default",
        lambda x, m: (F.softmax(x.masked_fill(m, float("-inf")), 1), x.masked_fill(m, x.sum().detach())),
        "x: n,K; m: mask n,K",
    ),
    (
        "_log_softmax.default logsumexp.default",
        lambda x, m: (
            F.log_softmax(x.masked_fill(m, float("-inf")), 1),
            torch.logsumexp(x.masked_fill(m, float("-inf")), 1),
        ),
        "x: n,K; m: mask n,K",
    ),
    (
        "slice.Tensor slice_scatter.default slice_backward.default",
        lambda x: (
            x[:, :3],
            torch.full_like(x, 0.5)[:, :1],
            aten.slice_scatter(x, x[:2].exp(), 0, 1, 3),
            aten.slice_backward(x[:, :2], [x.shape[0], x.shape[1]], 1, 1, 3, 1),
        ),
        X,
    ),
    (
        "slice.Tensor where.self gather.default",
        lambda x, t: (x[:2] * 1, x[:2].gather(1, torch.where(t != -1, t, 0)[:2, None])),
        "x: n,K; t: label n of K or -1; n = 4",
    ),
    (
        "clamp.default clamp_min.default clamp_max.default",
        lambda x: (x.clamp(-0.5, 1), aten.clamp_min(x, 0.2), aten.clamp_max(x, 0.2), x.clamp(min=0)),
        X,
    ),
    (
        "clamp.Tensor clamp_min.Tensor clamp_max.Tensor",
        lambda x, y: (torch.clamp(x, y, y + 1), aten.clamp_min.Tensor(x, y), aten.clamp_max.Tensor(x, y)),
        XY,
    ),
    ("clamp.default", lambda x, t: (x, t.clamp(min=0)), "x: n,K; t: label n of K or -100"),
    (
        "threshold.default threshold_backward.default",
        lambda x, y: (F.threshold(x, 0.3, -1.0), aten.threshold_backward(x, y, 0.3)),
        XY,
    ),
    ("hardtanh.default", lambda x: (F.relu6(4 * x), F.hardtanh(4 * x, -1.0, 2.0)), X),
    (
        "hardtanh_backward.default leaky_relu_backward.default",
        lambda x, y: (aten.hardtanh_backward(x, y, -1, 1), aten.leaky_relu_backward(x, y, 0.1, False)),
        XY,
    ),
    (
        "elu_backward.default softplus_backward.default gelu_backward.default",
        lambda x, y: (
            aten.elu_backward(x, 1, 1, 1, False, y),
            aten.softplus_backward(x, y, 2, 20),
            aten.gelu_backward(x, y, approximate="tanh"),
        ),
        XY,
    ),
    (
        "log_sigmoid_backward.default smooth_l1_loss_backward.default huber_loss_backward.default "
        "mse_loss_backward.default soft_margin_loss_backward.default binary_cross_entropy_backward.default",
        lambda x, y, p: (
            aten.log_sigmoid_backward(x, y, aten.log_sigmoid_forward(y)[1]),
            *[getattr(aten, op)(x, x, y, 0, 0.5) for op in ("smooth_l1_loss_backward", "huber_loss_backward")],
            *[getattr(aten, op)(x, x, y, 0) for op in ("mse_loss_backward", "soft_margin_loss_backward")],
            aten.binary_cross_entropy_backward(x, p, y, None, 0),
        ),
        "x: n,K; y: n,K; p: n,K unit",
    ),
    ("mse_loss_backward.default", lambda x, y: (aten.mse_loss_backward(x.sum(), x, y, 1),), XY),
    (
        "select_backward.default slice_backward.default",
        lambda x: (aten.select_backward(x[:, 0], x.shape, 1, 2), aten.slice_backward(x[:, :2], x.shape, 1, 1, 3, 1)),
        "x: n,4",
    ),
    (
        "native_layer_norm_backward.default",
        lambda x, w: aten.native_layer_norm_backward(
            x, x, x.shape[-1:], *aten.native_layer_norm(x, x.shape[-1:], w, w, 1e-5)[1:], w, w, [True, True, True]
        ),
        "x: n,K; w: K",
    ),
    (
        "empty.memory_format empty_like.default new_empty.default fill.Scalar",
        lambda x: (x, x.new_empty(3).fill_(3), torch.empty(3, dtype=x.dtype).fill_(2.0), torch.empty_like(x).fill_(1)),
        X,
    ),
    (
        "binary_cross_entropy_with_logits.default",
        lambda x, y, w: (
            F.binary_cross_entropy_with_logits(x, y, pos_weight=w),
            F.binary_cross_entropy_with_logits(x, y, weight=w, reduction="none"),
        ),
        "x: n,K; y: n,K; w: K positive",
    ),
    ("gelu.default", lambda x: F.gelu(x, approximate="tanh"), X),
    (
        "sum.dim_IntList mean.dim",
        lambda x: (x.sum(0), x.sum((0, 2), keepdim=True), x.mean(-1), x.mean((0, 1))),
        "x: n,K,d",
    ),
    ("var.correction var_mean.correction", lambda x: (x.var(1), x.var((0, 1), correction=0), *torch.var_mean(x, 0)), X),
    (
        "norm.ScalarOpt_dim norm.Scalar",
        lambda x: (
            aten.norm.ScalarOpt_dim(x, 2, [1]),
            aten.norm.ScalarOpt_dim(x, 1, [0], True),
            aten.norm.Scalar(x, 2),
        ),
        X,
    ),
    ("linalg_vector_norm.default", lambda x: (x.norm(dim=1), torch.linalg.vector_norm(x, 1), F.normalize(x)), X),
    ("max.dim min.dim", lambda x: (*x.max(1), *x.min(0, keepdim=True)), X),
    (
        "all.default any.default",
        lambda x: (*(one.all() for one in (torch.ones_like(x) > 0, torch.ones_like(x) < 0)), (x.new_ones(2) < 0).any()),
        X,
    ),
    ("max.default min.default amax.default", lambda x: (x.max(), x.min(), x.amax((0, 1)), x.amax(1, keepdim=True)), X),
    (
        "_softmax.default _log_softmax.default logsumexp.default",
        lambda x: (F.softmax(x, 0), F.log_softmax(x, 1), torch.logsumexp(x, (0, 1))),
        X,
    ),
    ("_safe_softmax.default", lambda x: aten._safe_softmax(x, 1), X),
    (
        "_softmax_backward_data.default _log_softmax_backward_data.default",
        lambda x, y: (
            aten._softmax_backward_data(x, y.softmax(1), 1, x.dtype),
            aten._log_softmax_backward_data(x, y.log_softmax(0), 0, x.dtype),
        ),
        XY,
    ),
    (
        "addmm.default baddbmm.default addmv.default",
        lambda x, y: (
            torch.addmm(x, x, y, beta=2, alpha=3),
            torch.addmv(x[:, 0], x, x[0], alpha=2),
            torch.baddbmm(x[None], x[None], y[None]),
        ),
        "x: n,n; y: n,n",
    ),
    ("bmm.default view.default permute.default", lambda x, y: torch.einsum("bik,bjk->ijb", x, y), "x: b,n,K; y: b,m,K"),
    (
        "nll_loss_forward.default",
        lambda x, t, w: (*aten.nll_loss_forward(x, t, w, 1, -100), aten.nll_loss_forward(x, t, None, 0, -100)[0]),
        "x: n,K; t: label n of K or -100; w: K positive",
    ),
    (
        "nll_loss_backward.default",
        lambda x, t, w: [
            aten.nll_loss_backward(*a)
            for a in ((x.sum(), x, t, w, 1, -100, w[t.clamp(0)].sum()), (x.sum(1), x, t, w, 0, -100, w[0]))
        ][1],
        "x: n,K; t: label n of K or -100; w: K positive",
    ),
    (
        "nll_loss2d_backward.default",
        lambda x, t: aten.nll_loss2d_backward(x.sum(), x, t, None, 2, 1, x.sum()),
        "x: n,K,d,e; t: label n,d,e of K",
    ),
    ("_unsafe_view.default", lambda x, w: x @ w, "x: b,n,D; w: D,E"),
    ("nll_loss2d_forward.default", lambda x, t: F.nll_loss(x, t, ignore_index=1), "x: n,K,d,e; t: label n,d,e of K"),
    ("native_layer_norm.default", lambda x, w: F.layer_norm(x, x.shape[-1:], w, w), "x: n,K; w: K"),
    ("rsqrt.default mean.dim", lambda x, w: F.rms_norm(x, x.shape[-1:], w), "x: n,K; w: K"),
    (
        "view.default unsqueeze.default squeeze.dim squeeze.dims expand.default",
        lambda x: (
            x.reshape(-1),
            x[:, None].squeeze(1),
            x[:, None, :, None].squeeze((1, 3)),
            x[None].expand(3, -1, -1),
        ),
        X,
    ),
    (
        "transpose.int permute.default t.default",
        lambda x: (x.transpose(0, 2), x.permute(2, 0, 1), x[0].t()),
        "x: n,K,d",
    ),
    (
        "select.int slice.Tensor stack.default cat.default flip.default",
        lambda x: (
            x[:, 1],
            x[:, -1],
            x[:, 1:3],
            x[:, ::2],
            torch.stack([x, 2 * x], 1),
            torch.cat([x, x[:, :1]], 1),
            x.flip(1),
        ),
        "x: n,4",
    ),
    (
        "slice.Tensor split.Tensor cat.default",
        lambda x: (x[: x.shape[0] // 2], *x.chunk(2), torch.cat([x, x + 1])),
        "x: 2*m,K",
    ),
    ("split_with_sizes.default unbind.int", lambda x: (*x.split([1, 3], 1), *x.unbind(1)), "x: n,4"),
    (
        "repeat.default diagonal.default diag_embed.default",
        lambda x: (x.repeat(2, 3), torch.diagonal(x), torch.diag_embed(x)),
        "x: n,n",
    ),
    (
        "select_scatter.default slice_scatter.default copy.default",
        lambda x, y: (
            torch.select_scatter(x, y, 1, 2),
            torch.slice_scatter(x, x[:, :2], 1, 2, 4),
            aten.copy(x, y[:, None]),
        ),
        "x: n,4; y: n",
    ),
    (
        "full.default full_like.default new_full.default zeros.default ones.default new_zeros.default "
        "new_ones.default scalar_tensor.default",
        lambda x: (
            x,
            torch.full(x.shape, 2.5),
            torch.full_like(x, 3),
            x.new_full((2, 3), 7),
            torch.zeros(x.shape),
            torch.ones(x.shape[0]),
            x.new_zeros(3),
            x.new_ones(3),
            aten.scalar_tensor(2.0),
        ),
        X,
    ),
    (
        "arange.default eye.default tril.default triu.default",
        lambda x: (torch.arange(x.shape[0]), torch.eye(x.shape[0]), x.tril(), x.triu(1)),
        X,
    ),
    (
        "gather.default index.Tensor index_select.default embedding.default",
        lambda x, t: (
            x.gather(1, t[:, None]),
            x[torch.arange(x.shape[0]), t],
            x.T[t],
            x.index_select(1, t),
            F.embedding(t, x.T),
        ),
        XT,
    ),
    ("index.Tensor", lambda x, t: (x[:, t], t[torch.arange(x.shape[0])]), XT),
    (
        "scatter.value scatter.src scatter_add.default",
        lambda x, t: (
            x.scatter(1, t[:, None], 2.0),
            x.scatter(1, t[:, None], x.sum(1, True)),
            x.scatter_add(1, t[:, None], x.sum(1, True)),
            torch.zeros_like(x[0]).scatter_add(0, t, x[:, 0]),
        ),
        XT,
    ),
    ("scatter_reduce.two", lambda x, t: x.scatter_reduce(1, t[:, None], x.sum(1, True), "sum"), XT),
    (
        "index_put.default",
        lambda x, t: (
            x.index_put((torch.arange(x.shape[0]), t), x[:, 0]),
            x[0].index_put((t,), x[:, 0], accumulate=True),
            x.index_put((torch.arange(x.shape[0]), t), x[:, 0], accumulate=True),
        ),
        XT,
    ),
    (
        "index_add.default",
        lambda x, t: (
            torch.zeros_like(x[0]).index_add(0, t, x[:, 0]),
            torch.zeros_like(x.t()).index_add(0, t, x),
            torch.zeros_like(x).index_add(1, t, x.t()),
        ),
        "x: n,n; t: label n of n",
    ),
    ("index_put.default", lambda x, m: x.index_put((m,), torch.tensor(2.0, dtype=x.dtype)), "x: n,K; m: mask n,K"),
    (
        "_to_copy.default",
        lambda x, t, m: (x, F.one_hot(t, 4).double(), m.double(), t.double(), x.float()),
        "x: n,4; t: label n of 4; m: mask n",
    ),
    ("lift_fresh_copy.default", lambda x: x * torch.tensor([1.0, 2.0, 4.0]), "x: n,3"),
]


def cases():
    few = {**ONE, **TWO}.items()
    return [*((f"{name}.default", getattr(aten, name).default, inputs) for name, inputs in few), *MORE]


def values(function, inputs):
    """The operations of a trace of a function, and how each was read."""
    declared = read_inputs(inputs)
    recorder = Recorder()

    def joint(*tensors):
        found = function(*tensors)
        return [one for one in (found if isinstance(found, tuple | list) else [found]) if one is not None]

    def make(sizes):
        return [tensor.detach() for tensor in leaves(declared, sizes)]

    dims = [one.dims for one in declared.inputs]
    choices = [declared.traced_sizes(choice) for choice in range(3)]
    found = trace(joint, recorder, make, dims, declared.axes, choices)
    reader = Reader(found, declared, [])
    reader.read()
    return declared, found, reader


def disagreements(declared, found, reader):
    """What torch has otherwise than it is read, at two points, at every operation."""
    sizes = dict(zip(declared.axes, (3, 4, 2, 5), strict=False)) | declared.given
    if found.tracing == "family":
        sizes = declared.traced_sizes()
    checked = 0
    for seed in range(1, 20):
        inputs = sample(declared, sizes, seed, simple=False)
        interpreter = Recorded(found.module)
        interpreter.run(*inputs.tensors)
        literal = {str(size): size for size in range(2, 65)}
        try:
            more = chosen(reader.opaque, found, interpreter.outputs, {**literal, **sizes})
        except Ambiguous:
            continue
        point = inputs.point(more, literal)
        wrong = disagreement(reader, found, interpreter.outputs, point)
        checked += 1
        if wrong or checked == 2:
            return wrong
    return "no point was found"


@pytest.mark.parametrize(
    ("readings", "function", "inputs"), cases(), ids=lambda one: one[:60] if isinstance(one, str) else ""
)
def test_each_reading_is_what_torch_computes(readings, function, inputs):
    declared, found, reader = values(function, inputs)
    names = {one.name.removeprefix("aten.") for one in found.operations}
    if "alias.default" in names:
        names.add("detach.default")  # from torch 2.14 on the trace has an alias for what is detached
    if "sigmoid.default" in names:
        names.add("silu_backward.default")  # which torch 2.9 writes out
    assert set(readings.split()) <= names, sorted(names)
    assert disagreements(declared, found, reader) == ""


def test_a_wrong_reading_is_noticed(monkeypatch):
    monkeypatch.setitem(READINGS, "aten.tanh.default", READINGS["aten.sigmoid.default"])
    declared, found, reader = values(torch.tanh, "x: n")
    assert re.match(r"aten.tanh.default.*entry", disagreements(declared, found, reader))
    undecided = proof.prove_gradient(torch.tanh, "input: n", second=False)
    assert undecided.verdict == "undecided"
    assert "a reading disagrees with torch" in str(undecided)


def test_every_reading_is_tested():
    tested = {name for readings, _, _ in cases() for name in readings.split()}
    assert {name.removeprefix("aten.") for name in READINGS} == tested
