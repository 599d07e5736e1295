"""Text with LaTeX between dollar signs as HTML: its formulas become MathML, which browsers show by themselves."""

from __future__ import annotations

import re
from functools import cache
from html import escape, unescape

from latex2mathml.converter import convert

FORMULA = re.compile(r"\$([^$]+)\$")
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
OPENS, CLOSES = {"{", r"\left", r"\begin"}, {"}", r"\right", r"\end"}
BREAKS = {r"\implies", r"\iff", r"\Longrightarrow", r"\Longleftrightarrow", r"\wedge", r"\land", r"\vee", r"\lor"}

# The paper's text marks *emphasis* and `code`; an asterisk inside code, as in 1-K*eps, is neither.
EMPHASIS = re.compile(r"(?<![\w).*])\*(?=\S)([^*]+)(?<=\S)\*(?![\w(*])")
CODE = re.compile(r"`([^`]+)`")


def text(source: str) -> str:
    """Our text with `code`, and LaTeX between dollar signs."""
    return "".join(formula(piece) if latex else _code(escape(piece)) for piece, latex in split_at_formulas(source))


def statement(source: str) -> str:
    """The same for a claim's statement: formulas in full size, which may break before a connective."""
    return "".join(
        " ".join(formula(part, full_size=True) for part in cut_at_connectives(piece)) if latex else _code(escape(piece))
        for piece, latex in split_at_formulas(source)
    )


def quotation(source: str) -> str:
    """The same for the paper's own words, which also mark *emphasis*."""
    return "".join(
        formula(piece) if latex else _code(EMPHASIS.sub(r"<em>\1</em>", escape(piece)))
        for piece, latex in split_at_formulas(source)
    )


def split_at_formulas(source: str) -> list[tuple[str, bool]]:
    """The pieces of a text in order, each with whether it stood between dollar signs."""
    return [(piece, position % 2 == 1) for position, piece in enumerate(FORMULA.split(source)) if piece]


@cache
def formula(latex: str, full_size: bool = False) -> str:
    """A formula as MathML; what cannot be converted is shown as its source."""
    try:
        converted = convert(latex)
    except Exception:  # the converter raises errors of many kinds, and none of them should cost the reader the page
        converted = "\\"
    if "\\" in converted:  # it passes commands on that it does not know
        return f'<code class="unconverted">{escape(latex)}</code>'
    size = ' displaystyle="true"' if full_size else ""
    start, _, rest = converted.partition(">")
    if not start.startswith("<math "):
        return f'<code class="unconverted">{escape(latex)}</code>'
    rest = rest.replace("<mi>:</mi>", "<mo>:</mo>")  # as in "for every x: ..."
    return f"<math{size}>" + re.sub(r"&#x([0-9A-F]+);", _character, rest)


def _character(reference: re.Match[str]) -> str:
    """A character reference of the converter's as the character itself, unless that means something in HTML."""
    character = unescape(reference[0])
    return reference[0] if character in "<>&" else character


def cut_at_connectives(latex: str) -> list[str]:
    """A formula cut before each connective that stands outside all braces and delimiters: A, => B, <=> C."""
    pieces, depth = [""], 0
    for token in TOKEN.findall(latex):
        if token in OPENS:
            depth += 1
        elif token in CLOSES:
            depth -= 1
        if depth == 0 and token in BREAKS:
            pieces.append("{}")  # a sign between nothing and something keeps its spaces
        pieces[-1] += token
    return [piece for piece in pieces if piece]


def _code(escaped: str) -> str:
    return CODE.sub(r"<code>\1</code>", escaped)
