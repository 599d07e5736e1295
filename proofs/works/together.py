"""All ledgers that come beside the paper's, by name, and all claims, the paper's among them, by ID."""

from __future__ import annotations

from collections import ChainMap
from importlib import import_module

from softmax_trick.ledger.paper import Paper
from softmax_trick.ledger.works import MODULES
from softmax_trick.proofs import CLAIMS

WORKS: dict[str, Paper] = {name: import_module(module).PAPER for name, module in MODULES.items()}
EVERY = ChainMap(CLAIMS, *(dict(paper.claims) for paper in WORKS.values()))
