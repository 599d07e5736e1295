"""Section 4 (paper): its networks, as the printed notation has them.

The notation is kept as text, a unit a word: C32:3k2sp is a convolution with 32 masks of 3 x 3, a stride of 2 and
padding; D20 drops 20 %; P is max pooling by 2; F10 is linear, with 10 outputs. Shapes and counts follow by plain
arithmetic, and again from PyTorch's own modules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.measurements.figure import Figure
from softmax_trick.proofs.listing_runs import suppose
from softmax_trick.proofs.printed import LISTS, number

if TYPE_CHECKING:
    from torch import nn

N0, N1, VGG = (LISTS["networks"][name] for name in ("N0", "N1", "VGG"))


@dataclass(frozen=True)
class Unit:
    """A word of the notation.

    Attributes:
        kind: C, D, P or F.
        size: channels, per cent dropped, or outputs.
        kernel: the side of a convolution's masks.
        stride: of a convolution.
        padding: how many lines a convolution adds on each side.
    """

    kind: str
    size: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0


class DoesNotFit(ValueError):
    """A mask is larger than the image that it is laid on."""


def units(notation: str) -> list[Unit]:
    """The units of a network; padding keeps the resolution of a convolution whose stride is 1."""
    found = []
    for word in notation.split():
        match = re.fullmatch(r"([CDPF])(\d*)(?::(\d+)k(?:(\d+)s)?(p?))?", word)
        if match is None:
            raise ValueError(f"no unit of the notation: {word}")
        kind, size, kernel, stride, p = match.groups()
        side = int(kernel or 1)
        found.append(Unit(kind, int(size or 0), side, int(stride or 1), (side - 1) // 2 if p else 0))
    return found


def after(unit: Unit, side: int) -> int:
    """The side of the image that the unit makes of one with this side.

    Raises:
        DoesNotFit: a mask is too large.
    """
    if unit.kind == "P":
        return side // 2
    if unit.kind != "C":
        return side
    room = side + 2 * unit.padding - unit.kernel
    if room < 0:
        raise DoesNotFit(f"a mask of {unit.kernel} x {unit.kernel} on {side} x {side}")
    return room // unit.stride + 1


def sides(notation: str, side: int) -> list[int]:
    """The sides of the images, from the input on, after each convolution and pooling."""
    found = [side]
    for unit in units(notation):
        if unit.kind in "CP":
            found.append(after(unit, found[-1]))
    return found


def features(notation: str, side: int) -> int:
    """How many numbers enter the first linear unit."""
    channels = [unit.size for unit in units(notation) if unit.kind == "C"]
    return channels[-1] * int(sides(notation, side)[-1]) ** 2


def weights(notation: str, channels: int, side: int) -> Iterator[tuple[Unit, int]]:
    """The units that have weights, with the number of these; biases and batch normalization apart."""
    inputs, flat = channels, False
    for unit in units(notation):
        if unit.kind == "F" and not flat:
            inputs, flat = inputs * side**2, True
        if unit.kind == "C":
            yield unit, inputs * unit.size * unit.kernel**2
            inputs = unit.size
        if unit.kind == "F":
            yield unit, inputs * unit.size
            inputs = unit.size
        side = after(unit, side)


def parameters(notation: str, channels: int, side: int, batch_norm: bool = False) -> int:
    """Weights, a bias for each output of each unit but the last, and two numbers a channel for batch normalization."""
    layers = list(weights(notation, channels, side))
    biases = sum(unit.size for unit, _ in layers[:-1])
    normalized = sum(2 * unit.size for unit, _ in layers if unit.kind == "C") if batch_norm else 0
    return sum(number for _, number in layers) + biases + normalized


# --- the same networks as PyTorch's modules ---------------------------------------------------------------------------


def modules(notation: str, channels: int, side: int, batch_norm: bool = False, bias: bool = False) -> nn.Sequential:
    """The network without its dropout, on the device "meta": shapes, no numbers.

    Args:
        notation: of the network.
        channels: of the images.
        side: of the images.
        batch_norm: whether batch normalization follows each convolution.
        bias: whether the linear units have one.

    Raises:
        RuntimeError: it does not fit the images.
    """
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    inputs = channels
    with torch.device("meta"):
        for unit in units(notation):
            match unit.kind:
                case "C":
                    layers.append(nn.Conv2d(inputs, unit.size, unit.kernel, unit.stride, unit.padding))
                    layers += [nn.BatchNorm2d(unit.size)] * batch_norm
                    inputs = unit.size
                case "P":
                    layers.append(nn.MaxPool2d(2))
                case "F":
                    if not any(isinstance(layer, nn.Flatten) for layer in layers):
                        layers.append(nn.Flatten())
                        inputs = nn.Sequential(*layers)(torch.empty(1, channels, side, side)).shape[1]
                    layers.append(nn.Linear(inputs, unit.size, bias))
                    inputs = unit.size
    return nn.Sequential(*layers)


def size(network: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(parameter.numel() for parameter in network.parameters())


def sides_in_torch(notation: str, channels: int, side: int) -> list[int]:
    """The sides of the images as PyTorch makes them."""
    import torch

    image = torch.empty(1, channels, side, side, device="meta")
    found = [side]
    for layer in modules(notation, channels, side):
        image = layer(image)
        found += [image.shape[-1]] * (image.ndim == 4)
    return found


def agreed(findings: Findings, notation: str, channels: int, side: int) -> list[int]:
    """The sides of the images by plain arithmetic, where PyTorch has the same.

    Raises:
        Open: it has others.
    """
    found, theirs = sides(notation, side), sides_in_torch(notation, channels, side)
    suppose(findings, f"by arithmetic and in PyTorch the sides are {' -> '.join(map(str, found))}", theirs == found)
    return found


# --- N0 and N1 --------------------------------------------------------------------------------------------------------


def n0_consists_of(findings: Findings) -> None:
    """The units of the printed notation."""
    kinds = [unit.kind for unit in units(N0)]
    findings.same("N0 has two convolutions", kinds.count("C"), 2)
    linear = [unit.size for unit in units(N0) if unit.kind == "F"]
    findings.same("and two linear units, the last one from 512 numbers to 10", linear, [512, 10])
    findings.same("which is the end of it", kinds[-2:], ["F", "F"])


def n0_features(findings: Findings) -> None:
    """The print has no padding; with it the number is another, and no better."""
    found = {}
    for words, notation in {"without padding": N0, "with padding": N0.replace("2s", "2sp")}.items():
        agreed(findings, notation, 1, 28)
        found[words] = features(notation, 28)
    findings.holds("64 numbers enter F512", 64 in found.values(), **found)


def n1_blocks(findings: Findings) -> None:
    """What the notation has beside two blocks of three convolutions and the projection."""
    convolutions = [unit for unit in units(N1) if unit.kind == "C"]
    rest = [f"{unit.size} masks of {unit.kernel} x {unit.kernel}" for unit in convolutions[6:]]
    findings.holds("N1 has six convolutions", not rest, convolutions=len(convolutions), seventh="; ".join(rest))


def n1_is_convolutional(findings: Findings) -> None:
    """The units that have weights."""
    kinds = [unit.kind for unit, _ in weights(N1, 1, 28)]
    findings.same("all units with weights but the last are convolutions", set(kinds[:-1]), {"C"})
    findings.same("the last one is the projection", kinds[-1], "F")


def n1_resolution(findings: Findings) -> None:
    """The last convolution of each block: 3 x 3, stride 2, padded."""
    padded = [unit for unit in units(N1) if unit.padding]
    before = [side for side, unit in zip(agreed(findings, N1, 1, 28), _convolutions(N1), strict=False) if unit.padding]
    at_stride_1 = [after(Unit("C", unit.size, unit.kernel, 1, unit.padding), 24) for unit in padded]
    findings.same("with a stride of 1 the padding would keep it", at_stride_1, [24, 24])
    behind = [after(unit, side) for unit, side in zip(padded, before, strict=True)]
    findings.same("the resolution does not change", before, behind, stride=padded[0].stride)


def _convolutions(notation: str) -> list[Unit]:
    return [unit for unit in units(notation) if unit.kind == "C"]


def n1_needs_padding(findings: Findings) -> None:
    """The chain of sides, with the padding and without."""
    found = agreed(findings, N1, 1, 28)
    findings.same("with padding 128 numbers enter F10", features(N1, 28), 128, sides=found)
    plain = N1.replace("p", "")
    for found_by in (partial(sides, plain, 28), partial(sides_in_torch, plain, 1, 28)):
        reason = ""
        try:
            found_by()
        except (DoesNotFit, RuntimeError) as error:
            reason = str(error)
        findings.holds(f"without padding it does not fit: {reason}", bool(reason), network=plain)


def n1r_differs_by_a_bias(findings: Findings) -> None:
    """The parameters, by name; and the scores, in whole numbers."""
    import torch

    with_bias, without = (dict(modules(N1, 1, 28, bias=bias).named_parameters()) for bias in (True, False))
    common = {name for name in without if with_bias[name].shape == without[name].shape}
    findings.same("N1r has all parameters of N1", common, set(without))
    more = {name: tuple(with_bias[name].shape) for name in with_bias.keys() - without.keys()}
    findings.same("and one vector of 10 more", more, {"8.bias": (10,)})
    generator = torch.Generator().manual_seed(0)
    linear = torch.nn.Linear(128, 10, bias=True)
    shape = {"weight": (10, 128), "bias": (10,)}
    linear.load_state_dict({n: torch.randint(-8, 8, s, generator=generator).float() for n, s in shape.items()})
    deep = torch.randint(-8, 8, (4, 128), generator=generator).float()
    moved = linear(deep) - deep @ linear.weight.T
    findings.holds("which is added to the scores", torch.equal(moved, linear.bias.expand(4, 10)), moved=moved)


def share_dropped(findings: Findings) -> None:
    """A million ones through D20, in training."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        dropped = torch.nn.functional.dropout(torch.ones(1_000_000), 0.2)
    share = 100 * float((dropped == 0).double().mean())
    spread = 3 * math.sqrt(0.2 * 0.8 / 1_000_000) * 100  # three standard deviations
    findings.figure(
        Figure("zeros", share, "%", 20.0, share - spread, share + spread, 1_000_000, abs(share - 20) <= spread)
    )
    findings.figure(Figure("what 1 becomes elsewhere", float(dropped.max()), "", None))


# --- VGG --------------------------------------------------------------------------------------------------------------


def vgg_shape(findings: Findings) -> None:
    """Five poolings."""
    found = agreed(findings, VGG, 3, 32)
    findings.same("a 32 x 32 image becomes 512 numbers, which F10 takes", features(VGG, 32), 512, sides=found)


def vgg_parameters(findings: Findings) -> None:
    """The convolutions' weights alone, and with biases and batch normalization."""
    extractor = VGG.removesuffix(" F10")
    fewest = sum(count for _, count in weights(extractor, 3, 32))
    findings.holds(f"{fewest:,} weights alone are more than 14 M", fewest > number("parameters"), weights=fewest)
    most = size(modules(extractor, 3, 32, batch_norm=True))
    findings.holds(f"{most:,} with biases and batch normalization", most > number("parameters"), parameters=most)


def vgg_is_ten_times_n1(findings: Findings) -> None:
    """Weights, biases and batch normalization of VGG against weights and biases of N1, counted twice."""
    vgg, n1 = parameters(VGG, 3, 32, batch_norm=True), parameters(N1, 1, 28)
    suppose(findings, "PyTorch counts the same", size(modules(VGG, 3, 32, batch_norm=True)) == vgg)
    suppose(findings, "and of N1, too", size(modules(N1, 1, 28)) == n1)
    findings.holds(f"{vgg:,} are {vgg // n1} times {n1:,} and more", vgg > number("times_larger") * n1, vgg=vgg, n1=n1)


def vgg_16_layers(findings: Findings) -> None:
    """The layers with weights."""
    kinds = [unit.kind for unit, _ in weights(VGG, 3, 32)]
    count = {"convolutions": kinds.count("C"), "linear": kinds.count("F")}
    findings.cites(
        "Simonyan and Zisserman: the 16 of VGG-16 are its layers with weights, 13 convolutions and 3 linear ones"
    )
    findings.same("the printed form has 16 layers with weights", len(kinds), 16, **count)


NOTATION = "the printed notation"


BY = {
    "S4.1.n0": by(Check("rational arithmetic", n0_consists_of, NOTATION)),
    "S4.1.n0-features": by(Check("rational arithmetic and torch", n0_features, NOTATION)),
    "S4.1.dropout": by(Check("torch", share_dropped, "a million elements", "sampled")),
    "S4.1.n1-blocks": by(Check("rational arithmetic", n1_blocks, NOTATION)),
    "S4.1.n1-convolutional": by(Check("rational arithmetic", n1_is_convolutional, NOTATION)),
    "S4.1.n1-resolution": by(Check("rational arithmetic and torch", n1_resolution, NOTATION)),
    "S4.1.n1-padding": by(Check("rational arithmetic and torch", n1_needs_padding, NOTATION)),
    "S4.1.1.n1r": by(Check("torch", n1r_differs_by_a_bias, "all parameters; four inputs in whole numbers")),
    "S4.2.vgg-shape": by(Check("rational arithmetic and torch", vgg_shape, NOTATION)),
    "S4.2.parameters": by(Check("rational arithmetic and torch", vgg_parameters, NOTATION)),
    "S4.2.ten-times": by(Check("rational arithmetic and torch", vgg_is_ten_times_n1, NOTATION)),
    "S4.2.vgg16": by(Check("rational arithmetic", vgg_16_layers, NOTATION)),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
