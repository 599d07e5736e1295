"""peers/check.py and docs/peers.md: the page is that of the table, and what needs no further package is as it says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

ROOT = Path(__file__).parents[1]


sys.path.insert(0, str(ROOT / "peers"))  # the scripts import one another
check, trying = import_module("check"), import_module("trying")
PAGE = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
SUBJECTS = {subject.name: subject for subject in check.SUBJECTS}
FINDINGS = {finding.title: finding for subject in check.SUBJECTS for finding in subject.findings}
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (passed.+?) \|$", PAGE, re.MULTILINE)
QUICK = [
    "torch F.softmax",
    "torch F.log_softmax",
    "torch F.sigmoid",
    "torch F.hardsigmoid",
    "scipy.special.softmax",
    "scipy.special.log_softmax",
    "scipy.special.expit",
]
IN_TORCH = [title for title, finding in FINDINGS.items() if finding.reproducer and "`F." in title]


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_has_a_row_for_each_subject() -> None:
    assert [(name, how) for name, how, _ in ROWS] == [(subject.name, subject.how) for subject in check.SUBJECTS]
    assert len(SUBJECTS) == len(check.SUBJECTS)


def test_the_page_names_every_failure_and_no_other() -> None:
    for name, _, result in ROWS:
        failed = re.findall(r"\*\*failed:\*\* (.+)$", result)
        explained = {one for finding in SUBJECTS[name].findings for one in finding.checks}
        assert set(failed[0].split(", ") if failed else []) == explained, name


def test_the_page_shows_every_reproducer_and_what_it_prints() -> None:
    assert re.findall(r"^### (.+)$", PAGE, re.MULTILINE) == list(FINDINGS)
    for finding in FINDINGS.values():
        assert finding.text in PAGE
        if finding.reproducer:
            assert f"```python\n{finding.reproducer.strip()}\n```\n\nprints\n\n```text\n{finding.prints}\n```" in PAGE


def test_no_fault_is_claimed_without_a_reproducer() -> None:
    for finding in FINDINGS.values():
        assert finding.kind == "documented" or (finding.reproducer and finding.prints), finding.title


def test_the_versions_are_those_that_are_pinned() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "peers" / "requirements.txt").read_text(), re.MULTILINE))
    assert set(pinned) >= {"torch", "entmax", "jax", "jaxlib", "optax", "scipy", "scikit-learn"}
    for name, number in pinned.items():
        assert re.search(rf"\b{re.escape(name)} {re.escape(number)}[+,.]", PAGE), name
    constraints = (ROOT / "constraints.txt").read_text()
    for name in ("torch", "scipy", "numpy"):
        assert f"\n{name}=={pinned[name]}\n" in constraints


# --- what is in this environment too ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_quick_subjects_come_out_as_the_page_says(name: str) -> None:
    outcome = trying.tried(SUBJECTS[name].build())
    assert trying.unexplained(SUBJECTS[name], outcome) == []
    assert check.row(SUBJECTS[name], outcome) in PAGE.splitlines()


def test_scikit_learn_comes_out_as_the_page_says() -> None:
    pytest.importorskip("sklearn")
    subject = SUBJECTS["sklearn.metrics.log_loss"]
    assert check.row(subject, trying.tried(subject.build())) in PAGE.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SUBJECTS if name.startswith("torch") and name not in QUICK])
def test_torchs_losses_fail_where_the_page_says(name: str) -> None:
    explained = [one for finding in SUBJECTS[name].findings for one in finding.checks]
    outcome = trying.tried(SUBJECTS[name].build(), ["value", "gradient", *explained])
    assert outcome.passed == ("value", "gradient")
    assert list(outcome.failed) == explained


@pytest.mark.slow
@pytest.mark.parametrize("title", IN_TORCH)
def test_reproducers_show_the_fault(title: str) -> None:
    assert trying.reproduced(FINDINGS[title]) == FINDINGS[title].prints


# --- the runner notices what it is there for --------------------------------------------------------------------------


def wrong_loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return cross_entropy(scores, targets, reduction="sum") * 1.001


def subject(loss: Any, findings: Iterable[Any] = ()) -> Any:
    return trying.Subject("mine", "as it is", lambda: trying.loss_checks(loss, only=("value", "one class")), findings)


FINDING = trying.Finding("too large", ("value",), "fault", "by 0.1 %", "print(1 + 1)", "2")


def test_a_failure_without_a_finding_is_an_error() -> None:
    outcome = trying.tried(subject(wrong_loss).build())
    assert (outcome.passed, list(outcome.failed)) == (("one class",), ["value"])
    assert "no finding says why: value: the value is wrong" in trying.unexplained(subject(wrong_loss), outcome)[0]
    assert trying.unexplained(subject(wrong_loss, [FINDING]), outcome) == []
    assert check.result(outcome) == "passed: 1 of 2; **failed:** value"


def test_a_finding_without_a_failure_is_an_error() -> None:
    right = subject(lambda x, t: cross_entropy(x, t, reduction="sum"), [FINDING])
    assert trying.unexplained(right, trying.tried(right.build())) == ["mine: value passes, and a finding says it fails"]


@pytest.mark.parametrize("reproducer", ["print(3)", "", "print(2); raise SystemExit(1)", "prin(2)"])
def test_a_reproducer_that_shows_nothing_is_an_error(reproducer: str) -> None:
    assert trying.reproduced(FINDING) == "2"
    with pytest.raises(RuntimeError, match="too large: the reproducer does not show it"):
        trying.reproduced(replace(FINDING, reproducer=reproducer))


def test_main_writes_no_page_where_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "SUBJECTS", (subject(wrong_loss),))
    assert check.main(["--out", str(tmp_path / "page.md")]) == 1
    assert "no finding says why" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_subject_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check.main(["nonesuch"])
    assert "no subject of that name: choose among torch F.cross_entropy" in capsys.readouterr().err
