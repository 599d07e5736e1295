"""One run on several processes, started by torchrun: each takes its rows of every batch.

    torchrun --nproc-per-node 2 -m softmax_trick.train ...

The processes end with the parameters that one process would end with for the same batches, up to rounding:

- DistributedDataParallel averages gradients, and here they are summed: the gradient of a summed loss, and so ISBE's
  error, is the sum over the rows, whoever has them. For ce-mean each process sends back its share of the rows.
- Order, augmentation and dropout masks are drawn by every process for the whole batch, from the same seed.
- Batch normalization takes its moments over the whole batch: torch can do so on CUDA only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.parallel import DistributedDataParallel

from softmax_trick.training import TrainingError
from softmax_trick.training.losses import Loss


@dataclass
class Part:
    """What this process takes of every batch; by default, being the only one, all of it.

    Attributes:
        rank: the number of the process, from 0.
        processes: how many there are.
        batch: how many rows the batch of this step has in all, and
        rows: which of them this process has; `take` sets both.
    """

    rank: int = 0
    processes: int = 1
    batch: int = field(default=0, init=False)
    rows: slice = field(default_factory=lambda: slice(0), init=False)

    def share(self, size: int) -> slice:
        """The rows of this process in a batch of that size; the parts differ in size by one at most."""
        return slice(size * self.rank // self.processes, size * (self.rank + 1) // self.processes)

    def take(self, size: int) -> None:
        """The batch of this step has that size."""
        self.batch, self.rows = size, self.share(size)

    def device(self, name: str) -> torch.device:
        """The device of that name; of several processes on one machine each has a CUDA device of its own."""
        device = torch.device(name)
        if self.processes > 1 and device.type == "cuda":
            return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        return device

    def net(self, net: nn.Sequential) -> nn.Module:
        """The network to make steps with: itself, or for several processes one that shares its parameters.

        Raises:
            TrainingError: it has batch normalization, and is on a CPU.
        """
        if self.processes == 1:
            return net
        for name, layer in net.named_children():
            if isinstance(layer, nn.Dropout):
                setattr(net, name, _Dropout(layer.p, self))
        if any(isinstance(layer, nn.BatchNorm2d) for layer in net):
            if next(net.parameters()).device.type != "cuda":
                raise TrainingError("batch normalization over several processes needs CUDA: run in one process")
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        parallel = DistributedDataParallel(net)
        # torch wants its own class as the annotation of the bucket, or none; not a string.
        parallel.register_comm_hook(None, lambda _state, bucket: _summed(bucket.buffer()))
        return parallel

    def loss(self, loss: Loss) -> Loss:
        """The loss whose gradients, summed over the processes, are those of the whole batch."""
        if self.processes == 1 or not loss.mean:
            return loss

        def start(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            tensor, _ = loss.start(scores, labels)
            return tensor, torch.full_like(tensor, len(labels) / self.batch)

        return replace(loss, start=start)

    def sum(self, values: Tensor) -> Tensor:
        """The values summed over the processes, in place."""
        if self.processes > 1:
            dist.all_reduce(values)
        return values


class _Dropout(nn.Module):
    """Dropout of this process's rows, by the mask that one process would draw for the whole batch."""

    def __init__(self, p: float, part: Part) -> None:
        super().__init__()
        self.p, self.part = p, part

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        # The numbers of a mask are drawn in the order in which its tensor lies in memory.
        whole = torch.ones((self.part.batch, *values.shape[1:]), dtype=values.dtype, device=values.device)
        if values.dim() == 4 and values.is_contiguous(memory_format=torch.channels_last):
            whole = whole.contiguous(memory_format=torch.channels_last)
        return values * dropout(whole, self.p)[self.part.rows]


def _summed(gradients: Tensor) -> torch.futures.Future[Tensor]:
    """DistributedDataParallel's hook: gradients summed over the processes, not averaged."""
    work = dist.all_reduce(gradients, async_op=True)
    if work is None:
        raise RuntimeError("this process is not of the group")
    return work.get_future().then(lambda future: future.value()[0])


@contextmanager
def joined(device: str) -> Iterator[Part]:
    """The part of this process: of those that torchrun has started, or else the only one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Part()
        return
    dist.init_process_group("nccl" if torch.device(device).type == "cuda" else "gloo")
    try:
        yield Part(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
