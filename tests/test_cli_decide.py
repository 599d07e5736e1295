"""`softmax-trick decide`: what it prints, writes and refuses, and how it exits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from softmax_trick.cli import main
from softmax_trick.commands import decide as command
from softmax_trick.deciding.decision import Decision
from softmax_trick.language.grammar import read_equation

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads(files("softmax_trick.commands").joinpath("decision.schema.json").read_text())
COMMAND = [sys.executable, "-m", "softmax_trick.cli", "decide"]
RIGHT = ["grad(-sum(t*log(softmax(x))), x)", "sum(t)*softmax(x) - t"]
WRONG = ["grad(logsumexp(x) - x[c], x)", "onehot(c) - softmax(x)"]
TABLE = ROOT / "tests" / "data" / "decide.tsv"


def test_what_is_equal(capsys):
    assert main(["decide", *RIGHT]) == 0
    assert capsys.readouterr().out == "t: vector over K; x: vector over K\nequal for every K >= 1\n"


def test_what_is_not_equal_comes_with_a_point(capsys):
    assert main(["decide", *WRONG]) == 1
    out = capsys.readouterr().out
    assert "\nnot equal, at K = " in out
    assert re.search(r"^  x = \[.*\]$", out, flags=re.M)
    left, right = (re.findall(rf"{side}\S* += (\S+)", out)[0] for side in ("left", "right"))
    assert float(left) == -float(right)


def test_conditions_stand_beside_the_verdict(capsys):
    assert main(["decide", "s/(K - 1)*x", "x*s/(K - 1)"]) == 0
    assert "equal for every K >= 1, where K - 1 != 0" in capsys.readouterr().out


def test_declarations_may_be_repeated_and_the_equation_be_one_text(capsys):
    arguments = ["jacobian(y, x) == (diag(y) - outer(y, y)) @ diag(d)", "--let", "d: K", "--let", "y = softmax(d*x)"]
    assert main(["decide", *arguments]) == 0
    assert "d: vector over K" in capsys.readouterr().out


def test_steps(capsys):
    assert main(["decide", *RIGHT, "--steps"]) == 0
    assert "their difference has no terms" in capsys.readouterr().out


def test_undecided_is_not_equal_and_says_why(capsys, monkeypatch):
    undecided = Decision("undecided", "for every K >= 1", reason="not reduced to zero: x")
    monkeypatch.setattr(command, "within", lambda *_: undecided)
    assert main(["decide", *RIGHT]) == 3
    assert "\nundecided: not reduced to zero: x\n" in capsys.readouterr().out


def test_the_time_limit_ends_in_undecided(capsys, monkeypatch):
    monkeypatch.setattr("softmax_trick.statements.statement.decide_statement", lambda *_, **__: time.sleep(60))
    begin = time.monotonic()
    assert main(["decide", *RIGHT, "--time-limit", "0.3"]) == 3
    assert time.monotonic() - begin < 5
    assert "undecided: the time limit of 0.3 s was reached" in capsys.readouterr().out


def test_a_crash_or_a_dead_process_ends_in_undecided(capsys, monkeypatch):
    def crash(*_, **__):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("softmax_trick.statements.statement.decide_statement", crash)
    assert main(["decide", *RIGHT]) == 3
    assert "undecided: crashed, please report it: ZeroDivisionError: planted" in capsys.readouterr().out
    monkeypatch.setattr("softmax_trick.statements.statement.decide_statement", lambda *_, **__: sys.exit(7))
    assert main(["decide", *RIGHT]) == 3
    assert "undecided: the process that works on it died" in capsys.readouterr().out


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [RIGHT, WRONG, ["X[c]", "X[c]*2", "--let", "X: N,K; N = 2"]])
def test_json_on_standard_output_is_alone_there_and_fits_the_schema(capsys, arguments):
    status = main(["decide", *arguments, "--json", "-"])
    decision = json.loads(capsys.readouterr().out)
    jsonschema.validate(decision, SCHEMA)
    assert decision["verdict"] == ("proved", "refuted")[status]
    assert (decision["witness"] is None) == (status == 0)
    assert list(decision) == SCHEMA["$defs"]["decision"]["required"]


def test_the_schema_asks_for_a_witness(capsys):
    main(["decide", *WRONG, "--json", "-"])
    decision = json.loads(capsys.readouterr().out)
    assert set(decision["witness"]["values"]) == {"c", "x"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**decision, "witness": None}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**decision, "verdict": "proved"}, SCHEMA)


def test_fractions_are_exact_in_json():
    assert command._exact({"x": [[1, Fraction(-1, 2)]]}) == {"x": [[1, "-1/2"]]}
    assert json.dumps(command._exact(Fraction(3))) == "3"


def test_json_goes_to_a_file(tmp_path, capsys):
    assert main(["decide", *RIGHT, "--json", str(tmp_path / "found.json")]) == 0
    assert json.loads((tmp_path / "found.json").read_text())["names"] == {"t": "vector over K", "x": "vector over K"}
    assert "equal for every K >= 1" in capsys.readouterr().out


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_of_decide_tsv(capsys):
    assert main(["decide", "--file", str(TABLE), "--json", "-"]) == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    jsonschema.validate(found, SCHEMA)
    truth = {row.split("\t")[0]: row.split("\t")[4] for row in TABLE.read_text().splitlines()[1:]}
    assert {one["id"]: one["verdict"] == "proved" for one in found} == {
        name: said == "true" for name, said in truth.items()
    }
    assert "24 equal, 10 not equal" in captured.err
    assert "the table says" not in captured.err


def test_a_table_without_headings(tmp_path, capsys):
    table = tmp_path / "pairs.tsv"
    table.write_text("a + b\tb + a\n\n# a remark\nsum(x*y)\tdot(x, y)\ty: K\n")
    assert main(["decide", "--file", str(table)]) == 0
    assert "2 equal" in capsys.readouterr().out


def test_a_table_that_is_wrong_about_its_pairs_is_contradicted(tmp_path, capsys):
    table = tmp_path / "pairs.tsv"
    table.write_text("# id left right truth\nsign\ta - b\tb - a\ttrue\n")
    assert main(["decide", "--file", str(table)]) == 1
    assert "(the table says true)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n", r"line 1: 1 columns; expected left, right, let"),
        ("a\tb\tx: K\ttrue\n", r"line 1: 4 columns"),
        ("a\ta\n(a\ta\n", r"line 2: left side, column 3: unexpected end"),
        ("\n# nothing\n", "there is no pair in it"),
    ],
)
def test_a_table_is_read_before_anything_is_decided(tmp_path, capsys, monkeypatch, text, message):
    monkeypatch.setattr(command, "within", lambda *_: pytest.fail("something was decided"))
    table = tmp_path / "pairs.tsv"
    table.write_text(text)
    assert main(["decide", "--file", str(table)]) == 2
    assert re.search(f"softmax-trick: {re.escape(str(table))}.*{message}", capsys.readouterr().err)


# --- wrong usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give LEFT and RIGHT, or a table"),
        (["a", "--file", "pairs.tsv"], "one of the two"),
        (["a"], "expected an operator, or == and the other side"),
        (["psd(x)"], "psd of a scalar: it takes a square matrix"),
        (["a", "b", "--time-limit", "0"], "a positive number of seconds"),
        (["a", "b", "--time-limit", "nan"], "a positive number of seconds"),
        (["--file", "nowhere.tsv"], "cannot read nowhere.tsv"),
        (["a", "b", "--json", "nowhere/found.json"], "its folder does not exist"),
        (["x + h", "x", "--let", "x: K; h: D"], "column 3: .* of a vector over K and a vector over D"),
        (["a", "b", "--let", "a; b"], "--let, column 2"),
        (["x[i]", "x[j]"], "the index i is free on this side only"),
    ],
)
def test_wrong_usage(capsys, arguments, message):
    assert main(["decide", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(f"^softmax-trick: .*{message}", captured.err)


def test_a_file_that_is_no_text(tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_bytes(b"\xff\xfe")
    assert main(["decide", "--file", str(tmp_path / "pairs.tsv")]) == 2
    assert "it is no UTF-8 text" in capsys.readouterr().err


# --- the process ------------------------------------------------------------------------------------------------------


def test_neither_torch_nor_sympy_is_loaded():
    code = (
        "import sys; from softmax_trick.cli import main; main(sys.argv[1:]); "
        "print(sorted({'torch', 'sympy', 'mpmath', 'numpy', 'z3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, "decide", *RIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_whole_command_is_quick():
    """At most 0.8 s; of processor time, since other tests may run beside it."""
    code = (
        "import resource, sys; from softmax_trick.cli import main; main(sys.argv[1:]); "
        "print(sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))"
    )
    done = subprocess.run([sys.executable, "-c", code, "decide", *RIGHT], capture_output=True, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) < 0.8


def test_what_is_shown_is_what_was_decided():
    statement = read_equation(*RIGHT)
    found = command.within(30, statement)
    assert found.verdict == "proved"
    assert command.as_json(command.Pair(statement), found)["left"] == "grad(-sum(t*log(softmax(x))), x)"
