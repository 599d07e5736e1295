"""Section 4 (paper): the experiments.

section_4_measures     what is measured, how the losses of a batch are reduced, the relocation of SoftMax
section_4_networks     the networks, as the printed notation has them
section_4_activations  the activations as printed, and PyTorch's
section_4_results      how the paper reads its tables
section_4_curves       the loss of ISBE, clusters and figures
section_4_experiments  what only experiments can show: learning curves, CIFAR-10
"""

from __future__ import annotations

import re

from softmax_trick.ledger.claims import Claim
from softmax_trick.proofs import (
    section_4_activations,
    section_4_curves,
    section_4_experiments,
    section_4_measures,
    section_4_networks,
    section_4_results,
)

MODULES = (
    section_4_measures,
    section_4_networks,
    section_4_activations,
    section_4_results,
    section_4_curves,
    section_4_experiments,
)


def _subsection(claim: Claim) -> str:
    """S4.1.2.margin is in 4.1.2; E7 in 4 itself."""
    match = re.match(r"S(4(?:\.\d)*)", claim.id)
    return match[1] if match else "4"


CLAIMS: tuple[Claim, ...] = tuple(sorted((claim for module in MODULES for claim in module.CLAIMS), key=_subsection))
