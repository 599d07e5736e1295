"""Whether two formulas are equal, for every size: an exact point where they differ, or a proof, replayed.

`decision` (equations), `relations` (inequalities, positive semidefinite, conservative) with `ranges` and `convexity`,
`points` (exact points), `replay` (what was proved, at given sizes by other code), `words` (a decision in words).
"""
