"""What the cells of 03_implicit_losses.ipynb have to come to, after each by its number."""

# %% 6
assert constant.free_symbols == {target}
assert beyond.subs({score: 4, target: 1}) == 0

# %% 7
assert all(result.verdict == "proved" for result in hard)
for name, best in (("hardtanh", 1), ("hardsigmoid", 2), ("hardsigmoid_torch", 3)):
    at_target = error(name, vector_of(best), vector_of(1))[1], error(name, vector_of(-best), vector_of(0))[1]
    before = error(name, vector_of(best - sp.Rational(1, 10)), vector_of(1))[1]
    assert at_target == (0, 0)
    assert before < 0

# %% 9
for name, pull in (("sigmoid", 1), ("tanh", 2)):
    assert sp.limit(error(name, vector_of(s), vector_of(1))[1], s, -sp.oo) == -pull
for name, pull in (("hardtanh", 2), ("hardsigmoid", 1), ("hardsigmoid_torch", 1)):
    assert error(name, vector_of(-6), vector_of(1))[1] == -pull
    assert error(name, vector_of(6), vector_of(1))[1] == 0

# %% 12
assert unequal.verdict == "proved"

# %% 13
assert abs(round_trip.circulation) > 1e6 * round_trip.error
assert all(abs(work.circulation) <= work.error for work in gradients)

# %% 14
assert abs(inside - round_trip.circulation) <= doubt + round_trip.error

# %% 15
assert normalize.verdict == normalize_p.verdict == "proved"

# %% 16
assert least_slope > 0

# %% 17
assert abs(without_loss.circulation) > 1e6 * without_loss.error
assert abs(with_loss.circulation) <= with_loss.error

# %% 18
assert all(result.verdict == "proved" for result in (*convex, *steep))

# %% 19
assert all(result.verdict == "proved" for result in gradients)
