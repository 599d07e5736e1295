"""The command line: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files

import jsonschema
import pytest

import softmax_trick.proofs as proofs
from softmax_trick.cli import main

SCHEMA = json.loads(files("softmax_trick.report").joinpath("ledger.schema.json").read_text())


def valid(text):
    data = json.loads(text)
    jsonschema.validate(data, SCHEMA)
    return data


def test_verify_prints_a_table_of_the_claims(capsys):
    assert main(["verify", "T1.1", "T1.1r"]) == 0
    out = capsys.readouterr().out
    assert "refuted, see T1.1r" in out
    assert "1 proved, 1 refuted" in out


def test_one_claim_is_shown_with_its_proof(capsys):
    assert main(["verify", "T1.4b"]) == 0
    out = capsys.readouterr().out
    assert "✓ d log(sum_k exp x_k)/dx_i = y_i" in out
    assert "every K" in out


def test_one_refuted_claim_is_shown_with_its_counterexample(capsys):
    assert main(["verify", "A1.2-1"]) == 0
    out = capsys.readouterr().out
    assert "witness" in out
    assert "slack" in out


def test_list_names_every_claim_and_runs_none(capsys, monkeypatch):
    monkeypatch.setattr("softmax_trick.ledger.Ledger.result", lambda *_: pytest.fail("a claim was run"))
    assert main(["verify", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in proofs.CLAIMS)


def test_json_on_standard_output_is_alone_there_and_fits_the_schema(capsys):
    assert main(["verify", "T1.1", "A1r.unity", "--json", "-"]) == 0
    data = valid(capsys.readouterr().out)
    assert data["summary"] == {"proved": 1, "refuted": 1, "measured": 0, "undecided": 0}
    refuted, proved = data["claims"]
    assert refuted["id"] == "T1.1"
    assert refuted["repaired_by"] == "T1.1r"
    assert refuted["witness"]["K"] == "2"
    assert refuted["statement"].startswith(r"\frac")
    assert proved["rung"] == "general"
    assert {item["engine"] for item in proved["evidence"]} == {"index calculus", "explicit algebra", "torch autograd"}


def test_json_goes_to_a_file(tmp_path, capsys):
    target = tmp_path / "ledger.json"
    assert main(["verify", "T1.1r", "--json", str(target)]) == 0
    assert valid(target.read_text())["claims"][0]["verdict"] == "proved"
    assert "proved" in capsys.readouterr().out


@pytest.mark.parametrize(
    "breakage",
    [
        {"verdict": "believed"},
        {"rung": "gut feeling"},
        {"evidence": []},
        {"statement": ""},
        {"verdict": "refuted", "witness": None},
        {"verdict": "undecided", "rung": None, "reason": None},
        {"status": "new key"},
    ],
    ids=str,
)
def test_the_schema_rejects_what_is_not_a_ledger(capsys, breakage):
    main(["verify", "T1.1r", "--json", "-"])
    data = valid(capsys.readouterr().out)
    data["claims"][0] |= breakage
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA)


def test_an_unknown_claim_is_wrong_usage_and_near_ones_are_suggested(capsys):
    assert main(["verify", "A1.2_3"]) == 2
    assert "did you mean A1.2-3" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["certainly"], ["verify", "--jason", "x"]], ids=str)
def test_wrong_usage_returns_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2


def test_an_output_that_cannot_be_written_is_said_before_the_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("softmax_trick.ledger.Ledger.result", lambda *_: pytest.fail("a claim was run"))
    assert main(["verify", "T1.1", "--json", str(tmp_path / "no" / "such.json")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_an_output_that_is_a_folder_is_said(tmp_path, capsys):
    assert main(["verify", "T1.1r", "--json", str(tmp_path)]) != 0
    assert "cannot write" in capsys.readouterr().err


def test_a_verdict_that_differs_from_the_record_returns_1(monkeypatch, capsys):
    monkeypatch.setattr(proofs, "recorded_verdicts", lambda: {"T1.1r": "refuted"})
    assert main(["verify", "T1.1r"]) == 1
    assert "T1.1r is proved, recorded as refuted" in capsys.readouterr().err


def test_a_crash_returns_1_and_is_named(monkeypatch, capsys):
    monkeypatch.setattr("softmax_trick.proofs.sampled.disagreement", lambda _: 1 / 0)
    assert main(["verify", "T1.1r"]) == 1
    assert "T1.1r is undecided: crashed: torch autograd: ZeroDivisionError" in capsys.readouterr().err


def test_an_interruption_is_said_and_returns_130(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("softmax_trick.ledger.Ledger.result", interrupt)
    assert main(["verify"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_terminal_without_the_signs_gets_question_marks():
    command = [sys.executable, "-m", "softmax_trick.cli", "verify", "--list"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True)
    assert b"?CE/?y_i = t_i / y_i" in done.stdout


def test_the_console_command_is_installed_and_help_loads_nothing_heavy():
    code = "import sys; from softmax_trick.cli import main\ntry: main(['verify', '--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'sympy', 'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Exit status" in done.stdout
    assert done.stdout.endswith("[]\n")
