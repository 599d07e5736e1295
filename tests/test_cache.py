"""Evidence that is kept between runs: found again while its digest stands, stale when a part of it has changed."""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from rich.console import Console

from softmax_trick.ledger import digests
from softmax_trick.ledger.cache import Cache
from softmax_trick.ledger.claims import Check, Claim, Verdict
from softmax_trick.ledger.digests import digest
from softmax_trick.ledger.run import Ledger, as_json
from softmax_trick.proofs import CLAIMS, theorem_1, verify
from softmax_trick.report.console import claim_in_full
from softmax_trick.report.ledger_page import ledger_page

runs: list[str] = []


def counted(facts):
    runs.append("run")
    facts.same("one is one", 1, 1)


def claim(statement="$1 = 1$", **changes):
    checks = (Check("counting", counted, "one"),)
    return Claim(**{"id": "X.one", "title": "one", "statement": statement, "source": "s", "checks": checks} | changes)


def results(folder, *claims, **options):
    ledger = Ledger({one.id: one for one in claims}, cache=Cache(folder), **options)
    return [ledger.result(one.id) for one in claims]


@pytest.fixture(autouse=True)
def _no_runs_yet():
    runs.clear()


def test_an_unchanged_claim_is_not_run_again(tmp_path):
    [first] = results(tmp_path, claim())
    [second] = results(tmp_path, claim())
    assert len(runs) == 1
    assert (first.cached, second.cached) == (False, True)
    assert second.evidence == first.evidence
    assert second.verdict is Verdict.PROVED


def test_fresh_ignores_what_was_kept_and_keeps_the_new(tmp_path):
    results(tmp_path, claim())
    [result] = results(tmp_path, claim(), fresh=True)
    assert len(runs) == 2
    assert not result.cached


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"statement": "$1 = 1$, of course"}, "statement"),
        ({"hypotheses": ("$1 > 0$",)}, "statement"),
        ({"classes": range(1, 3)}, "statement"),
    ],
)
def test_a_changed_statement_is_stale_and_runs_again(tmp_path, change, part):
    results(tmp_path, claim())
    [known] = results(tmp_path, claim(**change), run=False)
    assert known.stale == (part,)
    [result] = results(tmp_path, claim(**change))
    assert len(runs) == 2
    assert not result.stale


def test_a_changed_checker_is_stale(tmp_path, monkeypatch):
    results(tmp_path, claim())
    monkeypatch.setattr(digests, "_digests_of", digests._digests_of.__wrapped__)
    original = digests._text
    monkeypatch.setattr(
        digests, "_text", lambda name: original(name) + "# changed" * name.endswith("symbolic.decision")
    )
    [known] = results(tmp_path, claim(), run=False)
    assert known.stale == ("checker",)


def test_data_belong_to_the_checker():
    """A changed cell of a table is a changed module: what the paper prints lies in files of its own."""
    text = digests._text("softmax_trick.proofs.printed")
    assert "60.61" in text
    ast.parse(text)


def test_another_version_of_a_library_is_stale(tmp_path, monkeypatch):
    results(tmp_path, claim())
    monkeypatch.setattr(digests, "libraries", lambda: {"sympy": "0.0"})
    [known] = results(tmp_path, claim(), run=False)
    assert known.stale == ("libraries",)


def test_without_running_what_is_unknown_stays_so(tmp_path):
    [known] = results(tmp_path, claim(), run=False)
    assert runs == []
    assert known.evidence == ()


def test_the_checker_reaches_from_a_claim_to_the_engines_it_runs():
    reached = digests._reachable("softmax_trick.proofs.theorem_1") | digests._reachable("softmax_trick.ledger.run")
    for name in (
        "symbolic.decision",
        "symbolic.fractions",
        "symbolic.second_opinion",
        "ledger.proof",
        "symbolic.enclosure",
    ):
        assert f"softmax_trick.{name}" in reached
    assert "softmax_trick.proofs.theorem_a1" not in reached  # one proof is not another's checker
    assert "softmax_trick.training.loop" not in reached


def test_two_claims_of_one_module_differ_in_their_statements_only():
    first, second = digest(CLAIMS["T1.1r"]), digest(CLAIMS["T1.2r"])
    assert first.changes(second) == ["statement"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0}', '{"format": 1}', '{"format": 1, "digest": {}}'])
def test_a_broken_file_is_as_good_as_none(tmp_path, content):
    results(tmp_path, claim())
    (tmp_path / "X.one.json").write_text(content)
    [result] = results(tmp_path, claim())
    assert not result.cached
    assert json.loads((tmp_path / "X.one.json").read_text())["evidence"]


def test_a_crash_is_not_kept(tmp_path):
    def crashes(facts):
        raise ZeroDivisionError

    [result] = results(tmp_path, claim(checks=(Check("counting", crashes, "one"),)))
    assert "crashed" in result.judgement.reason
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    ledger = Ledger({"X.one": claim()}, cache=(cache := Cache(tmp_path / "file")))
    assert ledger.result("X.one").verdict is Verdict.PROVED
    assert "file" in str(cache.trouble)


def test_kept_evidence_is_what_was_found(tmp_path):
    names = ["T1.1", "A1r.unity"]
    found = results(tmp_path, *(CLAIMS[name] for name in names))
    again = results(tmp_path, *(CLAIMS[name] for name in names))
    for one, other in zip(found, again, strict=True):
        assert one.evidence == other.evidence
        assert one.witness == other.witness
        assert one.judgement == other.judgement


def test_conditional_verdicts_follow_from_the_present_not_from_the_cache(tmp_path):
    """B rests on A. A is proved in the first run and undecided in the second: B is conditional, though it is cached."""

    def rests(facts):
        facts.rests_on("X.one", "by X.one")

    def undecided(facts):
        raise ValueError

    b = claim(id="X.two", checks=(Check("counting", rests, "one"),))
    assert [r.verdict for r in results(tmp_path, claim(), b)] == ["proved", "proved"]
    _, second = results(tmp_path, claim("$2$", checks=(Check("counting", undecided, "one"),)), b)
    assert second.cached
    assert second.conditional_on == ("X.one",)
    assert second.verdict is Verdict.UNDECIDED


def test_the_python_interface_uses_no_cache(monkeypatch):
    monkeypatch.setattr(Cache, "find", lambda *_: pytest.fail("the cache was read"))
    assert verify("T1.1r")[0].verdict is Verdict.PROVED
    assert theorem_1.CLAIMS[1].id == "T1.1r"


# --- evidence is believed if the user's own runs have found it, and no other ------------------------------------------


def edited(folder, change, name="X.one"):
    """The evidence that is kept for the claim, changed."""
    entry = json.loads((folder / f"{name}.json").read_text())
    change(entry)
    (folder / f"{name}.json").write_text(json.dumps(entry))


def to_holds(entry):
    entry["evidence"][0] |= {"outcome": "holds", "witness": None, "reason": "", "complete": True}


def refuted(**changes):
    def fails(facts):
        runs.append("run")
        facts.same("one is two", 1, 2)

    return claim(**{"checks": (Check("counting", fails, "one"),)} | changes)


@pytest.mark.parametrize(
    "change",
    [
        to_holds,
        lambda entry: entry["evidence"].clear(),
        lambda entry: entry["digest"].update(checker="0" * 16),
        lambda entry: entry.update(gathered="2000-01-01T00:00:00+00:00"),
        lambda entry: entry.pop("signature"),
        lambda entry: entry.update(signature=None),
        lambda entry: entry.update(signature="0" * 64),
        lambda entry: entry.update(signature="é"),
    ],
)
def test_an_edited_line_is_not_believed(tmp_path, change):
    [first] = results(tmp_path, refuted())
    assert first.verdict is Verdict.REFUTED
    edited(tmp_path, change)
    assert not results(tmp_path, refuted(), run=False)[0].evidence
    [again] = results(tmp_path, refuted())
    assert (again.verdict, again.cached, len(runs)) == (Verdict.REFUTED, False, 2)


def test_evidence_of_another_claim_is_not_believed(tmp_path):
    results(tmp_path, claim(), refuted(id="X.two"))
    (tmp_path / "X.two.json").write_bytes((tmp_path / "X.one.json").read_bytes())
    [result] = results(tmp_path, refuted(id="X.two"))
    assert (result.verdict, result.cached) == (Verdict.REFUTED, False)


def test_evidence_under_another_key_is_not_believed(tmp_path):
    for name, cached in (("one", False), ("one", True), ("two", False)):
        ledger = Ledger({"X.one": claim()}, cache=Cache(tmp_path / "evidence", tmp_path / name))
        assert ledger.result("X.one").cached == cached
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert len((tmp_path / name).read_bytes()) == 32


@pytest.mark.parametrize("fault", ["short", "readable", "a link", "a folder"])
def test_a_key_that_is_not_the_users_alone_signs_nothing(tmp_path, fault):
    key, other = tmp_path / "key", tmp_path / "other"
    other.write_bytes(bytes(32))
    other.chmod(0o600)
    match fault:
        case "short":
            key.touch(0o600)
        case "readable":
            key.write_bytes(bytes(32))
            key.chmod(0o644)
        case "a link":
            key.symlink_to(other)
        case "a folder":
            key.mkdir(0o700)
    cache = Cache(tmp_path / "evidence", key)
    result = Ledger({"X.one": claim()}, cache=cache).result("X.one")
    assert result.verdict is Verdict.PROVED
    assert cache.trouble
    assert not Ledger({"X.one": claim()}, cache=cache).result("X.one").cached


def test_a_deeply_nested_file_is_as_good_as_none(tmp_path):
    results(tmp_path, claim())
    (tmp_path / "X.one.json").write_text("[" * 100_000)
    assert not results(tmp_path, claim())[0].cached


def test_a_link_in_the_place_of_a_temporary_name_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f"X.one.{os.getpid()}.part").symlink_to(tmp_path / "mine")
    results(tmp_path, claim())
    assert (tmp_path / "mine").read_text() == "mine"


def test_an_earlier_run_is_shown_everywhere(tmp_path, capsys):
    for cached in (False, True):
        [result] = results(tmp_path, claim())
        [entry] = as_json([result])["claims"]
        Console(width=120, file=sys.stdout).print(claim_in_full(result))
        said = capsys.readouterr().out
        page = ledger_page([result])
        if cached:
            assert datetime.fromisoformat(entry["earlier_run"]["gathered"]) <= datetime.now(UTC)
            assert entry["earlier_run"]["changed"] == []
            assert f"of an earlier run, gathered at {result.gathered}" in said
            assert f"by an earlier run, at {result.gathered}" in page
        else:
            assert entry["earlier_run"] is None
            assert "earlier run" not in said + page


def test_what_runs_the_checks_is_part_of_the_digest(tmp_path):
    assert {"python", "platform", "scipy", "sympy"} <= digests.libraries().keys()
    assert platform.machine() in digests.libraries()["platform"]
    optimized = "from softmax_trick.ledger.digests import libraries; print(libraries()['platform'])"
    done = subprocess.run([sys.executable, "-O", "-c", optimized], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{digests.libraries()['platform']}, optimized 1"
