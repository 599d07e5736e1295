"""The networks: shapes and sizes as the printed notation has them, by its arithmetic and by torch's own layers."""

import copy
import itertools

import pytest
import torch
from torch import Tensor, nn

from softmax_trick.proofs import section_4_networks as notation
from softmax_trick.training.batches import seed_generators
from softmax_trick.training.networks import NETWORKS, build, describe


def shapes(name: str) -> list[tuple[int, ...]]:
    """The shapes of one image, from the input on, where they change."""
    image = torch.rand(2, *NETWORKS[name].images[0])
    found = [tuple(image.shape[1:])]
    with torch.no_grad():
        for layer in build(name):
            image = layer(image)
            if (shape := tuple(image.shape[1:])) != found[-1]:
                found.append(shape)
    return found


def size(name: str) -> int:
    return sum(parameter.numel() for parameter in build(name).parameters())


PRINTED = {"n0": (notation.N0, 1, 28), "n1": (notation.N1, 1, 28), "vgg16": (notation.VGG, 3, 32)}


@pytest.mark.parametrize("name", PRINTED)
def test_shapes_and_layers_are_those_of_the_printed_notation(name: str) -> None:
    printed, channels, side = PRINTED[name]
    units = notation.units(printed)
    found = shapes(name)
    widths = [shape[0] for shape in found if len(shape) == 1]
    assert widths == [notation.features(printed, side), *(unit.size for unit in units if unit.kind == "F")]
    kinds = {nn.Conv2d: "C", nn.MaxPool2d: "P", nn.Dropout: "D", nn.Linear: "F"}
    layers = [layer for layer in build(name) if type(layer) in kinds]
    assert [kinds[type(layer)] for layer in layers] == [unit.kind for unit in units]
    image = torch.rand(2, channels, side, side)
    sides = [side]
    for layer in build(name):
        image = layer(image)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            sides.append(image.shape[-1])
    assert sides == notation.sides(printed, side)
    rates = [layer.p for layer in layers if isinstance(layer, nn.Dropout)]
    assert rates == [unit.size / 100 for unit in units if unit.kind == "D"]


def test_parameter_counts() -> None:
    # The notation's count has a bias for each output but the last; batch normalization has taken that place in VGG-16.
    assert size("n0") == notation.parameters(*PRINTED["n0"]) == 1_204_096
    assert size("n1") == notation.parameters(*PRINTED["n1"]) == 243_648
    assert size("n1r") == 243_648 + 10
    convolutions = [unit.size for unit in notation.units(notation.VGG) if unit.kind == "C"]
    assert len(convolutions) == 13
    with_biases = notation.parameters(*PRINTED["vgg16"], batch_norm=True)
    assert size("vgg16") == with_biases - sum(convolutions) == 14_724_032
    assert size("linear") == 28 * 28 * 10 + 10


def test_n0_layer_by_layer() -> None:
    assert [type(layer).__name__ for layer in build("n0")] == (
        ["Conv2d", "ReLU", "Conv2d", "ReLU", "Dropout", "Flatten", "Linear", "ReLU", "Linear"]
    )
    assert shapes("n0") == [(1, 28, 28), (32, 13, 13), (64, 6, 6), (2304,), (512,), (10,)]


@pytest.mark.parametrize("name", NETWORKS)
def test_relu_follows_each_layer_with_weights_but_the_last(name: str) -> None:
    kinds = [type(layer) for layer in build(name) if isinstance(layer, nn.Conv2d | nn.Linear | nn.ReLU)]
    weighted = [nn.Conv2d, nn.Linear]
    followed = list(itertools.pairwise(kinds))
    assert all(after is nn.ReLU for kind, after in followed if kind in weighted)
    assert kinds[-1] is nn.Linear


def test_n1r_is_n1_with_a_relocation() -> None:
    nets = {}
    for name in ("n1", "n1r"):
        seed_generators(3, 0)
        nets[name] = build(name).eval()
    images = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(nets["n1"](images), nets["n1r"](images)), "they begin with the same weights"
        nets["n1r"].state_dict()["17.bias"].copy_(torch.arange(10.0))
        torch.testing.assert_close(nets["n1r"](images), nets["n1"](images) + torch.arange(10.0))
    assert nets["n1r"].state_dict().keys() - nets["n1"].state_dict().keys() == {"17.bias"}


@pytest.mark.parametrize("name", NETWORKS)
def test_they_are_initialised_as_by_glorot_or_he(name: str) -> None:
    """Uniform with variance 2 / (fan in + fan out), Glorot and Bengio; for N1 and N1r 2 / fan in, He and others."""
    torch.manual_seed(0)
    for layer in build(name):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            kernel = layer.kernel_size[0] * layer.kernel_size[1] if isinstance(layer, nn.Conv2d) else 1
            outputs, inputs = layer.weight.shape[:2]
            limit = (6 / (kernel * (inputs + (0 if name in ("n1", "n1r") else outputs)))) ** 0.5
            assert 0.95 * limit < layer.weight.abs().max() <= limit
            assert layer.bias is None or not layer.bias.any()
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.eq(1).all()
            assert not layer.bias.any()
            assert not layer.state_dict()["running_mean"].any()
            assert layer.state_dict()["running_var"].eq(1).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_memory_format_changes_no_score(name: str) -> None:
    net = build(name).eval().double()
    plain = copy.deepcopy(net)
    for parameter in plain.parameters():
        parameter.data = parameter.data.contiguous()
    images = torch.rand(2, *NETWORKS[name].images[0], dtype=torch.float64)
    torch.testing.assert_close(net(images.to(memory_format=torch.channels_last)), plain(images), rtol=1e-12, atol=1e-12)


def test_the_initialisation_depends_on_the_seed_alone() -> None:
    def first(seed: int) -> Tensor:
        seed_generators(seed, 0)
        return next(build("n0").parameters())

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_describing_a_network_draws_nothing() -> None:
    before = torch.get_rng_state()
    assert describe("n0") == "n0, 1,204,096 parameters, 1x28x28 -> 32x13x13 -> 64x6x6 -> 2304 -> 512 -> 10"
    assert describe("linear", (3, 32, 32)) == "linear, 30,730 parameters, 3x32x32 -> 3072 -> 10"
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("n7", None, "unknown network 'n7': choose one of n0, n1, n1r, vgg16, linear"),
        ("n0", (3, 32, 32), "n0 takes images of 1x28x28, not of 3x32x32: choose vgg16 or linear"),
        ("vgg16", (1, 28, 28), "vgg16 takes images of 3x32x32, not of 1x28x28: choose n0 or n1 or n1r or linear"),
        ("n0", (1, 5, 5), "n0 takes images of 1x28x28, not of 1x5x5: no network does"),
    ],
)
def test_networks_that_are_not_there_or_do_not_fit(name: str, image: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, image)
