"""The networks of the paper (sections 4.1, 4.2) and multinomial logistic regression: images to K scores, 10 of MNIST.

What the paper's notation leaves open is read alike for all of them, but for the initial weights.

- Padding where the notation marks it with a p, and nowhere else: N0 has none, N1 in the last convolution of each block.
  VGG-16 pads each convolution, as Simonyan and Zisserman do; with 32 x 32 pixels its notation fits no other way.
- ReLU after each layer but the last: without activations N0 and N1 would be linear classifiers. VGG-16 says so (br).
- Batch normalization where the notation marks it with a b, in VGG-16 only. The convolutions before it have no bias: it
  would be subtracted again, its gradient would be rounding alone, and Adam would step on that at full length.
- No bias in the last layer: N1r is distinguished from N1 by setting its bias = True (section 4.1.1), which is the
  relocation of the normalizer, trained.
- Uniform initialisation, biases 0: Glorot's, and He's for N1 and N1r, which are deep and have no batch normalization.
  The paper names none, and its learning rate of 0.01 leaves little choice. With torch's default the first steps silence
  most of N0's F512 for good. Measured with Tanh and HardTanh, whose targets are mostly -1, over eight seeds and four
  epochs of mnist-5k: 15 to 177 of the 512 units stay alive, the accuracy is 10 to 88 %; with Glorot's 220 to 282 do,
  and it is 91 to 95 %. N1 with Glorot's learns nothing with Sigmoid, Tanh, HardTanh and HardSigmoid, 10 to 11 % after
  three epochs of MNIST, batches of 256; with He's 92 % after one (Sigmoid and HardTanh, seed 0).

torch is imported when a network is built, so that their names are known without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

CLASSES = 10  # of the paper's data sets; a network may have others
GREY, COLOUR = (1, 28, 28), (3, 32, 32)


@dataclass(frozen=True)
class Network:
    """A network that can be built.

    Attributes:
        layers: its layers, for images of the shape (channels, height, width) and the number of classes given.
        images: the shapes of image that it takes, the usual one first.
        lr: the learning rate of the first epoch in the paper.
        he: whether its weights are drawn as by He and others, and not as by Glorot and Bengio.
    """

    layers: Callable[[tuple[int, int, int], int], Sequence[nn.Module]]
    images: tuple[tuple[int, int, int], ...]
    lr: float
    he: bool = False


def _n0(image: tuple[int, int, int], classes: int) -> Sequence[nn.Module]:
    """N0: C32 C64 D20 F512 F10, both convolutions 3x3 with a stride of 2; 1,204,096 parameters.

    28 -> 13 -> 6, so 64 * 6 * 6 = 2304 features enter F512, where the paper prints "? = 64", the channels alone.
    """
    from torch import nn

    return (
        *(nn.Conv2d(1, 32, kernel_size=3, stride=2), nn.ReLU()),
        *(nn.Conv2d(32, 64, kernel_size=3, stride=2), nn.ReLU()),
        nn.Dropout(0.2),
        nn.Flatten(),
        *(nn.Linear(64 * 6 * 6, 512), nn.ReLU()),
        nn.Linear(512, classes, bias=False),
    )


def _n1(relocation: bool) -> Callable[[tuple[int, int, int], int], Sequence[nn.Module]]:
    """N1: two blocks of three convolutions, D40 after each, C128 4x4, F10; 243,648 parameters, and ten more for N1r.

    28 -> 26 -> 24 -> 12 -> 10 -> 8 -> 4 -> 1: the padded convolutions have a stride of 2 and halve the resolution.
    """

    def layers(image: tuple[int, int, int], classes: int) -> Sequence[nn.Module]:
        from torch import nn

        def block(inputs: int, channels: int) -> Sequence[nn.Module]:
            return (
                *(nn.Conv2d(inputs, channels, kernel_size=3), nn.ReLU()),
                *(nn.Conv2d(channels, channels, kernel_size=3), nn.ReLU()),
                *(nn.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1), nn.ReLU()),
                nn.Dropout(0.4),
            )

        return (
            *block(1, 32),
            *block(32, 64),
            *(nn.Conv2d(64, 128, kernel_size=4), nn.ReLU()),
            nn.Flatten(),
            nn.Linear(128, classes, bias=relocation),
        )

    return layers


def _vgg16(image: tuple[int, int, int], classes: int) -> Sequence[nn.Module]:
    """VGG-16 for 32 x 32 colour: 13 convolutions with batch normalization, one linear layer; 14,724,032 parameters.

    Max pooling after each of the five groups: 32 -> 16 -> 8 -> 4 -> 2 -> 1, so 512 features enter F10.
    """
    from torch import nn

    layers: list[nn.Module] = []
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(width)]
            layers += [nn.ReLU(inplace=True)]
            channels = width
        layers += [nn.MaxPool2d(2)]
    return (*layers, nn.Flatten(), nn.Linear(512, classes, bias=False))


def _linear(image: tuple[int, int, int], classes: int) -> Sequence[nn.Module]:
    """Multinomial logistic regression on the pixels, with SoftMax: F10 with its bias; 7,850 parameters for 28 x 28."""
    from torch import nn

    return nn.Flatten(), nn.Linear(math.prod(image), classes)


NETWORKS: dict[str, Network] = {
    "n0": Network(_n0, (GREY,), lr=0.01),
    "n1": Network(_n1(relocation=False), (GREY,), lr=0.01, he=True),
    "n1r": Network(_n1(relocation=True), (GREY,), lr=0.01, he=True),
    "vgg16": Network(_vgg16, (COLOUR,), lr=0.1),
    "linear": Network(_linear, (GREY, COLOUR), lr=0.01),
}


def build(name: str, image: tuple[int, int, int] | None = None, classes: int = CLASSES) -> nn.Sequential:
    """The network of that name, its parameters drawn from torch's global generator.

    Args:
        name: a key of `NETWORKS`.
        image: the shape (channels, height, width) of the images; the network's usual one by default.
        classes: how many there are: the scores.

    Raises:
        ValueError: there is no network of that name, or it does not take such images; the message lists those there
            are, or those that do.
    """
    import torch
    from torch import nn

    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}: choose one of {', '.join(NETWORKS)}")
    network = NETWORKS[name]
    image = image or network.images[0]
    if image not in network.images:
        others = [other for other in NETWORKS if image in NETWORKS[other].images]
        remedy = f"choose {' or '.join(others)}" if others else "no network does"
        raise ValueError(f"{name} takes images of {_by(network.images[0])}, not of {_by(image)}: {remedy}")
    # Modules made on "meta" draw nothing, so that N1 and N1r begin with the same weights.
    with torch.device("meta"):
        net = nn.Sequential(*network.layers(image, classes))
    net.to_empty(device=torch.get_default_device())
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if network.he:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    # The format that measured fastest for N0 and N1 on a CPU, and that tensor cores want.
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def describe(name: str, image: tuple[int, int, int] | None = None, classes: int = CLASSES) -> str:
    """The name, the number of parameters, and the shapes that one image takes; no parameters are drawn for it."""
    import torch

    with torch.device("meta"):
        net = build(name, image, classes).eval()
        pixels = torch.empty(1, *(image or NETWORKS[name].images[0]))
        shapes = [_by(tuple(pixels.shape[1:]))]
        for layer in net:
            pixels = layer(pixels)
            if (shape := _by(tuple(pixels.shape[1:]))) != shapes[-1]:
                shapes.append(shape)
    return f"{name}, {sum(p.numel() for p in net.parameters()):,} parameters, {' -> '.join(shapes)}"


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
