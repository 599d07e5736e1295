"""How long it takes to refute a mutant, by the kind of error.

The whole catalogue once, in one process, each mutant by every engine, as `softmax-trick mutants` runs it; mean, median
and longest wall time of a mutant. What the first one loads is loaded before.

    python benchmarks/mutants.py
"""

from __future__ import annotations

import platform
import statistics
import sys
import time

import sympy as sp
from rich.console import Console
from rich.table import Table

from softmax_trick.commands.output import width_of
from softmax_trick.ledger.mutants import run
from softmax_trick.ledger.slips import KINDS
from softmax_trick.proofs.mutants import catalogue


def main() -> None:
    """Run the benchmark and print its table."""
    start = time.perf_counter()
    mutants = catalogue()
    made = time.perf_counter() - start
    run(mutants[:1])  # with torch, after which no processes are forked
    outcomes = run(mutants)

    console = Console(width=width_of(sys.stdout))
    console.print(f"{platform.machine()}, Python {platform.python_version()}, SymPy {sp.__version__}", highlight=False)
    table = Table("", "mutants", "mean, ms", "median, ms", "longest, ms", box=None)
    for kind in (*KINDS, "all"):
        times = [1e3 * outcome.false.seconds for outcome in outcomes if kind in (outcome.mutant.kind, "all")]
        figures = (statistics.fmean(times), statistics.median(times), max(times))
        table.add_row(kind, str(len(times)), *(f"{figure:.0f}" for figure in figures))
    console.print(table)
    console.print(f"the catalogue was made in {made:.1f} s", highlight=False)


if __name__ == "__main__":
    main()
