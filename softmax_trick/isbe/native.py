"""The native operator for CPUs: error and value of a row in one visit, by `native.cpp`, where the user has built it.

`softmax-trick build-native` compiles it with torch's own extension builder, has `check_loss` check it, and keeps it in
the user's cache for this torch, Python and processor. From then on it is used; nothing is ever built otherwise, and
without it everything is made of torch's operations. `path` says which way is taken, and why.

It computes what `softmax_trick.isbe.error` and `softmax_trick.isbe.values` define, for the table's normalizers, labels
and soft targets, and every option. What it does not know, or would have to refuse, it leaves to torch's operations: a
mode or a subclass that watches operations, a normalizer of one's own, arguments that do not fit. A second derivative is
always the textbook's.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import os
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from softmax_trick.isbe.kernel import path as path_on
from softmax_trick.isbe.targets import Rule
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.system import signature
from softmax_trick.system.files import parse_json

MODULE = "softmax_trick_isbe"
SOURCE = Path(__file__).with_name("native.cpp")
BUILD = "softmax-trick build-native"
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-fopenmp")
"""Of the compiler: C++20 as torch asks for it would not contract, and the baseline of x86-64 has no wide registers."""

KINDS = {"none": 0, "implicit": 1, "mse": 2}
REDUCTIONS = {"none": 0, "sum": 1, "mean": 2}
_CODES = {
    NORMALIZERS[name]: code
    for code, name in enumerate(("softmax", "sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardsigmoid_torch"))
}


class NotUsable(Exception):
    """Why the native operator is not used."""


def path(device: torch.device | str = "cpu") -> str:
    """Which way error and loss go on the device, and why: "the native operator", "one kernel", "torch's operations"."""
    if torch.device(device).type != "cpu":
        return path_on(device)
    operator = _operator()
    return f"torch's operations: {_obstacle()}" if operator is None else f"the native operator: {operator.__file__}"


# --- what is kept -----------------------------------------------------------------------------------------------------


def folder() -> Path:
    """Where the operator of this torch, Python and processor is kept."""
    from platformdirs import user_cache_path

    named = os.environ.get("SOFTMAX_TRICK_CACHE")
    cache = Path(named) if named else user_cache_path("softmax-trick")
    machine = hashlib.sha256(processor().encode()).hexdigest()[:12]
    python = sys.implementation.cache_tag
    return cache / "native" / f"torch-{torch.__version__}-{python}-{machine}"


def library() -> Path:
    """The file of the operator, whether it is there or not."""
    return folder() / f"{MODULE}.so"


def record() -> Path:
    """What is known of that file: whose it is, and that it was checked."""
    return folder() / f"{MODULE}.json"


def processor() -> str:
    """Of this machine: its kind and what it can do. Code for one is not for another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return "\n".join([platform.machine(), *dict.fromkeys(told)]) if told else platform.machine() + platform.processor()


def digest(content: bytes) -> str:
    """Of a file."""
    return hashlib.sha256(content).hexdigest()


def description(content: bytes) -> dict[str, str]:
    """What a record says of an operator with this content that is built from the present source."""
    return {"source": digest(SOURCE.read_bytes()), "library": digest(content), "torch": torch.__version__}


# --- from the cache into use ------------------------------------------------------------------------------------------


def load(file: Path) -> Any:
    """The operator in a file.

    Raises:
        NotUsable: it cannot be loaded.
    """
    loader = importlib.machinery.ExtensionFileLoader(MODULE, str(file))
    spec = importlib.util.spec_from_file_location(MODULE, file, loader=loader)
    try:
        if spec is None:
            raise ImportError(f"{file} is no extension module")
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except (ImportError, OSError) as error:
        raise NotUsable(f"{file} cannot be loaded ({str(error).splitlines()[0]}); {BUILD} builds it anew") from error
    return module


def _kept() -> Any:
    """The operator that was built, and checked, for this torch, Python, processor and source.

    Raises:
        NotUsable: there is none, or it is not what was checked.
    """
    file = library()
    try:
        content = file.read_bytes()
        known = signature.verified(MODULE, parse_json(record().read_bytes()))
    except FileNotFoundError:
        raise NotUsable(_none_built()) from None
    except (OSError, ValueError) as error:
        raise NotUsable(f"{file} is not used: {error}; {BUILD} builds it anew") from error
    expected = description(content)
    if known.get("library") != expected["library"]:
        raise NotUsable(f"{file} is not the file that was checked; {BUILD} builds it anew")
    if known != expected:
        raise NotUsable(f"{file} is of another version of softmax-trick; {BUILD} builds it anew")
    return load(file)


def _none_built() -> str:
    others = sorted(other.parent.name for other in folder().parent.glob(f"*/{MODULE}.so"))
    if not others:
        return f"the native operator is not built; {BUILD} builds it"
    return f"the native operator is built for {', '.join(others)}, not for {folder().name}; {BUILD} builds it"


_chosen: tuple[Any, str] | None = None


def use(operator: Any = None) -> None:
    """Use this operator from now on; without one, look for that in the cache when one is first needed."""
    global _chosen
    _chosen = None if operator is None else (operator, "")


def _operator() -> Any:
    """The operator, or None; looked for once, when it is first needed."""
    return (_chosen or _choose())[0]


def _obstacle() -> str:
    """Why there is none."""
    return (_chosen or _choose())[1]


def _choose() -> tuple[Any, str]:
    global _chosen
    try:
        _chosen = _kept(), ""
    except NotUsable as reason:
        if library().exists():  # somebody has built one, and expects it to be used
            warnings.warn(f"ISBE on CPUs is made of torch's operations: {reason}", stacklevel=2)
        _chosen = None, str(reason)
    return _chosen


# --- what it computes; None where it is left to torch's operations ----------------------------------------------------


def error(rule: Rule, scores: Tensor, targets: Tensor, weight: Tensor | None, out: Tensor | None) -> Tensor | None:
    """F(x) - t; for arguments that nobody has checked yet, if the targets are not smoothed.

    Raises:
        IndexError: a class index is out of range; then `out` is what it was.
    """
    operator, code = _operator(), _CODES.get(rule.normalizer)
    if operator is None or code is None:
        return None
    found: Tensor | None = operator.error(scores, targets, weight, out, code, *rule.on_off(1), rule.ignore_index)
    return found


def write(
    rule: Rule,
    scores: Tensor,
    targets: Tensor,
    weight: Tensor | None,
    out: Tensor | None,
    scale: Tensor | None = None,
    kind: str = "none",
) -> tuple[Tensor, Tensor] | None:
    """scale * (mass * F(x) - a), in `out` or a new tensor, and the values of the rows in float64, none for "none".

    scale: None for 1, a scalar, or a factor for each row.

    Raises:
        IndexError: a class index is out of range; then `out` is what it was.
    """
    operator, code = _operator(), _CODES.get(rule.normalizer)
    if operator is None or code is None:
        return None
    on, off = _on_off(rule, scores)
    return cast(
        "tuple[Tensor, Tensor] | None",
        operator.write(scores, targets, weight, out, code, on, off, rule.ignore_index, scale, KINDS[kind]),
    )


def loss(
    rule: Rule,
    scores: Tensor,
    targets: Tensor,
    weight: Tensor | None,
    value: str,
    reduction: str,
    gradient: Callable[..., Tensor],
) -> Tensor | None:
    """The reduced value, part of a graph whose node is the operator's own; checked as for `error`.

    gradient: (grad_output, scores, targets, weight, rule, reduction) -> the gradient by differentiable operations, for
        backward passes of which a graph is made.

    Raises:
        IndexError: a class index is out of range.
    """
    operator, code = _operator(), _CODES.get(rule.normalizer)
    if operator is None or code is None:
        return None
    on, off = _on_off(rule, scores)
    options = code, on, off, rule.ignore_index, KINDS[value], REDUCTIONS[reduction]
    return cast("Tensor | None", operator.loss(scores, targets, weight, *options, (gradient, rule, reduction)))


def _on_off(rule: Rule, scores: Tensor) -> tuple[float, float]:
    """As `rule.on_off`; of scores that may have no classes at all, if it does not matter how many they are."""
    return rule.on_off(0 if rule.is_sharp else scores.shape[-1])
