"""What is false in the paper, in five sentences, each said while its claims are all refuted; and what holds, in one."""

from __future__ import annotations

from softmax_trick.ledger.paper import MainFinding

MAIN_FINDINGS = (
    MainFinding(
        "Theorem A1, the classification of all functions with the trick, is false as printed: "
        "exp(x_i) / (1 + sum_k exp(x_k)) has the Jacobian that its property 2 asks for and is no SoftMax; the proof "
        "uses that the values sum to 1, which the theorem does not say.",
        ("A1.2-1", "A1"),
    ),
    MainFinding(
        "Property 3 of that theorem, the trick for every target in [0, 1]^K, fails for SoftMax itself: the targets "
        "have to sum to 1.",
        ("A1.2-3", "A1.1-3"),
    ),
    MainFinding(
        "Theorem 1 has the gradient of cross-entropy with the wrong sign, and gives SoftCE the range (-1, 1), which is "
        "that of the components of its gradient: SoftCE itself has no bound.",
        ("T1.1", "T1.2", "T1.4d"),
    ),
    MainFinding(
        "The code of Appendix B does not run as printed; mended, it disobeys the chain rule: whatever factor stands "
        "before the loss, the gradient is the same.",
        ("B.copy", "B.chain-rule"),
    ),
    MainFinding(
        "Two cells of Table 4 are not the differences of Table 3, only one of the five normalizers is above 99.5 % on "
        "network N0, and the share of time by which the paper compares speed depends on the implementation.",
        ("Tab4", "S3.above-99.5", "S4.tau"),
    ),
)

WHAT_HOLDS = MainFinding(
    "What the method rests on holds, for every number of classes: the gradient of cross-entropy after SoftMax is "
    "y - t, ISBE with SoftMax sends the same back, and Theorem A1 is true of functions whose value at one point is a "
    "distribution with positive entries.",
    ("T1.4c", "S5.simulates", "A1r"),
)
"""The one sentence that rests on proofs: it is said while all of these claims are proved."""
