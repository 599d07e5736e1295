"""The ledger: claims, the evidence for or against them, and the verdicts that follow from it."""
