"""What changed between the first version of the paper, arXiv:2311.16357v1, and the version of record, Entropy 26, 65.

Only differences in content are listed, in the order of the version of record: not wording, spelling or the names of
functions in running text, nor what says how the paper is organised. The first version was compared as extracted text,
in which formulas, tables and figures are lost: what stands in them is not compared, and quotes show gaps where formulas
were. Quotes are verbatim but for white space.
"""

from __future__ import annotations

from dataclasses import dataclass

from softmax_trick.proofs.printed import data


@dataclass(frozen=True)
class Difference:
    """One difference between the two versions.

    Attributes:
        where: what it is about, and where in the version of record.
        arxiv: the first version's words; nothing if it has none on this.
        record: the words of the version of record; nothing if it has none on this.
        claims: the claims of the ledger that it concerns.
        remark: what the difference comes to.
    """

    where: str
    arxiv: str = ""
    record: str = ""
    claims: tuple[str, ...] = ()
    remark: str = ""


DIFFERENCES = tuple(Difference(**entry) for entry in data("versions")["difference"])
