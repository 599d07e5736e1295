"""The examples: short, and each does what it is there for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
# What each prints, besides figures of training.
PRINTED = {
    "focal_by_hand.py": (
        "gradient by scores: proved over the reals, for every n >= 1, K >= 2",
        "gradient by scores: wrong, at n = 2, K = 2:",
    ),
    "isbe_in_three_lines.py": ("% of the training images are right",),
    "own_loss.py": ("by hand:  equal for every K >= 1", "derived:  softmax(x)*(1 + 2*z*logsumexp(x)) - onehot(c)"),
    "own_normalizer.py": ("unity          no   exact", "convex         yes  general", "loss 0."),
    "test_kernel.py": ("2 passed",),
}


def test_each_is_short() -> None:
    found = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in FOLDER.glob("*.py")}
    assert found.keys() == PRINTED.keys()
    assert max(found.values()) < 40


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_an_example_does_what_it_is_there_for(name: str, tmp_path: Path) -> None:
    pytest_ = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *(pytest_ if name.startswith("test_") else []), str(FOLDER / name)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for text in PRINTED[name]:
        assert text in done.stdout
    assert "Warning" not in done.stderr
