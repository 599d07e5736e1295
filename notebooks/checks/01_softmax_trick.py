"""What the cells of 01_softmax_trick.ipynb have to come to, after each by its number."""

# %% 4
assert decision.status == "zero"

# %% 6
assert without.status == "nonzero"

# %% 7
for result in elementary:
    assert (result.verdict, result.rung) == ("proved", "general")
    assert {"index calculus", "explicit algebra", "z3"} <= {item.engine for item in result.evidence}

# %% 11
assert {(result.verdict, result.rung) for result in by_matrices} == {("proved", "general")}

# %% 13
assert convention.verdict == "refuted"

# %% 15
assert (printed.verdict, repaired.verdict) == ("refuted", "proved")
assert (vector.verdict, vector_repaired.verdict) == ("refuted", "proved")

# %% 16
assert [result.verdict for result in ranges] == ["proved", "proved"]
assert all(result.claim.remark for result in ranges)

# %% 18
assert (loss_range.verdict, gradient_range.verdict) == ("refuted", "proved")
assert loss_range.witness["SoftCE"] == "log(9)"

# %% 20
assert all(result.verdict == "proved" for result in bounds)

# %% 21
assert slips == {"T1.1", "T1.2", "T1.4d", "T1.matrix.convention", "T1.dimension"}
assert all(result.verdict == "proved" for result in section_2 if result.claim.id not in slips)
