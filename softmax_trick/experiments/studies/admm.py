"""ADMM-SoftMax against L-BFGS, Newton-CG and SGD on the pixels of MNIST: one minimum, and the way there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from softmax_trick.experiments.study import Curve, Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from softmax_trick.neighbours.admm import Path as Way

SMALL, LARGE, ADAPTIVE = "ADMM", "ADMM, larger rho'", "ADMM, rho' adapted"
LBFGS, NEWTON, SGD = "L-BFGS", "Newton-CG", "SGD"
TIMED = (SMALL, LBFGS, NEWTON)
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
        "rho'": 0.01,
        "larger rho'": 0.03,
        "rho' adapted from": 0.1,
        "iterations": 100,
        "iterations of Newton-CG": 12,
        "rate of SGD": 0.5,
        "batch size of SGD": 64,
        "epochs of SGD": 25,
        "rounds timed": 3,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """Every method on the same images, a random part of the training images; the times of some in turns."""
    import numpy as np

    from softmax_trick.neighbours import admm
    from softmax_trick.training import TrainingError
    from softmax_trick.training.data import load

    data = load(str(protocol["data"]), data_dir)
    data.train.demand(wanted := int(protocol["training images"]))
    chosen = np.random.RandomState(seed).permutation(len(data.train.labels))[:wanted]
    h, tested = (_features(images) for images in (data.train.images[chosen], data.test.images))
    iterations = int(protocol["iterations"])
    try:
        problem = admm.Problem(h, data.train.labels[chosen].astype(np.int64), 10, float(protocol["alpha"]))
        methods: dict[str, Callable[[], Way]] = {
            SMALL: lambda: admm.admm(problem, float(protocol["rho'"]), iterations),
            LARGE: lambda: admm.admm(problem, float(protocol["larger rho'"]), iterations),
            ADAPTIVE: lambda: admm.admm(problem, float(protocol["rho' adapted from"]), iterations, adaptive=True),
            LBFGS: lambda: admm.lbfgs(problem, iterations),
            NEWTON: lambda: admm.newton_cg(problem, int(protocol["iterations of Newton-CG"])),
            SGD: lambda: admm.sgd(
                problem,
                *(float(protocol["rate of SGD"]), int(protocol["batch size of SGD"])),
                *(int(protocol["epochs of SGD"]), seed),
            ),
        }
        paths = {arm: method() for arm, method in methods.items()}
        rounds = [_in_turn(methods, number) for number in range(int(protocol["rounds timed"]))]
    except ValueError as error:
        raise TrainingError(str(error)) from error
    best = admm.lbfgs(problem, 2_000, 1e-7)
    least = problem.value(best.weights)
    values, curves = {}, {}
    for arm, path in paths.items():
        right = (path.weights @ tested).argmax(0) == data.test.labels
        values[arm] = {GAP: problem.value(path.weights) - least, ACCURACY: 100 * float(right.mean())}
        for name, gap in GAPS.items():
            if (found := path.until(least + gap, path.passes)) is not None:
                values[arm][f"{PASSES} to {name}"] = found
                if arm in TIMED:
                    taken = [one[arm].until(least + gap, one[arm].seconds) for one in rounds]
                    values[arm][f"{SECONDS} to {name}"] = median(filter(None, taken))
        shown = [place for place, passes in enumerate(path.passes) if passes <= iterations]
        curves[arm] = {
            GAP: [max(path.values[place] - least, 1e-12) for place in shown],
            PASSES: [path.passes[place] for place in shown],
        }
    return Measured(values, curves)


def _in_turn(methods: Mapping[str, Callable[[], Way]], first: int) -> dict[str, Way]:
    """A way to the minimum of each method that is timed, one after the other; another begins in each round."""
    first %= len(TIMED)
    return {arm: methods[arm]() for arm in (*TIMED[first:], *TIMED[:first])}


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
        f"{SECONDS} to 1e-3": "median of rounds in which these methods take turns",
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
    note="A product with the Hessian counts as one pass. The minimum is that of L-BFGS with a gradient below 1e-7; the "
    "tests hold it against scikit-learn's.",
)
