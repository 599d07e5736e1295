"""What several test modules share."""

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import softmax_trick
from softmax_trick.commands import train
from softmax_trick.ledger.cache import Cache
from softmax_trick.ledger.run import Ledger
from softmax_trick.measurements.results import committed_results
from softmax_trick.training.data import DataSet, Split

# Before torch is imported, here and in subprocesses: on tensors this small, OpenMP's threads that wait by spinning take
# the cores from those that work. As `softmax_trick.train` does for itself.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Where the package is installed and not editable, processes must not import the folder of its source, which has no
# proofs inside.
if importlib.util.find_spec("softmax_trick.proofs") is None:
    raise pytest.UsageError(
        f"`python -m pytest` takes softmax_trick from {Path(softmax_trick.__file__).parent}, where its proofs are not: "
        "run `pytest`, or install with `pip install -e .`"
    )
if Path(softmax_trick.__file__).parents[1] != Path(__file__).parents[1]:
    os.environ["PYTHONSAFEPATH"] = "1"
# The evidence that tests keep is theirs, and of this session; the workers of pytest-xdist share it.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["SOFTMAX_TRICK_CACHE"] = tempfile.mkdtemp(prefix="softmax-trick-tests-")
    os.environ["XDG_DATA_HOME"] = os.environ["SOFTMAX_TRICK_CACHE"] + "-data"  # and the key that signs it


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name no test: they may differ between the workers of pytest-xdist, as the time in a gzip file did."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    """The paper's claims, each run once in a test session."""
    from softmax_trick.proofs import CLAIMS

    return Ledger(CLAIMS, cache=Cache(), results=committed_results())


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """On small tensors threads only wait for one another: more than half of the time."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def noise() -> DataSet:
    """A data set that trains in no time: 256 + 64 + 64 images of noise."""
    random = np.random.RandomState(0)

    def split(size: int) -> Split:
        images = random.randint(0, 256, (size, 28, 28)).astype(np.uint8)
        return Split(images, random.randint(0, 10, size).astype(np.uint8))

    return DataSet("mnist-5k", "as the test asked", split(256), split(64), split(64))


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`python -m softmax_trick.train` in this process on noise, into tmp_path / out by default; its exit status."""
    monkeypatch.setattr(train, "load", lambda name, folder: noise())

    def run(*arguments: str) -> int:
        out = () if "--out" in arguments else ("--out", str(tmp_path / "out"))
        return train.main(["--batch-size", "64", *out, *arguments])

    return run
