"""The experiments, as data: what is trained for which table or figure of the paper.

The paper says neither how many epochs its networks were trained on MNIST, nor the batch size, nor how fast the learning
rate decays: 40 epochs are enough for "from about epoch 30" (section 4.1.3); 120 are what Figures 7 and 8 show. The rest
is the trainer's own default; the learning rate is that of the paper for the network. Images are augmented where the
paper says so (section 4.1.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from softmax_trick.measurements.results import NORMALIZE
from softmax_trick.training.networks import NETWORKS
from softmax_trick.training.settings import Settings

CROSS_ENTROPY = ("ce-mean", "ce-none", "ce-sum")
ISBE = ("hardsigmoid", "hardtanh", "sigmoid", "softmax", "tanh")
EVERY = CROSS_ENTROPY + ISBE  # in the order of the paper's tables

BATCH_SIZE = 256


@dataclass(frozen=True)
class Experiment:
    """Every network with every loss, for as many seeds as are asked for.

    Attributes:
        name: what it is called on the command line.
        title: the table or figure of the paper, and what is trained for it.
        networks: names of `softmax_trick.training.networks.NETWORKS`.
        losses: names of `softmax_trick.training.losses.LOSSES`.
        data: a name that `softmax_trick.training.data.load` knows.
        epochs: passes through the training images.
        options: further settings of `softmax_trick.training.settings.Settings`.
        alone: whether the runs are to be timed, one after the other, by default.
    """

    name: str
    title: str
    networks: Sequence[str]
    losses: Sequence[str]
    data: str = "mnist"
    epochs: int = 40
    options: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False

    @property
    def runs_a_seed(self) -> int:
        """How many runs there are for each seed."""
        return len(self.networks) * len(self.losses)

    def settings(
        self,
        seeds: int,
        device: str = "cpu",
        epochs: int | None = None,
        data: str | None = None,
        networks: Sequence[str] | None = None,
        **others: Any,
    ) -> list[Settings]:
        """The settings of all runs, seed by seed, so that what is done first can be compared first.

        Args:
            seeds: how many.
            device: of all runs.
            epochs: those of the experiment by default.
            data: those of the experiment by default.
            networks: those of the experiment by default.
            others: further settings, such as `lr_decay` and `blurring`.

        Raises:
            ValueError: the experiment has no network of that name.
        """
        for network in networks or ():
            if network not in self.networks:
                raise ValueError(f"{self.name} has no network {network!r}: choose among {', '.join(self.networks)}")
        return [
            Settings(
                net=network,
                loss=loss,
                data=data or self.data,
                epochs=epochs or self.epochs,
                batch_size=BATCH_SIZE,
                lr=NETWORKS[network].lr,
                seed=seed,
                device=device,
                **self.options,
                **others,
            )
            for seed, network, loss in product(range(seeds), networks or self.networks, self.losses)
        ]


AUGMENTED = {"augment": True}
MNIST_NETWORKS = ("n0", "n1", "n1r")

IN_ORDER = (
    Experiment("table1", "Tables 1 and 2: time shares", MNIST_NETWORKS, EVERY, epochs=3, alone=True),
    Experiment("table3", "Tables 3 and 4: success rates", MNIST_NETWORKS, EVERY, options=AUGMENTED),
    Experiment("figure1", "Figure 1: learning curves", ("n1",), ("ce-mean", "softmax", "sigmoid"), options=AUGMENTED),
    Experiment("figure3", "Figures 2 and 3: loss and accuracy charts of N1", ("n1",), EVERY, options=AUGMENTED),
    Experiment("figure4", "Figure 4: accuracy charts of N0 and N1", ("n0", "n1"), EVERY, options=AUGMENTED),
    Experiment(
        "figure6",
        "Figures 6, 7 and 8: VGG-16 on CIFAR-10",
        ("vgg16",),
        ("ce-mean", *ISBE),
        data="cifar10",
        epochs=120,
        options=AUGMENTED,
    ),
    Experiment(
        "autograd",
        "section 4.2: time shares of ISBE through autograd, VGG-16 on CIFAR-10",
        ("vgg16",),
        ("ce-mean", *(f"implicit-{loss}" for loss in ISBE)),
        data="cifar10",
        epochs=3,
        alone=True,
    ),
    Experiment("fashion", "beyond the paper: Table 3 on Fashion-MNIST", ("n0", "n1"), EVERY, data="fashion-mnist"),
    Experiment(
        "longtail",
        "section 5: dilation and relocation on long-tailed data, 100 : 1",
        ("n0",),
        ("ce-mean", "softmax", "balanced-softmax", "vs-loss"),
        epochs=20,
        options={"imbalance": 100.0},
    ),
    Experiment(
        "label-only", "beyond the paper: an error from labels alone", ("n0",), ("ce-mean", "softmax", "label-only")
    ),
    Experiment(
        "normalize",
        "section 3: ISBE with normalize",
        ("n0", "n1"),
        ("ce-mean", "softmax", NORMALIZE),
        options=AUGMENTED,
    ),
    Experiment("linear", "beyond the paper: multinomial logistic regression", ("linear",), EVERY, epochs=20),
)

EXPERIMENTS = {experiment.name: experiment for experiment in IN_ORDER}
