"""The side-by-side check: it passes on what theory says is one method, and fails on every planted error."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from softmax_trick.training import check
from softmax_trick.training.batches import seed_generators
from softmax_trick.training.check import error_bound, rounding_bound
from softmax_trick.training.losses import LOSSES

Trainer = Callable[..., int]


def drift(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "drift.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_the_three_are_one_method(trainer: Trainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trainer("--check") == 0
    records = drift(tmp_path / "out")
    assert len(records) == (2 * 2 + 7) * 4, "two dtypes, two compared losses, seven epsilons; four steps"
    for record in records:
        assert (record["of_bound"] is not None) == (record["loss"] != "ce-mean")
    first = {record["dtype"]: record for record in records if record["step"] == 1 and record["loss"] != "ce-mean"}
    # Rounding is 2^29 times smaller in float64; anything else is the same in both.
    ratio = first["float32"]["gradient"] / first["float64"]["gradient"]
    assert 2**29 / 100 < ratio < 2**29 * 100
    said = capsys.readouterr().out
    assert "ce-none       1e-16  1.0e-08" in said
    assert "ce-sum        6e-08  1.0e-08" in said
    assert "ce-mean       1e-16  1.0e-16          -          -" in said
    assert said.splitlines()[-1].startswith("agreement: ")
    assert trainer("--check") == 0, "a check may be repeated"
    assert drift(tmp_path / "out") == records, "and says the same again"


def test_the_check_has_a_length_and_says_that_its_losses_are_its_own(
    trainer: Trainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trainer("--check", "--net", "linear", "--epochs", "2", "--loss", "tanh", "--resume") == 0
    assert max(record["step"] for record in drift(tmp_path / "out")) == 8
    notes = capsys.readouterr().err
    assert "note: --check trains ce-none, ce-sum and softmax" in notes
    assert "note: --check is made in one go" in notes


ISBE: Any = LOSSES["softmax"].start
PLANTED: dict[str, tuple[str, Any]] = {
    "twice the error": ("softmax", lambda scores, labels: (scores, 2 * ISBE(scores, labels)[1])),
    "a hundred-thousandth too much": ("softmax", lambda scores, labels: (scores, 1.00001 * ISBE(scores, labels)[1])),
    "no targets": ("softmax", lambda scores, labels: (scores, scores.detach().softmax(-1))),
    "the wrong sign": ("softmax", lambda scores, labels: (scores, -ISBE(scores, labels)[1])),
    "another normalizer": ("softmax", LOSSES["sigmoid"].start),
    "one wrong label": ("softmax", lambda scores, labels: ISBE(scores, labels.index_fill(0, torch.tensor(0), 3))),
    "mean for sum": ("ce-sum", LOSSES["ce-mean"].start),
    "half the losses": ("ce-none", lambda scores, labels: LOSSES["ce-sum"].start(scores[::2], labels[::2])),
}


@pytest.mark.parametrize("error", PLANTED)
def test_planted_errors_are_caught(
    error: str, trainer: Trainer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loss, start = PLANTED[error]
    monkeypatch.setitem(LOSSES, loss, replace(LOSSES[loss], start=start))
    assert trainer("--check", "--net", "linear") == 1  # at the scores, whatever made them
    assert capsys.readouterr().out.splitlines()[-1].startswith("NO agreement: ")


@pytest.mark.slow
def test_adam_hides_a_wrong_factor_in_the_parameters(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the verdict is not passed on the parameters: only Adam's epsilon lets a factor of two through."""
    monkeypatch.setitem(LOSSES, "softmax", replace(LOSSES["softmax"], start=PLANTED["twice the error"][1]))
    assert trainer("--check") == 1
    first = next(record for record in drift(tmp_path / "out") if record["dtype"] == "float64")
    assert first["gradient"] == pytest.approx(0.5)
    assert first["parameters"] < 1e-3
    assert first["of_bound"] > 1e12


def test_other_dropout_masks_are_caught(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(1000))
    monkeypatch.setattr(check, "seed_generators", lambda seed, epoch: seed_generators(next(calls), epoch))
    assert trainer("--check") == 1


def test_an_error_that_comes_later_is_caught(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would with a first step alone."""
    steps = iter(range(100))

    def start(scores: Tensor, labels: Tensor) -> Any:
        return scores, (1.00001 if next(steps) >= 3 else 1) * ISBE(scores, labels)[1]

    monkeypatch.setitem(LOSSES, "softmax", replace(LOSSES["softmax"], start=start))
    assert trainer("--check", "--net", "linear") == 1


@pytest.mark.slow
def test_ce_mean_joins_ce_sum_at_an_nth_of_its_epsilon(trainer: Trainer, tmp_path: Path) -> None:
    """Batches of 64: 1/64 scales every gradient, m, sqrt(v) and epsilon exactly, so the steps have the same bits."""
    assert trainer("--check") == 0
    last = [record for record in drift(tmp_path / "out") if record["step"] == 4 and record["dtype"] == "float64"]
    drift_of = {record["epsilon"]: record["parameters"] for record in last if record["loss"] == "ce-mean"}
    [of_sum] = [record["parameters"] for record in last if record["loss"] == "ce-sum"]
    assert set(drift_of) == {1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-16, 1e-8 / 64}
    assert drift_of[1e-8 / 64] == of_sum
    # The further from it an epsilon is, the further apart they drift.
    assert of_sum < 1e-9 < drift_of[1e-10] < drift_of[1e-8] < drift_of[1e-6] < drift_of[1e-4]
    assert drift_of[1e-12] > of_sum < drift_of[1e-16]


@pytest.mark.slow
def test_a_smaller_last_batch_ends_that(trainer: Trainer, tmp_path: Path) -> None:
    """Claim X.adam.last-batch: 256 images in batches of 100 leave one of 56."""
    assert trainer("--check", "--batch-size", "100") == 0
    drifts = [record["parameters"] for record in drift(tmp_path / "out") if record["epsilon"] == 1e-8 / 100]
    assert drifts[1] < 1e-9
    assert drifts[2] > 1e-6


@pytest.mark.parametrize("loss", ["softmax", "ce-sum"])
def test_the_error_follows_the_scores_within_the_bound(loss: str) -> None:
    """As far as the scores go, at once and along rays; half their difference, and not less, is what SoftMax needs."""
    torch.manual_seed(0)
    labels = torch.randint(2, (20_000,))
    tightest = 0.0
    for scale in (1e-9, 1e-3, 1, 30):
        scores = torch.randn(2, 20_000, 2, dtype=torch.float64)
        scores[1] = scores[0] + scale * torch.randn(20_000, 2, dtype=torch.float64)
        scores[:, :100] *= 1e-3  # where SoftMax is steepest
        errors = []
        for each in scores:
            attached = each.clone().requires_grad_()
            start, gradient = LOSSES[loss].start(attached, labels)
            start.backward(gradient)
            assert attached.grad is not None
            errors.append(attached.grad)
        ratio = (errors[0] - errors[1]).abs() / error_bound(scores, torch.stack(errors))
        assert ratio.max() <= 1
        tightest = max(tightest, float(ratio.max()))
    assert tightest > 0.9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-3, 0.1, 1, 3, 10, 100, 1000])
def test_the_bound_holds_far_from_the_first_step(scale: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    scores, labels = (scale * torch.randn(10_000, 10)).to(dtype), torch.randint(10, (10_000,))
    errors = []
    for loss in ("softmax", "ce-none", "ce-sum"):
        attached = scores.clone().requires_grad_()
        start, gradient = LOSSES[loss].start(attached, labels)
        start.backward(gradient)
        assert attached.grad is not None
        errors.append(attached.grad.double())
    bound = rounding_bound(scores, errors[0])
    for error in errors[1:]:
        assert ((error - errors[0]).abs() <= bound).all()
    # It is no looser than what it is about: a hundred roundings of a row, and of its range.
    assert (bound <= 100 * (1 + scale) * torch.finfo(dtype).eps).all()


def test_scores_that_are_not_finite_stop_the_check(trainer: Trainer, capsys: pytest.CaptureFixture[str]) -> None:
    assert trainer("--check", "--lr", "1e300") == 1
    assert "error: float64, step 2: the scores are not finite: try a smaller --lr" in capsys.readouterr().err
