"""`certify` against truths written down by hand before it saw them: nothing false, and what an engineer asks, decided.

All 238 functions of `certify_truths.tsv` were run once: 0 false answers. Here are those of every kind that once had
one, and a sample of the others:

    python tests/test_certify_truths.py        # all of them; prints what is false or undecided, and the count
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import sympy as sp

from softmax_trick.certification.certificate import PROPERTIES, Certificate
from softmax_trick.certification.certify import certify
from softmax_trick.language.grammar import parse
from softmax_trick.readings.algebraic import Algebraic
from softmax_trick.readings.pointwise import Point

FILE = Path(__file__).with_name("certify_truths.tsv")
SAMPLE = 16  # every so manieth of the others


@dataclass(frozen=True)
class Truth:
    """A line of the file."""

    components: tuple[str, ...]
    letters: str
    facts: dict[str, str]
    was_false: bool = False

    def certificate(self) -> Certificate:
        positive = self.facts["positive"].split(",") if "positive" in self.facts else ()
        return certify(self.components, let="; ".join(f"{name}: positive" for name in positive))

    def faults(self, found: Certificate) -> list[str]:
        """What is false, and what should have been decided."""
        said = [self._about(name, letter, found) for name, letter in zip(PROPERTIES, self.letters, strict=True)]
        lipschitz, ranges = found.lipschitz.extras, found.bounded.extras
        if "L" in self.facts and lipschitz.get("bound"):
            difference = number(lipschitz["bound"]) - number(self.facts["L"])
            if (lipschitz["exact"] and abs(difference) > 1e-20) or difference < -1e-20:
                said.append(f"FALSE: Lipschitz {lipschitz}, not {self.facts['L']}")
        for ends, expected in zip(ranges.get("range") or (), self.facts.get("range", "").split(";"), strict=False):
            for end, right in zip(ends, expected.split(","), strict=False):
                if end is not None and right and number(end) != number(right):
                    said.append(f"FALSE: range {ends}, not {expected}")
        return [one for one in said if one]

    def _about(self, name: str, letter: str, found: Certificate) -> str | None:
        holds, reason = found.properties()[name].holds, found.properties()[name].reason
        if holds is None:
            return f"undecided: {name}: {reason}" if letter in "TF" else None
        return f"FALSE: {name} is not {holds}" if letter == "-" or holds != (letter in "Tt") else None


def number(text: str) -> sp.Expr:
    """A number as the certificate writes it, by its decimals."""
    if text.lstrip("-") == "oo":
        return sp.oo if text == "oo" else -sp.oo
    value = Algebraic(Point({})).entry(parse(text))
    return sp.Float(sp.N(value, 40), 30)


def truths() -> list[Truth]:
    found = []
    for line in FILE.read_text().splitlines():
        if line.startswith("#"):
            continue
        components, letters, *facts = (part.strip() for part in line.split("|"))
        words = facts[0].split() if facts else []
        known = dict(word.split("=", 1) for word in words if "=" in word)
        texts = tuple(component.strip() for component in components.split(";"))
        found.append(Truth(texts, letters, known, "issue" in words))
    return found


TRUTHS = truths()
CHOSEN = [truth for truth in TRUTHS if truth.was_false] + [one for one in TRUTHS if not one.was_false][::SAMPLE]


@pytest.mark.parametrize("truth", CHOSEN, ids=lambda truth: "; ".join(truth.components)[:60])
def test_nothing_is_false(truth: Truth) -> None:
    assert truth.faults(truth.certificate()) == []


def test_a_wrong_truth_is_noticed() -> None:
    """Planted: a table that calls the Tanh positive, its constant 2 and its range (0, 1)."""
    right = Truth(("tanh(x1)",), "TTFFTFFFTTTTT", {"L": "1", "range": "-1,1"})
    found = right.certificate()
    assert right.faults(found) == []
    wrong = Truth(right.components, "TTFTTFFFTTTTT", {"L": "2", "range": "0,1"})
    assert [one.split(":")[0] for one in wrong.faults(found)] == ["FALSE"] * 3


if __name__ == "__main__":
    wrong = undecided = 0
    for one in TRUTHS:
        faults = one.faults(one.certificate())
        wrong += sum(fault.startswith("FALSE") for fault in faults)
        undecided += sum(not fault.startswith("FALSE") for fault in faults)
        if faults:
            print("; ".join(one.components)[:100], *faults, sep="\n    ")
    print(f"{len(TRUTHS)} functions: {wrong} false, {undecided} undecided that should not be")
    sys.exit(bool(wrong))
