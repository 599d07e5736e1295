"""How long `certify` takes on an explicit generalised SoftMax, and how that grows with K.

For SoftMax, and for SoftMax(d * x - c) with symbolic d and c: the whole certificate, from the components to the last
property, in a process of its own as `certify` works. Beside it SymPy's `Matrix.jacobian` and `simplify` on (P2) alone.
Medians over interleaved repeats, on the machine named in the first line; the last lines give the growth K^p between the
two largest K.

    python benchmarks/certify.py [--repeats N]
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable

import sympy as sp
from rich.console import Console
from rich.progress import track
from rich.table import Table

from softmax_trick import certify
from softmax_trick.commands.output import width_of

SIZES = (2, 4, 10, 20, 40, 64)
LARGEST_FOR_SIMPLIFY = 4  # it takes twice as long with each class

Formula = tuple[list[sp.Expr], list[sp.Symbol], list[sp.Expr]]  # components, scores, dilation


def plain(k: int) -> Formula:
    """SoftMax(x)."""
    x = sp.symbols(f"x1:{k + 1}", real=True)
    total = sp.Add(*map(sp.exp, x))
    return [sp.exp(score) / total for score in x], list(x), [sp.S.One] * k


def generalised(k: int) -> Formula:
    """SoftMax(d * x - c)."""
    x, d, c = (sp.symbols(f"{name}1:{k + 1}", real=True) for name in ("x", "d", "c"))
    powers = [sp.exp(d[i] * x[i] - c[i]) for i in range(k)]
    total = sp.Add(*powers)
    return [power / total for power in powers], list(x), list(d)


def by_certify(formula: Formula) -> bool:
    """All properties."""
    components, scores, _ = formula
    return certify(components, scores).generalised_softmax.holds is True


def by_simplify(formula: Formula) -> bool:
    """(P2) alone, the dilation given."""
    components, scores, d = formula
    y = sp.Matrix(components)
    claimed = (sp.diag(*y) - y * y.T) * sp.diag(*d)
    return all(sp.simplify(entry) == 0 for entry in y.jacobian(scores) - claimed)


def seconds(decision: Callable[[Formula], bool], formula: Formula) -> float:
    """Wall time, from a cold SymPy cache."""
    sp.core.cache.clear_cache()
    start = time.perf_counter()
    if not decision(formula):
        raise AssertionError(f"{decision.__name__} did not recognise it")
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="interleaved repeats of each measurement (default: 3)")
    repeats = parser.parse_args().repeats

    times: dict[tuple[str, int], list[float]] = {}
    for _ in track(range(repeats), "certifying", console=Console(stderr=True), transient=True):
        for k in SIZES:
            times.setdefault(("SoftMax", k), []).append(seconds(by_certify, plain(k)))
            times.setdefault(("generalised", k), []).append(seconds(by_certify, generalised(k)))
            if k <= LARGEST_FOR_SIMPLIFY:
                times.setdefault(("simplify", k), []).append(seconds(by_simplify, generalised(k)))

    medians = {key: statistics.median(values) for key, values in times.items()}
    console = Console(width=width_of(sys.stdout))
    console.print(f"{platform.machine()}, Python {platform.python_version()}, SymPy {sp.__version__}", highlight=False)
    table = Table("K", "SoftMax(x), s", "SoftMax(d * x - c), s", "simplify, (P2) alone, s", box=None)
    for k in SIZES:
        cells = (
            f"{medians[kind, k]:.2f}" if (kind, k) in medians else "" for kind in ("SoftMax", "generalised", "simplify")
        )
        table.add_row(str(k), *cells)
    console.print(table)
    small, large = SIZES[-2:]
    for kind in ("SoftMax", "generalised"):
        exponent = math.log(medians[kind, large] / medians[kind, small]) / math.log(large / small)
        console.print(f"{kind}: K^{exponent:.1f}", highlight=False)


if __name__ == "__main__":
    main()
