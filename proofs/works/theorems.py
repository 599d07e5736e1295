"""Beyond the paper and its neighbours: eight groups of theorems, each with what it rests on.

choice_rules    groups 1, which choice rules have a loss; 2, slack; 3, shifts; 5, alpha-entmax
dilated_flow    group 4, unequal dilations: where cross-entropy can rise
proper_losses   groups 6, matching losses; 7, properness and calibration; 8, Böhning's bound and its step
"""

from __future__ import annotations

from softmax_trick.ledger.claims import Claim
from softmax_trick.ledger.works import shipped
from softmax_trick.proofs.works import choice_rules, dilated_flow, proper_losses

SOURCE = "ours, in eight groups; what is known of old is cited where it is used"

CLAIMS: tuple[Claim, ...] = (*choice_rules.CLAIMS, *dilated_flow.CLAIMS, *proper_losses.CLAIMS)

PAPER = shipped(__file__, SOURCE, CLAIMS)
