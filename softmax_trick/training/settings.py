"""The settings of a run.

The paper gives the initial learning rates, 0.01 for MNIST and 0.1 for CIFAR-10. It gives neither the decay nor the
batch size: `LR_DECAY` and the default batch size are this project's choice. Its example of a blurring is 1e-6; whether
its experiments blurred their targets it does not say, and by default ours do not.
"""

from __future__ import annotations

from dataclasses import dataclass

LR_DECAY = 0.9
"""The factor of the learning rate per epoch."""


@dataclass(frozen=True)
class Settings:
    """What determines a run, up to rounding; config.json holds it.

    Attributes:
        net: a key of `softmax_trick.training.networks.NETWORKS`.
        loss: one of `softmax_trick.training.losses.NAMES`, or package.module:function.
        data: a name that `softmax_trick.training.data.load` knows.
        epochs: passes through the training images.
        batch_size: images a step, of all processes together.
        lr: the learning rate of the first epoch.
        seed: of the initial parameters, the order of the images, the augmentation and the dropout masks; not of the
            splits.
        device: cpu, cuda or cuda:N.
        lr_decay: the learning rate of an epoch is this times that of the epoch before.
        imbalance: the training images are thinned out until the largest class has this times as many as the smallest
            one (`Split.long_tailed`); 1 for all of them.
        augment: whether each training image is transformed by a random affine map, a new one every epoch.
        blurring: mu of the targets (paper, section 3), for ISBE and for cross-entropy.
    """

    net: str
    loss: str
    data: str
    epochs: int
    batch_size: int
    lr: float
    seed: int
    device: str
    lr_decay: float = LR_DECAY
    imbalance: float = 1.0
    augment: bool = False
    blurring: float = 0.0
