"""The networks of the paper (section 4.1): images of shape (n, 1, 28, 28) to scores of shape (n, 10).

torch is imported when a network is built, so that their names are known without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def n0() -> nn.Module:
    """N0, the first network: C32 C64 D20 F512 F10, both convolutions 3x3 with a stride of 2; 1,204,096 parameters.

    What the paper's notation leaves open is read as follows.

    - No padding: the notation marks padding with a p, and N0 bears none. So 28 -> 13 -> 6, and 64 * 6 * 6 = 2304
      features enter F512, where the paper prints "? = 64", the number of channels alone.
    - ReLU after each layer but the last: without activations N0 would be a linear classifier.
    - No bias in the last layer: N1r is distinguished from N1 by setting its bias = True (section 4.1.1).
    - Glorot's uniform initialisation, biases 0. With torch's default the first steps at the paper's learning rate of
      0.01 silence most of F512 for good. Measured with Tanh and HardTanh, whose targets are mostly -1, over eight seeds
      and four epochs of mnist-5k: 15 to 177 of the 512 units stay alive, the accuracy is 10 to 88 %; with Glorot's
      220 to 282 do, and it is 91 to 95 %.
    """
    from torch import nn

    network = nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=3, stride=2),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(64 * 6 * 6, 512),
        nn.ReLU(),
        nn.Linear(512, 10, bias=False),
    )
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {"n0": n0}


def build(name: str) -> nn.Module:
    """The network of that name, its parameters drawn from torch's global generator.

    Raises:
        ValueError: there is no network of that name; the message lists those there are.
    """
    try:
        network = NETWORKS[name]
    except KeyError:
        raise ValueError(f"unknown network {name!r}: choose one of {', '.join(NETWORKS)}") from None
    return network()
