"""A function that is only there as code: finding it, calling it, its values and Jacobians with what rounding may do."""

from __future__ import annotations

import difflib
import importlib
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softmax_trick.certification.black_box.examples import exact_decimal

Function = Callable[[Tensor], Tensor]
Excess = Callable[["Look"], Tensor]  # for each of the scores, by how many tolerances a property fails there

ALLOWANCE = 256  # T / ((K + 8) u)
FEW = 16  # different results, if they fit into a narrower dtype, do so by chance
NARROWER = (torch.bfloat16, torch.float16, torch.float32)


class BlackBoxError(ValueError):
    """The function cannot be found, called or taken as a function from R^K to R^K; the message says why."""


# --- finding the function ---------------------------------------------------------------------------------------------


def load_function(name: str) -> Function:
    """Import the function that "package.module:function" names. This runs the code of that module.

    Raises:
        BlackBoxError: the name is not of that form, the module cannot be imported, or it has no such function.
    """
    module_name, _, attribute = name.partition(":")
    parts = [*module_name.split("."), attribute]
    if not all(part.isidentifier() for part in parts):
        raise BlackBoxError(f"{name!r} does not name a function: write package.module:function, and no file name")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise BlackBoxError(f"module {module_name!r} needs {error.name!r}, which is not installed") from error
        searched = {"", os.getcwd()} & set(sys.path)
        here = f"the current folder, {os.getcwd()}, is {'searched too' if searched else 'not searched'}"
        raise BlackBoxError(f"there is no module {error.name!r} among those installed ({here})") from error
    except Exception as error:
        raise BlackBoxError(f"importing {module_name!r} raised {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        near = difflib.get_close_matches(
            attribute, [other for other in dir(module) if callable(getattr(module, other))]
        )
        hint = f": did you mean {' or '.join(near)}?" if near else ""
        raise BlackBoxError(f"module {module_name!r} has no {attribute!r}{hint}")
    function = getattr(module, attribute)
    if not callable(function):
        raise BlackBoxError(f"{name} is not callable: it is of type {type(function).__name__}")
    return function


@dataclass(frozen=True, eq=False)
class Backward:
    """Whether a backward is the derivative, and scores at which it is not; None if there is no backward."""

    right: bool | None
    scores: Tensor | None


# --- calling it -------------------------------------------------------------------------------------------------------


class BlackBox:
    """F: R^K -> R^K, evaluated row by row or in batches, whichever it takes, in float64.

    Attributes:
        unit: the unit roundoff u of its results.
        step: h, a power of two near u^(1/5).
        backward: whether its backward is its derivative.
        slope: s, a typical largest entry of the Jacobian at moderate scores, at least 1.
        notes: what the reader of a certificate must know of how it was made.
    """

    def __init__(self, function: Function, k: int) -> None:
        self.function, self.k = function, k
        self.unit, self.slope = 2.0**-53, 1.0
        self.notes: list[str] = []
        self.random = torch.Generator().manual_seed(0)
        # At least 64 rows, and never K, so that shapes tell rows from columns.
        self.probe = torch.randn(64 + k, k, dtype=torch.float64, generator=self.random)
        self.form = self._form(self.probe)
        self.at_probe = self(self.probe)
        self._take_precision()
        self.check_repeatable()
        self.step = 2.0 ** round(math.log2(self.unit) / 5)
        self.autograd = False
        self.backward = self._look_at_backward()
        self.autograd = bool(self.backward.right)
        slopes = Look(self, self.probe).jacobian.abs().amax((1, 2)).nan_to_num(0, 0, 0)
        self.slope = max(1.0, float(slopes.quantile(0.9)))

    def __call__(self, x: Tensor) -> Tensor:
        """F of scores (n, K), detached, in float64."""
        return self.evaluate(x, self.form).detach().to(torch.float64)

    def evaluate(self, x: Tensor, form: str) -> Tensor:
        """F of scores (n, K), attached to their graph."""
        match form:
            case "batch":
                return self._call(self.function, x)
            case "row":
                return torch.stack([self._call(self.function, row) for row in x])
            case "row, vectorized":
                return self._call(torch.func.vmap(self.function), x)
            case _:
                return torch.cat([self._call(self.function, row.unsqueeze(0)) for row in x])

    def _call(self, function: Function, x: Tensor) -> Tensor:
        given, shape = x.clone(), tuple(x.shape)
        try:
            with torch.enable_grad():
                result: Any = function(given)
        except Exception as error:
            raise BlackBoxError(
                f"for float64 scores of shape {shape} the function raised {type(error).__name__}: {error}"
            ) from error
        if not isinstance(result, Tensor):
            raise BlackBoxError(
                f"for scores of shape {shape} the function returned a {type(result).__name__}, not a tensor"
            )
        if result.shape != x.shape:
            raise BlackBoxError(
                f"for scores of shape {shape} the function returned shape {tuple(result.shape)}: it must be the same"
            )
        if result.is_complex():
            raise BlackBoxError(f"the function returned {result.dtype}: a normalizer is real")
        if not torch.equal(given.detach(), x.detach()):
            raise BlackBoxError("the function writes to the scores that it is given: it must return a new tensor")
        return result

    def _form(self, probe: Tensor) -> str:
        """Whether F takes batches (n, K), rows (K,) or batches of one row; where it takes both, they must agree."""
        results: dict[str, Tensor] = {}
        refusals: dict[str, BlackBoxError] = {}
        for form in ("batch", "row", "batch of one"):
            try:
                results[form] = self.evaluate(probe, form).detach().to(torch.float64)
            except BlackBoxError as error:
                refusals[form] = error
        if not results:
            raise BlackBoxError(f"{refusals['batch']}; and {refusals['row']}") from refusals["batch"]
        alone = results.get("row", results.get("batch of one"))
        if "batch" in results and (alone is None or _close(results["batch"], alone)):
            return "batch"
        if "row" in results:
            if "batch" in results:
                self.notes.append("called with rows (K,), whose results are not those of a batch")
            try:
                return "row, vectorized" if _close(self.evaluate(probe, "row, vectorized"), results["row"]) else "row"
            except BlackBoxError:  # it branches on values, or leaves torch
                return "row"
        if "batch" in results:
            raise BlackBoxError(
                "the result for a row depends on the other rows of the batch: write it for one row (K,)"
            )
        return "batch of one"

    def check_repeatable(self) -> None:
        """Call F once more for the same scores.

        Raises:
            BlackBoxError: a result differs by more than rounding could make it, though not even that is to be expected.
        """
        size = float(self.at_probe.abs().nan_to_num(0, 0, 0).amax())
        if not torch.allclose(self(self.probe), self.at_probe, rtol=0, atol=self.allowance * size, equal_nan=True):
            raise BlackBoxError(
                "two calls with the same scores gave different results: the function is random (dropout?) or keeps a "
                "state; make it deterministic (module.eval())"
            )

    def _take_precision(self) -> None:
        """u, from the dtype of the results, or a narrower one in which they have been on the way."""
        result = self.evaluate(self.probe, self.form)
        if result.dtype in NARROWER:
            self._narrow(result.dtype, f"the results are {result.dtype}")
        elif not result.is_floating_point():
            self.notes.append(f"the results are {result.dtype}, and were cast to float64")
        elif dtype := self._rounds_to():
            self._narrow(dtype, f"the scores are rounded to {dtype} on the way")
        elif self._is_stepped():
            self._narrow(torch.float32, f"the results change in steps, as those of {torch.float32}")
        elif len(self.at_probe.unique()) >= FEW and not torch.equal(self.at_probe, self.at_probe.round()):
            for dtype in NARROWER:
                if torch.equal(self.at_probe, self.at_probe.to(dtype).to(torch.float64)):
                    self._narrow(dtype, f"the results have the precision of {dtype}")
                    return

    def _rounds_to(self) -> torch.dtype | None:
        """The narrower dtype, if there is one, that the scores can be rounded to without effect, but no further."""
        for dtype in NARROWER:
            rounded = self.probe.to(dtype).to(torch.float64)
            if not torch.equal(self(rounded), self.at_probe):
                continue
            if self._share_of_changed(rounded, 2 * torch.finfo(dtype).eps) > 0.5:
                return dtype
        return None

    def _is_stepped(self) -> bool:
        """Whether F stays exactly the same for changes of the scores that are small in float32, and for no others.

        In float64 a change by 2^-45 of them shows, unless F is constant; in float32 one by 2^-18 does.
        """
        small, large = (self._share_of_changed(self.probe, change) for change in (2.0**-45, 2.0**-18))
        return small < 0.1 and large > 0.9

    def _share_of_changed(self, x: Tensor, change: float) -> float:
        """Of how many of the scores the results are others once they are larger by this share."""
        return float((self(x * (1 + change)) != self(x)).any(-1).double().mean())

    def _narrow(self, dtype: torch.dtype, note: str) -> None:
        if dtype != torch.float32:
            raise BlackBoxError(f"{note}, too coarse to be tested: return float64, or float32")
        self.unit = torch.finfo(dtype).eps / 2
        self.notes.append(f"{note}, cast to float64: tested with u = {self.unit:.0e}")

    def _look_at_backward(self) -> Backward:
        """Whether autograd differentiates F, and gives what differences and integrals say."""
        if self.jacobian_by_autograd(self.probe) is None:
            self.notes.append("Jacobian by central differences in float64, as autograd does not differentiate it")
            return Backward(None, None)
        by_autograd, by_differences = Look(self, self.probe), Look(self, self.probe)
        self.autograd = True
        grossly_wrong = ~by_autograd.smooth
        self.autograd = False
        grossly_wrong &= by_differences.smooth
        misfit = self._integral_misfit() > 1
        wrong = grossly_wrong if bool(grossly_wrong.any()) else misfit
        if bool(grossly_wrong.any()) or float(misfit.double().mean()) > 0.25:
            self.notes.append("Jacobian by central differences in float64, as its backward is not its derivative")
            return Backward(False, self.probe[int(wrong.nonzero()[0])])
        return Backward(True, None)

    def _integral_misfit(self) -> Tensor:
        """F(x + v) - F(x) against the integral of J v by autograd, in tolerances: sharper than any difference.

        By Gauss's rule with 6 nodes; that with 4 says how far this is from the integral. Across kinks and
        jumps neither is right, but few of the short ways from x to x + v cross one.
        """
        x = self.probe
        v = torch.randn(x.shape, dtype=torch.float64, generator=self.random) / 64
        integrals, size = [], torch.zeros(len(x), dtype=torch.float64)
        for count in (4, 6):
            integral = torch.zeros_like(x)
            for node, weight in zip(*np.polynomial.legendre.leggauss(count), strict=True):
                jacobian = self.jacobian_by_autograd(x + (1 + float(node)) / 2 * v)
                if jacobian is None:
                    return torch.full_like(size, torch.inf)
                integral += float(weight) / 2 * (jacobian @ v.unsqueeze(-1)).squeeze(-1)
                size = torch.maximum(size, jacobian.abs().amax((1, 2)))
            integrals.append(integral)
        start, end = Look(self, x), Look(self, x + v)
        room = start.tolerance + end.tolerance + self.allowance * size * v.abs().sum(-1)
        room = room + (integrals[1] - integrals[0]).abs().amax(-1)
        return (end.y - start.y - integrals[1]).abs().amax(-1) / room

    def jacobian_by_autograd(self, x: Tensor) -> Tensor | None:
        """J (n, K, K) with J[:, i, j] = dF_i/dx_j; None where F has no graph or its backward fails."""
        leaf = x.clone().requires_grad_()
        rows = []
        try:
            y = self.evaluate(leaf, self.form)
            for i in range(self.k):
                (row,) = torch.autograd.grad(y[:, i].sum(), leaf, retain_graph=True, allow_unused=True)
                rows.append(torch.zeros_like(x) if row is None else row)
        except (BlackBoxError, RuntimeError):
            return None
        return torch.stack(rows, 1).to(torch.float64)

    @property
    def allowance(self) -> float:
        """T."""
        return ALLOWANCE * (self.k + 8) * self.unit

    def witness(self, x: Tensor) -> dict[str, str]:
        """The scores by name, as exact decimals."""
        return {f"x{n}": exact_decimal(value) for n, value in enumerate(x.tolist(), start=1)}

    def reason(self, text: str) -> str:
        """The text, with the notes."""
        return "; ".join([text, *self.notes])


def _close(first: Tensor, second: Tensor) -> bool:
    """Equal to the precision of float32: rows and batches may go through different kernels."""
    return torch.allclose(first.detach().to(second.dtype), second, rtol=1e-4, atol=1e-6, equal_nan=True)


@dataclass(frozen=True, eq=False)
class Look:
    """F at scores x (n, K): values, Jacobians, and what rounding is allowed to change them by."""

    box: BlackBox
    x: Tensor

    @cached_property
    def y(self) -> Tensor:
        return self.box(self.x)

    @cached_property
    def finite(self) -> Tensor:
        return self.y.isfinite().all(-1)

    @cached_property
    def tolerance(self) -> Tensor:
        """T (max |F| + s max |x|)."""
        return self.box.allowance * (self.y.abs().amax(-1) + self.box.slope * self.x.abs().amax(-1))

    def quotients(self, h: float | Tensor) -> tuple[Tensor, Tensor]:
        """The quotients of F to the right and to the left, of second order in h: (n, K, K), column j along x_j."""
        k, n = self.box.k, len(self.x)
        steps = torch.tensor([1, 0.5, -0.5, -1]).double()[:, None, None, None] * torch.as_tensor(h).reshape(-1, 1)
        moved = self.box((self.x + steps * torch.eye(k).double()[:, None, :]).reshape(-1, k)).reshape(4, k, n, k)
        slopes = (moved - self.y) / steps
        right, left = 2 * slopes[1] - slopes[0], 2 * slopes[2] - slopes[3]
        return right.permute(1, 2, 0), left.permute(1, 2, 0)

    @cached_property
    def _differences(self) -> tuple[Tensor, Tensor]:
        """D(h) and D(h / 2)."""
        wide, narrow, narrowest = (self._central(self.box.step / 2**halvings) for halvings in range(3))
        return (4 * narrow - wide) / 3, (4 * narrowest - narrow) / 3

    def _central(self, h: float) -> Tensor:
        k, n = self.box.k, len(self.x)
        moves = h * torch.eye(k, dtype=torch.float64)[:, None, :]
        right, left = self.box(torch.cat([self.x + moves, self.x - moves]).reshape(-1, k)).reshape(2, k, n, k)
        return ((right - left) / (2 * h)).permute(1, 2, 0)

    @cached_property
    def smooth(self) -> Tensor:
        """Where J is roughly the slope to either side: at a kink autograd gives any, and differences their mean."""
        steepness = self.jacobian.abs().amax((1, 2)).nan_to_num(1, 1).clamp(min=1)
        right, left = self.quotients(2.0 ** round(math.log2(self.box.unit) / 3) / steepness)
        gap = torch.maximum((right - self.jacobian).abs(), (left - self.jacobian).abs()).amax((1, 2))
        return gap <= 1e-2 * (self.box.slope + torch.maximum(right.abs(), left.abs()).amax((1, 2)))

    @cached_property
    def jacobian(self) -> Tensor:
        found = self.box.jacobian_by_autograd(self.x) if self.box.autograd else None
        return self._differences[1] if found is None else found

    @cached_property
    def jacobian_tolerance(self) -> Tensor:
        box, height = self.box, self.y.abs().amax(-1)
        size = self.jacobian.abs().amax((1, 2)) + box.slope * height + box.slope**2 * self.x.abs().amax(-1)
        tolerance = box.allowance * size
        if not box.autograd:
            wide, narrow = self._differences
            tolerance = tolerance + (wide - narrow).abs().amax((1, 2)) + 8 * self.tolerance / box.step
        return tolerance

    @cached_property
    def softmax_factor(self) -> Tensor:
        """B = D_y - y y^T, for which (P2) says J = B D_d."""
        return torch.diag_embed(self.y) - self.y.unsqueeze(2) * self.y.unsqueeze(1)

    def at(self, rows: Tensor) -> Look:
        return Look(self.box, self.x[rows])
