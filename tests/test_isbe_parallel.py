"""ISBELoss under DistributedDataParallel: two processes, half of the rows each, find the gradients of one process."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from softmax_trick import ISBELoss

pytestmark = pytest.mark.skipif(not dist.is_available() or not dist.is_gloo_available(), reason="wants gloo")

pytestmark = pytest.mark.slow  # processes of their own

ROWS, CLASSES = 6, 4


def net_and_data() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, CLASSES)).double()
    return net, torch.randn(ROWS, 3).double(), torch.arange(ROWS) % CLASSES


def work(rank: int, folder: str) -> None:
    """Half of the rows, forward and backward; the gradients are averaged over the processes."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    net, images, labels = net_and_data()
    half = slice(rank * ROWS // 2, (rank + 1) * ROWS // 2)
    answers = {}
    for value in ("none", "implicit"):
        parallel = DistributedDataParallel(copy.deepcopy(net))
        ISBELoss(reduction="mean", value=value)(parallel(images[half]), labels[half]).backward()
        answers[value] = [parameter.grad for parameter in parallel.parameters()]
    torch.save(answers, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_find_the_gradients_of_one(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path),), nprocs=2)
    net, images, labels = net_and_data()
    nn.CrossEntropyLoss()(net(images), labels).backward()
    for rank in range(2):
        for gradients in torch.load(tmp_path / f"{rank}.pt", weights_only=True).values():
            for found, parameter in zip(gradients, net.parameters(), strict=True):
                # sums of 6 rows and at most 5 units of size below 4, in another order
                torch.testing.assert_close(found, parameter.grad, rtol=0, atol=4 * (CLASSES + 8 + 11) * 2.0**-53 * 64)
