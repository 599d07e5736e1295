"""How a process that trains is set up: how its threads wait, and what it does with memory that is freed; its device."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

from softmax_trick.training import TrainingError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""What glibc's malloc.h calls these parameters of `mallopt`."""
LARGEST = 32 * 2**20
"""Bytes, the most that glibc documents. Larger tensors still go back: small ones would fill the holes that they leave,
and the process would grow."""
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")


def prepare_process() -> None:
    """Set up this process, and by its environment those that it starts; to be called before torch is imported.

    Nothing here changes a result. `benchmarks/training.py` measures what it is worth.
    """
    # A network as small as N0 gains little from a second thread, and loses much to one that waits by spinning on a core
    # that another process needs: 20 ms a step became 150 ms on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Every step allocates the tensors of the one before. glibc hands large ones back to the kernel, which then clears
    # them page for page: a fifth of a step of N1. dask has its workers hand back even small ones.
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
    # torch then aligns large tensors to pages, and asks for huge ones. By its 64 bytes, glibc fits hardly a tensor into
    # the place of the one before, and a process that trains N0 grew by 2 MiB a step, to 1.4 GiB.
    if HUGE_PAGES.exists():
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def available_device(name: str) -> str:
    """The device of that name, `auto` being cuda where there is one.

    Raises:
        TrainingError: it is not there.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if torch.device(name).type in ("cpu", "cuda"):
            torch.empty(1, device=name)
            return name
        reason = "it is neither cpu nor cuda"
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
    raise TrainingError(f"--device {name} cannot be used here ({reason}): choose auto or cpu")
