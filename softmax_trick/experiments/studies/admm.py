"""ADMM-SoftMax against L-BFGS, Newton-CG and SGD on the pixels of MNIST: one minimum, and the way there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_trick.experiments.study import Curve, Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALL, LARGE, ADAPTIVE = "ADMM, rho' = 0.01", "ADMM, rho' = 0.03", "ADMM, rho' adapted from 0.1"
LBFGS, NEWTON, SGD = "L-BFGS", "Newton-CG", "SGD"
GAPS = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4}
GAP, ACCURACY = "objective less the minimum", "test accuracy"
PASSES, SECONDS = "passes", "seconds"


def protocol(group: str) -> Protocol:
    """Of the one group."""
    return {
        "data": "mnist",
        "training images": 10_000,
        "features": "784 pixels in [0, 1] and a constant 1",
        "alpha": 1e-3,
        "passes of a Hessian product": 1,
        "iterations of ADMM": 100,
        "rate of SGD": 0.5,
        "batch size of SGD": 64,
        "epochs of SGD": 25,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """Every method on the same images, a random part of the training images."""
    import numpy as np

    from softmax_trick.neighbours import admm
    from softmax_trick.training.data import load

    data = load(str(protocol["data"]), data_dir)
    chosen = np.random.RandomState(seed).permutation(len(data.train.labels))[: int(protocol["training images"])]
    h, tested = (_features(images) for images in (data.train.images[chosen], data.test.images))
    problem = admm.Problem(h, data.train.labels[chosen].astype(np.int64), 10, float(protocol["alpha"]))
    iterations = int(protocol["iterations of ADMM"])
    paths = {
        SMALL: admm.admm(problem, 0.01, iterations),
        LARGE: admm.admm(problem, 0.03, iterations),
        ADAPTIVE: admm.admm(problem, 0.1, iterations, adaptive=True),
        LBFGS: admm.lbfgs(problem, iterations),
        NEWTON: admm.newton_cg(problem, 12),
        SGD: admm.sgd(
            problem,
            *(float(protocol["rate of SGD"]), int(protocol["batch size of SGD"])),
            *(int(protocol["epochs of SGD"]), seed),
        ),
    }
    best = admm.lbfgs(problem, 2_000, 1e-7)
    least = problem.value(best.weights)
    values, curves = {}, {}
    for arm, path in paths.items():
        right = (path.weights @ tested).argmax(0) == data.test.labels
        values[arm] = {GAP: problem.value(path.weights) - least, ACCURACY: 100 * float(right.mean())}
        for name, gap in GAPS.items():
            for quantity, of in ((PASSES, path.passes), (SECONDS, path.seconds)):
                if (found := path.until(least + gap, of)) is not None:
                    values[arm][f"{quantity} to {name}"] = found
        shown = [place for place, passes in enumerate(path.passes) if passes <= iterations]
        curves[arm] = {
            GAP: [max(path.values[place] - least, 1e-12) for place in shown],
            PASSES: [path.passes[place] for place in shown],
            SECONDS: [path.seconds[place] for place in shown],
        }
    return Measured(values, curves)


def _features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(785, n): the pixels in [0, 1], and a constant for the bias."""
    import numpy as np

    pixels = images.reshape(len(images), -1).T / 255
    return np.vstack([pixels, np.ones(len(images))])


SPEED = "Fung and others: fewer passes than L-BFGS and Newton-CG; one factorisation"
STUDY = Study(
    name="admm",
    title="ADMM-SoftMax against L-BFGS, Newton-CG and SGD",
    work="S. W. Fung, S. Tyrväinen, L. Ruthotto, E. Haber, ADMM-Softmax (2019)",
    groups=("10,000 images",),
    protocol=protocol,
    measure=measure,
    quantities={
        f"{PASSES} to 1e-3": "over the features, until the objective is that close to the minimum",
        f"{SECONDS} to 1e-3": "two jobs at a time on a shared machine",
        f"{PASSES} to 1e-2": "as above",
        f"{PASSES} to 1e-4": "as above",
        GAP: "at the end",
        ACCURACY: "%",
    },
    statements=(
        *(
            Statement(
                f"{SMALL} needs fewer passes than {other} to {gap}",
                SPEED,
                f"{PASSES} to {gap}",
                SMALL,
                -math.inf,
                0.0,
                other,
            )
            for other in (LBFGS, NEWTON)
            for gap in ("1e-2", "1e-3")
        ),
        *(
            Statement(
                f"{SMALL} needs less time than {other} to 1e-3",
                SPEED,
                f"{SECONDS} to 1e-3",
                SMALL,
                -math.inf,
                0.0,
                other,
            )
            for other in (LBFGS, NEWTON)
        ),
        Statement(
            "the test accuracies of ADMM and L-BFGS are the same (within 0.15 points)",
            "one strictly convex problem has one minimum",
            *(ACCURACY, SMALL, -0.15, 0.15, LBFGS),
        ),
    ),
    curve=Curve(GAP, "objective less the minimum", "passes over the data", logarithmic=True, by=PASSES),
    data=("mnist",),
    note="The minimum is that of L-BFGS with a gradient below 1e-7; the tests hold it against scikit-learn's.",
)
