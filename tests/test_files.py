"""Files are written whole or not at all, and output that cannot be written is one line: no traceback, nothing lost."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.func import jacrev

from softmax_trick.cli import main
from softmax_trick.proofs import sampled
from softmax_trick.system.files import parse_json, printable, write_whole

ROOT = Path(__file__).parents[1]


# --- writing ----------------------------------------------------------------------------------------------------------


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("fails", ["fsync", "replace", "chmod"])
def test_whatever_fails_the_file_is_as_it_was_and_nothing_is_beside_it(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "page").write_text("before")
    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "page", "after", synced=True)
    assert (tmp_path / "page").read_text() == "before"
    assert names(tmp_path) == {"page"}
    monkeypatch.setattr(os, fails, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "page", "after", synced=True)
    assert names(tmp_path) == {"page"}


def test_what_is_kept_of_a_file_that_is_replaced(tmp_path: Path) -> None:
    page, link = tmp_path / "page", tmp_path / "link"
    page.write_text("before")
    page.chmod(0o640)
    link.symlink_to(page)
    write_whole(link, "after")
    assert link.is_symlink()
    assert (page.read_text(), page.stat().st_mode & 0o777) == ("after", 0o640)
    mask = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", b"\xff")
    finally:
        os.umask(mask)
    assert ((tmp_path / "new").read_bytes(), (tmp_path / "new").stat().st_mode & 0o777) == (b"\xff", 0o640)
    write_whole(Path("/dev/null"), "discarded")
    assert Path("/dev/null").is_char_device()


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True)
    write_whole(tmp_path / "pipe", "through")
    assert reader.communicate()[0] == "through"
    assert names(tmp_path) == {"pipe"}


def test_names_as_long_as_names_can_be(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), "x")
    assert names(tmp_path) == {"n" * 255}


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 10**6, "nested too deeply"),
        (b'{"a":' * 10**6, "nested too deeply"),
        (b"NaN", "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"1e400", "1e400 is too large"),
        (b"9" * 5000, r"9999.*\.\.\. is too large"),
        (b"-99999999999999999999", "too large"),
        (b"\xff", "utf-8"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_no_json_or_means_no_good(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(content)


def test_json_is_read_as_it_is() -> None:
    value = {"a": [1, -2.5, 1e300, 2**64, None, True, "é\x1b"], "b": {}}
    assert parse_json(json.dumps(value).encode()) == value


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert printable("a\x1b[31m\x07\u202e\udc80é\n") == "a\\x1b[31m\\x07\\u202e\\udc80é\n"


# --- output that cannot be written ------------------------------------------------------------------------------------


def run(shell: str) -> subprocess.CompletedProcess[str]:
    """A command line, `$softmax` being ours."""
    softmax = f"{sys.executable} -m softmax_trick.cli"
    return subprocess.run(["bash", "-c", shell.replace("$softmax", softmax)], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("command", ["verify --list", "--version"])
def test_standard_output_that_is_full_or_closed(command: str) -> None:
    for where, said in (("> /dev/full", "cannot write to standard output: No space left"), (">&-", "output is closed")):
        done = run(f"$softmax {command} {where}")
        assert done.returncode == 1, done.stderr
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_standard_error_that_is_closed_is_not_standard_output() -> None:
    done = run("$softmax verify no-such-claim 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_reader_that_has_had_enough_loses_no_file(tmp_path: Path) -> None:
    done = run(f"$softmax report results/table1.json --json {tmp_path / 'T'} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert json.loads((tmp_path / "T").read_text())
    assert names(tmp_path) == {"T"}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("folder", "it is a folder"),
        ("no/such/page", "its folder does not exist"),
        ("circle", "cannot write .*circle: "),
        ("n" * 300, "cannot write .*nnn: File name too long"),
        ("a\0b", "cannot write "),
    ],
)
def test_places_that_cannot_be_written(
    target: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for command in (
        ["verify", "T1.1", "--json"],
        ["verify", "T1.1", "--html"],
        ["certify", "--component", "x1", "--json"],
    ):
        assert main([*command, str(tmp_path / target)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert re.search(message, line)
    assert main(["verify", "T1.1", "--json", str(tmp_path / "a"), "--html", str(tmp_path / "a")]) == 2
    assert "only one output can go to" in capsys.readouterr().err
    assert names(tmp_path) == {"folder", "circle"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert main(["verify", "T1.1", "--json", str(tmp_path / "page")]) == 2
    assert "permission denied" in capsys.readouterr().err
    tmp_path.chmod(0o700)


# --- results files of others ------------------------------------------------------------------------------------------

RUN = {"network": "n0", "loss": "softmax", "dataset": "mnist", "seed": 0, "epochs": 40, "correct": 9, "test_images": 10}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "is not JSON: it is nested too deeply"),
        (
            json.dumps({"schema": 1, "version": "1", "runs": [{**RUN, "settings": {"a": "\x1b[31m"}}]}),
            "cannot be printed",
        ),
        (json.dumps({"schema": 1, "version": "1", "runs": [{**RUN, "loss": "\u202esoftmax"}]}), "cannot be printed"),
        (json.dumps({"schema": "\x1b[31m", "version": "\x1b]0;x\x07"}), r"by softmax-trick \\x1b]0;x\\x07 with schema"),
        (json.dumps({"schema": 1, "version": "1", "runs": "\x1b[31m" * 1000}), "does not fit its schema"),
        (json.dumps({"schema": 1, "version": "1", "runs": [{**RUN, "correct": 11}]}), "11 of 10 images are correct"),
        (json.dumps({"schema": 1, "version": "1", "runs": [{**RUN, "seed": 10**30}]}), "is too large"),
        ('{"schema": 1, "version": "1", "runs": [{"tau": 1e999}]}', "the number 1e999 is too large"),
        ("3", "does not fit its schema"),
        ("[[[[[]]]]]", "does not fit its schema"),
    ],
)
def test_results_files_of_any_content(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "\x1b[31m.json"
    file.write_text(text)
    for command in (["report", str(tmp_path)], ["verify", "T1.1", "--results", str(file)]):
        assert main(command) == 2
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        assert re.search(message, line)
        assert len(line) < 1000
        assert "\x1b" not in said.err + said.out


def test_the_name_of_a_results_file_does_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "\x1b[31mruns"
    folder.mkdir()
    (folder / "\x1b[31m.json").write_text(json.dumps({"schema": 1, "version": "1", "runs": [RUN]}))
    assert main(["report", str(folder)]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err


# --- no check rests on assert -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["softmax_trick", "proofs", "peers", "benchmarks"])
def test_no_check_is_an_assert(folder: str) -> None:
    """`python -O` leaves them out: two engines that sampled had nothing left to fail by."""
    asserts = [
        f"{path}:{node.lineno}"
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []


def test_sampled_engines_notice_what_they_asserted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: twice the Jacobian, so that neither (P3) nor (P2) holds."""
    monkeypatch.setattr(torch.func, "jacrev", lambda f: lambda x: 2 * jacrev(f)(x))
    assert str(sampled.disagreement("A1.1-2")).startswith("for K = 2 the sides differ by ")
    with pytest.raises(ArithmeticError, match=r"this F has not \(P2\)"):
        sampled.disagreement("A1.2-1")
