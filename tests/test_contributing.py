"""CONTRIBUTING.md is so: every example is put into a copy of the repository, and what stands under it is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # processes of their own

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0]: part for part in TEXT.split("\n## ")[1:]}
EDITS = re.compile(r"In `([^`]+)`:\n\n((?:```diff\n.*?```\n\n?)+)", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
# What starts each command of the page, in the copy.
PROGRAMS = {"softmax-trick": [sys.executable, "-m", "softmax_trick.cli"], "pytest": [sys.executable, "-m", "pytest"]}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is installed, with the proofs inside, and the tests beside it."""
    folder = tmp_path_factory.mktemp("copy")
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "softmax_trick", folder / "softmax_trick", ignore=without)
    shutil.copytree(ROOT / "proofs", folder / "softmax_trick" / "proofs", ignore=without)
    shutil.copytree(ROOT / "results", folder / "softmax_trick" / "results_data", ignore=without)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=without)
    return folder


def place(copy: Path, name: str) -> Path:
    return copy / ("softmax_trick/" + name if name.startswith("proofs/") else name)


def edited(copy: Path, section: str) -> dict[Path, str]:
    """The files of a section's example with the example in them; what surrounds each change stands there once."""
    texts: dict[Path, str] = {}
    for name, changes in EDITS.findall(section):
        file = place(copy, name)
        for change in re.findall(r"```diff\n(.*?)```", changes, re.DOTALL):
            lines = change.splitlines(keepends=True)
            before = "\n" + "".join(line[1:] for line in lines if line[0] == " ")
            after = "\n" + "".join(line[1:] for line in lines)
            text = texts.get(file, file.read_text(encoding="utf-8"))
            assert text.count(before) == 1, (name, before)
            texts[file] = text.replace(before, after)
    return texts


@pytest.mark.parametrize("name", SECTIONS)
def test_the_example_does_what_it_says(copy: Path, name: str, tmp_path: Path) -> None:
    section = SECTIONS[name]
    texts = edited(copy, section)
    assert 1 <= len(texts) <= 2
    before = {file: file.read_text(encoding="utf-8") for file in texts}
    environment = {**os.environ, "PYTHONPATH": str(copy), "SOFTMAX_TRICK_CACHE": str(tmp_path)}
    try:
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
        for block in CONSOLE.findall(section):
            for command, *expected in (one.strip().split("\n") for one in block.split("$ ")[1:]):
                program, *arguments = shlex.split(command)
                out = ["--out", str(tmp_path / str(len(arguments)))] if arguments[0] == "train" else []
                done = subprocess.run(
                    [*PROGRAMS[program], *arguments, *out], cwd=copy, env=environment, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stdout + done.stderr
                for line in expected:
                    assert line in done.stdout + done.stderr, command
    finally:
        for file, text in before.items():
            file.write_text(text, encoding="utf-8")


def test_every_section_has_an_example_and_what_to_see():
    for name, section in SECTIONS.items():
        assert EDITS.search(section), name
        assert CONSOLE.search(section), name


def test_an_example_that_is_not_carried_out_is_noticed(copy: Path, tmp_path: Path) -> None:
    """Planted: the claim is not there."""
    done = subprocess.run(
        [*PROGRAMS["softmax-trick"], "verify", "X.relocation.shift"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "SOFTMAX_TRICK_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "unknown claim" in done.stderr
