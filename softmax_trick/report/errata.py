"""What is false in the paper, in Markdown for its author: the errata, two pages, and their supplement, entry by entry;
and in other works.

The errata have one entry for each root cause, grouped and by importance (`softmax_trick.proofs.errata_entries`); the
supplement has every false statement with its counterexample, in the paper's order. Both follow from the results alone:
an entry is there if a claim that it stands for is refuted. Formulas are written the way in which GitHub's Markdown
leaves them alone: between $` and `$, or in a block marked math.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from softmax_trick.ledger.claims import Claim, Evidence, Verdict
from softmax_trick.ledger.paper import Paper
from softmax_trick.ledger.run import Result
from softmax_trick.proofs.errata_entries import ENTRIES, GROUPS, Entry
from softmax_trick.proofs.errata_entries import MISPRINTS as SLIPS
from softmax_trick.proofs.printed import MISPRINTS, Misprint
from softmax_trick.proofs.versions import DIFFERENCES, Difference
from softmax_trick.report.mathml import CODE, EMPHASIS, split_at_formulas
from softmax_trick.report.parts import BEYOND, by_part, not_run, part

TITLE = """\
to W. Skarbek, “Cross Entropy in Deep Learning of Classifiers Is Unnecessary—ISBE Error Is All You Need”,
*Entropy* 2024, 26, 65, [doi:10.3390/e26010065](https://doi.org/10.3390/e26010065)"""

HEADER = """\
# Errata

{title}

{counts} They have the {causes} causes below, the weightiest of each kind first; the names in brackets are those of the
counterexamples in [the supplement](errata-supplement.md). Where a sentence can be read in two ways, the fair
reading decided. The list is offered with thanks: it could only be made because the paper states its mathematics, its
tables and its code so openly.
"""

SUPPLEMENT = """\
# Supplement to the errata

{title}

This supplement goes with [the errata](errata.md): every statement that is false as printed, in the paper's order,
with a place where it fails and what is true instead; then how the two versions of the paper differ.

{counts}

No verdict was entered by hand: equations are decided by exact algebra, for symbolic K and again for given K; sentences
about tables, networks and listings by exact computation with what is printed; and only what has an exact counterexample
is called false. This shows an entry with all its steps and evidence, and makes both lists again:

```console
$ softmax-trick verify {example}
$ softmax-trick verify --errata docs/errata.md --supplement docs/errata-supplement.md
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
FEW = 3  # claims that are named one by one
TARGET = re.compile(r"(?<![\w'’.])t(_[ijk]|_\d|\d)?(?![\w(])")  # a step's t, t_i, t1; no time, and no "don't"
MARKED = re.compile(f"{CODE.pattern}|{EMPHASIS.pattern}")


def errata(results: Sequence[Result]) -> str:
    """The causes of what is false in the paper among these results: printed, and should read.

    Raises:
        LookupError: a false statement of the paper belongs to no entry.
    """
    by_id = {result.claim.id: result for result in results}
    printed = _of_the_paper(results)
    false = {result.claim.id for result in printed if result.verdict is Verdict.REFUTED}
    entries = [entry for entry in ENTRIES if false & set(entry.claims)]
    slips = [one for one in MISPRINTS if one.claim in false]
    known = {name for entry in ENTRIES for name in entry.claims} | {one.claim for one in MISPRINTS}
    if missing := false - known:
        raise LookupError(f"no entry of the errata names {', '.join(sorted(missing))}")
    counts = _counts(printed).replace(" and listed here", "")
    blocks = [HEADER.format(title=TITLE, counts=counts, causes=len(entries) + bool(slips))]
    for group in GROUPS:
        lines = [_cause(entry, by_id, false) for entry in entries if entry.group == group]
        if group == SLIPS:
            lines = [_slip(one) for one in slips] + lines
        if lines:
            blocks += [f"## {group}\n", "\n".join(lines) + "\n"]
    return "\n".join(blocks)


def _cause(entry: Entry, by_id: dict[str, Result], false: set[str]) -> str:
    """A line: where, what is printed, what it should read, a witness in the paper's symbols, and the claims."""
    found = [name for name in entry.claims if name in false]
    quotes = " and ".join(f"“{_quotation(_whole(words))}”" for words in entry.printed)
    witness = _shown(by_id[found[0]].witness or {}, entry.shown) if found[0] == entry.claims[0] else ""
    text = f"- **{_prose(entry.where)}.** {quotes} *should read:* {_prose(entry.should_read)}"
    names = ", ".join(found) if len(found) <= FEW else f"{found[0]} and {len(found) - 1} more"
    return f"{text}{' ' + witness if witness else ''} [{names}]"


def _whole(words: str) -> str:
    """Words of the paper; a piece of a formula that is none by itself between dollar signs, tabulators as spaces."""
    piece = "\\" in words and "$" not in words
    if piece and "&" in words:
        words = words.replace("&", r"\ ")
    return f"${words}$" if piece else words.replace("\t", " ")


def _slip(one: Misprint) -> str:
    wrong, right = (f"`{words.strip(' $')}`" for words in (one.wrong, one.right))
    return f"- {_prose(one.where[0].upper() + one.where[1:])}: {wrong} *should read* {right}. [{one.claim}]"


def _shown(witness: dict[str, str], names: Sequence[str]) -> str:
    return _values({name: witness[name] for name in names if name in witness}) + "." if names else ""


def supplement(results: Sequence[Result]) -> str:
    """The false statements of the paper among these results, in its order, then how its two versions differ."""
    by_id = {result.claim.id: result for result in results}
    printed = _of_the_paper(results)
    false = [result for result in printed if result.verdict is Verdict.REFUTED]
    groups = by_part(false)
    example = groups[0].results[0].claim.id if groups else "ID"
    blocks = [SUPPLEMENT.format(title=TITLE, counts=_counts(printed), example=example)]
    for group in groups:
        blocks.append(f"## {group.title}\n")
        blocks += [_entry(result, by_id) for result in group.results]
    blocks.append(VERSIONS)
    blocks.append("\n".join(_difference(one, by_id) for one in DIFFERENCES) + "\n")
    return "\n".join(blocks)


WORKS = """\
# Other works, and theorems

The ledgers that come beside the paper's ([how they are asked for](ledger.md#those-that-come-with-the-package)): the
claims of each with their verdicts, and what is false among them, with a place where it fails and what is true instead.
The works were at hand in part only: the source of a claim says what is the work's, and what is our reading of it.

This page is made by `make record`; nothing in it was entered by hand.
"""


def works_page(works: Mapping[str, tuple[Paper, Sequence[Result]]]) -> str:
    """The ledgers beside the paper's, by name: all claims of each, and the false ones as in a supplement."""
    blocks = [WORKS]
    for name, (paper, results) in works.items():
        headings = [_escaped(one.claim.heading).replace("|", "&#124;") for one in results]
        rows = [f"| {one.claim.id} | {one.verdict} | {said} |" for one, said in zip(results, headings, strict=True)]
        false = [one for one in results if one.verdict is Verdict.REFUTED]
        counts = Counter(one.verdict for one in results)
        said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        blocks += [
            f"## {_escaped(paper.title)}\n\n{_escaped(paper.source)}\n",
            f"{len(results)} claims: {said}. `softmax-trick verify --ledger {name}`\n",
            "\n".join(["| claim | | |", "|---|---|---|", *rows]) + "\n",
            *(_entry(one, {other.claim.id: other for other in results}) for one in false),
        ]
    return "\n".join(blocks)


def false_statements(results: Sequence[Result], paper: Paper) -> str:
    """The false statements of any ledger, each with its counterexample and what is true instead."""
    by_id = {result.claim.id: result for result in results}
    false = [result for result in results if result.verdict is Verdict.REFUTED]
    head = f"# What is false in “{_escaped(paper.title)}”\n\n{_escaped(paper.source)}\n\n{_counts(results)}\n"
    return "\n".join([head, *(_entry(result, by_id) for result in false)])


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
    missing = sum(result.judgement.not_run for result in printed)
    counts = Counter(result.verdict for result in printed)
    said = {
        "were proved": counts[Verdict.PROVED],
        "are false as printed and listed here": counts[Verdict.REFUTED],
        "speak of experiments and were measured": counts[Verdict.MEASURED],
        "speak of experiments that have not been repeated yet": waiting,
        "were not checked here, where torch is not installed": missing,
        "are undecided": counts[Verdict.UNDECIDED] - waiting - missing,
    }
    found = [f"{number} {words}" for words, number in said.items() if number]
    return f"Of the {len(printed)} statements that were checked, {', '.join(found)}."


# --- an entry ---------------------------------------------------------------------------------------------------------


def _entry(result: Result, by_id: dict[str, Result]) -> str:
    claim = result.claim
    source = claim.source[0].upper() + claim.source[1:]
    lines = [f"### {claim.id}: {_escaped(_papers(claim.heading))}", "", f"*{_prose(source)}.*", ""]
    if claim.quote:
        lines += ["**Printed.**", "", f"> {_quotation(claim.quote)}", ""]
    lines += ["**Read as.**", "", *_statement(claim)]
    lines += ["**Why it is false.**", "", *_why(result)]
    lines += _correction(claim, by_id)
    if claim.remark:
        lines += [f"**Remark.** {_prose(claim.remark)}", ""]
    return "\n".join(lines)


def _statement(claim: Claim) -> list[str]:
    """A statement and its hypotheses; one that is a single formula stands by itself."""
    pieces = [piece for piece, _ in split_at_formulas(claim.says)]
    if len(pieces) == 1 and claim.says.startswith("$"):
        lines = ["```math", pieces[0], "```", ""]
    else:
        lines = [_prose(claim.says), ""]
    if claim.given:
        lines += [f"where {'; '.join(map(_prose, claim.given))}.", ""]
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
    steps = [f"- {_prose(_papers(step.text))}" for step in item.steps]
    return [*steps, *([""] if steps else []), f"Hence {_prose(item.reason)}.", "", *_found(witness)]


def _found(witness: dict[str, str]) -> list[str]:
    """What was found: in a line, or in a list where that would be a long one."""
    if sum(len(name) + len(value) for name, value in witness.items()) <= LINE:
        return [f"Found: {_values(witness)}.", ""] if witness else []
    return ["Found:", "", *(f"- {_escaped(_papers(name))}: {_code(value)}" for name, value in witness.items()), ""]


def _counterexample(result: Result) -> Evidence:
    """The evidence by which a claim is refuted."""
    return next(item for item in result.evidence if item.outcome == "fails" and item.witness)


def _values(witness: dict[str, str]) -> str:
    return ", ".join(f"{_code(f'{_papers(name)} = {value}')}" for name, value in witness.items())


def _papers(text: str) -> str:
    """Our t is the paper's y°, in the name of a value as in a step of a proof."""
    return TARGET.sub(lambda found: f"y°{found[1] or ''}", text)


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
