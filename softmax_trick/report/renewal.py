"""What in the repository follows from the ledger, made anew by `make record`.

All claims are decided, those of the works beside the paper too; the paper's without Coq and, where it is, with it.
Then are written: the recorded verdicts of every ledger, the errata and their supplement, the page of the works, the
picture of the ledger, and in README.md its counts, the table of rungs and the example of a claim.
Nothing is written before all is decided.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from softmax_trick.ledger.cache import Cache
from softmax_trick.ledger.kernel import HOW_TO_INSTALL, find_coqc
from softmax_trick.ledger.kernel import run as ask_coq
from softmax_trick.ledger.paper import MainFinding
from softmax_trick.ledger.run import Ledger, Result, left_out
from softmax_trick.measurements.results import committed_results
from softmax_trick.proofs import CLAIMS, PAPER, in_coq
from softmax_trick.proofs.main_findings import MAIN_FINDINGS
from softmax_trick.proofs.mutants import catalogue
from softmax_trick.proofs.works.together import EVERY, WORKS
from softmax_trick.report import rungs
from softmax_trick.report.claims_table import confirmed
from softmax_trick.report.console import claim_in_full, counts, show, table_of_parts
from softmax_trick.report.errata import errata, supplement, works_page
from softmax_trick.system.files import write_whole

WIDTH = 112  # characters of the picture
EXAMPLE = "A1.2-1"
FINDINGS = (
    "<!-- Made by make record, from proofs/main_findings.py -->",
    "<!-- end of the main findings -->",
)


def main() -> None:
    """Decide all claims and write all that follows."""
    root = Path.cwd()
    if not (root / "README.md").is_file() or not (root / "proofs" / "recorded.json").is_file():
        sys.exit("run this at the top of a checkout: there is no README.md beside proofs/recorded.json here")
    coqc = find_coqc()
    if not coqc:
        print(f"README.md's table of rungs is left as it is: it needs coqc ({HOW_TO_INSTALL})", file=sys.stderr)
    kernels = [None, ask_coq(coqc, in_coq()).add_to] if coqc else [None]
    ledgers = [Ledger(CLAIMS, cache=Cache(), results=committed_results(), kernel=one) for one in kernels]
    results, *lifted = (_decided(ledger, CLAIMS) for ledger in ledgers)
    beside = Ledger(EVERY, cache=Cache())
    found = _decided(beside, [claim for work in WORKS.values() for claim in work.claims])
    if missing := left_out([*results, *found]):
        sys.exit(f"nothing is renewed: {missing}")
    works = {name: (work, [beside.result(claim) for claim in work.claims]) for name, work in WORKS.items()}
    readme = renewed((root / "README.md").read_text(encoding="utf-8"), results, lifted[0] if lifted else None)
    pages = {
        "docs/errata.md": errata(results),
        "docs/errata-supplement.md": supplement(results),
        "docs/works.md": works_page(works),
        "docs/ledger.svg": picture(results),
        "README.md": readme,
    }
    for name, text in pages.items():
        write_whole(root / name, text)
    for paper, of in ((PAPER, results), *works.values()):
        paper.keep({result.claim.id: result.verdict for result in of})
    print(f"{len(results)} claims: {counts(results)}; {len(found)} of other works: {counts(found)}")
    print(f"{', '.join(pages)} and the records are renewed")


def _decided(ledger: Ledger, names: Iterable[str]) -> list[Result]:
    wanted = tuple(names)
    with ledger.gathering(wanted):
        return [ledger.result(name) for name in wanted]


def picture(results: Sequence[Result]) -> str:
    """The counts of the ledger as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    show(console, table_of_parts(results))
    return console.export_svg(title="softmax-trick verify", theme=MONOKAI, unique_id="ledger")


def renewed(readme: str, results: Sequence[Result], lifted: Sequence[Result] | None) -> str:
    """README.md with the counts, the example and, if the results with Coq are given, the table of rungs of now."""
    number = r"\d+ (?:proved|refuted|measured|undecided)"
    changes = [
        (rf"(?<=The ledger: )\d+ claims, {number}(?:, {number})*", f"{len(results)} claims, {counts(results)}"),
        (rf"^\d+ claims: {number}(?:, {number})*$", f"{len(results)} claims: {counts(results)}"),
        (r"\d+(?= false neighbours)", str(len(catalogue()))),
    ]
    for pattern, text in changes:
        readme = re.sub(pattern, text, readme, flags=re.MULTILINE)
    readme = _between(readme, FINDINGS, "\n".join(_finding(one) for one in confirmed(MAIN_FINDINGS, results)))
    head, command, rest = readme.partition(f"$ softmax-trick verify {EXAMPLE}\n")
    [example] = [result for result in results if result.claim.id == EXAMPLE]
    output = io.StringIO()
    show(Console(width=120, file=output), claim_in_full(example))
    shown = "\n".join(line.rstrip() for line in output.getvalue().splitlines() if "of an earlier run" not in line)
    readme = head + command + shown.rstrip() + "\n```" + rest.partition("\n```")[2]
    return rungs.placed(readme, rungs.markdown(results, lifted)) if lifted else readme


def _between(text: str, marks: tuple[str, str], content: str) -> str:
    """The text with the content between two lines that mark its place."""
    head, begin, rest = text.partition(marks[0])
    return f"{head}{begin}\n{content}\n{marks[1]}{rest.partition(marks[1])[2]}"


def _finding(one: MainFinding) -> str:
    sentence = one.sentence.replace("_", r"\_").replace("[0, 1]", r"\[0, 1\]")
    return f"1. {sentence} ({', '.join(one.claims)})"


if __name__ == "__main__":
    main()
