"""The benchmark of the paper's remark on autograd: what is timed makes one gradient, in turns."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    found: Any = importlib.import_module("autograd_head")
    yield found
    sys.modules.pop("autograd_head", None)


def test_all_ways_make_one_gradient_and_another_is_noticed(benchmark):
    """Planted: a way that forgets the target."""
    found = benchmark.ways(5, 4)
    benchmark.compare(found)
    with pytest.raises(SystemExit, match="the gradients differ by 1: nothing is timed"):
        benchmark.compare({**found, "function": lambda: found["isbe"]() + 1})


def test_the_function_is_one_node_of_autograd(benchmark):
    scores = torch.randn(5, 4, requires_grad=True)
    loss = benchmark.Head.apply(scores, torch.arange(5) % 4)
    assert type(loss.grad_fn).__name__ == "HeadBackward"
    assert [type(node).__name__ for node, _ in loss.grad_fn.next_functions if node] == ["AccumulateGrad"]


def test_the_table_says_what_is_measured(benchmark, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "SIZES", ((4, 3, 1),))
    benchmark.main(["--repeats", "3"])
    out = capsys.readouterr().out
    assert all(way in out for way in ("isbe", "function", "composed", "cross-entropy"))
    assert "1.00 to 1.00" in out
