"""What the README shows is so."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from snippets import Wrong, agree, run_page, snippets

from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS
from softmax_trick.proofs.main_findings import MAIN_FINDINGS
from softmax_trick.report.claims_table import summary
from softmax_trick.report.console import counts, show
from softmax_trick.report.renewal import renewed

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST = README[: README.index("**Prove a loss**")]


def test_the_first_command_prints_what_is_shown(tmp_path: Path) -> None:
    """Planted: a line that is not printed."""
    assert run_page(FIRST, tmp_path) == 1
    with pytest.raises(Wrong):
        run_page(FIRST.replace("tau = 2\n", "tau = 3\n"), tmp_path)


@pytest.mark.slow
def test_every_command_and_snippet_does_what_it_shows(tmp_path: Path) -> None:
    assert run_page(README, tmp_path) == len(snippets(README)) >= 8


def test_make_verify_ends_as_shown(ledger: Ledger) -> None:
    """What a terminal gets of all claims, which make passes on."""
    results = [ledger.result(name) for name in CLAIMS]
    console = Console(file=io.StringIO(), width=120)
    show(console, summary(results, MAIN_FINDINGS, console))
    shown = README.partition("$ make verify\n")[2].partition("$ make test")[0]
    agree(console.file.getvalue(), shown)  # type: ignore[attr-defined]


def lasting(text: str) -> list[str]:
    """The lines of an output without what changes from run to run: times, digests, and which run it was."""
    lines = [line.rstrip() for line in text.splitlines() if not line.startswith("evidence    of an earlier run")]
    return [re.sub(r", [\d.]+ s$|\b[0-9a-f]{16}\b", "", line) for line in lines]


def test_what_follows_from_the_ledger_is_what_make_record_writes(ledger: Ledger) -> None:
    """The counts, and the example of a claim; planted: a count that is off by one, and a step that is missing."""
    results = [ledger.result(name) for name in CLAIMS]
    assert lasting(renewed(README, results, None)) == lasting(README)
    wrong = README.replace(counts(results), "1 proved").replace("every generalised SoftMax sums to 1", "")
    wrong = wrong.replace("is false as printed", "is right as printed")
    assert lasting(wrong) != lasting(README) == lasting(renewed(wrong, results, None))
    assert all(f"({', '.join(one.claims)})" in README for one in MAIN_FINDINGS)
    assert counts(results) in (ROOT / "docs" / "ledger.svg").read_text(encoding="utf-8").replace("&#160;", " ")


def test_every_path_it_names_exists():
    for path in re.findall(r"\]\(([^)#:]+)\)|^\| `([a-z_]+/[^`]*)`", README, re.MULTILINE):
        assert (ROOT / (path[0] or path[1])).exists(), path
