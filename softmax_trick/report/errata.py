"""The false statements of the paper, each with a counterexample and a correction, in Markdown for its author.

The text follows from the results alone: the same results give the same text. Formulas are written the way in which
GitHub's Markdown leaves them alone: between $` and `$, or in a block marked math.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from softmax_trick.claims import Claim, Evidence, Verdict
from softmax_trick.ledger import Result
from softmax_trick.proofs.versions import DIFFERENCES, Difference
from softmax_trick.report.mathml import CODE, EMPHASIS, split_at_formulas
from softmax_trick.report.parts import BEYOND, by_part, not_run, part

HEADER = """\
# Errata

to W. Skarbek, “Cross Entropy in Deep Learning of Classifiers Is Unnecessary—ISBE Error Is All You Need”,
*Entropy* 2024, 26, 65, [doi:10.3390/e26010065](https://doi.org/10.3390/e26010065)

This list was made while every checkable statement of the paper was turned into a program that decides it. It is
offered to the author and to the paper's readers with thanks: it could only be made because the paper states its
mathematics, its tables and its code so openly.

{counts}

Each entry quotes what is printed, gives a place where it fails, and says what is true instead. No verdict was entered
by hand: equations are decided by exact algebra, for symbolic K and again for given K; sentences about tables, networks
and listings by exact computation with what is printed; and only what has an exact counterexample is called false. This
shows an entry with all its steps and evidence, and makes the list again:

```console
$ softmax-trick verify {example}
$ softmax-trick verify --errata ERRATA.md
```
"""

VERSIONS = """\
## Differences between arXiv version 1 and the version of record

arXiv:2311.16357v1 against Entropy 2024, 26, 65: what differs in content, in the order of the version of record.
Version 1 was compared as extracted text, in which formulas, tables and figures are lost; quotes show gaps where
formulas were.
"""

# Signs that would mean something to Markdown where they stand; an underscore inside a word or a lone star would not.
SPECIAL = re.compile(r"`|\\(?=[^\w\s])|(?<!\w)_|_(?!\w)|(?<!\s)\*|\*(?!\s)|\](?=[(\[:])|<(?=[\w/!])|\$")
LINE = 120  # characters
MARKED = re.compile(f"{CODE.pattern}|{EMPHASIS.pattern}")


def errata(results: Sequence[Result]) -> str:
    """The false statements of the paper among these results, in its order, then how its two versions differ."""
    by_id = {result.claim.id: result for result in results}
    printed = _of_the_paper(results)
    false = [result for result in printed if result.verdict is Verdict.REFUTED]
    groups = by_part(false)
    example = groups[0].results[0].claim.id if groups else "ID"
    blocks = [HEADER.format(counts=_counts(printed), example=example)]
    for group in groups:
        blocks.append(f"## {group.title}\n")
        blocks += [_entry(result, by_id) for result in group.results]
    blocks.append(VERSIONS)
    blocks.append("\n".join(_difference(one, by_id) for one in DIFFERENCES) + "\n")
    return "\n".join(blocks)


def _of_the_paper(results: Sequence[Result]) -> list[Result]:
    """Without repairs, and without what is beyond the paper."""
    repairs = {result.claim.repaired_by for result in results}
    return [
        result
        for result in results
        if part(result.claim) != BEYOND
        and result.claim.id not in repairs
        and not result.claim.source.startswith(("beyond the paper", "repair of"))
    ]


def _counts(printed: Sequence[Result]) -> str:
    waiting = sum(not_run(result) for result in printed)
    counts = Counter(result.verdict for result in printed)
    said = {
        "were proved": counts[Verdict.PROVED],
        "are false as printed and listed here": counts[Verdict.REFUTED],
        "speak of experiments and were measured": counts[Verdict.MEASURED],
        "speak of experiments that have not been repeated yet": waiting,
        "are undecided": counts[Verdict.UNDECIDED] - waiting,
    }
    found = [f"{number} {words}" for words, number in said.items() if number]
    return f"Of the {len(printed)} statements that were checked, {', '.join(found)}."


# --- an entry ---------------------------------------------------------------------------------------------------------


def _entry(result: Result, by_id: dict[str, Result]) -> str:
    claim = result.claim
    source = claim.source[0].upper() + claim.source[1:]
    lines = [f"### {claim.id}: {_escaped(claim.title)}", "", f"*{_escaped(source)}.*", "", "**Printed.**", ""]
    if claim.quote:
        lines += [f"> {_quotation(claim.quote)}", "", "Read as:", ""]
    lines += _statement(claim)
    lines += ["**Why it is false.**", "", *_why(result)]
    lines += _correction(claim, by_id)
    return "\n".join(lines)


def _statement(claim: Claim) -> list[str]:
    """A statement and its hypotheses; one that is a single formula stands by itself."""
    pieces = [piece for piece, _ in split_at_formulas(claim.statement)]
    if len(pieces) == 1 and claim.statement.startswith("$"):
        lines = ["```math", pieces[0], "```", ""]
    else:
        lines = [_prose(claim.statement), ""]
    if claim.hypotheses:
        lines += [f"where {'; '.join(map(_prose, claim.hypotheses))}.", ""]
    return lines


def _why(result: Result) -> list[str]:
    """The counterexample in plain words: where the sides of an equation differ, or the steps that end in it."""
    item = _counterexample(result)
    witness = dict(item.witness or {})
    difference = witness.pop("left - right", None)
    if difference is not None:
        exact = difference.split(" = [")[0]
        return [f"At {_values(witness)} the two sides differ: left − right = `{exact}`.", ""]
    if item.reason.startswith("not so: "):
        return [f"This is not so: “{_prose(item.reason.removeprefix('not so: '))}”.", "", *_found(witness)]
    steps = [f"- {_prose(step.text)}" for step in item.steps]
    return [*steps, *([""] if steps else []), f"Hence {_prose(item.reason)}.", "", *_found(witness)]


def _found(witness: dict[str, str]) -> list[str]:
    """What was found: in a line, or in a list where that would be a long one."""
    if sum(len(name) + len(value) for name, value in witness.items()) <= LINE:
        return [f"Found: {_values(witness)}.", ""] if witness else []
    return ["Found:", "", *(f"- {_escaped(name)}: {_code(value)}" for name, value in witness.items()), ""]


def _counterexample(result: Result) -> Evidence:
    """The evidence by which a claim is refuted."""
    return next(item for item in result.evidence if item.outcome == "fails" and item.witness)


def _values(witness: dict[str, str]) -> str:
    return ", ".join(f"{_code(f'{name} = {value}')}" for name, value in witness.items())


def _correction(claim: Claim, by_id: dict[str, Result]) -> list[str]:
    repair = by_id.get(claim.repaired_by or "")
    if repair:
        head = f"**Correction** ({repair.claim.id}, {repair.verdict})**.**"
        return [head, "", *_statement(repair.claim)]
    if claim.repaired_by:
        return [f"**Correction.** See {claim.repaired_by}.", ""]
    return [f"**Correction.** {_prose(claim.correction)}", ""] if claim.correction else []


# --- the two versions -------------------------------------------------------------------------------------------------


def _difference(one: Difference, by_id: dict[str, Result]) -> str:
    lines = [
        f"- **{_escaped(one.where)}.** {_quotation(one.remark)}",
        f"  - version 1: {_quoted(one.arxiv)}",
        f"  - version of record: {_quoted(one.record)}",
    ]
    if one.claims:
        verdicts = (f"{name} ({by_id[name].verdict})" if name in by_id else name for name in one.claims)
        lines.append(f"  - concerns {', '.join(verdicts)}")
    return "\n".join(lines)


def _quoted(words: str) -> str:
    return f"“{_quotation(words)}”" if words else "nothing"


# --- Markdown ---------------------------------------------------------------------------------------------------------


def _prose(source: str) -> str:
    """Our text with `code`, and LaTeX between dollar signs."""
    return _joined(source, CODE)


def _quotation(source: str) -> str:
    """The paper's words, with its `code`, its *emphasis* and its formulas."""
    return _joined(source, MARKED)


def _joined(source: str, marks: re.Pattern[str]) -> str:
    pieces = split_at_formulas(source)
    return " ".join("".join(_formula(one) if latex else _marked(one, marks) for one, latex in pieces).split())


def _formula(latex: str) -> str:
    return f"$`{' '.join(latex.split())}`$"


def _marked(piece: str, marks: re.Pattern[str]) -> str:
    parts, end = [], 0
    for found in marks.finditer(piece):
        code = found[1]
        parts += [_escaped(piece[end : found.start()]), _code(code) if code else f"*{_escaped(found[2])}*"]
        end = found.end()
    return "".join([*parts, _escaped(piece[end:])])


def _escaped(piece: str) -> str:
    return SPECIAL.sub(r"\\\g<0>", piece)


def _code(piece: str) -> str:
    fence = "``" if "`" in piece else "`"
    pad = " " if "`" in piece else ""
    return f"{fence}{pad}{piece}{pad}{fence}"
