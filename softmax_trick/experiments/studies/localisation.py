"""Boxes of digits on a larger canvas, by CAM and by infoCAM; the threshold is chosen on images held out."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from softmax_trick.experiments.study import Measured, Protocol, Study
from softmax_trick.measurements.findings import Statement
from softmax_trick.measurements.trials import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from softmax_trick.neighbours.localisation import Box

IOU, THETA, ACCURACY, HALF = "IoU", "theta", "accuracy", "boxes with IoU above 1/2"
LEAST, OTHERS, NEXT, CAM = "infoCAM, least likely", "infoCAM, mean of the others", "infoCAM, runner-up", "CAM"
CENTRE = "a box in the centre"
THETAS = tuple(step / 20 for step in range(1, 20))
SHOWN = 4  # images in the report


def protocol(group: str) -> Protocol:
    """Of the one group."""
    return {
        "data": "mnist",
        "training images": 6_000,
        "images held out": 500,
        "test images": 1_000,
        "canvas": 64,
        "net": "C16:5s2p C32:3s2p C64:3p, average, F10",
        "optimizer": "Adam",
        "rate": 0.003,
        "epochs": 5,
        "batch size": 64,
    }


def measure(protocol: Protocol, seed: int, data_dir: Path | None) -> Measured:
    """One network; every map of it, with a threshold of its own."""
    import torch

    from softmax_trick.neighbours import fitting, localisation
    from softmax_trick.training.batches import seed_generators
    from softmax_trick.training.data import load
    from softmax_trick.training.losses import LOSSES
    from softmax_trick.training.split import Split

    data = load(str(protocol["data"]), data_dir)

    def canvases(split: Split, n: int, place: int) -> localisation.Canvases:
        return localisation.on_canvases(split.first(n), 3 * seed + place)

    training = canvases(data.train, int(protocol["training images"]), 0)
    held_out = canvases(data.validation, int(protocol["images held out"]), 1)
    test = canvases(data.test, int(protocol["test images"]), 2)
    seed_generators(seed, 0)
    net = localisation.Pooled(10)
    optimizer = torch.optim.Adam(net.parameters(), lr=float(protocol["rate"]))
    fitting.fit(
        *(net, optimizer, LOSSES["ce-mean"], training.images, training.labels),
        *(int(protocol["epochs"]), int(protocol["batch size"]), seed),
    )
    scores = fitting.scores_of(net, test.images, 250)
    arms = dict(zip((CAM, LEAST, OTHERS, NEXT), localisation.MAPS, strict=True))
    maps = {}
    with torch.no_grad():
        for name, of in (("held out", held_out), ("test", test)):
            found = torch.cat([net.maps(part) for part in of.images.split(250)])
            own = fitting.scores_of(net, of.images, 250)
            maps[name] = {
                arm: localisation.enlarged(localisation.shown(found, own, kind)) for arm, kind in arms.items()
            }
    values: dict[str, dict[str, float]] = {}
    pictures = {}
    for arm in arms:

        def mean_overlap(theta: float, arm: str = arm) -> float:
            boxes = (localisation.box_of(one, theta) for one in maps["held out"][arm])
            return fmean(map(localisation.overlap, boxes, held_out.boxes))

        theta = max(THETAS, key=mean_overlap)
        overlaps = [
            localisation.overlap(localisation.box_of(one, theta), box)
            for one, box in zip(maps["test"][arm], test.boxes, strict=True)
        ]
        half = 100 * fmean(one > 0.5 for one in overlaps)
        values[arm] = {IOU: fmean(overlaps), THETA: theta, HALF: half}
        for place in range(SHOWN if seed == 0 else 0):
            box = localisation.box_of(maps["test"][arm][place], theta)
            pictures[f"{place + 1}, {arm}"] = Picture.of(_framed(maps["test"][arm][place], box))
    for place in range(SHOWN if seed == 0 else 0):
        framed = _framed(test.images[place, 0].numpy(), test.boxes[place])
        pictures = {f"{place + 1}, image and box": Picture.of(framed), **pictures}
    middle = (localisation.CANVAS - 20) // 2
    centre = (middle, middle, middle + 20, middle + 20)
    values[CENTRE] = {IOU: fmean(localisation.overlap(centre, box) for box in test.boxes)}
    values["network"] = {ACCURACY: fitting.accuracy(scores, test.labels)}
    return Measured(values, pictures=dict(sorted(pictures.items())))


def _framed(image: NDArray[np.float32], box: Box) -> NDArray[np.float64]:
    """The picture with the frame of the box at its largest level."""
    import numpy as np

    top, left, bottom, right = box
    framed = np.array(image, dtype=np.float64)
    largest = framed.max()
    framed[top, left:right] = framed[bottom - 1, left:right] = largest
    framed[top:bottom, left] = framed[top:bottom, right - 1] = largest
    return framed


STUDY = Study(
    name="localisation",
    title="boxes of digits by CAM and infoCAM",
    work="Z. Qin, D. Kim, T. Gedeon (2019), infoCAM",
    groups=("digits on a canvas of 64 x 64",),
    protocol=protocol,
    measure=measure,
    quantities={
        IOU: "intersection over union with the box of the ink, mean over the test images",
        HALF: "%",
        THETA: "of the maximum; chosen on the images held out",
        ACCURACY: "%, of the network",
    },
    statements=(
        *(
            Statement(
                f"{arm} is better than CAM",
                "M_c - M_m sums to a difference of informations",
                IOU,
                arm,
                0.0,
                reference=CAM,
            )
            for arm in (LEAST, OTHERS, NEXT)
        ),
        Statement(
            "CAM is better than a box in the centre", "(that anything is found)", IOU, CAM, 0.0, math.inf, CENTRE
        ),
    ),
    data=("mnist",),
    fixed=("canvas",),
)
