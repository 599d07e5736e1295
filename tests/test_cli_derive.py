"""`softmax-trick derive`: what it prints, writes and refuses, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.resources import files

import jsonschema
import pytest

from softmax_trick.cli import main

SCHEMA = json.loads(files("softmax_trick.commands").joinpath("derivation.schema.json").read_text())
CE = ["-sum(t*log(softmax(x)))", "--by", "x", "--let", "t: K nonnegative"]


def test_a_gradient(capsys):
    assert main(["derive", *CE]) == 0
    out = capsys.readouterr().out
    assert out.startswith("t: nonnegative vector over K; x: vector over K\nvalue     -sum(t*log(softmax(x)))\n")
    assert "\ngradient  sum(t)*softmax(x) - t\nproved    for every K >= 1\n" in out
    assert "\nfact      the gradient sums to 0 (general: decided)\n" in out


def test_the_hessian_of_a_scalar_the_jacobian_and_vjp_of_a_vector(capsys):
    assert main(["derive", "logsumexp(x)", "--by", "x", "--hessian"]) == 0
    assert "\nhessian   diag(softmax(x)) - outer(softmax(x), softmax(x))\n" in capsys.readouterr().out
    assert main(["derive", "softmax(d*x)", "--by", "x", "--let", "d: K", "--let", "y = softmax(d*x)"]) == 0
    out = capsys.readouterr().out
    assert "\njacobian  diag(d*y) - outer(y, d*y)\nvjp       d*y*(g - dot(g, y))\n" in out


def test_latex_and_steps(capsys):
    assert main(["derive", "logsumexp(x) - x[c]", "--by", "x", "--latex"]) == 0
    assert capsys.readouterr().out.endswith(r"&= \text{SoftMax}(x) - e_{c}" + "\n")
    assert main(["derive", "logsumexp(x) - x[c]", "--by", "x", "--steps"]) == 0
    assert "  gradient: their difference has no terms\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(CE, 0), (["softmax(x)", "--by", "x"], 0), (["max(x)", "--by", "x"], 3), (["log(-exp(x))", "--by", "x"], 3)],
)
def test_json(capsys, arguments, status):
    assert main(["derive", *arguments, "--json", "-"]) == status
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    assert found["verdict"] == ("undecided" if status else "proved")
    assert bool(found["reason"]) == bool(status)
    if status:
        assert found["facts"] == []
        assert ("largest" in found["reason"]) == ("max" in arguments[0])


def test_json_to_a_file(capsys, tmp_path):
    assert main(["derive", *CE, "--json", str(tmp_path / "found.json")]) == 0
    assert json.loads((tmp_path / "found.json").read_text())["derivatives"][0]["text"] == "sum(t)*softmax(x) - t"
    assert "gradient" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sum(x", "--by", "x"], "unexpected end"),
        (["x[c]", "--by", "c"], "the label c is an index"),
        (["sum(x)", "--by", "x + y"], "a derivative is by a variable"),
        (["sum(x)", "--by", "z"], "z does not occur in the formula"),
        (["sum(t*x)", "--by", "t", "--let", "t: K distribution"], "cannot vary one by one"),
        (["softmax(x)", "--by", "x", "--hessian"], "it takes a scalar"),
        (["sum(x)", "--by", "x", "--time-limit", "0"], "a positive number of seconds"),
        (["x + W", "--by", "x", "--let", "x: K; W: K,D"], "a vector over K and K x D"),
        (["sum(x)", "--by", "x", "--json", "/nowhere/found.json"], "its folder does not exist"),
        (["x\x07", "--by", "x"], "column 2"),
    ],
)
def test_bad_input_is_one_error(capsys, arguments, message):
    assert main(["derive", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("softmax-trick: ")
    assert message in captured.err


def test_the_time_limit_ends_in_undecided(capsys, monkeypatch):
    monkeypatch.setattr("softmax_trick.derivation.derivation.derive", lambda *_, **__: time.sleep(60))
    begin = time.monotonic()
    assert main(["derive", *CE, "--time-limit", "0.3"]) == 3
    assert time.monotonic() - begin < 5
    assert "undecided: the time limit of 0.3 s was reached" in capsys.readouterr().out


def test_a_crash_or_a_dead_process_ends_in_undecided(capsys, monkeypatch):
    def crash(*_, **__):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("softmax_trick.derivation.derivation.derive", crash)
    assert main(["derive", *CE]) == 3
    assert "crashed, please report it: ZeroDivisionError: planted" in capsys.readouterr().out
    monkeypatch.setattr("softmax_trick.derivation.derivation.derive", lambda *_, **__: sys.exit(9))
    assert main(["derive", *CE]) == 3
    assert "the process that works on it died" in capsys.readouterr().out


def test_neither_torch_nor_sympy_is_imported():
    code = (
        "import sys; from softmax_trick.cli import main; status = main(['derive', 'sum(x*x)', '--by', 'x']);"
        "import softmax_trick.derivation.derivation;"
        "sys.exit(status or any(module in sys.modules for module in ('torch', 'sympy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_formula_that_begins_with_a_minus_sign_is_no_option(capsys):
    assert main(["decide", "-x", "-1*x"]) == 0
    assert "equal" in capsys.readouterr().out
