"""What the paper prints, verbatim, where the ledger reads words and not formulas: lists, captions, misprints.

The tables stand in `tables`, the listings in `listings`, each quoted sentence with its claim. The tests hold all of
them against the paper's text.
"""

from __future__ import annotations

# Section 3: "Which activation functions should we reach for in order to test them in the ISBE technique?"; the
# beginning of each item of the list.
RECOMMENDATIONS = (
    "The SoftMax activation function should be the first candidate for comparison",
    "Activations should be monotonic so that the largest value of the raw score remains the largest score",
    "Soft scores should be within a limited range",
    "The activation function should not map two close scores to distant scores.",
)
