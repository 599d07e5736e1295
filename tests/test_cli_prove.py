"""`softmax-trick prove`: what it prints, writes and refuses, and how it exits."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from softmax_trick.cli import main

SCHEMA = json.loads(files("softmax_trick.commands").joinpath("proof.schema.json").read_text())
LOSSES = """
import torch

def squares(x):
    return x.square().sum()

def detached(x):
    return (x.detach() * x).sum()

def branches(x):
    return x.sum() if x.sum() > 0 else -x.sum()

def needs_more(x, y):
    return x.sum()

def fails(x):
    return x.reshape(3, 3).sum()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with losses, and with modules that fail on import."""
    (tmp_path / "tried_losses.py").write_text(LOSSES)
    (tmp_path / "broken_module.py").write_text("import torch\n\nvalue = 1 / 0\n")
    (tmp_path / "broken_syntax.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_proved_and_json(folder, capsys):
    assert main(["prove", "tried_losses:squares", "--inputs", "x: n", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    assert found["verdict"] == "proved"
    assert found["scope"] == "for every n >= 1"
    assert [one["verdict"] for one in found["second"]] == ["proved"]


def test_refuted_with_a_counterexample(folder, capsys):
    assert main(["prove", "tried_losses:detached", "--inputs", "x: n", "--json", "found.json"]) == 1
    out = capsys.readouterr().out
    assert "gradient by x: wrong" in out
    assert "held constant" in out
    found = json.loads((folder / "found.json").read_text())
    jsonschema.validate(found, SCHEMA)
    assert found["findings"][0]["counterexample"]["sizes"] == {"n": 2}


def test_undecided(folder, capsys):
    assert main(["prove", "tried_losses:branches", "--inputs", "x: n", "--believed"]) == 3
    out = capsys.readouterr().out
    assert "tried_losses.py:11" in out
    assert "check_loss" in out
    assert "believed: torch's tracing" in out


@pytest.mark.parametrize(
    ("function", "inputs", "said"),
    [
        ("tried_losses:squares", "x: n,", "is no axis"),
        ("tried_losses:squares", "x: n; y: n", "does not take the declared inputs x, y"),
        ("tried_losses:needs_more", "x: n", "does not take the declared inputs x"),
        ("tried_losses:fails", "x: n", "tried_losses.py:17"),
        ("tried_losses:nothing", "x: n", "it has"),
        ("no_such_module:f", "x: n", "there is no module 'no_such_module'"),
        ("broken_module:f", "x: n", "broken_module.py:3: value = 1 / 0"),
        ("broken_syntax:f", "x: n", "fails when it is imported: SyntaxError"),
        ("tried_losses", "x: n", "write 'package.module:function'"),
    ],
)
def test_wrong_usage_is_said_in_a_screen(folder, capsys, function, inputs, said):
    assert main(["prove", function, "--inputs", inputs]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert len(captured.err.splitlines()) < 20


def test_a_formula_in_other_names(folder, capsys):
    assert main(["prove", "tried_losses:squares", "--inputs", "x: n", "--like", "dot(z, z)"]) == 2
    assert "the inputs are x" in capsys.readouterr().err
