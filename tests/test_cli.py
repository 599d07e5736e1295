"""The command line: what it prints, writes and returns."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
import sympy

import softmax_trick
import softmax_trick.proofs as proofs
from softmax_trick.cli import main
from softmax_trick.ledger.run import Ledger
from softmax_trick.measurements import results as our_results
from softmax_trick.proofs.main_findings import MAIN_FINDINGS
from softmax_trick.report.claims_table import confirmed

COMMAND = [sys.executable, "-m", "softmax_trick.cli"]

SCHEMA = json.loads(files("softmax_trick.ledger").joinpath("ledger.schema.json").read_text())


def valid(text):
    data = json.loads(text)
    jsonschema.validate(data, SCHEMA)
    return data


def test_verify_prints_a_line_a_claim_where_there_is_no_terminal(capsys):
    assert main(["verify", "T1.1", "T1.1r"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "T1.1\trefuted\texact\tgrad(ce(t, y), y)[i] == t[i]/y[i]",
        "T1.1r\tproved\tgeneral\tgrad(ce(t, y), y)[i] == -t[i]/y[i]",
    ]
    assert "2 claims: 1 proved, 1 refuted" in printed.err


def test_one_claim_is_shown_with_its_proof(capsys):
    assert main(["verify", "T1.4b"]) == 0
    out = capsys.readouterr().out
    assert "✓ grad(log(sum(exp(x))), x) == y" in out
    assert "every K" in out


def test_one_refuted_claim_is_shown_with_its_counterexample(capsys):
    assert main(["verify", "A1.2-1"]) == 0
    out = capsys.readouterr().out
    assert "witness" in out
    assert "slack" in out


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache of evidence."""
    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_list_names_every_claim_and_runs_none(capsys, monkeypatch, cache):
    monkeypatch.setattr("softmax_trick.ledger.run.Ledger.gather", lambda *_: pytest.fail("a claim was run"))
    assert main(["verify", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in proofs.CLAIMS)


def test_list_says_what_earlier_runs_found_and_whether_it_is_stale(capsys, monkeypatch, cache):
    main(["verify", "T1.1r", "T1.2r"])
    capsys.readouterr()
    stale = dataclasses.replace(proofs.CLAIMS["T1.2r"], statement="$1 = 1$")
    monkeypatch.setitem(proofs.CLAIMS, "T1.2r", stale)
    assert main(["verify", "--list", "T1.1r", "T1.2r", "T1.4a"]) == 0
    rows = {line.split("\t")[0]: line.split("\t")[1] for line in capsys.readouterr().out.splitlines()}
    assert rows == {"T1.1r": "proved", "T1.2r": "proved, stale: statement changed", "T1.4a": "-"}
    assert main(["verify", "--list", "T1.*", "--proved"]) == 0
    shown = capsys.readouterr()
    assert {line.split("\t")[0] for line in shown.out.splitlines()} == {"T1.1r", "T1.2r"}
    unknown = len(Ledger(proofs.CLAIMS).select(["T1.*"])) - 2
    assert shown.err == f"softmax-trick: claims without a verdict yet: {unknown}; verify without --list decides them\n"


def test_an_unchanged_claim_is_found_again_and_fresh_runs_it_again(capsys, cache):
    for options, cached in (([], False), ([], True), (["--fresh"], False)):
        assert main(["verify", "T1.1r", "T1.1", *options]) == 0
        assert ("2 by evidence of earlier runs" in capsys.readouterr().err) == cached


def test_measured_claims_say_that_they_were_not_run_until_there_are_results(capsys, tmp_path):
    assert main(["verify", "S4.2.hard", "T1.1r"]) == 0  # CIFAR-10
    printed = capsys.readouterr()
    assert re.search(r"^S4\.2\.hard\tundecided\t-\t.*\texperiment: not run", printed.out)
    assert "1 of them speak of experiments" in printed.err
    runs = [
        {"network": "n0", "loss": "softmax", "dataset": "mnist", "seed": n, "epochs": 40, "correct": 9000 + n}
        | {"test_images": 10000}
        for n in range(3)
    ]
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"schema": our_results.SCHEMA, "version": softmax_trick.__version__, "runs": runs}))
    main(["verify", "Tab3", "--results", str(results), "--json", "-"])
    [claim] = valid(capsys.readouterr().out)["claims"]
    assert claim["verdict"] == "measured"
    figure = next(figure for figure in claim["evidence"][0]["figures"] if figure["runs"] == 3)
    assert figure["paper"] == 99.41
    assert figure["low"] < figure["ours"] < figure["high"]


@pytest.mark.parametrize(
    ("content", "message"), [("{", "not JSON"), ('{"version": "0", "runs": []}', "made by"), (None, "read")]
)
def test_a_results_file_that_cannot_be_used_is_wrong_usage(tmp_path, capsys, content, message):
    file = tmp_path / "results.json"
    if content:
        file.write_text(content)
    assert main(["verify", "--results", str(file)]) == 2
    assert message in capsys.readouterr().err


def test_html_and_errata_go_to_files(tmp_path, capsys):
    files = {name: tmp_path / name for name in ("html", "errata", "supplement")}
    arguments = [text for name, file in files.items() for text in (f"--{name}", str(file))]
    assert main(["verify", "T1.1", "T1.1r", *arguments]) == 0
    assert 'id="T1.1"' in files["html"].read_text()
    assert "[T1.1]" in files["errata"].read_text()
    assert "### T1.1: " in files["supplement"].read_text()


def test_only_one_output_is_standard_output(capsys):
    assert main(["verify", "T1.1r", "--json", "-", "--html", "-"]) == 2
    assert "only one" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_commands_options_and_claims(shell, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--print-completion", shell])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    for word in ("verify", "mutants", "--html", "--fresh", "A1.2-3", "T1.4dr"):
        assert word in out


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not at hand")
def test_bash_completes_a_claim():
    script = subprocess.run([*COMMAND, "--print-completion", "bash"], capture_output=True, text=True, check=True).stdout
    ask = "COMP_WORDS=(softmax-trick verify A1r.p); COMP_CWORD=2; COMP_LINE='softmax-trick verify A1r.p'; COMP_POINT=26"
    complete = f"{script}\n{ask}\n_shtab_softmax_trick\necho ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", complete], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "A1r.positivity"


def test_json_on_standard_output_is_alone_there_and_fits_the_schema(capsys):
    assert main(["verify", "T1.1", "A1r.unity", "--json", "-"]) == 0
    data = valid(capsys.readouterr().out)
    assert data["summary"] == {"proved": 1, "refuted": 1, "measured": 0, "undecided": 0}
    refuted, proved = data["claims"]
    assert refuted["id"] == "T1.1"
    assert refuted["repaired_by"] == "T1.1r"
    assert refuted["witness"]["K"] == "2"
    assert refuted["statement"].startswith(r"$\frac")
    assert data["versions"]["sympy"] == sympy.__version__
    assert {step["kind"] for item in proved["evidence"] for step in item["steps"]} == {"checked"}
    assert proved["rung"] == "general"
    assert {item["engine"] for item in proved["evidence"]} == {
        "index calculus",
        "explicit algebra",
        "z3",
        "canonical form",
        "torch reading",
    }


def test_json_goes_to_a_file(tmp_path, capsys):
    target = tmp_path / "ledger.json"
    assert main(["verify", "T1.1r", "--json", str(target)]) == 0
    assert valid(target.read_text())["claims"][0]["verdict"] == "proved"
    assert "proved" in capsys.readouterr().out


# --- which claims, and how many of them -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["t1.1R"], "T1.1r"),
        (["T1.1*"], "T1.1 T1.1r"),
        (["t1.[12]r", "T1.1r"], "T1.1r T1.2r"),
        (["T1.1*", "--refuted"], "T1.1"),
        (["T1.1*", "--refuted", "--proved"], "T1.1 T1.1r"),
        (["T1.1*", "--undecided"], ""),
        (["E*", "--section", "3"], "E6"),
        (["--section", "title"], "S0.only-generalised S0.not-degraded S0.perceptron S0.operations"),
        (["--section", "appendix a", "EA*"], "EA2 EA3"),
        (["--section", "b.1", "b.[co]*", "--proved"], "B.options B.compact"),
    ],
    ids=str,
)
def test_claims_are_chosen_by_patterns_sections_and_verdicts(arguments, found, capsys):
    assert main(["verify", *arguments, "--json", "-"]) == 0
    assert [claim["id"] for claim in json.loads(capsys.readouterr().out)["claims"]] == found.split()
    assert main(["verify", *arguments]) == 0
    printed = capsys.readouterr().out.splitlines()
    if arguments != ["t1.1R"]:  # that is one claim in full
        assert [line.split("\t")[0] for line in printed] == found.split()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["A9.*"], "no claim is called like 'A9.*'"),
        (["A1.characterize"], "did you mean A1.characterizes"),
        (["T1.4"], "T1.4* is T1.4a, T1.4b, T1.4c ..."),
        (["--section", "9"], "there are Title and abstract, Section 1"),
        (["--section", ""], "no claim belongs to ''"),
        (["T1.1", "--section", "B"], "none of the claims named belongs to 'B'"),
        (["*1.2_3"], "did you mean"),
        ([""], "unknown claim ''"),
    ],
    ids=str,
)
def test_what_matches_nothing_is_wrong_usage_with_a_hint(arguments, said, capsys):
    assert main(["verify", *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert not printed.out


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch, ledger):
    """What `verify` prints on a terminal of so many columns; the claims are decided once for all tests."""
    results = {name: ledger.result(name) for name in proofs.CLAIMS}
    monkeypatch.setattr(Ledger, "result", lambda _, name: results[name])
    monkeypatch.setenv("NO_COLOR", "1")

    def run(width, *arguments):
        terminal = Terminal()
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main(["verify", *arguments]) == 0
        return re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())

    return run


@pytest.mark.parametrize("options", [(), ("--all",), ("--list",)])
def test_a_terminal_is_told_that_no_claim_is_left(on_terminal, options):
    assert on_terminal(80, "T1.4a", "--refuted", *options).split("\n")[-2] == "no such claim"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_gets_a_summary_that_fits(on_terminal, width, ledger):
    out = on_terminal(width)
    assert max(map(len, out.splitlines())) <= width
    flat = " ".join(out.split())
    refuted = [one for one in map(ledger.result, proofs.CLAIMS) if one.verdict == "refuted"]
    assert all(" ".join(one.claim.heading.split()) in flat and one.claim.id in flat for one in refuted)
    assert all(one.sentence in flat for one in MAIN_FINDINGS)
    assert f"{len(proofs.CLAIMS)} claims: " in flat
    assert "T1.1r" not in flat.replace("[T1.1", "")
    assert out.count("\n") < 200 or width == 40


@pytest.mark.parametrize("width", [1, 40, 64, 80, 132])
def test_the_table_of_all_fits_and_its_ids_leave_room(on_terminal, width):
    lines = on_terminal(width, "--all").splitlines()
    assert max(map(len, lines)) <= max(width, 40)
    out = " ".join(lines)
    assert all(name in out for name in proofs.CLAIMS if width > 1)
    if width == 80:
        [row] = [line for line in lines if line.startswith("X.lipschitz.sigmoid ") or line == "X.lipschitz.sigmoid"]
        assert re.fullmatch(r"X\.lipschitz\.sigmoid {1,3}proved +general +the Lipschitz constant of Sigmoid is", row)


def test_patterns_and_lists_are_tables_on_a_terminal(on_terminal):
    assert re.search(r"^EA2 +proved +general +diag", on_terminal(80, "ea*"), re.MULTILINE)
    assert "Section 3. ISBE" in on_terminal(80, "--list", "--section", "3")
    assert "statement   " in on_terminal(80, "ea2")  # in full


def test_a_ledger_whose_titles_a_terminal_would_obey(tmp_path, capsys):
    file = tmp_path / "ledger.toml"
    claim = 'id = "E1"\nformulas = ["x == x"]\nlet = "x: K"\nsource = "a"\ntitle = "\\u001b[2J two\\nlines\\ttab"'
    file.write_text(f'title = "T"\nsource = "S"\n[[claim]]\n{claim}\n')
    assert main(["verify", "--ledger", str(file)]) == 0
    assert capsys.readouterr().out == "E1\tproved\tgeneral\t\\x1b[2J two lines tab\n"


def test_every_main_finding_rests_on_what_is_refuted(ledger):
    results = [ledger.result(name) for name in proofs.CLAIMS]
    assert confirmed(MAIN_FINDINGS, results) == list(MAIN_FINDINGS)
    spared = [one for one in results if one.claim.id != "T1.1"]  # planted: a claim that is not refuted
    assert [one for one in MAIN_FINDINGS if "T1.1" not in one.claims] == confirmed(MAIN_FINDINGS, spared)
    assert len(MAIN_FINDINGS) == 5
    assert all(one.sentence.count(". ") == 0 for one in MAIN_FINDINGS)


def test_what_is_open_is_not_marked_as_false(ledger, capsys):
    """The steps of what is undecided have a question mark, a counterexample a cross."""
    assert main(["verify", "S4.2.hard"]) == 0
    out = capsys.readouterr().out
    assert "? not run" in out
    assert "✗" not in out
    main(["verify", "T1.1"])
    assert "✗" in capsys.readouterr().out


def test_undecided_is_no_failure_if_it_is_recorded(monkeypatch, capsys):
    assert main(["verify", "S4.2.hard"]) == 0
    monkeypatch.setattr(proofs, "PAPER", replace(proofs.PAPER, recorded={"T1.1r": "proved"}))
    assert main(["verify", "S4.2.hard"]) == 1
    assert "S4.2.hard is undecided" in capsys.readouterr().err


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
    monkeypatch.setattr("softmax_trick.ledger.run.Ledger.result", lambda *_: pytest.fail("a claim was run"))
    assert main(["verify", "T1.1", "--json", str(tmp_path / "no" / "such.json")]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--html", "--errata", "--supplement"])
def test_an_output_that_is_a_folder_is_said_before_the_work(tmp_path, capsys, monkeypatch, option):
    monkeypatch.setattr("softmax_trick.ledger.run.Ledger.result", lambda *_: pytest.fail("a claim was run"))
    assert main(["verify", "T1.1r", option, str(tmp_path)]) == 2
    assert "it is a folder" in capsys.readouterr().err


def test_an_output_that_fails_in_the_end_returns_1(capsys):
    assert main(["verify", "T1.1r", "--json", "/dev/full"]) == 1
    assert "cannot write /dev/full" in capsys.readouterr().err


def test_a_verdict_that_differs_from_the_record_returns_1(monkeypatch, capsys):
    monkeypatch.setattr(proofs, "PAPER", replace(proofs.PAPER, recorded={"T1.1r": "refuted"}))
    assert main(["verify", "T1.1r"]) == 1
    assert "T1.1r is proved, recorded as refuted" in capsys.readouterr().err


def test_a_crash_returns_1_and_is_named(monkeypatch, capsys):
    monkeypatch.setattr("softmax_trick.ledger.evaluation._disagreement", lambda *_: 1 / 0)
    assert main(["verify", "T1.1r", "--fresh"]) == 1
    assert "T1.1r is undecided: crashed: torch reading: ZeroDivisionError" in capsys.readouterr().err


def test_an_interruption_is_said_and_what_is_done_is_kept(monkeypatch, capsys, cache):
    """Interrupted at the third claim: the first two are found again."""
    gather = Ledger.gather

    def interrupt(self, claim):
        if claim.id == "T1.2r":
            raise KeyboardInterrupt
        return gather(self, claim)

    monkeypatch.setattr(Ledger, "gather", interrupt)
    assert main(["verify", "T1.4a", "T1.1r", "T1.2r"]) == 130
    assert "interrupted; the evidence found so far is kept" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(cache))
    assert main(["verify", "T1.4a", "T1.1r", "T1.2r"]) == 0
    assert "2 by evidence of earlier runs" in capsys.readouterr().err


def test_a_terminal_without_the_signs_gets_question_marks():
    done = subprocess.run(
        [*COMMAND, "verify", "--list"], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True
    )
    assert b"?" in done.stdout


def test_the_console_command_is_installed_and_help_loads_nothing_heavy():
    code = "import sys; from softmax_trick.cli import main\ntry: main(['verify', '--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'sympy', 'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Exit status" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_train_is_a_command_too(capsys):
    with pytest.raises(SystemExit) as done:
        main(["train", "--help"])
    assert done.value.code == 0
    assert "Train a network of the paper" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "train a network of the paper" in capsys.readouterr().out
