"""How a process that trains is set up (softmax_trick/training/process.py)."""

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from softmax_trick.commands import train
from softmax_trick.training import process

GLIBC = platform.libc_ver()[0] == "glibc"
HUGE = "THP_MEM_ALLOC_ENABLE"
STEPS, PAGES = 100, 512

FAULTS = f"""
import resource, sys
import numpy as np
from softmax_trick.training.process import prepare_process
if sys.argv[1] == "prepared":
    prepare_process()
for step in range({STEPS} + 1):
    if step == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones({PAGES} * 4096, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(way: str) -> int:
    """How many pages the kernel clears while 2 MiB are allocated and freed 100 times, with dask's settings."""
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", FAULTS, way]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not GLIBC, reason="mallopt is glibc's")
def test_memory_that_is_freed_is_kept_for_the_next_step() -> None:
    assert page_faults("plain") >= STEPS * PAGES
    assert page_faults("prepared") < 2 * PAGES


STARTS = """
import sys
from softmax_trick.training.process import prepare_process
if sys.argv[1] == "prepared":
    prepare_process()
import torch
tensors = [torch.empty(3 * 2**20, dtype=torch.uint8) for _ in range(5)]
print(all(tensor.data_ptr() % 4096 == 0 for tensor in tensors))
"""


def large_tensors_start_on_a_page(way: str) -> bool:
    environment = {name: value for name, value in os.environ.items() if name != HUGE}
    command = [sys.executable, "-c", STARTS, way]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.skipif(not process.HUGE_PAGES.exists(), reason="the kernel has no huge pages")
def test_large_tensors_are_aligned_to_pages() -> None:
    assert not large_tensors_start_on_a_page("plain")
    assert large_tensors_start_on_a_page("prepared")


@pytest.mark.parametrize(("kernel", "user", "expected"), [(True, None, "1"), (True, "0", "0"), (False, None, None)])
def test_huge_pages_are_asked_for_where_there_are_some_unless_the_user_has_said(
    kernel: bool, user: str | None, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "HUGE_PAGES", tmp_path if kernel else tmp_path / "absent")
    monkeypatch.setenv(HUGE, user or "")  # so that it is restored
    if user is None:
        monkeypatch.delenv(HUGE)
    process.prepare_process()
    assert os.environ.get(HUGE) == expected


def test_how_threads_wait_is_said_unless_the_user_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY")
    process.prepare_process()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    process.prepare_process()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("there is no mallopt"))
    process.prepare_process()


def test_the_trainer_sets_up_its_process(trainer: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(train, "prepare_process", lambda: called.append("prepared"))
    assert trainer("--net", "linear", "--epochs", "1") == 0
    assert called == ["prepared"]
