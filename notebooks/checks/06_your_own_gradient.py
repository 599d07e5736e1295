"""What the cells of 06_your_own_gradient.ipynb have to come to, after each by its number."""

# %% 2
assert right.verdict == "proved"

# %% 4
assert wrong.verdict == "refuted"

# %% 5
assert (temperature.verdict, temperature.slip) == ("refuted", "a factor tau")

# %% 6
assert diagonal_only.verdict == "refuted"

# %% 7
assert length.conditions == ("norm(x) != 0",)

# %% 8
assert (hinge.verdict, hinge.conditions) == ("proved", ("1 - t*x != 0",))

# %% 9
assert z_loss.complete

# %% 11
assert str(twice.hessian) == "sum(t)*(diag(softmax(x)) - outer(softmax(x), softmax(x)))"

# %% 12
assert focal.complete

# %% 13
assert attention.verdict == "proved"

# %% 15
assert (batch.verdict, batch.slip) == ("refuted", "a factor N")

# %% 16
assert convex.verdict == "proved"
assert not_convex.verdict == "refuted"

# %% 18
assert without.verdict == "refuted"
assert with_dilation.verdict == "proved"

# %% 19
assert abs(without_loss.circulation) > 1e6 * without_loss.error
assert abs(with_loss.circulation) <= with_loss.error
