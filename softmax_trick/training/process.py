"""How a process that trains is set up: how its threads wait, and what it does with memory that is freed."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

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
