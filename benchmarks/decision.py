"""How long it takes to decide that the Jacobian of a dilated, relocated SoftMax is (D_y - y y^T) D_d.

From the formula of F to the decision, differentiation included. In one run: for every K at once by index calculus; for
each given K by the normal form, all K^2 entries, and for K up to 64 its hardest entry, the first of the diagonal; and
by SymPy's `Matrix.jacobian` and `simplify`, which is a heuristic and takes twice as long with each class. Medians over
interleaved repeats, on the machine named in the first line.

    python benchmarks/decision.py [--repeats N]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import sympy as sp
from rich.console import Console
from rich.table import Table

from softmax_trick.commands.output import width_of
from softmax_trick.symbolic import EVERY_K, Classes, GivenK, Matrix, decide, diag, index, jacobian, outer, softmax

LARGEST_FOR_SIMPLIFY = 4  # it takes seconds beyond
LARGEST_FOR_ALL_ENTRIES = 16


def difference_of(classes: Classes) -> Matrix:
    """Jacobian - (D_y - y y^T) D_d."""
    x, c, d = (classes.vector(name) for name in ("x", "c", "d"))
    y = softmax(d * x - c)
    return jacobian(y, x) - (diag(y) - outer(y, y)) @ diag(d)


def an_entry(classes: Classes) -> list[sp.Expr]:
    """The hardest entry for a given K, the first of the diagonal; for symbolic K the one that stands for all."""
    return [
        difference_of(classes)[1, 1] if isinstance(classes, GivenK) else difference_of(classes)[index("i"), index("j")]
    ]


def all_entries(classes: GivenK) -> list[sp.Expr]:
    """All K^2 entries."""
    difference, places = difference_of(classes), range(1, classes.classes + 1)
    return [difference[i, j] for i in places for j in places]


def all_entries_by_sympy(classes: GivenK) -> list[sp.Expr]:
    """The same entries with the derivatives taken by `Matrix.jacobian`."""
    x, c, d = (classes.vector(name) for name in ("x", "c", "d"))
    y = softmax(d * x - c)
    places = range(1, classes.classes + 1)
    column, variables = sp.Matrix([y[i] for i in places]), [x[i] for i in places]
    claimed = (sp.diag(*column) - column * column.T) * sp.diag(*(d[i] for i in places))
    return list(column.jacobian(variables) - claimed)


def by_normal_form(entries: list[sp.Expr]) -> bool:
    """Every entry decided exactly."""
    return all(decide(entry).status == "zero" for entry in entries)


def by_simplify(entries: list[sp.Expr]) -> bool:
    """Every entry simplified to 0."""
    return all(sp.simplify(entry) == 0 for entry in entries)


def seconds(
    decision: Callable[[list[sp.Expr]], bool], entries: Callable[[Any], list[sp.Expr]], classes: Classes
) -> float:
    """Wall time from the formula to the decision, from a cold SymPy cache."""
    sp.core.cache.clear_cache()
    start = time.perf_counter()
    if not decision(entries(classes)):
        raise AssertionError(f"{decision.__name__} did not come to zero")
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repeats of each measurement (default: 5)")
    repeats = parser.parse_args().repeats

    cases: dict[str, Classes] = {"every K": EVERY_K} | {f"K = {k}": GivenK(k) for k in (2, 3, 4, 8, 16, 32, 64)}
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(repeats):
        for name, classes in cases.items():
            of = times.setdefault
            of((name, "an entry"), []).append(seconds(by_normal_form, an_entry, classes))
            if isinstance(classes, GivenK) and classes.classes <= LARGEST_FOR_ALL_ENTRIES:
                of((name, "all entries"), []).append(seconds(by_normal_form, all_entries, classes))
            if isinstance(classes, GivenK) and classes.classes <= LARGEST_FOR_SIMPLIFY:
                of((name, "simplify"), []).append(seconds(by_simplify, all_entries_by_sympy, classes))

    console = Console(width=width_of(sys.stdout))
    console.print(f"{platform.machine()}, Python {platform.python_version()}, SymPy {sp.__version__}", highlight=False)
    table = Table("", "an entry, ms", "all entries, ms", "jacobian + simplify, ms", "ratio", box=None)
    for name in cases:
        medians = {what: 1e3 * statistics.median(times[name, what]) for case, what in times if case == name}
        ratio = medians["simplify"] / medians["all entries"] if "simplify" in medians else None
        cells = (f"{medians[w]:.1f}" if w in medians else "" for w in ("an entry", "all entries", "simplify"))
        table.add_row(name, *cells, f"{ratio:.0f}" if ratio else "")
    console.print(table)


if __name__ == "__main__":
    main()
