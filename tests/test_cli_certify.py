"""`softmax-trick certify`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import jsonschema
import pytest

from softmax_trick.cli import main

SCHEMA = json.loads(files("softmax_trick.certification").joinpath("certificate.schema.json").read_text())
SLACK = [
    "--component",
    "exp(x1)/(1+exp(x1)+exp(x2))",
    "--component",
    "exp(x2)/(1+exp(x1)+exp(x2))",
]


def test_a_formula_is_certified(capsys):
    assert main(["certify", *SLACK]) == 0
    out = capsys.readouterr().out
    assert out.startswith("x1: score; x2: score\n")
    assert "found, for K = 2" in out
    assert "slack 1" in out
    assert "potential log(exp(x1) + exp(x2) + 1)" in " ".join(out.split())


def test_json_on_standard_output_is_alone_there_and_fits_the_schema(capsys):
    assert main(["certify", *SLACK, "--json", "-"]) == 0
    certificate = json.loads(capsys.readouterr().out)
    jsonschema.validate(certificate, SCHEMA)
    trick = {"holds": True, "rung": "exact", "witness": None, "reason": "by A1.2-3r", "dilation": ["1", "1"]}
    assert certificate["trick"] == trick
    assert list(certificate) == SCHEMA["required"]


def test_a_positive_parameter_narrows(capsys):
    arguments = ["certify", "--component", "exp(x1)/(a+exp(x1))", "--json", "-"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["differentiable"]["holds"] is not True
    assert main([*arguments, "--positive", "a"]) == 0
    assert json.loads(capsys.readouterr().out)["differentiable"]["holds"] is True


def test_what_is_written_counts_and_not_what_is_left_of_it(capsys):
    assert main(["certify", "--component", "x1/x1", "--json", "-"]) == 0
    defined = json.loads(capsys.readouterr().out)["defined"]
    assert (defined["holds"], defined["witness"], defined["reason"]) == (False, {"x1": "0"}, "x1 must not be zero")


def test_a_formula_without_scores_is_said_so(capsys):
    assert main(["certify", "--component", "exp(z)/(1+exp(z))"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith("z: parameter, scalar note: no score occurs in the formula: z is taken as a parameter")
    assert main(["certify", "--component", "exp(z)/(1+exp(z))", "--json", "-"]) == 0
    certificate = json.loads(capsys.readouterr().out)
    jsonschema.validate(certificate, SCHEMA)
    assert len(certificate["notes"]) == 1
    assert certificate["names"] == {"z": "parameter, scalar"}


def test_no_note_where_the_score_cancels(capsys):
    assert main(["certify", "--component", "x1/x1"]) == 0
    assert "note" not in capsys.readouterr().out


def test_a_formula_is_certified_at_a_given_size_and_with_scores_of_another_name(capsys):
    arguments = ["certify", "softmax(d*z)", "--by", "z", "--let", "d: K positive; K = 2", "--json", "-"]
    assert main(arguments) == 0
    certificate = json.loads(capsys.readouterr().out)
    jsonschema.validate(certificate, SCHEMA)
    roles = {"z": "scores, vector over K", "d": "parameter, positive vector over K", "K": "size, 2"}
    assert (certificate["k"], certificate["names"]) == (2, roles)
    assert certificate["softmax_type"]["dilation"] == ["d1", "d2"]


def test_components_may_speak_of_the_whole_vector(capsys):
    assert main(["certify", "--component", "exp(x[1])/sum(exp(x))", "--component", "softmax(x)[2]", "--json", "-"]) == 0
    certificate = json.loads(capsys.readouterr().out)
    assert certificate["generalised_softmax"]["holds"] is True
    assert certificate["names"] == {"x": "scores, vector over K"}


def test_a_backward_that_is_not_the_derivative_has_a_row_and_an_exit_status(tmp_path, monkeypatch, capsys):
    (tmp_path / "detached.py").write_text(
        "def f(x):\n    e = x.exp()\n    return e / e.sum(-1, keepdim=True).detach()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    arguments = ["certify", "--torch", "detached:f", "--k", "3"]
    assert main(arguments) == 1
    assert "backward no" in " ".join(capsys.readouterr().out.split())
    assert main([*arguments, "--json", "-"]) == 1
    certificate = json.loads(capsys.readouterr().out)
    jsonschema.validate(certificate, SCHEMA)
    assert certificate["backward"]["holds"] is False
    assert certificate["trick"]["holds"] is True  # of the values


def test_torch_code_is_sampled_and_never_proved(capsys):
    assert main(["certify", "--torch", "torch:sigmoid", "--k", "3", "--json", "-"]) == 0
    certificate = json.loads(capsys.readouterr().out)
    jsonschema.validate(certificate, SCHEMA)
    assert certificate["softmax_type"]["holds"] is False
    assert {found["rung"] for name, found in certificate.items() if name not in ("k", "names")} <= {"sampled", None}


def test_a_function_of_the_current_folder_is_found(tmp_path):
    (tmp_path / "mine.py").write_text("def halved(scores):\n    return scores / 2\n")
    command = [sys.executable, "-m", "softmax_trick.cli", "certify", "--torch", "mine:halved", "--k", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "order preserving" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the three"),
        ([*SLACK, "--torch", "torch:sigmoid"], "one of the three"),
        (["--component", "x1", "--k", "1"], "--k belongs to --torch"),
        (["--component", "x2"], "there is no score x2: the scores are x1, one for each component"),
        (["--component", "exp(x)/(1+exp(x))"], "an entry of the scores is x1 or x[1]"),
        (["exp(x1)/(1+exp(x1))"], "there is no score x1: the entries of x are x[1]"),
        (["softmax(z)"], "the scores x do not occur, so that F would be constant (read: z: vector over K)"),
        (["softmax(x)", "--k", "3"], "--let 'K = 3'"),
        (["--component", "x1", "--let", "x: real"], "1 index for a scalar"),
        (["--component", "x1", "--let", "x: K positive"], "the scores of a normalizer are any real numbers"),
        (["--component", "d1*x1 + d[1]"], "d1 would be an entry and a name of its own"),
        (["--component", "x1 + sum(t)", "--let", "t: K distribution"], "t is distribution over K: here it is real"),
        (["onehot(c)*x", "--let", "c: label K; K = 2"], "c is label into K: here it is real"),
        (["softmax(x)", "--let", "x = 2*z"], "x is the name of the scores"),
        (["softmax(x + W@h)", "--let", "W: K,D; K = 2"], "no size is given for D"),
        (["--component", "x1", "--let", "x1: positive"], "x1 is a score"),
        (["--component", "x1", "--let", "K = 2"], "1 components make the size of K 1"),
        (["--component", "__import__('os')"], "column 1"),
        (["--component", "10**10**10"], "exponent"),
        (["--component", "x1", "--time-limit", "0"], "positive number of seconds"),
        (["--torch", "torch:sigmoid"], "needs --k"),
        (["--torch", "torch:sigmoid", "--k", "0"], "at least 1"),
        (["--torch", "torch:sigmoid", "--k", "2", "--positive", "a"], "--positive and --let belong"),
        (["--torch", "torch.sigmoid", "--k", "2"], "package.module:function"),
        (["--torch", "torch:sigmoidd", "--k", "2"], "sigmoid"),
        (["--torch", "no_such_module_here:f", "--k", "2"], "no_such_module_here"),
        ([*SLACK, "--json", "/no/such/folder/file"], "does not exist"),
    ],
    ids=str,
)
def test_wrong_usage_is_said_and_returns_2(arguments, message, capsys):
    assert main(["certify", *arguments]) == 2
    assert message in capsys.readouterr().err
