"""The ledgers that come beside the paper's: their names, and what is recorded of them. Nothing is imported for that.

Each is a module of `softmax_trick.proofs.works`, NAME with _ for -, that has PAPER; NAME.recorded.json lies beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.paper import Paper
from softmax_trick.system.files import parse_json

TITLES = {
    "label-only": "Approximating the Gradient of Cross-Entropy Loss Function",
    "infocam": "Rethinking Softmax with Cross-Entropy: Neural Network Classifier as Mutual Information Estimator",
    "balanced-softmax": "Balanced Meta-Softmax for Long-Tailed Visual Recognition",
    "admm-softmax": "ADMM-Softmax: an ADMM Approach for Multinomial Logistic Regression",
    "incremental": "Balanced Softmax Cross-Entropy for Incremental Learning",
    "universal-features": "An Information Theoretic Interpretation to Deep Neural Networks",
    "theorems": "Beyond the paper: theorems on choice rules, flows and losses",
}
MODULES = {name: f"softmax_trick.proofs.works.{name.replace('-', '_')}" for name in TITLES}


def shipped(file: str, source: str, claims: Iterable[Claim]) -> Paper:
    """The ledger of a module, given by its file. (A test reads its formulas, which are not read here, for time.)"""
    place = Path(file)
    title = TITLES[place.stem.replace("_", "-")]
    record = place.with_suffix(".recorded.json")
    recorded = parse_json(record.read_bytes()) if record.is_file() else {}
    return Paper(title, source, {claim.id: replace(claim, part=title) for claim in claims}, recorded, record)


def recorded_of_all() -> list[str]:
    """A line a ledger: its title, how many of its claims are recorded with each verdict, and its name."""
    spec = find_spec("softmax_trick.proofs")
    folder = Path((spec.submodule_search_locations or [""])[0] if spec else "", "works")
    lines = []
    for name, title in TITLES.items():
        record = folder / f"{name.replace('-', '_')}.recorded.json"
        found = list(parse_json(record.read_bytes()).values()) if record.is_file() else []
        numbers = ", ".join(f"{found.count(one)} {one}" for one in Verdict if one in found) or "nothing"
        lines.append(f"{title}: {numbers} recorded (--ledger {name})")
    return lines
