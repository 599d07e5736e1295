"""What the cells of 05_theory_meets_mnist.ipynb have to come to, after each by its number."""

# %% 2
assert [one.verdict for one in reductions] == ["refuted", "proved"]

# %% 3
for records in checks.values():
    assert {record["loss"] for record in records if record["of_bound"] is not None} == {"ce-none", "ce-sum"}
    assert all(record["of_bound"] <= 1 for record in records if record["of_bound"] is not None)
    assert agrees(records)

# %% 4
for records in checks.values():
    first = [record for record in records if record["step"] == 1 and record["dtype"] == "float64"]
    for record in first:
        same = record["loss"] in COMPARED
        assert abs(record["gradient"] - (0 if same else 1 - 1 / batch_size)) < 1e-9

# %% 5
for loss in COMPARED:
    for net in checks:
        # A factor of 2^29 is expected; 2^20 leaves room for chance, and none for an error of a formula.
        assert last[net, "float64", loss] * 2**20 < last[net, "float32", loss]
    for dtype in ("float32", "float64"):
        assert last["linear", dtype, loss] < 10 * figures.unit_roundoff_of(dtype) < last["n0", dtype, loss]

# %% 6
assert all(one.verdict == "proved" for one in adam)

# %% 7
for records in checks.values():
    by_epsilon = figures.drift_by_epsilon(records)
    fits = by_epsilon.pop(EPSILON / batch_size)
    assert min(by_epsilon.values()) > 1e6 * fits

# %% 8
assert {outcome.status for outcome in outcomes} == {"done"}
assert set(trained.losses) == set(EVERY)
assert all(run.accuracy > 80 for run in runs)
assert all(run.train_loss[-1] < run.train_loss[0] for run in runs)

# %% 10
for kind in ("ce-none, same seed", "softmax, same seed"):
    assert set(linear[kind]) == {0}
assert min(linear["ce-sum, another seed"]) > 0

# %% 12
assert {cell.loss for cell in main.accuracies if cell.network == "n0"} >= set(EVERY)
# Whatever the loss of the paper, the network has learnt.
assert all(cell.figure.ours > 90 for cell in main.accuracies if cell.loss in EVERY)

# %% 15
assert mean_square.verdict == "proved"

# %% 16
assert {"ce-none, same seed", "softmax, same seed"} <= n0.keys()

# %% 17
assert identical.verdict in ("proved", "refuted")

# %% 19
for one in analysis.statements:
    settled = one.outcome in ("reproduced", "contradicted")
    assert decided(one.claim).verdict == ("measured" if settled else "undecided")
    assert not one.outcome.startswith("crashed")
