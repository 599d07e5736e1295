"""Try the checks of softmax_trick.testing on losses and normalizers of other projects, and write docs/peers.md.

    python peers/check.py [--out FILE]
    python peers/check.py SUBJECT ...

Every sub-check is run by itself, so that one failure hides no other. Each failure has to be explained in `SUBJECTS`,
and each explained failure has to occur: otherwise the exit status is 1. Reproducers are run as they are printed.
With names of subjects (or the beginning of names) only these are tried, and no file is written.
"""

from __future__ import annotations

import argparse
import platform
import sys
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from subjects import SUBJECTS
from trying import KINDS, Outcome, Subject, reproduced, tried, unexplained

from softmax_trick.system.files import write_whole

PACKAGES = ("torch", "scipy", "scikit-learn", "entmax", "jax", "jaxlib", "optax", "numpy", "hypothesis")
ROOT = Path(__file__).resolve().parents[1]


def result(outcome: Outcome) -> str:
    """The outcome in a cell of the table."""
    parts = [f"passed: {len(outcome.passed)} of {len(outcome.passed) + len(outcome.failed)}"]
    if outcome.refused:
        parts.append(f"refused: {', '.join(outcome.refused)}")
    if outcome.failed:
        parts.append(f"**failed:** {', '.join(outcome.failed)}")
    return "; ".join(parts)


def row(subject: Subject, outcome: Outcome) -> str:
    """The line of the table for a subject."""
    return f"| {subject.name} | {subject.how} | {result(outcome)} |"


def page(outcomes: Mapping[str, Outcome], printed: Mapping[str, str]) -> str:
    """docs/peers.md: the table, then each finding once."""
    from softmax_trick.testing.running import EXAMPLES

    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Tried on the code of others",
        "",
        "The checks of `softmax_trick.testing` ([docs/testing.md](testing.md)), on losses and normalizers that",
        "nobody here wrote. Made by `make peers`, that is `python peers/check.py`; not edited by hand.",
        "",
        f"Python {platform.python_version()}, CPU; {versions}.",
        "",
        "| subject | what was checked | result |",
        "|---|---|---|",
        *(row(subject, outcomes[subject.name]) for subject in SUBJECTS),
        "",
        "Refused is what raises an exception where a refusal is no fault. To pass means that none of the examples, up",
        f"to {EXAMPLES} for each sub-check, contradicts, and no more.",
        "",
        "## Why some failed",
    ]
    for finding in dict.fromkeys(finding for subject in SUBJECTS for finding in subject.findings):
        lines += ["", f"### {finding.title}", "", f"**{KINDS[finding.kind]}** Fails: {', '.join(finding.checks)}."]
        lines += [finding.text]
        if finding.reproducer:
            lines += ["", "```python", finding.reproducer.strip(), "```", "", "prints"]
            lines += ["", "```text", printed[finding.title], "```"]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Try the subjects, run the reproducers, write the page; 1 if anything is not as the findings say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT")
    page = ROOT / "docs" / "peers.md"
    parser.add_argument("--out", type=Path, default=page, help="where the page is written (docs/peers.md)")
    options = parser.parse_args(arguments)
    chosen = [one for one in SUBJECTS if not options.subjects or one.name.startswith(tuple(options.subjects))]
    if not chosen:
        parser.error(f"no subject of that name: choose among {', '.join(one.name for one in SUBJECTS)}")
    warnings.filterwarnings("ignore", message="(?s).*options.*ignored; chunked path")
    outcomes, printed, wrong = {}, {}, []
    for subject in chosen:
        outcomes[subject.name] = outcome = tried(subject.build())
        print(f"{subject.name}: {result(outcome)}", flush=True)
        wrong += unexplained(subject, outcome)
        for finding in subject.findings:
            if finding.reproducer and finding.title not in printed:
                try:
                    printed[finding.title] = reproduced(finding)
                except RuntimeError as error:
                    wrong.append(str(error))
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong and len(chosen) == len(SUBJECTS):
        write_whole(options.out, page(outcomes, printed))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
