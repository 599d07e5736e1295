"""The normalizers of the paper (section 4.1), each defined once: F, its potential P, and the range of its targets.

A normalizer F turns scores x into soft scores y = F(x). ISBE sends F(x) - t back to the network; this is the gradient
of the implicit loss P(x) - <x, t> for a potential P with grad P = F. Each entry gives F and P twice, for SymPy and for
torch, written independently: the tests hold one against the other.

Neither SymPy nor torch is imported until a form is asked for.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from softmax_trick.system.shown import Shown

if TYPE_CHECKING:
    import sympy as sp
    from torch import Tensor

    from softmax_trick.symbolic import Vector


@dataclass(frozen=True, eq=False, repr=False)
class Normalizer(Shown):
    """A normalizer F, its potential P (grad P = F), and the range into which its targets are mapped.

    Two normalizers are the same only if they are one object: a name says nothing of what is computed. One of your own
    serves wherever an entry of the table does, in the table or not.

    Attributes:
        name: the name by which the command line and `isbe_error` know it.
        source: where the paper (or PyTorch) defines it.
        target_range: (0, 1) or (-1, 1). Targets t in [0, 1] are mapped affinely onto it (paper, section 3: 2t - 1).
        symbolic: the K-vector F(x) for a K-vector x, symbolic or given K.
        symbolic_potential: the expression P(x).
        torch: F for scores of shape (..., K); a new tensor of the same shape and dtype, of any strides. It may
            take a keyword `out`, a tensor into which F(x) is then written, without a graph; `write` uses it.
        torch_potential: P for scores of shape (..., K); a tensor of shape (...).
        relative: whether `torch` gives each soft score to a relative accuracy, however small it is. `check_loss`,
            `check_normalizer` and the tests of the table then ask it of others too; if not, an accuracy relative to 1.
        kinks: of a function of each score alone, the scores at which it has no derivative.
        jacobian: dF/dx where there is one, in the language, with y for F(x); "" if it is not stated.
        lipschitz: the smallest Lipschitz constant of F in the Euclidean norm, for K >= 2; None if it is not stated.
    """

    name: str
    source: str
    target_range: tuple[int, int]
    symbolic: Callable[[Vector], Vector]
    symbolic_potential: Callable[[Vector], sp.Expr]
    torch: Callable[..., Tensor]
    torch_potential: Callable[[Tensor], Tensor]
    relative: bool = False
    kinks: tuple[int, ...] = ()
    jacobian: str = ""
    lipschitz: Fraction | None = None

    def __str__(self) -> str:
        return f"normalizer {self.title}: {self.source}; targets in {list(self.target_range)}"

    def map_target(self, target: Any) -> Any:
        """A target in [0, 1], moved into this normalizer's range: low + (high - low) * target."""
        low, high = self.target_range
        return low + (high - low) * target

    def write(self, scores: Tensor, out: Tensor) -> Tensor:
        """F(scores), written into `out`, which may be the scores themselves."""
        if self._takes_out:
            return self.torch(scores, out=out)
        return out.copy_(self.torch(scores))

    @property
    def title(self) -> str:
        """The name in a message; of one that shares it with an entry of the table, and is another, that too."""
        return self.name if NORMALIZERS.get(self.name, self) is self else f"{self.name} (not the one of the table)"

    @cached_property
    def _takes_out(self) -> bool:
        return "out" in inspect.signature(self.torch).parameters

    def __reduce__(self) -> tuple[Callable[..., Normalizer], tuple[Any, ...]]:
        """A copied or pickled entry of the table is that entry."""
        if NORMALIZERS.get(self.name) is self:
            return get_normalizer, (self.name,)
        return Normalizer, tuple(getattr(self, field.name) for field in fields(self))


# --- SymPy forms ------------------------------------------------------------------------------------------------------


def _symbolic_softmax(x: Vector) -> Vector:
    from softmax_trick.symbolic import softmax

    return softmax(x)


def _symbolic_log_sum_exp(x: Vector) -> sp.Expr:
    import sympy as sp

    return sp.log(x.map(sp.exp).sum())


def _symbolic_sigmoid(x: Vector) -> Vector:
    import sympy as sp

    return x.map(lambda s: 1 / (1 + sp.exp(-s)))


def _symbolic_softplus(x: Vector) -> sp.Expr:
    import sympy as sp

    return x.map(lambda s: sp.log(1 + sp.exp(s))).sum()


def _symbolic_tanh(x: Vector) -> Vector:
    import sympy as sp

    return x.map(lambda s: (sp.exp(s) - sp.exp(-s)) / (sp.exp(s) + sp.exp(-s)))


def _symbolic_log_cosh(x: Vector) -> sp.Expr:
    import sympy as sp

    return x.map(lambda s: sp.log((sp.exp(s) + sp.exp(-s)) / 2)).sum()


def _clip(s: sp.Expr) -> sp.Expr:
    import sympy as sp

    return sp.Piecewise((sp.Integer(-1), s <= -1), (s, s < 1), (sp.Integer(1), True))


def _huber(s: sp.Expr) -> sp.Expr:
    """Huber_1(s) = s^2/2 for |s| <= 1, |s| - 1/2 beyond; its derivative is the clip to [-1, 1]."""
    import sympy as sp

    half = sp.Rational(1, 2)
    return sp.Piecewise((-s - half, s <= -1), (s**2 / 2, s < 1), (s - half, True))


# --- torch forms ------------------------------------------------------------------------------------------------------


MANY_ROWS = 128
"""For fewer, looking how long a vector is takes as long as is gained by it."""


def _torch_softmax(x: Tensor, out: Tensor | None = None) -> Tensor:
    if x.dim() == 2 and len(x) >= MANY_ROWS and x.shape[1] < _vector_length(x):
        # Rows that do not fill a vector register torch's kernel for CPUs computes number by number. Transposed, the
        # registers are filled with rows: 256 x 10 takes a fifth of the time.
        y = x.t().softmax(0).t()
        return y if out is None else out.copy_(y)
    if out is None:
        return x.softmax(-1)
    import torch

    return torch.softmax(x, -1, out=out)


def _vector_length(x: Tensor) -> int:
    """How many scores a vector register holds; 0 where torch writes its own kernels."""
    import torch

    return 0 if torch.compiler.is_compiling() or x.device.type != "cpu" else _vector_bytes() // x.element_size()


@cache
def _vector_bytes() -> int:
    import torch

    return 64 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 32


def _torch_log_sum_exp(x: Tensor) -> Tensor:
    from softmax_trick.system.eager import is_eager

    if not is_eager(x):
        return x.logsumexp(-1)
    # The same in a third of the time for many scores: softmax is one kernel, logsumexp five. The largest soft score is
    # at least 1 / K.
    return x.amax(-1) - x.softmax(-1).amax(-1).log()


def _torch_sigmoid(x: Tensor, out: Tensor | None = None) -> Tensor:
    import torch

    return torch.sigmoid(x, out=out)


def _torch_softplus(x: Tensor) -> Tensor:
    from torch.nn.functional import logsigmoid

    # F.softplus is linear above its threshold of 20 and off by 2e-9 there; -log sigmoid(-x) is exact to rounding.
    return -logsigmoid(-x).sum(-1)


def _torch_tanh(x: Tensor, out: Tensor | None = None) -> Tensor:
    import torch

    return torch.tanh(x, out=out)


def _torch_log_cosh(x: Tensor) -> Tensor:
    import torch

    return (torch.logaddexp(x, -x) - math.log(2)).sum(-1)


# In a buffer no derivative is taken, so that there the hard forms may be made of operations whose derivatives, at the
# kinks or in float64, are not those wanted.


def _torch_hardtanh(x: Tensor, out: Tensor | None = None) -> Tensor:
    import torch
    from torch.nn.functional import hardtanh

    return hardtanh(x) if out is None else torch.clamp(x, -1, 1, out=out)


def _torch_hardsigmoid(x: Tensor, out: Tensor | None = None) -> Tensor:
    import torch

    if out is None:
        return (_torch_hardtanh(x / 2) + 1) / 2
    return torch.clamp(x, -2, 2, out=out).add_(2).div_(4)


def _torch_hardsigmoid_of_torch(x: Tensor, out: Tensor | None = None) -> Tensor:
    import torch
    from torch.nn.functional import relu6

    # F.hardsigmoid is this, but its derivative in float64 is 1/6 rounded to float32.
    return relu6(x + 3) / 6 if out is None else torch.ops.aten.hardsigmoid.out(x, out=out)


def _torch_huber(x: Tensor) -> Tensor:
    import torch
    from torch.nn.functional import huber_loss

    return huber_loss(x, torch.zeros_like(x), reduction="none")


# --- the table --------------------------------------------------------------------------------------------------------

SOFTMAX = Normalizer(
    name="softmax",
    source="section 4.1: y_i = exp(x_i) / sum_j exp(x_j)",
    target_range=(0, 1),
    symbolic=_symbolic_softmax,
    symbolic_potential=_symbolic_log_sum_exp,
    torch=_torch_softmax,
    torch_potential=_torch_log_sum_exp,
    relative=True,
    jacobian="diag(y) - outer(y, y)",
    lipschitz=Fraction(1, 2),
)
SIGMOID = Normalizer(
    name="sigmoid",
    source="section 4.1: y_i = 1 / (1 + exp(-x_i))",
    target_range=(0, 1),
    symbolic=_symbolic_sigmoid,
    symbolic_potential=_symbolic_softplus,
    torch=_torch_sigmoid,
    torch_potential=_torch_softplus,
    relative=True,
    jacobian="diag(y*(1 - y))",
    lipschitz=Fraction(1, 4),
)

NORMALIZERS: dict[str, Normalizer] = {
    entry.name: entry
    for entry in (
        SOFTMAX,
        SIGMOID,
        Normalizer(
            name="tanh",
            source="section 4.1: y_i = (exp(x_i) - exp(-x_i)) / (exp(x_i) + exp(-x_i))",
            target_range=(-1, 1),
            symbolic=_symbolic_tanh,
            symbolic_potential=_symbolic_log_cosh,
            torch=_torch_tanh,
            torch_potential=_torch_log_cosh,
            jacobian="diag(1 - y**2)",
            lipschitz=Fraction(1),
        ),
        Normalizer(
            name="hardtanh",
            source="section 4.1: x_i clipped to [-1, 1]",
            target_range=(-1, 1),
            symbolic=lambda x: x.map(_clip),
            symbolic_potential=lambda x: x.map(_huber).sum(),
            torch=_torch_hardtanh,
            torch_potential=lambda x: _torch_huber(x).sum(-1),
            kinks=(-1, 1),
            jacobian="diag(step(1 - abs(x)))",
            lipschitz=Fraction(1),
        ),
        Normalizer(
            name="hardsigmoid",
            source="section 4.1: (HardTanh(x_i / 2) + 1) / 2, which is not PyTorch's hardsigmoid",
            target_range=(0, 1),
            symbolic=lambda x: x.map(lambda s: (_clip(s / 2) + 1) / 2),
            symbolic_potential=lambda x: x.map(lambda s: _huber(s / 2) + s / 2).sum(),
            torch=_torch_hardsigmoid,
            torch_potential=lambda x: (_torch_huber(x / 2) + x / 2).sum(-1),
            kinks=(-2, 2),
            jacobian="diag(step(2 - abs(x)))/4",
            lipschitz=Fraction(1, 4),
        ),
        Normalizer(
            name="hardsigmoid_torch",
            source="torch.nn.functional.hardsigmoid: (x_i + 3) / 6 clipped to [0, 1]",
            target_range=(0, 1),
            symbolic=lambda x: x.map(lambda s: (_clip(s / 3) + 1) / 2),
            symbolic_potential=lambda x: x.map(lambda s: 3 * _huber(s / 3) / 2 + s / 2).sum(),
            torch=_torch_hardsigmoid_of_torch,
            torch_potential=lambda x: (1.5 * _torch_huber(x / 3) + x / 2).sum(-1),
            kinks=(-3, 3),
            jacobian="diag(step(3 - abs(x)))/6",
            lipschitz=Fraction(1, 6),
        ),
    )
}


def get_normalizer(normalizer: str | Normalizer) -> Normalizer:
    """The entry of that name, or the normalizer itself; entries may have been added to the table.

    Raises:
        ValueError: there is no normalizer of that name; the message lists those there are.
    """
    if isinstance(normalizer, Normalizer):
        return normalizer
    try:
        return NORMALIZERS[normalizer]
    except (KeyError, TypeError):
        raise ValueError(f"unknown normalizer {normalizer!r}: choose one of {', '.join(NORMALIZERS)}") from None
