"""The studies of the neighbouring works, as data and code: what is measured, and what is said of it.

label_only      errors from labels alone, against cross-entropy
information     estimates of information, beside laws whose information is known
localisation    boxes of digits by CAM and infoCAM
long_tail       cross-entropy, Balanced SoftMax, VS-loss, the meta sampler and relocated ISBE on long tails
admm            ADMM-SoftMax against L-BFGS, Newton-CG and SGD
incremental     tasks one after another
features        rank-k training against the singular value decomposition
theory          the theorems' own predictions, over a grid of rates
"""

from __future__ import annotations

from softmax_trick.experiments.studies import (
    admm,
    features,
    incremental,
    information,
    label_only,
    localisation,
    long_tail,
    theory,
)
from softmax_trick.experiments.study import Study

IN_ORDER: tuple[Study, ...] = (
    label_only.STUDY,
    label_only.TIMES,
    information.STUDY,
    localisation.STUDY,
    long_tail.STUDY,
    admm.STUDY,
    incremental.STUDY,
    features.STUDY,
    theory.STUDY,
)
STUDIES = {study.name: study for study in IN_ORDER}
