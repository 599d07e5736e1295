"""How long each claim takes, cold, and which engine takes it: medians over repeats of the whole ledger.

    python benchmarks/ledger.py [--repeats N] [--top N]

The machine is named in the first line. One process, one claim after the other, as `softmax-trick verify --fresh` runs.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections import defaultdict

import sympy as sp
from rich.console import Console
from rich.progress import track
from rich.table import Table

from softmax_trick.commands.output import width_of
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of the whole ledger (default: 3)")
    parser.add_argument("--top", type=int, default=10, help="how many of the slowest claims to show (default: 10)")
    options = parser.parse_args()

    of_claim: dict[str, list[float]] = defaultdict(list)
    of_engine: dict[str, list[float]] = defaultdict(list)
    totals = []
    for _ in track(range(options.repeats), "the whole ledger", console=Console(stderr=True), transient=True):
        sp.core.cache.clear_cache()
        start, ledger = time.perf_counter(), Ledger(CLAIMS)
        engines: dict[str, float] = defaultdict(float)
        for name in CLAIMS:
            result = ledger.result(name)
            of_claim[name].append(result.seconds)
            for item in result.evidence:
                engines[item.engine] += item.seconds
        totals.append(time.perf_counter() - start)
        for engine, seconds in engines.items():
            of_engine[engine].append(seconds)

    console = Console(width=width_of(sys.stdout))
    console.print(f"{platform.machine()}, Python {platform.python_version()}, SymPy {sp.__version__}", highlight=False)
    medians = {name: statistics.median(seconds) for name, seconds in of_claim.items()}
    console.print(
        f"{len(CLAIMS)} claims in {statistics.median(totals):.1f} s (median of {options.repeats}); a claim "
        f"{1e3 * statistics.median(medians.values()):.0f} ms (median), {1e3 * max(medians.values()):.0f} ms (largest)",
        highlight=False,
    )
    for heading, times, rows in (
        ("slowest claims", medians, options.top),
        ("engines", {name: statistics.median(seconds) for name, seconds in of_engine.items()}, len(of_engine)),
    ):
        table = Table(heading, "seconds", box=None)
        for name, seconds in sorted(times.items(), key=lambda item: -item[1])[:rows]:
            table.add_row(name, f"{seconds:.2f}")
        console.print(table)


if __name__ == "__main__":
    main()
