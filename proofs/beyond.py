"""What is not in the paper.

implicit_losses   which ISBE errors are gradients, of what, and whether that is convex
lipschitz         the exact Lipschitz constants of the normalizers
relocations       corollaries of the classification A1c; other methods as dilated and relocated SoftMax; blurring
training_theory   Adam and the reductions, label-only errors, the plotted MSE, what cross-entropy bounds
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.proofs import implicit_losses, lipschitz, relocations, training_theory

CLAIMS: tuple[Claim, ...] = (*implicit_losses.CLAIMS, *lipschitz.CLAIMS, *relocations.CLAIMS, *training_theory.CLAIMS)
