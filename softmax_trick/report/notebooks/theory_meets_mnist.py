"""What notebook 05_theory_meets_mnist.ipynb begins with."""

from __future__ import annotations

from softmax_trick.report.notebooks import needed

with needed():
    from softmax_trick.report.figures import training as figures
    from softmax_trick.training.data import load

    digits = load("mnist-5k")

with needed():
    from dataclasses import replace
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from IPython.display import display

    from softmax_trick.experiments.analysis import analyse
    from softmax_trick.experiments.definitions import EVERY, EXPERIMENTS
    from softmax_trick.experiments.sweep import collect
    from softmax_trick.experiments.work import run_one
    from softmax_trick.ledger.cache import Cache
    from softmax_trick.ledger.run import Ledger
    from softmax_trick.measurements.results import LONG_ENOUGH, Results, committed_results
    from softmax_trick.proofs import CLAIMS
    from softmax_trick.report.charts import charts
    from softmax_trick.report.experiments_tables import shown, statements, tables
    from softmax_trick.report.notebook import in_brief
    from softmax_trick.training.check import COMPARED, EPSILON, agrees, side_by_side
    from softmax_trick.training.loop import make_reproducible
    from softmax_trick.training.settings import Settings

make_reproducible()
results = committed_results()
if results is None:
    raise SystemExit("results/ holds no results: softmax-trick sweep table3 makes some")
decided = Ledger(CLAIMS, cache=Cache(), results=results).result

__all__ = [
    "COMPARED",
    "EPSILON",
    "EVERY",
    "EXPERIMENTS",
    "LONG_ENOUGH",
    "Path",
    "Results",
    "Settings",
    "TemporaryDirectory",
    "agrees",
    "analyse",
    "charts",
    "collect",
    "decided",
    "digits",
    "display",
    "figures",
    "in_brief",
    "replace",
    "results",
    "run_one",
    "shown",
    "side_by_side",
    "statements",
    "tables",
]
