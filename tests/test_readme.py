"""What the README shows is so."""

from __future__ import annotations

import re
import shlex
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from softmax_trick.cli import main
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS
from softmax_trick.report.console import counts
from softmax_trick.report.renewal import renewed

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TESTING, LANGUAGE, ISBE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_language_example():
    imports, statements = LANGUAGE.split("\n\n", 1)
    names: dict[str, object] = {}
    exec(imports, names)
    proved, refuted, _, variables, derived = statements.strip().split("\n")
    exec(variables, names)
    assert eval(proved, names) == "proved"
    assert eval(refuted, names).sizes == {"K": 2}
    assert repr(eval(derived, names)) == derived.partition("# ")[2]


def test_the_decide_and_derive_examples(capsys: pytest.CaptureFixture[str]) -> None:
    block = README.partition("## Derive and decide")[2].partition("```console\n")[2].partition("```")[0]
    printed = ""
    for command in re.findall(r"^\$ softmax-trick (.*)$", block, re.MULTILINE):
        main(shlex.split(command))
        printed += f"$ softmax-trick {command}\n{capsys.readouterr().out}"
    assert printed == block


def test_the_testing_example(check_loss: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("my_package")
    module.__dict__["my_loss"] = torch.nn.functional.cross_entropy
    monkeypatch.setitem(sys.modules, "my_package", module)
    names: dict[str, Callable[..., object]] = {}
    exec(TESTING, names)
    names["test_my_loss"](check_loss)


def test_the_isbe_example():
    net = torch.nn.Linear(3, 4)
    exec(ISBE, {"net": net, "images": torch.randn(5, 3), "labels": torch.tensor([0, 1, 2, 3, 0])})
    assert net.weight.grad is not None


def lasting(text: str) -> list[str]:
    """The lines of an output without what changes from run to run: times, digests, and which run it was."""
    lines = [line.rstrip() for line in text.splitlines() if not line.startswith("evidence    of an earlier run")]
    return [re.sub(r", [\d.]+ s$|\b[0-9a-f]{16}\b", "", line) for line in lines]


def test_the_certify_example(capsys: pytest.CaptureFixture[str]) -> None:
    command, shown = README.partition("$ softmax-trick certify ")[2].partition("\n```")[0].split("\n", 1)
    main(["certify", *shlex.split(command)])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == shown.splitlines()


def test_what_follows_from_the_ledger_is_what_make_record_writes(ledger: Ledger) -> None:
    """The counts, and the example of a claim; planted: a count that is off by one, and a step that is missing."""
    results = [ledger.result(name) for name in CLAIMS]
    assert lasting(renewed(README, results, None)) == lasting(README)
    wrong = README.replace(counts(results), "1 proved").replace("every generalised SoftMax sums to 1", "")
    assert lasting(wrong) != lasting(README) == lasting(renewed(wrong, results, None))
    assert counts(results) in (ROOT / "docs" / "ledger.svg").read_text(encoding="utf-8").replace("&#160;", " ")


def test_every_path_it_names_exists():
    for path in re.findall(r"\]\(([^)#:]+)\)|^\| `([a-z_]+/[^`]*)`", README, re.MULTILINE):
        assert (ROOT / (path[0] or path[1])).exists(), path
