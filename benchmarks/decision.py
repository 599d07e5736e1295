"""How long it takes to decide that the Jacobian of a dilated, relocated SoftMax is (D_y - y y^T) D_d.

Three ways, in one run: for every K at once by index calculus; for each given K by the normal form; and for each given K
by SymPy's `simplify`, which is a heuristic. Medians over interleaved repeats, on the machine named in the first line.

    python benchmarks/decision.py [--repeats N]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import sympy as sp
from rich.console import Console
from rich.table import Table

from softmax_trick.symbolic import EVERY_K, Classes, GivenK, decide, diag, index, jacobian, outer, softmax

LARGEST_FOR_SIMPLIFY = 4  # it takes seconds beyond


def differences(classes: Classes) -> list[sp.Expr]:
    """The entries of Jacobian - (D_y - y y^T) D_d: one for symbolic K, K^2 for a given one."""
    x, c, d = (classes.vector(name) for name in ("x", "c", "d"))
    y = softmax(d * x - c)
    difference = jacobian(y, x) - (diag(y) - outer(y, y)) @ diag(d)
    if isinstance(classes, GivenK):
        return [difference[i, j] for i in range(1, classes.classes + 1) for j in range(1, classes.classes + 1)]
    return [difference[index("i"), index("j")]]


def by_normal_form(entries: list[sp.Expr]) -> bool:
    """Every entry decided exactly."""
    return all(decide(entry).status == "zero" for entry in entries)


def by_simplify(entries: list[sp.Expr]) -> bool:
    """Every entry simplified to 0."""
    return all(sp.simplify(entry) == 0 for entry in entries)


def seconds(decision: Callable[[list[sp.Expr]], bool], entries: list[sp.Expr]) -> float:
    """Wall time of one decision, from a cold SymPy cache."""
    sp.core.cache.clear_cache()
    start = time.perf_counter()
    if not decision(entries):
        raise AssertionError(f"{decision.__name__} did not come to zero")
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repeats of each measurement (default: 5)")
    repeats = parser.parse_args().repeats

    cases: dict[str, Classes] = {"every K": EVERY_K} | {f"K = {k}": GivenK(k) for k in range(1, 7)}
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(repeats):
        for name, classes in cases.items():
            entries = differences(classes)
            times.setdefault((name, "normal form"), []).append(seconds(by_normal_form, entries))
            if isinstance(classes, GivenK) and classes.classes <= LARGEST_FOR_SIMPLIFY:
                times.setdefault((name, "simplify"), []).append(seconds(by_simplify, entries))

    console = Console()
    console.print(f"{platform.machine()}, Python {platform.python_version()}, SymPy {sp.__version__}", highlight=False)
    table = Table("", "normal form, ms", "simplify, ms", "ratio", box=None)
    for name in cases:
        ours = 1e3 * statistics.median(times[name, "normal form"])
        if (name, "simplify") in times:
            theirs = 1e3 * statistics.median(times[name, "simplify"])
            table.add_row(name, f"{ours:.1f}", f"{theirs:.0f}", f"{theirs / ours:.0f}")
        else:
            table.add_row(name, f"{ours:.1f}", "", "")
    console.print(table)


if __name__ == "__main__":
    main()
