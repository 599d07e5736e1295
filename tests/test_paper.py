"""Ledgers of other papers: read from TOML or from a package, decided, shown, recorded and mutated like the paper's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from softmax_trick.cli import main
from softmax_trick.ledger.claims import Check, Claim, Verdict
from softmax_trick.ledger.mutants import failures, made_from, run
from softmax_trick.ledger.paper import LedgerError, Paper, by, claims_of, load
from softmax_trick.ledger.run import Ledger, differences
from softmax_trick.report.errata import false_statements
from softmax_trick.report.ledger_page import ledger_page

EXAMPLE = Path(__file__).parents[1] / "examples" / "focal_loss.toml"
HEAD = 'title = "T"\nsource = "S"\n'
CLAIM = '[[claim]]\nid = "E1"\nformulas = ["sum(softmax(x)) == 1"]\nlet = "x: K"\n'


@pytest.fixture(autouse=True)
def no_evidence_of_earlier_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def focal():
    paper = load(EXAMPLE)
    ledger = Ledger(paper.claims)
    return paper, {name: ledger.result(name) for name in paper.claims}


def test_the_example_is_decided(focal):
    paper, results = focal
    verdicts = {name: result.verdict for name, result in results.items()}
    assert verdicts.pop("F.detached") is Verdict.REFUTED
    assert set(verdicts.values()) == {Verdict.PROVED}
    assert all(result.rung == "general" for name, result in results.items() if name != "F.detached")
    assert differences(list(results.values()), paper.recorded) == []


def test_it_is_one_page_long():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 70


def test_its_page_and_its_errata_are_its_own(focal):
    paper, results = focal
    page = ledger_page(list(results.values()), paper)
    assert "Focal Loss" in page
    assert "Skarbek" not in page
    assert all(f'id="{name}"' in page for name in paper.claims)
    text = false_statements(list(results.values()), paper)
    assert text.count("### ") == 1
    assert "F.detached" in text
    assert "B.focal" in text


def test_its_mutants_are_killed(focal):
    paper, _ = focal
    outcomes = run(list(made_from([paper.claims["B.star"], paper.claims["F.limit"]]))[:6])
    assert any(outcome.caught for outcome in outcomes)
    assert failures(outcomes) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is no TOML"),
        (CLAIM, "a ledger has a title, a source"),
        (HEAD, "a ledger has a title, a source and tables"),
        (HEAD + "pages = 3\n" + CLAIM, "pages besides"),
        (HEAD + "claim = []\n", "it has no claims"),
        (HEAD + CLAIM + CLAIM, "two claims are called E1"),
        (HEAD + CLAIM.replace('id = "E1"\n', ""), "claim 1: a claim has an id"),
        (HEAD + CLAIM + 'statment = "x"\n', "E1: there is no statment; a claim has id, title"),
        (HEAD + CLAIM + "title = 3\n", "E1: title is a text"),
        (HEAD + CLAIM.replace('["sum(softmax(x)) == 1"]', '"x == x"'), "E1: formulas is a list of texts"),
        (HEAD + '[[claim]]\nid = "E1"\n', "E1: it has no formulas"),
        (HEAD + CLAIM.replace("== 1", "= 1"), "E1: column 17"),
        (HEAD + CLAIM.replace("x: K", "x: K; x: n"), "E1: --let, column 7: x is declared twice"),
        (HEAD + CLAIM + 'where = ["y ="]\n', "E1: "),
        (HEAD + CLAIM + 'repaired_by = "E2"\n', "E1 is repaired by E2, and there is no such claim"),
        (HEAD + CLAIM + 'statement = "\\\\formula{2}"\n', "names a formula that it does not have"),
    ],
)
def test_what_is_no_ledger_is_said(tmp_path, capsys, text, message):
    file = tmp_path / "paper.toml"
    file.write_text(text, encoding="utf-8")
    assert main(["verify", "--ledger", str(file)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert str(file) in error


def package(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "__init__.py").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_is_a_package_with_proofs(tmp_path):
    folder = package(
        tmp_path / "my_paper",
        "from softmax_trick.ledger.paper import Paper\nfrom .claims import CLAIMS\n"
        'PAPER = Paper.of("Mine", "me", CLAIMS)\n',
    )
    (folder / "claims.py").write_text(
        "from softmax_trick.ledger.claims import Claim\n\n\n"
        "def steps(p):\n    p.shows('jacobian(y, x) == jacobian(y, x).T')\n    p.concludes()\n\n\n"
        "CLAIMS = [Claim('M1', formulas=('jacobian(y, x) == diag(y) - outer(y, y)',), let='x: K; y = softmax(x)', "
        "source='me', proof=steps)]\n",
        encoding="utf-8",
    )
    result = Ledger(load(folder).claims).result("M1")
    assert result.verdict is Verdict.PROVED
    assert len(result.evidence[0].steps) == 2
    assert result.digest.checker != Ledger(load(EXAMPLE).claims).result("B.star").digest.checker


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0\n", "line 1: ZeroDivisionError"),
        ("import there_is_none\n", "ModuleNotFoundError"),
        ("x = 1\n", "has no PAPER"),
        ("PAPER = 3\n", "has no PAPER"),
    ],
)
def test_a_folder_that_is_no_ledger_is_said(tmp_path, text, message):
    with pytest.raises(LedgerError, match=message):
        load(package(tmp_path / f"broken_{abs(hash(text))}", text))
    with pytest.raises(LedgerError, match="__init__"):
        load(tmp_path)
    with pytest.raises(LedgerError, match="No such file"):
        load(tmp_path / "none.toml")


def test_verdicts_are_recorded_and_then_compared(tmp_path, capsys):
    file = tmp_path / "paper.toml"
    file.write_text(HEAD + CLAIM, encoding="utf-8")
    assert main(["verify", "--ledger", str(file)]) == 0
    assert main(["verify", "--ledger", str(file), "--record"]) == 0
    record = tmp_path / "paper.recorded.json"
    assert json.loads(record.read_text(encoding="utf-8")) == {"E1": "proved"}
    record.write_text('{"E1": "refuted"}', encoding="utf-8")
    assert main(["verify", "--ledger", str(file)]) == 1
    assert "E1 is proved, recorded as refuted" in capsys.readouterr().err
    record.write_text('{"E1": "maybe"}', encoding="utf-8")
    assert main(["verify", "--ledger", str(file)]) == 2


def test_a_claim_of_another_ledger_is_not_sampled_as_the_papers():
    """Planted: an ID of the paper's on a false formula; the paper's own torch test would say that it holds."""
    paper = Paper.of("T", "S", [Claim("T1.4a", formulas=("jacobian(y, x) == diag(y)",), let="x: K; y = softmax(x)")])
    result = Ledger(paper.claims).result("T1.4a")
    assert result.verdict is Verdict.REFUTED
    assert "torch autograd" not in {item.engine for item in result.evidence}


def test_words_in_a_file_and_what_decides_them_in_python(tmp_path):
    file = tmp_path / "section.toml"
    file.write_text("[[claim]]\nid = 'P'\nstatement = 'one is one'\nquote = 'one'\n" + CLAIM, encoding="utf-8")
    one = Check("counting", lambda facts: facts.same("one is one", 1, 1), "one")
    claims = claims_of(file, {"P": by(one, remark="so it is")})
    assert [claim.id for claim in claims] == ["P", "E1"]
    assert (claims[0].quote, claims[0].remark) == ("one", "so it is")
    assert {Ledger({claim.id: claim}).result(claim.id).verdict for claim in claims} == {"proved"}
    with pytest.raises(LedgerError, match=r"section.toml: P: it has no formulas"):
        claims_of(file, {})
    with pytest.raises(LedgerError, match="there is no claim Q"):
        claims_of(file, {"P": by(one), "Q": by(one)})
    file.write_text("[[claim]]\nid = 'P'\nstatment = 'one is one'\n", encoding="utf-8")
    with pytest.raises(LedgerError, match="there is no statment"):
        claims_of(file, {"P": by(one)})


@pytest.mark.parametrize("option", ["--kernel", "--supplement=-"])
def test_what_is_the_papers_alone_is_refused(option):
    assert main(["verify", "--ledger", str(EXAMPLE), option]) == 2
