"""What the cells of 04_certify_your_own.ipynb have to come to, after each by its number."""

# %% 3
assert softplus_ratio.unity.holds
assert softplus_ratio.positive.holds
assert softplus_ratio.order_preserving.holds
assert softplus_ratio.trick.holds is False
assert softplus_ratio.implicit_loss.holds is False

# %% 4
assert abs(round_trip.circulation) > 1e6 * round_trip.error

# %% 6
assert with_sink.trick.holds
assert with_sink.generalised_softmax.holds is False
assert with_sink.implicit_loss.holds

# %% 8
assert projection.trick.holds is False
assert projection.implicit_loss.holds
assert projection.differentiable.holds

# %% 10
assert {found.rung for found in by_samples.properties().values()} == {"sampled"}
assert by_samples.trick.holds
assert by_samples.generalised_softmax.holds is False

# %% 11
assert naive_softmax(torch.tensor([88.0, 0.0])).isfinite().all()
assert naive_softmax(torch.tensor([89.0, 0.0])).isnan().any()
assert failure.value.check == "saturation"

# %% 12
assert torch.allclose(mine, right)

# %% 13
assert failure.value.check == "grad_output"

# %% 14
assert gradcheck(my_loss, (scores, targets))

# %% 15
assert failure.value.check == "second derivative"

# %% 16
assert "second derivative" in checked.refused
