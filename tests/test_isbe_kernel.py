"""The kernel for CUDA, without a GPU: in Triton's interpreter, and compiled for NVIDIA's architectures.

Triton comes with PyTorch for CUDA. Without it these tests are skipped: pip install triton.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from softmax_trick.isbe import isbe_error, kernel
from softmax_trick.isbe.kernel import fused_error
from softmax_trick.isbe.targets import Rule, rule_for


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")[:2]))


# Triton decides when it is imported whether kernels are interpreted, and once more when one is called.
with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    patch.setenv("TRITON_INTERPRET", "1")
    warnings.simplefilter("ignore")
    triton = pytest.importorskip("triton")
    if version(triton.__version__) < (3, 7) and version(np.__version__) >= (2, 4):
        pytest.skip("Triton's interpreter of before 3.7 cannot do with numpy 2.4", allow_module_level=True)
    import softmax_trick.isbe.triton_kernel  # noqa: F401

NAN = torch.nan
ROWS = 6
PLAIN = rule_for("softmax")


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")


def problem(k: int, dtype: torch.dtype = torch.float32, spread: float = 5) -> tuple[Tensor, Tensor]:
    torch.manual_seed(k)
    return (torch.randn(ROWS, k) * spread).to(dtype), torch.randint(k, (ROWS,))


def exact(rule: Rule, scores: Tensor, labels: Tensor, scale: Tensor | None = None) -> Tensor:
    """From the definition, in float64: nothing of the library but the targets that a blurring makes."""
    on, off = rule.on_off(scores.shape[-1])
    at_label = labels[:, None] == torch.arange(scores.shape[-1])
    error = scores.double().softmax(-1) - torch.where(at_label, on, off)
    if rule.ignore_index is not None:
        error[labels == rule.ignore_index] = 0
    return error if scale is None else error * scale


def bound(dtype: torch.dtype) -> float:
    """Of an error of size 1: sums of 4096 terms by halving, exp and quotients in float32; one rounding to the dtype."""
    return 20 * 2**-24 + (0 if dtype is torch.float32 else torch.finfo(dtype).eps / 2)


def written(rule: Rule, scores: Tensor, labels: Tensor, scale: Tensor | None = None) -> Tensor:
    return fused_error(rule, scores, labels, torch.full_like(scores, NAN), scale).double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("k", [1, 2, 10, 33, 4096, 4097, 10_000])
def test_it_is_the_error(k: int, dtype: torch.dtype) -> None:
    scores, labels = problem(k, dtype)
    assert (written(PLAIN, scores, labels) - exact(PLAIN, scores, labels)).abs().max() <= bound(dtype)


@pytest.mark.parametrize("spread", [1e-3, 1e2, 1e4])
def test_of_small_and_large_scores(spread: float) -> None:
    scores, labels = problem(5_000, spread=spread)
    for ordered in (scores, scores.sort().values, scores.sort(descending=True).values):
        assert (written(PLAIN, ordered, labels) - exact(PLAIN, ordered, labels)).abs().max() <= bound(torch.float32)


@pytest.mark.parametrize(
    "rule",
    [
        rule_for("softmax", 0.1),
        rule_for("softmax", label_smoothing=0.2),
        rule_for("softmax", ignore_index=3),
        rule_for("softmax", ignore_index=-100, label_smoothing=0.1),
    ],
    ids=("blurring", "smoothing", "ignoring", "ignoring and smoothing"),
)
@pytest.mark.parametrize(
    "scale", [None, torch.tensor(0.25), torch.linspace(0, 2, ROWS)[:, None]], ids=("plain", "scaled", "scaled by row")
)
def test_options_and_scales(rule: Rule, scale: Tensor | None) -> None:
    scores, labels = problem(50)
    labels[2] = labels[4] = 3 if rule.ignore_index is None else rule.ignore_index
    found = written(rule, scores, labels, scale)
    assert (found - exact(rule, scores, labels, scale)).abs().max() <= 2 * bound(torch.float32)
    if rule.ignore_index is not None:
        assert not found[2].any()


def test_strides_of_scores_and_buffer_and_kinds_of_labels() -> None:
    scores, labels = problem(40)
    expected = exact(PLAIN, scores, labels)
    for x in (scores, scores.t().contiguous().t(), torch.cat([scores, scores], -1)[:, :40], scores.expand(ROWS, 40)):
        for out in (torch.empty_like(scores), torch.empty(40, ROWS).t(), torch.empty(ROWS, 80)[:, :40], x.clone()):
            for kind in (labels, labels.int(), labels.to(torch.uint8), labels.repeat_interleave(2)[::2]):
                assert fused_error(PLAIN, x, kind, out, None) is out
                assert (out - expected).abs().max() <= bound(torch.float32)
    assert fused_error(PLAIN, scores, labels, scores, None) is scores, "in place"
    assert (scores - expected).abs().max() <= bound(torch.float32)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # by the interpreter
@pytest.mark.parametrize("k", [10, 5_000])
def test_what_is_not_finite_is_as_in_torch(k: int) -> None:
    scores, labels = torch.zeros(ROWS, k), torch.arange(ROWS)
    scores[0, 1] = torch.inf
    scores[1, k - 1] = NAN
    scores[2] = -torch.inf
    scores[3, : k - 2] = -torch.inf  # classes that are masked
    scores[4, k - 2 :] = -torch.inf
    found, expected = written(PLAIN, scores, labels), exact(PLAIN, scores, labels)
    assert found[:3].isnan().all()
    assert torch.equal(found.isnan(), expected.isnan())
    assert (found - expected)[3:].abs().max() <= bound(torch.float32)


@pytest.mark.parametrize("wrong", [-1, 10, 2**40])
def test_a_row_with_a_label_out_of_range_is_nan(wrong: int) -> None:
    scores, labels = problem(10)
    labels[4] = wrong
    found = written(PLAIN, scores, labels)
    assert found.isnan().all(-1).tolist() == [row == 4 for row in range(ROWS)]


def test_it_is_taken_for_softmax_and_labels_on_cuda_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU is told to be one; in the interpreter the kernel runs all the same."""
    taken: list[tuple[int, ...]] = []

    def spied(rule: Rule, scores: Tensor, *others: Any) -> Tensor:
        taken.append(tuple(scores.shape))
        return fused_error(rule, scores, *others)

    monkeypatch.setattr(kernel, "_obstacle", lambda device: "")
    monkeypatch.setattr("softmax_trick.isbe.error.fused_error", spied)
    monkeypatch.setattr(Tensor, "is_cuda", True)
    scores, labels = problem(7)
    on_cuda = isbe_error(scores, labels), isbe_error(scores.view(2, 3, 7), labels.view(2, 3)).view(ROWS, 7)
    assert taken == [(6, 7), (6, 7)]
    for options in ({"normalizer": "sigmoid"}, {"weight": torch.ones(7)}):
        isbe_error(scores, labels, **options)  # type: ignore[arg-type]
    isbe_error(scores.double(), labels)
    isbe_error(scores, scores.softmax(-1))
    isbe_error(scores[:0], labels[:0])
    assert len(taken) == 2
    monkeypatch.undo()
    for found in on_cuda:
        assert (found - exact(PLAIN, scores, labels)).abs().max() <= bound(torch.float32)


def test_the_way_taken_is_said() -> None:
    assert kernel.path("cpu") == "torch's operations: the kernel is for CUDA"
    if not torch.cuda.is_available():
        with pytest.warns(UserWarning, match="ISBE on cuda:7 is made of torch's operations, not of one kernel: "):
            said = kernel.path("cuda:7")
        obstacle = said.removeprefix("torch's operations: ")
        assert obstacle.startswith(
            ("AssertionError: Torch not compiled with CUDA enabled", "RuntimeError: Found no NVIDIA driver")
        )


COMPILE = """
import itertools
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from softmax_trick.isbe.kernel import NARROWEST, WIDEST
from softmax_trick.isbe.triton_kernel import softmax_error

numbers = dict.fromkeys(("k", "score_stride", "out_stride", "scale_stride", "ignored"), "i32")
sizes = (80, WIDEST), (90, WIDEST), (90, NARROWEST)
for kind, (capability, width) in itertools.product(("fp32", "bf16", "fp16"), sizes):
    pointers = {"scores": "*" + kind, "labels": "*i64", "out": "*" + kind, "scale": "*fp32"}
    constants = {"scaled": True, "ignores": True, "width": width}
    signature = pointers | numbers | {"on": "fp32", "off": "fp32"} | dict.fromkeys(constants, "constexpr")
    signature = {name: signature[name] for name in softmax_error.arg_names}
    source = ASTSource(fn=softmax_error, signature=signature, constexprs=constants)
    options = {"num_warps": max(1, width // 256)}
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert compiled.asm["cubin"]
    print(kind, capability, width)
"""


def test_it_compiles_for_nvidia(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRITON_INTERPRET")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    (tmp_path / "compile_it.py").write_text(COMPILE)
    done = subprocess.run([sys.executable, tmp_path / "compile_it.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 9
