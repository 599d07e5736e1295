"""How a function of another project is tried: every sub-check by itself, what fails held against what was found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

# A sub-check by itself: it returns what the subject refuses where a refusal is no fault, and raises AssertionError.
SubCheck = Callable[[], tuple[str, ...]]
Kind = Literal["fault", "precision", "documented"]
KINDS: Mapping[Kind, str] = {
    "fault": "A fault.",
    "precision": "A matter of precision.",
    "documented": "No fault: documented by its authors.",
}


@dataclass(frozen=True)
class Finding:
    """Why sub-checks of a subject fail.

    Attributes:
        title: what happens, in a line.
        checks: the sub-checks that fail by it.
        kind: what to make of it.
        text: the explanation, Markdown.
        reproducer: a program of a few lines, without this project; one for every fault.
        prints: what the reproducer prints where it shows the fault.
    """

    title: str
    checks: tuple[str, ...]
    kind: Kind
    text: str
    reproducer: str = ""
    prints: str = ""


@dataclass(frozen=True)
class Subject:
    """A function of another project.

    Attributes:
        name: the function, as its users call it.
        how: how it was called, and what was checked.
        build: imports it, and gives its sub-checks by name.
        findings: why some of them fail.
    """

    name: str
    how: str
    build: Callable[[], Mapping[str, SubCheck]]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of the sub-checks of a subject: names, and for those that failed the first line of the failure."""

    passed: tuple[str, ...]
    refused: tuple[str, ...]
    failed: Mapping[str, str]


def tried(checks: Mapping[str, SubCheck], only: Iterable[str] | None = None) -> Outcome:
    """Run each of these sub-checks, or those named in `only`."""
    passed, refused, failed = [], set(), {}
    for name in checks if only is None else only:
        try:
            refused |= set(checks[name]())
        except AssertionError as failure:
            failed[name] = (str(failure).splitlines() or ["an assertion"])[0]
        else:
            passed.append(name)
    return Outcome(tuple(passed), tuple(sorted(refused)), failed)


def unexplained(subject: Subject, outcome: Outcome) -> list[str]:
    """Where the outcome is not what the findings say: failures without a finding, and findings without a failure."""
    explained = {check for finding in subject.findings for check in finding.checks}
    new = [f"fails, and no finding says why: {text}" for name, text in outcome.failed.items() if name not in explained]
    gone = [f"{name} passes, and a finding says it fails" for name in outcome.passed if name in explained]
    return [f"{subject.name}: {line}" for line in new + gone]


def reproduced(finding: Finding) -> str:
    """What the reproducer prints, run by itself.

    Raises:
        RuntimeError: it does not print what the finding says, and so does not show the fault.
    """
    done = subprocess.run(
        [sys.executable, "-c", finding.reproducer], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    if done.returncode or done.stdout.strip() != finding.prints.strip():
        raise RuntimeError(f"{finding.title}: the reproducer does not show it: {done.stdout}{done.stderr}")
    return done.stdout.strip()


# --- sub-checks -------------------------------------------------------------------------------------------------------


def demand(holds: bool, otherwise: str) -> tuple[str, ...]:
    """Nothing refused, if it holds; an `assert` would be left out by python -O."""
    if not holds:
        raise AssertionError(otherwise)
    return ()


def loss_checks(loss: Callable[..., Tensor], only: tuple[str, ...] = (), **arguments: Any) -> dict[str, SubCheck]:
    """The sub-checks of check_loss, each by itself; all, or only those named."""
    from softmax_trick.testing import check_loss
    from softmax_trick.testing.losses import KEYWORDS, LOSS_CHECKS

    features = arguments.get("features", ())
    together = ["features together"] if len(set(features) & set(KEYWORDS)) > 1 else []
    soft = arguments.get("targets") == "soft" or "soft_targets" in features
    off = ["off the simplex"] if soft and arguments.get("normalizer", "softmax") == "softmax" else []

    def by_itself(name: str) -> SubCheck:
        return lambda: check_loss(loss, checks=[name], **arguments).refused

    return {name: by_itself(name) for name in only or (*LOSS_CHECKS, *off, *features, *together)}


def normalizer_checks(
    fn: Callable[[Tensor], Tensor], like: str = "softmax", only: tuple[str, ...] = ()
) -> dict[str, SubCheck]:
    """The sub-checks of check_normalizer, each by itself; all, or only those named."""
    from softmax_trick.testing import check_normalizer
    from softmax_trick.testing.normalizers import NORMALIZER_CHECKS, SOFTMAX_CHECKS

    every = (*NORMALIZER_CHECKS, *(SOFTMAX_CHECKS if like == "softmax" else ()))

    def by_itself(name: str) -> SubCheck:
        return lambda: check_normalizer(fn, like, checks=[name]).refused

    return {name: by_itself(name) for name in only or every}
