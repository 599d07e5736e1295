"""Prove the gradients of other people's losses, unchanged and pinned, and write docs/peers-proved.md.

    python peers/prove.py [--out FILE]
    python peers/prove.py SUBJECT ...

Each verdict has to be the one that `SUBJECTS` says: otherwise the exit status is 1, and no page is written. With names
of subjects (or the beginning of names) only these are tried, and no page is written.
"""

from __future__ import annotations

import argparse
import sys
import types
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.metadata import version
from pathlib import Path
from typing import Any

from softmax_trick.proving.result import Proof
from softmax_trick.system.files import write_whole
from softmax_trick.system.limited import Trouble, within

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120.0  # for each
PACKAGES = (
    "torch", "kornia", "timm", "segmentation-models-pytorch", "torchvision", "fvcore", "balanced-loss", "coral-pytorch",
    "auraloss", "info-nce-pytorch", "monai", "pytorch-metric-learning", "entmax",
)  # fmt: skip
# Packages whose own __init__ imports far more than their losses: only the modules that are asked for are imported.
BARE = ("torchvision", "torchvision.ops", "timm", "segmentation_models_pytorch")


@dataclass(frozen=True)
class Subject:
    """A function of another project.

    Attributes:
        name: the function, as its users call it.
        inputs: how its inputs are declared.
        expected: the verdict.
        build: makes the function: from what `module:attribute` names, to a function of the inputs.
        why: where it is not proved, what is in the way; beside a proof, what is remarkable.
    """

    name: str
    inputs: str
    expected: str
    build: Callable[[Any], Any] = lambda found: found
    why: str = ""
    path: str = ""


def torch_loss(name: str, inputs: str, expected: str = "proved", why: str = "", **options: Any) -> Subject:
    """A function of torch.nn.functional, with options."""

    def build(found: Any) -> Any:
        return (lambda *tensors: found(*tensors, **options)) if options else found

    with_options = ", ".join(f"{key}={value}" for key, value in options.items())
    label = f"torch F.{name}" + (f"({with_options})" if options else "")
    return Subject(label, inputs, expected, build, why, f"torch.nn.functional:{name}")


def called(**options: Any) -> Callable[[Any], Any]:
    """A function with options."""
    return lambda found: lambda *tensors: found(*tensors, **options)


def made(*arguments: Any, **options: Any) -> Callable[[Any], Any]:
    """A class, made with arguments."""
    return lambda found: found(*arguments, **options)


LABELLED = "input: n,K; target: label n of K"
PAIR = "input: n,D; target: n,D"
SOFT = "x: n,l; t: n,l unit constant"
VALUES = "the code branches on the values of its inputs"

SUBJECTS: tuple[Subject, ...] = (
    torch_loss("cross_entropy", LABELLED),
    torch_loss("cross_entropy", LABELLED + " or -100", ignore_index=-100),
    torch_loss("cross_entropy", "x: n,K; t: label n of K", label_smoothing=0.1),
    torch_loss("cross_entropy", "x: n,K; t: n,K distribution", label_smoothing=0.1, reduction="sum"),
    torch_loss("cross_entropy", "x: n,K,d; t: label n,d of K", reduction="none"),
    torch_loss("nll_loss", LABELLED),
    torch_loss("kl_div", "x: n,K; t: n,K positive constant", reduction="batchmean"),
    torch_loss("mse_loss", PAIR),
    torch_loss("l1_loss", PAIR),
    torch_loss("smooth_l1_loss", PAIR),
    torch_loss("huber_loss", PAIR),
    torch_loss("binary_cross_entropy", "input: n,D unit; target: n,D unit constant"),
    torch_loss("binary_cross_entropy_with_logits", PAIR),
    torch_loss("poisson_nll_loss", PAIR),
    torch_loss("multi_margin_loss", LABELLED),
    torch_loss("soft_margin_loss", "input: n,D; target: n,D constant"),
    torch_loss("margin_ranking_loss", "a: n; b: n; y: n constant", margin=0.5),
    torch_loss("triplet_margin_loss", "anchor: n,D; positive: n,D; negative: n,D"),
    torch_loss("cosine_embedding_loss", "input1: n,D; input2: n,D; target: n constant"),
    torch_loss("pairwise_distance", "x1: n,D; x2: n,D"),
    torch_loss("normalize", "input: n,D"),
    Subject(
        "torch F.gaussian_nll_loss (var constant)",
        "input: n,D; target: n,D; var: n,D positive constant",
        "proved",
        path="torch.nn.functional:gaussian_nll_loss",
    ),
    torch_loss(
        "gaussian_nll_loss",
        "input: n,D; target: n,D; var: n,D positive",
        "undecided",
        "it is proved where var >= eps; below, the gradient by var is that of a clamp which the value hides",
    ),
    Subject("torch nn.LayerNorm(6)", "input: n,D; D = 6", "proved", made(6), "", "torch.nn:LayerNorm"),
    Subject("torch nn.RMSNorm(6)", "x: n,D; D = 6", "proved", made(6), "", "torch.nn:RMSNorm"),
    torch_loss("silu", "input: n"),
    torch_loss("gelu", "input: n"),
    torch_loss("scaled_dot_product_attention", "query: n,D; key: m,D; value: m,E"),
    Subject(
        "kornia.losses.charbonnier_loss",
        "x: n,d; y: n,d",
        "proved",
        called(reduction="mean"),
        "",
        "kornia.losses:charbonnier_loss",
    ),
    Subject(
        "kornia.losses.welsch_loss",
        "x: n,d; y: n,d",
        "proved",
        called(reduction="mean"),
        "",
        "kornia.losses:welsch_loss",
    ),
    Subject(
        "kornia.losses.cauchy_loss",
        "x: n,d; y: n,d",
        "proved",
        called(reduction="mean"),
        "",
        "kornia.losses:cauchy_loss",
    ),
    Subject(
        "kornia.losses.geman_mcclure_loss",
        "x: n,d; y: n,d",
        "proved",
        called(reduction="mean"),
        "",
        "kornia.losses:geman_mcclure_loss",
    ),
    Subject(
        "kornia.losses.kl_div_loss_2d",
        "p: n,c,h,w positive; q: n,c,h,w positive constant",
        "proved",
        path="kornia.losses:kl_div_loss_2d",
    ),
    Subject("kornia.losses.psnr_loss", "x: n,d; y: n,d", "proved", called(max_val=1.0), "", "kornia.losses:psnr_loss"),
    Subject(
        "kornia.losses.focal_loss",
        "x: n,K,d; t: label n,d of K; K = 3",
        "proved",
        called(alpha=0.5),
        "",
        "kornia.losses:focal_loss",
    ),
    Subject(
        "kornia.losses.dice_loss",
        "pred: n,K,h,w; target: label n,h,w of K",
        "proved",
        path="kornia.losses:dice_loss",
    ),
    Subject(
        "kornia.losses.total_variation",
        "img: n,c,h,w",
        "undecided",
        why="a part of an axis, without its first entry",
        path="kornia.losses:total_variation",
    ),
    Subject(
        "segmentation_models_pytorch DiceLoss",
        "y_pred: n,1,l; y_true: n,1,l unit constant",
        "proved",
        made("binary"),
        "",
        "segmentation_models_pytorch.losses:DiceLoss",
    ),
    Subject(
        "segmentation_models_pytorch JaccardLoss",
        "y_pred: n,1,l; y_true: n,1,l unit constant",
        "proved",
        made("binary"),
        "",
        "segmentation_models_pytorch.losses:JaccardLoss",
    ),
    Subject(
        "segmentation_models_pytorch TverskyLoss",
        "y_pred: n,1,l; y_true: n,1,l unit constant",
        "proved",
        made("binary"),
        "",
        "segmentation_models_pytorch.losses:TverskyLoss",
    ),
    Subject(
        "segmentation_models_pytorch FocalLoss",
        "y_pred: n,l; y_true: n,l unit constant",
        "proved",
        made("binary"),
        "",
        "segmentation_models_pytorch.losses:FocalLoss",
    ),
    Subject(
        "segmentation_models_pytorch MCCLoss",
        "y_pred: n,1,l unit; y_true: n,1,l unit constant",
        "proved",
        made(),
        "",
        "segmentation_models_pytorch.losses:MCCLoss",
    ),
    Subject(
        "segmentation_models_pytorch SoftCrossEntropyLoss",
        "y_pred: n,K,l; y_true: label n,l of K",
        "proved",
        made(smooth_factor=0.1),
        "",
        "segmentation_models_pytorch.losses:SoftCrossEntropyLoss",
    ),
    Subject(
        "timm LabelSmoothingCrossEntropy",
        "x: n,K; target: label n of K",
        "proved",
        made(0.1),
        "",
        "timm.loss:LabelSmoothingCrossEntropy",
    ),
    Subject(
        "timm SoftTargetCrossEntropy",
        "x: n,K; target: n,K distribution",
        "proved",
        made(),
        "",
        "timm.loss:SoftTargetCrossEntropy",
    ),
    Subject(
        "timm BinaryCrossEntropy",
        "x: n,K; target: label n of K",
        "proved",
        made(0.1),
        "",
        "timm.loss:BinaryCrossEntropy",
    ),
    Subject(
        "torchvision sigmoid_focal_loss",
        "inputs: n,d; targets: n,d unit constant",
        "proved",
        path="torchvision.ops.focal_loss:sigmoid_focal_loss",
    ),
    Subject(
        "torchvision generalized_box_iou_loss",
        "boxes1: n,4; boxes2: n,4 constant",
        "undecided",
        why="entries chosen by a mask, whose number depends on the data",
        path="torchvision.ops.giou_loss:generalized_box_iou_loss",
    ),
    Subject(
        "fvcore smooth_l1_loss",
        "x: n,d; t: n,d",
        "proved",
        called(beta=0.5, reduction="mean"),
        "",
        "fvcore.nn:smooth_l1_loss",
    ),
    Subject("fvcore sigmoid_focal_loss", SOFT, "proved", called(reduction="sum"), "", "fvcore.nn:sigmoid_focal_loss"),
    Subject(
        "fvcore sigmoid_focal_loss_star",
        SOFT,
        "proved",
        called(reduction="sum"),
        "",
        "fvcore.nn:sigmoid_focal_loss_star",
    ),
    Subject(
        "balanced_loss focal",
        "logits: n,K; labels: label n of K; K = 3",
        "proved",
        made(loss_type="focal_loss"),
        "",
        "balanced_loss:Loss",
    ),
    Subject(
        "coral_pytorch coral_loss",
        "x: n,k; t: n,k unit constant",
        "proved",
        called(),
        "",
        "coral_pytorch.losses:coral_loss",
    ),
    Subject("auraloss ESRLoss", "input: n,c,l; target: n,c,l constant", "proved", made(), "", "auraloss.time:ESRLoss"),
    Subject("auraloss DCLoss", "input: n,c,l; target: n,c,l constant", "proved", made(), "", "auraloss.time:DCLoss"),
    Subject(
        "auraloss LogCoshLoss",
        "input: n,c,l; target: n,c,l constant",
        "proved",
        made(),
        "",
        "auraloss.time:LogCoshLoss",
    ),
    Subject("auraloss SNRLoss", "input: n,c,l; target: n,c,l constant", "proved", made(), "", "auraloss.time:SNRLoss"),
    Subject(
        "info_nce with negatives",
        "q: n,D; p: n,D; k: m,D",
        "undecided",
        called(),
        "m + 1 logits in a row: a size that is no product of the declared ones",
        "info_nce:info_nce",
    ),
    Subject("monai FocalLoss", "x: n,1,h,w; t: n,1,h,w unit constant", "proved", made(), "", "monai.losses:FocalLoss"),
    Subject(
        "monai DiceLoss",
        "x: n,1,h,w; t: n,1,h,w unit constant",
        "undecided",
        made(sigmoid=True),
        VALUES,
        "monai.losses:DiceLoss",
    ),
    Subject(
        "pytorch_metric_learning NTXentLoss",
        "x: n,D; t: label n of K",
        "undecided",
        made(),
        VALUES,
        "pytorch_metric_learning.losses:NTXentLoss",
    ),
    Subject(
        "entmax sparsemax_loss", "x: n,K; t: label n of K", "undecided", called(), "it sorts", "entmax:sparsemax_loss"
    ),
)


def bare(name: str) -> None:
    """Enter a package without running its __init__; its modules are imported as they are."""
    parent = name.rpartition(".")[0]
    spec = PathFinder.find_spec(name, sys.modules[parent].__path__ if parent else None)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"no package {name}")
    module = types.ModuleType(name)
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = module


def load(subject: Subject) -> Any:
    """The function of a subject."""
    module, _, attribute = subject.path.partition(":")
    return subject.build(getattr(import_module(module), attribute))


def prepare() -> None:
    """Import what every proof needs, once: the processes that prove are copies of this one."""
    import torch

    from softmax_trick import prove_gradient

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for name in BARE:
        bare(name)
    prove_gradient(torch.exp, "input: n", second=False)


def proved(number: int) -> Proof:
    """What is found about a subject; in a process of its own."""
    from softmax_trick import prove_gradient

    subject = SUBJECTS[number]
    return prove_gradient(load(subject), subject.inputs, second=False, name=subject.name)


def row(subject: Subject, found: Proof) -> str:
    """The line of the table for a subject."""
    said = found.scope if found.verdict == "proved" else subject.why
    return f"| {subject.name} | `{subject.inputs}` | {found.verdict} | {said} |"


def page(found: dict[str, Proof]) -> str:
    """docs/peers-proved.md: what was proved of whose code."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    counts = Counter(proof.verdict for proof in found.values())
    decided = counts["proved"] + counts["refuted"]
    return "\n".join(
        [
            "# The gradients of others, proved",
            "",
            "[`softmax-trick prove`](proving.md) on losses and layers that nobody here wrote, unchanged. Made by",
            "`make peers`, that is `python peers/prove.py`; not edited by hand.",
            "",
            f"{versions}.",
            "",
            f"Of {len(found)} functions {decided} are decided: {counts['proved']} proved, {counts['refuted']} refuted. "
            f"{counts['undecided']} are undecided or not readable, and the last column says why.",
            "",
            "| function | inputs | verdict | for which sizes, or why not |",
            "|---|---|---|---|",
            *(row(subject, found[subject.name]) for subject in SUBJECTS),
            "",
            "Proved is said over the reals, almost everywhere, where denominators, logarithms and roots are defined.",
            "",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Prove the subjects, write the page; 1 if a verdict is not the expected one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "peers-proved.md", help="where the page is written")
    options = parser.parse_args(arguments)
    chosen = [
        n for n, one in enumerate(SUBJECTS) if not options.subjects or one.name.startswith(tuple(options.subjects))
    ]
    if not chosen:
        parser.error(f"no subject of that name: choose among {', '.join(one.name for one in SUBJECTS)}")
    found: dict[str, Proof] = {}
    wrong = 0
    prepare()
    for number in chosen:
        subject = SUBJECTS[number]
        proof = within(SECONDS, proved, number)
        if isinstance(proof, Trouble):
            print(f"{subject.name}: {proof.reason}", file=sys.stderr)
            wrong += 1
            continue
        found[subject.name] = proof
        print(f"{subject.name}: {proof.verdict}, {proof.seconds:.1f} s", flush=True)
        if proof.verdict != subject.expected:
            print(f"{subject.name}: expected {subject.expected}\n{proof}", file=sys.stderr)
            wrong += 1
    if not wrong and len(chosen) == len(SUBJECTS):
        write_whole(options.out, page(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
