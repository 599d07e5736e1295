"""peers/prove.py and docs/peers-proved.md: the page is that of the table, and what torch itself has is as it says."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from softmax_trick import prove_gradient

ROOT = Path(__file__).parents[1]


def load() -> Any:
    spec = spec_from_file_location("peers_prove", ROOT / "peers" / "prove.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["peers_prove"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


prove = load()
PAGE = (ROOT / "docs" / "peers-proved.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(.+?)` \| (proved|refuted|undecided) \| (.+?) \|$", PAGE, re.MULTILINE)


def test_the_page_has_a_row_for_each_subject() -> None:
    assert [row[:3] for row in ROWS] == [(one.name, one.inputs, one.expected) for one in prove.SUBJECTS]
    assert all(row[3].strip() for row in ROWS)


def test_twenty_functions_of_libraries_are_there_and_half_of_them_decided() -> None:
    theirs = [row for row in ROWS if not row[0].startswith("torch ")]
    assert len(theirs) >= 20
    assert 2 * sum(row[2] != "undecided" for row in theirs) >= len(theirs)


@pytest.mark.parametrize("name", ["torch F.mse_loss", "torch F.gelu"])
def test_some_of_torch_itself(name: str) -> None:
    subject = next(one for one in prove.SUBJECTS if one.name == name)
    assert prove_gradient(prove.load(subject), subject.inputs, second=False).verdict == subject.expected
