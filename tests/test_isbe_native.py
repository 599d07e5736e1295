"""The native operator, built once for this module by its command, in a cache of its own.

Accuracy is measured in units in the last place against mpmath, beside torch's own operations. The properties are those
of tests/test_isbe.py, checked there for torch's operations; every check is shown a broken operator, too.

Without a C++ compiler or ninja these tests are skipped. With SOFTMAX_TRICK_SANITIZE=address,undefined the operator is
compiled with those sanitizers, and not kept: `make sanitize`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import pytest
import torch
import torch.nn.functional as F
from test_isbe import (
    SETTINGS,
    SMOOTH_PROBLEMS,
    check_blurring,
    check_error,
    check_gradient,
    check_repeated_backward,
    check_scores_untouched,
    check_second_derivative,
    check_value,
    problems,
)
from torch import Tensor

from softmax_trick.cli import main
from softmax_trick.commands import build_native
from softmax_trick.isbe import VALUES, ISBELoss, isbe_error, isbe_linear, native, path
from softmax_trick.isbe.targets import rule_for
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.testing import CheckFailed
from softmax_trick.testing.native_operator import check_everything

pytestmark = pytest.mark.slow  # it is compiled
BIN = Path(sys.executable).parent
SANITIZERS = os.environ.get("SOFTMAX_TRICK_SANITIZE")
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
NAMES = list(NORMALIZERS)

needs_a_compiler = pytest.mark.skipif(
    not shutil.which(os.environ.get("CXX", "c++").split()[0])
    or not (shutil.which("ninja") or (BIN / "ninja").exists()),
    reason="wants a C++ compiler and ninja (pip install 'softmax-trick[native]')",
)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The operator, in use for as long as these tests run."""
    folder = tmp_path_factory.mktemp("native")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTMAX_TRICK_CACHE", str(folder))
        native.use()
        if SANITIZERS:
            flags = (f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=undefined", "-g1")
            native.use(native.load(build_native.compile_into(folder, flags)))
        else:
            assert (
                path() == "torch's operations: the native operator is not built; softmax-trick build-native builds it"
            )
            assert main(["build-native"]) == 0
        assert path().startswith(f"the native operator: {folder}")
        yield native._operator()
    native.use()


@pytest.fixture
def on(operator: Any, one_thread: None) -> Iterator[None]:
    """The operator is in use."""
    native.use(operator)
    yield
    native.use()


def by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_chosen", (None, "the test asks for torch's operations"))


# --- the properties of tests/test_isbe.py -----------------------------------------------------------------------------

PROPERTIES: dict[str, tuple[Callable[..., None], Any, Any]] = {
    "error": (check_error, isbe_error, problems()),
    "blurring": (check_blurring, isbe_error, problems(min_k=2)),
    "value": (check_value, ISBELoss, problems()),
    "gradient": (check_gradient, ISBELoss, problems()),
    "repeated backward": (check_repeated_backward, ISBELoss, problems(min_rows=1)),
    "second derivative": (check_second_derivative, ISBELoss, SMOOTH_PROBLEMS),
    "scores untouched": (check_scores_untouched, ISBELoss, problems()),
}


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, in forward mode
@pytest.mark.parametrize("name", PROPERTIES)
def test_it_has_the_properties_of_torchs_operations(name: str) -> None:
    from hypothesis import given

    check, implementation, strategy = PROPERTIES[name]
    SETTINGS(given(strategy)(lambda p: check(implementation, p)))()


@needs_a_compiler
@pytest.mark.usefixtures("on")
def test_it_is_what_computes() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    for name in NAMES:
        for value in VALUES:
            found = ISBELoss(name, value=value, label_smoothing=0.1, ignore_index=2)(x, torch.tensor([0, 2, 3]))
            assert found.grad_fn is not None
            assert found.grad_fn.name() == "ISBEBackward"


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("targets", [torch.tensor([0, 6, 3, 3, 1]), torch.rand(5, 7)], ids=["labels", "soft"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_direct_and_wrapped_are_the_same(name: str, targets: Tensor, dtype: torch.dtype) -> None:
    """To the last bit, for every value, and for any grad_output with one rounding more."""
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    options: dict[str, Any] = {"weight": torch.linspace(0, 2, 7)} if name == "softmax" else {}
    for smoothing in (0.0, 0.1):
        error = isbe_error(x, targets, name, label_smoothing=smoothing, **options)
        out = torch.full_like(x, 7.0)
        assert isbe_error(x, targets, name, label_smoothing=smoothing, **options, out=out) is out
        assert torch.equal(error, out)
        for value in VALUES:
            for factor in (1.0, 4.0):
                leaf = x.clone().requires_grad_()
                loss = ISBELoss(name, value=value, label_smoothing=smoothing, **options)(leaf, targets)
                (found,) = torch.autograd.grad(loss, leaf, torch.tensor(factor, dtype=loss.dtype))
                assert torch.equal(found, factor * error)


# --- accuracy, in units in the last place -----------------------------------------------------------------------------


def exact(name: str, x: Tensor, labels: Tensor) -> list[list[Any]]:
    """F(x) - t to 400 digits, from the definition: of saturated scores y - 1 loses 300 of them."""
    mpmath.mp.dps = 400
    found = []
    for row, label in zip(x.tolist(), labels.tolist(), strict=True):
        s = [mpmath.mpf(number) for number in row]
        total = sum(map(mpmath.exp, s))
        y = {
            "softmax": lambda t, total=total: mpmath.exp(t) / total,
            "sigmoid": lambda t: 1 / (1 + mpmath.exp(-t)),
            "tanh": mpmath.tanh,
            "hardtanh": lambda t: max(-1, min(1, t)),
            "hardsigmoid": lambda t: (max(-1, min(1, t / 2)) + 1) / 2,
            "hardsigmoid_torch": lambda t: max(0, min(6, t + 3)) / 6,
        }[name]
        low, high = NORMALIZERS[name].target_range
        found.append([y(number) - (high if i == label else low) for i, number in enumerate(s)])
    return found


def worst(found: Tensor, right: list[Any]) -> float:
    """The largest error in units in the last place of the right number; of the least normal number, below it."""
    info = torch.finfo(found.dtype)
    largest = mpmath.mpf(0)
    for number, exact_number in zip(found.double().tolist(), right, strict=True):
        size = max(abs(exact_number), mpmath.mpf(info.tiny))
        unit = mpmath.mpf(info.eps) * mpmath.mpf(2) ** mpmath.floor(mpmath.log(size, 2))
        largest = max(largest, abs(mpmath.mpf(number) - exact_number) / unit)
    return float(largest)


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [2, 12])
def test_it_is_as_accurate_as_torch(k: int, name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worse than torch's own operations, or one unit: of scores of each size, saturated ones too; the labelled
    classes, where torch's lose most, and the others apart.
    """
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(12) % k
    of_label = F.one_hot(labels, k).bool()
    for size in (0.1, 1.0, 4.0, 20.0, 90.0):
        x = (size * torch.randn(12, k, generator=generator, dtype=torch.float64)).to(dtype)
        right = exact(name, x, labels)
        found = isbe_error(x, labels, name)
        with monkeypatch.context() as patch:
            by_torch(patch)
            torchs = isbe_error(x, labels, name)
        for part in (of_label, ~of_label):
            of_part = [right[row][i] for row, i in part.nonzero().tolist()]
            allowed = max(1.0, worst(torchs[part], of_part))
            assert worst(found[part], of_part) <= allowed
            planted = torchs[part]
            planted[planted.abs().argmax()] *= 1 + 2 * (allowed + 1) * torch.finfo(dtype).eps
            assert worst(planted, of_part) > allowed


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "targets"), [("sigmoid", (0.0, 1.0)), ("tanh", (0.0, 0.5, 1.0))])
def test_elements_are_within_a_unit(name: str, targets: tuple[float, ...], dtype: torch.dtype) -> None:
    """F(x) itself, by the target that is mapped to 0, and its distance from the ends of its range."""
    mpmath.mp.dps = 60
    low, high = NORMALIZERS[name].target_range
    x = torch.cat([torch.linspace(-9, 9, 91), torch.logspace(-30, 1, 40)]).to(dtype)[:, None]
    y = [mpmath.tanh(s) if name == "tanh" else 1 / (1 + mpmath.exp(-s)) for s in map(mpmath.mpf, x[:, 0].tolist())]
    for target in targets:
        found = isbe_error(x, torch.full_like(x, target), name)
        assert worst(found[:, 0], [one - (low + (high - low) * target) for one in y]) < 0.8


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("k", [1, 2, 7, 8, 9, 1000, 70_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_many_classes(k: int, dtype: torch.dtype) -> None:
    """By float64: a unit for the exponential, its argument's rounding, the sum, the quotient; one for the dtype."""
    x = (3 * torch.randn(3, k, generator=torch.Generator().manual_seed(k))).to(dtype)
    labels = torch.tensor([0, k - 1, k // 2])
    right = x.double().softmax(-1) - F.one_hot(labels, k)
    bound = 2**-24 * (8 + 2 * float(x.abs().max())) + torch.finfo(dtype).eps / 2
    assert ((isbe_error(x, labels).double() - right).abs() <= bound * right.abs() + 1e-38).all()
    value = ISBELoss(reduction="none")(x.float(), labels).double()
    torch.testing.assert_close(value, F.cross_entropy(x.double(), labels, reduction="none"), rtol=2**-22, atol=2**-22)


@needs_a_compiler
@pytest.mark.usefixtures("on")
def test_a_small_loss_keeps_its_digits() -> None:
    """Where the label has nearly all, log sum exp x - x_t is log(1 + sum of the others): 1e-20, and not 0."""
    x = torch.tensor([[0.0, -46.0, -50.0]])
    right = torch.log1p(torch.exp(torch.tensor(-46.0).double()) + torch.exp(torch.tensor(-50.0).double())).item()
    assert ISBELoss()(x, torch.tensor([0])).item() == pytest.approx(right, rel=1e-6)
    assert ISBELoss("sigmoid")(-x[:, 1:], torch.tensor([1])).item() == pytest.approx(46, rel=1e-6)


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 3, 40])
def test_what_is_not_finite_is_as_in_torch(k: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(5, k).to(dtype)
    x[0, 0], x[1, k - 1], x[2], x[3, k // 2 :] = torch.inf, torch.nan, -torch.inf, -torch.inf
    labels = torch.zeros(5, dtype=torch.int64)
    for name in NAMES:
        value = "implicit" if name in ("softmax", "sigmoid") else "none"  # torch's others are NaN, not infinite
        loss = ISBELoss(name, "none", value=value)  # type: ignore[arg-type]
        found = isbe_error(x, labels, name), loss(x, labels)
        with monkeypatch.context() as patch:
            by_torch(patch)
            expected = isbe_error(x, labels, name), loss(x, labels)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=4 * torch.finfo(dtype).eps, atol=1e-7, equal_nan=True)


# --- the same from run to run, and with any number of threads ---------------------------------------------------------


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_every_time(name: str) -> None:
    x, labels = torch.randn(300, 257), torch.randint(257, (300,))

    def run() -> tuple[Tensor, Tensor, Tensor]:
        leaf = x.clone().requires_grad_()
        loss = ISBELoss(name, "mean")(leaf, labels)
        loss.backward()
        assert leaf.grad is not None
        return isbe_error(x, labels, name), loss.detach(), leaf.grad

    first = run()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        assert all(map(torch.equal, first, run()))
    torch.set_num_threads(1)


# --- strides, buffers, labels -----------------------------------------------------------------------------------------


@needs_a_compiler
@pytest.mark.usefixtures("on")
def test_strides_and_kinds_of_labels() -> None:
    x, labels = torch.randn(4, 10), torch.tensor([0, 9, 5, 5])
    expected = isbe_error(x, labels)
    for twin in (x.t().contiguous().t(), torch.cat([x, x], -1)[:, :10], x.view(2, 2, 10)):
        for kind in (labels, labels.int(), labels.to(torch.uint8), labels.repeat_interleave(2)[::2]):
            assert torch.equal(isbe_error(twin, kind.view(twin.shape[:-1])).view(4, 10), expected)
    for out in (torch.empty(10, 4).t(), torch.empty(4, 20)[:, :10]):
        assert isbe_error(x, labels, out=out) is out
        assert torch.equal(out, expected)
    assert torch.equal(native.write(rule_for("softmax"), x, labels, None, x)[0], expected), "in place"  # type: ignore[index]
    assert torch.equal(x, expected)


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("k", [2**20, 2**20 + 1])
@pytest.mark.parametrize("name", ["softmax", "hardtanh"])
def test_a_large_buffer_is_written_whole(name: str, k: int) -> None:
    """Past the caches, where its vectors lie at multiples of their size; 128 MB and more."""
    x, labels = torch.randn(32, k), torch.arange(32)
    out = torch.full_like(x, torch.nan)
    assert isbe_error(x, labels, name, out=out) is out
    assert torch.equal(out, isbe_error(x, labels, name))


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("wrong", [-1, 10, 2**40])
def test_a_label_out_of_range_is_named_and_nothing_is_written(wrong: int) -> None:
    x, labels, out = torch.randn(4, 10), torch.tensor([0, wrong, 5, 5]), torch.full((4, 10), 7.0)
    weight = torch.ones(10)
    for refuse in (
        lambda: isbe_error(x, labels, out=out),
        lambda: isbe_error(x, labels, out=out, label_smoothing=0.1),
        lambda: ISBELoss("softmax", "mean", weight=weight)(x.requires_grad_(), labels),
        lambda: ISBELoss(value="none", weight=weight, reduction="mean")(x, labels),
        lambda: isbe_linear(torch.randn(4, 3), torch.randn(10, 3, requires_grad=True), labels),
    ):
        with pytest.raises(
            ValueError, match=rf"class index {wrong:g}".replace("+", r"\+") + r" in row \[1\] is outside"
        ):
            refuse()
    assert (out == 7).all()


@needs_a_compiler
@pytest.mark.usefixtures("on")
def test_buffers_are_refused_as_before() -> None:
    x, labels = torch.randn(4, 10), torch.tensor([0, 1, 2, 3])
    leaf = torch.randn(4, 10, requires_grad=True)
    leaf.grad = torch.zeros(4, 10)
    with pytest.raises(ValueError, match="shares its memory with the scores"):
        isbe_error(x, labels, out=x)
    with pytest.raises(ValueError, match="shares its memory with the gradient of the scores"):
        isbe_error(leaf.view_as(leaf), labels, out=leaf.grad)
    with pytest.raises(ValueError, match="the buffer must be as the scores"):
        isbe_error(x, labels, out=torch.empty(4, 9))
    saved = torch.randn(4, 10, requires_grad=True)
    buffer = saved.detach().clone()
    product = saved * buffer
    isbe_error(x, labels, out=buffer)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


@needs_a_compiler
@pytest.mark.usefixtures("on")
def test_the_node_follows_autograds_rules() -> None:
    x = torch.randn(4, 10, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3])
    loss = ISBELoss()(x, labels)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    changed = x * 1
    loss = ISBELoss(value="none")(changed, labels)
    changed.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    rows = ISBELoss(reduction="none")(x, labels)
    (each,) = torch.autograd.grad(rows, x, torch.eye(4), is_grads_batched=True)
    torch.testing.assert_close(each.sum(0), isbe_error(x, labels))
    with torch.no_grad():
        assert ISBELoss()(x, labels).grad_fn is None


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", VALUES)
def test_isbe_linear_uses_it(value: Any, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    write = native.write

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return write(*arguments)

    monkeypatch.setattr(native, "write", counted)
    torch.manual_seed(0)
    h = torch.randn(7, 5).to(dtype).requires_grad_()
    weight, labels = torch.randn(11, 5).to(dtype).requires_grad_(), torch.arange(7)
    loss = isbe_linear(h, weight, labels, value=value, chunk=3)
    found = torch.autograd.grad(loss, (h, weight))
    assert len(calls) == 3
    expected = torch.autograd.grad(ISBELoss(value="none")(F.linear(h, weight), labels), (h, weight))
    for one, other in zip(found, expected, strict=True):
        # Each of three chunks is rounded, and the other side once: two units; more where terms cancel.
        rtol, atol = (2 * torch.finfo(dtype).eps, 0.02) if dtype is torch.bfloat16 else (1e-5, 1e-5)
        torch.testing.assert_close(one, other, rtol=rtol, atol=atol)


# --- check_loss notices a broken operator -----------------------------------------------------------------------------

BROKEN: dict[str, Callable[[Tensor], Tensor]] = {
    "half the gradient": lambda loss: loss.detach() / 2 + loss / 2,
    "a value off by 1e-6": lambda loss: loss * 1 + 1e-6,
    "not a number": lambda loss: loss * torch.nan,
}


@needs_a_compiler
@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_operator_does_not_pass_the_check(fault: str) -> None:
    with pytest.raises(CheckFailed):
        check_everything(lambda name, reduction: lambda x, t, **o: BROKEN[fault](ISBELoss(name, reduction, **o)(x, t)))


# --- what fails says so in a line, and everything works as before -----------------------------------------------------

WORKS = "softmax-trick: ISBE is made of torch's operations, as before\n"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, and nothing in use."""
    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(tmp_path))
    native.use()
    yield tmp_path
    native.use()


def works_as_before() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    labels = torch.tensor([0, 1, 3])
    torch.testing.assert_close(isbe_error(x, labels), x.detach().softmax(-1) - F.one_hot(labels, 4))
    assert path().startswith("torch's operations: ")


@needs_a_compiler
@pytest.mark.usefixtures("empty")
def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert main(["build-native"]) == 1
    told = capsys.readouterr().err
    assert "the native operator is not built: there is no C++ compiler no-such-compiler" in told
    assert told.endswith(WORKS)
    works_as_before()


@needs_a_compiler
def test_with_a_broken_compiler(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compiler = empty / "c++"
    compiler.write_text(
        '#!/bin/sh\ncase "$*" in *version*) echo 12.2.0;; *) echo "error: it is broken" >&2; exit 1;; esac\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert main(["build-native"]) == 1
    told = capsys.readouterr().err
    assert "and torch's builder failed: " in told
    assert "error" in told
    assert told.endswith(WORKS)
    assert not list((empty / "native").rglob("*.so"))
    works_as_before()


@needs_a_compiler
@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write anywhere")
def test_with_a_cache_that_cannot_be_written(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty.chmod(0o555)
    assert main(["build-native"]) == 1
    assert "cannot be written: Permission denied" in capsys.readouterr().err
    works_as_before()


@needs_a_compiler
def test_with_a_file_in_the_place_of_the_cache(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty / "native").write_text("")
    assert main(["build-native"]) == 1
    told = capsys.readouterr().err
    assert "cannot be written: " in told
    assert told.endswith(WORKS)
    works_as_before()


def test_built_for_another_torch(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(torch, "__version__", "2.11.0")
        native.folder().mkdir(parents=True)
        build_native.keep(b"of another torch")
    assert "the native operator is built for torch-2.11.0-" in path()
    works_as_before()


@pytest.mark.parametrize("damage", ["content", "record", "signature", "source", "loading"])
def test_a_damaged_library_is_not_used(damage: str, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native.folder().mkdir(parents=True)
    if damage == "source":
        monkeypatch.setattr(native, "SOURCE", empty / "native.cpp")
        native.SOURCE.write_text("// another one")
    build_native.keep(b"no library at all")
    monkeypatch.undo()
    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(empty))
    match damage:
        case "content":
            native.library().write_bytes(b"no library after all")
        case "record":
            native.record().write_text("{")
        case "signature":
            native.record().write_text(native.record().read_text().replace('"torch": "2', '"torch": "3'))
    native.use()
    with pytest.warns(UserWarning, match=r"ISBE on CPUs is made of torch's operations: .*softmax-trick build-native"):
        works_as_before()
    expected = {
        "content": "is not the file that was checked",
        "record": "is not used",
        "signature": "its signature is not the user's",
        "source": "is of another version of softmax-trick",
        "loading": "cannot be loaded",
    }
    assert expected[damage] in path()


def test_an_operator_that_crashes_or_is_wrong_is_not_kept(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_native, "compile_into", lambda folder: folder / "none.so")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    for check, said in (
        ("import os; os.abort()", "it crashed when it was checked (signal 6)"),
        ("raise AssertionError('CheckFailed: value')", "it did not pass the check: AssertionError: CheckFailed: value"),
    ):
        monkeypatch.setattr(build_native, "CHECK", check)
        assert main(["build-native"]) == 1
        assert said in capsys.readouterr().err
        assert not native.library().exists()
    works_as_before()


def test_importing_builds_and_loads_nothing() -> None:
    told = "import softmax_trick.isbe; from softmax_trick.isbe import native; print(native._chosen)"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "None\n"
