"""What the cells of 02_converse.ipynb have to come to, after each by its number."""

# %% 2
assert [result.verdict for result in implications] == ["refuted", "proved", "proved", "refuted", "refuted"]

# %% 5
assert (swap.verdict, swap_repaired.verdict) == ("refuted", "proved")

# %% 7
assert [result.verdict for result in (as_printed, brace, repaired)] == ["refuted", "refuted", "proved"]

# %% 9
assert general_form.verdict == "refuted"

# %% 12
assert no_converse.verdict == unity.verdict == "refuted"

# %% 13
assert abstract.verdict == characterizes.verdict == "refuted"

# %% 15
assert (classified.verdict, classified.rung) == ("proved", "general")

# %% 16
assert all(result.verdict == "proved" for result in consequences)

# %% 18
assert (theorem.verdict, theorem.rung, theorem.conditional_on) == ("proved", "general", ())

# %% 19
assert all(result.verdict == "proved" for result in needed)

# %% 21
assert [result.verdict for result in (excluded, reason, larger_k)] == ["proved", "refuted", "proved"]

# %% 23
assert all(result.verdict == "proved" for result in methods)
