"""The rungs of evidence: what each means, what one must believe to take its word, and how many claims stand on it.

Its table stands in README.md between two lines that mark its place; `softmax_trick.report.renewal` renews it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from softmax_trick.ledger.claims import RUNGS, Rung, Verdict
from softmax_trick.ledger.run import Result

BEGIN = "<!-- Made by make record -->"
END = "<!-- end of the table of rungs -->"


@dataclass(frozen=True)
class Meaning:
    """What a rung is, and what somebody who accepts its verdicts takes on trust."""

    is_: str
    believed: str


MEANINGS: dict[Rung, Meaning] = {
    "sampled": Meaning(
        "floating-point tests and training runs; they prove nothing",
        "that what was drawn or run is typical; torch",
    ),
    "enclosed": Meaning(
        "rigorous interval arithmetic",
        "Arb (python-flint), and the code here that builds the intervals",
    ),
    "exact": Meaning(
        "exact arithmetic or algebra, for the K listed or for all cells of a table; or an exact counterexample",
        "SymPy's derivatives, FLINT's polynomials (python-flint), z3, Python; softmax_trick.symbolic; the steps that "
        "are marked as cited",
    ),
    "general": Meaning(
        "exact algebra for symbolic K, hence for every K",
        "the same, and the rules of softmax_trick.symbolic for sums over k = 1..K",
    ),
    "kernel": Meaning(
        "the kernel of Coq has checked a proof for every K that the claim speaks of; no step is cited",
        "Coq's kernel; the axioms of its real numbers; that the theorem and its definitions, as proofs/coq/ties.toml "
        "has them, say what the claim says",
    ),
}
COMMON = "On every rung one must believe that the claim, as it is stated here, is what the paper says."


def counts(results: Sequence[Result]) -> dict[Rung, Counter[Verdict]]:
    """How many claims of each verdict stand on each rung."""
    found: dict[Rung, Counter[Verdict]] = {rung: Counter() for rung in RUNGS}
    for result in results:
        if result.rung:
            found[result.rung][result.verdict] += 1
    return found


def in_words(numbers: Counter[Verdict]) -> str:
    """Such as "12 proved, 3 refuted"."""
    return ", ".join(f"{numbers[verdict]} {verdict}" for verdict in Verdict if numbers[verdict]) or "none"


def markdown(without: Sequence[Result], with_kernel: Sequence[Result]) -> str:
    """The table for the README, of the results without Coq and with it."""
    lines = ["| rung | is | one must believe | `verify` | `verify --kernel` |", "|---|---|---|---|---|"]
    before, after = counts(without), counts(with_kernel)
    for rung in RUNGS:
        cells = (rung, MEANINGS[rung].is_, MEANINGS[rung].believed, in_words(before[rung]), in_words(after[rung]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def placed(text: str, table: str) -> str:
    """The text with the table in its place.

    Raises:
        ValueError: the text does not have the two lines that mark the place.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the table's place is between the lines {BEGIN} and {END}")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"
