"""Classes that come two at a time, with a memory: cross-entropy, masked cross-entropy, Balanced SoftMax."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from statistics import fmean

from softmax_trick.experiments.study import Curve, Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement

CE, MASKED, BALANCED = "cross-entropy, ten outputs", "cross-entropy, classes seen", "Balanced SoftMax"
PLACES = {
    f"{data}, memory {memory:,}": (data, memory) for data, memory in product(("mnist", "fashion-mnist"), (500, 2_000))
}
ACCURACY, AVERAGE, OLD = "accuracy at the end", "mean accuracy after the tasks", "share called old"
AFTER = "accuracy"
TASKS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))


def protocol(group: str) -> Protocol:
    """Of a group: the data and the memory."""
    data, memory = PLACES[group]
    return {
        "data": data,
        "memory": memory,
        "images a class": 2_000,
        "tasks": ", ".join("".join(map(str, task)) for task in TASKS),
        "net": "784-128-10 with ReLU",
        "optimizer": "Adam, one for all tasks",
        "rate": 1e-3,
        "epochs a task": 2,
        "batch size": 128,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """The same tasks, memory and first weights for all."""
    import torch

    from softmax_trick.neighbours import fitting, incremental
    from softmax_trick.training import TrainingError
    from softmax_trick.training.batches import seed_generators
    from softmax_trick.training.data import load
    from softmax_trick.training.losses import LOSSES

    data = load(str(protocol["data"]), data_dir)
    try:
        features, labels = fitting.features_of(fitting.first_of_each(data.train, int(protocol["images a class"])))
        divided = incremental.tasks(labels, TASKS, int(protocol["memory"]))
    except ValueError as error:
        raise TrainingError(str(error)) from error
    tested, truth = fitting.features_of(data.test)
    losses = {CE: lambda task: LOSSES["ce-sum"], MASKED: incremental.masked, BALANCED: incremental.balanced}
    values, curves = {}, {}
    for arm, loss in losses.items():
        seed_generators(seed, 0)
        net = fitting.perceptron(784, 10)
        optimizer = torch.optim.Adam(net.parameters(), lr=float(protocol["rate"]))
        after = []
        for number, task in enumerate(divided):
            fitting.fit(
                *(net, optimizer, loss(task), features[task.examples], labels[task.examples]),
                *(int(protocol["epochs a task"]), int(protocol["batch size"]), 10 * seed + number),
            )
            known = torch.isin(truth, torch.tensor(task.seen))
            scores = fitting.scores_of(net, tested[known])
            after.append(fitting.accuracy(scores, truth[known]))
        old = torch.isin(scores.argmax(-1), torch.tensor(divided[-1].classes), invert=True)
        values[arm] = {ACCURACY: after[-1], AVERAGE: fmean(after), OLD: 100 * float(old.double().mean())}
        curves[arm] = {AFTER: after}
    return Measured(values, curves)


STUDY = Study(
    name="incremental",
    title="split MNIST and split Fashion-MNIST: five tasks with a memory",
    work="Q. Jodelet, X. Liu, T. Murata, Balanced Softmax Cross-Entropy for Incremental Learning (2021)",
    groups=tuple(PLACES),
    protocol=protocol,
    measure=measure,
    quantities={
        ACCURACY: "%, all ten classes",
        AVERAGE: "%, over the classes seen",
        OLD: "%, test images given a class of an earlier task; 80 % have one",
    },
    statements=(
        Statement(
            "Balanced SoftMax is better than cross-entropy",
            "a relocation by log n",
            ACCURACY,
            BALANCED,
            0.0,
            math.inf,
            CE,
        ),
        Statement(
            "Balanced SoftMax is better than cross-entropy over the classes seen",
            "a relocation by log n, and not its log 0 alone",
            *(ACCURACY, BALANCED, 0.0, math.inf, MASKED),
        ),
        Statement(
            "leaving out classes not seen is better than ten outputs",
            "a class without examples gets no error",
            *(ACCURACY, MASKED, 0.0, math.inf, CE),
        ),
        Statement(
            "Balanced SoftMax calls 75 to 85 % old, where 80 % are",
            "scores under uniform priors",
            OLD,
            BALANCED,
            75.0,
            85.0,
        ),
    ),
    curve=Curve(AFTER, "accuracy over the classes seen, %", "task"),
    data=("mnist", "fashion-mnist"),
)
