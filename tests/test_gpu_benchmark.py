"""`make gpu`, without a GPU: what is kept, what is left, and the page that is filled from it."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

HOME = Path(__file__).parent.parent


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """The command, as if a GPU were there, with results and page in a folder of their own."""
    monkeypatch.syspath_prepend(HOME / "benchmarks")
    gpu: Any = importlib.import_module("gpu")
    monkeypatch.setattr(gpu, "RESULTS", tmp_path / "gpu.json")
    monkeypatch.setattr(gpu, "PAGE", tmp_path / "isbe.md")
    gpu.PAGE.write_text(f"before\n{gpu.BEGIN}{gpu.END}after\n")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    yield gpu
    for name in ("gpu", "isbe_head"):
        sys.modules.pop(name, None)


def test_the_committed_page_has_what_was_measured(gpu):
    page, results = HOME / "docs" / "isbe.md", HOME / "results" / "gpu.json"
    measured = json.loads(results.read_text()) if results.exists() else {}
    assert gpu.page(page.read_text(), measured) == page.read_text()


def test_without_a_gpu_nothing_is_written(gpu, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 1
    assert "left: head, checks, epochs, tables" in capsys.readouterr().err
    assert not gpu.RESULTS.exists()


def test_a_rehearsal_keeps_nothing(gpu, monkeypatch):
    monkeypatch.setattr(gpu, "SMALL", ((2, 3, "float32"),))
    before = gpu.PAGE.read_text()
    assert gpu.main(["--device", "cpu", "--only", "head", "tables"]) == 0
    assert gpu.PAGE.read_text() == before
    assert not gpu.RESULTS.exists()


def test_what_fails_is_left_and_what_is_there_is_not_measured_again(gpu, monkeypatch, capsys):
    size = "{} x {}, {}".format(*gpu.SIZES[0])
    calls = []

    def head(device):
        calls.append(device)
        return {"path": "one kernel", "milliseconds": {size: {"floor": 2.0, "direct, buffer": 2.5}}}

    def checks(device):
        raise RuntimeError("planted")

    monkeypatch.setattr(gpu, "PARTS", {"checks": checks, "head": head})
    assert gpu.main(["--only", "checks", "head"]) == 1
    assert "left: checks: RuntimeError: planted" in capsys.readouterr().err
    kept = json.loads(gpu.RESULTS.read_text())
    assert (set(kept), kept["machine"]["gpu"]) == ({"machine", "head"}, "a GPU")
    assert "a GPU, torch" in gpu.PAGE.read_text()
    assert "| direct, buffer | 1.25 |" in gpu.PAGE.read_text()
    assert gpu.main(["--only", "head"]) == 0
    assert calls == ["cuda"]
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "another GPU")
    assert gpu.main(["--only", "head"]) == 1
    assert "is of another machine" in capsys.readouterr().err
    assert gpu.main(["--only", "head", "--fresh"]) == 0
    assert calls == ["cuda", "cuda"]


def test_sweeps_that_do_not_end_are_said(gpu, monkeypatch):
    class Ended:
        returncode = 130

    monkeypatch.setattr(gpu.subprocess, "run", lambda *arguments, **options: Ended())
    with pytest.raises(gpu.Left, match=r"table1 .mnist.: `softmax-trick sweep table1 --device cuda"):
        gpu.tables("cuda")
