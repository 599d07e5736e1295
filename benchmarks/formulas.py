"""How long it takes to decide each statement of tests/data/decide.tsv, and to derive each of derive.tsv, beside rivals.

Ours is for every size, from the text of the statement to the verdict: points at which a wrong one would be refuted, the
reduction, and its replay by other code. "reduction" is the text read and reduced alone, which is what tensorgrad does;
"with diagnosis" is what the command does: of a wrong one the nearest right formula is looked for.

SymPy is given the size 3 for every axis, builds and differentiates every entry of left - right, and simplifies it, from
a cold cache; labels are 1. tensorgrad 0.3.0 has sizes of any value and simplifies left - right; it states what
`_rivals_tensorgrad.py` has written for it, in a process of its own (`make bench-rivals` installs it; else the column
is empty), and refutes nothing, so that it is asked about true statements only. "-": no right verdict in the time limit.
Of a derivation both simplify the raw derivative: they claim no form, and prove none.

Medians over repeats in turns, in warm processes, on the machine named in the first line.

    python benchmarks/formulas.py [--repeats N] [--time-limit SECONDS]
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import sympy as sp
from _turns import Way, take_turns
from rich.console import Console
from rich.table import Table

from softmax_trick.commands.output import width_of
from softmax_trick.deciding import decision
from softmax_trick.derivation.derivation import derive
from softmax_trick.language.expression import Expression, size_of
from softmax_trick.language.grammar import read, read_equation
from softmax_trick.readings.algebraic import Algebraic
from softmax_trick.readings.pointwise import Point
from softmax_trick.statements import statement

ROOT = Path(__file__).parents[1]
RIVAL = ROOT / "build" / "rivals" / "bin" / "python"
SIZE = 3  # of every axis, for SymPy
FURTHER = """\
ce.hessian	hessian(-sum(t*log(softmax(x))), x)	sum(t)*(diag(softmax(x)) - outer(softmax(x), softmax(x)))		true
attention.dQ	grad(sum(G*(P@V)), Q)	a*B@X	Q: N,D; X: M,D; V: M,E; G: N,E; a: positive; P = softmax(a*Q@X.T, M); \
B = P*(G@V.T - rows(sum(G*(P@V), E)))	true
"""


@dataclass(frozen=True)
class Row:
    """A statement, or a formula to derive, whose right side is then its variable."""

    task: Literal["decide", "derive"]
    name: str
    left: str
    right: str
    let: str
    detail: str  # the truth of a statement; the derivative that is asked for


def rows() -> Iterator[Row]:
    """Those of decide.tsv, some further statements, those of derive.tsv."""
    data = ROOT / "tests" / "data"
    for line in ((data / "decide.tsv").read_text(encoding="utf-8") + FURTHER).splitlines():
        if not line.startswith("#"):
            yield Row("decide", *line.split("\t"))
    for line in (data / "derive.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield Row("derive", *line.split("\t")[:5])


# --- the ways ---------------------------------------------------------------------------------------------------------


def ours(row: Row) -> bool:
    """The right verdict, or every derivative with a proved form."""
    if row.task == "derive":
        return derive(row.left, row.right, row.let, second=row.detail == "hessian", facts=False).complete
    statement = read_equation(row.left, row.right, row.let)
    left, right = statement.expressions
    return decision.decide(left, right, statement.sizes).verdict == verdict(row)


def ours_reduced(row: Row) -> bool:
    """Whether the difference reduces to no terms; nothing looks at that a second time."""
    statement = read_equation(row.left, row.right, row.let)
    return decision._proof(*decision.fitted_sides(*statement.expressions), statement.sizes).holds


def ours_with_diagnosis(row: Row) -> bool:
    """As the command has it: of what is wrong, the nearest right formula is looked for."""
    return statement.decide(row.left, row.right, row.let).verdict == verdict(row)


def verdict(row: Row) -> str:
    """The right one."""
    return "proved" if row.detail == "true" else "refuted"


def by_sympy(row: Row) -> bool:
    """The entries of left - right simplified: all of them zero, or not, as it should be; or those of a derivative."""
    if row.task == "derive":
        [raw] = read(f"{row.detail}({row.left}, {row.right})", let=row.let).expressions
        for entry in entries(raw):
            sp.simplify(entry)
        return True
    left, right = decision.fitted_sides(*read_equation(row.left, row.right, row.let).expressions)
    return all(sp.simplify(entry) == 0 for entry in entries(left - right)) == (row.detail == "true")


def entries(expression: Expression) -> Iterator[sp.Expr]:
    """The entries at the given size, differentiated by SymPy."""
    sp.core.cache.clear_cache()
    labels = {
        variable.name: nested(1, len(variable.axes)) for variable in expression.variables if variable.kind == "label"
    }
    sizes = dict.fromkeys("KNMDE", SIZE)
    algebra = Algebraic(Point(sizes, labels))
    for position in itertools.product(*(range(1, sizes[size_of(axis)] + 1) for axis in expression.axes)):
        yield algebra.entry(expression, position)


def nested(value: int, depth: int) -> object:
    """A value, as an entry of nested lists of the given size."""
    return value if not depth else [nested(value, depth - 1)] * SIZE


class TensorGrad:
    """The process with tensorgrad; it states nothing where it is not installed."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        if RIVAL.exists():
            command = [str(RIVAL), str(Path(__file__).with_name("_rivals_tensorgrad.py"))]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.names = frozenset(self._read().split())

    def _read(self) -> str:
        answer = self._process.stdout.readline() if self._process.stdout else ""
        if not answer:
            raise SystemExit(f"{RIVAL} has stopped: make bench-rivals installs tensorgrad")
        return answer.strip()

    def __call__(self, row: Row, limit: int = 0) -> bool:
        """Whether it brings the statement to zero, or simplifies the derivative, in the time limit if there is one."""
        print(row.task, row.name, limit, file=self._process.stdin, flush=True)
        return self._read() == "yes"


def in_time(way: Callable[[Row], bool], row: Row, limit: int) -> bool:
    """Whether a way succeeds in the time limit."""

    def too_long(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit)
    try:
        return way(row)
    except TimeoutError:
        return False
    finally:
        signal.alarm(0)


# --- the table --------------------------------------------------------------------------------------------------------

OURS = ("ours", "reduction", "with diagnosis")
RIVALS = ("SymPy, K = 3", "tensorgrad")


def measured(row: Row, tensorgrad: TensorGrad, repeats: int, limit: int) -> dict[str, float]:
    """The median seconds of each way that succeeds, looked at once before they take turns."""
    ways: dict[str, Way] = {"ours": partial(ours, row)}
    if not ours(row):
        raise AssertionError(f"{row.name} was not decided as it should be")
    if row.task == "decide":
        ways["with diagnosis"] = partial(ours_with_diagnosis, row)
        if row.detail == "true":
            ways["reduction"] = partial(ours_reduced, row)
    if in_time(by_sympy, row, limit):
        ways["SymPy, K = 3"] = partial(by_sympy, row)
    if row.name in tensorgrad.names and tensorgrad(row, limit):
        ways["tensorgrad"] = partial(tensorgrad, row)
    taken = take_turns(ways, repeats, f"{row.task} {row.name}", warm_up=0)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def processes(repeats: int) -> dict[str, float]:
    """The whole process of the command, beside one of Python that does nothing."""
    command = Path(sys.executable).with_name("softmax-trick")
    arguments: dict[str, list[str | Path]] = {
        "decide": [command, "decide", "grad(-sum(t*log(softmax(x))), x)", "sum(t)*softmax(x) - t"],
        "derive": [command, "derive", "-sum(t*log(softmax(x)))", "--by", "x"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    ways: dict[str, Way] = {
        name: partial(subprocess.run, line, check=True, stdout=subprocess.DEVNULL) for name, line in arguments.items()
    }
    taken = take_turns(ways, repeats, "whole processes", warm_up=1)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def summary(found: dict[Row, dict[str, float]]) -> Iterator[str]:
    """The totals, the slowest, and the ratios to the rivals."""
    further = {line.split("\t")[0] for line in FURTHER.splitlines()}
    decided = {row: times for row, times in found.items() if row.task == "decide" and row.name not in further}
    for name in (OURS[0], OURS[2]):
        slowest = max(decided, key=lambda row: decided[row][name])
        total = sum(times[name] for times in decided.values())
        yield (
            f"decide.tsv, {name}: {len(decided)} statements in {total:.2f} s; "
            f"the slowest, {slowest.name}, {decided[slowest][name]:.3f} s"
        )
    for rival, own in itertools.product(RIVALS, ("ours", "reduction")):
        ratios = {
            row.name: times[rival] / times[own]
            for row, times in found.items()
            if row.task == "decide" and rival in times and own in times
        }
        if ratios:
            slower = ", ".join(f"{name} ({ratio:.1f})" for name, ratio in ratios.items() if ratio < 1)
            median = statistics.median(ratios.values())
            yield (
                f"{rival} beside {own}: {len(ratios)} statements, {median:.1f} times as long at the median; "
                f"shorter on {slower or 'none'}"
            )


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement, in turns (default: 3)")
    parser.add_argument("--time-limit", type=int, default=5, help="seconds of a rival for a statement (default: 5)")
    options = parser.parse_args()

    tensorgrad, load = TensorGrad(), os.getloadavg()[0]
    unknown = tensorgrad.names - {row.name for row in rows()}
    if unknown:
        raise SystemExit(f"_rivals_tensorgrad.py states what no table has: {', '.join(sorted(unknown))}")
    found = {row: measured(row, tensorgrad, options.repeats, options.time_limit) for row in rows()}

    console = Console(width=width_of(sys.stdout))
    console.print(f"{platform.machine()}, Python {platform.python_version()}, SymPy {sp.__version__}", highlight=False)
    loads = f"load {load:.1f} at the start and {os.getloadavg()[0]:.1f} at the end"
    console.print(f"{os.cpu_count()} cores, {loads} (1 is this benchmark)", highlight=False)
    if not tensorgrad.names:
        console.print("tensorgrad is not installed: make bench-rivals puts it into build/rivals", highlight=False)
    table = Table("milliseconds", *OURS, *RIVALS, box=None)
    for row, times in found.items():
        stated = {RIVALS[0]} | ({RIVALS[1]} if row.name in tensorgrad.names else set())
        cells = (f"{1e3 * times[way]:.1f}" if way in times else "-" if way in stated else "" for way in OURS + RIVALS)
        table.add_row(f"{row.task} {row.name}", *cells)
    console.print(table)
    for line in summary(found):
        console.print(line, highlight=False, soft_wrap=True)
    whole = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in processes(max(5, options.repeats)).items())
    console.print(f"whole processes: {whole}", highlight=False)


if __name__ == "__main__":
    main()
